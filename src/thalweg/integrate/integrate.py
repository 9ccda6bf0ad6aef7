"""One interface to march a process through time."""

import torch


def initial_state(process, units, components, dtype=torch.float32, device="cpu"):
    """The process's declared initial states, as name -> tensor (unit, component)."""
    return {
        state.name: torch.full((units, components), state.initial, dtype=dtype, device=device)
        for state in process.states
    }


def integrate(process, forcing, parameters, state=None, fluxes=("runoff",), backend="fused"):
    """March ``process`` over the days of ``forcing``.

    Args:
        process: the :class:`~thalweg.processes.Process`.
        forcing: name -> tensor (time, unit), in the process's units.
        parameters: name -> tensor (unit, component) for a static parameter, (time, unit, component) for one per day.
        state: name -> tensor (unit, component) at the start; None takes the declared initial states.
        fluxes: names of the fluxes to return.
        backend: ``"fused"`` or ``"reference"``.

    Returns:
        (fluxes, state): name -> tensor (time, unit, component); name -> tensor (unit, component) after the last day.

    Raises:
        ValueError: when a forcing, parameter or state is missing or has a shape that does not fit, naming it.
    """
    _check(process, forcing, parameters, state, fluxes)
    if state is None:
        like = next(iter(parameters.values()))
        state = initial_state(process, like.shape[-2], like.shape[-1], like.dtype, like.device)
    if backend == "reference":
        from thalweg.integrate.reference import march
    elif backend == "fused":
        from thalweg.integrate.fused import march
    else:
        raise ValueError(f"backend {backend!r} is not known; use 'fused' or 'reference'")
    return march(process, forcing, parameters, state, tuple(fluxes))


def _check(process, forcing, parameters, state, fluxes):
    for kind, wanted, given in (
        ("forcing", process.forcing_names, forcing),
        ("parameter", process.parameter_names, parameters),
        ("state", process.state_names, process.state_names if state is None else state),
        ("flux", fluxes, process.flux_names),
    ):
        missing = [name for name in wanted if name not in given]
        if missing:
            raise ValueError(f"{process.name}: {kind} {missing[0]!r} is missing; given are {', '.join(given)}")
    days, units = next(iter(forcing.values())).shape
    components = next(iter(parameters.values())).shape[-1]
    for name in process.forcing_names:
        if forcing[name].shape != (days, units):
            raise ValueError(f"{process.name}: forcing {name!r} has shape {tuple(forcing[name].shape)}, expected {(days, units)}")
    for name in process.parameter_names:
        if parameters[name].shape not in ((units, components), (days, units, components)):
            raise ValueError(
                f"{process.name}: parameter {name!r} has shape {tuple(parameters[name].shape)}, expected "
                f"{(units, components)} or {(days, units, components)}"
            )
