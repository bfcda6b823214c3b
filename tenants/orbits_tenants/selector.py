"""Selector: which tenants are meant, by their labels; the language is that of all of Orbits."""

from orbits_iac.provider import Selector

__all__ = ["Selector"]
