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

from thalweg.cli import main
from thalweg.cli.new import written

ROOT = Path(__file__).parents[1]
NAMES = {  # what `thalweg new` writes of each kind
    "dataset": "rivers",
    "process": "linear_reservoir",
    "loss": "absolute",
    "metric": "mean_absolute_error",
    "split": "every_other",
    "analysis": "volume_ratio",
    "figure": "bars",
}
PAGE = ROOT / "docs/guides/extending.md"


def study_of_the_page():
    """The study that the page shows, in which each is named."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return yaml.safe_load(block)


@pytest.mark.parametrize("kind", NAMES)
def test_the_page_shows_what_new_writes(kind):
    """So that the recipes of the page are those that this test runs."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import macros
    finally:
        sys.path.remove(str(ROOT / "docs"))
    name = NAMES[kind]
    shown = re.findall(r"```python\n(.*?)\n```", macros.render(PAGE.read_text()), re.DOTALL)
    for text in written(kind, name, f"mine.{name}").values():
        assert text.strip() in shown


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
    for kind, name in NAMES.items():
        main(["new", kind, name, "--folder", str(package)])
    (folder / "rivers").mkdir()
    (folder / "rivers/count.csv").write_text("6")
    (folder / "config/studies/mine.yaml").write_text(yaml.safe_dump(study_of_the_page()))
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
    assert summary.loc[("reservoir", "mine.mean_absolute_error:mean_absolute_error"), "places"] == 3
    assert summary.loc[("reservoir", "mine.mean_absolute_error:mean_absolute_error"), "unit"] == "mm/day"
    ratio = pd.read_csv(folder / TARGETS[1]).set_index("model").ratio
    assert 0.2 < ratio["reservoir"] < 3 and 0.5 < ratio["mean"] < 2
    assert (folder / TARGETS[2]).stat().st_size > 1000
    split = pd.read_csv(folder / "results/mine/splits/mine/halves.csv")
    assert split.test.tolist() == [False, True] * 3 and not (split.train & split.test).any()
    assert rerun(folder) == set()


AFTER = {  # a change of each file -> the rules that run again because of it, and no other
    "rivers": {"domain", "split", "train", "simulate", "score", "summarise", "analysis_volume_ratio", "figure_bars"},
    "linear_reservoir": {"train", "simulate", "score", "summarise", "analysis_volume_ratio", "figure_bars"},
    "volume_ratio": {"analysis_volume_ratio"},
    "bars": {"figure_bars"},
    "absolute": {"train", "simulate", "score", "summarise", "analysis_volume_ratio", "figure_bars"},
    "every_other": {"split", "train", "simulate", "score", "summarise", "analysis_volume_ratio", "figure_bars"},
    "mean_absolute_error": {"score", "summarise", "figure_bars"},
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
    """A new process, loss, split and dataset in the rooms of the package change no fingerprint of what is there."""
    if not (folder / TARGETS[0]).exists():
        pytest.skip("the study above was not made")
    rooms = {
        "process": "processes/runoff",
        "loss": "learn/losses",
        "split": "experiments/splits",
        "dataset": "datasets",
        "figure": "figures",
        "analysis": "analysis",
    }
    for kind, room in rooms.items():
        main(["new", kind, f"another_{kind}", "--folder", str(folder / "src/thalweg" / room)])
    assert rerun(folder) == set()
