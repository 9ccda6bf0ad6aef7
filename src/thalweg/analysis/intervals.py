"""Prediction intervals at held-out gauges: how often they cover the observations, and how wide they are.

Intervals of 50, 80, 90 and 95 % are stated by

- ``members``: the range of an ensemble (seeds of one model, or all trainings of the models that are averaged). The next value lies within
  the range of M members with a probability of (M - 1) / (M + 1), were it one of them;
- ``conformal``: these members, calibrated (:mod:`thalweg.metrics.conformal`);
- ``mixture``: the quantiles of an LSTM with a mixture head, mean over its seeds (Lichtendahl et al. 2013, doi:10.1287/mnsc.1120.1667);
- ``conformal mixture``: these, calibrated.

A calibration knows nothing of the gauges it is tested at: it is made with the tested gauges of all other blocks, which are the blocks of
neighbours of the bootstrap, and whole regions where regions are held out.
"""

import numpy as np
import pandas as pd

from thalweg.analysis.question import answered
from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.evidence import compared
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import QUANTILES, read_simulation
from thalweg.metrics import conformal
from thalweg.metrics.probabilistic import crps, interval_score

LEVELS = (0.5, 0.8, 0.9, 0.95)
CLAIMED = 2  # position of the level of the evidence
MIN_PLACES = 6  # with which intervals are calibrated and tested
MIN_BLOCKS = 2
LOW, HIGH = 0.3, 0.9  # quantiles of a gauge's median simulation that bound low and high flow
COLUMNS = (
    *(
        "model",
        "method",
        "members",
        "level",
        "places",
        "blocks",
        "coverage",
        "coverage_low",
        "coverage_middle",
        "coverage_high",
    ),
    *("coverage_worst_block", "width", "interval_score", "crps"),
)
MEMBERS, CONFORMAL, MIXTURE, CONFORMAL_MIXTURE = "members", "conformal", "mixture", "conformal mixture"
KEPT = (CONFORMAL, MIXTURE, CONFORMAL_MIXTURE)  # methods in the evidence


ANALYSIS = Declared(
    of="held_out",
    reads={"domain_path": "domain", "simulations": "simulations:models_of"},
    given={"settings": "interval_settings"},
    title="prediction intervals",
    caption="Prediction intervals at held-out gauges: share of the observations that they cover, over all days, on days of low, middle and "
    "high simulated flow (lowest 30 %, highest 10 % of a gauge) and in the worst block of neighbouring gauges; median over gauges of the "
    "mean width, the interval score and the continuous ranked probability score, each relative to the gauge's mean flow. Methods: range of "
    "the members of an ensemble, the same calibrated by conformal prediction at the gauges of the other blocks, the mixture "
    "simulated by an LSTM, and that calibrated.",
    category="Uncertainty",
    tables=("", "evidence"),
    shown=("",),
)


def analyse(domain_path, simulations, settings, domain, experiment):
    """Coverage, width and scores of the intervals of every model, and their evidence.

    Args:
        domain_path: netCDF of the domain.
        simulations: model -> path of its simulation.
        settings: of :func:`thalweg.experiments.plan.interval_settings`.
        domain, experiment: names.
    """
    blocks, rows, places = read_blocks(domain_path), [], []
    for model, parts in settings["members"].items():
        tested = _tested([read_simulation(simulations[part]) for part in parts], blocks, settings)
        if len(tested["observed"]) < MIN_PLACES or len(np.unique(tested["blocks"])) < MIN_BLOCKS:
            continue
        for method, limits in _limits(tested):
            name = f"{model} (conformal)" if method == CONFORMAL_MIXTURE else model
            found = score(limits, tested)
            rows += [{"model": model, "method": method, "members": tested["members"], **row} for row in found[0]]
            if method in KEPT:
                places.append(found[1].assign(model=name))
    table = pd.DataFrame(rows, columns=COLUMNS)
    evidence = interval_evidence(pd.concat(places), blocks, settings) if places else []
    return answered(table, evidence, domain, experiment)


def _tested(parts, blocks, settings):
    """The tested gauges of the parts of an ensemble: a dict of arrays, members (member, place, time) first."""
    simulated = np.concatenate(
        [part.simulated.mean("fold").transpose("seed", "place", "time").values for part in parts]
    )
    first = parts[0]
    counts = first.tested.any("fold").transpose("place", "time").values & np.isfinite(simulated).all(0)
    observed = np.where(counts, first.observed.transpose("place", "time").values, np.nan)
    observed = np.where(observed >= 0, observed, np.nan)  # a river that tides turn has no such interval
    counts = np.isfinite(observed)
    kept = (counts.sum(1) >= settings["minimum_days"]) & (np.nansum(observed, 1) > 0)
    names = first.place.values.astype(str)[kept]
    label = blocks[names].to_numpy()
    if settings["regions"]:
        label = first.tested.any("time").transpose("fold", "place").values.argmax(0)[kept]
    quantiles = None
    if len(parts) == 1 and "quantile" in first:
        quantiles = first["quantile"].mean(("fold", "seed")).transpose("level", "place", "time").values[:, kept]
    return {
        "simulated": np.maximum(simulated[:, kept], 0.0),
        "observed": observed[kept],
        "blocks": label,
        "names": names,
        "members": len(simulated),
        "quantiles": quantiles,
    }


def _limits(tested):
    """Method, and arrays lower, upper (level, place, time), median and nominal levels, of every method that a model has."""
    simulated, quantiles = tested["simulated"], tested["quantiles"]
    if quantiles is None:
        if len(simulated) > 1:
            count = len(simulated)
            yield (
                MEMBERS,
                (
                    simulated.min(0)[None],
                    simulated.max(0)[None],
                    np.quantile(simulated, QUANTILES, axis=0),
                    [(count - 1) / (count + 1)],
                ),
            )
        yield CONFORMAL, _calibrated(tested, conformal.fit, _ensemble_limits, (simulated,))
        return
    half = len(LEVELS)
    lower, upper = quantiles[:half][::-1], quantiles[half + 1 :]
    yield MIXTURE, (lower, upper, quantiles, LEVELS)
    limits = lower, upper, np.broadcast_to(quantiles[half], lower.shape)
    yield CONFORMAL_MIXTURE, _calibrated(tested, conformal.fit_quantiles, _widened, limits)


def _ensemble_limits(simulated, fitted):
    return *conformal.intervals(simulated, fitted), conformal.median(simulated, fitted)


def _widened(lower, upper, middle, fitted):
    return *conformal.widened(lower, upper, fitted), middle[0]


def _calibrated(tested, fit, apply, given):
    """Limits at the gauges of each block, calibrated with those of the others."""
    blocks, observed = tested["blocks"], tested["observed"]
    lower, upper = np.full((2, len(LEVELS), *observed.shape), np.nan)
    middle = np.full(observed.shape, np.nan)
    for block in np.unique(blocks):
        out = blocks == block
        fitted = fit(*(one[:, ~out] for one in given[:2]), observed[~out], blocks[~out], LEVELS)
        lower[:, out], upper[:, out], middle[out] = apply(*(one[:, out] for one in given), fitted)
    return lower, upper, np.concatenate([lower[::-1], middle[None], upper]), LEVELS


def score(limits, tested):
    """Scores of intervals.

    Args:
        limits: lower, upper (level, place, time); quantiles (of ``QUANTILES``, place, time); nominal levels.
        tested: dict with observed (place, time), NaN on days that do not count, blocks and names (place,).

    Returns:
        (rows, DataFrame): a dict for each level, with the columns :data:`COLUMNS` from ``level`` on; and the coverage and
        the interval score of each place at each level.
    """
    lower, upper, quantiles, levels = limits
    observed = tested["observed"]
    known, mean = np.isfinite(observed), np.nanmean(observed, 1)
    middle = np.where(known, quantiles[len(QUANTILES) // 2], np.nan)
    edges = np.nanquantile(middle, [LOW, HIGH], axis=1)[..., None]
    classes = {
        "_low": middle < edges[0],
        "_middle": (middle >= edges[0]) & (middle < edges[1]),
        "_high": middle >= edges[1],
    }
    ranked = float(np.median(np.nanmean(crps(quantiles, QUANTILES, observed), 1) / mean))
    rows, places = [], []
    for low, high, level in zip(lower, upper, levels):
        covered = np.where(known, (low <= observed) & (observed <= high), np.nan)
        share = np.nanmean(covered, 1)
        width = np.nanmean(np.where(known, high - low, np.nan), 1) / mean
        interval = np.nanmean(interval_score(low, high, observed, level), 1) / mean
        by_class = {
            f"coverage{name}": np.nanmean(covered[where]) if where.any() else np.nan for name, where in classes.items()
        }
        worst = min(share[tested["blocks"] == block].mean() for block in np.unique(tested["blocks"]))
        rows.append(
            {
                "level": level,
                "places": len(share),
                "blocks": len(np.unique(tested["blocks"])),
                "coverage": share.mean(),
                **by_class,
                "coverage_worst_block": worst,
                "width": np.median(width),
                "interval_score": np.median(interval),
                "crps": ranked,
            }
        )
        places.append(
            pd.DataFrame({"place": tested["names"], "level": level, "coverage": share, "interval_score": interval})
        )
    return rows, pd.concat(places, ignore_index=True)


def interval_evidence(places, blocks, settings):
    """Evidence of the intervals of 90 %.

    ``coverage_error_90`` is the mean over gauges of the covered share less 0.9. ``interval_score_gain_90`` is the median over gauges of
    ln(score of the reference / score of the model), positive where the model's intervals are better; the reference is the mixture.

    Args:
        places: DataFrame with the columns model, place, level, coverage and interval_score.
        blocks: Series of the label of each gauge's block, by place.
        settings: ``reference`` and ``bootstrap_samples``.

    Returns:
        list of dict: rows of evidence without domain and experiment.
    """
    level = LEVELS[CLAIMED]
    table = places[places.level == level].set_index(["place", "model"])
    order, percent = places.model.unique(), round(100 * level)
    error = (table.coverage - level).unstack()[order]
    score = -np.log(table.interval_score).unstack()[order]
    label, samples = blocks.loc[error.index].to_numpy(), settings["bootstrap_samples"]
    rows = compared(
        error,
        label,
        "",
        np.mean,
        samples,
        quantity=f"coverage_error_{percent}",
        unit="dimensionless",
        test="mean over gauges of the coverage less its nominal value",
    )
    gains = compared(
        score,
        label,
        settings["reference"],
        np.median,
        samples,
        quantity=f"interval_score_gain_{percent}",
        unit="dimensionless",
        test="median of the negative logarithm of the interval score",
    )
    return rows + [row for row in gains if row["reference"]]
