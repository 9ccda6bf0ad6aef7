"""The reference: a loop over days of tensor operations, differentiated by autograd."""

import torch


def march(process, forcing, parameters, state, fluxes, mean_components=False, checkpoint_days=None):
    """See :func:`thalweg.integrate.integrate`; per-day tensors come from ``unbind``, whose backward is linear in days.

    ``checkpoint_days`` is not used: autograd keeps every intermediate value.
    """
    like = state[process.state_names[0]]
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
            value = torch.as_tensor(produced[name], dtype=like.dtype, device=like.device).expand(like.shape)
            series[name].append(value.mean(-1) if mean_components else value)
    return (
        {name: torch.stack(values) for name, values in series.items()},
        {
            name: torch.as_tensor(v, dtype=like.dtype, device=like.device).expand(like.shape)
            for name, v in state.items()
        },
    )
