"""List the names that a pickle may use, and what replaces each: a function of ganstrata, or a record.

Nothing is ever imported from the module that a name points to. A name of Python's own library, of torch or
of numpy that is not listed refuses the file: no checkpoint has it, and a trap may. A name of any other
package is recorded as foreign. What is made of it is inert, and a network that needs it is not read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...messages import visible
from ..limits import Budget, Damaged, Refused
from . import arrays
from .unpickler import LINE, Foreign, Function, Name, Record

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
    r"|networks\.(generator|shared|clip)|open_clip|torchvision\.transforms"  # StyleGAN-T, its CLIP
    r"|mmcv|mmengine|mmgen|mmagic|addict|easydict|omegaconf"
    r"|lightning|lightning_fabric|pytorch_lightning)\.[\w.]+"
    r"|numpy\.(bool|float|int|uint)\d*_?"
)
# Of Python's own library, what networks of many packages are stored with: enumerations, partial arguments.
HARMLESS = re.compile(
    r"(abc|collections|datetime|decimal|enum|fractions|itertools|typing|uuid)\.[A-Za-z_]\w*"
    r"|functools\.partial|logging\.(getLogger|Logger)|random\.Random|re\._compile"
    r"|builtins\.(type|property|staticmethod|classmethod|super|[A-Z]\w*(Error|Exception|Warning))"
)
# Of torch, what networks hold beside modules: functions, distributions, loaders, scalers, compiled modules.
TORCH = re.compile(
    r"torch\.(distributions|utils\.(data|hooks)|cuda\.amp|amp|autograd|_C\._nn|ao\.nn)\.[\w.]+"
    r"|torch\._dynamo\.eval_frame\.OptimizedModule"
    r"|torch\.(relu|tanh|sigmoid|softmax|sin|cos|exp|log|sqrt|abs|clamp|mean|sum|add|mul|cat|matmul|flatten)"
)
# Modules whose names refuse a file: Python's own, in any version and on any system, and installers'.
RESERVED = {
    *sys.stdlib_module_names,
    "torch",
    "numpy",
    *("asyncore", "commands", "cPickle", "distutils", "imp", "pip", "pkg_resources", "popen2", "setuptools"),
    *("smtpd", "urllib2", "urllib3"),
} - {"__main__"}
OLD = (  # former prefixes of names, and their present forms
    ("__builtin__.", "builtins."),
    ("copy_reg.", "copyreg."),
    ("numpy.core.", "numpy._core."),
    ("numpy.random.mtrand.", "numpy.random."),
)
UNREADABLE = (  # names by which torch stores tensors that no network here is read from, and their kind
    (r"torch\._utils\._rebuild_sparse(_csr)?_tensor", "sparse tensors"),
    (r"torch\._utils\._rebuild_nested_tensor", "nested tensors"),
    (
        r"torch\._utils\._rebuild_qtensor|torch\.QU?Int\w+Storage",
        "quantised tensors",
    ),
    (r"torch\._utils\._rebuild_meta_tensor_no_storage", "tensors of the device `meta`, without numbers"),
    (r"torch\.Complex(Float|Double|Half)Storage|torch\.complex(32|64|128)", "complex tensors"),
    (r"torch\.float8_\w+", "tensors of eight-bit floating-point numbers"),
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
    """Stand in for getattr, which the logs of mmengine need, and what is foreign and inert anyway.

    Raises:
        Refused: anything else is accessed.
    """
    owner = of.name if isinstance(of, Record) else of
    inert = isinstance(owner, Foreign)
    if (
        isinstance(owner, Name)
        and (inert or (owner is of and owner.full.startswith("mmengine.")))
        and isinstance(name, str)
        and len(owner.full) + len(name) < LINE
    ):
        return (Foreign if inert else Name)(f"{owner.full}.{name}")
    raise Refused(forbidden("builtins.getattr"))


def forbidden(full: str) -> str:
    """Return the message for a name that is not on the list."""
    kind = next((kind for pattern, kind in UNREADABLE if re.fullmatch(pattern, full)), None)
    if kind is not None:
        return f"it holds {kind}, which are not supported; save plain ones (float32, float16 or bfloat16)"
    return (
        f"it names {full}, which no network's weights need, and is refused: "
        f"a reader that follows such names could run code. Nothing was run.\n  {CURE}"
    )


def is_foreign(full: str) -> bool:
    """Return whether a name may be that of a class or function of somebody's package.

    >>> is_foreign("timm.models.vit.Block"), is_foreign("os.system"), is_foreign("a.b\\x1b[2J")
    (True, False, False)
    """
    words = full.split(".")
    return words[0] not in RESERVED and len(words) > 1 and all(word.isidentifier() for word in words)


class Allowed:
    """Represent the list of allowed names while one file is read.

    Args:
        budget: budget of the file.
        payload: reads a torch file inside the pickle; None if there may be none.
        objects: whether an array may hold a Python object.
        foreign: whether names of packages that are not known here are recorded; else they refuse the file.
    """

    def __init__(
        self,
        budget: Budget,
        payload: Callable[[Any], Any] | None = None,
        *,
        objects: bool = False,
        foreign: bool = False,
    ) -> None:
        self._budget = budget
        self._foreign = foreign
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
            "dill._dill._create_array": self._array_of_dill,
            "dill._dill._load_type": self._type_of_dill,
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
            elif any(pattern.fullmatch(new) for pattern in (PACKAGES, HARMLESS, TORCH)) or new in RECORDED:
                entry = Name(new)
            elif self._foreign and is_foreign(new):
                entry = Foreign(new)
                self._budget.foreign[new] = None
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

    def _type_of_dill(self, name: Any = "", *_: Any) -> Any:
        """Stand in for dill's _load_type, under which protocol 2 stores `set` and other built-in types."""
        full = f"builtins.{name}" if isinstance(name, str) else ""
        if full in self._functions or full in RECORDED:
            return self.find(full)
        self._budget.foreign["dill._dill._load_type"] = None
        return Record(Foreign("dill._dill._load_type"))

    def _array_of_dill(self, function: Any, args: Any, state: Any, *_: Any) -> arrays.Array:
        """Stand in for dill's _create_array, which makes a numpy array as numpy's own pickles do."""
        if (
            not isinstance(function, Function)
            or function.full != "numpy._core.multiarray._reconstruct"
            or not isinstance(args, tuple)
        ):
            raise Damaged("an array of dill's that is not made by a function of numpy")
        self._budget.step(len(args))
        array: arrays.Array = function.make(*args)
        array.build(state)
        return array

    def _from_buffer(self, data: Any, dtype: Any, shape: Any, order: Any = "C", *_: Any) -> arrays.Array:
        array = arrays.Array(self._budget)
        array.fill(data, dtype, shape, fortran=isinstance(order, str) and order == "F")
        return array
