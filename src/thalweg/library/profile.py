"""Profiles of the likelihood: what the discharge says of each parameter, the others being free.

A parameter is fixed at a value, all others are fitted again, and the likelihood is compared with its maximum (Raue et al. 2009,
doi:10.1093/bioinformatics/btp358). With normal errors of unknown, constant variance,

    D = -2 ln(L / L_max) = n ln(S / S_min)

where S is the sum of squared errors, of flow or of transformed flow, and an interval holds the values at which D stays below the
quantile of chi square with one degree of freedom. Errors of discharge on successive days are alike, so that n days say less than
n independent ones: n is reduced to n (1 - r) / (1 + r), with r the correlation of the errors of successive days at the best
fit (Bayley & Hammersley 1946, doi:10.2307/2983560). The interval takes the equations and the forcing as true; it is too narrow
where they are not.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import chi2

from thalweg.learn.minimise import bfgs
from thalweg.library.objectives import TRANSFORMS, squared_error, transformed
from thalweg.library.process import ParameterError

GRID = 9  # places across the range that a profile begins with
SEARCHES = 6  # of each end of the interval
NARROW = 0.03  # of the square root of D, how near an end is found; of D, how near the maximum
ROUNDS = 3  # of all fits, while a fit with a parameter held finds a higher likelihood than the maximum known
FAREST = 12.0  # of an unconstrained parameter from the middle of its range


@dataclass(frozen=True)
class Profile:
    """The result of :func:`profile`.

    Attributes:
        table: DataFrame with a row for every value tried: parameter, value, share (its place within the range), deviance.
        intervals: DataFrame by parameter: unit, best, low, high, and whether the interval ends at the bound of the range.
        threshold: deviance at the end of the interval.
        level: of the interval.
        days: observations in the likelihood; ``effective_days``: what they are worth.
    """

    table: pd.DataFrame
    intervals: pd.DataFrame
    threshold: float
    level: float
    days: int
    effective_days: float

    def __repr__(self):
        about = f"{self.level:.0%} intervals by profile likelihood; {self.days} observations worth {self.effective_days:.0f}"
        return f"{about}\n{self.intervals.to_string(float_format='{:.4g}'.format)}"


def profile(calibration, names=None, *, level=0.95, transform=None, errors="correlated", evaluations=60):
    """Profiles of the likelihood of fitted parameters.

    Args:
        calibration: the :class:`~thalweg.library.calibration.Calibration`.
        names: of parameters; all that were fitted if None.
        level: of the interval.
        transform: ``"flow"``, ``"root"`` or ``"log"``: of which the errors are normal with one variance; if None, that of the
            objective. The maximum is that of the likelihood, which another objective, such as KGE, need not reach.
        errors: ``"correlated"`` from day to day, or ``"independent"``.
        evaluations: of each fit of the other parameters.

    Returns:
        Profile

    Raises:
        ParameterError: for a parameter that was not fitted.
    """
    task, free = calibration.task, list(calibration.task.free)
    names = free if names is None else [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in free:
            raise ParameterError(f"parameter {name!r} was not fitted; fitted were {', '.join(free)}")
    kind = transform or calibration.objective.transform
    if kind not in TRANSFORMS or errors not in ("correlated", "independent") or not 0 < level < 1:
        raise ValueError(
            f"transform is {kind!r}, errors {errors!r}, level {level}; transform is one of {', '.join(TRANSFORMS)}, errors "
            "'correlated' or 'independent', the level between 0 and 1"
        )
    search = _Search(task, kind, evaluations)
    search.maximum(calibration.shares)
    threshold = float(chi2.ppf(level, 1))
    columns = [free.index(name) for name in names]
    grid = [(column, place) for column in columns for place in np.linspace(0, 1, GRID)]
    for _ in range(ROUNDS):
        before, days = search.lowest, len(task.target)
        worth = days if errors == "independent" else _effective(task, search.best, kind)
        search.fit(sorted({*grid, *search.tried()}))
        for _ in range(SEARCHES):
            wanted = [place for column in columns for place in search.wanted(column, worth, threshold)]
            if not wanted:
                break
            search.fit(wanted)
        if worth * (before - search.lowest) < NARROW:  # no higher likelihood was found on the way
            break
    tables, rows = [], []
    for name, column in zip(names, columns):
        share, deviance = search.curve(column, worth)
        known = task.known[name]
        values = np.array([known.at(one) for one in share])
        tables.append(pd.DataFrame({"parameter": name, "value": values, "share": share, "deviance": deviance}))
        low, high = search.ends(column, worth, threshold)
        best = search.best[column].item()
        rows.append((name, known.unit, *(known.at(one) for one in (best, low, high)), low <= 0, high >= 1))
    intervals = pd.DataFrame(rows, columns=["name", "unit", "best", "low", "high", "low_is_bound", "high_is_bound"])
    return Profile(
        pd.concat(tables, ignore_index=True), intervals.set_index("name"), threshold, level, days, float(worth)
    )


class _Search:
    """Fits with one parameter fixed; ``found[column][share]`` is (logarithm of the sum of squares, unconstrained others)."""

    def __init__(self, task, kind, evaluations):
        self.task, self.kind, self.evaluations, self.found = task, kind, evaluations, {}

    def _fit(self, rows, column, share):
        """Best rows and ln S; in each row, a column is held at a share (none where the column is negative)."""
        held = torch.zeros_like(rows, dtype=torch.bool)
        held[torch.arange(len(rows))[column >= 0], column[column >= 0]] = True

        def loss(some, positions):
            shares = torch.where(held[positions], share[positions][:, None], torch.sigmoid(some))
            return squared_error(self.task.simulate(shares), self.task.target, self.kind).log()

        rows, lowest = bfgs(loss, rows.clamp(-FAREST, FAREST), self.evaluations, ~held)
        return rows, lowest

    def maximum(self, shares):
        """Fit all parameters freely, from every start of the calibration."""
        rows = torch.logit(shares, eps=1e-9)
        rows, lowest = self._fit(rows, torch.full((len(rows),), -1), torch.zeros(len(rows), dtype=rows.dtype))
        self._set(rows[lowest.argmin()], lowest.min().item())

    def _set(self, row, lowest):
        self.row, self.lowest, self.best = row.clone(), lowest, torch.sigmoid(row)

    def fit(self, wanted):
        """Fit with parameters held at places, a list of (column, share), from the best fit and from the neighbours on both sides."""
        column = torch.tensor([one for one, _ in wanted])
        share = torch.tensor([place for _, place in wanted], dtype=self.row.dtype)
        starts = [self.row.repeat(len(wanted), 1)]
        if all(one in self.found for one, _ in wanted):
            starts += [torch.stack([self._beside(*place, way) for place in wanted]) for way in (-1, 1)]
        rows, lowest = self._fit(torch.cat(starts), column.repeat(len(starts)), share.repeat(len(starts)))
        lowest, rows = lowest.view(len(starts), -1), rows.view(len(starts), len(wanted), -1)
        chosen = lowest.argmin(0)
        for i, (one, place) in enumerate(wanted):
            fitted = lowest[chosen[i], i].item(), rows[chosen[i], i]
            known = self.found.setdefault(one, {})
            known[float(place)] = min(fitted, known.get(float(place), fitted), key=lambda pair: pair[0])
            if lowest[chosen[i], i] < self.lowest - 1e-9:
                row = rows[chosen[i], i].clone()
                row[one] = torch.logit(torch.tensor(float(place), dtype=row.dtype), eps=1e-6)
                self._set(row, lowest[chosen[i], i].item())

    def tried(self):
        """All places of :meth:`fit`."""
        return {(column, place) for column, known in self.found.items() for place in known}

    def _beside(self, column, place, way):
        """The others at the next place below (way -1) or above (1) that has been fitted; at the next one of all, where there is none."""
        known = self.found[column]
        there = [one for one in known if way * (one - place) > 0] or list(known)
        return known[min(there, key=lambda one: abs(one - place))][1]

    def curve(self, column, worth):
        """(share, deviance) of all places tried and of the best fit, in order."""
        points = {place: value for place, (value, _) in self.found.get(column, {}).items()}
        points[self.best[column].item()] = self.lowest
        share = np.array(sorted(points))
        return share, worth * np.maximum(np.array([points[one] for one in share]) - self.lowest, 0.0)

    def _brackets(self, column, worth, threshold):
        """For each end: (inside, outside), each (share, signed distance of the root of D from its threshold); outside None if none."""
        share, deviance = self.curve(column, worth)
        distance = np.sqrt(deviance) - np.sqrt(threshold)
        middle = int(np.flatnonzero(share == self.best[column].item())[0])
        ends = []
        for way in (-1, 1):
            inside = middle
            while 0 <= inside + way < len(share) and distance[inside + way] <= 0:
                inside += way
            outside = inside + way
            there = (share[outside], distance[outside]) if 0 <= outside < len(share) else None
            ends.append(((share[inside], distance[inside]), there))
        return ends

    def wanted(self, column, worth, threshold):
        """Places at which to look next for the ends of an interval, list of (column, share)."""
        places = []
        for (inside, below), outside in self._brackets(column, worth, threshold):
            if outside is None or min(-below, outside[1]) < NARROW or abs(outside[0] - inside) < 1e-4:
                continue
            part = np.clip(below / (below - min(outside[1], 20 * -below)), 0.1, 0.9)
            places.append((column, inside + part * (outside[0] - inside)))
        return places

    def ends(self, column, worth, threshold):
        """The interval, shares; a bound of the range where the deviance does not reach the threshold."""
        ends = []
        for bound, ((inside, below), outside) in zip((0.0, 1.0), self._brackets(column, worth, threshold)):
            if outside is None:
                ends.append(bound)
            else:
                ends.append(inside + below / (below - outside[1]) * (outside[0] - inside))
        return ends


def _effective(task, best, kind):
    """The number of independent observations that the errors of the best fit are worth."""
    with torch.no_grad():
        simulated = task.simulate(best[None].to(task.dtype))[:, 0]
        error = transformed(simulated, task.target, kind) - transformed(task.target, task.target, kind)
    days, error = task.days.numpy(), (error - error.mean()).double().numpy()
    pairs = np.flatnonzero(np.diff(days) == 1)
    if len(pairs) < 2 or not error.any():
        return len(days)
    correlation = np.clip(np.mean(error[pairs] * error[pairs + 1]) / np.mean(error**2), 0.0, 0.999)
    return len(days) * (1 - correlation) / (1 + correlation)
