"""Let strips reach as far as re-scoring went, and half as far again, unless a config says otherwise."""

from __future__ import annotations

from typing import Any

REACH = 1.5  # in steps of re-scoring


def with_strip_reach(data: Any, farthest: float) -> Any:
    """Return the data of a config with ends of its strips that follow from `rescoring.distance`.

    Ends that the config gives stay. What is not a config, or has no distance, is returned as it is.

    Args:
        data: of a config.
        farthest: the largest distance allowed.

    >>> with_strip_reach({"rescoring": {"distance": 12}, "editing": {"steps": 3}}, 1e6)["editing"]
    {'start': -18.0, 'end': 18.0, 'steps': 3}
    """
    if not isinstance(data, dict):
        return data
    rescoring, editing = data.get("rescoring"), data.get("editing")
    distance = rescoring.get("distance") if isinstance(rescoring, dict) else None
    if isinstance(distance, bool) or not isinstance(distance, int | float):
        return data  # what is wrong is said by the section
    if not isinstance(editing, dict | None):
        return data
    reach = min(REACH * abs(float(distance)), farthest)
    return {**data, "editing": {"start": -reach, "end": reach, **(editing or {})}}
