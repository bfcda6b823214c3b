"""What needs a worker with a label: no other one goes on with it, and everybody is told what is missing."""

import asyncio

from pydantic import SecretStr

from orbits_iac import Options, Orbits, Settings, Workflow, action
from orbits_iac.model.rows import TaskRow
from orbits_iac.model.states import State
from orbits_iac.roster import why_nobody_goes_on
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing import Clock

KEY = SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
SETTINGS = Settings(project="tests", store="memory:", secret_key=KEY)


class Shared(MemoryStore):
    """A store that other processes use too, and that stays."""

    async def close(self) -> None:
        """It stays open."""


@action
async def rendered_there() -> str:
    return "rendered"


class RenderedOnGpu(Workflow[str]):
    options = Options(labels={"worker": "gpu"})

    async def define(self) -> str:
        return await self.do("render", rendered_there())


async def test_what_needs_a_label_waits_says_so_and_goes_on_when_a_worker_has_it() -> None:
    store, clock = Shared(), Clock()
    async with Orbits(SETTINGS, store=store, clock=clock) as plain:
        execution = await plain.start(RenderedOnGpu())
        await plain.settled()
        task = await store.get(TaskRow, execution.id)
        assert task is not None
        assert (task.owner, task.token, task.needs) == (None, 0, "gpu")
        [waiting] = await why_nobody_goes_on(store, [await execution.row()], now=clock.now())
        assert waiting.why.startswith("it needs a worker with the label gpu, and none that runs")
        await clock.advance(SETTINGS.lease)
        await plain.settled()
        assert (await execution.row()).state is State.PAUSED
        assert waiting.why in [event.why for event in await store.tail(0)]
        other = SETTINGS.model_copy(update={"labels": ("arm", "gpu")})
        async with Orbits(other, store=store, clock=clock) as fit, asyncio.timeout(60):
            assert await fit.execution(execution.id) == "rendered"
            assert await why_nobody_goes_on(store, [await execution.row()], now=clock.now()) == []
