"""Run any torch.nn.Module as a generator, in one of three ways.

- Without further fields: one stratum, one layer.
- With `strata`: a stratum for each sub-module, one layer, and a feature map at every depth.
- With `codes`, or with a `mapping` that returns (N, L, D): a stratum for each layer, which stores the code of
  that layer, and a last one, which runs the whole module with these codes. Layers can be edited separately,
  but a restarted pass saves no computation.

When it is loaded, its images are compared with those of the module's own call.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....core.checkpoints import Checkpoint, digest
from ....core.conformance.passes import SAMPLES
from ....core.device import sent
from ....core.errors import CheckpointError
from ....core.plugins.generator import Generator
from ....core.plugins.records import Inputs, Latents, ModelCard, State, Stratum
from ....core.randomness import Stream
from ..shared import noise
from ..shared.classes import Classes
from . import chain, checks
from .calling import ModuleCall, label, seeded
from .config import ModuleConfig, config_error
from .prior import draw
from .rendering import INPUT, CodeInputs, Renderer, select
from .target import build, fill, submodule
from .wiring import Mapping

ADVICE_MAPPING = "The module uses the latent outside its mapping too; leave `mapping` out"
ADVICE_CODES = (
    "The code has another use that is not listed; add the sub-module that takes it, "
    f"or `{INPUT}` for the argument of the module's own call"
)


class OwnModule(Generator):
    """Run any torch.nn.Module that maps latents to images."""

    class Config(ModuleConfig):
        """Set the module, its weights, how it is called, and where codes enter it."""

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        module = build(config)
        checkpoint = fill(module, config)
        weights = (
            digest({name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)})
            if module.state_dict()
            else ""
        )
        self.network: nn.Module = module.to(device).eval().requires_grad_(False)
        self.judges_range = config.output.check
        self._call = ModuleCall(self.network, config)
        try:
            self._classes = Classes("module", config.classes.count, config.classes.draw)
        except CheckpointError as error:
            raise config_error("classes.draw", str(error)) from None
        self._mapping = (
            None if config.mapping is None else Mapping(submodule(self.network, config.mapping, "mapping"))
        )
        self._code_inputs = CodeInputs(self.network, config.codes)
        self._chain = chain.Chain(self.network, config.strata, self._mapping, self._call.shape)
        self._renderer = Renderer(self._call, self._mapping, self._code_inputs, config, device)
        with torch.no_grad():
            self._probe(checkpoint, weights)

    @property
    def space(self) -> str:
        """`w` if there is a mapping network, otherwise `z`."""
        return "z" if self._mapping is None else "w"

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Draw z (n, Z) from the configured prior, and for conditional modules classes (n,)."""
        z = draw(self.config.latent, n, seed, start, stream)
        return self._classes.sample(
            Latents(sent(z, self.device), None, torch.arange(start, start + n)), seed, stream
        )

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map z (N, Z) to the output w (N, D) of the mapping network, or to z if there is none."""
        if self._mapping is None:
            return z
        labels = label(self.config, self._classes, condition, z)
        return self._mapping.capture(lambda: self._call(z, labels))

    def begin(self, inputs: Inputs) -> State:
        """Return the labels, if any, and the keys (N, 2) of fresh noise, if it is used."""
        kept = {}
        like = torch.empty(inputs.n, 0, device=self.device)
        labels = label(self.config, self._classes, inputs.condition, like)
        if labels is not None:
            kept["label"] = labels
        if self.config.noise == "fresh":
            kept["noise"] = noise.keys(inputs)
        return State(None, kept=kept)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply a sub-module of `strata`; or store a code, and in the last stratum run the module."""
        if self._chain:
            x = self._chain.input(code) if code is not None else state.x
            assert x is not None
            return State(self._chain.apply(s, x), kept=state.kept)
        kept = dict(state.kept)
        if code is not None:
            kept[f"code {s}"] = code
        if s < len(self.strata) - 1:
            return State(None, kept=kept)
        codes = [kept[f"code {layer}"] for layer in range(self.card.layers)]
        return State(self._renderer.from_codes(codes, kept.get("label"), kept.get("noise")))

    def finish(self, state: State) -> Tensor:
        """Return pictures (N, channels, H, W), with the configured range mapped to [0, 1], alpha too."""
        assert state.x is not None
        low, high = self.config.output.range
        return (state.x - low) / (high - low)

    def _probe(self, checkpoint: Checkpoint | None, weights: str) -> None:
        """Call the module on two samples to infer its sizes and to check the config."""
        config, n = self.config, SAMPLES
        latents = self.sample(n, 0, 0, Stream.PROBING)
        z, labels = latents.z, label(config, self._classes, latents.condition, latents.z)
        with seeded(0, self.device):
            images = checks.check_first_call(lambda: self._call(z, labels), config, self._call.shape)
        if self._mapping is not None:
            self._mapping.infer_shape(n)
        w = z if self._mapping is None else self._mapping.capture(lambda: self._call(z, labels))
        self._code_inputs.locate(w)
        layers = len(self._code_inputs.layers) or (
            self._mapping.shape[0]
            if self._mapping is not None and self._mapping.stacked and not self._chain
            else 1
        )
        self.card = ModelCard(
            family=config.target.rpartition(":")[2],
            resolution=max(images.shape[2:]),
            height=images.shape[2],
            width=images.shape[3],
            channels=images.shape[1],
            background=config.background,
            layers=layers,
            code_size=w.shape[1],
            latent_size=config.latent.size,
            licence="unknown" if checkpoint is None else str(checkpoint.settings.get("licence", "unknown")),
            source=config.target
            if checkpoint is None
            else str(checkpoint.settings.get("source", checkpoint.path.name)),
            sha256="" if checkpoint is None else checkpoint.sha256,
            weights=weights,
        )
        self._check(latents, labels, w, images)

    def _check(self, latents: Latents, labels: Tensor | None, w: Tensor, images: Tensor) -> None:
        """Check the module on two samples, and set the strata.

        Args:
            latents: of the samples.
            labels: in the form that the module takes.
            w: codes of the samples, (2, D).
            images: of the first call, (2, C, H, W).
        """
        config, n = self.config, len(w)
        height, width = self.card.height, self.card.width
        keys = noise.keys(Inputs(n, None, latents.index)) if config.noise == "fresh" else None
        z = latents.z
        if config.noise != "none":
            images = self._renderer.from_latents(z, labels, keys)
        # The seed differs from that of the first call, so that noise the config does not declare shows.
        with seeded(1, self.device):
            repeated = self._renderer.from_latents(z, labels, keys)
        checks.check_repeatable(images, repeated, config)
        first = slice(0, 1)
        single = self._renderer.from_latents(z[first], select(labels, first), select(keys, first))
        checks.check_batch_independence(images, single, config)
        if self._chain:
            outputs: list[Tensor] = []
            checks.check_composition(
                images, lambda: self._chain.run(w, outputs), config, "strata", chain.ADVICE
            )
            last = len(self._chain) - 1
            self.strata = tuple(
                Stratum(
                    name,
                    None if i else 0,
                    x.shape[-1] if x.ndim == 4 else 1,
                    is_feature=x.ndim == 4 and i < last,
                    height=x.shape[-2] if x.ndim == 4 else 1,
                )
                for i, (name, x) in enumerate(zip(config.strata, outputs, strict=True))
            )
            return
        codes = [w] * self.card.layers
        if self._code_inputs.layers:
            # If the listed sub-modules are all that use the code, the images stay the same when the module's
            # own call receives the codes of other samples.
            argument = w.flip(0) if self._code_inputs.argument_layer is None else w
            checks.check_composition(
                images,
                lambda: self._renderer.from_codes(codes, labels, keys, argument),
                config,
                "codes",
                ADVICE_CODES,
            )
        elif self._mapping is not None:
            checks.check_composition(
                images,
                lambda: self._renderer.from_codes(codes, labels, keys),
                config,
                "mapping",
                ADVICE_MAPPING,
            )
        if self.card.layers == 1 and not self._code_inputs.layers:
            self.strata = (Stratum(self.card.family, 0, width, is_feature=False, height=height),)
            return
        names = ["+".join([item] if isinstance(item, str) else item) for item in config.codes] or [
            f"row {i}" for i in range(self.card.layers)
        ]
        layer_strata = [
            Stratum(name, layer, width, is_feature=False, height=height) for layer, name in enumerate(names)
        ]
        self.strata = (
            *layer_strata,
            Stratum(self.card.family, None, width, is_feature=False, height=height),
        )
