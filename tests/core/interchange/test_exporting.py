"""Boundaries and samples are exported in the form of HiGAN and as one file, and come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganstrata.core.boundaries.files import save_boundaries
from ganstrata.core.errors import RunError, UserError
from ganstrata.core.interchange.assumed import AssumedGenerator
from ganstrata.core.interchange.exporting import export_boundaries, export_samples
from ganstrata.core.interchange.importing import ImportOptions, import_boundaries, write_imported
from ganstrata.core.plugins.boundary import Boundaries, Boundary
from ganstrata.core.runs.run import Run

GENERATOR = AssumedGenerator("f" * 16, "w", 4, 6, "StyleGAN, some.pth")
RNG = np.random.default_rng(0)


def unit(*shape: int) -> np.ndarray:
    x = RNG.standard_normal(shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def run_folder(tmp_path: Path) -> tuple[Path, Boundaries]:
    rows = [
        Boundary("a/wood", "attribute", unit(6), np.float32(0.3), "w", "f" * 16, layers=(2, 3)),
        Boundary("a/dirt", "attribute", unit(6), np.float32(0.0), "w", "f" * 16),
        Boundary("b/dirt", "category", unit(4, 6), np.zeros(4, np.float32), "w+", "f" * 16),
        Boundary("a/wood", "attribute", unit(6), np.float32(0.0), "w", "f" * 16, given=("a/dirt", "b/dirt")),
        Boundary(
            *("c/glass", "category", unit(4, 6), np.zeros(4, np.float32), "w+", "f" * 16), slope=unit(4, 6)
        ),
    ]
    save_boundaries(Boundaries(rows), tmp_path / "ours")
    return tmp_path / "ours", Boundaries(rows)


def test_there_and_back(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    folder, rows = run_folder(tmp_path)
    written = export_boundaries(folder, tmp_path / "theirs")
    names = ["wood", "a.dirt", "b.dirt", "a.wood_given_a.dirt_and_b.dirt", "glass"]
    assert [path.name for path in written.files] == [
        *(f"{name}_boundary.npy" for name in names),
        "boundary_list.txt",
    ]
    assert len(written.remarks) == 4
    (slopes,) = [remark for remark in written.remarks if "slopes" in remark]
    assert "--as npz writes them" in slopes
    for path, row in zip(written.files, rows, strict=False):
        plain = np.load(path, allow_pickle=False)
        assert plain.dtype == np.float32
        assert np.array_equal(plain, row.normal[None])
    imported = import_boundaries(
        [tmp_path / "theirs" / "boundary_list.txt"], GENERATOR, ImportOptions(level="attribute")
    ).boundaries
    assert [b.space for b in imported] == ["w", "w", "w+", "w", "w+"]
    for back, row in zip(imported, rows, strict=True):
        np.testing.assert_allclose(back.normal, row.normal, atol=1e-7)


@pytest.mark.parametrize("form", ["npz", "json", "safetensors"])
def test_one_file_says_all_there_is_to_say(tmp_path: Path, form: Any) -> None:
    (tmp_path / "ours").mkdir()
    folder, rows = run_folder(tmp_path)
    written = export_boundaries(folder, tmp_path / "theirs", form=form)
    assert [path.name for path in written.files] == [f"directions.{form}"]
    assert written.remarks == ()
    imported = import_boundaries(list(written.files), GENERATOR)
    assert imported.remarks == []
    assert imported.boundaries.names == rows.names
    for back, row in zip(imported.boundaries, rows, strict=True):
        np.testing.assert_allclose(back.normal, row.normal, atol=1e-7)
        np.testing.assert_allclose(back.offset, row.offset, atol=1e-7)
        assert (back.level, back.space, back.layers, back.given, back.generator) == (
            row.level,
            row.space,
            row.layers,
            row.given,
            row.generator,
        )
        assert "assumed_generator" not in back.facts
        if row.slope is None:
            assert back.slope is None
        else:
            np.testing.assert_allclose(back.to_keep, row.slope, atol=1e-7)
    other = AssumedGenerator("0" * 16, "w", 4, 6, "StyleGAN, other.pth")
    with pytest.raises(
        UserError, match=r"it was made for generator f{16}; --assume names 0{16} \(StyleGAN, o"
    ):
        import_boundaries(list(written.files), other)


def test_any_program_reads_the_archive(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    folder, rows = run_folder(tmp_path)
    (file,) = export_boundaries(folder, tmp_path / "theirs", form="npz", only=["a/wood"]).files
    with np.load(file, allow_pickle=False) as arrays:
        assert set(arrays.files) == {"a/wood", "ganstrata"}
        assert np.array_equal(arrays["a/wood"], rows[0].normal)
        description = json.loads(str(arrays["ganstrata"]))
    description["directions"][0]["offset"] = [0.0, 1.0]
    content = {"ganstrata": description, "a/wood": rows[0].normal.tolist()}
    (tmp_path / "bad.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"'a/wood' has 2 offsets for a normal \(6,\)"):
        import_boundaries([tmp_path / "bad.json"], GENERATOR)
    del description["directions"][0]["space"]
    (tmp_path / "bad.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"its description is damaged: .*space: is missing"):
        import_boundaries([tmp_path / "bad.json"], GENERATOR)


def test_export_chooses_and_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    folder, _ = run_folder(tmp_path)
    written = export_boundaries(folder, tmp_path / "one", form="npy", only=["b/*"])
    assert [path.name for path in written.files] == ["dirt_boundary.npy"]
    assert not (tmp_path / "one" / "boundary_list.txt").exists()
    with pytest.raises(UserError, match=r"has dirt_boundary.npy already"):
        export_boundaries(folder, tmp_path / "one", only=["b/*"])
    assert not (tmp_path / "one" / "boundary_list.txt").exists()
    with pytest.raises(UserError, match=r"--only b/drit: no boundary of .* Did you mean 'b/dirt'\?"):
        export_boundaries(folder, tmp_path / "two", only=["b/drit"])
    assert not (tmp_path / "two").exists()
    with pytest.raises(UserError, match=r"cannot be written in a line of a list"):
        export_boundaries(folder, tmp_path / "two\nlines", absolute=True)
    assert not (tmp_path / "two\nlines").exists()
    export_boundaries(folder, tmp_path / "three", only=["b/*"], absolute=True)
    assert (
        tmp_path / "three" / "boundary_list.txt"
    ).read_text() == f"(dirt, wp): {(tmp_path / 'three' / 'dirt_boundary.npy').resolve()}\n"


def test_a_folder_with_boundaries_is_left_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", unit(1, 6))
    imported = import_boundaries([tmp_path / "a.npy"], GENERATOR, ImportOptions("w", "layout"))
    write_imported(imported, tmp_path / "out")
    with pytest.raises(UserError, match=r"has a boundaries\.safetensors already"):
        write_imported(imported, tmp_path / "out")
    with pytest.raises(UserError, match="is a file"):
        write_imported(imported, tmp_path / "a.npy")


def test_samples_of_a_run(tmp_path: Path, finished: Run) -> None:
    written = export_samples(finished, tmp_path / "out")
    arrays = {path.stem: np.load(path, allow_pickle=False) for path in written.files}
    assert arrays["w"].shape == (640, 16)
    assert arrays["red_scores"].shape == (640, 1)
    assert len(arrays) == 1 + 7
    # Red is planted along the fourth axis of w.
    assert np.corrcoef(arrays["red_scores"][:, 0], arrays["w"][:, 3])[0, 1] > 0.95
    assert abs(np.corrcoef(arrays["red_scores"][:, 0], arrays["w"][:, 0])[0, 1]) < 0.2


def test_boundaries_and_samples_are_exported_together_or_not_at_all(fakes, finished, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "w.npy").write_bytes(b"mine")
    with pytest.raises(RunError, match=r"has w\.npy already"):
        export_boundaries(finished.path, out, samples=finished)
    assert [path.name for path in out.iterdir()] == ["w.npy"]
    (out / "w.npy").unlink()
    written = export_boundaries(finished.path, out, samples=finished).files
    record = finished.record.generator
    back = import_boundaries(
        [out],
        AssumedGenerator(record.fingerprint, "w", record.layers, record.code_size, "fake"),
        ImportOptions(level="attribute", space="w"),
    )
    assert len(back.boundaries) == len(finished.boundaries)
    assert any("left out as codes and scores" in remark and "and 3 more" in remark for remark in back.remarks)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in written)
    assert {"w.npy", "left_boundary.npy", "left_scores.npy", "boundary_list.txt"} <= {
        path.name for path in written
    }


def test_a_slope_that_does_not_fit_its_normal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    folder, _ = run_folder(tmp_path)
    (file,) = export_boundaries(folder, tmp_path / "theirs", form="json", only=["c/glass"]).files
    content = json.loads(file.read_text())
    assert set(content) == {"ganstrata", "c/glass", "c/glass slope"}
    content["c/glass slope"] = content["c/glass slope"][:3]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"'c/glass' has a slope 'c/glass slope', which is .*normal \(4, 6\)"):
        import_boundaries([file], GENERATOR)
    del content["c/glass slope"]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="'c/glass' has a slope 'c/glass slope', which is missing"):
        import_boundaries([file], GENERATOR)
