"""Many stacks of an account that are waited for share what is asked; what is shared never ends one wrongly."""

from dataclasses import replace
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_cdk.deploy import advance
from orbits_cdk.polling import Poller
from orbits_cdk.wanted import Deployed, Underway, Wanted

from .test_deploy import Said, template, wanted

INTERVAL = 5.0


class Fleet:
    """Stacks that are deployed side by side, each looked at once in every round."""

    def __init__(self, aws: OfflineAws, target: AwsTarget, count: int) -> None:
        self.aws = aws
        self.cfn = client("cloudformation", target)
        self.poller = Poller()
        self.said = Said()
        self.now = 0.0
        self.waits: dict[int, Underway] = {number: Underway() for number in range(count)}

    def wanted(self, number: int) -> Wanted:
        return replace(
            wanted(template(f"queue{number}"), token=f"t-{number}"),
            stack=f"site-{number}",
            watch=lambda stack: self.poller.in_progress(self.cfn, stack, self.now, INTERVAL),
            may_read_events=lambda stack: self.poller.may_read_events(stack, self.now),
        )

    def round(self) -> list[str]:
        """One look at each; the calls that it took."""
        before = len(self.aws.calls("cloudformation"))
        for number, underway in list(self.waits.items()):
            result = advance(self.cfn, self.wanted(number), underway, self.said)
            if isinstance(result, Deployed):
                assert result.outputs["First"].endswith(f"/queue{number}")
                del self.waits[number]
                continue
            assert isinstance(result, Underway)
            self.waits[number] = result
        self.now += INTERVAL
        return [str(call).partition(":")[2] for call in self.aws.calls("cloudformation")[before:]]

    def begin(self) -> None:
        while any(underway.phase != "executing" for underway in self.waits.values()):
            self.round()


@pytest.mark.parametrize("count", [6, 12])
def test_the_calls_of_a_poll_do_not_grow_with_the_stacks(aws: OfflineAws, acme: AwsTarget, count: int) -> None:
    aws.settings(polls=30)
    fleet = Fleet(aws, acme, count)
    fleet.begin()
    fleet.round()
    calls = fleet.round()
    assert calls.count("ListStacks") == 1
    assert calls.count("DescribeStackEvents") == 4
    assert set(calls) == {"ListStacks", "DescribeStackEvents"}
    seen = len(fleet.said.messages)
    fleet.round()
    assert len(fleet.said.messages) == seen + 4
    aws.settings(polls=0)
    while fleet.waits:
        fleet.round()


def test_each_stack_has_its_turn_to_be_told_of(aws: OfflineAws, acme: AwsTarget) -> None:
    aws.settings(polls=30)
    fleet = Fleet(aws, acme, 6)
    fleet.begin()
    for _ in range(3):
        fleet.round()
    assert all(underway.told for underway in fleet.waits.values())


def test_few_stacks_are_looked_at_one_by_one(aws: OfflineAws, acme: AwsTarget) -> None:
    aws.settings(polls=5)
    fleet = Fleet(aws, acme, 2)
    fleet.begin()
    assert "ListStacks" not in fleet.round()


def test_a_shared_answer_that_is_refused_leaves_each_to_look_for_itself(aws: OfflineAws, acme: AwsTarget) -> None:
    aws.settings(polls=3)
    aws.fail("cloudformation", "ListStacks", code="AccessDenied", times=None)
    fleet = Fleet(aws, acme, 4)
    while fleet.waits:
        fleet.round()


class Stale:
    """A client whose list of stacks is what a function says."""

    def __init__(self, summaries: list[dict[str, Any]]) -> None:
        self.summaries = summaries
        self.asked = 0

    def items(self, *_: object, **__: object) -> list[dict[str, Any]]:
        self.asked += 1
        return self.summaries


def test_an_answer_counts_for_less_than_an_interval_and_says_nothing_of_what_it_lacks() -> None:
    cfn = Stale([{"StackId": name, "StackStatus": "UPDATE_IN_PROGRESS"} for name in "abc"])
    poller = Poller()
    for name in "abcd":
        poller.in_progress(cfn, name, 0.0, INTERVAL)
    assert poller.in_progress(cfn, "a", 4.9, INTERVAL) == "UPDATE_IN_PROGRESS"
    assert (poller.in_progress(cfn, "d", 4.9, INTERVAL), cfn.asked) == (None, 1)
    assert poller.in_progress(cfn, "b", 5.0, INTERVAL) == "UPDATE_IN_PROGRESS"
    assert cfn.asked == 2
    for name in "abc":
        poller.in_progress(cfn, name, 1.0, INTERVAL)
    assert cfn.asked == 3, "a clock that was set back makes no answer last"
