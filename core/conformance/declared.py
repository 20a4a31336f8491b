"""Check the declarations of plugins: cards, strata, concepts. This is cheap and cannot be switched off."""

from __future__ import annotations

import math
import numbers
import operator
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import PluginBroken
from ..messages import quantity, shown, visible
from ..plugins.base import Plugin, owner_of
from ..plugins.boundary import SPACES
from ..plugins.colours import CHANNELS, is_colour
from ..plugins.generator import Generator
from ..plugins.prior_codes import PriorCode, fault_of_codes
from ..plugins.records import LEVELS, Concept, ModelCard, Stratum
from ..plugins.scorer import Scorer
from ..storage import name_rules
from .calls import check_calls

# Fields of a card that are whole numbers, and that are text.
SIZES = ("resolution", "height", "width", "layers", "code_size", "latent_size", "channels")
TEXTS = ("family", "licence", "source", "sha256", "weights", "truncation", "background")


def check_declared(plugin: Plugin) -> None:
    """Refuse a plugin whose declarations are missing or invalid, before they cause an error elsewhere.

    Raises:
        PluginBroken: the message says what is missing or invalid.
    """
    owner = owner_of(plugin)
    missing = [name for name in ("config", "device") if not hasattr(plugin, name)]
    if missing:
        raise PluginBroken(
            f"{owner} has no {' and no '.join(missing)}: "
            "its constructor must call super().__init__(config, device)."
        )
    check_calls(plugin)
    if isinstance(plugin, Generator):
        _check_generator(plugin, owner)
    if isinstance(plugin, Scorer):
        _check_scorer(plugin, owner)


def _check_generator(generator: Generator, owner: str) -> None:
    card, strata = getattr(generator, "card", None), getattr(generator, "strata", None)
    if not isinstance(card, ModelCard):
        raise PluginBroken(
            f"{owner} has {_missing_or_type(card, 'card')}; "
            "its constructor must set self.card to a ganstrata.ModelCard."
        )
    _check_card(card, owner)
    if not isinstance(strata, list | tuple) or not all(isinstance(stratum, Stratum) for stratum in strata):
        raise PluginBroken(
            f"{owner} has {_missing_or_type(strata, 'strata')}; "
            "its constructor must set self.strata to a tuple of ganstrata.Stratum."
        )
    if not strata:
        raise PluginBroken(f"{owner} has no strata.")
    for s, stratum in enumerate(strata):
        _check_stratum(stratum, f"{owner}: strata[{s}]")
    read, layers = {stratum.reads for stratum in strata if stratum.reads is not None}, card.layers
    if read != set(range(layers)):
        raise PluginBroken(
            f"{owner} declares {quantity(layers, 'layer')}, but its strata read {shown(sorted(read))}."
        )
    scale: object = generator.layer_scale
    if (
        not isinstance(scale, np.ndarray)
        or scale.shape != (layers,)
        or scale.dtype.kind != "f"
        or not np.isfinite(scale).all()
    ):
        raise PluginBroken(
            f"{owner}: layer_scale is {shown(scale)}; "
            f"a numpy array of {layers} finite floats, of shape ({layers},), was expected."
        )
    _check_groups(generator.groups, layers, owner)
    _check_prior_codes(generator.prior_codes, card.latent_size, owner)
    if generator.space not in SPACES:
        raise PluginBroken(
            f"{owner}: space is {_with_type(generator.space)}; it must be one of {', '.join(SPACES)}."
        )
    fingerprint: object = generator.fingerprint
    if not isinstance(fingerprint, str) or not fingerprint:
        raise PluginBroken(
            f"{owner}: fingerprint is {_with_type(fingerprint)}; "
            "text that names the latent space was expected."
        )
    if generator.fingerprint != fingerprint:
        raise PluginBroken(
            f"{owner}: fingerprint differs each time it is read; boundaries identify their generator by it."
        )


def _check_card(card: ModelCard, owner: str) -> None:
    for name in SIZES:
        if not _is_whole(getattr(card, name), least=1):
            raise PluginBroken(
                f"{owner}: card.{name} is {_with_type(getattr(card, name))}; "
                f"a whole number above 0 was expected{_conversion('int', card, name)}."
            )
    for name in TEXTS:
        if not isinstance(getattr(card, name), str):
            raise PluginBroken(
                f"{owner}: card.{name} is {_with_type(getattr(card, name))}; "
                f"text was expected{_conversion('str', card, name)}."
            )
    if max(card.height, card.width) != card.resolution:
        raise PluginBroken(
            f"{owner}: card says resolution {card.resolution}, width {card.width} and height {card.height}; "
            "resolution is the longer side."
        )
    if card.channels not in CHANNELS:
        raise PluginBroken(
            f"{owner}: card.channels is {card.channels}; "
            "1 (grey), 3 (RGB) or 4 (RGB with alpha) was expected."
        )
    if not is_colour(card.background):
        raise PluginBroken(
            f"{owner}: card.background is {shown(card.background)}; a colour such as '#ffffff' was expected."
        )
    assumptions: object = card.assumptions
    if not isinstance(assumptions, tuple) or not all(isinstance(text, str) for text in assumptions):
        raise PluginBroken(
            f"{owner}: card.assumptions is {_with_type(assumptions)}; a tuple of sentences was expected."
        )


def _check_stratum(stratum: Stratum, where: str) -> None:
    checks = (
        ("name", isinstance(stratum.name, str), "text"),
        ("reads", stratum.reads is None or _is_whole(stratum.reads), "the number of a layer, or None,"),
        ("size", _is_whole(stratum.size, least=1), "a whole number above 0"),
        ("height", _is_whole(stratum.height, least=1), "a whole number above 0"),
        ("margin", _is_whole(stratum.margin), "a whole number"),
        ("is_feature", isinstance(stratum.is_feature, bool), "True or False"),
        (
            "style_width",
            stratum.style_width is None or _is_whole(stratum.style_width, least=1),
            "a whole number above 0, or None,",
        ),
    )
    for name, fits, expected in checks:
        if not fits:
            raise PluginBroken(
                f"{where}.{name} is {_with_type(getattr(stratum, name))}; "
                f"{expected} was expected{_conversion('int', stratum, name)}."
            )


def _check_groups(groups: object, layers: int, owner: str) -> None:
    if groups is None:
        return
    if not isinstance(groups, Mapping):
        raise PluginBroken(
            f"{owner}: groups is {type(groups).__name__}; "
            "a mapping of names to layers, or None, was expected."
        )
    for name, members in groups.items():
        fault = name_rules.group_fault(name) if isinstance(name, str) else "is not text"
        if fault:
            raise PluginBroken(
                f"{owner}: '{visible(name) if isinstance(name, str) else shown(name)}' in groups {fault}."
            )
        try:
            indices = [operator.index(layer) for layer in members]
        except TypeError:
            indices = []
        if not indices or not set(indices) <= set(range(layers)):
            raise PluginBroken(
                f"{owner}: the group '{visible(name)}' has layers {shown(members)}; "
                f"there are 0 to {layers - 1}."
            )


def _check_prior_codes(codes: object, size: int, owner: str) -> None:
    if not isinstance(codes, tuple) or not all(isinstance(code, PriorCode) for code in codes):
        raise PluginBroken(
            f"{owner}: prior_codes is {_with_type(codes)}; a tuple of ganstrata.PriorCode was expected."
        )
    fault = next((f for code in codes if (f := name_rules.fault_of(code.name))), "")
    fault = f"a name {fault}" if fault else fault_of_codes(codes, size)
    if fault:
        raise PluginBroken(f"{owner}: in prior_codes, {fault}; there are {size} coordinates of z.")


def _check_scorer(scorer: Scorer, owner: str) -> None:
    concepts = getattr(scorer, "concepts", None)
    if not isinstance(concepts, list | tuple):
        raise PluginBroken(
            f"{owner} has {_missing_or_type(concepts, 'concepts')}; "
            "a tuple of ganstrata.Concept was expected."
        )
    wrong = next((concept for concept in concepts if not isinstance(concept, Concept)), None)
    if wrong is not None:
        hint = f", such as Concept('{visible(wrong, 40)}', 'attribute')" if isinstance(wrong, str) else ""
        raise PluginBroken(
            f"{owner} has {type(wrong).__name__} among its concepts; "
            f"each must be a ganstrata.Concept{hint}. Levels: {', '.join(LEVELS)}."
        )
    if not concepts:
        raise PluginBroken(f"{owner} has no concepts.")
    for concept in concepts:
        _check_concept(concept, owner)
    _check_distinct([concept.name for concept in concepts], f"{owner} has two concepts called")
    if scorer.declared != tuple(concepts):
        raise PluginBroken(f"{owner} has other concepts each time they are read.")
    features: object = scorer.features
    if not isinstance(features, list | tuple) or not all(_is_whole(s) for s in features):
        raise PluginBroken(
            f"{owner}: features is {shown(features)}; it must be a tuple of numbers of strata."
        )
    extras: object = scorer.extras
    if not isinstance(extras, list | tuple) or not all(isinstance(name, str) for name in extras):
        raise PluginBroken(f"{owner}: extras must be a tuple of names.")
    _check_distinct(extras, f"{owner} has two extras called")
    if not isinstance(scorer.checkpoint, str):
        raise PluginBroken(
            f"{owner}: checkpoint is {_with_type(scorer.checkpoint)}; "
            "the hash of its weights, as text, was expected."
        )
    size: object = scorer.input_size
    if size is not None and not (
        isinstance(size, tuple) and len(size) == 2 and all(_is_whole(side, 1) for side in size)
    ):
        raise PluginBroken(
            f"{owner}: input_size is {_with_type(size)}; (height, width) in pixels, or None, was expected."
        )
    packages: object = scorer.packages
    if not isinstance(packages, list | tuple) or not all(isinstance(name, str) for name in packages):
        raise PluginBroken(
            f"{owner}: packages is {shown(packages)}; it must be a tuple of names of distributions."
        )


def _check_concept(concept: Concept, owner: str) -> None:
    if not isinstance(concept.name, str):
        raise PluginBroken(
            f"{owner}: the name of a concept is {_with_type(concept.name)}; text was expected."
        )
    fault = name_rules.fault_of(concept.name)
    if fault:
        raise PluginBroken(f"{owner}: the name of the concept '{visible(concept.name)}' {fault}.")
    where = f"{owner}: of the concept '{visible(concept.name)}'"
    for name, fits, expected in (
        (
            "least",
            concept.least is None or (_is_number(concept.least) and concept.least >= 0.0),
            "a number that is not negative, or None,",
        ),
        (
            "threshold",
            concept.threshold is None or _is_number(concept.threshold),
            "a finite number, or None,",
        ),
        ("may_be_undefined", isinstance(concept.may_be_undefined, bool), "True or False"),
    ):
        if not fits:
            raise PluginBroken(
                f"{where} {name} is {_with_type(getattr(concept, name))}; "
                f"{expected} was expected{_conversion('float', concept, name)}."
            )


def _check_distinct(names: Sequence[str], start: str) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise PluginBroken(f"{start} '{visible(repeated[0])}'.")


def _is_whole(value: object, least: int = 0) -> bool:
    """Return whether a value is an int of at least `least`.

    Integers of numpy and torch are refused: they cannot be written as JSON, or compare and hash differently.
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _with_type(value: object) -> str:
    """Return a value for a message, with its type if it is not a built-in one."""
    kind = type(value)
    return (
        shown(value)
        if kind.__module__ == "builtins"
        else f"{shown(value)} ({visible(f'{kind.__module__}.{kind.__name__}')})"
    )


def _conversion(kind: str, record: object, name: str) -> str:
    """Return the advice to convert a number of numpy or torch; empty for other values."""
    value = getattr(record, name)
    return (
        f"; write {kind}(...)"
        if not isinstance(value, bool | int | float | str) and isinstance(value, numbers.Number)
        else ""
    )


def _missing_or_type(value: object, name: str) -> str:
    return f"no {name}" if value is None else f"{type(value).__name__} for {name}"
