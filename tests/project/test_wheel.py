"""The wheel, as a user gets it: built, looked into, installed into a new environment, run there."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

TOP_LEVEL = {
    "orbits_aws",
    "orbits_cdk",
    "orbits_iac",
    "orbits_iac-0.1.0.dist-info",
    "orbits_stacks",
    "orbits_tenants",
}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, root, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment that holds the wheel and nothing else of the project.

    What the project requires is read from this environment's site-packages by a .pth file, so that no network is
    needed. Paths in .pth files of a folder that was itself added by one are not followed, so this environment's
    editable install of the project stays unseen.
    """
    home = tmp_path_factory.mktemp("new") / "venv"
    venv.EnvBuilder(with_pip=True).create(home)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=home)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip()
    required = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(site, "required.pth").write_text("\n".join(sorted(required)) + "\n")
    return home


def test_holds_these_names_at_the_top(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == TOP_LEVEL


def test_each_package_says_that_it_is_typed(wheel: Path) -> None:
    packages = {name for name in TOP_LEVEL if not name.endswith(".dist-info")}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in packages if f"{name}/py.typed" not in archive.namelist()} == set()


def test_carries_the_licence_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "orbits_iac-0.1.0.dist-info/licenses/LICENSE" in names
    assert [name for name in names if "/tests/" in name or name.endswith((".pyc", ".sqlite3"))] == []


def test_runs_in_a_new_environment(installed: Path, tmp_path: Path) -> None:
    where = run(installed / "bin" / "python", "-c", "import orbits_iac; print(orbits_iac.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed)
    assert "Usage: orbits" in run(installed / "bin" / "orbits", "--help", cwd=tmp_path)


def test_each_entry_point_of_the_wheel_can_be_loaded(installed: Path, tmp_path: Path) -> None:
    (metadata,) = installed.glob("lib/python*/site-packages/orbits_iac-0.1.0.dist-info")
    points = PathDistribution(metadata).entry_points
    assert {(point.group, point.name) for point in points} == {
        ("console_scripts", "orbits"),
        ("orbits_iac.commands", "offline"),
        ("orbits_iac.commands", "tenants"),
        ("orbits_iac.dispatchers", "local"),
        ("orbits_iac.outputs", "tenants"),
        ("orbits_iac.providers", "aws"),
        ("orbits_iac.providers", "cdk"),
        ("pytest11", "orbits"),
        ("pytest11", "orbits_aws"),
    }
    load = "import sys; from importlib.metadata import EntryPoint as E; [E('', v, '').load() for v in sys.argv[1:]]"
    run(installed / "bin" / "python", "-c", load, *(point.value for point in points), cwd=tmp_path)
