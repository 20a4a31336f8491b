"""The same numbers as HiGAN's, GenForce's and rosinality's StyleGAN2, on random weights as they store them.

What is here is a part of the reference numbers. Where GANSTRATA_PARITY names the folder that holds
all of them, NVIDIA's among them, they are tested too. Codes within 1e-5, images in [-1, 1] within 1e-4.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Generator, Pass, render
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

DATA = Path(__file__).parents[2] / "data"
Arrays = Mapping[str, NDArray[np.generic]]


class Case(NamedTuple):
    """Config, what goes in, and the names of the codes and images that must come out."""

    config: dict[str, Any]
    given: str
    codes: str = ""
    image: str = ""


HIGAN = (
    Case({"truncation_psi": 0.5, "truncation_layers": 18}, "z_raw", "wp", "image"),
    Case({"truncation_psi": 0.5}, "z_raw", "wp", "image"),
    Case({"truncation_psi": 0.7, "truncation_layers": 5}, "z_raw", "wp_alt", "image_alt"),
    Case({"truncation_psi": 0.5}, "w_in", "wp_from_w_in"),
    Case({}, "wp_in", "", "image_from_wp_in"),
)
GENFORCE = (
    Case({"truncation_psi": 0.5, "truncation_layers": 18}, "z", "wp", "image"),
    Case({}, "z", "", "image_no_truncation"),
)
ROSINALITY = (
    Case({}, "z", "latent", "image"),
    Case({"truncation_psi": 0.6}, "z", "latent_trunc0.6", "image_trunc0.6"),
    Case({}, "latent_in", "", "image_from_latent_in"),
)


def nvidia(cutoff: int) -> tuple[Case, ...]:
    return (
        Case({}, "z", "ws", "image"),
        Case({"truncation_psi": 0.7}, "z", "ws_psi0.7", "image_psi0.7"),
        Case(
            {"truncation_psi": 0.5, "truncation_layers": cutoff},
            "z",
            "ws_psi0.5_cutoff",
            "image_psi0.5_cutoff",
        ),
        Case({}, "ws_in", "", "image_from_ws_in"),
        Case({"noise": "none"}, "z", "", "image_noise_none"),
    )


SOME = {"stylegan2_higan_64": HIGAN, "stylegan2_genforce_64": GENFORCE, "stylegan2_rosinality_32": ROSINALITY}
ALL = {
    "nv_sg2ada_uncond_32": nvidia(4),
    "nv_sg2ada_cond_64": nvidia(5),
    "higan_stylegan2_64": HIGAN,
    "higan_stylegan2_128": HIGAN,
    "genforce_stylegan2_64": GENFORCE,
    "rosinality_stylegan2_32": ROSINALITY,
}


def with_mean(state: Path, arrays: Arrays, folder: Path) -> Path:
    """As a reader hands it over: what a container holds beside the state dict is put into it."""
    if "latent_avg" not in arrays:
        return state
    tensors = {**load_file(state), "latent_avg": torch.from_numpy(arrays["latent_avg"])}
    save_file(tensors, folder / "state.safetensors")
    return folder / "state.safetensors"


def codes_of(generator: Generator, arrays: Arrays, given: str) -> Tensor:
    value = torch.from_numpy(arrays[given])
    if value.ndim == 3:
        return value
    if given.startswith("w"):
        return generator.broadcast(value)
    return generator.broadcast(generator.map(value, torch.from_numpy(arrays["c"]) if "c" in arrays else None))


def near(actual: Tensor, expected: NDArray[np.generic], tolerance: float) -> None:
    assert actual.shape == expected.shape
    assert expected.std() > 0.1, "the reference itself says nothing"
    assert (actual - torch.from_numpy(expected)).abs().max() < tolerance


def style_name(stratum: str, arrays: Arrays) -> str:
    """What the references call the style of a stratum of ours."""
    size, module = int(stratum.split(".")[0][1:]), stratum.split(".")[1]
    block = size.bit_length() - 3
    conv = 2 * block - (module == "conv0")
    if f"style.synthesis.{stratum}.affine" in arrays:
        return f"style.synthesis.{stratum}.affine"
    if "style00" in arrays:
        return f"output_style{block}" if module == "torgb" else f"style{conv:02d}"
    if module == "torgb":
        return f"style.to_rgbs.{block - 1}.conv.modulation" if block else "style.to_rgb1.conv.modulation"
    return f"style.convs.{conv - 1}.conv.modulation" if conv else "style.conv1.conv.modulation"


def check(state: Path, arrays: Arrays, cases: tuple[Case, ...], folder: Path) -> None:
    path, tried = with_mean(state, arrays, folder), 0
    for config, given, codes_name, image_name in cases:
        if given not in arrays or not {codes_name, image_name} & arrays.keys():
            continue
        tried += 1
        generator = ganstrata.load_generator("stylegan2", checkpoint=str(path), device="cpu", **config)
        codes = codes_of(generator, arrays, given)
        if codes_name in arrays:
            near(codes, arrays[codes_name], 1e-5)
        if image_name in arrays:
            near(render(generator, codes) * 2.0 - 1.0, arrays[image_name], 1e-4)
    assert tried
    check_mapping_and_styles(path, arrays, cases[0])


def check_mapping_and_styles(path: Path, arrays: Arrays, case: Case) -> None:
    generator = ganstrata.load_generator("stylegan2", checkpoint=str(path), device="cpu", **case.config)
    if "w" in arrays:
        near(generator.map(torch.from_numpy(arrays[case.given])), arrays["w"], 1e-5)
    codes = codes_of(generator, arrays, case.given)
    wanted = [
        s for s, stratum in enumerate(generator.strata) if f"feat.{peer_name(stratum.name, arrays)}" in arrays
    ]
    features = Pass(
        generator, codes, features=[s for s in wanted if generator.strata[s].is_feature]
    ).rendering.features
    for s, feature in features.items():
        near(feature[:1], arrays[f"feat.{peer_name(generator.strata[s].name, arrays)}"], 1e-4)
    styles = 0
    for s, stratum in enumerate(generator.strata):
        name = style_name(stratum.name, arrays)
        if name in arrays:
            feature = generator.style(s, codes[:, stratum.reads or 0])
            assert feature is not None
            near(feature, arrays[name], 1e-4)
            styles += 1
    assert styles >= len(generator.strata) // 2


def peer_name(stratum: str, arrays: Arrays) -> str:
    """The module that computes a stratum of ours."""
    style = (
        style_name(stratum, arrays)
        .removeprefix("style.")
        .removesuffix(".affine")
        .removesuffix(".conv.modulation")
    )
    if style.startswith("output_style"):
        return f"synthesis.output{style.removeprefix('output_style')}"
    return f"synthesis.layer{int(style.removeprefix('style'))}" if style.startswith("style") else style


@pytest.mark.parametrize("name", SOME)
def test_small_references_are_reproduced(name: str, tmp_path: Path) -> None:
    with np.load(DATA / f"{name}.npz") as arrays:
        check(DATA / f"{name}.safetensors", dict(arrays), SOME[name], tmp_path)


@pytest.mark.parametrize("name", ALL)
def test_all_references_are_reproduced(name: str, tmp_path: Path) -> None:
    if "GANSTRATA_PARITY" not in os.environ:
        pytest.skip("GANSTRATA_PARITY does not name the folder of the reference numbers")
    folder = Path(os.environ["GANSTRATA_PARITY"]) / name
    with np.load(folder / "inputs.npz") as inputs, np.load(folder / "outputs.npz") as outputs:
        check(folder / "state.safetensors", {**inputs, **outputs}, ALL[name], tmp_path)


def test_mixed_codes_of_two_samples_are_reproduced(tmp_path: Path) -> None:
    """Rosinality's style mixing: the first layers of one, the others of another."""
    if "GANSTRATA_PARITY" not in os.environ:
        pytest.skip("GANSTRATA_PARITY does not name the folder of the reference numbers")
    folder = Path(os.environ["GANSTRATA_PARITY"]) / "rosinality_stylegan2_32"
    with np.load(folder / "inputs.npz") as inputs, np.load(folder / "outputs.npz") as outputs:
        generator = ganstrata.load_generator(
            "stylegan2", checkpoint=str(folder / "state.safetensors"), device="cpu"
        )
        codes = codes_of(generator, inputs, "z")
        mixed = torch.cat([codes[:, :3], codes.flip(0)[:, 3:]], dim=1)
        near(render(generator, mixed) * 2.0 - 1.0, outputs["image_mixed_inject3"], 1e-4)
