"""What commands open: the settings, the store for reading alone, and Orbits with the code that is needed."""

import contextlib
import os
import sys
import tomllib
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orbits_iac.model.errors import Error, Refused, StoreError, UsageError

if TYPE_CHECKING:
    from orbits_iac.measures import Measures
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings
    from orbits_iac.store.contract import Store

CONFIGURATION = "orbits.toml"


def settings_with(store: str | None) -> "Settings":
    """The settings, with the store that was named on the command line; UsageError if something in them is wrong."""
    from pydantic import ValidationError

    from orbits_iac.codec import explain
    from orbits_iac.settings import Settings

    _refuse_misspelt(configuration(), Settings.model_fields)
    try:
        return Settings(store=store) if store else Settings()
    except ValidationError as error:
        raise UsageError(f"the settings (ORBITS_*, {CONFIGURATION}) are wrong: {explain(error)}") from error


def _refuse_misspelt(said: Iterable[str], known: Iterable[str]) -> None:
    """UsageError for a name in orbits.toml that is nearly one of ours: those of providers are left to them."""
    from orbits_iac.model.likeness import nearest

    ours = list(known)
    for name in said:
        if name not in ours and (close := nearest(name, ours, cutoff=0.75)):
            raise UsageError(f"{CONFIGURATION} says {name!r}, which nothing reads: did you mean {close!r}?")


def configuration() -> dict[str, object]:
    """What orbits.toml says, unchecked; nothing if there is none. UsageError if it is no TOML."""
    file = Path(CONFIGURATION)
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{CONFIGURATION} is not valid TOML: {error}") from error


def store_url(given: str | None) -> str:
    """Where records are kept, as `Settings` would say, without the time that it takes to load them."""
    from orbits_iac.store import DEFAULT_STORE

    url = given or os.environ.get("ORBITS_STORE") or configuration().get("store") or DEFAULT_STORE
    return str(url)


@contextlib.asynccontextmanager
async def reading(given: str | None) -> "AsyncGenerator[Store]":
    """The store, opened for reading alone: it is never made, and no worker is started."""
    from orbits_iac.reading import reading as opened_to_be_read

    async with opened_to_be_read(store_url(given)) as store:
        yield store


@contextlib.asynccontextmanager
async def making(url: str) -> "AsyncGenerator[Store]":
    """The store, made if there is none, as it is: even if an import into it has not finished."""
    from orbits_iac.store import open_store

    store = open_store(url)
    with _refused_if_unusable():
        await store.open()
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def opened(
    settings: "Settings",
    *,
    modules: Sequence[str] = (),
    work: bool = True,
    alone: bool = False,
    measures: "Measures | None" = None,
    notifies: bool = False,
) -> "AsyncGenerator[Orbits]":
    """Orbits with these settings; `modules` are what a later process has to import to go on; `alone`: as there."""
    from orbits_iac.orbits import Orbits

    known = tuple(dict.fromkeys((*modules, *settings.modules)))
    orbits = Orbits(settings, work=work, alone=alone, modules=known, measures=measures, notifies=notifies)
    with _refused_if_unusable():
        await orbits.__aenter__()
    try:
        yield orbits
    finally:
        await orbits.__aexit__(*sys.exc_info())


def import_all(modules: Iterable[str], *, strict: bool = False) -> None:
    """Import what recorded executions and records need. What cannot be imported is said, and left out unless strict."""
    from orbits_iac.registry import import_source

    for name in modules:
        try:
            import_source(name)
        except Exception as error:  # whatever a user's module raises when it is imported
            if strict:
                raise cannot_import(name, error) from error
            sys.stderr.write(f"Warning: {cannot_import(name, error)}; what needs it waits\n")


def cannot_import(name: str, error: Exception) -> Error:
    """What to say of a module of the user's that raised while it was imported."""
    if isinstance(error, Error):
        return error
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f" ({Path(error.filename).name}, line {error.lineno})"
    elif (last := _last_line(error)) is not None:
        where = f" ({last})"
    return UsageError(f"{name} cannot be imported: {type(error).__name__}: {error}{where}")


def _last_line(error: Exception) -> str | None:
    """The last line outside of Python's own import that the error came through."""
    found, trace = None, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if (
            not file.startswith("<")
            and file != __file__
            and not file.endswith(("/registry.py", "/importlib/__init__.py"))
        ):
            found = f"{Path(file).name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return found


@contextlib.contextmanager
def _refused_if_unusable() -> Generator[None]:
    """A store that cannot be opened is a matter of how it was named: nothing was begun."""
    try:
        yield
    except StoreError as error:
        raise Refused(str(error)) from error
