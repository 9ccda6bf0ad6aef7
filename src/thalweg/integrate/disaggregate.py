"""Steps within the day from daily means, preserving every day's volume."""

import torch


def disaggregate(daily, steps, shape="linear"):
    """Means over the steps of each day.

    Args:
        daily: tensor (day, ...), means over days, not negative.
        steps: number of steps in a day.
        shape: ``"constant"`` repeats the day's mean; ``"linear"`` lets it rise or fall through the day by the smaller of
            the differences to the days before and after, and not at all at an extreme (van Leer 1977), so that nothing
            becomes negative and no new extremes appear.

    Returns:
        Tensor (day * steps, ...); the mean of each day is preserved to rounding.
    """
    if shape not in ("constant", "linear"):
        raise ValueError(f"unknown shape {shape!r}; use 'constant' or 'linear'")
    within = daily[:, None].expand(-1, steps, *daily.shape[1:])
    if shape == "linear":
        differences = daily.diff(dim=0)
        before, after = differences[:-1], differences[1:]
        smaller = torch.where(before.abs() < after.abs(), before, after)
        rise = torch.zeros_like(daily)
        rise[1:-1] = torch.where(before * after > 0, smaller, torch.zeros_like(smaller))
        place = (torch.arange(steps, dtype=daily.dtype, device=daily.device) + 0.5) / steps - 0.5
        within = within + rise[:, None] * place.reshape(1, -1, *(1 for _ in daily.shape[1:]))
    return within.flatten(0, 1)


def daily_means(values, steps):
    """Means over days of a series (day * steps, ...)."""
    return values.unflatten(0, (-1, steps)).mean(1)
