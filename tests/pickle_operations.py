"""Write the operations of pickles that push numbers, bytes, collections and calls."""

from __future__ import annotations

import struct

from checkpoint_files import named

Value = bytes  # operations that push one value


def number(value: int) -> Value:
    """A whole number of up to 255 bytes."""
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def data(content: bytes) -> Value:
    """Bytes."""
    return b"B" + struct.pack("<I", len(content)) + content


def tuple_of(*values: Value) -> Value:
    """A tuple."""
    return b"(" + b"".join(values) + b"t"


def list_of(*values: Value) -> Value:
    """A list."""
    return b"](" + b"".join(values) + b"e"


def dict_of(*pairs: tuple[Value, Value]) -> Value:
    """A dictionary."""
    return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


def call(name: str, *args: Value) -> Value:
    """What a name is called with."""
    return named(name) + tuple_of(*args) + b"R"


def whole(program: Value, protocol: int = 4) -> bytes:
    """A pickle."""
    return b"\x80" + bytes([protocol]) + program + b"."
