"""What a revision keeps of a stack: enough to deploy it again without the code that made it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from orbits_cdk.context import Context

LARGEST = 51_200  # bytes of a template that CloudFormation takes in the call itself; a larger one is read from a bucket
LARGEST_OF_ALL = 1_048_576  # bytes of a template that it reads from there


class StackOutput(BaseModel):
    """Where the value of one field of the outputs comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    name: str  # the output of the stack
    form: Literal["text", "json"]  # how the value is written there


class FileAsset(BaseModel):
    """A file that the template names: an object of the account's bucket, called after its content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # for people: where in the stack it is used
    key: str
    size: int  # bytes


class StackPayload(BaseModel):
    """A synthesised stack.

    `constants` are the fields of the outputs that are known without deploying; the others are in `outputs`. What
    `assets` says is in the account's bucket as long as a revision keeps this payload.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack_name: str
    region: str
    template: dict[str, JsonValue]
    parameters: dict[str, str] = {}
    tags: dict[str, str] = {}  # of the stack, beside those that say whose it is
    outputs: tuple[StackOutput, ...] = ()
    constants: dict[str, JsonValue] | None = {}  # None: the stack publishes nothing
    assets: tuple[FileAsset, ...] = ()
    context: Context = Context()  # what was looked up for it in the account
    warnings: tuple[str, ...] = ()  # what its constructs and aspects said, with their paths
    imports: dict[str, str] = {}  # exports that it needs of other stacks of its app, and which stack each is of
    bound: bool = False  # whether it was made for this account and region alone
    prefix: str = ""  # of what the project has in the account's bucket
    kept_tags: dict[str, str] = {}  # that the stack had when it was adopted, and keeps
    ours: bool = True  # False: as it was found, before it was tagged as ours

    def resources(self) -> dict[str, dict[str, Any]]:
        """The template's resources by logical id."""
        found: Any = self.template.get("Resources", {})
        return dict(found)

    @property
    def remarks(self) -> str:
        """What people should know of how it came about: what was looked up for it, and what CDK warns of."""
        return "; ".join((*map(str, self.context.found), *self.warnings))

    def large(self) -> FileAsset | None:
        """The template as an object of the bucket, where it is too large to be handed over in a call."""
        body = template_text(self.template).encode()
        if len(body) <= LARGEST:
            return None
        key = f"{self.prefix}/templates/{hashlib.sha256(body).hexdigest()}.json"
        return FileAsset(name="the template", key=key, size=len(body))

    def objects(self) -> tuple[FileAsset, ...]:
        """Everything that has to be in the bucket before this can be deployed."""
        large = self.large()
        return self.assets if large is None else (*self.assets, large)


def template_text(template: Mapping[str, Any]) -> str:
    """A template as it is handed over: the same text for equal templates."""
    return json.dumps(template, ensure_ascii=False, separators=(",", ":"))
