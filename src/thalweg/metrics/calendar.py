"""The table of a split, as read for training and simulation."""

import numpy as np
import pandas as pd

TEXT = {"place": str, "train_years": str, "test_years": str}


def read_splits(path):
    """The table of a split as returned by :func:`make_splits`."""
    return pd.read_csv(path, dtype=TEXT, keep_default_na=False)


def positions(time, first, last):
    """Positions ``(start, stop)`` of the days first..last in ``time``, stop excluded."""
    days = pd.DatetimeIndex(time)
    after = pd.Timestamp(last) + pd.Timedelta(days=1)
    return int(days.searchsorted(pd.Timestamp(first))), int(days.searchsorted(after))


def period(split, part, time):
    """Positions of the training or test period of a split."""
    return positions(time, split[f"{part}_start"].iloc[0], split[f"{part}_end"].iloc[0])


NO_YEAR = "none"  # a gauge without counted years where others have some


def water_year(time):
    """The water year of each day: array (time,); 1999 runs from 1 October 1998 to 30 September 1999."""
    days = pd.DatetimeIndex(time)
    return (days.year + (days.month >= 10)).to_numpy()


def counted_days(split, part, time):
    """Days counted at each gauge of a fold: array (time, gauge) of bool, in the order of the rows of ``split``.

    Args:
        split: rows of one fold.
        part: ``"train"`` or ``"test"``.
        time: days.
    """
    days = pd.DatetimeIndex(time)
    within = np.zeros(len(days), bool)
    within[slice(*period(split, part, time))] = True
    year = water_year(time)
    columns = [
        within & np.isin(year, [int(one) for one in years.split() if one != NO_YEAR]) if years else within
        for years in split[f"{part}_years"]
    ]
    return np.stack(columns, axis=1)
