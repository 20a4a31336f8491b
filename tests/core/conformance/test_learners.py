"""Test that learners that break the contract in one way each are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakes
import ganstrata
import numpy as np
import pytest
from ganstrata import Boundaries, Boundary, Concept, DataError, PluginBroken
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.stages import STAGES


class Axes(fakes.Axes):
    """Learns axis i for concept i, and damages the result by `spoil`."""

    def learn(self, *given: Any, **more: Any) -> Any:
        return self.spoil(list(super().learn(*given, **more)))

    def spoil(self, rows: list[Boundary]) -> Any:
        return Boundaries(rows)


def spoilt(how: Callable[[list[Boundary]], Any]) -> type[Axes]:
    """Boundaries after one change."""
    return type("Spoilt", (Axes,), {"spoil": lambda self, rows: how(rows), "__module__": __name__})


def first(**change: Any) -> type[Axes]:
    """The first boundary with other values."""
    return spoilt(lambda rows: Boundaries([replace(rows[0], **change), *rows[1:]]))


def scaled(factor: float) -> type[Axes]:
    return spoilt(
        lambda rows: Boundaries([replace(rows[0], normal=rows[0].normal * np.float32(factor)), *rows[1:]])
    )


def writing(what: str) -> type[Axes]:
    """Changes its input in place."""

    def learn(self: Axes, latents: Any, scores: Any, concepts: Any, **more: Any) -> Boundaries:
        {"latents": latents, "scores": scores}[what][3] *= 2.0
        return Axes.learn(self, latents, scores, concepts, **more)

    return type("Spoilt", (Axes,), {"learn": learn, "__module__": __name__})


def failing(rows: list[Boundary]) -> Any:
    raise ValueError("no margin")


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        (
            scaled(0.14),
            r"the boundary 'seen/left' has a normal of length 0\.14; .*divide by np\.linalg\.norm\(normal\)",
        ),
        (scaled(5.0), "has a normal of length 5"),
        (scaled(float("nan")), "has a normal or an offset that is not finite"),
        (first(offset=np.float32(np.inf)), "has a normal or an offset that is not finite"),
        (
            first(normal=np.eye(15, dtype=np.float32)[0]),
            r"does not fit: .*normal of shape \(15,\); this generator needs \(16,\)",
        ),
        (first(offset=np.zeros(3, np.float32)), r"an offset of shape \(3,\)"),
        (first(normal=np.arange(16)), "has a normal of int64"),
        (first(generator="another"), "does not fit: it lies in space 'w' of generator 'another'"),
        (first(generator=""), "does not fit: it lies in space 'w' of generator ''"),
        (first(space="z"), "does not fit: .*lies in space z"),
        (first(space=None), "does not fit: it lies in space None"),
        (first(level="object"), "has the level object; that of its concept is layout"),
        (
            first(normal=np.eye(16, dtype=np.float32)[0].tolist()),
            r"has a normal that is \[1\.0, .*; a numpy array was expected",
        ),
        (first(offset=np.float64(1e300)), "has a normal or an offset that is not finite"),
        (first(layers=(np.int64(1),)), r"has .* for layers; a tuple of numbers from 0 to 7"),
        (first(layers=(8,)), r"has \(8,\) for layers"),
        (first(layers="all"), "has 'all' for layers"),
        (first(given=None), "has None for given; a tuple of names"),
        (first(facts=None), "has NoneType for facts; a mapping"),
        (first(facts={"a": np.float32(1)}), r"has facts that cannot be written as JSON .*float\(\.\.\.\)"),
        (
            first(facts={"held_out_accuracy": "high"}),
            "has 'high' for held_out_accuracy in its facts; a share from 0 to 1",
        ),
        (first(facts={"held_out_accuracy": 7.5}), r"has 7\.5 for held_out_accuracy"),
        (first(facts={"held_out_accuracy": float("nan")}), "has nan for held_out_accuracy"),
        (first(facts={"positives": "many"}), "has 'many' for positives in its facts; a count"),
        (first(facts={"layers": 5}), "has 5 for layers in its facts"),
        (first(slope=np.eye(15, dtype=np.float32)[0]), r"has a slope of shape \(15,\), unlike its normal"),
        (first(slope=np.ones(16, dtype=np.float32)), "has a slope whose length is not 1"),
        (first(slope=np.full(16, np.nan, dtype=np.float32)), "has a slope whose length is not 1"),
        (first(slope=[1.0] * 16), "for slope; an array of floats like the normal, or None"),
        (first(facts={"a": "x" * 1_000_001}), "has facts of 1000010 characters; 1000000 are allowed"),
        (writing("latents"), "changed the latents that it was given, which are used again"),
        (writing("scores"), "changed the scores that it was given"),
        (first(level="color"), "has the level 'color'; levels are layout"),
        (first(concept="seen/right"), "returned boundaries that were not requested: seen/right"),
        (first(concept="../up"), "has a name that cannot be used"),
        (
            spoilt(lambda rows: Boundaries(rows[1:])),
            "returned no boundary for seen/left, and no reason; .*ganstrata.DataError",
        ),
        (spoilt(lambda rows: Boundaries([])), "returned no boundary for seen/left, seen/checks"),
        (spoilt(lambda rows: Boundaries([*rows, rows[0]])), "returned two boundaries called 'seen/left'"),
        (spoilt(lambda rows: None), r"learn returned NoneType; ganstrata\.Boundaries was expected"),
        (spoilt(lambda rows: rows), r"learn returned list; .* return ganstrata\.Boundaries\(\[\.\.\.\]\)"),
        (spoilt(lambda rows: Boundaries([1.0])), r"learn returned float among its boundaries"),
        (spoilt(failing), r"failed in learn: ValueError: no margin \(.*test_learners\.py:\d+\)"),
    ],
)
def test_what_a_learner_gives_is_checked(
    plugin: type[Axes], words: str, fakes, register, config, tmp_path: Path
) -> None:
    globals()["Spoilt"] = plugin
    plugin.__qualname__ = "Spoilt"
    register("boundary", "spoilt", plugin)
    config |= {"boundary": {"use": "spoilt"}, "concepts": {"exclude": ["seen/half", "seen/chance"]}}
    config["synthesis"]["samples"] = 64
    with pytest.raises(PluginBroken, match=words) as caught:
        ganstrata.run(config, tmp_path / "run")
    assert "boundary learner 'spoilt' from test 0" in str(caught.value)
    assert not (tmp_path / "run" / "boundaries.json").exists()


class Choosy(Axes):
    """Refuses one of the concepts with a reason."""

    def learn(self, latents: Any, scores: Any, concepts: Sequence[Concept], **more: Any) -> Boundaries:
        if any(concept.name == "seen/left" for concept in concepts):
            raise DataError("left is beyond me")
        return super().learn(latents, scores, concepts, **more)


class Lottery(Axes):
    """Draws from numpy's global random numbers."""

    def spoil(self, rows: list[Boundary]) -> Any:
        boundaries = []
        for row in rows:
            normal = row.normal + 0.1 * np.random.standard_normal(row.normal.shape)  # noqa: NPY002 - as old estimators do
            boundaries.append(replace(row, normal=(normal / np.linalg.norm(normal)).astype(np.float32)))
        return Boundaries(boundaries)


def test_a_refused_concept_has_its_reason_and_the_others_are_learnt(
    fakes, register, config, tmp_path: Path
) -> None:
    register("boundary", "choosy", Choosy)
    config["boundary"] = {"use": "choosy"}
    run = ganstrata.run(config, tmp_path / "run")
    from ganstrata.core.boundaries.files import load_boundaries

    boundaries, skipped = load_boundaries(run.path)
    assert skipped["seen/left"] == "left is beyond me"
    assert "seen/checks" in boundaries.names


def test_a_learner_that_draws_is_the_same_again_and_leaves_the_callers_numbers(
    fakes, register, config, tmp_path: Path
) -> None:
    register("boundary", "lottery", Lottery)
    config["boundary"] = {"use": "lottery"}
    np.random.seed(1)  # noqa: NPY002 - to be left alone
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    ganstrata.run(config, tmp_path / "a")
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    ganstrata.run(config, tmp_path / "b")
    assert (tmp_path / "a/boundaries.safetensors").read_bytes() == (
        tmp_path / "b/boundaries.safetensors"
    ).read_bytes()


class Unseeded(Axes):
    """Draws from a generator of numpy without a seed, which nobody can seed from outside."""

    def spoil(self, rows: list[Boundary]) -> Any:
        turned = rows[0].normal + np.float32(0.01) * np.random.default_rng().standard_normal(16)
        normal = (turned / np.linalg.norm(turned)).astype(np.float32)
        return Boundaries([replace(rows[0], normal=normal), *rows[1:]])


def test_a_learner_that_cannot_be_repeated_is_refused_unless_checks_are_off(
    fakes, register, config, tmp_path: Path
) -> None:
    register("boundary", "unseeded", Unseeded)
    config["boundary"] = {"use": "unseeded"}
    config["synthesis"]["samples"] = 96

    def learn(path: Path) -> None:
        perform(validate(config, "test"), path, STAGES[:2], source="test", progress=Progress(quiet=True))

    with pytest.raises(
        PluginBroken, match=r"learner 'unseeded' from test 0 learns another boundary 'seen/left' .* same seed"
    ):
        learn(tmp_path / "run")
    assert not (tmp_path / "run/boundaries.json").exists()
    config["checks"] = False
    learn(tmp_path / "run")
    assert (tmp_path / "run/boundaries.json").exists()


class Refusing(Axes):
    """Cannot learn the first concept, as it comes."""

    def spoil(self, rows: list[Boundary]) -> Any:
        if rows[0].concept == "seen/left" and len(rows) == 1:
            raise DataError("not this one")
        return Unseeded.spoil(self, rows)  # type: ignore[arg-type]


def test_the_check_passes_over_concepts_that_cannot_be_learnt(
    fakes, register, config, tmp_path: Path
) -> None:
    register("boundary", "refusing", Refusing)
    config["boundary"] = {"use": "refusing"}
    config["synthesis"]["samples"] = 96
    with pytest.raises(PluginBroken, match="learns another boundary 'seen/checks'"):
        perform(
            validate(config, "test"),
            tmp_path / "run",
            STAGES[:2],
            source="test",
            progress=Progress(quiet=True),
        )
