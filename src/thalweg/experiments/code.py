"""The code of a job: its step, and the processes and losses named in its settings.

A step does not import the modules named in a study, so that editing one prior reruns only the jobs with that prior.
"""

import hashlib
import json

from thalweg.registry import module_of
from thalweg.storage.fingerprint import fingerprint
from thalweg.storage.installed import weights

NAMED = {  # keys of settings -> kind of what they name
    "process": "process",
    "priors": "process",
    "loss": "loss",
    "metrics": "metric",
    "sample_metrics": "metric",
    "split": "split",
}


def code_of(step, *settings, modules=()):
    """Fingerprint of a step's module, of the modules named in its settings, and of the weights from which models start.

    Args:
        step: a module, such as ``"thalweg.cli.steps.train"``.
        settings: blocks of the configuration, as mappings or as JSON.
        modules: further modules that run.

    Raises:
        thalweg.registry.RegistryError: for an unknown name.
    """
    blocks = [json.loads(block) if isinstance(block, str) else block for block in settings]
    code = fingerprint(step, *modules, *sorted(set().union(*map(modules_of, blocks))))
    return "-".join([code, *sorted(set().union(*map(_starts, blocks)))])


def modules_of(settings):
    """Modules named in nested settings, a set."""
    found = set()
    for key, value in settings.items():
        if isinstance(value, dict):
            found |= modules_of(value)
        elif key in NAMED and isinstance(value, str | list):
            names = [value] if isinstance(value, str) else value
            found |= {module_of(NAMED[key], name) for name in names if ":" in name or NAMED[key] != "metric"}
    return found


def _starts(settings):
    """Short hashes of the model files named in nested settings, a set."""
    found = set()
    for key, value in settings.items():
        if isinstance(value, dict):
            found |= _starts(value)
        elif key == "start" and isinstance(value, str):
            found.add(hashlib.sha256(weights(value).read_bytes()).hexdigest()[:12])
    return found
