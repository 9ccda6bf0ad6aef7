"""The figures and analyses of a study, from the declarations of their modules: one job of the workflow for each kind.

Modules are read, not imported, so that planning needs neither matplotlib nor torch.
"""

import ast
import base64
import inspect
import json
from dataclasses import dataclass, fields
from pathlib import Path

from thalweg.experiments import plan
from thalweg.experiments.code import code_of
from thalweg.experiments.declared import Declared
from thalweg.experiments.places import PLACES
from thalweg.experiments.sources import find, given, paths, results
from thalweg.experiments.stages import stages
from thalweg.registry import module_of, names, source
from thalweg.schema import ConfigError

FOLDERS = {"figure": "figures", "analysis": "tables"}
STEPS = {"figure": "thalweg.cli.steps.draw", "analysis": "thalweg.cli.steps.analyse"}
GIVEN = {name: function for name, function in vars(plan).items() if inspect.isfunction(function)} | {"stages": stages}
STORY = (
    *("workflow_graph", "claims", "skill_overview", "hydrographs", "skill_map", "sparse_data"),
    *("elasticity", "twin_priors", "skill_places"),
)
LONGEST = 50_000  # characters of a job's calls: the system limits the length of a command to 128 kB
VARIABLES = {"figure": "FIGURE", "analysis": "ANALYSIS"}


@dataclass(frozen=True)
class Job:
    """One run of a figure's or an analysis's function for some of its places.

    Attributes:
        name: of the rule.
        kind: figure or analysis.
        of: the name with which :mod:`thalweg.registry` finds the function.
        declared: its declaration.
        inputs: paths, each once.
        outputs: (path, end of its name, labels in the report) of each output.
        calls: as JSON, for each place the path without suffix and keyword arguments.
        code: fingerprint of the code that runs.
    """

    name: str
    kind: str
    of: str
    declared: Declared
    inputs: list
    outputs: list
    calls: str
    code: str


def jobs(study, kind):
    """The jobs of all figures or all analyses of a study.

    Args:
        study: Study.
        kind: figure or analysis.

    Returns:
        list of Job: for those of the package, then for those named in the study.

    Raises:
        ConfigError: if one does not declare itself, or declares something unknown.
    """
    named = {"figure": study.figures, "analysis": study.analyses}[kind]
    found = []
    for name in dict.fromkeys([*names(kind), *named]):
        declared = declaration(kind, name)
        calls = [_call(study, kind, name, declared, place) for place in places_of(study, declared)]
        for number, group in enumerate(_groups(calls, declared.each)):
            found.append(_job(kind, name, declared, group, number))
    return found


def places_of(study, declared):
    """The places that a figure or an analysis has in a study: a list of name of a part -> value."""
    parts, listed = PLACES[declared.of]
    return [dict(zip(parts, place)) for place in listed(study)]


def stem(name):
    """Stem of its files: the name of the module or function."""
    return name.rpartition(":")[2].rpartition(".")[2]


def evidence(found):
    """Paths of the tables of evidence of the analyses, from their jobs."""
    return [path for job in found for path, end, _ in job.outputs if end == "evidence"]


@dataclass(frozen=True)
class Picture:
    """A figure on the first page of the report."""

    path: str
    title: str
    caption: str

    @property
    def uri(self):
        """Its content for an HTML page, in lines, which a browser joins; read when the page is written."""
        return f"data:image/png;base64,{base64.encodebytes(Path(self.path).read_bytes()).decode().strip()}"


def story(found):
    """The leading figures of a study, in order, from the jobs of its figures: a list of :class:`Picture`."""
    first = {}
    for job in found:
        first.setdefault(stem(job.of), Picture(job.outputs[0][0], job.declared.title, job.declared.caption))
    return [first[name] for name in STORY if name in first]


def declaration(kind, name):
    """The :class:`Declared` of a figure or an analysis, read from its source.

    Raises:
        ConfigError: if there is none, or it is not written as plain values.
    """
    path = source(module_of(kind, name))
    function = name.partition(":")[2]
    call = _declaring(ast.parse(path.read_text()), VARIABLES[kind], function)
    where = f"{function}.declared" if function else VARIABLES[kind]
    if call is None:
        raise ConfigError(f"{kind} {name!r} does not declare itself; write {where} = Declared(...) in {path}")
    keywords = [field.name for field in fields(Declared)]
    try:
        values = dict(zip(keywords, map(ast.literal_eval, call.args)))
        values |= {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        declared = Declared(**values)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{path}, line {call.lineno}: {where} is not readable ({error}); write the arguments {', '.join(keywords)} as plain values"
        ) from None
    if declared.of not in PLACES:
        raise ConfigError(f"{path}, line {call.lineno}: of is {declared.of!r}, but must be one of {', '.join(PLACES)}")
    unknown = [what for what in declared.given.values() if what not in GIVEN]
    if unknown:
        raise ConfigError(f"{path}, line {call.lineno}: thalweg.experiments.plan has no {', '.join(unknown)}")
    return declared


def _declaring(tree, variable, function):
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            target = node.targets[0]
            whole = isinstance(target, ast.Name) and target.id == variable and not function
            apart = isinstance(target, ast.Attribute) and target.attr == "declared" and target.value.id == function
            if whole or apart:
                return node.value
    return None


def _call(study, kind, name, declared, place):
    """(place, output without suffix, arguments, paths read) of one call."""
    read = {keyword: _find(study, place, what, name) for keyword, what in declared.reads.items()}
    values = {keyword: _value(GIVEN[what], study, place) for keyword, what in declared.given.items()}
    output = f"{results(study)}/{_stem(kind, name, place.values())}"
    arguments = {keyword: given(found) for keyword, found in read.items()} | values
    return place, output, arguments, [path for found in read.values() for path in paths(found)]


def _groups(calls, each):
    """Calls by job: one each, or as many as fit on a command line."""
    groups, length = [], 0
    for call in calls:
        size = len(json.dumps(call))
        if each or not groups or length + size > LONGEST:
            groups.append([])
            length = 0
        groups[-1].append(call)
        length += size
    return groups


def _job(kind, name, declared, calls, number):
    ends, suffix = (("",), ".png") if kind == "figure" else (declared.tables, ".csv")
    made = [(f"{output}{'_' if end else ''}{end}{suffix}", end, place) for place, output, *_ in calls for end in ends]
    apart = calls[0][0].values() if declared.each else [str(number + 1)] if number else []
    return Job(
        "_".join((kind, stem(name), *apart)).replace("-", "_"),
        kind,
        name,
        declared,
        list(dict.fromkeys(path for *_, read in calls for path in read)),
        made,
        json.dumps([dict(zip(("place", "output", "arguments"), call)) for call in calls], ensure_ascii=False),
        code_of(STEPS[kind], *_settings(kind, declared, calls), modules=[module_of(kind, name)]),
    )


def _settings(kind, declared, calls):
    """Blocks of settings that analyses receive; their processes and losses run too. Paths and labels by model name none."""
    values = [arguments[keyword] for _, _, arguments, _ in calls for keyword in declared.given]
    return [value for value in values if isinstance(value, dict)] if kind == "analysis" else []


def _find(study, place, what, name):
    source, _, argument = what.partition(":")
    try:
        if source == "table":
            return _table(study, place, *argument.partition(":")[::2])
        return find(study, place, what)
    except (AttributeError, KeyError) as error:
        raise ConfigError(f"{name!r} reads {what!r}, which does not exist for {place or 'a study'} ({error})") from None


def _table(study, place, name, end=""):
    """The table of an analysis at the same place."""
    parts = PLACES[declaration("analysis", name).of][0]
    return find(
        study, place, f"{_stem('analysis', name, [place[part] for part in parts])}{'_' if end else ''}{end}.csv"
    )


def _stem(kind, name, place):
    return "/".join((FOLDERS[kind], stem(name), *place))


def _value(function, study, place):
    taken = inspect.signature(function).parameters
    return function(study, **{name: value for name, value in place.items() if name in taken})
