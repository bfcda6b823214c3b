"""Steps of the suites whose executions another dispatcher or process takes up, by their kinds: no other test has those.

One that is claimed by two classes, because two modules of tests came into one process, is not gone on with.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

TESTS = Path(__file__).parents[1]
BENCHMARKS = TESTS.parent / "benchmarks"
TAKEN_UP = (
    "tests/conformance/dispatchers",
    "tests/soak",
    "tests/orbits_iac/moving",
    "tests/tenants/test_import",
    "tests/providers/orbits_aws/test_certificate",
    "benchmarks/poisoned",  # by a test of its tenants
)


def steps(sources: Iterable[Path]) -> dict[str, set[str]]:
    """The classes below Action, Resource and Workflow, by their names, with the files that have one."""
    classes = [(path, node) for path in sources for node in ast.walk(ast.parse(path.read_text()))]
    known, before = {"Action", "CdkStack", "Managed", "Resource", "Tenants", "Workflow"}, 0
    found: dict[str, set[str]] = {}
    while len(known) > before:
        before = len(known)
        for path, node in classes:
            if isinstance(node, ast.ClassDef) and known.intersection(map(_name, node.bases)):
                known.add(node.name)
                found.setdefault(node.name, set()).add(str(path.relative_to(TESTS.parent)))
    return found


def _name(base: ast.expr) -> str:
    while isinstance(base, ast.Subscript):
        base = base.value
    return ast.unparse(base).rpartition(".")[2]


def test_what_another_process_takes_up_is_of_a_kind_that_no_other_test_has() -> None:
    sources = (*TESTS.rglob("*.py"), BENCHMARKS / "poisoned.py")
    found = steps(path for path in sources if "typing" not in path.parts)
    taken_up = {name: files for name, files in found.items() if any(one.startswith(TAKEN_UP) for one in files)}
    assert len(taken_up) > 20
    assert {name: sorted(files) for name, files in taken_up.items() if len(files) > 1} == {}
