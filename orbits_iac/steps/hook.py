"""Hooks that touch the world, run as Actions: what `define_stack`, `read` or `create` are to the engine."""

import base64
import inspect
import io
import pickle
import typing
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel, create_model

from orbits_iac.model.retry import Retry
from orbits_iac.steps.action import Action
from orbits_iac.steps.options import Options
from orbits_iac.steps.step import Step, bind, kind_of, options_of


def hook(  # noqa: PLR0913 - a step's settings, by keyword
    method: Callable[..., Any],
    *arguments: Any,
    returns: Any = None,
    handle: Any = None,
    watch: Callable[..., Any] | None = None,
    on_interrupted: Callable[..., Any] | None = None,
    idempotent: bool = False,
    reads: bool = False,
    retry: Retry | None = None,
    timeout: timedelta | None = None,
) -> Action[Any, Any]:
    """An Action that calls a bound method of a step: `self.do("read", hook(self.read, live, returns=State | None))`.

    The step's fields and `arguments` are recorded as the Action's argument. Inside the method `self.execution` is the
    Action's own, with its token, attempt, progress and target. `returns` is the type of the result, `handle` that of
    what the method hands to `watch` in an `InProgress`. `watch` and `on_interrupted` are methods of the same step;
    `watch` is called with the handle and, where it takes more, with the arguments, so that a handle can stay small.
    One that only `reads` needs nobody's approval: it runs under a plan, which does not show it.
    """
    step = cast("Step[Any]", method.__self__)  # type: ignore[attr-defined]
    names = (method.__name__, _name(watch), _name(on_interrupted))
    types = tuple(_types(method, arguments).items())
    cls: Any = _action_class(type(step), names, types, returns, handle, idempotent, reads, retry, timeout)
    values = {name: value for (name, _), value in zip(types, arguments, strict=True)}
    return cast("Action[Any, Any]", cls(subject=step, **values))


@lru_cache(maxsize=4096)
def is_hook(cls: type[Step[Any]]) -> bool:
    """Whether an Action's class was made by `hook`: it is part of the step above it, not one that people see."""
    return bool(getattr(cls, "orbits_hook", False))


def only_reads(cls: type[Step[Any]]) -> bool:
    """Whether an Action's class was made by `hook` of what only reads."""
    return bool(getattr(cls, "orbits_reads", False))


def packed(cls: type[Step[Any]]) -> str:
    """The class of a hook, for another process to make it again from the same code.

    Raises TypeError where what it takes or returns has no name that the other could find it by.
    """
    try:
        return base64.b64encode(pickle.dumps(cls.orbits_hook)).decode()  # type: ignore[attr-defined]
    except (pickle.PicklingError, AttributeError) as error:
        raise TypeError(f"{kind_of(cls)} cannot run in another process: {error}") from error


def unpacked(text: str, main: str) -> type[Action[Any, Any]]:
    """The class that was packed; `main` is the name by which the program of the other process is imported here."""
    return _action_class(*_Named(io.BytesIO(base64.b64decode(text)), main).load())


class _Named(pickle.Unpickler):
    """Finds classes by their names; a program's own file is `__main__` where it was started, and a module here."""

    def __init__(self, file: io.BytesIO, main: str) -> None:
        super().__init__(file)
        self._main = main

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(self._main if module == "__main__" else module, name)


def _name(method: Callable[..., Any] | None) -> str | None:
    return None if method is None else method.__name__


def _types(method: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The fields for the arguments: a model's own class, else what the method's annotation says."""
    declared = _parameters(method.__func__)  # type: ignore[attr-defined]
    return {
        name: type(value) if isinstance(value, BaseModel) else hint
        for (name, hint), value in zip(declared, arguments, strict=False)
    }


@lru_cache(maxsize=4096)
def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, Any], ...]:
    """What a method takes after `self`, each with its annotation."""
    names = [*inspect.signature(function).parameters][1:]
    try:
        hints = typing.get_type_hints(function)
    except NameError:  # names that are imported for type checkers only
        hints = {}
    return tuple((name, _concrete(hints.get(name, Any))) for name in names)


def _concrete(hint: Any) -> Any:
    return Any if getattr(hint, "__parameters__", ()) or type(hint).__name__ == "TypeVar" else hint


@lru_cache(maxsize=4096)
def _action_class(  # noqa: PLR0913, PLR0917 - a cache key
    cls: type[Step[Any]],
    names: tuple[str, str | None, str | None],
    types: tuple[tuple[str, Any], ...],
    returns: Any,
    handle: Any,
    idempotent: bool,  # noqa: FBT001 - as above
    reads: bool,  # noqa: FBT001 - as above
    retry: Retry | None,
    timeout: timedelta | None,
) -> type[Action[Any, Any]]:
    main, watch, interrupted = names
    fields = [name for name, _ in types]
    options = Options(kind=f"{kind_of(cls)}.{main}", idempotent=idempotent)
    former = options_of(cls).get("former_kinds", ())
    if former:
        options["former_kinds"] = [f"{kind}.{main}" for kind in former]
    if retry is not None:
        options["retry"] = retry
    if timeout is not None:
        options["timeout"] = timeout
    body: dict[str, Any] = {"main": _call(cls, main, fields), "options": options, "__module__": cls.__module__}
    if watch is not None:
        body["watch"] = _call(cls, watch, fields[: _more(getattr(cls, watch))])
    if interrupted is not None:
        body["on_interrupted"] = _call(cls, interrupted, fields)
    base = type(f"_{cls.__name__}_{main}", (Action[returns, handle],), body)
    made: Any = create_model(f"{cls.__name__}.{main}", __base__=base, subject=(cls, ...), **dict(types))
    made.options = options
    made.orbits_hook = (cls, names, types, returns, handle, idempotent, reads, retry, timeout)
    made.orbits_reads = reads
    return cast("type[Action[Any, Any]]", made)


def _more(watch: Callable[..., Any]) -> int:
    """How many arguments the unbound method `watch` takes after `self` and the handle."""
    return max(0, len(inspect.signature(watch).parameters) - 2)


def _call(cls: type[Step[Any]], name: str, fields: list[str]) -> Callable[..., Any]:
    """A method of the Action that binds its subject and calls the subject's method `name`.

    The arguments are what the method is called with (the handle, for `watch`), then the Action's own `fields`.
    """

    def bound(self: Any) -> Callable[..., Any]:
        bind(self.subject, self.execution)
        return cast("Callable[..., Any]", getattr(self.subject, name))

    def arguments(self: Any, given: tuple[Any, ...]) -> list[Any]:
        return [*given, *(getattr(self, field) for field in fields)]

    def call(self: Any, *given: Any) -> Any:
        return bound(self)(*arguments(self, given))

    async def call_async(self: Any, *given: Any) -> Any:
        return await bound(self)(*arguments(self, given))

    method = getattr(cls, name)
    call.__wrapped__ = call_async.__wrapped__ = method  # type: ignore[attr-defined] # where errors say that it stands
    return call_async if inspect.iscoroutinefunction(method) else call
