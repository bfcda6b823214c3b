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
    from_asset("handlers")
    Path("./beside.json"), Path("../above.json"), Path("inline.py"), Path(".hidden")
    Path(".tool"), Path(".."), Path("../.."), Path("."), Path("../")
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
    "stall/handlers/__init__.py": "",
    "stall/beside.json": "",
    "above.json": "",
    "stall/inline.py": "",
    "stall/.hidden": "",
    "stall/.tool/state": "",
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
    "stall/handlers/__init__.py",
    "stall/handlers/new.py",
    "stall/beside.json",
    "above.json",
    "stall/inline.py",
    "stall/.hidden",
    "site/acme-1.0.dist-info/METADATA",
    "site/in_ner-1.0.dist-info/METADATA",
]
UNCHANGED = [
    "stall/other.py",
    "stall/new.py",
    "stall/clients.yaml",
    "stall/notes.txt",
    "stall/folder/.git/config",
    "stall/.tool/state",
    "new.txt",
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


def test_its_modules_are_read_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_of(CodeOf)
    monkeypatch.setattr(code, "_made_of", None)
    assert code_of(CodeOf) == before


def test_a_file_that_is_changed_meanwhile_makes_it_like_no_other_until_it_is_as_before(folder: Path) -> None:
    _forget()
    cls: Any = type("Stall", (), {"__module__": "stall.stack"})
    first, template = code._Code(cls, began=NEVER), folder / "stall/template.json"
    before, text = first.digest(), template.read_text()
    _edit(template)
    changed = first.digest()
    assert changed not in {before, code._Code(cls, began=NEVER).digest()}  # what was read before may still be used here
    assert first.digest() == changed
    template.write_text(text)
    assert first.digest() == before


def test_a_file_between_the_module_and_the_folder_of_the_process_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "stall/far/near.py").write_text('TEMPLATE = "template.json"')
    monkeypatch.chdir(folder)
    before = digest("stall.far.near")
    _edit(folder / "stall/template.json")
    assert digest("stall.far.near") != before
