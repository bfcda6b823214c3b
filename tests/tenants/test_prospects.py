"""What becomes of a tenant before it is recorded: the rules by what was found, and by what a preview shows of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from orbits_iac import Target
from orbits_iac.provider import Change, Existing, RecordId, UsageError, Verb
from orbits_tenants import Tenant
from orbits_tenants.finding import Found, Sought, find
from orbits_tenants.prospects import Outlook, Prospect, judged, prospect

ONE = Existing(name="web-acme", place="1/eu")
HELD = {("1/eu", "db-acme"): RecordId("Db", "acme")}
OTHER = Existing(name="db-acme", place="1/eu")


class Plot(Target):
    """Where somebody has put things, with what spreads some."""

    number: str
    things: ClassVar[Mapping[str, Sequence[str]]] = {"1": ["web-1"], "2": ["web-2"], "3": ["web-3"]}

    def place(self) -> str:
        return self.number

    def existing(self, like: Sequence[str], *, project: str) -> list[Existing]:
        assert project == "tests"
        return [Existing(name=name, place=self.number) for name in self.things[self.number] if name in like]

    @classmethod
    def spread(cls, name: str, *, by: Target | None) -> list[Existing]:
        assert by is None
        return [Existing(name=f"{name}-{number}", place=number) for number in cls.things]


async def test_what_is_spread_to_a_tenant_that_is_not_meant_is_not_nobodys() -> None:
    tenants = [Tenant(id=f"t{number}", targets=(Plot(number=number),)) for number in ("1", "2")]
    [found], nobodys = await find([Sought(spread="web")], tenants, {"t1"}, project="tests")
    assert (found.tenant.id, [one.name for one in found.parts[""]]) == ("t1", ["web-1"])
    assert [one.name for one in nobodys] == ["web-3"]
    with pytest.raises(UsageError, match="web: no tenant has a target of a kind where anybody knows"):
        await find([Sought(spread="web")], [Tenant(id="t1")], {"t1"}, project="tests")


def stack(ref: str, called: str, *, place: str = "1/eu", verb: Verb = Verb.UNCHANGED, **more: object) -> Change:
    return Change(verb=verb, ref=ref, kind="Web", called=called, places=(place,), whole=True, **more)  # type: ignore[arg-type]


def tenant(*below: Change, **more: object) -> Change:
    return Change(verb=Verb.CREATE, ref="tenant[acme]", kind="Site", below=below, **more)  # type: ignore[arg-type]


def seen(change: Change, **parts: Existing) -> Prospect:
    before = Prospect(
        tenant="acme", outlook=Outlook.FOUND, parts={"" if at == "_" else at: one for at, one in parts.items()}
    )
    [after] = judged([before], Change(verb=Verb.UPDATE, below=(change,)), HELD)
    return after


@pytest.mark.parametrize(
    ("parts", "outlook", "why"),
    [
        ({"": [ONE]}, Outlook.FOUND, ""),
        ({"": []}, Outlook.NOT_FOUND, "orbits up makes it"),
        ({"": [ONE, OTHER]}, Outlook.SEVERAL, "web-acme in 1/eu, db-acme in 1/eu: let the pattern fit one"),
        ({"web": [ONE], "db": []}, Outlook.REFUSED, "db is not there, and the whole of a tenant is recorded"),
        (
            {"web": [ONE], "db": [ONE]},
            Outlook.REFUSED,
            "web and db would both be web-acme: let their patterns name one",
        ),
        ({"web": [ONE], "db": [replace(ONE, place="2/eu")]}, Outlook.FOUND, ""),
        ({"web": [ONE], "db": [replace(OTHER, refused="it is busy")]}, Outlook.REFUSED, "db: db-acme: it is busy"),
    ],
)
def test_of_each_part_exactly_one_has_to_be_there(parts: dict[str, list[Existing]], outlook: Outlook, why: str) -> None:
    found = prospect(Found(tenant=Tenant(id="acme"), parts=parts), None)
    assert found.outlook is outlook
    assert why in found.why


def test_a_pattern_is_a_shells_and_what_it_names_of_a_tenant_is_taken_as_it_is() -> None:
    one = Sought(like="{plan}-{tenant}-*")
    assert one.name_of(Tenant(id="acme", labels={"plan": "a*"})) == "a[*]-acme-*"
    assert one.of_anybody == "*-*-*"


def test_what_is_recorded_already_is_left_alone_whatever_was_found() -> None:
    found = prospect(Found(tenant=Tenant(id="acme"), why="nobody knows where to look"), 3)
    assert (found.outlook, found.why) == (Outlook.RECORDED, "at revision 3")
    assert seen(tenant(stack("web", "web-acme"), revision=0), _=ONE).outlook is Outlook.RECORDED


def test_the_part_that_takes_it_is_named_by_the_refs_that_lead_there() -> None:
    inner = Change(verb=Verb.CREATE, ref="shop[eu]", below=(stack("web", "web-acme"), stack("db", "db-acme")))
    assert seen(tenant(inner), _=ONE).names == {"shop[eu].web": "web-acme"}
    inner = replace(inner, below=(inner.below[0], replace(inner.below[1], kind="Db", identity="acme", revision=0)))
    both = seen(tenant(inner), **{"shop[eu].db": OTHER, "shop[eu]": ONE})
    assert both.names == {"shop[eu].db": "db-acme", "shop[eu].web": "web-acme"}


def test_a_stack_without_parts_takes_it_itself() -> None:
    assert seen(stack("tenant[acme]", "web-acme"), _=ONE).names == {"": "web-acme"}


def test_what_another_record_holds_is_not_taken_from_it() -> None:
    found = seen(tenant(stack("db", "db-acme")), _=OTHER)
    assert (found.outlook, found.why[:40]) == (Outlook.REFUSED, "db-acme is recorded already, as Db acme:")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (tenant(stack("a", "web-acme"), stack("b", "web-acme")), "a and b would both be web-acme: say which"),
        (tenant(stack("web", "Web-acme-1")), "nothing in its stack takes the name web-acme: web is called Web-acme-1"),
        (tenant(waits=("network",)), "takes the name web-acme: what depends on network is not known yet"),
        (tenant(), "takes the name web-acme: nothing of it is taken by a name"),
        (tenant(stack("web", "web-acme", place="1/us")), "web: web-acme is in 1/eu, and its class has it in 1/us"),
        (tenant(stack("web", "web-acme"), stack("db", "Db", verb=Verb.CREATE)), "db is not there, and the whole of"),
        (tenant(stack("web", "web-acme"), waits=("sign",)), "what depends on sign is not known before that was done"),
        (tenant(detail="fails: ValueError: no"), "ValueError: no"),
    ],
)
def test_who_would_not_take_it_says_why(change: Change, why: str) -> None:
    found = seen(change, _=ONE)
    assert found.outlook is Outlook.REFUSED
    assert why in found.why


def test_differences_are_those_of_the_parts_and_what_is_replaced_is_marked() -> None:
    gone = Change(verb=Verb.REPLACE, ref="Jobs", kind="AWS::SQS::Queue", detail="QueueName cannot change")
    lost = Change(verb=Verb.REMOVE, ref="Table", kind="AWS::DynamoDB::Table", stateful_loss=True)
    found = seen(tenant(stack("web", "web-acme", verb=Verb.UPDATE, below=(gone, lost))), _=ONE)
    assert found.differences == [
        "web.Jobs: replace AWS::SQS::Queue: QueueName cannot change",
        "web.Table: loses data, remove AWS::DynamoDB::Table",
    ]
    assert found.replaces == ["web.Jobs", "web.Table"]
