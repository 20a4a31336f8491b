"""What the plugin of lightweight-gan reads off a file, and its pictures against a plain network.

There are no numbers of the library to compare with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from closeness import assert_near
from ganstrata import Generator, Pass, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.lightweight_gan.generator import LightweightGAN
from generator_files import codes_by_layer, codes_of, loader, write
from generators_lightweight import plain, small_state
from torch import Tensor

load = loader("lightweight_gan")
FORMS: dict[str, dict[str, Any]] = {
    "one excitation": {},
    "two excitations, of 3 channels": {"size": 256},
    "without excitation": {"size": 32},
    "frequencies": {"pooling": "frequencies"},
    "attention": {"size": 32, "attention": (0, 2)},
    "attention of version 0.20": {
        "size": 32, "attention": (1,), "local": False, "kernel": 3, "shuffled": False, "noisy": False,
    },
    "version 0.21.4": {"size": 32, "shuffled": False},
    "antialias": {"size": 32, "smooth": True},
    "grey": {"size": 32, "colours": 1},
    "transparent": {"size": 32, "colours": 4},
}  # fmt: skip


def training_file(path: Path, state: dict[str, Tensor], version: str = "1.2.1") -> Path:
    torch.save({"GAN": state, "version": version, "G_scaler": {}, "D_scaler": {}}, path)
    return path


def noise_of(generator: Generator) -> dict[int, Tensor]:
    """The fixed noise by level."""
    assert isinstance(generator, LightweightGAN)
    return generator._fixed


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_pictures_are_those_of_the_plain_network(form: dict[str, Any], tmp_path: Path) -> None:
    state, size = small_state(**form), form.get("size", 128)
    path = training_file(tmp_path / "model_3.pt", state)
    assert choose(read_checkpoint(path)).plugin == "lightweight_gan"
    generator = load(path)
    card, layers = generator.card, 1 + max(size.bit_length() - 7, 0)
    assert (card.resolution, card.layers, card.code_size) == (size, layers, 8)
    assert card.channels == form.get("colours", 3)
    codes = codes_by_layer(generator)
    wanted = plain(state, codes, noise_of(generator))
    assert wanted.std() > 0.05
    assert_near(render(generator, codes).double(), wanted)


@pytest.mark.parametrize("noise", ["const", "fresh"])
def test_an_edit_of_an_excitation_restarts_there(noise: str, tmp_path: Path) -> None:
    state = small_state(size=256, attention=(1,))
    generator = load(training_file(tmp_path / "a.pt", state), noise=noise)
    names = [s.name for s in generator.strata]
    codes = codes_of(generator, n=2)
    first = [next(s for s, stratum in enumerate(generator.strata) if stratum.reads == k) for k in range(3)]
    assert [names[s] for s in first] == ["initial", "excitation128", "excitation256"]
    whole = Pass(generator, codes, restarts=first, noise=4)
    for layer in range(3):
        moved = codes.clone()
        moved[:, layer] += torch.randn(8, generator=torch.Generator().manual_seed(layer))
        edited = whole.edited(moved, [layer]).images
        assert (edited - whole.rendering.images).abs().max() > 0.003
        assert_near(edited, render(generator, moved, noise=4))
        if noise == "const":
            assert_near(edited.double(), plain(state, moved, noise_of(generator)))


def test_gradients_reach_the_code_of_every_layer(tmp_path: Path) -> None:
    state = small_state()
    generator = load(training_file(tmp_path / "a.pt", state))
    codes, same = (codes_of(generator, n=2).clone().requires_grad_() for _ in range(2))
    weights = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(5))
    (render(generator, codes) * weights).sum().backward()
    (plain(state, same, noise_of(generator)) * weights).sum().backward()
    assert codes.grad is not None
    assert same.grad is not None
    assert same.grad.abs().amax(dim=(0, 2)).min() > 1e-3
    assert_near(codes.grad, same.grad, tolerance=1e-4)


def test_noise_is_fixed_fresh_or_left_out(tmp_path: Path) -> None:
    state = small_state(size=32)
    path = training_file(tmp_path / "a.pt", state)
    fresh, none = (load(path, noise=noise) for noise in ("fresh", "none"))
    codes = codes_of(none)
    assert_near(render(none, codes).double(), plain(state, codes))
    one, other = render(fresh, codes, noise=1), render(fresh, codes, noise=2)
    assert (one - other).abs().max() > 0.01
    assert_near(render(fresh, codes[1:2], noise=1, index=torch.tensor([1])), one[1:2])


def test_tensors_that_examine_returns_load_again(tmp_path: Path) -> None:
    source = training_file(tmp_path / "a.pt", small_state(size=32, attention=(1,), smooth=True))
    examined = LightweightGAN.examine(read_checkpoint(source).parts[0])
    assert examined is not None
    assert examined.faults == []
    again = write(
        tmp_path / "b.safetensors",
        dict(examined.tensors),
        plugin="lightweight_gan",
        network=examined.architecture,
    )
    assert choose(read_checkpoint(again)).plugin == "lightweight_gan"
    one, other = load(source), load(again)
    assert torch.equal(render(one, codes_of(one)), render(other, codes_of(other)))
    assert one.fingerprint == other.fingerprint


def test_a_file_without_moving_average_and_one_of_an_old_version(tmp_path: Path) -> None:
    state = small_state(size=32, prefix="G.")
    generator = load(training_file(tmp_path / "a.pt", state))
    codes = codes_of(generator)
    assert_near(render(generator, codes).double(), plain(state, codes, noise_of(generator), "G."))
    assert any("no moving average" in sentence for sentence in generator.card.assumptions)
    with pytest.raises(CheckpointError, match=r"lightweight-gan 0\.15.* adds its excitations"):
        load(training_file(tmp_path / "b.pt", state, version="0.15.4"))


def test_an_incomplete_file_is_named(tmp_path: Path) -> None:
    names = {"initial_conv.0.weight": (32, 64, 4, 4), "layers.0.0.2.weight": (64, 32, 3, 3)}
    names["out_conv.weight"] = (3, 8, 3, 3)
    state = {f"GE.{name}": torch.ones(shape) for name, shape in names.items()}
    with pytest.raises(
        CheckpointError,
        match=r"lightweight-gan.*missing GE\.initial_conv\.0\.bias \(probably its name; here initial\.bias\)",
    ):
        load(training_file(tmp_path / "a.pt", state))


EVERYTHING = small_state(z=4, width=2, attention=(1,), smooth=True)


def test_any_missing_or_misshapen_tensor_is_a_fault() -> None:
    for name in EVERYTHING:
        if name.startswith("D") or name.endswith("num_batches_tracked"):
            continue
        damaged = [EVERYTHING | {name: torch.zeros(shape)} for shape in ((), (3, 5, 2))]
        for state in ({k: v for k, v in EVERYTHING.items() if k != name}, *damaged):
            try:
                examined = LightweightGAN.examine(Part("GAN", state, {}))
            except CheckpointError:
                continue
            assert examined is None or examined.faults, name
