"""A newcomer: three catchments without discharge, and the installed command; run in an empty folder by ``make wheel-test``."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

YEARS = ("1990-01-01", "1999-12-31")
LIMIT = 300  # seconds


def write(folder):
    """Ten years of weather of three catchments, in the form of docs/guides/own_data.md."""
    generator, days = np.random.default_rng(1), pd.date_range(*YEARS)
    (folder / "timeseries").mkdir(parents=True)
    rows = {
        "basin": ["mill", "ford", "weir"],
        "area [km2]": [42.7, 118.0, 310.0],
        "latitude [degree]": [41.2, 41.0, 40.8],
    }
    rows |= {
        "longitude [degree]": [-75.3, -75.1, -74.9],
        "elevation [m]": [463, 397, 250],
        "slope [dimensionless]": [0.06, 0.05, 0.03],
    }
    pd.DataFrame(rows).to_csv(folder / "attributes.csv", index=False)
    for basin in rows["basin"]:
        mean = 9 - 13 * np.cos(2 * np.pi * (days.dayofyear - 20) / 365) + generator.normal(0, 4, len(days))
        rain = generator.gamma(0.8, 11.0, len(days)) * (generator.random(len(days)) < 0.33)
        columns = {
            "time": days,
            "precipitation [mm]": rain,
            "minimum_temperature [degC]": mean - 6,
            "maximum_temperature [degC]": mean + 6,
        }
        pd.DataFrame(columns).round(2).to_csv(folder / "timeseries" / f"{basin}.csv", index=False)


def main():
    began = float(sys.argv[1])  # when the installation began, in seconds since 1970
    write(Path("my_rivers"))
    thalweg = str(Path(sys.executable).parent / "thalweg")
    data = [
        "--model",
        "hbv-basic-us-ungauged",
        "--catchments",
        "my_rivers",
        "--potential-evapotranspiration",
        "hargreaves",
    ]
    subprocess.run([thalweg, "predict", *data, "--output", "flow.nc"], check=True)
    subprocess.run(
        [thalweg, "explain", *data, "--place", "mill", "--output", "mill"], check=True, stdout=subprocess.DEVNULL
    )
    subprocess.run([thalweg, "plot", "hydrographs", "--prediction", "flow.nc", "--output", "flow.png"], check=True)
    with xr.open_dataset("flow.nc") as flow:
        assert flow.discharge.shape == (3, 3652) and bool(np.isfinite(flow.discharge).all())
        assert bool((flow.discharge_lower <= flow.discharge_upper).all())
        yearly = flow.discharge.mean("time") * 86.4 * 365.25 / np.array([42.7, 118.0, 310.0])
        assert bool(((yearly > 100) & (yearly < 1100)).all()), yearly.values  # mm, of about 1060 mm of precipitation
    assert Path("mill/explanation.png").stat().st_size > 10_000 and Path("flow.png").stat().st_size > 10_000
    seconds = time.time() - began
    print(
        f"installed, and daily discharge with intervals, an explanation and a figure of three catchments, in {seconds:.0f} s"
    )
    assert seconds < LIMIT


if __name__ == "__main__":
    main()
