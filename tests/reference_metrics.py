"""Metrics and signatures of fixed series by two other packages: what test_signatures.py holds thalweg against.

The packages are no dependencies of the study. Their values are stored in reference_metrics.json, which this script wrote in an
environment of its own:

    python -m venv reference
    reference/bin/pip install --no-deps neuralhydrology==1.13.0 hydrosignatures==0.19.3
    reference/bin/pip install "numpy<2.3" pandas scipy numba xarray==2025.6.1 ruamel.yaml tqdm
    reference/bin/python tests/reference_metrics.py

The packages' versions stand in the file, and the sum of each series, so that a test notices when the series differ.
"""

import importlib
import json
import sys
import types
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

STORED = Path(__file__).with_suffix(".json")
FIRST_DAY, DAYS = (
    "2001-01-01",
    1462,
)  # four calendar years and the day after, without which neuralhydrology drops the last


def series():
    """Three pairs of daily discharge, mm/day: name -> (simulated, observed), (time,) each, of ``DAYS`` days.

    ``skewed`` has none of the traps, ``dry`` falls dry every summer, ``gaps`` lacks the observed days of eight fortnights.
    """
    generator = np.random.default_rng(20250101)
    day = np.arange(DAYS)
    season = 1 - 0.6 * np.cos(2 * np.pi * (day - 120) / 365.25)
    pairs = {}
    for name in ("skewed", "dry", "gaps"):
        storm = -12 * np.log(1 - generator.random(DAYS)) * (generator.random(DAYS) < 0.25) * season
        observed = 0.7 * lfilter([0.3], [1, -0.7], storm) + 0.3 * lfilter([0.02], [1, -0.98], storm) + 0.05
        error = np.exp(0.4 * (generator.random(DAYS) - 0.5))
        simulated = 0.6 * lfilter([0.25], [1, -0.75], storm) + 0.35 * lfilter([0.03], [1, -0.97], storm) + 0.05
        pairs[name] = simulated * error, observed
    simulated, observed = pairs["dry"]
    pairs["dry"] = np.maximum(simulated - 0.9, 0), np.maximum(observed - 0.8, 0)
    simulated, observed = pairs["gaps"]
    missing = np.zeros(DAYS, bool)
    for start in np.linspace(40, DAYS - 60, 8).astype(int):
        missing[start : start + 14] = True
    pairs["gaps"] = simulated, np.where(missing, np.nan, observed)
    return pairs


def _neuralhydrology(name):
    """A module of neuralhydrology.evaluation, without its __init__, which imports torch and tensorboard."""
    package = types.ModuleType("neuralhydrology.evaluation")
    package.__path__ = [str(Path(find_spec("neuralhydrology").origin).parent / "evaluation")]
    sys.modules["neuralhydrology.evaluation"] = package
    return importlib.import_module(f"neuralhydrology.evaluation.{name}")


def main():
    import hydrosignatures
    import pandas as pd
    import xarray as xr

    metrics, signatures = _neuralhydrology("metrics"), _neuralhydrology("signatures")
    time = pd.date_range(FIRST_DAY, periods=DAYS, name="date")
    functions = {
        "NSE": metrics.nse,
        "KGE": metrics.kge,
        "RMSE": metrics.rmse,
        "Alpha-NSE": metrics.alpha_nse,
        "Beta-NSE": metrics.beta_nse,
        "FHV": metrics.fdc_fhv,
        "FMS": metrics.fdc_fms,
        "FLV": metrics.fdc_flv,
        "Peak-Timing": metrics.mean_peak_timing,
    }
    stored = {
        "versions": {name: version(name) for name in ("neuralhydrology", "hydrosignatures", "numpy", "scipy")},
        "series": {},
    }
    for name, pair in series().items():
        simulated, observed = (xr.DataArray(values, coords={"date": time}) for values in pair)
        known = observed.dropna("date")
        frequent = "high_q_freq", "low_q_freq", "hfd_mean", "q5", "q95", "q_mean"
        stored["series"][name] = {
            "sums": [float(np.nansum(values)) for values in pair],
            "metrics": {metric: float(function(observed, simulated)) for metric, function in functions.items()},
            "signatures": {
                **{each: float(getattr(signatures, each)(observed)) for each in frequent},
                "slope_fdc": float(signatures.slope_fdc(known)),
                "baseflow_index": float(signatures.baseflow_index(observed, alpha=0.925)[0]),
            },
            "hydrosignatures": {
                "flow_duration_curve_slope": float(
                    hydrosignatures.flow_duration_curve_slope(observed.values, (34, 67), True)[0]
                ),
                "baseflow_index": float(hydrosignatures.baseflow_index(known.values)),
            },
        }
    STORED.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
