"""ProgressiveGANs of PyTorch GAN Zoo and pro_gan_pytorch, which state little of themselves in their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Stream, render
from ganstrata.core.checkpoints import Part
from ganstrata.core.checkpoints.convert import convert
from ganstrata.core.checkpoints.inspect import inspect
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.pggan.generator import ProgressiveGAN
from generators_grown import pro_gan, pro_gan_pictures, zoo, zoo_pictures
from generators_pggan import small_state
from torch import Tensor


def pictures(path: Path, labels: Tensor | None = None, **config: Any) -> tuple[Tensor, Tensor]:
    """Pictures of a file in [-1, 1], and the inputs of the network that they were made of."""
    generator = ganstrata.load_generator("auto", checkpoint=str(path), device="cpu", **config)
    z = generator.sample(3, 0, 0, Stream.PROBING).z
    images = render(generator, generator.broadcast(generator.map(z, labels)), condition=labels) * 2.0 - 1.0
    hot = None if labels is None else torch.nn.functional.one_hot(labels, generator.architecture.classes)  # type: ignore[attr-defined]
    return images, z if hot is None else torch.cat([z, hot], dim=1)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def close(images: Tensor, expected: Tensor) -> bool:
    return bool((images - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max())))


CONFIG = {
    "alpha": 0,
    "equalizedlR": True,
    "leakyReluLeak": 0.2,
    "lossCriterion": "WGANGP",
    "categoryVectorDim": 0,
}


@pytest.mark.parametrize("module", ["", "module."])
def test_the_zoos_network_has_its_own_scales_and_a_bias_per_pixel(module: str, tmp_path: Path) -> None:
    state = zoo(module=module)
    path = saved(tmp_path / "a.pth", {"config": CONFIG, "netG": zoo(1, module=module), "avgG": state})
    images, z = pictures(path)
    assert close(images, zoo_pictures(state, z))
    facts = inspect(str(path))
    assert (facts.plugin, facts.resolution, facts.latent_size, facts.faults) == ("pggan", 16, 7, ())
    convert(str(path), tmp_path / "a.safetensors")
    assert close(pictures(tmp_path / "a.safetensors")[0], images)


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        ({"alpha": 0.25}, {"alpha": 0.25}),
        ({"alpha": 1}, {"alpha": 1.0}),
        ({"equalizedlR": False}, {"equalised": False}),
        ({"leakyReluLeak": 0.1, "lossCriterion": "DCGAN"}, {"leak": 0.1, "tanh": True}),
    ],
)
def test_the_zoos_configuration_is_obeyed(
    stored: dict[str, Any], options: dict[str, Any], tmp_path: Path
) -> None:
    state = zoo()
    images, z = pictures(saved(tmp_path / "a.pth", {"config": CONFIG | stored, "avgG": state}))
    assert close(images, zoo_pictures(state, z, **options))
    if "alpha" in stored:  # the config asks for the last output alone
        images, _ = pictures(tmp_path / "a.pth", depth=4)
        assert close(images, zoo_pictures(state, z))


def test_the_zoos_classes_stand_beside_z(tmp_path: Path) -> None:
    state = zoo()
    path = saved(tmp_path / "a.pth", {"config": CONFIG | {"categoryVectorDim": 3}, "avgG": state})
    images, inputs = pictures(path, torch.tensor([2, 0, 1]))
    assert inputs.shape == (3, 7)
    assert close(images, zoo_pictures(state, inputs))


def test_a_zoo_file_without_configuration_is_told_of(tmp_path: Path) -> None:
    state = zoo()
    examined = ProgressiveGAN.examine(Part("avgG", state, {}))
    assert examined is not None
    assert any("final_tanh" in sentence for sentence in examined.assumptions)
    images, z = pictures(saved(tmp_path / "a.pth", state), final_tanh=True)
    assert close(images, zoo_pictures(state, z, tanh=True))


@pytest.mark.parametrize("old", [False, True])
def test_pro_gan_pytorchs_network_at_every_depth(old: bool, tmp_path: Path) -> None:
    state = pro_gan(old=old)
    path = saved(tmp_path / "a.pth", {f"module.{name}": tensor for name, tensor in state.items()})
    for levels in (1, 2, 3):
        images, z = pictures(path, depth=levels + 1)
        assert images.shape[-1] == 2 ** (levels + 1)
        assert close(images, pro_gan_pictures(state, z, levels=levels, old=old))
    assert torch.equal(pictures(path)[0], images)
    with pytest.raises(CheckpointError, match=r"depths 2 \(4 pixels\), 3 \(8 pixels\), 4 \(16 pixels\)"):
        pictures(path, depth=5)


def test_the_last_trained_output_is_taken_and_told(tmp_path: Path) -> None:
    state = pro_gan()
    state["rgb_converters.2.bias"] = torch.zeros(3)
    images, z = pictures(saved(tmp_path / "a.pth", state))
    assert close(images, pro_gan_pictures(state, z, levels=2))
    examined = ProgressiveGAN.examine(Part("", state, {}))
    assert examined is not None
    assert examined.resolution == 8
    assert any("8 pixels" in told and "depth" in told for told in examined.assumptions)


def test_pro_gan_pytorchs_file_holds_a_moving_average_and_arguments(tmp_path: Path) -> None:
    state = pro_gan()
    conf = {"depth": 4, "num_channels": 3, "latent_size": 7, "use_eql": False}
    content = {
        "generator": {"conf": conf, "state_dict": pro_gan(1)},
        "discriminator": {"conf": conf, "state_dict": {"layers.0.conv_1.weight": torch.zeros(1, 1, 3, 3)}},
        "shadow_generator": {"conf": conf, "state_dict": state},
    }
    path = saved(tmp_path / "depth_4_epoch_12.bin", content)
    images, z = pictures(path)
    assert close(images, pro_gan_pictures(state, z, equalised=False))
    with pytest.raises(CheckpointError, match="use_wscale: true is configured, but the file states false"):
        pictures(path, use_wscale=True)


def test_genforces_options_that_no_file_states(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", small_state("genforce"))
    plain, _ = pictures(path)
    assert close(pictures(path, final_tanh=True)[0], torch.tanh(plain))
    assert not close(pictures(path, use_wscale=False)[0], plain)
    examined = ProgressiveGAN.examine(Part("", small_state("genforce"), {}))
    assert examined is not None
    assert list(examined.assumed) == ["final_tanh", "use_wscale"]
    assert all(told.endswith(f"(config: {field})") for field, told in examined.assumed.items())


@pytest.mark.parametrize(
    ("state", "settings"),
    [
        (zoo(), {"config": {"alpha": 2.0}}),
        (zoo(), {"config": {"lossCriterion": ["MSE"]}}),
        (zoo(), {"config": {"perChannelNormalization": False}}),
        (zoo(), {"config": {"categoryVectorDim": 7}}),
        (pro_gan(), {"conf": {"use_eql": "yes"}}),
    ],
)
def test_settings_that_make_no_sense_are_refused(state: dict[str, Tensor], settings: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError):
        ProgressiveGAN.examine(Part("", state, settings))
