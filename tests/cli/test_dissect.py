"""`ganstrata dissect` writes tables, charts and a page, whole or not at all, from a config or a run."""

from __future__ import annotations

import csv
import json
import os
import re
import sys

import pytest
import yaml
from ganstrata.core.dissection import folder

CONFIG = """
generator: {use: fake_layers}
teacher: {use: fake_regions}
training: {batch_size: 16, seed: 2}
checks: false
device: cpu
"""
FEW = (
    *("--samples", 48, "--permutations", 199, "--counts", "2,1", "--curve-samples", 16, "--random-sets", 4),
    "--quiet",
)


@pytest.fixture
def segment(tmp_path):
    """A config of `ganstrata segment`."""
    file = tmp_path / "segment.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def rows_of(file):
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_a_config_gives_tables_charts_and_a_page(invoke, tmp_path, segment):
    out = tmp_path / "dissection"
    result = invoke("dissect", segment, "--stratum", "s1", "--stratum", 7, "--out", out, *FEW)
    assert result.exit_code == 0, result.stderr
    assert "of 6 units overlap with their class more than with its masks in other pictures" in result.stdout
    assert f"Page: {out / 'page.html'}" in result.stdout
    record = json.loads((out / "dissection.json").read_text(encoding="utf-8"))
    assert set(record["files"]) == {path.name for path in out.iterdir()} - {"dissection.json"}
    units = rows_of(out / "units.csv")
    assert [(row["stratum"], row["unit"]) for row in units] == [(s, u) for s in "17" for u in "012"]
    assert [row["name"] for row in units] == ["s1"] * 3 + ["s7"] * 3
    by_class = rows_of(out / "iou.csv")
    for row, ious in zip(units, by_class, strict=True):
        if row["iou"]:
            assert float(row["iou"]) == pytest.approx(float(ious[row["class"]]), abs=1e-5)
            assert float(row["low"]) <= float(row["iou"]) <= float(row["high"])
    assert any(row["above_chance"] == "True" for row in units)
    curves = rows_of(out / "curves.csv")
    assert {row["kind"] for row in curves} == {"ablation", "insertion", "causal effect"}
    assert record["seed"] == 2
    assert record["request"]["counts"] == [1, 2]
    page = (out / "page.html").read_text(encoding="utf-8")
    assert "<script src" not in page
    assert not re.findall(r'(?:src|href)="https?:', page)
    named = {row["class"] for row in units if row["above_chance"] == "True"}
    for name in named:
        assert f"<h3>{name} <small>" in page
    for name in re.findall(r'href="([^#"]+)"', page):
        assert (out / name).is_file(), name


def test_the_same_command_replaces_its_folder_with_the_same_and_never_other_files(invoke, tmp_path, segment):
    out = tmp_path / "dissection"
    command = ("dissect", segment, "--stratum", 3, "--out", out, *FEW)
    assert invoke(*command).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert invoke(*command).exit_code == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (out / "mine.txt").write_text("mine", encoding="utf-8")
    refused = invoke(*command)
    assert refused.exit_code == 2
    assert "mine.txt" in refused.stderr


def test_an_interruption_leaves_nothing_behind(invoke, tmp_path, segment, monkeypatch):
    out = tmp_path / "dissection"

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("ganstrata.core.dissection.folder.files_of", stop)
    result = invoke("dissect", segment, "--stratum", 3, "--out", out, *FEW)
    assert result.exit_code != 0
    assert "Nothing was written; run the same command again." in result.stderr
    assert not out.exists()


def test_the_config_of_a_run_and_the_run_give_what_their_segmenter_sees(
    invoke, tmp_path, config, monkeypatch
):
    config["scorers"] = [{"use": "fake_readings", "as": "seen"}, {"use": "fake_regions", "as": "things"}]
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    run, out = tmp_path / "run", tmp_path / "dissection"
    assert invoke("run", file, "--out", run, "--quiet").exit_code == 0
    for n, source in enumerate((file, run)):
        result = invoke("dissect", source, "--stratum", "s7", "--out", out / str(n), *FEW)
        assert result.exit_code == 0, result.stderr
    first, second = ((out / n / "units.csv").read_text(encoding="utf-8") for n in "01")
    assert first == second
    for arguments, words in (
        (("--scorer", "seen"), "the scorer seen labels no pixels"),
        (("--scorer", "thing"), "Did you mean 'things'?"),
        (("--set", "device=cpu"), "--set changes the config in a file"),
    ):
        refused = invoke("dissect", run, "--out", out / "2", *arguments, *FEW)
        assert refused.exit_code == 2
        assert words in refused.stderr
    monkeypatch.setattr(sys.modules["ganstrata_fakes"].Regions, "checkpoint", "another file", raising=False)
    refused = invoke("dissect", run, "--out", out / "2", *FEW)
    assert refused.exit_code == 2
    assert "the scorer things of" in refused.stderr
    assert "is another one now: another file" in refused.stderr
    assert not (out / "2").exists()


def test_a_second_process_is_told_who_works_on_the_folder(invoke, tmp_path, segment, monkeypatch):
    (tmp_path / "real").mkdir()
    out, link = tmp_path / "dissection", tmp_path / "real" / "link"
    link.symlink_to(out)
    command = ("dissect", segment, "--stratum", 3, *FEW, "--out")
    seconds = []
    files_of = folder.files_of

    def meanwhile(*args):
        seconds.extend(invoke(*command, one) for one in (out, link))
        seconds.append(invoke(*command, tmp_path / "other"))
        return files_of(*args)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "files_of", lambda *args: (patch.undo(), meanwhile(*args))[1])
        first = invoke(*command, out)
    assert first.exit_code == 0, first.stderr
    assert (out / "page.html").is_file()
    for second, name in zip(seconds, (out, link), strict=False):
        assert second.exit_code == 2
        text = " ".join(second.stderr.split())
        assert f"{name} is in use by another process: process {os.getpid()} on this machine, since" in text
    assert seconds[2].exit_code == 0, "another folder is free"
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_killed_process_does_not_keep_the_folder_locked(invoke, tmp_path, segment):
    lock = tmp_path / ".dissection.ganstrata-lock"
    lock.mkdir()
    (lock / "run.lock").touch()
    (lock / "run.lock.json").write_text("{", encoding="utf-8")
    result = invoke("dissect", segment, "--stratum", 3, "--out", tmp_path / "dissection", *FEW)
    assert result.exit_code == 0, result.stderr
    assert not lock.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--stratum", "s9"), "there is no stratum 's9'"),
        (("--stratum", "99"), "there is no stratum '99'"),
        (("--stratum", "3", "--curve-stratum", "s4"), "curve_stratum 4 is not among the strata"),
        (("--scorer", "other"), "--scorer chooses one of several of a run"),
        (("--threshold", "best"), "'best' is not iqr, iou, or a share"),
        (("--threshold", "1"), "or a share above 0 and below 1"),
        (("--counts", "9" * 5000), "list of different whole numbers"),
        (("--counts", "4,4"), "a list of different whole numbers"),
        (("--samples", "1"), "from 2 to 1000000"),
        (("--set", "teacher.use=fake_readings"), "labels no pixels"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(invoke, tmp_path, segment, arguments, words):
    out = tmp_path / "dissection"
    result = invoke("dissect", segment, "--out", out, "--quiet", *arguments)
    assert result.exit_code == 2, result.stderr
    assert words in " ".join(result.stderr.split())
    assert not out.exists()


def test_a_run_without_a_segmenter_and_a_folder_that_is_no_run_are_refused(invoke, tmp_path, config):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    refused = invoke("dissect", file, "--out", tmp_path / "out", *FEW)
    assert refused.exit_code == 2
    assert "none of the scorers of" in refused.stderr
    (tmp_path / "empty").mkdir()
    refused = invoke("dissect", tmp_path / "empty", "--out", tmp_path / "out", *FEW)
    assert refused.exit_code == 2
    assert "is not a run directory" in refused.stderr


def test_without_curves_the_page_has_none(invoke, tmp_path, segment):
    out = tmp_path / "dissection"
    few = (*FEW[:4], "--counts", "none", "--quiet")
    result = invoke("dissect", segment, "--stratum", 7, "--threshold", 0.2, "--out", out, *few)
    assert result.exit_code == 0, result.stderr
    assert not (out / "curves.csv").exists()
    page = (out / "page.html").read_text(encoding="utf-8")
    assert 'id="curves"' not in page
    assert "The level above which 20" in page
