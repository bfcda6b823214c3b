"""The offline AWS of a module, and a member account of it, as the tests of providers have them."""

from tests.providers.conftest import acme, member

__all__ = ["acme", "member"]
