"""`ganstrata init NAME`, with a name of the list of published models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import ganstrata
import pytest
from ganstrata.core.checkpoints.zoo import Published, named, published
from ganstrata.core.config.published import published_config
from ganstrata.core.config.reading import read_config

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("model", published(), ids=lambda model: model.name)
def test_every_published_model_has_a_config_that_is_valid(tmp_path: Path, model: Published) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(published_config(model), encoding="utf-8")
    config = read_config(file)
    known = ganstrata.core.plugins.registry.registry().infos("generator")
    options = next(info for info in known if info.name == config.generator.use).load().Config.model_fields
    assert set(config.generator.options) <= set(options)
    assert config.generator.options["checkpoint"] == (model.checkpoint or model.path)
    assert config.generator.options.get("truncation_psi", 1.0) == (model.psi or 1.0)
    assert model.url in file.read_text(encoding="utf-8")


def test_the_list_as_json_names_what_init_takes(invoke, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (entry,) = json.loads(invoke("model", "list", "stylegan2_church", "--json").stdout)
    result = invoke("init", entry["name"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Wrote stylegan2_church.yaml. It fetches the file, and runs: ")
    config = read_config(Path("stylegan2_church.yaml"))
    assert config.generator.options["checkpoint"] == entry["checkpoint"]
    assert entry["checkpoint"].endswith(f"#sha256={entry['sha256']}")


def test_the_config_runs_once_the_file_is_there(invoke, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = next(one for one in published() if one.family == "StyleGAN2" and one.checkpoint is None)
    result = invoke("init", model.name, "--out", "config.yaml")
    assert result.stdout.startswith("Wrote config.yaml. Write the path of the file into it, then: ")
    text = Path("config.yaml").read_text(encoding="utf-8")
    assert f"Download this first, and write its path below: {model.url}" in text
    shutil.copy(DATA / "stylegan2_uncond_32.safetensors", model.path)
    choice = read_config(Path("config.yaml")).generator
    generator = ganstrata.load_generator(choice.use, device="cpu", **choice.options)
    assert generator.card.resolution == 32


def test_a_dead_link_is_told() -> None:
    text = published_config(named("stylegan_tower"))
    assert "# The link is dead: https://github.com/genforce/higan" in text
    assert "Last checked: 2" in text


def test_a_file_of_the_same_name_comes_first(invoke, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(DATA / "stylegan2_uncond_32.safetensors", "stylegan2_church")
    result = invoke("init", "stylegan2_church")
    assert result.stdout.startswith("Wrote stylegan2_church.yaml. It runs as it is")
    assert "32 px" in Path("stylegan2_church.yaml").read_text(encoding="utf-8")


def test_a_misspelt_name_is_corrected(invoke, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("init", "stylegan2_chruch")
    assert result.exit_code == 2
    assert "no published model of this name. Did you mean 'stylegan2_church'?" in result.stderr
    assert not list(tmp_path.iterdir())
