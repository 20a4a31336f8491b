"""Samples of a run as files: the same numbers, and memory that does not grow with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.interchange import sample_files
from ganstrata.core.interchange.sample_files import SampleFiles, _Scores
from ganstrata.core.storage import rows as tables
from lazy_tables import Lazy, of_array, peak_of

N, D, L, C = 150, 3, 2, 5
STEMS = [f"c{j}" for j in range(C)]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("archive", [True, False])
def test_files_hold_the_samples_with_a_finite_picture(
    archive: bool, whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST", 64)
    monkeypatch.setattr(sample_files, "OPEN", 2)
    rng = np.random.default_rng(0)
    w, wp, scores = (rng.standard_normal(shape).astype(np.float32) for shape in ((N, D), (N, L, D), (N, C)))
    finite = rng.random(N) < 0.8
    kept = np.ones(N, dtype=bool) if whole else finite
    files = SampleFiles(
        {"w": of_array(w), "wp": of_array(wp)},
        [_Scores(of_array(scores), [f"{stem}_scores.npy" for stem in STEMS])],
        None if whole else of_array(finite),
        int(kept.sum()),
        "f" * 16,
    )
    files.write(tmp_path, archive=archive)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files.names(archive=archive))
    for name, codes in (("w", w), ("wp", wp)):
        if archive:
            with np.load(tmp_path / "codes.npz", allow_pickle=False) as arrays:
                found = arrays[name]
        else:
            found = np.load(tmp_path / f"{name}.npy", allow_pickle=False)
        np.testing.assert_array_equal(found, codes[kept])
    for j, stem in enumerate(STEMS):
        found = np.load(tmp_path / f"{stem}_scores.npy", allow_pickle=False)
        np.testing.assert_array_equal(found, scores[kept, j : j + 1])


@pytest.mark.parametrize("archive", [True, False])
def test_memory_does_not_grow_with_samples(
    archive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST", 128)

    def work(n: int) -> None:
        codes = Lazy((n, 64), lambda start, stop: np.full((stop - start, 64), start, np.float32))
        scores = Lazy((n, 4), lambda start, stop: np.full((stop - start, 4), start, np.float32))
        columns = _Scores(scores, [f"{n}_{j}.npy" for j in range(4)])
        SampleFiles({f"w{n}": codes}, [columns], None, n, "").write(tmp_path, archive=archive)

    work(512)  # what is imported or made once does not count
    few, many = (peak_of(lambda n=n: work(n)) for n in (1024, 16_384))
    assert many < few + 16 * 1024  # the arrays take 4 MiB more
