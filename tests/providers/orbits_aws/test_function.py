"""Function: code that is the same for the same files, changed when Lambda has time for it."""

import base64
import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from orbits_aws import AwsTarget, Code, Function, OfflineAws, trusted
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.provider import UsageError

from .things import Case, Client, held, it_lives, it_respects_owners

CODE = Code.files({"index.py": "def handler(event, context):\n    return 1\n"})
OTHER_CODE = Code.files({"index.py": "def handler(event, context):\n    return 2\n"})


def arn(aws: Client) -> str:
    return str(aws("lambda").get_function(FunctionName="api")["Configuration"]["FunctionArn"])


def role(aws: Client) -> None:
    aws("iam").create_role(RoleName="runner", AssumeRolePolicyDocument=json.dumps(trusted("lambda.amazonaws.com")))


def by_hand(aws: Client, tags: dict[str, str], code: Code = CODE) -> None:
    role_arn = aws("iam").get_role(RoleName="runner")["Role"]["Arn"]
    aws("lambda").create_function(
        FunctionName="api",
        Runtime="python3.11",
        Handler="index.handler",
        Role=role_arn,
        Code=code.asked(),
        Tags=tags,
    )


def function(**fields: Any) -> Function:
    given = {"name": "api", "code": CODE, "runtime": "python3.12", "handler": "index.handler", "role": "runner"}
    return Function.model_validate({**given, **fields})


CASE = Case(
    before=role,
    first=function(tags={"team": "shop"}),
    changed=function(
        code=OTHER_CODE,
        memory=256,
        timeout=30,
        architecture="arm64",
        environment={"STAGE": "test"},
        secret_environment={"PASSWORD": SecretStr("hunter2-hunter2")},
        reserved_concurrency=5,
        tags={"team": "sales"},
    ),
    other=function(name="other"),
    made_by="lambda:CreateFunction",
    made_by_hand=by_hand,
    spoilt=lambda aws: aws("lambda").update_function_configuration(FunctionName="api", Timeout=7),
    drifted={"timeout": "7"},
    tags=lambda aws: aws("lambda").list_tags(Resource=arn(aws))["Tags"],
    there=lambda aws: [one["FunctionName"] for one in aws("lambda").list_functions()["Functions"]],
)


@pytest.mark.usefixtures("quick")
async def test_it_lives(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_lives(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_it_respects_owners(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_respects_owners(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_a_role_that_was_made_a_moment_ago_is_waited_for(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    role(lambda service: aws.client(service, account="acme"))
    message = "The role defined for the function cannot be assumed by Lambda."
    aws.fail("lambda", "CreateFunction", code="InvalidParameterValueException", message=message, times=3)
    aws.fail("lambda", "UpdateFunctionCode", code="ResourceConflictException", message="An update is in progress")
    await orbits.run(held(CASE), target=acme)
    await orbits.run(held(CASE, "changed"), target=acme)
    calls = aws.calls("lambda", writes=True)
    assert (calls.count("lambda:CreateFunction"), calls.count("lambda:UpdateFunctionCode")) == (4, 2)


async def test_a_change_that_lambda_gives_up_is_an_error_and_is_brought_back(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.awslambda.models import LambdaFunction as Offline

    role(lambda service: aws.client(service, account="acme"))
    await orbits.run(held(CASE), target=acme)
    told: Callable[..., Any] = Offline.get_configuration
    told_of: list[int] = []

    def given_up(function: Any, *arguments: Any, **named: Any) -> Any:
        """As Lambda tells of a change that it could not carry out; moto carries out each."""
        found = told(function, *arguments, **named)
        if function.memory_size == 256:
            told_of.append(256)
        if len(told_of) == 2:  # at the first look after the call that changed it
            found.update(LastUpdateStatus="Failed", LastUpdateStatusReason="no such key")
        return found

    monkeypatch.setattr(Offline, "get_configuration", given_up)
    with pytest.raises(ExecutionFailed, match="api could not be changed: Not updated:  no such key") as failed:
        await orbits.run(held(CASE, "changed"), target=acme)
    assert failed.value.failure.state.value == "REVERTED"
    assert aws.client("lambda", account="acme").get_function(FunctionName="api")["Configuration"]["MemorySize"] == 128


async def test_what_an_adopted_one_ran_before_is_not_kept(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    def clients(service: str) -> Any:
        return aws.client(service, account="acme")

    role(clients)
    by_hand(clients, {}, OTHER_CODE)
    await orbits.run(held(CASE, adopt=True), target=acme)
    with pytest.raises(ExecutionFailed, match="was there before it was adopted, and is not kept: give its code"):
        await orbits.record(Function, "Holder acme/thing").rollback(to=0)


async def test_code_in_a_bucket_is_known_by_where_it_is(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    role(lambda service: aws.client(service, account="acme"))
    s3 = aws.client("s3", account="acme")
    s3.create_bucket(Bucket="acme-code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key, code in (("1.zip", CODE), ("2.zip", OTHER_CODE)):
        s3.put_object(Bucket="acme-code", Key=key, Body=base64.b64decode(code.archive or ""))
    first, second = (function(code=Code.in_bucket("acme-code", key)) for key in ("1.zip", "2.zip"))
    case = replace(CASE, first=first, changed=second)
    for which, uploads in (("first", 0), ("first", 0), ("changed", 1)):
        await orbits.run(held(case, which), target=acme)
        assert aws.calls("lambda").count("lambda:UpdateFunctionCode") == uploads
    found = aws.client("lambda", account="acme").get_function(FunctionName="api")
    assert found["Configuration"]["CodeSha256"] == OTHER_CODE.sha256


def test_an_archive_is_the_same_for_the_same_files(tmp_path: Path) -> None:
    made: list[Code] = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "part" / "__pycache__").mkdir(parents=True)
        for file in ("part/b.py", "a.py") if name == "one" else ("a.py", "part/b.py"):
            (folder / file).write_text(f"# {file}")
            os.utime(folder / file, (len(made), 0))
        (folder / "part" / "__pycache__" / "b.pyc").write_bytes(name.encode())
        made.append(Code.folder(folder))
    assert made[0] == made[1] == Code.files({"a.py": "# a.py", "part/b.py": "# part/b.py"})
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(made[0].archive or "")))
    assert {name: archive.read(name) for name in archive.namelist()} == {
        "a.py": b"# a.py",
        "part/b.py": b"# part/b.py",
    }


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder with files in it"):
        Code.folder(tmp_path / "nothing")


def test_a_variable_is_secret_or_not() -> None:
    with pytest.raises(ValidationError, match="the variable A of the function api is secret, or it is not"):
        function(environment={"A": "1"}, secret_environment={"A": "2"})
