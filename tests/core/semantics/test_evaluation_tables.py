"""Tables, sentences and figures say what was measured, what is missing, and what is not known."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata import StatedAccuracy
from ganstrata.core.figures.pictures import read_picture
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.heads import LSE, NSE2, Head
from ganstrata.core.semantics.measuring.comparison import Comparison, Selection
from ganstrata.core.semantics.measuring.evaluation import evaluate
from ganstrata.core.semantics.measuring.evaluation_figures import figures, mask_sheets
from ganstrata.core.semantics.measuring.evaluation_page import build_page
from ganstrata.core.semantics.measuring.evaluation_tables import as_data, sentences, tables
from ganstrata.core.semantics.measuring.quality import quality_of
from planted_semantics import CLASSES, WIDTHS, Linear, planted_samples

STATED = StatedAccuracy("900 drawings", 0.75, {"sky": 0.9, "tree": 0.6})


class _Rare(Linear):
    """A teacher that labels no pixel as road."""

    def logits(self, rendering):
        logits = super().logits(rendering).clone()
        logits[:, 2] = -1e6
        return logits


def _compared(stated: StatedAccuracy | None = None, **heads: Head) -> Comparison:
    """Compare heads with a teacher that never says road."""
    samples = planted_samples()
    object.__setattr__(samples.teacher, "segmenter", _Rare())
    names = {LSE: "LSE", NSE2: "NSE-2"}
    extractors = {
        name: Extractor(
            Architecture(names[type(head)], samples.maps, CLASSES, (8, 8)),
            (head,),
            MadeFor.of(samples.generator),
            {"training": {"layerwise_loss": 0.1}},
        )
        for name, head in heads.items()
    }
    evaluation = evaluate(samples, extractors, 16)
    selection = Selection(0.1, 16, ("sky",), ("tree", "road"))
    return Comparison(
        "<b>smooth</b>", "linear", stated, evaluation, quality_of(evaluation), selection, {"seed": 7}
    )


@pytest.fixture(scope="module")
def found() -> Comparison:
    """A linear and a nonlinear extractor."""
    return _compared(STATED, linear=Linear().head, other=NSE2(WIDTHS, 3))


def test_a_class_that_never_occurs_is_blank_with_a_reason_and_not_zero(found):
    table = tables(found)["classes"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows if row[0] == "road"]
    assert len(rows) == 2
    for row in rows:
        assert np.isnan(row["iou_per_image"])
        assert np.isnan(row["iou_pooled_high"])
        assert row["remark"] == "never among the teacher's labels"
        assert row["images_compared"] == row["images_with_class"] == 0
    assert any("gives no pixel this label: road" in line for line in sentences(found))
    assert as_data(found)["never_in_labels"] == ["road"]
    assert "road,linear,,,,,,,0,0,0,," in table.csv
    assert "never among the teacher&#x27;s labels" in figures(found)[0].inline


def test_the_teachers_own_error_stands_beside(found):
    table = tables(found)["classes"]
    teacher = {row[0]: row[table.columns.index("teacher_iou_pooled")] for row in table.rows}
    assert teacher["sky"] == 0.9
    assert np.isnan(teacher["road"])
    text = " ".join(sentences(found))
    assert (
        "right at 75.0 % of the pixels, with a mean IoU of 75.0 % pooled, as measured on 900 drawings" in text
    )
    assert "agreement with the teacher is not accuracy" in text
    page = build_page(found, figures(found), mask_sheets(found))
    assert "Teacher on true labels" in page
    assert "measured on 900 drawings" in page


def test_an_unknown_error_of_the_teacher_is_said_to_be_unknown():
    found = _compared(linear=Linear().head)
    assert (
        "How right the teacher is is not known, and agreement with the teacher is not accuracy."
        in sentences(found)
    )
    page = build_page(found, figures(found), mask_sheets(found))
    assert "Teacher on true labels" not in page
    assert as_data(found)["stated_accuracy"] is None
    assert as_data(found)["seed"] == 7


def test_tables_like_the_papers_are_in_percent(found):
    scores = found.quality.scores["linear"]
    first, second = tables(found)["table_1"].rows
    gap = 100 * float(found.quality.gaps["linear"].per_image.value)
    assert first[2] == f"{100 * float(scores.mean_per_image.value):.1f} ({gap:+.1f})"
    assert "(" not in second[2]
    row = tables(found)["table_5"].rows[0]
    assert row[2:4] == [round(100 * float(v), 2) for v in scores.per_image.value[:2]]
    assert np.isnan(row[4])
    assert row[5] == round(100 * float(scores.mean_per_image.value), 2)


def test_strata_are_in_tables_figures_and_pictures(found):
    chart = figures(found)[1]
    assert chart.name == "strata"
    assert {row[0] for row in chart.table.rows} == {"sky", "tree"}
    assert [row[1] for row in chart.table.rows[:3]] == ["0 early", "1 middle", "2 late"]
    for name in ("sky", "tree"):
        rows = [row for row in chart.table.rows if row[0] == name]
        assert [row[3] for row in rows] == [row[2] == max(r[2] for r in rows) for row in rows]
    sheets = mask_sheets(found)
    assert list(sheets) == ["comparison.png", "layerwise.png"]
    wide = read_picture(sheets["layerwise.png"]).shape[1]  # picture, teacher, three strata, all
    assert wide == 6 * 128 + 5 * 4
    assert read_picture(sheets["comparison.png"]).shape[1] == 4 * 128 + 3 * 4


def test_names_on_the_page_are_text(found):
    page = build_page(found, figures(found), mask_sheets(found))
    assert "&lt;b&gt;smooth&lt;/b&gt;" in page
    assert "<b>smooth</b>" not in page


def test_several_extractors_with_strata_have_files_of_their_own():
    found = _compared(a=Linear().head, b=Linear().head)
    assert [chart.name for chart in figures(found)] == ["classes", "strata_1", "strata_2"]
    assert list(mask_sheets(found)) == ["comparison.png", "layerwise_1.png", "layerwise_2.png"]
    assert build_page(found, figures(found), mask_sheets(found)).count("trained with layer-wise loss") == 2


def test_the_selection_is_told(found):
    assert sentences(found)[-1] == (
        "At least one extractor reads 1 of 3 classes with an IoU above 10 %, on 16 other pictures; "
        "left out: tree, road."
    )
