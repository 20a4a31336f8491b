"""What may be a name: it is printed, put into tables, pictures and pages, and becomes part of the names of files."""

from __future__ import annotations

LONGEST = 200  # characters
JOINERS = "\u200c\u200d"  # invisible, but part of how Persian, Hindi and others are written
APART = ",|"  # what stands between the names of a conditional boundary


def fault_of(name: str, *, apart: str = APART) -> str:
    r"""Why this cannot be the name of a concept or boundary; nothing if it can.

    Letters of any script, spaces and `/` may stand in it.

    Args:
        name: of a concept, a class of pixels, or a boundary.
        apart: signs that are refused because they stand between names; none for files that keep names one by one.

    >>> fault_of("Wohnküche/groß")
    ''
    >>> fault_of("red\x1b[31m")
    'holds the sign U+001B, which cannot be printed'
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
        return f"holds the sign U+{ord(hidden):04X}, which cannot be printed"
    between = next((sign for sign in name if sign in apart), None)
    if between is not None:
        return f"holds '{between}', which stands between the names of a conditional boundary"
    part = next((part for part in name.split("/") if part in ("", ".", "..")), None)
    if part is None:
        return ""
    return (
        f"has a part '{part}' between its slashes, as a path has"
        if part
        else "has nothing before, between or behind its slashes"
    )


def group_fault(name: str) -> str:
    """Why this cannot be the name of a group of layers, which a config and the columns of tables name; nothing if it can.

    >>> group_fault("lower-half"), group_fault("all")
    ('', 'cannot name a group: use letters, digits, - and _, beginning with a letter; all, each and groups are taken')
    """
    if (
        name not in ("all", "each", "groups")
        and name.replace("_", "").replace("-", "").isalnum()
        and not name[0].isdigit()
    ):
        return ""
    return "cannot name a group: use letters, digits, - and _, beginning with a letter; all, each and groups are taken"


def checked(name: str) -> str:
    """The same name, for the validators of configs.

    Raises:
        ValueError: it cannot be one.
    """
    fault = fault_of(name)
    if fault:
        raise ValueError(f"the name {fault}")
    return name
