"""The one way into the offline AWS: every call passes here, from outside by HTTP and from CloudFormation in process.

What always holds: a call is identified, faults are applied, then it is worked on, then it is logged exactly once with
how it ended. A call that a fault refuses never reaches the service. CloudFormation's own calls take the same way with
the origin `cloudformation`, so that a fault or a count means them too.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol as Interface

from . import moto_adapter
from .calls import CallLog, Origin
from .faults import FaultRules, Strike, Target
from .gaps import carry_out
from .identify import Accounts, Identity, identify
from .wire import Answer, Environ, StartResponse, error_answer, read_body, run_wsgi

_LOG = logging.getLogger(__name__)


class AnswerLost(ConnectionResetError):
    """The connection is to be cut without an answer."""


class Service(Interface):
    """What carries out the calls of a service that moto does not serve here."""

    def __call__(self, identity: Identity, environ: Environ) -> Answer:
        """Carry out one call."""
        ...


class Gateway:
    """The WSGI application for all of AWS."""

    def __init__(self) -> None:
        """Make a gateway with moto behind it, without rules and with an empty log."""
        self.calls = CallLog()
        self.faults = FaultRules(moto_adapter.account_named)
        self.accounts = Accounts()
        self.services: dict[str, Service] = {}
        self.sleep: Callable[[float], None] = time.sleep
        self._moto = moto_adapter.application()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one HTTP request; a lost answer closes the client's connection."""
        answer = self.handle(environ, origin="outside")
        headers = [*answer.headers]
        if not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(answer.body))))
        start_response(f"{answer.status} AWS", headers)
        return [answer.body]

    def handle(self, environ: Environ, *, origin: Origin) -> Answer:
        """Carry out one call; raises `AnswerLost` where a fault cuts the connection."""
        body = read_body(environ)
        identity = identify(environ, body, self.accounts)
        environ[moto_adapter.ACCOUNT_HEADER] = identity.account
        error: str | None = "InternalFailure"
        try:
            answer = self._answer(environ, body, identity, origin)
            error = answer.error_code
            return answer
        except AnswerLost:
            error = "AnswerLost"
            raise
        finally:
            self.calls.add(
                account=identity.account,
                region=identity.region,
                service=identity.service,
                operation=identity.operation,
                origin=origin,
                error=error,
            )

    def _answer(self, environ: Environ, body: bytes, identity: Identity, origin: Origin) -> Answer:
        said = f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}"
        strike = self.faults.strike(
            Target(
                service=identity.service,
                operation=identity.operation,
                account=identity.account,
                origin=origin,
                invocation=environ.get("HTTP_AMZ_SDK_INVOCATION_ID"),
                text=f"{said} {body.decode('utf-8', 'replace')}",
            )
        )
        if strike is None:
            return self._work(environ, body, identity)
        return self._struck(strike, environ, body, identity)

    def _struck(self, strike: Strike, environ: Environ, body: bytes, identity: Identity) -> Answer:
        spec = strike.spec
        if spec.delay:
            self.sleep(spec.delay)
        if spec.kind == "delay":
            return self._work(environ, body, identity)
        if spec.kind == "lose_answer":
            if not strike.again:
                self._work(environ, body, identity)
            raise AnswerLost(f"answer of {identity.service}:{identity.operation} lost by request")
        message = spec.message or f"{spec.code} by request of a test, on {identity.service}:{identity.operation}"
        return self._error(environ, identity, spec.code, message, spec.status)

    def _work(self, environ: Environ, body: bytes, identity: Identity) -> Answer:
        service = self.services.get(identity.service)
        try:
            if service is not None:
                return service(identity, environ)
            return carry_out(environ, body, identity, lambda: run_wsgi(self._moto, environ))
        except NotImplementedError as failure:
            message = f"The offline AWS does not implement {identity.service}:{identity.operation}: {failure}"
            return self._error(environ, identity, "NotImplemented", message, 501)
        except Exception as failure:  # noqa: BLE001 - whatever breaks inside, the client gets an AWS error
            _LOG.exception("%s:%s failed inside the offline AWS", identity.service, identity.operation)
            message = f"The offline AWS failed in {identity.service}:{identity.operation}: {failure!r}"
            return self._error(environ, identity, "InternalFailure", message, 500)

    def _error(self, environ: Environ, identity: Identity, code: str, message: str, status: int | None) -> Answer:
        try:
            protocol = moto_adapter.protocol(identity.service, environ.get("CONTENT_TYPE", ""))
        except Exception:  # noqa: BLE001 - a service that botocore does not know still gets an answer it can read
            protocol = "rest-json"
        return error_answer(protocol, code, message, status)
