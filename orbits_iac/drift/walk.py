"""Going through two values side by side and saying where they do not mean the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orbits_iac.drift.rules import ABSENT, EMPTY, Key, Path, Rules, Unknown, applies, found, why_ignored
from orbits_iac.drift.values import is_policy, policy, same_scalar, unwrapped


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A place where two values differ, or were not compared: then `why` says why. What is ignored differs or not."""

    path: Path
    recorded: Any = ABSENT
    live: Any = ABSENT
    why: str | None = None
    ignored: bool = False


def gaps(recorded: Any, live: Any, rules: Rules, path: Path = ()) -> Iterator[Gap]:
    """Each place, at `path` or below, where the two do not mean the same or were not compared."""
    if path and (why := why_ignored(rules, path)) is not None:
        if not (_is_empty(recorded) and _is_empty(live)):
            yield Gap(path=path, recorded=recorded, live=live, why=why, ignored=True)
        return
    unknown = next((value for value in (recorded, live) if isinstance(value, Unknown)), None)
    if unknown is not None:
        yield Gap(path=path, recorded=recorded, live=live, why=unknown.why)
        return
    if _absent_or_default(recorded, live, path, rules):
        return
    if applies(rules.policies, path):
        yield from _policies(recorded, live, path)
        return
    recorded, live = unwrapped(*_with_default(recorded, live, path, rules))
    if is_policy(recorded) and is_policy(live):
        yield from _policies(recorded, live, path)
    elif _may_be(recorded, Mapping) and _may_be(live, Mapping):
        yield from _objects(recorded, live, rules, path)
    elif _may_be(recorded, list) and _may_be(live, list):
        yield from _lists(recorded, live, rules, path)
    elif recorded is ABSENT or live is ABSENT or not _same(recorded, live, path, rules):
        yield Gap(path=path, recorded=recorded, live=live)


def _absent_or_default(recorded: Any, live: Any, path: Path, rules: Rules) -> bool:
    """Whether what one side lacks is what the service takes anyway."""
    gone = [value for value in (recorded, live) if _is_empty(value)]
    if len(gone) == 2:
        return True
    if not gone:
        return False
    not_recorded = _is_empty(recorded)
    if not_recorded and applies(rules.filled, path):
        return True
    default = found(rules.defaults, path)
    there = live if not_recorded else recorded
    return default is not ABSENT and any(
        next(gaps(each, there, Rules()), None) is None
        for each in (default if isinstance(default, tuple) else (default,))
    )


def _with_default(recorded: Any, live: Any, path: Path, rules: Rules) -> tuple[Any, Any]:
    """The two values, with an object or list that is not there replaced by the service's default, if there is one."""
    default = found(rules.defaults, path)
    default = default[0] if isinstance(default, tuple) else default
    if not isinstance(default, (Mapping, list)):
        return recorded, live
    return (default if _is_empty(recorded) else recorded), (default if _is_empty(live) else live)


def _is_empty(value: Any) -> bool:
    return value is ABSENT or value in EMPTY


def _may_be(value: Any, kind: type) -> bool:
    return value is ABSENT or value is None or isinstance(value, kind)


def _same(recorded: Any, live: Any, path: Path, rules: Rules) -> bool:
    if isinstance(recorded, (Mapping, list)) or isinstance(live, (Mapping, list)):
        return False
    return same_scalar(recorded, live, path, rules)


def _objects(recorded: Any, live: Any, rules: Rules, path: Path) -> Iterator[Gap]:
    one: Mapping[str, Any] = recorded if isinstance(recorded, Mapping) else {}
    other: Mapping[str, Any] = live if isinstance(live, Mapping) else {}
    for name in dict.fromkeys(one if rules.asked else (*one, *other)):
        yield from gaps(one.get(name, ABSENT), other.get(name, ABSENT), rules, (*path, name))


def _policies(recorded: Any, live: Any, path: Path) -> Iterator[Gap]:
    unknown = next(_unknowns(recorded), None) or next(_unknowns(live), None)
    if unknown is not None:
        yield Gap(path=path, recorded=recorded, live=live, why=unknown.why)
    elif policy(recorded) != policy(live):
        yield Gap(path=path, recorded=recorded, live=live)


def _unknowns(value: Any) -> Iterator[Unknown]:
    if isinstance(value, Unknown):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _unknowns(each)
    elif isinstance(value, list):
        for each in value:
            yield from _unknowns(each)


def _lists(recorded: Any, live: Any, rules: Rules, path: Path) -> Iterator[Gap]:
    one: list[Any] = recorded if isinstance(recorded, list) else []
    other: list[Any] = live if isinstance(live, list) else []
    key = _key(one, other, rules, path)
    if key is not None:
        yield from _keyed(_by(key, one), _by(key, other), rules, path)
    elif not isinstance(recorded, list) or not isinstance(live, list):
        yield Gap(path=path, recorded=recorded, live=live)
    else:
        yield from _by_position(recorded, live, rules, path)


def _by_position(recorded: list[Any], live: list[Any], rules: Rules, path: Path) -> Iterator[Gap]:
    unknown = next(_unknowns(recorded), None) or next(_unknowns(live), None)
    if applies(rules.unordered, path):
        in_order = list(_in_order(recorded, live, rules, path)) if len(recorded) == len(live) else None
        if in_order is not None and all(gap.why is not None for gap in in_order):
            yield from in_order  # as it stands, nothing differs but what is not known
        elif unknown is not None:
            yield Gap(path=path, recorded=recorded, live=live, why=unknown.why)
        else:
            yield from _without_order(recorded, live, rules, path)
    elif len(recorded) != len(live):
        yield Gap(path=path, recorded=recorded, live=live)
    else:
        yield from _in_order(recorded, live, rules, path)


def _by(key: str, items: list[Any]) -> dict[str, Any]:
    """The items by their key, which stays in the path; of a tag, only the value is left."""
    rest = {str(item[key]): {name: value for name, value in item.items() if name != key} for item in items}
    return {name: item["Value"] if set(item) == {"Value"} else item for name, item in rest.items()}


def _keyed(one: Mapping[str, Any], other: Mapping[str, Any], rules: Rules, path: Path) -> Iterator[Gap]:
    for name in dict.fromkeys((*one, *other)):
        at = (*path, Key(name))
        here, there = one.get(name, ABSENT), other.get(name, ABSENT)
        if (name in one and name in other) or why_ignored(rules, at) is not None:
            yield from gaps(here, there, rules, at)
        else:
            yield Gap(path=at, recorded=here, live=there)


def _in_order(recorded: list[Any], live: list[Any], rules: Rules, path: Path) -> Iterator[Gap]:
    inside = [
        list(gaps(one, other, rules, (*path, index)))
        for index, (one, other) in enumerate(zip(recorded, live, strict=True))
    ]
    scalars = not any(isinstance(item, (Mapping, list)) for item in (*recorded, *live))
    if scalars and any(gap.why is None for found_here in inside for gap in found_here):
        yield Gap(path=path, recorded=recorded, live=live)  # one difference: a list of plain values is read as one
        return
    for found_here in inside:
        yield from found_here


def _key(recorded: list[Any], live: list[Any], rules: Rules, path: Path) -> str | None:
    """The field that tells the items apart, by rule or because they are tags."""
    items = (*recorded, *live)
    by_rule = found(rules.keyed, path)
    key = "Key" if by_rule is ABSENT else str(by_rule)
    if not items or not all(isinstance(item, Mapping) and isinstance(item.get(key), (str, int)) for item in items):
        return None
    if by_rule is ABSENT and not all("Value" in item for item in items):
        return None
    unique = all(len({str(item[key]) for item in each}) == len(each) for each in (recorded, live))
    return key if unique else None


def _without_order(recorded: list[Any], live: list[Any], rules: Rules, path: Path) -> Iterator[Gap]:
    """Where two lists differ whose order has no meaning: as a whole, or inside the one item that has no equal.

    Meaning the same is not transitive (nothing means the same as an empty list, and as an empty object), so whoever
    comes first may not just take the first that fits: pairs are found by augmenting paths.
    """
    fits = [
        [at for at, other in enumerate(live) if all(gap.ignored for gap in gaps(item, other, rules, (*path, 0)))]
        for item in recorded
    ]
    partner: dict[int, int] = {}
    alone = [item for item in range(len(recorded)) if not _paired(item, fits, partner, set())]
    free = [at for at in range(len(live)) if at not in partner]
    if not alone and not free:
        return
    if len(alone) == len(free) == 1 and isinstance(recorded[alone[0]], Mapping) and isinstance(live[free[0]], Mapping):
        yield from gaps(recorded[alone[0]], live[free[0]], rules, (*path, alone[0]))
    else:
        yield Gap(path=path, recorded=recorded, live=live)


def _paired(item: int, fits: list[list[int]], partner: dict[int, int], tried: set[int]) -> bool:
    """Find `item` a partner, who may have to leave another for it that has one too."""
    for at in fits[item]:
        if at in tried:
            continue
        tried.add(at)
        if at not in partner or _paired(partner[at], fits, partner, tried):
            partner[at] = item
            return True
    return False
