"""Commands that other packages bring through the entry points `orbits_iac.commands`, imported when they are invoked.

One whose extra is not installed is listed with the command that installs it.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer

from orbits_iac.extras import missing_extra

GROUP = "orbits_iac.commands"


def names() -> Sequence[str]:
    """The names of the commands that other packages bring."""
    return sorted(_points())


def extension(name: str) -> Any:
    """A command that stands for the one of this name until it is invoked; None if there is none."""
    point = _points().get(name)
    return None if point is None else typer.main.get_command(_stand_in(point))


@lru_cache(maxsize=1)
def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _stand_in(point: EntryPoint) -> typer.Typer:
    """An application with one command that hands everything it is given to the real one."""
    missing = missing_extra(point)
    package = point.value.partition(".")[0].partition(":")[0]
    text = f"Needs more: {missing}" if missing else f"From {package}; `orbits {point.name} --help` says more."
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.command(
        point.name,
        help=text,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def hand_over(ctx: typer.Context) -> None:
        real = typer.main.get_command(_application(point))
        with real.make_context(f"orbits {point.name}", list(ctx.args)) as inner:
            real.invoke(inner)

    return app


def _application(point: EntryPoint) -> typer.Typer:
    """The real command as an application: what the entry point names is one, or is a function."""
    from orbits_iac.model.errors import UsageError

    try:
        found = point.load()
    except ModuleNotFoundError as error:
        how = missing_extra(point) or f"the module {error.name!r} is missing: install the package that brings it"
        raise UsageError(f"orbits {point.name} cannot start: {how}") from error
    if isinstance(found, typer.Typer):
        return found
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(point.name)(found)
    return app
