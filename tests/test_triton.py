"""The kernels for CUDA devices: run on the CPU by Triton's interpreter, and compiled for a device that is not here."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="needs the package triton: make triton-test installs it and runs these")

INTERPRETED = """
import os, sys
os.environ["TRITON_INTERPRET"] = "1"
sys.path.insert(0, {tests!r})
import torch
import test_implicit, test_integrate
from thalweg.integrate import fused, on_gpu
from thalweg.processes.runoff.hbv import hbv
from thalweg.processes.runoff.hbv_implicit import hbv_implicit

def compare(process, inputs, fluxes=None, limit=1e-10, **options):
    march = fused.march
    expected = test_integrate.run(process, inputs, "reference", fluxes=fluxes, **options)
    try:
        fused.march = lambda *a, **k: march(*a, **k, engine=on_gpu)
        found = test_integrate.run(process, inputs, "fused", fluxes=fluxes, **options)
    finally:
        fused.march = march
    test_integrate.assert_close(found, expected, relative=limit, gradient=limit)

{body}
print("agreed")
"""

CASES = {
    "daily parameters": "compare(hbv(), test_integrate.random_inputs(units=5, components=3, days=11), checkpoint_days=4)",
    "static parameters, averaged": """
compare(hbv(), test_integrate.random_inputs(units=3, components=16, days=9, dynamic=()), ("runoff",),
        mean_components=True, checkpoint_days=4)""",
    "single precision": """
compare(hbv(), test_integrate.random_inputs(units=3, components=16, days=9, dtype=torch.float32), limit=1e-4)""",
    "one lane, one day": "compare(hbv(), test_integrate.random_inputs(units=1, components=1, days=1))",
    "a scalar root": "compare(test_implicit.SCALAR, test_implicit.inputs(test_implicit.SCALAR, days=6), checkpoint_days=4)",
    "several unknowns": "compare(test_implicit.COUPLED, test_implicit.inputs(test_implicit.COUPLED, days=6), checkpoint_days=4)",
    "implicit HBV": "compare(hbv_implicit(), test_integrate.random_inputs(hbv_implicit(), units=3, days=5), checkpoint_days=2)",
    "functions": """
from thalweg.processes.operations import clip, exp, log, maximum, minimum, sqrt, where
def step(state, forcing, parameters):
    x, k = state["store"] + forcing["rain"], parameters["k"]
    y = sqrt(x + 1.0) + log(x + k) + exp(-x) + clip(x, 1.0, 2.0) + clip(x, None, 5.0) + maximum(x, 2.0 * k)
    z = where(~(x > 1.0) | (x == 3.0) & (x != k), y, minimum(x, y)) - where((x <= 2.0) & (x >= 1.0), -x, k)
    return dict(store=0.5 * x), dict(runoff=z / (1.0 + clip(y, 0.0, None)))
process = test_implicit.process_of(step)
compare(process, test_implicit.inputs(process, days=8))""",
}


@pytest.mark.parametrize("case", CASES)
def test_interpreted_kernels_agree_with_the_reference(case):
    code = INTERPRETED.format(tests=str(Path(__file__).parent), body=CASES[case])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("agreed")


COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from thalweg.integrate import emit_triton, fused, on_gpu
from thalweg.integrate.kernels import compiled
from thalweg.integrate.trace import trace
from thalweg.processes.runoff.hbv import hbv
from thalweg.processes.runoff.hbv_implicit import hbv_implicit

process = {process}
step = trace(process)
plan = fused.Plan(("runoff",), frozenset({dynamic!r}), {mean}, {dtype!r})
wanted = tuple(("parameter", name) for name in process.parameter_names) + (("forcing", "precipitation"),)
for name, source in (("forward", emit_triton.forward(step, plan)),
                     ("backward", emit_triton.backward(step, plan, ("runoff",), wanted))):
    kernel = compiled(source, name)
    units, columns = on_gpu.tile(16)
    pointer = "*fp32" if plan.dtype == "float32" else "*fp64"
    sizes = dict.fromkeys(("units", "components", "days", "interval"), "i32")
    constants = dict(UNITS=units, COMPONENTS=columns)
    signature = {{n: sizes.get(n, pointer) for n in kernel.arg_names}} | dict.fromkeys(constants, "constexpr")
    binary = triton.compile(ASTSource(kernel, signature, constants), target=GPUTarget("cuda", 90, 32),
                            options=dict(num_warps=on_gpu.WARPS))
    assert len(binary.asm["cubin"]) > 1000
print("compiled")
"""


@pytest.mark.parametrize(
    "process, dynamic, mean, dtype",
    [
        ("hbv()", (), True, "float32"),
        ("hbv()", ("BETA", "K0"), False, "float64"),
        pytest.param("hbv_implicit()", (), True, "float32", marks=pytest.mark.long),
    ],
)
def test_kernels_compile_for_a_device(process, dynamic, mean, dtype):
    """To machine code for compute capability 9.0; needs no device."""
    code = COMPILED.format(process=process, dynamic=dynamic, mean=mean, dtype=dtype)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("compiled")
