"""The forms of a fleet's report: what they say, and that what comes from outside stays text."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from rich.console import Console

from orbits_tenants.fleet import Fleet, Member, Mood
from orbits_tenants.reporting.document import document
from orbits_tenants.reporting.markdown import LONGEST, escaped, markdown
from orbits_tenants.reporting.page import page
from orbits_tenants.reporting.terminal import Drawing
from orbits_tenants.reporting.timeline import timeline
from orbits_tenants.reporting.words import ERRANDS, HOW, roll_out_line
from orbits_tenants.tenants import Tenants
from tests.tenants.fleets import BEGAN, NOW, SERVICES, fleet

EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)> | \n- `b` &amp; @dana'


class Read(HTMLParser):
    """What elements a page has, with their attributes, and the text in each kind of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "input", "line"}:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag != "line":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def evil() -> Fleet:
    """A fleet whose every text tries to be markup."""
    [one, *_] = fleet(3).members
    services = tuple(replace(each, name=EVIL, identity=EVIL, by=EVIL) for each in one.services[:1])
    bad = replace(
        one,
        id=EVIL,
        state=EVIL,
        mood=Mood.FAILED,
        happened=f"`{EVIL}`",
        labels={EVIL: EVIL},
        account=EVIL,
        wave=EVIL,
        by=EVIL,
        execution=EVIL,
        services=services,
    )
    rollout = fleet(3).rollout
    assert rollout is not None
    notes = replace(rollout, argument={EVIL: EVIL}, who=EVIL, notes=(EVIL,))
    return Fleet(name=EVIL, at=NOW, members=(bad,), rollout=notes)


@pytest.mark.parametrize("shown", [fleet(0), fleet(3), fleet(40), evil()], ids=["none", "three", "forty", "evil"])
def test_the_page_is_whole_and_needs_nothing_else(shown: Fleet) -> None:
    text = page(shown)
    read = Read(text)
    assert read.open == []
    assert not [tag for tag, attributes in read.elements if {"src", "href", "srcset", "data"} & attributes.keys()]
    assert {tag for tag, _ in read.elements} & {"link", "img", "iframe", "object", "base"} == set()
    assert not re.search(r"url\(|@import|https?:", text)
    [policy] = [meta["content"] for meta in read.all("meta") if "http-equiv" in meta]
    data, script = read.texts["script"]
    assert not set("<>&") & set(data)
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'"
    assert json.loads(data) == document(shown)
    assert not [attributes for _, attributes in read.elements if any(name.startswith("on") for name in attributes)]


def test_what_comes_from_outside_stays_text() -> None:
    read = Read(page(evil()))
    assert len(read.all("script")) == 2
    assert read.all("img") == []
    assert [row["data-id"] for row in read.all("tbody")] == [EVIL]
    assert EVIL in read.texts["h1"]
    assert EVIL in read.texts["th"]


def test_the_table_is_one_that_can_be_read_aloud_and_sorted() -> None:
    shown = fleet(40)
    read = Read(page(shown))
    heads = [head for head in read.all("th") if head["scope"] == "col"]
    assert len(read.all("caption")) == 1
    assert [head.get("aria-sort") for head in heads].count("ascending") == 1
    assert {head["data-sorts"] for head in heads} == {"text", "number"}
    bodies = re.findall(r"<tbody.*?</tbody>", page(shown), re.DOTALL)
    assert len(bodies) == len(shown.members)
    for body in bodies:
        first = Read(body[: body.index("</tr>")] + "</tr></tbody>")
        cells = [attributes for tag, attributes in first.elements if tag in {"th", "td"}]
        assert len(cells) == len(heads)
        assert cells[0]["scope"] == "row"
        for head, cell in zip(heads, cells, strict=True):
            assert head["data-sorts"] == "text" or "data-value" in cell
    moods = [
        one.mood for id_ in [row["data-id"] for row in read.all("tbody")] for one in shown.members if one.id == id_
    ]
    assert moods == sorted(moods, key=list(Mood).index)


def bars(text: str) -> list[tuple[str, float, float, float]]:
    """Each bar's class, lane, left and right."""
    found = re.findall(r'<rect class="(\w+)" x="(\d+)" y="(\d+)" width="(\d+)"', text)
    return [(named, float(y), float(x), float(x) + float(width)) for named, x, y, width in found]


def test_in_the_picture_of_the_waves_no_bar_lies_over_another() -> None:
    drawn = [bars(svg) for svg in timeline(fleet(40)).split("<svg")[1:]]
    assert [len(wave) for wave in drawn] == [1, 3, 36]
    for wave in drawn:
        lanes: dict[float, float] = {}
        for _, lane, left, right in sorted(wave, key=lambda bar: bar[2]):
            assert left >= lanes.get(lane, 0) - 1
            lanes[lane] = right
    assert len({lane for _, lane, _, _ in drawn[2]}) == 10
    assert max(right for wave in drawn for *_, right in wave) <= 10_000


def moved(member: Member, **by: float) -> Member:
    """The same tenant, done so much later."""
    assert member.began
    assert member.ended
    return replace(member, began=member.began + timedelta(**by), ended=member.ended + timedelta(**by))


def test_a_wave_of_the_next_day_does_not_make_the_others_slivers() -> None:
    shown = fleet(40)
    later = [moved(one, hours=15) if one.wave == "100%" else one for one in shown.members]
    text = timeline(replace(shown, members=tuple(later)))
    assert re.findall(r"<span style[^>]*>([^<]*)</span>", text) == ["06 Mar 15:40", "15 h 00 min later"]
    [first, _, last] = [bars(svg) for svg in text.split("<svg")[1:]]
    assert first[0][3] - first[0][2] > 500
    assert min(left for *_, left, _ in last) < 5_000


def test_who_is_under_way_and_who_took_no_time_have_bars_too() -> None:
    [one, two, three] = (replace(member, wave="1") for member in fleet(3).members)
    now = (replace(one, began=NOW, ended=None), replace(two, began=NOW, ended=NOW), replace(three, began=None))
    assert [right - left for _, _, left, right in bars(timeline(replace(fleet(3), members=now)))] == [18, 18]
    begun = (replace(one, began=BEGAN, ended=None, mood=Mood.MOVING), replace(two, began=BEGAN, ended=NOW))
    [moving, _] = bars(timeline(replace(fleet(3), members=begun)))
    assert moving == ("moving", 0, 0, 10_000)
    assert timeline(replace(fleet(3), members=())) == ""


def cells(line: str) -> list[str]:
    """The cells of a row of a table in Markdown."""
    return re.split(r"(?<!\\)\|", line)[1:-1]


@pytest.mark.parametrize("shown", [fleet(40), evil()], ids=["forty", "evil"])
def test_a_table_in_markdown_holds_whatever_is_in_it(shown: Fleet) -> None:
    text = markdown(shown)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert tables
    for table in tables:
        assert len({len(cells(line)) for line in table.splitlines()}) == 1
    assert re.findall(r"<(?!br>|/?details>|/?summary>)", text) == []


def test_markdown_begins_with_who_needs_somebody_and_folds_the_rest() -> None:
    shown = fleet(40)
    text = markdown(shown)
    above, folded = text.split("<details>")
    assert above.splitlines()[:3] == [
        "### Shops",
        "",
        "**40 tenants: 1 forward only, 2 reverted, 33 updated, 4 unchanged**  ",
    ]
    trouble = above.split("**Failed, or needs a person**")[1].split("**Drifted**")[0]
    assert [cells(line)[0].strip() for line in trouble.strip().splitlines()[2:]] == [
        escaped(one.id) for one in shown.troubled
    ]
    assert "<summary>The other 37 tenants</summary>" in folded
    assert folded.rstrip().endswith("</details>")


def test_markdown_of_a_thousand_tenants_fits_into_a_comment() -> None:
    text = markdown(fleet(1000))
    assert LONGEST - 500 < len(text) <= LONGEST
    assert re.search(r"\n\nand \d+ more: `orbits tenants report Shops`\n\n</details>\n$", text)


def test_markdown_fits_though_a_whole_list_was_not_believed() -> None:
    shown = fleet(1000)
    assert shown.rollout is not None
    doubts = tuple(f"tenant t{number} is elsewhere: it stays where it is {'x' * 2000}" for number in range(1000))
    text = markdown(replace(shown, rollout=replace(shown.rollout, notes=doubts)))
    assert len(text) <= LONGEST
    assert "\n> and 990 more\n" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a|b\nc", "a\\|b<br>c"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("\x1b[1;31mred\x1b[0m\x1b]8;;http://e\x07a\x07\r\nb\x9b", "reda<br>b"),
        ("$x^2$", "\\$x^2\\$"),
        ("*_`x`_*", "\\*\\_\\`x\\`\\_\\*"),
        ("by dana@release and @dana", "by dana@release and @\u200bdana"),
    ],
)
def test_in_markdown_a_text_stays_as_it_is(text: str, said: str) -> None:
    assert escaped(text) == said


def printed(shown: Fleet, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(Drawing(shown))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_terminal_shows_a_line_a_tenant_and_says_last_what_is_wrong() -> None:
    assert [re.split("  +", line) for line in printed(fleet(3), 200)] == [
        ["tenant", "state", "revision", *SERVICES, "drift", "last change"],
        ["acme", "✔ updated", "7", "✔ 2", *["✔ 7"] * 4, "in sync, 4 h ago", "49 min ago by dana@release"],
        ["bolt", "! forward only", "7", "✔ 2", "✘ 7", *["✔ 7"] * 3, "in sync, 5 h ago", "47 min ago by dana@release"],
        ["cafe", "✔ updated", "7", "✔ 2", *["✔ 7"] * 4, "in sync, 5 h ago", "47 min ago by dana@release"],
        [""],
        ["shared", "registry", "✔ 2"],
        ["! bolt", fleet(3).members[1].happened],
        ["3 tenants: 1 forward only, 2 updated"],
        ["drift: 3 in sync; the oldest look was 5 h ago"],
        ["roll-out 0001r3m8k2q4w6e8t of release=2026.3, 50 min ago by dana@release, took 2 min 12 s"],
    ]


def test_what_an_error_holds_steers_no_terminal() -> None:
    bad = Member(id="acme", state="failed", mood=Mood.FAILED, happened="npm: \x1b[31mERR\x1b[0m \x1b[2J no")
    lines = printed(Fleet(name="Shops", at=NOW, members=(bad,)), 100)
    assert "✘ acme  npm: ERR no" in lines
    assert "\x1b" not in "".join(lines)


def test_a_narrow_terminal_counts_the_services() -> None:
    lines = printed(fleet(3), 110)
    assert lines[0].split() == ["tenant", "state", "revision", "services", "drift", "last", "change"]
    assert "4 stand, ✘ database" in lines[2]


def test_where_ids_are_long_the_last_change_is_left_out_before_words_are_broken() -> None:
    shown = fleet(12)
    members = tuple(replace(one, id=f"{one.id}-restaurants-of-the-north"[:26]) for one in shown.members)
    heading, *lines = printed(replace(shown, members=members), 80)
    assert heading.split() == ["tenant", "state", "revision", "services", "drift"]
    rows = lines[: lines.index("")]
    assert "unchecked," in rows[2]
    assert len(rows) == 2 * len(members)
    assert "last change" in printed(shown, 80)[0]


def test_the_document_has_every_tenant_with_every_service() -> None:
    shown = fleet(40)
    read = json.loads(json.dumps(document(shown)))
    assert [one["id"] for one in read["tenants"]] == [one.id for one in shown.members]
    assert {len(one["services"]) for one in read["tenants"]} == {5}
    assert read["states"] == {"forward only": 1, "reverted": 2, "updated": 33, "unchanged": 4}
    assert read["waves"][0] == {
        "name": "1",
        "tenants": 1,
        "began": "2026-03-06T15:40:00.000+00:00",
        "ended": read["tenants"][0]["ended"],
    }


def test_of_what_a_command_has_asked_with_it_is_said_what_for_and_nothing_of_how() -> None:
    assert Tenants.asked_by_commands == ERRANDS.keys() | HOW
    shown = fleet(3)
    assert shown.rollout is not None
    asked = {"importing": {"acme": {}, "bolt": {}}, "found_at": {"AwsTarget": {"account": "1"}}}
    line = roll_out_line(replace(shown, rollout=replace(shown.rollout, argument=asked)))
    assert line.startswith(f"roll-out {shown.rollout.execution} of the import of acme, bolt, ")
