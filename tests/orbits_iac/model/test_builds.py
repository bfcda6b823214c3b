"""Whose code may go on with whose executions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits_iac.model.builds import is_same_code, may_run
from orbits_iac.model.rows import BuildRow


def build(digest: str, order: int, **sources: str) -> BuildRow:
    """A build of these modules."""
    return BuildRow(digest=digest, order=order, sources=sources)


FIRST = build("a", 1, shop="1")
SECOND = build("b", 2, shop="2")
WIDER = build("c", 3, shop="1", other="7")


@pytest.mark.parametrize(
    ("worker", "execution", "allowed"),
    [
        (FIRST, FIRST, True),
        (SECOND, FIRST, True),
        (FIRST, SECOND, False),
        (FIRST, WIDER, True),  # the same code, but for what it does not have
        (SECOND, WIDER, False),
        (build("b", 1, shop="2"), FIRST, True),  # both came at once: one of them is the earlier
        (FIRST, build("b", 1, shop="2"), False),
        (build("d", 1, other="7"), SECOND, False),  # nothing says whether its code is older
        (build("b", 1), build("b", 2), True),  # its modules are not known, but it is the same build
    ],
)
def test_code_goes_on_with_its_own_build_and_with_earlier_ones(
    worker: BuildRow, execution: BuildRow, allowed: bool
) -> None:
    assert may_run(worker, execution) is allowed


BUILDS = st.builds(
    BuildRow,
    digest=st.text("abc", min_size=1, max_size=2),
    order=st.integers(1, 3),
    sources=st.dictionaries(st.sampled_from("mn"), st.sampled_from("12"), min_size=1),
)


@given(BUILDS, BUILDS)
def test_of_two_builds_one_may_go_on_with_the_other(one: BuildRow, other: BuildRow) -> None:
    assert may_run(one, other) or may_run(other, one)
    assert is_same_code(one, other) == is_same_code(other, one)
    assert may_run(one, one)
