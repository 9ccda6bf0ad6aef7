"""One reach of a river: a linear reservoir, or a cascade of equal ones (Nash 1957), the simplest priors of a delay.

A store that drains at V / k under an inflow I that is constant over the step dt has the exact solution, with e = exp(-dt / k),

    dt O = V_0 (1 - e) + I (dt - k (1 - e)),    V_1 = V_0 + dt (I - O)

None of the factors is negative, so neither is any volume or outflow, for all k. A cascade of n stores of k = K / n
delays by K in the mean, with the variance K**2 / n; more stores make it more of a pure lag.
"""

from functools import cache

from thalweg.processes.operations import exp
from thalweg.processes.process import Parameter, Process, State
from thalweg.processes.reach import FLUXES, FORCINGS

PARAMETERS = (Parameter("travel_time", 60.0, 1e6, "s", "K, mean delay of the reach"),)


@cache
def linear_reservoir(time_step=3600.0, stores=1):
    """The process of one reach.

    Args:
        time_step: in seconds.
        stores: how many, one after another; 1 is the linear reservoir.

    Returns:
        Process: forcing and flux in m3/s, states ``volume_1`` ... in m3.
    """
    dt = float(time_step)
    names = [f"volume_{number + 1}" for number in range(stores)]

    def step(state, forcing, parameters):
        delay = parameters["travel_time"] / float(stores)
        drained = 1.0 - exp(-dt / delay)
        passed = 1.0 - delay / dt * drained
        flow, volumes = forcing["inflow"] + forcing["lateral_inflow"], {}
        for name in names:
            outflow = state[name] / dt * drained + flow * passed
            volumes[name] = state[name] + dt * (flow - outflow)
            flow = outflow
        return volumes, {"discharge": flow}

    def rest(forcing, parameters):
        volume = parameters["travel_time"] / float(stores) * (forcing["inflow"] + forcing["lateral_inflow"])
        return {name: volume for name in names}

    return Process(
        name="linear_reservoir",
        source="Nash 1957",
        states=tuple(State(name, 0.0, "m**3", "water in the store") for name in names),
        parameters=PARAMETERS,
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
        rest=rest,
    )
