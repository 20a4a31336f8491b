"""A run continued after a change equals a run that had it from the start; nothing else is done again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
from ganstrata.core.analyses.base import AnalysisRequest
from ganstrata.core.analyses.entanglement import entanglement
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import GanstrataError, RunError
from ganstrata.core.pipeline.analyse import analyse_run
from ganstrata.core.pipeline.perform import resume
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import STAGES, Run
from ganstrata.core.storage.seal import sealed_text

Config = dict[str, Any]
FUNCTION = "import torch\nimport helper\n\ndef score(images):\n    return {factor} * helper.mean(images)\n"
HELPER = "def mean(images):\n    return images.mean(dim=(1, 2, 3)) + {shift}\n"
NETWORK = """
import torch

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("w", torch.randn(16, 192, generator=torch.Generator().manual_seed(1)))

    def forward(self, z):
        return torch.{form}(z @ self.w).view(-1, 3, 8, 8)
"""


@pytest.fixture
def small(compact: Config) -> Config:
    return compact


@pytest.fixture
def continued_as_fresh(
    fakes, compacted: Run, tmp_path: Path, worked: list[str], contents, capsys
) -> Callable[..., str]:
    """Return a function that compares a continued run with a fresh one, and returns the messages."""

    def same(config: Config, change: Callable[[Config], object], *, again: tuple[str, ...] = STAGES) -> str:
        if validate(config, "test") == compacted.config:
            shutil.copytree(compacted.path, tmp_path / "continued")
        ganstrata.run(config, tmp_path / "continued")
        changed = deepcopy(config)
        change(changed)
        worked.clear()
        capsys.readouterr()
        continued = ganstrata.run(changed, tmp_path / "continued", quiet=False)
        said = capsys.readouterr().err
        assert tuple(worked) == again
        fresh = ganstrata.run(changed, tmp_path / "fresh")
        there, here = (
            {
                name: content
                for name, content in contents(run.path).items()
                if not name.startswith("samples.zarr")
            }
            for run in (continued, fresh)
        )
        assert there.keys() == here.keys()
        assert [name for name in there if there[name] != here[name]] == []
        for alias in fresh.keys.scores:
            assert scores(continued, alias).tobytes() == scores(fresh, alias).tobytes()
        ours = (run.record.model_dump(exclude={"stages", "leftovers"}) for run in (continued, fresh))
        assert next(ours) == next(ours)
        worked.clear()
        ganstrata.run(changed, tmp_path / "continued")
        assert worked == [], "nothing changed any more"
        return said

    return same


def scores(run: Run, alias: str) -> np.ndarray:
    from ganstrata.core.probing.stage import open_samples

    return open_samples(run).read(f"scores/{alias}")


def soft(config: Config) -> None:
    config["scorers"][1]["with"] = {"soft": True}


def reordered(config: Config) -> None:
    config["scorers"] = [config["scorers"][i] for i in (0, 2, 1)]


def removed(config: Config) -> None:
    del config["scorers"][1]


def added(config: Config) -> None:
    config["scorers"].insert(1, {"use": "fake_constant"})


def swapped(config: Config) -> None:
    config["scorers"][1]["as"], config["scorers"][2]["as"] = "parts", "colour"


def fewer(config: Config) -> None:
    config["concepts"]["include"] = ["seen/red"]


def conditional(config: Config) -> None:
    config["conditions"] = [{"edit": "seen/red", "keep": ["seen/left"]}]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (soft, "scorer 'colour': its config changed"),
        (reordered, "scorers stand in another order"),
        (removed, "scorer 'colour' was taken out"),
        (added, "scorer 'fake_constant' is new"),
        (swapped, "scorer 'colour': was 'hue' from"),
    ],
)
def test_scorers_that_changed_are_heard_again(
    change: Callable[[Config], None], words: str, continued_as_fresh, small: Config
) -> None:
    said = continued_as_fresh(small, change)
    assert words in said
    assert "Done again: synthesize, learn, rescore, edit, report; the samples and " in said


@pytest.mark.parametrize(
    ("change", "words"), [(fewer, "concepts changed"), (conditional, "conditions changed")]
)
def test_other_boundaries_leave_the_samples(
    change: Callable[[Config], None], words: str, continued_as_fresh, small: Config
) -> None:
    said = continued_as_fresh(small, change, again=STAGES[1:])
    assert f"{words}. Done again: learn, rescore, edit, report; the samples and scores stay" in said


@pytest.mark.parametrize(
    ("section", "value", "again"),
    [("editing", {"samples": 2, "steps": 3}, STAGES[3:]), ("report", {"samples": 3}, STAGES[4:])],
)
def test_what_comes_late_makes_nothing_early_due(
    section: str, value: Config, again: tuple[str, ...], continued_as_fresh, small: Config
) -> None:
    said = continued_as_fresh(small, lambda config: config.update({section: value}), again=again)
    assert f"{section} changed. Done again: {', '.join(again)}; the samples and scores stay" in said


def test_a_default_that_is_written_out_is_no_change(small: Config, worked: list[str], tmp_path: Path) -> None:
    ganstrata.run(small, tmp_path / "run")
    worked.clear()
    small["scorers"][1]["with"] = {"soft": False}
    ganstrata.run(small, tmp_path / "run")
    assert worked == []


def keeping_times(file: Path, content: bytes) -> None:
    """Replace a file by one of the same size and time."""
    before = file.stat()
    assert len(content) == before.st_size
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def own_function(config: Config, folder: Path) -> None:
    (folder / "own.py").write_text(FUNCTION.format(factor=1), encoding="utf-8")
    (folder / "helper.py").write_text(HELPER.format(shift=0), encoding="utf-8")
    config["scorers"].append(
        {
            "use": "callable",
            "as": "own",
            "with": {"target": f"{folder / 'own.py'}:score", "concepts": [{"name": "mean"}]},
        }
    )


@pytest.mark.parametrize(
    ("name", "text", "edited"),
    [("own.py", FUNCTION.format(factor=2), "1 *"), ("helper.py", HELPER.format(shift=7), "0")],
)
def test_an_edited_function(
    name: str, text: str, edited: str, continued_as_fresh, small: Config, tmp_path: Path
) -> None:
    """Also within the second of its last change, and with as many characters: Python does not notice that."""
    own_function(small, tmp_path)
    assert edited in (tmp_path / name).read_text(encoding="utf-8")
    said = continued_as_fresh(small, lambda _: keeping_times(tmp_path / name, text.encode()))
    assert "scorer 'own': what its config names at 'target' changed. Done again: synthesize" in said
    assert "of all other scorers stay" in said


def test_an_edited_network(continued_as_fresh, small: Config, tmp_path: Path) -> None:
    """A generator's code is another generator, so all is done again."""
    file = tmp_path / "network.py"
    file.write_text(NETWORK.format(form="sigmoid"), encoding="utf-8")
    small["generator"] = {
        "use": "module",
        "with": {"target": f"{file}:Network", "latent": {"size": 16}, "output": {"range": [0, 1]}},
    }
    small["rescoring"] |= {"layers": ["all"], "groups": None}
    said = continued_as_fresh(
        small,
        lambda _: file.write_text(
            NETWORK.format(form="tanh").replace(").view", ").abs().view"), encoding="utf-8"
        ),
    )
    assert (
        "generator 'module': what its config names at 'target' changed. "
        "Done again: synthesize, learn, rescore, edit, report" in said
    )
    assert "stay" not in said


def rows(value: float) -> bytes:
    return ("index,liked\n" + "".join(f"{i},{(value * i) % 7 / 10:.1f}\n" for i in range(96))).encode()


def test_a_table_replaced_at_its_place(continued_as_fresh, small: Config, tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_bytes(rows(1.0))
    small["scorers"].append({"use": "table", "as": "votes", "with": {"file": str(file)}})
    said = continued_as_fresh(small, lambda _: keeping_times(file, rows(3.0)))
    assert (
        "scorer 'votes': its weights changed; scorer 'votes': what its config names at 'file' changed" in said
    )


def test_a_package_that_was_upgraded(
    continued_as_fresh, small: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganstrata.core.runs.provenance import describe

    version_of = describe.version_of
    upgrade = {"scikit-learn": "99.0"}
    said = continued_as_fresh(
        small,
        lambda _: monkeypatch.setattr(
            describe, "version_of", lambda name: upgrade.get(name) or version_of(name)
        ),
    )
    assert "scikit-learn was " in said
    assert ", is 99.0. Done again: synthesize, learn, rescore, edit, report" in said


def test_a_batch_size_edited_by_hand_mixes_no_pieces(
    fakes, small: Config, tmp_path: Path, contents, worked: list[str]
) -> None:
    small["synthesis"]["batch_size"] = "auto"
    ganstrata.run(small, tmp_path / "run")
    text = json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))
    assert text["batch_size"] == 64
    text["batch_size"] = 16
    (tmp_path / "run/run.json").write_text(sealed_text(text), encoding="utf-8")
    worked.clear()
    continued = ganstrata.run(small, tmp_path / "run")
    assert worked == list(STAGES)
    assert continued.batch == 16
    small["synthesis"]["batch_size"] = 16
    fresh = ganstrata.run(small, tmp_path / "fresh")
    assert (continued.path / "rescoring.csv").read_bytes() == (fresh.path / "rescoring.csv").read_bytes()


def test_a_single_stage_refuses_what_no_longer_stands(fakes, small: Config, tmp_path: Path) -> None:
    own_function(small, tmp_path)
    run = ganstrata.run(small, tmp_path / "run")
    before = (run.path / "run.json").read_bytes()
    (tmp_path / "helper.py").write_text(HELPER.format(shift=3), encoding="utf-8")
    with pytest.raises(
        RunError,
        match=r"scorer 'own': what its config names at 'target' changed; "
        r"the stage `synthesize` must be run again first",
    ):
        resume(run.path, "report", progress=Progress(quiet=True))
    assert (run.path / "run.json").read_bytes() == before


def test_answers_to_what_the_run_was_before_are_named(fakes, small: Config, tmp_path: Path, capsys) -> None:
    run = ganstrata.run(small, tmp_path / "run")
    analyse_run(run.path, AnalysisRequest(), entanglement, "entanglement")
    ganstrata.manipulate(run.path, "seen/red", kinds="strip", seeds="0")
    ganstrata.run(small, tmp_path / "run", quiet=False)
    assert "made from what the run was before" not in capsys.readouterr().err
    fewer(small)
    ganstrata.run(small, tmp_path / "run", quiet=False)
    assert (
        f"analysis/entanglement, manipulations/seen.red.independent in {run.path}: "
        "made from what the run was before" in capsys.readouterr().err
    )


def test_what_stands_on_a_run_refuses_plugins_that_changed(fakes, small: Config, tmp_path: Path) -> None:
    own_function(small, tmp_path)
    run = ganstrata.run(small, tmp_path / "run")
    ganstrata.manipulate(run.path, "seen/red", kinds="strip", seeds="0")
    (tmp_path / "own.py").write_text(FUNCTION.format(factor=5), encoding="utf-8")
    with pytest.raises(RunError, match="scorer 'own': what its config names at 'target' changed"):
        ganstrata.manipulate(run.path, "seen/red", kinds="strip", seeds="0")


def test_files_of_boundaries_that_are_gone_are_gone(fakes, small: Config, tmp_path: Path) -> None:
    run = ganstrata.run(small, tmp_path / "run")
    mine = run.path / "edits/mine.txt"
    mine.write_text("kept", encoding="utf-8")
    assert (run.path / "edits/seen.left.all.png").is_file()
    fewer(small)
    run = ganstrata.run(small, tmp_path / "run")
    assert not (run.path / "edits/seen.left.all.png").exists()
    assert (run.path / "edits/seen.red.all.png").is_file()
    assert mine.is_file()
    assert run.record.leftovers == {}


def test_a_change_that_cannot_begin_keeps_what_is_there(
    fakes, small: Config, tmp_path: Path, contents
) -> None:
    run = ganstrata.run(small, tmp_path / "run")
    before, said = contents(run.path), (run.path / "run.json").read_bytes()
    small["scorers"].append({"use": "fake_unsound"})
    with pytest.raises(GanstrataError, match="gave nan as the score"):
        ganstrata.run(small, tmp_path / "run")
    assert contents(run.path) == before
    assert (run.path / "run.json").read_bytes() == said


PLUGIN = """
import ganstrata
from ganstrata import Concept, hookimpl


class Bright(ganstrata.Scorer):
    concepts = (Concept("bright", "colour", least=None, threshold=None),)

    def score(self, rendering):
        return {factor} * rendering.images.mean(dim=(1, 2, 3))[:, None]


@hookimpl
def ganstrata_register_scorers(register):
    register("bright", "{module}:Bright", "mean of all pixels")
"""


def plugin(site: Path, factor: int, version: str = "0.1", **helpers: str) -> None:
    """A distribution of one package, as pip would have installed it."""
    for left in site.glob("bright*"):
        shutil.rmtree(left)
    package, info = site / "bright_plugin", site / f"bright_plugin-{version}.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text(
        PLUGIN.format(factor=factor, module="bright_plugin"), encoding="utf-8"
    )
    for name, text in helpers.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: bright-plugin\nVersion: {version}\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text("[ganstrata]\nbright = bright_plugin\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"factor": 2}, "scorer 'bright': its source changed"),
        pytest.param(
            {"factor": 1, "version": "0.2"},
            "scorer 'bright': was from bright-plugin 0.1, is from bright-plugin 0.2",
            marks=pytest.mark.full,
        ),
        pytest.param(
            {"factor": 1, "table": "VALUES = (1, 2)\n"},
            "scorer 'bright': its source changed",
            marks=pytest.mark.full,
        ),
    ],
)
def test_a_plugin_that_was_edited_or_upgraded(
    after: Config, words: str, start, small: Config, written, tmp_path: Path, monkeypatch
) -> None:
    site = tmp_path / "third"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ["PYTHONPATH"]]))
    small["scorers"] = [small["scorers"][0], {"use": "bright"}]
    file = written(small)
    texts = []
    for version, out in (({"factor": 1}, "continued"), (after, "continued"), (after, "fresh")):
        plugin(site, **version)
        process = start("run", file, "--out", tmp_path / out)
        texts.append(process.communicate()[1])
        assert process.returncode == 0, texts[-1]
    assert f"{words}. Done again: synthesize, learn, rescore, edit, report" in texts[1]
    continued, fresh = (Run.open(tmp_path / name) for name in ("continued", "fresh"))
    assert continued.record.plugins["scorer bright"] == f"bright-plugin {after.get('version', '0.1')}"
    assert continued.keys == fresh.keys
    assert scores(continued, "bright").tobytes() == scores(fresh, "bright").tobytes()
    for name in ("rescoring.csv", "boundaries.safetensors", "edits/edits.csv"):
        assert (continued.path / name).read_bytes() == (fresh.path / name).read_bytes(), name
