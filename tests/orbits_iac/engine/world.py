"""A world outside the store: what steps really did to it, in order, and Resources that stand in it.

Crashing an engine leaves it as it is, as a cloud would be left.
"""

import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from copy import copy
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import SecretStr

from orbits_iac import (
    Action,
    InProgress,
    Managed,
    Options,
    Outputs,
    Permanent,
    Resource,
    Retry,
    Workflow,
    action,
)
from orbits_iac.testing import outside


class World:
    """What was done, and what stands."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.tokens: list[str] = []  # of the steps whose effects are in the log
        self.things: dict[str, int] = {}
        self.buckets: dict[str, str] = {}  # by their names, what they are for
        self.names: dict[str, str] = {}  # of buckets, by the tokens that they were made with
        self.mounts: dict[str, str] = {}  # where, and what: a bucket and a weight
        self.failing: set[str] = set()
        self.emit: Callable[..., Awaitable[None]] | None = None  # what this process sends events with
        self.jobs: Counter[str] = Counter()
        self.reached = threading.Event()  # a step is where a test waits for it
        self.gate = threading.Event()  # and goes on from there

    def did(self, what: str, token: str = "", change: Callable[[], object] = bool) -> None:
        """Something has an effect, by the step with this token; a crash may come just before it, or just after."""
        with outside(what, token=token):
            self.log.append(what)
            self.tokens.append(token)
            change()

    def snapshot(self) -> Any:
        """A copy of what crashes leave as it is."""
        kept = (self.log, self.tokens, self.things, self.buckets, self.names, self.mounts, self.failing, self.jobs)
        return tuple(copy(one) for one in kept)

    def restore(self, snapshot: Any, /) -> None:
        kept = (copy(one) for one in snapshot)
        self.log, self.tokens, self.things, self.buckets, self.names, self.mounts, self.failing, self.jobs = kept

    def stands(self) -> Any:
        """What stands; what was done at least once; what was made, and how often."""
        made = Counter(line for line in self.log if line.startswith("create"))
        return {"things": {**self.things, **self.buckets, **self.mounts}, "done": frozenset(self.log), "made": made}

    def clear(self) -> None:
        """Begin anew."""
        self.__init__()  # type: ignore[misc]


WORLD = World()


class Outage(Exception):
    """The world does not answer."""


class Add(Action[int]):
    """Adds two numbers, leaving a trace."""

    options = Options(idempotent=True)
    a: int
    b: int

    async def main(self) -> int:
        WORLD.did(f"add {self.a} {self.b}", self.execution.token)
        return self.a + self.b


def add(a: int, b: int) -> Action[int]:
    """Add two numbers, leaving a trace."""
    return Add(a=a, b=b)


class Delicate(Action[str]):
    """Something that may not be done twice."""

    text: str

    async def main(self) -> str:
        WORLD.did(f"careful {self.text}", self.execution.token)
        return self.text


def careful(text: str) -> Action[str]:
    """Something that may not be done twice."""
    return Delicate(text=text)


@action(idempotent=True)
def blocking(text: str) -> str:
    """A plain def, which runs in a thread."""
    WORLD.did(f"blocking {text}")
    return text.upper()


class Job(Action[int, str]):
    """Begins something and watches it until it is done."""

    options = Options(idempotent=True)
    name: str
    looks: int = 2

    async def main(self) -> InProgress[str]:
        if WORLD.jobs[self.execution.token] == 0:
            WORLD.did(f"begin {self.name}", self.execution.token)
        WORLD.jobs[self.execution.token] += 1
        return InProgress(self.name, poll=timedelta(milliseconds=1))

    async def watch(self, handle: str, /) -> int | InProgress[str]:
        WORLD.jobs[f"looks {handle}"] += 1
        if WORLD.jobs[f"looks {handle}"] < self.looks:
            return InProgress(handle, poll=timedelta(milliseconds=1))
        return len(handle)


class Flaky(Action[int]):
    """Fails until the attempt that it is told."""

    options = Options(idempotent=True, retry=Retry(attempts=3, delay=timedelta(milliseconds=1)))
    good: int = 3

    def main(self) -> int:
        WORLD.did(f"attempt {self.execution.attempt} {self.execution.token}")
        if self.execution.attempt < self.good:
            raise Outage("no answer")
        return self.execution.attempt


class Fatal(Action):
    """Fails for good."""

    options = Options(retry=Retry(attempts=5, delay=timedelta(milliseconds=1)))

    def main(self) -> None:
        WORLD.did("fatal")
        raise Permanent("never")


class ThingState(Outputs):
    """A thing's value."""

    value: int


class Thing(Managed[ThingState]):
    """One thing in the world, owned by the place that does it."""

    value: int

    def _name(self) -> str:
        return " ".join(self.execution.record or ())

    def read(self, recorded: ThingState | None, /) -> ThingState | None:
        del recorded
        found = WORLD.things.get(self._name())
        return None if found is None else ThingState(value=found)

    def create(self) -> ThingState:
        return self._put("create")

    def change(self, live: ThingState, /) -> ThingState:
        del live
        return self._put("change")

    def delete(self, live: ThingState, /) -> None:
        del live
        name = self._name()
        WORLD.did(f"delete {name}", self.execution.token, lambda: WORLD.things.pop(name, None))

    def _put(self, how: str) -> ThingState:
        if self._name() in WORLD.failing or str(self.value) in WORLD.failing:
            raise Outage(f"{self._name()} refused {self.value}")
        name = self._name()
        WORLD.did(
            f"{how} {name} {self.value}", self.execution.token, lambda: WORLD.things.__setitem__(name, self.value)
        )
        return ThingState(value=self.value)


class SharedThing(Thing):
    """A thing that is named, so that several can use it."""

    name: str

    def identity(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {"value": self.value}  # its name is how it is found


class BucketState(Outputs):
    """A bucket, under the name that it was given when it was made."""

    name: str
    purpose: str
    password: SecretStr


class Bucket(Managed[BucketState]):
    """Has a new name whenever it is made; another purpose means another bucket."""

    purpose: str

    def replaces(self, live: BucketState, /) -> list[str]:
        return ["purpose"] if live.purpose != self.purpose else []

    def read(self, recorded: BucketState | None, /) -> BucketState | None:
        name = recorded.name if recorded is not None else ""
        return self._state(name) if name in WORLD.buckets else None

    def create(self) -> BucketState:
        known = WORLD.names.get(self.execution.token)
        name = known or f"bucket-{len(WORLD.names) + 1:04}"
        if known is None:
            WORLD.did(f"create {name}", self.execution.token, lambda: self._make(name))
        return self._state(name)

    def delete(self, live: BucketState, /) -> None:
        WORLD.did(f"remove {live.name}", self.execution.token, lambda: WORLD.buckets.pop(live.name, None))

    def _make(self, name: str) -> None:
        WORLD.names[self.execution.token] = name
        WORLD.buckets[name] = self.purpose

    def _state(self, name: str) -> BucketState:
        return BucketState(name=name, purpose=WORLD.buckets[name], password=SecretStr(f"password of {name}"))


class MountState(Outputs):
    """What is mounted."""

    bucket: str
    weight: int


class Mount(Managed[MountState]):
    """Mounts a bucket that there has to be."""

    bucket: str
    weight: int = 0
    password: SecretStr = SecretStr("")

    def read(self, recorded: MountState | None, /) -> MountState | None:
        del recorded
        found = WORLD.mounts.get(self._name())
        return None if found is None else MountState(bucket=found.split()[0], weight=int(found.split()[1]))

    def create(self) -> MountState:
        return self._put()

    def change(self, live: MountState, /) -> MountState:
        del live
        return self._put()

    def delete(self, live: MountState, /) -> None:
        del live
        name = self._name()
        WORLD.did(f"unmount {name}", self.execution.token, lambda: WORLD.mounts.pop(name, None))

    def _name(self) -> str:
        return (self.execution.record or ("", ""))[1]

    def _put(self) -> MountState:
        if self.weight == 13 or self.bucket not in WORLD.buckets:
            raise Outage(f"{self._name()}: cannot mount {self.bucket} with {self.weight}")
        if self.password.get_secret_value() not in {"", f"password of {self.bucket}"}:
            raise Outage(f"{self._name()}: wrong password")
        name, what = self._name(), f"{self.bucket} {self.weight}"
        WORLD.did(f"mount {what}", self.execution.token, lambda: WORLD.mounts.__setitem__(name, what))
        return MountState(bucket=self.bucket, weight=self.weight)


class Sum(Outputs):
    """The sum of an app's things."""

    total: int


class App(Resource[Sum]):
    """Two things and a step that is done once."""

    name: str
    first: int
    second: int
    once: int = 1

    def identity(self) -> str:
        return self.name

    async def define_install(self) -> None:
        await self.do("installed", add(0, 0))

    async def define_update(self) -> Sum:
        one = await self.do("one", Thing(value=self.first))
        await self.do("seed", add(self.once, self.once), once=True)
        two = await self.do("two", Thing(value=self.second))
        return Sum(total=one.value + two.value)


class Chain(Workflow[int]):
    """Steps one after the other."""

    length: int

    async def define(self) -> int:
        total = 0
        for number in range(self.length):
            total = await self.do("add", add(total, number), key=str(number))
        return total


class Listed(Workflow[list[str]]):
    """A loop over a list that a test edits between two runs."""

    items: ClassVar[list[str]] = []

    async def define(self) -> list[str]:
        return [await self.do("item", blocking(item), key=item) for item in self.items]
