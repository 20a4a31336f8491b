"""Fetch checkpoints that a config names by their place on the network, once, into a cache.

    hf:OWNER/NAME/FILE@REVISION     a file on the Hugging Face hub; REVISION is a commit, tag or branch
    https://HOST/FILE#sha256=HASH   a file whose content is known by its hash

Nothing is fetched that is not named so. A file that is in the cache is used without any request, also where a
branch has moved on since. Hub files are in the cache of huggingface_hub, others in that of the user's system.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import CheckpointError
from ..messages import shown, visible
from ..storage.disk import file_hash

HUB, WEB = "hf:", "https:"
INSTALL = "pip install 'ganstrata[download]'"
HUB_FORM = "hf:owner/name/file@revision"
WEB_FORM = "https://host/file#sha256=<64 hexadecimal digits>"
SILENCE = 30.0  # seconds after which a server that sends nothing is given up
SHOWN = 300  # characters of another library's message


class HubFile(NamedTuple):
    """Name a file on the hub: repository `owner/name`, path inside it, and revision (None: main branch)."""

    repository: str
    file: str
    revision: str | None


class WebFile(NamedTuple):
    """Name a file on the web: its address without the fragment, and its SHA-256 in lower case."""

    address: str
    sha256: str


def is_remote(checkpoint: str) -> bool:
    """Return whether `checkpoint:` names a file on the network.

    >>> is_remote("hf:owner/name/g.safetensors"), is_remote("models/g.safetensors")
    (True, False)
    """
    return checkpoint.startswith((HUB, WEB, "http:"))


def parse(checkpoint: str) -> HubFile | WebFile:
    """Take a remote name apart.

    Raises:
        CheckpointError: it does not have one of the two forms.

    Example:
        >>> parse("hf:owner/name/models/g.pkl@v1.0")
        HubFile(repository='owner/name', file='models/g.pkl', revision='v1.0')
    """
    if checkpoint.startswith(HUB):
        match = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)/([^@\0\\]+)(?:@([\w./-]+))?", checkpoint)
        if match is None or ".." in PurePosixPath(match[2]).parts:
            raise CheckpointError(f"checkpoint {visible(checkpoint)} does not have the form {HUB_FORM}")
        return HubFile(match[1], match[2], match[3])
    if not checkpoint.startswith(WEB):
        raise CheckpointError(
            f"checkpoint {visible(checkpoint)}: files are fetched over https alone; write {WEB_FORM}"
        )
    match = re.fullmatch(r"(https://[^\s#/]+/[^\s#]+)#sha256=([0-9a-fA-F]{64})", checkpoint)
    if match is None:
        raise CheckpointError(
            f"checkpoint {visible(checkpoint)} does not have the form {WEB_FORM}. The hash is "
            "required, because the file at an address may change; `sha256sum FILE` prints the hash of a copy "
            "that you trust"
        )
    return WebFile(match[1], match[2].lower())


def fetch(checkpoint: str) -> Path:
    """Return the path of the cached copy of a remote file, which is fetched if there is none.

    Args:
        checkpoint: a name for which `is_remote` holds.

    Raises:
        CheckpointError: the name is malformed, the file cannot be had, it is not the one that the hash
            promises, or the library that fetches it is not installed.
    """
    named = parse(checkpoint)
    return _from_hub(checkpoint, named) if isinstance(named, HubFile) else _from_web(named)


def cached(checkpoint: str) -> Path | None:
    """Return the path of the cached copy of a remote file, or None without one. No request is made."""
    try:
        named = parse(checkpoint)
    except CheckpointError:
        return None
    if isinstance(named, WebFile):
        path = _web_path(named)
        return path if path is not None and path.is_file() else None
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return None
    with suppress(HFValidationError):
        path_or_mark = try_to_load_from_cache(named.repository, named.file, revision=named.revision)
        if isinstance(path_or_mark, str):
            return Path(path_or_mark)
    return None


def origin(checkpoint: str, path: Path) -> str:
    """Return where a checkpoint comes from: a hub file with its commit, an address, or the name of the file.

    Args:
        checkpoint: as the config has it.
        path: of the file that was read.
    """
    if not is_remote(checkpoint):
        return path.name
    named = parse(checkpoint)
    if isinstance(named, WebFile):
        return named.address
    # The hub's cache is .../snapshots/COMMIT/FILE.
    commit = path.parts[-1 - len(PurePosixPath(named.file).parts)]
    return f"{HUB}{named.repository}/{named.file}@{commit}"


def _from_hub(checkpoint: str, named: HubFile) -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError:
        raise CheckpointError(
            f"checkpoint {visible(checkpoint)} is on the hub, which needs huggingface_hub: {INSTALL}"
        ) from None
    path = cached(checkpoint)
    if path is not None:
        return path

    def failed(why: str) -> CheckpointError:
        return CheckpointError(f"checkpoint {visible(checkpoint)}: {why}")

    try:
        path = Path(hf_hub_download(named.repository, named.file, revision=named.revision))
        # A bare state dict of the hub is described by the config.json beside it.
        with suppress(EntryNotFoundError):
            beside = PurePosixPath(named.file).with_name("config.json")
            hf_hub_download(named.repository, str(beside), revision=named.revision)
    except GatedRepoError:
        raise failed(
            "its owner asks for an agreement first; accept it on the hub, then `hf auth login`"
        ) from None
    except RepositoryNotFoundError:
        raise failed(
            f"the hub has no public repository {named.repository}; `hf auth login` shows it a private one"
        ) from None
    except RevisionNotFoundError:
        raise failed(f"{named.repository} has no revision {named.revision}") from None
    except LocalEntryNotFoundError:
        raise failed("it is not in the cache, and the hub cannot be reached") from None
    except EntryNotFoundError:
        raise failed(f"{named.repository} has no file {named.file}") from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise failed(f"{type(error).__name__}: {shown(str(error), SHOWN)}") from None
    return path


def _from_web(named: WebFile) -> Path:
    path = _web_path(named)
    if path is None:
        raise CheckpointError(
            f"checkpoint {visible(named.address)} is on the web, which needs pooch: {INSTALL}"
        )
    if path.is_file() and file_hash(path) == named.sha256:
        return path
    import pooch
    from requests.exceptions import RequestException

    try:
        pooch.retrieve(
            named.address,
            f"sha256:{named.sha256}",
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(timeout=SILENCE),
        )
    except ValueError as error:  # pooch has no error of its own for another hash
        raise CheckpointError(
            f"checkpoint {visible(named.address)}: what was fetched is not the file with the SHA-256 "
            f"{named.sha256}, and was not kept: {shown(str(error), SHOWN)}"
        ) from None
    except (RequestException, OSError) as error:
        raise CheckpointError(
            f"checkpoint {visible(named.address)} cannot be fetched: {type(error).__name__}: "
            f"{shown(str(error), SHOWN)}"
        ) from None
    return path


def _web_path(named: WebFile) -> Path | None:
    """Return the place of a web file in the cache, or None without pooch.

    The name begins with the hash, so that files of one name do not meet.
    """
    try:
        import pooch
    except ImportError:
        return None
    name = re.sub(r"[^\w.-]", "_", PurePosixPath(named.address.partition("?")[0]).name)[-80:]
    return Path(pooch.os_cache("ganstrata")) / "checkpoints" / f"{named.sha256[:16]}-{name}"
