"""Checkpoints named by a place on the network are fetched once, checked, and found offline afterwards."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import ganstrata
import pytest
from ganstrata.core.checkpoints import WEIGHTS
from ganstrata.core.checkpoints.remote import HubFile, WebFile, cached, fetch, is_remote, origin, parse
from ganstrata.core.errors import CheckpointError
from ganstrata.core.runs.provenance.files import files_named
from local_hub import CERTIFICATE, COMMIT, serving

CONTENT = b"weights"
HASH = sha256(CONTENT).hexdigest()


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own, and trust in the server of the tests."""
    pytest.importorskip("pooch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("hf:a/b/c.pkl", HubFile("a/b", "c.pkl", None)),
        ("hf:a/b.c/d/e.pkl@refs/pr/1", HubFile("a/b.c", "d/e.pkl", "refs/pr/1")),
        (
            f"https://h.org/x/y.pkl?download=1#sha256={HASH}",
            WebFile("https://h.org/x/y.pkl?download=1", HASH),
        ),
    ],
)
def test_names(name: str, named: HubFile | WebFile) -> None:
    assert is_remote(name)
    assert parse(name) == named


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hf:a/b", "hf:owner/name/file@revision"),
        ("hf:a/b/", "hf:owner/name/file@revision"),
        ("hf:a/b/../../etc/passwd", "hf:owner/name/file@revision"),
        ("hf:a/b/c@d@e", "hf:owner/name/file@revision"),
        ("http://h.org/x.pkl", "over https alone"),
        ("https://h.org/x.pkl", "The hash is required"),
        ("https://h.org/x.pkl#sha256=12", "64 hexadecimal digits"),
        ("https://h.org/" + "x" * 9000, "The hash is required"),
    ],
)
def test_malformed_names_are_refused_with_the_form(name: str, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason) as caught:
        fetch(name)
    assert len(str(caught.value)) < 600
    assert cached(name) is None


def test_a_web_file_is_fetched_once_and_is_part_of_the_key(web: Path) -> None:
    with serving({"/a/g.pkl": CONTENT}, tls=True) as server:
        name = f"{server.address}/a/g.pkl#sha256={HASH}"
        assert cached(name) is None
        assert files_named({"checkpoint": name}) == {}
        path = fetch(name)
        assert path.read_bytes() == CONTENT
        assert server.requests == 1
        assert fetch(name) == path
        assert server.requests == 1
    assert fetch(name) == path  # the server is gone
    assert HASH.startswith(files_named({"checkpoint": name})["checkpoint"])
    assert origin(name, path) == name.partition("#")[0]


def test_a_damaged_copy_in_the_cache_is_fetched_anew(web: Path) -> None:
    with serving({"/g.pkl": CONTENT}, tls=True) as server:
        name = f"{server.address}/g.pkl#sha256={HASH}"
        path = fetch(name)
        path.write_bytes(b"other")
        assert fetch(name).read_bytes() == CONTENT


def test_a_web_file_with_another_hash_is_refused_and_not_kept(web: Path) -> None:
    with serving({"/g.pkl": b"a quota page"}, tls=True) as server:
        name = f"{server.address}/g.pkl#sha256={HASH}"
        with pytest.raises(CheckpointError, match=f"not the file with the SHA-256 {HASH}"):
            fetch(name)
    assert cached(name) is None
    assert [file for file in web.rglob("*") if file.is_file()] == []


def test_a_web_file_that_is_not_there_is_refused_in_words(web: Path) -> None:
    with serving({}, tls=True) as server:
        with pytest.raises(CheckpointError, match=r"cannot be fetched: HTTPError: .*404"):
            fetch(f"{server.address}/g.pkl#sha256={HASH}")
        gone = server.address
    with pytest.raises(CheckpointError, match="cannot be fetched: ConnectionError"):
        fetch(f"{gone}/g.pkl#sha256={HASH}")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the hub's library use an empty cache, and the server at an address."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)  # between retries

    def use(address: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )

    return use


def test_a_hub_file_is_recorded_with_its_commit_and_found_offline(hub: Callable[[str], None]) -> None:
    name = "hf:acme/rooms/nets/g.safetensors"
    weights = (WEIGHTS / "rooms.generator.safetensors").read_bytes()
    with serving({"/acme/rooms/resolve/main/nets/g.safetensors": weights}) as server:
        hub(server.address)
        assert cached(name) is None
        card = ganstrata.load_generator("stylegan2", checkpoint=name, device="cpu", check=False).card
        asked = server.requests
        assert fetch(f"{name}@main") == fetch(name)
        assert server.requests == asked
    hub("http://localhost:1")
    offline = ganstrata.load_generator("stylegan2", checkpoint=name, device="cpu", check=False).card
    assert offline == card
    assert card.sha256 == sha256(weights).hexdigest()
    assert card.source.endswith(f"({name}@{COMMIT})")


def test_faults_of_the_hub_are_told_in_one_line(hub: Callable[[str], None]) -> None:
    with serving({}) as server:
        hub(server.address)
        with pytest.raises(
            CheckpointError, match=r"^checkpoint hf:acme/rooms/g.pkl@v1: acme/rooms has no file g.pkl$"
        ):
            fetch("hf:acme/rooms/g.pkl@v1")
    hub("http://localhost:1")
    with pytest.raises(CheckpointError, match=r"it is not in the cache, and the hub cannot be reached$"):
        fetch("hf:acme/rooms/g.pkl")


def test_the_commit_of_a_hub_file_is_read_from_the_cache() -> None:
    path = Path("hub", "models--a--b", "snapshots", COMMIT, "x", "g.pkl")
    assert origin("hf:a/b/x/g.pkl@main", path) == f"hf:a/b/x/g.pkl@{COMMIT}"
