"""Files that are not readable checkpoints: the message says what they are and what to do."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.checkpoints import locate, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError
from PIL import Image

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3)}


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    return message


def picture(form: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, form)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return file.getvalue()


def array(compressed: bool = False) -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3)) if compressed else np.save(file, np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"<html>\n<head><title>Google Drive - Virus scan warning</title></head>",
            "a web page: the download has failed",
        ),
        (b'\n <!doctype HTML public "-//W3C//DTD">' + bytes(30), "a web page: the download has failed"),
        (
            b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
            "a web page: the download has failed",
        ),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "`git lfs pull`"),
        (b'{"error": "not found", "status": 404}', "a server's answer in place of the file"),
        (b"Quota exceeded. Try again tomorrow.\n", "the download has failed"),
        (b"<Error><Code>AccessDenied</Code></Error>", "a web page: the download has failed"),
        (b"Invalid username or password.\n", "the download has failed"),
        (b"Access to model a/b is restricted. You must be authenticated.\n", "the download has failed"),
        (b"Cannot access gated repo for url a/b. Ask for it first.\n", "the download has failed"),
        (b"You are trying to access a gated model.\n", "the download has failed"),
        (b'{"aggregated": true, "mean": 0.25, "navigated": [1, 2]}', "JSON, such as a training log"),
        (
            b'{"l2_error": 0.5, "generate_limit": 3, "quotation": "a design in blue"}',
            "JSON, such as a training",
        ),
        (b'{"activation": "gated", "unrestricted": true}', "JSON, such as a training log"),
        (b"step 1: aggregated 4 of 4, unrestricted\n", "a text file that begins with"),
        (b"/annex/objects/MD5E-s381--0a1b.pkl\n", "`git annex get`"),
        (b'model_checkpoint_path: "model.ckpt-1"\n', "the index of a TensorFlow checkpoint"),
        (b"\0\0\x08\x08\x01\x1a\x02\x08\x01" + bytes(30), "the index of a TensorFlow checkpoint"),
        (b'{"metadata": {}, "weight_map": {"a": "model-1.bin"}}', "a checkpoint in several files"),
        (b'{"tick": 1, "loss": 0.25, "fid50k": 31.5}\n', "JSON, such as a training log or settings"),
        ("Zeichen außerhalb von ASCII, viele davon".encode(), "a text file that begins with"),
        (gzip.compress(b"x" * 100, mtime=0), "a gzip archive. Unpack it first"),
        (tarred(), "a tar archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, as Keras writes. Convert"),
        (b"GGUF" + bytes(100), "a GGUF file. Convert"),
        (bytes([0x1C, 0, 0, 0]) + b"TFL3" + bytes(100), "a TensorFlow Lite file"),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x80\x01", "an ONNX model. Convert"),
        (b"\x82\xa6params\x81\xa5Dense\x81\xa6kernel\xc7", "a Flax checkpoint"),
        (
            b"\x08\x01\x12\x90\x05\x0a\x8d\x05\x0a\x12\x0a\x04Add\x12" + bytes(20),
            "a protocol buffer, as TensorFlow and ONNX write",
        ),
        (array(), "a NumPy array. It holds no network. Directions are read by `ganstrata boundaries import`"),
        (array(compressed=True), "a NumPy archive (.npz)"),
        (picture("PNG"), "a PNG picture"),
        (picture("JPEG"), "a JPEG picture"),
        (picture("WEBP"), "a WebP picture"),
        (b"%PDF-1.7\n" + bytes(30), "a PDF document"),
        (pickle.dumps({"w": [1.0, 2.0], "x": "and more"}, protocol=0), "a pickle of protocol 0 or 1"),
        (pickle.dumps({"w": [1.0, 2.0], "x": "and more"}, protocol=1), "a pickle of protocol 0 or 1"),
        (bytes(5000), "nothing but zeros"),
        (b"\x80\x02}q\x00.", "it has 6 bytes"),
        (b"\x80\x02.", "it has 3 bytes"),
        (b"", "it has 0 bytes"),
        (pickle.dumps("a long text that is no state dict at all"), "it holds a str where a state dict"),
        (
            pickle.dumps({"a": 1, "\x1b[31m": 2, "c": [3] * 9}),
            "it holds a dictionary with a, \\x1b[31m, c where a state dict",
        ),
    ],
    ids=lambda value: repr(value)[:30] if isinstance(value, bytes) else None,
)
def test_what_it_seems_to_be(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "network.pkl").write_bytes(content)
    assert what in refused(tmp_path / "network.pkl")


def archive(path: Path, entries: dict[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries.items():
            file.writestr(zipfile.ZipInfo(name), content, **options)
    return path


def entries(content: Any = TENSORS) -> dict[str, bytes]:
    """Return the members of a file of torch.save."""
    file = io.BytesIO()
    torch.save(content, file)
    with zipfile.ZipFile(file) as saved:
        return {name: saved.read(name) for name in saved.namelist()}


@pytest.mark.parametrize("folder", ["", "outer/archive/"])
def test_an_archive_that_was_packed_again_with_other_folders(tmp_path: Path, folder: str) -> None:
    again = {folder + name.partition("/")[2]: content for name, content in entries().items()}
    tensors = read_checkpoint(archive(tmp_path / "a.pt", again)).tensors
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (torch.optim.Adam([torch.zeros(1)]), "This is an optimiser, which makes no pictures: give"),
        (
            {"optimizer_states": [torch.optim.Adam([torch.zeros(1)]).state_dict()], "epoch": 3},
            "There is an optimiser's state in it, but no network: give",
        ),
        ({"g_ema": [torch.ones(3), torch.ones(2)]}, "tensors of 'g_ema' are stored without names: save"),
        (torch.ones(18, 4), "codes by `ganstrata manipulate --codes`"),
        ([torch.ones(3), torch.ones(3)], "codes by `ganstrata manipulate --codes`"),
    ],
)
def test_contents_without_a_network_get_what_to_give_instead(tmp_path: Path, content: Any, what: str) -> None:
    torch.save(content, tmp_path / "a.pt")
    assert what in refused(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"eigvec": torch.eye(3), "ckpt": "a.pt"}, "directions of closed-form factorisation (SeFa)"),
        (
            {"a.jpg": {"latent": torch.ones(18, 4), "noise": [], "img": torch.ones(3, 4, 4)}},
            "codes of pictures",
        ),
    ],
)
def test_directions_and_codes_are_no_generators(tmp_path: Path, content: Any, what: str) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError) as caught:
        choose(read_checkpoint(tmp_path / "a.pt"))
    assert what in str(caught.value)
    assert "`ganstrata boundaries import`" in str(caught.value)


def test_a_damaged_file_is_to_be_fetched_again(tmp_path: Path) -> None:
    content = archive(tmp_path / "a.pt", entries()).read_bytes()
    (tmp_path / "a.pt").write_bytes(content[: len(content) // 2])
    assert refused(tmp_path / "a.pt").endswith("Download it again, and check its size.")


def test_a_folder_with_checkpoints_lists_them(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").touch()
    (tmp_path / "config.json").touch()
    with pytest.raises(CheckpointError, match=r"is a folder; name a file in it: pytorch_model\.bin$"):
        locate(str(tmp_path), "generator")


class Module(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


@pytest.mark.filterwarnings("ignore")
def test_programs_of_torch_are_refused_with_the_way_out(tmp_path: Path) -> None:
    torch.jit.trace(Module(), torch.ones(2)).save(tmp_path / "a.pt")
    message = refused(tmp_path / "a.pt")
    assert "a TorchScript archive: loading it runs the code in it" in message
    assert (
        "model = torch.jit.load(FILE) where you trust it: torch.save(model.state_dict(), 'weights.pt')"
        in message
    )
    torch.export.save(torch.export.export(Module(), (torch.ones(2),)), tmp_path / "b.pt2")
    message = refused(tmp_path / "b.pt2")
    assert "an exported program (torch.export)" in message
    assert "torch.export.load(FILE)" in message


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["model/.data/extern_modules", "model/data.pkl"], "a torch.package archive"),
        (["serialized_exported_program.json", "version"], "an exported program"),
        (["config.json", "model.weights.h5"], "a Keras archive"),
        (["word/document.xml"], "none that torch.save wrote"),
        (["a/data.pkl", "b/data.pkl"], "none that torch.save wrote"),
        (["data.pkl"], "damaged or cut short"),
    ],
)
def test_other_archives(tmp_path: Path, names: list[str], what: str) -> None:
    assert what in refused(archive(tmp_path / "a.pt", dict.fromkeys(names, b"")))


@pytest.mark.parametrize("name", ["../../x", "archive/../../../x", "/etc/x", "a\\..\\x"])
def test_an_archive_that_points_outside(tmp_path: Path, name: str) -> None:
    assert "points outside of it" in refused(archive(tmp_path / "folder.pt", {**entries(), name: b"x"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.pt"]


def test_an_archive_with_a_link(tmp_path: Path) -> None:
    with zipfile.ZipFile(archive(tmp_path / "a.pt", entries()), "a") as file:
        link = zipfile.ZipInfo("archive/link")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
    assert "points outside of it" in refused(tmp_path / "a.pt")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_holds_a_name_twice(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pt", entries())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/data.pkl", pickle.dumps({}))
    assert "the same name twice" in refused(path)


def changed(name: str, content: bytes | None) -> dict[str, bytes]:
    members = entries()
    root = next(iter(members)).partition("/")[0]
    if content is None:
        del members[f"{root}/{name}"]
    else:
        members[f"{root}/{name}"] = content
    return members


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data/0", None, "damaged or cut short"),
        ("data/0", bytes(20), "has 20 bytes where 24 are declared"),
        ("data/0", bytes(28), "has 28 bytes where 24 are declared"),
        ("data.pkl", b"\x80\x02.", "ends too soon"),
        ("data.pkl", b"", "ends too soon"),
        ("byteorder", b"big", "another order of bytes"),
    ],
)
def test_archives_of_torch_that_do_not_fit(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    assert message in refused(archive(tmp_path / "a.pt", changed(name, content)))
    assert torch.equal(
        read_checkpoint(archive(tmp_path / "b.pt", entries())).tensors["a.weight"], TENSORS["a.weight"]
    )


def test_numbers_that_were_changed_on_the_way(tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path / "a.pt", entries()).read_bytes())
    at = content.find(struct.pack("<ff", 4.0, 5.0))
    content[at] ^= 1
    (tmp_path / "a.pt").write_bytes(content)
    assert "CRC" in refused(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (torch.complex64, "it holds complex tensors, which are not supported; save plain ones"),
        (torch.float8_e5m2, "it holds tensors of eight-bit floating-point numbers"),
    ],
)
def test_numbers_of_other_types(tmp_path: Path, dtype: torch.dtype, message: str) -> None:
    torch.save({"a": torch.zeros(2, dtype=dtype)}, tmp_path / "a.pt")
    assert message in refused(tmp_path / "a.pt")


def test_tensors_without_plain_numbers(tmp_path: Path) -> None:
    torch.save({"a": torch.eye(2).to_sparse()}, tmp_path / "a.pt")
    assert "it holds sparse tensors" in refused(tmp_path / "a.pt")
    torch.save({"a": torch.eye(2, device="meta")}, tmp_path / "b.pt")
    assert "it holds tensors of the device `meta`, without numbers" in refused(tmp_path / "b.pt")


def test_a_torch_file_of_another_order_of_bytes(tmp_path: Path) -> None:
    file = io.BytesIO()
    torch.save(TENSORS, file, _use_new_zipfile_serialization=False)
    content = file.getvalue()
    assert content.count(b"little_endianq\x02\x88") == 1
    (tmp_path / "a.pt").write_bytes(content.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89"))
    assert "another order of bytes" in refused(tmp_path / "a.pt")


@pytest.mark.parametrize("claimed", [2**31, 2**32 - 2])
def test_a_table_of_contents_without_end(tmp_path: Path, claimed: int) -> None:
    content = bytearray(archive(tmp_path / "a.pt", entries()).read_bytes())
    content[-10:-6] = struct.pack("<I", claimed)
    (tmp_path / "a.pt").write_bytes(content)
    assert "central directory" in refused(tmp_path / "a.pt")


def test_a_table_of_contents_longer_than_that_of_any_checkpoint(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        for name in entries():
            file.writestr(name, entries()[name])
        for i in range(300):
            file.writestr(f"archive/{i:05}" + "x" * 30_000, b"")
    assert "a table of contents of 9" in refused(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [{"a\x1b[2J": torch.zeros(1)}, {"g\r_ema": TENSORS}])
def test_names_that_would_move_the_cursor(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pt")
    message = refused(tmp_path / "a.pt")
    assert "characters that cannot be printed" in message
    assert message.replace("\n", "").isprintable()
