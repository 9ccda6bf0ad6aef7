"""EXP-HYDRO: a snow store and one catchment bucket (Patil & Stieglitz 2014, doi:10.1002/hyp.9660).

With snow N, water S in the bucket, rain R, snowfall F and melt M, rates per day,

    dN/dt = F - M,                     M = min(N, Df max(T - Tmax, 0))
    dS/dt = R + M - ET - QB - QS,      ET = E min(S / Smax, 1)
    QB = Qmax exp(-f (Smax - S)) below Smax, Qmax above;    QS = max(S - Smax, 0)

The paper solves these equations within the day, and so does this step, in closed form. Under the constant supply I of a day the
bucket without evapotranspiration rises or falls steadily, so it crosses Smax at most once, at a time that is known: below
Smax dS/dt = I - QB has the solution

    S(t) = S(0) + I t - (1 / f) ln(1 + QB(0) (exp(f I t) - 1) / I)

and above it the equation is linear. Evapotranspiration, slow beside drainage, comes from the supply, at the storage of about
midday, as far as that goes; the rest is taken half before and half after the bucket's day (splitting of Strang, the first half
explicit, the second implicit: together the trapezoidal rule). Snow falls when the day
begins; melt is exact, and its mean is part of the supply. An empty bucket passes on what comes in.

The thresholds of temperature are smoothed as in the differentiable versions (Jiang et al. 2020,
doi:10.1029/2020GL088229; Höge et al. 2022, doi:10.5194/hess-26-5085-2022): the step from 0 to 1 is 1 / (1 + exp(-10
x)), with x in degC. The bucket's equations need no smoothing: they are continuous. States in mm, fluxes in mm/day, a step of one
day.
"""

from functools import cache

from thalweg.processes.operations import TINY, clip, exp, log, maximum, minimum, where
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.runoff.hbv import FORCINGS
from thalweg.processes.water_quality.load import mean_decay

STEEPNESS = 10.0  # 1/degC, of the smoothed step
FARTHEST = 40.0  # of its exponent: the exponential and its gradient stay finite in single precision
SMALLEST = 1e-6  # mm/day, of a rate that is divided by

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


def melted(snowpack, rate):
    """Melt of a day, mm, at min(N, rate): by ``rate`` mm/day until no more than that is left, then a first-order decay."""
    steady = clip(clip(snowpack - rate, 0.0, None) / clip(rate, SMALLEST, None), None, 1.0)
    return rate * steady + minimum(snowpack, rate) * (1.0 - exp(steady - 1.0))


def softplus(x):
    """log(1 + exp(x)), finite for any x."""
    return maximum(x, 0.0) + log(1.0 + exp(-maximum(x, -x)))


def drainage(store, supply, duration, p):
    """Water that drains from a bucket at or below its capacity, mm, in closed form.

    Args:
        store: S at the beginning, mm; what is above the capacity does not make it drain faster.
        supply: I, mm/day, 0 or more.
        duration: days; the bucket must not fill up before.
        p: parameters.
    """
    added = supply * duration
    # the logarithm of QB(0) (exp(f I t) - 1) / I, without an exponential that might overflow
    strength = log(p["Qmax"] * p["f"] * clip(duration, TINY, None) * mean_decay(p["f"] * added))
    strength = strength + p["f"] * (clip(store - p["Smax"], None, 0.0) + added)
    return minimum(softplus(strength) / p["f"], store + added)


def bucket(store, supply, p):
    """The bucket over a day of constant supply, without evapotranspiration.

    Args:
        store: S in the morning, mm.
        supply: I, mm/day.
        p: parameters.

    Returns:
        S in the evening in mm; subsurface flow and spill in mm/day.
    """
    beyond = supply - p["Qmax"]  # above this a full bucket rises
    over, under = clip(store - p["Smax"], 0.0, None), clip(store - p["Smax"], None, 0.0)

    # Above the capacity from the morning on, for a part of the day that is 0 where the bucket begins below
    first = clip(log(1.0 + over / clip(-beyond, SMALLEST, None)), None, 1.0)
    decay = exp(-first)
    spill = clip((over - beyond) * (1.0 - decay) + beyond * first, 0.0, None)
    store = store + beyond * first - spill

    # Below the capacity, until it fills or the day ends
    rest = 1.0 - first
    emptiness = p["Qmax"] * (1.0 - exp(p["f"] * under)) / clip(beyond, SMALLEST, None)
    filling = (log(1.0 + emptiness) - p["f"] * under) / (p["f"] * clip(supply, SMALLEST, None))
    below = where(beyond > 0.0, minimum(filling, rest), rest)
    drained = drainage(store, supply, below, p)
    store = clip(store + supply * below - drained, 0.0, None)

    # Above it again, from its edge
    last = rest - below
    second = clip(beyond * (last - (1.0 - exp(-last))), 0.0, None)
    store = store + beyond * last - second
    return store, drained + p["Qmax"] * (first + last), spill + second


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
        melt = melted(snowpack, p["Df"] * clip(warmth, 0.0, None) * smooth_step(warmth))

        # Evapotranspiration: of the day's supply as far as that goes, the rest in halves before and after
        supply, store = rain + melt, state["catchment_store"]
        potential = forcing["potential_evapotranspiration"]
        middle = store + 0.5 * minimum(supply, clip(p["Smax"] - store, 0.0, None))
        demand = potential * clip(middle / p["Smax"], None, 1.0)
        direct = minimum(supply, demand)
        half = 0.5 * potential * clip(1.0 - supply / (demand + TINY), 0.0, None)
        morning = minimum(store, half * clip(store / p["Smax"], None, 1.0))
        store, baseflow, surface_flow = bucket(store - morning, supply - direct, p)
        evening = half * clip(store / p["Smax"], None, 1.0) / (1.0 + half / p["Smax"])
        new_state = {"snowpack": snowpack - melt, "catchment_store": store - evening}
        fluxes = {
            "runoff": baseflow + surface_flow,
            "evapotranspiration": direct + morning + evening,
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
