"""BigGAN under every published name, its architecture read off shapes, and files that are none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Generator, render
from ganstrata.core.checkpoints import Part
from ganstrata.core.checkpoints.detect import Examined
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.biggan.architecture import infer
from ganstrata.plugins.generators.biggan.generator import BigGAN
from generators_biggan import (
    DEEP_256,
    LAYOUTS,
    ORIGINAL_128,
    State,
    hugging_face,
    own_statistics,
    plain,
    pytorch,
    small_state,
)
from safetensors.torch import save_file
from torch import Tensor

PLAIN = [
    name for name in LAYOUTS if name not in ("BigGAN-PyTorch, own statistics", "pytorch-pretrained-BigGAN")
]


def write(path: Path, tensors: State, **settings: Any) -> Path:
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        path,
        metadata={"ganstrata": json.dumps(settings)},
    )
    return path


def load(path: Path, tensors: State, **settings: Any) -> Generator:
    return ganstrata.load_generator("auto", checkpoint=str(write(path, tensors, **settings)), device="cpu")


def examined(tensors: State, **settings: Any) -> Examined:
    examination = BigGAN.examine(Part("", tensors, settings))
    assert examination is not None
    return examination


def faults(examination: Examined) -> tuple[str, ...]:
    return (*examination.missing, *examination.superfluous, *examination.misshapen)


def images(generator: Generator, z: Tensor, classes: Tensor) -> Tensor:
    return render(generator, generator.broadcast(generator.map(z)), condition=classes) * 2.0 - 1.0


def drawn(generator: Generator, n: int = 2) -> tuple[Tensor, Tensor]:
    latents = generator.sample(n, 3, 0, ganstrata.Stream.PROBING)
    assert latents.condition is not None
    return latents.z, latents.condition


@pytest.mark.parametrize("layout", PLAIN)
def test_images_are_those_of_the_bare_network(tmp_path: Path, layout: str) -> None:
    generator = load(tmp_path / "net", small_state(layout))
    z, classes = drawn(generator)
    wanted = plain(small_state(layout), z, torch.eye(5)[classes])
    assert wanted.std() > 0.05
    assert wanted.abs().max() < 0.999, "saturated images would hide differences"
    assert (images(generator, z, classes) - wanted).abs().max() < 1e-5


@pytest.mark.parametrize("attention", [(), (0,), (1, 2), (3,)])
def test_attention_stands_where_the_names_put_it(tmp_path: Path, attention: tuple[int, ...]) -> None:
    for deep in (False, True):
        state = pytorch((16, 16, 8, 8, 8), deep=deep, attention=attention)
        generator = load(tmp_path / "net", state)
        z, classes = drawn(generator)
        assert (images(generator, z, classes) - plain(state, z, torch.eye(5)[classes])).abs().max() < 1e-5
        assert [s.name for s in generator.strata if "attention" in s.name] == [
            f"block{i}.attention" for i in attention
        ]


@pytest.mark.parametrize("attention", [(0,), (1, 4), ()])
def test_pytorch_and_hugging_face_names_of_one_network_give_the_same_images(
    tmp_path: Path, attention: tuple[int, ...]
) -> None:
    deep = pytorch((24, 24, 16, 8), deep=True, attention=attention)
    one, other = load(tmp_path / "a", deep), load(tmp_path / "b", hugging_face(deep))
    z, classes = drawn(one)
    assert torch.allclose(images(one, z, classes), images(other, z, classes), atol=1e-5)
    wider = load(tmp_path / "c", hugging_face(deep, colours=8))
    assert torch.allclose(images(one, z, classes), images(wider, z, classes), atol=1e-5)


def test_both_kinds_of_batch_normalisation_give_the_same_images(tmp_path: Path) -> None:
    state = pytorch()
    one, other = load(tmp_path / "a", state), load(tmp_path / "b", own_statistics(state))
    z, classes = drawn(one)
    assert torch.equal(images(one, z, classes), images(other, z, classes))
    summed = own_statistics(state)
    for name in list(summed):
        if name.endswith("accumulation_counter"):
            summed[name] = torch.full((1,), 16.0)
        if ".bn.stored_" in name:
            summed[name] = summed[name] * 16.0
    assert torch.allclose(
        images(load(tmp_path / "c", summed), z, classes), images(one, z, classes), atol=1e-6
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_converted_tensors_give_the_same_images(tmp_path: Path, layout: str) -> None:
    generator = load(tmp_path / "net", small_state(layout))
    examination = examined(small_state(layout))
    assert faults(examination) == ()
    converted = load(
        tmp_path / "ours",
        dict(examination.tensors),
        plugin="biggan",
        network=dict(examination.architecture),
        family=examination.family,
    )
    z, classes = drawn(generator)
    assert torch.equal(images(converted, z, classes), images(generator, z, classes))
    assert converted.card.weights == generator.card.weights
    assert converted.fingerprint == generator.fingerprint


def test_the_header_keeps_what_shapes_do_not_tell(tmp_path: Path) -> None:
    up = [True, False, False, True, False, True]
    settings: dict[str, Any] = {"layers": [[u, 16, 16] for u in up], "eps": 0.01}
    state = pytorch((24, 24, 12, 6), deep=True)
    generator = load(tmp_path / "net", state, **settings)
    assert [s.size for s in generator.strata if s.reads is not None] == [4, 8, 8, 8, 16, 16, 32]
    z, classes = drawn(generator)
    own_eps = {
        name: tensor + 0.01 - 1e-5 if name.endswith("stored_var") else tensor
        for name, tensor in state.items()
    }
    wanted = plain(own_eps, z, torch.eye(5)[classes], up=up)
    assert (images(generator, z, classes) - wanted).abs().max() < 1e-5
    examination = examined(state, **settings)
    again = load(
        tmp_path / "ours",
        dict(examination.tensors),
        network=json.loads(json.dumps(dict(examination.architecture))),
    )
    assert torch.equal(images(again, z, classes), images(generator, z, classes))


@pytest.mark.parametrize(
    ("sizes", "family", "resolution", "layers", "z"),
    [
        ({"widths": (8, 8)}, "BigGAN", 8, 2, 6),
        ({"widths": (16, 8, 8), "bottom": 6, "attention": ()}, "BigGAN", 24, 4, 9),
        (
            {"widths": [2 * w for w in (16, 16, 8, 8, 4, 2, 1)], "chunk": 2, "classes": 7},
            "BigGAN",
            256,
            12,
            14,
        ),
        ({"widths": [2 * w for w in ORIGINAL_128], "chunk": 5, "hierarchical": False}, "BigGAN", 128, 1, 5),
        ({"widths": (8, 8, 8), "shared": None, "hierarchical": False, "classes": 9}, "BigGAN", 16, 1, 3),
        ({"widths": [4 * w for w in DEEP_256], "deep": True, "chunk": 9}, "BigGAN-deep", 256, 12, 9),
        ({"widths": (8, 8, 8, 8), "deep": True, "depth": 3}, "BigGAN-deep", 32, 9, 3),
        ({"widths": (8, 8, 8, 8), "deep": True, "depth": 1}, "BigGAN-deep", 32, 3, 3),
    ],
)
def test_architecture_is_read_off_the_shapes(
    sizes: dict[str, Any], family: str, resolution: int, layers: int, z: int
) -> None:
    examination = examined(pytorch(**sizes))
    assert (
        examination.family,
        examination.resolution,
        examination.layers,
        examination.latent_size,
        examination.code_size,
    ) == (
        family,
        resolution,
        layers,
        z,
        z,
    )
    assert examination.classes == sizes.get("classes", 5)
    assert faults(examination) == ()


def test_hugging_face_at_256_pixels_has_twelve_layers() -> None:
    deep = pytorch([8 * w for w in DEEP_256], deep=True, attention=(7,), chunk=8, shared=8)
    examination = examined(hugging_face(deep, colours=8))
    assert (examination.family, examination.resolution, examination.layers, examination.latent_size) == (
        "BigGAN-deep",
        256,
        12,
        8,
    )
    assert list(examination.architecture["attention"]) == [7]
    assert faults(examination) == ()


def discriminator() -> State:
    """The names of ajbrock's BigGAN.Discriminator."""
    weights = {
        "blocks.0.0.conv1.weight": (8, 3, 3, 3),
        "blocks.0.0.conv2.weight": (8, 8, 3, 3),
        "linear.weight": (1, 8),
        "embed.weight": (5, 8),
    }
    return {name: torch.zeros(shape) for name, shape in weights.items()}


def classifier() -> State:
    weights = {
        "conv1.weight": (8, 3, 7, 7),
        "bn1.running_mean": (8,),
        "layer1.0.conv1.weight": (8, 8, 3, 3),
        "fc.weight": (5, 8),
        "linear.weight": (5, 8),
    }
    return {name: torch.zeros(shape) for name, shape in weights.items()}


@pytest.mark.parametrize("other", [discriminator, classifier])
def test_other_networks_are_not_claimed(other: Callable[[], State]) -> None:
    part = Part("", other(), {})
    assert BigGAN.recognise(part.shapes, {}) is None
    assert BigGAN.examine(part) is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_claimed_and_only_once(layout: str) -> None:
    part = Part("", small_state(layout), {})
    match = BigGAN.recognise(part.shapes, {})
    assert match is not None
    examination = examined(small_state(layout))
    assert examination.layout in match.reason


def refusal(path: Path, state: State, **settings: Any) -> str:
    with pytest.raises(CheckpointError) as error:
        ganstrata.load_generator("biggan", checkpoint=str(write(path, state, **settings)), device="cpu")
    return str(error.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_missing_superfluous_and_misshapen_tensors_are_named(tmp_path: Path, layout: str) -> None:
    state = small_state(layout)
    name = next(name for name in state if name.endswith(("conv2.bias", "conv_2.bias")) and "1" in name)
    short = "blocks.1.conv2.bias" if "conv2" in name else "blocks.1.conv3.bias"
    rest = {key: tensor for key, tensor in state.items() if key != name}
    message = refusal(tmp_path / "a", rest)
    assert f"missing {name}" in message
    assert short in message
    assert "superfluous to_rgb.weight" in refusal(tmp_path / "b", {**state, "to_rgb.weight": torch.zeros(3)})
    message = refusal(tmp_path / "c", {**state, name: torch.zeros(99)})
    assert name in message
    assert "(99,)" in message
    assert "mapping.fc0.weight" in refusal(tmp_path / "d", {**state, "mapping.fc0.weight": torch.zeros(3, 3)})


LARGE = ("BigGAN-PyTorch, deep", "BigGAN-PyTorch, no spectral norm", "BigGAN-PyTorch, own statistics")


@pytest.mark.parametrize("each", [False, pytest.param(True, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "layout", [pytest.param(name, marks=pytest.mark.full if name in LARGE else ()) for name in LAYOUTS]
)
def test_no_tensor_can_be_left_out_be_a_scalar_or_be_empty(layout: str, each: bool) -> None:
    """Every fault is a CheckpointError, and none is overlooked: two of each tensor, in turn, or each."""
    state = small_state(layout)
    # The other blocks are like this one.
    ignored = r".*\.(sv0|bn\.accumulation_counter)|blocks\.[02-9]\..*|generator\.layers\.[03-9]\..*"
    for number, name in enumerate(name for name in state if not re.fullmatch(ignored, name)):
        all_broken = (
            {key: tensor for key, tensor in state.items() if key != name},
            {**state, name: torch.zeros(())},
            {**state, name: state[name][..., :0] if state[name].ndim else torch.zeros(0)},
            {**state, name: torch.zeros(0, 4, 1, 1)},
        )
        for broken in all_broken if each else (all_broken[0], all_broken[1 + number % 3]):
            try:
                examination = BigGAN.examine(Part("", broken, {}))
            except CheckpointError:
                continue
            single = name in broken and broken[name].numel() == state[name].numel() == 1
            assert examination is None or single or faults(examination), name


def test_unsupported_networks_are_refused_by_name(tmp_path: Path) -> None:
    synchronised = {name.replace("stored_", "bn.running_"): tensor for name, tensor in pytorch().items()}
    assert "cross-replica" in refusal(tmp_path / "a", synchronised)
    odd = {
        name: tensor
        for name, tensor in pytorch((24, 24, 12), deep=True, attention=()).items()
        if not name.startswith("blocks.3.")
    }
    odd["blocks.2.0.conv4.weight"] = torch.zeros(12, 6, 1, 1)
    assert "neither stored nor clear" in refusal(tmp_path / "b", odd)
    wide = pytorch((24, 24, 12), deep=True)
    wide["output_layer.2.weight"] = torch.zeros(128, 12, 3, 3)
    assert "128 channels" in refusal(tmp_path / "c", wide)
    broken = {name: tensor for name, tensor in pytorch().items() if not name.startswith("blocks.1.")}
    assert "blocks of this BigGAN are not numbered 0, 1, 2" in refusal(tmp_path / "d", broken)
    apart = {**pytorch(), "blocks.1.0.conv1.weight": torch.zeros(8, 12, 3, 3)}
    assert "block 1 reads 12" in refusal(tmp_path / "e", apart)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": [[True, 1, 1]]}, "1 block"),
        ({"eps": "small"}, "eps"),
        ({"eps": 5.0}, "eps"),
        ({"network": {"eps": True}}, "eps"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    assert message in refusal(tmp_path / "net", hugging_face(), **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"network": 3},
        {"layers": "x"},
        {"layers": [[1, 2, 3]] * 6},
        {"network": {"blocks": [{"inputs": 3}] * 6}},
    ],
)
def test_settings_that_say_nothing_are_passed_over(settings: dict[str, Any]) -> None:
    assert examined(hugging_face(), **settings).architecture == examined(hugging_face()).architecture


def test_sizes_that_a_file_claims_take_no_memory() -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in examined(pytorch()).tensors.items()}
    shapes["linear.weight"] = (16 * 3 * 2**40, 3)
    with pytest.raises(CheckpointError, match="not a square feature map"):
        infer(shapes, {})
    many = {**pytorch(), "shared.weight": torch.zeros(1, 1).expand(2**40, 6)}
    assert examined(many).classes == 2**40
