"""What holds for all tests: whose examples are drawn how, and that none leaves anything behind."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from orbits_iac.testing.kept import SHARED_MEMORY

from .leaks import There, keep_for_the_run, left_at_the_end, left_since, listen
from .servers.commands import Commands
from .servers.databases import mongodb, mongodb_server

__all__ = ["mongodb", "mongodb_server"]  # fixtures of all tests

# No deadline: how long an example takes says more about the machine than about the code. In CI the same examples are
# drawn each time, so that a red run can be had again; elsewhere new ones are, so that more is found.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")
listen()


AMONG = 6
"""Other files that are handed out for each one with slow tests."""


def _assert_nothing(left: list[str]) -> None:
    __tracebackhide__ = True
    if left:
        pytest.fail("left behind:\n  " + "\n  ".join(left), pytrace=False)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: some tests wait for servers and for processes that take their time."""
    return (len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come early, one among others: whole files are handed out, and many a slow test starts
    processes of its own, which several of its kind at a time would be in the way of."""
    files = list(dict.fromkeys(item.path for item in items))
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    places = {path: (AMONG * place, 0) for place, path in enumerate(path for path in files if path in slow)}
    places |= {path: (place, 1) for place, path in enumerate(path for path in files if path not in slow)}
    items.sort(key=lambda item: places[item.path])


def pytest_collection_finish() -> None:
    """All that was imported stays: it need not be looked through each time that garbage is."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_by_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    tmp_path_factory.getbasetemp()  # is made where temporary files are otherwise
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        temporary, memory = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orbits-tests-", dir=where)))
            for where in (None, SHARED_MEMORY if SHARED_MEMORY.is_dir() else None)
        )
        temporary.chmod(0o755)  # some tests are run as another user
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr("orbits_iac.testing.kept.SHARED_MEMORY", memory)
        patch.setattr("tests.leaks.FOLDERS", [temporary, memory])
        before = There.now()
        yield
        _assert_nothing(left_at_the_end(before))


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """The process that forks commands of the command line."""
    made = Commands({**os.environ, "PYTHONWARNINGS": "error"})
    keep_for_the_run(made.pid)
    yield made
    made.close()


@pytest.fixture(scope="session")
def node() -> Iterator[None]:
    """CDK's Node process, of which a process has one: begun before the first test that asks for it."""
    import aws_cdk
    from jsii._runtime import kernel

    aws_cdk.App()
    provider: Any = kernel.provider
    yield
    provider._process.stop()


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_by_a_module(_nothing_is_left_by_the_run: None) -> Iterator[None]:
    before = There.now()
    yield
    _assert_nothing(left_since(before))


@pytest.fixture(autouse=True)
def _nothing_is_left_by_a_test(_nothing_is_left_by_a_module: None) -> Iterator[None]:
    before = There.now()
    yield
    _assert_nothing(left_since(before))
