"""The priors: equations, one file each, readable beside the paper."""

from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.runoff.exp_hydro import exp_hydro
from thalweg.processes.runoff.gr4j import gr4j
from thalweg.processes.runoff.hbv import hbv
from thalweg.processes.runoff.hbv_canopy import hbv_canopy
from thalweg.processes.runoff.hbv_implicit import hbv_implicit
from thalweg.processes.runoff.hbv_neural import hbv_neural
from thalweg.processes.runoff.prms import prms
from thalweg.processes.runoff.sac_sma import sac_sma
from thalweg.processes.runoff.xinanjiang import xinanjiang

__all__ = [
    "Parameter",
    "Process",
    "State",
    "Variable",
    "exp_hydro",
    "gr4j",
    "hbv",
    "hbv_canopy",
    "hbv_implicit",
    "hbv_neural",
    "prms",
    "sac_sma",
    "xinanjiang",
]
