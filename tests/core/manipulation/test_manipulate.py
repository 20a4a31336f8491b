"""Edits of a run in which it is known what each direction does."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Stream
from ganstrata.core.boundaryfile import load_boundaries
from ganstrata.core.configfile import validate
from ganstrata.core.editing import signed_distance
from ganstrata.core.errors import DataError, GanstrataError, LayerError, MismatchError, RunError, UserError
from ganstrata.core.manipulation import films
from ganstrata.core.manipulation.ask import Ask
from ganstrata.core.manipulation.codes import find_source
from ganstrata.core.manipulation.directions import keeping, mean_code
from ganstrata.core.manipulation.manipulate import Manipulated
from ganstrata.core.pictures import read_picture
from ganstrata.core.prepare import prepare
from ganstrata.core.report.page import split_strip
from ganstrata.core.run import Run
from ganstrata.core.shards import Shards

LEFT, CHECKS, STRIPES, RED = range(4)


@pytest.fixture
def made(fakes, copied: Path):
    """made("seen/red", ...) edits pictures of a copy of the run."""

    def call(*along: str, **rest) -> Manipulated:
        return ganstrata.manipulate(copied, along, **{"kinds": ()} | rest)

    return call


def changes(found: Manipulated, strip: int = 0) -> np.ndarray:
    """Of all scores from the unedited pictures, (N, T, C)."""
    return found.frames[strip].scores - found.before[strip].scores


def test_the_default_is_the_strip_of_the_report(made, copied: Path) -> None:
    found = made("seen/red", kinds=("strip",))
    assert found.names == ("seed 0", "seed 1")
    assert found.strips[0].distances.tolist() == [[-3.0, 0.0, 3.0]]
    strip = split_strip(read_picture((copied / "edits/seen.red.all.png").read_bytes()), 3)
    np.testing.assert_array_equal(found.frames[0].pictures, strip)
    np.testing.assert_array_equal(found.frames[0].pictures[:, 1], found.before[0].pictures[:, 0])
    assert set(found.files) == {"steps.csv", "scores.csv", "seen.red.all.png", "manipulate.json"}
    assert found.path == copied / "manipulations/seen.red.independent"
    assert {file.name for file in found.path.iterdir()} == set(found.files)


def test_the_runs_own_pictures_and_scores(made, copied: Path) -> None:
    found = made("seen/left", samples=[600, 3, 40], steps=2)
    kept = Shards(copied / "samples.zarr").read("scores/seen")[[600, 3, 40]]
    np.testing.assert_allclose(found.before[0].scores[:, 0], kept, atol=1e-6)
    assert found.names == ("sample 600", "sample 3", "sample 40")


def test_each_concept_moves_by_its_own_layers_alone(made) -> None:
    found = made("seen/red@7", "seen/red@0-6", "seen/left:1@bottom", seeds="0-4", start=-2, end=2, steps=3)
    assert [strip.name for strip in found.strips] == ["seen/red at 7", "seen/red at 0-6", "seen/left at bottom"]
    assert found.strips[2].distances.tolist() == [[-1.0, 0.0, 1.0]]
    # One unit is the spread of w, about 2, and a unit of w is worth 0.05.
    red = changes(found, 0)[:, [0, 2], RED].mean(axis=0)
    np.testing.assert_allclose(red, [-0.2, 0.2], rtol=0.1)
    assert np.abs(changes(found, 1)[..., RED]).max() < 0.02
    assert changes(found, 2)[:, 2, LEFT].min() > 0.08


def test_distances_are_those_moved_and_lie_on_the_boundary_where_it_is(made, copied: Path) -> None:
    found = made("seen/red", samples="0-9", start=-1, end=1.5, steps=3)
    moved = found.frames[0].distances - found.before[0].distances
    np.testing.assert_allclose(moved[..., 0], np.broadcast_to([-1.0, 0.25, 1.5], (10, 3)), atol=1e-5)
    boundary, unit = load_boundaries(copied)[0].of("seen/red"), Run.open(copied).manifest["spread"]
    w = Shards(copied / "samples.zarr").read("w")[:10]
    np.testing.assert_allclose(found.before[0].distances[:, 0, 0], (w @ boundary.normal + boundary.offset) / unit, atol=1e-5)


def test_a_joint_edit_moves_both_and_a_grid_crosses_them(made) -> None:
    found = made("seen/red:2@top", "seen/left:-1@bottom", mode="joint", seeds="0,5", steps=3, kinds=("grid",))
    (strip,) = found.strips
    np.testing.assert_allclose(strip.distances, [[-2.0, 0.0, 2.0], [1.0, 0.0, -1.0]])
    assert strip.labels == ("−2.0 +1.0", "0.0 0.0", "+2.0 −1.0")
    last = changes(found)[:, 2]
    assert last[:, RED].min() > 0.15
    assert last[:, LEFT].max() < -0.08
    for name, pictures in zip(("seed-0", "seed-5"), found.frames[0].pictures, strict=True):
        sheet = read_picture((found.path / f"grid.{name}.png").read_bytes())
        side = (sheet.shape[0] - 18 + 4) // 3 - 4
        for t in range(3):  # both grow along the diagonal from the corner below
            y, x = 18 + (2 - t) * (side + 4), sheet.shape[1] - (3 - t) * (side + 4) + 4
            small = sheet[y : y + side, x : x + side][:: side // 8, :: side // 8]
            np.testing.assert_array_equal(small, pictures[t])


def test_what_is_to_be_kept_is_left_alone(made, copied: Path) -> None:
    boundaries = load_boundaries(copied)[0]
    red, left = boundaries.of("seen/red"), boundaries.of("seen/left")
    assert abs(red.normal @ left.normal) > 1e-4  # there is something to take out
    found = made("seen/red", keep=["seen/left", "seen/checks"], seeds="0-3", steps=2)
    part = found.strips[0].parts[0]
    assert part.boundary.name == "seen/red|seen/left,seen/checks"
    assert max(abs(part.boundary.normal @ boundaries.of(name).normal) for name in ("seen/left", "seen/checks")) < 1e-6
    assert np.linalg.norm(part.boundary.normal) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(DataError, match="seen/red lies in the span of its conditions"):
        made("seen/red", keep="seen/red")


def test_the_offset_of_a_kept_direction_is_that_of_a_condition_of_the_run(copied: Path, config, fakes, tmp_path: Path) -> None:
    config["conditions"] = [{"edit": "seen/red", "keep": ["seen/left"]}]
    run = ganstrata.run(config, tmp_path / "conditional")
    known = load_boundaries(run.path)[0]
    ours, theirs = keeping(known.of("seen/red"), [known.of("seen/left")]), known.of("seen/red|seen/left")
    np.testing.assert_allclose(ours.normal, theirs.normal, atol=1e-7)
    np.testing.assert_allclose(ours.offset, theirs.offset, rtol=1e-6)
    assert (ours.name, ours.given) == (theirs.name, theirs.given)


def test_directions_per_layer_are_conditioned_layer_by_layer() -> None:
    rng = np.random.default_rng(0)
    a, b = (ganstrata.Boundary(f"x/{i}", "colour", unit(rng.standard_normal((4, 6))), np.ones(4, np.float32), "w+", "") for i in (0, 1))
    found = keeping(a, [b])
    np.testing.assert_allclose((found.normal * b.normal).sum(axis=1), 0.0, atol=1e-6)
    flat = ganstrata.Boundary("x/2", "colour", unit(rng.standard_normal(6)), np.float32(0.0), "w", "")
    with pytest.raises(DataError, match="must all have one normal, or all one per layer"):
        keeping(a, [flat])


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def test_an_absolute_edit_reaches_its_distances_from_everywhere(made) -> None:
    found = made("seen/red:2@6-7", mode="absolute", seeds="0-39", start=-1, end=1, steps=3)
    np.testing.assert_allclose(found.frames[0].distances[..., 0], np.broadcast_to([-2.0, 0.0, 2.0], (40, 3)), atol=1e-5)
    assert found.before[0].distances.std() > 0.5
    # The score of all pictures is that of the distance, up to what the boundary misses.
    assert found.frames[0].scores[..., RED].std(axis=0).max() < 0.2 * found.before[0].scores[..., RED].std()


def test_jitter_is_drawn_anew_at_each_step_and_only_where_it_is_asked_for(made) -> None:
    found = made("seen/red@7", mode="jitter", seeds="0-39", end=2, steps=4, noise_sd=0.5)
    assert found.strips[0].labels == ("draw 1", "draw 2", "draw 3", "draw 4")
    change = changes(found)
    np.testing.assert_allclose(change[..., RED].mean(axis=0), 0.2, rtol=0.25)
    # Noise of half a spread in w on layer 7, where red is: 0.05 times 0.5 times 2.
    np.testing.assert_allclose(change[..., RED].std(axis=0), 0.05, rtol=0.35)
    assert np.abs(np.corrcoef(change[..., RED].T) - np.eye(4)).max() < 0.5
    assert np.abs(change[..., LEFT]).max() < 0.02
    alone = made("seen/red@7", mode="jitter", seeds="17", end=2, steps=2, noise_sd=0.5)
    np.testing.assert_array_equal(alone.frames[0].pictures[0], found.frames[0].pictures[17, :2])


def test_a_search_finds_how_far_and_says_so(made, copied: Path) -> None:
    found = made("seen/red@top", search=True, start=-10, end=10, steps=5, seeds="0")
    entry = json.loads((found.path / "manipulate.json").read_text(encoding="utf-8"))["strips"][0]
    (search,) = entry["search"]
    distances = found.strips[0].distances[0]
    assert (distances[0], distances[-1]) == (search["low"], search["high"])
    # Red grows as far as it is tried: its response is a straight line, so that even in score is even in distance.
    assert search["high"] > 2.0
    np.testing.assert_allclose(np.diff(distances), np.diff(distances).mean(), rtol=0.15)
    assert len(search["curve"]) == 17
    with pytest.raises(UserError, match="says how far to go, and --search finds it"):
        made("seen/red:2", search=True)
    with pytest.raises(DataError, match="seen/red at 0: no range was found"):
        made("seen/red@0", search=True)


@pytest.mark.parametrize("kind", ["w", "codes", "z"])
def test_saved_codes_give_the_pictures_they_were_saved_from(made, copied: Path, tmp_path: Path, kind: str) -> None:
    w = Shards(copied / "samples.zarr").read("w")[:40]
    file = tmp_path / "saved.npz"
    np.savez(file, **{kind: {"w": w, "z": w / 2.0, "codes": w[:, None].repeat(8, axis=1)}[kind]})
    own = made("seen/red", samples="0-39", steps=2)
    found = made("seen/red", codes=file, steps=2)
    np.testing.assert_array_equal(found.frames[0].pictures, own.frames[0].pictures)
    np.testing.assert_allclose(found.frames[0].scores, own.frames[0].scores, atol=1e-5)
    record = json.loads((found.path / "manipulate.json").read_text(encoding="utf-8"))["codes"]
    assert record == {"from": "file", "file": "saved.npz", "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "kind": kind, "count": 40}
    if kind != "z":
        np.save(tmp_path / "saved.npy", np.load(file)[kind])
        np.testing.assert_array_equal(made("seen/red", codes=tmp_path / "saved.npy", steps=2).frames[0].pictures, own.frames[0].pictures)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"w": np.zeros((3, 5))}, "w has shape 3 x 5; this generator needs N x 16 or 8 x 16 (codes) behind the number of samples"),
        ({"codes": np.zeros((3, 2, 16))}, "codes has shape 3 x 2 x 16; this generator needs N x 8 x 16"),
        ({"w": np.zeros((0, 16))}, "shape 0 x 16"),
        ({"w": np.full((2, 16), np.nan)}, "not finite"),
        ({"w": np.zeros((2, 16)), "z": np.zeros((2, 16))}, "holds w, z; exactly one of codes, w, z is needed"),
        ({"latents": np.zeros((2, 16))}, "holds latents; exactly one of"),
        ({"w": np.zeros((2, 16)), "condition": np.zeros(2)}, "this generator takes none"),
        ({"w": np.zeros((2, 16)), "index": np.array([0, -1])}, "index must hold a number, 0 or more"),
    ],
)
def test_saved_codes_that_do_not_fit(made, tmp_path: Path, arrays, words: str) -> None:
    np.savez(tmp_path / "saved.npz", **arrays)
    with pytest.raises(GanstrataError) as caught:
        made("seen/red", codes=tmp_path / "saved.npz")
    assert words in str(caught.value)


def test_objects_in_files_are_not_run(made, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    np.save(tmp_path / "trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "trap.npz", w=np.array([Trap()], dtype=object))
    for name in ("trap.npy", "trap.npz"):
        with pytest.raises(UserError):
            made("seen/red", codes=tmp_path / name)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(UserError, match="there is no such file"):
        made("seen/red", codes=tmp_path / "none.npy")


def test_classes_come_with_the_codes(fakes, config, tmp_path: Path) -> None:
    config["generator"] = {"use": "fake_classes"}
    prepared = prepare(validate(config, "test"))
    np.savez(tmp_path / "bare.npz", w=np.zeros((2, 16)))
    with pytest.raises(DataError, match="save the codes with their classes"):
        find_source(prepared, Ask(("x",), codes=tmp_path / "bare.npz"))
    np.savez(tmp_path / "whole.npz", z=np.zeros((2, 16)), condition=np.array([1, 2]))
    source = find_source(prepared, Ask(("x",), codes=tmp_path / "whole.npz"))
    assert source.codes[:, 0, -1].tolist() == [1.0, 2.0]
    drawn = find_source(prepared, Ask(("x",), seeds="4,2"))
    assert drawn.condition.tolist() == [1, 2]
    np.savez(tmp_path / "short.npz", w=np.zeros((2, 16)), condition=np.array([1]))
    with pytest.raises(DataError, match="condition has shape 1; 2 is needed"):
        find_source(prepared, Ask(("x",), codes=tmp_path / "short.npz"))


def test_boundaries_from_elsewhere(made, copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("boundaries.json", "boundaries.safetensors"):
        shutil.copy(copied / name, folder)
    own = made("seen/red", steps=2)
    for given in (folder, folder / "boundaries.json"):
        np.testing.assert_array_equal(made("seen/red", boundaries=given, steps=2).frames[0].pictures, own.frames[0].pictures)
    content = json.loads((folder / "boundaries.json").read_text(encoding="utf-8"))
    content["boundaries"][0] |= {"concept": "foreign/thing", "layers": [6, 7]}
    (folder / "boundaries.json").write_text(json.dumps(content), encoding="utf-8")
    foreign = made("foreign/thing", boundaries=folder, steps=2, kinds=("html",))
    assert foreign.strips[0].parts[0].layers == (6, 7)
    assert foreign.strips[0].parts[0].column is None
    with pytest.raises(UserError, match="no scorer of this run scores foreign/thing"):
        made("foreign/thing", boundaries=folder, search=True)
    content["boundaries"][0] |= {"layers": [8]}
    (folder / "boundaries.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(LayerError, match="meant for layer 8; this generator has layers 0 to 7; name others with @"):
        made("foreign/thing", boundaries=folder)
    assert made("foreign/thing@7", boundaries=folder, steps=1).strips[0].layers == (7,)
    content["boundaries"][0] |= {"generator": "0" * 16}
    (folder / "boundaries.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(
        MismatchError, match=rf"was learnt for generator 0{{16}}; this one is {Run.open(copied).manifest['generator']['fingerprint']}"
    ):
        made("foreign/thing@7", boundaries=folder)
    with pytest.raises(UserError, match=r"there is no boundaries\.safetensors and no boundaries\.json"):
        made("seen/red", boundaries=tmp_path / "nowhere")


def test_a_run_that_has_learnt_is_enough(made, copied: Path) -> None:
    file = copied / "run.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["stages"] = {name: manifest["stages"][name] for name in ("synthesize", "learn")}
    file.write_text(json.dumps(manifest), encoding="utf-8")
    assert made("seen/red", steps=1).frames
    del manifest["stages"]["learn"]
    file.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(RunError, match="the stage `learn` is not complete"):
        made("seen/red")


def test_the_same_command_writes_the_same_bytes(made, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        out = tmp_path / name / "deep"
        made("seen/red:2@top", "seen/left@bottom", mode="joint", search=False, seeds="0-2", kinds=("strip", "grid", "gif", "html"), out=out)
        written.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert written[0] == written[1]
    record = json.loads(written[0].pop("manipulate.json"))
    assert record["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in written[0].items()}


def test_tables_hold_what_the_pictures_are(made) -> None:
    found = made("seen/red", seeds="3,1", steps=2, end=1, start=-1)
    with (found.path / "steps.csv").open(newline="") as file:
        steps = list(csv.DictReader(file))
    with (found.path / "scores.csv").open(newline="") as file:
        scores = list(csv.DictReader(file))
    first = [(row["sample"], row["step"], row["distance"]) for row in steps[:3]]
    assert first == [
        ("seed 3", "unedited", ""),
        ("seed 3", "0", "-1"),
        ("seed 3", "1", "1"),
    ]
    assert float(steps[4]["from_boundary"]) == pytest.approx(found.frames[0].distances[1, 0, 0], rel=1e-5)
    assert len(scores) == 6
    assert float(scores[5]["seen/red"]) == pytest.approx(found.frames[0].scores[1, 1, RED], rel=1e-5)
    assert scores[5]["seen/half"] == "" or np.isfinite(float(scores[5]["seen/half"]))
    bare = made("seen/red", scores=False, kinds=("html",))
    assert bare.frames[0].scores is None
    assert bare.concepts == ()
    assert "scores.csv" not in bare.files


def test_what_was_there_stays_until_all_is_made(made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "edits"
    made("seen/red", out=out, kinds=("strip",))
    before = {file.name: file.read_bytes() for file in out.iterdir()}

    def broken(*_):
        raise GanstrataError("the disk is full")

    monkeypatch.setattr(films, "gif", broken)
    with pytest.raises(GanstrataError, match="disk"):
        made("seen/left", out=out, kinds=("strip", "gif"))
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    made("seen/left", out=out, kinds=("strip",))
    assert "seen.left.all.png" in {file.name for file in out.iterdir()}
    assert "seen.red.all.png" not in {file.name for file in out.iterdir()}
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("edits")] == ["edits"]


def test_a_folder_of_something_else_is_left_alone(made, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match="exists and holds no earlier edits"):
        made("seen/red", out=tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("along", "rest", "words"),
    [
        (("seen/red", "seen/red"), {}, "seen/red at all layers is named twice"),
        (("seen/red",), {"keep": ("seen/lfet",)}, "--keep seen/lfet: no boundary has this name. Did you mean 'seen/left'?"),
        (("seen/red@groups",), {}, "that is 4 layer sets; name one, such as all, bottom"),
        (("seen/red@8",), {}, "there is no layer 8"),
        (("seen/red",), {"samples": "640"}, "there is no sample 640; this run has 0 to 639"),
        (("seen/red",), {"start": 1.0, "end": 1.0}, "--start and --end are both 1"),
        (("seen/red:2",), {"start": -1.0, "end": 0.0}, "--end is 0"),
    ],
)
def test_mistakes(made, along, rest, words: str) -> None:
    with pytest.raises(UserError) as caught:
        made(*along, **rest)
    assert words in str(caught.value)


def test_the_mean_code_is_where_truncation_pulls() -> None:
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", truncation_psi=0.6, truncation_layers=4, device="cpu")
    mean = mean_code(generator)
    w = generator.map(generator.sample(3, 0, 0, Stream.EDITING).z)
    nothing = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", truncation_psi=0.0, device="cpu")
    torch.testing.assert_close(mean[:4], nothing.broadcast(w)[0, :4], atol=1e-5, rtol=0.0)
    normal = unit(np.random.default_rng(0).standard_normal(w.shape[1]))
    found = signed_distance(generator.broadcast(w), normal, 0.5, range(10), generator.layer_scale, mean)
    torch.testing.assert_close(found, w @ torch.from_numpy(normal) + 0.5, atol=1e-5, rtol=0.0)


def test_a_generator_whose_codes_are_no_copies_has_no_distances(fakes, rooms) -> None:
    class Odd:
        card, device, layer_scale = rooms.card, rooms.device, rooms.layer_scale

        def broadcast(self, w):
            return (w**2)[:, None].expand(-1, self.card.layers, -1) * torch.arange(self.card.layers)[:, None]

    assert mean_code(Odd()) is None
