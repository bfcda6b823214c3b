"""From a request to what a stack is to be: the template, the parameters' values, tags and the rest, all checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orbits_aws.offline.moto_state import role_exists

from .desired import check_types, required_capabilities
from .errors import CloudFormationError, ValidationError
from .model import Goal, Stack
from .parameters import resolve_parameters
from .place import Place, Request
from .template import MAX_BODY_BYTES, Template, parse
from .world import World


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
        capabilities = tuple(str(value) for value in request.get("Capabilities") or ())
        required = required_capabilities(template)
        if required and not set(required) & set(capabilities):
            raise CloudFormationError("InsufficientCapabilitiesException", f"Requires capabilities : [{required[-1]}]")
        ssm = self.world().ssm(Stack(id="", name=name, account=place.account, region=place.region, status=""))
        parameters = resolve_parameters(
            template, request.get("Parameters") or (), previous.parameters if previous else {}, ssm
        )
        tags = request.get("Tags")
        if tags is None:
            kept: Mapping[str, str] = previous.tags if previous else {}
        else:
            kept = {str(tag["Key"]): str(tag["Value"]) for tag in tags}
        return Goal(
            template=template,
            parameters=parameters,
            tags=kept,
            role_arn=role or (stack.role_arn if stack else None),
            capabilities=capabilities,
            notification_arns=tuple(request.get("NotificationARNs") or ()),
        )

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
