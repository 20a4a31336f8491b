"""What the R3GAN plugin reads off a file, and its pictures against the plain network of generators_r3gan.py.

There are no numbers of the reference implementation to compare with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from derivatives import checked_gradient
from ganstrata import Generator, Pass, Stream, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError, DataError
from ganstrata.plugins.generators.r3gan.generator import R3GAN
from generators_r3gan import LAYOUTS, plain, small_state
from safetensors.torch import save_file
from torch import Tensor

SIZES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "one stage": {"widths": (4,), "blocks": (1,), "groups": (2,)},
    "four stages": {"widths": (8, 6, 4, 4), "blocks": (1, 2, 1, 1), "groups": (8, 3, 4, 1)},
    "another expansion": {"expansion": 3, "groups": (3, 6, 12)},
    "another filter": {"taps": (1.0, 2.0, 4.0, 4.0, 2.0, 1.0)},
    "a lopsided filter": {"taps": (1.0, 2.0, 5.0, 3.0)},
    "the shortest filter": {"taps": (1.0, 1.0)},
}


def load(path: Path, **config: Any) -> Generator:
    return ganstrata.load_generator("r3gan", checkpoint=str(path), device="cpu", **config)


def write(path: Path, tensors: dict[str, Tensor], **settings: Any) -> Path:
    save_file(tensors, path, metadata={"ganstrata": json.dumps(settings)})
    return path


def codes_of(generator: Generator, n: int = 3) -> Tensor:
    return generator.broadcast(generator.sample(n, 0, 0, Stream.PROBING).z)


@pytest.fixture
def small(tmp_path: Path) -> Generator:
    return load(write(tmp_path / "small.safetensors", small_state()))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_pictures_are_those_of_the_plain_network(layout: str, sizes: dict[str, Any], tmp_path: Path) -> None:
    state = small_state(layout, **sizes)
    path = write(tmp_path / "a.safetensors", state)
    assert choose(read_checkpoint(path)).plugin == "r3gan"
    generator = load(path)
    card, stages = generator.card, len(sizes.get("widths", (0, 0, 0)))
    assert (card.family, card.resolution, card.layers, card.latent_size, card.code_size) == (
        "R3GAN",
        4 * 2 ** (stages - 1),
        1,
        5,
        5,
    )
    assert [s.reads for s in generator.strata] == [0] + [None] * (len(generator.strata) - 1)
    assert generator.space == "z"
    codes = codes_of(generator)
    wanted = plain(state, codes[:, 0])
    assert wanted.std() > 0.1
    assert (render(generator, codes) * 2.0 - 1.0 - wanted).abs().max() < 1e-5


def test_strata_are_named_after_resolutions(small: Generator) -> None:
    names = [
        "basis",
        "b4.block0",
        "b4.block1",
        "b8.up",
        "b8.block0",
        "b16.up",
        "b16.block0",
        "b16.block1",
        "rgb",
    ]
    assert [s.name for s in small.strata] == names
    assert [s.size for s in small.strata] == [4, 4, 4, 8, 8, 16, 16, 16, 16]
    features = Pass(small, codes_of(small), features=range(8)).rendering.features
    assert [tuple(x.shape[1:]) for x in features.values()] == [(6, 4, 4)] * 3 + [(6, 8, 8)] * 2 + [
        (4, 16, 16)
    ] * 3


def test_classes_are_embedded_beside_z(tmp_path: Path) -> None:
    state = small_state(classes=4)
    generator = load(write(tmp_path / "a.safetensors", state))
    assert (generator.card.latent_size, generator.architecture.classes) == (5, 4)  # type: ignore[attr-defined]
    codes, classes = codes_of(generator), torch.tensor([3, 0, 2])
    images = render(generator, codes, condition=classes)
    assert (images * 2.0 - 1.0 - plain(state, codes[:, 0], classes)).abs().max() < 1e-5
    assert torch.equal(images, render(generator, codes, condition=torch.eye(4)[classes]))
    assert not torch.allclose(images, render(generator, codes, condition=classes.flip(0)), atol=1e-2)
    with pytest.raises(DataError, match="needs a class from 0 to 3"):
        render(generator, codes)
    drawn = load(tmp_path / "a.safetensors", classes=[1, 3]).sample(40, 0, 0, Stream.PROBING).condition
    assert drawn is not None
    assert set(drawn.tolist()) == {1, 3}


@pytest.mark.parametrize("classes", [0, 4])
def test_the_style_is_a_linear_map_of_z_and_can_be_given_instead(classes: int, tmp_path: Path) -> None:
    generator = load(write(tmp_path / "a.safetensors", small_state(classes=classes)))
    codes, condition = codes_of(generator), torch.tensor([3, 0, 2]) if classes else None
    style, weights = generator.style(0, codes[:, 0]), generator.style_weights(0)
    assert style is not None
    assert weights is not None
    assert style.shape == (3, generator.strata[0].style_width)
    assert torch.allclose(style, codes[:, 0] @ weights.t(), atol=1e-6)
    state = generator.begin(ganstrata.Inputs(3, condition, torch.arange(3)))
    by_code, by_style = generator.stratum(0, state, codes[:, 0]).x, generator.stratum(0, state, None, style).x
    other = generator.stratum(0, state, codes[:, 0], style + 1.0).x
    assert by_code is not None
    assert by_style is not None
    assert other is not None
    assert torch.equal(by_code, by_style)
    assert not torch.allclose(by_code, other)
    assert all(generator.style(s, codes[:, 0]) is None for s in range(1, len(generator.strata)))


@pytest.mark.parametrize("classes", [0, 4])
def test_tensors_that_examine_returns_load_again(classes: int, tmp_path: Path) -> None:
    source = write(tmp_path / "a.safetensors", small_state(classes=classes))
    examined = R3GAN.examine(read_checkpoint(source).parts[0])
    assert examined is not None
    assert (examined.missing, examined.superfluous, examined.misshapen, examined.classes) == (
        (),
        (),
        (),
        classes,
    )
    again = write(
        tmp_path / "b.safetensors", dict(examined.tensors), plugin="r3gan", network=examined.architecture
    )
    assert choose(read_checkpoint(again)).plugin == "r3gan"
    one, other = load(source), load(again)
    condition = torch.tensor([3, 0, 2]) if classes else None
    codes = codes_of(one)
    assert torch.equal(render(one, codes, condition=condition), render(other, codes, condition=condition))
    assert one.card.weights == other.card.weights
    assert one.architecture == other.architecture  # type: ignore[attr-defined]


OTHERS: dict[str, tuple[str, ...]] = {
    "its discriminator": (
        "Model.ExtractionLayer.Layer.weight",
        "Model.MainLayers.0.Layers.0.Basis",
        "Model.MainLayers.0.Layers.1.LinearLayer2.Layer.weight",
    ),
    "R3GAN2": (
        "Model.Head.LinearLayer.Weight.Weight",
        "Model.MainLayers.0.Layers.0.Gain",
        "Model.AggregationLayer.Weight.Weight",
        "Model.Gain",
    ),
    "StyleGAN2": ("mapping.fc0.weight", "synthesis.b4.conv1.weight", "synthesis.b4.torgb.weight"),
    "nothing": (),
}


@pytest.mark.parametrize("names", OTHERS.values(), ids=OTHERS)
def test_other_networks_are_not_recognised(names: tuple[str, ...]) -> None:
    assert R3GAN.recognise(dict.fromkeys(names, (2, 2)), {}) is None
    assert R3GAN.examine(Part("", {name: torch.zeros(2, 2) for name in names}, {})) is None


def test_missing_superfluous_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    tensors = small_state()
    del tensors["Model.MainLayers.2.Layers.1.NonLinearity1.Bias"]
    tensors["mapping.fc0.weight"] = torch.zeros(2, 2)
    tensors["Model.MainLayers.1.Layers.0.LinearLayer.Layer.weight"] = torch.zeros(6, 6, 1, 1)
    tensors["Model.MainLayers.0.Layers.1.LinearLayer3.Layer.weight"] = torch.zeros(6, 11, 1, 1)
    with pytest.raises(CheckpointError) as caught:
        load(write(tmp_path / "a.safetensors", tensors))
    message = str(caught.value)
    stored, here = "Model.MainLayers.2.Layers.1.NonLinearity1.Bias", "stages.2.blocks.0.bias1"
    assert f"missing {stored} (probably its name; here {here})" in message
    assert "superfluous mapping.fc0.weight" in message
    assert "superfluous Model.MainLayers.1.Layers.0.LinearLayer.Layer.weight" in message
    assert (
        "Model.MainLayers.0.Layers.1.LinearLayer3.Layer.weight is (6, 11, 1, 1), expected (6, 12, 1, 1)"
        in message
    )


@pytest.mark.parametrize("name", sorted(small_state(classes=4)))
def test_any_missing_or_misshapen_tensor_is_refused_without_a_crash(name: str, tmp_path: Path) -> None:
    tensors = small_state(classes=4)
    damaged = [tensors | {name: torch.zeros(shape)} for shape in ((), (3, 5, 2), (0, 0, 0, 0), (9, 1))]
    # Without its embedding a network is one without classes and with a wider z, and right as such.
    gone = [] if "Embedding" in name else [{k: v for k, v in tensors.items() if k != name}]
    for state in (*gone, *damaged):
        with pytest.raises(CheckpointError):
            load(write(tmp_path / "a.safetensors", state))


def test_sizes_that_a_file_claims_take_no_memory(tmp_path: Path) -> None:
    tensors = small_state() | {
        "Model.MainLayers.0.Layers.1.LinearLayer1.Layer.weight": torch.zeros(1, 3_000_000, 1, 1)
    }
    with pytest.raises(CheckpointError, match="does not fit a R3GAN"):
        load(write(tmp_path / "a.safetensors", tensors))


def test_an_edit_restarts_where_the_code_is_read_and_equals_a_full_pass(small: Generator) -> None:
    codes = codes_of(small)
    done = Pass(small, codes, restarts=[0])
    assert torch.equal(done.edited(codes + 0.5, (0,)).images, render(small, codes + 0.5))
    assert not torch.allclose(done.rendering.images, render(small, codes + 0.5), atol=1e-3)


def test_a_pass_does_not_change_its_stored_states(small: Generator) -> None:
    """Activations overwrite their input: never one that somebody still holds."""
    codes = codes_of(small)
    done = Pass(small, codes, features=range(8))
    before = {s: x.clone() for s, x in done.rendering.features.items()}
    render(small, codes)
    again = Pass(small, codes, features=range(8)).rendering.features
    assert all(
        torch.equal(before[s], again[s]) and torch.equal(before[s], done.rendering.features[s])
        for s in range(8)
    )


def test_pictures_do_not_depend_on_the_batch(small: Generator) -> None:
    codes = codes_of(small, 5)
    assert torch.allclose(render(small, codes)[3:4], render(small, codes[3:4]), atol=1e-5)
    assert torch.equal(small.sample(2, 0, 3, Stream.PROBING).z, small.sample(5, 0, 0, Stream.PROBING).z[3:])


def test_gradients_reach_the_codes(small: Generator) -> None:
    gradient = checked_gradient(small, codes_of(small, 2))
    assert gradient.abs().min() > 0.0


def test_bfloat16_is_close_to_float32(small: Generator) -> None:
    codes = codes_of(small)
    full, half = render(small, codes), render(small, codes, precision="bf16")
    assert half.dtype == torch.float32
    assert 0.0 < (full - half).abs().mean() < 0.01


def test_a_full_size_checkpoint_loads(tmp_path: Path) -> None:
    """The authors' network for FFHQ at 256 pixels, narrowed from 768 to 192 channels in the wide stages."""
    tensors = small_state(widths=(192,) * 4 + (192, 192, 96), blocks=(2,) * 7, groups=(96,) * 7, z=64)
    save_file({name: tensor.half() for name, tensor in tensors.items()}, tmp_path / "ffhq.safetensors")
    generator = load(tmp_path / "ffhq.safetensors", check=False)
    card = generator.card
    assert (card.resolution, card.layers, card.code_size) == (256, 1, 64)
    assert generator.architecture.groups == ((96, 96),) * 7  # type: ignore[attr-defined]
    assert len(generator.strata) == 1 + 7 * 2 + 6 + 1


@pytest.mark.full
def test_a_full_size_checkpoint_renders(tmp_path: Path) -> None:
    tensors = small_state(widths=(768,) * 4 + (384, 192, 96), blocks=(2,) * 7, groups=(96,) * 7, z=64)
    save_file({name: tensor.half() for name, tensor in tensors.items()}, tmp_path / "ffhq.safetensors")
    generator = load(tmp_path / "ffhq.safetensors", check=False)
    images = render(generator, codes_of(generator, 1))
    assert images.shape == (1, 3, 256, 256)
    assert images.isfinite().all()
    assert images.std() > 0.0
