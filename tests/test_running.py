"""Running a study: what a person sees of it, and what happens after it was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch

from thalweg.cli import STEPS, main
from thalweg.cli.screen import duration, last_lines
from thalweg.cli.workflow_lock import Locked, release, running
from thalweg.experiments.cost import ALL
from thalweg.experiments.progress import Work
from thalweg.learn import checkpoint, optimisers
from thalweg.settings.blocks import Split, Training
from thalweg.storage.locks import Process, exclusive, read_process, write_process
from thalweg.storage.store import write_netcdf

PROFILE = "rerun-incomplete: true\nkeep-going: true\n"
SNAKEFILE = """
RESULTS = f"results/{config['study']}"

rule all:
    default_target: True
    input: f"{RESULTS}/bad.txt", expand(f"{RESULTS}/{{name}}.txt", name=["a", "b"])

rule make:
    output: f"{RESULTS}/{{name}}.txt"
    log: f"{RESULTS}/logs/{{name}}.log"
    message: "Making {wildcards.name}"
    shell: "sleep {config[seconds]}; touch {output}"

rule bad:
    output: f"{RESULTS}/bad.txt"
    log: f"{RESULTS}/logs/bad.log"
    shell: "(echo first; printf '10%%\\\\r100%%\\\\n'; echo ValueError) > {log}; touch {output}; exit {config[code]}"
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a small workflow, in which the test works."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "profiles/default").mkdir(parents=True)
    (tmp_path / "profiles/default/config.yaml").write_text(PROFILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*words, seconds=0, code=0):
    settings = ["--config", f"seconds={seconds}", f"code={code}"]
    return [sys.executable, "-m", "thalweg.cli", "study", *(words or ("small",)), "--cores", "2", "--", *settings]


def study(*words, **settings):
    """Run ``thalweg study`` to its end."""
    return subprocess.run(command(*words, **settings), capture_output=True, text=True, timeout=120)


def until(condition, seconds=60):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def begun(project):
    """A study that is running; its processes are ended with the test."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command(seconds=600), start_new_session=True, **quiet)
    until(lambda: list(project.glob(".snakemake/locks/*.lock")))
    yield process
    with suppress(ProcessLookupError):  # where the test has ended it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# What is seen of a run


def test_a_run_without_a_terminal_is_a_line_per_job_and_the_report(project):
    result = study()
    assert result.returncode == 0, result.stderr
    assert "4 jobs to run" in result.stderr
    assert "Making a (0 s)" in result.stderr and "[4/4 jobs, 100%]  all" in result.stderr
    assert not {"\r", "\x1b"} & set(result.stderr)
    assert (project / "results/small/report.html").exists()
    assert "results/small/report.html" in result.stdout


def test_a_failure_is_shown_with_its_rule_and_the_end_of_its_log_and_ends_the_command(project):
    result = study(code=3)
    assert result.returncode == 1
    assert "FAILED: rule bad" in result.stderr and "results/small/logs/bad.log" in result.stderr
    assert "    first\n    100%\n    ValueError\n" in result.stderr
    assert "Making b" in result.stderr, "the others go on"
    assert result.stderr.rstrip().endswith("Failed jobs: 1\n  bad results/small/logs/bad.log")
    assert not (project / "results/small/report.html").exists()


def test_what_follows_two_dashes_goes_to_snakemake(project):
    result = subprocess.run([*command(), "-n"], capture_output=True, text=True)
    assert result.returncode == 0 and "This was a dry-run" in result.stderr
    assert not (project / "results").exists()


def test_outside_a_project_there_is_a_message(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["study", "small"])
    assert "no Snakefile" in capsys.readouterr().err


def test_the_last_lines_of_a_log_are_those_that_stood_there_last(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"\n".join(b"line %d" % i for i in range(30)) + b"\n 1%\r 50%\r100%\n\n")
    assert last_lines(log)[-2:] == ["line 29", "100%"] and len(last_lines(log)) == 20
    assert "No such file" in last_lines(tmp_path / "none")[0]


def test_durations_in_words():
    assert [duration(seconds) for seconds in (3.4, 99, 240, 7500)] == ["3 s", "99 s", "4 min", "2 h 05 min"]


# How much is left


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_rest_is_estimated_from_the_jobs_done(tmp_path):
    clock = Clock()
    work = Work({"split": 4, "figure": 2}, tmp_path, cores=2, clock=clock)
    assert work.total == 6 and work.share() == 0 and work.remaining_seconds() == 15  # six unknown ones, two at a time
    work.start(1, "split")
    work.start(2, "split")
    clock.now = 2.0
    assert work.finish(1) == work.finish(2) == 2.0
    assert work.done == 2 and work.remaining_seconds() == (2 * 2 + 2 * 5) / 2
    assert work.share() == pytest.approx(4 / 18)
    work.start(3, "figure")
    work.fail(3)
    assert work.remaining_seconds() == 5  # the longest job is more than half of the rest
    work.start(3, "figure")
    assert work.remaining_seconds() == 7


def test_trainings_are_long_and_known_one_by_one(tmp_path):
    results, clock = tmp_path / "results", Clock()
    training = {"kind": "process", "training": {}}
    experiment = {"folds": 1, "models": ["hbv", "lstm"], "training": {}}
    settings = {"seeds": [0], "training": {"steps": 1000}, "models": dict.fromkeys(experiment["models"], training)}
    results.mkdir()
    (results / "config.yaml").write_text(json.dumps(settings | {"experiments": {"a": {"b": experiment}}}))
    work = Work({"train": 2, "score": 2}, results, cores=1, clock=clock)
    assert work.remaining_seconds() == 2 * 100 + 2 * 5  # nothing is known but the number of steps

    cost = tmp_path / "cost.csv"
    columns = ["domain", "experiment", "model", "wall_seconds", "seconds_per_training"]
    rows = [["a", "b", "hbv", 45, 40.0], ["a", "b", "lstm", 25, 20.0], ["a", ALL, "leaf", 30, None]]
    pd.DataFrame(rows, columns=columns).to_csv(cost, index=False)
    assert Work({"train": 2}, results, cost, clock=clock).remaining_seconds() == 40 + 20
    assert Work({"train": 2, "leaf": 1}, results, cost, cores=4, clock=clock).remaining_seconds() == 40  # the longest
    together = Work({"train_a_b": 1, "leaf": 1}, results, cost, cores=4, clock=clock)  # one job trains both models
    assert together.remaining_seconds() == 40 + 20
    together.start(1, "train_a_b")
    clock.now = 7.0
    assert together.finish(1) == 7.0 and together.remaining_seconds() == 30
    clock.now = 0.0
    log = pd.DataFrame({"fold": [0], "seed": [0], "step": [900], "validation_loss": [0.5], "seconds": [80.0]})
    (results / "models/a/b").mkdir(parents=True)
    log.to_csv(results / "models/a/b/hbv.csv", index=False)
    assert Work({"train": 1}, results, cost, clock=clock).remaining_seconds() == 2 * 20  # a machine half as fast


# Locks of Snakemake


def test_a_run_that_was_killed_is_taken_up_and_its_lock_released(project, begun):
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    assert list(project.glob(".snakemake/locks/*.lock"))
    result = study()
    assert result.returncode == 0, result.stderr
    assert f"Released the lock of the study small, whose run has ended (process {begun.pid} on" in result.stdout
    assert not list(project.glob(".snakemake/locks/*.lock")) and not list(project.glob(".snakemake/thalweg/*"))


def test_a_study_that_is_being_run_is_not_run_twice(project, begun):
    for action in ("run", "unlock"):
        result = study("small", action)
        assert result.returncode == 1
        assert f"the study small is already running in process {begun.pid} on" in result.stderr
        assert f"kill {begun.pid}" in result.stderr
    assert begun.poll() is None


def test_another_study_runs_beside_it(project, begun):
    result = study("other")
    assert result.returncode == 0, result.stderr
    assert "Released" not in result.stdout and begun.poll() is None


def test_the_lock_of_another_machine_is_released_only_when_that_is_wanted(project, capsys):
    write_lock(project, "small")
    record = project / ".snakemake/thalweg/small.json"
    write_process(record, Process(1, 0.0, "elsewhere"))
    with pytest.raises(Locked, match=r"process 1 on elsewhere, started .*thalweg study small unlock"):
        release("small")
    release("other")
    assert record.exists()
    release("small", force=True)
    assert not record.exists() and not list(project.glob(".snakemake/locks/*"))
    assert "process 1 on elsewhere" in capsys.readouterr().out


def test_a_number_that_the_system_gave_again_is_another_process(project):
    write_lock(project, "small")
    mine = Process.of(psutil.Process())
    write_process(project / ".snakemake/thalweg/small.json", Process(mine.pid, mine.started - 1000, mine.host))
    with running("small"):
        assert read_process(project / ".snakemake/thalweg/small.json") == mine


def test_a_lock_without_a_record_is_released_unless_snakemake_works_in_the_folder(project):
    write_lock(project, "small")
    plain = [sys.executable, "-m", "snakemake", "--cores", "1", "--config", "study=plain", "seconds=20", "code=0"]
    process = subprocess.Popen(plain, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: (project / "results/plain").exists())
        with pytest.raises(Locked, match=rf"process {process.pid} on"):
            release("small")
    finally:
        process.kill()
        process.wait()
    release("small")
    assert not list(project.glob(".snakemake/locks/*"))


def write_lock(folder, name):
    """The lock that a run of a study leaves."""
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.output.lock").write_text(f"results/{name}/a.txt\n")


# A lock that the kernel releases

HOLD = """
import sys, time
from thalweg.storage.locks import exclusive
with exclusive(sys.argv[1], "training", every=0.2):
    print("holds", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def test_a_second_process_waits_for_the_first_until_it_is_killed(tmp_path):
    lock = str(tmp_path / "folder/running.lock")
    with hold(lock, 60) as first:
        assert first.stdout.readline() == "holds\n"
        with hold(lock, 0) as second:
            line = second.stderr.readline()
            assert f"training is already running in process {first.pid} on" in line and "waiting" in line
            assert second.poll() is None
            first.kill()
            assert second.stdout.readline() == "holds\n" and second.wait(10) == 0


def test_a_file_system_without_locks_is_said_and_does_not_stop(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("thalweg.storage.locks.fcntl.flock", refuse)
    with exclusive(tmp_path / "running.lock", "training a/b/hbv"):
        pass
    assert "no locks (No locks available); training a/b/hbv continues without one" in capsys.readouterr().err


def hold(path, seconds):
    words = [sys.executable, "-c", HOLD, path, str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# A training whose process outlives Snakemake

JOB = {
    "model": {"kind": "process", "label": "", "process": "concentration_discharge", "components": 1, "hidden": 8},
    "variables": {"nitrate": 1.0},
    "seeds": [0],
    "validation_share": 0.2,
    "device": "cpu",
}
TRAINS = """
rule all:
    default_target: True
    input: "results/small/curve.safetensors"

rule train:
    input: "domain.nc", "splits.csv", "job.json"
    output: "results/small/curve.safetensors", "results/small/curve.csv"
    log: "train.log"
    shell:
        "thalweg step train --domain {input[0]} --splits {input[1]} --settings \\"$(cat {input[2]})\\""
        " --checkpoints checkpoints --names synthetic later --output results/small 2>> {log}"
"""


@pytest.mark.long
def test_a_training_whose_process_outlives_snakemake_is_not_started_twice(project, sites):
    (project / "Snakefile").write_text(TRAINS)
    write_netcdf(sites.to_tree(), "domain.nc", {})
    spans = {"train": ("2000-01-01", "2001-12-31"), "test": ("2002-01-01", "2002-06-18")}
    split = Split(
        kind="temporal", variable="nitrate", validation="period", validation_share=0.2, minimum_values=10, **spans
    )
    main(["step", "split", "--domain", "domain.nc", "--settings", split.model_dump_json(), "--output", "splits.csv"])
    training = Training(steps=4000, patience=1000, window="200 days", spin_up="60 days", climate_attributes=False)
    training = training.model_dump(mode="json") | {"loss": "log_likelihood", "logarithmic_attributes": True}
    (project / "job.json").write_text(json.dumps({"curve": JOB | {"training": training}}))

    first = subprocess.Popen(command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: read_process("checkpoints/curve/running.lock"))
    orphan = read_process("checkpoints/curve/running.lock")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert orphan.alive
    result = study()
    assert result.returncode == 0, result.stderr
    assert "Released the lock of the study small" in result.stdout
    waited = f"training synthetic/later/curve is already running in process {orphan.pid} on"
    assert waited in Path("train.log").read_text() and not orphan.alive

    weights, values = checkpoint.load("results/small/curve.safetensors")
    words = ["--domain", "domain.nc", "--splits", "splits.csv", "--settings", (project / "job.json").read_text()]
    words += ["--names", "synthetic", "later", "--output", "alone"]
    main(["step", "train", *words, "--checkpoints", "others"])
    alone, same = checkpoint.load("alone/curve.safetensors")
    assert values == same and all(torch.equal(tensor, alone[name]) for name, tensor in weights.items())


# What steps import

HEAVY = {"torch", "scipy.signal", "scipy.stats", "scipy.cluster", "matplotlib", "numba", "pint", "geopandas"}
LEARNING = {"train", "simulate", "twin_river", "leaf", "canopy", "twin_priors"}


def loaded(modules):
    """The heavy modules that importing some modules loads."""
    code = f"import {', '.join(modules)}, sys; print(*({HEAVY} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_steps_that_train_nothing_import_neither_torch_nor_statistics_nor_units():
    assert loaded(f"thalweg.cli.steps.{step}" for step in set(STEPS) - LEARNING - {"draw", "explorer"}) == set()


def test_steps_that_train_import_no_statistics():
    assert loaded(f"thalweg.cli.steps.{step}" for step in LEARNING) <= {"torch", "numba", "pint"}


def test_figures_import_matplotlib_and_neither_torch_nor_statistics():
    names = sorted(path.stem for path in (Path(__file__).parents[1] / "src/thalweg/figures").glob("[a-z]*.py"))
    assert loaded(f"thalweg.figures.{name}" for name in names if name != "rain_grid") <= {"matplotlib", "pint"}


def test_optimisers_take_the_steps_of_torch_and_leave_its_compiler_alone():
    code = "import sys, torch; from thalweg.learn.optimisers import Adam; optimiser = Adam([torch.zeros(1).requires_grad_()]);"
    code += "optimiser.zero_grad(); optimiser.step(); sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    for kind in ("Adam", "AdamW", "Adadelta"):
        ours, theirs = fitted(getattr(optimisers, kind)), fitted(getattr(torch.optim, kind))
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs))


def fitted(kind):
    """Weights after some steps of an optimiser, whose state was stored and restored on the way."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
    optimiser = kind(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 20)
    for _ in range(20):
        optimiser.zero_grad()
        model(torch.randn(4, 5)).square().sum().backward()
        optimiser.step()
        schedule.step()
        optimiser.load_state_dict(optimiser.state_dict())
    return list(model.parameters())
