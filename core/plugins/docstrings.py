"""Read the first line of a plugin's docstring without importing its module, which may be slow to import."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

LARGEST = 1_000_000  # bytes of a module that is read for this


def first_line(target: str) -> str:
    """Return the first line of the docstring of a class or function, without its full stop.

    Only the packages that contain the module are imported, and the module itself is parsed.

    Args:
        target: "package.module:Class".

    Returns:
        The line; empty if there is no docstring, no source, or no such module.
    """
    module, _, name = target.partition(":")
    try:
        spec = importlib.util.find_spec(module)
        path = Path((spec and spec.origin) or "")
        if path.suffix != ".py" or path.stat().st_size > LARGEST:
            return ""
        body = ast.parse(path.read_bytes()).body
    except (ImportError, OSError, ValueError, SyntaxError, RecursionError, AttributeError):
        return ""  # whoever builds the plugin is told what is wrong
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            lines = (ast.get_docstring(node) or "").splitlines()
            return lines[0].removesuffix(".") if lines else ""
    return ""
