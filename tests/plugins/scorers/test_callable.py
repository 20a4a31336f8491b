"""Any function as a scorer, and the error for a function that cannot be one."""

from __future__ import annotations

import sys
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.errors import ConfigError, ScoreError

CODE = """
import numpy as np

def contrast(images, scale=1.0):
    return scale * images.std(dim=(1, 2, 3))

def both(images):
    return np.stack([images.mean(dim=(1, 2, 3)).numpy(), images.amax(dim=(1, 2, 3)).numpy()], axis=1)

def text(images):
    return "bright"

def short(images):
    return images.mean(dim=(1, 2, 3))[:-1]

def fails(images):
    raise KeyError("brightness")

class Kept:
    @staticmethod
    def value(images):
        return images.mean(dim=(1, 2, 3))

number = 3
"""


@pytest.fixture
def target(tmp_path: Path):
    """target("contrast") is that function's dotted path."""
    file = tmp_path / "measures.py"
    file.write_text(CODE, encoding="utf-8")
    return lambda name: f"{file}:{name}"


def load(target: str, *names: str, **options: object) -> ganstrata.Scorer:
    return ganstrata.load_scorer(
        "callable", target=target, concepts=[{"name": name} for name in names], device="cpu", **options
    )


def test_a_function_may_give_a_number_per_image(target) -> None:
    images = torch.rand(3, 3, 8, 8)
    scores = load(target("contrast"), "contrast", arguments={"scale": 2.0}).score(ganstrata.Rendering(images))
    torch.testing.assert_close(scores, 2.0 * images.std(dim=(1, 2, 3))[:, None])


def test_a_function_may_give_a_column_per_concept(target) -> None:
    images = torch.rand(3, 3, 8, 8)
    scores = load(target("both"), "mean", "most").score(ganstrata.Rendering(images))
    assert scores.dtype == torch.float32
    np.testing.assert_allclose(scores[:, 1], images.amax(dim=(1, 2, 3)), rtol=1e-6)


def test_images_are_clamped_and_gradients_flow(target) -> None:
    images = torch.tensor([-1.0, 0.5, 3.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4).clone().requires_grad_()
    score = load(target("Kept.value"), "value").score(ganstrata.Rendering(images))
    assert float(score.detach()) == pytest.approx(0.5)
    score.sum().backward()
    assert float(images.grad[0, 1].sum()) > 0.0


def test_a_target_may_be_a_module_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "my_measures.py").write_text(CODE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert load("my_measures:contrast", "contrast").score(
            ganstrata.Rendering(torch.rand(2, 3, 4, 4))
        ).shape == (2, 1)
    finally:
        sys.modules.pop("my_measures")


def test_a_concept_keeps_the_options_of_the_config(target) -> None:
    concepts = [
        {"name": "contrast", "level": "colour", "least": 0.05, "threshold": 0.2, "may_be_undefined": True}
    ]
    scorer = ganstrata.load_scorer("callable", target=target("contrast"), concepts=concepts, device="cpu")
    assert scorer.concepts == (ganstrata.Concept("contrast", "colour", 0.05, 0.2, True),)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("contrst", "has no 'contrst'. Did you mean 'contrast'?"),
        ("number", "is not a function, but int"),
    ],
)
def test_targets_that_are_no_function_are_refused(target, name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(target(name), "x")
    assert message in str(caught.value)
    assert "with -> target" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere.py:f", "no file nowhere.py (looked in "),
        ("no_such_package_at_all:f", "there is no module 'no_such_package_at_all' to import"),
        ("just_a_name", "must have the form"),
    ],
)
def test_missing_files_modules_and_functions_are_refused(given: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(given, "x")
    assert message in str(caught.value)


def test_a_file_that_does_not_import_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1 / 0\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"does not import: ZeroDivisionError: division by zero \(.*broken\.py:1\)"
    ):
        load(f"{tmp_path / 'broken.py'}:f", "x")


def test_arguments_that_the_function_does_not_take_are_refused(target) -> None:
    with pytest.raises(
        ConfigError, match=r"do not fit .*contrast\(images, scale=1\.0\).*Did you mean 'scale'"
    ):
        load(target("contrast"), "x", arguments={"scal": 2.0})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", "returned str; a tensor or array (2,) or (2, 1) was expected"),
        ("short", "returned shape (1, 1) for 2 images; (2,) or (2, 1) was expected"),
        ("both", "returned shape (2, 2) for 2 images"),
        ("fails", "failed on 2 images: KeyError: 'brightness'"),
    ],
)
def test_results_that_are_no_scores_are_refused(target, name: str, message: str) -> None:
    with pytest.raises(ScoreError) as caught:
        load(target(name), "x").score(ganstrata.Rendering(torch.rand(2, 3, 4, 4)))
    assert message in str(caught.value)


def test_a_concept_named_twice_is_refused(target) -> None:
    with pytest.raises(ConfigError, match="two concepts are named 'a'"):
        load(target("both"), "a", "a")
