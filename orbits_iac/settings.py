"""Settings: from what is given, then `ORBITS_*` in the environment, then `orbits.toml`, then the defaults."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from orbits_iac.drift.project import DriftSettings
from orbits_iac.model.limits import check
from orbits_iac.notify.settings import NotifySettings
from orbits_iac.store import DEFAULT_STORE


class Settings(BaseSettings):
    """How Orbits runs here. Tables of `orbits.toml` that belong to providers are left to them."""

    model_config = SettingsConfigDict(env_prefix="ORBITS_", toml_file="orbits.toml", extra="ignore", frozen=True)

    project: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    """What everything made is tagged with."""
    store: str = DEFAULT_STORE
    """Where records and executions are kept: `sqlite:FILE` or `memory:`."""
    secret_key: SecretStr | None = None
    """Encrypts secrets in the store; without it, a file beside a local store."""
    modules: tuple[str, ...] = ()
    """Modules with the project's steps, imported by workers and by what needs a kind."""
    stacks: dict[str, str] = {}
    """Short names of stacks: name to `module:Class`."""
    dispatcher: str = "local"
    """What decides who advances which execution: `local`, or the name of one that another package brings."""
    concurrency: int = Field(default=64, ge=1)
    """How many executions one process advances at a time; those that wait do not count."""
    concurrency_per_tenant: int | None = Field(default=None, ge=1)
    """How many of them one tenant may have while it is alone; seven eighths if it is not given, so that there is always
    room for another. Several have less each, in proportion."""
    labels: tuple[str, ...] = ()
    """What this process is fit for: it goes on with executions that ask for one of these labels, too."""
    suspended: int = Field(default=1000, ge=0)
    """How many executions that wait keep their definition in memory; the others are run again from their journal."""
    serve: str | None = None
    """Where a worker shows /healthz, /readyz and /metrics: `PORT`, on this machine alone, or `HOST:PORT`."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """From which level on a worker writes what is logged in its process, by hooks too."""
    limits: dict[str, int] = {}
    """How many executions of a kind, label or tenant may be under way at a time, over all workers."""
    threads: int = Field(default=32, ge=1)
    """How many plain `def` hooks run at a time."""
    threads_per_tenant: int | None = Field(default=None, ge=1)
    """How many of them one tenant may have; a quarter, and one at least, if it is not given."""
    longest_block: timedelta = timedelta(seconds=1)
    """How long a hook or a definition may keep the event loop from turning before it is named."""
    block_ends: timedelta = timedelta(seconds=60)
    """How long before it is ended with an error, where Python can end it."""
    lease: timedelta = timedelta(seconds=10)
    """How long a worker's silence lasts before its executions are taken over."""
    grace: timedelta = timedelta(minutes=5)
    """How long a step may take to end when it is asked to."""
    drain: timedelta = timedelta(minutes=5)
    """How long a process that ends waits for what it may neither stop nor hand over to another."""
    largest_value: int = Field(default=10 * 1024 * 1024, ge=1024)
    """How many characters the JSON of one argument or result may have."""
    keep_executions: timedelta = Field(default=timedelta(days=90), ge=timedelta(0))
    """How long `orbits state prune` leaves executions that have ended."""
    keep_revisions: int = Field(default=20, ge=2)
    """How many revisions of each record it leaves, beside those that are needed."""
    drift: DriftSettings = DriftSettings()
    """What is not counted as drift, and how often it is brought back before a person has to look."""
    notify: NotifySettings = NotifySettings()
    """Who is told of problems, by `orbits worker`, and of which."""

    @field_validator("limits")
    @classmethod
    def _check_limits(cls, given: dict[str, int]) -> dict[str, int]:
        check(given)
        return given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """In the order in which they win."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def folder(self) -> Path | None:
        """The folder beside a local store where its key and caches are; None for a store without one."""
        technology, _, where = self.store.partition(":")
        return Path(where).parent if technology == "sqlite" else None
