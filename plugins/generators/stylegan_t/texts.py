"""Read text embeddings, which stand in for the text encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....core.checkpoints import read_values
from ....core.errors import DataError
from ....core.interchange.arrays import as_array, describe

NONE = (
    "no text embedding is configured (config: text): zeros are used, which no text has; the authors' code "
    "demands a text"
)
TOLERANCE = 0.01  # of the length of an embedding, which is 1


def read_texts(path: Path, width: int) -> Tensor:
    """Read text embeddings (Y, T) in float32 from a file of one array, (T,) or (Y, T).

    Args:
        path: path of the file, in any format that read_values() reads.
        width: T, as the network has it.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or of another format.
        DataError: it does not hold such embeddings.
    """
    content = read_values(path).content
    if isinstance(content, dict) and len(content) == 1:
        (content,) = content.values()
    array = as_array(content)
    if array is None or array.ndim not in (1, 2) or array.shape[-1] != width or array.size == 0:
        raise DataError(
            f"text: {path} holds {describe(content)}; expected one text embedding of {width} numbers, "
            f"({width},), or several, (N, {width})"
        )
    texts = torch.from_numpy(np.asarray(array, dtype=np.float64)).float().reshape(-1, width)
    if not bool(torch.isfinite(texts).all()):
        raise DataError(f"text: {path} holds values that are not finite numbers")
    return texts


def assumptions(texts: Tensor | None) -> tuple[str, ...]:
    """Return sentences on text embeddings (Y, T) that the network has not been trained with.

    >>> assumptions(torch.tensor([[0.6, 0.8], [3.0, 4.0]]))
    ('text embeddings are used as given, of lengths 1 to 5; the authors divide theirs by their length',)
    """
    if texts is None:
        return (NONE,)
    lengths = texts.norm(dim=1)
    if bool(((lengths - 1.0).abs() <= TOLERANCE).all()):
        return ()
    return (
        f"text embeddings are used as given, of lengths {float(lengths.min()):.3g} to "
        f"{float(lengths.max()):.3g}; the authors divide theirs by their length",
    )
