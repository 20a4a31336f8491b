"""`ganstrata segment geometry` writes cosines and class centres, whole or not at all."""

from __future__ import annotations

import csv
import json

import numpy as np

CONFIG = """
generator: {use: fake_layers}
teacher: {use: fake_regions}
training: {images: 200, batch_size: 16, learning_rate: 0.05}
checks: false
device: cpu
"""
FEW = ("--per-class", 16, "--max-images", 24, "--centres", 24, "--images", 24, "--quiet")


def test_cosines_and_class_centres_are_written_and_mistakes_are_not(invoke, tmp_path):
    (tmp_path / "segment.yaml").write_text(CONFIG, encoding="utf-8")
    seg, out = tmp_path / "seg", tmp_path / "geometry"
    trained = invoke("segment", "train", tmp_path / "segment.yaml", "--out", seg, "--quiet")
    assert trained.exit_code == 0, trained.stderr
    refused = invoke("segment", "geometry", seg, "--out", out, "--per-image", 5, *FEW)
    assert refused.exit_code == 2
    assert "16 pixels in all are not a multiple of 5 per image" in refused.stderr
    assert not out.exists()
    result = invoke("segment", "geometry", seg, "--out", out, "--per-image", 8, *FEW)
    assert result.exit_code == 0, result.stderr
    assert "By class centres: mIoU " in result.stdout
    assert f"Page: {out / 'geometry.html'}" in result.stdout
    record = json.loads((out / "geometry.json").read_text(encoding="utf-8"))
    assert set(record["files"]) == {path.name for path in out.iterdir()} - {"geometry.json"}
    with (out / "cosines.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head[1:] == [row[0] for row in rows]
    cosines = np.array([[float(x or "nan") for x in row[1:]] for row in rows])
    known = np.isfinite(cosines.diagonal())
    assert known.any()
    np.testing.assert_allclose(cosines, cosines.T, atol=1e-6)
    assert (np.abs(cosines[known][:, known]) <= 1.0 + 1e-9).all()
    extractor, centres = record["centres"]
    assert (extractor["classifier"], centres["classifier"]) == ("seg", "class centres")
    for one in (extractor, centres):
        low, value, high = (one[f"miou_per_image{end}"] for end in ("_low", "", "_high"))
        assert low <= value <= high
    full = {row["class"]: row["full"] for row in record["classes"]}
    assert record["unfilled"] == [name for name, is_full in full.items() if not is_full]
