"""AWS without stacks, as type checkers see it."""

from orbits_aws import (
    AwsCall,
    Bucket,
    Code,
    Function,
    Generated,
    Index,
    Invalidate,
    Invoke,
    Key,
    LifecycleRule,
    Parameter,
    Queue,
    Role,
    Secret,
    Table,
    trusted,
)
from orbits_iac import Workflow
from pydantic import JsonValue, SecretStr


class Things(Workflow):
    async def define(self) -> None:
        keep = LifecycleRule(name="old", expire_days=30)
        bucket = await self.do("bucket", Bucket(name="acme-site", versioning=True, lifecycle=[keep]))
        queue = await self.do("queue", Queue(name="jobs", dead_letter_arn=None, tags={"bucket": bucket.arn}))
        indexes = [Index("by-day", Key("day", "N"), projected=["total"])]
        table = await self.do("table", Table(name="orders", partition_key=Key("id"), indexes=indexes))
        host = await self.do("host", Parameter(name="/shop/host", value=queue.url))
        secret = await self.do("secret", Secret(name="shop", generate=Generated(length=20)))
        given = await self.do("given", Secret(name="given", value=SecretStr("hunter2")))
        role = await self.do("role", Role(name="api", trust=trusted("lambda.amazonaws.com")))
        api = Function(name="api", code=Code.folder("src"), runtime="python3.13", handler="a.b", role=role.arn)
        function = await self.do("function", api)
        version: int = host.version
        stream: str | None = table.stream_arn
        invalidation: str = await self.do("caches", Invalidate(distribution="E1"))
        answer: JsonValue = await self.do("warm", Invoke(function=function.name, payload={"version": version}))
        call: dict[str, JsonValue] = await self.do("topics", AwsCall(service="sns", operation="ListTopics"))
        print(stream, invalidation, answer, call, secret.arn, given.version)
