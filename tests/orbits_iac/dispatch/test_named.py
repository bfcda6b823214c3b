"""The dispatcher of the settings: a stranger's package brings one as well as any; an unknown one is refused."""

import sys
from pathlib import Path

import pytest

from orbits_iac import Orbits, Settings, action
from orbits_iac.dispatch.worker import Worker
from orbits_iac.model.errors import UsageError
from orbits_iac.testing.inline import Inline

SETTINGS = Settings(project="tests", store="memory:")


class Theirs(Inline):
    """Another one."""


@action
async def tripled_by_theirs(number: int) -> int:
    """Three times the number."""
    return 3 * number


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with dispatchers, as an installer leaves it."""
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\nProvides-Extra: cloud\n"
        "Requires-Dist: no-such-thing; extra == 'cloud'\n"
    )
    (info / "entry_points.txt").write_text(
        f"[orbits_iac.dispatchers]\ntheirs = {Theirs.__module__}:Theirs\ncloud = no_such_package:Cloud\n"
        f"gone = no_such_package:Gone\nwrong = {Theirs.__module__}:SETTINGS\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


async def opened(name: str) -> Orbits:
    return await Orbits(SETTINGS.model_copy(update={"dispatcher": name})).__aenter__()


@pytest.mark.usefixtures("installed")
async def test_one_of_another_package_is_used_by_its_name() -> None:
    async with Orbits(SETTINGS.model_copy(update={"dispatcher": "theirs"})) as orbits:
        assert type(orbits.dispatcher) is Theirs
        assert await orbits.run(tripled_by_theirs(4)) == 12


async def test_without_a_name_it_is_the_local_one() -> None:
    async with Orbits(SETTINGS) as orbits:
        assert type(orbits.dispatcher) is Worker


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("unknown", "there is no dispatcher 'unknown'; installed are: cloud, gone, (inline, )?local, theirs, wrong"),
        ("cloud", r"'cloud' cannot be used: pip install 'theirs\[cloud\]'"),
        ("gone", "'gone' cannot be used: the module 'no_such_package' is missing"),
        ("wrong", "'wrong' names .*, which is no subclass of Dispatcher"),
    ],
)
async def test_one_that_cannot_be_had_is_refused_with_what_to_do(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        await opened(name)
