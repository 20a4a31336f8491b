"""Find strata by their name or their number."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UserError, nearest
from ..messages import listed, visible
from ..plugins.records import Stratum


def stratum_number(strata: Sequence[Stratum], text: str) -> int:
    """Return the number of the stratum with this name or number, whose output is a feature map.

    Args:
        strata: all strata of the generator.
        text: name or number. A name goes before a number that reads the same.

    Raises:
        UserError: there is none.

    >>> strata = [Stratum("b4", 0, 4), Stratum("b4.rgb", 1, 4, is_feature=False), Stratum("b8", 1, 8)]
    >>> stratum_number(strata, "b8"), stratum_number(strata, "0")
    (2, 0)
    """
    names = {stratum.name: s for s, stratum in enumerate(strata) if stratum.is_feature}
    numbers = {str(s): s for s in names.values()}
    found = names.get(text, numbers.get(text))
    if found is None:
        raise UserError(
            f"there is no stratum '{visible(text)}' with a feature map.{nearest(text, names)} "
            f"There are {listed(list(names), 30)}; their numbers are allowed as well"
        )
    return found
