"""Days and hours as people write them, and the days of daily series.

A day is the date as it stands, whatever the hour and the zone: the rain-gauge day from 9 to 9 keeps the date it is written with.
"""

import re

import numpy as np
import pandas as pd

from thalweg.basin.domain import DataError

DAY = re.compile(
    r"(?P<year>\d{4})(?:[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})|(?P<months>\d{2})(?P<days>\d{2}))"
    r"(?:[T ]\s*(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
)
UNIVERSAL = ("Z", "UTC", "GMT", "+00", "+0000", "+00:00", "-00:00")
EVENING = 18  # hour of universal time from which a daily value may be of the next day


def read_times(column, path):
    """Days and hours of a column of times, as they stand: a zone is not applied.

    Args:
        column: Series of str by line: 2012-05-31, 2012/5/31 or 20120531, which may go on with a time of day (10:30,
            T10:30:00.5) and a zone (Z, +01:00).
        path: for messages.

    Returns:
        DataFrame by line: ``day`` (datetime64), ``hour`` (float), ``universal`` (bool: the zone is that of UTC).

    Raises:
        DataError: naming file, line and value of what is no whole date.
    """
    parts = column.str.strip().str.extract(f"^{DAY.pattern}$")
    month, day = (parts[one].where(parts[one].notna(), parts[f"{one}s"]) for one in ("month", "day"))
    dates = pd.to_datetime({"year": parts.year, "month": month, "day": day}, errors="coerce")
    hour, minute = (pd.to_numeric(parts[one]).fillna(0.0) for one in ("hour", "minute"))
    wrong = dates.isna() | (hour > 23) | (minute > 59)
    if wrong.any():
        line = column.index[wrong.to_numpy()][0]
        text = column[line]
        raise DataError(f"{path}, line {line}: column 'time' is '{text}'; expected {_expected(text)}")
    return pd.DataFrame({"day": dates, "hour": hour + minute / 60, "universal": parts.zone.isin(UNIVERSAL)})


def _expected(text):
    if re.fullmatch(r"\d{4}([-/]\d{1,2})?", text.strip()):
        return "a whole date like 2012-05-31: a month or a year is not a day"
    if re.match(r"\d{4}-0?2-(29|30)", text.strip()):
        return "a day of the standard calendar: convert the series to it"
    return "a date like 2012-05-31"


def daily(times, path, what="the series"):
    """The days of one daily series.

    Args:
        times: as returned by :func:`read_times`, in the order of the file.
        path, what: file and, for example, site, for messages.

    Returns:
        DatetimeIndex

    Raises:
        DataError: if a day is there more than once, the series has a step below a day, or hours of universal time in the
            evening leave open which day is meant.
    """
    late = times.universal & (times.hour >= EVENING)
    if late.any():
        line = times.index[late][0]
        hour = times.hour[line]
        raise DataError(
            f"{path}, {_at(line)}: column 'time' is {int(hour):02d}:{round(hour % 1 * 60):02d} in universal time, which is the next "
            "day east of Greenwich; write the day that is meant, as 2012-05-31"
        )
    twice = times.day.duplicated()
    if twice.any():
        line = times.index[twice][0]
        moments = np.sort(np.unique((times.day + pd.to_timedelta(times.hour, unit="h")).to_numpy()))
        steps = np.diff(moments) / np.timedelta64(1, "h")
        more = f"{path}, {_at(line)}: {what} has more than one row for {times.day[line].date()}"
        if len(moments) > times.day.nunique():
            step = np.median(steps[steps < 24])
            raise DataError(
                f"{more}, with steps of {step:.4g} hours; own tables are daily: sum precipitation over the day, and take "
                "the mean of other variables"
            )
        raise DataError(f"{more}; keep one row per day")
    return pd.DatetimeIndex(times.day, name="time")


def _at(line):
    return line if isinstance(line, str) else f"line {line}"
