"""A process that has imported everything and forks workers, so that one is there within milliseconds.

Told `{"name": ..., "log": FILE, "settings": {...}}` on a line of its input, it forks a worker with these settings and
answers with its pid. It waits for those that have ended. Its end is theirs.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from orbits_iac import Orbits, Settings
from tests.servers.orphans import end_with_parent

from .alarm import ASKED, where_all_stand
from .effects import Log
from .steps import LOG

log = logging.getLogger(__name__)


async def work(name: str, settings: dict[str, Any]) -> None:
    """Advance whatever is there, until killed; say where all stands when asked."""
    asyncio.get_running_loop().add_signal_handler(ASKED, lambda: log.info("stands here:\n%s", where_all_stand()))
    while True:
        try:
            async with Orbits(Settings(**settings), who=name):
                await asyncio.Event().wait()
        except Exception:
            log.exception("%s could not start", name)
            await asyncio.sleep(0.2)


def main() -> None:
    """Do as told, a line at a time."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they have ended
    for line in sys.stdin:
        told = json.loads(line)
        answer = os.fork()
        if not answer:
            end_with_parent()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            said = f"%(asctime)s.%(msecs)03d {told['name']} {os.getpid()} %(levelname)s %(name)s: %(message)s"
            logging.basicConfig(level=logging.INFO, format=said, datefmt="%H:%M:%S")
            LOG[0] = Log(Path(told["log"]))
            asyncio.run(work(told["name"], told["settings"]))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
