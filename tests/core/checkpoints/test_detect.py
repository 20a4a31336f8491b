"""The plugin of a checkpoint: the surest claim wins, rivals are named, and failing plugins reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import ganstrata
import pytest
import torch
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.checkpoints.detect import candidates, choose, collect_claims, own_part
from ganstrata.core.errors import CheckpointError, PluginBroken
from ganstrata.core.plugins.records import Match
from ganstrata.plugins.generators.stylegan2.generator import StyleGAN2
from rivals import Rival
from safetensors.torch import load_file

DATA = Path(__file__).parents[2] / "data"
UNCOND = DATA / "stylegan2_uncond_32.safetensors"
Register = Callable[[str, str, type], None]


class Meek(ganstrata.Generator):
    """Claims everything, with low confidence."""

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        return Match(0.2, "anything")


class Failing(ganstrata.Generator):
    """Fails in recognise()."""

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        raise KeyError("weight of mine")


class Vague(ganstrata.Generator):
    """Returns something that is not a Match."""

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        return True  # type: ignore[return-value]


def strange(folder: Path) -> Path:
    path = folder / "strange.pt"
    torch.save({"alpha": torch.zeros(3)}, path)
    return path


def test_the_surest_plugin_gets_the_file(register: Register) -> None:
    register("generator", "aaa_meek", Meek)
    checkpoint = read_checkpoint(UNCOND)
    assert choose(checkpoint).plugin == "stylegan2"
    assert [claim.plugin for claim in candidates(checkpoint)] == ["stylegan2", "aaa_meek"]


def test_rivals_are_both_named(register: Register) -> None:
    register("generator", "rival", Rival)
    checkpoint = read_checkpoint(UNCOND)
    assert collect_claims(checkpoint).rivals == ["rival", "stylegan2"]
    with pytest.raises(
        CheckpointError,
        match=r"claimed by the generator plugins rival and stylegan2 with equal right; name one with `use:`",
    ):
        choose(checkpoint)


def test_rivals_over_a_mixture_are_reported_as_a_mixture(register: Register, tmp_path: Path) -> None:
    register("generator", "rival", Rival)
    state = load_file(UNCOND) | load_file(DATA / "pggan_higan_32.safetensors")
    torch.save(state, tmp_path / "mixed.pt")
    with pytest.raises(
        CheckpointError,
        match=r"StyleGAN2 \(NVIDIA's names\) and ProgressiveGAN \(.*\): save one of them alone",
    ):
        choose(read_checkpoint(tmp_path / "mixed.pt"))


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (Failing, " failed in recognise: KeyError: 'weight of mine'"),
        (Vague, ": recognise returned bool; a ganstrata.Match"),
    ],
)
def test_a_plugin_that_fails_to_recognise_does_not_stop_the_others(
    plugin: type, reason: str, register: Register
) -> None:
    register("generator", "aaa_failing", plugin)
    claims = collect_claims(read_checkpoint(UNCOND))
    assert [claim.plugin for claim in claims.candidates] == ["stylegan2"]
    (failure,) = claims.failures
    assert failure.startswith(f"generator 'aaa_failing' from test 0{reason}")


def test_failures_are_reported_if_no_plugin_claims_the_file(register: Register, tmp_path: Path) -> None:
    register("generator", "failing", Failing)
    with pytest.raises(
        CheckpointError,
        match=r"no generator plugin that is installed: its 1 tensor is called alpha.*\n"
        r".*'failing' from test 0",
    ):
        choose(read_checkpoint(strange(tmp_path)))


def test_a_failing_plugin_chosen_by_name_is_broken(tmp_path: Path) -> None:
    with pytest.raises(PluginBroken, match=r"Failing failed in recognise on .*strange\.pt: KeyError"):
        own_part(Failing, read_checkpoint(strange(tmp_path)))


def test_the_wrong_plugin_chosen_by_name_points_to_the_right_one(register: Register) -> None:
    register("generator", "meek", Meek)
    with pytest.raises(
        CheckpointError,
        match="is not a Layered generator: it belongs to the generator plugin meek or stylegan2",
    ):
        own_part(type("Layered", (ganstrata.Generator,), {}), read_checkpoint(UNCOND))


def test_an_unknown_file_is_described_if_a_plugin_was_chosen_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a StyleGAN2 generator: its 1 tensor is called alpha"):
        own_part(StyleGAN2, read_checkpoint(strange(tmp_path)))
