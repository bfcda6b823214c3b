"""The Python face of the offline AWS, for tests: in this process, or attached to one that runs as a program.

One runs in a process at a time, because moto keeps its state in the process; starting one forgets what an earlier one
held. All methods work by HTTP when attached, with the same results.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack, cast

from .admin_client import AdminClient
from .calls import Call
from .fault_requests import FaultsByRequest
from .settings import Changes

if TYPE_CHECKING:
    from .cloud import Cloud

DEFAULT_REGION = "eu-west-1"


class OfflineAws(FaultsByRequest):
    """An AWS that runs on this machine; `with OfflineAws() as aws:` starts and stops one in this process."""

    _running: ClassVar["OfflineAws | None"] = None
    _lock: ClassVar[Lock] = Lock()

    def __init__(self, *, port: int = 0, region: str = DEFAULT_REGION) -> None:
        """Prepare one for this process; `port` 0 takes a free one, `region` is that of `client`."""
        self._port, self._region = port, region
        self._server: Any = None
        self._admin: AdminClient | None = None
        self._clients: dict[tuple[str, str, str], Any] = {}

    @classmethod
    def attach(cls, url: str, *, region: str = DEFAULT_REGION) -> Self:
        """One that runs elsewhere, by its endpoint URL. Raises ConnectionError if nothing answers there."""
        aws = cls(region=region)
        aws._admin = AdminClient(url)
        aws._admin.get("health")
        return aws

    def start(self) -> Self:
        """Start in this process, empty. Raises RuntimeError if another one is running in it."""
        from .cloud import Cloud
        from .server import Server

        with OfflineAws._lock:
            if OfflineAws._running is not None:
                raise RuntimeError("an OfflineAws is running in this process already: stop it or use it")
            cloud = Cloud()
            cloud.reset()
            self._server = Server(cloud, self._port).start()
            self._admin = AdminClient(self._server.endpoint_url)
            OfflineAws._running = self
        return self

    def stop(self) -> None:
        """Stop, or let go of the one attached to; nothing happens if it does not run."""
        with OfflineAws._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
            if self._server is not None:
                self._server.stop()
                OfflineAws._running = None
            if self._admin is not None:
                self._admin.close()
            self._server = self._admin = None

    def __enter__(self) -> Self:
        """Start, unless it is attached."""
        return self if self._admin is not None else self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @property
    def endpoint_url(self) -> str:
        """Where it listens, for `AWS_ENDPOINT_URL` or `endpoint_url=`."""
        return self._http.url

    def reset(self) -> None:
        """Forget everything: resources, accounts, stacks, faults, calls, settings."""
        self._http.post("reset", {})

    def snapshot(self) -> bytes:
        """All that is in it, as bytes for `restore`, the log of calls apart. Raises RuntimeError for one elsewhere."""
        from .state import dump

        return dump(self._in_this_process())

    def restore(self, saved: bytes) -> None:
        """Let it hold what `snapshot` gave, and nothing else. Raises RuntimeError for one elsewhere."""
        from .state import load

        load(self._in_this_process(), saved)

    def save(self, path: Path | str) -> None:
        """Save all that is in it into a file, the log of calls apart; one that runs elsewhere writes it there."""
        self._http.post("state/save", {"path": str(Path(path).absolute())})

    def load(self, path: Path | str) -> None:
        """Let it hold what `save` wrote, and nothing else. Raises ValueError for a damaged file, or another version's.

        A file can run code when it is loaded, as any pickle can: load only what you saved.
        """
        self._http.post("state/load", {"path": str(Path(path).absolute())})

    def settings(self, **changes: Unpack[Changes]) -> None:
        """Change how it behaves; what is not named stays as it is. `Settings` says what there is.

        For example, `polls` DescribeStacks show a stack operation as going on before its end is shown.
        """
        self._http.patch("settings", changes)

    def expire_sessions(self) -> None:
        """Let all sessions of roles end now: calls with their keys are refused as expired."""
        self._http.post("sessions/expire", {})

    def ready(self, account: str) -> None:
        """Let an account, by id or name, use the services for which the setting `unready` lets it wait."""
        self._http.post(f"accounts/{self.account(account)}/ready", {})

    def client(self, service: str, *, account: str, region: str | None = None) -> Any:
        """A boto3 client acting in an account, given by its id or by its name in the organization.

        Raises LookupError if no account has the name.
        """
        account_id = self.account(account)
        key = (service, account_id, region or self._region)
        with OfflineAws._lock:
            if key not in self._clients:
                self._clients[key] = self._make(*key)
            return self._clients[key]

    def _make(self, service: str, account_id: str, region: str) -> Any:
        import boto3
        from botocore.config import Config

        return cast("Any", boto3).client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=account_id,
            aws_secret_access_key="offline",  # noqa: S106 - nothing checks it
            config=Config(retries={"mode": "standard", "total_max_attempts": 2}),
        )

    def account(self, name: str) -> str:
        """The id of an account, given by its name in the organization or by the id itself. Raises LookupError."""
        if len(name) == 12 and name.isdigit():
            return name
        found = self._http.get("accounts", name=name)["account"]
        if found is None:
            raise LookupError(f"no account of the organization in the offline AWS is called {name}")
        return str(found)

    def calls(
        self,
        service: str | None = None,
        *,
        operation: str = "*",
        writes: bool = False,
        account: str | None = None,
        region: str | None = None,
        origin: str | None = None,
    ) -> Sequence[Call]:
        """The calls so far, oldest first; each is a string such as `s3:PutBucketTagging`.

        `writes` selects those that change something, by the verb of the operation; `account` is an id or a name,
        `operation` may have wildcards.
        """
        query = {"service": service, "origin": origin, "region": region, "account": account and self.account(account)}
        given = {name: value for name, value in query.items() if value is not None}
        answer = self._http.get("calls", writes="1" if writes else "0", operation=operation, **given)
        return [Call.from_dict(call) for call in answer["calls"]]

    def counts(
        self, service: str | None = None, *, account: str | None = None, region: str | None = None
    ) -> dict[str, dict[str, dict[str, int]]]:
        """How many calls there were: account id, then service, then operation."""
        query = {"service": service, "region": region, "account": account and self.account(account)}
        given = {name: value for name, value in query.items() if value is not None}
        return cast("dict[str, dict[str, dict[str, int]]]", self._http.get("calls/counts", **given))

    def _in_this_process(self) -> "Cloud":
        if self._server is None:
            raise RuntimeError("this OfflineAws does not run in this process")
        return cast("Cloud", self._server.cloud)

    @property
    def _http(self) -> AdminClient:
        if self._admin is None:
            raise RuntimeError("this OfflineAws is not running: start it, or use it in a `with` block")
        return self._admin
