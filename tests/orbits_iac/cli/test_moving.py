"""`orbits state export` and `orbits state import`, from a file to MongoDB, as they are typed; and a SIGKILL on the way.

The tests of this module are one story: they use one project, in the order in which they stand.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.servers.databases import with_database

from .conftest import Project, environment, read_until

KILLED = """
import os, signal, sys
from orbits_iac import importing
from orbits_iac.cli import main
from orbits_iac.store.mongodb import MongoStore

importing._AT_ONCE, commit, left = 20, MongoStore.commit, [3]

async def dying(self, transaction):
    await commit(self, transaction)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

MongoStore.commit = dying
sys.argv = ["orbits", *sys.argv[1:]]
main()
"""


@pytest.fixture(scope="module")
def there(mongodb_server: str) -> Iterator[str]:
    """The URL of a database that the story ends in."""
    from pymongo import MongoClient

    name = f"orbits_{uuid4().hex}"
    yield with_database(mongodb_server, name)
    with MongoClient[dict[str, object]](mongodb_server) as client:
        client.drop_database(name)


def test_a_store_is_exported_whole_for_its_owner_alone(shared: Project) -> None:
    shared.run("up", "shop", "client=acme", "release=9", "token=@env:TOKEN", TOKEN="s3cret")
    (shared.folder / ".orbits" / "state.db-files" / "runs" / "1").mkdir(parents=True)
    said, note = shared.run("state", "export", "state.jsonl").splitlines()
    assert said.startswith(f"sqlite:{shared.folder}/.orbits/state.db is in state.jsonl: ")
    assert note == (
        f"Not in it is {shared.folder}/.orbits/state.db-files, with the artifacts of steps and 1 of their processes, "
        f"which are found again by it alone: copy that to beside where it is imported."
    )
    (shared.folder / ".orbits" / "state.db-files" / "runs" / "1").rmdir()
    assert "s3cret" not in (shared.folder / "state.jsonl").read_text()
    assert (shared.folder / "state.jsonl").stat().st_mode & 0o777 == 0o600
    first = (shared.folder / "state.jsonl").read_text().splitlines()[1:]
    assert shared.run("state", "export", "-").splitlines()[1:] == first
    assert not list(shared.folder.glob("*-unfinished"))


def test_what_is_no_export_is_not_overwritten(shared: Project) -> None:
    said = shared.run("state", "export", "shop.py", code=2)
    assert said == "Error: shop.py is something else than an export, and is left as it is: name another file\n"
    assert "class Shop" in (shared.folder / "shop.py").read_text()


def test_an_import_that_is_killed_is_gone_on_with_and_meanwhile_nobody_works_on_it(shared: Project, there: str) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, "state", "import", "state.jsonl", "--store", there],
        cwd=shared.folder,
        env=environment({}),
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    file = shared.folder / "state.jsonl"
    refused = (
        f"Error: an import of {file} into {there} has not finished, and half a store is nothing to work with: give "
        f"`orbits state import {file} --store '{there}'` again, which goes on where it was\n"
    )
    key = (shared.folder / ".orbits" / "secret.key").read_text().strip()
    assert shared.run("worker", "--store", there, code=2, ORBITS_SECRET_KEY=key) == refused
    document = json.loads(shared.run("state", "import", "state.jsonl", "--store", there, "--json"))
    assert document["there"] > 20
    assert document["written"] > 20
    assert document["there"] + document["written"] == sum(document["rows"].values())
    [note] = document["notes"]
    assert note == (
        "Its secrets stay encrypted as they were. To work on it, set ORBITS_SECRET_KEY to the secret key of the store "
        "that it came from (of a local one it is in secret.key beside it)."
    )


def test_the_stack_goes_on_there_with_its_key(shared: Project, there: str) -> None:
    key = (shared.folder / ".orbits" / "secret.key").read_text().strip()
    assert shared.run("history", "Shop", "acme", "--store", there) == shared.run("history", "Shop", "acme")
    up = ("up", "shop", "client=acme", "release=9", "token=s3cret", "--store", there)
    assert "nothing changed, revision 1 stands" in shared.run(*up, ORBITS_SECRET_KEY=key)


def test_a_store_with_a_living_worker_is_neither_exported_nor_imported_into(shared: Project) -> None:
    worker = shared.start("worker")
    assert worker.stderr is not None
    read_until(worker.stderr, "works")
    said = shared.run("state", "export", "live.jsonl", code=2)
    assert "alive, and changing sqlite:" in said
    assert "give --live" in said
    assert not (shared.folder / "live.jsonl").exists()
    assert "alive, and at work on sqlite:" in shared.run("state", "import", "state.jsonl", code=2)
    document = json.loads(shared.run("state", "export", "live.jsonl", "--live", "--json"))
    assert (document["live"], document["rows"]["record"]) == (True, 5)
    shared.end(worker)


def test_a_file_of_another_project_is_refused(shared: Project) -> None:
    said = shared.run("state", "import", "state.jsonl", code=2, ORBITS_PROJECT="shop")
    assert said.startswith("Error: state.jsonl is of project 'default', and this is 'shop': ")
