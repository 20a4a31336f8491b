"""Decode picture files without trusting them: known formats alone, a limit of pixels, errors in words.

Formats that Pillow opens by other programs, such as EPS, are never tried.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import DataError
from ..figures.pictures import strictly_decoded
from ..messages import visible

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF")
ADDED = ("HEIF", "JXL")  # read if the user has registered a reader for Pillow
MOST = 2**27  # pixels of a picture: a photograph of 134 megapixels
KNOWN = "PNG, JPEG, WebP, GIF, TIFF, BMP, PNM, JPEG 2000 and AVIF can be read"
ORIENTATION, BITS = 0x0112, 258  # tags of EXIF and of TIFF
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
RAW = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".pef", ".srw")

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"RIFF", "WebP"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
)
"""How files begin that can be read, unless they are damaged."""
OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF document", "export its page as PNG"),
    (b"%!PS", "PostScript, which is a program", "convert it to PNG"),
    (b"\xc5\xd0\xd3\xc6", "PostScript, which is a program", "convert it to PNG"),
    (b"8BPS", "a Photoshop document", "export it as PNG"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it and give the folder"),
    (b"\x1f\x8b", "a gzip archive", "unpack it and give the folder"),
    (b"\xff\x0a", "JPEG XL, which Pillow does not read", "convert it to PNG"),
    (b"\0\0\0\x0cJXL ", "JPEG XL, which Pillow does not read", "convert it to PNG"),
    (b"\0\0\x01\0", "an icon", "save it as PNG"),
    (b"\x1aE\xdf\xa3", "a video", "save a frame of it as PNG"),
)
"""How files begin that cannot be read, what they are, and what to do."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each orientation upright."""


@dataclass(frozen=True)
class Decoded:
    """Hold a decoded picture, upright, in its own mode.

    Attributes:
        image: Pillow's image; of mode F with values in [0, 1] if it has more than 8 bits.
        format: such as JPEG.
        mode: Pillow's mode, as stored.
        notes: what was done to it, for the user.
    """

    image: Image.Image
    format: str
    mode: str
    notes: tuple[str, ...]


def decode(content: bytes, path: Path, most: int = MOST) -> Decoded:
    """Decode the content of a picture file: its first frame, upright as EXIF says.

    Args:
        content: of the file.
        path: its name, for messages.
        most: pixels that are decoded, at most MOST.

    Raises:
        DataError: it is empty, not a picture, of an unsupported kind, damaged, or too large.
    """
    name = visible(str(path))
    if not content:
        raise DataError(f"{name} is empty (0 bytes); it may be an unfinished download: get the picture again")
    if path.suffix.lower() in RAW:
        raise DataError(f"{name} is a camera's raw file; develop it and export it as JPEG, PNG or TIFF")
    Image.init()  # all of Pillow's formats, so that those not built in are known to be missing
    with _reported(content, name, most), strictly_decoded():
        image = Image.open(io.BytesIO(content), formats=_formats())
        _check_size(image.size, name, most)
        stored, notes = (str(image.format), image.mode), []
        if getattr(image, "is_animated", False):
            image.seek(0)
            notes.append("the first of several frames")
        stated = _orientation(image, notes)
        image.load()
        upright = _upright(image, _deep(image, name), stated, notes)
    return Decoded(upright, *stored, tuple(notes))


def _formats() -> list[str]:
    return [name for name in (*FORMATS, *ADDED) if name in Image.OPEN]


def _check_size(size: tuple[int, int], name: str, most: int) -> None:
    """Refuse a picture by the size that its header states, before it is decoded.

    Raises:
        DataError: it has too many pixels, or none.
    """
    width, height = size
    if width * height > most:
        raise DataError(
            f"{name} claims {width} x {height} pixels, more than the {most} that are decoded: "
            "it may be made to fill the memory; if it is genuine, scale it down first"
        )
    if width < 1 or height < 1:
        raise DataError(f"{name} has no pixels ({width} x {height})")


@contextmanager
def _reported(content: bytes, name: str, most: int) -> Iterator[None]:
    """Report whatever a decoder raises as an error about the file.

    Raises:
        DataError: in place of an exception of the decoder.
    """
    try:
        yield
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(
            f"{name} claims far more pixels than the {most} that are decoded: it may be made to fill the "
            "memory; if it is genuine, scale it down first"
        ) from None
    except UnidentifiedImageError:
        raise DataError(f"{name} {_what_else(content)}") from None
    except MemoryError:
        raise DataError(f"{name}: the memory does not suffice to decode it; scale it down first") from None
    except Exception as error:  # decoders raise anything for damaged files
        reason = str(error) or type(error).__name__
        cut = "truncated" in reason.lower() or isinstance(error, EOFError)
        raise DataError(
            f"{name} is {'incomplete' if cut else 'damaged'} and cannot be decoded ({visible(reason)}); "
            "get the picture again, or open it in an editor and save it as PNG"
        ) from None


def _what_else(content: bytes) -> str:
    """Return what a file is that no format claims, and what to do."""
    if content[4:8] == b"ftyp":
        brand = content[8:12]
        if brand in HEIC:
            return (
                "is HEIC, in which iPhones store, and which Pillow does not read: convert it to JPEG or PNG "
                "(in Photos: export), or in Python call pillow_heif.register_heif_opener() first"
            )
        if brand in (b"avif", b"avis") and "AVIF" not in Image.OPEN:
            return "is AVIF, which this Pillow does not read: install Pillow 11.3 or newer, or convert it"
        if brand not in (b"avif", b"avis") and len(brand) == 4:
            return "is a video; save a frame of it as PNG"
    for start, what, cure in OTHERS:
        if content.startswith(start):
            return f"is {what}; {cure}"
    known = next((kind for start, kind in SIGNATURES if content.startswith(start)), None)
    if content[4:8] == b"ftyp":
        known = "AVIF or a video"
    if known is not None:
        return f"begins as {known}, but is damaged or incomplete; get the picture again"
    start = content[:1000].lstrip().lower()
    if b"<svg" in start:
        return "is SVG, a drawing without pixels; export it as PNG"
    if start.startswith((b"<!doctype", b"<html")):
        return "is a web page, perhaps saved in place of the picture; download the picture itself"
    return f"is not a picture: {KNOWN}"


def _deep(image: Image.Image, name: str) -> Image.Image | None:
    """Return an image of one channel with more than 8 bits as mode F in [0, 1]; None for all others.

    Raises:
        DataError: values of 32 bits lie in no range that tells what white is.
    """
    if image.mode not in ("I", "F", "I;16", "I;16L", "I;16B", "I;16N"):
        return None
    values = np.asarray(image).astype(np.float32)
    white = 1.0
    if image.mode != "F":
        white = 2.0 ** min(_bits(image), 16) - 1.0
    if not np.isfinite(values).all():
        raise DataError(
            f"{name} has pixels that are not finite numbers; mend it, or save it with 8 or 16 bits"
        )
    if values.min() < 0.0 or values.max() > white:
        raise DataError(
            f"{name} has values from {values.min():.6g} to {values.max():.6g} in mode {image.mode}; "
            f"0 to {white:g} were expected (black to white): scale it, or save it with 8 or 16 bits"
        )
    deep = Image.fromarray(values / np.float32(white))
    deep.info = dict(image.info)
    return deep


def _bits(image: Image.Image) -> int:
    """Return the bits of a pixel: TIFF may have 12, others 16."""
    tags = getattr(image, "tag_v2", None)
    bits = tags.get(BITS, (16,)) if tags is not None else (16,)
    return int(bits[0] if isinstance(bits, tuple) else bits)


def _orientation(image: Image.Image, notes: list[str]) -> int:
    """Return the orientation in the EXIF data of an image, 1 to 8; 1 is upright."""
    try:
        stated = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata do not make the pixels wrong
        notes.append("its EXIF data cannot be read, so it is taken to be upright")
        return 1
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else 1


def _upright(image: Image.Image, deep: Image.Image | None, stated: int, notes: list[str]) -> Image.Image:
    """Return an image, or its pixels with more bits, turned and mirrored as its EXIF data say.

    Pillow turns TIFF itself when it decodes, so that less may be left to do than was stated before.
    """
    if stated != 1:
        notes.append(f"turned upright, as its EXIF orientation {stated} says")
    left = _orientation(image, notes) if stated != 1 else 1
    source = image
    if deep is not None:
        notes.append("more than 8 bits per pixel, kept")
        source = deep
    if left == 1:
        return source
    turned = source.transpose(TURNS[left])
    turned.info = dict(image.info)
    return turned
