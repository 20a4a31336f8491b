"""Test that each invalid declaration of a plugin is named when the plugin is built."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Concept, ModelCard, PluginConfig, PriorCode, Stratum
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import PluginBroken
from ganstrata.core.runs.prepare import prepare
from sound_plugins import SIZE, Sound
from torch import Tensor


class NoCard(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        del self.card


class NoStrata(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.strata = ()


class OddStrata(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.strata = ("place", "paint")  # type: ignore[assignment]


class OddCard(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("odd", SIZE, layers=2, code_size=3.0, latent_size=3)  # type: ignore[arg-type]


class Forgetful(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        self.card = ModelCard("forgetful", SIZE, layers=2, code_size=3, latent_size=3)
        self.strata = (Stratum("place", 0, SIZE), Stratum("paint", 1, SIZE))


class Grouped(Sound):
    groups = {"low": (0, 5)}  # noqa: RUF012 - a plugin's slip


class Unfinished(ganstrata.Generator):
    """It has no stratum() and no finish()."""


class Raising(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        raise ValueError("no licence\nfor this machine")


class Leaving(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        raise SystemExit("goodbye")


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (NoCard, r"has no card; its constructor must set self\.card to a ganstrata\.ModelCard"),
        (NoStrata, "has no strata"),
        (OddStrata, "has tuple for strata"),
        (OddCard, r"card\.code_size is 3\.0; a whole number"),
        (Forgetful, r"must call super\(\)\.__init__\(config, device\)"),
        (Grouped, r"the group 'low' has layers \(0, 5\); there are 0 to 1"),
        (
            Unfinished,
            r"failed in its constructor: TypeError: Can't instantiate "
            r"abstract class Unfinished.*finish.*stratum",
        ),
        (
            Raising,
            r"failed in its constructor: ValueError: no licence for this machine \(.*test_declared\.py:\d+\)",
        ),
        (Leaving, r"failed in its constructor: SystemExit: goodbye \(.*test_declared\.py:\d+\)"),
    ],
)
def test_what_a_generator_declares_is_checked_always(plugin: type, words: str, register) -> None:
    register("generator", "broken", plugin)
    with pytest.raises(PluginBroken, match=words) as caught:
        ganstrata.load_generator("broken", device="cpu", check=False)
    assert "generator 'broken' from test 0" in str(caught.value)
    assert "\n" not in str(caught.value)


def with_card(**change: Any) -> type[Sound]:
    """The same with other values in its card."""

    class Changed(Sound):
        def __init__(self, config: PluginConfig, device: torch.device) -> None:
            super().__init__(config, device)
            self.card = replace(self.card, **change)

    return Changed


def with_stratum(**change: Any) -> type[Sound]:
    """The same with other values in its first stratum."""

    class Changed(Sound):
        def __init__(self, config: PluginConfig, device: torch.device) -> None:
            super().__init__(config, device)
            self.strata = (replace(self.strata[0], **change), self.strata[1])

    return Changed


def saying(**what: Any) -> type[Sound]:
    """The same with other properties."""
    return type("Changed", (Sound,), what)


class Restless(Sound):
    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        return str(next(COUNTER))


COUNTER = count()


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (
            with_card(resolution=np.int64(SIZE)),
            r"card\.resolution is 8 \(numpy\.int64\); a whole number above 0 was expected"
            r"; write int\(\.\.\.\)",
        ),
        (with_card(layers=True), r"card\.layers is True; a whole number"),
        (with_card(family=None), r"card\.family is None; text was expected"),
        (with_card(source=5), r"card\.source is 5; text was expected"),
        (with_card(sha256=b"ab"), r"card\.sha256 is b'ab'; text was expected"),
        (with_card(weights=float("nan")), r"card\.weights is nan; text was expected"),
        (
            with_card(truncation=np.float32(0.5)),
            r"card\.truncation is 0\.5 \(numpy\.float32\); text was expected; write str\(\.\.\.\)",
        ),
        (with_stratum(name=5), r"strata\[0\]\.name is 5; text was expected"),
        (
            with_stratum(reads=[0]),
            r"strata\[0\]\.reads is \[0\]; the number of a layer, or None, was expected",
        ),
        (with_stratum(reads=np.int64(0)), r"strata\[0\]\.reads is 0 \(numpy\.int64\); .*write int\(\.\.\.\)"),
        (with_stratum(size=None), r"strata\[0\]\.size is None; a whole number above 0 was expected"),
        (
            saying(layer_scale=[1.0, 1.0]),
            r"layer_scale is \[1\.0, 1\.0\]; a numpy array of 2 finite floats, of shape \(2,\)",
        ),
        (saying(layer_scale=np.array([1.0, np.nan])), "layer_scale is ndarray of shape .*finite floats"),
        (saying(layer_scale=np.array(["a", "b"])), "layer_scale is ndarray of shape .*finite floats"),
        (saying(groups={"a": 3}), "the group 'a' has layers 3; there are 0 to 1"),
        (saying(groups={"a": (0.0,)}), r"the group 'a' has layers \(0\.0,\)"),
        (saying(groups={"all": (0,)}), "'all' in groups cannot name a group"),
        (saying(groups={1: (0,)}), "1 in groups is not text|'1' in groups is not text"),
        (saying(prior_codes=["tilt"]), "prior_codes is .*; a tuple of ganstrata.PriorCode was expected"),
        (saying(prior_codes=(PriorCode("a/", 0, 1),)), "prior_codes, a name has an empty part"),
        (saying(prior_codes=(PriorCode("a", 0, 99),)), r"'a' has coordinates 0 to 98 of \d+; there are"),
        (saying(prior_codes=(PriorCode("a", 0, 1, categorical=True),)), "'a' has coordinates 0 to 0 of"),
        (saying(prior_codes=(PriorCode("a", -1, 1),)), "'a' begins at -1, but the code before ends at 0"),
        (
            saying(prior_codes=(PriorCode("a", 0, 1), PriorCode("a", 1, 2))),
            "two codes are called 'a'; there are",
        ),
        (saying(space="q"), "space is 'q'; it must be one of z, w, w"),
        (saying(space=None), "space is None; it must be one of"),
        (saying(fingerprint=None), "fingerprint is None; text that names the latent space"),
        (saying(fingerprint=""), "fingerprint is ''; text that names the latent space"),
        (Restless, "fingerprint differs each time"),
    ],
)
def test_fields_of_the_records_have_types(plugin: type, words: str, register) -> None:
    plugin.__qualname__, plugin.__module__ = "Tried", __name__
    globals()["Tried"] = plugin
    register("generator", "broken", plugin)
    with pytest.raises(PluginBroken, match=words) as caught:
        ganstrata.load_generator("broken", device="cpu", check=False)
    assert "generator 'broken' from test 0" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_of_groups_may_be_numbers_of_numpy(fakes, register, config) -> None:
    class Grouped(fakes.Layered):
        groups = {"low": np.arange(4), "high": np.arange(4, 8)}  # noqa: RUF012

    Grouped.__qualname__, Grouped.__module__ = "Tried", __name__
    globals()["Tried"] = Grouped
    register("generator", "grouped", Grouped)
    del config["rescoring"]["groups"]
    prepared = prepare(validate(config | {"generator": {"use": "grouped"}}, "test"))
    assert prepared.groups == {"low": (0, 1, 2, 3), "high": (4, 5, 6, 7)}
    assert all(type(layer) is int for layers in prepared.groups.values() for layer in layers)


class Scoring(ganstrata.Scorer):
    concepts = (Concept("one", "object"),)

    def score(self, rendering: ganstrata.Rendering) -> Tensor:
        return rendering.images.mean(dim=(1, 2, 3))[:, None]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"concepts": (Concept(5, "object"),)}, "the name of a concept is 5; text was expected"),
        (
            {"concepts": (Concept("one", "object", least="a"),)},
            "of the concept 'one' least is 'a'; a number that is not negative, or None",
        ),
        (
            {"concepts": (Concept("one", "object", least=-1.0),)},
            r"least is -1\.0; a number that is not negative",
        ),
        ({"concepts": (Concept("one", "object", least=float("nan")),)}, "least is nan"),
        (
            {"concepts": (Concept("one", "object", threshold=np.float32(0.5)),)},
            r"threshold is 0\.5 \(numpy\.float32\).*write float\(\.\.\.\)",
        ),
        (
            {"concepts": (Concept("one", "object", threshold=float("inf")),)},
            "threshold is inf; a finite number, or None",
        ),
        (
            {"concepts": (Concept("one", "object", may_be_undefined="yes"),)},
            "may_be_undefined is 'yes'; True or False",
        ),
        ({"checkpoint": None}, "checkpoint is None; the hash of its weights, as text"),
        ({"input_size": 224}, r"input_size is 224; \(height, width\) in pixels, or None, was expected"),
        ({"input_size": (224, 0)}, r"input_size is \(224, 0\); \(height, width\) in pixels"),
        ({"input_size": (224, 2.0)}, r"input_size is \(224, 2.0\); \(height, width\) in pixels"),
        ({"input_size": (1, 2, 3)}, r"input_size is \(1, 2, 3\); \(height, width\) in pixels"),
        ({"packages": "numpy"}, "packages is 'numpy'; it must be a tuple of names"),
        ({"features": 3}, "features is 3; it must be a tuple of numbers of strata"),
        ({"features": (True,)}, r"features is \(True,\); it must be a tuple"),
        ({"extras": ("a", "a")}, "has two extras called 'a'"),
    ],
)
def test_fields_of_a_scorer_have_types(change: dict[str, Any], words: str, register) -> None:
    plugin = type("Tried", (Scoring,), {"__module__": __name__, **change})
    globals()["Tried"] = plugin
    register("scorer", "broken", plugin)
    with pytest.raises(PluginBroken, match=words) as caught:
        ganstrata.load_scorer("broken", device="cpu")
    assert "scorer 'broken' from test 0" in str(caught.value)
