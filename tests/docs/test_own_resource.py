"""docs/own-resource.md: its resources do what the page says of them."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws
from orbits_iac import ExecutionFailed, Orbits, Resource
from orbits_iac.provider import Verb

PAGE = (Path(__file__).parents[2] / "docs" / "own-resource.md").read_text(encoding="utf-8")
MANAGEMENT = "123456789012"
TARGET = AwsTarget(account=MANAGEMENT)
BLOCKS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def modules(aws: OfflineAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The page's modules, and an account in which the target's role can be assumed."""
    trust = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}'
    )
    aws.client("iam", account=MANAGEMENT).create_role(RoleName=TARGET.role, AssumeRolePolicyDocument=trust)
    for name, text in BLOCKS.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield {name: importlib.import_module(name) for name in BLOCKS}
    for name in BLOCKS:
        sys.modules.pop(name)


class News(Resource):
    """Whoever has a topic."""

    kind: str
    display_name: str = "News"
    adopt: bool = False

    def identity(self) -> str:
        return self.kind

    async def define_update(self) -> None:
        module, _, name = self.kind.partition(".")
        topic = getattr(sys.modules[module], name)(name="news", display_name=self.display_name)
        await self.do("news", topic, adopt=self.adopt)


def shown(aws: OfflineAws) -> list[str]:
    sns = aws.client("sns", account=MANAGEMENT)
    topics = sns.list_topics()["Topics"]
    return [sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]["DisplayName"] for topic in topics]


def test_a_resource_is_about_thirty_lines(modules: dict[str, Any]) -> None:
    lines = [line for line in BLOCKS["topic"].partition("class TopicOutputs")[2].splitlines() if line.strip()]
    assert set(modules) == {"topic", "policies", "owned_topic"}
    assert 25 <= len(lines) <= 35


@pytest.mark.parametrize("kind", ["topic.Topic", "owned_topic.OwnedTopic"])
async def test_a_topic_is_made_changed_brought_back_and_removed(
    orbits: Orbits, aws: OfflineAws, modules: dict[str, Any], kind: str
) -> None:
    await orbits.run(News(kind=kind), target=TARGET)
    assert shown(aws) == ["News"]
    before = len(aws.calls(writes=True))
    await orbits.run(News(kind=kind), target=TARGET)
    assert len(aws.calls(writes=True)) == before
    plan = await orbits.preview(News(kind=kind, display_name="Other"), target=TARGET)
    assert plan.root.below[0].verb is Verb.UPDATE
    await orbits.run(News(kind=kind, display_name="Other"), target=TARGET)
    assert shown(aws) == ["Other"]
    record = orbits.record(News, kind)
    arn = f"arn:aws:sns:eu-west-1:{MANAGEMENT}:news"
    sns = aws.client("sns", account=MANAGEMENT)
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="Drift")
    assert (await record.cycle(on_drift="remediate")).in_sync
    assert shown(aws) == ["Other"]
    await record.uninstall()
    assert shown(aws) == []


async def test_what_is_anothers_is_refused_by_the_topic_that_looks_at_tags(
    orbits: Orbits, aws: OfflineAws, modules: dict[str, Any]
) -> None:
    aws.client("sns", account=MANAGEMENT).create_topic(Name="news", Attributes={"DisplayName": "Theirs"})
    with pytest.raises(ExecutionFailed, match="The topic news exists and was not made by Orbits"):
        await orbits.run(News(kind="owned_topic.OwnedTopic"), target=TARGET)
    assert shown(aws) == ["Theirs"]
    await orbits.run(News(kind="owned_topic.OwnedTopic", adopt=True), target=TARGET)
    assert shown(aws) == ["News"]
