"""Ensembles: the mean of models' simulations, over their seeds too (Li et al. 2025, doi:10.5194/hess-29-6829-2025)."""

import xarray as xr


def ensemble(members):
    """The mean of the members' simulations, each member's mean over its seeds counting once.

    Args:
        members: Datasets of :mod:`thalweg.experiments.simulation`, of the same variable, folds, places and times.

    Returns:
        Dataset of the same form with one seed, 0.

    Raises:
        ValueError: if the members differ in folds, places or times.
    """
    means = [member.simulated.mean("seed", skipna=False) for member in members]
    for member, mean in zip(members[1:], means[1:]):
        try:
            xr.align(means[0], mean, join="exact")
        except ValueError as error:
            raise ValueError(
                f"members {members[0].attrs.get('model')} and {member.attrs.get('model')} of the ensemble do not simulate "
                "the same folds, places and times: simulate them again"
            ) from error
    mean = sum(means) / len(means)
    result = members[0].drop_dims("seed").assign(simulated=mean.expand_dims(seed=[0]).transpose(*_DIMENSIONS))
    result.simulated.attrs.update(members[0].simulated.attrs)
    return result


_DIMENSIONS = ("fold", "seed", "place", "time")
