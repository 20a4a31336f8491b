"""The plugin for everybody's own generator: a torch.nn.Module as strata, in one of three ways.

- Nothing is known of its inside: one stratum, one layer.
- `strata`: its sub-modules in turn. One layer, features at every depth.
- `codes`, or a `mapping` that returns a row per layer: strata that collect the codes of one layer each,
  and a last one that runs the whole module with these codes in their places. Layers can be edited apart;
  nothing is saved by restarting.

Each is held against the module's own call when it is loaded.
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
from .calling import Calling, label, seeded
from .config import ModuleConfig, mistake
from .target import build, fill, submodule
from .wiring import Mapping, Socket, shown

INPUT = "input"  # among `codes`: what the call itself is given
ADVICE_CHAIN = (
    "Each must take what the one before it returns, and nothing may happen between or behind them, "
    "such as a reshape, a function or a "
    "shortcut; list all of them in order, or leave `strata` out"
)
ADVICE_MAPPING = "The module uses the latent beside its mapping; leave `mapping` out"
ADVICE_CODES = (
    "Something else takes the code too, and is not listed; "
    f"add it, or `{INPUT}` for what the call itself is given"
)


class OwnModule(Generator):
    """Any torch.nn.Module that makes pictures of latents."""

    class Config(ModuleConfig):
        """The module, its weights, how it is called, and where codes enter it."""

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
        self._call = Calling(self.network, config)
        try:
            self._classes = Classes("module", config.classes.count, config.classes.draw)
        except CheckpointError as error:
            raise mistake("classes.draw", str(error)) from None
        self._mapping = (
            None if config.mapping is None else Mapping(submodule(self.network, config.mapping, "mapping"))
        )
        self._root: int | None = None  # the layer whose code the call itself is given, where one is named
        self._sockets = self._sockets_of(config.codes)
        self._chain = [submodule(self.network, name, f"strata.{i}") for i, name in enumerate(config.strata)]
        self._writes = [True] * len(self._chain)
        with torch.no_grad():
            self._probe(checkpoint, weights)

    @property
    def space(self) -> str:
        """W where a mapping network is named, else z."""
        return "z" if self._mapping is None else "w"

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        """Z of the configured prior, and a class each where the module has classes."""
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
        """What the mapping network gives, (N, D), as the module itself calls it; z where there is none."""
        if self._mapping is None:
            return z
        labels = label(self.config, self._classes, condition, z)
        return self._mapping.outcome(lambda: self._call(z, labels))

    def begin(self, inputs: Inputs) -> State:
        """Labels, and the key of each sample's noise where it is fresh."""
        kept = {}
        # Whatever is on the right device will do: labels are made from the condition alone.
        labels = label(
            self.config, self._classes, inputs.condition, torch.empty(inputs.n, 0, device=self.device)
        )
        if labels is not None:
            kept["label"] = labels
        if self.config.noise == "fresh":
            kept["noise"] = noise.keys(inputs)
        return State(None, kept=kept)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """The next sub-module; or a layer's code, kept for the last stratum, which runs the module."""
        if self._chain:
            x = self._entered(code) if code is not None else state.x
            assert x is not None
            return State(self._chain[s](x.clone() if self._writes[s] else x), kept=state.kept)
        kept = dict(state.kept)
        if code is not None:
            kept[f"code {s}"] = code
        if s < len(self.strata) - 1:
            return State(None, kept=kept)
        codes = [kept[f"code {layer}"] for layer in range(self.card.layers)]
        return State(self._pictures(codes, kept.get("label"), kept.get("noise")))

    def finish(self, state: State) -> Tensor:
        """The configured range as [0, 1]; grey as RGB."""
        assert state.x is not None
        low, high = self.config.output.range
        images = (state.x - low) / (high - low)
        return images.expand(-1, 3, -1, -1)

    def _sockets_of(self, codes: Sequence[str | list[str]]) -> list[list[Socket]]:
        """A list per layer."""
        found: list[list[Socket]] = []
        taken: dict[nn.Module, str] = {}
        for layer, item in enumerate(codes):
            found.append([])
            for name in [item] if isinstance(item, str) else item:
                if name == INPUT and INPUT not in self.network._modules:
                    self._root = layer
                    continue
                module = submodule(self.network, name, f"codes.{layer}")
                if module in taken:
                    raise mistake(
                        f"codes.{layer}",
                        f"'{name}' is listed already"
                        + (f", as '{taken[module]}'" if taken[module] != name else ""),
                    )
                taken[module] = name
                found[-1].append(Socket(module, name, f"codes.{layer}"))
        return found

    def _entered(self, code: Tensor) -> Tensor:
        """A code (N, D) in the shape that the first of the chain takes."""
        if self._mapping is None:
            return code.reshape(-1, *self._call.shape)
        return (
            code[:, None].expand(-1, *self._mapping.shape)
            if self._mapping.stacked
            else code.reshape(-1, *self._mapping.shape)
        )

    def _pictures(
        self,
        codes: Sequence[Tensor],
        labels: Tensor | None,
        keys: Tensor | None = None,
        root: Tensor | None = None,
    ) -> Tensor:
        """The module's pictures (N, 1 or 3, H, W) with a code (N, D) per layer.

        Args:
            codes: of each layer.
            labels: as the module takes them.
            keys: of fresh noise.
            root: what the call itself is given; default a layer's code.
        """
        root = codes[self._root or 0] if root is None else root
        return self._rows(
            lambda rows: self._with_codes([c[rows] for c in codes], _of(labels, rows), root[rows]),
            len(root),
            keys,
        )

    def _directly(self, z: Tensor, labels: Tensor | None, keys: Tensor | None) -> Tensor:
        """What the module makes of latents by itself."""
        return self._rows(lambda rows: self._call(z[rows], _of(labels, rows)), len(z), keys)

    def _rows(self, run: Callable[[slice], Tensor], n: int, keys: Tensor | None) -> Tensor:
        """Run all samples at once, or one by one if the module draws noise, so that each has its own."""
        if self.config.noise == "none":
            return run(slice(None))
        found = []
        for i in range(n):
            seed = (
                0
                if keys is None
                else int(uniforms(int(keys[i, 0]), Stream.PROBING, Use.NOISE, int(keys[i, 1]), 1)[0] * 2**53)
            )
            with seeded(seed, self.device):
                found.append(run(slice(i, i + 1)))
        return torch.cat(found)

    def _with_codes(self, codes: Sequence[Tensor], labels: Tensor | None, root: Tensor) -> Tensor:
        with ExitStack() as stack:
            for code, sockets in zip(codes, self._sockets, strict=False):
                for socket in sockets:
                    stack.enter_context(socket.giving(code))
            if self._mapping is None:
                return self._call(root, labels)
            stack.enter_context(self._mapping.giving([root] if self._sockets else codes))
            # What enters the mapping network does not matter any more.
            return self._call(root.new_ones(len(root), self.config.latent.size), labels)

    def _probe(self, checkpoint: Checkpoint | None, weights: str) -> None:
        """Call the module on two samples; learn its sizes, and hold the config against what it does."""
        config, n = self.config, SAMPLES
        latents = self.sample(n, 0, 0, Stream.PROBING)
        z, labels = latents.z, label(config, self._classes, latents.condition, latents.z)
        with seeded(0, self.device):
            pictures = checks.first_call(lambda: self._call(z, labels), config, self._call.shape)
        if self._mapping is not None:
            self._mapping.learn(n)
        w = z if self._mapping is None else self._mapping.outcome(lambda: self._call(z, labels))
        for sockets in self._sockets:
            for socket in sockets:
                socket.learn(w)
        layers = len(self._sockets) or (
            self._mapping.shape[0]
            if self._mapping is not None and self._mapping.stacked and not self._chain
            else 1
        )
        self.card = ModelCard(
            family=config.target.rpartition(":")[2],
            resolution=max(pictures.shape[2:]),
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
        self._check(latents, labels, w, pictures)

    def _check(self, latents: Latents, labels: Tensor | None, w: Tensor, pictures: Tensor) -> None:
        config, size, n = self.config, self.card.resolution, len(w)
        keys = noise.keys(Inputs(n, None, latents.index)) if config.noise == "fresh" else None
        z = latents.z
        if config.noise != "none":
            pictures = self._directly(z, labels, keys)
        with seeded(1, self.device):  # not the first call's, whatever the caller has seeded: noise must show
            again = self._directly(z, labels, keys)
        checks.repeatable(pictures, again, config)
        first = slice(0, 1)
        checks.alone(pictures, self._directly(z[first], _of(labels, first), _of(keys, first)), config)
        if self._chain:
            sizes: list[Tensor] = []
            checks.composed(pictures, lambda: self._passed(w, sizes), config, "strata", ADVICE_CHAIN)
            last = len(self._chain) - 1
            self.strata = tuple(
                Stratum(
                    name,
                    None if i else 0,
                    x.shape[-1] if x.ndim == 4 else 1,
                    is_feature=x.ndim == 4 and i < last,
                )
                for i, (name, x) in enumerate(zip(config.strata, sizes, strict=True))
            )
            return
        codes = [w] * self.card.layers
        if self._sockets:
            # If only the listed sub-modules take the code, the call itself may get codes of other samples.
            root = w.flip(0) if self._root is None else w
            checks.composed(
                pictures, lambda: self._pictures(codes, labels, keys, root), config, "codes", ADVICE_CODES
            )
        elif self._mapping is not None:
            checks.composed(
                pictures, lambda: self._pictures(codes, labels, keys), config, "mapping", ADVICE_MAPPING
            )
        if self.card.layers == 1 and not self._sockets:
            self.strata = (Stratum(self.card.family, 0, size, is_feature=False),)
            return
        names = ["+".join([item] if isinstance(item, str) else item) for item in config.codes] or [
            f"row {i}" for i in range(self.card.layers)
        ]
        collecting = [Stratum(name, layer, size, is_feature=False) for layer, name in enumerate(names)]
        self.strata = (*collecting, Stratum(self.card.family, None, size, is_feature=False))

    def _passed(self, w: Tensor, outputs: list[Tensor]) -> Tensor:
        """Through the chain, with a look at what each returns and whether it writes into what it takes."""
        x = self._entered(w).clone()
        for i, (name, module) in enumerate(zip(self.config.strata, self._chain, strict=True)):
            x, self._writes[i] = checks.writes_into(module, x)
            if not isinstance(x, Tensor) or x.shape[:1] != w.shape[:1]:
                raise mistake(
                    f"strata.{i}",
                    f"'{name}' returns {shown(x)}, expected a tensor with {len(w)} rows. {ADVICE_CHAIN}",
                )
            outputs.append(x)
        self._writes[0] = True  # codes are the caller's
        return x


def _of(values: Tensor | None, rows: slice) -> Tensor | None:
    return None if values is None else values[rows]
