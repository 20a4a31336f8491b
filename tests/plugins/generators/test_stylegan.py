"""The StyleGAN plugin: its options, what the core relies on, and files that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from closeness import assert_near
from ganstrata import Generator, Pass, Stream, render
from ganstrata.core.errors import CheckpointError, ConfigError, ShapeError
from generators_stylegan import COMPLETE, LAYOUTS, plain, plain_w, small_state, weights
from safetensors.torch import save_file
from torch import Tensor


def load(path: Path | str, **config: Any) -> Generator:
    return ganstrata.load_generator("stylegan", checkpoint=str(path), device="cpu", **config)


def write(path: Path, tensors: dict[str, Tensor], **settings: Any) -> Path:
    save_file(tensors, path, metadata={"ganstrata": json.dumps(settings)})
    return path


def codes_of(generator: Generator, n: int = 3) -> Tensor:
    latents = generator.sample(n, 0, 0, Stream.PROBING)
    return generator.broadcast(generator.map(latents.z, latents.condition))


def mixed(generator: Generator, n: int = 2, seed: int = 1) -> Tensor:
    """A code of its own for every layer."""
    return torch.randn(
        n, generator.card.layers, generator.card.code_size, generator=torch.Generator().manual_seed(seed)
    )


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
    ("option", "value"), [("truncation_psi", 1.5), ("truncation_layers", -1), ("noise", "random"), ("lod", 1)]
)
def test_options_out_of_range(option: str, value: object, path: Path) -> None:
    with pytest.raises(ConfigError, match=option):
        load(path, **{option: value})


def test_an_edit_restarts_at_its_layer_and_equals_a_full_pass(small: Generator) -> None:
    codes, moved = mixed(small), mixed(small, seed=2)
    done = Pass(small, codes, restarts=range(6))
    for layers in ((0,), (1,), (3,), (5,), (2, 4)):
        changed = codes.clone()
        changed[:, list(layers)] = moved[:, list(layers)]
        assert torch.equal(done.edited(changed, layers).images, render(small, changed))
        assert not torch.allclose(render(small, changed), done.rendering.images, atol=1e-3)


def test_a_stratum_reads_its_own_code_only(small: Generator) -> None:
    """Features below an edited layer stay as they are."""
    codes = mixed(small)
    changed = codes.clone()
    changed[:, 3] += 1.0
    before, after = (Pass(small, c, features=range(6)).rendering.features for c in (codes, changed))
    assert all(torch.equal(before[s], after[s]) for s in range(3))
    assert not torch.allclose(before[3], after[3], atol=1e-2)


def test_an_edited_style_takes_the_place_of_the_affine(small: Generator) -> None:
    codes = mixed(small)
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
    codes = mixed(small)
    features = Pass(small, codes, features=range(6)).rendering.features
    for s, x in features.items():
        style = small.style(s, codes[:, s])
        assert style is not None
        scale, shift = style.chunk(2, dim=1)
        assert torch.allclose(x.mean(dim=(2, 3)), shift, atol=1e-5)
        assert torch.allclose(x.std(dim=(2, 3), correction=0), (scale + 1.0).abs(), atol=1e-4)


def test_pictures_do_not_depend_on_their_company(small: Generator) -> None:
    codes = codes_of(small, 5)
    assert torch.allclose(render(small, codes)[3:4], render(small, codes[3:4]), atol=1e-5)
    later = small.sample(2, 0, 3, Stream.PROBING)
    assert torch.equal(later.z, small.sample(5, 0, 0, Stream.PROBING).z[3:])


@pytest.mark.parametrize("noise", ["const", "none"])
def test_gradients_of_every_code_are_those_of_the_plain_network(noise: str, path: Path) -> None:
    generator, own = load(path, noise=noise), weights()
    codes = mixed(generator).requires_grad_(True)
    probe = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    (found,) = torch.autograd.grad((render(generator, codes) * probe).sum(), codes)
    (wanted,) = torch.autograd.grad(
        ((plain(own, codes, noise=noise == "const") + 1.0) / 2.0 * probe).sum(), codes
    )
    assert torch.allclose(found, wanted, atol=1e-3 * float(wanted.abs().max()))
    assert found.abs().amax(dim=2).min() > 0.0


def test_gradients_reach_z(small: Generator) -> None:
    z = torch.randn(2, 7).requires_grad_(True)
    (found,) = torch.autograd.grad(render(small, small.broadcast(small.map(z))).square().sum(), z)
    (wanted,) = torch.autograd.grad(
        ((plain(weights(), plain_w(weights(), z)[:, None].expand(-1, 6, -1)) + 1.0) / 2.0).square().sum(), z
    )
    assert torch.allclose(found, wanted, atol=1e-3 * float(wanted.abs().max()))


def test_gradients_of_gradients_exist(small: Generator) -> None:
    codes = mixed(small).requires_grad_(True)
    (first,) = torch.autograd.grad(render(small, codes).square().sum(), codes, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), codes)
    assert second.isfinite().all()
    assert second.abs().max() > 0.0


def test_bfloat16_is_near(small: Generator) -> None:
    codes = mixed(small)
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
    codes = mixed(generator, 1)
    state = generator.begin(ganstrata.Inputs(1, None, torch.tensor([3]), 5))
    for s in range(6):
        own[f"synthesis.layers.{s}.noise_const"] = generator._noise(s, state)[0, 0]  # type: ignore[attr-defined]
    images = render(generator, codes, index=torch.tensor([3]), noise=5)
    assert (images * 2.0 - 1.0 - plain(own, codes)).abs().max() < 1e-4


def test_a_constant_channel_stays_finite(tmp_path: Path) -> None:
    """As at the beginning of training: ones, and noise of strength 0, so that the first normalisation divides by its epsilon."""
    own = weights()
    own["synthesis.const"] = torch.ones(6, 4, 4)
    for i in range(6):
        own[f"synthesis.layers.{i}.noise_strength"] = torch.zeros_like(
            own[f"synthesis.layers.{i}.noise_strength"]
        )
    generator = load(write(tmp_path / "a.safetensors", small_state("higan", own)))
    codes = mixed(generator)
    assert (Pass(generator, codes, features=[0]).rendering.features[0].std(dim=(2, 3))).max() < 1e-6
    assert render(generator, codes).isfinite().all()


def test_a_zero_latent_makes_a_picture(small: Generator) -> None:
    assert render(small, small.broadcast(small.map(torch.zeros(1, 7)))).isfinite().all()


@pytest.mark.parametrize("shape", [(2, 8), (7,), (1, 2, 7)])
def test_latents_of_another_width(shape: tuple[int, ...], small: Generator) -> None:
    with pytest.raises(ShapeError):
        small.map(torch.zeros(shape))


@pytest.mark.parametrize("layout", ["higan", "genforce", "tensorflow"])
@pytest.mark.parametrize("lod", [1.0, 0.3, -1.0, float("nan")])
def test_a_network_that_is_still_growing_is_refused(layout: str, lod: float, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"still growing: its level of detail \(lod\) is"):
        load(write(tmp_path / "a.safetensors", small_state(layout, lod=lod)))


def test_the_level_of_detail_and_lower_outputs_may_be_missing(tmp_path: Path, small: Generator) -> None:
    tensors = {
        n: t
        for n, t in small_state("higan", lod=None).items()
        if not n.startswith(("synthesis.output0", "synthesis.output1", "truncation.tr"))
    }
    codes = mixed(small)
    assert torch.equal(render(load(write(tmp_path / "a.safetensors", tensors)), codes), render(small, codes))


def test_another_filter_is_refused(tmp_path: Path) -> None:
    tensors = small_state("higan")
    tensors["synthesis.layer2.blur.kernel"] = torch.full((5, 1, 3, 3), 1.0 / 9.0)
    with pytest.raises(CheckpointError, match=r"synthesis\.layer2\.blur\.kernel is not the low-pass filter"):
        load(write(tmp_path / "a.safetensors", tensors))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("nonlinearity", "relu", "nonlinearity = 'relu'"),
        ("normalize_latents", False, "normalize_latents"),
        ("use_instance_norm", False, "use_instance_norm"),
        ("blur_filter", [1, 3, 3, 1], "low-pass filter"),
        ("blur_filter", None, "low-pass filter"),
        ("fused_scale", "sometimes", "fused_scale"),
        ("mapping_lrmul", 0, "above 0"),
        ("mapping_lrmul", "0.01", "above 0"),
        ("mapping_lrmul", True, "above 0"),
        ("network", {"lr_multiplier": -1.0}, "above 0"),
        ("network", {"tanh": 1}, "true or false"),
    ],
)
def test_settings_that_are_not_supported_or_make_no_sense(
    setting: str, value: object, message: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(write(tmp_path / "a.safetensors", small_state("tensorflow"), **{setting: value}))


def test_tensors_missing_superfluous_or_of_another_shape(tmp_path: Path) -> None:
    tensors = small_state("higan")
    del tensors["synthesis.layer4.conv.weight"]
    tensors["synthesis.b4.torgb.weight"] = torch.zeros(3, 4, 1, 1)
    tensors["synthesis.layer1.conv.weight"] = torch.zeros(6, 5, 3, 3)
    tensors["synthesis.output9.conv.weight"] = torch.zeros(3, 4, 1, 1)
    with pytest.raises(CheckpointError) as caught:
        load(write(tmp_path / "a.safetensors", tensors))
    for words in (
        "missing synthesis.layers.4.weight",
        "superfluous synthesis.b4.torgb.weight",
        "superfluous synthesis.output9.conv.weight",
        "synthesis.layer1.conv.weight is (6, 5, 3, 3), expected (6, 6, 3, 3)",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(5))
def test_any_tensor_gone_or_flattened_is_a_word_and_no_crash(layout: str, seed: int, tmp_path: Path) -> None:
    tensors = small_state(layout)
    free = (
        "truncation.tr",
        "synthesis.output0",
        "synthesis.output1",
        "G_synthesis/ToRGB_lod1",
        "G_synthesis/ToRGB_lod2",
        "ToRGB_lod1",
        "ToRGB_lod2",
    )
    used = sorted(
        n
        for n in tensors
        if not n.startswith(free)
        and "lod" not in n.split(".")[-1:]
        and n != "lod"
        and not n.endswith(".kernel")
    )
    name = used[seed * (len(used) - 1) // 4]
    shapes = ((3, 5, 2), (), (0, 16), (0, 0, 3, 3), (1, 1, 1, 1, 1))
    for damaged in (
        {k: v for k, v in tensors.items() if k != name},
        *(tensors | {name: torch.zeros(shape)} for shape in shapes),
    ):
        with pytest.raises(CheckpointError):
            load(write(tmp_path / "a.safetensors", damaged))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_families_in_one_file(layout: str, tmp_path: Path) -> None:
    tensors = small_state(layout) | {
        "mapping.fc0.weight": torch.zeros(4, 4),
        "synthesis.b4.const": torch.zeros(4, 4, 4),
    }
    with pytest.raises(CheckpointError, match="superfluous"):
        load(write(tmp_path / "a.safetensors", tensors))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sizes_that_a_file_claims_take_no_memory(layout: str, tmp_path: Path) -> None:
    """Biases of a million channels, or layers for a million pixels, stand for terabytes that are not there."""
    own = weights()
    for i in range(6):
        own[f"synthesis.layers.{i}.bias"] = torch.zeros(1_000_000)
    with pytest.raises(CheckpointError, match="does not fit a StyleGAN"):
        load(write(tmp_path / "a.safetensors", small_state(layout, own)))


def test_layers_for_a_million_pixels(tmp_path: Path) -> None:
    tensors = small_state("lernapparat", widths=(1,))
    for level in range(1, 19):
        start = f"g_synthesis.blocks.{4 * 2**level}x{4 * 2**level}."
        for conv, epi in (("conv0_up", "epi1"), ("conv1", "epi2")):
            tensors |= {
                f"{start}{conv}.weight": torch.zeros(1, 1, 3, 3),
                f"{start}{conv}.bias": torch.zeros(1),
            }
            tensors |= {
                f"{start}{epi}.top_epi.noise.weight": torch.zeros(1),
                f"{start}{epi}.style_mod.lin.bias": torch.zeros(2),
            }
            tensors[f"{start}{epi}.style_mod.lin.weight"] = torch.zeros(2, 5)
    with pytest.raises(CheckpointError, match=r"up to 22, which is 4096 pixels"):
        load(write(tmp_path / "a.safetensors", tensors))


def full_size() -> dict[str, Tensor]:
    """Random weights of the 256-pixel network that HiGAN published, in half precision."""
    widths = tuple(min(16384 // (4 * 2**level), 512) for level in range(7))
    shapes = {
        name: tuple(t.shape)
        for name, t in small_state(
            "higan", widths=(1, 1, 1, 1, 1, 1, 1), z_dim=1, w_dim=1, depth=8, hidden=1
        ).items()
    }
    random = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        made = _full_shape(name, shape, widths)
        row = torch.randn(max(made[-1:], default=1) + 1, generator=random)
        scale = (
            100.0
            if name.startswith("mapping") and name.endswith("fc.weight")
            else 0.3
            if "bias" in name or "apply_noise.weight" in name
            else 1.0
        )
        values = (
            row.repeat(max(1, torch.Size(made).numel()) // len(row) + 1)[: torch.Size(made).numel()].view(
                made
            )
            * scale
        )
        tensors[name] = torch.zeros(()) if name.endswith("lod") else values.half()
        if name.endswith("kernel"):
            tensors[name] = (
                (torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16.0)
                .expand(made)
                .contiguous()
            )
    return tensors


def _full_shape(name: str, small: tuple[int, ...], widths: tuple[int, ...]) -> tuple[int, ...]:
    """The published shape of a tensor whose channels are all 1 in the small network."""
    part, *rest = name.split(".")
    if part in ("mapping", "truncation"):
        return small if rest == ["truncation"] else tuple(512 for _ in small)
    number = int("".join(c for c in rest[0] if c.isdigit()) or 0)
    if rest[0].startswith("output"):
        return (3, widths[number], 1, 1) if len(small) == 4 else (3,)
    if rest[0] == "lod" or rest[-1] == "noise":
        return small
    width, below = widths[number // 2], widths[max(number - 1, 0) // 2]
    if rest[-1] == "const":
        return (1, width, 4, 4)
    if rest[-1] == "kernel":
        return (width, 1, 3, 3)
    if "style_mod" in rest:
        return (2 * width, 512) if len(small) == 2 else (2 * width,)
    if len(small) == 4:
        return (width, below, 3, 3) if "conv" in rest else (3, 3, below, width)
    return (width,)


def test_full_size_checkpoint_loads(tmp_path: Path) -> None:
    tensors = full_size()
    assert len(tensors) == 123
    save_file(tensors, tmp_path / "bedroom.safetensors")
    generator = load(tmp_path / "bedroom.safetensors", check=False, truncation_psi=0.7, truncation_layers=8)
    card = generator.card
    assert (card.resolution, card.layers, card.code_size, card.latent_size) == (256, 14, 512, 512)
    assert [s.style_width for s in generator.strata] == [1024] * 8 + [512] * 2 + [256] * 2 + [128] * 2 + [
        None
    ]
    assert codes_of(generator).shape == (3, 14, 512)


@pytest.mark.full
def test_full_size_checkpoint_renders(tmp_path: Path) -> None:
    save_file(full_size(), tmp_path / "bedroom.safetensors")
    generator = load(tmp_path / "bedroom.safetensors", check=False)
    images = render(generator, codes_of(generator, 1))
    assert images.shape == (1, 3, 256, 256)
    assert images.isfinite().all()
    assert images.std() > 0.0
