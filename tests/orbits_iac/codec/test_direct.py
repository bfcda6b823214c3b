"""What pydantic's core does by itself is what the careful way does: the same value comes back, with the same digest."""

import dataclasses
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import GenericAlias
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    computed_field,
    create_model,
    field_serializer,
    field_validator,
)
from typing_extensions import TypedDict

from orbits_iac.codec import codec as module
from orbits_iac.codec import many
from orbits_iac.codec.codec import Codec, _Way
from orbits_iac.codec.direct import is_direct, is_read_alike
from orbits_iac.model.errors import Refused

CODEC = Codec(Fernet.generate_key())


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


class Odd(Enum):
    ONE = 1
    NAMED = "one"


class Node(BaseModel):
    value: float
    children: list["Node"] = []


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str | None = None


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
Typed = tuple[Any, st.SearchStrategy[Any]]

TEXT = st.text(st.characters(), max_size=5) | st.sampled_from(["$secret", "null", "\udc80", '"$', "1", "true"])
LEAVES: list[Typed] = [
    (int, st.integers() | st.sampled_from([10**40, -(2**64)])),
    (float, st.floats() | st.integers(-5, 5)),
    (bool, st.booleans()),
    (type(None), st.none()),
    (str, TEXT),
    (bytes, st.binary(max_size=5)),
    (datetime, st.datetimes() | st.datetimes(timezones=st.sampled_from([UTC]))),
    (date, st.dates()),
    (time, st.times()),
    (timedelta, st.timedeltas(timedelta(days=-999), timedelta(days=999))),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (UUID, st.uuids()),
    (Colour, st.sampled_from(Colour)),
    (Level, st.sampled_from(Level)),
    (Odd, st.sampled_from(Odd)),
    (Literal["a", 1, True], st.sampled_from(["a", 1, True])),
    (int | str | bool, st.integers() | TEXT | st.booleans()),
    (float | int | None, st.floats() | st.integers() | st.none()),
    (SecretStr, TEXT.map(SecretStr)),
    (SecretBytes, st.binary(max_size=5).map(SecretBytes)),
    (Pet, st.builds(Cat) | st.builds(Dog, name=TEXT | st.none())),
    (
        Node,
        st.recursive(
            st.builds(Node, value=st.floats()),
            lambda s: st.builds(Node, value=st.just(1.5), children=st.lists(s, max_size=2)),
            max_leaves=3,
        ),
    ),
    (Any, st.none() | st.integers() | TEXT | st.floats() | TEXT.map(SecretStr)),
    (Annotated[Any, PlainValidator(lambda value: value), PlainSerializer(lambda value: [value])], st.integers()),
]


def composed(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """Types made of others, each with its values."""
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        inner.map(lambda t: (_of(list, t[0]), st.lists(t[1], max_size=3))),
        inner.map(lambda t: (_of(tuple, t[0], ...), st.lists(t[1], max_size=3).map(tuple))),
        inner.map(lambda t: (_of(dict, str, t[0]), st.dictionaries(TEXT, t[1], max_size=3))),
        inner.map(lambda t: (_of(dict, int, t[0]), st.dictionaries(st.integers(), t[1], max_size=3))),
        inner.map(lambda t: (t[0] if t[0] is Any else t[0] | None, t[1] | st.none())),
        st.just((set[str], st.sets(TEXT, max_size=3))),
        several.map(_fixed),
        several.map(_model),
        several.map(_dataclass),
        several.map(_typed_dict),
    )


def _of(container: type, *inner: Any) -> Any:
    return GenericAlias(container, inner)


def _fixed(of: list[Typed]) -> Typed:
    return _of(tuple, *(t for t, _ in of)), st.tuples(*(v for _, v in of))


def _model(of: list[Typed]) -> Typed:
    fields: dict[str, Any] = {f"f{number}": (t, ...) for number, (t, _) in enumerate(of)}
    made = create_model("Made", **fields)
    return made, st.builds(made, **{f"f{number}": v for number, (_, v) in enumerate(of)})


def _dataclass(of: list[Typed]) -> Typed:
    made = dataclasses.make_dataclass("Data", [(f"f{number}", t) for number, (t, _) in enumerate(of)], eq=True)
    return made, st.builds(made, **{f"f{number}": v for number, (_, v) in enumerate(of)})


def _typed_dict(of: list[Typed]) -> Typed:
    made = TypedDict("Keyed", {f"f{number}": t for number, (t, _) in enumerate(of)}, total=False)  # type: ignore[misc]
    return made, st.fixed_dictionaries({}, optional={f"f{number}": v for number, (_, v) in enumerate(of)})


TYPES = st.recursive(st.sampled_from(LEAVES), composed, max_leaves=6)


@pytest.fixture(scope="module", autouse=True)
def few_are_many() -> Iterator[None]:
    """Any two values of a dictionary are dumped one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many, "_MANY", 2)
        yield


@contextmanager
def carefully() -> Generator[None]:
    """Nothing is left to pydantic's core."""
    before = module._way

    def way(declared: Any) -> _Way:
        made = _Way(declared, TypeAdapter(declared))
        made.direct, made.read, made.many = False, None, {}
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_way", way)
        yield
    assert module._way is before


def outcome(work: Callable[[], Any]) -> str:
    """What came of it, told apart by type, and NaN equal to itself."""
    try:
        return shown(work())
    except Refused:
        return "refused"


def shown(value: Any) -> str:
    if isinstance(value, SecretStr | SecretBytes):
        return f"{type(value).__name__}({value.get_secret_value()!r})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {shown(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(shown(item) for item in value)})"
    if isinstance(value, set):
        return f"set({sorted(map(repr, value))})"
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        return f"{type(value).__name__}({shown(vars(value))})"
    return repr(value)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_both_ways_lead_to_the_same(data: st.DataObject) -> None:
    declared, values = data.draw(TYPES)
    value = data.draw(values)

    def there_and_back() -> Any:
        return CODEC.decode(CODEC.encode(value, declared), declared)

    def across() -> Any:
        text = CODEC.encode(value, declared)
        with carefully():
            return CODEC.decode(text, declared)

    direct, crossed = outcome(there_and_back), outcome(across)
    with carefully():
        assert direct == outcome(there_and_back)
    assert direct == crossed
    if direct != "refused":
        back = there_and_back()
        digest = CODEC.digest(back)
        with carefully():
            assert digest == CODEC.digest(back)


class Aliased(BaseModel):
    a: int = Field(serialization_alias="b", default=1)


class Floats(BaseModel):
    model_config = ConfigDict(ser_json_timedelta="float")
    a: timedelta


class More(BaseModel):
    model_config = ConfigDict(extra="allow")


class Computed(BaseModel):
    @computed_field  # type: ignore[prop-decorator]
    @property
    def b(self) -> int:
        return 1


class Serialized(BaseModel):
    a: int

    @field_serializer("a", when_used="json")
    def _as_text(self, a: int) -> str:
        return str(a + 1)


class Curious(BaseModel):
    a: int

    @field_validator("a")
    @classmethod
    def _check(cls, a: int, info: Any) -> int:
        return a + len(info.data)


class Keyed(TypedDict):
    a: int


DIRECT = [
    int,
    float | None,
    dict[str, list[int]],
    Node,
    Pet,
    Aliased,
    Keyed,
    Annotated[int, AfterValidator(abs)],
    Colour,
]
CAREFUL = [
    Any,
    bytes,
    set[int],
    SecretStr,
    dict[str, Any],
    dict[int, int],
    dict,
    list,
    Floats,
    More,
    Computed,
    Serialized,
    Curious,
    Cat | Dog,
    date | str,
    list[Annotated[int, PlainSerializer(str)]],
    tuple[SecretStr, ...],
]
READ = [Any, list, dict[str, Any], Serialized, list[Annotated[int, PlainSerializer(str)]]]  # but not written


@pytest.mark.parametrize("declared", DIRECT, ids=str)
def test_what_is_certain_is_left_to_pydantics_core(declared: Any) -> None:
    assert is_direct(TypeAdapter(declared).core_schema)


@pytest.mark.parametrize("declared", CAREFUL, ids=str)
def test_what_is_not_certain_is_not(declared: Any) -> None:
    assert not is_direct(TypeAdapter(declared).core_schema)


@pytest.mark.parametrize("declared", [*DIRECT, *READ], ids=str)
def test_what_is_read_alike_is_read_by_pydantics_core(declared: Any) -> None:
    assert is_read_alike(TypeAdapter(declared).core_schema)


@pytest.mark.parametrize("declared", [one for one in CAREFUL if one not in READ], ids=str)
def test_what_is_not_is_read_by_way_of_pythons_containers(declared: Any) -> None:
    assert not is_read_alike(TypeAdapter(declared).core_schema)


def test_digests_of_equal_values_are_equal_however_they_are_written() -> None:
    class Rated(BaseModel):
        rate: float
        labels: dict[str, str]

    one, other = Rated(rate=1e16, labels={"a": "1", "b": "2"}), Rated(rate=10**16, labels={"b": "2", "a": "1"})
    assert CODEC.digest(one) == CODEC.digest(other) == CODEC.digest({"rate": 1e16, "labels": other.labels})
    assert CODEC.digest("{}") != CODEC.digest({})


def test_a_validator_that_is_told_nothing_sees_what_it_would_see_otherwise() -> None:
    seen: list[Any] = []

    def look(value: Any) -> Any:
        seen.append(value)
        return value

    declared = Annotated[tuple[int, ...], BeforeValidator(look)]
    assert CODEC.decode(CODEC.encode((1, 2), declared), declared) == (1, 2)
    assert seen == [[1, 2]]
