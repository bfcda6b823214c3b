"""AnyStack: a CloudFormation stack, wherever its template comes from: how it is deployed, looked at and removed."""

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, cast

from typing_extensions import TypeVar

from orbits_aws.clients import client, is_local, partition_of
from orbits_aws.errors import AwsUnavailable
from orbits_aws.ownership import refuse_foreign, tags_of
from orbits_aws.service_role import find_service_role
from orbits_aws.settings import aws_settings
from orbits_aws.targets import AwsTarget
from orbits_cdk.adopt import AsItIs, read_stack
from orbits_cdk.by_hand import changed_by_hand, sentence, shown_in
from orbits_cdk.cloudformation import REVIEW, find_stack
from orbits_cdk.context import NOTHING, Context
from orbits_cdk.deploy import advance
from orbits_cdk.empty import Emptied, Emptying, advance_emptying, to_empty
from orbits_cdk.errors import AssetGone, NodeEnded, StackBusy
from orbits_cdk.exports import refuse_missing_exports
from orbits_cdk.live import Looking, StackLook, Where, look_at, look_on
from orbits_cdk.naming import asset_prefix, stack_name
from orbits_cdk.outputs import read_outputs
from orbits_cdk.packing import Place
from orbits_cdk.payload import FileAsset, StackPayload
from orbits_cdk.plan import change_of
from orbits_cdk.polling import Poller, poller_of
from orbits_cdk.remediation import can_be_brought_back, healed, shown, why_left
from orbits_cdk.remove import Removed, Removing, Unwanted, advance_removal
from orbits_cdk.stateful import data_in
from orbits_cdk.upload import Store, Uploaded, upload
from orbits_cdk.wanted import Deployed, Terms, Underway, Wanted, Withheld, request_token
from orbits_iac import InProgress, Outputs, Resource, Retry, Revision, Step, command
from orbits_iac.provider import Change, Difference, Refused, Verb, hook, kind_of, result_type

O = TypeVar("O", bound=Outputs | None, default=None)

_AGAIN = Retry(attempts=4, delay=timedelta(seconds=1), factor=3, on=(AwsUnavailable, NodeEnded, StackBusy))
_PHASES = 4  # begin, prepared, executing, and one look: as far as a call can come without waiting


class AnyStack(Resource[O]):
    """A stack of an AWS account. What it is made from is its subclasses' to say, in `synthesise`.

    Its template is kept with each revision, so that it can be brought back, and compared with what is live, without
    the code that made it. It is deployed with change sets; one that is as it should be is not written to.
    """

    empty_on_uninstall: ClassVar[bool] = False
    """Whether an uninstall empties the stack's buckets, and deletes the log groups that its functions have made.

    Without it CloudFormation deletes no bucket that holds anything. What the template says is to stay is left alone.
    """

    def stack_name(self) -> str:
        """What the stack is called: by default after project and record, or as the one that was imported is called.

        Name one that is there already to adopt it.
        """
        if self.execution.called:
            return self.execution.called
        record = self.execution.record
        if record is None:
            raise Refused(f"{kind_of(type(self))} has no record: it can only be done as a Resource, with `do` or `run`")
        return stack_name(self.execution.project, record)

    async def define_update(self) -> O:
        """Synthesise, and deploy if anything is otherwise than it should be."""
        standing = self.execution.revision
        payload = self._kept_as_adopted(await self._synthesised(), standing)
        await self.execution.keep(payload)
        for warning in payload.warnings:
            self.execution.progress(warning)
        if payload.imports:
            await self.do("imports", hook(self.find_imports, payload, returns=type(None), idempotent=True))
        if payload.objects():
            there = [] if standing is None else list(standing.payload(StackPayload).objects())
            await self.do("assets", self._upload(self.upload, payload, there, standing is None))
        return await self._deployed(payload)

    async def define_adopt(self) -> O | None:
        """What is deployed of it: template, parameters and tags as they are, and the outputs that it will have."""
        return await self._read_as_it_is(ours=False)

    async def define_rebuild(self) -> O:
        """What is deployed of it and tagged as its own."""
        return cast("O", await self._read_as_it_is(ours=True))

    async def define_rollback(self, to: Revision[O]) -> O:
        """Deploy the template that the revision kept; its files are looked for before anything else is done."""
        payload = to.payload(StackPayload)
        if payload.objects():
            await self.do("assets", self._upload(self.upload_again, payload))
        return await self._deployed(payload)

    async def define_cycle(self) -> None:
        """Compare the kept template with what is live, and bring that back if it is asked for."""
        revision = self.execution.revision
        if revision is None:
            return
        payload = revision.payload(StackPayload)
        published = revision.outputs.model_dump(mode="json") if isinstance(revision.outputs, Outputs) else {}
        look = hook(
            self.look,
            payload,
            published,
            returns=StackLook,
            handle=Looking,
            watch=self.looking,
            idempotent=True,
            retry=_AGAIN,
        )
        found: StackLook = await self.do("look", look)
        drifted = await self._looked(found)
        if not can_be_brought_back(drifted):
            return
        if payload.objects():
            await self.do("assets", self._upload(self.upload_again, payload))
        done = await self.do("revert", self._change("revert", payload, shown(drifted)))
        if isinstance(done, Withheld):
            await self._looked(found, left="; ".join(loss.why for loss in done.losses))
            return
        again: StackLook = await self.do("look again", look)
        await self._looked(healed(found, again), left=why_left(drifted, again))

    def define_inventory(self, revision: Revision[O]) -> Step[str | None]:
        """One look for the stack that the revision deployed."""
        return self.look_for_remains(revision.payload(StackPayload).stack_name)

    @command
    async def look_for_remains(self, name: str) -> str | None:
        """Whether the stack of this name is there; None if it is gone."""
        found: str | None = await self.do("look", hook(self.left_of, name, returns=str | None, idempotent=True))
        return found

    @classmethod
    def data_in(cls, revision: Revision[O]) -> tuple[str, ...]:
        """The resources of the kept template that hold data and are not retained."""
        return data_in(revision.payload(StackPayload).template, emptied=cls.empty_on_uninstall)

    async def define_uninstall(self) -> None:
        """Delete the stack; what its template says is to stay is named."""
        revision = self.execution.revision
        name = self.stack_name() if revision is None else revision.payload(StackPayload).stack_name
        if self.empty_on_uninstall:
            empty = hook(self.empty, name, returns=Emptied, handle=Emptying, watch=self.emptying, idempotent=True)
            await self.do("empty", empty)
        remove = hook(self.remove, name, returns=Removed, handle=Removing, watch=self.removing, idempotent=True)
        removed: Removed = await self.do("remove", remove)
        self.execution.leaves(*removed.kept)

    def define_preview(self, revision: Revision[O] | None) -> Change:
        """What deploying would change, by reading and by a change set of which nothing is left."""
        payload = self._kept_as_adopted(self.synthesise(_context_of(revision)), revision)
        wanted = replace(self._wanted(payload, preview=True), known=revision is None or revision.number == 0)
        agreed = revision is not None or bool(self.execution.called)
        change = change_of(self._aws("cloudformation"), wanted, kind_of(type(self)), agreed=agreed)
        writes = {part.ref for part in change.below if part.verb in {Verb.UPDATE, Verb.REPLACE}}
        change = shown_in(change, changed_by_hand(self._aws, payload.stack_name, self._where(), writes))
        said = "; ".join(filter(None, (change.detail, payload.remarks)))
        return replace(
            change, detail=said, called=payload.stack_name, places=(self.execution.target(AwsTarget).place(),)
        )

    # What touches the world: each runs as an Action of its own.

    def synthesise(self, kept: Context = NOTHING) -> StackPayload:
        """The template, its outputs and its files, staged on this machine; may be called again at any time.

        `kept` is what was looked up in the account for the standing revision.
        """
        raise NotImplementedError(f"{type(self).__name__} has no synthesise()")

    def find_imports(self, payload: StackPayload) -> None:
        """Raise Refused where another stack of the same app exports what this one needs, and is not there yet."""
        refuse_missing_exports(self._aws("cloudformation"), payload, self._place())

    def upload(
        self,
        payload: StackPayload,
        standing: list[FileAsset],
        first: bool,  # noqa: FBT001 - a recorded argument
    ) -> Uploaded:
        """See to it that the files of the template are in the account's bucket; for the `first` time, if it is ours."""
        stack = find_stack(self._aws("cloudformation"), payload.stack_name) if first else None
        if stack is not None and (stack.status != REVIEW or stack.tags):
            refuse_foreign(f"The stack {stack.name} in {self._place()}", stack.tags, self._tags())
        try:
            return upload(self._bucket(), payload, standing, self.execution.progress)
        except AssetGone:  # not staged on this machine, or no longer: they are made again from the code
            again = self.synthesise(payload.context)
            if again.template != payload.template:
                raise
        return upload(self._bucket(), payload, standing, self.execution.progress)

    def upload_again(self, payload: StackPayload) -> Uploaded:
        """See to it that the files of an earlier template are still there."""
        return upload(self._bucket(), payload, payload.objects(), self.execution.progress)

    def read_as_it_is(self, payload: StackPayload, ours: bool) -> AsItIs | None:  # noqa: FBT001 - a recorded argument
        """What is deployed of the stack that `payload` is for."""
        return read_stack(self._aws, payload, self._where(), self._tags(), ours=ours)

    def deploy(self, payload: StackPayload, terms: Terms) -> Deployed | Withheld | InProgress[Underway]:
        """Begin to bring the stack to the template, unless it is there."""
        return self.deploying(Underway(), payload, terms)

    def deploying(
        self, underway: Underway, payload: StackPayload, terms: Terms, /
    ) -> Deployed | Withheld | InProgress[Underway]:
        """Go on with it."""
        return self._advance(payload, underway, terms)

    def revert(self, payload: StackPayload, places: list[str]) -> Deployed | Withheld | InProgress[Underway]:
        """Begin to bring what is live at these places back to the template, which did not change; or nothing at all."""
        return self.reverting(Underway(), payload, places)

    def reverting(
        self, underway: Underway, payload: StackPayload, places: list[str], /
    ) -> Deployed | Withheld | InProgress[Underway]:
        """Go on with it."""
        return self._advance(payload, underway, reverts=frozenset(places))

    def look(self, payload: StackPayload, published: dict[str, Any]) -> StackLook | InProgress[Looking]:
        """Read what is live and compare it."""
        found = look_at(self._aws, payload, self._where(), published)
        return self.looking(found) if isinstance(found, Looking) else found

    def looking(self, looking: Looking, /) -> StackLook | InProgress[Looking]:
        """Look whether CloudFormation has found out what nothing else can read."""
        found = look_on(self._aws, looking)
        return InProgress(found, poll=_poll()) if isinstance(found, Looking) else found

    def left_of(self, name: str) -> str | None:
        """What there is of the stack, for people; None if it is gone."""
        found = find_stack(self._aws("cloudformation"), name)
        return None if found is None else f"the stack {found.name} is {found.status}"

    def empty(self, name: str) -> Emptied | InProgress[Emptying]:
        """Begin to empty what the stack would not be deleted with."""
        return self.emptying(to_empty(self._aws("cloudformation"), name, self._place(), self._tags()))

    def emptying(self, emptying: Emptying, /) -> Emptied | InProgress[Emptying]:
        """Go on with it."""
        result = advance_emptying(self._aws, emptying, self.execution.progress)
        return InProgress(result, poll=timedelta(0)) if isinstance(result, Emptying) else result

    def remove(self, name: str) -> Removed | InProgress[Removing]:
        """Begin to delete the stack."""
        return self.removing(Removing(), name)

    def removing(self, removing: Removing, name: str, /) -> Removed | InProgress[Removing]:
        """Look whether it is deleted."""
        execution = self.execution
        token = request_token(execution.token, execution.attempt)
        unwanted = Unwanted(
            stack=name,
            place=self._place(),
            tags=self._tags(),
            token=token,
            watch=self._watch,
            role=partial(_service_role, self._aws),
        )
        result = advance_removal(self._aws("cloudformation"), unwanted, removing, execution.progress)
        if isinstance(result, Removing) and result != removing:
            result = advance_removal(self._aws("cloudformation"), unwanted, result, execution.progress)
        return InProgress(result, poll=_poll()) if isinstance(result, Removing) else result

    # What the above have in common.

    def _kept_as_adopted(self, payload: StackPayload, revision: Revision[O] | None) -> StackPayload:
        """The payload with the tags that an adopted stack keeps; refused where it would be another stack."""
        if revision is None:
            return payload
        standing = revision.payload(StackPayload)
        if standing.stack_name != payload.stack_name:
            raise Refused(
                f"The stack {standing.stack_name} cannot be renamed to {payload.stack_name}: keep its name, or "
                f"uninstall it first"
            )
        return payload.model_copy(update={"kept_tags": standing.kept_tags})

    async def _synthesised(self) -> StackPayload:
        kept = _context_of(self.execution.revision)
        synthesise = hook(self.synthesise, kept, returns=StackPayload, idempotent=True, retry=_AGAIN)
        return cast("StackPayload", await self.do("synth", synthesise))

    async def _read_as_it_is(self, *, ours: bool) -> O | None:
        payload = await self._synthesised()
        read = hook(self.read_as_it_is, payload, ours, returns=AsItIs | None, idempotent=True, retry=_AGAIN)
        found: AsItIs | None = await self.do("read", read)
        if found is None:
            return None
        await self.execution.keep(found.payload)
        return cast("O", read_outputs(found.payload, found.outputs, result_type(type(self))))

    async def _deployed(self, payload: StackPayload) -> O:
        standing = self.execution.revision
        terms = Terms(known=standing is not None and standing.number == 0)
        done: Deployed | Withheld = await self.do("deploy", self._change("deploy", payload, terms))
        if isinstance(done, Withheld):
            for loss in done.losses:
                self.execution.allow_loss(loss.why, part=loss.resource)
            terms = terms.model_copy(update={"accepted": tuple(loss.resource for loss in done.losses)})
            done = await self.do("deploy with losses", self._change("deploy", payload, terms))
        if isinstance(done, Withheld):
            raise Refused(f"more would be lost than was accepted: {'; '.join(loss.why for loss in done.losses)}")
        for each in done.by_hand:
            self.execution.progress(each)
        return cast("O", read_outputs(payload, done.outputs, result_type(type(self))))

    def _upload(self, main: Any, *arguments: Any) -> Any:
        return hook(main, *arguments, returns=Uploaded, idempotent=True, retry=_AGAIN)

    def _bucket(self) -> Store:
        target = self.execution.target(AwsTarget)
        partition = partition_of(target.region)
        return Store(s3=self._aws("s3"), account=target.account, region=target.region, partition=partition)

    def _synthesised_for(self) -> Place:
        target = self.execution.target(AwsTarget)
        return Place(
            kind=kind_of(type(self)),
            stack_name=self.stack_name(),
            account=target.account,
            region=target.region,
            prefix=asset_prefix(self.execution.project),
        )

    def _change(self, name: str, *arguments: Any) -> Any:
        main, watch = (self.deploy, self.deploying) if name == "deploy" else (self.revert, self.reverting)
        returns: Any = Deployed | Withheld
        return hook(main, *arguments, returns=returns, handle=Underway, watch=watch, idempotent=True, retry=_AGAIN)

    async def _looked(self, found: StackLook, *, left: str = "") -> Sequence[Difference]:
        return await self.execution.looked(
            differences=found.differences,
            unchecked=found.unchecked,
            ignored=found.ignored,
            checked=found.checked,
            error=f"the stack is {found.busy}" if found.busy else None,
            left=left,
        )

    def _advance(
        self,
        payload: StackPayload,
        underway: Underway,
        terms: Terms | None = None,
        *,
        reverts: frozenset[str] | None = None,
    ) -> Deployed | Withheld | InProgress[Underway]:
        cfn = self._aws("cloudformation")
        terms = terms or Terms(known=not payload.ours)
        wanted = replace(self._wanted(payload), accepted=frozenset(terms.accepted), known=terms.known, reverts=reverts)
        may_read = partial(self._poller().may_read_events, now=self.execution.now().timestamp())
        wanted = replace(wanted, watch=self._watch, may_read_events=may_read)
        for _ in range(_PHASES):
            result = advance(cfn, wanted, underway, self.execution.progress)
            if not isinstance(result, Underway):
                return result
            again = result.phase != underway.phase
            underway = result
            if not again:
                break
        return InProgress(underway, poll=_poll())

    def _wanted(self, payload: StackPayload, *, preview: bool = False) -> Wanted:
        execution, owner = self.execution, self._tags()
        large = payload.large()
        return Wanted(
            stack=payload.stack_name,
            place=self._place(),
            template=payload.template,
            parameters=payload.parameters,
            tags={**payload.kept_tags, **payload.tags, **owner} if payload.ours else payload.kept_tags,
            owner=owner,
            token="" if preview else execution.token,
            attempt=1 if preview else execution.attempt,
            template_url="" if large is None else self._bucket().url(large.key),
            role=partial(_service_role, self._aws),
            by_hand=partial(self._by_hand, payload.stack_name),
        )

    def _by_hand(self, stack_name: str, writes: Collection[str]) -> tuple[str, ...]:
        """What was changed by hand of the resources that an update is about to write, for people."""
        return tuple(map(sentence, changed_by_hand(self._aws, stack_name, self._where(), writes)))

    def _watch(self, stack_id: str) -> str | None:
        """The state of a stack that is surely in progress, asked for together with all others of the account."""
        now, interval = self.execution.now().timestamp(), _poll().total_seconds()
        return self._poller().in_progress(self._aws("cloudformation"), stack_id, now, interval)

    def _where(self) -> Where:
        target = self.execution.target(AwsTarget)
        return Where(account=target.account, region=target.region, partition=partition_of(target.region))

    def _aws(self, service: str) -> Any:
        return client(service, self.execution.target(AwsTarget))

    def _poller(self) -> Poller:
        target = self.execution.target(AwsTarget)
        return poller_of(os.environ.get("AWS_ENDPOINT_URL", ""), target.account, target.region, target.role)

    def _place(self) -> str:
        target = self.execution.target(AwsTarget)
        return f"{target.account} ({target.region})"

    def _tags(self) -> dict[str, str]:
        return tags_of(self.execution)


def _context_of(revision: Revision[Any] | None) -> Context:
    return NOTHING if revision is None else revision.payload(StackPayload).context


def _service_role(aws: Any) -> str | None:
    return find_service_role(aws("iam"), aws_settings())


def _poll() -> timedelta:
    return timedelta(seconds=0.2 if is_local() else 5)
