"""What the StyleGAN3 plugin reads off a file, with the constructor's arguments and without."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Generator, Stream, render
from ganstrata.core.checkpoints import Part
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.stylegan3.architecture import Architecture, infer
from ganstrata.plugins.generators.stylegan3.generator import StyleGAN3
from generators_stylegan3 import FULL_R, FULL_T, RADIAL, SMALL, small_state
from safetensors.torch import load_file, save_file
from torch import Tensor

DATA = Path(__file__).parents[2] / "data"


def load(path: Path, **config: Any) -> Generator:
    return ganstrata.load_generator("stylegan3", checkpoint=str(path), device="cpu", **config)


def write(path: Path, tensors: dict[str, Tensor], **settings: Any) -> Path:
    save_file(tensors, path, metadata={"ganstrata": json.dumps(settings)})
    return path


def pictures(generator: Generator) -> Tensor:
    latents = generator.sample(2, 0, 0, Stream.PROBING)
    return render(generator, generator.broadcast(generator.map(latents.z, latents.condition)))


CHANGES: list[dict[str, Any]] = [
    {},
    RADIAL,
    {"c_dim": 3},
    {"img_resolution": 32, "num_layers": 8},
    {"img_resolution": 64, "num_layers": 4, "num_critical": 1},
    {"img_resolution": 128, "num_layers": 14, "channel_base": 512},
    {"img_resolution": 8},
    {"img_resolution": 32, "margin_size": 4, **RADIAL},
    {"img_resolution": 32, "num_critical": 3},
    {"img_resolution": 64, "first_cutoff": 3.5, "first_stopband": 6.0},
    {"img_resolution": 32, "lrelu_upsampling": 4},
    {"img_resolution": 32, "lrelu_upsampling": 1, "num_layers": 3},
    {"img_resolution": 32, "filter_size": 4},
    {"filter_size": 5},
    {"img_resolution": 48, "num_layers": 6},
    {"img_channels": 1},
    {"z_dim": 3, "w_dim": 12, "mapping_kwargs": {"num_layers": 4}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: "-".join(map(str, change)) or "published")
def test_architecture_is_read_off_a_bare_state_dict(change: dict[str, Any], tmp_path: Path) -> None:
    state = small_state(**change)
    from_settings, inferred = infer(state, {**SMALL, **change}), infer(state, {})
    assert inferred.bandwidth == pytest.approx(from_settings.bandwidth, rel=1e-3)
    assert asdict(inferred) == {**asdict(from_settings), "bandwidth": inferred.bandwidth}
    generator = load(write(tmp_path / "a.safetensors", state))
    settings = {**SMALL, **change}
    card = generator.card
    assert (card.resolution, card.layers) == (settings["img_resolution"], settings["num_layers"] + 2)
    assert (card.latent_size, card.code_size) == (settings["z_dim"], settings["w_dim"])
    assert [s.reads for s in generator.strata] == list(range(card.layers))
    images = pictures(generator)
    assert images.shape == (2, settings["img_channels"], card.resolution, card.resolution)
    assert images.isfinite().all()
    assert (images.std(dim=(1, 2, 3)) > 1e-3).all()
    exact = pictures(load(write(tmp_path / "b.safetensors", state, **settings)))
    assert torch.allclose(images, exact, atol=1e-2 * float(exact.std()))


def test_filters_of_an_odd_number_of_taps_need_the_arguments(tmp_path: Path) -> None:
    odd = {"img_resolution": 32, "filter_size": 5, "lrelu_upsampling": 3}
    state = small_state(**odd)
    assert len(state["synthesis.L0_36_8.up_filter"]) == 15
    images = pictures(load(write(tmp_path / "a.safetensors", state, **{**SMALL, **odd})))
    assert images.shape == (2, 3, 32, 32)
    assert (images.std(dim=(1, 2, 3)) > 1e-3).all()
    with pytest.raises(CheckpointError, match="constructor arguments are needed"):
        load(write(tmp_path / "b.safetensors", state))


def test_the_published_sizes() -> None:
    """The table of rates in the paper's configuration for 256 pixels, of either kind."""
    for settings, first, kernel in ((FULL_T, 512, 3), (FULL_R, 1024, 1)):
        with torch.device("meta"):
            architecture = Architecture.from_plain(
                asdict(
                    infer(small_state(settings, spread=0.0, channel_base=settings["channel_base"]), settings)
                )
            )
        assert architecture.rates == (16, 16, 16, 32, 32, 64, 64, 128, 128, 128, 256, 256, 256, 256, 256)
        assert [layer.after for layer in architecture.layers] == [
            36,
            36,
            36,
            52,
            52,
            84,
            84,
            148,
            148,
            148,
            276,
            276,
            276,
            256,
            256,
        ]
        assert (
            architecture.layers[0].inputs,
            architecture.layers[0].kernel,
            architecture.layers[-1].kernel,
        ) == (first, kernel, 1)
        assert [layer.radial for layer in architecture.layers] == [kernel == 1] * 12 + [False] * 3


def test_strata_tell_size_and_margin(tmp_path: Path) -> None:
    generator = load(
        write(tmp_path / "a.safetensors", small_state(img_resolution=64, num_layers=6, margin_size=7))
    )
    assert [(s.size, s.margin) for s in generator.strata] == [(16, 7)] * 3 + [(32, 7)] + [(64, 7)] * 2 + [
        (64, 0)
    ] * 2
    assert [s.is_feature for s in generator.strata] == [True] * 7 + [False]


@pytest.mark.parametrize("name", ["stylegan3_t_32", "stylegan3_r_32"])
def test_a_converted_file_gives_the_same_pictures(name: str, tmp_path: Path) -> None:
    stored = load_file(DATA / f"{name}.safetensors")
    examined = StyleGAN3.examine(
        Part("", stored, {"output_scale": 0.5, "conv_clamp": 2.0, "lr_multiplier": 1})
    )
    assert examined is not None
    path = write(
        tmp_path / "a.safetensors",
        dict(examined.tensors),
        plugin="stylegan3",
        family="StyleGAN3",
        network=dict(examined.architecture),
    )
    original = load(write(tmp_path / "b.safetensors", stored, output_scale=0.5, conv_clamp=2.0))
    images = pictures(original)
    assert torch.equal(pictures(load(path)), images)
    assert images.max() <= 1.0 + 1e-6, "2 is the most that a layer gives, half of it the most of the image"
    assert (pictures(load(DATA / f"{name}.safetensors")) - images).abs().max() > 0.1
    assert load(path).fingerprint == original.fingerprint


def test_a_clamp_may_be_none(tmp_path: Path) -> None:
    settings = {**SMALL, "conv_clamp": None}
    assert infer(small_state(), settings).clamp is None
    assert pictures(load(write(tmp_path / "a.safetensors", small_state(), **settings))).isfinite().all()


def test_what_a_bare_state_dict_does_not_state_is_configured(tmp_path: Path) -> None:
    """The same tensors with a header that states it and with a config that does give the same pictures."""
    stated = {"output_scale": 0.5, "conv_clamp": 0.75, "mapping_kwargs": {"lr_multiplier": 1.0}}
    fields = {"output_scale": 0.5, "conv_clamp": 0.75, "lr_mlp": 1.0}
    bare = write(tmp_path / "bare.safetensors", small_state())
    whole = write(tmp_path / "whole.safetensors", small_state(), **SMALL | stated)
    wanted, plain = load(whole), load(bare)
    configured = load(bare, **fields)
    assert torch.equal(pictures(configured), pictures(wanted))
    assert not torch.equal(pictures(configured), pictures(plain))
    for name in fields:
        (sentence,) = [line for line in plain.card.assumptions if f"(config: {name})" in line]
        assert sentence.count(name) == 1
        assert not any(f"(config: {name})" in line for line in configured.card.assumptions)
    assert not any("config:" in line for line in wanted.card.assumptions)
    for name in fields:
        with pytest.raises(CheckpointError, match=f"{name}: 3.0 is configured, but the file states"):
            load(whole, **{name: 3.0})
    assert not torch.equal(pictures(load(bare, **fields | {"conv_clamp": "none"})), pictures(configured))


def test_half_precision_weights_give_nearly_the_same_pictures(tmp_path: Path) -> None:
    state = small_state()
    generator = load(write(tmp_path / "a.safetensors", {k: v.half() for k, v in state.items()}))
    whole = pictures(load(write(tmp_path / "b.safetensors", state)))
    assert (pictures(generator) - whole).abs().mean() < 0.05 * whole.std()


def test_other_families_are_not_claimed() -> None:
    def claimed(state: dict[str, Tensor]) -> bool:
        return StyleGAN3.recognise({k: tuple(v.shape) for k, v in state.items()}, {}) is not None

    assert claimed(small_state())
    assert claimed(small_state(c_dim=3, **RADIAL))
    # A mixture of StyleGAN3's class embedding, which has a bias, and StyleGAN-XL's projection.
    projection = {"mapping.embed_proj.weight": torch.zeros(7, 6), "mapping.embed_proj.bias": torch.zeros(7)}
    assert not claimed({**small_state(c_dim=3), **projection})
    assert not claimed(load_file(DATA / "stylegan2_cond_64.safetensors"))
    assert not claimed({k: v for k, v in small_state().items() if k.startswith("synthesis.")})


def test_missing_superfluous_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    state = small_state()
    del state["synthesis.L2_36_8.bias"]
    state["extra"] = torch.zeros(1)
    state["mapping.fc1.bias"] = torch.zeros(4)
    with pytest.raises(CheckpointError) as caught:
        load(write(tmp_path / "a.safetensors", state))
    for part in (
        "missing synthesis.L2_36_8.bias",
        "superfluous extra",
        "mapping.fc1.bias is (4,), expected (6,)",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "prefix",
    [
        "synthesis.input.weight",
        "synthesis.L0",
        "synthesis.L2",
        "synthesis.L5",
        "mapping.fc0.",
        "mapping.fc1.w",
        "synthesis.L1_36_8.up_filter",
    ],
)
def test_a_file_without_one_of_its_parts_is_refused(prefix: str, tmp_path: Path) -> None:
    state = {name: value for name, value in small_state().items() if not name.startswith(prefix)}
    with pytest.raises(CheckpointError):
        load(write(tmp_path / "a.safetensors", state))


def renamed(old: str, new: str) -> dict[str, Tensor]:
    return {name.replace(old, new): value for name, value in small_state().items()}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (renamed("L1_36_8", "L1_35_8"), "fit no choice of sampling rates and margin"),
        (renamed("L1_36_8", "L1_52_8"), "fit no choice of sampling rates and margin"),
        (renamed("L1_36_8", "L1_36_9"), r"L1_36_9.weight is \(8, 8, 3, 3\), expected \(9, 8, 3, 3\)"),
        (renamed("L5_16_3", "L5_16_2"), "have 2 channels"),
        (renamed("L5_16_3", "L5_0_3"), "images 0 pixels wide"),
        ({**small_state(), "synthesis.L1_36_7.weight": torch.zeros(7, 8, 3, 3)}, "L0, L1, L2"),
        (
            {**small_state(), "synthesis.L0_36_8.up_filter": torch.linspace(0.0, 0.2, 12)},
            "first filter .* not a Kaiser low-pass filter",
        ),
        ({**small_state(), "synthesis.L0_36_8.weight": torch.zeros([])}, "StyleGAN3"),
        ({**small_state(), "mapping.fc0.weight": torch.zeros(6)}, "StyleGAN3"),
        ({**small_state(), "synthesis.L0_36_8.affine.weight": torch.zeros(8, 0)}, "StyleGAN3"),
    ],
)
def test_tensors_that_form_no_single_network_are_refused(
    state: dict[str, Tensor], message: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(write(tmp_path / "a.safetensors", state))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"img_resolution": 32}, "by the settings stored in the file, the layers .* by its tensors 36, 36"),
        ({"num_layers": 6}, "by the settings"),
        ({"margin_size": 8}, "by the settings"),
        ({"num_critical": 5}, "5 layers with 5 critically sampled"),
        ({"first_cutoff": -1.0}, "first_cutoff stored in the file is -1.0"),
        ({"img_resolution": "16"}, "img_resolution stored in the file is '16'"),
        ({"conv_clamp": "256"}, "conv_clamp stored in the file is '256'"),
        ({"output_scale": True}, "output_scale stored in the file is True"),
        ({"filter_size": 5}, "up_filter"),
        ({"network": {"z_dim": 7}}, "architecture stored in the file"),
        ({"network": {**asdict(infer(small_state(), {})), "layers": []}}, "not that of a StyleGAN3"),
        ({"network": {**asdict(infer(small_state(), {})), "rates": [0] * 6}}, "not that of a StyleGAN3"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(write(tmp_path / "a.safetensors", small_state(), **{**SMALL, **settings}))


@pytest.mark.parametrize("settings", [FULL_T, FULL_R], ids=["t", "r"])
def test_a_full_size_checkpoint_loads(settings: dict[str, Any], tmp_path: Path) -> None:
    save_file(small_state(settings, spread=0.0), tmp_path / "a.safetensors")
    generator = load(tmp_path / "a.safetensors", truncation_psi=0.7, check=False)
    card = generator.card
    assert (card.resolution, card.layers, card.code_size, card.latent_size) == (256, 16, 512, 512)
    assert generator.strata[-2].name == f"L13_256_{settings['channel_base'] // 256}"
    assert generator.groups == {
        "bottom": (0, 1, 2, 3),
        "lower": (4, 5),
        "upper": (6, 7, 8, 9, 10),
        "top": (11, 12, 13, 14, 15),
    }


@pytest.mark.full
@pytest.mark.parametrize("settings", [FULL_T, FULL_R], ids=["t", "r"])
def test_a_full_size_checkpoint_renders(settings: dict[str, Any], tmp_path: Path) -> None:
    save_file(small_state(settings), tmp_path / "a.safetensors")
    images = pictures(load(tmp_path / "a.safetensors"))
    assert images.shape == (2, 3, 256, 256)
    assert images.isfinite().all()
    assert images.std() > 0.01
