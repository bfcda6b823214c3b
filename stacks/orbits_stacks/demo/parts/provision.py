"""Part 1: three clients, each in an account of its own."""

from orbits_stacks.demo.cloud import Account, accounts
from orbits_stacks.demo.stage import CLIENTS, MANAGEMENT, Stage
from orbits_stacks.git import is_bare
from orbits_stacks.migrations import applied

TITLE = "Provision three clients, each in an AWS account of its own"


def play(stage: Stage) -> None:
    """Roll release 1 out to an organization that has nothing."""
    tell = stage.narrator
    with tell.part(TITLE):
        tell.say(
            "A web agency runs the same application for each of its clients. [bold]clients.yaml[/bold] lists three of "
            "them. For each one, Orbits makes an AWS account; the [bold]backend[/bold], a CDK stack with a table, a "
            "queue and a function, followed by SQL migrations; and the [bold]frontend[/bold], a CDK stack with a "
            "bucket, followed by a cache invalidation. acme goes first, as the canary; if it fares well, the others "
            "follow at once."
        )
        ran = stage.orbits("up", "clients", "release=1")
        stage.picture("provision", "orbits up clients release=1")
        _check(stage, ran.code)


def _check(stage: Stage, code: int) -> None:
    tell, aws = stage.narrator, stage.aws
    found = accounts(aws, MANAGEMENT)
    every = [Account(aws, client) for client in CLIENTS]
    tell.claim("It went well: exit code 0.", code == 0, code)
    tell.claim(
        "There are three accounts, one for each client, and each was asked for once, although backend and frontend "
        "both need it.",
        sorted(found) == list(CLIENTS) and aws.calls("organizations").count("organizations:CreateAccount") == 3,
        found,
    )
    states = {account.name: sorted(account.stacks().values()) for account in every}
    tell.claim(
        "In each account there are two CloudFormation stacks, and nobody else's.",
        all(state == ["CREATE_COMPLETE"] * 2 for state in states.values()),
        states,
    )
    live = {account.name: account.releases() for account in every}
    tell.claim("Backend and frontend run release 1 everywhere.", set(live.values()) == {("1", "1")}, live)
    schemas = {account.name: applied(account.physical("AWS::DynamoDB::Table")) for account in every}
    tell.claim(
        "The three databases have had the migrations 0001_clients and 0002_orders.",
        all(schema == ["0001_clients", "0002_orders"] for schema in schemas.values()),
        schemas,
    )
    made = [effect["what"] for effect in stage.effects() if effect["step"] == "git"]
    tell.claim(
        "The two services have a real git repository each, made once and shared by all clients.",
        sorted(made) == ["backend", "frontend"] and all(is_bare(name) for name in made),
        made,
    )
