"""What is recorded of the plugins and packages of a run, and what changed of it, in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Concept, PluginConfig, Rendering
from ganstrata.core.config.reading import validate
from ganstrata.core.config.schema import Use
from ganstrata.core.runs.facts import facts_of
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.provenance import imports
from ganstrata.core.runs.provenance.changes import changes, code_changes, plugin_changes
from ganstrata.core.runs.provenance.describe import describe, plugin_record
from pydantic import Field


class Reads(ganstrata.Scorer):
    """Its config names files in every possible way."""

    class Inner(PluginConfig):
        paths: tuple[Path, ...] = ()

    class Config(PluginConfig):
        file: str = ""
        folder: Path | None = None
        inner: tuple[Reads.Inner, ...] = ()
        model: str = ""
        also: dict[str, Any] = Field(default={})

    concepts = (Concept("x", "attribute"),)

    def score(self, rendering: Rendering) -> torch.Tensor:
        return rendering.images.mean(dim=(1, 2, 3))[:, None]


Reads.Config.model_rebuild()


def record(**options: Any):
    return plugin_record("scorer", Use.model_validate({"use": "reads", "with": options}))


@pytest.fixture
def reads(fakes, register) -> None:
    register("scorer", "reads", Reads)


def test_every_file_that_a_config_names_is_digested(
    reads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder/sub").mkdir(parents=True)
    names = ("a.csv", "b.bin", "folder/sub/c.json", "d.txt", "folder/e.txt")
    for name in names:
        (tmp_path / name).write_text("1", encoding="utf-8")
    options = {
        "file": "a.csv",
        "inner": [{"paths": [str(tmp_path / "b.bin")]}],
        "folder": "folder",
        "also": {"deep": [{"er": "./d.txt"}, 3, None]},
        "model": "folder",
    }
    before = record(**options)
    assert set(before.files) == {"file", "inner.0.paths.0", "folder", "also.deep.0.er"}
    assert record(**options) == before
    for name, place in zip(
        names, ("file", "inner.0.paths.0", "folder", "also.deep.0.er", "folder"), strict=True
    ):
        file = tmp_path / name
        times = file.stat()
        file.write_text("2", encoding="utf-8")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert plugin_changes("it", before, record(**options)) == [
            f"it: what its config names at '{place}' changed"
        ]
        file.write_text("1", encoding="utf-8")
    (tmp_path / "folder/new").write_text("", encoding="utf-8")
    assert plugin_changes("it", before, record(**options)) == [
        "it: what its config names at 'folder' changed"
    ]


def test_a_plugin_in_a_config_is_recorded_with_its_own_distribution(fakes, config) -> None:
    layout = {"use": "layout", "with": {"segmenter": {"use": "fake_regions"}, "walls": ["wall", "sofa"]}}
    config["scorers"].append(layout)
    facts = facts_of(prepare(validate(config, "x")))
    assert set(facts.plugins) == {
        "generator fake_layers",
        "scorer fake_readings",
        "scorer layout",
        "scorer fake_regions",
        "boundary ridge",
    }
    assert facts.plugins["scorer fake_regions"] == "ganstrata-fakes 1.0"
    assert (
        facts.plugins["scorer layout"]
        == facts.plugins["boundary ridge"]
        == f"ganstrata {ganstrata.__version__}"
    )
    new = facts.provenance
    scorer = new.scorers["layout"]
    other = scorer.model_copy(
        update={"parts": {"segmenter": scorer.parts["segmenter"].model_copy(update={"code": "0"})}}
    )
    old = new.model_copy(update={"scorers": new.scorers | {"layout": other}})
    assert changes(old, new) == code_changes(old, new) == ["scorer 'layout', segmenter: its source changed"]


def test_versions_alone_do_not_keep_analyses_from_a_run(fakes, config) -> None:
    new = describe(prepare(validate(config, "x")))
    old = new.model_copy(
        update={
            "environment": new.environment.model_copy(
                update={"packages": new.environment.packages | {"torch": "1.0"}, "batch": 1}
            ),
            "generator": new.generator.model_copy(update={"distribution": "fakes 0.1"}),
        }
    )
    assert code_changes(old, new) == []
    assert changes(old, new) == [
        "batch size was 1, is 32",
        f"torch was 1.0, is {new.environment.packages['torch']}",
        "generator 'fake_layers': was from fakes 0.1, is from ganstrata-fakes 1.0",
    ]
    assert changes(None, new) == ["nothing is recorded of what its numbers were computed from"]


LIBRARY = {
    "METADATA": "Metadata-Version: 2.1\nName: a-library\nVersion: {}\n",
    "top_level.txt": "a_library\n",
}


def test_an_installed_library_counts_by_its_version(
    reads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no requirement names it, as for a function of the user's own."""
    site = tmp_path / "site-packages"
    (site / "a_library-1.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(imports, "_owners", imports._owners.__wrapped__)
    (site / "a_library.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "own.py").write_text("import a_library\ndef score(images): ...\n", encoding="utf-8")
    seen = []
    for version in ("1.0", "2.0"):
        for name, text in LIBRARY.items():
            (site / "a_library-1.0.dist-info" / name).write_text(text.format(version), encoding="utf-8")
        seen.append(record(model=f"{tmp_path / 'own.py'}:score"))
    assert plugin_changes("it", *seen) == ["it: a-library was 1.0, is 2.0"]
    assert seen[0].essence == seen[1].essence
