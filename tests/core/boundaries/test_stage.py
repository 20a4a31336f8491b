"""Stage 2: which concepts get a boundary, and why others do not."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import pytest
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import DataError
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.runs.progress import Progress


def learnt(config: dict, path: Path) -> tuple[ganstrata.Boundaries, dict[str, str]]:
    run = perform(
        validate(config, "test"), path, ("synthesize", "learn"), source="test", progress=Progress(quiet=True)
    )
    return load_boundaries(run.path)


def test_all_concepts_are_scored_and_the_requested_ones_learnt(fakes, config, tmp_path: Path) -> None:
    config["concepts"] = {"include": ["seen/*"], "exclude": ["*/half"], "levels": ["layout", "colour"]}
    boundaries, skipped = learnt(config, tmp_path / "run")
    assert boundaries.names == ("seen/left", "seen/red")
    assert skipped == {}
    assert [row["id"] for row in ganstrata.open_run(tmp_path / "run").manifest["concepts"]][-1] == "seen/half"


def test_one_concept_that_cannot_be_learnt_does_not_stop_the_others(fakes, config, tmp_path: Path) -> None:
    config["boundary"]["with"] = {"positives": 300, "negatives": 300}
    config["rescoring"]["null"] = "permuted"  # whose directions are those of the others
    boundaries, skipped = learnt(config, tmp_path / "run")
    assert set(skipped) == {"seen/half", "seen/constant"}
    assert "are possible" in skipped["seen/half"]
    assert len(boundaries) == 5


def test_conditions_on_concepts_without_a_boundary_are_left_out(fakes, config, tmp_path: Path) -> None:
    config["conditions"] = [
        {"edit": "seen/left", "keep": ["seen/constant"]},
        {"edit": "seen/left", "keep": ["seen/red"]},
    ]
    boundaries, _ = learnt(config, tmp_path / "run")
    assert [b.name for b in boundaries if b.given] == ["seen/left|seen/red"]
    plain, conditional = boundaries.of("seen/left"), boundaries.of("seen/left|seen/red")
    cosine = float(plain.normal @ conditional.normal)
    assert conditional.facts["cosine_with_unconditional"] == pytest.approx(cosine, abs=1e-5)
    assert float(conditional.offset) == pytest.approx(float(plain.offset) / cosine, rel=1e-4)


def test_conditions_need_one_normal_for_all_layers(fakes, config, tmp_path: Path) -> None:
    config["boundary"]["use"] = "fake_per_layer"
    config["synthesis"]["mixing"] = 0.5
    config["conditions"] = [{"edit": "seen/left", "keep": ["seen/red"]}]
    with pytest.raises(DataError, match="a conditional direction needs one for all layers"):
        learnt(config, tmp_path / "run")


@pytest.mark.parametrize("learner", ["ridge", "linear_svm"])
def test_both_bundled_learners_find_the_planted_axes(learner: str, fakes, config, tmp_path: Path) -> None:
    config["boundary"]["use"] = learner
    boundaries, _ = learnt(config, tmp_path / "run")
    for axis, name in enumerate(("seen/left", "seen/checks", "seen/stripes", "seen/red")):
        assert boundaries.of(name).normal[axis] > 0.98
        assert boundaries.of(name).facts["held_out_accuracy"] > 0.97
