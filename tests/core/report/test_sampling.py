"""Sentences of the report on the samples that were moved."""

from __future__ import annotations

from ganstrata.core.report.sampling import sampling
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.run import Run


def test_it_says_on_how_many_samples_resamplings_were_moved(fakes, finished: Run, compacted: Run) -> None:
    """Half of 64 samples; but all of 16, since a half would be too few."""
    for run, moved in ((finished, 32), (compacted, 16)):
        sentences = sampling(read_effects(run), run.config.rescoring, run.batch, None)
        boundaries = len(read_effects(run).boundaries)
        assert (
            sentences[0] == f"All {run.config.rescoring.samples} samples were moved along every direction "
            "at every layer set."
        )
        assert (
            sentences[1]
            == f"In place of each of {boundaries} boundaries, the boundaries of 12 resamplings were applied "
            f"at all layers to {moved} of the samples."
        )
