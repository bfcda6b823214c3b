"""The page of a fleet in a real browser: its own script runs under its own policy, sorts, filters and unfolds."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from orbits_tenants.fleet import Fleet
from orbits_tenants.reporting.page import page
from tests.tenants.fleets import fleet

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs a Chromium or Chrome on PATH, to open the page in")

DRIVER = """
<script>
const names = () => [...document.querySelectorAll("tbody:not([hidden]) .more")].map((one) => one.textContent);
const first = () => names().slice(0, 3);
const press = (text) => [...document.querySelectorAll("button")].find((one) => one.textContent.endsWith(text)).click();
const sorted = () => document.querySelector("thead [aria-sort]").textContent + " " +
  document.querySelector("thead [aria-sort]").getAttribute("aria-sort");
const shown = () => document.getElementById("shown").textContent;
const write = (text) => {
  const input = document.getElementById("text");
  input.value = text;
  input.dispatchEvent(new Event("input"));
};
const seen = {};
seen.begins = [first(), sorted()];
press("Tenant");
seen.byName = [first(), sorted()];
press("Tenant");
seen.byNameDown = [first(), sorted()];
press("Revision");
seen.byRevision = [first(), sorted()];
press(" reverted");
seen.reverted = [first(), shown()];
press(" drifted");
seen.both = shown();
press(" tenants");
write("ACME plan=");
seen.acme = [first(), shown()];
write("no such");
seen.none = [shown(), document.querySelector(".none").textContent];
write("");
document.querySelector("tbody .more").click();
seen.unfolded = [
  document.querySelector("tbody .more").getAttribute("aria-expanded"),
  document.querySelectorAll(".detail tbody tr").length,
  document.querySelectorAll("img, script[src]").length,
];
document.querySelector("tbody .more").click();
seen.folded = document.querySelectorAll(".detail").length;
document.title = JSON.stringify(seen);
</script>
"""


def opened(text: str, folder: Path) -> str:
    """The page as the browser has it once its scripts have run."""
    assert BROWSER is not None
    (folder / "page.html").write_text(text)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [BROWSER, *flags, (folder / "page.html").as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def driven(shown: Fleet, folder: Path) -> Any:
    """What the driver has seen. It is no script of the page's own, so the policy is taken off for it."""
    text, policies = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page(shown))
    assert policies == 1
    found = re.search(r"<title>(.*?)</title>", opened(text.replace("</body>", f"{DRIVER}</body>"), folder), re.DOTALL)
    assert found is not None
    return json.loads(unescape(found[1]))


def test_its_own_script_runs_under_its_own_policy_and_no_other_does(tmp_path: Path) -> None:
    text = page(fleet(3)).replace("</body>", "<script>document.title = 'another'</script></body>")
    dom = opened(text, tmp_path)
    assert "all 3 shown" in dom
    assert "<title>Shops: the fleet</title>" in dom


def test_it_sorts_filters_and_unfolds(tmp_path: Path) -> None:
    seen = driven(fleet(40), tmp_path)
    assert seen == {
        "begins": [["bolt", "echo", "nova-01"], "State ascending"],
        "byName": [["acme", "acme-01", "acme-02"], "Tenant ascending"],
        "byNameDown": [["nova-01", "nova", "mint-01"], "Tenant descending"],
        "byRevision": [["echo", "nova-01", "bolt"], "Revision ascending"],
        "reverted": [["echo", "nova-01"], "2 of 40 shown"],
        "both": "0 of 40 shown",
        "acme": [["acme-01", "acme", "acme-02"], "3 of 40 shown"],
        "none": ["0 of 40 shown", "No tenant is like that."],
        "unfolded": ["true", 5, 0],
        "folded": 0,
    }
