"""Run in a thread of its own what takes seconds and needs no network, such as decoding a picture."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
EVERY = 0.005  # seconds between two breaths: so long a frame waits at most for its turn


class SideThread:
    """Run one call at a time in a thread beside the one that computes; all tabs share it.

    What is done there must let go of Python's lock for most of its time, as Pillow does, and must not compute
    with a network.
    """

    def __init__(self) -> None:
        self._place = threading.Lock()  # held while the thread lives

    def run(self, perform: Callable[[], Found], breathe: Callable[[], None]) -> Found:
        """Return what `perform` returns, or raise what it raises; breathe until then.

        When a breath raises, because nobody wants the answer any more, the thread ends by itself, and what
        comes next waits for it.
        """
        while not self._place.acquire(timeout=EVERY):
            breathe()
        ended, found, faults = threading.Event(), list[Found](), list[BaseException]()

        def work() -> None:
            try:
                found.append(perform())
            except BaseException as error:
                faults.append(error)
            finally:
                self._place.release()
                ended.set()

        try:
            threading.Thread(target=work, name="ganstrata-side", daemon=True).start()
        except RuntimeError:  # the system has no thread left
            self._place.release()
            raise
        while not ended.wait(EVERY):
            breathe()
        if faults:
            raise faults[0]
        return found[0]
