"""When two values mean the same, as a table, and what a comparison says where they do not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits_iac.drift.compare import compare, json_text
from orbits_iac.drift.rules import Rules, Unknown
from orbits_iac.drift.walk import gaps

TAGS = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*", "Principal": {"AWS": "*"}},
        {"Effect": "Deny", "Action": "sqs:*", "Resource": ["x", "y"], "Principal": {"AWS": "123456789012"}},
    ],
}
SAME_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Action": ["SQS:*"],
            "Resource": ["y", "x"],
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        },
        {
            "Sid": "",
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:getobject"],
            "Resource": ["*"],
            "Principal": "*",
        },
    ],
}
OTHER_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
ARN = "arn:aws:iam::123456789012:role/service-role/deploy"

SAME: list[tuple[str, Any, Any, Rules]] = [
    ("equal", {"a": [1, "x"]}, {"a": [1, "x"]}, Rules()),
    ("number in a string", 30, "30", Rules()),
    ("number with a fraction in a string", "2.50", 2.5, Rules()),
    ("boolean in a string", True, "true", Rules()),
    ("boolean in a string of another case", "False", False, Rules()),
    ("object as JSON text", {"a": 1, "b": [2]}, '{"b": [2], "a": 1}', Rules()),
    ("JSON texts of another layout", '{"a":1,"b":2}', '{ "b": 2, "a": 1 }', Rules()),
    ("tags in another order", TAGS, TAGS[::-1], Rules()),
    ("nothing and an empty list", None, [], Rules()),
    ("nothing and an empty object", {}, None, Rules()),
    ("list without order", ["x", "y"], ["y", "x"], Rules(unordered=("p",))),
    ("objects without order", [{"a": 1}, {"a": 2}], [{"a": "2"}, {"a": 1}], Rules(unordered=("p",))),
    ("items by key", [{"Id": 1, "v": 1}, {"Id": 2}], [{"Id": 2}, {"Id": 1, "v": "1"}], Rules(keyed={"p": "Id"})),
    ("case by rule", "ENABLED", "Enabled", Rules(caseless=("p",))),
    ("ARN and name by rule", ARN, "deploy", Rules(named=("p",))),
    ("ARN and name with path by rule", "service-role/deploy", ARN, Rules(named=("p",))),
    ("policy in another form", POLICY, SAME_POLICY, Rules(policies=("p",))),
    ("policy without a rule", POLICY, SAME_POLICY, Rules()),
    ("policy as JSON text without a rule", json.dumps(POLICY), SAME_POLICY, Rules()),
    ("policy as JSON text", json.dumps(POLICY), SAME_POLICY, Rules(policies=("p",))),
    ("the service's default", None, 128, Rules(defaults={"p": 128})),
    ("one of the service's defaults", None, "1048576", Rules(defaults={"p": (262144, 1048576)})),
    ("a default below", {}, {"Mode": "PassThrough"}, Rules(defaults={"p.Mode": "PassThrough"})),
    ("an object's default", None, {"A": True}, Rules(defaults={"p": {"A": True}, "p.A": False})),
    ("ignored", 1, 2, Rules(ignore={"p": "it changes by itself"})),
    ("ignored from above", {"a": {"b": 1}}, {"a": {"b": 2}}, Rules(ignore={"p.a": "it changes by itself"})),
    ("a name that is filled in", None, "stack-queue-1x2y", Rules(filled=("p",))),
    ("a duration and its seconds", "PT1H30M", 5400, Rules(durations=("p",))),
    ("two forms of a duration", "P1DT1S", "PT86401S", Rules(durations=("p",))),
    ("what was not asked for", {"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}, Rules(asked=True)),
    ("ignored in an item without order", [{"a": 1}], [{"a": 2}], Rules(unordered=("p",), ignore={"p.*.a": "changes"})),
]

OTHERWISE: list[tuple[str, Any, Any, Rules, list[str]]] = [
    ("number", 30, 5, Rules(), ["p"]),
    ("number in a string", 30, "5", Rules(), ["p"]),
    ("version-like strings", "1.0", "1", Rules(), ["p"]),
    ("boolean and number", True, 1, Rules(), ["p"]),
    ("boolean and the text of a number", True, "1", Rules(), ["p"]),
    ("case without a rule", "ENABLED", "Enabled", Rules(), ["p"]),
    ("ARN and name without a rule", ARN, "deploy", Rules(), ["p"]),
    ("ARN and another name", ARN, "destroy", Rules(named=("p",)), ["p"]),
    ("two ARNs", ARN, ARN.replace("123", "321"), Rules(named=("p",)), ["p"]),
    ("order that has a meaning", ["x", "y"], ["y", "x"], Rules(), ["p"]),
    ("longer list", ["x"], ["x", "y"], Rules(unordered=("p",)), ["p"]),
    ("a tag's value", TAGS, [TAGS[0], {"Key": "b", "Value": "3"}], Rules(), ["p[b]"]),
    ("a tag removed", TAGS, TAGS[:1], Rules(), ["p[b]"]),
    ("a tag added", TAGS[:1], TAGS, Rules(), ["p[b]"]),
    ("inside an item", [{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 3}], Rules(), ["p[1].a"]),
    ("below an object", {"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, Rules(), ["p.a.c"]),
    ("something removed below", {"a": 1, "b": 2}, {"a": 1}, Rules(), ["p.b"]),
    ("something added below", {"a": 1}, {"a": 1, "b": 2}, Rules(), ["p.b"]),
    ("inside JSON text", '{"a": 1}', '{"a": 2}', Rules(), ["p.a"]),
    ("policy", POLICY, OTHER_POLICY, Rules(policies=("p",)), ["p"]),
    ("policy without a rule", POLICY, OTHER_POLICY, Rules(), ["p"]),
    ("statements that are no policy's", {"Statement": [1, 2]}, {"Statement": [2, 1]}, Rules(), ["p.Statement"]),
    (
        "inside the one item of another list",
        [{"a": 1, "b": 1}, {"a": 2, "b": 2}],
        [{"a": 2, "b": 2}, {"a": 1, "b": 3}],
        Rules(unordered=("p",)),
        ["p[0].b"],
    ),
    ("not the default", None, 256, Rules(defaults={"p": 128}), ["p"]),
    ("the default instead of what was recorded", 256, 128, Rules(defaults={"p": 128}), ["p"]),
    ("gone where the default is another", 256, None, Rules(defaults={"p": 128}), ["p"]),
    ("not the object's default", None, {"A": False, "B": 1}, Rules(defaults={"p": {"A": True}}), ["p.A", "p.B"]),
    ("a tag where there were none", None, TAGS[:1], Rules(), ["p[a]"]),
    ("a name that was given", "orders", "stack-queue-1x2y", Rules(filled=("p",)), ["p"]),
    ("another duration", "PT1H", 60, Rules(durations=("p",)), ["p"]),
    ("a month, which has no one length", "P1M", "P30D", Rules(durations=("p",)), ["p"]),
    ("a duration without a rule", "PT1H", 3600, Rules(), ["p"]),
    ("a tag added to what was asked for", TAGS[:1], TAGS, Rules(asked=True), ["p[b]"]),
    ("gone of what was asked for", {"a": 1}, {}, Rules(asked=True), ["p.a"]),
    ("a duplicate of an item", ["x", "x", "y"], ["x", "y", "y"], Rules(unordered=("p",)), ["p"]),
]


@pytest.mark.parametrize(("recorded", "live", "rules"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_these_mean_the_same(recorded: Any, live: Any, rules: Rules) -> None:
    assert [gap for gap in gaps(recorded, live, rules, ("p",)) if not gap.ignored] == []


@pytest.mark.parametrize(
    ("recorded", "live", "rules", "paths"), [case[1:] for case in OTHERWISE], ids=[case[0] for case in OTHERWISE]
)
def test_these_differ_and_it_is_said_where(recorded: Any, live: Any, rules: Rules, paths: list[str]) -> None:
    assert [d.path for d in compare({"p": recorded}, {"p": live}, rules).differences] == paths


def test_what_was_not_read_is_unchecked_and_never_in_sync() -> None:
    found = compare({"name": "a", "ttl": 5}, {"name": "a"})
    assert found.differences == ()
    assert found.unchecked == ("ttl: not read",)
    assert found.checked == 1


def test_what_is_live_beyond_the_recorded_is_not_looked_at_unless_all_was_read() -> None:
    assert compare({"a": 1}, {"a": 1, "url": "x"}).differences == ()
    [extra] = compare({"a": 1}, {"a": 1, "url": "x"}, Rules(whole=True)).differences
    assert (extra.path, extra.recorded, extra.live) == ("url", "null", '"x"')


def test_what_was_wholly_read_and_lacks_a_property_has_lost_it() -> None:
    [gone] = compare({"a": 1}, {}, Rules(whole=True)).differences
    assert (gone.path, gone.recorded, gone.live) == ("a", "1", "null")


def test_the_unknown_is_unchecked_where_it_stands_and_no_further() -> None:
    recorded = {"Variables": {"TABLE": Unknown("its name is not known"), "MODE": "a"}}
    found = compare(recorded, {"Variables": {"TABLE": "t-1", "MODE": "b"}}, Rules(whole=True))
    assert [d.path for d in found.differences] == ["Variables.MODE"]
    assert found.unchecked == ("Variables.TABLE: its name is not known",)
    assert found.checked == 1


def test_a_policy_with_something_unknown_in_it_is_unchecked() -> None:
    recorded = {"p": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": Unknown("no ARN")}]}}
    found = compare(recorded, {"p": OTHER_POLICY}, Rules(policies=("p",)))
    assert (found.differences, found.unchecked, found.checked) == ((), ("p: no ARN",), 0)


def test_what_is_ignored_is_said_and_counts_for_nothing() -> None:
    rules = Rules(whole=True, ignore={"Count": "scaled by hand", "Tags.team": "set by the service"})
    recorded = {"Count": 1, "Tags": [{"Key": "a", "Value": "1"}]}
    live = {"Count": 5, "Tags": [{"Key": "a", "Value": "1"}, {"Key": "team", "Value": "x"}]}
    found = compare(recorded, live, rules)
    assert (found.differences, found.unchecked, found.checked) == ((), (), 1)
    assert found.ignored == ("Count: scaled by hand", "Tags[team]: set by the service")


def test_beyond_what_was_asked_for_nothing_is_looked_at() -> None:
    assert compare({"a": 1}, {"a": 1, "url": "x"}, Rules(whole=True, asked=True)).differences == ()
    [gone] = compare({"a": 1}, {"url": "x"}, Rules(whole=True, asked=True)).differences
    assert gone.path == "a"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.text(min_size=1, max_size=6), JSON, max_size=5)


@given(OBJECT)
def test_nothing_differs_from_itself(value: dict[str, Any]) -> None:
    assert compare(value, value, Rules(whole=True)).differences == ()


@given(OBJECT)
def test_nothing_differs_from_its_copy_through_json(value: dict[str, Any]) -> None:
    assert compare(value, json.loads(json_text(value)), Rules(whole=True)).differences == ()


@given(OBJECT, OBJECT)
def test_a_difference_is_found_from_both_sides(one: dict[str, Any], other: dict[str, Any]) -> None:
    rules = Rules(whole=True)
    there = {d.path for d in compare(one, other, rules).differences}
    back = {d.path for d in compare(other, one, rules).differences}
    assert there == back


@given(st.lists(JSON, max_size=6).flatmap(lambda items: st.tuples(st.just(items), st.permutations(items))))
def test_any_order_of_a_list_without_order_is_the_same(lists: tuple[list[Any], list[Any]]) -> None:
    one, other = lists
    assert list(gaps(one, list(other), Rules(unordered=("p",)), ("p",))) == []


@given(OBJECT, st.integers())
def test_a_change_of_one_property_is_found_there_and_nowhere_else(value: dict[str, Any], number: int) -> None:
    before, after = {**value, "changed": number}, {**value, "changed": number + 1}
    assert [d.path for d in compare(before, after, Rules(whole=True)).differences] == ["changed"]


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=6), min_size=1, max_size=5), st.randoms())
def test_tags_are_the_same_in_any_order(tags: dict[str, str], random: Any) -> None:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    shuffled = list(listed)
    random.shuffle(shuffled)
    assert list(gaps(listed, shuffled, Rules(), ("Tags",))) == []
