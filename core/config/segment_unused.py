"""Refuse fields of a segmentation config that a command would not follow."""

from __future__ import annotations

from collections.abc import Collection

from ..errors import ConfigError, Fault
from .segment_schema import AnnotateConfig

# An LSE from a few pictures has these, by section and field; anything else would be ignored.
FEW = {
    ("extractor", "head"): "LSE",
    ("extractor", "layer_weights"): "equal",
    ("extractor", "kernel"): 1,
    ("training", "images"): None,
    ("training", "layerwise_loss"): 0.0,
}


def refuse_unused(
    config: AnnotateConfig, source: str, command: str, methods: Collection[str], instead: str = ""
) -> None:
    """Refuse fields that learning from a few pictures does not follow.

    Args:
        config: validated.
        source: the config's file, for messages.
        command: name of the command.
        methods: values of training.method that it accepts.
        instead: where the method is named in place of the config.

    Raises:
        ConfigError: there are such fields.
    """
    faults = []
    for (section, field), usual in FEW.items():
        value = getattr(getattr(config, section), field)
        if value != usual:
            usually = "null" if usual is None else usual
            mend = f"leave it out, or give --set {section}.{field}={usually}"
            faults.append(Fault((section, field), f"is {value}, which `{command}` does not follow; {mend}"))
    if config.training.method not in methods:
        allowed = " or ".join(methods)
        faults.append(
            Fault(
                ("training", "method"),
                f"is {config.training.method}, which `{command}` does not follow; "
                f"set it to {allowed}{instead}",
            )
        )
    if faults:
        raise ConfigError(source, faults)
