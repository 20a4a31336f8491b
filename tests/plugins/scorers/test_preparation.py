"""The size of the input of models of the transformers library, as their preparation says."""

from __future__ import annotations

import pytest
import torch
from ganstrata.plugins.shared.huggingface import Preparation


@pytest.mark.parametrize(
    ("height", "width", "shortest", "crop", "wanted"),
    [
        (512, 384, False, None, (512, 384)),
        (256, None, True, 224, (224, 224)),
        (256, None, True, None, (256, 256)),
        (None, None, False, None, None),
        (None, None, False, 96, (96, 96)),
    ],
)
def test_the_input_has_the_size_that_is_told_for_square_pictures(
    height: int | None, width: int | None, shortest: bool, crop: int | None, wanted: tuple[int, int] | None
) -> None:
    prepare = Preparation(height, width, shortest, crop, "bilinear", (0.5,) * 3, (0.5,) * 3)
    assert prepare.input_size == wanted
    made = tuple(prepare(torch.rand(1, 3, 128, 128)).shape[2:])
    assert made == (wanted or (128, 128))
