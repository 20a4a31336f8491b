"""Compare the counted work with counts by hand, with torch's count of a run, and with the paper's network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.plugins.records import Inputs, ModelCard, State, Stratum
from ganstrata.core.rescoring import stage as rescoring
from ganstrata.core.rescoring.cost import (
    Costs,
    counted,
    flops,
    measured,
    naive_work,
    shared_work,
    strata_work,
)
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.engines.run_engine import RunEngine
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from generators_stylegan import small_state
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

COSTS = Costs((1.0, 2.0, 4.0), 3.0, "FLOPs")


def test_an_edited_image_costs_what_lies_behind_the_edit_and_its_scores() -> None:
    assert [COSTS.edited(start) for start in range(3)] == [10.0, 9.0, 7.0]


def test_naive_work_by_hand() -> None:
    # 5 samples; 2 boundaries: a baseline and 3 sets in 2 signs; 4 null directions: a baseline and 3 sets.
    assert naive_work(COSTS, 5, 3, 2, 4) == 5 * 10.0 * (2 * 7 + 4 * 4)
    assert naive_work(COSTS, 5, 3, 2, 4, signs=1) == 5 * 10.0 * (2 * 4 + 4 * 4)
    assert naive_work(COSTS, 5, 3, 2, 4, signs=np.array([1, 2, 1])) == 5 * 10.0 * (2 * 5 + 4 * 4)


def test_shared_work_by_hand() -> None:
    used = np.array([[5, 2, 1], [5, 5, 2]])
    result = shared_work(COSTS, [0, 1, 2], 2 * used, np.array([5, 5, 2]), 4, 7)
    in_one = shared_work(COSTS, [0, 1, 2], np.array([2, 1, 1]) * used, np.array([5, 5, 2]), 4, 7)
    assert result - in_one == 7 * 9.0 + 3 * 7.0
    assert result == 7 * 10.0 + (2 * 10 + 4 * 5) * 10.0 + (2 * 7 + 4 * 5) * 9.0 + (2 * 3 + 4 * 2) * 7.0


def test_strata_and_scorers_are_measured_apart(fakes, config) -> None:
    prepared = prepare(validate(config, "test"))
    costs = measured(prepared)
    pixels = 3 * fakes.SIZE**2
    alone = dict.fromkeys(prepared.scorers, 2.0 * pixels * 4)
    assert costs == Costs((2.0 * fakes.WIDTH * pixels,) * fakes.LAYERS, 2.0 * pixels * 4, "FLOPs", alone)


@pytest.mark.parametrize(
    ("adaptive", "backward"),
    [
        (False, "none"),
        (True, "all"),
        *(pytest.param(adaptive, "everywhere", marks=pytest.mark.full) for adaptive in (False, True)),
    ],
)
def test_what_a_run_says_it_did_is_what_torch_saw(
    adaptive: bool, backward: str, fakes, config, tmp_path: Path
) -> None:
    config["rescoring"] |= {
        "samples": 128,
        "adaptive": adaptive,
        "layers": ["all", "1", "6"],
        "backward": backward,
        "learning_resamples": 0 if backward == "none" else 4,  # the naive order has none
        "null_directions": 4,
        "bootstrap": 100,
    }
    quiet = Progress(quiet=True)
    run = perform(
        validate(config, "test"), tmp_path / "run", ("synthesize", "learn"), source="test", progress=quiet
    )
    with RunEngine(prepare(run.config, batch=run.batch)) as engine, FlopCounterMode(display=False) as counter:
        rescoring.rescore(run, engine, quiet)
    effects = read_effects(run)
    work = counted(engine.prepared, effects)
    assert work.done == pytest.approx(counter.get_total_flops(), rel=1e-12)
    assert (work.done < work.full) == adaptive
    assert work.full < work.naive


class Uncounted(ganstrata.Generator):
    """Three layers that only add their codes, which costs no counted FLOPs."""

    def __init__(self, config: Any, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("sums", resolution=8, layers=3, code_size=4, latent_size=4)
        self.strata = tuple(Stratum(f"s{i}", i, 8) for i in range(3))

    def stratum(
        self, s: int, state: State, code: torch.Tensor | None, style: torch.Tensor | None = None
    ) -> State:
        assert code is not None
        return State(
            code.mean(dim=1)[:, None, None, None].expand(-1, 3, 8, 8) + (0.0 if state.x is None else state.x)
        )

    def finish(self, state: State) -> torch.Tensor:
        assert state.x is not None
        return state.x


def test_what_cannot_be_counted_is_timed(fakes, config, register) -> None:
    register("generator", "sums", Uncounted)
    config["generator"] = {"use": "sums"}
    config["checks"] = False
    config["rescoring"]["groups"] = None
    costs = measured(prepare(validate(config, "test")))
    assert costs.unit == "seconds"
    assert len(costs.strata) == 3
    assert all(0.0 < cost < 10.0 for cost in (*costs.strata, costs.scoring))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Costs:
    """Generator work of StyleGAN in the size of the paper's networks: 256 pixels, 14 layers."""
    file = tmp_path_factory.mktemp("stylegan") / "bedroom.safetensors"
    save_file(
        small_state(
            "higan", widths=(512, 512, 512, 512, 256, 128, 64), z_dim=512, w_dim=512, depth=8, hidden=512
        ),
        file,
    )
    generator = ganstrata.load_generator("stylegan", checkpoint=str(file), device="cpu")
    latents = generator.sample(1, 0, 0, ganstrata.Stream.VERIFICATION)
    with torch.inference_mode():
        strata, images = strata_work(
            generator,
            Inputs(1, None, latents.index, 0),
            generator.broadcast(generator.map(latents.z)),
            flops,
            {},
        )
    assert images.shape == (1, 3, 256, 256)
    return Costs(strata, 0.0, "FLOPs")


def test_the_counter_sees_every_convolution(published: Costs) -> None:
    # The second layer of each resolution: a 3 x 3 convolution and an affine map of w.
    widths = (512, 512, 512, 512, 256, 128, 64)
    for level, width in enumerate(widths):
        expected = 2.0 * 9 * width**2 * (4 * 2**level) ** 2 + 2.0 * 512 * 2 * width
        assert published.strata[2 * level + 1] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("boundaries", "null", "signs", "most"),
    [
        (50, 0, 1, 0.70),  # what the paper's code does with as many boundaries as its authors published
        (10, 20, 2, 0.72),  # what a run does here
    ],
)
def test_single_layers_of_the_papers_network_need_seven_tenths_of_the_naive_work(
    boundaries: int, null: int, signs: int, most: float, published: Costs
) -> None:
    layers = 14
    used = np.ones((boundaries, layers), dtype=np.int64)
    ours = shared_work(published, range(layers), signs * used, used[0], null, 1)
    assert ours <= most * naive_work(published, 1, layers, boundaries, null, signs=signs)
    # Where every edited image has an unedited one of its own, as in a loop over edits, it is less than half.
    edits = layers * (signs * boundaries + null)
    assert ours <= 0.40 * 2 * edits * published.edited()
    assert math.isclose(published.edited(), 36.8e9, rel_tol=0.01)
