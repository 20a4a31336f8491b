"""Every example in a docstring is run, under the name by which users import its module."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import ganstrata
import pytest


def modules() -> list[str]:
    names = ["ganstrata"]
    for family in ("app", "core", "plugins", "cli", "testing"):
        package = importlib.import_module(f"ganstrata.{family}")
        names += [info.name for info in pkgutil.walk_packages(package.__path__, f"ganstrata.{family}.")]
    return names


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [test for name in modules() for test in finder.find(importlib.import_module(name), name)]
    return [test for test in tests if test.examples]


EXAMPLES = examples()


@pytest.fixture(scope="module", autouse=True)
def _trained_once() -> Iterator[None]:
    """Let examples share an extractor that several train in the same way, which takes seconds."""
    known: dict[tuple[object, ...], ganstrata.Extractor] = {}
    train = ganstrata.train_extractor

    def once(*models: Any, **options: Any) -> ganstrata.Extractor:
        key = (*map(type, models), *sorted(options.items()))
        if key not in known:
            known[key] = train(*models, **options)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ganstrata, "train_extractor", once)
        yield


@pytest.mark.parametrize("test", EXAMPLES, ids=lambda test: test.name)
def test_examples_in_docstrings_run(test: doctest.DocTest, capsys: pytest.CaptureFixture[str]) -> None:
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, clear_globs=False)
    assert results.attempted > 0
    assert results.failed == 0, capsys.readouterr().out


def test_every_module_with_examples_is_tested() -> None:
    names = {test.name for test in EXAMPLES}
    assert len(names) > 15
    assert {
        "ganstrata",
        "ganstrata.core.errors.nearest",
        "ganstrata.core.runs.loading.load_generator",
    } <= names
    assert len(modules()) > 50
    assert all(name == "ganstrata" or name.startswith("ganstrata.") for name in modules())
    assert ganstrata.__name__ == "ganstrata"
