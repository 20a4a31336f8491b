"""Direction and code files built after public reports, where GANSTRATA_CASES names a folder of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.errors import UserError
from ganstrata.core.interchange.assumed import AssumedGenerator
from ganstrata.core.interchange.code_shapes import CodeSizes
from ganstrata.core.interchange.codes import find_codes
from ganstrata.core.interchange.importing import ImportOptions, import_boundaries

CASES = os.environ.get("GANSTRATA_CASES")
FOLDER = Path(str(CASES)) / "boundaries"
ROOMS = AssumedGenerator("f" * 16, "w", 10, 128, "StyleGAN2, bundled:rooms")
SIZES = CodeSizes(10, 128, 128, mapped=True)
pytestmark = pytest.mark.skipif(not CASES, reason="GANSTRATA_CASES names no folder of cases")


@pytest.mark.parametrize(
    ("name", "options", "names"),
    [
        ("age_e4e.pt", {"space": "w"}, ["age_e4e"]),
        ("named.npz", {"space": "w"}, ["age", "smile"]),
        ("higan_pickled.npy", {"space": "w"}, ["higan_pickled"]),
        ("factor_rosinality.pt", {}, [f"factor_rosinality.{i}" for i in range(128)]),
        ("sefa_128x128.npy", {"space": "w", "form": "rows"}, [f"sefa_128x128.{i}" for i in range(128)]),
    ],
)
def test_directions(name: str, options: dict[str, str], names: list[str]) -> None:
    imported = import_boundaries([FOLDER / name], ROOMS, ImportOptions(level="attribute", **options))
    assert [b.concept for b in imported.boundaries] == [f"imported/{name}" for name in names]
    assert all(b.space == "w" and b.normal.shape == (128,) for b in imported.boundaries)


def test_codes() -> None:
    for name in ("one_inverted_code_LD.npy", "ten_w_ND.npy"):
        with pytest.raises(UserError, match=r"--codes-as code: .* --space w: .* --space z: "):
            find_codes(FOLDER / name, SIZES)
        values = np.load(FOLDER / name)
        for options, space, codes in (
            ({"codes_as": "code"}, "w+", values[None]),
            ({"codes_as": "codes", "space": "w"}, "w", values),
            ({"space": "z"}, "z", values),
        ):
            found = find_codes(FOLDER / name, SIZES, **options)
            assert found.space == space
            np.testing.assert_array_equal(found.values, codes)
