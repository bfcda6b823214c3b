"""Which changes of many are alike: the same but for their own names."""

import json
from dataclasses import replace
from typing import Any

import pytest

from orbits_iac.model.alike import FEWEST, Group, grouped, name_of
from orbits_iac.model.plans import Change, PropertyChange, Verb


def fields(**values: Any) -> tuple[PropertyChange, ...]:
    """Fields that change: to a value, or from one to another."""
    pairs = {name: value if isinstance(value, tuple) else (None, value) for name, value in values.items()}
    return tuple(
        PropertyChange(path=name, before=before if before is None else json.dumps(before), after=json.dumps(after))
        for name, (before, after) in pairs.items()
    )


def text(before: str, after: str, path: str = "text") -> PropertyChange:
    return PropertyChange(path=path, before=json.dumps(before), after=json.dumps(after))


def tenant(
    name: str, *properties: PropertyChange, verb: Verb = Verb.UPDATE, loses: bool = False, **more: Any
) -> Change:
    """A tenant's stack with a thing in it."""
    thing = Change(
        verb=verb, ref="door", kind="Door", identity=f"Shop {name}/door", properties=properties, stateful_loss=loses
    )
    change = Change(
        verb=verb,
        ref=f"tenant[{name}]",
        kind="Shop",
        identity=name,
        key=f"update/tenant:Shop:update:{name}",
        below=(thing,),
    )
    return replace(change, **more)


def many(*changes: Change) -> list[Group]:
    """The groups of these and of three that nothing happens to, without the group of those."""
    rest = [tenant(f"rest{number}", verb=Verb.UNCHANGED) for number in range(FEWEST)]
    groups = grouped([*changes, *rest])
    assert groups[-1].names == tuple(one.identity for one in rest)
    return groups[:-1]


NAMES = ("acme", "bolt", "cafe", "dora", "eden")


def test_those_that_differ_by_their_own_names_alone_are_one_group() -> None:
    changes = [
        tenant(
            name,
            text(f"{name}-files of {100 + at}", f"{name.upper()}_files of {100 + at}"),
            detail=f"revision {at} → {at + 1}",
            places=(f"{100 + at}/eu-west-1",),
            fields=fields(client=name, mail=f"it@{name}.example", release=("1", "2")),
        )
        for at, name in enumerate(NAMES, start=1)
    ]
    [group] = many(*changes)
    assert group.names == NAMES
    assert group.own == ("client", "mail")
    assert [(one.path, one.before, one.after) for one in group.fields] == [("release", '"1"', '"2"')]


OTHERWISE = {
    "a property": tenant("fawn", text("1", "3")),
    "its name where others have none": tenant("fawn", text("1", "fawn")),
    "a verb": tenant("fawn", text("1", "2"), verb=Verb.CREATE),
    "what it says": tenant("fawn", text("1", "2"), detail="fails: no paint"),
    "another property": tenant("fawn", text("1", "2", "colour")),
    "no return": tenant("fawn", text("1", "2"), no_return=True),
    "what it waits for": tenant("fawn", text("1", "2"), waits=("door",)),
    "whom else it is used by": tenant("fawn", text("1", "2"), users=("Fleet b",)),
    "a field": tenant("fawn", text("1", "2"), fields=fields(size=("small", "large"))),
    "what is below": tenant("fawn", below=()),
    "a part of a name": tenant("fawn", text("1", "2fawn")),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_one_that_is_otherwise_stands_apart(case: str) -> None:
    same, other = many(*(tenant(name, text("1", "2")) for name in NAMES), OTHERWISE[case])
    assert (same.names, other.names) == (NAMES, ("fawn",))


def test_what_removes_or_loses_comes_first_then_the_most_common() -> None:
    changes = [
        *(tenant(f"a{number}", text("1", "2")) for number in range(2)),
        *(tenant(f"b{number}", text("1", "3")) for number in range(3)),
        tenant("lost", text("1", "3"), loses=True),
        *(tenant(f"c{number}", verb=Verb.REMOVE) for number in range(2)),
    ]
    groups = many(*changes)
    assert [(group.first.identity, len(group.members)) for group in groups] == [
        ("c0", 2),
        ("lost", 1),
        ("b0", 3),
        ("a0", 2),
    ]
    assert [group.removes for group in groups] == [True, True, False, False]


def test_fields_of_new_ones_are_told_where_they_tell_groups_apart() -> None:
    sizes = {"acme": "small", "bolt": "small", "cafe": "small", "dora": "large", "eden": "small"}
    changes = [
        tenant(name, verb=Verb.CREATE, fields=fields(client=name, plan={"size": size, "seats": 5}, release="1"))
        for name, size in sizes.items()
    ]
    small, large = many(*changes)
    assert [(one.path, one.after) for one in small.fields] == [("plan.size", '"small"')]
    assert [(one.path, one.after) for one in large.fields] == [("plan.size", '"large"')]
    assert (small.own, large.own) == (("client",), ())


def test_few_stand_alone_in_their_places() -> None:
    changes = [Change(verb=Verb.CREATE, ref="vpc", kind="Vpc"), *(tenant(name) for name in NAMES[: FEWEST - 1])]
    assert [group.members for group in grouped(changes)] == [(change,) for change in changes]


def test_the_crowd_stands_where_the_first_of_it_stood() -> None:
    before, after = (Change(verb=Verb.CREATE, ref=ref, kind="Vpc") for ref in ("first", "last"))
    groups = grouped([before, *(tenant(name) for name in NAMES[:2]), after, *(tenant(name) for name in NAMES[2:])])
    assert [len(group.members) for group in groups] == [1, 5, 1]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (Change(verb=Verb.RUN, key="update/tenant:Shop:update:a%2Fb", identity="x"), "a/b"),
        (Change(verb=Verb.RUN, key="update/door:Door:update", identity="Shop x/door"), "Shop x/door"),
        (Change(verb=Verb.REMOVE, ref="door"), "door"),
    ],
)
def test_what_a_change_is_called(change: Change, name: str) -> None:
    assert name_of(change) == name
