"""The configuration: files follow the code, and what cannot be is refused with path, value and what is allowed."""

import json
from pathlib import Path

import pytest
import yaml

from thalweg.datasets import settings_of
from thalweg.experiments.plan import trainings
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
        ({"domains": {"delaware": {"minimum_dayz": 3}}}, ["domains.delaware", "'minimum_dayz'", "minimum_days"]),
        ({"domains": {"nowhere": {}}}, ["domains.nowhere", "kind 'nowhere' is no dataset", "delaware", "own_sites"]),
        ({"domains": {"mine": {"kind": "no_such.reader"}}}, ["domains.mine", "no_such.reader"]),
        ({"domains": {"delaware": None}}, ["experiments.delaware", "no such domain"]),
        ({"evaluation": {"metrics": ["NSF"]}}, ["evaluation.metrics", "no such metric", "NSE"]),
        ({"evaluation": {"compared": ["RMSE"]}}, ["evaluation", "RMSE is not among metrics"]),
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
        CONFIG,
        {
            "experiments": {"delaware": {"pur": None}, "susquehanna": None},
            "domains": {"susquehanna": None},
            "training": {"steps": 7},
        },
    )
    assert set(study.experiments) == {"delaware", "cevennes-lez", "cevennes-cance", "thames"}
    assert "susquehanna" not in study.domains
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


def test_models_of_samples_are_trained_as_rivers_need():
    study = Study()
    for domain, name, model in trainings(study):
        training = study.training_of(model, study.experiments[domain][name])
        assert training.logarithmic_attributes == (domain == "thames")
        assert training.climate_attributes == (domain != "thames")
    nitrate = study.training_of("nitrogen", study.experiments["thames"]["nitrate"])
    assert (nitrate.loss, nitrate.steps, nitrate.window) == ("log_likelihood", 200, 1100)
    assert study.models["stream-lstm"].spatial == "distributed"


def test_the_block_of_sites_is_gone():
    with pytest.raises(ConfigError, match="sites: unknown key"):
        read_study(CONFIG, {"sites": None})


def test_a_domain_is_of_the_kind_of_its_name_or_of_the_one_that_it_states():
    domains = {"own-sites": {"folder": "here"}, "elsewhere": {"kind": "own_sites", "folder": "there"}}
    study = read_study(CONFIG, {"domains": domains})
    assert {type(study.domains[name]) for name in domains} == {settings_of("own_sites")}
    assert resolved(study)["domains"]["own-sites"]["kind"] == "own_sites"
    assert Study.model_validate(resolved(study)) == study


def test_a_reader_outside_the_package_is_a_kind(tmp_path, monkeypatch):
    (tmp_path / "my_data").mkdir()
    (tmp_path / "my_data" / "__init__.py").touch()
    (tmp_path / "my_data" / "rivers.py").write_text(
        "from typing import Literal\n"
        "from thalweg.schema import Settings\n"
        "class SETTINGS(Settings):\n"
        "    kind: Literal['my_data.rivers'] = 'my_data.rivers'\n"
        "    dataset: str = 'rivers'\n"
        "    least: int = 3\n"
        "def build(folder, least): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    study = read_study(CONFIG, {"domains": {"mine": {"kind": "my_data.rivers", "least": 5}}})
    assert study.domains["mine"].least == 5
    assert resolved(study)["domains"]["mine"] == {"kind": "my_data.rivers", "dataset": "rivers", "least": 5}


def test_the_schema_lists_the_kinds_of_the_package():
    blocks = json.loads(schema_text())["properties"]["domains"]["additionalProperties"]["anyOf"]
    stated = {block["properties"]["kind"].get("const") for block in blocks}
    assert {"delaware", "thames", "camels_us", "own_catchments", "own_sites"} <= stated


OWN = {
    "domains": {"mine": {"kind": "own_catchments", "folder": "here", "period": ["2001-01-01", "2010-12-31"]}},
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
    assert study.domains["mine"].folder == "here"
    assert set(study.domains) == {"delaware", "susquehanna", "cevennes-lez", "cevennes-cance", "thames", "mine"}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"experiments": {"mine": {"temporal": {"models": ["ensemble", "hbv"]}}}}, ["ensemble", "lstm"]),
        (
            {
                "models": {"own": {"kind": "process", "label": "own", "network": "unit"}},
                "experiments": {
                    "mine": {
                        "out": {
                            "kind": "ungauged_basins",
                            "folds": 2,
                            "train": ["2001-01-01", "2010-12-31"],
                            "test": ["2001-01-01", "2010-12-31"],
                            "models": ["own"],
                        }
                    }
                },
            },
            ["experiments.mine.out.models", "'own'", "none for a held-out one"],
        ),
        ({"models": {"ensemble": {"members": ["lstm", "nobody"]}}}, ["nobody"]),
        ({"which_prior": {"domain": "nowhere"}}, ["nowhere", "which_prior: null"]),
    ],
)
def test_ensembles_and_catchments_that_cannot_be_are_refused(change, parts):
    with pytest.raises(ConfigError) as error:
        read_study(CONFIG, merge(OWN, change))
    assert all(part in str(error.value) for part in parts)
