"""Ensembles: the mean of models' discharge, over their seeds too (Li et al. 2025, doi:10.5194/hess-29-6829-2025)."""

import xarray as xr


def ensemble(members):
    """The mean of the members' discharge, each member's mean over its seeds counting once.

    Args:
        members: Datasets of :func:`thalweg.experiments.run.simulate_experiment`, of the same folds, gauges and days.

    Returns:
        Dataset of the same form with one seed, 0.

    Raises:
        ValueError: when the members differ in folds, gauges or days.
    """
    means = [member.discharge.mean("seed", skipna=False) for member in members]
    for member, mean in zip(members[1:], means[1:]):
        try:
            xr.align(means[0], mean, join="exact")
        except ValueError as error:
            raise ValueError(
                f"members {members[0].attrs.get('model')} and {member.attrs.get('model')} of the ensemble do not simulate "
                "the same folds, gauges and days: simulate them again"
            ) from error
    mean = sum(means) / len(means)
    result = members[0].drop_dims("seed").assign(discharge=mean.expand_dims(seed=[0]).transpose(*_DIMENSIONS))
    result.discharge.attrs.update(members[0].discharge.attrs)
    return result


_DIMENSIONS = ("fold", "seed", "gauge", "time")
