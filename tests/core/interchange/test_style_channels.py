"""Edits of style channels in every form, and what is no such edit."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.errors import UserError
from ganstrata.core.interchange.assumed import AssumedGenerator, identify_generator
from ganstrata.core.interchange.exporting import export_boundaries
from ganstrata.core.interchange.importing import ImportOptions, import_boundaries
from ganstrata.core.interchange.style_channels import style_directions
from ganstrata.core.strata.styles import style_strata

STYLES = (("b4.conv1", 2), ("b4.torgb", 2), ("b8.conv0", 3))
GENERATOR = AssumedGenerator("f" * 16, "w", 2, 6, "StyleGAN2, some.pt", STYLES)
WANTED = [0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 4.0]


@pytest.mark.parametrize(
    "content",
    [
        np.array([[1, 1, 3], [2, 2, 4]]),
        [[1, 1, 3.0], [2, 2, 4]],
        {"channels": [[1, 1, 3], [2, 2, 4]]},
        {"1_1": 3, "(2, 2)": 4.0},
        {"1,1": 3, "2:2": 4},
        {"b4.torgb": [0.0, 3.0], "b8.conv0": np.array([[0.0, 0.0, 4.0]])},
        {"4x4/ToRGB": [0.0, 3.0], "G_synthesis_1/8x8/Conv0_up/mod_bias/add:0": [0.0, 0.0, 4.0]},
        {1: [0.0, 3.0], 2: [0.0, 0.0, 4.0]},
        {"style_1": [0.0, 3.0], "layer2": [0.0, 0.0, 4.0]},
        [np.zeros(2), np.array([[0.0, 3.0]]), np.array([0.0, 0.0, 4.0])],
        np.array([[[0, 0, 0], [0, 3, 0], [0, 0, 4]]]),
        np.array(WANTED),
        np.array([WANTED]),
    ],
)
def test_every_form(content: Any) -> None:
    ((name, direction),) = style_directions(content, STYLES)
    assert name == ""
    assert direction.tolist() == WANTED


def test_a_pair_is_one_channel_and_may_be_a_key(tmp_path: Path) -> None:
    """As StyleSpace names its channels: (layer, channel); pickles keep such keys as tuples."""
    named = style_directions({"gaze": (2, 2), "smile": [1, 0]}, STYLES)
    assert [(name, direction.nonzero()[0].tolist()) for name, direction in named] == [
        ("gaze", [6]),
        ("smile", [2]),
    ]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({(1, 1): 3.0, (2, 2): 4.0}))
    options = ImportOptions(space="s", level="attribute")
    (boundary,) = import_boundaries([tmp_path / "a.pkl"], GENERATOR, options).boundaries
    np.testing.assert_allclose(5.0 * boundary.normal, WANTED, atol=1e-6)


def test_names_of_tensorflow_are_those_of_all_styles(rooms) -> None:
    """The 26 styles at 1024 pixels, or those of a smaller network, in StyleSpace's order."""
    styles = [(rooms.strata[s].name, width) for s, width in style_strata(rooms)]
    sizes = [2**power for power in range(2, 1 + int(np.log2(rooms.card.resolution)))]
    names = [f"{r}x{r}/{kind}" for r in sizes for kind in ("Conv0_up", "Conv1", "ToRGB")]
    names = ["4x4/Conv", *names[2:]]
    assert len(names) == len(styles)
    for number, name in enumerate(names):
        ones = np.ones(styles[number][1])
        ((_, by_name),) = style_directions({name: ones}, styles)
        ((_, by_number),) = style_directions({number: ones}, styles)
        assert np.array_equal(by_name, by_number)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            [[3, 0, 1.0]],
            "names the style of layer 3; this generator has 3 layers with a style, of 7 channels",
        ),
        ([[1, 2, 1.0]], r"names channel 2 of layer 1 \(b4.torgb\), which has channels 0 to 1"),
        ([[0.5, 2, 1.0]], "names the style of layer 0.5"),
        (np.ones(6), r"a direction in s is a list of \(layer, channel, value\)"),
        ({"b4.conv1": [1.0] * 5}, "a direction in s is"),
        ({"smile": "x"}, "'smile' is a str; a direction in s is"),
        ({}, "holds a dictionary of nothing"),
        ([[1, 1], [2, 2]], r"pairs \(layer, channel\) without values"),
    ],
)
def test_what_is_no_edit_of_styles(content: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        style_directions(content, STYLES)


def test_named_edits_are_imported_exported_and_imported(tmp_path: Path) -> None:
    (tmp_path / "edits.json").write_text(json.dumps({"smile": {"1_1": 3, "2_2": 4}, "hair": [[0, 1, -2.0]]}))
    options = ImportOptions("s", "attribute")
    imported = import_boundaries([tmp_path / "edits.json"], GENERATOR, options)
    smile, hair = imported.boundaries
    assert (smile.name, smile.space, smile.facts["length"]) == ("imported/smile", "s", "5")
    np.testing.assert_allclose(smile.normal, np.array(WANTED) / 5.0, atol=1e-7)
    assert hair.normal.tolist() == [0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    (tmp_path / "ours").mkdir()
    save_boundaries(imported.boundaries, tmp_path / "ours")
    assert load_boundaries(tmp_path / "ours")[0].names == imported.boundaries.names
    (file,) = export_boundaries(tmp_path / "ours", tmp_path / "theirs", form="npz").files
    back = import_boundaries([file], GENERATOR).boundaries
    assert [(b.name, b.space) for b in back] == [("imported/smile", "s"), ("imported/hair", "s")]
    with pytest.raises(
        UserError, match="which HiGAN does not have; leave it out with --only, or write --as npz"
    ):
        export_boundaries(tmp_path / "ours", tmp_path / "list")
    run = AssumedGenerator("f" * 16, "w", 2, 6, "a run")
    with pytest.raises(UserError, match="name a checkpoint with styles as --assume, not a run"):
        import_boundaries([tmp_path / "edits.json"], run, options)


def test_a_checkpoint_tells_its_style_channels(rooms, tmp_path: Path) -> None:
    facts = identify_generator("bundled:rooms")
    assert [width for _, width in facts.styles] == [width for _, width in style_strata(rooms)]
    content = {rooms.strata[s].name: torch.ones(1, width) for s, width in style_strata(rooms)[2:4]}
    torch.save(content, tmp_path / "delta.pt")
    (delta,) = import_boundaries([tmp_path / "delta.pt"], facts, ImportOptions("s", "colour")).boundaries
    skipped, moved = (sum(w for _, w in style_strata(rooms)[a:b]) for a, b in ((0, 2), (2, 4)))
    assert np.count_nonzero(delta.normal) == moved
    assert not np.any(delta.normal[:skipped])


def test_directions_in_a_file_are_bounded() -> None:
    with pytest.raises(UserError, match="has 8 rows"):
        style_directions(np.tile([0, 0, 1], (8, 1)), STYLES)
    wide = (("b4.conv1", 1_000_000),)
    with pytest.raises(UserError, match="10000000 numbers of directions"):
        style_directions({f"d{i}": {"0_0": 1} for i in range(11)}, wide)
