"""The line between two walls, on label maps that are drawn here."""

from __future__ import annotations

import pytest
import torch
from ganstrata.plugins.scorers.layout import LEAST_SUPPORT, wall_line
from torch import Tensor

LEFT, RIGHT, FRONT, FLOOR = 0, 1, 2, 3
WALLS = (LEFT, RIGHT, FRONT)


def room(
    column: float,
    slope: float = 0.0,
    *,
    size: int = 64,
    left: int = LEFT,
    right: int = RIGHT,
    top: int = 0,
    bottom: int | None = None,
) -> Tensor:
    """(1, H, W): one wall left of the line and another right of it, in rows top to bottom; else floor."""
    bottom = size if bottom is None else bottom
    rows, columns = torch.arange(size)[:, None].float(), torch.arange(size)[None].float()
    middle = (top + bottom - 1) / 2.0
    labels = torch.where(columns < column + slope * (rows - middle), left, right)
    labels[:top] = FLOOR
    labels[bottom:] = FLOOR
    return labels[None]


def relative(column: float, size: int = 64) -> float:
    """Where an edge before this column stands, relative to the centre."""
    return (column - 0.5 - (size - 1) / 2.0) / (size / 2.0)


@pytest.mark.parametrize("size", [16, 64, 128])
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.8, 0.95])
def test_a_vertical_line_stands_where_the_walls_meet(size: int, share: float) -> None:
    column = round(size * share)
    position, support = wall_line(room(column, size=size), WALLS)
    assert position.item() == pytest.approx(relative(column, size), abs=1e-5)
    assert support.item() == 1.0


def test_the_middle_of_the_picture_is_zero() -> None:
    assert wall_line(room(32), WALLS)[0].item() == pytest.approx(0.0, abs=1e-6)


def test_a_mirrored_picture_has_the_opposite_sign() -> None:
    labels = torch.cat([room(20), room(40, 0.1)])
    (there, _), (back, _) = wall_line(labels, WALLS), wall_line(labels.flip(2), WALLS)
    assert torch.allclose(there, -back, atol=1e-5)


@pytest.mark.parametrize("slope", [-0.12, -0.05, 0.05, 0.12])
def test_a_leaning_line_stands_where_its_middle_is(slope: float) -> None:
    position, support = wall_line(room(40, slope), WALLS)
    assert position.item() == pytest.approx(relative(40), abs=0.03)
    assert support.item() > 0.9


@pytest.mark.parametrize(("a", "b"), [(LEFT, RIGHT), (RIGHT, LEFT), (LEFT, FRONT), (FRONT, RIGHT)])
def test_any_two_walls_may_meet(a: int, b: int) -> None:
    assert wall_line(room(24, left=a, right=b), WALLS)[0].item() == pytest.approx(relative(24))


def test_only_walls_count() -> None:
    position, support = wall_line(room(24, left=LEFT, right=FLOOR), WALLS)
    assert torch.isnan(position).all()
    assert support.item() == 0.0


def test_support_is_the_share_of_rows_that_see_the_line() -> None:
    position, support = wall_line(room(30, top=10, bottom=42), WALLS)
    assert support.item() == 0.5
    assert position.item() == pytest.approx(relative(30))


@pytest.mark.parametrize(
    "labels", [torch.full((1, 64, 64), LEFT), torch.full((1, 64, 64), FLOOR), torch.full((1, 1, 2), FLOOR)]
)
def test_without_a_line_the_position_is_undefined(labels: Tensor) -> None:
    position, support = wall_line(labels, WALLS)
    assert torch.isnan(position).all()
    assert support.item() == 0.0


def test_a_line_seen_in_too_few_rows_is_undefined() -> None:
    rows = int(LEAST_SUPPORT * 64)
    assert torch.isnan(wall_line(room(30, top=5, bottom=5 + rows), WALLS)[0]).all()
    assert not torch.isnan(wall_line(room(30, top=5, bottom=6 + rows), WALLS)[0]).any()


def test_of_two_lines_the_one_seen_in_more_rows_counts() -> None:
    """Three walls: the left line spans 40 rows, the right one all of them."""
    labels = room(45, left=FRONT, right=RIGHT)
    labels[:, :40, :20] = LEFT
    position, support = wall_line(labels, WALLS)
    assert position.item() == pytest.approx(relative(45))
    assert support.item() == 1.0


def test_noise_does_not_move_the_line() -> None:
    """A third of the rows see an edge somewhere else first."""
    random = torch.Generator().manual_seed(0)
    labels = room(40)
    for row in torch.randperm(64, generator=random)[:20]:
        column = int(torch.randint(2, 30, (1,), generator=random))
        labels[0, row, column] = LEFT
        labels[0, row, column + 1 : column + 3] = RIGHT
        labels[0, row, column + 3] = LEFT
    position, support = wall_line(labels, WALLS)
    assert position.item() == pytest.approx(relative(40), abs=0.02)
    assert 0.6 < support.item() < 0.8


def test_furniture_in_front_of_the_line_lowers_its_support_only() -> None:
    labels = room(40)
    labels[:, 30:, 36:44] = FLOOR
    position, support = wall_line(labels, WALLS)
    assert position.item() == pytest.approx(relative(40))
    assert support.item() == pytest.approx(30 / 64)


def test_a_batch_is_read_one_by_one() -> None:
    labels = torch.cat([room(20), torch.full((1, 64, 64), FLOOR), room(50, 0.1), room(33, top=20)])
    position, support = wall_line(labels, WALLS)
    for i in range(4):
        alone, alone_support = wall_line(labels[i : i + 1], WALLS)
        assert torch.allclose(position[i], alone[0], equal_nan=True)
        assert support[i] == alone_support[0]
