"""Whatever a source says, nobody goes away or moves by it."""

import random
from collections.abc import Sequence

import pytest

from orbits_iac import Target
from orbits_iac.provider import UsageError
from orbits_tenants import Listing, Tenant
from orbits_tenants.membership import Members, members

READS = 100_000


class Plot(Target):
    account: str
    region: str = "eu"

    def place(self) -> str:
        return f"{self.account}/{self.region}"


class Garden(Target):
    name: str

    def place(self) -> str:
        return self.name


def tenant(number: int, account: str = "") -> Tenant:
    return Tenant.model_construct(id=f"t{number}", labels={}, targets=(Plot(account=account or f"{number}"),))


FLEET = [tenant(number) for number in range(8)]
MOVED = [tenant(number, "elsewhere") for number in range(8)]


def _faulty(chance: random.Random) -> tuple[list[Tenant] | None, str]:
    """What a source says on a bad day."""
    listed = list(FLEET)
    match chance.randrange(7):
        case 0:
            return None, "it does not answer"
        case 1:
            return [], ""
        case 2:  # half a page
            return listed[: chance.randrange(8)], ""
        case 3:
            return [one for one in listed if chance.random() < 0.8], ""
        case 4:
            number = chance.randrange(8)
            listed[number] = MOVED[number]
        case 5:  # somebody else's list
            return [tenant(number) for number in range(chance.randrange(4, 20), 24)], ""
        case _:
            chance.shuffle(listed)
            listed += [tenant(number) for number in range(8, chance.randrange(8, 11))]
    return listed, ""


def test_a_hundred_thousand_bad_days_remove_nobody_and_move_nobody() -> None:
    chance = random.Random(7)
    lists = [
        Listing(may_shrink=share, on_doubt=doubt) for share in ("0%", "25%", "100%") for doubt in ("known", "stop")
    ]
    done = 0
    while done < READS:
        listing = chance.choice(lists)
        now = Members(present=tuple(FLEET))
        places = {one.id: one.places for one in FLEET}
        for _ in range(50):
            read, why = _faulty(chance)
            done += 1
            before = {one.id for one in (*now.present, *now.vanished)}
            try:
                now = members(listing, now.present, read, why=why, gone={one.id: one for one in now.vanished})
            except UsageError:
                assert listing.on_doubt == "stop" or not now.present
                continue
            there = {one.id: one.places for one in (*now.present, *now.vanished)}
            assert before <= there.keys()
            places = {**there, **places}  # where one was first is where it stays
            assert there == {id_: places[id_] for id_ in there}


def _ids(tenants: Sequence[Tenant]) -> list[str]:
    return [one.id for one in tenants]


def test_known_ones_keep_their_order_and_who_joins_comes_last() -> None:
    found = members(Listing(), FLEET, [tenant(9), *reversed(FLEET)])
    assert _ids(found.present) == [*_ids(FLEET), "t9"]
    assert (found.vanished, found.doubts) == ((), ())


def test_who_vanishes_from_a_list_that_is_believed_is_set_apart_and_comes_back() -> None:
    found = members(Listing(may_shrink="25%"), FLEET, FLEET[2:])
    assert (_ids(found.present), _ids(found.vanished)) == (_ids(FLEET[2:]), ["t0", "t1"])
    again = members(Listing(), found.present, FLEET, gone={one.id: one for one in found.vanished})
    assert (len(again.present), again.vanished) == (8, ())


@pytest.mark.parametrize(
    ("read", "why", "said"),
    [
        (None, "no route to host", "the source could not be read: no route to host"),
        ([], "", "the source names no tenant"),
        (FLEET[1:], "", "1 of 8 tenants are not in the source any more, and at most 10% may vanish at once: t0."),
    ],
)
def test_a_list_that_is_in_doubt_stops_or_changes_nothing(read: list[Tenant] | None, why: str, said: str) -> None:
    with pytest.raises(UsageError) as stopped:
        members(Listing(), FLEET, read, why=why)
    assert said in str(stopped.value)
    assert str(stopped.value).endswith("nothing was changed")
    found = members(Listing(on_doubt="known"), FLEET, read, why=why)
    assert found.present == tuple(FLEET)
    assert said in found.doubts[0]
    with pytest.raises(UsageError, match="nothing was changed"):  # nobody is known yet
        members(Listing(on_doubt="known"), [], read if not read else None, why=why or "it broke")


def test_an_account_that_changes_under_an_id_is_not_followed() -> None:
    found = members(Listing(), FLEET, [MOVED[0], *FLEET[1:]])
    assert found.present == tuple(FLEET)
    [doubt] = found.doubts
    assert doubt.startswith("tenant t0 is at 0/eu, and the source says elsewhere/eu: it stays where it is.")


def test_who_is_new_where_somebody_has_vanished_may_be_that_one_renamed() -> None:
    lists = Listing(may_shrink="50%")
    renamed = FLEET[0].model_copy(update={"id": "t0-ltd"})
    found = members(lists, FLEET, [renamed, *FLEET[1:]])
    assert (_ids(found.present), _ids(found.vanished)) == ([*_ids(FLEET[1:]), "t0-ltd"], ["t0"])
    [doubt] = found.doubts
    assert doubt.startswith("tenant t0-ltd is new at 0/eu, where t0 stands, whom the source does not have any more")
    shared = [tenant(number, "cluster") for number in range(3)]
    assert members(lists, shared, [*shared[1:], tenant(9, "cluster")]).doubts == ()


def test_a_target_that_is_added_is_taken() -> None:
    wider = FLEET[0].model_copy(update={"targets": (*FLEET[0].targets, Plot(account="0", region="us"))})
    found = members(Listing(), FLEET, [wider, *FLEET[1:]])
    assert (found.present[0], found.doubts) == (wider, ())


def test_who_is_known_and_of_whom_nothing_stands_is_where_the_source_says() -> None:
    found = members(Listing(), FLEET, [MOVED[0], *FLEET[1:]], free={"t0"})
    assert (found.present, found.doubts) == ((MOVED[0], *FLEET[1:]), ())
    again = members(Listing(), FLEET[1:], [MOVED[0], *FLEET[1:]], gone={"t0": FLEET[0]}, free={"t0"})
    assert again.present[-1] == MOVED[0]


def _at(*places: str) -> Tenant:
    """A tenant with a target of one type in each of these places, and one of another."""
    return FLEET[0].model_copy(update={"targets": (*(Plot(account=place) for place in places), Garden(name="back"))})


@pytest.mark.parametrize(
    ("known", "read", "doubt"),
    [
        ("ab", "abc", ""),
        ("abc", "ab", ""),
        ("abc", "ac", ""),
        ("abc", "acb", ""),
        ("abc", "acd", ""),  # one is left out, another is new at the end
        ("ab", "ac", "has a target at b/eu, and the source says c/eu in its place: it stays where it is. To move it, "),
        (
            "abc",
            "adc",
            "has a target at b/eu, and the source says d/eu in its place: it stays where it is. To move it, ",
        ),
        ("ab", "ba", "is at a/eu, back, and the source says b/eu, back: it stays where it is. To move it, remove it"),
    ],
)
def test_no_target_of_a_tenant_moves(known: str, read: str, doubt: str) -> None:
    found = members(Listing(), [_at(*known), *FLEET[1:]], [_at(*read), *FLEET[1:]])
    assert found.present[0] == _at(*(known if doubt else read))
    assert [text.startswith(f"tenant t0 {doubt}") for text in found.doubts] == ([True] if doubt else [])


def test_amounts_that_are_none_are_refused() -> None:
    for wrong in ({"may_shrink": "most"}, {"most_removals": "-1"}, {"on_doubt": "panic"}):
        with pytest.raises(UsageError, match=f"Listing\\({next(iter(wrong))}="):
            Listing(**wrong)  # type: ignore[arg-type]  # what is wrong is refused when it runs, too
