"""When a failed attempt is made again, and after how long."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field


class Retry(BaseModel):
    """How often an Action is attempted, how long to wait in between, and after which errors.

    The n-th wait is `delay * factor ** (n - 1)`, lengthened by up to `jitter` of itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    attempts: int = Field(default=1, ge=1)
    delay: timedelta = timedelta(seconds=1)
    factor: float = Field(default=2, ge=1)
    jitter: float = Field(default=0.1, ge=0, le=1)
    on: tuple[type[Exception], ...] = (Exception,)

    def __hash__(self) -> int:
        return hash((self.attempts, self.delay, self.factor, self.jitter, self.on))

    def wait(self, attempt: int, chance: float) -> float:
        """Seconds to wait after the failed `attempt` (from 1); `chance` is a random number from 0 to 1."""
        return self.delay.total_seconds() * self.factor ** (attempt - 1) * (1 + self.jitter * chance)
