"""docs/metrics.md and docs/alerts.yml: the table is the code's, and the rules ask for what there is."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orbits_iac import Settings
from orbits_iac.telemetry import counting, environment, health, levels
from orbits_iac.telemetry.table import METRICS, as_markdown

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "metrics.md").read_text()
TEXT = " ".join(PAGE.split())
BEGIN, END = "<!-- the table is that of orbits_iac/telemetry/table.py -->\n", "<!-- the end of the table -->\n"
RULES: list[dict[str, Any]] = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"][0]["rules"]
SERIES = {
    f"{metric.for_prometheus}{suffix}": {*metric.labels, *more, "instance"}
    for metric in METRICS
    for suffix, more in ([("_bucket", {"le"}), ("_sum", ()), ("_count", ())] if metric.bounds else [("", ())])
}


def test_the_table_is_that_of_the_code() -> None:
    table = PAGE.partition(BEGIN)[2].partition(END)[0].strip()
    assert table == as_markdown().strip(), "write it anew: python -m orbits_iac.telemetry.table"


def test_the_figures_are_those_of_the_code() -> None:
    assert f"turned within {health.LONGEST_STANDSTILL:g} s" in TEXT
    assert f"not answered within {health.PATIENCE:g} s" in TEXT
    assert f"read every {levels.LOOK_EVERY:g} seconds at most" in TEXT
    assert f"the {levels.MOST_TENANTS} that have waited longest" in TEXT
    assert f"{levels.MOST_DUE:,} executions that have been due longest" in TEXT
    assert f"the first {levels.MOST_LIMITS} of the settings" in TEXT
    assert f"{counting.MOST} combinations of labels" in TEXT
    assert environment.INSTALL in TEXT
    assert f"`{Settings().log_level}` by default" in TEXT


def test_the_names_in_the_page_are_those_of_metrics() -> None:
    for name in re.findall(r"\b(orbits_[a-z_]+)(?![a-z_*.])", PAGE.partition(BEGIN)[0] + PAGE.partition(END)[2]):
        assert name in SERIES or name == "orbits_iac", name


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_a_rule_asks_for_series_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    expression, annotations = rule["expr"], rule["annotations"]
    used = re.findall(r"\b(orbits_\w+)(?:\{([^}]*)\})?", expression)
    assert used
    known = {"instance"}
    for name, matchers in used:
        assert name in SERIES, name
        assert set(re.findall(r"(\w+)[=!]", matchers)) <= SERIES[name]
        known |= SERIES[name]
    kept = re.findall(r"by \(([^)]*)\)", expression)
    assert {label for labels in kept for label in labels.split(", ")} <= known
    shown = set(re.findall(r"\$labels\.(\w+)", str(annotations)))
    assert shown <= (set(kept[0].split(", ")) if kept else {"instance"})
    assert expression.count("(") == expression.count(")")
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(annotations) == {"summary", "description"}


def test_rules_have_names_of_their_own_and_levels_of_the_store_are_never_added_up() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for name in ("orbits_executions", "orbits_queue_lag_seconds", "orbits_schedules_lag_seconds", "orbits_workers"):
        assert not any(re.search(rf"sum[^(]*\([^)]*{name}\b", rule["expr"]) for rule in RULES)
