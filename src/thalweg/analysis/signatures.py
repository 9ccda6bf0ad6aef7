"""Hydrological signatures: do models rank catchments like the observed hydrographs?"""

import pandas as pd

from thalweg.evaluation.signature_table import signature_table
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation

ANALYSIS = Declared(
    of="between_periods",
    reads={"simulations": "simulations:models_of"},
    given={"minimum_days": "minimum_days"},
    title="signatures",
    caption="Signatures of simulated and observed discharge: Spearman's rank correlation over gauges and the medians of both. Each gauge "
    "counts with its mean over seeds and folds, on the days on which both series are known.",
    category="Skill",
)


def analyse(simulations, minimum_days):
    """Rank correlation and medians by model and signature; see :func:`~thalweg.evaluation.signature_table.signature_table`."""
    tables = [signature_table(read_simulation(path), minimum_days) for path in simulations.values()]
    return pd.concat(tables, ignore_index=True)
