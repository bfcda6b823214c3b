"""A tenant's overrides: the fields of its stack that are otherwise than for the others. Pure.

Called where a fleet makes a tenant's stack, and where a list or a decision is checked before it is kept.
"""

from typing import Any, TypeVar

from pydantic import SecretBytes, SecretStr, ValidationError

from orbits_iac import Resource
from orbits_iac.provider import UsageError, in_words
from orbits_tenants.tenant import Tenant

S = TypeVar("S", bound=Resource[Any])


def overridden(tenant: Tenant, stack: S) -> S:
    """A stack with what is said of its tenant; UsageError names the fields that it cannot have so."""
    if not tenant.overrides and not tenant.pinned:
        return stack
    try:
        return type(stack).model_validate({**dict(stack), **tenant.overrides, **tenant.pinned})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'pinned' if each['loc'] and each['loc'][0] in tenant.pinned else 'overrides'}: "
            f"{'.'.join(map(str, each['loc']))}: {in_words(each)}"
            for each in error.errors()
        )
        raise UsageError(f"tenant {tenant.id}, {wrong}") from error


def refuse_plain_secrets(tenant: Tenant, stack: Resource[Any]) -> None:
    """Raise UsageError where a field of a stack is secret, and what a tenant has there would be kept as it stands."""
    given = {**tenant.overrides, **tenant.pinned}
    open_ = [
        name
        for name, value in given.items()
        if isinstance(getattr(stack, name, None), SecretStr | SecretBytes)
        and not isinstance(value, SecretStr | SecretBytes)
    ]
    if open_:
        raise UsageError(
            f"tenant {tenant.id}: {', '.join(open_)} is secret, and what a list or a pin says is kept as it stands: "
            f"let stack() read it, or give it as a SecretStr"
        )
