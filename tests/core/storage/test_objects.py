"""Arrays at a URL: in memory, and on an object-store server that the tests start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.errors import RunError
from ganstrata.core.storage import objects
from ganstrata.core.storage.chunks import ArrayLayout
from ganstrata.core.storage.objects import Objects, StoreError
from ganstrata.core.storage.places import Folder
from ganstrata.core.storage.shards import Shards
from object_server import BUCKET, SECRET, settings

LAYOUT = {
    "w": ArrayLayout((10, 3), (4, 3), "float32", chunk=(1, 3)),
    "deep/n": ArrayLayout((10,), (4,), "int64"),
}
KINDS = ("w/c/1/0", "deep/n/c/1", "done/4.json", "w/zarr.json", "deep/zarr.json", "zarr.json", "done/stamp")


def filled(shards: Shards) -> Shards:
    shards.create(LAYOUT, "key")
    for start in (0, 4, 8):
        write(shards, start)
    return shards


def write(shards: Shards, start: int) -> None:
    rows = np.arange(start, min(start + 4, 10))
    region = slice(start, rows[-1] + 1)
    w = (rows[:, None] + np.array([0.0, 0.25, 0.5])).astype(np.float32)
    shards.write(str(start), {"w": ((region, slice(0, 3)), w), "deep/n": ((region,), rows)})


@pytest.fixture
def shards(url: str) -> Shards:
    return filled(Shards(Objects(f"{url}/a.zarr")))


def test_a_place_at_a_url_holds_what_a_folder_holds(shards: Shards, tmp_path: Path) -> None:
    folder = filled(Shards(tmp_path / "a.zarr"))
    place = shards.place
    files = {
        file.relative_to(tmp_path / "a.zarr").as_posix(): file.read_bytes()
        for file in (tmp_path / "a.zarr").rglob("*")
        if file.is_file()
    }
    names = set(place.tags() or ())
    assert names == files.keys()
    # Marks hold tags besides, which a folder does not have.
    assert {name: place.get(name) for name in names if not is_mark(name)} == {
        name: content for name, content in files.items() if not is_mark(name)
    }
    assert np.array_equal(shards.read("w"), folder.read("w"))
    assert np.array_equal(shards.read("w", (slice(3, 9), 1)), folder.read("w")[3:9, 1])
    assert shards.whole(["0", "4", "8", "12"]) == {"0", "4", "8"}
    assert shards.whole(["8"])


def is_mark(name: str) -> bool:
    return name.startswith("done/") and name != "done/stamp"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "flipped": lambda content: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:],
    "cut": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
}


@pytest.mark.parametrize(
    ("how", "url"),
    [
        *((how, "memory") for how in (*DAMAGES, "removed")),
        *((how, "s3") for how in ("flipped", "removed")),
        *(pytest.param(how, "s3", marks=pytest.mark.full) for how in ("cut", "emptied")),
    ],
    indirect=["url"],
)
def test_damage_to_every_kind_of_object_is_found_and_mended(how: str, shards: Shards) -> None:
    place = shards.place
    whole = {name: place.get(name) for name in place.tags() or ()}
    for kind in KINDS:
        if how == "removed":
            place.remove([kind])
        else:
            place.put(kind, DAMAGES[how](whole[kind] or b""))
        before = place.digest()
        shards.create(LAYOUT, "key")
        missing = [name for name in ("0", "4", "8") if name not in shards.whole(["0", "4", "8"])]
        assert missing == (
            ["0", "4", "8"] if kind == "done/stamp" else ["4"] if "zarr.json" not in kind else []
        )
        shards.discard(missing)
        for name in missing:
            write(shards, int(name))
        mended = {name: place.get(name) for name in place.tags() or ()}
        assert mended.keys() == whole.keys()
        # In memory, an object that is written again has another tag, which its mark holds.
        assert [name for name in whole if mended[name] != whole[name] and not is_mark(name)] == [], kind
        assert shards.whole(["0", "4", "8"]) == {"0", "4", "8"}
        whole = mended
        if "/c/" not in kind:
            assert place.digest() != before, kind


def test_the_same_content_under_another_tag_is_whole(shards: Shards) -> None:
    """A store that was copied gives its objects other tags."""
    mark = shards.place.get("done/4.json") or b""
    from ganstrata.core.storage.marks import mark_text, read_mark

    chunks = read_mark(mark).chunks
    assert all(written.tag for written in chunks.values())
    other = {name: written._replace(tag="other") for name, written in chunks.items()}
    shards.place.put("done/4.json", mark_text(other))
    assert shards.whole(["0", "4"]) == {"0", "4"}


def test_another_key_removes_everything_and_nothing_beside_it(shards: Shards, url: str) -> None:
    beside = Objects(f"{url}/a.zarr-notes")
    beside.put("mine", b"precious")
    shards.create(LAYOUT, "other")
    assert shards.whole(["0", "4", "8"]) == set()
    assert np.isnan(shards.read("w")).all()
    assert beside.get("mine") == b"precious"


def test_conditions_hold(url: str) -> None:
    place = Objects(url)
    tag = place.put_new("a", b"1")
    assert tag
    assert place.put_new("a", b"2") is None
    assert place.get_tagged("a") == (b"1", tag)
    second = place.put_over("a", b"3", tag)
    assert second not in (None, tag)
    assert place.put_over("a", b"4", tag) is None
    assert place.get("a") == b"3"
    assert place.get("b") is None


def test_a_place_that_is_empty_has_no_digest(url: str, tmp_path: Path) -> None:
    assert Objects(url).digest() is None
    assert Folder(tmp_path / "none").digest() is None


def test_what_is_missing_is_named(shards: Shards, url: str) -> None:
    with pytest.raises(RunError, match=r"a\.zarr/missing cannot be read"):
        shards.read("missing")
    shards.place.remove(["w/c/0/0"])
    shards.place.put("w/c/1/0", b"torn")
    with pytest.raises(RunError, match=r"run the stage that writes it again"):
        shards.read("w")


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> Shards:
    pytest.importorskip("obstore", reason="needs ganstrata[remote]")
    for key, value in settings("http://127.0.0.1:9").items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(objects, "RETRIES", 0)
    return Shards(Objects("s3://bucket/a.zarr"))


def test_a_store_that_cannot_be_reached_is_an_error_in_words(unreachable: Shards) -> None:
    for act in (
        lambda: unreachable.create(LAYOUT),
        lambda: unreachable.whole(["1", "2"]),
        lambda: unreachable.read("w"),
        lambda: unreachable.place.tags(),
        lambda: unreachable.place.remove(["w"]),
    ):
        with pytest.raises(StoreError) as caught:
            act()
        text = str(caught.value)
        assert "s3://bucket/a.zarr" in text
        assert "Earlier results are kept: check that it can be reached" in text
        assert SECRET not in text
        assert "Debug source" not in text


def test_a_bucket_that_does_not_exist_is_named(object_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in settings(object_store).items():
        monkeypatch.setenv(key, value)
    with pytest.raises(StoreError, match="check that the bucket exists"):
        Shards(Objects("s3://nowhere/a.zarr")).create(LAYOUT)


def test_settings_that_are_missing_are_named() -> None:
    pytest.importorskip("obstore", reason="needs ganstrata[remote]")
    with pytest.raises(StoreError, match=r"az://container/a cannot be used: .*[Aa]ccount"):
        Objects("az://container/a")


def test_missing_credentials_are_said_to_be_missing(
    object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them obstore asks the machine for those of its role, whose address tells a user nothing."""
    place = Objects(f"s3://{BUCKET}/without")
    asked = OSError("Error performing PUT http://169.254.169.254/latest/api/token: error sending request")
    monkeypatch.setattr("obstore.get", lambda *_: (_ for _ in ()).throw(asked))
    with pytest.raises(StoreError, match=r"there are no credentials in the environment.*AWS_ACCESS_KEY_ID"):
        place.get("a")
