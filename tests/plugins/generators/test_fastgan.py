"""What the FastGAN plugin reads off a file, and its pictures against the plain network of the tests.

There are no numbers of the authors' code to compare with.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from checkpoint_files import pretending
from closeness import assert_near
from ganstrata import Generator, Pass, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.fastgan.architecture import examine
from ganstrata.plugins.generators.fastgan.generator import FastGAN
from ganstrata.plugins.generators.shared.unstored import Unstored
from generator_files import codes_by_layer, codes_of, loader, write
from generators_fastgan import CLASSES, FORMS, plain, small_state
from torch import Tensor, nn

load = loader("fastgan")


def noise_of(generator: Generator) -> dict[tuple[int, int], Tensor]:
    """The fixed noise by level and number of the convolution."""
    assert isinstance(generator, FastGAN)
    return {(part // 2, part % 2): noise for part, noise in generator._fixed.items()}


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save({"g": state, "d": {"down_4.0.weight": torch.zeros(2, 2)}}, path)
    return path


SMALL: dict[str, Any] = {"size": 32}  # without excitation; 64 has one


@pytest.mark.parametrize("form", FORMS)
def test_pictures_are_those_of_the_plain_network(form: str, tmp_path: Path) -> None:
    state = small_state(form, 128)
    path = saved(tmp_path / "a.pth", state)
    assert choose(read_checkpoint(path)).plugin == "fastgan"
    generator = load(path)
    card = generator.card
    assert (card.resolution, card.layers, card.code_size, card.latent_size) == (128, 3, 6, 6)
    assert generator.groups == {"content": (0,), "style": (1, 2)}
    codes = codes_by_layer(generator)
    classes = torch.tensor([2, 0]) if form.startswith("conditional") else None
    wanted = plain(state, codes, noise_of(generator), classes, size=128)
    assert wanted.std() > 0.05
    images = render(generator, codes, condition=classes)
    assert_near(images.double(), (wanted + 1.0) / 2.0)


def test_a_pickled_network_of_projected_gan_is_read_without_its_classes(tmp_path: Path) -> None:
    class Network(nn.Module):
        """Stand for projected-gan's Generator."""

    class Block(nn.Module):
        """Stand for the modules inside it."""

    state = small_state("projected", 32)
    with pretending(pg_modules__networks_fastgan__Generator=Network, pg_modules__blocks__UpBlock=Block):
        network = Network()
        for name, tensor in state.items():
            *path, leaf = name.split(".")
            module: nn.Module = network
            for part in path:
                if part not in module._modules:
                    module.add_module(part, Block())
                module = module.get_submodule(part)
            module.register_buffer(leaf, tensor)
        (tmp_path / "network.pkl").write_bytes(pickle.dumps({"G": network, "D": None, "G_ema": network}))
    images, wanted = (
        render(generator := load(path), codes_of(generator))
        for path in (tmp_path / "network.pkl", saved(tmp_path / "a.pth", state))
    )
    assert_near(images, wanted)


def test_the_usual_code_is_one_for_all_layers(tmp_path: Path) -> None:
    state = small_state(size=64)
    generator = load(saved(tmp_path / "a.pth", state))
    codes = codes_of(generator)
    wanted = plain(state, codes, noise_of(generator), size=64)
    assert_near(render(generator, codes).double(), (wanted + 1.0) / 2.0)


def test_strata_have_the_names_of_the_network_and_their_feature_maps(tmp_path: Path) -> None:
    generator = load(saved(tmp_path / "a.pth", small_state(size=64)))
    names = ["init", "feat_8", "feat_16", "feat_32", "feat_64", "se_64", "to_big"]
    assert [s.name for s in generator.strata] == names
    assert [s.reads for s in generator.strata] == [0, None, None, None, None, 1, None]
    features = Pass(generator, codes_of(generator), features=range(6)).rendering.features
    shapes = [(64, 4, 4), (32, 8, 8), (16, 16, 16), (8, 32, 32), (8, 64, 64), (8, 64, 64)]
    assert [tuple(x.shape[1:]) for x in features.values()] == shapes


@pytest.mark.parametrize("noise", ["const", "fresh"])
def test_an_edit_of_an_excitation_restarts_there(noise: str, tmp_path: Path) -> None:
    state = small_state("projected", 128)
    generator = load(saved(tmp_path / "a.pth", state), noise=noise)
    codes = codes_of(generator)
    whole = Pass(generator, codes, restarts=[0, 5, 7], noise=4)
    for layer in range(3):
        moved = codes.clone()
        moved[:, layer] += torch.randn(6, generator=torch.Generator().manual_seed(layer))
        edited = whole.edited(moved, [layer]).images
        assert (edited - whole.rendering.images).abs().max() > 0.003
        assert_near(edited, render(generator, moved, noise=4))
        if noise == "const":
            assert_near(edited.double(), (plain(state, moved, noise_of(generator), size=128) + 1.0) / 2.0)


def test_gradients_reach_the_code_of_every_layer(tmp_path: Path) -> None:
    state = small_state("projected", 64)
    generator = load(saved(tmp_path / "a.pth", state))
    codes, same = (codes_of(generator, n=2).clone().requires_grad_() for _ in range(2))
    weights = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    (render(generator, codes) * weights).sum().backward()
    ((plain(state, same, noise_of(generator), size=64) + 1.0) / 2.0 * weights).sum().backward()
    assert codes.grad is not None
    assert same.grad is not None
    assert same.grad.abs().amax(dim=(0, 2)).min() > 1e-3
    assert_near(codes.grad, same.grad, tolerance=1e-4)


def test_noise_is_fixed_fresh_or_left_out(tmp_path: Path) -> None:
    state = small_state(**SMALL)
    path = saved(tmp_path / "a.pth", state)
    const, fresh, none = (load(path, noise=noise) for noise in ("const", "fresh", "none"))
    codes = codes_of(const)
    assert const.card.layers == 1
    assert const.groups is None
    assert torch.equal(render(const, codes, noise=1), render(const, codes, noise=2))
    assert_near(render(none, codes).double(), (plain(state, codes, size=32) + 1.0) / 2.0)
    one, other = render(fresh, codes, noise=1), render(fresh, codes, noise=2)
    assert (one - other).abs().max() > 0.01
    assert_near(render(fresh, codes[1:2], noise=1, index=torch.tensor([1])), one[1:2])


def test_tanh_is_that_of_the_authors_unless_it_is_said(tmp_path: Path) -> None:
    shapes = {name: tuple(t.shape) for name, t in small_state(size=1024, base=8).items()}
    state = {name: torch.ones([]).expand(shape) for name, shape in shapes.items()}
    for size, tanh in ((1024, True), (256, False)):
        state["to_big.weight_orig"] = torch.ones(1).expand(3, 8 * 128 // size, 3, 3)
        examined = FastGAN.examine(Part("g", state, {}))
        assert examined is not None
        assert (examined.resolution, examined.architecture["tanh"]) == (size, tanh)
    assert any("above 256 pixels" in sentence for sentence in examined.assumptions)
    state = small_state(**SMALL)
    generator = load(saved(tmp_path / "a.pth", state), final_tanh=True, noise="none")
    codes = codes_of(generator)
    assert_near(render(generator, codes).double(), (plain(state, codes, size=32, tanh=True) + 1.0) / 2.0)
    assert not any("tanh" in sentence for sentence in generator.card.assumptions)
    assumed = load(tmp_path / "a.pth").card.assumptions
    assert "tanh is not applied to the picture (config: final_tanh)" in assumed


def test_a_config_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    examined = FastGAN.examine(Part("g", small_state(**SMALL), {}))
    assert examined is not None
    header = {"network": {**examined.architecture, "tanh": True}}
    again = examine(Part("", dict(examined.tensors), header))
    assert again is not None
    assert again.architecture["tanh"] is True
    assert not again.assumptions
    with pytest.raises(CheckpointError, match="final_tanh: false is configured, but the file states true"):
        examine(Part("", dict(examined.tensors), header), Unstored(final_tanh=False))


def test_levels_that_the_picture_does_not_need_are_left_out(tmp_path: Path) -> None:
    state = small_state("projected", 128, top=256)
    generator = load(saved(tmp_path / "a.pth", state))
    codes = codes_of(generator)
    assert generator.card.resolution == 128
    wanted = plain(state, codes, noise_of(generator), size=128)
    assert_near(render(generator, codes).double(), (wanted + 1.0) / 2.0)


def test_other_names_and_weights_without_spectral_norm(tmp_path: Path) -> None:
    state = small_state(**SMALL)
    new = {}
    for name, tensor in state.items():
        for old, kind in (("_orig", "original"), ("_u", "0._u"), ("_v", "0._v")):
            name = name.replace(f"weight{old}", f"parametrizations.weight.{kind}")
        new[name] = tensor
    folded = {name: t for name, t in state.items() if not name.endswith(("_orig", "_u", "_v"))}
    for name in state:
        if name.endswith("weight_orig"):
            rows = 1 if name.startswith("init") else 0
            weight, u, v = (state[name.replace("_orig", f"_{kind}")] for kind in ("orig", "u", "v"))
            matrix = weight.transpose(0, rows).reshape(u.shape[0], v.shape[0])
            folded[name.removesuffix("_orig")] = weight / (u @ matrix @ v)
    one, *others = (load(saved(tmp_path / f"{i}.pth", s)) for i, s in enumerate((state, new, folded)))
    for other in others:
        assert_near(render(other, codes_of(one)), render(one, codes_of(one)))


@pytest.mark.parametrize("form", ["FastGAN", "conditional"])
def test_tensors_that_examine_returns_load_again(form: str, tmp_path: Path) -> None:
    source = saved(tmp_path / "a.pth", small_state(form, **SMALL))
    examined = FastGAN.examine(read_checkpoint(source).parts[0])
    assert examined is not None
    assert examined.faults == []
    again = write(
        tmp_path / "b.safetensors", dict(examined.tensors), plugin="fastgan", network=examined.architecture
    )
    assert choose(read_checkpoint(again)).plugin == "fastgan"
    one, other = load(source), load(again)
    condition = torch.tensor([1, 0, CLASSES - 1]) if form == "conditional" else None
    codes = codes_of(one)
    assert torch.equal(render(one, codes, condition=condition), render(other, codes, condition=condition))
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize("form", ["FastGAN", "conditional"])
def test_any_missing_or_misshapen_tensor_is_a_fault(form: str) -> None:
    whole = small_state(form, 64, base=2, z=3)
    for name in whole:
        if name.startswith("to_128") or name.endswith("num_batches_tracked"):
            continue
        damaged = [whole | {name: torch.zeros(shape)} for shape in ((), (3, 5, 2))]
        for state in ({k: v for k, v in whole.items() if k != name}, *damaged):
            try:
                examined = FastGAN.examine(Part("g", state, {}))
            except CheckpointError:
                continue
            assert examined is None or examined.faults, name


def test_classes_are_drawn_and_needed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", small_state("conditional", **SMALL))
    drawn = load(path, classes=[0, 2]).sample(30, 0, 0, ganstrata.Stream.PROBING).condition
    assert drawn is not None
    assert set(drawn.tolist()) == {0, 2}
    with pytest.raises(CheckpointError, match="has classes 0 to 2"):
        load(path, classes=3)
