"""Make hostile pickles of torch, NumPy and NVIDIA.

Any value may be nested without end, of a wrong type, or huge.

Everything comes from one random generator, so that a seed makes the same file again.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable, Sequence

import numpy as np
import torch
from checkpoint_files import named, text
from pickle_operations import Value, call, data, dict_of, list_of, number, tuple_of, whole

LADDER = 12  # levels of a bomb, each ten times the one before
TORCH_KINDS = [
    f"torch.{name}Storage" for name in ("Float", "Half", "Long", "Byte", "Bool", "BFloat16", "ComplexFloat")
]
NAMES = [
    "argparse.Namespace",
    "collections.OrderedDict",
    "collections.Counter",
    "collections.deque",
    "builtins.set",
    "builtins.getattr",
    "builtins.bytearray",
    "_codecs.encode",
    "copyreg._reconstructor",
    "dnnlib.util.EasyDict",
    "dnnlib.tflib.network.Network",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "torch.Size",
    "torch.float32",
    "torch.nn.modules.linear.Linear",
    "torch.storage._load_from_bytes",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch._tensor._rebuild_from_type_v2",
    "torch_utils.persistence._reconstruct_persistent_obj",
    "mmengine.logging.history_buffer.HistoryBuffer",
    "models.utils.config.BaseConfig",
    "torchvision.models.resnet.ResNet",
    "clip.model.CLIP",
    "dill._dill._create_array",
    "dill._dill._create_type",
    "dill._dill._load_type",
    "functools.partial",
    *TORCH_KINDS,
]
KEYS = [
    "w",
    "G_ema",
    "state_dict",
    "_modules",
    "_parameters",
    "_buffers",
    "_non_persistent_buffers_set",
    "variables",
    "components",
    "static_kwargs",
]
KEYS += [
    "state",
    "module_src",
    "class_name",
    "_init_args",
    "_init_kwargs",
    "w_avg",
    "generator.w",
    "module.module.w",
    "optimizer",
]


class Pickles:
    """Hostile values.

    Args:
        rng: decides everything.
        wrong: how likely a place holds something else than it should.
        beside: whether the numbers of tensors stand beside the pickle, as in files of torch.
    """

    def __init__(self, rng: np.random.Generator, wrong: float = 0.15, *, beside: bool = True) -> None:
        self.rng, self.wrong, self._beside, self._memo = rng, wrong, beside, 100

    def any_of(self, *makers: Callable[[], Value]) -> Value:
        """One of several kinds of value."""
        return makers[self.rng.integers(len(makers))]()

    def name(self, names: Sequence[str] = NAMES) -> str:
        """One of the names that are read."""
        if names is NAMES and self._beside:
            names = [name for name in names if "_load_from_bytes" not in name]
        return names[self.rng.integers(len(names))]

    def place(self, right: Value) -> Value:
        """The right value, or now and then a hostile one."""
        return self.hostile() if self.rng.random() < self.wrong else right

    def bomb(self) -> Value:
        """A container of 10^12 values: each level is ten times the same one before."""
        kind = self.rng.integers(3)
        program = b"K\x01"
        for _ in range(int(self.rng.integers(3, LADDER))):
            program += self._kept()
            again = b"j" + struct.pack("<I", self._memo)
            if kind == 0:
                program += b"0" + tuple_of(*[again] * 10)
            elif kind == 1:
                program += b"0" + list_of(*[again] * 10)
            else:
                program += b"0" + dict_of(*((text(f"k{i}"), again) for i in range(10)))
        return program

    def _kept(self) -> Value:
        """The top of the stack goes into the memo."""
        self._memo += 1
        return b"r" + struct.pack("<I", self._memo)

    def hostile(self) -> Value:
        """A value that is nested without end, huge, or of any type."""
        rng = self.rng
        return self.any_of(
            self.bomb,
            self.bomb,
            lambda: number((-1, 2**31, 2**48, 2**63, 2**64 - 1)[rng.integers(5)]),
            lambda: number(1 << int(rng.integers(8, 2030))),
            lambda: text("x\x1b[2J\u202e" * int(10 ** rng.uniform(0, 4.5))),
            lambda: data(bytes(int(10 ** rng.uniform(0, 5)))),
            lambda: tuple_of(*[b"K\x01"] * int(10 ** rng.uniform(0, 3.5))),
            lambda: list_of(*[b"N"] * int(10 ** rng.uniform(0, 3.5))),
            lambda: b"]" + self._kept() + b"j" + struct.pack("<I", self._memo) + b"a",  # a list in itself
            lambda: b"N",
            lambda: b"G" + struct.pack(">d", float(rng.choice([np.nan, np.inf, -1.0, 1e308]))),
            lambda: named(self.name()),
            lambda: named(self.name()) + b")R",
            self.tensor if rng.random() < 0.3 else lambda: b"\x88",
            self.array if rng.random() < 0.3 else lambda: b"}",
            lambda: text(self.name(KEYS)),
        )

    def size(self, *right: int) -> Value:
        """A shape, or the steps of one."""
        shapes = [(4,), (), (1, 4), (0, 2**40), (2**32, 2**32), (1,) * 20, (0,), (2, 2, 1), (-2, 2)]
        shape = shapes[self.rng.integers(len(shapes))] if self.rng.random() < 2 * self.wrong else right
        return self.place(tuple_of(*(self.place(number(n)) for n in shape)))

    def key(self) -> Value:
        """What a torch file says of numbers that stand beside its pickle."""
        kind = named(self.name(TORCH_KINDS) if self.rng.random() < 0.2 else "torch.FloatStorage")
        parts = [text("storage"), kind, text(str(self.rng.integers(3))), text("cpu"), number(4)]
        return self.place(tuple_of(*(self.place(part) for part in parts)))

    def storage(self) -> Value:
        """Numbers of a tensor: beside the pickle, or in a file inside of it."""
        if self._beside:
            return self.key() + b"Q"
        inner = named("torch.FloatStorage") if self.rng.random() < self.wrong else self.key() + b"Q"
        return call("torch.storage._load_from_bytes", self.place(data(legacy(self, inner))))

    def tensor(self) -> Value:
        """A tensor of torch, in one of the ways in which pickles make them."""
        args = [self.storage(), self.place(number(0)), self.size(2, 2), self.size(2, 1), b"\x89", b"}"]
        if self.rng.random() < 0.15:
            return call("torch._utils._rebuild_tensor_v3", *args, self.place(named("torch.float32")))
        made = call("torch._utils._rebuild_tensor_v2", *args)
        if self.rng.random() < 0.2:
            return call("torch._utils._rebuild_parameter", made, b"\x89", b"}")
        if self.rng.random() < 0.1:
            inner = self.place(named("torch._utils._rebuild_tensor_v2"))
            return call(
                "torch._tensor._rebuild_from_type_v2",
                inner,
                named("torch.Tensor"),
                self.place(tuple_of(*args)),
                b"}",
            )
        return made

    def dtype(self) -> Value:
        """A type of NumPy's."""
        codes = ["f4", "f8", "i8", "b1", "S999999", "U9999", "O8", "V8", "M8[ns]", "f4" * 1000]
        code = codes[self.rng.integers(len(codes))] if self.rng.random() < 3 * self.wrong else codes[0]
        state = [number(3), text("<"), b"N", b"N", b"N", number(-1), number(-1), number(0)]
        return (
            call("numpy.dtype", self.place(text(code)), b"\x89", b"\x88")
            + self.place(tuple_of(*(self.place(part) for part in state)))
            + b"b"
        )

    def array(self) -> Value:
        """An array of NumPy's."""
        content = self.place(data(bytes(16)))
        if self.rng.random() < 0.2:
            return call(
                "numpy._core.numeric._frombuffer",
                content,
                self.dtype(),
                self.size(2, 2),
                self.place(text("C")),
            )
        made = call(
            "numpy.core.multiarray._reconstruct", named("numpy.ndarray"), tuple_of(number(0)), data(b"b")
        )
        state = [number(1), self.size(2, 2), self.dtype(), self.place(b"\x89"), content]
        return made + self.place(tuple_of(*state)) + b"b"

    def scalar(self) -> Value:
        """A number of NumPy's."""
        return call("numpy.core.multiarray.scalar", self.dtype(), self.place(data(bytes(4))))

    def module(self, depth: int = 0) -> Value:
        """A whole network of torch's, or of NVIDIA's."""
        inner = [(text("sub"), self.module(depth + 1))] if depth < 3 and self.rng.random() < 0.6 else []
        state = dict_of(
            (
                text("_parameters"),
                self.place(dict_of((self.place(text("weight")), self.place(self.tensor())))),
            ),
            (text("_buffers"), self.place(dict_of((text("noise"), self.place(self.tensor()))))),
            (text("_non_persistent_buffers_set"), self.place(b"\x8f")),
            (text("_modules"), self.place(dict_of(*inner))),
            (text("_init_kwargs"), self.place(dict_of((text("z_dim"), self.hostile())))),
            (text("_init_args"), self.place(b")")),
        )
        if self.rng.random() < 0.5:
            meta = dict_of(
                (text("class_name"), self.place(text("G"))),
                (text("module_src"), self.place(text("1/0"))),
                (text("state"), self.place(state)),
            )
            return call("torch_utils.persistence._reconstruct_persistent_obj", self.place(meta))
        kind = self.any_of(
            lambda: named("torch.nn.modules.linear.Linear"),
            lambda: named("torch.nn.modules.linear.Linear"),
            lambda: named("torchvision.models.resnet.ResNet"),
            lambda: call("dill._dill._create_type", call("dill._dill._load_type", text("type")), text("G")),
        )
        return kind + b")\x81" + state + b"b"

    def tensorflow(self) -> Value:
        """A network of NVIDIA's TensorFlow releases."""
        pairs = list_of(*(tuple_of(self.place(text(f"4x4/{i}")), self.place(self.array())) for i in range(3)))
        state = dict_of(
            (text("version"), self.place(number(4))),
            (text("static_kwargs"), self.place(dict_of((text("resolution"), self.hostile())))),
            (text("components"), self.place(b"}")),
            (text("variables"), self.place(pairs)),
        )
        return named("dnnlib.tflib.network.Network") + b")\x81" + self.place(state) + b"b"

    def called(self) -> Value:
        """Any name, called with anything."""
        args = [self.hostile() for _ in range(int(self.rng.integers(0, 4)))]
        form = self.rng.integers(4)
        if form == 0:
            return b"(" + b"".join(args) + b"i" + named(self.name())[1:]
        if form == 1:
            return named(self.name()) + tuple_of(*args) + b"\x81" + self.hostile() + b"b"
        if form == 2:
            return named(self.name()) + list_of(*args) + b"R"
        return call(self.name(), *args)

    def repeated(self) -> Value:
        """A call that costs much and takes three bytes, again and again."""
        times = int(10 ** self.rng.uniform(2, 4.7))
        big = data(bytes(int(10 ** self.rng.uniform(3, 6))))
        what, args = [
            (
                named("numpy.core.multiarray.scalar"),
                tuple_of(call("numpy.dtype", text("S999999")), data(bytes(999_999))),
            ),
            (named("argparse.Namespace"), list_of(*[b"N"] * int(10 ** self.rng.uniform(2, 5)))),
            (named("_codecs.encode"), tuple_of(text("x" * 10**6), text("latin1"))),
            (named("collections.OrderedDict"), tuple_of(list_of(*[tuple_of(text("a"), b"N")] * 10_000))),
            (
                named("numpy._core.numeric._frombuffer"),
                tuple_of(big, call("numpy.dtype", text("u1")), tuple_of(number(1000)), text("C")),
            ),
            (
                named("torch.storage._load_from_bytes") if not self._beside else named("torch.Size"),
                tuple_of(big),
            ),
            (named("mmengine.a.b"), tuple_of(big)),
            (named("builtins.getattr"), tuple_of(named("mmengine.a.b"), text("x" * 10**5))),
            (
                named("torch._tensor._rebuild_from_type_v2"),
                tuple_of(named("torch._utils._rebuild_tensor_v2"), b"N", tuple_of(*[b"N"] * 10**5)),
            ),
            (named("dill._dill._create_type") + b")R", tuple_of(*[b"N"] * 10**5)),
            (named("builtins.getattr"), tuple_of(named("models.a"), text("x" * 400))),
            (
                named("dill._dill._create_array"),
                tuple_of(
                    named("numpy._core.multiarray._reconstruct"),
                    b")",
                    tuple_of(
                        number(1), tuple_of(number(1000)), call("numpy.dtype", text("u1")), b"\x89", big
                    ),
                ),
            ),
        ][self.rng.integers(12)]
        return what + b"q\x010" + args + b"q\x020" + list_of(*[b"h\x01h\x02R"] * times)

    def many(self) -> Value:
        """Very many small things under names."""
        count = int(10 ** self.rng.uniform(2, 4.7))
        what = self.any_of(
            lambda: b"}",
            self.tensor,
            self.array,
            self.scalar,
            lambda: b"K\x01",
            lambda: b")",
            lambda: named("torch.nn.modules.linear.Linear") + b")\x81",
        )
        long = "n" * int(10 ** self.rng.uniform(0, 3)) if count < 3000 else ""
        return what + b"q\x050" + dict_of(*((text(f"{long}{i}"), b"h\x05") for i in range(count)))

    def content(self) -> Value:
        """What a file holds."""
        one = self.any_of(
            self.tensor,
            self.tensor,
            self.array,
            self.scalar,
            self.module,
            self.module,
            self.tensorflow,
            self.called,
            self.hostile,
            self.repeated,
            self.many,
        )
        rest = [
            (
                self.place(text(self.name(KEYS))),
                self.place(self.any_of(self.tensor, self.array, self.module, self.hostile)),
            )
            for _ in range(self.rng.integers(0, 3))
        ]
        if self.rng.random() < 0.1:
            return self.any_of(lambda: tuple_of(one, self.tensorflow(), self.tensorflow()), lambda: one)
        pairs = dict_of((self.place(text(self.name(KEYS))), one), *rest)
        return pairs if self.rng.random() < 0.8 else dict_of((text("state_dict"), pairs))


def legacy(pickles: Pickles, content: Value) -> bytes:
    """A file of torch of before its archives: four pickles, the names of storages, and their numbers."""
    rng = pickles.rng
    magic = whole(
        pickles.place(number(0x1950A86A20F9469CFC6C))
        if rng.random() < 0.1
        else number(0x1950A86A20F9469CFC6C)
    )
    version, system = (
        whole(pickles.place(number(1001))),
        whole(pickles.place(dict_of((text("little_endian"), pickles.place(b"\x88"))))),
    )
    keys = whole(pickles.place(list_of(*(pickles.place(text(str(i))) for i in range(3)))))
    counts = [4 if rng.random() > pickles.wrong else int(rng.choice([0, -1, 2**62])) for _ in range(3)]
    numbers = b"".join(struct.pack("<q", count) + bytes(16) for count in counts)
    return magic + version + system + whole(content) + keys + numbers


def real(kind: str) -> bytes:
    """A sound file of one tensor, to be damaged."""
    file = io.BytesIO()
    if kind == "pickle":
        pickle.dump({"w": [1, 2]}, file)
    else:
        torch.save({"w": torch.zeros(2, 2)}, file, _use_new_zipfile_serialization=kind == "zip")
    return file.getvalue()
