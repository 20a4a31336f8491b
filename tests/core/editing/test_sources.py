"""Sources of edits: the run's pictures, saved codes, boundaries from elsewhere, conditional directions."""

from __future__ import annotations

import hashlib
import json
import shutil
from copy import deepcopy
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from closeness import assert_pictures_near
from conftest import CONFIG, _on_path
from ganstrata import Stream
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.config.reading import validate
from ganstrata.core.editing.directions import conditional
from ganstrata.core.editing.request import EditRequest
from ganstrata.core.editing.sources import find_source
from ganstrata.core.errors import DataError, GanstrataError, LayerError, MismatchError, UserError
from ganstrata.core.interchange.arrays import Streamed
from ganstrata.core.interchange.exporting import export_boundaries
from ganstrata.core.interchange.own_codes import write_codes
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards
from ganstrata.core.strata.moves import signed_distance
from ganstrata.core.strata.truncation import mean_code

LEFT, CHECKS, STRIPES, RED = range(4)
SPACES = {"w": "w", "codes": "w+", "z": "z"}


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def test_the_runs_own_pictures_and_scores(manipulate, copied: Path) -> None:
    edited = manipulate("seen/left", samples=[600, 3, 40], steps=2)
    scores = Shards(copied / "samples.zarr").read("scores/seen")[[600, 3, 40]]
    np.testing.assert_allclose(edited.before[0].scores[:, 0], scores, atol=1e-6)
    assert edited.names == ("sample 600", "sample 3", "sample 40")


def test_an_edit_does_not_move_along_the_directions_to_keep(manipulate, copied: Path) -> None:
    boundaries = load_boundaries(copied)[0]
    red, left = boundaries.of("seen/red"), boundaries.of("seen/left")
    assert abs(red.normal @ left.normal) > 1e-4  # there is something to take out
    edited = manipulate("seen/red", keep=["seen/left", "seen/checks"], seeds="0-3", steps=2)
    part = edited.strips[0].parts[0]
    assert part.boundary.name == "seen/red|seen/left,seen/checks"
    assert (
        max(abs(part.boundary.normal @ boundaries.of(name).normal) for name in ("seen/left", "seen/checks"))
        < 1e-6
    )
    assert np.linalg.norm(part.boundary.normal) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(DataError, match="seen/red lies in the span of its conditions"):
        manipulate("seen/red", keep="seen/red")


def test_conditional_offsets_of_edits_equal_those_of_the_run(
    copied: Path, config, fakes, tmp_path: Path
) -> None:
    config["conditions"] = [{"edit": "seen/red", "keep": ["seen/left"]}]
    run = ganstrata.run(config, tmp_path / "conditional")
    known = load_boundaries(run.path)[0]
    ours, theirs = conditional(known.of("seen/red"), [known.of("seen/left")]), known.of("seen/red|seen/left")
    np.testing.assert_allclose(ours.normal, theirs.normal, atol=1e-7)
    np.testing.assert_allclose(ours.offset, theirs.offset, rtol=1e-6)
    assert (ours.name, ours.given) == (theirs.name, theirs.given)


def test_directions_per_layer_are_conditioned_layer_by_layer() -> None:
    rng = np.random.default_rng(0)
    a, b = (
        ganstrata.Boundary(
            f"x/{i}", "colour", unit(rng.standard_normal((4, 6))), np.ones(4, np.float32), "w+", ""
        )
        for i in (0, 1)
    )
    projected = conditional(a, [b])
    np.testing.assert_allclose((projected.normal * b.normal).sum(axis=1), 0.0, atol=1e-6)
    flat = ganstrata.Boundary("x/2", "colour", unit(rng.standard_normal(6)), np.float32(0.0), "w", "")
    with pytest.raises(DataError, match="must all have one normal, or all one per layer"):
        conditional(a, [flat])


@pytest.mark.parametrize("kind", ["w", "codes", "z"])
def test_saved_codes_give_the_pictures_they_were_saved_from(
    manipulate, copied: Path, tmp_path: Path, kind: str
) -> None:
    w = Shards(copied / "samples.zarr").read("w")[:40]
    file = tmp_path / "saved.npz"
    np.savez(file, **{kind: {"w": w, "z": w / 2.0, "codes": w[:, None].repeat(8, axis=1)}[kind]})
    own = manipulate("seen/red", samples="0-39", steps=2)
    edited = manipulate("seen/red", codes=file, steps=2)
    assert_pictures_near(edited.frames[0].pictures, own.frames[0].pictures)
    np.testing.assert_allclose(edited.frames[0].scores, own.frames[0].scores, atol=1e-5)
    record = json.loads((edited.path / "manipulate.json").read_text(encoding="utf-8"))["codes"]
    assert record == {
        "from": "file",
        "file": "saved.npz",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "kind": kind,
        "count": 40,
    }
    np.save(tmp_path / "saved.npy", np.load(file)[kind])
    bare = manipulate("seen/red", codes=tmp_path / "saved.npy", space=SPACES[kind], steps=2)
    assert_pictures_near(bare.frames[0].pictures, own.frames[0].pictures)


def test_what_codes_are_is_asked_where_their_shape_does_not_say(
    manipulate, copied: Path, tmp_path: Path
) -> None:
    w = Shards(copied / "samples.zarr").read("w")[:8]  # as many as layers
    np.save(tmp_path / "saved.npy", w)
    with pytest.raises(UserError) as caught:
        manipulate("seen/red", codes=tmp_path / "saved.npy", steps=2)
    for words in (
        "8 x 16",
        "--codes-as code: one",
        "--codes-as codes --space w",
        "--codes-as codes --space z",
    ):
        assert words in str(caught.value)
    one = manipulate("seen/red", codes=tmp_path / "saved.npy", codes_as="code", steps=2)
    assert one.names == ("code 0",)
    several = manipulate("seen/red", codes=tmp_path / "saved.npy", codes_as="codes", space="w", steps=2)
    own = manipulate("seen/red", samples="0-7", steps=2)
    assert_pictures_near(several.frames[0].pictures, own.frames[0].pictures)
    np.save(tmp_path / "last.npy", np.stack([w, w], axis=-1))
    last = manipulate("seen/red", codes=tmp_path / "last.npy", steps=2)
    assert "2 codes of 8 layers, the last axis counts" in last.remarks[0]
    assert_pictures_near(last.frames[0].pictures[1], one.frames[0].pictures[0])
    with pytest.raises(UserError, match="--space w says what the codes of a file are; give one with --codes"):
        manipulate("seen/red", space="w")


def test_exported_codes_say_what_they_are(manipulate, copied: Path, tmp_path: Path) -> None:
    export_boundaries(copied, tmp_path / "shared", form="npz", samples=Run.open(copied))
    edited = manipulate("seen/red", codes=tmp_path / "shared" / "codes.npz", steps=1, scores=False)
    assert len(edited.names) == 640
    assert json.loads((edited.path / "manipulate.json").read_text(encoding="utf-8"))["codes"]["kind"] == "w"
    write_codes(tmp_path / "theirs.npz", {"w": Streamed.of(np.zeros((2, 16), np.float32))}, "0" * 16)
    with pytest.raises(MismatchError, match=r"its codes are of generator 0{16}; this one is "):
        manipulate("seen/red", codes=tmp_path / "theirs.npz")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"w": np.zeros((3, 5))},
            "w has shape 3 x 5; this generator needs N x 16 (w), or N x 8 x 16 (codes, w+)",
        ),
        ({"codes": np.zeros((3, 2, 16))}, "codes has shape 3 x 2 x 16; this generator needs N x 16 (w), or"),
        ({"w": np.zeros((0, 16))}, "shape 0 x 16"),
        ({"w": np.full((2, 16), np.nan)}, "not finite"),
        (
            {"w": np.zeros((2, 16)), "z": np.zeros((2, 16))},
            "holds w, z; exactly one of codes, w, z is needed",
        ),
        (
            {"latents": np.zeros((2, 16))},
            "latents has shape 2 x 16, which does not say what it is. Say which:",
        ),
        ({"w": np.zeros((2, 16)), "condition": np.zeros(2)}, "this generator takes none"),
        ({"w": np.zeros((2, 16)), "index": np.array([0, -1])}, "index must hold a number, 0 or more"),
    ],
)
def test_saved_codes_that_do_not_fit(manipulate, tmp_path: Path, arrays, words: str) -> None:
    np.savez(tmp_path / "saved.npz", **arrays)
    with pytest.raises(GanstrataError) as caught:
        manipulate("seen/red", codes=tmp_path / "saved.npz")
    assert words in str(caught.value)


def test_objects_in_files_are_not_run(manipulate, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    np.save(tmp_path / "trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "trap.npz", w=np.array([Trap()], dtype=object))
    for name in ("trap.npy", "trap.npz"):
        with pytest.raises(UserError):
            manipulate("seen/red", codes=tmp_path / name)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(UserError, match="there is no such file"):
        manipulate("seen/red", codes=tmp_path / "none.npy")


def test_classes_come_with_the_codes(fakes, config, tmp_path: Path) -> None:
    config["generator"] = {"use": "fake_classes"}
    prepared = prepare(validate(config, "test"))
    np.savez(tmp_path / "bare.npz", w=np.zeros((2, 16)))
    with pytest.raises(DataError, match="save the codes with their classes"):
        find_source(prepared, EditRequest(("x",), codes=tmp_path / "bare.npz"))
    np.savez(tmp_path / "whole.npz", z=np.zeros((2, 16)), condition=np.array([1, 2]))
    source = find_source(prepared, EditRequest(("x",), codes=tmp_path / "whole.npz"))
    assert source.codes[:, 0, -1].tolist() == [1.0, 2.0]
    drawn = find_source(prepared, EditRequest(("x",), seeds="4,2"))
    assert drawn.condition.tolist() == [1, 2]
    np.savez(tmp_path / "short.npz", w=np.zeros((2, 16)), condition=np.array([1]))
    with pytest.raises(DataError, match="condition has shape 1; 2 is needed"):
        find_source(prepared, EditRequest(("x",), codes=tmp_path / "short.npz"))


def test_boundaries_from_elsewhere(manipulate, copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("boundaries.json", "boundaries.safetensors"):
        shutil.copy(copied / name, folder)
    own = manipulate("seen/red", steps=2)
    for place in (folder, folder / "boundaries.json"):
        np.testing.assert_array_equal(
            manipulate("seen/red", boundaries=place, steps=2).frames[0].pictures, own.frames[0].pictures
        )
    content = json.loads((folder / "boundaries.json").read_text(encoding="utf-8"))
    content["boundaries"][0] |= {"concept": "foreign/thing", "layers": [6, 7]}
    (folder / "boundaries.json").write_text(json.dumps(content), encoding="utf-8")
    foreign = manipulate("foreign/thing", boundaries=folder, steps=2, kinds=("html",))
    assert foreign.strips[0].parts[0].layers == (6, 7)
    assert foreign.strips[0].parts[0].column is None
    with pytest.raises(UserError, match="no scorer of this run scores foreign/thing"):
        manipulate("foreign/thing", boundaries=folder, search=True)
    content["boundaries"][0] |= {"layers": [8]}
    (folder / "boundaries.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(
        LayerError, match="meant for layer 8; this generator has layers 0 to 7; name others with @"
    ):
        manipulate("foreign/thing", boundaries=folder)
    assert manipulate("foreign/thing@7", boundaries=folder, steps=1).strips[0].layers == (7,)
    content["boundaries"][0] |= {"generator": "0" * 16}
    (folder / "boundaries.json").write_text(json.dumps(content), encoding="utf-8")
    this = Run.open(copied).manifest["generator"]["fingerprint"]
    with pytest.raises(MismatchError, match=rf"was learnt for generator 0{{16}}; this one is {this}"):
        manipulate("foreign/thing@7", boundaries=folder)
    with pytest.raises(UserError, match=r"there is no boundaries\.safetensors and no boundaries\.json"):
        manipulate("seen/red", boundaries=tmp_path / "nowhere")


def test_the_mean_code_is_where_truncation_pulls() -> None:
    generator = ganstrata.load_generator(
        "stylegan2", checkpoint="bundled:rooms", truncation_psi=0.6, truncation_layers=4, device="cpu"
    )
    mean = mean_code(generator)
    w = generator.map(generator.sample(3, 0, 0, Stream.EDITING).z)
    nothing = ganstrata.load_generator(
        "stylegan2", checkpoint="bundled:rooms", truncation_psi=0.0, device="cpu"
    )
    torch.testing.assert_close(mean[0, :4], nothing.broadcast(w)[0, :4], atol=1e-5, rtol=0.0)
    normal = unit(np.random.default_rng(0).standard_normal(w.shape[1]))
    distance = signed_distance(generator.broadcast(w), normal, 0.5, range(10), generator.layer_scale, mean)
    torch.testing.assert_close(distance, w @ torch.from_numpy(normal) + 0.5, atol=1e-5, rtol=0.0)


def test_a_generator_whose_codes_are_not_copies_has_no_distances(fakes, rooms) -> None:
    class Odd:
        card, device, layer_scale = rooms.card, rooms.device, rooms.layer_scale

        def broadcast(self, w, condition=None):
            return (w**2)[:, None].expand(-1, self.card.layers, -1) * torch.arange(self.card.layers)[:, None]

    assert mean_code(Odd()) is None


def test_a_generator_of_one_layer(fakes, config, tmp_path: Path) -> None:
    config["generator"] = {"use": "fake_flat"}
    config["rescoring"]["groups"] = None
    run = ganstrata.run(config, tmp_path / "flat")
    edited = ganstrata.manipulate(run, ["seen/red:1", "seen/left@0"], seeds="0,1", kinds=("strip", "html"))
    assert [part.where for strip in edited.strips for part in strip.parts] == ["all layers (0)", "layer 0"]
    assert (edited.frames[0].scores - edited.before[0].scores)[:, -1, 3].min() > 0.08
    np.save(tmp_path / "w.npy", np.zeros((3, 16)))
    edited = ganstrata.manipulate(run, "seen/red", codes=tmp_path / "w.npy", space="w", kinds=())
    assert edited.frames[0].pictures.shape == (3, 3, 8, 8, 3)
    with pytest.raises(LayerError, match="'top' names no layers"):
        ganstrata.manipulate(run, "seen/red@top")


@pytest.fixture(scope="module")
def _layered(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = deepcopy(CONFIG)
    config["boundary"] = {"use": "fake_per_layer", "with": {"positives": 100, "negatives": 100}}
    config["synthesis"]["mixing"] = 0.9
    with _on_path(site):
        return ganstrata.run(config, tmp_path_factory.mktemp("layered") / "run")


@pytest.fixture
def layered(fakes, _layered: Run) -> Run:
    """A run with a boundary per layer. Tests must not change it."""
    return _layered


def test_boundaries_with_a_normal_per_layer(layered: Run) -> None:
    edited = ganstrata.manipulate(
        layered,
        ["seen/red@7", "seen/left@1"],
        keep="seen/checks",
        samples="0-4",
        start=-2,
        end=2,
        steps=2,
        kinds=(),
    )
    assert edited.strips[0].parts[0].boundary.normal.shape == (8, 16)
    change = (edited.frames[0].scores - edited.before[0].scores)[:, :, 3]
    assert change[:, 0].max() < -0.1
    assert change[:, 1].min() > 0.1
    np.testing.assert_allclose(
        (edited.frames[0].distances - edited.before[0].distances)[..., 0],
        np.broadcast_to([-2.0, 2.0], (5, 2)),
        atol=1e-5,
    )
    reached = ganstrata.manipulate(
        layered, "seen/red", mode="absolute", samples="0-4", start=-1, end=1, steps=2, kinds=()
    )
    np.testing.assert_allclose(
        reached.frames[0].distances[..., 0], np.broadcast_to([-1.0, 1.0], (5, 2)), atol=1e-5
    )


def test_the_runs_own_pictures_are_those_of_mixed_codes(layered: Run) -> None:
    edited = ganstrata.manipulate(layered, "seen/red", samples="0-9", steps=1, kinds=())
    samples = Shards(layered.path / "samples.zarr")
    np.testing.assert_allclose(edited.before[0].scores[:, 0], samples.read("scores/seen")[:10], atol=1e-6)
