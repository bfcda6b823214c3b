"""A release that somebody has to agree to."""

from typing import Literal

from pydantic import SecretStr

from orbits_iac import Event, Resource, Workflow, action


class Approved(Event):
    by: str
    environment: Literal["staging", "production"] = "production"
    hours: int = 1
    code: SecretStr = SecretStr("none")


class Postponed(Event):
    pass


@action
def deploy(by: str, hours: int, code: SecretStr) -> str:
    return f"deployed for {by}, within {hours} h, {len(code.get_secret_value())}"


class Site(Resource):
    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.execution.wait_for("decision", Postponed)


class Release(Workflow[str]):
    async def define(self) -> str:
        approved = await self.execution.wait_for("approval", Approved, where=lambda a: a.environment == "production")
        return await self.do("deploy", deploy(approved.by, approved.hours, approved.code))


class Sites(Workflow):
    async def define(self) -> None:
        await self.do("site", Site(name="acme"))
