"""A baseline of stream temperature: air temperature turned into water temperature without a heat budget.

The S-curve of Mohseni et al. (1998, doi:10.1029/98WR01877), here of a recency-weighted air temperature Ta*:

    Tw = mu + (alpha - mu) / (1 + exp(gamma (beta - Ta*)))
"""

from functools import cache

from thalweg.processes.operations import exp
from thalweg.processes.process import Parameter, Process, State, Variable


@cache
def logistic_air_water():
    """The S-curve, with a step of one day.

    Returns:
        Process: one state, flux ``water_temperature`` in degC.
    """

    def step(state, forcing, parameters):
        p = parameters
        before = state["recent_air_temperature"]
        recent = before + (forcing["air_temperature"] - before) / p["window"]
        rise = 1.0 + exp(p["steepness"] * (p["inflection"] - recent))
        water = p["lowest"] + p["range"] / rise
        return {"recent_air_temperature": recent}, {"water_temperature": water}

    return Process(
        name="logistic_air_water",
        source="Mohseni et al. 1998",
        states=(State("recent_air_temperature", 10.0, "degC", "recency-weighted air temperature"),),
        parameters=(
            Parameter("window", 1.0, 60.0, "day", "memory of air temperature"),
            Parameter("lowest", 0.0, 20.0, "degC", "mu, the temperature of water under the coldest air"),
            Parameter("range", 1.0, 40.0, "delta_degC", "alpha - mu, up to the warmest"),
            Parameter("steepness", 0.02, 0.6, "1/delta_degC", "gamma"),
            Parameter("inflection", 0.0, 30.0, "degC", "beta, air temperature where water warms fastest"),
        ),
        forcings=(Variable("air_temperature", "degC", "mean of the day"),),
        fluxes=(Variable("water_temperature", "degC", "of the water at the site"),),
        step=step,
    )
