"""Trained models, loaded for simulation under other conditions."""

import torch

from thalweg.experiments.models import build_model, series_of, task_steps
from thalweg.learn import checkpoint
from thalweg.learn.scaling import Scaling
from thalweg.learn.windows import Series

WARM_UP = 1096  # minimum days before the test period: one year leaves deep stores half empty
PLACES_AT_ONCE = 100  # whose units are simulated together: bounds the memory for sequences


def trained_models(settings, domain, path, fold=0):
    """The models of one fold, one for each seed.

    Args:
        settings: of the model (:data:`thalweg.settings.blocks.Model`).
        domain: in the spatial form of the model (:func:`thalweg.basin.domain.spatial_domain`).
        path: weights written by ``thalweg train``.
        fold: number of the fold.

    Returns:
        (list, Scaling): (seed, model in evaluation mode) for every seed; the scaling they were trained with.
    """
    tensors, values = checkpoint.load(path)
    scaling = Scaling(**values["scaling"][str(fold)])
    models = []
    for seed in values["seeds"]:
        model = build_model(settings, scaling, domain).eval()
        model.load_state_dict(checkpoint.without_prefix(f"{fold}/{seed}", tensors))
        models.append((seed, model))
    return models, scaling


def whole_series(domain, scaling, settings):
    """A domain in the spatial form of a model, with all of its forcing, including that not used by the process."""
    series = series_of(domain, scaling, settings)
    series.forcing = Series(domain, scaling, variables=tuple(scaling.target_mean)).forcing
    return series


def place_windows(series, domain, places, first, last, training):
    """Windows of a few places at a time; of all at once where runoff goes through the river, whose reaches need all.

    The spin-up is that of the training, or three years if it is shorter.

    Args:
        series: :class:`~thalweg.learn.windows.Series` of the domain.
        domain: the :class:`~thalweg.basin.domain.Domain`.
        places: positions.
        first, last: positions of the first step, and of the step after the last.
        training: :class:`~thalweg.settings.blocks.Training`.

    Yields:
        (places, window, columns): positions of some places; their Window; their positions in its output.
    """
    spin_up = max(task_steps(training.spin_up, domain), task_steps(WARM_UP, domain))
    size = len(places) if series.drainage.river is not None else PLACES_AT_ONCE
    for start in range(0, len(places), size):
        some = places[start : start + size]
        yield some, *series.window_of(torch.as_tensor(some), first, last, spin_up)
