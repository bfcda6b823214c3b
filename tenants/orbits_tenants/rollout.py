"""Rollout: in which waves tenants are updated, how many at a time, and how many may fail. Pure: no I/O."""

import re
from collections.abc import Sequence
from math import ceil
from typing import Literal

from orbits_iac.provider import UsageError

OnFailure = Literal["stop", "continue", "rollback-wave", "rollback-all"]
BUILT: frozenset[str] = frozenset({"stop", "continue"})

_AMOUNT = re.compile(r"^(\d+)(%?)$")


class Rollout:
    """How a release reaches the tenants.

    Each of `waves` says how many tenants have been reached when it is over: a number (`"1"`), or a share of the whole
    fleet (`"10%"`, rounded up). The last one has to be `"100%"`. A wave begins when the one before it has ended; in it,
    at most `max_concurrency` tenants are updated at a time, and none is stopped by another's failure. When more than
    `failure_tolerance` (a number, or a share of the whole fleet) have failed at the end of a wave, `on_failure`
    decides: `stop` begins no further wave, `continue` goes on.

    Raises UsageError for amounts that are none, and for waves that leave somebody out or never grow.
    """

    def __init__(
        self,
        *,
        waves: Sequence[str],
        max_concurrency: int = 10,
        failure_tolerance: str = "0%",
        on_failure: OnFailure = "stop",
    ) -> None:
        if not waves or waves[-1] != "100%":
            raise UsageError("Rollout(waves=...): the last wave has to be '100%', or tenants would be left out")
        for wave in waves:
            _amount(wave, 1, "waves")
        _amount(failure_tolerance, 1, "failure_tolerance")
        if max_concurrency < 1:
            raise UsageError(f"Rollout(max_concurrency={max_concurrency}): at least 1 tenant is updated at a time")
        self.waves = tuple(waves)
        self.max_concurrency = max_concurrency
        self.failure_tolerance = failure_tolerance
        self.on_failure: OnFailure = on_failure

    def cut(self, tenants: int) -> list[tuple[str, range]]:
        """The waves of a fleet of so many tenants: each with its name and the positions in it; empty ones left out."""
        cuts: list[tuple[str, range]] = []
        reached = 0
        for wave in self.waves:
            until = min(tenants, max(reached, ceil(_amount(wave, tenants, "waves"))))
            if until > reached:
                cuts.append((wave, range(reached, until)))
            reached = until
        return cuts

    def goes_on(self, *, failed: int, tenants: int) -> bool:
        """Whether another wave may begin when so many of all the tenants have failed."""
        if self.on_failure == "continue":
            return True
        return failed <= _amount(self.failure_tolerance, tenants, "failure_tolerance")

    def refuse_unbuilt(self) -> None:
        """Raise UsageError where `on_failure` asks for what this version does not do."""
        if self.on_failure not in BUILT:
            raise UsageError(
                f"Rollout(on_failure={self.on_failure!r}) is not built yet in this version: use 'stop' or 'continue'. "
                f"A tenant that fails goes back to its last good revision by itself in any case."
            )


def _amount(text: str, tenants: int, of: str) -> float:
    """What `10%` or `3` is of so many tenants. A share is kept exact: ceil() of 7 % of 100 is 7."""
    match = _AMOUNT.match(text)
    if match is None or (match[2] and int(match[1]) > 100):
        raise UsageError(f"Rollout({of}=...): {text!r} is neither a number of tenants ('3') nor a share ('10%')")
    number = int(match[1])
    return number * tenants / 100 if match[2] else number
