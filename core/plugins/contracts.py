"""What a plugin may be: a Generator, a Scorer (or Segmenter) or a BoundaryLearner.

Every plugin is built as `Plugin(config, device)`, where config is an instance of its own nested
`Config`: a pydantic model that forbids unknown fields.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import PluginBroken, ShapeError
from ..randomness import Stream, Use, normals
from ..text import shown
from .base import Plugin, owner_of
from .config_contents import canonical_text
from .picture_checks import check_rendering
from .records import Boundaries, Concept, Inputs, Latents, Match, ModelCard, Rendering, State, Stratum
from .shapes import check_shape

if TYPE_CHECKING:
    from ..checkpoints import Part
    from ..checkpoints.detect import Examined


class Generator(Plugin):
    """A pretrained network as a stack of strata; the core composes them.

    Only `card`, `strata`, `stratum` and `finish` must be given. The defaults are a normal prior, no
    mapping network, plain broadcast and no condition.

    Attributes:
        card: what the network is, and its sizes.
        strata: its layers, first to last.
        judges_range: whether the range of its first pictures is judged when it is built; False where the network's range is
            known, so that what weights make of it is their affair, or lies far outside of [0, 1] by design.
    """

    noun = "generator"
    relief = "give a smaller synthesis.batch_size, fewer engine.workers, or another device"
    guarded = (
        "card", "strata", "fingerprint", "space", "layer_scale", "groups", "sample", "map", "broadcast", "begin", "stratum", "finish",
        "style", "style_weights",
    )  # fmt: skip
    card: ModelCard
    strata: tuple[Stratum, ...]
    judges_range: bool = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Hold what sample(), map() and broadcast() of every plugin give against what the contract says."""
        super().__init_subclass__(**kwargs)
        for name, checked in (
            ("sample", _checked_sample),
            ("map", _checked_map),
            ("broadcast", _checked_broadcast),
        ):
            if name in cls.__dict__:
                setattr(cls, name, checked(cls.__dict__[name]))

    @cached_property
    def fingerprint(self) -> str:
        """Names the latent space: boundaries learnt for one generator refuse another."""
        checkpoint = (
            self.card.weights
            or self.card.sha256
            or f"{type(self).__module__}.{type(self).__qualname__} {canonical_text(self.config)}"
        )
        return hashlib.sha256(f"{self.card.family} {checkpoint}".encode()).hexdigest()[:16]

    @property
    def space(self) -> str:
        """The space that map() leads to: "w", or "z" where there is no mapping network."""
        return "z" if type(self).map is Generator.map else "w"

    @property
    def layer_scale(self) -> NDArray[np.float32]:
        """How a step in w shrinks at each layer, (L,): truncation psi; 1 elsewhere."""
        return np.ones(self.card.layers, dtype=np.float32)

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]] | None:
        """Named layer groups, bottom to top; None for the core's cuts at 1/7, 3/7 and 6/7 of L."""
        return None

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Samples start .. start + n of a stream: each depends on (seed, stream, its index) alone."""
        z = normals(seed, stream, Use.LATENT, range(start, start + n), self.card.latent_size)
        return Latents(torch.from_numpy(z).to(self.device), None, torch.arange(start, start + n))

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Z (N, Z) to w (N, D). Default: w = z. Other shapes raise ShapeError, here and in plugins."""
        check_shape(z, "N Z", where="z handed to map", Z=self.card.latent_size)
        return z

    def broadcast(self, w: Tensor) -> Tensor:
        """W (N, D) to codes (N, L, D); truncation belongs here. Default: a copy for every layer."""
        check_shape(w, "N D", where="w handed to broadcast", D=self.card.code_size)
        return w[:, None].expand(-1, self.card.layers, -1)

    def begin(self, inputs: Inputs) -> State:
        """The state before the first stratum. Default: empty."""
        return State(None)

    @abstractmethod
    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply stratum s: code (N, D) is its layer's, style (N, C_s) replaces what its affine gives."""

    @abstractmethod
    def finish(self, state: State) -> Tensor:
        """The state after the last stratum as images (N, 3, H, W), RGB, nominally in [0, 1]."""

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """What the affine of stratum s gives for codes (N, D): (N, C_s), or None if it has none."""
        return None

    def style_weights(self, s: int) -> Tensor | None:
        """The affine's weights (C_s, D) for closed-form factorisation, or None."""
        return None

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        """Whether a checkpoint with these tensors and settings belongs to this plugin."""
        return None

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """What is in a part that recognise() knows, weights included, for `model inspect` and `model convert`.

        None: the plugin does not take part in those. Tensors that do not fit are told, not raised.
        """
        return None


def _checked_sample(method: Callable[..., Latents]) -> Callable[..., Latents]:
    @wraps(method)
    def sample(self: Generator, n: int, seed: int, start: int, stream: Stream) -> Latents:
        returned: object = method(self, n, seed, start, stream)
        fault = _fault_of_samples(returned, n, start)
        if not fault:
            # Arrays are made for what the first samples were like.
            drawn = cast("Latents", returned).condition
            kind = None if drawn is None else (tuple(drawn.shape[1:]), drawn.dtype)
            before = self.__dict__.setdefault("_conditioned", kind)
            fault = (
                ""
                if kind == before
                else f"a condition of another kind than before ({shown(kind)} and not {shown(before)})"
            )
        if fault:
            raise PluginBroken(f"{owner_of(self)}: sample({n}, ..., start={start}, ...) returned {fault}")
        return cast("Latents", returned)

    return sample


def _fault_of_samples(returned: object, n: int, start: int) -> str:
    """What is wrong with what sample() gave; nothing if it will do."""
    if not isinstance(returned, Latents):
        return f"{type(returned).__name__}; a ganstrata.Latents was expected"
    rows: dict[str, object] = {"z": returned.z, "index": returned.index}
    if returned.condition is not None:
        rows["condition"] = returned.condition
    for name, values in rows.items():
        if not isinstance(values, Tensor):
            return f"{name} as {type(values).__name__}; a torch.Tensor was expected"
        if values.ndim == 0 or len(values) != n:
            return f"{name} of shape {tuple(values.shape)}; it needs {n} rows"
    if not returned.z.is_floating_point():
        return f"z of {returned.z.dtype}; floats were expected"
    if returned.index.tolist() != list(range(start, start + n)):
        return f"another index than {start} to {start + n - 1}, by which samples are known: torch.arange(start, start + n)"
    return ""


def _checked_map(
    method: Callable[[Any, Tensor, Tensor | None], Tensor],
) -> Callable[[Any, Tensor, Tensor | None], Tensor]:
    @wraps(method)
    def map(self: Generator, z: Tensor, condition: Tensor | None = None) -> Tensor:  # noqa: A001 - the method's own name
        check_shape(z, "N Z", where="z handed to map", Z=self.card.latent_size)
        w = method(self, z, condition)
        _check_tensor(w, f"{owner_of(self)}: map")
        check_shape(
            w, "N D", where=f"{owner_of(self)}: w returned by map", N=z.shape[0], D=self.card.code_size
        )
        return w

    return map


def _checked_broadcast(method: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    @wraps(method)
    def broadcast(self: Generator, w: Tensor) -> Tensor:
        check_shape(w, "N D", where="w handed to broadcast", D=self.card.code_size)
        codes = method(self, w)
        _check_tensor(codes, f"{owner_of(self)}: broadcast")
        where = f"{owner_of(self)}: codes returned by broadcast"
        check_shape(codes, "N L D", where=where, N=w.shape[0], L=self.card.layers, D=self.card.code_size)
        return codes

    return broadcast


def _check_tensor(value: object, method: str) -> None:
    if not isinstance(value, Tensor):
        raise ShapeError(f"{method} returned {type(value).__name__}; a torch.Tensor was expected")
    if not value.is_floating_point():
        raise ShapeError(f"{method} returned {value.dtype}; floats were expected")


class Scorer(Plugin):
    """Gives each image a number per concept.

    Attributes:
        concepts: what the columns of score() are.
        features: numbers of the strata whose feature maps score() reads; none by default.
        extras: names of numbers that are kept beside the scores but are no concepts.
        checkpoint: hash of the network's weights, if it has any. Scores are computed again when it changes, when a
            file that the config names does, or the plugin's own source or version.
        packages: further distributions, beside those that the plugin's own requires, whose version decides scores.
        judges_range: whether the range of the first pictures that are given from outside a run is judged.
    """

    noun = "scorer"
    relief = "give a smaller synthesis.batch_size, fewer engine.workers, or another device"
    guarded = ("concepts", "features", "extras", "checkpoint", "check", "score", "extra", "logits", "labels")
    concepts: tuple[Concept, ...]
    features: tuple[int, ...] = ()
    extras: tuple[str, ...] = ()
    checkpoint: str = ""
    packages: tuple[str, ...] = ()
    judges_range: bool = True

    @cached_property
    def declared(self) -> tuple[Concept, ...]:
        """The concepts as they were when this was first asked for: they must not become others."""
        return tuple(self.concepts)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Hold what every scorer is given against what it takes."""
        super().__init_subclass__(**kwargs)
        for name in ("score", "extra", "logits", "labels"):
            if name in cls.__dict__:
                setattr(cls, name, _given(cls.__dict__[name]))

    def check(self, samples: int) -> None:
        """Refuse a run of so many samples before any work is done.

        Raises:
            DataError: it does not go with the scorer's data.
        """

    @abstractmethod
    def score(self, rendering: Rendering) -> Tensor:
        """Scores (N, C), float32; NaN only where the concept may be undefined."""

    def extra(self, rendering: Rendering) -> Tensor:
        """The numbers that `extras` names, (N, E): how far a score can be trusted, for example."""
        return rendering.images.new_zeros((rendering.images.shape[0], 0))


def _given(method: Callable[[Any, Rendering], Tensor]) -> Callable[[Any, Rendering], Tensor]:
    @wraps(method)
    def call(self: Scorer, rendering: Rendering) -> Tensor:
        check_rendering(rendering, owner_of(self), judge_range=self.judges_range)
        self.judges_range = False  # once for each scorer
        return method(self, rendering)

    return call


class Segmenter(Scorer):
    """A scorer that labels pixels; its scores are the share of the picture that each class takes."""

    @abstractmethod
    def logits(self, rendering: Rendering) -> Tensor:
        """(N, M, H, W), a plane per class."""

    def labels(self, rendering: Rendering) -> Tensor:
        """The class with the highest logit of each pixel, (N, H, W)."""
        # max() is several times faster than argmax() on a CPU.
        return self.logits(rendering).max(dim=1).indices

    def score(self, rendering: Rendering) -> Tensor:
        """Area shares (N, M): of each class, the pixels that bear its label."""
        labels = self.labels(rendering).flatten(1)  # (N, H*W)
        n, classes = labels.shape[0], len(self.concepts)
        first = classes * torch.arange(n, device=labels.device)[:, None]
        counts = (labels + first).flatten().bincount(minlength=n * classes)
        return counts.view(n, classes).float() / labels.shape[1]


class BoundaryLearner(Plugin):
    """Finds a direction per concept in a latent space.

    Attributes:
        supervised: False for learners that use the generator instead of scores and choose themselves which
            of the concepts their directions are of.
        layerwise: True for learners of w+, which are given codes (N, L, D); with plain w the
            boundaries of all layers would be the same, so they need synthesis.mixing above 0. A
            learner may leave it to its config and set it when it is built.
        within_classes: True for learners whose learn() takes `classes` (N,), the classes that a
            conditional generator drew, and compares samples of one class with each other.
    """

    noun = "boundary learner"
    relief = "give fewer synthesis.samples"
    guarded = ("layerwise", "supervised", "within_classes", "check", "learn")
    supervised: ClassVar[bool] = True
    layerwise: bool = False
    within_classes: ClassVar[bool] = False

    def check(self, samples: int) -> None:
        """Refuse a run of so many samples before any work is done.

        Raises:
            DataError: they cannot do.
        """

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
        """Boundaries from latents (N, D) or (N, L, D) and scores (N, C), one per concept.

        Raises:
            DataError: too few samples, or scores that do not vary.
        """
