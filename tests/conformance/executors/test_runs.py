"""Runs: begun once, found again, stopped with all that they started. The name of a case is what holds."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from orbits_iac.executors.contract import Ended, Running, Unknown


async def _opened(gate: Path) -> None:
    """Let who waits at the gate go on; returns when somebody did."""
    await asyncio.to_thread(gate.write_text, "go\n")


async def _said(gate: Path) -> str:
    return await asyncio.to_thread(gate.read_text)


async def test_a_run_ends_with_its_exit_status_and_what_it_printed(place: Any) -> None:
    await place.host.start("a", place.shell("echo out; echo err >&2; exit 3"))
    assert await place.host.wait("a") == Ended(code=3)
    assert await place.host.read("a", "stdout") == b"out\n"
    assert await place.host.read("a", "stderr") == b"err\n"
    assert await place.host.read("a", "stdout", -3) == b"ut\n"
    assert await place.host.read("a", "stdout", 1, 1) == b"u"


async def test_what_was_never_begun_is_unknown(place: Any) -> None:
    assert await place.host.find("a") == Unknown()
    assert await place.host.stop("a", 1) == Unknown()
    assert await place.host.wait("a") == Unknown()
    assert await place.host.read("a", "stdout") is None
    assert await place.host.runs() == []
    await place.host.clean("a")


async def test_another_process_finds_it_and_waits_for_it(place: Any) -> None:
    gate = place.gate("gate")
    await place.host.start("a", place.shell("read line < gate; exit 4"))
    assert await place.host.find("a") == Running()
    await place.host.close()
    assert await place.again().find("a") == Running()
    await _opened(gate)
    assert await place.again().wait("a") == Ended(code=4)


async def test_it_is_begun_once_however_often_it_is_asked_for(place: Any) -> None:
    gate = place.gate("gate")
    command = place.shell("echo begun >> log; read line < gate")
    await asyncio.gather(*(host.start("a", command) for host in [place.host, *(place.again() for _ in range(4))]))
    await _opened(gate)
    assert await place.host.wait("a") == Ended(code=0)
    await place.again().start("a", command)
    assert await place.host.find("a") == Ended(code=0)
    assert (place.working / "log").read_text() == "begun\n"


async def test_what_is_asked_to_end_may_clean_up(place: Any) -> None:
    ready = place.gate("ready")
    text = "trap 'echo cleaned > log; exit 7' TERM; echo > ready; while :; do read line < never; done"
    place.gate("never")
    await place.host.start("a", place.shell(text))
    await _said(ready)
    assert await place.again().stop("a", 60) == Ended(code=7)
    assert (place.working / "log").read_text() == "cleaned\n"


async def test_what_will_not_end_is_killed_with_all_that_it_started(place: Any) -> None:
    ready = place.gate("ready")
    place.gate("never")
    text = "trap '' TERM; (echo below > ready; read line < never) & read line < never; read line < never"
    await place.host.start("a", place.shell(text))
    await _said(ready)
    assert await place.host.stop("a", 0.05) == Ended(code=-signal.SIGKILL)
    with pytest.raises(OSError, match="No such device"):  # nobody waits at it any more
        os.open(place.working / "never", os.O_WRONLY | os.O_NONBLOCK)


async def test_what_it_started_and_will_not_end_is_killed_though_it_has_ended_itself(place: Any) -> None:
    ready = place.gate("ready")
    place.gate("never")
    await place.host.start("a", place.shell("(trap '' TERM; echo > ready; read line < never) & read line < never"))
    await _said(ready)
    assert await place.host.stop("a", 60) == Ended(code=-signal.SIGTERM)
    with pytest.raises(OSError, match="No such device"):
        os.open(place.working / "never", os.O_WRONLY | os.O_NONBLOCK)


async def test_stopping_what_is_over_changes_nothing(place: Any) -> None:
    await place.host.start("a", place.shell("exit 5"))
    await place.host.wait("a")
    assert await place.host.stop("a", 1) == Ended(code=5)


async def test_a_program_that_is_not_there_is_an_exit_status_and_says_so(place: Any) -> None:
    command = place.shell("")
    await place.host.start("a", type(command)(argv=["/no/such/program"]))
    assert await place.host.wait("a") == Ended(code=127)
    assert b"/no/such/program" in await place.host.read("a", "stderr")


async def test_what_is_handed_over_in_memory_stands_in_no_file(place: Any, tmp_path: Path) -> None:
    await place.host.start("a", place.shell("read given; test $given = secret", stdin=b"secret\n"))
    assert await place.host.wait("a") == Ended(code=0)
    files = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}  # noqa: ASYNC240 - a test may wait
    assert files
    assert not [file for file, content in files.items() if b"secret\n" in content]


async def test_files_are_there_when_it_starts_for_nobody_else(place: Any) -> None:
    await place.host.start(
        "a", place.shell('ls -l "$ORBITS_RUN/note" | cut -c 5-10; cat "$ORBITS_RUN/note"', note=b"hello")
    )
    await place.host.wait("a")
    assert await place.host.read("a", "stdout") == b"------\nhello"


async def test_the_key_of_the_store_is_not_in_its_environment(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORBITS_SECRET_KEY", "hunter2")
    monkeypatch.setenv("ORBITS_PROJECT", "kept")
    await place.host.start("a", place.shell("echo $ORBITS_PROJECT $ORBITS_SECRET_KEY"))
    await place.host.wait("a")
    assert await place.host.read("a", "stdout") == b"kept\n"


async def test_files_go_to_the_working_folder_and_back(place: Any, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("content")
    await place.host.send({"dist/given.txt": tmp_path / "given"})
    await place.host.start(
        "a", place.shell("cat dist/given.txt > dist/deep.txt; mkdir dist/more; touch dist/more/x .hidden")
    )
    await place.host.wait("a")
    found = await place.host.collect("dist/**", tmp_path / "into")
    assert sorted(found) == ["dist/deep.txt", "dist/given.txt", "dist/more/x"]
    assert found["dist/deep.txt"].read_text() == "content"
    assert await place.host.collect("*", tmp_path / "into") == {}


async def test_a_cleaned_run_is_unknown_and_may_begin_again(place: Any) -> None:
    for code in (1, 2):
        await place.host.start("a", place.shell(f"exit {code}"))
        assert await place.host.wait("a") == Ended(code=code)
        assert await place.host.runs() == ["a"]
        await place.again().clean("a")
        assert await place.host.find("a") == Unknown()
        assert await place.host.runs() == []


async def test_whoever_waits_sees_what_came_last(place: Any) -> None:
    seen: list[bytes] = []

    async def look() -> None:
        seen.append(await place.host.read("a", "stdout"))

    await place.host.start("a", place.shell("echo one; echo two"))
    await place.host.wait("a", look)
    assert seen[-1] == b"one\ntwo\n"
