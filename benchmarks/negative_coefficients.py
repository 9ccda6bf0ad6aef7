"""Frequency with which the explicit Muskingum scheme would have a negative coefficient on the Delaware's reaches and flows.

    python benchmarks/negative_coefficients.py results/default/domains/delaware.nc

Flows are sums over the network of the runoff of HBV with one fixed parameter set for the rain of 1979 and 1980. Sections are
those of the published set-up (p 21, q 0.5), roughness and slope the dataset's, X is 0.3 and a step one hour.
"""

import argparse

import numpy as np
import torch

import thalweg.analysis.twin_river as recovery
from thalweg.basin.domain import MILLIMETRES_PER_DAY, read_domain
from thalweg.integrate import accumulate, integrate
from thalweg.processes.routing.muskingum_cunge import share_of_negative_coefficients
from thalweg.processes.runoff.hbv import hbv


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("domain", help="netCDF of the domain")
    domain = read_domain(parser.parse_args().domain)
    forcing = {name: torch.tensor(domain.forcing[name].values, dtype=torch.float32) for name in hbv().forcing_names}
    units = len(domain.unit_ids)
    parameters = {name: torch.full((units, 1), value) for name, value in recovery.PARAMETERS.items()}
    runoff = integrate(hbv(), forcing, parameters, mean_components=True)[0]["runoff"]
    river, unit_reach = domain.river, domain.network.unit_reach.values.astype(str)
    drained = np.flatnonzero(unit_reach != "")
    area = torch.tensor(domain.attributes.area.values[drained], dtype=torch.float32)
    local = torch.zeros(runoff.shape[0], len(river.reach))
    local.index_add_(
        1, torch.as_tensor(river.positions(unit_reach[drained])), runoff[:, drained] * area / MILLIMETRES_PER_DAY
    )
    discharge = accumulate(river, local)[recovery.SPIN_UP :].double()

    def all_of(value):
        return torch.full((len(river.reach),), value, dtype=torch.float64)

    known = {
        "roughness": torch.tensor(domain.network.manning_n.values),
        "width_coefficient": all_of(21.0),
        "width_exponent": all_of(0.5),
        "slope": torch.tensor(np.maximum(domain.network.slope.values, 1e-4)),
    }
    lengths = {"reaches of 2 km": all_of(2000.0), "reaches of 8 km": all_of(8000.0)}
    lengths["the reaches as they are"] = torch.tensor(np.maximum(domain.network.length.values, 50.0))
    flood = torch.where(discharge > discharge.quantile(0.98, dim=0), discharge, torch.nan)
    for name, length in lengths.items():
        shares = []
        for flows in (discharge, flood):
            values = [
                share_of_negative_coefficients(
                    {k: v[i : i + 1] for k, v in (known | {"length": length}).items()},
                    flows[:, i : i + 1][~flows[:, i : i + 1].isnan()][:, None],
                    3600.0,
                    0.3,
                )
                for i in range(len(river.reach))
            ]
            shares.append(np.nanmean(values))
        print(
            f"{name}: {100 * shares[0]:.0f} % of reach-days, {100 * shares[1]:.0f} % of those with the highest 2 % of flow"
        )


if __name__ == "__main__":
    main()
