"""Models that hold many values: written and read without a second copy of all of them, and otherwise as any other."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel, Field, SecretStr, computed_field, field_serializer

from orbits_iac.codec import Codec
from orbits_iac.codec.codec import _way
from orbits_iac.model.errors import Refused

CODEC = Codec(Fernet.generate_key())
NUMBER = 1_000


class House(BaseModel):
    number: int
    more: dict[str, Any] = {}


class Street(BaseModel):
    name: str
    houses: dict[str, House]
    gardens: dict[str, Any] = {}


def street(**more: Any) -> Street:
    houses = {f"house{number}": House(number=number, more={"rooms": [number, None]}) for number in range(NUMBER)}
    return Street(name="High", houses=houses, **more)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def at_its_peak(work: Callable[[], Any]) -> int:
    """Bytes beside what was there before."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    work()
    return tracemalloc.get_traced_memory()[1] - before


@pytest.mark.usefixtures("traced")
def test_what_is_written_and_read_is_not_there_twice_meanwhile() -> None:
    value = street()
    text = CODEC.encode(value, Street)
    CODEC.decode(text, Street)  # what is made for the first one only
    containers = at_its_peak(value.model_dump)
    assert at_its_peak(lambda: CODEC.encode(value, Street)) < containers / 2
    result = at_its_peak(lambda: Street.model_validate_json(text))
    assert at_its_peak(lambda: CODEC.decode(text, Street)) < result * 1.1


def test_the_text_is_as_if_it_were_written_in_one_piece() -> None:
    value = street(gardens={f"garden{number}": number for number in range(NUMBER)})
    text = CODEC.encode(value, Street)
    assert text == json.dumps(value.model_dump(), separators=(",", ":"))
    assert CODEC.decode(text, Street) == value


def test_secrets_among_many_are_sealed() -> None:
    value = street()
    value.houses["house7"].more["key"] = SecretStr("hidden in here")
    text = CODEC.encode(value, Street)
    assert "hidden" not in text
    assert CODEC.decode(text, Street) == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"house7": "none"},
        {"house7": House.model_construct(number="seven")},
        {7: House(number=7)},
        {"house7": House(number=7, more={"of": object()})},
    ],
    ids=["another type", "another type within", "a key that is no text", "what cannot be kept"],
)
def test_what_cannot_be_kept_is_refused_among_many_too(wrong: dict[Any, Any]) -> None:
    value = street()
    value.houses.update(wrong)
    with pytest.raises(Refused, match="Street cannot be kept as Street"):
        CODEC.encode(value, Street)


class Hidden(BaseModel):
    houses: dict[str, Any] = Field(exclude=True)


class Counted(BaseModel):
    houses: dict[str, Any]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def number(self) -> int:
        return len(self.houses)


class Named(BaseModel):
    houses: dict[str, Any]

    @field_serializer("houses")
    def _names(self, houses: dict[str, Any]) -> list[str]:
        return list(houses)


@pytest.mark.parametrize("declared", [Hidden, Counted, Named])
def test_what_a_model_does_with_its_fields_it_does_with_many(declared: type[BaseModel]) -> None:
    value = declared(houses={f"house{number}": number for number in range(NUMBER)})
    assert not _way(declared).many
    assert json.loads(CODEC.encode(value, declared)) == value.model_dump()


def test_what_is_more_than_its_declared_type_is_left_out() -> None:
    class Wide(Street):
        width: int = 3

    value = Wide(**dict(street()))
    assert "width" not in CODEC.encode(value, Street)


def test_what_is_of_another_type_altogether_is_said() -> None:
    with pytest.raises(Refused, match="Expected `Street`"):
        CODEC.encode("High", Street)
