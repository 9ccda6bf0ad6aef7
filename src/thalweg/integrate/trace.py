"""A process's step as a graph of scalar operations, and the graph's derivative.

``trace`` runs the step once with symbols. Equal operations on equal arguments become one node. ``adjoint`` walks the
graph backwards and writes the derivative as more nodes of the same graph, so that an emitter needs to know the
operations alone. Nothing is reassociated, so a step computes what the reference computes, rounding for rounding.

An implicit equation is a :class:`Root`: nodes of what its iterations carry, before and after one iteration. An emitter
runs them as a loop before it computes what needs the root.
"""

import sys
from dataclasses import dataclass

from thalweg.processes import implicit, operations

ARITHMETIC = ("add", "subtract", "multiply", "divide", "negative")
FUNCTIONS = ("exp", "log", "sqrt", "minimum", "maximum", "clip_low", "clip_high", "clip", "where")
COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
LOGIC = ("and", "or", "not")
LEAVES = ("input", "constant", "tolerance")


class TraceError(TypeError):
    """A step contains an operation that cannot be traced; the message names the operation and the line."""


def _refuse(what):
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename in (__file__, operations.__file__, implicit.__file__):
        frame = frame.f_back
    raise TraceError(
        f"{frame.f_code.co_filename}:{frame.f_lineno}: {what} cannot be traced into a fused step; use the operators "
        "and the functions of thalweg.processes.operations, or integrate with backend='reference'"
    )


class Graph:
    """Nodes (operation, arguments) in an order where arguments come first; equal nodes are shared."""

    def __init__(self):
        self.nodes = []
        self.roots = []
        self.solving = False
        self._known = {}

    def copy(self):
        """An independent copy of the graph."""
        other = Graph()
        other.nodes, other.roots, other._known = list(self.nodes), list(self.roots), dict(self._known)
        return other

    def arguments(self, node):
        """The nodes that a node is computed from."""
        operation, arguments = self.nodes[node]
        if operation == "root":
            root = self.roots[arguments[0]]
            return (*root.residuals, *root.begin.values(), *root.after.values())
        return () if operation in LEAVES else arguments

    def add(self, operation, *arguments):
        """The symbol of a node, created if new."""
        key = (operation, *map(repr, arguments))
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append((operation, arguments))
        return Symbol(self, self._known[key])

    def ancestors(self, nodes, known=()):
        """The nodes that the given ones need, themselves included, when the values of ``known`` are known."""
        found, waiting = set(), list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                if node not in known:
                    waiting.extend(self.arguments(node))
        return found

    def dependents(self, nodes):
        """The nodes that need any of the given ones, themselves included."""
        found = set(nodes)
        for node in range(len(self.nodes)):
            if found.intersection(self.arguments(node)):
                found.add(node)
        return found


@dataclass(frozen=True, eq=False)
class Root:
    """An implicit equation of n unknowns (:mod:`thalweg.processes.implicit`), as nodes.

    Attributes:
        unknowns: symbols of the unknowns in the residuals.
        residuals: n nodes that depend on the unknowns.
        jacobian: their derivatives, residual by unknown, None for zero.
        carried: name -> input node of a value carried by the iterations; ``x0``, ``x1``, ... are the unknowns.
        begin: name -> node of its first value.
        after: name -> node of its value after an iteration.
        found: name -> node of the unknowns at the end, in terms of what was carried.
        results: the nodes used by the rest of the step.
    """

    unknowns: tuple[int, ...]
    residuals: tuple[int, ...]
    jacobian: tuple[tuple[int | None, ...], ...]
    carried: dict[str, int]
    begin: dict[str, int]
    after: dict[str, int]
    found: dict[str, int]
    results: tuple[int, ...]


class Symbol:
    """A node that behaves like a number."""

    __slots__ = ("graph", "node")

    def __init__(self, graph, node):
        self.graph = graph
        self.node = node

    def _lift(self, value, operation):
        if isinstance(value, Symbol):
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            _refuse(f"{operation} with a {type(value).__name__}")
        return self.graph.add("constant", float(value))

    def operation(self, name, *arguments):
        """Record an operation; numbers among the arguments become constants."""
        if name not in ARITHMETIC + FUNCTIONS + COMPARISONS + LOGIC:
            _refuse(f"operation {name!r}")
        arguments = [self._lift(argument, name) for argument in arguments]
        for position, argument in enumerate(arguments):
            wants_truth = name in LOGIC or (name == "where" and position == 0)
            if argument.is_truth != wants_truth:
                wanted = "a condition" if wants_truth else "a number"
                _refuse(f"{name} whose argument {position + 1} is not {wanted}")
        return self.graph.add(name, *(argument.node for argument in arguments))

    def root(self, residual, guess, low, high):
        """Record an implicit equation; see :func:`thalweg.processes.implicit.root`."""
        graph = self.graph
        if graph.solving:
            _refuse("a root inside the residual of another root")
        size, key = len(guess), len(graph.roots)

        def symbols(nodes):
            return [None if node is None else Symbol(graph, node) for node in nodes]

        def nodes(values):
            return {name: self._lift(value, "root").node for name, value in values.items()}

        begin = implicit.begin(*([self._lift(value, "root") for value in values] for values in (guess, low, high)))
        carried = {name: graph.add("input", "root", key, name) for name in begin}
        unknowns = [carried[f"x{i}"] for i in range(size)]
        graph.solving = True
        try:
            residuals = [self._lift(value, "root") for value in residual(*unknowns)]
        finally:
            graph.solving = False
        jacobian = []
        for value in residuals:
            slopes = adjoint(graph, [(value.node, graph.add("constant", 1.0))], [x.node for x in unknowns])
            jacobian.append(tuple(slopes[x.node].node if x.node in slopes else None for x in unknowns))
        after = implicit.advance(carried, residuals, [symbols(row) for row in jacobian], graph.add("tolerance"))
        found = implicit.finish(carried, size)
        results = tuple(graph.add("root", key, i) for i in range(size))
        graph.roots.append(
            Root(
                unknowns=tuple(x.node for x in unknowns),
                residuals=tuple(value.node for value in residuals),
                jacobian=tuple(jacobian),
                carried=nodes(carried),
                begin=nodes(begin),
                after=nodes(after),
                found={f"x{i}": value.node for i, value in enumerate(found)},
                results=tuple(result.node for result in results),
            )
        )
        return results

    @property
    def is_truth(self):
        """Whether this is a condition."""
        return self.graph.nodes[self.node][0] in COMPARISONS + LOGIC

    def __add__(self, other):
        return self.operation("add", self, other)

    def __radd__(self, other):
        return self.operation("add", other, self)

    def __sub__(self, other):
        return self.operation("subtract", self, other)

    def __rsub__(self, other):
        return self.operation("subtract", other, self)

    def __mul__(self, other):
        return self.operation("multiply", self, other)

    def __rmul__(self, other):
        return self.operation("multiply", other, self)

    def __truediv__(self, other):
        return self.operation("divide", self, other)

    def __rtruediv__(self, other):
        return self.operation("divide", other, self)

    def __neg__(self):
        return self.operation("negative", self)

    def __pos__(self):
        return self

    def __pow__(self, exponent):
        if isinstance(exponent, bool) or not isinstance(exponent, int) or exponent < 1:
            _refuse(f"** with the exponent {exponent!r} (whole numbers of 1 and more only; power() takes any)")
        result = self
        for _ in range(exponent - 1):
            result = result * self
        return result

    def __lt__(self, other):
        return self.operation("less", self, other)

    def __le__(self, other):
        return self.operation("less_equal", self, other)

    def __gt__(self, other):
        return self.operation("greater", self, other)

    def __ge__(self, other):
        return self.operation("greater_equal", self, other)

    def __eq__(self, other):
        return self.operation("equal", self, other)

    def __ne__(self, other):
        return self.operation("not_equal", self, other)

    __hash__ = None

    def __and__(self, other):
        return self.operation("and", self, other)

    def __or__(self, other):
        return self.operation("or", self, other)

    def __invert__(self):
        return self.operation("not", self)

    def __bool__(self):
        _refuse("a Python condition (if, and, or, not, while) on a value")

    def __float__(self):
        _refuse("float() or a function of math")

    def __int__(self):
        _refuse("int()")

    def __index__(self):
        _refuse("a value as an index")

    def __iter__(self):
        _refuse("iteration over a value")

    def __getitem__(self, key):
        _refuse("indexing into a value")

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        _refuse(f"attribute .{name}")

    def __array_ufunc__(self, function, *_, **__):
        _refuse(f"numpy.{function.__name__}")

    @classmethod
    def __torch_function__(cls, function, *_, **__):
        _refuse(f"torch's {getattr(function, '__name__', function)}")


@dataclass(frozen=True, eq=False)
class Step:
    """A traced step: one graph, and the nodes of its inputs and results by name."""

    graph: Graph
    state: dict[str, int]
    forcing: dict[str, int]
    parameters: dict[str, int]
    new_state: dict[str, int]
    fluxes: dict[str, int]


def trace(process):
    """Trace the step of a :class:`~thalweg.processes.Process`.

    Raises:
        TraceError: if the step uses anything but the operators and ``thalweg.processes.operations``.
    """
    graph = Graph()
    inputs = [
        {name: graph.add("input", kind, name) for name in names}
        for kind, names in (
            ("state", process.state_names),
            ("forcing", process.forcing_names),
            ("parameter", process.parameter_names),
        )
    ]
    results = process.step(*(dict(given) for given in inputs))
    nodes = [{name: symbol.node for name, symbol in given.items()} for given in inputs]
    for names, values in zip((process.state_names, process.flux_names), results):
        nodes.append({})
        for name in names:
            value = values[name]
            if isinstance(value, (int, float)):
                value = graph.add("constant", float(value))
            if not isinstance(value, Symbol):
                raise TraceError(
                    f"{process.name}: the step returns a {type(value).__name__} for {name!r}, which cannot be traced "
                    "into a fused step; integrate with backend='reference'"
                )
            nodes[-1][name] = value.node
    return Step(graph, *nodes)


def _tied(gradient, a, b, first, second):
    """Gradients of minimum and maximum: half to each at a tie."""
    where = operations.where
    shared = where(a == b, 0.5 * gradient, gradient)
    return where(first, shared, 0.0), where(second, shared, 0.0)


# operation -> function(gradient, result, *arguments) -> the gradient of each argument, None where there is none
_RULES = {
    "add": lambda g, y, a, b: (g, g),
    "subtract": lambda g, y, a, b: (g, -g),
    "multiply": lambda g, y, a, b: (g * b, g * a),
    "divide": lambda g, y, a, b: (g / b, -(g / b * y)),
    "negative": lambda g, y, a: (-g,),
    "exp": lambda g, y, a: (g * y,),
    "log": lambda g, y, a: (g / a,),
    "sqrt": lambda g, y, a: (g / (2.0 * y),),
    "minimum": lambda g, y, a, b: _tied(g, a, b, a <= b, b <= a),
    "maximum": lambda g, y, a, b: _tied(g, a, b, a >= b, b >= a),
    "clip_low": lambda g, y, x, low: (operations.where(x >= low, g, 0.0), None),
    "clip_high": lambda g, y, x, high: (operations.where(x <= high, g, 0.0), None),
    "clip": lambda g, y, x, low, high: (operations.where((x >= low) & (x <= high), g, 0.0), None, None),
    "where": lambda g, y, c, a, b: (None, operations.where(c, g, 0.0), operations.where(c, 0.0, g)),
}


def adjoint(graph, seeds, wanted):
    """Write the reverse derivative of the graph into the graph.

    Args:
        graph: a :class:`Graph`.
        seeds: pairs (node, symbol): a result and the gradient of the loss to it.
        wanted: nodes to differentiate to.

    Returns:
        dict: wanted node -> symbol of its gradient, without the nodes that no seed depends on.
    """
    size = len(graph.nodes)
    active = set(wanted)
    for node, (operation, arguments) in enumerate(graph.nodes):
        depends = graph.roots[arguments[0]].residuals if operation == "root" else arguments
        if (operation in _RULES or operation == "root") and active.intersection(depends):
            active.add(node)
    gradients = {}

    def accumulate(node, gradient):
        gradients[node] = gradients[node] + gradient if node in gradients else gradient

    for node, seed in seeds:
        accumulate(node, seed)
    for node in reversed(range(size)):
        operation, arguments = graph.nodes[node]
        if operation == "root" and arguments[1] == 0:
            # The implicit function theorem: -residual takes the gradient that solves with the transposed Jacobian.
            root = graph.roots[arguments[0]]
            if any(result in active and result in gradients for result in root.results):
                given = [gradients.get(result, graph.add("constant", 0.0)) for result in root.results]
                transposed = [
                    [None if entry is None else Symbol(graph, entry) for entry in column]
                    for column in zip(*root.jacobian)
                ]
                for residual, share in zip(root.residuals, implicit.eliminate(transposed, given)):
                    if residual in active:
                        accumulate(residual, -share)
        if node in active and node in gradients and operation in _RULES:
            symbols = [Symbol(graph, argument) for argument in arguments]
            contributions = _RULES[operation](gradients[node], Symbol(graph, node), *symbols)
            for argument, contribution in zip(arguments, contributions):
                if contribution is not None and argument in active:
                    accumulate(argument, contribution)
    return {node: gradients[node] for node in wanted if node in gradients}
