"""The stand-in device: tensors are found wherever a plugin holds them, and everything is put back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import pytest
import torch
from ganstrata import Concept, Scorer
from ganstrata.testing import DoesNotApply
from ganstrata.testing.moving import Mover
from ganstrata.testing.second_device import device
from kit_outcomes import outcome
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

CPU = torch.device("cpu")
CHECK = "everything is on its device"


@pytest.fixture(autouse=True)
def _stand_in() -> None:
    try:
        device()
    except DoesNotApply as reason:
        pytest.skip(str(reason))


class Pair(NamedTuple):
    weight: Tensor
    name: str


@dataclass(frozen=True, slots=True)
class Frozen:
    weight: Tensor


class Slotted:
    __slots__ = ("__weight", "empty")  # nothing is ever put into the second

    def __init__(self, device: torch.device) -> None:
        self.__weight = torch.ones(1, device=device)

    @property
    def weight(self) -> Tensor:
        return self.__weight


def _held(device: torch.device = CPU) -> dict[str, object]:
    """A tensor in everything that may hold one."""
    one = torch.ones(1, device=device)
    return {
        "tensor": one,
        "parameter": nn.Parameter(one.clone()),
        "pair": Pair(one, "a"),
        "tuple": (one, 1),
        "set": {one},
        "frozenset": frozenset([one]),
        "list": [one],
        "deque": deque([one], maxlen=3),
        "mapping": {"a": {"b": one}},
        "proxy": MappingProxyType({"a": one}),
        "frozen": Frozen(one),
        "slotted": Slotted(device),
        "network": nn.Sequential(nn.BatchNorm1d(1)).eval().to(device),
        "device": device,
    }


def _read(held: dict[str, object]) -> dict[str, Tensor]:
    """The tensors by where they are held."""
    return {
        "tensor": held["tensor"],
        "parameter": held["parameter"],
        "pair": held["pair"].weight,
        "tuple": held["tuple"][0],
        "set": next(iter(held["set"])),
        "frozenset": next(iter(held["frozenset"])),
        "list": held["list"][0],
        "deque": held["deque"][0],
        "mapping": held["mapping"]["a"]["b"],
        "proxy": held["proxy"]["a"],
        "frozen": held["frozen"].weight,
        "slotted": held["slotted"].weight,
        "weight": held["network"][0].weight,
        "buffer": held["network"][0].running_mean,
    }


class Hoarder(Scorer):
    """Holds tensors in many ways, and scores with each of them."""

    concepts = (Concept("lightness", "colour"),)

    def __init__(self, config, device):
        super().__init__(config, device)
        self.held = _held(device)

    def score(self, rendering):
        weights = [x.mean() for x in _read(self.held).values()]
        weights.append(self.held["network"](torch.ones(1, 1, device=self.held["device"])).mean())
        return rendering.images.mean(dim=(1, 2, 3))[:, None] * torch.stack(weights).sum()


class Cached(Scorer):
    """Keeps its network for all scorers of the class, and in it a weight for each device."""

    concepts = (Concept("lightness", "colour"),)
    network = nn.Linear(3, 1).eval()

    def __init__(self, config, device):
        super().__init__(config, device)
        self.net = self.network.to(device)

    def score(self, rendering):
        name = f"weight_{rendering.images.device.type}"
        if not hasattr(self.net, name):
            setattr(self.net, name, torch.ones(3, device=rendering.images.device))
        return self.net(rendering.images.mean(dim=(2, 3)) * getattr(self.net, name))


class Failing(Cached):
    network = nn.Linear(3, 1).eval()

    def score(self, rendering):
        return super().score(rendering) + torch.ones(1)


class Making(Scorer):
    """Makes tensors of data on the device of the pictures, some at the first call alone."""

    concepts = (Concept("lightness", "colour"),)

    def score(self, rendering):
        images = rendering.images
        means = images.mean(dim=(2, 3)) * torch.tensor(2.0).to(images.device) - torch.tensor(
            [0.4, 0.5, 0.6], device=images.device
        )
        return means @ images.new_tensor([[1.0], [2.0], [3.0]]) + _kept(images.device)


class Indexing(Scorer):
    """Takes columns of a table in every way that an accelerator takes them."""

    concepts = (Concept("lightness", "colour"),)

    def score(self, rendering):
        means = rendering.images.mean(dim=(2, 3))  # (N, 3)
        means[:, [2]] = means[:, [0]]
        mask = [True, False, True]
        taken = [means[:, [0, 2]], means[:, 1:], means[:, mask], means[..., [-1, 0]], means[:, range(2)]]
        taken += [means[:, torch.tensor([0, 2])], means[:, torch.tensor(mask)]]
        taken += [means[:, torch.tensor(mask, device=means.device)], means.T[[0, 1]].T, means[:, (0, 1)]]
        return torch.stack(taken).mean(dim=(0, 2))[:, None]


class Masking(Scorer):
    """Chooses values by other values, as accelerators can."""

    concepts = (Concept("lightness", "colour"),)

    def score(self, rendering):
        x = rendering.images.clone()
        x[x > 0.9] = 0.9
        x[x < 0.1] = 2.0 * x[x < 0.1]
        light = x.mean(dim=(1, 2, 3)) > 0.5
        brightest = torch.zeros(len(x), device=x.device)
        brightest[light] = x[light].flatten(1).amax(dim=1)
        return torch.stack([picture[picture > 0.2].mean() for picture in x])[:, None] + brightest[:, None]


class Counting(Masking):
    """Counts colours, of which there may be any number."""

    def score(self, rendering):
        return super().score(rendering) + 0.0 * rendering.images.round().unique().sum()


class Mixing(Masking):
    """Chooses values of a tensor on the processor by a mask on the device."""

    def score(self, rendering):
        table = torch.ones(rendering.images.shape)
        return super().score(rendering) + 0.0 * table[rendering.images > 0.5].mean()


class Unknown(Scorer):
    """Uses an operation that only real devices have."""

    concepts = (Concept("lightness", "colour"),)

    def score(self, rendering):
        if rendering.images.device.type == "gpu":
            raise NotImplementedError("Could not run 'aten::new' with arguments from the 'gpu' backend.")
        return rendering.images.mean(dim=(1, 2, 3))[:, None]


class Unfinished(Unknown):
    def score(self, rendering):
        if rendering.images.device.type == "gpu":
            raise NotImplementedError("not for accelerators")
        return super().score(rendering)


@cache
def _kept(where: torch.device) -> Tensor:
    return torch.as_tensor([0.5], device=where)


def test_tensors_of_data_may_be_made_there_and_kept_for_the_device() -> None:
    assert [outcome("scorer", Making, CHECK).message for _ in range(2)] == ["", ""]
    assert outcome("scorer", Making, "score can be repeated").verdict == "ok"


def test_any_index_that_an_accelerator_takes_may_be_used() -> None:
    assert outcome("scorer", Indexing, CHECK).message == ""


def test_values_may_be_chosen_by_a_mask_of_values() -> None:
    assert outcome("scorer", Masking, CHECK).message == ""
    assert "is indexed by one on gpu" in outcome("scorer", Mixing, CHECK).message


def test_a_result_whose_size_depends_on_values_is_no_fault_of_the_plugin() -> None:
    ended = outcome("scorer", Counting, CHECK)
    assert (ended.verdict, "does not know an operation" in ended.message) == ("skipped", True)


def test_an_operation_that_the_stand_in_lacks_is_no_fault_of_the_plugin() -> None:
    ended = outcome("scorer", Unknown, CHECK)
    assert (ended.verdict, "does not know an operation" in ended.message) == ("skipped", True)
    assert "not for accelerators" in outcome("scorer", Unfinished, CHECK).message
    assert outcome("scorer", Unfinished, CHECK).verdict == "failed"


def test_tensors_are_moved_wherever_they_are() -> None:
    assert outcome("scorer", Hoarder, CHECK).message == ""


def test_everything_is_put_back() -> None:
    held = _held()
    before, containers = _read(held), dict(held)
    mover = Mover(FakeTensorMode(), device())
    mover.move(held)
    assert all(isinstance(x, FakeTensor) for name, x in _read(held).items())
    assert type(held["pair"]) is Pair
    assert held["pair"].name == "a"
    held["new"] = 1
    held["list"].append(1)
    mover.restore()
    assert held.keys() == containers.keys()
    assert all(held[name] is x for name, x in containers.items())
    after = _read(held)
    assert all(after[name] is x for name, x in before.items())
    assert len(held["list"]) == 1


@pytest.mark.parametrize(("plugin", "verdict"), [(Cached, "ok"), (Failing, "failed")])
def test_a_shared_network_is_as_before(plugin: type[Cached], verdict: str) -> None:
    before = dict(plugin.network.named_parameters())
    assert outcome("scorer", plugin, CHECK).verdict == verdict
    assert all(x is before[name] for name, x in plugin.network.named_parameters())
    assert not hasattr(plugin.network, "weight_gpu")
    assert outcome("scorer", plugin, "score can be repeated").verdict == "ok"


class Forgetful(Scorer):
    """Leaves two tensors on the processor, and needs only one of them there."""

    concepts = (Concept("lightness", "colour"),)

    def __init__(self, config, device):
        super().__init__(config, device)
        self.moved = torch.ones(3).to(device)
        self.sizes = torch.tensor([1.0, 2.0])  # copied where it is used
        self.net = {"w": torch.tensor([0.3, 0.6, 0.1])}

    def score(self, rendering):
        colours = (
            rendering.images.mean(dim=(2, 3)) * self.moved * self.sizes.to(rendering.images.device).sum()
        )
        return (colours * self.weights(rendering)).sum(dim=1, keepdim=True)

    def weights(self, rendering):
        return self.net["w"]


class Late(Forgetful):
    """Moves all that it needs before it uses it."""

    def weights(self, rendering):
        return self.net["w"].to(rendering.images.device)


class Proud(Forgetful):
    """Reads a value in its constructor, which no stand-in can follow."""

    def __init__(self, config, device):
        super().__init__(config, device)
        self.total = float(self.moved.sum())


def test_a_tensor_that_the_constructor_leaves_on_the_processor_is_named() -> None:
    ended = outcome("scorer", Forgetful, CHECK)
    assert ended.verdict == "failed"
    assert "its constructor leaves tensors on the processor: move" in ended.message
    assert "`net['w']`" in ended.message
    assert "`moved`" not in ended.message


def test_a_tensor_may_be_moved_where_it_is_used() -> None:
    assert outcome("scorer", Late, CHECK).message == ""


def test_what_cannot_be_built_without_values_is_tried_with_all_its_tensors_moved() -> None:
    assert outcome("scorer", Proud, CHECK).verdict == "ok"
