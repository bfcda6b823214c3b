"""Steps that have one secret in every place where a value can stand, or say it wherever something can be said."""

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from orbits_iac import (
    Action,
    Event,
    ExecutionFailed,
    InProgress,
    Managed,
    Options,
    Outputs,
    Resource,
    Retry,
    Step,
    Target,
    Workflow,
    action,
    command,
)

CANARY = 'tweettweet "küken"/42\\ chirpchirp'
SECRET = SecretStr(CANARY)
PLACES: dict[str, Step[Any]] = {}
THINGS: dict[str, str] = {}


def place(step: Step[Any]) -> None:
    """The steps that are run are told apart by their kinds."""
    PLACES[type(step).__name__] = step


class Inner(BaseModel):
    token: SecretStr
    raw: SecretBytes = SecretBytes(CANARY.encode())
    known: Secret[dict[str, str]] = Secret[dict[str, str]]({"password": CANARY})


INNER = Inner(token=SECRET)


@action
async def take(secret: SecretStr) -> None:
    del secret


@action
async def give() -> SecretStr:
    return SECRET


@action
async def make() -> Inner:
    return INNER


class Fields(Action[int]):
    own: SecretStr
    inner: Inner
    many: dict[str, list[Inner]]
    anything: Any

    def main(self) -> int:
        return 1


place(Fields(own=SECRET, inner=INNER, many={"a": [INNER]}, anything={"b": (SECRET,)}))


class Results(Workflow[dict[str, SecretStr]]):
    async def define(self) -> dict[str, SecretStr]:
        found = await self.do("give", give())
        await self.do("make", make())
        await self.do("take", take(found))
        return {"found": found}


place(Results())


class Handles(Action[SecretStr, Inner]):
    async def main(self) -> InProgress[Inner]:
        return InProgress(INNER, poll=timedelta(milliseconds=1))

    async def watch(self, handle: Inner, /) -> SecretStr:
        self.execution.progress(f"looking with {handle.token.get_secret_value()}", 0.5)
        return handle.token


place(Handles())


class Says(Action):
    """Says it wherever it can."""

    options = Options(idempotent=True, retry=Retry(attempts=2, delay=timedelta(milliseconds=1)))
    secret: SecretStr
    how: str = "itself"

    def main(self) -> None:
        text = self.secret.get_secret_value()
        self.execution.progress(f"progress {text}")
        match self.how:
            case "itself":
                raise ValueError(f"wrong password {text}")
            case "key":
                raise KeyError(text)
            case "base 64":
                raise ValueError(f"Basic {base64.b64encode(f'me:{text}'.encode()).decode()}")
            case "address":
                raise ValueError(f"https://me:{quote(text, safe='')}@host answered 403")
            case "json":
                raise ValueError(json.dumps({"password": text}))
            case "cause":
                try:
                    raise KeyError(text)
                except KeyError as error:
                    raise ValueError("no login") from error
            case "note":
                noted = ValueError("no login")
                noted.add_note(f"with {text}")
                raise noted
            case "group":
                raise ExceptionGroup("all", [ValueError(text), ValueError(text)])
            case "invalid":
                Inner.model_validate({"token": SECRET, "raw": 5.5, "known": text})
            case "cut":
                raise ValueError("x" * (5_000 - len("ValueError: ") - 4) + text + "y" * 9_000)
            case _:
                raise Telling(text)


class Telling(Exception):
    """Its repr has what its text has not."""

    def __init__(self, text: str) -> None:
        super().__init__("no login")
        self.text = text

    def __repr__(self) -> str:
        return f"Telling({self.text})"


for how in ("itself", "key", "base 64", "address", "json", "cause", "note", "group", "invalid", "cut", "repr"):
    PLACES[f"Says {how}"] = Says(secret=SECRET, how=how)


class Definition(Workflow):
    secret: SecretStr

    async def define(self) -> None:
        text = self.secret.get_secret_value()
        self.execution.progress(f"with {text}")
        try:
            await self.do("says", Says(secret=self.secret))
        except ExecutionFailed as error:
            raise RuntimeError(f"{error} and {text}") from error


place(Definition(secret=SECRET))


class Undone(Workflow):
    secret: SecretStr

    async def define(self) -> None:
        await self.do("give", give(), undo=take(self.secret))
        await self.do("again", give(), undo=take)
        raise RuntimeError(f"back with {self.secret.get_secret_value()}")


place(Undone(secret=SECRET))


class Account(Target):
    name: str
    password: SecretStr

    def place(self) -> str:
        return self.name


@action
async def reach() -> str:
    return "there"


class Targets(Workflow[str]):
    async def define(self) -> str:
        return await self.do("reach", reach(), target=Account(name="a", password=SECRET))


place(Targets())


class Happened(Event):
    secret: SecretStr


class Waits(Workflow[SecretStr]):
    async def define(self) -> SecretStr:
        return (await self.execution.wait_for("happened", Happened)).secret


place(Waits())


class Kept(BaseModel):
    template: str
    password: SecretStr


class Published(Outputs):
    password: SecretStr
    inner: Inner


class Site(Resource[Published]):
    """Its outputs, payload, argument, and a command with an argument."""

    name: str
    password: SecretStr
    number: int = 1

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> Published:
        await self.execution.keep(Kept(template="t", password=self.password))
        await self.do("database", Database(password=self.password))
        await self.do("seed", give(), once=True)
        if self.number > 1:
            raise RuntimeError(f"no {self.password.get_secret_value()}")
        return Published(password=self.password, inner=INNER)

    @command
    async def change(self, password: SecretStr, at: timedelta) -> tuple[SecretStr, timedelta]:
        await self.do("take", take(password))
        return password, at


class DatabaseState(Outputs):
    password: SecretStr


class Database(Managed[DatabaseState]):
    password: SecretStr

    def read(self, recorded: DatabaseState | None, /) -> DatabaseState | None:
        return DatabaseState(password=SecretStr(THINGS["database"])) if "database" in THINGS else None

    def create(self) -> DatabaseState:
        THINGS["database"] = self.password.get_secret_value()
        return DatabaseState(password=self.password)

    def change(self, live: DatabaseState, /) -> DatabaseState:
        return self.create()

    def delete(self, live: DatabaseState, /) -> None:
        del THINGS["database"]


place(Site(name="site", password=SECRET))
PLACES["Site, which fails"] = Site(name="site", password=SECRET, number=2)
PLACES["Site, by a command"] = Site(name="site", password=SECRET).change(SECRET, timedelta(seconds=1))


class Named(Resource):
    """Named by what may not be shown."""

    secret: SecretStr

    def identity(self) -> str:
        return f"db-{self.secret.get_secret_value()}"

    async def define_update(self) -> None:
        pass


class Betraying(Target):
    """Reached through what may not be shown."""

    secret: SecretStr

    def place(self) -> str:
        return self.secret.get_secret_value()


class Names(Workflow):
    """Puts a secret of a step into a name of it."""

    how: str

    async def define(self) -> None:
        match self.how:
            case "ref":
                await self.do(CANARY, take(SECRET))
            case "key":
                await self.do("take", take(SECRET), key=f"for {CANARY}")
            case "identity":
                await self.do("named", Named(secret=SECRET))
            case _:
                await self.do("give", give(), target=Betraying(secret=SECRET))
