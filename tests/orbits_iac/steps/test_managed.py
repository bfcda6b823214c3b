"""A Managed whose making takes several calls and time, whose form varies, and that may stand in another's way."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from orbits_iac import ExecutionFailed, InProgress, Managed, Orbits, Outputs, Retry
from orbits_iac.drift.rules import Rules
from orbits_iac.model.errors import Refused
from orbits_iac.model.plans import Verb
from orbits_iac.testing import crash_everywhere, outside

SOON = timedelta(0)


class Places:
    """Stands in for a service: a place is made in one call, painted in another, and seen at the second look."""

    def __init__(self) -> None:
        self.places: dict[str, dict[str, Any]] = {}
        self.busy = 0  # looks for which a failure stays
        self.looks = 0

    def call(self, what: str, **fields: Any) -> None:
        name = what.partition(" ")[2]
        with outside(what):
            if self.busy:
                self.busy -= 1
                raise BlockingIOError(what)
            if what.startswith("remove"):
                self.places.pop(name, None)
            else:
                self.places.setdefault(name, {"colour": "none", "looks": 0, "guests": []}).update(fields)

    def look(self, name: str) -> bool:
        """Whether what was begun is done, which is so at the second look."""
        self.looks += 1
        return self.looks % 2 == 0

    def snapshot(self) -> Any:
        return {name: dict(place) for name, place in self.places.items()}

    def restore(self, snapshot: Any, /) -> None:
        self.places = {name: dict(place) for name, place in snapshot.items()}

    def stands(self) -> Any:
        return self.snapshot()


WORLD = Places()


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.restore({})
    WORLD.looks = WORLD.busy = 0


class PlaceState(Outputs):
    name: str
    colour: str
    guests: list[str] = []


class Place(Managed[PlaceState]):
    compared_by: ClassVar[Rules] = Rules(unordered=("guests",), caseless=("colour",))
    hook_retry: ClassVar[Retry] = Retry(attempts=3, delay=SOON, on=(BlockingIOError,))
    name: str
    colour: str = "red"
    guests: list[str] = []

    def identity(self) -> str:
        return "here"

    def replaces(self, live: PlaceState, /) -> Sequence[str]:
        return sorted({"name"} & self.differing(live))

    def read(self, recorded: PlaceState | None, /) -> PlaceState | None:
        return self._at(recorded.name if recorded else self.name, known=recorded is not None)

    def adoptable(self) -> PlaceState | None:
        return self._at(self.name, known=True)

    def create(self) -> InProgress[PlaceState]:
        WORLD.call(f"make {self.name}", owner="us")
        return self.change(PlaceState(name=self.name, colour="none"))

    def change(self, live: PlaceState, /) -> InProgress[PlaceState]:
        WORLD.call(f"paint {live.name}", colour=self.colour, guests=list(self.guests), owner="us")
        return InProgress(PlaceState(name=live.name, colour=self.colour, guests=self.guests), poll=SOON)

    def settled(self, begun: PlaceState, /) -> PlaceState | InProgress[PlaceState]:
        return begun if WORLD.look(begun.name) else InProgress(begun, poll=SOON)

    def delete(self, live: PlaceState, /) -> InProgress[PlaceState]:
        WORLD.call(f"remove {live.name}")
        return InProgress(live, poll=SOON)

    def gone(self, live: PlaceState, /) -> InProgress[PlaceState] | None:
        return None if WORLD.look(live.name) else InProgress(live, poll=SOON)

    def _at(self, name: str, *, known: bool) -> PlaceState | None:
        place = WORLD.places.get(name)
        if place is None:
            return None
        if not known and place.get("owner") != "us":
            raise Refused(f"{name} is another's")
        return PlaceState(name=name, colour=place["colour"], guests=place["guests"])


async def test_what_takes_time_is_waited_for(orbits: Orbits) -> None:
    made = await orbits.run(Place(name="a", colour="blue"))
    assert (made.colour, WORLD.looks) == ("blue", 2)
    await orbits.record(Place, "here").uninstall()
    assert (WORLD.places, WORLD.looks) == ({}, 4)


async def test_what_means_the_same_is_no_difference(orbits: Orbits) -> None:
    await orbits.run(Place(name="a", guests=["x", "y"]))
    WORLD.places["a"].update(colour="RED", guests=["y", "x"])
    assert (await orbits.record(Place, "here").drift()).in_sync
    assert (await orbits.preview(Place(name="a", guests=["x", "y"]))).root.verb is Verb.UNCHANGED


async def test_a_hook_is_attempted_as_often_as_the_class_says(orbits: Orbits) -> None:
    WORLD.busy = 2
    await orbits.run(Place(name="a"))
    WORLD.busy = 3
    with pytest.raises(ExecutionFailed, match="BlockingIOError"):
        await orbits.run(Place(name="a", colour="blue"))


async def test_nothing_is_removed_where_another_stands_in_the_way_of_the_new_one(orbits: Orbits) -> None:
    await orbits.run(Place(name="a"))
    WORLD.places["b"] = {"colour": "green", "guests": [], "owner": "them"}
    with pytest.raises(Refused, match="b is another's"):
        await orbits.preview(Place(name="b"))
    with pytest.raises(ExecutionFailed, match="b is another's"):
        await orbits.run(Place(name="b"))
    assert (WORLD.places["a"]["owner"], WORLD.places["b"]["colour"]) == ("us", "green")


async def test_what_read_refuses_can_be_adopted(orbits: Orbits) -> None:
    WORLD.places["a"] = {"colour": "green", "guests": [], "owner": "them"}
    with pytest.raises(ExecutionFailed, match="a is another's"):
        await orbits.run(Place(name="a"))

    class Adopted(Place):
        options = Place.options | {"kind": "Adopted", "adopt": True}

    assert (await orbits.preview(Adopted(name="a"))).root.verb is Verb.UPDATE
    await orbits.run(Adopted(name="a"))
    revisions = await orbits.record(Adopted, "here").history()
    assert [(revision.number, revision.argument["colour"]) for revision in revisions] == [(0, "green"), (1, "red")]


def test_what_was_half_made_when_the_process_died_is_made_whole() -> None:
    crash_everywhere(lambda: Place(name="a", colour="blue"), world=WORLD).check()
