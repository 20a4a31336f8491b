"""Leaderboards in space s, where learners of style channels are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import planted_styles
import pytest
from board_learners import values
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import ConfigError
from ganstrata.core.leaderboard import comparison, of_projections
from ganstrata.core.leaderboard.computing import board_of
from ganstrata.core.leaderboard.measuring import measure
from ganstrata.core.leaderboard.request import BoardRequest
from ganstrata.core.storage.kept_results import Store
from planted_styles import SCALES

SAE = "sae:{directions: 9, dictionary: 16, active: 3, steps: 60}"
LEARNERS = ("ridge", "style_channels:{exemplars: 20, to_rgb: true}", SAE, "sefa:{directions: 2}")
CHANNELS, ATOMS = "style_channels, exemplars: 20, to_rgb: True", SAE.replace(":{", ", ").rstrip("}")
SPREAD = float(np.sqrt(np.mean(np.square(SCALES))))  # s_s, the unit of a step
BED, RED = 3, 4  # channels second/0 and second/1


@pytest.fixture
def painted(register: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A config of the planted style channels."""
    monkeypatch.setattr(of_projections, "FITS", 10)
    register("generator", "painted", planted_styles.Painted)
    register("generator", "plain", planted_styles.Plain)
    register("scorer", "light", planted_styles.Light)
    return {
        "generator": {"use": "painted"},
        "scorers": [{"use": "light"}],
        "learning": {"space": "s"},
        "synthesis": {"samples": 400, "batch_size": 100},
        "rescoring": {"samples": 20, "null_directions": 12, "bootstrap": 100},
        "device": "cpu",
        "engine": {"workers": 1},
    }


def test_learners_of_styles_are_moved_in_s_and_held_against_random_styles(
    painted: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = comparison.moved
    asked: dict[tuple[int, ...] | None, np.ndarray] = {}

    def seen(scored: Any, shared: Any, directions: Any, *rest: Any) -> Any:
        if len(directions) == 12:  # random ones; each learner has two
            asked[directions[0].layers] = np.stack([d.normal for d in directions])
        return moved(scored, shared, directions, *rest)

    monkeypatch.setattr(comparison, "moved", seen)
    request = BoardRequest(LEARNERS, steps=(2.0,), fresh=100)
    board = board_of(measure(validate(painted, "test"), request, Store(tmp_path)))
    assert [row.label for row in board.rows] == ["ridge", CHANNELS, ATOMS]
    assert board.settings["space"] == "s"
    assert {b.space for row in board.rows for b in row.boundaries} == {"s"}
    assert "--set learning.space=w" in board.left["sefa, directions: 2"]
    # The channels that cause bed and red alone, of which the second's sd is that of its channel.
    normals = [np.abs(boundary.normal) for boundary in board.rows[1].boundaries]
    assert [int(normal.argmax()) for normal in normals] == [BED, RED]
    assert board.rows[1].where == "layer 1"
    assert board.single["target"][1, 1] == pytest.approx(2.0 * SPREAD / SCALES[RED], rel=0.1)
    assert board.single["others"][1, 1] < 0.0  # less than random directions change the bed
    assert (board.single["target"][0] > 0.5).all()
    assert (board.q[0] < 0.05).all()
    # Random directions are those of s; at layer 1 they lie in its six channels, and are as long.
    assert asked[None].shape == asked[1,].shape == (12, 9)
    assert np.abs(asked[None][:, :3]).min(axis=1).max() > 0.0
    assert not asked[1,][:, :3].any()
    for normals in asked.values():
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, rtol=1e-5)
    for name in ("target", "others", "accuracy", "disentanglement", "path_length"):
        assert np.isfinite(list(values(board, name).values())).all(), name


def test_what_was_kept_of_w_is_not_used_in_s(painted: dict[str, Any], tmp_path: Path) -> None:
    request = BoardRequest(("ridge", "style_channels:{exemplars: 20}"), steps=(2.0,), fresh=50)
    in_s = painted | {"rescoring": painted["rescoring"] | {"null_directions": 3}}
    in_w = in_s | {"learning": {"space": "w"}}
    spaces = []
    for config in (in_w, in_s, in_w):
        board = board_of(measure(validate(config, "test"), request, Store(tmp_path)))
        spaces.append([row.boundaries[0].space for row in board.rows])
        if config is in_w:
            assert "--set learning.space=s" in board.left["style_channels, exemplars: 20"]
    assert spaces == [["z"], ["s", "s"], ["z"]]  # without a mapping network, w is z


def test_a_generator_without_styles_has_no_comparison_in_s(painted: dict[str, Any], tmp_path: Path) -> None:
    config = validate(painted | {"generator": {"use": "plain"}}, "test")
    with pytest.raises(ConfigError, match=r"learning -> space: .* no style channels"):
        measure(config, BoardRequest(("ridge",), fresh=50), Store(tmp_path))


def test_atoms_of_styles_are_channels_of_the_chosen_layers(painted: dict[str, Any]) -> None:
    """Channels are independent and of different spread, so nothing else makes the styles up."""
    generator = ganstrata.load_generator("painted", device="cpu")
    learner = ganstrata.load_learner(
        "sae", device="cpu", directions=4, dictionary=16, active=3, steps=60, layers="1"
    )
    styles, none = np.zeros((4, 9), np.float32), np.zeros((4, 0), np.float32)
    found = learner.learn(styles, none, [], generator=generator, space="s")
    normals = np.stack([boundary.normal for boundary in found])
    assert normals.shape == (4, 9)
    assert not normals[:, :3].any()
    assert {boundary.layers for boundary in found} == {(1,)}
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, rtol=1e-5)
    assert found[0].facts["variance_explained"] > 0.5
    assert learner.learn(none, none, [], generator=generator)[0].normal.shape == (9,)  # w has nine axes too
