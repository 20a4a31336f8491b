"""Ranges of sliders: of the run's strips at once, and on request that of `manipulate --search`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ganstrata.app.compute import Stopped
from ganstrata.app.views import ranges
from ganstrata.app.views.description import described
from ganstrata.app.workspace import Workspace
from ganstrata.core.editing.range_search import REACHED, STALLED, NoRangeError
from ganstrata.core.editing.strip_ranges import StripRange
from ganstrata.core.errors import GanstrataError, UserError
from ganstrata.core.runs.run import Run

Ask = Callable[..., Any]
RED = {"along": "seen/red", "layers": "6-7"}


def slider_of(workspace: Workspace, along: str) -> dict[str, Any]:
    return next(one for one in described(workspace)["sliders"] if one["along"] == along)


def test_a_slider_goes_as_far_as_the_strip_at_its_layers_follows(workspace: Workspace) -> None:
    assert workspace.strips
    where = slider_of(workspace, "seen/red")["set"]
    wide = StripRange(-3.0, 2.5, REACHED, STALLED, 2)
    other = StripRange(-1.0, 9.0, STALLED, REACHED, 2)
    strips = {("seen/red", where): wide, ("seen/red", "all"): other, ("seen/left", where): other}
    slider = slider_of(replace(workspace, strips=strips), "seen/red")
    assert (slider["low"], slider["high"]) == (-3.0, 2.5)
    told = slider["ranges"]
    assert told[where] == told[slider["layers"]]
    assert told[where]["follows"] == [-3.0, 2.5]
    assert (told[where]["below"], told[where]["above"], told[where]["samples"]) == (REACHED, STALLED, 2)
    assert told["all"]["high"] == 9.0


def test_the_distance_of_re_scoring_is_always_inside(workspace: Workspace) -> None:
    distance = workspace.run.config.rescoring.distance
    where = slider_of(workspace, "seen/red")["set"]
    strips = {("seen/red", where): StripRange(0.0, 0.0, STALLED, STALLED, 2)}
    slider = slider_of(replace(workspace, strips=strips), "seen/red")
    assert (slider["low"], slider["high"]) == (-distance, distance)
    assert slider["ranges"][where]["follows"] == [0.0, 0.0]  # nothing is said to follow that does not


def test_without_strips_a_slider_has_the_range_of_the_config(workspace: Workspace) -> None:
    page = described(replace(workspace, strips={}))
    editing = workspace.run.config.editing
    assert page["range"] == {"low": editing.start, "high": editing.end, "from": "config"}
    for slider in page["sliders"]:
        assert (slider["low"], slider["high"], slider["ranges"]) == (editing.start, editing.end, {})


@pytest.mark.parametrize("keep", [(), ("seen/left",)])
def test_a_search_finds_what_manipulate_finds(
    ask: Ask, finished: Run, tmp_path: Path, keep: tuple[str, ...]
) -> None:
    import ganstrata

    made = ganstrata.manipulate(
        finished.path,
        "seen/red@6-7",
        keep=keep,
        search=True,
        seeds=[0],
        steps=2,
        kinds=("strip",),
        out=tmp_path,
    )
    ((span,),) = (strip.search for strip in made.strips)
    answer, sent = ask("range", **RED, keep=list(keep))
    assert (answer["low"], answer["high"]) == (span.low, span.high)
    assert (answer["below"], answer["above"]) == (span.below, span.above)
    assert (answer["along"], answer["layers"], answer["keep"]) == ("seen/red", "6-7", list(keep))
    assert answer["from"] == "search"
    last = sent[-1]["progress"]
    assert last["step"] == last["total"] >= 17 * answer["samples"]
    json.dumps(answer, allow_nan=False)


def test_a_search_lets_others_pass_between_its_batches_and_can_be_stopped(
    ask: Ask, workspace: Workspace
) -> None:
    breaths: list[int] = []

    def third() -> None:
        breaths.append(1)
        if len(breaths) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        ask("range", **RED, breathe=third)
    assert len(breaths) == 3
    assert ranges.all_found(workspace) == []  # what was stopped is no range
    breaths[:] = [0] * 3
    ask("range", **RED, breathe=third)
    assert len(breaths) >= 3 + 17


def test_what_was_found_is_told_to_every_tab_and_not_searched_again(ask: Ask) -> None:
    first, _ = ask("range", **RED)
    again, sent = ask("range", **RED)
    assert again == first
    assert sent == []
    assert ask("hello")[0]["found"] == [first]
    other, sent = ask("range", along="seen/red", layers="0-1")  # at other layers it is another range
    assert sent
    assert ask("hello")[0]["found"] == [first, other]


def test_where_nothing_follows_there_is_no_range_and_the_reason_is_told(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise NoRangeError("seen/red", STALLED, REACHED)

    monkeypatch.setattr(ranges, "find_range", none)
    answer, _ = ask("range", **RED)
    assert (answer["low"], answer["high"], answer["below"], answer["above"]) == (None, None, STALLED, REACHED)


def test_a_direction_without_a_score_is_refused_in_words(
    ask: Ask, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ranges.parts_of
    monkeypatch.setattr(
        ranges, "parts_of", lambda *given: tuple(replace(part, column=None) for part in plain(*given))
    )
    with pytest.raises(UserError, match="no score that could be followed"):
        ask("range", **RED)


@pytest.mark.parametrize(
    "fields", [{"along": "seen/rde"}, {**RED, "layers": "4-99"}, {**RED, "keep": ["seen/red"]}]
)
def test_a_range_of_what_is_not_there_is_refused(ask: Ask, fields: dict[str, Any]) -> None:
    with pytest.raises(GanstrataError):
        ask("range", **fields)
