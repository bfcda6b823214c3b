"""What a project says of drift, in the table `[drift]` of orbits.toml: what is ignored, and when remediating stops.

    [drift]
    remediate_times = 3        # after so many times
    remediate_within = "P1D"   # within so long, a person has to look

    [[drift.ignore]]
    type = "AWS::ECS::Service"  # of the resource, or the kind of the record; `*` stands for any text
    path = "DesiredCount"       # this property and all below it; `*` stands for any one part of a path
    tenant = "acme"             # of one tenant alone, if it is given
    reason = "scaled by hand"

Pure. Read by `settings`; the engine asks `sorted_out` of each look.
"""

from collections.abc import Sequence
from datetime import timedelta
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field

from orbits_iac.drift.policy import Limit
from orbits_iac.drift.rules import covers
from orbits_iac.model.rows import Difference


class Ignored(BaseModel):
    """One entry of `[[drift.ignore]]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(min_length=1)
    path: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    tenant: str | None = Field(default=None, min_length=1)

    def concerns(self, difference: Difference, kind: str, tenant: str | None) -> bool:
        """Whether it is about this difference of a record of this kind and tenant. What is gone is never ignored."""
        if not difference.path or (self.tenant is not None and not fnmatchcase(tenant or "", self.tenant)):
            return False
        named = fnmatchcase(difference.type or kind, self.type)
        return named and covers(_parts(self.path), tuple(_parts(difference.path).split(".")))


class DriftSettings(BaseModel):
    """The table `[drift]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ignore: tuple[Ignored, ...] = ()
    remediate_times: int = Field(default=Limit.times, ge=1)
    remediate_within: timedelta = Field(default=Limit.within, gt=timedelta(0))

    @property
    def limit(self) -> Limit:
        """How often one record is brought back."""
        return Limit(times=self.remediate_times, within=self.remediate_within)

    def sorted_out(
        self, differences: Sequence[Difference], kind: str, tenant: str | None
    ) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
        """The differences that count, and a line for each that is ignored, with the reason."""
        kept: list[Difference] = []
        ignored: list[str] = []
        for each in differences:
            rule = next((one for one in self.ignore if one.concerns(each, kind, tenant)), None)
            if rule is None:
                kept.append(each)
            else:
                what = " ".join(part for part in (each.resource, each.type, each.path) if part)
                ignored.append(f"{what}: {rule.reason}")
        return tuple(kept), tuple(ignored)


def _parts(path: str) -> str:
    """A path with a dot before each of its parts but the first: `Tags[team]` and `Tags.team` are the same."""
    return path.replace("[", ".").replace("]", "")
