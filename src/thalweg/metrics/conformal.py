"""Prediction intervals of discharge, calibrated at held-out places.

Discharge is skewed and its errors grow with it, so intervals are made in z = ln(q + e), with e a tenth of the mean simulated discharge.
There an ensemble (seeds, processes) has on every day a mean c and a standard deviation u, and the errors r = (z_observed - c) / s of places
where it was not trained have a distribution F in each of five classes of c with equally many days (a Mondrian taxonomy: Vovk et al. 2005,
doi:10.1007/b106715). The scale s is 1, or sqrt(u^2 + u0^2) with u0 the median of u, whichever gives the better interval score: members
that differ in their process tell where errors are large, seeds hardly do.

The interval of level p is c + s [F^-1((1 - P) / 2), F^-1((1 + P) / 2)]. P differs from p, because a new place is not among those of F:
distributional conformal prediction (Chernozhukov et al. 2021, doi:10.1073/pnas.2107794118) with the conformity score |2 F(r) - 1|, in which
F leaves out the block of neighbouring places that the score is of (cross-conformal prediction: Vovk 2015, doi:10.1007/s10472-013-9368-4).
P is the quantile p of these scores. So the intervals cover a share p of a block that the others calibrate, in the mean over places.

Days of a place have errors in common, as have places of a block: n days are not n cases. Whole blocks are left out, and each place counts
once, whatever its number of days (distributions pooled over groups: Dunn et al. 2023, doi:10.1080/01621459.2022.2060112; Lee et al. 2023,
arXiv:2306.06342). What is assumed exchangeable are blocks of places: those of interest must be as those of the calibration, in climate
and in their distance from training places.

What is promised is marginal: the share of all days of all places, not that of each place, season or flood. And it is approximate: it holds
for many blocks, while five do not tell how much the next one differs. Like the jackknife, whose F leaves out what it is scored with,
it has no strict bound for few blocks (Barber et al. 2021, doi:10.1214/20-AOS1965).
"""

from typing import NamedTuple

import numpy as np

OFFSET = 0.1  # of the mean simulated discharge, added before the logarithm
TINY = 1e-6  # minimum of that
CLASSES = 5  # of simulated discharge
PARTS = 20  # at most, of the blocks, each scored by the distribution of the others
DAYS = 400  # of a place in a calibration, at equal distances: neighbouring days tell the same


def fit(simulated, observed, blocks, levels):
    """Calibrate intervals of an ensemble at places that did not train it.

    Args:
        simulated: discharge (member, place, time), NaN where nothing was simulated; negative values count as 0.
        observed: discharge (place, time) in the same unit, NaN where nothing was observed or a day does not count.
        blocks: label of each place's block of neighbours (place,).
        levels: probabilities of the intervals, such as 0.9.

    Returns:
        dict of plain numbers, for JSON: ``levels`` in ascending order; ``calibrated``, P of each; ``offset`` e in the unit of
        discharge; ``spread`` u0, 0 for a scale of 1; ``edges`` of classes of c; ``lower``, ``upper`` (level, class) and ``median`` (class,)
        of r; the numbers of ``places`` and ``blocks``.

    Raises:
        ValueError: if shapes differ, an observation is negative, a level is not between 0 and 1, or fewer than two places have values.
    """
    simulated, observed, blocks, levels = _checked(simulated, observed, blocks, levels)
    offset = max(OFFSET * float(np.nanmean(simulated)), TINY)
    centre, spread = _moments(simulated, offset)
    cases = _cases(blocks, _log(observed, offset), centre, spread)
    target, centre, spread = cases.values
    middle = float(weighted_quantile(spread, cases.weight, [0.5])[0])
    edges = np.unique(weighted_quantile(centre, cases.weight, np.arange(1, CLASSES) / CLASSES))
    edges = edges[edges > centre.min()]  # no class is empty
    choices = [_Fit(target, centre, spread, cases, edges, floor, levels) for floor in dict.fromkeys((0.0, middle))]
    best = min(choices, key=lambda choice: choice.score)
    return {
        "levels": levels.tolist(),
        "calibrated": best.calibrated.tolist(),
        "offset": offset,
        "spread": best.floor,
        "edges": edges.tolist(),
        "lower": best.lower.tolist(),
        "upper": best.upper.tolist(),
        "median": best.median.tolist(),
        **cases.counts,
    }


def intervals(simulated, fitted):
    """Lower and upper limits of the intervals of an ensemble, at any places.

    Args:
        simulated: discharge (member, place, time), of the members that were calibrated, in the same unit.
        fitted: as returned by :func:`fit`.

    Returns:
        (lower, upper): arrays (level, place, time), never negative; NaN where a member is.
    """
    lower, upper = (
        np.stack([_quantile(simulated, fitted, row) for row in fitted[name]]) for name in ("lower", "upper")
    )
    return lower, upper


def median(simulated, fitted):
    """The calibrated median (place, time), never negative; arguments as of :func:`intervals`."""
    return _quantile(simulated, fitted, fitted["median"])


def fit_quantiles(lower, upper, observed, blocks, levels):
    """Calibrate intervals that a model states itself (conformalised quantile regression, Romano et al. 2019, arXiv:1905.03222).

    The conformity score is by how much ln(q + e) of the observation lies outside, negative within.

    Args:
        lower, upper: discharge (level, place, time).
        observed, blocks: as of :func:`fit`.
        levels: of the intervals, in ascending order.

    Returns:
        dict of plain numbers: ``levels``, ``calibrated``, ``offset``, ``places`` and ``blocks`` as of :func:`fit`; ``more`` (level,), by
        which an interval of ln(q + e) is widened at either end, or narrowed where it is negative.
    """
    upper, observed, blocks, levels = _checked(upper, observed, blocks, levels)
    offset = max(OFFSET * float(np.nanmean(upper)) / 2, TINY)
    cases = _cases(blocks, _log(observed, offset), *_log(np.asarray(lower, float), offset), *_log(upper, offset))
    target, *limits = cases.values
    more, calibrated = np.empty(len(levels)), np.empty(len(levels))
    for i, level in enumerate(levels):
        excess = np.maximum(limits[i] - target, target - limits[len(levels) + i])
        distribution = _Distribution(excess, cases.weight)
        calibrated[i] = weighted_quantile(distribution.ranks(cases.part), cases.weight, [level])[0]
        more[i] = distribution.quantile(calibrated[i])
    return {
        "levels": levels.tolist(),
        "calibrated": calibrated.tolist(),
        "offset": offset,
        "more": more.tolist(),
        **cases.counts,
    }


def widened(lower, upper, fitted):
    """Calibrated limits (level, place, time) of stated ones; arguments as of :func:`fit_quantiles`."""
    more, offset = np.array(fitted["more"])[:, None, None], fitted["offset"]
    low, high = _log(np.asarray(lower, float), offset), _log(np.asarray(upper, float), offset)
    middle = (low + high) / 2  # where an interval is narrowed to nothing
    low, high = np.minimum(low - more, middle), np.maximum(high + more, middle)
    low, high = np.minimum.accumulate(low), np.maximum.accumulate(high)
    return tuple(np.maximum(np.exp(limit) - offset, 0.0) for limit in (low, high))


def weighted_quantile(values, weight, probability):
    """Smallest values at which the weights of all values up to them reach a probability.

    Args:
        values, weight: (case,).
        probability: (level,), of the sum of weights.

    Returns:
        array (level,).
    """
    return _Distribution(values, weight).quantile(np.asarray(probability))


class _Distribution:
    """An empirical distribution of weighted values (case,)."""

    def __init__(self, values, weight):
        self.order = np.argsort(values, kind="stable")
        self.values, self.weight = values[self.order], weight[self.order]
        reached = np.cumsum(self.weight)
        self.reached = reached / reached[-1]

    def quantile(self, probability):
        position = np.searchsorted(self.reached, probability - 1e-9)
        return self.values[np.minimum(position, len(self.values) - 1)]

    def ranks(self, part):
        """For each value, the share of the values of other parts (case,) that are not larger; 1 where there is no other part."""
        part, last = part[self.order], np.searchsorted(self.values, self.values, side="right") - 1
        ranks = np.empty(len(part))
        for one in np.unique(part):
            reached = np.cumsum(np.where(part == one, 0.0, self.weight))
            ranks[part == one] = reached[last[part == one]] / reached[-1] if reached[-1] > 0 else 1.0
        found = np.empty(len(part))
        found[self.order] = ranks
        return found


class _Fit:
    """Limits of standardised errors for one scale: of 1 where ``floor`` is 0."""

    def __init__(self, target, centre, spread, cases, edges, floor, levels):
        scale, class_of = _scale(spread, floor), np.digitize(centre, edges)
        error, weight = (target - centre) / scale, cases.weight
        members = [class_of == i for i in range(len(edges) + 1)]
        inside = [_Distribution(error[where], weight[where]) for where in members]
        scores = np.empty(len(error))
        for where, one in zip(members, inside):
            scores[where] = np.abs(2 * one.ranks(cases.part[where]) - 1)
        self.floor = floor
        self.calibrated = weighted_quantile(scores, weight, levels)
        self.lower = np.stack([one.quantile((1 - self.calibrated) / 2) for one in inside], -1)
        self.upper = np.stack([one.quantile((1 + self.calibrated) / 2) for one in inside], -1)
        self.median = np.array([one.quantile(np.array([0.5]))[0] for one in inside])
        low, high = self.lower[:, class_of], self.upper[:, class_of]
        outside = np.maximum(low - error, 0) + np.maximum(error - high, 0)
        self.score = float(((high - low + 2 / (1 - levels)[:, None] * outside) * scale).mean(0) @ weight)


class _Cases(NamedTuple):
    """Days of places that have all values, thinned: arrays (case,)."""

    values: list
    weight: np.ndarray
    part: np.ndarray
    counts: dict


def _checked(simulated, observed, blocks, levels):
    simulated, observed = np.asarray(simulated, float), np.asarray(observed, float)
    blocks, levels = np.unique(blocks, return_inverse=True)[1], np.sort(np.asarray(levels, float))
    if simulated.ndim != 3 or simulated.shape[1:] != observed.shape or blocks.shape != observed.shape[:1]:
        raise ValueError(
            f"simulated has shape {simulated.shape}, observed {observed.shape} and blocks {blocks.shape}; pass (member, place, time), "
            "(place, time) and (place,)"
        )
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"levels are {levels.tolist()}; a level is a probability between 0 and 1, such as 0.9")
    if np.nanmin(observed, initial=0) < 0:
        raise ValueError(
            f"observed has the value {np.nanmin(observed):g}, but the intervals are of discharge, which is not negative; "
            "leave such days out, as NaN"
        )
    known = (np.isfinite(simulated).all(0) & np.isfinite(observed)).any(1).sum()
    if known < 2:
        raise ValueError(f"{known} places have simulated and observed values on one day; a calibration needs 2 or more")
    return simulated, observed, blocks, levels


def _log(values, offset):
    return np.log(np.maximum(values, 0) + offset)


def _moments(simulated, offset):
    """Mean and standard deviation (place, time) of ln(q + e) of the members."""
    logarithm = _log(np.asarray(simulated, float), offset)
    spread = logarithm.std(0, ddof=1) if len(logarithm) > 1 else np.zeros(logarithm.shape[1:])
    return logarithm.mean(0), spread


def _scale(spread, floor):
    return np.sqrt(spread**2 + floor**2) if floor else np.ones_like(spread)


def _cases(blocks, *series):
    """The cases of series (place, time); each place has the same weight, and a block lies within one part."""
    known = np.isfinite(series).all(0)
    place, day = [], []
    for where in np.flatnonzero(known.any(1)):
        days = np.flatnonzero(known[where])
        days = days[np.unique(np.linspace(0, len(days) - 1, min(DAYS, len(days))).round().astype(int))]
        place.append(np.full(len(days), where))
        day.append(days)
    weight = np.concatenate([np.full(len(days), 1 / len(days) / len(day)) for days in day])
    place, day = np.concatenate(place), np.concatenate(day)
    seen, number = np.unique(blocks[place], return_inverse=True)
    if len(seen) == 1:
        number = np.unique(place, return_inverse=True)[1]
    counts = {"places": len(np.unique(place)), "blocks": len(seen)}
    return _Cases([one[place, day] for one in series], weight, number % PARTS, counts)


def _quantile(simulated, fitted, row):
    """The quantile whose standardised error in each class is given (class,), as discharge (place, time)."""
    simulated = np.asarray(simulated, float)
    if simulated.ndim != 3:
        raise ValueError(f"simulated has shape {simulated.shape}; pass (member, place, time)")
    centre, spread = _moments(simulated, fitted["offset"])
    limit = np.asarray(row)[np.digitize(centre, fitted["edges"])]
    return np.maximum(np.exp(centre + limit * _scale(spread, fitted["spread"])) - fitted["offset"], 0.0)
