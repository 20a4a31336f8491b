"""What was assumed on the way from a file to its network is told: by inspect, convert and the card."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata.core.checkpoints import Checkpoint, Part
from ganstrata.core.checkpoints.assumptions import with_assumptions
from ganstrata.core.checkpoints.detect import Examined
from ganstrata.core.conformance.declared import check_declared
from ganstrata.core.errors import PluginBroken
from ganstrata.core.runs.provenance import describe
from ganstrata.plugins.generators.stylegan2.generator import StyleGAN2

from tests.checkpoint_files import nvidia
from tests.generator_files import loader
from tests.generators_stylegan2 import small_state

load = loader("stylegan2")


def rosinality(path: Path, *, noises: bool = True) -> Path:
    """Write a checkpoint of rosinality's training: g, d and g_ema, and no mean w."""
    state = small_state("rosinality", means=0)
    if not noises:
        state = {name: tensor for name, tensor in state.items() if not name.startswith("noises.")}
    torch.save(
        {
            "g": {name: tensor + 1 for name, tensor in state.items()},
            "d": {"final_linear.0.weight": torch.zeros(2)},
            "g_ema": state,
        },
        path,
    )
    return path


def test_it_tells_the_parts_left_aside_the_noise_and_the_mean_made_up(tmp_path: Path, invoke: Any) -> None:
    file = rosinality(tmp_path / "550000.pt", noises=False)
    expected = (
        "of the file, the part g_ema is used; not used: g, d",
        "the mapping's learning rate multiplier is 0.01 (config: lr_mlp)",
        "the file stores no fixed noise: that of 5 layers is drawn from a fixed seed",
        "the file stores no mean w: truncation uses the mean w of fixed z",
    )
    card = load(file).card
    assert card.assumptions == expected
    assert tuple(json.loads(invoke("model", "inspect", file, "--json").stdout)["assumptions"]) == expected
    shown = invoke("model", "inspect", file).stdout
    assert f"  assumed     {expected[0]}\n              {expected[1]}\n" in shown


def test_half_precision_is_told_and_survives_a_conversion(tmp_path: Path, invoke: Any) -> None:
    state = {name: tensor.half() for name, tensor in small_state().items()}
    file = nvidia(tmp_path / "half.pkl", state, {"z_dim": 7})
    (told,) = [line for line in load(file).card.assumptions if "float16" in line]
    assert told == f"{len(state)} of {len(state)} tensors are stored in float16 and are converted to float32"
    out = tmp_path / "half.safetensors"
    assert invoke("model", "convert", file, out).exit_code == 0
    assert load(out).card.assumptions == load(file).card.assumptions


def test_whole_numbers_and_tensors_without_a_name_are_told(tmp_path: Path) -> None:
    """A quantised network, and a state dict that is read in part, are not taken silently."""
    state = small_state()
    whole = {**state, "mapping.fc0.weight": state["mapping.fc0.weight"].int()}
    torch.save({**whole, 5: torch.ones(2), "k" * 301: torch.ones(2)}, tmp_path / "odd.pt")
    assert load(tmp_path / "odd.pt").card.assumptions == (
        "2 tensors are left out: the name is not text, or has more than 300 characters",
        f"1 of {len(state)} tensors is stored in int32 and is converted to float32",
    )


def test_a_complete_network_alone_assumes_nothing(tmp_path: Path) -> None:
    torch.save(small_state(), tmp_path / "bare.pt")
    assert load(tmp_path / "bare.pt").card.assumptions == ()


def test_sentences_stand_in_the_order_of_the_way_and_once() -> None:
    part = Part("G", {}, {"assumptions": ["stated\x1b", 3, "twice"]}, ("from the part",))
    checkpoint = Checkpoint(Path("f"), "", "pickle", (part, Part("D", {}, {})), ("from the file",))
    examined = Examined("a", "b", {}, 8, 1, 2, 2, {}, assumptions=("twice", "by the plugin"))
    assert with_assumptions(examined, part, checkpoint).assumptions == (
        "stated\\x1b",
        "twice",
        "from the file",
        "of the file, the part G is used; not used: D",
        "from the part",
        "by the plugin",
    )


def test_stored_numbers_do_not_depend_on_them(rooms: ganstrata.Generator) -> None:
    before = describe._output(rooms)
    card = rooms.card
    try:
        rooms.card = replace(card, assumptions=("another sentence",))
        assert describe._output(rooms) == before
        assert "another sentence" in str(asdict(rooms.card))
    finally:
        rooms.card = card


def test_a_card_holds_sentences(rooms: ganstrata.Generator) -> None:
    card = rooms.card
    try:
        rooms.card = replace(card, assumptions="text")  # type: ignore[arg-type]
        with pytest.raises(PluginBroken, match=r"card\.assumptions is 'text'.*a tuple of sentences"):
            check_declared(rooms)
    finally:
        rooms.card = card


def of(settings: dict[str, Any]) -> tuple[str, ...]:
    """What is told of a part with these settings and no tensors."""
    return with_assumptions(Examined("a", "b", {}, 8, 1, 2, 2, {}), Part("", {}, settings)).assumptions


def test_arguments_and_versions_of_tensorflow_that_are_not_nvidias() -> None:
    known = {"build_func_name": "G_main", "version": 5, "resolution": 8, "fmap_base": 64}
    assert of(known) == ()
    assert of({**known, "resolution_h": 16, "conditioning": None}) == (
        "arguments that NVIDIA's releases do not have are ignored: conditioning, resolution_h",
    )
    assert of({**known, "version": 99}) == (
        "its TensorFlow version is 99, which is not known: it is read by its tensors",
    )
    assert of({"version": 99, "resolution_h": 16}) == (), "it is no network of TensorFlow"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"truncation_psi": 0.7}, "truncation_psi 0.7"),
        ({"args": {"psi": -0.5}}, "psi -0.5"),
        ({"truncation_psi": 1.0}, None),
        ({"truncation_psi": True}, None),
        ({"args": {"truncation": "strong"}}, None),
    ],
)
def test_a_truncation_that_a_file_states_is_not_applied(settings: dict[str, Any], told: str | None) -> None:
    assert of(settings) == (
        ()
        if told is None
        else (f"the file states {told}, which is not applied: truncation_psi of the config is",)
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"img_resolution": 16, "z_dim": 7, "w_dim": 5, "c_dim": 0, "img_channels": 3}, []),
        ({"img_resolution": 32}, ["the file states img_resolution 32, but the network in it has 16"]),
        ({"z_dim": 512, "c_dim": 3}, ["the file states z_dim 512, but", "the file states c_dim 3, but"]),
        ({"resolution": 16, "num_channels": 1}, ["the file states num_channels 1, but"]),
        ({"resolution": "32", "label_size": None}, []),
    ],
)
def test_tensors_count_where_a_file_states_another_size(settings: dict[str, Any], told: list[str]) -> None:
    part = Part("", small_state(), settings)
    examined = StyleGAN2.examine(part)
    assert examined is not None
    sentences = with_assumptions(examined, part).assumptions
    assert len(sentences) == len(told)
    assert all(sentence.startswith(words) for sentence, words in zip(sentences, told, strict=True))


def test_pictures_that_are_not_square_contradict_neither_side() -> None:
    part = Part("", small_state(start=(4, 2)), {"img_resolution": 16, "resolution": 8})
    examined = StyleGAN2.examine(part)
    assert examined is not None
    assert not with_assumptions(examined, part).assumptions


def test_filters_that_are_not_the_usual_one_are_told(tmp_path: Path) -> None:
    state = small_state()
    row = torch.tensor([1.0, 2.0, 4.0, 1.0]) / 8.0
    state["synthesis.b8.conv0.resample_filter"] = torch.outer(row, row)
    torch.save(state, tmp_path / "a.pt")
    (told,) = load(tmp_path / "a.pt").card.assumptions
    assert told == "1 of 8 low-pass filters are not the usual [1, 3, 3, 1]: those of the file are used"


@pytest.mark.parametrize(
    ("layout", "name", "stored"),
    [
        ("rosinality", "synthesis.b8.conv0.weight", "convs.0.conv.weight"),
        ("genforce", "synthesis.b16.torgb.bias", "synthesis.output2.bias"),
        ("tensorflow", "synthesis.b8.conv1.affine.bias", "8x8/Conv1/mod_bias"),
        ("nvidia", "synthesis.b8.conv0.weight", None),
    ],
)
def test_a_missing_tensor_is_named_as_the_file_spells_it(layout: str, name: str, stored: str | None) -> None:
    state = small_state(layout)
    if stored is None:
        del state[name]
    else:
        (key,) = [key for key in state if key.endswith(stored)]
        state["elsewhere"] = state.pop(key)
        name = f"{key} (probably its name; here {name})"
    examined = StyleGAN2.examine(Part("", state, {}))
    assert examined is not None
    assert examined.missing == (name,)
