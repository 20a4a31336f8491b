"""Checkpoints are recognised by their content, and nothing in them is run."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from ganstrata.core.checkpoints import WEIGHTS, locate, read_checkpoint
from ganstrata.core.checkpoints.limits import Damaged
from ganstrata.core.errors import CheckpointError
from safetensors.torch import save_file

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(2, dtype=torch.int64)}


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_safetensors_with_settings(tmp_path: Path) -> None:
    path = tmp_path / "a"
    save_file(TENSORS, path, metadata={"ganstrata": json.dumps({"licence": "MIT"}), "other": "x"})
    checkpoint = read_checkpoint(path)
    assert checkpoint.settings == {"licence": "MIT"}
    assert {name: t.tolist() for name, t in checkpoint.tensors.items()} == {
        name: t.tolist() for name, t in TENSORS.items()
    }
    assert checkpoint.sha256 == sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors", "a.pkl", "a"])
@pytest.mark.parametrize("legacy", [False, True])
def test_torch_files_by_whatever_name(tmp_path: Path, name: str, legacy: bool) -> None:
    torch.save(TENSORS, tmp_path / name, _use_new_zipfile_serialization=not legacy)
    checkpoint = read_checkpoint(tmp_path / name)
    assert checkpoint.settings == {}
    assert torch.equal(checkpoint.tensors["a.weight"], TENSORS["a.weight"])


def test_a_modules_state_dict(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    torch.save(module.state_dict(), tmp_path / "a.pt")
    assert set(read_checkpoint(tmp_path / "a.pt").tensors) == set(module.state_dict())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has 0 bytes"),
        (b"\x80\x02}", "it has 3 bytes"),
        (b"\x80\x02}q\x00.", "it has 6 bytes"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "a web page: the download has failed"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            r"a Git LFS pointer.*`git lfs pull`",
        ),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "a PNG picture"),
        (bytes(100), "nothing but zeros: a download that was never finished"),
        (b"\x01\xfe\x03" * 30, "its format is unknown"),
        (pickle.dumps([1, 2, 3, "and so on"]), "damaged|expected"),
        (pickle.dumps({"a": 1, "bcdefghijkl": 2}, protocol=2), "damaged|expected"),
        (b"\x80\x05" + bytes(30), "damaged"),
        (b"PK\x03\x04" + bytes(30), "looks like a torch file but is damaged or cut short"),
    ],
)
def test_files_that_are_not_checkpoints_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(write(tmp_path / "file", content))


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_files_that_were_cut_short_say_so(tmp_path: Path, kind: str, keep: float) -> None:
    path = tmp_path / "whole"
    tensors = {f"layer{i}.weight": torch.randn(50, 4) for i in range(3)}
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    message = refused(write(tmp_path / "cut", content[: max(20, int(len(content) * keep))]))
    assert "damaged or cut short" in message


def test_paths_that_are_not_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match="is a folder; name a file"):
        locate("folder", "generator")
    with pytest.raises(CheckpointError, match=f"no checkpoint file a\\.pt \\(looked in {tmp_path}\\)"):
        locate("a.pt", "generator")
    with pytest.raises(
        CheckpointError, match=r"no bundled generator checkpoint called 'room'\. Did you mean 'rooms'"
    ):
        locate("bundled:room", "generator")
    with pytest.raises(CheckpointError, match=r"no bundled generator checkpoint called '\.\./x'"):
        locate("bundled:../x", "generator")
    assert "cannot read" in refused(tmp_path / "absent")
    assert "cannot read" in refused(tmp_path)


def test_bundles_and_paths_are_located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate("bundled:rooms", "generator") == WEIGHTS / "rooms.generator.safetensors"
    write(tmp_path / "a.pt", b"x")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("~/a.pt", "generator") == tmp_path / "a.pt"


class Hostile:
    """Write a file, as a pickle could if it were run."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize(
    "form", ["pickle", "pickle protocol 0", "torch", "torch legacy", "torch among tensors", "as a key"]
)
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, form: str) -> None:
    marker = tmp_path / "it ran"
    path = tmp_path / "hostile.pt"
    hostile = Hostile(marker)
    if form.startswith("pickle"):
        path.write_bytes(
            pickle.dumps({"weights": hostile, "padding": "x" * 50}, protocol=0 if "0" in form else 4)
        )
    elif form == "as a key":
        torch.save({"w": torch.zeros(2), (1, hostile): torch.zeros(2)}, path)
    else:
        torch.save(
            {"w": torch.zeros(2), "x": hostile} if "among" in form else hostile,
            path,
            _use_new_zipfile_serialization="legacy" not in form,
        )
    message = refused(path)
    assert not marker.exists()
    if "0" not in form:
        assert "it names posix.mkdir, which no network's weights need, and is refused" in message
        assert "Save the network's state_dict()" in message


def test_the_hostile_pickle_would_have_run(tmp_path: Path) -> None:
    """Check that the previous test can fail."""
    pickle.loads(pickle.dumps(Hostile(tmp_path / "it ran")))
    assert (tmp_path / "it ran").is_dir()


class Own(torch.nn.Module):
    """A class that is not installed where the file is read."""


def test_a_whole_module_of_torchs_own_classes_is_read_as_a_state_dict(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    torch.save(module, tmp_path / "module.pt")
    checkpoint = read_checkpoint(tmp_path / "module.pt")
    assert {name: t.tolist() for name, t in checkpoint.tensors.items()} == {
        name: t.tolist() for name, t in module.state_dict().items()
    }
    assert checkpoint.settings == {"class_name": "torch.nn.modules.container.Sequential"}


def test_a_whole_module_of_somebodys_class_is_refused_with_the_cure(tmp_path: Path) -> None:
    torch.save(torch.nn.Sequential(Own()), tmp_path / "module.pt")
    message = refused(tmp_path / "module.pt")
    assert f"it names {Own.__module__}.Own, which no network's weights need" in message
    assert "Save the network's state_dict()" in message
    assert "weights_only" not in message, "the way around is not advertised"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"optimizer": {"state": {0: torch.zeros(2)}}, "epoch": 3}, "a dictionary with optimizer, epoch"),
        ({}, "a dictionary with nothing in it"),
        ([torch.zeros(2)], "a list"),
        (torch.zeros(2), "a single tensor (2,)"),
        (3, "a number"),
    ],
)
def test_torch_files_that_hold_something_else(tmp_path: Path, content: object, words: str) -> None:
    torch.save(content, tmp_path / "a.pt")
    message = refused(tmp_path / "a.pt")
    assert words in message
    assert "where a state dict, names with tensors, is expected" in message


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(10**6, 10**6),
        torch.eye(3).to_sparse(),
        torch.zeros(4).as_strided((4, 4), (1, 0)),
    ],
    ids=["expanded", "sparse", "overlapping"],
)
def test_tensors_that_are_not_stored_in_full(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"w": tensor}, tmp_path / "a.pt")
    refused(tmp_path / "a.pt")


def repacked(source: Path, target: Path, **changes: Any) -> Path:
    """Return the archive with its entries compressed, or with one replaced."""
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, "w", changes.get("compression", zipfile.ZIP_STORED)) as new,
    ):
        for entry in old.infolist():
            new.writestr(entry.filename, changes.get(Path(entry.filename).name, old.read(entry.filename)))
    return target


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(200_000)}, tmp_path / "plain.pt")
    bomb = repacked(tmp_path / "plain.pt", tmp_path / "bomb.pt", compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 10_000
    assert "claims to hold" in refused(bomb)
    assert read_checkpoint(repacked(tmp_path / "plain.pt", tmp_path / "same.pt")).tensors["w"].shape == (
        200_000,
    )


def test_an_archive_whose_sizes_are_lies(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(100)}, tmp_path / "a.pt")
    content = bytearray((tmp_path / "a.pt").read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        content[at + 20 : at + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
        at = content.find(b"PK\x01\x02", at + 4)
    refused(write(tmp_path / "lies.pt", bytes(content)))


@pytest.mark.parametrize("length", [2**62, 2**31, 10_000, 1])
def test_a_safetensors_header_that_claims_another_length(tmp_path: Path, length: int) -> None:
    refused(
        write(
            tmp_path / "a.safetensors",
            struct.pack("<Q", length) + b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' + bytes(4),
        )
    )


@pytest.mark.parametrize("shape", ["[1000000000000]", "[2]", "[-1]", "[4611686018427387904,4]"])
def test_a_safetensors_shape_that_its_data_do_not_fill(tmp_path: Path, shape: str) -> None:
    header = b'{"w":{"dtype":"F32","shape":' + shape.encode() + b',"data_offsets":[0,4]}}'
    refused(write(tmp_path / "a.safetensors", struct.pack("<Q", len(header)) + header + bytes(4)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "are not JSON"),
        ("[1]", "are not a JSON object"),
        ("[" * 100_000, "are not JSON"),
        ('"x"', "are not a JSON object"),
    ],
)
def test_settings_that_cannot_be_read(tmp_path: Path, settings: str, message: str) -> None:
    save_file(TENSORS, tmp_path / "a", metadata={"ganstrata": settings})
    assert message in refused(tmp_path / "a")


def stored(folder: Path, tensors: dict[str, torch.Tensor], form: str) -> Path:
    """Store a state dict in one of several formats."""
    path = folder / "file"
    if form.startswith("header"):  # numbers begin where the header ends
        save_file(tensors, path, metadata={"x": "x" * int(form.removeprefix("header "))})
    elif form == "arrays":
        path.write_bytes(pickle.dumps({name: tensor.numpy() for name, tensor in tensors.items()}, protocol=2))
    elif form == "one storage":
        flat = torch.cat([torch.zeros(1), *(tensor.flatten() for tensor in tensors.values())])
        parts = flat[1:].split([tensor.numel() for tensor in tensors.values()])
        torch.save(
            {
                name: part.view(tensor.shape)
                for (name, tensor), part in zip(tensors.items(), parts, strict=True)
            },
            path,
        )
    elif form == "transposed":
        torch.save({name: tensor.t().contiguous().t() for name, tensor in tensors.items()}, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=form == "torch zip")
    return path


@pytest.mark.parametrize(
    "form",
    [
        *(f"header {n}" for n in range(0, 64, 8)),
        "torch zip",
        "torch legacy",
        "one storage",
        "transposed",
        "arrays",
    ],
)
def test_a_tensor_lies_in_memory_alike_whatever_file_it_came_from(tmp_path: Path, form: str) -> None:
    """The result of a matrix product may depend on the address and the layout of its operands."""
    wanted = {f"w{n}": torch.randn(n, 5, generator=torch.Generator().manual_seed(n)) for n in (1, 3, 16)}
    (part,) = read_checkpoint(stored(tmp_path, wanted, form)).parts
    for name, tensor in wanted.items():
        read = part.tensors[name]
        assert torch.equal(read, tensor)
        assert read.is_contiguous()
        assert read.data_ptr() % 64 == 0


def test_a_file_that_is_overwritten_leaves_what_was_read(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1000)}, tmp_path / "a")
    tensor = read_checkpoint(tmp_path / "a").tensors["a"]
    with (tmp_path / "a").open("r+b") as file:
        file.seek(-4000, os.SEEK_END)
        file.write(bytes(4000))
    assert torch.equal(tensor, torch.ones(1000))


def test_a_tensor_of_several_parts_is_copied_once(tmp_path: Path) -> None:
    flat = torch.arange(61.0)
    torch.save({"generator.a": flat[1:].view(6, 10), "discriminator.b": flat[1:3]}, tmp_path / "a")
    whole, one, _ = read_checkpoint(tmp_path / "a").parts
    assert whole.tensors["generator.a"] is one.tensors["a"]


@pytest.mark.parametrize("change", ["grown", "replaced", "removed"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    save_file({"a": torch.ones(2)}, other)

    def aligned(tensors: dict[str, torch.Tensor], _: object) -> dict[str, torch.Tensor]:
        if change == "grown":
            with path.open("ab") as file:
                file.write(b"more")
        elif change == "replaced":
            other.replace(path)
        else:
            path.unlink()
        return tensors

    monkeypatch.setattr("ganstrata.core.checkpoints.reading.aligned", aligned)
    if os.name == "nt" and change != "grown":
        pytest.skip("Windows neither replaces nor removes a file that is open")
    with pytest.raises(CheckpointError, match="was changed while it was read; give a file that nothing"):
        read_checkpoint(path)


def test_damage_by_a_change_is_told_as_the_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(2)}, path)

    def read(place: Path, _: object) -> None:
        place.unlink()
        raise Damaged("a tensor without numbers")

    monkeypatch.setattr("ganstrata.core.checkpoints.reading.read_safetensors", read)
    with pytest.raises(CheckpointError, match="was changed while it was read"):
        read_checkpoint(path)
