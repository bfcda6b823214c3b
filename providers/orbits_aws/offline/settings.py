"""What can be changed of a running offline AWS."""

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """The settings; the body of `PUT /_offline/settings`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    polls: int = Field(default=0, ge=0)
    """How many DescribeStacks of a stack answer `*_IN_PROGRESS` after an operation, before its end is shown."""
