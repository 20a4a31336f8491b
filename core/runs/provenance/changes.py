"""Describe the differences between two provenances."""

from __future__ import annotations

from collections.abc import Mapping

from .records import PluginRecord, Provenance

_DIGESTS = (
    ("config", "its config changed"),
    ("code", "its source changed"),
    ("weights", "its weights changed"),
)


def changes(old: Provenance | None, new: Provenance) -> list[str]:
    """Return a sentence for each change of what the numbers of a run depend on.

    Args:
        old: recorded; None if nothing was recorded.
        new: present.
    """
    if old is None:
        return ["nothing is recorded of what its numbers were computed from"]
    sentences = []
    for what, before, now in (
        ("batch size", old.environment.batch, new.environment.batch),
        ("device", old.environment.device, new.environment.device),
        ("precision", old.environment.precision, new.environment.precision),
    ):
        if before != now:
            sentences.append(f"{what} was {before}, is {now}")
    sentences += _versions(old.environment.packages, new.environment.packages)
    sentences += plugin_changes(f"generator '{new.generator.name}'", old.generator, new.generator)
    sentences += [f"scorer '{alias}' was taken out" for alias in old.scorers if alias not in new.scorers]
    for alias, scorer in new.scorers.items():
        sentences += (
            plugin_changes(f"scorer '{alias}'", old.scorers[alias], scorer)
            if alias in old.scorers
            else [f"scorer '{alias}' is new"]
        )
    orders = [
        [alias for alias in scorers if alias in old.scorers and alias in new.scorers]
        for scorers in (old.scorers, new.scorers)
    ]
    if orders[0] != orders[1]:
        sentences.append("scorers stand in another order")
    return sentences + plugin_changes(f"learner '{new.boundary.name}'", old.boundary, new.boundary)


def code_changes(old: Provenance | None, new: Provenance) -> list[str]:
    """Return a sentence for each change of generator and scorers, apart from versions."""
    if old is None:
        return changes(old, new)
    sentences = plugin_changes(
        f"generator '{new.generator.name}'", old.generator.essence, new.generator.essence
    )
    for alias, scorer in new.scorers.items():
        sentences += (
            plugin_changes(f"scorer '{alias}'", old.scorers[alias].essence, scorer.essence)
            if alias in old.scorers
            else [f"scorer '{alias}' is new"]
        )
    return sentences


def circumstance_changes(old: Provenance | None, new: Provenance) -> list[str]:
    """Return a sentence for each change of what generator and scorers are computed with.

    That is the environment (batch size, device, precision, versions of packages), and the distribution and
    version of each plugin. If `code_changes` has none, these are all changes but those of the learner.
    """
    return changes(old, new if old is None else new.model_copy(update={"boundary": old.boundary}))


def plugin_changes(who: str, old: PluginRecord, new: PluginRecord) -> list[str]:
    """Return a sentence for each change of one plugin, its version included.

    Args:
        who: the plugin, for the sentences.
        old: recorded.
        new: present.
    """
    sentences = []
    if old.name != new.name:
        return [f"{who}: was '{old.name}' from {old.distribution}, is '{new.name}' from {new.distribution}"]
    if old.distribution != new.distribution:
        sentences.append(f"{who}: was from {old.distribution}, is from {new.distribution}")
    sentences += [
        f"{who}: {words}" for field, words in _DIGESTS if getattr(old, field) != getattr(new, field)
    ]
    sentences += [
        f"{who}: what its config names at '{place}' changed"
        for place in sorted(_unequal(old.files, new.files))
        if old.config == new.config
    ]
    sentences += [f"{who}: {words}" for words in _versions(old.packages, new.packages)]
    for place in sorted({*old.parts, *new.parts}):
        if place in old.parts and place in new.parts:
            sentences += plugin_changes(f"{who}, {place}", old.parts[place], new.parts[place])
    if not sentences and old.output != new.output:
        sentences.append(f"{who}: what it gives changed")
    return sentences or ([f"{who} changed"] if old != new else [])


def _versions(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return a sentence for each package whose version differs."""
    return [
        f"{name} was {old.get(name, 'not used')}, is {new.get(name, 'not used')}"
        for name in sorted(_unequal(old, new))
    ]


def _unequal(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """Return the keys whose values differ."""
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}
