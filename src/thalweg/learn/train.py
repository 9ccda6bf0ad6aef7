"""The training loop."""

import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from thalweg.learn import checkpoint, optimisers
from thalweg.registry import load

FINAL_LEARNING_RATE = 0.05  # share of the first rate at the end of the cosine schedule
TOLERATED_FAILURES = 10  # steps in a row with a loss or gradient that is not finite


class TrainingError(RuntimeError):
    """Training that cannot continue."""


@dataclass
class Task:
    """Inputs of one training run. Observations are one tensor per variable.

    Attributes:
        series: the :class:`~thalweg.learn.windows.Series` of the training and validation places.
        observed: name -> tensor (time, place), NaN where missing or withheld.
        deviation: name -> its standard deviation over the training period (place,).
        training: mask (place,) of the places that count in the loss.
        validation: mask (place,) of the places that count in validation.
        days: ``(first, last)`` positions of the training days, last excluded.
        validation_days: likewise, for validation.
        weights: name -> weight of a variable's loss.
        censored: name -> bool (time, place), True where an observation is a detection limit, for the variables of which any is.
        step_days: length of a step in days.
        per_day: name -> steps in a day, of variables in mm per step, where these are not days: losses use mm/day.
        names: ids of the places, for messages.

    Raises:
        TrainingError: if a deviation is not a number of 0 or more, naming the place: no loss would be defined there.
    """

    series: object
    observed: dict[str, torch.Tensor]
    deviation: dict[str, torch.Tensor]
    training: torch.Tensor
    validation: torch.Tensor
    days: tuple[int, int]
    validation_days: tuple[int, int]
    weights: dict[str, float]
    censored: dict[str, torch.Tensor] = field(default_factory=dict)
    step_days: float = 1.0
    per_day: dict[str, float] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def __post_init__(self):
        for variable, deviation in self.deviation.items():
            wrong = ~(torch.isfinite(deviation) & (deviation >= 0))
            if wrong.any():
                position = int(torch.nonzero(wrong)[0])
                raise TrainingError(
                    f"'{variable}' at {self.name_of(position)} has the standard deviation {deviation[position].item()} in the "
                    "training period; its observations are missing or not finite: leave the place out of training"
                )

    def name_of(self, position):
        """A place by its id, or by its position if ids are not known."""
        return f"place '{self.names[position]}'" if self.names else f"place {position}"

    def steps(self, days):
        """A number of days in whole steps."""
        return round(days / self.step_days)

    def seen(self, first, last):
        """Mask (place,) of the places where any variable was observed in the steps ``[first, last)``."""
        return torch.stack([~torch.isnan(values[first:last]).all(0) for values in self.observed.values()]).any(0)

    def loss(self, name, simulated, first, places):
        """The loss ``name`` of the simulation at some places, name -> (time, place, ...), from the step ``first`` on.

        For several variables it is the mean by :attr:`weights` over those that were observed at any of the places.
        """
        total, weight = 0.0, 0.0
        for variable, values in simulated.items():
            steps = slice(first, first + values.shape[0])
            observed = self.observed[variable][steps][:, places]
            if len(simulated) > 1 and torch.isnan(observed).all():
                continue
            more = (self.censored[variable][steps][:, places],) if variable in self.censored else ()
            loss, deviation = load("loss", name), self.deviation[variable][places]
            if variable in self.per_day and not getattr(loss, "mixture", False):  # whose likelihood only shifts
                values, observed = (self.per_day[variable] * one for one in (values, observed))
                if not getattr(loss, "logarithmic", False):  # a ratio has no step
                    deviation = self.per_day[variable] * deviation
            part = loss(values, observed, deviation, *more)
            if len(simulated) == 1:
                return part
            total, weight = total + self.weights[variable] * part, weight + self.weights[variable]
        return total / weight if weight else sum(values.sum() * 0.0 for values in simulated.values())


@dataclass
class Progress:
    """State of a run: everything in a checkpoint except tensors."""

    step: int = 0
    best_loss: float = math.inf
    best_step: int = 0
    stale: int = 0
    failures: int = 0
    finished: bool = False
    log: list = field(default_factory=list)


def learning_rate(settings, step):
    """The rate at a step (0-based): constant, or falling on a cosine to 5 % of the first rate."""
    if settings.schedule == "constant":
        return settings.learning_rate
    share = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return settings.learning_rate * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * share)


def train(build, task, settings, seed, path, label="", stop=None):
    """Train a model, resuming from ``path`` if a checkpoint exists there.

    Args:
        build: function without arguments that builds the model; called with the global generator seeded.
        task: the :class:`Task`.
        settings: learning rate, steps, ... (:class:`thalweg.settings.blocks.Training`); ``window``, ``spin_up`` in days,
            ``checkpoint_every`` in minutes.
        seed: seeds weights, dropout and sampling.
        path: the checkpoint file; written every ``checkpoint_every`` and at the end.
        label: for the progress bar.
        stop: optional function of the step, called after each; it may raise to end the run.

    Returns:
        (model, log): the model with the weights that were best in validation; a list of dicts, one per validation.

    Raises:
        TrainingError: if the loss remains not finite.
    """
    torch.manual_seed(seed)
    model = build().to(task.training.device)
    generator = torch.Generator().manual_seed(seed)
    kind = {"adam": optimisers.Adam, "adadelta": optimisers.Adadelta}[settings.optimiser]
    optimiser = kind(model.parameters(), lr=settings.learning_rate)
    best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    progress = Progress()
    if Path(path).exists():
        best, progress = _restore(path, model, optimiser, generator)
    saved = time.monotonic()
    started = saved - (progress.log[-1]["seconds"] if progress.log else 0.0)
    bar = tqdm(total=settings.steps, initial=progress.step, desc=label, unit="step", mininterval=5, file=sys.stderr)

    while not progress.finished:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(settings, progress.step)
        window, columns, first, places = _draw(task, settings, generator)
        model.train()
        simulated = {name: values[:, columns] for name, values in _compared(model, window).items()}
        loss = task.loss(settings.loss, simulated, first, places)
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip)
        if torch.isfinite(loss) and torch.isfinite(norm):
            optimiser.step()
            progress.failures = 0
        else:
            progress.failures += 1
            if progress.failures > TOLERATED_FAILURES:
                wrong = _not_finite(task, settings, simulated, first, places)
                more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                raise TrainingError(
                    f"{label}: loss {loss.item()}{f' at {wrong[0]}{more}' if wrong else ''} and gradient norm {norm.item()} at step "
                    f"{progress.step}, the last of {progress.failures} consecutive values that are not finite; "
                    + (
                        "correct the forcing, attributes and observations there, or leave it out"
                        if wrong
                        else "lower training.learning_rate or training.gradient_clip"
                    )
                )
        progress.step += 1
        bar.update()

        if progress.step % settings.validate_every == 0 or progress.step == settings.steps:
            validation = validate(model, task, settings)
            if validation < progress.best_loss:
                progress.best_loss, progress.best_step, progress.stale = validation, progress.step, 0
                best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            else:
                progress.stale += 1
            progress.log.append(
                {
                    "step": progress.step,
                    "training_loss": loss.item(),
                    "validation_loss": validation,
                    "learning_rate": learning_rate(settings, progress.step - 1),
                    "gradient_norm": norm.item(),
                    "seconds": round(time.monotonic() - started, 2),
                }
            )
            bar.set_postfix(training=f"{loss.item():.3f}", validation=f"{validation:.3f}")
            progress.finished = progress.step >= settings.steps or progress.stale >= settings.patience
        if progress.finished or time.monotonic() - saved >= 60 * settings.checkpoint_every:
            _save(path, model, best, optimiser, generator, progress)
            saved = time.monotonic()
        if stop is not None:
            stop(progress.step)

    bar.close()
    model.load_state_dict(best)
    return model.eval(), progress.log


@torch.no_grad()
def _not_finite(task, settings, simulated, first, places):
    """The places at which the loss is not finite, by name; none if it is so at all of several."""
    losses = [
        task.loss(settings.loss, {name: values[:, [i]] for name, values in simulated.items()}, first, place[None])
        for i, place in enumerate(places)
    ]
    wrong = [task.name_of(int(place)) for place, loss in zip(places, losses) if not torch.isfinite(loss)]
    return [] if len(wrong) == len(places) > 1 else wrong


@torch.no_grad()
def validate(model, task, settings):
    """Median over the validation places that were observed on the validation days of their losses.

    The median, because a gauge below a diversion can have a loss a hundred times that of the others.
    """
    model.eval()
    first, last = task.validation_days
    places = torch.nonzero(task.validation & task.seen(first, last))[:, 0]
    if len(places) == 0:
        raise TrainingError(
            f"no validation place was observed on days {first} to {last}; lengthen the training period or validation_share"
        )
    window, columns = task.series.window_of(places, first, last, task.steps(settings.spin_up))
    simulated = {name: values[:, columns] for name, values in _compared(model, window).items()}
    losses = [
        task.loss(settings.loss, {name: values[:, [i]] for name, values in simulated.items()}, first, place[None])
        for i, place in enumerate(places)
    ]
    return torch.stack(losses).median().item()


def _compared(model, window):
    """What a loss compares with observations, by variable: simulated values, or distributions of a model that has them."""
    return model.distribution(window) if hasattr(model, "distribution") else model(window)


def _draw(task, settings, generator):
    """A random window of the training period, positions of its places, its first step, and random training places."""
    first, last = task.days
    length = min(task.steps(settings.window), last - first)
    start = first + int(torch.randint(last - first - length + 1, (1,), generator=generator))
    places = torch.nonzero(task.training)[:, 0]
    if len(places) > settings.places_per_step:
        chosen = torch.randperm(len(places), generator=generator)[: settings.places_per_step]
        places = places[chosen.sort().values.to(places.device)]
    window, columns = task.series.window_of(places, start, start + length, task.steps(settings.spin_up))
    return window, columns, start, places


def _save(path, model, best, optimiser, generator, progress):
    tensors = {
        **checkpoint.prefixed("model", model.state_dict()),
        **checkpoint.prefixed("best", best),
        **checkpoint.prefixed("optimiser", checkpoint.optimiser_tensors(optimiser)),
        "generator": generator.get_state(),
        "global_generator": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        tensors["cuda_generator"] = torch.cuda.get_rng_state()
    checkpoint.save(path, tensors, vars(progress))


def _restore(path, model, optimiser, generator):
    tensors, values = checkpoint.load(path)
    model.load_state_dict(checkpoint.without_prefix("model", tensors))
    checkpoint.restore_optimiser(optimiser, checkpoint.without_prefix("optimiser", tensors))
    generator.set_state(tensors["generator"])
    torch.set_rng_state(tensors["global_generator"])
    if torch.cuda.is_available() and "cuda_generator" in tensors:
        torch.cuda.set_rng_state(tensors["cuda_generator"])
    return checkpoint.without_prefix("best", tensors), Progress(**values)
