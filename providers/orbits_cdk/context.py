"""What a synthesis is told of the account it is for: values that CDK calls context, each by a key.

They come, in this order, from the project's `cdk.json` and `cdk.context.json`, if it has them; from what the record's
standing revision kept, so that an update sees the network and the images that the last one saw, on any machine; and
else from the account itself (see `lookups`). What was looked up is kept with the revision, with the day.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from orbits_aws.settings import project_folder
from orbits_cdk.errors import SynthesisFailed

_FILES = (("cdk.json", "context"), ("cdk.context.json", None))


class LookedUp(BaseModel):
    """One value that was looked up in an account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    provider: str
    value: JsonValue
    on: str  # the day, as 2026-11-26

    def __str__(self) -> str:
        """What of it people look for."""
        return f"{self.provider} {_essence(self.value)} looked up on {self.on}"


class Context(BaseModel):
    """What was looked up for a stack. `version` is what the stack called it then: another one asks for new values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = ""
    found: tuple[LookedUp, ...] = ()

    def of(self, version: str) -> "Context":
        """What still counts where the stack calls its context this."""
        return self if self.version == version else Context(version=version)

    def values(self) -> dict[str, JsonValue]:
        """The values by their keys."""
        return {each.key: each.value for each in self.found}

    def within(self, other: "Context") -> bool:
        """Whether the other holds all of this, with the same values."""
        values = other.values()
        same = all(each.key in values and values[each.key] == each.value for each in self.found)
        return not self.found or (self.version == other.version and same)


NOTHING = Context()


def project_context() -> dict[str, JsonValue]:
    """What the project's own files say, as CDK's command line reads them."""
    found: dict[str, JsonValue] = {}
    for name, section in _FILES:
        file = project_folder() / name
        if not file.is_file():
            continue
        try:
            read: Any = json.loads(file.read_text(encoding="utf-8"))
            told = read if section is None else read.get(section, {})
            found.update({str(key): value for key, value in told.items() if value is not None})
        except (AttributeError, ValueError) as error:
            raise SynthesisFailed(f"{file} cannot be read as CDK's context: {error}") from error
    return found


def _essence(value: JsonValue) -> str:
    if isinstance(value, Mapping):
        ids = [str(each) for name, each in value.items() if name.lower().endswith("id") and each]
        return ids[0] if ids else json.dumps(value)[:60]
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)[:60]
