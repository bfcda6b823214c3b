"""A soak: everything is started, worked with and broken for a time, then mended, waited for, and looked at."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from orbits_iac import Orbits, Settings

from .alarm import alarm
from .checker import violations
from .collected import Collected, everything
from .faults import faults
from .scene import Scene
from .workload import Workload

LEASE = 1.5
"""Seconds: short, so that many are lost in a minute."""

PATIENCE = 60.0
"""Seconds within which all has to end once nothing is broken any more."""


def say(text: str) -> None:
    """Tell who reads along."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


async def soak(seed: int, seconds: float) -> list[str]:
    """Break things for so long; what did not hold."""
    with tempfile.TemporaryDirectory(prefix="orbits-soak-") as name, Scene(Path(name), lease=LEASE) as scene:
        async with Orbits(Settings(**scene.settings("onlooker")), work=False, who="soak") as orbits:
            await orbits.register_build()
            async with alarm(seconds + PATIENCE + 30, scene.workers):
                found = await _course(orbits, scene, seed, seconds)
        wrong = violations(found)
        say(_told(found))
        if wrong:
            say("what the workers said:")
            sys.stdout.writelines(line for line in _lines(scene.said) if " INFO " not in line)
        return wrong


async def _course(orbits: Orbits, scene: Scene, seed: int, seconds: float) -> Collected:
    workload = Workload(orbits, scene.log, seed)
    following = asyncio.ensure_future(workload.follow())
    asking = asyncio.ensure_future(workload.ask())
    try:
        ends = time.monotonic() + seconds
        for number, fault in enumerate(faults(seed, lease=LEASE), 1):
            if time.monotonic() > ends:
                break
            say(f"fault {number}: {fault}")
            await scene.suffer(fault)
            for task in (following, asking):
                if task.done():
                    task.result()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.to_thread(scene.mend)
        say(f"nothing is broken any more; {len(workload.under_way())} are under way")
        try:
            async with asyncio.timeout(PATIENCE):
                await workload.finish()
        except TimeoutError:
            say("they do not end")
    finally:
        for task in (asking, following):
            task.cancel()
        await asyncio.gather(asking, following, return_exceptions=True)
    scene.stop()
    await workload.look()
    said = scene.said.read_text(errors="replace")
    return await everything(orbits.store, scene.log.lines(), workload.told, workload.seen, said)


def _told(found: Collected) -> str:
    again, pids = sum(line.what == "interrupted" for line in found.lines), {line.pid for line in found.lines}
    return (
        f"{len(found.executions)} executions, {len(found.entries)} journal entries, {len(found.events)} events, "
        f"{len(found.lines)} lines of {len(pids)} processes, {again} interrupted"
    )


def _lines(file: Path) -> list[str]:
    return file.read_text(errors="replace").splitlines(keepends=True)
