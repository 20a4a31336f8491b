"""Checks what plugins declare, which costs nothing and is never switched off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .. import naming
from ..contracts import Generator, Scorer
from ..errors import PluginBroken
from ..plugin import Plugin, owner_of
from ..records import LEVELS, Concept, ModelCard, Stratum
from ..text import visible


def check_declared(plugin: Plugin) -> None:
    """Refuse a plugin that lacks what the core relies on, so that a slip is named and not met later.

    Raises:
        PluginBroken: the message says what is missing or does not fit.
    """
    owner = owner_of(plugin)
    missing = [name for name in ("config", "device") if not hasattr(plugin, name)]
    if missing:
        raise PluginBroken(f"{owner} has no {' and no '.join(missing)}: its constructor must call super().__init__(config, device).")
    if isinstance(plugin, Generator):
        _check_generator(plugin, owner)
    if isinstance(plugin, Scorer):
        _check_scorer(plugin, owner)


def _check_generator(generator: Generator, owner: str) -> None:
    card, strata = getattr(generator, "card", None), getattr(generator, "strata", None)
    if not isinstance(card, ModelCard):
        raise PluginBroken(f"{owner} has {_instead(card, 'card')}; its constructor must set self.card to a ganstrata.ModelCard.")
    for size in ("resolution", "layers", "code_size", "latent_size"):
        value = getattr(card, size)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise PluginBroken(f"{owner}: card.{size} is {visible(repr(value))}; a whole number above 0 was expected.")
    if not isinstance(strata, list | tuple) or not all(isinstance(stratum, Stratum) for stratum in strata):
        raise PluginBroken(f"{owner} has {_instead(strata, 'strata')}; its constructor must set self.strata to a tuple of ganstrata.Stratum.")
    if not strata:
        raise PluginBroken(f"{owner} has no strata.")
    read, layers = {stratum.reads for stratum in strata if stratum.reads is not None}, card.layers
    if read != set(range(layers)):
        raise PluginBroken(f"{owner} declares {layers} layer{'' if layers == 1 else 's'}, but its strata read {sorted(read)}.")
    shape = getattr(generator.layer_scale, "shape", None)
    if shape != (layers,):
        raise PluginBroken(f"{owner}: layer_scale has shape {shape}, expected ({layers},).")
    groups = generator.groups
    if groups is not None and not isinstance(groups, Mapping):
        raise PluginBroken(f"{owner}: groups is {type(groups).__name__}; a mapping of names to layers, or None, was expected.")
    for name, chosen in (groups or {}).items():
        if not chosen or not set(chosen) <= set(range(layers)):
            raise PluginBroken(f"{owner}: the group '{visible(str(name))}' has layers {visible(str(list(chosen)))}; there are 0 to {layers - 1}.")


def _check_scorer(scorer: Scorer, owner: str) -> None:
    concepts = getattr(scorer, "concepts", None)
    if not isinstance(concepts, list | tuple):
        raise PluginBroken(f"{owner} has {_instead(concepts, 'concepts')}; a tuple of ganstrata.Concept was expected.")
    wrong = next((concept for concept in concepts if not isinstance(concept, Concept)), None)
    if wrong is not None:
        hint = f", such as Concept('{visible(wrong, 40)}', 'attribute')" if isinstance(wrong, str) else ""
        raise PluginBroken(
            f"{owner} has {type(wrong).__name__} among its concepts; each must be a ganstrata.Concept{hint}. Levels: {', '.join(LEVELS)}."
        )
    if not concepts:
        raise PluginBroken(f"{owner} has no concepts.")
    names = [concept.name for concept in concepts]
    faults = ((name, naming.fault_of(name)) for name in names)
    awkward = next(((name, fault) for name, fault in faults if fault), None)
    if awkward is not None:
        raise PluginBroken(f"{owner}: the name of the concept '{visible(awkward[0])}' {awkward[1]}.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise PluginBroken(f"{owner} has two concepts called '{twice[0]}'.")
    if not all(isinstance(s, int) for s in scorer.features):
        raise PluginBroken(f"{owner}: features must hold numbers of strata.")
    extras: object = scorer.extras
    if not isinstance(extras, list | tuple) or not all(isinstance(name, str) for name in extras):
        raise PluginBroken(f"{owner}: extras must be a tuple of names.")


def _instead(value: object, name: str) -> str:
    return f"no {name}" if value is None else f"{type(value).__name__} for {name}"
