"""AlarmsQuiet: that alarms of CloudWatch do not ring, for as long as is said; a check of a wave, say.

What always holds: quiet is only what CloudWatch has said. An alarm that is not there, may not be looked at, or could
not be for some time is an error; one that rang between two looks, and has healed since, is found in its history.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from orbits_aws.clients import client
from orbits_aws.errors import AwsError, AwsUnavailable, NotThere
from orbits_aws.tagged import UNTIL_READY
from orbits_aws.targets import AwsTarget
from orbits_iac import Action, InProgress, Options, Permanent

BLIND = timedelta(minutes=15)
"""How long CloudWatch may go unanswered while one watches: what nobody has seen is not quiet."""

_NAMES_A_CALL = 100
_EVERY = timedelta(minutes=1)  # what rings in between stands in the history
_KINDS = {"MetricAlarms": "MetricAlarm", "CompositeAlarms": "CompositeAlarm"}
_NAMED = 10


class AlarmRang(AwsError, Permanent):
    """An alarm is ringing, or has rung, while it was to be quiet; the message names all that have, and why."""


class AlarmsSeen(BaseModel):
    """What was watched, and from when to when.

    Attributes:
        alarms: their names.
        without_data: those of them that had too little data at the end to tell.
        since: from when on they were quiet (UTC).
        until: when they were looked at last (UTC).

    """

    model_config = ConfigDict(frozen=True)

    alarms: tuple[str, ...]
    without_data: tuple[str, ...] = ()
    since: datetime
    until: datetime


class Watching(BaseModel):
    """What a watch has to know: its bounds, when CloudWatch answered last, and how the alarms were at the first look.

    `began` has, by each alarm's name, from when on its state was what it was then; by CloudWatch's clock, so that what
    has changed since is known though this machine's clock is not that one.
    """

    model_config = ConfigDict(frozen=True)

    since: datetime
    until: datetime
    answered: datetime
    began: Mapping[str, datetime] = {}


class AlarmsQuiet(Action[AlarmsSeen, Watching]):
    """Looks at alarms, metric and composite ones, and fails with `AlarmRang` as soon as one of them rings.

    One that rings already when this begins is not quiet either. Too little data (INSUFFICIENT_DATA) counts as quiet by
    default, since alarms on errors have none where there are none; the result names them. A name without an alarm and a
    prefix that no alarm has are `NotThere`. Where CloudWatch throttles or does not answer, the step says so and looks
    again, for a quarter of an hour.

    Attributes:
        names: the alarms; or
        prefix: what the names of all that are meant begin with.
        during: how long they have to be quiet from now on; none: they are looked at once.
        before: and how long before now, by their history, which CloudWatch keeps for 30 days.
        no_data: `fails`: an alarm with too little data at the end has not been quiet.

    """

    options = Options(idempotent=True, retry=UNTIL_READY)

    names: tuple[str, ...] = ()
    prefix: str = ""
    during: timedelta = timedelta()
    before: timedelta = timedelta()
    no_data: Literal["is quiet", "fails"] = "is quiet"

    @model_validator(mode="after")
    def _says_which(self) -> "AlarmsQuiet":
        if bool(self.names) == bool(self.prefix):
            raise ValueError("AlarmsQuiet has the names of alarms, or the prefix of their names")
        if self.during < timedelta() or self.before < timedelta():
            raise ValueError("AlarmsQuiet: during and before are no less than no time")
        return self

    def main(self) -> AlarmsSeen | InProgress[Watching]:
        """Look for the first time."""
        now = self.execution.now()
        return self._look(Watching(since=now - self.before, until=now + self.during, answered=now), now)

    def watch(self, handle: Watching, /) -> AlarmsSeen | InProgress[Watching]:
        """Look again."""
        now = self.execution.now()
        try:
            return self._look(handle, now)
        except AwsUnavailable as error:
            if now - handle.answered >= BLIND:
                raise self._error(
                    f"nobody has seen whether they are quiet since {handle.answered:%H:%M:%S} UTC: {error}"
                ) from error
            self.execution.progress(f"the alarms cannot be looked at: {error}")
            return InProgress(handle, poll=_EVERY)

    def _look(self, watching: Watching, now: datetime) -> AlarmsSeen | InProgress[Watching]:
        found = {str(alarm["AlarmName"]): alarm for alarm in self._found()}
        if missing := [name for name in (*self.names, *watching.began) if name not in found]:
            raise self._missing(f"no alarm {', '.join(dict.fromkeys(missing[:_NAMED]))}")
        if not found:
            raise self._missing(f"no alarm whose name begins with {self.prefix}")
        if rang := self._rang(found, watching):
            more = f"; and {len(rang) - _NAMED} more" if len(rang) > _NAMED else ""
            raise self._error("; ".join(rang[:_NAMED]) + more)
        dark = tuple(name for name, alarm in found.items() if alarm["StateValue"] == "INSUFFICIENT_DATA")
        if now < watching.until:
            span = watching.until - watching.since
            without = f", {len(dark)} of them without data" if dark else ""
            self.execution.progress(
                f"{len(found)} alarms are quiet{without}, and watched until {watching.until:%H:%M:%S} UTC",
                (now - watching.since) / span,
            )
            began = watching.began or {name: _changed(alarm) for name, alarm in found.items()}
            seen = watching.model_copy(update={"answered": now, "began": began})
            return InProgress(seen, poll=min(_EVERY, watching.until - now))
        if dark and self.no_data == "fails":
            raise self._error(f"they have too little data to tell: {', '.join(dark[:_NAMED])}")
        return AlarmsSeen(alarms=tuple(found), without_data=dark, since=watching.since, until=now)

    def _rang(self, found: Mapping[str, Any], watching: Watching) -> Sequence[str]:
        """What is to be said of those that ring, or have since."""
        said: list[str] = []
        for name, alarm in found.items():
            changed = _changed(alarm)
            since = watching.since if self.before else watching.began.get(name, watching.since)
            if alarm["StateValue"] == "ALARM":
                said.append(f"{name} rings since {changed:%H:%M:%S} UTC: {alarm.get('StateReason', 'no reason')}")
            elif changed > since and (past := self._last_ring(name, since)) is not None:
                at, why = past
                said.append(f"{name} rang at {at:%H:%M:%S} UTC, and is {alarm['StateValue']} by now: {why}")
        return said

    def _last_ring(self, name: str, since: datetime) -> tuple[datetime, str] | None:
        """When an alarm went into ALARM last, and why; None if it has not since then."""
        items = self._cloudwatch().items(
            "describe_alarm_history",
            "AlarmHistoryItems",
            AlarmName=name,
            AlarmTypes=list(_KINDS.values()),
            HistoryItemType="StateUpdate",
            StartDate=since,
            ScanBy="TimestampDescending",
        )
        for item in items:
            state = json.loads(item["HistoryData"])["newState"]
            if state["stateValue"] == "ALARM" and item["Timestamp"] > since:
                return item["Timestamp"], str(state.get("stateReason", "no reason"))
        return None

    def _found(self) -> Iterator[Mapping[str, Any]]:
        """The alarms that are meant, page by page."""
        api, kinds = self._cloudwatch(), list(_KINDS.values())
        for which in self._which():
            for page in api.pages("describe_alarms", AlarmTypes=kinds, **which):
                for key in _KINDS:
                    yield from page.get(key, ())

    def _which(self) -> Iterator[dict[str, Any]]:
        if self.prefix:
            yield {"AlarmNamePrefix": self.prefix}
        for start in range(0, len(self.names), _NAMES_A_CALL):
            yield {"AlarmNames": list(self.names[start : start + _NAMES_A_CALL])}

    def _cloudwatch(self) -> Any:
        return client("cloudwatch", self.execution.target(AwsTarget))

    def _error(self, what: str) -> AlarmRang:
        target = self.execution.target(AwsTarget)
        return AlarmRang(
            f"Alarms in {target.account} ({target.region}): {what}",
            service="cloudwatch",
            account=target.account,
            region=target.region,
        )

    def _missing(self, what: str) -> NotThere:
        target = self.execution.target(AwsTarget)
        return NotThere(
            f"There is {what} in {target.account} ({target.region}): what is not there cannot be quiet. Name it as it "
            f"is called there, or leave it out",
            service="cloudwatch",
            operation="DescribeAlarms",
            account=target.account,
            region=target.region,
        )


def _changed(alarm: Mapping[str, Any]) -> datetime:
    """From when on an alarm's state is what it is."""
    changed: datetime = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
    return changed
