"""A policy that hangs until it is told to go on: what a person does meanwhile, or a later roll-out."""

import asyncio
import threading

from orbits_iac.provider import Change
from orbits_tenants import Tenant


class Hanging:
    """Says nothing of anybody, once it may go on."""

    def __init__(self) -> None:
        self.looked, self.go_on = threading.Event(), threading.Event()

    def __call__(self, tenant: Tenant, change: Change) -> str:
        self.looked.set()
        self.go_on.wait(30)
        return ""

    async def is_looking(self) -> bool:
        """Whether it was asked, which is waited for."""
        return await asyncio.to_thread(self.looked.wait, 30)
