"""thalweg: a reproducible study of differentiable global hydrology."""

import os

__version__ = "0.1.0"

# Large tensors are allocated anew in every training step. On huge pages (Linux) that is a few page faults
# instead of thousands, which cost an LSTM's step as much as its arithmetic; torch reads this at its first tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# Idle OpenMP threads (of torch on Linux) spin a while before they sleep. Cut short, the compiled kernels' own threads get
# the cores at once, and a machine with other work on it remains responsive; read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Name -> module and attribute: imported when it is first used, so that `import thalweg` stays light.
_PUBLIC = {
    "dataset": ("library.data", "dataset"),
    "catchments": ("library.data", "catchments"),
    "sites": ("library.data", "sites"),
    "split": ("library.data", "split"),
    "train": ("library.training", "train"),
    "load": ("library.model", "load"),
    "predict": ("library.model", "predict"),
    "fluxes": ("library.model", "fluxes"),
    "evaluate": ("library.scores", "evaluate"),
    "explain": ("library.explain", "explain"),
    "plot": ("library.plot", None),
    "process": ("library.process", "process"),
    "Model": ("library.model", "Model"),
    "Domain": ("basin.domain", "Domain"),
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'thalweg' has no attribute {name!r}; it has {', '.join(_PUBLIC)}")
    from importlib import import_module

    module, attribute = _PUBLIC[name]
    module = import_module(f"thalweg.{module}")
    return module if attribute is None else getattr(module, attribute)


def __dir__():
    return sorted({*globals(), *_PUBLIC})
