"""What it saves to train the models of an experiment in one job: processor seconds of one job for each model, and of one for all.

    python benchmarks/training_jobs.py default delaware gauges-15

Domain and split of the experiment must be there, in results/<study>. Weights must be the same.
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from thalweg.experiments import plan
from thalweg.settings.files import read_study


def trained(settings, study, domain, experiment, folder):
    """Train models in one job; its processor seconds."""
    results = Path("results") / study
    data = ["--domain", results / f"domains/{domain}.nc", "--splits", results / f"splits/{domain}/{experiment}.csv"]
    more = ["--names", domain, experiment, "--checkpoints", folder / "checkpoints", "--output", folder]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, "-m", "thalweg.cli", "step", "train", *data, "--settings", json.dumps(settings), *more]
    subprocess.run(list(map(str, words)), check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(name, domain, experiment):
    study = read_study("config", {"study": name})
    jobs = {
        model: plan.job(study, domain, experiment, model) for model in plan.trained_models(study, domain, experiment)
    }
    with tempfile.TemporaryDirectory() as temporary:
        one, each = Path(temporary, "one"), Path(temporary, "each")
        trained(dict([next(iter(jobs.items()))]), name, domain, experiment, Path(temporary, "warm"))  # compiles kernels
        apart = sum(trained({model: job}, name, domain, experiment, each) for model, job in jobs.items())
        together = trained(jobs, name, domain, experiment, one)
        files = [f"{model}.safetensors" for model in jobs]
        same = all((one / file).read_bytes() == (each / file).read_bytes() for file in files)
    print(
        f"{domain}/{experiment}, {len(jobs)} models: {apart:.1f} s in a job each, {together:.1f} s in one job; weights equal: {same}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
