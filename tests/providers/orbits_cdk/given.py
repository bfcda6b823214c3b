"""A stack whose template is given instead of synthesised: for what does not depend on where a template comes from."""

from typing import Any

from orbits_cdk import CdkStack
from orbits_cdk.context import NOTHING, Context
from orbits_cdk.payload import StackPayload
from orbits_iac import Resource


class Given(CdkStack):
    resources: dict[str, Any]

    def synthesise(self, kept: Context = NOTHING) -> StackPayload:
        return StackPayload(
            stack_name=self.stack_name(),
            region="eu-west-1",
            template={"Resources": self.resources},
            constants=None,
        )


class Holder(Resource):
    """Does the stack, if it is given any resources."""

    resources: dict[str, Any]
    fails: bool = False

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> None:
        if self.resources:
            await self.do("site", Given(resources=self.resources))
        if self.fails:
            raise ValueError("no")


def table(name: str, *, key: str = "id", **more: Any) -> dict[str, Any]:
    """A table with this partition key, which cannot change in place."""
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": f"{name}-{key}",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
        **more,
    }


def queue(name: str, *, visibility: int = 30) -> dict[str, Any]:
    """A queue."""
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, "VisibilityTimeout": visibility}}
