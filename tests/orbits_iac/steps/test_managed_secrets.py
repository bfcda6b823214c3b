"""A Managed's secrets: compared by what they are, shown as stars, and brought about where `read` does not tell them."""

from collections.abc import Iterator, Mapping

import pytest
from pydantic import BaseModel, JsonValue, Secret, SecretStr

from orbits_iac import ExecutionFailed, Managed, Orbits, Outputs, Resource
from orbits_iac.model.plans import Verb
from orbits_iac.model.rows import LookRow

LIVE: dict[str, str] = {}
CALLS: list[str] = []


@pytest.fixture(autouse=True)
def _new_world() -> Iterator[None]:
    yield
    LIVE.clear()
    CALLS.clear()


class Login(BaseModel):
    user: str
    password: SecretStr


class DatabaseState(Outputs):
    name: str
    login: Login | None = None


class Database(Managed[DatabaseState]):
    """Its password is read back; its token is not."""

    name: str
    login: Login
    token: Secret[int] = Secret[int](12345678)

    def identity(self) -> str:
        return self.name

    def read(self, recorded: DatabaseState | None, /) -> DatabaseState | None:
        if not LIVE:
            return None
        return DatabaseState(name=self.name, login=Login(user="me", password=SecretStr(LIVE["password"])))

    def create(self) -> DatabaseState:
        return self._put("create")

    def change(self, live: DatabaseState, /) -> DatabaseState:
        state = self._put("change")
        if LIVE["token"] == "99999999":
            raise ValueError("no answer")
        return state

    def delete(self, live: DatabaseState, /) -> None:
        LIVE.clear()

    def _put(self, how: str) -> DatabaseState:
        CALLS.append(how)
        LIVE.update(password=self.login.password.get_secret_value(), token=str(self.token.get_secret_value()))
        return DatabaseState(name=self.name, login=self.login)


def database(password: str = "hunter22", token: int = 12345678) -> Database:
    return Database(name="db", login=Login(user="me", password=SecretStr(password)), token=Secret[int](token))


@pytest.mark.parametrize("other", [database(password="hunter23"), database(token=87654321)], ids=["read", "not read"])
async def test_a_secret_that_changed_is_shown_as_stars_and_brought_about(orbits: Orbits, other: Database) -> None:
    await orbits.run(database())
    plan = await orbits.preview(other)
    assert plan.root.verb is Verb.UPDATE
    [change] = plan.root.properties
    assert (change.before, change.after) == ('"**********"', '"**********"')
    await orbits.run(other)
    await orbits.run(other)
    assert CALLS == ["create", "change"]
    assert LIVE["password"] == other.login.password.get_secret_value()
    assert LIVE["token"] == str(other.token.get_secret_value())


async def test_a_secret_that_drifted_is_found_and_brought_back(orbits: Orbits) -> None:
    await orbits.run(database())
    record = orbits.record(Database, "db")
    assert (await record.drift()).in_sync
    LIVE["password"] = "changed by hand"
    [(_, difference)] = (await record.drift()).drifted
    assert (difference.path, difference.recorded, difference.live) == (
        "login.password",
        '"**********"',
        '"**********"',
    )
    assert (await record.cycle(on_drift="remediate")).in_sync
    assert LIVE["password"] == "hunter22"


class Two(Resource):
    """The second change fails after the first."""

    token: int

    def identity(self) -> str:
        return "two"

    async def define_update(self) -> None:
        await self.do("database", database(token=self.token))
        if self.token == 11111111:
            raise ValueError("too many ones")


async def test_what_is_not_read_is_brought_back_too(orbits: Orbits) -> None:
    await orbits.run(Two(token=22222222))
    with pytest.raises(ExecutionFailed, match="too many ones"):
        await orbits.run(Two(token=11111111))
    assert LIVE["token"] == "22222222"
    assert CALLS == ["create", "change", "change"]


async def test_what_is_not_read_is_brought_back_where_the_change_itself_failed(orbits: Orbits) -> None:
    await orbits.run(database())
    with pytest.raises(ExecutionFailed, match="no answer"):
        await orbits.run(database(token=99999999))
    assert LIVE["token"] == "12345678"
    assert CALLS == ["create", "change", "change"]


class Careless(Database):
    """Compares its secret in the clear."""

    def desired(self) -> Mapping[str, JsonValue]:
        return {"name": "other", "login": {"user": "me", "password": self.login.password.get_secret_value()}}


async def test_what_a_class_lets_through_is_masked(orbits: Orbits) -> None:
    careless = Careless(name="db", login=Login(user="me", password=SecretStr("hunter22")))
    await orbits.run(careless)
    await orbits.record(Careless, "db").drift()
    plan = await orbits.preview(careless)
    looks = await orbits.store.find(LookRow)
    assert looks[0].differences
    assert "hunter22" not in repr((plan, looks))
