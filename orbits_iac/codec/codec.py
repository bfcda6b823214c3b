"""Encoding, decoding and digests, by declared types.

What always holds: `decode(encode(value))` is what everyone gets, on the first run as on every later one; a secret
anywhere in a value is encrypted in the text; a digest of a value depends on its secrets, keyed; a secret that went
through here is masked in whatever text goes through `mask`.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import Any, Literal, NamedTuple

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from orbits_iac.codec.direct import CONCEALER, has_floats, has_secrets, is_direct, is_read_alike
from orbits_iac.codec.many import dump_of, fields_of_many, in_parts
from orbits_iac.codec.masks import STARS, Masks
from orbits_iac.codec.plain import MAY_BE_MARKED, is_finite, plain, restored, words, written
from orbits_iac.model.errors import Refused, StoreError
from orbits_iac.model.rows import Json

LARGEST = 10 * 1024 * 1024
"""Characters of the JSON of one argument or result, unless the settings say otherwise."""

_in_order = msgspec.json.Encoder(order="deterministic").encode
_SHORTEST = 8  # characters of a secret that is looked for in names
_REPLACED = "\ufffd"  # what half of a surrogate pair becomes in a key
_MOST_DIGITS = 4300  # of a number, which Python reads back
_too_many_digits = re.compile(rf"\d{{{_MOST_DIGITS + 1}}}").search
_CERTAIN = (bool, float, int, str, type(None))  # a value of exactly this type is one of the declared type
_input = re.compile(r"(?<=[\[ ])input_value=.*?, (?=input_type=)", re.DOTALL)  # in pydantic's messages


class Codec:
    """Encodes, decodes and digests values with one key."""

    def __init__(self, key: bytes, *, largest: int = LARGEST) -> None:
        """`key`: 32 bytes in url-safe base 64, as Fernet makes them; `largest`: characters of a value's JSON."""
        self.largest = largest
        self._fernet = Fernet(key)
        self._mac = hashlib.blake2b(key, digest_size=32).digest()
        self._masks = Masks()

    def encode(self, value: Any, declared: Any) -> Json:
        """`value` as JSON text, by the type it was declared to have; `Refused` if that cannot be, or is too large."""
        if isinstance(value, (str, bytes)) and len(value) > self.largest:  # known before it is copied
            raise self._too_large(value, len(value))
        text = self._text(value, declared)
        if len(text) > self.largest:
            raise self._too_large(value, len(text))
        return text

    def _too_large(self, value: Any, size: int) -> Refused:
        return Refused(
            f"{type(value).__name__} is {size / 1e6:,.1f} million characters as JSON, and at most "
            f"{self.largest / 1e6:,.1f} are kept of one argument or result (largest_value in orbits.toml): keep "
            f"it in a file or a bucket, and hand on where it is"
        )

    def _text(self, value: Any, declared: Any) -> Json:
        way = _way(declared)
        text = way.text(value, most=self.largest)
        if text is not None:
            return text
        try:
            way.check_secrets(value)
            return written(way.in_parts(value), self._encrypt)
        except (PydanticSerializationError, TypeError, ValueError, RecursionError) as error:
            raise Refused(
                f"{type(value).__name__} cannot be kept as {_type_name(declared)}: {_input.sub('', str(error))}. "
                f"Arguments and results are recorded: use models, dataclasses, numbers, text, lists and dictionaries "
                f"of them."
            ) from error

    def decode(self, text: Json, declared: Any) -> Any:
        """The value that was encoded; ValidationError if the declared type no longer admits it."""
        way = _way(declared)
        if MAY_BE_MARKED in text:
            return way.validate(restored(json.loads(text), self._decrypt))
        if way.read is not None:
            try:
                return way.read(text)
            except ValidationError:  # it may be text that only Python reads; else this says so again
                pass
        return way.validate(json.loads(text))

    def digest(self, *values: Any) -> str:
        """The same for equal values only; says nothing about them to whoever lacks the key."""
        parts = [value if isinstance(value, str) else self._blinded(value) for value in values]
        try:
            text = _in_order(parts)
        except UnicodeEncodeError:
            text = json.dumps(parts, sort_keys=True).encode()
        return self._keyed(text)

    def secrets(self, value: Any) -> frozenset[str]:
        """What is secret in a value, as text; not what is too short to be told from other words."""
        declared: Any = type(value)
        way = _way(declared)
        if way.direct:
            return frozenset()
        found: set[str] = set()

        def collect(mark: str, text: str) -> str:
            found.update(word for word in words(mark, text) if isinstance(word, str) and len(word) >= _SHORTEST)
            return ""

        plain(way.dump(value, warnings=False), collect)
        return frozenset(found)

    def as_encoded(self, value: Any, text: Json) -> Any:
        """What `digest` takes for a value that was just encoded as `text`: the text is not made a second time."""
        declared: Any = type(value)
        return value if not _way(declared).direct or MAY_BE_MARKED in text else Encoded(text)

    def derived(self, name: str) -> bytes:
        """A key for this purpose alone, the same each time; who has it cannot tell this codec's."""
        return base64.urlsafe_b64encode(hashlib.blake2b(name.encode(), key=self._mac, digest_size=32).digest())

    def resealed(self, text: Json, by: "Codec") -> Json:
        """What was encoded here, with its secrets encrypted by another codec instead."""
        if MAY_BE_MARKED not in text:
            return text
        return written(restored(json.loads(text), self._decrypt), by._encrypt)  # noqa: SLF001 - one class

    def mask(self, text: str) -> str:
        """`text` with stars for every secret that was encoded or decoded here."""
        return self._masks.masked(text)

    def mask_json(self, text: Json) -> Json:
        """JSON text, masked; stars alone where it would be none with stars in it, as for a number."""
        masked = self.mask(text)
        if masked != text:
            try:
                json.loads(masked)
            except ValueError:
                return json.dumps(STARS)
        return masked

    def _blinded(self, value: Any) -> Any:
        """A value in JSON's own types, with digests for the secrets in it."""
        if type(value) is Encoded:
            try:
                return msgspec.json.decode(value.text)
            except msgspec.DecodeError:  # text that only Python reads
                return json.loads(value.text)
        declared: Any = type(value)
        way = _way(declared)
        text = way.text(value, warnings=False)
        return plain(way.dump(value, warnings=False), self._blind) if text is None else msgspec.json.decode(text)

    def _keyed(self, text: bytes) -> str:
        return hashlib.blake2b(text, key=self._mac, digest_size=16).hexdigest()

    def _know(self, mark: str, text: str) -> None:
        for word in words(mark, text):
            self._masks.know(word)

    def _encrypt(self, mark: str, text: str) -> str:
        self._know(mark, text)
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def _blind(self, mark: str, text: str) -> str:
        self._know(mark, text)
        return self._keyed(text.encode("utf-8", "surrogatepass"))

    def _decrypt(self, mark: str, text: str) -> str:
        try:
            found = self._fernet.decrypt(text.encode()).decode("utf-8", "surrogatepass")
        except InvalidToken as error:
            raise StoreError(
                "a secret in the store was encrypted with another key: set ORBITS_SECRET_KEY, or put back the file "
                "secret.key beside the store, to what it was when the secret was written"
            ) from error
        self._know(mark, found)
        return found


class Encoded(NamedTuple):
    """A value by its text, in which nothing has to be looked at again."""

    text: Json


class _Way:
    """How values of one declared type become text and come back."""

    __slots__ = (
        "_certain",
        "_declared",
        "_floats",
        "_secrets",
        "_write",
        "direct",
        "dump",
        "many",
        "read",
        "validate",
    )

    def __init__(self, declared: Any, adapter: TypeAdapter[Any]) -> None:
        schema = adapter.core_schema
        self.direct = is_direct(schema)  # pydantic's core does it by itself
        self._floats = has_floats(schema)
        self._secrets = has_secrets(schema)
        self._certain = declared if declared in _CERTAIN else None
        self._declared = declared
        self.many = {} if self.direct else fields_of_many(schema)
        self._write = adapter.serializer.to_json
        self.read: Callable[[str], Any] | None = adapter.validator.validate_json if is_read_alike(schema) else None
        self.dump = dump_of(adapter.serializer)
        self.validate: Callable[[Any], Any] = adapter.validator.validate_python

    def text(self, value: Any, warnings: Literal["error", False] = "error", most: float = inf) -> Json | None:
        """The JSON text of a value; None if it takes more than pydantic's core to say what it is, or what is wrong.

        One that is longer than `most` is not looked at any closer: that would take seconds, in which all else waits.
        """
        if not self.direct:
            return None
        try:
            if type(value) is self._certain:  # "error" costs four times the rest, so it is left out where it can be
                warnings = False
            text = self._write(value, warnings=warnings).decode()
        except (PydanticSerializationError, TypeError, ValueError, RecursionError):
            return None
        if len(text) > most:
            return text
        if MAY_BE_MARKED in text or _REPLACED in text:
            return None
        if self._floats and "null" in text and not is_finite(self.dump(value, warnings=False)):
            return None
        return None if len(text) > _MOST_DIGITS and _too_many_digits(text) else text

    def in_parts(self, value: Any) -> Any:
        """`value` in Python's own containers, to be written: many values in a field of it are dumped one by one."""
        return in_parts(value, self.many if type(value) is self._declared else {}, self.dump)

    def check_secrets(self, value: Any) -> None:
        """Raise ValueError where a field that is declared to be secret holds what is none: it would not be sealed."""
        if not self._secrets:
            return
        try:
            self._write(value, warnings=False)  # which alone tells: what is written here is masked
        except PydanticSerializationError as error:
            if CONCEALER in str(error):
                raise ValueError("a field that is declared to be secret holds plain text or bytes") from None


@lru_cache(maxsize=4096)
def _way(declared: Any) -> _Way:
    try:
        return _Way(declared, TypeAdapter(declared))
    except PydanticUserError as error:
        raise Refused(
            f"{_type_name(declared)} cannot be recorded: pydantic has no schema for it ({error.message}). Use a model "
            f"or a dataclass."
        ) from error


def _type_name(declared: Any) -> str:
    return declared.__name__ if isinstance(declared, type) else str(declared)
