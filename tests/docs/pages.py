"""The programs that stand in the pages of docs/, imported by the name in the first line of each."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping
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
