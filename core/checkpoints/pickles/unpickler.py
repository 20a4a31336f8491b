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

from ...text import shown, visible
from ..limits import Budget, Damaged, Refused
from .operations import OPERATIONS, STOP

LINE = 512  # bytes of a name
KEY = 2**60  # beyond it, whole numbers can be chosen so that looking one up takes for ever
CALL = 8  # operations that a call costs, with one more for each argument


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


class Unpickler:
    """One or more pickles, one after the other.

    Args:
        data: the bytes.
        names: what may be named.
        budget: what it may cost.
        outside: what stands for an object that is stored beside the pickle.
        position: where to begin; after `run` it is where the pickle has ended.
    """

    def __init__(
        self,
        data: memoryview,
        names: Names,
        budget: Budget,
        outside: Callable[[Any], Any] = unpersistent,
        position: int = 0,
    ) -> None:
        self.data, self.names, self.budget, self.position = data, names, budget, position
        self.outside: Callable[[Any], Any] = outside
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
                    raise Damaged(
                        f"there is no operation {code} in the pickles that are read here (byte {self.position - 1})"
                    )
                operation(self)
        except IndexError:
            raise Damaged(
                f"its pickle ends too soon or takes more than it has, at byte {self.position}"
            ) from None
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, struct.error) as error:
            raise Damaged(
                f"its pickle makes no sense at byte {self.position}: {type(error).__name__}: {visible(str(error))}"
            ) from None

    def take(self, count: int) -> memoryview:
        """The next bytes, not copied."""
        end = self.position + count
        if end > len(self.data):
            raise Damaged(
                f"its pickle claims {count} bytes at byte {self.position}, and {len(self.data) - self.position} are left"
            )
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

    def make(self, what: Any, args: Any) -> Any:
        """What calling a class or function stands for."""
        if not isinstance(args, tuple | list):
            raise Damaged("its pickle calls without arguments")
        self.budget.step(CALL + len(args))  # arguments are copied, and may be as many as the file has bytes
        if isinstance(what, Function):
            return what.make(*args)
        if isinstance(what, Name):
            return Record(what, tuple(args))
        raise Refused(f"its pickle calls something that it has made itself, {shown(what)}")

    def enter(self, target: Any, pairs: list[Any]) -> None:
        """Keys and values into a dictionary. Entries under other keys than text and whole numbers are left out: hashing them may take for ever."""
        if isinstance(target, Record):
            target.entries = {} if target.entries is None else target.entries
            target = target.entries
        if not isinstance(target, dict):
            raise Damaged(
                f"its pickle takes {type(target).__name__} for a dictionary at byte {self.position}"
            )
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if isinstance(key, str | Name) or (isinstance(key, int) and abs(key) < KEY):
                target[key] = value

    def extend(self, target: Any, items: list[Any]) -> None:
        """Items into a list."""
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Record):  # a list of somebody's own class: what is in it is left out
            raise Damaged(f"its pickle takes {type(target).__name__} for a list at byte {self.position}")
