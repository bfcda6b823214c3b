"""What an event's JSON schema admits is what its class admits, as far as a schema can say."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel, Field, SecretStr, ValidationError

from orbits_iac import Event
from orbits_iac.cli.schema import model_of
from orbits_iac.codec import Codec


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    name: str
    inner: "Place | None" = None


class Everything(Event):
    """A field of each sort."""

    text: Annotated[str, Field(min_length=2, pattern="^a")] = "ab"
    count: Annotated[int, Field(ge=1, lt=10)] = 1
    share: float = 0.5
    sure: bool = True
    colour: Colour = Colour.RED
    word: Literal["yes", "no"] = "yes"
    perhaps: int | None = None
    names: Annotated[list[str], Field(max_length=2)] = []
    numbers: dict[str, int] = {}
    anything: Any = None
    secret: SecretStr = SecretStr("x")
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    within: timedelta = timedelta(hours=1)
    id: UUID = UUID(int=1)
    model_x: int = 1


@pytest.mark.parametrize(
    "given",
    [
        {"text": "abc"},
        {"count": 9, "share": 1},
        {"sure": False, "colour": "blue", "word": "no", "perhaps": None},
        {"perhaps": 3, "names": ["a", "b"], "numbers": {"x": 1}, "anything": {"deep": [1]}},
        {"secret": "s3cret", "at": "2027-02-03T04:05:06Z", "within": "PT5M", "id": str(UUID(int=7)), "model_x": 2},
    ],
)
def test_what_a_class_accepts_is_accepted_and_comes_out_the_same(given: dict[str, Any]) -> None:
    codec = Codec(Fernet.generate_key())
    model = model_of(Everything.model_json_schema()).model_validate(given)
    text = codec.encode({name: getattr(model, name) for name in model.model_fields_set}, dict[str, Any])
    assert codec.decode(text, Everything) == Everything.model_validate(given)
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"text": "a"}, "text"),
        ({"text": "ba"}, "text"),
        ({"count": 10}, "count"),
        ({"count": "many"}, "count"),
        ({"colour": "green"}, "colour"),
        ({"word": "maybe"}, "word"),
        ({"perhaps": "x"}, "perhaps"),
        ({"names": ["a", "b", "c"]}, "names"),
        ({"numbers": {"x": "y"}}, "numbers"),
        ({"at": "soon"}, "at"),
        ({"other": 1}, "other"),
    ],
)
def test_what_a_class_refuses_is_refused_with_the_field(given: dict[str, Any], field: str) -> None:
    for model in (model_of(Everything.model_json_schema()), Everything):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(given)
        assert refused.value.errors()[0]["loc"][0] == field
