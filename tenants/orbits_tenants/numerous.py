"""Models of which a fleet has one for each tenant: in a roll-out's memory, and in that of whoever reads its report.

What always holds: what is kept of one comes back as an equal one; of a thousand that say little, little is kept.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

from orbits_iac.provider import is_kept


class Numerous(BaseModel):
    """A model that there are many of. What a field is where nothing is said stays so for ever: that is not kept.

    pydantic keeps beside each instance a set of the fields that it was given: of a report that was read 2.3 kB, thrice
    what that says. Here those that were given the same have one set: they are frozen, so nobody changes it.
    """

    model_config = ConfigDict(frozen=True)

    def model_post_init(self, context: Any, /) -> None:
        """Once its fields are there."""
        _share_given(self)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with other values for the fields that are named."""
        copied = super().model_copy(update=update, deep=deep)
        _share_given(copied)
        return copied

    @model_serializer(mode="wrap")
    def _without_what_goes_unsaid(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        if not is_kept(info):
            return written
        mine, unsaid = vars(self), _unsaid(type(self))
        return {name: value for name, value in written.items() if name not in unsaid or mine[name] != unsaid[name]}


_GIVEN: dict[frozenset[str], set[str]] = {}


def _share_given(one: Numerous) -> None:
    given = one.model_fields_set
    object.__setattr__(one, "__pydantic_fields_set__", _GIVEN.setdefault(frozenset(given), given))


@cache
def _unsaid(model: type[Numerous]) -> Mapping[str, Any]:
    """What its fields are where nothing is said, whichever of its classes it is read as."""
    classes = [cls.model_fields for cls in model.__mro__ if issubclass(cls, Numerous)]
    return {
        name: field.default
        for name, field in model.model_fields.items()
        if not field.is_required() and all(field.default == of[name].default for of in classes if name in of)
    }
