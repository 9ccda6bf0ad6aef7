"""A river whose roughness and section are learned from attributes of its reaches."""

import torch
from torch import nn

from thalweg.integrate import daily_means, disaggregate, route, state_at_rest
from thalweg.processes.routing.muskingum_cunge import PARAMETERS, muskingum_cunge

LEARNED = tuple(p for p in PARAMETERS if p.name in ("roughness", "width_coefficient", "width_exponent"))


class RiverNetwork(nn.Module):
    """Runoff of units to discharge at gauges, through reaches by Muskingum-Cunge.

    Args:
        attributes: number of attributes of a reach.
        hidden: width of the perceptron from them to roughness and section.
        step: time step in the river, hours; a whole number of them make a step of the runoff.
        fixed: name -> tensor (reach,) of parameters that are known and not learned.
        hours: time step of the runoff.
    """

    def __init__(self, attributes, hidden, step, fixed=None, hours=24):
        super().__init__()
        self.fixed = fixed or {}
        self.network = nn.Sequential(nn.Linear(attributes, hidden), nn.Tanh(), nn.Linear(hidden, len(LEARNED)))
        self.steps = max(round(hours / step), 1)
        self.process = muskingum_cunge(3600 * hours / self.steps)

    def parameters_of(self, drainage):
        """Parameters of the reaches in their units: name -> tensor (reach,); length and slope are the network's."""
        share = torch.sigmoid(self.network(drainage.reach_attributes))
        learned = {p.name: p.at(share[:, i]) for i, p in enumerate(LEARNED)}
        return learned | self.fixed | drainage.geometry

    def march(self, runoff, drainage):
        """Runoff (time, unit) in mm per step through the network.

        Runoff rises and falls within the step, whose volume is kept. The river starts in the steady state of the first step's
        runoff.

        Returns:
            (discharge, before, after, lateral_inflow): tensors (step, reach) in m3/s; volumes (reach,) in m3 at the start
            and the end; (step, reach) in m3/s.
        """
        daily = drainage.collect(runoff)
        parameters = self.parameters_of(drainage)
        start = state_at_rest(self.process, drainage.river, daily[0].detach(), parameters)
        lateral = disaggregate(daily, self.steps)
        discharge, state = route(self.process, drainage.river, lateral, parameters, start)
        return discharge, start["volume"], state["volume"], lateral

    def forward(self, runoff, drainage, skip):
        """Discharge at the places (time, place) as depth in mm per step, means over steps, after ``skip`` steps."""
        discharge, *_ = self.march(runoff, drainage)
        return daily_means(drainage.depth(discharge[skip * self.steps :]), self.steps)
