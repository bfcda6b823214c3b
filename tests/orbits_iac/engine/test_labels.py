"""Labels, tenants and priorities are handed down to all that is below, and kept where the record is."""

from typing import Any

import pytest

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Resource, Workflow
from orbits_iac.model.rows import ExecutionRow, RecordRow, TaskRow
from orbits_iac.settings import Settings


class LabelledLeaf(Resource[None]):
    """Has a label of its own, which counts for more than that of what it is in."""

    name: str
    options = Options(labels={"size": "small"})

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None: ...


class LabelledMiddle(Resource[None]):
    """Gives its own labels to what it does."""

    options = Options(labels={"size": "large", "team": "net"})

    def identity(self) -> str:
        return "middle"

    async def define_update(self) -> None:
        await self.do("own", LabelledLeaf(name="own"))
        await self.do("other", LabelledLeaf(name="other"), labels={"size": "huge"}, priority=1)


class LabelledTop(Workflow[None]):
    """Does it for a tenant."""

    options = Options(priority=4)

    async def define(self) -> None:
        await self.do("middle", LabelledMiddle(), labels={"tenant": "acme", "plan": "big"})


async def executions(orbits: Orbits) -> dict[str, ExecutionRow]:
    """By what they are of."""
    return {row.identity or row.kind: row for row in await orbits.store.find(ExecutionRow)}


async def test_the_nearest_label_counts(orbits: Orbits) -> None:
    await orbits.run(LabelledTop())
    rows = await executions(orbits)
    above = {"plan": "big", "team": "net"}
    assert rows["LabelledTop"].labels == {}
    assert rows["middle"].labels == {**above, "size": "large"}
    assert rows["own"].labels == {**above, "size": "small"}
    assert rows["other"].labels == {**above, "size": "huge"}
    assert {rows[name].tenant for name in ("middle", "own", "other")} == {"acme"}
    assert [rows[name].priority for name in ("LabelledTop", "middle", "own", "other")] == [4, 4, 4, 1]


async def test_what_is_asked_of_the_record_has_the_labels_of_its_last_do(orbits: Orbits) -> None:
    await orbits.run(LabelledTop())
    record = await orbits.store.get(RecordRow, "LabelledLeaf", "other")
    assert record is not None
    assert record.labels["size"] == "huge"
    await orbits.run(LabelledLeaf(name="other").cycle())
    [row] = [row for row in await orbits.store.find(ExecutionRow) if row.command == "cycle"]
    assert (row.tenant, row.labels["size"], row.labels["plan"]) == ("acme", "huge", "big")


class LabelledFarAway(Resource[None]):
    """Only some workers may go on with it."""

    options = Options(labels={"worker": "gpu", "tenant": "acme", "plan": "big"}, priority=4)

    def identity(self) -> str:
        return "far"

    async def define_update(self) -> None: ...


async def test_the_task_says_which_workers_may_claim_it() -> None:
    async with Orbits(Settings(store="memory:"), work=False) as orbits:
        execution = await orbits.start(LabelledFarAway())
        task = await orbits.store.get(TaskRow, execution.id)
        assert task is not None
        assert (task.needs, task.priority, task.tenant) == ("gpu", 4, "acme")
        assert task.labels == ("plan=big", "tenant=acme", "worker=gpu")


@pytest.mark.parametrize("labels", [{"a=b": "c"}, {"": "c"}, {"a": 1}])
async def test_labels_that_are_none_are_refused(orbits: Orbits, labels: Any) -> None:
    with pytest.raises(TypeError, match="is no label"):
        type("LabelledWrongly", (Action,), {"options": Options(labels=labels), "__module__": __name__})

    class LabelsWrongly(Workflow[None]):
        async def define(self) -> None:
            await self.do("leaf", LabelledLeaf(name="x"), labels=labels)

    with pytest.raises(ExecutionFailed, match="is no label"):
        await orbits.run(LabelsWrongly())
