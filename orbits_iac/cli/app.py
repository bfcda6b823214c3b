"""The application: its commands, those of other packages, and what becomes of errors."""

import os
import sys
from typing import Any

import typer

from orbits_iac.cli import (
    answer,
    cancel,
    cycle,
    drift,
    end,
    get,
    history,
    notify,
    pause,
    preview,
    replay,
    resume,
    rollback,
    schedules,
    set_handle,
    state,
    uninstall,
    up,
    watch,
    worker,
    workers,
)
from orbits_iac.cli.errors import exit_code_of, explain
from orbits_iac.cli.extensions import extension, names
from orbits_iac.cli.lean import Lean, LeanGroup
from orbits_iac.cli.options import DEBUG, Debug

SECTIONS = {
    "Bring about": ("preview", "up", "rollback", "uninstall", "cycle"),
    "Look": ("drift", "get", "history", "watch", "workers"),
    "Operate": (
        *("pause", "resume", "answer", "cancel", "replay", "end", "set-handle"),
        *("worker", "schedules", "notify", "state"),
    ),
}


class Commands(LeanGroup):
    """Our commands, then those that other packages bring, which are imported only when they are invoked."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *names()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or extension(cmd_name)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:  # who read our output has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except Exception as error:
            if ctx.meta.get(DEBUG) or type(error).__module__.startswith(("typer.", "click.")):
                raise
            typer.echo(explain(error), err=True)
            raise typer.Exit(exit_code_of(error)) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(len(name) for name in self.list_commands(ctx))
        sections = {**SECTIONS, "From other packages": tuple(names())}
        for title, listed in sections.items():
            rows = [(name.ljust(width), self.get_command(ctx, name).get_short_help_str(200)) for name in listed]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


app = typer.Typer(
    cls=Commands,
    help="The same stack of services for many clients: provisioned, looked after and rolled back durably.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for module in (
    *(preview, up, rollback, uninstall, cycle),
    *(drift, get, history, watch, workers),
    *(pause, resume, answer, cancel, replay, end, set_handle, worker),
):
    app.command(module.__name__.rpartition(".")[2].replace("_", "-"), cls=Lean)(module.command)
app.add_typer(schedules.app, name="schedules")
app.add_typer(notify.app, name="notify")
app.add_typer(state.app, name="state")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"orbits-iac {version('orbits-iac')}")
        raise typer.Exit


@app.callback()
def orbits(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: Debug = False,
) -> None:
    """The same stack of services for many clients: provisioned, looked after and rolled back durably."""
