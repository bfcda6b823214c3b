"""Sending one message to one target, in a process of its own: `delivering`.

What always holds: whatever a target or the library that reaches it does (hangs, raises, ends its process, writes to the
log), whoever sends gets an answer within `LONGEST` seconds, and no more of it than one line without secrets.
"""

import asyncio
import json
import sys
from contextlib import suppress

from orbits_iac.notify.messages import Message
from orbits_iac.notify.targets import masks_of, without_addresses

LONGEST = 30.0
"""Seconds that a target has to take a message."""

_LONGEST_REASON = 500  # characters


async def send(url: str, message: Message, *, longest: float = LONGEST) -> str | None:
    """Send a message to a target; why it was not taken, or None if it was."""
    why = await _sent(json.dumps({"url": url, "longest": longest, **message.model_dump()}), longest)
    if why is None:
        return None
    return masks_of(url).masked(without_addresses(" ".join(why.split())))[:_LONGEST_REASON]


async def _sent(order: str, longest: float) -> str | None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "orbits_iac.notify.delivering"),  # -P: no module of the folder that it is in
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is the worker's to answer
    )
    try:
        async with asyncio.timeout(longest):
            out, err = await process.communicate(order.encode())
    except TimeoutError:
        return f"no answer within {longest:g} s"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        why: str | None = json.loads(out.splitlines()[-1])["why"]
    except (IndexError, KeyError, ValueError):
        last = err.decode(errors="replace").strip().splitlines()
        return f"its process ended with {process.returncode}: {last[-1] if last else 'without a word'}"
    return why
