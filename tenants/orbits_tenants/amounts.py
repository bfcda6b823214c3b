"""Amounts of tenants: a number, or a share of all of them. Pure."""

import re
from collections.abc import Sequence
from typing import Any

from orbits_iac.provider import UsageError

_FORM = re.compile(r"^(\d+)(%?)$")


def is_amount(text: str) -> bool:
    """Whether it is a number of tenants (`3`) or a share (`10%`)."""
    found = _FORM.match(text)
    return found is not None and not (found[2] and int(found[1]) > 100)


def counted(count: int) -> str:
    """So many tenants, in words."""
    return f"{count:,} tenant{'' if count == 1 else 's'}"


def few(names: Sequence[str], most: int) -> str:
    """The first of several names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def amount(text: Any, tenants: int, said: str) -> float:
    """What `10%` or `3` is of so many tenants; UsageError, which begins with `said`, if it is none.

    A share is kept exact: ceil() of 7 % of 100 is 7.
    """
    if not isinstance(text, str):
        raise UsageError(f"{said}: {text!r} is no text: give one, as in '3' or '10%'")
    if not is_amount(text):
        raise UsageError(f"{said}: {text!r} is neither a number of tenants ('3') nor a share ('10%')")
    number, share, _ = text.partition("%")
    return int(number) * tenants / 100 if share else int(number)
