"""What a revision keeps of a stack: enough to deploy it again without the code that made it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue


class StackOutput(BaseModel):
    """Where the value of one field of the outputs comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    name: str  # the output of the stack
    form: Literal["text", "json"]  # how the value is written there


class StackPayload(BaseModel):
    """A synthesised stack.

    `constants` are the fields of the outputs that are known without deploying; the others are in `outputs`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack_name: str
    region: str
    template: dict[str, JsonValue]
    parameters: dict[str, str] = {}
    outputs: tuple[StackOutput, ...] = ()
    constants: dict[str, JsonValue] | None = {}  # None: the stack publishes nothing

    def resources(self) -> dict[str, dict[str, Any]]:
        """The template's resources by logical id."""
        found: Any = self.template.get("Resources", {})
        return dict(found)
