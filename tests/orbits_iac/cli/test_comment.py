"""A plan as a comment on a pull request: what comes first, what cannot be read as anything else, how long it gets."""

import re
from dataclasses import replace
from typing import Any

import pytest

from orbits_iac.cli.comment import LONGEST, as_comment, code, marker
from orbits_iac.cli.planned import as_document
from orbits_iac.model.plans import Change, Plan, PropertyChange, Verb
from tests.servers.commands import Commands

from .conftest import Project


@pytest.fixture(scope="module", autouse=True)
def _begun(commands: Commands) -> None:
    """What forks commands is begun before any of them."""


def plan(*below: Change, **more: Any) -> Plan:
    root = Change(verb=Verb.UPDATE, kind="Shops", identity="Shops", detail="revision 1 → 2", below=below)
    return Plan(project="agency", kind="Shops", build="0a1b", root=root, **more)


def shop(name: str, release: str = "2", *, verb: Verb = Verb.UPDATE, **more: Any) -> Change:
    """A tenant's stack: a migration that cannot be taken back, and a door in the colour of the release."""
    colour = PropertyChange(path="colour", before='"1"', after=f'"{release}"')
    door = Change(verb=verb, ref="door", kind="Door", identity=f"Shop {name}/door", properties=(colour,), **more)
    stone = Change(verb=Verb.RUN, ref="stone", kind="inscribe", no_return=True)
    return Change(
        verb=verb,
        ref=f"tenant[{name}]",
        kind="Shop",
        identity=name,
        key=f"update/tenant:Shop:update:{name}",
        below=(door, *([stone] if verb is Verb.UPDATE else [])),
    )


def test_what_needs_a_decision_comes_first_and_the_rest_is_by_groups() -> None:
    below = [
        *(shop(name) for name in ("acme", "bolt", "cafe", "dora", "eden", "fawn")),
        shop("gold", verb=Verb.REPLACE, stateful_loss=True),
        *(shop(name, verb=Verb.UNCHANGED) for name in ("hall", "iris")),
        Change(verb=Verb.CREATE, ref="bell", kind="Bell", waits=("door",), detail="then what depends on door"),
    ]
    made = plan(*below)
    release = PropertyChange(path="release", before='"1"', after='"2"')
    made = replace(made, root=replace(made.root, fields=(release,)))
    assert (
        as_comment(made)
        == f"""\
<!-- orbits preview agency Shops Shops update -->
### `Shops Shops`

**To do: 6 to update, 6 to run, 1 to replace, 1 to create, and what depends on them.**

`release`: `1` → `2`

**Needs a decision**
- **loses data**: `Door Shop gold/door`, unless it is accepted by name: `--accept-loss 'Door Shop gold/door'`
- **no return** after `stone` of 6 tenants (`acme, bolt, cafe, dora, eden, fawn`)
- **not known yet**: in `bell`, what depends on `door`

<details open><summary>replace <code>tenant[gold] Shop</code></summary>

```text
tenant[gold]  Shop gold  ± replace
└─ door       Door       ± replace  loses data
                                    colour: 1 → 2
```

</details>

<details open><summary><b>6 tenants</b>: update <code>acme, bolt, cafe, dora, eden, fawn</code></summary>

```text
6 tenants  Shop      ~ update  acme, bolt, cafe, dora, eden, fawn
├─ door    Door      ~ update  colour: 1 → 2
└─ stone   inscribe  ▸ runs    no return
```

</details>

<details open><summary>create <code>bell Bell</code></summary>

```text
bell  Bell  + create  then what depends on door
```

</details>

Unchanged: 2 tenants `Shop`.

Plan `{made.digest}` of build `0a1b`.
"""
    )


def test_the_groups_are_in_the_document_too() -> None:
    document = as_document(plan(*(shop(name) for name in ("acme", "bolt", "cafe", "dora")), shop("eden", "3")))
    found = [(group["path"], group["ref"], group["names"], group["removes"]) for group in document["groups"]]
    assert found == [([], "tenant", ["acme", "bolt", "cafe", "dora"], False), ([], "tenant", ["eden"], False)]


def test_one_stack_is_shown_as_a_tree() -> None:
    said = as_comment(replace(plan(shop("acme")), kind="Shops"))
    assert said.count("<details") == 1
    assert "All of <code>Shops Shops</code>" in said
    assert "tenant[acme]" in said


def test_what_could_not_be_previewed_is_among_what_needs_a_decision() -> None:
    bad = [shop(name, verb=Verb.UNKNOWN) for name in ("acme", "bolt", "cafe", "dora")]
    said = as_comment(plan(*(replace(one, detail="fails: LookupError: no plan", below=()) for one in bad)))
    assert "- **not previewed**: 4 tenants (`acme, bolt, cafe, dora`): `fails: LookupError: no plan`\n" in said


NASTY = "</code>`` @all <img src=x> --> ``` | *b* \n# big"


def test_no_name_is_read_as_markdown_html_or_a_mention() -> None:
    below = [
        *(shop(f"{NASTY}{number}") for number in range(5)),
        shop(NASTY, verb=Verb.REPLACE, stateful_loss=True),
        Change(verb=Verb.CREATE, ref=NASTY, kind=NASTY, waits=(NASTY,)),
    ]
    nasty = plan(*below)
    said = as_comment(replace(nasty, root=replace(nasty.root, identity=NASTY)))
    text = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", said)  # without fenced blocks
    assert said.count("text\n") == len(re.findall(r"(?m)^`{3,}text$", said)) == 3
    text = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", text)  # without code spans, each on its line
    assert not {"@all", "*b*", "# big"} & set(re.sub(r"<code>.*?</code>", "", text).split())
    assert "<img" not in text
    assert "\n# big" not in text
    assert said.splitlines()[0].count("-->") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a", "`a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a\n b", "`a b`"), ("", "` `"), ("``", "``` `` ```")],
)
def test_code_spans(text: str, shown: str) -> None:
    assert code(text) == shown


def test_a_long_one_is_cut_and_says_what_was_left_out() -> None:
    below = [shop(f"client-{number}", f"release {number}") for number in range(400)]
    below += [shop(f"gone-{number}", verb=Verb.REMOVE, stateful_loss=True) for number in range(100)]
    said = as_comment(plan(*below), longest=20_000)
    assert 18_000 < len(said) <= 20_000
    decisions = said.count("\n- **")
    groups = said.count("<details")
    left = re.search(r"Left out, for want of room in a comment: ([\d,]+) to decide, (\d+) groups\.", said)
    assert left is not None
    assert (decisions + int(left[1].replace(",", "")), groups + int(left[2])) == (40 + 1 + 1 + 400, 401)
    assert "**60 more would be lost**" in said
    assert "`orbits preview` shows all" in said


def test_a_tree_that_does_not_fit_is_cut() -> None:
    parts = tuple(Change(verb=Verb.CREATE, ref=f"part{number}", kind="Part") for number in range(300))
    said = as_comment(plan(*parts))
    assert "... and 101 more lines" in said
    assert "<details><summary>" in said
    assert len(said) <= LONGEST


def test_the_marker_is_that_of_the_stack_whatever_the_plan_shows() -> None:
    one, other = plan(shop("acme")), plan()
    assert marker(one) == marker(other)
    assert marker(one) != marker(replace(one, project="shop"))
    named = replace(one, root=replace(one.root, identity="a-->b c"))
    assert marker(named) == "<!-- orbits preview agency Shops a%2D%2D%3Eb%20c update -->"


def test_it_is_printed_beside_a_plan_that_is_kept(project: Project) -> None:
    said = project.run("preview", "stock.py:Stock", "name=s", 'boxes=["a"]', "--markdown", "--out", "p", code=3)
    assert said.startswith("<!-- orbits preview ")
    kept = Plan.from_json((project.folder / "p").read_text())
    assert f"Plan `{kept.digest}`" in said
    assert "Box" in said
