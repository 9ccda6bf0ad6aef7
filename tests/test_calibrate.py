"""Calibration of one catchment: known parameters come back, profiles hold the truth, and other optimisers do no better."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from scipy.optimize import differential_evolution
from scipy.stats import chi2

from conftest import dataset
from test_alone import dates, weather
from thalweg.basin.domain import DataError
from thalweg.cli import main
from thalweg.learn.minimise import adam, bfgs
from thalweg.library.calibrate import calibrate
from thalweg.library.process import ParameterError, process
from thalweg.metrics.scores import METRICS
from thalweg.registry import RegistryError

DAYS = 365 * 5
TRUTH = {"X1": 350.0, "X2": -0.8, "X3": 60.0, "X4": 1.7}
QUICK = {"starts": 8, "steps": 60, "refine": 60}


def rosenbrock(rows, _=None):
    return (1 - rows[:, 0]) ** 2 + 100 * (rows[:, 1] - rows[:, 0] ** 2) ** 2


def test_every_row_descends_by_itself():
    starts = torch.tensor([[-1.2, 1.0], [3.0, -2.0], [0.0, 0.0]], dtype=torch.float64)
    rows, losses = bfgs(rosenbrock, starts, 300)
    torch.testing.assert_close(rows, torch.ones_like(rows), rtol=0, atol=1e-4)
    assert (losses < 1e-9).all()
    for i in range(3):
        alone, _ = bfgs(rosenbrock, starts[i : i + 1], 300)
        torch.testing.assert_close(alone[0], rows[i], rtol=0, atol=1e-6)
    held = torch.tensor([[True, False], [False, True], [True, True]])
    rows, losses = bfgs(rosenbrock, starts, 300, held)
    assert rows[0, 1] == 1.0 and rows[1, 0] == 3.0
    assert rows[1, 1].item() == pytest.approx(9.0, abs=1e-5)
    near, lowest, trace = adam(rosenbrock, starts, 400, 0.1)
    assert (lowest < trace[0] / 10).all() and trace.shape == (400, 3)
    torch.testing.assert_close(rosenbrock(near), lowest)


def test_a_row_without_a_number_is_left_alone():
    def broken(rows, _=None):
        return (rows**2).sum(1) * torch.where(rows[:, 0] > 5, torch.nan, 1.0)

    _, losses = bfgs(broken, torch.tensor([[9.0, 1.0], [2.0, 1.0]], dtype=torch.float64), 50)
    assert losses[0] == torch.inf and losses[1] < 1e-8


@pytest.fixture(scope="module")
def synthetic():
    """Five years of forcing without snow, and the discharge of GR4J with known parameters."""
    forcing = pd.DataFrame(weather(DAYS, seed=3), dates(DAYS)).drop(columns="temperature")
    model = process("gr4j", snow_routine=False)
    return model, forcing, model.run(forcing, TRUTH).runoff.to_series()


@pytest.fixture(scope="module")
def noisy(synthetic):
    """The same with independent errors of a fifth of the standard deviation."""
    model, forcing, flow = synthetic
    error = np.random.default_rng(0).normal(0, 0.2 * flow.std(), len(flow))
    observed = (flow + error).clip(lower=0)
    observed.iloc[700:760] = np.nan
    return model.calibrate(forcing, observed, calibration=("2001", "2004"), validation=("2005", "2005"), **QUICK)


def test_known_parameters_come_back(synthetic):
    model, forcing, flow = synthetic
    fit = model.calibrate(forcing, flow, **QUICK)
    for name, value in TRUTH.items():
        assert fit.parameters[name] == pytest.approx(value, rel=2e-3), name
    assert fit.scores.NSE["calibration"] > 0.99999
    assert (fit.starts.score > 0.9999).sum() >= 4, "several starts find the same"
    assert fit.evaluations <= 8 * 120 and fit.trace.shape == (60, 8)
    again = model.calibrate(forcing, flow, **QUICK)
    assert again.parameters.equals(fit.parameters), "the same seed, the same numbers"


def test_scores_are_those_of_the_metrics_on_the_days_of_each_period(noisy):
    run = noisy.simulation
    days = run.time.dt.year.values
    assert noisy.scores.loc["calibration", "values"] == 3 * 365 + 1 - 60  # a year of warm-up, 60 days missing
    assert noisy.scores.loc["validation", "values"] == (days == 2005).sum()
    part = run.isel(time=days == 2005)
    for name in ("NSE", "KGE", "PBIAS"):
        expected = METRICS[name].function(part.discharge.values, part.observed.values, 1)
        assert noisy.scores.loc["validation", name] == pytest.approx(expected)
    assert noisy.starts.score.iloc[0] == pytest.approx(noisy.scores.NSE["calibration"], abs=1e-9)
    assert 0.9 < noisy.scores.NSE["validation"] < 0.99
    spread = noisy.spread
    assert (spread.lowest <= spread.best).all() and (spread.best <= spread.highest).all()
    assert (spread.low_bound < spread.lowest).all() and spread.unit["X1"] == "mm"
    assert "NSE" in repr(noisy) and "X4" in repr(noisy)


def test_profiles_hold_the_truth_and_end_where_the_deviance_does(noisy):
    found = noisy.profile(errors="independent")
    assert found.threshold == pytest.approx(chi2.ppf(0.95, 1)) and found.effective_days == found.days == 1036
    for name, value in TRUTH.items():
        row, table = found.intervals.loc[name], found.table[found.table.parameter == name]
        assert row.low < value < row.high, name
        assert row.high - row.low < 0.3 * (table.value.max() - table.value.min())
        assert table.deviance.min() == 0 and not (row.low_is_bound or row.high_is_bound)
        ends = np.interp([row.low, row.high], table.value, table.deviance)
        np.testing.assert_allclose(ends, found.threshold, rtol=0.15)
    wider = noisy.profile("X1", level=0.99, errors="independent").intervals.loc["X1"]
    assert wider.low < found.intervals.low["X1"] and wider.high > found.intervals.high["X1"]
    # errors are independent here: their correlation changes the intervals little
    near = noisy.profile("X1")
    assert 0.8 * found.days < near.effective_days <= found.days
    with pytest.raises(ParameterError, match="'FC' was not fitted; fitted were X1, X2, X3, X4"):
        noisy.profile("FC")


def test_a_parameter_without_effect_has_a_flat_profile(synthetic):
    _, forcing, flow = synthetic
    warm = forcing.assign(temperature=20.0)
    fixed = TRUTH | {"TT": 0.0, "CFMAX": 3.0}
    noise = np.random.default_rng(1).normal(0, 0.1, len(flow))
    fit = calibrate(
        "gr4j", warm, (flow + noise).clip(lower=0), fixed={k: v for k, v in fixed.items() if k != "X1"}, **QUICK
    )
    assert fit.task.free == ("X1", "CFR", "CWH")
    found = fit.profile(["X1", "CFR"])
    flat = found.table[found.table.parameter == "CFR"]
    assert flat.deviance.max() < 1e-6 and len(flat) >= 9
    row = found.intervals.loc["CFR"]
    assert (row.low, row.high) == (0.0, 0.1) and row.low_is_bound and row.high_is_bound
    assert not found.intervals.low_is_bound["X1"]


def test_the_figure_shows_periods_starts_and_profiles(noisy):
    noisy.profile(["X1", "X2"])
    figure = noisy.plot()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title[:14] for title in titles] == ["(a) calibratio", "(b) validation", "(c) the 8 star", "", ""]
    assert [axes.get_xlabel() for axes in figure.axes[3:]] == ["X1 [mm]", "X2 [mm/day]"]
    figure.canvas.draw()


def test_each_objective_is_the_best_of_its_own_score(synthetic):
    """Against observations that GR4J cannot reproduce."""
    model, forcing, flow = synthetic
    observed = 0.7 * flow**1.3 + 0.2
    rows = {}
    for name in ("NSE", "log_NSE", "sqrt_NSE", "KGE", "rmse_combination", "nse_batch"):
        fit = model.calibrate(forcing, observed, objective=name, **QUICK)
        rows[name] = fit.scores.loc["calibration"]
        if fit.objective.efficiency:
            assert fit.starts.score.iloc[0] == pytest.approx(rows[name][name], abs=2e-6)
    table = pd.DataFrame(rows)
    for name in ("NSE", "log_NSE", "sqrt_NSE", "KGE"):
        assert table.loc[name].idxmax() in (name, "nse_batch" if name == "NSE" else name)
    assert table.loc["NSE", "nse_batch"] == pytest.approx(table.loc["NSE", "NSE"], abs=1e-5)
    with pytest.raises(RegistryError, match="objective 'nse' is unknown; use NSE, sqrt_NSE"):
        model.calibrate(forcing, observed, objective="nse")


def test_discharge_in_every_form_is_the_same(synthetic):
    model, forcing, flow = synthetic
    fixed = {"X2": TRUTH["X2"], "X3": TRUTH["X3"], "X4": TRUTH["X4"]}
    settings = {"fixed": fixed, "starts": 2, "steps": 5, "refine": 5}
    volume = flow * 127 / 86.4
    cube = xr.DataArray(volume.values, {"time": flow.index}, attrs={"units": "m3/s"})
    forms = [
        (forcing, flow, {}),
        (forcing, flow.to_numpy(), {}),
        (forcing, flow[::-1], {}),
        (forcing, volume, {"unit": "m3/s", "area": 127}),
        (forcing, volume.rename("Q [m3/s]"), {"area": "12700 ha"}),
        (forcing, cube, {"area": 127.0}),
        (forcing.assign(**{"discharge [l/s]": 1000 * volume}), "discharge", {"unit": "l/s", "area": 127}),
    ]
    fits = [model.calibrate(one, discharge, **settings, **more) for one, discharge, more in forms]
    for fit in fits:
        np.testing.assert_allclose(fit.observed, flow, rtol=1e-12)
        assert fit.parameters["X1"] == pytest.approx(fits[0].parameters["X1"], rel=1e-9)
        assert fit.parameters["X2"] == TRUTH["X2"]


def test_what_does_not_fit_is_named(synthetic):
    model, forcing, flow = synthetic
    negative = flow.copy()
    negative.iloc[40] = -99.0
    for discharge, more, message in (
        (flow, {"unit": "m3/s"}, "pass its area, such as area='127 km2'"),
        (negative, {}, "discharge is negative, -99 mm/day, on 2001-02-10; NaN marks"),
        (flow.to_numpy()[:9], {}, r"discharge has shape \(9,\), the forcing 1825 steps"),
        (flow.shift(freq="3650D"), {}, "no value on the days of the forcing"),
        (pd.concat([flow, flow[9:10]]), {}, "discharge has two values on 2001-01-10; keep one"),
        (flow * 0 + 1, {}, "period of calibration has"),
        (flow, {"validation": ("2031", "2032")}, "period of validation has 0"),
        (flow, {"calibration": 2003}, "calibration is 2003; give the first and the last day"),
        ("flow", {}, "the forcing has 0 columns 'flow'"),
    ):
        with pytest.raises(DataError, match=message):
            model.calibrate(forcing, discharge, **more)
    with pytest.raises(ParameterError, match="'X9' is unknown"):
        model.calibrate(forcing, flow, fixed={"X9": 1})
    with pytest.raises(DataError, match="dissolved_oxygen has no runoff"):
        calibrate("dissolved_oxygen", forcing, flow)
    with pytest.raises(DataError, match="2 units; calibrate one catchment at a time"):
        model.calibrate({name: np.stack([v, v], 1) for name, v in forcing.items()}, flow.to_numpy())


@pytest.mark.parametrize(
    "value, more, message",
    [
        (1e20, {}, "on 2001-02-10: it is 1e.20, a code of a missing value; NaN marks"),
        (999999, {}, "on 2001-02-10: it is 999999, a code of a missing value"),
        (9999.0, {"unit": "l/s", "area": 1000}, "on 2001-02-10: it is 9999, a code of a missing value"),
        (-9999.0, {"unit": "m3/s", "area": 100}, "discharge is negative, -9999 m3/s, on 2001-02-10"),
        (2500.0, {}, "on 2001-02-10: it is 2500; expected at most 2000 mm/day"),
        (
            600.0,
            {"unit": "m3/s", "area": "10 km2"},
            r"it is 600 \[m3/s\], or 5184 mm/day; expected at most 2000 mm/day",
        ),
        (np.inf, {}, "on 2001-02-10: it is inf, a code"),
    ],
)
def test_fill_values_of_discharge_are_refused(synthetic, value, more, message):
    model, forcing, flow = synthetic
    observed = flow.copy()
    observed.iloc[40::100] = value
    with pytest.raises(DataError, match=message):
        model.calibrate(forcing, observed, **more)


def test_a_flood_is_not_a_fill_value(synthetic):
    model, forcing, flow = synthetic
    observed = flow.copy()
    observed.iloc[700] = 400.0
    assert model.calibrate(forcing, observed, starts=1, steps=1, refine=0).observed[700] == 400.0


def test_dates_of_a_time_zone_or_as_text_are_those_of_the_discharge_too(synthetic):
    model, forcing, flow = synthetic
    quick = {"starts": 1, "steps": 2, "refine": 0}
    text = forcing.index.strftime("%Y-%m-%d")
    expected = model.calibrate(forcing, flow[100:], **quick)
    for table, observed in (
        (forcing.tz_localize("UTC"), flow.tz_localize("UTC")),
        (forcing.tz_localize("Asia/Tokyo"), flow),
        (forcing, flow.tz_localize("UTC")),
        (forcing.set_index(text), flow.set_axis(text)),
        (forcing.set_index(text), flow),
    ):
        fit = model.calibrate(table, observed[100:], **quick)
        np.testing.assert_array_equal(fit.observed, expected.observed)
        assert fit.losses.item() == expected.losses.item()
    zone = forcing.tz_localize("UTC")
    period = (zone.index[0], zone.index[999])
    assert model.calibrate(zone, flow, calibration=period, **quick).scores["values"].item() == 635


@pytest.mark.parametrize(
    "more, message",
    [
        ({"precision": "half"}, "precision is 'half'; use 'double' or 'single'"),
        ({"starts": 0}, "starts is 0; give a whole number of at least 1"),
        ({"starts": "8"}, "starts is '8'; give a whole number"),
        ({"steps": 2.5}, "steps is 2.5; give a whole number of at least 0"),
        ({"refine": -1}, "refine is -1; give a whole number"),
        ({"seed": -1}, "seed is -1; give a whole number"),
        ({"learning_rate": -1}, "learning_rate is -1; give a number above 0"),
        ({"fixed": ["X1"]}, r"fixed is \['X1'\]; give a dictionary of names and values"),
        ({"fixed": {"X1": "much"}}, "parameter 'X1' is 'much'; give a number"),
        ({"fixed": {"X1": [300.0, 400.0]}}, r"parameter 'X1' is fixed at \[300. 400.\]; give one number"),
        ({"fixed": TRUTH}, "all parameters are fixed; leave one free"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_to_write(synthetic, more, message):
    model, forcing, flow = synthetic
    with pytest.raises(ParameterError, match=message):
        model.calibrate(forcing, flow, **more)


def test_discharge_area_and_objective_of_another_kind_are_refused(synthetic):
    model, forcing, flow = synthetic
    with pytest.raises(DataError, match=r"discharge has shape \(1825, 2\); give that of one catchment"):
        model.calibrate(forcing, pd.DataFrame({"a": flow, "b": flow}))
    with pytest.raises(DataError, match=r"area of the catchment is \[1\]; give a number of km2"):
        model.calibrate(forcing, flow, unit="m3/s", area=[1])
    with pytest.raises(RegistryError, match="objective None is unknown; use NSE"):
        model.calibrate(forcing, flow, objective=None)


def test_numpy_and_steps_do_without_dates(synthetic):
    model, forcing, flow = synthetic
    arrays = {name: one.to_numpy() for name, one in forcing.items()}
    fit = model.calibrate(
        arrays,
        flow.to_numpy(),
        calibration=(365, 999),
        validation=(1000, 1824),
        starts=2,
        steps=5,
        refine=20,
        precision="single",
    )
    assert fit.scores["values"].tolist() == [635, 825]
    assert fit.shares.dtype == torch.float32
    fit.plot().canvas.draw()


AIRGR = {"NSE": ("NSE", None), "KGE": ("KGE", None)}


@pytest.mark.parametrize("criterion", ["NSE", "KGE"])
def test_on_the_example_of_airgr_the_score_is_at_least_that_of_its_calibration(criterion):
    """GR4J on L0123001, 1994 to 1999, by airGR 1.7.9 with the algorithm of Michel."""
    folder = dataset("grsuite") / "grsuite-1.1.1/tests/data"
    table = pd.read_csv(folder / "basin_daily.csv.gz").iloc[3653 - 365 : 5844]
    known = pd.read_csv(folder / "calib_reference.csv.gz")
    known = known[(known["model"] == "GR4J") & (known["crit"] == criterion) & known["transfo"].isna()].iloc[0]
    forcing = {"precipitation": table["P"].to_numpy(), "potential_evapotranspiration": table["E"].to_numpy()}
    fit = process("gr4j", snow_routine=False).calibrate(forcing, table["Qmm"].to_numpy(), objective=criterion, **QUICK)
    best = fit.starts.score.iloc[0]
    assert known["crit_final"] - 1e-5 < best < known["crit_final"] + 0.002  # ours begins with other stores
    expected = [float(value) for value in known["param"].split("|")]
    for value, name in zip(expected, ("X1", "X2", "X3", "X4")):
        assert fit.parameters[name] == pytest.approx(value, rel=0.05), name


@pytest.mark.long
def test_on_a_real_catchment_differential_evolution_with_more_simulations_finds_no_better():
    """GR4J at the first French catchment: SciPy's evolution with three times as many simulations."""
    from thalweg.datasets.france import read_catchment

    row, series = read_catchment(sorted(dataset("france").rglob("*.rda"))[0])
    forcing = series.rename(columns={"Ptot": "precipitation [mm]", "Temp": "temperature [degC]"})
    forcing = forcing.rename(columns={"Evap": "potential_evapotranspiration [mm]"})
    fit = process("gr4j").calibrate(
        forcing,
        series.Qls,
        unit="liter/second",
        area=row["area"],
        calibration=("2000", "2008"),
        validation=("2009", "2018"),
    )

    @torch.no_grad()
    def loss(shares):
        return fit.objective.loss(fit.task.simulate(torch.as_tensor(shares.T)), fit.task.target).numpy()

    count, bounds = 80, [(0.0, 1.0)] * len(fit.task.free)
    other = differential_evolution(
        loss, bounds, popsize=10, maxiter=3 * fit.evaluations // count, tol=0, rng=0, polish=False, vectorized=True,
        updating="deferred",
    )  # fmt: skip
    assert fit.starts.score.iloc[0] > 1 - other.fun - 0.002
    assert fit.scores.NSE["validation"] > 0.8


@pytest.mark.long
def test_ninety_five_percent_intervals_hold_the_truth_about_as_often():
    """One parameter of GR4J, thirty draws of independent errors: at least 25 intervals hold it."""
    forcing = pd.DataFrame(weather(730, seed=5), dates(730)).drop(columns="temperature")
    model, held = process("gr4j", snow_routine=False), 0
    flow = model.run(forcing, TRUTH).runoff.to_series()
    fixed = {name: value for name, value in TRUTH.items() if name != "X3"}
    for seed in range(30):
        observed = flow + np.random.default_rng(seed).normal(0, 0.02, len(flow))
        fit = model.calibrate(forcing, observed.clip(lower=0), fixed=fixed, starts=2, steps=10, refine=20)
        row = fit.profile(errors="independent", evaluations=3).intervals.loc["X3"]
        held += row.low < TRUTH["X3"] < row.high
    assert 25 <= held <= 30


@pytest.mark.long
def test_a_process_and_a_loss_of_ones_own_by_their_names(synthetic, tmp_path, monkeypatch):
    """What `thalweg new` writes is run and calibrated by package.module:function."""
    _, forcing, _ = synthetic
    main(["new", "process", "own_reservoir", "--folder", str(tmp_path)])
    main(["new", "loss", "own_absolute", "--folder", str(tmp_path)])
    monkeypatch.syspath_prepend(tmp_path)
    model, truth = process("own_reservoir:own_reservoir"), {"k": 0.2, "demand": 0.7}
    flow = model.run(forcing, truth).runoff.to_series()
    flow.iloc[500] += 300  # an outlier, which absolute errors weigh less than squared ones
    found = {
        name: model.calibrate(forcing, flow, objective=name, starts=4, steps=60, refine=60).parameters
        for name in ("own_absolute:own_absolute", "NSE")
    }
    error = {name: max(abs(values[p] / truth[p] - 1) for p in truth) for name, values in found.items()}
    assert error["own_absolute:own_absolute"] < 0.02 < error["NSE"]
