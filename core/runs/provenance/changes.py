"""What differs between two provenances, in words."""

from __future__ import annotations

from collections.abc import Mapping

from .records import PluginRecord, Provenance

_DIGESTS = (
    ("config", "its config changed"),
    ("code", "its source changed"),
    ("weights", "its weights changed"),
)


def changes(old: Provenance | None, new: Provenance) -> list[str]:
    """What numbers stand on that is not as it was.

    Args:
        old: as recorded; None where nothing was recorded.
        new: as it is now.
    """
    if old is None:
        return ["nothing is recorded of what its numbers were computed from"]
    said = []
    for what, there, here in (
        ("batch size", old.environment.batch, new.environment.batch),
        ("device", old.environment.device, new.environment.device),
        ("precision", old.environment.precision, new.environment.precision),
    ):
        if there != here:
            said.append(f"{what} was {there}, is {here}")
    said += _versions(old.environment.packages, new.environment.packages)
    said += plugin_changes(f"generator '{new.generator.name}'", old.generator, new.generator)
    said += [f"scorer '{alias}' was taken out" for alias in old.scorers if alias not in new.scorers]
    for alias, scorer in new.scorers.items():
        said += (
            plugin_changes(f"scorer '{alias}'", old.scorers[alias], scorer)
            if alias in old.scorers
            else [f"scorer '{alias}' is new"]
        )
    kept = [
        [alias for alias in side if alias in old.scorers and alias in new.scorers]
        for side in (old.scorers, new.scorers)
    ]
    if kept[0] != kept[1]:
        said.append("scorers stand in another order")
    return said + plugin_changes(f"learner '{new.boundary.name}'", old.boundary, new.boundary)


def code_changes(old: Provenance | None, new: Provenance) -> list[str]:
    """What differs of generator and scorers apart from versions: code, configs, weights and files."""
    if old is None:
        return changes(old, new)
    said = plugin_changes(f"generator '{new.generator.name}'", old.generator.essence, new.generator.essence)
    for alias, scorer in new.scorers.items():
        said += (
            plugin_changes(f"scorer '{alias}'", old.scorers[alias].essence, scorer.essence)
            if alias in old.scorers
            else [f"scorer '{alias}' is new"]
        )
    return said


def plugin_changes(who: str, old: PluginRecord, new: PluginRecord) -> list[str]:
    """What differs of one plugin; its version alone counts as well."""
    said = []
    if old.name != new.name:
        return [f"{who}: was '{old.name}' from {old.distribution}, is '{new.name}' from {new.distribution}"]
    if old.distribution != new.distribution:
        said.append(f"{who}: was from {old.distribution}, is from {new.distribution}")
    said += [f"{who}: {words}" for field, words in _DIGESTS if getattr(old, field) != getattr(new, field)]
    said += [
        f"{who}: what its config names at '{place}' changed"
        for place in sorted(_unequal(old.files, new.files))
        if old.config == new.config
    ]
    said += [f"{who}: {words}" for words in _versions(old.packages, new.packages)]
    for place in sorted({*old.parts, *new.parts}):
        if place in old.parts and place in new.parts:
            said += plugin_changes(f"{who}, {place}", old.parts[place], new.parts[place])
    if not said and old.output != new.output:
        said.append(f"{who}: what it gives changed")
    return said or ([f"{who} changed"] if old != new else [])


def _versions(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [
        f"{name} was {old.get(name, 'not used')}, is {new.get(name, 'not used')}"
        for name in sorted(_unequal(old, new))
    ]


def _unequal(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}
