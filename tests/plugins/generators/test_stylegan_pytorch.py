"""StyleGANs of rosinality's style-based-gan-pytorch and of PyTorch GAN Zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Generator, Stream, render
from ganstrata.core.checkpoints import Part
from ganstrata.core.checkpoints.convert import convert
from ganstrata.core.checkpoints.inspect import inspect
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.stylegan.generator import StyleGAN
from ganstrata.plugins.generators.stylegan.network import _Blur
from generators_stylegan import small_state
from generators_stylegan_pytorch import (
    WIDTHS,
    rosinality,
    rosinality_mapping,
    rosinality_pictures,
    zoo,
    zoo_mapping,
    zoo_pictures,
)
from torch import Tensor


def load(path: Path, **config: Any) -> Generator:
    return ganstrata.load_generator("auto", checkpoint=str(path), device="cpu", **config)


def codes_and_pictures(generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """z (N, Z), w (N, D), and pictures in [-1, 1]."""
    z = generator.sample(3, 0, 0, Stream.PROBING).z
    w = generator.map(z)
    return z, w, render(generator, generator.broadcast(w)) * 2.0 - 1.0


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def close(images: Tensor, expected: Tensor) -> bool:
    return bool((images - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max())))


def assumptions(state: dict[str, Tensor], settings: dict[str, Any] | None = None) -> str:
    examined = StyleGAN.examine(Part("", state, settings or {}))
    assert examined is not None
    assert not examined.faults
    return "\n".join(examined.assumptions)


def test_rosinalitys_network_at_every_step(tmp_path: Path) -> None:
    state = rosinality()
    path = saved(tmp_path / "train_step-3.model", {"generator": rosinality(1), "g_running": state})
    for levels in (1, 2, 3):
        z, w, images = codes_and_pictures(load(path, depth=levels + 1, noise="none"))
        assert images.shape[-1] == 2 ** (levels + 1)
        assert close(w, rosinality_mapping(state, z))
        assert close(images, rosinality_pictures(state, w, levels=levels))
    facts = inspect(str(path))
    assert (facts.plugin, facts.resolution, facts.layers, facts.faults) == ("stylegan", 16, 6, ())
    with pytest.raises(CheckpointError, match=r"depths 2 \(4 pixels\), 3 \(8 pixels\), 4 \(16 pixels\)"):
        load(path, depth=8)


def test_rosinalitys_noise_is_drawn_once_and_scaled(tmp_path: Path) -> None:
    state = rosinality()
    generator = load(saved(tmp_path / "a.model", state))
    layers = generator._layers  # type: ignore[attr-defined]
    noise = {(k, j): layers[2 * k + j - 1].noise_const[0, 0] for k in range(3) for j in (1, 2)}
    _, w, images = codes_and_pictures(generator)
    assert close(images, rosinality_pictures(state, w, noise))
    told = assumptions(state)
    assert all(words in told for words in ("no fixed noise", "mean w", "depth"))


def test_rosinalitys_last_trained_output_is_taken(tmp_path: Path) -> None:
    state = rosinality()
    state["generator.to_rgb.2.conv.bias"] = torch.zeros(3)
    _, w, images = codes_and_pictures(load(saved(tmp_path / "a.model", state), noise="none"))
    assert close(images, rosinality_pictures(state, w, levels=2))
    assert "above 8 pixels were never trained" in assumptions(state)


def test_a_stored_filter_is_used_and_told(tmp_path: Path) -> None:
    state = rosinality()
    kernel = torch.rand(WIDTHS[1], 1, 3, 3, generator=torch.Generator().manual_seed(1))
    state["generator.progression.1.conv1.2.weight"] = kernel
    generator = load(saved(tmp_path / "a.model", state), noise="none")
    _, w, images = codes_and_pictures(generator)
    assert close(images, rosinality_pictures(state, w))
    assert "filter of 1 layer" in assumptions(state)
    convert(str(tmp_path / "a.model"), tmp_path / "a.safetensors")
    assert close(codes_and_pictures(load(tmp_path / "a.safetensors", noise="none"))[2], images)


def test_the_gradient_of_an_asymmetric_filter() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, generator=random).requires_grad_()
    kernel = torch.rand(2, 1, 3, 3, dtype=torch.float64, generator=random)
    assert torch.autograd.gradcheck(lambda x: _Blur.apply(x, kernel, None), (x,))  # type: ignore[no-untyped-call]


def test_the_first_versions_of_rosinality_are_refused_by_name(tmp_path: Path) -> None:
    state = rosinality(widths=(6,))
    state["generator.progression.1.conv1.conv.weight_orig"] = torch.zeros(6, 6, 3, 3)
    with pytest.raises(CheckpointError, match=r"first versions of rosinality's style-based-gan-pytorch"):
        load(saved(tmp_path / "a.model", state))


def test_the_zoos_stylegan(tmp_path: Path) -> None:
    state = zoo()
    content = {"config": {"alpha": 0, "phiTruncation": 0.5, "lossCriterion": "Logistic"}, "avgG": state}
    path = saved(tmp_path / "FFHQ.pth", content)
    z, w, images = codes_and_pictures(load(path, noise="none"))
    assert close(w, zoo_mapping(state, z))
    assert close(images, zoo_pictures(state, w))
    half = load(path, noise="none", truncation_psi=0.5)
    mean = state["mean_w"]
    truncated = render(half, half.broadcast(w)) * 2.0 - 1.0
    assert close(truncated, zoo_pictures(state, mean + 0.5 * (w - mean)))
    assert "phiTruncation 0.5" in "\n".join(inspect(str(path)).faults) + assumptions(state, content)
    convert(str(path), tmp_path / "a.safetensors")
    assert close(codes_and_pictures(load(tmp_path / "a.safetensors", noise="none"))[2], images)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"alpha": 0.5}, "alpha = 0.5; only fully grown networks"),
        ({"categoryVectorDim": 3}, "classes are not supported"),
        ({"lossCriterion": {}}, "expected MSE, DCGAN, WGANGP, Logistic"),
    ],
)
def test_the_zoos_configurations_that_are_not_supported(stored: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        StyleGAN.examine(Part("avgG", zoo(), {"config": stored}))


def test_what_genforces_files_do_not_state_is_in_the_config(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", small_state("genforce"))
    z, w, images = codes_and_pictures(load(path))
    assert close(codes_and_pictures(load(path, final_tanh=True))[2], torch.tanh(images))
    # With another multiplier m, layers give m / 0.01 times as much, here 2; leaky ReLU passes factors on.
    state = small_state("genforce")
    layers = sum(".weight" in name for name in state if name.startswith("mapping.dense"))
    for name in state:
        if name.startswith("mapping.dense") and name.endswith("bias"):
            state[name] = torch.zeros_like(state[name])
    torch.save(state, path)
    w = load(path).map(z)
    assert close(load(path, lr_mlp=0.02).map(z), 2.0**layers * w)
    assert not close(load(path, use_wscale=False).map(z), w)
    with pytest.raises(CheckpointError, match="use_wscale: false is configured"):
        load(saved(tmp_path / "b.model", rosinality()), use_wscale=False)
