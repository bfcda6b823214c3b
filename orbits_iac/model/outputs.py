"""What a Resource publishes and what happens to it from outside, as users declare them."""

from pydantic import BaseModel, ConfigDict


class Outputs(BaseModel):
    """What a Resource publishes: subclass it with a field for each value."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(BaseModel):
    """Something that happens outside and that executions wait for: subclass it with its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
