"""Pretraining without labels: a history encoder learns to reconstruct masked forcing and attributes.

Patches of the history are masked as by Nie et al. (2023, arXiv:2211.14730, section 3.2) and attributes one by one, as words
by Devlin et al. (2019, doi:10.18653/v1/N19-1423). The loss is the mean squared error of the masked parts only; discharge is
not used. A tenth of the units is held out to measure reconstruction at unseen units.
"""

import math
import sys

import torch
from torch import nn
from tqdm import tqdm

from thalweg.basin.domain import DataError
from thalweg.learn import optimisers

MASKED_PATCHES = 0.4  # share of a unit's patches
MASKED_ATTRIBUTES = 0.3  # probability of each attribute
HELD_OUT = 0.1  # share of the units
UNITS_PER_STEP = 64
LEARNING_RATE = 1e-3  # of Adam, falling to 0 on a cosine
REPORTS = 10  # number of evaluations at the held-out units


class Reconstruction(nn.Module):
    """An encoder with learned values for masked parts, and linear heads that reconstruct them.

    Args:
        encoder: the :class:`~thalweg.learn.encoders.HistoryEncoder`.
    """

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        width, patch_inputs, attributes = (
            encoder.patch.out_features,
            encoder.patch.in_features,
            encoder.attributes.in_features,
        )
        self.masked_attributes = nn.Parameter(torch.zeros(attributes))
        self.masked_patch = nn.Parameter(torch.zeros(patch_inputs))
        self.attributes = nn.Linear(width, attributes)
        self.patch = nn.Linear(width, patch_inputs)

    def forward(self, attributes, history, masks):
        """Attributes (unit, attribute) and history (unit, patch, value) after applying the masks of :func:`draw_masks`."""
        masked_attributes, masked_patches = masks
        states = self.encoder(
            torch.where(masked_attributes, self.masked_attributes, attributes),
            torch.where(masked_patches[..., None], self.masked_patch, history),
        )
        return self.attributes(states[:, 0]), self.patch(states[:, 1:])


def draw_masks(units, attributes, patches, generator):
    """Random masks, True where hidden: (unit, attribute), and (unit, patch) with the same number of patches for every unit."""
    rank = torch.rand(units, patches, generator=generator).argsort(dim=1)
    masked_attributes = torch.rand(units, attributes, generator=generator) < MASKED_ATTRIBUTES
    return masked_attributes, rank < round(MASKED_PATCHES * patches)


def errors(given, true, masks):
    """Mean squared errors of the masked attributes and of the masked patches: two tensors ()."""
    masked_attributes, masked_patches = masks
    attributes = torch.where(masked_attributes, given[0] - true[0], 0.0).square().sum()
    patches = torch.where(masked_patches[..., None], given[1] - true[1], 0.0).square().mean(-1).sum()
    return attributes / masked_attributes.sum().clamp(min=1), patches / masked_patches.sum().clamp(min=1)


def pretrain(encoder, attributes, history, steps, seed, label=""):
    """Pretrain an encoder in place. The global random generator is left unchanged.

    Args:
        encoder: the :class:`~thalweg.learn.encoders.HistoryEncoder`.
        attributes, history: scaled, of every unit: tensors (unit, attribute), (unit, patch, value).
        steps: of Adam.
        seed: seeds heads, masks, dropout and the choice of units.
        label: for the progress bar.

    Returns:
        list of dicts: ``step``; ``attributes`` and ``patches``, the errors at masked parts of held-out units as shares of
        those of the training units' mean. 1 means that nothing transferable was learned.

    Raises:
        DataError: for fewer than two units.
    """
    if len(attributes) < 2:
        raise DataError(
            f"pretraining needs at least two units, one of them held out; there is {len(attributes)}: set pretrain_steps: 0"
        )
    device = attributes.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        return _pretrain(encoder, attributes, history, steps, torch.Generator().manual_seed(seed), label)


def _pretrain(encoder, attributes, history, steps, generator, label):
    device = attributes.device
    model = Reconstruction(encoder).to(device)
    optimiser = optimisers.Adam(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    order = torch.randperm(len(attributes), generator=generator)
    held_out, seen = order.tensor_split([max(1, round(HELD_OUT * len(order)))])
    held_out = held_out.repeat(math.ceil(UNITS_PER_STEP / len(held_out)))  # few units are evaluated with many masks

    def masks(units):
        drawn = draw_masks(len(units), attributes.shape[1], history.shape[1], generator)
        return [mask.to(device) for mask in drawn]

    held_out_masks, log = masks(held_out), []
    truth = attributes[held_out], history[held_out]
    baseline = errors((attributes[seen].mean(0), history[seen].mean((0, 1))), truth, held_out_masks)
    bar = tqdm(total=steps, desc=f"{label} pretraining", unit="step", mininterval=5, file=sys.stderr)
    for step in range(1, steps + 1):
        units = seen[torch.randperm(len(seen), generator=generator)[:UNITS_PER_STEP]]
        chosen, hidden = (attributes[units], history[units]), masks(units)
        model.train()
        loss = sum(errors(model(*chosen, hidden), chosen, hidden))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        bar.update()
        if step % max(1, steps // REPORTS) == 0 or step == steps:
            model.eval()
            with torch.no_grad():
                found = errors(model(*truth, held_out_masks), truth, held_out_masks)
            shares = [(error / mean).item() for error, mean in zip(found, baseline)]
            log.append({"step": step, "attributes": shares[0], "patches": shares[1]})
            bar.set_postfix_str(f"of the mean's error: attributes {shares[0]:.3f}, forcing {shares[1]:.3f}")
    bar.close()
    return log
