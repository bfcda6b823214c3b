"""File assets: from a synthesised assembly to files of this machine that are ready to be uploaded.

A file is staged under `.orbits/cache/assets` of the project, by its key, so that it can still be uploaded after the
assembly's folder is gone and for every account that needs it. Keys come from CDK's digest of the content. Whatever
bucket CDK had in mind, the template is made to name the account's own bucket and the project's part of it: an account
needs no CDK bootstrap, and nobody else cleans up there. The staged files can be deleted at any time.
"""

import json
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orbits_cdk.assembly import AssembledStack, AssetSource
from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.kept_files import kept_file, use, writing
from orbits_cdk.naming import bucket_name
from orbits_cdk.payload import FileAsset, template_text

BUCKET = bucket_name("${AWS::AccountId}", "${AWS::Region}")
_BOOTSTRAP = ("BootstrapVersion", "CheckBootstrapVersion")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can tell
_BEFORE, _AFTER = r"(?<![a-z0-9.-])", r"(?![a-z0-9.-])"


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A template that names the account's own bucket, and the files that have to be in it."""

    template: dict[str, Any]
    assets: tuple[FileAsset, ...]


def stage(stack: AssembledStack, prefix: str) -> Moved:
    """Put the files of the stack aside, and have its template name them where they will be."""
    move = _Move(stack, prefix)
    assets = tuple(_stage(source, move) for source in stack.assets)
    return Moved(template=_without_bootstrap(move.everywhere(stack.template)), assets=assets)


def staged_file(key: str) -> Path:
    """Where the file of this key is, if it is staged."""
    return kept_file("assets", key)


class _Move:
    """Names of buckets and keys, exchanged for those of ours in all texts of a template."""

    def __init__(self, stack: AssembledStack, prefix: str) -> None:
        self._keys = {source.key: f"{prefix}/{source.key}" for source in stack.assets}
        self._buckets = {
            re.compile(_BEFORE + re.escape(source.bucket) + _AFTER): _ours(stack, source.bucket)
            for source in stack.assets
        }

    def key(self, key: str) -> str:
        return self._keys[key]

    def everywhere(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self.everywhere(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.everywhere(each) for each in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for old, new in self._keys.items():
            text = text.replace(old, new)
        for pattern, name in self._buckets.items():
            text = pattern.sub(name, text)  # no backslash in it
        return text


def _ours(stack: AssembledStack, bucket: str) -> str:
    """Our name for a bucket, said as the template says its own: with variables for the account and region, or without.

    The default synthesizer leaves the variables out where the stack is made for one account and region.
    """
    if "${" in bucket:
        return BUCKET
    if stack.account is None or stack.region is None:
        raise SynthesisFailed(
            f"{stack.name} sends its files to the bucket {bucket}. They go to a bucket that Orbits makes in each "
            f"account: leave `file_assets_bucket_name` out of the stack's synthesizer."
        )
    return bucket_name(stack.account, stack.region)


def _without_bootstrap(template: dict[str, Any]) -> dict[str, Any]:
    """The template without CDK's check that the account was bootstrapped by CDK, which is not needed here."""
    parameter, rule = _BOOTSTRAP
    found = template.get("Parameters", {}).get(parameter, {})
    if not str(found.get("Default", "")).startswith("/cdk-bootstrap/"):
        return template
    left = dict(template)
    for section, name in (("Parameters", parameter), ("Rules", rule)):
        inside = {key: each for key, each in template.get(section, {}).items() if key != name}
        if inside:
            left[section] = inside
        else:
            left.pop(section, None)
    return left


def _stage(source: AssetSource, move: _Move) -> FileAsset:
    key = move.key(source.key)
    target = staged_file(key)
    if not use(target):
        with writing(target) as part:
            _write(source, move, part)
    return FileAsset(name=source.name, key=key, size=target.stat().st_size)


def _write(source: AssetSource, move: _Move, to: Path) -> None:
    if source.zipped:
        _zip(source.path, to)
    elif source.path.name.endswith(".template.json"):  # a nested stack's, which may name files itself
        nested = json.loads(source.path.read_text(encoding="utf-8"))
        to.write_text(template_text(_without_bootstrap(move.everywhere(nested))), encoding="utf-8")
    else:
        shutil.copyfile(source.path, to)


def _zip(folder: Path, to: Path) -> None:
    """The folder as a zip file: the same bytes for the same content, whenever and wherever it is made."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files_below(folder):
            found = path.stat()
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _LONG_AGO)
            entry.create_system = 3  # Unix, whatever this is
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | (0o755 if found.st_mode & stat.S_IXUSR else 0o644)) << 16
            entry.file_size = found.st_size
            with path.open("rb") as content, archive.open(entry, "w") as inside:
                shutil.copyfileobj(content, inside)


def files_below(folder: Path) -> list[Path]:
    """All files below the folder, those behind links too, in an order that is the same everywhere."""
    return sorted(Path(above) / name for above, _, names in os.walk(folder, followlinks=True) for name in names)
