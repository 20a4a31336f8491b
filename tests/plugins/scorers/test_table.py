"""Labels from a CSV file: looked up by index, with gaps, and every kind of line that cannot be used."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.errors import ConfigError, DataError
from ganstrata.core.probing.stage import open_samples


def write(folder: Path, text: str) -> str:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def shown(index: list[int] | None) -> ganstrata.Rendering:
    count = 4 if index is None else len(index)
    return ganstrata.Rendering(
        torch.rand(count, 3, 4, 4), index=None if index is None else torch.tensor(index)
    )


def test_values_are_looked_up_by_index(tmp_path: Path) -> None:
    file = write(tmp_path, "index,tidy,bright\n7,1,0.25\n\n2,0,\n 3 ,NA,-1e-1\n")
    scorer = ganstrata.load_scorer("table", file=file, level="category", threshold=0.5, device="cpu")
    assert [(c.name, c.level, c.threshold, c.may_be_undefined) for c in scorer.concepts] == [
        ("tidy", "category", 0.5, True),
        ("bright", "category", 0.5, True),
    ]
    np.testing.assert_allclose(
        scorer.score(shown([2, 7, 100, 3])),
        [[0, np.nan], [1, 0.25], [np.nan, np.nan], [np.nan, -0.1]],
        rtol=1e-6,
    )


def test_only_probing_samples_have_scores(tmp_path: Path) -> None:
    scorer = ganstrata.load_scorer("table", file=write(tmp_path, "index,tidy\n0,1\n1,0\n"), device="cpu")
    assert torch.isnan(scorer.score(shown(None))).all()


def test_columns_are_chosen_and_the_index_may_have_another_name(tmp_path: Path) -> None:
    file = write(tmp_path, "who,sample,tidy,comment\nme,0,1,nice\nme,1,0,\n")
    scorer = ganstrata.load_scorer("table", file=file, index="sample", columns=["tidy"], device="cpu")
    assert scorer.score(shown([1, 0])).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index,tidy\n0,yes\n", "line 2: tidy is 'yes', expected a number, or an empty cell"),
        ("index,tidy\n0,inf\n", "line 2: tidy is 'inf', expected a number"),
        ("index,tidy\n0,1\n0,1\n", "line 3: sample 0 already has a row, line 2"),
        ("index,tidy\n-1,1\n", "line 2: index is '-1', expected a whole number from 0"),
        ("index,tidy\n1.5,1\n", "line 2: index is '1.5'"),
        ("index,tidy\n1\n", "line 2: 1 cell, but the heading has 2"),
        ("index,tidy\n" + "0,x\n" * 9, "and 4 more lines"),
        ("index,tidy,tidy\n0,1,1\n", "has two columns 'tidy'"),
        (
            "sample,tidy\n0,1\n",
            "has no column 'index' with the samples' indices; it has sample, tidy. Name it with `index:`",
        ),
        ("index,a/b\n0,1\n", "the column 'a/b' cannot name a concept"),
        ("index,tidy\n", "has no rows below its heading"),
        ("", "has no rows below its heading"),
        ("index,tidy\n\n\n", "has no rows below its heading"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        ganstrata.load_scorer("table", file=write(tmp_path, text), device="cpu")
    assert message in str(caught.value)


def test_a_missing_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column 'tidi'; it has tidy"):
        ganstrata.load_scorer(
            "table", file=write(tmp_path, "index,tidy\n0,1\n"), columns=["tidi"], device="cpu"
        )


def test_a_missing_file_or_one_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*absent"):
        ganstrata.load_scorer("table", file=str(tmp_path / "absent.csv"), device="cpu")
    (tmp_path / "binary.csv").write_bytes(b"index,\xff\xfe\x00tidy")
    with pytest.raises(DataError, match="is not a CSV file"):
        ganstrata.load_scorer("table", file=str(tmp_path / "binary.csv"), device="cpu")


def labels_of(finished, folder: Path, count: int, last: int = 0) -> str:
    """What a person would say who looks at the second concept, of every sample but the last ones."""
    scores = open_samples(finished).read("scores/seen")[:count, 1]
    rows = [f"{i},{int(value > np.median(scores))}" for i, value in enumerate(scores)]
    return write(folder, "index,liked\n" + "\n".join(rows) + ("\n" if not last else f"\n{last},1\n"))


def test_a_run_learns_from_labels_and_is_judged_by_other_scorers(
    fakes, config, finished, tmp_path: Path
) -> None:
    config = deepcopy(config)
    config["scorers"].append(
        {
            "use": "table",
            "as": "people",
            "with": {"file": labels_of(finished, tmp_path, 600), "threshold": 0.5},
        }
    )
    run = ganstrata.run(config, tmp_path / "run")
    assert np.isnan(open_samples(run).read("scores/people")[600:]).all()
    table = (run.path / "rescoring.csv").read_text(encoding="utf-8").splitlines()
    own = [line.split(",") for line in table if line.startswith("people/liked,attribute,all,people/liked")]
    seen = [line.split(",") for line in table if line.startswith("people/liked,attribute,all,seen/")]
    assert all(row[5] == "0" and row[7] == "" for row in own), "nobody was asked about edited pictures"
    assert any(row[7] and abs(float(row[7])) > 0.0 for row in seen)
    assert "people/liked" in (run.path / "report.html").read_text(encoding="utf-8")


def test_a_table_with_samples_outside_the_run_is_refused(fakes, config, finished, tmp_path: Path) -> None:
    config = deepcopy(config)
    config["scorers"].append({"use": "table", "with": {"file": labels_of(finished, tmp_path, 600, last=640)}})
    with pytest.raises(
        ConfigError,
        match=r"scorers -> 1: 'table': .* has rows for sample 640, which a run of 640 samples does not have",
    ):
        ganstrata.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
