"""Results of a study as large as a large sample of catchments, without training: linear stores driven by random rain.

``python tests/synthetic_study.py FOLDER`` writes it, writes its explorer, and prints the size of the page and the seconds taken.
"""

import sys
import time as clock
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import yaml

from thalweg.basin.domain import Domain
from thalweg.evaluation.score import score
from thalweg.experiments.simulation import Simulation, simulation_of
from thalweg.storage.store import write_netcdf, write_table

MODELS = {"hbv": "δHBV", "lstm": "LSTM", "climatology": "climatology"}
BOUNDS = {"FC": (50.0, 1000.0, "mm"), "K2": (0.001, 0.2, "1/day"), "BETA": (1.0, 6.0, "dimensionless")}


def stores(rain, share, quick, slow):
    """Flow (time, place) of two linear stores that share the effective rain."""
    first, second = np.zeros(rain.shape[1]), np.ones(rain.shape[1])
    flow = np.empty_like(rain)
    for day, water in enumerate(rain):
        first = quick * first + (1 - quick) * share * water
        second = slow * second + (1 - slow) * (1 - share) * water
        flow[day] = first + second
    return flow


def catchments(places, years, seed=0):
    """A domain of catchments, each one unit, and the water that runs off: (Domain, (time, place) mm/day)."""
    generator = np.random.default_rng(seed)
    time = pd.date_range("1995-10-01", periods=round(365.25 * years), name="time")
    ids = [f"{i:08d}" for i in 1000 + np.arange(places) * 10]
    season = np.sin(2 * np.pi * (time.dayofyear.to_numpy()[:, None] - 110) / 365.25)
    wet = generator.random((len(time), places)) < 0.3
    rain = np.where(wet, generator.gamma(0.7, generator.uniform(5, 16, places), (len(time), places)), 0.0)
    evaporation = np.clip(2.5 + 2.2 * season + 0.3 * generator.standard_normal(rain.shape), 0.1, None)
    effective = rain * (0.45 - 0.25 * season)
    flow = stores(effective, generator.uniform(0.2, 0.8, places), generator.uniform(0.5, 0.9, places), 0.985)
    longitude, latitude = generator.uniform(-120, -72, places), generator.uniform(31, 48, places)
    area = generator.lognormal(6, 1, places)
    position = {
        "latitude": ("unit", latitude, {"units": "degree"}),
        "longitude": ("unit", longitude, {"units": "degree"}),
    }
    forcing = {
        "precipitation": (("time", "unit"), rain, {"units": "mm/day"}),
        "temperature": (("time", "unit"), 10 + 12 * season + 0 * rain, {"units": "degC"}),
        "potential_evapotranspiration": (("time", "unit"), evaporation, {"units": "mm/day"}),
    }
    noise = np.exp(0.06 * generator.standard_normal(flow.shape))
    observed = (flow * noise * area / 86.4).round(3)
    observed[generator.random(flow.shape) < 0.01] = np.nan
    at = {"time": time, "place": ids}
    domain = Domain(
        "catchments",
        xr.Dataset(forcing, coords={"time": time, "unit": ids}),
        xr.Dataset({"area": ("unit", area, {"units": "km2"}), **position}, coords={"unit": ids}),
        xr.Dataset(
            {"downstream": ("reach", [""] * places), "unit_reach": ("unit", ids)}, coords={"reach": ids, "unit": ids}
        ),
        xr.Dataset(
            {
                "reach": ("place", ids),
                "unit": ("place", ids),
                "name": ("place", [f"River {i + 1} at bridge" for i in range(places)]),
                "drainage_area": ("place", area, {"units": "km2"}),
                "latitude": ("place", latitude, {"units": "degree"}),
                "longitude": ("place", longitude, {"units": "degree"}),
            },
            coords={"place": ids},
        ),
        xr.Dataset({"discharge": (("time", "place"), observed, {"units": "m3/s"})}, coords=at),
    )
    return domain, effective


def simulated(model, domain, effective, generator):
    """Discharge by one of :data:`MODELS`, (place, time) mm/day."""
    places = len(domain.place_ids)
    if model == "climatology":
        runoff = domain.observed_runoff.to_pandas().T
        return runoff.groupby(runoff.index.dayofyear).transform("mean").to_numpy().T
    share, quick, slow = {"hbv": (0.5, 0.8, 0.98), "lstm": (0.4, 0.7, 0.95)}[model]
    return stores(effective * generator.uniform(0.7, 1.2, places), share, quick, slow).T


def splits(domain, experiment):
    """All places are tested; the second experiment is of a later period."""
    first, last = domain.forcing.time.values[[0, -1]].astype("datetime64[D]")
    start = first if experiment == "all-years" else first + (last - first) // 2
    periods = {"train_start": first, "train_end": start, "test_start": start, "test_end": last}
    return pd.DataFrame(
        {"place": domain.place_ids, "fold": 0, "train": False, "validation": False, "test": True}
    ).assign(**{name: str(value) for name, value in periods.items()}, train_years="", test_years="")


def make_study(folder, places=476, years=10, experiments=("all-years",)):
    """Write config.yaml, the domain, the simulations and the table of skill of a study to ``folder``; return the domain."""
    folder, generator = Path(folder), np.random.default_rng(1)
    domain, effective = catchments(places, years)
    write_netcdf(domain.to_tree(), folder / "domains" / "catchments.nc", {})
    tables = []
    for experiment in experiments:
        for model in MODELS:
            values = simulated(model, domain, effective, generator).astype(np.float32)[None, None].copy()
            days = (0, values.shape[-1])
            one = simulation_of(domain, splits(domain, experiment), "discharge", [0], days, values)
            one = one.assign_attrs(domain="catchments", experiment=experiment, model=model)
            write_netcdf(
                Simulation({"discharge": one}, parameters_of(model, domain, generator)).to_tree(
                    domain="catchments", experiment=experiment, model=model
                ),
                folder / "simulations" / "catchments" / experiment / f"{model}.nc",
                {},
            )
            tables.append(score(one, "synthetic", ["NSE", "KGE", "PBIAS", "RMSE"], 100))
    write_table(pd.concat(tables), folder / "tables" / "skill.csv", {})
    (folder / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "study": "synthetic",
                "models": {name: {"label": label} for name, label in MODELS.items()},
                "experiments": {
                    "catchments": {name: {"label": name.replace("-", " "), "models": [*MODELS]} for name in experiments}
                },
            }
        )
    )
    return domain


def parameters_of(model, domain, generator):
    """Parameters of δHBV with their bounds, Dataset (fold, seed, unit); None for other models."""
    if model != "hbv":
        return None
    shape = (1, 1, len(domain.unit_ids))
    return xr.Dataset(
        {
            name: (
                ("fold", "seed", "unit"),
                generator.uniform(low, high, shape),
                {"units": unit, "low": low, "high": high, "known": 0, "long_name": f"parameter {name}"},
            )
            for name, (low, high, unit) in BOUNDS.items()
        },
        coords={"fold": [0], "seed": [0], "unit": domain.unit_ids},
    )


if __name__ == "__main__":
    from thalweg.explorer.page import write_explorer

    folder = Path(sys.argv[1])
    make_study(folder)
    began = clock.perf_counter()
    page = write_explorer(folder, map_folder=sys.argv[2] if len(sys.argv) > 2 else None)
    print(f"{page}: {page.stat().st_size / 1e6:.2f} MB, written in {clock.perf_counter() - began:.1f} s")
