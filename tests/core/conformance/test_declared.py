"""What plugins declare: each slip is named when the plugin is built, whatever else is switched off."""

from __future__ import annotations

import ganstrata
import pytest
import torch
from ganstrata import ModelCard, PluginConfig, Stratum
from ganstrata.core.errors import PluginBroken
from sound_plugins import SIZE, Sound


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
        (Grouped, r"the group 'low' has layers \[0, 5\]; there are 0 to 1"),
        (Unfinished, r"failed in its constructor: TypeError: Can't instantiate abstract class Unfinished.*finish.*stratum"),
        (Raising, r"failed in its constructor: ValueError: no licence for this machine \(.*test_declared\.py:\d+\)"),
        (Leaving, r"failed in its constructor: SystemExit: goodbye \(.*test_declared\.py:\d+\)"),
    ],
)
def test_what_a_generator_declares_is_checked_always(plugin: type, words: str, register) -> None:
    register("generator", "broken", plugin)
    with pytest.raises(PluginBroken, match=words) as caught:
        ganstrata.load_generator("broken", device="cpu", check=False)
    assert "generator 'broken' from test 0" in str(caught.value)
    assert "\n" not in str(caught.value)
