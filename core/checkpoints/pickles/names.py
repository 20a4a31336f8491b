"""List the names that a pickle may use, and what replaces each: a function of ganstrata, or a record.

Nothing is ever imported from the module that a name points to. A file that uses any other name is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...messages import visible
from ..limits import Budget, Damaged, Refused
from . import arrays
from .unpickler import LINE, Function, Name, Record

NETWORKS = ("dnnlib.tflib.network.Network", "tfutil.Network")  # NVIDIA's networks in TensorFlow
PERSISTENT = "torch_utils.persistence"  # name of the records of NVIDIA's networks in PyTorch
CURE = "Save the network's state_dict() with safetensors, or with torch.save, and give that file."

# Classes whose objects become records: they hold settings, or are irrelevant but occur in many files.
RECORDED = {
    *NETWORKS,
    "argparse.Namespace",
    "builtins.bool",
    "builtins.complex",
    "builtins.dict",
    "builtins.float",
    "builtins.int",
    "builtins.list",
    "builtins.object",
    "builtins.range",
    "builtins.slice",
    "builtins.str",
    "builtins.tuple",
    "collections.deque",
    "datetime.date",
    "datetime.datetime",
    "datetime.timedelta",
    "numpy.ndarray",
    "torch.Generator",
    "torch.Tensor",
    "torch.device",
    "torch.nn.parameter.Buffer",
    "torch.nn.parameter.Parameter",
    "types.SimpleNamespace",
    "typing.Any",
    *arrays.PLAIN,
    *(f"torch.{where}{name}" for where in ("", "cuda.") for name in arrays.DTYPES),
    *(f"torch.storage.{name}" for name in ("UntypedStorage", "_UntypedStorage", "TypedStorage")),
}
# Packages all of whose classes become records.
PACKAGES = re.compile(
    r"(torch\.nn\.(modules|utils|parallel|init|functional)|torch\.optim|numpy\.random|pathlib"
    r"|training|torch_utils|R3GAN|pg_modules|feature_networks|timm"  # networks of NVIDIA, R3GAN, StyleGAN-XL
    r"|mmcv|mmengine|mmgen|mmagic|addict|easydict|omegaconf"
    r"|lightning|lightning_fabric|pytorch_lightning)\.[\w.]+"
    r"|numpy\.(bool|float|int|uint)\d*_?"
)
OLD = (  # former prefixes of names, and their present forms
    ("__builtin__.", "builtins."),
    ("copy_reg.", "copyreg."),
    ("numpy.core.", "numpy._core."),
    ("numpy.random.mtrand.", "numpy.random."),
)
ENCODINGS = ("latin1", "latin-1", "iso-8859-1", "utf-8", "utf8", "ascii")


def _dictionary(items: Any = (), *_: Any) -> dict[Any, Any]:
    """Stand in for OrderedDict, EasyDict and the like, which are made empty or from pairs."""
    if isinstance(items, dict):
        return items
    if not isinstance(items, tuple | list):
        return {}  # defaultdict takes the factory of its values
    if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in items):
        raise Damaged("a dictionary that is not made of pairs")
    return {key: value for key, value in items if isinstance(key, str)}


def _items(items: Any = (), *_: Any) -> Any:
    """Stand in for sets, frozen sets and sizes, and return their items."""
    return items


def _persistent(meta: Any = None, *_: Any) -> Record:
    """Record the arguments of NVIDIA's function, which would run the source code in the pickle."""
    if not isinstance(meta, dict):
        raise Damaged("an NVIDIA object without a description")
    return Record(Name(PERSISTENT), (meta,), meta.get("state"))


def _member(of: Any, name: Any) -> Name:
    """Stand in for getattr, which only the logs of mmengine need, for mmengine's own methods.

    Raises:
        Refused: anything else is accessed.
    """
    if (
        isinstance(of, Name)
        and of.full.startswith("mmengine.")
        and isinstance(name, str)
        and len(of.full) + len(name) < LINE
    ):
        return Name(f"{of.full}.{name}")
    raise Refused(forbidden("builtins.getattr"))


def forbidden(full: str) -> str:
    """Return the message for a name that is not on the list."""
    return (
        f"it names {full}, which no network's weights need, and is refused: "
        f"a reader that follows such names could run code. Nothing was run.\n  {CURE}"
    )


class Allowed:
    """Represent the list of allowed names while one file is read.

    Args:
        budget: budget of the file.
        payload: reads a torch file inside the pickle; None if there may be none.
        objects: whether an array may hold a Python object.
    """

    def __init__(
        self, budget: Budget, payload: Callable[[Any], Any] | None = None, *, objects: bool = False
    ) -> None:
        self._budget = budget
        self._known: dict[str, Name] = {}
        self._tensors: Mapping[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor": arrays.tensor,
            "torch._utils._rebuild_tensor_v2": arrays.tensor,
            "torch._utils._rebuild_tensor_v3": arrays.typed_tensor,
            "torch._utils._rebuild_parameter": arrays.parameter,
            "torch._utils._rebuild_parameter_with_state": arrays.parameter,
        }
        self._functions: dict[str, Callable[..., Any]] = {
            **self._tensors,
            "torch._tensor._rebuild_from_type_v2": self._typed,
            "torch.Size": _items,
            "torch.serialization._get_layout": _items,
            "collections.OrderedDict": self._charged_dictionary,
            "collections.defaultdict": self._charged_dictionary,
            "collections.Counter": self._charged_dictionary,
            "dnnlib.util.EasyDict": self._charged_dictionary,
            "builtins.set": _items,
            "builtins.frozenset": _items,
            "builtins.bytes": self._bytes,
            "builtins.bytearray": self._bytes,
            "builtins.getattr": _member,
            "_codecs.encode": self._encode,
            "copyreg._reconstructor": self._reconstructor,
            f"{PERSISTENT}._reconstruct_persistent_obj": _persistent,
            "numpy.dtype": arrays.Dtype,
            "numpy._core.multiarray.scalar": partial(arrays.scalar, budget),
            "numpy._core.multiarray._reconstruct": lambda *_: arrays.Array(budget, objects=objects),
            "numpy._core.numeric._frombuffer": self._from_buffer,
        }
        if payload is not None:
            self._functions["torch.storage._load_from_bytes"] = payload

    def find(self, full: str) -> Name:
        """Return what replaces a name.

        Raises:
            Refused: the name is not on the list; the message contains it.
        """
        entry = self._known.get(full)
        if entry is None:
            new = full
            for old, replacement in OLD:
                if new.startswith(old):
                    new = replacement + new.removeprefix(old)
            if new in self._functions:
                entry = Function(new, self._functions[new])
            elif new in RECORDED or PACKAGES.fullmatch(new):
                entry = Name(new)
            else:
                raise Refused(forbidden(visible(full)))
            self._known[full] = entry
        return entry

    def _charged_dictionary(self, items: Any = (), *rest: Any) -> dict[Any, Any]:
        self._budget.step(2 * len(items) if isinstance(items, tuple | list) else 0)
        return _dictionary(items, *rest)

    def _encode(self, text: Any = "", encoding: Any = "utf-8", *_: Any) -> bytes:
        """Stand in for _codecs.encode, which protocol 2 uses to store bytes."""
        if not isinstance(text, str) or not isinstance(encoding, str) or encoding not in ENCODINGS:
            raise Damaged("bytes that are not stored as text")
        self._budget.copy(2 * len(text))
        return text.encode(encoding)

    def _bytes(self, data: Any = (), *_: Any) -> Any:
        if isinstance(data, str):
            return self._encode(data, "latin-1")
        return data if isinstance(data, bytes | memoryview) else b""

    def _typed(self, function: Any, _kind: Any, args: Any, *_: Any) -> Any:
        """Stand in for _rebuild_from_type_v2: rebuild the tensor, and leave out its attributes."""
        if (
            not isinstance(function, Function)
            or function.full not in self._tensors
            or not isinstance(args, tuple)
        ):
            raise Damaged("a tensor that is not made by a function of torch")
        self._budget.step(len(args))
        return function.make(*args)

    def _reconstructor(self, kind: Any, *_: Any) -> Any:
        """Stand in for copyreg._reconstructor, which makes objects in protocol 2 and below."""
        if not isinstance(kind, Name):
            raise Damaged("an object without a class")
        return kind.make() if isinstance(kind, Function) else Record(kind)

    def _from_buffer(self, data: Any, dtype: Any, shape: Any, order: Any = "C", *_: Any) -> arrays.Array:
        array = arrays.Array(self._budget)
        array.fill(data, dtype, shape, fortran=isinstance(order, str) and order == "F")
        return array
