"""The administration's client: how `OfflineAws` talks to a server, in this process or another."""

import json
from typing import Any
from urllib.parse import urlencode

import urllib3


class AdminClient:
    """Calls under `/_offline/` of one server."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=30.0)

    def get(self, path: str, **query: str) -> Any:
        """A reading call."""
        return self._call("GET", f"{path}?{urlencode(query)}", None)

    def post(self, path: str, body: object) -> Any:
        """A call with a body."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: object) -> Any:
        """A call that changes a part of something."""
        return self._call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """A call that removes something."""
        return self._call("DELETE", path, None)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _call(self, method: str, path: str, body: object) -> Any:
        content = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(method, f"{self.url}/_offline/{path}", body=content)
        except urllib3.exceptions.HTTPError as failure:
            raise ConnectionError(f"no offline AWS answers at {self.url}: {failure}") from failure
        data = json.loads(answer.data)
        if answer.status != 200:
            raise ValueError(f"the offline AWS at {self.url} refused {method} {path}: {data.get('error')}")
        return data
