"""Marching reaches down a river network: any process of one reach, with exact gradients.

No reach depends on those downstream, so a reach can be marched through all time steps once those upstream are done. Reaches
are taken level by level (:meth:`thalweg.basin.network.River.levels`) with the same kernels that march units. On the CPU the
reaches of a level are arranged in blocks of ``LANES``, each block's time series together in memory; sums over confluences and
their adjoints are gathered, so that threads never write to the same place and results do not depend on their number.
Levels too narrow to fill a block share one, a stack (:mod:`thalweg.integrate.stack`).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numba import njit
from torch.autograd.function import once_differentiable

from thalweg.integrate import fused, on_cpu, stack
from thalweg.integrate.emit_numba import VECTOR
from thalweg.integrate.integrate import integrate
from thalweg.integrate.kernels import together

LANES = 64  # reaches of a block
NEAR = 4  # time steps moved into or out of blocks together
INFLOW, LATERAL, DISCHARGE = "inflow", "lateral_inflow", "discharge"


def route(process, river, lateral_inflow, parameters, state=None, backend=None, checkpoint_steps=64):
    """March a reach process down a network.

    Args:
        process: a :class:`~thalweg.processes.Process` of one reach, with the forcings ``inflow`` and ``lateral_inflow``
            and the flux ``discharge``.
        river: the :class:`~thalweg.basin.network.River`.
        lateral_inflow: tensor (time, reach), m3/s, mean over each step of the process.
        parameters: name -> tensor (reach,).
        state: name -> tensor (reach,) at the start; if None, the process's declared initial states.
        backend: ``"fused"``, ``"reference"`` or None, as in :func:`thalweg.integrate.integrate`.
        checkpoint_steps: as ``checkpoint_days`` there, in steps of the process.

    Returns:
        (discharge, state): tensor (time, reach), m3/s, means over steps; name -> tensor (reach,).

    Raises:
        ValueError: if a forcing, parameter or state is missing or its shape does not fit the network; the message names it.
    """
    reaches = len(river.reach)
    _check(process, reaches, lateral_inflow, parameters, state, backend, checkpoint_steps)
    if state is None:
        state = {s.name: lateral_inflow.new_full((reaches,), s.initial) for s in process.states}
    if lateral_inflow.device.type == "cpu" and backend != "reference":
        return _in_blocks(process, river, lateral_inflow, parameters, state, checkpoint_steps)
    return _by_level(process, river, lateral_inflow, parameters, state, backend, checkpoint_steps)


def _check(process, reaches, lateral_inflow, parameters, state, backend, checkpoint_steps):
    if {INFLOW, LATERAL} != set(process.forcing_names) or DISCHARGE not in process.flux_names:
        raise ValueError(f"{process.name}: not a reach process: its forcings are {', '.join(process.forcing_names)}")
    if backend not in (None, "fused", "reference"):
        raise ValueError(f"unknown backend {backend!r}; use 'fused' or 'reference'")
    if checkpoint_steps < 1:
        raise ValueError(f"checkpoint_steps is {checkpoint_steps}; it must be 1 or more")
    if lateral_inflow.numel() == 0:
        raise ValueError(f"{process.name}: nothing to march: lateral_inflow has shape {tuple(lateral_inflow.shape)}")
    if lateral_inflow.ndim != 2 or lateral_inflow.shape[1] != reaches:
        raise ValueError(
            f"{process.name}: lateral_inflow has shape {tuple(lateral_inflow.shape)}, expected (time, {reaches})"
        )
    for kind, names, given in (
        ("parameter", process.parameter_names, parameters),
        ("state", process.state_names, parameters if state is None else state),
    ):
        for name in names if given is not parameters or kind == "parameter" else ():
            if name not in given:
                raise ValueError(f"{process.name}: {kind} {name!r} is missing; available: {', '.join(given)}")
            if tuple(given[name].shape) != (reaches,):
                raise ValueError(
                    f"{process.name}: {kind} {name!r} has shape {tuple(given[name].shape)}, expected ({reaches},)"
                )


def _by_level(process, river, lateral_inflow, parameters, state, backend, checkpoint_steps):
    """Level after level with ``integrate``: for other devices and for the reference backend."""
    inflow = torch.zeros_like(lateral_inflow)
    discharge, final, order = [], {name: [] for name in process.state_names}, []
    for level in river.levels:
        here = torch.as_tensor(level, device=lateral_inflow.device)
        fluxes, end = integrate(
            process,
            {INFLOW: inflow[:, here], LATERAL: lateral_inflow[:, here]},
            {name: parameters[name][here, None] for name in process.parameter_names},
            {name: state[name][here, None] for name in process.state_names},
            fluxes=(DISCHARGE,),
            backend=backend,
            checkpoint_days=checkpoint_steps,
        )
        out = fluxes[DISCHARGE][..., 0]
        target = torch.as_tensor(river.downstream[level], device=out.device)
        inflow = inflow.index_add(1, target[target >= 0], out[:, target >= 0])
        discharge.append(out)
        order.append(here)
        for name, value in end.items():
            final[name].append(value[:, 0])
    back = torch.argsort(torch.cat(order))
    return torch.cat(discharge, 1)[:, back], {name: torch.cat(values)[back] for name, values in final.items()}


@dataclass(frozen=True, eq=False)
class Blocks:
    """Arrangement of the reaches of a network: blocks of at most ``LANES`` reaches of one level, or of a stack of levels."""

    river: object

    @cached_property
    def stacks(self):
        """Lists of neighbouring levels that share a block if that saves half of the arithmetic; else of one level."""
        found, waiting, size = [], [], 0
        for level in [*self.river.levels, None]:
            if waiting and (level is None or size + len(level) > LANES):
                spared = sum(_whole(len(one)) for one in waiting) >= 1.5 * _whole(size)
                found += [waiting] if spared else [[one] for one in waiting]
                waiting, size = [], 0
            if level is not None:
                waiting, size = [*waiting, level], size + len(level)
        return found

    @cached_property
    def reaches(self):
        """Reach of every place (block, lane); -1 where there is none."""
        rows = []
        for levels in self.stacks:
            reaches = np.concatenate(levels)
            padded = np.full(-(-len(reaches) // LANES) * LANES, -1)
            padded[: len(reaches)] = reaches
            rows.append(padded.reshape(-1, LANES))
        return np.concatenate(rows)

    @cached_property
    def levels(self):
        """First and last block, last excluded, of every level or stack."""
        ends = np.cumsum([-(-sum(map(len, levels)) // LANES) for levels in self.stacks])
        return list(zip([0, *ends[:-1]], ends))

    @cached_property
    def depth(self):
        """Number of levels in every block."""
        return np.concatenate([np.full(b - a, len(levels)) for (a, b), levels in zip(self.levels, self.stacks)])

    @cached_property
    def below_top(self):
        """Level of a place (block, lane) below the uppermost of its block."""
        number = np.zeros(self.reaches.shape, np.int64)
        for (first, _), levels in zip(self.levels, self.stacks):
            if len(levels) > 1:
                steps = np.repeat(np.arange(len(levels)), [len(level) for level in levels])
                number[first, : len(steps)] = steps
        return number

    @cached_property
    def widths(self):
        """Number of reaches in every block."""
        return (self.reaches >= 0).sum(1)

    @cached_property
    def place(self):
        """Place (block * LANES + lane) of every reach."""
        place = np.empty(len(self.river.reach), np.int64)
        flat = self.reaches.ravel()
        place[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
        return place

    @cached_property
    def below(self):
        """Place of the reach downstream of the one at every place; -1 where there is none."""
        flat = self.reaches.ravel()
        target = np.where(flat >= 0, self.river.downstream[flat], -1)
        return np.where(target >= 0, self.place[target], -1)

    @cached_property
    def above(self):
        """(first, places): the places upstream of place i are ``places[first[i] : first[i + 1]]``."""
        source = np.flatnonzero(self.below >= 0)
        order = np.argsort(self.below[source], kind="stable")
        counts = np.bincount(self.below[source], minlength=self.reaches.size)
        return np.concatenate([[0], np.cumsum(counts)]), source[order]


_blocks = lru_cache(maxsize=16)(Blocks)


def _whole(width):
    """Number of lanes computed for a number of reaches."""
    return -(-width // VECTOR) * VECTOR


@njit(cache=True, nogil=True)
def _sum_above(block, width, first, above, discharge, inflow):
    """inflow[block] = sum of the discharge of the places above."""
    lanes = inflow.shape[2]
    for step in range(inflow.shape[1]):
        for lane in range(width):
            place = block * lanes + lane
            total = discharge.dtype.type(0)
            for k in range(first[place], first[place + 1]):
                total += discharge[above[k] // lanes, step, above[k] % lanes]
            inflow[block, step, lane] = total


@njit(cache=True, nogil=True)
def _add_below(block, width, below, inflow, discharge):
    """Adjoint of a confluence: add the gradient of the inflow below to the gradient of discharge."""
    lanes = inflow.shape[2]
    for step in range(inflow.shape[1]):
        for lane in range(width):
            place = below[block * lanes + lane]
            if place >= 0:
                discharge[block, step, lane] += inflow[place // lanes, step, place % lanes]


@njit(cache=True, nogil=True)
def _to_blocks(first, last, values, reaches, blocked):
    for start in range(first, last, NEAR):
        for block in range(reaches.shape[0]):
            for step in range(start, min(start + NEAR, last)):
                for lane in range(reaches.shape[1]):
                    reach = reaches[block, lane]
                    blocked[block, step, lane] = values[step, reach] if reach >= 0 else 0


@njit(cache=True, nogil=True)
def _from_blocks(first, last, blocked, reaches, values):
    for start in range(first, last, NEAR):
        for block in range(reaches.shape[0]):
            for step in range(start, min(start + NEAR, last)):
                for lane in range(reaches.shape[1]):
                    reach = reaches[block, lane]
                    if reach >= 0:
                        values[step, reach] = blocked[block, step, lane]


def _blocked(blocks, values):
    """A tensor (time, reach) as (block, time, lane)."""
    out = values.new_empty((len(blocks.reaches), values.shape[0], LANES))
    source = values.detach().contiguous().numpy()
    together(values.shape[0], lambda a, b: _to_blocks(a, b, source, blocks.reaches, out.numpy()))
    return out


def _unblocked(blocks, blocked):
    out = blocked.new_empty((blocked.shape[1], len(blocks.place)))
    together(blocked.shape[1], lambda a, b: _from_blocks(a, b, blocked.numpy(), blocks.reaches, out.numpy()))
    return out


def _placed(blocks, values):
    """A tensor (reach,) as (block, lane); lanes without a reach take the first reach's value."""
    return values.detach()[torch.as_tensor(np.maximum(blocks.reaches, 0))]


def _in_blocks(process, river, lateral_inflow, parameters, state, checkpoint_steps):
    inputs = {("forcing", LATERAL): lateral_inflow}
    inputs |= {("parameter", name): parameters[name] for name in process.parameter_names}
    inputs |= {("state", name): state[name] for name in process.state_names}
    fused.check(process, inputs, lateral_inflow)
    dtype = str(lateral_inflow.dtype).removeprefix("torch.")
    plan = fused.Plan((DISCHARGE,), frozenset(), False, dtype)
    march = _March(process, fused.traced(process), plan, _blocks(river), checkpoint_steps)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs.values()):
        discharge, *final = _Route.apply(march, tuple(inputs), *inputs.values())
    else:
        discharge, final, _ = march.forward(0, inputs)
        discharge = _unblocked(march.blocks, discharge)
    return discharge, dict(zip(process.state_names, final))


class _Checkpoints:
    """States that the forward pass keeps: one tensor (row, state, lane), and each block's rows."""

    def __init__(self, blocks, steps, interval, new=None, states=None, values=None):
        plain = -(-steps // interval) if interval else 0
        counts = [
            plain if depth == 1 or not interval else stack.rows(steps, depth, interval)
            for depth in blocks.depth.tolist()
        ]
        self.ends = [0, *np.cumsum(counts).tolist()]
        self.values = new((self.ends[-1], states, LANES)) if values is None else values

    def of(self, block):
        """The array of a block."""
        return self.values[self.ends[block] : self.ends[block + 1]].numpy()


@dataclass(frozen=True, eq=False)
class _March:
    process: object
    step: object
    plan: object
    blocks: Blocks
    checkpoint_steps: int

    def in_order(self, inflow, lateral):
        """The forcings in the order of the kernels."""
        series = {INFLOW: inflow, LATERAL: lateral}
        return [series[name] for name in self.process.forcing_names]

    def parameters_of(self, block, placed):
        """Arrays (lane,) of the parameters of a block."""
        return [placed["parameter", name][block].numpy() for name in self.process.parameter_names]

    def each(self, first, last, task):
        """Run ``task(block, width)`` for the blocks of a level, in threads."""
        widths = self.blocks.widths

        def some(a, b):
            for block in range(first + a, first + b):
                task(block, int(widths[block]))

        together(last - first, some)

    def forward(self, interval, inputs):
        """(discharge (block, time, lane), final states (reach,), inputs of the backward pass)."""
        blocks, names = self.blocks, self.process.state_names
        lateral = _blocked(blocks, inputs["forcing", LATERAL])
        steps = lateral.shape[1]
        inflow, discharge = torch.empty_like(lateral), torch.empty_like(lateral)
        placed = {key: _placed(blocks, value) for key, value in inputs.items() if key[0] != "forcing"}
        checkpoints = _Checkpoints(blocks, steps, interval, lateral.new_empty, len(names))
        above = blocks.above
        kernel = on_cpu.forward_kernel(self.step, self.plan, LANES)

        def stacked(block, width):
            states = np.stack([placed["state", name][block].numpy() for name in names])
            stack.forward(
                blocks, block, width, kernel, interval, lateral.numpy(), inflow.numpy(), discharge.numpy(),
                self.parameters_of(block, placed), states, checkpoints.of(block), self.in_order,
            )  # fmt: skip
            for name, value in zip(names, states):
                placed["state", name][block] = torch.from_numpy(value)

        def task(block, width):
            if blocks.depth[block] > 1:
                return stacked(block, width)
            _sum_above(block, width, *above, discharge.numpy(), inflow.numpy())
            kernel(
                0, 1, width, 1, steps, interval,
                *self.in_order(inflow[block].numpy(), lateral[block].numpy()), *self.parameters_of(block, placed),
                *(placed["state", name][block].numpy() for name in names),
                discharge[block].numpy(), checkpoints.of(block),
            )  # fmt: skip

        for first, last in blocks.levels:
            self.each(first, last, task)
        place = torch.as_tensor(blocks.place)
        final = [placed["state", name].reshape(-1)[place] for name in names]
        return discharge, final, (lateral, inflow, checkpoints.values)

    def backward(self, interval, inputs, saved, gradient, final, wanted):
        """Requested gradients (block, ...); ``gradient`` of discharge (block, time, lane) is overwritten."""
        blocks = self.blocks
        lateral, inflow, values = saved
        steps = lateral.shape[1]
        checkpoints = _Checkpoints(blocks, steps, interval, values=values)
        placed = {key: _placed(blocks, value) for key, value in inputs.items() if key[0] == "parameter"}
        found = {("forcing", INFLOW): torch.empty_like(lateral)}
        for key in wanted:
            found[key] = torch.empty_like(lateral) if key[0] == "forcing" else torch.zeros_like(placed[key])
        kernel = on_cpu.backward_kernel(self.step, self.plan, LANES, (DISCHARGE,), tuple(found))

        def stacked(block, width):
            states = np.stack([value[block].numpy() for value in final])
            stack.backward(
                blocks, block, width, kernel, interval, lateral.numpy(), inflow.numpy(), gradient.numpy(),
                self.parameters_of(block, placed), states, checkpoints.of(block), self.in_order,
                [value.numpy() for value in found.values()],
            )  # fmt: skip
            for value, state in zip(final, states):
                value[block] = torch.from_numpy(state)

        def task(block, width):
            if blocks.depth[block] > 1:
                return stacked(block, width)
            _add_below(block, width, blocks.below, found["forcing", INFLOW].numpy(), gradient.numpy())
            kernel(
                0, 1, width, 1, steps, interval,
                *self.in_order(inflow[block].numpy(), lateral[block].numpy()),
                *self.parameters_of(block, placed), checkpoints.of(block), gradient[block].numpy(),
                *(value[block].numpy() for value in final), *(value[block].numpy() for value in found.values()),
            )  # fmt: skip

        for first, last in reversed(blocks.levels):
            self.each(first, last, task)
        return found


class _Route(torch.autograd.Function):
    @staticmethod
    def forward(ctx, march, keys, *tensors):
        ctx.set_materialize_grads(False)
        inputs = dict(zip(keys, tensors))
        interval = min(march.checkpoint_steps, tensors[0].shape[0])
        discharge, final, saved = march.forward(interval, inputs)
        ctx.save_for_backward(*tensors, *saved)
        ctx.arguments = march, keys, interval
        return (_unblocked(march.blocks, discharge), *final)

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients):
        march, keys, interval = ctx.arguments
        blocks = march.blocks
        tensors, saved = ctx.saved_tensors[: len(keys)], ctx.saved_tensors[len(keys) :]
        inputs = dict(zip(keys, tensors))
        needed = [key for key, need in zip(keys, ctx.needs_input_grad[2:]) if need]
        if gradients[0] is None:
            gradient = torch.zeros_like(saved[0])
        else:
            gradient = _blocked(blocks, gradients[0])
        empty = torch.as_tensor(blocks.reaches < 0)
        states = [key for key in keys if key[0] == "state"]
        final = [
            torch.zeros_like(inputs[key].new_empty(empty.shape))
            if g is None
            else _placed(blocks, g).masked_fill_(empty, 0)
            for key, g in zip(states, gradients[1:])
        ]
        wanted = [key for key in needed if key[0] != "state"]
        found = march.backward(interval, inputs, saved, gradient, final, wanted)
        found |= dict(zip(states, final))
        place = torch.as_tensor(blocks.place)
        results = [
            None
            if key not in needed
            else _unblocked(blocks, found[key])
            if key[0] == "forcing"
            else found[key].reshape(-1)[place]
            for key in keys
        ]
        return (None, None, *results)
