"""One list got by HTTP: its requests, with limits to their time, their number and their size. Called by `http`.

What always holds: the headers, which may be secret, go to the origin of the list and nowhere else; an answer is whole
or an error, which names the list and holds nothing secret.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urldefrag, urljoin, urlsplit

from orbits_iac import Retry
from orbits_iac.provider import UsageError
from orbits_tenants.sources.http_connections import Connections

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_PIECE = 65_536  # bytes
_PORTS = {"http": 80, "https": 443}
_LONGEST = 200  # characters of what a server said
_SHORTEST_SECRET = 4  # characters: a shorter one is in many a word


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long and how often is asked, and how much is taken."""

    timeout: timedelta  # of one answer
    deadline: timedelta  # of all of them, with the waiting between them
    attempts: int  # at each request
    largest: int  # bytes, of all answers together


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer, whole."""

    url: str  # where it came from, after redirects
    text: str
    links: Sequence[str]  # its headers `Link`
    total: str | None  # its header `X-Total-Count`


class Get:
    """The requests for one list; its deadline runs from when it is made. Who makes one closes it."""

    def __init__(self, url: str, headers: Mapping[str, str], secrets: Collection[str], limits: Limits) -> None:
        """`secrets` are those of the headers' values, or of the URL, that are never to be shown."""
        self.name = shown(url)
        self._origin = origin(url)
        self._headers = {"Accept": "application/json", "User-Agent": "orbits-iac", **headers}
        self._secrets = sorted({part for one in secrets for part in (one, *one.split())}, key=len, reverse=True)
        self._limits = limits
        self._retry = Retry(attempts=limits.attempts)
        self._taken = 0
        self._connections = Connections(url, self.name)
        self._until = monotonic() + limits.deadline.total_seconds()

    def close(self) -> None:
        """Close its connections."""
        self._connections.close()

    def wrong(self, what: str) -> UsageError:
        """The error that says this of the list, without anything secret."""
        return UsageError(f"{self.name}: {self._masked(what)}")

    def within(self, url: str, link: str, what: str) -> str:
        """Where a link on an answer from `url` leads; UsageError if that is another origin, `what` being the link."""
        try:
            target = urldefrag(urljoin(url, link)).url
            inside = origin(target) == self._origin and "@" not in urlsplit(target).netloc
        except ValueError as error:
            raise self.wrong(f"{what} is no URL") from error
        if not inside:
            raise self.wrong(
                f"{what} leads to another origin, {shown(target)}, which is not to have the headers of this one: give "
                f"the source that URL, if it is the right one"
            )
        return target

    def answer(self, url: str) -> Answer:
        """What is at this URL, redirects within the origin followed; failures that may pass are outlived."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._followed(url)
            except _Passing as error:
                wait = max(self._retry.wait(attempt, random.random()), error.wait)  # noqa: S311 - it guards nothing
                if attempt >= self._retry.attempts:
                    raise self.wrong(f"{error} (attempt {attempt}, the last one)") from error
                if wait > self._until - monotonic():
                    raise self.wrong(
                        f"{error} (attempt {attempt}; the next one, in {wait:.0f} s, would be past the deadline of "
                        f"{_said(self._limits.deadline)})"
                    ) from error
                sleep(wait)

    def _followed(self, url: str) -> Answer:
        for _ in range(_MOST_REDIRECTS + 1):
            found = self._once(url)
            if isinstance(found, Answer):
                return found
            url = found
        raise self.wrong(f"it redirects more than {_MOST_REDIRECTS} times")

    def _once(self, url: str) -> Answer | str:
        """The answer to one request, or where that redirects to."""
        from urllib3.exceptions import DecodeError, HTTPError, LocationValueError, SSLError

        left = self._until - monotonic()
        if left <= 0:
            raise self.wrong(f"not all of it was there within {_said(self._limits.deadline)}")
        seconds = min(left, self._limits.timeout.total_seconds())
        until = monotonic() + seconds
        try:
            with self._connections.response(url, self._headers, seconds) as response:
                if response.status in _REDIRECTS:
                    return self._redirected(url, response)
                body = self._body(response)
        except DecodeError as error:
            raise self.wrong(f"the answer cannot be unpacked: {error}") from error
        except LocationValueError as error:
            raise self.wrong(f"the URL names no host that can be asked: {error}") from error
        except HTTPError as error:
            if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise self.wrong(f"its certificate is not trusted here: {error}") from error
            what = self._late if monotonic() >= until else "no whole answer came"
            raise _Passing(f"{what}: {error}") from error
        if monotonic() >= until:  # a head that was cut looks whole
            raise _Passing(self._late)
        return self._judged(url, response, body)

    @property
    def _late(self) -> str:
        return f"no whole answer came within {_said(self._limits.timeout)}"

    def _body(self, response: "BaseHTTPResponse") -> bytes:
        pieces: list[bytes] = []
        while piece := response.read1(_PIECE):
            self._taken += len(piece)
            if self._taken > self._limits.largest:
                raise self.wrong(f"it is larger than {self._limits.largest} bytes: raise `largest`, if that is right")
            pieces.append(piece)
        return b"".join(pieces)

    def _redirected(self, url: str, response: "BaseHTTPResponse") -> str:
        location = response.headers.get("Location")
        if location is None:
            raise self.wrong(f"it answered {response.status} and did not say where to go")
        return self.within(url, location, f"its redirect ({response.status})")

    def _judged(self, url: str, response: "BaseHTTPResponse", body: bytes) -> Answer:
        if response.status != 200:
            self._refuse(response, body)
        if not body:
            raise _Passing("it answered with nothing")
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.wrong(f"the answer is no text in UTF-8: {error}") from error
        kind = response.headers.get("Content-Type", "")
        if "html" in kind.lower() or text.lstrip().startswith("<"):
            raise self.wrong(f"it answered with a page for people, and not with JSON: {_beginning(text)}")
        headers = response.headers
        return Answer(url=url, text=text, links=headers.getlist("Link"), total=headers.get("X-Total-Count"))

    def _refuse(self, response: "BaseHTTPResponse", body: bytes) -> NoReturn:
        status = f"{response.status} {response.reason or ''}".strip()
        said = _beginning(body.decode("utf-8", "replace"))
        what = f"it answered {status}: {said}" if said else f"it answered {status}"
        if response.status == 429 or response.status >= 500:
            raise _Passing(what, wait=_seconds(response.headers.get("Retry-After")))
        if response.status in (401, 403):
            given = ", ".join(name for name in self._headers if name not in ("Accept", "User-Agent")) or "none"
            what = f"{what}. Are the headers right that it was given ({given})?"
        raise self.wrong(what)

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text


class _Passing(Exception):
    """A failure that may be over when it is asked again, at the earliest after `wait` seconds."""

    def __init__(self, what: str, *, wait: float = 0.0) -> None:
        super().__init__(what)
        self.wait = wait


def origin(url: str) -> tuple[str, str, int | None]:
    """What of a URL says whom it is asked of: scheme, host and port. ValueError for one that is none."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def shown(url: str) -> str:
    """A URL for people: without what may be secret, a user, a password and the query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _seconds(after: str | None) -> float:
    """What a header `Retry-After` asks for: seconds, or a date; 0 if it is not there, or neither."""
    if after is None:
        return 0.0
    if after.strip().isdecimal():
        return float(after)
    try:
        date = parsedate_to_datetime(after)
    except ValueError:
        return 0.0
    return max(0.0, (date.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _said(time: timedelta) -> str:
    return f"{time.total_seconds():g} s"


def _beginning(text: str) -> str:
    """The beginning of what a server said, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
