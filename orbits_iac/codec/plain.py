"""Values as JSON's own types, and back: what JSON has no word for stands in a dictionary with one mark for its key.

What always holds: `restored(plain(value))` validates to `value` by its type; whatever is secret is handed to `seal`,
with its mark, and stands nowhere else; a dictionary of the user's that looks like a mark of ours comes back as it was.
"""

import base64
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic_core import to_jsonable_python

from orbits_iac.codec.many import Each
from orbits_iac.model.marks import SEALS, Mark

_MARKS = frozenset(mark.value for mark in Mark)

MAY_BE_MARKED = '"$'
"""A text without this has no mark in it."""

as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Seal = Callable[[str, str], str]
"""What becomes of a mark and the text of what is secret, or of what became of that."""

_Secrets = (SecretStr, SecretBytes, Secret)
_LISTS = (list, tuple, deque)
_LEVELS = 2  # of a value that are written item by item: below them are many small ones, or little


def plain(value: Any, seal: Seal) -> Any:
    """`value` in JSON's own types, each secret in it sealed; ValueError for what they cannot say."""
    if value is None or isinstance(value, (bool, int)) or type(value) is str:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {Mark.NUMBER.value: repr(float(value))}
    if isinstance(value, _Secrets):
        return _sealed(value, seal)
    if isinstance(value, bytes):
        return {Mark.BYTES.value: base64.b64encode(value).decode()}
    return _container(value, seal)


def restored(value: Any, unseal: Seal) -> Any:
    """What `plain` was made of, as far as that can be told without its type: ready to be validated."""
    if isinstance(value, dict):
        if len(value) == 1:
            ((mark, inner),) = value.items()
            if mark in _MARKS:
                return _marked(mark, inner, unseal)
        return {key: restored(item, unseal) for key, item in value.items()}
    if isinstance(value, list):
        return [restored(item, unseal) for item in value]
    return value


def is_finite(value: Any) -> bool:
    """Whether JSON has a text for every number in a value that is made of JSON's own containers and tuples."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    return not isinstance(value, (list, tuple)) or all(map(is_finite, value))


def written(value: Any, seal: Seal) -> str:
    """The JSON text of what `plain` makes of `value`, which of a large one is made item by item."""
    return "".join(_pieces(value, seal, _LEVELS))


def text_of(value: Any) -> str:
    """JSON text that is Unicode: what is none (half of a surrogate pair) stands in it as an escape."""
    text = as_json(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return json.dumps(value, separators=(",", ":"))
    return text


def words(mark: str, text: str) -> Iterator[str | bytes]:
    """What is secret in the text of a secret with this mark, as people and libraries would write it."""
    if mark == Mark.SEALED:
        yield text
    elif mark == Mark.SEALED_BYTES:
        yield base64.b64decode(text)
    else:
        yield from _leaves(json.loads(text))


def _pieces(value: Any, seal: Seal, levels: int) -> Iterator[str]:
    """The text of a value: that of each of its items, and of theirs, down to so many levels."""
    if levels and isinstance(value, (dict, Each)) and len(value) > 1:  # one alone may be taken for a mark
        opening = "{"
        for key, item in zip(_keys(value), value.values(), strict=True):
            yield f"{opening}{text_of(key)}:"
            yield from _pieces(item, seal, levels - 1)
            opening = ","
        yield "}"
    elif levels and isinstance(value, _LISTS) and value:
        opening = "["
        for item in value:
            yield opening
            yield from _pieces(item, seal, levels - 1)
            opening = ","
        yield "]"
    else:
        yield text_of(plain(value, seal))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in SEALS:  # a secret inside of a secret is known by itself
                yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif not isinstance(value, bool) and value is not None:
        yield str(value)


def _sealed(value: SecretStr | SecretBytes | Secret[Any], seal: Seal) -> Any:
    if isinstance(value, SecretStr):
        return {Mark.SEALED.value: seal(Mark.SEALED, value.get_secret_value())}
    if isinstance(value, SecretBytes):
        text = base64.b64encode(value.get_secret_value()).decode()
        return {Mark.SEALED_BYTES.value: seal(Mark.SEALED_BYTES, text)}
    return {Mark.SEALED_VALUE.value: seal(Mark.SEALED_VALUE, text_of(plain(value.get_secret_value(), seal)))}


def _container(value: Any, seal: Seal) -> Any:
    if isinstance(value, dict):
        items = {key: plain(item, seal) for key, item in zip(_keys(value), value.values(), strict=True)}
        return {Mark.DICT.value: items} if len(items) == 1 and not _MARKS.isdisjoint(items) else items
    if isinstance(value, _LISTS):
        return [plain(item, seal) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item, seal) for item in value), key=as_json)
    if isinstance(value, BaseModel):
        return plain(dict(value), seal)
    return to_jsonable_python(value)


def _keys(value: Iterable[Any]) -> list[str]:
    keys = [_key(key) for key in value]
    if len(set(keys)) < len(keys):
        raise ValueError("two of its keys are the same as text")
    return keys


def _key(key: Any) -> str:
    if isinstance(key, _Secrets):
        raise ValueError("a secret cannot be a key of a dictionary")  # noqa: TRY004 - it is the place that is wrong
    return key if isinstance(key, str) else str(to_jsonable_python(key))


def _marked(mark: str, inner: Any, unseal: Seal) -> Any:
    match mark:
        case Mark.SEALED:
            return SecretStr(unseal(mark, inner))
        case Mark.SEALED_BYTES:
            return SecretBytes(base64.b64decode(unseal(mark, inner)))
        case Mark.SEALED_VALUE:
            return Secret(restored(json.loads(unseal(mark, inner)), unseal))
        case Mark.BYTES:
            return base64.b64decode(inner)
        case Mark.NUMBER:
            return float(inner)
        case _:
            return {key: restored(item, unseal) for key, item in inner.items()}
