"""Values as JSON text and back: what comes back is what went in, or it is refused where it went in."""

import math
from collections import deque
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from orbits_iac.codec import Codec
from orbits_iac.model.errors import Refused, StoreError

CODEC = Codec(Fernet.generate_key())


class Colour(StrEnum):
    """A value with a name."""

    RED = "red"


class Inner(BaseModel):
    """Holds a secret."""

    token: SecretStr
    raw: SecretBytes = SecretBytes(b"\xff\x00")


class Outer(BaseModel):
    """Holds models, in every way."""

    one: Inner
    many: list[Inner] = []
    maybe: Inner | None = None
    named: dict[str, Inner] = {}


class Wider(Outer):
    """Has more than what was declared."""

    more: int = 7


@dataclass(frozen=True)
class Point:
    """No model."""

    x: int
    y: float


INNER = Inner(token=SecretStr("hunter22"))

VALUES: list[tuple[str, Any, Any]] = [
    ("none", None, type(None)),
    ("none where there may be one", None, int | None),
    ("any", {"a": [1, 2.5, None, "x"]}, Any),
    ("dictionary with numbers as keys", {1: "a", -2: "b"}, dict[int, str]),
    ("dictionary with an enum's member", {Colour.RED: 1}, dict[Colour, int]),
    ("dictionary with times", {datetime(2026, 1, 1, tzinfo=UTC): 1}, dict[datetime, int]),
    ("enum", Colour.RED, Colour),
    ("decimal", Decimal("1.10"), Decimal),
    ("dataclass", Point(1, 2.0), Point),
    ("huge number", 10**400, int),
    ("infinity", math.inf, float),
    ("unicode", "grün 😀 \u2028 \x00", str),
    ("lone surrogate", "a\udc80b", str),
    ("bytes", b"\xff\x00", bytes),
    ("secret bytes", SecretBytes(b"\xff\x00 secret"), SecretBytes),
    ("secrets in models", Outer(one=INNER, many=[INNER], maybe=INNER, named={"x": INNER}), Outer),
    ("a secret of unknown type stays one", {"a": [SecretStr("hunter22")]}, Any),
    ("what looks like a mark of ours", {"$secret": "x"}, Any),
    ("what looks like bytes of ours", {"a": {"$bytes": "x"}}, dict[str, Any]),
    ("what looks like a mark around a mark", {"$dict": {"$secret": {"$dict": 1}}}, Any),
    ("a secret date", Secret[date](date(2026, 1, 1)), Secret[date]),
    ("a secret model", Secret[Inner](INNER), Secret[Inner]),
    ("a secret dictionary of unknown type", [Secret({"a": "hunter22", "$secret": 1})], list[Any]),
    ("secrets in a set", {SecretStr("hunter22")}, set[SecretStr]),
    ("secrets in a queue", deque([SecretStr("hunter22")]), deque[SecretStr]),
    ("a secret that is no Unicode", SecretStr("a\udc80"), SecretStr),
    ("key that is no Unicode", {"a\udc80": 1}, dict[str, int]),
    ("the longest number", 10**4299, int),
    ("infinity among numbers that may be none", [math.inf, None, 1.0], list[float | None]),
    ("ten megabytes", "é" * 5_000_000, str),
]


@pytest.mark.parametrize(("value", "declared"), [v[1:] for v in VALUES], ids=[v[0] for v in VALUES])
def test_what_went_in_comes_back(value: Any, declared: Any) -> None:
    text = CODEC.encode(value, declared)
    assert "hunter22" not in text
    text.encode()
    assert CODEC.decode(text, declared) == value


def test_no_number_comes_back() -> None:
    assert math.isnan(CODEC.decode(CODEC.encode(math.nan, float), float))


def test_more_than_was_declared_is_left_out_at_once() -> None:
    assert CODEC.decode(CODEC.encode(Wider(one=INNER), Outer), Outer) == Outer(one=INNER)


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (object(), Any),
        (lambda: 1, int),
        ("x", int),
        (CIRCLE, Any),
        ({1: "a", "1": "b"}, Any),
        (10**5000, int),
        ({SecretStr("hunter22"): 1}, dict[SecretStr, int]),
    ],
    ids=[
        "object",
        "function",
        "wrong type",
        "circle",
        "keys that are the same as text",
        "number beyond all measure",
        "secret for a key",
    ],
)
def test_what_cannot_be_kept_is_refused(value: Any, declared: Any) -> None:
    with pytest.raises(Refused, match="cannot be kept"):
        CODEC.encode(value, declared)


@pytest.mark.parametrize("token", ["hunter22", b"hunter22", 5.5], ids=repr)
def test_what_should_be_secret_and_is_not_is_refused_and_not_shown(token: Any) -> None:
    value = Outer(one=INNER, named={"a": Inner.model_construct(token=token)})
    with pytest.raises(Refused, match="declared to be secret holds plain") as refused:
        CODEC.encode(value, Outer)
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "declared"),
    [(Point("hunter22", 1.0), Point), ("hunter22", int), (["hunter22"], list[int])],  # type: ignore[arg-type]
    ids=["field", "whole", "item"],
)
def test_a_refusal_does_not_show_what_was_refused(value: Any, declared: Any) -> None:
    with pytest.raises(Refused, match="input_type=str") as refused:
        CODEC.encode(value, declared)
    assert "hunter22" not in str(refused.value)


def test_digests_depend_on_secrets_and_show_nothing_of_them() -> None:
    one, other = Inner(token=SecretStr("hunter22")), Inner(token=SecretStr("hunter23"))
    assert CODEC.digest(one) == CODEC.digest(INNER)
    assert CODEC.digest(one) != CODEC.digest(other)
    assert CODEC.digest(one) != Codec(Fernet.generate_key()).digest(one)


def test_another_key_says_which_setting_to_put_right() -> None:
    text = CODEC.encode(INNER, Inner)
    with pytest.raises(StoreError, match="ORBITS_SECRET_KEY"):
        Codec(Fernet.generate_key()).decode(text, Inner)


def test_secrets_that_went_through_are_masked_in_text() -> None:
    codec = Codec(Fernet.generate_key())
    text = codec.encode(INNER, Inner)
    assert codec.mask("with hunter22!") == "with **********!"
    later = Codec(codec_key := Fernet.generate_key())
    text = Codec(codec_key).encode(INNER, Inner)
    later.decode(text, Inner)
    assert later.mask("hunter22") == "**********"
