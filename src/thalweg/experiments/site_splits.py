"""Splits of sampled sites: which samples train and which are tested, as a table.

Sites near each other, or on one river, share weather and water: the table says how far the nearest training site is.
"""

import numpy as np
import pandas as pd

from thalweg.basin.domain import DataError
from thalweg.basin.places import SPLIT_SEED, kilometres


def make_site_splits(sites, split):
    """The split of one experiment.

    Args:
        sites: :class:`~thalweg.basin.sites.Sites`.
        split: :class:`~thalweg.settings.sites.SiteSplit`.

    Returns:
        DataFrame with a row per fold and site: fold, site, train, validation, test (bool), training_samples, test_samples,
        reason, nearest_training_km, train_start, train_end, test_start, test_end. Validation sites do not train.

    Raises:
        DataError: when the variable was not sampled, or a fold has no site to train or test.
    """
    if split.variable not in sites.variables:
        raise DataError(
            f"{sites.name}/samples: '{split.variable}' was not sampled; there are {', '.join(sites.variables)}"
        )
    generator = np.random.default_rng(SPLIT_SEED)
    samples = sites.samples[split.variable]
    counts = {
        part: samples.sel(time=slice(*map(str, getattr(split, part)))).notnull().sum("time").values
        for part in ("train", "test")
    }
    enough = {part: count >= split.minimum_samples for part, count in counts.items()}
    usable = np.flatnonzero(enough["train"] & enough["test"])
    fold_of = np.full(len(sites.site_ids), -1)
    fold_of[usable] = generator.permutation(np.arange(len(usable)) % split.folds)
    place = None
    if "latitude" in sites.attributes and "longitude" in sites.attributes:
        place = kilometres(sites.attributes)
    frames = []
    for fold in range(split.folds):
        test = fold_of == fold
        train = enough["train"].copy() if split.kind == "temporal" else enough["train"] & ~test
        validation = np.zeros(len(test), bool)
        if split.validation == "sites":
            count = max(1, round(split.validation_share * train.sum()))
            validation[generator.choice(np.flatnonzero(train), min(count, train.sum()), replace=False)] = True
            train &= ~validation
        for name, mask in (("train", train), ("test", test)):
            if not mask.any():
                raise DataError(
                    f"{sites.name}: fold {fold} has no site to {name} with {split.minimum_samples} samples of "
                    f"'{split.variable}' in {split.train[0]}..{split.test[1]}; lower minimum_samples or use fewer folds"
                )
        reason = np.where(enough["train"], np.where(enough["test"], "", "too few test samples"), "too few samples")
        frames.append(
            pd.DataFrame(
                {
                    "fold": fold,
                    "site": sites.site_ids,
                    "train": train,
                    "validation": validation,
                    "test": test,
                    "training_samples": counts["train"],
                    "test_samples": counts["test"],
                    "reason": reason,
                    "nearest_training_km": _nearest(place, train | validation),
                }
            )
        )
    table = pd.concat(frames, ignore_index=True)
    for part in ("train", "test"):
        table[f"{part}_start"], table[f"{part}_end"] = map(str, getattr(split, part))
    return table


def _nearest(place, trains):
    if place is None:
        return np.nan
    return np.linalg.norm(place[:, None] - place[None, trains], axis=-1).min(1).round(1)


def read_site_splits(path):
    """The table of :func:`make_site_splits`, site ids as text."""
    return pd.read_csv(path, dtype={"site": str}, keep_default_na=False, na_values={"nearest_training_km": [""]})
