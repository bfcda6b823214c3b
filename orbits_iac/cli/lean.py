"""Reading texts, numbers and flags without pydantic, which Typer loads from 0.29 on: a third of a command's start.

What is read comes out as Typer would read it. Parameters of any other type are left to Typer, and so are all in a
version of it that reads them in another way.
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
    if getattr(param, "_runtime_param", param) is None and descriptor is not None:
        several = param.multiple or param.nargs == -1
        kind = str if descriptor.annotation == list[str] and several else descriptor.annotation
        if kind in _PLAIN:
            param._runtime_param = _Plain(_PLAIN[kind], several=several)  # noqa: SLF001 - there is no other way in
    return param


class _Plain:
    """What Typer asks to read a value."""

    def __init__(self, kind: Any, *, several: bool) -> None:
        self._kind = kind
        self._several = several

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if self._several else None
        if self._several:
            return tuple(self._kind(one) for one in value)
        try:
            return self._kind(value)
        except ValueError:
            name = "integer" if self._kind is int else self._kind.__name__
            raise typer.BadParameter(f"{value!r} is not a valid {name}.", ctx=ctx, param=param) from None
