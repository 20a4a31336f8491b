"""Prefixes are found by what remains without them, in any container and under any key, and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.detect import choose, own_part
from ganstrata.core.checkpoints.inspect import examine
from ganstrata.core.checkpoints.prefixes import GROUPS, under_prefixes, without_wrappers
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.stylegan2.generator import StyleGAN2
from safetensors.torch import save_file
from torch import Tensor

from tests.generator_files import loader
from tests.generators_stylegan2 import small_state

load = loader("stylegan2")
LAYOUTS = {layout: small_state(layout) for layout in ("nvidia", "rosinality", "genforce")}


def under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def write(path: Path, content: Any, container: str) -> Path:
    if container == "safetensors":
        save_file(content, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=container == "zip")
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("prefix", "container", "wrapper"),
    [
        ("module.", "safetensors", None),
        ("module.module.", "zip", "g_ema"),
        ("_orig_mod.", "legacy", "G_ema"),
        ("_orig_mod.module.", "zip", "ema"),
        ("model.generator.", "zip", "state_dict"),
        ("generator.", "safetensors", None),
        ("G.", "legacy", "GAN"),
        ("GE.", "zip", "generator"),
        ("ddp_wrapper.net_g.", "zip", "shadow_generator"),
    ],
)
def test_container_wrapper_and_names_in_any_combination(
    tmp_path: Path, layout: str, prefix: str, container: str, wrapper: str | None
) -> None:
    state = under(prefix, LAYOUTS[layout])
    path = write(tmp_path / "a", state if wrapper is None else {wrapper: state, "step": 3}, container)
    checkpoint = read_checkpoint(path)
    claim = choose(checkpoint)
    assert claim.plugin == "stylegan2"
    assert own_part(StyleGAN2, checkpoint).tensors.keys() == LAYOUTS[layout].keys()
    examined = examine(claim, checkpoint)
    assert examined is not None
    assert examined.faults == []
    assert any(prefix.split(".")[0] in told and "names of" in told for told in examined.assumptions)


def test_a_compiled_module_inside_a_network(tmp_path: Path) -> None:
    state = {
        name.replace("mapping.", "mapping._orig_mod."): tensor for name, tensor in LAYOUTS["nvidia"].items()
    }
    torch.save(state, tmp_path / "a.pt")
    card = load(tmp_path / "a.pt").card
    assert any(told.startswith("_orig_mod. is removed from the names of") for told in card.assumptions)


def test_a_wrapper_inside_a_prefix_is_stripped_too(tmp_path: Path) -> None:
    state = small_state("mmgeneration")
    for name, content in (("plain", state), ("under", {"state_dict": under("netG.module.", state)})):
        torch.save(content, tmp_path / f"{name}.pt")
    generators = [load(tmp_path / f"{name}.pt") for name in ("plain", "under")]
    assert generators[0].fingerprint == generators[1].fingerprint


def test_several_networks_in_one_state_dict(tmp_path: Path, invoke: Any) -> None:
    """The moving average counts, and its mean w beside the state dict comes with it."""
    rosinality = {name: t for name, t in LAYOUTS["rosinality"].items() if name != "latent_avg"}
    state = {
        **under("model.generator.", {name: t + 1 for name, t in rosinality.items()}),
        **under("model.generator_ema.", rosinality),
        **under("model.discriminator.", {f"convs.{i}.0.weight": torch.zeros(2) for i in range(5)}),
        "model.latent_avg": LAYOUTS["rosinality"]["latent_avg"],
    }
    path = write(tmp_path / "a.ckpt", {"state_dict": state, "hyper_parameters": {"lr": 1}}, "zip")
    inspected = json.loads(invoke("model", "inspect", path, "--json").stdout)
    assert inspected["faults"] == []
    (used,) = [part["name"] for part in inspected["parts"] if part["used"]]
    assert used == "state_dict.model.generator_ema"
    generator = load(path)
    torch.save(LAYOUTS["rosinality"], tmp_path / "bare.pt")
    assert generator.fingerprint == load(tmp_path / "bare.pt").fingerprint
    assert any("model.generator_ema. is stripped" in told for told in generator.card.assumptions)


def test_a_piece_of_a_family_out_of_reach_is_not_taken_for_a_generator(tmp_path: Path) -> None:
    """The backbone of an EG3D has the names of a StyleGAN2."""
    state = {
        **under("backbone.", LAYOUTS["nvidia"]),
        "superresolution.block0.conv0.weight": torch.zeros(2),
        "decoder.net.0.weight": torch.zeros(2),
    }
    torch.save({"G_ema": state}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="EG3D is not supported"):
        choose(read_checkpoint(tmp_path / "a.pt"))
    with pytest.raises(CheckpointError, match="EG3D is not supported"):
        load(tmp_path / "a.pt")


def test_names_that_would_become_one_are_left_as_they_are() -> None:
    tensors = {"a._orig_mod.b": torch.zeros(1), "a.b": torch.ones(1)}
    assert without_wrappers(tensors) == (tensors, ())


def test_a_hostile_number_of_prefixes_is_not_tried() -> None:
    asked: list[Part] = []

    def recognise(part: Part) -> list[str]:
        asked.append(part)
        return []

    tensor = torch.zeros(1)
    wide = Part("", {f"a{i}.b{j}.c": tensor for i in range(500) for j in range(10)}, {})
    assert under_prefixes(wide, recognise) == []
    assert len(asked) <= GROUPS
    deep = Part("", {f"{'a.' * 100}{i}": tensor for i in range(10_000)}, {})
    asked.clear()
    under_prefixes(deep, recognise)
    assert len(asked) <= 3


def test_what_a_prefix_leaves_out_is_counted() -> None:
    part = Part("x", {**{f"g.{i}": torch.zeros(1) for i in range(5)}, "other": torch.zeros(1)}, {})
    ((found, _),) = under_prefixes(part, lambda candidate: ["yes"])
    assert found.name == "x.g"
    assert found.notes == (
        "the prefix g. is stripped from the names of 5 tensors; 1 other tensor is not used",
    )
