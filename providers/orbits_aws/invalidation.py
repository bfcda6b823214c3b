"""Invalidate: let the caches of a CloudFront distribution forget what they hold, and wait until they have."""

from typing import Any

from pydantic import Field

from orbits_aws.clients import client
from orbits_aws.errors import AwsRefused, NotReady
from orbits_aws.tagged import UNTIL_READY, poll
from orbits_aws.targets import AwsTarget
from orbits_iac import Action, InProgress, Options


class Invalidate(Action[str, str]):
    """Invalidates paths of a distribution; the result is the invalidation's id. It takes a minute or so.

    The execution's token is the caller's reference, so that a repeated request is the first one for CloudFront. Where
    too many are under way, it is tried again for two minutes.

    Attributes:
        distribution: the distribution's id.
        paths: such as `/index.html`, or `/static/*`; all, by default, which CloudFront counts as one.

    """

    options = Options(idempotent=True, retry=UNTIL_READY)
    distribution: str
    paths: list[str] = Field(default=["/*"], min_length=1)

    def main(self) -> str | InProgress[str]:
        """Ask for it."""
        batch = {
            "Paths": {"Quantity": len(self.paths), "Items": self.paths},
            "CallerReference": self.execution.token,
        }
        try:
            made = self._cloudfront().create_invalidation(DistributionId=self.distribution, InvalidationBatch=batch)
        except AwsRefused as error:
            if error.code == "TooManyInvalidationsInProgress":
                raise NotReady.because(error) from error
            raise
        return _told(made["Invalidation"])

    def watch(self, handle: str, /) -> str | InProgress[str]:
        """Look whether the caches have forgotten."""
        found = self._cloudfront().get_invalidation(DistributionId=self.distribution, Id=handle)
        return _told(found["Invalidation"])

    def _cloudfront(self) -> Any:
        return client("cloudfront", self.execution.target(AwsTarget))


def _told(invalidation: Any) -> str | InProgress[str]:
    name = str(invalidation["Id"])
    return name if invalidation["Status"].casefold() == "completed" else InProgress(name, poll=poll(5))
