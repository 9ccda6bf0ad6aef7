"""EXP-HYDRO: a snow store and one catchment bucket (Patil & Stieglitz 2014, doi:10.1002/hyp.9660).

The thresholds of temperature are smoothed as in the differentiable versions (Jiang et al. 2020,
doi:10.1029/2020GL088229; Höge et al. 2022, doi:10.5194/hess-26-5085-2022): the step from 0 to 1 is 1 / (1 + exp(-10
x)), with x in degC. The bucket's equations need none: they are continuous, and what is above the capacity runs off
within the day, as in the paper. A day adds water, spills, evaporates and drains, in this order; drainage is the exact
solution of dS/dt = -Qmax exp(-f (Smax - S)) over the day, so that it is stable for all parameters. States in mm, fluxes
in mm/day, a step of one day.
"""

from functools import cache

from thalweg.processes.operations import clip, exp, log, minimum
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.runoff.hbv import FORCINGS

STEEPNESS = 10.0  # 1/degC, of the smoothed step
FARTHEST = 40.0  # of its exponent: the exponential and its gradient stay finite in single precision

STATES = (
    State("snowpack", 0.001, "mm", "snow, as water equivalent"),
    State("catchment_store", 0.001, "mm", "water in the catchment bucket"),
)

PARAMETERS = (
    Parameter("f", 0.001, 0.1, "1/mm", "rate at which drainage falls with the deficit", logarithmic=True),
    Parameter("Smax", 100.0, 1500.0, "mm", "capacity of the bucket"),
    Parameter("Qmax", 10.0, 50.0, "mm/day", "drainage of a full bucket"),
    Parameter("Df", 0.0, 5.0, "mm/degC/day", "degree-day factor"),
    Parameter("Tmax", 0.0, 3.0, "degC", "temperature above which snow melts"),
    Parameter("Tmin", -3.0, 0.0, "degC", "temperature below which precipitation is snow"),
)

FLUXES = (
    Variable("runoff", "mm/day", "subsurface flow and spill"),
    Variable("evapotranspiration", "mm/day", "actual evapotranspiration"),
    Variable("baseflow", "mm/day", "subsurface flow, drainage of the bucket"),
    Variable("surface_flow", "mm/day", "spill of a full bucket"),
    Variable("snowmelt", "mm/day", "melt of the snowpack"),
)


def smooth_step(x):
    """From 0 (x well below 0) to 1 (well above), 1/2 at 0."""
    return 1.0 / (1.0 + exp(clip(-STEEPNESS * x, -FARTHEST, FARTHEST)))


def drainage(store, p):
    """Subsurface flow over a day, mm/day, of a bucket that holds ``store`` mm."""
    first = p["Qmax"] * exp(-p["f"] * (p["Smax"] - store))
    return minimum(store, log(1.0 + p["f"] * first) / p["f"])


@cache
def exp_hydro():
    """The process.

    Returns:
        Process: states in mm, fluxes in mm/day.
    """

    def step(state, forcing, parameters):
        p = parameters
        precipitation, temperature = forcing["precipitation"], forcing["temperature"]
        rain = precipitation * smooth_step(temperature - p["Tmin"])
        snowpack = state["snowpack"] + (precipitation - rain)
        warmth = temperature - p["Tmax"]
        melt = minimum(snowpack, p["Df"] * clip(warmth, 0.0, None) * smooth_step(warmth))

        store = state["catchment_store"] + rain + melt
        surface_flow = clip(store - p["Smax"], 0.0, None)
        store = store - surface_flow
        evapotranspiration = store * clip(forcing["potential_evapotranspiration"] / p["Smax"], None, 1.0)
        store = store - evapotranspiration
        baseflow = drainage(store, p)
        new_state = {"snowpack": snowpack - melt, "catchment_store": store - baseflow}
        fluxes = {
            "runoff": baseflow + surface_flow,
            "evapotranspiration": evapotranspiration,
            "baseflow": baseflow,
            "surface_flow": surface_flow,
            "snowmelt": melt,
        }
        return new_state, fluxes

    return Process(
        name="exp_hydro",
        source="Patil & Stieglitz 2014",
        states=STATES,
        parameters=PARAMETERS,
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
    )
