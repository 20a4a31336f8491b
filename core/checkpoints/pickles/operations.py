"""Define what each operation of a pickle does to the unpickler."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..limits import Damaged, Refused

if TYPE_CHECKING:
    from .unpickler import Unpickler

LONG = 64  # bytes of a whole number, at most
TEXT = 1_000_000  # bytes of text with any characters; longer text can only be array data stored as Latin-1
WIDE = re.compile(
    rb"[\xc4-\xff]"
)  # first bytes, in UTF-8, of characters beyond Latin-1, which take more memory

Operation = Callable[["Unpickler"], None]
OPERATIONS: dict[int, Operation] = {}
STOP = ord(".")


def _on(code: str) -> Callable[[Operation], Operation]:
    def register(operation: Operation) -> Operation:
        OPERATIONS[ord(code)] = operation
        return operation

    return register


def _pushes(code: str, value: Callable[[Unpickler], Any]) -> None:
    def push(unpickler: Unpickler) -> None:
        result = value(unpickler)  # before machine.stack is read, because marked() replaces the stack
        unpickler.stack.append(result)

    OPERATIONS[ord(code)] = push


def _long(unpickler: Unpickler, length: int) -> int:
    if not 0 <= length <= LONG:
        raise Damaged(f"its pickle has a number of {length} bytes at byte {unpickler.position}")
    return int.from_bytes(unpickler.take(length), "little", signed=True)


def _text(unpickler: Unpickler, length: int) -> str:
    data = unpickler.take(length)
    if length > TEXT and WIDE.search(data):
        raise Damaged(f"its pickle has text of {length} bytes at byte {unpickler.position - length}")
    unpickler.budget.copy(length)
    return str(data, "utf-8", "replace")


def _latin(unpickler: Unpickler, length: int) -> str:
    unpickler.budget.copy(length)
    return str(unpickler.take(length), "latin-1")  # text or bytes of Python 2; see arrays.raw


_pushes("N", lambda m: None)
_pushes("\x88", lambda m: True)
_pushes("\x89", lambda m: False)
_pushes("J", lambda m: m.number("<i"))
_pushes("K", lambda m: m.number("<B"))
_pushes("M", lambda m: m.number("<H"))
_pushes("\x8a", lambda m: _long(m, m.number("<B")))
_pushes("\x8b", lambda m: _long(m, m.number("<i")))
_pushes("G", lambda m: struct.unpack(">d", m.take(8))[0])
_pushes("U", lambda m: _latin(m, m.number("<B")))
_pushes("T", lambda m: _latin(m, m.number("<I")))
_pushes("\x8c", lambda m: _text(m, m.number("<B")))
_pushes("X", lambda m: _text(m, m.number("<I")))
_pushes("\x8d", lambda m: _text(m, m.number("<Q")))
_pushes("C", lambda m: m.take(m.number("<B")))
_pushes("B", lambda m: m.take(m.number("<I")))
_pushes("\x8e", lambda m: m.take(m.number("<Q")))
_pushes("\x96", lambda m: m.take(m.number("<Q")))
_pushes(")", lambda m: ())
_pushes("]", lambda m: [])
_pushes("}", lambda m: {})
_pushes("\x8f", lambda m: [])  # a set; its items are never compared
_pushes("h", lambda m: m.memo[m.number("<B")])
_pushes("j", lambda m: m.memo[m.number("<I")])
_pushes("2", lambda m: m.stack[-1])
_pushes("t", lambda m: tuple(m.pop_to_mark()))
_pushes("l", lambda m: m.pop_to_mark())
_pushes("\x91", lambda m: m.pop_to_mark())  # a frozen set
_pushes("\x85", lambda m: (m.stack.pop(),))
_pushes("\x86", lambda m: (m.stack.pop(), m.stack.pop())[::-1])
_pushes("\x87", lambda m: (m.stack.pop(), m.stack.pop(), m.stack.pop())[::-1])
_pushes("Q", lambda m: m.persistent_load(m.stack.pop()))


@_on("\x80")
def _protocol(unpickler: Unpickler) -> None:
    version = unpickler.number("<B")
    if version > 5:
        raise Damaged(f"it would be a pickle of protocol {version}, which does not exist")


@_on("\x95")
def _frame(unpickler: Unpickler) -> None:
    length = unpickler.number("<Q")
    if length > len(unpickler.data) - unpickler.position:
        raise Damaged(
            f"its pickle claims {length} bytes at byte {unpickler.position}, "
            f"and {len(unpickler.data) - unpickler.position} are left"
        )


@_on("(")
def _mark(unpickler: Unpickler) -> None:
    unpickler.below.append(unpickler.stack)
    unpickler.stack = []


@_on("0")
def _pop(unpickler: Unpickler) -> None:
    if unpickler.stack:
        unpickler.stack.pop()
    else:
        unpickler.pop_to_mark()


@_on("1")
def _pop_mark(unpickler: Unpickler) -> None:
    unpickler.pop_to_mark()


@_on("q")
def _put_short(unpickler: Unpickler) -> None:
    unpickler.memoize(unpickler.number("<B"))


@_on("r")
def _put_long(unpickler: Unpickler) -> None:
    unpickler.memoize(unpickler.number("<I"))


@_on("\x94")
def _memoize(unpickler: Unpickler) -> None:
    unpickler.memoize(len(unpickler.memo))


@_on("a")
def _append(unpickler: Unpickler) -> None:
    item = unpickler.stack.pop()
    unpickler.extend(unpickler.stack[-1], [item])


@_on("e")
@_on("\x90")
def _appends(unpickler: Unpickler) -> None:
    items = unpickler.pop_to_mark()
    unpickler.extend(unpickler.stack[-1], items)


@_on("s")
def _set_item(unpickler: Unpickler) -> None:
    value, key = unpickler.stack.pop(), unpickler.stack.pop()
    unpickler.set_items(unpickler.stack[-1], [key, value])


@_on("u")
def _set_items(unpickler: Unpickler) -> None:
    pairs = unpickler.pop_to_mark()
    unpickler.set_items(unpickler.stack[-1], pairs)


@_on("d")
def _dictionary(unpickler: Unpickler) -> None:
    dictionary: dict[Any, Any] = {}
    unpickler.set_items(dictionary, unpickler.pop_to_mark())
    unpickler.stack.append(dictionary)


@_on("c")
def _global(unpickler: Unpickler) -> None:
    module, name = unpickler.line(), unpickler.line()
    unpickler.push_name(module, name)


@_on("\x93")
def _global_on_stack(unpickler: Unpickler) -> None:
    name, module = unpickler.stack.pop(), unpickler.stack.pop()
    unpickler.push_name(module, name)


@_on("R")
@_on("\x81")
def _call(unpickler: Unpickler) -> None:
    args, callee = unpickler.stack.pop(), unpickler.stack.pop()
    unpickler.stack.append(unpickler.make(callee, args))


@_on("\x92")
def _call_with_keywords(unpickler: Unpickler) -> None:
    keywords, args, callee = unpickler.stack.pop(), unpickler.stack.pop(), unpickler.stack.pop()
    if keywords and not unpickler.is_inert(callee):
        raise Refused("its pickle calls with keywords, which no checkpoint does")
    unpickler.stack.append(unpickler.make(callee, args))


@_on("i")
def _instance(unpickler: Unpickler) -> None:
    _global(unpickler)
    callee, args = unpickler.stack.pop(), unpickler.pop_to_mark()
    unpickler.stack.append(unpickler.make(callee, args))


@_on("o")
def _instance_on_stack(unpickler: Unpickler) -> None:
    callee, *args = unpickler.pop_to_mark()
    unpickler.stack.append(unpickler.make(callee, args))


@_on("b")
def _build(unpickler: Unpickler) -> None:
    state = unpickler.stack.pop()
    build = getattr(unpickler.stack[-1], "build", None)
    if build is not None:
        build(state)  # a Record, Array or Dtype; attributes of dictionaries and tensors are left out


@_on("\x82")
@_on("\x83")
@_on("\x84")
def _extension(unpickler: Unpickler) -> None:
    raise Refused("its pickle asks for names by number, which no checkpoint does")


@_on("\x97")
@_on("\x98")
def _buffer(unpickler: Unpickler) -> None:
    raise Refused("its pickle asks for data that are not in it")
