"""Flow paths: discharge split into surface runoff, subsurface flow and groundwater by two recursive filters.

The load of a river depends on the flow paths of its water. Where no model of the catchment gives the three flows, they are
filtered from discharge (Eckhardt 2005, doi:10.1002/hyp.5675), first groundwater from all of it, then subsurface flow from the rest:

    b_t = min(((1 - B) a b_{t-1} + (1 - a) B q_t) / (1 - a B), q_t)

with a the recession constant per day and B the maximum long-run share of the slow flow. The filter
is written for a step of one day and for any unit of discharge. A filter is not a measurement: the shares are learned.
"""

from thalweg.processes.operations import minimum
from thalweg.processes.process import Parameter, State

STATES = (
    State("groundwater_flow", 0.0, "m3/s", "groundwater part of yesterday's discharge"),
    State("subsurface_flow", 0.0, "m3/s", "subsurface part of yesterday's discharge"),
)

PARAMETERS = (
    Parameter("groundwater_recession", 0.95, 0.999, "dimensionless", "share of groundwater flow left after a day"),
    Parameter("groundwater_share", 0.05, 0.95, "dimensionless", "maximum long-run share of groundwater in discharge"),
    Parameter("subsurface_recession", 0.3, 0.95, "dimensionless", "share of subsurface flow left after a day"),
    Parameter("subsurface_share", 0.05, 0.95, "dimensionless", "maximum long-run share of subsurface flow in the rest"),
)


def slow_flow(before, discharge, recession, share):
    """The slow part of today's discharge, from that of yesterday; Eckhardt (2005), equation 17."""
    filtered = ((1.0 - share) * recession * before + (1.0 - recession) * share * discharge) / (1.0 - recession * share)
    return minimum(filtered, discharge)


def split(discharge, state, parameters):
    """Discharge of a day by flow path.

    Args:
        discharge: of the day, any unit.
        state, parameters: names of ``STATES`` and ``PARAMETERS`` -> values.

    Returns:
        (surface, subsurface, groundwater), which sum to discharge, in its unit; and the new states by name.
    """
    p = parameters
    groundwater = slow_flow(state["groundwater_flow"], discharge, p["groundwater_recession"], p["groundwater_share"])
    rest = discharge - groundwater
    subsurface = slow_flow(state["subsurface_flow"], rest, p["subsurface_recession"], p["subsurface_share"])
    new_state = {"groundwater_flow": groundwater, "subsurface_flow": subsurface}
    return (rest - subsurface, subsurface, groundwater), new_state
