"""How a message reaches a target, and what is said of one that does not take it: never a secret, never a hang."""

import asyncio
import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest
from pydantic import SecretStr

from orbits_iac import Settings
from orbits_iac.cli import worker
from orbits_iac.model.errors import UsageError
from orbits_iac.notify.messages import Message
from orbits_iac.notify.sending import send
from orbits_iac.notify.settings import NotifySettings
from orbits_iac.notify.targets import Target, missing, targets, url_of, wrong

MESSAGE = Message(title="Lamp x has drifted", body="- `watts`: recorded `5`, live `60`", mood="warning")
PASSWORD = "pa55w0rd-of-ours"


class Hooks(ThreadingHTTPServer):
    """A server of webhooks: one that takes what it is given, one that does not, one that never answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.taken: list[dict[str, Any]] = []
        self.over = threading.Event()


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hooks = cast("Hooks", self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/silent"):
            hooks.over.wait()
        hooks.taken.append(json.loads(body))
        self.send_response(403 if self.path.startswith("/refuses") else 200)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    server = Hooks()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


async def test_what_was_found_reaches_a_webhook_and_of_one_that_does_not_take_it_is_said_why_and_nothing_secret(
    hooks: Hooks,
) -> None:
    at = f"json://orbits:{PASSWORD}@127.0.0.1:{hooks.server_port}"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        taken, refused, silent, nobody, unknown = await asyncio.gather(
            send(f"{at}/takes", MESSAGE),
            send(f"{at}/refuses/{PASSWORD}", MESSAGE),
            send(f"{at}/silent", MESSAGE, longest=1),
            send(f"json://127.0.0.1:{unused.getsockname()[1]}/hooks/{PASSWORD}", MESSAGE),
            send(f"nonsense://{PASSWORD}", MESSAGE),
        )
    assert taken is None
    received = hooks.taken[0]
    assert (received["title"], received["message"], received["type"]) == (MESSAGE.title, MESSAGE.body, MESSAGE.mood)
    assert silent == "no answer within 1 s"
    for why, said in ((refused, "error=403"), (nobody, "Connection refused"), (unknown, "no URL of apprise's")):
        assert why is not None
        assert said in why
        assert PASSWORD not in why


@pytest.mark.parametrize(
    "token",
    [
        "Zm9vYmFyc2VjcmV0/YmF6cXV4==",
        "to/ken+1 2%-whole",
        "a&b=c;d,e!f$g'h(i)*",
        "q?r#s[t]u@v:wxyz",
        "abc",
        "x/y",
        "B12",
    ],
)
async def test_nothing_of_a_token_is_said_however_a_library_writes_it(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", token)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        template = f"json://127.0.0.1:{unused.getsockname()[1]}/hooks/${{TOKEN}}"
        settings = NotifySettings(to=(SecretStr(template),))
        why = await send(url_of(settings, targets(settings)[0]), MESSAGE)
    assert why is not None
    assert "Connection refused" in why
    assert "with url: …" in why
    assert not any(form in why for form in (token, *re.split("[^a-zA-Z0-9]+", token)) if len(form) > 2)


async def test_mail_is_readable(mailbox: "Mailbox") -> None:
    url = f"mailto://127.0.0.1:{mailbox.port}?from=orbits@example.org&to=ada@example.org"
    assert await send(url, MESSAGE) is None
    assert "Subject: Lamp x has drifted" in mailbox.letter
    assert "<code>watts</code>: recorded <code>5</code>" in mailbox.letter


class Mailbox(threading.Thread):
    """As much of an SMTP server as one letter needs."""

    def __init__(self) -> None:
        super().__init__()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(30)
        self.port = self._socket.getsockname()[1]
        self.letter = ""

    def run(self) -> None:
        with self._socket, self._socket.accept()[0] as client, client.makefile("rwb") as lines:
            said = iter(lines)
            self._say(lines, "220 here")
            for line in said:
                verb = line[:4].upper()
                if verb == b"DATA":
                    self._say(lines, "354 go on")
                    letter: list[bytes] = []
                    while (part := next(said)) != b".\r\n":
                        letter.append(part)
                    self.letter = b"".join(letter).decode().replace("=\r\n", "")
                self._say(lines, "221 bye" if verb == b"QUIT" else "250 fine")
                if verb == b"QUIT":
                    return

    @staticmethod
    def _say(lines: Any, text: str) -> None:
        lines.write(f"{text}\r\n".encode())
        lines.flush()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    made.start()
    yield made
    made.join()


def test_secrets_are_put_in_where_it_is_sent_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "a/b@c")
    (tmp_path / "token").write_text("T0KEN/1\n")
    monkeypatch.setenv("WHOLE", "slack://T0KEN/1/2")
    given = (
        "mailto://me:${MAIL_PASSWORD}@example.org",
        f"json://host/${{{tmp_path}/token}}",
        "${WHOLE}",
        "x",
        "${GONE}",
    )
    settings = Settings(notify=NotifySettings(to=tuple(map(SecretStr, given))))
    there = targets(settings.notify)
    assert [str(one) for one in there] == [
        *("target 1 (mailto)", "target 2 (json)", "target 3 (${WHOLE})", "target 4 (?)", "target 5 (${GONE})")
    ]
    assert [url_of(settings.notify, one) for one in there[:3]] == [
        *("mailto://me:a%2Fb%40c@example.org", "json://host/T0KEN%2F1", "slack://T0KEN/1/2")
    ]
    assert wrong(settings.notify) == [
        "target 4 (?): it is no URL: write one as in json://host/path, or file:PATH",
        "target 5 (${GONE}): GONE is not set in the environment",
    ]
    with pytest.raises(UsageError, match="not in this place"):
        url_of(settings.notify, Target(1, "slack"))
    shown = f"{settings!r} {settings.model_dump_json()}"
    assert not [one for one in given if len(one) > 1 and one in shown]


def test_without_apprise_files_alone_are_written_to_and_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orbits_iac.notify.targets.find_spec", lambda _: None)
    assert missing(NotifySettings(to=(SecretStr("file:x"),))) is None
    why = missing(NotifySettings(to=(SecretStr("file:x"), SecretStr("json://host"))))
    assert why == "apprise is not installed: pip install 'orbits-iac[notify]'"


def test_a_worker_says_when_it_starts_whom_it_tells_and_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(notify=NotifySettings(to=(SecretStr("json://host"), SecretStr("${GONE}"))))
    assert worker._notifies(settings, as_json=False)
    monkeypatch.setattr("orbits_iac.notify.targets.find_spec", lambda _: None)
    assert not worker._notifies(settings, as_json=False)
    assert not worker._notifies(Settings(), as_json=False)
    assert [line.split("  ", 1)[1] for line in capsys.readouterr().err.splitlines()] == [
        "tells target 1 (json), target 2 (${GONE}) of problems",
        "cannot tell target 2 (${GONE}): GONE is not set in the environment",
        "tells nobody of problems: apprise is not installed: pip install 'orbits-iac[notify]'",
        "cannot tell target 2 (${GONE}): GONE is not set in the environment",
    ]
