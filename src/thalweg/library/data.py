"""Domains of named datasets and of a user's own files, and splits of their places and years."""

import warnings
from pathlib import Path

import pandas as pd

from thalweg.basin.domain import DataError
from thalweg.datasets import reader
from thalweg.experiments.splits import make_splits
from thalweg.schema import validated
from thalweg.settings.blocks import Split
from thalweg.storage import installed
from thalweg.storage.catalogue import load_catalogue
from thalweg.storage.fetch import fetch

SHOWN = 5  # places in a warning


class DataWarning(UserWarning):
    """A catchment or site that is left out, or whose values are doubtful."""


def dataset(name, data=None, **settings):
    """The domain of a dataset of the package, downloaded at its first use.

    Args:
        name: of a file in thalweg/datasets, such as ``"delaware"`` or ``"cevennes"``; ``thalweg list datasets`` prints them.
        data: folder of downloaded data; by default ``thalweg`` in the user's folder for caches, or ``data`` if there is one here.
        settings: keys of the dataset (docs/reference/configuration.md), such as ``period``.

    Returns:
        :class:`~thalweg.basin.domain.Domain`

    Raises:
        RegistryError: for an unknown name.
        ConfigError: for an unknown key or an impossible value.
        FetchError: if the data cannot be downloaded.
        DataError, UnitError: if they are wrong.
    """
    kind = name.replace("-", "_")
    module = reader(kind)
    block = validated(module.SETTINGS, {"kind": kind, **settings}, f"dataset {name}")
    if hasattr(block, "folder"):  # of files of your own
        return _built(module, Path(block.folder), block)
    where = Path(data) if data else _data()
    source = fetch(load_catalogue(installed.config("datasets.yaml"))[block.dataset], where / block.dataset)
    return _built(module, source, block)


def catchments(folder, period=None, **settings):
    """The domain of a folder of your own catchments (docs/guides/own_data.md).

    Args:
        folder: of ``attributes.csv`` and the series; discharge may be missing, for prediction.
        period: first and last day; None for the longest that all series cover.
        settings: ``potential_evapotranspiration``; ``minimum_days`` of discharge that a catchment needs to be kept, by default none.

    Returns:
        :class:`~thalweg.basin.domain.Domain`

    Raises:
        DataError, UnitError: the message names file, variable, value and remedy.
    """
    module = reader("own_catchments")
    values = {"folder": str(folder), "period": _days(period), "minimum_days": "0 days", **settings}
    values["kind"] = "own_catchments"
    return _built(module, Path(folder), validated(module.SETTINGS, values, f"catchments {folder}"))


def sites(folder, **settings):
    """The domain of a folder of your own sampling sites (docs/guides/own_data.md).

    Args:
        folder: of ``forcing.csv``, ``attributes.csv``, ``samples.csv`` (not needed for prediction) and, on one river, ``network.csv``.
        settings: ``name``.

    Returns:
        :class:`~thalweg.basin.domain.Domain`

    Raises:
        DataError, UnitError, NetworkError: the message names file, line, column, value and remedy.
    """
    module = reader("own_sites")
    values = {"kind": "own_sites", "folder": str(folder), "samples": "optional", **settings}
    return _built(module, Path(folder), validated(module.SETTINGS, values, f"sites {folder}"))


def split(domain, kind="temporal", *, train, test=None, variable=None, **keys):
    """The places and years that train a model, and those that test it.

    Args:
        domain: :class:`~thalweg.basin.domain.Domain`.
        kind: of split: a file in thalweg/experiments/splits, or ``package.module:function``.
        train, test: first and last day of the periods, such as ``("2001-01-01", "2010-12-31")``; without ``test`` that of the
            training, for kinds that hold out places.
        variable: observed variable, or several with their weights in the loss; by default the first of the domain.
        keys: further keys of an experiment, such as ``folds`` or ``validation`` (docs/reference/configuration.md).

    Returns:
        DataFrame, see :func:`thalweg.experiments.splits.make_splits`; ``attrs`` holds the variables with their weights and
        the share of validation.

    Raises:
        ConfigError: for an unknown key or an impossible value.
        DataError: if no place is left to train, validate or test.
    """
    values = {
        "kind": kind,
        "train": _days(train),
        "test": _days(test or train),
        "variable": variable or domain.variables[0],
    }
    settings = validated(Split, {**values, **keys}, f"split of {domain.name}")
    table = make_splits(domain, settings)
    share = 0.0 if settings.validation == "none" else settings.validation_share
    table.attrs = {"variables": settings.variables, "validation_share": share}
    return table


def _built(module, folder, block):
    values = {name: value for name, value in block if name not in ("kind", "dataset", "folder")}
    if values.get("period") is not None:
        values["period"] = tuple(map(str, values["period"]))
    domain, table = module.build(folder, **values)
    if hasattr(block, "folder"):
        _warn(domain.name, table)
    return domain


def _warn(name, table):
    """Say which of a user's places are left out, and which are doubtful."""
    texts = {}
    if "kept" in table:
        texts["left out"] = table.reason.where(~table.kept.astype(bool), "")
    if "flag" in table:
        texts["doubtful"] = table.flag.fillna("")
    for what, reasons in texts.items():
        for reason, rows in table[reasons != ""].groupby(reasons[reasons != ""], sort=False):
            some = ", ".join(f"'{place}'" for place in rows.place[:SHOWN])
            more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
            warnings.warn(f"{name}: {what}: {some}{more}: {reason}", DataWarning, stacklevel=4)


def _days(period):
    """First and last day of a period that is stated in days, months or years, as texts."""
    if period is None:
        return None
    if isinstance(period, str) or len(tuple(period)) != 2:
        raise DataError(f"period {period!r}: write a first and a last day, month or year, such as ('2001', '2010-06')")
    days = []
    for text, end in zip(period, ("start_time", "end_time"), strict=True):
        try:
            days.append(str(getattr(pd.Period(str(text)[:10]), end).date()))
        except ValueError as error:
            raise DataError(
                f"period {tuple(map(str, period))}: {text!r} is no day, month or year ({error}); write 2001-12-31"
            ) from None
    return days


def _data():
    import platformdirs

    return Path("data") if Path("data").is_dir() else Path(platformdirs.user_cache_dir("thalweg"))
