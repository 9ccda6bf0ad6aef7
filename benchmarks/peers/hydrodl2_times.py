"""Times of a model of hydrodl2: run by ``integrators.py`` in an environment that has it, not by hand.

The request names the model, a file of forcing and raw parameters, the daily parameters, threads and repeats. The model
is called as its package means it to be: raw values of every parameter for every day, as a network gives them, in one
tensor. Its routing cannot be turned off (version 1.4.0 fails without), so the flow before routing is taken: routing
is in the forward pass, a small share, and not in the backward pass.
"""

import json
import sys

import torch
from hydrodl2.models.hbv.hbv import Hbv
from hydrodl2.models.hbv.hbv_1_1p import Hbv_1_1p
from timing import measure

ROUTING = 2  # raw parameters of the routing, after the others

request = json.load(sys.stdin)
torch.set_num_threads(request["threads"])
inputs = torch.load(request["inputs"])
forcing, raw = inputs["forcing"], inputs["raw"]
days, units, _ = forcing.shape
components = next(iter(raw.values())).shape[-1]
settings = {
    "warmup": 0,
    "nmul": components,
    "dynamic_params": {request["model"]: [f"par{name}" for name in request["daily"]]},
}
model = {"Hbv": Hbv, "Hbv_1_1p": Hbv_1_1p}[request["model"]](settings, device=torch.device("cpu"))
names = [name.removeprefix("par") for name in model.parameter_bounds]
assert set(names) == set(raw), f"{request['model']} has the parameters {names}, given are {list(raw)}"
parameters = torch.cat(
    [*(raw[name].expand(days, units, components) for name in names), torch.zeros(days, units, ROUTING)], dim=-1
).requires_grad_()


def flow():
    return model({"x_phy": forcing}, parameters)["streamflow_no_rout"][..., 0]


def forward():
    with torch.no_grad():
        flow()


def both():
    torch.autograd.grad(flow().sum(), parameters)


torch.save(flow().detach(), request["flow"])
answer = {"forward": measure(forward, request["repeats"])[0].tolist()}
answer["forward+backward"] = measure(both, request["repeats"])[0].tolist()
print("\n" + json.dumps(answer))
