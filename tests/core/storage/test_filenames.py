"""Test that different names give different files, also if case is ignored and Unicode normalised."""

from __future__ import annotations

import re
import unicodedata
from itertools import combinations, product

import pytest
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.editing.stage import strip_name
from ganstrata.core.interchange.exporting import _plain
from ganstrata.core.storage.filenames import RESERVED, file_stem
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")

# Pieces of which names that collide are made, and arbitrary text beside them.
PIECES = [
    "a",
    "b",
    "A",
    "/",
    ".",
    "|",
    ",",
    "_given_",
    "_and_",
    "given",
    "_",
    "-",
    "+",
    " ",
    "é",
    "e\u0301",
    "ß",
    "ss",
    "con",
    "nul",
    "床",
    "\n",
    ":",
]
NAMES = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(max_size=200),
    st.from_regex(r"\A[a-z]{1,3}/[a-z_]{1,4}\Z"),
)


def on_disk(stem: str) -> str:
    """Return the form of a name that a file system compares if it ignores case and normalises Unicode."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())


def is_safe(stem: str) -> bool:
    return (
        set(stem) <= SAFE
        and 0 < len(stem) <= 164
        and stem[0] not in ".-"
        and stem[-1] != "."
        and stem.split(".")[0].casefold() not in RESERVED
    )


@settings(deadline=None, max_examples=400)
@given(st.lists(NAMES, min_size=2, max_size=6, unique=True))
def test_names_that_differ_have_different_files(names: list[str]) -> None:
    stems = [file_stem(name) for name in names]
    assert len({on_disk(stem) for stem in stems}) == len(names)
    assert all(is_safe(stem) for stem in stems)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(NAMES, NAMES), min_size=2, max_size=5, unique=True), st.sampled_from([".", "+"]))
def test_pairs_of_names_that_differ_have_different_files(pairs: list[tuple[str, str]], between) -> None:
    stems = [file_stem(*pair, between=between) for pair in pairs]
    assert len({on_disk(stem) for stem in stems}) == len(pairs)
    assert all(is_safe(stem) for stem in stems)


@pytest.mark.parametrize(
    "names",
    [
        ("sofa.bed", "sofa/bed"),
        ("a/x|a/y", "a/x_given_a/y", "a.x_given_a.y"),
        ("a/x|a/y,a/z", "a/x|a/y_and_a/z"),
        ("Sofa", "sofa", "SOFA"),
        ("é", "e\u0301", "E\u0301"),
        ("a/b c", "a/b_c", "a/b?c", "a/b:c", "a/b*c", 'a/b"c', "a/b<c", "a/b>c", "a/b\\c"),
        ("a/床", "a/椅"),
        ("bed", "bed.", "bed ", "bed..", ".bed", " bed"),
        ("con", "CON", "nul.png", "aux", "aux/x", "COM1", "lpt9.txt", "_con"),
        ("a/" + "x" * 300, "a/" + "x" * 299, "a/" + "x" * 148),
        ("", ".", "..", "/", "-", "_"),
        ("ß", "ss", "ſs"),
        ("-x", "_-x", "--out"),
    ],
)
def test_names_that_file_systems_confuse_keep_apart(names: tuple[str, ...]) -> None:
    stems = [file_stem(name) for name in names]
    assert all(on_disk(a) != on_disk(b) for a, b in combinations(stems, 2))
    assert all(is_safe(stem) for stem in stems)
    strips = [
        strip_name(name, layers)
        for name, layers in product(names, ("all", "0", "Top", "top", "0,2", "0_and_2"))
    ]
    assert len({on_disk(strip) for strip in strips}) == len(strips)
    assert all(len(strip) <= len("edits/") + 164 + len(".png") for strip in strips)


def test_a_name_equal_to_the_stem_of_another_name_has_a_stem_of_its_own() -> None:
    taken = file_stem("Sofa")
    assert file_stem(taken) != taken
    assert on_disk(file_stem(taken.lower())) != on_disk(taken)


def test_where_a_pair_is_cut_matters() -> None:
    assert strip_name("a.b", "c") != strip_name("a", "b.c")
    assert strip_name("a/b", "c") == "edits/a.b.c.png"
    assert file_stem("a", "b/c") != file_stem("a/b", "c")
    assert file_stem("a+b", "c", between="+") != file_stem("a", "b+c", between="+")
    assert file_stem("red", "red_given_c.sat") != file_stem("red|c/sat", "red")


@pytest.mark.parametrize("name", ["seen/red", "attribute/indoor_lighting", "object/label_3", "7", "a/b-c"])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert file_stem(name) == name.replace("/", ".")
    assert file_stem("a/x|b/y,b/z") == "a.x_given_b.y_and_b.z"
    assert file_stem("attribute/Wearing_Hat").startswith("attribute.Wearing_Hat-")


@pytest.mark.parametrize(
    "device", ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)
def test_no_file_has_the_name_of_a_device(device: str) -> None:
    for name in (device, f"{device}/red", f"{device}.txt"):
        assert re.fullmatch(r"_.*-[0-9a-f]{12}", file_stem(name))


@pytest.mark.parametrize("name", ["com", "com10", "lpt10", "console", "auxiliary", "a/con"])
def test_names_that_only_begin_like_a_device_stay_as_they_are(name: str) -> None:
    assert file_stem(name) == name.replace("/", ".")


def test_the_longest_name_that_is_not_cut() -> None:
    assert file_stem("a" * 150) == "a" * 150
    assert re.fullmatch(r"a{150}-[0-9a-f]{12}", file_stem("a" * 151))


def test_exported_names_keep_apart_though_they_lose_their_alias() -> None:
    names = ["a/x/y", "x/y", "b/y", "a/sofa", "b/Sofa", "c/x.y"]
    assert len({on_disk(stem) for stem in _plain(names)}) == len(names)
    assert _plain(names)[3] == "sofa"


@pytest.mark.parametrize("aliases", [("Seen", "seen"), ("con",), ("a", "NUL")])
def test_aliases_that_file_systems_confuse_are_refused(aliases: tuple[str, ...]) -> None:
    scorers = [{"use": "hue", "as": alias} for alias in aliases]
    with pytest.raises(
        ValidationError, match=r"file systems do not distinguish|not allowed as a file name on Windows"
    ):
        RunConfig.model_validate(
            {"generator": {"use": "x"}, "boundary": {"use": "ridge"}, "scorers": scorers}
        )
