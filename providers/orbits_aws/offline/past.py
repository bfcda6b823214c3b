"""How a service was in an account before its latest write: what stale reads are answered from.

Kept only where a standing fault asks for stale reads: before each write there, moto's objects of that service and
account are frozen; a stale read thaws them, puts them in the place of the present ones, asks, and puts those back.
While it does, other calls to the same service wait. A service that is not moto's keeps its past itself (`Keeper`), or
has none. Used by the gateway alone.
"""

from collections import defaultdict
from collections.abc import Callable
from threading import RLock
from typing import Protocol as Interface

from . import moto_state
from .calls import is_write
from .freeze import freeze, thaw
from .identify import Identity
from .wire import Answer, Environ

Work = Callable[[], Answer]
_Key = tuple[str, str]


class Keeper(Interface):
    """A service that keeps its past itself."""

    def keep(self) -> bytes:
        """What it holds now."""
        ...

    def ask(self, before: bytes, identity: Identity, environ: Environ) -> Answer:
        """What it would have answered when it held `before`."""
        ...


class Past:
    """The frozen pasts, by service and account."""

    def __init__(self) -> None:
        """Start without any."""
        self.keepers: dict[str, Keeper] = {}
        self._frozen: dict[_Key, bytes] = {}
        self._turns: defaultdict[str, RLock] = defaultdict(RLock)

    def known(self, identity: Identity) -> bool:
        """Whether the service's past in the call's account is known."""
        return (identity.service, identity.account) in self._frozen

    def watched(self, identity: Identity, work: Work, *, remember: bool) -> Answer:
        """Do a call's work; if told to `remember`, keep how the service was before a write that succeeds.

        Raises LookupError or freeze's Unfreezable where the service's past cannot be kept.
        """
        if not remember and identity.service not in self._turns:
            return work()
        with self._turns[identity.service]:
            if not remember or not is_write(identity.operation):
                return work()
            key = (identity.service, identity.account)
            keeper = self.keepers.get(identity.service)
            before = keeper.keep() if keeper else freeze({**moto_state.backends(*key)})
            answer = work()
            if answer.error_code is None:
                self._frozen[key] = before
            return answer

    def answer(self, identity: Identity, environ: Environ, work: Work) -> Answer:
        """What a read would have been answered before the latest write."""
        key = (identity.service, identity.account)
        if keeper := self.keepers.get(identity.service):
            return keeper.ask(self._frozen[key], identity, environ)
        with self._turns[identity.service]:
            present = moto_state.backends(*key)
            kept = dict(present)
            before = thaw(self._frozen[key])
            try:
                present.clear()
                present.update(before)
                return work()
            finally:
                present.clear()
                present.update(kept)

    def clear(self) -> None:
        """Forget all pasts."""
        self._frozen.clear()
        self._turns.clear()
