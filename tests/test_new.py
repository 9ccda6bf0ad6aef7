"""thalweg new: what it writes works, its tests find mistakes, and it overwrites nothing."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from thalweg.cli import main
from thalweg.cli.new import IN_A_STUDY, NewError, module_of

ROOT = Path(__file__).parents[1]
ANCHOR = """ANCHOR = {
    "source": "by hand",
    "forcing": {"precipitation": [10.0, 0.0], "potential_evapotranspiration": [1.0, 2.0]},
    "state": {"storage": 10.0},
    "parameters": {"k": 0.5, "demand": 1.0},
    "fluxes": {"runoff": [9.5, 3.75]},
    "tolerance": 1e-9,
}
"""


def outcome_of(folder, name):
    """Outcome of the tests that were written: text of pytest."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}"}
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", f"test_{name}.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True).stdout


def changed(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.long
def test_the_tests_of_a_new_process_pass_and_find_mistakes(tmp_path, capsys):
    main(["new", "process", "lake_store", "--folder", str(tmp_path)])
    said = capsys.readouterr().out
    assert "process: lake_store:lake_store" in said and "pytest" in said
    process, tests = tmp_path / "lake_store.py", tmp_path / "test_lake_store.py"
    outcome = outcome_of(tmp_path, "lake_store")
    assert re.search(r"\b6 passed, 1 skipped", outcome), outcome
    assert "not compared with a published value yet: fill in ANCHOR in test_lake_store.py" in outcome
    changed(tests, "ANCHOR = None\n", ANCHOR)
    outcome = outcome_of(tmp_path, "lake_store")
    assert re.search(r"\b7 passed in", outcome), outcome
    changed(tests, "[9.5, 3.75]", "[9.5, 3.8]")
    changed(process, '"storage": storage - runoff', '"storage": storage - 0.9 * runoff')  # water from nowhere
    outcome = outcome_of(tmp_path, "lake_store")
    assert re.search(r"\b2 failed, 5 passed", outcome), outcome
    assert "test_water_is_neither_made_nor_lost" in outcome and "by hand" in outcome


@pytest.mark.parametrize("kind", IN_A_STUDY)
def test_each_kind_is_python_and_names_itself(kind, tmp_path, capsys):
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    main(["new", kind, "own_thing", "--folder", str(package)])
    lines = capsys.readouterr().out.splitlines()
    assert any("mine.own_thing" in line for line in lines) and any(
        f"{tmp_path} is in PYTHONPATH" in line for line in lines
    )
    text = (package / "own_thing.py").read_text()
    names = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    assert ("build" if kind == "dataset" else "own_thing") in names and "$" not in text
    assert text.startswith('"""own_thing')
    result = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", package],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    style = [sys.executable, "-m", "ruff", "format", "--check", "--config", ROOT / "pyproject.toml", package]
    assert subprocess.run(style, capture_output=True).returncode == 0


def test_nothing_is_overwritten_and_names_are_checked(tmp_path, capsys):
    (tmp_path / "test_store.py").write_text("mine")
    with pytest.raises(SystemExit):
        main(["new", "process", "store", "--folder", str(tmp_path)])
    assert "test_store.py is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["test_store.py"]
    for name in ("two words", "class", "_hidden", "3d"):
        with pytest.raises(NewError, match="is not a name of a function"):
            module_of(tmp_path, name)
    with pytest.raises(NewError, match="'torch' is the name of an installed module"):
        module_of(tmp_path, "torch")
    assert module_of(ROOT / "src/thalweg/processes/runoff", "torch") == "thalweg.processes.runoff.torch"
