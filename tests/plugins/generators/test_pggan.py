"""What the ProgressiveGAN plugin reads off a file, and how its strata behave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from closeness import assert_near
from ganstrata import Generator, Pass, Stream, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError, ConfigError, DataError
from ganstrata.plugins.generators.pggan.generator import ProgressiveGAN
from generators_pggan import LAYOUTS, plain, small_state, weights
from safetensors.torch import save_file
from torch import Tensor

NEAR = 1e-4  # pixel norm after pixel norm: float32 and float64 differ by up to 3e-5


def load(path: Path, **config: Any) -> Generator:
    return ganstrata.load_generator("pggan", checkpoint=str(path), device="cpu", **config)


def write(path: Path, tensors: dict[str, Tensor], **settings: Any) -> Path:
    save_file(tensors, path, metadata={"ganstrata": json.dumps(settings)})
    return path


def images_of(generator: Generator, n: int = 3, condition: Tensor | None = None, **how: Any) -> Tensor:
    z = generator.sample(n, 0, 0, Stream.PROBING).z
    return render(generator, generator.broadcast(generator.map(z, condition)), condition=condition, **how)


def codes_of(generator: Generator, n: int = 3) -> Tensor:
    return generator.broadcast(generator.sample(n, 0, 0, Stream.PROBING).z)


@pytest.fixture
def small(tmp_path: Path) -> Generator:
    return load(write(tmp_path / "small.safetensors", small_state()))


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
    """As the published codes compute it: the weight (I, O, 3, 3) added to itself at four places, with a stride of two."""
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
def test_widths_that_do_not_tell_a_transposed_convolution(layout: str, wanted: bool, tmp_path: Path) -> None:
    """Where inputs and outputs are as many, the layout's own default decides: MMGeneration fuses, GenForce does not."""
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
def test_any_widths_and_depths(widths: tuple[int, ...], inputs: int, tmp_path: Path) -> None:
    own = weights(widths, inputs)
    generator = load(write(tmp_path / "a.safetensors", small_state("higan", own=own)))
    assert (generator.card.resolution, generator.card.latent_size) == (4 * 2 ** (len(widths) - 1), inputs)
    assert [s.reads for s in generator.strata] == [0] + [None] * (2 * len(widths))
    z = generator.sample(2, 0, 0, Stream.PROBING).z
    assert (images_of(generator, 2) * 2.0 - 1.0 - plain(own, z)).abs().max() < NEAR


def test_grey_pictures_have_three_equal_channels(tmp_path: Path) -> None:
    own = weights(colours=1)
    images = images_of(load(write(tmp_path / "a.safetensors", small_state("tensorflow", own=own))))
    assert images.shape == (3, 3, 16, 16)
    assert torch.equal(images[:, :1].expand(-1, 3, -1, -1), images)


def test_pictures_of_two_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="pictures of 2 channels"):
        load(write(tmp_path / "a.safetensors", small_state(own=weights(colours=2))))


def test_settings_of_nvidias_networks(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("label_size", -1),
        ("label_size", "3"),
        ("label_size", 7),
        ("label_size", True),
        ("pixelnorm_epsilon", "small"),
        ("use_wscale", 1),
    ],
)
def test_settings_that_make_no_sense(setting: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        load(write(tmp_path / "a.safetensors", small_state("tensorflow"), **{setting: value}))


@pytest.mark.parametrize("lod", [-1.0, 2.5, float("nan")])
def test_levels_of_detail_that_are_not_there(lod: float, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="levels of detail 0 to 2"):
        load(write(tmp_path / "a.safetensors", small_state(lod=lod)))


def test_outputs_that_are_not_in_the_picture_may_be_missing(tmp_path: Path) -> None:
    tensors = {name: t for name, t in small_state().items() if not name.startswith(("output0", "output1"))}
    whole = load(write(tmp_path / "whole.safetensors", small_state()))
    assert torch.equal(images_of(load(write(tmp_path / "a.safetensors", tensors))), images_of(whole))


def conditional(tmp_path: Path, layout: str = "tensorflow") -> Generator:
    """Four numbers of z and three classes."""
    return load(write(tmp_path / f"{layout}.safetensors", small_state(layout), label_size=3))


def test_classes_are_appended_to_z_before_it_is_normalised(tmp_path: Path) -> None:
    generator = conditional(tmp_path)
    assert (generator.card.latent_size, generator.card.code_size) == (4, 4)
    z, classes = torch.randn(3, 4), torch.tensor([2, 0, 1])
    images = render(generator, generator.broadcast(generator.map(z, classes)), condition=classes)
    wanted = plain(weights(), torch.cat([z, torch.eye(3)[classes]], dim=1))
    assert (images * 2.0 - 1.0 - wanted).abs().max() < NEAR
    assert_near(images, render(generator, z[:, None], condition=torch.eye(3)[classes]))
    assert not torch.allclose(images, render(generator, z[:, None], condition=classes.flip(0)), atol=1e-2)
    weights_of_z = generator.style_weights(0)
    assert weights_of_z is not None
    assert weights_of_z.shape == (16 * 6, 4)


def test_genforce_normalises_z_before_the_class_is_appended(tmp_path: Path) -> None:
    generator = load(write(tmp_path / "a.safetensors", small_state("genforce")), labels=3)
    z, classes = 2.0 * torch.randn(3, 4), torch.tensor([2, 0, 1])
    first = z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    wanted = plain(weights(), torch.cat([first, torch.eye(3)[classes]], dim=1))
    assert (render(generator, z[:, None], condition=classes) * 2.0 - 1.0 - wanted).abs().max() < NEAR
    assert not torch.allclose(
        wanted, plain(weights(), torch.cat([z, torch.eye(3)[classes]], dim=1)), atol=1e-2
    )


def test_which_classes_are_drawn(tmp_path: Path) -> None:
    drawn = (
        load(write(tmp_path / "a.safetensors", small_state("tensorflow"), label_size=3), classes=[2, 0])
        .sample(40, 0, 0, Stream.PROBING)
        .condition
    )
    assert drawn is not None
    assert set(drawn.tolist()) == {0, 2}
    with pytest.raises(DataError, match="needs a class from 0 to 2"):
        images_of(conditional(tmp_path))
    with pytest.raises(CheckpointError, match="unconditional"):
        load(write(tmp_path / "b.safetensors", small_state()), classes=1)


def test_labels_that_do_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", small_state("tensorflow"), label_size=3)
    with pytest.raises(CheckpointError, match="the file says that this ProgressiveGAN has 3 classes"):
        load(path, labels=2)
    with pytest.raises(CheckpointError, match="has no latent code"):
        load(write(tmp_path / "b.safetensors", small_state()), labels=7)
    with pytest.raises(ConfigError, match="labels"):
        load(path, labels=0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_examine_gives_loads_again(layout: str, tmp_path: Path) -> None:
    settings = {"label_size": 2} if layout == "tensorflow_fused" else {}
    source = write(tmp_path / "a.safetensors", small_state(layout, lod=0.25), **settings)
    part = read_checkpoint(source).parts[0]
    found = ProgressiveGAN.examine(part)
    assert found is not None
    assert (found.missing, found.superfluous, found.misshapen) == ((), (), ())
    again = write(
        tmp_path / "b.safetensors",
        {k: v.contiguous() for k, v in found.tensors.items()},
        plugin="pggan",
        network=found.architecture,
    )
    condition = torch.tensor([1, 0, 1]) if settings else None
    one, other = load(source), load(again)
    assert torch.equal(images_of(one, condition=condition), images_of(other, condition=condition))
    assert one.card.weights == other.card.weights
    assert one.architecture == other.architecture  # type: ignore[attr-defined]


def test_stored_weights_are_not_changed_by_loading(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", small_state())
    assert load(path).card.weights == load(path).card.weights


KERNEL = (4, 4, 3, 3)
LAYERS = ("layer0", "layer1", "layer2", "input0", "input1", "output0")
OTHERS: dict[str, dict[str, tuple[int, ...]]] = {
    "a classifier": {
        "conv1.weight": KERNEL,
        "layer1.0.conv1.weight": KERNEL,
        "fc.weight": (10, 4),
        "fc.bias": (10,),
    },
    "GenForce's discriminator": {f"{name}.{what}": KERNEL for name in LAYERS for what in ("weight", "bias")},
    "a perceptron": {
        f"{name}.{what}": (4, 4) for name in ("layer0", "layer1", "output0") for what in ("weight", "bias")
    },
    "NVIDIA's discriminator": {
        "4x4/Conv/weight": (3, 3, 5, 4),
        "4x4/Dense0/weight": (64, 4),
        "FromRGB_lod0/weight": (1, 1, 3, 4),
    },
    "StyleGAN of TensorFlow": {
        "4x4/Const/const": (1, 4, 4, 4),
        "4x4/Conv/weight": (3, 3, 4, 4),
        "ToRGB_lod0/weight": (1, 1, 4, 3),
    },
    "StyleGAN of GenForce": {
        "mapping.dense0.weight": (4, 4),
        "synthesis.layer0.weight": KERNEL,
        "synthesis.output0.weight": (3, 4, 1, 1),
    },
    "WGAN-GP of MMGeneration": {
        "noise2feat.linear.weight": (64, 4),
        "noise2feat.norm.weight": (64,),
        "to_rgb.conv.weight": (3, 4, 3, 3),
    },
    "nothing": {},
}


@pytest.mark.parametrize("shapes", OTHERS.values(), ids=OTHERS)
def test_other_networks_are_not_recognised(shapes: dict[str, tuple[int, ...]]) -> None:
    assert ProgressiveGAN.recognise(shapes, {}) is None
    assert (
        ProgressiveGAN.examine(Part("", {name: torch.zeros(shape) for name, shape in shapes.items()}, {}))
        is None
    )


def test_tensors_missing_superfluous_or_of_another_shape(tmp_path: Path) -> None:
    tensors = small_state("higan")
    del tensors["layer4.conv.weight"]
    tensors["mapping.fc0.weight"] = torch.zeros(2, 2)
    tensors["layer1.conv.weight"] = torch.zeros(6, 5, 3, 3)
    tensors["output9.conv.weight"] = torch.zeros(3, 4, 1, 1)
    with pytest.raises(CheckpointError) as caught:
        load(write(tmp_path / "a.safetensors", tensors))
    message = str(caught.value)
    for words in (
        "missing layers.4.weight",
        "superfluous mapping.fc0.weight",
        "superfluous output9.conv.weight",
        "layer1.conv.weight is (6, 5, 3, 3), expected (6, 6, 3, 3)",
    ):
        assert words in message


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(4))
def test_any_tensor_gone_or_flattened_is_a_word_and_no_crash(layout: str, seed: int, tmp_path: Path) -> None:
    tensors = small_state(layout)
    used = [
        n
        for n in tensors
        if n != "lod"
        and not n.startswith(("output0", "output1", "outputs.0", "outputs.1", "ToRGB_lod1", "ToRGB_lod2"))
    ]
    used = [
        n
        for n in used
        if ".torgb_layers" not in f".{n}"
        and not (layout == "mmgen_ema" and not n.startswith("generator_ema."))
    ]
    name = sorted(used)[seed * len(used) // 4]
    shapes = ((3, 5, 2), (), (0, 16), (0, 0, 3, 3))
    for damaged in (
        {k: v for k, v in tensors.items() if k != name},
        *(tensors | {name: torch.zeros(shape)} for shape in shapes),
    ):
        with pytest.raises(CheckpointError):
            load(write(tmp_path / "a.safetensors", damaged))


def test_sizes_that_a_file_claims_take_no_memory(tmp_path: Path) -> None:
    tensors = small_state()
    for i in range(6):
        tensors[f"layer{i}.bias"] = torch.zeros(1_000_000)
    with pytest.raises(CheckpointError, match="does not fit a ProgressiveGAN"):
        load(write(tmp_path / "a.safetensors", tensors))


def test_an_edit_restarts_where_the_code_is_read_and_equals_a_full_pass(small: Generator) -> None:
    codes = codes_of(small)
    done = Pass(small, codes, restarts=[0])
    moved = codes + 0.5
    assert torch.equal(done.edited(moved, (0,)).images, render(small, moved))
    assert not torch.allclose(done.rendering.images, render(small, moved), atol=1e-3)


def test_pictures_do_not_depend_on_their_company(small: Generator) -> None:
    codes = codes_of(small, 5)
    assert torch.allclose(render(small, codes)[3:4], render(small, codes[3:4]), atol=1e-5)
    later = small.sample(2, 0, 3, Stream.PROBING)
    assert torch.equal(later.z, small.sample(5, 0, 0, Stream.PROBING).z[3:])


def test_gradients_reach_the_codes(small: Generator) -> None:
    codes = codes_of(small, 2).clone().requires_grad_(True)
    probe = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad((render(small, codes) * probe).sum(), codes)
    step = torch.randn(2, 1, 7, generator=torch.Generator().manual_seed(4))
    h = 1e-3
    difference = (
        (render(small, codes.detach() + h * step) - render(small, codes.detach() - h * step)).double() * probe
    ).sum() / (2.0 * h)
    assert abs(float(difference - (gradient * step).sum())) < 0.02 * float((gradient * step).abs().sum())
    assert gradient.abs().min(dim=2).values.max() > 0.0


def test_bfloat16_is_near(small: Generator) -> None:
    codes = codes_of(small)
    full, half = render(small, codes), render(small, codes, precision="bf16")
    assert half.dtype == torch.float32
    assert 0.0 < (full - half).abs().mean() < 0.01


def test_a_zero_latent_makes_a_picture(small: Generator) -> None:
    assert render(small, torch.zeros(1, 1, 7)).isfinite().all()


def full_size() -> dict[str, Tensor]:
    """Random weights of the 256-pixel network that GenForce published, in half precision."""
    widths = tuple(min(16384 // (4 * 2**level), 512) for level in range(7))
    random = torch.Generator().manual_seed(0)
    tensors = {"lod": torch.zeros(())}
    for level, width in enumerate(widths):
        for i, (below, size) in enumerate([(widths[level - 1], 3) if level else (512, 4), (width, 3)]):
            row = torch.randn(below * size * size, generator=random)
            tensors[f"layer{2 * level + i}.weight"] = (
                torch.stack([row.roll(7 * o) for o in range(width)]).view(width, below, size, size).half()
            )
            tensors[f"layer{2 * level + i}.bias"] = torch.zeros(width).half()
        tensors[f"output{level}.weight"] = torch.randn(3, width, 1, 1, generator=random).half()
        tensors[f"output{level}.bias"] = torch.zeros(3).half()
    return tensors


def test_full_size_checkpoint_loads(tmp_path: Path) -> None:
    save_file(full_size(), tmp_path / "bedroom.safetensors")
    generator = load(tmp_path / "bedroom.safetensors", check=False)
    card = generator.card
    assert (card.resolution, card.layers, card.code_size) == (256, 1, 512)
    assert [s.size for s in generator.strata[:4]] == [4, 4, 8, 8]
    assert codes_of(generator).shape == (3, 1, 512)


@pytest.mark.full
def test_full_size_checkpoint_renders(tmp_path: Path) -> None:
    save_file(full_size(), tmp_path / "bedroom.safetensors")
    images = images_of(load(tmp_path / "bedroom.safetensors", check=False), 1)
    assert images.shape == (1, 3, 256, 256)
    assert images.isfinite().all()
    assert images.std() > 0.0
