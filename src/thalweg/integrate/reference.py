"""The reference: a loop over days of tensor operations, differentiated by autograd."""

import torch


def march(process, forcing, parameters, state, fluxes):
    """See :func:`thalweg.integrate.integrate`; per-day tensors come from ``unbind``, whose backward is linear in days."""
    days = forcing[process.forcing_names[0]].shape[0]
    daily_forcing = {name: forcing[name][:, :, None].unbind(0) for name in process.forcing_names}
    daily_parameters = {
        name: parameters[name].unbind(0) for name in process.parameter_names if parameters[name].ndim == 3
    }
    today = {name: parameters[name] for name in process.parameter_names}
    series = {name: [] for name in fluxes}
    for day in range(days):
        today.update({name: values[day] for name, values in daily_parameters.items()})
        state, produced = process.step(state, {name: v[day] for name, v in daily_forcing.items()}, today)
        for name in fluxes:
            series[name].append(produced[name])
    return {name: torch.stack(values) for name, values in series.items()}, state
