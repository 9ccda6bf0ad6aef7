"""Pass both components to the CSDMS bmi-tester: python tests/bmi_tester.py ENVIRONMENT (by ``make bmi-test``).

ENVIRONMENT is the folder of a virtual environment for the tester, made when it is not there; it sees the packages of the Python
that runs this script. Models are trained for a few steps on a synthetic domain.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

import thalweg
from bmi_case import case

TESTER = "bmi-tester==0.5.10"
UNITS = "gimli.units==0.3.4"  # without it the tester skips its checks of units; it has wheels for few platforms
RUNS = {
    "runoff": ("thalweg.library.bmi:BmiThalweg", {}),
    "runoff, dynamic": ("thalweg.library.bmi:BmiThalweg", {"dynamic": ["BETA"], "seeds": (0,)}),
    "runoff and river": ("thalweg.library.bmi:BmiThalweg", {"routing": "river"}),
    "river": ("thalweg.library.bmi:BmiRiver", {"routing": "river"}),
}


CODE = "import sys; from bmi_tester.main import main; sys.exit(main(sys.argv[1:]))"


def ask(python, code):
    """What a line of Python prints."""
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def environment(folder):
    """The Python of the tester's environment.

    Raises:
        SystemExit: if the tester cannot be installed, with what pip says.
    """
    python = Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (Path(folder) / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*install, TESTER], capture_output=True, text=True)
        if done.returncode:
            print(done.stderr.strip(), file=sys.stderr)
            raise SystemExit(
                f"{TESTER} cannot be installed: the package index does not have it, or is out of reach. Nothing was tested"
            )
        if subprocess.run([*install, "--only-binary", ":all:", UNITS], capture_output=True).returncode:
            print(f"{UNITS} cannot be installed: the tester skips its checks of units", file=sys.stderr)
        where = ask(python, "import sysconfig; print(sysconfig.get_path('purelib'))")
        source = str(Path(thalweg.__file__).parents[1])  # of an editable installation, whose own .pth is not read here
        packages = [source, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        Path(where, "thalweg.pth").write_text("\n".join(dict.fromkeys(packages)) + "\n")
        (Path(folder) / "installed").touch()
    return str(python)


def main(folder):
    python, failed = environment(folder), []
    tests = ask(python, "import bmi_tester, pathlib; print(pathlib.Path(bmi_tester.__file__).parent)")
    # By itself pytest (from version 8) does not find the tester's fixtures above the folder of a stage, and leaves out tests
    # that depend on one that the tester misspells: those of initialize, update and the current time.
    known = {**os.environ, "PYTEST_ADDOPTS": f"--confcutdir={tests} --ignore-unknown-dependency -rsw"}
    for name, (component, keys) in RUNS.items():
        with TemporaryDirectory(prefix="thalweg-bmi-") as where:
            *_, path = case(where, **keys)
            print(f"\n=== {name}: {component}", flush=True)
            command = [python, "-c", CODE, component, "--root-dir", where, "--config-file", str(path)]
            if subprocess.run(command, env=known).returncode:
                failed.append(name)
    if failed:
        raise SystemExit(f"bmi-tester fails: {', '.join(failed)}")
    print(f"\nbmi-tester passes: {', '.join(RUNS)}")


if __name__ == "__main__":
    main(sys.argv[1])
