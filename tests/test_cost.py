"""What experiments cost and how far trainings are, from made-up benchmark files, logs and checkpoints."""

import math
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from thalweg.cli import main
from thalweg.experiments.cost import ALL, cost, stages
from thalweg.experiments.priority import training_seconds
from thalweg.experiments.progress import NoStudy, progress
from thalweg.learn import checkpoint
from thalweg.settings.files import read_study

ROOT = Path(__file__).parents[1]

USED = ("seconds", "cpu_seconds", "peak_memory_MB")  # by a training until then
HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(results, job, run, seconds, memory, processor):
    path = results / "benchmarks" / job / f"{run}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:09\t{memory}\t1\t1\t1\t1\t1\t88\t{processor}\n")


def training_log(results, run, trainings, memory=600.0):
    """A log in which each (fold, seed) has the given steps and seconds at its end, and half of both before; nine tenths of the
    seconds are those of the processor."""
    path = results / "models" / f"{run}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        (fold, seed, step * part, 0.5 / part, seconds * part, 0.9 * seconds * part, memory * part)
        for (fold, seed), (step, seconds) in trainings.items()
        for part in (0.5, 1)
    ]
    table = pd.DataFrame(rows, columns=["fold", "seed", "step", "validation_loss", *USED])
    table.astype({"step": int}).to_csv(path, index=False)


# Cost


@pytest.fixture
def measured(tmp_path):
    benchmark(tmp_path, "train", "a/temporal", 35, 650, 30)
    benchmark(tmp_path, "simulate", "a/temporal", 5, 700, 4)
    training_log(tmp_path, "a/temporal/hbv", {(0, 0): (20, 8.0), (0, 1): (40, 20.0)})
    benchmark(tmp_path, "score", "a/temporal", 2, 100, 1)
    training_log(tmp_path, "b/pub/hbv", {(fold, 0): (10, 3.0) for fold in range(3)})
    return tmp_path


RUNS = [("a", "temporal", "hbv"), ("a", "temporal", "climatology"), ("b", "pub", "hbv")]


def test_cost_of_runs_experiments_and_the_grid(measured):
    table = cost(measured, RUNS).set_index(["domain", "experiment", "model"])
    assert list(table.index) == [RUNS[0], ("a", "temporal", ALL), RUNS[2], ("b", "pub", ALL), (ALL, ALL, ALL)]
    hbv = table.loc[RUNS[0]]
    assert (hbv.wall_seconds, hbv.cpu_seconds, hbv.peak_memory_MB) == (28, pytest.approx(25.2), 600)
    assert (hbv.trainings, hbv.steps, hbv.training_seconds, hbv.seconds_per_training) == (2, 60, 28, 14)
    experiment = table.loc["a", "temporal", ALL]
    assert (experiment.jobs, experiment.wall_seconds, experiment.cpu_seconds) == (3, 35, pytest.approx(30.2))
    grid = table.loc[ALL, ALL, ALL]
    assert (grid.trainings, grid.steps, grid.training_seconds, grid.peak_memory_MB) == (5, 90, 37, 700)
    assert grid.seconds_per_training == pytest.approx(37 / 5)


def test_what_was_not_measured_is_not_a_number_and_is_counted(measured):
    table = cost(measured, RUNS).set_index(["domain", "experiment", "model"])
    assert tuple(table.loc["b", "pub", ALL][["jobs", "jobs_measured", "wall_seconds"]]) == (3, 1, 9)
    (measured / "models/b/pub/hbv.csv").unlink()
    whole = cost(measured, RUNS).set_index(["domain", "experiment", "model"]).loc["b", "pub", ALL]
    assert (whole.jobs, whole.jobs_measured, whole.trainings) == (2, 0, 0)
    assert math.isnan(whole.wall_seconds) and math.isnan(whole.peak_memory_MB)


def test_what_is_not_trained_counts_in_the_simulation_of_its_experiment(tmp_path):
    benchmark(tmp_path, "simulate", "a/temporal", 2, 100, 1)
    table = cost(tmp_path, [RUNS[1]])
    assert table.model.tolist() == [ALL, ALL] and table.trainings.tolist() == [0, 0]
    assert table.wall_seconds.tolist() == [2, 2] and table.seconds_per_training.isna().all()


def test_stages_are_kinds_of_jobs(measured):
    benchmark(measured, "", "figure_skill_map", 3, 200, 2)
    benchmark(measured, "", "figure_claims", 4, 150, 3)
    benchmark(measured, "", "analysis_elasticity_a_temporal", 9, 250, 8)
    table = stages(measured).set_index("stage")
    assert set(table.index) == {"train", "simulate", "score", "figure", "analysis", ALL}
    assert tuple(table.loc["figure", ["jobs", "wall_seconds", "cpu_seconds", "peak_memory_MB"]]) == (2, 7, 5, 200)
    assert tuple(table.loc[ALL, ["jobs", "wall_seconds", "peak_memory_MB"]]) == (6, 58, 700)


def test_estimates_count_where_they_were_measured(measured):
    """A leaf study trains all its models in one job, without a log: its time counts, its trainings are not known."""
    benchmark(measured, "leaf", "leaf", 12, 300, 11)
    table = cost(measured, RUNS, [("leaf", "leaf"), ("canopy", "davos")]).set_index(["domain", "experiment", "model"])
    leaf, canopy, grid = table.loc["leaf", ALL, "leaf"], table.loc["davos", ALL, "canopy"], table.loc[ALL, ALL, ALL]
    assert (leaf.jobs_measured, leaf.wall_seconds, leaf.peak_memory_MB) == (1, 12, 300)
    assert (canopy.jobs, canopy.jobs_measured) == (1, 0) and pd.isna(canopy.wall_seconds)
    assert (grid.jobs, grid.wall_seconds, grid.trainings) == (8, 56, 5)
    assert pd.isna(leaf.trainings) and len(table) == 5 + 2


def test_a_job_too_short_for_its_memory_to_be_seen_keeps_its_time(tmp_path):
    benchmark(tmp_path, "simulate", "a/temporal", 0.2, "NA", "NA")
    row = cost(tmp_path, [RUNS[1]]).iloc[0]
    assert row.wall_seconds == 0.2 and row.jobs_measured == 1
    assert math.isnan(row.peak_memory_MB) and math.isnan(row.cpu_seconds)


def test_cost_needs_a_run(tmp_path):
    with pytest.raises(ValueError, match="no run with a cost"):
        cost(tmp_path, [])


def test_the_verb_writes_the_table_with_its_provenance(measured):
    output = measured / "tables/cost.csv"
    paths = ["--output", str(output), "--stages", f"{measured}/tables/stages.csv"]
    main(["step", "cost", "--results", str(measured), "--runs", *map("/".join, RUNS), *paths])
    assert (measured / "tables/stages.csv").exists()
    pd.testing.assert_frame_equal(pd.read_csv(output), cost(measured, RUNS), check_dtype=False)
    assert output.with_name("cost.csv.provenance.json").exists()


# Progress


def model(kind, **training):
    return {"kind": kind, "training": training}


STUDY = {
    "seeds": [0, 1],
    "training": {"steps": 100},
    "models": {"hbv": model("process"), "lstm": model("sequence", steps=200), "climatology": {"kind": "climatology"}},
    "experiments": {
        "a": {
            "temporal": {"folds": 1, "models": ["hbv", "climatology"], "training": {}},
            "pub": {"folds": 3, "tested_folds": 2, "models": ["hbv", "lstm"], "training": {}},
        }
    },
}


@pytest.fixture
def begun(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(STUDY))
    return tmp_path


def write_checkpoint(results, run, identity, fold, seed, step, seconds, best_loss, finished):
    values = {"step": step, "best_loss": best_loss, "finished": finished, "log": [{"step": step, "seconds": seconds}]}
    path = results / "checkpoints" / run / identity / f"fold{fold}-seed{seed}.safetensors"
    checkpoint.save(path, {"weight": torch.zeros(3)}, values)


def test_nothing_is_known_before_anything_was_written(begun):
    table = progress(begun)
    assert len(table) == 2 + 4 + 4  # two seeds, in pub with two tested folds; climatology is not trained
    assert not table.finished.any() and (table.seconds == 0).all() and table.remaining_seconds.isna().all()


def test_seeds_of_an_experiment_count_instead_of_those_of_the_study(tmp_path):
    temporal = STUDY["experiments"]["a"]["temporal"] | {"seeds": [5, 6, 7]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(STUDY | {"experiments": {"a": {"temporal": temporal}}}))
    assert progress(tmp_path).seed.tolist() == [5, 6, 7]


def test_progress_of_finished_begun_and_waiting_trainings(begun):
    training_log(begun, "a/temporal/hbv", {(0, 0): (80, 40.0), (0, 1): (100, 60.0)})
    write_checkpoint(begun, "a/pub/hbv", "new", 0, 0, 50, 30.0, 0.4, finished=True)
    write_checkpoint(begun, "a/pub/hbv", "new", 0, 1, 20, 10.0, 0.6, finished=False)
    table = progress(begun).set_index(["experiment", "model", "fold", "seed"])
    assert table.finished.sum() == 3
    assert table.loc["temporal", "hbv", 0, 1].best_loss == 0.5
    assert table.loc["pub", "hbv", 0, 1].step == 20
    assert table.loc["temporal", "hbv"].remaining_seconds.tolist() == [0, 0]
    assert table.loc["pub", "hbv"].remaining_seconds.tolist() == [0, 20, 30, 30]  # as long as the one that is finished
    mean = (40 + 60 + 30) / 3  # no LSTM is finished: as long as the others
    assert table.loc["pub", "lstm"].remaining_seconds.tolist() == pytest.approx([mean] * 4)
    assert table.loc["pub", "lstm"].steps.unique() == [200]


def test_before_the_first_end_the_pace_of_steps_tells_the_time(begun):
    write_checkpoint(begun, "a/pub/lstm", "new", 0, 0, 50, 10.0, 0.4, finished=False)
    table = progress(begun).set_index(["experiment", "model", "fold", "seed"])
    assert table.loc["pub", "lstm"].remaining_seconds.tolist() == [30, 40, 40, 40]
    assert table.loc["pub", "hbv"].remaining_seconds.tolist() == [20] * 4


def test_checkpoints_of_other_settings_do_not_count(begun):
    write_checkpoint(begun, "a/pub/hbv", "old", 0, 0, 90, 50.0, 0.1, finished=True)
    time.sleep(0.05)
    write_checkpoint(begun, "a/pub/hbv", "new", 1, 1, 30, 10.0, 0.7, finished=False)
    table = progress(begun).set_index(["experiment", "model", "fold", "seed"]).loc["pub", "hbv"]
    assert not table.finished.any()
    assert table.step.tolist() == [0, 0, 0, 30]


def test_the_verb_prints_a_line_per_run_and_the_total(begun, capsys, monkeypatch):
    (begun / "results").mkdir()
    (begun / "results/mine").symlink_to(begun)
    monkeypatch.chdir(begun)
    training_log(begun, "a/temporal/hbv", {(0, 0): (80, 40.0), (0, 1): (100, 60.0)})
    write_checkpoint(begun, "a/pub/hbv", "new", 0, 1, 20, 10.0, 0.6, finished=False)
    main(["study", "mine", "progress"])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "a/pub/hbv       0/4 trainings, best validation loss 0.600, 10 s spent, fold 0 seed 1 at step 20/100",
        "a/pub/lstm      0/4 trainings",
        "a/temporal/hbv  2/2 trainings, best validation loss 0.500, 2 min spent",
        "all             2/10 trainings, 2 min spent, about 6 min left, one job at a time",
    ]


def test_a_folder_without_a_study_is_named(tmp_path, capsys):
    with pytest.raises(NoStudy, match=r"config\.yaml is missing"):
        progress(tmp_path)


# Order


def test_the_longest_trainings_start_first_by_the_record_or_else_by_their_steps(tmp_path):
    study = read_study(ROOT / "config", {"study": "smoke"})
    guessed = training_seconds(study, tmp_path)
    assert guessed["cevennes-lez", "temporal"] == round(0.1 * (20 + 20))  # two models, one seed, one fold
    assert guessed["delaware", "pub"] == round(0.1 * 2 * (20 + 20 + 20))  # three models, two folds
    columns = ["domain", "experiment", "model", "training_seconds"]
    rows = [["delaware", "pub", "hbv", 30], ["delaware", "pub", ALL, 70.4], ["thames", "nitrate", ALL, None]]
    (tmp_path / "smoke/tables").mkdir(parents=True)
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "smoke/tables/cost.csv", index=False)
    recorded = training_seconds(study, tmp_path)
    assert recorded == guessed | {("delaware", "pub"): 70}
    assert max(recorded, key=recorded.get) == ("delaware", "pub")
