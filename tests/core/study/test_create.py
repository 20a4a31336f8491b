"""The page of a study shows what the key says and reveals none of it."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import _on_path
from ganstrata.core.errors import UserError
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.engines.run_engine import RunEngine
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.study.asked import plain_words
from ganstrata.core.study.create import StudyRequest, make_study
from ganstrata.core.study.key import KEY, PAGE, Key
from ganstrata.core.study.page import build_page
from PIL import Image
from study_raters import GROUPS, make_key

QUIET = Progress(quiet=True)
HOME = {"seen/left": "bottom", "seen/checks": "lower", "seen/stripes": "upper", "seen/red": "top"}
"""The group where each concept is planted."""


def shown(page: str) -> dict[str, list[np.ndarray]]:
    """Return the pictures of each question by its random name: rows (H, columns, W, 3)."""
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    rows = {}
    for question in json.loads(match[1])["questions"]:
        sheets = [
            np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))).astype(float)
            for uri in question["rows"]
        ]
        # Frames of 8 pixels with 2 white ones between them.
        rows[question["id"]] = [
            np.stack([sheet[:, c : c + 8] for c in range(0, sheet.shape[1], 10)], axis=1) for sheet in sheets
        ]
    return rows


ASKED = StudyRequest(concepts=tuple(HOME), strips=4, seed=5)


@pytest.fixture(scope="module")
def created(
    site: Path, finished: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Key, Path]]:
    """A study of the finished run. Tests must not change it."""
    folder = tmp_path_factory.mktemp("created") / "study"
    with _on_path(site):
        yield make_study(finished.path, folder, ASKED, progress=QUIET), folder


def test_rows_show_what_the_key_says(created: tuple[Key, Path]) -> None:
    key, folder = created
    assert Key.read(folder) == key
    rows = shown((folder / PAGE).read_text(encoding="utf-8"))
    assert list(rows) == [question.id for question in key.questions]
    assert len(key.questions) == 16
    assert len({question.sample for question in key.questions}) == 16
    assert min(question.sample for question in key.questions) >= 2  # those of the report are left out
    for question in key.questions:
        pictures = rows[question.id]
        middles = [frames[:, 2] for frames in pictures]
        assert all(np.array_equal(middles[0], middle) for middle in middles)
        change = [np.abs(frames[:, -1] - frames[:, 0]).mean() for frames in pictures]
        assert question.order[int(np.argmax(change))] == HOME[question.boundary]


def test_workers_make_the_same_page(
    fakes, two_cores, created: tuple[Key, Path], finished: Run, tmp_path: Path
) -> None:
    assert make_study(finished.path, tmp_path / "study", ASKED, progress=QUIET) == created[0]
    assert (tmp_path / "study" / PAGE).read_bytes() == (created[1] / PAGE).read_bytes()


def test_workers_may_finish_in_any_order(
    fakes, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = StudyRequest(concepts=tuple(HOME), strips=2, seed=5)
    make_study(copied, tmp_path / "one", options, progress=QUIET)
    monkeypatch.setattr(
        RunEngine,
        "map",
        lambda self, function, tasks: iter([function(self.prepared, task) for task in tasks][::-1]),
    )
    make_study(copied, tmp_path / "two", options, progress=QUIET)
    assert (tmp_path / "one" / PAGE).read_bytes() == (tmp_path / "two" / PAGE).read_bytes()


def test_places_are_balanced_and_questions_mixed(created: tuple[Key, Path]) -> None:
    key, _ = created
    for concept in HOME:
        orders = [question.order for question in key.questions if question.boundary == concept]
        assert all(len({order[place] for order in orders}) == 4 for place in range(4))
    names = [question.boundary for question in key.questions]
    assert names != sorted(names, key=list(HOME).index)


def test_the_page_says_nothing_of_what_it_shows(created: tuple[Key, Path]) -> None:
    key, folder = created
    page = (folder / PAGE).read_text(encoding="utf-8")
    text = re.sub(r"base64,[^\"]*", "", page)
    for secret in (
        *GROUPS,
        "seen/",
        "layers",
        "seed",
        str(key.seed + 10**6),
        key.generator,
        key.run,
        "layout",
        "category",
        "attribute",
    ):
        assert not re.search(rf"\b{re.escape(secret)}\b", text), secret
    assert not any(str(question.sample) in text for question in key.questions if question.sample > 999)


def test_it_needs_no_network(created: tuple[Key, Path]) -> None:
    page = (created[1] / PAGE).read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    text = re.sub(r"base64,[^\"]*", "", page)
    assert not re.search(
        r"https?://|\bsrc=\"(?!data:)|\bhref=|@import|url\(|\bfetch\b|XMLHttpRequest|sendBeacon", text
    )


def test_a_seed_makes_the_same_study_and_none_makes_another(fakes, copied: Path, tmp_path: Path) -> None:
    options = {"concepts": ("seen/red",), "strips": 2}
    keys = [
        make_study(copied, tmp_path / str(i), StudyRequest(**options, seed=s), progress=QUIET)
        for i, s in enumerate((5, 5, None, None))
    ]
    assert keys[0] == keys[1]
    assert (tmp_path / "0" / PAGE).read_bytes() == (tmp_path / "1" / PAGE).read_bytes()
    assert len({key.study for key in keys}) == 3
    again = make_study(copied, tmp_path / "again", StudyRequest(**options, seed=keys[2].seed), progress=QUIET)
    assert again == keys[2]


def test_without_names_the_study_is_about_the_variation_factors(fakes, copied: Path, tmp_path: Path) -> None:
    key = make_study(
        copied,
        tmp_path / "study",
        StudyRequest(strips=1, steps=3, words={"seen/red": "a red tint"}),
        progress=QUIET,
    )
    factors = set(read_effects(Run.open(copied)).factor_names)
    assert {question.boundary for question in key.questions} == factors
    assert set(HOME) <= factors
    assert {question.words for question in key.questions if question.boundary in HOME} == {
        "left",
        "checks",
        "stripes",
        "a red tint",
    }
    assert key.amounts == (-3.0, 0.0, 3.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (StudyRequest(("seen/rde",)), r"--concepts seen/rde: no boundary of .* Did you mean 'seen/red'\?"),
        (
            StudyRequest(words={"seen/rde": "x"}),
            r"--words seen/rde=...: no boundary of .* Did you mean 'seen/red'\?",
        ),
        (StudyRequest(steps=4), "--steps 4: give an odd number"),
        (StudyRequest(strips=0), "--strips 0: give 1 or more"),
    ],
)
def test_mistakes_write_nothing(
    fakes, copied: Path, tmp_path: Path, options: StudyRequest, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        make_study(copied, tmp_path / "study", options, progress=QUIET)
    assert not (tmp_path / "study").exists()


def test_a_study_is_never_overwritten(fakes, created: tuple[Key, Path], finished: Run) -> None:
    with pytest.raises(UserError, match=r"has key\.json and study\.html already"):
        make_study(finished.path, created[1], StudyRequest(), progress=QUIET)
    with pytest.raises(UserError, match=r"has run\.json already"):
        make_study(finished.path, finished.path, StudyRequest(), progress=QUIET)
    with pytest.raises(UserError, match="is a file"):
        make_study(finished.path, created[1] / KEY, StudyRequest(), progress=QUIET)


def test_tall_pictures_are_shown_narrower_so_that_all_rows_fit() -> None:
    key = make_key(1)
    page = build_page(key, [[("image/png", b"x")] * 4] * len(key.questions), (1024, 512))
    assert "--shape: calc(512 / 1024)" in page
    (width,) = re.findall(r"#ask {[^}]*--wide: ([^}]*);", page)
    assert "var(--columns) * var(--shape)" in width


def test_words_of_concepts_cannot_end_the_script_or_become_markup() -> None:
    key = make_key(1)
    evil = "</script><script>alert(1)</script>"
    questions = tuple(type(q)(q.id, q.boundary, q.level, evil, q.sample, q.order) for q in key.questions)
    key = Key(key.study, key.seed, key.run, key.generator, key.groups, key.amounts, questions)
    page = build_page(key, [[("image/png", b"x")] * 4] * len(questions), (8, 8))
    assert page.count("</script>") == 2
    match = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    assert json.loads(match[1])["questions"][0]["words"] == evil


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a/wood", "wood"),
        ("b/living_room-vs-bed_room", "living room rather than bed room"),
        ("a/x_y|a/z,b/q", "x y"),
        ("a/b/c", "b/c"),
    ],
)
def test_plain_words(name: str, words: str) -> None:
    assert plain_words(name) == words
