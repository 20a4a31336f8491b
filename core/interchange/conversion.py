"""Turn a direction from a file into a boundary of a generator, or say why it does not fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import MismatchError, UserError
from ..messages import quantity, visible
from ..plugins.boundary import Boundary
from ..plugins.records import LEVELS
from ..storage.name_rules import fault_of
from ..strata.layers import parse_layers, show_layers
from .assumed import AssumedGenerator
from .files import NamedFile
from .foreign import ForeignBoundary

ALIAS = "imported"
OFFSET = "unknown, set to 0: the file has a normal only, so signed distances are those from the origin"


@dataclass(frozen=True)
class Stated:
    """Hold what the user, or a list, states about one boundary; None where nothing is said.

    Attributes:
        space: latent space; what the file itself says has precedence.
        level: level; it overrides the file's.
        layers: layers, or `all`; they override the file's.
        alias: prefix of the name, if the name has none.
    """

    space: str | None = None
    level: str | None = None
    layers: str | None = None
    alias: str = ALIAS


def to_boundary(
    named: NamedFile,
    foreign: ForeignBoundary,
    generator: AssumedGenerator,
    stated: Stated,
    remarks: list[str],
) -> Boundary:
    """Check a direction against the generator and return it as ganstrata's own.

    Args:
        named: its file and name.
        foreign: what the file holds.
        generator: the generator that the user names.
        stated: what else the user states.
        remarks: gets remarks for the user.

    Raises:
        MismatchError: the file names another generator.
        UserError: it does not fit the generator, or a fact is missing.
    """
    if foreign.generator and foreign.generator != generator.fingerprint:
        raise MismatchError(
            f"it was made for generator {foreign.generator}; "
            f"--assume names {generator.fingerprint} ({generator.words})"
        )
    space = _space(foreign, generator, stated.space)
    _check_shape(space, foreign, generator)
    level = "" if foreign.target == "" else _level(named, foreign, stated.level, remarks)
    written = stated.layers if stated.layers is not None else foreign.layers
    layers = None if written is None or written == "all" else parse_layers(written, generator.layers)
    facts = dict(foreign.facts) | {
        "source": str(named.path),
        "sha256": foreign.sha256,
        "container": foreign.container,
    }
    if not foreign.generator:
        facts["assumed_generator"] = generator.words
    if foreign.offset is None:
        facts["offset"] = OFFSET
    if not foreign.was_unit:
        facts["length"] = f"{foreign.length:.6g}"
    if stated.layers is not None and foreign.layers is not None and stated.layers != foreign.layers:
        shown = "all layers" if layers is None else f"layers {show_layers(layers)}"
        remarks.append(
            f"{named.path} is meant for layers {foreign.layers}; it gets {shown}, as --layers says"
        )
    own_name = named.name if "/" in named.name else f"{stated.alias}/{named.name}"
    concept = own_name if foreign.target is None else foreign.target
    for name in (own_name, *filter(None, [concept]), *foreign.given):
        fault = fault_of(name)
        if fault:
            raise UserError(f"its name '{visible(name)}' {fault}; give it another in a list")
    offset = np.zeros(foreign.normal.shape[:-1]) if foreign.offset is None else foreign.offset
    return Boundary(
        concept,
        level,
        foreign.normal.astype(np.float32),
        np.asarray(offset, dtype=np.float32),
        space,
        generator.fingerprint,
        layers=layers,
        given=foreign.given,
        facts=facts,
        direction="" if foreign.target is None else own_name,
        slope=None if foreign.slope is None else foreign.slope.astype(np.float32),
    )


def _space(foreign: ForeignBoundary, generator: AssumedGenerator, stated: str | None) -> str:
    """Return the space that the file names or implies, else the one stated, else the only one possible.

    Raises:
        UserError: nobody says it, and z and w have the same width; or file and user disagree.
    """
    if foreign.space is not None:
        if stated not in (None, foreign.space):
            raise UserError(
                f"it lies in {foreign.space}, as its format says, and not in {stated}; leave out --space"
            )
        return foreign.space
    if stated is not None:
        return stated
    if foreign.normal.ndim == 2:
        return "w+"  # a row per layer fits no other space
    if generator.space == "z":
        return "z"  # there is no mapping network, so there is no other
    styles = ", or --space s for style channels" if generator.styles else ""
    raise UserError(f"it does not say which latent space it lies in; say --space w, or --space wp{styles}")


def _level(named: NamedFile, foreign: ForeignBoundary, stated: str | None, remarks: list[str]) -> str:
    """Return the level that the user states, else the one in the file.

    Raises:
        UserError: nobody says it.
    """
    kind = foreign.kind if foreign.kind in LEVELS else None
    level = stated or kind
    if level is None:
        reason = (
            f"it calls its level '{foreign.kind}', which is not one of {', '.join(LEVELS)}"
            if foreign.kind
            else "it does not say its level"
        )
        raise UserError(f"{reason}; say it with --level, or --level {named.name}=LEVEL for this one alone")
    if kind is not None and kind != level:
        remarks.append(f"{named.path} calls itself {kind}; it becomes {level}, as --level says")
    return level


def _check_shape(space: str, foreign: ForeignBoundary, generator: AssumedGenerator) -> None:
    shape, size, layers = foreign.normal.shape, generator.code_size, generator.layers
    if space == "s":
        channels = sum(width for _, width in generator.styles)
        if generator.styles and shape != (channels,):
            raise UserError(
                f"it has the shape {shape}, but this generator ({generator.words}) has {channels} "
                "style channels in all"
            )
        return
    if space not in (generator.space, "w+"):
        raise UserError(
            f"it lies in space {space}, but the codes of this generator ({generator.words}) "
            f"are in {generator.space}"
        )
    if (space == "w+") != (len(shape) == 2):
        has, needs = (
            ("a normal per layer", "one normal (1, D)")
            if len(shape) == 2
            else ("one normal", "a normal per layer (1, L, D)")
        )
        raise UserError(
            f"it has {has}, shape {shape}, but is said to lie in {space}, where a boundary has {needs}"
        )
    if shape[-1] != size:
        raise UserError(
            f"it has D = {shape[-1]}, but the codes of this generator ({generator.words}) have D = {size}"
        )
    if len(shape) == 2 and shape[0] != layers:
        raise UserError(
            f"it has normals for {quantity(shape[0], 'layer')}, but this generator "
            f"({generator.words}) has {layers}"
        )
