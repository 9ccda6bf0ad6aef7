"""The record: the README shows what the tables hold."""

import re
from pathlib import Path

import pandas as pd
import pytest

from thalweg.evaluation.claims import read_claims
from thalweg.figures.record import (
    CLAIMS_END,
    END,
    START,
    claims_start,
    claims_text,
    place_table,
    record,
    result_table,
    with_results,
)
from thalweg.settings.files import read_study
from thalweg.storage.store import provenance, write_table

ROOT = Path(__file__).parents[1]


def summary():
    rows = [
        dict(
            domain="delaware",
            experiment="temporal",
            variable="discharge",
            model=model,
            metric=metric,
            places=96,
            median=median,
            low=0.1,
            high=0.9,
            seeds=seeds,
            seed_low=0.2,
            seed_high=0.3,
        )
        for model, seeds, median in (("hbv", 3, 0.625), ("climatology", 1, -0.5))
        for metric in ("NSE", "KGE")
    ]
    return pd.DataFrame(rows)


def test_the_table_shows_medians_intervals_and_seeds():
    table = result_table(summary(), {"hbv": "δHBV"})
    assert "| delaware, temporal | δHBV | 96 | 0.625 (0.10, 0.90) | 0.20 to 0.30 | 0.625 (0.10, 0.90) |" in table
    assert "| delaware, temporal | climatology | 96 | -0.500 (0.10, 0.90) | - | -0.500 (0.10, 0.90) |" in table


def test_sampled_variables_have_a_table_of_their_own():
    """Of a summary of everything the table of discharge shows discharge, that of samples the experiments that are named."""
    rows = [
        dict(
            domain="thames",
            experiment=experiment,
            variable="nitrate",
            model="nitrogen",
            metric=metric,
            places=21,
            median=value,
            low=1.0,
            high=2.0,
            unit="mg/l",
        )
        for experiment in ("later", "elsewhere")
        for metric, value in (("RMSE", 1.5), ("bias", -0.25), ("NSE", 0.5))
    ]
    both = pd.concat([summary(), pd.DataFrame(rows)])
    assert result_table(both, {}) == result_table(summary(), {})
    table = place_table(both, {("thames", "later"): "nitrate, later"}, {"nitrogen": "δ nitrogen"}).splitlines()
    assert table[2:] == ["| nitrate, later | δ nitrogen | 21 | 1.500 (1.00, 2.00) | mg/l | -0.25 | 0.50 |"]


def test_a_record_copies_tables_and_the_figures_that_are_shown_and_replaces_the_table(tmp_path):
    results = tmp_path / "results"
    write_table(summary(), results / "tables" / "summary.csv", provenance())
    (results / "figures" / "a").mkdir(parents=True)
    for name in ("b", "c"):
        (results / "figures" / "a" / f"{name}.png").write_bytes(b"png")
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{START}\nold\n{END}\n[a map](docs/figures/a/b.png)\nafter\n")
    for _ in range(2):
        record(results, tmp_path / "docs", readme, {})
    assert [path.name for path in (tmp_path / "docs").rglob("*.png")] == ["b.png"], "what the README shows or links"
    text = readme.read_text()
    assert "old" not in text
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert text.count("climatology") == 1


def test_a_readme_without_markers_is_refused():
    with pytest.raises(ValueError, match="lacks the markers"):
        with_results("text", "table", "note")


def test_the_readme_shows_the_recorded_tables():
    recorded = pd.read_csv(ROOT / "docs" / "default" / "summary.csv")
    labels = {name: model.label for name, model in read_study(ROOT / "config").models.items()}
    assert result_table(recorded, labels) in (ROOT / "README.md").read_text()


def test_every_picture_and_page_that_the_readme_names_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_recorded_study_is_the_default_one():
    study = read_study(ROOT / "config")
    recorded = pd.read_csv(ROOT / "docs" / "default" / "summary.csv")
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


def claims():
    row = dict(family="space", reference="lstm", unit="dimensionless", margin=0.01, low=0.02, high=0.04, reason="")
    return pd.DataFrame(
        [
            {
                **row,
                "claim": "a",
                "text": "It carries",
                "metric_or_quantity": "NSE",
                "effect": 0.03,
                "verdict": "supported",
            },
            {
                **row,
                "claim": "b",
                "text": "It fails",
                "metric_or_quantity": "NSE",
                "effect": -0.03,
                "verdict": "not supported",
            },
        ]
    )


def test_verdicts_go_into_the_readme_of_the_study_that_it_names(tmp_path):
    results = tmp_path / "results"
    write_table(claims(), results / "tables" / "claims.csv", provenance())
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{claims_start('one')}\nold\n{CLAIMS_END}\nafter\n")
    record(results, tmp_path / "docs", readme, {}, study="other")
    assert "old" in readme.read_text()
    record(results, tmp_path / "docs", readme, {}, study="one")
    text = readme.read_text()
    assert "old" not in text
    assert "| ✘ not supported | It fails | −0.030 (0.020, 0.040) |" in text
    assert "**1 supported**, **1 not supported**" in text


def test_the_readme_shows_the_recorded_verdicts():
    text = (ROOT / "README.md").read_text()
    study = re.search(r"<!-- claims of ([a-z0-9-]+):", text).group(1)
    docs = Path("docs") / study
    assert claims_text(read_claims(ROOT / docs / "claims.csv"), docs) in text
