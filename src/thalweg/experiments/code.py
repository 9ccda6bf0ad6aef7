"""The code behind a job: its step, and the processes and losses that its settings name.

A step does not import what a study names, so that editing one prior makes only the jobs with that prior run again.
"""

import json

from thalweg.registry import module_of
from thalweg.storage.fingerprint import fingerprint

NAMED = {  # keys of settings -> kind of what they name
    "process": "process",
    "priors": "process",
    "loss": "loss",
    "metrics": "metric",
    "sample_metrics": "metric",
    "split": "split",
}


def code_of(step, *settings, modules=()):
    """Fingerprint of a step's module and of what stands behind the names in its settings.

    Args:
        step: a module, such as ``"thalweg.cli.steps.train"``.
        settings: blocks of the configuration, as mappings or as JSON.
        modules: others that run.

    Raises:
        thalweg.registry.RegistryError: for a name behind which there is nothing.
    """
    blocks = [json.loads(block) if isinstance(block, str) else block for block in settings]
    return fingerprint(step, *modules, *sorted(set().union(*map(modules_of, blocks))))


def modules_of(settings):
    """Modules behind the names in nested settings, a set."""
    found = set()
    for key, value in settings.items():
        if isinstance(value, dict):
            found |= modules_of(value)
        elif key in NAMED:
            names = [value] if isinstance(value, str) else value
            found |= {module_of(NAMED[key], name) for name in names if ":" in name or NAMED[key] != "metric"}
    return found
