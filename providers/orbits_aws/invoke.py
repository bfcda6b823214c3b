"""Invoke: run a Lambda function once, and wait for its result.

Lambda tells of an invocation afterwards only if the function is durable: then it is begun by name, goes on without
anybody listening, and is watched. Any other function is waited for in one request; if that is broken off nobody knows
what the function has done, so that is said and not tried again. What is invoked without waiting (an event) has no
result to watch, and is an `AwsCall` of `lambda`, `Invoke`.
"""

import base64
import json
from typing import Any

from pydantic import JsonValue

from orbits_aws.clients import client
from orbits_aws.errors import AwsError, AwsUnavailable
from orbits_aws.tagged import poll
from orbits_aws.targets import AwsTarget
from orbits_iac import Action, InProgress
from orbits_iac.provider import Interrupted, Refused

_LONGEST = 50
"""Seconds that a function may take which is waited for in one request: after 60 the client hears no more."""

_GOES_ON = frozenset({"RUNNING", "PAUSING", "PAUSED"})


class InvocationFailed(AwsError):
    """The function was invoked and raised, was stopped, or took too long; the message is its own."""


class Invoke(Action[JsonValue, str]):
    """Invokes a function with a payload; the result is what it returns.

    A function gets the execution's token, the same if this is done again, as the name of its durable execution, or as
    `orbits-token` in the custom part of its client context.

    Attributes:
        function: its name or ARN.
        qualifier: a version or alias; a durable function is best invoked by one, so that its code stays the same.

    """

    function: str
    payload: JsonValue = None
    qualifier: str | None = None

    def main(self) -> JsonValue | InProgress[str]:
        """Begin it, if it can be watched; otherwise wait for it."""
        configuration = self._lambda().get_function_configuration(**self._which())
        if configuration.get("DurableConfig"):
            return self._begun()
        if configuration["Timeout"] > _LONGEST:
            raise Refused(
                f"The function {self.function} may take {configuration['Timeout']} s, and Lambda tells nothing of an "
                f"invocation that nobody has listened to until its end. Make it a durable function, or lower its "
                f"timeout to {_LONGEST} s"
            )
        return self._waited_for()

    def watch(self, handle: str, /) -> JsonValue | InProgress[str]:
        """Look how far the durable execution is."""
        try:
            found = self._lambda().get_durable_execution(DurableExecutionArn=handle)
        except AwsUnavailable as error:  # it goes on all the same
            self.execution.progress(f"it cannot be looked at: {error}")
            return InProgress(handle, poll=poll(5))
        status = found["Status"]
        if status in _GOES_ON:
            return InProgress(handle, poll=poll(5))
        if status != "SUCCEEDED":
            raise self._failed(f"{status}: {json.dumps(found.get('Error', {}))}")
        result: JsonValue = json.loads(found.get("Result") or "null")
        return result

    def on_interrupted(self) -> JsonValue | InProgress[str]:
        """Begin a durable function again by the same name, which finds the first; of others nobody knows."""
        configuration = self._lambda().get_function_configuration(**self._which())
        if not configuration.get("DurableConfig"):
            raise Interrupted(
                f"The function {self.function} was being invoked when the process died, and nobody knows what it has "
                f"done. Make it a durable function, or look for the token {self.execution.token} in its logs"
            )
        return self._begun()

    def _begun(self) -> InProgress[str]:
        answer = self._lambda().invoke(
            InvocationType="Event",
            DurableExecutionName=self.execution.token,
            Payload=json.dumps(self.payload),
            **self._which(),
        )
        return InProgress(str(answer["DurableExecutionArn"]), poll=poll(1))

    def _waited_for(self) -> JsonValue:
        context = {"custom": {"orbits-token": self.execution.token}}
        answer = self._lambda(attempts=1).invoke(
            InvocationType="RequestResponse",
            ClientContext=base64.b64encode(json.dumps(context).encode()).decode(),
            Payload=json.dumps(self.payload),
            **self._which(),
        )
        text = answer["Payload"].read().decode()
        if answer.get("FunctionError"):
            raise self._failed(text)
        result: JsonValue = json.loads(text or "null")
        return result

    def _failed(self, why: str) -> InvocationFailed:
        target = self.execution.target(AwsTarget)
        return InvocationFailed(
            f"The function {self.function} in {target.account} ({target.region}) failed: {why}",
            code="FunctionError",
            service="lambda",
            operation="Invoke",
            account=target.account,
            region=target.region,
        )

    def _which(self) -> dict[str, str]:
        which = {"FunctionName": self.function}
        return {**which, "Qualifier": self.qualifier} if self.qualifier else which

    def _lambda(self, attempts: int = 5) -> Any:
        return client("lambda", self.execution.target(AwsTarget), attempts=attempts)
