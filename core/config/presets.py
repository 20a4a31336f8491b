"""Fill in what a config leaves out with the settings of a published recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Yang, Shen and Zhou (IJCV 2021), section 2.2 and appendix: half a million samples, support vector
    # machines with hinge loss on the 2,000 highest and lowest scores, 1,000 samples moved forwards by 2 in w.
    "paper": {
        "boundary": {
            "use": "linear_svm",
            "with": {"loss": "hinge", "positives": 2000, "negatives": 2000, "train_share": 0.7},
        },
        "synthesis": {"samples": 500_000},
        "rescoring": {"samples": 1000, "distance": 2.0, "distance_unit": "raw", "backward": "none"},
    }
}


def with_preset(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with the settings of its preset wherever it has none of its own.

    The options of a plugin are filled in only if the config uses that plugin, or names none.

    >>> config = with_preset({"preset": "paper", "rescoring": {"samples": 64}})
    >>> config["rescoring"]["samples"], config["rescoring"]["distance"], config["boundary"]["use"]
    (64, 2.0, 'linear_svm')
    >>> with_preset({"preset": "paper", "boundary": {"use": "ridge"}})["boundary"]
    {'use': 'ridge'}
    """
    name = data.get("preset")
    preset = PRESETS.get(name, {}) if isinstance(name, str) else {}
    filled = dict(data)
    for section, settings in preset.items():
        given = {} if filled.get(section) is None else filled[section]
        if isinstance(given, Mapping) and given.get("use", settings.get("use")) == settings.get("use"):
            filled[section] = _merged(given, settings)
    return filled


def _merged(given: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return both mappings in one; what is given has precedence, also inside of mappings.

    A mapping that is given as null is one without settings.
    """
    merged = {**settings, **given}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            own = {} if given.get(key) is None else given[key]
            merged[key] = _merged(own, value) if isinstance(own, Mapping) else own
    return merged
