"""Values of users as JSON text and back: by their declared types, with secrets encrypted.

What always holds: `decode(encode(value))` is what everyone gets, on the first run as on every later one; a `SecretStr`
anywhere in a value is stored as `{"$secret": ...}`, encrypted; a digest of a value depends on its secrets, keyed; a
secret that went through here is masked in whatever text goes through `mask`.
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
_SEALED_BYTES = "$secret-bytes"
_BYTES = "$bytes"
_DICT = "$dict"  # around a dictionary of the user's that would be taken for one of these
_MARKS = frozenset({_SEALED, _SEALED_BYTES, _BYTES, _DICT})

_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_SHORTEST_SECRET = 4  # a shorter one would be found in every other word
_MOST_SECRETS = 10_000


class Codec:
    """Encodes, decodes and digests values with one secret key."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes in url-safe base 64, as Fernet makes them."""
        self._fernet = Fernet(key)
        self._mac = hashlib.blake2b(key, digest_size=32).digest()
        self._secrets: dict[str, None] = {}

    def encode(self, value: Any, declared: Any) -> Json:
        """`value` as JSON text, by the type it was declared to have; `Refused` if that cannot be."""
        try:
            return _text(_plain(_adapter(declared).dump_python(value, warnings="error"), self._encrypt))
        except (PydanticSerializationError, TypeError, ValueError, RecursionError) as error:
            raise Refused(
                f"{type(value).__name__} cannot be kept as {_type_name(declared)}: {error}. Arguments and results are "
                f"recorded: use models, dataclasses, numbers, text, lists and dictionaries of them."
            ) from error

    def decode(self, text: Json, declared: Any) -> Any:
        """The value that was encoded; ValidationError if the declared type no longer admits it."""
        if "$" not in text:
            return _adapter(declared).validate_python(json.loads(text))
        return _adapter(declared).validate_python(_restored(json.loads(text), self._decrypt))

    def mask(self, text: str) -> str:
        """`text` with stars for every secret that was encoded or decoded here."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, "**********")
        return text

    def digest(self, *values: Any) -> str:
        """The same for equal values only; says nothing about them to whoever lacks the key."""
        text = json.dumps([self._blinded(v) for v in values], sort_keys=True)
        return hmac.new(self._mac, text.encode(), hashlib.sha256).hexdigest()[:32]

    def _blinded(self, value: Any) -> Any:
        declared: Any = type(value)
        return _plain(_adapter(declared).dump_python(value), self._blind)

    def _know(self, secret: str) -> None:
        if len(secret) >= _SHORTEST_SECRET and secret not in self._secrets:
            if len(self._secrets) >= _MOST_SECRETS:
                del self._secrets[next(iter(self._secrets))]
            self._secrets[secret] = None

    def _encrypt(self, text: str) -> str:
        self._know(text)
        return self._fernet.encrypt(text.encode()).decode()

    def _blind(self, text: str) -> str:
        self._know(text)
        return hmac.new(self._mac, text.encode(), hashlib.sha256).hexdigest()

    def _decrypt(self, text: str) -> str:
        try:
            found = self._fernet.decrypt(text.encode()).decode()
        except InvalidToken as error:
            raise StoreError(
                "a secret in the store was encrypted with another key: set ORBITS_SECRET_KEY, or put back the file "
                "secret.key beside the store, to what it was when the secret was written"
            ) from error
        self._know(found)
        return found


def secret_key(given: SecretStr | None, folder: Path | None) -> bytes:
    """The key: what was given, else the file `secret.key` in `folder` (made with mode 600), else one for this process.

    Raises UsageError where what was given, or the file, is no key.
    """
    if given is not None:
        return _checked(given.get_secret_value().encode(), "ORBITS_SECRET_KEY")
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
        return {_SEALED_BYTES: seal(base64.b64encode(value.get_secret_value()).decode())}
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    return _plain_container(value, seal)


def _plain_container(value: Any, seal: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        plain = {_key(key): _plain(item, seal) for key, item in value.items()}
        if len(plain) < len(value):
            raise ValueError("two of its keys are the same as text")
        return {_DICT: plain} if len(plain) == 1 and not _MARKS.isdisjoint(plain) else plain
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
                return SecretStr(unseal(value[_SEALED]))
            if _SEALED_BYTES in value:
                return SecretBytes(base64.b64decode(unseal(value[_SEALED_BYTES])))
            if _BYTES in value:
                return base64.b64decode(value[_BYTES])
            if _DICT in value:
                return {key: _restored(item, unseal) for key, item in value[_DICT].items()}
        return {key: _restored(item, unseal) for key, item in value.items()}
    if isinstance(value, list):
        return [_restored(item, unseal) for item in value]
    return value


def _text(plain: Any) -> str:
    """JSON text that is Unicode: what is none (half of a surrogate pair) stands in it as an escape."""
    text = _as_json(plain)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return json.dumps(plain, separators=(",", ":"))
    return text


def explain(error: ValidationError) -> str:
    """A validation error for people: each field with what is wrong, on one line."""
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        parts.append(f"{where}: {problem['msg']}" if where else str(problem["msg"]))
    return "; ".join(parts)
