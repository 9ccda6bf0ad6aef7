"""Kernels for the CPU: a traced step written out as numba source.

A lane is one (unit, component). A kernel takes groups of whole units, so that a group's lanes fill one block of
``LANES``, and marches a group through all days before it takes the next. All that a day needs lies in one small array
``work``, one row of lanes per quantity; the step is a loop over the lanes of plain arithmetic on rows at fixed
distances, which the compiler turns into vector instructions. Forcing is spread from units to lanes, and averaged
fluxes are gathered back, between the rows and the arrays of the caller.

The backward kernel goes from checkpoint to checkpoint: it recomputes the states of the days between them forward,
then runs the adjoint of the step backward over these days.
"""

from thalweg.integrate.forms import OPERATORS, indented
from thalweg.integrate.trace import LEAVES, adjoint
from thalweg.processes.implicit import ITERATIONS, TOLERANCE

LANES = 64  # minimum number of lanes of a block; whole vectors for every instruction set
AHEAD = 8  # days by which per-day parameters are prefetched
CONSTANTS = ("constant", "tolerance")
DEAR = ("exp", "log", "sqrt")  # operations whose results are kept rather than computed again
VECTOR = 16  # a block is computed in whole multiples of these

_FORMS = OPERATORS | {
    "exp": "exp({0})",
    "log": "log({0})",
    "sqrt": "lanes.square_root({0})",
    "minimum": "lanes.select(({0} < {1}) | ({0} != {0}), {0}, {1})",
    "maximum": "lanes.select(({0} > {1}) | ({0} != {0}), {0}, {1})",
    "clip_low": "lanes.select({0} < {1}, {1}, {0})",
    "clip_high": "lanes.select({0} > {1}, {1}, {0})",
    "clip": "lanes.select({0} < {1}, {1}, lanes.select({0} > {2}, {2}, {0}))",
    "where": "lanes.select({0}, {1}, {2})",
    "not": "not {0}",
}

_HEAD = '''"""{title}"""

import numpy as np
from numba import njit

from thalweg.integrate import lanes

REAL = np.{dtype}
LANES = {lanes}
VECTOR = {vector}
AHEAD = {ahead}
exp, log = lanes.exp_{dtype}, lanes.log_{dtype}
'''


def block(components):
    """Lanes of a block: at least one whole unit."""
    return max(LANES, -(-components // VECTOR) * VECTOR)


class _Rows:
    """The rows of ``work``, numbered in the order of first use."""

    def __init__(self):
        self.numbers = {}

    def __call__(self, *key):
        return self.numbers.setdefault(key, len(self.numbers))


def _read(row):
    return f"work[{row} * LANES + j]"


# Inner loops index views from zero: a start that could be negative would make numba wrap it, and the loop slow.


def _take(row, values):
    """Lines that load a row from an array over lanes."""
    return [
        f"there = {values}[lane : lane + count]",
        "for j in range(count):",
        f"    work[{row} * LANES + j] = there[j]",
    ]


def _take_day(row, values):
    """Lines that load today's row from an array (day, lane), whose rows are too far apart for the hardware to guess."""
    return [
        f"ahead = (day + AHEAD) * {values}.shape[1] + lane",
        "for j in range(0, count, VECTOR):",
        f"    lanes.prefetch({values}.reshape({values}.size), ahead + j)",
        *_take(row, f"{values}[day]"),
    ]


def _give(row, values):
    """Lines that store a row into an array over lanes."""
    return [
        f"there = {values}[lane : lane + count]",
        "for j in range(count):",
        f"    there[j] = work[{row} * LANES + j]",
    ]


def _unit(row):
    return f"here = work[{row} * LANES + u * components : {row} * LANES + (u + 1) * components]"


def _spread(row, values, scale=""):
    """Lines that load a row from an array over units."""
    return [
        "for u in range(width):",
        f"    value = {values}[unit + u]{scale}",
        f"    {_unit(row)}",
        "    for c in range(components):",
        "        here[c] = value",
    ]


def _gather(row, values, scale=""):
    """Lines that store the sum of a row over the components into an array over units."""
    return [
        "for u in range(width):",
        "    total = REAL(0)",
        f"    {_unit(row)}",
        "    for c in range(components):",
        "        total += here[c]",
        f"    {values}[unit + u] = total{scale}",
    ]


def _move(target, target_row, source, source_row, rows):
    """Lines that copy neighbouring rows."""
    return [
        f"for j in range({rows} * LANES):",
        f"    {target}[{target_row} * LANES + j] = {source}[{source_row} * LANES + j]",
    ]


def _body(graph, inputs, results, rows, constants, indent):
    """A step of all lanes, inputs node -> row, results row -> node: the implicit equations, then the rest."""
    lines, known = [], dict(inputs)
    for key, root in enumerate(graph.roots):
        if not set(root.results) <= set(known):
            if not graph.ancestors(results.values(), known).intersection(root.results):
                continue
            lines += _iterations(graph, key, known, rows, constants)
            known |= {result: rows("root", key, f"x{i}") for i, result in enumerate(root.results)}
        known |= {unknown: known[result] for unknown, result in zip(root.unknowns, root.results)}
    return indented([*lines, *_loop(graph, known, results, constants)], indent)


def _hoisted(graph, step, plan, results):
    """Nodes that static parameters alone decide and that a day needs: computed once."""
    fixed = {node for name, node in step.parameters.items() if name not in plan.dynamic}
    for node, (operation, _) in enumerate(graph.nodes):
        arguments = graph.arguments(node)
        if operation in CONSTANTS or (arguments and operation != "root" and fixed.issuperset(arguments)):
            fixed.add(node)
    needed = graph.ancestors(results)
    used = fixed.intersection(results).union(*(fixed.intersection(graph.arguments(n)) for n in needed - fixed))
    return sorted(node for node in used if graph.nodes[node][0] not in LEAVES)


def _loop(graph, inputs, results, constants):
    """The loop over lanes, without implicit equations."""
    lines = ["for j in range(padded):"]
    for node in sorted(graph.ancestors(results.values(), inputs)):
        operation, arguments = graph.nodes[node]
        if node in inputs:
            lines.append(f"    v{node} = {_read(inputs[node])}")
        elif operation in CONSTANTS:
            constants[node] = arguments[0] if arguments else TOLERANCE
        else:
            lines.append(f"    v{node} = " + _FORMS[operation].format(*(f"v{a}" for a in arguments)))
    return [*lines, *(f"    {_read(row)} = v{node}" for row, node in results.items())]


def _iterations(graph, key, known, rows, constants):
    """The iterations of an implicit equation, until no lane has any to do; its unknowns end in their rows."""
    root = graph.roots[key]
    inside = graph.dependents(root.carried.values())
    needed = graph.ancestors(root.after.values(), known)
    outside = {argument for node in needed & inside for argument in graph.arguments(node)} - inside - set(known)
    outside = sorted(node for node in outside if graph.nodes[node][0] not in CONSTANTS)
    held = {rows("held", node): node for node in outside}
    carried = {name: rows("root", key, name) for name in root.carried}
    within = known | {node: row for row, node in held.items()} | {root.carried[name]: carried[name] for name in carried}
    return [
        *_loop(graph, known, held | {carried[name]: node for name, node in root.begin.items()}, constants),
        f"for _ in range({ITERATIONS}):",
        *indented(_loop(graph, within, {carried[name]: node for name, node in root.after.items()}, constants), 4),
        "    waiting = 0",
        "    for j in range(count):",
        f"        waiting += {_read(carried['done'])} == 0",
        "    if waiting == 0:",
        "        break",
        *_loop(graph, within, {carried[name]: node for name, node in root.found.items()}, constants),
    ]


def _source(title, plan, lanes, name, arguments, setup, rows, constants, body):
    real = {"float32": "f4", "float64": "f8"}[plan.dtype]
    shapes = {0: "i8", 1: f"{real}[::1]", 2: f"{real}[:, ::1]", 3: f"{real}[:, :, ::1]"}
    signature = ", ".join(shapes[dimensions] for _, dimensions in arguments)
    head = _HEAD.format(
        title=title,
        dtype=plan.dtype,
        lanes=lanes,
        vector=VECTOR,
        ahead=AHEAD,
    )
    constants = {node: value[plan.dtype] if value is TOLERANCE else value for node, value in constants.items()}
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
            "    share = REAL(1) / REAL(components)",
            *indented(setup, 4),
            "    group = LANES // components",
            "    for item in range(first, last):",
            "        unit = item * group",
            "        width = min(group, units - unit)",
            "        lane = unit * components",
            "        count = width * components",
            "        padded = (count + VECTOR - 1) // VECTOR * VECTOR",
            *indented(body, 8),
            "",
        ]
    )


_COMMON = [(name, 0) for name in ("first", "last", "units", "components", "days", "interval")]


def _inputs(step, plan, rows):
    """node -> row of the inputs of a step: first those that differ from day to day."""
    dynamic = {name: node for name, node in step.parameters.items() if name in plan.dynamic}
    kinds = (("state", step.state), ("forcing", step.forcing), ("parameter", dynamic), ("parameter", step.parameters))
    return {node: rows(kind, name) for kind, nodes in kinds for name, node in nodes.items()}


def _input_arguments(step, plan):
    return [(f"f_{name}", 2) for name in step.forcing] + [
        (f"p_{name}", 2 if name in plan.dynamic else 1) for name in step.parameters
    ]


def _each(lines):
    return [line for group in lines for line in group]


def _load_static(step, plan, rows):
    return _each(_take(rows("parameter", name), f"p_{name}") for name in step.parameters if name not in plan.dynamic)


def _load_day(step, plan, rows):
    forcing = (_spread(rows("forcing", name), f"f_{name}[day]") for name in step.forcing)
    dynamic = (_take_day(rows("parameter", name), f"p_{name}") for name in step.parameters if name in plan.dynamic)
    return [*_each(forcing), *_each(dynamic)]


def _states(function, kind, step, rows, values):
    """Lines that load or store the rows of all states."""
    return _each(function(rows(kind, name), values(number, name)) for number, name in enumerate(step.state))


def forward(step, plan, lanes):
    """Source of the forward kernel.

    Arguments of the kernel, after the first and last group and the sizes, are ``f_NAME`` forcing (day, unit),
    ``p_NAME`` parameters (lane,) or (day, lane), ``s_NAME`` states (lane,) that are overwritten by the last day's,
    ``q_NAME`` fluxes (day, lane) or (day, unit), and ``checkpoints`` (number, state, lane), the states at the start of
    every ``interval`` days (0: none).
    """
    rows, constants = _Rows(), {}
    inputs = _inputs(step, plan, rows)
    results = {rows("flux", name): step.fluxes[name] for name in plan.fluxes}
    results |= {rows("state", name): node for name, node in step.new_state.items()}
    arguments = [*_COMMON, *_input_arguments(step, plan)]
    arguments += [(f"s_{name}", 1) for name in step.state]
    arguments += [(f"q_{name}", 2) for name in plan.fluxes]
    arguments += [("checkpoints", 3)]
    store = _each(
        _gather(rows("flux", name), f"q_{name}[day]", " * share")
        if plan.mean
        else _give(rows("flux", name), f"q_{name}[day]")
        for name in plan.fluxes
    )
    hoisted = {rows("hoisted", node): node for node in _hoisted(step.graph, step, plan, list(results.values()))}
    once = _loop(step.graph, inputs, hoisted, constants) if hoisted else []
    inputs |= {node: row for row, node in hoisted.items()}
    body = [
        *_states(_take, "state", step, rows, lambda number, name: f"s_{name}"),
        *_load_static(step, plan, rows),
        *once,
        "for day in range(days):",
        "    if interval > 0 and day % interval == 0:",
        *indented(_states(_give, "state", step, rows, lambda n, _: f"checkpoints[day // interval, {n}]"), 8),
        *indented(_load_day(step, plan, rows), 4),
        *_body(step.graph, inputs, results, rows, constants, 4),
        *indented(store, 4),
        *_states(_give, "state", step, rows, lambda number, name: f"s_{name}"),
    ]
    return _source("A step marched forward.", plan, lanes, "forward", arguments, [], rows, constants, body)


def backward(step, plan, lanes, given, wanted):
    """Source of the adjoint kernel.

    Args:
        step: the traced step.
        plan: the :class:`~thalweg.integrate.fused.Plan` of the forward kernel.
        lanes: of a block, from :func:`block`.
        given: names of the fluxes with an incoming gradient.
        wanted: pairs ("forcing" or "parameter", name) to differentiate to.

    Arguments of the kernel are those of :func:`forward` for forcing, parameters and checkpoints, the gradients given
    ``q_NAME``, the gradients of the states ``s_NAME`` (last day's in, first day's out), and the gradients wanted
    ``gf_NAME`` and ``gp_NAME`` in the shape of the forcing or parameter.
    """
    graph = step.graph.copy()
    rows, constants = _Rows(), {}
    inputs = _inputs(step, plan, rows)

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

    results, totals, daily = {}, [], []
    zero = graph.add("constant", 0.0)
    for (kind, name), node in targets.items():
        gradient = gradients.get(node, zero)
        row = rows(f"{kind} gradient", name)
        if kind == "forcing":
            daily += _gather(row, f"gf_{name}[day]")
        elif name in plan.dynamic:
            daily += _give(row, f"gp_{name}[day]")
        else:
            gradient = symbol(f"{kind} gradient", name) + gradient
            totals.append((row, name))
        results[row] = gradient.node
    for name, node in step.state.items():
        results[rows("state gradient", name)] = gradients.get(node, zero).node

    # What the forward pass over a segment leaves for the backward pass, neighbours: the inputs of the day, the results
    # of its dear operations and the roots.
    solved = [result for root in graph.roots for result in root.results]
    dear = [node for node, (operation, _) in enumerate(step.graph.nodes) if operation in DEAR]
    needed = graph.ancestors(results.values(), {*inputs, *dear, *solved})
    kept = sorted(needed.intersection(dear))
    kept += [r for root in graph.roots if needed.intersection((*root.results, *root.unknowns)) for r in root.results]
    daily_rows = 1 + max(inputs[node] for node in (*step.state.values(), *step.forcing.values()))
    daily_rows += len(plan.dynamic)

    arguments = [*_COMMON, *_input_arguments(step, plan), ("checkpoints", 3)]
    arguments += [(f"q_{name}", 2) for name in given]
    arguments += [(f"s_{name}", 1) for name in step.state]
    arguments += [
        (f"gf_{name}", 2) if kind == "forcing" else (f"gp_{name}", 2 if name in plan.dynamic else 1)
        for kind, name in wanted
    ]
    load_gradients = _each(
        _spread(rows("flux gradient", name), f"q_{name}[day]", " * share")
        if plan.mean
        else _take(rows("flux gradient", name), f"q_{name}[day]")
        for name in given
    )
    new_states = {rows("new state", name): node for name, node in step.new_state.items()}
    states = len(new_states)
    kept_rows = {rows("kept", node): node for node in kept}
    hoisted = _hoisted(graph, step, plan, [*results.values(), *new_states.values(), *kept])
    hoisted = {rows("hoisted", node): node for node in hoisted}
    once = _loop(graph, inputs, hoisted, constants) if hoisted else []
    inputs |= {node: row for row, node in hoisted.items()}
    body = [
        *_states(_take, "state gradient", step, rows, lambda number, name: f"s_{name}"),
        *_load_static(step, plan, rows),
        *once,
        *_each(["for j in range(LANES):", f"    work[{row} * LANES + j] = 0"] for row, _ in totals),
        "for segment in range((days - 1) // interval, -1, -1):",
        "    start = segment * interval",
        "    end = min(days, start + interval)",
        *indented(_states(_take, "state", step, rows, lambda n, _: f"checkpoints[segment, {n}]"), 4),
        "    for day in range(start, end):",
        *indented(_load_day(step, plan, rows), 8),
        *_body(step.graph, inputs, new_states | kept_rows, rows, constants, 8),
        "        today = path[day - start]",
        *indented(_move("today", 0, "work", 0, daily_rows), 8),
        *indented(_move("today", daily_rows, "work", min(kept_rows, default=0), len(kept)), 8),
        *indented(_move("work", 0, "work", min(new_states), states), 8),
        "    for day in range(end - 1, start - 1, -1):",
        "        today = path[day - start]",
        *indented(_move("work", 0, "today", 0, daily_rows), 8),
        *indented(_move("work", min(kept_rows, default=0), "today", daily_rows, len(kept)), 8),
        *indented(load_gradients, 8),
        *_body(graph, inputs | {node: row for row, node in kept_rows.items()}, results, rows, constants, 8),
        *indented(daily, 8),
        *_states(_give, "state gradient", step, rows, lambda number, name: f"s_{name}"),
        *_each(_give(row, f"gp_{name}") for row, name in totals),
    ]
    setup = [f"path = np.empty((interval, {daily_rows + len(kept)} * LANES), REAL)"]
    return _source(
        "The adjoint of a step, marched backward.", plan, lanes, "backward", arguments, setup, rows, constants, body
    )
