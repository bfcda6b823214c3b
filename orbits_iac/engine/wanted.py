"""What a `do` was called with, and the request that it becomes.

What always holds: the step that is done is made anew from the argument as it is recorded; a key is there once in a run;
no secret is part of a name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac.codec import Codec, explain
from orbits_iac.engine import bounds
from orbits_iac.engine.above import ABOVE, ADMITTED
from orbits_iac.engine.calls import Call, asked_at
from orbits_iac.engine.handed_executor import text_of, with_handed
from orbits_iac.engine.labels import TENANT, merged
from orbits_iac.engine.names import Name, refuse_old_name, rename
from orbits_iac.engine.naming import check_name, key_of, once_at, refuse_secrets, result_of, subject_of
from orbits_iac.engine.request import Request
from orbits_iac.engine.unapproved import refuse_repeated
from orbits_iac.engine.undo import undoing
from orbits_iac.model.errors import Refused, UsageError
from orbits_iac.model.ids import RecordId, StepKey, refs
from orbits_iac.model.rows import Json
from orbits_iac.model.target import Target
from orbits_iac.steps.hook import is_hook
from orbits_iac.steps.options import Executor, Options, StepOptions, check_labels
from orbits_iac.steps.resource import Command, Resource
from orbits_iac.steps.step import Step, kind_of, kinds_of

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


@dataclass(eq=False, slots=True)
class Wanted:
    """What a `do` was called with."""

    call: Call
    step: Step[Any]
    key: str | None = field(kw_only=True)
    once: bool = field(kw_only=True)
    undo: Step[Any] | Callable[[Any], Step[Any]] | None = field(kw_only=True)
    target: Target | Sequence[Target] | None = field(kw_only=True)
    was: str | None = field(kw_only=True)
    options: StepOptions = field(kw_only=True)
    place: tuple[StepKey, str] | None = field(
        kw_only=True, default=None
    )  # where it stands for people, if not by its key


def each_of(target: Target | Sequence[Target] | None) -> Sequence[Target]:
    """The targets that a `do` was given; UsageError if two are of one type: nobody could tell which is meant."""
    targets = () if target is None else (target,) if isinstance(target, Target) else target
    names = [type(one).__name__ for one in targets]
    if len(names) != len(set(names)):
        raise UsageError(f"target= has two targets of one type: {', '.join(names)}; give one of each")
    return targets


PLAIN: dict[str, Any] = {"key": None, "once": False, "undo": None, "target": None, "was": None}


def check_step(call: Call, step: object) -> None:
    """Raise UsageError for what is no step."""
    if not isinstance(step, Step):
        raise UsageError(
            f"{call.what}({call.ref!r}, ...) takes a step, and got {type(step).__name__} ({call.where()}): call it, as "
            f"in {call.what}({call.ref!r}, {getattr(step, '__name__', 'Step')}(...))"
        )


def request_of(
    run: "Run", above_targets: dict[str, Json], handed: Executor | None, wanted: Wanted, name: Name, attempt: int = 1
) -> Request:
    """The request that a `do` becomes, under the targets and executor of above; UsageError where it cannot be one."""
    codec, call = run.engine.codec, wanted.call
    ref, step, key = call.ref, wanted.step, wanted.key
    if key is not None:
        check_name("a key=", key, call.where)
    subject, command = subject_of(step)
    extra = codec.encode(step.arguments, dict[str, Any]) if isinstance(step, Command) else "{}"
    cls = type(subject)
    above = ABOVE.get()
    if isinstance(subject, Resource):
        run.engine.registry.know(cls)
    again = command if attempt == 1 else f"{command}~{attempt}"
    named = None if name.owned else name.identity
    request_key = key_of(above, ref, name.kind, again, key, named)
    if request_key in run.asked:
        raise UsageError(
            f"{'.'.join(refs(request_key))}: {kind_of(cls)} is done twice under the ref {ref!r} in one run "
            f"({call.where()}, after {asked_at(run.asked[request_key])}); give each its own key=, as in "
            f"do({ref!r}, ..., key=...)"
        )
    refuse_old_name(run, request_key, call.where)
    if wanted.was is not None:
        rename(run, request_key, key_of(above, wanted.was, name.kind, again, key, named))
    argument, fresh = _fresh(codec, call, subject)
    options = with_handed(cls, merged(cls, wanted.options), handed)
    targets, places = _acting(run, above_targets, wanted, options)
    refuse_secrets(codec, call.where, fresh, ref, key, name.identity)
    _check_labels(call, options)
    _refuse_other_tenant(run, call, options)
    request = Request(
        key=request_key,
        ref=ref,
        kind=name.kind,
        command=command,
        step=fresh,
        argument=argument,
        digest=codec.digest(name.kind, command, codec.as_encoded(fresh, argument), extra),
        returns=result_of(cls, command),
        options=options,
        targets=targets,
        places=places,
        future=run.loop.create_future(),
        identity=name.identity,
        owned=name.owned,
        extra=extra,
        hidden=is_hook(cls),
        tenant=options.get("labels", {}).get(TENANT),
        hands_down=None if name.identity is None else text_of(options.get("executor", handed)),
        references=(
            {} if name.identity is None else run.given.references(argument, of=RecordId(name.kind, name.identity))
        ),
        admitted=name.identity is None and ADMITTED.get(),
        call=call,
    )
    if wanted.once:
        request.once = once_at(request.key, request.kind)
        request.kinds = {kind: codec.digest(kind, command, fresh, extra) for kind in (name.kind, *kinds_of(cls))}
    if wanted.undo is not None:
        request.undo = undoing(run, request, wanted.undo, above)
    if wanted.place is not None:
        request.place = "/".join((*refs(wanted.place[0]), wanted.place[1]))
    refuse_repeated(run, request)
    return request


def _acting(
    run: "Run", above: dict[str, Json], wanted: Wanted, options: Options
) -> tuple[dict[str, Json], dict[str, str]]:
    """The targets of a step, within its bounds, and their places."""
    codec, call, within, own = run.engine.codec, wanted.call, options.get("within"), each_of(wanted.target)
    targets, places = bounds.widened(above, run.found), run.places
    if within is None and not own:
        return targets, places
    what = f"{call.ref} ({call.where()})"
    tenant = run.pages.execution.tenant or options.get("labels", {}).get(TENANT)
    if within is not None:
        targets = bounds.bound(codec, targets, within, run.found, what=what, tenant=tenant)
    for one in own:
        bounds.check(targets, one, what=what, tenant=tenant)
        targets = {**targets, type(one).__name__: codec.encode(one, type(one))}
        places = {**places, type(one).__name__: one.place()}
        refuse_secrets(codec, call.where, one, one.place())
    return targets, places


def _refuse_other_tenant(run: "Run", call: Call, options: Options) -> None:
    """Raise `Refused` where a step of one tenant is to be done for another."""
    tenant, other = run.pages.execution.tenant, options.get("labels", {}).get(TENANT)
    if tenant is not None and other not in (None, tenant):
        raise Refused(
            f"{call.ref} ({call.where()}): this is done for tenant {tenant}, and nothing of it can be done for tenant "
            f"{other}: do it beside, where no tenant is named yet, and leave the label out here"
        )


def _check_labels(call: Call, options: Options) -> None:
    try:
        check_labels(options.get("labels", {}))
    except ValueError as error:
        raise UsageError(f"{call.ref} ({call.where()}): {error}") from error


def _fresh(codec: Codec, call: Call, step: Step[Any]) -> tuple[Json, Step[Any]]:
    """The argument as it is recorded, and an instance of its own made from that."""
    cls = type(step)
    try:
        argument = codec.encode(step, cls)
        return argument, codec.decode(argument, cls)
    except Refused as error:
        raise Refused(f"{call.ref} ({call.where()}): {error}") from error
    except ValidationError as error:
        raise UsageError(
            f"{call.ref} ({call.where()}): {kind_of(cls)} does not accept its own fields again: {explain(error)}"
        ) from error
