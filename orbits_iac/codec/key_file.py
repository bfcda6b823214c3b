"""The file beside a local store that its secret key is in: readable by its owner alone, whole or not there.

Called by the codec's `keys` and `rotation`.
"""

import fcntl
import os
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from orbits_iac.model.errors import Refused, UsageError


class KeyFile:
    """`secret.key` in the folder of a store. What is written is on the disk when a method returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "secret.key"
        self._next = folder / "secret.key.new"

    def read(self) -> str | None:
        """What is in it; None if there is none. UsageError where others than its owner may read it."""
        try:
            with self.path.open(encoding="ascii", errors="replace") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise UsageError(
                        f"{self.path} may be read by others (its mode is {mode:o}): run `chmod 600 {self.path}`, and, "
                        f"if others may have read it, `orbits state rotate-key`"
                    )
                return file.read().strip()
        except FileNotFoundError:
            return None

    def make(self, key: bytes) -> None:
        """Put the key there, unless somebody else has put one there meanwhile."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix="secret.key.", dir=self._folder)  # with mode 600
        try:
            _write(descriptor, key)
            os.link(name, self.path)
        except FileExistsError:
            pass
        finally:
            Path(name).unlink()
        self._keep()

    def prepare(self, key: bytes) -> None:
        """Put the next key beside it."""
        self._next.unlink(missing_ok=True)
        _write(os.open(self._next, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), key)
        self._keep()

    def change(self) -> None:
        """Let the next key stand in its place."""
        self._next.replace(self.path)
        self._keep()

    def remove(self) -> None:
        """Remove it: nothing is encrypted with what is in it."""
        self.path.unlink(missing_ok=True)
        self._keep()

    @contextmanager
    def held(self) -> Generator[None]:
        """Change it alone; `Refused` while somebody else does."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Refused(f"{self.path} is being changed by another process: wait for that to end") from error
            yield
        finally:
            os.close(folder)

    def _keep(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write(descriptor: int, key: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(key + b"\n")
        file.flush()
        os.fsync(file.fileno())
