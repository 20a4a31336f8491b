"""Run a plugin on a stand-in accelerator, which needs no hardware, to find tensors on the wrong device.

A backend for torch's private-use device type is registered under the name "gpu". Under `FakeTensorMode` its
tensors have a shape, a type and a device, but no values: an operation of tensors on two devices raises, as
with a real accelerator, and so does reading a value (`.item()`, `if x > 0`), which makes one wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import backend_registration

from ..core.plugins.contracts import Generator, Scorer
from ..core.plugins.records import Inputs, Rendering
from ..core.randomness import Stream
from ..core.strata.composition import advance, begun
from .kit import DoesNotApply, NotConforming

NAME = "gpu"


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


def try_generator(generator: Generator) -> None:
    """Make pictures on the stand-in device.

    Raises:
        NotConforming: the generator mixes devices, or its pictures are elsewhere.
        DoesNotApply: there is no stand-in device.
    """
    # Drawn on the processor: the index stays there, and its values may be read.
    latents = generator.sample(2, 0, 0, Stream.PROBING)
    with _moved(generator) as mode, torch.no_grad():
        z, index = mode.from_tensor(latents.z).to(device()), mode.from_tensor(latents.index)
        condition = None if latents.condition is None else mode.from_tensor(latents.condition).to(device())
        codes = generator.broadcast(generator.map(z, condition), condition)
        state = begun(generator, Inputs(2, condition, index))
        state = advance(generator, state, codes, 0, len(generator.strata), {}, ())
        _expect("pictures", generator.finish(state))


def try_scorer(scorer: Scorer, images: Tensor) -> None:
    """Score pictures (N, 3, H, W) on the stand-in device.

    Raises:
        NotConforming: the scorer mixes devices.
        DoesNotApply: there is no stand-in device.
    """
    with _moved(scorer) as mode, torch.no_grad():
        there = mode.from_tensor(images).to(device())
        _expect("scores", scorer.score(Rendering(there, composed=True)))


def _expect(what: str, tensor: Tensor) -> None:
    if tensor.device.type != NAME:
        raise NotConforming(
            f"its {what} are on {tensor.device.type} although it was built for another device; create "
            "tensors with device=self.device, and do not call .cpu() on the way"
        )


@contextmanager
def _moved(plugin: Generator | Scorer) -> Iterator[FakeTensorMode]:
    """Move all tensors of a plugin to the stand-in device, and translate what torch raises there."""
    where = device()
    mode = FakeTensorMode(allow_non_fake_inputs=False)
    _Backend.active = True
    try:
        _Mover(mode, where).move(plugin)
        with mode:
            yield mode
    except (NotConforming, DoesNotApply):
        raise
    except Exception as error:
        cause = error.__cause__ or error
        text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise NotConforming(
            f"on another device it ends with: {text[:300]}; create tensors with device=self.device, keep "
            "weights in modules or tensors that are attributes of the plugin, and read no values (.item(), "
            "if x > 0:) on the way"
        ) from error
    finally:
        _Backend.active = False


class _Mover:
    """Replace the tensors that a plugin holds, wherever they lie in its attributes.

    Attributes:
        mode: makes tensors without values.
        where: the device of the new tensors.
    """

    def __init__(self, mode: FakeTensorMode, where: torch.device) -> None:
        self.mode, self.where = mode, where
        self._moved: dict[int, tuple[Any, Any]] = {}  # id -> old (kept, so that its id stays its own) and new

    def move(self, thing: Any) -> Any:
        """Return the thing on the device; containers, modules and plugins are changed in place."""
        if id(thing) in self._moved:
            return self._moved[id(thing)][1]
        new = self._new_of(thing)
        self._moved[id(thing)] = thing, new
        if new is thing:
            self._enter(thing)
        return new

    def _new_of(self, thing: Any) -> Any:
        """Return what takes the place of a tensor, device or tuple; other things as they are."""
        if isinstance(thing, torch.device):
            return self.where
        if type(thing) in (tuple, frozenset):
            return type(thing)(self.move(value) for value in thing)
        if not isinstance(thing, Tensor):
            return thing
        detached = thing.detach()
        with self.mode:
            fake = self.mode.from_tensor(detached).to(self.where)
        return nn.Parameter(fake, requires_grad=False) if isinstance(thing, nn.Parameter) else fake

    def _enter(self, thing: Any) -> None:
        """Move what lies in a container or an object."""
        if isinstance(thing, nn.Module):
            for module in thing.modules():
                for table in (module._parameters, module._buffers):
                    table.update({k: self.move(x) for k, x in table.items() if x is not None})
                self._enter_attributes(module, ("_parameters", "_buffers", "_modules"))
        elif isinstance(thing, dict):
            thing.update({key: self.move(value) for key, value in thing.items()})
        elif isinstance(thing, list):
            thing[:] = [self.move(value) for value in thing]
        elif hasattr(thing, "__dict__") and not isinstance(thing, type | FunctionType | ModuleType):
            self._enter_attributes(thing, ())

    def _enter_attributes(self, thing: Any, but: tuple[str, ...]) -> None:
        """Move the tensors, devices and containers among the attributes of an object."""
        for name, value in list(vars(thing).items()):
            if name in but:
                continue
            vars(thing)[name] = self.move(value)
