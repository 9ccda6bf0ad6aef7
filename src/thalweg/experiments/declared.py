"""Declaration of a figure or an analysis: its places, its inputs, and its title and caption.

A module of the package declares ``FIGURE = Declared(...)`` next to its function ``draw``, or ``ANALYSIS = Declared(...)``
next to its function ``analyse``. A user's function, named in a study as ``package.module:function``, is followed by
``function.declared = Declared(...)``. The workflow reads the declaration without importing the module, so its arguments are
written as plain values. A figure returns a matplotlib Figure; an analysis a DataFrame, or one for each of its ``tables``.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Declared:
    """A figure or an analysis.

    Attributes:
        of: the items for each of which it exists: a key of :data:`thalweg.experiments.places.PLACES`, such as ``study``,
            ``domain``, ``experiment`` or ``main_experiments``.
        reads: keyword of the function -> a key of :data:`thalweg.experiments.sources.SOURCES`, after a colon with its argument,
            or the path of a file in the results of the study with the place's names in braces. The function receives a path,
            or a dict of paths.
        title: in the report.
        caption: one or more sentences, as below a figure in a paper.
        given: keyword of the function -> a function of :mod:`thalweg.experiments.plan`, whose value it receives.
        category: of the report.
        tables: of an analysis, the ends of their names; "evidence" is the basis of claims.
        shown: the tables shown in the report; of a figure, () for one that is not shown.
        each: a job for each place; otherwise one for all of them.
        memory, runtime: of a job.

    A function that takes ``domain``, ``experiment``, ``model``, ... receives those of its place.
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
