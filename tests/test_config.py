"""The configuration: files follow the code, and what cannot be is refused with path, value and what is allowed."""

from pathlib import Path

import pytest
import yaml

from thalweg.schema import ConfigError
from thalweg.settings.files import default_text, merge, read_study, resolved, schema_text
from thalweg.settings.study import Study

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"


def test_the_files_follow_the_code():
    assert (CONFIG / "config.yaml").read_text() == default_text(), "run 'thalweg config --write'"
    schema = (ROOT / "workflow/schemas/config.schema.json").read_text()
    assert schema == schema_text(), "run 'thalweg config --write'"


def test_the_default_file_is_the_default_study():
    assert read_study(CONFIG) == Study()


def test_a_resolved_study_reads_back_as_itself():
    study = read_study(CONFIG, {"study": "smoke"})
    assert Study.model_validate(yaml.safe_load(yaml.safe_dump(resolved(study)))) == study


@pytest.mark.parametrize("path", sorted((CONFIG / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_is_valid(path):
    assert read_study(CONFIG, {"study": path.stem}).study == path.stem


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"stduy": "smoke"}, ["stduy", "unknown key", "study"]),
        ({"training": {"stepz": 3}}, ["training.stepz", "unknown key", "steps"]),
        ({"training": {"window": "12 km2"}}, ["training.window", "'12 km2'", "'days'"]),
        ({"training": {"window": "730"}}, ["training.window", "'730'", "no unit"]),
        ({"training": {"spin_up": "-5 days"}}, ["training.spin_up", "at least 1 days"]),
        (
            {"training": {"loss": "mae"}},
            ["training.loss", "'mae'", "kge, log_likelihood, nse_batch", "package.module:function"],
        ),
        ({"seeds": []}, ["seeds", "at least 1"]),
        ({"models": {"hbv": {"components": 17}}}, ["models.hbv", "components", "17", "less than or equal to 16"]),
        (
            {"models": {"hbv": {"training": {"steps": 0}}}},
            ["models.hbv.training", "steps", "greater than or equal to 1"],
        ),
        (
            {"experiments": {"delaware": {"temporal": {"test": ["1978-01-01", "1978-12-31"]}}}},
            ["experiments.delaware.temporal.test", "1978-01-01", "1979-01-01..1980-12-31"],
        ),
        (
            {"experiments": {"delaware": {"temporal": {"test": ["1979-06-01", "1980-12-31"]}}}},
            ["experiments.delaware.temporal", "overlaps"],
        ),
        (
            {"experiments": {"delaware": {"temporal": {"test": ["1980-12-31", "1980-01-01"]}}}},
            ["experiments.delaware.temporal.test", "ends on 1980-01-01 before"],
        ),
        ({"experiments": {"delaware": {"pub": {"folds": 1}}}}, ["experiments.delaware.pub", "at least 2"]),
        ({"experiments": {"delaware": {"pub": {"models": ["hbw"]}}}}, ["pub.models", "'hbw'", "hbv"]),
        ({"domains": {"delaware": {"minimum_days": "700 kg"}}}, ["domains.delaware.minimum_days", "'700 kg'"]),
        ({"domains": {"delaware": None}}, ["experiments.delaware", "no such domain"]),
        ({"study": "nope"}, ["'nope'", "smoke"]),
    ],
)
def test_what_cannot_be_is_refused(overrides, parts):
    with pytest.raises(ConfigError) as caught:
        read_study(CONFIG, overrides)
    for part in parts:
        assert part in str(caught.value)


def test_null_removes_and_mappings_merge():
    study = read_study(
        CONFIG, {"experiments": {"delaware": {"pur": None}, "susquehanna": None}, "training": {"steps": 7}}
    )
    assert set(study.experiments) == {"delaware"}
    assert {"temporal", "inner", "pub"} <= set(study.experiments["delaware"])
    assert "pur" not in study.experiments["delaware"]
    assert study.training.steps == 7
    assert study.training.loss == Study().training.loss


def test_a_model_overrides_training():
    study = read_study(CONFIG, {"models": {"lstm": {"training": {"steps": 3}}}})
    assert study.training_of("lstm").steps == 3
    assert study.training_of("hbv").steps == study.training.steps
    experiment = study.experiments["susquehanna"]["temporal"]
    assert study.training_of("lstm", experiment).steps == experiment.training["steps"]


def test_an_experiment_with_impossible_training_is_refused():
    with pytest.raises(ConfigError, match=r"experiments\.susquehanna\.temporal\.training: [^:]*\s+stepz"):
        read_study(CONFIG, {"experiments": {"susquehanna": {"temporal": {"training": {"stepz": 3}}}}})


OWN = {
    "domains": {
        "catchments": {"mine": {"kind": "own_catchments", "folder": "here", "period": ["2001-01-01", "2010-12-31"]}}
    },
    "experiments": {
        "mine": {
            "temporal": {
                "kind": "temporal",
                "train": ["2001-01-01", "2005-12-31"],
                "test": ["2006-01-01", "2010-12-31"],
                "models": ["hbv", "lstm", "ensemble"],
            }
        }
    },
}


def test_catchments_of_ones_own_are_a_domain_like_any_other():
    study = read_study(CONFIG, OWN)
    assert study.domains.gauged()["mine"].folder == "here"
    assert set(study.domains.gauged()) == {"delaware", "susquehanna", "mine"}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"experiments": {"mine": {"temporal": {"models": ["ensemble", "hbv"]}}}}, ["ensemble", "lstm"]),
        ({"domains": {"catchments": {"delaware": {"kind": "france"}}}}, ["another domain has that name"]),
        ({"models": {"ensemble": {"members": ["lstm", "nobody"]}}}, ["nobody"]),
        ({"which_prior": {"domain": "nowhere"}}, ["nowhere", "which_prior: null"]),
    ],
)
def test_ensembles_and_catchments_that_cannot_be_are_refused(change, parts):
    with pytest.raises(ConfigError) as error:
        read_study(CONFIG, merge(OWN, change))
    assert all(part in str(error.value) for part in parts)
