"""Twin experiment: recover the roughness and section of a synthetic river from its discharge at gauges."""

import numpy as np
import pandas as pd
import torch

from thalweg.integrate import integrate
from thalweg.learn import optimisers
from thalweg.learn.losses.nse_batch import nse_batch
from thalweg.learn.river import LEARNED, RiverNetwork
from thalweg.learn.scaling import fit_scaling
from thalweg.learn.windows import Series
from thalweg.processes.routing.muskingum_cunge import exponent, rating
from thalweg.processes.runoff.hbv import hbv

SPIN_UP = 180  # days
PARAMETERS = {"BETA": 2.0, "FC": 200.0, "K0": 0.4, "K1": 0.2, "K2": 0.03, "LP": 0.8, "PERC": 2.0, "UZL": 10.0}
PARAMETERS |= {"TT": 0.0, "CFMAX": 3.0, "CFR": 0.05, "CWH": 0.1, "BETAET": 1.0, "C": 0.1}
REFERENCE_FLOW = 0.02  # m3/s per km2, at which celerities are compared: about a small flood
VARIANTS = {"section known": ("width_coefficient", "width_exponent"), "all learned": ()}


def truth(domain, reaches):
    """Synthetic roughness and section of reaches, smooth in slope and drainage area: name -> tensor (reach,).

    Roughness falls downstream from about 0.12 to 0.03 and rises with slope; rivers widen downstream.
    """
    area = np.maximum(domain.network.drainage_area.values[reaches], 1.0)
    slope = np.maximum(domain.network.slope.values[reaches], 1e-4)
    values = {
        "roughness": 0.06 * (area / 500.0) ** -0.15 * (slope / 2e-3) ** 0.1,
        "width_coefficient": 15.0 * (area / 500.0) ** 0.35,
        "width_exponent": 0.2 + 0.4 / (1.0 + np.sqrt(area / 500.0)),
    }
    limits = {p.name: (p.low, p.high) for p in LEARNED}
    return {name: torch.tensor(np.clip(v, *limits[name]), dtype=torch.float32) for name, v in values.items()}


def celerity(parameters, discharge):
    """Speed of a wave on a discharge, m/s: tensors (reach,)."""
    beta = exponent(parameters["width_exponent"])
    kappa = rating(*(parameters[n] for n in ("roughness", "width_coefficient", "width_exponent", "slope", "length")))
    return beta * discharge / (discharge / kappa) ** (1 / beta) * parameters["length"]


def recover(domain, period, seeds, steps=150, hidden=16, river_step=6.0, rate=0.03):
    """Learn a river from the discharge of a known river under the domain's rain.

    Runoff is HBV's with one parameter set and is prescribed; roughness and section are learned by the network of the study from
    attributes of the reaches, with the true section prescribed or not.

    Args:
        domain: a :class:`~thalweg.basin.domain.Domain` whose reaches have geometry.
        period: ``(first, last)`` positions of the days, last excluded.
        seeds: of the networks' first weights.
        steps, rate: of Adam.
        hidden, river_step: of the :class:`~thalweg.learn.river.RiverNetwork`; hours.

    Returns:
        (table, reaches): DataFrame with a row per variant, seed and quantity: Spearman's correlation over reaches with the
        truth, median of the relative error, median Nash-Sutcliffe efficiency of daily discharge; DataFrame with a row per
        variant, seed, reach and quantity: true and learned.
    """
    from scipy.stats import spearmanr

    units = np.arange(len(domain.unit_ids))
    scaling = fit_scaling(domain, units, period, {"discharge": 1.0})
    series = Series(domain, scaling)
    window = series.window(*period, SPIN_UP)
    with torch.no_grad():
        parameters = {name: torch.full((len(units), 1), value) for name, value in PARAMETERS.items()}
        runoff = integrate(hbv(), window.forcing, parameters, mean_components=True)[0]["runoff"]
    drainage, skip = series.drainage, SPIN_UP // 2
    runoff = runoff[SPIN_UP - skip :]
    known = truth(domain, drainage.reaches)
    flow = torch.as_tensor(REFERENCE_FLOW * np.maximum(domain.network.drainage_area.values[drainage.reaches], 1.0))
    flow = flow.float()

    def network(seed, fixed):
        torch.manual_seed(seed)
        return RiverNetwork(drainage.reach_attributes.shape[1], hidden, river_step, fixed)

    with torch.no_grad():
        observed = network(0, known)(runoff, drainage, skip)
        true = known | drainage.geometry
        true = {name: known[name] for name in known} | {"celerity": celerity(true, flow)}
    table, rows = [], []
    for variant, given in VARIANTS.items():
        for seed in seeds:
            model = network(seed, {name: known[name] for name in given})
            optimiser = optimisers.Adam(model.parameters(), lr=rate)
            for _ in range(steps):
                optimiser.zero_grad()
                simulated = model(runoff, drainage, skip)
                nse_batch(simulated, observed, observed.std(0)).backward()
                optimiser.step()
            with torch.no_grad():
                simulated = model(runoff, drainage, skip)
                found = model.parameters_of(drainage)
                found["celerity"] = celerity(found, flow)
            misfit = ((simulated - observed) ** 2).sum(0) / ((observed - observed.mean(0)) ** 2).sum(0)
            for name, values in true.items():
                if name in given:
                    continue
                a, b = values.numpy(), found[name].numpy()
                head = {"variant": variant, "seed": seed, "quantity": name}
                table.append(
                    head
                    | {
                        "spearman": spearmanr(a, b).statistic,
                        "median_relative_error": float(np.median(np.abs(b / a - 1))),
                        "median_NSE": 1 - misfit.median().item(),
                        "reaches": len(a),
                    }
                )
                rows.append(pd.DataFrame(head | {"reach": drainage.river.reach, "true": a, "learned": b}))
    return pd.DataFrame(table), pd.concat(rows, ignore_index=True)
