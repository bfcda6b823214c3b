import pytest

from orbits_iac.model.errors import UsageError
from orbits_iac.store import open_store


@pytest.mark.parametrize("url", ["", "sqlite:", "memory", "memory:x", "postgres://x", "a.db"])
def test_url_that_names_no_store_is_refused_with_those_that_do(url: str) -> None:
    with pytest.raises(UsageError, match="names no store: give sqlite:PATH"):
        open_store(url)
