"""A saved state as a file: whole or not there, of one version, and refused if it is damaged.

The first line is JSON: what the file is, the versions that wrote it, and the digest of the rest. It is written beside
its place and moved into it, so whoever is killed while writing leaves the state that was saved before. The rest is a
pickle: load only what you saved.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

_KIND = "state of an offline AWS of orbits-iac"


class StateRefused(ValueError):
    """A file that cannot be loaded: which one, why, and what to do."""


def versions() -> Mapping[str, str]:
    """What has to be the same for a state to be loaded: its objects are those of these programs."""
    python = ".".join(str(part) for part in sys.version_info[:2])
    return {"moto": version("moto"), "orbits-iac": version("orbits-iac"), "python": python}


def write_state(path: Path, content: bytes) -> None:
    """Put a state into its file, in place of the one before. Raises OSError."""
    head = {"kind": _KIND, **versions(), "sha256": hashlib.sha256(content).hexdigest()}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(json.dumps(head).encode() + b"\n")
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _head(line: bytes) -> dict[str, Any]:
    """What a file says of itself in its first line; nothing, if that is not the line of a state."""
    try:
        head = json.loads(line)
    except ValueError:
        return {}
    return head if isinstance(head, dict) else {}


def read_state(path: Path) -> bytes:
    """The state in a file. Raises StateRefused."""
    try:
        line, _, content = path.read_bytes().partition(b"\n")
    except OSError as failure:
        raise StateRefused(f"{path} cannot be read: {failure.strerror}") from failure
    head = _head(line)
    if head.get("kind") != _KIND:
        raise StateRefused(f"{path} is no state of an offline AWS. Name another file")
    for name, here in versions().items():
        if head.get(name) != here:
            raise StateRefused(
                f"{path} was saved with {name} {head.get(name)}, and this is {name} {here}. Load it with that version, "
                "or remove the file to begin anew"
            )
    if head.get("sha256") != hashlib.sha256(content).hexdigest():
        raise StateRefused(f"{path} is damaged: its digest is another. Remove the file to begin anew")
    return content
