"""Sources: what they read, and what they say of a list that is wrong."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from orbits_iac.provider import UsageError
from orbits_tenants import (
    CombinedSource,
    DirectorySource,
    FunctionSource,
    JsonSource,
    ListSource,
    Source,
    Tenant,
    YamlSource,
)
from orbits_tenants.sources.source import read


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
        ("{}\n", "clients.yaml, line 1: holds no list: write each tenant as `- id`, alone or below `tenants:`"),
        ("- acme\n- bolt\n- acme\n", "clients.yaml, line 3: tenant 'acme' is there twice, first in line 1"),
        (
            "- acme\n- id: bolt\n  lables: {}\n",
            "clients.yaml, line 2: tenant 'bolt': unknown field 'lables' (there are: ",
        ),
        ("- labels: {}\n", "clients.yaml, line 1: id: is missing"),
        ("- acme\n- 7\n", "clients.yaml, line 2: id: has to be text: put it in quotes, got 7"),
        ("- 'two words'\n", "clients.yaml, line 1: tenant 'two words': id: is 1 to 63 letters"),
        (
            "- id: acme\n  labels: {big: yes}\n",
            "clients.yaml, line 1: tenant 'acme': labels.big: has to be text: put it in quotes",
        ),
        (
            "- id: acme\n  labels:\n    plan: large\n    on: yes\n",
            "clients.yaml, line 4: tenant 'acme': labels: YAML reads on: yes as True: True, and both have to be text",
        ),
        ("- labels: {1: eu}\n", "clients.yaml, line 1: labels: YAML reads 1: eu as 1: 'eu', and both have to be text"),
        ("- id: acme\n  id: bolt\n", "clients.yaml, line 2: the key 'id' is there twice in one tenant"),
        (
            "- id: acme\n  targets: [moon]\n",
            "clients.yaml, line 1: tenant 'acme': targets: 'moon' is no target",
        ),
        (
            "- id: acme\n  labels: {a=b: c}\n",
            "clients.yaml, line 1: tenant 'acme': labels: 'a=b': 'c'",
        ),
        ("- id: acme\n  ? [a]\n  : b\n", "clients.yaml, line 2: a key that is no text"),
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


def test_what_yaml_reads_as_no_text_is_said_once_with_how_to_write_it(clients: Path) -> None:
    clients.write_text("- id: acme\n  labels: {on: yes}\n")
    with pytest.raises(UsageError, match=r'have to be text: put them in quotes, as in "on": "yes"$'):
        read(YamlSource("clients.yaml"))
    with pytest.raises(UsageError, match=r"labels: the name True has to be text: put it in quotes$"):
        read(ListSource([{"id": "acme", "labels": {True: True}}]))


def test_labels_may_be_merged_from_others_in_the_file(clients: Path) -> None:
    clients.write_text("- id: acme\n  labels: &all {plan: large}\n- id: bolt\n  labels: {<<: *all, 'on': 'yes'}\n")
    assert read(YamlSource("clients.yaml"))[1].labels == {"plan": "large", "on": "yes"}


def test_a_file_may_be_given_as_a_path(clients: Path) -> None:
    clients.write_text("- acme\n")
    source = YamlSource(clients)
    assert ([tenant.id for tenant in read(source)], source.place("acme")) == (["acme"], f"{clients}, line 1")
    assert DirectorySource(clients.parent).name == str(clients.parent)


def test_all_that_is_wrong_is_named_and_of_many_the_first_ten(clients: Path) -> None:
    clients.write_text("- acme\n- 7\n- acme\n- {id: bolt, colour: red}\n")
    with pytest.raises(UsageError) as refused:
        read(YamlSource("clients.yaml"))
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"clients.yaml, line {number}" for number in (2, 3, 4)]
    clients.write_text("- 7\n" * 1002)
    with pytest.raises(UsageError) as refused:
        read(YamlSource("clients.yaml"))
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (11, "and 992 more")


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
    [
        ([], "the list of tenants names no tenant"),
        (["acme", "acme"], "the list of tenants, entry 2: tenant 'acme' is there twice, first in entry 1"),
        (
            [{"id": "acme", "labels": {True: True}}],
            "entry 1: tenant 'acme': labels: the name True has to be text: put it in quotes",
        ),
        (["a/b"], "the list of tenants, entry 1: tenant 'a/b': id: is 1 to 63"),
        ([7], "the list of tenants, entry 1: id: has to be text: put it in quotes, got 7"),
        ([["x" * 200]], f"the list of tenants, entry 1: id: has to be text, got ['{'x' * 98}..."),
        (
            ["acme", {"id": "bolt", "plan": "large"}],
            "the list of tenants, entry 2: tenant 'bolt': unknown field 'plan'",
        ),
        (
            [{"id": "acme", "overrides": {"at": [{"key": object()}]}}],
            "tenant 'acme': overrides.at.0.key: a object cannot",
        ),
        ([{"id": "acme", "overrides": {"rate": float("nan")}}], "tenant 'acme': overrides.rate: the number nan cannot"),
        (
            [{"id": "acme", "overrides": {"by": {1: "one"}}}],
            "tenant 'acme': overrides.by.1: a key that is a int cannot",
        ),
    ],
)
def test_a_list_that_is_wrong_is_refused(tenants: list[Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(ListSource(tenants))
    assert said in str(refused.value)


def test_a_list_may_hold_the_fields_of_tenants() -> None:
    overrides = {"since": date(2026, 1, 2), "sizes": [1, 2.5, None, True], "in": {"eu": "x"}}
    [tenant] = read(ListSource([{"id": "acme", "labels": {"plan": "large"}, "overrides": overrides}]))
    assert tenant == Tenant(id="acme", labels={"plan": "large"}, overrides=overrides)


@pytest.mark.parametrize(
    "text",
    [
        '["acme", {"id": "bolt", "labels": {"plan": "large"}}]',
        '{"tenants": ["acme", {"id": "bolt",\n\t"labels": {"plan": "large"}}]}',
    ],
)
def test_a_file_may_be_json(clients: Path, text: str) -> None:
    clients.with_suffix(".json").write_text(text)
    assert read(JsonSource("clients.json")) == (Tenant(id="acme"), Tenant(id="bolt", labels={"plan": "large"}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "clients.json, line 1: is not valid JSON: Expecting value"),
        ('["acme",\n"bolt",]', "clients.json, line 2: is not valid JSON"),
        ("[]", "clients.json: the list of tenants is empty: name at least one"),
        ('{"id": "acme"}', "clients.json: holds no list"),
        ('["acme", "bolt", "acme"]', "clients.json, entry 3: tenant 'acme' is there twice, first in entry 1"),
        ('["acme", {"id": "bolt", "lables": {}}]', "clients.json, entry 2: tenant 'bolt': unknown field 'lables'"),
        ('[{"labels": {}}]', "clients.json, entry 1: id: is missing"),
        ('[{"id": "acme", "id": "bolt"}]', "clients.json: the key 'id' is there twice in one object"),
        *(
            (json.dumps([{"id": "acme", field: value}]), f"clients.json, entry 1: tenant 'acme': {field}")
            for field, value in {
                "name": "\ud800",
                "paused": "half a \udc00",
                "labels": {"\ud800": ""},
                "overrides": {"a": [{"\ud800": 1}]},
            }.items()  # half a character, which no store keeps
        ),
        ('[{"id": "acme", "targets": ["moon"]}]', "clients.json, entry 1: tenant 'acme': targets: 'moon'"),
    ],
)
def test_what_is_wrong_in_json_is_named_by_file_entry_and_field(clients: Path, text: str, said: str) -> None:
    clients.with_suffix(".json").write_text(text)
    with pytest.raises(UsageError) as refused:
        read(JsonSource("clients.json"))
    assert str(refused.value).startswith(said)


@pytest.fixture
def folder(clients: Path) -> Path:
    made = clients.parent / "clients"
    (made / "old").mkdir(parents=True)
    (made / "b.yml").write_text("id: bolt\nlabels: {plan: large}\n")
    (made / "a.yaml").write_text("- acme\n- anvil\n")
    (made / "c.json").write_text('{"id": "cafe"}')
    (made / "README.md").write_text("# ours\n")
    (made / ".#b.yml").symlink_to("ada@laptop.4711")  # an editor's lock
    (made / "old" / "d.yaml").write_text("- dodo\n")
    return made


def test_a_folder_holds_tenants_file_by_file(folder: Path) -> None:
    (folder / "c.json").rename(folder / "c.JSON")
    assert [tenant.id for tenant in read(DirectorySource(folder.name))] == ["acme", "anvil", "bolt", "cafe"]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "d.yaml",
            "id: acme\n",
            "tenant 'acme' is there twice, in clients/a.yaml and in clients/d.yaml: take one away",
        ),
        ("d.yaml", "", "clients/d.yaml: the list of tenants is empty"),
        ("d.json", '{"id": "dodo"', "clients/d.json, line 1: is not valid JSON"),
        ("d.yml", "id: dodo\nplan: large\n", "clients/d.yml, line 1: tenant 'dodo': unknown field 'plan'"),
    ],
)
def test_one_file_that_is_wrong_makes_the_folder_unusable(folder: Path, file: str, text: str, said: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(UsageError) as refused:
        read(DirectorySource(folder.name))
    assert str(refused.value).startswith(said)


def test_a_folder_without_tenants_is_refused(clients: Path) -> None:
    with pytest.raises(UsageError, match=r"the folder nowhere cannot be read from /"):
        read(DirectorySource("nowhere"))
    with pytest.raises(UsageError, match="holds no file of a tenant"):
        read(DirectorySource(str(clients.parent)))


def test_a_function_says_who_there_is() -> None:
    def customers() -> list[Tenant | str]:
        return ["acme", Tenant(id="bolt")]

    assert [tenant.id for tenant in read(FunctionSource(customers))] == ["acme", "bolt"]


def test_a_function_that_fails_is_named() -> None:
    def customers() -> list[str]:
        raise ConnectionError("the CRM does not answer")

    with pytest.raises(UsageError, match=r"customers\(\) cannot be read: ConnectionError: the CRM does not answer"):
        read(FunctionSource(customers))
    with pytest.raises(UsageError, match=r"_customers\(\), entry 2: tenant 'a/b': id: is 1 to 63"):
        read(FunctionSource(_customers))


class Crash(BaseException):
    """No Exception, as somebody's own may be."""


@pytest.mark.parametrize(
    ("error", "said"),
    [(SystemExit(), "SystemExit"), (SystemExit(5), "SystemExit: 5"), (Crash("no CRM"), "Crash: no CRM")],
)
def test_who_there_is_may_not_end_the_process(error: BaseException, said: str) -> None:
    def customers() -> list[str]:
        raise error

    for source in (FunctionSource(customers), CombinedSource(FunctionSource(customers))):
        with pytest.raises(UsageError, match=rf"customers\(\) cannot be read: {said}$"):
            read(source)
    with pytest.raises(UsageError, match=f"^Theirs cannot be read: {said}$"):
        read(Theirs(error))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError()])
def test_whoever_ends_a_reading_is_heard(error: BaseException) -> None:
    def customers() -> list[str]:
        raise error

    for source in (FunctionSource(customers), Theirs(error)):
        with pytest.raises(type(error)):
            read(source)


def _customers() -> Iterator[str]:
    yield "acme"
    yield "a/b"


async def _awaited() -> list[str]:
    return ["acme"]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda: "acme", "<lambda>() returned a str, and no list of tenants"),
        (lambda: {"tenants": ["acme"]}, "<lambda>() returned a dict, and no list of tenants"),
        (lambda: None, "<lambda>() returned a NoneType, and no list of tenants"),
        (_awaited, "_awaited() is an async function"),
    ],
)
def test_what_a_function_returns_has_to_be_a_list(function: Any, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(FunctionSource(function))
    assert said in str(refused.value)


class Theirs(Source):
    """Somebody's own source, which does not keep to the contract."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def read(self) -> Sequence[Tenant]:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return cast("Sequence[Tenant]", self._answer)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ConnectionError("nobody answers"), "Theirs cannot be read: ConnectionError: nobody answers"),
        (None, "Theirs cannot be read: TypeError"),
        ([Tenant(id="acme"), None], "Theirs, entry 2: read() gave a NoneType, and no Tenant"),
        ([Tenant(id="acme"), Tenant(id="acme")], "Theirs, entry 2: tenant 'acme' is there twice, first in entry 1"),
    ],
)
def test_a_source_of_somebodys_own_makes_no_shorter_list(answer: Any, said: str) -> None:
    for source in (Theirs(answer), CombinedSource(ListSource(["first"]), Theirs(answer))):
        with pytest.raises(UsageError) as refused:
            read(source)
        assert str(refused.value).startswith(said)


def test_sources_are_combined_in_the_order_given(folder: Path) -> None:
    both = CombinedSource(ListSource(["first"]), DirectorySource(folder.name))
    assert [tenant.id for tenant in read(both)] == ["first", "acme", "anvil", "bolt", "cafe"]
    with pytest.raises(
        UsageError, match="tenant 'acme' is there twice, in the list of tenants and in clients: take one away"
    ):
        read(CombinedSource(ListSource(["acme"]), DirectorySource(folder.name)))


def test_one_source_that_fails_makes_the_combination_unusable() -> None:
    with pytest.raises(UsageError, match=r"there is no file nowhere.yaml"):
        read(CombinedSource(ListSource(["acme"]), YamlSource("nowhere.yaml")))
