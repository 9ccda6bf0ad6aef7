"""Code shared by all emitters: operators of Python, numba and Triton, and indented lines."""

OPERATORS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
}


def indented(lines, indent):
    """The lines, indented."""
    return [" " * indent + line for line in lines]
