"""JSON of a list of tenants, read more strictly than Python does: what people cannot have meant is an error.

Called by the sources that read JSON.
"""

import json
from collections.abc import Callable
from typing import Any, NoReturn

from orbits_iac.provider import UsageError

Wrong = Callable[[str, str], UsageError]
"""What makes the error, of the place in the text (`, line 3`, or nothing) and of what is wrong there."""


def json_of(text: str, wrong: Wrong) -> Any:
    """What the text says. Equal keys in one object, numbers that are none and endless nesting are refused."""
    try:
        return json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        broken = text and (error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"))
        what = "is not valid JSON, for it breaks off" if broken else "is not valid JSON"
        raise wrong(f", line {error.lineno}", f"{what}: {error.msg}") from error
    except _Refused as error:
        raise wrong("", str(error)) from error
    except RecursionError as error:
        raise wrong("", "is nested deeper than any list of tenants") from error


class _Refused(Exception):
    """JSON that Python takes, and people did not mean."""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets the last of equal keys win."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Refused(f"the key {key!r} is there twice in one object")
        found[key] = value
    return found


def _no_number(name: str) -> NoReturn:
    raise _Refused(f"{name} is no number that JSON has")
