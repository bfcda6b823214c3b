"""The state of an offline AWS as bytes: everything in it, to go back to.

Resources, accounts, stacks, change sets, faults and settings are a part of it; the log of calls is not. Locks are made
anew, and what is no state (the way that calls take) is connected to the AWS that it is loaded into. The bytes can run
code when they are loaded, as any pickle can: load only what you saved.
"""

import io
import pickle
from collections import defaultdict
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import cloudpickle  # type: ignore[import-untyped] # it has no types

from . import moto_adapter

if TYPE_CHECKING:
    from .cloud import Cloud

_LOCKS = {type(Lock()): Lock, type(RLock()): RLock}
_WORLD = "the world around the stacks"


def dump(cloud: "Cloud") -> bytes:
    """Everything that is in `cloud`."""
    out = io.BytesIO()
    _Saving(out, cloud).dump(
        {
            "moto": moto_adapter.state(),
            "cloudformation": cloud.cloudformation.state(),
            "faults": cloud.gateway.faults.state(),
            "settings": cloud.settings,
        }
    )
    return out.getvalue()


def load(cloud: "Cloud", saved: bytes) -> None:
    """Let `cloud` hold what was saved, and nothing else."""
    moto_adapter.reset()  # before anything is loaded: moto closes the files of all objects in S3 that there are
    cloud.gateway.accounts.clear()
    state: dict[str, Any] = _Loading(io.BytesIO(saved), cloud).load()
    moto_adapter.restore(state["moto"])
    cloud.cloudformation.restore(state["cloudformation"])
    cloud.gateway.faults.restore(state["faults"])
    cloud.configure(state["settings"])


class _Saving(cloudpickle.Pickler):  # type: ignore[misc] # as above
    def __init__(self, file: io.BytesIO, cloud: "Cloud") -> None:
        super().__init__(file)
        self._world = cloud.cloudformation.world

    def persistent_id(self, obj: Any) -> str | None:
        return _WORLD if obj is self._world else None

    def reducer_override(self, obj: Any) -> Any:
        if (lock := _LOCKS.get(type(obj))) is not None:
            return lock, ()
        if isinstance(obj, WeakValueDictionary):
            return _weak, (dict(obj),)
        if isinstance(obj, defaultdict) and type(obj) is not defaultdict:
            return _bare, (type(obj), obj.default_factory), vars(obj), None, iter(obj.items())
        return super().reducer_override(obj)


class _Loading(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, cloud: "Cloud") -> None:
        super().__init__(file)
        self._world = cloud.cloudformation.world

    def persistent_load(self, pid: str) -> Any:
        return self._world


def _bare(cls: type[defaultdict[Any, Any]], factory: Any) -> defaultdict[Any, Any]:
    """An empty one of a class whose `__init__` takes other arguments than a defaultdict's."""
    made = cls.__new__(cls)
    made.default_factory = factory
    return made


def _weak(items: dict[Any, Any]) -> WeakValueDictionary[Any, Any]:
    return WeakValueDictionary(items)
