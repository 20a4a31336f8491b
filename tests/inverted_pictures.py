"""Folders of inverted pictures, as `ganstrata invert` writes them, of codes that a test chooses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from ganstrata import Generator
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.runs.inversion_file import codes_bytes, weights_bytes
from ganstrata.core.runs.inversions import CODES, INDEX
from ganstrata.core.storage.result_folder import index_text
from torch import Tensor


def write_inverted(
    folder: Path,
    inversion: Inversion,
    names: Sequence[str],
    generator: Generator,
    *,
    seed: int = 0,
    index: Tensor | None = None,
    record: dict | None = None,
) -> Path:
    """Write a folder, and return it."""
    numbers = torch.arange(len(names)) if index is None else index
    fingerprint = generator.fingerprint
    files = {CODES: codes_bytes(inversion, numbers, names, generator=fingerprint, seed=seed)}
    for name, weights in zip(names, inversion.weights, strict=False):
        files[f"weights/{name}.safetensors"] = weights_bytes(weights, generator=fingerprint, picture=name)
    said = {"finished": True, "pictures": [{"name": name} for name in names], **(record or {})}
    for name, content in {**files, INDEX: index_text(said, files)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
