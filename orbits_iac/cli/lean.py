"""Reading texts, numbers and flags without pydantic, which Typer loads from 0.29 on: a third of a command's start.

What is read comes out as Typer would read it, and what is below a parameter's `min` or above its `max` is refused.
Parameters of any other type are left to Typer, and so are all in a version of it that reads them in another way.
"""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_PLAIN: dict[Any, Any] = {str: str, bool: bool, int: int}


class Lean(TyperCommand):
    """A command whose parameters are read so."""

    def get_params(self, ctx: Any) -> Any:
        return [lightened(param) for param in super().get_params(ctx)]


class LeanGroup(TyperGroup):
    """Commands with a name of their own in common, whose own parameters are read so."""

    def get_params(self, ctx: Any) -> Any:
        return [lightened(param) for param in super().get_params(ctx)]


def lightened(param: Any) -> Any:
    """The parameter, set to read its values by itself if they are texts, numbers or flags."""
    descriptor = getattr(param, "type_descriptor", None)
    if getattr(param, "_runtime_param", param) is None and descriptor is not None and not _clamped(descriptor):
        several = param.multiple or param.nargs == -1
        kind = str if descriptor.annotation == list[str] and several else descriptor.annotation
        if kind in _PLAIN:
            info = descriptor.parameter_info
            read = _Plain(_PLAIN[kind], several=several, least=info.min, most=info.max)
            param._runtime_param = read  # noqa: SLF001 - there is no other way in
    return param


def _clamped(descriptor: Any) -> bool:
    """Whether what is out of a parameter's range is brought into it."""
    return bool(getattr(descriptor.parameter_info, "clamp", False))


class _Plain:
    """What Typer asks to read a value."""

    def __init__(self, kind: Any, *, several: bool, least: float | None = None, most: float | None = None) -> None:
        self._kind = kind
        self._several = several
        self._least = least
        self._most = most

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if self._several else None
        if self._several:
            return tuple(self._kind(one) for one in value)
        try:
            found = self._kind(value)
        except ValueError:
            name = "integer" if self._kind is int else self._kind.__name__
            raise typer.BadParameter(f"{value!r} is not a valid {name}.", ctx=ctx, param=param) from None
        if self._least is not None and found < self._least:
            raise typer.BadParameter(f"{found} is too small: it is at least {self._least}.", ctx=ctx, param=param)
        if self._most is not None and found > self._most:
            raise typer.BadParameter(f"{found} is too large: it is at most {self._most}.", ctx=ctx, param=param)
        return found
