"""A record with a schedule."""

from datetime import timedelta

from orbits_iac import Every, Options, Resource


class NightlyCheck(Resource):
    options = Options(schedule=Every(timedelta(days=1)))
    name: str
    size: int = 1

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        """Nothing."""
