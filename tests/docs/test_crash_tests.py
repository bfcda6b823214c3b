"""The crash test in the documentation is run as it stands there."""

import importlib.util
import re
import sys
from pathlib import Path

from orbits_iac.testing import crash_everywhere

PAGE = Path(__file__).parents[2] / "docs" / "crash-tests.md"


def test_the_example_passes_and_so_does_its_script(tmp_path: Path) -> None:
    code = "\n\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    (tmp_path / "crash_tests_page.py").write_text(code)
    spec = importlib.util.spec_from_file_location("crash_tests_page", tmp_path / "crash_tests_page.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    sys.modules["crash_tests_page"] = page
    try:
        spec.loader.exec_module(page)
        page.test_a_customer_is_welcomed_once_whatever_crashes()
        crash_everywhere(page.two_customers, world=page.MAIL).check()
    finally:
        del sys.modules["crash_tests_page"]
