"""What stands in the pages of docs/: programs, imported by the name in the first line of each, and names of tests."""

import ast
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType


def programs(text: str) -> dict[str, str]:
    """The programs of a page by their names."""
    return {
        re.match(r'"""(\w+)\.py', code).group(1): code  # type: ignore[union-attr]  # each begins with its name
        for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    }


def loading(folder: Path, known: Mapping[str, str]) -> Iterator[Callable[[str], ModuleType]]:
    """Gives what imports a program by its name, and lets go of all that it has imported."""
    made: list[str] = []

    def load(name: str) -> ModuleType:
        (folder / f"{name}.py").write_text(known[name])
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        made.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in made:
        del sys.modules[name]


ROOT = Path(__file__).parents[2]


def shown_by(tables: str, notes: str) -> dict[str, list[tuple[str, str]]]:
    """The rows of tables whose last cells are numbers in brackets, each with the tests (file, name) of its numbers.

    The numbers are those of the list in `notes`; one that no row asks for is a row of its own, without tests.
    """
    noted = re.findall(r"^(\d+)\. (`tests/.*?)(?=^\d+\. |^\S|\Z)", notes, re.DOTALL | re.MULTILINE)
    tests = {number: re.findall(r"`(tests/\S+\.py)::(\w+)`", note) for number, note in noted}
    rows: dict[str, list[tuple[str, str]]] = {}
    asked: set[str] = set()
    for row in re.findall(r"^\| (.*) \|$(?!\n\|-)", tables, re.MULTILINE):
        numbers = re.findall(r"\[(\d+)\](?!\()", row.rpartition(" | ")[2])
        asked.update(numbers)
        known = all(tests.get(one) for one in numbers)
        rows[row] = [test for one in numbers for test in tests[one]] if known else []
    return rows | {f"{number}.": [] for number in tests.keys() - asked}


def missing_tests(named: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of these tests (file, name) that there are not."""
    return [(file, name) for file, name in named if not (ROOT / file).is_file() or name not in _functions(ROOT / file)]


@cache
def _functions(file: Path) -> frozenset[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
