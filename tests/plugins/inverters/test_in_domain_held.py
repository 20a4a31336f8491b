"""Codes stay where an encoder finds them again."""

from __future__ import annotations

import pytest
import torch
from ganstrata import Generator, Inversion
from ganstrata.core.errors import UserError
from ganstrata.core.runs.loading import build
from ganstrata.plugins.inverters import in_domain
from ganstrata.plugins.inverters.standard import standards
from ganstrata.testing.inverter_checks import SEED, task_of
from ganstrata.testing.tiny import tiny


class Constant:
    """Answers every picture with the same codes."""

    def __init__(self, codes: torch.Tensor) -> None:
        self.codes = codes

    def __call__(self, pictures: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        return self.codes.expand(len(pictures), -1, -1)


def refined(monkeypatch: pytest.MonkeyPatch, weight: float) -> tuple[torch.Tensor, ...]:
    """Return codes before and after, and those that the encoder gives, in standard units."""
    task = task_of(tiny())
    start = build("inverter", "best", {"samples": 8}, device="cpu").invert(task, None)
    wanted = task.generator.broadcast(task.generator.sample(1, 5, 0, 0).z)
    encoder = Constant(wanted)
    monkeypatch.setattr(in_domain, "load_encoder", lambda path, generator: encoder)
    options = {"checkpoint": "x", "weight": weight, "steps": 60}
    found: Inversion = build("inverter", "in_domain", options, device="cpu").invert(task, start)
    units = standards(task.generator, None, SEED).codes
    with torch.no_grad():
        known = encoder(task.render(found).images)
    return tuple(units.units(x) for x in (start.codes, found.codes, known))


def test_codes_are_drawn_to_what_the_encoder_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    before, free, known = refined(monkeypatch, 0.0)
    _, held, _ = refined(monkeypatch, 100.0)
    apart = [float((x - known).square().mean()) for x in (before, free, held)]
    assert apart[2] < 0.1 * min(apart[:2])
    assert not torch.allclose(free, before)


def test_without_an_encoder_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(generator: Generator) -> None:
        return None

    monkeypatch.setattr(in_domain, "bundled_encoder", none)
    with pytest.raises(
        UserError, match=r"no encoder is bundled.*ganstrata encoder train.*in_domain\.checkpoint"
    ):
        build("inverter", "in_domain", {}, device="cpu").check_generator(tiny())
