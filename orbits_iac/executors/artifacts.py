"""Artifacts: files that a step has made, kept beside the store for the steps after it.

An artifact is named by its path, `FOLDER/DIGEST/NAME`: the digest of its content, then its name relative to the working
folder that it came from and goes to. So it never changes, and the same file made twice is kept once.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from orbits_iac.executors.contract import Host
from orbits_iac.model.errors import Refused, UsageError


class Artifacts:
    """The artifacts of one store, below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    async def keep(self, host: Host, patterns: Sequence[str]) -> dict[str, str]:
        """Keep what matches on the host; paths by names. UsageError for a pattern that has no match, or none inside."""
        kept: dict[str, str] = {}
        for pattern in patterns:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(prefix=".", dir=self._folder) as fresh:
                found = await host.collect(_inside(pattern), Path(fresh))
                if not found:
                    raise UsageError(f"outputs: {pattern!r} matches no file in the working folder")
                kept.update({name: self._keep(name, file) for name, file in found.items()})
        return kept

    async def place(self, host: Host, artifacts: Sequence[str]) -> None:
        """Copy artifacts into the host's working folder, each under its name.

        Raises UsageError for a path that is no artifact of this store, `Refused` for one that is gone.
        """
        await host.send({self._name(artifact): Path(artifact) for artifact in artifacts})

    def _keep(self, name: str, file: Path) -> str:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            os.fsync(content.fileno())
        place = self._folder / digest / name
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
        return str(place)

    def _name(self, artifact: str) -> str:
        path = Path(artifact)
        if not path.is_relative_to(self._folder):
            raise UsageError(
                f"inputs: {artifact} is no artifact of this store (they are below {self._folder}): hand over what "
                f"an earlier Shell returned in `artifacts`"
            )
        if not path.is_file():
            raise Refused(f"inputs: the artifact {artifact} is not there any more")
        return _inside("/".join(path.relative_to(self._folder).parts[1:]))


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UsageError(f"{name!r} has to be relative to the working folder, and stay inside")
    return name
