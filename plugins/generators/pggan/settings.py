"""Read the options of a ProgressiveGAN that shapes do not show, from its layout, its file and the config."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ....core.errors import CheckpointError
from ....core.messages import quantity, shown
from ..shared.layouts import Layout
from ..shared.unstored import ZOO_TANH, Unstored
from .layouts import GAN_ZOO, GENFORCE, GROWN, MMGENERATION, MMGENERATION_AVERAGE, PRO_GAN_OLD

# NVIDIA's constructor arguments, with the options they set.
_ARGUMENTS: dict[str, tuple[str, type]] = {
    "label_size": ("classes", int),
    "normalize_latents": ("normalise_inputs", bool),
    "use_pixelnorm": ("normalise", bool),
    "use_wscale": ("equalised", bool),
    "pixelnorm_epsilon": ("epsilon", float),
}
# Members of the configuration that the zoo stores, with the options they set.
_ZOO: dict[str, tuple[str, type]] = {
    "categoryVectorDim": ("classes", int),
    "equalizedlR": ("equalised", bool),
    "leakyReluLeak": ("leak", float),
    "alpha": ("lod", float),
}
_OPTIONS: dict[str, type] = {
    **dict(_ARGUMENTS.values()),
    "lod": float,
    "z_first": bool,
    "normalise_first": bool,
    "leak": float,
    "epsilon_outside": bool,
    "tanh": bool,
}


def read_settings(
    layout: Layout, settings: Mapping[str, Any], unstored: Unstored
) -> tuple[dict[str, Any], tuple[str, ...], dict[str, str]]:
    """Return the options of Architecture, sentences on those that are assumed, and the fields left open.

    The fields are those of the config that neither file nor config states, with the sentence on each.

    Args:
        layout: of the file.
        settings: stored in it: the header of this package, NVIDIA's arguments, the zoo's configuration or
            pro_gan_pytorch's.
        unstored: what the config says.

    Raises:
        CheckpointError: a setting is invalid, not supported, or contradicts the config.
    """
    options, assumptions = _published_options(layout), list[str]()
    if layout is GAN_ZOO:
        stored, assumptions = _zoo(settings.get("config"))
    elif layout in GROWN:
        stored = _pro_gan(settings.get("conf"))
    else:
        stored = _stored_options(settings)
    options |= stored
    options["tanh"] = unstored.settle("final_tanh", stored.get("tanh"), False)
    options["equalised"] = unstored.settle("use_wscale", stored.get("equalised"), True)
    stated = {"final_tanh": stored.get("tanh"), "use_wscale": stored.get("equalised")}
    if layout is GAN_ZOO or layout in GROWN:
        # rescale() changes the weights according to it, so a converted file leaves no choice.
        if layout in GROWN and unstored.use_wscale is None and stated["use_wscale"] is None:
            assumptions.append(
                "the file does not state use_eql: weights are scaled by their fan-in (config: use_wscale)"
            )
        del stated["use_wscale"]
    return options, tuple(assumptions), unstored.assumed(stated, stated if layout is GENFORCE else ())


def _published_options(layout: Layout) -> dict[str, Any]:
    """Return the options in which the published code of a layout differs from NVIDIA's."""
    if layout is GENFORCE:
        return {"z_first": True}
    if layout in (MMGENERATION, MMGENERATION_AVERAGE):
        return {"epsilon": 1e-6, "epsilon_outside": True}
    if layout in GROWN:
        return {"normalise_first": False, "normalise_inputs": layout is not PRO_GAN_OLD}
    return {}


def _zoo(config: object) -> tuple[dict[str, Any], list[str]]:
    """Return the options in the configuration of the zoo, and what is assumed if there is none."""
    if not isinstance(config, Mapping):
        return {}, [
            "the configuration of the zoo (`config`) is not stored beside the weights: the network is taken "
            "for fully grown (alpha 0), without classes and without tanh (config: final_tanh, labels)"
        ]
    options = _named(_ZOO, config)
    if config.get("perChannelNormalization", True) is not True:
        raise CheckpointError(
            "this ProgressiveGAN was built with perChannelNormalization = "
            f"{shown(config['perChannelNormalization'])}; only true is supported"
        )
    if options.get("lod", 0.0) > 1.0:
        raise CheckpointError(f"alpha stored in the file is {shown(config['alpha'])}, expected 0 to 1")
    loss = config.get("lossCriterion")
    if loss is not None and (not isinstance(loss, str) or loss not in ZOO_TANH):
        raise CheckpointError(
            f"lossCriterion stored in the file is {shown(loss)}, expected {', '.join(ZOO_TANH)}"
        )
    if loss is not None:
        options["tanh"] = ZOO_TANH[loss]
    attributes = config.get("attribKeysOrder")
    count = len(attributes) if isinstance(attributes, Mapping) else 0
    return options, (
        [
            f"the classes are the values of {quantity(count, 'attribute')} in a row; a class that is "
            "drawn sets one of "
            "them and leaves the other attributes at 0"
        ]
        if count > 1
        else []
    )


def _pro_gan(conf: object) -> dict[str, Any]:
    """Return the options in the arguments that pro_gan_pytorch stores."""
    return _named({"use_eql": ("equalised", bool)}, conf) if isinstance(conf, Mapping) else {}


def _stored_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options stored in a file: in the header of this package, or as NVIDIA's arguments."""
    network = settings.get("network")
    if isinstance(network, Mapping):
        return _named({option: (option, kind) for option, kind in _OPTIONS.items()}, network)
    options = _named(_ARGUMENTS, settings)
    if settings.get("use_leakyrelu") is False:
        options["leak"] = 0.0
    return options


def _named(names: Mapping[str, tuple[str, type]], stored: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the options whose stored names are in `names`, and whose values are not None."""
    return {
        option: _checked(name, stored[name], kind)
        for name, (option, kind) in names.items()
        if stored.get(name) is not None
    }


def _checked(name: str, value: object, kind: type) -> Any:
    """Return a stored value as a bool, int or float.

    Raises:
        CheckpointError: it is of another kind, negative or not finite.
    """
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise CheckpointError(f"{name} stored in the file is {shown(value)}, expected true or false")
    is_number = isinstance(value, kind | int) and not isinstance(value, bool)
    if is_number and 0 <= value < math.inf:  # type: ignore[operator]
        return kind(value)
    raise CheckpointError(
        f"{name} stored in the file is {shown(value)}, "
        f"expected a {'whole ' if kind is int else ''}number from 0 up"
    )
