"""Actions on what AWS has: begun once, watched to their end, and honest where nobody knows."""

import json
import re
from typing import Any
from unittest.mock import Mock

import pytest
from pydantic import ValidationError

from orbits_aws import AwsTarget, Code, Invalidate, Invoke, Migration, OfflineAws, SqlMigrations, migrations_in, trusted
from orbits_aws.errors import AwsUnavailable
from orbits_iac import Action, ExecutionFailed, Orbits
from orbits_iac.provider import Interrupted, UsageError
from orbits_iac.steps.execution import Current
from orbits_iac.steps.step import bind


@pytest.fixture
def distribution(aws: OfflineAws, acme: AwsTarget) -> str:
    origin = {"Id": "site", "DomainName": "site.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    made = aws.client("cloudfront", account=acme.account).create_distribution(
        DistributionConfig={
            "CallerReference": "site",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all"},
        }
    )
    return str(made["Distribution"]["Id"])


@pytest.mark.usefixtures("quick")
async def test_an_invalidation_is_asked_for_by_one_reference_and_watched(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.cloudfront.models import Invalidation

    told = iter(["InProgress", "InProgress"])  # moto is done at once
    status = property(lambda _: next(told, "Completed"), lambda _, __: None)
    monkeypatch.setattr(Invalidation, "status", status, raising=False)
    aws.fail("cloudfront", "CreateInvalidation", code="TooManyInvalidationsInProgress")
    aws.lose_answer("cloudfront", "CreateInvalidation")
    made = await orbits.run(Invalidate(distribution=distribution, paths=["/index.html"]), target=acme)
    cloudfront = aws.client("cloudfront", account=acme.account)
    found = cloudfront.list_invalidations(DistributionId=distribution)["InvalidationList"]["Items"]
    batches = [
        cloudfront.get_invalidation(DistributionId=distribution, Id=one["Id"])["Invalidation"]["InvalidationBatch"]
        for one in found
    ]
    assert made in {one["Id"] for one in found}
    assert len({batch["CallerReference"] for batch in batches}) == 1
    assert batches[0]["Paths"]["Items"] == ["/index.html"]


@pytest.fixture
def api(aws: OfflineAws, acme: AwsTarget, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A function that doubles a number; what it was invoked with is in the list."""
    from moto.awslambda.models import LambdaFunction

    trust = json.dumps(trusted("lambda.amazonaws.com"))
    role = aws.client("iam", account=acme.account).create_role(RoleName="api", AssumeRolePolicyDocument=trust)
    code: Any = Code.files({"index.py": ""}).asked()
    aws.client("lambda", account=acme.account).create_function(
        FunctionName="api", Runtime="python3.12", Handler="index.handler", Role=role["Role"]["Arn"], Code=code
    )
    seen: list[Any] = []

    def invoke(_function: Any, body: str, _request: Any, answer: dict[str, Any]) -> bytes:
        """As Lambda answers; moto needs Docker to run anything."""
        seen.append(json.loads(body))
        if not isinstance(seen[-1], int):
            answer["x-amz-function-error"] = "Unhandled"
            return b'{"errorMessage": "no number"}'
        return json.dumps(seen[-1] * 2).encode()

    monkeypatch.setattr(LambdaFunction, "invoke", invoke)
    return seen


async def test_a_function_is_waited_for_and_its_error_told(orbits: Orbits, acme: AwsTarget, api: list[Any]) -> None:
    assert await orbits.run(Invoke(function="api", payload=21), target=acme) == 42
    with pytest.raises(ExecutionFailed, match=r"The function api in \d+ \(eu-west-1\) failed: .*no number"):
        await orbits.run(Invoke(function="api", payload="x"), target=acme)
    assert api == [21, "x"]


async def test_a_function_whose_answer_was_lost_is_not_invoked_again(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, api: list[Any]
) -> None:
    aws.lose_answer("lambda", "Invoke")
    with pytest.raises(ExecutionFailed, match="AnswerLost"):
        await orbits.run(Invoke(function="api", payload=21), target=acme)
    assert api == [21]


async def test_a_function_that_may_take_longer_than_one_listens_is_refused(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, api: list[Any]
) -> None:
    aws.client("lambda", account="acme").update_function_configuration(FunctionName="api", Timeout=300)
    with pytest.raises(ExecutionFailed, match=r"may take 300 s.* Make it a durable function"):
        await orbits.run(Invoke(function="api", payload=21), target=acme)
    assert api == []


class Durable:
    """Stands in for a client of Lambda with a durable function, which the offline AWS does not have."""

    def __init__(self, *told: dict[str, Any], durable: bool = True) -> None:
        self.told = list(told)
        self.durable = durable
        self.begun: dict[str, str] = {}

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Timeout": 900, **({"DurableConfig": {"ExecutionTimeout": 86400}} if self.durable else {})}

    def invoke(self, *, DurableExecutionName: str, Payload: str, **_: Any) -> dict[str, str]:  # noqa: N803 - boto3's
        self.begun[DurableExecutionName] = Payload
        return {"DurableExecutionArn": f"arn:{DurableExecutionName}"}

    def get_durable_execution(self, **_: Any) -> dict[str, Any]:
        if not self.told[0]:
            self.told.pop(0)
            raise AwsUnavailable("throttled")
        return self.told.pop(0)


def bound(step: Action[Any, Any], token: str = "t1") -> Any:
    current = Mock(spec=Current)
    current.token = token
    current.target.return_value = AwsTarget(account="123456789012")
    bind(step, current)
    return step


def test_a_durable_function_is_begun_by_name_and_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = Durable({"Status": "RUNNING"}, {}, {"Status": "SUCCEEDED", "Result": "42"})
    monkeypatch.setattr("orbits_aws.invoke.client", lambda *_, **__: functions)
    step = bound(Invoke(function="api", payload=21))
    for begin in (step.main, step.on_interrupted):
        assert begin().handle == "arn:t1"
    assert functions.begun == {"t1": "21"}
    for _ in range(2):
        assert step.watch("arn:t1").handle == "arn:t1"
    assert step.watch("arn:t1") == 42


def test_nobody_knows_what_another_function_did_when_the_process_died(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orbits_aws.invoke.client", lambda *_, **__: Durable(durable=False))
    with pytest.raises(Interrupted, match=r"nobody knows what it has done.*look for the token t1 in its logs"):
        bound(Invoke(function="api")).on_interrupted()


class Database:
    """Stands in for PostgreSQL behind the Data API, which moto does not have: it knows the one statement of each."""

    def __init__(self) -> None:
        self.applied: dict[str, str] = {}
        self.ran: list[str] = []
        self.locked = 0  # how often another has the lock

    def execute(self, sql: str) -> list[list[dict[str, str]]]:
        if sql.startswith("SELECT"):
            return [[{"stringValue": name}, {"stringValue": checksum}] for name, checksum in self.applied.items()]
        done = re.search(r"VALUES \('(.*?)', '(.*?)'\)", sql)
        if done is None:
            assert sql.startswith("CREATE TABLE IF NOT EXISTS")
        elif self.locked:
            self.locked -= 1
        elif done[1] not in self.applied:
            [text] = re.findall(r"EXECUTE (\$\w+\$)(.*)\1;", sql)
            self.ran.append(text[1])
            self.applied[done[1]] = done[2]
        return []


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    from moto.rdsdata.models import QueryResults, RDSDataServiceBackend

    made = Database()

    def execute(_backend: Any, resource_arn: str, sql: str) -> QueryResults:
        return QueryResults(records=made.execute(sql))

    monkeypatch.setattr(RDSDataServiceBackend, "execute_statement", execute)
    return made


def migrations(*statements: str) -> SqlMigrations:
    region = "eu-west-1:123456789012"
    return SqlMigrations(
        cluster=f"arn:aws:rds:{region}:cluster:shop",
        secret=f"arn:aws:secretsmanager:{region}:secret:shop",
        database="shop",
        migrations=[Migration(name=f"{number:04}", sql=sql) for number, sql in enumerate(statements, 1)],
    )


@pytest.mark.usefixtures("quick")
async def test_each_migration_is_applied_once_in_order_whatever_is_lost(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, database: Database
) -> None:
    aws.fail("rds-data", "ExecuteStatement", code="DatabaseResumingException", times=2)
    aws.fail("rds-data", "ExecuteStatement", code="StatementTimeoutException", nth=5)
    aws.lose_answer("rds-data", "ExecuteStatement", resource="INSERT INTO")
    database.locked = 1
    assert await orbits.run(migrations("CREATE a", "CREATE b"), target=acme) == ["0001", "0002"]
    assert await orbits.run(migrations("CREATE a", "CREATE b", "DROP a"), target=acme) == ["0001", "0002", "0003"]
    assert database.ran == ["CREATE a", "CREATE b", "DROP a"]


async def test_a_migration_that_was_changed_or_comes_late_is_refused(
    orbits: Orbits, acme: AwsTarget, database: Database
) -> None:
    await orbits.run(migrations("CREATE a", "CREATE b"), target=acme)
    with pytest.raises(ExecutionFailed, match="0002 was applied to shop and is another one now"):
        await orbits.run(migrations("CREATE a", "CREATE c"), target=acme)
    late = migrations("CREATE a").model_copy(update={"migrations": [Migration(name="0000", sql="CREATE z")]})
    with pytest.raises(ExecutionFailed, match="0000 comes before 0002, which was applied to shop"):
        await orbits.run(late, target=acme)
    assert database.ran == ["CREATE a", "CREATE b"]


def test_migrations_are_read_from_a_folder_in_order(tmp_path: Any) -> None:
    for name in ("0002_b", "0001_a"):
        (tmp_path / f"{name}.sql").write_text(f"-- {name}")
    assert [one.name for one in migrations_in(tmp_path)] == ["0001_a", "0002_b"]
    with pytest.raises(UsageError, match=r"no files that end with .sql"):
        migrations_in(tmp_path / "none")
    with pytest.raises(ValidationError, match="stand in their order"):
        SqlMigrations(cluster="c", secret="s", database="d", migrations=[*reversed(migrations_in(tmp_path))])
