"""Tenants: one stack for each client of a list, rolled out in waves, reported, looked after and removed together.

What belongs here: where tenants come from (sources), in which order and how far a roll-out goes (`Rollout`), and what
came of it (`Report`). What a stack consists of does not: this package imports no provider. Names are imported when
they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orbits_tenants.drift_policy import DriftPolicy
    from orbits_tenants.membership import Listing
    from orbits_tenants.policy import ByPolicy
    from orbits_tenants.promotion import Promoted
    from orbits_tenants.report import Report, TenantReport, TenantState
    from orbits_tenants.rollout import Rollout, Wave
    from orbits_tenants.selector import Selector
    from orbits_tenants.sources.code import FunctionSource, ListSource
    from orbits_tenants.sources.combined import CombinedSource
    from orbits_tenants.sources.files import DirectorySource, JsonSource, YamlSource
    from orbits_tenants.sources.http import HttpSource
    from orbits_tenants.sources.mongodb import MongoSource
    from orbits_tenants.sources.source import Source
    from orbits_tenants.tenant import Tenant
    from orbits_tenants.tenants import Tenants
    from orbits_tenants.window import Window

_HOME = {
    "ByPolicy": "policy",
    "CombinedSource": "sources.combined",
    "DirectorySource": "sources.files",
    "DriftPolicy": "drift_policy",
    "FunctionSource": "sources.code",
    "HttpSource": "sources.http",
    "JsonSource": "sources.files",
    "ListSource": "sources.code",
    "Listing": "membership",
    "MongoSource": "sources.mongodb",
    "Promoted": "promotion",
    "Report": "report",
    "Rollout": "rollout",
    "Selector": "selector",
    "Source": "sources.source",
    "Tenant": "tenant",
    "TenantReport": "report",
    "TenantState": "report",
    "Tenants": "tenants",
    "Wave": "rollout",
    "Window": "window",
    "YamlSource": "sources.files",
}

__all__ = [
    "ByPolicy",
    "CombinedSource",
    "DirectorySource",
    "DriftPolicy",
    "FunctionSource",
    "HttpSource",
    "JsonSource",
    "ListSource",
    "Listing",
    "MongoSource",
    "Promoted",
    "Report",
    "Rollout",
    "Selector",
    "Source",
    "Tenant",
    "TenantReport",
    "TenantState",
    "Tenants",
    "Wave",
    "Window",
    "YamlSource",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
