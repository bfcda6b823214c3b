"""Values of users as JSON text and back: by their declared types, with secrets encrypted.

What always holds: `decode(encode(value))` is what everyone gets, on the first run as on every later one; a `SecretStr`
anywhere in a value is stored as `{"$secret": ...}`, encrypted; a digest of a value depends on its secrets, keyed.
"""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from pydantic import BaseModel, PydanticSchemaGenerationError, SecretBytes, SecretStr, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from orbits_iac.model.errors import Refused, StoreError, UsageError
from orbits_iac.model.rows import Json

_SEALED = "$secret"
_BYTES = "$bytes"


class Codec:
    """Encodes, decodes and digests values with one secret key."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes in url-safe base 64, as Fernet makes them."""
        self._fernet = Fernet(key)
        self._mac = hashlib.blake2b(key, digest_size=32).digest()

    def encode(self, value: Any, declared: Any) -> Json:
        """`value` as JSON text, by the type it was declared to have; `Refused` if that cannot be."""
        return json.dumps(self._plain(value, declared, self._encrypt), ensure_ascii=False, separators=(",", ":"))

    def decode(self, text: Json, declared: Any) -> Any:
        """The value that was encoded; ValidationError if the declared type no longer admits it."""
        return _adapter(declared).validate_python(_restored(json.loads(text), self._decrypt))

    def digest(self, *values: Any) -> str:
        """The same for equal values only; says nothing about them to whoever lacks the key."""
        text = json.dumps([self._plain(v, type(v), self._blind) for v in values], sort_keys=True)
        return hmac.new(self._mac, text.encode(), hashlib.sha256).hexdigest()[:32]

    def _plain(self, value: Any, declared: Any, seal: Callable[[str], str]) -> Any:
        try:
            return _plain(_adapter(declared).dump_python(value, warnings="error"), seal)
        except (PydanticSerializationError, TypeError, ValueError) as error:
            raise Refused(
                f"{type(value).__name__} cannot be kept as {_type_name(declared)}: {error}. Arguments and results are "
                f"recorded: use models, dataclasses, numbers, text, lists and dictionaries of them."
            ) from error

    def _encrypt(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def _blind(self, text: str) -> str:
        return hmac.new(self._mac, text.encode(), hashlib.sha256).hexdigest()

    def _decrypt(self, text: str) -> str:
        try:
            return self._fernet.decrypt(text.encode()).decode()
        except InvalidToken as error:
            raise StoreError(
                "a secret in the store was encrypted with another key: set ORBITS_SEALED_KEY, or put back the file "
                "secret.key beside the store, to what it was when the secret was written"
            ) from error


def secret_key(given: SecretStr | None, folder: Path | None) -> bytes:
    """The key: what was given, else the file `secret.key` in `folder` (made with mode 600), else one for this process.

    Raises UsageError where what was given, or the file, is no key.
    """
    if given is not None:
        return _checked(given.get_secret_value().encode(), "ORBITS_SEALED_KEY")
    if folder is None:
        return Fernet.generate_key()
    file = folder / "secret.key"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return _checked(file.read_bytes().strip(), str(file))
    key = Fernet.generate_key()
    with os.fdopen(descriptor, "wb") as out:
        out.write(key + b"\n")
        out.flush()
        os.fsync(out.fileno())
    return key


def _checked(key: bytes, where: str) -> bytes:
    try:
        Fernet(key)
    except ValueError as error:
        raise UsageError(f"{where} is no key: it has to be 32 bytes in url-safe base 64 (44 characters)") from error
    return key


@lru_cache(maxsize=4096)
def _adapter(declared: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(declared)
    except PydanticSchemaGenerationError as error:
        raise Refused(
            f"{_type_name(declared)} cannot be recorded: pydantic knows no schema for it. Use a model or a dataclass."
        ) from error


def _type_name(declared: Any) -> str:
    return declared.__name__ if isinstance(declared, type) else str(declared)


def _plain(value: Any, seal: Callable[[str], str]) -> Any:
    """`value` in JSON's own types, each secret in it sealed."""
    if value is None or isinstance(value, (bool, int, float)) or type(value) is str:
        return value
    if isinstance(value, SecretStr):
        return {_SEALED: seal(value.get_secret_value())}
    if isinstance(value, SecretBytes):
        return {_SEALED: seal(base64.b64encode(value.get_secret_value()).decode())}
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    return _plain_container(value, seal)


def _plain_container(value: Any, seal: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {_key(key): _plain(item, seal) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, seal) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item, seal) for item in value), key=json.dumps)
    if isinstance(value, BaseModel):
        return _plain(dict(value), seal)
    return to_jsonable_python(value)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(to_jsonable_python(key))


def _restored(value: Any, unseal: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            if _SEALED in value:
                return unseal(value[_SEALED])
            if _BYTES in value:
                return base64.b64decode(value[_BYTES])
        return {key: _restored(item, unseal) for key, item in value.items()}
    if isinstance(value, list):
        return [_restored(item, unseal) for item in value]
    return value


def explain(error: ValidationError) -> str:
    """A validation error for people: each field with what is wrong, on one line."""
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        parts.append(f"{where}: {problem['msg']}" if where else str(problem["msg"]))
    return "; ".join(parts)
