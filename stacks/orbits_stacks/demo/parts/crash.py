"""Part 5: a worker is killed in the middle of a roll-out."""

import signal
from collections import Counter
from typing import Any

from orbits_stacks.demo.cloud import Account
from orbits_stacks.demo.stage import CLIENTS, PATIENCE, START, Stage, wait_until

TITLE = "Kill the worker in the middle of a roll-out, and start it again"


def play(stage: Stage) -> None:
    """Kill a worker while AWS works on a deployment that it has asked for; let another one go on."""
    tell = stage.narrator
    with tell.part(TITLE):
        tell.say(
            "In production, workers roll releases out and whoever asks for one may leave. So here a worker runs by "
            "itself, and release 5 is asked for. When acme and cafe are done, and just while AWS works on bolt's "
            "frontend, the worker is killed with [bold]SIGKILL[/bold]: no handler runs, nothing is saved, the answer "
            "of AWS reaches nobody."
        )
        before = {client: Account(stage.aws, client).deployments() for client in CLIENTS}
        stage.aws.delay("s3", "PutBucketTagging", seconds=3, account="bolt", origin="cloudformation")
        with stage.background("worker") as worker:
            execution = stage.script(START, "start.py", "5")
            wait_until("bolt's deployment", lambda: stage.aws.faults()[-1]["struck"])
            wait_until(
                "cafe's release", lambda: stage.json("get", "WebApp", "cafe")["current"]["argument"]["release"] == "5"
            )
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        done = _done(stage)
        tell.say(f"The worker is dead. What it had done by then: {_words(done)}.")
        state = stage.json("get", execution)["state"]
        tell.claim("The worker died of SIGKILL.", worker.returncode == -signal.SIGKILL, worker.returncode)
        tell.claim("The roll-out is not over.", state == "EXECUTING", state)
        _go_on(stage, execution)
        _check(stage, execution, before, done)


def _go_on(stage: Stage, execution: str) -> None:
    tell = stage.narrator
    tell.say("Another worker starts. It sees that the first one's process is gone, and takes its work over at once.")
    with stage.background("worker", "--once") as worker:
        stage.orbits("watch", execution)
        worker.wait(PATIENCE)
    tell.claim("The worker ended by itself when all was done.", worker.returncode == 0, worker.returncode)


def _check(stage: Stage, execution: str, before: dict[str, int], done: Counter[tuple[str, ...]]) -> None:
    tell = stage.narrator
    row = stage.json("get", execution)
    states = {id_: one["state"] for id_, one in (row["result"] or {"tenants": {}})["tenants"].items()}
    tell.claim(
        "The same roll-out went on and ended well for all three clients.",
        row["state"] == "SUCCESS" and states == dict.fromkeys(CLIENTS, "updated"),
        row,
    )
    live = {client: Account(stage.aws, client).releases() for client in CLIENTS}
    tell.claim("All three run release 5.", set(live.values()) == {("5", "5")}, live)
    deployed = {client: Account(stage.aws, client).deployments() - before[client] for client in CLIENTS}
    tell.claim(
        "AWS was asked for each deployment once: two a client. The one that was under way was found, not begun again.",
        deployed == dict.fromkeys(CLIENTS, 2),
        deployed,
    )
    after = _done(stage)
    twice = {key: count for key, count in after.items() if count > 1}
    tell.claim("No step has had its effect twice, in the whole demo.", not twice, twice)
    again = {key: (count, after[key]) for key, count in done.items() if after[key] != count}
    tell.claim("What the first worker had finished was not done again by the second.", not again, again)


def _done(stage: Stage) -> Counter[tuple[str, ...]]:
    """How often each step has had its effect, from the log that the steps write outside the store."""
    return Counter(
        (effect["step"], str(effect["client"]), str(effect["release"]), effect["what"]) for effect in stage.effects()
    )


def _words(done: Counter[tuple[str, ...]]) -> str:
    mine: list[Any] = [f"{step} for {client}" for step, client, release, _ in done if release == "5"]
    return ", ".join(mine) or "nothing that shows"
