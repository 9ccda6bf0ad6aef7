"""Scale: studies that extend others, the plan of a full grid, and what is left when a part of it fails."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from thalweg.figures.style import looks
from thalweg.schema import ConfigError
from thalweg.settings.blocks import Training
from thalweg.settings.files import read_study

ROOT = Path(__file__).parents[1]


@pytest.fixture
def config(tmp_path):
    """A function that writes the study files passed to it next to a copy of the default configuration."""

    def write(**studies):
        (tmp_path / "studies").mkdir()
        shutil.copy(ROOT / "config/config.yaml", tmp_path)
        for name, values in studies.items():
            (tmp_path / "studies" / f"{name}.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        return tmp_path

    return write


FRANCE = {
    "domains": {"france": {}},
    "experiments": {
        "france": {
            "defaults": {
                "train": ["1999-01-01", "2008-12-31"],
                "test": ["2009-01-01", "2018-12-31"],
                "models": ["hbv"],
            },
            "temporal": {"kind": "temporal"},
            "pub": {"kind": "ungauged_basins", "folds": 5, "models": ["hbv", "lstm"]},
        }
    },
}


def test_a_study_is_laid_over_the_one_that_it_extends(config):
    folder = config(
        long={"seeds": [0, 1], "training": {"steps": 900, "window": "500 days"}, **FRANCE},
        short={"extends": "long", "training": {"steps": 30}},
        shortest={"extends": "short", "seeds": [7], "experiments": {"france": {"pub": None}}},
    )
    short, shortest = (read_study(folder, {"study": name}) for name in ("short", "shortest"))
    assert (short.study, short.seeds, short.training.steps, short.training.window) == ("short", [0, 1], 30, 500)
    assert (shortest.study, shortest.seeds, shortest.training.steps) == ("shortest", [7], 30)
    assert (list(short.experiments["france"]), list(shortest.experiments["france"])) == (
        ["temporal", "pub"],
        ["temporal"],
    )
    assert (list(short.models), list(shortest.models)) == (["hbv", "lstm"], ["hbv"])
    assert shortest.training.patience == Training().patience


def test_what_was_removed_can_be_put_back(config):
    model = {"kind": "climatology", "label": "seasonal cycle"}
    folder = config(
        without={"models": {"prms": None}, **FRANCE},
        back={"extends": "without", "models": {"prms": model}},
    )
    used = {"experiments": {"france": {"temporal": {"models": ["prms"]}}}}
    with pytest.raises(ConfigError, match="'prms' is not among the models"):
        read_study(folder, {"study": "without", **used})
    assert read_study(folder, {"study": "back", **used}).models["prms"].label == "seasonal cycle"


def test_command_line_wins_over_every_file(config):
    folder = config(long={"seeds": [0]}, short={"extends": "long", "seeds": [1]})
    assert read_study(folder, {"study": "short", "seeds": [2]}).seeds == [2]


@pytest.mark.parametrize(
    ("studies", "parts"),
    [
        (
            {"a": {"extends": "b"}, "b": {"extends": "c"}, "c": {"extends": "a"}},
            ["c.yaml: extends", "a -> b -> c -> a"],
        ),
        ({"a": {"extends": "a"}}, ["a.yaml: extends", "a -> a"]),
        ({"a": {"extends": "nowhere"}}, ["a.yaml: extends", "'nowhere'", "there are a"]),
        ({"a": {"extends": "b"}, "b": {"training": {"stepz": 1}}}, ["training.stepz", "unknown key"]),
    ],
)
def test_what_cannot_be_extended_is_refused(config, studies, parts):
    with pytest.raises(ConfigError) as caught:
        read_study(config(**studies), {"study": "a"})
    for part in parts:
        assert part in str(caught.value)


# The plan of a full grid

RECORD = ["1999-01-01", "2018-12-31"]
TEMPORAL = {"kind": "temporal", "train": ["1999-01-01", "2008-12-31"], "test": ["2009-01-01", "2018-12-31"]}
OPEN = {"train": RECORD, "test": RECORD, "validation": "none"}
EXPERIMENTS = {
    "temporal": TEMPORAL,
    "pub": {"kind": "ungauged_basins", "folds": 10, **OPEN},
    "pur": {"kind": "ungauged_regions", "folds": 7, **OPEN},
    **{half: {"kind": "differential", "train_on": half, **OPEN} for half in ("wet", "dry", "cold", "warm")},
    "extremes": {"kind": "extremes", **OPEN},
    **{f"share-{percent}": {**TEMPORAL, "training_share": percent / 100} for percent in (10, 25, 50)},
    **{f"years-{years}": {**TEMPORAL, "training_years": years} for years in (1, 3, 5)},
}
PROCESS = {"kind": "process", "label": "a process", "components": 2}


def grid(domains, models, experiments):
    """A study in which every model is in every experiment of every domain, and nothing else is done."""
    names = list(models)
    return {
        "seeds": [0],
        "domains": {domain: {"kind": "france"} for domain in domains},
        "models": models,
        "experiments": {
            domain: {name: {**settings, "models": names} for name, settings in experiments.items()}
            for domain in domains
        },
    }


def workflow_with(study, folder):
    """A copy of the workflow with a study named grid."""
    for name in ("Snakefile", "profiles", "workflow", "config", "src"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "config/studies/grid.yaml").write_text(yaml.safe_dump(study))
    return folder


def snakemake(folder, *arguments, config=(), before=()):
    """Snakemake on the copy, whose own sources it imports; ``before`` are folders in which programs are looked for first."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile"), *arguments]
    path = os.pathsep.join([*map(str, before), str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": path, "HOME": str(folder)}
    return subprocess.run(
        [*command, "--config", "study=grid", *config], capture_output=True, text=True, cwd=folder, env=environment
    )


def planned(result):
    """Rule -> number of jobs, of a dry run."""
    text = result.stdout + result.stderr
    assert result.returncode == 0, text
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", text, flags=re.MULTILINE)}


def children_seconds():
    """CPU time of finished child processes: what planning takes of a core that is not shared."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.long
def test_a_grid_of_twelve_models_and_fourteen_experiments_on_two_domains_is_planned_in_half_a_minute(tmp_path):
    models = {f"process-{number}": {**PROCESS, "hidden": 8 + number} for number in range(9)}
    models |= {f"lstm-{number}": {"kind": "sequence", "label": "LSTM", "hidden": 8 + number} for number in range(3)}
    folder = workflow_with(grid(["one", "two"], models, EXPERIMENTS) | {"training_jobs": "model"}, tmp_path)
    before = children_seconds()
    jobs = planned(snakemake(folder, "--dry-run", "--quiet", "rules"))
    seconds = children_seconds() - before
    assert jobs["train"] == 2 * len(EXPERIMENTS) * len(models) == 336
    assert jobs["split"] == jobs["score"] == 2 * len(EXPERIMENTS)
    assert sum(name.startswith("simulate_") for name in jobs) == 2 * len(EXPERIMENTS)
    assert seconds < 30


def test_one_job_trains_all_models_of_an_experiment_unless_the_profile_of_a_cluster_asks_for_one_each(tmp_path):
    models = {"one": PROCESS, "two": PROCESS, "climatology": {"kind": "climatology", "label": "climatology"}}
    folder = workflow_with(grid(["france"], models, {"temporal": TEMPORAL}), tmp_path)
    jobs = planned(snakemake(folder, "--dry-run", "--quiet", "rules"))
    assert jobs["train_france_temporal"] == 1 and "train" not in jobs

    cluster = folder / "profiles/slurm/config.yaml"
    cluster.write_text(cluster.read_text().replace("executor: slurm", ""))  # its plugin is not needed to plan
    jobs = planned(snakemake(folder, "--dry-run", "--quiet", "rules", "--profile", "profiles/slurm"))
    assert jobs["train"] == 2 and "train_france_temporal" not in jobs


def test_an_experiment_may_have_seeds_of_its_own(tmp_path):
    experiments = {"temporal": {**TEMPORAL, "seeds": [3, 4]}, "years-5": {**TEMPORAL, "training_years": 5}}
    folder = workflow_with(grid(["france"], {"process": PROCESS}, experiments), tmp_path)
    result = snakemake(folder, "--dry-run", "--printshellcmds")
    commands = re.findall(r"thalweg step train .*", result.stdout + result.stderr)
    seeds = {"temporal" if "/temporal " in command else "years-5": _seeds(command) for command in commands}
    assert seeds == {"temporal": [3, 4], "years-5": [0]}


def _seeds(command):
    return json.loads(re.search(r'"seeds": *(\[[^]]*\])', command).group(1))


def test_folds_are_held_against_each_other_where_there_are_several(tmp_path):
    folds = {"kind": "ungauged_basins", "folds": 3, **OPEN}
    folder = workflow_with(
        grid(["france"], {"p": PROCESS}, {"pub": folds, "one": {**folds, "tested_folds": 1}}), tmp_path
    )
    assert planned(snakemake(folder, "--dry-run", "--quiet", "rules"))["analysis_parameters"] == 1


@pytest.mark.parametrize("name", ["default", "camels-us", "camels-us-short", "france"])
def test_a_claim_of_losing_less_compares_trainings_that_were_as_long_and_as_many(name):
    study = read_study(ROOT / "config", {"study": name})
    for claim in study.claims.values():
        if claim.kind != "more_robust" or claim.experiment.split("/")[0] not in study.experiments:
            continue
        before, after = (
            study.experiments[domain][experiment]
            for domain, experiment in (place.split("/") for place in (claim.baseline, claim.experiment))
        )
        assert before.seeds == after.seeds, claim.text
        for model in (claim.model, claim.reference):
            assert study.training_of(model, before) == study.training_of(model, after), claim.text


@pytest.mark.parametrize("name", ["default", "camels-us", "camels-us-short", "france"])
def test_the_models_of_a_study_can_be_told_apart_in_one_figure(name):
    study = read_study(ROOT / "config", {"study": name})
    compared = {
        model for experiments in study.experiments.values() for each in experiments.values() for model in each.models
    }
    assert set(looks(compared, {key: model.label for key, model in study.models.items()})) == compared


# What is left when a part fails

PRETENDS = """#!/bin/sh
# Makes every file that it is asked to write, but for the training of one model, which fails.
[ "$1" = fetch ] && { mkdir -p "data/$2"; : > "data/$2/dataset.json"; exit; }
if [ "$2" = train ]; then
  model=$(expr "$*" : '.*--settings {"\\([a-z]*\\)"') folder=$(expr "$*" : '.*--output \\([^ ]*\\)')
  [ "$model" = broken ] && { echo "no memory is left" >&2; exit 1; }
  mkdir -p "$folder" && : > "$folder/$model.safetensors" && : > "$folder/$model.csv"
  exit
fi
for path in "$@"; do
  case "$path" in results/*) mkdir -p "$(dirname "$path")"; [ -e "$path" ] || : > "$path";; esac
done
"""


@pytest.mark.long
def test_a_training_that_fails_leaves_the_others_usable_and_only_it_is_made_again(tmp_path):
    models = {"sound": PROCESS, "broken": PROCESS, "climatology": {"kind": "climatology", "label": "climatology"}}
    folder = workflow_with(grid(["france"], models, {"temporal": TEMPORAL}) | {"training_jobs": "model"}, tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "thalweg").write_text(PRETENDS)
    (programs / "thalweg").chmod(0o755)
    table = "results/grid/tables/summary.csv"

    failed = snakemake(folder, table, "--cores", "1", "--keep-going", before=[programs])
    assert failed.returncode != 0
    assert "no memory is left" in failed.stdout + failed.stderr
    assert {path.stem for path in folder.glob("results/grid/models/france/temporal/*.safetensors")} == {"sound"}
    assert not (folder / table).exists()

    dry_run = (table, "--dry-run", "--quiet", "rules")
    without = ["experiments={france: {temporal: {models: [sound, climatology]}}}"]
    after = {"simulate_france_temporal": 1, "score": 1, "summarise": 1}
    assert planned(snakemake(folder, *dry_run, config=without)) == {**after, "total": 3}
    assert planned(snakemake(folder, *dry_run)) == {"train": 1, **after, "total": 4}
