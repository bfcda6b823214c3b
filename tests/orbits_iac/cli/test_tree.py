"""From rows to a tree, and from a tree to lines: pure, so by tables of cases."""

import io
from typing import Any

import pytest
from rich.console import Console

from orbits_iac.cli import render, tree
from orbits_iac.cli.render import Style, bar, duration
from orbits_iac.cli.tree import Mark, Node
from orbits_iac.model.errors import Failure
from orbits_iac.model.rows import EntryRow, ExecutionRow
from orbits_iac.model.spans import ago
from orbits_iac.model.states import State

from .pictures import UNLUCKY, busy, child, entry, execution, picture


def drawn(node: Node, *, now: float = 60.0, style: Style | None = None, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(render.Drawing(node, now=now, style=style))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def outline(node: Node) -> Any:
    """A tree as refs and marks alone."""
    return (node.ref, node.mark.value, *(outline(below) for below in node.below))


CASES: list[tuple[str, list[ExecutionRow | EntryRow], Any]] = [
    ("one that waits its turn", [execution("root", "App", State.SLEEPING, took=None)], ("", "waits")),
    ("an update that changed nothing", [execution("root", "App", changed=False)], ("", "unchanged")),
    (
        "a cycle is not called unchanged",
        [execution("root", "App", command="cycle", changed=False)],
        ("", "done"),
    ),
    (
        "an Action that is run by itself is the root's own line",
        [execution("root", "tell", identity=None, command="run"), entry("root", "run/tell:tell")],
        ("", "done"),
    ),
    (
        "the engine's own questions, timers and cancels are left out",
        [
            execution("root", "App"),
            entry("root", "update/~children:ask:main"),
            entry("root", "~timer/3:timer"),
            entry("root", "update/a:a"),
        ],
        ("", "done", ("a", "done")),
    ),
    (
        "steps of a Workflow stand below it",
        [
            execution("root", "App"),
            entry("root", "update/flow:Flow:define", kind="Flow"),
            entry("root", "update/flow:Flow:define/a:a"),
        ],
        ("", "done", ("flow", "done", ("a", "done"))),
    ),
    (
        "a wait for an event is told from a step that runs",
        [
            execution("root", "App", State.EXECUTING, took=None),
            entry("root", "update/b:Approved:event", State.IN_PROGRESS, kind="Approved", command="event"),
            entry("root", "update/a:Rejected:event", kind="Rejected", command="event"),
        ],
        ("", "runs", ("a", "done"), ("b", "waits for an event")),
    ),
    (
        "a scope is a group that is as good as its worst",
        [
            execution("root", "App"),
            entry("root", "update/canary/a:a"),
            entry("root", "update/canary/b:b", State.ERROR, began=1.0),
        ],
        ("", "done", ("canary", "failed", ("a", "done"), ("b", "failed"))),
    ),
    (
        "a key= tells steps of one ref apart",
        [execution("root", "App"), entry("root", "update/box:Box:main:b%2F1"), entry("root", "update/box:Box:main:b2")],
        ("", "done", ("box[b/1]", "done"), ("box[b2]", "done")),
    ),
    (
        "a child is as its own execution says, whatever its parent has heard",
        [
            execution("root", "App", State.EXECUTING, took=None),
            child("root", "update/box:Box:update", "box", state=State.EXECUTING),
            execution("box", "Box", State.PAUSED, took=None),
        ],
        ("", "runs", ("box", "paused")),
    ),
    (
        "a child that was pruned is as its parent says",
        [execution("root", "App"), child("root", "update/box:Box:update", "box")],
        ("", "done", ("box", "unchanged")),
    ),
    (
        "what is brought back stands together",
        [
            execution("root", "App", State.REVERTED, failure=UNLUCKY),
            entry("root", "update/a:a", State.ERROR, failure=UNLUCKY),
            entry("root", "rollback/b:b", began=1.0),
        ],
        ("", "went back", ("a", "failed"), ("going back", "went back", ("b", "done"))),
    ),
    (
        "a rollback that was asked for is no going back",
        [execution("root", "App", command="rollback"), entry("root", "rollback/b:b")],
        ("", "done", ("b", "done")),
    ),
    (
        "a step that its execution did not wait for",
        [execution("root", "App", State.ERROR), entry("root", "update/a:a", State.EXECUTING)],
        ("", "failed", ("a", "did not end")),
    ),
    (
        "an attempt that failed and one that was skipped",
        [
            execution("root", "App", State.EXECUTING, took=None),
            entry("root", "update/a:a", State.SLEEPING, attempt=2),
            entry("root", "update/b:b", skipped=True, began=1.0),
        ],
        ("", "runs", ("a", "retries"), ("b", "done once already")),
    ),
    (
        "steps stand in the order in which they began",
        [execution("root", "App"), entry("root", "update/b:b", began=1.0), entry("root", "update/a:a", began=2.0)],
        ("", "done", ("b", "done"), ("a", "done")),
    ),
    (
        "a ring of executions is cut",
        [
            execution("root", "App", State.EXECUTING, took=None),
            child("root", "update/app:App:update:acme", "root", state=State.EXECUTING),
        ],
        ("", "runs", ("app", "runs")),
    ),
]


@pytest.mark.parametrize(("rows", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_grows(rows: list[ExecutionRow | EntryRow], expected: Any) -> None:
    assert outline(tree.grow(picture(*rows))) == expected


def test_a_repeat_says_how_often_it_was_done() -> None:
    repeat = entry("root", "run/poll:Poll:repeat", State.EXECUTING, kind="Poll", command="repeat", count=17)
    last = [entry("root", f"run/poll:Poll:repeat/{number}:Poll:main", kind="Poll") for number in (16, 17)]
    (node,) = tree.grow(picture(execution("root", "App", State.EXECUTING, took=None), repeat, *last)).below
    assert (node.ref, node.command, node.message) == ("poll", "", "done 17 times")
    assert [below.ref for below in node.below] == ["16", "17"]


def test_draws_a_busy_client_at_100_columns() -> None:
    assert drawn(tree.grow(busy())) == (
        "▸ WebApp acme                              1m 00s\n"
        "├─ ✔ backend        Backend acme              41s  2 migrations\n"
        "│  ├─ = account     AwsAccount acme                unchanged  install\n"
        "│  ├─ ✔ git         GitRepository backend    1.4s  install\n"
        "│  ├─ ✔ stack       BackStack                 31s\n"
        "│  └─ ✔ migrate     Migrate                  8.0s  2 migrations  no return\n"
        "├─ ▸ frontend       Frontend acme             18s\n"
        "│  ├─ ▸ stack       FrontStack                18s  attempt 2  ▰▰▰▰▰▰▱▱▱▱ 60%  UPDATE_IN_PROGRESS Si…\n"
        "│  ├─ ⟳ invalidate  invalidate                17s  attempt 3  TimeoutError: 5 s\n"
        "│  └─ = warm        warm                           done once already\n"
        "├─ ◌ search         Search acme                    waits its turn\n"
        "└─ ↩ mail           Mail acme                3.0s  went back  ValueError: 13 is unlucky\n"
    )


def test_shows_inner_steps_if_everything_is_asked_for() -> None:
    assert "│  │  └─ ✔ deploy   deploy" in drawn(tree.grow(busy()), style=Style(everything=True))


def test_folds_what_is_finished_to_fit_a_low_terminal() -> None:
    assert drawn(tree.grow(busy()), style=Style(fold=1)).splitlines()[1:3] == [
        "├─ ✔ backend        Backend acme      41s  2 migrations",
        "├─ ▸ frontend       Frontend acme     18s",
    ]


def test_counts_the_finished_children_of_a_large_fleet() -> None:
    below = [Node(ref=f"c{at}", kind="App", mark=Mark.DONE, began=0.0, ended=1.0) for at in range(20)]
    below += [Node(ref="c20", kind="App", mark=Mark.SAME), Node(ref="c21", kind="App", mark=Mark.RUNS, began=58.0)]
    below += [Node(ref="c22", kind="App", mark=Mark.WAITS)]
    assert drawn(Node(ref="", kind="Fleet", mark=Mark.RUNS, began=0.0, below=tuple(below))) == (
        "▸ Fleet        1m 00s\n├─ ▸ c21  App    2.0s\n└─ ◌ 1 waiting, ✔ 20 done, = 1 unchanged\n"
    )


def test_cuts_what_does_not_fit_a_narrow_terminal() -> None:
    assert max(len(line) for line in drawn(tree.grow(busy()), width=40).splitlines()) <= 40


def test_a_failure_is_said_once_where_it_happened() -> None:
    failure = Failure(error_type="AccessDenied", message="on sqs:SetQueueAttributes")
    inner = Node(ref="orders", kind="Queue", mark=Mark.FAILED, failure=failure)
    text = drawn(Node(ref="", kind="Shop", mark=Mark.REVERTED, failure=failure, below=(inner,)))
    assert text.count("AccessDenied: on sqs:SetQueueAttributes") == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0041, "4ms"),
        (0.9, "900ms"),
        (3.21, "3.2s"),
        (41.4, "41s"),
        (59.6, "1m 00s"),
        (125, "2m 05s"),
        (3723, "1h 02m"),
    ],
)
def test_says_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "just now"), (240, "4 min ago"), (7200, "2 h ago"), (3 * 86400, "3 days ago")]
)
def test_says_how_long_ago(seconds: float, text: str) -> None:
    assert ago(seconds) == text


@pytest.mark.parametrize(("share", "text"), [(0, "▱▱▱▱▱▱▱▱▱▱ 0%"), (0.55, "▰▰▰▰▰▰▱▱▱▱ 55%"), (1.7, "▰▰▰▰▰▰▰▰▰▰ 170%")])
def test_draws_shares(share: float, text: str) -> None:
    assert bar(share) == text
