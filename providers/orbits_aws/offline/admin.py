"""The administration over HTTP, under `/_offline/`; these requests are neither logged nor struck by faults.

    GET    /_offline/health            {"status": "ok", ...}
    POST   /_offline/reset             forget everything
    POST   /_offline/state/save        save everything: {"path": FILE}, or {} for the file of --state
    POST   /_offline/state/load        load what was saved, in place of everything: as above
    GET    /_offline/settings          the settings; PUT replaces them, PATCH changes those that it names
    GET    /_offline/faults            the rules; POST adds one (see `FaultSpec`), DELETE removes all
    DELETE /_offline/faults/ID         remove one
    GET    /_offline/calls             the log; ?service= &operation= &account= &region= &origin= &writes=1 &after=SEQ;
                                       DELETE empties it
    GET    /_offline/calls/counts      how many calls: account, service, operation; ?service= &account= &region=
    GET    /_offline/accounts?name=N   the id of the account with a name
    POST   /_offline/accounts/ID/ready it may use all services from now on
    POST   /_offline/sessions/expire   all roles' sessions end now

Bodies and answers are JSON; a refused request is answered 400 with {"error": why}, an unknown path 404.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, ValidationError

from . import moto_state
from .fault_spec import FaultSpec
from .freeze import Unfreezable
from .settings import Settings
from .wire import Environ, StartResponse, read_body

if TYPE_CHECKING:
    from .cloud import Cloud

Json = Any


class Refused(Exception):
    """A request that cannot be carried out: an HTTP status and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class StateRequest(BaseModel):
    """The body of a request to save or load the state."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = None


class Admin:
    """The WSGI application behind `/_offline/`."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        try:
            status, result = 200, self._serve(environ)
        except Refused as refused:
            status, result = refused.status, {"error": str(refused)}
        except (ValidationError, ValueError) as invalid:
            status, result = 400, {"error": str(invalid)}
        start_response(f"{status} OK", [("Content-Type", "application/json")])
        return [json.dumps(result).encode()]

    def _serve(self, environ: Environ) -> Json:
        method = str(environ["REQUEST_METHOD"])
        path = str(environ.get("PATH_INFO", "")).removeprefix("/_offline").strip("/")
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        body = read_body(environ)
        head, _, rest = path.partition("/")
        match head:
            case "health":
                return {"status": "ok", "endpoint_url": self._cloud.endpoint_url}
            case "reset" if method == "POST":
                self._cloud.reset()
                return {}
            case "state" if method == "POST" and rest in ("save", "load"):
                return self._state(rest, body)
            case "settings":
                return self._settings(method, body)
            case "faults":
                return self._faults(method, rest, body)
            case "calls":
                return self._calls(method, rest, query)
            case "accounts" | "sessions":
                return self._accounts(method, path, query)
            case _:
                raise Refused(404, f"{method} /_offline/{path} is not offered")

    def _accounts(self, method: str, path: str, query: dict[str, str]) -> Json:
        match method, path.split("/"):
            case "GET", ["accounts"]:
                return {"account": moto_state.account_named(query.get("name", ""))}
            case "POST", ["accounts", account, "ready"]:
                self._cloud.access.ready(account)
                return {}
            case "POST", ["sessions", "expire"]:
                return {"expired": self._cloud.access.expire_sessions()}
            case _:
                raise Refused(404, f"{method} /_offline/{path} is not offered")

    def _state(self, action: str, body: bytes) -> Json:
        from .state import load_file, save_file

        path = StateRequest.model_validate_json(body or b"{}").path or self._cloud.state_file
        if path is None:
            raise Refused(400, 'which file? Give {"path": FILE}, or start with --state FILE')
        try:
            (save_file if action == "save" else load_file)(self._cloud, path)
        except (OSError, Unfreezable) as failure:
            raise Refused(400, f"the state cannot be saved into {path}: {failure}") from failure
        return {"path": str(path)}

    def _settings(self, method: str, body: bytes) -> Json:
        if method in ("PUT", "PATCH"):
            before = self._cloud.settings.model_dump() if method == "PATCH" else {}
            self._cloud.configure(Settings.model_validate({**before, **json.loads(body)}))
        return self._cloud.settings.model_dump(mode="json")

    def _faults(self, method: str, rest: str, body: bytes) -> Json:
        faults = self._cloud.gateway.faults
        if method == "POST":
            return self._cloud.gateway.add_fault(FaultSpec.model_validate_json(body)).as_dict()
        if method == "DELETE" and rest:
            if not faults.remove(int(rest)):
                raise Refused(404, f"there is no fault {rest}")
        elif method == "DELETE":
            faults.clear()
        return {"faults": [rule.as_dict() for rule in faults.all()]}

    def _calls(self, method: str, rest: str, query: dict[str, str]) -> Json:
        log = self._cloud.gateway.calls
        if method == "DELETE":
            log.clear()
            return {}
        if rest == "counts":
            return log.counts(query.get("service"), account=query.get("account"), region=query.get("region"))
        calls = log.select(
            query.get("service"),
            operation=query.get("operation", "*"),
            writes=query.get("writes") in ("1", "true"),
            account=query.get("account"),
            region=query.get("region"),
            origin=query.get("origin"),
            after=int(query.get("after", "0")),
        )
        return {"calls": [call.as_dict() for call in calls]}
