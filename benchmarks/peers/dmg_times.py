"""Times of dmg with hydrodl2: run by ``training.py`` in an environment that has them, not by hand.

dmg's differentiable-parameter model joins its LSTM, over forcing and attributes of every day with all parameters as
its outputs, to hydrodl2's Hbv_1_1p, which takes static parameters from the last day. Its criterion is the loss. The
step is that of its trainer, without loggers and files.
"""

import json
import sys

import torch
from dmg.models.delta_models.dpl_model import DplModel
from dmg.models.neural_networks.lstm import LstmModel

from dmg.core.utils.factory import load_criterion  # isort: skip (dmg's modules import each other in a circle)
from hydrodl2.models.hbv.hbv_1_1p import Hbv_1_1p
from timing import measure

request = json.load(sys.stdin)
torch.set_num_threads(request["threads"])
torch.manual_seed(0)
inputs = torch.load(request["inputs"])
spin_up, days = request["spin_up"], request["spin_up"] + request["window"]
forcing, observed = inputs["forcing"], inputs["observed"]
units = forcing.shape[1]
settings = {
    "warmup": spin_up,
    "nmul": request["components"],
    "dynamic_params": {"Hbv_1_1p": [f"par{name}" for name in request["daily"]]},
}
process = Hbv_1_1p(settings, device=torch.device("cpu"))
features = forcing.shape[-1] + inputs["attributes"].shape[-1]
network = LstmModel(nx=features, ny=process.learnable_param_count, hidden_size=request["hidden"], dr=0.0)
model = DplModel(phy_model=process, nn_model=network, device="cpu")
criterion = load_criterion(observed[:, :, None].numpy(), {"name": "NseBatchLoss"}, device="cpu")
optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
losses = []


def draw(start):
    """The window that begins on a day, as the model takes it, and its observations."""
    attributes = inputs["attributes"].expand(days, -1, -1)
    features = torch.cat([inputs["sequence"][start : start + days], attributes], dim=-1)
    window = {"xc_nn_norm": features, "x_phy": forcing[start : start + days]}
    return window, observed[start + spin_up : start + days, :, None]


def epoch():
    for start in request["starts"]:
        window, target = draw(start)
        flow = model(window)["streamflow"]
        loss = criterion(flow, target, sample_ids=torch.arange(units).numpy())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())


window, _ = draw(request["starts"][0])
raw = network(window["xc_nn_norm"]).detach().requires_grad_()


def network_alone():
    network(window["xc_nn_norm"]).sum().backward()


def process_alone():
    torch.autograd.grad(process(window, raw)["streamflow"].sum(), raw)


repeats = request["repeats"]
answer = {name: measure(f, repeats)[0].tolist() for name, f in (("network", network_alone), ("process", process_alone))}
answer["epoch"] = measure(epoch, repeats)[0].tolist()
answer["losses"] = losses
print("\n" + json.dumps(answer))
