"""The files that synthesis keeps on this machine, under `.orbits/cache` of the project: written whole, and forgotten.

Any process may write, read and remove there at any time: whoever does not find a file makes it again.
"""

import os
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from orbits_aws.settings import project_folder

_FORGOTTEN = 30 * 24 * 3600.0  # seconds since a file was last used


def kept_file(kind: str, name: str) -> Path:
    """Where the file of this name is, if it is kept."""
    return project_folder() / ".orbits" / "cache" / kind / name


def use(file: Path) -> bool:
    """Whether the file is there; if so, it counts as used now."""
    try:
        os.utime(file)
    except OSError:
        return False
    return True


@contextmanager
def writing(file: Path) -> Generator[Path]:
    """A path to write to, which becomes `file` as a whole at the end, or is removed after an error."""
    file.parent.mkdir(parents=True, exist_ok=True)
    _forget_unused(file.parent)
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
        made = Path(part.name)
    try:
        yield made
        made.replace(file)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


@cache
def _forget_unused(folder: Path) -> None:
    """Remove what nobody has used for a month, parts that a crash has left too; once in a process."""
    long_ago = time.time() - _FORGOTTEN
    for file in folder.iterdir():
        with suppress(OSError):  # somebody else was faster
            if file.is_file() and file.stat().st_mtime < long_ago:
                file.unlink()
