"""`conformance` as a pytest function, expected failures, and `ganstrata plugins check`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ganstrata import UserError
from ganstrata.testing import check_plugin, checks_of, conformance

MINE = """
import torch
from ganstrata import Concept, Scorer
from ganstrata.testing import conformance


class Mine(Scorer):
    concepts = (Concept("lightness", "colour"),)

    def score(self, rendering):
        return rendering.images.mean(dim=(1, 2, 3))[:, None]


class Moody(Mine):
    def score(self, rendering):
        return super().score(rendering) + torch.rand(1)


test_mine = conformance("scorer", Mine)
test_moody = conformance(
    "scorer",
    Moody,
    expected_failures={"score_can_be_repeated": "it is moody", "pictures_are_left_alone": "a guess"},
)
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of a third party's test file with one line for each plugin."""
    folder = tmp_path_factory.mktemp("third")
    (folder / "test_mine.py").write_text(MINE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:randomly", "-p", "no:cacheprovider", "."]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    ).stdout


def test_one_line_gives_a_case_for_every_promise(report: str) -> None:
    names = [check.name for check in checks_of("scorer")]
    skipped = "missing_file_is_named"
    for name in names:
        word = "SKIPPED" if name == skipped else "PASSED"
        assert f"{word} test_mine.py::test_mine[{name}]" in report or name == skipped


def test_a_failing_case_says_what_to_change(report: str) -> None:
    assert "FAILED test_mine.py::test_moody[global_random_state_is_untouched]" in report
    assert "global_random_state_is_untouched: scorer test_mine.Moody draws from or seeds torch's" in report


def test_expected_failures_are_strict(report: str) -> None:
    assert "XFAIL test_mine.py::test_moody[score_can_be_repeated] - it is moody" in report
    assert "FAILED test_mine.py::test_moody[pictures_are_left_alone]" in report
    assert "[XPASS(strict)] a guess" in report


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"score_is_repeated": "why"}, "Did you mean 'score_can_be_repeated'"),
        ({"score_can_be_repeated": " "}, "needs a reason"),
    ],
)
def test_expected_failures_name_checks_and_reasons(names: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        conformance("scorer", "hue", expected_failures=names)


def test_a_class_of_another_kind_is_refused() -> None:
    with pytest.raises(UserError, match=r"must inherit from ganstrata\.Scorer"):
        check_plugin("scorer", dict)
    with pytest.raises(UserError, match="no kind of plugin 'learner'"):
        checks_of("learner")


def test_options_that_are_wrong_are_told_as_in_a_run() -> None:
    first, *others = check_plugin("scorer", "hue", {"softt": True})
    assert first.verdict == "failed"
    assert "Did you mean 'soft'?" in first.message
    assert {outcome.verdict for outcome in others} == {"skipped"}


def test_the_command_prints_a_line_per_promise(invoke) -> None:
    result = invoke("plugins", "check", "hue")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ok      declarations_are_complete: It is built")
    assert re.fullmatch(r"1[12] of 13 checks passed, 0 failed, [12] do not apply\.", lines[-1])


def test_the_command_takes_options_and_files(invoke, tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text("generator: {use: auto}\nscorers: [{use: hue, with: {soft: 7}}]\n", encoding="utf-8")
    alone = tmp_path / "hue.yaml"
    alone.write_text("soft: true\n", encoding="utf-8")
    wrong = invoke("plugins", "check", "hue", "--config", str(run))
    assert wrong.exit_code == 1
    assert "FAILED  declarations_are_complete" in wrong.stdout
    assert "soft" in wrong.stdout
    assert invoke("plugins", "check", "hue", "--config", str(run), "--set", "soft=true").exit_code == 0
    assert invoke("plugins", "check", "hue", "--config", str(alone)).exit_code == 0
    run.write_text("generator: 5\nscorers: 7\nboundary: {use: ridge, with: [1]}\n", encoding="utf-8")
    strange = invoke("plugins", "check", "ridge", "--config", str(run))
    assert (strange.exit_code, "must be a mapping of options" in strange.stderr) == (2, True)
    run.write_text("scorers: [{use: hue}]\n", encoding="utf-8")
    other = invoke("plugins", "check", "ridge", "--config", str(run))
    assert (other.exit_code, "does not use 'ridge'" in other.stderr) == (2, True)


def test_the_command_prints_json(invoke) -> None:
    rows = json.loads(invoke("plugins", "check", "hue", "--json").stdout)
    assert {"name", "promise", "verdict", "message"} == set(rows[0])
    assert [row["name"] for row in rows] == [check.name for check in checks_of("scorer")]


def test_an_unknown_name_is_told_with_the_nearest(invoke) -> None:
    result = invoke("plugins", "check", "hu")
    assert (result.exit_code, "Did you mean 'hue'?" in result.stderr) == (2, True)


def test_the_stand_in_device_is_there_during_a_check_alone() -> None:
    before = torch.accelerator.is_available()
    check_plugin("scorer", "hue")
    assert torch.accelerator.is_available() == before
    with torch.random.fork_rng():
        torch.manual_seed(1)
