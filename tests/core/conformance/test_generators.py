"""Test that generators that break the contract in one way each are refused by name."""

from __future__ import annotations

import math
import os
import random
from typing import ClassVar

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Inputs, Latents, PluginConfig, State, Stream
from ganstrata.core.conformance.ill_conditioned import rounding_effect
from ganstrata.core.errors import CheckpointError, GanstrataError, PictureError, PluginBroken
from ganstrata.core.plugins.process_settings import ProcessSettings
from sound_plugins import SIZE, Sound
from torch import Tensor, nn


class MinusOne(Sound):
    def finish(self, state: State) -> Tensor:
        return 2.0 * super().finish(state) - 1.0


class Bytes(Sound):
    def finish(self, state: State) -> Tensor:
        return 255.0 * super().finish(state)


class Whole(Sound):
    def finish(self, state: State) -> Tensor:
        return (255.0 * super().finish(state)).byte()


class Double(Sound):
    def finish(self, state: State) -> Tensor:
        return super().finish(state).double()


class Black(Sound):
    def finish(self, state: State) -> Tensor:
        return super().finish(state) / 255.0


class Smaller(Sound):
    def finish(self, state: State) -> Tensor:
        return super().finish(state)[:, :, ::2, ::2]


class Last(Sound):
    def finish(self, state: State) -> Tensor:
        return super().finish(state).permute(0, 2, 3, 1)


class Array(Sound):
    def finish(self, state: State) -> Tensor:
        return super().finish(state).numpy()  # type: ignore[return-value]


class Bare(Sound):
    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        return super().stratum(s, state, code).x  # type: ignore[return-value]


class Torch(Sound):
    def finish(self, state: State) -> Tensor:
        images = super().finish(state)
        return images + 0.01 * torch.rand_like(images)


class Reseeding(Sound):
    def finish(self, state: State) -> Tensor:
        torch.manual_seed(3)
        return super().finish(state)


class Numpy(Sound):
    def finish(self, state: State) -> Tensor:
        return super().finish(state) + 0.01 * float(np.random.rand())  # noqa: NPY002 - the fault


class Python(Sound):
    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        random.random()
        return super().sample(n, seed, start, stream)


class OwnNoise(Sound):
    def finish(self, state: State) -> Tensor:
        images = super().finish(state)
        return images + 0.01 * float(np.random.default_rng().random())


class BatchDependent(Sound):
    def finish(self, state: State) -> Tensor:
        images = super().finish(state)
        return images - images.mean() + 0.5


class Amplifying(Sound):
    """Computes the last digit otherwise in a batch, as kernels do, and amplifies it."""

    def finish(self, state: State) -> Tensor:
        images = super().finish(state)
        images = images * (1.0 + 2.0**-22) if len(images) > 1 else images
        return 0.5 + 0.5 * torch.sin(1e5 * images)


class ByPlace(Sound):
    """Noise depends on the place of a sample in its batch."""

    def begin(self, inputs: Inputs) -> State:
        return State(None, kept={"place": torch.arange(inputs.n)})

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        after = super().stratum(s, state, code)
        return State(after.x, kept=state.kept)

    def finish(self, state: State) -> Tensor:
        return super().finish(state) + 0.1 * state.kept["place"][:, None, None, None]


class Drawing(Sound):
    """A sample differs between a batch and a batch of one."""

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        rng = np.random.default_rng([seed, start])
        z = torch.from_numpy(rng.standard_normal((n, 3)).astype(np.float32))
        return Latents(z, None, torch.arange(start, start + n))


class Training(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.parts = {"head": nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()}
        self.parts["head"][1].train()


class Writing(Sound):
    """Its second stratum adds in place to the output of the first."""

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        assert code is not None
        if s == 0:
            return State(torch.zeros(len(code), 3, SIZE, SIZE) + code[:, :1, None, None])
        assert state.x is not None
        return State(state.x.add_(code[:, :, None, None]).sigmoid())


class Quietly(Sound):
    """The same in memory that torch does not track."""

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        if s == 0:
            x = super().stratum(s, state, code).x
            assert x is not None
            return State(x.contiguous())
        assert state.x is not None
        state.x.numpy()[:] += 0.1
        return super().stratum(s, state, code)


class InFinish(Sound):
    def finish(self, state: State) -> Tensor:
        assert state.x is not None
        return state.x.mul_(0.9)


class InMap(Sound):
    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return z.mul_(0.5)


class Buffers(Sound):
    """Returns states in memory that the next pass reuses."""

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        made = super().stratum(s, state, code).x
        assert made is not None
        buffer = self.__dict__.setdefault(f"kept{s}_{len(made)}", torch.empty(made.shape))
        return State(buffer.copy_(made))


class Canvas(Sound):
    """So do pictures."""

    def finish(self, state: State) -> Tensor:
        made = super().finish(state)
        return self.__dict__.setdefault(f"kept_{len(made)}", torch.empty(made.shape)).copy_(made)


class Misnumbered(Sound):
    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        latents = super().sample(n, seed, start, stream)
        return Latents(latents.z, None, latents.index + 1)


class WholeZ(Sound):
    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        latents = super().sample(n, seed, start, stream)
        return Latents((9.0 * latents.z).long(), None, latents.index)


class WholeW(Sound):
    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return (9.0 * z).int()


class NoState(Sound):
    def begin(self, inputs: Inputs) -> State:
        return None  # type: ignore[return-value]


class WrongKept(Sound):
    def begin(self, inputs: Inputs) -> State:
        return State(None, kept=[1])  # type: ignore[arg-type]


class Sparse(Sound):
    def finish(self, state: State) -> Tensor:
        return super().finish(state).to_sparse()


class Nowhere(Sound):
    def finish(self, state: State) -> Tensor:
        return super().finish(state).to("meta")


class Dark(Sound):
    """No picture is finite from the second stratum on."""

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        after = super().stratum(s, state, code)
        return after if s == 0 else State(after.x * float("nan"))


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (MinusOne, r"look like \[-1, 1\], so add 1 and divide by 2 in finish\(\)"),
        (Bytes, r"look like \[0, 255\], so divide by 255 in finish\(\)"),
        (Whole, r"finish returned torch\.uint8; .*\.float\(\) / 255"),
        (Double, r"finish returned torch\.float64; float32, float16 or bfloat16"),
        (Black, "nothing is brighter than black"),
        (Smaller, "pictures of 4 x 4 pixels; its card says resolution 8"),
        (Last, r"images returned by finish: expected \(N=2, 3, H, W\), got \(2, 8, 8, 3\)"),
        (Array, r"finish returned ndarray; a torch\.Tensor"),
        (Bare, r"stratum\(0\) returned Tensor; a ganstrata\.State"),
        (Torch, "draws from or seeds torch's global random numbers in making pictures"),
        (Reseeding, "draws from or seeds torch's global random numbers"),
        (Numpy, "draws from or seeds numpy's global random numbers"),
        (Python, "draws from or seeds Python's global random numbers"),
        (OwnNoise, "does not give the same picture twice"),
        (BatchDependent, "changes by .* with the other samples of its batch"),
        (Amplifying, "of their batch, .* is allowed. The network amplifies rounding"),
        (ByPlace, "changes by .* with the other samples of its batch"),
        (Drawing, r"sample\(\) gives another sample 1 in a batch of samples 0 and 1 than alone"),
        (Training, r"leaves parts\['head'\]\.1 in training mode.*\.eval\(\)"),
        (Writing, r"stratum\(1\) writes into the state's x"),
        (Quietly, r"stratum\(1\) writes into the state's x"),
        (InFinish, r"finish writes into the state's x"),
        (InMap, "map writes into the z"),
        (Buffers, r"gives the state's x, as stratum\(1\) is given it, in memory that it writes into again"),
        (Canvas, "gives pictures in memory that it writes into again"),
        (Misnumbered, r"sample\(2, \.\.\., start=0, \.\.\.\) returned an index other than 0 to 1"),
        (WholeZ, r"returned z of torch\.int64; floats were expected"),
        (WholeW, r"map returned torch\.int32; floats were expected"),
        (NoState, r"begin returned NoneType; a ganstrata\.State"),
        (WrongKept, "begin returned a State with list for kept"),
        (Sparse, r"finish returned a torch\.sparse_coo tensor"),
        (Nowhere, "finish returned a .* tensor on meta"),
        (Dark, r"the picture of sample 0 is not finite .* it began in stratum 1 \('paint'\)"),
    ],
)
def test_what_a_generator_makes_is_checked_when_it_is_built(plugin: type, words: str, register) -> None:
    register("generator", "broken", plugin)
    with pytest.raises(GanstrataError, match=words) as caught:
        ganstrata.load_generator("broken", device="cpu")
    assert caught.value.exit_code == 1
    assert "generator 'broken' from test 0" in str(caught.value)
    assert isinstance(ganstrata.load_generator("broken", device="cpu", check=False), plugin), (
        "the checks can be switched off"
    )


class Meddling(Sound):
    """Changes settings of the whole process in every call."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self._meddle()

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        after = super().stratum(s, state, code)
        self._meddle()
        return after

    def _meddle(self) -> None:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_num_threads(torch.get_num_threads() + 1)
        torch.set_grad_enabled(not torch.is_grad_enabled())
        torch.set_float32_matmul_precision("medium")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
        torch.backends.mkldnn.enabled = not torch.backends.mkldnn.enabled
        torch.autograd.set_detect_anomaly(True)
        np.seterr(all="raise")
        os.chdir(os.path.dirname(os.getcwd()))


def test_settings_of_the_process_are_what_they_were_after_every_call(register) -> None:
    register("generator", "meddling", Meddling)
    before = ProcessSettings.current()
    generator = ganstrata.load_generator("meddling", device="cpu")
    assert ProcessSettings.current() == before
    generator.stratum(0, State(None), torch.zeros(1, 3))
    assert ProcessSettings.current() == before


class Counted(Sound):
    made: ClassVar[list[int]] = []

    def finish(self, state: State) -> Tensor:
        images = super().finish(state)
        self.made.append(len(images))
        return images


def test_a_sound_generator_is_checked_once_in_a_process_and_leaves_no_trace(register) -> None:
    made = Counted.made
    register("generator", "counted", Counted)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - to be left alone
    random.seed(5)
    before = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    ganstrata.load_generator("counted", device="cpu")
    assert made == [2, 1, 1, 1]
    ganstrata.load_generator("counted", device="cpu")
    assert made == [2, 1, 1, 1], "checked once"
    after = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    assert before == after


def test_a_constructor_may_draw_weights_and_the_caller_keeps_its_numbers(register) -> None:
    register("generator", "drawn", Drawn)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    ganstrata.load_generator("drawn", device="cpu")
    assert torch.equal(torch.rand(3), expected)


class Drawn(Sound):
    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.network = nn.Linear(3, 3).eval()


def test_a_range_that_is_meant_is_left_alone(register) -> None:
    register("generator", "wide", Wide)
    assert ganstrata.load_generator("wide", device="cpu").judges_range is False


class Wide(Bytes):
    judges_range = False


def test_a_picture_without_finite_values_is_a_picture_error(register) -> None:
    register("generator", "dark", Dark)
    with pytest.raises(PictureError):
        ganstrata.load_generator("dark", device="cpu")


def test_a_broken_promise_is_told_with_the_checkpoint(register) -> None:
    register("generator", "trained", Trained)
    with pytest.raises(PluginBroken, match=r"^weights\.pt: generator 'trained'"):
        ganstrata.load_generator("trained", device="cpu", checkpoint="weights.pt")


class Trained(Bytes):
    class Config(PluginConfig):
        checkpoint: str


class OfDamagedWeights(Amplifying):
    class Config(PluginConfig):
        checkpoint: str = ""


class WithoutNumbers(Dark):
    Config = OfDamagedWeights.Config


class WithStatistics(BatchDependent):
    Config = OfDamagedWeights.Config


@pytest.mark.parametrize("plugin", [OfDamagedWeights, WithoutNumbers])
def test_weights_that_make_no_usable_picture_are_a_mistake_in_the_choice_of_the_file(
    plugin: type, register
) -> None:
    register("generator", "trained", plugin)
    with pytest.raises(CheckpointError, match=r"^weights\.pt: generator 'trained'") as caught:
        ganstrata.load_generator("trained", device="cpu", checkpoint="weights.pt")
    assert caught.value.exit_code == 2
    with pytest.raises(PictureError, match=r"^generator 'trained'"):
        ganstrata.load_generator("trained", device="cpu")


def test_a_plugin_that_mixes_samples_is_at_fault_whatever_its_file(register) -> None:
    register("generator", "trained", WithStatistics)
    with pytest.raises(PluginBroken, match=r"^weights\.pt: .* some layer computes statistics of the batch"):
        ganstrata.load_generator("trained", device="cpu", checkpoint="weights.pt")


def test_last_digits_change_what_is_computed_by_rounding_alone() -> None:
    x = torch.linspace(0.1, 1.0, 64).view(1, 1, 8, 8)
    assert 0.0 < rounding_effect(lambda: x * x, x * x) < 1e-6
    assert 1e-4 < rounding_effect(lambda: (x + 1e4) - 1e4, x) < 1e-1, "of numbers near 1e4"
    assert rounding_effect(lambda: x / (x - x), x) == math.inf
