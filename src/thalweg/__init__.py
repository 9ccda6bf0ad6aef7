"""thalweg: a reproducible study of differentiable global hydrology."""

import os

# Idle OpenMP threads (of torch on Linux) spin a while before they sleep. Cut short, the compiled kernels' own threads get
# the cores at once, and a machine with other work on it is not brought to its knees. Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.1.0"
