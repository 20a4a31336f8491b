"""Where a class is read and where it is moved: planted truths, ties, and reasons for no answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ganstrata.core.analyses.read_and_moved import (
    ClassLayers,
    MovedAt,
    ReadAt,
    check_answerable,
    read_and_moved,
    scorer_of_classes,
)
from ganstrata.core.analyses.read_and_moved_chart import read_and_moved_chart
from ganstrata.core.analyses.read_and_moved_result import ReadAndMoved, sentence
from ganstrata.core.errors import UserError
from ganstrata.core.plugins.records import Stratum
from ganstrata.core.rescoring.null_comparison import NO_NULL
from ganstrata.core.rescoring.results import Effects
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.heads import LSE, NSE2, Head
from ganstrata.core.semantics.measuring.evaluation import Evaluation, evaluate
from ganstrata.core.semantics.measuring.quality import Quality, quality_of
from planted_semantics import CLASSES, WIDTHS, Linear, planted_samples


def _extractor(*heads: Head, name: str = "LSE") -> Extractor:
    samples = planted_samples()
    return Extractor(Architecture(name, samples.maps, CLASSES, (8, 8)), heads, MadeFor.of(samples.generator))


@pytest.fixture(scope="module")
def measured() -> tuple[Evaluation, Quality]:
    """An extractor by whose last stratum alone the pictures are labelled, so there every class is read."""
    samples, head = planted_samples(), Linear().head
    teacher = Linear()
    for planted in (teacher.head, head):
        for weight in list(planted.T)[:2]:
            weight.data *= 1e-3
    object.__setattr__(samples.teacher, "segmenter", teacher)
    evaluation = evaluate(samples, {"it": _extractor(head)}, 40)
    return evaluation, quality_of(evaluation)


def _strata() -> list[Stratum]:
    return [Stratum("early", 0, 4), Stratum("middle", 1, 8), Stratum("late", 2, 8)]


def _renamed(effects: Effects, **names: str) -> Effects:
    """Effects whose boundaries and concepts have the names of classes."""

    def new(name: str) -> str:
        return names.get(name.split("/")[1], name.split("/")[1]).join(("seen/", ""))

    return replace(
        effects,
        boundaries=type(effects.boundaries)(replace(b, concept=new(b.concept)) for b in effects.boundaries),
        concepts=[c.model_copy(update={"id": new(c.id)}) for c in effects.concepts],
    )


@pytest.fixture
def rows(measured, effects: Effects) -> dict[str, ClassLayers]:
    """Sky is moved at layer 2, tree at layer 7, and road is what varies by chance."""
    renamed = _renamed(effects, checks="sky", red="tree", chance="road")
    found = read_and_moved(*measured, _strata(), renamed, {}, "seen")
    return {row.name: row for row in found}


def test_classes_are_read_where_they_are_planted(rows):
    for row in rows.values():
        assert row.read_layers == (2,)
        assert [one.stratum for one in row.read] == [0, 1, 2]
        assert row.read[2].iou > 0.95
        for one in row.read:
            assert one.low <= one.iou <= one.high
            assert one.is_best == (one.stratum == 2)


def test_classes_are_moved_where_they_are_planted(rows):
    assert rows["sky"].moved_layers == (2,)
    assert rows["tree"].moved_layers == (7,)
    assert rows["sky"].is_factor
    assert not rows["road"].is_factor
    assert rows["road"].moved_layers == ()
    assert rows["road"].unmoved == "no significant effect: not even of all layers together"
    for row in rows.values():
        assert [one.layer for one in row.moved] == list(range(8))


def test_without_null_directions_nothing_is_moved_significantly(measured, effects: Effects) -> None:
    renamed = _renamed(effects, checks="sky", red="tree")
    empty = replace(renamed, null=renamed.null[:, :0], q=np.full_like(renamed.q, np.nan))
    for row in read_and_moved(
        *measured, _strata(), replace(empty, factors=empty.factors & False), {}, "seen"
    ):
        assert not any(one.is_significant or one.is_best for one in row.moved)
        assert row.unmoved == (NO_NULL if row.moved else "the run does not score it")


def test_the_numbers_are_those_of_rescoring(rows, effects):
    i = [b.name for b in effects.boundaries].index("seen/red")
    own, unit = effects.own[i], effects.units[effects.own[i]]
    for one in rows["tree"].moved:
        at = effects.single_layers()[one.layer]
        assert one.change == pytest.approx(effects.in_sd[i, at, 0, own])
        assert one.low == pytest.approx(effects.low[i, at, 0, own] / unit)
        assert one.is_significant == (effects.q[i, at, 0, own] <= effects.rate and one.change > 0)


def test_sentences_say_both_and_how_they_lie_to_each_other(rows):
    assert sentence(rows["tree"]).startswith("tree: read best at layer 2, stratum 2 late (IoU ")
    assert "; moved most at layer 7 (+" in sentence(rows["tree"])
    assert sentence(rows["tree"]).endswith("It is moved at later layers than it is read best.")
    assert sentence(rows["sky"]).endswith("It is moved where it is read best.")
    assert "not moved: no significant effect: not even" in sentence(rows["road"])


def test_without_a_boundary_the_reason_is_given(measured, effects):
    renamed = _renamed(effects, checks="sky", constant="tree")
    skipped = {"seen/tree": "its scores do not vary"}
    found = {row.name: row for row in read_and_moved(*measured, _strata(), renamed, skipped, "seen")}
    assert found["tree"].unmoved == "no boundary: its scores do not vary"
    assert found["tree"].moved == ()
    assert (found["road"].unmoved, found["road"].concept) == ("the run does not score it", "")
    assert "not moved: no boundary: its scores do not vary." in sentence(found["tree"])


def test_a_class_that_never_occurs_is_not_read(measured, effects):
    evaluation, _ = measured
    pixels = evaluation.pixels.copy()
    pixels[:, 1] = 0
    without = replace(evaluation, pixels=pixels)
    row = read_and_moved(without, quality_of(without), _strata(), effects, {}, "seen")[1]
    assert (row.read, row.unread) == ((), "the teacher gives no pixel this label")
    assert "not read: the teacher gives no pixel this label" in sentence(row)


def test_a_class_that_no_stratum_reads_well_is_not_read(effects):
    head = Linear().head
    for weight in head.T:
        weight.data[1] = (weight.data[0] + weight.data[2]) / 2.0  # never above both
    evaluation = evaluate(planted_samples(), {"it": _extractor(head)}, 16)
    row = read_and_moved(evaluation, quality_of(evaluation), _strata(), effects, {}, "seen")[1]
    assert max(one.iou for one in row.read) == 0.0
    assert row.unread == "no stratum reads it with an IoU above 10 %"
    assert row.read_layers == ()


def _row(**changes: object) -> ClassLayers:
    ious, effects = (0.2, 0.5, 0.48), (0.1, 0.1, 0.1, 0.45, 0.5)
    read = tuple(ReadAt(s, s, f"s{s}", v, v - 0.1, v + 0.1, v > 0.4) for s, v in enumerate(ious))
    moved = tuple(MovedAt(layer, v, v - 0.1, v + 0.1, 0.01, True, v > 0.4) for layer, v in enumerate(effects))
    given = ClassLayers("bed", "object/bed", (0.6, 0.5, 0.7), read, moved, True, "", "")
    return replace(given, **changes)


def test_ties_are_named():
    assert sentence(_row()) == (
        "bed: read best at layer 1, stratum 1 s1 (IoU 50 % [40, 60]) (layer 2 cannot be told from it); "
        "moved most at layer 4 (+0.50 sd [0.40, 0.60]) (layer 3 cannot be told from it). "
        "It is moved at later layers than it is read best."
    )
    assert _row().read_layers == (1, 2)
    assert _row(unread="never").read_layers == ()
    assert _row(unmoved="never").moved_layers == ()


def test_the_chart_has_a_panel_per_class_and_says_why_a_side_is_empty():
    rows = [_row(), _row(name="<lamp>", moved=(), unmoved="no boundary: it never varies")]
    figure = read_and_moved_chart(rows, 5)
    assert "&lt;lamp&gt;" in figure.inline
    assert ">no boundary<" in figure.inline
    assert "layer 4: +0.50 sd [0.40, 0.60], q = 0.01" in figure.inline
    table = [dict(zip(figure.table.columns, row, strict=True)) for row in figure.table.rows]
    assert len(table) == 3 + 5 + 3 + 1
    assert table[-1]["remark"] == "no boundary: it never varies"
    assert [row["layer"] for row in table if row["class"] == "bed" and row["best"]] == [1, 2, 3, 4]


def test_a_stratum_that_reads_no_layer_has_no_place_on_the_axis():
    lone = ReadAt(None, 0, "constant", 0.9, 0.8, 1.0, True)
    row = _row(read=(lone, *_row().read[1:]))
    assert row.read_layers == (1, 2)
    assert "stratum 0 constant" not in read_and_moved_chart([row], 5).inline
    assert "read best at no layer, stratum 0 constant" in sentence(row)


def test_strata_that_were_not_trained_to_speak_are_said_to_be_so():
    found = ReadAndMoved([_row()], 5, "rooms", "LSE", False, 100, "runs/a", "object", 2.0, {"seed": 7})
    assert "were not trained to say anything by themselves" in found.sentences[0]
    assert len(replace(found, layerwise=True).sentences) == 1
    names = set(found.files())
    assert names == {"read_and_moved.svg", "read_and_moved.csv", "classes.csv", "read_and_moved.json"}
    row = dict(zip(found.table.columns, found.table.rows[0], strict=True))
    assert (row["read_at_layers"], row["moved_at_layers"]) == ("1-2", "3-4")


@pytest.mark.parametrize(
    ("concepts", "alias", "words"),
    [
        (["colour/red"], None, "no scorer of the run has any of the classes bed"),
        (["object/bed", "other/bed"], None, "several scorers of the run have these classes: object, other"),
        (["object/bed"], "objct", "Did you mean 'object'?"),
        (["object/bed", "colour/red"], "colour", "the scorer colour of the run has not any of the classes"),
    ],
)
def test_a_scorer_that_does_not_have_the_classes_is_refused(concepts, alias, words):
    with pytest.raises(UserError) as caught:
        scorer_of_classes(["bed"], concepts, alias)
    assert words in str(caught.value)


def test_of_several_scorers_one_can_be_chosen():
    assert scorer_of_classes(["bed"], ["object/bed", "other/bed"], "other") == "other"


def test_extractors_and_runs_without_an_answer_are_refused(effects):
    check_answerable(_extractor(Linear().head), effects)
    with pytest.raises(UserError, match="the strata of NSE-2 say nothing"):
        check_answerable(_extractor(NSE2(WIDTHS, 3), name="NSE-2"), effects)
    with pytest.raises(UserError, match="the strata of an ensemble say nothing"):
        check_answerable(_extractor(LSE(WIDTHS, 3), LSE(WIDTHS, 3)), effects)
    some = {name: layers for name, layers in effects.sets.items() if name != "3"}
    with pytest.raises(UserError, match="moved no single layers"):
        check_answerable(_extractor(Linear().head), replace(effects, sets=some))


def test_layers_that_are_as_strong_count_as_best(measured, effects):
    i = [b.name for b in effects.boundaries].index("seen/red")
    changes, layers = effects.changes.copy(), effects.single_layers()
    changes[i, layers[6]] = changes[i, layers[7]]
    arrays = {}
    for name in ("mean", "low", "high", "q"):
        array = getattr(effects, name).copy()
        array[i, layers[6]] = array[i, layers[7]]
        arrays[name] = array
    same = _renamed(replace(effects, changes=changes, **arrays), red="tree")
    row = read_and_moved(*measured, _strata(), same, {}, "seen")[1]
    assert row.moved_layers == (6, 7)
    assert "layer 7" in sentence(row)
    assert np.isfinite([one.q for one in row.moved]).all()
