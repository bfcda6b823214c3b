"""Files of stacks: staged, uploaded once, kept for the revisions that name them; large templates; the bucket itself."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_s3_assets as assets

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_aws.errors import AnswerLost, AwsUnavailable
from orbits_cdk import AssetGone, CdkStack, Collected, collect_assets
from orbits_cdk import collect as collecting
from orbits_cdk import upload as uploading
from orbits_cdk.assets import staged_file
from orbits_cdk.payload import FileAsset, StackPayload
from orbits_cdk.upload import Store, upload
from orbits_iac import ExecutionFailed, Orbits, Outputs, Resource
from orbits_iac.provider import Refused


class Told(Outputs):
    function: str
    page: str


class Files(CdkStack[Told]):
    folder: str
    notes: int = 0

    def define_stack(self, stack: cdk.Stack) -> Told:
        page = assets.Asset(stack, "Page", path=f"{self.folder}/page.txt")
        for scope in (cdk.NestedStack(stack, "Below"), stack):
            function = functions.Function(
                scope,
                "Handler",
                code=functions.Code.from_asset(f"{self.folder}/code"),
                handler="index.handler",
                runtime=functions.Runtime.PYTHON_3_12,
            )
        stack.template_options.metadata = {"Notes": "x" * self.notes}
        return Told(function=function.function_name, page=page.s3_object_url)


class App(Resource[Told]):
    folder: str
    notes: int = 0

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> Told:
        return await self.do("files", Files(folder=self.folder, notes=self.notes))


PART = 5 * 2**20  # the smallest that S3 takes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "index.py").write_text("def handler(event, context): return 1\n")
    (tmp_path / "page.txt").write_text("hello")
    return tmp_path


def bucket(acme: AwsTarget) -> str:
    return f"orbits-assets-{acme.account}-eu-west-1"


def keys(aws: OfflineAws, acme: AwsTarget) -> list[str]:
    found = aws.client("s3", account="acme").list_objects_v2(Bucket=bucket(acme)).get("Contents", [])
    return [each["Key"] for each in found]


def asset(name: str, size: int) -> FileAsset:
    """A file that is staged in the current folder."""
    key = f"tests/{name}"
    staged_file(key).parent.mkdir(parents=True, exist_ok=True)
    with staged_file(key).open("wb") as file:
        file.truncate(size)
    return FileAsset(name=name, key=key, size=size)


def code_of(aws: OfflineAws, function: str) -> str:
    """The digest of the code that a function runs."""
    found = aws.client("lambda", account="acme").get_function(FunctionName=function)["Configuration"]
    return str(found["CodeSha256"])


async def test_files_are_uploaded_once_and_again_only_where_they_changed(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, folder: Path
) -> None:
    made = await orbits.run(App(folder=str(folder)), target=acme)
    first = keys(aws, acme)
    assert [key.rpartition(".")[2] for key in first].count("zip") == 1, "one function's code, used twice"
    assert all(key.startswith("tests/") for key in first)
    assert made.page.startswith(f"s3://{bucket(acme)}/tests/")
    [archive] = [key for key in first if key.endswith(".zip")]
    content = aws.client("s3", account="acme").get_object(Bucket=bucket(acme), Key=archive)["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["index.py"]

    before = len(aws.calls(writes=True))
    assert await orbits.run(App(folder=str(folder)), target=acme) == made
    assert len(aws.calls(writes=True)) == before, "nothing is written where nothing changed"

    was = code_of(aws, made.function)
    (folder / "code" / "index.py").write_text("def handler(event, context): return 2\n")
    assert (await orbits.run(App(folder=str(folder)), target=acme)).function == made.function
    assert code_of(aws, made.function) != was
    assert len([key for key in keys(aws, acme) if key.endswith(".zip")]) == 2, "the earlier revision's stays"

    await orbits.record(App, "acme").rollback()
    assert code_of(aws, made.function) == was


async def test_a_revision_whose_file_is_gone_is_not_begun(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, folder: Path
) -> None:
    await orbits.run(App(folder=str(folder)), target=acme)
    [archive] = [key for key in keys(aws, acme) if key.endswith(".zip")]
    (folder / "code" / "index.py").write_text("def handler(event, context): return 2\n")
    await orbits.run(App(folder=str(folder)), target=acme)
    aws.client("s3", account="acme").delete_object(Bucket=bucket(acme), Key=archive)
    (folder / ".orbits" / "cache" / "assets" / archive).unlink()
    before = len(aws.calls("cloudformation", writes=True))
    with pytest.raises(ExecutionFailed, match=r"Handler/Code \(s3://orbits-assets-.*Nothing was changed") as failed:
        await orbits.record(App, "acme").rollback()
    assert failed.value.caused_by(AssetGone)
    assert len(aws.calls("cloudformation", writes=True)) == before


async def test_a_file_that_cannot_be_uploaded_changes_nothing(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, folder: Path
) -> None:
    made = await orbits.run(App(folder=str(folder)), target=acme)
    was = code_of(aws, made.function)
    (folder / "code" / "index.py").write_text("def handler(event, context): return 2\n")
    aws.fail("s3", "PutObject", code="AccessDenied")
    before = len(aws.calls("cloudformation", writes=True))
    with pytest.raises(ExecutionFailed, match="AccessDenied on s3:PutObject") as failed:
        await orbits.run(App(folder=str(folder)), target=acme)
    assert failed.value.path == ("files",)
    assert len(aws.calls("cloudformation", writes=True)) == before
    assert code_of(aws, made.function) == was


def test_what_a_failed_update_would_go_back_to_is_put_back_or_missed(aws: OfflineAws, acme: AwsTarget) -> None:
    store = Store(s3=client("s3", acme), account=acme.account, region=acme.region)
    payload = StackPayload(stack_name="site", region=acme.region, template={}, assets=(asset("new", 1),))
    staged, gone, said = asset("staged", 2), asset("gone", 3), list[str]()
    staged_file(gone.key).unlink()
    upload(store, payload, (staged, gone), lambda message, _share: said.append(message))
    assert keys(aws, acme) == ["tests/new", "tests/staged"]
    missed = [message for message in said if "CloudFormation may not go back" in message]
    assert missed == ["gone of the standing revision is gone: if this fails, CloudFormation may not go back"]


async def test_a_bucket_of_somebody_else_is_not_used(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, member: Callable[[str], AwsTarget], folder: Path
) -> None:
    other = aws.client("s3", account=member("other").account)
    other.create_bucket(Bucket=bucket(acme), CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(ExecutionFailed, match=r"not the account's own|belongs to another account") as failed:
        await orbits.run(App(folder=str(folder)), target=acme)
    assert failed.value.caused_by(Refused)
    assert other.list_objects_v2(Bucket=bucket(acme))["KeyCount"] == 0


class Crashing:
    """A client that stops the caller at its n-th call: before it is made, or after it was answered."""

    def __init__(self, s3: Any, at: int, *, answered: bool) -> None:
        self._s3 = s3
        self._left = at
        self._answered = answered

    def __getattr__(self, name: str) -> Any:
        def call(**named: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._answered:
                raise AwsUnavailable(f"stopped before {name}")
            answer = getattr(self._s3, name)(**named)
            if self._left == 0:
                raise AnswerLost(f"stopped after {name}")
            return answer

        return call


def crashed(target: AwsTarget, at: int, *, answered: bool, file: FileAsset) -> bool:
    """Whether an upload that is stopped at its n-th call was; if so, it is done again."""
    s3 = client("s3", target)
    store = Store(s3=Crashing(s3, at, answered=answered), account=target.account, region=target.region)
    payload = StackPayload(stack_name="site", region=target.region, template={}, assets=(file,))
    try:
        upload(store, payload, (), lambda _message, _share: None)
    except (AwsUnavailable, AnswerLost):
        upload(replace(store, s3=s3), payload, (), lambda _message, _share: None)
        return True
    return False


@pytest.mark.parametrize("answered", [False, True], ids=["before the call", "after the call"])
def test_a_crash_while_the_bucket_is_made_ends_as_without_it(
    member: Callable[[str], AwsTarget], answered: bool
) -> None:
    crashes = 0
    for at in range(1, 13):
        target = member(f"client{at}")  # with a bucket of its own
        crashes += crashed(target, at, answered=answered, file=asset("small", 10))
        s3, name = client("s3", target), f"orbits-assets-{target.account}-{target.region}"
        assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
        assert s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"]
        assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "orbits:assets-version", "Value": "1"}]
        rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        assert [rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in rules] == [30]
        assert [each["Size"] for each in s3.list_objects_v2(Bucket=name)["Contents"]] == [10]
    assert crashes >= 8


@pytest.mark.parametrize("answered", [False, True], ids=["before the call", "after the call"])
def test_a_crash_while_a_large_file_is_put_ends_as_without_it(
    aws: OfflineAws, acme: AwsTarget, answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "WHOLE", PART)
    monkeypatch.setattr(uploading, "PART", PART)
    crashed(acme, 100, answered=answered, file=asset("first", 1))  # the bucket is there
    crashes = 0
    for at in range(3, 7):  # from the beginning of the upload to its end
        crashes += crashed(acme, at, answered=answered, file=asset(f"large{at}", PART + 1))
        found = client("s3", acme).head_object(Bucket=bucket(acme), Key=f"tests/large{at}")
        assert found["ContentLength"] == PART + 1
    assert crashes == 4
    aws.reset()  # its large objects are files


async def test_a_large_template_goes_through_the_bucket(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, folder: Path
) -> None:
    await orbits.run(App(folder=str(folder), notes=60_000), target=acme)
    [key] = [key for key in keys(aws, acme) if key.startswith("tests/templates/")]
    size = aws.client("s3", account="acme").head_object(Bucket=bucket(acme), Key=key)["ContentLength"]
    assert size > 51_200
    before = len(aws.calls(writes=True))
    await orbits.run(App(folder=str(folder), notes=60_000), target=acme)
    assert len(aws.calls(writes=True)) == before


async def test_what_no_revision_needs_is_collected_when_it_is_old(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await collect_assets(orbits, acme) == Collected(), "there is no bucket yet"
    await orbits.run(App(folder=str(folder)), target=acme)
    (folder / "page.txt").write_text("hello again")
    await orbits.run(App(folder=str(folder)), target=acme)
    s3, needed = aws.client("s3", account="acme"), keys(aws, acme)
    for key in ("tests/nobodys.zip", "other/anothers.zip"):
        s3.put_object(Bucket=bucket(acme), Key=key, Body=b"12345")
    assert await collect_assets(orbits, acme) == Collected(), "all of it is young"
    monkeypatch.setattr(collecting, "UNTOUCHED", timedelta(seconds=-1))
    found = Collected(keys=("tests/nobodys.zip",), size=5)
    assert await collect_assets(orbits, acme) == found
    assert len(keys(aws, acme)) == len(needed) + 2, "looking removes nothing"
    assert await collect_assets(orbits, acme, remove=True) == replace(found, removed=True)
    assert keys(aws, acme) == ["other/anothers.zip", *needed]


async def test_a_file_that_no_revision_keeps_counts_as_young_again_when_it_is_needed(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await orbits.run(App(folder=str(folder)), target=acme)
    (folder / "page.txt").write_text("hello again")
    await orbits.run(App(folder=str(folder)), target=acme)
    monkeypatch.setattr(uploading, "_RENEWED", timedelta(seconds=-1))
    before = len(aws.calls("s3", writes=True))
    await orbits.run(App(folder=str(folder)), target=acme)
    assert len(aws.calls("s3", writes=True)) == before, "the standing revision names them"
    (folder / "page.txt").write_text("hello")
    await orbits.run(App(folder=str(folder)), target=acme)
    assert len([call for call in aws.calls("s3", writes=True)[before:] if call == "s3:PutObject"]) == 1
