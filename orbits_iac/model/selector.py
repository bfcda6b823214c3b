"""Selector: which of the things that have labels are meant, tenants or records. Pure; the language is Kubernetes'."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from orbits_iac.model.errors import UsageError
from orbits_iac.model.likeness import like

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<not>!)\s*(?P<absent>{_NAME})"
    rf"|(?P<set>{_NAME})\s+(?P<in>in|notin)\s*\((?P<values>[^()]*)\)"
    rf"|(?P<key>{_NAME})\s*(?P<sign>==|=|!=)\s*(?P<value>(?:{_NAME})?)"
    rf"|(?P<there>{_NAME}))\s*(?:,|$)"
)


class Labelled(Protocol):
    """What has labels."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Names and values."""
        ...


L = TypeVar("L", bound=Labelled)


@dataclass(frozen=True)
class Requirement:
    """What the labels of something have to be, in one respect."""

    key: str
    how: Literal["in", "notin", "there", "absent"]
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether it is so of these labels."""
        match self.how:
            case "in":
                return labels.get(self.key) in self.values
            case "notin":
                return labels.get(self.key) not in self.values
            case "there":
                return self.key in labels
            case "absent":
                return self.key not in labels


class Selector:
    """Chooses by labels: all of its requirements have to hold.

    `plan=large`, `region!=eu`, `plan in (large,huge)`, `plan notin (trial)`, `vpn` (has the label), `!vpn`; several are
    separated by commas. As in Kubernetes, `!=` and `notin` hold of what lacks the label, too.

    Raises UsageError for what is no selector, and names the place.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.requirements = tuple(_parsed(text))

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether what has these labels is meant."""
        return all(one.holds(labels) for one in self.requirements)

    def chosen(self, tenants: Iterable[L]) -> tuple[L, ...]:
        """Those of these tenants, or of their records, that are meant, in their order.

        Raises UsageError if it names a label, or as what that has to be a value, that none of the tenants has: a
        misspelt one would choose nobody, or everybody.
        """
        everybody = tuple(tenants)
        known = {key for tenant in everybody for key in tenant.labels}
        for requirement in self.requirements:
            if requirement.key not in known:
                there = ", ".join(sorted(known)) or "none"
                raise UsageError(
                    f"selector {self.text!r}: no tenant has a label {requirement.key!r}; there are: {there}"
                    f"{like(requirement.key, known)}"
                )
            values = {tenant.labels[requirement.key] for tenant in everybody if requirement.key in tenant.labels}
            if requirement.how == "in" and not values & requirement.values:
                wanted, there = " or ".join(sorted(requirement.values)), ", ".join(sorted(values))
                raise UsageError(
                    f"selector {self.text!r}: no tenant has {requirement.key}={wanted}; there are: {there}"
                    f"{like(wanted, values)}"
                )
        return tuple(tenant for tenant in everybody if self.holds(tenant.labels))


def _parsed(text: str) -> Iterable[Requirement]:
    place = 0
    while True:
        found = _REQUIREMENT.match(text, place)
        if found is None:
            raise UsageError(
                f"selector {text!r}, at {text[place:].strip() or 'its end'!r}: write a label's name and value, as in "
                f"plan=large,region!=eu or plan in (large,huge), or its name alone, or !name"
            )
        yield _requirement(found)
        place = found.end()
        if place == len(text) and not text.endswith(","):
            return


def _requirement(found: re.Match[str]) -> Requirement:
    if found["not"]:
        return Requirement(found["absent"], "absent")
    if found["set"]:
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["set"], "in" if found["in"] == "in" else "notin", values)
    if found["key"]:
        return Requirement(found["key"], "notin" if found["sign"] == "!=" else "in", frozenset({found["value"]}))
    return Requirement(found["there"], "there")
