"""Function: a Lambda function, whose code and configuration are changed one after the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from orbits_aws.clients import client, partition_of
from orbits_aws.errors import AwsRefused, NotReady, NotThere
from orbits_aws.function_code import Code
from orbits_aws.ownership import owner_of
from orbits_aws.stepwise import CHANGING, bring_on
from orbits_aws.tagged import UNTIL_READY, Tags, check_owner, owner, poll, users_tags, wanted_tags
from orbits_aws.targets import AwsTarget
from orbits_iac import InProgress, Managed, Outputs, Retry
from orbits_iac.provider import Refused, Rules

_READY, _FAILED, _NOT_UPDATED = "Active", "Failed:", "Not updated:"
_BUSY = "ResourceConflictException"
_NOT_YET = (
    "cannot be assumed by Lambda",
    "does not have permissions",
    "KMS key",
)  # in messages, while IAM spreads news
_CONFIGURED = frozenset(
    {
        "description",
        "environment",
        "handler",
        "kms_key",
        "layers",
        "memory",
        "role",
        "runtime",
        "secret_environment",
        "storage",
        "timeout",
        "traced",
    }
)


class FunctionOutputs(Outputs):
    """A function as it is; what is a field of `Function` too means the same. Of its code there is the digest."""

    name: str
    arn: str
    status: str
    code: Code
    runtime: str
    handler: str
    role: str
    description: str
    memory: int
    timeout: int
    architecture: str
    environment: dict[str, str]
    secret_environment: dict[str, SecretStr]
    layers: list[str]
    storage: int
    reserved_concurrency: int | None
    kms_key: str | None
    traced: bool
    tags: dict[str, str]
    owner: str | None


class Function(Managed[FunctionOutputs]):
    """A Lambda function of this name in the target's account and region. An update is done when it can be invoked.

    A new name makes another one. One of that name which another project made, or nobody, is refused; nobody's is taken
    over with `adopt=True`, and then what it ran before is not kept. Images, networks and file systems are not offered:
    what there is of these stays as it is.

    Attributes:
        code: `Code.folder("src/api")`, for instance. It is part of what is recorded.
        runtime: such as `python3.13`.
        handler: such as `index.handler`.
        role: the role that it runs as: its ARN, or its name if it has no path. One that was made a moment ago is
            waited for.
        memory: megabytes.
        timeout: seconds that one invocation may take.
        environment: variables that everybody may see who may look at the function.
        secret_environment: variables that are shown and recorded as secrets here; Lambda shows them all the same.
        layers: ARNs of versions of layers.
        storage: megabytes in /tmp.
        reserved_concurrency: invocations at a time that are kept for it, and that it may not exceed; None: no such.
        kms_key: ARN of a key of KMS for the variables; None: Lambda's own.
        traced: whether X-Ray traces every invocation that was not traced before.

    """

    compared_by: ClassVar[Rules] = Rules(named=("role",))
    hook_retry: ClassVar[Retry] = UNTIL_READY
    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)
    code: Code
    runtime: str
    handler: str
    role: str
    description: str = Field(default="", max_length=256)
    memory: int = Field(default=128, ge=128, le=10240)
    timeout: int = Field(default=3, ge=1, le=900)
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    environment: dict[str, str] = {}
    secret_environment: dict[str, SecretStr] = {}
    layers: list[str] = []
    storage: int = Field(default=512, ge=512, le=10240)
    reserved_concurrency: int | None = Field(default=None, ge=0)
    kms_key: str | None = None
    traced: bool = False
    tags: Tags = {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if both := sorted(self.environment.keys() & self.secret_environment.keys()):
            raise ValueError(f"the variable {both[0]} of the function {self.name} is secret, or it is not")
        return self

    def desired(self) -> Mapping[str, Any]:
        """The fields, that it can be invoked, and that it is ours; of the code the digest, or where it is."""
        wanted = {**self.model_dump(), "status": _READY, "owner": owner(self.execution)}
        if self.code.sha256 is not None:
            wanted["code"] = Code(sha256=self.code.sha256).model_dump()
        else:
            wanted["code_in"] = wanted.pop("code")  # what runs cannot be told from it
        return wanted

    def replaces(self, live: FunctionOutputs, /) -> Sequence[str]:
        """A function cannot be renamed."""
        return sorted({"name"} & self.differing(live))

    def read(self, recorded: FunctionOutputs | None, /) -> FunctionOutputs | None:
        """The function that was recorded, else the one of this name."""
        return self._found(recorded.name if recorded else self.name, known=recorded is not None)

    def adoptable(self) -> FunctionOutputs | None:
        """The function of this name, if it is ours or nobody's."""
        return self._found(self.name, known=True)

    def create(self) -> FunctionOutputs | InProgress[FunctionOutputs]:
        """Make it, unless it is there and is ours."""
        self._check_code()
        with_tags = wanted_tags(self.tags, self.execution)
        try:
            self._lambda().create_function(
                FunctionName=self.name,
                Code=self.code.asked(),
                Architectures=[self.architecture],
                Tags=with_tags,
                **self._configuration(),
            )
        except AwsRefused as error:
            _raise_if_not_ready(error)
            if error.code != _BUSY:
                raise
        made = self.read(None)
        if made is None:
            raise NotReady(f"The function {self.name} was made, and Lambda does not know it yet.")
        return self._brought_on(None, made)

    def change(self, live: FunctionOutputs, /) -> FunctionOutputs | InProgress[FunctionOutputs]:
        """Begin with what differs; code of which that cannot be told is uploaded."""
        if self.code.sha256 is None and live.status == _READY:
            return bring_on(self, None, live, iter([self._upload]), _later)
        return self.settled(live)

    def settled(self, begun: FunctionOutputs, /) -> FunctionOutputs | InProgress[FunctionOutputs]:
        """Wait until the function can be changed, then change the next thing that differs, until nothing does."""
        live = self._found(begun.name, known=True)
        if live is None:
            raise NotThere(f"The function {begun.name} was being changed and is not there: somebody else deleted it.")
        return self._brought_on(begun, live)

    def delete(self, live: FunctionOutputs, /) -> None:
        """Delete it with all its versions."""
        try:
            self._lambda().delete_function(FunctionName=live.name)
        except NotThere:
            return

    def _brought_on(
        self, begun: FunctionOutputs | None, live: FunctionOutputs
    ) -> FunctionOutputs | InProgress[FunctionOutputs]:
        if live.status.startswith(_FAILED):
            raise AwsRefused(f"The function {live.name} cannot be used: {live.status}")
        not_updated = live.status.startswith(_NOT_UPDATED)
        if not_updated and begun is not None and begun.status == CHANGING:
            raise AwsRefused(f"The function {live.name} could not be changed: {live.status}")
        if live.status != _READY and not not_updated:
            self.execution.progress(f"the function {live.name} is {live.status}")
            return InProgress(begun or live, poll=poll(1))
        return bring_on(self, begun, live, self._changes(live), _later)

    def _changes(self, live: FunctionOutputs) -> Iterator[Callable[[], object]]:
        """The calls that bring it to what it is to be: Lambda takes one, and is busy with it for a while."""
        differing, functions, which = self.differing(live), self._lambda(), {"FunctionName": self.name}
        if {"tags", "owner"} & differing:
            yield lambda: self._tag(live)
        if {"code", "architecture"} & differing:
            yield self._upload
        if differing & (_CONFIGURED | {"status"}):  # of a function that is ready: the last time it failed
            yield lambda: functions.update_function_configuration(**which, **self._configuration())
        if "reserved_concurrency" in differing and self.reserved_concurrency is not None:
            kept = self.reserved_concurrency
            yield lambda: functions.put_function_concurrency(ReservedConcurrentExecutions=kept, **which)
        elif "reserved_concurrency" in differing:
            yield lambda: functions.delete_function_concurrency(**which)

    def _upload(self) -> None:
        self._check_code()
        self._lambda().update_function_code(
            FunctionName=self.name, Architectures=[self.architecture], **self.code.asked()
        )

    def _check_code(self) -> None:
        if not self.code.asked():
            raise Refused(
                f"What the function {self.name} ran ({self.code.sha256}) was there before it was adopted, and is not "
                f"kept: give its code"
            )

    def _tag(self, live: FunctionOutputs) -> None:
        functions = self._lambda()
        functions.tag_resource(Resource=live.arn, Tags=wanted_tags(self.tags, self.execution))
        if gone := sorted(set(live.tags) - set(self.tags)):
            functions.untag_resource(Resource=live.arn, TagKeys=gone)

    def _configuration(self) -> dict[str, Any]:
        secret = {name: value.get_secret_value() for name, value in self.secret_environment.items()}
        return {
            "Runtime": self.runtime,
            "Handler": self.handler,
            "Role": self._role(),
            "Description": self.description,
            "MemorySize": self.memory,
            "Timeout": self.timeout,
            "Layers": self.layers,
            "Environment": {"Variables": {**self.environment, **secret}},
            "EphemeralStorage": {"Size": self.storage},
            "KMSKeyArn": self.kms_key or "",
            "TracingConfig": {"Mode": "Active" if self.traced else "PassThrough"},
        }

    def _found(self, name: str, *, known: bool) -> FunctionOutputs | None:
        try:
            answer = self._lambda().get_function(FunctionName=name)
        except NotThere:
            return None
        tags: dict[str, str] = answer.get("Tags", {})
        check_owner(self, f"The function {name}", tags, known=known)
        found = answer["Configuration"]
        variables: dict[str, str] = found.get("Environment", {}).get("Variables", {})
        secret = self.secret_environment.keys()
        return FunctionOutputs(
            name=name,
            arn=found["FunctionArn"],
            status=_status(found),
            code=Code(sha256=found["CodeSha256"]),
            runtime=found.get("Runtime", ""),
            handler=found.get("Handler", ""),
            role=found["Role"],
            description=found.get("Description", ""),
            memory=found["MemorySize"],
            timeout=found["Timeout"],
            architecture=found.get("Architectures", ["x86_64"])[0],
            environment={one: variables[one] for one in sorted(variables.keys() - secret)},
            secret_environment={one: SecretStr(variables[one]) for one in sorted(variables.keys() & secret)},
            layers=[layer["Arn"] for layer in found.get("Layers", ())],
            storage=found.get("EphemeralStorage", {}).get("Size", 512),
            reserved_concurrency=answer.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            kms_key=found.get("KMSKeyArn"),
            traced=found.get("TracingConfig", {}).get("Mode") == "Active",
            tags=users_tags(tags),
            owner=owner_of(tags),
        )

    def _role(self) -> str:
        if self.role.startswith("arn:"):
            return self.role
        target = self.execution.target(AwsTarget)
        return f"arn:{partition_of(target.region)}:iam::{target.account}:role/{self.role}"

    def _lambda(self) -> Any:
        return client("lambda", self.execution.target(AwsTarget))


def _later(error: AwsRefused) -> float | None:
    """Lambda makes one change of a function at a time."""
    _raise_if_not_ready(error)
    return 1 if error.code == _BUSY else None


def _status(found: Mapping[str, Any]) -> str:
    """Whether it can be invoked and changed, and why not."""
    state = found.get("State", _READY)
    if state == "Failed":
        return f"{_FAILED} {found.get('StateReasonCode', '')} {found.get('StateReason', '')}".rstrip()
    last = found.get("LastUpdateStatus")
    if last == "Failed":
        reason = f"{found.get('LastUpdateStatusReasonCode', '')} {found.get('LastUpdateStatusReason', '')}"
        return f"{_NOT_UPDATED} {reason}".rstrip()
    if last == "InProgress":
        return "Updating"
    return _READY if state == "Inactive" else str(state)  # idle for long: it is made ready when it is invoked


def _raise_if_not_ready(error: AwsRefused) -> None:
    """Raise `NotReady` where the role, or what it may do, was made a moment ago.

    Lambda refuses it as a wrong value: which of the many it is stands in the message alone.
    """
    if error.code == "InvalidParameterValueException" and any(words in str(error) for words in _NOT_YET):
        raise NotReady.because(error) from error
