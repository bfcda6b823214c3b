"""`orbits preview`: what `up`, or another command, would do, found out by reading alone."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orbits_iac.cli.options import All, Arguments, AsJson, Debug, Stack, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from orbits_iac.cli.stacks import Named
    from orbits_iac.model.plans import Plan
    from orbits_iac.settings import Settings
    from orbits_iac.steps.step import Step

Out = Annotated[str | None, typer.Option("--out", metavar="FILE", help="Keep the plan there, for `up --plan FILE`.")]
Command = Annotated[
    str, typer.Option("--command", metavar="COMMAND", help="Of `rollback`, `uninstall` or `cycle` instead.")
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown instead, for a comment on a pull request.")]
To = Annotated[int | None, typer.Option("--to", metavar="N", help="With --command rollback: to this revision.")]


def command(  # noqa: PLR0913, PLR0917 - a command's options
    stack: Stack,
    arguments: Arguments = None,
    out: Out = None,
    of: Command = "update",
    to: To = None,
    everything: All = False,
    store: Store = None,
    as_json: AsJson = False,
    markdown: Markdown = False,
    debug: Debug = False,
) -> None:
    """Show what `up` would do, and do nothing; exits with 3 if there is something to do."""
    from orbits_iac.cli import session, stacks
    from orbits_iac.cli.running import finish
    from orbits_iac.model.errors import UsageError

    if as_json and markdown:
        raise UsageError("--json and --markdown are two ways to say the same: give one of them")
    settings = session.settings_with(store)
    step, named = stacks.step_of(stack, arguments or (), settings)
    show = _json if as_json else _markdown if markdown else partial(_tree, everything=everything)
    finish(_preview(_command_of(step, named, of, to), named, settings, out, show))


def _command_of(step: "Step[Any]", named: "Named", command: str, to: int | None) -> "Step[Any]":
    """The step, or the command of it that was named."""
    from orbits_iac.cli import stacks
    from orbits_iac.model.errors import UsageError
    from orbits_iac.steps.resource import Resource

    if to is not None and command != "rollback":
        raise UsageError("--to is about going back: give it with --command rollback")
    if command == "update":
        return step
    stacks.resource_of(step, named)
    match step, command:
        case Resource(), "rollback":
            return step.rollback(to)
        case Resource(), "uninstall":
            return step.uninstall()
        case Resource(), "cycle":
            return step.cycle()
        case _:
            raise UsageError(f"{command!r} is not previewed: it is one of update, rollback, uninstall, cycle")


async def _preview(
    step: "Step[Any]",
    named: "Named",
    settings: "Settings",
    file: str | None,
    show: "Callable[[Plan, str | None], None]",
) -> int:
    from orbits_iac.cli import planned, session
    from orbits_iac.reading import exists

    # A preview leaves nothing behind; but digests and secrets of a plan that is kept need the key of its store.
    if file is None and not exists(settings.store):
        settings = settings.model_copy(update={"store": "memory:"})
    async with session.opened(settings, modules=(named.source,), work=False) as orbits:
        plan = await orbits.preview(step)
    if file is not None:
        planned.write_plan(plan, file)
    show(plan, file)
    return _code(plan)


def _code(plan: "Plan") -> int:
    from orbits_iac.cli import exits

    return exits.FOUND if plan else exits.DONE


def _json(plan: "Plan", file: str | None) -> None:
    from orbits_iac.cli import planned, report

    del file
    report.print_json({**planned.as_document(plan), "exit_code": _code(plan)})


def _markdown(plan: "Plan", file: str | None) -> None:
    from orbits_iac.cli.comment import as_comment

    del file
    typer.echo(as_comment(plan), nl=False)


def _tree(plan: "Plan", file: str | None, *, everything: bool) -> None:
    from orbits_iac.cli import planned
    from orbits_iac.terminal import console

    planned.print_plan(plan, console(), everything=everything)
    if file is not None:
        console().print(f"Plan {plan.digest} is kept in {file}. To do it: orbits up --plan {file}")
