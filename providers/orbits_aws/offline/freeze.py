"""Objects of moto and of the offline AWS as bytes, and back.

`cloudpickle`, with what it cannot do by itself: locks come back open, private keys go as PEM. What lives as long as the
process (`standing`) is left out and put in again under its name. Thawing runs what the bytes say: only bytes that this
program wrote may be thawed. Used for saved states and for stale reads.
"""

import io
import pickle
from collections import defaultdict
from collections.abc import Mapping
from threading import Lock, RLock
from typing import Any
from weakref import WeakValueDictionary

import cloudpickle  # type: ignore[import-untyped] # it has no types

_LOCKS = {type(Lock()): Lock, type(RLock()): RLock}


class Unfreezable(TypeError):
    """An object that cannot be kept: a service holds something that only lives in this process."""


def freeze(thing: object, standing: Mapping[str, object] | None = None) -> bytes:
    """The bytes of an object. Raises Unfreezable."""
    buffer = io.BytesIO()
    try:
        _Freezer(buffer, standing or {}).dump(thing)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as failure:
        raise Unfreezable(f"{type(thing).__name__} holds what cannot be kept: {failure}") from failure
    return buffer.getvalue()


def thaw(data: bytes, standing: Mapping[str, object] | None = None) -> Any:
    """The object of bytes that `freeze` wrote. Raises ValueError for bytes that are no such object."""
    try:
        return _Thawer(io.BytesIO(data), standing or {}).load()
    except Exception as failure:
        raise ValueError(f"these bytes are no object of this version of the offline AWS: {failure!r}") from failure


class _Freezer(cloudpickle.Pickler):  # type: ignore[misc] # it has no types
    def __init__(self, buffer: io.BytesIO, standing: Mapping[str, object]) -> None:
        super().__init__(buffer)
        self._names = {id(thing): name for name, thing in standing.items()}

    def persistent_id(self, obj: Any) -> str | None:
        return self._names.get(id(obj))

    def reducer_override(self, obj: Any) -> Any:
        if (lock := _LOCKS.get(type(obj))) is not None:
            return lock, ()
        if isinstance(obj, WeakValueDictionary):
            return _weak, (dict(obj),)
        if isinstance(obj, defaultdict) and type(obj) is not defaultdict:
            return _bare, (type(obj), obj.default_factory), vars(obj), None, iter(obj.items())
        if type(obj).__module__.startswith("cryptography.hazmat.bindings"):
            return _cryptographic(obj)
        return super().reducer_override(obj)


class _Thawer(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, standing: Mapping[str, object]) -> None:
        super().__init__(buffer)
        self._standing = standing

    def persistent_load(self, pid: Any) -> object:
        return self._standing[str(pid)]


def _bare(cls: type[defaultdict[Any, Any]], factory: Any) -> defaultdict[Any, Any]:
    """An empty one of a class whose `__init__` takes other arguments than a defaultdict's."""
    made = cls.__new__(cls)
    made.default_factory = factory
    return made


def _weak(items: dict[Any, Any]) -> WeakValueDictionary[Any, Any]:
    return WeakValueDictionary(items)


def _cryptographic(obj: Any) -> Any:
    """Keys and certificates, which cryptography keeps outside Python."""
    from cryptography.hazmat.primitives import serialization as as_bytes

    pem = as_bytes.Encoding.PEM
    if hasattr(obj, "private_bytes"):
        text = obj.private_bytes(pem, as_bytes.PrivateFormat.PKCS8, as_bytes.NoEncryption())
        return _read_pem, ("private key", text)
    if hasattr(obj, "verify"):
        return _read_pem, ("public key", obj.public_bytes(pem, as_bytes.PublicFormat.SubjectPublicKeyInfo))
    if hasattr(obj, "public_bytes"):
        return _read_pem, ("certificate", obj.public_bytes(pem))
    return NotImplemented


def _read_pem(kind: str, text: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    if kind == "private key":
        return load_pem_private_key(text, None)
    return load_pem_public_key(text) if kind == "public key" else load_pem_x509_certificate(text)
