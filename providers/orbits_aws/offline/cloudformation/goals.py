"""From a request to what a stack is to be: the template, the parameters' values, tags and the rest, all checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from orbits_aws.offline.moto_state import role_exists

from .desired import check_attributes, check_types, required_capabilities
from .errors import CloudFormationError, ValidationError
from .model import Goal, Stack
from .parameter_lookups import attribute_of
from .parameters import resolve_parameters
from .place import Place, Request
from .rules import check_rules
from .stack_policy import parse_policy
from .template import MAX_BODY_BYTES, Template, parse
from .world import World

_MOST_TRIGGERS = 5
_LONGEST_MONITORING = 180


@dataclass(frozen=True, kw_only=True)
class Goals:
    """Reads goals out of requests; looks templates and SSM parameters up, changes nothing."""

    world: Callable[[], World]
    read_object: Callable[[Place, str], str]
    """Reads a template by its URL from the offline S3."""

    def goal(self, place: Place, stack: Stack | None, request: Request, name: str) -> Goal:
        """What a request asks a stack to be; what it leaves out stays as it was. Raises CloudFormationError."""
        previous = stack.goal if stack is not None else None
        role = request.get("RoleARN")
        if role and not role_exists(str(role)):
            raise ValidationError(f"Role {role} is invalid or cannot be assumed")
        template = self._template(place, previous, request)
        check_types(template)
        check_attributes(template)
        _check_allowed(template, [str(one) for one in request.get("ResourceTypes") or ()])
        capabilities = tuple(str(value) for value in request.get("Capabilities") or ())
        required = required_capabilities(template)
        if required and not set(required) & set(capabilities):
            raise CloudFormationError("InsufficientCapabilitiesException", f"Requires capabilities : [{required[-1]}]")
        if template.extended and "CAPABILITY_AUTO_EXPAND" not in capabilities:
            raise CloudFormationError(
                "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
            )
        around = stack or Stack(id="", name=name, account=place.account, region=place.region, status="")
        ssm = self.world().ssm(around)
        parameters = resolve_parameters(
            template, request.get("Parameters") or (), previous.parameters if previous else {}, ssm
        )
        tags = request.get("Tags")
        if tags is None:
            kept: Mapping[str, str] = previous.tags if previous else {}
        else:
            kept = {str(tag["Key"]): str(tag["Value"]) for tag in tags}
        goal = Goal(
            template=template,
            parameters=parameters,
            tags=kept,
            role_arn=role or (stack.role_arn if stack else None),
            capabilities=capabilities,
            notification_arns=_kept(request, "NotificationARNs", previous.notification_arns if previous else ()),
            rollback=_rollback(request, previous),
        )
        self._check_rules(around, goal)
        return goal

    def _check_rules(self, stack: Stack, goal: Goal) -> None:
        if goal.template.section("Rules"):
            client = self.world().client_of(stack)
            with self.world().acting_for(stack):
                check_rules(goal.template, self.world().scope(stack, goal), lambda *what: attribute_of(client, *what))

    def _template(self, place: Place, previous: Goal | None, request: Request) -> Template:
        if request.get("UsePreviousTemplate"):
            if previous is None:
                raise ValidationError("Stack has no previous template to use")
            return previous.template
        return parse(self.template_text(place, request))

    def template_text(self, place: Place, request: Request) -> str:
        """The template's text, handed over or read from S3. Raises ValidationError."""
        body = request.get("TemplateBody")
        if body is None:
            if not request.get("TemplateURL"):
                raise ValidationError("Either Template URL or Template Body must be specified.")
            return self.read_object(place, str(request["TemplateURL"]))
        if len(str(body).encode()) > MAX_BODY_BYTES:
            raise ValidationError(
                f"1 validation error detected: Value '{str(body)[:40]}...' at 'templateBody' failed to satisfy "
                f"constraint: Member must have length less than or equal to {MAX_BODY_BYTES}"
            )
        return str(body)


def _check_allowed(template: Template, allowed: list[str]) -> None:
    """Refuse types that the caller's ResourceTypes leave out; `AWS::*` and `AWS::S3::*` stand for all below them."""
    for kind in sorted({resource.type for resource in template.resources.values()}):
        if allowed and not any(fnmatchcase(kind, pattern) for pattern in allowed):
            raise ValidationError(
                f"Resource type {kind} is not allowed by parameter ResourceTypes [{', '.join(allowed)}]"
            )


def policy_text(goals: Goals, place: Place, request: Request, name: str) -> str | None:
    """A stack policy that a request hands over as NameBody or NameURL. Raises ValidationError."""
    body, url = request.get(f"{name}Body"), request.get(f"{name}URL")
    if body and url:
        raise ValidationError(f"You cannot specify both {name}Body and {name}URL")
    if not body and not url:
        return None
    return parse_policy(str(body) if body else goals.read_object(place, str(url)))


def _kept(request: Request, name: str, previous: tuple[str, ...]) -> tuple[str, ...]:
    given = request.get(name)
    return previous if given is None else tuple(str(value) for value in given)


def _rollback(request: Request, previous: Goal | None) -> Mapping[str, Any]:
    given: Mapping[str, Any] = request.get("RollbackConfiguration") or {}
    triggers = given.get("RollbackTriggers") or []
    if len(triggers) > _MOST_TRIGGERS or not 0 <= int(given.get("MonitoringTimeInMinutes", 0)) <= _LONGEST_MONITORING:
        raise ValidationError(
            f"RollbackConfiguration takes {_MOST_TRIGGERS} triggers and {_LONGEST_MONITORING} minutes at the most"
        )
    for trigger in triggers:
        if trigger["Type"] not in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
            raise ValidationError(f"Rollback trigger {trigger['Arn']} has the unsupported type {trigger['Type']}")
    return {**(previous.rollback if previous else {}), **given}
