"""Embed classes by the features of a pretrained classifier, as StyleGAN-XL does."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..shared.mapping import GAIN, LEAK, FullyConnected


class ClassTable(nn.Module):
    """Look up the features of a class, and project them.

    The table is stored whole. Its first Y rows are those of the network's classes: StyleGAN-XL stores 1000
    rows with every network, also with one of 10 classes.

    Source: Sauer et al. 2022, "StyleGAN-XL: Scaling StyleGAN to Large Diverse Datasets", section 3.

    Args:
        classes: number of classes Y.
        rows: number of rows R of the table, Y or more.
        features: width F of a row.
        outputs: width E of the projection.
    """

    def __init__(self, classes: int, rows: int, features: int, outputs: int) -> None:
        super().__init__()
        self.classes = classes
        self.weight = nn.Parameter(torch.randn(rows, features))
        self.proj = FullyConnected(features, outputs)

    def forward(self, condition: Tensor) -> Tensor:
        """Map class weights (N, Y) to (N, E); weights other than 0 and 1 mix the features of classes."""
        features = condition @ self.weight[: self.classes]  # (N, F)
        return F.leaky_relu(self.proj(features), LEAK) * GAIN
