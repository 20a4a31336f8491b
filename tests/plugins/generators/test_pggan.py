"""What the ProgressiveGAN plugin reads off a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ganstrata import Pass, Stream, render
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.pggan.generator import ProgressiveGAN
from generator_files import codes_of, images_of, loader, write
from generators_pggan import LAYOUTS, plain, small_state, weights

load = loader("pggan")

NEAR = 1e-4  # pixel norm after pixel norm: float32 and float64 differ by up to 3e-5


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_naming_gives_the_pictures_of_the_plain_network(layout: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", small_state(layout))
    assert choose(read_checkpoint(path)).plugin == "pggan"
    generator = load(path)
    card = generator.card
    assert (card.family, card.resolution, card.layers, card.latent_size, card.code_size) == (
        "ProgressiveGAN",
        16,
        1,
        7,
        7,
    )
    z = generator.sample(3, 0, 0, Stream.PROBING).z
    epsilon = {"epsilon": 1e-6, "outside": True} if layout.startswith("mmgen") else {}
    wanted = plain(weights(), z, **epsilon)
    assert wanted.std() > 0.3
    assert (images_of(generator) * 2.0 - 1.0 - wanted).abs().max() < NEAR


@pytest.mark.parametrize(
    ("layout", "epsilon", "outside"),
    [("genforce", 1e-8, False), ("tensorflow", 1e-8, False), ("mmgen", 1e-6, True)],
)
def test_epsilon_is_each_codes_own(layout: str, epsilon: float, outside: bool, tmp_path: Path) -> None:
    """It shows where feature maps are small: weights a ten-thousandth of their usual size."""
    own = {name: tensor * (1.0 if name.startswith("outputs") else 1e-4) for name, tensor in weights().items()}
    generator = load(write(tmp_path / "a.safetensors", small_state(layout, own=own)))
    z, images = generator.sample(3, 0, 0, Stream.PROBING).z, images_of(generator) * 2.0 - 1.0
    assert (images - plain(own, z, epsilon=epsilon, outside=outside)).abs().max() < NEAR
    assert (images - plain(own, z, epsilon=epsilon, outside=not outside)).abs().max() > 1e-3


FUSED = [
    ("genforce_fused", "layer2.weight", (0, 1, 2, 3)),
    ("higan_fused", "layer2.weight", (2, 3, 0, 1)),
    ("tensorflow_fused", "8x8/Conv0_up/weight", (3, 2, 0, 1)),
    ("mmgen_fused", "conv_blocks.1.conv.weight_orig", (0, 1, 2, 3)),
]


@pytest.mark.parametrize(("layout", "name", "order"), FUSED, ids=[layout for layout, _, _ in FUSED])
def test_fused_upsampling_is_a_transposed_convolution_of_the_stored_weight(
    layout: str, name: str, order: tuple[int, ...], tmp_path: Path
) -> None:
    """Add the weight (I, O, 3, 3) to itself at four places, with a stride of 2, as published code does."""
    own = weights((6, 5), 7)
    state = small_state(layout, own=own)
    generator = load(write(tmp_path / "a.safetensors", state))
    features = Pass(generator, codes_of(generator), features=[1, 2]).rendering.features
    stored = state[name].permute(order)
    assert stored.shape == (6, 5, 3, 3)
    fan_in = 9 * (5 if layout.startswith("mmgen") else 6)
    kernel = torch.zeros(6, 5, 4, 4)
    for y in (0, 1):
        for x in (0, 1):
            kernel[:, :, y : y + 3, x : x + 3] += stored * (2.0 / fan_in) ** 0.5
    below = features[1] / (features[1].square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    before = torch.nn.functional.conv_transpose2d(below, kernel, own["layers.2.bias"], stride=2, padding=1)
    assert torch.allclose(features[2], torch.where(before > 0.0, before, 0.2 * before), atol=NEAR)


@pytest.mark.parametrize(("layout", "wanted"), [("genforce", False), ("mmgen", True)])
def test_ambiguous_widths_follow_the_default_of_the_layout(layout: str, wanted: bool, tmp_path: Path) -> None:
    """With equally many inputs and outputs the layout decides: MMGeneration fuses, GenForce does not."""
    own = weights((5, 5, 5))
    for fused in (False, True):
        generator = load(
            write(tmp_path / f"{fused}.safetensors", small_state(layout + "_fused" * fused, own=own))
        )
        z = generator.sample(3, 0, 0, Stream.PROBING).z
        near = (images_of(generator) * 2.0 - 1.0 - plain(own, z)).abs().max() < 1e-3
        assert near == (fused is wanted)


@pytest.mark.parametrize(
    ("widths", "inputs"),
    [((3,), 4), ((6, 6), 2), ((8, 4, 4, 2), 5), ((4, 7), 9)],
    ids=["one level", "two levels", "four levels", "widening"],
)
def test_networks_of_any_width_and_depth_load(widths: tuple[int, ...], inputs: int, tmp_path: Path) -> None:
    own = weights(widths, inputs)
    generator = load(write(tmp_path / "a.safetensors", small_state("higan", own=own)))
    assert (generator.card.resolution, generator.card.latent_size) == (4 * 2 ** (len(widths) - 1), inputs)
    assert [s.reads for s in generator.strata] == [0] + [None] * (2 * len(widths))
    z = generator.sample(2, 0, 0, Stream.PROBING).z
    assert (images_of(generator, 2) * 2.0 - 1.0 - plain(own, z)).abs().max() < NEAR


@pytest.mark.parametrize("colours", [1, 4])
def test_grey_and_alpha_are_kept(colours: int, tmp_path: Path) -> None:
    own = weights(colours=colours)
    generator = load(write(tmp_path / "a.safetensors", small_state("tensorflow", own=own)))
    images = images_of(generator)
    assert images.shape == (3, colours, 16, 16)
    assert generator.card.channels == colours
    z = generator.sample(3, 0, 0, Stream.PROBING).z
    assert (images * 2.0 - 1.0 - plain(own, z)).abs().max() < NEAR


def test_a_first_layer_of_another_shape_gives_the_proportions(tmp_path: Path) -> None:
    own = weights()
    own["layers.0.weight"] = own["layers.0.weight"][:, :, :, :2].clone()
    generator = load(write(tmp_path / "a.safetensors", small_state("higan", own=own)))
    assert (generator.card.height, generator.card.width) == (16, 8)
    assert [(s.height, s.size) for s in generator.strata][-1] == (16, 8)
    z = generator.sample(2, 0, 0, Stream.PROBING).z
    assert (images_of(generator, 2) * 2.0 - 1.0 - plain(own, z)).abs().max() < NEAR


def test_nvidias_settings_change_the_network_as_they_say(tmp_path: Path) -> None:
    own = weights()
    z = torch.randn(2, 7, generator=torch.Generator().manual_seed(1))
    generator = load(
        write(
            tmp_path / "a.safetensors",
            small_state("tensorflow_fused"),
            use_pixelnorm=False,
            use_leakyrelu=False,
            pixelnorm_epsilon=0.5,
        )
    )
    wanted = plain(own, z, epsilon=0.5, normalise=False, leak=0.0)
    assert (render(generator, z[:, None]) * 2.0 - 1.0 - wanted).abs().max() < NEAR
    free = load(write(tmp_path / "b.safetensors", small_state("tensorflow_fused"), normalize_latents=False))
    assert not torch.allclose(render(free, z[:, None]), render(free, 3.0 * z[:, None]), atol=1e-2)
    scaled = {
        name: t / (t[0].numel() / (1.0 if "outputs" in name else 2.0)) ** 0.5 if t.ndim == 4 else t
        for name, t in own.items()
    }
    stored = load(write(tmp_path / "c.safetensors", small_state("tensorflow", own=scaled), use_wscale=False))
    assert (render(stored, z[:, None]) * 2.0 - 1.0 - plain(own, z)).abs().max() < NEAR


def test_outputs_that_are_not_in_the_picture_may_be_missing(tmp_path: Path) -> None:
    tensors = {name: t for name, t in small_state().items() if not name.startswith(("output0", "output1"))}
    whole = load(write(tmp_path / "whole.safetensors", small_state()))
    assert torch.equal(images_of(load(write(tmp_path / "a.safetensors", tensors))), images_of(whole))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_that_examine_returns_load_again(layout: str, tmp_path: Path) -> None:
    settings = {"label_size": 2} if layout == "tensorflow_fused" else {}
    source = write(tmp_path / "a.safetensors", small_state(layout, lod=0.25), **settings)
    part = read_checkpoint(source).parts[0]
    examined = ProgressiveGAN.examine(part)
    assert examined is not None
    assert (examined.missing, examined.superfluous, examined.misshapen) == ((), (), ())
    again = write(
        tmp_path / "b.safetensors",
        {k: v.contiguous() for k, v in examined.tensors.items()},
        plugin="pggan",
        network=examined.architecture,
    )
    condition = torch.tensor([1, 0, 1]) if settings else None
    one, other = load(source), load(again)
    assert torch.equal(images_of(one, condition=condition), images_of(other, condition=condition))
    assert one.card.weights == other.card.weights
    assert one.architecture == other.architecture  # type: ignore[attr-defined]


def test_stored_weights_are_not_changed_by_loading(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", small_state())
    assert load(path).card.weights == load(path).card.weights


@pytest.mark.parametrize(("layout", "default"), [("genforce", False), ("mmgen", True)])
def test_equal_widths_do_not_show_whether_upsampling_is_fused(
    layout: str, default: bool, tmp_path: Path
) -> None:
    own = weights(widths=(5, 5, 5))
    plain_file, fused_file = (
        write(tmp_path / f"{name}.safetensors", small_state(name, own=own))
        for name in (layout, f"{layout}_fused")
    )
    usual = fused_file if default else plain_file
    wanted = images_of(load(usual))
    assert any("(config: fused_scale)" in told for told in load(usual).card.assumptions)
    for path, fused in ((plain_file, False), (fused_file, True)):
        generator = load(path, fused_scale=fused)
        assert (images_of(generator) - wanted).abs().max() < 1e-5
        assert not any("fused" in told for told in generator.card.assumptions)


@pytest.mark.parametrize("layout", ["genforce", "higan"])
def test_what_a_file_shows_is_not_configured(layout: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", small_state(layout))
    with pytest.raises(
        CheckpointError, match=r"fused_scale is configured, but the (shapes|names) of the tensors"
    ):
        load(path, fused_scale=True)
