"""A fleet's cycle: all tenants are looked at, spread over the time of the schedule; then what may be is brought back.

What always holds:
- each tenant has its place in the spread by its id, and `at_once` are looked at at a time;
- whatever happens to one tenant's look stops no other's: who could not be looked at is unchecked, with the reason;
- nothing is brought back before everybody was looked at and counted: a reader that goes wrong over the whole fleet
  brings back nobody (`verdict`).

It goes on beside roll-outs of the fleet, since it holds nothing but each tenant while that is looked at; one that is
being updated then is unchecked. Called by `Tenants.define_cycle`.
"""

import asyncio
import shlex
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from orbits_iac import Error, Every, ExecutionFailed
from orbits_iac.provider import Below, Flow, OnDrift, Refused, Selector, Stop, UsageError
from orbits_tenants.drift_policy import DriftPolicy, Verdict, in_turn, verdict

_NAMED = 10  # tenants, in an error or an event


async def look_after(
    flow: Flow,
    policy: DriftPolicy | None,
    every: Every | None,
    fleet: str,
    left: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
) -> None:
    """Look at the tenants that this cycle is about, and bring back what may be; `fleet` names it for commands.

    Without a policy all is done that the cycle was asked with. `left` says who is not to be changed now, and why; those
    who were named by their ids are changed all the same. Raises `Refused` where it is about some tenants alone,
    and one of these could not be looked at or is not brought back; else the fleet's own look says so.
    """
    asked = flow.asked_with
    by_schedule = bool(asked.get("limited"))
    if policy is None:
        policy = DriftPolicy(flow.on_drift)
    everybody = _named(await flow.standing_children())
    chosen = _chosen(everybody, asked.get("tenants") or (), asked.get("selector"))
    policies = {name: policy.of(child.labels) if by_schedule else flow.on_drift for name, child in chosen.items()}
    looks: dict[str, OnDrift] = {name: "report" if how == "report" else "notify" for name, how in policies.items()}
    seconds = policy.seconds(every) if by_schedule else 0.0
    unchecked = await _cycle(flow, chosen, looks, policy, seconds=seconds)
    labels = [child.labels for child in everybody.values() if child.tenant is not None]
    wrong = policy.unknown(labels) if by_schedule else ""
    healing = {
        name: child
        for name, child in chosen.items()
        if not wrong and policies[name] == "remediate" and name not in unchecked and not child.held
    }
    found = await flow.drifted(tuple(healing.values())) if healing else ()
    drifted = {name: things for name, things in zip(healing, found, strict=True) if things}
    named = asked.get("tenants")
    ids = await left() if left is not None and drifted and not named else {}
    alone = {name: why for name, child in chosen.items() if (why := ids.get(child.tenant or ""))}
    allowed = len(named) if named else asked.get("most")
    tenants = len({child.tenant for child in everybody.values()} - {None})
    if asked.get("selector") is not None:
        fleet = f"{fleet} -l {shlex.quote(asked['selector'])}"
    decided = verdict(drifted, tenants=tenants, policy=policy, fleet=fleet, allowed=allowed, left=alone)
    if wrong:
        decided = Verdict(stops=(Stop(about="by_label", why=f"nothing is brought back: {wrong}"),))
    if decided.brought_back:
        flow.progress(f"brings back: {', '.join(_few(decided.brought_back))}")
        with flow.scope("bring back"):
            again = {name: chosen[name] for name in decided.brought_back}
            unchecked |= await _cycle(flow, again, dict.fromkeys(again, "remediate"), policy)
    flow.progress(_said(len(chosen), drifted, decided, unchecked))
    told = [f"{name}: {why}" for name, why in unchecked.items()]
    if len(chosen) == len(everybody):
        await flow.looked(
            differences=(), unchecked=told, checked=0, stopped=[_of(stop, chosen) for stop in decided.stops]
        )
    elif told or decided.stopped:
        raise Refused("; ".join([*_few(told), *([decided.stopped] if decided.stopped else [])]))


def name_of(child: Below) -> str:
    """What a fleet calls a child: its tenant, or what it is, of what all tenants share."""
    return child.tenant or f"{child.kind} {child.identity}"


def _named(children: Iterable[Below]) -> dict[str, Below]:
    """Children by their names; what a tenant had before its stack became another stands too, and says its kind."""
    found: dict[str, Below] = {}
    for child in children:
        name = name_of(child)
        found[f"{name} {child.kind}" if name in found else name] = child
    return found


def _chosen(everybody: Mapping[str, Below], ids: Sequence[str], selector: str | None) -> dict[str, Below]:
    """Those that were asked for by their ids and labels; UsageError if one is not there."""
    for name in ids:
        if name not in everybody:
            raise UsageError(f"no tenant {name!r} stands in this fleet")
    meant = everybody
    if selector is not None:
        tenants = [child for child in everybody.values() if child.tenant is not None]
        meant = _named(Selector(selector).chosen(tenants))
    return {name: child for name, child in meant.items() if not ids or name in ids or child.tenant in ids}


async def _cycle(
    flow: Flow,
    children: Mapping[str, Below],
    how: Mapping[str, OnDrift],
    policy: DriftPolicy,
    *,
    seconds: float = 0.0,
) -> dict[str, str]:
    """Cycle each when its turn comes; who could not be, and why."""
    slots = asyncio.Semaphore(policy.at_once)
    began = flow.now()
    why: dict[str, str] = {}

    async def one(name: str) -> None:
        async with slots:
            try:
                async with asyncio.timeout(policy.longest.total_seconds()):
                    if not await flow.cycle_child(children[name], on_drift=how[name]):
                        why[name] = "something else of it was under way, or nothing of it stood any more"
            except TimeoutError:
                why[name] = f"no answer within {policy.longest}"
            except ExecutionFailed as error:
                why[name] = ": ".join([".".join(error.path[1:]), error.failure.error_type, error.failure.message])
            except Error as error:
                why[name] = str(error)

    async with asyncio.TaskGroup() as group:
        for at, names in in_turn(((name, name) for name in children), seconds):
            await asyncio.sleep(max(0.0, at - (flow.now() - began).total_seconds()))
            for name in names:
                group.create_task(one(name))
    return {name: why[name] for name in children if name in why}


def _of(stop: Stop, children: Mapping[str, Below]) -> Stop:
    """The stop with what is known of whom it is about."""
    child = children.get(stop.who)
    return stop if child is None else replace(stop, tenant=child.tenant, labels=child.labels)


def _few(texts: Sequence[str]) -> list[str]:
    """The first ones, and how many more there are."""
    more = [f"and {len(texts) - _NAMED} more"] if len(texts) > _NAMED else []
    return [*texts[:_NAMED], *more]


def _said(looked: int, drifted: Mapping[str, int], decided: Verdict, unchecked: Mapping[str, str]) -> str:
    counts = Counter(
        {
            "brought back": len(decided.brought_back),
            "drifted and left as they are": len(drifted) - len(decided.brought_back),
            "could not be looked at": len(unchecked),
        }
    )
    return ", ".join([f"{looked} were looked after", *(f"{count} {what}" for what, count in counts.items() if count)])
