"""Boundaries on disk: what is read is what was written, and what does not fit is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ganstrata.core.boundaries.files import FILES, load_boundaries, save_boundaries
from ganstrata.core.errors import MismatchError, UserError
from ganstrata.core.plugins.boundary import Boundaries, Boundary
from ganstrata.core.plugins.compatibility import check_fits
from ganstrata.core.plugins.records import ModelCard, Stratum
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file


def boundary(seed=0, *, layers=None, **changes):
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((8,) if layers is None else (layers, 8)).astype(np.float32)
    offset = rng.standard_normal(() if layers is None else layers)
    facts = {"held_out_accuracy": 0.1 + 0.2, "converged": True, "rest_accuracy": None, "layers": [{"a": 1}]}
    space = "w" if layers is None else "w+"
    made = Boundary(
        f"seen/{seed}",
        "colour",
        normal,
        np.asarray(offset, dtype=np.float32),
        space,
        "0123456789abcdef",
        facts=facts,
    )
    return replace(made, **changes)


EVERY = Boundaries(
    [
        boundary(0),
        boundary(1, layers=5),
        boundary(2, layers=None, concept="seen/Sofá|<b>\"'", given=("seen/0", "seen/1")),
        boundary(3, level="layout", space="z", generator=""),
    ]
)
EVERY_WITH_LAYERS = Boundaries([*EVERY, replace(EVERY[0], concept="seen/some", layers=(0, 2))])


def same(a, b):
    assert (a.normal.dtype, a.normal.shape, a.normal.tobytes()) == (
        b.normal.dtype,
        b.normal.shape,
        b.normal.tobytes(),
    )
    assert (a.offset.dtype, a.offset.shape, a.offset.tobytes()) == (
        b.offset.dtype,
        b.offset.shape,
        b.offset.tobytes(),
    )
    for name in ("concept", "level", "space", "generator", "layers", "given", "facts", "name"):
        assert getattr(a, name) == getattr(b, name)


def test_round_trip(tmp_path):
    skipped = {"seen/constant": "does not vary here", "seen/ü": "…"}
    save_boundaries(EVERY_WITH_LAYERS, tmp_path, skipped)
    read, reasons = load_boundaries(tmp_path)
    assert read.names == EVERY_WITH_LAYERS.names
    for a, b in zip(EVERY_WITH_LAYERS, read, strict=True):
        same(a, b)
    assert reasons == skipped


def test_reading_and_writing_again_changes_no_byte(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    save_boundaries(EVERY_WITH_LAYERS, one, {"a/b": "c"})
    save_boundaries(*((loaded := load_boundaries(one))[0], two, loaded[1]))
    for name in FILES:
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert sorted(p.name for p in one.iterdir()) == sorted(FILES)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=6),
    st.floats(width=32, allow_nan=False),
)
def test_every_float_survives(tmp_path_factory, normal, offset):
    folder = tmp_path_factory.mktemp("boundaries")
    made = boundary(normal=np.array(normal, dtype=np.float32), offset=np.asarray(offset, dtype=np.float32))
    save_boundaries(Boundaries([made]), folder)
    same(made, load_boundaries(folder)[0][0])


def test_views_and_other_precisions_are_written_with_their_values(tmp_path):
    wide = np.random.default_rng(0).standard_normal((8, 5))
    save_boundaries(Boundaries([boundary(normal=wide.T, offset=np.arange(5.0), space="w+")]), tmp_path)
    read = load_boundaries(tmp_path)[0][0]
    np.testing.assert_array_equal(read.normal, wide.T.astype(np.float32))
    assert read.offset.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_none_at_all(tmp_path):
    save_boundaries(Boundaries(), tmp_path, {"a/b": "too few"})
    assert load_boundaries(tmp_path) == ((), {"a/b": "too few"})


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "noise", "folder"])
def test_damaged_files_are_named(tmp_path, name, damage):
    save_boundaries(EVERY, tmp_path)
    file = tmp_path / name
    content = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    elif damage != "missing":
        noise = np.random.default_rng(0).bytes(len(content))
        file.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "noise": noise}[damage])
    with pytest.raises(UserError, match="its boundaries are missing or damaged") as caught:
        load_boundaries(tmp_path)
    assert f"run `ganstrata learn {tmp_path}` again" in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: [],
        lambda content: "text",
        lambda content: None,
        lambda content: {"boundaries": content["boundaries"]},
        lambda content: {**content, "skipped": ["a"]},
        lambda content: {**content, "boundaries": [{**row, "given": None} for row in content["boundaries"]]},
        lambda content: {
            **content,
            "boundaries": [{k: v for k, v in row.items() if k != "space"} for row in content["boundaries"]],
        },
        lambda content: {**content, "boundaries": [None]},
        lambda content: {
            **content,
            "boundaries": [*content["boundaries"], content["boundaries"][0]],
        },  # one without tensors
    ],
)
def test_json_of_another_form_is_damaged_too(tmp_path, spoil):
    save_boundaries(EVERY, tmp_path)
    file = tmp_path / FILES[1]
    file.write_text(json.dumps(spoil(json.loads(file.read_text(encoding="utf-8")))), encoding="utf-8")
    with pytest.raises(UserError, match="missing or damaged"):
        load_boundaries(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("facts", None, "boundaries.json -> boundaries -> 1 -> facts: "),
        ("facts", [1] * 10**5, "boundaries.json -> boundaries -> 1 -> facts: "),
        ("concept", 3, "boundaries -> 1 -> concept: .*got 3"),
        ("concept", "", "boundaries -> 1: a boundary has neither a concept nor a name of its own"),
        ("concept", "seen/0", "two boundaries have the same name"),
        ("level", "mood", "boundaries -> 1 -> level: .*'layout'.*got 'mood'"),
        ("space", {"a": 1}, "boundaries -> 1 -> space: "),
        ("layers", [1, -2], "boundaries -> 1 -> layers -> 1: "),
        ("layers", "all", "boundaries -> 1 -> layers"),
        ("given", "a/b", "boundaries -> 1 -> given"),
        ("generator", "\x1b[31m" * 5000, None),
    ],
)
def test_a_wrong_value_is_named_with_its_key(tmp_path, key, value, words):
    save_boundaries(EVERY, tmp_path)
    file = tmp_path / FILES[1]
    content = json.loads(file.read_text(encoding="utf-8"))
    content["boundaries"][1][key] = value
    file.write_text(json.dumps(content), encoding="utf-8")
    if words is None:
        assert load_boundaries(tmp_path)[0][1].generator == value
        return
    with pytest.raises(UserError, match=words) as caught:
        load_boundaries(tmp_path)
    assert len(str(caught.value)) < 1000 + len(str(tmp_path))


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"boundaries": ' + "1" * 5000 + "}", "\ud800", '{"boundaries": NaN}']
)
def test_text_that_breaks_a_reader_is_damaged_too(tmp_path, text):
    save_boundaries(EVERY, tmp_path)
    (tmp_path / FILES[1]).write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(UserError, match=r"boundaries\.json"):
        load_boundaries(tmp_path)


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, seed in ((one, 1), (two, 2)):
        folder.mkdir()
        save_boundaries(Boundaries([replace(boundary(seed), concept="seen/same")]), folder)
    (one / FILES[0]).write_bytes((two / FILES[0]).read_bytes())
    with pytest.raises(UserError, match="is not the file that was written with it"):
        load_boundaries(one)


@pytest.mark.parametrize(
    ("normal", "offset"),
    [
        (np.zeros((2, 2, 8)), np.zeros(2)),
        (np.zeros(()), np.zeros(1)),
        (np.zeros((5, 8)), np.zeros(4)),
        (np.zeros(8), np.zeros(2)),
    ],
)
def test_tensors_of_another_shape_are_damaged(tmp_path, normal, offset):
    save_boundaries(Boundaries([boundary()]), tmp_path)
    save_file(
        {"0000.normal": normal.astype(np.float32), "0000.offset": offset.astype(np.float32)},
        tmp_path / FILES[0],
    )
    file = tmp_path / FILES[1]
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["tensors"]  # as an older version wrote it
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match="boundary 0000 has a normal"):
        load_boundaries(tmp_path)


def generator(space="w", fingerprint="0123456789abcdef"):
    return SimpleNamespace(
        card=ModelCard("stylegan2", 64, layers=5, code_size=8, latent_size=8, source="here"),
        strata=(Stratum("b4", 0, 4, style_width=3),),
        space=space,
        fingerprint=fingerprint,
    )


def test_what_fits_is_let_through():
    for fitting in (boundary(), boundary(layers=5), boundary(generator="")):
        check_fits(fitting, generator())
    check_fits(boundary(space="z"), generator(space="z"))


@pytest.mark.parametrize(
    ("made", "to", "words"),
    [
        (
            {},
            {"fingerprint": "fedcba9876543210"},
            ["'seen/0'", "0123456789abcdef", "fedcba9876543210", "stylegan2", "here"],
        ),
        ({"space": "z"}, {}, ["'seen/0'", "space z", "in w"]),
        ({}, {"space": "z"}, ["space w", "in z"]),
        ({"space": "s"}, {}, ["(8,)", "3 style channels"]),
        ({"layers": 4}, {}, ["(4, 8)", "(5, 8)"]),
        ({"normal": np.zeros(9, np.float32)}, {}, ["(9,)", "(8,)"]),
        ({"space": "w+"}, {}, ["(8,)", "(5, 8)"]),
    ],
)
def test_what_does_not_fit_is_refused_and_both_are_named(made, to, words):
    with pytest.raises(MismatchError) as caught:
        check_fits(boundary(**made), generator(**to))
    assert all(word in str(caught.value) for word in words)
