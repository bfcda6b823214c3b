"""An offline AWS as the system behind a subject: copied and gone back to, its calls seen, chosen ones refused."""

from abc import abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from botocore.client import BaseClient

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_iac.testing import Subject, outside

PROJECT = "tests"  # of the settings that the suite runs with


class AwsSubject(Subject):
    """A thing in a member account."""

    refused: ClassVar[tuple[str, str]]
    """Service and operation of the call that changes the thing."""
    refused_times: ClassVar[int | None] = None
    """How often it is refused; None: always."""

    def __init__(self, aws: OfflineAws, target: AwsTarget) -> None:
        self.aws, self.target = aws, target
        client("sts", target).get_caller_identity()  # the session is in every copy, so that its keys are always valid

    @abstractmethod
    def stands(self) -> Any:
        """As `Subject` has it."""

    def api(self, service: str) -> Any:
        """A client for those who are not Orbits."""
        assert self.target is not None
        return self.aws.client(service, account=self.account)

    @property
    def account(self) -> str:
        """The account that the thing is in."""
        assert isinstance(self.target, AwsTarget)
        return self.target.account

    def snapshot(self) -> bytes:
        return self.aws.snapshot()

    def restore(self, snapshot: bytes, /) -> None:
        self.aws.restore(snapshot)

    def writes(self) -> int:
        return len(self.aws.calls(writes=True))

    @contextmanager
    def calling(self) -> Generator[None]:
        with pytest.MonkeyPatch.context() as patch:
            call: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

            def seen(client: Any, operation: str, arguments: Any) -> Any:
                if client.meta.config.user_agent_extra != "orbits-iac":  # somebody else calls
                    return call(client, operation, arguments)
                with outside(f"{client.meta.service_model.service_name}:{operation}"):
                    return call(client, operation, arguments)

            patch.setattr(BaseClient, "_make_api_call", seen)
            # When a role was last used is noted with each call, of which a call that only reads is to leave no trace:
            # a process that dies before it or after it is then one case and not two.
            patch.setattr("moto.iam.models.mark_account_as_visited", lambda *_, **__: None)
            yield

    @contextmanager
    def refusing_changes(self) -> Generator[None]:
        service, operation = self.refused
        if not self.aws.faults():  # a script may come here again after a crash
            self.aws.fail(service, operation, code="AccessDenied", account=self.account, times=self.refused_times)
        try:
            yield
        finally:
            self.aws.clear_faults()


def theirs() -> dict[str, str]:
    """The tags of another project."""
    return {"orbits:project": "other", "orbits:record": "Thing theirs"}


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as a list of Key and Value."""
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def without_ours(tags: Any) -> dict[str, str]:
    """The tags that are not Orbits' own; they may be given as a list of Key and Value, or not be there."""
    named = {one["Key"]: one["Value"] for one in tags} if isinstance(tags, list) else dict(tags or {})
    return {name: value for name, value in named.items() if not name.startswith("orbits:")}
