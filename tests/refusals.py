"""Check that bad files are refused within seconds, in a few lines."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.errors import CheckpointError

# Of a processor. Where the lines that run are counted, loops of Python take several times as long.
SECONDS = 10.0 if sys.gettrace() is None else 60.0
CHARACTERS = 1000  # of a message


def refused(path: Path, content: bytes) -> str:
    """Write a file that must be refused, and return the message."""
    path.write_bytes(content.ljust(16, b"\0"))
    began = time.process_time()
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert time.process_time() - began < SECONDS
    assert len(str(caught.value)) <= CHARACTERS
    return str(caught.value)
