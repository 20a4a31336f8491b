"""Test that pictures with NaN or infinity are refused with sample and stratum, or left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import PictureError
from ganstrata.core.strata.composition import Pass, render
from sound_plugins import Leaky
from torch import Tensor


def codes_of(generator: ganstrata.Generator, n: int) -> Tensor:
    latents = generator.sample(n, 0, 0, ganstrata.Stream.PROBING)
    return generator.broadcast(generator.map(latents.z))


def leaky(**config: Any) -> Leaky:
    return Leaky(Leaky.Config(**config), torch.device("cpu"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("where", "words"), [(0, r"stratum 0 \('place'\)"), (1, r"stratum 1 \('paint'\)")])
def test_a_pass_names_sample_and_stratum(value: float, where: int, words: str) -> None:
    generator = leaky(every=5, value=str(value), where=where)
    if (where == 0 and value != value) or where == 1:  # a sigmoid makes a number of infinity
        with pytest.raises(
            PictureError,
            match=(
                rf"Leaky: the picture of sample 4 is not finite .*, nor are those of 1 more "
                rf".*it began in {words}"
            ),
        ):
            render(generator, codes_of(generator, 10))
        with pytest.raises(PictureError, match="the picture of sample 104 is not finite"):
            Pass(generator, codes_of(generator, 5), index=torch.arange(100, 105))


def test_an_edit_names_what_it_spoils() -> None:
    generator = leaky(far=50.0)
    codes = codes_of(generator, 4)
    base = Pass(generator, codes, restarts=[0, 1])
    moved = codes.clone()
    moved[2, 1] = 99.0
    with pytest.raises(
        PictureError,
        match=(
            r"the picture of sample 2 is not finite .* it began in stratum 1 \('paint'\)"
            r".*move them less far"
        ),
    ):
        base.edited(moved, [1])
    moved[2, 1] = float("inf")
    with pytest.raises(PictureError, match="its code is not finite before the first stratum"):
        base.edited(moved, [1])


def test_a_tolerant_pass_marks_them_and_gives_grey() -> None:
    generator = leaky(every=5)
    result = Pass(generator, codes_of(generator, 6), tolerant=True, features=[1], restarts=[0, 1])
    assert result.rendering.finite is not None
    assert result.rendering.finite.tolist() == [True, True, True, True, False, True]
    assert (result.rendering.images[4] == 0.5).all()
    assert result.rendering.features[1].isfinite().all()
    again = result.edited(codes_of(generator, 6), [1])
    assert again.finite is not None
    assert torch.equal(again.finite, result.rendering.finite)


@pytest.fixture
def leaking(register: Any) -> None:
    register("generator", "leaky", Leaky)


def config_of(**options: Any) -> dict[str, Any]:
    return {
        "generator": {"use": "leaky", "with": options},
        "scorers": [{"use": "hue"}],
        "concepts": {"include": ["hue/value", "hue/saturation"]},
        "boundary": {"use": "ridge", "with": {"positives": 40, "negatives": 40}},
        "synthesis": {"samples": 320, "batch_size": 32},
        "rescoring": {"samples": 64, "null_directions": 4, "bootstrap": 100},
        "editing": {"samples": 2, "steps": 3},
        "report": {"samples": 4},
        "device": "cpu",
        "engine": {"workers": 1},
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_run_refuses_them_whatever_scores(value: float, leaking: None, tmp_path: Path) -> None:
    config = config_of(every=50, value=str(value))
    config["scorers"].append({"use": "segmentation", "as": "object", "with": {"checkpoint": "bundled:rooms"}})
    with pytest.raises(
        PictureError,
        match=(
            r"generator 'leaky' from test 0: the picture of sample 49 "
            r"is not finite .*stratum 1 \('paint'\)"
        ),
    ):
        ganstrata.run(config, tmp_path / "run")


def test_an_allowed_share_is_left_out_counted_and_reported(leaking: None, tmp_path: Path) -> None:
    config = config_of(every=50)
    config["synthesis"]["allow_nonfinite"] = 0.05
    run = ganstrata.run(config, tmp_path / "run")
    assert run.manifest["stages"]["synthesize"]["nonfinite"] == 6
    assert run.manifest["stages"]["rescore"]["nonfinite"] > 0
    (value,) = [row for row in run.manifest["concepts"] if row["id"] == "hue/value"]
    assert value["samples"] == 314
    assert np.isfinite(run.manifest["spread"])
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "6 of 320 samples" in page
    plain = ganstrata.run(config_of(), tmp_path / "plain")
    assert plain.manifest["stages"]["synthesize"]["nonfinite"] == 0
    assert "are not finite" not in (plain.path / "report.html").read_text(encoding="utf-8")
    table = (run.path / "rescoring.csv").read_text(encoding="utf-8")
    assert "nan" not in table.lower().replace("nonfinite", "")


def test_more_than_the_share_is_refused(leaking: None, tmp_path: Path) -> None:
    config = config_of(every=50)
    config["synthesis"]["allow_nonfinite"] = 0.01
    with pytest.raises(
        PictureError,
        match=(
            r"6 of 320 pictures are not finite; synthesis\.allow_nonfinite: 0\.01 "
            r"allows 3\. .*sample 49.*stratum 1"
        ),
    ):
        ganstrata.run(config, tmp_path / "run")


def test_edits_that_go_too_far_are_refused(leaking: None, tmp_path: Path) -> None:
    config = config_of(far=1e5)
    config["editing"] |= {"start": -1e6, "end": 1e6}
    with pytest.raises(PictureError, match="move them less far"):
        ganstrata.run(config, tmp_path / "run")
    config["synthesis"]["allow_nonfinite"] = 0.1
    with pytest.raises(PictureError, match=r"\d+ of \d+ edited pictures are not finite; .*editing\.start"):
        ganstrata.run(config, tmp_path / "other")


def test_manipulate_refuses_what_goes_too_far(invoke: Any, leaking: None, tmp_path: Path) -> None:
    run = ganstrata.run(config_of(far=1e3), tmp_path / "run")
    for arguments in (("--start", "-1e5", "--end", "1e5"), ("--mode", "jitter", "--noise-sd", "1e5")):
        done = invoke("manipulate", run.path, "--along", "hue/value", *arguments)
        assert done.exit_code == 1
        assert "Traceback" not in done.output
        assert "is not finite (NaN or infinity)" in done.stderr
        assert "move them less far" in done.stderr
    assert not (run.path / "manipulated").exists()
