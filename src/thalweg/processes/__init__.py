"""The priors: equations, one file each, readable beside the paper."""

from thalweg.processes.hbv import hbv
from thalweg.processes.hbv_canopy import hbv_canopy
from thalweg.processes.hbv_implicit import hbv_implicit
from thalweg.processes.process import Parameter, Process, State, Variable

__all__ = ["Parameter", "Process", "State", "Variable", "hbv", "hbv_canopy", "hbv_implicit"]
