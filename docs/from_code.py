"""What pages say of the code: processes, losses, metrics, modules, datasets and the command line, read from the code itself."""

import ast
import contextlib
import inspect
import io
import os
import re
from pathlib import Path

import yaml

from thalweg import cli, processes, registry
from thalweg.cli.new import written
from thalweg.metrics.scores import METRICS

ROOT = Path(__file__).parents[1]


def include(path):
    """A file of the repository, without its first heading."""
    lines = (ROOT / path).read_text().splitlines()
    return "\n".join(lines[1:] if lines[0].startswith("# ") else lines)


def docstring(module):
    """What a module says of itself, without importing it."""
    path = ROOT / "src" / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return prose(ast.get_docstring(ast.parse(path.read_text())))


def prose(text):
    """A docstring as Markdown: references become code, lists their own paragraph, sections of arguments are left out."""
    text = re.split(r"\n\n?(?:Args|Returns|Raises):\n", text)[0]
    text = re.sub(r":(?:func|class|mod|data|attr|meth):`~?([^`]+)`", r"`\1`", text)
    text = re.sub(r"(\n[^\n*\-\s][^\n]*)\n([*-] )", r"\1\n\n\2", "\n" + text)
    return text.strip()


def functions(kind):
    """What the package has of a kind, as a Markdown table: name, for metrics unit and best value, and what it is."""
    if kind == "metric":
        lines = ["| name | unit | best | better is | what it is |", "|---|---|---|---|---|"]
        for name, metric in METRICS.items():
            what = " ".join(prose(inspect.getdoc(metric.function)).split())
            lines.append(f"| `{name}` | {metric.unit} | {metric.best:g} | {metric.direction} | {what} |")
        return "\n".join(lines)
    lines = [f"| {kind} | what it is |", "|---|---|"]
    for name in registry.names(kind):
        what = " ".join(prose(inspect.getdoc(registry.load(kind, name))).split())
        lines.append(f"| `{name}` | {what} |")
    return "\n".join(lines)


def process_names():
    return registry.names("process")


def get_process(name):
    """A process with its default options; None when it has none."""
    try:
        return processes.get(name)
    except TypeError:
        return None


def first_sentence(module):
    return prose(docstring(module)).split("\n\n")[0].replace("\n", " ")


def process_table():
    """All processes by room, as a Markdown table."""
    rows = []
    for name in process_names():
        module = registry.module_of("process", name)
        process = get_process(name)
        numbers = f"{len(process.states)} | {len(process.parameters)}" if process else " | "
        rows.append((module.split(".")[-2], f"[{name}]({name}.md) | {first_sentence(module)} | {numbers}"))
    rows.sort()
    lines = ["| kind | name | what it is | states | parameters |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {room.replace('_', ' ')} | {row} |" for room, row in rows)])


def process_page(name):
    """The page of a process: its docstring, its tables, and its equations."""
    module, process = registry.module_of("process", name), get_process(name)
    parts = [f"# {name}", docstring(module)]
    if process is not None:
        parts.append(f"Source: {process.source}.")
        columns = "| name | lowest | highest | unit | meaning |\n|---|---|---|---|---|"
        rows = [
            f"| `{one.name}` | {one.low:g} | {one.high:g} | {one.unit} | {one.meaning}{' (logarithmic)' if one.logarithmic else ''} |"
            for one in process.parameters
        ]
        parts += ["## Parameters", "\n".join([columns, *rows])]
        for title, variables in (("States", process.states), ("Forcing", process.forcings), ("Fluxes", process.fluxes)):
            rows = [f"| `{one.name}` | {one.unit} | {one.meaning} |" for one in variables]
            if rows:
                parts += [f"## {title}", "\n".join(["| name | unit | meaning |\n|---|---|---|", *rows])]
    source = registry.source(module).read_text()
    parts += ["## Equations", f"`{module}`", f"```python\n{source.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def room_names():
    """Packages of thalweg and its lone modules, from the lowest floor to the highest; the command line has a page of its own."""
    source = ROOT / "src" / "thalweg"
    found = {path.parent.name for path in source.glob("*/__init__.py")} | {
        path.stem for path in source.glob("*.py") if path.stem != "__init__"
    }
    tree = ast.parse((ROOT / "tests" / "test_house.py").read_text())
    floors = next(n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "FLOORS")
    ordered = [name for floor in ast.literal_eval(floors) for name in sorted(floor)]
    return [name for name in ordered if name in found and name != "cli"]


def rooms():
    """The packages with their first sentences, as a Markdown table."""
    lines = ["| room | what it holds |", "|---|---|"]
    return "\n".join(
        [*lines, *(f"| [`{name}`]({name}.md) | {first_sentence(f'thalweg.{name}')} |" for name in room_names())]
    )


def modules_of(room):
    """Dotted names of the modules of a room, the package itself first."""
    source = ROOT / "src" / "thalweg" / room
    if not source.is_dir():
        return [f"thalweg.{room}"]
    paths = [path for path in sorted(source.rglob("*.py")) if not path.stem.startswith("_")]
    inner = [".".join(path.relative_to(source.parents[1]).with_suffix("").parts) for path in paths]
    return [f"thalweg.{room}", *inner]


def room_page(room):
    """The page of a room: what mkdocstrings makes of its modules."""
    return "\n\n".join([f"# {room}", *(f"::: {module}" for module in modules_of(room))]) + "\n"


def datasets():
    """The catalogue, as Markdown: what each dataset is, where it comes from, its terms and citation."""
    catalogue = yaml.safe_load((ROOT / "config" / "datasets.yaml").read_text())
    keys = {"where": "From", "version": "Version", "licence": "Terms", "citation": "Citation"}
    parts = []
    for name, one in catalogue.items():
        rows = [f"- {title}: {' '.join(str(one[key]).split())}" for key, title in keys.items() if one.get(key)]
        parts += [f"## {name}", " ".join(str(one.get("note", "")).split()), "\n".join(rows)]
    return "\n\n".join(parts)


def weights():
    """The cards of the models that come with the package."""
    from thalweg.storage.installed import weights, weights_names

    cards = [weights(name).with_suffix(".md").read_text() for name in weights_names()]
    named = [
        f"## `{name}`\n\n" + card.replace("\n## ", "\n### ").replace("# ", "**", 1).replace("\n", "**\n", 1)
        for name, card in zip(weights_names(), cards)
    ]
    return "\n\n".join(named)


def command_line():
    """The help of the verbs and steps of ``thalweg``, as Markdown."""
    os.environ["COLUMNS"] = "88"
    parts = []
    for title, verbs, before in (("Verbs", cli.VERBS, ()), ("Steps of the workflow", cli.STEPS, ("step",))):
        parts.append(f"## {title}")
        for verb in verbs:
            shown = io.StringIO()
            with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
                cli.main([*before, verb, "--help"])
            parts += [f"### {' '.join(['thalweg', *before, verb])}", f"```text\n{shown.getvalue().strip()}\n```"]
    return "\n\n".join(parts)


def example(kind, test=False):
    """What ``thalweg new`` writes of a kind, by the name that tests/test_extending.py gives it; or its test."""
    tree = ast.parse((ROOT / "tests" / "test_extending.py").read_text())
    names = next(node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "NAMES")
    name = ast.literal_eval(names)[kind]
    text = written(kind, name, f"mine.{name}")[f"{'test_' if test else ''}{name}.py"]
    return f"```python\n{text.strip()}\n```"


MACROS = (include, example, docstring, functions, process_table, rooms, datasets, weights, command_line)
