"""Table 3: masks in, pictures out, judged by the teacher."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.config.segment_schema import SegmentConfig
from ganstrata.core.errors import UserError
from ganstrata.core.randomness import Stream
from ganstrata.core.runs.progress import Progress
from ganstrata.core.semantics.agreement import semantic_agreement
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.extractor_file import save_extractor
from ganstrata.core.semantics.measuring import conditioned
from ganstrata.core.semantics.measuring.conditioned import (
    BASELINE,
    Agreement,
    AgreementRequest,
    measure_agreement,
    open_predictors,
)
from ganstrata.core.semantics.measuring.conditioned_folder import (
    INDEX,
    PAGE,
    sentences,
    tables,
    write_agreement,
)
from ganstrata.core.semantics.painting.sampling import Candidates
from ganstrata.core.semantics.samples import LabelledSamples
from ganstrata.core.semantics.subject import SegmentProvenance, Subject
from ganstrata.core.statistics import bootstrap_weights
from ganstrata.core.strata.code_search import Renderer, Search
from planted_semantics import CLASSES, Linear, planted_samples

QUIET = Progress(quiet=True)


def subject() -> Subject:
    """The planted generator and teacher as a segmentation folder would have them."""
    samples = planted_samples()
    config = SegmentConfig.model_validate({"generator": {"use": "smooth"}, "teacher": {"use": "linear"}})
    record = dict.fromkeys(("kind", "name", "distribution", "code", "config", "output", "weights"), "x")
    plugin = {**record, "files": {}, "packages": {}, "parts": {}}
    environment = {"batch": 8, "device": "cpu", "precision": "fp32", "packages": {}}
    provenance = SegmentProvenance.model_validate(
        {"environment": environment, "generator": plugin, "teacher": plugin}
    )
    architecture = Architecture("LSE", samples.maps, CLASSES, (8, 8))
    return Subject(config, samples, architecture, torch.device("cpu"), provenance)


def extractor(right: bool) -> Extractor:
    """The teacher's own parameters, or those of nobody."""
    architecture = subject().architecture
    head = architecture.build()
    torch.manual_seed(0)
    for weight in head.T:
        weight.data = torch.randn(weight.shape)
    if right:
        head.load_state_dict(Linear().head.state_dict())
    made_for = MadeFor.of(planted_samples().generator)
    return Extractor(architecture, (head.eval().requires_grad_(False),), made_for)


def measured(**changes: object) -> Agreement:
    request = AgreementRequest(
        **{"targets": 4, "pictures": 2, "candidates": 3, "search": Search(30, 0.1, 0.0, 0.0)} | changes
    )
    return measure_agreement(subject(), {"right": extractor(True), "wrong": extractor(False)}, request, QUIET)


def test_an_extractor_that_is_right_leads_to_the_mask_and_one_that_is_wrong_does_not():
    found = measured()
    right, wrong, baseline = (float(found.mean[name].value) for name in ("right", "wrong", BASELINE))
    assert right > 0.8
    assert right > wrong + 0.3
    assert baseline == pytest.approx(right, abs=0.05)  # the same planes guide both
    assert float(found.start["right"].value) < right
    assert set(found.gap) == {"right", "wrong"}


def test_without_steps_the_starts_are_the_results():
    found = measured(search=Search(0), baseline=False)
    for one in found.sampled:
        np.testing.assert_array_equal(one.before, one.after)
    assert [one.name for one in found.sampled] == ["right", "wrong"]
    assert found.gap == {}


def test_the_folder_holds_table_chart_page_and_numbers(tmp_path: Path):
    found = measured(search=Search(2))
    write_agreement(found, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {INDEX, PAGE, "table_3.csv", "targets.csv", "agreement.svg", "samples.png"}
    record = json.loads((tmp_path / "out" / INDEX).read_text(encoding="utf-8"))
    assert [row["sampled_by"] for row in record["table_3"]] == ["right", "wrong", BASELINE]
    assert record["table_3"][2]["gap"] is None
    assert len(record["targets"]) == 3 * 4
    assert record["masks"] == 4
    assert "relative to the baseline" in sentences(found)[0]
    page = (tmp_path / "out" / PAGE).read_text(encoding="utf-8")
    assert "teacher (baseline)" in page
    rows = tables(found)["table_3"].rows
    assert rows[0][1] == pytest.approx(float(np.nanmean(found.sampled[0].after)))


def test_extractors_of_other_classes_or_of_the_same_name_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(conditioned, "open_segmentation", lambda *args: (subject(), extractor(True)))
    save_extractor(extractor(False), tmp_path / "other.safetensors")
    _, both = open_predictors(tmp_path / "folder", [tmp_path / "other.safetensors"])
    assert list(both) == ["folder", "other"]
    with pytest.raises(UserError, match="two extractors are called 'other'"):
        open_predictors(tmp_path / "folder", [tmp_path / "other.safetensors"] * 2)
    architecture = Architecture("LSE", planted_samples().maps, ("a", "b"), (8, 8))
    made_for = MadeFor.of(planted_samples().generator)
    save_extractor(Extractor(architecture, (architecture.build(),), made_for), tmp_path / "two.safetensors")
    with pytest.raises(UserError, match=r"has the classes a, b, not those of .*; give an extractor"):
        open_predictors(tmp_path / "folder", [tmp_path / "two.safetensors"])


def test_everything_is_rendered_in_the_precision_of_the_config_and_no_start_serves_two_masks(monkeypatch):
    used: set[str] = set()
    starts: list[list[int]] = []
    rendered, chosen = Renderer.render, conditioned.best_candidates
    monkeypatch.setattr(
        Renderer,
        "render",
        lambda self, codes, **named: used.add(self.precision) or rendered(self, codes, **named),
    )

    def kept(*given: Any, **named: Any) -> Candidates:
        found = chosen(*given, **named)
        starts.append(found.latents.index.tolist())
        return found

    monkeypatch.setattr(conditioned, "best_candidates", kept)
    half = replace(subject(), samples=replace(planted_samples(), precision="bf16"))
    request = AgreementRequest(4, 2, 3, Search(1), baseline=False)
    measure_agreement(half, {"right": extractor(True), "wrong": extractor(False)}, request, QUIET)
    assert used == {"bf16"}
    for t, numbers in enumerate(starts):  # picture j of mask t has candidates of its own
        assert [n // 3 for n in numbers] == [2 * (t % 4), 2 * (t % 4) + 1]


def test_masks_are_of_a_stream_from_which_nothing_is_learnt_or_chosen(monkeypatch):
    streams: list[Stream] = []
    draw = LabelledSamples.draw
    monkeypatch.setattr(
        LabelledSamples,
        "draw",
        lambda self, start, stream, *rest, **named: (
            streams.append(stream) or draw(self, start, stream, *rest, **named)
        ),
    )
    measured(search=Search(0), baseline=False)
    assert set(streams) == {Stream.TARGETS}


def test_masks_of_nothing_but_background_have_no_agreement_and_no_place_in_the_chart(tmp_path: Path):
    found = measured(search=Search(0), baseline=False)
    first, second = found.sampled
    empty = np.full_like(first.after, np.nan)
    weights = bootstrap_weights(4, 20, 0)
    undefined = semantic_agreement(empty, weights)
    found = replace(
        found,
        sampled=(replace(first, before=empty, after=empty), second),
        mean={**found.mean, "right": undefined},
        start={**found.start, "right": undefined},
    )
    write_agreement(found, tmp_path / "out")
    assert "NaN" not in (tmp_path / "out" / INDEX).read_text(encoding="utf-8")
    drawn = (tmp_path / "out" / "agreement.svg").read_text(encoding="utf-8")
    assert "nan" not in drawn
    assert f"wrong: {float(found.mean['wrong'].value):.3f}" in drawn
    assert sentences(found)[0].endswith("no agreement, as masks and pictures have nothing but background.")
    assert "nan" not in " ".join(sentences(found))


def test_a_teacher_without_gradients_is_refused_before_anything_else(monkeypatch):
    logits = Linear.logits
    monkeypatch.setattr(Linear, "logits", lambda self, rendering: logits(self, rendering).detach())
    with pytest.raises(UserError, match=r"the baseline: .*gives no gradients.*--no-baseline"):
        measured()
