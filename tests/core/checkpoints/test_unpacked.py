"""The folder of an unpacked torch file is refused, and the advice leads to a file that loads."""

from __future__ import annotations

import shlex
import zipfile
from pathlib import Path

import pytest
import torch
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.checkpoints.reading import locate
from ganstrata.core.errors import CheckpointError

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def follow(command: str) -> Path:
    """Do what `cd FOLDER && zip -0 -r FILE NAME` does, which packs folders as entries of their own too."""
    cd, parent, both, program, stored, recursive, file, name = shlex.split(command)
    assert (cd, both, program, stored, recursive) == ("cd", "&&", "zip", "-0", "-r")
    with zipfile.ZipFile(Path(parent, file), "w", zipfile.ZIP_STORED) as archive:
        for path in (Path(parent, name), *sorted(Path(parent, name).rglob("*"))):
            archive.write(path, path.relative_to(parent))
    return Path(parent, file)


@pytest.mark.parametrize("place", ["unpacked here/model", "unpacked here"])
def test_packed_again_as_advised_it_loads(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both the folder with data.pkl is named, and the one into which the archive was unpacked."""
    monkeypatch.chdir(tmp_path)
    torch.save(TENSORS, "model.pt")
    with zipfile.ZipFile("model.pt") as archive:
        archive.extractall("unpacked here")
    with pytest.raises(
        CheckpointError, match=r"is a folder; it is an unpacked torch file: give the \.pt"
    ) as caught:
        locate(place, "generator")
    path = follow(str(caught.value).split("without compression: ")[1])
    (part,) = read_checkpoint(locate(str(path), "generator")).parts
    assert {name: tensor.tolist() for name, tensor in part.tensors.items()} == {
        name: tensor.tolist() for name, tensor in TENSORS.items()
    }


def test_another_folder_is_no_unpacked_file(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(CheckpointError, match=r"models is a folder; name a file$"):
        locate(str(tmp_path / "models"), "generator")
