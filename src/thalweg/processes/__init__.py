"""The priors: equations, one file each, readable next to the paper."""

from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.registry import load

__all__ = ["Parameter", "Process", "State", "Variable", "get"]


def get(name, **options):
    """Return a process by name, such as ``get("hbv", capillary_rise=False)``.

    Args:
        name: of a file in the subpackages of this package, or ``package.module:function``.
        options: of that process's function.

    Raises:
        thalweg.registry.RegistryError: if there is no such process.
    """
    return load("process", name)(**options)
