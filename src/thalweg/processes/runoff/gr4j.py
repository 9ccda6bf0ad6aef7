"""GR4J with a degree-day snow store, in its discrete form (Perrin et al. 2003, doi:10.1016/S0022-1694(03)00225-7).

Equations and their order are those of the paper, which integrates the production store over the day (tanh) and both
stores' outflow (the fourth roots); rain and melt come from the snow routine of :mod:`thalweg.processes.runoff.hbv`. Its two
unit hydrographs are delay lines: states that hold the water due to leave after a number of days. Their length bounds X4,
which is
at most 4 days here (4 and 8 ordinates): the paper's 80 % interval is 1.1 to 2.9 days, as that of X2 is -5 to 3 mm/day.
States in mm, fluxes in mm/day, a step of one day.

Groundwater exchange with other catchments does not conserve water. It is a flux, positive into the catchment:

    P + exchange = E + Q + change of the states
"""

from functools import cache
from itertools import pairwise

from thalweg.processes.operations import TINY, clip, exp, maximum, minimum, power, sqrt, where
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.runoff.hbv import FORCINGS, snow, without_snow
from thalweg.processes.runoff.hbv import PARAMETERS as HBV_PARAMETERS
from thalweg.processes.runoff.hbv import STATES as HBV_STATES

LONGEST = 4  # days, of X4: ordinates of the first unit hydrograph, half of those of the second
SHARE = 0.9  # of the effective rain, through the first unit hydrograph and the routing store

SLOW = tuple(f"unit_hydrograph_1_day_{day}" for day in range(1, LONGEST))
FAST = tuple(f"unit_hydrograph_2_day_{day}" for day in range(1, 2 * LONGEST))

STATES = (
    *HBV_STATES[:2],  # snow
    State("production_store", 0.001, "mm", "S, soil water"),
    State("routing_store", 0.001, "mm", "R, water of the slow branch"),
    *(State(name, 0.0, "mm", "water that reaches the routing store after the given number of days") for name in SLOW),
    *(State(name, 0.0, "mm", "water that reaches the outlet after the given number of days") for name in FAST),
)

PARAMETERS = (
    Parameter("X1", 20.0, 2000.0, "mm", "capacity of the production store", logarithmic=True),
    Parameter("X2", -10.0, 10.0, "mm/day", "groundwater exchange at a full routing store, positive into the catchment"),
    Parameter("X3", 5.0, 300.0, "mm", "capacity of the routing store", logarithmic=True),
    Parameter("X4", 0.5, float(LONGEST), "day", "time base of the first unit hydrograph"),
    *HBV_PARAMETERS[-4:],  # snow
)

FLUXES = (
    Variable("runoff", "mm/day", "Q = QR + QD"),
    Variable("evapotranspiration", "mm/day", "actual evapotranspiration, rain evaporated included"),
    Variable("baseflow", "mm/day", "QR, outflow of the routing store: all of the slow branch"),
    Variable("quick_flow", "mm/day", "QD, direct flow of the second unit hydrograph"),
    Variable("exchange", "mm/day", "groundwater exchange of both branches, positive into the catchment"),
    Variable("percolation", "mm/day", "outflow of the production store"),
    Variable("snowmelt", "mm/day", "melt of the snowpack"),
)


def tanh(x):
    """The hyperbolic tangent of ``x >= 0``: its series below 0.05, where exponentials would cancel."""
    square = x * x
    series = x * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0 - square * (17.0 / 315.0))))
    decay = exp(-2.0 * x)
    return where(x < 0.05, series, (1.0 - decay) / (1.0 + decay))


def ordinates(X4):
    """Ordinates of both unit hydrographs, each summing to 1 (equations 9 to 17): lists of shares per day."""
    first = [power(clip(day / X4, None, 1.0), 2.5) for day in range(1, LONGEST)]
    second = [
        0.5 * power(clip(day / X4, None, 1.0), 2.5) + 0.5 * (1.0 - power(clip(2.0 - day / X4, 0.0, 1.0), 2.5))
        for day in range(1, 2 * LONGEST)
    ]
    return tuple(
        [curve[0], *(after - before for before, after in pairwise(curve)), 1.0 - curve[-1]] for curve in (first, second)
    )


def delay(state, names, water, shares):
    """Water through a unit hydrograph: (outflow of the day in mm/day, new states by name)."""
    leaving, *waiting = [state[name] + share * water for name, share in zip(names, shares)]
    return leaving, dict(zip(names, [*waiting, shares[-1] * water]))


def produce(store, water, potential, X1):
    """The production store.

    Args:
        store: S at the beginning of the day, mm.
        water, potential: rain and melt, and potential evapotranspiration, mm/day.
        X1: its capacity, mm.

    Returns:
        S at the end in mm; evapotranspiration, percolation and effective rain (percolation included) in mm/day.
    """
    above = clip(store - X1, 0.0, None)  # where X1 falls
    store = store - above
    net = water - potential
    filled = store / X1
    strength = tanh(maximum(net, -net) / X1)
    stored = minimum(clip(net, 0.0, None), X1 * (1.0 - filled * filled) * strength / (1.0 + filled * strength))
    stored = where(net > 0.0, stored, 0.0)
    drawn = minimum(store, store * (2.0 - filled) * strength / (1.0 + (1.0 - filled) * strength))
    drawn = where(net > 0.0, 0.0, drawn)
    store = store + stored - drawn
    percolation = store * (1.0 - 1.0 / sqrt(sqrt(1.0 + (store / (2.25 * X1)) ** 4)))
    effective = clip(net, 0.0, None) - stored + percolation + above
    return store - percolation, minimum(water, potential) + drawn, percolation, effective


@cache
def gr4j(snow_routine=True):
    """The process.

    Args:
        snow_routine: False where there is no temperature: all precipitation is rain, as in the paper.

    Returns:
        Process: states in mm, fluxes in mm/day.
    """

    def step(state, forcing, parameters):
        p = parameters
        snowpack, meltwater, rain, to_soil, melt = snow(state, forcing, p)
        production, evapotranspiration, percolation, effective = produce(
            state["production_store"], rain + to_soil, forcing["potential_evapotranspiration"], p["X1"]
        )
        first, second = ordinates(p["X4"])
        slow, slow_line = delay(state, SLOW, SHARE * effective, first)
        fast, fast_line = delay(state, FAST, (1.0 - SHARE) * effective, second)

        routing = state["routing_store"]
        filled = clip(routing / p["X3"], TINY, 1.0)
        potential_exchange = p["X2"] * filled**3 * sqrt(filled)
        exchange_routed = maximum(potential_exchange, -(routing + slow))
        exchange_direct = maximum(potential_exchange, -fast)
        routed = routing + slow + exchange_routed
        baseflow = routed * (1.0 - 1.0 / sqrt(sqrt(1.0 + (routed / p["X3"]) ** 4)))
        quick_flow = fast + exchange_direct
        new_state = {
            "snowpack": snowpack,
            "meltwater": meltwater,
            "production_store": production,
            "routing_store": routed - baseflow,
        }
        fluxes = {
            "runoff": baseflow + quick_flow,
            "evapotranspiration": evapotranspiration,
            "baseflow": baseflow,
            "quick_flow": quick_flow,
            "exchange": exchange_routed + exchange_direct,
            "percolation": percolation,
            "snowmelt": melt,
        }
        return new_state | slow_line | fast_line, fluxes

    process = Process(
        name="gr4j",
        source="Perrin et al. 2003",
        states=STATES,
        parameters=PARAMETERS,
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
    )
    return process if snow_routine else without_snow(process)
