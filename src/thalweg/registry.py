"""Processes, losses, figures and others found by name, so that adding one means adding one file.

A name is that of a file in a folder of the package, such as ``gr4j`` for processes/runoff/gr4j.py, or
``package.module:function`` for a function outside the package; for a module, such as that of a dataset, ``package.module``.
Nothing is imported before it is requested.
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
    "metric": (),  # those of the package are in the table thalweg.metrics.scores.METRICS
    "dataset": ("datasets",),
    "split": ("experiments.splits",),
    "figure": ("figures",),
    "analysis": ("analysis",),
}
MODULES = (
    "dataset",
    "figure",
    "analysis",
)  # the name refers to the module; for other kinds to its function of the same name
DECLARES = {
    "dataset": "SETTINGS",
    "figure": "FIGURE",
    "analysis": "ANALYSIS",
}  # the name that marks a module of this kind; other files of its folder are helpers


class RegistryError(ValueError):
    """An unknown name; the message lists those available, or the remedy."""


@cache
def load(kind, name):
    """The object of a name.

    Args:
        kind: a key of :data:`ROOMS`.
        name: of a file in its folders, or ``package.module:function``; for the kinds of :data:`MODULES` also
            ``package.module``.

    Returns:
        The function named like its file, or the one after the colon; for the kinds of :data:`MODULES`, the module.

    Raises:
        RegistryError: if there is no such file, module or function, or the module cannot be imported.
    """
    module, function = _parts(kind, name)
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        raise RegistryError(
            f"{kind} {name!r}: importing {module} failed ({error}); install its requirements, or correct its imports"
        ) from error
    if function is None:
        return imported
    if not hasattr(imported, function):
        raise RegistryError(
            f"{kind} {name!r}: {imported.__file__} has no {function}; define it there, or correct the name"
        )
    return getattr(imported, function)


def module_of(kind, name):
    """Dotted name of the module of a name, found without importing it.

    Raises:
        RegistryError: if there is no such file, module or function.
    """
    return _parts(kind, name)[0]


def names(kind):
    """Names in the package of a kind, sorted."""
    folders = [ROOT.joinpath(*room.split(".")) for room in ROOMS[kind]]
    return sorted(path.stem for folder in folders for path in folder.glob("*.py") if _holds(kind, path))


def source(module):
    """Path of a module's Python source, found without importing it; None if there is none."""
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
    """(module, function) of a name; the function is None if the name refers to the module."""
    if ":" in name or (kind in MODULES and "." in name):
        return _outside(kind, name)
    for room in ROOMS[kind]:
        if name.isidentifier() and _holds(kind, ROOT.joinpath(*room.split("."), f"{name}.py")):
            return f"{PACKAGE}.{room}.{name}", None if kind in MODULES else name
    there = ", ".join(names(kind)) or "none"
    raise RegistryError(f"unknown {kind} {name!r}; available: {there}, or {_form(kind)} for your own")


def _outside(kind, name):
    module, colon, function = name.partition(":")
    whole = kind in MODULES and not colon
    if not all(part.isidentifier() for part in [*module.split("."), *([] if whole else [function])]):
        raise RegistryError(f"{kind} {name!r} must be written as {_form(kind)}")
    path = source(module)
    if path is None:
        raise RegistryError(
            f"{kind} {name!r}: no Python source of the module {module}; install its package, or add the folder "
            "that contains it to PYTHONPATH"
        )
    if whole:
        return module, None
    if not re.search(rf"\b{function}\b|\bimport \*", path.read_text()):
        raise RegistryError(f"{kind} {name!r}: {path} has no {function}; define it there, or correct the name")
    return module, function


def _form(kind):
    """Form of the name of an external function or module."""
    return "package.module" if kind in MODULES else "package.module:function"


def _holds(kind, path):
    """Whether a file defines the object of its name: a function of the same name, or anything for modules."""
    if path.stem.startswith("_") or not path.exists():
        return False
    if kind in DECLARES:
        return re.search(rf"^{DECLARES[kind]} = ", path.read_text(), re.MULTILINE) is not None
    return kind in MODULES or re.search(rf"^def {path.stem}\(", path.read_text(), re.MULTILINE) is not None
