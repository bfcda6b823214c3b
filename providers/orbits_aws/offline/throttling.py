"""Throttling as AWS does it: a token bucket for each account, region and service, and each service's own words.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html describes the buckets. Pure; used by `faults`.
"""

from dataclasses import dataclass

from .wire import Protocol

THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""The error codes that mean: the same call later."""

_OWN: dict[str, tuple[str, str, int]] = {
    "apigateway": ("TooManyRequestsException", "Too Many Requests", 429),
    "apigatewayv2": ("TooManyRequestsException", "Too Many Requests", 429),
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "lambda": ("TooManyRequestsException", "Rate exceeded", 429),
    "organizations": (
        "TooManyRequestsException",
        "You have sent too many requests in too short a period of time.",
        400,
    ),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "sqs": ("RequestThrottled", "Request is throttled.", 403),
}


def throttled(service: str, protocol: Protocol) -> tuple[str, str, int]:
    """Code, message and HTTP status with which a service throttles."""
    if service in _OWN:
        return _OWN[service]
    if protocol in ("json", "rest-json"):
        return "ThrottlingException", "Rate exceeded", 400 if protocol == "json" else 429
    return "Throttling", "Rate exceeded", 400


@dataclass
class Bucket:
    """Tokens that calls take and time gives back."""

    rate: float
    burst: int
    filled: float
    """When it was last looked at, in seconds of the caller's clock."""
    tokens: float

    @classmethod
    def full(cls, rate: float, burst: int, now: float) -> "Bucket":
        """A bucket that nobody has taken from."""
        return cls(rate=rate, burst=burst, filled=now, tokens=float(burst))

    def take(self, now: float) -> bool:
        """Take a token; whether there was one."""
        self.tokens = min(float(self.burst), self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True
