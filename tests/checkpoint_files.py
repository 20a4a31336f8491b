"""Write checkpoints as other people's programs do, without those programs.

Stub classes stand under the true module names while a file is written, so that its pickle names the true
ones. The source code that NVIDIA's files carry is hostile here: run, it would leave a file behind.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def hostile_source(marker: Path) -> str:
    """Source code that must not be run."""
    return f"import pathlib\npathlib.Path({str(marker)!r}).mkdir()\nclass Generator: pass\n"


@contextlib.contextmanager
def pretending(**classes: Any) -> Iterator[None]:
    """Modules that hold the given classes and functions, keys written as `dnnlib__util__EasyDict`."""
    before = dict(sys.modules)
    for key, value in classes.items():
        *path, name = key.split("__")
        for end in range(1, len(path) + 1):
            dotted = ".".join(path[:end])
            if dotted not in sys.modules:
                sys.modules[dotted] = types.ModuleType(dotted)
        value.__module__, value.__qualname__, value.__name__ = ".".join(path), name, name
        setattr(sys.modules[".".join(path)], name, value)
    try:
        yield
    finally:
        for name in set(sys.modules) - set(before):
            del sys.modules[name]


class EasyDict(dict[str, Any]):
    """NVIDIA's dictionary with attributes."""


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> Any:
    raise AssertionError("a reader that runs code has been here")


class Persistent(nn.Module):
    """Return a module as NVIDIA's persistence decorator pickles it."""

    def __init__(
        self, class_name: str, source: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self._about = {"type": "class", "version": 6, "module_src": source, "class_name": class_name}
        self._init_args, self._init_kwargs = args, kwargs or {}

    def __reduce__(self) -> tuple[Any, ...]:
        state = {key: value for key, value in self.__dict__.items() if key != "_about"}
        return _reconstruct_persistent_obj, (EasyDict(self._about, state=state),), None


BUFFERS = (
    "w_avg",
    "resample_filter",
    "noise_const",
    "freqs",
    "phases",
    "transform",
    "magnitude_ema",
    "up_filter",
    "down_filter",
)


def tree(state: Mapping[str, Tensor], make: Any, buffers: tuple[str, ...] = BUFFERS) -> Any:
    """Return nested modules with this state dict."""
    root = make()
    for name, tensor in state.items():
        *path, last = name.split(".")
        module = root
        for step in path:
            if step not in module._modules:
                module.add_module(step, make())
            module = module._modules[step]
        if last in buffers or not tensor.is_floating_point():
            module.register_buffer(last, tensor.clone())
        else:
            module.register_parameter(last, nn.Parameter(tensor.clone()))
    return root


def persistent(
    state: Mapping[str, Tensor],
    kwargs: dict[str, Any] | None = None,
    source: str = "",
    class_name: str = "Generator",
    args: tuple[Any, ...] = (),
) -> Persistent:
    """A network of NVIDIA's, with what stands beside its tensors.

    Those are numbers of numpy, arrays, buffers that are not stored, and None.
    """
    network: Persistent = tree(state, lambda: Persistent("Layer", source))
    network._about["class_name"] = class_name
    network._init_args, network._init_kwargs = args, kwargs or {}
    inner: Any = next(iter(network.children()), network)
    inner.in_size, inner.gain, inner.up_factor = (
        np.broadcast_to(np.asarray(36), [2]),
        np.sqrt(2.0),
        np.int64(2),
    )
    inner.register_buffer("passing", torch.zeros(3), persistent=False)
    inner.register_parameter("absent", None)
    return network


def write_nvidia(path: Path, content: Any, protocol: int = pickle.HIGHEST_PROTOCOL) -> Path:
    """Pickle an object with modules named `torch_utils.persistence` and `dnnlib.util`, as NVIDIA's are."""
    with pretending(
        dnnlib__util__EasyDict=EasyDict,
        torch_utils__persistence___reconstruct_persistent_obj=_reconstruct_persistent_obj,
    ):
        path.write_bytes(pickle.dumps(content, protocol))
    return path


def nvidia(
    path: Path, state: Mapping[str, Tensor], kwargs: dict[str, Any] | None = None, source: str = ""
) -> Path:
    """A network snapshot of StyleGAN2-ADA or StyleGAN3: the given weights are those of G_ema."""
    other = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    content = {
        "training_set_kwargs": EasyDict(
            class_name="training.dataset.ImageFolderDataset", path="x.zip", resolution=32
        ),
        "G": persistent(other, kwargs, source),
        "D": persistent(
            {"b32.fromrgb.weight": torch.zeros(4, 3, 1, 1)}, {"c_dim": 0}, source, "Discriminator"
        ),
        "G_ema": persistent(state, kwargs, source),
        "augment_pipe": None,
    }
    return write_nvidia(path, content)


class Network:
    """Stand in for dnnlib.tflib's Network in pickles."""

    def __init__(
        self,
        name: str,
        variables: Mapping[str, Any],
        settings: dict[str, Any],
        source: str,
        **components: Network,
    ) -> None:
        self._state = {
            "version": 4,
            "name": name,
            "static_kwargs": EasyDict(settings),
            "components": EasyDict(components),
            "build_module_src": source,
            "build_func_name": f"{name}_style",
            "variables": list(variables.items()),
        }

    def __getstate__(self) -> dict[str, Any]:
        return self._state


def write_tensorflow(path: Path, content: Any, protocol: int = 4, *, progressive: bool = False) -> Path:
    """Pickle a network under the name of NVIDIA's class: `tfutil.Network` in ProgressiveGAN."""
    place = {"tfutil__Network" if progressive else "dnnlib__tflib__network__Network": Network}
    with pretending(dnnlib__util__EasyDict=EasyDict, **place):
        path.write_bytes(pickle.dumps(content, protocol))
    return path


def tensorflow(
    path: Path,
    outer: Mapping[str, Any],
    components: Mapping[str, Mapping[str, Any]],
    settings: dict[str, Any],
    **options: Any,
) -> Path:
    """A triple (G, D, Gs): the given variables are those of Gs."""
    source = options.pop("source", "")

    def generator(shift: float) -> Network:
        moved = {
            name: {key: value + np.float32(shift) for key, value in variables.items()}
            for name, variables in components.items()
        }
        inner = {name: Network(f"G_{name}", variables, {}, source) for name, variables in moved.items()}
        return Network(
            "G", {key: value + np.float32(shift) for key, value in outer.items()}, settings, source, **inner
        )

    discriminator = Network("D", {"32x32/FromRGB/weight": np.zeros((1, 1, 3, 4), np.float32)}, {}, source)
    return write_tensorflow(path, (generator(1.0), discriminator, generator(0.0)), **options)


def raw_pickle(*operations: bytes, protocol: int = 2) -> bytes:
    """Return a pickle written operation by operation."""
    return b"\x80" + bytes([protocol]) + b"".join(operations) + b"."


def named(full: str) -> bytes:
    """Return the operation that pushes the object of a name."""
    module, _, name = full.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    """Return the operation that pushes text."""
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def inside(content: Any) -> bytes:
    """Return a torch file inside a pickle."""
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def storage(tensor: Tensor) -> bytes:
    """Return the operations that push a tensor's numbers."""
    payload = inside(tensor._typed_storage())
    return (
        named("torch.storage._load_from_bytes")
        + b"B"
        + len(payload).to_bytes(4, "little")
        + payload
        + b"\x85R"
    )
