"""Files that are kept on this machine: whole or not at all, and forgotten when nobody uses them."""

import os
from pathlib import Path

import pytest

from orbits_cdk.kept_files import kept_file, use, writing


def fill_the_disk(file: Path) -> None:
    with writing(file) as part:
        part.write_bytes(b"1")
        raise OSError("the disk is full")


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = kept_file("assets", "tests/a.zip")
    with pytest.raises(OSError, match="full"):
        fill_the_disk(file)
    assert list(file.parent.iterdir()) == []
    with writing(file) as part:
        part.write_bytes(b"12")
        assert not file.exists()
    assert file.read_bytes() == b"12"


def test_what_nobody_used_for_a_month_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = kept_file("assets", "tests")
    folder.mkdir(parents=True)
    for name in ("old", "used", "left.part"):
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    assert use(folder / "used")
    assert not use(folder / "none")
    with writing(folder / "new") as part:
        part.write_bytes(b"1")
    assert sorted(file.name for file in folder.iterdir()) == ["new", "used"]
