"""Selectors: whom they choose, and what they say of a text that is none."""

import pytest

from orbits_iac.provider import UsageError
from orbits_tenants import Selector, Tenant

FLEET = (
    Tenant(id="acme", labels={"plan": "large", "region": "eu"}),
    Tenant(id="bolt", labels={"plan": "small", "region": "us", "vpn": ""}),
    Tenant(id="cafe", labels={"plan": "trial"}),
)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("plan=large", "acme"),
        ("plan==large", "acme"),
        ("plan!=large", "bolt cafe"),
        ("region!=eu", "bolt cafe"),
        ("plan=small,region!=eu", "bolt"),
        (" plan = small , region != eu ", "bolt"),
        ("plan in (large, small)", "acme bolt"),
        ("plan notin (large,small)", "cafe"),
        ("plan in (large,small),region in (us)", "bolt"),
        ("region", "acme bolt"),
        ("!region", "cafe"),
        ("! region", "cafe"),
        ("vpn=", "bolt"),
        ("plan=large,plan=small", ""),
    ],
)
def test_it_chooses_by_labels_in_the_order_of_the_fleet(text: str, chosen: str) -> None:
    assert [tenant.id for tenant in Selector(text).chosen(FLEET)] == chosen.split()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "its end"),
        ("plan=large,", "its end"),
        (",plan=large", ",plan=large"),
        ("=large", "=large"),
        ("plan=large region=eu", "plan=large region=eu"),
        ("region=eu,plan<large", "plan<large"),
        ("plan in large", "plan in large"),
        ("plan in (large", "plan in (large"),
        ("!", "!"),
    ],
)
def test_what_is_no_selector_is_refused_with_the_place(text: str, place: str) -> None:
    with pytest.raises(UsageError) as refused:
        Selector(text)
    assert str(refused.value).startswith(f"selector {text!r}, at {place!r}: write a label's name and value")


@pytest.mark.parametrize("text", ["plam=large", "plam!=large", "!plam", "plan=large,plam notin (x)"])
def test_a_label_that_nobody_has_is_refused_rather_than_choosing_nobody_or_all(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Selector(text).chosen(FLEET)
    there = "there are: plan, region, vpn. Did you mean 'plan'?"
    assert str(refused.value) == f"selector {text!r}: no tenant has a label 'plam'; {there}"


@pytest.mark.parametrize("text", ["plan=larger", "plan in (larger,tiny)", "region=eu,plan==larger"])
def test_a_value_that_nobody_has_is_refused_rather_than_choosing_nobody(text: str) -> None:
    with pytest.raises(UsageError, match=r"no tenant has plan=larger( or tiny)?; there are: .*large"):
        Selector(text).chosen(FLEET)


@pytest.mark.parametrize("text", ["plan!=larger", "plan notin (larger)", "plan in (large,larger)"])
def test_what_is_not_to_be_may_be_there_nowhere(text: str) -> None:
    assert Selector(text).chosen(FLEET)
