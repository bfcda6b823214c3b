"""One secret, put into every place where a value can stand, is nowhere where it can be read.

Each step of `places` is run once. Then the bytes of the store, what was logged, what exceptions say, and what each
command that reads prints are searched for the secret, in whatever form it may stand there.
"""

import asyncio
import base64
import io
import json
import logging
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from orbits_iac import Orbits, Settings, Step
from orbits_iac.cli.app import app
from orbits_iac.model.errors import Error, ExecutionFailed, Refused
from orbits_iac.model.rows import TABLES, ExecutionRow, RecordRow
from orbits_iac.store.contract import Store
from orbits_iac.store.memory import MemoryStore
from orbits_iac.store.sqlite import SqliteStore

from .places import CANARY, PLACES, SECRET, THINGS, Betraying, Happened, Named, Names, Site, give

FORMS = {
    "the beginning": CANARY[:8],
    "the end": CANARY[-8:],
    "JSON": json.dumps(CANARY)[1:-1],
    "JSON with letters": json.dumps(CANARY, ensure_ascii=False)[1:-1],
    "JSON in JSON": json.dumps(json.dumps(CANARY, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1],
    "part of an address": quote(CANARY, safe=""),
    "hexadecimal": CANARY.encode().hex(),
    **{f"base 64, {n} before": base64.b64encode(b"0" * n + CANARY.encode()).decode()[4:-4] for n in range(3)},
}


def found(data: bytes | str) -> list[str]:
    """The forms in which the secret is in it."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return [name for name, form in FORMS.items() if form.encode() in raw]


@dataclass
class Ran:
    """What came of running every place on one store."""

    path: Path
    errors: dict[str, str] = field(default_factory=dict)
    logged: str = ""
    rows: str = ""
    executions: list[str] = field(default_factory=list)
    records: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


async def run_all(store: Store, ran: Ran) -> None:
    THINGS.clear()
    asyncio.get_running_loop().slow_callback_duration = 0  # every task is logged, with what it holds
    async with Orbits(Settings(project="tests", store=store.url), store=store) as orbits:
        for name, step in PLACES.items():
            try:
                execution = await orbits.start(step)
                if name == "Waits":
                    await orbits.emit(Happened(secret=SECRET), to=execution.id)
                await execution
            except Error as error:
                ran.errors[name] = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        THINGS["database"] = f"{CANARY} changed"
        site = orbits.record(Site, "site")
        ran.errors["looked at"] = repr((await site.cycle(on_drift="remediate")).looks)
        await orbits.settled()
        ran.rows = repr({table: await store.find(row) for row, table in TABLES.items()})
        ran.executions = [row.id for row in await store.find(ExecutionRow)]
        ran.records = [(row.kind, row.identity) for row in await store.find(RecordRow)]
        ran.files = {file.name: file.read_bytes() for file in ran.path.parent.glob("state.db*")}


@pytest.fixture(scope="module", params=["sqlite", "memory"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    made = Ran(tmp_path_factory.mktemp("canary") / "state.db")
    log = io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        store = SqliteStore(made.path) if request.param == "sqlite" else MemoryStore()
        asyncio.run(run_all(store, made), debug=True)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    made.logged = log.getvalue()
    return made


in_a_file = pytest.mark.parametrize("ran", ["sqlite"], indirect=True)


def test_every_place_was_reached(ran: Ran) -> None:
    """Each place that says it has failed with what it said, masked; the others went well."""
    bad = {name for name in PLACES if name.startswith("Says") or name in {"Definition", "Undone", "Site, which fails"}}
    assert set(ran.errors) == bad | {"looked at"}
    assert "wrong password **********" in ran.errors["Says itself"]
    assert ran.rows.count("$secret") > 20
    assert "progress **********" in ran.rows


def test_it_is_in_no_row(ran: Ran) -> None:
    assert found(ran.rows) == []


@in_a_file
def test_it_is_in_no_byte_of_the_store(ran: Ran) -> None:
    assert len(ran.files) >= 3  # the log and the shared memory too
    assert {name: forms for name, data in ran.files.items() if (forms := found(data))} == {}


def test_it_is_in_no_exception(ran: Ran) -> None:
    assert {name: forms for name, said in ran.errors.items() if (forms := found(said))} == {}


def test_it_is_in_no_log(ran: Ran) -> None:
    assert "Using selector" in ran.logged  # it was listened to
    assert found(ran.logged) == []


@in_a_file
def test_no_command_that_reads_prints_it(ran: Ran, capfd: pytest.CaptureFixture[str]) -> None:
    url, runner = f"--store=sqlite:{ran.path}", CliRunner()
    commands = [
        ["get"],
        *(["get", one, "--all"] for one in ran.executions),
        *(["watch", one] for one in ran.executions),
    ]
    commands += [["get", *record] for record in ran.records]
    commands += [["history", *record] for record in ran.records]
    commands += [["state", "prune", "--keep-executions", "0"]]
    for arguments in commands:
        for more in ([], ["--json"]):
            said = runner.invoke(app, [*arguments, *more, url])
            out, err = capfd.readouterr()
            assert said.exit_code in {0, 1, 3}, (arguments, said.output, said.exception)
            text = said.output + out + err
            assert text, arguments
            assert found(text) == [], arguments


@pytest.mark.parametrize("how", ["ref", "key", "identity", "place"])
async def test_a_name_with_a_secret_in_it_is_refused_before_it_is_kept(how: str) -> None:
    store = MemoryStore()
    async with Orbits(Settings(project="tests", store="memory:"), store=store) as orbits:
        with pytest.raises(ExecutionFailed, match="is part of a ref, a key=, an identity"):
            await orbits.run(Names(how=how))
        steps: list[Step[Any]] = [Named(secret=SECRET), Named(secret=SECRET).uninstall()]
        for refused in steps:
            with pytest.raises(Refused, match="a secret of Named"):
                await orbits.start(refused)
        with pytest.raises(Refused, match="a secret of Betraying"):
            await orbits.start(give(), target=Betraying(secret=SECRET))
        assert found(repr({table: await store.find(row) for row, table in TABLES.items()})) == []
