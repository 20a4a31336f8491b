"""`ganstrata config`: check a file without running it, and write the schema for editors."""

from __future__ import annotations

import json
from pathlib import Path

GOOD = """
generator: {use: stylegan2, with: {checkpoint: "bundled:rooms"}}
scorers: [{use: hue, as: colour}, {use: layout, with: {checkpoint: "bundled:rooms"}}]
boundary: {use: ridge}
"""


def test_a_valid_config_is_summed_up(invoke, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(GOOD, encoding="utf-8")
    result = invoke("config", "check", str(path))
    assert (result.exit_code, result.stdout) == (
        0,
        f"{path} is valid: generator stylegan2, scorers hue as colour, layout, boundary learner ridge.\n",
    )
    assert list(tmp_path.iterdir()) == [path]


def test_all_faults_are_told_at_once(invoke, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(GOOD.replace("ridge", "rigde"), encoding="utf-8")
    result = invoke("config", "check", str(path), "--set", "synthesis.samples=none")
    assert result.exit_code == 2
    assert "Did you mean 'ridge'?" in result.stderr
    assert "synthesis -> samples" in result.stderr


def test_the_schema_is_printed_or_written(invoke, tmp_path: Path) -> None:
    printed = json.loads(invoke("config", "schema").stdout)
    out = tmp_path / "schema.json"
    assert invoke("config", "schema", "--out", str(out)).stdout == f"Wrote {out}.\n"
    assert json.loads(out.read_text(encoding="utf-8")) == printed
    assert "generator.stylegan2" in printed["$defs"]
