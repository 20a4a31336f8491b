"""A run continued after code, a file or a package changed equals one that had the change from the start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ganstrata
import pytest
from ganstrata.core.errors import RunError
from ganstrata.core.pipeline.perform import resume
from ganstrata.core.probing.stage import open_samples
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run

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
    name: str, text: str, edited: str, continued_as_fresh, compact: Config, tmp_path: Path
) -> None:
    """Even within one second and with equal size, which Python's byte code cache does not notice."""
    own_function(compact, tmp_path)
    assert edited in (tmp_path / name).read_text(encoding="utf-8")
    stderr = continued_as_fresh(compact, lambda _: keeping_times(tmp_path / name, text.encode()))
    assert "scorer 'own': what its config names at 'target' changed. Done again: synthesize" in stderr
    assert "of all other scorers stay" in stderr


def test_an_edited_network(continued_as_fresh, compact: Config, tmp_path: Path) -> None:
    """A generator with other code is another generator, so everything is computed again."""
    file = tmp_path / "network.py"
    file.write_text(NETWORK.format(form="sigmoid"), encoding="utf-8")
    compact["generator"] = {
        "use": "module",
        "with": {"target": f"{file}:Network", "latent": {"size": 16}, "output": {"range": [0, 1]}},
    }
    compact["rescoring"] |= {"layers": ["all"], "groups": None}
    stderr = continued_as_fresh(
        compact,
        lambda _: file.write_text(
            NETWORK.format(form="tanh").replace(").view", ").abs().view"), encoding="utf-8"
        ),
    )
    assert (
        "generator 'module': what its config names at 'target' changed. "
        "Done again: synthesize, learn, rescore, edit, report" in stderr
    )
    assert "stay" not in stderr


def rows(value: float) -> bytes:
    return ("index,liked\n" + "".join(f"{i},{(value * i) % 7 / 10:.1f}\n" for i in range(96))).encode()


def test_a_table_replaced_at_its_place(continued_as_fresh, compact: Config, tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_bytes(rows(1.0))
    compact["scorers"].append({"use": "table", "as": "votes", "with": {"file": str(file)}})
    stderr = continued_as_fresh(compact, lambda _: keeping_times(file, rows(3.0)))
    assert (
        "scorer 'votes': its weights changed; scorer 'votes': what its config names at 'file' changed"
        in stderr
    )


def test_a_package_that_was_upgraded(
    continued_as_fresh, compact: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganstrata.core.runs.provenance import describe

    version_of = describe.version_of
    upgrade = {"scikit-learn": "99.0"}
    stderr = continued_as_fresh(
        compact,
        lambda _: monkeypatch.setattr(
            describe, "version_of", lambda name: upgrade.get(name) or version_of(name)
        ),
    )
    assert "scikit-learn was " in stderr
    assert ", is 99.0. Done again: synthesize, learn, rescore, edit, report" in stderr


def test_a_single_stage_refuses_what_no_longer_stands(fakes, compact: Config, tmp_path: Path) -> None:
    own_function(compact, tmp_path)
    run = ganstrata.run(compact, tmp_path / "run")
    before = (run.path / "run.json").read_bytes()
    (tmp_path / "helper.py").write_text(HELPER.format(shift=3), encoding="utf-8")
    with pytest.raises(
        RunError,
        match=r"scorer 'own': what its config names at 'target' changed; "
        r"the stage `synthesize` must be run again first",
    ):
        resume(run.path, "report", progress=Progress(quiet=True))
    assert (run.path / "run.json").read_bytes() == before


def test_what_stands_on_a_run_refuses_plugins_that_changed(fakes, compact: Config, tmp_path: Path) -> None:
    own_function(compact, tmp_path)
    run = ganstrata.run(compact, tmp_path / "run")
    ganstrata.manipulate(run.path, "seen/red", kinds="strip", seeds="0")
    (tmp_path / "own.py").write_text(FUNCTION.format(factor=5), encoding="utf-8")
    with pytest.raises(RunError, match="scorer 'own': what its config names at 'target' changed"):
        ganstrata.manipulate(run.path, "seen/red", kinds="strip", seeds="0")


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


RUNS = """
import sys
import ganstrata

for out in sys.argv[2:]:
    ganstrata.run(sys.argv[1], out, quiet=False)
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
    after: Config, words: str, fakes, compact: Config, written, tmp_path: Path, monkeypatch
) -> None:
    """In processes of their own, which have not imported the plugin as it was."""
    site = tmp_path / "third"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ["PYTHONPATH"]]))
    compact["scorers"] = [compact["scorers"][0], {"use": "bright"}]
    file = written(compact)
    texts = []
    for version, outs in (({"factor": 1}, ["continued"]), (after, ["continued", "fresh"])):
        plugin(site, **version)
        command = [sys.executable, "-c", RUNS, file, *(tmp_path / out for out in outs)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        texts.append(done.stderr)
        assert done.returncode == 0, texts[-1]
    assert f"{words}. Done again: synthesize, learn, rescore, edit, report" in texts[1]
    continued, fresh = (Run.open(tmp_path / name) for name in ("continued", "fresh"))
    assert continued.record.plugins["scorer bright"] == f"bright-plugin {after.get('version', '0.1')}"
    assert continued.keys == fresh.keys
    ours, theirs = (open_samples(run).read("scores/bright") for run in (continued, fresh))
    assert ours.tobytes() == theirs.tobytes()
    for name in ("rescoring.csv", "boundaries.safetensors", "edits/edits.csv"):
        assert (continued.path / name).read_bytes() == (fresh.path / name).read_bytes(), name
