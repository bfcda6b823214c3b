"""Part 3: somebody changes things behind Orbits' back."""

from typing import Any

from orbits_stacks.demo.cloud import Account
from orbits_stacks.demo.stage import Stage

TITLE = "Find what somebody has changed by hand, and bring it back"


def play(stage: Stage) -> None:
    """Change a queue and a bucket through AWS itself, look, remediate, look again."""
    tell = stage.narrator
    acme, cafe = Account(stage.aws, "acme"), Account(stage.aws, "cafe")
    with tell.part(TITLE):
        tell.say(
            "Somebody with access to the AWS console sets the [bold]visibility timeout[/bold] of acme's queue to 5 "
            "seconds and suspends the [bold]versioning[/bold] of cafe's bucket. Nobody tells Orbits."
        )
        acme.set_visibility_timeout(5)
        cafe.suspend_versioning()
        ran = stage.orbits("drift", "clients")
        _check_found(stage, ran.code)
        tell.say(
            "What was recorded is brought back, by a change set that CloudFormation makes for drift. Here it is asked "
            "for; a worker does the same by itself every six hours, because the stack says so."
        )
        ran = stage.orbits("cycle", "clients", "--remediate")
        tell.claim("It went well: exit code 0.", ran.code == 0, ran.code)
        live = (acme.visibility_timeout(), cafe.versioning())
        tell.claim("AWS itself says: 30 seconds again, and versioning is enabled.", live == ("30", "Enabled"), live)
        again = stage.orbits("drift", "clients")
        tell.claim("A second look finds everything in sync: exit code 0.", again.code == 0, again.code)


def _check_found(stage: Stage, code: int) -> None:
    tell = stage.narrator
    tell.claim("Exit code 3 says that there is drift.", code == 3, code)
    found = _differences(stage)
    tell.claim(
        "Exactly these two were found: the queue's timeout, recorded 30 and live 5; the bucket's versioning, recorded "
        "Enabled and live Suspended.",
        found
        == {
            ("acme", "AWS::SQS::Queue", "VisibilityTimeout", "30", "5"),
            ("cafe", "AWS::S3::Bucket", "VersioningConfiguration.Status", "Enabled", "Suspended"),
        },
        found,
    )


def _differences(stage: Stage) -> set[tuple[Any, ...]]:
    looks = stage.json("get", "Clients", "Clients")["looks"]
    return {
        (look["tenant"], one["type"], one["path"], str(one["recorded"]), str(one["live"]))
        for look in looks
        for one in look["differences"]
    }
