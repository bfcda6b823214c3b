"""Secrets are kept out of templates and files: whoever may describe a stack or read its bucket would see them."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orbits_cdk.assets import staged_file
from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.payload import StackPayload

_SHORTEST = 6  # characters; shorter ones are found in any text
_LARGEST = 2**20  # bytes of a file that is looked through: larger ones are no templates and no settings


def refuse_secrets(definition: BaseModel, payload: StackPayload) -> None:
    """Raise SynthesisFailed where the value of a secret field stands in the template or in a file that goes with it.

    Such a file is then staged no longer.
    """
    secrets = [(name, text) for name, text in _secrets(definition, ()) if len(text) >= _SHORTEST]
    if not secrets:
        return
    template = payload.model_dump_json().encode()
    for name, text in secrets:
        if (
            json.dumps(text)[1:-1].encode() in template
            or json.dumps(text, ensure_ascii=False)[1:-1].encode() in template
        ):
            raise SynthesisFailed(_explain(definition, name, "the template"))
    for asset in payload.assets:
        file = staged_file(asset.key)
        for content in _contents(file):
            for name, text in secrets:
                if text.encode() in content or json.dumps(text)[1:-1].encode() in content:
                    file.unlink()
                    raise SynthesisFailed(_explain(definition, name, f"the file {asset.name}"))


def _explain(definition: BaseModel, name: str, where: str) -> str:
    return (
        f"{type(definition).__name__}: {where} holds the secret {name!r} in the clear, where everybody who may "
        f"describe the stack or read its bucket can see it. Keep it in Secrets Manager and give its ARN instead."
    )


def _secrets(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The secrets in a value, each with the path of fields that leads to it."""
    reveal = getattr(value, "get_secret_value", None)
    if reveal is not None:
        yield ".".join(path), str(reveal())
    elif isinstance(value, BaseModel):
        for name, each in value:
            yield from _secrets(each, (*path, name))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _secrets(each, (*path, str(name)))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from _secrets(each, path)


def _contents(file: Path) -> Iterator[bytes]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if entry.file_size <= _LARGEST:
                    yield archive.read(entry)
    elif file.stat().st_size <= _LARGEST:
        yield file.read_bytes()
