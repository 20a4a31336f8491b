"""Ten plugins, of which one sleeps at its import: the help imports none, and the slow one is named."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ASLEEP = 1.5  # seconds
MODULE = """
from ganstrata import hookimpl


@hookimpl
def ganstrata_register_scorers(register):
    register("{name}", "{name}:Nothing", "nothing")
"""


def distribution(site: Path, name: str, text: str, requires: str = "ganstrata") -> None:
    """Install a module as pip would, as a distribution with one entry point."""
    (site / f"{name}.py").write_text(text, encoding="utf-8")
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: {requires}\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(f"[ganstrata]\n{name} = {name}\n", encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Ten distributions, of which `sleepy` sleeps at its import."""
    for i in range(9):
        distribution(tmp_path, f"plugin_{i}", MODULE.format(name=f"plugin_{i}"))
    distribution(tmp_path, "sleepy", f"import time\ntime.sleep({ASLEEP})\n{MODULE.format(name='sleepy')}")
    return tmp_path


def ganstrata(site: Path, *arguments: str, **more: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a command with these distributions; return it with the processor time it took, in seconds."""
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    line = [sys.executable, "-m", "ganstrata.cli.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": path, **more}
    before = processor_time()
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    return done, processor_time() - before


def processor_time() -> float:
    """Processor time of all finished children, which other programs lengthen less than wall time."""
    times = os.times()
    return times.children_user + times.children_system


def test_help_imports_no_plugin(site: Path) -> None:
    done, _ = ganstrata(site, "--help", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not {"sleepy", "plugin_0", "torch", "pluggy"} & imported


@pytest.mark.full
def test_help_is_quick(site: Path) -> None:
    """In processor time, the least of five."""
    assert min(ganstrata(site, "--help")[1] for _ in range(5)) < 0.4


def test_the_help_of_analyses_imports_no_analysis_and_no_torch(tmp_path: Path) -> None:
    distribution(
        tmp_path,
        "angles",
        MODULE.format(name="angles").replace("scorers", "analyses").replace("angles:", "the_classes:"),
    )
    (tmp_path / "the_classes.py").write_text("import torch\n", encoding="utf-8")
    done, _ = ganstrata(tmp_path, "analysis", "--help", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert re.search(r"^  angles +Nothing\.$", done.stdout, re.MULTILINE)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert "torch" not in imported


def test_the_list_has_listeners(tmp_path: Path) -> None:
    source = "from ganstrata import hookimpl\n@hookimpl\ndef ganstrata_stage_finished(stage): ...\n"
    distribution(tmp_path, "their_log", source)
    done, _ = ganstrata(tmp_path, "plugins", "list", GANSTRATA_PLUGINS="their_log")
    assert done.stdout.endswith("Listeners:\n  their_log  stages finished  [their_log 1.0]\n")
    done, _ = ganstrata(tmp_path, "plugins", "list", "--json", GANSTRATA_PLUGINS="their_log")
    assert json.loads(done.stdout)["listeners"] == [
        {"entry_point": "their_log", "distribution": "their_log 1.0", "stages": ["finished"]}
    ]


def test_what_an_analysis_needs_imports_no_scipy() -> None:
    code = (
        "import sys; from ganstrata import Analysis, AnalysisResult, PluginConfig, Table; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = done.stdout.split()
    assert "ganstrata.core.analyses.result" in imported
    assert "scipy" not in imported


@pytest.mark.parametrize(
    "command", [("plugins", "show", "hue"), pytest.param(("plugins", "list"), marks=pytest.mark.full)]
)
def test_a_slow_plugin_is_named_once_by_every_command_that_imports_it(
    command: tuple[str, ...], site: Path
) -> None:
    done, _ = ganstrata(site, *command)
    assert done.returncode == 0
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("Slow: sleepy 1.0 ")]
    assert "GANSTRATA_PLUGINS=-sleepy" in note


def test_the_list_says_how_long_a_slow_plugin_took(site: Path) -> None:
    done, _ = ganstrata(site, "plugins", "list", "--json")
    (slow,) = [row for row in json.loads(done.stdout)["slow"] if row["entry_point"] == "sleepy"]
    assert slow["distribution"] == "sleepy 1.0"
    assert slow["seconds"] > ASLEEP - 0.1


def test_a_quiet_command_names_no_slow_plugin(site: Path) -> None:
    done, _ = ganstrata(site, "run", "absent.yaml", "--quiet")
    assert done.returncode == 2
    assert "Slow: " not in done.stderr


def test_only_what_a_plugin_imports_besides_torch_is_counted(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import time\ntime.sleep(1.2)\n", encoding="utf-8")
    distribution(tmp_path, "first", f"import torch\n{MODULE.format(name='first')}")
    distribution(tmp_path, "later", f"import time, torch\ntime.sleep(1.1)\n{MODULE.format(name='later')}")
    done, _ = ganstrata(tmp_path, "plugins", "list", "--json", GANSTRATA_PLUGINS="first")
    assert json.loads(done.stdout)["slow"] == []
    done, _ = ganstrata(tmp_path, "plugins", "list", "--json", GANSTRATA_PLUGINS="later")
    (slow,) = json.loads(done.stdout)["slow"]
    assert slow["entry_point"] == "later"
    assert 1.0 < slow["seconds"] < 2.2


def test_a_slow_plugin_that_is_left_out_is_not_imported(site: Path) -> None:
    done, _ = ganstrata(site, "plugins", "list", GANSTRATA_PLUGINS="-sleepy")
    assert "plugin_0" in done.stdout
    assert "sleepy" not in done.stdout + done.stderr


def test_a_plugin_for_a_newer_ganstrata_is_refused_by_name_and_not_imported(tmp_path: Path) -> None:
    distribution(tmp_path, "eager", "raise SystemExit('imported')", requires="ganstrata>=99")
    distribution(tmp_path, "other", MODULE.format(name="other"), requires="ganstrata>=99; extra == 'x'")
    done, _ = ganstrata(tmp_path, "plugins", "list")
    assert done.returncode == 0
    assert "Broken: eager from eager 1.0" in done.stderr
    assert "it is written for ganstrata >=99, and this is " in done.stderr
    assert "install a release of the plugin for this version, or another ganstrata (`pip" in done.stderr
    assert "[other 1.0]" in done.stdout
