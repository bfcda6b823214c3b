"""Reading source files in many threads, as tenants' previews and digests do."""

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import orbits_iac
from orbits_iac import imported


class Garbage:
    """What is collected in the middle of anything, and then lets other threads run."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        sum(range(50))


@pytest.fixture
def _threads_change_often() -> Iterator[None]:
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(10)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("_threads_change_often")
def test_many_threads_read_source_files_at_the_same_time() -> None:
    files = [str(file) for file in sorted(Path(orbits_iac.__file__).parent.glob("engine/*.py"))]
    first = [imported.imported_by(file, "orbits_iac.engine") for file in files]

    def read(file: str) -> imported.Named:
        for _ in range(3):
            Garbage()
        return imported.imported_by(file, "orbits_iac.engine")

    for _ in range(3):  # once finds nothing one time in three
        imported._read.cache_clear()
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(read, files)) == first
