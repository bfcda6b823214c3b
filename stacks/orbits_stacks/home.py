"""Where the agency keeps what is not in AWS: repositories, stand-ins for the clients' databases, logs.

All of it lies in one folder, `AGENCY_HOME` in the environment or `agency` beside the project, outside the store: so
what steps have really done can be told apart from what the store says that they did.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from orbits_iac.provider import Current

EFFECTS = "effects.jsonl"
NOTIFICATIONS = "notifications.log"


def home() -> Path:
    """The folder, made if it is not there."""
    folder = Path(os.environ.get("AGENCY_HOME", "agency")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def did(execution: Current, step: str, *, release: str, what: str) -> None:
    """Note that a step has had its effect: a line of `effects.jsonl`, complete or not there, whoever writes beside."""
    line = json.dumps(
        {
            "step": step,
            "token": execution.token,
            "client": execution.tenant,
            "release": release,
            "what": what,
            "at": datetime.now(UTC).isoformat(),
        }
    )
    append(home() / EFFECTS, line)


def append(file: Path, line: str) -> None:
    """Append a line in one write, which no other process's write divides."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
