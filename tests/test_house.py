"""The house: dependencies, floors, style."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "thalweg"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Lower floors first; nothing imports upwards.
FLOORS = [
    {"units", "schema", "registry"},
    {"storage", "processes", "metrics"},
    {"basin", "integrate"},
    {"learn", "forcing"},
    {"datasets"},
    {"settings"},
    {"experiments", "evaluation"},
    {"analysis"},
    {"figures"},
    {"library", "explorer"},
    {"cli"},
]


def modules():
    return [path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py"]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            if node.module == "thalweg":
                yield from (f"thalweg.{alias.name}" for alias in node.names)


def floor(name):
    return next(i for i, names in enumerate(FLOORS) if name in names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_imports_upwards(path):
    here = floor(path.relative_to(SOURCE).parts[0].removesuffix(".py"))
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "thalweg" and len(parts) > 1:
            assert floor(parts[1]) <= here, f"{path.name} imports {name}"
        assert here == len(FLOORS) - 1 or parts[0] != "snakemake"


def pinned():
    lines = (ROOT / "envs/requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared():
    extras = PROJECT["optional-dependencies"]["test"]
    return {canonical(re.split(r"[\[=<>~ ]", text)[0]) for text in [*PROJECT["dependencies"], *extras]}


def test_the_lock_holds_every_dependency_and_agrees_with_the_project():
    lock = {canonical(name): version for name, version in pinned().items()}
    assert declared() <= set(lock)
    assert lock["torch"] == "2.13.0"
    assert "torch==2.13.0" in PROJECT["dependencies"]
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in lock.values()), "exact versions, no local tags"


def test_conda_only_wraps_the_lock():
    environment = yaml.safe_load((ROOT / "envs/environment.yaml").read_text())
    assert environment["dependencies"][-1] == {"pip": ["--requirement requirements.lock"]}
    python = next(text for text in environment["dependencies"] if str(text).startswith("python="))
    assert python.split("=")[1] in ("3.11", "3.12", "3.13")


def test_what_is_imported_is_declared():
    known = packages_distributions()
    for path in modules():
        for name in imports(path):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top == "thalweg":
                continue
            names = {canonical(distribution) for distribution in known.get(top, [top])}
            assert names & declared(), f"{path.relative_to(ROOT)} imports {top}, which pyproject.toml does not declare"


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"]], ids=" ".join)
def test_python_style(command):
    result = subprocess.run(
        [sys.executable, "-m", *command, "src", "tests", "benchmarks", "docs"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


def test_workflow_style():
    result = subprocess.run(
        [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
