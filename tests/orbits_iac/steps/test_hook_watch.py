"""What a hook's `watch` is called with."""

from unittest.mock import Mock

from orbits_iac import Action, InProgress, Resource
from orbits_iac.steps.execution import Current
from orbits_iac.steps.hook import hook
from orbits_iac.steps.step import bind


class Site(Resource):
    name: str

    def begin(self, body: str, pages: int) -> InProgress[int]:
        return InProgress(7)

    def look(self, handle: int, /) -> str:
        return f"{self.name} {handle}"

    def look_again(self, handle: int, body: str, /) -> str:
        return f"{self.name} {handle} {body}"


def bound(action: Action[str, int]) -> Action[str, int]:
    bind(action, Mock(spec=Current))
    return action


def test_watch_gets_the_handle() -> None:
    action = bound(hook(Site(name="a").begin, "text", 2, watch=Site(name="a").look, handle=int, returns=str))
    assert action.watch(7) == "a 7"


def test_watch_gets_the_arguments_that_it_takes_after_the_handle() -> None:
    action = bound(hook(Site(name="a").begin, "text", 2, watch=Site(name="a").look_again, handle=int, returns=str))
    assert action.watch(7) == "a 7 text"
