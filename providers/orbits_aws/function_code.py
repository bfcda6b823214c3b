"""Code: what a Lambda function runs, as an archive that is the same for the same files, or as an object in a bucket.

An archive is part of the argument of what it is given to, so that it is recorded, and can be brought back from any
machine. It is stored uncompressed and without times: compressed ones differ from machine to machine.
"""

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from orbits_iac.provider import UsageError

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that an archive can say
_LEFT_OUT = frozenset({"__pycache__", ".git", ".venv"})


class Code(BaseModel):
    """What a function runs. Made by `folder`, `files`, `zipped` or `in_bucket`.

    Attributes:
        sha256: of the archive, in base 64, as Lambda tells it; alone, it means what is there already.
        archive: the archive, in base 64.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str | None = None
    archive: str | None = None
    bucket: str | None = None
    key: str | None = None
    version: str | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if (self.bucket is None) != (self.key is None) or (self.sha256 is None and self.bucket is None):
            raise ValueError("code is in an archive, or in a bucket under a key: use Code.folder or Code.in_bucket")
        return self

    @classmethod
    def folder(cls, path: str | Path) -> Self:
        """The files in a folder. Raises `UsageError` if there are none."""
        root = Path(path)
        found = sorted(file for file in root.rglob("*") if file.is_file() and not _is_left_out(file.relative_to(root)))
        if not found:
            raise UsageError(f"{root.absolute()} is no folder with files in it, so there is no code in it")
        return cls.zipped(_archive({file.relative_to(root).as_posix(): _contents(file) for file in found}))

    @classmethod
    def files(cls, files: Mapping[str, str]) -> Self:
        """These texts, by the names of their files."""
        return cls.zipped(_archive({name: (text.encode(), False) for name, text in files.items()}))

    @classmethod
    def zipped(cls, archive: bytes) -> Self:
        """An archive that was made already."""
        return cls(sha256=_base64(hashlib.sha256(archive).digest()), archive=_base64(archive))

    @classmethod
    def in_bucket(cls, bucket: str, key: str, *, version: str | None = None, sha256: str | None = None) -> Self:
        """An archive in a bucket of the function's region; for what is larger than a few megabytes.

        Without `sha256`, other code is known by another key or version alone, and drift is not seen.
        """
        return cls(bucket=bucket, key=key, version=version, sha256=sha256)

    def asked(self) -> dict[str, str | bytes]:
        """Where it is, as Lambda takes it."""
        if self.archive is not None:
            return {"ZipFile": base64.b64decode(self.archive)}
        if self.bucket is None or self.key is None:
            return {}
        versioned = {"S3ObjectVersion": self.version} if self.version else {}
        return {"S3Bucket": self.bucket, "S3Key": self.key, **versioned}


def _is_left_out(path: Path) -> bool:
    return path.suffix == ".pyc" or not _LEFT_OUT.isdisjoint(path.parts)


def _contents(file: Path) -> tuple[bytes, bool]:
    """What is in a file, and whether it can be run."""
    return file.read_bytes(), bool(file.stat().st_mode & 0o100)


def _archive(files: Mapping[str, tuple[bytes, bool]]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            contents, runs = files[name]
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # Unix, wherever it is made
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            archive.writestr(entry, contents)
    return made.getvalue()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
