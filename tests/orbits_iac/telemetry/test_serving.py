"""The server: where it listens, what it answers, and that nobody can keep it from answering others."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from orbits_iac.model.errors import UsageError
from orbits_iac.telemetry.serving import AT_ONCE, Answer, Request, Server, address_of


def page(request: Request) -> Answer:
    """Says what it was asked for."""
    return Answer(200, "text/plain", request.accept.encode())


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), {"/page": page})
    yield made
    made.close()


def ask(server: Server, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, headers={"Accept": "this"})
        answer = connection.getresponse()
        assert answer.version == 10
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9464", ("127.0.0.1", 9464)),
        ("0", ("127.0.0.1", 0)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::]:9464", ("::", 9464)),
        ("worker.internal:1", ("worker.internal", 1)),
    ],
)
def test_an_address_is_a_port_or_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["", "localhost", ":9464", "9464:", "host:-1", "65536", "host:http", "http://a:1/x"])
def test_what_is_no_address_is_refused_with_what_one_looks_like(text: str) -> None:
    with pytest.raises(UsageError, match=r"names no address to serve at: give a port, as in 9464"):
        address_of(text)


def test_a_page_is_answered_by_get_and_head_and_what_is_none_names_those_that_are(server: Server) -> None:
    assert ask(server, "/page") == (200, b"this")
    assert ask(server, "/page?since=1") == (200, b"this")
    assert ask(server, "/page", "HEAD") == (200, b"")
    assert ask(server, "/") == (404, b"There are /page.\n")
    assert ask(server, "/page", "POST")[0] == 501


def test_a_port_that_is_taken_is_refused_with_what_to_do(server: Server) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(UsageError, match=rf"^nothing can be served at 127.0.0.1:{port}: .*\(0 for any that is free\)$"):
        Server(("127.0.0.1", port), {})


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^nothing can be served at 192.0.2.1:1: "):
        Server(("192.0.2.1", 1), {})


def test_those_who_send_nothing_keep_nobody_from_an_answer_until_there_are_too_many(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orbits_iac.telemetry.serving._Handler.timeout", 3600)
    where = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with ExitStack() as silent:
        for _ in range(AT_ONCE - 1):
            silent.enter_context(socket.create_connection(where))
        assert ask(server, "/page") == (200, b"this")
        for _ in range(3):  # the one that was answered may count still
            silent.enter_context(socket.create_connection(where))
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            ask(server, "/page")
        server.close()  # does not wait for them


def test_it_ends_with_all_its_threads(server: Server) -> None:
    assert ask(server, "/page")[0] == 200
    assert any(thread.name.startswith("orbits http") for thread in threading.enumerate())
    server.close()
    assert not any(thread.name.startswith("orbits http") for thread in threading.enumerate())
