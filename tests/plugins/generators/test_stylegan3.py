"""The StyleGAN3 plugin as a generator: strata, gradients, precision, and where the picture is put."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
import torch.nn.functional as F
from closeness import assert_near
from ganstrata import Generator, Pass, Stream, render
from ganstrata.core.errors import CheckpointError, ConfigError, DataError
from ganstrata.plugins.generators.stylegan3 import filters
from ganstrata.plugins.generators.stylegan3.filters import Resampling, filtered_lrelu
from generators_stylegan3 import RADIAL, small_state
from safetensors.torch import save_file
from torch import Tensor

DATA = Path(__file__).parents[2] / "data"
T, R = DATA / "stylegan3_t_32.safetensors", DATA / "stylegan3_r_32.safetensors"


def load(path: Path = T, **config: Any) -> Generator:
    return ganstrata.load_generator("stylegan3", checkpoint=str(path), device="cpu", **config)


def codes_of(generator: Generator, n: int = 2, start: int = 0) -> Tensor:
    latents = generator.sample(n, 0, start, Stream.PROBING)
    return generator.broadcast(generator.map(latents.z, latents.condition))


def plainly(
    x: Tensor,
    up_filter: Tensor | None,
    down_filter: Tensor | None,
    up: int,
    down: int,
    after: int,
    clamp: float,
) -> Tensor:
    """Zeros between and around samples, a dense filter, the nonlinearity, a filter, every down-th value."""
    n, channels, before, _ = x.shape
    taps = [1 if f is None else f.shape[0] for f in (up_filter, down_filter)]
    dense = [
        torch.ones(1, 1, dtype=x.dtype) if f is None else torch.outer(f, f) if f.ndim == 1 else f
        for f in (up_filter, down_filter)
    ]
    wide = x.new_zeros(n, channels, before * up, before * up)
    wide[:, :, ::up, ::up] = x
    total = (after - 1) * down + 1 - before * up + taps[0] + taps[1] - 2
    begin = (total + up) // 2
    wide = F.pad(wide, (begin, total - begin) * 2)
    wide = F.conv2d(wide, (up**2 * dense[0]).flip(0, 1).expand(channels, 1, -1, -1), groups=channels)
    wide = F.leaky_relu(wide, 0.2).clamp(-clamp, clamp)
    return F.conv2d(wide, dense[1].flip(0, 1).expand(channels, 1, -1, -1), groups=channels)[
        :, :, ::down, ::down
    ]


@pytest.mark.parametrize("up", [1, 2, 3, 4])
@pytest.mark.parametrize("down", [1, 2, 4])
@pytest.mark.parametrize(("before", "after"), [(9, 9), (8, 13), (13, 6), (7, 16), (20, 5)])
def test_the_filtered_nonlinearity_follows_its_definition(
    up: int, down: int, before: int, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filters that are not symmetric, sizes that grow and shrink, few channels at a time."""
    monkeypatch.setattr(filters, "BLOCK", 1)
    random = torch.Generator().manual_seed(up + 10 * down + 100 * before)
    x = torch.randn(2, 18, before, before, generator=random, dtype=torch.float64).requires_grad_()
    first = torch.rand(3 * up, generator=random, dtype=torch.float64) if up > 1 else None
    second = (
        torch.rand((3 * down,) * (1 + up % 2), generator=random, dtype=torch.float64) if down > 1 else None
    )
    place = Resampling(before, after, up, down, 3 * up if up > 1 else 1, 3 * down if down > 1 else 1)
    wanted = plainly(x, first, second, up, down, after, 3.0)
    filtered = filtered_lrelu(x * 1.0, first, second, place, 3.0)
    assert filtered.shape == wanted.shape == (2, 18, after, after)
    assert torch.allclose(filtered, wanted, atol=1e-10)
    weights = torch.randn(wanted.shape, generator=random, dtype=torch.float64)
    slopes = [torch.autograd.grad((y * weights).sum(), x)[0] for y in (filtered, wanted)]
    assert torch.allclose(*slopes, atol=1e-9)


@pytest.mark.parametrize("path", [T, R])
def test_edits_restart_at_their_layer_and_equal_a_full_pass(path: Path) -> None:
    generator = load(path)
    codes, others = codes_of(generator), codes_of(generator, start=7)
    done = Pass(generator, codes, restarts=range(len(generator.strata)))
    for layer in range(generator.card.layers):
        edited = codes.clone()
        edited[:, layer] = others[:, layer]
        assert torch.equal(done.edited(edited, [layer]).images, render(generator, edited))
        assert not torch.allclose(done.edited(edited, [layer]).images, done.rendering.images, atol=1e-3)


@pytest.mark.parametrize("path", [T, R])
def test_a_picture_does_not_depend_on_the_batch(path: Path) -> None:
    generator = load(path)
    codes = codes_of(generator, 5)
    together = render(generator, codes)
    for i in range(5):
        assert torch.allclose(render(generator, codes[i : i + 1])[0], together[i], atol=1e-5)
    assert torch.equal(render(generator, codes), together)
    assert_near(codes_of(generator, 2, start=3), codes_of(load(path), 5)[3:])


@pytest.mark.parametrize("path", [T, R])
def test_gradients_reach_every_code(path: Path) -> None:
    generator = load(path)
    codes = codes_of(generator, 1).requires_grad_()
    random = torch.Generator().manual_seed(0)
    weights = torch.randn(1, 3, 32, 32, generator=random)
    (slope,) = torch.autograd.grad((render(generator, codes) * weights).sum(), codes)
    assert slope.isfinite().all()
    with torch.no_grad():
        for layer in range(generator.card.layers):
            step = torch.zeros_like(codes)
            step[:, layer] = torch.randn(1, 16, generator=random) * 2e-3
            ahead, behind = (render(generator, codes + sign * step).double() for sign in (1.0, -1.0))
            wanted = float(((ahead - behind) * weights).sum()) / 2.0
            assert wanted == pytest.approx(float((slope * step).sum()), rel=0.05, abs=2e-3)


@pytest.mark.parametrize("path", [T, R])
def test_half_precision_is_close_to_float32(path: Path) -> None:
    generator = load(path)
    codes = codes_of(generator)
    full, half = render(generator, codes), render(generator, codes, precision="bf16")
    assert half.dtype == torch.float32
    assert (full - half).abs().mean() < 0.02 * full.std()
    assert not torch.equal(full, half)


def test_an_edited_style_takes_the_place_of_the_affine() -> None:
    generator = load()
    codes = codes_of(generator)
    state = generator.begin(ganstrata.Inputs(2, None, torch.arange(2)))
    for s in range(2):
        style = generator.style(s, codes[:, s])
        assert style is not None
        by_code, by_style = generator.stratum(s, state, codes[:, s]), generator.stratum(s, state, None, style)
        assert by_code.x is not None
        assert by_style.x is not None
        assert torch.equal(by_code.x, by_style.x)
        edited = generator.stratum(
            s, state, codes[:, s], style + torch.tensor([1.0, *[0.0] * (style.shape[1] - 1)])
        ).x
        assert edited is not None
        assert not torch.allclose(edited, by_code.x, atol=1e-3)
        state = by_code
        weights = generator.style_weights(s)
        assert weights is not None
        assert torch.allclose(style[0] - style[1], weights @ (codes[0, s] - codes[1, s]), atol=1e-5)
    silent = generator.stratum(1, generator.stratum(0, state, codes[:, 0]), None, torch.zeros(2, 16)).x
    assert silent is not None
    assert silent.isfinite().all(), "a style of zeros is a style"


def smooth_error(actual: Tensor, expected: Tensor) -> float:
    """Root mean square of the difference well inside the picture, against the spread of the wanted one."""
    inside = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    return float((actual[inside] - expected[inside]).std() / expected[inside].std())


@pytest.mark.parametrize("kind", [{}, RADIAL])
def test_a_shift_by_whole_pixels_moves_the_picture(kind: dict[str, Any], tmp_path: Path) -> None:
    state = small_state(img_resolution=32, channel_max=16, channel_base=1024, num_layers=8, **kind)
    save_file(state, tmp_path / "a.safetensors")
    still = load(tmp_path / "a.safetensors")
    codes = codes_of(still, 3)
    images = render(still, codes)
    for right, down in ((3, 0), (0, -2), (1, 4)):
        moved = render(
            load(tmp_path / "a.safetensors", input_transform={"translate": [right / 32, down / 32]}), codes
        )
        error = smooth_error(moved, images.roll((down, right), (2, 3)))
        assert error < 1e-3, "next to nothing aliases"
        assert smooth_error(moved, images.roll((-down, -right), (2, 3))) > 0.1


def test_a_quarter_turn_turns_the_picture_of_r(tmp_path: Path) -> None:
    """Its filters are round and its convolutions point-wise: only the last layers' filters prefer an axis."""
    save_file(
        small_state(img_resolution=32, channel_max=16, channel_base=1024, num_layers=8, **RADIAL),
        tmp_path / "a.safetensors",
    )
    still, turned = (
        load(tmp_path / "a.safetensors"),
        load(tmp_path / "a.safetensors", input_transform={"rotate": 90}),
    )
    codes = codes_of(still, 3)
    images = render(still, codes)
    assert smooth_error(render(turned, codes), images.rot90(1, (2, 3))) < 1e-3, "counter-clockwise"
    assert smooth_error(render(turned, codes), images.rot90(-1, (2, 3))) > 0.4


def test_a_movement_and_its_matrix_are_the_same() -> None:
    codes = codes_of(load())
    plain = render(load(), codes)
    matrix = [[0.0, 1.0, 0.25], [-1.0, 0.0, -0.125], [0.0, 0.0, 1.0]]
    by_words = render(load(input_transform={"rotate": 90.0, "translate": [0.25, -0.125]}), codes)
    assert torch.allclose(by_words, render(load(input_transform=matrix), codes), atol=1e-5)
    assert not torch.allclose(by_words, plain, atol=1e-2)
    assert torch.equal(render(load(input_transform={}), codes), plain)


def test_a_movement_stored_in_the_file_holds_until_another_is_configured(tmp_path: Path) -> None:
    state = small_state()
    save_file(state, tmp_path / "still.safetensors")
    state["synthesis.input.transform"] = torch.tensor([[1.0, 0.0, -0.25], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    save_file(state, tmp_path / "moved.safetensors")
    still, moved = tmp_path / "still.safetensors", tmp_path / "moved.safetensors"
    codes = codes_of(load(still))
    shifted = render(load(still, input_transform={"translate": [0.25, 0.0]}), codes)
    assert torch.allclose(render(load(moved), codes), shifted, atol=1e-5)
    assert torch.allclose(
        render(load(moved, input_transform={}), codes), render(load(still), codes), atol=1e-5
    )


@pytest.mark.parametrize(
    "wrong",
    [
        [[1, 0, 0], [0, 1, 0]],
        [[1, 0, 0], [1, 0, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0], [0.1, 0, 1]],
        [[1, 0, float("nan")], [0, 1, 0], [0, 0, 1]],
        {"shift": [0, 1]},
        {"translate": [1.0]},
        {"rotate": float("inf")},
        "rotate",
    ],
)
def test_matrices_that_are_no_movement_are_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="input_transform"):
        load(input_transform=wrong)


def test_classes_are_drawn_as_chosen_and_change_the_code(tmp_path: Path) -> None:
    save_file(small_state(c_dim=4), tmp_path / "a.safetensors")
    generator = load(tmp_path / "a.safetensors", classes=[1, 3])
    latents = generator.sample(40, 0, 0, Stream.PROBING)
    assert latents.condition is not None
    assert set(latents.condition.tolist()) == {1, 3}
    z = latents.z[:1].expand(2, -1)
    assert not torch.allclose(*generator.map(z, torch.tensor([1, 2])), atol=1e-3)
    with pytest.raises(DataError, match="0 to 3"):
        generator.map(z)
    with pytest.raises(CheckpointError, match="unconditional"):
        load(classes=1)


def test_groups_follow_the_sampling_rate(tmp_path: Path) -> None:
    assert load().groups == {"bottom": (0, 1, 2), "top": (3, 4, 5, 6, 7)}
    save_file(small_state(img_resolution=128, num_layers=14, spread=0.0), tmp_path / "a.safetensors")
    generator = load(tmp_path / "a.safetensors")
    # Rates 16, 32, 64 and 128.
    assert generator.groups == {
        "bottom": (0, 1, 2, 3),
        "lower": (4, 5, 6),
        "upper": (7, 8, 9),
        "top": (10, 11, 12, 13, 14, 15),
    }
    save_file(small_state(img_resolution=16), tmp_path / "b.safetensors")
    assert load(tmp_path / "b.safetensors").groups is None


def test_noise_is_not_an_option() -> None:
    with pytest.raises(ConfigError, match="noise"):
        load(noise="fresh")
