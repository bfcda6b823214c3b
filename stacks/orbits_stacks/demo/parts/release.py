"""Part 4: releases that fail for one client, before and after a step of no return."""

from typing import Any

from orbits_stacks.demo.cloud import TABLE, Account
from orbits_stacks.demo.stage import CLIENTS, Stage
from orbits_stacks.migrations import applied

TITLE = "A release fails for one client, and the others go on"


def play(stage: Stage) -> None:
    """Release 2 fails without a migration, release 3 with one; release 4 is good."""
    with stage.narrator.part(TITLE):
        _goes_back(stage)
        _is_held(stage)
        _is_cleared(stage)


def _goes_back(stage: Stage) -> None:
    tell = stage.narrator
    tell.say(
        "Release 2 has no new migration. In bolt's account AWS will refuse to tag the bucket, so bolt's "
        "[bold]frontend[/bold] fails after bolt's [bold]backend[/bold] was updated already. Half a release is worse "
        "than none: bolt has to go back, backend included, and acme and cafe have to go forward."
    )
    _refuse_tagging(stage, "bolt")
    ran = stage.orbits("up", "clients", "release=2")
    stage.picture("release", "orbits up clients release=2")
    tell.claim("Exit code 4 says that a part of the fleet failed.", ran.code == 4, ran.code)
    live = _live(stage)
    tell.claim("acme and cafe run release 2.", live["acme"] == live["cafe"] == ("2", "2"), live)
    tell.claim("bolt's function and bucket, asked of AWS, are at release 1 again.", live["bolt"] == ("1", "1"), live)
    bolt = stage.json("get", "WebApp", "bolt")
    tell.claim("bolt's record stands at revision 1, its last good one.", bolt["revision"] == 1, bolt["revision"])
    _check_report(stage, "reverted", release="2", lines=1)


def _is_held(stage: Stage) -> None:
    tell = stage.narrator
    tell.say(
        "Release 3 brings the migration 0003_invoices, and fails for bolt in the same way. But what a migration did to "
        "a database cannot be undone, and the old backend does not know the new schema. So nothing is rolled back over "
        "it: bolt is held [bold]forward only[/bold], and a person is told."
    )
    _refuse_tagging(stage, "bolt")
    ran = stage.orbits("up", "clients", "release=3")
    tell.claim("Exit code 4 again.", ran.code == 4, ran.code)
    live = _live(stage)
    tell.claim("acme and cafe run release 3.", live["acme"] == live["cafe"] == ("3", "3"), live)
    tell.claim(
        "bolt's backend stays at release 3, beside its migrated database; only the bucket that failed is as before.",
        live["bolt"] == ("3", "1") and applied(Account(stage.aws, "bolt").physical(TABLE))[-1] == "0003_invoices",
        live,
    )
    held = stage.json("get", "WebApp", "bolt")["held"]
    tell.claim(
        "bolt's record says that it is held, and by which step.", held and held["steps"] == ["backend.migrate"], held
    )
    _check_report(stage, "forward only", release="3", lines=2)


def _is_cleared(stage: Stage) -> None:
    tell = stage.narrator
    tell.say("The next good release ends that.")
    ran = stage.orbits("up", "clients", "release=4")
    tell.claim("It went well: exit code 0.", ran.code == 0, ran.code)
    live = _live(stage)
    tell.claim("All three run release 4.", set(live.values()) == {("4", "4")}, live)
    held = stage.json("get", "WebApp", "bolt")["held"]
    tell.claim("bolt is not held any more.", held is None, held)
    ran_twice = [effect for effect in stage.effects() if effect["what"] == "0003_invoices"]
    tell.claim("The migration ran once for each client.", len(ran_twice) == len(CLIENTS), ran_twice)


def _check_report(stage: Stage, state: str, *, release: str, lines: int) -> None:
    tell = stage.narrator
    outputs: dict[str, Any] = stage.json("get", stage.latest())["result"]
    bolt = outputs["tenants"]["bolt"]
    account = Account(stage.aws, "bolt").id
    tell.claim(
        f"The report names the client, the account, the step and the cause: bolt, {account}, frontend.stack, "
        f"AccessDenied.",
        bolt["state"] == state
        and bolt["account"].startswith(account)
        and bolt["path"] == ["frontend", "stack"]
        and "AccessDenied" in bolt["error"],
        bolt,
    )
    file = stage.folder / "agency" / "notifications.log"
    told = file.read_text(encoding="utf-8").splitlines()
    tell.claim(
        "The team was told, on the console and in a file.",
        len(told) == lines and f"release {release}: bolt ({account}" in told[-1],
        told,
    )


def _refuse_tagging(stage: Stage, client: str) -> None:
    """The next time that CloudFormation tags a bucket for this client, it is refused."""
    stage.aws.fail(
        "s3",
        "PutBucketTagging",
        code="AccessDenied",
        message="a policy of this account forbids tags",
        account=client,
        origin="cloudformation",
    )


def _live(stage: Stage) -> dict[str, tuple[str, str]]:
    return {client: Account(stage.aws, client).releases() for client in CLIENTS}
