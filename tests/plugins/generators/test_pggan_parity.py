"""The same numbers as GenForce's and HiGAN's ProgressiveGAN, on random weights in their own layouts.

`tests/data/pggan_*` hold two small references; with GANSTRATA_PARITY naming a folder of references,
every one of this family in it is tested.
"""

from __future__ import annotations

from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Generator, Pass, render
from reference_numbers import DATA, PARITY, tensor
from safetensors.torch import load_file, save_file
from torch import Tensor

NAMES = ("pggan_higan_32", "pggan_genforce_32")


def load(path: Path) -> Generator:
    return ganstrata.load_generator("pggan", checkpoint=str(path), device="cpu")


def rendered(generator: Generator, z: Tensor) -> Tensor:
    """In the reference's own [-1, 1]."""
    return render(generator, generator.broadcast(generator.map(z))) * 2.0 - 1.0


@pytest.mark.parametrize("name", NAMES)
def test_images_and_features_are_those_of_the_reference(name: str) -> None:
    generator, z = load(DATA / f"{name}.safetensors"), tensor(name, "z")
    assert generator.space == "z"
    assert (rendered(generator, z) - tensor(name, "image")).abs().max() < 1e-4
    wanted = [s for s, stratum in enumerate(generator.strata) if stratum.is_feature]
    features = Pass(generator, generator.broadcast(z), features=wanted).rendering.features
    assert len(wanted) == 8
    for s in wanted:
        expected = tensor(name, f"feat.{generator.strata[s].name}")
        assert features[s][:1].shape == expected.shape
        assert (features[s][:1] - expected).abs().max() < 1e-4


def test_the_network_undoes_the_preprocessing_of_the_reference() -> None:
    """The raw z leads to the same picture.

    HiGAN gives z the length sqrt(Z) before the network, which normalises it again.
    """
    generator, raw = load(DATA / "pggan_higan_32.safetensors"), tensor("pggan_higan_32", "z_raw")
    processed = raw / raw.norm(dim=1, keepdim=True) * raw.shape[1] ** 0.5
    assert (processed - tensor("pggan_higan_32", "z")).abs().max() < 1e-5
    assert (rendered(generator, raw) - tensor("pggan_higan_32", "image")).abs().max() < 1e-4


@pytest.mark.parametrize("lod", [0.3, 1.0])
def test_images_between_levels_of_detail_are_those_of_the_reference(lod: float, tmp_path: Path) -> None:
    """A checkpoint of a network that is still growing: whole levels left out, or two outputs blended."""
    name = "pggan_genforce_32"
    tensors = load_file(DATA / f"{name}.safetensors") | {"lod": torch.tensor(lod)}
    save_file(tensors, tmp_path / "growing.safetensors")
    generator = load(tmp_path / "growing.safetensors")
    assert generator.card.resolution == 32
    assert [s.name for s in generator.strata if not s.is_feature] == (
        ["output2", "output3"] if lod < 1.0 else ["output2"]
    )
    assert (rendered(generator, tensor(name, "z")) - tensor(name, f"image_lod{lod:g}")).abs().max() < 1e-4


def test_factorisation_as_sefa_does_it() -> None:
    """Its matrix, its directions, and its edits of the normalised z."""
    name = "pggan_genforce_32"
    generator, codes = load(DATA / f"{name}.safetensors"), tensor(name, "sefa_codes")
    weights = generator.style_weights(0)
    assert weights is not None
    assert weights.shape == (16 * 16, 16)
    assert all(generator.style_weights(s) is None for s in range(1, len(generator.strata)))
    rows = weights / weights.norm(dim=1, keepdim=True)
    values, vectors = torch.linalg.eigh(rows.double().t() @ rows.double())
    expected = tensor(name, "sefa_eigenvalues")
    assert ((values.flip(0) - expected) / expected).abs().max() < 1e-4
    directions = tensor(name, "sefa_directions")
    assert ((vectors.flip(1).t()[:3] * directions[:3].double()).sum(dim=1).abs() > 1.0 - 1e-4).all()
    for distance, images in zip((-2.0, 3.0), tensor(name, "sefa_images"), strict=True):
        edited = render(generator, (codes + distance * directions[0])[:, None]) * 2.0 - 1.0
        assert (edited - images).abs().max() < 1e-4


def test_style_weights_are_what_the_first_layer_does_to_the_normalised_z() -> None:
    generator, z = load(DATA / "pggan_higan_32.safetensors"), tensor("pggan_higan_32", "z")
    bias = load_file(DATA / "pggan_higan_32.safetensors")["layer0.wscale.bias"]
    weights = generator.style_weights(0)
    assert weights is not None
    before = (torch.nn.functional.rms_norm(z, (16,), eps=1e-8) @ weights.t()).view(4, 16, 4, 4) + bias[
        :, None, None
    ]
    wanted = torch.where(before > 0.0, before, 0.2 * before)[:1]
    assert (wanted - tensor("pggan_higan_32", "feat.layer0")).abs().max() < 1e-5


@pytest.mark.skipif(PARITY is None, reason="GANSTRATA_PARITY names no folder of references")
@pytest.mark.parametrize("folder", ["higan_pggan_32", "higan_pggan_128", "genforce_pggan_32"])
def test_every_reference_in_a_folder_is_reproduced(folder: str) -> None:
    at = Path(str(PARITY)) / folder
    generator = load(at / "state.safetensors")
    with np.load(at / "inputs.npz") as inputs, np.load(at / "outputs.npz") as outputs:
        z, image = torch.from_numpy(inputs["z"]), torch.from_numpy(outputs["image"])
        statistics = {
            key.removeprefix("featstat."): torch.from_numpy(outputs[key])
            for key in outputs
            if key.startswith("featstat.layer")
        }
    assert (rendered(generator, z) - image).abs().max() < 1e-4
    names = {stratum.name: s for s, stratum in enumerate(generator.strata)}
    features = Pass(
        generator, generator.broadcast(z), features=[names[name] for name in statistics]
    ).rendering.features
    for name, expected in statistics.items():
        x = features[names[name]].flatten(2)
        assert (torch.stack([x.mean(dim=2), x.std(dim=2)], dim=2) - expected).abs().max() < 1e-4
