"""Steps that run in a process of their own: begun once, found again after a crash, and gone before they are given up.

What always holds: a process starts only after the entry that says so is durable, under an id that its attempt gives it,
so that whoever takes the attempt up again finds it. A worker that dies leaves it running; so does one that has lost its
claim. A time limit or a cancel is reported when the process and all that it started are gone; what it had finished by
then is its outcome all the same.
"""

import asyncio
import hashlib
import sys
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orbits_iac.codec import Codec
from orbits_iac.engine.attempts import Done, End, Failed, Waits
from orbits_iac.engine.hosts import HERE, LONGEST_GRACE
from orbits_iac.executors import documents
from orbits_iac.executors.contract import Command, Ended, Host, Unknown
from orbits_iac.executors.documents import OUTCOME, OWNER, PROGRESS, TASK
from orbits_iac.model.errors import Interrupted, ProcessFailed
from orbits_iac.model.rows import Json
from orbits_iac.registry import source_of
from orbits_iac.steps import shell as shells
from orbits_iac.steps.action import Action
from orbits_iac.steps.hook import is_hook, packed
from orbits_iac.steps.step import Step

if TYPE_CHECKING:
    from orbits_iac.engine.request import Request
    from orbits_iac.engine.run import Run

_LAST_WORDS = 4_000  # bytes of stderr that an error quotes
_PROGRESS = 100_000  # bytes of progress that are read at a time


async def call(run: "Run", request: "Request", hook: str, handle: Json | None) -> End:
    """Call one hook of an Action in a process where its executor says, and say what came of it.

    Of an Action whose process is gone without an outcome, `on_interrupted` says what came of it, unless it is
    idempotent: then that was a failed attempt.
    """
    if hook == "watch":
        watch = _HookProcess(run, request, hook, handle)
        end = await watch.outcome(begin=True, again=True)
        words = "" if end is not None else await watch.last_words()
        await watch.host.clean(watch.id)  # the next look is another process
        return end or _died(run, request, words)
    idempotent = bool(request.options.get("idempotent"))
    main = _HookProcess(run, request, "main")
    end = await main.outcome(begin=hook == "main" or run.engine.hosts.know_all, again=idempotent)
    if end is not None:
        return end
    words = await main.last_words()
    if idempotent:
        return _died(run, request, words)
    if type(request.step).on_interrupted is Action.on_interrupted:  # type: ignore[union-attr]
        raise Interrupted(f"{request.kind} is not idempotent, and nobody knows how far it got: {words}")
    asked = _HookProcess(run, request, "on_interrupted")
    end = await asked.outcome(begin=True, again=True)
    return end if end is not None else _died(run, request, await asked.last_words())


async def shell(run: "Run", request: "Request", step: shells.Shell, *, begin: bool) -> shells.Done:
    """Run a Shell's command where its executor says, or find the one that was begun.

    Raises `ProcessFailed` for an exit status other than 0, `Interrupted` for a command of which nobody knows what it
    did.
    """
    hosts, idempotent = run.engine.hosts, bool(request.options.get("idempotent"))
    host, artifacts = hosts.of(request.executor or HERE), hosts.artifacts()
    begin = begin or hosts.know_all
    process = _ShellProcess(run, request, "main", host)
    argv = ["/bin/sh", "-c", 'exec /bin/sh "$ORBITS_RUN/script"']  # the command itself may be nobody's business
    found = await process.over(
        Command(argv=argv, files={"script": step.command.encode()}), begin=begin, again=idempotent
    )
    if isinstance(found, Unknown) or found.code is None:
        words = f"the command of {request.kind}: {await process.last_words()}"
        raise ProcessFailed(words) if idempotent else Interrupted(words)
    if found.code != 0:
        raise ProcessFailed(await process.last_words())
    half = shells.LONGEST_OUTPUT // 2
    out = await host.read(process.id, "stdout", 0, shells.LONGEST_OUTPUT + 1) or b""
    if len(out) > shells.LONGEST_OUTPUT:
        end = await host.read(process.id, "stdout", -half) or b""
        out = out[:half] + b"\n[... left out; write it to a file and name that in outputs= ...]\n" + end
    return shells.Done(stdout=out.decode(errors="replace"), artifacts=await artifacts.keep(host, step.outputs))


class _Process:
    """The process of one attempt."""

    def __init__(self, run: "Run", request: "Request", hook: str, host: Host) -> None:
        entry = run.pages.entries[request.key]
        owner = documents.Owner(
            execution=run.pages.execution.id, key=request.key, token=entry.token, attempt=entry.attempt
        )
        self.host = host
        run.engine.hosts.used(run.pages.execution.id)
        self._owner = msgspec.json.encode(owner)
        name = hashlib.blake2b(self._owner + hook.encode(), digest_size=12).hexdigest()
        self.id = f"{owner.execution}-{name}"
        self._run = run
        self._request = request
        self._grace = min(LONGEST_GRACE, run.grace_of(request) / 2)
        self._found: Unknown | Ended = Unknown()

    async def over(self, command: Command, *, begin: bool, again: bool) -> Unknown | Ended:
        """Find it and return when it is over.

        `begin` it if it is not there; begin it `again` if nobody knows how it ended. Cancelled, wherever that meets it,
        it is gone when this returns or raises.
        """
        try:
            found = await self.host.find(self.id)
            if again and found == Ended(code=None):  # it died with whoever waited for it
                await self.host.clean(self.id)
                found = Unknown()
            if (begin or again) and isinstance(found, Unknown):
                if self._request.given_up:
                    raise asyncio.CancelledError
                await self.prepare()
                await self._run.engine.hosts.sweep(self.host, self._run.pages.execution.id)
                files = {**command.files, OWNER: self._owner}
                await _whole(self.host.start(self.id, replace(command, files=files)))
            self._found = await self.host.wait(self.id, self.look)
        except asyncio.CancelledError:
            self._found = await self._stopped()
            if not await self.is_finished():
                raise
        return self._found

    async def prepare(self) -> None:
        """Do what has to be done before it begins."""

    async def look(self) -> None:
        """Look how far it is."""

    async def is_finished(self) -> bool:
        """Whether it had done all that it was to do when it was stopped."""
        return self._found == Ended(code=0)

    async def last_words(self) -> str:
        """How it ended, for people."""
        if isinstance(self._found, Unknown):
            return "its process is not known where it was to run, or had not begun"
        code = self._found.code
        if code is None:
            how = "its process is gone, and left no exit status"
        else:
            how = f"exit status {code}" if code >= 0 else f"ended by signal {-code}"
        said = await self.host.read(self.id, "stderr", -_LAST_WORDS) or b""
        said = said or await self.host.read(self.id, "stdout", -_LAST_WORDS) or b""
        text = said.decode(errors="replace").strip()
        return f"{how}: {text}" if text else how

    async def _stopped(self) -> Unknown | Ended:
        """Stop it, however often that is cancelled; one that somebody else goes on with is left alone."""
        stopping = asyncio.ensure_future(self.host.stop(self.id, self._grace))
        while not stopping.done() and not self._run.abandoned:
            with suppress(asyncio.CancelledError):
                await asyncio.wait([stopping])
        if self._run.abandoned:
            stopping.cancel()
            raise asyncio.CancelledError
        found = stopping.result()
        return found if isinstance(found, (Unknown, Ended)) else Ended(code=None)


class _ShellProcess(_Process):
    """One of a shell command."""

    async def prepare(self) -> None:
        step = self._request.step
        if isinstance(step, shells.Shell):
            await self._run.engine.hosts.artifacts().place(self.host, step.inputs)


class _HookProcess(_Process):
    """One in which a hook is called."""

    def __init__(self, run: "Run", request: "Request", hook: str, handle: Json | None = None) -> None:
        executor = request.executor or HERE
        super().__init__(run, request, hook, run.engine.hosts.of(executor))
        self._hook = hook
        self._handle = handle
        self._key = run.engine.codec.derived(self.id)
        self._codec = Codec(self._key)
        self._progress = 0  # bytes of it that were read

    async def outcome(self, *, begin: bool, again: bool) -> End | None:
        """What the hook came to; None if its process is gone without an outcome."""
        argv = [self.host.python, "-P", "-m", "orbits_iac.execute"]
        command = Command(argv=argv, files={TASK: msgspec.json.encode(self._task())}, stdin=self._key)
        await self.over(command, begin=begin, again=again)
        text = await self.host.read(self.id, OUTCOME)
        return None if text is None else self._end(msgspec.json.decode(text, type=documents.Outcome))

    async def is_finished(self) -> bool:
        return await self.host.read(self.id, OUTCOME) is not None

    async def look(self) -> None:
        text = await self.host.read(self.id, PROGRESS, self._progress, _PROGRESS) or b""
        whole = text[: text.rfind(b"\n") + 1]
        self._progress += len(whole)
        if whole:
            said = msgspec.json.decode(whole.splitlines()[-1], type=documents.Progress)
            self._run.progress(self._request.key, said.message, said.share)

    def _task(self) -> documents.Task:
        run, request = self._run, self._request
        cls: type[Step[Any]] = type(request.step) if request.step is not None else Action
        entry, codec = run.pages.entries[request.key], run.engine.codec
        handle = None if self._handle is None else codec.resealed(self._handle, self._codec)
        return documents.Task(
            modules=(_source(cls.__module__),),
            path=tuple(str(Path(folder).absolute()) for folder in sys.path),
            kind=request.kind,
            made=packed(cls) if is_hook(cls) else None,
            called=run.called,
            takes_over=run.approval.take_over,
            largest=codec.largest,
            hook=self._hook,
            argument=codec.resealed(request.argument, self._codec),
            handle=handle,
            execution=run.pages.execution.id,
            token=entry.token,
            attempt=entry.attempt,
            tenant=run.pages.execution.tenant,
            project=run.engine.project,
            record=run.record_id,
            targets={name: codec.resealed(text, self._codec) for name, text in request.targets.items()},
        )

    def _end(self, outcome: documents.Outcome) -> End:
        codec = self._run.engine.codec
        if outcome.failure is not None:
            message = codec.mask(outcome.failure.message)
            types = tuple(_here(name) for name in outcome.failure.types)
            failure = replace(outcome.failure, message=message, types=types, account=self._request.where())
            return Failed(error=_raised(outcome), failure=failure)
        if outcome.handle is not None:
            return Waits(handle=self._codec.resealed(outcome.handle, codec), poll=outcome.poll)
        return Done(result=self._codec.resealed(outcome.result or "null", codec))


def _died(run: "Run", request: "Request", words: str) -> Failed:
    error = ProcessFailed(f"the process of {request.kind} ended before it had an outcome: {words}")
    return Failed(error=error, failure=run.failure(error, request))


async def _whole(work: Awaitable[None]) -> None:
    """Do it to its end, and only then be cancelled: nobody could tell whether the other half was done."""
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


def _source(module: str) -> str:
    """What another process imports to have this module, wherever it is started."""
    source = source_of(module)
    return str(Path(source).absolute()) if source.endswith(".py") else source


def _raised(outcome: documents.Outcome) -> BaseException:
    """An error of the nearest class that is imported here: it decides whether the step is tried again."""
    for name in outcome.raised:
        module, _, path = _here(name).partition(":")
        found: Any = sys.modules.get(module)
        for part in path.split("."):
            found = getattr(found, part, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            with suppress(TypeError):
                return found.__new__(found, outcome.failure.message if outcome.failure else "")
    return ProcessFailed("raised an error of a class that is not imported here")


def _here(name: str) -> str:
    """The name that a class has in this process: a program's own file is `__main__` here and a module there."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    there = None if file is None else Path(file).stem
    return f"__main__{name.removeprefix(there)}" if there and name.startswith((f"{there}:", f"{there}.")) else name
