"""ProgressiveGAN and R3GAN in the files that their authors publish, with containers, settings and names."""

from __future__ import annotations

import pickle
from pathlib import Path

import ganstrata
import pytest
import torch
from checkpoint_files import hostile_source, pretending, tensorflow, tree
from ganstrata import Stream, render
from ganstrata.core.checkpoints.inspect import inspect
from generators_pggan import SETTINGS, plain, small_state, weights
from generators_r3gan import plain as plain_r3gan
from generators_r3gan import small_state as small_r3gan
from torch import Tensor, nn


class Referred(nn.Module):
    """A module that a pickle refers to by name."""


def images_of(path: Path, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What `use: auto` makes of a file, in [-1, 1], and the z it was made of."""
    generator = ganstrata.load_generator("auto", checkpoint=str(path), device="cpu")
    z = generator.sample(3, 0, 0, Stream.PROBING).z
    return render(
        generator, generator.broadcast(generator.map(z, condition)), condition=condition
    ) * 2.0 - 1.0, z


@pytest.mark.parametrize("classes", [0, 2])
@pytest.mark.parametrize("layout", ["tensorflow", "tensorflow_fused"])
def test_nvidias_pickle_of_three_networks_loads_without_running_its_source(
    layout: str, classes: int, tmp_path: Path
) -> None:
    marker = tmp_path / "run"
    variables = {name: tensor.numpy() for name, tensor in small_state(layout).items()}
    settings = SETTINGS | {"label_size": classes, "fused_scale": layout.endswith("fused")}
    path = tensorflow(
        tmp_path / "karras2018.pkl",
        variables,
        {},
        settings,
        source=hostile_source(marker),
        progressive=True,
        protocol=2,
    )
    condition = torch.tensor([1, 0, 1]) if classes else None
    images, z = images_of(path, condition)
    inputs = z if condition is None else torch.cat([z, torch.eye(2)[condition]], dim=1)
    assert (images - plain(weights(), inputs)).abs().max() < 1e-4
    facts = inspect(str(path))
    assert (facts.plugin, facts.resolution, facts.latent_size, facts.classes, facts.faults) == (
        "pggan",
        16,
        7 - classes,
        classes,
        (),
    )
    assert not marker.exists()


def test_genforces_container_holds_the_average(tmp_path: Path) -> None:
    other = {name: tensor + 1.0 for name, tensor in small_state().items()}
    discriminator = {
        f"{name}.{what}": torch.zeros(4, 4, 3, 3)
        for name in ("layer0", "layer1", "input0", "output0")
        for what in ("weight", "bias")
    }
    path = tmp_path / "pggan_bedroom256.pth"
    torch.save({"generator": other, "discriminator": discriminator, "generator_smooth": small_state()}, path)
    images, z = images_of(path)
    assert (images - plain(weights(), z)).abs().max() < 1e-4
    runner = {
        "models": {"generator": other, "generator_smooth": small_state(), "discriminator": discriminator},
        "running_metadata": {"iter": 3},
    }
    torch.save(runner, path)
    assert torch.equal(images_of(path)[0], images)


@pytest.mark.parametrize("counters", [True, False])
def test_mmgenerations_container_holds_the_average(counters: bool, tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in small_state("mmgen_ema").items() if counters or "." in name}
    torch.save(
        {"meta": {"mmgen_version": "0.7.1"}, "state_dict": state, "optimizer": {}},
        tmp_path / "pggan_celeba.pth",
    )
    images, z = images_of(tmp_path / "pggan_celeba.pth")
    assert (images - plain(weights(), z, epsilon=1e-6, outside=True)).abs().max() < 1e-4


def test_a_bare_torch_file_of_higan_loads(tmp_path: Path) -> None:
    torch.save(small_state("higan"), tmp_path / "pggan_church.pth")
    images, z = images_of(tmp_path / "pggan_church.pth")
    assert (images - plain(weights(), z)).abs().max() < 1e-4


def test_r3gans_pickle_whose_classes_are_named_and_not_loaded(tmp_path: Path) -> None:
    """Its modules are pickled by reference; only their tensors are taken."""
    state = small_r3gan(classes=4)
    other = {name: tensor + 1.0 for name, tensor in state.items()}
    with pretending(R3GAN__Networks__Generator=Referred):
        whole = {
            "G": tree(other, Referred, buffers=("Kernel",)),
            "G_ema": tree(state, Referred, buffers=("Kernel",)),
        }
        (tmp_path / "r3gan-cifar10.pkl").write_bytes(pickle.dumps(whole))
    condition = torch.tensor([3, 0, 2])
    images, z = images_of(tmp_path / "r3gan-cifar10.pkl", condition)
    assert (images - plain_r3gan(state, z, condition)).abs().max() < 1e-5


@pytest.mark.parametrize("average", ["generator_ema.", "generator_ema.module.", "ema.module.", "g_ema."])
@pytest.mark.parametrize("layout", ["mmgen", "mmgen_fused", "genforce", "higan"])
@pytest.mark.parametrize("wrapped", [True, False])
def test_the_average_beside_the_weights_of_training_is_used(
    layout: str, average: str, wrapped: bool, tmp_path: Path
) -> None:
    """MMGeneration and MMagic keep both under prefixes of one state dict."""
    averaged = {name.removeprefix("generator."): tensor for name, tensor in small_state(layout).items()}
    state = {
        **{f"generator.{name}": torch.randn_like(tensor) for name, tensor in averaged.items()},
        "discriminator.decision.linear1.weight_orig": torch.zeros(2, 3),
        **{f"{average}{name}": tensor for name, tensor in averaged.items()},
    }
    path = tmp_path / "latest.pth"
    torch.save({"meta": {}, "state_dict": state} if wrapped else state, path)
    images, z = images_of(path)
    alone = tmp_path / "alone.pth"
    torch.save(averaged, alone)
    assert torch.equal(images, images_of(alone)[0])
    assert len(z) == len(images)
