"""Define the result of an analysis: sentences, figures and tables, and the files that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..boundaries.files import FILES
from ..figures.figure import Figure
from ..storage.csv_tables import Table
from ..storage.disk import file_hash
from ..storage.json_values import JsonObject
from ..storage.result_folder import index_text

if TYPE_CHECKING:  # it imports scipy.stats, for which a plugin's module should not wait
    from .labelled_runs import LabelledRun


@dataclass(frozen=True)
class AnalysisResult:
    """Hold the result of an analysis.

    Attributes:
        name: name of the analysis and of its folder; that of a plugin is its registered name.
        table: the printed table.
        sentences: conclusions, written by rule from the numbers.
        figures: figures, each written as an SVG and a CSV.
        tables: CSV files by name, without the extension.
        request: the options that the analysis used, after defaults; those of a plugin are its config.
        pictures: PNG files by name, with the extension.
        distribution: name and version of the distribution of a plugin; empty for an analysis of ganstrata.

    The core sets `name`, `request` and `distribution` of a result of a plugin.

    Example:
        >>> result = AnalysisResult(table=Table(("concept", "sd"), [("seen/red", 0.5)]), sentences=["Red."])
        >>> result.table.csv
        'concept,sd\\nseen/red,0.5\\n'
    """

    name: str = ""
    table: Table = field(default_factory=lambda: Table((), ()))
    sentences: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    request: JsonObject = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    distribution: str = ""

    def files(self, sources: Sequence[LabelledRun]) -> dict[str, bytes]:
        """Return the content of every file by name; NAME.json records the request and the runs."""
        contents = {f"{figure.name}.svg": figure.file.encode() for figure in self.figures}
        contents |= {f"{figure.name}.csv": figure.csv.encode() for figure in self.figures}
        contents |= {f"{name}.csv": table.csv.encode() for name, table in self.tables.items()}
        contents |= self.pictures
        index: JsonObject = {
            "analysis": self.name,
            "asked": self.request,
            "runs": [
                {
                    "label": source.label,
                    "generator": source.run.record.generator.fingerprint,
                    **{name: file_hash(source.run.path / name) for name in FILES},
                }
                for source in sources
            ],
            "stands_on": {"rescore": sources[0].run.keys.stages["rescore"]},
            "sentences": self.sentences,
            **({"distribution": self.distribution} if self.distribution else {}),
        }
        return contents | {f"{self.name}.json": index_text(index, contents)}
