"""The table `[notify]` of orbits.toml: where to, what, of whom, and how many make a digest.

    [notify]
    to = ["slack://${SLACK_BOT_TOKEN}/#operations", "${WEBHOOK}", "file:problems.jsonl"]
    news = ["drift", "healed", "stopped", "failed", "rollout"]
    tenants = ["acme"]         # of these alone, if any are given; `*` stands for any text
    labels = { plan = "large" }
    digest_after = 5           # more than so many
    digest_within = 30         # within so many seconds are one message

Pure. Read by `settings`; the engine asks `wants` of each notice.
"""

from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from orbits_iac.notify.notices import News, Notice


class NotifySettings(BaseModel):
    """The table `[notify]`. Targets are secret: whoever has the URL of one may write to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: tuple[SecretStr, ...] = ()
    news: frozenset[News] = frozenset(News) - {News.WAITING}
    tenants: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    digest_after: int = Field(default=5, ge=1)
    digest_within: timedelta = Field(default=timedelta(seconds=30), ge=timedelta(0))

    def wants(self, notice: Notice) -> bool:
        """Whether anybody is to be told of it."""
        if not self.to or notice.news not in self.news:
            return False
        if self.tenants and not any(fnmatchcase(notice.tenant or "", one) for one in self.tenants):
            return False
        return self.labels.items() <= notice.labels.items()
