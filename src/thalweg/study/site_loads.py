"""Loads of nitrate down a network of sites: what arrives from above, what is gained beside the river, what is taken up on the way.

Each site heads a reach to the site downstream. A reach loses by first-order uptake (:mod:`thalweg.processes.load`) with the
uptake velocity and the width learned at its head, and is marched down the network by the solve that routes water.
"""

import numpy as np
import pandas as pd
import torch

from thalweg.integrate import route
from thalweg.processes.load import carried, reach_of_load, relative_uptake

KILOGRAMS_PER_DAY = 86.4  # in 1 mg/l times 1 m3/s
TONNES_PER_YEAR = 0.36525  # in a kg/day
VELOCITY = 0.5  # m/s of water, for the time a load is on its way; it does not bear on the mean
SETTLING = 200  # days after which loads that enter evenly have come to rest


def site_loads(sites, nitrate, parameters):
    """The balance of loads at every site, in the mean over the days simulated.

    Args:
        sites: :class:`~thalweg.sites.Sites` with a network and the forcing discharge [m3/s].
        nitrate: simulated concentration (time, site), mg/l as N; NaN at sites that were not simulated.
        parameters: name -> array (site,): ``uptake_velocity`` [m/day], ``width_coefficient`` [m], ``width_exponent``.

    Returns:
        DataFrame with a row per simulated site: site, downstream, load (at the site), arriving (from the sites above), gained
        (their difference; negative where the sites do not agree), uptake (on the way to the site downstream), all in t/year as
        N; uptake_share (of the load), delivered_share (of the load, that reaches the last site).

    Raises:
        ValueError: when the sites have no network.
    """
    if sites.network is None:
        raise ValueError(f"{sites.name}: the sites stand on no network; give network.csv, or leave loads out")
    river = sites.river
    discharge = sites.forcing.discharge.values
    load = np.nanmean(nitrate * discharge, axis=0) * KILOGRAMS_PER_DAY
    load = np.where(np.isfinite(load), load, 0.0)
    mean = discharge.mean(0)
    width = parameters["width_coefficient"] * mean ** parameters["width_exponent"]
    length = np.nan_to_num(sites.network.length.values.astype(float))
    uptake = relative_uptake(parameters["uptake_velocity"], width, length, mean)
    uptake = np.where(np.isfinite(uptake), uptake, 0.0)

    def tensor(values):
        return torch.as_tensor(np.asarray(values, dtype=float))

    arriving, gained, delivered = np.zeros_like(load), np.zeros_like(load), np.ones_like(load)
    for level in river.levels:
        gained[level] = load[level] - arriving[level]
        leaving = carried(tensor(arriving[level]), tensor(gained[level]), tensor(uptake[level])).numpy()
        below = river.downstream[level]
        np.add.at(arriving, below[below >= 0], leaving[below >= 0])
    for level in river.levels[::-1]:
        below = river.downstream[level]
        through = carried(tensor(arriving[level]), tensor(gained[level]), tensor(uptake[level])).numpy()
        share = np.divide(through, load[level], out=np.zeros(len(level)), where=load[level] > 0)
        delivered[level] = np.where(below >= 0, share * delivered[below], 1.0)
    marched, _ = route(
        reach_of_load(),
        river,
        tensor(gained).expand(SETTLING, -1).contiguous(),
        {"uptake": tensor(uptake), "residence_time": tensor(np.maximum(length / VELOCITY / 86400, 0.01))},
    )
    lost = load - marched[-1].numpy()
    table = pd.DataFrame(
        {
            "site": sites.site_ids,
            "downstream": sites.network.downstream.values.astype(str),
            "load": load * TONNES_PER_YEAR,
            "arriving": arriving * TONNES_PER_YEAR,
            "gained": gained * TONNES_PER_YEAR,
            "uptake": lost * TONNES_PER_YEAR,
            "uptake_share": np.divide(lost, load, out=np.zeros_like(load), where=load > 0),
            "delivered_share": delivered,
        }
    )
    return table[load > 0].reset_index(drop=True)
