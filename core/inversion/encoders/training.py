"""Train the network of an encoder by gradient descent on pairs that are drawn, learnt from and forgotten.

Shapes: N pictures, R rows of codes, V numbers in a row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...conformance.random_state import seeded
from ...device import autocast, sent
from ...errors import DataError
from ...plugins.finiteness import Doubts
from ...plugins.pending import OneBehind, Pending, fetched
from ...plugins.records import Rendering
from ..perceptual import Perceptual
from .discriminator import Discriminator, adversarial_loss, discriminator_loss
from .losses import active_rows, class_loss, deltas_loss, latent_loss, rate
from .network import Architecture, Encoded
from .pairs import Pairs, PairSource, rendered
from .real import RealPictures
from .request import EncoderRequest

BETAS = (0.9, 0.99)
CLIP = 1.0  # norm of the gradients, at most: few pictures are far from all others


@dataclass(frozen=True)
class Taken:
    """Tell what one step found.

    Attributes:
        position: pictures learnt from, with those of the step.
        names: of the parts of the loss.
        values: of each part before the step, without its weight; of `total` with weights.
    """

    position: int
    names: tuple[str, ...]
    values: Pending[NDArray[np.float32]]

    @property
    def losses(self) -> dict[str, float]:
        """Each part of the loss by name; reading it waits for an accelerator."""
        return dict(zip(self.names, self.values.result().tolist(), strict=True))


class Trainer:
    """Hold a network, its optimiser, and how far its training is.

    Args:
        source: where the pairs come from.
        architecture: of the network.
        settings: schedule and seed.
        classes: numbers of the Y classes that the network tells.
        perceptual: distance of pictures, if it has a weight.
        real: pictures that the generator did not make, if there are any.

    Attributes:
        network: the network.
        position: pictures that it has learnt from.
        seconds: time spent in steps, with those of earlier calls.
    """

    def __init__(
        self,
        source: PairSource,
        architecture: Architecture,
        settings: EncoderRequest,
        *,
        classes: tuple[int, ...] = (),
        perceptual: Perceptual | None = None,
        real: RealPictures | None = None,
    ) -> None:
        self.source, self.settings, self.architecture = source, settings, architecture
        self._classes = classes
        self._perceptual, self._real = perceptual, real
        device = source.generator.device
        with seeded(settings.seed):
            self.network = architecture.build().to(device)
            self.discriminator = (
                Discriminator(architecture).to(device) if settings.weights.joint > 0.0 else None
            )
        modules = [self.network, *([] if self.discriminator is None else [self.discriminator])]
        self._optimisers = [torch.optim.Adam(m.parameters(), settings.learning_rate, BETAS) for m in modules]
        self.position, self.seconds = 0, 0.0
        self._doubts = Doubts()  # of the pictures of a step
        self._checks = OneBehind()

    @property
    def progress(self) -> float:
        """Share of the training that is done, by pictures or by time, whichever is further."""
        share = self.position / self.settings.pictures
        if self.settings.minutes is not None:
            share = max(share, self.seconds / (60.0 * self.settings.minutes))
        return min(1.0, share)

    @property
    def active(self) -> int:
        """Number of rows that have their own change now."""
        return active_rows(self.progress, self.architecture.rows, progressive=self.settings.progressive)

    def steps(self) -> Iterator[Taken]:
        """Take the remaining steps, one at each request.

        On an accelerator a step is checked when the next one has begun, so that none is waited for, and
        `seconds` is never more than a step ahead of it.

        Raises:
            DataError: the loss is not finite.
            PictureError: a picture is not finite.
        """
        while self.progress < 1.0:
            began = time.monotonic()
            taken = self._take()
            self.seconds += time.monotonic() - began
            yield taken
        self._checks.end()

    def _take(self) -> Taken:
        """Take one step on pairs, and on real pictures if they take part already."""
        settings = self.settings
        stop = min(self.position + settings.batch, settings.pictures)
        size = stop - self.position
        real = 0
        if self._real is not None and self.progress >= settings.real_from:
            real = min(size - 1, round(settings.real_share * size))
        for optimiser in self._optimisers:
            optimiser.zero_grad(set_to_none=True)
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * rate(self.progress)
        pairs = self.source.draw(self.position, stop - real, late=self._doubts)
        # Where real pictures take part, they say how reconstructions look, and samples what the codes are.
        parts, total, judged = self._of_pairs(pairs, again=real == 0)
        if real and self._real is not None:
            drawn = self._real.draw(real, settings.seed, self.position)
            pictures = sent(drawn, pairs.pictures.device).to(pairs.pictures)
            index = torch.arange(stop - real, stop)
            more, of_real, judged = self._of_pictures(replace(pairs, pictures=pictures, index=index))
            share = real / size
            total = (1.0 - share) * total + share * of_real
            parts |= {f"real {name}": value for name, value in more.items()}
        self._checks.add(self._checked(total, self.position, stop))
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self._optimisers[0].step()
        if self.discriminator is not None:
            self._optimisers[1].zero_grad(set_to_none=True)
            loss = discriminator_loss(self.discriminator, (pairs.pictures, pairs.variables), judged)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimisers[1].step()
            parts["discriminator"] = loss
        self.position = stop
        parts = {"total": total} | parts
        return Taken(
            stop, tuple(parts), fetched(torch.stack([part.detach().float() for part in parts.values()]))
        )

    def _checked(self, total: Tensor, start: int, stop: int) -> Pending[None]:
        """Return the check of the pictures that were rendered since the last one, and of a loss."""
        pictures, value = self._doubts.check(), fetched(total.detach())

        def check() -> None:
            pictures.result()
            if not np.isfinite(value.result()):
                raise DataError(
                    f"the loss is not finite at pictures {start} to {stop - 1}; give a smaller learning rate"
                )

        return Pending(check, at_once=value.at_once)

    def _encode(self, pictures: Tensor) -> Encoded:
        with autocast(pictures.device, self.settings.precision):
            encoded: Encoded = self.network(pictures)
        return encoded

    def _of_pairs(
        self, pairs: Pairs, *, again: bool
    ) -> tuple[dict[str, Tensor], Tensor, tuple[Tensor, Tensor]]:
        """Return parts and sum of the loss of pairs, and what the discriminator judges.

        `again` says whether their codes are rendered.
        """
        encoded = self._encode(pairs.pictures)
        variables = encoded.variables(self.active)
        parts = {"latent": latent_loss(variables, pairs.variables)}
        condition = pairs.space.condition
        if condition is not None and self.architecture.classes:
            parts["classes"] = class_loss(encoded.classes, self._labels(condition))
        parts |= self._other_parts(pairs, encoded, again=again)
        return parts, self._sum(parts), (pairs.pictures, variables)

    def _of_pictures(self, given: Pairs) -> tuple[dict[str, Tensor], Tensor, tuple[Tensor, Tensor]]:
        """Return the same of pictures without known codes."""
        encoded = self._encode(given.pictures)
        if given.space.condition is not None:
            # The classes of real pictures are those that the network tells.
            condition = condition_told(encoded.classes, self._classes, given.space.condition)
            given = replace(given, space=given.space.conditioned(condition))
        parts = self._other_parts(given, encoded, again=True)
        return parts, self._sum(parts), (given.pictures, encoded.variables(self.active))

    def _other_parts(self, given: Pairs, encoded: Encoded, *, again: bool) -> dict[str, Tensor]:
        """Return the parts of the loss that need no known codes; those of reconstructions if `again`."""
        weights, pictures = self.settings.weights, given.pictures
        variables = encoded.variables(self.active)
        parts = {"deltas": deltas_loss(encoded.deltas, self.active)} if weights.deltas else {}
        if again and weights.renders:
            made = rendered(
                given.space, variables, given.index, given.noise, self.settings.precision, late=self._doubts
            )
            if weights.pixel:
                parts["pixel"] = (made - pictures).square().mean()
            if weights.perceptual and self._perceptual is not None:
                parts["perceptual"] = self._compared(self._perceptual, made, pictures).mean()
            if weights.reciprocity:
                parts["reciprocity"] = latent_loss(self._encode(made).variables(self.active), variables)
        if self.discriminator is not None:
            parts["joint"] = adversarial_loss(self.discriminator, pictures, variables)
        return parts

    def _compared(self, network: Perceptual, made: Tensor, wanted: Tensor) -> Tensor:
        """Return the perceptual distance (N,) of pictures (N, 3, H, W) from wanted ones."""
        with torch.no_grad():
            known: Sequence[Tensor] = network.features(Rendering(wanted, composed=True))
        return network.compare(network.features(Rendering(made, composed=True)), known)

    def _sum(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of the parts."""
        weights = asdict(self.settings.weights) | {"classes": 1.0}
        return torch.stack([weights[name] * part for name, part in parts.items()]).sum()

    def _labels(self, condition: Tensor) -> Tensor:
        """Return the targets of the class logits: shares (N, Y), or places (N,) in the list of classes."""
        if condition.is_floating_point():
            return condition / condition.sum(1, keepdim=True)
        return torch.searchsorted(sent(torch.tensor(self._classes), condition.device), condition)

    def state(self) -> dict[str, Tensor]:
        """Return a copy of parameters and moments of Adam by name, from which `restore` continues.

        Errors are those of `steps`: nobody continues from a step that went wrong.
        """
        self._checks.end()
        tensors: dict[str, Tensor] = {}
        for who, module, optimiser in self._trained():
            tensors |= {
                f"{who}.{name}": value.detach().cpu().clone() for name, value in module.state_dict().items()
            }
            for name, p in module.named_parameters():
                for moment, value in optimiser.state[p].items():
                    tensors[f"adam.{who}.{name}.{moment}"] = torch.as_tensor(value).detach().cpu().clone()
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], position: int, seconds: float) -> None:
        """Continue from a stored state.

        Raises:
            KeyError, RuntimeError: the state does not fit the network.
        """
        for who, module, optimiser in self._trained():
            module.load_state_dict(
                {k.removeprefix(f"{who}."): t for k, t in tensors.items() if k.startswith(f"{who}.")}
            )
            for name, p in module.named_parameters():
                start = f"adam.{who}.{name}."
                optimiser.state[p] = {
                    key.removeprefix(start): t.clone().to("cpu" if key == f"{start}step" else p.device)
                    for key, t in tensors.items()
                    if key.startswith(start)
                }
        self.position, self.seconds = position, seconds

    def _trained(self) -> list[tuple[str, torch.nn.Module, torch.optim.Optimizer]]:
        named = [("network", self.network), ("discriminator", self.discriminator)]
        return [
            (who, module, optimiser)
            for (who, module), optimiser in zip(
                [(who, module) for who, module in named if module is not None], self._optimisers, strict=True
            )
        ]


def condition_told(logits: Tensor, classes: tuple[int, ...], like: Tensor | None) -> Tensor:
    """Return the likeliest class (N,) of logits (N, Y), or one-hot rows (N, Y) if `like` holds shares."""
    chosen = logits.detach().argmax(1)
    if like is not None and like.is_floating_point():
        return torch.nn.functional.one_hot(chosen, logits.shape[1]).to(like)
    return sent(torch.tensor(classes), chosen.device)[chosen]
