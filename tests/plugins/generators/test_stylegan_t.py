"""StyleGAN-T's generator against numbers of the authors' code, and the texts that stand in for its encoder.

tests/data/stylegan_t.npz holds what autonomousvision/stylegan-t (36ab80c) made on a CPU of the networks and
inputs in generators_stylegan_t.py. Its text encoder was replaced by one without use: text embeddings were
given as tensors, which the authors' code allows.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_files import pretending
from closeness import assert_near
from ganstrata import Generator, Pass, State, Stream, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError, DataError
from ganstrata.plugins.generators.stylegan_t.generator import StyleGANT
from generator_files import codes_by_layer, codes_of, loader, write
from generators_stylegan_t import FORMS, WIDTH, N, T, Z, inputs, layers_of, small_state
from reference_numbers import as_reference, tensor
from safetensors.torch import save_file
from torch import Tensor, nn

load = loader("stylegan_t")


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    save_file(state, path)
    return path


def texts_file(path: Path, texts: Tensor) -> str:
    np.save(path, texts.numpy())
    return str(path)


def network(tmp_path: Path, form: str = "text", **config: Any) -> Generator:
    """A generator for all texts of the inputs, or for those in `text`."""
    path = saved(tmp_path / "network.safetensors", small_state(form))
    if FORMS[form]["text"] and "text" not in config:
        config["text"] = texts_file(tmp_path / "texts.npy", inputs(form)[1])
    return load(path, **config)


def rendered(generator: Generator, codes: Tensor, **how: Any) -> Tensor:
    """Pictures in [-1, 1] of the first text for the first sample, and so on."""
    condition = torch.arange(len(codes)) if generator.architecture.text else None  # type: ignore[attr-defined]
    return as_reference(render(generator, codes, condition=condition, **how))


@pytest.mark.parametrize("form", FORMS)
def test_pictures_are_those_of_the_authors_code(form: str, tmp_path: Path) -> None:
    z, _, by_layer = inputs(form)
    assert choose(read_checkpoint(saved(tmp_path / "a", small_state(form)))).plugin == "stylegan_t"
    generator, truncated = network(tmp_path, form), network(tmp_path, form, truncation_psi=0.5)
    card, sizes = generator.card, FORMS[form]["sizes"]
    assert (card.resolution, card.layers, card.code_size, card.latent_size, card.channels) == (
        sizes[-1],
        layers_of(form),
        Z,
        Z,
        3,
    )
    x = generator.map(z)
    assert_near(x, tensor("stylegan_t", f"{form} x"))
    for code in truncated.broadcast(truncated.map(z)).unbind(dim=1):
        assert_near(code, tensor("stylegan_t", f"{form} truncated"))
    assert truncated.card.truncation == f"psi 0.5 on layers 0-{layers_of(form) - 1}"
    codes = generator.broadcast(x)
    assert tensor("stylegan_t", f"{form} images").std() > 0.3
    assert_near(rendered(generator, codes), tensor("stylegan_t", f"{form} images"))
    assert_near(rendered(generator, by_layer), tensor("stylegan_t", f"{form} layerwise"))
    silent = network(tmp_path, form, noise="none")
    assert_near(rendered(silent, codes), tensor("stylegan_t", f"{form} without_noise"))


def test_a_style_is_of_second_order_in_code_and_text(tmp_path: Path) -> None:
    z, texts, _ = inputs("text")
    generator = network(tmp_path, text=texts_file(tmp_path / "one.npy", texts[0]))
    codes = generator.broadcast(generator.map(z))
    conv = next(s for s, stratum in enumerate(generator.strata) if stratum.name == "b16.conv0")
    assert generator.strata[conv].style_width == WIDTH
    style = generator.style(conv, codes[:, 0])
    assert style is not None
    assert_near(style[:1], tensor("stylegan_t", "text style")[:1])
    assert generator.style_weights(conv) is None
    weights = generator.style_weights(0)
    one, other = (generator.style(0, codes[i : i + 1, 0]) for i in (0, 1))
    assert weights is not None
    assert one is not None
    assert other is not None
    assert_near(other - one, (codes[1:, 0] - codes[:1, 0]) @ weights.t())
    state = State(torch.randn(N, WIDTH, 8, 8))
    given, computed = generator.stratum(conv, state, None, style), generator.stratum(conv, state, codes[:, 0])
    assert given.x is not None
    assert computed.x is not None
    assert_near(given.x, computed.x)
    several = network(tmp_path)
    assert {stratum.style_width for stratum in several.strata} == {None}
    assert several.style(conv, codes[:, 0]) is None


def test_edits_restart_where_the_layer_is_read(tmp_path: Path) -> None:
    generator = network(tmp_path, text=texts_file(tmp_path / "one.npy", inputs("text")[1][0]), noise="fresh")
    names = [(stratum.name, stratum.reads) for stratum in generator.strata]
    assert names == [
        ("b8.input", 0),
        ("b8.convs1.0", 1),
        ("b8.convs1.1", 2),
        ("b8.torgb", 3),
        ("b16.conv0", 3),
        ("b16.convs1.0", 4),
        ("b16.convs1.1", 5),
        ("b16.torgb", 6),
    ]
    assert generator.groups == {"bottom": (0, 1, 2), "top": (3, 4, 5, 6)}
    codes = codes_by_layer(generator)
    whole = Pass(generator, codes, restarts=[0, 2, 3, 7], noise=3)
    for layer in (0, 2, 3, 6):
        moved = codes.clone()
        moved[:, layer] += 1.0
        edited = whole.edited(moved, [layer]).images
        assert (edited - whole.rendering.images).abs().max() > 0.01
        assert_near(edited, render(generator, moved, noise=3))
    assert (render(generator, codes, noise=4) - whole.rendering.images).abs().max() > 0.01


@pytest.mark.parametrize("name", ["a.npy", "a.pt", "a.npz", "a.json"])
def test_texts_come_from_a_file_of_one_array(name: str, tmp_path: Path) -> None:
    path, text = tmp_path / name, inputs("text")[1][1]
    if name == "a.npy":
        np.save(path, text.numpy())
    elif name == "a.pt":
        torch.save(text[None].half(), path)
    elif name == "a.npz":
        np.savez(path, embedding=text.numpy())
    else:
        path.write_text(str(text.tolist()))
    one, several = network(tmp_path, text=str(path)), network(tmp_path)
    codes = codes_of(one, n=2)
    latents = one.sample(2, 0, 0, Stream.PROBING)
    assert latents.condition is None
    wanted = render(several, codes, condition=torch.tensor([1, 1]))
    assert_near(render(one, codes), wanted, tolerance=1e-2 if name == "a.pt" else 1e-5)
    assert (render(several, codes, condition=torch.tensor([0, 0])) - wanted).abs().max() > 0.05


def test_samples_draw_from_several_texts(tmp_path: Path) -> None:
    several, chosen = network(tmp_path), network(tmp_path, classes=1)
    condition = several.sample(20, 0, 0, Stream.PROBING).condition
    assert condition is not None
    assert set(condition.tolist()) == set(range(N))
    drawn = chosen.sample(20, 0, 0, Stream.PROBING).condition
    assert drawn is not None
    assert set(drawn.tolist()) == {1}


def test_without_a_text_zeros_are_used_and_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "a", small_state())
    none, zeros = load(path), load(path, text=texts_file(tmp_path / "zeros.npy", torch.zeros(T)))
    assert_near(render(none, codes_of(none)), render(zeros, codes_of(zeros)))
    assert any("no text embedding is configured" in sentence for sentence in none.card.assumptions)
    assert any("lengths 0 to 0" in sentence for sentence in zeros.card.assumptions)
    told = network(tmp_path).card.assumptions
    assert not any("lengths" in sentence or "zeros" in sentence for sentence in told)
    assert any("the text encoder in the file (CLIP: 2 tensors" in sentence for sentence in told)
    assert any("text embedding of 6 numbers" in sentence for sentence in told)
    unconditional = network(tmp_path, "unconditional").card.assumptions
    assert len(unconditional) == 1
    assert "in 32 groups" in unconditional[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(T + 1), r"an array \(7,\) of float32; expected one text embedding of 6 numbers"),
        (torch.zeros(2, 2, T), r"an array \(2, 2, 6\)"),
        (torch.zeros(0, T), r"an array \(0, 6\)"),
        (torch.full((T,), float("nan")), "not finite"),
    ],
)
def test_other_contents_of_the_text_file_are_refused(content: Tensor, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        network(tmp_path, text=texts_file(tmp_path / "texts.npy", content))


def test_an_unconditional_network_takes_no_text(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="takes no text; leave it out"):
        network(tmp_path, "unconditional", text="a.npy")


def test_tensors_that_examine_returns_load_again_without_the_encoder(tmp_path: Path) -> None:
    examined = StyleGANT.examine(read_checkpoint(saved(tmp_path / "a", small_state())).parts[0])
    assert examined is not None
    assert examined.faults == []
    assert not any("clip" in name for name in examined.tensors)
    again = write(
        tmp_path / "b.safetensors",
        dict(examined.tensors),
        plugin="stylegan_t",
        network=examined.architecture,
    )
    first, second = load(tmp_path / "a"), load(again)
    assert second.fingerprint == first.fingerprint
    assert_near(render(second, codes_of(second)), render(first, codes_of(first)))


def test_a_pickle_is_read_without_its_classes(tmp_path: Path) -> None:
    """The discriminator and the text encoder are of packages that are not installed."""

    class Network(nn.Module):
        """Stand for the authors' Generator."""

    class Encoder(nn.Module):
        """Stand for the modules of open_clip."""

    class Normalize(nn.Module):
        """Stand for torchvision's."""

    class Discriminator(nn.Module):
        """Stand for the authors' discriminator."""

    def built(state: dict[str, Tensor]) -> nn.Module:
        root: nn.Module = Network()
        for name, tensor_ in state.items():
            *path, leaf = name.split(".")
            module = root
            for part in path:
                if part not in module._modules:
                    inside = name.startswith("mapping.clip.")
                    module.add_module(part, Encoder() if inside else nn.Module())
                module = module.get_submodule(part)
            module.register_buffer(leaf, tensor_)
        root.get_submodule("mapping.clip").add_module("norm", Normalize())
        return root

    names = {
        "networks__generator__Generator": Network,
        "open_clip__model__CLIP": Encoder,
        "torchvision__transforms__transforms__Normalize": Normalize,
        "networks__discriminator__ProjectedDiscriminator": Discriminator,
    }
    with pretending(**names):
        generator = built(small_state())
        content = {"G": generator, "D": Discriminator(), "G_ema": generator, "training_set_kwargs": {}}
        (tmp_path / "snapshot.pkl").write_bytes(pickle.dumps(content))
    pickled, plain = load(tmp_path / "snapshot.pkl"), load(saved(tmp_path / "a", small_state()))
    assert_near(render(pickled, codes_of(pickled)), render(plain, codes_of(plain)))
    assert any("networks.discriminator.ProjectedDiscriminator" in s for s in pickled.card.assumptions)


@pytest.mark.parametrize(
    ("changes", "drop", "message"),
    [
        ({"sizes": (8, 32)}, "", r"blocks of 8, 16, 32 \.\.\. pixels, but this file has \[8, 32\]"),
        ({"sizes": (4, 8)}, "", r"this file has \[4, 8\]"),
        ({"width": 16}, "", "16, 16 channels; only multiples of 32"),
        ({"colours": 2}, "", "2 channels"),
        ({}, "synthesis.b16.torgb.weight", "lacks the tensor synthesis.b16.torgb.weight"),
        ({}, "synthesis.b8.convs1.0.bias", r"this file has \[16\]|lacks"),
    ],
)
def test_other_networks_are_refused(changes: dict[str, Any], drop: str, message: str) -> None:
    state = small_state(**changes)
    state.pop(drop, None)
    with pytest.raises(CheckpointError, match=message):
        StyleGANT.examine(Part("", state, {}))


def test_faults_are_listed_by_their_stored_names() -> None:
    state = small_state()
    state["synthesis.b8.convs1.0.gamma"] = torch.zeros(1, WIDTH, 1, 1)
    state["synthesis.b16.convs1.1.norm.bias"] = torch.zeros(3)
    del state["synthesis.b16.conv0.noise_strength"]
    examined = StyleGANT.examine(Part("", state, {}))
    assert examined is not None
    assert len(examined.faults) == 3
    assert "missing synthesis.b16.conv0.noise_strength" in examined.faults
    assert "superfluous synthesis.b8.convs1.0.gamma" in examined.faults
    assert "synthesis.b16.convs1.1.norm.bias is (3,), expected (32,)" in examined.faults


def test_gradients_reach_the_code_of_every_layer(tmp_path: Path) -> None:
    generator = network(tmp_path, text=texts_file(tmp_path / "one.npy", inputs("text")[1][0]))
    codes = codes_by_layer(generator).requires_grad_()
    render(generator, codes).square().sum().backward()
    assert codes.grad is not None
    assert codes.grad.abs().amax(dim=(0, 2)).min() > 1e-3
