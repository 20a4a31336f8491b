"""`ganstrata boundaries`: what it prints, what it writes, and that a mistake writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.boundaries.files import load_boundaries


def put(path: Path, size: int = 16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    normal = np.random.default_rng(size).standard_normal((1, size))
    np.save(
        path,
        {
            "boundary": normal / np.linalg.norm(normal),
            "meta_data": {"type": "attribute", "manipulate_layers": "2-5"},
        },
        allow_pickle=True,
    )
    return path


def test_a_run_is_listed(invoke, finished) -> None:
    result = invoke("boundaries", "list", finished.path)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["kind", "name", "level", "space", "shape", "generator", "remark"]
    assert lines[1].startswith("boundary  seen/left ")
    rows = json.loads(invoke("boundaries", "list", finished.path, "--json").stdout)
    left = next(row for row in rows if row["name"] == "seen/left")
    assert (left["level"], left["space"], left["shape"]) == ("layout", "w", [16])
    assert next(row for row in rows if row["name"] == "seen/constant")["kind"] == "none"


def test_a_foreign_folder_is_listed(invoke, tmp_path: Path) -> None:
    put(tmp_path / "wood.npy")
    np.save(tmp_path / "w.npy", np.zeros((5, 16), np.float32))
    np.save(tmp_path / "attribute.npy", {"wood": np.zeros(5)}, allow_pickle=True)
    (tmp_path / "bad.npy").write_bytes(b"\x1b[31m")
    (tmp_path / "list.txt").write_text("(wood, w): wood.npy\nDISABLE(dirt, w): dirt.npy\n")
    (tmp_path / "notes.txt").write_text("anything\n")
    result = invoke("boundaries", "list", tmp_path, "--json")
    rows = {row["name"]: row for row in json.loads(result.stdout) if row["kind"] != "entry"}
    assert {name: row["kind"] for name, row in rows.items()} == {
        "attribute.npy": "dictionary",
        "bad.npy": "unreadable",
        "w.npy": "array",
        "wood.npy": "boundary",
        "list.txt": "list",
    }
    assert (rows["wood.npy"]["layers"], rows["wood.npy"]["level"]) == ("2-5", "attribute")
    assert "\x1b" not in invoke("boundaries", "list", tmp_path).stdout


def test_a_file_is_listed_by_itself_and_its_directions_are_named_in_faults(invoke, tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", old=np.eye(16)[0], smile=np.zeros(16))
    rows = json.loads(invoke("boundaries", "list", tmp_path / "two.npz", "--json").stdout)
    assert [row["kind"] for row in rows] == ["dictionary"]  # one of them is not a direction
    np.savez(tmp_path / "two.npz", old=np.eye(16)[0], smile=np.eye(16)[1])
    rows = json.loads(invoke("boundaries", "list", tmp_path / "two.npz", "--json").stdout)
    assert [row["name"] for row in rows] == ["two.npz: old", "two.npz: smile"]
    (tmp_path / "list").write_text("(old, w): two.npz\n")
    result = invoke("boundaries", "list", tmp_path / "list")
    assert result.exit_code == 0, result.output
    assert "1 boundary" in result.stdout


def test_exported_boundaries_can_be_imported_again(invoke, finished, tmp_path: Path) -> None:
    out, back = tmp_path / "theirs", tmp_path / "ours"
    result = invoke("boundaries", "export", finished.path, "--out", out, "--samples", "--only", "seen/[lr]*")
    assert result.exit_code == 0, result.output
    assert "Note: offsets are left out" in result.stderr
    assert (out / "w.npy").is_file()
    assert (
        out / "boundary_list.txt"
    ).read_text() == "(left, w): left_boundary.npy\n(red, w): red_boundary.npy\n"
    arguments = (
        "--assume",
        finished.path,
        "--out",
        back,
        "--level",
        "layout",
        "--level",
        "red=colour",
        "--alias",
        "seen",
    )
    result = invoke("boundaries", "import", out / "boundary_list.txt", *arguments)
    assert result.exit_code == 0, result.output
    assert (
        f"{back}: 2 boundaries for the generator {finished.manifest['generator']['fingerprint']} (fake,"
        in result.stdout
    )
    was, now = load_boundaries(finished.path)[0], load_boundaries(back)[0]
    assert [(b.name, b.level) for b in now] == [("seen/left", "layout"), ("seen/red", "colour")]
    for boundary in now:
        np.testing.assert_allclose(boundary.normal, was.of(boundary.name).normal, atol=1e-7)
        assert boundary.generator == was.of(boundary.name).generator


def test_what_is_exported_in_one_file_comes_back_as_it_was(invoke, finished, tmp_path: Path) -> None:
    out, back = tmp_path / "theirs", tmp_path / "ours"
    result = invoke("boundaries", "export", finished.path, "--out", out, "--as", "npz", "--samples")
    assert result.exit_code == 0, result.output
    assert {"directions.npz", "codes.npz", "red_scores.npy"} <= {path.name for path in out.iterdir()}
    result = invoke("boundaries", "import", out / "directions.npz", "--assume", finished.path, "--out", back)
    assert (result.exit_code, result.stderr) == (0, "")
    was, now = load_boundaries(finished.path)[0], load_boundaries(back)[0]
    assert now.names == was.names
    for ours, theirs in zip(now, was, strict=True):
        np.testing.assert_allclose(ours.normal, theirs.normal, atol=1e-7)
        np.testing.assert_allclose(ours.offset, theirs.offset, atol=1e-6)
        assert (ours.level, ours.space, ours.layers) == (theirs.level, theirs.space, theirs.layers)
    result = invoke(
        "boundaries", "import", out / "directions.npz", "--assume", "bundled:rooms", "--out", tmp_path / "no"
    )
    assert result.exit_code == 2
    assert "it was made for generator" in result.stderr


def test_rows_are_chosen_by_name_and_assumptions_told(invoke, finished, tmp_path: Path) -> None:
    np.save(tmp_path / "square.npy", np.eye(16))
    arguments = ("--assume", finished.path, "--space", "w", "--level", "layout", "--out", tmp_path / "ours")
    result = invoke(
        "boundaries", "import", tmp_path / "square.npy", "--as", "rows", "--only", "square.?", *arguments
    )
    assert result.exit_code == 0, result.output
    assert "Note: assumed: no file says which generator these boundaries belong to" in result.stderr
    assert [b.name for b in load_boundaries(tmp_path / "ours")[0]] == [
        f"imported/square.{i}" for i in range(10)
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("import", "{}/wood.npy", "--out", "{}/out"), "Missing option '--assume'"),
        (("import", "{}/wood.npy", "--out", "{}/out", "--assume", "{run}"), "say --space"),
        (
            ("import", "{}/wood.npy", "--out", "{}/out", "--assume", "{}/none.pth", "--space", "w"),
            "no checkpoint file",
        ),
        (
            ("import", "{}/wood.npy", "--out", "{}/out", "--assume", "bundled:rooms", "--space", "w"),
            "it has D = 16, but the codes",
        ),
        (
            ("import", "{}/nil.npy", "--out", "{}/out", "--assume", "{run}", "--space", "w"),
            "there is no such file",
        ),
        (
            ("import", "{}/wood.npy", "--out", "{run}", "--assume", "{run}", "--space", "w"),
            "has a run.json already",
        ),
        (
            ("import", "{}/square.npy", "--out", "{}/out", "--assume", "{run}", "--space", "w"),
            "--as rows: 16 directions, one per row; --as columns: 16 directions, one per column",
        ),
        (
            (
                "import",
                "{}/wood.npy",
                "--out",
                "{}/out",
                "--assume",
                "{run}",
                "--space",
                "w",
                "--layers",
                "9",
            ),
            "there is no layer 9",
        ),
        (("export", "{}", "--out", "{}/out"), "boundaries are missing or damaged"),
        (("export", "{run}", "--out", "{}/out", "--only", "seen/rde"), "Did you mean 'seen/red'?"),
        (("export", "{run}", "--out", "{}/out", "--as", "pickle"), "'pickle' is not one of 'npy', 'list'"),
        (("list", "{}/none"), "there is no folder"),
        (("list", "{}/empty"), "has neither boundaries.json nor .npy, .npz, .pt files nor a list"),
    ],
)
def test_wrong_arguments_are_explained_and_nothing_is_written(
    invoke, finished, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    put(tmp_path / "wood.npy")
    np.save(tmp_path / "square.npy", np.eye(16))
    (tmp_path / "empty").mkdir()
    result = invoke(
        "boundaries",
        *(a.replace("{run}", str(finished.path)).replace("{}", str(tmp_path)) for a in arguments),
    )
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
