"""README and site: every number is tied to a table, records are small, and the built pages can be read."""

import functools
import html.parser
import http.server
import importlib
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from thalweg import processes
from thalweg.evaluation.claims import read_claims
from thalweg.figures.record import CLAIMS, PICTURE_BYTES, PICTURES, claims_text, pictures_of, with_claims
from thalweg.learn.scaling import PATCH_DAYS
from thalweg.metrics.scores import HIGH_SHARE
from thalweg.settings.files import read_study

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
STUDIES = sorted(path.stem for path in (DOCS / "results").glob("*.md") if path.stem != "index")
PROSE = [
    *(
        DOCS / name
        for name in (
            "index.md",
            "getting_started.md",
            "guides/studies.md",
            "guides/claims.md",
            "guides/extending.md",
            "guides/single_basin.md",
        )
    ),
    *sorted((DOCS / "results").glob("*.md")),
    *sorted((DOCS / "science").rglob("*.md")),
]
sys.path.insert(0, str(DOCS))
macros = importlib.import_module("macros")


# Numbers that are names, dates, units or targets, and not results.
NAMES = (
    r"(?:19|20)\d\d(?:-\d\d(?!\d))?",  # years and months
    r"1\.1p",  # the version of HBV
    r"3\.1[13]",  # of Python
    r"95 % interval",
    r"m-2 s-1",
    r"3-Clause",
    r"9\.0 \(",  # compute capability
)

# Text -> the value that it states, from a table, a setting or the code.
TIES = {
    "results/default.md": {
        r"each of (\d+) hydrologic response units": lambda: units_of("delaware"),
        r"lower bound of (\d+) mm": lambda: parameter("hbv", "FC").low,
        r"the highest (\d+) % of days": lambda: 100 * HIGH_SHARE,
        r"medians above (\d+) km2": lambda: largest_class(),
        r"with (\d+) % noise": lambda: 100 * macros.found("default", "leaf/synthetic/recovery.csv").noise.max(),
        r"\((\d) is the same map": lambda: 1,
    },
    "results/camels-us-short.md": {
        r"neither have \d+ % of the catchments and (\d+) years": lambda: 10,  # not run
        r"neither have (\d+) % of the catchments": lambda: 50,  # not run
    },
    "results/stream-temperature.md": {
        r"above the (1\.5) degC that were the target": lambda: 1.5,
        r"published ones reach (0\.7) degC": lambda: 0.7,  # Rahmani et al. 2021
        r"at (118) well-observed": lambda: 118,  # the same
    },
    "getting_started.md": {r"fetches\s+(3\.4) GB": lambda: round(size_of("camels-us-text") / 1e9, 1)},
    "guides/studies.md": {r"patches of (\d+) days": lambda: PATCH_DAYS},
    "README.md": {
        r"report: about (\d+) minutes": lambda: minutes("make study"),
        r"the tests: about (\d+) minutes": lambda: minutes("make test"),
        r"\| (\d+) gauges, \d+ sites": lambda: sum(int(macros.places("default", run, "hbv")) for run in GAUGED),
        r"gauges, (\d+) sites": lambda: int(
            macros.places("default", "thames/temperature", "stream-temperature", "RMSE")
        ),
        r"large sample of catchments\? \| (\d+) catchments": lambda: int(
            macros.places("camels-us-short", "camels-us-15yr/temporal", "hbv")
        ),
        r"another continent\? \| (\d+) catchments": lambda: int(macros.places("france", "france/temporal", "hbv")),
        r"\| (\d+) rivers": lambda: int(
            macros.places("stream-temperature", "stream-temperature/temporal", "stream-temperature", "RMSE")
        ),
        r"\| (\d+) curves": lambda: macros.found("leaf", "leaf_lce/parameter_skill.csv").curves.max(),
        r"the result\? \| (\d+) gauges": lambda: int(macros.places("integrators", "delaware/temporal", "hbv")),
    },
}
GAUGED = ("delaware/temporal", "susquehanna/temporal", "cevennes-lez/temporal", "cevennes-cance/temporal")


def catalogue():
    return yaml.safe_load((ROOT / "config/datasets.yaml").read_text())


def units_of(dataset):
    return int(re.search(r"(\d+)\s+units", catalogue()[dataset]["note"])[1])


def size_of(dataset):
    return sum(file["size"] for file in catalogue()[dataset]["files"])


def parameter(process, name):
    return next(one for one in processes.get(process).parameters if one.name == name)


def largest_class():
    classes = macros.found("default", "river/delaware/temporal_skill.csv").area_class
    return max(int(text.split()[1]) for text in classes if text.startswith("above"))


def minutes(command):
    rows = re.findall(r"^\| `([^`]+)` \|.*\| (\d+) \|$", (DOCS / "benchmarks/running.md").read_text(), re.MULTILINE)
    return float(dict(rows)[command])


def prose(text):
    """A page without code, numbers that are filled in, generated parts, and addresses of links."""
    text = re.sub(r"<!-- claims of .*?<!-- end of claims -->", "", text, flags=re.DOTALL)
    text = re.sub(r"```.*?```|\{[{%].*?[%}]\}|`[^`]*`|<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", text)


@pytest.mark.parametrize("page", [*PROSE, ROOT / "README.md"], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_number_in_prose_is_tied_to_a_table(page):
    name = page.name if page.parent == ROOT else page.relative_to(DOCS).as_posix()
    text = left = page.read_text()
    for pattern, value in TIES.get(name, {}).items():
        match = re.search(pattern, text)
        assert match, f"{name} no longer says {pattern!r}"
        assert float(match[1]) == pytest.approx(float(value())), match[0]
        left = left.replace(match[0], "")
    left = re.sub("|".join(NAMES), "", prose(left))
    numbers = re.findall(r"(?<![\w.])\d[\d.,]*(?![\w.])[^\n]{0,30}", left)
    assert not numbers, "write them by a macro (docs/macros.py), or tie them in TIES"


@pytest.mark.parametrize("study", ["index", *STUDIES])
def test_the_numbers_of_a_page_are_in_its_tables(study):
    """A page whose sentence says better, worse or undecided is refused when the table says otherwise."""
    text = macros.render((DOCS / "results" / f"{study}.md").read_text())
    assert "{{" not in text and not re.search(r"\bnan\b", text)


def test_a_sentence_that_the_table_contradicts_is_refused():
    with pytest.raises(macros.StaleError, match="is better"):
        macros.gain("default", "delaware/temporal", "hbv", "lstm", expect="worse")
    with pytest.raises(macros.StaleError, match="is undecided"):
        macros.claim("camels-us-short", "kge-loss", expect="supported")
    with pytest.raises(macros.StaleError, match="0 rows"):
        macros.median("default", "delaware/temporal", "none")


def test_the_readme_shows_the_recorded_claims():
    study = CLAIMS.search(README)["study"]
    docs = Path("docs/results") / study
    note = README[README.index("Made on") : README.index("\n<!-- end of claims -->")]
    shown = with_claims(
        README, study, lambda names: claims_text(read_claims(ROOT / docs / "claims.csv"), docs, names) + f"\n\n{note}"
    )
    assert shown == README
    assert len(CLAIMS.search(README)["names"].split()) == 8


def test_the_readme_fits_on_a_page_and_its_links_lead_somewhere():
    assert len(README.splitlines()) <= 160
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_excerpt_of_a_process_is_in_its_file():
    section = README.partition("## What a process looks like")[2]
    excerpt = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    assert excerpt in (ROOT / "src/thalweg/processes/runoff/hbv.py").read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/guides/own_data.md"])
def test_the_studies_that_pages_show_are_valid(page, tmp_path):
    """The study of a page is read as if it stood in config/studies."""
    blocks = [
        text for text in re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL) if "domains:" in text
    ]
    shutil.copytree(ROOT / "config", tmp_path / "config")
    for block in blocks:
        (tmp_path / "config/studies/shown.yaml").write_text(block)
        study = read_study(tmp_path / "config", {"study": "shown"})
        domain = next(iter(yaml.safe_load(block)["domains"]))
        assert study.experiments[domain]


@pytest.mark.parametrize("study", STUDIES)
def test_a_record_is_light(study):
    pictures = sorted((DOCS / "results" / study).rglob("*.png"))
    shown = pictures_of(DOCS / "results" / f"{study}.md")
    assert {path.relative_to(DOCS / "results" / study / "figures").as_posix() for path in pictures} == set(shown)
    assert len(pictures) <= PICTURES
    assert sum(path.stat().st_size for path in pictures) <= PICTURE_BYTES
    assert (DOCS / "results" / study / "provenance.json").exists()
    assert not list((DOCS / "results" / study).rglob("*.provenance.json"))


# --- the built site -----------------------------------------------------------------------------------------------------

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
CHECKER = """<!doctype html><title>check</title><pre id=found></pre><script>
const pages = PAGES, widths = [400, 1300], found = [];
const check = (page, width) => new Promise(done => {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width: ${width}px; height: 900px; border: 0`;
  frame.onload = () => setTimeout(() => {
    const inner = frame.contentDocument, root = inner.documentElement, say = what => found.push(`${page} at ${width}: ${what}`);
    for (const image of inner.images) if (!image.naturalWidth) say(`picture ${image.getAttribute("src")} is missing`);
    if (root.scrollWidth > width) say(`the page is ${root.scrollWidth} wide`);
    for (const table of inner.querySelectorAll(".md-content table")) {
      let box = table.parentElement;
      while (box && !["auto", "scroll"].includes(frame.contentWindow.getComputedStyle(box).overflowX)) box = box.parentElement;
      if (table.getBoundingClientRect().right > width && !box) say("a table overflows without a scroll bar");
      const text = parseFloat(frame.contentWindow.getComputedStyle(table).fontSize);
      if (text < 10) say(`a table has letters of ${text} px`);
    }
    if (!inner.querySelector(".md-content h1")) say("no heading");
    frame.remove(); done();
  }, 150);
  frame.src = page;
  document.body.append(frame);
});
(async () => {
  for (const page of pages) for (const width of widths) await check(page, width);
  document.getElementById("found").textContent = `checked ${pages.length * widths.length}\\n` + found.join("\\n");
  document.title = "done";
})();
</script>"""


class Page(html.parser.HTMLParser):
    """Addresses that a page uses, and the anchors that it has."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.loaded = [], set(), []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if attributes.get("id"):
            self.anchors.add(attributes["id"])
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        source = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if source:
            self.loaded.append(source)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as `make docs` does."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed; make docs installs it (envs/docs-requirements.txt)")
    pytest.importorskip(
        "material", reason="the theme is not installed; make docs installs it (envs/docs-requirements.txt)"
    )
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.mark.long
def test_no_link_of_the_site_is_broken_and_nothing_comes_from_elsewhere(site):
    pages = {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}
    broken = []
    for name, page in pages.items():
        for address in [*page.links, *page.loaded]:
            if re.match(r"(https?|mailto|data|javascript):", address):
                if address in page.loaded:
                    broken.append(f"{name} loads {address}")
                continue
            path, _, anchor = address.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            if name == "404.html" and address.startswith("/"):
                continue
            if not (site / target).exists():
                broken.append(f"{name} -> {address}")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                broken.append(f"{name} -> {address} (no such anchor)")
    assert not broken, "\n".join(broken[:40])
    assert len(pages) > 50


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: pages are not looked at in a browser")
def test_pages_can_be_read_in_a_browser_on_a_wide_and_a_narrow_screen(site, tmp_path):
    """Pictures are there, tables scroll by themselves at 400 px, letters can be read, and the console is silent."""
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if path.name != "404.html")
    (site / "check.html").write_text(CHECKER.replace("PAGES", str(pages)))
    handler = functools.partial(QuietHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--window-size=1400,1000",
        ]
        command += ["--enable-logging=stderr", "--timeout=240000", "--virtual-time-budget=600000", "--dump-dom"]
        result = subprocess.run(
            [*command, f"http://127.0.0.1:{server.server_port}/check.html"], capture_output=True, text=True
        )
        server.shutdown()
    found = re.search(r"<pre id=\"found\">(.*?)</pre>", result.stdout, re.DOTALL)[1].strip().splitlines()
    assert found[:1] == [f"checked {2 * len(pages)}"], result.stderr[-2000:]
    assert found[1:] == []
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    assert console == []


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
