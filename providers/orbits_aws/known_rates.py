"""How often AWS lets an operation be called, where it says so and that is seldom: calls a second, and at once.

Of an account and region, by boto3's names; `*` stands for all operations of a service that are not named themselves.
What AWS does not publish (CloudFormation, Organizations) or what nobody reaches is not here: the governor finds it out.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Known(NamedTuple):
    """So many calls a second, and so many at once after a rest."""

    rate: float
    burst: int


KNOWN: Mapping[tuple[str, str], Known] = {
    # Quotas for AWS Account Management
    ("account", "DisableRegion"): Known(1, 1),
    ("account", "EnableRegion"): Known(1, 1),
    ("account", "GetRegionOptStatus"): Known(5, 5),
    ("account", "ListRegions"): Known(5, 5),
    # Amazon API Gateway quotas: for creating, deploying and managing an API
    ("apigateway", "CreateDeployment"): Known(0.2, 1),
    ("apigateway", "CreateRestApi"): Known(1 / 3, 1),
    ("apigateway", "DeleteRestApi"): Known(1 / 30, 1),
    ("apigateway", "UpdateAccount"): Known(1 / 20, 1),
    # Quotas in AWS CloudTrail
    ("cloudtrail", "LookupEvents"): Known(2, 2),
    # Lambda quotas: all operations of the control plane together
    ("lambda", "*"): Known(15, 15),
    ("lambda", "GetFunction"): Known(100, 100),
    ("lambda", "GetPolicy"): Known(15, 15),
    # CloudWatch Logs quotas
    ("logs", "CreateLogGroup"): Known(10, 10),
    ("logs", "DeleteLogGroup"): Known(10, 10),
    ("logs", "DescribeLogGroups"): Known(10, 10),
    # Quotas of Amazon Route 53: all operations of an account together
    ("route53", "*"): Known(5, 5),
    # Service quotas for Service Quotas
    ("service-quotas", "GetServiceQuota"): Known(5, 10),
    ("service-quotas", "ListServiceQuotas"): Known(10, 20),
}

UNLIMITED = frozenset({("lambda", "Invoke"), ("lambda", "InvokeWithResponseStream")})
"""What a service's `*` does not mean."""

GLOBAL = frozenset({"account", "cloudfront", "globalaccelerator", "iam", "organizations", "route53"})
"""Services that an account has once, in whatever region they are called."""
