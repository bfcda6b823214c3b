"""When drift is brought back, and when it is news."""

from datetime import timedelta

import pytest

from orbits_iac.drift.policy import Limit, News, may_remediate, news
from orbits_iac.drift.rules import covers, matches, text_of
from orbits_iac.model.rows import Difference
from orbits_iac.steps.options import OnDrift

NOW = 1_000_000.0
TWICE_A_DAY = Limit(times=2, within=timedelta(days=1))


def difference(path: str, *, live: str = "2", remediated: bool = False) -> Difference:
    return Difference(path=path, recorded="1", live=live, resource="Queue", remediated=remediated)


@pytest.mark.parametrize(
    ("on_drift", "earlier", "forward_only", "allowed"),
    [
        pytest.param("report", [], False, False, id="only reported"),
        pytest.param("notify", [], False, False, id="only notified"),
        pytest.param("remediate", [], False, True, id="remediated"),
        pytest.param("remediate", [], True, False, id="held forward only"),
        pytest.param("remediate", [NOW - 60], False, True, id="below the limit"),
        pytest.param("remediate", [NOW - 90, NOW - 60], False, False, id="it flaps"),
        pytest.param("remediate", [NOW - 90_000, NOW - 60], False, True, id="long ago does not count"),
    ],
)
def test_drift_is_brought_back_only_where_it_is_allowed(
    on_drift: OnDrift, earlier: list[float], forward_only: bool, allowed: bool
) -> None:
    assert allowed == may_remediate(on_drift, earlier=earlier, now=NOW, limit=TWICE_A_DAY, forward_only=forward_only)


def test_drift_is_news_once_and_again_when_it_is_healed() -> None:
    first = news([], [difference("a")])
    assert first == News(new=(difference("a"),))
    assert news([difference("a")], [difference("a", live="3")]) == News()
    assert news([difference("a")], []) == News(healed=(difference("a"),))


def test_what_was_brought_back_is_healed() -> None:
    assert news([difference("a")], [difference("a", remediated=True)]).healed == (difference("a"),)


def test_patterns_name_paths() -> None:
    assert matches("Rules.*.Prefix", ("Rules", 0, "Prefix"))
    assert not matches("Rules.*", ("Rules", 0, "Prefix"))
    assert covers("Rules.*", ("Rules", 0, "Prefix"))
    assert text_of(("Rules", 0, "Prefix")) == "Rules[0].Prefix"
