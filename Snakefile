"""thalweg: real data to figures, one workflow.

The configuration is config/config.yaml, with the study's overrides (config/studies) and those of the command line laid over
it; it is validated before anything is planned. All rules run in the one environment of envs/requirements.lock, in which the
package itself is installed: a rule names no environment of its own.
"""

import json
from pathlib import Path

from snakemake.utils import min_version

from thalweg.experiments.code import code_of
from thalweg.registry import module_of
from thalweg.storage.fingerprint import fingerprint
from thalweg.schema import ConfigError
from thalweg.settings.files import read_study, resolved

min_version("9.0")

BASE = Path(workflow.basedir)
try:
    study = read_study(BASE / "config", config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"results/{study.study}"
DATA = study.data


wildcard_constraints:
    domain="[a-z0-9_-]+",
    experiment="[a-z0-9_-]+",
    model="[a-z0-9_-]+",


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/river.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/overview.smk"
include: "workflow/rules/physics.smk"
include: "workflow/rules/which_prior.smk"
include: "workflow/rules/questions.smk"
include: "workflow/rules/signatures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/cost.smk"
include: "workflow/rules/recovery.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/leaf.smk"
include: "workflow/rules/canopy.smk"
include: "workflow/rules/declared.smk"


report: "workflow/report/study.rst"


localrules:
    all,
    configuration,


rule all:
    default_target: True
    input:
        f"{RESULTS}/config.yaml",
        FIGURES,
        OVERVIEW_FIGURES,
        PHYSICS_FIGURES,
        WHICH_PRIOR_FIGURES,
        QUESTIONS_FIGURES,
        CLAIMS_FIGURES,
        TABLES,
        PHYSICS_TABLES,
        WHICH_PRIOR_TABLES,
        QUESTIONS_TABLES,
        SIGNATURE_TABLES,
        CLAIMS_TABLES,
        COST_TABLES,
    message:
        "The study is complete; its tables and figures are in {RESULTS}"
