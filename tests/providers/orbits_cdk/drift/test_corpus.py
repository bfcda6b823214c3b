"""The corpus of drift: what somebody does to live resources, and what a look finds of it: no more, no less.

Against the offline AWS. What it cannot show is listed in docs/drift.md.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orbits_aws import AwsTarget, OfflineAws
from orbits_aws.readers import READERS
from orbits_aws.testing import MANAGEMENT, in_use
from tests.providers.orbits_cdk.drift.access import ROLES
from tests.providers.orbits_cdk.drift.compute import FUNCTIONS, PARAMETERS
from tests.providers.orbits_cdk.drift.messages import QUEUES, TOPICS
from tests.providers.orbits_cdk.drift.others import OTHERS, SECRETS
from tests.providers.orbits_cdk.drift.samples import STACKS, templates
from tests.providers.orbits_cdk.drift.storage import BUCKETS, TABLES
from tests.providers.orbits_cdk.drift.world import Case, Hands, Scene

SCENES = (BUCKETS, TABLES, QUEUES, TOPICS, ROLES, FUNCTIONS, PARAMETERS, SECRETS, OTHERS)
CASES = [(scene, case) for scene in SCENES for case in scene.cases]
OF_THE_STACK = 3  # calls of a look, however many resources there are: the stack, its resources, its template
_OF_EACH = pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])


@pytest.fixture(scope="module")
def target(offline_aws: OfflineAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsTarget]:
    """An account of an offline AWS that is shared by all cases."""
    with in_use(offline_aws, Path(tmp_path_factory.mktemp("drift"))):
        organizations = offline_aws.client("organizations", account=MANAGEMENT)
        made = organizations.create_account(AccountName="acme", Email="acme@agency.example")["CreateAccountStatus"]
        yield AwsTarget(account=str(made["AccountId"]))


@pytest.fixture(scope="module")
def stacks() -> dict[str, Hands]:
    """The stacks that were deployed, by name: each once, when it is first needed."""
    return {}


@pytest.fixture
def hands(scene: Scene, offline_aws: OfflineAws, target: AwsTarget, stacks: dict[str, Hands]) -> Hands:
    if scene.name not in stacks:
        stacks[scene.name] = Hands(offline_aws, target, scene.name, scene.template)
    return stacks[scene.name]


@_OF_EACH
def test_of_what_nobody_touched_nothing_is_found_and_all_that_is_not_read_is_named(hands: Hands, scene: Scene) -> None:
    assert hands.untouched.differences == ()
    assert hands.untouched.unchecked == scene.unchecked
    asked = sum(len(each.get("Properties", ())) for each in scene.template["Resources"].values())
    assert hands.untouched.checked >= asked - len(scene.unchecked)


@_OF_EACH
def test_a_look_writes_nothing_and_calls_no_more_often_than_is_budgeted(hands: Hands, scene: Scene) -> None:
    before = len(hands.aws.calls(origin="outside"))
    hands.look()
    made = hands.aws.calls(origin="outside")[before:]
    types = Counter(each["Type"] for each in scene.template["Resources"].values())
    assert not [call for call in made if call.write]
    assert len(made) <= OF_THE_STACK + sum(scene.calls[one] * count for one, count in types.items())


@pytest.mark.parametrize(("scene", "case"), CASES, ids=[f"{scene.name}: {case.name}" for scene, case in CASES])
def test_what_somebody_did_is_found_there_and_nowhere_else(hands: Hands, case: Case) -> None:
    case.change(hands)
    assert hands.news() == case.found


@pytest.mark.parametrize("number", range(STACKS))
def test_of_types_of_every_sort_nothing_is_found_that_nobody_did(
    number: int, offline_aws: OfflineAws, target: AwsTarget
) -> None:
    template = templates()[number]
    look = Hands(offline_aws, target, f"samples-{number}", template).untouched
    assert look.differences == ()
    assert look.checked > len(template["Resources"])


def test_there_are_cases_of_each_type_that_has_a_reader() -> None:
    tried = {each["Type"] for scene in SCENES for each in scene.template["Resources"].values()}
    assert set(READERS) <= tried
    assert len(CASES) >= 100
    for one in READERS.values():
        assert not one.covers & set(one.unread)
