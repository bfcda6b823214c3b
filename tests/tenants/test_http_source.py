"""HttpSource: what it reads from a real HTTP server, and that half a list is never a shorter list."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from orbits_iac import ExecutionFailed, Orbits, Resource
from orbits_iac.provider import UsageError
from orbits_tenants import HttpSource, Listing, Rollout, Tenant, Tenants, TenantState
from orbits_tenants.sources.source import read
from tests.servers.certificates import issued
from tests.tenants.endpoints import Endpoint, endpoint

SECRET = "s3cret-canary"
BOTH = (Tenant(id="acme"), Tenant(id="bolt", labels={"plan": "large"}))
LARGE = {"id": "bolt", "labels": {"plan": "large"}}


class Lighthouse(Resource):
    """What a client has."""

    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        """Nothing, here."""


class Lighthouses(Tenants[Lighthouse]):
    rollout = Rollout(waves=["100%"])

    def stack(self, tenant: Tenant) -> Lighthouse:
        return Lighthouse(client=tenant.id)


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    with endpoint() as running:
        yield running


@pytest.fixture
def crm(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """The server, which has been told nothing yet, and which is asked directly."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server.answers, server.asked, server.headers = {}, [], []
    server.ended.clear()
    yield server
    server.ended.set()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it was waited between attempts, without the waiting."""
    waited: list[float] = []
    monkeypatch.setattr("orbits_tenants.sources.http_get.sleep", waited.append)
    return waited


def refusal(source: HttpSource) -> str:
    """What is said of a list that cannot be used."""
    with pytest.raises(UsageError) as refused:
        read(source)
    assert str(refused.value).startswith(source.name)
    assert SECRET not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        ["acme", LARGE],
        {"tenants": ["acme", LARGE]},
        {"tenants": ["acme", LARGE], "next": None, "total": 2},
        b'\xef\xbb\xbf["acme", {"id": "bolt", "labels": {"plan": "large"}}]',
    ],
)
def test_an_endpoint_lists_tenants_in_its_order(crm: Endpoint, body: Any) -> None:
    crm.says(body)
    assert read(HttpSource(crm.url)) == BOTH


def test_headers_and_the_query_are_sent_as_they_were_given(crm: Endpoint) -> None:
    crm.says(["acme"], at=f"/clients?key={SECRET}")
    source = HttpSource(
        f"{crm.url}?key={SECRET}#top", headers={"Authorization": SecretStr(f"Bearer {SECRET}"), "X-Team": "ops"}
    )
    assert source.name == crm.url
    assert [tenant.id for tenant in read(source)] == ["acme"]
    [sent] = crm.headers
    assert (sent["Authorization"], sent["X-Team"], sent["Accept"]) == (f"Bearer {SECRET}", "ops", "application/json")


def test_entries_of_another_form_are_made_tenants_by_a_function(crm: Endpoint) -> None:
    crm.says([{"slug": "acme"}, {"name": "Bolt"}])
    source = HttpSource(crm.url, entry=lambda found: found["slug"])
    assert "entry 2: " in refusal(source)
    assert "<lambda>() cannot make a tenant of it: KeyError: 'slug'" in refusal(source)


@pytest.mark.parametrize(
    "link",
    [
        '</clients?page=2>; rel="next"',
        "<clients?page=2>;rel=next",
        '</clients>; rel="first", <{origin}/clients?page=2>; title="a, \\"b\\""; rel="last NEXT"',
        '</clients>; rel="first"\n</clients?page=2>; rel="next"',
    ],
)
def test_pages_are_followed_by_the_header_link(crm: Endpoint, link: str) -> None:
    crm.says(["acme"], headers={"Link": link.format(origin=crm.origin)})
    crm.says([LARGE], at="/clients?page=2", headers={"Link": '</clients>; rel="prev"'})
    assert read(HttpSource(crm.url)) == BOTH


def test_pages_are_followed_by_next_and_counted(crm: Endpoint) -> None:
    crm.says({"tenants": ["acme"], "next": "/clients?page=2", "total": 2})
    crm.says({"tenants": [LARGE], "next": None}, at="/clients?page=2", headers={"X-Total-Count": "2"})
    assert read(HttpSource(crm.url)) == BOTH


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"tenants": [], "total": 2}, "says that there are 2 in all, and gave 1: a page is missing"),
        ({"tenants": ["bolt"], "total": 3}, "says that there are 2 and 3 in all, and gave 2"),
        ({"tenants": ["bolt", "cafe"]}, "says that there are 2 in all, and gave 3"),
        ({"tenants": ["bolt"], "total": True}, "page 2: says that there are True in all, which is no number"),
        ({"tenants": ["bolt"], "total": "2"}, "page 2: says that there are '2' in all, which is no number"),
        ({"tenants": ["bolt"], "next": "/clients"}, "page 2 leads back to a page before it: the list has no end"),
        ({"tenants": ["bolt"], "next": "/clients?page=2"}, "page 2 leads back to a page before it"),
        ({"tenants": ["bolt"], "next": 3}, "page 2: its `next` is 3, and no URL"),
        ({"tenants": ["bolt"], "next": ""}, "page 2: its `next` is '', and no URL"),
        ({"tenants": ["bolt"], "next": "/none"}, "it answered 404 Not Found: there is nothing here"),
        (
            {"tenants": ["bolt"], "next": "https://127.0.0.1/"},
            "its link to the next page leads to another origin, https",
        ),
        ({"tenants": ["bolt"], "next": "//me@127.0.0.1/"}, "its link to the next page leads to another origin"),
        ({"tenants": ["bolt"], "next": "http://[1/"}, "its link to the next page is no URL"),
        (
            {"tenants": ["bolt"], "more": True},
            "page 2: what more means is not known: there may be tenants,",
        ),
        ({"tenants": {"bolt": {}}}, "page 2: holds no list"),
        ({}, "page 2: holds no list"),
        ({"tenants": ["acme"]}, "page 2, entry 1: tenant 'acme' is there twice, first in page 1, entry 1"),
        ({"tenants": ["b/c"]}, "page 2, entry 1: tenant 'b/c': id: is 1 to 63 letters"),
        ('["bolt", "ca', "page 2, line 1: is not valid JSON, for it breaks off: Unterminated string"),
        ('["bolt",\n', "page 2, line 2: is not valid JSON, for it breaks off: Expecting value"),
        ('["bolt"] x', "page 2, line 1: is not valid JSON: Extra data"),
        (" ", "page 2, line 1: is not valid JSON"),
        ('{"tenants": ["bolt"], "tenants": []}', "page 2: the key 'tenants' is there twice in one object"),
        ("[NaN]", "page 2: NaN is no number that JSON has"),
        ("[" * 100_000, "page 2: is nested deeper than any list of tenants"),
        (b'["\xff"]', "the answer is no text in UTF-8"),
        ("<html>please sign in</html>", "it answered with a page for people, and not with JSON: <html>please sign in"),
    ],
)
def test_a_second_page_that_is_wrong_makes_the_list_unusable(crm: Endpoint, second: Any, said: str) -> None:
    crm.says({"tenants": ["acme"], "next": "/clients?page=2"}, headers={"X-Total-Count": "2"})
    crm.says(second, at="/clients?page=2")
    if "page 1" in said or "page 2, entry" in said:  # then as many as it says
        crm.answers["/clients"][0].headers.clear()
    assert said in refusal(HttpSource(crm.url))


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Link": "/clients?page=2; rel=next"}, "page 1: its header Link cannot be read"),
        ({"Link": '</clients?page=2>; rel="next'}, "page 1: its header Link cannot be read"),
        ({"Link": '<a>; rel="next", <b>; rel="next"'}, "page 1: it says two different pages to be the next one"),
        ({"X-Total-Count": "some"}, "page 1: says that there are 1 and 'some' in all, which is no number of tenants"),
        ({"X-Total-Count": "2"}, "page 1: says that there are 1 and 2 in all, which is no number of tenants"),
        ({"Content-Type": "text/html"}, "it answered with a page for people, and not with JSON"),
        ({"Content-Encoding": "gzip"}, "the answer cannot be unpacked"),
    ],
)
def test_headers_that_are_wrong_make_the_list_unusable(crm: Endpoint, headers: dict[str, str], said: str) -> None:
    crm.says({"tenants": ["acme"], "total": 1}, headers=headers)
    assert said in refusal(HttpSource(crm.url))


@pytest.mark.parametrize("status", [203, 206, 226])
def test_an_answer_that_may_be_a_part_is_none(crm: Endpoint, status: int) -> None:
    crm.says(["acme"], status=status)
    assert f"it answered {status} " in refusal(HttpSource(crm.url))


def test_an_empty_list_is_refused(crm: Endpoint) -> None:
    crm.says({"tenants": [], "total": 0})
    assert refusal(HttpSource(crm.url)) == f"{crm.url}: the list of tenants is empty: name at least one"


def test_redirects_are_followed_within_the_origin_alone(crm: Endpoint) -> None:
    secret = {"Authorization": SecretStr(SECRET)}
    crm.says("", status=308, headers={"Location": "/v2"})
    crm.says(["acme"], at="/v2", headers={"Link": '<v2?page=2>; rel="next"'})
    crm.says([LARGE], at="/v2?page=2")
    assert read(HttpSource(crm.url, headers=secret)) == BOTH
    with endpoint() as other:
        other.says(["cafe"])
        crm.says("", at="/away", status=302, headers={"Location": other.url})
        said = refusal(HttpSource(f"{crm.origin}/away", headers=secret))
        assert f"its redirect (302) leads to another origin, {other.url}" in said
        assert other.asked == []
    crm.says("", at="/round", status=307, headers={"Location": "/round"})
    assert "it redirects more than 5 times" in refusal(HttpSource(f"{crm.origin}/round"))
    crm.says("", at="/nowhere", status=301)
    assert "it answered 301 and did not say where to go" in refusal(HttpSource(f"{crm.origin}/nowhere"))


@pytest.mark.parametrize(
    "first",
    [
        {"status": 500},
        {"status": 503, "headers": {"Retry-After": "7"}},
        {"status": 429, "headers": {"Retry-After": "Sat, 01 Jan 2000 00:00:00 GMT"}},
        {"status": 502, "headers": {"Retry-After": "soon"}},
        {"body": ["acme", "bolt"], "cut": 5},
        {"body": "", "cut": 0, "headers": {"Content-Length": "30"}},
        {"body": "", "cut": 0, "headers": {"Content-Length": None}},
    ],
)
def test_what_may_pass_is_outlived(crm: Endpoint, waits: list[float], first: dict[str, Any]) -> None:
    crm.says(**{"body": "a moment", **first})
    crm.says(["acme", LARGE])
    assert read(HttpSource(crm.url)) == BOTH
    [wait] = waits
    assert wait == 7 if first.get("status") == 503 else 1 <= wait <= 1.1


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ('["acme", "bolt"]', {}),
        ('{"tenants": ["acme", "bolt"]}', {"Content-Length": None, "Connection": "close"}),
        ('b\r\n["acme", "b\r\n5\r\nolt"]\r\n0\r\n\r\n', {"Content-Length": None, "Transfer-Encoding": "chunked"}),
    ],
)
def test_an_answer_that_breaks_off_anywhere_is_never_a_shorter_list(
    crm: Endpoint, text: str, headers: dict[str, str | None]
) -> None:
    crm.says(text, headers=headers)
    assert [tenant.id for tenant in read(HttpSource(crm.url))] == ["acme", "bolt"]
    end = text.find("0\r\n\r\n") if "\r" in text else len(text)
    for cut in range(end):
        crm.answers.clear()
        crm.says(text, headers=headers, cut=cut)
        refusal(HttpSource(crm.url, attempts=1))


def test_attempts_and_time_have_an_end(crm: Endpoint, waits: list[float]) -> None:
    crm.says("the database\nis down", status=503)
    said = refusal(HttpSource(crm.url, attempts=3))
    assert said == f"{crm.url}: it answered 503 Service Unavailable: the database is down (attempt 3, the last one)"
    assert (len(crm.asked), len(waits)) == (3, 2)
    crm.says("", at="/busy", status=429, headers={"Retry-After": "3600"})
    said = refusal(HttpSource(f"{crm.origin}/busy", deadline=timedelta(minutes=5)))
    assert "(attempt 1; the next one, in 3600 s, would be past the deadline of 300 s)" in said
    later = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    crm.says("", at="/later", status=429, headers={"Retry-After": later})
    assert "would be past the deadline of 120 s)" in refusal(HttpSource(f"{crm.origin}/later"))
    assert len(waits) == 2


@pytest.mark.parametrize(
    "how", [{"silent": True}, {"drip_head": True}, {"drip": True, "headers": {"Content-Length": "1000000"}}]
)
def test_an_answer_that_does_not_come_is_not_waited_for(crm: Endpoint, how: dict[str, Any]) -> None:
    crm.says("[", **how)
    said = refusal(HttpSource(crm.url, timeout=timedelta(milliseconds=40), attempts=1))
    assert "no whole answer came within 0.04 s" in said
    assert said.endswith("(attempt 1, the last one)")


def test_pages_without_an_end_come_to_one(crm: Endpoint) -> None:
    for page in range(100):
        crm.says({"tenants": [], "next": f"/clients?{page + 1}"}, at=f"/clients?{page}")
    said = refusal(HttpSource(f"{crm.url}?0", largest=1000))
    assert said == f"{crm.url}: it is larger than 1000 bytes: raise `largest`, if that is right"
    assert "not all of it was there within 1e-06 s" in refusal(
        HttpSource(f"{crm.url}?0", deadline=timedelta(microseconds=1))
    )


def test_who_is_refused_is_told_which_headers_were_sent_and_no_secret(crm: Endpoint) -> None:
    crm.says(f"who is {SECRET}?", status=403)
    said = refusal(HttpSource(crm.url, headers={"Authorization": SecretStr(f"Bearer {SECRET}")}))
    assert said == (
        f"{crm.url}: it answered 403 Forbidden: who is ***?. Are the headers right that it was given (Authorization)?"
    )
    crm.says(f"no key {SECRET}", at=f"/clients?key={SECRET}", status=404)
    assert refusal(HttpSource(f"{crm.url}?key={SECRET}")).endswith("it answered 404 Not Found: no key ***")


def test_a_server_that_is_not_there_is_named(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("http_proxy", raising=False)
    with endpoint() as gone:
        url = gone.url
    assert "Connection refused" in refusal(HttpSource(url, attempts=2))
    assert len(waits) == 1


def test_a_certificate_has_to_be_trusted(tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = issued(tmp_path)
    with endpoint(certificates.server) as crm:
        crm.says(["acme"])
        assert "its certificate is not trusted here: " in refusal(HttpSource(crm.url))
        assert waits == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
        assert [tenant.id for tenant in read(HttpSource(crm.url))] == ["acme"]


@pytest.mark.parametrize(
    "second",
    [
        {"body": "", "status": 503},
        {"body": '{"tenants": ["bo', "cut": 15},
        {"body": {"tenants": []}},
        {"body": "<html>please sign in</html>"},
    ],
)
async def test_half_a_list_takes_nobody_from_a_fleet(
    crm: Endpoint, orbits: Orbits, monkeypatch: pytest.MonkeyPatch, second: dict[str, Any]
) -> None:
    monkeypatch.setattr(Lighthouses, "source", HttpSource(crm.url, attempts=1), raising=False)
    crm.says({"tenants": ["acme"], "next": "/clients?page=2", "total": 2})
    crm.says(["bolt"], at="/clients?page=2")
    assert list((await orbits.run(Lighthouses())).tenants) == ["acme", "bolt"]
    crm.answers["/clients?page=2"].clear()
    crm.says(**{"at": "/clients?page=2", **second})
    with pytest.raises((UsageError, ExecutionFailed), match=crm.url):
        await orbits.run(Lighthouses())
    monkeypatch.setattr(Lighthouses, "listing", Listing(on_doubt="known"))
    report = await orbits.run(Lighthouses())
    assert {id_: one.state for id_, one in report.tenants.items()} == dict.fromkeys(
        ("acme", "bolt"), TenantState.UNCHANGED
    )
    [doubt] = report.doubts
    assert doubt.startswith(f"the source could not be read: {crm.url}: ")


def test_the_proxy_of_the_environment_is_asked(crm: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", crm.origin.replace("//", "//me:word@"))
    crm.says(["acme"], at="http://crm.example/clients")
    assert [tenant.id for tenant in read(HttpSource("http://crm.example/clients"))] == ["acme"]
    assert crm.headers[0]["Proxy-Authorization"] == "Basic bWU6d29yZA=="
    monkeypatch.setenv("http_proxy", "socks5://me:word@127.0.0.1")
    with pytest.raises(UsageError, match="the environment's proxy for http cannot be used: give http://HOST:PORT"):
        read(HttpSource("http://crm.example/clients"))


def test_a_url_without_a_host_that_can_be_asked_is_refused_at_once(waits: list[float]) -> None:
    for url in ("http://a..b/clients", "http://exa%mple/clients"):
        assert "the URL names no host that can be asked: Failed to parse" in refusal(HttpSource(url))
    assert waits == []


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("ftp://crm/clients", {}, "the URL is none: give https://HOST/PATH"),
        ("https:///clients", {}, "the URL is none"),
        ("https://crm/a b", {}, "the URL is none"),
        ("https://crm:none/", {}, "the URL is none"),
        (
            f"https://me:{SECRET}@crm/clients",
            {},
            "'https://crm/clients'): take the user and the password out",
        ),
        ("https://crm", {"headers": {"X Team": "ops"}}, "'X Team' is no name of a header"),
        ("https://crm", {"headers": {"X-Key": SecretStr(f"{SECRET}\n")}}, "the value of X-Key has characters"),
        ("https://crm", {"headers": {"X-Key": f"{SECRET}\u2026"}}, "the value of X-Key has characters"),
        ("https://crm", {"attempts": 0}, "timeout, deadline, attempts and largest are above 0"),
        ("https://crm", {"timeout": timedelta(0)}, "timeout, deadline, attempts and largest are above 0"),
    ],
)
def test_what_cannot_be_asked_is_refused_without_its_secrets(url: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        HttpSource(url, **options)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "urllib3", None)
    with pytest.raises(UsageError, match=r"HttpSource needs urllib3: pip install 'orbits-iac\[tenants\]'"):
        read(HttpSource("https://crm/clients"))
