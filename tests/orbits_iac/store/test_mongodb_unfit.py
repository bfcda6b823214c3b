"""Servers that a test cannot start: what they answer to `hello` is enough to refuse them by name."""

from typing import Any, cast

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from orbits_iac.model.errors import StoreError
from orbits_iac.store.mongodb_client import refuse_unfit


class Answering:
    """A client whose server answers so."""

    def __init__(self, **answer: Any) -> None:
        self.admin = self
        self._answer = answer

    async def command(self, name: str) -> dict[str, Any]:
        assert name == "hello"
        return self._answer


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ({"msg": "isdbgrid", "maxWireVersion": 21}, "is a sharded cluster, for which Orbits has not been proved"),
        ({"setName": "rs0", "maxWireVersion": 9}, "is older than MongoDB 5.0, which Orbits needs"),
        ({"maxWireVersion": 21}, "is a standalone server, which has no transactions"),
        ({"isreplicaset": True, "maxWireVersion": 21}, "was started as a replica set that has no members yet"),
    ],
)
async def test_what_a_server_answers_is_enough_to_refuse_it(answer: dict[str, Any], refused: str) -> None:
    with pytest.raises(StoreError, match=refused):
        await refuse_unfit(cast("Any", Answering(**answer)), "mongodb://tests")


async def test_a_replica_set_of_the_oldest_version_that_will_do_is_taken() -> None:
    await refuse_unfit(cast("Any", Answering(setName="rs0", maxWireVersion=13)), "mongodb://tests")
