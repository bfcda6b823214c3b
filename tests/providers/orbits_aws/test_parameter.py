"""Parameter: a text, a list or a secret, each change a version."""

import pytest
from pydantic import SecretStr, ValidationError

from orbits_aws import AwsTarget, OfflineAws, Parameter
from orbits_iac import Orbits, Resource

from .things import Case, by_key, it_lives, it_respects_owners, listed

CASE = Case(
    first=Parameter(name="/shop/host", value="a", tags={"team": "shop"}),
    changed=Parameter(name="/shop/host", value="b", description="where it is", tags={"team": "sales"}),
    other=Parameter(name="/shop/host", values=["a", "b"]),
    made_by="ssm:PutParameter",
    made_by_hand=lambda aws, tags: aws("ssm").put_parameter(
        Name="/shop/host", Value="by hand", Type="String", Tags=listed(tags)
    ),
    spoilt=lambda aws: aws("ssm").put_parameter(Name="/shop/host", Value="7", Type="String", Overwrite=True),
    drifted={"value": '"7"'},
    tags=lambda aws: by_key(
        aws("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId="/shop/host")["TagList"]
    ),
    there=lambda aws: [one["Name"] for one in aws("ssm").describe_parameters()["Parameters"]],
)


@pytest.mark.usefixtures("quick")
async def test_it_lives(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_lives(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_it_respects_owners(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_respects_owners(CASE, orbits, aws, acme)


class Shop(Resource):
    password: SecretStr

    def identity(self) -> str:
        return "shop"

    async def define_update(self) -> None:
        await self.do("password", Parameter(name="/shop/password", secret=self.password))


async def test_a_secret_is_kept_encrypted_compared_and_never_shown(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    shop = Shop(password=SecretStr("hunter2-hunter2"))
    await orbits.run(shop, target=acme)
    ssm = aws.client("ssm", account="acme")
    found = ssm.get_parameter(Name="/shop/password", WithDecryption=True)["Parameter"]
    assert (found["Type"], found["Value"]) == ("SecureString", "hunter2-hunter2")
    ssm.put_parameter(Name="/shop/password", Value="another-secret", Type="SecureString", Overwrite=True)
    [(_, difference)] = (await orbits.record(Shop, "shop").drift()).drifted
    assert (difference.path, difference.recorded, difference.live) == ("secret", '"**********"', '"**********"')
    await orbits.record(Shop, "shop").cycle(on_drift="remediate")
    assert ssm.get_parameter(Name="/shop/password", WithDecryption=True)["Parameter"]["Value"] == "hunter2-hunter2"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of value, values and secret"),
        ({"value": "a", "values": ["b"]}, "exactly one of value, values and secret"),
        ({"values": ["a,b"]}, "a comma ends each"),
        ({"value": "a", "kms_key": "b"}, "is no secret, and has no kms_key"),
        ({"value": "a", "tags": {"orbits:project": "x"}}, "the tag orbits:project is not the user's to set"),
    ],
)
def test_what_fits_no_parameter_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Parameter.model_validate({"name": "/shop/host", **fields})
