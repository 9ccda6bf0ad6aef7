"""One interface to march a process through time."""

import torch

from thalweg.integrate import fused, reference


def initial_state(process, units, components, dtype=torch.float32, device="cpu"):
    """The process's declared initial states, as name -> tensor (unit, component)."""
    return {
        state.name: torch.full((units, components), state.initial, dtype=dtype, device=device)
        for state in process.states
    }


def integrate(
    process,
    forcing,
    parameters,
    state=None,
    fluxes=("runoff",),
    backend=None,
    mean_components=False,
    checkpoint_days=32,
):
    """March ``process`` over the days of ``forcing``.

    Args:
        process: the :class:`~thalweg.processes.Process`.
        forcing: name -> tensor (time, unit), in the process's units.
        parameters: name -> tensor (unit, component) for a static parameter, (time, unit, component) for one per day.
        state: name -> tensor (unit, component) at the start; if None, the declared initial states.
        fluxes: names of the fluxes to return.
        backend: ``"fused"``, compiled, for tensors on the CPU (with as many threads as torch) or a CUDA device;
            ``"reference"``, a loop over days, for any process and device; if None, fused where there are kernels.
        mean_components: return fluxes averaged over components.
        checkpoint_days: when a gradient is wanted, the fused backend stores the states at this interval of days and
            recomputes those between; a longer interval needs less memory.

    Returns:
        (fluxes, state): name -> tensor (time, unit, component), or (time, unit) when averaged; name -> tensor
        (unit, component) after the last day.

    Raises:
        ValueError: if a forcing, parameter or state is missing or has a wrong shape; the message names it.
        thalweg.integrate.TraceError: if the fused backend cannot trace the step; the message names operation and line.
    """
    _check(process, forcing, parameters, state, fluxes, checkpoint_days)
    if state is None:
        like = next(iter(parameters.values()))
        state = initial_state(process, like.shape[-2], like.shape[-1], like.dtype, like.device)
    if backend is None:
        backend = "fused" if next(iter(parameters.values())).device.type in fused.ENGINES else "reference"
    if backend == "reference":
        march = reference.march
    elif backend == "fused":
        march = fused.march
    else:
        raise ValueError(f"unknown backend {backend!r}; use 'fused' or 'reference'")
    return march(process, forcing, parameters, state, tuple(fluxes), mean_components, checkpoint_days)


def _check(process, forcing, parameters, state, fluxes, checkpoint_days):
    for kind, wanted, given in (
        ("forcing", process.forcing_names, forcing),
        ("parameter", process.parameter_names, parameters),
        ("state", process.state_names, process.state_names if state is None else state),
        ("flux", fluxes, process.flux_names),
    ):
        missing = [name for name in wanted if name not in given]
        if missing:
            raise ValueError(f"{process.name}: {kind} {missing[0]!r} is missing; available: {', '.join(given)}")
    days, units = forcing[process.forcing_names[0]].shape
    components = parameters[process.parameter_names[0]].shape[-1]
    shapes = [("forcing", name, forcing[name], ((days, units),)) for name in process.forcing_names]
    shapes += [
        ("parameter", name, parameters[name], ((units, components), (days, units, components)))
        for name in process.parameter_names
    ]
    if state is not None:
        shapes += [("state", name, state[name], ((units, components),)) for name in process.state_names]
    for kind, name, tensor, allowed in shapes:
        if tuple(tensor.shape) not in allowed:
            raise ValueError(
                f"{process.name}: {kind} {name!r} has shape {tuple(tensor.shape)}, expected "
                f"{' or '.join(map(str, allowed))}"
            )
    if days < 1 or units < 1 or components < 1:
        raise ValueError(f"{process.name}: nothing to march over {days} days, {units} units, {components} components")
    if checkpoint_days < 1:
        raise ValueError(f"checkpoint_days is {checkpoint_days}; it must be 1 or more")
