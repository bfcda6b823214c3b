"""Superseded: a roll-out in whose place another one is to come begins no further tenant, and those under way end.

That is the safe point: the one that comes begins once this one has reported whom it has reached. What goes back, or is
removed, is brought to its end.
"""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from orbits_tenants.report import SUPERSEDED

if TYPE_CHECKING:
    from orbits_iac.provider import Flow

T = TypeVar("T")


class Superseded:
    """Whether a roll-out is; true once it is."""

    def __init__(self, flow: "Flow") -> None:
        self._by = flow.superseded

    def __bool__(self) -> bool:
        return self._by.done()

    @property
    def why(self) -> str:
        """By what, for people; "" if it is not."""
        return f"{SUPERSEDED} execution {self._by.result()}" if self else ""

    async def unless(self, what: Coroutine[Any, Any, T]) -> T | None:
        """What it comes to; None as soon as the roll-out is superseded: it is cancelled then."""
        under_way = asyncio.ensure_future(what)
        try:
            await asyncio.wait((under_way, self._by), return_when=asyncio.FIRST_COMPLETED)
            return under_way.result() if under_way.done() else None
        finally:
            if under_way.cancel():
                await asyncio.wait((under_way,))
