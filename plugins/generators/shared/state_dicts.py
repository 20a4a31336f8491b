"""Compare the tensors of a checkpoint with a network, and load them into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

from ....core.checkpoints.detect import Examined
from ....core.checkpoints.skeleton import shapes_only
from ....core.errors import CheckpointError
from ....core.messages import shown
from ....core.plugins.colours import CHANNELS
from .layouts import Layout, Translated
from .spelling import in_file

MAX_RESOLUTION = 2**14  # pixels
KINDS = {1: "grey", 3: "RGB", 4: "RGB with alpha"}  # of images, by number of channels
N = TypeVar("N", bound=nn.Module)


class Misfits(NamedTuple):
    """List the tensors of a state dict that do not fit a network: missing, unexpected, of another shape."""

    missing: tuple[str, ...]
    superfluous: tuple[str, ...]
    misshapen: tuple[str, ...]


def compare(
    build: Callable[[], nn.Module], tensors: Mapping[str, Tensor], origin: Mapping[str, str]
) -> Misfits:
    """Compare a translated state dict with the network of an architecture.

    Args:
        build: builds the network. It is called in `shapes_only`, so that sizes stated by a hostile file
            allocate no memory.
        tensors: by the names used here.
        origin: maps these names to the stored ones.

    Raises:
        CheckpointError: torch cannot build a network of these sizes.
    """
    try:
        with shapes_only():
            expected = {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}
    # torch raises these for sizes below zero or too large to count.
    except (RuntimeError, ValueError, OverflowError, ZeroDivisionError):
        raise CheckpointError("there is no network of the sizes that its tensors claim") from None
    misshapen = []
    for name in sorted(expected.keys() & tensors.keys()):
        shape = tuple(tensors[name].shape)
        if shape != expected[name]:
            misshapen.append(f"{origin.get(name, name)} is {shape}, expected {expected[name]}")
    missing = sorted(expected.keys() - tensors.keys())
    superfluous = sorted(origin.get(name, name) for name in tensors.keys() - expected.keys())
    return Misfits(tuple(missing), tuple(superfluous), tuple(misshapen))


class Architecture(Protocol):
    """Describe the interface of an architecture: a dataclass of plain values that builds its network."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def resolution(self) -> int:
        """Longer side of the images in pixels."""
        ...

    @property
    def z_dim(self) -> int:
        """Width Z of z."""
        ...

    @property
    def classes(self) -> int:
        """Number of classes Y; 0 if the network is unconditional."""
        ...

    def build(self) -> nn.Module:
        """Build the network, with new weights."""
        ...


def describe_checkpoint(
    family: str,
    layout: Layout,
    architecture: Architecture,
    translated: Translated,
    tensors: Mapping[str, Tensor] | None = None,
    *,
    layers: int,
    code_size: int,
    size: tuple[int, int] | None = None,
    channels: int = 3,
    assumptions: Sequence[str] = (),
    assumed: Mapping[str, str] | None = None,
) -> Examined:
    """Describe the network in a checkpoint, and list the tensors that do not fit it.

    Args:
        family: name of the generator, as in the model card.
        layout: of the tensor names in the file.
        architecture: builds the network.
        translated: the translated state dict.
        tensors: of the network, with missing ones filled in; None takes those of `translated`.
        layers: number of layers L.
        code_size: width D of a code.
        size: height and width of the images in pixels; None for squares of architecture.resolution.
        channels: channels of the images: 1, 3 or 4.
        assumptions: sentences on what was made up or assumed, beside those of `translated`.
        assumed: fields of the config that neither file nor config states, with the sentence on each.

    Raises:
        CheckpointError: the images are too large, or torch cannot build a network of these sizes.
    """
    resolution = architecture.resolution
    if not 1 <= resolution <= MAX_RESOLUTION:
        raise CheckpointError(
            f"the images of this {family} would be {shown(resolution)} pixels wide; "
            f"at most {MAX_RESOLUTION} are supported"
        )
    height, width = (resolution, resolution) if size is None else size
    tensors = translated.tensors if tensors is None else tensors
    misfits = compare(architecture.build, tensors, translated.origin)
    return Examined(
        family=family,
        layout=layout.name,
        architecture=asdict(architecture),
        resolution=resolution,
        layers=layers,
        latent_size=architecture.z_dim,
        code_size=code_size,
        tensors=tensors,
        missing=in_file(misfits.missing, layout, translated),
        superfluous=(*translated.unknown, *misfits.superfluous),
        misshapen=misfits.misshapen,
        classes=architecture.classes,
        height=height,
        width=width,
        channels=channels,
        assumptions=(*translated.assumptions, *assumptions),
        assumed=assumed or {},
    )


def check_channels(family: str, channels: int, allowed: Sequence[int] = CHANNELS) -> None:
    """Check the number of channels of a network's images.

    Raises:
        CheckpointError: it is not one of `allowed`.
    """
    if channels not in allowed:
        words = " or ".join(f"{number} ({KINDS[number]})" for number in allowed)
        raise CheckpointError(f"the images of this {family} have {channels} channels; expected {words}")


def load(build: Callable[[], N], description: Examined, path: Path) -> N:
    """Build a network and load the tensors of a checkpoint into it, in float32.

    The network is in evaluation mode, and its parameters require no gradients.

    Raises:
        CheckpointError: tensors are missing, unexpected, of another shape or not finite real numbers; the
            message lists them.
    """
    faults = description.faults
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise CheckpointError(
            f"{path} does not fit a {description.family} ({description.layout} names): "
            f"{'; '.join(faults[:5])}{more}"
        )
    with shapes_only():
        network = build()
    network.load_state_dict(
        {name: tensor.float().contiguous() for name, tensor in description.tensors.items()}, assign=True
    )
    return network.eval().requires_grad_(False)
