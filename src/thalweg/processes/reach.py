"""What every process of a river reach reads and gives, so that one march takes them all."""

from thalweg.processes.process import Variable

INFLOW = Variable("inflow", "m**3/s", "from the reaches upstream, mean of the step")
LATERAL_INFLOW = Variable("lateral_inflow", "m**3/s", "from the land beside the reach, mean of the step, not negative")
DISCHARGE = Variable("discharge", "m**3/s", "through the downstream end, mean of the step")
FORCINGS, FLUXES = (INFLOW, LATERAL_INFLOW), (DISCHARGE,)
