"""A template's rules: assertions about its parameters, made before anything is done. Pure but for Fn::ValueOf."""

from collections.abc import Callable, Mapping
from typing import Any

from .errors import ValidationError
from .intrinsics import Scope, text_of
from .template import Template

Attributes = Callable[[str, str, str], list[Any]]
"""Looks an attribute up: a parameter's type, its value, the attribute's name."""


def check_rules(template: Template, scope: Scope, attributes: Attributes) -> None:
    """Refuse parameters that a rule does not allow. Raises ValidationError with the rule's own words."""
    rules = _Rules(template, scope, attributes)
    for name, rule in template.section("Rules").items():
        if "RuleCondition" in rule and not rules.holds(rule["RuleCondition"]):
            continue
        for assertion in rule.get("Assertions") or []:
            if not rules.holds(assertion["Assert"]):
                said = assertion.get("AssertDescription") or "the assertion does not hold"
                raise ValidationError(f"Rules validation error: rule [{name}] failed: {said}")


class _Rules:
    def __init__(self, template: Template, scope: Scope, attributes: Attributes) -> None:
        self._template, self._scope, self._attributes = template, scope, attributes

    def holds(self, value: Any) -> bool:
        """Whether an assertion or a condition of a rule holds."""
        if not isinstance(value, Mapping) or len(value) != 1:
            raise ValidationError(f"Template error: a rule has to be one function, not {value!r}")
        [(name, argument)] = value.items()
        match name:
            case "Fn::And":
                return all(self.holds(part) for part in argument)
            case "Fn::Or":
                return any(self.holds(part) for part in argument)
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::If":
                return self.holds(argument[1] if self._scope.condition(str(argument[0])) else argument[2])
            case "Fn::Equals":
                return self._values(argument[0]) == self._values(argument[1])
            case "Fn::Contains":
                allowed = self._values(argument[0])
                return all(one in allowed for one in self._values(argument[1]))
            case "Fn::EachMemberEquals":
                wanted = self._values(argument[1])
                return all([one] == wanted for one in self._values(argument[0]))
            case "Fn::EachMemberIn":
                allowed = self._values(argument[1])
                return all(one in allowed for one in self._values(argument[0]))
            case _:
                raise ValidationError(f"Template error: {name} is no function that a rule can use")

    def _values(self, value: Any) -> list[str]:
        """A value as a list of texts."""
        if isinstance(value, list):
            return [text for one in value for text in self._values(one)]
        if isinstance(value, Mapping) and len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Fn::RefAll":
                return [text for key in self._of_type(str(argument)) for text in self._values({"Ref": key})]
            if name == "Fn::ValueOf":
                return self._attribute(str(argument[0]), str(argument[1]))
            if name == "Fn::ValueOfAll":
                return [text for key in self._of_type(str(argument[0])) for text in self._attribute(key, argument[1])]
        resolved = self._scope.resolve(value)
        return [text_of(one) for one in (resolved if isinstance(resolved, list) else [resolved])]

    def _of_type(self, kind: str) -> list[str]:
        names = (kind, f"List<{kind}>")
        return [key for key, declared in self._template.parameters.items() if declared["Type"] in names]

    def _attribute(self, key: str, name: str) -> list[str]:
        kind = str(self._template.parameters[key]["Type"]).removeprefix("List<").removesuffix(">")
        found = [one for value in self._values({"Ref": key}) for one in self._attributes(kind, value, name)]
        return [text_of(one) for one in found]
