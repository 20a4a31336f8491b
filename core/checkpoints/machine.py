"""Reads pickles and calls nothing that they name.

A pickle is a program for a small stack machine. This is that machine, without its dangerous half: a name
in the pickle is never imported. It is looked up in a table of our own functions, or of names that are only
written down, and a name in neither refuses the file. So what comes out is made of numbers, text, lists,
dictionaries, our own tensors, and `Record`s of the objects that somebody's class would have made.

It is written out here, and not derived from the standard library's reader, because that one can be made to
allocate memory without end, and to overrun the C stack by what it hashes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .limits import Budget, Damaged, Refused, printable

LINE = 512  # bytes of a name
LONG = 64  # bytes of a whole number
KEY = 2**60  # beyond it, whole numbers can be chosen so that looking one up takes for ever


@dataclass(frozen=True)
class Name:
    """A class or function that a pickle names; it is not imported, only written down."""

    full: str

    @property
    def last(self) -> str:
        """What comes after the module."""
        return self.full.rpartition(".")[2]


@dataclass(frozen=True)
class Function(Name):
    """A name for which we have a function of our own."""

    make: Callable[..., Any]


@dataclass(eq=False, slots=True)
class Record:
    """An object that a class would have made: what it would have been made from.

    Attributes:
        name: of the class.
        args: of its constructor.
        state: what it would have been restored from; mostly its attributes.
        entries: if it is a kind of dictionary.
    """

    name: Name
    args: tuple[Any, ...] = ()
    state: Any = None
    entries: dict[Any, Any] | None = None

    def build(self, state: Any) -> None:
        """Take a state."""
        self.state = state


class Names(Protocol):
    """Where names are looked up."""

    def find(self, full: str) -> Name:
        """What `module.name` stands for; raises Refused when it is not on the list."""


def unpersistent(_: Any) -> Any:
    """Outside of torch files nothing is kept beside the pickle."""
    raise Refused("its pickle asks for objects that are not in it")


class Machine:
    """One or more pickles, one after the other.

    Args:
        data: the bytes.
        names: what may be named.
        budget: what it may cost.
        outside: what stands for an object that is stored beside the pickle.
        position: where to begin; after `run` it is where the pickle has ended.
    """

    def __init__(self, data: memoryview, names: Names, budget: Budget, outside: Callable[[Any], Any] = unpersistent, position: int = 0) -> None:
        self.data, self.names, self.budget, self.outside, self.position = data, names, budget, outside, position
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The object that the next pickle holds.

        Raises:
            Damaged: it is no pickle, or is cut short.
            Refused: it names what is not allowed, or takes too long.
        """
        self.stack, self.below, self.memo = [], [], {}
        operations, step = OPERATIONS, self.budget.step
        try:
            while True:
                step()
                code = self.data[self.position]
                self.position += 1
                if code == STOP:
                    return self.stack.pop()
                operation = operations.get(code)
                if operation is None:
                    raise Damaged(f"there is no operation {code} in the pickles that are read here (byte {self.position - 1})")
                operation(self)
        except IndexError:
            raise Damaged(f"its pickle ends too soon or takes more than it has, at byte {self.position}") from None
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, struct.error) as error:
            raise Damaged(f"its pickle makes no sense at byte {self.position}: {type(error).__name__}: {printable(str(error))}") from None

    def take(self, count: int) -> memoryview:
        """The next bytes, not copied."""
        end = self.position + count
        if end > len(self.data):
            raise Damaged(f"its pickle claims {count} bytes at byte {self.position}, and {len(self.data) - self.position} are left")
        found = self.data[self.position : end]
        self.position = end
        return found

    def number(self, form: str) -> int:
        """The next whole number."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def line(self) -> str:
        """Text up to the end of a line."""
        found = bytes(self.data[self.position : self.position + LINE])
        end = found.find(b"\n")
        if end < 0:
            raise Damaged(f"there is no name at byte {self.position}")
        self.position += end + 1
        return found[:end].decode("utf-8")

    def marked(self) -> list[Any]:
        """What was pushed since the last mark."""
        found, self.stack = self.stack, self.below.pop()
        return found

    def put(self, index: int) -> None:
        """Remember the top of the stack."""
        self.memo[index] = self.stack[-1]

    def named(self, module: Any, name: Any) -> None:
        """Push what a name stands for."""
        if not isinstance(module, str) or not isinstance(name, str) or len(module) + len(name) > LINE:
            raise Damaged(f"there is no name at byte {self.position}")
        self.stack.append(self.names.find(f"{module}.{name}"))

    @staticmethod
    def make(what: Any, args: Any) -> Any:
        """What calling a class or function stands for."""
        if not isinstance(args, tuple | list):
            raise Damaged("its pickle calls without arguments")
        if isinstance(what, Function):
            return what.make(*args)
        if isinstance(what, Name):
            return Record(what, tuple(args))
        raise Refused(f"its pickle calls something that it has made itself ({type(what).__name__})")

    def enter(self, target: Any, pairs: list[Any]) -> None:
        """Keys and values into a dictionary. Entries under other keys than text and whole numbers are left out: hashing them may take for ever."""
        if isinstance(target, Record):
            target.entries = {} if target.entries is None else target.entries
            target = target.entries
        if not isinstance(target, dict):
            raise Damaged(f"its pickle takes {type(target).__name__} for a dictionary at byte {self.position}")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if isinstance(key, str | Name) or (isinstance(key, int) and abs(key) < KEY):
                target[key] = value

    def extend(self, target: Any, items: list[Any]) -> None:
        """Items into a list."""
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Record):  # a list of somebody's own class: what is in it is left out
            raise Damaged(f"its pickle takes {type(target).__name__} for a list at byte {self.position}")


Operation = Callable[[Machine], None]
OPERATIONS: dict[int, Operation] = {}
STOP = ord(".")


def _on(code: str) -> Callable[[Operation], Operation]:
    def register(operation: Operation) -> Operation:
        OPERATIONS[ord(code)] = operation
        return operation

    return register


def _pushes(code: str, value: Callable[[Machine], Any]) -> None:
    def push(machine: Machine) -> None:
        found = value(machine)  # before the stack is asked for: a mark gives way to the stack below it
        machine.stack.append(found)

    OPERATIONS[ord(code)] = push


def _long(machine: Machine, length: int) -> int:
    if not 0 <= length <= LONG:
        raise Damaged(f"its pickle has a number of {length} bytes at byte {machine.position}")
    return int.from_bytes(machine.take(length), "little", signed=True)


def _text(machine: Machine, length: int) -> str:
    return str(machine.take(length), "utf-8", "replace")


def _latin(machine: Machine, length: int) -> str:
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
def _protocol(machine: Machine) -> None:
    version = machine.number("<B")
    if version > 5:
        raise Damaged(f"it would be a pickle of protocol {version}, which does not exist")


@_on("\x95")
def _frame(machine: Machine) -> None:
    length = machine.number("<Q")
    if length > len(machine.data) - machine.position:
        raise Damaged(f"its pickle claims {length} bytes at byte {machine.position}, and {len(machine.data) - machine.position} are left")


@_on("(")
def _mark(machine: Machine) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


@_on("0")
def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.marked()


@_on("1")
def _pop_mark(machine: Machine) -> None:
    machine.marked()


@_on("q")
def _put_short(machine: Machine) -> None:
    machine.put(machine.number("<B"))


@_on("r")
def _put_long(machine: Machine) -> None:
    machine.put(machine.number("<I"))


@_on("\x94")
def _memoize(machine: Machine) -> None:
    machine.put(len(machine.memo))


@_on("a")
def _append(machine: Machine) -> None:
    item = machine.stack.pop()
    machine.extend(machine.stack[-1], [item])


@_on("e")
@_on("\x90")
def _appends(machine: Machine) -> None:
    items = machine.marked()
    machine.extend(machine.stack[-1], items)


@_on("s")
def _set_item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.enter(machine.stack[-1], [key, value])


@_on("u")
def _set_items(machine: Machine) -> None:
    pairs = machine.marked()
    machine.enter(machine.stack[-1], pairs)


@_on("d")
def _dictionary(machine: Machine) -> None:
    found: dict[Any, Any] = {}
    machine.enter(found, machine.marked())
    machine.stack.append(found)


@_on("c")
def _global(machine: Machine) -> None:
    module, name = machine.line(), machine.line()
    machine.named(module, name)


@_on("\x93")
def _global_on_stack(machine: Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.named(module, name)


@_on("R")
@_on("\x81")
def _call(machine: Machine) -> None:
    args, what = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.make(what, args))


@_on("\x92")
def _call_with_keywords(machine: Machine) -> None:
    keywords, args, what = machine.stack.pop(), machine.stack.pop(), machine.stack.pop()
    if keywords:
        raise Refused("its pickle calls with keywords, which no checkpoint does")
    machine.stack.append(machine.make(what, args))


@_on("i")
def _instance(machine: Machine) -> None:
    _global(machine)
    what, args = machine.stack.pop(), machine.marked()
    machine.stack.append(machine.make(what, args))


@_on("o")
def _instance_on_stack(machine: Machine) -> None:
    what, *args = machine.marked()
    machine.stack.append(machine.make(what, args))


@_on("b")
def _build(machine: Machine) -> None:
    state = machine.stack.pop()
    build = getattr(machine.stack[-1], "build", None)
    if build is not None:
        build(state)  # of Record, Array or Dtype; attributes of dictionaries and tensors are left out


@_on("\x82")
@_on("\x83")
@_on("\x84")
def _extension(machine: Machine) -> None:
    raise Refused("its pickle asks for names by number, which no checkpoint does")


@_on("\x97")
@_on("\x98")
def _buffer(machine: Machine) -> None:
    raise Refused("its pickle asks for data that are not in it")
