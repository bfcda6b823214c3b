"""`orbits get` says for which permit an execution waits, who has them, and where it stands in line."""

import json

from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import ExecutionRow, LineRow, PermitRow
from orbits_iac.store.contract import Transaction
from orbits_iac.store.sqlite import SqliteStore

from .conftest import Project, plain

NAME = "kind:CdkStack"


async def test_what_it_waits_for(project: Project) -> None:
    execution = ExecutionRow(
        id=ExecutionId("x2"),
        kind="CdkStack",
        identity="net",
        command="update",
        argument="{}",
        root=ExecutionId("x2"),
        build="b",
        who="ada",
        digest="",
        created_at=1.0,
    )
    permits = [PermitRow(name=NAME, slot=slot, execution=ExecutionId(f"h{slot}"), token=1) for slot in range(4)]
    lines = [LineRow(name=NAME, rank=0, turn=turn, execution=ExecutionId(f"x{9 - 7 * turn}")) for turn in (0, 1)]
    folder = project.folder / ".orbits"
    folder.mkdir()
    async with SqliteStore(folder / "state.db") as store:
        await store.commit(Transaction(put=[execution, *permits, *lines]))
    why = f"in line for a permit of {NAME}, place 2 of 2; held by h0, h1, h2 and 1 more"
    assert f"CdkStack net is {why}" in plain(project.run("get", "x2"))
    assert json.loads(project.run("get", "x2", "--json"))["waits_for_a_permit"] == [
        {"execution": "x2", "kind": "CdkStack", "why": why}
    ]
