"""Check names, which are printed, written into tables, pictures and pages, and used in file names."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 200  # characters
JOINERS = "\u200c\u200d"  # invisible, but needed to write Persian, Hindi and other languages
SEPARATORS = ",|"  # separate the names of a conditional boundary


def fault_of(name: str, *, separators: str = SEPARATORS) -> str:
    r"""Return why this cannot name a concept or boundary; empty if it can.

    A name may contain letters of any script, spaces and `/`.

    Args:
        name: name of a concept, a class of pixels, or a boundary.
        separators: characters that are refused because they separate names; empty for files in which names
            stand alone.

    >>> fault_of("Wohnküche/groß")
    ''
    >>> fault_of("red\x1b[31m")
    'contains the character U+001B, which cannot be printed'
    >>> fault_of("../red")
    "has a part '..' between its slashes, as a path has"
    """
    if not name.strip():
        return "is empty"
    if len(name) > LONGEST:
        return f"has {len(name)} characters; {LONGEST} are allowed"
    if name != name.strip():
        return "begins or ends with a space"
    hidden = next((sign for sign in name if not sign.isprintable() and sign not in JOINERS), None)
    if hidden is not None:
        return f"contains the character U+{ord(hidden):04X}, which cannot be printed"
    separator = next((sign for sign in name if sign in separators), None)
    if separator is not None:
        return f"contains '{separator}', which separates the names of a conditional boundary"
    part = next((part for part in name.split("/") if part in ("", ".", "..")), None)
    if part is None:
        return ""
    return (
        f"has a part '{part}' between its slashes, as a path has"
        if part
        else "has an empty part before, between or after its slashes"
    )


def class_name_fault(name: str) -> str:
    """Return why this cannot name a class of pixels, in a legend or an extractor; empty if it can.

    >>> class_name_fault("window/door"), class_name_fault("window")
    ("holds '/'", '')
    """
    return "holds '/'" if "/" in name else fault_of(name)


def require_unique(concepts: Iterable[str]) -> None:
    """Check that no two concepts have the same name.

    Raises:
        ValueError: two have.
    """
    names = set()
    for name in concepts:
        if name in names:
            raise ValueError(f"two concepts are named '{name}'")
        names.add(name)


GROUP_RULE = (
    "cannot name a group: use letters, digits, - and _, beginning with a letter; "
    "all, each and groups are reserved"
)


def group_fault(name: str) -> str:
    """Return why this cannot name a group of layers in configs and tables; empty if it can.

    >>> group_fault("lower-half"), group_fault("all") == GROUP_RULE
    ('', True)
    """
    if (
        name not in ("all", "each", "groups")
        and name.replace("_", "").replace("-", "").isalnum()
        and not name[0].isdigit()
    ):
        return ""
    return GROUP_RULE


def checked(name: str) -> str:
    """Return the name after checking it, for validators of configs.

    Raises:
        ValueError: it cannot name a concept.
    """
    fault = fault_of(name)
    if fault:
        raise ValueError(f"the name {fault}")
    return name
