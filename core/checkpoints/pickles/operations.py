"""What each operation of a pickle does to the machine that reads it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..limits import Damaged, Refused

if TYPE_CHECKING:
    from .unpickler import Unpickler

LONG = 64  # bytes of a whole number
TEXT = 1_000_000  # bytes of text that may hold any signs; longer text is the numbers of an array, as Latin-1
WIDE = re.compile(rb"[\xc4-\xff]")  # in UTF-8: signs that take more memory than bytes

Operation = Callable[["Unpickler"], None]
OPERATIONS: dict[int, Operation] = {}
STOP = ord(".")


def _on(code: str) -> Callable[[Operation], Operation]:
    def register(operation: Operation) -> Operation:
        OPERATIONS[ord(code)] = operation
        return operation

    return register


def _pushes(code: str, value: Callable[[Unpickler], Any]) -> None:
    def push(machine: Unpickler) -> None:
        found = value(machine)  # before the stack is asked for: a mark gives way to the stack below it
        machine.stack.append(found)

    OPERATIONS[ord(code)] = push


def _long(machine: Unpickler, length: int) -> int:
    if not 0 <= length <= LONG:
        raise Damaged(f"its pickle has a number of {length} bytes at byte {machine.position}")
    return int.from_bytes(machine.take(length), "little", signed=True)


def _text(machine: Unpickler, length: int) -> str:
    data = machine.take(length)
    if length > TEXT and WIDE.search(data):
        raise Damaged(f"its pickle has text of {length} bytes at byte {machine.position - length}")
    machine.budget.copy(length)
    return str(data, "utf-8", "replace")


def _latin(machine: Unpickler, length: int) -> str:
    machine.budget.copy(length)
    return str(machine.take(length), "latin-1")  # text of Python 2, or its bytes: see arrays.raw


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
_pushes("\x8f", lambda m: [])  # a set: its items are never compared
_pushes("h", lambda m: m.memo[m.number("<B")])
_pushes("j", lambda m: m.memo[m.number("<I")])
_pushes("2", lambda m: m.stack[-1])
_pushes("t", lambda m: tuple(m.marked()))
_pushes("l", lambda m: m.marked())
_pushes("\x91", lambda m: m.marked())  # a frozen set
_pushes("\x85", lambda m: (m.stack.pop(),))
_pushes("\x86", lambda m: (m.stack.pop(), m.stack.pop())[::-1])
_pushes("\x87", lambda m: (m.stack.pop(), m.stack.pop(), m.stack.pop())[::-1])
_pushes("Q", lambda m: m.outside(m.stack.pop()))


@_on("\x80")
def _protocol(machine: Unpickler) -> None:
    version = machine.number("<B")
    if version > 5:
        raise Damaged(f"it would be a pickle of protocol {version}, which does not exist")


@_on("\x95")
def _frame(machine: Unpickler) -> None:
    length = machine.number("<Q")
    if length > len(machine.data) - machine.position:
        raise Damaged(
            f"its pickle claims {length} bytes at byte {machine.position}, and {len(machine.data) - machine.position} are left"
        )


@_on("(")
def _mark(machine: Unpickler) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


@_on("0")
def _pop(machine: Unpickler) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.marked()


@_on("1")
def _pop_mark(machine: Unpickler) -> None:
    machine.marked()


@_on("q")
def _put_short(machine: Unpickler) -> None:
    machine.put(machine.number("<B"))


@_on("r")
def _put_long(machine: Unpickler) -> None:
    machine.put(machine.number("<I"))


@_on("\x94")
def _memoize(machine: Unpickler) -> None:
    machine.put(len(machine.memo))


@_on("a")
def _append(machine: Unpickler) -> None:
    item = machine.stack.pop()
    machine.extend(machine.stack[-1], [item])


@_on("e")
@_on("\x90")
def _appends(machine: Unpickler) -> None:
    items = machine.marked()
    machine.extend(machine.stack[-1], items)


@_on("s")
def _set_item(machine: Unpickler) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.enter(machine.stack[-1], [key, value])


@_on("u")
def _set_items(machine: Unpickler) -> None:
    pairs = machine.marked()
    machine.enter(machine.stack[-1], pairs)


@_on("d")
def _dictionary(machine: Unpickler) -> None:
    found: dict[Any, Any] = {}
    machine.enter(found, machine.marked())
    machine.stack.append(found)


@_on("c")
def _global(machine: Unpickler) -> None:
    module, name = machine.line(), machine.line()
    machine.named(module, name)


@_on("\x93")
def _global_on_stack(machine: Unpickler) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.named(module, name)


@_on("R")
@_on("\x81")
def _call(machine: Unpickler) -> None:
    args, what = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.make(what, args))


@_on("\x92")
def _call_with_keywords(machine: Unpickler) -> None:
    keywords, args, what = machine.stack.pop(), machine.stack.pop(), machine.stack.pop()
    if keywords:
        raise Refused("its pickle calls with keywords, which no checkpoint does")
    machine.stack.append(machine.make(what, args))


@_on("i")
def _instance(machine: Unpickler) -> None:
    _global(machine)
    what, args = machine.stack.pop(), machine.marked()
    machine.stack.append(machine.make(what, args))


@_on("o")
def _instance_on_stack(machine: Unpickler) -> None:
    what, *args = machine.marked()
    machine.stack.append(machine.make(what, args))


@_on("b")
def _build(machine: Unpickler) -> None:
    state = machine.stack.pop()
    build = getattr(machine.stack[-1], "build", None)
    if build is not None:
        build(state)  # of Record, Array or Dtype; attributes of dictionaries and tensors are left out


@_on("\x82")
@_on("\x83")
@_on("\x84")
def _extension(machine: Unpickler) -> None:
    raise Refused("its pickle asks for names by number, which no checkpoint does")


@_on("\x97")
@_on("\x98")
def _buffer(machine: Unpickler) -> None:
    raise Refused("its pickle asks for data that are not in it")
