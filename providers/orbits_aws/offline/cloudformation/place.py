"""Whose stacks a call is about, and what it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .world import partition

Request = Mapping[str, Any]
"""The arguments of a call, under the API's own names."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Whose stacks a call is about."""

    account: str
    region: str

    @property
    def prefix(self) -> str:
        """What the ARNs of stacks and change sets here begin with."""
        return f"arn:{partition(self.region)}:cloudformation:{self.region}:{self.account}"
