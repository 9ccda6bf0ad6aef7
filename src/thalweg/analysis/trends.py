"""Trends of annual flow over a test period, simulated against observed.

For every complete water year, the mean, the high (98th percentile) and the low (10th percentile) daily discharge; for each
of the three Sen's slope, the median of the slopes between all pairs of years (Sen 1968, doi:10.1080/01621459.1968.10480934),
and the p-value of the Mann-Kendall test (Mann 1945, doi:10.2307/1907187). Years that carry over water are not independent,
so single p-values are somewhat too small; slopes are compared over gauges.

The trend of annual precipitation is the trivial predictor: a model adds information to its forcing only if its slopes follow
the observed ones more closely than those of precipitation do.
"""

import numpy as np
import pandas as pd

from thalweg.analysis.question import answered, read_daily
from thalweg.evaluation.blocks import block_labels
from thalweg.evaluation.evidence import compared, correlated, signed_rank
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.metrics.calendar import water_year
from thalweg.metrics.flood_frequency import MIN_DAYS

MIN_YEARS = 8
QUANTILES = {"high": 0.98, "low": 0.10}
SUFFIXES = {"mean": "", "high": "_high", "low": "_low"}  # of quantities, by flow
UNIT = "mm/day per decade"


ANALYSIS = Declared(
    of="long_tests",
    reads={"domain_path": "domain", "simulations": "simulations:models_of"},
    given={"settings": "question_settings"},
    title="trends of annual flow",
    caption="Trends of annual flow over the test period: Sen's slope (mm/day per decade) and p of the Mann-Kendall test, simulated and "
    "observed, of the mean, the high (98th percentile) and the low (10th percentile) flow of complete water years, by model and gauge, "
    "with the slope of annual precipitation.",
    category="Questions",
    tables=("", "evidence"),
)


def analyse(domain_path, simulations, settings, domain, experiment):
    """Slopes of every model, gauge and flow, and their evidence; see :func:`flow_trends`."""
    basin, tables = read_daily(domain_path), []
    for name, path in simulations.items():
        simulation = read_simulation(path)
        precipitation = basin.forcing.precipitation.sel(time=simulation.time).values
        tables.append(flow_trends(simulation, basin.catchment_weights @ precipitation.T))
        tables[-1].insert(0, "model", name)
    table = pd.concat(tables, ignore_index=True)
    rows = trend_evidence(table, block_labels(basin.places), settings["reference"], settings["bootstrap_samples"])
    return answered(table, rows, domain, experiment)


def sen_slope(years, values):
    """Sen's slope of annual values (year,), in their unit per year."""
    from scipy.stats import theilslopes

    return theilslopes(values, years).slope


def mann_kendall(years, values):
    """Two-sided p-value of the Mann-Kendall test of annual values (year,); NaN where they are all equal."""
    from scipy.stats import kendalltau

    return kendalltau(years, values).pvalue


def annual_flows(series, known, years):
    """Mean, high and low flow of every complete water year.

    Args:
        series: (place, time), mm/day.
        known: counted days (place, time), bool; on them the series has values.
        years: water year of each day (time,).

    Returns:
        dict: name of the flow -> array (place, year) in mm/day, years in ascending order; NaN for a year with fewer than
        :data:`thalweg.metrics.flood_frequency.MIN_DAYS` counted days.
    """
    labels = np.unique(years)
    flows = {name: np.full((len(series), len(labels)), np.nan) for name in SUFFIXES}
    for column, year in enumerate(labels):
        days = years == year
        complete = np.flatnonzero(known[:, days].sum(1) >= MIN_DAYS)
        for gauge in complete:
            values = series[gauge, days][known[gauge, days]]
            flows["mean"][gauge, column] = values.mean()
            for name, quantile in QUANTILES.items():
                flows[name][gauge, column] = np.quantile(values, quantile)
    return flows


def flow_trends(simulation, precipitation):
    """Slopes of annual flows at every gauge with enough complete years.

    Args:
        simulation: Dataset of discharge: simulated (fold, seed, place, time) and observed (place, time), mm/day, NaN on days that are
            not tested or were not observed.
        precipitation: of the gauges' catchments on the same days, (place, time), mm/day.

    Returns:
        DataFrame with a row per gauge and flow (mean, high, low): place, flow, years (number of them), observed_slope,
        simulated_slope, precipitation_slope (of its annual mean) in mm/day per decade, observed_p, simulated_p. Simulated
        annual flows are means over seeds and folds of those of single simulations. A gauge with fewer than
        :data:`MIN_YEARS` complete years has no rows.
    """
    years = water_year(simulation.time.values)
    labels = np.unique(years)
    observed = simulation.observed.values.astype(float)
    runs = simulation.simulated.values.reshape(-1, *observed.shape)
    known = np.isfinite(observed) & np.isfinite(runs).any(0)
    flows = annual_flows(observed, known, years)
    rain = annual_flows(np.asarray(precipitation, float), known, years)["mean"]
    simulated = _mean_over_runs([annual_flows(run, known & np.isfinite(run), years) for run in runs])
    rows = []
    for position, gauge in enumerate(simulation.place.values.astype(str)):
        complete = np.isfinite(flows["mean"][position])
        if complete.sum() < MIN_YEARS:
            continue
        when = labels[complete]
        rain_slope = 10 * sen_slope(when, rain[position, complete])
        for flow in SUFFIXES:
            seen, modelled = flows[flow][position, complete], simulated[flow][position, complete]
            rows.append(
                {
                    "place": gauge,
                    "flow": flow,
                    "years": len(when),
                    "observed_slope": 10 * sen_slope(when, seen),
                    "simulated_slope": 10 * sen_slope(when, modelled),
                    "precipitation_slope": rain_slope,
                    "observed_p": mann_kendall(when, seen),
                    "simulated_p": mann_kendall(when, modelled),
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = (
    *("place", "flow", "years", "observed_slope", "simulated_slope", "precipitation_slope"),
    *("observed_p", "simulated_p"),
)


def _mean_over_runs(flows):
    total = {name: np.nansum([each[name] for each in flows], axis=0) for name in SUFFIXES}
    count = {name: np.isfinite([each[name] for each in flows]).sum(0) for name in SUFFIXES}
    return {
        name: np.divide(total[name], count[name], out=np.full(total[name].shape, np.nan), where=count[name] > 0)
        for name in SUFFIXES
    }


def trend_evidence(table, blocks, reference, samples):
    """Evidence of the slopes of all models of an experiment.

    - ``trend_correlation``: Spearman's rho over gauges of simulated and observed slopes of annual mean flow, compared
      with that of the slopes of precipitation; ``trend_correlation_high`` and ``trend_correlation_low`` of high and low flow;
    - ``trend_bias``, ``trend_bias_high``, ``trend_bias_low``: median over gauges of simulated minus observed slope.

    Args:
        table: as returned by :func:`flow_trends`, with a column model.
        blocks: Series of the label of each gauge's block, by place.
        reference: model that the others are compared with, if it is one of them.
        samples: resamples of blocks, and permutations.

    Returns:
        list of dict: rows of evidence without domain and experiment.
    """
    rows = []
    for flow, slopes in table.groupby("flow", sort=False):
        suffix = SUFFIXES[flow]
        simulated = slopes.pivot(index="place", columns="model", values="simulated_slope")[slopes.model.unique()]
        gauges = slopes.groupby("place")[["observed_slope", "precipitation_slope"]].first().loc[simulated.index]
        labels = blocks.loc[simulated.index].to_numpy()
        rows += correlated(
            simulated,
            gauges.observed_slope.to_numpy(),
            gauges.precipitation_slope.to_numpy(),
            labels,
            reference,
            samples,
            "precipitation",
            f"trend_correlation{suffix}",
        )
        error = simulated.sub(gauges.observed_slope, axis=0)
        bias = compared(
            error,
            labels,
            "",
            np.median,
            samples,
            quantity=f"trend_bias{suffix}",
            unit=UNIT,
            test=f"median error of Sen's slope of annual {flow} flow; signed-rank p",
        )
        rows += [row | {"p": signed_rank(error[row["model"]].dropna().to_numpy())} for row in bias]
    return rows
