"""From a validated config to plugins that fit each other; what only they show is reported together."""

from __future__ import annotations

from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Concept, Rendering
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import ConfigError
from ganstrata.core.runs.prepare import prepare
from torch import Tensor


class Deep(ganstrata.Scorer):
    """Reads a feature map that the fake generator may have."""

    class Config(ganstrata.PluginConfig):
        stratum: int = 2

    concepts = (Concept("mean", "attribute"),)

    def __init__(self, config: Any, device: torch.device) -> None:
        super().__init__(config, device)
        self.features = (config.stratum,)

    def score(self, rendering: Rendering) -> Tensor:
        return rendering.features[self.features[0]].mean(dim=(1, 2, 3))[:, None]


class Layerwise(ganstrata.BoundaryLearner):
    """A learner of w+."""

    layerwise = True

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        raise NotImplementedError


def faults_of(config: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        prepare(validate(config, "run.yaml"), source="run.yaml")
    return {" -> ".join(str(part) for part in fault.path): fault.message for fault in caught.value.faults}


def test_columns_follow_the_scorers(fakes, config) -> None:
    config["scorers"] = [
        {"use": "hue", "as": "colour"},
        {"use": "fake_readings"},
        {"use": "fake_constant", "as": "flat"},
    ]
    prepared = prepare(validate(config, "x"))
    names = [concept.name for concept in prepared.concepts]
    assert names[0] == "colour/red"
    assert names[14:16] == ["fake_readings/left", "fake_readings/checks"]
    assert (prepared.columns("colour"), prepared.columns("fake_readings"), prepared.columns("flat")) == (
        slice(0, 14),
        slice(14, 21),
        slice(21, 23),
    )
    with pytest.raises(KeyError):
        prepared.columns("hue")
    latents = prepared.generator.sample(3, 0, 0, ganstrata.Stream.PROBING)
    rendering = Rendering(
        ganstrata.render(prepared.generator, prepared.generator.broadcast(prepared.generator.map(latents.z)))
    )
    scores = prepared.score(rendering)
    assert scores.shape == (3, 23)
    for alias, scorer in prepared.scorers.items():
        assert np.array_equal(
            scores[:, prepared.columns(alias)], scorer.score(rendering).numpy(), equal_nan=True
        )


@pytest.mark.parametrize(
    ("concepts", "chosen"),
    [
        ({}, ["left", "checks", "stripes", "red", "chance", "constant", "half"]),
        ({"include": ["seen/l*", "*/red"]}, ["left", "red"]),
        ({"exclude": ["*/c*"]}, ["left", "stripes", "red", "half"]),
        ({"levels": ["colour", "object"]}, ["red", "constant"]),
        ({"include": ["seen/[lr]*"], "exclude": ["seen/red"], "levels": ["layout", "colour"]}, ["left"]),
    ],
)
def test_which_concepts_get_a_boundary(fakes, config, concepts: dict[str, Any], chosen: list[str]) -> None:
    prepared = prepare(validate({**config, "concepts": concepts}, "x"))
    assert [prepared.concepts[j].name for j in prepared.chosen] == [f"seen/{name}" for name in chosen]


def test_every_misfit_at_once(fakes, config, register) -> None:
    register("scorer", "deep", Deep)
    register("boundary", "layerwise", Layerwise)
    config["scorers"].append({"use": "deep", "with": {"stratum": 8}})
    config["boundary"] = {"use": "layerwise"}
    config["concepts"] = {"include": ["seen/*", "seen/strips"], "exclude": ["other/*"]}
    config["conditions"] = [{"edit": "seen/left", "keep": ["seen/rde"]}]
    config["rescoring"]["groups"] = {"low": "0-9", "back": "3-1", "top": "6-7"}
    config["rescoring"]["layers"] = ["each", "tpo"]
    faults = faults_of(config)
    assert faults.pop("scorers") == "'deep' reads features of stratum 8, which this generator does not have"
    assert "there is no layer 9; this generator has layers 0 to 7" in faults.pop("rescoring -> groups -> low")
    assert "runs backwards" in faults.pop("rescoring -> groups -> back")
    assert "'tpo' names no layers. Did you mean 'top'?" in faults.pop("rescoring -> layers")
    assert "'seen/strips' matches no concept. Did you mean 'seen/stripes'?" in faults.pop(
        "concepts -> include"
    )
    assert "'other/*' matches no concept" in faults.pop("concepts -> exclude")
    assert "'seen/rde' has no boundary. Did you mean 'seen/red'?" in faults.pop("conditions -> 0")
    assert "set it above 0" in faults.pop("synthesis -> mixing")
    assert not faults


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"rescoring": {"layers": ["each"]}}, "rescoring -> layers", "must contain `all`"),
        ({"concepts": {"exclude": ["*"]}}, "concepts", "no concept is left"),
        ({"concepts": {"include": ["seen/red"], "levels": ["layout"]}}, "concepts", "no concept is left"),
        (
            {"boundary": {"use": "ridge", "with": {"positives": 400, "negatives": 400}}},
            "boundary -> with",
            "640",
        ),
        (
            {
                "conditions": [{"edit": "seen/chance", "keep": ["seen/red"]}],
                "concepts": {"exclude": ["seen/chance"]},
            },
            "conditions -> 0",
            "'seen/chance'",
        ),
    ],
)
def test_what_only_the_plugins_can_tell(
    fakes, config, change: dict[str, Any], place: str, message: str
) -> None:
    faults = faults_of({**config, **change})
    assert list(faults) == [place]
    assert message in faults[place]


def test_features_are_the_union_of_what_is_read(fakes, config, register) -> None:
    register("scorer", "deep", Deep)
    config["scorers"] += [
        {"use": "deep"},
        {"use": "deep", "as": "deeper", "with": {"stratum": 5}},
        {"use": "deep", "as": "again"},
    ]
    assert prepare(validate(config, "x")).features == (2, 5)


def test_batch_size_is_resolved_once(fakes, config) -> None:
    config["synthesis"]["batch_size"] = "auto"
    validated = validate(config, "x")
    assert prepare(validated).batch == 64
    assert prepare(validated, batch=24).batch == 24, "what `auto` stood for when the run began"


def test_groups_are_the_configs_the_generators_or_cut_by_share(fakes, config) -> None:
    assert dict(prepare(validate(config, "x")).groups) == {
        "bottom": (0, 1),
        "lower": (2, 3),
        "upper": (4, 5),
        "top": (6, 7),
    }
    config["rescoring"]["groups"] = None
    assert [len(layers) for layers in prepare(validate(config, "x")).groups.values()] == [1, 2, 4, 1]
    config["rescoring"]["groups"] = {"early": "0-4"}
    prepared = prepare(validate(config, "x"))
    assert prepared.sets["early"] == (0, 1, 2, 3, 4)
    assert list(prepared.sets)[:3] == ["all", "0", "1"]


def test_a_fault_of_a_plugins_file_has_its_place_in_the_config(fakes, config) -> None:
    config["scorers"].append({"use": "category", "as": "scene", "with": {"checkpoint": "bundled:room"}})
    with pytest.raises(
        ConfigError,
        match=r"^rooms\.yaml: one fault.*\n"
        r"  scorers -> 1 -> with: 'category': no bundled scenes checkpoint called 'room'",
    ):
        prepare(validate(config, "x"), source="rooms.yaml")
    config["scorers"][-1] = {
        "use": "callable",
        "with": {"target": "no_such_package_of_mine:f", "concepts": [{"name": "f"}]},
    }
    with pytest.raises(
        ConfigError,
        match=r"scorers -> 1 -> with -> target: there is no module 'no_such_package_of_mine' to import",
    ):
        prepare(validate(config, "x"))
