"""Where the numbers of a tensor lie in memory, which must not depend on the file that they came from.

Matrix products sum in an order that may depend on where their operands begin and on how they are laid out. A tensor that
looks into a file, or into numbers that many tensors share, begins anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

ALIGNMENT = 64  # bytes; torch begins the tensors that it makes itself at multiples of this


def aligned(tensors: Mapping[str, Tensor], copies: dict[int, Tensor]) -> dict[str, Tensor]:
    """The same tensors, each contiguous and beginning where torch would have begun it; those that do not are copied.

    Args:
        tensors: by name.
        copies: what was copied before, by the `id` of a tensor that is still held, so that none is copied twice; added to.
    """
    for tensor in tensors.values():
        if id(tensor) not in copies and not (tensor.is_contiguous() and tensor.data_ptr() % ALIGNMENT == 0):
            copies[id(tensor)] = tensor.clone(memory_format=torch.contiguous_format)
    return {name: copies.get(id(tensor), tensor) for name, tensor in tensors.items()}
