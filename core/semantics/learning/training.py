"""Train a head by gradient descent on samples that are drawn, labelled and forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...conformance.random_state import seeded
from ...errors import DataError
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
        loss: its loss, before the step.
        logits: what the head gave to its last images before the step, (n, M, H, W).
        labels: labels (n, H, W) of the teacher.
    """

    step: Step
    loss: float
    logits: Tensor
    labels: Tensor

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
        self._images = FreshImages(samples)

    def steps(self) -> Iterator[Taken]:
        """Take the remaining steps, one at each request.

        Raises:
            DataError: the loss is not finite; the message says whether a feature map is at fault.
        """
        for step in planned_steps(self.settings.images, self.position):
            taken = self._take(step)
            self.position = step.stop
            yield taken

    def _take(self, step: Step) -> Taken:
        """Take one step; its loss is the mean over its images."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * step.rate * group["factor"]
        self._optimiser.zero_grad()
        total, size = 0.0, step.stop - step.start
        logits = labels = torch.empty(0)
        at = step.start
        while at < step.stop:
            maps, labels, stop = self._images.take(at, step.stop)
            loss, logits = extractor_loss(self.head, maps, labels, self.settings.layerwise)
            loss = loss * ((stop - at) / size)
            value = float(loss.detach())
            if not torch.isfinite(loss.detach()):
                raise DataError(self._why_not_finite(maps, at, stop))
            loss.backward()  # type: ignore[no-untyped-call]
            total, at = total + value, stop
        self._optimiser.step()
        return Taken(step, total, logits.detach(), labels)

    def _why_not_finite(self, maps: list[Tensor], start: int, stop: int) -> str:
        """Return why the loss of samples start .. stop - 1 is not finite."""
        where = f"the loss is not finite at images {start} to {stop - 1}"
        if fault := fault_of_maps(self.samples.maps, maps, range(start, stop)):
            return f"{where}: {fault}"
        return f"{where}, although the feature maps are; give a smaller training.learning_rate"

    def state(self) -> dict[str, Tensor]:
        """Return parameters and moments of Adam by name, from which `restore` continues exactly."""
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
