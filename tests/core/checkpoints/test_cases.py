"""Files built after public reports, where GANSTRATA_CASES names their folder: read, or refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import render
from ganstrata.core.checkpoints.inspect import inspect
from ganstrata.core.errors import CheckpointError

CASES = Path(os.environ.get("GANSTRATA_CASES", ""))
pytestmark = pytest.mark.skipif(
    "GANSTRATA_CASES" not in os.environ, reason="GANSTRATA_CASES names no folder of cases"
)


@pytest.mark.parametrize(
    ("file", "pictures"),
    [
        ("r10_asym.pt", "nv_asym"),
        ("r13_model_generator.ckpt", "nv_plain"),
        ("r15_D_clip.pkl", "nv_plain"),
        ("r15_D_torchvision.pkl", "nv_plain"),
        ("r15_sg3_dill.pkl", "sg3_t32"),
    ],
)
def test_pictures_are_those_of_the_reference(file: str, pictures: str) -> None:
    generator = ganstrata.load_generator("auto", checkpoint=str(CASES / "checkpoints" / file), device="cpu")
    with np.load(CASES / "reference" / f"{pictures}.npz") as reference:
        z, wanted = (torch.from_numpy(reference[key]) for key in ("z", "images"))
    images = render(generator, generator.broadcast(generator.map(z.float())))
    assert (images * 2.0 - 1.0 - wanted).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("r11_G_optim.pth", "an optimiser's state"),
        ("r20_quota.pkl", "the download has failed"),
        ("r36_data.pkl", "the index without the tensors"),
    ],
)
def test_bad_files_get_what_to_give_instead(file: str, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        inspect(str(CASES / "checkpoints" / file))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("f19_ganformer.pt", "GANformer is not supported"),
        ("f19_semantic.pt", "SemanticStyleGAN is not supported"),
        ("f19_styleswin.pt", "StyleSwin is not supported"),
    ],
)
def test_families_out_of_reach_are_named(file: str, words: str) -> None:
    (fault,) = inspect(str(CASES / "checkpoints" / file)).faults
    assert words in fault
