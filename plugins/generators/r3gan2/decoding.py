"""Decode latents by a VAE of the library `diffusers`, read from a local folder.

Only safetensors weights are read, and nothing is downloaded.
"""

from __future__ import annotations

import json
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ....core.checkpoints import digest
from ....core.checkpoints.npy import read_npz
from ....core.device import for_inference
from ....core.errors import CheckpointError
from ....core.messages import shown, visible
from ....core.storage.paths import user_path
from .encoding import FACTOR, KNOWN, Encoding

LIBRARY = "diffusers"
INSTALL = "pip install 'ganstrata[diffusers]'"
CONFIG = "config.json"
CLASSES = {"stability": "AutoencoderKL", "flux2": "AutoencoderKLFlux2"}
DOWNLOADS = {
    "stability": "hf download {vae} --local-dir sd-vae, then decoder: ./sd-vae",
    "flux2": "hf download {vae} --include 'vae/*' --local-dir flux2, then decoder: ./flux2/vae",
}


class Decoder(nn.Module):
    """Turn the latents that a network gives into pictures.

    Attributes:
        sha256: of the weights.

    Args:
        vae: of diffusers; its encoder is dropped.
        encoding: mean and deviation of its latents.
    """

    means: Tensor
    scales: Tensor

    def __init__(self, vae: nn.Module, encoding: Encoding) -> None:
        super().__init__()
        del vae.encoder
        self.vae: Any = vae
        self.kind = encoding.kind
        self.sha256 = digest(dict(vae.state_dict()))
        self.register_buffer("means", torch.tensor(encoding.means)[:, None, None])
        deviations = torch.tensor(encoding.deviations)[:, None, None]
        self.register_buffer("scales", deviations / encoding.final)

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (N, C, h, w) to pictures (N, 3, 8h, 8w), nominally in [0, 1], in float32."""
        x: Tensor = self.vae.decode(latents.float() * self.scales + self.means, return_dict=False)[0]
        # The authors give pictures in [0, 1] to Stable Diffusion's VAE, although it was trained on [-1, 1].
        return x if self.kind == "stability" else (x + 1.0) / 2.0


def load_decoder(folder: str, encoding: Encoding, device: torch.device) -> Decoder:
    """Load the decoder that an encoding needs.

    Args:
        folder: with config.json and safetensors weights, as save_pretrained() writes them.
        encoding: of a network that gives latents.
        device: on which it runs.

    Raises:
        CheckpointError: the library is not installed, or the folder holds no such VAE.
    """
    path, wanted = user_path(folder), CLASSES[encoding.kind]
    class_name = _class_name(path, encoding)
    if class_name != wanted:
        raise CheckpointError(
            f"decoder {path} holds {visible(str(class_name))}, but this network needs {wanted}: "
            f"{download(encoding)}"
        )
    library = _installed()
    try:
        with warnings.catch_warnings(action="ignore"):  # about hardware that is not there
            vae, report = getattr(library, wanted).from_pretrained(
                str(path),
                local_files_only=True,
                use_safetensors=True,
                low_cpu_mem_usage=False,  # otherwise it asks for a further library
                torch_dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "")[:300]
        raise CheckpointError(
            f"decoder {path} cannot be read as {wanted}: {type(error).__name__}: {visible(first)}"
        ) from None
    if report["missing_keys"] or report["mismatched_keys"]:
        names = [str(name) for name in (*report["missing_keys"], *report["mismatched_keys"])]
        raise CheckpointError(f"decoder {path} lacks weights, or has them in another shape: {shown(names)}")
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    channels = KNOWN[encoding.kind].channels
    if (vae.config.latent_channels, factor) != (channels, FACTOR):
        raise CheckpointError(
            f"decoder {path} has {vae.config.latent_channels} channels of latents, each pixel of which gives "
            f"{factor} x {factor} of the picture; this network needs {channels} and {FACTOR} x {FACTOR}"
        )
    return for_inference(Decoder(vae, encoding), device)


def latent_stats(file: str, encoding: Encoding) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Read means and deviations of latents from a file like the authors' latent_stats.npz.

    Raises:
        CheckpointError: it cannot be read, or has no arrays `mean` and `std` of one number per channel.
    """
    path, channels = user_path(file), KNOWN[encoding.kind].channels
    arrays = read_npz(path, ("mean", "std"))
    mean, std = arrays.get("mean"), arrays.get("std")
    if mean is None or std is None or mean.shape != (channels,) or std.shape != (channels,):
        raise CheckpointError(
            f"latent_stats {path}: it needs the arrays mean and std of shape ({channels},), as the authors' "
            "latent_stats.npz has them"
        )
    return tuple(map(float, mean)), tuple(map(float, std))


def download(encoding: Encoding) -> str:
    """Return what fetches the decoder, for messages."""
    return DOWNLOADS[encoding.kind].replace("{vae}", visible(encoding.vae or "the VAE"))


def _class_name(path: Path, encoding: Encoding) -> object:
    """Return the class that the config.json of a folder names.

    Raises:
        CheckpointError: there is no such file, or it is not JSON.
    """
    if not (path / CONFIG).is_file():
        raise CheckpointError(
            f"decoder {path}: there is no folder with {CONFIG} and diffusion_pytorch_model.safetensors: "
            f"{download(encoding)}"
        )
    try:
        values = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path / CONFIG} cannot be read: {visible(str(error))}") from None
    return values.get("_class_name") if isinstance(values, dict) else None


def _installed() -> Any:
    """Import and return the library.

    Raises:
        CheckpointError: it is not installed.
    """
    try:
        return import_module(LIBRARY)
    except ImportError as error:
        raise CheckpointError(
            f"this network gives latents, whose decoder needs the package {LIBRARY}, which is not installed "
            f"({error}): {INSTALL}"
        ) from None
