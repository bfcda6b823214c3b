"""Part 2: the same again changes nothing."""

from orbits_stacks.demo.stage import Stage

TITLE = "Run it again: nothing is changed"


def play(stage: Stage) -> None:
    """Roll release 1 out once more."""
    tell = stage.narrator
    with tell.part(TITLE):
        tell.say(
            "Doing the same again must cost nothing and touch nothing. What is live is read and compared; migrations "
            "and invalidations are steps that are done [bold]once[/bold]."
        )
        writes, effects = stage.writes(), len(stage.effects())
        ran = stage.orbits("up", "clients", "release=1")
        made = stage.writes() - writes
        shown = stage.json("get", stage.latest())
        tell.claim("It went well: exit code 0.", ran.code == 0, ran.code)
        tell.claim("Not one call that writes has reached AWS.", made == 0, stage.aws.calls(writes=True)[-made:])
        tell.claim("No migration and no invalidation ran.", len(stage.effects()) == effects, stage.effects()[effects:])
        tell.claim("And it says so: nothing changed.", shown["changed"] is False, shown)
