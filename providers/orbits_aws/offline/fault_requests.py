"""Faults by request from Python: the part of `OfflineAws` that asks for them."""

from typing import Any, Unpack, cast

from .admin_client import AdminClient
from .fault_spec import Kind, Which, fault


class FaultsByRequest:
    """What a test may ask of the offline AWS to do wrong."""

    @property
    def _http(self) -> AdminClient:
        raise NotImplementedError

    def fail(
        self,
        service: str,
        operation: str,
        *,
        code: str,
        message: str | None = None,
        status: int | None = None,
        **which: Unpack[Which],
    ) -> None:
        """Refuse calls with an error, without doing anything.

        A call matches by boto3's name of the service and the operation's name (`*` is a wildcard); `which` narrows
        that down. The `nth` matching call from now on is refused, and those after it, `times` in all. The SDK's own
        repetitions count as calls. `status` is the HTTP status, by default the usual one for the code.
        """
        self._add("error", service, operation, {"code": code, "message": message, "status": status}, which)

    def lose_answer(self, service: str, operation: str, **which: Unpack[Which]) -> None:
        """Do the work of calls and cut the connection before they are answered; the client raises.

        The SDK's repetitions of such a call are cut as well, without doing the work again. Otherwise as `fail`.
        """
        self._add("lose_answer", service, operation, {}, which)

    def cut(self, service: str, operation: str, **which: Unpack[Which]) -> None:
        """Cut the connection of calls before anything is done; the client cannot tell that from a lost answer.

        The SDK's repetition of such a call is another call. Otherwise as `fail`.
        """
        self._add("cut", service, operation, {}, which)

    def throttle(
        self,
        service: str,
        operation: str = "*",
        *,
        rate: float,
        burst: int | None = None,
        code: str | None = None,
        **which: Unpack[Which],
    ) -> None:
        """Refuse, in the service's own words, the calls for which a token bucket holds no token.

        Each account, region and service has a bucket of its own, full at first; every matching call takes a token,
        and `rate` of them come back each second, up to `burst`, by default the rate. With `rate=0` just the first
        `burst` calls get through. All calls, unless `times` bounds how many are refused. Otherwise as `fail`.
        """
        self._add("throttle", service, operation, {"rate": rate, "burst": burst, "code": code}, which)

    def stale(self, service: str, operation: str = "*", **which: Unpack[Which]) -> None:
        """Answer reads as they were answered before the service's latest write in the account, `times` in all.

        Counts the reads that follow a write made from now on: what was just made is not found yet, what was just
        changed shows its old values. CloudFormation's own reads are not stale. Otherwise as `fail`.
        """
        self._add("stale", service, operation, {}, which)

    def delay(self, service: str, operation: str, *, seconds: float, **which: Unpack[Which]) -> None:
        """Let calls wait before they are worked on. Otherwise as `fail`."""
        self._add("delay", service, operation, {"delay": seconds}, which)

    def clear_faults(self) -> None:
        """Forget all faults that were asked for."""
        self._http.delete("faults")

    def faults(self) -> list[dict[str, Any]]:
        """The faults that were asked for, with how many calls each has seen and struck."""
        return cast("list[dict[str, Any]]", self._http.get("faults")["faults"])

    def _add(self, kind: Kind, service: str, operation: str, effect: dict[str, Any], which: Which) -> None:
        spec = fault(kind, service, operation, effect, **which)
        self._http.post("faults", spec.model_dump(exclude_unset=True))
