"""What no longer fits a run is named before anything is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ganstrata
import pytest
from ganstrata.core.errors import RunError, UserError
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.result_folder import read_index
from ganstrata.core.storage.seal import sealed_text


def spoiled(folder: Path) -> Path:
    """Flip a bit in the middle of the first chunk of an array."""
    file = next(file for file in sorted(folder.rglob("*")) if file.is_file() and "c" in file.parts)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    return file


@pytest.mark.parametrize("array", ["rescoring.zarr/sums", "samples.zarr/scores/seen"])
@pytest.mark.parametrize(
    "analysis",
    [("objects", "--along", "seen/red", "--samples", "4"), ("layers", "--layers", "upper")],
    ids=lambda words: words[0],
)
def test_an_analysis_whose_report_would_fail_writes_nothing(
    invoke, refurnished: Path, contents, array: str, analysis: tuple[str, ...]
) -> None:
    spoiled(refurnished / array)
    before = contents(refurnished)
    result = invoke("analysis", analysis[0], refurnished, *analysis[1:], "--quiet")
    assert result.exit_code == 2
    assert str(refurnished / array) in result.stderr
    assert contents(refurnished) == before


def test_a_run_that_was_computed_again_must_be_opened_again(fakes, copied: Path, config) -> None:
    held = ganstrata.open_run(copied)
    config["boundary"]["with"]["positives"] = 100
    config["concepts"] = {"include": ["seen/left"]}
    ganstrata.run(config, copied)
    with pytest.raises(RunError, match="changed by another command since it was opened; open it again"):
        _ = held.effects


def test_a_hierarchy_names_the_run_once(fakes, copied: Path) -> None:
    (copied / "rescoring.csv").unlink()
    with pytest.raises(UserError, match=r"rescoring\.csv: missing") as caught:
        ganstrata.open_run(copied).hierarchy()
    assert str(caught.value).count(f"{copied}: ") == 1


def test_a_report_by_itself_names_older_analyses(invoke, copied: Path) -> None:
    assert invoke("analysis", "ranking", copied, "--quiet").exit_code == 0
    run = Run.open(copied)
    assert run.record.keys is not None
    index = copied / "analysis/ranking/ranking.json"
    index.write_text(sealed_text(read_index(index) | {"stands_on": {"rescore": "0"}}), encoding="utf-8")
    result = invoke("report", copied)
    assert result.exit_code == 0
    assert "analysis/ranking" in result.stderr
    assert "computed from an earlier state of the run" in result.stderr


def test_an_analysis_of_objects_that_is_out_of_date_is_named(invoke, refurnished: Path) -> None:
    objects = ("analysis", "objects", refurnished, "--along", "seen/red", "--samples", "4", "--quiet")
    assert invoke(*objects).exit_code == 0
    assert "analysis/objects" not in invoke("report", refurnished).stderr
    index = refurnished / "analysis/objects/objects.json"
    content = read_index(index)
    stamp = content["stamp"] | {"boundaries.json": "another"}
    index.write_text(sealed_text(content | {"stamp": stamp}), encoding="utf-8")
    result = invoke("report", refurnished)
    assert result.exit_code == 0
    assert f"analysis/objects in {refurnished}: The boundaries of this run were learnt again" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a folder in which a process works")
def test_a_working_directory_that_was_removed(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); "
        "from ganstrata.cli.main import main; sys.argv = ['ganstrata', 'plugins', 'list']; main()"
    )
    gone = tmp_path / "gone"
    gone.mkdir()
    root = str(Path(ganstrata.__file__).parents[1])
    ended = subprocess.run(
        [sys.executable, "-c", code, str(gone)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (
        1,
        "Error: the working directory no longer exists; change to another\n",
    )
