"""thalweg: a reproducible study of differentiable global hydrology."""

__version__ = "0.1.0"
