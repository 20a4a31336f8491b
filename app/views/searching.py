"""Search codes of the picture of an edit: what is searched, and what the page sees of it meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from ...core.editing.sources import Source
from ...core.plugins.pending import OneBehind, Pending, fetched
from ...core.plugins.records import Latents
from ...core.strata.code_search import Look, Renderer
from ...core.strata.code_spaces import CodeSpace, SpaceName
from ...core.strata.truncation import start_of_codes
from ..compute import Pace, Stopped
from ..handlers import Answer, Edit
from ..sessions import Session
from ..workspace import Workspace
from .pictures import live_picture, parts_of, pixels_of, send_picture
from .segmenting import Reader

PREVIEW = 0.5  # seconds between two pictures of a search


@dataclass(frozen=True)
class Canvas:
    """Hold a picture with all of which it is made, ready to be searched.

    Attributes:
        source: the picture before its moves.
        codes: with its moves, (1, L, D).
        renderer: renders it, with the feature maps that a reader needs.
        start: the variables that have its codes; None if truncation cannot be undone.
    """

    source: Source
    codes: Tensor
    renderer: Renderer
    start: Tensor | None


class Watcher:
    """Watch a search: send how far it is and what it looks like, and keep the best picture of it.

    Args:
        answer: of the request that asked for the search.
        show: sends a picture to the page.
        done: steps of the job before the search.
        total: steps of the whole job.

    Attributes:
        stopped: whether the user ended the search.
    """

    def __init__(self, answer: Answer, show: Callable[[Look], None], done: int, total: int) -> None:
        self._answer, self._show, self._done, self._total = answer, show, done, total
        self._pace, self.stopped = Pace(PREVIEW), False
        self._best: Look | None = None
        self._least = self._loss = math.nan
        self._judged = OneBehind()

    @property
    def best(self) -> Look | None:
        """The look with the least loss, of one picture; None before the first."""
        self._judged.end()
        return self._best

    def _judge(self, look: Look) -> Pending[None]:
        """Return the comparison of a look with the best, without waiting for its loss."""
        value = fetched(look.losses)

        def judge() -> None:
            self._loss = float(value.result()[0])
            if self._best is None or self._loss < self._least:
                self._best, self._least = look, self._loss

        return Pending(judge, at_once=value.at_once)

    def __call__(self, look: Look) -> bool:
        """Take a look, and return whether the search goes on.

        On an accelerator the loss of the step before is judged and shown, which has arrived.
        """
        self._judged.add(self._judge(look))
        told = {} if math.isnan(self._loss) else {"loss": self._loss}
        try:
            self._answer.step(self._done + look.step, self._total, **told)
        except Stopped:
            self.stopped = True
            return False
        if look.step and self._pace.due():
            self._show(look)
        return True


def canvas_of(workspace: Workspace, session: Session, edit: Edit, reader: Reader) -> Canvas:
    """Return the picture of an edit, ready to be segmented and searched.

    Raises:
        GanstrataError: the edit is not one of codes.
    """
    prepared = workspace.prepared
    picture = live_picture(workspace, session, edit.picture)
    amounts = [move.by for move in edit.moves]
    codes = picture.codes(parts_of(workspace, edit.moves), amounts, edit.truncation)
    # What was computed without gradients cannot be part of a search with them, but a copy can.
    source, codes = picture.source, codes.clone()
    condition = None if source.condition is None else source.condition.clone()
    space = replace(code_space(workspace), condition=condition)
    none = codes.new_zeros(1, prepared.generator.card.latent_size)
    renderer = Renderer(
        space,
        Latents(none, condition, source.index.clone()),
        reader.predictor.strata,
        prepared.seed if source.noise_seed is None else source.noise_seed,
        prepared.precision,
        source.stream,
        {s: x.clone() for s, x in source.noise.items()},
        source.weights[0] if source.weights else {},
    )
    return Canvas(source, codes, renderer, start_of_codes(space, codes))


def code_space(workspace: Workspace) -> CodeSpace:
    """Return the space with a code per layer, in which pictures are searched; it is measured once."""
    if "code space" not in workspace.memory:
        generator = workspace.prepared.generator
        name: SpaceName = "layers" if generator.space == "z" else "w+"
        workspace.memory["code space"] = CodeSpace.of(generator, name, seed=workspace.prepared.seed)
    space: CodeSpace = workspace.memory["code space"]
    return space


def sends_previews(workspace: Workspace, answer: Answer) -> Callable[[Look], None]:
    """Return what sends a preview of a search."""
    return lambda look: send_picture(
        answer, pixels_of(workspace, look.rendering), lossless=False, preview=True, step=look.step
    )
