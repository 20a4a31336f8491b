"""Check the URL of an object store, and keep credentials out of what is stored and said."""

from __future__ import annotations

import re

SCHEMES = ("s3", "gs", "az", "abfs", "abfss", "memory")
_URL = re.compile(r"([a-z0-9]+)://([^/?#]*)(/[^?#]*)?(.*)", re.DOTALL)
_FORM = "write a URL such as s3://bucket/prefix (gs:// and az:// too)"
_CREDENTIALS = (
    "credentials must not stand in it, because run.json records it; the environment has them, "
    "as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role"
)


def checked_url(text: str) -> str:
    """Return the URL of a folder in an object store, without a slash at its end.

    Raises:
        ValueError: it has another form, or holds credentials. The message does not repeat them.

    >>> checked_url("s3://bucket/runs/rooms/")
    's3://bucket/runs/rooms'
    >>> checked_url("s3://key:secret@bucket/runs")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: credentials must not stand in it, because run.json records it; ...
    """
    match = _URL.fullmatch(text)
    if match is None or match[1] not in SCHEMES:
        raise ValueError(f"must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES)}: {_FORM}")
    scheme, host, path, rest = match.groups()
    user, _, _ = host.rpartition("@")
    # az://container@account is how Azure names a container.
    if ":" in user or (user and not scheme.startswith("abfs")) or rest:
        raise ValueError(_CREDENTIALS)
    if not host:
        raise ValueError(f"has no bucket; {_FORM}")
    parts = [part for part in (path or "").split("/") if part]
    if any(part in (".", "..") or not part.isprintable() for part in parts) or not host.isprintable():
        raise ValueError(f"has a part that no object's name may have; {_FORM}")
    return "/".join([f"{scheme}://{host}", *parts])


def without_credentials(text: str) -> str:
    """Return a text in which users and passwords of URLs, and what follows their paths, are left out.

    >>> without_credentials("GET https://key:secret@host/a?X-Amz-Signature=1&b failed")
    'GET https://...@host/a?... failed'
    """
    hidden = re.sub(r"(\w://)[^/@\s]*@", r"\1...@", text)
    return re.sub(r"(\w://[^\s?#]*[?#])[^\s'\")>]+", r"\1...", hidden)
