"""The configuration: studies by hand, schema and page from the code, and errors with path, value and what is allowed."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from thalweg.cli import main
from thalweg.datasets import settings_of
from thalweg.experiments.plan import trainings
from thalweg.schema import ConfigError
from thalweg.settings.files import compose, merge, names, read, read_study, resolved
from thalweg.settings.reference import PAGE, SCHEMA, page, schema, schema_text
from thalweg.settings.study import Study

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"
FILES = [CONFIG / "config.yaml", *sorted((CONFIG / "studies").glob("*.yaml"))]


def study_of(values):
    """The study of values over the defaults, without a file."""
    return compose([("the defaults", read(CONFIG / "config.yaml")), ("the test", values)])


# Schema and page


@pytest.mark.parametrize(("path", "text"), [(SCHEMA, schema_text), (PAGE, page)], ids=["schema", "page"])
def test_schema_and_page_follow_the_code(path, text):
    assert (ROOT / path).read_text() == text(), "run 'thalweg config docs'"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_follows_the_schema_that_it_names(path):
    first = path.read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == ROOT / SCHEMA
    assert [error.message for error in Draft202012Validator(schema()).iter_errors(read(path))] == []


@pytest.mark.parametrize(
    "values",
    [
        {"stduy": "x"},
        {"training": {"stepz": 1}},
        {"models": {"hbv": {"training": {"stepz": 1}}}},
        {"models": {"hbv": {"process": "gr5j"}}},
        {"models": {"defaults": {"members": ["hbv"]}}},
        {"experiments": {"delaware": {"pub": {"kind": "ungauged"}}}},
        {"experiments": {"delaware": {"defaults": {"modelz": ["hbv"]}}}},
        {"domains": {"delaware": {"minimum_dayz": "3 days"}}},
        {"claims": {"later-year": {"kind": "better", "text": "x"}}},
        {"claims": {"time": {"later-year": {"metric": "NSF"}}}},
    ],
)
def test_the_schema_refuses_what_cannot_be(values):
    assert not Draft202012Validator(schema()).is_valid(values)


def test_the_schema_knows_names_and_names_outside_the_package():
    valid = Draft202012Validator(schema()).is_valid
    assert valid(
        {"models": {"own": {"process": "mine.stores:linear_store"}}, "training": {"loss": "mine.errors:absolute"}}
    )
    assert valid(
        {"experiments": {"mine": {"a": {"kind": "mine.halves:every_other", "options": {"first": 1}}, "b": None}}}
    )
    assert valid(
        {"experiments": {"mine": {"a": {"kind": "differential", "train_on": "wet"}}}, "claims": {"time": {"a": None}}}
    )


def test_the_page_has_every_key_once_in_its_table():
    rows = [line for line in page().splitlines() if line.startswith("| ")]
    for model in (Study, settings_of("delaware")):
        for key in model.model_fields:
            assert any(f"`{key}`" in row.split("|")[1] for row in rows), key
    assert "| `window` | quantity, days | `730 days` | simulated time" in page()


# Studies


def test_what_the_defaults_state_is_what_keys_mean_without_them():
    stated = study_of({})
    assert stated == Study()


def test_the_defaults_and_studies_are_short():
    limits = {"config": 120, "default": 150, "camels-us": 200}
    assert all(len(path.read_text().splitlines()) <= limits.get(path.stem, 100) for path in FILES)


def test_a_resolved_study_reads_back_as_itself():
    study = read_study(CONFIG, {"study": "smoke"})
    assert Study.model_validate(yaml.safe_load(yaml.safe_dump(resolved(study)))) == study


@pytest.mark.parametrize("name", names(CONFIG))
def test_every_study_is_valid(name):
    assert read_study(CONFIG, {"study": name}).study == name


@pytest.mark.parametrize("name", ["default", "camels-us", "camels-us-short", "france", "thames"])
def test_claims_compare_models_that_are_compared(name):
    study = read_study(CONFIG, {"study": name})
    for claim in study.claims.values():
        domain, experiment = claim.experiment.split("/")
        if domain in study.domains and claim.kind != "evidence":
            assert {claim.model, claim.reference} <= set(study.experiments[domain][experiment].models), claim.text


def test_a_study_holds_the_models_of_its_experiments_in_the_order_of_the_library():
    study = read_study(CONFIG, {"study": "france"})
    assert list(study.models) == [
        *("hbv", "lstm", "hbv-one-set", "climatology", "ensemble"),
        *("gr4j", "exp-hydro", "xinanjiang", "sac-sma", "prms"),
    ]


PERIODS = {"train": ["1979-01-01", "1979-12-31"], "test": ["1980-01-01", "1980-12-31"]}
CLAIM = {"text": "x", "experiment": "delaware/a", "would_change": "y"}


def test_defaults_are_keys_of_all_entries_that_do_not_state_them():
    defaults = {"kind": "temporal", **PERIODS, "models": ["hbv"], "training": {"steps": 5, "window": "90 days"}}
    experiments = {"a": {}, "b": {"models": ["own", "lstm", "hbv-one-set"], "training": {"steps": 7}}}
    study = study_of(
        {
            "domains": {"delaware": {}},
            "models": {"defaults": {"hidden": 16, "components": 2}, "own": {"label": "own", "hidden": 8}},
            "experiments": {"delaware": {"defaults": defaults, **experiments}},
        }
    )
    a, b = study.experiments["delaware"].values()
    assert (a.models, a.training) == (["hbv"], {"steps": 5, "window": "90 days"})
    assert (b.models, b.training) == (["own", "lstm", "hbv-one-set"], {"steps": 7, "window": "90 days"})
    assert [(model.hidden, getattr(model, "components", None)) for model in study.models.values()] == [
        *((16, 2), (64, 3), (16, 1)),  # the components of an LSTM are those of a mixture
        (8, 2),
    ]


def test_claims_have_the_defaults_of_their_family_that_their_kind_knows():
    families = {
        "defaults": {"kind": "better", "model": "hbv", "margin": 0.01, **CLAIM},
        "time": {"defaults": {"reference": "lstm", "metric": "KGE"}, "one": {}, "two": {"metric": "NSE", "margin": 2}},
        "questions": {"three": {"kind": "evidence", "quantity": "sign_violations", "below": 0.1}},
    }
    claims = study_of({"claims": families}).claims
    assert [(one.kind, one.family, one.margin) for one in claims.values()] == [
        ("better", "time", 0.01),
        ("better", "time", 2),
        ("evidence", "questions", 0.01),
    ]
    assert [getattr(one, "metric", None) for one in claims.values()] == ["KGE", "NSE", None]
    removed = compose([("a", {"claims": families}), ("b", {"claims": {"time": {"two": None}, "questions": None}})])
    assert list(removed.claims) == ["one"]


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
        ({"domains": {"delaware": None}}, ["experiments.delaware", "no domain 'delaware'"]),
        ({"models": {"hbv": 3}}, ["models.hbv", "expected keys", "3", "on the command line"]),
        (
            {"models": {"prms": {"layerz": 3}}},
            ["models.prms.process.layerz: unknown key; allowed: capillary_rise, components", "the command line"],
        ),
        (
            {"experiments": {"delaware": {"pub": {"fold": 3}}}},
            ["experiments.delaware.pub.fold: unknown key; allowed: folds, kind", "tested_folds"],
        ),
        ({"claims": {"later-year": {"margin": 1}}}, ["claims.later-year", "no such family", "prediction"]),
        ({"claims": {"time": {"later-year": {}}}}, ["claims.time.later-year", "in prediction", "another"]),
        ({"claims": {"time": {"wet-to-dry": {"margin": 0}}}}, ["claims.wet-to-dry", "margin", "greater than 0"]),
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


def test_an_error_names_the_file_that_states_the_value(tmp_path):
    shutil.copytree(CONFIG, tmp_path, dirs_exist_ok=True)
    mine = tmp_path / "studies/mine.yaml"
    for text, part in (
        ("claims: {time: {wet-to-dry: {metric: NSF}}}", "claims.wet-to-dry.better.metric: there is no such metric"),
        (
            "models: {hbv: {hidden: 0}}",
            "models.hbv.process.hidden: Input should be greater than or equal to 1 (given: 0)",
        ),
        ("experiments: {delaware: {temporal: {models: [hbw]}}}", "experiments.delaware.temporal.models: 'hbw'"),
    ):
        mine.write_text(f"extends: default\n{text}\n")
        with pytest.raises(ConfigError) as caught:
            read_study(tmp_path, {"study": "mine"})
        assert part in str(caught.value) and str(caught.value).endswith(f", in {mine}")
    mine.write_text("training: {steps: 3}\nseeds: [0]\ntraining: {steps: 4}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: not readable as YAML: 'training' stands twice(.|\n)*line 3"):
        read_study(tmp_path, {"study": "mine"})
    mine.write_text("- hbv\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: holds a list"):
        read_study(tmp_path, {"study": "mine"})


def test_null_removes_and_mappings_merge():
    study = read_study(
        CONFIG,
        {
            "experiments": {"delaware": {"pur": None}, "susquehanna": None},
            "domains": {"susquehanna": None},
            "claims": {"space": None},
            "training": {"steps": 7},
        },
    )
    assert set(study.experiments) == {"delaware", "cevennes-lez", "cevennes-cance", "thames"}
    assert "susquehanna" not in study.domains
    assert {"temporal", "inner", "pub"} <= set(study.experiments["delaware"])
    assert "pur" not in study.experiments["delaware"]
    assert "space" not in {claim.family for claim in study.claims.values()}
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
    study = read_study(CONFIG)
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
    blocks = schema()["properties"]["domains"]["additionalProperties"]["anyOf"]
    stated = {block["properties"]["kind"].get("const") for block in blocks if "properties" in block}
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
    study = study_of(OWN)
    assert study.domains["mine"].folder == "here"
    assert (list(study.domains), list(study.models)) == (["mine"], ["hbv", "lstm", "ensemble"])
    assert (study.claims, study.twin_priors, study.leaf, study.canopy) == ({}, None, None, None)


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
        (
            {"twin_priors": {"domain": "nowhere", "priors": ["hbv", "gr4j"], **PERIODS}},
            ["nowhere", "twin_priors: null"],
        ),
    ],
)
def test_ensembles_and_catchments_that_cannot_be_are_refused(change, parts):
    with pytest.raises(ConfigError) as error:
        study_of(merge(OWN, change))
    assert all(part in str(error.value) for part in parts)


# The examples of the documentation


@pytest.mark.parametrize("page", ["README.md", "docs/guides/own_data.md"])
def test_the_studies_that_pages_on_own_data_show_are_valid(page):
    texts = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    studies = [yaml.safe_load(text) for text in texts if "experiments:" in text]
    assert studies
    for values in studies:
        shown = {model for one in values["experiments"].values() for each in one.values() for model in each["models"]}
        assert shown <= set(study_of(values).models)


# The verb


def test_the_verb_shows_checks_documents_and_resolves(tmp_path, capsys):
    main(["config", "show", "leaf", "--folder", str(CONFIG)])
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown == json.loads(json.dumps(resolved(read_study(CONFIG, {"study": "leaf"}))))
    main(["config", "check", "--folder", str(CONFIG)])
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == names(CONFIG)
    main(["config", "docs", "--root", str(tmp_path)])
    assert [(tmp_path / path).read_text() for path in (SCHEMA, PAGE)] == [schema_text(), page()]
    main(["config", "resolve", "--settings", json.dumps(shown), "--output", str(tmp_path / "config.yaml")])
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == shown
    with pytest.raises(SystemExit):
        main(["config", "show", "nowhere", "--folder", str(CONFIG)])
    assert "'nowhere' has no file" in capsys.readouterr().err
