"""A fingerprint of code: editing a module reruns exactly the rules whose verb imports it.

Snakemake sees a shell command, not the modules behind it. The fingerprint of a verb's module covers the module and every
module of the package that it imports, directly or not, found by reading the sources. Comments, docstrings and layout do
not count.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT.name


def fingerprint(*modules):
    """A short hash of the code behind the named modules, such as ``"thalweg.cli.steps.train"``.

    Raises:
        ValueError: for a module that is not in the package.
    """
    digest = hashlib.sha256()
    for name in sorted(closure(*modules)):
        digest.update(f"{name}\n{_code(_path(name))}\n".encode())
    return digest.hexdigest()[:12]


def closure(*modules):
    """Names of the package's modules that the named ones import, themselves included, and the packages they stand in."""
    found, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if _path(name) is None:
            raise ValueError(f"there is no module {name!r}")
        found.add(name)
        for imported in _imports(name):
            waiting.append(imported)
            waiting += [package for package in _packages(imported) if package not in modules]
    return found


def _packages(name):
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _path(name):
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return None
    base = ROOT.joinpath(*parts[1:])
    if base.is_dir():
        return base / "__init__.py" if (base / "__init__.py").exists() else None
    return base.with_suffix(".py") if base.with_suffix(".py").exists() else None


@cache
def _tree(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return tree


def _code(path):
    return ast.dump(_tree(path))


def _imports(name):
    names = set()
    for node in ast.walk(_tree(_path(name))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == PACKAGE:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names if _path(f"{node.module}.{alias.name}")}
    return names
