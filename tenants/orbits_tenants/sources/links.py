"""Where the next page of a list is, by the header `Link` of an answer (RFC 8288). Pure. Called by `http`."""

import re
from collections.abc import Iterable, Iterator

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINK = re.compile(
    rf"""\s*<(?P<target>[^<>]*)>(?P<parameters>(?:\s*;\s*{_NAME}(?:\s*=\s*(?:{_NAME}|"(?:[^"\\]|\\.)*"))?)*)\s*(?:,|$)"""
)
_PARAMETER = re.compile(rf""";\s*(?P<name>{_NAME})(?:\s*=\s*(?:(?P<token>{_NAME})|"(?P<quoted>(?:[^"\\]|\\.)*)"))?""")


def next_links(headers: Iterable[str]) -> Iterator[str]:
    """The targets of all links with the relation `next`; ValueError where a header is none that can be read."""
    for header in headers:
        place = 0
        while header[place:].strip():
            found = _LINK.match(header, place)
            if found is None:
                raise ValueError(header)
            if "next" in _relations(found["parameters"]):
                yield found["target"]
            place = found.end()


def _relations(parameters: str) -> list[str]:
    """The first `rel` counts: it is a list, separated by spaces, in which case does not matter."""
    for found in _PARAMETER.finditer(parameters):
        if found["name"].lower() == "rel":
            return (found["token"] or found["quoted"] or "").lower().split()
    return []
