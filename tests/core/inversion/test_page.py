"""The page of inverted pictures, its charts, and what is kept of a picture."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import Classes, Layered
from ganstrata import UserError
from ganstrata.core.inversion.curves import loss_chart
from ganstrata.core.inversion.folder import invert_into
from ganstrata.core.inversion.invert import condition_of, invert_batch
from ganstrata.core.inversion.page import AMPLIFIED, PAGE, difference
from ganstrata.core.inversion.results import filled_in, read_result, write_result
from ganstrata.core.inversion.target import file_stems
from ganstrata.core.runs.inversion_file import codes_bytes
from ganstrata.core.runs.inversions import CODES, INDEX, read_inversion
from ganstrata.core.storage.filenames import is_safe_stem
from ganstrata.core.storage.result_folder import index_text
from hypothesis import given as with_any
from hypothesis import settings, strategies
from inverted_fakes import CPU, given, layered, task
from PIL import Image


def test_the_page_shows_every_picture_and_escapes_what_people_wrote(tmp_path):
    made = task(2)
    odd = replace(made.targets[1], source="<script>.png", notes=("EXIF <turned> it",))
    parts = invert_into(
        replace(made, targets=(made.targets[0], odd), notes=("left out: <a>",)), tmp_path / "out"
    )
    page = (tmp_path / "out" / PAGE).read_text(encoding="utf-8")
    assert "<script>.png" not in page
    assert "&lt;script&gt;.png" in page
    assert "EXIF &lt;turned&gt; it" in page
    assert "left out: &lt;a&gt;" in page
    assert page.count("<article") == 2
    assert page.count("Reconstruction</b>") == 2
    assert f"</b> {AMPLIFIED} times" in page
    for part in parts:
        assert f"PSNR {part.measures['psnr']:.1f} dB" in page
    assert not re.search(r'(src|href)="http', page)
    (png,) = (tmp_path / "out" / "pictures").glob("picture-0.target.png")
    assert Image.open(io.BytesIO(png.read_bytes())).size == (8, 8)


def test_the_difference_is_as_many_times_as_it_says():
    a, b = np.full((1, 2, 3), 100, np.uint8), np.full((1, 2, 3), 90, np.uint8)
    b[0, 1] = 200
    assert difference(a, b)[0, 0].tolist() == [40, 40, 40]
    assert difference(b, a)[0, 0].tolist() == [40, 40, 40]
    assert difference(a, b)[0, 1].tolist() == [255, 255, 255]


def test_a_chart_draws_the_steps_that_searched():
    chart = loss_chart([("mean", np.zeros(0, np.float32)), ("w+", np.float32([1.0, 0.1, 0.01]))], "room <1>")
    assert "w+: 1 to 0.01" in chart
    assert "room &lt;1&gt;" in chart
    heights = [float(y) for y in re.findall(r"[ML]?[\d.]+,([\d.]+)", re.findall(r'd="([^"]+)"', chart)[0])]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2)  # logarithmic
    assert loss_chart([], "none") == ""
    assert "<svg" in loss_chart([("best", np.float32([0.5]))], "one")
    assert "<svg" in loss_chart([("best", np.float32([0.0, 0.0]))], "zero")
    near = loss_chart([("w+", np.float32([1.0, 0.01, 0.0]))], "a picture as near as its noise")
    assert ">0.001</text>" in near  # 0 is drawn a tenth below the smallest distance that is none
    assert "× 10" not in near
    long = loss_chart([("w+", np.linspace(1, 0.1, 5000, dtype=np.float32))], "long")
    assert len(long) < 20_000


@settings(max_examples=30, deadline=None)
@with_any(strategies.lists(strategies.text(max_size=80), max_size=6))
def test_names_of_files_are_safe_and_different(stems):
    names = file_stems(stems)
    assert all(map(is_safe_stem, names))
    assert len({name.casefold() for name in names}) == len(stems)


def test_weights_of_a_picture_are_kept_beside_its_codes(tmp_path, monkeypatch):
    monkeypatch.setattr(Layered, "tunable", property(lambda self: {"a.weight": torch.zeros(2, 3)}))
    made = task(1)
    (found,) = invert_batch(made.method, made.targets, [0])
    weights = {"a.weight": torch.arange(6.0).view(2, 3)}
    tuned = replace(found, inversion=replace(found.inversion, weights=(weights,)))
    generator, name = made.method.generator, made.targets[0].name
    write_result(tmp_path, "key", made.targets[0], 0, tuned, generator)
    part = read_result(tmp_path, "key", name, generator)
    assert part is not None
    assert part.inversion.weights == ({},)
    assert torch.equal(part.inversion.codes, found.inversion.codes)
    assert part.curves[0][0] == "walk"
    assert part.curves[0][1].tolist() == found.curves[0].losses.tolist()
    assert read_result(tmp_path, "another", name, generator) is None
    assert read_result(tmp_path, "key", name, layered(0.06)) is not None  # the key is what tells generators
    content = codes_bytes(part.inversion, torch.tensor([0]), [name], generator=generator.fingerprint, seed=0)
    (tmp_path / CODES).write_bytes(content)
    record = {"finished": True, "pictures": [{"name": name}]}
    (tmp_path / INDEX).write_bytes(index_text(record, {CODES: content}, part.files))
    (stored,) = read_inversion(tmp_path, generator).inversion.weights
    assert torch.equal(stored["a.weight"], weights["a.weight"])
    file = tmp_path / "weights" / f"{name}.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    assert read_result(tmp_path, "key", name, generator) is None


def test_pictures_with_and_without_masks_are_in_one_batch():
    made, pictures = task(2), list(given(2))
    known = torch.ones(1, 8, 8)
    known[:, :4] = 0.0
    pictures[1] = replace(pictures[1], known=known)
    together = invert_batch(made.method, pictures, [0, 1])
    for i in range(2):
        (alone,) = invert_batch(made.method, [pictures[i]], [i])
        assert torch.allclose(together[i].inversion.codes, alone.inversion.codes, atol=1e-5)
        assert together[i].measures["psnr"] == pytest.approx(alone.measures["psnr"], abs=1e-3)
    (whole,) = invert_batch(made.method, [given(2)[1]], [1])
    assert not torch.allclose(whole.inversion.codes, together[1].inversion.codes, atol=1e-3)
    filled = filled_in(pictures[1], together[1].picture)
    assert torch.equal(filled[:, 4:], pictures[1].picture[:, 4:])
    assert torch.equal(filled[:, :4], together[1].picture[:, :4])
    assert filled_in(pictures[0], together[0].picture) is None
    picture = together[1].picture.clamp(0, 1)
    error = ((picture - pictures[1].observed)[:, 4:] ** 2).mean()
    assert together[1].measures["psnr"] == pytest.approx(float(-10 * error.log10()), abs=1e-3)


def test_a_class_is_given_as_the_generator_draws_it():
    classes = Classes(Classes.Config(), CPU)
    assert condition_of(classes, 2, 3).tolist() == [2, 2, 2]
    assert condition_of(classes, None, 3) is None
    assert condition_of(layered(), None, 3) is None
    with pytest.raises(UserError, match="has no classes; leave the class out"):
        condition_of(layered(), 1, 3)
