"""Random folds of places, each tested once by models that were not trained there."""

import numpy as np

from thalweg.experiments.splits.division import Division, kind


@kind("held_out")
def ungauged_places(candidates):
    """Every usable place is in one fold."""
    usable = candidates.usable
    fold_of = np.full(len(candidates.drains), -1)
    fold_of[usable] = candidates.generator.permutation(np.arange(len(usable)) % candidates.split.folds)
    return Division(fold_of)
