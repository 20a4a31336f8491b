"""Results of analyses of plugins: what is written, and what is refused as the plugin's mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
from ganstrata import AnalysisResult, PluginConfig, Table
from ganstrata.core.analyses.plugin_result import PNG, check_result, computed_otherwise
from ganstrata.core.errors import PluginBroken
from ganstrata.core.figures.figure import Figure
from ganstrata.core.figures.svg import Canvas
from ganstrata.core.plugins.registry import registry
from pydantic import Field

TABLE = Table(("concept", "sd"), [("seen/red", np.float64(0.5)), ("seen/left", None)])


def figure(name: str) -> Figure:
    return Figure(name, Canvas(10, 10), "a figure", TABLE)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, "of type NoneType, not a ganstrata.AnalysisResult"),
        (AnalysisResult(table=[("a", 1)]), "table is of type list, not a ganstrata.Table"),
        (AnalysisResult(table=Table("ab", [])), "table.columns is 'ab', not a tuple of texts"),
        (AnalysisResult(table=Table(("a",), 3)), "table.rows is of type int, not a list of rows"),
        (AnalysisResult(table=Table(("a", "b"), [(1,)])), "table.rows[0] is (1,), not a row of 2 cells"),
        (AnalysisResult(table=Table(("a",), [({},)])), "table.rows[0] has a cell {}, which is not a text"),
        (AnalysisResult(sentences="One sentence."), "sentences is 'One sentence.', not a list of texts"),
        (AnalysisResult(sentences=[3]), "sentences is [3], not a list of texts"),
        (AnalysisResult(figures=figure("a")), "figures is of type Figure, not a list"),
        (AnalysisResult(figures=["a"]), "figures[0] is of type str, not a Figure"),
        (AnalysisResult(figures=[figure(3)]), "figures[0].name is of type int, not str"),
        (AnalysisResult(figures=[figure("../a")]), "a file of figures is called '../a.svg'"),
        (AnalysisResult(tables=[TABLE]), "not a dict with texts as keys"),
        (AnalysisResult(tables={3: TABLE}), "not a dict with texts as keys"),
        (AnalysisResult(tables={"a": [("a", 1)]}), "tables['a'] is of type list, not a ganstrata.Table"),
        (AnalysisResult(pictures={"a.png": "text"}), "pictures['a.png'] is of type str, not the bytes"),
        (AnalysisResult(pictures={"a.png": b"GIF"}), "pictures['a.png'] is other bytes, not the bytes"),
        (AnalysisResult(pictures={"dup.json": PNG}), "called 'dup.json'; the name must end in .png"),
        (AnalysisResult(pictures={"con.png": PNG}), "called 'con.png'; before the extension"),
        (AnalysisResult(tables={"a": TABLE, "A": TABLE}), "called 'A.csv', as is another of tables"),
        (AnalysisResult(tables={"a": TABLE}, figures=[figure("A")]), "'a.csv', as is another of figures"),
        (AnalysisResult(table=TABLE, tables={"table": TABLE}), "called 'table.csv', as is the printed table"),
    ],
)
def test_a_result_of_another_form_is_the_mistake_of_the_plugin(result: Any, words: str) -> None:
    with pytest.raises(PluginBroken) as caught:
        check_result(result, "dup", "analysis 'dup' from theirs 1.0")
    assert str(caught.value).startswith(
        "analysis 'dup' from theirs 1.0 returned a wrong result from analyse(): "
    )
    assert words in str(caught.value)


def test_a_sound_result_is_returned_as_it_is() -> None:
    result = AnalysisResult(
        table=TABLE,
        sentences=("One.",),
        figures=[figure("walls_and_floors")],
        tables={"B": TABLE},
        pictures={"b.png": PNG},
    )
    assert check_result(result, "dup", "theirs") is result


class Duplicate(ganstrata.Analysis):
    """An analysis that prints a table and a sentence, and has no files."""

    class Config(PluginConfig):
        top: int = Field(default=1, ge=1, description="number of rows")

    result: Any = AnalysisResult(table=TABLE, sentences=["One."])

    def analyse(self, run: Any) -> Any:
        return self.result


@pytest.fixture
def _dup(fakes: object, register: Callable[[str, str, type], None]) -> None:
    register("analysis", "dup", Duplicate)


@pytest.mark.usefixtures("_dup")
def test_the_printed_table_is_written_with_an_index_and_can_be_written_again(
    invoke, copied: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        done = invoke("analysis", "dup", copied, "--out", tmp_path / "out")
        assert done.exit_code == 0, done.output
    assert (tmp_path / "out/table.csv").read_text(
        encoding="utf-8"
    ) == "concept,sd\nseen/red,0.5\nseen/left,\n"
    index = json.loads((tmp_path / "out/dup.json").read_text(encoding="utf-8"))
    assert index["distribution"] == "test 0"
    assert list(index["files"]) == ["table.csv"]


@pytest.mark.usefixtures("_dup")
def test_sentences_alone_can_be_written_again(
    invoke, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Duplicate, "result", AnalysisResult(sentences=["One."]))
    for _ in range(2):
        done = invoke("analysis", "dup", copied, "--out", tmp_path / "out")
        assert done.exit_code == 0, done.output
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["dup.json"]


@pytest.mark.usefixtures("_dup")
def test_a_wrong_result_is_reported_by_name_and_nothing_is_written(
    invoke, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Duplicate, "result", AnalysisResult(sentences="One sentence."))  # type: ignore[arg-type]
    done = invoke("analysis", "dup", copied)
    assert done.exit_code == 1
    assert "Error: analysis 'dup' from test 0 returned a wrong result from analyse()" in done.stderr
    assert not (copied / "analysis").exists()


@pytest.mark.usefixtures("_dup")
def test_two_analyses_of_a_name_spoil_the_help_of_no_other(invoke, copied: Path, register) -> None:
    register("analysis", "dup", Duplicate)
    done = invoke("analysis", "--help")
    assert done.exit_code == 0
    assert "ranking" in done.stdout
    assert "Cannot be run: several plugins have this name, from test 0, test 0." in " ".join(
        done.stdout.split()
    )
    assert invoke("analysis", "ranking", "--help").exit_code == 0
    assert invoke("analysis", "dup", "--help").exit_code == 0
    done = invoke("analysis", "dup", copied)
    assert done.exit_code == 1
    assert "Two analyses are called 'dup': test 0 (" in done.stderr
    assert not (copied / "analysis").exists()


@pytest.mark.usefixtures("_dup")
def test_a_setting_without_a_value_is_shown_how_to_be_written(invoke, copied: Path) -> None:
    done = invoke("analysis", "dup", copied, "--set", "top")
    assert done.exit_code == 2
    assert "--set top: write it as key=value, here --set top=VALUE" in done.stderr


@pytest.mark.usefixtures("_dup")
def test_a_fault_of_an_option_names_it_as_it_was_given(invoke, copied: Path) -> None:
    done = invoke("analysis", "dup", copied, "--set", "top=0")
    assert done.exit_code == 2
    assert "options of analysis 'dup': one fault" in done.stderr
    assert "--set top: " in done.stderr
    assert "with ->" not in done.stderr


@pytest.mark.usefixtures("_dup")
def test_a_result_of_another_version_of_the_plugin_is_named(
    invoke, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke("analysis", "dup", copied).exit_code == 0
    assert computed_otherwise(copied) == []
    known = registry()
    (info,) = known.infos("analysis")
    upgraded = type(info)(info.kind, info.name, info.target, info.summary, "test 1")
    monkeypatch.setitem(known._plugins, ("analysis", "dup"), [upgraded])
    done = invoke("report", copied)
    assert done.exit_code == 0
    assert (
        "analysis/dup was computed by test 0, and test 1 is installed; run these commands again"
        in done.stderr
    )
    monkeypatch.delitem(known._plugins, ("analysis", "dup"))
    assert computed_otherwise(copied) == [], "what is not installed cannot be run again"
