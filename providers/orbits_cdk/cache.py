"""Synthesised stacks that are kept: in memory, and under `.orbits/cache/synth` of the project for later processes.

An entry holds as long as the digest of its sources does and the files that its synthesis opened are what they were. A
template that names neither its stack nor an account serves every stack of the same class and fields. One made from
secrets stays in memory. The cache can be deleted at any time, and is not used at all where `ORBITS_CDK_CACHE=off`.
"""

import hashlib
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from itertools import product
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from orbits_cdk.assets import files_below, staged_file
from orbits_cdk.context import Context
from orbits_cdk.kept_files import kept_file, use, writing
from orbits_cdk.packing import Place
from orbits_cdk.payload import StackPayload
from orbits_iac.provider import is_project_file

_LARGEST = 1024  # entries in memory


class Entry(BaseModel):
    """A synthesised stack and the files that were opened for it, with their digests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    payload: StackPayload
    files: dict[str, str] = {}

    def holds(self) -> bool:
        """Whether the files are still what they were, and those to upload are still staged."""
        staged = all(use(staged_file(asset.key)) for asset in self.payload.assets)
        return staged and all(_digest(name) == digest for name, digest in self.files.items())


class SynthCache:
    """The entries, by the digest of their sources; safe to use from any thread and from several processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}

    def get(self, digest: str, place: Place, known: Context, *, on_disk: bool) -> StackPayload | None:
        """The payload kept for these sources, for a stack in this place; `on_disk`: also what other processes kept.

        One that was made with what was looked up is given only where the very same is `known` of the account.
        """
        if os.environ.get("ORBITS_CDK_CACHE") == "off":
            return None
        for named, bound in product((False, True), repeat=2):
            key = _key(digest, place, named=named, bound=bound)
            entry = self._entries.get(key) or (_read(key) if on_disk else None)
            if entry is None or not entry.holds() or not entry.payload.context.within(known):
                continue
            self._remember(key, entry)
            return entry.payload.model_copy(update={"stack_name": place.stack_name, "region": place.region})
        return None

    def put(self, digest: str, place: Place, entry: Entry, *, on_disk: bool) -> None:
        """Keep what was synthesised."""
        text = entry.payload.model_dump_json(include={"template", "constants"})
        key = _key(digest, place, named=place.stack_name in text, bound=entry.payload.bound)
        self._remember(key, entry)
        if on_disk and os.environ.get("ORBITS_CDK_CACHE") != "off":
            _write(key, entry)

    def clear(self) -> None:
        """Forget what is in memory."""
        with self._lock:
            self._entries.clear()

    def _remember(self, key: str, entry: Entry) -> None:
        with self._lock:
            self._entries[key] = entry
            while len(self._entries) > _LARGEST:
                self._entries.pop(next(iter(self._entries)))


class _Watch:
    """Notes which of the user's files are opened by the thread that synthesises."""

    def __init__(self) -> None:
        self._installed = False
        self._thread: int | None = None
        self._opened: set[str] = set()

    @contextmanager
    def opened(self) -> Generator[set[str]]:
        if not self._installed:
            sys.addaudithook(self._hear)  # cannot be taken away again: it does nothing outside of a synthesis
            self._installed = True
        self._opened, self._thread = set(), threading.get_ident()
        try:
            yield self._opened
        finally:
            self._thread = None

    def note(self, path: str) -> None:
        self._opened.add(os.path.abspath(path))  # noqa: PTH100 - resolving opens nothing, but is slow

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._thread is None or event != "open" or threading.get_ident() != self._thread:
            return
        path, mode = arguments[0], arguments[1]
        if isinstance(path, (str, os.PathLike)) and isinstance(mode, str) and not set(mode) & set("wax+"):
            self._opened.add(os.path.abspath(os.fspath(path)))  # noqa: PTH100 - resolving opens nothing, but is slow


_WATCH = _Watch()


def note_opened(path: str) -> None:
    """Count a file or folder as opened by the synthesis that runs: one that was read by another process for it."""
    _WATCH.note(path)


@contextmanager
def files_opened() -> Generator[dict[str, str]]:
    """The user's files that were opened inside, with their digests, once it ended. One at a time."""
    files: dict[str, str] = {}
    with _WATCH.opened() as opened:
        yield files
    for name in sorted(opened):
        if is_project_file(name) and not name.endswith((".py", ".pyc")):
            digest = _digest(name)
            if digest is not None:
                files[name] = digest


def _digest(name: str) -> str | None:
    """The digest of a file's content, or of all that is in a folder; None if it cannot be read."""
    try:
        if not os.path.isdir(name):  # noqa: PTH112 - as the audit hook names them
            return hashlib.sha256(Path(name).read_bytes()).hexdigest()
        files = files_below(Path(name))
        stamps = tuple((str(file), *_stamp(file)) for file in files)
    except OSError:
        return None
    return _digest_of(stamps)


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=256)
def _digest_of(stamps: tuple[tuple[str, int, int], ...]) -> str | None:
    """The digest of files that are read again only where one of them has another time or size."""
    digest = hashlib.sha256()
    for name, _, size in stamps:
        content = _digest(name)
        if content is None:
            return None
        digest.update(f"{name} {size} {content}\0".encode())
    return digest.hexdigest()


def _key(digest: str, place: Place, *, named: bool, bound: bool) -> str:
    """What an entry is found by: beside its sources, as much of the place as it depends on."""
    parts = (digest, place.prefix, place.stack_name if named else "", place.account if bound else "")
    text = "\0".join((*parts, place.region if bound else ""))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _read(key: str) -> Entry | None:
    file = kept_file("synth", f"{key}.json")
    try:
        return Entry.model_validate_json(file.read_bytes()) if use(file) else None
    except (OSError, ValidationError):  # removed in between, or written by another version: it is made again
        return None


def _write(key: str, entry: Entry) -> None:
    with writing(kept_file("synth", f"{key}.json")) as part:
        part.write_text(entry.model_dump_json(), encoding="utf-8")
