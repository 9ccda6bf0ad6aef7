"""Figures of leaves and of the canopy on the study's own tables of made-up curves: what they show, not how their pixels fall."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from test_leaf import QUICK, made
from thalweg.analysis.leaf import parameter_skill, recover, run_study
from thalweg.evaluation.statistics import COLUMNS
from thalweg.figures import aci_curves, canopy, leaf_parameters, style, twin_leaves


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Paths of the study's tables."""
    folder = tmp_path_factory.mktemp("leaf")
    leaves, truth = made(curves=9, noise=0.2)
    _, results = run_study(leaves, QUICK)
    results["fits"] = (
        results["fits"]
        .drop(columns="species")
        .assign(kind="A-Ci", mean_leaf_temperature=25.0, Vcmax=truth["Vcmax25"], Jmax=truth["Jmax25"])
    )
    for name in ("Vcmax", "Jmax"):
        results["fits"][f"reference_{name}"] = 1.1 * results["fits"][name]
    results["parameter_skill"] = parameter_skill(results["parameters"], 20)
    results["recovery"], results["leaves"] = recover(QUICK)
    for name, table in results.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {name: str(folder / f"{name}.csv") for name in results}


def scattered(axes):
    return [c.get_offsets() for c in axes.collections if isinstance(c, PathCollection)]


def test_curves_show_what_was_held_out_and_both_models(tables, tmp_path):
    figure = aci_curves.draw(tables["points"], tables["fits"], panels=4)
    points = pd.read_csv(tables["points"])
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == 4
    for axes in panels:
        curve = axes.get_title(loc="left").split("\n")[0]
        expected = points[points.curve == curve]
        trained, held_out = scattered(axes)
        assert len(trained) == (~expected.held_out).sum()
        assert len(held_out) == expected.held_out.sum() > 0
        assert len([line for line in axes.lines if len(line.get_xdata()) == len(expected)]) == 2
    fits = pd.read_csv(tables["fits"]).set_index("curve").Vcmax25
    shown = [fits[axes.get_title(loc="left").split("\n")[0]] for axes in panels]
    assert shown == sorted(shown)
    assert shown[0] == fits.min()
    assert shown[-1] == fits.max()
    assert len(style.save(figure, tmp_path / "curves", {})) == 2


def test_parameters_beside_published_ones_and_predictions(tables):
    arguments = (tables["fits"], tables["parameters"], tables["parameter_skill"], "leaf_nitrogen", "curves")
    figure = leaf_parameters.draw(*arguments, "leaf nitrogen [%]")
    assert len(figure.axes) == 4
    for axes in figure.axes[:2]:
        ((theirs, ours),) = (offsets.T for offsets in scattered(axes))
        np.testing.assert_allclose(theirs, 1.1 * ours)
        assert axes.texts[0].get_text() == "9 curves"
    assert figure.axes[2].get_xlabel() == "leaf nitrogen [%]"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    ridge = pd.read_csv(tables["parameter_skill"]).query("model == 'ridge' and parameter == 'Vcmax25'").R2.iloc[0]
    assert any(text.startswith(f"ridge: R² {style.number(ridge)}") for text in legend)


def test_without_published_fits_two_panels_are_left(tables, tmp_path):
    fits = pd.read_csv(tables["fits"]).drop(columns=["Vcmax", "Jmax"])
    fits.to_csv(tmp_path / "fits.csv", index=False)
    figure = leaf_parameters.draw(
        str(tmp_path / "fits.csv"), tables["parameters"], tables["parameter_skill"], "leaf_nitrogen", "curves"
    )
    assert len(figure.axes) == 2
    assert figure.axes[0].get_xlabel() == "leaf nitrogen"


def test_recovery_shows_every_held_out_leaf(tables):
    figure = twin_leaves.draw(tables["leaves"], tables["recovery"])
    leaves, table = pd.read_csv(tables["leaves"]), pd.read_csv(tables["recovery"])
    assert len(figure.axes) == 2
    for axes, quantity in zip(figure.axes, ("Vcmax25", "stress_exponent")):
        (offsets,) = scattered(axes)
        expected = leaves[leaves.quantity == quantity]
        np.testing.assert_allclose(offsets, expected[["true", "learned"]])
        assert style.number(table[table.quantity == quantity].R2.iloc[0], 3) in axes.texts[0].get_text()


def test_the_canopy_shows_measured_and_modelled_fluxes_and_the_errors_of_the_summary(tmp_path):
    days = pd.date_range("2020-01-01", "2020-12-31")
    days = days[days.month != 5]
    columns = ["measured", *canopy.DRAWN]
    made = np.random.default_rng(0).normal(50, 10, (2, len(days), len(columns)))
    daily = pd.concat(
        pd.DataFrame(each, columns=columns).assign(date=days, variable=name, share=0.5)
        for each, name in zip(made, canopy.FLUXES)
    )
    cycle = pd.concat(
        pd.DataFrame(each[:13], columns=columns).assign(hour=np.arange(6, 19), variable=name)
        for each, name in zip(made, canopy.FLUXES)
    )
    rows = [
        ("davos", "days", name, model, 0, seed, "tower", metric, 30.0 + seed)
        for name in canopy.FLUXES
        for model in list(canopy.MODELS)[:-1]
        for seed in (0, 1)
        for metric in ("RMSE", "bias")
    ]
    skill = pd.DataFrame(rows, columns=list(COLUMNS))
    summary = skill.drop_duplicates(["variable", "model", "metric"]).assign(median=12.0)
    for name, table in {"daily": daily, "cycle": cycle, "skill": skill, "summary": summary}.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    figure = canopy.draw(*(tmp_path / f"{name}.csv" for name in ("daily", "cycle", "skill", "summary")))
    year, _, points, *_, errors, _ = figure.axes
    assert len(year.lines) == len(columns) + 1
    assert np.flatnonzero(np.isnan(year.lines[0].get_ydata())).tolist() == [4], "no line across a month without data"
    assert len(scattered(points)[0]) == len(days)
    assert [text.get_text() for text in errors.texts] == ["12 (bias +12)"] * (len(canopy.MODELS) - 1)
