"""What a project ignores of drift."""

import pytest

from orbits_iac.drift.project import DriftSettings, Ignored
from orbits_iac.model.rows import Difference


@pytest.mark.parametrize(
    ("type_", "path", "tenant", "ignored"),
    [
        ("AWS::ECS::Service", "DesiredCount", None, True),
        ("AWS::ECS::*", "DesiredCount", None, True),
        ("*", "*", None, True),
        ("AWS::ECS::Service", "Desired", None, False),
        ("AWS::ECS::Cluster", "DesiredCount", None, False),
        ("AWS::ECS::Service", "DesiredCount", "acme", True),
        ("AWS::ECS::Service", "DesiredCount", "ac*", True),
        ("AWS::ECS::Service", "DesiredCount", "globex", False),
    ],
)
def test_a_rule_is_by_type_path_and_tenant(type_: str, path: str, tenant: str | None, ignored: bool) -> None:
    settings = DriftSettings(ignore=(Ignored(type=type_, path=path, tenant=tenant, reason="scaled by hand"),))
    found = Difference(path="DesiredCount", recorded="1", live="2", resource="Web", type="AWS::ECS::Service")
    counted, lines = settings.sorted_out([found], "Site", "acme")
    assert (counted == (), bool(lines)) == (ignored, ignored)
    if ignored:
        assert lines == ("Web AWS::ECS::Service DesiredCount: scaled by hand",)


@pytest.mark.parametrize(
    ("rule", "path", "ignored"),
    [
        ("Tags", "Tags[team]", True),
        ("Tags[team]", "Tags[team]", True),
        ("Tags.team", "Tags[team]", True),
        ("Tags.*", "Tags[team]", True),
        ("Tags.team", "Tags[owner]", False),
        ("Rules.*.Prefix", "Rules[0].Prefix", True),
        ("Rules.*.Prefix", "Rules[0].Days", False),
        ("Rules", "RulesOf", False),
        ("*", "", False),
    ],
)
def test_a_path_names_what_is_at_it_and_below(rule: str, path: str, ignored: bool) -> None:
    settings = DriftSettings(ignore=(Ignored(type="Notice", path=rule, reason="r"),))
    counted, _ = settings.sorted_out([Difference(path=path, recorded="1", live="2")], "Notice", None)
    assert (counted == ()) is ignored


def test_a_rule_for_one_tenant_is_for_no_other_and_not_for_none() -> None:
    settings = DriftSettings(ignore=(Ignored(type="Notice", path="colour", tenant="acme", reason="r"),))
    found = Difference(path="colour", recorded="1", live="2")
    assert [len(settings.sorted_out([found], "Notice", tenant)[0]) for tenant in ("acme", "globex", None)] == [0, 1, 1]
