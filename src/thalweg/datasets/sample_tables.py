"""Numbers from hand-written tables: gaps, "<0.1" for values below a detection limit, and other text."""

import numpy as np
import pandas as pd

from thalweg.basin.domain import DataError

GAPS = ("", "NA", "N/A", "#N/A", "nan", "NaN")


def read_numbers(column, source, limits=False):
    """Numbers of one column of text.

    Args:
        column: Series of str, indexed by line of the file; its name is the column's header.
        source: file, for messages.
        limits: whether "<0.1" is allowed: a value below 0.1.

    Returns:
        (values, censored): arrays of float, NaN in gaps and the limit where a value lies below it; and of bool.

    Raises:
        DataError: the message names file, line, column and the first text that is not a finite number.
    """
    text = column.str.strip()
    below = text.str.startswith("<").to_numpy(bool) & limits
    values = pd.to_numeric(text.where(~below, text.str[1:]), errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(~np.isfinite(values) & ~text.isin(GAPS).to_numpy())
    if len(wrong):
        expected = "a number, or '<' and a detection limit" if limits else "a number"
        raise DataError(
            f"{source}, line {column.index[wrong[0]]}: column '{column.name}' is '{column.iloc[wrong[0]]}'; "
            f"expected {expected} (with a decimal point, not a comma), or nothing for a missing value"
        )
    return values, below
