"""What a hook returns, as it is recorded: what cannot be kept is an error that names the hook and where it stands."""

import inspect
from collections.abc import Callable
from typing import Any

from orbits_iac.codec import Codec
from orbits_iac.engine.calls import line_of
from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import Json


def recorded(codec: Codec, value: Any, declared: Any, hook: Callable[..., Any]) -> Json:
    """The text of what `hook` returned, or handed to its watch; `Refused` with the hook's line if it cannot be kept."""
    try:
        return codec.encode(value, declared)
    except Refused as error:
        code = getattr(inspect.unwrap(hook), "__code__", None)
        where = "" if code is None else f" ({line_of(code.co_filename, code.co_firstlineno)})"
        raise Refused(f"what {_name(hook)}{where} returned: {error}") from error


def _name(hook: Callable[..., Any]) -> str:
    return str(getattr(inspect.unwrap(hook), "__qualname__", hook)).rpartition("<locals>.")[2]
