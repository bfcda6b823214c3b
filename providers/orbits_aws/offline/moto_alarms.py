"""CloudWatch's alarms as AWS has them: composite ones, pages, when a state began, and a history, which moto lacks.

moto keeps the states that an alarm was in before, each with its time; the history is made of these. `gaps` provides it
at the first call that asks.
"""

import functools
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, cast

from moto.core.responses import ActionResult

_KINDS = {"MetricAlarm": "MetricAlarms", "CompositeAlarm": "CompositeAlarms"}
_A_PAGE = 50


@functools.cache
def provide() -> None:
    """Let moto's CloudWatch answer so."""
    from moto.cloudwatch.responses import CloudWatchResponse

    response: Any = cast("Any", CloudWatchResponse)
    described = response.describe_alarms

    def describe_alarms(self: Any) -> ActionResult:
        answer = described(self)._result  # noqa: SLF001 - what moto has found, before it is written
        kinds = self._get_param("AlarmTypes") or ["MetricAlarm"]
        found = [alarm for kind in kinds for alarm in answer[_KINDS[kind]]]
        for alarm in found:
            alarm.state_transitioned_timestamp = list(_states(alarm))[-1][0]
        page, following = _page(self, sorted(found, key=lambda alarm: str(alarm.name)))
        result: dict[str, Any] = {
            "MetricAlarms": [alarm for alarm in page if alarm.rule is None],
            "CompositeAlarms": [alarm for alarm in page if alarm.rule is not None],
        }
        return ActionResult({**result, **following})

    def describe_alarm_history(self: Any) -> ActionResult:
        name, since = self._get_param("AlarmName"), self._get_param("StartDate")
        alarms = [one for one in self.cloudwatch_backend.alarms.values() if name in (None, one.name)]
        items = [
            item for alarm in alarms for item in _history(alarm) if since is None or item["Timestamp"] >= _aware(since)
        ]
        newest = self._get_param("ScanBy") != "TimestampAscending"
        page, following = _page(self, sorted(items, key=lambda item: item["Timestamp"], reverse=newest))
        return ActionResult({"AlarmHistoryItems": page, **following})

    response.describe_alarms, response.describe_alarm_history = describe_alarms, describe_alarm_history
    response.put_composite_alarm = response.put_metric_alarm  # which reads the rule, too


def _aware(moment: datetime) -> datetime:
    """moto's times are in UTC, and do not always say so."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _states(alarm: Any) -> Iterator[tuple[datetime, str, str]]:
    """When each state of an alarm began, which it was, and why: what did not change it is left out."""
    last = ""
    now = (None, alarm.state_reason, None, alarm.state_value, alarm.state_updated_timestamp)
    for _, reason, _, state, at in [*alarm.history, now]:
        if state != last:
            yield _aware(at), state, reason
        last = state


def _history(alarm: Any) -> Iterator[dict[str, Any]]:
    states = list(_states(alarm))
    for (_, old, why), (at, new, reason) in pairwise(states):
        data = {
            "version": "1.0",
            "oldState": {"stateValue": old, "stateReason": why},
            "newState": {"stateValue": new, "stateReason": reason},
        }
        yield {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm" if alarm.rule is None else "CompositeAlarm",
            "Timestamp": at,
            "HistoryItemType": "StateUpdate",
            "HistorySummary": f"Alarm updated from {old} to {new}",
            "HistoryData": json.dumps(data),
        }


def _page(response: Any, found: Sequence[Any]) -> tuple[Sequence[Any], dict[str, str]]:
    """A page, and the token of the next one, if there is one."""
    start = int(response._get_param("NextToken") or 0)  # noqa: SLF001 - as above
    end = start + int(response._get_param("MaxRecords") or _A_PAGE)  # noqa: SLF001 - as above
    return found[start:end], {"NextToken": str(end)} if end < len(found) else {}
