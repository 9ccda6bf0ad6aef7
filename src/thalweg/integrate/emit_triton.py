"""Kernels for CUDA devices: a traced step written out as Triton source.

A program holds a tile of lanes, ``UNITS`` whole units by ``COMPONENTS`` (a power of two), and marches it through all days;
storages, parameters and the gradients of static parameters stay in registers. Forcing is loaded once for a unit and
spread, averaged fluxes and gradients of forcing are summed over the tile's columns.

The backward kernel goes from checkpoint to checkpoint, as the one for the CPU does: it recomputes the states of the days
between them into ``path``, then runs the adjoint of the step backward over these days.
"""

from thalweg.integrate.forms import OPERATORS, indented
from thalweg.integrate.trace import adjoint
from thalweg.processes.implicit import ITERATIONS, TOLERANCE

_FORMS = OPERATORS | {
    "exp": "tl.exp({0})",
    "log": "tl.log({0})",
    "minimum": "tl.where(({0} < {1}) | ({0} != {0}), {0}, {1})",
    "maximum": "tl.where(({0} > {1}) | ({0} != {0}), {0}, {1})",
    "clip_low": "tl.where({0} < {1}, {1}, {0})",
    "clip_high": "tl.where({0} > {1}, {1}, {0})",
    "clip": "tl.where({0} < {1}, {1}, tl.where({0} > {2}, {2}, {0}))",
    "where": "tl.where({0}, {1}, {2})",
    "not": "({0}) == 0",
}
_SQUARE_ROOT = {"float32": "tl.sqrt_rn({0})", "float64": "tl.sqrt({0})"}

_HEAD = '''"""{title}"""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["units", "components", "days", "interval"])
def {name}({arguments}, units, components, days, interval, UNITS: tl.constexpr, COMPONENTS: tl.constexpr):
    unit = tl.program_id(0).to(tl.int64) * UNITS + tl.arange(0, UNITS)[:, None]
    column = tl.arange(0, COMPONENTS)[None, :]
    width = units.to(tl.int64)
    lanes = width * components
    lane = unit * components + column
    is_unit = unit < units
    is_lane = is_unit & (column < components)
    share = tl.full((1, 1), 1.0, tl.{dtype}) / components.to(tl.{dtype})
'''


class _Writer:
    """Lines of one kernel; the value of a node is the variable ``v`` and its number."""

    def __init__(self, graph, dtype):
        self.graph, self.dtype, self.constants = graph, dtype, set()

    def step(self, inputs, results):
        """Lines that compute nodes from inputs (node -> name of a variable)."""
        graph, lines, known = self.graph, [], dict(inputs)
        for key, root in enumerate(graph.roots):
            if not set(root.results) <= set(known):
                if not graph.ancestors(results, known).intersection(root.results):
                    continue
                lines += self._iterations(key, known)
                known |= {result: f"r{key}_x{i}" for i, result in enumerate(root.results)}
            known |= {unknown: known[result] for unknown, result in zip(root.unknowns, root.results)}
        return [*lines, *self._values(results, known)]

    def _values(self, results, known):
        lines = []
        for node in sorted(self.graph.ancestors(results, known)):
            operation, arguments = self.graph.nodes[node]
            if node in known:
                lines.append(f"v{node} = {known[node]}")
            elif operation in ("constant", "tolerance"):
                self.constants.add(node)
            elif operation == "sqrt":
                lines.append(f"v{node} = {_SQUARE_ROOT[self.dtype].format(f'v{arguments[0]}')}")
            else:
                lines.append(f"v{node} = " + _FORMS[operation].format(*(f"v{a}" for a in arguments)))
        return lines

    def _iterations(self, key, known):
        root = self.graph.roots[key]
        carried = {name: f"r{key}_{name}" for name in root.carried}
        within = known | {root.carried[name]: variable for name, variable in carried.items()}

        def update(nodes, known):
            return [
                *self._values(nodes.values(), known),
                *(f"{carried[name]} = v{node} + zeros" for name, node in nodes.items()),
            ]

        return [
            *update(root.begin, known),
            f"r{key}_open = 1",
            f"r{key}_turns = 0",
            f"while (r{key}_open > 0) & (r{key}_turns < {ITERATIONS}):",
            *indented(update(root.after, within), 4),
            f"    r{key}_open = (is_lane & ({carried['done']} == 0)).to(tl.int32)",
            f"    r{key}_open = tl.max(tl.max(r{key}_open, axis=1), axis=0)",
            f"    r{key}_turns += 1",
            *update(root.found, within),
        ]

    def head(self):
        """Lines that define the constants."""
        lines = [f"zeros = tl.zeros((UNITS, COMPONENTS), tl.{self.dtype})"]
        for node in sorted(self.constants):
            operation, arguments = self.graph.nodes[node]
            value = TOLERANCE[self.dtype] if operation == "tolerance" else arguments[0]
            text = repr(value) if value == value and abs(value) != float("inf") else f'float("{value!r}")'
            lines.append(f"v{node} = tl.full((1, 1), {text}, tl.{self.dtype})")
        return lines


def _load(target, pointer, per_unit=False):
    if per_unit:
        return f"{target} = tl.load({pointer} + unit, mask=is_unit, other=0.0)"
    return f"{target} = tl.load({pointer} + lane, mask=is_lane, other=0.0)"


def _store(pointer, value):
    return f"tl.store({pointer} + lane, {value} + zeros, mask=is_lane)"


def _store_sum(pointer, value, scale=""):
    total = f"tl.sum(tl.where(is_lane, {value} + zeros, 0.0), axis=1)[:, None]{scale}"
    return f"tl.store({pointer} + unit, {total}, mask=is_unit)"


def _inputs(step):
    return {node: f"s_{name}_now" for name, node in step.state.items()} | {
        node: f"{prefix}_{name}_now"
        for prefix, nodes in (("f", step.forcing), ("p", step.parameters))
        for name, node in nodes.items()
    }


def _load_static(step, plan):
    return [_load(f"p_{name}_now", f"p_{name}") for name in step.parameters if name not in plan.dynamic]


def _load_day(step, plan):
    return [
        *(_load(f"f_{name}_now", f"f_{name} + day * width", per_unit=True) for name in step.forcing),
        *(_load(f"p_{name}_now", f"p_{name} + day * lanes") for name in step.parameters if name in plan.dynamic),
    ]


def _source(title, name, plan, arguments, writer, body):
    head = _HEAD.format(title=title, name=name, arguments=", ".join(arguments), dtype=plan.dtype)
    return head + "\n".join(indented([*writer.head(), *body], 4)) + "\n"


def _arguments(step):
    return [f"f_{name}" for name in step.forcing] + [f"p_{name}" for name in step.parameters]


def forward(step, plan):
    """Source of the forward kernel; its arguments are those of :func:`thalweg.integrate.emit_numba.forward`, sizes last."""
    writer = _Writer(step.graph, plan.dtype)
    results = [step.fluxes[name] for name in plan.fluxes] + list(step.new_state.values())
    values = writer.step(_inputs(step), results)
    size = len(step.state)
    day = [
        "if interval > 0:",
        "    if day % interval == 0:",
        *(
            f"        {_store(f'checkpoints + (day // interval * {size} + {number}) * lanes', f's_{name}_now')}"
            for number, name in enumerate(step.state)
        ),
        *_load_day(step, plan),
        *values,
        *(
            _store_sum(f"q_{name} + day * width", f"v{step.fluxes[name]}", " * share")
            if plan.mean
            else _store(f"q_{name} + day * lanes", f"v{step.fluxes[name]}")
            for name in plan.fluxes
        ),
        *(f"s_{name}_now = v{node} + zeros" for name, node in step.new_state.items()),
    ]
    body = [
        *(_load(f"s_{name}_now", f"s_{name}") for name in step.state),
        *_load_static(step, plan),
        "for day in range(days):",
        *indented(day, 4),
        *(_store(f"s_{name}", f"s_{name}_now") for name in step.state),
    ]
    arguments = [*_arguments(step), *(f"s_{name}" for name in step.state), *(f"q_{name}" for name in plan.fluxes)]
    return _source("A step marched forward.", "forward", plan, [*arguments, "checkpoints"], writer, body)


def kept(step):
    """Number of rows of ``path`` for a day: states, then roots."""
    return len(step.state) + sum(len(root.results) for root in step.graph.roots)


def backward(step, plan, given, wanted):
    """Source of the adjoint kernel; see :func:`thalweg.integrate.emit_numba.backward`.

    After the gradients wanted it takes ``path``, room for ``interval`` days of :func:`kept` rows of all lanes.
    """
    graph = step.graph.copy()
    inputs = _inputs(step)

    def symbol(variable):
        made = graph.add("input", "gradient", variable)
        return made, {made.node: variable}

    seeds, known = [], dict(inputs)
    for name in given:
        made, here = symbol(f"q_{name}_now")
        seeds.append((step.fluxes[name], made))
        known |= here
    for name, node in step.new_state.items():
        made, here = symbol(f"g_{name}_now")
        seeds.append((node, made))
        known |= here
    targets = {(k, name): (step.forcing if k == "forcing" else step.parameters)[name] for k, name in wanted}
    gradients = adjoint(graph, seeds, [*targets.values(), *step.state.values()])
    zero = graph.add("constant", 0.0)
    found = {key: gradients.get(node, zero).node for key, node in targets.items()}
    states = {name: gradients.get(node, zero).node for name, node in step.state.items()}
    roots = [result for root in graph.roots for result in root.results]
    writer = _Writer(graph, plan.dtype)
    ahead = writer.step(inputs, [*step.new_state.values(), *roots])
    back = writer.step(
        known | {result: f"k_{number}_now" for number, result in enumerate(roots)}, [*found.values(), *states.values()]
    )

    rows, size = kept(step), len(step.state)
    path = [f"path + ((day - start) * {rows} + {row}) * lanes" for row in range(rows)]
    arguments = [
        *_arguments(step),
        "checkpoints",
        *(f"q_{name}" for name in given),
        *(f"s_{name}" for name in step.state),
    ]
    totals = [name for kind, name in wanted if kind == "parameter" and name not in plan.dynamic]
    daily = []
    for (kind, name), node in found.items():
        if kind == "forcing":
            daily.append(_store_sum(f"gf_{name} + day * width", f"v{node}"))
        elif name in plan.dynamic:
            daily.append(_store(f"gp_{name} + day * lanes", f"v{node}"))
        else:
            daily.append(f"t_{name} += v{node}")
    body = [
        *(_load(f"g_{name}_now", f"s_{name}") for name in step.state),
        *_load_static(step, plan),
        *(f"t_{name} = zeros" for name in totals),
        "segments = (days + interval - 1) // interval",
        "for number in range(segments):",
        "    segment = segments - 1 - number",
        "    start = segment * interval",
        "    end = tl.minimum(days, start + interval)",
        *(
            "    " + _load(f"s_{name}_now", f"checkpoints + (segment * {size} + {n}) * lanes")
            for n, name in enumerate(step.state)
        ),
        "    for offset in range(end - start):",
        "        day = start + offset",
        *indented([_store(path[row], f"s_{name}_now") for row, name in enumerate(step.state)], 8),
        *indented(_load_day(step, plan), 8),
        *indented(ahead, 8),
        *indented([_store(path[size + row], f"v{node}") for row, node in enumerate(roots)], 8),
        *indented([f"s_{name}_now = v{node} + zeros" for name, node in step.new_state.items()], 8),
        "    tl.debug_barrier()",
        "    for offset in range(end - start):",
        "        day = end - 1 - offset",
        *indented([_load(f"s_{name}_now", path[row]) for row, name in enumerate(step.state)], 8),
        *indented([_load(f"k_{row}_now", path[size + row]) for row in range(rows - size)], 8),
        *indented(_load_day(step, plan), 8),
        *(
            "        "
            + (
                _load(f"q_{name}_now", f"q_{name} + day * width", per_unit=True) + " * share"
                if plan.mean
                else _load(f"q_{name}_now", f"q_{name} + day * lanes")
            )
            for name in given
        ),
        *indented(back, 8),
        *indented(daily, 8),
        *indented([f"g_{name}_now = v{node} + zeros" for name, node in states.items()], 8),
        "    tl.debug_barrier()",
        *(_store(f"s_{name}", f"g_{name}_now") for name in step.state),
        *(_store(f"gp_{name}", f"t_{name}") for name in totals),
    ]
    arguments += [f"gf_{name}" if kind == "forcing" else f"gp_{name}" for kind, name in wanted]
    title = "The adjoint of a step, marched backward."
    return _source(title, "backward", plan, [*arguments, "path"], writer, body)
