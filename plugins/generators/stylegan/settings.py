"""Read the stored settings of a StyleGAN, from the header of this package or NVIDIA's arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ....core.errors import CheckpointError
from ....core.messages import shown
from ..shared.layouts import Layout
from ..shared.unstored import ZOO_TANH, Unstored
from .layouts import FUSED_FROM
from .pytorch_layouts import GAN_ZOO, ROSINALITY

# NVIDIA's arguments of which only the default is supported.
_SUPPORTED: dict[str, object] = {
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "normalize_latents": True,
    "use_wscale": True,
    "mapping_use_wscale": True,
    "use_styles": True,
    "const_input_layer": True,
    "use_pixel_norm": False,
    "use_instance_norm": True,
}


@dataclass(frozen=True)
class StoredSettings:
    """Hold the settings that shapes do not show.

    Attributes:
        fused_from: resolution from which upsampling is fused with the convolution that follows it.
        lr_multiplier: factor of the mapping network's stored weights; None if the file does not store it.
        tanh: whether tanh is applied to the image; None if the file does not store it.
        equalised: whether weights are scaled by their fan-in; None if the file does not store it.
        without_mean: whether the file states that it has no mean w.
        form: the options of Architecture that our own header stores, beside those above.
        assumptions: sentences on settings that are not used.
        assumed: fields of the config that neither file nor config states, with the sentence on each.
    """

    fused_from: int = FUSED_FROM
    lr_multiplier: float | None = None
    tanh: bool | None = None
    equalised: bool | None = None
    without_mean: bool = False
    form: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    assumed: Mapping[str, str] = field(default_factory=dict)


def read_settings(settings: Mapping[str, Any]) -> StoredSettings:
    """Read the settings of a part of a checkpoint.

    Raises:
        CheckpointError: a setting is invalid or not supported.
    """
    network = settings.get("network")
    if isinstance(network, Mapping):
        tanh = network.get("tanh")
        if tanh is not None and not isinstance(tanh, bool):
            raise CheckpointError(f"tanh stored in the file is {shown(tanh)}, expected true or false")
        return StoredSettings(
            lr_multiplier=_multiplier(network.get("lr_multiplier", 0.01)),
            tanh=tanh,
            equalised=True,
            without_mean=network.get("mean") == 0,
            form=_form(network),
        )
    for name, value in _SUPPORTED.items():
        if settings.get(name, value) != value:
            raise CheckpointError(
                f"this StyleGAN was built with {name} = {shown(settings[name])}; "
                f"only {shown(value)} is supported"
            )
    if list(_sequence(settings.get("blur_filter", (1, 2, 1)))) != [1, 2, 1]:
        raise CheckpointError(
            f"this StyleGAN has the low-pass filter {shown(settings['blur_filter'])}; "
            "only [1, 2, 1] is supported"
        )
    return StoredSettings(
        _fused_from(settings.get("fused_scale", "auto")),
        _multiplier(settings["mapping_lrmul"]) if "mapping_lrmul" in settings else None,
        equalised=True if "use_wscale" in settings else None,
    )


def _form(network: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of Architecture in our own header that older versions do not store."""
    form: dict[str, Any] = {}
    for name in ("blur", "bias_blurred"):
        if name in network:
            if not isinstance(network[name], bool):
                raise CheckpointError(
                    f"{name} stored in the file is {shown(network[name])}, expected true or false"
                )
            form[name] = network[name]
    if "epsilon" in network:
        form["epsilon"] = _multiplier(network["epsilon"], "the epsilon of instance normalisation")
    return form


def read_zoo(config: object) -> StoredSettings:
    """Read the configuration that PyTorch GAN Zoo stores under `config`.

    Raises:
        CheckpointError: the network has classes, was saved while it was growing, or has a loss or a leak
            that is not supported.
    """
    if not isinstance(config, Mapping):
        return StoredSettings(
            assumptions=(
                "the configuration of the zoo (`config`) is not stored beside the weights: the network is "
                "taken for fully grown (alpha 0) and without tanh (config: final_tanh)",
            )
        )
    for name, value, why in (
        ("categoryVectorDim", 0, "networks with classes are not supported"),
        ("alpha", 0, "only fully grown networks, with 0, are supported"),
        ("leakyReluLeak", 0.2, "only 0.2 is supported"),
    ):
        if config.get(name, value) not in (value, None):
            raise CheckpointError(
                f"this StyleGAN of PyTorch GAN Zoo was saved with {name} = {shown(config[name])}; {why}"
            )
    loss = config.get("lossCriterion")
    if loss is not None and (not isinstance(loss, str) or loss not in ZOO_TANH):
        raise CheckpointError(
            f"lossCriterion stored in the file is {shown(loss)}, expected {', '.join(ZOO_TANH)}"
        )
    psi = config.get("phiTruncation")
    assumptions = (
        (f"phiTruncation {shown(psi)} stored in the file is not used (config: truncation_psi)",)
        if isinstance(psi, int | float)
        else ()
    )
    return StoredSettings(tanh=None if loss is None else ZOO_TANH[loss], assumptions=assumptions)


def complete(layout: Layout, stored: StoredSettings, unstored: Unstored) -> StoredSettings:
    """Return the settings with what the config and the published code of the layout say.

    Raises:
        CheckpointError: config and file contradict each other.
    """
    form = dict(stored.form)
    if layout is ROSINALITY:
        form |= {"bias_blurred": True, "epsilon": 1e-5}
    elif layout is GAN_ZOO:
        form["blur"] = False
    # Their weights are drawn for scales.
    scaled = True if layout in (ROSINALITY, GAN_ZOO) else stored.equalised
    unstored.settle("use_wscale", scaled, True)
    stated = {"final_tanh": stored.tanh, "use_wscale": scaled, "lr_mlp": stored.lr_multiplier}
    published = 1.0 if layout is ROSINALITY else 0.01
    return replace(
        stored,
        lr_multiplier=unstored.settle("lr_mlp", stored.lr_multiplier, published),
        tanh=unstored.settle("final_tanh", stored.tanh, None),
        form=form,
        assumed=unstored.assumed(stated, stated if layout.name == "GenForce and SeFa" else ()),
    )


def _sequence(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _fused_from(fused: object) -> int:
    """Return the resolution from which NVIDIA's `fused_scale` fuses upsampling."""
    if fused is True:
        return 8
    if fused is False:
        return 2**30  # above any resolution: never
    if fused == "auto":
        return FUSED_FROM
    raise CheckpointError(f"fused_scale stored in the file is {shown(fused)}, expected true, false or 'auto'")


def _multiplier(value: object, what: str = "the mapping's learning rate multiplier") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
        raise CheckpointError(f"{what} stored in the file is {shown(value)}, expected a number above 0")
    return float(value)
