"""Run ProgressiveGAN as a plugin whose layers are strata that the core composes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype, for_inference
from ....core.errors import CheckpointError
from ....core.messages import quantity
from ....core.plugins.records import Inputs, ModelCard, State, Stratum
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import ClassConfig, GrownConfig
from ..shared.convolutions import pixel_norm
from ..shared.layouts import Layout, Shapes
from ..shared.mapping import GAIN
from ..shared.published import PublishedGenerator
from ..shared.state_dicts import load
from ..shared.unstored import Unstored
from .architecture import Architecture, examine, recognised
from .network import Convolution, InferenceLayer, Network, enlarge


class _StratumLayer(NamedTuple):
    """Hold the layer of a stratum, and whether it is an output layer."""

    layer: InferenceLayer
    is_output: bool


class ProgressiveGAN(PublishedGenerator):
    """Run ProgressiveGAN (Karras et al. 2018), with one layer and w = z.

    Only the first stratum reads a code, and normalises it. State.x is the feature map after the activation
    and before pixel norm.
    """

    class Config(ClassConfig, GrownConfig):
        """Set checkpoint, classes, and what the file does not state."""

        labels: int | None = Field(
            default=None,
            ge=1,
            description="number of inputs that are classes, for conditional networks whose file does not "
            "store it (GenForce); leave it out otherwise",
        )
        fused_scale: bool | None = Field(
            default=None,
            description="whether upsampling is fused with the convolution after it, for files of GenForce "
            "and MMGeneration whose widths are all equal; other files show it",
        )

    config: Config
    family = "ProgressiveGAN"

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        unstored = Unstored.of(config)
        opened = open_checkpoint(type(self), config, lambda part: examine(part, unstored))
        architecture = _with_labels(Architecture.from_plain(opened.description.architecture), config.labels)
        self.architecture = architecture
        network = load(architecture.build, opened.description, opened.checkpoint.path)
        description = replace(
            opened.description,
            latent_size=architecture.z_dim,
            code_size=architecture.z_dim,
            classes=architecture.classes,
        )
        self.card: ModelCard = replace(opened, description=description).card()
        self._classes = Classes(self.family, architecture.classes, config.classes)
        strata: list[Stratum] = []
        layers: list[InferenceLayer] = []
        for level in range(architecture.top + 1):
            height, width = (side << level for side in architecture.start)
            for i in (2 * level, 2 * level + 1):
                layers.append(self._inference_layer(network, i))
                strata.append(Stratum(f"layer{i}", None if i else 0, width, height=height))
            if level in architecture.outputs:
                layers.append(
                    InferenceLayer(
                        _convolution(network.outputs, str(level)),
                        "same",
                        1.0 if architecture.equalised else None,
                        None,
                    )
                )
                strata.append(Stratum(f"output{level}", None, width, is_feature=False, height=height))
        self.network = for_inference(torch.nn.ModuleList(layers), device)
        self.strata = tuple(strata)
        self._stratum_layers = [
            _StratumLayer(layer, not stratum.is_feature)
            for layer, stratum in zip(layers, strata, strict=True)
        ]

    @classmethod
    def layout_of(cls, names_and_shapes: Shapes) -> Layout | None:
        """Return the layout; it depends on the shape of the first layer too."""
        return recognised(names_and_shapes)

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""
        return examine(part)

    def begin(self, inputs: Inputs) -> State:
        """Return an empty state, or one with the class weights (N, Y) that are appended to z."""
        labels = self._classes.weights(inputs.condition, torch.empty(inputs.n, device=self.device))
        return State(None, kept={} if labels is None else {"labels": labels})

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply pixel norm and a layer; the RGB of a second output is blended with that of the first."""
        layer, is_output = self._stratum_layers[s]
        precision = compute_dtype(self.device)
        with torch.autocast(self.device.type, enabled=False):
            if s == 0:
                assert code is not None
                return State(layer(self._inputs(code.float(), state)).to(precision), None, {})
            assert state.x is not None
            # After layer 0 comes stratum 1.
            normalised = self.architecture.normalise and (s > 1 or self.architecture.normalise_first)
            x = self._norm(state.x) if normalised else state.x
            if not is_output:
                return State(layer(x), state.rgb, state.kept)
            rgb = layer(x).float()
            if state.rgb is not None:
                lower_weight = self.architecture.lod % 1.0
                rgb = (1.0 - lower_weight) * rgb + lower_weight * enlarge(state.rgb, 2)  # (N, C, H, W)
            return State(state.x, rgb, state.kept)

    @property
    def tunable(self) -> Mapping[str, Tensor]:
        """Return weights and biases with their gains, by stratum."""
        return {
            f"{stratum.name}.{name}": x
            for stratum, (layer, _) in zip(self.strata, self._stratum_layers, strict=True)
            for name, x in layer.named_buffers()
        }

    def finish(self, state: State) -> Tensor:
        """Return pictures (N, channels, H, W) at full resolution, with [-1, 1] mapped to [0, 1]."""
        assert state.rgb is not None
        rgb = enlarge(state.rgb, 2 ** math.floor(self.architecture.lod))
        return ((torch.tanh(rgb) if self.architecture.tanh else rgb) + 1.0) / 2.0

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (h w C, D) of the first stratum, without the columns of classes."""
        weight = self._stratum_layers[0].layer.weight[:, : self.architecture.z_dim]
        return weight if s == 0 else None

    def _norm(self, x: Tensor) -> Tensor:
        return pixel_norm(x, self.architecture.epsilon, outside=self.architecture.epsilon_outside)

    def _inputs(self, z: Tensor, state: State) -> Tensor:
        """Return the inputs (N, Z + Y) of the first layer: z (N, Z) and class weights, normalised."""
        if self.architecture.normalise_inputs and self.architecture.z_first:
            z = self._norm(z)
        inputs = torch.cat([z, state.kept["labels"]], dim=1) if self.architecture.classes else z
        return self._norm(inputs) if self.architecture.normalise_inputs else inputs

    def _inference_layer(self, network: Network, i: int) -> InferenceLayer:
        """Build layer i for inference: a matrix at first, then alternately `same` and `up`."""
        kind = "dense" if i == 0 else "same" if i % 2 else "up"
        return InferenceLayer(
            _convolution(network.layers, str(i)),
            kind,
            GAIN if self.architecture.equalised else None,
            self.architecture.leak,
        )


def _convolution(modules: torch.nn.Module, name: str) -> Convolution:
    """Return a sub-module, which must be a Convolution."""
    module = modules.get_submodule(name)
    assert isinstance(module, Convolution)
    return module


def _with_labels(architecture: Architecture, labels: int | None) -> Architecture:
    """Return the architecture with `labels` of its inputs used as classes.

    Raises:
        CheckpointError: the file stores another number of classes.
    """
    if labels is None or labels == architecture.classes:
        return architecture
    if architecture.classes:
        raise CheckpointError(
            f"labels: {labels} is configured, "
            f"but the file stores that this ProgressiveGAN has "
            f"{quantity(architecture.classes, 'class', 'classes')}; leave it out"
        )
    return replace(architecture, classes=labels)
