"""Find directions that a network can tell apart by the change of the picture (joint training)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from ...core.device import sent
from ...core.plugins.generator import Generator
from ...core.randomness import Stream
from .reconstructor import Reconstructor, reduced
from .training import Course, Descent, Drawn, TrainedLearner, numbers
from .unlabelled import Direction, Layers, check_dimensions

LARGEST, LEAST = 6.0, 0.5  # range of |eps|
SHIFT_WEIGHT = 0.25  # of |eps - eps'| in the loss
SIZE = 32  # pixels that the reconstructor sees
HELD_OUT = 32  # pairs for each direction
RECENT = 20  # steps whose mean loss is told


@dataclass(frozen=True)
class Steps:
    """Hold along which direction each of n samples is moved, and how far.

    Attributes:
        which: number of the direction, (n,).
        how_far: eps (n,), in spreads of w.
    """

    which: Tensor
    how_far: Tensor


def draw_steps(n: int, directions: int, source: torch.Generator, device: torch.device) -> Steps:
    """Draw k uniformly, and eps uniformly from [-6, -0.5] and [0.5, 6]."""
    which = torch.randint(directions, (n,), generator=source)
    size = LEAST + (LARGEST - LEAST) * torch.rand(n, generator=source)
    sign = 2.0 * torch.randint(2, (n,), generator=source) - 1.0
    return Steps(sent(which, device), sent(sign * size, device))


class Directions(nn.Module):
    """Hold K orthonormal vectors (K, D) that can be trained."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.rows = nn.Linear(width, count, bias=False)
        orthogonal(self.rows)

    def vectors(self) -> Tensor:
        """Return the vectors (K, D), computed anew from the parameters."""
        return self.rows.weight


class Joint(TrainedLearner):
    """Train K orthonormal directions with a network that must tell them apart.

    For a code w, a direction k and a length eps, a reconstructor R sees both pictures and says which
    direction it was and how far: (k', eps') = R(G(w), G(w + eps s_w a_k)). Directions and R are trained
    together to minimise CE(k', k) + 0.25 |eps' - eps|, with eps uniform in [-6, 6] but for |eps| < 0.5, and
    s_w the spread of w. So directions whose changes look different from each other win. They are ordered by
    the share of held-out pairs in which R recognises them; the share of all pairs is the paper's RCA.

    Source: Voynov and Babenko, "Unsupervised discovery of interpretable directions in the GAN latent space",
    ICML 2020. Different here: directions are kept orthonormal by reflections (torch's `orthogonal`) and not
    by a matrix exponential; R is a small convolutional network of our own on pictures of at most 32 pixels,
    in place of LeNet or ResNet-18; steps are in spreads of w; rates are higher and fall to 0, because a
    training is 300 steps and not 100,000.
    """

    class Config(Layers):
        """Set the number of directions, the layers that they move, and the training."""

        directions: int = Field(default=16, ge=2, le=4096, description="number K of directions")
        steps: int = Field(
            default=300, ge=1, le=10_000_000, description="of the training; the paper: 100,000"
        )
        batch: int = Field(default=32, ge=1, le=65_536, description="pairs of pictures in a step")
        direction_rate: float = Field(
            default=0.01, gt=0.0, le=10.0, description="of Adam for the directions; the paper: 0.0001"
        )
        reconstructor_rate: float = Field(
            default=0.001, gt=0.0, le=10.0, description="of Adam for the network; the paper: 0.0001"
        )

    config: Config
    method = "joint"

    def expected(self, concepts: int) -> int:
        """Return the number of directions in the config."""
        return self.config.directions

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator with fewer dimensions than directions, or without the layers of the config.

        Raises:
            DataError: more directions than dimensions.
            LayerError: a layer does not exist.
        """
        super().check_generator(generator)
        check_dimensions(self.config.directions, generator)

    def train(self, course: Course) -> Iterator[Direction]:
        """Return joint/0, joint/1, ..., the best recognised first."""
        count, device = self.config.directions, course.generator.device
        directions = Directions(count, course.generator.card.code_size).to(device)
        contrast = self._contrast(course, directions.vectors())
        reconstructor = Reconstructor(count, SIZE, contrast).to(device)
        descent = Descent(
            course,
            [
                (list(directions.parameters()), self.config.direction_rate),
                (list(reconstructor.parameters()), self.config.reconstructor_rate),
            ],
            self.config.steps,
        )
        source, losses = numbers(course.seed), []
        for step in range(self.config.steps):
            drawn = course.draws(self.config.batch, step * self.config.batch, Stream.LEARNING)
            losses.append(descent.take(self._losses(course, directions, reconstructor, drawn, source)))
        recognised, error = _measure(course, directions.vectors().detach(), reconstructor, source)
        facts = {
            "reconstructor_accuracy": round(float(recognised.mean()), 4),
            "chance": round(1.0 / count, 4),
            "shift_error": round(error, 4),
            "loss": round(float(torch.stack(losses[-RECENT:]).mean()), 4),
            "first_loss": round(float(losses[0]), 4),
            "steps": self.config.steps,
        }
        order = recognised.argsort(descending=True, stable=True).tolist()
        vectors = directions.vectors().detach().cpu().numpy()
        for rank, k in enumerate(order):
            own = {"recognised": round(float(recognised[k]), 4), **facts}
            yield Direction(str(rank), vectors[k], own)

    def _losses(
        self,
        course: Course,
        directions: Directions,
        reconstructor: Reconstructor,
        portions: Iterator[Drawn],
        source: torch.Generator,
    ) -> Iterator[Tensor]:
        """Yield the part of each portion in the mean loss of a batch."""
        for drawn in portions:
            steps = draw_steps(len(drawn.w), self.config.directions, source, drawn.w.device)
            logits, how_far = _read(course, directions.vectors(), reconstructor, drawn, steps)
            which = F.cross_entropy(logits, steps.which, reduction="sum")
            yield (which + SHIFT_WEIGHT * (how_far - steps.how_far).abs().sum()) / self.config.batch

    @torch.no_grad()
    def _contrast(self, course: Course, vectors: Tensor) -> float:
        """Return the root mean square of the change of pictures, before the training."""
        (drawn, *_) = course.draws(self.config.batch, 0, Stream.LEARNING)
        steps = draw_steps(len(drawn.w), self.config.directions, numbers(course.seed), drawn.w.device)
        first, second = _pictures(course, vectors, drawn, steps)
        change = float((reduced(second, SIZE) - reduced(first, SIZE)).square().mean().sqrt())
        return change or 1.0


def _pictures(course: Course, vectors: Tensor, drawn: Drawn, steps: Steps) -> tuple[Tensor, Tensor]:
    """Return the pictures (n, 3, H, W) before the steps and after, of which only the latter has gradients."""
    with torch.no_grad():
        before = course.render(drawn, drawn.codes).images
    codes = course.moved(drawn.codes, vectors[steps.which], course.spread * steps.how_far)
    return before, course.render(drawn, codes).images


def _read(
    course: Course, vectors: Tensor, reconstructor: Reconstructor, drawn: Drawn, steps: Steps
) -> tuple[Tensor, Tensor]:
    """Return what the reconstructor makes of the steps: logits (n, K) and lengths (n,)."""
    logits, how_far = reconstructor(*_pictures(course, vectors, drawn, steps))
    return logits, how_far


@torch.no_grad()
def _measure(
    course: Course, vectors: Tensor, reconstructor: Reconstructor, source: torch.Generator
) -> tuple[Tensor, float]:
    """Return the share of held-out pairs recognised of each direction (K,), and the mean |eps' - eps|."""
    count, device = len(vectors), vectors.device
    right, error = torch.zeros(count, device=device), torch.zeros((), device=device)
    for drawn in course.draws(HELD_OUT * count, 0, Stream.VALIDATION):
        steps = draw_steps(len(drawn.w), count, source, drawn.w.device)
        which = sent(drawn.latents.index % count, device)  # each direction as often as the others
        steps = Steps(which, steps.how_far)
        logits, how_far = _read(course, vectors, reconstructor, drawn, steps)
        hit = (logits.argmax(dim=1) == which).float()
        right += torch.zeros_like(right).scatter_add_(0, which, hit)
        error += (how_far - steps.how_far).abs().sum()
    course.on_share(1.0)
    return (right / HELD_OUT).cpu(), float(error) / (HELD_OUT * count)
