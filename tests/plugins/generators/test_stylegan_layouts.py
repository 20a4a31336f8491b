"""StyleGAN under every published name and in every container: the same network, the same images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from checkpoint_files import hostile_source, tensorflow
from ganstrata import Stream, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.inspect import inspect
from ganstrata.core.errors import CheckpointError
from ganstrata.core.plugins.registry import registry
from ganstrata.plugins.generators.stylegan.generator import StyleGAN
from generator_files import codes_of, loader, write
from generators_stylegan import COMPLETE, LAYOUTS, SETTINGS, plain, plain_w, small_state, weights

NEAR = 1e-4
WIDE = (4, 4, 3, 3, 2, 2)  # 128 pixels, where upsampling begins to be fused
load = loader("stylegan")


@pytest.mark.parametrize("widths", [(6, 5, 4), WIDE], ids=["16 pixels", "128 pixels"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_the_same_network(layout: str, widths: tuple[int, ...], tmp_path: Path) -> None:
    own = weights(widths)
    generator = load(
        write(tmp_path / "a.safetensors", small_state(layout, own)),
        noise="const" if layout in COMPLETE else "none",
    )
    z = generator.sample(2, 0, 0, Stream.PROBING).z
    w = generator.map(z)
    assert (w - plain_w(own, z)).abs().max() < 1e-5
    assert w.std() > 0.1
    codes = torch.randn(2, 2 * len(widths), 5, generator=torch.Generator().manual_seed(1))
    wanted = plain(own, codes, noise=layout in COMPLETE)
    assert (render(generator, codes) * 2.0 - 1.0 - wanted).abs().max() < NEAR
    assert wanted.std() > 0.1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_plugin_and_no_other_knows_a_layout(layout: str) -> None:
    shapes = {name: tuple(t.shape) for name, t in small_state(layout).items()}
    claims = [
        info.name for info in registry().infos("generator") if info.load().recognise(shapes, {}) is not None
    ]
    assert claims == ["stylegan"]


@pytest.mark.parametrize(("fused", "fused_from"), [(True, 8), (False, 2**30), ("auto", 128)])
def test_which_convolutions_are_fused_is_read_from_nvidias_arguments(
    fused: object, fused_from: int, tmp_path: Path
) -> None:
    own = weights(WIDE)
    path = write(
        tmp_path / "a.safetensors", small_state("tensorflow", own, fused_from=fused_from), fused_scale=fused
    )
    codes = torch.randn(2, 12, 5, generator=torch.Generator().manual_seed(1))
    assert (
        render(load(path), codes) * 2.0 - 1.0 - plain(own, codes, fused_from=fused_from)
    ).abs().max() < NEAR
    other = plain(own, codes, fused_from=16 if fused_from == 8 else 8)
    assert (other - plain(own, codes, fused_from=fused_from)).abs().max() > 0.1, "it makes a difference"


def test_higan_says_by_name_which_convolutions_are_fused(tmp_path: Path) -> None:
    own = weights()
    codes = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(1))
    for fused_from in (8, 16, 1024):
        generator = load(write(tmp_path / "a.safetensors", small_state("higan", own, fused_from=fused_from)))
        assert (
            render(generator, codes) * 2.0 - 1.0 - plain(own, codes, fused_from=fused_from)
        ).abs().max() < NEAR


@pytest.mark.parametrize("layout", ["higan", "genforce", "tensorflow"])
def test_classes_are_embedded_appended_and_normalised_together(layout: str, tmp_path: Path) -> None:
    own = weights(classes=3)
    path = write(tmp_path / "a.safetensors", small_state(layout, own))
    generator = load(path)
    assert generator.card.latent_size == 7
    z, classes = 2.0 * torch.randn(3, 7), torch.tensor([2, 0, 1])
    w = generator.map(z, classes)
    assert (w - plain_w(own, z, torch.eye(3)[classes])).abs().max() < 1e-5
    assert torch.equal(w, generator.map(z, torch.eye(3)[classes]))
    assert not torch.allclose(w, generator.map(z, classes.flip(0)), atol=1e-2)
    assert inspect(str(path)).classes == 3
    drawn = load(path, classes=[2, 0]).sample(40, 0, 0, Stream.PROBING).condition
    assert drawn is not None
    assert set(drawn.tolist()) == {0, 2}


@pytest.mark.parametrize(("layout", "tanh"), [("higan", True), ("genforce", False)])
def test_a_mapping_that_makes_a_code_for_each_layer(layout: str, tanh: bool, tmp_path: Path) -> None:
    """Pictures of idinvert's networks go through tanh, which in GenForce's repository is another option."""
    own = weights(own_codes=True)
    generator = load(write(tmp_path / "a.safetensors", small_state(layout, own)))
    assert (generator.card.layers, generator.card.code_size, generator.space) == (6, 30, "w")
    z = torch.randn(2, 7)
    w = generator.map(z)
    wanted = plain(own, plain_w(own, z).view(2, 6, 5))
    images = render(generator, generator.broadcast(w)) * 2.0 - 1.0
    assert (images - (wanted.tanh() if tanh else wanted)).abs().max() < NEAR
    changed = generator.broadcast(w)
    changed[:, 2, :10] += 1.0  # what the layers 0 and 1 would read, in the copy of layer 2
    assert torch.equal(render(generator, changed) * 2.0 - 1.0, images)
    truncated = (
        load(tmp_path / "a.safetensors", truncation_psi=0.5, truncation_layers=2)
        .broadcast(w)
        .view(2, 6, 6, 5)
    )
    mean = own["mapping.w_avg"]
    assert torch.allclose(truncated[:, 1, 1], mean + 0.5 * (w.view(2, 6, 5)[:, 1] - mean), atol=1e-6)
    assert torch.equal(truncated[:, 3, 3], w.view(2, 6, 5)[:, 3])
    for s in (0, 4):
        matrix, codes = generator.style_weights(s), torch.randn(2, 30)
        one, other = (generator.style(s, codes[i : i + 1]) for i in (0, 1))
        assert matrix is not None
        assert one is not None
        assert other is not None
        assert torch.allclose(one - other, (codes[:1] - codes[1:]) @ matrix.t(), atol=1e-4)


def test_a_mean_w_of_each_layer_truncates_its_layer(tmp_path: Path) -> None:
    tensors = small_state("genforce", own_codes=True) | {"truncation.w_avg": torch.arange(30.0)}
    codes = load(write(tmp_path / "a.safetensors", tensors), truncation_psi=0.0).broadcast(torch.zeros(1, 30))
    assert codes[0, 3].tolist() == list(range(30))


@pytest.mark.parametrize("layout", ["lernapparat", "trainables"])
def test_files_may_leave_out_noise_and_mean_w(layout: str, tmp_path: Path) -> None:
    """The noise is drawn once and for all, the mean w taken of many samples where it is needed."""
    path = write(tmp_path / "a.safetensors", small_state(layout))
    generator, again = load(path, truncation_psi=0.5), load(path, truncation_psi=0.5)
    codes = codes_of(generator, 2)
    assert torch.equal(render(generator, codes), render(again, codes_of(again, 2)))
    assert not torch.allclose(render(generator, codes), render(load(path, noise="none"), codes), atol=1e-3)
    mean = plain_w(weights(), torch.randn(20_000, 7, generator=torch.Generator().manual_seed(5))).mean(dim=0)
    assert (load(path, truncation_psi=0.0).broadcast(torch.zeros(1, 5))[0, 0] - mean).abs().max() < 0.03
    assert load(path).broadcast(torch.ones(1, 5)).eq(1.0).all()
    stored = load(
        write(
            tmp_path / "b.safetensors",
            small_state("lernapparat") | {"truncation.avg_latent": torch.arange(5.0)[None]},
        ),
        truncation_psi=0.0,
    )
    assert stored.broadcast(torch.zeros(1, 5))[0, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("layout", ["higan", "tensorflow"])
def test_a_network_without_noise_gives_the_pictures_of_the_plain_network(layout: str, tmp_path: Path) -> None:
    own = weights()
    tensors = {n: t for n, t in small_state(layout, own).items() if "oise" not in n}
    codes = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(1))
    images = render(load(write(tmp_path / "a.safetensors", tensors)), codes)
    assert (images * 2.0 - 1.0 - plain(own, codes, noise=False)).abs().max() < NEAR


def test_a_mapping_with_another_learning_rate_multiplier(tmp_path: Path) -> None:
    own = weights()
    path = write(tmp_path / "a.safetensors", small_state("tensorflow", own), mapping_lrmul=0.02)
    z = torch.randn(2, 7)
    assert (load(path).map(z) - plain_w(own, z, lr_multiplier=0.02)).abs().max() < 1e-5


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    own = weights(colours=1)
    generator = load(write(tmp_path / "a.safetensors", small_state("higan", own)))
    codes = codes_of(generator, 2)
    images = render(generator, codes)
    assert images.shape == (2, 1, 16, 16)
    assert (images * 2.0 - 1.0 - plain(own, codes)).abs().max() < NEAR
    with pytest.raises(CheckpointError, match="have 5 channels"):
        load(write(tmp_path / "b.safetensors", small_state("higan", colours=5)))


@pytest.mark.parametrize("classes", [0, 2])
def test_nvidias_pickle_of_three_networks_loads_without_running_its_source(
    classes: int, tmp_path: Path
) -> None:
    marker, own = tmp_path / "run", weights(classes=classes)
    variables = {name: t.numpy() for name, t in small_state("tensorflow", own).items()}
    mapping = {name: t for name, t in variables.items() if name.startswith(("Dense", "Label"))}
    synthesis = {name: t for name, t in variables.items() if name not in mapping and name != "dlatent_avg"}
    outer = {"dlatent_avg": variables["dlatent_avg"], "lod": variables["lod"]}
    settings = SETTINGS | {
        "label_size": classes,
        "fused_scale": "auto",
        "blur_filter": [1, 2, 1],
        "mapping_lrmul": 0.01,
        "truncation_psi": 0.7,
    }
    path = tensorflow(
        tmp_path / "karras2019.pkl",
        outer,
        {"mapping": mapping, "synthesis": synthesis},
        settings,
        source=hostile_source(marker),
    )
    generator = ganstrata.load_generator("auto", checkpoint=str(path), device="cpu")
    z, condition = torch.randn(3, 7), torch.tensor([1, 0, 1]) if classes else None
    w = generator.map(z, condition)
    assert (w - plain_w(own, z, None if condition is None else torch.eye(2)[condition])).abs().max() < 1e-5
    codes = generator.broadcast(w)
    assert (render(generator, codes) * 2.0 - 1.0 - plain(own, codes)).abs().max() < NEAR
    facts = inspect(str(path))
    assert (facts.plugin, facts.resolution, facts.latent_size, facts.classes, facts.faults) == (
        "stylegan",
        16,
        7,
        classes,
        (),
    )
    assert not marker.exists()


def test_genforces_container_holds_the_average(tmp_path: Path) -> None:
    state = small_state("genforce")
    other = {name: t + 1.0 if "lod" not in name and "kernel" not in name else t for name, t in state.items()}
    discriminator = {
        f"{name}.{what}": torch.zeros(4, 4, 3, 3)
        for name in ("layer0", "layer1", "input0", "output0")
        for what in ("weight", "bias")
    }
    torch.save(
        {"generator": other, "discriminator": discriminator, "generator_smooth": state}, tmp_path / "a.pth"
    )
    generator = ganstrata.load_generator("auto", checkpoint=str(tmp_path / "a.pth"), device="cpu")
    codes = codes_of(generator, 2)
    assert (render(generator, codes) * 2.0 - 1.0 - plain(weights(), codes)).abs().max() < NEAR


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["plain", "classes", "own_codes"])
def test_tensors_that_examine_returns_load_again(layout: str, kind: str, tmp_path: Path) -> None:
    if layout == "lernapparat" and kind == "classes":
        sizes: dict[str, Any] = {"depth": 2}  # it has no classes
    else:
        sizes = {"plain": {"widths": WIDE}, "classes": {"classes": 3}, "own_codes": {"own_codes": True}}[kind]
    own = weights(**sizes)
    settings = {"mapping_lrmul": 0.02} if layout == "tensorflow" else {}
    if layout == "trainables" and kind == "classes":
        own["mapping.w_avg"] = torch.zeros(5)
    tensors = small_state(layout, own)
    if layout == "trainables" and kind == "classes":
        tensors["dlatent_avg"] = torch.zeros(5)  # needed: its mean w would depend on the class
    source = write(tmp_path / "a.safetensors", tensors, **settings)
    examined = StyleGAN.examine(read_checkpoint(source).parts[0])
    assert examined is not None
    assert (examined.missing, examined.superfluous, examined.misshapen) == ((), (), ())
    architecture = json.loads(json.dumps(examined.architecture))
    again = write(
        tmp_path / "b.safetensors",
        {k: v.contiguous() for k, v in examined.tensors.items()},
        plugin="stylegan",
        family="StyleGAN",
        network=architecture,
        licence="CC0",
        source="a test",
    )
    one, other = load(source, truncation_psi=0.5), load(again, truncation_psi=0.5)
    codes = codes_of(one)
    assert torch.equal(codes, codes_of(other))
    assert torch.equal(render(one, codes), render(other, codes))
    assert one.card.weights == other.card.weights
    assert (other.card.licence, other.card.source) == ("CC0", "a test")
    assert one.architecture == other.architecture  # type: ignore[attr-defined]


OTHERS: dict[str, dict[str, tuple[int, ...]]] = {
    "GenForce's discriminator": {f"{name}.weight": (4, 4, 3, 3) for name in ("layer0", "input0", "output0")},
    "TensorFlow's discriminator": {
        "4x4/Conv/weight": (3, 3, 5, 4),
        "4x4/Dense0/weight": (64, 4),
        "FromRGB_lod0/weight": (1, 1, 3, 4),
    },
    "StyleGAN2 of TensorFlow": {
        "Dense0/weight": (4, 4),
        "4x4/Const/const": (1, 4, 4, 4),
        "4x4/Conv/mod_weight": (4, 4),
        "4x4/ToRGB/weight": (1, 1, 4, 3),
    },
    "StyleGAN2 of GenForce": {
        "mapping.dense0.weight": (4, 4),
        "synthesis.early_layer.const": (1, 4, 4, 4),
        "synthesis.layer0.style.weight": (4, 4),
    },
    "ProgressiveGAN": {
        "layer0.conv.weight": (4, 4, 4, 4),
        "layer0.wscale.bias": (4,),
        "output0.conv.weight": (3, 4, 1, 1),
    },
    "nothing": {},
}


@pytest.mark.parametrize("shapes", OTHERS.values(), ids=OTHERS)
def test_other_networks_are_not_recognised(shapes: dict[str, tuple[int, ...]]) -> None:
    assert StyleGAN.recognise(shapes, {}) is None
    assert (
        StyleGAN.examine(Part("", {name: torch.zeros(shape) for name, shape in shapes.items()}, {})) is None
    )
