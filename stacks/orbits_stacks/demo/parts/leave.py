"""Part 6: everything is removed but what was declared to stay."""

from orbits_stacks.demo.cloud import Account, accounts
from orbits_stacks.demo.stage import CLIENTS, MANAGEMENT, Stage
from orbits_stacks.git import is_bare

TITLE = "Remove everything but what was declared to stay"
ROLES = ["OrganizationAccountAccessRole", "orbits-cloudformation"]
"""The one that every account of an organization is born with, and the one that CloudFormation acts as."""


def play(stage: Stage) -> None:
    """Uninstall the fleet."""
    tell = stage.narrator
    with tell.part(TITLE):
        tell.say(
            "The agency's contract with its clients ends. What the stacks made goes, last made first. The accounts, "
            "with the role that CloudFormation acts as, and the repositories were declared to stay ([bold]retain"
            "[/bold]): an account cannot be had back, nor a history. Each client's stack has a table: what is in it is "
            "lost only because that is accepted by name."
        )
        losses = [word for client in CLIENTS for word in ("--accept-loss", f"BackStack Backend {client}/stack")]
        ran = stage.orbits("uninstall", "clients", "--yes", *losses)
        tell.claim("It went well: exit code 0.", ran.code == 0, ran.code)
        left = {client: Account(stage.aws, client).left() for client in CLIENTS}
        tell.claim(
            "In the three accounts there is no stack, table, queue, function or bucket.",
            not any(things for account in left.values() for things in account.values()),
            left,
        )
        roles = {client: Account(stage.aws, client).roles() for client in CLIENTS}
        tell.claim(
            "Of the roles, two are left in each: the one that the account was born with, and CloudFormation's.",
            all(sorted(found) == ROLES for found in roles.values()),
            roles,
        )
        tell.claim("The three accounts are there.", sorted(accounts(stage.aws, MANAGEMENT)) == list(CLIENTS))
        tell.claim("The two repositories are there.", all(is_bare(name) for name in ("backend", "frontend")))
