"""What the table `[aws]` of orbits.toml says: as whom the management account is reached, and names that are shared.

    [aws]
    profile = "agency"                       # of ~/.aws/config; without it, the environment's credentials
    region = "eu-central-1"                  # for calls to the management account
    service_role = "orbits-cloudformation"   # the role that CloudFormation acts as, in each account
    service_role_policies = ["PowerUserAccess"]  # names of AWS's own policies, or ARNs; [] leaves the role to you
    cycle_calls_per_minute = 120             # what all cycles together call at most, in each account

Read once for each process and folder; a table that is wrong is a UsageError that names the file.
"""

import tomllib
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orbits_iac.provider import UsageError, in_words

FILE = "orbits.toml"


class AwsSettings(BaseModel):
    """The table `[aws]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str | None = None
    region: str | None = None
    service_role: str = "orbits-cloudformation"
    service_role_policies: tuple[str, ...] = ("AdministratorAccess",)
    cycle_calls_per_minute: float | None = Field(default=None, gt=0)


def project_folder() -> Path:
    """The folder of the nearest orbits.toml, here or above; without one, the current folder."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / FILE).is_file()), here)


def aws_settings() -> AwsSettings:
    """The settings of the project in the current folder."""
    return _read(project_folder())


@lru_cache(maxsize=16)
def _read(folder: Path) -> AwsSettings:
    file = folder / FILE
    if not file.is_file():
        return AwsSettings()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("aws", {})
        return AwsSettings.model_validate(table)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not valid TOML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'aws'}: {in_words(e)}" for e in error.errors())
        raise UsageError(f"{file}, table [aws]: {wrong}") from error
