"""Hold what all tabs share: the opened run, and the folders that the command names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.editing.directions import find_boundaries
from ..core.editing.strip_ranges import StripRanges, read_strip_ranges
from ..core.errors import UserError
from ..core.leaderboard.stored import StoredBoard, read_board
from ..core.pipeline.results import Results, open_run
from ..core.plugins.boundary import Boundaries
from ..core.plugins.compatibility import check_fits
from ..core.rescoring.results import Effects
from ..core.runs.prepare import Prepared
from ..core.runs.progress import Progress
from ..core.runs.session import open_finished_run
from ..core.runs.stages import Stage
from ..core.semantics.extractor import Extractor
from ..core.semantics.extractor_file import load_extractor
from ..core.semantics.learning.folder import EXTRACTOR
from ..core.study.page import StudyPage, read_page
from .inverted import from_folders
from .sessions import Kept

NEEDED: tuple[Stage, ...] = ("synthesize", "learn", "rescore")


@dataclass(frozen=True)
class Folders:
    """Hold the folders that the command names.

    Attributes:
        inversions: of inverted pictures.
        segmentation: of a trained extractor.
        leaderboard: of compared learners.
        study: of a user study.
    """

    inversions: Sequence[Path] = ()
    segmentation: Path | None = None
    leaderboard: Path | None = None
    study: Path | None = None


@dataclass(frozen=True)
class Workspace:
    """Represent a run that was opened for the app.

    The run is locked only while it is opened. What the app needs of it is in memory then, but for the scores
    of its samples, which are read when they are searched.

    Attributes:
        run: the run, with its results.
        prepared: its plugins.
        known: its boundaries.
        effects: of these boundaries.
        differences: sentences on what the run was computed with, and what is here now.
        folders: what the command named.
        strips: how far each score follows its direction in the strips of the run; empty without them.
        memory: what the handlers of a view keep for all tabs, by the name of the view.
        begun: inverted pictures that every tab begins with.
        remarks: sentences on what was left out.
        board: learners of the leaderboard, if the command names one.
        extractor: the extractor of the segmentation folder, if the command names one.
        study: the page of the user study, if the command names one.
    """

    run: Results
    prepared: Prepared
    known: Boundaries
    effects: Effects
    differences: tuple[str, ...] = ()
    folders: Folders = field(default_factory=Folders)
    strips: StripRanges = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    begun: tuple[Kept, ...] = ()
    remarks: tuple[str, ...] = ()
    board: StoredBoard | None = None
    extractor: Extractor | None = None
    study: StudyPage | None = None

    @staticmethod
    def open(path: Path, device: str | None = None, folders: Folders | None = None) -> Workspace:
        """Open a finished run.

        Args:
            path: the run directory.
            device: device to compute on; None for the one of the run's config.
            folders: what else the command named.

        Raises:
            GanstrataError: there is no run, it is not finished, or its plugins have changed; or another
                folder does not fit it.
        """
        folders = folders or Folders()
        with open_finished_run(path, device, NEEDED, writes=False, progress=Progress()) as finished:
            known, _ = find_boundaries(finished.run, None)
            run = open_run(path)
            begun, remarks = from_folders(finished.engine.prepared, folders.inversions)
            return Workspace(
                run,
                finished.engine.prepared,
                known,
                run.effects,
                finished.differences,
                folders,
                strips=read_strip_ranges(run),
                begun=begun,
                remarks=remarks,
                board=_board(folders.leaderboard, finished.engine.prepared),
                extractor=folder_extractor(folders.segmentation, finished.engine.prepared),
                study=None if folders.study is None else read_page(folders.study),
            )


def folder_extractor(folder: Path | None, prepared: Prepared) -> Extractor | None:
    """Read the extractor of the segmentation folder that the command names, which must fit the generator.

    Raises:
        GanstrataError: there is none, or it is damaged, or of another generator.
    """
    if folder is None:
        return None
    file = folder / EXTRACTOR
    if not file.is_file():
        raise UserError(
            f"--segmentation {folder}: it holds no {EXTRACTOR}, which `ganstrata segment train` and "
            "`ganstrata segment learn` write once they are done"
        )
    extractor = load_extractor(file, prepared.device)
    try:
        extractor.check_generator(prepared.generator)
    except UserError as error:
        raise UserError(f"--segmentation {folder}: {error}") from None
    return extractor


def _board(folder: Path | None, prepared: Prepared) -> StoredBoard | None:
    """Read the leaderboard that the command names, whose directions must fit the generator.

    Raises:
        GanstrataError: there is none, or it is damaged, or of another generator.
    """
    if folder is None:
        return None
    board = read_board(folder)
    for learner in board.learners:
        for boundary in learner.boundaries:
            check_fits(boundary, prepared.generator)
    return board
