"""The benchmarks of throughput and of scale, on tiny networks: both procedures score alike."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
import zarr
from ganstrata.core.pipeline.results import open_run
from ganstrata.plugins.scorers.networks.resnet import ResNetShape

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import modules of benchmarks/, which are forgotten after the test; wideresnet18 is a narrow one."""
    folder = ROOT / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    narrow = ResNetShape(4, (4, 4, 8, 8), (1, 1, 1, 1), False, 365), False
    monkeypatch.setitem(load("scorer_models").PLACES, "wideresnet18", narrow)
    yield load
    for name in {path.stem for path in folder.iterdir()} & (set(sys.modules) - before):
        del sys.modules[name]


@pytest.fixture
def config(scripts: Any, tmp_path: Path) -> dict[str, Any]:
    return scripts("throughput").written(tmp_path, tiny=True)


def test_the_other_procedure_scores_pictures_as_we_do(scripts, config, tmp_path: Path) -> None:
    """Its codes, given to our generator and scorers, have its scores; pixels of 8 bits are the difference."""
    arrays = scripts("throughput").procedure(config).run(6, tmp_path)
    assert arrays["category"].shape == (6, 365)
    assert np.load(tmp_path / "attribute.npy").shape == (6, 102)
    generator = ganstrata.load_generator("stylegan", device="cpu", **config["generator"]["with"])
    w = generator.map(torch.from_numpy(arrays["z"]))
    np.testing.assert_allclose(w.detach().numpy(), arrays["w"], rtol=1e-3, atol=1e-4)
    images = ganstrata.Rendering(ganstrata.render(generator, torch.from_numpy(arrays["wp"])))
    for use in config["scorers"]:
        theirs = arrays[use["use"]]
        scorer = ganstrata.load_scorer(use["use"], device="cpu", **use["with"])
        ours = scorer.score(images).numpy()[:, : theirs.shape[1]]  # after the categories comes `indoor`
        assert np.abs(ours - theirs).max() < 0.05 * max(float(theirs.std()), float(np.abs(theirs).max()))
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


def test_the_stage_stores_every_score_and_its_share_is_one_at_most(scripts, config, tmp_path: Path) -> None:
    throughput = scripts("throughput")
    share = throughput.share(config, 6, 1, tmp_path)
    assert 0.0 < share < 1.5
    runs = sorted(tmp_path.glob("run*"))
    assert len(runs) == 2, "one to warm up"
    assert zarr.open_array(runs[-1] / "samples.zarr" / "scores" / "attribute").shape == (6, 102)
    assert list(open_run(runs[-1]).record.stages) == ["synthesize"]


def test_the_other_procedure_moves_pictures_as_we_do(scripts, config, tmp_path: Path) -> None:
    """Changes along a direction, of its codes: at all layers, then layer by layer."""
    other = scripts("throughput").procedure(config)
    generator = ganstrata.load_generator("stylegan", device="cpu", **config["generator"]["with"])
    use = config["scorers"][1]
    scorer = ganstrata.load_scorer(use["use"], device="cpu", **use["with"])
    normal = np.zeros((1, generator.card.code_size), np.float32)
    normal[0, 0] = 1.0
    found = other.rescore(5, normal, [3], 4.0, layerwise=True)
    assert found.shape == (1, 5, 1 + generator.card.layers)
    wp = torch.from_numpy(other.run(5, tmp_path)["wp"])
    for s, layers in ((0, slice(None)), (2, [1])):
        moved = wp.clone()
        moved[:, layers, 0] += 4.0
        before, after = (
            scorer.score(ganstrata.Rendering(ganstrata.render(generator, codes)))[:, 3].numpy()
            for codes in (wp, moved)
        )
        np.testing.assert_allclose(found[0, :, s], after - before, atol=0.1 * float(np.abs(after).max()))
    assert not np.allclose(found[0, :, 0], found[0, :, 2])


@pytest.mark.full
def test_rescoring_of_both_procedures_runs(scripts, config) -> None:
    ratios = scripts("throughput").rescoring(config, 8, 1, null=3, layerwise=False)
    assert ratios["1: other procedure"] == 1.0
    assert ratios["1: one sign, no null"] > ratios["1: both signs, 3 null directions"]


@pytest.mark.full
def test_commands_of_both_procedures_run(scripts, config, tmp_path: Path) -> None:
    ratios = scripts("throughput").commands(config, 4, 6, 1, tmp_path)
    assert set(ratios) >= {"whole command", "further picture", "whole command, plugins checked"}
    assert ratios["whole command"] > 0.0


@pytest.mark.full
def test_growth_has_a_point_for_each_size(scripts) -> None:
    curves = scripts("throughput").growth((1, 2), 4)
    assert {axis: len(values) for axis, values in curves.items()} == {
        "samples": 2,
        "boundaries": 2,
        "layer sets": 2,
    }


def test_traffic_counts_what_is_read_and_written_and_no_views(scripts) -> None:
    traffic = scripts("scale").traffic
    x, y = torch.zeros(10), torch.zeros(10)
    assert traffic(lambda: x + y) == 3 * 40
    assert traffic(lambda: x.view(2, 5).t()) == 0
    assert traffic(lambda: x.mul_(2.0)) == 2 * 40


def test_what_limits_a_picture_decides_its_time(scripts) -> None:
    scale = scripts("scale")
    rates = scale.Rates("fp32", 100.0, 0.5, traffic=10.0, reached=0.5)
    assert rates.seconds(100.0, 1.0) == 2.0
    assert rates.seconds(1.0, 100.0) == 20.0


def test_rescoring_is_counted_as_the_method_says(scripts, tmp_path: Path) -> None:
    """K (1 + (B + R) S + B) pictures if every edit were a full pass, and fewer because it is not."""
    scale = scripts("scale")
    scoring = scale.scorer_work()
    assert min(scoring) > 0.0
    one = scale.counted("pggan", tmp_path, scoring, tiny=True)
    assert len(one.starts) == 1
    assert scale.rescoring(one) == pytest.approx(500 * (1 + 122 + 102))
    styled = scale.counted("stylegan2", tmp_path, scoring, tiny=True)
    layers = len(styled.starts) - 1
    assert 500 * 225 < scale.rescoring(styled) < 500 * (1 + 122 * (1 + layers) + 102)
    assert scale.disk(one)["scores"] == 4 * 500_000 * 467
    (_, _, row) = scale.rows([one])
    assert row.count("|") == 10


@pytest.mark.full
def test_the_table_of_the_page_is_that_of_the_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    scale = importlib.import_module("scale")
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    made = scale.rows([scale.counted(name, tmp_path, scale.scorer_work()) for name in ("pggan", "stylegan")])
    for row in made:
        assert re.sub(r"\s+", " ", row) in re.sub(r"[^\S\n]+", " ", page)
