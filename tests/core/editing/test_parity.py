"""Moves, layer strengths and lists of layers equal those of HiGAN's editor.

The reference is genforce/higan 2088e23, utils/editor.py. `tests/data/higan_editor.npz` holds a part of the
numbers; if GANSTRATA_PARITY names a folder of references, all are tested.
"""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from ganstrata.core.errors import LayerError
from ganstrata.core.strata.layers import parse_layers
from ganstrata.core.strata.moves import edit_direction, move
from ganstrata.plugins.generators.shared.truncation import scale

DATA = Path(__file__).parents[2] / "data"
PARITY = os.environ.get("GANSTRATA_PARITY")
LAYERS = 6
DEFAULTS = {"start_distance": -5.0, "end_distance": 5.0, "step": 21}
SMALL = (
    "plain",
    "plain_f64_boundary_asym",
    "layerwise_range_strength",
    "layerwise_wp_boundary_wp",
    "layerwise_wp_int_layer",
)
BROKEN = (
    "'1-2-3'",
    "'5-3'",
    "''",
    "None",
)  # they read these as no layers, which then means all; ours says what is wrong


@pytest.fixture(scope="module")
def editor() -> dict[str, object]:
    """Arrays, cases and lists, from the folder of references if there is one."""
    if PARITY:
        folder = Path(PARITY) / "higan_editor"
        arrays = {}
        for name in ("inputs", "outputs"):
            with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
                arrays |= dict(file)
        cases = json.loads((folder / "README.json").read_text(encoding="utf-8"))["manipulate_cases"]
        return {
            "arrays": arrays,
            "cases": cases,
            "lists": json.loads((folder / "cases.json").read_text(encoding="utf-8")),
        }
    with np.load(DATA / "higan_editor.npz", allow_pickle=False) as file:
        return {"arrays": dict(file)} | json.loads((DATA / "higan_editor.json").read_text(encoding="utf-8"))


def test_moves(editor) -> None:
    tested = []
    for name, case in editor["cases"].items():
        options = DEFAULTS | case
        codes, boundary = (editor["arrays"][options[key]].astype(np.float64) for key in ("codes", "boundary"))
        expected = editor["arrays"][f"manipulate.{name}"]
        if name == "code_2x3":
            continue  # codes of more axes than any generator here has
        layerwise = options.get("layerwise_manipulation", False)
        layers = chosen(options.get("manipulate_layers")) if layerwise else (0,)
        strength = np.broadcast_to(
            options.get("layerwise_manipulation_strength", 1.0) if layerwise else 1.0,
            (LAYERS,) if layerwise else (1,),
        )
        codes = codes if codes.ndim == 3 else codes[:, None].repeat(LAYERS if layerwise else 1, axis=1)
        field = edit_direction(boundary[0], layers, strength.astype(np.float32))
        for t, distance in enumerate(
            np.linspace(options["start_distance"], options["end_distance"], options["step"])
        ):
            moved = move(torch.from_numpy(codes), field, float(distance)).numpy()
            np.testing.assert_allclose(
                moved if layerwise else moved[:, 0], expected[:, t], atol=1e-6, err_msg=name
            )
        tested.append(name)
    assert len(tested) == (12 if PARITY else len(SMALL))


def chosen(options) -> tuple[int, ...]:
    """Translate HiGAN's notation of layers to ours; empty means all layers."""
    if options in (None, "", "1-2-3"):
        return tuple(range(LAYERS))
    return parse_layers(",".join(map(str, options)) if isinstance(options, list) else str(options), LAYERS)


def test_lists_of_layers(editor) -> None:
    read = refused = 0
    for case in editor["lists"]["parse_indices"]:
        if not isinstance(value := ast.literal_eval(case["input"]), str) and case["input"] not in BROKEN:
            continue  # numbers and lists are no text
        count = 20 if case["max_val"] is None else case["max_val"] + 1
        if case["input"] in BROKEN or case.get("error"):
            if case["min_val"]:
                continue  # ours begin at 0
            with pytest.raises(LayerError):
                parse_layers("" if value is None else value, count)
            refused += 1
        else:
            assert list(parse_layers(value, count)) == case["result"]
            read += 1
    assert read >= 6
    assert refused >= 7


def test_strengths(editor) -> None:
    for case in editor["lists"]["layerwise_strength"]:
        ours = scale(case["num_layers"], case["truncation_psi"], case["truncation_layers"])
        if "error" in case:  # theirs fails where all layers are truncated and more; ours truncates all
            assert (ours == np.float32(case["truncation_psi"])).all()
        else:
            np.testing.assert_allclose(ours, case["result"], atol=1e-6)
