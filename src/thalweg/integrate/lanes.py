"""Functions of one lane for the compiled kernels: branch-free, so that a loop over lanes becomes vector instructions.

exp and log are within 2 units in the last place over the whole range, with the usual results at 0, infinity and NaN.
The reductions are exact and the series are Taylor's, cut where the next term is below rounding:
exp r for abs(r) <= log(2)/2, and log m = 2 atanh(s), s = (m - 1)/(m + 1), for sqrt(1/2) <= m < sqrt(2).
"""

from math import factorial, log, sqrt

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_FUSED = {"forceinline": True, "error_model": "numpy", "fastmath": {"contract"}}  # a * b + c in one rounding


@intrinsic
def select(typing_context, condition, a, b):
    """``a`` if the condition holds, else ``b``, without a branch."""

    def code(context, builder, signature, arguments):
        return builder.select(*arguments)

    return a(types.boolean, a, b), code


@intrinsic
def bits(typing_context, x):
    """The bits of a floating-point number as an integer."""
    integer = types.Integer.from_bitwidth(x.bitwidth, True)

    def code(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(integer))

    return integer(x), code


@intrinsic
def number(typing_context, x):
    """The floating-point number that has these bits."""
    real = types.Float(f"float{x.bitwidth}")

    def code(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(real))

    return real(x), code


@intrinsic
def square_root(typing_context, x):
    """The square root."""

    def code(context, builder, signature, arguments):
        return builder.call(builder.module.declare_intrinsic("llvm.sqrt", [arguments[0].type]), arguments)

    return x(x), code


@intrinsic
def prefetch(typing_context, values, position):
    """Prefetch the cache line of a position of a one-dimensional array; positions outside are harmless."""

    def code(context, builder, signature, arguments):
        data = context.make_array(values)(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [address, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(values, position), code


def _functions(real, integer, mantissa, exp_series, log_series, lowest, highest):
    """exp and log for a floating-point type with ``mantissa`` stored bits."""
    one, two, half = real(1), real(2), real(0.5)
    zero, infinity, nan = real(0), real(np.inf), real(np.nan)
    magic = real(1.5 * 2.0**mantissa)  # adding it leaves the nearest whole number in the low bits
    magic_bits = integer(magic.view(integer))
    bias = integer(one.view(integer) >> mantissa)
    shift = integer(mantissa)
    per_log_2 = real(1 / log(2))
    step = 2.0 ** (mantissa // 2 - 2)
    log_2_high = real(round(log(2) * step) / step)  # so short that its whole multiples are exact
    log_2_low = real(
        (log(2) - float(log_2_high)) + 2.3190468138462996e-17
    )  # the digits missing from log(2) in double precision
    lowest, highest = real(lowest), real(highest)
    root_bits = integer(real(sqrt(0.5)).view(integer))
    smallest_normal, lift, lift_exponent = np.finfo(real).tiny, real(2.0**mantissa), real(mantissa)
    E = tuple(real(1 / factorial(n)) for n in range(14))
    L = tuple(real(2 / (2 * n + 3)) for n in range(10))

    @njit(**_FUSED)
    def exponential(x):
        x = select(x < lowest, lowest, select(x > highest, highest, x))
        shifted = x * per_log_2 + magic
        whole = shifted - magic
        r = (x - whole * log_2_high) - whole * log_2_low
        series = exp_series(r, E)
        power = integer(bits(shifted) - magic_bits)
        first = integer(power >> integer(1))
        second = integer(power - first)
        return (
            series * number(integer(integer(first + bias) << shift)) * number(integer(integer(second + bias) << shift))
        )

    @njit(**_FUSED)
    def logarithm(x):
        small = x < smallest_normal
        normal = select(small, x * lift, x)
        exponent = integer(integer(bits(normal) - root_bits) >> shift)
        m = number(integer(bits(normal) - integer(exponent << shift)))
        whole = number(integer(exponent + magic_bits)) - magic - select(small, lift_exponent, zero)
        f = m - one
        s = f / (two + f)
        z = s * s
        tail = z * log_series(z, L)
        result = whole * log_2_high + (f - (half * f * f - (s * (half * f * f + tail) + whole * log_2_low)))
        result = select(x < infinity, result, x)
        result = select(x > zero, result, select(x == zero, -infinity, nan))
        return result

    return exponential, logarithm


@njit(**_FUSED)
def _exp_series_32(r, E):
    s = E[7]
    s = s * r + E[6]
    s = s * r + E[5]
    s = s * r + E[4]
    s = s * r + E[3]
    s = s * r + E[2]
    return (s * r * r + r) + E[0]


@njit(**_FUSED)
def _log_series_32(z, L):
    s = L[4]
    s = s * z + L[3]
    s = s * z + L[2]
    s = s * z + L[1]
    return s * z + L[0]


@njit(**_FUSED)
def _exp_series_64(r, E):
    s = E[13]
    s = s * r + E[12]
    s = s * r + E[11]
    s = s * r + E[10]
    s = s * r + E[9]
    s = s * r + E[8]
    s = s * r + E[7]
    s = s * r + E[6]
    s = s * r + E[5]
    s = s * r + E[4]
    s = s * r + E[3]
    s = s * r + E[2]
    return (s * r * r + r) + E[0]


@njit(**_FUSED)
def _log_series_64(z, L):
    s = L[9]
    s = s * z + L[8]
    s = s * z + L[7]
    s = s * z + L[6]
    s = s * z + L[5]
    s = s * z + L[4]
    s = s * z + L[3]
    s = s * z + L[2]
    s = s * z + L[1]
    return s * z + L[0]


exp_float32, log_float32 = _functions(np.float32, np.int32, 23, _exp_series_32, _log_series_32, -105.0, 90.0)
exp_float64, log_float64 = _functions(np.float64, np.int64, 52, _exp_series_64, _log_series_64, -750.0, 711.0)
