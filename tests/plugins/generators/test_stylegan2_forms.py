"""StyleGAN2's three forms and its low-pass filters against a plain network; what holds for every form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Generator, Pass, Stream, render
from generators_stylegan2 import plain_images, random_state
from safetensors.torch import save_file
from torch import Tensor

FORMS = ("skip", "resnet", "orig")


def load(folder: Path, tensors: dict[str, Tensor], clamp: float | None = None, **config: Any) -> Generator:
    path = folder / f"{len(list(folder.iterdir()))}.safetensors"
    save_file(tensors, path, metadata={"ganstrata": json.dumps({"synthesis_kwargs": {"conv_clamp": clamp}})})
    return ganstrata.load_generator("stylegan2", checkpoint=str(path), device="cpu", **config)


def codes_of(generator: Generator, n: int = 2) -> Tensor:
    """A code of its own for every layer."""
    w = generator.map(generator.sample(n * generator.card.layers, 0, 0, Stream.PROBING).z)
    return w.reshape(n, generator.card.layers, -1)


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize(
    ("taps", "clamp"), [(4, None), (4, 0.6), (2, None), (6, None), (1, None), (3, None), (5, None)]
)
def test_every_form_is_what_its_definition_says(
    kind: str, taps: int, clamp: float | None, tmp_path: Path
) -> None:
    state = random_state(kind=kind, taps=taps)
    if taps > 4 or taps == 3:  # the same as their mirror images in neither direction
        row, column = torch.arange(1.0, taps + 1), torch.arange(1.0, taps + 1).flip(0) ** 2
        kernel = torch.outer(column, row) / (column.sum() * row.sum())
        state = {name: kernel.clone() if name.endswith("resample_filter") else t for name, t in state.items()}
    generator = load(tmp_path, state, clamp)
    codes = codes_of(generator)
    wanted = plain_images(state, codes, kind, clamp)
    assert wanted.std() > 0.1
    assert (render(generator, codes) * 2.0 - 1.0 - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("taps", [8, 9])
def test_nvidia_stores_a_long_filter_as_one_row_and_the_usual_one_where_it_does_nothing(
    taps: int, tmp_path: Path
) -> None:
    row = torch.arange(1.0, taps + 1)
    row /= row.sum()
    state = random_state(taps=taps)
    filters = {n for n in state if n.endswith("resample_filter") and ".conv1." not in n}
    assert {tuple(state[n].shape) for n in state if n.endswith("conv1.resample_filter")} == {(4, 4)}
    generator = load(tmp_path, {name: row.clone() if name in filters else t for name, t in state.items()})
    codes = codes_of(generator)
    square = {name: torch.outer(row, row) if name in filters else t for name, t in state.items()}
    assert (render(generator, codes) * 2.0 - 1.0 - plain_images(square, codes)).abs().max() < 1e-4


def test_forms_differ_in_their_strata(tmp_path: Path) -> None:
    names = {kind: [s.name for s in load(tmp_path, random_state(kind=kind)).strata] for kind in FORMS}
    convs = ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]
    assert names["resnet"] == names["orig"] == [*convs, "b16.torgb"]
    assert [name for name in names["skip"] if "conv" in name] == convs
    assert len(names["skip"]) == 8
    for kind in FORMS:
        generator = load(tmp_path, random_state(kind=kind))
        assert {s.reads for s in generator.strata} == set(range(6))


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("noise", ["const", "fresh"])
def test_an_edited_pass_equals_a_full_one(kind: str, noise: str, tmp_path: Path) -> None:
    generator = load(tmp_path, random_state(kind=kind), noise=noise)
    codes, index = codes_of(generator, 3), torch.tensor([4, 0, 7])
    restarts = {s for s, stratum in enumerate(generator.strata) if stratum.reads is not None}
    done = Pass(generator, codes, index=index, noise=5, restarts=restarts)
    for layer in range(generator.card.layers):
        edited = codes.clone()
        edited[:, layer] += 1.0
        full = render(generator, edited, index=index, noise=5)
        assert (done.edited(edited, (layer,)).images - full).abs().max() < 1e-6
        assert (full - done.rendering.images).abs().max() > 1e-3, f"layer {layer} does nothing"


@pytest.mark.parametrize("kind", FORMS)
def test_a_sample_does_not_depend_on_its_batch(kind: str, tmp_path: Path) -> None:
    generator = load(tmp_path, random_state(kind=kind))
    codes = codes_of(generator, 5)
    together = render(generator, codes)
    alone = torch.cat([render(generator, code[None]) for code in codes])
    assert (together - alone).abs().max() < 1e-5


@pytest.mark.parametrize("kind", FORMS)
def test_gradients_with_respect_to_codes_are_right(kind: str, tmp_path: Path) -> None:
    """Against the difference of two images a small step apart."""
    generator = load(tmp_path, random_state(kind=kind), clamp=8.0)
    codes = codes_of(generator, 1).requires_grad_(True)
    probe = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    image = generator_image(generator, codes)
    (gradient,) = torch.autograd.grad((image * probe).sum(), codes)
    assert (gradient.flatten(2).norm(dim=2) > 0).all(), "every layer has a part in the picture"
    direction = gradient / gradient.norm()
    step = 1e-3
    with torch.no_grad():
        ahead, behind = (
            float((generator_image(generator, codes + sign * step * direction) * probe).sum())
            for sign in (1.0, -1.0)
        )
    slope = (ahead - behind) / (2.0 * step)
    assert abs(slope - float(gradient.norm())) < 0.02 * float(gradient.norm())


def generator_image(generator: Generator, codes: Tensor) -> Tensor:
    """render() without its inference mode."""
    state = generator.begin(ganstrata.Inputs(codes.shape[0], None, torch.arange(codes.shape[0])))
    for s, stratum in enumerate(generator.strata):
        state = generator.stratum(s, state, codes[:, stratum.reads or 0])
    return generator.finish(state)


@pytest.mark.parametrize("kind", FORMS)
def test_half_precision_is_close_to_float32(kind: str, tmp_path: Path) -> None:
    generator = load(tmp_path, random_state(kind=kind))
    codes = codes_of(generator)
    full, half = render(generator, codes), render(generator, codes, precision="bf16")
    assert half.dtype == torch.float32
    assert 0.0 < (full - half).abs().mean() < 0.03 * full.std()


def test_the_cached_energy_of_a_weight_gives_the_same_demodulation(tmp_path: Path) -> None:
    generator = load(tmp_path, random_state())
    layer = generator.network.block(8).conv0  # type: ignore[attr-defined]
    style = torch.randn(2, layer.weight.shape[1])
    cached = layer.demodulate(style)
    layer._energy = None
    assert torch.equal(layer.demodulate(style), cached)
