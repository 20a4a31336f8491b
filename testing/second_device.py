"""Run a plugin on a stand-in accelerator, which needs no hardware, to find tensors on the wrong device.

A backend for torch's private-use device type is registered under the name "gpu". Under `FakeTensorMode` its
tensors have a shape, a type and a device, but no values: an operation of tensors on two devices raises, as
with a real accelerator, and so does reading a value (`.item()`, `if x > 0`), which makes one wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration

from ..core.messages import listed, visible
from ..core.plugins.failures import location, one_line
from ..core.plugins.generator import Generator
from ..core.plugins.records import Rendering
from ..core.plugins.scorer import Scorer
from ..core.plugins.scoring import begin_scores
from ..core.randomness import Stream
from ..core.shortage import text_of
from ..core.strata.displacements import displacement, edited
from ..core.strata.scored_generator import ScoredGenerator
from .host_apart import HostApart
from .kit import DoesNotApply, NotConforming
from .moving import Mover
from .rendered import codes_of, rendered, sampled
from .subject import CPU

NAME = "gpu"
_MASK = "_ganstrata_mask"  # attribute of a tensor made of a list of truth values, which holds the values


class _Backend:
    """Answer what torch asks of a backend. Outside of a check there is no such device in the process."""

    active = False

    @classmethod
    def is_available(cls) -> bool:
        """Return whether a check is running."""
        return cls.active

    @classmethod
    def device_count(cls) -> int:
        """Return the number of devices."""
        return int(cls.active)

    get_amp_supported_dtype = staticmethod(lambda: [torch.bfloat16, torch.float16])
    is_initialized = staticmethod(lambda: True)
    current_device = staticmethod(lambda: 0)
    manual_seed_all = staticmethod(lambda seed: None)
    get_rng_state = staticmethod(lambda device=None: torch.empty(0, dtype=torch.uint8))
    set_rng_state = staticmethod(lambda state, device=None: None)
    _is_in_bad_fork = staticmethod(lambda: False)


class _DataFirst(TorchFunctionMode):
    """Make tensors of data on the processor before they are moved, since the stand-in takes no data."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if func in (torch.tensor, torch.as_tensor) and not isinstance(args[0], Tensor):
            where = options.pop("device", None)
        elif name in ("__getitem__", "__setitem__"):
            return func(args[0], _index(args[1], args[0].device), *args[2:])
        elif name == "new_tensor":
            where = options.pop("device", args[0].device)
            args, options = args[1:], {"dtype": args[0].dtype, **options}
        else:
            return func(*args, **options)
        made = torch.tensor(*args, **options)
        if where is not None:
            made = made.to(where)
        if made.dtype == torch.bool and _holds_numbers(args[0]):
            setattr(made, _MASK, np.array(args[0]))  # it may be an index
        return made


def _index(index: Any, device: torch.device) -> Any:
    """Return an index of a tensor on `device` in which lists of numbers are tensors on the processor.

    torch would copy a list to the stand-in, which takes no data. A mask becomes numbers, since the stand-in
    cannot count its elements; one without known values, such as x > 0.5, counts as true everywhere.
    """
    parts: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        values: Any = getattr(part, _MASK, part)
        if isinstance(part, list | tuple | range) and _holds_numbers(part):
            values = np.array(part, dtype=None if len(part) else np.int64)
        where = CPU
        if isinstance(values, Tensor) and values.device not in (CPU, device):
            raise RuntimeError(
                f"a tensor on {device} is indexed by one on {values.device}, which no device allows"
            )
        if isinstance(values, FakeTensor) and values.dtype == torch.bool and values.ndim:
            values, where = np.ones(tuple(values.shape), dtype=np.bool_), values.device
        if not isinstance(values, np.ndarray):
            parts.append(values)
            continue
        arrays = values.nonzero() if values.dtype == np.bool_ and values.ndim else (values,)
        parts.extend(torch.tensor(array).to(where) for array in arrays)
    return tuple(parts)


def _holds_numbers(values: Any) -> bool:
    """Return whether a list consists of whole numbers or truth values, or of such lists."""
    if isinstance(values, list | tuple | range):
        return all(_holds_numbers(value) for value in values)
    return isinstance(values, int)


@cache
def _mode() -> FakeTensorMode:
    """Return the one mode of the process, so that what a plugin caches for the device can be used again."""
    return FakeTensorMode(allow_non_fake_inputs=False)


@cache
def device() -> torch.device:
    """Return the stand-in device; it is registered at the first call.

    Raises:
        DoesNotApply: this version of torch cannot, or another private-use backend is in use.
    """
    setup = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)
    if setup is None:
        raise DoesNotApply(f"torch {torch.__version__} cannot register a device without code in C++")
    if torch._C._get_privateuse1_backend_name() not in ("privateuseone", NAME):
        raise DoesNotApply("another private-use backend of torch is in use")
    setup(NAME, backend_module=_Backend)
    return torch.device(f"{NAME}:0")


def try_generator(generator: Generator, left: Mapping[int, str]) -> list[str]:
    """Draw samples, make pictures and edited ones on the stand-in device, as a run does.

    It must wait for no value.

    Args:
        generator: the generator, on the processor. Its tensors are moved for the check.
        left: those, by `id`, that its constructor leaves on the processor, which stay there.

    Returns:
        What makes the host wait, although no value is read: see `HostApart.waits`. The first batch is not
        counted, in which tables for the device may be made.

    Raises:
        NotConforming: the generator mixes devices, or its pictures are elsewhere.
        DoesNotApply: there is no stand-in device.
    """
    latents = sampled(generator, 2)
    with torch.no_grad():  # what functions cache at their first call are then tensors with values
        rendered(generator, codes_of(generator, latents), latents)
    with moved(generator, left) as apart, torch.no_grad():
        for _ in range(2):
            apart.waits.clear()
            _batch(generator)
    return apart.waits


def _batch(generator: Generator) -> None:
    """Draw two samples with mixed styles, make their pictures, and move them at the last layer."""
    scored = ScoredGenerator(generator=generator, scorers={}, batch=2, mixing=0.5)
    latents, _, codes = scored.draw(0, Stream.PROBING)
    layers = sorted({stratum.reads for stratum in generator.strata if stratum.reads is not None})[-1:]
    sets = [layers] if layers else []
    passed = scored.render(codes, latents.condition, latents.index, Stream.PROBING, sets, late=True)
    _expect("pictures", passed.rendering.pictures)
    if layers:
        normal = np.full(generator.card.code_size, generator.card.code_size**-0.5, np.float32)
        step = displacement(generator, normal, layers, generator.layer_scale, styles=False)
        _expect("edited pictures", edited(passed, codes, [step], [1.0], layers).pictures)


def try_scorer(scorer: Scorer, images: Tensor, left: Mapping[int, str]) -> list[str]:
    """Score pictures (N, 3, H, W) on the stand-in device, as a run does: it must wait for no value.

    `left` and what is returned are as for `try_generator`.

    Raises:
        NotConforming: the scorer mixes devices.
        DoesNotApply: there is no stand-in device.
    """
    with torch.no_grad():
        scorer.score(Rendering(images, composed=True))
    with moved(scorer, left) as apart, torch.no_grad():
        for _ in range(2):
            given = Rendering(images.to(device(), non_blocking=True), composed=True)
            apart.waits.clear()
            _expect("scores", scorer.score(given))
        waits = list(apart.waits)
        begin_scores(scorer, given)
    return waits


def _expect(what: str, tensor: Tensor) -> None:
    if tensor.device.type != NAME:
        raise NotConforming(
            f"its {what} are on {tensor.device.type} although it was built for another device; create "
            "tensors with device=self.device, and do not call .cpu() on the way"
        )


@contextmanager
def moved(
    plugin: object, left: Mapping[int, str] = MappingProxyType({}), *, made_up: bool = False
) -> Iterator[HostApart]:
    """Move the tensors of a plugin to the stand-in device, and translate what torch raises there.

    Args:
        plugin: a generator, a scorer, or an object that holds several.
        left: tensors, by `id`, that stay on the processor, with their names.
        made_up: whether values of the device can be read, though they are made up; else that is an error.
    """
    mode, mover = _mode(), Mover(_mode(), device(), left)
    _Backend.active = True
    try:
        mover.move(plugin)
        apart = HostApart(mode, made_up=made_up)
        with mode, apart, _DataFirst():
            yield apart
    except (NotConforming, DoesNotApply):
        raise
    except Exception as error:
        cause = error.__cause__ or error
        if _is_unknown(cause):
            raise DoesNotApply(
                f"the stand-in for a device does not know an operation: {visible(one_line(cause), 120)}; "
                "whether everything is on its device can be tried on an accelerator only"
            ) from error
        place = location(cause, type(plugin).__module__)
        raise NotConforming(
            f"on another device it ends with {visible(one_line(cause), 300)}{place}; {_cure(cause, left)}"
        ) from error
    finally:
        mover.restore()
        _Backend.active = False


def _cure(cause: BaseException, left: Mapping[int, str]) -> str:
    """Return what to change in a plugin that ends with an error on the stand-in device."""
    if left and "cpu" in text_of(cause):
        names = listed(f"`{name}`" for name in left.values())
        return f"its constructor leaves tensors on the processor: move {names} with .to(device)"
    return (
        "create tensors with device=self.device, keep weights in modules or tensors that are attributes of "
        "the plugin, and read no values (.item(), if x > 0:) on the way"
    )


def _is_unknown(error: BaseException) -> bool:
    """Return whether an exception says that the stand-in lacks an operation, which is no plugin's fault.

    The size of what some return depends on values, such as that of torch.unique or nonzero.
    """
    if isinstance(error, UnsupportedOperatorException | DynamicOutputShapeException):
        return True
    return isinstance(error, NotImplementedError) and f"'{NAME}' backend" in text_of(error)
