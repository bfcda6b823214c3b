"""Step: what Action, Workflow and Resource have in common."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from typing import Any, ClassVar, Generic, cast

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

from orbits_iac.model.errors import Refused
from orbits_iac.steps.execution import Current
from orbits_iac.steps.options import Options, check_labels

R = TypeVar("R", default=None)

OutputsOf = Callable[[Any, str], Awaitable[Any]]
"""What a Resource publishes, by its class and identity; None if nothing of it stands."""


def _refuse_shadows(cls: type) -> None:
    """Raise TypeError where a field of `cls`, or of what it is mixed with, hides a name of the base classes."""
    ours = [base for base in cls.__mro__[1:] if base.__module__.startswith(("orbits_iac.steps", "pydantic."))]
    for owner in cls.__mro__:
        if owner in ours or (owner is not cls and issubclass(owner, Step)):  # which was looked at when it was made
            continue
        for name, annotation in inspect.get_annotations(owner).items():
            hidden = next((base for base in reversed(ours) if name in base.__dict__), None)
            if hidden is None or (_is_setting(annotation) and _is_setting(hidden.__annotations__.get(name))):
                continue
            raise TypeError(
                f"{cls.__qualname__}: the field {name!r} hides {hidden.__name__}.{name}, which Orbits needs. "
                f"Give the field another name."
            )


def _is_setting(annotation: object) -> bool:
    """Whether what is annotated so is the class's, such as `options`, which each class may set anew."""
    return "ClassVar" in str(annotation)


def _check_schedule(cls: type) -> None:
    """Raise TypeError where the class's own schedule could never be kept."""
    schedule = (cls.__dict__.get("options") or {}).get("schedule")
    if schedule is None:
        return
    try:
        schedule.timing  # noqa: B018 - it is made only to be checked
    except (ValueError, AttributeError) as error:
        raise TypeError(f"{cls.__qualname__}: the schedule of its options is wrong: {error}") from error


def _check_labels(cls: type) -> None:
    """Raise TypeError where the class's own labels are none."""
    try:
        check_labels((cls.__dict__.get("options") or {}).get("labels", {}))
    except ValueError as error:
        raise TypeError(f"{cls.__qualname__}: the labels of its options are wrong: {error}") from error


class Step(BaseModel, Generic[R]):
    """What `do` and `run` take: an argument, as pydantic fields, and hooks. Not subclassed by users directly.

    Settings stand in one class variable, `options`; everything that the engine offers stands behind `self.execution`.
    A field that hides a name of the base classes is a TypeError when the class is made.
    """

    __slots__ = ("_execution",)  # a private attribute of pydantic's would double what an instance costs to make

    model_config = ConfigDict(frozen=True, extra="forbid")
    options: ClassVar[Options] = Options()

    @property
    def execution(self) -> Current:
        """The execution that this belongs to; there only while the engine runs one of its hooks."""
        current: Current | None = getattr(self, "_execution", None)
        if current is None:
            raise Refused(
                f"{kind_of(type(self))} is not being run: self.execution is there only in its hooks. "
                f"Give it to `do` or `run` first."
            )
        return current

    def check_inputs(self) -> None:
        """Look at what the step is made from beside its fields (a file, a list), and raise UsageError if it is wrong.

        Called where the step is asked for (`run`, `start`, `preview`, the command line), before anything is written;
        not for steps inside of others. Reads only.
        """

    async def check_request(self, outputs_of: OutputsOf) -> None:
        """Look at what is asked for beside what is recorded, and raise UsageError if that does not fit.

        Called after `check_inputs`, where that is, but with the store open. Reads only.
        """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        _refuse_shadows(cls)
        _check_schedule(cls)
        _check_labels(cls)
        super().__init_subclass__(**kwargs)


def bind(step: Step[Any], execution: Current) -> None:
    """Give `step` its execution: for the engine alone."""
    object.__setattr__(step, "_execution", execution)  # past pydantic, to which a step is frozen


@lru_cache(maxsize=4096)
def kind_of(cls: type[Step[Any]]) -> str:
    """A step's stable name: `Options(kind=)` of the class itself, else the class's own name."""
    own = cls.__dict__.get("options")
    if own and "kind" in own:
        return str(own["kind"])
    metadata = cls.__pydantic_generic_metadata__
    return cast("type", metadata["origin"] or cls).__name__


@lru_cache(maxsize=4096)
def options_of(cls: type[Step[Any]]) -> Options:
    """The class's options merged over its bases', `kind` and `former_kinds` apart."""
    merged: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        own = base.__dict__.get("options")
        if own:
            inherited = {name: value for name, value in own.items() if name not in {"kind", "former_kinds"}}
            merged.update(own if base is cls else inherited)
    return cast("Options", merged)


@lru_cache(maxsize=4096)
def kinds_of(cls: type[Step[Any]]) -> tuple[str, ...]:
    """The kind of a class, and those that it had before it was renamed."""
    return (kind_of(cls), *options_of(cls).get("former_kinds", ()))


@lru_cache(maxsize=4096)
def result_type(cls: type[Step[Any]]) -> Any:
    """What the step returns: the `R` of `Action[R]`, `Workflow[R]` or `Resource[R]`, None where none was given."""
    return type_argument(cls, Step, 0)


def type_argument(cls: type, base: type, position: int) -> Any:
    """What stands for the `position`-th type variable of `base` in `cls`, through any number of generic classes."""
    found = _find(cls, base)
    if found is None or position >= len(found):
        return type(None)
    value = found[position]
    if isinstance(value, typing.TypeVar) or type(value).__name__ == "TypeVar":
        default = getattr(value, "__default__", None)
        return type(None) if default is None or "NoDefault" in repr(default) else default
    return type(None) if value is None else value


def _find(cls: type, base: type) -> tuple[Any, ...] | None:
    if cls is base:
        return tuple(getattr(cls, "__parameters__", ()) or _parameters(cls))
    for parent, arguments in _bases(cls):
        inner = _find(parent, base)
        if inner is None:
            continue
        known = dict(zip(_parameters(parent), arguments, strict=False))
        return tuple(known.get(value, value) if _is_variable(value) else value for value in inner)
    return None


def _bases(cls: type) -> Iterator[tuple[type, tuple[Any, ...]]]:
    """The bases of a class that are models, each with the arguments it was given."""
    metadata: dict[str, Any] = getattr(cls, "__pydantic_generic_metadata__", {"origin": None, "args": ()})
    if metadata["origin"] is not None:
        yield metadata["origin"], tuple(metadata["args"])
        return
    for parent in cls.__bases__:
        if not hasattr(parent, "__pydantic_generic_metadata__"):
            continue
        its = parent.__pydantic_generic_metadata__
        yield (its["origin"], tuple(its["args"])) if its["origin"] is not None else (parent, ())


def _parameters(cls: type) -> tuple[Any, ...]:
    metadata: dict[str, Any] = getattr(cls, "__pydantic_generic_metadata__", {})
    return tuple(metadata.get("parameters", ()))


def _is_variable(value: Any) -> bool:
    return type(value).__name__ == "TypeVar"
