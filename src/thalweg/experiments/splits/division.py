"""A kind of split: a function that divides places, and optionally years, between training and test.

A kind is a function named like its file, decorated with :func:`kind`. It receives :class:`Candidates` and returns a
:class:`Division`; the common parts (nested catchments, diverted gauges, shares, validation) is done by
:func:`thalweg.experiments.splits.make_splits`.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.schema import Settings

PLACES = ("same", "held_out", "apart")


class NoOptions(Settings):
    """A kind without additional keys."""


@dataclass(frozen=True)
class Candidates:
    """Input of a kind.

    Attributes:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        split: the :class:`~thalweg.settings.blocks.Split`.
        options: the kind's own keys, checked.
        usable: positions of the places with enough observations in both periods.
        drains: (place, place) bool, True where the row's catchment contains the column's.
        generator: for random draws.
    """

    domain: Any
    split: Any
    options: Any
    usable: np.ndarray
    drains: np.ndarray
    generator: np.random.Generator


@dataclass(frozen=True)
class Division:
    """Tested places and, if not all others, training places and years.

    Attributes:
        fold_of: fold in which each place is tested (place,), -1 in none.
        trains: bool (place,), places that may train; if None, all.
        train_years, test_years: water years that count at each place, a list of int each; None for all.
        reason: why a place is neither trained nor tested.
    """

    fold_of: np.ndarray
    trains: np.ndarray | None = None
    train_years: list | None = None
    test_years: list | None = None
    reason: str = field(default="left out")


def kind(places, options=NoOptions, nested_apart=True, one_period=False):
    """Declare a kind of split.

    Args:
        places: ``"same"``: the places that train are tested; ``"held_out"``: folds of places, each tested once by models
            trained on the others; ``"apart"``: one fold, whose places do not train.
        options: subclass of :class:`~thalweg.schema.Settings`, keys of an experiment of this kind.
        nested_apart: a gauge never trains if its catchment contains a tested one, and is not tested inside a training one.
        one_period: training and test divide the years of one period.
    """
    if places not in PLACES:
        raise ValueError(f"places is {places!r}; it is one of {', '.join(PLACES)}")

    def declare(function):
        function.places, function.options, function.one_period = places, options, one_period
        function.nested_apart = nested_apart and places != "same"
        return function

    return declare
