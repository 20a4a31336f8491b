"""The built-in plugins keep the promises of their contracts, each with a small network of random weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from built_in_plugins import GENERATORS, LEARNERS, SCORERS
from ganstrata.core.plugins.plugin_info import Kind
from ganstrata.core.plugins.registry import registry
from ganstrata.testing import check_plugin

QUICK = {"ProgressiveGAN", "StyleGAN", "hue", "a function", "mean_difference", "sefa"}


def _cases(labels: Collection[str]) -> list[Any]:
    return [
        pytest.param(label, marks=() if label in QUICK else pytest.mark.full, id=label) for label in labels
    ]


def _failures(kind: Kind, plugin: str, config: Mapping[str, Any]) -> dict[str, str]:
    return {o.check.name: o.message for o in check_plugin(kind, plugin, config) if o.verdict == "failed"}


@pytest.mark.parametrize("label", _cases(GENERATORS))
def test_generators(label: str, tmp_path: Path) -> None:
    plugin, config = GENERATORS[label]
    assert _failures("generator", plugin, config(tmp_path)) == {}


@pytest.mark.parametrize("label", _cases(SCORERS))
def test_scorers(label: str, tmp_path: Path) -> None:
    plugin, config = SCORERS[label]
    if plugin in ("image_classifier", "text"):
        pytest.importorskip("transformers", reason="transformers is not installed")
    assert _failures("scorer", plugin, config(tmp_path)) == {}


@pytest.mark.parametrize("label", _cases(LEARNERS))
def test_learners(label: str) -> None:
    plugin, config = LEARNERS[label]
    assert _failures("boundary", plugin, config) == {}


@pytest.mark.parametrize(
    ("kind", "tried"),
    [
        ("generator", {plugin for plugin, _ in GENERATORS.values()}),
        ("scorer", {plugin for plugin, _ in SCORERS.values()}),
        ("boundary", {plugin for plugin, _ in LEARNERS.values()}),
    ],
)
def test_every_built_in_plugin_is_tried(kind: Kind, tried: set[str]) -> None:
    ours = {info.name for info in registry().infos(kind) if info.target.startswith("ganstrata.plugins.")}
    # tests/plugins/scorers/test_extractor.py and tests/plugins/boundaries/test_text.py try these
    elsewhere = {"scorer": {"extractor"}, "boundary": {"text"}}
    assert ours - elsewhere.get(kind, set()) == tried
