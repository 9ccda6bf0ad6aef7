"""thalweg: a reproducible study of differentiable global hydrology."""

import os

__version__ = "0.1.0"

# Large tensors are allocated anew in every training step. On huge pages (Linux) that is a few page faults
# instead of thousands, which cost an LSTM's step as much as its arithmetic; torch reads this at its first tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# Idle OpenMP threads (of torch on Linux) spin a while before they sleep. Cut short, the compiled kernels' own threads get
# the cores at once, and a machine with other work on it remains responsive; read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
