"""Which properties a service of moto would take and forget: those whose argument its code never names.

What such a service answers is a success all the same, so the types refuse these properties, or list them as accepted
without effect. Worked out from moto's source, kept beside the handlers in `forgotten.json`, and tried by a test, so
that another moto does not change it unseen. A service that keeps whatever it is given is not judged this way.
"""

import functools
import importlib.util
import json
import re
from pathlib import Path

from botocore import xform_name

from orbits_aws.offline.cloudformation.resources import TYPES
from orbits_aws.offline.cloudformation.resources.mapped import FORGOTTEN, Mapped

_FOLDERS = {"cognito-idp": "cognitoidp", "cognito-identity": "cognitoidentity", "lambda": "awslambda"}
_KEEPS_ALL = frozenset({"cloudfront", "cognito-idp"})


@functools.cache
def _words(service: str) -> frozenset[str]:
    """The words of moto's code for a service."""
    spec = importlib.util.find_spec("moto")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("moto is not installed: install orbits-iac[offline]")
    folder = Path(spec.submodule_search_locations[0], _FOLDERS.get(service, service.replace("-", "")))
    return frozenset().union(*(re.findall(r"\w+", path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")))


def forgotten(handler: Mapped) -> list[str]:
    """The properties of a type that moto would take and forget."""
    if handler.service in _KEEPS_ALL:
        return []
    words = _words(handler.service)
    found: set[str] = set()
    for operation in (handler.creating, *handler.changing):
        for name, member in handler.members(operation, whole=True).items():
            if not words & {member, member[:1].lower() + member[1:], xform_name(member)}:
                found.add(name)
    return sorted(found)


def all_forgotten() -> dict[str, list[str]]:
    """What is forgotten, by type; types that forget nothing are left out."""
    mapped = {name: handler for name, handler in sorted(TYPES.items()) if isinstance(handler, Mapped)}
    return {name: found for name, handler in mapped.items() if (found := forgotten(handler))}


def write() -> None:
    """Write the table beside the handlers."""
    FORGOTTEN.write_text(json.dumps(all_forgotten(), indent=1) + "\n", encoding="utf-8")
