"""Claims on hand-made scores, of which the truth is known."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_rgba

from thalweg.cli import main
from thalweg.evaluation.blocks import MIN_BLOCKS, block_bootstrap, blocks_of, read_blocks
from thalweg.evaluation.claims import SYMBOLS, effect_text, gain, judge, page
from thalweg.evaluation.evidence import EVIDENCE_COLUMNS, read_evidence
from thalweg.evaluation.statistics import holm
from thalweg.figures.claims import COLOURS, MARKERS, draw
from thalweg.schema import ConfigError, validated
from thalweg.settings.claims import FAMILIES, ClaimsJob
from thalweg.settings.files import read_study
from thalweg.storage.store import write_netcdf

GAUGES = [f"{position:02d}" for position in range(60)]
BLOCKS = {"valley": pd.Series(np.repeat(np.arange(12), 5), index=GAUGES)}
NOISE = np.random.default_rng(0).normal(0, 0.01, (3, 60))  # of single seeds


def skill_table(values, metric="NSE", domain="valley", variable="discharge"):
    """Skill of three seeds: (experiment, model) -> mean value, the same at all gauges or one each."""
    frames = [
        pd.DataFrame(
            {
                "domain": domain,
                "experiment": experiment,
                "variable": variable,
                "model": model,
                "fold": 0,
                "seed": seed,
                "place": GAUGES,
                "metric": metric,
                "value": value + NOISE[seed] * (1 if model == "ours" else -1),
            }
        )
        for (experiment, model), value in values.items()
        for seed in range(3)
    ]
    return pd.concat(frames, ignore_index=True)


def claim(kind="better", **changes):
    values = {
        "kind": kind,
        "text": "ours is better",
        "family": "prediction",
        "experiment": "valley/later",
        "model": "ours",
        "reference": "theirs",
        "margin": 0.02,
        "would_change": "more gauges",
    }
    return values | changes


def judged(skill, *claims, evidence=(), blocks=BLOCKS, samples=500):
    named = {f"claim {position}": one for position, one in enumerate(claims)}
    job = validated(ClaimsJob, {"claims": named, "bootstrap_samples": samples})
    return judge(skill, list(evidence), blocks, job.claims, samples)


def verdict(skill, one, **more):
    return judged(skill, one, **more).iloc[0]


@pytest.mark.parametrize(
    ("ours", "expected", "said"),
    [
        (0.75, "supported", "lies above 0"),
        (0.65, "not supported", "lies below 0"),
        (0.70, "not supported", "the least that matters"),
        (0.71, "not supported", "the least that matters"),
    ],
    ids=["better", "worse", "equal", "better by less than matters"],
)
def test_a_claim_to_be_better_gets_the_verdict_that_is_true(ours, expected, said):
    row = verdict(skill_table({("later", "ours"): ours, ("later", "theirs"): 0.7}), claim())
    assert (row.verdict, row.n, row.seeds) == (expected, 60, 3)
    assert said in row.reason
    assert row.effect == pytest.approx(ours - 0.7, abs=0.005)
    assert row.low < row.effect < row.high


def test_the_effect_pairs_gauges_after_the_mean_over_seeds():
    ours = np.linspace(0, 0.8, 60)
    row = verdict(skill_table({("later", "ours"): ours, ("later", "theirs"): ours - 0.1}), claim())
    assert row.effect == pytest.approx(np.median(0.1 + 2 * NOISE.mean(0)))
    assert row.high - row.low < 0.02, "the spread of skill between gauges does not count"


def test_noise_leaves_a_claim_undecided():
    scatter = np.random.default_rng(1).normal(0, 0.2, 60)
    row = verdict(skill_table({("later", "ours"): 0.7 + scatter, ("later", "theirs"): 0.7}), claim())
    assert row.verdict == "undecided"
    assert row.reason == "the interval holds 0"


def test_a_sure_difference_smaller_than_matters_is_undecided():
    scatter = np.random.default_rng(2).normal(0, 0.03, 60)
    row = verdict(
        skill_table({("later", "ours"): 0.7 + scatter - np.median(scatter) + 0.015, ("later", "theirs"): 0.7}), claim()
    )
    assert 0 < row.low < row.effect < 0.02 < row.high
    assert row.verdict == "undecided"
    assert "smaller than 0.02" in row.reason


@pytest.mark.parametrize(
    ("ours", "expected"), [(0.7, "supported"), (0.69, "supported"), (0.75, "supported"), (0.65, "not supported")]
)
def test_as_good_allows_the_margin(ours, expected):
    row = verdict(skill_table({("later", "ours"): ours, ("later", "theirs"): 0.7}), claim("as_good"))
    assert row.verdict == expected
    assert row.threshold == -0.02
    assert "against -0.02" in row.test


def test_closer_to_the_best_value_is_better_from_both_sides():
    skill = skill_table({("later", "ours"): -3.0, ("later", "theirs"): 5.0}, metric="FHV")
    row = verdict(skill, claim(metric="FHV", margin=1.0))
    assert row.verdict == "supported"
    assert row.effect == pytest.approx(2.0, abs=0.05)
    assert row.unit == "percent"
    assert effect_text(row).endswith(" %")


@pytest.mark.parametrize(
    ("far", "expected", "effect"),
    [
        ({"ours": 0.6, "theirs": 0.5}, "supported", 0.1),
        ({"ours": 0.4, "theirs": 0.5}, "not supported", -0.1),
        ({"ours": 0.55, "theirs": 0.5}, "supported", 0.05),
    ],
)
def test_more_robust_compares_losses_not_skill(far, expected, effect):
    near = {("later", "ours"): 0.7, ("later", "theirs"): 0.7}
    skill = skill_table(near | {("far", model): value for model, value in far.items()})
    row = verdict(skill, claim("more_robust", experiment="valley/far", baseline="valley/later"))
    assert row.verdict == expected
    assert row.effect == pytest.approx(effect, abs=1e-9), "the seeds' noise is the same in both and cancels"
    assert row.experiment == "valley/later to far"


def evidence_table(effect, low, high, p=np.nan, quantity="sign_violations", reference=""):
    row = ("valley", "later", "ours", reference, quantity, effect, low, high, p, 60, "dimensionless", "by hand")
    return pd.DataFrame([row], columns=EVIDENCE_COLUMNS)


def test_a_p_of_no_correlation_says_nothing_of_another_threshold():
    one = claim("evidence", quantity="baseflow_index_rank_correlation", reference="", above=0.5)
    table = evidence_table(0.7, 0.6, 0.8, p=0.2, quantity="baseflow_index_rank_correlation")
    row = verdict(skill_table({("later", "ours"): 0.7}), one, evidence=[table])
    assert row.verdict == "supported"
    assert np.isnan(row.p)


@pytest.mark.parametrize(
    ("numbers", "side", "expected"),
    [
        ((0.30, 0.20, 0.40), {"above": 0.1}, "supported"),
        ((0.30, 0.20, 0.40), {"below": 0.1}, "not supported"),
        ((0.02, 0.00, 0.04), {"below": 0.1}, "supported"),
        ((0.10, 0.05, 0.20), {"below": 0.1}, "undecided"),
        ((0.00, -0.01, 0.01), {"above": 0.0}, "not supported"),
        ((0.00, -0.01, 0.05), {"above": 0.0}, "undecided"),
        ((0.30, 0.20, 0.40, 0.001), {"above": 0.1}, "supported"),
        ((0.30, 0.20, 0.40, 0.2), {"above": 0.1}, "undecided"),
        ((0.30, np.nan, np.nan), {"above": 0.1}, "undecided"),
        ((0.03, 0.02, 0.05, 0.001), {"within": 0.1}, "supported"),
        ((-0.03, -0.05, 0.02, 0.8), {"within": 0.1}, "supported"),
        ((-0.20, -0.30, -0.12, 0.001), {"within": 0.1}, "not supported"),
        ((0.08, 0.03, 0.14), {"within": 0.1}, "undecided"),
    ],
)
def test_evidence_is_judged_by_its_interval_and_its_p_where_there_is_one(numbers, side, expected):
    one = claim("evidence", reference="", quantity="sign_violations", **side)
    row = verdict(skill_table({("later", "ours"): 0.7}), one, evidence=[evidence_table(*numbers)])
    assert row.verdict == expected
    assert (row.effect, row.test, row.n) == (numbers[0], "by hand", 60)


def test_gain_counts_towards_the_claimed_side():
    numbers = {"effect": 0.3, "low": 0.2, "high": 0.5, "threshold": 0.1}
    assert gain(numbers | {"claimed": "above"}) == pytest.approx((0.2, 0.1, 0.4))
    assert gain(numbers | {"claimed": "below"}) == pytest.approx((-0.2, -0.4, -0.1))
    assert gain(numbers | {"claimed": "within"}) == pytest.approx((-0.2, -0.4, -0.1))
    across = {"effect": -0.02, "low": -0.05, "high": 0.04, "threshold": 0.1, "claimed": "within"}
    assert gain(across) == pytest.approx((0.08, 0.05, 0.1))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"experiment": "hills/later"}, "the study has no domain hills"),
        ({"experiment": "valley/pub"}, "the study has no experiment valley/pub"),
        ({"reference": "oracle"}, "the study has no model oracle in valley/later"),
        ({"metric": "KGE"}, "the study has no KGE of ours in valley/later"),
    ],
)
def test_what_the_study_does_not_have_is_not_tested(changes, reason):
    row = verdict(skill_table({("later", "ours"): 0.7, ("later", "theirs"): 0.6}), claim(**changes))
    assert (row.verdict, row.reason) == ("not tested", reason)
    assert np.isnan(row.effect)
    assert row.isna()[["n", "p", "p_holm"]].all()


def test_evidence_that_is_lacking_or_undefined_is_not_tested():
    skill = skill_table({("later", "ours"): 0.7})
    one = claim("evidence", quantity="published_nse", above=0.0)
    assert verdict(skill, one).reason == "there is no published_nse of ours against theirs in valley/later"
    undefined = evidence_table(np.nan, np.nan, np.nan, quantity="published_nse", reference="theirs")
    assert verdict(skill, one, evidence=[undefined]).verdict == "not tested"
    twice = evidence_table(0.1, 0.0, 0.2, quantity="published_nse", reference="theirs")
    with pytest.raises(ValueError, match="2 values of published_nse of ours against theirs"):
        verdict(skill, one, evidence=[twice, twice])


def test_gauges_without_a_common_value_are_not_tested():
    skill = skill_table({("later", "ours"): 0.7, ("later", "theirs"): 0.6})
    first = skill.place.isin(GAUGES[:30])
    skill.loc[first == (skill.model == "ours"), "value"] = np.nan
    assert verdict(skill, claim()).reason == "no place has NSE of both ours and theirs"


def test_few_gauges_or_blocks_decide_nothing():
    skill = skill_table({("later", "ours"): 0.9, ("later", "theirs"): 0.6})
    few = verdict(skill[skill.place.isin(GAUGES[::12])], claim())
    assert (few.verdict, few.reason) == ("undecided", "places: 5, blocks: 5; a verdict needs 10 and 5")
    one_place = {"valley": pd.Series("all", index=GAUGES)}
    assert verdict(skill, claim(), blocks=one_place).reason == "places: 60, blocks: 1; a verdict needs 10 and 5"


def test_a_gauge_without_block_is_named():
    skill = skill_table({("later", "ours"): 0.9, ("later", "theirs"): 0.6})
    with pytest.raises(ValueError, match="valley: place '59' has skill but no block"):
        verdict(skill, claim(), blocks={"valley": BLOCKS["valley"].iloc[:-1]})


def test_p_is_corrected_over_all_claims_that_have_one():
    skill = skill_table({("later", "ours"): 0.75, ("later", "theirs"): 0.7})
    weak = claim("evidence", reference="", quantity="sign_violations", above=0.1)
    tables = [evidence_table(0.3, 0.2, 0.4, p=0.02)]
    assert verdict(skill, weak, evidence=tables).verdict == "supported"
    null = evidence_table(0.0, -1, 1, p=0.9, quantity="trend_correlation")
    others = [claim("evidence", reference="", quantity="trend_correlation", above=0.0), claim(reference="oracle")]
    both = judged(skill, weak, *others, evidence=[*tables, null])
    assert both.p_holm.tolist()[:2] == [0.04, 0.9], "the claim that is not tested does not count"
    many = judged(skill, weak, *[others[0]] * 3, evidence=[*tables, null])
    assert many.p_holm[0] == pytest.approx(0.08)
    assert many.verdict[0] == "undecided"
    assert many.reason[0] == "the interval lies above 0.1, but p is 0.08"
    np.testing.assert_allclose(many.p_holm, holm(many.p))


def test_claims_come_by_family_in_their_order():
    skill = skill_table({("later", "ours"): 0.75, ("later", "theirs"): 0.7})
    table = judged(skill, claim(family="questions"), claim(family="space"), claim(family="prediction"))
    assert table.family.tolist() == ["prediction", "space", "questions"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "NSEE"}, "there is no such metric; there are NSE, KGE"),
        ({"experiment": "later"}, "String should match pattern"),
        ({"family": "magic"}, "Input should be 'prediction'"),
        ({"margin": 0}, "greater than 0"),
        ({"margn": 1}, "unknown key"),
        ({"kind": "evidence", "quantity": "x", "above": 0, "below": 0}, "give one of the three"),
        ({"kind": "more_robust", "baseline": "valley/later"}, "name another experiment of the domain"),
    ],
)
def test_a_claim_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        validated(ClaimsJob, {"claims": {"one": claim() | changes}, "bootstrap_samples": 10})


def test_the_default_claims_cover_the_families_that_the_default_study_can_test():
    claims = read_study(Path(__file__).parents[1] / "config").claims
    assert set(FAMILIES) - {one.family for one in claims.values()} == {"existing models", "foundation"}
    stated = {name: one.model_dump(mode="json") for name, one in claims.items()}
    assert validated(ClaimsJob, {"claims": stated, "bootstrap_samples": 1}).claims == claims


def gauges_of(places, region=None):
    dataset = xr.Dataset({"latitude": ("place", places[:, 0]), "longitude": ("place", places[:, 1])})
    return dataset if region is None else dataset.assign(region=("place", region))


def test_places_without_coordinates_are_blocks_of_their_own(tmp_path):
    curves = xr.Dataset(coords={"place": [f"c{number}" for number in range(30)]})
    assert len(set(blocks_of(curves))) == 30
    curves.to_netcdf(tmp_path / "leaf.nc", group="places", engine="h5netcdf")
    assert read_blocks(tmp_path / "leaf.nc").nunique() == 30
    places = np.repeat(np.array([[40.0, -100.0], [45.0, -80.0]]), 10, axis=0) + np.arange(20)[:, None] * 1e-3
    places[3] = np.nan
    blocks = blocks_of(gauges_of(places))
    assert (blocks == blocks[3]).sum() == 1
    assert list(np.delete(blocks, 3)) == list(blocks_of(gauges_of(np.delete(places, 3, axis=0))))


def test_a_claim_of_samples_is_in_the_unit_of_its_variable():
    """Two variables in one experiment: the first counts unless the claim names the other; errors are in their units."""
    shared = {"domain": "valley", "metric": "RMSE"}
    skill = pd.concat(
        [
            skill_table(
                {("later", "ours"): 1.0, ("later", "theirs"): 1.5}, **shared, variable="water_temperature"
            ).assign(unit="degC"),
            skill_table({("later", "ours"): 2.0, ("later", "theirs"): 1.0}, **shared, variable="nitrate").assign(
                unit="mg/l"
            ),
        ]
    )
    one = {"metric": "RMSE", "margin": 0.1}
    first, other, none = judged(
        skill, claim(**one), claim(**one, variable="nitrate"), claim(**one, variable="oxygen")
    ).to_dict("records")
    assert (first["verdict"], first["variable"], first["unit"]) == ("supported", "water_temperature", "degC")
    assert first["effect"] == pytest.approx(0.5, abs=0.02)
    assert effect_text(first).endswith(" °C")
    assert (other["verdict"], other["variable"], other["unit"]) == ("not supported", "nitrate", "mg/l")
    assert none["reason"] == "the study has no oxygen in valley/later"
    assert "RMSE of water temperature, valley/later: ours and theirs" in page(judged(skill, claim(**one)), "Claims")


def test_blocks_are_regions_where_there_are_some_and_near_gauges_otherwise():
    generator = np.random.default_rng(0)
    centres = np.array([(40, -100), (40, -90), (45, -80), (30, -85), (35, -110), (48, -120)])
    places = np.repeat(centres, 15, axis=0) + generator.normal(0, 0.1, (90, 2))
    blocks = blocks_of(gauges_of(places))
    np.testing.assert_array_equal(blocks, blocks_of(gauges_of(places)))
    assert len(set(blocks)) == 6
    assert all(len(set(blocks[first : first + 15])) == 1 for first in range(0, 90, 15)), "one block per cluster"
    region = np.repeat(list("abcdef"), 15)
    np.testing.assert_array_equal(blocks_of(gauges_of(places, region)), region)
    assert len(set(blocks_of(gauges_of(places, np.repeat(["a", ""], 45))))) == 6, "not every gauge has a region"
    assert len(set(blocks_of(gauges_of(places, np.repeat(["a", "b"], 45))))) == 6, "two regions are too few blocks"
    assert len(set(blocks_of(gauges_of(places[::9])))) == MIN_BLOCKS
    assert blocks_of(gauges_of(places[::30])).tolist() == [0, 1, 2]


def test_neighbours_that_err_alike_widen_the_interval():
    generator = np.random.default_rng(0)
    blocks = np.repeat(np.arange(20), 15)
    alike = generator.normal(0, 1, 20)[blocks] + generator.normal(0, 0.3, 300)
    apart = generator.normal(0, 1.04, 300)
    width = {
        name: np.ptp(block_bootstrap(values, label))
        for name, values, label in (
            ("alike", alike, blocks),
            ("alike, single gauges", alike, np.arange(300)),
            ("apart", apart, blocks),
            ("apart, single gauges", apart, np.arange(300)),
        )
    }
    assert width["alike"] > 2 * width["alike, single gauges"]
    assert width["apart"] == pytest.approx(width["apart, single gauges"], rel=0.4)


def test_the_interval_of_blocks_covers_the_truth():
    """Over many draws of 20 blocks that err alike, 95 % intervals of the mean hold the truth nearly as often; plain ones do not."""
    generator = np.random.default_rng(0)
    blocks = np.repeat(np.arange(20), 10)
    held = {"blocks": 0, "places": 0}
    for _ in range(100):
        values = generator.normal(0, 1, 20)[blocks] + generator.normal(0, 0.3, 200)
        for name, label in (("blocks", blocks), ("places", np.arange(200))):
            low, high = block_bootstrap(values, label, np.mean, samples=200)
            held[name] += low < 0 < high
    assert held["blocks"] >= 88
    assert held["places"] < 60


def test_block_bootstrap_of_pairs_leaves_out_what_is_missing():
    values = np.stack([np.arange(40.0), 2 * np.arange(40.0)], axis=1)
    values[3, 1] = np.nan
    blocks = np.repeat(np.arange(8), 5)
    correlation = block_bootstrap(values, blocks, lambda pairs: np.corrcoef(pairs.T)[0, 1], samples=50)
    assert correlation == pytest.approx((1, 1))
    assert block_bootstrap(values, blocks, lambda pairs: pairs[:, 0].min(), 50)[1] < 20
    assert np.isnan(block_bootstrap(values[:5], blocks[:5])).all(), "one block has no neighbours to be exchanged with"
    with pytest.raises(ValueError, match="one block label per place"):
        block_bootstrap(values, blocks[:-1])


@pytest.fixture
def mixed():
    skill = skill_table({("later", "ours"): 0.75, ("later", "theirs"): 0.7, ("later", "third"): 0.8})
    scatter = np.random.default_rng(1).normal(0, 0.2, 60)
    skill = pd.concat([skill, skill_table({("later", "noisy"): 0.7 + scatter})])
    return judged(
        skill, claim(), claim(reference="third", family="space"), claim(model="noisy"), claim(reference="oracle")
    )


def test_the_page_counts_verdicts_and_keeps_failed_claims_in_their_place(mixed):
    text = page(mixed, "Claims")
    assert "4 claims: 1 supported, 1 not supported, 1 undecided, 1 not tested." in text
    assert (
        text.index("## Prediction") < text.index("✔ supported") < text.index("## Space") < text.index("✘ not supported")
    )
    rows = [line for line in text.splitlines() if line.startswith("| ") and "verdict" not in line]
    assert len(rows) == 4
    assert all(row.count("|") == 9 for row in rows)


def test_the_figure_shows_every_verdict_in_its_colour_and_symbol(mixed, tmp_path):
    mixed.to_csv(tmp_path / "claims.csv", index=False)
    figure = draw(tmp_path / "claims.csv", title="Claims")
    written = [text.get_text() for text in figure.texts]
    for symbol in SYMBOLS.values():
        assert symbol in written
    assert "the study has no model oracle in valley/later" in " ".join(written).replace("\n", " ")
    (axes,) = figure.axes
    points = {line.get_marker(): line for line in axes.lines if line.get_marker() in "oXD"}
    for name, (marker, _) in MARKERS.items():
        assert to_rgba(points[marker].get_color()) == to_rgba(COLOURS[name])
    supported = mixed[mixed.verdict == "supported"].iloc[0]
    assert points["o"].get_xdata()[0] == pytest.approx(supported.effect / 0.02)
    heights = [line.get_ydata()[0] for line in points.values()]
    assert len(set(heights)) == 3


def test_the_verb_writes_the_table_and_the_page(tmp_path, domain):
    skill = skill_table({("later", "ours"): 0.75, ("later", "theirs"): 0.7}, domain="synthetic")
    skill = skill[skill.place.isin(GAUGES[:4])].replace({"place": dict(zip(GAUGES, domain.place_ids))})
    skill.to_csv(tmp_path / "skill.csv", index=False)
    evidence_table(0.02, 0.0, 0.04).to_csv(tmp_path / "evidence.csv", index=False)
    write_netcdf(domain.to_tree(), tmp_path / "synthetic.nc", {})
    claims = {
        "paired": claim(experiment="synthetic/later"),
        "found": claim("evidence", reference="", quantity="sign_violations", below=0.1),
    }
    settings = json.dumps({"claims": claims, "bootstrap_samples": 20})
    main(
        [
            *("step", "claims", "--skill", f"{tmp_path}/skill.csv", "--evidence", f"{tmp_path}/evidence.csv"),
            *("--domains", f"synthetic={tmp_path}/synthetic.nc", "--settings", settings, "--study", "test"),
            *("--output", f"{tmp_path}/claims.csv", "--page", f"{tmp_path}/claims.md"),
        ]
    )
    table = pd.read_csv(tmp_path / "claims.csv").set_index("claim")
    assert table.verdict["found"] == "supported"
    assert table.reason["paired"].startswith("places: 4, blocks: 4")
    assert (tmp_path / "claims.md").read_text().startswith("# The claims of the study test")


def test_evidence_without_a_column_is_refused(tmp_path):
    evidence_table(0.1, 0, 0.2).drop(columns="test").to_csv(tmp_path / "evidence.csv", index=False)
    with pytest.raises(ValueError, match=r"evidence.csv: column 'test' is missing"):
        read_evidence(tmp_path / "evidence.csv")
