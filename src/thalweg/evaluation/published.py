"""Scores compared with published ones for the same catchments.

Published scores exist, for each of the 531 catchments of the CAMELS-US benchmark, of a differentiable HBV 1.1p (Song et al.
2025, doi:10.22541/essoar.172304428.82707157), tested from 1989-10-01 to 1999-09-30, and of LSTMs, calibrated SAC-SMA and the US
National Water Model (Kratzert et al. 2019, doi:10.1029/2019WR026065), tested from 1995-10-01 to 2010-09-30: the observed
quantiles published with the scores are of these years. Set-ups differ in more than the model, so every
comparison lists the differences and whether the years are the same. Scores of single catchments are read and never written.
"""

from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from thalweg.basin.domain import DataError
from thalweg.evaluation.blocks import block_bootstrap
from thalweg.evaluation.evidence import signed_rank, spearman
from thalweg.evaluation.statistics import MIN_PAIRS
from thalweg.schema import Count, Period, Settings

BENCHMARK = 531  # catchments with published scores


class Published(NamedTuple):
    """Published scores of one model."""

    file: str
    columns: dict  # metric -> column
    train: tuple[date, date] | None  # None: in differs, if known
    test: tuple[date, date]
    ungauged: bool
    differs: str


_LATER, _EARLIER = (date(1999, 10, 1), date(2008, 9, 30)), (date(1989, 10, 1), date(1999, 9, 30))
_FIRST, _LAST = (date(1980, 10, 1), date(1995, 9, 30)), (date(1995, 10, 1), date(2010, 9, 30))
_KRATZERT = "kratzert2019_lstm_sacsma_nwm_531_nse.csv"
_LSTM = "forcing of NLDAS, the mean simulation of an ensemble of LSTMs, attributes of climate of 1989 to 2009"
PUBLISHED = {
    "published dHBV 1.1p": Published(
        "dhbv11p_531_test1989-1999.csv",
        {"NSE": "nse", "KGE": "kge"},
        _LATER,
        _EARLIER,
        False,
        "a warm-up of 3 years, a single seed, attributes of climate of 1989 to 2009",
    ),
    "published LSTM": Published(_KRATZERT, {"NSE": "nse_global_lstm_static"}, _FIRST, _LAST, False, _LSTM),
    "published LSTM, ungauged": Published(
        _KRATZERT, {"NSE": "nse_pub_lstm"}, _FIRST, _LAST, True, f"{_LSTM}, 12 folds of its own"
    ),
    "sac-sma (calibrated)": Published(
        _KRATZERT,
        {"NSE": "nse_benchmark_sacsma_ensemble"},
        None,
        _LAST,
        False,
        "forcing of NLDAS, calibrated at every catchment by itself on 15 years, the mean simulation of ten calibrations",
    ),
    "national water model": Published(
        _KRATZERT,
        {"NSE": "nse_benchmark_nwm_retrospective"},
        None,
        _LAST,
        False,
        "forcing and calibration of its own, on a grid of the whole country",
    ),
}


class ComparedExperiment(Settings):
    """Properties of an experiment that select the published scores for comparison."""

    train: Period
    test: Period
    ungauged: bool


class PublishedJob(Settings):
    """Input of the analysis of published scores."""

    experiments: dict[str, ComparedExperiment]
    bootstrap_samples: Count


def read_published(folder, name):
    """Published scores of one model.

    Args:
        folder: of the dataset ``published-scores``.
        name: in :data:`PUBLISHED`.

    Returns:
        DataFrame (place, metric), without unit.

    Raises:
        DataError: if the file, the column of gauges or one of the scores is missing.
    """
    published = PUBLISHED[name]
    path = Path(folder) / published.file
    if not path.is_file():
        raise DataError(f"{path} is missing; fetch it with 'thalweg fetch published-scores'")
    table = pd.read_csv(path, dtype={"basin": str})
    for column in ("basin", *published.columns.values()):
        if column not in table:
            raise DataError(f"{path}: column {column!r} of {name} is missing; available: {', '.join(table)}")
    return table.set_index("basin")[list(published.columns.values())].set_axis(list(published.columns), axis=1)


def compare_published(skill, folder, blocks, job):
    """Comparison of every model of some experiments with the published ones, at the gauges where both were tested.

    Experiments at ungauged gauges are compared with all published models, the others with those of gauged catchments.

    Args:
        skill: skill table; a gauge counts with its mean over seeds and folds.
        folder: of the dataset ``published-scores``.
        blocks: domain -> Series of the label of each gauge's block, by place.
        job: :class:`PublishedJob`.

    Returns:
        DataFrame with a row per experiment, model, published model and metric: domain, experiment, model, reference, metric,
        places (in common), median and reference_median over them, median_difference (ours minus theirs) with its 95 %
        interval low to high by the block bootstrap, p (signed-rank), rank_correlation (Spearman's rho), share_higher
        (of gauges at which ours is higher), same_years (bool, of the test) and differs, what differs otherwise.

    Raises:
        DataError: from :func:`read_published`.
    """
    scores = {name: read_published(folder, name) for name in PUBLISHED}
    skill = skill[skill.variable == "discharge"]
    means = skill.groupby(["domain", "experiment", "model", "metric", "place"], sort=False).value.mean()
    rows = []
    for place, experiment in job.experiments.items():
        domain, name = place.split("/")
        here = means[means.index.isin([domain], level="domain") & means.index.isin([name], level="experiment")]
        for (model, metric), ours in here.groupby(level=["model", "metric"], sort=False):
            ours = ours.droplevel(["domain", "experiment", "model", "metric"])
            for reference, published in PUBLISHED.items():
                if metric not in published.columns or (published.ungauged and not experiment.ungauged):
                    continue
                pairs = pd.DataFrame({"ours": ours, "theirs": scores[reference][metric]}).dropna()
                if len(pairs):
                    row = {"domain": domain, "experiment": name, "model": model, "reference": reference}
                    statistics = _paired(pairs, blocks[domain].loc[pairs.index], job.bootstrap_samples)
                    rows.append(row | {"metric": metric} | statistics | _differences(published, experiment, len(pairs)))
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = (
    *("domain", "experiment", "model", "reference", "metric", "places", "median", "reference_median"),
    *("median_difference", "low", "high", "p", "rank_correlation", "share_higher", "same_years", "differs"),
)


def _paired(pairs, blocks, samples):
    difference = (pairs.ours - pairs.theirs).to_numpy()
    low, high = block_bootstrap(difference, blocks, np.median, samples)
    return {
        "places": len(pairs),
        "median": pairs.ours.median(),
        "reference_median": pairs.theirs.median(),
        "median_difference": np.median(difference),
        "low": low,
        "high": high,
        "p": signed_rank(difference),
        "rank_correlation": spearman(pairs.ours, pairs.theirs) if len(pairs) >= MIN_PAIRS else np.nan,
        "share_higher": np.mean(difference > 0),
    }


def _differences(published, experiment, gauges):
    """Whether the test is of the same years, and a description of the differences."""
    differs = [f"{gauges} of {BENCHMARK} catchments", f"theirs: {published.differs}"]
    for name, ours, theirs in (
        ("train", experiment.train, published.train),
        ("test", experiment.test, published.test),
    ):
        if theirs is not None and tuple(ours) != theirs:
            differs.append(f"{name}ed {_years(ours)}, theirs {_years(theirs)}")
    if experiment.ungauged and not published.ungauged:
        differs.append("ours ungauged, theirs gauged")
    return {"same_years": tuple(experiment.test) == published.test, "differs": "; ".join(differs)}


def _years(days):
    return " to ".join(map(str, days))


def published_evidence(table):
    """Rows of evidence of a table of :func:`compare_published`, with domain and experiment.

    ``published_nse`` and ``published_kge``: the median over gauges of our score minus the published one.

    Returns:
        list of dict
    """
    return [
        {
            "domain": row.domain,
            "experiment": row.experiment,
            "model": row.model,
            "reference": row.reference,
            "quantity": f"published_{row.metric.lower()}",
            "effect": row.median_difference,
            "low": row.low,
            "high": row.high,
            "p": row.p,
            "n": row.places,
            "unit": "dimensionless",
            "test": f"median paired difference{'' if row.same_years else ' of tests over other years'}; signed-rank p; "
            "block bootstrap",
        }
        for row in table.itertuples()
    ]
