"""The executor that a Workflow or Resource says for all Actions below it, as rows keep it.

An Action's own, or that of its `do`, counts for more; of those above, the nearest. It is handed down to executions of
their own, and kept with each record, so that cycles and rollbacks run where updates do.
"""

import importlib
import json
from dataclasses import is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import ExecutionRow, Json
from orbits_iac.steps.action import Action
from orbits_iac.steps.options import Executor, Options
from orbits_iac.steps.step import Step, options_of

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine


def with_handed(cls: type[Step[Any]], options: Options, handed: Executor | None) -> Options:
    """The options of an Action with the executor that was handed down to it, if it has none of its own."""
    if handed is None or "executor" in options or not issubclass(cls, Action):
        return options
    return {**options, "executor": handed}


def executor_of(engine: "Engine", row: ExecutionRow) -> Executor | None:
    """What an execution hands down to its steps: as its row says, else its class."""
    if row.executor is not None:
        return executor_from(row.executor)
    cls = engine.registry.find(row.kind)
    return None if cls is None else options_of(cls).get("executor")


def text_of(executor: Executor | None) -> Json | None:
    """An executor as a row keeps it; `Refused` for one that another process could not make again."""
    if executor is None:
        return None
    cls: Any = type(executor)
    name = f"{cls.__module__}:{cls.__qualname__}"
    if cls.__module__ == "__main__" or "<" in name or (vars(executor) and not is_dataclass(cls)):
        raise Refused(
            f"the executor {name} cannot be handed down, as other processes could not make it: it has to be a "
            f"dataclass of a module that they can import"
        )
    adapter = _adapter(cls)
    settings = {} if adapter is None else adapter.dump_python(executor, mode="json")
    return json.dumps({"executor": name, "settings": settings})


@lru_cache(maxsize=64)
def executor_from(text: Json) -> Executor:
    """The executor that was kept; `Refused` where its class is gone or takes other settings now."""
    kept = json.loads(text)
    module, _, name = kept["executor"].partition(":")
    try:
        cls: Any = getattr(importlib.import_module(module), name)
        adapter = _adapter(cls)
        made: Executor = cls() if adapter is None else adapter.validate_python(kept["settings"])
    except (ImportError, AttributeError, ValidationError) as error:
        raise Refused(f"the executor {kept['executor']} that was handed down cannot be made here: {error}") from error
    return made


def _adapter(cls: Any) -> TypeAdapter[Any] | None:
    """What reads and writes the settings of an executor; None if its class has none."""
    return TypeAdapter(cls) if hasattr(cls, "__dataclass_fields__") else None
