"""A small DNS service over HTTP, and a client of it: the system behind a stranger's provider.

    GET    /records?zone=Z&name=N   the record, or 404
    POST   /records                 makes one; the same Idempotency-Key again answers with what it made
    PUT    /records/ID              changes value and ttl
    DELETE /records/ID

It does not mind two records of one name: a second one that a crash has led to is seen.
"""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

from orbits_iac.testing import outside

Json = Any


class DnsServer:
    """The service, on a free port of this machine."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Json]] = {}
        self.keys: dict[str, str] = {}
        self.made = 0
        self.writes = 0
        self.refuses_changes = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                given = json.loads(body) if body else {}
                status, answer = server.answer(self.command, self.path, given, self.headers.get("Idempotency-Key", ""))
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names in http.server

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Generator["DnsServer"]:
        """Serve inside the block."""
        self._thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()

    def answer(self, method: str, path: str, given: Json, key: str) -> tuple[int, Json]:
        """Carry out one request."""
        if method == "GET":
            query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
            found = [one for one in self.records.values() if one.items() >= query.items()]
            return (200, found[0]) if found else (404, {})
        self.writes += 1
        record = path.rpartition("/")[2]
        if method == "POST":
            return 200, self._make(given, key)
        if record not in self.records:
            return 404, {}
        if method == "DELETE":
            return 200, self.records.pop(record)
        if self.refuses_changes:
            return 403, {}
        self.records[record].update(given)
        return 200, self.records[record]

    def _make(self, given: Json, key: str) -> Json:
        if not key or self.keys.get(key) not in self.records:
            self.made += 1
            self.keys[key] = f"r{self.made}"
            self.records[f"r{self.made}"] = {"id": f"r{self.made}", **given}
        return self.records[self.keys[key]]

    def delete_all(self) -> None:
        """Delete the records, as somebody may who does not come this way."""
        self.records.clear()

    def snapshot(self) -> Json:
        """A copy of all that it holds."""
        return deepcopy((self.records, self.keys, self.refuses_changes))

    def restore(self, snapshot: Json) -> None:
        """Hold what was copied."""
        self.records, self.keys, self.refuses_changes = deepcopy(snapshot)


class DnsApi:
    """A client, as the service's own library would be."""

    def __init__(self, url: str) -> None:
        self._url = url

    def find(self, zone: str, name: str) -> Json:
        return self._call("GET", f"?{urlencode({'zone': zone, 'name': name})}")

    def create(self, zone: str, name: str, value: str, ttl: int, *, key: str) -> Json:
        given = {"zone": zone, "name": name, "value": value, "ttl": ttl}
        return self._call("POST", "", given, {"Idempotency-Key": key})

    def update(self, id: str, value: str, ttl: int) -> Json:  # noqa: A002 - the service's word
        return self._call("PUT", f"/{id}", {"value": value, "ttl": ttl})

    def delete(self, id: str) -> Json:  # noqa: A002 - the service's word
        return self._call("DELETE", f"/{id}")

    def _call(self, method: str, path: str, given: Json = None, headers: dict[str, str] | None = None) -> Json:
        body = None if given is None else json.dumps(given).encode()
        request = Request(f"{self._url}/records{path}", data=body, method=method, headers=headers or {})
        with outside(f"{method} /records{path}"):
            try:
                with urlopen(request) as answer:
                    return json.load(answer)
            except HTTPError as error:
                with error:
                    if error.code == 404:
                        return None
                raise
