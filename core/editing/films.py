"""Write films that go through the steps and back: GIF with Pillow, MP4 with PyAV if it is installed."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image

from ..errors import UserError
from ..figures.pictures import Pixels, opaque, tile
from ..figures.sheets import enlarged

MIN_WIDTH = 256  # a smaller picture is enlarged by a whole number to at least this
QUALITY = 16  # constant rate factor of x264: no visible loss
# The lookahead of x264 reads uninitialised memory: without it, equal frames give equal bytes.
SETTINGS = "mbtree=0:b-adapt=0:scenecut=0:weightp=0"


def frames(pictures: Pixels, background: str = "#ffffff") -> Pixels:
    """Arrange pictures (N, T, H, W, C) as frames: all samples in each, steps forwards and backwards.

    Films have no partial transparency, so pictures with alpha are composited on a colour.
    """
    pictures = opaque(pictures, background)
    count, steps = pictures.shape[:2]
    across = math.ceil(math.sqrt(count))
    large = enlarged(pictures, MIN_WIDTH if count == 1 else MIN_WIDTH // 2)
    sheets = []
    for t in range(steps):
        cells = np.full((-(-count // across) * across, *large.shape[2:]), 255, np.uint8)
        cells[:count] = large[:, t]
        sheets.append(tile(cells.reshape(-1, across, *large.shape[2:]), gap=4))
    order = [*range(steps), *range(steps - 2, 0, -1)]
    return np.stack([sheets[t] for t in order])


def gif(film: Pixels, fps: float, *, between: Callable[[], None] = lambda: None) -> bytes:
    """Encode frames (F, H, W, 3) as an endless GIF, each frame with a palette of its own.

    Args:
        film: the frames.
        fps: frames per second.
        between: called before each frame, since many large ones take a while; what it raises ends it.
    """
    pages = []
    for frame in film:
        between()
        pages.append(Image.fromarray(frame).quantize(256, dither=Image.Dither.FLOYDSTEINBERG))
    buffer = io.BytesIO()
    # Durations are hundredths of a second. Disposal 1 and no optimisation keep one page per frame.
    pages[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pages[1:],
        duration=10 * max(round(100.0 / fps), 1),
        loop=0,
        disposal=1,
    )
    return buffer.getvalue()


def video_library() -> Any:
    """Import PyAV.

    Raises:
        UserError: it is not installed.
    """
    try:
        return import_module("av")
    except ImportError:
        raise UserError(
            "MP4 needs the package av (PyAV), which is not installed: pip install 'ganstrata[video]'. "
            "A GIF needs nothing: --as gif"
        ) from None


def mp4(film: Pixels, fps: float, *, between: Callable[[], None] = lambda: None) -> bytes:
    """Encode frames (F, H, W, 3) as MP4 (H.264); odd sides get one more line of white.

    Args:
        film: the frames.
        fps: frames per second.
        between: as for `gif`.

    Raises:
        UserError: PyAV is not installed, or has no H.264.
    """
    av = video_library()
    height, width = (side + side % 2 for side in film.shape[1:3])
    padded = np.full((len(film), height, width, 3), 255, np.uint8)
    padded[:, : film.shape[1], : film.shape[2]] = film
    buffer = io.BytesIO()
    try:
        # One thread and no dates: the same frames give the same bytes.
        with av.open(buffer, "w", format="mp4", options={"fflags": "bitexact"}) as container:
            options = {"crf": str(QUALITY), "preset": "medium", "x264-params": SETTINGS}
            stream = container.add_stream(
                "libx264", rate=Fraction(fps).limit_denominator(1000), options=options
            )
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.thread_count = 1
            for frame in padded:
                between()
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    except (av.error.FFmpegError, ValueError) as error:
        raise UserError(
            f"the MP4 could not be made by PyAV {av.__version__}: {error}. A GIF needs nothing: --as gif"
        ) from None
    return buffer.getvalue()
