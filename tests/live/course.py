"""What the live suite does in an account: things and a stack are made, changed, drift and are brought back, and go.

Called by `live_suite` in a sandbox account, and by the test of docs/aws-access.md in the offline AWS, which takes from
it what Orbits has to be allowed. All names begin with `PREFIX`; what a run that broke off has left, the next one takes
up and removes.
"""

import aws_cdk as cdk
from aws_cdk import aws_ssm as ssm

from orbits_aws import AwsTarget, LogGroup, Parameter, Queue, client
from orbits_cdk import CdkStack
from orbits_iac import Orbits, Outputs, Resource

PREFIX = "orbits-live"


class SettingsOutputs(Outputs):
    """The name of the stack's parameter."""

    parameter: str


class Settings(CdkStack[SettingsOutputs]):
    """A stack of one parameter."""

    value: str

    def define_stack(self, stack: cdk.Stack) -> SettingsOutputs:
        """Make it."""
        made = ssm.StringParameter(stack, "Setting", parameter_name=f"/{PREFIX}/stack", string_value=self.value)
        return SettingsOutputs(parameter=made.parameter_name)


class Sandbox(Resource):
    """All that the course makes."""

    release: str
    seconds: int = 30

    def identity(self) -> str:
        """There is one in an account."""
        return PREFIX

    async def define_update(self) -> None:
        """Make them."""
        await self.do("queue", Queue(name=f"{PREFIX}-jobs", visibility_timeout=self.seconds))
        await self.do("parameter", Parameter(name=f"/{PREFIX}/release", value=self.release))
        await self.do("log", LogGroup(name=f"/{PREFIX}/jobs", retention_days=1))
        await self.do("stack", Settings(value=self.release))


async def go(orbits: Orbits, target: AwsTarget) -> None:
    """Go through it; raises AssertionError where AWS is not as Orbits thinks, and leaves nothing either way."""
    try:
        await _live(orbits, target)
    finally:
        await orbits.run(
            Sandbox(release="two").uninstall(), target=target, accept_loss=[PREFIX, *await _losses(orbits)]
        )
    assert await _left(target) == []


async def _live(orbits: Orbits, target: AwsTarget) -> None:
    await orbits.run(Sandbox(release="one"), target=target)
    sandbox = orbits.record(Sandbox, PREFIX)
    assert (await sandbox.drift()).in_sync
    assert not await orbits.preview(Sandbox(release="one"), target=target)
    await orbits.run(Sandbox(release="two", seconds=60), target=target)
    sqs = client("sqs", target)
    url = sqs.get_queue_url(QueueName=f"{PREFIX}-jobs")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    [(_, difference)] = (await sandbox.drift()).drifted
    assert (difference.path, difference.live) == ("visibility_timeout", "5")
    assert (await sandbox.cycle(on_drift="remediate")).in_sync


async def _losses(orbits: Orbits) -> list[str]:
    from orbits_iac.model.rows import RecordRow

    return [row.identity for row in await orbits.store.find(RecordRow)]


async def _left(target: AwsTarget) -> list[str]:
    """What is there of ours."""
    queues = client("sqs", target).list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", [])
    named = [{"Key": "Name", "Option": "BeginsWith", "Values": [f"/{PREFIX}/"]}]
    parameters = client("ssm", target).describe_parameters(ParameterFilters=named)["Parameters"]
    groups = client("logs", target).describe_log_groups(logGroupNamePrefix=f"/{PREFIX}/")["logGroups"]
    return [*queues, *(one["Name"] for one in parameters), *(one["logGroupName"] for one in groups)]
