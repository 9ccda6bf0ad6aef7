"""What a calibration works on, and what it gives: parameters, scores, the spread over starts, profiles, a figure."""

from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from thalweg.integrate import initial_state, integrate
from thalweg.library.objectives import transformed
from thalweg.metrics.scores import METRICS
from thalweg.processes.routing import unit_hydrograph

METRICS_SHOWN = ("NSE", "KGE", "PBIAS", "RMSE")
TRANSFORMED = {"sqrt_NSE": "root", "log_NSE": "log"}
NEAR = 0.01  # loss above the lowest, below which a start counts as equally good


class Task:
    """The simulation of one catchment with many parameter sets at once.

    Attributes:
        target: observed flow on the days that count (time,), without gaps.
        free: names of the parameters that are fitted.
    """

    def __init__(self, model, series, observed, counted, free, fixed, routing, dtype):
        last = int(np.flatnonzero(counted)[-1]) + 1
        self.model, self.free, self.fixed, self.routing, self.dtype = model, tuple(free), fixed, routing, dtype
        self.forcing = {name: torch.tensor(values[:last], dtype=dtype) for name, values in series.values.items()}
        self.days = torch.from_numpy(np.flatnonzero(counted))
        self.target = torch.tensor(observed[counted], dtype=dtype)
        self.known = {p.name: p for p in (*model.process.parameters, *unit_hydrograph.PARAMETERS)}
        self._wide = {}
        self.simulations = 0  # parameter sets run so far

    def parameters_of(self, shares):
        """Parameters by name, from the share of each free one within its range, (row, parameter)."""
        free = {name: self.known[name].at(shares[:, i]) for i, name in enumerate(self.free)}
        return free | {name: torch.full_like(shares[:, 0], value) for name, value in self.fixed.items()}

    def simulate(self, shares):
        """Flow on the days that count, (time, row), for shares (row, parameter)."""
        rows, parameters = len(shares), self.parameters_of(shares)
        self.simulations += rows
        if rows not in self._wide:
            self._wide = {rows: {name: values.expand(-1, rows).contiguous() for name, values in self.forcing.items()}}
        forcing, process = self._wide[rows], self.model.process
        static = {name: parameters[name][:, None].contiguous() for name in process.parameter_names}
        state = self.model.at_rest(forcing, static) or initial_state(process, rows, 1, self.dtype)
        runoff = integrate(process, forcing, static, state, ("runoff",))[0]["runoff"][..., 0]
        if self.routing:
            runoff = unit_hydrograph.route(runoff, *(parameters[p.name] for p in unit_hydrograph.PARAMETERS))
        return runoff[self.days]


@dataclass(repr=False)
class Calibration:
    """The result of :func:`thalweg.library.calibrate.calibrate`.

    Attributes:
        model: the process.
        forcing: as given.
        series, observed: forcing and discharge as read, the latter in mm per step.
        periods: ``"calibration"`` and, if there is one, ``"validation"`` -> bool (time,), the days that count.
        task, objective: of the fit.
        shares, losses: of every start, (start, free parameter) and (start,); place of a parameter within its range.
        trace: losses of Adam's steps (step, start); None if there were none.
        seconds, evaluations: what it took; an evaluation is a simulation of one parameter set with its gradient.
    """

    model: object
    forcing: object
    series: object
    observed: np.ndarray
    periods: dict
    task: Task
    objective: object
    shares: torch.Tensor
    losses: torch.Tensor
    trace: torch.Tensor | None
    seconds: float
    evaluations: int
    profiles: object = field(default=None)

    @property
    def best(self):
        """Position of the best start."""
        return int(self.losses.nan_to_num(torch.inf).argmin())

    @property
    def parameters(self):
        """The best parameters, a Series by name, fixed ones included: what ``run`` takes."""
        values = self.task.parameters_of(self.shares[self.best : self.best + 1].double())
        names = [*self.model.parameters.index, *(self.model.routing.index if self.task.routing else ())]
        return pd.Series({name: values[name].item() for name in names}, name="value")

    @property
    def starts(self):
        """DataFrame with a row for every start, the best first: loss, score (of an efficiency), and the free parameters."""
        table = {name: values.numpy() for name, values in self.task.parameters_of(self.shares.double()).items()}
        loss = self.losses.double().numpy()
        score = {"score": 1 - loss} if self.objective.efficiency else {}
        frame = pd.DataFrame({"loss": loss} | score | {name: table[name] for name in self.task.free})
        return frame.sort_values("loss", kind="stable").rename_axis("start")

    @property
    def spread(self):
        """DataFrame by free parameter: unit, bounds, best, and lowest and highest of the starts that are (nearly) as good as the best.

        What spreads far is not determined by the discharge, see :meth:`profile`; ``starts`` counts these starts.
        """
        starts = self.starts
        good = starts[starts.loss <= starts.loss.iloc[0] + NEAR]
        known = [self.task.known[name] for name in self.task.free]
        return pd.DataFrame(
            {
                "unit": [p.unit for p in known],
                "low_bound": [p.low for p in known],
                "high_bound": [p.high for p in known],
                "best": [good[p.name].iloc[0] for p in known],
                "lowest": [good[p.name].min() for p in known],
                "highest": [good[p.name].max() for p in known],
                "starts": len(good),
            },
            index=pd.Index(self.task.free, name="name"),
        )

    @cached_property
    def simulation(self):
        """Dataset of the run with the best parameters over the whole record, with the observed discharge, in mm per step."""
        result = self.model.run(self.forcing, self.parameters, bounds="ignore")
        if "discharge" not in result:
            result["discharge"] = result.runoff
        dimensions, values = self.series.array(self.observed[:, None])
        attributes = {"units": result.runoff.attrs["units"], "long_name": "observed discharge"}
        return result.assign(observed=(dimensions, values, attributes))

    @cached_property
    def scores(self):
        """DataFrame by period: values compared, NSE, KGE, PBIAS in percent, RMSE in mm per step, NSE of roots and logarithms."""
        simulated = self.simulation.discharge.to_numpy().reshape(-1)
        rows = {}
        for period, counted in self.periods.items():
            pair = simulated[counted], self.observed[counted]
            rows[period] = {"values": int(counted.sum())}
            rows[period] |= {name: METRICS[name].function(*pair, minimum_days=1) for name in METRICS_SHOWN}
            tensors = [torch.from_numpy(one) for one in pair]
            for name, kind in TRANSFORMED.items():
                flows = [transformed(one, tensors[1], kind).numpy() for one in tensors]
                rows[period][name] = METRICS["NSE"].function(*flows, minimum_days=1)
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("period")

    def profile(self, names=None, **settings):
        """Profiles of the likelihood of some or all fitted parameters; see :func:`thalweg.library.profile.profile`."""
        from thalweg.library.profile import profile

        self.profiles = profile(self, names, **settings)
        return self.profiles

    def plot(self):
        """Figure: hydrographs of both periods, the starts within the ranges, and the profiles if they were made."""
        from thalweg.library.profiles_figure import draw

        return draw(SimpleNamespace(
            title=self.model.name, simulation=self.simulation, periods=self.periods, scores=self.scores, starts=self.starts,
            spread=self.spread, shares=dict(zip(self.task.free, self.shares.T.numpy())), losses=self.losses.numpy(),
            objective=self.objective.name, profiles=self.profiles,
        ))  # fmt: skip

    def __repr__(self):
        scores = self.scores
        lines = [
            f"{self.model.name} calibrated on {self.objective.name}: {len(self.losses)} starts, {self.seconds:.1f} s",
            scores[["values", "NSE", "KGE", "PBIAS", "log_NSE"]].round(3).to_string(),
            self.spread.drop(columns="starts").to_string(float_format="{:.4g}".format),
        ]
        return "\n".join(lines)
