"""The memory that torch gives large tensors."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import torch, thalweg
torch.set_num_threads(1)
torch.manual_seed(0)
lstm = torch.nn.LSTM(8, 32)
output, _ = lstm(torch.randn(365, 64, 8))
gradients = torch.autograd.grad(output.square().mean(), list(lstm.parameters()))
print(all(torch.empty(2**22).data_ptr() % 4096 == 0 for _ in range(3)))
print([gradient.double().sum().item().hex() for gradient in gradients], output.double().sum().item().hex())
"""


def run(**environment):
    kept = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=kept | environment, capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="huge pages are asked for on Linux only")
def test_large_tensors_are_on_huge_pages_unless_the_user_says_no_and_numbers_do_not_change():
    (asked, numbers), (refused, others) = run(), run(THP_MEM_ALLOC_ENABLE="0")
    assert (asked, refused) == ("True", "False"), "torch aligns tensors to pages where it asks for huge ones"
    assert numbers == others
