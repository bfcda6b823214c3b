"""Who may do what, and what reaches what: the lines that IAM and security-group resources come to. Pure.

A plan shows the lines that a change adds and takes away apart from the resources that bring them, since they are what a
reviewer has to see. Values may be resolved, or a template's with its references, which are shown as `${Name}`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orbits_cdk.parts import Part
from orbits_iac.provider import Change, Verb

_PERMISSION = "AWS::Lambda::Permission"
_RULES = {"AWS::EC2::SecurityGroupIngress": "in", "AWS::EC2::SecurityGroupEgress": "out"}
_GROUP = "AWS::EC2::SecurityGroup"
_HOLDERS = ("Roles", "Users", "Groups")


def rights_changes(parts: Iterable[Part]) -> tuple[Change, ...]:
    """Two groups, as far as there is anything in them: what is allowed to whom, and what reaches what."""
    access: list[Change] = []
    network: list[Change] = []
    for part in parts:
        group = network if part.kind == _GROUP or part.kind in _RULES else access
        before, after = list(_lines(part, part.before)), list(_lines(part, part.after))
        removed = [line for line in before if line not in after]
        added = [line for line in after if line not in before]
        group += [_line(part, Verb.REMOVE, line) for line in dict.fromkeys(removed)]
        group += [_line(part, Verb.CREATE, line) for line in dict.fromkeys(added)]
    groups = (("who may do what", access), ("what reaches what", network))
    return tuple(Change(verb=Verb.UPDATE, ref=name, below=tuple(lines), aside=True) for name, lines in groups if lines)


def _line(part: Part, verb: Verb, line: str) -> Change:
    return Change(verb=verb, ref=part.name, kind=part.kind, detail=line, aside=True)


def _lines(part: Part, properties: Mapping[str, Any]) -> Iterator[str]:
    if part.kind == _PERMISSION and properties:
        yield _permission(properties)
        return
    if part.kind in _RULES and properties:
        yield _rule(_RULES[part.kind], properties, f" of {_shown(properties.get('GroupId'))}")
        return
    if part.kind == _GROUP:
        for name, way in (("SecurityGroupIngress", "in"), ("SecurityGroupEgress", "out")):
            yield from (_rule(way, each, "") for each in _list(properties.get(name)))
        return
    if part.kind.startswith("AWS::IAM::"):
        yield from (f"policy {_shown(each)}" for each in _list(properties.get("ManagedPolicyArns")))
    holders = ", ".join(_shown(each) for name in _HOLDERS for each in _list(properties.get(name)))
    for document in _documents(properties):
        yield from (_statement(each, holders) for each in _list(document["Statement"]))


def _documents(value: object) -> Iterator[Mapping[str, Any]]:
    """Each policy document within a value, also one that is written as JSON text."""
    if isinstance(value, str) and '"Statement"' in value:
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, Mapping):
        if "Statement" in value:
            yield value
            return
        for inner in value.values():
            yield from _documents(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _documents(inner)


def _statement(statement: Mapping[str, Any], holders: str) -> str:
    words = [str(statement.get("Effect", "Allow"))]
    words.append(_either(statement, "Action") or "nothing")
    if resource := _either(statement, "Resource"):
        words.append(f"on {resource}")
    if principal := _either(statement, "Principal"):
        words.append(f"to {principal}")
    elif holders:
        words.append(f"to {holders}")
    if statement.get("Condition"):
        words.append(f"if {_shown(statement['Condition'])}")
    return " ".join(words)


def _either(statement: Mapping[str, Any], name: str) -> str:
    """What a statement says of its actions, resources or principals, by name or by exclusion."""
    if f"Not{name}" in statement:
        return f"all but {_several(statement[f'Not{name}'])}"
    return _several(statement[name]) if name in statement else ""


def _several(value: object) -> str:
    if isinstance(value, Mapping) and not _is_reference(value):
        return ", ".join(_shown(each) for inner in value.values() for each in _list(inner))
    return ", ".join(_shown(each) for each in _list(value))


def _permission(properties: Mapping[str, Any]) -> str:
    source = f" if it comes from {_shown(properties['SourceArn'])}" if "SourceArn" in properties else ""
    return (
        f"Allow {_shown(properties.get('Action'))} on {_shown(properties.get('FunctionName'))} "
        f"to {_shown(properties.get('Principal'))}{source}"
    )


def _rule(way: str, rule: Mapping[str, Any], group: str) -> str:
    protocol = _shown(rule.get("IpProtocol", "-1"))
    first, last = rule.get("FromPort"), rule.get("ToPort")
    ports = "" if first is None else f" {_shown(first)}" if first == last else f" {_shown(first)}-{_shown(last)}"
    others = [_shown(rule[name]) for name in sorted(rule) if name.startswith(("Cidr", "Source", "Destination"))]
    traffic = "everything" if protocol == "-1" else f"{protocol.upper()}{ports}"
    return f"{way}{group}: {traffic} {'from' if way == 'in' else 'to'} {', '.join(others) or 'anywhere'}"


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _is_reference(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and all(name == "Ref" or name.startswith("Fn::") for name in value)


def _shown(value: object) -> str:
    """A value for people: a template's references by their names."""
    match value:
        case str():
            return value
        case {"Ref": str() as name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str() as text}:
            return text
        case {"Fn::Join": [str() as between, list() as parts]}:
            return between.join(_shown(part) for part in parts)
        case _:
            return json.dumps(value, sort_keys=True)
