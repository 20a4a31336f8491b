"""What the R3GAN2 plugin reads off a file, and its pictures against those of the authors' code.

`tests/data/r3gan2_32.*` hold a conditional network of three stages with attention, whose output is RGB, and
`r3gan2_latents.*` one of four stages without classes, with filters that are not symmetric. Weights are random
and stored in float16. The numbers are those of IFeelBloated/R3GAN2 at commit 3b04752 on a CPU, in float32
where it computes in bfloat16. Noise was replaced by zeros, and for `noisy` by that of `noise: const`.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_files import EasyDict, pretending
from closeness import assert_near
from derivatives import checked_gradient
from ganstrata import Generator, Inputs, Pass, Stream, render
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.checkpoints.convert import convert
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.checkpoints.inspect import inspect
from ganstrata.core.errors import CheckpointError, DataError
from ganstrata.plugins.generators.r3gan.generator import R3GAN
from ganstrata.plugins.generators.r3gan2.generator import R3GAN2
from generator_files import codes_of, images_of, loader, write
from generators_r3gan2 import LAYOUTS, small_state
from reference_numbers import DATA, as_reference, tensor
from torch import Tensor, nn

load = loader("r3gan2")
FILE = DATA / "r3gan2_32.safetensors"
RGB = {"encoder_kwargs": {"class_name": "training.encoders.StandardRGBEncoder"}}
CLASSES = torch.tensor([3, 0, 2])


@pytest.fixture
def small(tmp_path: Path) -> Generator:
    return load(write(tmp_path / "small.safetensors", small_state(classes=0), **RGB))


@pytest.mark.parametrize(("noise", "key"), [("none", "images"), ("const", "noisy")])
def test_pictures_are_those_of_the_authors_code(noise: str, key: str) -> None:
    assert choose(read_checkpoint(FILE)).plugin == "r3gan2"
    generator = load(FILE, noise=noise)
    codes = generator.broadcast(tensor("r3gan2_32", "z"))
    condition = tensor("r3gan2_32", "classes")
    assert_near(as_reference(render(generator, codes, condition=condition)), tensor("r3gan2_32", key))
    mixed = tensor("r3gan2_32", "weights")
    if noise == "none":
        images = render(generator, codes, condition=mixed)
        assert_near(as_reference(images), tensor("r3gan2_32", "mixed"))


def test_the_first_feature_map_is_that_of_the_authors_code() -> None:
    generator = load(FILE)
    codes = generator.broadcast(tensor("r3gan2_32", "z"))
    done = Pass(generator, codes, condition=tensor("r3gan2_32", "classes"), features=[0])
    assert_near(done.rendering.features[0], tensor("r3gan2_32", "head"))


@pytest.mark.parametrize("rows", [[0, 1, 2], [1, 2, 3]])
def test_latents_are_those_of_the_authors_code(rows: list[int], tmp_path: Path) -> None:
    """Three of the four channels are taken for RGB, so that no decoder is needed."""
    tensors = dict(read_checkpoint(DATA / "r3gan2_latents.safetensors").parts[0].tensors)
    name = "Model.AggregationLayer.Weight.Weight"
    path = write(tmp_path / "a.safetensors", tensors | {name: tensors[name][rows]}, **RGB)
    generator = load(path, noise="none")
    images = render(generator, generator.broadcast(tensor("r3gan2_latents", "z")))
    assert_near(as_reference(images)[:, :, ::2, ::2], tensor("r3gan2_latents", "latents")[:, rows])


def tree(state: dict[str, Tensor], outer: type[nn.Module], inner: type[nn.Module]) -> nn.Module:
    """Modules that hold a state dict."""
    network = outer()
    for name, value in state.items():
        *path, leaf = name.split(".")
        module = network
        for part in path:
            if part not in module._modules:
                module.add_module(part, inner())
            module = module.get_submodule(part)
        if leaf in ("Kernel", "periods"):
            module.register_buffer(leaf, value)
        else:
            module.register_parameter(leaf, nn.Parameter(value))
    return network


def pickled(path: Path, averages: str, **encoder: Any) -> tuple[Path, dict[str, Tensor]]:
    """A snapshot as training writes it, of averages or of everything, and the averages' state dict."""
    outer, inner = type("Outer", (nn.Module,), {}), type("Inner", (nn.Module,), {})
    state = small_state()
    with pretending(
        training__networks__Generator=outer,
        R3GAN__Networks__Generator=inner,
        dnnlib__util__EasyDict=EasyDict,
    ):
        content: dict[str, Any] = {"training_set_kwargs": {"path": "a.zip"}, "encoder_kwargs": encoder}
        if averages == "ema":
            content["ema"] = tree(state, outer, inner)
        else:
            content["G"] = tree(small_state(seed=1), outer, inner)
            content |= {"stds": [0.01, 0.05], "emas": [state, small_state(seed=2)]}
        path.write_bytes(pickle.dumps(EasyDict(content)))
    return path, state


@pytest.mark.parametrize("averages", ["ema", "emas"])
def test_snapshots_of_training_are_read_without_their_classes(averages: str, tmp_path: Path) -> None:
    """`ema-snapshot-*.pkl` holds one average, `network-snapshot-*.pkl` the network and a list of averages."""
    path, state = pickled(tmp_path / "a.pkl", averages, class_name="training.encoders.StandardRGBEncoder")
    claim = choose(read_checkpoint(path))
    assert (claim.plugin, claim.part.name) == ("r3gan2", "ema" if averages == "ema" else "emas.0")
    generator, other = load(path), load(write(tmp_path / "b.safetensors", state))
    assert torch.equal(images_of(generator, condition=CLASSES), images_of(other, condition=CLASSES))
    said = "by its 3 channels it is taken for StandardRGBEncoder"
    assert not any(said in sentence for sentence in generator.card.assumptions)
    assert any(said in sentence for sentence in other.card.assumptions)
    assert any("fixed noise, drawn from seed 0" in sentence for sentence in generator.card.assumptions)


def test_strata_are_named_after_resolutions() -> None:
    generator = load(FILE)
    names = "head b8.block0 b8.attention1 b16.up b16.block0 b32.up b32.attention0 b32.block1 output"
    assert [s.name for s in generator.strata] == names.split()
    assert [s.size for s in generator.strata] == [8, 8, 8, 16, 16, 32, 32, 32, 32]
    assert [s.reads for s in generator.strata] == [0] + [None] * 8
    assert (generator.card.layers, generator.card.code_size, generator.space) == (1, 6, "z")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("classes", [0, 4])
def test_a_converted_file_gives_the_same_pictures(layout: str, classes: int, tmp_path: Path) -> None:
    source = write(tmp_path / "a.safetensors", small_state(layout, classes=classes))
    convert(str(source), tmp_path / "b.safetensors")
    one, other = load(source), load(tmp_path / "b.safetensors")
    condition = CLASSES if classes else None
    assert torch.equal(images_of(one, condition=condition), images_of(other, condition=condition))
    assert one.fingerprint == other.fingerprint
    assert one.architecture == other.architecture  # type: ignore[attr-defined]
    assert one.card.assumptions == other.card.assumptions


def test_classes_are_drawn_and_needed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", small_state())
    generator = load(path)
    with pytest.raises(DataError, match="needs a class from 0 to 3"):
        images_of(generator)
    images, others = images_of(generator, condition=CLASSES), images_of(generator, condition=CLASSES.flip(0))
    assert (images - others)[0].abs().max() > 0.01
    assert_near(images[1], others[1])
    drawn = load(path, classes=[1, 3]).sample(40, 0, 0, Stream.PROBING).condition
    assert drawn is not None
    assert set(drawn.tolist()) == {1, 3}


def test_the_style_is_a_linear_map_of_z_and_can_be_given_instead() -> None:
    generator = load(FILE)
    codes = codes_of(generator)
    style, weights = generator.style(0, codes[:, 0]), generator.style_weights(0)
    assert style is not None
    assert weights is not None
    assert style.shape == (3, generator.strata[0].style_width)
    assert_near(style, codes[:, 0] @ weights.t())
    state = generator.begin(Inputs(3, CLASSES, torch.arange(3)))
    by_code, by_style, other = (
        generator.stratum(0, state, code, given).x
        for code, given in ((codes[:, 0], None), (None, style), (codes[:, 0], style + 1.0))
    )
    assert by_code is not None
    assert by_style is not None
    assert other is not None
    assert_near(by_code, by_style)
    assert (by_code - other).abs().max() > 0.1
    assert all(generator.style(s, codes[:, 0]) is None for s in range(1, len(generator.strata)))


@pytest.mark.parametrize("noise", ["const", "fresh"])
def test_an_edit_restarts_and_equals_a_full_pass(noise: str) -> None:
    generator = load(FILE, noise=noise)
    codes = codes_of(generator)
    done = Pass(generator, codes, condition=CLASSES, restarts=[0], noise=3)
    edited = done.edited(codes + 0.5, (0,)).images
    assert_near(edited, render(generator, codes + 0.5, condition=CLASSES, noise=3))
    assert (edited - done.rendering.images).abs().max() > 0.01


def test_fresh_noise_is_that_of_the_sample_and_the_seed() -> None:
    generator = load(FILE, noise="fresh")
    codes = codes_of(generator)
    images = render(generator, codes, condition=CLASSES, noise=3)
    assert_near(images, render(generator, codes, condition=CLASSES, noise=3))
    assert (images - render(generator, codes, condition=CLASSES, noise=4)).abs().max() > 0.01
    assert (images - render(load(FILE, noise="none"), codes, condition=CLASSES)).abs().max() > 0.01


def test_pictures_do_not_depend_on_the_batch(small: Generator) -> None:
    codes = codes_of(small, 5)
    assert_near(render(small, codes)[3:4], render(small, codes[3:4]))


def test_gradients_reach_the_codes(small: Generator) -> None:
    assert checked_gradient(small, codes_of(small, 2)).abs().min() > 0.0


def test_bfloat16_is_close_to_float32() -> None:
    generator = load(FILE)
    codes = codes_of(generator)
    full, half = (render(generator, codes, condition=CLASSES, precision=p) for p in ("fp32", "bf16"))
    assert half.dtype == torch.float32
    assert 0.0 < (full - half).abs().mean() < 0.01


def test_r3gan_and_r3gan2_do_not_take_each_others_files(tmp_path: Path) -> None:
    shapes = {name: tuple(value.shape) for name, value in small_state().items()}
    assert R3GAN.recognise(shapes, {}) is None
    discriminator = shapes | {"Model.ExtractionLayer.Weight.Weight": (8, 3, 1, 1)}
    assert R3GAN2.recognise(discriminator, {}) is None
    old = {name.replace("LinearLayer2.Basis", "Basis"): value for name, value in small_state().items()}
    with pytest.raises(CheckpointError, match="R3GAN2 generator of a development version"):
        load(write(tmp_path / "old.safetensors", old))


def test_missing_superfluous_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    tensors = small_state()
    del tensors["Model.MainLayers.0.Layers.0.LinearLayer3.Weight.Weight"]
    tensors["Model.MainLayers.0.Layers.1.QKVLayer.EmbeddingGain"] = torch.zeros([])
    tensors["Model.MainLayers.1.Layers.0.LinearLayer1.Weight.Weight"] = torch.zeros(8, 7, 1, 1)
    facts = inspect(str(write(tmp_path / "a.safetensors", tensors)))
    assert facts.plugin == "r3gan2"
    assert [name for name in facts.missing if "LinearLayer3" in name or "conv3" in name]
    assert facts.superfluous == ("Model.MainLayers.0.Layers.1.QKVLayer.EmbeddingGain",)
    assert facts.misshapen == (
        "Model.MainLayers.1.Layers.0.LinearLayer1.Weight.Weight is (8, 7, 1, 1), expected (8, 6, 1, 1)",
    )


@pytest.mark.parametrize("name", sorted(small_state()))
def test_any_missing_or_misshapen_tensor_is_refused_without_a_crash(name: str, tmp_path: Path) -> None:
    tensors = small_state()
    states = [tensors | {name: torch.zeros(shape)} for shape in ((3, 5, 2), (0, 0, 0, 0))]
    if (
        "Embedding" not in name
    ):  # without it, or with another, a network is one of a wider z, and right as such
        states += [{k: v for k, v in tensors.items() if k != name}, tensors | {name: torch.zeros(9, 1)}]
    for state in states:
        with pytest.raises(CheckpointError):
            load(write(tmp_path / "a.safetensors", state))
