"""Keep contents in an object store: S3 and what speaks its language, Google Cloud Storage, Azure, or memory.

The package obstore does the requests, and repeats those that fail for a reason that may pass.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..errors import GanstrataError, UserError
from .disk import digest_of
from .places import unreadable
from .urls import without_credentials

if TYPE_CHECKING:
    from obstore.store import ClientConfig
    from zarr.abc.store import Store

CREDENTIALS = "set those of the store, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
INSTALL = "pip install 'ganstrata[remote]'"
RETRIES = 10  # of a request
PATIENCE = 180.0  # seconds over which it is repeated
ANSWER = 30.0  # seconds that one answer may take
METADATA = "169.254.169.254"  # where a machine in a cloud asks for the credentials of its role
AT_ONCE = 16  # small requests
SHOWN = 300  # characters of another library's message

_memory: dict[str, Any] = {}


class StoreError(GanstrataError):
    """Represent an object store that cannot be reached, read or written."""


class Objects:
    """All objects whose names begin with a URL and a slash."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """Prepare for requests; none is made.

        Args:
            url: with which the names begin.
            patience: seconds for which a request that fails is repeated, and which an answer may take.

        Raises:
            UserError: the package obstore is missing.
            StoreError: the URL or a setting of the environment cannot be used.
        """
        self.url = url
        self._store = _opened(url, patience)

    def __str__(self) -> str:
        """Return the URL."""
        return self.url

    def get(self, name: str) -> bytes | None:
        """Return the content of an object, or None if there is none."""
        content, _ = self.get_tagged(name)
        return content

    def get_tagged(self, name: str) -> tuple[bytes | None, str]:
        """Return the content of an object and its tag; None and an empty tag if there is none."""
        import obstore

        try:
            found = obstore.get(self._store, name)
            return bytes(found.bytes()), found.meta["e_tag"] or ""
        except FileNotFoundError:
            return None, ""
        except Exception as error:
            raise self._error("read", name, error) from None

    def put(self, name: str, content: bytes) -> str:
        """Write an object in one step, and return its tag."""
        tag = self._put(name, content, "overwrite")
        assert tag is not None
        return tag

    def put_new(self, name: str, content: bytes) -> str | None:
        """Write an object unless there is one of this name; return its tag, or None if there is one."""
        return self._put(name, content, "create")

    def put_over(self, name: str, content: bytes, tag: str) -> str | None:
        """Write an object in place of the one with this tag; return its tag, or None if that is gone."""
        return self._put(name, content, {"e_tag": tag})

    def _put(self, name: str, content: bytes, mode: Any) -> str | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            # Large objects go in parts, which no condition may be put on.
            parts = None if mode == "overwrite" else False
            return obstore.put(self._store, name, content, mode=mode, use_multipart=parts)["e_tag"] or ""
        except (AlreadyExistsError, PreconditionError):
            return None
        except Exception as error:
            raise self._error("write", name, error) from None

    def replace(self, name: str, content: bytes) -> None:
        """Write an object. Nothing can stand in its way."""
        self.put(name, content)

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects, if they exist."""
        import obstore

        try:
            for name in names:
                with suppress(FileNotFoundError):
                    obstore.delete(self._store, name)
        except Exception as error:
            raise self._error("write", "", error) from None

    def clear(self, folder: str = "") -> None:
        """Remove all objects in a folder."""
        import obstore

        names = [name for name in self.tags() if name.startswith(folder.rstrip("/") + "/") or not folder]
        try:
            for start in range(0, len(names), 1000):
                obstore.delete(self._store, names[start : start + 1000])
        except Exception as error:
            raise self._error("write", folder, error) from None

    def tidy(self) -> None:
        """Do nothing: an object that was not written whole does not exist."""

    def get_all(self, names: Iterable[str]) -> Mapping[str, bytes | None]:
        """Return contents by name, several at a time."""
        each = list(names)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(each, pool.map(self.get, each), strict=True))

    def tags(self) -> Mapping[str, str]:
        """Return the tag of every object by name."""
        import obstore

        try:
            return {
                found["path"]: found["e_tag"] or "" for part in obstore.list(self._store) for found in part
            }
        except Exception as error:
            raise self._error("read", "", error) from None

    def digest(self) -> str | None:
        """Return a digest of all names, and of all contents but chunks; None if there is nothing."""
        names = sorted(self.tags())
        small = self.get_all(name for name in names if name.endswith((".json", "/stamp")))
        return digest_of((name, small.get(name) or b"") for name in names) if names else None

    def zarr_store(self) -> Store:
        """Return what Zarr reads the arrays from."""
        from zarr.storage import ObjectStore

        return ObjectStore(self._store, read_only=True)

    def unreadable(self, name: str, error: Exception) -> GanstrataError:
        """Return the error to raise for an array that Zarr could not read."""
        from obstore.exceptions import BaseError

        if isinstance(error, BaseError):
            return self._error("read", name, error)
        return unreadable(f"{self.url}/{name}", error)

    def _error(self, verb: str, name: str, error: Exception) -> StoreError:
        """Return the error to raise for a request that failed."""
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        reason = _reason(error)
        cure = "check that it can be reached, then run the same command again"
        if isinstance(error, FileNotFoundError) or "NoSuchBucket" in str(error):
            cure = "check that the bucket exists, then run the same command again"
        if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
            cure = "check the credentials in the environment, then run the same command again"
        if METADATA in str(error):
            cure = f"there are no credentials in the environment, and this machine has no role: {CREDENTIALS}"
        return StoreError(f"cannot {verb} {self.url}/{name}: {reason}. Earlier results are kept: {cure}")


def _reason(error: Exception) -> str:
    """Return what obstore says of an error, without its own state in many lines and the server's XML."""
    text = str(error).split("\n\nDebug source:", 1)[0]
    text = re.sub(r"<\?xml.*?<Message>(.*?)</Message>.*", r"\1", text, flags=re.DOTALL)
    return without_credentials(text).strip()[:SHOWN].rstrip(".")


def _opened(url: str, patience: float) -> Any:
    """Return the store of a URL."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import MemoryStore, from_url
    except ImportError:
        raise UserError(f"arrays at {url} need the package obstore: {INSTALL}") from None
    if url.startswith("memory://"):
        return _memory.setdefault(url, MemoryStore())
    # A server of one's own is often without TLS; then its address in the environment says so.
    endpoints = (os.environ.get(name, "") for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT"))
    plain = any(endpoint.startswith("http://") for endpoint in endpoints)
    options: ClientConfig = {"timeout": timedelta(seconds=min(ANSWER, patience))}
    if plain:
        options["allow_http"] = True
    try:
        return from_url(
            url,
            client_options=options,
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=patience)},
        )
    except (BaseError, ValueError, OSError) as error:
        raise StoreError(f"{url} cannot be used: {_reason(error)}") from None
