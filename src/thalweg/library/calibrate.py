"""Calibration of one catchment by gradients: many starts at once, scores in two periods, profiles of the likelihood."""

import time as clock
from datetime import datetime
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from scipy.stats import qmc

from thalweg.basin.domain import DataError
from thalweg.learn.minimise import adam, bfgs
from thalweg.library.calibration import Calibration, Task
from thalweg.library.discharge import read_discharge
from thalweg.library.objectives import objective as objective_of
from thalweg.library.process import ParameterError, RunnableProcess
from thalweg.library.process import process as process_of
from thalweg.library.series import steps_of

FAREST = 8.0  # of an unconstrained parameter from the middle of its range: a share of 0.0003 from a bound

PRECISIONS = {"double": torch.float64, "single": torch.float32}


def calibrate(
    process,
    forcing,
    discharge,
    *,
    objective="NSE",
    calibration=None,
    validation=None,
    warm_up="365 days",
    fixed=None,
    routing=False,
    starts=32,
    steps=120,
    refine=60,
    learning_rate=0.1,
    area=None,
    unit=None,
    precision="double",
    seed=0,
):
    """Fit the parameters of a process to the discharge of one catchment.

    Starts from a Latin hypercube over the ranges of the parameters descend by exact gradients, all in one batch, in the
    unconstrained space of the logit of each parameter's place within its range: first with Adam, then with BFGS.

    Args:
        process: name of a process, or what :func:`thalweg.library.process.process` returns.
        forcing: of one catchment, as for :meth:`~thalweg.library.process.RunnableProcess.run`.
        discharge: observed, with gaps as NaN: an array (time,), a Series or a DataArray, or the name of a column of the forcing.
        objective: what is made best: NSE, sqrt_NSE, log_NSE, KGE, KGE_2012, or a loss of training by its name.
        calibration, validation: first and last day of each, such as ``("2001", "2010")``; steps if there are no dates.
            Calibration is the whole record if None; without validation, only calibration is scored.
        warm_up: steps, or a duration, at the beginning of the record that count in neither period.
        fixed: name -> value of parameters that are not fitted.
        routing: whether the runoff is delayed by a unit hydrograph, of which two parameters are fitted.
        starts: how many; one of them is the middle of all ranges.
        steps: of Adam; 0 for none.
        refine: evaluations of BFGS after it; 0 for none.
        learning_rate: of Adam, at the beginning.
        area: of the catchment, km2; needed for discharge as a volume per time.
        unit: of the discharge where it states none; that of the runoff, mm/day, if None.
        precision: ``"double"`` or ``"single"``.
        seed: of the starts; the same seed gives the same result.

    Returns:
        :class:`~thalweg.library.calibration.Calibration`

    Raises:
        DataError, UnitError, ParameterError: for inputs that do not fit; the message names them.
    """
    began = clock.perf_counter()
    _check_settings(precision, learning_rate, starts=(starts, 1), steps=(steps, 0), refine=(refine, 0), seed=(seed, 0))
    model = process if isinstance(process, RunnableProcess) else process_of(process)
    if "runoff" not in model.process.flux_names:
        raise DataError(f"{model.name} has no runoff; a process whose flux is runoff can be calibrated to discharge")
    series = model.read(forcing)
    if series.count > 1:
        raise DataError(
            f"{model.name}: the forcing has {series.count} units; calibrate one catchment at a time: select one"
        )
    if isinstance(discharge, str):
        discharge = _column(forcing, discharge)
    observed = read_discharge(discharge, series, model.fluxes.unit["runoff"], model.step, area, unit)
    periods = _periods(series.time, observed, calibration, validation, steps_of(warm_up, model.step, "warm_up"))
    fixed = _numbers(model, fixed)
    names = [*model.parameters.index, *(model.routing.index if routing else ())]
    model.checked(fixed, names)
    free = [name for name in names if name not in fixed]
    if not free:
        raise ParameterError(f"{model.name}: all parameters are fixed; leave one free")
    dtype = PRECISIONS[precision]
    task = Task(model, series, observed, periods["calibration"], free, fixed, routing, dtype)
    goal = objective_of(objective)

    def loss(rows, _=None):
        return goal.loss(task.simulate(torch.sigmoid(rows)), task.target)

    shares = np.full((starts, len(free)), 0.5)
    if starts > 1:
        shares[1:] = qmc.LatinHypercube(len(free), rng=seed).random(starts - 1)
    rows = torch.logit(torch.tensor(shares, dtype=dtype), eps=1e-3)
    rows, losses, trace = adam(loss, rows, steps, learning_rate) if steps else (rows, None, None)
    if refine or not steps:
        rows, losses = bfgs(loss, rows.clamp(-FAREST, FAREST), max(refine, 1))
    if not torch.isfinite(losses).any():
        raise DataError(
            f"{model.name}: no start has a finite {objective}; look at the forcing and the observed discharge"
        )
    return Calibration(
        model, forcing, series, observed, periods, task, goal, torch.sigmoid(rows).detach(), losses, trace,
        clock.perf_counter() - began, task.simulations,
    )  # fmt: skip


def _check_settings(precision, learning_rate, **whole):
    """Raise ParameterError for a setting of the fit that is impossible; ``whole``: name -> (value, lowest)."""
    if not isinstance(precision, str) or precision not in PRECISIONS:
        raise ParameterError(f"precision is {precision!r}; use {' or '.join(map(repr, PRECISIONS))}")
    if not isinstance(learning_rate, Real) or not 0 < learning_rate < np.inf:
        raise ParameterError(f"learning_rate is {learning_rate!r}; give a number above 0, such as 0.1")
    for name, (value, lowest) in whole.items():
        if not isinstance(value, Integral) or value < lowest:
            raise ParameterError(f"{name} is {value!r}; give a whole number of at least {lowest}")


def _numbers(model, fixed):
    """Name -> number of the parameters that are not fitted."""
    given = {name: model.floats("parameter", name, value) for name, value in model.named(fixed, "fixed").items()}
    for name, value in given.items():
        if value.ndim:
            raise ParameterError(f"{model.name}: parameter {name!r} is fixed at {value}; give one number")
    return {name: float(value) for name, value in given.items()}


def _column(forcing, name):
    found = [key for key in forcing if str(key) == name or str(key).partition("[")[0].strip() == name]
    if len(found) != 1:
        raise DataError(f"the forcing has {len(found)} columns {name!r}; it has {', '.join(map(str, forcing))}")
    values = forcing[found[0]]
    if isinstance(values, pd.Series):
        return values.reset_index(drop=True)  # its rows are those of the forcing, whose dates may be in another column
    return values.squeeze() if hasattr(values, "squeeze") else values


def _periods(time, observed, calibration, validation, warm_up):
    """Name -> bool (time,): the days that count in each period."""
    warm, counted = np.arange(len(time)) >= warm_up, {}
    for name, period in (("calibration", calibration), ("validation", validation)):
        if name == "validation" and period is None:
            continue
        inside = np.ones(len(time), bool)
        if period is not None:
            try:
                first, last = (one.replace(tzinfo=None) if isinstance(one, datetime) else one for one in period)
                inside[:] = False
                inside[
                    time.slice_indexer(first, last) if not isinstance(time, pd.RangeIndex) else slice(first, last + 1)
                ] = True
            except (TypeError, ValueError, KeyError) as error:
                raise DataError(
                    f"{name} is {period!r}; give the first and the last day, such as ('2001', '2010')"
                ) from error
        days = inside & warm & np.isfinite(observed)
        if days.sum() < 2 or np.ptp(observed[days]) == 0:
            raise DataError(
                f"the period of {name} has {days.sum()} different observations after a warm-up of {warm_up} steps; "
                f"the record is of {time[0]} to {time[-1]}: choose another period, or a shorter warm-up"
            )
        counted[name] = days
    return counted
