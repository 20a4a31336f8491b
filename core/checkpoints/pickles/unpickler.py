"""Read pickles without calling anything that they name.

A pickle is a program for a small stack machine. This module implements the machine without its dangerous
half: a name in the pickle is never imported. It is looked up in a table of ganstrata's own functions and of
names that are only recorded; any other name makes the reader refuse the file. The result consists of
numbers, text, lists, dictionaries, tensors, and a `Record` for each object of another class.

The standard library's unpickler is not used, because a file can make it allocate unlimited memory, or
overflow the C stack while hashing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ...messages import shown, visible
from ..limits import Budget, Damaged, Refused
from .operations import OPERATIONS, STOP

LINE = 512  # bytes of a name, at most
KEY = 2**60  # from here on, integer keys can be chosen to have equal hashes, which makes lookups very slow
PLACES = 4  # integers of a key, at most
CALL = 8  # steps that a call costs, plus one per argument


@dataclass(frozen=True)
class Name:
    """Represent a class or function that a pickle names; it is recorded, not imported."""

    full: str

    @property
    def last(self) -> str:
        """Name without its module."""
        return self.full.rpartition(".")[2]


@dataclass(frozen=True)
class Function(Name):
    """Represent a name that is replaced by a function of ganstrata."""

    make: Callable[..., Any]


@dataclass(frozen=True)
class Foreign(Name):
    """Represent a name of a package that is not known here; what is made of it is inert.

    Nothing of it is imported or run. It is recorded because a file may hold such objects beside its
    generator: a discriminator, an optimiser, a program's arguments.
    """


@dataclass(eq=False, slots=True)
class Record:
    """Record the data from which a pickle would make an object of some class.

    Attributes:
        name: name of the class.
        args: arguments of its constructor.
        state: state from which it would be restored, usually its attributes.
        entries: items, if it is a kind of dictionary.
    """

    name: Name
    args: tuple[Any, ...] = ()
    state: Any = None
    entries: dict[Any, Any] | None = None

    def build(self, state: Any) -> None:
        """Record the state."""
        self.state = state


class Names(Protocol):
    """Represent a table of allowed names."""

    def find(self, full: str) -> Name:
        """Return what replaces `module.name`; raise Refused if it is not allowed."""


def unpersistent(key: Any) -> Any:
    """Refuse a persistent id: only torch files keep objects outside the pickle."""
    if isinstance(key, tuple) and key and isinstance(key[0], str) and key[0] == "storage":
        raise Refused(
            "it is the index without the tensors, the data.pkl of an unpacked torch file: "
            "give the .pt (or .pth, .ckpt) file that it was unpacked from"
        )
    raise Refused("its pickle asks for objects that are not in it")


class Unpickler:
    """Read one or more consecutive pickles.

    Args:
        data: bytes of the file.
        names: table of allowed names.
        budget: budget of the file.
        outside: returns the object for a persistent id, which is stored outside the pickle.
        position: offset of the first pickle; after `run`, the offset of the byte after the pickle.
    """

    def __init__(
        self,
        data: memoryview,
        names: Names,
        budget: Budget,
        persistent_load: Callable[[Any], Any] = unpersistent,
        position: int = 0,
    ) -> None:
        self.data, self.names, self.budget, self.position = data, names, budget, position
        self.persistent_load: Callable[[Any], Any] = persistent_load
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return the object in the next pickle.

        Raises:
            Damaged: it is not a pickle, or is cut short.
            Refused: it uses a name that is not allowed, or takes too many steps.
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
                        f"there is no operation {code} in the pickles that are read here "
                        f"(byte {self.position - 1})"
                    )
                operation(self)
        except IndexError:
            raise Damaged(
                f"its pickle ends too soon or takes more than it has, at byte {self.position}"
            ) from None
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, struct.error) as error:
            raise Damaged(
                f"its pickle makes no sense at byte {self.position}: "
                f"{type(error).__name__}: {visible(str(error))}"
            ) from None

    def take(self, count: int) -> memoryview:
        """Return the next bytes, without a copy."""
        end = self.position + count
        if end > len(self.data):
            raise Damaged(
                f"its pickle claims {count} bytes at byte {self.position}, "
                f"and {len(self.data) - self.position} are left"
            )
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def number(self, form: str) -> int:
        """Return the next whole number, in a format of `struct`."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def line(self) -> str:
        """Return the text up to the end of the line, at most `LINE` bytes."""
        line = bytes(self.data[self.position : self.position + LINE])
        end = line.find(b"\n")
        if end < 0:
            raise Damaged(f"there is no name at byte {self.position}")
        self.position += end + 1
        return line[:end].decode("utf-8")

    def pop_to_mark(self) -> list[Any]:
        """Pop and return what was pushed since the last mark, and continue with the stack below it."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def memoize(self, index: int) -> None:
        """Store the top of the stack in the memo."""
        self.memo[index] = self.stack[-1]

    def push_name(self, module: Any, name: Any) -> None:
        """Push what replaces a name.

        Raises:
            Refused: the name is not allowed.
        """
        if not isinstance(module, str) or not isinstance(name, str) or len(module) + len(name) > LINE:
            raise Damaged(f"there is no name at byte {self.position}")
        self.stack.append(self.names.find(f"{module}.{name}"))

    def make(self, callee: Any, args: Any) -> Any:
        """Return the result of a call: of ganstrata's own function, or a record of the call.

        Raises:
            Refused: the pickle calls something other than a name.
        """
        if not isinstance(args, tuple | list):
            raise Damaged("its pickle calls without arguments")
        self.budget.step(CALL + len(args))  # arguments are copied; there may be as many as the file has bytes
        if isinstance(callee, Function):
            return callee.make(*args)
        if isinstance(callee, Name):
            return Record(callee, tuple(args))
        if isinstance(callee, Record) and self.is_inert(callee):
            return Record(callee.name)  # dill makes classes, and objects of them; the call is not kept
        raise Refused(f"its pickle calls something that it has made itself, {shown(callee)}")

    @staticmethod
    def is_inert(callee: Any) -> bool:
        """Return whether a call makes nothing but a record of a package that is not known here."""
        return isinstance(callee.name if isinstance(callee, Record) else callee, Foreign)

    def set_items(self, target: Any, pairs: list[Any]) -> None:
        """Put keys and values into a dictionary.

        Only text, names and integers below `KEY` may be keys. A short tuple of such integers becomes text:
        (6, 501) is "(6, 501)". Other entries are left out, because hashing the key could take forever.
        """
        if isinstance(target, Record):
            target.entries = {} if target.entries is None else target.entries
            target = target.entries
        if not isinstance(target, dict):
            raise Damaged(
                f"its pickle takes {type(target).__name__} for a dictionary at byte {self.position}"
            )
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if (
                isinstance(key, tuple)
                and len(key) <= PLACES
                and all(type(n) is int and abs(n) < KEY for n in key)
            ):
                key = str(key)
            if isinstance(key, str | Name) or (isinstance(key, int) and abs(key) < KEY):
                target[key] = value

    def extend(self, target: Any, items: list[Any]) -> None:
        """Append items to a list."""
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Record):  # items of a record, which is a list subclass, are left out
            raise Damaged(f"its pickle takes {type(target).__name__} for a list at byte {self.position}")
