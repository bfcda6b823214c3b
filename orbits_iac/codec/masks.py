"""Secrets that went through the codec, found again in texts: in errors, progress and events.

A secret is known by what it looks like where people and libraries put it: as it is, escaped for JSON, Python, a URL or
HTML, and in base 64 or hexadecimal, alone or amid other text. What was derived from it in another way is not found.
"""

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

STARS = "**********"
_SHORTEST = 4  # characters: a shorter secret would be found in every other word
_SHORTEST_CODED = 8  # of a form in which letters stand for others: a shorter one is found by chance
_cut_by_pydantic = re.compile(r"input_value=(?P<first>.*?)\.\.\.(?P<last>.*?)(?=['\"]?, input_type=)", re.DOTALL)
_SHORTEST_LINE = 16  # of a secret with several, as keys are
_MOST = 10_000  # secrets; the one that was known first is forgotten


class Masks:
    """The secrets that are known, and a text without them."""

    def __init__(self) -> None:
        self._forms: dict[str | bytes, tuple[str, ...]] = {}
        self._longest_first: list[str] | None = None

    def know(self, secret: str | bytes) -> None:
        """Mask this from now on."""
        if secret in self._forms or len(secret) < _SHORTEST:
            return
        if len(self._forms) >= _MOST:
            del self._forms[next(iter(self._forms))]
        self._forms[secret] = tuple(dict.fromkeys(_forms(secret)))
        self._longest_first = None

    def masked(self, text: str) -> str:
        """`text` with stars for every secret in it."""
        if not self._forms:
            return text
        if self._longest_first is None:  # so that no end of a longer one is left
            found = {form for forms in self._forms.values() for form in forms}
            self._longest_first = sorted(found, key=len, reverse=True)
        for form in self._longest_first:
            if form in text:
                text = text.replace(form, STARS)
        return _cut_by_pydantic.sub(self._masked_ends, text) if "input_value=" in text else text

    def _masked_ends(self, found: re.Match[str]) -> str:
        """The value in a message of pydantic's, which leaves out the middle of a long one, if its ends are secret."""
        ends = found["first"][-_SHORTEST_CODED:], found["last"][:_SHORTEST_CODED]
        if any(end and end in form for form in self._longest_first or () for end in ends):
            return f"input_value={STARS}"
        return found[0]


def _forms(secret: str | bytes) -> Iterator[str]:
    """How a secret may stand in a text."""
    text, raw = _both(secret)
    if text is not None:
        yield text
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])
        yield html.escape(text)
        lines = text.splitlines()
        yield from (line for line in lines if len(lines) > 1 and len(line) >= _SHORTEST_LINE)
    yield repr(raw)[2:-1]
    yield from (quote_plus(raw), *(quote(raw, safe=safe) for safe in _LEFT_BY_URLS))
    yield from (coded for coded in (*_base64(raw), raw.hex()) if len(coded) >= _SHORTEST_CODED)


def _both(secret: str | bytes) -> tuple[str | None, bytes]:
    if isinstance(secret, str):
        return secret, secret.encode("utf-8", "surrogatepass")
    try:
        return secret.decode(), secret
    except UnicodeDecodeError:
        return None, secret


def _base64(raw: bytes) -> Iterator[str]:
    """The letters that stand for `raw` whatever is before it and after it, for each place it may have in a group."""
    for before in range(3):
        padded = b"\0" * before + raw
        first, last = -(-before * 8 // 6), len(padded) * 8 // 6
        letters = base64.b64encode(padded).decode()[first:last]
        yield letters
        yield letters.translate(_URL_SAFE)


_URL_SAFE = str.maketrans("+/", "-_")
_LEFT_BY_URLS = ("", "/", "!$&'()*+,;=:@", "!$&'()*+,;=:@/", "!$&'()*+,;=:@/?")
"""What libraries leave as it is in a URL: in a part of a path, in a whole one, in a query (RFC 3986, 3.3 and 3.4)."""
