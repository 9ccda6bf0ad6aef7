"""The record: small, complete in what it keeps, and the source of the claims that the README shows."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image

from thalweg.figures import style
from thalweg.figures.record import (
    CLAIMS_END,
    PICTURES,
    RecordError,
    claims_text,
    is_kept,
    merged,
    pictures_of,
    record,
    shrink,
    with_claims,
)
from thalweg.settings.files import read_study
from thalweg.storage.store import provenance, write_table

ROOT = Path(__file__).parents[1]
MARKER = "<!-- claims of one: b a; written by 'thalweg record' -->\n"


def claims():
    row = dict(
        family="space", reference="lstm", unit="dimensionless", margin=0.01, low=0.02, high=0.04, reason="", n=96
    )
    row |= dict(metric_or_quantity="NSE", would_change="more gauges")
    return pd.DataFrame(
        [
            {**row, "claim": "a", "text": "It carries", "effect": 0.03, "verdict": "supported"},
            {**row, "claim": "b", "text": "It fails", "effect": -0.03, "verdict": "not supported"},
            {**row, "claim": "c", "text": "Not shown", "effect": 0.0, "verdict": "undecided"},
        ]
    )


@pytest.fixture
def results(tmp_path):
    """Results of a study: tables of several kinds and two figures."""
    results = tmp_path / "results" / "one"
    results.mkdir(parents=True)
    (results / "config.yaml").write_text(yaml.safe_dump({"study": "one", "models": {"hbv": {"label": "δHBV"}}}))
    sources = {"delaware": {"version": "1"}}
    write_table(claims(), results / "tables/claims.csv", provenance(sources=sources))
    (results / "tables/claims.md").write_text("# The claims\n")
    write_table(pd.DataFrame({"place": ["x"], "kept": [True]}), results / "tables/places/mine.csv", provenance(seed=3))
    write_table(pd.DataFrame({"place": np.arange(9000), "value": 0.5}), results / "tables/skill.csv", provenance())
    write_table(pd.DataFrame({"curve": ["x"], "assimilation": [1.0]}), results / "tables/leaf/points.csv", provenance())
    for name in ("a/b", "c"):
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([0, 1], [0, 1])
        style.save(figure, results / "figures" / name, provenance(inputs=[results / "tables/claims.csv"]))
    return results


def test_a_record_keeps_what_summarises_and_the_pictures_that_its_page_shows(results, tmp_path):
    docs, readme = tmp_path / "docs/results/one", tmp_path / "README.md"
    docs.mkdir(parents=True)
    (docs / "old.csv").write_text("left over")
    docs.with_suffix(".md").write_text("# One\n\n![a picture](one/figures/a/b.png)\n![again](one/figures/a/b.png)\n")
    readme.write_text(f"before\n{MARKER}old\n{CLAIMS_END}\nafter\n")
    for _ in range(2):
        record(results, docs, readme)
    kept = {path.relative_to(docs).as_posix() for path in docs.rglob("*.*")}
    assert kept == {"claims.csv", "claims.md", "places/mine.csv", "figures/a/b.png", "provenance.json"}
    assert (docs / "claims.csv").read_bytes() == (results / "tables/claims.csv").read_bytes()
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    rows = [line for line in text.splitlines() if line.startswith(("| ✔", "| ✘"))]
    assert rows == [
        "| ✘ not supported | It fails | −0.030 (0.020, 0.040) | 96 | more gauges |",
        "| ✔ supported | It carries | 0.030 (0.020, 0.040) | 96 | more gauges |",
    ]
    assert "**1 supported**, **1 not supported**, **1 undecided**" in text
    assert "`make study STUDY=one`" in text


def test_the_provenance_of_a_record_is_one_file(results, tmp_path):
    docs = tmp_path / "docs/results/one"
    docs.parent.mkdir(parents=True)
    docs.with_suffix(".md").write_text("![a picture](one/figures/c.png)\n")
    (tmp_path / "README.md").write_text("nothing to replace\n")
    record(results, docs, tmp_path / "README.md")
    found = json.loads((docs / "provenance.json").read_text())
    assert found["study"] == "one"
    assert found["settings"]["models"] == {"hbv": {"label": "δHBV"}}
    assert found["packages"]["numpy"] == np.__version__
    assert found["datasets"] == {"delaware": {"version": "1"}}
    assert set(found["files"]) == {"claims.csv", "places/mine.csv", "figures/c.png"}
    assert found["files"]["places/mine.csv"]["seed"] == 3
    assert found["files"]["figures/c.png"]["datasets"] == ["delaware"], "a picture brings its provenance along"
    assert "settings" not in found["files"]["claims.csv"]


def test_what_files_do_not_share_stands_with_each():
    one = dict(provenance(), commit="a", inputs=[])
    found = merged("one", {}, {"x.csv": one, "y.csv": {**one, "commit": "b"}})
    assert "commit" not in found
    assert [found["files"][name]["commit"] for name in ("x.csv", "y.csv")] == ["a", "b"]


def test_a_page_that_shows_what_was_not_drawn_is_refused(results, tmp_path):
    docs = tmp_path / "one"
    docs.with_suffix(".md").write_text("![a picture](one/figures/missing.png)\n")
    with pytest.raises(RecordError, match=r"missing\.png, not drawn"):
        record(results, docs, tmp_path / "README.md")
    assert not docs.exists(), "the record that was there is not touched"


def test_a_record_has_ten_pictures(tmp_path):
    page = tmp_path / "one.md"
    page.write_text("\n".join(f"![x](one/figures/{i}.png)" for i in range(PICTURES)))
    assert len(pictures_of(page)) == PICTURES
    page.write_text(page.read_text() + "\n![x](one/figures/more.png)")
    with pytest.raises(RecordError, match="11 pictures; a record keeps 10"):
        pictures_of(page)


def test_pictures_shrink_to_half_their_size_and_few_colours(tmp_path):
    """Half of 300 dpi; white stays white, and every colour of a scale is near what it was."""
    before = np.full((120, 240, 3), 255, np.uint8)
    before[40:80, :, 0], before[40:80, :, 1] = np.arange(240), 100
    Image.fromarray(before).save(tmp_path / "large.png", dpi=(300, 300))
    shrink(tmp_path / "large.png", tmp_path / "small.png")
    with Image.open(tmp_path / "small.png") as small:
        assert small.size == (120, 60)
        assert round(small.info["dpi"][0]) == 150
        assert small.mode == "P" and len(small.getcolors()) <= 128
        after = np.asarray(small.convert("RGB")).astype(int)
    assert (after[:15] == 255).all()
    assert np.abs(after[30, :, 0] - np.arange(0.5, 240, 2)).max() < 12
    shrink(tmp_path / "small.png", tmp_path / "again.png")
    with Image.open(tmp_path / "again.png") as again:
        assert again.size == (120, 60), "what is small stays as large"


@pytest.mark.parametrize(
    ("table", "kept"),
    [
        ({"median": [0.5]}, True),
        ({"place": ["a"], "kept": [True]}, True),
        ({"place": np.arange(20000)}, False),
        ({"median": np.arange(20000)}, True),
        ({"median": np.arange(60000)}, False),
        ({"curve": ["a"], "point": [1]}, False),
        ({"time": ["2000-01-01"]}, False),
    ],
)
def test_a_table_is_kept_when_it_summarises(table, kept, tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    assert is_kept(path) == kept


def test_a_claim_that_the_study_lacks_is_refused():
    with pytest.raises(RecordError, match="no claim 'z'"):
        claims_text(claims(), Path("docs"), ["z"])


def test_a_readme_of_another_study_stays_as_it_is():
    text = f"{MARKER}old\n{CLAIMS_END}\n"
    assert with_claims(text, "other", lambda names: "new") == text
    assert with_claims(text, "one", " ".join) == f"{MARKER}b a\n{CLAIMS_END}\n"


def test_the_recorded_study_is_the_default_one():
    study = read_study(ROOT / "config")
    recorded = pd.read_csv(ROOT / "docs/results/default/summary.csv")
    expected = {
        (domain, name, model)
        for domain, experiments in study.experiments.items()
        for name, experiment in experiments.items()
        for model in experiment.models
    }
    estimated = {("davos", "days"), ("davos", "half-hours")} | {(kind, "points") for kind in study.leaf.kinds}
    found = set(zip(recorded.domain, recorded.experiment, recorded.model))
    assert expected <= found
    assert estimated <= {run[:2] for run in found}
