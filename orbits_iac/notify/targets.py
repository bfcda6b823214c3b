"""Targets: the entries of `to`, by their place and scheme; their URLs with what `${...}` stands for; what is secret.

A URL is put together where it is sent, each time anew, so that a file with a new token counts at once. Whatever is said
of a target says its place in the list and its scheme, and never what comes after.
"""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from orbits_iac.codec.masks import Masks
from orbits_iac.model.errors import UsageError
from orbits_iac.notify.delivering import FILE, INSTALL
from orbits_iac.notify.settings import NotifySettings

_VARIABLE = re.compile(r"\$\{([^{}]+)\}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}(?=://)|file(?=:)")
_SEPARATED = re.compile(r"[/:@?&=#,]+")
_URL = r"[a-z][a-z0-9+.-]*:/\S+"
_ADDRESS = re.compile(rf"(?P<named>(?<=\burl: )\S+|(?<=\burl ){_URL})|{_URL}", re.IGNORECASE)
_HOSTS = frozenset({"form", "forms", "json", "jsons", "mailto", "mailtos", "xml", "xmls"})  # no secret is the host


class Target(NamedTuple):
    """One entry of `to`, as it is spoken of."""

    place: int  # from 1
    scheme: str  # or the `${...}` that it all comes from, or "?" for what is no URL

    def __str__(self) -> str:
        return f"target {self.place} ({self.scheme})"


def targets(settings: NotifySettings) -> tuple[Target, ...]:
    """The entries of `to`."""
    return tuple(Target(place, _scheme(one.get_secret_value())) for place, one in enumerate(settings.to, start=1))


def missing(settings: NotifySettings) -> str | None:
    """What has to be installed before any of this is sent; None if nothing has to be."""
    if all(target.scheme == FILE for target in targets(settings)) or find_spec("apprise") is not None:
        return None
    return f"apprise is not installed: {INSTALL}"


def wrong(settings: NotifySettings) -> list[str]:
    """What is known to be wrong with targets before anything is sent to them: a line for each."""
    found: list[str] = []
    for target in targets(settings):
        try:
            url_of(settings, target)
        except UsageError as error:
            found.append(f"{target}: {error}")
    return found


def url_of(settings: NotifySettings, target: Target) -> str:
    """The URL of a target; UsageError if there is none, without saying more of it than its scheme."""
    if target not in targets(settings):
        raise UsageError("it is not in this place of `to` in [notify] any more")
    template = settings.to[target.place - 1].get_secret_value()
    whole = _VARIABLE.fullmatch(template) is not None  # else what is put in stands for itself: it may hold / and @
    url = _VARIABLE.sub(lambda found: _value(found[1]) if whole else quote(_value(found[1]), safe=""), template)
    if _scheme(url) == "?":
        raise UsageError("it is no URL: write one as in json://host/path, or file:PATH")
    return url


def masks_of(url: str) -> Masks:
    """What must not be said of a URL: all of it that may be secret, in whatever form."""
    masks = Masks()
    scheme, rest = url.partition(":")[::2]
    if scheme == FILE:
        return masks
    host = urlsplit(url).netloc.rpartition("@")[2] if scheme in _HOSTS else ""
    shown = {*re.split(r"[:]", host)}
    for piece in _SEPARATED.split(rest):
        for part in (piece, unquote(piece), *_SEPARATED.split(unquote(piece))):
            if part not in shown:
                masks.know(part)
    return masks


def without_addresses(text: str) -> str:
    """A text without the URLs in it, and what is said to be one: a piece of a path may be short, and secret."""
    return _ADDRESS.sub(lambda found: "…" if found["named"] else "its URL", text)


def _scheme(template: str) -> str:
    if _VARIABLE.fullmatch(template):
        return template
    found = _SCHEME.match(template)
    return "?" if found is None else found[0].lower()


def _value(name: str) -> str:
    """What `${name}` stands for: an environment variable, or the text of a file if it is a path."""
    if "/" in name:
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the file {name} cannot be read: {type(error).__name__}") from None
    found = os.environ.get(name)
    if not found:
        raise UsageError(f"{name} is not set in the environment")
    return found
