"""Run any torch.nn.Module as a generator, in one of three ways.

- Without further fields: one stratum, one layer.
- With `strata`: a stratum for each sub-module, one layer, and a feature map at every depth.
- With `codes`, or with a `mapping` that returns (N, L, D): a stratum for each layer, which stores the code of
  that layer, and a last one, which runs the whole module with these codes. Layers can be edited separately,
  but a restarted pass saves no computation.

When it is loaded, its images are compared with those of the module's own call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from ....core.checkpoints import Checkpoint, digest
from ....core.conformance.passes import SAMPLES
from ....core.errors import CheckpointError
from ....core.plugins.contracts import Generator
from ....core.plugins.records import Inputs, Latents, ModelCard, State, Stratum
from ....core.randomness import Stream, Use, normals, uniforms
from ..shared import noise
from ..shared.classes import Classes
from ..shared.prior import truncated_normals
from . import checks
from .calling import ModuleCall, label, seeded
from .config import ModuleConfig, config_error
from .target import build, fill, submodule
from .wiring import CodeInput, Mapping, describe_value

INPUT = "input"  # among `codes`: the argument of the module's own call
ADVICE_CHAIN = (
    "Each sub-module must take the output of the one before it, with no reshape, function or shortcut "
    "between or after them; list all of them in order, or leave `strata` out"
)
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
        self._input_layer: int | None = None  # whose code is the argument of the module's own call
        self._code_inputs = self._find_code_inputs(config.codes)
        self._chain = [submodule(self.network, name, f"strata.{i}") for i, name in enumerate(config.strata)]
        self._writes = [True] * len(self._chain)  # whether each sub-module writes into its argument
        with torch.no_grad():
            self._probe(checkpoint, weights)

    @property
    def space(self) -> str:
        """`w` if there is a mapping network, otherwise `z`."""
        return "z" if self._mapping is None else "w"

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Draw z (n, Z) from the configured prior, and for conditional modules classes (n,)."""
        latent, samples = self.config.latent, range(start, start + n)
        if latent.prior == "normal":
            z = torch.from_numpy(normals(seed, stream, Use.LATENT, samples, latent.size)) * latent.scale
        elif latent.prior == "truncated":
            z = torch.from_numpy(truncated_normals(seed, stream, samples, latent.size, latent.scale))
        else:
            rows = torch.stack(
                [torch.from_numpy(uniforms(seed, stream, Use.LATENT, i, latent.size)) for i in samples]
            )
            z = ((latent.low + (latent.high - latent.low) * rows) * latent.scale).float()
        return self._classes.sample(
            Latents(z.to(self.device), None, torch.arange(start, start + n)), seed, stream
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
            x = self._chain_input(code) if code is not None else state.x
            assert x is not None
            return State(self._chain[s](x.clone() if self._writes[s] else x), kept=state.kept)
        kept = dict(state.kept)
        if code is not None:
            kept[f"code {s}"] = code
        if s < len(self.strata) - 1:
            return State(None, kept=kept)
        codes = [kept[f"code {layer}"] for layer in range(self.card.layers)]
        return State(self._images(codes, kept.get("label"), kept.get("noise")))

    def finish(self, state: State) -> Tensor:
        """Return pictures (N, channels, H, W), with the configured range mapped to [0, 1], alpha too."""
        assert state.x is not None
        low, high = self.config.output.range
        return (state.x - low) / (high - low)

    def _find_code_inputs(self, codes: Sequence[str | list[str]]) -> list[list[CodeInput]]:
        """Return the sub-modules that receive the code of each layer, and set the input layer."""
        code_inputs: list[list[CodeInput]] = []
        names: dict[nn.Module, str] = {}
        for layer, item in enumerate(codes):
            code_inputs.append([])
            for name in [item] if isinstance(item, str) else item:
                if name == INPUT and INPUT not in self.network._modules:
                    self._input_layer = layer
                    continue
                module = submodule(self.network, name, f"codes.{layer}")
                if module in names:
                    alias = f", as '{names[module]}'" if names[module] != name else ""
                    raise config_error(f"codes.{layer}", f"'{name}' is listed twice{alias}")
                names[module] = name
                code_inputs[-1].append(CodeInput(module, name, f"codes.{layer}"))
        return code_inputs

    def _chain_input(self, code: Tensor) -> Tensor:
        """Reshape a code (N, D) to the argument of the first sub-module of `strata`."""
        if self._mapping is None:
            return code.reshape(-1, *self._call.shape)
        return (
            code[:, None].expand(-1, *self._mapping.shape)
            if self._mapping.stacked
            else code.reshape(-1, *self._mapping.shape)
        )

    def _images(
        self,
        codes: Sequence[Tensor],
        labels: Tensor | None,
        keys: Tensor | None = None,
        argument: Tensor | None = None,
    ) -> Tensor:
        """Return the images (N, C, H, W) of the module for a code (N, D) per layer.

        Args:
            codes: of each layer.
            labels: in the form that the module takes.
            keys: of fresh noise, (N, 2).
            argument: code (N, D) for the module's own call; None takes that of the input layer, else the
                first.
        """
        argument = codes[self._input_layer or 0] if argument is None else argument
        return self._in_batches(
            lambda rows: self._call_with_codes(
                [code[rows] for code in codes], _select(labels, rows), argument[rows]
            ),
            len(argument),
            keys,
        )

    def _direct_images(self, z: Tensor, labels: Tensor | None, keys: Tensor | None) -> Tensor:
        """Return the images of the module's own call for z (N, Z)."""
        return self._in_batches(lambda rows: self._call(z[rows], _select(labels, rows)), len(z), keys)

    def _in_batches(self, run: Callable[[slice], Tensor], n: int, keys: Tensor | None) -> Tensor:
        """Run all samples at once; if the module draws noise, run them singly, each with its own seed.

        Args:
            run: computes the images of a range of samples.
            n: number of samples.
            keys: of fresh noise, (N, 2); None takes the seed 0 for every sample.
        """
        if self.config.noise == "none":
            return run(slice(None))
        images = []
        for i in range(n):
            seed = (
                0
                if keys is None
                else int(uniforms(int(keys[i, 0]), Stream.PROBING, Use.NOISE, int(keys[i, 1]), 1)[0] * 2**53)
            )
            with seeded(seed, self.device):
                images.append(run(slice(i, i + 1)))
        return torch.cat(images)

    def _call_with_codes(self, codes: Sequence[Tensor], labels: Tensor | None, argument: Tensor) -> Tensor:
        """Call the module with a code (N, D) per layer, and `argument` (N, D) as its w or z."""
        with ExitStack() as stack:
            for code, code_inputs in zip(codes, self._code_inputs, strict=False):
                for code_input in code_inputs:
                    stack.enter_context(code_input.receiving(code))
            if self._mapping is None:
                return self._call(argument, labels)
            stack.enter_context(self._mapping.returning([argument] if self._code_inputs else codes))
            # The mapping network ignores its input here, so any z will do.
            return self._call(argument.new_ones(len(argument), self.config.latent.size), labels)

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
        for code_inputs in self._code_inputs:
            for code_input in code_inputs:
                code_input.locate(w)
        layers = len(self._code_inputs) or (
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
            images = self._direct_images(z, labels, keys)
        # The seed differs from that of the first call, so that noise the config does not declare shows.
        with seeded(1, self.device):
            repeated = self._direct_images(z, labels, keys)
        checks.check_repeatable(images, repeated, config)
        first = slice(0, 1)
        single = self._direct_images(z[first], _select(labels, first), _select(keys, first))
        checks.check_batch_independence(images, single, config)
        if self._chain:
            outputs: list[Tensor] = []
            checks.check_composition(
                images, lambda: self._run_chain(w, outputs), config, "strata", ADVICE_CHAIN
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
        if self._code_inputs:
            # If the listed sub-modules are all that use the code, the images stay the same when the module's
            # own call receives the codes of other samples.
            argument = w.flip(0) if self._input_layer is None else w
            checks.check_composition(
                images, lambda: self._images(codes, labels, keys, argument), config, "codes", ADVICE_CODES
            )
        elif self._mapping is not None:
            checks.check_composition(
                images, lambda: self._images(codes, labels, keys), config, "mapping", ADVICE_MAPPING
            )
        if self.card.layers == 1 and not self._code_inputs:
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

    def _run_chain(self, w: Tensor, outputs: list[Tensor]) -> Tensor:
        """Apply the sub-modules of `strata` to codes (N, D), and record which write into their arguments.

        Args:
            w: codes.
            outputs: an empty list, to which the output of each sub-module is appended.

        Raises:
            ConfigError: a sub-module does not return a tensor (N, ...).
        """
        x = self._chain_input(w).clone()
        for i, (name, module) in enumerate(zip(self.config.strata, self._chain, strict=True)):
            x, self._writes[i] = checks.call_and_compare(module, x)
            if not isinstance(x, Tensor) or x.shape[:1] != w.shape[:1]:
                raise config_error(
                    f"strata.{i}",
                    f"'{name}' returns {describe_value(x)}, expected a tensor of {len(w)} rows. "
                    f"{ADVICE_CHAIN}",
                )
            outputs.append(x)
        self._writes[0] = True  # so that the codes of the caller are always copied
        return x


def _select(values: Tensor | None, rows: slice) -> Tensor | None:
    return None if values is None else values[rows]
