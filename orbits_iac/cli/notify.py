"""`orbits notify`: who is told of problems; to try whether they are reached."""

from typing import TYPE_CHECKING, Any

import typer

from orbits_iac.cli.lean import Lean, LeanGroup
from orbits_iac.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orbits_iac.notify.settings import NotifySettings
    from orbits_iac.notify.targets import Target

app = typer.Typer(
    cls=LeanGroup,
    help="Look after who is told of problems.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def notify() -> None:
    """Look after who is told of problems."""


@app.command("test", cls=Lean)
def try_targets(as_json: AsJson = False, debug: Debug = False) -> None:
    """Send a message to each target of `[notify]`, and say what came of it; exits with 1 if one was not taken."""
    from orbits_iac.cli.running import finish

    finish(_test(as_json=as_json))


async def _test(*, as_json: bool) -> int:
    import asyncio

    from orbits_iac.cli import exits, report, session
    from orbits_iac.model.errors import UsageError
    from orbits_iac.notify.targets import missing, targets
    from orbits_iac.terminal import console

    settings = session.settings_with(None)
    if not settings.notify.to:
        raise UsageError('nobody is told of problems: name targets in orbits.toml, [notify] to = ["json://host/path"]')
    without = missing(settings.notify)
    if without is not None:
        raise UsageError(without)
    there = targets(settings.notify)
    sent = await asyncio.gather(*(_sent(settings.notify, target, settings.project) for target in there))
    if as_json:
        report.print_json([_document(target, why) for target, why in zip(there, sent, strict=True)])
    else:
        console().print(_table(list(zip(there, sent, strict=True))), soft_wrap=True)
    return exits.DONE if all(why is None for why in sent) else exits.FAILED


async def _sent(settings: "NotifySettings", target: "Target", project: str) -> str | None:
    """Why a target has not taken the message; None if it has."""
    from orbits_iac.model.errors import UsageError
    from orbits_iac.notify.messages import Message
    from orbits_iac.notify.sending import send
    from orbits_iac.notify.targets import url_of
    from orbits_iac.orbits import who_asks

    body = f"This is a test by {who_asks()}: you are told of problems of the project `{project}`."
    try:
        return await send(url_of(settings, target), Message(title="Orbits reaches you", body=body, mood="info"))
    except UsageError as error:
        return str(error)


def _document(target: "Target", why: str | None) -> dict[str, Any]:
    return {"place": target.place, "scheme": target.scheme, "sent": why is None, "why": why}


def _table(sent: "list[tuple[Target, str | None]]") -> Any:
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("target", "scheme", ""):
        made.add_column(name, overflow="fold")
    for target, why in sent:
        said = Text("sent", style="green") if why is None else Text(f"not sent: {why}", style="red")
        made.add_row(str(target.place), target.scheme, said)
    return made
