"""`ganstrata study`: from a run to a figure, with raters who see only the page."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HOME = {"left": "bottom", "checks": "lower", "stripes": "upper", "red": "top"}


def vote(page: str, rater: int) -> dict[str, object]:
    """Return votes for the row that changes most, as the page saves them; a rater sometimes errs."""
    script = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert script is not None
    data = json.loads(script[1])
    rng = np.random.default_rng(rater)
    votes = []
    for question in data["questions"]:
        sheets = [
            np.asarray(Image.open(io.BytesIO(base64.b64decode(row.split(",")[1])))).astype(float)
            for row in question["rows"]
        ]
        best = int(np.argmax([np.abs(sheet[:, :8] - sheet[:, -8:]).mean() for sheet in sheets]))
        votes.append({"question": question["id"], "choice": best if rng.random() < 0.9 else "none"})
    saved = "2026-11-21T10:00:00.000Z"
    return {
        "format": "ganstrata study votes 1",
        "study": data["study"],
        "rater": f"{rater:016x}",
        "saved": saved,
        "votes": votes,
    }


def test_a_study_goes_from_a_run_to_its_figure(invoke, copied: Path, tmp_path: Path) -> None:
    concepts = [part for name in HOME for part in ("--concepts", f"seen/{name}")]
    result = invoke("study", "make", copied, "--out", tmp_path / "study", "--strips", 2, "--quiet", *concepts)
    assert result.exit_code == 0, result.output
    assert "8 questions about 4 concepts, 4 rows each." in result.stdout
    page = (tmp_path / "study/study.html").read_text(encoding="utf-8")
    paths = []
    for rater in range(6):
        paths.append(tmp_path / f"{rater}.json")
        paths[-1].write_text(json.dumps(vote(page, rater)))
    result = invoke("study", "read", tmp_path / "study", *paths, "--out", tmp_path / "result")
    assert result.exit_code == 0, result.output
    for level, concept in (
        ("layout", "left"),
        ("category", "checks"),
        ("attribute", "stripes"),
        ("colour", "red"),
    ):
        assert f"{level}: most votes for {HOME[concept]}, " in result.stdout
    assert "6 raters; the figure is" in result.stdout
    assert (tmp_path / "result/votes.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("make", "{run}"), "Missing option '--out'"),
        (("make", "{run}", "--out", "{}/out", "--words", "red"), "'red' is not of the form NAME=TEXT"),
        (("make", "{run}", "--out", "{}/out", "--concepts", "seen/rde"), "Did you mean 'seen/red'?"),
        (("make", "{run}", "--out", "{}/out", "--steps", "4"), "--steps 4: give an odd number"),
        (
            ("make", "{run}", "--out", "{}/out", "--words", "seen/red= "),
            "give one line of 1 to 200 characters",
        ),
        (("make", "{run}", "--out", "{}/out", "--words", "seen/red=a\nb"), "that can be printed"),
        (("make", "{run}", "--out", "{}/out", "--words", "seen/red=" + "x" * 201), "200 characters"),
        (
            ("make", "{run}", "--out", "{}/out", "--concepts", "seen/left", "--words", "seen/red=reds"),
            "this study does not ask about seen/red",
        ),
        (("make", "{run}", "--out", "{run}/samples.zarr/out"), "lies within the array"),
        (("make", "{}", "--out", "{}/out"), "is not a run directory"),
        (("read", "{}", "{}/a.json", "--out", "{}/out"), "holds no study"),
        (("read", "{}", "--out", "{}/out"), "Missing argument 'VOTES...'"),
    ],
)
def test_wrong_arguments_are_explained_and_nothing_is_written(
    invoke, copied: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = invoke(
        "study", *(a.replace("{run}", str(copied)).replace("{}", str(tmp_path)) for a in arguments)
    )
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
