"""Real distributions of third parties, installed with pip.

They make a run, and broken or clashing ones spoil no other.

tests/guests holds one folder per distribution; each plugin has less than 40 lines.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from distributions import install
from ganstrata.cli.main import main
from ganstrata.core.plugins.registry import registry

GUESTS = Path(__file__).parent / "guests"
GOOD, BAD = ("stripes", "contrast", "axis", "angles", "tally"), ("broken", "clash", "namesake")
CONFIG = """
generator: {use: stripes, with: {size: 8}}
scorers: [{use: contrast, as: seen}]
boundary: {use: median_split}
synthesis: {samples: 200, seed: 1, batch_size: 50}
rescoring: {samples: 32, layers: [all, each], null_directions: 8, bootstrap: 200}
editing: {samples: 2, steps: 3}
report: {samples: 4}
device: cpu
engine: {workers: 1}
"""
EXTENSIONS = {
    "analysis angles out --set top=1": "seen/bright and seen/striped are the closest.",
    "analysis --help": "Angles between boundaries.",
    "tally out out": "out: 200\nout: 200\n",
    "tally --help": "Count the samples of RUNS.",
    "plugins show angles": "ganstrata analysis angles runs/rooms",
    "plugins show tally": "tally: command, count the samples of runs",
}
"""Commands of guests, with words of their output."""


class Done(NamedTuple):
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


def commands(site: Path, folder: Path) -> Command:
    """ganstrata(...) is the command line with the guests of a folder, in this process.

    Nothing of the guests is known before a command, nor after it.
    """

    def call(*arguments: str, **environment: str) -> Done:
        known = set(sys.modules)
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("GANSTRATA_")]:
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.chdir(folder)
            patch.syspath_prepend(site)
            registry.cache_clear()
            result = CliRunner().invoke(main, arguments)
        registry.cache_clear()
        for name in set(sys.modules) - known:
            if name.startswith("guest_"):
                del sys.modules[name]
        return Done(result.exit_code, result.stdout, result.stderr)

    return call


def processes(site: Path, folder: Path) -> Command:
    """The same, in a process of its own."""

    def call(*arguments: str, **environment: str) -> Done:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GANSTRATA_")}
        path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
        line = [sys.executable, "-m", "ganstrata.cli.main", *arguments]
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env={**inherited, "PYTHONPATH": path, **environment},
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install([GUESTS / name for name in (*GOOD, *BAD)], tmp_path_factory.mktemp("guests"))


@pytest.fixture
def ganstrata(site: Path, tmp_path: Path) -> Command:
    (tmp_path / "run.yaml").write_text(CONFIG)
    return commands(site, tmp_path)


@pytest.mark.parametrize("name", [*GOOD, "clash"])
def test_a_plugin_is_small(name: str) -> None:
    (module,) = (GUESTS / name).glob("*.py")
    assert len(module.read_text().splitlines()) < 40


@pytest.fixture(scope="module")
def finished(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run by the guests, `out`, also with the broken and the clashing ones installed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "run.yaml").write_text(CONFIG)
    done = processes(site, folder)("run", "run.yaml", "--out", "out")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_generator_a_scorer_and_a_learner_make_a_run_to_the_end(finished: Path) -> None:
    assert (finished / "out/report.html").stat().st_size > 10_000
    manifest = json.loads((finished / "out/run.json").read_text())
    assert manifest["plugins"] == {
        "generator stripes": "ganstrata-guest-stripes 0.3",
        "scorer contrast": "ganstrata-guest-contrast 1.0",
        "boundary median_split": "ganstrata-guest-axis 2.1",
    }
    with (finished / "out/rescoring.csv").open() as file:
        effect = {
            (r["boundary"], r["layers"], r["concept"]): float(r["mean"])
            for r in csv.DictReader(file)
            if float(r["step"]) > 0.0
        }
    for concept, layer, other in (("seen/bright", "0", "1"), ("seen/striped", "1", "0")):
        assert effect[concept, layer, concept] > 0.1, "what the generator puts there is found there"
        assert abs(effect[concept, other, concept]) < 1e-6
        assert effect[concept, "all", concept] == pytest.approx(effect[concept, layer, concept], abs=1e-5)


@pytest.mark.full
def test_a_listener_hears_every_stage_once(finished: Path, site: Path) -> None:
    stages = ("synthesize", "learn", "rescore", "edit", "report")
    heard = [line for s in stages for line in (f"started {s}", f"finished {s} True")]
    assert (finished / "heard.txt").read_text().splitlines() == heard
    again = commands(site, finished)("run", "run.yaml", "--out", "out")
    assert again.returncode == 0
    assert "was done before" in again.stdout + again.stderr
    assert (finished / "heard.txt").read_text().splitlines() == heard


@pytest.mark.parametrize("command", EXTENSIONS)
def test_analyses_and_commands_of_guests_are_there(command: str, finished: Path, site: Path) -> None:
    done = commands(site, finished)(*command.split())
    assert done.returncode == 0, done.stderr
    assert EXTENSIONS[command] in done.stdout


def test_an_analysis_of_a_guest_is_written_into_the_run(finished: Path, site: Path) -> None:
    done = commands(site, finished)("analysis", "angles", "out", "--set", "top=1")
    assert done.returncode == 0, done.stderr
    folder = finished / "out/analysis/angles"
    table = (folder / "angles.csv").read_text().splitlines()
    assert table[0] == "degrees,first,second"
    assert table[1].endswith(",seen/bright,seen/striped")
    assert json.loads((folder / "angles.json").read_text())["asked"] == {"top": 1}


def test_mistakes_with_extensions_of_guests_are_named(finished: Path, site: Path) -> None:
    ganstrata = commands(site, finished)
    refused = ganstrata("analysis", "angles", "out", "--set", "tops=1")
    assert refused.returncode == 2
    assert "tops: is not an option of analysis 'angles'" in refused.stderr
    failed = ganstrata("tally", "out", "--fail")
    assert failed.returncode == 1
    assert "command 'tally' from ganstrata-guest-tally 0.4 failed in the command" in failed.stderr
    assert "RuntimeError: the tally is lost" in failed.stderr
    assert "guest_tally.py:14" in failed.stderr


@pytest.mark.parametrize("start", [commands, processes])
def test_the_list_shows_guests_beside_built_ins_and_what_is_wrong(
    start: Callable[[Path, Path], Command], site: Path, tmp_path: Path
) -> None:
    done = start(site, tmp_path)("plugins", "list")
    assert done.returncode == 0
    for words in (
        "pictures with stripes  [ganstrata-guest-stripes 0.3]",
        "[ganstrata-guest-contrast 1.0]",
        "[ganstrata-guest-axis 2.1]",
    ):
        assert words in done.stdout
    assert "stylegan2" in done.stdout
    assert "Clash: scorer 'hue' is registered by ganstrata " in done.stderr
    assert " and ganstrata-guest-clash 0.2" in done.stderr
    assert "Broken: broken from ganstrata-guest-broken 0.1" in done.stderr
    assert "No module named 'a_library_that_nobody_has'" in done.stderr
    assert "guest_broken.py:3" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_list_is_json_too(ganstrata: Command) -> None:
    content = json.loads(ganstrata("plugins", "list", "--json").stdout)
    assert {"stripes", "contrast", "median_split", "stylegan2"} <= {
        info["name"] for info in content["plugins"]
    }
    assert sorted(
        info["distribution"].split()[0] for info in content["plugins"] if info["name"] == "hue"
    ) == [
        "ganstrata",
        "ganstrata-guest-clash",
    ]
    assert {(row["entry_point"], row["distribution"]) for row in content["broken"]} == {
        ("broken", "ganstrata-guest-broken 0.1"),
        ("namesake", "ganstrata-guest-namesake 0.1"),
    }
    assert {row["reason"].partition(":")[0] for row in content["broken"]} == {
        "ModuleNotFoundError",
        "ValueError",
    }
    assert "no command can be called 'run': ganstrata has one of this name" in str(content["broken"])
    assert "no analysis can be called 'ranking': ganstrata has one of this name" in str(content["broken"])


def test_show_describes_a_third_party_plugin(ganstrata: Command, site: Path) -> None:
    done = ganstrata("plugins", "show", "stripes")
    assert done.returncode == 0
    assert (
        f"from ganstrata-guest-stripes 0.3, guest_stripes.Stripes\n  in {site / 'guest_stripes.py'}\n"
        in done.stdout
    )
    (size,) = [line for line in done.stdout.splitlines() if line.startswith("    size ")]
    assert " whole number" in size
    assert size.endswith(" width and height in pixels")
    (record,) = json.loads(ganstrata("plugins", "show", "stripes", "--json").stdout)
    assert record["options"][0]["default"] == 8
    assert record["example"] == "generator:\n  use: stripes"


def test_asking_for_the_broken_one_says_why(ganstrata: Command) -> None:
    for done in (
        ganstrata("plugins", "show", "broken"),
        ganstrata("run", "run.yaml", "--out", "out", "--set", "generator.use=broken"),
    ):
        assert done.returncode in (1, 2)
        assert "comes from ganstrata-guest-broken 0.1, which does not load" in done.stderr
        assert "No module named 'a_library_that_nobody_has'" in done.stderr
        assert "Traceback" not in done.stderr


def test_asking_for_the_clashing_name_is_refused_and_can_be_decided(
    ganstrata: Command, tmp_path: Path
) -> None:
    done = ganstrata("run", "run.yaml", "--out", "out", "--set", "scorers.0={use: hue}")
    assert done.returncode == 2
    assert "Two scorers are called 'hue': ganstrata " in done.stderr
    assert "ganstrata-guest-clash 0.2 (guest_clash:OtherHue)" in done.stderr
    assert not (tmp_path / "out").exists()
    assert "GANSTRATA_PLUGINS=-ganstrata-guest-clash" in done.stderr, "the built-in one has a way out"
    shown = ganstrata("plugins", "show", "hue", GANSTRATA_PLUGINS="-ganstrata-guest-clash")
    assert shown.returncode == 0
    assert "ganstrata.plugins.scorers.hue" in shown.stdout
    shown = ganstrata("plugins", "show", "hue", GANSTRATA_PLUGINS="clash")
    assert "guest_clash.OtherHue" in shown.stdout


def test_plugins_that_are_not_used_are_not_loaded(ganstrata: Command) -> None:
    done = ganstrata("plugins", "list", GANSTRATA_PLUGINS="builtin_scorers,ganstrata-guest-axis")
    assert "median_split" in done.stdout
    assert "hue" in done.stdout
    assert "stripes" not in done.stdout
    assert "stylegan2" not in done.stdout
    assert done.stderr == ""


def test_a_name_to_leave_out_that_is_not_installed_is_an_error(ganstrata: Command) -> None:
    done = ganstrata("plugins", "list", GANSTRATA_PLUGINS="-ganstrata-guest-claash")
    assert done.returncode == 2
    assert "Did you mean 'ganstrata-guest-clash'?" in done.stderr
    assert "Installed: angles, axis, broken," in done.stderr


def test_trace_prints_the_hooks_that_are_called(ganstrata: Command) -> None:
    done = ganstrata("plugins", "list", GANSTRATA_TRACE="1", GANSTRATA_PLUGINS="stripes")
    assert "hook ganstrata_register_generators(register=" in done.stderr


def test_a_misspelt_plugin_gets_a_hint_and_the_broken_one_is_mentioned(ganstrata: Command) -> None:
    done = ganstrata("run", "run.yaml", "--out", "out", "--set", "boundary.use=median_splt")
    assert done.returncode == 2
    assert "No boundary learner named 'median_splt'. Did you mean 'median_split'?" in done.stderr
    assert "Broken and not loaded: broken from ganstrata-guest-broken 0.1: " in done.stderr
    done = ganstrata("run", "run.yaml", "--out", "out", "--set", "generator.with.sizes=8")
    assert (
        "generator -> with -> sizes: is not an option of 'stripes' (from ganstrata-guest-stripes 0.3). "
        "Did you mean 'size'?" in done.stderr
    )
