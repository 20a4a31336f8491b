"""Films hold the steps in their order, forwards and back, and are the same bytes each time."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from ganstrata.core.editing.films import frames, gif, mp4
from ganstrata.core.errors import UserError
from ganstrata.core.figures.pictures import read_picture
from ganstrata.core.figures.sheets import enlarged, sheet
from PIL import Image


def plain(count: int, steps: int, size: int = 8):
    """Pictures of one colour: sample in red, step in green."""
    pictures = np.zeros((count, steps, size, size, 3), np.uint8)
    pictures[..., 0] = 40 * np.arange(count)[:, None, None, None]
    pictures[..., 1] = 50 * np.arange(steps)[None, :, None, None]
    return pictures


def test_steps_run_there_and_back_without_the_ends() -> None:
    film = frames(plain(1, 4))
    assert film[:, 0, 0, 1].tolist() == [0, 50, 100, 150, 100, 50]
    assert film.shape[1:3] == (256, 256)
    assert len(frames(plain(1, 1))) == 1


def test_all_samples_are_in_each_frame() -> None:
    film = frames(plain(3, 2))
    assert film.shape == (2, 260, 260, 3)
    assert [int(film[1, y, x, 0]) for y, x in ((0, 0), (0, -1), (-1, 0))] == [0, 40, 80]
    assert film[1, -1, -1].tolist() == [255, 255, 255]  # there is no fourth


def test_a_gif_has_every_frame_and_its_time() -> None:
    film = frames(plain(2, 3))
    content = gif(film, fps=10.0)
    assert content == gif(film, fps=10.0)
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames == 4
        assert image.info["loop"] == 0
        seen = []
        for i in range(4):
            image.seek(i)
            assert image.info["duration"] == 100
            seen.append(np.asarray(image.convert("RGB"))[5, 5, 1])
    np.testing.assert_allclose(seen, [0, 50, 100, 50], atol=3)


def test_an_mp4_plays_every_frame() -> None:
    av = pytest.importorskip("av")
    film = frames(plain(1, 4, size=257))  # odd sides get white
    content = mp4(film, fps=8.0)
    assert content == mp4(film, fps=8.0)
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 8
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert shown[0].shape == (258, 258, 3)
    np.testing.assert_allclose(
        [int(picture[100, 100, 1]) for picture in shown], [0, 50, 100, 150, 100, 50], atol=6
    )


SOILED = """
import hashlib
import numpy as np
from ganstrata.core.editing import films
from ganstrata.core.runs.malloc import keep_freed_memory

keep_freed_memory()
film = np.random.default_rng(0).integers(0, 255, (8, 9, 17, 3), dtype=np.uint8)
film = film.repeat(16, 1).repeat(16, 2)[:, :128, :260]
digests = set()
for seed in range(8):
    rng = np.random.default_rng(seed)
    sizes = (100_000, 400_000, 130_000, 50_000, 2_000_000) * 6
    left = [rng.integers(0, 255, n, dtype=np.uint8) for n in sizes]
    del left
    digests.add(hashlib.sha256(films.mp4(film, 8.0)).hexdigest())
print(len(digests))
"""


def test_an_mp4_does_not_depend_on_what_memory_held_before(tmp_path) -> None:
    pytest.importorskip("av")
    done = subprocess.run(
        [sys.executable, "-c", SOILED], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["1"]


def test_the_error_without_the_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"not installed: pip install 'ganstrata\[video\]'"):
        mp4(frames(plain(1, 2)), fps=8.0)


def test_a_sheet_shows_the_pictures_under_their_heads() -> None:
    pictures = plain(2, 3, size=64) + np.uint8(20)
    sheet_pixels = read_picture(
        sheet(
            pictures,
            ["unedited", "−1.0", "a head much longer than the picture is wide"],
            ["seed 0", "seed 1"],
            apart=True,
        )
    )
    large = enlarged(pictures)
    assert large.shape == (2, 3, 128, 128, 3)
    height, width = sheet_pixels.shape[:2]
    assert height == 18 + 2 * 128 + 4
    assert width > 3 * 128 + 2 * 4 + 8
    np.testing.assert_array_equal(sheet_pixels[-128:, -128:], large[1, 2])
    np.testing.assert_array_equal(sheet_pixels[18 : 18 + 128, width - 260 : width - 132], large[0, 1])
    assert (sheet_pixels[:16, -128:] < 128).any()  # the head is there
