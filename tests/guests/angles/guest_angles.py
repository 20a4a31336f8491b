"""An analysis: the angles between the boundaries of a run."""

from itertools import combinations

import numpy as np
from ganstrata import Analysis, AnalysisResult, DataError, PluginConfig, Table, hookimpl
from pydantic import Field


class Angles(Analysis):
    """The angle between every two boundaries, smallest first."""

    class Config(PluginConfig):
        top: int = Field(default=10, ge=1, description="number of pairs to print")

    def analyse(self, run):
        if len(run.boundaries) < 2:
            raise DataError("an angle needs two boundaries")
        rows = sorted(
            (float(np.degrees(np.arccos(np.clip(a.normal @ b.normal, -1.0, 1.0)))), a.concept, b.concept)
            for a, b in combinations(run.boundaries, 2)
        )
        pairs = Table(("degrees", "first", "second"), rows)
        printed = Table(
            pairs.columns, [(f"{angle:.1f}", *names) for angle, *names in rows[: self.config.top]]
        )
        closest = f"{rows[0][1]} and {rows[0][2]} are the closest."
        return AnalysisResult(table=printed, sentences=[closest], tables={"angles": pairs})


@hookimpl
def ganstrata_register_analyses(register):
    register("angles", "guest_angles:Angles", "angles between boundaries")
