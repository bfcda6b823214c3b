"""What is wrong in a user's code is said with the file and the line that it stands in."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from orbits_iac import Action, ExecutionFailed, InProgress, Orbits, Resource, Step, Workflow, action, command
from orbits_iac.engine.calls import line_of
from orbits_iac.provider import hook

from .world import add


def line_with(words: str) -> str:
    """`test_lines.py, line 12`: where these words stand in this file, as a user is told."""
    lines = inspect.getsource(inspect.getmodule(line_with)).splitlines()  # type: ignore[arg-type]
    [number] = [at for at, line in enumerate(lines, start=1) if line.endswith(f"# {words}")]
    return f"test_lines.py, line {number}"


class Anything(Action):
    """Has a field that takes anything, and a handle and a result that are numbers."""

    value: Any = None

    def main(self) -> None:
        """Does nothing."""


class Returns(Action[int]):
    async def main(self) -> int:  # returned by an Action
        return object()  # type: ignore[return-value] # what a test is about


class Hands(Action[int, int]):
    def main(self) -> InProgress[int]:  # handed to watch
        return InProgress(object())  # type: ignore[arg-type] # what a test is about


class Watches(Action[int, int]):
    def main(self) -> InProgress[int]:
        return InProgress(1)

    def watch(self, handle: int, /) -> int:  # returned by watch
        return object()  # type: ignore[return-value] # what a test is about


@action  # returned by a function
def returns() -> int:
    return object()  # type: ignore[return-value] # what a test is about


class Composite(Workflow[Any]):
    """Does or returns something that is wrong."""

    how: str

    async def define(self) -> Any:  # returned by a Workflow
        match self.how:
            case "returned":
                return object()
            case "argument":
                await self.do("a", Anything(value=object()))  # an argument
            case "key":
                await self.do("a", add(1, 1))  # a key
                await self.do("a", add(1, 2))  # a key again
            case "forgotten":
                self.do("a", add(1, 1))  # type: ignore[unused-coroutine] # forgotten
            case "left":
                LEFT.add(asyncio.create_task(self.do("a", add(1, 1))))  # left
                await asyncio.sleep(0)
            case "no step":
                await self.do("a", add)  # type: ignore[arg-type] # no step
            case "main":
                LENT[:] = [self]
                await self.do("a", Does())
            case "thread":
                LENT[:] = [self]
                await self.do("a", DoesInThread())
            case _:
                LENT.clear()
                await self.do("lends", Lends())
                await LENT[0].do("a", add(1, 1))  # on another's self
        return None


LENT: list[Workflow[Any]] = []
LEFT: set[asyncio.Task[int]] = set()


class Lends(Workflow):
    async def define(self) -> None:
        LENT[:] = [self]


class Does(Action):
    async def main(self) -> None:
        await LENT[0].do("inner", add(1, 1))  # in main


class DoesInThread(Action):
    def main(self) -> None:
        asyncio.run(LENT[0].do("inner", add(1, 1)))  # in a thread


class Updates(Resource):
    """Hooks and a command that return what cannot be kept."""

    how: str

    def identity(self) -> str:
        return self.how

    async def define_update(self) -> None:  # returned by an update
        if self.how == "update":
            return object()  # type: ignore[return-value] # what a test is about
        if self.how == "hook":
            await self.do("look", hook(self.look, returns=int))
        return None

    def look(self) -> int:  # returned by a hook
        return object()  # type: ignore[return-value] # what a test is about

    @command  # returned by a command
    async def count(self) -> int:
        return object()  # type: ignore[return-value] # what a test is about


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Returns(), "returned by an Action"),
        (Hands(), "handed to watch"),
        (Watches(), "returned by watch"),
        (returns(), "returned by a function"),
        (Composite(how="returned"), "returned by a Workflow"),
        (Updates(how="update"), "returned by an update"),
        (Updates(how="hook"), "returned by a hook"),
        (Composite(how="argument"), "an argument"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_value_that_cannot_be_serialised(orbits: Orbits, step: Step[Any], words: str) -> None:
    with pytest.raises(ExecutionFailed, match=r"(object|Anything) cannot be kept as") as failed:
        await orbits.run(step)
    assert line_with(words) in failed.value.message


async def test_what_a_command_of_ones_own_returns(orbits: Orbits) -> None:
    await orbits.run(Updates(how="command"))
    with pytest.raises(ExecutionFailed, match="object cannot be kept as int") as failed:
        await orbits.run(Updates(how="command").count())
    assert line_with("returned by a command") in failed.value.message


@pytest.mark.parametrize(
    ("how", "said", "words"),
    [
        ("key", "a: Add is done twice under the ref 'a' in one run", ["a key again", "a key"]),
        ("forgotten", "called, and not awaited when the definition ended", ["forgotten"]),
        ("left", "begun, and neither awaited nor cancelled when the definition ended", ["left"]),
        ("no step", "takes a step, and got function", ["no step"]),
        ("main", "is there only in a definition, not in main() or a thread", ["in main"]),
        ("thread", "is there only in a definition, not in main() or a thread", ["in a thread"]),
        ("another", "was called on another definition's self", ["on another's self"]),
    ],
)
async def test_a_do_that_is_wrong(orbits: Orbits, how: str, said: str, words: list[str]) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Composite(how=how))
    assert said in failed.value.message
    assert all(line_with(line) in failed.value.message for line in words)


def test_the_line_is_that_of_the_file_as_it_is_seen_from_here() -> None:
    here: Callable[..., Any] = line_with
    assert line_of(here.__code__.co_filename, 7).endswith("tests/orbits_iac/engine/test_lines.py, line 7")
    assert line_of("/somewhere/else/shop.py", 7) == "shop.py, line 7"
