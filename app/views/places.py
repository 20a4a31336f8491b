"""Say where a picture lies itself on each slider: its distance from the boundary, in the unit of the run."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.editing.places import places_of
from ...core.strata.truncation import mean_code
from ..handlers import SCORES, Answer, EditMove, Handler, Handlers, PictureRef, Request
from ..sessions import Session
from ..workspace import Workspace
from .description import sliders
from .pictures import parts_of, source_of


class Places(Request):
    """Ask where a picture lies on the sliders."""

    picture: PictureRef


def places(workspace: Workspace, session: Session, request: Places, answer: Answer) -> dict[str, Any]:
    """Return the distance of a picture from the boundary of each slider; None where it is not defined.

    A slider at minus this distance takes the picture to the boundary itself.
    """
    source, generator = source_of(workspace, session, request.picture), workspace.prepared.generator
    mean = mean_code(generator, source.condition)
    found: dict[str, float | None] = {}
    for slider in sliders(workspace.effects, workspace):
        (part,) = parts_of(workspace, (EditMove(along=slider["along"], by=0.0, layers=slider["layers"]),))
        unit = workspace.run.step_unit_in(part.boundary.space)
        value = float(places_of(generator, part, source.codes, mean)[0]) / unit
        found[slider["along"]] = value if np.isfinite(value) else None
    return {"places": found}


HANDLERS: Handlers = {"places": Handler(Places, places, SCORES, "places")}
