"""Every process in single precision, at the bounds of its parameters, in drought, frost, heat and flood: nothing but numbers."""

import pytest
import torch

from thalweg import registry
from thalweg.integrate import integrate
from thalweg.processes import get
from thalweg.processes.routing.muskingum_cunge import linear_reservoir, muskingum_cunge
from thalweg.processes.runoff.gr4j import gr4j
from thalweg.processes.runoff.hbv import hbv
from thalweg.processes.vegetation.penman_monteith import latent_heat
from thalweg.processes.vegetation.photosynthesis import leaf
from thalweg.processes.water_quality.load import reach_of_load

# Of every forcing: in ordinary weather, drought, frost, heat and flood.
WEATHER = {
    "precipitation": (6.0, 0.0, 0.0, 0.0, 300.0),
    "temperature": (12.0, 25.0, -40.0, 45.0, 15.0),
    "air_temperature": (12.0, 25.0, -40.0, 45.0, 15.0),
    "leaf_temperature": (15.0, 30.0, -40.0, 50.0, 15.0),
    "water_temperature": (12.0, 25.0, -0.5, 40.0, 15.0),
    "potential_evapotranspiration": (2.0, 12.0, 0.0, 15.0, 0.0),
    "net_radiation": (100.0, 200.0, -60.0, 250.0, 5.0),
    "shortwave_radiation": (150.0, 350.0, 0.0, 380.0, 5.0),
    "vapour_pressure_deficit": (0.6, 3.0, 0.0, 9.5, 0.0),
    "vapour_pressure": (9.0, 2.0, 0.1, 1.0, 17.0),
    "day_length": (12.0, 15.0, 0.0, 15.0, 9.0),
    "discharge": (5.0, 0.0, 0.0, 0.01, 1e5),
    "inflow": (5.0, 0.0, 0.0, 0.01, 1e5),
    "lateral_inflow": (0.5, 0.0, 0.0, 0.0, 1e4),
    "season_cosine": (0.0, -1.0, 1.0, -0.8, 0.5),
    "season_sine": (1.0, 0.0, 0.0, -0.6, 0.87),
    "absorbed_light": (600.0, 2200.0, 0.0, 2200.0, 5.0),
    "pressure": (97.0, 101.0, 55.0, 101.0, 90.0),
    "co2": (400.0, 400.0, 250.0, 1000.0, 400.0),
    "intercellular_co2": (280.0, 50.0, 0.0, 1000.0, 380.0),
    "soil_moisture_share": (0.5, 0.0, 0.3, 0.0, 1.0),
}
KINDS = ("drought", "frost", "heat", "flood")
ARGUMENTS = {"concentration_discharge": {"variable": "carbon", "unit": "mg/l", "low": 0.1, "high": 50.0}}
PROCESSES = {name: lambda name=name: get(name, **ARGUMENTS.get(name, {})) for name in registry.names("process")}
PROCESSES |= {
    "hbv_1.0": lambda: hbv(capillary_rise=False, shaped_evapotranspiration=False),
    "hbv_hourly": lambda: hbv(time_step="hour"),
    "hbv_without_snow": lambda: hbv(snow_routine=False),
    "gr4j_without_snow": lambda: gr4j(snow_routine=False),
    "lake": lambda: muskingum_cunge(lakes=True),
    "linear_reservoir": linear_reservoir,
    "reach_of_load": reach_of_load,
}
PROCESSES |= {
    f"leaf_{pathway}_{stomata}": lambda pathway=pathway, stomata=stomata: leaf(pathway, stomata, soil_water=True)
    for pathway in ("C3", "C4")
    for stomata in ("medlyn", "ball_berry", "given_ci")
}


def extremes(process, days, mixtures):
    """Forcing, parameters and state: ordinary days before and after the extreme ones, each kind for every set of parameters.

    The sets are all at the lower bound, all at the upper bound, and mixtures of both; units are kind by kind.
    """
    generator = torch.Generator().manual_seed(0)
    sets = 2 + mixtures
    extreme = torch.zeros(days + 60, dtype=torch.bool)
    extreme[40:-20] = True
    forcing = {}
    for name in process.forcing_names:
        ordinary, *of_kinds = WEATHER[name]
        varied = ordinary * (0.5 + torch.rand(days + 60, 1, generator=generator))
        kinds = torch.tensor(of_kinds).repeat_interleave(sets)
        forcing[name] = torch.where(extreme[:, None], kinds, varied)
    parameters = {}
    for p in process.parameters:
        share = torch.cat([torch.tensor([0.0, 1.0]), torch.rand(mixtures, generator=generator).round()])
        parameters[p.name] = p.at(share).repeat(len(KINDS))[:, None]
    state = {s.name: torch.full((sets * len(KINDS), 1), s.initial) for s in process.states}
    return forcing, parameters, state


def faults(process, given, backend):
    """What is not a number: fluxes, states and gradients by name, with the kinds of weather in which it happens."""
    leaves = {
        f"gradient of {group} {name}": value.requires_grad_()
        for group, values in zip(("forcing", "parameter", "state"), given)
        for name, value in values.items()
    }
    if process.states:
        fluxes, end = integrate(process, *given, fluxes=process.flux_names, backend=backend)
    else:  # a leaf, whose step is a measurement
        end, fluxes = process.step({}, {name: value[:, :, None] for name, value in given[0].items()}, given[1])
    generator = torch.Generator().manual_seed(1)
    fluxes = dict(zip(fluxes, torch.broadcast_tensors(*fluxes.values())))
    loss = sum((torch.rand(len(v), generator=generator)[:, None, None] * v).sum() for v in fluxes.values())
    loss = loss + sum(value.sum() for value in end.values())
    gradients = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    values = {**fluxes, **end, **dict(zip(leaves, gradients))}
    found = {}
    for name, value in values.items():
        unit = value.ndim - 1 if name.startswith("gradient of forcing") else value.ndim - 2
        bad = ~torch.isfinite(value.movedim(unit, 0).flatten(1)).all(1)
        kinds = [kind for kind, which in zip(KINDS, bad.reshape(len(KINDS), -1)) if which.any()]
        if kinds:
            found[name] = f"{', '.join(kinds)}: {int(bad.sum())} of {len(bad)}"
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", PROCESSES)
def test_values_and_gradients_are_finite_in_a_year_of_drought_frost_heat_or_flood(name):
    process = PROCESSES[name]()
    assert faults(process, extremes(process, days=365, mixtures=62), "fused") == {}


@pytest.mark.long
@pytest.mark.parametrize("name", PROCESSES)
def test_the_reference_integrator_is_finite_too(name):
    process = PROCESSES[name]()
    assert faults(process, extremes(process, days=15, mixtures=30), "reference") == {}


def test_a_canopy_without_leaves_has_finite_gradients():
    """Conductance falls through the smallest numbers of single precision to 0."""
    conductance = torch.tensor([1e-2, 1e-20, 1e-38, 1e-44, 0.0], requires_grad=True)
    aerodynamic = torch.full((5,), 0.1, requires_grad=True)
    latent = latent_heat(*(torch.full((5,), value) for value in (50.0, -30.0, 0.02, 97.0)), aerodynamic, conductance)
    gradients = torch.autograd.grad(latent.sum(), (conductance, aerodynamic))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert latent[-1] == 0 and (gradients[0] > 0).all()
    # a trickle is in proportion to the conductance: (Delta R + rho c_p D g_a) / (gamma g_a)
    assert latent[1].item() == pytest.approx(1e-20 * gradients[0][-1].item(), rel=1e-5)
