"""Checkpoints: one safetensors file holds tensors and, in its header, JSON; nothing is pickled.

A checkpoint holds the full state of an uninterrupted run at that step: weights, the best weights so far, the optimiser's
state, both random generators and the log, so a resumed run gives the same bits.
"""

import json

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from thalweg.storage.store import atomic


def save(path, tensors, values):
    """Write ``tensors`` (name -> tensor) and ``values`` (JSON-ready), atomically."""
    contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic(path) as temporary:
        save_file(contiguous, temporary, metadata={"json": json.dumps(values)})


def load(path):
    """The ``(tensors, values)`` written by :func:`save`."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, json.loads(file.metadata()["json"])


def prefixed(prefix, tensors):
    """``tensors`` under ``prefix/``."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def without_prefix(prefix, tensors):
    """The tensors under ``prefix/``, by their own names."""
    return {name.removeprefix(f"{prefix}/"): t for name, t in tensors.items() if name.startswith(f"{prefix}/")}


def optimiser_tensors(optimiser):
    """The optimiser's state as flat tensors: ``<parameter>/<name>``."""
    state = optimiser.state_dict()["state"]
    return {f"{i}/{name}": torch.as_tensor(value) for i, entry in state.items() for name, value in entry.items()}


def restore_optimiser(optimiser, tensors):
    """Restore the state returned by :func:`optimiser_tensors`."""
    state = {}
    for key, tensor in tensors.items():
        parameter, name = key.split("/")
        state.setdefault(int(parameter), {})[name] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
