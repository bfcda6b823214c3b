"""The digest of a class's code: what changes it, and what does not."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orbits_iac import Resource, code, imported
from orbits_iac.code import code_of, digest_of

NEVER = float("inf")
FILES = {
    "stall/__init__.py": "",
    "stall/stack.py": """
from typing import ClassVar
import acmelib
from .prices import price
from stall.far.away import *

TEMPLATE = "template.json"

class Fleet:
    source: ClassVar = Yaml("clients.yaml")

def late() -> None:
    from stall import lazy
    import_module("stall.named")
    from_asset("folder/")
""",
    "stall/prices.py": "from stall.deep.cents import cents",
    "stall/deep/__init__.py": "",
    "stall/deep/cents.py": "cents = 100",
    "stall/far/__init__.py": "",
    "stall/far/away.py": "",
    "stall/lazy.py": "",
    "stall/named.py": "",
    "stall/other.py": "",
    "stall/template.json": "{}",
    "stall/clients.yaml": "",
    "stall/folder/handler.py": "",
    "stall/folder/.git/config": "",
    "stall/notes.txt": "",
    "site/acmelib.py": "",
    "site/acme-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\nRequires-Dist: in.ner>=1\n",
    "site/acme-1.0.dist-info/RECORD": "acmelib.py,,\n",
    "site/in_ner-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: in_ner\nVersion: 1.0\n",
    "site/alone-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: alone\nVersion: 1.0\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    python = [place for place in sys.path if "site-packages" not in place]  # of what is installed, those here alone
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "site"), *python])
    monkeypatch.setattr(imported, "_INSTALLED", (*imported._INSTALLED, str((tmp_path / "site").resolve())))
    yield tmp_path
    _forget()


def _forget() -> None:
    importlib.invalidate_caches()
    for kept in (imported.is_project_file, imported._read, code._owners, code._versions, code._everything):
        kept.cache_clear()


def digest(module: str = "stall.stack", *, began: float = NEVER) -> str:
    """The digest of a class that stands in a module, which need not be imported for that."""
    _forget()
    cls: Any = type("Stall", (), {"__module__": module})
    return digest_of(cls, began=began)


CHANGED = [
    "stall/__init__.py",
    "stall/stack.py",
    "stall/prices.py",
    "stall/deep/__init__.py",
    "stall/deep/cents.py",
    "stall/far/__init__.py",
    "stall/far/away.py",
    "stall/lazy.py",
    "stall/named.py",
    "stall/template.json",
    "stall/folder/handler.py",
    "stall/folder/new.txt",
    "site/acme-1.0.dist-info/METADATA",
    "site/in_ner-1.0.dist-info/METADATA",
]
UNCHANGED = [
    "stall/other.py",
    "stall/new.py",
    "stall/clients.yaml",
    "stall/notes.txt",
    "stall/folder/.git/config",
    "site/alone-1.0.dist-info/METADATA",
]


def _edit(file: Path) -> None:
    text = file.read_text() if file.exists() else ""
    file.write_text(text.replace("Version: 1.0", "Version: 1.1") if file.name == "METADATA" else f"{text}\n# edited\n")


@pytest.mark.parametrize("name", CHANGED)
def test_what_it_is_made_of_changes_it(folder: Path, name: str) -> None:
    before = digest()
    assert digest() == before
    _edit(folder / name)
    assert digest() != before


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_it_is_not_made_of_does_not(folder: Path, name: str) -> None:
    before = digest()
    _edit(folder / name)
    assert digest() == before


@pytest.mark.parametrize(
    "line",
    [
        "import_module(name)",
        "importlib.import_module(f'stall.{name}')",
        "__import__(name)",
        "exec(text)",
        "runpy.run_path('x')",
        "entry_points(group='x')",
        "this is no Python",
    ],
)
def test_what_cannot_be_told_makes_it_that_of_everything(folder: Path, line: str) -> None:
    (folder / "stall/deep/cents.py").write_text(line)
    before = digest()
    assert digest() == before
    _edit(folder / "site/alone-1.0.dist-info/METADATA")
    assert digest() != before


def test_code_that_may_be_older_than_its_file_is_like_no_other(folder: Path) -> None:
    assert digest(began=0.0) != digest(began=0.0)
    assert digest("nowhere") != digest("nowhere")


class CodeOf(Resource):
    pass


def test_it_is_found_once_in_a_process() -> None:
    assert code_of(CodeOf) is code_of(CodeOf)
