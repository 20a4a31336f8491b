"""Measure which layers of an image generator control which human-readable concept, and edit with the result.

Names are imported on first use, so that `import ganstrata` costs nothing.

Example:
    >>> import ganstrata
    >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    >>> latents = generator.sample(2, seed=0, start=0, stream=ganstrata.Stream.PROBING)
    >>> images = ganstrata.render(generator, generator.broadcast(generator.map(latents.z)))
    >>> tuple(images.shape)
    (2, 3, 64, 64)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .core.analyses.result import AnalysisResult
    from .core.boundaries.hyperplane import boundary_of, normalise_hyperplane
    from .core.boundaries.learn import Learnt, learn
    from .core.boundaries.selection import Extremes, accuracy, select_extremes
    from .core.checkpoints.content import Part
    from .core.checkpoints.detect import Examined
    from .core.dissection.dissect import dissect
    from .core.dissection.result import Detector, Dissection
    from .core.editing.manipulate import manipulate
    from .core.editing.replay import replay
    from .core.errors import (
        CheckpointError,
        ConfigError,
        DataError,
        GanstrataError,
        LayerError,
        MemoryExhausted,
        MismatchError,
        PictureError,
        PluginBroken,
        PluginConflict,
        PluginNotFound,
        RunError,
        ScoreError,
        ShapeError,
        UserError,
    )
    from .core.figures.pictures import png, tile, to_pixels
    from .core.interchange.codes import read_codes
    from .core.interchange.scores import read_scores
    from .core.inversion.api import InvertedPictures, invert
    from .core.inversion.encoders.encoder import Encoder, PictureEncoder
    from .core.inversion.encoders.encoder_file import load_encoder, save_encoder
    from .core.inversion.encoders.train import train_encoder
    from .core.inversion.morph.api import interpolate, mix_styles
    from .core.inversion.morph.interpolate import Interpolated
    from .core.inversion.morph.mix import Mixed
    from .core.inversion.photographs import Pictures, read_pictures
    from .core.inversion.trust.api import trust
    from .core.inversion.trust.result import Trust
    from .core.leaderboard.api import leaderboard
    from .core.leaderboard.board import Board
    from .core.pipeline.perform import run
    from .core.pipeline.results import Results, open_run
    from .core.plugins.analysis import Analysis
    from .core.plugins.base import PluginConfig
    from .core.plugins.boundary import Boundaries, Boundary
    from .core.plugins.engine import Engine, Job, JobOutcome, Worker, WorkerSetup
    from .core.plugins.generator import Generator
    from .core.plugins.hookspecs import hookimpl
    from .core.plugins.inverter import Inversion, InversionTask, Inverter, Mixture
    from .core.plugins.learner import BoundaryLearner
    from .core.plugins.own_classes import register
    from .core.plugins.prior_codes import PriorCode
    from .core.plugins.records import (
        Concept,
        Inputs,
        Latents,
        Match,
        ModelCard,
        Rendering,
        State,
        StatedAccuracy,
        Stratum,
    )
    from .core.plugins.scorer import Scorer, Segmenter
    from .core.probing.concept_stats import spread_of
    from .core.probing.samples import Samples, probe
    from .core.randomness import Stream, Use, normals, uniforms
    from .core.rescoring.found import FoundDirection
    from .core.rescoring.hierarchy import Hierarchy, hierarchy
    from .core.rescoring.naming import MovedConcept, NamedDirection
    from .core.rescoring.rescore import rescore
    from .core.rescoring.results import Effects
    from .core.runs.loading import load_generator, load_learner, load_scorer
    from .core.runs.malloc import keep_freed_memory
    from .core.semantics.annotation.api import (
        ToAnnotate,
        draw_to_annotate,
        suggest_to_annotate,
        train_from_masks,
    )
    from .core.semantics.extractor import Extractor
    from .core.semantics.extractor_file import load_extractor, save_extractor
    from .core.semantics.learning.api import train_extractor
    from .core.semantics.measuring.api import evaluate_extractor, evaluate_shots
    from .core.semantics.painting.api import Painted, edit_by_painting, sample_by_painting
    from .core.storage.csv_tables import Table
    from .core.strata.composition import Pass, render
    from .core.strata.moves import edit_direction, move
    from .core.strata.units import UnitEdit

__version__ = "0.1.0"

_HOMES = {
    "Analysis": "plugins.analysis",
    "AnalysisResult": "analyses.result",
    "Board": "leaderboard.board",
    "Boundaries": "plugins.boundary",
    "Boundary": "plugins.boundary",
    "BoundaryLearner": "plugins.learner",
    "CheckpointError": "errors",
    "Concept": "plugins.records",
    "ConfigError": "errors",
    "DataError": "errors",
    "Detector": "dissection.result",
    "Dissection": "dissection.result",
    "Effects": "rescoring.results",
    "Encoder": "inversion.encoders.encoder",
    "Engine": "plugins.engine",
    "Examined": "checkpoints.detect",
    "Extractor": "semantics.extractor",
    "Extremes": "boundaries.selection",
    "FoundDirection": "rescoring.found",
    "GanstrataError": "errors",
    "Generator": "plugins.generator",
    "Hierarchy": "rescoring.hierarchy",
    "Inputs": "plugins.records",
    "Interpolated": "inversion.morph.interpolate",
    "InvertedPictures": "inversion.api",
    "Inversion": "plugins.inverter",
    "InversionTask": "plugins.inverter",
    "Inverter": "plugins.inverter",
    "Job": "plugins.engine",
    "JobOutcome": "plugins.engine",
    "Latents": "plugins.records",
    "LayerError": "errors",
    "Learnt": "boundaries.learn",
    "Match": "plugins.records",
    "MemoryExhausted": "errors",
    "MismatchError": "errors",
    "Mixed": "inversion.morph.mix",
    "Mixture": "plugins.inverter",
    "ModelCard": "plugins.records",
    "MovedConcept": "rescoring.naming",
    "NamedDirection": "rescoring.naming",
    "Painted": "semantics.painting.api",
    "Part": "checkpoints.content",
    "Pass": "strata.composition",
    "PictureEncoder": "inversion.encoders.encoder",
    "PictureError": "errors",
    "Pictures": "inversion.photographs",
    "PluginBroken": "errors",
    "PluginConfig": "plugins.base",
    "PluginConflict": "errors",
    "PluginNotFound": "errors",
    "PriorCode": "plugins.prior_codes",
    "Rendering": "plugins.records",
    "Results": "pipeline.results",
    "RunError": "errors",
    "Samples": "probing.samples",
    "ScoreError": "errors",
    "Scorer": "plugins.scorer",
    "Segmenter": "plugins.scorer",
    "ShapeError": "errors",
    "State": "plugins.records",
    "StatedAccuracy": "plugins.records",
    "Stratum": "plugins.records",
    "Stream": "randomness",
    "Table": "storage.csv_tables",
    "ToAnnotate": "semantics.annotation.api",
    "Trust": "inversion.trust.result",
    "UnitEdit": "strata.units",
    "Use": "randomness",
    "UserError": "errors",
    "Worker": "plugins.engine",
    "WorkerSetup": "plugins.engine",
    "accuracy": "boundaries.selection",
    "boundary_of": "boundaries.hyperplane",
    "dissect": "dissection.dissect",
    "draw_to_annotate": "semantics.annotation.api",
    "edit_by_painting": "semantics.painting.api",
    "edit_direction": "strata.moves",
    "evaluate_extractor": "semantics.measuring.api",
    "evaluate_shots": "semantics.measuring.api",
    "hierarchy": "rescoring.hierarchy",
    "hookimpl": "plugins.hookspecs",
    "interpolate": "inversion.morph.api",
    "invert": "inversion.api",
    "keep_freed_memory": "runs.malloc",
    "leaderboard": "leaderboard.api",
    "learn": "boundaries.learn",
    "load_encoder": "inversion.encoders.encoder_file",
    "load_extractor": "semantics.extractor_file",
    "load_generator": "runs.loading",
    "load_learner": "runs.loading",
    "load_scorer": "runs.loading",
    "manipulate": "editing.manipulate",
    "mix_styles": "inversion.morph.api",
    "move": "strata.moves",
    "normalise_hyperplane": "boundaries.hyperplane",
    "normals": "randomness",
    "open_run": "pipeline.results",
    "png": "figures.pictures",
    "probe": "probing.samples",
    "read_codes": "interchange.codes",
    "read_pictures": "inversion.photographs",
    "read_scores": "interchange.scores",
    "register": "plugins.own_classes",
    "render": "strata.composition",
    "replay": "editing.replay",
    "rescore": "rescoring.rescore",
    "run": "pipeline.perform",
    "sample_by_painting": "semantics.painting.api",
    "save_encoder": "inversion.encoders.encoder_file",
    "save_extractor": "semantics.extractor_file",
    "select_extremes": "boundaries.selection",
    "spread_of": "probing.concept_stats",
    "suggest_to_annotate": "semantics.annotation.api",
    "tile": "figures.pictures",
    "to_pixels": "figures.pictures",
    "train_encoder": "inversion.encoders.train",
    "train_extractor": "semantics.learning.api",
    "train_from_masks": "semantics.annotation.api",
    "trust": "inversion.trust.api",
    "uniforms": "randomness",
}

__all__ = [
    "Analysis",
    "AnalysisResult",
    "Board",
    "Boundaries",
    "Boundary",
    "BoundaryLearner",
    "CheckpointError",
    "Concept",
    "ConfigError",
    "DataError",
    "Detector",
    "Dissection",
    "Effects",
    "Encoder",
    "Engine",
    "Examined",
    "Extractor",
    "Extremes",
    "FoundDirection",
    "GanstrataError",
    "Generator",
    "Hierarchy",
    "Inputs",
    "Interpolated",
    "Inversion",
    "InversionTask",
    "InvertedPictures",
    "Inverter",
    "Job",
    "JobOutcome",
    "Latents",
    "LayerError",
    "Learnt",
    "Match",
    "MemoryExhausted",
    "MismatchError",
    "Mixed",
    "Mixture",
    "ModelCard",
    "MovedConcept",
    "NamedDirection",
    "Painted",
    "Part",
    "Pass",
    "PictureEncoder",
    "PictureError",
    "Pictures",
    "PluginBroken",
    "PluginConfig",
    "PluginConflict",
    "PluginNotFound",
    "PriorCode",
    "Rendering",
    "Results",
    "RunError",
    "Samples",
    "ScoreError",
    "Scorer",
    "Segmenter",
    "ShapeError",
    "State",
    "StatedAccuracy",
    "Stratum",
    "Stream",
    "Table",
    "ToAnnotate",
    "Trust",
    "UnitEdit",
    "Use",
    "UserError",
    "Worker",
    "WorkerSetup",
    "__version__",
    "accuracy",
    "boundary_of",
    "dissect",
    "draw_to_annotate",
    "edit_by_painting",
    "edit_direction",
    "evaluate_extractor",
    "evaluate_shots",
    "hierarchy",
    "hookimpl",
    "interpolate",
    "invert",
    "keep_freed_memory",
    "leaderboard",
    "learn",
    "load_encoder",
    "load_extractor",
    "load_generator",
    "load_learner",
    "load_scorer",
    "manipulate",
    "mix_styles",
    "move",
    "normalise_hyperplane",
    "normals",
    "open_run",
    "png",
    "probe",
    "read_codes",
    "read_pictures",
    "read_scores",
    "register",
    "render",
    "replay",
    "rescore",
    "run",
    "sample_by_painting",
    "save_encoder",
    "save_extractor",
    "select_extremes",
    "spread_of",
    "suggest_to_annotate",
    "tile",
    "to_pixels",
    "train_encoder",
    "train_extractor",
    "train_from_masks",
    "trust",
    "uniforms",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f".core.{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
