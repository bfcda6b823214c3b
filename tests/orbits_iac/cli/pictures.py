"""Rows of executions as the engine writes them, for the tests of what is drawn from them."""

from typing import Any

from orbits_iac.model.errors import Failure
from orbits_iac.model.ids import ExecutionId, StepKey
from orbits_iac.model.rows import Child, EntryRow, ExecutionRow, amended
from orbits_iac.model.states import State
from orbits_iac.queries import Picture

UNLUCKY = Failure(error_type="ValueError", message="13 is unlucky", path=("stack",), state=State.REVERTED)


def execution(id: str, kind: str, state: State = State.SUCCESS, **fields: Any) -> ExecutionRow:  # noqa: A002
    """A row; `began` and `took` are seconds."""
    began, took = fields.pop("began", 0.0), fields.pop("took", 1.0)
    row = ExecutionRow(
        id=ExecutionId(id),
        kind=kind,
        command="update",
        argument="{}",
        root=ExecutionId("root"),
        build="b",
        who="ada",
        digest="",
        created_at=began,
        state=state,
        ended_at=began + took if took is not None else None,
        identity="acme",
        changed=True,
    )
    return amended(row, **fields)


def entry(execution: str, key: str, state: State = State.SUCCESS, **fields: Any) -> EntryRow:
    """A row of a step; one that has ended was handed out `took` seconds after it began."""
    began, took = fields.pop("began", 0.0), fields.pop("took", 1.0)
    ended = state in {State.SUCCESS, State.ERROR}
    row = EntryRow(
        execution=ExecutionId(execution),
        key=StepKey(key),
        kind=key.rpartition("/")[2].split(":")[1],
        state=state,
        started_at=began,
        seq=1 if ended else None,
        at=began + took if ended else None,
    )
    return amended(row, **fields)


def child(execution: str, key: str, of: str, *, owned: bool = False, **fields: Any) -> EntryRow:
    """A row of a step that is the execution `of`."""
    made = entry(execution, key, **fields)
    link = Child(ref="", kind=made.kind, identity="acme", owned=owned, revision=1)
    return amended(made, child=ExecutionId(of), command="update", link=link)


def picture(*rows: ExecutionRow | EntryRow) -> Picture:
    """A picture of these rows; the first execution is its root."""
    executions = [row for row in rows if isinstance(row, ExecutionRow)]
    made = Picture(root=executions[0].id, executions={row.id: row for row in executions})
    for row in rows:
        if isinstance(row, EntryRow):
            made.entries[row.execution] = (*made.entries.get(row.execution, ()), row)
    return made


def busy() -> Picture:
    """A client being updated, with one of everything that can be seen."""
    made = picture(
        execution("root", "WebApp", State.EXECUTING, took=None),
        child("root", "update/backend:Backend:update:acme", "back"),
        execution("back", "Backend", took=41.2),
        child("back", "install/account:AwsAccount:update:acme", "account", changed=False),
        execution("account", "AwsAccount", changed=False, took=0.3),
        entry("account", "update/read:AwsAccount.read"),
        child("back", "install/git:GitRepository:update:backend", "git", began=0.5),
        execution("git", "GitRepository", identity="backend", took=1.4),
        child("back", "update/stack:BackStack:update", "stack", owned=True, began=2.0),
        execution("stack", "BackStack", identity="Backend acme/stack", began=2.0, took=31.0),
        entry("stack", "update/deploy:BackStack.deploy", began=2.0),
        entry("back", "update/migrate:Migrate", began=33.0, took=8.0, no_return=True, message="2 migrations"),
        child("root", "update/frontend:Frontend:update:acme", "front", state=State.EXECUTING, began=41.5),
        execution("front", "Frontend", State.EXECUTING, began=41.5, took=None),
        child("front", "update/stack:FrontStack:update", "site", owned=True, state=State.EXECUTING, began=42.0),
        execution("site", "FrontStack", State.EXECUTING, identity="Frontend acme/stack", began=42.0, took=None),
        entry(
            "site",
            "update/deploy:FrontStack.deploy",
            State.IN_PROGRESS,
            began=42.0,
            attempt=2,
            share=0.6,
            message="UPDATE_IN_PROGRESS Site",
        ),
        entry(
            "front", "update/invalidate:invalidate", State.SLEEPING, began=43.0, attempt=3, message="TimeoutError: 5 s"
        ),
        entry("front", "update/warm:warm", skipped=True, began=44.0),
        child("root", "update/search:Search:update:acme", "search", state=State.EXECUTING, began=45.0),
        execution("search", "Search", State.SLEEPING, began=45.0, took=None),
        child("root", "update/mail:Mail:update:acme", "mail", state=State.ERROR, began=46.0, failure=UNLUCKY),
        execution("mail", "Mail", State.REVERTED, began=46.0, took=3.0, failure=UNLUCKY),
        entry("root", "update/~outputs:ask:main:Vpc"),
        entry("root", "~timer/7:timer"),
    )
    made.notes[ExecutionId("back"), "update"] = "2 migrations"
    return made
