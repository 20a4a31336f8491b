"""A tiny generator with planted directions, and scorers that read them.

The fixture `fakes` installs them as a distribution.

What the environment says holds in workers too, and is no part of a run's config:

- FAKES_LOG: a file that gets a line "process images" per pass.
- FAKES_SLEEP: seconds each pass takes longer, so that a test can interrupt it.
- FAKES_MOST: memory runs out in passes of more images; `16 in workers` spares the one that drives.
- FAKES_DEADLY: workers end themselves in their first pass.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import ganstrata
import numpy as np
import torch
from ganstrata import (
    Boundaries,
    Concept,
    Inputs,
    Latents,
    ModelCard,
    PluginConfig,
    Rendering,
    State,
    Stratum,
    Stream,
    hookimpl,
)
from ganstrata.core.errors import DataError, GanstrataError
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

SIZE = 8  # pixels
WIDTH = 16  # D
LAYERS = 8
PLANTED = {"left": 1, "checks": 2, "stripes": 5, "red": 7}
"""Concept to the layer that alone causes it; its direction is the axis of w with its place in this table."""
HERE = "ganstrata_fakes"


def _patterns() -> Tensor:
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    left = torch.where(x < SIZE // 2, 1.0, -1.0).expand(3, -1, -1)
    checks = (1.0 - 2.0 * ((x + y) % 2)).expand(3, -1, -1)
    stripes = (1.0 - 2.0 * (y % 2)).expand(3, -1, -1)
    red = torch.tensor([1.0, -0.5, -0.5])[:, None, None].expand(3, SIZE, SIZE)
    return torch.stack([left, checks, stripes, red]).float()


def _is_worker() -> bool:
    """Whether this process is a worker: a child of `local`, or one that Ray or submitit has started."""
    program = os.path.basename(sys.argv[0])
    return multiprocessing.parent_process() is not None or program in ("default_worker.py", "_submit.py")


PATTERNS = _patterns()
"""What each planted direction adds to a picture: (4, 3, SIZE, SIZE), orthogonal to each other."""


class Layered(ganstrata.Generator):
    """Eight layers: four cause one concept each, and all add a texture that no concept is about."""

    class Config(PluginConfig):
        """Nothing that matters, to have something to show."""

        gain: float = Field(default=0.05, gt=0.0, lt=1.0, description="amplitude of what is planted")

    config: Config
    layers = LAYERS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard(
            "fake",
            resolution=SIZE,
            layers=self.layers,
            code_size=WIDTH,
            latent_size=WIDTH,
            source="fakes & <more>",
            assumptions=("noise was <made> up",),
        )
        self.strata = tuple(Stratum(f"s{layer}", layer, SIZE) for layer in range(self.layers))
        rng = np.random.default_rng(7)
        # So many turns of the sine that a step changes it by nothing on average: exp(-8) of its amplitude.
        self.texture = torch.from_numpy(
            rng.standard_normal((self.layers, WIDTH, 3 * SIZE * SIZE)).astype(np.float32) / 2.0
        )

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """W is twice z, so that the spread of w is 2."""
        return 2.0 * z

    def begin(self, inputs: Inputs) -> State:
        """Grey."""
        return State(torch.full((inputs.n, 3, SIZE, SIZE), 0.5))

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Add what is planted here, and texture whose mean change is about nothing."""
        assert code is not None
        assert state.x is not None
        x = state.x + 0.01 * torch.sin(code @ self.texture[s]).view(-1, 3, SIZE, SIZE)
        for axis, layer in enumerate(PLANTED.values()):
            if layer == s or self.layers == 1:
                x = x + self.config.gain * code[:, axis, None, None, None] * PATTERNS[axis]
        return State(x)

    def finish(self, state: State) -> Tensor:
        """The picture; this is where passes are counted, slowed down or stopped."""
        assert state.x is not None
        if os.environ.get("FAKES_DEADLY") and multiprocessing.parent_process() is not None:
            os._exit(9)
        most, _, where = os.environ.get("FAKES_MOST", "").partition(" ")
        is_meant = not where or _is_worker()
        if most and is_meant and len(state.x) > int(most):
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(state.x)} GiB")
        if pause := os.environ.get("FAKES_SLEEP"):
            time.sleep(float(pause))
        if log := os.environ.get("FAKES_LOG"):
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {len(state.x)}\n")
        return state.x


class Flat(Layered):
    """The same with one layer."""

    layers = 1


class Grainy(Layered):
    """Truncation has shrunk w in the first half of the layers.

    Each picture's fresh noise decides how strongly codes act.
    """

    @property
    def layer_scale(self) -> NDArray[np.float32]:
        """A half in the first four layers."""
        return np.repeat(np.float32([0.5, 1.0]), LAYERS // 2)

    def begin(self, inputs: Inputs) -> State:
        """Grey, with a gain of each sample from its noise seed and index."""
        seeds = [inputs.noise % 2**31 + int(i) for i in inputs.index]
        gain = [float(torch.rand(1, generator=torch.Generator().manual_seed(seed))) for seed in seeds]
        return State(super().begin(inputs).x, kept={"gain": 0.5 + torch.tensor(gain)})

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """The difference that a layer makes, times the sample's gain."""
        after = super().stratum(s, state, code, style)
        assert state.x is not None
        assert after.x is not None
        gain = state.kept["gain"][:, None, None, None]
        return State(state.x + gain * (after.x - state.x), kept=state.kept)


class Styled(Layered):
    """Each layer has two style channels; the first causes the layer's concept, if it has one.

    Styles are a rotation of w plus a constant. Truncation halves w in the first half of the layers.
    """

    def __init__(self, config: Layered.Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.strata = (
            *(Stratum(f"s{layer}", layer, SIZE, style_width=2) for layer in range(LAYERS)),
            Stratum("out", None, SIZE),
        )
        rotation, _ = np.linalg.qr(np.random.default_rng(5).standard_normal((WIDTH, WIDTH)))
        self.affine = torch.from_numpy(rotation.astype(np.float32)).view(LAYERS, 2, WIDTH)

    @property
    def layer_scale(self) -> NDArray[np.float32]:
        """A half in the first four layers."""
        return np.repeat(np.float32([0.5, 1.0]), LAYERS // 2)

    def broadcast(self, w: Tensor, condition: Tensor | None = None) -> Tensor:
        """Truncation towards 0."""
        return w[:, None] * torch.from_numpy(self.layer_scale).to(w)[:, None]

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Two numbers."""
        return code @ self.affine[s].T + 0.3 if s < LAYERS else None

    def style_weights(self, s: int) -> Tensor | None:
        """The rotation's rows."""
        return self.affine[s] if s < LAYERS else None

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Add what is planted here, and a wave that the second channel turns."""
        assert state.x is not None
        if s == LAYERS:
            return state
        assert code is not None
        style = self.style(s, code) if style is None else style
        assert style is not None
        wave = torch.sin(style[:, 1:] + self.texture[s, :1])  # (N, 3 * SIZE * SIZE)
        x = state.x + 0.01 * wave.view(-1, 3, SIZE, SIZE)
        for axis, layer in enumerate(PLANTED.values()):
            if layer == s:
                x = x + self.config.gain * style[:, 0, None, None, None] * PATTERNS[axis]
        return State(x)


class Classes(Layered):
    """Three classes; the second half of w knows the class."""

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """The class of a sample is its index modulo 3."""
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z, latents.index % 3, latents.index)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Shift half of w by the class."""
        assert condition is not None
        return 2.0 * z + condition[:, None] * (torch.arange(WIDTH) >= WIDTH // 2)


def planted(images: Tensor) -> Tensor:
    """How much of each pattern is in images (N, 3, SIZE, SIZE): (N, 4)."""
    shapes = PATTERNS.flatten(1)
    return images.flatten(1) @ shapes.T / shapes.square().sum(dim=1)


class Readings(ganstrata.Scorer):
    """The four planted concepts, one by chance, one constant, and one undefined for half of the pictures."""

    concepts = (
        Concept("left", "layout", threshold=0.0),
        Concept("checks", "category", threshold=0.0),
        Concept("stripes", "attribute", threshold=0.0),
        Concept("red", "colour", least=None, threshold=0.0),
        Concept("chance", "attribute"),
        Concept("constant", "object"),
        Concept("half", "layout", threshold=None, may_be_undefined=True),
    )

    def score(self, rendering: Rendering) -> Tensor:
        """(N, 7)."""
        values = planted(rendering.images)
        # The last digits of a picture: they vary, and nothing moves them in a direction.
        chance = torch.remainder(1e4 * rendering.images.flatten(1).double().sum(dim=1), 1.0).float()
        half = torch.where(values[:, 1] > 0.0, values[:, 0], math.nan)
        return torch.cat([values, chance[:, None], torch.full((len(values), 1), 0.3), half[:, None]], dim=1)


class Trusting(Readings):
    """The same, and beside them how bright and how dark each picture is."""

    extras = ("brightest", "darkest")

    def extra(self, rendering: Rendering) -> Tensor:
        """(N, 2)."""
        pixels = rendering.images.flatten(1)
        return torch.stack([pixels.amax(dim=1), pixels.amin(dim=1)], dim=1)


class Constant(ganstrata.Scorer):
    """Nothing varies."""

    concepts = (Concept("one", "object"), Concept("other", "object"))

    def score(self, rendering: Rendering) -> Tensor:
        """(N, 2)."""
        return torch.full((len(rendering.images), 2), 0.25)


class Still(ganstrata.Scorer):
    """Raw margins that are the same for every picture, so that no size of a change is known."""

    concepts = (Concept("margin", "attribute", least=None), Concept("place", "layout", least=None))

    def score(self, rendering: Rendering) -> Tensor:
        """(N, 2)."""
        return torch.full((len(rendering.images), 2), -3.5)


class Unsound(ganstrata.Scorer):
    """NaN, or a table of the wrong shape, where its concepts do not allow it."""

    class Config(PluginConfig):
        """What is wrong."""

        gives: str = Field(default="nan", description="nan, inf or shape")

    config: Config
    concepts = (Concept("sound", "category"), Concept("ill", "category"))

    def score(self, rendering: Rendering) -> Tensor:
        """(N, 2), or not."""
        good = planted(rendering.images)[:, :2]
        if self.config.gives == "shape":
            return good[:, :1]
        good[1, 1] = float(self.config.gives)
        return good


class Regions(ganstrata.Segmenter):
    """Above a wall; below a sofa in blue pictures and a bed in red ones.

    In the corner is a lamp where a picture is dark at the left.
    """

    concepts = (
        Concept("wall", "object"),
        Concept("sofa", "object"),
        Concept("bed", "object"),
        Concept("lamp", "object"),
    )

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, 4, SIZE, SIZE)."""
        values = planted(rendering.images)
        labels = torch.zeros(len(values), SIZE, SIZE, dtype=torch.long)
        labels[:, SIZE // 2 :] = torch.where(values[:, 3] > 0.0, 2, 1)[:, None, None]
        labels[values[:, 0] < 0.0, 0, 0] = 3
        return torch.nn.functional.one_hot(labels, 4).permute(0, 3, 1, 2).float()


class Markup(ganstrata.Scorer):
    """Names that a page, a file system or XML could misread."""

    concepts = (
        Concept("<b>&\"'left", "layout", threshold=0.0),
        Concept("a<b", "category", threshold=0.0),
        Concept("a>b", "attribute", threshold=0.0),
        Concept("</script>", "colour", threshold=0.0),
    )

    def score(self, rendering: Rendering) -> Tensor:
        """(N, 4)."""
        return planted(rendering.images)


class Axes(ganstrata.BoundaryLearner):
    """The planted directions themselves: what a learner could find at best."""

    def learn(
        self,
        latents: NDArray[np.float32],
        scores: NDArray[np.float32],
        concepts: Sequence[Concept],
        *,
        generator: ganstrata.Generator | None = None,
        seed: int = 0,
    ) -> Boundaries:
        """Axis i for the i-th concept."""
        assert generator is not None
        rows: list[Any] = []
        for i, concept in enumerate(concepts):
            normal = np.eye(WIDTH, dtype=np.float32)[i]
            rows.append(
                ganstrata.Boundary(
                    concept.name,
                    concept.level,
                    normal,
                    np.zeros((), np.float32),
                    generator.space,
                    generator.fingerprint,
                )
            )
        return Boundaries(rows)


def double(prepared: object, task: int) -> int:
    """Work for an engine."""
    return 2 * task


def refuse(prepared: object, task: int) -> int:
    """Work that a user's mistake makes impossible."""
    raise DataError(f"task {task} cannot be done")


class Odd(Exception):
    """Cannot be pickled."""

    def __reduce__(self) -> str:
        raise TypeError("no pickle of this")


def misbehave(_: object, kind: str) -> None:
    """A task that raises what no engine expects."""
    if kind == "memory":
        raise MemoryError
    if kind == "exit":
        raise SystemExit(7)
    raise Odd("no pickle of this")


def fail(prepared: object, task: int) -> int:
    """Work that fails."""
    raise GanstrataError(f"task {task} failed")


def die_once(prepared: object, file: str) -> int:
    """A task whose first worker is killed."""
    if not os.path.exists(file):
        open(file, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def die(prepared: object, task: int) -> None:
    """A task whose workers are all killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def place(prepared: Any, task: int) -> tuple[int, str]:
    """The process that does a task, and its device."""
    time.sleep(0.02)
    return os.getpid(), str(prepared.device)


def threads(prepared: object, task: int) -> int:
    """How many threads torch uses here."""
    return torch.get_num_threads()


@hookimpl
def ganstrata_register_generators(register) -> None:
    register("fake_layers", f"{HERE}:Layered", "eight layers with planted directions")
    register("fake_grainy", f"{HERE}:Grainy", "the same with truncation and fresh noise")
    register("fake_styled", f"{HERE}:Styled", "the same with styles and truncation")
    register("fake_classes", f"{HERE}:Classes", "the same with classes")
    register("fake_flat", f"{HERE}:Flat", "the same with one layer")


@hookimpl
def ganstrata_register_scorers(register) -> None:
    register("fake_readings", f"{HERE}:Readings", "reads what is planted")
    register("fake_trusting", f"{HERE}:Trusting", "the same with extras")
    register("fake_constant", f"{HERE}:Constant", "never varies")
    register("fake_still", f"{HERE}:Still", "margins that never vary")
    register("fake_unsound", f"{HERE}:Unsound", "breaks its contract")
    register("fake_regions", f"{HERE}:Regions", "labels pixels by what is planted")
    register("fake_markup", f"{HERE}:Markup", "names with metacharacters")


@hookimpl
def ganstrata_register_boundaries(register) -> None:
    register("fake_per_layer", f"{HERE}_svm:PerLayer", "a boundary per layer")
    register("fake_axes", f"{HERE}:Axes", "knows the planted directions")
    register("fake_found", f"{HERE}_svm:Found", "boundaries and directions without labels")
