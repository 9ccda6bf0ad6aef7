"""Skill against the distance to the nearest training place."""

from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.skill_tables import read_distances, skill_by_distance
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared

ANALYSIS = Declared(
    of="ungauged",
    reads={"skill_csv": "skill", "domain_path": "domain", "splits": "splits:ungauged"},
    given={"settings": "distance_settings"},
    title="skill by distance",
    caption="Median skill at gauges not used in training, by class of distance to the nearest gauge that was, with 95 % intervals by a "
    "bootstrap of blocks of neighbouring gauges, and the rank correlation over gauges.",
    category="Skill",
)


def analyse(skill_csv, domain_path, splits, settings, domain):
    """Medians by class of distance; see :func:`~thalweg.evaluation.skill_tables.skill_by_distance`."""
    skill = read_skill(skill_csv)
    skill = skill[(skill.domain == domain) & (skill.variable == settings["variable"])]
    return skill_by_distance(
        skill,
        {experiment: read_distances(path) for experiment, path in splits.items()},
        models=settings["models"],
        metric=settings["metric"],
        samples=settings["bootstrap_samples"],
        blocks={domain: read_blocks(domain_path)},
        source=f"{skill_csv}: {domain}",
    )
