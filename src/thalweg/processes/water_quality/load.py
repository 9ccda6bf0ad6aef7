"""Loads of a river and their loss along it: first-order loss, over a day and over a reach.

With a loss at a constant rate, of the load at the start of a day or reach exp(-x) remains, x the rate times the duration;
of what enters evenly in the meantime phi_1(x) = (1 - exp(-x)) / x remains; and phi_2(x) = (1 - phi_1(x)) / x is
the mean stock of the latter. Near 0 both are series, so that zero loss and the gradients are exact.

Along a reach, x = v_f / H_L: an uptake velocity v_f over the hydraulic load H_L = Q / (W L) (Stream Solute Workshop 1990,
doi:10.2307/1467445; Wollheim et al. 2006, doi:10.1029/2006GL025845). The reach is marched down a network by
:func:`thalweg.integrate.route`, as water is; at rest the loads y of all reaches solve (I - diag(exp(-x)) N) y = phi_1(x) l,
N the adjacency of the network and l the lateral load of each reach.
"""

from functools import cache

from thalweg.processes.operations import clip, exp, maximum, minimum, where
from thalweg.processes.process import Parameter, Process, State, Variable

NEAR = 0.1  # below it the series; it has as many terms as double precision needs there
TERMS = 7
DAY = 86400.0  # s


def mean_decay(x):
    """phi_1(x) = (1 - exp(-x)) / x for x >= 0: the mean of exp(-x t), t from 0 to 1."""
    near, far = clip(x, None, NEAR), clip(x, NEAR, None)
    return where(x < NEAR, _series(near, 1), (1.0 - exp(-far)) / far)


def mean_rise(x):
    """phi_2(x) = (1 - phi_1(x)) / x for x >= 0: the mean of (1 - exp(-x t)) / x, t from 0 to 1."""
    near, far = clip(x, None, NEAR), clip(x, NEAR, None)
    return where(x < NEAR, 0.5 * _series(near, 2), (1.0 - (1.0 - exp(-far)) / far) / far)


def _series(x, order):
    total = 1.0 + 0.0 * x
    for term in reversed(range(order + 1, order + 1 + TERMS)):
        total = 1.0 - x / float(term) * total
    return total


def in_chain(first, second):
    """(exp(-a) - exp(-b)) / (b - a): the product, decaying at b, of a substance decaying at a, divided by a.

    It is the sag of Streeter & Phelps (1925), and exp(-a) where both rates, ``first`` and ``second``, are the same.
    """
    return exp(-minimum(first, second)) * mean_decay(maximum(first, second) - minimum(first, second))


def relative_uptake(uptake_velocity, width, length, discharge):
    """x = v_f W L / Q: v_f in m/day, W and L in m, Q in m3/s; 1 - exp(-x) of a load is lost along the reach."""
    return uptake_velocity * width * length / (DAY * discharge)


def carried(inflow, lateral_inflow, uptake):
    """The load that leaves a reach at rest, from those that come in at its head and evenly along it, same unit."""
    return inflow * exp(-uptake) + lateral_inflow * mean_decay(uptake)


@cache
def reach_of_load():
    """The process of one reach, a step of one day: loss along it, then storage that empties exponentially.

    Returns:
        Process: loads in kg/day, means over days, ``discharge`` that which leaves; state in kg.
    """

    def step(state, forcing, parameters):
        inflow, lateral = forcing["inflow"], forcing["lateral_inflow"]
        left = carried(inflow, lateral, parameters["uptake"])
        rate = 1.0 / parameters["residence_time"]
        stored = state["stored"] * exp(-rate) + left * mean_decay(rate)
        fluxes = {"discharge": state["stored"] + left - stored, "uptake": inflow + lateral - left}
        return {"stored": stored}, fluxes

    def rest(forcing, parameters):
        left = carried(forcing["inflow"], forcing["lateral_inflow"], parameters["uptake"])
        return {"stored": left * parameters["residence_time"]}

    return Process(
        name="reach_of_load",
        source="Stream Solute Workshop 1990; Wollheim et al. 2006",
        states=(State("stored", 0.0, "kg", "load on its way through the reach"),),
        parameters=(
            Parameter("uptake", 0.0, 10.0, "dimensionless", "v_f W L / Q at the mean discharge"),
            Parameter("residence_time", 0.001, 30.0, "day", "mean time in the reach"),
        ),
        forcings=(
            Variable("inflow", "kg/day", "load of the reaches above"),
            Variable("lateral_inflow", "kg/day", "load that comes in along the reach"),
        ),
        fluxes=(
            Variable("discharge", "kg/day", "load that leaves the reach"),
            Variable("uptake", "kg/day", "load lost along the reach"),
        ),
        step=step,
        rest=rest,
    )
