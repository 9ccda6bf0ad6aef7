"""Manning's n of reaches: learned, stated by the dataset and in the literature, by stream order."""

import numpy as np
import pandas as pd

ALL = "all"

# Chow (1959), Open-Channel Hydraulics, table 5-6: minimum and maximum Manning's n of natural streams, which he calls major
# where they are more than 100 feet wide at flood stage. Mountain streams without vegetation: 0.030 to 0.070.
MAJOR_WIDTH = 30.48  # m
MINOR_STREAMS, MAJOR_STREAMS = (0.025, 0.150), (0.025, 0.100)


def strahler(river):
    """Stream order after Strahler: 1 without a reach upstream, one more than the highest upstream where two of that join.

    Args:
        river: :class:`thalweg.basin.network.River`.

    Returns:
        int array (reach,).
    """
    order = np.ones(len(river.reach), int)
    joining = [[] for _ in river.reach]
    for position in river.order:
        above = joining[position]
        if above:
            order[position] = max(above) + (above.count(max(above)) > 1)
        if river.downstream[position] >= 0:
            joining[river.downstream[position]].append(order[position])
    return order


def roughness_by_order(domain, parameters):
    """Learned Manning's n by stream order, compared with the dataset's and the literature's.

    Args:
        domain: :class:`thalweg.basin.domain.Domain`. ``manning_n``, ``width`` [m] and ``drainage_area`` [km2] of its network
            are compared if present.
        parameters: Dataset of a routed model, with ``roughness`` (fold, seed, reach) in s/m**(1/3).

    Returns:
        DataFrame: a row per stream order and one for all, with

        - ``reaches`` and medians over them of drainage area [km2] and width [m];
        - ``learned``, ``learned_low``, ``learned_high``: median, 5th and 95th percentile over reaches, folds and seeds;
        - ``seed_spread``: median over reaches of the standard deviation over seeds; NaN for one seed;
        - ``dataset``: median of the dataset's n;
        - ``chow_low``, ``chow_high``: minimum and maximum n of natural streams of that width (Chow 1959, table 5-6), and
          ``within_chow``: share of learned values in between;
        - ``rank_correlation_dataset``, ``rank_correlation_area``: Spearman's coefficient over reaches of learned n (mean
          over folds and seeds) with the dataset's n and with drainage area.
    """
    reach = domain.river.positions(parameters.reach.values)
    order = strahler(domain.river)[reach]
    runs = parameters.roughness.transpose("fold", "seed", "reach")
    mean = runs.mean(["fold", "seed"]).values
    spread = runs.mean("fold").std("seed", ddof=1).values if runs.sizes["seed"] > 1 else np.full(len(reach), np.nan)
    known = {name: of_reaches(domain, name)[reach] for name in ("drainage_area", "width", "manning_n")}
    rows = []
    for name in [*np.unique(order), ALL]:
        part = np.flatnonzero((order == name) if name != ALL else np.ones(len(order), bool))
        values = runs.values[..., part]
        area, width, stated = (known[each][part] for each in ("drainage_area", "width", "manning_n"))
        low, high = (np.where(width > MAJOR_WIDTH, *both) for both in zip(MAJOR_STREAMS, MINOR_STREAMS))
        rows.append(
            {
                "stream_order": name,
                "reaches": len(part),
                "drainage_area_km2": _median(area),
                "width_m": _median(width),
                "learned": np.median(values),
                "learned_low": np.percentile(values, 5),
                "learned_high": np.percentile(values, 95),
                "seed_spread": _median(spread[part]),
                "dataset": _median(stated),
                "chow_low": low.min(),
                "chow_high": high.max(),
                "within_chow": np.mean((values >= low) & (values <= high)),
                "rank_correlation_dataset": rank_correlation(mean[part], stated),
                "rank_correlation_area": rank_correlation(mean[part], area),
            }
        )
    return pd.DataFrame(rows)


def of_reaches(domain, name):
    """A quantity of the network's reaches (reach,); NaN if the dataset lacks it."""
    return domain.network[name].values if name in domain.network else np.full(len(domain.river.reach), np.nan)


def _median(values):
    known = values[np.isfinite(values)]
    return np.median(known) if len(known) else np.nan


def rank_correlation(first, second):
    """Spearman's coefficient of two arrays (any,); NaN if either is constant or fewer than three pairs are known."""
    from scipy.stats import spearmanr

    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return spearmanr(first, second).statistic
