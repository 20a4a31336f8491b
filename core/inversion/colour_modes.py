"""Turn pictures of every colour mode into RGB of the standard colour space (sRGB)."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from ..errors import DataError
from ..messages import visible

GREY = ("1", "L", "LA", "La", "F")
TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
CONVERTED = (
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBX",
    "RGBa",
    "La",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "F",
)
SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}  # as ICC profiles name them


def to_rgb(image: Image.Image, background: str, name: str) -> tuple[Image.Image, tuple[str, ...]]:
    """Return an image in RGB, and what was done to it, in words.

    - Transparent pixels are composited on the background.
    - Colours are converted to sRGB by the picture's ICC profile, if it has one for its colours.
    - Grey is repeated in red, green and blue. Mode F, grey with more than 8 bits, is returned as it is.

    Args:
        image: of any mode that `decoding` gives.
        background: colour "#rrggbb".
        name: of the file, for messages.

    Raises:
        DataError: the mode cannot be converted.
    """
    if image.mode not in CONVERTED:
        raise DataError(f"{name} has the colour mode {image.mode}, which cannot be read; save it as RGB")
    notes: list[str] = []
    grey = image.mode in GREY
    if grey:
        notes.append("grey")
    if image.mode == "F":
        return image, tuple(notes)
    profile = image.info.get("icc_profile")
    alpha = None
    if image.mode in TRANSPARENT or "transparency" in image.info:
        image = image.convert("RGBA")  # applies palettes and transparent colours
        alpha = image.getchannel("A")
    colours = _in_srgb(_plain(image, grey=grey), profile, notes)
    if alpha is not None:
        colours = _on_background(colours, alpha, background, notes)
    return colours, tuple(notes)


def _plain(image: Image.Image, *, grey: bool) -> Image.Image:
    """Return an image in mode L, RGB, CMYK or LAB, without its alpha."""
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    return image.convert("L" if grey else "RGB")


def _in_srgb(image: Image.Image, profile: object, notes: list[str]) -> Image.Image:
    """Return an image of mode L, RGB, CMYK or LAB in sRGB, by its ICC profile if it fits."""
    if image.mode == "LAB":
        notes.append("CIELAB, converted to sRGB")
        return _by_profile(image, None)
    if isinstance(profile, bytes) and profile:
        try:
            title, space = _title_and_space(profile)
            if space == SPACES[image.mode]:
                if image.mode == "RGB" and "srgb" in title.lower():
                    return image
                converted = _by_profile(image, profile)
                cmyk = "CMYK, " if image.mode == "CMYK" else ""
                notes.append(f"{cmyk}converted to sRGB by its colour profile '{title}'")
                return converted
            notes.append(f"its colour profile '{title}' is for other colours and was left out")
        except (ImageCms.PyCMSError, ImportError, OSError, ValueError, TypeError):
            notes.append("its colour profile cannot be read and was left out")
    if image.mode == "CMYK":
        notes.append("CMYK without a usable colour profile, converted as if inks were ideal")
    return image.convert("RGB")


def _title_and_space(profile: bytes) -> tuple[str, str]:
    """Return the description of an ICC profile and its colour space, such as RGB."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return visible(ImageCms.getProfileDescription(own).strip(), 60), own.profile.xcolor_space.strip()


def _by_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image in sRGB, converted from an ICC profile, or from CIELAB if that is None."""
    own = ImageCms.createProfile("LAB") if profile is None else io.BytesIO(profile)
    converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # it is None only if an image is changed in place
    return converted


def _on_background(
    colours: Image.Image, alpha: Image.Image, background: str, notes: list[str]
) -> Image.Image:
    """Return RGB composited on a colour; nothing is done or said if all is opaque."""
    transparent = float(1.0 - np.asarray(alpha, dtype=np.float32).mean() / 255.0)
    if transparent == 0.0:
        return colours
    ground = Image.new("RGB", colours.size, background)
    ground.paste(colours, mask=alpha)
    notes.append(f"transparent in {_share(transparent)} of its area, where {background} shows")
    return ground


def _share(value: float) -> str:
    return f"{value:.0%}" if value >= 0.005 else "less than 1 %"
