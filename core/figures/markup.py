"""Escape text for HTML and XML, and write out characters that are forbidden there or invisible."""

from __future__ import annotations

import re
from html import escape

from ..messages import escaped

HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"  # XML forbids them, even as entities
    # These change the direction of text, or have no width.
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def markup(text: str) -> str:
    r"""Escape text to stand between tags or in an attribute.

    Hidden characters, and those that XML forbids, are written out.

    >>> markup("a < b\x00")
    'a &lt; b\\x00'
    """
    return escape(visible_signs(text), quote=True)


def visible_signs(text: str) -> str:
    r"""Write out the hidden characters of a text; line breaks stay.

    >>> visible_signs("a\u202eb\nc")
    'a\\u202eb\nc'
    """
    return HIDDEN.sub(lambda match: escaped(match[0]), text)
