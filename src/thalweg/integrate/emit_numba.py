"""Kernels for the CPU: a traced step written out as numba source.

A lane is one (unit, component). A kernel takes groups of whole units, so that a group's lanes fill one block of
``LANES``, and marches a group through all days before it takes the next. All that a day needs lies in one small array
``work``, one row of lanes per quantity; the step is a loop over the lanes of plain arithmetic on rows at fixed
distances, which the compiler turns into vector instructions. Forcing is spread from units to lanes, and averaged
fluxes are gathered back, between the rows and the arrays of the caller.

The backward kernel goes from checkpoint to checkpoint: it recomputes the states of the days between them forward,
then runs the adjoint of the step backward over these days.
"""

from dataclasses import dataclass

from thalweg.integrate.trace import adjoint

LANES = 64  # lanes of a block, the least; whole vectors for every instruction set
VECTOR = 16  # a block is computed in whole multiples of these

_FORMS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "exp": "exp({0})",
    "log": "log({0})",
    "sqrt": "lanes.square_root({0})",
    "minimum": "lanes.minimum({0}, {1})",
    "maximum": "lanes.maximum({0}, {1})",
    "clip_low": "lanes.clip_low({0}, {1})",
    "clip_high": "lanes.clip_high({0}, {1})",
    "clip": "lanes.clip_high(lanes.clip_low({0}, {1}), {2})",
    "where": "lanes.select({0}, {1}, {2})",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "not": "not {0}",
}

_HEAD = '''"""{title}"""

import numpy as np
from numba import njit

from thalweg.integrate import lanes

REAL = np.{dtype}
LANES = {lanes}
VECTOR = {vector}
exp, log = lanes.exp_{dtype}, lanes.log_{dtype}


@njit(forceinline=True)
def take(work, row, values, first, count):
    for j in range(count):
        work[row * LANES + j] = values[first + j]


@njit(forceinline=True)
def give(work, row, values, first, count):
    for j in range(count):
        values[first + j] = work[row * LANES + j]


@njit(forceinline=True)
def spread(work, row, values, unit, width, components, scale):
    for u in range(width):
        value = values[unit + u] * scale
        for c in range(components):
            work[row * LANES + u * components + c] = value


@njit(forceinline=True)
def gather(work, row, values, unit, width, components, scale):
    for u in range(width):
        total = REAL(0)
        for c in range(components):
            total += work[row * LANES + u * components + c]
        values[unit + u] = total * scale


@njit(forceinline=True)
def move(target, target_row, source, source_row, rows):
    for j in range(rows * LANES):
        target[target_row * LANES + j] = source[source_row * LANES + j]

'''


@dataclass(frozen=True)
class Plan:
    """What a pair of kernels is specialised to.

    ``dynamic`` are the parameters given per day; ``mean`` averages fluxes over components; ``lanes`` is from
    :func:`block`.
    """

    fluxes: tuple[str, ...]
    dynamic: frozenset[str]
    mean: bool
    dtype: str
    lanes: int


def block(components):
    """Lanes of a block: at least one whole unit."""
    return max(LANES, -(-components // VECTOR) * VECTOR)


class _Rows:
    """The rows of ``work``, numbered in the order of first use."""

    def __init__(self):
        self.numbers = {}

    def __call__(self, *key):
        return self.numbers.setdefault(key, len(self.numbers))


def _read(row, distance=0):
    return f"work[{row} * LANES + j]" if not distance else f"work[({row} + {distance}) * LANES + j]"


def _body(graph, inputs, results, constants, indent):
    """The loop over lanes: inputs node -> row, results row -> node."""
    lines = ["for j in range(padded):"]
    for node in sorted(graph.ancestors(results.values())):
        operation, arguments = graph.nodes[node]
        if operation == "constant":
            constants[node] = arguments[0]
        elif operation == "input":
            lines.append(f"    v{node} = {_read(inputs[node])}")
        else:
            lines.append(f"    v{node} = " + _FORMS[operation].format(*(f"v{a}" for a in arguments)))
    lines += [f"    {_read(row)} = v{node}" for row, node in results.items()]
    return _indented(lines, indent)


def _indented(lines, indent):
    return [" " * indent + line for line in lines]


def _source(title, plan, name, arguments, setup, rows, constants, body):
    real = {"float32": "f4", "float64": "f8"}[plan.dtype]
    shapes = {0: "i8", 1: f"{real}[::1]", 2: f"{real}[:, ::1]", 3: f"{real}[:, :, ::1]"}
    signature = ", ".join(shapes[dimensions] for _, dimensions in arguments)
    head = _HEAD.format(title=title, dtype=plan.dtype, lanes=plan.lanes, vector=VECTOR)
    values = [f'v{node} = REAL("{value!r}")' for node, value in sorted(constants.items())]
    return "\n".join(
        [
            head,
            *values,
            "",
            "",
            f'@njit("void({signature})", cache=True, nogil=True, error_model="numpy")',
            f"def {name}({', '.join(argument for argument, _ in arguments)}):",
            f"    work = np.zeros({len(rows.numbers)} * LANES, REAL)",
            "    one, share = REAL(1), REAL(1) / REAL(components)",
            *_indented(setup, 4),
            "    group = LANES // components",
            "    for item in range(first, last):",
            "        unit = item * group",
            "        width = min(group, units - unit)",
            "        lane = unit * components",
            "        count = width * components",
            "        padded = (count + VECTOR - 1) // VECTOR * VECTOR",
            *_indented(body, 8),
            "",
        ]
    )


_COMMON = [(name, 0) for name in ("first", "last", "units", "components", "days")]


def _inputs(step, rows):
    """node -> row of the inputs of a step; states first, so that they are neighbours."""
    return {
        node: rows(kind, name)
        for kind, nodes in (("state", step.state), ("forcing", step.forcing), ("parameter", step.parameters))
        for name, node in nodes.items()
    }


def _load_static(step, plan, rows):
    return [
        f"take(work, {rows('parameter', name)}, p_{name}, lane, count)"
        for name in step.parameters
        if name not in plan.dynamic
    ]


def _load_day(step, plan, rows):
    return [
        f"spread(work, {rows('forcing', name)}, f_{name}[day], unit, width, components, one)" for name in step.forcing
    ] + [
        f"take(work, {rows('parameter', name)}, p_{name}[day], lane, count)"
        for name in step.parameters
        if name in plan.dynamic
    ]


def forward(step, plan):
    """Source of the forward kernel, and the names of its array arguments.

    Arguments are ``f_NAME`` forcing (day, unit), ``p_NAME`` parameters (lane,) or (day, lane), ``s_NAME`` states
    (lane,) that are overwritten by the last day's, ``q_NAME`` fluxes (day, lane) or (day, unit), and ``checkpoints``
    (number, state, lane), the states at the start of every ``interval`` days (0: none).
    """
    rows, constants = _Rows(), {}
    inputs = _inputs(step, rows)
    results = {rows("flux", name): step.fluxes[name] for name in plan.fluxes}
    results |= {rows("state", name): node for name, node in step.new_state.items()}
    arguments = [*_COMMON, ("interval", 0)]
    arguments += [(f"f_{name}", 2) for name in step.forcing]
    arguments += [(f"p_{name}", 2 if name in plan.dynamic else 1) for name in step.parameters]
    arguments += [(f"s_{name}", 1) for name in step.state]
    arguments += [(f"q_{name}", 2) for name in plan.fluxes]
    arguments += [("checkpoints", 3)]
    store = [
        f"gather(work, {rows('flux', name)}, q_{name}[day], unit, width, components, share)"
        if plan.mean
        else f"give(work, {rows('flux', name)}, q_{name}[day], lane, count)"
        for name in plan.fluxes
    ]
    body = [
        *(f"take(work, {rows('state', name)}, s_{name}, lane, count)" for name in step.state),
        *_load_static(step, plan, rows),
        "for day in range(days):",
        "    if interval > 0 and day % interval == 0:",
        *(
            f"        give(work, {rows('state', name)}, checkpoints[day // interval, {number}], lane, count)"
            for number, name in enumerate(step.state)
        ),
        *_indented(_load_day(step, plan, rows), 4),
        *_body(step.graph, inputs, results, constants, 4),
        *_indented(store, 4),
        *(f"give(work, {rows('state', name)}, s_{name}, lane, count)" for name in step.state),
    ]
    source = _source("A step marched forward.", plan, "forward", arguments, [], rows, constants, body)
    return source, [name for name, dimensions in arguments if dimensions]


def backward(step, plan, given, wanted):
    """Source of the adjoint kernel, and the names of its array arguments.

    Args:
        step: the traced step.
        plan: the :class:`Plan` of the forward kernel.
        given: names of the fluxes whose gradient is given.
        wanted: pairs ("forcing" or "parameter", name) to differentiate to.

    Arguments of the kernel are those of :func:`forward` for forcing, parameters and checkpoints, the gradients given
    ``q_NAME``, the gradients of the states ``s_NAME`` (last day's in, first day's out), and the gradients wanted
    ``gf_NAME`` and ``gp_NAME`` in the shape of the forcing or parameter.
    """
    graph = step.graph.copy()
    rows, constants = _Rows(), {}
    inputs = _inputs(step, rows)

    def symbol(*key):
        made = graph.add("input", *key)
        inputs[made.node] = rows(*key)
        return made

    seeds = [(step.fluxes[name], symbol("flux gradient", name)) for name in given]
    seeds += [(node, symbol("state gradient", name)) for name, node in step.new_state.items()]
    targets = {
        (kind, name): step.forcing[name] if kind == "forcing" else step.parameters[name] for kind, name in wanted
    }
    gradients = adjoint(graph, seeds, [*targets.values(), *step.state.values()])

    results, totals, daily, spread_back = {}, [], [], []
    zero = graph.add("constant", 0.0)
    for (kind, name), node in targets.items():
        gradient = gradients.get(node, zero)
        row = rows(f"{kind} gradient", name)
        if kind == "forcing":
            spread_back.append(f"gather(work, {row}, gf_{name}[day], unit, width, components, one)")
        elif name in plan.dynamic:
            daily.append(f"give(work, {row}, gp_{name}[day], lane, count)")
        else:
            gradient = symbol(f"{kind} gradient", name) + gradient
            totals.append((row, name))
        results[row] = gradient.node
    for name, node in step.state.items():
        results[rows("state gradient", name)] = gradients.get(node, zero).node
    recomputed = {rows("state", name): node for name, node in step.new_state.items()}

    arguments = [*_COMMON, ("interval", 0)]
    arguments += [(f"f_{name}", 2) for name in step.forcing]
    arguments += [(f"p_{name}", 2 if name in plan.dynamic else 1) for name in step.parameters]
    arguments += [("checkpoints", 3)]
    arguments += [(f"q_{name}", 2) for name in given]
    arguments += [(f"s_{name}", 1) for name in step.state]
    arguments += [
        (f"gf_{name}", 2) if kind == "forcing" else (f"gp_{name}", 2 if name in plan.dynamic else 1)
        for kind, name in wanted
    ]
    load_gradients = [
        f"spread(work, {rows('flux gradient', name)}, q_{name}[day], unit, width, components, share)"
        if plan.mean
        else f"take(work, {rows('flux gradient', name)}, q_{name}[day], lane, count)"
        for name in given
    ]
    states = len(step.state)
    body = [
        *(f"take(work, {rows('state gradient', name)}, s_{name}, lane, count)" for name in step.state),
        *_load_static(step, plan, rows),
        *(f"work[{row} * LANES : {row + 1} * LANES] = 0" for row, _ in totals),
        "for segment in range((days - 1) // interval, -1, -1):",
        "    start = segment * interval",
        "    end = min(days, start + interval)",
        *(
            f"    take(work, {rows('state', name)}, checkpoints[segment, {number}], lane, count)"
            for number, name in enumerate(step.state)
        ),
        f"    move(path, 0, work, 0, {states})",
        "    for day in range(start, end - 1):",
        *_indented(_load_day(step, plan, rows), 8),
        *_body(step.graph, inputs, recomputed, constants, 8),
        f"        move(path, (day + 1 - start) * {states}, work, 0, {states})",
        "    for day in range(end - 1, start - 1, -1):",
        f"        move(work, 0, path, (day - start) * {states}, {states})",
        *_indented(_load_day(step, plan, rows) + load_gradients, 8),
        *_body(graph, inputs, results, constants, 8),
        *_indented(daily + spread_back, 8),
        *(f"give(work, {rows('state gradient', name)}, s_{name}, lane, count)" for name in step.state),
        *(f"give(work, {row}, gp_{name}, lane, count)" for row, name in totals),
    ]
    setup = [f"path = np.empty(interval * {states} * LANES, REAL)"]
    source = _source("The adjoint of a step, marched backward.", plan, "backward", arguments, setup, rows, constants, body)
    return source, [name for name, dimensions in arguments if dimensions]
