"""What is wrong is named, with what to do; exit code 2, no traceback, and nothing is written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.commands import Commands

from .conftest import Project, environment, plain

DRIVER = """
import json, sys
from orbits_iac.cli.app import app
from typer.testing import CliRunner
results = []
for arguments in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, arguments, prog_name="orbits")
    results.append([done.exit_code, done.stdout, done.stderr])
print(json.dumps(results))
"""
CASES: dict[str, tuple[list[str], str]] = {
    "an unknown name": (
        ["up", "shp"],
        (
            "'shp' names no stack: write module:Class or file.py:Class, or one of [stacks] in orbits.toml (there: "
            "shop). Did you mean 'shop'?"
        ),
    ),
    "an unknown file": (["up", "none.py:Shop"], "there is no file FOLDER/none.py"),
    "an unknown module": (["up", "none:Shop"], "there is no module 'none' here (looked from FOLDER)"),
    "a module that cannot be imported": (
        ["up", "broken.py:Shop"],
        "broken.py cannot be imported: ModuleNotFoundError: No module named 'no_such_library' (broken.py, line 3)",
    ),
    "an unknown field": (
        ["up", "shop", "client=acme", "relase=8"],
        "shop has no field 'relase'; it has: client, release, size, site, labels, token. Did you mean 'release'?",
    ),
    "a missing field": (["up", "shop", "client=acme"], "shop needs release (int): add release=..."),
    "no value": (["up", "shop", "client"], "'client' gives no field a value: write name=value"),
    "two values": (["up", "shop", "client=a", "client=b"], "client is given twice"),
    "a wrong type": (
        ["up", "shop", "client=acme", "release=eight"],
        (
            "shop: release: Input should be a valid integer, unable to parse string as an integer "
            "(release is int, and is 'eight')"
        ),
    ),
    "a wrong type inside JSON": (
        ["up", "shop", "client=acme", "release=8", 'labels={"a": 1}'],
        (
            "shop: labels.a: has to be text: put it in quotes (labels is dict[str, str], and is '{\"a\": 1}'); "
            'give JSON, as in labels=\'{"a": "b"}\''
        ),
    ),
    "a variable that is not set": (
        ["up", "shop", "client=acme", "release=8", "token=@env:NO_TOKEN"],
        "token: there is no variable 'NO_TOKEN' in the environment",
    ),
    "a stack without identity": (
        ["up", "shop.py:Placeless"],
        (
            "shop.py:Placeless has no identity(): on its own it belongs to no place. Give the class one, or name the "
            "stack that does it."
        ),
    ),
    "a step that is no resource": (
        ["history", "shop.py:Migrate", "to=1"],
        "shop.py:Migrate is no Resource: nothing of it is kept between runs",
    ),
    "an identity that needs more": (["drift", "shop"], "shop takes its identity from 'client': add client=..."),
    "a kind without identity": (
        ["rollback", "Shop", "acme", "size=1"],
        (
            "'Shop' names no stack, and a record is named by its kind and identity: write a stack as module:Class or "
            "file.py:Class with its fields, or KIND IDENTITY"
        ),
    ),
    "reading where nothing was run": (
        ["get"],
        (
            "there is no store sqlite:.orbits/state.db: nothing was ever run here, or another is meant (--store, "
            "ORBITS_STORE, or store in orbits.toml)"
        ),
    ),
    "drift where nothing was run": (
        ["drift", "Shop", "acme"],
        (
            "there is no store sqlite:.orbits/state.db: nothing was ever run here, or another is meant (--store, "
            "ORBITS_STORE, or store in orbits.toml)"
        ),
    ),
    "a store that is no database": (
        ["up", "shop", "client=acme", "release=8", "--store", "sqlite:shop.py"],
        "FOLDER/shop.py is not a database: name another file as the store, or move this one away",
    ),
    "reading a store that is no database": (
        ["get", "--store", "sqlite:shop.py"],
        "FOLDER/shop.py is not a database: name another file as the store, or move this one away",
    ),
    "a store of a newer version": (
        ["up", "shop", "client=acme", "release=8", "--store", "sqlite:newer.db"],
        (
            "FOLDER/newer.db was written by a later version of Orbits IaC (schema 99, this one knows up to 4): upgrade "
            "orbits-iac, or name another file as the store"
        ),
    ),
    "no store at all": (
        ["get", "--store", "postgres:x"],
        (
            "'postgres:x' names no store: give sqlite:PATH, mongodb://HOST/DATABASE, or memory: for one that is gone "
            "with the process"
        ),
    ),
    "memory cannot be read": (
        ["get", "--store", "memory:"],
        "a store in memory is gone with the process that had it: there is nothing to read",
    ),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> dict[str, tuple[int, str, str]]:
    """What each case came to, from one process; checks that no file was made or changed."""
    project = Project(tmp_path_factory.mktemp("bad"), commands)
    _newer(project.folder / "newer.db")
    asked = json.dumps([arguments for arguments, _ in CASES.values()])
    before = contents(project.folder)
    done = subprocess.run(
        [sys.executable, "-B", "-c", DRIVER, asked],
        cwd=project.folder,
        env=environment({}),
        text=True,
        capture_output=True,
        check=True,
    )
    assert contents(project.folder) == before
    assert done.stderr == ""
    results = [(code, out, err.replace(str(project.folder), "FOLDER")) for code, out, err in json.loads(done.stdout)]
    return dict(zip(CASES, results, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_is_named_with_what_to_do(case: str, answers: dict[str, tuple[int, str, str]]) -> None:
    assert answers[case] == (2, "", f"Error: {CASES[case][1]}\n")


def test_a_class_that_is_not_there_lists_what_there_is(project: Project) -> None:
    assert "shop.py has no step 'Shp'; it has: " in project.run("up", "shop.py:Shp", code=2)


@pytest.mark.parametrize(
    ("arguments", "least"),
    [
        (["cycle", "Shop", "acme", "--remediate", "--most", "-1"], 1),
        (["cycle", "Shop", "acme", "--most", "0"], 1),
        (["worker", "--concurrency", "0"], 1),
        (["worker", "--grace", "-1"], 0),
        (["state", "prune", "--keep-revisions", "1"], 2),
    ],
)
def test_a_number_that_is_too_small_is_refused_with_its_option(
    project: Project, arguments: list[str], least: int
) -> None:
    said = project.run(*arguments, code=2).splitlines()[-1]
    option, given = arguments[-2:]
    assert said == f"Error: Invalid value for '{option}': {given} is too small: it is at least {least}."


def test_debug_shows_the_traceback(project: Project) -> None:
    assert "Traceback (most recent call last)" in project.run("up", "shop", "--debug", code=1)


def test_a_secret_that_is_wrong_is_not_repeated(project: Project) -> None:
    said = project.run("up", "shop", "client=a", "release=8", "token=s3cret", "size=x", code=2)
    assert "s3cret" not in said


def test_a_configuration_that_is_no_toml_is_named(project: Project) -> None:
    (project.folder / "orbits.toml").write_text("stacks = [")
    assert plain(project.run("up", "shop", code=2)).startswith("Error: orbits.toml is not valid TOML: ")


def _newer(path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE x (y); PRAGMA application_id = 0x4F524249; PRAGMA user_version = 99;")
    connection.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_setting_that_is_misspelt_is_named(project: Project) -> None:
    (project.folder / "orbits.toml").write_text('stor = "memory:"\n\n[aws]\n')
    said = plain(project.run("up", "shop.py:Shop", "client=acme", code=2))
    assert said.startswith("Error: orbits.toml says 'stor', which nothing reads: did you mean 'store'?")
