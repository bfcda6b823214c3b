"""Who has expired is removed only where it may be changed now."""

from datetime import UTC, datetime

import pytest

from orbits_tenants import Listing, Tenant, Window
from orbits_tenants.drift_policy import left_alone
from orbits_tenants.expiry import expiry

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tenant", "why"),
    [
        (Tenant(id="acme", expires=NOW), None),
        (Tenant(id="acme", expires=NOW, window=Window("11:00-13:00")), None),
        (Tenant(id="acme", expires=NOW, paused="a lawsuit"), "it has expired, and is paused: a lawsuit"),
        (
            Tenant(id="acme", expires=NOW, window=Window("22:00-04:00")),
            "it has expired, and may be changed in its window alone: 22:00-04:00",
        ),
    ],
)
def test_who_is_paused_or_has_its_window_closed_is_not_removed(tenant: Tenant, why: str | None) -> None:
    found = expiry(Listing(), [tenant], {"acme": tenant}, (), left_alone([tenant], NOW), NOW)
    assert (found.ending, found.kept) == (((tenant,), ()) if why is None else ((), ((tenant, why),)))
