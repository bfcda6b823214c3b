"""A web agency's stack: for each client a backend and a frontend, in an AWS account of the client's own.

Clients            the fleet: one WebApp for each client of clients.yaml
└─ WebApp          a client's: the backend, then the frontend
   ├─ Backend      its account and repository, a CDK stack (table, queue, function), then SQL migrations
   └─ Frontend     the same account, its own repository, a CDK stack (bucket), then a cache invalidation
"""

import asyncio
import sys
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from typing_extensions import TypeVar

from orbits_aws import AccountOutputs, AwsAccount
from orbits_cdk import CdkStack
from orbits_iac import Action, Every, Options, Outputs, Resource, action
from orbits_stacks.git import GitRepository
from orbits_stacks.home import NOTIFICATIONS, append, did, home
from orbits_stacks.migrations import Migrate, newest
from orbits_tenants import Report, Rollout, Tenant, Tenants, YamlSource

O = TypeVar("O", bound=Outputs | None, default=None)

FUNCTION = """
import os

def handler(event, context):
    return {"release": os.environ["RELEASE"]}
"""


class Invalidate(Action[str]):
    """Lets the caches in front of a site forget it, once for a reference."""

    options = Options(idempotent=True)
    site: str
    reference: str

    def main(self) -> str:
        """Ask for it; the token tells a repeated request from a new one."""
        did(self.execution, "invalidate", release=self.reference, what=self.site)
        return self.execution.token


@action(idempotent=True)
def notify(text: str) -> None:
    """Tell the team: a line in a file, and on the console."""
    append(home() / NOTIFICATIONS, text.replace("\n", " / "))
    sys.stderr.write(f"✉ {text}\n")


class BackOutputs(Outputs):
    """What the migrations, and whoever calls the backend, need."""

    database: str
    queue: str
    function: str


class BackStack(CdkStack[BackOutputs]):
    """A table, a queue and a function that knows its release."""

    release: str

    def define_stack(self, stack: cdk.Stack) -> BackOutputs:
        """Make them; all goes with the stack, data included: the clients of this agency are not real."""
        table = dynamodb.Table(
            stack,
            "Db",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        queue = sqs.Queue(stack, "Jobs", visibility_timeout=cdk.Duration.seconds(30))
        function = lambda_.Function(
            stack,
            "Api",
            runtime=lambda_.Runtime.PYTHON_3_12,
            handler="index.handler",
            code=lambda_.Code.from_inline(FUNCTION),
            environment={"RELEASE": self.release},
        )
        return BackOutputs(database=table.table_name, queue=queue.queue_url, function=function.function_name)


class FrontOutputs(Outputs):
    """The bucket that the site is served from."""

    bucket: str


class FrontStack(CdkStack[FrontOutputs]):
    """A versioned bucket that carries the release as a tag."""

    release: str

    def define_stack(self, stack: cdk.Stack) -> FrontOutputs:
        """Make it."""
        bucket = s3.Bucket(stack, "Site", versioned=True, removal_policy=cdk.RemovalPolicy.DESTROY)
        cdk.Tags.of(bucket).add("release", self.release)
        return FrontOutputs(bucket=bucket.bucket_name)


class Service(Resource[O]):
    """What frontend and backend share: the client's account, and the service's repository."""

    client: str
    release: str

    def identity(self) -> str:
        """The client: each has one service of each kind."""
        return self.client

    async def account(self) -> AccountOutputs:
        """The client's own account: who asks first makes it, the others join or find it made."""
        return await self.do(
            "account", AwsAccount(name=self.client, email=f"aws+{self.client}@agency.example"), retain=True
        )

    async def define_install(self) -> None:
        """Once for a client: the account and, shared by all clients, the service's repository."""
        await asyncio.gather(
            self.do("git", GitRepository(name=type(self).__name__.lower()), retain=True), self.account()
        )


class Backend(Service):
    """The client's data and jobs."""

    async def define_update(self) -> None:
        """Deploy, then bring the database's schema along: from there on there is no way back."""
        account = await self.account()
        stack = await self.do("stack", BackStack(release=self.release), target=account.target)
        migrate = Migrate(database=stack.database, to=newest(self.release))
        await self.do("migrate", migrate, once=True, no_return=True)


class Frontend(Service[FrontOutputs]):
    """The client's site."""

    async def define_update(self) -> FrontOutputs:
        """Deploy, then let the caches forget the release before."""
        account = await self.account()
        stack = await self.do("stack", FrontStack(release=self.release), target=account.target)
        await self.do("invalidate", Invalidate(site=stack.bucket, reference=self.release), once=True)
        return stack


class WebApp(Resource):
    """All that one client has; looked after every six hours."""

    options = Options(schedule=Every(timedelta(hours=6), jitter=0.1, on_drift="remediate"))
    client: str
    release: str

    def identity(self) -> str:
        """The client."""
        return self.client

    async def define_update(self) -> None:
        """The backend first: the frontend calls it. If one fails, both go back to what they were."""
        await self.do("backend", Backend(client=self.client, release=self.release))
        await self.do("frontend", Frontend(client=self.client, release=self.release))


class Clients(Tenants[WebApp]):
    """A WebApp for each client of clients.yaml: first for one, then for a tenth, then for all."""

    source = YamlSource("clients.yaml")
    rollout = Rollout(waves=["1", "10%", "100%"], max_concurrency=20, failure_tolerance="5%")
    release: str

    def stack(self, tenant: Tenant) -> WebApp:
        """The client's."""
        return WebApp(client=tenant.id, release=self.release)

    async def define_finish(self, report: Report) -> None:
        """Tell the team of whoever failed."""
        for client, why in report.failed.items():
            where = report.tenants[client].account
            await self.do("notify", notify(f"release {self.release}: {client} ({where}) failed: {why}"), key=client)
