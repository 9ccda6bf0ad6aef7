"""Minimising one function from many starts at once: every row of a matrix descends by itself, all in one batch.

The function takes a tensor (row, variable) and returns the loss of each row, which depends on that row alone, so that one forward
and one backward pass serve all of them.
"""

import torch

from thalweg.learn.optimisers import Adam

ARMIJO = 1e-4  # share of the promised decrease that a step must bring
LONGEST = 3.0  # of a step, in the norm of the maximum
SHORTEST = 1e-8  # of a step, as a share of its direction
FLAT = 1e-9  # decrease of the loss, as a share of itself, below which a step brought nothing
PATIENCE = 3  # such steps in a row after which a row has converged


def value_and_slope(function, rows):
    """Loss (row,) and gradient (row, variable); where either is not finite, an infinite loss and no slope."""
    rows = rows.detach().requires_grad_()
    with torch.enable_grad():
        loss = function(rows)
        (slope,) = torch.autograd.grad(loss.sum(), rows)
    loss = loss.detach()
    wrong = ~(loss.isfinite() & slope.isfinite().all(1))
    return torch.where(wrong, torch.inf, loss), torch.where(wrong[:, None], 0.0, slope)


def adam(function, rows, steps, learning_rate):
    """Adam (Kingma & Ba 2015) with a learning rate that falls to a tenth by half a cosine.

    Args:
        function: of a tensor (row, variable) to losses (row,).
        rows: the starts.
        steps: how many.
        learning_rate: at the beginning.

    Returns:
        (rows, losses, trace): the best point of every row, its loss, and the losses of all steps (step, row).
    """
    rows = rows.detach().clone()
    best, lowest, trace = rows.clone(), torch.full((len(rows),), torch.inf, dtype=rows.dtype), []
    optimiser = Adam([rows], lr=learning_rate)
    for step in range(steps):
        loss, rows.grad = value_and_slope(function, rows)
        better = loss < lowest
        best[better], lowest[better] = rows[better], loss[better]
        trace.append(loss)
        share = torch.cos(torch.tensor(torch.pi * step / max(steps - 1, 1))).item()
        optimiser.param_groups[0]["lr"] = learning_rate * (0.55 + 0.45 * share)
        optimiser.step()
    return best, lowest, torch.stack(trace) if trace else rows.new_empty((0, len(rows)))


def bfgs(function, rows, evaluations, free=None):
    """The quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno (Nocedal & Wright 2006, section 6.1) for every row.

    A row whose trial brings enough takes a new direction, another one shortens its step (Armijo), so that no evaluation waits for
    the slowest row; a row that has converged is evaluated no more.

    Args:
        function: of a tensor (row, variable) and the positions of these rows among all, to losses (row,).
        rows: the starts.
        evaluations: most of each row, the first included.
        free: bool (row, variable), which variables may move; None for all.

    Returns:
        (rows, losses): the best point of every row, and its loss.
    """
    rows = rows.detach().clone()
    free = torch.ones_like(rows, dtype=torch.bool) if free is None else free

    def measured(points, positions):
        loss, slope = value_and_slope(lambda some: function(some, positions), points)
        return loss, torch.where(free[positions], slope, 0.0)

    identity = torch.eye(rows.shape[1], dtype=rows.dtype)
    everyone = torch.arange(len(rows))
    loss, slope = measured(rows, everyone)
    inverse = identity.repeat(len(rows), 1, 1)
    fresh = torch.ones(len(rows), dtype=torch.bool)  # its inverse of the Hessian is still the identity
    share, idle = torch.ones(len(rows), dtype=rows.dtype), torch.zeros(len(rows), dtype=torch.long)
    for _ in range(evaluations - 1):
        working = everyone[(idle < PATIENCE) & loss.isfinite() & (slope.abs().amax(1) > 0)]
        if not len(working):
            break
        f, g = loss[working], slope[working]
        direction = -(inverse[working] @ g[..., None])[..., 0]
        descent = (direction * g).sum(1)
        uphill = descent >= 0
        direction[uphill], descent[uphill] = -g[uphill], -(g[uphill] ** 2).sum(1)
        length = direction.abs().amax(1)
        limit = torch.where(fresh[working], (1 / length).clamp(max=1.0), (LONGEST / length).clamp(max=1.0))
        step = share[working] * limit
        trial = rows[working] + step[:, None] * direction
        f_new, g_new = measured(trial, working)
        taken = f_new <= f + ARMIJO * step * descent
        _learn(inverse, fresh, working[taken], (trial - rows[working])[taken], (g_new - g)[taken])
        gain = (f - f_new)[taken]
        idle[working[taken]] = torch.where(gain > FLAT * f[taken].abs(), 0, idle[working[taken]] + 1)
        rows[working[taken]], loss[working[taken]], slope[working[taken]] = trial[taken], f_new[taken], g_new[taken]
        share[working] = torch.where(taken, 1.0, share[working] * 0.3)
        lost = working[~taken & (share[working] < SHORTEST)]
        idle[lost] = torch.where(
            fresh[lost], PATIENCE, idle[lost]
        )  # not even downhill: a kink, or the end of the precision
        inverse[lost], fresh[lost], share[lost] = identity, True, 1.0
    return rows, loss


def _learn(inverse, fresh, rows, step, change):
    """Update the inverse Hessian of rows by a step and the change of the slope along it, where the curvature is positive."""
    curvature = (step * change).sum(1)
    sound = curvature > 1e-10 * step.norm(dim=1) * change.norm(dim=1)
    rows, step, change, curvature = rows[sound], step[sound], change[sound], curvature[sound]
    scale = torch.where(fresh[rows], curvature / (change**2).sum(1), 1.0)
    before = inverse[rows] * scale[:, None, None]
    applied = (before @ change[..., None])[..., 0]
    weight = (1 + (change * applied).sum(1) / curvature) / curvature
    outer = step[:, :, None] * applied[:, None, :]
    both = (outer + outer.transpose(1, 2)) / curvature[:, None, None]
    inverse[rows] = before - both + weight[:, None, None] * step[:, :, None] * step[:, None, :]
    fresh[rows] = False
