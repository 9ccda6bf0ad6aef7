"""Names of a study: what is found behind them, and which code a job has because of them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from thalweg import processes
from thalweg.cli import STEPS
from thalweg.experiments.code import code_of, modules_of
from thalweg.experiments.run import simulate_experiment, train_experiment
from thalweg.experiments.splits import make_splits
from thalweg.processes import Process
from thalweg.registry import ROOMS, RegistryError, load, module_of, names
from thalweg.schema import ConfigError, validated
from thalweg.settings.blocks import ProcessModel, Split, Training, TrainingJob
from thalweg.settings.twin import TwinPriorsStudy
from thalweg.storage.fingerprint import closure, fingerprint

SOURCE = Path(__file__).parents[1] / "src" / "thalweg"
BUCKET = '''"""A linear store."""

from thalweg.processes import Parameter, Process, State, Variable
from thalweg.processes.runoff.hbv import FORCINGS

from .rates import FASTEST


def bucket():
    def step(state, forcing, parameters):
        filled = state["store"] + forcing["precipitation"]
        runoff = parameters["k"] * filled
        return {"store": filled - runoff}, {"runoff": runoff}

    return Process(
        name="bucket",
        source="none",
        states=(State("store", 10.0, "mm", "water"),),
        parameters=(Parameter("k", 0.01, FASTEST, "1/day", "share that runs off"),),
        forcings=FORCINGS,
        fluxes=(Variable("runoff", "mm/day", "runoff"),),
        step=step,
    )
'''
ABSOLUTE = '''"""A mean absolute error."""

import torch


def absolute(simulated, observed, deviation):
    valid = ~torch.isnan(observed)
    return torch.where(valid, simulated - torch.nan_to_num(observed), 0.0).abs().sum() / valid.sum().clamp(min=1)
'''


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A package of one's own on the path, with a process and a loss."""
    folder = tmp_path_factory.mktemp("outside")
    package = folder / "own_priors"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rates.py").write_text("FASTEST = 0.5\n")
    (package / "stores.py").write_text(BUCKET)
    (package / "errors.py").write_text(ABSOLUTE)
    (package / "broken.py").write_text("import no_such_module_anywhere\n\n\ndef broken():\n    pass\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


# What is found


@pytest.mark.parametrize("name", names("process"))
def test_a_process_has_the_name_of_its_file(name):
    options = {"variable": "x", "unit": "mg/L", "low": 0.1, "high": 10.0} if name == "concentration_discharge" else {}
    process = processes.get(name, **options)
    assert isinstance(process, Process)
    assert process.name.split()[0] == name


@pytest.mark.parametrize("kind", ROOMS)
def test_every_name_leads_to_something(kind):
    for name in names(kind):
        found = load(kind, name)
        assert found.__name__.split(".")[-1] == name
        assert name == module_of(kind, name).split(".")[-1]


def test_options_reach_the_process():
    assert "C" not in processes.get("hbv", capillary_rise=False).parameter_names
    assert "C" in processes.get("hbv").parameter_names


def test_a_loss_declares_what_it_knows():
    assert [name for name in names("loss") if hasattr(load("loss", name), "censored")] == ["log_likelihood"]


def test_looking_up_imports_nothing(outside):
    lines = [
        "import sys",
        "from thalweg.registry import module_of",
        "print(module_of('process', 'gr4j'), module_of('process', 'own_priors.stores:bucket'))",
        "print([name for name in sys.modules if name.startswith(('thalweg.processes', 'own_priors', 'torch'))])",
    ]
    done = python("; ".join(lines), SOURCE.parent, outside)
    assert done.split("\n") == ["thalweg.processes.runoff.gr4j own_priors.stores", "[]"]


@pytest.mark.parametrize(
    ("kind", "name", "parts"),
    [
        ("process", "gr5j", ["unknown process 'gr5j'", "gr4j, hbv", "package.module:function"]),
        ("process", "flow_paths", ["unknown process 'flow_paths'"]),
        ("process", "../runoff/hbv", ["unknown process"]),
        ("loss", "_shared", ["unknown loss '_shared'", "kge, log_likelihood"]),
        ("process", "own priors:bucket", ["must be written as package.module:function"]),
        ("process", "no_priors.stores:bucket", ["no Python source of the module no_priors.stores", "PYTHONPATH"]),
        ("process", "own_priors.nothing:bucket", ["own_priors.nothing"]),
        ("process", "own_priors.stores:pail", ["stores.py has no pail"]),
        ("process", "own_priors.broken:broken", ["importing own_priors.broken failed", "no_such_module_anywhere"]),
    ],
)
def test_a_name_behind_which_there_is_nothing_is_refused(outside, kind, name, parts):
    with pytest.raises(RegistryError) as error:
        load(kind, name)
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (ProcessModel, {"label": "x", "process": "gr5j"}),
        (
            TwinPriorsStudy,
            {
                "domain": "x",
                "priors": ["hbv", "gr5j"],
                "train": ["2001-01-01", "2001-12-31"],
                "test": ["2002-01-01", "2002-12-31"],
            },
        ),
    ],
)
def test_settings_refuse_an_unknown_name_and_say_what_there_is(model, values):
    with pytest.raises(ConfigError, match=r"(process|priors\.1): unknown process 'gr5j'; available: .*gr4j, hbv"):
        validated(model, values)


# The code behind a job


def python(command, *folders):
    """What a new interpreter prints that finds modules in some folders first."""
    done = subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(map(str, folders)), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


CODES = """
import json
from thalweg.cli import STEPS
from thalweg.experiments.code import code_of
step = "thalweg.cli.steps."
codes = {name: code_of(step + name) for name in STEPS}
for process in PROCESSES:
    codes[process] = code_of(step + "train", {"model": {"process": process}, "training": {"loss": "nse_batch"}})
for loss in LOSSES:
    codes[loss] = code_of(step + "train", {"model": {"kind": "sequence"}, "training": {"loss": loss}})
codes["twin_priors"] = code_of(step + "twin_priors", {"priors": ["hbv", "gr4j"], "training": {"loss": "kge"}})
print(json.dumps(codes))
"""


@pytest.fixture
def changed(tmp_path):
    """A function: the jobs whose code is another after a file of a copy of the package was written."""
    shutil.copytree(SOURCE, tmp_path / "thalweg", ignore=shutil.ignore_patterns("__pycache__"))
    command = CODES.replace("PROCESSES", repr(names("process"))).replace("LOSSES", repr(names("loss")))

    def codes():
        return json.loads(python(command, tmp_path))

    before = codes()

    def after(file, change):
        path = tmp_path / "thalweg" / file
        old = path.read_text() if path.exists() else None
        path.write_text(change(old))
        try:
            return {job for job, code in codes().items() if code != before[job]}
        finally:
            path.unlink() if old is None else path.write_text(old)

    return after


def test_editing_a_process_or_loss_changes_the_code_of_the_jobs_that_name_it(changed):
    def edit(text):
        return text + "\n\nCHANGED = 1\n"

    assert changed("processes/runoff/gr4j.py", edit) == {"gr4j", "twin_priors"}
    assert changed("processes/water_quality/nitrogen.py", edit) == {"nitrogen"}
    # the others take routines of HBV, and the steps twin_river and canopy name it themselves
    assert (
        {"hbv", "gr4j", "hbv_canopy", "twin_river"}
        <= changed("processes/runoff/hbv.py", edit)
        <= set(names("process"))
        | {
            "twin_river",
            "canopy",
            "twin_priors",
        }
    )
    assert changed("learn/losses/rmse_combination.py", edit) == {"rmse_combination"}
    assert changed("learn/losses/kge.py", edit) == {"kge", "nse_kge", "twin_priors"}
    assert {"train", "simulate", *names("process"), *names("loss")} <= changed("learn/train.py", edit)


@pytest.mark.parametrize(
    "file", ["processes/runoff/new.py", "processes/water_quality/new.py", "learn/losses/new.py", "figures/new.py"]
)
def test_a_new_file_changes_no_code(changed, file):
    assert changed(file, lambda _: '"""New."""\n\n\ndef new():\n    return 1\n') == set()


def test_words_do_not_count_and_numbers_do(changed):
    def put(before, after):
        def edit(text):
            assert before in text
            return text.replace(before, after)

        return edit

    blocks, train, step = "settings/blocks.py", "learn/train.py", "cli/steps/train.py"
    assert changed(blocks, put("name in figures", "how figures call it")) == set()
    assert changed(step, put('help="table of folds"', 'help="the folds, a table"')) == set()
    assert changed(train, put("lower training.learning_rate or", "reduce training.learning_rate or")) == set()
    assert changed(train, put('"""The training loop."""', '"""How a model is trained."""  # on one screen')) == set()
    assert {"train", "gr4j"} <= changed(blocks, put("Field(0.01, description", "Field(0.02, description"))
    assert {"train", "gr4j"} <= changed(train, put("TOLERATED_FAILURES = 10", "TOLERATED_FAILURES = 11"))
    # the meaning of a parameter stands in result files
    gr4j = put("capacity of the production store", "size of the production store")
    assert changed("processes/runoff/gr4j.py", gr4j) == {"gr4j", "twin_priors"}


def test_every_kind_of_settings_names_its_modules():
    hbv, gr4j, kge = module_of("process", "hbv"), module_of("process", "gr4j"), module_of("loss", "kge")
    job = {"model": {"process": "hbv"}, "training": {"loss": "kge", "steps": 3}}
    assert modules_of(job) == {hbv, kge}
    assert modules_of({"models": {"a": job, "b": {"model": {"kind": "sequence"}, "training": {}}}}) == {hbv, kge}
    assert modules_of({"priors": ["hbv", "gr4j"], "training": {"loss": "kge"}}) == {hbv, gr4j, kge}
    step = "thalweg.cli.steps.simulate"
    assert code_of(step, json.dumps(job)) == code_of(step, job) == fingerprint(step, hbv, kge)
    assert {code_of(f"thalweg.cli.steps.{name}") for name in STEPS if name == "simulate"} == {fingerprint(step)}
    with pytest.raises(RegistryError, match="gr5j"):
        code_of(step, {"process": "gr5j"})


# One's own, outside the package


def test_the_code_of_ones_own_process_covers_its_package_and_what_it_takes_from_this_one(outside):
    found = closure("own_priors.stores")
    assert {"own_priors", "own_priors.stores", "own_priors.rates", "thalweg.processes.runoff.hbv"} <= found
    assert closure("own_priors.errors") == {"own_priors", "own_priors.errors"}
    command = "from thalweg.experiments.code import code_of; print(code_of('thalweg.cli.steps.train', {'process': 'own_priors.stores:bucket'}))"
    before = python(command, SOURCE.parent, outside)
    rates = outside / "own_priors/rates.py"
    rates.write_text("# per day\nFASTEST = 0.5\n")
    assert python(command, SOURCE.parent, outside) == before
    rates.write_text("FASTEST = 0.6\n")
    assert python(command, SOURCE.parent, outside) != before


def test_a_process_and_a_loss_of_ones_own_are_trained_and_simulated(outside, domain, tmp_path):
    model = validated(
        ProcessModel, {"label": "own", "process": "own_priors.stores:bucket", "components": 1, "hidden": 4}
    )
    training = validated(
        Training,
        {
            "loss": "own_priors.errors:absolute",
            "steps": 2,
            "window": "60 days",
            "spin_up": "30 days",
            "validate_every": 1,
        },
    )
    split = Split(kind="temporal", train=("2000-01-01", "2000-12-31"), test=("2001-01-01", "2001-05-14"))
    splits = make_splits(domain, split)
    job = TrainingJob(model=model, training=training, seeds=[0], validation_share=0.2, device="cpu")
    tensors, values, log = train_experiment(domain, splits, job, tmp_path, "key")
    assert list(log.step) == [1, 2]
    assert log.training_loss.between(0, 100).all()
    simulation = simulate_experiment(domain, splits, job, tensors, values)
    assert simulation.variables["discharge"].simulated.notnull().any()
    assert simulation.parameters.k.attrs["high"] in (0.5, 0.6)
    assert load("loss", training.loss)(torch.ones(2, 1), torch.zeros(2, 1), None) == 1
