"""Read checkpoint files without running anything in them."""

from .content import Checkpoint, Part, digest, unreal
from .npy import read_npy, read_npz
from .reading import BUNDLED, WEIGHTS, locate, read_checkpoint
from .remote import is_remote, origin
from .safetensors_file import SETTINGS
from .values import Inert, Values, is_text, read_values

__all__ = [
    "BUNDLED",
    "SETTINGS",
    "WEIGHTS",
    "Checkpoint",
    "Inert",
    "Part",
    "Values",
    "digest",
    "is_remote",
    "is_text",
    "locate",
    "origin",
    "read_checkpoint",
    "read_npy",
    "read_npz",
    "read_values",
    "unreal",
]
