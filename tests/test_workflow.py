"""The workflow: what reruns when code or configuration changes, its lint, its commands."""

import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from thalweg.cli import STEPS, VERBS, main
from thalweg.storage.fingerprint import closure, fingerprint

ROOT = Path(__file__).parents[1]
QUESTIONS = {  # analyses of trained models and of their simulations, in a study without ten years of test
    "analysis_elasticity",
    "analysis_internal_fluxes",
    "analysis_parameters",
    "analysis_flood_peaks",
    "analysis_intervals",
}
SMALL = ["--config", "study=smoke"]


def snakemake(*arguments, folder=ROOT, **options):
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the workflow with every output of the smoke study marked as made, without making it."""
    folder = tmp_path_factory.mktemp("workflow")
    for name in ("Snakefile", "profiles", "workflow", "config", "src"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    for line in run_in(folder, "--summary").stdout.splitlines()[1:]:
        path = folder / line.split("\t")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    done = run_in(folder, "--touch", "--forceall", "--cores", "1")
    assert done.returncode == 0, done.stderr
    assert changed_params(run_in(folder, "-n")) == set()
    return folder


def run_in(folder, *arguments, config=()):
    """Snakemake on the copy, whose own sources it imports."""
    environment = {
        "PYTHONPATH": str(folder / "src"),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(folder),
    }
    return snakemake(*arguments, *SMALL, *config, folder=folder, env=environment)


def changed_params(result):
    """The rules that a dry run wants to rerun because their params changed (settings or code).

    A rule that reruns because another one makes its input anew is not named, whether or not its own params changed.
    """
    text = result.stdout + result.stderr
    assert result.returncode == 0, text
    section = re.search(r"params have changed[^\n]*:\n\s+([^\n]+)", text)
    return {stage(name) for name in section.group(1).split(", ")} if section else set()


def stage(rule):
    """A rule's name without the experiment that it is of, where there is a rule for each."""
    return re.match(r"simulate|analysis_(elasticity|internal_fluxes)|.*", rule)[0]


@contextmanager
def edited(folder, module, change):
    """A module of the copy, changed for a while."""
    path = folder / "src" / "thalweg" / module
    before = path.read_text()
    path.write_text(change(before))
    try:
        yield
    finally:
        path.write_text(before)


@pytest.mark.long
@pytest.mark.parametrize(
    ("module", "rules"),
    [
        (
            "metrics/scores.py",
            {"configuration", "score", "score_estimates", "canopy", "twin_priors", "analysis_signatures"} | QUESTIONS,
        ),
        ("evaluation/score.py", {"score", "score_estimates"}),
        ("experiments/splits/__init__.py", {"split"}),
        ("experiments/splits/extremes.py", {"split"}),
        ("evaluation/claims.py", {"claims"}),
        ("experiments/cost.py", {"cost"}),
        ("learn/train.py", {"train", "twin_priors"}),
        ("learn/losses/nse_batch.py", {"train", "twin_river", "twin_priors"}),
        ("learn/losses/log_likelihood.py", {"train"}),
        ("processes/runoff/gr4j.py", {"train", "twin_priors"}),
        ("processes/water_quality/nitrogen.py", {"train"}),
        ("processes/runoff/sac_sma.py", set()),
        ("experiments/ensemble.py", {"simulate"}),
        ("analysis/river.py", {"analysis_river"}),
        ("analysis/roughness.py", {"analysis_river"}),
        ("analysis/loads.py", {"analysis_loads"}),
        ("datasets/susquehanna.py", {"domain"}),
        ("figures/skill_map.py", {"figure_skill_map"}),
        ("datasets/davos.py", {"canopy"}),
        ("storage/fetch.py", {"fetch", "leaf_twin"}),
    ],
)
def test_editing_a_module_reruns_the_rules_whose_verb_imports_it(finished, module, rules):
    with edited(finished, module, lambda text: text + "\n\nCHANGED = 1\n"):
        assert changed_params(run_in(finished, "-n")) == rules


@pytest.mark.long
def test_a_comment_or_docstring_reruns_nothing(finished):
    with edited(
        finished,
        "experiments/splits/__init__.py",
        lambda text: "# a remark\n" + text.replace('"""Splits:', '"""The splits:'),
    ):
        assert changed_params(run_in(finished, "-n")) == set()


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "first"),
    [
        (
            "evaluation={bootstrap_samples: 77}",
            {"configuration", "canopy"} | QUESTIONS,
        ),
        ("models={stream-lstm: {hidden: 9}}", {"configuration", "train"}),
        ("evaluation={minimum_samples: 19}", {"configuration", "score", "score_estimates"}),
        ("evaluation={sample_compared: [RMSE]}", {"configuration", "summarise"}),
        ("leaf={hidden: 15}", {"configuration", "leaf", "leaf_twin"}),
        (
            "evaluation={minimum_days: 299 days}",
            {"configuration", "score", "score_estimates", "analysis_signatures", *QUESTIONS} - {"analysis_flood_peaks"},
        ),
        ("models={climatology: {smoothing: 15 days}}", {"configuration", "simulate"}),
        ("models={lstm: {hidden: 17}}", {"configuration", "train"}),
        ("experiments={delaware: {pub: {validation_share: 0.2}}}", {"configuration", "split"}),
        ("domains={susquehanna: {minimum_days: 999 days}}", {"configuration", "domain"}),
        ("threads=2", {"configuration"}),
    ],
)
def test_changing_a_key_reruns_the_rules_that_read_it(finished, change, first):
    assert changed_params(run_in(finished, "-n", config=[change])) == first


def test_a_wrong_configuration_stops_before_the_plan():
    result = snakemake("-n", "--config", "training={window: 12 km2}")
    assert result.returncode != 0
    assert "training.window" in result.stdout + result.stderr


def test_lint():
    """Clean but for one finding, which a comment in the Snakefile answers."""
    result = snakemake("--lint", "text")
    findings = {line for line in (result.stdout + result.stderr).splitlines() if line.startswith("    * ")}
    assert findings <= {"    * Specify a conda environment or container for each rule.:"}


def test_the_snakefile_is_short():
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 90


def test_help_is_fast_and_explains_every_verb():
    start = time.monotonic()
    result = subprocess.run([sys.executable, "-m", "thalweg.cli", "--help"], capture_output=True, text=True)
    assert time.monotonic() - start < 0.5 + interpreter_seconds()
    assert all(verb in result.stdout for verb in VERBS)


def interpreter_seconds():
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - start


@pytest.mark.parametrize("verb", [*VERBS, *(f"step {step}" for step in STEPS)])
def test_every_verb_explains_itself(verb, capsys):
    words = verb.split()
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    assert (VERBS | STEPS)[words[-1]].split()[0] in capsys.readouterr().out


def test_a_fingerprint_covers_what_is_imported_and_no_more():
    assert "thalweg.learn.train" in closure("thalweg.cli.steps.train")
    assert "thalweg.integrate.fused" in closure("thalweg.cli.steps.train")
    assert "thalweg.processes.runoff.hbv" in closure("thalweg.cli.steps.twin_river")
    assert "thalweg.learn.losses.nse_batch" not in closure("thalweg.cli.steps.train")
    assert "thalweg.processes.runoff.hbv" not in closure("thalweg.cli.steps.train")
    assert "thalweg.metrics.scores" not in closure("thalweg.cli.steps.train")
    assert "thalweg.learn.train" not in closure("thalweg.cli.steps.domain")
    assert fingerprint("thalweg.cli.steps.train") == fingerprint("thalweg.cli.steps.train")
    with pytest.raises(ValueError, match=r"no module 'thalweg\.nowhere'"):
        fingerprint("thalweg.nowhere")
