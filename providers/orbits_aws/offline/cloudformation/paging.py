"""Lists in pages: what comes next is named by a token. Pure."""

import re
from collections.abc import Sequence
from typing import Any

from .errors import ValidationError
from .place import Request

SIZE = 100
"""How many items a page holds where the service does not let the caller say."""
_TOKEN = re.compile(r"page-(\d+)")


def page(items: Sequence[Any], request: Request) -> tuple[list[Any], str | None]:
    """The page that a request asks for, and the token of the next one; None if it is the last.

    Raises ValidationError for a token that no page had.
    """
    token = request.get("NextToken")
    found = _TOKEN.fullmatch(str(token)) if token else None
    if token and (found is None or int(found.group(1)) >= len(items)):
        raise ValidationError("Invalid nextToken")
    start = int(found.group(1)) if found else 0
    size = int(request.get("MaxResults") or SIZE)
    return list(items[start : start + size]), f"page-{start + size}" if start + size < len(items) else None
