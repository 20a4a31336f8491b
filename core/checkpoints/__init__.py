"""Read checkpoint files without running anything in them."""

from .content import Checkpoint, Part, digest, unreal
from .npy import read_npy, read_npz
from .reading import BUNDLED, WEIGHTS, locate, read_checkpoint
from .remote import is_remote, origin
from .safetensors_file import SETTINGS

__all__ = [
    "BUNDLED",
    "SETTINGS",
    "WEIGHTS",
    "Checkpoint",
    "Part",
    "digest",
    "is_remote",
    "locate",
    "origin",
    "read_checkpoint",
    "read_npy",
    "read_npz",
    "unreal",
]
