"""Skill against the amount of training data."""

from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.skill_tables import skill_by_training_data
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared

ANALYSIS = Declared(
    of="sparse",
    reads={"skill_csv": "skill", "domain_path": "domain"},
    given={"settings": "training_data_settings"},
    title="skill by amount of training data",
    caption="Median skill at the same gauges of models trained on more or fewer gauges, or more or fewer years, with 95 % intervals by "
    "a bootstrap of blocks of neighbouring gauges.",
    category="Skill",
)


def analyse(skill_csv, domain_path, settings, domain):
    """Medians by level of each series; see :func:`~thalweg.evaluation.skill_tables.skill_by_training_data`."""
    skill = read_skill(skill_csv)
    skill = skill[(skill.domain == domain) & (skill.variable == settings["variable"])]
    return skill_by_training_data(
        skill,
        settings["sweeps"],
        models=settings["models"],
        metric=settings["metric"],
        samples=settings["bootstrap_samples"],
        blocks={domain: read_blocks(domain_path)},
        source=f"{skill_csv}: {domain}",
    )
