"""R3GAN2 networks whose output is latents: what their file says, and the decoder that the config names.

`tests/data/r3gan2_encoders.npz` holds what the encoders of IFeelBloated/R3GAN2 (commit 3b04752) make of
latents, with a VAE in place of theirs that gives a quarter of its first three channels: what the VAE is
given, and the pixels.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from closeness import assert_near
from ganstrata import Generator, render
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.checkpoints.convert import convert
from ganstrata.core.checkpoints.inspect import inspect
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.r3gan2.architecture import examine
from ganstrata.plugins.generators.r3gan2.decoding import CLASSES, Decoder
from ganstrata.plugins.generators.r3gan2.encoding import KNOWN, Encoding, encoding_of
from generator_files import codes_of, loader, write
from generators_r3gan2 import ENCODERS, small_state
from reference_numbers import tensor
from torch import Tensor, nn

load = loader("r3gan2")
LATENT = ("stability", "flux2")


def stated(kind: str, **arguments: Any) -> dict[str, Any]:
    """The settings of a file with this encoder."""
    return {"encoder_kwargs": {"class_name": f"training.encoders.{KNOWN[kind].class_name}", **arguments}}  # type: ignore[index]


def network(folder: Path, kind: str, **arguments: Any) -> Path:
    state = small_state(outputs=ENCODERS[kind], classes=0)
    return write(folder / f"{kind}.safetensors", state, **stated(kind, **arguments))


class Quarter(nn.Module):
    """Stand for a VAE of diffusers: a quarter of the first three channels, eight times as large."""

    def __init__(self, channels: int, blocks: int = 4) -> None:
        super().__init__()
        self.encoder = nn.Linear(1, 1)
        self.weight = nn.Parameter(torch.tensor(0.25))
        self.config = SimpleNamespace(latent_channels=channels, block_out_channels=(1,) * blocks)

    def decode(self, x: Tensor, return_dict: bool) -> tuple[Tensor]:
        self.seen = x
        pictures = self.weight * x[:, :3]
        return (pictures.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3),)


def vae_folder(folder: Path, kind: str) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"_class_name": CLASSES[kind]}), encoding="utf-8")
    return str(folder)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A library in place of diffusers, whose VAEs are made by `vae(kind)`."""
    made = SimpleNamespace(vae=lambda kind: Quarter(ENCODERS[kind]), missing=[])

    def loaded(kind: str) -> Any:
        def from_pretrained(folder: str, **options: Any) -> Any:
            assert options["local_files_only"]
            assert options["use_safetensors"]
            return made.vae(kind).eval(), {"missing_keys": made.missing, "mismatched_keys": []}

        return SimpleNamespace(from_pretrained=from_pretrained)

    monkeypatch.setitem(sys.modules, "diffusers", SimpleNamespace(**{CLASSES[k]: loaded(k) for k in LATENT}))
    return made


@pytest.mark.parametrize("kind", LATENT)
def test_latents_are_decoded_as_by_the_authors_code(kind: str) -> None:
    encoding, _ = encoding_of(stated(kind), ENCODERS[kind])
    decoder = Decoder(Quarter(ENCODERS[kind]), encoding)
    images = decoder(tensor("r3gan2_encoders", f"{kind}_latents"))[:, :, ::8, ::8]
    assert_near(decoder.vae.seen, tensor("r3gan2_encoders", f"{kind}_raw"))
    # The authors cut the digits behind the point off.
    pixels = images.clamp(0.0, 1.0).mul(255.0).to(torch.uint8).int()
    assert (pixels - tensor("r3gan2_encoders", f"{kind}_pixels").int()).abs().max() <= 1


@pytest.mark.parametrize("kind", LATENT)
def test_a_network_of_latents_gives_pictures_with_its_decoder(
    kind: str, library: SimpleNamespace, tmp_path: Path
) -> None:
    folder = vae_folder(tmp_path / "vae", kind)
    generator = load(network(tmp_path, kind), decoder=folder, noise="none")
    assert (generator.card.resolution, generator.card.channels) == (128, 3)
    assert [(s.name, s.size) for s in generator.strata[-2:]] == [("output", 16), ("decoder", 128)]
    assert generator.packages == ("diffusers",)  # type: ignore[attr-defined]
    assert "; decoder of weights " in generator.card.source
    codes = codes_of(generator)
    images = render(generator, codes)
    # The same network as RGB, of which three channels are seen at once.
    name = "Model.AggregationLayer.Weight.Weight"
    state = small_state(outputs=ENCODERS[kind], classes=0)
    plain = load(
        write(tmp_path / "rgb.safetensors", state | {name: state[name][:3]}, **stated("rgb")), noise="none"
    )
    latents = 2.0 * render(plain, codes) - 1.0
    means, deviations = (
        torch.tensor(values)[:3, None, None]
        for values in (KNOWN[kind].means, KNOWN[kind].deviations)  # type: ignore[index]
    )
    wanted = (latents * deviations / 0.5 + means) / 4.0
    assert wanted.std() > 0.05
    assert_near(images[:, :, ::8, ::8], wanted if kind == "stability" else (wanted + 1.0) / 2.0)
    converted = tmp_path / "converted.safetensors"
    convert(str(network(tmp_path, kind)), converted)
    assert torch.equal(render(load(converted, decoder=folder, noise="none"), codes), images)


def test_the_file_and_the_config_may_state_the_latents(library: SimpleNamespace, tmp_path: Path) -> None:
    usual, _ = encoding_of(stated("stability"), 4)
    other, _ = encoding_of(stated("stability", raw_mean=[0, 1, 2, 3], raw_std=[1.0] * 4, final_std=1), 4)
    assert (usual.final, other) == (
        0.5,
        Encoding("stability", usual.vae, (0.0, 1.0, 2.0, 3.0), (1.0,) * 4, 1.0),
    )
    folder, file = vae_folder(tmp_path / "vae", "flux2"), network(tmp_path, "flux2")
    np.savez(tmp_path / "stats.npz", mean=np.zeros(32), std=np.full(32, 0.5))
    usual_images, images = (
        render(generator := load(file, decoder=folder, **stats), codes_of(generator))
        for stats in ({}, {"latent_stats": str(tmp_path / "stats.npz")})
    )
    assert (usual_images - images).abs().max() > 0.1
    np.savez(tmp_path / "short.npz", mean=np.zeros(4), std=np.ones(4))
    with pytest.raises(CheckpointError, match=r"needs the arrays mean and std of shape \(32,\)"):
        load(file, decoder=folder, latent_stats=str(tmp_path / "short.npz"))


@pytest.mark.parametrize("kind", LATENT)
def test_without_a_decoder_it_is_named_and_no_picture_made(kind: str, tmp_path: Path) -> None:
    path = network(tmp_path, kind)
    vae = KNOWN[kind].vae  # type: ignore[index]
    with pytest.raises(CheckpointError, match=f"gives latents, and the VAE.*hf download {vae}"):
        load(path)
    facts = inspect(str(path))
    assert not facts.faults
    assert facts.resolution == 128
    assert any(f"latents of the VAE {vae}" in sentence for sentence in facts.assumptions)
    assert any("latent_stats.npz" in sentence for sentence in facts.assumptions) == (kind == "flux2")


def test_without_the_library_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    folder = vae_folder(tmp_path / "vae", "stability")
    with pytest.raises(CheckpointError, match=r"pip install 'ganstrata\[diffusers\]'"):
        load(network(tmp_path, "stability"), decoder=folder)


def test_decoders_that_do_not_fit_are_refused(library: SimpleNamespace, tmp_path: Path) -> None:
    file, folder = network(tmp_path, "stability"), vae_folder(tmp_path / "vae", "stability")
    other = vae_folder(tmp_path / "flux", "flux2")
    broken = vae_folder(tmp_path / "broken", "flux2")
    Path(broken, "config.json").write_text("{", encoding="utf-8")
    for decoder, words in (
        (other, "holds AutoencoderKLFlux2, but this network needs AutoencoderKL: hf download"),
        (broken, "cannot be read"),
        (str(tmp_path), "there is no folder with config.json"),
        (str(tmp_path / "absent"), "there is no folder with config.json"),
    ):
        with pytest.raises(CheckpointError, match=words):
            load(file, decoder=decoder)
    library.missing = ["decoder.conv_in.weight"]
    with pytest.raises(CheckpointError, match=r"lacks weights.*decoder\.conv_in\.weight"):
        load(file, decoder=folder)
    library.missing, library.vae = [], lambda kind: Quarter(4, blocks=3)
    with pytest.raises(CheckpointError, match="gives 4 x 4 of the picture; this network needs 4 and 8 x 8"):
        load(file, decoder=folder)
    with pytest.raises(CheckpointError, match="decoder is configured, but this R3GAN2 gives pictures"):
        load(network(tmp_path, "rgb"), decoder=folder)
    with pytest.raises(CheckpointError, match="gives no latents of FLUX"):
        load(file, decoder=folder, latent_stats="a.npz")


@pytest.mark.parametrize(
    ("settings", "outputs", "words"),
    [
        (stated("rgb"), 4, "has 4 channels, and its encoder is 'StandardRGBEncoder'"),
        ({"encoder_kwargs": {"class_name": "mine.Encoder"}}, 4, "supported are StandardRGBEncoder"),
        ({}, 7, "has 7 channels, and its encoder is None"),
        (stated("stability", raw_mean="x"), 4, "raw_mean is 'x', expected numbers"),
        (stated("stability", raw_mean=[1.0]), 4, "needs a mean and a standard deviation above 0"),
        (stated("stability", raw_std=[1.0, 1.0, 0.0, 1.0]), 4, "a standard deviation above 0"),
        (stated("stability", final_mean=1), 4, "final_mean 1 are not supported"),
        ({"network": {"encoding": {"kind": "rgb"}}}, 4, "has 4 channels, and its encoder is"),
        ({"network": {"encoding": 3}}, 3, "network.encoding stored in the file is not one"),
    ],
)  # fmt: skip
def test_other_encoders_are_refused_by_name(
    settings: dict[str, Any], outputs: int, words: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.safetensors", small_state(outputs=outputs), plugin="r3gan2", **settings)
    with pytest.raises(CheckpointError, match=words):
        examine(read_checkpoint(path).parts[0])


@pytest.mark.filterwarnings("ignore:CUDA is not available")  # of diffusers 0.36
@pytest.mark.parametrize("kind", LATENT)
def test_a_vae_that_diffusers_saved_is_read(kind: str, tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    torch.manual_seed(0)
    vae = getattr(diffusers, CLASSES[kind])(
        latent_channels=ENCODERS[kind],
        block_out_channels=(4, 4, 4, 4),
        norm_num_groups=2,
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).eval()
    vae.save_pretrained(tmp_path / "vae")
    generator: Generator = load(network(tmp_path, kind), decoder=str(tmp_path / "vae"))
    images = render(generator, codes_of(generator, 2))
    assert images.shape == (2, 3, 128, 128)
    encoding, _ = encoding_of(stated(kind), ENCODERS[kind])
    latents = torch.randn(2, ENCODERS[kind], 3, 3)
    raw = latents * torch.tensor(encoding.deviations)[:, None, None] / 0.5
    with torch.no_grad():
        wanted = vae.decode(raw + torch.tensor(encoding.means)[:, None, None]).sample
        given = generator._decoder(latents)  # type: ignore[attr-defined]
    assert_near(given, wanted if kind == "stability" else wanted / 2.0 + 0.5)
