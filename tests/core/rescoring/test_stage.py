"""Stage 3: how many images, how far, and along which random directions."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Inputs, Stream
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.boundaries.null_directions import random_directions
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import MismatchError
from ganstrata.core.pipeline.perform import perform, resume
from ganstrata.core.randomness import noise_seed
from ganstrata.core.rescoring.stage import step_length
from ganstrata.core.rescoring.work_units import images_needed
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.shards import Shards


def test_images_by_the_methods_formula(fakes, config) -> None:
    config["rescoring"] |= {"samples": 100, "null_directions": 20, "layers": ["all", "each"]}
    once = 100 * (1 + (7 + 20) * 9 + 7)  # backwards at `all` alone
    # Half of the samples, in whole batches of 32, are moved along what resampled samples give as well.
    assert images_needed(prepare(validate(config, "test")), [None] * 7) == once + 64 * 12 * 7
    config["rescoring"]["learning_resamples"] = 0
    for backward, moves in (("all", 0), ("none", -7), ("everywhere", 7 * 8)):
        config["rescoring"]["backward"] = backward
        assert images_needed(prepare(validate(config, "test")), [None] * 7) == once + 100 * moves


@pytest.mark.parametrize(("unit", "wanted"), [("sd", 3.0 * 2.5), ("raw", 3.0)])
def test_the_step_is_in_the_configured_unit(unit: str, wanted: float, fakes, config) -> None:
    config["rescoring"] |= {"distance": 3.0, "distance_unit": unit}
    assert step_length(prepare(validate(config, "test")), 2.5) == wanted


def test_random_directions_are_unit_and_independent(fakes, config) -> None:
    generator, seed = prepare(validate(config, "test")).generator, config["synthesis"]["seed"]
    result = random_directions(generator, 200, seed, layerwise=False)
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1.0, rtol=1e-6)
    cosines = (result @ result.T)[np.triu_indices(200, 1)]
    assert abs(cosines.mean()) < 0.01
    assert cosines.std() == pytest.approx(1 / 4.0, rel=0.1)  # 1 / sqrt(D)
    assert np.array_equal(random_directions(generator, 5, seed, layerwise=False), result[:5])
    layerwise = random_directions(generator, 5, seed, layerwise=True)
    assert layerwise.shape == (5, 8, 16)
    np.testing.assert_allclose(np.linalg.norm(layerwise, axis=2), 1.0, rtol=1e-6)


def test_short_last_batches_count_as_what_they_hold(fakes, config, tmp_path: Path, finished: Run) -> None:
    config["rescoring"]["samples"] = 50  # 32 and 18
    run = ganstrata.run(config, tmp_path / "run")
    own = ganstrata.core.storage.shards.Shards(run.path / "rescoring.zarr").read("own")
    longer = ganstrata.core.storage.shards.Shards(finished.path / "rescoring.zarr").read("own")
    assert own.shape == (6, 13, 2, 50)
    assert own.tobytes() == np.ascontiguousarray(longer[..., :50]).tobytes()
    with (run.path / "rescoring.csv").open(encoding="utf-8", newline="") as file:
        assert {int(row["samples"]) + int(row["undefined"]) for row in csv.DictReader(file)} == {50}


def test_boundaries_of_another_generator_are_refused(fakes, config, tmp_path: Path) -> None:
    from ganstrata.core.boundaries.files import save_boundaries

    quiet = Progress(quiet=True)
    run = perform(
        validate(config, "test"), tmp_path / "run", ("synthesize", "learn"), source="test", progress=quiet
    )
    boundaries, skipped = load_boundaries(run.path)
    save_boundaries(
        ganstrata.Boundaries(replace(b, generator="0123456789abcdef") for b in boundaries), run.path, skipped
    )
    run.finish("learn", seconds=0.0, files=("boundaries.safetensors", "boundaries.json"))
    with pytest.raises(MismatchError, match="was learnt for generator 0123456789abcdef; this one is"):
        resume(run.path, "rescore", progress=quiet)


@pytest.mark.parametrize(
    ("adaptive", "backward"),
    [(False, "everywhere"), (False, "all"), (True, "everywhere"), (True, "all"), (True, "none")],
)
def test_changes_are_those_of_full_passes_with_the_layers_scale_and_the_noise_of_verification(
    adaptive: bool, backward: str, fakes, config, tmp_path: Path
) -> None:
    """Compute delta_k = F(G(c_k + lambda scale n)) - F(G(c_k)) by hand, in full passes without the stage."""
    config |= {
        "generator": {"use": "fake_grainy"},
        "boundary": {"use": "fake_axes"},
        "concepts": {"include": ["seen/left", "seen/red"]},
    }
    config["rescoring"] |= {
        "samples": 32,
        "layers": ["all", "0-3"],
        "adaptive": adaptive,
        "looks": [1.0],
        "backward": backward,
    }
    run = ganstrata.run(config, tmp_path / "run")
    prepared = prepare(run.config)
    generator, scorer, seed = prepared.generator, prepared.scorers["seen"], config["synthesis"]["seed"]
    latents = generator.sample(32, seed, 0, Stream.VERIFICATION)
    codes = generator.broadcast(generator.map(latents.z))
    step = np.float32(run.manifest["spread"] * 2.0)

    def scores(codes: torch.Tensor) -> np.ndarray:
        inputs = Inputs(32, None, latents.index, noise_seed(seed, Stream.VERIFICATION))
        state = generator.begin(inputs)
        for layer in range(8):
            state = generator.stratum(layer, state, codes[:, layer])
        return scorer.score(ganstrata.Rendering(generator.finish(state))).numpy()

    own = Shards(run.path / "rescoring.zarr")
    for s, (name, layers) in enumerate({"all": range(8), "0-3": range(4)}.items()):
        for b, column in enumerate((0, 3)):
            field = np.zeros((8, 16), np.float32)
            field[list(layers), b] = np.repeat([0.5, 1.0], 4)[list(layers)]
            for k, sign in enumerate((1.0, -1.0)):
                if k == 1 and not (backward == "everywhere" or (backward, name) == ("all", "all")):
                    array = own.read("own_all" if adaptive and name == "all" else "own")
                    assert np.isnan(array[b, 0 if adaptive and name == "all" else s, k]).all()
                    continue
                expected = scores(codes + float(sign * step) * torch.from_numpy(field)) - scores(codes)
                array = own.read("own_all" if adaptive and name == "all" else "own")
                result = array[b, 0 if adaptive and name == "all" else s, k]
                if adaptive and name != "all":  # known precisely after the first look there
                    assert np.isnan(result[16:]).all()
                    result, expected = result[:16], expected[:16]
                np.testing.assert_allclose(result, expected[:, column], atol=2e-5)
                if (column, name) == (0, "all"):  # the left lies at layer 1, where w is half as wide
                    assert np.abs(result).mean() == pytest.approx(0.05 * float(step) * 0.5, rel=0.2)
