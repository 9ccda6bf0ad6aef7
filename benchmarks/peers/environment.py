"""Throw-away virtual environments for the packages that thalweg is compared with, and never depends on."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent


@contextmanager
def environment(*packages):
    """The Python of a new virtual environment with these packages; gone at the end.

    Raises:
        RuntimeError: when they cannot be installed, with what pip says.
    """
    with TemporaryDirectory(prefix="thalweg-peers-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python"
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(packages)} cannot be installed:\n{done.stderr.strip()}")
        yield str(python)


def ask(python, script, request):
    """Run a script of this folder with a request; its answer.

    Request and answer are JSON, on standard input (no terminal, so no package asks anything) and the last line of
    standard output.

    Raises:
        RuntimeError: when the script fails, with what it says.
    """
    done = subprocess.run(
        [python, str(HERE / script)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
    )
    if done.returncode:
        raise RuntimeError(f"{script} fails:\n{done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])
