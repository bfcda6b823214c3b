"""Stacks that were made elsewhere: a class of the user's own, and a cloud assembly that somebody has synthesised."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from orbits_aws import AwsTarget, OfflineAws
from orbits_cdk import AssemblyStack, CdkStack, StackOutputs, SynthesisFailed
from orbits_cdk.assembly import read_stack, stack_names
from orbits_cdk.assets import stage, staged_file
from orbits_cdk.packing import Place, pack
from orbits_iac import ExecutionFailed, Orbits, Outputs, Resource

PLACE = Place(kind="Web", stack_name="web", account="111111111111", region="eu-west-1", prefix="tests")


class WebStack(cdk.Stack):
    """A stack as somebody has it, who knows nothing of Orbits."""

    def __init__(self, scope: Construct, id: str, *, versioned: bool = False, **more: Any) -> None:  # noqa: A002
        super().__init__(scope, id, **more)
        bucket = s3.Bucket(self, "Site", versioned=versioned, removal_policy=cdk.RemovalPolicy.DESTROY)
        cdk.CfnOutput(self, "BucketName", value=bucket.bucket_name)
        cdk.CfnOutput(self, "Sizes", value=self.to_json_string([1, 2]))


class WebOutputs(Outputs):
    bucket_name: str
    sizes: list[int]
    nothing: str = "by default"


class Web(CdkStack[WebOutputs]):
    versioned: bool

    def make_stack(self, scope: Construct, id: str, /) -> cdk.Stack:  # noqa: A002
        return WebStack(scope, id, versioned=self.versioned)


class Typed(AssemblyStack[WebOutputs]):
    pass


class App(Resource[WebOutputs]):
    folder: str

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> WebOutputs:
        made = await self.do("made", Web(versioned=True))
        read: StackOutputs = await self.do("read", AssemblyStack(folder=self.folder))
        typed = await self.do("typed", Typed(folder=self.folder, stack="Web"))
        assert made.sizes == typed.sizes
        assert typed.bucket_name not in {read["BucketName"], made.bucket_name}
        return typed


def synthesised(folder: Path, fill: Any, **context: Any) -> Path:
    """The assembly of an app that `fill` puts stacks in, as `cdk synth` leaves it."""
    app = cdk.App(
        outdir=str(folder),
        analytics_reporting=False,
        builtin_cloud_formation_validation=False,
        context=context,
    )
    fill(app)
    app.synth()
    return folder


async def test_a_stack_class_and_an_assembly_are_deployed(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, tmp_path: Path
) -> None:
    synthesised(tmp_path / "web" / "cdk.out", lambda app: WebStack(app, "Web"))
    typed = await orbits.run(App(folder="web/cdk.out"), target=acme)
    assert (typed.sizes, typed.nothing) == ([1, 2], "by default")
    assert len(aws.client("s3", account="acme").list_buckets()["Buckets"]) == 3
    before = len(aws.calls(writes=True))
    assert await orbits.run(App(folder="web/cdk.out"), target=acme) == typed
    assert len(aws.calls(writes=True)) == before


class Pair(Resource):
    """Two stacks of one app, of which the second needs what the first exports."""

    first: bool

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> None:
        if self.first:
            await self.do("queue", AssemblyStack(folder="cdk.out", stack="Queue"))
        await self.do("user", AssemblyStack(folder="cdk.out", stack="User"))


async def test_a_stack_that_needs_an_export_of_another_says_which(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, tmp_path: Path
) -> None:
    def fill(app: cdk.App) -> None:
        first, second = cdk.Stack(app, "Queue"), cdk.Stack(app, "User")
        cdk.CfnOutput(second, "Arn", value=sqs.Queue(first, "Jobs").queue_arn)
        sqs.Queue(second, "Own")

    synthesised(tmp_path / "cdk.out", fill)
    with pytest.raises(ExecutionFailed, match="needs what Queue of the same app exports, and that is not in") as failed:
        await orbits.run(Pair(first=False), target=acme)
    assert failed.value.path == ("user",)
    await orbits.run(Pair(first=True), target=acme)


def with_parameter(app: cdk.App) -> None:
    stack = cdk.Stack(app, "Web")
    cdk.CfnParameter(stack, "Size")
    sqs.Queue(stack, "Jobs")


def for_another_account(app: cdk.App) -> None:
    sqs.Queue(cdk.Stack(app, "Web", env=cdk.Environment(account="222222222222", region="eu-west-1")), "Jobs")


def for_another_region(app: cdk.App) -> None:
    sqs.Queue(cdk.Stack(app, "Web", env=cdk.Environment(region="us-east-1")), "Jobs")


def several(app: cdk.App) -> None:
    sqs.Queue(cdk.Stack(app, "Web"), "Jobs")
    sqs.Queue(cdk.Stack(cdk.Stage(app, "Live"), "Web"), "Jobs")


def legacy(app: cdk.App) -> None:
    stack = cdk.Stack(app, "Web", synthesizer=cdk.LegacyStackSynthesizer())
    functions.Function(
        stack,
        "Handler",
        code=functions.Code.from_asset(str(Path(__file__).parent), exclude=["*", "!site.py"]),
        handler="index.handler",
        runtime=functions.Runtime.PYTHON_3_12,
    )


def weak(app: cdk.App) -> None:
    sqs.Queue(cdk.Stack(app, "Other"), "Jobs")
    stack = cdk.Stack(app, "Web")
    cdk.CfnOutput(stack, "Url", value=cdk.Fn.get_stack_output("Other", "Url"))
    sqs.Queue(stack, "Jobs")


@pytest.mark.parametrize(
    ("fill", "stack", "words"),
    [
        (with_parameter, None, ["parameters without a value: Size"]),
        (for_another_account, None, ["the account 222222222222", "111111111111 (eu-west-1)"]),
        (for_another_region, None, ["the region us-east-1"]),
        (several, None, ["several stacks", "Web, Live/Web"]),
        (several, "Wab", ["no single stack 'Wab'", "Web, Live/Web"]),
        (weak, "Web", ["takes an output of Other by CDK's name", "give the value as a field"]),
        (legacy, None, ["LegacyStackSynthesizer", "use the DefaultStackSynthesizer"]),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_cannot_be_deployed_says_why(tmp_path: Path, fill: Any, stack: str | None, words: list[str]) -> None:
    folder = synthesised(tmp_path, fill)
    with pytest.raises(SynthesisFailed) as failed:
        pack(read_stack(folder, stack), PLACE, {})
    for word in words:
        assert word in str(failed.value)


def test_a_folder_that_is_no_assembly_says_so(tmp_path: Path) -> None:
    with pytest.raises(SynthesisFailed, match="is no cloud assembly"):
        read_stack(tmp_path)


def test_a_stack_of_a_stage_is_found_by_its_path(tmp_path: Path) -> None:
    folder = synthesised(tmp_path, several)
    assert stack_names(folder) == ["Web", "Live/Web"]
    assert read_stack(folder, "Live/Web").name == "Live/Web"


def with_files(app: cdk.App, **more: Any) -> None:
    stack = cdk.Stack(app, "Web", **more)
    for scope in (stack, cdk.NestedStack(stack, "Below")):
        functions.Function(
            scope,
            "Handler",
            code=functions.Code.from_asset(str(Path(__file__).parent), exclude=["*", "!site.py"]),
            handler="index.handler",
            runtime=functions.Runtime.PYTHON_3_12,
        )


@pytest.mark.parametrize(
    ("more", "bucket"),
    [
        ({}, "orbits-assets-${AWS::AccountId}-${AWS::Region}"),
        (
            {"env": cdk.Environment(account="111111111111", region="eu-west-1")},
            "orbits-assets-111111111111-eu-west-1",
        ),
    ],
    ids=["for any account", "for one"],
)
def test_every_template_names_the_accounts_own_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], bucket: str
) -> None:
    """Nested ones too; and the check that CDK has bootstrapped the account is left out."""
    monkeypatch.chdir(tmp_path)
    moved = stage(read_stack(synthesised(tmp_path / "cdk.out", lambda app: with_files(app, **more))), "tests")
    text = json.dumps(moved.template)
    below = [asset for asset in moved.assets if asset.key.endswith(".json")]
    assert bucket in text
    assert below[0].key in text
    assert "cdk-hnb659fds" not in text
    assert "BootstrapVersion" not in text
    inner = staged_file(below[0].key).read_text()
    assert bucket in inner
    assert "cdk-hnb659fds" not in inner


async def test_tags_of_a_stack_are_kept_and_what_is_left_out_is_said(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, tmp_path: Path
) -> None:
    def fill(app: cdk.App) -> None:
        stack = cdk.Stack(app, "User", termination_protection=True, tags={"client": "acme"})
        sqs.Queue(stack, "Own")

    synthesised(tmp_path / "cdk.out", fill)
    plan = await orbits.preview(Pair(first=False), target=acme)
    assert "[User] is not protected from termination by CloudFormation: do it with `protect=True`" in str(plan.root)
    await orbits.run(Pair(first=False), target=acme)
    [stack] = aws.client("cloudformation", account="acme").describe_stacks()["Stacks"]
    assert {"Key": "client", "Value": "acme"} in stack["Tags"]
