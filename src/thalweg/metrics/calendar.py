"""The table of a split, as what trains and simulates reads it."""

import numpy as np
import pandas as pd

TEXT = {"gauge": str, "train_years": str, "test_years": str}


def read_splits(path):
    """The table of a split as :func:`make_splits` made it."""
    return pd.read_csv(path, dtype=TEXT, keep_default_na=False)


NO_YEAR = "none"  # where others have years that count, this gauge has none


def water_year(time):
    """The water year of each day: array (time,); 1999 runs from 1 October 1998 to 30 September 1999."""
    days = pd.DatetimeIndex(time)
    return (days.year + (days.month >= 10)).to_numpy()


def counted_days(split, part, time):
    """Which days count at each gauge of a fold: array (time, gauge) of bool, in the order of the rows of ``split``.

    Args:
        split: rows of one fold.
        part: ``"train"`` or ``"test"``.
        time: days.
    """
    days = pd.DatetimeIndex(time)
    within = (days >= split[f"{part}_start"].iloc[0]) & (days <= split[f"{part}_end"].iloc[0])
    year = water_year(time)
    columns = [
        within & np.isin(year, [int(one) for one in years.split() if one != NO_YEAR]) if years else within
        for years in split[f"{part}_years"]
    ]
    return np.stack(columns, axis=1)
