"""What the plugin of lucidrains' StyleGAN2 reads off a file, and its pictures against the plain network.

tests/data/lucidrains*.safetensors are networks of the library (2 layers of mapping, 16 pixels) with the
pictures that its own class made of them for given z and noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from closeness import assert_near
from ganstrata import Generator, Pass, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.lucidrains_stylegan2.generator import LucidrainsStyleGAN2
from generator_files import codes_by_layer, codes_of, loader, write
from generators_lucidrains import mapped, plain, small_state
from reference_numbers import DATA, tensor
from torch import Tensor

load = loader("lucidrains_stylegan2")
FORMS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "one block": {"widths": (4,)},
    "another capacity and depth": {"widths": (6, 6, 6, 3), "size": 7, "depth": 3},
    "before version 1.1": {"blurred": False},
    "no_const": {"constant": False},
    "attention": {"attention": (0, 2)},
    "attention and no_const": {"attention": (1,), "constant": False},
    "transparent": {"colours": 4},
}


def training_file(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save({"GAN": state, "version": "1.9.0"}, path)
    return path


def noise_of(generator: Generator) -> Tensor:
    """The fixed noise as the library would draw it, (H, W, 1)."""
    assert isinstance(generator, LucidrainsStyleGAN2)
    return generator.noise_image[0].permute(1, 2, 0)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_pictures_are_those_of_the_plain_network(form: dict[str, Any], tmp_path: Path) -> None:
    state = small_state(**form)
    path = training_file(tmp_path / "model_7.pt", state)
    assert choose(read_checkpoint(path)).plugin == "lucidrains_stylegan2"
    generator = load(path)
    assert generator.card.channels == form.get("colours", 3)
    card, blocks = generator.card, len(form.get("widths", (0, 0, 0)))
    size = form.get("size", 10)
    assert (card.resolution, card.layers, card.code_size, card.latent_size) == (
        4 * 2 ** (blocks - 1),
        blocks,
        size,
        size,
    )
    z = generator.sample(3, 0, 0, ganstrata.Stream.PROBING).z
    assert_near(generator.map(z).double(), mapped(state, z))
    codes = codes_by_layer(generator, n=3)
    wanted = plain(state, codes, noise_of(generator))
    assert wanted.std() > 0.1
    assert_near(render(generator, codes).double(), wanted)


@pytest.mark.parametrize("name", ["lucidrains_16", "lucidrains_transparent_16"])
def test_pictures_are_those_of_the_library(name: str) -> None:
    generator = load(DATA / f"{name}.safetensors")
    assert generator.card.channels == tensor(name, "images").shape[1]
    generator.noise_image = tensor(name, "noise").permute(0, 3, 1, 2)  # type: ignore[attr-defined]
    codes = generator.broadcast(generator.map(tensor(name, "z")))
    assert_near(render(generator, codes), tensor(name, "images"))


def test_the_image_of_noise_is_read_with_exchanged_axes_and_can_be_set(tmp_path: Path) -> None:
    state = small_state()
    generator = load(training_file(tmp_path / "a.pt", state))
    codes, before = codes_of(generator), render(generator, codes_of(generator))
    noise = torch.rand(16, 16, 1, generator=torch.Generator().manual_seed(3))
    generator.noise_image = noise.permute(2, 0, 1)[None]  # type: ignore[attr-defined]
    after = render(generator, codes)
    assert_near(after.double(), plain(state, codes, noise))
    assert (after.double() - plain(state, codes, noise.transpose(0, 1))).abs().max() > 0.01
    assert (after - before).abs().max() > 0.01


def test_noise_is_fixed_fresh_or_its_mean(tmp_path: Path) -> None:
    state = small_state()
    path = training_file(tmp_path / "a.pt", state)
    const, fresh, none = (load(path, noise=noise) for noise in ("const", "fresh", "none"))
    codes = codes_of(const)
    assert torch.equal(render(const, codes, noise=1), render(const, codes, noise=2))
    assert_near(render(none, codes).double(), plain(state, codes, torch.full((16, 16, 1), 0.5)))
    one, other = render(fresh, codes, noise=1), render(fresh, codes, noise=2)
    assert (one - other).abs().max() > 0.01
    assert_near(render(fresh, codes[1:2], noise=1, index=torch.tensor([1])), one[1:2])
    drawn = fresh.begin(ganstrata.Inputs(3, None, torch.arange(3), 1)).kept["noise"]
    assert_near(one.double(), plain(state, codes, drawn.permute(0, 2, 3, 1)))


@pytest.mark.parametrize("form", [{}, {"constant": False, "attention": (1,)}])
def test_an_edit_of_some_layers_restarts_where_they_are_read(form: dict[str, Any], tmp_path: Path) -> None:
    state = small_state(**form)
    generator = load(training_file(tmp_path / "a.pt", state))
    codes = codes_of(generator)
    first = [next(s for s, stratum in enumerate(generator.strata) if stratum.reads == k) for k in range(3)]
    whole = Pass(generator, codes, restarts=first)
    for layer in range(3):
        moved = codes.clone()
        moved[:, layer] += torch.randn(codes.shape[2], generator=torch.Generator().manual_seed(layer))
        wanted = plain(state, moved, noise_of(generator))
        assert (wanted - whole.rendering.images).abs().max() > 0.01
        assert_near(whole.edited(moved, [layer]).images.double(), wanted)


def test_gradients_of_codes_are_those_of_the_plain_network(tmp_path: Path) -> None:
    state = small_state(constant=False, attention=(1,))
    generator = load(training_file(tmp_path / "a.pt", state))
    codes, same = (codes_by_layer(generator).requires_grad_() for _ in range(2))
    weights = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    (render(generator, codes) * weights).sum().backward()
    (plain(state, same, noise_of(generator)) * weights).sum().backward()
    assert codes.grad is not None
    assert same.grad is not None
    assert same.grad.abs().amax(dim=(0, 2)).min() > 0.01
    assert_near(codes.grad, same.grad)


def test_styles_are_affine_maps_of_codes_and_can_be_given_instead(tmp_path: Path) -> None:
    generator = load(training_file(tmp_path / "a.pt", small_state(constant=False, attention=(1,))))
    codes = codes_by_layer(generator)
    state = generator.begin(ganstrata.Inputs(2, None, torch.arange(2)))
    for s, stratum in enumerate(generator.strata):
        code = None if stratum.reads is None else codes[:, stratum.reads]
        if stratum.style_width is not None:
            assert code is not None
            style, weights = generator.style(s, code), generator.style_weights(s)
            assert style is not None
            assert weights is not None
            assert style.shape == (2, stratum.style_width)
            assert_near(style[1] - style[0], (code[1] - code[0]) @ weights.t())
            by_style = generator.stratum(s, state, None, style)
        else:
            assert generator.style_weights(s) is None
            by_style = generator.stratum(s, state, code)
        state = generator.stratum(s, state, code)
        for one, other in ((state.x, by_style.x), (state.rgb, by_style.rgb)):
            assert one is other is None or torch.equal(one, other)  # type: ignore[arg-type]


def test_truncation_moves_codes_towards_the_mean_of_many(tmp_path: Path) -> None:
    state = small_state()
    path = training_file(tmp_path / "a.pt", state)
    whole, half = load(path), load(path, truncation_psi=0.5, truncation_layers=1)
    z = whole.sample(4, 0, 0, ganstrata.Stream.PROBING).z
    w, mean = whole.map(z), mapped(state, whole.sample(4000, 1, 0, ganstrata.Stream.PROBING).z).mean(dim=0)
    codes = half.broadcast(half.map(z))
    assert torch.equal(codes[:, 1:], w[:, None].expand(-1, 2, -1))
    assert (codes[:, 0] - (mean + 0.5 * (w - mean))).abs().max() < 0.1 * w.std()


def test_the_learning_rate_of_the_mapping_network_makes_another_space(tmp_path: Path) -> None:
    state = small_state()
    path = training_file(tmp_path / "a.pt", state)
    one, other = load(path), load(path, lr_mlp=1.0)
    z = one.sample(3, 0, 0, ganstrata.Stream.PROBING).z
    assert_near(other.map(z).double(), mapped(state, z, lr_mlp=1.0))
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == load(path, lr_mlp=0.1).fingerprint


def test_the_moving_average_is_used_where_there_is_one(tmp_path: Path) -> None:
    trained = small_state(names=("S.", "G."), widths=(6, 6, 4), others=False, seed=1)
    average = small_state()
    both = load(training_file(tmp_path / "a.pt", trained | average))
    codes = codes_of(both)
    assert_near(render(both, codes).double(), plain(average, codes, noise_of(both)))
    alone = load(training_file(tmp_path / "b.pt", trained))
    codes = codes_of(alone)
    assert_near(render(alone, codes).double(), plain(trained, codes, noise_of(alone), "G."))


def test_what_was_not_used_and_what_was_assumed_is_told(tmp_path: Path) -> None:
    told = " ".join(load(training_file(tmp_path / "a.pt", small_state()), lr_mlp=0.2).card.assumptions)
    assert "other networks of the training are not used (2, such as D.blocks.0.conv_res.weight)" in told
    assert "multiplier is 0.2 (config: lr_mlp)" in told
    assert "drawn from seed 0" in told
    alone = load(training_file(tmp_path / "b.pt", small_state(names=("S.", "G."))))
    assert any("no moving average" in sentence for sentence in alone.card.assumptions)


def test_tensors_that_examine_returns_load_again(tmp_path: Path) -> None:
    source = training_file(tmp_path / "a.pt", small_state(attention=(1,), constant=False))
    examined = LucidrainsStyleGAN2.examine(read_checkpoint(source).parts[0])
    assert examined is not None
    assert examined.faults == []
    again = write(
        tmp_path / "b.safetensors",
        dict(examined.tensors),
        plugin="lucidrains_stylegan2",
        network=examined.architecture,
    )
    assert choose(read_checkpoint(again)).plugin == "lucidrains_stylegan2"
    one, other = load(source), load(again)
    assert torch.equal(render(one, codes_of(one)), render(other, codes_of(other)))
    assert one.fingerprint == other.fingerprint


def test_a_synthesis_network_alone_is_refused_with_what_to_give(tmp_path: Path) -> None:
    state = {name.removeprefix("GE."): t for name, t in small_state().items() if name.startswith("GE.")}
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"without its mapping network .* give the whole model_N\.pt"):
        load(tmp_path / "a.pt")


EVERYTHING = small_state(attention=(1,), constant=False, others=False)


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_any_missing_or_misshapen_tensor_is_a_fault(name: str) -> None:
    damaged = [EVERYTHING | {name: torch.zeros(shape)} for shape in ((), (3, 5, 2), (0, 0, 0, 0), (9, 1))]
    for state in ({k: v for k, v in EVERYTHING.items() if k != name}, *damaged):
        try:
            examined = LucidrainsStyleGAN2.examine(Part("GAN", state, {}))
        except CheckpointError:
            continue
        assert examined is None or examined.faults
