"""Folders of inverted pictures: what is done is kept, what is damaged is done again, others are refused."""

from dataclasses import replace

import pytest
import torch
from ganstrata.core.errors import MemoryExhausted, RunError, UserError
from ganstrata.core.inversion.folder import invert_into
from ganstrata.core.inversion.invert import Method, default_batch, invert_all, invert_batch
from ganstrata.core.inversion.page import PAGE
from ganstrata.core.runs.inversions import CODES, INDEX, read_inversion
from ganstrata.core.storage.result_folder import faults_of, read_index
from inverted_fakes import RULE, Walk, given, layered, rendered, task, walk


@pytest.fixture
def computed(monkeypatch):
    """Which pictures were inverted, batch by batch."""
    batches = []
    real = Walk.invert

    def noted(self, task, start):
        batches.append(task.index.tolist())
        return real(self, task, start)

    monkeypatch.setattr(Walk, "invert", noted)
    return batches


def test_a_folder_holds_what_was_found(tmp_path):
    out = tmp_path / "out"
    made = task(3)
    parts = invert_into(made, out)
    stored = read_inversion(out, made.method.generator)
    assert stored.names == ("picture-0", "picture-1", "picture-2")
    assert stored.index.tolist() == [0, 1, 2]
    index = read_index(out / INDEX)
    assert index["finished"] is True
    assert index["distance"] == "1 MSE"
    assert faults_of(out, INDEX) == []
    assert {CODES, PAGE, "pictures/picture-0.png", "pictures/picture-0.target.png"} < set(index["files"])
    first = index["pictures"][0]
    assert first["file"] == "folder/picture-0.png"
    assert first["rule"] == "as it is"
    assert first["measures"]["psnr"] == parts[0].measures["psnr"]
    low, high = first["losses"]["walk"]
    assert high < low
    # The measures are of the codes that are stored.
    error = (
        rendered(stored.inversion.codes).clamp(0, 1) - torch.stack([g.picture for g in made.targets])
    ) ** 2
    psnr = -10.0 * error.flatten(1).mean(1).log10()
    assert torch.allclose(psnr, torch.tensor([part.measures["psnr"] for part in parts]), atol=1e-3)


def test_the_same_command_computes_nothing_again(tmp_path, computed):
    invert_into(task(3), tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    invert_into(task(3), tmp_path / "out")
    assert computed == [[0, 1, 2]]
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {p: t for p, t in after.items() if "lock" not in p.name} == {
        p: t for p, t in before.items() if "lock" not in p.name
    }


DAMAGE = {
    "codes of a part": ("parts/picture-1.safetensors", [[1]]),
    "facts of a part": ("parts/picture-1.json", [[1]]),
    "picture": ("pictures/picture-1.png", [[1]]),
    "codes": (CODES, []),
    "page": (PAGE, []),
    "index": (INDEX, []),
}


@pytest.mark.parametrize(
    ("what", "way"),
    [(what, way) for what in DAMAGE for way in ("flip", "remove") if (what, way) != ("index", "remove")],
)
def test_what_is_damaged_is_done_again(tmp_path, computed, what, way):
    out = tmp_path / "out"
    invert_into(task(3), out)
    computed.clear()
    name, again = DAMAGE[what]
    content = (out / name).read_bytes()
    if way == "remove":
        (out / name).unlink()
    else:
        (out / name).write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    invert_into(task(3), out)
    assert computed == again
    assert faults_of(out, INDEX) == []
    if not again and what != "index":
        assert (out / name).read_bytes() == content


def test_another_command_is_refused(tmp_path, computed):
    out = tmp_path / "out"
    invert_into(task(2, steps=5), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(
        RunError, match=r"pictures of another command: steps.steps: 5 there, 6 here\. Give another"
    ):
        invert_into(task(2, steps=6), out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="is not a folder of inverted pictures"):
        invert_into(task(2), tmp_path / "other")


def test_a_picture_that_changed_is_done_again_alone(tmp_path, computed):
    out = tmp_path / "out"
    invert_into(task(3), out)
    computed.clear()
    made = task(3)
    changed = replace(made.targets[1], sha256="f" * 64)
    invert_into(replace(made, targets=(made.targets[0], changed, made.targets[2])), out)
    assert computed == [[1]]
    computed.clear()
    brighter = replace(made.targets[2], observed=made.targets[2].observed * 0.9)
    invert_into(replace(made, targets=(made.targets[0], changed, brighter)), out)
    assert computed == [[2]]


def test_another_generator_seed_or_rule_is_computed_anew(tmp_path, computed):
    out = tmp_path / "out"
    made = task(2)
    invert_into(made, out)
    for method in (
        replace(made.method, generator=layered(0.06)),
        replace(made.method, seed=1),
        replace(made.method, rule=replace(RULE, ms_ssim=0.5)),
        replace(made.method, steps=walk(rate=10.0)),
    ):
        computed.clear()
        invert_into(replace(made, method=method), out)
        assert computed == [[0, 1]]


def test_a_picture_depends_on_itself_alone():
    pictures = given(5)
    method = Method(layered(), walk(), RULE)
    together = invert_batch(method, pictures, range(5))
    alone = [invert_batch(method, [pictures[i]], [i])[0] for i in range(5)]
    for a, b in zip(together, alone, strict=True):
        assert torch.allclose(a.inversion.codes, b.inversion.codes, atol=1e-5)
        assert abs(a.measures["psnr"] - b.measures["psnr"]) < 1e-3
        assert [curve.step for curve in a.curves] == ["walk"]
        assert torch.allclose(a.curves[0].losses, b.curves[0].losses, atol=1e-6)
    shifted = invert_batch(method, [pictures[0]], [1])[0]
    assert not torch.allclose(shifted.inversion.codes, alone[0].inversion.codes, atol=1e-3)


def test_batches_are_halved_when_memory_runs_out(monkeypatch):
    pictures = given(7)
    monkeypatch.setenv("FAKES_MOST", "3")
    method = Method(layered(), walk(), RULE)
    assert default_batch(method.generator) >= 7
    found, halved, told = {}, [], []
    invert_all(
        method,
        pictures,
        range(7),
        found.__setitem__,
        on_loss=lambda losses: told.append(len(losses)),
        on_halved=lambda *args: halved.append(args),
    )
    assert sorted(found) == list(range(7))
    assert halved == [(3, 0)]
    assert sum(told) == 7 * 5
    monkeypatch.setenv("FAKES_MOST", "0")
    with pytest.raises(MemoryExhausted, match="One picture at a time needs more memory"):
        invert_all(method, pictures[:1], [0], found.__setitem__)
    with pytest.raises(MemoryExhausted, match="--batch says 4 at once: give a smaller number"):
        invert_all(method, pictures, range(7), found.__setitem__, batch=4)


def test_what_is_finished_is_kept_when_a_later_batch_fails(tmp_path, monkeypatch):
    out, real, calls = tmp_path / "out", Walk.invert, []

    def once(self, task, start):
        calls.append(task.index.tolist())
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, task, start)

    monkeypatch.setattr(Walk, "invert", once)
    with pytest.raises(KeyboardInterrupt):
        invert_into(task(3, batch=1), out)
    assert read_index(out / INDEX)["finished"] is False
    invert_into(task(3, batch=1), out)
    assert calls == [[0], [1], [1], [2]]
    assert read_index(out / INDEX)["finished"] is True


def test_what_fails_before_any_picture_is_done_leaves_nothing(tmp_path, monkeypatch):
    def refuse(self, task, start):
        raise UserError("this step does not fit")

    with monkeypatch.context() as patch:
        patch.setattr(Walk, "invert", refuse)
        with pytest.raises(UserError, match="does not fit"):
            invert_into(task(3), tmp_path / "new" / "out")
        assert list(tmp_path.iterdir()) == []
    invert_into(task(2), tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.json")}
    (tmp_path / "out" / "parts" / "picture-1.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Walk, "invert", refuse)
        with pytest.raises(UserError, match="does not fit"):
            invert_into(task(2), tmp_path / "out")
    invert_into(task(2), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").rglob("*.json")} == {path.name for path in before}
