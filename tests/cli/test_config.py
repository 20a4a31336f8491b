"""`ganstrata config`: check a file without running it, and write the schema for editors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ganstrata.core import device
from ganstrata.core.strata.composition import Pass

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


def test_bf16_on_a_processor_without_it_is_said_to_be_slow(
    invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(GOOD + "device: cpu\n", encoding="utf-8")
    monkeypatch.setattr(device, "has_bf16", lambda: False)
    slow = invoke("config", "check", path, "--set", "precision=bf16")
    assert (slow.exit_code, slow.stdout.count("is valid")) == (0, 1)
    assert slow.stderr.startswith("precision: bf16 is slow here: this processor has no bf16 arithmetic")
    assert invoke("config", "check", path).stderr == ""
    monkeypatch.setattr(device, "has_bf16", lambda: True)
    assert invoke("config", "check", path, "--set", "precision=bf16").stderr == ""


def test_all_faults_are_told_at_once(invoke, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(GOOD.replace("ridge", "rigde"), encoding="utf-8")
    result = invoke("config", "check", str(path), "--set", "synthesis.samples=none")
    assert result.exit_code == 2
    assert "Did you mean 'ridge'?" in result.stderr
    assert "synthesis -> samples" in result.stderr


def test_what_a_run_would_refuse_is_refused_without_a_picture(
    invoke, written, config, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(Pass, "__init__", lambda *a, **b: pytest.fail("a picture was made"))
    file = written(config)
    assert invoke("config", "check", file).exit_code == 0
    faulty = [
        ("synthesis.samples=100", "boundary -> with: every concept: 100 positives were requested, but there"),
        ("rescoring.layers=[all,9]", "rescoring -> layers: layers '9': there is no layer 9"),
        ("concepts.include=[seen/rde]", "concepts -> include: 'seen/rde' matches no concept"),
        ("learning.space=s", "learning -> space: the generator 'fake_layers' has no style channels"),
        ("device=cuda:99", "cuda"),
    ]
    for change, words in faulty:
        result = invoke("config", "check", file, "--set", change)
        assert (result.exit_code, words in result.stderr) == (2, True), result.output
    for change in ("synthesis.samples=100", "rescoring.layers=[all,9]"):
        assert invoke("config", "check", file, "--quick", "--set", change).exit_code == 0


def test_all_missing_files_are_told_together(invoke, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(GOOD, encoding="utf-8")
    changes = ["generator.with.checkpoint=none.pkl", "scorers.1.with.checkpoint=nowhere.pt"]
    arguments = [part for change in changes for part in ("--set", change)]
    result = invoke("config", "check", str(path), *arguments)
    assert result.exit_code == 2
    assert "2 faults" in result.stderr
    assert "no checkpoint file none.pkl" in result.stderr
    assert "no checkpoint file nowhere.pt" in result.stderr
    assert invoke("config", "check", str(path), "--quick", *arguments).exit_code == 0


def test_options_of_a_plugin_that_set_replaces_have_a_way_out(invoke, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    text = GOOD.replace("{use: ridge}", "{use: sefa, with: {directions: 4, layers: 2-5, flavour: 3}}")
    path.write_text(text, encoding="utf-8")

    def check(*changes: str):
        return invoke("config", "check", str(path), "--quick", *(x for c in changes for x in ("--set", c)))

    result = check("boundary.use=ridge")
    assert result.exit_code == 2
    said = result.stderr
    assert "directions: is an option of 'sefa', and --set replaces that by a plugin without such" in said
    assert said.count("Drop the options of 'sefa' with --set 'boundary.with={}'") == 1
    assert "flavour: is not an option of 'ridge'" in said  # nor of the other
    assert check("boundary.with={}", "boundary.use=ridge", "boundary.with.alpha=3").exit_code == 0
    assert "with -> directions: must be" in check("boundary.use=pca", "boundary.with.directions=-1").stderr
    unchanged = check("synthesis.samples=500").stderr
    assert "flavour: is not an option of 'sefa'" in unchanged
    assert "replaces" not in unchanged


def test_the_schema_is_printed_or_written(invoke, tmp_path: Path) -> None:
    printed = json.loads(invoke("config", "schema").stdout)
    out = tmp_path / "schema.json"
    assert invoke("config", "schema", "--out", str(out)).stdout == f"Wrote {out}.\n"
    assert json.loads(out.read_text(encoding="utf-8")) == printed
    assert "generator.stylegan2" in printed["$defs"]
