"""Peak memory of regridding 1, 10 and 100 times more time steps: with lazy reading it is that of a few blocks.

A synthetic half-degree global grid, made block by block as if read from disk, is regridded to 200 catchments and written
to netCDF. Every case runs in a separate process, whose peak resident memory the operating system reports; ``loaded``
reads the whole grid before regridding, to show the memory saved by lazy reading.

    python benchmarks/regrid_memory.py
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dask
import dask.array as da
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr

from thalweg.basin.regrid import apply, weights

STEPS = 240  # ten days of hours
STEPS_PER_BLOCK = 24
CELL = 0.5  # degrees
UNITS = 200
THREADS = 2
CASES = [("lazy", 1), ("lazy", 10), ("lazy", 100), ("loaded", 1), ("loaded", 10)]


def grid(steps):
    """Hourly rain (time, lat, lon) in single precision, a block of a day at a time."""
    lon, lat = np.arange(-180 + CELL / 2, 180, CELL), np.arange(90 - CELL / 2, -90, -CELL)
    shape = (steps, len(lat), len(lon))

    def read(block_info):
        first, last = block_info[None]["array-location"][0]
        return np.random.default_rng(first).random((last - first, *shape[1:]), np.float32)

    chunks = ((STEPS_PER_BLOCK,) * (steps // STEPS_PER_BLOCK), shape[1:2], shape[2:])
    data = da.map_blocks(read, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    coordinates = {"time": pd.date_range("2000-01-01", periods=steps, freq="h"), "lat": lat, "lon": lon}
    return xr.DataArray(data, coordinates, ("time", "lat", "lon"), name="precipitation").rio.write_crs("EPSG:4326")


def catchments():
    """Round catchments of one to five degrees across, anywhere between 50 south and 70 north."""
    generator = np.random.default_rng(0)
    centres = shapely.points(generator.uniform(-170, 170, UNITS), generator.uniform(-50, 70, UNITS))
    outlines = shapely.buffer(centres, generator.uniform(0.5, 2.5, UNITS))
    return gpd.GeoDataFrame(index=[f"catchment {i}" for i in range(UNITS)], geometry=outlines, crs="EPSG:4326")


def measure(how, steps):
    """Regrid and write; the peak resident memory in MB before and after, and the run time in seconds."""
    rain = grid(steps)
    prepared = weights(rain, catchments())
    before = peak()
    start = time.perf_counter()
    if how == "loaded":
        rain = rain.load()
    with tempfile.TemporaryDirectory() as folder, dask.config.set(scheduler="threads", num_workers=THREADS):
        apply(prepared, rain).to_dataset(name="precipitation").to_netcdf(Path(folder) / "rain.nc", engine="h5netcdf")
    return {"before": before, "peak": peak(), "seconds": time.perf_counter() - start}


def peak():
    """Peak resident memory of this process, MB."""
    kilobyte = 1e-6 if sys.platform == "darwin" else 1.024e-3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs=2, metavar=("HOW", "TIMES"), help="run one case here and print it as JSON")
    case = parser.parse_args().case
    if case:
        print(json.dumps(measure(case[0], STEPS * int(case[1]))))
        return
    print("case    time steps   grid [GB]   before [MB]   peak [MB]   time [s]")
    for how, times in CASES:
        command = [sys.executable, __file__, "--case", how, str(times)]
        result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        size = STEPS * times * (180 / CELL) * (360 / CELL) * 4e-9
        print(
            f"{how:<7} {STEPS * times:>10}  {size:>10.2f}  {result['before']:>12.0f}  {result['peak']:>10.0f}"
            f"  {result['seconds']:>9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
