"""What a study names - a process, a loss, a figure - found by its name, so that adding one is adding one file.

A name is that of a file in a room of the package, such as ``gr4j`` for processes/runoff/gr4j.py, or
``package.module:function`` for what stands outside the package; where a module is meant, as of a dataset, ``package.module``.
Nothing is imported before it is asked for.
"""

import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent
PACKAGE = ROOT.name
ROOMS = {
    "process": ("processes.runoff", "processes.water_quality", "processes.vegetation", "processes.routing"),
    "loss": ("learn.losses",),
    "metric": (),  # those of the package stand in the table thalweg.metrics.scores.METRICS
    "dataset": ("datasets",),
    "split": ("experiments.splits",),
    "figure": ("figures",),
    "analysis": ("analysis",),
}
MODULES = ("dataset", "figure", "analysis")  # here the module is what is named; elsewhere its function of the same name
DECLARES = {
    "dataset": "SETTINGS",
    "figure": "FIGURE",
    "analysis": "ANALYSIS",
}  # what a module has that is meant to be found; other files of its room help it


class RegistryError(ValueError):
    """A name behind which nothing is found; the message says what there is, or what to do."""


@cache
def load(kind, name):
    """What a name stands for.

    Args:
        kind: a key of :data:`ROOMS`.
        name: of a file in its rooms, or ``package.module:function``; of the kinds of :data:`MODULES` also ``package.module``.

    Returns:
        The function named like its file, or the one after the colon; of the kinds of :data:`MODULES`, the module.

    Raises:
        RegistryError: when there is no such file, module or function, or when the module cannot be imported.
    """
    module, function = _parts(kind, name)
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        raise RegistryError(
            f"{kind} {name!r}: importing {module} failed ({error}); install what it needs, or correct its imports"
        ) from error
    if function is None:
        return imported
    if not hasattr(imported, function):
        raise RegistryError(
            f"{kind} {name!r}: {imported.__file__} has no {function}; define it there, or correct the name"
        )
    return getattr(imported, function)


def module_of(kind, name):
    """Dotted name of the module behind a name, which is looked up and not imported.

    Raises:
        RegistryError: when there is no such file, module or function.
    """
    return _parts(kind, name)[0]


def names(kind):
    """Names of what the package has of a kind, sorted."""
    folders = [ROOT.joinpath(*room.split(".")) for room in ROOMS[kind]]
    return sorted(path.stem for folder in folders for path in folder.glob("*.py") if _holds(kind, path))


def source(module):
    """Path of a module's Python source, found without importing it; None where there is none."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return None
    if not rest:
        paths = [Path(spec.origin)] if spec.has_location else []
    else:
        bases = [Path(folder, *rest) for folder in spec.submodule_search_locations or ()]
        paths = [path for base in bases for path in (base / "__init__.py", base.with_suffix(".py"))]
    return next((path for path in paths if path.suffix == ".py" and path.exists()), None)


def _parts(kind, name):
    """(module, function) behind a name; the function is None where the module itself is meant."""
    if ":" in name or (kind in MODULES and "." in name):
        return _outside(kind, name)
    for room in ROOMS[kind]:
        if name.isidentifier() and _holds(kind, ROOT.joinpath(*room.split("."), f"{name}.py")):
            return f"{PACKAGE}.{room}.{name}", None if kind in MODULES else name
    there = ", ".join(names(kind)) or "none"
    raise RegistryError(f"there is no {kind} {name!r}; there are {there}, or {_form(kind)} for one of your own")


def _outside(kind, name):
    module, colon, function = name.partition(":")
    whole = kind in MODULES and not colon
    if not all(part.isidentifier() for part in [*module.split("."), *([] if whole else [function])]):
        raise RegistryError(f"{kind} {name!r} is not written as {_form(kind)}")
    path = source(module)
    if path is None:
        raise RegistryError(
            f"{kind} {name!r}: there is no Python source of the module {module}; install its package, or add the folder "
            "that holds it to PYTHONPATH"
        )
    if whole:
        return module, None
    if not re.search(rf"\b{function}\b|\bimport \*", path.read_text()):
        raise RegistryError(f"{kind} {name!r}: {path} has no {function}; define it there, or correct the name")
    return module, function


def _form(kind):
    """How the name of something outside the package is written."""
    return "package.module" if kind in MODULES else "package.module:function"


def _holds(kind, path):
    """Whether a file holds what its name says: a function named like it, or anything where modules are meant."""
    if path.stem.startswith("_") or not path.exists():
        return False
    if kind in DECLARES:
        return re.search(rf"^{DECLARES[kind]} = ", path.read_text(), re.MULTILINE) is not None
    return kind in MODULES or re.search(rf"^def {path.stem}\(", path.read_text(), re.MULTILINE) is not None
