"""thalweg: real data to figures, one workflow.

The configuration is config/config.yaml, with the study's overrides (config/studies) and those of the command line laid over
it; it is validated before anything is planned. All rules run in the one environment of envs/requirements.lock, in which the
package itself is installed: a rule names no environment of its own.
"""

import json
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from thalweg.datasets import reader
from thalweg.experiments.code import code_of
from thalweg.storage.fingerprint import fingerprint, source
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
include: "workflow/rules/estimates.smk"
include: "workflow/rules/declared.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/explorer.smk"


report: "workflow/report/study.rst"


localrules:
    all,
    configuration,


rule all:
    default_target: True
    input:
        f"{RESULTS}/config.yaml",
        RESULT_FILES,
        EXPLORER,
        rules.cost.output,
    message:
        "The study is complete; its tables and figures are in {RESULTS}"
