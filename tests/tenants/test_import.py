"""`orbits tenants import`: what runs already becomes records as it is, against an offline AWS over HTTP."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner, Result

from orbits_aws import AwsTarget, OfflineAws, testing
from orbits_cdk import CdkStack
from orbits_cdk.context import NOTHING, Context
from orbits_cdk.payload import StackOutput, StackPayload
from orbits_iac import ExecutionFailed, Options, Orbits, Outputs, Resource, Settings, Target
from orbits_iac.model.rows import RecordRow
from orbits_iac.provider import UsageError
from orbits_tenants import FunctionSource, Rollout, Source, Tenant, Tenants, TenantState
from orbits_tenants.cli import app
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.finding import Sought
from orbits_tenants.removal import remove, would_go
from orbits_tenants.rollback import bring_back, look
from orbits_tenants.survey import survey

QUEUE: Mapping[str, Any] = {"QueueName": "jobs", "ReceiveMessageWaitTimeSeconds": 5}
TENANTS: list[Tenant] = []


def body(**properties: Any) -> dict[str, Any]:
    return {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {**QUEUE, **properties}}}}


class JobsOutputs(Outputs):
    url: str


class JobsStack(CdkStack[JobsOutputs]):
    """A stack with a queue."""

    queue: dict[str, Any]

    def synthesise(self, kept: Context = NOTHING) -> StackPayload:
        return StackPayload(
            stack_name=self.stack_name(),
            region="eu-west-1",
            template={**body(**self.queue), "Outputs": {"Url": {"Value": {"Ref": "Jobs"}}}},
            outputs=(StackOutput(field="url", name="Url", form="text"),),
        )


class Berth(Resource[JobsOutputs]):
    """What each client has."""

    client: str
    queue: dict[str, Any]

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> JobsOutputs:
        return await self.do("jobs", JobsStack(queue=self.queue))


class Harbours(Tenants[Berth]):
    source: ClassVar[Source] = FunctionSource(lambda: TENANTS)
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"])
    queue: dict[str, Any] = {}

    def stack(self, tenant: Tenant) -> Berth:
        return Berth(client=tenant.id, queue=self.queue)


class Yard(Target):
    """Where nobody can look for anything by its name."""

    def place(self) -> str:
        return "yard"


class OneByOne(Harbours):
    """The same, one after the other."""

    rollout: ClassVar[Rollout] = Rollout(waves=["100%"], max_concurrency=1)


class Agency:
    """The accounts of the clients, with the stacks that somebody has made in them."""

    def __init__(self, aws: OfflineAws) -> None:
        self.aws = aws

    def clients(self, *names: str) -> None:
        for name in names:
            organizations = self.aws.client("organizations", account=testing.MANAGEMENT)
            made = organizations.create_account(AccountName=name, Email=f"{name}@agency.example")
            target = AwsTarget(account=str(made["CreateAccountStatus"]["AccountId"]))
            TENANTS.append(Tenant(id=name, targets=(target,), labels={"called": f"shop-{name}"}))

    def cfn(self, name: str = testing.MANAGEMENT) -> Any:
        return self.aws.client("cloudformation", account=name)

    def make(self, client: str, name: str, **more: Any) -> None:
        self.cfn(client).create_stack(**{"StackName": name, "TemplateBody": json.dumps(body()), **more})

    def spread(self, name: str, *clients: str) -> None:
        """A StackSet with an instance in each of these clients' accounts."""
        accounts = [self.aws.account(client) for client in clients]
        self.cfn().create_stack_set(StackSetName=name, TemplateBody=json.dumps(body()))
        self.cfn().create_stack_instances(StackSetName=name, Accounts=accounts, Regions=["eu-west-1"])

    def stacks(self, *clients: str) -> list[Any]:
        """All that CloudFormation says of the stacks of clients."""
        return [
            (each, self.cfn(name).get_template(StackName=each["StackName"])["TemplateBody"])
            for name in clients
            for each in self.cfn(name).describe_stacks()["Stacks"]
        ]


@pytest.fixture
def agency(aws: OfflineAws) -> Agency:
    TENANTS.clear()
    return Agency(aws)


def orbits(*arguments: str) -> Result:
    found = CliRunner().invoke(app, ["import", f"{__name__}:Harbours", *arguments], env={"COLUMNS": "120"})
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def said(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and each tenant's part of the document."""
    found = orbits("--json", *arguments)
    document = json.loads(found.stdout)
    return found.exit_code, {**document, **{one["tenant"]: one for one in document["tenants"]}}


async def records() -> dict[str, tuple[int | None, bool, str]]:
    async with Orbits(Settings(), work=False) as store:
        rows = await store.store.find(RecordRow)
    return {f"{row.kind} {row.identity}": (row.revision, row.adopted, row.called) for row in rows}


PATTERN = ("--stacks", "client-{tenant}-jobs")


def test_it_is_shown_then_recorded_and_nothing_is_changed(agency: Agency) -> None:
    agency.clients("acme", "bolt", "cafe")
    agency.make("acme", "client-acme-jobs", Tags=[{"Key": "team", "Value": "web"}])
    agency.make("bolt", "client-bolt-jobs")
    agency.make("bolt", "client-zeta-jobs", TemplateBody=json.dumps(body(QueueName="zeta")))
    before = agency.stacks("acme", "bolt", "cafe")
    assert asyncio.run(records()) == {}
    shown = orbits(*PATTERN, 'queue={"ReceiveMessageWaitTimeSeconds": 20}', "--yes")
    lines = [line.split() for line in shown.stdout.splitlines()]
    acme, bolt = (one.targets[0].place() for one in TENANTS[:2])
    assert lines[:-5] == [
        ["tenant", "is", "what", "runs", "where", "state"],
        ["acme", "found", "jobs:", "client-acme-jobs", acme, "CREATE_COMPLETE"],
        ["bolt", "found", "jobs:", "client-bolt-jobs", bolt, "CREATE_COMPLETE"],
        ["cafe", "not", "found", "-", "-", "-"],
        ["cafe", "not", "found:", "nothing", "of", "it", "is", "there:", "orbits", "up", "makes", "it"],
        ["acme,", "bolt:", "an", "update", "would", "change"],
        ["jobs.Jobs:", "update", "AWS::SQS::Queue:", "ReceiveMessageWaitTimeSeconds:", "5", "→", "20"],
        ["no", "tenant", "has", "this", "one:", "client-zeta-jobs", "in", bolt, "(CREATE_COMPLETE)"],
    ]
    assert shown.exit_code == 0
    assert [line[:5] for line in lines[-5:]] == [
        ["tenant", "account", "state", "revision", "what"],
        ["acme", acme, "adopted", "0", "recorded"],
        ["bolt", bolt, "adopted", "0", "recorded"],
        ["cafe", "-", "not", "started", "-"],
        ["3", "tenants:", "2", "adopted,", "1"],
    ]
    assert agency.stacks("acme", "bolt", "cafe") == before
    assert asyncio.run(records()) == {
        "Harbours Harbours": (1, False, ""),
        "Berth acme": (0, True, ""),
        "Berth bolt": (0, True, ""),
        "JobsStack Berth acme/jobs": (0, True, "client-acme-jobs"),
        "JobsStack Berth bolt/jobs": (0, True, "client-bolt-jobs"),
    }
    code, document = said(*PATTERN, "--yes", "--only", "bolt")
    assert (code, document["bolt"]["state"], document["report"]) == (0, "recorded already", None)
    assert [one["tenant"] for one in document["tenants"]] == ["bolt"]


async def test_an_update_knows_it_by_its_name_and_goes_back_to_what_was_found(agency: Agency) -> None:
    agency.clients("acme")
    agency.make("acme", "old", Tags=[{"Key": "team", "Value": "web"}])
    longer = {"ReceiveMessageWaitTimeSeconds": 20}
    async with Orbits(Settings()) as at_work:
        await at_work.run(Harbours(importing={"acme": {"jobs": "old"}}))
        report = await at_work.run(Harbours(queue=longer))
        assert (report.tenants["acme"].state, report.tenants["acme"].revision) == (TenantState.UPDATED, 1)
        [(stack, template)] = agency.stacks("acme")
        assert (stack["StackName"], template["Resources"]) == ("old", body(**longer)["Resources"])
        await at_work.record(Berth, "acme").rollback(0)
        [(stack, template)] = agency.stacks("acme")
        assert (stack["Tags"], template) == ([{"Key": "team", "Value": "web"}], body())
        assert (await at_work.run(Harbours(queue=longer))).tenants["acme"].revision == 2
        before = agency.stacks("acme")
        async with Orbits(Settings(store="memory:")) as empty:  # what this project has marked is no stranger's
            await empty.run(Harbours(importing={"acme": {"jobs": "old"}}))
            assert (await empty.run(Harbours(queue=longer))).tenants["acme"].revision == 1
        assert agency.stacks("acme") == before
        await at_work.record(Harbours, "Harbours").uninstall()
    assert agency.stacks("acme") == []


async def test_who_was_imported_goes_back_to_what_was_found_and_never_to_nothing(agency: Agency) -> None:
    agency.clients("acme", "bolt")
    agency.make("acme", "old")
    async with Orbits(Settings()) as at_work:
        await at_work.run(Harbours(only=("bolt",)))
        await at_work.run(Harbours(importing={"acme": {"jobs": "old"}}))
        with pytest.raises(UsageError, match="nothing is from before its last release; there are: 1"):
            await look(at_work, Harbours)
        assert not await look(at_work, Harbours, to=1)  # before it was imported nothing of it was known
        await at_work.run(Harbours(queue={"ReceiveMessageWaitTimeSeconds": 20}))
        shown = await look(at_work, Harbours, to=1)
        assert [(one.tenant, one.revision, one.to) for one in shown.tenants] == [("acme", 1, 0), ("bolt", 2, 1)]
        report = await bring_back(at_work, shown)
        assert (report.tenants["acme"].state, report.tenants["acme"].revision) == (TenantState.BROUGHT_BACK, 0)
        await at_work.run(Harbours(queue={"ReceiveMessageWaitTimeSeconds": 20}))
        await at_work.record(Harbours, "Harbours").rollback(1)
    [(_, template)] = agency.stacks("acme")
    assert template == body()


async def test_who_runs_as_it_was_found_is_removed_only_once_a_roll_out_has_reached_it(agency: Agency) -> None:
    agency.clients("acme", "bolt")
    agency.make("acme", "old")
    async with Orbits(Settings()) as at_work:
        await at_work.run(Harbours(importing={"acme": {"jobs": "old"}}))
        for removing in (would_go, remove):
            with pytest.raises(UsageError, match="tenant acme runs as it was found when it was imported"):
                await removing(at_work, Harbours, "acme")
        assert (await at_work.run(Harbours())).tenants[
            "acme"
        ].state is TenantState.UPDATED  # nobody has decided anything
        certificate = await remove(at_work, Harbours, "acme")
    assert set(certificate.removed) == {"Berth acme", "JobsStack Berth acme/jobs"}
    assert agency.stacks("acme") == []


async def test_who_is_elsewhere_by_then_is_not_recorded(agency: Agency) -> None:
    agency.clients("acme", "bolt")
    for client in ("acme", "bolt"):
        agency.make(client, "jobs")
    at = [one.targets[0].place() for one in TENANTS]
    other = TENANTS.pop()
    async with Orbits(Settings()) as at_work:
        found = await survey(at_work, Harbours, {}, [Sought(like="jobs")], ())
        assert found.intake is not None
        TENANTS[0] = TENANTS[0].model_copy(update={"targets": other.targets})
        report = await at_work.run(found.intake)
        assert report.tenants["acme"].state is TenantState.FAILED
        assert report.tenants["acme"].happened == f"it was found in {at[0]}, and is in {at[1]} by now: import it again"
        assert await at_work.store.get(RecordRow, "Berth", "acme") is None
        found = await survey(at_work, Harbours, {}, [Sought(like="jobs")], ())
        assert found.intake is not None
        assert (await at_work.run(found.intake)).tenants["acme"].account == at[1]


class OldJobs(JobsStack):
    """One that is called so already."""

    options = Options(adopt=True)

    def stack_name(self) -> str:
        return "old"


class Pontoon(Berth):
    """Adopts what its client has with the first update."""

    async def define_update(self) -> JobsOutputs:
        return await self.do("jobs", OldJobs(queue=self.queue))


class Jetty(OldJobs):
    """A stack that is all that its client has."""

    client: str

    def identity(self) -> str:
        return self.client


class Docks(Tenants[Any]):
    source: ClassVar[Source] = FunctionSource(lambda: TENANTS)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], on_failure="rollback-all")
    alone: bool
    queue: dict[str, Any] = {}

    def stack(self, tenant: Tenant) -> Resource[Any]:
        return (Jetty if self.alone else Pontoon)(client=tenant.id, queue=self.queue)


@pytest.mark.parametrize(("alone", "revision"), [(False, None), (True, 0)])
async def test_a_release_that_adopts_and_goes_back_leaves_what_was_there(
    agency: Agency, alone: bool, revision: int | None
) -> None:
    agency.clients("acme", "bolt")
    agency.make("acme", "old")
    before = agency.stacks("acme")
    agency.aws.fail("cloudformation", "CreateChangeSet", code="AccessDenied", account="bolt", times=9)
    async with Orbits(Settings()) as at_work:
        report = await at_work.run(Docks(alone=alone, queue={"ReceiveMessageWaitTimeSeconds": 20}))
    acme = report.tenants["acme"]
    assert (acme.state, acme.revision) == (TenantState.BROUGHT_BACK, revision), report
    if not alone:
        stays = "it stays: OldJobs Pontoon acme/jobs: it was there before, and is as it was found"
        assert acme.happened == f"went forward, and is back to nothing; {stays}"
    [(stack, template)] = agency.stacks("acme")
    assert (stack["StackName"], template, stack["Tags"]) == ("old", before[0][1], before[0][0]["Tags"])


async def test_one_that_cannot_be_recorded_fails_alone(agency: Agency) -> None:
    agency.clients("acme", "bolt", "cafe")
    for client in ("acme", "bolt"):
        agency.make(client, "old")
    agency.aws.fail("cloudformation", "GetTemplate", code="AccessDenied", account="bolt")
    async with Orbits(Settings()) as at_work:
        report = await at_work.run(Harbours(importing={name: {"jobs": "old"} for name in ("acme", "bolt", "cafe")}))
    assert {id_: one.state for id_, one in report.tenants.items()} == {
        "acme": TenantState.ADOPTED,
        "bolt": TenantState.FAILED,
        "cafe": TenantState.FAILED,
    }
    assert "jobs: AccessDenied: AccessDenied on cloudformation:GetTemplate" in report.tenants["bolt"].happened
    assert "nothing is there and called old" in report.tenants["cafe"].happened


async def test_it_goes_on_in_another_process(agency: Agency) -> None:
    agency.clients("acme", "bolt")
    for client in ("acme", "bolt"):
        agency.make(client, "old")
    recorded = asyncio.Event()
    async with Orbits(Settings()) as first:
        first.engine.on_end(lambda row: recorded.set() if row.identity == "Berth acme/jobs" else None)
        execution = await first.start(OneByOne(importing={name: {"jobs": "old"} for name in ("acme", "bolt")}))
        await recorded.wait()
        assert (await first.execution(execution.id).row()).ended_at is None
    async with Orbits(Settings()) as second, asyncio.timeout(60):
        report = await second.execution(execution.id)
    assert {one.state for one in report.tenants.values()} == {TenantState.ADOPTED}


def test_instances_of_a_stackset_are_told_and_recorded_under_the_names_that_they_have(agency: Agency) -> None:
    agency.clients("acme", "bolt", "dune", "cafe")
    agency.spread("depots", "acme", "bolt", "cafe", "dune")
    [(stack, _)] = agency.stacks("dune")
    agency.cfn("dune").delete_stack(StackName=stack["StackName"])
    gone = TENANTS.pop()
    agency.cfn().update_stack_set(
        StackSetName="depots",
        TemplateBody=json.dumps(body(DelaySeconds=1)),
        Accounts=[agency.aws.account("acme")],
        Regions=["eu-west-1"],
    )
    shown = orbits("--stack-set", "depots", "--yes")
    assert shown.exit_code == 4
    assert f"dune refused: {stack['StackName']}: it is not there any more: take it out of" in shown.stdout
    assert (
        "bolt, dune: an instance of the StackSet depots that is OUTDATED: the StackSet has changed since"
        in shown.stdout
    )
    assert "acme, bolt, dune: take it out of the StackSet before an update of Orbits" in shown.stdout
    assert "no tenant has this one: StackSet-depots-" in shown.stdout
    assert f" in {gone.targets[0].place()} (OUTDATED)" in shown.stdout
    assert "acme: an update would change\n  jobs.Jobs: update AWS::SQS::Queue: DelaySeconds: 1 → null" in shown.stdout
    assert "bolt: an update would change no resource, but for the marks of Orbits" in shown.stdout
    names = [called for _, _, called in asyncio.run(records()).values() if called]
    assert [name.startswith("StackSet-depots-") for name in names] == [True, True]


def test_what_cannot_be_recorded_is_refused_by_name(agency: Agency) -> None:
    agency.clients("acme", "bolt", "cafe", "dune", "echo", "fern", "glow")
    agency.make("acme", "shop-acme-1")
    agency.make("acme", "shop-acme-2")
    agency.make("bolt", "shop-bolt", Tags=[{"Key": "orbits:project", "Value": "other"}])
    agency.aws.fail("cloudformation", "DescribeStacks", code="AccessDenied", account="cafe")
    agency.aws.fail("sqs", "CreateQueue", code="AccessDenied", account="dune")
    agency.make("dune", "shop-dune")
    TENANTS[4] = TENANTS[4].model_copy(update={"labels": {}})
    TENANTS[5] = TENANTS[5].model_copy(update={"targets": (Yard(),)})
    TENANTS[6] = TENANTS[6].model_copy(update={"targets": (*TENANTS[6].targets, Yard())})
    agency.make("glow", "shop-glow", TemplateBody=json.dumps(body(QueueName="glowing")))
    code, document = said("--stacks", "{called}*", "--yes")
    place = TENANTS[0].targets[0].place()
    fit = "let the pattern fit one, or say where (@PLACE)"
    take_over = "Uninstall it there, or take it over: orbits state take-over ... --from other"
    assert {id_: (document[id_]["state"], document[id_]["why"]) for id_ in ("acme", "bolt", "echo", "fern")} == {
        "acme": ("several match", f"shop-acme-1 in {place}, shop-acme-2 in {place}: {fit}"),
        "bolt": ("refused", f"shop-bolt: it belongs to a record of the project other. {take_over}"),
        "echo": ("not looked at", "the tenant has no label 'called', which '{called}*' names"),
        "fern": ("not looked at", "nobody knows where to look: name its targets in the source"),
    }
    assert document["cafe"]["why"].startswith("AccessDenied on cloudformation:DescribeStacks in ")
    assert document["dune"]["why"].startswith("shop-dune: it is ROLLBACK_COMPLETE: its creation failed")
    assert (document["glow"]["state"], document["glow"]["replaces"]) == ("found", ["jobs.Jobs"])
    assert (code, document["report"]["tenants"]["glow"]["state"]) == (4, "adopted")


def test_what_would_be_two_tenants_is_refused(agency: Agency) -> None:
    agency.clients("acme")
    agency.make("acme", "jobs")
    TENANTS.append(Tenant(id="bolt", targets=TENANTS[0].targets))
    code, document = said("--stacks", "jobs", "--yes", "--only", "acme")
    why = "jobs would be another tenant's as well: let the pattern name the tenant"
    assert (code, document["acme"]["why"]) == (1, why)


def test_what_is_there_in_two_places_is_told_apart_by_the_place(agency: Agency) -> None:
    agency.clients("acme")
    [home] = TENANTS[0].targets
    other = AwsTarget(account=agency.aws.account("acme"), region="us-east-1")
    TENANTS[0] = TENANTS[0].model_copy(update={"targets": (home, other)})
    for region in ("eu-west-1", "us-east-1"):
        cfn = agency.aws.client("cloudformation", account="acme", region=region)
        cfn.create_stack(StackName="jobs", TemplateBody=json.dumps(body()))
    why = said("--stacks", "jobs@*/us-east-1")[1]["acme"]["why"]
    assert why == f"jobs: jobs is in {other.place()}, and its class has it in {home.place()}"
    code, document = said("--stacks", "jobs=jobs@*/eu-west-1", "--yes")
    assert (code, document["report"]["tenants"]["acme"]["state"]) == (0, "adopted")
    assert [one["place"] for one in document["nobodys"]] == [other.place()]


class Lane(Resource):
    """Shared by all."""

    def identity(self) -> str:
        return "lane"

    async def define_update(self) -> None:
        """Nothing, here."""


class Parcel(Resource):
    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        """Nothing, here."""


class Parcels(Tenants[Parcel]):
    source: ClassVar[Source] = FunctionSource(lambda: TENANTS)
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"])

    def stack(self, tenant: Tenant) -> Parcel:
        return Parcel(client=tenant.id)

    def shared(self, tenant: Tenant) -> list[Resource[Any]]:
        return [Lane()]


async def test_who_was_decided_about_is_taken_in_so_and_the_others_are_reported_as_they_stand(tmp_path: Path) -> None:
    TENANTS[:] = [Tenant(id="acme"), Tenant(id="bolt")]
    async with Orbits(Settings(store=f"sqlite:{tmp_path}/state.db")) as at_work:
        before = await at_work.run(Parcels())
        added = Decision(what="add", tenant="cafe", who="ada", added=Tenant(id="cafe"))
        await at_work.run(TenantDecisions(fleet="Parcels", decision=added))
        await at_work.run(TenantDecisions(fleet="Parcels", decision=Decision(what="remove", tenant="bolt", who="ada")))
        found = await survey(at_work, Parcels, {}, [Sought(like="x")], ())
        assert [(one.tenant, one.outlook.value) for one in found.prospects] == [
            ("acme", "recorded already"),
            ("cafe", "not looked at"),
        ]
        after = await at_work.run(Parcels(importing={"cafe": {}}))
        assert after.shared == before.shared
        assert [(id_, one.state.value, one.earlier) for id_, one in after.tenants.items()] == [
            ("acme", "updated", True),
            ("bolt", "needs a decision", True),
            ("cafe", "adopted", False),
        ]
        assert after.tenants["cafe"].shared == after.tenants["acme"].shared == ("Lane lane",)
        with pytest.raises(ExecutionFailed, match="importing: Parcels has no tenant bolt"):
            await at_work.run(Parcels(importing={"bolt": {}}))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "say what they are called"),
        (("--stacks", "jobs="), "say what they are called"),
        (("--stacks", "a", "--stacks", "jobs=b"), "several are looked for"),
        (("--stacks", "a", "--only", "zeta"), "--only: the fleet has no zeta"),
        (("--stacks", "a", "queue=5"), "Harbours: queue: Input should be a valid dictionary"),
        (("--stack-set", "a", "--stack-set-in", "{}"), "--stack-set-in '{}': {} is no target"),
        (("--stack-set", "a", "--stack-set-in", "{"), "--stack-set-in '{' is no JSON"),
    ],
)
def test_what_makes_no_sense_is_refused(agency: Agency, arguments: tuple[str, ...], why: str) -> None:
    TENANTS.append(Tenant(id="acme"))
    with pytest.raises(UsageError, match=why):
        orbits(*arguments)


def test_a_pattern_that_fits_nobody_is_no_success(agency: Agency) -> None:
    agency.clients("acme", "bolt")
    agency.make("acme", "old")
    found = orbits("--stacks", "klient-{tenant}-jobs", "--yes")
    assert found.exit_code == 1
    assert "Nothing was found of anybody: see to the pattern" in found.stderr
    assert asyncio.run(records()) == {}
