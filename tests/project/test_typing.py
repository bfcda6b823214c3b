"""What users may write is in tests/typing, checked by `make types`; what they must not write has to be refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REJECTED = ROOT / "tests" / "typing" / "rejected.py"


@pytest.fixture(scope="module")
def marked() -> set[int]:
    lines = REJECTED.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, start=1) if line.endswith("# refused")}


@pytest.mark.slow
def test_mypy_refuses_the_marked_lines_alone(marked: set[int]) -> None:
    done = _run("mypy", "--strict", "--no-error-summary", "--hide-error-context", str(REJECTED))
    assert {int(line.split(":")[1]) for line in done.splitlines() if ": error:" in line} == marked


@pytest.mark.slow
def test_pyright_refuses_the_marked_lines_alone(marked: set[int], tmp_path: Path) -> None:
    configuration = {
        "include": ["rejected.py"],
        "extraPaths": [str(ROOT / folder) for folder in (".", "providers", "stacks", "tenants", "tests/typing")],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    (tmp_path / "rejected.py").write_bytes(REJECTED.read_bytes())  # pyright reads only what lies beside its settings
    file = tmp_path / "pyrightconfig.json"
    file.write_text(json.dumps(configuration))
    found = json.loads(_run("pyright", "--outputjson", "-p", str(file)))["generalDiagnostics"]
    assert {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"} == marked


def _run(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout
