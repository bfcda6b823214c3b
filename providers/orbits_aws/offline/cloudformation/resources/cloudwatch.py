"""Amazon CloudWatch: alarms and dashboards."""

from collections.abc import Iterable

from .contract import Properties, Site
from .mapped import Mapped


class Alarm(Mapped):
    """AWS::CloudWatch::Alarm. PutMetricAlarm makes and changes one, all of it at once."""

    type = "AWS::CloudWatch::Alarm"
    listing = ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName")
    service = "cloudwatch"
    creating, changing, deleting, reading = "PutMetricAlarm", ("PutMetricAlarm",), "DeleteAlarms", "DescribeAlarms"
    found_at = "MetricAlarms.0"
    named_by = "AlarmName"
    longest = 255
    keys = {"AlarmNames": "{id}", "AlarmName": "{id}"}
    attributes = {"Arn": "AlarmArn"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Put the alarm as it is to be, without its tags, which have calls of their own."""
        super().change(site, physical_id, before, {**after, "Tags": None}, names)


class Dashboard(Mapped):
    """AWS::CloudWatch::Dashboard."""

    type = "AWS::CloudWatch::Dashboard"
    listing = ("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName")
    service = "cloudwatch"
    creating, changing, deleting, reading = "PutDashboard", ("PutDashboard",), "DeleteDashboards", "GetDashboard"
    named_by = "DashboardName"
    longest = 255
    keys = {"DashboardName": "{id}", "DashboardNames": "{id}"}
    ignored = frozenset({"Tags"})


HANDLERS = (Alarm(), Dashboard())
