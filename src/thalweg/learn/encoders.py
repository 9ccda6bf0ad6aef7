"""A transformer from a unit's forcing history and attributes to parameters.

Patches of the history become tokens (PatchTST; Nie et al. 2023, arXiv:2211.14730), in layers that normalise before
attention (Xiong et al. 2020, arXiv:2002.04745). Unlike PatchTST, variables share a patch and are scaled over units, not each
series by itself: how wet and warm a unit is matters. The attributes are one more token, whose state at the end is the embedding.
"""

import torch
from torch import nn

from thalweg.basin.domain import DataError

HEADS = 4
WIDENING = 2  # width of the feed-forward layers over that of the tokens
POSITION_DEVIATION = 0.02  # of learned positions before training


class HistoryEncoder(nn.Module):
    """Forcing history and attributes to states of tokens.

    Args:
        patches, patch_inputs: number of patches of a history, and of values in each.
        attributes: number of attributes.
        width, layers, dropout: of the transformer; the width is a multiple of 4.
    """

    def __init__(self, patches, patch_inputs, attributes, width, layers, dropout=0.0):
        super().__init__()
        if patches < 1:
            raise DataError("the training period is too short for a patch of history; use network: attributes")
        self.patch = nn.Linear(patch_inputs, width)
        self.attributes = nn.Linear(attributes, width)
        self.position = nn.Parameter(POSITION_DEVIATION * torch.randn(1 + patches, width))
        layer = nn.TransformerEncoderLayer(
            width, HEADS, WIDENING * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        for weight in self.layers.parameters():  # torch copies the first layer's
            if weight.ndim == 2:
                nn.init.xavier_uniform_(weight)

    def forward(self, attributes, history):
        """States (unit, token, width) from scaled attributes (unit, attribute) and history (unit, patch, value).

        The first token is that of the attributes; those of the patches follow.
        """
        tokens = torch.cat([self.attributes(attributes)[:, None], self.patch(history)], dim=1)
        return self.layers(tokens + self.position)


class ParameterTransformer(nn.Module):
    """A :class:`HistoryEncoder` and a linear head: attributes and history to (unit, outputs).

    Args:
        outputs: number of values per unit.
        settings: arguments of :class:`HistoryEncoder`.
    """

    def __init__(self, outputs, patches, patch_inputs, attributes, width, layers, dropout=0.0):
        super().__init__()
        self.encoder = HistoryEncoder(patches, patch_inputs, attributes, width, layers, dropout)
        self.head = nn.Linear(width, outputs)

    def forward(self, attributes, history):
        return self.head(self.encoder(attributes, history)[:, 0])
