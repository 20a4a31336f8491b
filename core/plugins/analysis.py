"""Define the contract of analyses of finished runs."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from .base import ConfigT, Plugin

if TYPE_CHECKING:
    from ..analyses.result import AnalysisResult
    from ..pipeline.results import Results


class Analysis(Plugin[ConfigT]):
    """Compute something from a finished run, for `ganstrata analysis NAME RUN`.

    It is built as every plugin is, with a config and a device. The config comes from `--set`.
    """

    noun = "analysis"
    relief = "analyse a run with fewer samples"
    guarded = ("analyse",)

    @abstractmethod
    def analyse(self, run: Results) -> AnalysisResult:
        """Analyse a run, whose stages up to re-scoring are complete.

        Args:
            run: the run with its `config`, `samples`, `boundaries` and `effects`, as `ganstrata.open_run`
                returns it. Its files must not be changed.

        Returns:
            The printed table, sentences, and further tables and pictures by name. The core writes them to
            analysis/NAME in the run.

        Raises:
            DataError: the run does not have what the analysis needs.
        """
