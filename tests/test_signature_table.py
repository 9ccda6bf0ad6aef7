"""The table of signatures: orders that are kept, reversed and unrelated, and the days that count."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from conftest import analyse
from thalweg.evaluation.signature_table import COLUMNS, signature_table
from thalweg.metrics.signatures import SIGNATURES

GAUGES, DAYS = 12, 800


def simulation(simulated, observed):
    """A simulation of one fold: ``simulated`` (seed, gauge, time), ``observed`` (gauge, time)."""
    return xr.Dataset(
        {
            "simulated": (("fold", "seed", "place", "time"), np.asarray(simulated)[None]),
            "observed": (("place", "time"), observed),
        },
        coords={
            "fold": [0],
            "seed": range(len(simulated)),
            "place": [f"g{i}" for i in range(len(observed))],
            "time": pd.date_range("2000-10-01", periods=observed.shape[1]),
        },
        attrs={"domain": "somewhere", "experiment": "temporal", "model": "hbv"},
    )


def rivers(seed=0):
    """Gauges that differ in wetness and in how fast they rise and fall."""
    generator = np.random.default_rng(seed)
    return np.stack([generator.gamma(shape, 1.0, DAYS) for shape in np.linspace(0.5, 4, GAUGES)])


def column(table, name):
    return table.set_index("signature")[name]


def test_a_perfect_simulation_keeps_every_order_and_median():
    observed = rivers()
    table = signature_table(simulation([observed, observed], observed))
    assert list(table.columns) == list(COLUMNS) and list(table.signature) == list(SIGNATURES)
    assert (table.places == GAUGES).all()
    assert table.spearman.to_numpy() == pytest.approx(1)
    assert table.simulated.to_numpy() == pytest.approx(table.observed.to_numpy())
    assert set(table.model) == {"hbv"}


def test_twice_the_flow_keeps_the_order_and_doubles_the_median_of_flows_only():
    observed = rivers()
    table = signature_table(simulation([2 * observed], observed))
    assert table.spearman.to_numpy() == pytest.approx(1)
    factor = np.where(table.unit == "mm/day", 2, 1)
    assert table.simulated.to_numpy() == pytest.approx(factor * table.observed.to_numpy())


def test_gauges_in_reverse_have_the_reverse_order():
    observed = rivers()
    rho = column(signature_table(simulation([observed[::-1]], observed)), "spearman")
    assert rho["mean_flow"] == pytest.approx(-1)
    assert rho["flashiness"] < -0.9


def test_gauges_count_with_the_mean_over_seeds():
    observed = rivers()
    table = signature_table(simulation([observed, 3 * observed], observed))
    means = column(table, "simulated") / column(table, "observed")
    assert means["mean_flow"] == pytest.approx(2)
    assert means["baseflow_index"] == pytest.approx(1)


def test_only_days_known_in_both_count():
    """Floods simulated where nothing was observed do not count."""
    observed = rivers()
    simulated = observed.copy()
    observed[:, 100:130] = np.nan
    simulated[:, 100:130] = 1000.0
    table = signature_table(simulation([simulated], observed))
    assert table.simulated.to_numpy() == pytest.approx(table.observed.to_numpy())


def test_gauges_not_tested_or_short_do_not_count_and_few_have_no_rank():
    observed = rivers()
    simulated = observed.copy()
    simulated[0], simulated[1, 300:] = np.nan, np.nan
    assert (signature_table(simulation([simulated], observed)).places == GAUGES - 2).all()
    assert column(signature_table(simulation([simulated], observed), minimum_days=300), "places")["mean_flow"] == 11
    few = signature_table(simulation([simulated[:7]], observed[:7]))
    assert few.spearman.isna().all() and few.observed.notna().all()
    none = signature_table(simulation([np.full_like(observed, np.nan)], observed))
    assert (none.places == 0).all() and none.observed.isna().all()


def test_the_analysis_writes_the_models_below_one_another(tmp_path):
    observed = rivers()
    paths = {}
    for model, simulated in (("hbv", observed), ("lstm", observed[::-1])):
        paths[model] = f"{tmp_path}/{model}.nc"
        simulation([simulated], observed).assign_attrs(model=model).to_netcdf(paths[model], engine="h5netcdf")
    table = pd.read_csv(analyse("signatures", tmp_path / "table", simulations=paths, minimum_days=365))
    rho = table[table.signature == "mean_flow"].set_index("model").spearman
    assert rho.to_dict() == pytest.approx({"hbv": 1, "lstm": -1})
