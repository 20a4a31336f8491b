"""A picture that was painted on is made again with its noise maps and weights, or its recipe says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from conftest import CONFIG, _on_path
from ganstrata import Concept, Inputs, PluginConfig, Rendering
from ganstrata.app.inverted import from_folders, kept_source
from ganstrata.app.sessions import Session
from ganstrata.app.workspace import Workspace
from ganstrata.core.editing import recipe_making
from ganstrata.core.editing.recipe_values import decoded, encoded
from ganstrata.core.editing.sources import source_of
from ganstrata.core.errors import ConfigError, UserError
from ganstrata.core.figures.pictures import read_stored
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.runs.inversions import read_inversion
from generators_stylegan2 import small_state
from inverted_pictures import write_inverted
from masks_of_pages import blank
from masks_of_pages import encoded as encoded_mask
from safetensors.torch import save_file
from torch import Tensor

NAMES = ("sofa", "cat")


class ByColour(ganstrata.Segmenter):
    """The class of a pixel is its strongest colour."""

    concepts = tuple(Concept(name, "object") for name in ("red", "green", "blue"))

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, 3, H, W)."""
        return 10.0 * rendering.images


@pytest.fixture(scope="module")
def run(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a small StyleGAN2, which has noise maps and weights that may be changed."""
    folder = tmp_path_factory.mktemp("tiny")
    save_file(small_state(), folder / "tiny.safetensors")
    config = deepcopy(CONFIG)
    config["generator"] = {"use": "stylegan2", "with": {"checkpoint": str(folder / "tiny.safetensors")}}
    config["scorers"] = [{"use": "hue", "as": "colour"}]
    config["concepts"] = {"include": ["colour/red", "colour/saturation"]}
    config["boundary"]["with"] = {"positives": 20, "negatives": 20}
    config["synthesis"]["samples"] = 64
    config["rescoring"] = {
        "samples": 8, "layers": ["all"], "groups": None, "null_directions": 0, "bootstrap": 100,
    }  # fmt: skip
    config["editing"], config["report"] = {"samples": 1, "steps": 2}, {"samples": 2}
    with _on_path(site):
        return Path(ganstrata.run(config, folder / "run").path)


@pytest.fixture(scope="module")
def opened(site: Path, run: Path) -> Workspace:
    with _on_path(site):
        return Workspace.open(run)


@pytest.fixture
def inverted(opened: Workspace) -> Inversion:
    """Two pictures, each with noise maps of its own."""
    generator = opened.prepared.generator
    drawn = generator.sample(2, 7, 0, ganstrata.Stream.EDITING)
    inputs = Inputs(2, None, drawn.index, 0)
    maps = {s: generator.noise_map(s, inputs) for s in range(len(generator.strata))}
    random = torch.Generator().manual_seed(8)
    noise = {
        s: torch.randn(2, *x.shape[1:], generator=random) for s, x in list(maps.items())[1:] if x is not None
    }
    assert noise
    return Inversion(generator.broadcast(generator.map(drawn.z)), noise=noise)


@pytest.fixture
def weighed(opened: Workspace, inverted: Inversion) -> Inversion:
    """The same, each with weights of its own."""
    random = torch.Generator().manual_seed(9)
    tensors = list(opened.prepared.generator.tunable.items())[-3:]
    weights = tuple(
        {name: 0.3 * torch.randn(x.shape, generator=random) for name, x in tensors} for _ in NAMES
    )
    return replace(inverted, weights=weights)


@pytest.fixture
def here(opened: Workspace) -> Workspace:
    prepared = replace(
        opened.prepared, scorers={"strongest": ByColour(PluginConfig(), opened.prepared.device)}
    )
    return replace(opened, prepared=prepared, memory={})


@pytest.fixture
def painted(
    here: Workspace, session: Session, asking: Callable[[Workspace], Callable[..., Any]]
) -> Callable[..., tuple[dict[str, Any], dict[str, Any], Callable[..., Any]]]:
    """Return painted(begun): recipe and edit of the second picture, painted on twice, and what asks."""

    def of(
        *, begun: Any = (), source: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any], Callable[..., Any]]:
        ask = asking(replace(here, begun=begun))
        key = session.keep("cat", begun[1].source if source is None else source)
        edit: dict[str, Any] = {"picture": {"kept": key}, "moves": [{"along": "colour/red", "by": 1.0}]}
        for wanted in (0, 2):
            strokes = blank(16)
            strokes[4:12, 4:12] = wanted
            answer, _ = ask(
                "paint",
                edit=edit,
                strokes=encoded_mask(strokes),
                by="scorer strongest",
                steps=5,
                emphasis=1.0,
            )
            edit = {
                "picture": {"kept": answer["kept"]},
                "moves": [{"along": "colour/saturation", "by": -1.5}],
            }
        answer, _ = ask("export", edit=edit, kind="recipe")
        return json.loads(session.downloads[answer["file"]].content), edit, ask

    return of


def picture_of(ask: Callable[..., Any], session: Session, edit: dict[str, Any]) -> np.ndarray:
    return read_stored(session.downloads[ask("export", edit=edit, kind="picture")[0]["file"]].content)


def test_noise_maps_stand_in_the_recipe(painted, opened, inverted, session, run: Path, tmp_path: Path):
    folder = write_inverted(tmp_path / "photographs", inverted, NAMES, opened.prepared.generator, seed=5)
    recipe, edit, ask = painted(begun=from_folders(opened.prepared, [folder])[0])
    assert set(recipe["picture"]) == {"codes"}
    assert {int(s) for s in recipe["picture"]["codes"]["noise"]} == set(inverted.noise)
    assert recipe["picture"]["codes"]["noise_seed"] == 5
    again = ganstrata.replay(run, recipe)
    assert again.same_pixels is True
    np.testing.assert_array_equal(again.picture, picture_of(ask, session, edit))
    # Without the maps, the picture would be another.
    bare = deepcopy(recipe)
    del bare["picture"]["codes"]["noise"]
    assert ganstrata.replay(run, bare).same_pixels is False


def test_weights_come_from_the_folder_and_codes_from_the_recipe(
    painted, here, opened, weighed, asking, session, run: Path, tmp_path: Path
):
    generator = opened.prepared.generator
    folder = write_inverted(tmp_path / "photographs", weighed, NAMES, generator)
    recipe, edit, ask = painted(begun=from_folders(opened.prepared, [folder])[0])
    named = recipe["picture"]["inverted"]
    assert (named["folder"], named["name"], named["origin"]) == ("photographs", "cat", "Cat, painted")
    again = ganstrata.replay(run, recipe, codes=folder, out=tmp_path / "out")
    assert again.same_pixels is True
    np.testing.assert_array_equal(again.picture, picture_of(ask, session, edit))
    assert "cat of photographs, painted on" in repr(again)
    said = json.loads((tmp_path / "out" / "manipulate.json").read_text(encoding="utf-8"))["codes"]
    assert (said["from"], said["name"], said["on"]["file"]) == ("painting", "cat", "photographs")
    # Opened in another tab, it is the same picture, and has the same recipe.
    session.kept.clear()
    session.live.clear()
    answer, _ = ask("open_recipe", text=json.dumps(recipe))
    assert (answer["same"], answer["name"]) == (True, "Cat, painted")
    file = ask("export", edit=answer["edit"], kind="recipe")[0]["file"]
    assert json.loads(session.downloads[file].content) == recipe
    with pytest.raises(UserError, match="of inverted pictures; name that folder with --codes"):
        asking(here)("open_recipe", text=json.dumps(recipe))
    # Without the codes that were painted, it is the picture of the folder, moved.
    plain = deepcopy(recipe)
    del plain["picture"]["inverted"]["painted"]
    assert ganstrata.replay(run, plain, codes=folder).same_pixels is False


def test_a_folder_with_other_weights_is_refused(painted, opened, weighed, run: Path, tmp_path: Path):
    generator = opened.prepared.generator
    folder = write_inverted(tmp_path / "photographs", weighed, NAMES, generator)
    recipe, _, _ = painted(begun=from_folders(opened.prepared, [folder])[0])
    other = tuple({key: 2.0 * x for key, x in one.items()} for one in weighed.weights)
    tuned = write_inverted(tmp_path / "again", replace(weighed, weights=other), NAMES, generator)
    with pytest.raises(ConfigError, match="whose weights were others than those in again"):
        ganstrata.replay(run, recipe, codes=tuned)
    with pytest.raises(ConfigError, match="name that folder with --codes"):
        ganstrata.replay(run, recipe)
    short = deepcopy(recipe)
    short["picture"]["inverted"]["painted"] = {"codes": "AACAPw==", "shape": [1, 1]}
    with pytest.raises(ConfigError, match=r"its codes have the shape \(1, 1\)"):
        ganstrata.replay(run, short, codes=folder)


def test_what_no_recipe_can_hold_is_refused_with_the_reason(
    painted, opened, inverted, weighed, run: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of a photograph that was inverted in the page, no folder could be named."""
    generator = opened.prepared.generator

    def alone(inversion: Inversion) -> Any:
        weights = inversion.weights[1:]
        one = Inversion(
            inversion.codes[1:], noise={s: x[1:] for s, x in inversion.noise.items()}, weights=weights
        )
        return kept_source(generator, one, "cat", 3)

    recipe, _, _ = painted(source=alone(inverted))
    assert ganstrata.replay(run, recipe).same_pixels is True
    with pytest.raises(UserError, match="weights of its own, which no recipe holds, so that a recipe would"):
        painted(source=alone(weighed))
    monkeypatch.setattr(recipe_making, "NOISE_BYTES", 1023)
    with pytest.raises(UserError, match=r"noise maps of \d KiB, and a recipe holds 0, .* it is of none"):
        painted(source=alone(inverted))


def test_noise_maps_that_do_not_fit_are_refused(painted, opened, inverted, run: Path, tmp_path: Path):
    folder = write_inverted(tmp_path / "photographs", inverted, NAMES, opened.prepared.generator)
    recipe, _, _ = painted(begun=from_folders(opened.prepared, [folder])[0])
    s = next(iter(inverted.noise))
    maps = recipe["picture"]["codes"]["noise"]
    values = np.frombuffer(decoded(maps[str(s)]), "<f4")
    endless = np.where(np.arange(values.size) == 1, np.inf, values).astype("<f4")
    last = len(opened.prepared.generator.strata) - 1
    for changed, words in (
        (
            {str(s): encoded(values[1:].tobytes())},
            f"its noise map of stratum {s} has {values.size - 1} num",
        ),
        ({str(last): maps[str(s)]}, f"it has a noise map of stratum {last}, and .* adds no noise there"),
        ({"9999": maps[str(s)]}, "it has a noise map of stratum 9999"),
        ({str(s): encoded(endless.tobytes())}, f"numbers of the noise map {s} are not all finite"),
        ({str(s): "AAA"}, "it is not valid base64"),
        ({str(s): "AAAA"}, f"numbers of the noise map {s} have 4 bytes each; these have 3"),
        ({"one": maps[str(s)]}, "noise"),
    ):
        data = {**recipe, "picture": {"codes": {**recipe["picture"]["codes"], "noise": changed}}}
        with pytest.raises(ConfigError, match=words):
            ganstrata.replay(run, data)


def test_a_picture_of_a_folder_that_was_not_painted_keeps_its_name(
    here, opened, weighed, asking, session, run: Path, tmp_path: Path
):
    folder = write_inverted(tmp_path / "photographs", weighed, NAMES, opened.prepared.generator)
    source = source_of(read_inversion(folder, opened.prepared.generator)).rows([1])
    ask = asking(replace(here, begun=from_folders(opened.prepared, [folder])[0]))
    edit = {
        "picture": {"kept": session.keep("my cat", source)},
        "moves": [{"along": "colour/red", "by": 2.0}],
    }
    recipe = json.loads(session.downloads[ask("export", edit=edit, kind="recipe")[0]["file"]].content)
    assert set(recipe["picture"]["inverted"]) == {"folder", "name", "sha256", "weights"}
    assert ganstrata.replay(run, recipe, codes=folder).same_pixels is True
