"""`use: auto`: the checkpoint decides which generator plugin reads it."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import pytest
import torch
from ganstrata.core.config.reading import validate
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.errors import CheckpointError, ConfigError


def config(checkpoint: object, **options: object) -> dict[str, object]:
    return {
        "generator": {"use": "auto", "with": {"checkpoint": checkpoint, **options}},
        "scorers": [{"use": "hue"}],
        "boundary": {"use": "ridge"},
    }


def test_a_config_gets_the_name_of_the_plugin() -> None:
    resolved = validate(config("bundled:rooms", truncation_psi=0.5), "config")
    assert resolved.generator.use == "stylegan2"
    assert resolved.generator.options == {"checkpoint": "bundled:rooms", "truncation_psi": 0.5}


def test_from_python() -> None:
    auto = ganstrata.load_generator("auto", checkpoint="bundled:rooms", device="cpu")
    named = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    assert type(auto) is type(named)
    assert auto.fingerprint == named.fingerprint


def test_options_are_checked_against_the_recognised_plugin() -> None:
    with pytest.raises(
        ConfigError, match=r"truncation: is not an option of 'stylegan2'.*Did you mean 'truncation_psi'"
    ):
        validate(config("bundled:rooms", truncation=0.5), "config")


@pytest.mark.parametrize("checkpoint", [None, 3, ""])
def test_a_checkpoint_must_be_named(checkpoint: object) -> None:
    with pytest.raises(ConfigError, match="generator -> with -> checkpoint"):
        validate(config(checkpoint), "config")


def test_a_file_of_no_plugin_is_a_single_fault(tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    torch.save({"weight": torch.zeros(3)}, file)
    with pytest.raises(ConfigError, match="belongs to no generator plugin that is installed") as caught:
        validate(config(str(file)), "config")
    assert len(caught.value.faults) == 1
    with pytest.raises(CheckpointError, match="belongs to no generator plugin"):
        ganstrata.load_generator("auto", checkpoint=str(file), device="cpu")


def test_a_config_object_made_in_python_is_resolved_too(tmp_path: Path) -> None:
    config_object = RunConfig.model_validate(
        {
            **config("bundled:rooms"),
            "boundary": {"use": "ridge", "with": {"positives": 10, "negatives": 10}},
            "synthesis": {"samples": 64, "batch_size": 32},
            "rescoring": {"samples": 8, "layers": ["all"], "null_directions": 3, "bootstrap": 100},
            "concepts": {"include": ["hue/saturation"]},
            "editing": {"samples": 1, "steps": 2},
            "engine": {"workers": 1},
            "device": "cpu",
        }
    )
    finished = ganstrata.run(config_object, tmp_path / "run")
    assert finished.config.generator.use == "stylegan2"
    assert (tmp_path / "run" / "report.html").is_file()
