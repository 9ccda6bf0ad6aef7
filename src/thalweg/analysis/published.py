"""Scores compared with published ones, gauge by gauge."""

import pandas as pd

from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.evidence import EVIDENCE_COLUMNS
from thalweg.evaluation.published import PublishedJob, compare_published, published_evidence
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared

ANALYSIS = Declared(
    of="published_study",
    reads={"skill_csv": "skill", "folder": "data:published-scores", "domains": "domains:published"},
    given={"settings": "published_settings"},
    title="published scores",
    caption="Models compared with published ones on the catchments at which both were tested: medians, the median paired difference (ours "
    "minus theirs) with the 95 % interval of a bootstrap of blocks of neighbouring gauges, p of the signed-rank test, the rank correlation "
    "of the scores, and the share of gauges at which ours is higher. same_years states whether both were tested over the same years, "
    "differs lists the other differences.",
    category="Skill",
    tables=("", "evidence"),
)


def analyse(skill_csv, folder, domains, settings):
    """The comparison and its evidence; see :func:`~thalweg.evaluation.published.compare_published`."""
    blocks = {name: read_blocks(path) for name, path in domains.items()}
    table = compare_published(read_skill(skill_csv), folder, blocks, PublishedJob.model_validate(settings))
    return {"": table, "evidence": pd.DataFrame(published_evidence(table), columns=EVIDENCE_COLUMNS)}
