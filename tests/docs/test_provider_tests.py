"""The suite that docs/provider-tests.md writes passes, and a provider that forgets something does not."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "provider-tests.md"
[CODE] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def ran(folder: Path, code: str) -> str:
    (folder / "test_mailing_list.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(folder), "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_it_passes(tmp_path: Path) -> None:
    said = ran(tmp_path, CODE)
    assert "13 passed" in said, said


def test_one_that_forgets_to_delete_is_found_out(tmp_path: Path) -> None:
    said = ran(tmp_path, CODE.replace("        SERVICE.drop(live.name)\n", "        pass\n"))
    assert "test_an_uninstall_leaves_exactly_the_residue" in said, said
