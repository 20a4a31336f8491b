"""`conformance` as a pytest function, expected failures, and `ganstrata plugins check`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fakes import Axes
from ganstrata import Concept, PluginConfig, Scorer, UserError
from ganstrata.testing import check_plugin, checks_of, conformance
from ganstrata.testing.kit import outcome_of
from ganstrata.testing.subject import Subject
from pydantic import Field

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
    expected_failures={"score can be repeated": "it is moody", "pictures are left alone": "a guess"},
)
"""


class Flat(Scorer):
    """A scorer whose scores have one axis only."""

    concepts = (Concept("lightness", "colour"),)

    def score(self, rendering):
        return rendering.images.mean(dim=(1, 2, 3))


class FromFile(Axes):
    """A learner that needs an option."""

    class Config(PluginConfig):
        """The options."""

        file: str = Field(description="a file of weights")


class Louder(Axes):
    """A learner with an option."""

    class Config(PluginConfig):
        volume: int = 1


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
    skipped = ("missing file is named", "feature maps lead back to pictures")
    for name in names:
        assert f"PASSED test_mine.py::test_mine[{name}]" in report or name in skipped


def test_a_failing_case_says_what_to_change(report: str) -> None:
    assert "FAILED test_mine.py::test_moody[global random state is untouched]" in report
    assert "global random state is untouched: scorer test_mine.Moody draws from or seeds torch's" in report


def test_expected_failures_are_strict(report: str) -> None:
    assert "XFAIL test_mine.py::test_moody[score can be repeated] - it is moody" in report
    assert "FAILED test_mine.py::test_moody[pictures are left alone]" in report
    assert "[XPASS(strict)] a guess" in report


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"score is repeated": "why"}, "Did you mean 'score can be repeated'"),
        ({"score can be repeated": " "}, "needs a reason"),
    ],
)
def test_expected_failures_name_checks_and_reasons(names: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        conformance("scorer", "hue", expected_failures=names)


def test_a_class_of_another_kind_is_refused() -> None:
    with pytest.raises(UserError, match=r"dict is not a subclass of ganstrata\.Scorer"):
        check_plugin("scorer", dict)
    with pytest.raises(UserError, match="no checks for the kind 'learner', only for generator"):
        checks_of("learner")


def test_options_that_are_wrong_are_told_as_in_a_run() -> None:
    first, *others = check_plugin("scorer", "hue", {"softt": True})
    assert first.verdict == "failed"
    assert "Did you mean 'soft'?" in first.message
    assert {outcome.verdict for outcome in others} == {"not judged"}


def test_the_command_prints_a_line_per_promise(invoke) -> None:
    result = invoke("plugins", "check", "hue")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ok      declarations are complete: It is built")
    assert re.fullmatch(r"1[12] of 14 checks passed; 0 failed, [23] skipped, 0 not judged\.", lines[-1])


def test_the_command_takes_options_and_files(invoke, tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text("generator: {use: auto}\nscorers: [{use: hue, with: {soft: 7}}]\n", encoding="utf-8")
    alone = tmp_path / "hue.yaml"
    alone.write_text("soft: true\n", encoding="utf-8")
    wrong = invoke("plugins", "check", "hue", "--config", str(run))
    assert wrong.exit_code == 1
    assert "FAILED  declarations are complete" in wrong.stdout
    assert wrong.stdout.count("soft") == wrong.stdout.count("FAILED") == 1
    assert "0 of 14 checks passed; 1 failed, 0 skipped, 13 not judged." in wrong.stdout
    assert "soft" in wrong.stdout
    assert invoke("plugins", "check", "hue", "--config", str(run), "--set", "soft=true").exit_code == 0
    assert invoke("plugins", "check", "hue", "--config", str(alone)).exit_code == 0
    run.write_text("generator: 5\nscorers: 7\nboundary: {use: ridge, with: [1]}\n", encoding="utf-8")
    strange = invoke("plugins", "check", "ridge", "--config", str(run))
    assert (strange.exit_code, "must be a mapping of options" in strange.stderr) == (2, True)
    run.write_text("scorers: [{use: hue}]\n", encoding="utf-8")
    other = invoke("plugins", "check", "ridge", "--config", str(run))
    assert (other.exit_code, "does not use 'ridge' in `boundary`" in other.stderr) == (2, True)


def test_a_config_gives_the_options_of_the_section_of_the_kind(invoke, register, tmp_path: Path) -> None:
    register("boundary", "hue", Louder)
    run = tmp_path / "run.yaml"
    run.write_text(
        "scorers: [{use: hue, with: {soft: 7}}]\nboundary: {use: hue, with: {volume: 3}}\n", encoding="utf-8"
    )
    unclear = invoke("plugins", "check", "hue", "--config", str(run))
    assert (unclear.exit_code, "give --kind scorer or --kind boundary" in unclear.stderr) == (2, True)
    learner = invoke("plugins", "check", "hue", "--config", str(run), "--kind", "boundary")
    assert "ok      declarations are complete" in learner.stdout
    scorer = invoke("plugins", "check", "hue", "--config", str(run), "--kind", "scorer")
    assert "FAILED  declarations are complete" in scorer.stdout


def test_a_plugin_that_several_scorers_use_is_chosen_by_its_alias(invoke, tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text(
        "scorers: [{use: hue, as: hard}, {use: hue, as: odd, with: {soft: 7}}, {use: hue}]\n",
        encoding="utf-8",
    )
    check = ("plugins", "check", "hue", "--config", str(run))
    unclear = invoke(*check)
    assert unclear.exit_code == 2
    assert "has 3 scorers that use 'hue': hard, odd, hue; choose one with --as ALIAS" in unclear.stderr
    assert invoke(*check, "--as", "hard").exit_code == invoke(*check, "--as", "hue").exit_code == 0
    assert "soft" in invoke(*check, "--as", "odd").stdout
    wrong = invoke(*check, "--as", "soft")
    assert (wrong.exit_code, "has no scorer 'soft' that uses 'hue'" in wrong.stderr) == (2, True)
    assert "give --config FILE too" in invoke("plugins", "check", "hue", "--as", "hard").stderr


def test_a_generator_that_the_checkpoint_decides_is_recognised(invoke, tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text(
        "generator: {use: auto, with: {checkpoint: 'bundled:rooms', psi: seven}}\n", encoding="utf-8"
    )
    result = invoke("plugins", "check", "stylegan2", "--config", str(run))
    assert (result.exit_code, "with -> psi" in result.stdout) == (1, True), result.stdout
    assert "in `generator`, but auto" in invoke("plugins", "check", "pggan", "--config", str(run)).stderr


def test_the_command_prints_json(invoke) -> None:
    rows = json.loads(invoke("plugins", "check", "hue", "--json").stdout)
    assert {"name", "promise", "verdict", "message", "because"} == set(rows[0])
    assert [row["name"] for row in rows] == [check.name for check in checks_of("scorer")]


def test_one_mistake_is_told_once_with_the_checks_that_it_spoils(invoke, register) -> None:
    register("scorer", "flat", Flat)
    result = invoke("plugins", "check", "flat")
    assert result.exit_code == 1
    assert result.stdout.count("FAILED") == result.stdout.count("return scores[:, None]") == 1
    named = re.search(r"Not judged because of this: (.*)\.\n", result.stdout)[1]
    assert "score can be repeated, order does not change a score" in named
    assert result.stdout.count("order does not change a score") == 1
    rows = {row["name"]: row for row in json.loads(invoke("plugins", "check", "flat", "--json").stdout)}
    assert rows["score can be repeated"]["because"] == "scores are a table"


def test_a_known_failure_hides_no_other() -> None:
    subject = Subject("scorer", Flat)
    checks = {check.name: check for check in checks_of("scorer")}
    repeated = checks["score can be repeated"]
    assert outcome_of(repeated, subject).because == "scores are a table"
    assert outcome_of(repeated, subject, {"score can be repeated"}).verdict == "failed"
    known = {"scores are a table", "pictures are left alone", "global random state is untouched"}
    assert outcome_of(repeated, subject, known).verdict == "failed"


def test_an_unknown_name_is_told_with_the_nearest(invoke) -> None:
    result = invoke("plugins", "check", "hu")
    assert (result.exit_code, "Did you mean 'hue'?" in result.stderr) == (2, True)


@pytest.mark.full  # under -O Python compiles all packages anew
def test_a_plugin_that_cannot_be_built_fails_one_case_and_the_others_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        MINE.partition("class Moody")[0] + "test_mine = conformance('scorer', Mine, {'size': 3})\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-O", "-m", "pytest", "-rA", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert "1 failed, 13 skipped" in done.stdout  # under -O, which drops assertions
    assert "SKIPPED [13]" in done.stdout
    assert "the check 'declarations are complete' fails, on which this one rests" in done.stdout
    assert "size: is not an option" in done.stdout


def test_the_stand_in_device_is_there_during_a_check_alone() -> None:
    before = torch.accelerator.is_available()
    check_plugin("scorer", "hue")
    assert torch.accelerator.is_available() == before
    with torch.random.fork_rng():
        torch.manual_seed(1)


def test_the_check_says_how_to_give_a_required_option(invoke, register) -> None:
    register("boundary", "from_file", FromFile)
    result = invoke("plugins", "check", "from_file")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "          with -> file: is missing (a file of weights)" in lines
    assert lines[-1] == ("A required option is missing: give it with `--set file=...` or `--config FILE`.")
    assert "A required option" not in invoke("plugins", "check", "from_file", "--set", "file=x").stdout


def test_outcomes_are_shown_in_short() -> None:
    first, *_ = check_plugin("scorer", "hue")
    assert repr(first) == "<Outcome ok: declarations are complete>"
    assert repr(first.check) == "<Check of a scorer: declarations are complete>"


def test_a_class_with_a_wrong_config_fails_a_check() -> None:
    class Plain(Scorer):
        Config = dict  # type: ignore[assignment]

        def score(self, rendering):
            return rendering.images

    ended = {o.check.name: o for o in check_plugin("scorer", Plain)}
    assert ended["declarations are complete"].verdict == "failed"
    assert "ganstrata.PluginConfig" in ended["declarations are complete"].message
    assert {o.verdict for o in ended.values()} == {"failed", "not judged"}
