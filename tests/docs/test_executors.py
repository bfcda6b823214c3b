"""The program in docs/executors.md runs as it stands there, and says what stands there."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "executors.md").read_text()


def test_the_program_says_what_the_page_says(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    ((command, said),) = re.findall(r"```console\n\$ python (.*?)\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / command).write_text(program)
    done = subprocess.run([sys.executable, command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (said, "")
    assert [*(tmp_path / ".orbits").glob("*-files/runs/*")] == []
