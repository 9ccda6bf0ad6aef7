"""Somebody else's dataset, split, process, loss, metric, analysis and figure, each named in a study, run through the workflow."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = {
    "rivers": '''"""A dataset: made-up catchments, from a file that says how many."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.basin.domain import Domain
from thalweg.schema import Period, Settings


class RiverSettings(Settings):
    kind: Literal["mine.rivers"] = "mine.rivers"
    folder: str
    period: Period = ("2001-01-01", "2003-12-31")


SETTINGS = RiverSettings


def build(folder, period):
    count = int(Path(folder, "count.csv").read_text())
    generator = np.random.default_rng(0)
    time = pd.date_range(*period, name="time")
    ids = [f"c{i}" for i in range(count)]
    season = -np.cos(2 * np.pi * time.dayofyear.values / 365)[:, None]
    rain = generator.gamma(0.4, 8.0, (len(time), count))
    forcing = {"precipitation": (rain, "mm/day"), "temperature": (9 + 8 * season + 0 * rain, "degC")}
    forcing["potential_evapotranspiration"] = (2.4 + season + 0 * rain, "mm/day")
    land = {"area": (np.full(count, 100.0), "km2"), "slope": (generator.random(count), "dimensionless")}
    place = {"latitude": (45 + generator.random(count), "degree"), "longitude": (5 + generator.random(count), "degree")}
    flow = pd.DataFrame(rain).ewm(alpha=0.2).mean().values * 0.5 * 100 / 86.4
    return Domain(
        "mine",
        xr.Dataset({n: (("time", "unit"), v, {"units": u}) for n, (v, u) in forcing.items()}, {"time": time, "unit": ids}),
        xr.Dataset({n: ("unit", v, {"units": u}) for n, (v, u) in (land | place).items()}, {"unit": ids}),
        xr.Dataset({"downstream": ("reach", [""] * count), "unit_reach": ("unit", ids)}, {"reach": ids, "unit": ids}),
        xr.Dataset(
            {n: ("place", v, {"units": u}) for n, (v, u) in place.items()}
            | {"reach": ("place", ids), "drainage_area": ("place", np.full(count, 100.0), {"units": "km2"})},
            {"place": ids},
        ),
        xr.Dataset({"discharge": (("time", "place"), flow, {"units": "m3/s"})}, {"time": time, "place": ids}),
    ), pd.DataFrame({"place": ids})
''',
    "stores": '''"""A process: a linear store."""

from thalweg.processes import Parameter, Process, State, Variable


def linear_store():
    def step(state, forcing, parameters):
        filled = state["store"] + 0.6 * forcing["precipitation"]
        return {"store": filled * (1.0 - parameters["k"])}, {"runoff": parameters["k"] * filled}

    rain = Variable("precipitation", "mm/day", "precipitation")
    return Process(
        name="linear_store",
        source="made up",
        states=(State("store", 5.0, "mm", "water"),),
        parameters=(Parameter("k", 0.01, 0.8, "1/day", "share that runs off"),),
        forcings=(rain,),
        fluxes=(Variable("runoff", "mm/day", "runoff"),),
        step=step,
    )
''',
    "errors": '''"""A loss: mean absolute error in standard deviations."""

import torch


def absolute(simulated, observed, deviation):
    known = ~torch.isnan(observed)
    error = torch.where(known, simulated - torch.nan_to_num(observed), 0.0) / deviation
    return error.abs().sum() / known.sum().clamp(min=1)
''',
    "measures": '''"""A metric: mean absolute error."""

import numpy as np


def mean_absolute_error(simulated, observed, minimum_days=1):
    error = np.abs(np.asarray(simulated) - np.asarray(observed))
    return float(np.nanmean(error)) if np.isfinite(error).sum() >= minimum_days else np.nan


mean_absolute_error.metric = ("mm/day", 0.0, "lower")
''',
    "halves": '''"""A split: every other place is tested."""

import numpy as np
from pydantic import Field

from thalweg.experiments.splits.division import Division, kind
from thalweg.schema import Settings


class Options(Settings):
    first: int = Field(0, description="first place that is tested")


@kind("apart", Options)
def every_other(candidates):
    number = np.arange(len(candidates.drains))
    return Division(np.where(number % 2 == candidates.options.first, 0, -1))
''',
    "ratios": '''"""An analysis: simulated over observed mean discharge of each model."""

import pandas as pd

from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation


def volume_ratio(simulations, domain, experiment):
    rows = []
    for model, path in simulations.items():
        run = read_simulation(path)
        simulated = run.simulated.where(run.tested > 0).mean()
        rows.append({"model": model, "ratio": float(simulated / run.observed.where(run.tested > 0).mean())})
    return pd.DataFrame(rows).assign(domain=domain, experiment=experiment)


volume_ratio.declared = Declared(
    of="experiment",
    reads={"simulations": "simulations"},
    title="volume",
    caption="Simulated over observed mean discharge.",
)
''',
    "pictures": '''"""A figure: a bar for each model."""

import pandas as pd
from matplotlib.figure import Figure

from thalweg.experiments.declared import Declared


def bars(summary):
    table = pd.read_csv(summary)
    figure = Figure()
    figure.subplots().bar(table.model, table["median"])
    return figure


bars.declared = Declared(of="study", reads={"summary": "summary"}, title="bars", caption="Medians of all metrics.")
''',
}
STUDY = {
    "seeds": [0],
    "training": {
        "steps": 4,
        "window": "200 days",
        "spin_up": "60 days",
        "validate_every": 2,
        "loss": "mine.errors:absolute",
    },
    "evaluation": {
        "metrics": ["NSE", "mine.measures:mean_absolute_error"],
        "compared": ["mine.measures:mean_absolute_error"],
        "minimum_days": "100 days",
        "bootstrap_samples": 50,
    },
    "analyses": ["mine.ratios:volume_ratio"],
    "figures": ["mine.pictures:bars"],
}
MODELS = {
    "store": {"kind": "process", "label": "linear store", "process": "mine.stores:linear_store", "components": 1},
    "mean": {"kind": "climatology", "label": "climatology"},
}
EXPERIMENT = {
    "kind": "mine.halves:every_other",
    "first": 1,
    "train": ["2001-01-01", "2002-12-31"],
    "test": ["2003-01-01", "2003-12-31"],
    "validation": "none",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the workflow, a package outside it, and a study that names what is in the package."""
    folder = tmp_path_factory.mktemp("extending")
    for name in ("Snakefile", "profiles", "workflow", "config", "src"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    package = folder / "elsewhere" / "mine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for name, text in FILES.items():
        (package / f"{name}.py").write_text(text)
    (folder / "rivers").mkdir()
    (folder / "rivers/count.csv").write_text("6")
    study = STUDY | {
        "domains": {"mine": {"kind": "mine.rivers", "folder": "rivers"}},
        "models": MODELS,
        "experiments": {"mine": {"halves": EXPERIMENT | {"models": list(MODELS)}}},
    }
    (folder / "config/studies/mine.yaml").write_text(yaml.safe_dump(study))
    return folder


TARGETS = [
    f"results/mine/{path}" for path in ("tables/summary.csv", "tables/volume_ratio/mine/halves.csv", "figures/bars.png")
]


def snakemake(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "--snakefile", f"{folder}/Snakefile", *TARGETS, *arguments]
    environment = os.environ | {"PYTHONPATH": f"{folder}/src{os.pathsep}{folder}/elsewhere"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    result = subprocess.run(
        [*command, "--config", "study=mine"], cwd=folder, capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def rerun(folder):
    """The rules that would run again."""
    section = re.search(r"Job stats:\n(.*?)\ntotal", snakemake(folder, "-n"), re.DOTALL)
    lines = section[1].splitlines()[2:] if section else []
    return {line.split()[0].removesuffix("_mine_halves") for line in lines}


@pytest.mark.long
def test_each_is_named_in_a_study_and_run_by_the_workflow(folder):
    snakemake(folder, "--cores", "2")
    summary = pd.read_csv(folder / TARGETS[0]).set_index(["model", "metric"])
    assert summary.loc[("store", "mine.measures:mean_absolute_error"), "places"] == 3
    assert summary.loc[("store", "mine.measures:mean_absolute_error"), "unit"] == "mm/day"
    ratio = pd.read_csv(folder / TARGETS[1]).set_index("model").ratio
    assert 0.2 < ratio["store"] < 3 and 0.5 < ratio["mean"] < 2
    assert (folder / TARGETS[2]).stat().st_size > 1000
    split = pd.read_csv(folder / "results/mine/splits/mine/halves.csv")
    assert split.test.tolist() == [False, True] * 3 and not (split.train & split.test).any()
    assert rerun(folder) == set()


AFTER = {  # a change of each file -> the rules that run again because of it, and no other
    "rivers": {"domain", "split", "train", "simulate", "score", "summarise", "analysis_volume_ratio", "figure_bars"},
    "stores": {"train", "simulate", "score", "summarise", "analysis_volume_ratio", "figure_bars"},
    "ratios": {"analysis_volume_ratio"},
    "pictures": {"figure_bars"},
    "errors": {"train", "simulate", "score", "summarise", "analysis_volume_ratio", "figure_bars"},
    "halves": {"split", "train", "simulate", "score", "summarise", "analysis_volume_ratio", "figure_bars"},
    "measures": {"score", "summarise", "figure_bars"},
}


@pytest.mark.long
@pytest.mark.parametrize("name", AFTER)
def test_a_change_reruns_what_hangs_on_it(folder, name):
    if not (folder / TARGETS[0]).exists():
        pytest.skip("the study above was not made")
    path = folder / "elsewhere" / "mine" / f"{name}.py"
    before = path.read_text()
    path.write_text(before + "\n\nCHANGED = 1\n")
    try:
        assert rerun(folder) == AFTER[name]
    finally:
        path.write_text(before)


@pytest.mark.long
def test_one_more_of_each_reruns_nothing(folder):
    """A new process, loss, split and dataset of the package change no fingerprint of what is there."""
    if not (folder / TARGETS[0]).exists():
        pytest.skip("the study above was not made")
    added = {
        "processes/runoff/another_store.py": FILES["stores"].replace("linear_store", "another_store"),
        "learn/losses/another_loss.py": FILES["errors"].replace("absolute", "another_loss"),
        "experiments/splits/another_split.py": FILES["halves"].replace("every_other", "another_split"),
        "datasets/another_dataset.py": FILES["rivers"],
        "figures/another_figure.py": FILES["pictures"],
        "analysis/another_analysis.py": FILES["ratios"],
    }
    for name, text in added.items():
        (folder / "src/thalweg" / name).write_text(text)
    assert rerun(folder) == set()
