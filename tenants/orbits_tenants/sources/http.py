"""Tenants from an HTTP endpoint that answers with JSON, page by page."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urldefrag, urlsplit

from pydantic import SecretStr

from orbits_iac.provider import UsageError
from orbits_tenants.sources.entries import MadeOf, made, refuse_empty, tenants_of
from orbits_tenants.sources.http_get import Answer, Get, Limits, shown
from orbits_tenants.sources.json_text import Wrong, json_of
from orbits_tenants.sources.links import next_links
from orbits_tenants.sources.source import Source
from orbits_tenants.tenant import Tenant

_KNOWN = ("tenants", "next", "total")


@dataclass(frozen=True, kw_only=True)
class _Page:
    """A page of the list."""

    entries: list[Any]
    next: str | None  # where the page after it is
    total: int | None  # how many there are on all pages, if it is said


class HttpSource(Source):
    """Tenants from an HTTP endpoint: a JSON list of ids or of tenants' fields, alone or as `tenants`, in its order.

    More pages are found by a header `Link` with the relation `next` (RFC 8288), or by `next` beside `tenants`; they,
    and redirects, have to be of the same origin: scheme, host and port. An endpoint that says how many there are, by
    the header `X-Total-Count` or by `total` beside `tenants`, has to give as many. Half a list is an error, and never
    a shorter list.

    `headers` go with each request; those that are `SecretStr` are never shown, and neither is the URL's query. `entry`
    makes the fields, or the id, of entries that are made otherwise. `timeout` is that of one answer, `deadline` that
    of all together. What may pass (429, 5xx, a connection that breaks) is tried again, `attempts` times in all, after
    the time that the endpoint asks for (`Retry-After`); `largest` is how many bytes all pages may have. Proxies are
    those of the environment. Needs `orbits-iac[tenants]`.

    Raises UsageError for a URL or a header that is none.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str | SecretStr] | None = None,
        entry: MadeOf | None = None,
        timeout: timedelta = timedelta(seconds=30),
        deadline: timedelta = timedelta(minutes=2),
        attempts: int = 4,
        largest: int = 64 * 1024 * 1024,
    ) -> None:
        self._url = _checked(url)
        self._headers = {name: _plain(name, value) for name, value in (headers or {}).items()}
        secret = [_text(value) for value in (headers or {}).values() if isinstance(value, SecretStr)]
        query = urlsplit(url).query
        asked = [*(value for _, value in parse_qsl(query)), *(part.partition("=")[2] for part in query.split("&"))]
        self._secrets = {*secret, *asked}
        self._entry = entry
        if min(timeout, deadline) <= timedelta(0) or attempts < 1 or largest < 1:
            raise UsageError(f"HttpSource({self.name!r}): timeout, deadline, attempts and largest are above 0")
        self._limits = Limits(timeout=timeout, deadline=deadline, attempts=attempts, largest=largest)

    @property
    def name(self) -> str:
        """The URL without its query."""
        return shown(self._url)

    def read(self) -> Sequence[Tenant]:
        """The tenants in the endpoint's order; UsageError names the page, the entry and the field of what is wrong."""
        with closing(Get(self._url, self._headers, self._secrets, self._limits)) as get:
            pages = list(self._pages(get))
            _refuse_wrong_count(get, pages)
        return refuse_empty(self.name, tenants_of(self.name, self._entries(pages)))

    def _pages(self, get: Get) -> Iterator[_Page]:
        url: str | None = self._url
        seen: set[str] = set()
        while url is not None:
            if url in seen:
                raise get.wrong(f"page {len(seen)} leads back to a page before it: the list has no end")
            seen.add(url)
            page = _page(get, get.answer(url), len(seen))
            yield page
            url = page.next

    def _entries(self, pages: list[_Page]) -> Iterator[tuple[str, Any]]:
        for number, page in enumerate(pages, start=1):
            on = f"page {number}, " if len(pages) > 1 else ""
            for entry, value in enumerate(page.entries, start=1):
                place = f"{on}entry {entry}"
                yield place, made(f"{self.name}, {place}", value, self._entry)


def _page(get: Get, answer: Answer, number: int) -> _Page:
    """The page that an answer is; UsageError names it where it is none."""

    def wrong(where: str, what: str) -> UsageError:
        return get.wrong(f"page {number}{where}: {what}")

    found = json_of(answer.text, wrong)
    beside: dict[str, Any] = {}
    if isinstance(found, dict):
        if unknown := [key for key in found if key not in _KNOWN]:
            raise wrong("", f"what {', '.join(unknown)} means is not known: there may be {', '.join(_KNOWN)}")
        beside, found = found, found.get("tenants")
    if not isinstance(found, list):
        raise wrong("", "holds no list: the tenants have to be a list, alone or as `tenants`")
    return _Page(entries=found, next=_next(get, answer, beside, wrong), total=_total(answer, beside, wrong))


def _next(get: Get, answer: Answer, beside: Mapping[str, Any], wrong: Wrong) -> str | None:
    try:
        links = list(next_links(answer.links))
    except ValueError as error:
        raise wrong("", f"its header Link cannot be read: {error}") from error
    if (link := beside.get("next")) is not None:
        if not isinstance(link, str) or not link:
            raise wrong("", f"its `next` is {link!r}, and no URL")
        links.append(link)
    targets = {get.within(answer.url, link, "its link to the next page") for link in links}
    if len(targets) > 1:
        raise wrong("", "it says two different pages to be the next one")
    return next(iter(targets), None)


def _total(answer: Answer, beside: Mapping[str, Any], wrong: Wrong) -> int | None:
    said = [beside["total"]] if beside.get("total") is not None else []
    if answer.total is not None:
        said.append(int(answer.total) if answer.total.strip().isdecimal() else answer.total)
    if any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for one in said) or len(set(said)) > 1:
        raise wrong("", f"says that there are {' and '.join(map(repr, said))} in all, which is no number of tenants")
    return said[0] if said else None


def _refuse_wrong_count(get: Get, pages: list[_Page]) -> None:
    there = sum(len(page.entries) for page in pages)
    said = {page.total for page in pages if page.total is not None}
    if said and said != {there}:
        counts = " and ".join(map(str, sorted(said)))
        raise get.wrong(
            f"says that there are {counts} in all, and gave {there}: a page is missing, or the list was changed while "
            f"it was read; try again"
        )


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
        parts = urlsplit("")
    if not fits or any(character <= " " or character == "\x7f" for character in url):
        raise UsageError("HttpSource(...): the URL is none: give https://HOST/PATH")
    if "@" in parts.netloc:
        raise UsageError(
            f"HttpSource({shown(url)!r}): take the user and the password out of the URL, and give them as a header: "
            f'headers={{"Authorization": SecretStr(...)}}'
        )
    return urldefrag(url).url


def _plain(name: str, value: str | SecretStr) -> str:
    """A header's value, which is shown to nobody, where it is one."""
    text = _text(value)
    if not name or not name.isascii() or any(character <= " " or character in ':"(),/' for character in name):
        raise UsageError(f"HttpSource(headers=...): {name!r} is no name of a header")
    if not text.isascii() or not text.isprintable():
        raise UsageError(f"HttpSource(headers=...): the value of {name} has characters that no header may have")
    return text


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
