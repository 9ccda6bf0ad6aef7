"""A baseline of stream temperature: air temperature and discharge turned into water temperature without a heat budget.

The equation of eight parameters of Toffolon & Piccolroaz (2015, doi:10.1088/1748-9326/10/11/114011), with
theta = Q / mean Q and t in years:

    dTw/dt = (a1 + a2 Ta - a3 Tw + theta (a5 + a6 cos(2 pi (t - a7)) - a8 Tw)) / theta^a4

by backward Euler over a day, which is stable for any theta; a6 cos(2 pi (t - a7)) is written as a cosine and a sine with an
amplitude each.
"""

from functools import cache

from thalweg.processes.operations import clip, power
from thalweg.processes.process import Parameter, Process, State, Variable

SMALLEST_THETA, LARGEST_THETA = 1e-3, 1e3  # without losses (a3 = a8 = 0) a larger one heats without limit


@cache
def air2stream():
    """The hybrid equation of eight parameters, with a step of one day.

    Returns:
        Process: one state, flux ``water_temperature`` in degC, never below 0.
    """

    def step(state, forcing, parameters):
        p = parameters
        theta = clip(forcing["discharge"] / p["mean_discharge"], SMALLEST_THETA, LARGEST_THETA)
        season = p["a6_cosine"] * forcing["season_cosine"] + p["a6_sine"] * forcing["season_sine"]
        gain = p["a1"] + p["a2"] * forcing["air_temperature"] + theta * (p["a5"] + season)
        depth = power(theta, p["a4"])
        water = (depth * state["water_temperature"] + gain) / (depth + p["a3"] + theta * p["a8"])
        water = clip(water, 0.0, None)
        return {"water_temperature": water}, {"water_temperature": water}

    return Process(
        name="air2stream",
        source="Toffolon & Piccolroaz 2015",
        states=(State("water_temperature", 10.0, "degC", "of the water at the site"),),
        parameters=(
            Parameter("a1", -5.0, 15.0, "delta_degC/day", "constant gain"),
            Parameter("a2", 0.0, 1.5, "1/day", "gain per degree of air"),
            Parameter("a3", 0.0, 2.0, "1/day", "loss per degree of water"),
            Parameter("a4", -1.0, 1.0, "dimensionless", "growth of depth with discharge"),
            Parameter("a5", 0.0, 20.0, "delta_degC/day", "gain by inflow at mean discharge"),
            Parameter("a6_cosine", -10.0, 10.0, "delta_degC/day", "a6 cos(2 pi a7), its season"),
            Parameter("a6_sine", -10.0, 10.0, "delta_degC/day", "a6 sin(2 pi a7), its season"),
            Parameter("a8", 0.0, 2.0, "1/day", "loss by outflow at mean discharge"),
            Parameter("mean_discharge", 1e-3, 1e5, "m3/s", "mean discharge"),
        ),
        forcings=(
            Variable("air_temperature", "degC", "mean of the day"),
            Variable("discharge", "m3/s", "mean of the day"),
            Variable("season_cosine", "dimensionless", "cos(2 pi day of the year / 365.25)"),
            Variable("season_sine", "dimensionless", "sin(2 pi day of the year / 365.25)"),
        ),
        fluxes=(Variable("water_temperature", "degC", "of the water at the site"),),
        step=step,
    )
