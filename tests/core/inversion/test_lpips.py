"""LPIPS against an own computation on random weights, and files that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ganstrata import CheckpointError, DataError, Rendering
from ganstrata.core.inversion.lpips import load_lpips
from scipy.signal import correlate2d
from torch import Tensor

CPU = torch.device("cpu")
SIZES = {
    "vgg": {0: (4, 3), 2: (4, 3), 5: (5, 3), 7: (5, 3), 10: (6, 3), 12: (6, 3), 14: (6, 3), 17: (7, 3),
            19: (7, 3), 21: (7, 3), 24: (7, 3), 26: (7, 3), 28: (7, 3)},
    "alex": {0: (4, 11), 3: (5, 5), 6: (6, 3), 8: (6, 3), 10: (5, 3)},
}  # fmt: skip
"""Number of a convolution -> its output channels and its kernel."""
ENDS = {"vgg": (2, 7, 14, 21, 28), "alex": (0, 3, 6, 8, 10)}
POOLS = {"vgg": (5, 10, 17, 24), "alex": (3, 6)}  # before these convolutions


def tensors(kind: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tensors of a narrow network as torchvision names them, and of heads as LPIPS does."""
    generator = torch.Generator().manual_seed(0)
    trunk, inputs = {}, 3
    for number, (outputs, side) in SIZES[kind].items():
        scale = (2.0 / (inputs * side * side)) ** 0.5
        trunk[f"features.{number}.weight"] = scale * torch.randn(
            outputs, inputs, side, side, generator=generator
        )
        trunk[f"features.{number}.bias"] = 0.1 * torch.randn(outputs, generator=generator)
        inputs = outputs
    trunk["classifier.6.weight"] = torch.zeros(2, 2)
    heads = {
        f"lin{k}.model.1.weight": torch.rand(1, SIZES[kind][end][0], 1, 1, generator=generator)
        for k, end in enumerate(ENDS[kind])
    }
    return trunk, heads


def files(folder: Path, trunk: dict[str, Tensor], heads: dict[str, Tensor]) -> tuple[str, str]:
    torch.save(trunk, folder / "trunk.pth")
    torch.save(heads, folder / "heads.pth")
    return str(folder / "trunk.pth"), str(folder / "heads.pth")


def own_maps(kind: str, trunk: dict[str, Tensor], image: np.ndarray) -> list[np.ndarray]:
    """Feature maps of one picture (3, H, W) by scipy, in float64."""
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    x = (2.0 * image - 1.0 - shift[:, None, None]) / scale[:, None, None]
    maps = []
    for number, (outputs, side) in SIZES[kind].items():
        if number in POOLS[kind]:
            size = 2 if kind == "vgg" else 3
            rows = range(0, x.shape[1] - size + 1, 2)
            columns = range(0, x.shape[2] - size + 1, 2)
            x = np.array([[[c[i : i + size, j : j + size].max() for j in columns] for i in rows] for c in x])
        weight = trunk[f"features.{number}.weight"].double().numpy()
        bias = trunk[f"features.{number}.bias"].double().numpy()
        margin, stride = (2, 4) if (kind, number) == ("alex", 0) else (side // 2, 1)
        padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin)))
        x = np.stack(
            [
                sum(correlate2d(padded[i], weight[o, i], mode="valid") for i in range(len(padded))) + bias[o]
                for o in range(outputs)
            ]
        )
        x = np.maximum(x[:, ::stride, ::stride], 0.0)
        if number in ENDS[kind]:
            maps.append(x)
    return maps


def own_lpips(kind: str, trunk: dict, heads: dict, first: np.ndarray, second: np.ndarray) -> float:
    total = 0.0
    pairs = zip(own_maps(kind, trunk, first), own_maps(kind, trunk, second), strict=True)
    for k, (x, y) in enumerate(pairs):
        x, y = (a / (np.sqrt((a**2).sum(axis=0)) + 1e-10) for a in (x, y))
        weights = heads[f"lin{k}.model.1.weight"].double().numpy().reshape(-1, 1, 1)
        total += float((weights * (x - y) ** 2).sum(axis=0).mean())
    return total


@pytest.mark.parametrize(("kind", "side"), [("vgg", 20), ("alex", 40)])
def test_lpips_equals_an_own_computation(kind: str, side: int, tmp_path: Path):
    trunk, heads = tensors(kind)
    lpips = load_lpips(kind, *files(tmp_path, trunk, heads), CPU, side, side + 3)
    images = torch.rand(4, 3, side, side + 3, generator=torch.Generator().manual_seed(1))
    maps = [lpips.features(Rendering(part)) for part in images.split(2)]
    got = lpips.compare(*maps)
    for n in range(2):
        expected = own_lpips(kind, trunk, heads, *(images[i].double().numpy() for i in (n, n + 2)))
        assert got[n].item() == pytest.approx(expected, rel=1e-4)
    assert lpips.compare(maps[0], maps[0]).tolist() == [0.0, 0.0]
    assert lpips.name == f"LPIPS 0.1 {kind} {lpips.digest[:8]}"


def test_gradients_are_finite_also_where_no_channel_is_active(tmp_path: Path):
    trunk, heads = tensors("vgg")
    trunk = {name: -x.abs() if name.endswith("0.bias") else x for name, x in trunk.items()}
    lpips = load_lpips("vgg", *files(tmp_path, trunk, heads), CPU, 16, 16)
    grey = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    x = grey.clone().requires_grad_(True)
    maps = lpips.features(Rendering(x))
    assert bool((maps[0].square().sum(dim=1) == 0.0).any()) or bool((maps[-1] == 0.0).any())
    lpips.compare(maps, lpips.features(Rendering(torch.rand(1, 3, 16, 16)))).sum().backward()
    assert bool(x.grad.isfinite().all())
    y = torch.rand(1, 3, 16, 16).requires_grad_(True)
    lpips.compare(lpips.features(Rendering(y)), lpips.features(Rendering(y.detach()))).sum().backward()
    assert y.grad.abs().max().item() < 1e-6


def test_the_hash_is_of_both_files(tmp_path: Path):
    trunk, heads = tensors("vgg")
    first = load_lpips("vgg", *files(tmp_path, trunk, heads), CPU, 16, 16).digest
    heads["lin0.model.1.weight"] = heads["lin0.model.1.weight"] * 2.0
    second = load_lpips("vgg", *files(tmp_path, trunk, heads), CPU, 16, 16).digest
    trunk["features.0.bias"] = trunk["features.0.bias"] * 2.0
    third = load_lpips("vgg", *files(tmp_path, trunk, heads), CPU, 16, 16).digest
    assert len({first, second, third}) == 3


def test_files_of_others_are_refused(tmp_path: Path):
    trunk, heads = tensors("vgg")
    alex_trunk, alex_heads = tensors("alex")

    def refused(message: str, t: dict, h: dict) -> None:
        with pytest.raises(CheckpointError, match=message):
            load_lpips("vgg", *files(tmp_path, t, h), CPU, 16, 16)

    refused(r"trunk\.pth is not VGG16 as torchvision stores it: features\.0\.weight is", alex_trunk, heads)
    refused(r"it has no features\.28\.weight", {k: v for k, v in trunk.items() if ".28.w" not in k}, heads)
    refused(r"it has no features\.5\.bias", {k: v for k, v in trunk.items() if k != "features.5.bias"}, heads)
    refused(r"heads\.pth does not hold the heads of LPIPS 0\.1", trunk, trunk)
    refused(
        r"head \d is .*expected: the heads are of another network",
        trunk,
        {**heads, **alex_heads, "lin0.model.1.weight": heads["lin0.model.1.weight"]},
    )
    refused(
        "head 2 has negative weights", trunk, {**heads, "lin2.model.1.weight": -heads["lin2.model.1.weight"]}
    )
    refused(
        "head 0 holds values that are not finite",
        trunk,
        {**heads, "lin0.model.1.weight": heads["lin0.model.1.weight"] * float("nan")},
    )
    refused(
        "features.7.weight holds values",
        {**trunk, "features.7.weight": trunk["features.7.weight"] / 0.0},
        heads,
    )
    with pytest.raises(CheckpointError, match="no checkpoint file"):
        load_lpips("vgg", "missing.pth", "missing.pth", CPU, 16, 16)
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(CheckpointError):
        load_lpips("vgg", str(tmp_path / "text.pth"), str(tmp_path / "heads.pth"), CPU, 16, 16)


@pytest.mark.parametrize(("kind", "side"), [("vgg", 16), ("alex", 31)])
def test_the_smallest_picture_is_read_and_a_smaller_one_refused(kind: str, side: int, tmp_path: Path):
    names = files(tmp_path, *tensors(kind))
    lpips = load_lpips(kind, *names, CPU, side, side)
    assert lpips.features(Rendering(torch.rand(1, 3, side, side)))[-1].numel() > 0
    with pytest.raises(DataError, match=f"at least {side} px"):
        load_lpips(kind, *names, CPU, 64, side - 1)
