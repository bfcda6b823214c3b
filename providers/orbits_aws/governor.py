"""The governor: each account's, region's and service's rate of calls, shared by everything that runs in this process.

What always holds:
- each attempt of each call is seen, botocore's own repetitions too, before it is signed;
- where one is throttled, all that call the same service there slow down together; the rate then recovers with time;
- whoever waits has a place of its own, in the order in which they came, so that nobody starves: at most as many go
  before as there are threads. The wait shows as progress, and ends when its hook is cancelled;
- cycles, which have time, keep to a share of each rate that is known, so that updates find room, and to the budget of
  calls for each account where one is set;
- what changes anything is sent only while the hook's execution is certainly still held by this worker.

Workers of one store share what AWS publishes, and what they found out by being throttled: each keeps to its part, by
what it is told of the others (`shared`). `clients` attaches the governor to each boto3 client.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from orbits_aws.errors import AwsUnavailable, is_throttled
from orbits_aws.known_rates import GLOBAL, KNOWN, UNLIMITED, Known
from orbits_aws.reads import is_read
from orbits_aws.settings import aws_settings
from orbits_iac.provider import NotHeld, Shared, current

CUT = 0.7
"""What is left of the rate when it was too high."""
GROWTH = 0.05
"""The share of the rate before the cut that it grows by in each second after it."""
FORGOTTEN = 2.0
"""Times the rate before the cut: grown so far without being throttled, it is no limit any more."""
FIRST = 5.0
"""Calls a second that are taken for what was too much at the first cut, if fewer were made: others call there too."""
SLOWEST = 0.5
"""Calls a second that are made however often they are throttled."""
REST = 1.0
"""Seconds after a cut in which nobody calls: the service's own bucket fills again."""
SHOWN = 1.0
"""Seconds of a wait from which it is told of."""
LOOKS = 0.5
"""The share of a rate that all cycles keep to together."""
_PURGED_AT = 10_000

_ASKED = "orbits_asked"


class Where(NamedTuple):
    """Whose rate it is: an account's, in a region, of a service. Global services have no region."""

    account: str
    region: str
    service: str


class Rates(ABC):
    """How often each account's service is called, by everybody who shares this; safe to use from any thread."""

    @abstractmethod
    def reserve(self, where: Where, operation: str) -> float:
        """Take the next place for a call; in how many seconds it comes: 0 for most."""

    def look(self, where: Where, operation: str) -> float:
        """Take a cycle's next turn to ask for a place; in how many seconds it comes."""
        del where, operation
        return 0.0

    @abstractmethod
    def throttled(self, where: Where, age: float) -> None:
        """A call was throttled that took its place `age` seconds ago: slow down, unless that was done since."""


@dataclass(slots=True)
class _Pace:
    """The calls of one `Where`."""

    window: float  # when the second began that is counted
    count: int = 0
    before: float = 0.0  # calls a second, in the second before
    limit: float | None = None  # calls a second, at the last cut
    high: float = 0.0  # what they were when they were too many
    cut_at: float = 0.0
    free_at: float = 0.0
    workers: int = 1  # that keep to it, as of the last call


def shared(bucket: str, rate: float | None) -> Shared:
    """Which workers keep to a rate, as the execution knows that calls here."""
    execution = current()
    return Shared() if execution is None else execution.shared(bucket, rate)


def budget() -> float | None:
    """Calls a second that cycles may make in each account, by the project's settings; None: as many as they like."""
    a_minute = aws_settings().cycle_calls_per_minute
    return None if a_minute is None else a_minute / 60


class LocalRates(Rates):
    """The rates of one process, as its part of what it shares with others.

    `clock` is in seconds from some moment, `rest` is how long nobody calls after a cut, `published` are the rates that
    are kept to from the beginning, `shared` says who else keeps to a rate, `budget` what cycles may call in an account.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        rest: float = REST,
        published: Mapping[tuple[str, str], Known] = KNOWN,
        shared: Callable[[str, float | None], Shared] = shared,
        budget: Callable[[], float | None] = budget,
    ) -> None:
        self._clock = clock
        self._rest = rest
        self._rates = published
        self._shared = shared
        self._budget = budget
        self._lock = threading.Lock()
        self._paces: dict[Where, _Pace] = {}
        self._known: dict[tuple[Where, str], float] = {}  # when the bucket is full again
        self._looks: dict[tuple[Where, str], float] = {}  # when the next cycle may ask; without an operation: for all

    def reserve(self, where: Where, operation: str) -> float:
        operation, known = self._kept_to(where, operation)
        now = self._clock()
        with self._lock:
            pace = self._paces.get(where) or self._new(where, now)
            _count(pace, now)
            self._share(where, pace, now)
            wait = 0.0 if pace.limit is None else _place(pace, now)
            return wait if known is None else max(wait, self._published((where, operation), known, now))

    def look(self, where: Where, operation: str) -> float:
        operation, known = self._kept_to(where, operation)
        now = self._clock()
        with self._lock:
            pace = self._paces.get(where)
            limit = _grown(pace, now) if pace is not None and pace.limit is not None else None
            waits = [self._of_budget(where, now)]
            if limit is not None:
                waits.append(self._turn((where, ""), limit * LOOKS, now))
            if known is not None:
                workers = self._shared(f"{_bucket(where)}:{operation}", known.rate).most
                waits.append(self._turn((where, operation), known.rate / workers * LOOKS, now))
            return max(waits)

    def throttled(self, where: Where, age: float) -> None:
        now = self._clock()
        with self._lock:
            pace = self._paces.get(where) or self._new(where, now)
            if pace.limit is not None and now - age < pace.cut_at:
                return  # it had its place before the last cut, which was for such as this
            pace.high = max(FIRST, _measured(pace, now)) if pace.limit is None else _grown(pace, now)
            pace.limit = max(SLOWEST, pace.high * CUT)
            pace.cut_at = now
            pace.free_at = max(pace.free_at, now + self._rest)

    def _kept_to(self, where: Where, operation: str) -> tuple[str, Known | None]:
        """What an operation counts for, and what AWS publishes of that."""
        key = (where.service, operation)
        known = self._rates.get(key)
        if known is None and key not in UNLIMITED:
            return "*", self._rates.get((where.service, "*"))
        return operation, known

    def _of_budget(self, where: Where, now: float) -> float:
        """Seconds until the account's budget has the next call; to assume its role takes none of it."""
        rate = None if where.service == "sts" else self._budget()
        if rate is None:
            return 0.0
        workers = self._shared(f"aws {where.account} cycles", rate).most
        return self._turn((Where(where.account, "", ""), ""), rate / workers, now)

    def _turn(self, key: tuple[Where, str], rate: float, now: float) -> float:
        """Seconds until the next turn of cycles, which is taken with this."""
        at = max(now, self._looks.get(key, now))
        self._looks[key] = at + 1 / rate
        return at - now

    def _published(self, key: tuple[Where, str], known: Known, now: float) -> float:
        workers = self._shared(f"{_bucket(key[0])}:{key[1]}", known.rate).most
        rate, burst = known.rate / workers, max(1.0, known.burst / workers)
        full_at = max(now, self._known.get(key, now)) + 1 / rate
        self._known[key] = full_at
        return max(0.0, round(full_at - now - burst / rate, 6))

    def _share(self, where: Where, pace: _Pace, now: float) -> None:
        """Begin with a part where others were throttled; take over that of those who are gone."""
        workers, _, others = self._shared(_bucket(where), pace.limit)
        if pace.limit is None and others is not None:
            pace.limit, pace.high, pace.cut_at = others / workers, others / workers / CUT, now
        elif pace.limit is not None and workers < pace.workers:
            pace.limit *= pace.workers / workers
            pace.high *= pace.workers / workers
        pace.workers = workers

    def _new(self, where: Where, now: float) -> _Pace:
        if len(self._paces) >= _PURGED_AT:
            used = {key: pace for key, pace in self._paces.items() if pace.limit is not None or now - pace.window < 60}
            self._paces = used
            self._known = {key: at for key, at in self._known.items() if at > now}
            self._looks = {key: at for key, at in self._looks.items() if at > now}
        pace = self._paces[where] = _Pace(window=now)
        return pace


def _bucket(where: Where) -> str:
    return f"aws {where.account} {where.region} {where.service}"


def _count(pace: _Pace, now: float) -> None:
    if (passed := now - pace.window) >= 1:
        pace.before = pace.count / passed
        pace.window, pace.count = now, 0
    pace.count += 1


def _measured(pace: _Pace, now: float) -> float:
    """Calls a second, lately."""
    passed = now - pace.window
    return max(pace.count, pace.before) if passed < 1 else pace.count / passed


def _grown(pace: _Pace, now: float) -> float:
    """The limit as it has grown since it was cut."""
    return (pace.limit or 0.0) + pace.high * GROWTH * (now - pace.cut_at)


def _place(pace: _Pace, now: float) -> float:
    """Seconds until the next place is free, which is taken with this."""
    limit = _grown(pace, now)
    if limit > pace.high * FORGOTTEN:
        pace.limit = None
        return 0.0
    wait = max(0.0, pace.free_at - now)
    pace.free_at = max(now, pace.free_at) + 1 / limit
    return wait


class Governor:
    """What each call passes before it is signed, and after it was answered."""

    def __init__(self, rates: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        self.rates = rates
        self._clock = clock

    def attach(self, raw: Any, service: str, region: str, account: Callable[[], str]) -> None:
        """Let each call of a boto3 client pass here; `account` is the one that is being called for."""
        home = "" if service in GLOBAL else region

        def before(request: Any, operation_name: str, **_: Any) -> None:
            where, asked = Where(account(), home, service), self._clock()
            self.admit(where, operation_name)
            request.context[_ASKED] = (where, asked)

        def after(context: dict[str, Any], parsed_response: dict[str, Any] | None, **_: Any) -> None:
            error = (parsed_response or {}).get("Error")
            if error and is_throttled(str(error.get("Code", ""))):
                where, asked = context[_ASKED]
                self.rates.throttled(where, self._clock() - asked)

        raw.meta.events.register_first("request-created.*.*", before)
        raw.meta.events.register("response-received.*.*", after)

    def admit(self, where: Where, operation: str) -> None:
        """Wait until a call may be sent. Raises AwsUnavailable where it would change what is not certainly ours."""
        execution = current()
        if execution is not None and execution.looking and (turn := self.rates.look(where, operation)) > 0:
            self._wait(where, turn)
        wait = self.rates.reserve(where, operation)
        if wait > 0:
            self._wait(where, wait)
        if execution is not None and not is_read(operation):
            try:
                execution.hold()
            except NotHeld as error:
                raise AwsUnavailable(
                    f"{where.service}:{operation} in {where.account} was not sent: {error}",
                    service=where.service,
                    operation=operation,
                    account=where.account,
                    region=where.region,
                ) from error

    def _wait(self, where: Where, seconds: float) -> None:
        execution = current()
        if execution is None:
            time.sleep(seconds)
            return
        if seconds >= SHOWN:
            there = f"{where.account} ({where.region})" if where.region else where.account
            execution.progress(f"waiting {seconds:.0f} s: {where.service} in {there} takes no more calls at the moment")
        execution.pause(seconds)
