"""`ganstrata run`: the whole method from a file, and what is wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path

import ganstrata
import pytest
import yaml
from ganstrata.core.runs.run import Run


def test_a_run_from_yaml_says_its_images_and_its_report(
    invoke, config, tmp_path: Path, contents, finished: Run
) -> None:
    file = tmp_path / "fake.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    result = invoke("run", file, "--out", tmp_path / "run")
    assert result.exit_code == 0
    assert result.stdout == f"Report: {tmp_path / 'run' / 'report.html'}\n"
    lines = result.stderr.splitlines()
    # Seven concepts are chosen; that one does not vary is known only after the samples.
    verifying = 64 * (1 + (7 + 12) * 13 + 7) + 32 * 12 * 7  # backwards at `all` alone
    assert lines[0].startswith(
        f"{640 + verifying + 7 * 20} images to synthesise and score: "
        f"640 for probing, {verifying} for re-scoring"
    )
    assert [line.split(":")[0] for line in lines if ": done in " in line] == [
        "synthesize",
        "learn",
        "rescore",
        "edit",
        "report",
    ]
    assert contents(tmp_path / "run") == contents(finished.path)
    again = invoke("run", file, "--out", tmp_path / "run")
    assert again.stderr.count("was done before") == 5


def test_the_directory_is_named_after_the_config(
    invoke, config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.json").write_text(json.dumps(config), encoding="utf-8")
    result = invoke(
        "run",
        "tiny.json",
        "--quiet",
        "--set",
        "concepts.include=[seen/left]",
        "--set",
        "rescoring.layers=[all]",
    )
    assert (result.exit_code, result.stderr) == (0, "")
    run = ganstrata.open_run(tmp_path / "runs" / "tiny")
    assert run.config.concepts.include == ["seen/left"]
    assert run.manifest["device"] == "cpu"


FAULTS = [
    (
        {"generator": {"use": "fake_layer"}},
        "generator -> use: No generator named 'fake_layer'. Did you mean 'fake_layers'?",
    ),
    (
        {"generator": {"use": "fake_layers", "with": {"gian": 0.1}}},
        "generator -> with -> gian: is not an option of 'fake_layers'",
    ),
    ({"generator": {"use": "fake_layers", "with": {"gain": "much"}}}, "generator -> with -> gain: "),
    ({"generator": {"use": "fake_layers", "with": {"gain": 2.0}}}, "(got 2.0)"),
    ({"scorers": []}, "scorers: "),
    (
        {"scorers": [{"use": "fake_readings"}, {"use": "fake_readings"}]},
        "two scorers are called 'fake_readings'",
    ),
    ({"boundary": {"with": {}}}, "boundary -> use: is missing (name of the plugin"),
    ({"synthesis": {"sample": 3}}, "synthesis -> sample: is not an option. Did you mean 'samples'?"),
    ({"synthesis": {"samples": "many"}}, "synthesis -> samples: "),
    ({"synthesis": {"samples": 0}}, "synthesis -> samples: "),
    ({"synthesis": {"seed": -1}}, "synthesis -> seed: "),
    (
        {"rescoring": {"groups": {"low": "6-99"}}},
        "rescoring -> groups -> low: layers '6-99': there is no layer 99; this generator has layers 0 to 7",
    ),
    ({"rescoring": {"groups": {"low": "1-2-3"}}}, "'1-2-3' is neither a number nor a range"),
    ({"rescoring": {"groups": {"low": ""}}}, "an empty part is neither a number nor a range"),
    ({"rescoring": {"layers": ["all", "6-99"]}}, "rescoring -> layers: layers '6-99'"),
    ({"rescoring": {"layers": ["all", "1-2-3"]}}, "rescoring -> layers: layers '1-2-3'"),
    ({"rescoring": {"layers": []}}, "rescoring -> layers: "),
    ({"rescoring": {"layers": ["all", "bottm"]}}, "'bottm' names no layers. Did you mean 'bottom'?"),
    ({"rescoring": {"layers": ["each"]}}, "must contain `all`"),
    ({"concepts": {"include": ["seen/leftt"]}}, "'seen/leftt' matches no concept"),
    (
        {"conditions": [{"edit": "seen/left", "keep": ["seen/blue"]}]},
        "conditions -> 0: 'seen/blue' has no boundary",
    ),
    ({"editing": {"start": 3.0, "end": -3.0}}, "end (-3.0) must be greater than start (3.0)"),
    ({"device": "gpu"}, "device: "),
    (
        {"boundary": {"use": "ridge", "with": {"positives": 400}}},
        "boundary -> with: every concept: 400 positives were requested",
    ),
    (
        {"boundary": {"use": "fake_per_layer"}},
        "synthesis -> mixing: 'fake_per_layer' learns a boundary per layer",
    ),
]


@pytest.mark.parametrize(("change", "words"), FAULTS)
def test_a_wrong_config_is_refused_before_anything_is_written(
    change: dict, words: str, invoke, written, config, tmp_path: Path
) -> None:
    result = invoke("run", written(config | change), "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_all_faults_of_a_config_are_listed_at_once(invoke, written, config, tmp_path: Path) -> None:
    config |= {
        "synthesis": {"samples": -1, "sead": 3},
        "device": "tpu",
        "colour": 1,
        "generator": {"use": "nothing"},
    }
    result = invoke("run", written(config), "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "5 faults, nothing was written." in result.stderr
    for place in (
        "generator -> use: ",
        "synthesis -> samples: ",
        "synthesis -> sead: ",
        "device: ",
        "colour: ",
    ):
        assert f"\n  {place}" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.yaml", None, "no config file"),
        ("broken.yaml", "generator: [", "is not well-formed"),
        ("broken.json", "{", "is not well-formed"),
        ("broken.toml", "a = ", "is not well-formed"),
        ("list.yaml", "- 1\n", "expected sections such as `generator:`"),
        ("empty.yaml", "", "expected sections such as `generator:`"),
        ("bytes.yaml", b"\xff\xfe\x00", "cannot read"),
    ],
)
def test_a_file_that_is_not_a_config_is_refused(
    name: str, content: str | bytes | None, words: str, invoke, tmp_path: Path
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = invoke("run", file, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert words in result.stderr
    assert str(file) in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_missing_checkpoint_is_refused(invoke, written, config, tmp_path: Path) -> None:
    config["generator"] = {"use": "stylegan2", "with": {"checkpoint": str(tmp_path / "none.safetensors")}}
    result = invoke("run", written(config), "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "none.safetensors" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "override",
    [
        "samples",
        "=3",
        "synthesis.samples.deep=3",
        "scorers.7.use=hue",
        "synthesis.samples=[",
        "synthesis.samples=two",
    ],
)
def test_a_wrong_override_is_refused(override: str, invoke, written, config, tmp_path: Path) -> None:
    result = invoke("run", written(config), "--out", tmp_path / "run", "--set", override)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("Error: ")
    assert not (tmp_path / "run").exists()


def test_another_config_in_the_same_directory_is_refused(invoke, written, config, finished: Run) -> None:
    result = invoke(
        "run",
        written(config),
        "--out",
        finished.path,
        "--set",
        "rescoring.distance=3.0",
        "--set",
        "engine.workers=2",
    )
    assert result.exit_code == 2
    assert (
        f"{finished.path} holds a run of another config; "
        "these differ: rescoring.distance: 2.0 there, 3.0 here. " in result.stderr
    )


def test_scores_that_may_not_be_undefined_are_a_failure(invoke, written, config, tmp_path: Path) -> None:
    config["scorers"] = [{"use": "fake_unsound"}]
    result = invoke("run", written(config), "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "scorer 'fake_unsound' from ganstrata-fakes 1.0 gave nan as the score of 'ill'" in result.stderr


def test_the_demo_config_fits_the_bundled_model() -> None:
    from ganstrata.core.config.reading import read_config
    from ganstrata.core.runs.prepare import prepare

    file = Path(__file__).parents[2] / "examples" / "rooms.yaml"
    prepared = prepare(read_config(file), source=str(file))
    assert len(prepared.chosen) >= 12
    assert set(prepared.groups) == {"bottom", "lower", "upper", "top"}


def test_a_store_may_be_an_option(invoke, written, compacted: Run, compact, tmp_path: Path) -> None:
    pytest.importorskip("obstore", reason="needs ganstrata[remote]")
    out, url = tmp_path / "run", f"memory://tests/{tmp_path.name}"
    result = invoke("run", written(compact), "--out", out, "--store", url, "--quiet")
    assert result.exit_code == 0, result.stderr
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["store"]["url"] == url
    assert not list(out.glob("*.zarr"))
    assert (out / "rescoring.csv").read_bytes() == (compacted.path / "rescoring.csv").read_bytes()
    refused = invoke("run", written(compact), "--out", tmp_path / "b", "--store", "bucket/runs", "--quiet")
    assert refused.exit_code == 2
    assert "store: must begin with s3://" in refused.stderr
