"""Show results in a notebook: HTML tables and data frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .markup import markup

if TYPE_CHECKING:
    from pandas import DataFrame


def html_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table of text; what is special in HTML is escaped.

    >>> html_table(["a"], [["1 < 2"]])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1 &lt; 2</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{markup(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{markup(text)}</td>' for text in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def data_frame(rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Return a data frame with a row per mapping.

    Raises:
        ImportError: pandas is not installed; the message says how to install it.
    """
    try:
        from pandas import DataFrame
    except ImportError:
        raise ImportError("a data frame needs pandas: pip install 'ganstrata[pandas]'") from None
    return DataFrame(rows)
