"""StyleGAN2 in the files in which it is handed round: every container gives the network's own images."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from checkpoint_files import nvidia, tensorflow
from ganstrata import Generator, Stream, render
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.checkpoints.convert import convert
from ganstrata.core.checkpoints.detect import choose
from generators_stylegan2 import random_state, small_state, stored
from safetensors.torch import save_file
from torch import Tensor

STATE = random_state()
MINUS = {
    name: -t for name, t in STATE.items()
}  # stands for the weights that training ended with, beside their average
ENCODER = {"body.0.weight": torch.zeros(4, 3, 3, 3), "styles.0.linear.weight": torch.zeros(5, 5)}
CRITIC = {"convs.0.0.weight": torch.zeros(4, 3, 1, 1), "final_linear.0.weight": torch.zeros(1, 4)}


def load(path: Path, **config: Any) -> Generator:
    return ganstrata.load_generator("stylegan2", checkpoint=str(path), device="cpu", **config)


def images_of(generator: Generator) -> Tensor:
    latents = generator.sample(2, 0, 0, Stream.PROBING)
    return render(generator, generator.broadcast(generator.map(latents.z, latents.condition)))


def numbers(state: dict[str, Tensor]) -> dict[str, Any]:
    return {name: t.numpy() for name, t in state.items()}


def nvidia_pickle(path: Path) -> None:
    nvidia(
        path,
        STATE,
        {"z_dim": 7, "c_dim": 0, "w_dim": 5, "synthesis_kwargs": {"num_fp16_res": 2, "conv_clamp": None}},
    )


def tensorflow_triple(path: Path) -> None:
    variables = numbers(stored(STATE, "tensorflow"))
    mapping = {name: v for name, v in variables.items() if name.startswith("Dense")}
    synthesis = {name: v for name, v in variables.items() if "x" in name or name.startswith("noise")}
    outer = {"dlatent_avg": variables["dlatent_avg"], "lod": torch.zeros([]).numpy()}
    settings = {
        "resolution": 16,
        "num_channels": 3,
        "label_size": 0,
        "resample_kernel": [1, 3, 3, 1],
        "truncation_psi": 0.5,
    }
    tensorflow(path, outer, {"mapping": mapping, "synthesis": synthesis}, settings)


def genforce(path: Path) -> None:
    both = {
        "generator": stored(MINUS, "genforce"),
        "discriminator": CRITIC,
        "generator_smooth": stored(STATE, "genforce"),
    }
    torch.save(both, path)


def genforce_run(path: Path) -> None:
    models = {
        "discriminator": CRITIC,
        "generator": stored(MINUS, "genforce"),
        "generator_smooth": stored(STATE, "genforce"),
    }
    torch.save(
        {"models": models, "running_metadata": {"iter": 5}, "optimizers": {"generator": {"state": {}}}}, path
    )


def rosinality(path: Path) -> None:
    """With the Namespace that `weights_only` refuses."""
    ours, other = stored(STATE, "rosinality"), stored(MINUS, "rosinality")
    mean = ours.pop("latent_avg")
    other.pop("latent_avg")
    torch.save(
        {
            "g": other,
            "d": CRITIC,
            "g_ema": ours,
            "latent_avg": mean,
            "args": argparse.Namespace(size=16, latent=5),
            "ada_aug_p": 0.1,
        },
        path,
    )


def encoder(path: Path) -> None:
    """The generator that comes with an encoder of photographs; the mean w has a row for each layer."""
    ours = stored(STATE, "rosinality")
    mean = ours.pop("latent_avg")
    state = {
        **{f"encoder.{name}": t for name, t in ENCODER.items()},
        **{f"decoder.{name}": t for name, t in ours.items()},
    }
    torch.save(
        {
            "state_dict": OrderedDict(state),
            "latent_avg": mean.expand(6, 5).clone(),
            "opts": {"output_size": 16},
        },
        path,
    )


def mmgeneration(path: Path) -> None:
    ours, other = stored(STATE, "mmgeneration"), stored(MINUS, "mmgeneration")
    for state in (ours, other):
        state.pop("latent_avg")
    parts = {"generator": other, "discriminator": CRITIC, "generator_ema": ours}
    torch.save(
        {
            "meta": {"iter": 5},
            "state_dict": {f"{part}.{name}": t for part, state in parts.items() for name, t in state.items()},
        },
        path,
    )


def mmagic(path: Path) -> None:
    ours, other = stored(STATE, "mmgeneration"), stored(MINUS, "mmgeneration")
    for state in (ours, other):
        state.pop("latent_avg")
    state = {f"generator.{name}": t for name, t in other.items()} | {
        f"generator_ema.module.{name}": t for name, t in ours.items()
    }
    torch.save({"meta": {}, "state_dict": {**state, "generator_ema.steps": torch.tensor(7)}}, path)


def higan(path: Path) -> None:
    torch.save(stored(STATE, "higan"), path)


CONTAINERS = (
    nvidia_pickle,
    tensorflow_triple,
    genforce,
    genforce_run,
    rosinality,
    encoder,
    mmgeneration,
    mmagic,
    higan,
)


@pytest.mark.parametrize("write", CONTAINERS)
def test_every_container_gives_the_averaged_network(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "it.bin")
    save_file(STATE, tmp_path / "plain.safetensors")
    best = choose(read_checkpoint(tmp_path / "it.bin"))
    assert best.plugin == "stylegan2"
    psi = 1.0 if write in (mmgeneration, mmagic) else 0.6  # these store no mean w
    generator = load(tmp_path / "it.bin", truncation_psi=psi)
    assert (
        images_of(generator) - images_of(load(tmp_path / "plain.safetensors", truncation_psi=psi))
    ).abs().max() < 1e-5


@pytest.mark.parametrize("write", CONTAINERS)
def test_every_container_is_converted_without_a_change(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "it.bin")
    convert(str(tmp_path / "it.bin"), tmp_path / "out.safetensors")
    old, new = (load(tmp_path / name, truncation_psi=0.6) for name in ("it.bin", "out.safetensors"))
    assert torch.equal(images_of(old), images_of(new))
    assert old.fingerprint == new.fingerprint


def test_constructor_arguments_reach_the_network(tmp_path: Path) -> None:
    state = small_state(classes=3)
    nvidia(
        tmp_path / "a.pkl",
        state,
        {
            "z_dim": 7,
            "c_dim": 3,
            "mapping_kwargs": {"lr_multiplier": 0.02},
            "synthesis_kwargs": {"conv_clamp": 0.5},
        },
    )
    generator = load(tmp_path / "a.pkl")
    assert generator.architecture.clamp == 0.5  # type: ignore[attr-defined]
    assert generator.architecture.lr_multiplier == 0.02  # type: ignore[attr-defined]
    assert generator.sample(4, 0, 0, Stream.PROBING).condition is not None
