"""One reach of a river: linear Muskingum, of constant K and X (McCarthy 1938), kept within its bounds.

    Q_1 = C1 I_1 + C2 I_0 + C3 Q_0 + C4 L,    K storage in s of discharge, X weight of inflow, dt the time step:
    C1 = (dt - 2 K X) / D,  C2 = (dt + 2 K X) / D,  C3 = (2 K (1 - X) - dt) / D,  C4 = 2 dt / D,  D = 2 K (1 - X) + dt

The process has the volume V as its state, and means over steps: with k = K / dt and theta = 1/2

    V_0 + theta dt (I + L - O) = K (X I + (1 - X) O),    V_1 = V_0 + dt (I + L - O)

gives outflows O that obey the recursion above, with the mean of both steps for L, and V_1 is exactly what is left. C1 < 0
or C3 < 0 makes negative flows from positive ones; so X is at most theta / k, and theta at least 1 - (1 - X) k, where the
outflow is a weighted mean of this and the last inflow, the sharpest possible.
"""

from functools import cache

from thalweg.processes.operations import clip, minimum
from thalweg.processes.process import Parameter, Process, State
from thalweg.processes.routing.muskingum_cunge import DISCHARGE, INFLOW, LATERAL_INFLOW

PARAMETERS = (
    Parameter("travel_time", 60.0, 1e6, "s", "K, the volume of a discharge of 1 m3/s"),
    Parameter("weight", 0.0, 0.5, "dimensionless", "X, weight of inflow relative to outflow"),
)


def coefficients(travel_time, weight, time_step):
    """C1, C2, C3, C4 of the classical scheme; K and dt in s. C1 + C2 + C3 = 1, and C4 = C1 + C2."""
    denominator = 2.0 * travel_time * (1.0 - weight) + time_step
    return (
        (time_step - 2.0 * travel_time * weight) / denominator,
        (time_step + 2.0 * travel_time * weight) / denominator,
        (2.0 * travel_time * (1.0 - weight) - time_step) / denominator,
        2.0 * time_step / denominator,
    )


@cache
def muskingum(time_step=3600.0):
    """The process of one reach; ``time_step`` in seconds.

    Returns:
        Process: forcing and flux in m3/s, state ``volume`` in m3.
    """
    dt = float(time_step)

    def step(state, forcing, parameters):
        volume, inflow, lateral = state["volume"], forcing["inflow"], forcing["lateral_inflow"]
        steps = parameters["travel_time"] / dt
        theta = clip(1.0 - (1.0 - parameters["weight"]) * steps, 0.5, None)
        weight = minimum(parameters["weight"], theta / steps)
        outflow = volume / dt + (theta - weight * steps) * inflow + theta * lateral
        outflow = outflow / ((1.0 - weight) * steps + theta)
        outflow = minimum(clip(outflow, 0.0, None), volume / dt + inflow + lateral)
        return {"volume": clip(volume + dt * (inflow + lateral - outflow), 0.0, None)}, {"discharge": outflow}

    def rest(forcing, parameters):
        steps = parameters["travel_time"] / dt
        theta = clip(1.0 - (1.0 - parameters["weight"]) * steps, 0.5, None)
        weight = minimum(parameters["weight"], theta / steps)
        flow = forcing["inflow"] + (1.0 - weight) * forcing["lateral_inflow"]
        return {"volume": parameters["travel_time"] * flow}

    return Process(
        name="muskingum",
        source="McCarthy 1938",
        states=(State("volume", 0.0, "m**3", "water in the reach"),),
        parameters=PARAMETERS,
        forcings=(INFLOW, LATERAL_INFLOW),
        fluxes=(DISCHARGE,),
        step=step,
        rest=rest,
    )
