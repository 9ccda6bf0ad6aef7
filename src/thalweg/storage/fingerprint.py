"""A fingerprint of code: editing a module reruns exactly the rules whose verb imports it.

Snakemake sees a shell command, not the modules behind it. The fingerprint of a verb's module covers the module and every
module of the package that it imports, directly or not, found by reading the sources; a module outside the package counts
with what it imports from its own top-level package and from this one. Comments, docstrings, layout, texts that explain an
argument or a key, and texts of errors do not count.
"""

import ast
import hashlib
from functools import cache
from importlib.util import resolve_name

from thalweg import registry
from thalweg.registry import PACKAGE

TEXTS = ("description", "help", "message", "title", "caption")  # arguments that only people read


source = cache(registry.source)  # constant during a run of the workflow


@cache
def fingerprint(*modules, within=None):
    """A short hash of the code behind the named modules, such as ``"thalweg.cli.steps.train"``.

    Args:
        modules: names.
        within: a package, such as ``"thalweg.processes"``: of this one, only modules within that package count.

    Raises:
        ValueError: for a module that has no source.
    """
    digest = hashlib.sha256()
    for name in sorted(closure(*modules)):
        if within is not None and name.split(".")[0] == PACKAGE and not f"{name}.".startswith(f"{within}."):
            continue
        digest.update(f"{name}\n{_code(source(name))}\n".encode())
    return digest.hexdigest()[:12]


def closure(*modules):
    """Names of the modules that the named ones import, themselves included, and their packages."""
    found, waiting = set(), list(modules)
    for name in modules:
        if source(name) is None:
            raise ValueError(f"no module {name!r}")
        if name.split(".")[0] != PACKAGE:
            waiting += _packages(name)
    while waiting:
        name = waiting.pop()
        if name in found or source(name) is None:
            continue
        found.add(name)
        for imported in _imports(name):
            waiting.append(imported)
            waiting += [package for package in _packages(imported) if package not in modules]
    return found


def _packages(name):
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


@cache
def _tree(path):
    """The syntax tree of a file without the parts that do not count, and its imports."""
    tree, imports = ast.parse(path.read_text()), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
        elif isinstance(node, ast.keyword) and node.arg in TEXTS:
            _drop_text(node.value)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            _drop_text(node.exc)
    return tree, imports


def _drop_text(expression):
    for node in ast.walk(expression):
        if isinstance(node, ast.JoinedStr):
            node.values = [part for part in node.values if not isinstance(part, ast.Constant)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""


@cache
def _code(path):
    return repr(_plain(_tree(path)[0]))


def _plain(node):
    """A syntax tree as tuples that are the same for all versions of Python: parts that are empty are left out."""
    if isinstance(node, ast.AST):
        parts = [(name, _plain(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return (type(node).__name__, *parts)
    return tuple(map(_plain, node)) if isinstance(node, list) else node


@cache
def _imports(name):
    """Modules that a module imports from the package, or from its own top-level package."""
    path = source(name)
    here = name if path.name == "__init__.py" else name.rpartition(".")[0]
    families = {PACKAGE, name.split(".")[0]}
    names = set()
    for node in _tree(path)[1]:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            module = resolve_name("." * node.level + (node.module or ""), here)
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] in families}
