"""Figures and analyses that declare themselves: what each is of, and what it reads.

A study names them in ``figures`` and ``analyses``; the workflow makes a rule for each. A figure is a function that returns a
matplotlib Figure, an analysis a function that returns a DataFrame; both carry their declaration::

    def bias_by_area(skill, domain, **place):
        ...

    bias_by_area.declared = Declared(of="experiment", reads=("skill", "domain"), title="bias by area", caption="...")

Each thing that it reads is given under its name as a path, simulations as a dict of paths by model, and beside them ``domain``'s and
``experiment``'s names as ``domain_name`` and ``experiment_name``.
"""

from dataclasses import dataclass

from thalweg.registry import load
from thalweg.schema import ConfigError

READS = {  # what may be read -> where it is, below results/<study>
    "skill": "tables/skill.csv",
    "summary": "tables/summary.csv",
    "comparison": "tables/comparison.csv",
    "domain": "domains/{domain}.nc",
    "split": "splits/{domain}/{experiment}.csv",
    "simulations": "simulations/{domain}/{experiment}/{model}.nc",
}
OF = {"study": (), "domain": ("domain",), "experiment": ("domain", "experiment")}


@dataclass(frozen=True)
class Declared:
    """What a figure or an analysis is.

    Attributes:
        of: one for the study, for each domain, or for each experiment.
        reads: names in :data:`READS`.
        title: in the report.
        caption: one or two sentences.
        where: optional function of an experiment's settings, whether it gets one.
    """

    of: str
    reads: tuple[str, ...]
    title: str
    caption: str
    where: object = None

    def __post_init__(self):
        unknown = [name for name in self.reads if name not in READS]
        if self.of not in OF or unknown:
            raise ConfigError(
                f"of is {self.of!r} and reads {', '.join(self.reads)}; of is one of {', '.join(OF)}, and reads of {', '.join(READS)}"
            )


def declaration(kind, name):
    """The :class:`Declared` of a figure or an analysis that a study names.

    Raises:
        ConfigError: when it does not declare itself.
    """
    declared = getattr(load(kind, name), "declared", None)
    if declared is None:
        raise ConfigError(f"{kind} {name!r} does not declare itself; set its attribute declared")
    return declared


def stem(name):
    """What its files are called: the name of the function or file."""
    return name.rsplit(":", 1)[-1]


def outputs(study, kind, name, suffix):
    """Paths of all that a study's figure or analysis makes, below results/<study>."""
    declared = declaration(kind, name)
    folder = {"figure": "figures", "analysis": "tables"}[kind]
    return [f"{folder}/{'/'.join((stem(name), *place))}.{suffix}" for place in places(study, declared)]


def places(study, declared):
    """The (), (domain,) or (domain, experiment) that there is one of."""
    found = [
        (domain, name)[: len(OF[declared.of])]
        for domain, experiments in study.experiments.items()
        for name, settings in experiments.items()
        if declared.where is None or declared.where(settings)
    ]
    return list(dict.fromkeys(found))


def inputs(study, declared, place):
    """What is read of a place: name -> path, or for simulations a list of paths, below results/<study>."""
    names = dict(zip(OF[declared.of], place))
    found = {}
    for what in declared.reads:
        if what == "simulations":
            models = study.experiments[names["domain"]][names["experiment"]].models
            found[what] = [READS[what].format(**names, model=model) for model in models]
        else:
            found[what] = READS[what].format(**names)
    return found
