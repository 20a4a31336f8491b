"""StyleGAN-XL: the same numbers as its own code on random weights, and what the plugin reads off its files.

`tests/data/stylegan3_xl_*.safetensors` hold state dicts as autonomousvision/stylegan-xl (commit 4241ff9)
stores them, the `.npz` beside them what its `networks_stylegan3_resetting` made of the inputs on a CPU, with
the plain operations that it falls back to. The networks have z of 6, w of 10, at most 12 channels and random
tensors, means and magnitudes included; ToRGB was multiplied by 4. The table of class features, which the code
reads from a file of its own, was replaced by a random one of 5 rows.

- `xl_16`: `Generator`, T, 3 classes, 7 layers.
- `xl_64`: `SuperresGenerator` twice, from 16 to 32 to 64 pixels, on such a network, `head_layers` 4.
- `xl_r_64`: `SuperresGenerator` once, by `up_factor` 4, on a network of R without classes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import checkpoint_files as files
import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Generator, Pass, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError, DataError
from ganstrata.core.strata.moves import move_to, signed_distance
from ganstrata.core.strata.truncation import mean_code
from ganstrata.plugins.generators.stylegan3.architecture import Architecture
from ganstrata.plugins.generators.stylegan3.generator import StyleGAN3
from ganstrata.testing import conformance
from reference_numbers import DATA, as_reference, reference, tensor
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

NAMES = ("stylegan3_xl_16", "stylegan3_xl_64", "stylegan3_xl_r_64")
STEM: dict[str, Any] = {
    "z_dim": 6,
    "c_dim": 3,
    "w_dim": 10,
    "img_resolution": 16,
    "img_channels": 3,
    "channel_base": 128,
    "channel_max": 12,
    "num_layers": 7,
    "conv_kernel": 3,
    "use_radial_filters": False,
    "magnitude_ema_beta": 0.99,
    "mapping_kwargs": {"rand_embedding": False, "num_layers": 2},
}
STAGE: dict[str, Any] = {
    "c_dim": 3,
    "img_resolution": 64,
    "img_channels": 3,
    "path_stem": "runs/00001/best_model.pkl",
    "head_layers": 4,
    "up_factor": 2,
}


def state_of(name: str) -> dict[str, Tensor]:
    return load_file(DATA / f"{name}.safetensors")


def load(path: Path | str, **config: object) -> Generator:
    return ganstrata.load_generator("stylegan3", checkpoint=str(path), device="cpu", **config)


def stored(name: str, **config: object) -> Generator:
    return load(DATA / f"{name}.safetensors", **config)


def write(path: Path, tensors: dict[str, Tensor], **settings: Any) -> Path:
    save_file(tensors, path, metadata={"ganstrata": json.dumps(settings)})
    return path


def classes_of(name: str) -> Tensor | None:
    return tensor(name, "classes") if "classes" in reference(name) else None


def codes_of(generator: Generator, name: str) -> Tensor:
    condition = classes_of(name)
    return generator.broadcast(generator.map(tensor(name, "z"), condition), condition)


def near(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    assert actual.shape == expected.shape
    assert expected.std() > 0.1, "the reference itself says nothing"
    assert (actual - expected).abs().max() < tolerance


@pytest.mark.parametrize("name", NAMES)
def test_codes_images_and_feature_maps_are_those_of_the_reference(name: str) -> None:
    generator = stored(name)
    codes = codes_of(generator, name)
    near(codes, tensor(name, "ws"), 1e-5)
    rendering = Pass(generator, codes, features=range(len(generator.strata))).rendering
    near(as_reference(rendering.pictures), tensor(name, "image"), 1e-4)
    near(as_reference(render(generator, tensor(name, "ws_in"))), tensor(name, "image_from_ws_in"), 1e-4)
    compared = 0
    for s, stratum in enumerate(generator.strata):
        if f"feat.synthesis.{stratum.name}" in reference(name):
            near(rendering.features[s][:1, :2], tensor(name, f"feat.synthesis.{stratum.name}"), 1e-4)
            assert rendering.features[s].shape[2] == stratum.size + 2 * stratum.margin
            compared += 1
    assert compared > 0


@pytest.mark.parametrize("name", NAMES)
def test_truncation_pulls_each_sample_towards_the_mean_of_its_class(name: str) -> None:
    near(codes_of(stored(name, truncation_psi=0.7), name), tensor(name, "ws_psi0.7"), 1e-5)
    generator = stored(name, truncation_psi=0.5, truncation_layers=4)
    codes = codes_of(generator, name)
    near(codes, tensor(name, "ws_psi0.5_cutoff"), 1e-5)
    near(as_reference(render(generator, codes[:1])), tensor(name, "image_psi0.5_cutoff"), 1e-4)
    means = state_of(name)["mapping.w_avg"]
    expected = means if means.ndim == 1 else means[classes_of(name)]
    gone = codes_of(stored(name, truncation_psi=0.0), name)
    torch.testing.assert_close(gone, expected.expand(2, -1)[:, None].expand_as(gone))


def test_classes_are_counted_by_their_means_and_needed_where_they_matter() -> None:
    conditional, without = stored("stylegan3_xl_64", truncation_psi=0.7), stored("stylegan3_xl_r_64")
    drawn = conditional.sample(40, 0, 0, ganstrata.Stream.PROBING).condition
    assert drawn is not None
    assert set(drawn.tolist()) == {0, 1, 2}, "the table has 5 rows, the network 3 classes"
    assert without.sample(2, 0, 0, ganstrata.Stream.PROBING).condition is None
    w = torch.zeros(2, 10)
    with pytest.raises(DataError, match="needs a class from 0 to 2"):
        conditional.broadcast(w)
    assert stored("stylegan3_xl_64").broadcast(w).shape == (2, 13, 10)
    with pytest.raises(CheckpointError, match="is unconditional"):
        stored("stylegan3_xl_r_64", classes=0)
    assert without.broadcast(w).shape == (2, 11, 10)


def test_weights_mix_features_and_means_of_classes() -> None:
    generator = stored("stylegan3_xl_16", truncation_psi=0.5)
    z = tensor("stylegan3_xl_16", "z")
    whole = torch.eye(3)[[2, 0]]
    torch.testing.assert_close(
        generator.broadcast(generator.map(z, whole), whole), codes_of(generator, "stylegan3_xl_16")
    )
    half = torch.tensor([[0.5, 0.0, 0.5]])
    mean = state_of("stylegan3_xl_16")["mapping.w_avg"][[0, 2]].mean(dim=0)
    w = generator.map(z[:1], half)
    torch.testing.assert_close(generator.broadcast(w, half)[0, 0], (w[0] + mean) / 2.0)


def test_distances_and_absolute_edits_know_the_mean_of_each_class() -> None:
    generator = stored("stylegan3_xl_16", truncation_psi=0.6, truncation_layers=5)
    condition = torch.tensor([1, 0])
    w = generator.map(tensor("stylegan3_xl_16", "z"), condition)
    codes = generator.broadcast(w, condition)
    mean = mean_code(generator, condition)
    assert mean is not None
    normal = np.random.default_rng(0).standard_normal(10).astype(np.float32)
    normal /= np.linalg.norm(normal)
    layers, scale = range(generator.card.layers), generator.layer_scale
    expected = w @ torch.from_numpy(normal) + 0.5
    torch.testing.assert_close(
        signed_distance(codes, normal, 0.5, layers, scale, mean), expected, atol=1e-5, rtol=0.0
    )
    moved = move_to(codes, normal, 0.5, 1.25, layers, scale, mean)
    distance = signed_distance(moved, normal, 0.5, layers, scale, mean)
    torch.testing.assert_close(distance, torch.full((2,), 1.25), atol=1e-5, rtol=0.0)


def test_sizes_layers_and_groups_of_super_resolution_stages() -> None:
    small, generator = stored("stylegan3_xl_16"), stored("stylegan3_xl_64")
    assert (small.card.resolution, small.card.layers, small.groups) == (16, 9, None)
    card = generator.card
    assert (card.resolution, card.layers, card.latent_size, card.code_size) == (64, 13, 6, 10)
    # The first stage drops L5 to L7 and begins with L6, as its code counts.
    assert [s.name for s in generator.strata[4:8]] == ["L3_36_12", "L4_36_11", "L6_36_11", "L7_52_6"]
    assert [(s.size, s.margin) for s in generator.strata[6:]] == [(16, 10)] + [(32, 10)] * 2 + [
        (64, 10)
    ] * 2 + [(64, 0)] * 2
    assert generator.groups == {"bottom": tuple(range(7)), "upper": (7, 8), "top": (9, 10, 11, 12)}
    assert generator.style_weights(6).shape == (11, 10)


class Conv2dSame(nn.Conv2d):
    """Stand in for timm's layer in the discriminator's feature network."""


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("stylegan3_xl_16", STEM),
        ("stylegan3_xl_64", STAGE),
        ("stylegan3_xl_r_64", {**STAGE, "c_dim": 0, "up_factor": 4}),
    ],
)
def test_a_snapshot_with_its_discriminator_is_read(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    kind = "SuperresGenerator" if "up_factor" in settings else "Generator"
    network = files.persistent(state_of(name), settings, class_name=kind)
    features = nn.Sequential(Conv2dSame(1, 1, 1))
    content = {
        "G": network,
        "D": features,
        "G_ema": network,
        "augment_pipe": None,
        "training_set_kwargs": {"path": "x.zip", "use_labels": True},
        "progress": {"cur_nimg": torch.tensor([1000]), "best_fid": 3.5},
    }
    with files.pretending(timm__models__layers__conv2d_same__Conv2dSame=Conv2dSame):
        path = files.write_nvidia(tmp_path / "best_model.pkl", content)
    claim = choose(read_checkpoint(path))
    assert (claim.plugin, claim.part.name) == ("stylegan3", "G_ema")
    assert claim.match.reason == "StyleGAN3 in the StyleGAN-XL layout"
    generator = load(path)
    near(as_reference(render(generator, codes_of(generator, name))), tensor(name, "image"), 1e-4)
    assert generator.fingerprint == stored(name).fingerprint
    told = [line for line in generator.card.assumptions if "last super-resolution stage alone" in line]
    assert len(told) == ("up_factor" in settings)


@pytest.mark.parametrize("name", NAMES)
def test_a_converted_file_gives_the_same_pictures(name: str, tmp_path: Path) -> None:
    examined = StyleGAN3.examine(Part("", state_of(name), {}))
    assert examined is not None
    assert not examined.faults
    assert examined.layout == "StyleGAN-XL"
    assert examined.classes == (0 if classes_of(name) is None else 3)
    path = write(
        tmp_path / "a.safetensors",
        dict(examined.tensors),
        plugin="stylegan3",
        network=dict(examined.architecture),
    )
    converted, original = load(path, truncation_psi=0.7), stored(name, truncation_psi=0.7)
    assert converted.fingerprint == original.fingerprint
    assert torch.equal(
        render(converted, codes_of(converted, name)), render(original, codes_of(original, name))
    )


test_the_contract_is_kept = conformance(
    "generator",
    "stylegan3",
    {"checkpoint": str(DATA / "stylegan3_xl_16.safetensors"), "truncation_psi": 0.7},
)


def without(name: str, pattern: str) -> dict[str, Tensor]:
    return {key: value for key, value in state_of(name).items() if pattern not in key}


def test_numbers_of_layers_may_skip_one_in_stages_of_stylegan_xl_alone(tmp_path: Path) -> None:
    state = state_of("stylegan3_xl_r_64")
    del state["mapping.embed.weight"]
    with pytest.raises(CheckpointError, match="has layers L0, L1, L2"):
        load(write(tmp_path / "stylegan3.safetensors", state))
    for pattern in ("L7_52_6", "L2_36_12", "L0_36_12"):
        with pytest.raises(CheckpointError, match="has layers L0, L1, L2"):
            load(write(tmp_path / "a.safetensors", without("stylegan3_xl_64", pattern)))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (without("stylegan3_xl_16", "w_avg"), r"lacks the tensor mapping\.w_avg"),
        (without("stylegan3_xl_16", "embed_proj.bias"), r"missing .*mapping\.embed[._]proj\.bias"),
        (without("stylegan3_xl_64", "L7_52_6.up_filter"), "fit no choice of sampling rates and margin"),
        (
            {**state_of("stylegan3_xl_16"), "mapping.embed.weight": torch.zeros(2, 7)},
            "mean w of 3 classes, but a table of 2 classes",
        ),
        (
            {**state_of("stylegan3_xl_16"), "mapping.w_avg": torch.zeros(10)},
            r"mapping\.w_avg of shape \(10,\)",
        ),
        (
            {**state_of("stylegan3_xl_16"), "mapping.embed_proj.weight": torch.zeros(7, 7)},
            r"mapping\.embed_proj\.weight is \(7, 7\), expected \(6, 7\)",
        ),
    ],
)
def test_faults_are_named(state: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(write(tmp_path / "a.safetensors", state))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": (2, 7)}, "table has 2 rows, for 3 classes"),
        ({"table": (5, 0)}, "no size below 1"),
        ({"numbers": (0, 1, 2)}, "8 layers need as many numbers"),
        ({"numbers": (0, 1, 2, 3, 4, 4, 6, 7)}, "each larger than the one before"),
        ({"numbers": (-1, 1, 2, 3, 4, 5, 6, 7)}, "each larger than the one before"),
    ],
)
def test_a_stored_architecture_is_checked(change: dict[str, Any], message: str) -> None:
    examined = StyleGAN3.examine(Part("", state_of("stylegan3_xl_16"), {}))
    assert examined is not None
    with pytest.raises(CheckpointError, match=message):
        Architecture.from_plain({**examined.architecture, **change})
