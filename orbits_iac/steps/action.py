"""Action: the smallest durable unit; and `@action`, which makes one from a function."""

import inspect
import typing
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, Generic, ParamSpec, Protocol, cast, overload

from pydantic import create_model
from typing_extensions import TypeVar, Unpack

from orbits_iac.model.errors import Interrupted
from orbits_iac.steps.options import Options
from orbits_iac.steps.step import Step, kind_of, type_argument

P = ParamSpec("P")
R = TypeVar("R", default=None)
T = TypeVar("T")
H = TypeVar("H", default=None)


class InProgress(Generic[H]):
    """Not finished; `watch` is called with `handle` every `poll` until it returns something else."""

    def __init__(self, handle: H, poll: timedelta = timedelta(seconds=5)) -> None:
        self.handle = handle
        self.poll = poll


class Action(Step[R], Generic[R, H]):
    """The smallest durable unit: `main()`, then `watch(handle)` until it returns something other than `InProgress`.

    `R` is the result, `H` the handle that `main` hands to `watch`. Each hook is `async def`, or a plain `def`, which
    runs in a thread. That `main` starts is durable before it does; what it returned is handed on once.
    """

    @abstractmethod
    def main(self) -> Awaitable[R | InProgress[H]] | R | InProgress[H]:
        """Do it, or begin it and return `InProgress(handle)`."""

    def watch(self, handle: H, /) -> Awaitable[R | InProgress[H]] | R | InProgress[H]:
        """Look whether what `main` began is done; only called with a handle that is durable."""
        raise NotImplementedError(f"{kind_of(type(self))}.main returned InProgress, but there is no watch()")

    def on_interrupted(self) -> Awaitable[R | InProgress[H]] | R | InProgress[H]:
        """Find out how far `main` got when its process died; only asked of an Action that is not idempotent."""
        raise Interrupted(
            f"{kind_of(type(self))} was running when its process died, and is not idempotent: nobody knows how far "
            f"it got. Give it on_interrupted(), or options = Options(idempotent=True) if it may run twice."
        )


@lru_cache(maxsize=4096)
def handle_type(cls: type[Action[Any, Any]]) -> Any:
    """The `H` of `Action[R, H]`, None where none was given."""
    return type_argument(cls, Action, 1)


class _Decorator(Protocol):
    """What `@action(...)` with settings is."""

    @overload
    def __call__(self, fn: Callable[P, Awaitable[T]], /) -> Callable[P, Action[T]]: ...

    @overload
    def __call__(self, fn: Callable[P, T], /) -> Callable[P, Action[T]]: ...


@overload
def action(fn: Callable[P, Awaitable[T]], /) -> Callable[P, Action[T]]: ...


@overload
def action(fn: Callable[P, T], /) -> Callable[P, Action[T]]: ...


@overload
def action(**options: Unpack[Options]) -> _Decorator: ...


def action(fn: Callable[..., Any] | None = None, /, **options: Unpack[Options]) -> Any:
    """Make an Action from a function: its parameters become fields, its name the kind, its return type the result.

    A plain `def` is allowed and runs in a thread. With settings: `@action(idempotent=True)`. Inside, the function
    has no `self`: what needs a token or progress is written as a class.
    """
    if fn is None:
        return lambda given: _action_of(given, options)
    return _action_of(fn, options)


def _action_of(fn: Callable[..., Any], options: Options) -> Callable[..., Action[Any]]:
    signature = inspect.signature(fn)
    fields = _fields(fn, signature)

    def main(self: Action[Any]) -> Any:
        return fn(**{name: getattr(self, name) for name in fields})

    async def main_async(self: Action[Any]) -> Any:
        return await fn(**{name: getattr(self, name) for name in fields})

    main.__wrapped__ = main_async.__wrapped__ = fn  # type: ignore[attr-defined] # where errors say that it stands
    settings = cast("Options", {"kind": fn.__name__, **options})
    body = {
        "main": main_async if inspect.iscoroutinefunction(fn) else main,
        "options": settings,
        "__module__": fn.__module__,
        "__doc__": fn.__doc__,
    }
    result: Any = typing.get_type_hints(fn).get("return")
    generic: Any = Action
    base = type(f"_{fn.__name__}", (generic[result],), body)
    made: Any = create_model(fn.__name__, __base__=base, __module__=fn.__module__, **fields)
    made.options = settings

    def make(*args: Any, **kwargs: Any) -> Action[Any]:
        return cast("Action[Any]", made(**signature.bind(*args, **kwargs).arguments))

    make.__name__, make.__doc__, make.__module__ = fn.__name__, fn.__doc__, fn.__module__
    return make


def _fields(fn: Callable[..., Any], signature: inspect.Signature) -> dict[str, Any]:
    """A field for each parameter; TypeError where one cannot be a field."""
    hints = typing.get_type_hints(fn)
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise TypeError(f"@action {fn.__name__}: *{parameter.name} cannot be a field; name each parameter")
        if parameter.name not in hints:
            raise TypeError(f"@action {fn.__name__}: the parameter {parameter.name!r} has no type")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    return fields
