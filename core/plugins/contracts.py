"""Define the contracts of plugins: Generator, Scorer, Segmenter and BoundaryLearner.

A plugin is built as `Plugin(config, device)`. `config` is an instance of the plugin's nested class `Config`,
a pydantic model that forbids unknown fields.

Shapes: N samples, L layers, D code size, Z latent size, C concepts, C_s style channels of stratum s.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..randomness import Stream, Use, normals
from .base import ConfigT, Plugin, owner_of
from .boundary import Boundaries
from .checked_methods import checked_broadcast, checked_map, checked_sample, with_checked_input
from .classes import check_labels, checked_logits
from .config_contents import canonical_text
from .held_tensors import parameters_of
from .prior_codes import PriorCode
from .records import Concept, Inputs, Latents, Match, ModelCard, Rendering, State, StatedAccuracy, Stratum
from .shapes import check_shape

if TYPE_CHECKING:
    from ..checkpoints import Part
    from ..checkpoints.detect import Examined


class Generator(Plugin[ConfigT]):
    """Represent a pretrained network as a stack of strata, which the core runs one after the other.

    A subclass must define `card`, `strata`, `stratum` and `finish`. By default the prior is normal, there is
    no mapping network and no condition, and w is copied to every layer.

    Attributes:
        card: the network's identity and sizes.
        strata: the network's strata, first to last.
        prior_codes: coordinates of z with a meaning of their own, as InfoGAN has them; none by default.
        judges_range: whether to check the range of the first pictures when the generator is built. False if
            the range is known from the architecture, or lies far outside [0, 1] by design.
    """

    noun = "generator"
    relief = "give a smaller synthesis.batch_size, fewer engine.workers, or another device"
    guarded = (
        "card", "strata", "fingerprint", "space", "layer_scale", "groups", "sample", "map", "broadcast",
        "begin", "stratum", "finish", "style", "style_weights", "prior_codes", "noise_map", "tunable",
        "classes",
    )  # fmt: skip
    card: ModelCard
    strata: tuple[Stratum, ...]
    prior_codes: tuple[PriorCode, ...] = ()
    judges_range: bool = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap sample(), map() and broadcast(), so that their results are checked."""
        super().__init_subclass__(**kwargs)
        for name, checked in (
            ("sample", checked_sample),
            ("map", checked_map),
            ("broadcast", checked_broadcast),
        ):
            if name in cls.__dict__:
                setattr(cls, name, checked(cls.__dict__[name]))

    @cached_property
    def fingerprint(self) -> str:
        """Identifier of the latent space, 16 hex digits. A boundary fits only generators with its own."""
        checkpoint = (
            self.card.weights
            or self.card.sha256
            or f"{type(self).__module__}.{type(self).__qualname__} {canonical_text(self.config)}"
        )
        return hashlib.sha256(f"{self.card.family} {checkpoint}".encode()).hexdigest()[:16]

    @property
    def space(self) -> str:
        """Return the space of the codes that map() returns, "w", or "z" without a mapping network."""
        return "z" if type(self).map is Generator.map else "w"

    @property
    def classes(self) -> int:
        """Return the number Y of classes, if a condition may also be weights of them (N, Y). Default: 0."""
        return 0

    @property
    def layer_scale(self) -> NDArray[np.float32]:
        """Return the factors (L,) by which truncation shrinks a step in w at each layer; 1 without it."""
        return np.ones(self.card.layers, dtype=np.float32)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]] | None:
        """Layers of each named group, bottom to top; None for the default cuts at 1/7, 3/7 and 6/7 of L."""
        return None

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Draw samples start .. start + n - 1 of a stream; each depends on (seed, stream, its index) only."""
        z = normals(seed, stream, Use.LATENT, range(start, start + n), self.card.latent_size)
        return Latents(sent(z, self.device), None, torch.arange(start, start + n))

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map latents z (N, Z) to w (N, D). Default: w = z.

        Raises:
            ShapeError: z or the result has another shape; also in subclasses.
        """
        check_shape(z, "N Z", where="z passed to map", Z=self.card.latent_size)
        return z

    def broadcast(self, w: Tensor, condition: Tensor | None = None) -> Tensor:
        """Expand w (N, D) to codes (N, L, D), with truncation if there is any. Default: a copy per layer.

        The condition is that of the samples, which the mean of a truncation may depend on. It is passed by
        keyword to a plugin whose method has an argument of the name `condition`, and to no other.

        Raises:
            ShapeError: w or the result has another shape; also in subclasses.
        """
        check_shape(w, "N D", where="w passed to broadcast", D=self.card.code_size)
        return w[:, None].expand(-1, self.card.layers, -1)

    def begin(self, inputs: Inputs) -> State:
        """Return the state before the first stratum. Default: empty."""
        return State(None)

    @abstractmethod
    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply stratum s to a state.

        Args:
            s: number of the stratum, from 0.
            state: the state before it, which must not be modified.
            code: code (N, D) of the layer that it reads; None if it reads none.
            style: style (N, C_s) to use in place of the output of its affine map.
        """

    @abstractmethod
    def finish(self, state: State) -> Tensor:
        """Return the pictures (N, C, H, W) of the last state, nominally in [0, 1].

        C is card.channels: 3 for RGB, 1 for grey, 4 for RGB with alpha (not multiplied into the colours).
        """

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Return the style (N, C_s) that the affine map of stratum s computes from codes (N, D), or None."""
        return None

    def style_weights(self, s: int) -> Tensor | None:
        """Return the weights (C_s, D) of stratum s's affine map, for closed-form factorisation, or None."""
        return None

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """Return the noise (N or 1, 1, h, w) that stratum s adds, unscaled, or None if it adds none.

        A stratum with such noise must take that of `inputs.maps` instead, if there is any. Default: None.
        """
        return None

    @property
    def tunable(self) -> Mapping[str, Tensor]:
        """Return the tensors by name that may be tuned for a picture, as pivotal tuning does.

        Others take their place for the time of a pass, wherever an attribute of the plugin or of its modules
        holds them. So a plugin may not compute with what it made of them before, and need not be told.

        Default: the parameters of the modules that are attributes of the plugin.
        """
        return parameters_of(self)

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        """Return a Match if a checkpoint with these tensors and settings is of this plugin, else None."""
        return None

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Examine a part of a checkpoint that recognise() matched, for `model inspect` and `model convert`.

        Tensors that do not fit are listed in the result and raise no error. None means that the plugin does
        not support these commands.
        """
        return None


class Scorer(Plugin[ConfigT]):
    """Score images: one number per image and concept.

    Attributes:
        concepts: the concepts of the columns of score().
        features: numbers of the strata whose feature maps score() reads; none by default.
        extras: names of the columns of extra(), stored beside the scores.
        checkpoint: hash of the network's weights, if there are any. Scores are computed again when it
            changes, or a file named in the config, or the plugin's source or version.
        packages: distributions whose version affects the scores, besides those that the plugin's own
            distribution requires.
        input_size: height and width of the input of its network, if pictures are resized for it and a whole
            batch goes through it at once; else None. `batch_size: auto` is then smaller on a CPU. Scores do
            not depend on it.
        judges_range: whether to check the range of the first pictures that come from outside a run.
    """

    noun = "scorer"
    relief = "give a smaller synthesis.batch_size, fewer engine.workers, or another device"
    guarded = (
        "concepts", "features", "extras", "checkpoint", "check", "check_generator", "score", "extra", "embed",
        "feature_stages", "logits", "labels",
    )  # fmt: skip
    concepts: tuple[Concept, ...]
    features: tuple[int, ...] = ()
    extras: tuple[str, ...] = ()
    checkpoint: str = ""
    packages: tuple[str, ...] = ()
    input_size: tuple[int, int] | None = None
    judges_range: bool = True

    @cached_property
    def declared(self) -> tuple[Concept, ...]:
        """Concepts at the first access, with which those of later accesses are compared."""
        return tuple(self.concepts)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the methods that take a rendering, so that it is checked."""
        super().__init_subclass__(**kwargs)
        for name in ("score", "extra", "embed", "feature_stages", "logits", "labels"):
            if name in cls.__dict__:
                setattr(cls, name, with_checked_input(cls.__dict__[name]))

    def check(self, samples: int) -> None:
        """Refuse a number of samples before a run begins. Default: accept any.

        Raises:
            DataError: the scorer has no data for so many samples.
        """

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator that the scorer does not fit, before a run begins. Default: accept any.

        Raises:
            UserError: the scorer reads feature maps of another generator.
        """

    @abstractmethod
    def score(self, rendering: Rendering) -> Tensor:
        """Return scores (N, C), float32; NaN only for concepts that may be undefined.

        A run calls it under `torch.inference_mode()`, with a rendering that must not be changed.
        """

    def extra(self, rendering: Rendering) -> Tensor:
        """Return the numbers (N, E) that `extras` names, such as the confidence of a score."""
        return rendering.images.new_zeros((rendering.images.shape[0], 0))

    def embed(self, rendering: Rendering) -> Tensor | None:
        """Return features (N, F) of a network whose distances say how alike pictures look. Default: None.

        The perceptual path length of `ganstrata leaderboard` is measured with the first scorer that has them.
        """
        return None

    def feature_stages(self, rendering: Rendering) -> Sequence[Tensor] | None:
        """Return feature maps (N, C_k, H_k, W_k) of a network, shallow to deep. Default: None.

        Pictures are compared by them when photographs are inverted, so gradients must flow to the pictures.
        They depend on the pictures alone, and are not written into.
        """
        return None


class Segmenter(Scorer[ConfigT]):
    """Label pixels, and score a picture by the share of its area that each of M classes covers.

    Attributes:
        accuracy: how right its labels are, if that is known. Agreement with its labels is shown beside it.
    """

    accuracy: StatedAccuracy | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap logits(), so that its result is checked."""
        super().__init_subclass__(**kwargs)
        for name in {"logits"} & cls.__dict__.keys():
            setattr(cls, name, checked_logits(cls.__dict__[name]))

    @abstractmethod
    def logits(self, rendering: Rendering) -> Tensor:
        """Return logits (N, M, H, W): channel i is the class of concepts[i].

        Raises:
            ScoreError: the result has another shape; also in subclasses.
        """

    def labels(self, rendering: Rendering) -> Tensor:
        """Return the class with the highest logit of each pixel, (N, H, W), from 0 to M - 1."""
        # max() is several times faster than argmax() on a CPU.
        return self.logits(rendering).max(dim=1).indices

    def score(self, rendering: Rendering) -> Tensor:
        """Return area shares (N, M): pixels with the label of each class, divided by H*W."""
        labels, classes = self.labels(rendering), len(self.concepts)
        if rendering.images.device.type == "cpu":  # an accelerator would have to be waited for
            check_labels(labels, owner_of(self), len(rendering.images), classes)
        labels = labels.flatten(1)  # (N, H*W)
        n = labels.shape[0]
        first = classes * torch.arange(n, device=labels.device)[:, None]  # (N, 1): each picture's first bin
        bins = (labels + first).flatten()  # (N*H*W,)
        # Unlike bincount(), this does not make an accelerator wait; whole numbers add up exactly.
        one = torch.ones(1, dtype=torch.int32, device=labels.device)
        counts = one.new_zeros(n * classes).scatter_add_(0, bins, one.expand_as(bins))  # (N*M,)
        return counts.view(n, classes).float() / labels.shape[1]  # (N, M)


class BoundaryLearner(Plugin[ConfigT]):
    """Learn a boundary per concept in a latent space.

    Attributes:
        supervised: whether the learner learns the boundary of each concept from its scores. False for
            learners that find directions without labels, and return each as `Boundary.unlabelled(...)`.
        from_samples: whether the result depends on the samples. A learner for which it does not is not asked
            again for resampled samples, so intervals include no variance due to learning. The constructor
            may set it according to the config.
        layerwise: whether the learner works in w+ and takes codes (N, L, D). It needs synthesis.mixing above
            0, since otherwise all layers have the same code and so the same boundary. The constructor may
            set it according to the config.
        within_classes: whether learn() takes `classes` (N,), the classes that a conditional generator drew,
            and compares only samples of the same class.
        jointly: whether the boundary of a concept depends on which other concepts are learnt with it. Null
            directions from permuted scores are then learnt from all concepts together.
        trains: whether learn() trains by passes through the generator. It then takes `precision` (fp32, bf16
            or fp16), in which these are to be computed, and `on_share`, a function that it calls with the
            share of its work that is done, from 0 to 1.
        checkpoint: hash of the weights of networks that it uses. Boundaries are learnt again when it changes.
        packages: distributions whose version affects them, besides those that its own distribution requires.
        in_blocks: whether learn() needs no memory for all samples. It is then given latents and scores as
            tables, of which `table[a:b]` is an array of rows and `table.shape` the size (arrays are such
            tables too), and takes `measured`: False where only normals and offsets are wanted, so that
            accuracies need not be measured. The constructor may set it according to the config.
        any_space: whether a learner of directions without labels works in s as well as in the space of codes.
            learn() then takes `space`, which is `w` or `s`, and in s is given styles (N, S).
        in_styles: whether the learner finds directions in s alone, the space of style channels. It needs
            `learning.space: s`, and is given styles (N, S).
    """

    noun = "boundary learner"
    relief = "give fewer synthesis.samples"
    guarded = (
        "layerwise", "supervised", "from_samples", "within_classes", "jointly", "trains", "in_blocks",
        "in_styles", "any_space", "check", "check_generator", "expected", "layer_sets", "learn",
    )  # fmt: skip
    supervised: ClassVar[bool] = True
    from_samples: bool = True
    layerwise: bool = False
    within_classes: ClassVar[bool] = False
    jointly: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    in_blocks: bool = False
    in_styles: ClassVar[bool] = False
    any_space: ClassVar[bool] = False
    checkpoint: str = ""
    packages: tuple[str, ...] = ()

    def check(self, samples: int) -> None:
        """Refuse a number of samples before a run begins. Default: accept any.

        Raises:
            DataError: the learner cannot work with so few samples.
        """

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator that the learner does not fit, before a run begins. Default: accept any.

        Raises:
            UserError: the learner reads weights or layers that this generator does not have.
        """

    def expected(self, concepts: int) -> int:
        """Return how many boundaries learn() will return, for forecasts. Default: one per concept.

        Args:
            concepts: number of concepts to learn.
        """
        return concepts

    def layer_sets(self, generator: Generator, concepts: int) -> int:
        """Return the most sets of layers that boundaries of learn() may have, for forecasts. Default: one.

        Null directions are moved once for each distinct `Boundary.layers`.

        Args:
            generator: the generator of the run.
            concepts: number of concepts to learn.
        """
        return 1

    @abstractmethod
    def learn(
        self,
        latents: NDArray[np.float32],
        scores: NDArray[np.float32],
        concepts: Sequence[Concept],
        *,
        generator: Generator | None = None,
        seed: int = 0,
    ) -> Boundaries:
        """Learn one boundary per concept, or find directions without labels if `supervised` is False.

        Args:
            latents: codes (N, D), (N, L, D) if the learner is layerwise, or styles (N, S) in space s.
            scores: scores (N, C).
            concepts: the concepts of the columns of the scores.
            generator: the generator in whose space the boundaries lie; None outside a run.
            seed: seed of everything random in the learner.

        Raises:
            DataError: there are too few samples, or scores do not vary.
        """
