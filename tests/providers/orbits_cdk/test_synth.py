"""Synthesis: what comes out, what is refused and how that is said, and when it is not done again."""

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_apigateway as gateway
from aws_cdk import aws_ecr_assets as images
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct
from pydantic import BaseModel, SecretStr

from orbits_cdk.errors import DeployFailed, SynthesisFailed
from orbits_cdk.outputs import read_outputs
from orbits_cdk.packing import Place
from orbits_cdk.payload import StackPayload
from orbits_cdk.synth import Wish, synthesise
from orbits_iac import Outputs


class Address(BaseModel):
    url: str
    retries: int


class Published(Outputs):
    name: str
    arns: list[str]
    address: Address
    size: int
    nothing: str | None = None


class Defined:
    """A definition that fills a stack of Orbits'."""

    def make_stack(self, scope: Any, id: str, /) -> Any:  # noqa: A002 - what CDK calls it
        return None

    def define_stack(self, stack: cdk.Stack) -> Any:
        raise NotImplementedError


class Everything(Defined):
    def define_stack(self, stack: cdk.Stack) -> Published:
        queue = sqs.Queue(stack, "Jobs")
        return Published(
            name=queue.queue_name,
            arns=[queue.queue_arn, "arn:fixed"],
            address=Address(url=queue.queue_url, retries=3),
            size=7,
        )


def place(of: Any, *, name: str = "site") -> Place:
    return Place(kind=type(of).__name__, stack_name=name, account="111111111111", region="eu-west-1", prefix="tests")


def made(definition: Any, *, name: str = "site") -> StackPayload:
    payload = synthesise(definition, Wish(place=place(definition, name=name)))
    assert isinstance(payload, StackPayload)
    return payload


def test_a_template_holds_what_was_defined_and_nothing_of_cdk() -> None:
    template = made(Everything()).template
    assert [each["Type"] for each in made(Everything()).resources().values()] == ["AWS::SQS::Queue"]
    assert set(template) == {"Resources", "Outputs"}


def test_outputs_come_back_as_what_they_are() -> None:
    payload = made(Everything())
    assert [(output.field, output.name, output.form) for output in payload.outputs] == [
        ("name", "Name", "text"),
        ("arns", "Arns", "json"),
        ("address", "Address", "json"),
    ]
    assert payload.constants == {"size": 7, "nothing": None}
    live = {"Name": "q-1", "Arns": '["arn:q","arn:fixed"]', "Address": '{"url":"http://q","retries":3}'}
    assert read_outputs(payload, live, Published) == Published(
        name="q-1", arns=["arn:q", "arn:fixed"], address=Address(url="http://q", retries=3), size=7
    )


def test_an_output_that_the_stack_lacks_is_named() -> None:
    with pytest.raises(DeployFailed, match="lacks the outputs Arns, Address"):
        read_outputs(made(Everything()), {"Name": "q-1"}, Published)


def test_the_template_is_the_same_for_every_tenant() -> None:
    assert made(Everything(), name="acme").template == made(Everything(), name="bolt").template


class Nothing(Defined):
    def define_stack(self, stack: cdk.Stack) -> None:
        s3.Bucket(stack, "Files")


def test_a_stack_may_publish_nothing() -> None:
    payload = made(Nothing())
    assert payload.constants is None
    assert read_outputs(payload, {}, type(None)) is None


class Twice(Defined):
    def define_stack(self, stack: cdk.Stack) -> None:
        s3.Bucket(stack, "Files")
        s3.Bucket(stack, "Files")


class WrongType(Defined):
    def define_stack(self, stack: cdk.Stack) -> None:
        s3.Bucket(stack, "Files", versioned=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class OwnMistake(Defined):
    def define_stack(self, stack: cdk.Stack) -> None:
        raise ValueError("no such size: 9")


class Image(Defined):
    def define_stack(self, stack: cdk.Stack) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "Dockerfile").write_text("FROM scratch")
            images.DockerImageAsset(stack, "Page", directory=folder)


@jsii.implements(cdk.IAspect)
class Raises:
    def visit(self, node: IConstruct) -> None:
        if isinstance(node, s3.CfnBucket):
            raise PermissionError("this bucket is not allowed")


@jsii.implements(cdk.IAspect)
class Complains:
    def visit(self, node: IConstruct) -> None:
        if isinstance(node, s3.CfnBucket):
            cdk.Annotations.of(node).add_error("it keeps no versions")


class Aspect(Defined):
    def __init__(self, aspect: Any) -> None:
        self.aspect = aspect

    def define_stack(self, stack: cdk.Stack) -> None:
        s3.Bucket(stack, "Files")
        cdk.Aspects.of(stack).add(self.aspect)


class Unfinished(Defined):
    def define_stack(self, stack: cdk.Stack) -> None:
        gateway.RestApi(stack, "Api")


class Two(Defined):
    def make_stack(self, scope: Any, id: str, /) -> Any:  # noqa: A002 - what CDK calls it
        cdk.Stack(scope, "Other")
        return cdk.Stack(scope, id)


class Secret(Outputs):
    key: SecretStr


class PublishesSecret(Defined):
    def define_stack(self, stack: cdk.Stack) -> Secret:
        return Secret(key=SecretStr("x"))


class ReturnsText(Defined):
    def define_stack(self, stack: cdk.Stack) -> str:
        return "bucket"


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (Twice(), ["already a Construct with name 'Files'", "test_synth.py", 's3.Bucket(stack, "Files")']),
        (WrongType(), ["versioned", "test_synth.py", "versioned=5"]),
        (OwnMistake(), ["no such size: 9", "test_synth.py", "in define_stack"]),
        (Image(), ["Image has a Docker image to build (Page)", "a step of its own"]),
        (Aspect(Raises()), ["this bucket is not allowed", "in visit", "raise PermissionError("]),
        (Aspect(Complains()), ["[Aspect/Files/Resource] it keeps no versions", 's3.Bucket(stack, "Files")']),
        (Unfinished(), ["[Unfinished/Api] The REST API doesn't contain any methods", 'gateway.RestApi(stack, "Api")']),
        (Two(), ["makes 2 stacks (Other, Two)"]),
        (PublishesSecret(), ["The output 'key' is a secret"]),
        (ReturnsText(), ["returned str"]),
    ],
    ids=lambda value: type(getattr(value, "aspect", value)).__name__,
)
def test_what_cannot_be_synthesised_shows_the_users_line(definition: Any, words: list[str]) -> None:
    with pytest.raises(SynthesisFailed) as failed:
        made(definition)
    for word in words:
        assert word in str(failed.value)
    assert "jsii" not in str(failed.value)


PROGRAM = """
    import json, os, subprocess, sys, time
    from types import SimpleNamespace
    import orbits_cdk
    import aws_cdk as cdk
    from aws_cdk import aws_sqs as sqs
    from pathlib import Path
    from aws_cdk import aws_s3_assets as assets
    from aws_cdk import cloudformation_include as include
    from orbits_cdk import CdkStack
    from orbits_iac import Outputs
    from orbits_aws import AwsTarget
    from orbits_iac.steps.step import bind
    import texts

    class O(Outputs):
        url: str

    class Jobs(CdkStack[O]):
        size: int

        def define_stack(self, stack: cdk.Stack) -> O:
            queue = sqs.Queue(stack, "Jobs", queue_name=texts.NAME + Path("name.txt").read_text())
            include.CfnInclude(stack, "More", template_file="more.json")
            assets.Asset(stack, "Pages", path="pages")
            return O(url=queue.queue_url)

    class Execution:
        project, record, token, attempt, called = "p", ("Jobs", sys.argv[1]), "t", 1, ""
        def target(self, kind): return AwsTarget(account="111111111111")
        def progress(self, message, share=None): print(message)

    stack = Jobs(size=int(sys.argv[2]))
    bind(stack, Execution())
    payload = stack.synthesise()
    print(payload.stack_name, next(iter(payload.resources().values()))["Properties"]["QueueName"])
    import jsii
    print("node", "started" if jsii._runtime.kernel.provider._started else "not started")
"""


class Project:
    """A project of the user's, whose stack each call synthesises in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writes = 0
        self.write("program.py", textwrap.dedent(PROGRAM))
        self.write("texts.py", "NAME = 'a'\n")
        self.write("name.txt", "b")
        self.write("more.json", '{"Resources": {"Z": {"Type": "AWS::SNS::Topic"}}}')
        (folder / "pages").mkdir()
        self.write("pages/one.txt", "1")

    def write(self, name: str, text: str) -> None:
        """Write a file, as if it were a while ago: a process that began before its sources is not given the cache."""
        (self.folder / name).write_text(text, encoding="utf-8")
        self.writes += 1
        os.utime(self.folder / name, (self.writes, self.writes))

    def run(self, identity: str = "acme", size: int = 1) -> list[str]:
        done = subprocess.run(
            [sys.executable, "program.py", identity, str(size)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout.splitlines()


@pytest.mark.slow
def test_a_later_process_takes_the_template_from_the_disk_without_node(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert project.run() == ["synthesising", "p-Jobs-acme ab", "node started"]
    assert project.run() == ["p-Jobs-acme ab", "node not started"]
    assert project.run("bolt") == ["p-Jobs-bolt ab", "node not started"], "the template does not name its stack"
    assert project.run(size=2)[0] == "synthesising", "another argument"
    project.write("texts.py", "NAME = 'x'\n")
    assert project.run()[:2] == ["synthesising", "p-Jobs-acme xb"], "a module that the stack's own imports"
    project.write("name.txt", "y")
    assert project.run()[:2] == ["synthesising", "p-Jobs-acme xy"], "a file that the synthesis opened"
    project.write("more.json", '{"Resources": {"Z": {"Type": "AWS::SQS::Queue"}}}')
    assert project.run()[0] == "synthesising", "a file that CDK opened"
    project.write("pages/one.txt", "2")
    assert project.run()[0] == "synthesising", "a file of a folder that is an asset"
    (tmp_path / "texts.py").touch()
    assert project.run()[0] == "synthesising", "a module written about when the process began"
