"""Sources: what they read, and what they say of a list that is wrong."""

from pathlib import Path

import pytest

from orbits_iac.provider import UsageError
from orbits_tenants import ListSource, Tenant, YamlSource
from orbits_tenants.sources import read


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "clients.yaml"


@pytest.mark.parametrize(
    "text",
    [
        "- acme\n- id: bolt\n  labels: {plan: large}\n  overrides: {visibility: 60}\n",
        "# we\ntenants:\n  - acme\n  - id: bolt\n    labels:\n      plan: large\n    overrides:\n     visibility: 60\n",
    ],
)
def test_a_file_lists_tenants_in_order(clients: Path, text: str) -> None:
    clients.write_text(text)
    assert read(YamlSource("clients.yaml")) == (
        Tenant(id="acme"),
        Tenant(id="bolt", labels={"plan": "large"}, overrides={"visibility": 60}),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "clients.yaml: the list of tenants is empty: name at least one"),
        ("tenants:\n", "clients.yaml: the list of tenants is empty: name at least one"),
        ("tenants: []\n", "clients.yaml: the list of tenants is empty: name at least one"),
        ("acme\n", "clients.yaml, line 1: holds no list"),
        ("# ours\nclients:\n  - acme\n", "clients.yaml, line 2: has the keys clients: a list below `tenants:` alone"),
        ("- acme\n- bolt\n- acme\n", "clients.yaml, line 3: tenant 'acme' is there twice, first in line 1"),
        (
            "- acme\n- id: bolt\n  lables: {}\n",
            "clients.yaml, line 2: tenant 'bolt': unknown field 'lables' (there are: ",
        ),
        ("- labels: {}\n", "clients.yaml, line 1: id: is missing"),
        ("- acme\n- 7\n", "clients.yaml, line 2: id: Input should be a valid string, got 7"),
        ("- 'two words'\n", "clients.yaml, line 1: tenant 'two words': id: String should match pattern"),
        (
            "- id: acme\n  labels: {big: yes}\n",
            "clients.yaml, line 1: tenant 'acme': labels.big: Input should be a valid",
        ),
        ("- id: acme\n  id: bolt\n", "clients.yaml, line 2: the key 'id' is there twice in one tenant"),
        ("- id: acme\n  targets: []\n", "clients.yaml, line 1: tenant 'acme': targets: is not built yet"),
        ("- acme\n- [\n", "clients.yaml, line 3: is not valid YAML"),
        ("- a: b: c\n", "clients.yaml, line 1: is not valid YAML: mapping values are not allowed here"),
        (
            "- !!python/object:os.system x\n",
            "clients.yaml, line 1: holds no plain value: could not determine a constructor",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_field(clients: Path, text: str, said: str) -> None:
    clients.write_text(text)
    with pytest.raises(UsageError) as refused:
        read(YamlSource("clients.yaml"))
    assert str(refused.value).startswith(said)


def test_a_missing_file_is_named_with_the_folder_that_was_looked_in(clients: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file clients.yaml in /"):
        read(YamlSource(clients.name))


def test_a_file_that_is_no_text_is_named(clients: Path) -> None:
    clients.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"clients.yaml cannot be read"):
        read(YamlSource(clients.name))


def test_a_list_stands_in_the_code() -> None:
    assert [tenant.id for tenant in read(ListSource(["acme", Tenant(id="bolt")]))] == ["acme", "bolt"]


@pytest.mark.parametrize(
    ("tenants", "said"),
    [([], "names no tenant"), (["acme", "acme"], "names tenant 'acme' twice"), (["a/b"], "entry 1: id: String should")],
)
def test_a_list_that_is_wrong_is_refused(tenants: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(ListSource(tenants))
