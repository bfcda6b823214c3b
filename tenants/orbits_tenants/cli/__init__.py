"""`orbits tenants`: a file a command; what they need is imported when they are invoked.

What belongs here: options, the words of a command, how it prints. What the commands do stands in the package above.
"""

import typer

from orbits_tenants.cli import certify, decide, import_, list_, promote, remove, report, rollback, show

app = typer.Typer(
    help="The tenants of a fleet.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # as in the other commands: "[stacks]" is no markup
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def tenants() -> None:
    """The tenants of a fleet."""


app.command("list")(list_.command)
app.command("show")(show.command)
app.command("report")(report.command)
app.command("add")(decide.add)
app.command("import")(import_.command)
app.command("pause")(decide.pause)
app.command("resume")(decide.resume)
app.command("pin")(decide.pin)
app.command("unpin")(decide.unpin)
app.command("promote")(promote.command)
app.command("rollback")(rollback.command)
app.command("remove")(remove.command)
app.command("certify")(certify.command)
