"""The StyleGAN plugin: what is read off a file, its options, and how its strata behave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from closeness import assert_near
from ganstrata import Generator, Pass, Stream, render
from ganstrata.core.errors import ConfigError, ShapeError
from ganstrata.plugins.generators.shared import noise
from generator_files import codes_by_layer, codes_of, loader, write
from generators_stylegan import COMPLETE, plain, plain_w, small_state, weights
from torch import Tensor

load = loader("stylegan")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "small.safetensors", small_state("higan"))


@pytest.fixture
def small(path: Path) -> Generator:
    return load(path)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"widths": (3,)},
        {"widths": (2, 3, 4, 5)},
        {"depth": 1},
        {"hidden": 11},
        {"z_dim": 2, "w_dim": 9},
        {"classes": 4},
        {"widths": (4, 4), "w_dim": 1},
    ],
)
@pytest.mark.parametrize("layout", COMPLETE)
def test_architecture_is_read_off_the_shapes(layout: str, sizes: dict[str, Any], tmp_path: Path) -> None:
    generator = load(write(tmp_path / "a.safetensors", small_state(layout, **sizes)))
    levels, card = len(sizes.get("widths", (6, 5, 4))), generator.card
    assert (card.family, card.resolution, card.layers) == ("StyleGAN", 4 * 2 ** (levels - 1), 2 * levels)
    assert (card.latent_size, card.code_size) == (sizes.get("z_dim", 7), sizes.get("w_dim", 5))
    assert generator.architecture.classes == sizes.get("classes", 0)  # type: ignore[attr-defined]
    images = render(generator, codes_of(generator))
    assert images.shape == (3, 3, card.resolution, card.resolution)
    assert images.isfinite().all()


@pytest.mark.parametrize("layout", ["higan", "genforce", "tensorflow"])
def test_the_constant_gives_the_proportions_and_the_output_the_channels(layout: str, tmp_path: Path) -> None:
    own = weights(start=(4, 2), colours=4)
    generator = load(write(tmp_path / "a.safetensors", small_state(layout, start=(4, 2), colours=4)))
    card = generator.card
    assert (card.height, card.width, card.channels, card.layers) == (16, 8, 4, 6)
    assert [(s.height, s.size) for s in generator.strata[2:4]] == [(8, 4), (8, 4)]
    z = generator.sample(2, 0, 0, Stream.PROBING).z
    w = generator.map(z)
    wanted = plain(own, w[:, None].expand(-1, 6, -1))
    images = render(generator, generator.broadcast(w))
    assert images.shape == (2, 4, 16, 8)
    assert (images * 2.0 - 1.0 - wanted).abs().max() < 1e-4


def test_strata_are_one_per_layer_and_an_output(small: Generator) -> None:
    assert [s.reads for s in small.strata] == [0, 1, 2, 3, 4, 5, None]
    assert [s.size for s in small.strata] == [4, 4, 8, 8, 16, 16, 16]
    assert [s.is_feature for s in small.strata] == [True] * 6 + [False]
    assert [s.style_width for s in small.strata] == [12, 12, 10, 10, 8, 8, None]
    assert sorted(layer for group in (small.groups or {}).values() for layer in group) == list(range(6))
    assert (small.style(6, torch.zeros(1, 5)), small.style_weights(6)) == (None, None)


def test_half_precision_weights_are_computed_in_full(tmp_path: Path) -> None:
    generator = load(write(tmp_path / "a.safetensors", {k: v.half() for k, v in small_state().items()}))
    assert render(generator, codes_of(generator)).dtype == torch.float32


def test_truncation_pulls_towards_the_mean_and_scales_steps(path: Path, small: Generator) -> None:
    truncated, own = load(path, truncation_psi=0.25, truncation_layers=3), weights()
    w = small.map(small.sample(4, 0, 0, Stream.PROBING).z)
    codes = truncated.broadcast(w)
    assert torch.allclose(
        codes[:, :3], (0.25 * w + 0.75 * own["mapping.w_avg"])[:, None].expand(-1, 3, -1), atol=1e-6
    )
    assert torch.equal(codes[:, 3:], w[:, None].expand(-1, 3, -1))
    assert truncated.layer_scale.tolist() == [0.25] * 3 + [1.0] * 3
    assert truncated.card.truncation == "psi 0.25 on layers 0-2"
    step = torch.randn(5)
    assert torch.allclose(
        truncated.broadcast(w + step) - codes,
        torch.from_numpy(truncated.layer_scale)[None, :, None] * step,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [("truncation_psi", float("nan")), ("truncation_layers", -1), ("noise", "random"), ("lod", 1)],
)
def test_options_out_of_range_are_refused(option: str, value: object, path: Path) -> None:
    with pytest.raises(ConfigError, match=option):
        load(path, **{option: value})


def test_an_edit_restarts_at_its_layer_and_equals_a_full_pass(small: Generator) -> None:
    codes, moved = codes_by_layer(small), codes_by_layer(small, seed=2)
    done = Pass(small, codes, restarts=range(6))
    for layers in ((0,), (1,), (3,), (5,), (2, 4)):
        changed = codes.clone()
        changed[:, list(layers)] = moved[:, list(layers)]
        assert torch.equal(done.edited(changed, layers).images, render(small, changed))
        assert not torch.allclose(render(small, changed), done.rendering.images, atol=1e-3)


def test_a_stratum_reads_its_own_code_only(small: Generator) -> None:
    """Features below an edited layer stay as they are."""
    codes = codes_by_layer(small)
    changed = codes.clone()
    changed[:, 3] += 1.0
    before, after = (Pass(small, c, features=range(6)).rendering.features for c in (codes, changed))
    assert all(torch.equal(before[s], after[s]) for s in range(3))
    assert not torch.allclose(before[3], after[3], atol=1e-2)


def test_an_edited_style_takes_the_place_of_the_affine(small: Generator) -> None:
    codes = codes_by_layer(small)
    state = small.begin(ganstrata.Inputs(2, None, torch.arange(2)))
    style = small.style(0, codes[:, 0])
    assert style is not None
    by_code, by_style = small.stratum(0, state, codes[:, 0]).x, small.stratum(0, state, None, style).x
    other = small.stratum(0, state, codes[:, 0], style + 1.0).x
    assert by_code is not None
    assert by_style is not None
    assert other is not None
    assert torch.equal(by_code, by_style)
    assert not torch.allclose(by_code, other)


def test_scale_and_shift_of_a_feature_map_are_its_style(small: Generator) -> None:
    codes = codes_by_layer(small)
    features = Pass(small, codes, features=range(6)).rendering.features
    for s, x in features.items():
        style = small.style(s, codes[:, s])
        assert style is not None
        scale, shift = style.chunk(2, dim=1)
        assert torch.allclose(x.mean(dim=(2, 3)), shift, atol=1e-5)
        assert torch.allclose(x.std(dim=(2, 3), correction=0), (scale + 1.0).abs(), atol=1e-4)


def test_pictures_do_not_depend_on_the_batch(small: Generator) -> None:
    codes = codes_of(small, 5)
    assert torch.allclose(render(small, codes)[3:4], render(small, codes[3:4]), atol=1e-5)
    later = small.sample(2, 0, 3, Stream.PROBING)
    assert torch.equal(later.z, small.sample(5, 0, 0, Stream.PROBING).z[3:])


@pytest.mark.parametrize("noise", ["const", "none"])
def test_gradients_of_every_code_are_those_of_the_plain_network(noise: str, path: Path) -> None:
    generator, own = load(path, noise=noise), weights()
    codes = codes_by_layer(generator).requires_grad_(True)
    probe = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad((render(generator, codes) * probe).sum(), codes)
    (wanted,) = torch.autograd.grad(
        ((plain(own, codes, noise=noise == "const") + 1.0) / 2.0 * probe).sum(), codes
    )
    assert torch.allclose(gradient, wanted, atol=1e-3 * float(wanted.abs().max()))
    assert gradient.abs().amax(dim=2).min() > 0.0


def test_gradients_reach_z(small: Generator) -> None:
    z = torch.randn(2, 7).requires_grad_(True)
    (gradient,) = torch.autograd.grad(render(small, small.broadcast(small.map(z))).square().sum(), z)
    (wanted,) = torch.autograd.grad(
        ((plain(weights(), plain_w(weights(), z)[:, None].expand(-1, 6, -1)) + 1.0) / 2.0).square().sum(), z
    )
    assert torch.allclose(gradient, wanted, atol=1e-3 * float(wanted.abs().max()))


def test_gradients_of_gradients_exist(small: Generator) -> None:
    codes = codes_by_layer(small).requires_grad_(True)
    (first,) = torch.autograd.grad(render(small, codes).square().sum(), codes, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), codes)
    assert second.isfinite().all()
    assert second.abs().max() > 0.0


def test_bfloat16_is_close_to_float32(small: Generator) -> None:
    codes = codes_by_layer(small)
    full, half = render(small, codes), render(small, codes, precision="bf16")
    assert half.dtype == torch.float32
    assert 0.0 < (full - half).abs().mean() < 0.03 * float(full.std())


def test_fresh_noise_is_a_function_of_seed_and_sample(path: Path) -> None:
    generator = load(path, noise="fresh")
    codes = codes_of(generator, 1).expand(3, -1, -1)

    def rendered(codes: Tensor, index: list[int], seed: int = 0) -> Tensor:
        return render(generator, codes, index=torch.tensor(index), noise=seed)

    images = rendered(codes, [5, 6, 5])
    assert_near(images[0], images[2])
    assert not torch.allclose(images[0], images[1], atol=1e-3)
    assert torch.allclose(rendered(codes[:1], [6]), images[1:2], atol=1e-5)
    assert not torch.allclose(rendered(codes[:1], [5], seed=1)[0], images[0], atol=1e-3)
    done = Pass(generator, codes, index=torch.tensor([9, 2, 4]), noise=7, restarts=[0, 3])
    for layers in ((0,), (3,)):
        assert torch.equal(done.edited(codes, layers).images, done.rendering.images)


def test_fresh_noise_takes_the_place_of_the_stored_one(path: Path) -> None:
    generator, own = load(path, noise="fresh"), weights()
    codes = codes_by_layer(generator, 1)
    state = generator.begin(ganstrata.Inputs(1, None, torch.tensor([3]), 5))
    for s in range(6):
        drawn = noise.of_part("fresh", s, state.kept, None)
        assert drawn is not None
        own[f"synthesis.layers.{s}.noise_const"] = drawn[0, 0]
    images = render(generator, codes, index=torch.tensor([3]), noise=5)
    assert (images * 2.0 - 1.0 - plain(own, codes)).abs().max() < 1e-4


def test_a_constant_channel_stays_finite(tmp_path: Path) -> None:
    """The first normalisation divides by its epsilon.

    The constant is all ones and noise has strength 0, as at the beginning of training.
    """
    own = weights()
    own["synthesis.const"] = torch.ones(6, 4, 4)
    for i in range(6):
        own[f"synthesis.layers.{i}.noise_strength"] = torch.zeros_like(
            own[f"synthesis.layers.{i}.noise_strength"]
        )
    generator = load(write(tmp_path / "a.safetensors", small_state("higan", own)))
    codes = codes_by_layer(generator)
    assert (Pass(generator, codes, features=[0]).rendering.features[0].std(dim=(2, 3))).max() < 1e-6
    assert render(generator, codes).isfinite().all()


def test_a_zero_latent_makes_a_picture(small: Generator) -> None:
    assert render(small, small.broadcast(small.map(torch.zeros(1, 7)))).isfinite().all()


@pytest.mark.parametrize("shape", [(2, 8), (7,), (1, 2, 7)])
def test_latents_of_another_width_are_refused(shape: tuple[int, ...], small: Generator) -> None:
    with pytest.raises(ShapeError):
        small.map(torch.zeros(shape))
