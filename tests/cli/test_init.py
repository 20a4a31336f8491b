"""`ganstrata init` and `ganstrata run FILE`: from a checkpoint to a config that runs, and to a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import ganstrata
import pytest
import yaml
from ganstrata.cli.init import is_checkpoint
from ganstrata.core.config.reading import read_config
from ganstrata.core.config.starter import starter_config

DATA = Path(__file__).parents[1] / "data"
SMALL = (
    "synthesis.samples=240",
    "rescoring.samples=8",
    "rescoring.layers=[all]",
    "rescoring.null_directions=3",
    "rescoring.learning_resamples=0",
    "concepts.include=[category/bedroom]",
    "editing.samples=1",
    "engine.workers=1",
)


@pytest.mark.parametrize(
    "name",
    [
        "bundled:rooms",
        "stylegan2_uncond_32.safetensors",
        "stylegan2_cond_64.safetensors",
        "stylegan3_t_32.safetensors",
        "stylegan3_xl_64.safetensors",
        "biggan_deep_64.safetensors",
    ],
)
def test_the_written_config_is_one_for_the_generator_in_the_file(invoke, tmp_path: Path, name: str) -> None:
    file = name if name.startswith("bundled:") else str(DATA / name)
    if not name.startswith("bundled:") and not (DATA / name).is_file():
        pytest.skip(f"{name} is not among the data of the tests")
    out = tmp_path / "config.yaml"
    result = invoke("init", file, "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"Wrote {out}. It runs as it is: ganstrata run {out}\n"
    config = read_config(out)
    assert config.generator.options["checkpoint"] == file
    generator = ganstrata.load_generator(config.generator.use, device="cpu", **config.generator.options)
    text = out.read_text(encoding="utf-8")
    assert f"{generator.card.resolution} px, {generator.card.layers} layers" in text.splitlines()[0]
    assert (config.generator.options.get("classes") == "sampled") == ("classes" in text)
    assert "hue" in {scorer.use for scorer in config.scorers}


def test_comments_are_settings_that_would_be_valid() -> None:
    """A commented scorer is valid without its comment sign."""
    text = starter_config(str(DATA / "stylegan2_uncond_32.safetensors"))
    scorers = text[text.index("scorers:") : text.index("concepts: {")]
    lines = [line.replace("  # ", "  ", 1) for line in scorers.splitlines() if not line.startswith("  # Any")]
    offered = [line for line in lines if not line.startswith("  Room")]
    uses = {entry["use"] for entry in yaml.safe_load("\n".join(offered))["scorers"]}
    assert uses == {"hue", "category", "attribute", "text"}
    known = {info.name for info in ganstrata.core.plugins.registry.registry().infos("scorer")}
    assert uses <= known


def test_the_name_of_the_file_is_that_of_the_config(
    invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("init").exit_code == 0
    before = Path("rooms.yaml").read_bytes()
    again = invoke("init")
    assert again.exit_code == 2
    assert "rooms.yaml exists; give another --out" in again.stderr
    assert Path("rooms.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"GGUF" + bytes(60), "GGUF"), (b"not a checkpoint", "a text file"), (None, "no checkpoint file")],
)
def test_files_without_a_generator_are_refused_and_nothing_is_written(
    invoke, tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "file.pt"
    if content is not None:
        file.write_bytes(content)
    result = invoke("init", file, "--out", tmp_path / "x.yaml")
    assert result.exit_code == 2
    assert words.lower() in result.stderr.lower()
    assert not (tmp_path / "x.yaml").exists()


def test_a_config_is_not_put_among_the_arrays_of_a_run(invoke, tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_text("{}", encoding="utf-8")
    result = invoke("init", "--out", tmp_path / "x.yaml")
    assert result.exit_code == 2
    assert "lies within the array" in result.stderr
    assert not (tmp_path / "x.yaml").exists()


def test_a_file_alone_runs_with_the_config_of_init_and_keeps_it(invoke, tmp_path: Path) -> None:
    out = tmp_path / "run"
    changes = [part for change in SMALL for part in ("--set", change)]
    result = invoke("run", "bundled:rooms", "--out", out, "--device", "cpu", *changes)
    assert (result.exit_code, result.stdout) == (0, f"Report: {out / 'report.html'}\n")
    assert f"bundled:rooms: a run with default settings, kept in {out / 'config.yaml'}" in result.stderr
    assert (out / "config.yaml").read_text(encoding="utf-8") == starter_config("bundled:rooms")
    assert ganstrata.open_run(out).config.synthesis.samples == 240
    again = invoke("run", "bundled:rooms", "--out", out, "--device", "cpu", *changes)
    assert again.stderr.count("was done before") == 5


def test_checkpoints_are_distinguished_from_configs(tmp_path: Path) -> None:
    model = shutil.copy(DATA / "stylegan2_uncond_32.safetensors", tmp_path / "model.safetensors")
    assert is_checkpoint("bundled:rooms")
    assert is_checkpoint("hf:owner/name/network.pkl@v1")
    assert is_checkpoint(f"https://host/network.pkl#sha256={'0' * 64}")
    assert is_checkpoint(str(model))
    assert not is_checkpoint(str(tmp_path / "missing.pkl"))
    (tmp_path / "config.YAML").write_text("a: 1", encoding="utf-8")
    assert not is_checkpoint(str(tmp_path / "config.YAML"))


def test_a_name_that_no_config_can_hold_is_refused(invoke, tmp_path: Path) -> None:
    file = tmp_path / "a\x1bb.safetensors"
    try:
        shutil.copy(DATA / "stylegan2_uncond_32.safetensors", file)
    except OSError:
        pytest.skip("this system has no such names")
    result = invoke("init", file, "--out", tmp_path / "a.yaml")
    assert result.exit_code == 2
    assert "its path contains a control character, U+001B; rename the file" in result.stderr
    assert not (tmp_path / "a.yaml").exists()
