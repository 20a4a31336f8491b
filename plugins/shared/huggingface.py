"""Load networks of the `transformers` library from a local folder, or from the hub if the config allows it.

Only safetensors weights are read, and no code that comes with a model is run. Images are prepared in torch
on their own device, as the model's preprocessor_config.json says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from ...core.device import for_inference
from ...core.errors import CheckpointError
from ...core.messages import shown
from ...core.plugins.base import PluginConfig
from ...core.storage.name_rules import fault_of
from ...core.storage.paths import user_path
from .preprocessing import Mode, centre_cropped, normalised, resized

LIBRARY = ("transformers",)  # the distribution on whose version the numbers depend
INSTALL = "pip install 'ganstrata[transformers]'"
RESAMPLING: Mapping[int, Mode] = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


class HubConfig(PluginConfig):
    """Set the source of a model."""

    model: str = Field(
        examples=["path/to/model"],
        description="a local folder with config.json and model.safetensors, or a hub id such as "
        "nvidia/segformer-b0-finetuned-ade-512-512",
    )
    download: bool = Field(
        default=False,
        description="fetch a hub id that is not in the local cache; otherwise nothing is downloaded",
    )
    revision: str | None = Field(default=None, description="of a hub id: a branch, a tag or a commit")


@dataclass(frozen=True)
class Preparation:
    """Prepare images as a model needs them: resize, crop, normalise.

    Attributes:
        height, width: to which images are resized; None leaves them as they are.
        shortest: whether `height` is the length of the shorter side, and the aspect ratio is kept.
        crop: size of the square cut out of the middle, or None.
        mode: of resizing.
        mean, std: of normalisation.
    """

    height: int | None
    width: int | None
    shortest: bool
    crop: int | None
    mode: Mode
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def input_size(self) -> tuple[int, int] | None:
        """Height and width of the input of the model for square images; None if they stay as they are."""
        if self.crop is not None:
            return self.crop, self.crop
        return None if self.height is None else (self.height, self.width or self.height)

    def __call__(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W), nominally in [0, 1], to the input of the model, (N, 3, h, w)."""
        if self.height is not None:
            width = self.width
            height = self.height
            if self.shortest:
                # In whole numbers: a factor in floating point would make 223 of some shorter sides.
                tall, wide = images.shape[-2:]
                height, width = (self.height * side // min(tall, wide) for side in (tall, wide))
            images = resized(images, height, width, mode=self.mode)
        else:
            images = images.clamp(0.0, 1.0)
        if self.crop is not None:
            images = centre_cropped(images, self.crop)
        return normalised(images, self.mean, self.std)


@dataclass(frozen=True)
class Loaded:
    """Hold a loaded model, its config and its preparation of images.

    Attributes:
        network: in evaluation mode, frozen, on its device.
        settings: its config, as plain values.
        prepare: from images to its input.
        sha256: of config, preparation and weights.
        source: folder or hub id.
    """

    network: nn.Module
    settings: Mapping[str, Any]
    prepare: Preparation
    sha256: str
    source: str

    def labels(self) -> tuple[str, ...]:
        """Return the names of its outputs, in order, without commas, slashes and spaces."""
        table = self.settings.get("id2label") or {}
        stored = [str(table.get(i, table.get(str(i), f"label_{i}"))) for i in range(len(table))]
        names = [re.sub(r"[\s/|]", "_", re.split("[,;]", name)[0].strip()) for name in stored]
        return unique([f"label_{i}" if fault_of(name) else name for i, name in enumerate(names)])


def load(auto_class: str, config: HubConfig, device: torch.device) -> Loaded:
    """Load a model by one of the library's automatic classes.

    Args:
        auto_class: its name, such as AutoModelForSemanticSegmentation.
        config: folder or hub id.
        device: on which it runs.

    Raises:
        CheckpointError: the library is not installed, or there is no such model with safetensors weights for
            this class.
    """
    library = installed()
    source = model_source(config)
    options: dict[str, Any] = {
        "local_files_only": not config.download,
        "trust_remote_code": False,
        "revision": config.revision or "main",
    }
    try:
        with quiet(library):
            network, report = getattr(library, auto_class).from_pretrained(
                source, use_safetensors=True, output_loading_info=True, dtype=torch.float32, **options
            )
    except Exception as error:
        raise CheckpointError(_loading_fault(config, auto_class, error)) from None
    missing = sorted(report.get("missing_keys", ()))
    if missing:
        raise CheckpointError(
            f"model {config.model} has no weights for "
            f"{', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}: it is not an {auto_class}"
        )
    settings = network.config.to_dict()
    preparation = _read_preparation(library, source, options)
    digest = hashlib.sha256(json.dumps([settings, repr(preparation)], sort_keys=True, default=str).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(
            tensor.contiguous().view(torch.uint8).numpy().tobytes()
            if tensor.dim()
            else str(tensor.item()).encode()
        )
    return Loaded(
        for_inference(cast("nn.Module", network), device),
        settings,
        preparation,
        digest.hexdigest(),
        config.model,
    )


def tokenizer(config: HubConfig) -> Any:
    """Load the tokenizer of a model.

    Raises:
        CheckpointError: it has none that can be read.
    """
    library = installed()
    try:
        with quiet(library):
            return library.AutoTokenizer.from_pretrained(
                model_source(config),
                local_files_only=not config.download,
                trust_remote_code=False,
                revision=config.revision or "main",
            )
    except Exception as error:
        raise CheckpointError(
            f"model {config.model} has no tokenizer that can be read here: {_first_line(error)}"
        ) from None


def installed() -> Any:
    """Import and return the library.

    Raises:
        CheckpointError: it is not installed.
    """
    try:
        return import_module("transformers")
    except ImportError as error:
        raise CheckpointError(
            f"this plugin needs the package transformers, which is not installed ({error}): {INSTALL}"
        ) from None


class quiet:
    """Suppress progress bars and advice of the library within the block."""

    def __init__(self, library: Any) -> None:
        self.logging = library.utils.logging

    def __enter__(self) -> None:
        self.level = self.logging.get_verbosity()
        self.bars = self.logging.is_progress_bar_enabled()
        self.logging.set_verbosity_error()
        self.logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        self.logging.set_verbosity(self.level)
        if self.bars:
            self.logging.enable_progress_bar()


def unique(names: list[str]) -> tuple[str, ...]:
    """Return the names with a number appended to those that occurred before.

    >>> unique(["wall", "door", "wall"])
    ('wall', 'door', 'wall_2')
    """
    counts: dict[str, int] = {}
    result = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        result.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return tuple(result)


def model_source(config: HubConfig) -> str:
    """Return the folder or hub id of a config.

    Raises:
        CheckpointError: the text is neither.
    """
    folder = user_path(config.model)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise CheckpointError(
                f"model {folder} is a folder without config.json; "
                "give the folder that save_pretrained() wrote"
            )
        return str(folder)
    if (
        folder.is_absolute()
        or config.model.startswith((".", "~"))
        or config.model.count("/") != 1
        or folder.exists()
    ):
        raise CheckpointError(
            f"model {config.model}: there is no such folder, and it is no hub id either (owner/name)"
        )
    return config.model


def _loading_fault(config: HubConfig, auto_class: str, error: Exception) -> str:
    """Describe why a model cannot be loaded, and the remedy."""
    text = _first_line(error)
    folder = user_path(config.model)
    if folder.is_dir():
        if not any(folder.glob("*.safetensors")):
            return (
                f"model {config.model} holds no .safetensors weights; pickled ones are not read. "
                "Convert them with save_pretrained(safe_serialization=True)"
            )
        return f"model {config.model} cannot be read as {auto_class}: {type(error).__name__}: {text}"
    if not config.download:
        return (
            f"model {config.model} is not in the local cache, and nothing is downloaded by default: "
            f"write `download: true`, or give a local folder ({text})"
        )
    reason = f"{type(error).__name__}: {text}"
    return f"model {config.model} cannot be fetched from the hub or is not an {auto_class}: {reason}"


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, up to 300 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _read_preparation(library: Any, source: str, options: Mapping[str, Any]) -> Preparation:
    """Read preprocessor_config.json from the folder or hub."""
    try:
        values, _ = library.ImageProcessingMixin.get_image_processor_dict(
            source, local_files_only=options["local_files_only"], revision=options["revision"]
        )
    except Exception as error:
        raise CheckpointError(
            f"model {source} has no preprocessor_config.json, "
            f"so it is not known how to prepare images: {_first_line(error)}"
        ) from None
    if isinstance(values.get("image_processor"), dict):
        values = values["image_processor"]
    return preparation_of(values, source)


def preparation_of(values: Mapping[str, Any], source: str) -> Preparation:
    """Return the preparation that the values of a preprocessor_config.json describe.

    Raises:
        CheckpointError: a size, filter or normalisation is not supported.
    """
    size = values.get("size") if values.get("do_resize", True) else None
    height = width = None
    shortest = False
    if isinstance(size, int):
        height, shortest = size, values.get("image_processor_type", "").startswith("CLIP")
    elif isinstance(size, dict) and {"height", "width"} <= size.keys():
        height, width = int(size["height"]), int(size["width"])
    elif isinstance(size, dict) and "shortest_edge" in size:
        height, shortest = int(size["shortest_edge"]), True
    elif size is not None:
        raise CheckpointError(
            f"model {source}: its preprocessor_config.json has the size {shown(size)}; "
            "known are a number, height and width, or shortest_edge"
        )
    crop = values.get("crop_size") if values.get("do_center_crop", False) else None
    if isinstance(crop, dict):
        crop = int(crop["height"])
    resample = values.get("resample", 2)
    if resample not in RESAMPLING:
        raise CheckpointError(
            f"model {source}: its preprocessor_config.json asks for Pillow's filter {shown(resample)}; "
            "known are 2 (bilinear) and 3 (bicubic)"
        )
    mean, std = (0.0,) * 3, (1.0,) * 3
    if values.get("do_normalize", True):
        mean, std = tuple(values.get("image_mean", (0.5,) * 3)), tuple(values.get("image_std", (0.5,) * 3))
    if len(mean) != 3 or len(std) != 3 or not all(s > 0.0 for s in std):
        raise CheckpointError(
            f"model {source}: "
            f"its preprocessor_config.json has the mean {mean} and the standard deviation {std}"
        )
    factor = values.get("rescale_factor", 1 / 255)
    if not values.get("do_rescale", True) or abs(float(factor) * 255 - 1) > 1e-3:
        raise CheckpointError(
            f"model {source}: its preprocessor_config.json does not scale images to [0, 1] first; "
            "nothing else is supported"
        )
    return Preparation(height, width, shortest, crop, RESAMPLING[resample], mean, std)
