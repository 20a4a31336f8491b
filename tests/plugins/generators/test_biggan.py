"""BigGAN as a generator: codes of layers, restarts, gradients, truncation, classes, and full sizes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Generator, Inputs, Pass, Stream, render
from ganstrata.core.errors import CheckpointError, ConfigError, DataError, ShapeError
from ganstrata.plugins.generators.biggan.stored import interpolate
from ganstrata.plugins.generators.shared.prior import truncated_normals
from generators_biggan import DEEP_256, ORIGINAL_128, State, hugging_face, plain, pytorch, small_state
from safetensors.torch import save_file
from torch import Tensor

GOLDEN = [
    "0x1.58bf000000000p-2",
    "0x1.f7f5820000000p-1",
    "0x1.0167d60000000p-6",
    "-0x1.48b4ea0000000p-2",
    "0x1.8a15440000000p-3",
    "-0x1.86681a0000000p+0",
]
KINDS = ("BigGAN-PyTorch", "BigGAN-PyTorch, deep")


def save(path: Path, tensors: State, **settings: Any) -> Path:
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        path,
        metadata={"ganstrata": json.dumps(settings)},
    )
    return path


def load(path: Path, **config: Any) -> Generator:
    return ganstrata.load_generator("biggan", checkpoint=str(path), device="cpu", **config)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("biggan")
    states = {layout: small_state(layout) for layout in (*KINDS, "BigGAN-PyTorch, no hierarchy")}
    states["varied"] = hugging_face(vary=True)
    return {name: save(folder / str(i), state) for i, (name, state) in enumerate(states.items())}


@pytest.fixture(scope="module", params=KINDS)
def small(request: pytest.FixtureRequest, paths: dict[str, Path]) -> Generator:
    """A small BigGAN and a small BigGAN-deep, 32 pixels and 6 layers each."""
    return load(paths[request.param])


def drawn(generator: Generator, n: int = 3) -> tuple[Tensor, Tensor]:
    """Codes that differ between layers, and classes."""
    latents = generator.sample(n * generator.card.layers, 1, 0, Stream.PROBING)
    assert latents.condition is not None
    return latents.z.view(n, generator.card.layers, -1), latents.condition[:n]


def read(generator: Generator) -> dict[int, slice]:
    """The entries of z that each layer's strata read, as the papers say."""
    size, layers = generator.card.code_size, generator.card.layers
    if generator.card.family == "BigGAN-deep":
        return {layer: slice(0, size) for layer in range(layers)}
    chunk = size // (layers // 2 + 1)
    slices = {layer: slice(chunk * (layer // 2 + 1), chunk * (layer // 2 + 2)) for layer in range(layers)}
    return {**slices, 0: slice(0, 2 * chunk)}


def test_codes_are_copies_of_z(small: Generator) -> None:
    z = small.sample(2, 0, 0, Stream.PROBING).z
    codes = small.broadcast(small.map(z))
    assert torch.equal(codes, z[:, None].expand(-1, small.card.layers, -1))
    assert small.space == "z"
    assert small.layer_scale.tolist() == [1.0] * 6
    assert small.groups == {"lower": (0, 1, 2), "upper": (3, 4, 5)}
    with pytest.raises(ShapeError):
        small.map(z[:, 1:])


def test_strata_read_layers_in_order(small: Generator) -> None:
    reads = [s.reads for s in small.strata if s.reads is not None]
    assert reads == [0, 0, 1, 2, 3, 4, 5]
    assert [s.name for s in small.strata if s.reads is None] == [
        next(s.name for s in small.strata if "attention" in s.name),
        "output",
    ]


def test_gradients_reach_what_a_layer_reads_and_nothing_else(small: Generator) -> None:
    codes, classes = drawn(small)
    codes.requires_grad_(True)
    images = render(small, codes, condition=classes)
    (gradient,) = torch.autograd.grad(images.square().sum(), codes)
    for layer, part in read(small).items():
        seen = torch.zeros(small.card.code_size, dtype=torch.bool)
        seen[part] = True
        assert (gradient[:, layer, seen].abs() > 0.0).any(dim=0).all(), layer
        assert (gradient[:, layer, ~seen] == 0.0).all(), layer


def test_gradients_agree_with_finite_differences(small: Generator) -> None:
    codes, classes = drawn(small, 2)
    random = torch.Generator().manual_seed(0)
    weights, step = torch.randn(3, 32, 32, generator=random), torch.randn(codes.shape, generator=random)
    codes.requires_grad_(True)

    def value(moved: Tensor) -> Tensor:
        return (render(small, moved, condition=classes) * weights).sum()

    (gradient,) = torch.autograd.grad(value(codes), codes)
    with torch.no_grad():
        difference = (value(codes + 1e-3 * step) - value(codes - 1e-3 * step)) / 2e-3
    assert abs(difference) > 1.0
    assert torch.isclose((gradient * step).sum(), difference, rtol=0.02)


def test_restarting_at_any_layer_equals_a_full_pass(small: Generator) -> None:
    codes, classes = drawn(small)
    base = Pass(small, codes, condition=classes, restarts=range(len(small.strata)))
    for layer in range(small.card.layers):
        edited = codes.clone()
        edited[:, layer] += 0.5
        full = render(small, edited, condition=classes)
        assert torch.equal(base.edited(edited, [layer]).images, full)
        assert not torch.allclose(full, base.rendering.images, atol=1e-3)


def test_a_stratum_does_not_spoil_the_state_it_restarts_from(small: Generator) -> None:
    codes, classes = drawn(small)
    base = Pass(small, codes, condition=classes, restarts=range(len(small.strata)))
    for s in range(1, len(small.strata)):
        x = base._states[s].x
        assert x is not None
        before = x.clone()
        reads = small.strata[s].reads
        small.stratum(s, base._states[s], None if reads is None else codes[:, reads])
        assert torch.equal(x, before)


def test_images_do_not_depend_on_the_batch(small: Generator) -> None:
    codes, classes = drawn(small, 5)
    together = render(small, codes, condition=classes)
    for i in range(5):
        assert torch.allclose(
            together[i : i + 1], render(small, codes[i : i + 1], condition=classes[i : i + 1]), atol=1e-5
        )


def test_bfloat16_is_close_to_float32(small: Generator) -> None:
    codes, classes = drawn(small)
    full, half = (
        render(small, codes, condition=classes, precision=precision) for precision in ("fp32", "bf16")
    )
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    assert (full - half).abs().mean() < 0.02
    features = Pass(
        small, codes, condition=classes, precision="bf16", features=range(len(small.strata) - 1)
    ).rendering.features
    assert {x.dtype for x in features.values()} == {torch.bfloat16}


def test_styles_are_linear_in_codes_where_a_layer_reads_one(small: Generator) -> None:
    codes, classes = drawn(small)
    states = Pass(small, codes, condition=classes, restarts=range(len(small.strata)))._states
    for s, stratum in enumerate(small.strata):
        if stratum.reads is None:
            assert stratum.style_width is None
            assert small.style(s, codes[:, 0]) is None
            assert small.style_weights(s) is None
            continue
        code = codes[:, stratum.reads]
        style, weights = small.style(s, code), small.style_weights(s)
        assert style is not None
        assert weights is not None
        assert style.shape == (3, stratum.style_width)
        assert weights.shape == (stratum.style_width, small.card.code_size)
        assert torch.allclose(style, code @ weights.t(), atol=1e-5)
        by_code, by_style, edited = (
            small.stratum(s, states[s], code, given).x for given in (None, style, style + 0.5)
        )
        assert by_code is not None
        assert by_style is not None
        assert edited is not None
        assert torch.equal(by_code, by_style)
        assert not torch.allclose(by_code, edited)


def test_without_hierarchy_there_is_one_layer(paths: dict[str, Path]) -> None:
    generator = load(paths["BigGAN-PyTorch, no hierarchy"])
    assert generator.card.layers == 1
    assert generator.groups == {}
    assert [s.name for s in generator.strata if s.reads is not None] == ["linear"]


# Truncation.


def test_samples_are_a_function_of_seed_stream_and_index(small: Generator) -> None:
    whole = small.sample(6, 5, 10, Stream.EDITING)
    part = small.sample(2, 5, 13, Stream.EDITING)
    assert torch.equal(whole.z[3:5], part.z)
    assert whole.condition is not None
    assert part.condition is not None
    assert torch.equal(whole.condition[3:5], part.condition)
    for other in (small.sample(6, 6, 10, Stream.EDITING), small.sample(6, 5, 10, Stream.NULL)):
        assert not torch.isclose(whole.z, other.z).any()


def test_the_same_bytes_on_any_machine() -> None:
    values = truncated_normals(0, Stream.PROBING, range(7, 9), 3)
    assert values.dtype == np.float32
    assert [value.hex() for value in values.astype(np.float64).flatten().tolist()] == GOLDEN


def test_the_prior_is_a_truncated_normal_distribution() -> None:
    z = np.sort(truncated_normals(0, Stream.PROBING, range(200), 100).flatten())
    low, high = (0.5 * math.erfc(x / math.sqrt(2.0)) for x in (2.0, -2.0))
    expected = np.array([(0.5 * math.erfc(-x / math.sqrt(2.0)) - low) / (high - low) for x in z[::100]])
    assert abs(z).max() <= 2.0
    assert abs(z).max() > 1.99
    assert (
        abs(expected - np.arange(0, len(z), 100) / len(z)).max() < 1.6 / len(z) ** 0.5
    )  # Kolmogorov and Smirnov, p = 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_scales_samples_and_leaves_given_latents_alone(paths: dict[str, Path], kind: str) -> None:
    one, half = load(paths[kind]), load(paths[kind], truncation=0.5)
    z = one.sample(4, 0, 0, Stream.PROBING).z
    assert torch.equal(half.sample(4, 0, 0, Stream.PROBING).z, z * 0.5)
    assert torch.equal(half.broadcast(half.map(z)), one.broadcast(one.map(z)))
    classes = torch.zeros(4, dtype=torch.long)  # with a single row of statistics only samples are truncated
    assert torch.equal(
        render(half, half.broadcast(z), condition=classes), render(one, one.broadcast(z), condition=classes)
    )
    assert (one.card.truncation, half.card.truncation) == ("none", "z times 0.5")


def test_truncation_picks_the_statistics_of_deep(paths: dict[str, Path]) -> None:
    codes = load(paths["varied"]).broadcast(torch.ones(2, 3))
    classes = torch.tensor([1, 2])
    images = {
        t: render(load(paths["varied"], truncation=t), codes, condition=classes)
        for t in (1.0, 0.5, 0.51, 0.52)
    }
    assert (images[1.0] - images[0.5]).abs().max() > 0.01
    near, far = ((images[0.51] - images[t]).abs().max() for t in (0.5, 0.52))
    assert abs(near - far) < 0.2 * far  # half way between two rows the weights are equal, swapped or not


def test_coefficients_between_two_rows_are_swapped_as_published() -> None:
    table = torch.arange(51.0)[:, None]
    assert interpolate(table, 1.0).item() == 50.0
    assert interpolate(table, 0.5).item() == 25.0
    assert interpolate(table, 0.437).item() == pytest.approx(21.15, abs=1e-4)  # 21 * 0.85 + 22 * 0.15
    assert interpolate(table, 0.01).item() == pytest.approx(0.5, abs=1e-6)
    assert interpolate(torch.tensor([[3.0]]), 0.3).item() == 3.0


@pytest.mark.parametrize("truncation", [0.0, -0.5, 1.01, "all"])
def test_truncation_out_of_range_is_refused(paths: dict[str, Path], truncation: object) -> None:
    with pytest.raises(ConfigError, match="truncation"):
        load(paths[KINDS[0]], truncation=truncation)


# Classes.


def test_classes_and_weights_of_classes_mean_the_same(small: Generator) -> None:
    codes, _ = drawn(small)
    classes = torch.tensor([4, 0, 2])
    by_class = render(small, codes, condition=classes)
    assert torch.equal(by_class, render(small, codes, condition=torch.eye(5)[classes]))
    assert (by_class - render(small, codes, condition=torch.tensor([3, 0, 2])))[0].abs().max() > 0.01


def test_mixed_classes_have_mixed_embeddings(small: Generator, paths: dict[str, Path]) -> None:
    codes, _ = drawn(small, 1)
    mixed = torch.tensor([[0.3, 0.7, 0.0, 0.0, 0.0]])
    state = small_state("BigGAN-PyTorch" if small.card.family == "BigGAN" else "BigGAN-PyTorch, deep")
    embedding = small.begin(Inputs(1, mixed, torch.arange(1))).kept["class"]
    assert torch.allclose(embedding, mixed @ state["shared.weight"], atol=1e-6)
    wanted = plain(state, codes[:, 0], mixed)
    images = render(small, small.broadcast(codes[:, 0]), condition=mixed) * 2.0 - 1.0
    assert torch.allclose(images.double(), wanted, atol=1e-5)


def test_conditions_that_do_not_fit_are_refused(small: Generator) -> None:
    codes, _ = drawn(small)
    with pytest.raises(DataError, match="conditional"):
        render(small, codes)
    with pytest.raises(DataError, match="classes 0 to 4"):
        render(small, codes, condition=torch.tensor([0, 1, 5]))
    with pytest.raises(ShapeError):
        render(small, codes, condition=torch.ones(3, 4))


def test_only_the_configured_classes_are_drawn(paths: dict[str, Path]) -> None:
    for classes, wanted in ((3, {3}), ([1, 4], {1, 4}), ("sampled", {0, 1, 2, 3, 4})):
        condition = load(paths[KINDS[0]], classes=classes).sample(60, 0, 0, Stream.PROBING).condition
        assert condition is not None
        assert set(condition.tolist()) == wanted
    with pytest.raises(CheckpointError, match="classes 0 to 4"):
        load(paths[KINDS[0]], classes=5)


# Full sizes: 128 pixels and ch 96 as in the paper's appendix, 256 pixels as published.


def original_128() -> State:
    return pytorch([96 * w for w in ORIGINAL_128], chunk=20, classes=1000, shared=128, attention=(3,))


def deep_256() -> State:
    deep = pytorch(
        [128 * w for w in DEEP_256], deep=True, chunk=128, classes=1000, shared=128, attention=(7,)
    )
    return hugging_face(deep, colours=128)


@pytest.mark.parametrize(
    ("state", "resolution", "layers", "z"),
    [(original_128, 128, 10, 120), pytest.param(deep_256, 256, 12, 128, marks=pytest.mark.full)],
)
def test_full_size_checkpoints_load(tmp_path: Path, state: Any, resolution: int, layers: int, z: int) -> None:
    path = tmp_path / "net.pth"
    torch.save(state(), path)
    card = ganstrata.load_generator("auto", checkpoint=str(path), device="cpu", check=False).card
    assert (card.resolution, card.layers, card.code_size, card.latent_size) == (resolution, layers, z, z)


@pytest.mark.full
@pytest.mark.parametrize("state", [original_128, deep_256])
def test_full_size_checkpoints_render(tmp_path: Path, state: Any) -> None:
    path = tmp_path / "net.pth"
    torch.save(state(), path)
    generator = ganstrata.load_generator("auto", checkpoint=str(path), device="cpu", truncation=0.5)
    latents = generator.sample(1, 0, 0, Stream.PROBING)
    with torch.no_grad():
        images = render(generator, generator.broadcast(generator.map(latents.z)), condition=latents.condition)
    assert images.shape == (1, 3, generator.card.resolution, generator.card.resolution)
    assert images.isfinite().all()
    assert images.std() > 0.01
