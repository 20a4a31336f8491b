"""What a leaderboard does with learners that fail, and with requests that do not fit."""

from __future__ import annotations

import pytest
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import DataError, UserError
from ganstrata.core.leaderboard.computing import board_of
from ganstrata.core.leaderboard.measuring import measure
from ganstrata.core.leaderboard.request import BoardRequest
from ganstrata.core.storage.kept_results import Store


def test_learners_that_fail_are_named_and_stop_no_others(compare):
    board = compare(
        "refusing",
        "ridge",
        "failing",
        "infinite",
        "perlayer",
        "style_channels",
        "pca:{directions: 1000}",
    )
    assert [row.label for row in board.rows] == ["ridge"]
    assert list(board.left) == [
        *("refusing", "failing", "infinite", "perlayer", "style_channels", "pca, directions: 1000"),
    ]
    # The first was to be the baseline.
    assert board.left["refusing"].startswith("these samples will not do. It was to be the baseline")
    assert board.left["refusing"].endswith("differences are from ridge instead")
    assert board.rows[board.baseline].label == "ridge"
    assert "ZeroDivisionError: by zero" in board.left["failing"]
    assert "finite" in board.left["infinite"]
    assert "synthesis.mixing" in board.left["perlayer"]
    assert "--set learning.space=s" in board.left["style_channels"]
    assert "1000" in board.left["pca, directions: 1000"]


def test_a_comparison_without_learners_says_why(compare):
    with pytest.raises(DataError, match="these samples will not do"):
        compare("refusing")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"judges": ("a/one",)}, "two or more"),
        ({"judges": ("a/one,b/twoo",)}, "Did you mean 'b/two'"),
        ({"judges": ("b/one,a/one",)}, "leaves it out"),
        ({"judges": ("a/one,a/one",)}, "named twice"),
        ({"steps": (1.0, 0.5)}, "rising numbers, the last above 0, such as -2,-1,1,2"),
        ({"steps": (-1.0,)}, "above 0"),
        ({"baseline": "rigde"}, "Did you mean 'ridge'"),
        ({"learners": ("ridge:alpha",)}, "name:{option: value}"),
        ({"learners": ("ridge", "ridge")}, "given twice"),
        ({"learners": ()}, "no learner"),
        ({"fresh": 3}, "too few"),
    ],
)
def test_requests_that_do_not_fit_are_told_in_words(learners, tmp_path, request_, said):
    data = learners.config(judges=[{}, {}]) | {"concepts": {"include": ["a/*"]}}
    given = {"learners": ("ridge",), "fresh": 50} | request_
    with pytest.raises(UserError, match=said):
        board_of(measure(validate(data, "test"), BoardRequest(**given), Store(tmp_path)))


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"learners": ("rigde",)}, "No boundary learner named 'rigde'"),
        ({"learners": ("ridge",), "baseline": "rigde"}, "Did you mean 'ridge'"),
        ({"learners": ("ridge", "linear_svmm")}, "Did you mean 'linear_svm'"),
        ({"learners": ("ridge", "ridge:{alpah: 1}")}, r"(?s)ridge, alpah: 1.*alpah.*alpha"),
        ({"learners": ("ridge", "sefa:{direction: 5}")}, r"(?s)direction.*Did you mean 'directions'"),
        ({"learners": ("ridge", "ridge:{alpha: -1}")}, r"(?s)ridge, alpha: -1.*alpha"),
        ({"learners": ("ridge", "sklearn:{estimator: nowhere:Nothing}")}, "nowhere"),
        ({"learners": ("perlayer", "ridge")}, r"baseline 'perlayer' is left out: .*synthesis\.mixing"),
        ({"learners": ("ridge", "perlayer"), "baseline": "perlayer"}, "baseline 'perlayer' is left out"),
    ],
)
def test_a_mistake_is_told_before_samples_are_drawn(learners, tmp_path, counted, request_, said):
    with pytest.raises(UserError, match=said):
        measure(validate(learners.config(), "test"), BoardRequest(**request_), Store(tmp_path))
    assert counted == []


def test_a_baseline_that_is_named_and_refuses_the_samples_stops_the_comparison(learners, tmp_path):
    request = BoardRequest(("ridge", "refusing"), baseline="refusing", fresh=50)
    with pytest.raises(DataError, match="baseline 'refusing' is left out: these samples will not do"):
        measure(validate(learners.config(), "test"), request, Store(tmp_path))
