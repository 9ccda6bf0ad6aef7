"""How a figure or an analysis declares itself: what there is one of, what it reads, and how a reader is introduced to it.

A module of the package declares ``FIGURE = Declared(...)`` beside its function ``draw``, or ``ANALYSIS = Declared(...)`` beside
its function ``analyse``. A function of your own, named in a study as ``package.module:function``, is followed by
``function.declared = Declared(...)``. The workflow reads the declaration without importing the module, so its arguments are
written as plain values. A figure returns a matplotlib Figure; an analysis a DataFrame, or one for each of its ``tables``.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Declared:
    """What a figure or an analysis is.

    Attributes:
        of: what there is one of: a key of :data:`thalweg.experiments.places.PLACES`, such as ``study``, ``domain``,
            ``experiment`` or ``main_experiments``.
        reads: keyword of the function -> a key of :data:`thalweg.experiments.sources.SOURCES`, after a colon with its argument,
            or the path of a file in the results of the study with the place's names in braces. The function is given a path,
            or a dict of paths.
        title: in the report.
        caption: one or more sentences, as below a figure in a paper.
        given: keyword of the function -> a function of :mod:`thalweg.experiments.plan`, whose value it is given.
        category: of the report.
        tables: of an analysis, the ends of their names; "evidence" is what claims rest on.
        shown: the tables that the report shows; of a figure, () for one that it does not show.
        each: a job for each place; otherwise one for all of them.
        memory, runtime: of a job.

    A function that takes ``domain``, ``experiment``, ``model``, ... is given those of its place.
    """

    of: str
    reads: dict[str, str]
    title: str
    caption: str
    given: dict[str, str] = field(default_factory=dict)
    category: str = "Figures"
    tables: tuple[str, ...] = ("",)
    shown: tuple[str, ...] = ("",)
    each: bool = False
    memory: str = "2GB"
    runtime: str = "30m"
