"""Folders of inverted pictures that somebody has spoilt: every command refuses them, and writes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from click.testing import Result
from fakes import LAYERS, WIDTH, Grainy
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.runs.inversions import CODES, INDEX
from ganstrata.core.storage.result_folder import index_text
from ganstrata.core.storage.seal import sealed_text
from inverted_pictures import write_inverted
from safetensors import safe_open
from safetensors.torch import load, save
from segment_folders import trained
from torch import Tensor

Folder = Callable[..., Path]
Run = Callable[[Path], Result]
NAMES = ("a", "b")
COMMAND: dict[str, Any] = {
    "steps": ["mean", "w+"],
    "fields": {"mean": {}, "w+": {"steps": 2}},
    "distance": "1 MSE",
    "seed": 0,
    "class": None,
}


@pytest.fixture
def inverted(fakes, tmp_path: Path) -> Folder:
    """inverted(noise=...) writes a folder of two inverted pictures of the fake generator."""

    def write(command: Mapping[str, Any] | None = None, **parts: Any) -> Path:
        codes = torch.randn(2, LAYERS, WIDTH, generator=torch.Generator().manual_seed(2))
        record = {"kind": "inversion", "command": COMMAND | dict(command or {}), "pictures": measured(30.0)}
        generator = ganstrata.load_generator("fake_layers", device="cpu")
        return write_inverted(tmp_path / "in", Inversion(codes, **parts), NAMES, generator, record=record)

    return write


def measured(psnr: object, names: tuple[object, object] = NAMES) -> list[Mapping[str, Any]]:
    return [{"name": name, "measures": {"psnr": psnr}} for name in names]


def spoilt(
    folder: Path,
    tensors: Mapping[str, Tensor] | None = None,
    header: Mapping[str, Any] | None = None,
    **record: Any,
) -> Path:
    """Change what a folder holds, and seal it again as if it had been written so."""
    file = folder / CODES
    with safe_open(file, "pt") as opened:
        own = json.loads(opened.metadata()["ganstrata"])
    metadata = {"ganstrata": json.dumps(own | dict(header or {}))}
    file.write_bytes(save(load(file.read_bytes()) | dict(tensors or {}), metadata=metadata))
    said = json.loads((folder / INDEX).read_bytes()) | record
    files = {name: (folder / name).read_bytes() for name in said.pop("files")}
    (folder / INDEX).write_bytes(index_text(said, files))
    return folder


def refused(result: Result, *words: str) -> None:
    """One clear error, and nothing written."""
    assert result.exit_code == 2, (result.output, result.exception)
    message = " ".join(result.stderr.split())
    assert message.startswith("Error: "), message
    assert "mistake in ganstrata" not in message
    for word in words:
        assert word in message


@pytest.fixture
def commands(invoke, copied: Path, tmp_path: Path) -> Mapping[str, Run]:
    """Every command that takes inverted pictures, by its name."""
    out, run = tmp_path / "out", copied
    made = ("--generator", "fake_layers", "--out", out, "--quiet")
    few = ("--calibrate", 19, "--perceptual", "none", "--consistency", 1, "--samples", 4)
    edit = ("--along", "seen/red", "--out", out, "--quiet")
    return {
        "trust": lambda folder: invoke("trust", folder, *few, *made),
        "trust of a run": lambda folder: invoke("trust", folder, "--run", run, *few, *edit),
        "interpolate": lambda folder: invoke("morph", "interpolate", "--codes", folder, *made),
        "mix": lambda folder: invoke("morph", "mix", "--codes", folder, "--layers", "4-7", *made),
        "manipulate": lambda folder: invoke("manipulate", run, "--codes", folder, "--steps", 2, *edit),
    }


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda f: [(f / name).unlink() for name in (CODES, INDEX)], "has no codes.safetensors"),
    "cut": (lambda f: (f / CODES).write_bytes((f / CODES).read_bytes()[:-99]), "changed or missing since"),
    "a folder in place of codes": (lambda f: [(f / CODES).unlink(), (f / CODES).mkdir()], "it is a folder"),
    "a broken link": (
        lambda f: [(f / CODES).unlink(), (f / CODES).symlink_to("/nowhere")],
        "codes.safetensors: there is no such file",
    ),
    "a pipe in place of the index": (
        lambda f: [(f / INDEX).unlink(), os.mkfifo(f / INDEX)],
        "invert.json: it is a named pipe",
    ),
    "no index but a list": (lambda f: (f / INDEX).write_text("[1]"), "invert.json is damaged"),
    "no pictures": (
        lambda f: spoilt(
            f,
            {"codes": torch.zeros(0, LAYERS, WIDTH), "index": torch.zeros(0).long()},
            {"names": []},
            pictures=[],
        ),
        "names: must have at least 1 item",
    ),
    "not finite": (
        lambda f: spoilt(f, {"codes": torch.full((2, LAYERS, WIDTH), float("nan"))}),
        "codes holds numbers that are not finite",
    ),
    "another shape": (lambda f: spoilt(f, {"codes": torch.zeros(2, 3, WIDTH)}), "2 x 8 x 16 is needed"),
    "names twice": (
        lambda f: spoilt(f, header={"names": ["a", "A"]}, pictures=measured(30.0, ("a", "A"))),
        "two pictures have the same name",
    ),
    "names no file": (
        lambda f: spoilt(f, header={"names": ["../a", "b"]}, pictures=measured(30.0, ("../a", "b"))),
        "'../a' cannot be the name of a file",
    ),
    "pictures that are none": (lambda f: spoilt(f, pictures=7), "does not list its pictures"),
    "z without z": (lambda f: spoilt(f, header={"space": "z"}), "said to be in z, and it holds no z"),
    "a latent of nothing": (lambda f: spoilt(f, {"latent": torch.zeros(2, WIDTH)}), "it holds a latent"),
    "a seed in words": (lambda f: spoilt(f, header={"seed": "one"}), "seed: must be an integer"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_folder_is_refused_by_every_command(
    commands: Mapping[str, Run], inverted: Folder, tmp_path: Path, name: str
) -> None:
    spoil, words = SPOILT[name]
    folder = inverted()
    spoil(folder)
    for run in commands.values():
        refused(run(folder), words)
        assert not (tmp_path / "out").exists()


def test_what_no_generator_takes_is_refused_with_its_file_and_name(
    commands: Mapping[str, Run], inverted: Folder, tmp_path: Path
) -> None:
    folder = inverted(noise={2: torch.zeros(2, 1, 8, 8)})
    for run in commands.values():
        refused(run(folder), f"{CODES}: noise.2: generator 'fake_layers'", "adds no noise there")
    folder = inverted(weights=({"nothing": torch.zeros(3)},) * 2)
    for run in commands.values():
        refused(run(folder), "weights/a.safetensors: tuned weights are for nothing", "let be tuned")
    assert not (tmp_path / "out").exists()


def test_names_of_files_that_no_file_has_count_as_missing(
    commands: Mapping[str, Run], inverted: Folder
) -> None:
    folder = inverted()
    said = json.loads((folder / INDEX).read_bytes())
    said["files"]["weights/\0"] = "0" * 64
    (folder / INDEX).write_text(sealed_text(said), encoding="utf-8")
    refused(commands["mix"](folder), "changed or missing since it was written", r"weights/\x00")


@pytest.mark.parametrize(
    "command",
    [{"steps": []}, {"steps": "mean"}, {"fields": {"w+": 5}}, {"seed": "a"}, {"seed": -1}, {"seed": 2**80},
     {"class": "a"}, {"class": -1}, {"distance": 5}, {"seed": None}],
)  # fmt: skip
def test_trust_knows_how_pictures_were_inverted_or_says_that_it_does_not(
    commands: Mapping[str, Run], inverted: Folder, tmp_path: Path, command: Mapping[str, Any]
) -> None:
    folder = inverted(command)
    refused(commands["trust"](folder), f"{INDEX} does not say how its pictures were inverted")
    assert not (tmp_path / "out").exists()


def test_trust_names_the_file_whose_fields_are_wrong(
    commands: Mapping[str, Run], inverted: Folder, tmp_path: Path
) -> None:
    folder = inverted({"fields": {"w+": {"steps": "many"}}})
    refused(commands["trust"](folder), f"{tmp_path}/in/{INDEX}: one fault", "w+ -> steps: must be an integer")


def test_a_measure_that_is_no_number_is_left_out(
    commands: Mapping[str, Run], inverted: Folder, tmp_path: Path
) -> None:
    measures: tuple[dict[str, Any], ...] = (
        {"psnr": "high", "ms_ssim": [1]},
        {"psnr": None, "ms_ssim": 10**400},
    )
    pictures = [{"name": name, "measures": each} for name, each in zip(NAMES, measures, strict=True)]
    result = commands["trust"](spoilt(inverted(), pictures=pictures))
    assert result.exit_code == 0, (result.output, result.exception)
    rows = (tmp_path / "out/pictures.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["a", "", ""], ["b", "", ""]]


def test_folders_are_checked_before_a_generator_is_loaded(
    commands: Mapping[str, Run],
    inverted: Folder,
    copied: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    other = write_inverted(
        tmp_path / "other",
        Inversion(torch.zeros(2, LAYERS, WIDTH)),
        NAMES,
        Grainy(Grainy.Config(), torch.device("cpu")),
    )
    cut = inverted()
    (cut / CODES).write_bytes(b"")

    def load(*given: object) -> None:
        raise AssertionError("a generator was loaded")

    monkeypatch.setattr("ganstrata.core.inversion.source.load_generator", load)
    monkeypatch.setattr("ganstrata.core.runs.session._prepared", load)
    for name, run in commands.items():
        refused(run(cut), "changed or missing since it was written")
        if name in ("trust of a run", "manipulate"):
            refused(run(other), "its codes are of generator")


def test_segment_edit_refuses_a_spoilt_folder_before_it_opens_the_segmentation(
    invoke, inverted: Folder, tmp_path: Path
) -> None:
    segmentation = trained(invoke, tmp_path)
    edit = ("segment", "edit", segmentation, "--sample", "0", "--out", tmp_path / "out", "--quiet")
    refused(invoke(*edit, "--codes", inverted(noise={2: torch.zeros(2, 1, 8, 8)})), "adds no noise there")
    cut = inverted()
    (cut / CODES).write_bytes(b"")
    refused(invoke(*edit, "--codes", cut), "changed or missing since it was written")
    nowhere = ("segment", "edit", tmp_path / "nowhere", "--sample", "0", "--out", tmp_path / "out")
    refused(invoke(*nowhere, "--codes", cut), "changed or missing since it was written")
    assert not (tmp_path / "out").exists()


def test_what_only_a_run_can_do_is_refused_without_one(invoke, inverted: Folder, tmp_path: Path) -> None:
    trust = ("trust", inverted(), "--generator", "fake_layers", "--out", tmp_path / "out")
    refused(invoke(*trust, "--step", 2), "--step is the distance of an edit", "give --run")
    refused(invoke(*trust, "--along", "seen/red"), "--along names boundaries of a run")
