"""Concentration as a function of discharge and season: a regression of the logarithm.

To the power law of discharge and the season (Godsey et al. 2009, doi:10.1002/hyp.7315; Hirsch et al. 2010,
doi:10.1111/j.1752-1688.2010.00482.x) it adds the flow anomaly (Vecchia 2003), which distinguishes rising from falling
flow, and first flush from a long wet spell:

    ln C = b_0 + b_1 ln(Q / Q_mean) + b_2 sin + b_3 cos + b_4 (ln(Q / Q_mean) - A),    A a running mean of ln(Q / Q_mean)
"""

import math
from functools import cache

from thalweg.processes.operations import clip, exp, log
from thalweg.processes.process import Parameter, Process, State, Variable

MIN_FLOW = 1e-3  # of the mean discharge; with less, concentrations stay as they are

FORCINGS = (
    Variable("discharge", "m3/s", "discharge"),
    Variable("season_cosine", "dimensionless", "cosine of 2 pi day of the year / 365.25"),
    Variable("season_sine", "dimensionless", "sine of 2 pi day of the year / 365.25"),
)


def _parameters(variable, low, high):
    return (
        Parameter("mean_discharge", 0.001, 200000.0, "m3/s", "mean discharge at the site"),
        Parameter(
            "log_concentration", math.log(low), math.log(high), "dimensionless", f"b_0, of {variable} at mean discharge"
        ),
        Parameter("discharge_exponent", -1.5, 1.5, "dimensionless", "of the power law of discharge"),
        Parameter("season_sine_coefficient", -1.5, 1.5, "dimensionless", "of the season's sine"),
        Parameter("season_cosine_coefficient", -1.5, 1.5, "dimensionless", "of the season's cosine"),
    )


def _log_concentration(log_flow, forcing, p):
    return (
        p["log_concentration"]
        + p["discharge_exponent"] * log_flow
        + p["season_sine_coefficient"] * forcing["season_sine"]
        + p["season_cosine_coefficient"] * forcing["season_cosine"]
    )


def _log_flow(forcing, p):
    return log(clip(forcing["discharge"] / p["mean_discharge"], MIN_FLOW, None))


@cache
def concentration_discharge(variable, unit, low, high):
    """The process for the sampled variable ``variable``, a step of one day.

    Args:
        variable: name of the flux, as in the samples, such as ``"dissolved_organic_carbon"``.
        unit: of the concentration.
        low, high: bounds of the concentration at mean discharge, above 0.

    Returns:
        Process: the concentration.
    """

    def step(state, forcing, parameters):
        p = parameters
        log_flow = _log_flow(forcing, p)
        antecedent = state["antecedent"] + (1.0 - exp(-1.0 / p["memory"])) * (log_flow - state["antecedent"])
        concentration = exp(_log_concentration(log_flow, forcing, p) + p["anomaly_exponent"] * (log_flow - antecedent))
        return {"antecedent": antecedent}, {variable: concentration}

    def rest(forcing, parameters):
        return {"antecedent": _log_flow(forcing, parameters)}

    return Process(
        name=f"concentration_discharge of {variable}",
        source="Godsey et al. 2009; Vecchia 2003",
        states=(State("antecedent", 0.0, "dimensionless", "running mean of the logarithm of discharge over its mean"),),
        parameters=(
            *_parameters(variable, low, high),
            Parameter("anomaly_exponent", -1.5, 1.5, "dimensionless", "of the flow anomaly"),
            Parameter("memory", 2.0, 90.0, "day", "memory of the antecedent flow"),
        ),
        forcings=FORCINGS,
        fluxes=(Variable(variable, unit, "concentration"),),
        step=step,
        rest=rest,
    )


concentration_discharge.takes = "at least 0"  # observations: the curve is of the logarithm
