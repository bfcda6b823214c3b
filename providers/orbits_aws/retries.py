"""botocore's own repetitions, with an allowance for each account instead of one for a client.

botocore allows a client so many repetitions until calls succeed again. Clients are shared here, and with them that
allowance: one account whose calls all fail would leave the others none. Called by `clients` for each boto3 client.

This stands on classes of `botocore.retries.standard`, which are not promised to stay: a test holds what is used here.
"""

from collections.abc import Callable
from typing import Any

from botocore.retries import standard
from botocore.retries.quota import RetryQuota


class _Allowances:
    """What botocore asks of a `RetryQuota`, answered by the one of the account that the call is made for."""

    def __init__(self, account: Callable[[], str]) -> None:
        self._account = account
        self._quotas: dict[str, Any] = {}

    def acquire(self, capacity_amount: int) -> bool:
        account = self._account()
        quota = self._quotas.get(account) or self._quotas.setdefault(account, RetryQuota())
        return bool(quota.acquire(capacity_amount))

    def release(self, capacity_amount: int) -> None:
        quota = self._quotas.get(self._account())  # none: nothing was taken from it
        if quota is not None:
            quota.release(capacity_amount)


def allow_each(raw: Any, attempts: int, account: Callable[[], str]) -> None:
    """Give each account repetitions of its own for a boto3 client; `account` is the one that is being called for."""
    service, adapter = raw.meta.service_model.service_id.hyphenize(), standard.RetryEventAdapter()
    throttling = standard.ThrottlingErrorDetector(adapter)
    allowance: Any = standard.RetryQuotaChecker(_Allowances(account), throttling)
    handler = standard.RetryHandler(
        retry_policy=standard.RetryPolicy(
            retry_checker=standard.StandardRetryConditions(max_attempts=attempts),
            retry_backoff=standard.ExponentialBackoff(service_name=service, throttling_detector=throttling),
        ),
        retry_event_adapter=adapter,
        retry_quota=allowance,
        service_name=service,
    )
    name = f"retry-config-{service}"
    raw.meta.events.unregister(f"needs-retry.{service}", unique_id=name)
    raw.meta.events.register(f"needs-retry.{service}", handler.needs_retry, unique_id=name)
    raw.meta.events.register(f"after-call.{service}", allowance.release_retry_quota)
