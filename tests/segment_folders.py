"""A small segmentation folder, trained by the command, for tests that paint on pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

CONFIG = """
generator: {use: fake_layers}
teacher: {use: fake_regions}
training: {images: 200, batch_size: 16, learning_rate: 0.05}
checks: false
device: cpu
"""
Invoke = Callable[..., Result]


def trained(invoke: Invoke, folder: Path) -> Path:
    """Train a segmentation of the fake generator in `folder`/seg."""
    (folder / "segment.yaml").write_text(CONFIG, encoding="utf-8")
    result = invoke("segment", "train", folder / "segment.yaml", "--out", folder / "seg", "--quiet")
    assert result.exit_code == 0, result.stderr
    return folder / "seg"
