"""On a real GPU: a batch waits for nothing, a run gives the scores of the CPU, and memory runs out in words.

Without one these tests are skipped; what they do is then tried on the CPU, as far as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Stream, load_generator, load_scorer
from ganstrata.core.plugins.pending import one_late
from ganstrata.core.rescoring.measure import Movement, baseline_of, changes_along
from ganstrata.core.shortage import is_out_of_memory
from ganstrata.core.strata.scored_generator import ScoredGenerator
from numpy.typing import NDArray

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@contextmanager
def no_waiting() -> Iterator[None]:
    """Let torch raise where the host waits for the GPU, except for the event of a copy that has begun."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@contextmanager
def exact() -> Iterator[None]:
    """Convolutions in float32, as on the CPU, not in TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@torch.inference_mode()
def loop(device: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Scores of three batches, and sums of how they change; on CUDA only the first batch may wait."""
    scored = ScoredGenerator(
        generator=load_generator("stylegan2", checkpoint="bundled:rooms", device=device, noise="fresh"),
        scorers={
            "object": load_scorer("segmentation", checkpoint="bundled:rooms", device=device),
            "colour": load_scorer("hue", device=device),
        },
        batch=4,
        mixing=0.5,
    )
    layers = tuple(range(scored.generator.card.layers))
    normal = np.full(scored.generator.card.code_size, 0.1, np.float32)
    movements = [
        Movement(normal, 2.0, [layers, (5,)], [True, False], 0),
        Movement(-normal, 2.0, [(2,)], [False], None),
    ]

    def batch(start: int):
        latents, _, codes = scored.draw(start, Stream.PROBING)
        passed = scored.render(codes, None, latents.index, Stream.PROBING, [layers], late=True)
        return start, scored.begin_score(passed.rendering)

    def moved(start: int) -> list[NDArray[np.float64]]:
        baseline = baseline_of(scored, start, Stream.VERIFICATION, [layers, (2,), (5,)])
        return [sums for sums, _ in changes_along(scored, baseline, movements, count=4, styles=False)]

    batch(0)[1].result(), moved(0)
    with no_waiting() if device == "cuda" else nullcontext():
        scores = [scores for _, scores in one_late(batch(start) for start in (0, 4, 8))]
        sums = moved(4)
    return np.concatenate(scores), np.concatenate(sums)


def run(device: str, path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Scores of a run's samples, and effects of its boundaries."""
    results = ganstrata.run(
        {
            "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
            "scorers": [{"use": "hue", "as": "colour"}],
            "concepts": {"include": ["colour/saturation"]},
            "synthesis": {"samples": 96},
            "boundary": {"use": "ridge", "with": {"positives": 24, "negatives": 24}},
            "rescoring": {"samples": 16, "layers": ["all"], "null_directions": 3, "bootstrap": 100},
            "editing": {"samples": 1, "steps": 2},
            "engine": {"workers": 1},
            "device": device,
        },
        path,
    )
    return results.samples.scores, results.effects.mean


def test_the_loop_goes_on_the_cpu() -> None:
    scores, sums = loop("cpu")
    assert scores.shape[0] == 12
    assert sums.shape[0] == 3


@pytest.mark.cuda
@needs_cuda
def test_a_batch_on_cuda_waits_for_nothing_and_gives_the_scores_of_the_cpu() -> None:
    with exact():
        (scores, sums), (there, sums_there) = loop("cuda"), loop("cpu")
    np.testing.assert_allclose(scores, there, atol=2e-2, equal_nan=True)
    np.testing.assert_allclose(sums, sums_there, atol=0.1, equal_nan=True)


@pytest.mark.cuda
@needs_cuda
def test_a_run_on_cuda_gives_the_numbers_of_the_cpu(tmp_path: Path) -> None:
    with exact():
        (scores, effects), (there, effects_there) = run("cuda", tmp_path / "a"), run("cpu", tmp_path / "b")
    np.testing.assert_allclose(scores, there, atol=2e-2, equal_nan=True)
    np.testing.assert_allclose(effects, effects_there, atol=2e-2, equal_nan=True)


@pytest.mark.cuda
@needs_cuda
def test_memory_that_runs_out_on_cuda_is_known_as_such() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**48, dtype=torch.uint8, device="cuda")
    assert is_out_of_memory(raised.value)
