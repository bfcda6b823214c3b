"""Secrets are found again in texts, in whatever form libraries put them there."""

import base64
import html
import json
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from cryptography.fernet import Fernet
from pydantic import Secret, SecretBytes, SecretStr, TypeAdapter, ValidationError
from requests import Request
from urllib3.util import parse_url

from orbits_iac.codec import Codec
from orbits_iac.codec.masks import STARS, Masks

SECRET = 'p@ss "wörd"/\\&\n+1'
LONG = "".join(f"{number:02}k" for number in range(40))
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END KEY-----\n"

TEXTS = {
    "itself": f"it is {SECRET}!",
    "JSON": json.dumps({"password": SECRET}),
    "JSON with letters": json.dumps([SECRET], ensure_ascii=False),
    "Python": repr({"password": SECRET}),
    "bytes of Python": repr(SECRET.encode()),
    "part of a URL": f"https://me:{quote(SECRET, safe='')}@host/{quote(SECRET)}",
    "path of a URL that was asked for": str(Request("GET", f"https://host/{quote(SECRET, safe='')}").prepare().url),
    "part of a URL as urllib3 writes it": str(parse_url(f"https://host/{SECRET}?{SECRET}")),
    "query of a URL": f"https://host/?{urlencode({'p': SECRET})}&{quote_plus(SECRET)}",
    "HTML": html.escape(SECRET),
    "base 64": base64.b64encode(SECRET.encode()).decode(),
    "base 64 for URLs": base64.urlsafe_b64encode(b"\xff\xfe" + SECRET.encode()).decode(),
    "basic authentication": "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode(),
    "amid more in base 64": base64.b64encode(f"user:{SECRET} and more".encode()).decode(),
    "hexadecimal": SECRET.encode().hex(),
}


@pytest.mark.parametrize("form", TEXTS)
def test_every_form_is_masked(form: str) -> None:
    masks = Masks()
    masks.know(SECRET)
    masked = masks.masked(TEXTS[form])
    assert STARS in masked
    raw = SECRET.encode()
    for start in range(len(raw) - 7):
        assert raw[start : start + 8].decode("utf-8", "ignore") not in masked
        assert raw[start : start + 8].hex() not in masked


def test_a_line_of_a_key_is_masked() -> None:
    masks = Masks()
    masks.know(KEY)
    assert masks.masked("line 2 is wrong: 9w0BAQEFAASCBKcwggSj") == f"line 2 is wrong: {STARS}"


@pytest.mark.parametrize("wrong", [LONG, {"password": LONG}, [LONG]], ids=["alone", "in a dictionary", "in a list"])
def test_the_ends_of_a_long_one_that_pydantic_cut_are_masked(wrong: Any) -> None:
    masks = Masks()
    masks.know(LONG)
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(int).validate_python(wrong)
    masked = masks.masked(str(refused.value))
    assert "input_type=" in masked
    for start in range(len(LONG) - 8):
        assert LONG[start : start + 8] not in masked


def test_what_pydantic_cut_is_left_if_it_is_no_secret() -> None:
    masks = Masks()
    masks.know(LONG)
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(int).validate_python("y" * 90)
    assert masks.masked(str(refused.value)) == str(refused.value)


def test_the_longer_of_two_secrets_leaves_no_end() -> None:
    masks = Masks()
    for secret in ("hunter2", "hunter22"):
        masks.know(secret)
    assert masks.masked("hunter22 hunter2") == f"{STARS} {STARS}"


def test_a_secret_too_short_to_be_told_from_other_words_is_left() -> None:
    masks = Masks()
    masks.know("abc")
    assert masks.masked("abc") == "abc"


def test_the_oldest_of_very_many_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orbits_iac.codec.masks._MOST", 2)
    masks = Masks()
    for secret in ("one secret", "two secrets", "three secrets"):
        masks.know(secret)
    assert masks.masked("one secret, two secrets") == f"one secret, {STARS}"


def test_masked_json_is_json() -> None:
    codec = Codec(Fernet.generate_key())
    codec.encode([Secret(12345678), SecretStr("hunter22")], list[Any])
    masked = [codec.mask_json(text) for text in ('{"a": "hunter22"}', '{"a": 12345678}', "12345678", "[1]")]
    assert masked == [f'{{"a": "{STARS}"}}', f'"{STARS}"', f'"{STARS}"', "[1]"]


def test_every_type_of_secret_becomes_known() -> None:
    codec = Codec(Fernet.generate_key())
    codec.encode(SecretStr("hunter22"), SecretStr)
    raw = b"\xffbytes"
    codec.encode(SecretBytes(raw), SecretBytes)
    codec.encode(Secret({"port": 54321, "names": ["alpha one"], "on": True, "none": None}), Any)
    text = codec.mask(f"hunter22 {raw!r} 54321 alpha one True None")
    assert text == f"{STARS} b'{STARS}' {STARS} {STARS} True None"
