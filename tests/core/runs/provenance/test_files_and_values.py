"""Files and values that configs hold, also those that a config does not write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import ganstrata
import pytest
import torch
from ganstrata import Concept, PluginConfig, Rendering
from ganstrata.core.config.schema import Use
from ganstrata.core.plugins.config_contents import canonical_text
from ganstrata.core.runs.provenance.describe import plugin_record
from ganstrata.core.runs.provenance.files import files_named, values_in
from pydantic import BeforeValidator, Field, SecretStr, field_serializer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no such file",
        "a\0b",
        "x" * 100_000,
        "~nobody_of_this_name/x",
        "bundled:nothing",
        "bundled:*",
        ".",
        "..",
        "/",
        "a\nb",
    ],
)
def test_other_texts_are_not_taken_for_files(text: str) -> None:
    assert files_named({"text": text}) == {}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_file_counts_whatever_its_name_is(tmp_path: Path) -> None:
    """Else weights could change without notice."""
    for name in ("a\nb", "\udcff", " ", "-", "*"):
        (tmp_path / name).write_bytes(b"weights")
        assert list(files_named({"checkpoint": str(tmp_path / name)})) == ["checkpoint"]


def test_a_bundle_counts_by_its_files() -> None:
    assert list(files_named({"checkpoint": "bundled:rooms"})) == ["checkpoint"]


def test_a_bundle_counts_by_what_runs_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganstrata.core.runs.provenance.files.WEIGHTS", tmp_path)
    digests = []
    for role in ("generator", "encoder", "scenes"):
        (tmp_path / f"flats.{role}.safetensors").write_bytes(role.encode())
        digests.append(files_named(["bundled:flats"])["0"])
    assert digests[0] == digests[1] != digests[2]


def test_values_are_collected_at_any_depth() -> None:
    assert dict(values_in({"a": ["x", {"b": ("y",)}], "c": {"z"}, "d": Path("w")})) == {
        "a.0": "x",
        "a.1.b.0": "y",
        "c.0": "z",
        "d": Path("w"),
    }


class Hidden(PluginConfig):
    """A derived model may have more fields than the declared model."""

    word: str = ""


class Further(Hidden):
    size: int = 0


class Secretive(ganstrata.Scorer):
    """Its config has values that it leaves out, hides or rounds when it is written."""

    class Config(PluginConfig):
        secret: SecretStr = SecretStr("")
        left_out: int = Field(default=0, exclude=True)
        rounded: float = 0.0
        names: frozenset[str] = frozenset()
        further: Annotated[Hidden, BeforeValidator(lambda given: Further.model_validate(given))] = Field(
            default_factory=Further
        )
        file: str = Field(default="", exclude=True)

        @field_serializer("rounded")
        def _rounded(self, value: float) -> int:
            return round(value)

    concepts = (Concept("x", "attribute"),)

    def score(self, rendering: Rendering) -> torch.Tensor:
        return rendering.images.mean(dim=(1, 2, 3))[:, None]


Secretive.Config.model_rebuild()


def secretive(**options: Any):
    return plugin_record("scorer", Use.model_validate({"use": "secretive", "with": options}))


@pytest.mark.parametrize(
    "options",
    [{"secret": "a"}, {"left_out": 1}, {"rounded": 0.25}, {"names": ["a"]}, {"further": {"size": 3}}],
    ids=lambda options: next(iter(options)),
)
def test_values_that_a_config_does_not_write_count_too(options: dict[str, Any], fakes, register) -> None:
    register("scorer", "secretive", Secretive)
    assert secretive(**options).config != secretive().config
    assert secretive(**options) == secretive(**options)
    assert "secret" not in secretive(secret="my secret").model_dump_json().replace("secretive", "")


def test_files_of_values_that_a_config_does_not_write_are_digested(fakes, register, tmp_path: Path) -> None:
    register("scorer", "secretive", Secretive)
    (tmp_path / "a.csv").write_text("1", encoding="utf-8")
    before = secretive(file=str(tmp_path / "a.csv"))
    (tmp_path / "a.csv").write_text("2", encoding="utf-8")
    assert secretive(file=str(tmp_path / "a.csv")).files != before.files


def test_sets_are_the_same_in_all_processes() -> None:
    program = (
        "from ganstrata import PluginConfig\n"
        "from ganstrata.core.plugins.config_contents import contents, canonical_text\n"
        "class C(PluginConfig):\n    names: frozenset[str] = frozenset('abcdefgh')\n"
        "print(contents(C()), canonical_text(C()))\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(digests) == 1


def test_plain_configs_keep_the_names_that_boundaries_know_generators_by() -> None:
    config = Further(word="ü", size=3)
    assert canonical_text(config) == config.model_dump_json()
