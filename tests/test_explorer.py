"""The explorer: series within their stated error, numbers of the study, and the page in a browser, by pointer and by keyboard."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from browser import CHROMIUM, Browser
from synthetic_study import MODELS, make_study
from thalweg.basin.domain import DataError
from thalweg.cli import main
from thalweg.experiments.simulation import read_simulation
from thalweg.explorer.pack import COARSE, FINE, LOWEST, pack_numbers, pack_series, unpack_series
from thalweg.explorer.page import write_explorer
from thalweg.explorer.runs import in_turn

READY = "document.documentElement?.dataset.ready"
TWO = ("all-years", "later-years")
LARGEST = 8.0  # MB, of the page at 476 places, ten years and three models


def content_of(page):
    """The values that a page holds."""
    return json.loads(re.search(r'id="content">(.*?)</script>', page.read_text(), re.DOTALL)[1])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Results of a study of 24 places, two years and two experiments, and its page."""
    folder = tmp_path_factory.mktemp("small")
    domain = make_study(folder, places=24, years=2, experiments=TWO)
    return folder, domain, write_explorer(folder)


# --- what the page holds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", [FINE, COARSE])
@pytest.mark.parametrize("relative", [True, False])
def test_series_are_within_their_error(relative, precision):
    generator = np.random.default_rng(0)
    values = generator.lognormal(0, 2, (5, 400)) if relative else generator.normal(10, 6, (5, 400))
    values[generator.random(values.shape) < 0.1] = np.nan
    values[3] = np.nan
    values[4] = 0.0
    shown = unpack_series(pack_series(values, relative, precision), 5, precision.relative if relative else 0)
    np.testing.assert_array_equal(np.isnan(shown), np.isnan(values))
    error = np.abs(shown - values)[:3]
    if relative:
        largest = np.nanmax(values[:3], 1, keepdims=True)
        assert np.nanmax(error / np.hypot(values[:3], LOWEST * largest)) < 0.51 * precision.relative
    else:
        reach = np.nanmax(values[:3], 1) - np.nanmin(values[:3], 1)
        assert (np.nanmax(error, 1) <= 0.501 * precision.linear * reach).all()
    assert (shown[4] == 0).all()


def test_series_take_about_a_byte_for_each_value(small):
    values = small[1].observed_runoff.values
    coarse, fine = (len(pack_series(values, True, precision)) for precision in (COARSE, FINE))
    assert coarse < 1.05 * values.size < fine < 1.5 * values.size


def test_the_page_holds_the_numbers_of_the_study(small):
    folder, domain, page = small
    found = content_of(page)["domains"][0]
    values = numbers(found)
    run = read_simulation(folder / "simulations/catchments/later-years/hbv.nc")
    skill = pd.read_csv(folder / "tables/skill.csv", dtype={"place": str})
    skill = skill[(skill.experiment == "later-years") & (skill.model == "hbv") & (skill.metric == "KGE")]
    rows = {(row["kind"], row["experiment"], row["model"], row["name"]): at for at, row in enumerate(found["rows"])}
    np.testing.assert_allclose(values[rows["score", "later-years", "hbv", "KGE"]], skill.value, rtol=3e-4)
    learned = read_simulation(folder / "simulations/catchments/later-years/hbv.nc", "parameters")
    row = rows["parameter", "later-years", "hbv", "FC"]
    np.testing.assert_allclose(values[row], learned.FC.values[0, 0], rtol=3e-4)
    assert (found["rows"][row]["low"], found["rows"][row]["high"], found["rows"][row]["unit"]) == (50, 1000, "mm")
    both = np.isfinite(run.simulated.values[0, 0]) & np.isfinite(run.observed.values)
    rain = np.where(both, domain.forcing.precipitation.values.T, 0).sum(1) / both.sum(1) * 365.25
    np.testing.assert_allclose(values[rows["mean", "later-years", "", "precipitation"]], rain, rtol=3e-4)
    mean = np.nanmean(np.where(both, run.simulated.values[0, 0], np.nan), 1) * 365.25
    np.testing.assert_allclose(values[rows["mean", "later-years", "hbv", "simulated"]], mean, rtol=3e-4)
    entry = next(one for one in found["series"] if one["experiment"] == "later-years" and one["model"] == "hbv")
    shown = unpack_series(entry["data"], len(domain.place_ids), FINE.relative)
    tested = run.simulated.values[0, 0][:, entry["first"] : entry["first"] + entry["length"]]
    largest = np.nanmax(tested, 1, keepdims=True)
    assert np.nanmax(np.abs(shown - tested) / np.hypot(tested, LOWEST * largest)) < 0.51 * FINE.relative


def numbers(found):
    """The table of a domain in a page, (row, place)."""
    import base64
    import zlib

    planes = np.frombuffer(zlib.decompress(base64.b64decode(found["values"])), "u1").reshape(4, -1)
    return planes.T.copy().view("<f4").reshape(len(found["rows"]), -1)


def test_numbers_keep_three_digits():
    values = np.array([[0.123456, -98765.4, np.nan], [1e-9, 0.0, 3.0]])
    kept = numbers({"values": pack_numbers(values), "rows": [0, 0]})
    np.testing.assert_allclose(kept, values, rtol=3e-4)


def test_domains_take_turns():
    order = in_turn({"a": {"x": ["m", "n"], "y": ["m"]}, "b": {"u": ["n", "m"]}})
    assert order == [("a", "x", "m"), ("b", "u", "n"), ("a", "x", "n"), ("b", "u", "m"), ("a", "y", "m")]


def test_a_page_that_would_be_too_large_names_the_runs_without_series(small, tmp_path):
    folder, _, page = small
    sizes = [len(entry["data"]) for entry in content_of(page)["domains"][0]["series"]]
    content = content_of(write_explorer(folder, tmp_path / "less.html", megabytes=2.2 * sizes[0] / 1e6))
    assert {entry["step"] for entry in content["domains"][0]["series"]} == {COARSE.relative}
    kept = [(entry["experiment"], entry["model"]) for entry in content["domains"][0]["series"]]
    first, second, _ = MODELS
    assert kept == [("all-years", first), ("all-years", second), ("", "")]
    assert ["catchments", "all-years", "climatology"] in content["without_series"]
    assert len(content["without_series"]) == 4
    assert content["domains"][0]["rows"] == content_of(page)["domains"][0]["rows"]


def test_the_step_writes_the_page_whole(small, tmp_path):
    folder, _, page = small
    main(["step", "explorer", "--results", str(folder), "--output", str(tmp_path / "page.html")])
    assert (tmp_path / "page.html").read_text() == page.read_text()


def test_a_folder_without_a_study_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no config\.yaml"):
        write_explorer(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_page_loads_nothing(small):
    """No script, style or picture has an address; links lead to the report and to Bokeh."""
    html = re.sub(r"<script.*?</script>|<style.*?</style>", "", small[2].read_text(), flags=re.DOTALL)
    assert re.findall(r'\bsrc="[^"]*"', html) == []
    assert set(re.findall(r'href="([^"]*)"', html)) == {"#list", "data:,", "https://bokeh.org", "report.html"}


# --- the page in a browser -------------------------------------------------------------------------------------------------

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: the explorer is not tried in a browser"
)


def explore(page, folder, places):
    """Use the page as a person does, by pointer and then by keyboard alone; the browser is silent."""
    with Browser(folder, 1300, 1000) as browser:
        browser.open(page.as_uri(), READY)
        assert browser.run("document.getElementById('list').options.length") == places
        chosen = click_a_place(browser, 3)
        see_its_content(browser, page, chosen)
        zoom(browser)
        switch(browser)
        by_keyboard(browser)
        leave_nothing_behind(browser)
        browser.resize(400, 900)
        browser.wait("document.getElementById('map').clientWidth < 400 && document.documentElement.scrollWidth <= 400")
        assert browser.problems == []
        assert {address.split(":")[0] for address in browser.requests} <= {"file", "data"}


def text(browser, name):
    return browser.run(f"document.getElementById({name!r}).textContent")


def settled(browser):
    """The series is drawn."""
    browser.wait("document.querySelector('#series > *') && explorer.series.view")
    browser.run("explorer.series.view.then(() => 1)")


def click_a_place(browser, place):
    where = browser.run(f"""explorer.map.view.then(view => {{
        const box = view.el.getBoundingClientRect(), {{longitude, latitude}} = explorer.now.domain.places;
        return [box.x + view.frame.x_scale.compute(longitude[{place}]), box.y + view.frame.y_scale.compute(latitude[{place}])];
    }})""")
    browser.click(*where)
    browser.wait(f"explorer.now.place === {place}")
    settled(browser)
    return place


def see_its_content(browser, page, place):
    """The series that is drawn is the one that was packed; tables and the announcement are about the place."""
    domain = content_of(page)["domains"][0]
    assert domain["places"]["id"][place] in text(browser, "place-title")
    assert text(browser, "said").startswith(f"Chosen: {domain['places']['name'][place]}")
    assert browser.run("explorer.series.lines.map(line => line.label)") == ["observed", *MODELS.values()]
    for line, model in ((0, ""), (1, "hbv")):
        entry = next(one for one in domain["series"] if one["model"] == model)
        packed = unpack_series(entry["data"], len(domain["places"]["id"]), entry["step"])[place]
        shown = browser.run(f"Array.from(explorer.series.lines[{line}].values, v => Number.isFinite(v) ? v : null)")
        np.testing.assert_allclose(np.array(shown, float), packed, rtol=1e-9)
    row = next(at for at, row in enumerate(domain["rows"]) if row["name"] == "FC")
    learned = f"{numbers(domain)[row, place]:.3g}"
    assert browser.run("document.querySelector('#parameters td.own').textContent") == learned
    assert browser.run("document.querySelectorAll('#neighbours button').length") == 4
    assert browser.run("document.querySelectorAll('#means tbody tr').length") == 3 + len(MODELS)
    wanted = len(domain["experiments"]) * len(MODELS)
    assert browser.run("document.querySelectorAll('#scores tbody tr').length") == wanted


PERIOD = "[explorer.series.x.start, explorer.series.x.end]"


def zoom(browser):
    whole = browser.run(PERIOD)
    left, top, width, height = browser.run(
        "(() => { const b = document.getElementById('series').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()"
    )
    browser.drag([(left + share * width, top + height / 2) for share in (0.4, 0.45, 0.5, 0.6)])
    browser.wait(f"explorer.series.x.end - explorer.series.x.start < {(whole[1] - whole[0]) / 3}")
    start, end = browser.run(PERIOD)
    assert whole[0] < start < end < whole[1]
    assert browser.run("document.getElementById('period').textContent.slice(0, 4)") >= "1995"
    browser.run("document.getElementById('whole').click()")
    assert browser.run(PERIOD) == whole
    browser.run("document.getElementById('year').click()")
    start, end = browser.run(PERIOD)
    assert (end - start) / 86400e3 == pytest.approx(365)
    east = browser.run("explorer.map.x.end - explorer.map.x.start")
    browser.run("document.getElementById('map-in').click()")
    assert browser.run("explorer.map.x.end - explorer.map.x.start") == pytest.approx(east / 2)


def choose(browser, name, value):
    browser.run(
        f"(() => {{ const s = document.getElementById({name!r}); s.value = {value!r}; s.dispatchEvent(new Event('change')); }})()"
    )
    settled(browser)


def switch(browser):
    colours = "JSON.stringify(explorer.map.source.data.colour)"
    seen = {browser.run(colours)}
    for name, value in (("model", "lstm"), ("colour", "best NSE"), ("colour", "mean simulated"), ("model", "hbv")):
        choose(browser, name, value)
        seen.add(browser.run(colours))
    choose(browser, "colour", "parameter FC")
    assert "FC [mm]" in text(browser, "legend")
    seen.add(browser.run(colours))
    assert len(seen) == 6
    names = browser.run("[...document.getElementById('experiment').options].map(option => option.value)")
    choose(browser, "experiment", names[-1])
    assert browser.run("explorer.now.experiment") == names[-1]
    assert browser.run("document.querySelectorAll('#scores tr.now').length") == 1
    browser.run("document.getElementById('logarithmic').click()")
    settled(browser)
    assert browser.run("explorer.series.y.start > 0")


def by_keyboard(browser):
    """From the first control to the list with the Tab key, along it with arrows, then to the series and along it."""
    before = browser.run("explorer.now.place")
    browser.run("document.getElementById('domain').focus()")
    for _ in range(20):
        if browser.run("document.activeElement.id") == "list":
            break
        browser.press("Tab")
    assert browser.run("document.activeElement.id") == "list"
    browser.press("End")
    browser.press("ArrowUp")
    browser.wait(f"explorer.now.place !== {before}")
    settled(browser)
    last = browser.run("document.getElementById('list').options.length") - 2
    assert browser.run(f"Number(document.getElementById('list').options[{last}].value) === explorer.now.place")
    assert browser.run("explorer.now.domain.places.id[explorer.now.place]") in text(browser, "said")
    for _ in range(20):
        if browser.run("document.activeElement.id") == "series":
            break
        browser.press("Tab")
    assert browser.run("document.activeElement.id") == "series"
    browser.press("0")
    whole = browser.run(PERIOD)
    browser.press("+")
    browser.press("ArrowRight")
    start, end = browser.run(PERIOD)
    assert end - start == pytest.approx((whole[1] - whole[0]) / 2)
    assert start == pytest.approx(whole[0] + 0.375 * (whole[1] - whole[0]))


def leave_nothing_behind(browser):
    """Every place that was looked at is forgotten by the plotting library."""
    for place in range(8):
        browser.run(
            f"(() => {{ const list = document.getElementById('list'); list.selectedIndex = {place}; list.dispatchEvent(new Event('change')); }})()"
        )
        settled(browser)
    browser.wait("Bokeh.documents.length <= 2")


@needs_browser
def test_the_page_is_used_by_pointer_and_by_keyboard(small, tmp_path):
    explore(small[2], tmp_path, 24)


@pytest.mark.long
@needs_browser
def test_the_page_works_at_476_places_and_ten_years(tmp_path):
    make_study(tmp_path / "study")
    page = write_explorer(tmp_path / "study")
    assert page.stat().st_size < LARGEST * 1e6
    explore(page, tmp_path / "browser", 476)
