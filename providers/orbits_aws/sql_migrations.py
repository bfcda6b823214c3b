"""SqlMigrations: bring a PostgreSQL database of Aurora to its schema, through the RDS Data API.

What always holds:
- a migration and the row that says that it was applied are one statement, so that both are there or neither, whatever
  dies; applied again, it does nothing;
- two that run at the same time do not meet: whoever lacks the database's lock does nothing, and looks again;
- one that takes longer than a request may (45 s) goes on in the database, and is waited for.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orbits_aws.clients import client
from orbits_aws.errors import AwsRefused, NotReady
from orbits_aws.tagged import UNTIL_READY, poll
from orbits_aws.targets import AwsTarget
from orbits_iac import Action, InProgress, Options
from orbits_iac.provider import Refused, UsageError

_STARTING = frozenset({"DatabaseResumingException", "DatabaseUnavailableException"})
_TOO_LONG = "StatementTimeoutException"
_NAME = r"^[A-Za-z0-9_.-]+$"


class Migration(BaseModel):
    """One change of a database's schema: its name, by which they are ordered, and its statements."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME, max_length=200)
    sql: str = Field(min_length=1)

    @property
    def checksum(self) -> str:
        """The same for the same statements."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_in(folder: str | Path) -> list[Migration]:
    """The migrations in a folder's `*.sql` files, by their names in order; `UsageError` if there are none."""
    root = Path(folder)
    found = [Migration(name=file.stem, sql=file.read_text("utf-8")) for file in sorted(root.glob("*.sql"))]
    if not found:
        raise UsageError(f"{root.absolute()} has no migrations: no files that end with .sql")
    return found


class SqlMigrations(Action[list[str], str]):
    """Applies those migrations that a database has not had, in order; the result is all that it has had.

    From its beginning on nothing is brought back by itself (`no_return`): data may be otherwise. A migration that was
    applied and is another one now, or a new one that comes before one that was applied, is refused. Each runs in a
    transaction, so what PostgreSQL refuses in one (`CREATE INDEX CONCURRENTLY`, `VACUUM`) has no place here; nor has
    MySQL, which commits each change of a schema by itself.

    Attributes:
        cluster: ARN of the Aurora cluster, whose Data API is on.
        secret: ARN of the secret with the user and password.
        table: where it is kept which were applied.

    """

    options = Options(idempotent=True, no_return=True, retry=UNTIL_READY)
    cluster: str
    secret: str
    database: str
    migrations: list[Migration]
    table: str = Field(default="orbits_migrations", pattern=r"^[a-z_][a-z0-9_]*$")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        names = [migration.name for migration in self.migrations]
        if names != sorted(set(names)):
            raise ValueError(f"migrations have different names and stand in their order, and these do not: {names}")
        return self

    def main(self) -> list[str] | InProgress[str]:
        """See to the table, and begin."""
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {self.table} (name varchar(200) PRIMARY KEY, checksum varchar(64) NOT NULL, "
            f"applied_at timestamptz NOT NULL DEFAULT now())"
        )
        return self._next()

    def watch(self, _handle: str, /) -> list[str] | InProgress[str]:
        """Look which were applied, and apply the next."""
        return self._next()

    def _next(self) -> list[str] | InProgress[str]:
        applied = self._applied()
        self._check(applied)
        migration = next((one for one in self.migrations if one.name not in applied), None)
        if migration is None:
            return sorted(applied)
        self.execution.progress(f"applying {migration.name}", len(applied) / (len(applied) + len(self.migrations)))
        try:
            self._execute(_once(migration, self.table), going_on=True)
        except AwsRefused as error:
            if error.code != _TOO_LONG:
                raise
            self.execution.progress(f"{migration.name} takes its time: it goes on in the database")
            return InProgress(migration.name, poll=poll(10))
        return InProgress(migration.name, poll=poll(1))

    def _applied(self) -> dict[str, str]:
        records: Sequence[Any] = self._execute(f"SELECT name, checksum FROM {self.table}").get("records", ())  # noqa: S608 - the pattern of the field
        return {name["stringValue"]: checksum["stringValue"] for name, checksum in records}

    def _check(self, applied: Mapping[str, str]) -> None:
        for migration in self.migrations:
            if applied.get(migration.name, migration.checksum) != migration.checksum:
                raise Refused(
                    f"The migration {migration.name} was applied to {self.database} and is another one now: leave it "
                    f"as it was, and write a new one"
                )
        last = max(applied, default="")
        late = [one.name for one in self.migrations if one.name not in applied and one.name < last]
        if late:
            raise Refused(
                f"The migration {late[0]} comes before {last}, which was applied to {self.database}: give it a "
                f"later name"
            )

    def _execute(self, sql: str, *, going_on: bool = False) -> Any:
        try:
            return client("rds-data", self.execution.target(AwsTarget)).execute_statement(
                resourceArn=self.cluster,
                secretArn=self.secret,
                database=self.database,
                sql=sql,
                continueAfterTimeout=going_on,
            )
        except AwsRefused as error:
            if error.code in _STARTING:
                raise NotReady.because(error) from error
            raise


def _once(migration: Migration, table: str) -> str:
    """One statement that applies a migration and says so, unless it was applied, or another is at it."""
    quote = f"$orbits_{migration.checksum[:16]}$"
    if quote in migration.sql or re.search(r"\$orbits\$", migration.sql):
        raise Refused(f"The migration {migration.name} has a text in it that its statement is quoted with: {quote}")
    return f"""DO $orbits$
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('{table}')) THEN RETURN; END IF;
  IF EXISTS (SELECT 1 FROM {table} WHERE name = '{migration.name}') THEN RETURN; END IF;
  EXECUTE {quote}{migration.sql}{quote};
  INSERT INTO {table} (name, checksum) VALUES ('{migration.name}', '{migration.checksum}');
END
$orbits$"""  # noqa: S608 - names and checksums have patterns; the statements are the user's own
