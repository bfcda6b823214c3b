"""The requests of a synthesis to Node, watched on their way: lines that made constructs, files, what callbacks raised.

CDK checks constructs long after they were made, and in Node, where none of the user's lines is known any more; and it
reads files itself, which no hook of Python sees. Nothing of a request is changed. One synthesis is watched at a time.
"""

import os
import re
import sys
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from orbits_cdk.cache import note_opened
from orbits_cdk.sources import is_users_code

_PATH = re.compile(r"\[([^\[\]\n]+)\]")  # how CDK names a construct in a message


@contextmanager
def watched() -> Generator["Watched"]:
    """Watch what happens inside."""
    import jsii

    kernel: Any = jsii.kernel
    seen = Watched(kernel.provider)
    kernel.provider = seen
    try:
        yield seen
    finally:
        kernel.provider = seen.provider


class Watched:
    """jsii's connection to Node, and what was seen of its use."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self._paths: dict[str, str] = {}  # of constructs, by jsii's references
        self._lines: dict[str, str] = {}  # the user's that made each, by path
        self._raised: BaseException | None = None

    def create(self, request: Any) -> Any:
        """Make an object; a construct is remembered by its path."""
        self._note_files(request.args)
        made = self.provider.create(request)
        reference = getattr(made, "ref", None)
        if reference is not None and len(request.args) > 1:
            self._remember(reference, request.args[0], request.args[1])
        return made

    def invoke(self, request: Any) -> Any:
        """Call a method."""
        self._note_files(request.args)
        return self.provider.invoke(request)

    def sinvoke(self, request: Any) -> Any:
        """Call a static method."""
        self._note_files(request.args)
        return self.provider.sinvoke(request)

    def sync_complete(self, request: Any, response_type: Any) -> Any:
        """Answer a callback; what it raised is remembered, as only its text comes back."""
        if request.err is not None:
            self._raised = sys.exc_info()[1]
        return self.provider.sync_complete(request, response_type)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)

    def lines_of(self, error: BaseException) -> list[str]:
        """The user's lines that are to blame: the last one of the traceback, a callback's, or a construct's."""
        for each in (error, self._raised):
            frames = [] if each is None else traceback.extract_tb(each.__traceback__)
            found = [frame for frame in frames if is_users_code(frame.filename)]
            if found:
                return [_shown(found[-1])]
        return self.lines_that_made(str(error))

    def lines_that_made(self, text: str) -> list[str]:
        """The lines that made the constructs that a message names, or the nearest ones around those."""
        found = [line for path in _PATH.findall(text) if (line := self._line_of(path)) is not None]
        return list(dict.fromkeys(found))

    def _line_of(self, path: str) -> str | None:
        parts = path.strip("/").split("/")
        around = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
        return next((self._lines[each] for each in around if each in self._lines), None)

    def _remember(self, made: str, scope: Any, name: Any) -> None:
        above = getattr(getattr(scope, "__jsii_ref__", None), "ref", None)
        if above is None or not isinstance(name, str):
            return  # no construct
        path = "/".join(filter(None, (self._paths.get(above), name)))
        self._paths[made] = path
        frame = _users_frame()
        if frame is not None:
            code = frame.f_code
            self._lines[path] = _shown(traceback.FrameSummary(code.co_filename, frame.f_lineno, code.co_name))

    def _note_files(self, values: Any) -> None:
        for text in _texts(values):
            if _may_be_a_file(text):
                note_opened(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)


def _may_be_a_file(text: str) -> bool:
    """Whether a text that CDK was handed is the path of a file; folders are assets, and known as such."""
    return 0 < len(text) < 1024 and "\n" not in text and os.path.isfile(text)  # noqa: PTH113 - most are no path at all


def _users_frame() -> FrameType | None:
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - what `inspect` does, which reads source files for it
    while frame is not None and not is_users_code(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _shown(frame: traceback.FrameSummary) -> str:
    return f"  {frame.filename}:{frame.lineno}, in {frame.name}\n    {frame.line}"
