"""What the StyleGAN2 plugin reads off a file, and its options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from closeness import assert_near
from ganstrata import Generator, Pass, Stream, render
from ganstrata.core.errors import CheckpointError, ConfigError, DataError, ShapeError
from ganstrata.plugins.generators.shared import noise
from ganstrata.plugins.generators.shared.mapping import normalise_second_moment
from ganstrata.plugins.generators.stylegan2.network import Network
from generators_stylegan2 import stored
from safetensors.torch import load_file, save_file
from torch import Tensor

DATA = Path(__file__).parents[2] / "data"
UNCONDITIONAL, CONDITIONAL = DATA / "stylegan2_uncond_32.safetensors", DATA / "stylegan2_cond_64.safetensors"


def load(path: Path | str = UNCONDITIONAL, **config: Any) -> Generator:
    return ganstrata.load_generator("stylegan2", checkpoint=str(path), device="cpu", **config)


def codes_of(generator: Generator, n: int = 2, start: int = 0) -> Tensor:
    latents = generator.sample(n, 0, start, Stream.PROBING)
    return generator.broadcast(generator.map(latents.z, latents.condition))


def small(**sizes: Any) -> dict[str, Tensor]:
    """The state dict of a random network of odd sizes."""
    torch.manual_seed(0)
    settings = {"channels": {4: 6, 8: 5}, "z_dim": 7, "w_dim": 3, "mapping_layers": 2, **sizes}
    return {name: value.clone().contiguous() for name, value in Network(**settings).state_dict().items()}


def write(path: Path, tensors: dict[str, Tensor], **settings: Any) -> Path:
    save_file(tensors, path, metadata={"ganstrata": json.dumps(settings)})
    return path


@pytest.mark.parametrize(
    ("path", "resolution", "layers", "z", "classes"),
    [(UNCONDITIONAL, 32, 8, 16, 0), (CONDITIONAL, 64, 10, 20, 3), ("bundled:rooms", 64, 10, 128, 0)],
)
def test_architecture_is_read_off_the_shapes(
    path: Path | str, resolution: int, layers: int, z: int, classes: int
) -> None:
    generator = load(path)
    card = generator.card
    assert (card.resolution, card.layers, card.latent_size) == (resolution, layers, z)
    assert generator.architecture.classes == classes  # type: ignore[attr-defined]
    assert {s.reads for s in generator.strata} == set(range(layers))
    assert len(generator.strata) == layers - 1 + len(generator.network.sizes)  # type: ignore[attr-defined]
    assert generator.space == "w"
    assert len(card.sha256) == 64
    assert sorted(layer for group in (generator.groups or {}).values() for layer in group) == list(
        range(layers)
    )


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"classes": 4},
        {"mapping_width": 11},
        {"channels": {4: 3}},
        {"mapping_layers": 1},
        {"w_dim": 9, "z_dim": 2},
    ],
)
def test_networks_of_any_widths_render(tmp_path: Path, sizes: dict[str, Any]) -> None:
    generator = load(write(tmp_path / "a.safetensors", small(**sizes)))
    images = render(generator, codes_of(generator, 3))
    assert images.shape == (3, 3, generator.card.resolution, generator.card.resolution)
    assert images.isfinite().all()


def test_half_precision_weights_are_computed_in_full(tmp_path: Path) -> None:
    generator = load(write(tmp_path / "a.safetensors", {k: v.half() for k, v in small().items()}))
    assert render(generator, codes_of(generator)).dtype == torch.float32


def test_torch_file_and_safetensors_give_the_same_images(tmp_path: Path) -> None:
    torch.save(load_file(UNCONDITIONAL), tmp_path / "a.pt")
    one, other = load(), load(tmp_path / "a.pt")
    assert torch.equal(render(one, codes_of(one)), render(other, codes_of(other)))
    assert one.fingerprint == other.fingerprint, "fingerprints are of weights, in whatever file they come"
    assert one.card.sha256 != other.card.sha256


def test_missing_superfluous_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    tensors = small()
    del tensors["synthesis.b8.conv0.bias"]
    tensors["extra"] = torch.zeros(1)
    tensors["mapping.fc1.bias"] = torch.zeros(4)
    with pytest.raises(CheckpointError) as caught:
        load(write(tmp_path / "a.safetensors", tensors))
    message = str(caught.value)
    assert "missing synthesis.b8.conv0.bias" in message
    assert "superfluous extra" in message
    assert "mapping.fc1.bias is (4,), expected (3,)" in message


@pytest.mark.parametrize(
    "prefix",
    ["synthesis.b4.", "mapping.fc0.", "synthesis.b8.conv1.", "synthesis.b4.conv1.affine.", "mapping."],
)
def test_a_file_without_one_of_its_parts_is_refused(tmp_path: Path, prefix: str) -> None:
    tensors = {name: value for name, value in small().items() if not name.startswith(prefix)}
    with pytest.raises(CheckpointError):
        load(write(tmp_path / "a.safetensors", tensors))


def test_a_classifier_is_no_stylegan2(tmp_path: Path) -> None:
    path = write(
        tmp_path / "classifier.safetensors",
        {"conv1.weight": torch.zeros(4, 3, 3, 3), "fc.bias": torch.zeros(10)},
    )
    with pytest.raises(CheckpointError, match=r"classifier\.safetensors is not a StyleGAN2 generator: \S.*"):
        load(path)


def test_sizes_that_a_file_claims_take_no_memory(tmp_path: Path) -> None:
    """A bias of a million channels stands for terabytes of weights, which are not there."""
    tensors = small()
    for name in ("synthesis.b8.conv1.bias", "synthesis.b4.conv1.bias"):
        tensors[name] = torch.zeros(1_000_000)
    with pytest.raises(CheckpointError, match="does not fit a StyleGAN2"):
        load(write(tmp_path / "a.safetensors", tensors))


def full_size(resolution: int = 256) -> dict[str, Tensor]:
    """Random weights of the published config F.

    It has up to 512 channels, 32768 / size above, and eight mapping layers.
    """
    sizes = [4 * 2**i for i in range(resolution.bit_length() - 2)]
    channels = {size: min(32768 // size, 512) for size in sizes}
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in Network(channels, 512, 512, 8).state_dict().items()}
    random = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in shapes.items():
        row = torch.randn(max(shape[-1:], default=1), generator=random) * (
            100.0 if "mapping.fc" in name and "weight" in name else 1.0
        )
        tensors[name] = row.expand(shape).contiguous().half() if shape else torch.zeros([]).half()
    return tensors


@pytest.mark.parametrize(
    ("layout", "resolution"),
    [
        ("nvidia", 256),
        ("tensorflow", 512),
        ("rosinality", 1024),
        *(
            pytest.param(layout, 256, marks=pytest.mark.full)
            for layout in ("higan", "mmgeneration", "genforce")
        ),
    ],
)
def test_a_full_size_checkpoint_loads(layout: str, resolution: int, tmp_path: Path) -> None:
    save_file(stored(full_size(resolution), layout), tmp_path / "bedroom.safetensors")
    generator = load(tmp_path / "bedroom.safetensors", check=False, truncation_psi=0.7, truncation_layers=8)
    card = generator.card
    layers = {256: 14, 512: 16, 1024: 18}[resolution]
    assert (card.resolution, card.layers, card.code_size, card.latent_size) == (resolution, layers, 512, 512)
    assert card.truncation == "psi 0.7 on layers 0-7"
    assert generator.strata[-1].style_width == 32768 // resolution
    assert codes_of(generator).shape == (2, layers, 512)


@pytest.mark.full
@pytest.mark.parametrize(
    ("layout", "resolution"), [("nvidia", 256), ("tensorflow", 256), ("rosinality", 1024)]
)
def test_a_full_size_checkpoint_renders(layout: str, resolution: int, tmp_path: Path) -> None:
    tensors = {
        name: value.float() + 0.1 * torch.randn(value.shape) if value.ndim else value
        for name, value in full_size(resolution).items()
    }
    save_file(stored(tensors, layout), tmp_path / "bedroom.safetensors")
    generator = load(tmp_path / "bedroom.safetensors", check=False)
    images = render(generator, codes_of(generator, 1))
    assert images.shape == (1, 3, resolution, resolution)
    assert images.isfinite().all()
    assert images.std() > 0.0


def test_truncation_pulls_towards_the_mean_and_scales_steps() -> None:
    plain, truncated = load(), load(truncation_psi=0.25, truncation_layers=3)
    w = plain.map(plain.sample(4, 0, 0, Stream.PROBING).z)
    mean = load_file(UNCONDITIONAL)["mapping.w_avg"]
    codes = truncated.broadcast(w)
    assert torch.allclose(codes[:, :3], (0.25 * w + 0.75 * mean)[:, None].expand(-1, 3, -1), atol=1e-6)
    assert torch.equal(codes[:, 3:], w[:, None].expand(-1, 5, -1))
    assert truncated.layer_scale.tolist() == [0.25] * 3 + [1.0] * 5
    step = torch.randn(16)
    moved = truncated.broadcast(w + step) - codes
    assert torch.allclose(moved, torch.from_numpy(truncated.layer_scale)[None, :, None] * step, atol=1e-5)
    assert torch.equal(load(truncation_psi=0.0).broadcast(w)[0], load(truncation_psi=0.0).broadcast(w)[3])


@pytest.mark.parametrize("psi", [-0.5, 1.3])
def test_psi_is_any_number_as_in_nvidias_programs(psi: float) -> None:
    """Below 0 it gives the opposite of a picture (Karras et al. 2019, figure 8), above 1 more of it."""
    generator, mean = load(truncation_psi=psi), load_file(UNCONDITIONAL)["mapping.w_avg"]
    w = generator.map(generator.sample(4, 0, 0, Stream.PROBING).z)
    wanted = (mean + psi * (w - mean))[:, None].expand(-1, 8, -1)
    assert torch.allclose(generator.broadcast(w), wanted, atol=1e-5)
    assert generator.card.truncation == f"psi {psi:g} on layers 0-7"


def test_truncation_of_more_layers_than_there_are_is_truncation_of_all() -> None:
    assert load(truncation_psi=0.5, truncation_layers=99).card.truncation == "psi 0.5 on layers 0-7"
    assert load(truncation_psi=0.5, truncation_layers=0).card.truncation == "none"
    assert load(truncation_psi=1.0).layer_scale.tolist() == [1.0] * 8


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("truncation_psi", float("inf")),
        ("truncation_psi", "strong"),
        ("truncation_layers", -1),
        ("noise", "random"),
        ("psi", 1),
        ("classes", "all"),
    ],
)
def test_options_out_of_range_are_refused(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=option):
        load(**{option: value})


def rendered(generator: Generator, codes: Tensor, index: list[int], seed: int = 0) -> Tensor:
    return render(generator, codes, index=torch.tensor(index), noise=seed)


def test_fresh_noise_is_a_function_of_seed_and_sample() -> None:
    generator = load(noise="fresh")
    codes = codes_of(generator, 1).expand(3, -1, -1)
    images = rendered(generator, codes, [5, 6, 5])
    assert_near(images[0], images[2])
    assert not torch.allclose(images[0], images[1], atol=1e-3)
    assert torch.allclose(rendered(generator, codes[:1], [6]), images[1:2], atol=1e-5), (
        "it does not depend on the company"
    )
    assert not torch.allclose(rendered(generator, codes[:1], [5], seed=1)[0], images[0], atol=1e-3)
    assert torch.equal(rendered(generator, codes[:1], [2**40]), rendered(generator, codes[:1], [2**40]))


def test_fresh_noise_differs_between_strata() -> None:
    generator = load(noise="fresh")
    state = generator.begin(ganstrata.Inputs(1, None, torch.tensor([3]), 0))
    places = [s for s, stratum in enumerate(generator.strata) if stratum.is_feature and stratum.size == 32]
    first, second = (noise.of_part("fresh", s, state.kept, None) for s in places)
    assert first is not None
    assert second is not None
    assert first.shape == (1, 1, 32, 32)
    assert abs(float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])) < 0.1
    assert abs(float(first.mean())) < 0.15
    assert abs(float(first.std()) - 1.0) < 0.1


def test_an_edit_sees_the_noise_of_its_baseline() -> None:
    generator = load(noise="fresh")
    codes = codes_of(generator, 3)
    index = torch.tensor([9, 2, 4])
    done = Pass(generator, codes, index=index, noise=7, restarts=[0, 5])
    for layers in ((0,), (4,), (7,)):
        assert torch.equal(done.edited(codes, layers).images, done.rendering.images)


def test_noise_is_not_part_of_the_code() -> None:
    const, none = load(noise="const"), load(noise="none")
    codes = codes_of(const)
    assert not torch.allclose(render(const, codes), render(none, codes), atol=1e-3)
    assert torch.equal(render(const, codes, index=torch.tensor([8, 9])), render(const, codes))


def test_classes_are_sampled_evenly_and_by_index() -> None:
    generator = load(CONDITIONAL)
    classes = generator.sample(3000, 0, 0, Stream.PROBING).condition
    assert classes is not None
    share = classes.bincount(minlength=3) / 3000
    assert (share - 1.0 / 3.0).abs().max() < 0.04
    later = generator.sample(10, 0, 1234, Stream.PROBING)
    assert torch.equal(later.condition, classes[1234:1244])
    assert torch.equal(later.index, torch.arange(1234, 1244))
    other = generator.sample(3000, 0, 0, Stream.VERIFICATION).condition
    assert other is not None
    assert not torch.equal(other, classes)


def test_only_the_configured_classes_are_drawn() -> None:
    drawn = load(CONDITIONAL, classes=[2, 0]).sample(50, 0, 0, Stream.PROBING).condition
    assert drawn is not None
    assert set(drawn.tolist()) == {0, 2}


@pytest.mark.parametrize(
    ("path", "classes", "message"),
    [
        (CONDITIONAL, [3], "classes 0 to 2"),
        (CONDITIONAL, [], "0 to 2"),
        (UNCONDITIONAL, [0], "unconditional"),
    ],
)
def test_classes_outside_the_network_are_refused(path: Path, classes: list[int], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(path, classes=classes)


def test_class_numbers_and_class_weights_mean_the_same() -> None:
    generator = load(CONDITIONAL)
    z = generator.sample(3, 0, 0, Stream.PROBING).z
    by_number = generator.map(z, torch.tensor([0, 2, 1]))
    assert torch.equal(by_number, generator.map(z, torch.eye(3)[[0, 2, 1]]))
    assert not torch.allclose(by_number, generator.map(z, torch.tensor([1, 2, 1]))[[0, 1, 2]], atol=1e-3)
    between = generator.map(z, torch.full((3, 3), 1.0 / 3.0))
    assert between.isfinite().all()


def test_conditions_that_do_not_fit_are_refused() -> None:
    generator = load(CONDITIONAL)
    z = generator.sample(2, 0, 0, Stream.PROBING).z
    with pytest.raises(DataError, match="needs a class from 0 to 2 for every sample"):
        generator.map(z)
    with pytest.raises(DataError, match=r"classes 0 to 2; the condition holds \[1, 3\]"):
        generator.map(z, torch.tensor([1, 3]))
    with pytest.raises(ShapeError, match=r"classes: expected \(N=2\), got \(3,\)"):
        generator.map(z, torch.tensor([0, 1, 2]))
    with pytest.raises(ShapeError, match=r"class weights: expected \(N=2, Y=3\)"):
        generator.map(z, torch.ones(2, 4))


@pytest.mark.parametrize("shape", [(2, 17), (2, 15), (16,), (1, 2, 16)])
def test_latents_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"z passed to map: expected \(N, Z=16\), got"):
        load().map(torch.zeros(shape))
    with pytest.raises(ShapeError, match=r"w passed to broadcast: expected \(N, D=16\), got"):
        load().broadcast(torch.zeros(shape))


def test_a_zero_latent_does_not_divide_by_zero() -> None:
    assert normalise_second_moment(torch.zeros(1, 4)).tolist() == [[0.0] * 4]


def test_feature_maps_are_clamped_where_the_checkpoint_says_so(tmp_path: Path) -> None:
    """As in the reference: the convolution's output after its gain, and what ToRGB adds."""
    free, clamped = load(), load(write(tmp_path / "a.safetensors", load_file(UNCONDITIONAL), conv_clamp=0.4))
    codes = codes_of(free)
    first = [Pass(g, codes, features=[0, 2, 3, 5]).rendering.features for g in (free, clamped)]
    assert first[0][0].abs().max() > 0.6, "there is something to clamp"
    assert torch.equal(first[1][0], first[0][0].clamp(-0.4, 0.4))
    assert all(float(x.abs().max()) < 0.4001 for x in first[1].values())
    state = clamped.begin(ganstrata.Inputs(2, None, torch.arange(2)))
    for s in (0, 1):
        state = clamped.stratum(s, state, codes[:, s])
    assert state.rgb is not None
    assert abs(float(state.rgb.abs().max()) - 0.4) < 1e-6


@pytest.mark.parametrize("clamp", ["256", 0, -1.0, True, [1], float("nan")])
def test_a_clamp_must_be_a_number_above_zero(tmp_path: Path, clamp: object) -> None:
    with pytest.raises(
        CheckpointError,
        match=r"a\.safetensors: conv_clamp stored in the file is .*, expected a number above 0",
    ):
        load(write(tmp_path / "a.safetensors", small(), conv_clamp=clamp))
