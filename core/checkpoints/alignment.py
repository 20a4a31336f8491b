"""Align tensors in memory, so that results do not depend on the file that the tensors came from.

The order in which a matrix product is summed may depend on the address and the layout of its operands.
A tensor that is a view of a file, or of a storage that several tensors share, may begin at any address.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

ALIGNMENT = 64  # bytes; torch allocates its own tensors at multiples of this


def aligned(tensors: Mapping[str, Tensor], copies: dict[int, Tensor]) -> dict[str, Tensor]:
    """Return the same tensors, each contiguous and aligned as torch would align it; copy only where needed.

    Args:
        tensors: tensors by name.
        copies: earlier copies, by the `id` of the original, so that no tensor is copied twice. The originals
            must still be alive. New copies are added.
    """
    for tensor in tensors.values():
        if id(tensor) not in copies and not (tensor.is_contiguous() and tensor.data_ptr() % ALIGNMENT == 0):
            copies[id(tensor)] = tensor.clone(memory_format=torch.contiguous_format)
    return {name: copies.get(id(tensor), tensor) for name, tensor in tensors.items()}
