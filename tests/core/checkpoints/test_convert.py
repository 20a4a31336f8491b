"""Conversion writes the same weights under the plugin's names, with a header, completely or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Stream, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.convert import convert
from ganstrata.core.checkpoints.detect import Examined
from ganstrata.core.errors import CheckpointError, GanstrataError, PluginBroken, UserError
from ganstrata.core.plugins.boundary import Boundary
from ganstrata.core.plugins.compatibility import check_fits
from ganstrata.core.plugins.records import Match
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

DATA = Path(__file__).parents[2] / "data"
NAMES = ("stylegan2_uncond_32", "stylegan2_cond_64")
FILES = [
    path
    for path in sorted(DATA.glob("*.safetensors"))
    if path.name.startswith(("stylegan", "pggan", "biggan"))
]
Register = Callable[[str, str, type], None]


def header(path: Path) -> dict[str, object]:
    with safe_open(path, framework="pt") as file:
        content: dict[str, object] = json.loads(file.metadata()["ganstrata"])
    return content


def images(checkpoint: Path) -> tuple[ganstrata.Generator, Tensor]:
    generator = ganstrata.load_generator("auto", checkpoint=str(checkpoint), device="cpu")
    latents = generator.sample(2, 5, 0, Stream.PROBING)
    codes = generator.broadcast(generator.map(latents.z, latents.condition))
    return generator, render(generator, codes, condition=latents.condition)


@pytest.mark.parametrize("before", FILES, ids=lambda path: path.stem)
def test_a_converted_network_is_the_same_network(before: Path, tmp_path: Path) -> None:
    torch.save(load_file(before), tmp_path / "network.pt")
    written = convert(str(tmp_path / "network.pt"), tmp_path / "out.safetensors")
    old, original = images(before)
    new, converted = images(written.path)
    assert new.fingerprint == old.fingerprint
    assert torch.equal(converted, original)


def test_boundaries_fit_the_original_and_the_converted_file(tmp_path: Path) -> None:
    source = DATA / f"{NAMES[0]}.safetensors"
    old, _ = images(source)
    new, _ = images(convert(str(source), tmp_path / "out.safetensors").path)
    boundary = Boundary(
        "x",
        "scene",
        np.eye(1, old.card.code_size, dtype=np.float32)[0],
        0.0,
        space="w",
        generator=old.fingerprint,
    )
    check_fits(boundary, new)


def test_the_header_says_what_it_is_and_where_it_came_from(tmp_path: Path) -> None:
    source = DATA / f"{NAMES[1]}.safetensors"
    written = convert(str(source), tmp_path / "out.safetensors")
    description = header(written.path)
    assert (
        description.items()
        >= {"plugin": "stylegan2", "family": "StyleGAN2", "source": source.name, "source_part": ""}.items()
    )
    assert description["source_sha256"] == read_checkpoint(source).sha256
    assert description["network"]["classes"] == images(source)[0].architecture.classes > 0
    assert "licence" not in description
    assert written.sha256 == read_checkpoint(written.path).sha256


def test_converting_again_changes_nothing(tmp_path: Path) -> None:
    first = convert(str(DATA / f"{NAMES[0]}.safetensors"), tmp_path / "first.safetensors")
    second = convert(str(first.path), tmp_path / "second.safetensors")
    assert second.sha256 == first.sha256


def test_the_bundled_generator_keeps_its_licence(tmp_path: Path, rooms: ganstrata.Generator) -> None:
    written = convert("bundled:rooms", tmp_path / "out.safetensors")
    assert header(written.path).items() >= {"licence": "MIT", "source": "bundled:rooms"}.items()
    assert images(written.path)[0].fingerprint == rooms.fingerprint


def test_conversion_preserves_types_and_separates_shared_memory(tmp_path: Path) -> None:
    state = load_file(DATA / f"{NAMES[0]}.safetensors")
    wide = torch.randn(2, *state["mapping.fc1.weight"].shape)
    state |= {"mapping.fc1.weight": wide[0], "mapping.fc2.weight": wide[0], "mapping.fc3.weight": wide[1].t()}
    state["synthesis.b4.const"] = state["synthesis.b4.const"].half()
    torch.save(state, tmp_path / "odd.pt")
    tensors = load_file(convert(str(tmp_path / "odd.pt"), tmp_path / "out.safetensors").path)
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()} == {
        n: (t.dtype, t.shape) for n, t in state.items()
    }
    assert all(torch.equal(tensors[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("synthesis.b8.torgb.bias"), "missing synthesis.b8.torgb.bias"),
        (lambda s: s.update(extra=torch.zeros(1)), "superfluous extra"),
        (
            lambda s: s.update({"synthesis.b8.torgb.bias": torch.zeros(5)}),
            r"synthesis.b8.torgb.bias is \(5,\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    change: Callable[[dict[str, Tensor]], object], message: str, tmp_path: Path
) -> None:
    state = load_file(DATA / f"{NAMES[0]}.safetensors")
    change(state)
    save_file(state, tmp_path / "bad.safetensors")
    with pytest.raises(CheckpointError, match=message):
        convert(str(tmp_path / "bad.safetensors"), tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.safetensors"]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"mine")
    with pytest.raises(UserError, match="exists; name another file, or give --force"):
        convert("bundled:rooms", out)
    assert out.read_bytes() == b"mine"
    assert convert("bundled:rooms", out, force=True).sha256 == read_checkpoint(out).sha256
    assert list(tmp_path.iterdir()) == [out]


def test_a_source_is_never_its_own_target(tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    convert("bundled:rooms", out)
    with pytest.raises(UserError, match="is the file to be converted"):
        convert(str(out), out, force=True)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("out.pt", "end in .safetensors"),
        ("no/out.safetensors", "there is no folder"),
        ("f.safetensors", "is a folder"),
        ("a\udcff.safetensors", "the path is not valid UTF-8"),
    ],
)
def test_a_place_that_is_none_is_refused(place: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "f.safetensors").mkdir()
    with pytest.raises(UserError, match=message):
        convert("bundled:rooms", tmp_path / place)


def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"mine")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GanstrataError, match=r"cannot write .*No space left"):
        convert("bundled:rooms", out, force=True)
    assert out.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [out]


class Own(ganstrata.Generator):
    """A plugin for one tensor; its subclasses fail in different ways."""

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        return Match(1.0, "an own file") if set(names_and_shapes) & {"own", "ours"} else None

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        return cls.examined({"ours": next(iter(part.tensors.values()))})

    @classmethod
    def examined(cls, tensors: dict[str, Tensor], **network: object) -> Examined:
        return Examined("own", "own", network, 8, 1, 2, 2, tensors)


class Forgetful(Own):
    """Does not recognise its own names."""

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        return Match(1.0, "an own file") if "own" in names_and_shapes else None


class Doubling(Own):
    """Translates its own names again."""

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        return cls.examined({"ours": next(iter(part.tensors.values())) * 2.0})


class Growing(Own):
    """Reads back another architecture."""

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        return cls.examined(
            dict.fromkeys(["ours"], next(iter(part.tensors.values()))), names=sorted(part.tensors)
        )


class Odd(Own):
    """Describes itself with values that JSON does not have."""

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        return cls.examined(dict(part.tensors), shape=torch.Size([1]), layers={1, 2})


class Complex(Own):
    """Returns a complex tensor, which no network uses."""

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        return cls.examined({"ours": next(iter(part.tensors.values())).to(torch.complex128)})


class Silent(Own):
    """Has no examine()."""

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        return None


class Crashing(Own):
    """Fails in examine()."""

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        raise ZeroDivisionError("by zero")


@pytest.mark.parametrize(
    ("plugin", "error", "message"),
    [
        (Forgetful, PluginBroken, "'own' does not know its own tensor names"),
        (Doubling, PluginBroken, "'own' reads back other values: ours"),
        (Growing, PluginBroken, "'own' reads back another architecture"),
        (Odd, PluginBroken, "'own' describes its network with values that JSON does not have"),
        (Complex, CheckpointError, "ours holds values that are not finite real numbers"),
        (Silent, CheckpointError, "'own', which has no examine"),
        (Crashing, PluginBroken, "'own' from test 0 failed in examine: ZeroDivisionError: by zero"),
    ],
)
def test_a_plugin_that_cannot_be_trusted_writes_nothing(
    plugin: type, error: type[Exception], message: str, register: Register, tmp_path: Path
) -> None:
    register("generator", "own", plugin)
    source = tmp_path / "source.safetensors"
    save_file({"own": torch.ones(3)}, source)
    with pytest.raises(error, match=message):
        convert(str(source), tmp_path / "out.safetensors")
    assert list(tmp_path.iterdir()) == [source]


def test_a_tensor_type_without_a_place_in_safetensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(*_: object, **__: object) -> None:
        raise KeyError("quint8")

    monkeypatch.setattr("ganstrata.core.checkpoints.convert.save", save)
    with pytest.raises(GanstrataError, match=r"cannot hold one of the tensors: .*quint8"):
        convert(str(DATA / f"{NAMES[0]}.safetensors"), tmp_path / "out.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_sound_plugin_of_others_converts(register: Register, tmp_path: Path) -> None:
    register("generator", "own", Own)
    save_file({"own": torch.tensor([1.0, -0.0])}, tmp_path / "source.safetensors")
    written = convert(str(tmp_path / "source.safetensors"), tmp_path / "out.safetensors")
    assert load_file(written.path).keys() == {"ours"}
