"""The one way into the offline AWS: every call passes here, from outside by HTTP and from CloudFormation in process.

What always holds: a call is identified, faults are applied, then it is worked on, then it is logged exactly once with
how it ended. A call that a fault refuses never reaches the service. CloudFormation's own calls take the same way with
the origin `cloudformation`, so that a fault or a count means them too.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Protocol as Interface

from . import moto_adapter, moto_state
from .access import Access
from .callers import Callers
from .calls import CallLog, Origin
from .fault_spec import FaultSpec
from .faults import FaultRule, FaultRules, Strike, Target
from .gaps import carry_out
from .gate import Gate
from .identify import Identity, identify
from .past import Past
from .throttling import throttled
from .wire import Answer, Environ, Protocol, StartResponse, asked, error_answer, read_body, run_wsgi, session_token

_LOG = logging.getLogger(__name__)


_WITHOUT_PAST = frozenset({"cloudcontrol", "resourcegroupstaggingapi"})
"""Services that look at what others hold."""


class Cut(ConnectionResetError):
    """The connection is to be cut without an answer."""


class AnswerLost(Cut):
    """After the work was done."""


class ConnectionCut(Cut):
    """Before anything was done."""


class Service(Interface):
    """What carries out the calls of a service that moto does not serve here."""

    def __call__(self, identity: Identity, environ: Environ) -> Answer:
        """Carry out one call."""
        ...


class Work(Interface):
    """What carries out one call that was let through."""

    def __call__(self, *, stale: bool = False) -> Answer:
        """Carry it out; a `stale` read is answered as before the latest write."""
        ...


class Gateway:
    """The WSGI application for all of AWS."""

    def __init__(self, access: Access) -> None:
        """Make a gateway with moto behind it, without faults and with an empty log; `access` says who may call."""
        self.access = access
        self.calls = CallLog()
        self.faults = FaultRules(moto_state.account_named)
        self.callers = Callers()
        self.services: dict[str, Service] = {}
        self.past = Past()
        self.gate = Gate()
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
        """Carry out one call; raises `Cut` where a fault cuts the connection."""
        body = read_body(environ)
        identity = identify(environ, body, self.callers)
        environ[moto_adapter.ACCOUNT_HEADER] = identity.account
        error: str | None = "InternalFailure"
        try:
            answer = self._answer(environ, body, identity, origin)
            error = answer.error_code
            return answer
        except Cut as cut:
            error = type(cut).__name__
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

    def add_fault(self, spec: FaultSpec) -> FaultRule:
        """Add a rule. Raises ValueError for one that can never strike: AWS has no such service or operation."""
        if spec.service != "*":
            self._check_operation(spec.service, spec.operation)
        if spec.kind == "stale" and spec.service in _WITHOUT_PAST:
            raise ValueError(f"stale reads of {spec.service} are not offered")
        return self.faults.add(spec)

    @staticmethod
    def _check_operation(service: str, operation: str) -> None:
        try:
            operations = moto_adapter.operation_names(service)
        except LookupError as unknown:
            known = _nearest(service, moto_adapter.service_names())
            raise ValueError(f"AWS has no service {service}; boto3's names are meant{known}") from unknown
        if not any(fnmatchcase(name, operation) for name in operations):
            raise ValueError(f"{service} has no operation {operation}{_nearest(operation, operations)}")

    def _answer(self, environ: Environ, body: bytes, identity: Identity, origin: Origin) -> Answer:
        target = Target(
            service=identity.service,
            operation=identity.operation,
            account=identity.account,
            region=identity.region,
            origin=origin,
            invocation=environ.get("HTTP_AMZ_SDK_INVOCATION_ID"),
            text=asked(environ, body),
            past=self.past.known(identity),
        )
        strike = self.faults.strike(target)

        def work(*, stale: bool = False) -> Answer:
            remember = self.faults.stales(target)
            if origin == "cloudformation":  # inside a call that went through the gate
                return self._work(environ, body, identity, stale=stale, remember=remember)
            with self.gate.call():
                return self._work(environ, body, identity, stale=stale, remember=remember)

        return work() if strike is None else self._struck(strike, environ, identity, work)

    def _struck(self, strike: Strike, environ: Environ, identity: Identity, work: Work) -> Answer:
        spec, what = strike.spec, f"{identity.service}:{identity.operation}"
        if spec.delay:
            self.sleep(spec.delay)
        match spec.kind:
            case "delay":
                return work()
            case "stale":
                return work(stale=True)
            case "cut":
                raise ConnectionCut(f"connection of {what} cut by request")
            case "lose_answer":
                if not strike.again:
                    work()
                raise AnswerLost(f"answer of {what} lost by request")
            case "throttle":
                code, message, usual = throttled(identity.service, self._protocol(environ, identity))
                status = spec.status or (None if spec.code else usual)
                return self._error(environ, identity, spec.code or code, spec.message or message, status)
            case "error":
                code = spec.code or "InternalFailure"
                message = spec.message or f"{code} by request of a test, on {what}"
                return self._error(environ, identity, code, message, spec.status)

    def _work(self, environ: Environ, body: bytes, identity: Identity, *, stale: bool, remember: bool) -> Answer:
        service = self.services.get(identity.service)

        def carried_out() -> Answer:
            if service is not None:
                return service(identity, environ)
            return carry_out(environ, body, identity, lambda: self.moto(environ))

        try:
            protocol, token, text = self._protocol(environ, identity), session_token(environ), asked(environ, body)
            if refusal := self.access.refusal(identity, protocol, token, text):
                return self._error(environ, identity, refusal.code, refusal.message, refusal.status)
            if identity.service in _WITHOUT_PAST:
                return carried_out()
            if stale:
                return self.past.answer(identity, environ, carried_out)
            return self.past.watched(identity, carried_out, remember=remember)
        except NotImplementedError as failure:
            message = f"The offline AWS does not implement {identity.service}:{identity.operation}: {failure}"
            return self._error(environ, identity, "NotImplemented", message, 501)
        except Exception as failure:  # noqa: BLE001 - whatever breaks inside, the client gets an AWS error
            _LOG.exception("%s:%s failed inside the offline AWS", identity.service, identity.operation)
            message = f"The offline AWS failed in {identity.service}:{identity.operation}: {failure!r}"
            return self._error(environ, identity, "InternalFailure", message, 500)

    def moto(self, environ: Environ) -> Answer:
        """Let moto carry a call out as it does."""
        return run_wsgi(self._moto, environ)

    def _error(self, environ: Environ, identity: Identity, code: str, message: str, status: int | None) -> Answer:
        answer = error_answer(self._protocol(environ, identity), code, message, status)
        return replace(answer, body=b"") if environ["REQUEST_METHOD"] == "HEAD" else answer

    @staticmethod
    def _protocol(environ: Environ, identity: Identity) -> Protocol:
        try:
            return moto_adapter.protocol(identity.service, environ.get("CONTENT_TYPE", ""))
        except Exception:  # noqa: BLE001 - a service that botocore does not know still gets an answer it can read
            return "rest-json"


def _nearest(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1) or [one for one in names if one.lower() == name.lower()]
    return f": did you mean {near[0]}?" if near else ""
