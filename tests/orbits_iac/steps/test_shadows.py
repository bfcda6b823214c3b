"""A field that hides what Orbits or pydantic need under that name is refused where its class is made."""

from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from orbits_iac import Action, Managed, Options, Resource, Workflow
from orbits_iac.steps.step import options_of


class Mixed(BaseModel):
    """Fields that several steps have."""

    execution: str


@pytest.mark.parametrize(
    ("bases", "field", "hidden"),
    [
        ((Action,), "execution", "Step.execution"),
        ((Action,), "options", "Step.options"),
        ((Action,), "_execution", "Step._execution"),
        ((Action,), "main", "Action.main"),
        ((Action,), "watch", "Action.watch"),
        ((Workflow,), "do", "Composite.do"),
        ((Workflow,), "define", "Workflow.define"),
        ((Resource,), "uninstall", "Resource.uninstall"),
        ((Resource,), "identity", "Resource.identity"),
        ((Managed,), "read", "Managed.read"),
        ((Action,), "model_dump", "BaseModel.model_dump"),
    ],
)
def test_a_field_that_shadows_a_name_of_the_base_classes_is_refused(
    bases: tuple[Any, ...], field: str, hidden: str
) -> None:
    with pytest.raises(TypeError, match=f"Wrong: the field '{field}' hides {hidden}, which Orbits needs"):
        type("Wrong", bases, {"__annotations__": {field: str}, "__module__": __name__, "__qualname__": "Wrong"})


def test_a_field_of_what_a_step_is_mixed_with_is_refused_too() -> None:
    with pytest.raises(TypeError, match=r"Wrong: the field 'execution' hides Step\.execution"):
        type("Wrong", (Mixed, Action), {"__module__": __name__, "__qualname__": "Wrong"})


def shadowing() -> type:
    class Wrong(Action):
        execution: str  # type: ignore[assignment] # what a test is about

    return Wrong


def test_the_error_leads_to_the_line_of_the_class() -> None:
    with pytest.raises(TypeError) as refused:
        shadowing()
    assert "class Wrong(Action):" in str(refused.traceback[1].statement)


def test_options_may_say_that_they_are_no_field() -> None:
    class Right(Action):
        options: ClassVar[Options] = Options(idempotent=True)

    assert options_of(Right) == {"idempotent": True}
