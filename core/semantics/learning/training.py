"""Train a head by gradient descent on samples that are drawn, labelled and forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...conformance.random_state import seeded
from ...errors import DataError
from ...plugins.pending import OneBehind, Pending, fetched
from ..extractor import Architecture
from ..feature_maps import fault_of_maps
from ..heads import Additive, Head
from ..samples import LabelledSamples
from .images import FreshImages
from .losses import extractor_loss
from .schedule import Step, planned_steps

FASTER = 10.0  # factor of the learning rate of layer weights, as in the authors' code
BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class TrainingSettings:
    """Set a training.

    Attributes:
        images: fresh samples to train on; the paper takes 51,200.
        learning_rate: of Adam.
        layerwise: weight of the strata's own losses; 0.1 in the paper's appendix I, else 0.
        seed: seed of the first parameters.
    """

    images: int
    learning_rate: float = 1e-3
    layerwise: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Taken:
    """Tell what one step of the optimiser found.

    Attributes:
        step: the step.
        losses: loss of each of its parts, before the step; reading it waits for an accelerator.
        logits: what the head gave to its last images before the step, (n, M, H, W).
        labels: labels (n, H, W) of the teacher.
    """

    step: Step
    losses: Pending[NDArray[np.float32]]
    logits: Tensor
    labels: Tensor

    @property
    def loss(self) -> float:
        """Its loss, the sum of its parts'."""
        return sum(self.losses.result().tolist(), start=0.0)

    @property
    def predicted(self) -> Tensor:
        """Labels (n, H, W) that the head gave; computed only when asked for, as few steps are logged."""
        return self.logits.max(dim=1).indices


class Trainer:
    """Hold a head, its optimiser, and how far its training is.

    Args:
        samples: where the samples come from.
        architecture: of the head.
        settings: schedule and seed.

    Attributes:
        head: the network.
        position: number of images that it has learnt from.
    """

    def __init__(
        self, samples: LabelledSamples, architecture: Architecture, settings: TrainingSettings
    ) -> None:
        self.samples, self.settings = samples, settings
        with seeded(settings.seed):
            self.head: Head = architecture.build().to(samples.generator.device)
        slow = [p for name, p in self.head.named_parameters() if name != "theta"]
        groups: list[dict[str, object]] = [{"params": slow, "factor": 1.0}]
        if isinstance(self.head, Additive) and self.head.layer_weights == "softplus":
            groups.append({"params": [self.head.theta], "factor": FASTER})
        self._optimiser = torch.optim.Adam(groups, lr=settings.learning_rate, betas=BETAS)
        self.position = 0
        self._images, self._checks = FreshImages(samples), OneBehind()

    def steps(self) -> Iterator[Taken]:
        """Take the remaining steps, one at each request.

        On an accelerator a step is checked when the next one has begun, so that none is waited for.

        Raises:
            DataError: the loss is not finite; the message says whether a feature map is at fault.
            PictureError: a picture is not finite.
            ScoreError, PluginBroken: the teacher does not do what it must.
        """
        for step in planned_steps(self.settings.images, self.position):
            taken = self._take(step)
            self.position = step.stop
            yield taken
        self.check()

    def check(self) -> None:
        """Wait for the last step, and refuse it if it went wrong; errors are those of `steps`."""
        self._images.end()
        self._checks.end()

    def _take(self, step: Step) -> Taken:
        """Take one step; its loss is the mean over its images."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * step.rate * group["factor"]
        self._optimiser.zero_grad()
        size = step.stop - step.start
        losses: list[Tensor] = []
        logits = labels = torch.empty(0)
        at = step.start
        while at < step.stop:
            maps, labels, stop = self._images.take(at, step.stop)
            loss, logits = extractor_loss(self.head, maps, labels, self.settings.layerwise)
            loss = loss * ((stop - at) / size)
            losses.append(loss.detach())
            self._checks.add(self._checked(losses[-1], at, stop))
            loss.backward()  # type: ignore[no-untyped-call]
            at = stop
        self._optimiser.step()
        return Taken(step, fetched(torch.stack(losses)), logits.detach(), labels)

    def _checked(self, loss: Tensor, start: int, stop: int) -> Pending[None]:
        """Return the check of the loss of samples start .. stop - 1."""
        value = fetched(loss)

        def check() -> None:
            if not np.isfinite(value.result()):
                self._images.end()  # what is wrong with the samples themselves is the better error
                raise DataError(self._why_not_finite(start, stop))

        return Pending(check, at_once=value.at_once)

    def _why_not_finite(self, start: int, stop: int) -> str:
        """Return why the loss of samples start .. stop - 1, of one batch, is not finite."""
        where = f"the loss is not finite at images {start} to {stop - 1}"
        maps, _, _ = FreshImages(self.samples).take(start, stop)
        if fault := fault_of_maps(self.samples.maps, maps, range(start, stop)):
            return f"{where}: {fault}"
        return f"{where}, although the feature maps are; give a smaller training.learning_rate"

    def state(self) -> dict[str, Tensor]:
        """Return parameters and moments of Adam by name, from which `restore` continues exactly.

        Errors are those of `steps`: nobody continues from a step that went wrong.
        """
        self.check()
        tensors = {f"head.{name}": value.detach().cpu() for name, value in self.head.state_dict().items()}
        for name, p in self.head.named_parameters():
            for moment, value in self._optimiser.state[p].items():
                tensors[f"adam.{name}.{moment}"] = torch.as_tensor(value).detach().cpu()
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], position: int) -> None:
        """Continue from a stored state.

        Raises:
            KeyError, RuntimeError: the state does not fit the head.
        """
        self.head.load_state_dict(
            {name.removeprefix("head."): t for name, t in tensors.items() if name.startswith("head.")}
        )
        for name, p in self.head.named_parameters():
            start = f"adam.{name}."
            self._optimiser.state[p] = {
                key.removeprefix(start): t.clone().to("cpu" if key == f"{start}step" else p.device)
                for key, t in tensors.items()
                if key.startswith(start)
            }
        self.position = position
