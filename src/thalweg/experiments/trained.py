"""Trained models, taken up again to be asked what they answer."""

import torch
from pydantic import Field

from thalweg.experiments.run import build_model
from thalweg.learn import checkpoint
from thalweg.learn.scaling import Scaling
from thalweg.schema import Count, Settings
from thalweg.settings.blocks import TrainingJob

WARM_UP = 1096  # days before the test period at least: a year leaves deep stores half empty
GAUGES_AT_ONCE = 100  # whose units are simulated together: bounds the memory that sequences take


class PhysicsJob(Settings):
    """What the verbs response, untrained and attribution are given: the models of one experiment."""

    models: dict[str, TrainingJob]
    reference: str = Field("lstm", description="model that the others are compared with, where it is among them")
    minimum_days: Count = Field(365, description="days of observed discharge that a gauge needs")
    bootstrap_samples: Count = Field(2000, description="resamples and permutations")


def trained_models(settings, path, fold=0):
    """The models of one fold, a seed each.

    Args:
        settings: of the model (:data:`thalweg.settings.blocks.Model`).
        path: weights that ``thalweg train`` wrote.
        fold: number of the fold.

    Returns:
        (list, Scaling): (seed, model in evaluation mode) for every seed; the scaling they were trained with.
    """
    tensors, values = checkpoint.load(path)
    scaling = Scaling(**values["scaling"][str(fold)])
    models = []
    for seed in values["seeds"]:
        model = build_model(settings, scaling).eval()
        model.load_state_dict(checkpoint.without_prefix(f"{fold}/{seed}", tensors))
        models.append((seed, model))
    return models, scaling


def gauge_windows(series, gauges, first, last, training):
    """Windows of a few gauges at a time; of all at once where runoff goes through the river, whose reaches need all.

    The spin-up is that of the training, or three years where it is shorter.

    Args:
        series: :class:`~thalweg.learn.windows.Series`.
        gauges: positions.
        first, last: positions of the first day, and of the day after the last.
        training: :class:`~thalweg.settings.blocks.Training`.

    Yields:
        (gauges, window, columns): positions of some gauges; their Window; where they stand in what is simulated over it.
    """
    spin_up = max(round(training.spin_up), WARM_UP)
    size = len(gauges) if series.drainage.river is not None else GAUGES_AT_ONCE
    for start in range(0, len(gauges), size):
        some = gauges[start : start + size]
        yield some, *series.window_of(torch.as_tensor(some), first, last, spin_up)
