"""Say how an encoder is trained, and check it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from ...errors import UserError
from ...messages import listed

EncoderSize = Literal["small", "base"]
ENCODER_SIZES: tuple[EncoderSize, ...] = get_args(EncoderSize)
EncoderSpace = Literal["auto", "z", "w", "layers", "w+"]
ENCODER_SPACES: tuple[EncoderSpace, ...] = get_args(EncoderSpace)


@dataclass(frozen=True)
class LossWeights:
    """Weigh the parts of the loss, which losses.py defines; a part of weight 0 is not computed.

    Attributes:
        latent: a, of the squared error of codes in standard units.
        pixel: b, of the squared error of pixels in [0, 1].
        perceptual: p, of the perceptual distance; of no effect without a network.
        deltas: d, of the root mean square of each layer's change.
        reciprocity: r, of the squared difference of E(G(E(x))) and E(x).
        joint: j, of the joint discriminator of pictures and codes.
    """

    latent: float = 1.0
    pixel: float = 10.0
    perceptual: float = 0.5
    deltas: float = 0.01
    reciprocity: float = 0.0
    joint: float = 0.0

    @property
    def renders(self) -> bool:
        """Whether codes are rendered: gradients then go through the generator."""
        return max(self.pixel, self.perceptual, self.reciprocity) > 0.0


@dataclass(frozen=True)
class EncoderRequest:
    """Set the training of an encoder.

    Attributes:
        size: `small` (a million parameters for 64 px and 10 layers) or `base` (ten times as many).
        space: space of its codes: z, w, layers (one z per layer), w+ (one w per layer); auto for w+, or z
            where the generator has no w.
        pictures: pictures that the network learns from, samples and real ones together.
        batch: pictures in a step.
        learning_rate: of Adam, at its highest.
        weights: of the parts of the loss.
        mixing: share of the samples with two styles, where each layer has a code of its own.
        progressive: whether the changes per layer are switched on one by one, as in e4e.
        real_share: share of real pictures in a step, once they take part.
        real_from: share of the training after which they do.
        minutes: time of training after which it ends early, with its schedule scaled to fit; None without.
        seed: seed of parameters, samples, and of which real pictures are taken.
        precision: fp32, bf16 or fp16.

    Raises:
        UserError: a value is not allowed.
    """

    size: EncoderSize = "small"
    space: EncoderSpace = "auto"
    pictures: int = 200_000
    batch: int = 32
    learning_rate: float = 5e-4
    weights: LossWeights = field(default_factory=LossWeights)
    mixing: float = 0.5
    progressive: bool = False
    real_share: float = 0.5
    real_from: float = 0.5
    minutes: float | None = None
    seed: int = 0
    precision: str = "fp32"

    def __post_init__(self) -> None:
        rules: list[tuple[bool, str, object, str]] = [
            (self.size in ENCODER_SIZES, "size", self.size, listed(ENCODER_SIZES)),
            (self.space in ENCODER_SPACES, "space", self.space, listed(ENCODER_SPACES)),
            (self.pictures >= 1, "pictures", self.pictures, "at least 1"),
            (1 <= self.batch <= 4096, "batch", self.batch, "from 1 to 4096"),
            (0.0 < self.learning_rate <= 1.0, "learning_rate", self.learning_rate, "above 0 and at most 1"),
            (0.0 <= self.mixing <= 1.0, "mixing", self.mixing, "a share from 0 to 1"),
            (0.0 <= self.real_share < 1.0, "real_share", self.real_share, "a share from 0 to below 1"),
            (0.0 <= self.real_from <= 1.0, "real_from", self.real_from, "a share from 0 to 1"),
            (self.minutes is None or 0.0 < self.minutes < math.inf, "minutes", self.minutes, "above 0"),
        ]
        for part in fields(self.weights):
            value = getattr(self.weights, part.name)
            rules.append((0.0 <= value < math.inf, f"weights.{part.name}", value, "0 or more"))
        for holds, name, given, allowed in rules:
            if not holds:
                raise UserError(f"{name} of an encoder's training must be {allowed}; got {given}")
        if not self.weights.latent and not self.weights.pixel and not self.weights.perceptual:
            raise UserError(
                "the weights latent, pixel and perceptual of an encoder's training are all 0, so nothing "
                "would be learnt; give one of them a weight"
            )

    def as_data(self) -> dict[str, Any]:
        """Return all values as plain data, for a file."""
        return asdict(self)
