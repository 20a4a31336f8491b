"""Every mistake that a user of `module` can make is reported with the name of the field."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata.core.errors import CheckpointError, ConfigError
from own_models import CHAIN, Chain, Styled, Z
from safetensors.torch import save_file
from torch import Tensor

SHAPED = {"size": Z, "shape": [Z, 1, 1]}
CHAINED: dict[str, Any] = {"target": "own_models:Chain", "latent": SHAPED}
STYLED: dict[str, Any] = {"target": "own_models:Styled", "latent": {"size": Z}, "output": {"item": "picture"}}
CODES = {**STYLED, "mapping": "mapping", "codes": ["low", "middle", "high"]}


def fault(**config: Any) -> str:
    """Return the faults of a config: the field, then the reason."""
    with pytest.raises(ConfigError) as caught:
        ganstrata.load_generator("module", device="cpu", **config)
    return "\n".join(str(each) for each in caught.value.faults)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"target": "own_models"}, "target", "must read my_package.my_model:Generator or FILE.py:Generator"),
        (
            {"target": "no_such_package.model:G"},
            "target",
            "there is no module 'no_such_package' to import; install its package",
        ),
        ({"target": "own_models:Chian"}, "target", "own_models has no 'Chian'. Did you mean 'Chain'?"),
        ({"target": "nowhere.py:G"}, "target", "no file nowhere.py (looked in "),
        ({"target": "own_models:Z"}, "target", "'Z' is neither a class nor a function, but int"),
        ({"target": "own_models:BUILT"}, "target", "'BUILT' is an instance of a module"),
        (
            {"target": "own_models:not_a_module"},
            "target",
            "not_a_module(...) returns dict, not a torch.nn.Module",
        ),
        (
            {"target": "own_models:scripted"},
            "target",
            "scripted(...) returns a module of TorchScript (torch.jit), which cannot be taken apart",
        ),
        (
            {"arguments": {"widht": 4}},
            "arguments",
            "do not fit Chain(width: 'int' = 5, colours: 'int' = 3) -> 'None': got an unexpected",
        ),
        ({"arguments": {"widht": 4}}, "arguments", "Did you mean 'width'?"),
        ({"target": "own_models:Odd"}, "arguments", "missing a required argument: 'how'"),
        ({"arguments": {"width": "wide"}}, "arguments", "Chain(width='wide') failed: TypeError: "),
        (
            {"latent": {"size": Z, "shape": [3, 3]}},
            "latent",
            f"shape [3, 3] does not have {Z} entries, the size of z",
        ),
        ({"latent": {**SHAPED, "low": 1.0}}, "latent", "low (1) must be below high (1)"),
        (
            {"latent": {"size": Z}},
            "latent.shape",
            f"failed when it was called with z of shape (2, {Z}): RuntimeError",
        ),
        ({"latent": {**SHAPED, "argument": "noise"}}, "call", "got an unexpected keyword argument 'noise'"),
        ({"call": {"arguments": {"psi": 0.5}}}, "call", "got an unexpected keyword argument 'psi'"),
        (
            {"call": {"method": "fowrard"}},
            "call.method",
            "the module has no method 'fowrard'. Did you mean 'forward'?",
        ),
        ({"classes": {"count": 3}}, "call", "takes 2 positional arguments but 3 were given"),
        ({"classes": {"count": 3, "draw": [3]}}, "classes.draw", "has classes 0 to 2"),
        ({"classes": {"draw": 1}}, "classes.draw", "this module is unconditional"),
        ({"classes": {"form": "onehot"}}, "classes.form", "'one_hot'"),
        ({"output": {"range": [1, -1]}}, "output", "range must increase"),
        (
            {"output": {"item": "picture"}},
            "output.item",
            "the module returns no item 'picture', but a tensor (2, 3, 8, 8)",
        ),
        (
            {"output": {"range": [-0.01, 0.01]}},
            "output.range",
            "is [-0.01, 0.01], but the first images go from",
        ),
        (
            {"mapping": "maping"},
            "mapping",
            "the module has no sub-module 'maping'. Its children are first, norm, act, blocks, last, tanh",
        ),
        (
            {"strata": ["first", "nrom"]},
            "strata.1",
            "the module has no sub-module 'nrom'. Did you mean 'norm'?",
        ),
        (
            {"strata": ["first"], "codes": ["first"]},
            "",
            "`strata` and `codes` exclude each other; give one of them",
        ),
        ({"strata": ["first"], "noise": "fresh"}, "", "`strata` is for modules without noise"),
        ({"codes": [[]]}, "codes", "every layer needs a sub-module"),
        (
            {"strata": CHAIN[:-1]},
            "strata",
            "the composition returns images that differ from the module's by",
        ),
        (
            {"strata": [c for c in CHAIN if c != "blocks"]},
            "strata",
            "list all of them in order, or leave `strata` out",
        ),
        ({"strata": CHAIN[::-1]}, "strata", "the composition failed: RuntimeError"),
        (
            {"strata": CHAIN[:-2]},
            "strata",
            "the composition returns a tensor (2, 5, 4, 4), the module a tensor (2, 3, 8, 8)",
        ),
        (
            {"codes": ["first", "last"]},
            "codes.1",
            "'last' does not receive the unchanged code (2, 6), but a tensor (2, 5, 4, 4)",
        ),
        ({"codes": ["first", "first"]}, "codes.1", "'first' is listed twice"),
        ({"noise": "some"}, "noise", "'fixed'"),
        ({"surprise": 1}, "surprise", "is not an option of generator 'module'"),
    ],
)
def test_a_wrong_option_is_refused_at_its_field(change: dict[str, Any], field: str, words: str) -> None:
    message = fault(**{**CHAINED, **change})
    assert "with" in message
    assert " -> ".join(["with", *filter(None, field.split("."))]) in message
    assert words in message


@pytest.mark.parametrize(
    ("how", "field", "words"),
    [
        ("nan", "output", "not finite: 100 % of their values"),
        (
            "two",
            "output",
            "maps 2 latents to a tensor (2, 2, 4, 4) of torch.float32, "
            "expected floats (2, 1, 3 or 4, height, width)",
        ),
        ("flat", "output", "maps 2 latents to a tensor (2, 48)"),
        ("last", "output", "the channels seem to come last"),
        ("rows", "output", "maps 2 latents to a tensor (1, 3, 4, 4)"),
        ("whole", "output", "of torch.int32"),
        (
            "tuple",
            "output -> item",
            "the module returns a tuple of a tensor (2, 3, 4, 4), a tensor (2, 6); "
            "set the index or key of the images",
        ),
        ("loud", "output -> range", "set output.check: false"),
        ("light", "output -> range", "nothing is darker than the middle"),
        ("company", "target", "some layer computes statistics of the batch"),
        ("python", "noise", "because the module draws noise"),
        ("raise", "latent -> shape", "ArithmeticError: no pictures today"),
    ],
)
def test_a_module_that_fails_is_refused_with_its_field(how: str, field: str, words: str) -> None:
    message = fault(target="own_models:Odd", arguments={"how": how}, latent={"size": Z})
    assert f"with -> {field}: " in message
    assert words in message


def test_a_range_that_looks_wrong_may_be_confirmed() -> None:
    generator = ganstrata.load_generator(
        "module",
        device="cpu",
        target="own_models:Odd",
        arguments={"how": "loud"},
        latent={"size": Z},
        output={"check": False},
    )
    assert generator.card.resolution == 4


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (
            {"output": {}},
            "output -> item",
            "a dictionary with 'picture': a tensor (2, 3, 8, 8), 'w': a tensor (2, 6); set the index or key",
        ),
        ({"codes": ["low", "middle"]}, "codes", "The code has another use that is not listed"),
        ({"arguments": {"leak": True}}, "codes", "The code has another use that is not listed"),
        ({"codes": ["low", "middle.style", "high"]}, "", ""),
        (
            {"codes": ["low", "middle", "high.conv"]},
            "codes -> 2",
            "'high.conv' does not receive the unchanged code (2, 6), but a tensor (2, 4, 8, 8)",
        ),
        ({"mapping": None}, "codes -> 0", "'low' does not receive the unchanged code (2, 6)"),
        (
            {"arguments": {"noise": 0.5}},
            "noise",
            "Set noise: fixed (the same for all samples) or noise: fresh (each sample's own)",
        ),
        (
            {"arguments": {"classes": 3}},
            "call",
            "these arguments (`call`, `classes`, `latent.argument`): TypeError",
        ),
    ],
)
def test_codes_must_determine_the_picture(change: dict[str, Any], field: str, words: str) -> None:
    config = {**CODES, **change}
    if not field:
        assert ganstrata.load_generator("module", device="cpu", **config).card.layers == 3
        return
    message = fault(**config)
    assert f"with -> {field}: " in message
    assert words in message


def test_noise_from_outside_torch_is_refused() -> None:
    message = fault(target="own_models:Odd", arguments={"how": "python"}, latent={"size": Z}, noise="fixed")
    assert "with -> noise: " in message
    assert "draws random numbers from elsewhere" in message


def test_a_sub_module_that_is_never_called_is_refused(tmp_path: Path) -> None:
    (tmp_path / "idle.py").write_text(
        "from own_models import *\nclass G(Chain):\n    def __init__(self):\n        super().__init__()\n "
        "       self.idle = nn.Linear(Z, Z)\n"
    )
    config = {"target": f"{tmp_path / 'idle.py'}:G", "latent": SHAPED}
    assert "with -> mapping: the module does not call this sub-module" in fault(**config, mapping="idle")
    assert "with -> codes -> 1: the module does not call 'idle'" in fault(**config, codes=["first", "idle"])
    assert "with -> mapping: returns" not in fault(**config, mapping="idle")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "import a_library_that_nobody_has\n",
            "ModuleNotFoundError: No module named 'a_library_that_nobody_has' (",
        ),
        ("def G(:\n", "SyntaxError"),
        ("1 / 0\n", "ZeroDivisionError: division by zero ("),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_file_that_does_not_import_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    message = fault(target=f"{tmp_path / 'mine.py'}:G", latent=SHAPED)
    assert f"with -> target: {tmp_path / 'mine.py'} does not import: " in message
    assert words in message


def state(**change: Tensor | None) -> dict[str, Tensor]:
    """A Chain's state dict, with some tensors replaced or taken out."""
    tensors = {**Chain().state_dict(), **{name.replace("__", "."): value for name, value in change.items()}}
    return {name: value for name, value in tensors.items() if value is not None}


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    torch.save(state(extra=torch.zeros(2), last__bias=None, norm__weight=torch.zeros(9)), tmp_path / "a.pt")
    message = fault(**CHAINED, checkpoint=str(tmp_path / "a.pt"))
    assert message.startswith(f"with -> checkpoint: {tmp_path / 'a.pt'} does not fit the module: ")
    assert "missing last.bias; superfluous extra; norm.weight is (9,), expected (5,)" in message
    torch.save(Styled().state_dict(), tmp_path / "b.pt")
    assert "; and " in fault(**CHAINED, checkpoint=str(tmp_path / "b.pt")), "long lists are cut"


def test_counters_of_old_files_may_be_missing(tmp_path: Path) -> None:
    torch.save(state(norm__num_batches_tracked=None), tmp_path / "a.pt")
    assert (
        ganstrata.load_generator(
            "module", device="cpu", **CHAINED, checkpoint=str(tmp_path / "a.pt")
        ).card.resolution
        == 8
    )


def test_a_prefix_is_proposed_and_then_taken(tmp_path: Path) -> None:
    joint = {f"net.{k}": v for k, v in state().items()} | {
        f"critic.{k}": v for k, v in Styled().state_dict().items()
    }
    torch.save(joint, tmp_path / "joint.pt")
    config = {**CHAINED, "checkpoint": str(tmp_path / "joint.pt")}
    assert "All tensors fit" in fault(**config)
    assert "prefix: 'net.'" in fault(**config)
    assert ganstrata.load_generator("module", device="cpu", **config, prefix="net.").card.resolution == 8
    assert "missing first.weight" in fault(**config, prefix="nett.")


def test_a_prefix_is_looked_for_among_a_few_only(tmp_path: Path) -> None:
    first = next(iter(state()))
    save_file({f"{i}.{first}": torch.zeros(0) for i in range(20_000)}, tmp_path / "many.safetensors")
    began = time.process_time()
    assert f"missing {first}" in fault(**CHAINED, checkpoint=str(tmp_path / "many.safetensors"))
    assert time.process_time() - began < 20


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    first = next(iter(state()))
    save_file(
        state(**{first.replace(".", "__"): torch.full_like(state()[first], value)}),
        tmp_path / "odd.safetensors",
    )
    assert f"{first}: these tensors hold values" in fault(
        **CHAINED, checkpoint=str(tmp_path / "odd.safetensors")
    )


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    for content in (b"", b"text, and nothing but text"):
        (tmp_path / "a.pt").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"a\.pt"):
            ganstrata.load_generator("module", device="cpu", **CHAINED, checkpoint=str(tmp_path / "a.pt"))
    with pytest.raises(CheckpointError, match="no checkpoint file"):
        ganstrata.load_generator("module", device="cpu", **CHAINED, checkpoint="nowhere.pt")
    torch.save(state(), tmp_path / "a.pt")
    assert "with -> sha256: " in fault(**CHAINED, checkpoint=str(tmp_path / "a.pt"), sha256="0" * 64)
    assert "with -> part: " in fault(**CHAINED, checkpoint=str(tmp_path / "a.pt"), part="G_ema")


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_traced_program_is_refused(tmp_path: Path) -> None:
    torch.jit.trace(Chain().eval(), torch.zeros(1, Z, 1, 1)).save(tmp_path / "a.pt")
    with pytest.raises(CheckpointError):
        ganstrata.load_generator("module", device="cpu", **CHAINED, checkpoint=str(tmp_path / "a.pt"))
