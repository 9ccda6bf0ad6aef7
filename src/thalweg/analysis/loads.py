"""Loads of nitrate down a network of places: inflow from upstream, lateral gain, in-stream uptake.

Each place is at the head of a reach to the place downstream, along which the whole load of the place is reduced by first-order
uptake (:mod:`thalweg.processes.water_quality.load`) with the uptake velocity and the width learned there. Loads are routed down
the network by the scheme that routes water: gains join at the head of a reach, in a separate reach of zero
length.

The uptake velocity was learned from concentrations separately at each place, where it acts along a learned length
upstream. The balance shows the effect of that velocity between places; it is not a second fit.
"""

import numpy as np
import pandas as pd
import torch

from thalweg.basin.domain import DataError, read_domain
from thalweg.basin.network import River
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.integrate import route
from thalweg.processes.water_quality.load import carried, reach_of_load, relative_uptake

KILOGRAMS_PER_DAY = 86.4  # in 1 mg/l times 1 m3/s
TONNES_PER_YEAR = 0.36525  # in a kg/day
VELOCITY = 0.5  # m/s of water, for the travel time of loads; it does not affect the mean
SHORTEST = 0.01  # day in a reach
SETTLING = 200  # days after which loads that enter evenly have reached steady state


LEARNED = ("uptake_velocity", "width_coefficient", "width_exponent")
ANALYSIS = Declared(
    of="load_balances",
    reads={"domain_path": "domain", "simulation_path": "simulation"},
    title="loads of nitrate",
    caption="Mean loads of nitrate (t/year as N) at the sites: the load from the sites upstream, lateral gain, in-stream uptake on the way "
    "to the next site, and the share of each load that reaches the last one. The uptake velocity was learned from "
    "concentrations site by site, which constrain it weakly: the balance states what it would mean between the sites. Lengths "
    "between sites are approximate.",
    category="Questions",
)


def analyse(domain_path, simulation_path):
    """The balance of loads with learned parameters of a nitrogen model, means over folds and seeds; see :func:`loads`."""
    simulation, parameters = read_simulation(simulation_path), read_simulation(simulation_path, "parameters")
    nitrate = simulation.simulated.mean(("fold", "seed")).transpose("time", "place").values
    learned = {name: parameters[name].mean(("fold", "seed")).values for name in LEARNED}
    return loads(read_domain(domain_path), nitrate, learned)


def loads(domain, nitrate, parameters):
    """The balance of loads at every place, in the mean over the days simulated.

    Args:
        domain: :class:`~thalweg.basin.domain.Domain` of sampled places on a network, one at the head of each reach
            (:func:`~thalweg.basin.domain.sampled_units`), with the forcing discharge [m3/s].
        nitrate: simulated concentration (time, place), mg/l as N; NaN at places that were not simulated, through which loads pass.
        parameters: name -> array (unit,): ``uptake_velocity`` [m/day], ``width_coefficient`` [m], ``width_exponent``.

    Returns:
        DataFrame with a row per simulated place: place, downstream, load (at the place), arriving (from the places above), gained
        (their difference; negative if the places are inconsistent), uptake (on the way to the place downstream), all in
        t/year as N; uptake_share (of the load), delivered_share (of the load, that reaches the last place).

    Raises:
        DataError: if the places have no network, or not one at the head of each reach.
    """
    if domain.network is None:
        raise DataError(f"{domain.name}: the places are on no network; add network.csv, or omit loads")
    ids = domain.place_ids
    for name in (domain.unit_ids, domain.network.reach.values.astype(str), domain.places.reach.values.astype(str)):
        if not np.array_equal(name, ids):
            raise DataError(
                f"{domain.name}: loads need one place and one unit at the head of each reach, in the same order"
            )
    river = domain.river
    discharge = domain.forcing.discharge.values
    simulated = np.isfinite(nitrate).all(axis=0)
    load = np.where(simulated, (nitrate * discharge).mean(axis=0) * KILOGRAMS_PER_DAY, np.nan)
    mean = discharge.mean(0)
    width = parameters["width_coefficient"] * mean ** parameters["width_exponent"]
    length = np.nan_to_num(domain.network.length.values.astype(float))
    uptake = relative_uptake(parameters["uptake_velocity"], width, length, mean)
    uptake = np.where(np.isfinite(uptake), uptake, 0.0)
    left = carried(torch.ones(len(load)), torch.zeros(len(load)), torch.as_tensor(uptake)).numpy()

    arriving, delivered = np.zeros_like(load), np.ones_like(load)
    for level in river.levels:
        load[level] = np.where(simulated[level], load[level], arriving[level])
        below = river.downstream[level]
        np.add.at(arriving, below[below >= 0], (load * left)[level][below >= 0])
    for level in river.levels[::-1]:
        below = river.downstream[level]
        delivered[level] = np.where(below >= 0, left[level] * delivered[below], 1.0)
    gained = load - arriving
    lost = load - _marched(river, gained, uptake, length / VELOCITY / 86400)
    table = pd.DataFrame(
        {
            "place": ids,
            "downstream": domain.network.downstream.values.astype(str),
            "load": load * TONNES_PER_YEAR,
            "arriving": arriving * TONNES_PER_YEAR,
            "gained": gained * TONNES_PER_YEAR,
            "uptake": lost * TONNES_PER_YEAR,
            "uptake_share": np.divide(lost, load, out=np.zeros_like(load), where=load > 0),
            "delivered_share": delivered,
        }
    )
    return table[simulated].reset_index(drop=True)


def _marched(river, gained, uptake, days):
    """The loads (reach,) that leave the reaches in steady state under gains at their heads, in the unit of the gains."""
    heads = [f"{name} head" for name in river.reach]
    below = [heads[target] if target >= 0 else "" for target in river.downstream]
    doubled = River([*heads, *river.reach], [*river.reach, *below], river.source)
    none = np.zeros(len(heads))

    def tensor(values):
        return torch.as_tensor(np.asarray(values, dtype=float))

    loads, _ = route(
        reach_of_load(),
        doubled,
        tensor(np.concatenate([gained, none])).expand(SETTLING, -1).contiguous(),
        {
            "uptake": tensor(np.concatenate([none, uptake])),
            "residence_time": tensor(np.maximum(np.concatenate([none, days]), SHORTEST)),
        },
    )
    return loads[-1, len(heads) :].numpy()
