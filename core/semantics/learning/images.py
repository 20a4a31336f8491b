"""Give samples one stretch after the other, although they are drawn in batches of a fixed grid."""

from __future__ import annotations

from torch import Tensor

from ...randomness import Stream
from ..samples import Drawn, LabelledSamples


class FreshImages:
    """Draw samples of Stream.TRAINING, and keep the last batch, of which the next stretch may need the rest.

    Args:
        samples: where the samples come from.
    """

    def __init__(self, samples: LabelledSamples) -> None:
        self._samples = samples
        self._drawn: tuple[int, Drawn] | None = None

    def take(self, start: int, stop: int) -> tuple[list[Tensor], Tensor, int]:
        """Return samples from `start` on, up to `stop` or the end of their batch.

        On an accelerator a batch is checked when the next one is asked for, so that steps that learn from it
        do not wait; the last one by `end`.

        Returns:
            Feature maps (n, c_s, h_s, w_s), labels (n, H, W), and one past the index of the last sample.

        Raises:
            PictureError: a picture is not finite.
            ScoreError, PluginBroken: the teacher does not do what it must.
        """
        batch = self._samples.batch
        first = start // batch * batch
        if self._drawn is None or self._drawn[0] != first:
            self.end()
            self._drawn = None  # before the next one takes memory
            self._drawn = (first, self._samples.draw(first, Stream.TRAINING, late=True))
        drawn, end = self._drawn[1], min(stop, first + batch)
        rows = slice(start - first, end - first)
        return [x[rows] for x in drawn.maps], drawn.labels[rows], end

    def end(self) -> None:
        """Check the last batch; errors are those of `take`."""
        if self._drawn is not None:
            self._drawn[1].check.result()
