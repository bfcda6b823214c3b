"""Account Management's regions: which an account has, and enabling one that is off at first.

Off are the regions that the setting `disabled_regions` names, until an account enables one; that takes as many looks as
`account_polls` says. The gateway carries the calls out here, `Access` asks before any call into a region.
"""

import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from . import moto_adapter
from .identify import Identity
from .settings import Settings
from .wire import Answer, Environ, error_answer


class Regions:
    """What each account has enabled, and the calls about it."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        """All but those that `settings` says are off."""
        self._settings = settings
        self._lock = Lock()
        self._enabled: dict[str, dict[str, int]] = {}  # looks that still show it as going on

    def state(self) -> Any:
        """What accounts have enabled, for `restore`."""
        with self._lock:
            return {account: dict(regions) for account, regions in self._enabled.items()}

    def restore(self, state: Any) -> None:
        """Have what `state` gave, and nothing else."""
        with self._lock:
            self._enabled = state

    def is_off(self, account: str, region: str) -> bool:
        """Whether an account has not enabled a region that is off at first."""
        return region in self._settings().disabled_regions and self._enabled.get(account, {}).get(region) != 0

    def carry_out(self, moto: Callable[[Environ], Answer], identity: Identity, environ: Environ) -> Answer:
        """Carry out one call of Account Management; `moto` has those that are not about regions."""
        request: Mapping[str, Any] = json.loads(environ["wsgi.input"].getvalue() or b"{}")
        account = str(request.get("AccountId") or identity.account)
        region = str(request.get("RegionName", ""))
        match identity.operation:
            case "ListRegions":
                return _json({"Regions": [self._shown(account, one) for one in sorted(moto_adapter.regions())]})
            case "GetRegionOptStatus" | "EnableRegion" if region not in moto_adapter.regions():
                return error_answer("rest-json", "ValidationException", "The region name provided is not valid.")
            case "GetRegionOptStatus":
                shown = self._shown(account, region)
                self._look(account, region)
                return _json(shown)
            case "EnableRegion":
                return self._enable(account, region)
            case _:
                return moto(environ)

    def _shown(self, account: str, region: str) -> dict[str, str]:
        if region not in self._settings().disabled_regions:
            status = "ENABLED_BY_DEFAULT"
        else:
            left = self._enabled.get(account, {}).get(region)
            status = "DISABLED" if left is None else "ENABLING" if left else "ENABLED"
        return {"RegionName": region, "RegionOptStatus": status}

    def _look(self, account: str, region: str) -> None:
        with self._lock:
            if left := self._enabled.get(account, {}).get(region):
                self._enabled[account][region] = left - 1

    def _enable(self, account: str, region: str) -> Answer:
        with self._lock:
            status = self._shown(account, region)["RegionOptStatus"]
            if status == "ENABLED_BY_DEFAULT":
                message = f"The region {region} is enabled by default and cannot be enabled or disabled."
                return error_answer("rest-json", "ValidationException", message)
            if status == "ENABLING":
                message = f"The region {region} is in the process of being enabled."
                return error_answer("rest-json", "ConflictException", message, 409)
            self._enabled.setdefault(account, {}).setdefault(region, self._settings().account_polls)
        return _json({})


def _json(content: Any) -> Answer:
    headers = (("Content-Type", "application/json"),)
    return Answer(status=200, headers=headers, body=json.dumps(content).encode())
