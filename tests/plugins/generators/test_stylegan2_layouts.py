"""One small random StyleGAN2 in every layout gives the same images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Generator, Stream, render
from ganstrata.core.checkpoints import Part
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.stylegan2.generator import StyleGAN2
from ganstrata.plugins.generators.stylegan2.layouts import LAYOUTS as TABLES
from generators_stylegan2 import LAYOUTS, random_state, small_state, stored
from safetensors.torch import save_file
from torch import Tensor

PEERS = [layout for layout in LAYOUTS if layout != "nvidia"]


def load(
    folder: Path, tensors: dict[str, Tensor], settings: dict[str, Any] | None = None, **config: Any
) -> Generator:
    path = folder / f"{len(list(folder.iterdir()))}.safetensors"
    save_file(tensors, path, metadata={"ganstrata": json.dumps(settings or {})})
    return ganstrata.load_generator("stylegan2", checkpoint=str(path), device="cpu", **config)


def images_of(generator: Generator, n: int = 2) -> Tensor:
    latents = generator.sample(n, 0, 0, Stream.PROBING)
    return render(
        generator, generator.broadcast(generator.map(latents.z, latents.condition)), index=latents.index
    )


SIZES: list[dict[str, Any]] = [
    {},
    {"channels": {4: 3, 8: 7}, "z_dim": 4, "w_dim": 9, "mapping_layers": 1, "mapping_width": None},
    {"channels": {4: 8, 8: 8, 16: 8, 32: 4, 64: 2}, "mapping_layers": 2, "z_dim": 9},
]
CONFIGS: list[dict[str, Any]] = [{}, {"truncation_psi": 0.6, "truncation_layers": 3}, {"noise": "none"}]


@pytest.mark.parametrize("layout", PEERS)
@pytest.mark.parametrize(
    ("sizes", "config"),
    [
        *((sizes, {}) for sizes in SIZES),
        *((SIZES[0], config) for config in CONFIGS[1:]),
        *(
            pytest.param(sizes, config, marks=pytest.mark.full)
            for sizes in SIZES[1:]
            for config in CONFIGS[1:]
        ),
    ],
)
def test_every_layout_gives_the_same_images(
    layout: str, sizes: dict[str, Any], config: dict[str, Any], tmp_path: Path
) -> None:
    state = random_state(**sizes)
    ours, theirs = load(tmp_path, state, **config), load(tmp_path, stored(state, layout), **config)
    assert theirs.card.layers == ours.card.layers
    assert (images_of(ours) - images_of(theirs)).abs().max() < 1e-5


@pytest.mark.parametrize("layout", ["genforce", "tensorflow"])
@pytest.mark.parametrize("embedding", [0, 4])
def test_classes_joined_or_embedded_give_the_same_images_in_every_layout(
    layout: str, embedding: int, tmp_path: Path
) -> None:
    """Joined to z before it is normalised (width 0), or embedded and normalised for themselves."""
    state = random_state(classes=3, embedding=embedding)
    ours, theirs = load(tmp_path, state), load(tmp_path, stored(state, layout))
    assert set(theirs.sample(30, 0, 0, Stream.PROBING).condition.tolist()) == {0, 1, 2}  # type: ignore[union-attr]
    assert (images_of(ours, 4) - images_of(theirs, 4)).abs().max() < 1e-5


def test_joined_classes_are_normalised_together_with_z(tmp_path: Path) -> None:
    state = random_state(classes=3, embedding=0, mapping_layers=1, mapping_width=None)
    generator = load(tmp_path, state)
    z, label = torch.randn(2, 7), torch.tensor([2, 0])
    x = torch.cat([z, state["mapping.label_weight"][label]], dim=1)
    x = x / x.square().mean(dim=1, keepdim=True).sqrt()
    x = x @ (state["mapping.fc0.weight"] * 0.01 / 14**0.5).t() + 0.01 * state["mapping.fc0.bias"]
    assert torch.allclose(generator.map(z, label), torch.where(x > 0, x, 0.2 * x) * 2**0.5, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_is_of_one_layout_only(layout: str) -> None:
    tensors = small_state(layout)
    assert sum(table.fits(tensors) for table in TABLES) == 1
    assert StyleGAN2.recognise({name: tuple(t.shape) for name, t in tensors.items()}, {}) is not None


def test_tensorflow_names_may_begin_with_their_component(tmp_path: Path) -> None:
    plain = small_state("tensorflow")
    full = {
        (
            name
            if name == "dlatent_avg"
            else f"{'mapping' if name.startswith('Dense') else 'synthesis'}/{name}"
        ): t
        for name, t in plain.items()
    }
    full["synthesis/lod"] = torch.zeros([])
    assert torch.equal(images_of(load(tmp_path, plain)), images_of(load(tmp_path, full)))


def test_names_of_an_averaging_wrapper_are_read(tmp_path: Path) -> None:
    plain = small_state("mmgeneration")
    wrapped = {name if name == "latent_avg" else f"module.{name}": t for name, t in plain.items()} | {
        "steps": torch.zeros([])
    }
    assert torch.equal(images_of(load(tmp_path, plain)), images_of(load(tmp_path, wrapped)))


def test_what_higan_rebuilds_at_loading_is_ignored(tmp_path: Path) -> None:
    tensors = small_state("higan")
    psi = {"truncation.truncation": torch.full((1, 6, 1), 0.5)}
    assert torch.equal(images_of(load(tmp_path, tensors)), images_of(load(tmp_path, {**tensors, **psi})))


@pytest.mark.parametrize("layout", ["rosinality", "mmgeneration"])
def test_a_missing_mean_w_is_estimated_from_a_sample(layout: str, tmp_path: Path) -> None:
    tensors = small_state(layout)
    del tensors["latent_avg"]
    codes = [load(tmp_path, tensors, truncation_psi=0.0).broadcast(torch.randn(2, 5)) for _ in range(2)]
    plain = load(tmp_path, tensors)
    w = plain.map(torch.randn(40_000, 7, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(*codes)
    assert torch.equal(codes[0], codes[0][:1, :1].expand(2, 6, 5))
    assert (codes[0][0, 0] - w.mean(dim=0)).abs().max() < 5.0 * float(w.std(dim=0).max()) / 10_000**0.5
    some = torch.randn(3, 5)
    assert torch.equal(plain.broadcast(some), some[:, None].expand(3, 6, 5))


def test_a_mean_w_of_each_layer_truncates_its_layer(tmp_path: Path) -> None:
    """Encoders of photographs store it so, with equal rows or not."""
    tensors, w = small_state("rosinality"), torch.randn(2, 5)
    mean = tensors.pop("latent_avg")
    one = load(tmp_path, {**tensors, "latent_avg": mean}, truncation_psi=0.5).broadcast(w)
    for same in (mean[None], mean.expand(6, 5), mean.expand(1, 6, 5)):
        assert torch.equal(
            load(tmp_path, {**tensors, "latent_avg": same.contiguous()}, truncation_psi=0.5).broadcast(w), one
        )
    rows = torch.randn(6, 5)
    each = load(tmp_path, {**tensors, "latent_avg": rows}, truncation_psi=0.5, truncation_layers=4).broadcast(
        w
    )
    assert torch.allclose(each[:, :4], 0.5 * w[:, None] + 0.5 * rows[:4], atol=1e-6)
    assert torch.equal(each[:, 4:], w[:, None].expand(2, 2, 5))
    with pytest.raises(CheckpointError, match="latent_avg"):
        load(tmp_path, {**tensors, "latent_avg": torch.randn(5, 5)})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_networks_without_noise_equal_those_with_noise_off(layout: str, tmp_path: Path) -> None:
    tensors = small_state(layout)
    quiet = {name: t for name, t in tensors.items() if "noise" not in name}
    assert len(quiet) == len(tensors) - 10
    silent = load(tmp_path, tensors, noise="none")
    for noise in ("const", "fresh"):
        assert torch.equal(images_of(load(tmp_path, quiet, noise=noise)), images_of(silent))


@pytest.mark.parametrize("layout", ["rosinality", "mmgeneration"])
def test_old_files_may_lack_fixed_noise(layout: str, tmp_path: Path) -> None:
    tensors = {
        name: t
        for name, t in small_state(layout).items()
        if not name.startswith(("noises.", "injected_noise_"))
    }
    first, second, silent = (
        load(tmp_path, tensors),
        load(tmp_path, tensors),
        load(tmp_path, tensors, noise="none"),
    )
    assert torch.equal(images_of(first), images_of(second))
    assert not torch.allclose(images_of(first), images_of(silent), atol=1e-3)
    fields = [first.network.block(size).conv1.noise_const for size in (8, 16)]  # type: ignore[attr-defined]
    assert not torch.equal(fields[0], fields[1][:8, :8])
    assert abs(float(fields[1].std()) - 1.0) < 0.2
    one_of_many = {
        **tensors,
        "noises.noise_0" if layout == "rosinality" else "injected_noise_0": torch.zeros(1, 1, 4, 4),
    }
    with pytest.raises(CheckpointError, match=r"missing (noises\.noise_|injected_noise_)"):
        load(tmp_path, one_of_many)


@dataclass(frozen=True)
class Variant:
    layout: str
    sizes: dict[str, Any]
    settings: dict[str, Any]
    drop: tuple[str, ...] = ()


@pytest.mark.parametrize(
    "variant",
    [
        *(Variant(layout, {}, {}) for layout in LAYOUTS),
        Variant("rosinality", {}, {}, drop=("latent_avg",)),
        Variant("genforce", {"classes": 3, "embedding": 0}, {}),
        Variant(
            "nvidia",
            {"classes": 2},
            {"synthesis_kwargs": {"conv_clamp": 0.7}, "mapping_kwargs": {"lr_multiplier": 0.03}},
        ),
        Variant("tensorflow", {"kind": "resnet"}, {"conv_clamp": 0.9, "mapping_lrmul": 0.02}),
        Variant("nvidia", {"kind": "orig", "colours": 1, "taps": 6}, {}),
    ],
)
def test_converted_files_give_the_same_images(variant: Variant, tmp_path: Path) -> None:
    tensors = {
        name: t
        for name, t in small_state(variant.layout, **variant.sizes).items()
        if name not in variant.drop
    }
    examined = StyleGAN2.examine(Part("", tensors, variant.settings))
    assert examined is not None
    assert (examined.missing, examined.superfluous, examined.misshapen) == ((), (), ())
    header = {
        "plugin": "stylegan2",
        "family": examined.family,
        "network": examined.architecture,
        "source_sha256": "0" * 64,
    }
    config = {"truncation_psi": 0.8}
    direct = load(tmp_path, tensors, variant.settings, **config)
    converted = load(
        tmp_path,
        {name: t.contiguous().clone() for name, t in examined.tensors.items()},
        json.loads(json.dumps(header)),
        **config,
    )
    assert torch.equal(images_of(direct), images_of(converted))
    assert direct.fingerprint == converted.fingerprint


def test_settings_of_published_networks_are_accepted(tmp_path: Path) -> None:
    """NVIDIA's constructor arguments as they stand in its files."""
    tensorflow = {
        "num_channels": 3, "resolution": 16, "label_size": 0, "fmap_base": 32768, "architecture": "skip",
        "resample_kernel": [1, 3, 3, 1], "mapping_nonlinearity": "lrelu", "nonlinearity": "lrelu",
        "normalize_latents": True, "conv_clamp": None, "mapping_lrmul": 0.01,
    }  # fmt: skip
    nvidia = {
        "z_dim": 7,
        "c_dim": 0,
        "mapping_kwargs": {"num_layers": 3},
        "synthesis_kwargs": {"num_fp16_res": 4, "conv_clamp": 256},
    }
    plain = images_of(load(tmp_path, small_state()))
    for layout, settings in (("tensorflow", tensorflow), ("nvidia", nvidia)):
        assert (images_of(load(tmp_path, small_state(layout), settings)) - plain).abs().max() < 1e-5
