"""Check that the batched solver reaches the optimum of LinearSVC, on data of every kind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganstrata.plugins.boundaries import newton
from ganstrata.plugins.boundaries.newton import solve_squared_hinge
from sklearn.svm import LinearSVC


def data(kind, *, n=160, d=12, seed=0):
    """Codes (n, d) and labels (n,), 1 or -1."""
    rng = np.random.default_rng(seed)
    x, direction = rng.standard_normal((n, d)), np.eye(d)[0]
    noise = {"separable": 0.0, "noisy": 1.0, "hopeless": 100.0}.get(kind, 0.5)
    if kind == "few":
        x = x[: d // 2]
    if kind == "collinear":
        x[:, 3], x[:, 4:] = x[:, 2], x[:, :1] + x[:, 1:2]
    if kind == "scaled":
        x = x * np.logspace(-3, 2, d)
    if kind == "far":
        x = x + 30.0
    score = x @ direction + noise * rng.standard_normal(len(x))
    cut = np.quantile(score, 0.95 if kind == "imbalanced" else 0.5)
    return x, np.where(score > cut, 1.0, -1.0)


KINDS = ("separable", "noisy", "hopeless", "imbalanced", "collinear", "few", "scaled", "far")


def batch(*problems):
    """Problems of any lengths, filled up: codes (B, n, d) and labels (B, n)."""
    longest = max(len(y) for _, y in problems)
    x = torch.zeros((len(problems), longest, problems[0][0].shape[1]), dtype=torch.float64)
    y = torch.zeros((len(problems), longest), dtype=torch.float64)
    for i, (codes, labels) in enumerate(problems):
        x[i, : len(labels)], y[i, : len(labels)] = torch.from_numpy(codes), torch.from_numpy(labels)
    return x, y


def solve(*problems, C=1.0, **options):
    """Coefficients with the intercept last, (B, d+1), and the solution."""
    solution = solve_squared_hinge(*batch(*problems), C, **options)
    return np.concatenate(
        [solution.coefficients.numpy(), solution.intercepts.numpy()[:, None]], axis=1
    ), solution


def gradient(v, x, y, C):
    """Of the function, by its definition."""
    z = np.c_[x, np.ones(len(x))] * y[:, None]
    return v - 2.0 * C * z.T @ np.maximum(0.0, 1.0 - z @ v)


def value(v, x, y, C):
    z = np.c_[x, np.ones(len(x))] * y[:, None]
    return 0.5 * v @ v + C * np.square(np.maximum(0.0, 1.0 - z @ v)).sum()


@pytest.mark.parametrize("C", [1e-3, 0.1, 1.0, 30.0, 1e3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_vanishes_where_it_ends(kind, C):
    x, y = data(kind)
    (u,), solution = solve((x, y), C=C)
    assert solution.converged.tolist() == [True]
    zero = np.zeros(x.shape[1] + 1)
    share = min((y > 0).mean(), (y < 0).mean())
    assert np.linalg.norm(gradient(u, x, y, C)) <= 1.001e-6 * share * np.linalg.norm(gradient(zero, x, y, C))
    # The function is strongly convex with modulus 1, which bounds the distance from the optimum.
    (closer,), _ = solve((x, y), C=C, tolerance=1e-10)
    assert np.linalg.norm(u - closer) <= 1.001 * np.linalg.norm(gradient(u, x, y, C)) + 1e-9


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_solution_is_the_optimum_of_linear_svc(kind, C):
    x, y = data(kind)
    (u,), _ = solve((x, y), C=C)
    machine = LinearSVC(C=C, dual=False, tol=1e-6, max_iter=1_000_000).fit(x, y)
    theirs = np.append(machine.coef_[0], machine.intercept_[0])
    assert u @ theirs > 0.9999 * np.linalg.norm(u) * np.linalg.norm(theirs)
    assert u[:-1] @ theirs[:-1] > 0.9999 * np.linalg.norm(u[:-1]) * np.linalg.norm(theirs[:-1])
    np.testing.assert_allclose(np.linalg.norm(u), np.linalg.norm(theirs), rtol=1e-3)
    assert value(u, x, y, C) <= value(theirs, x, y, C) * (1.0 + 1e-9)


def test_the_optimum_is_reached_at_the_size_of_the_paper():
    """4,000 codes of length 512 in little: n = 5 d and long tails of eigenvalues, as spaces w have them."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((640, 128)) * np.geomspace(3.0, 0.03, 128)
    y = np.where(x @ rng.standard_normal(128) + 0.5 * rng.standard_normal(640) > 0.0, 1.0, -1.0)
    (u,), solution = solve((x, y))
    machine = LinearSVC(dual=False, tol=1e-6, max_iter=100_000).fit(x, y)
    assert u[:-1] @ machine.coef_[0] > 0.9999 * np.linalg.norm(u[:-1]) * np.linalg.norm(machine.coef_[0])
    assert int(solution.steps[0]) < 40


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_problems_do_not_depend_on_their_neighbours(C):
    problems = [data(kind, n=80 + 20 * i, d=8, seed=i) for i, kind in enumerate(KINDS)]
    together, solution = solve(*problems, C=C)
    assert solution.converged.all()
    for i, problem in enumerate(problems):
        (alone,), single = solve(problem, C=C)
        np.testing.assert_allclose(together[i], alone, rtol=1e-6, atol=1e-6 * np.abs(alone).max())
        assert bool(single.converged[0])


def test_same_bytes_twice():
    problems = [data(kind, d=8, seed=1) for kind in ("separable", "noisy", "imbalanced")]
    one, two = (solve(*problems, C=3.0)[0].tobytes() for _ in range(2))
    assert one == two


def test_a_hessian_in_float64_from_the_beginning_ends_at_the_same_place(monkeypatch):
    problems = [data(kind, d=8) for kind in ("separable", "noisy", "collinear")]
    rough, _ = solve(*problems)
    monkeypatch.setattr(newton, "FLOAT32_STEPS", 0)
    fine, _ = solve(*problems)
    np.testing.assert_allclose(rough, fine, atol=1e-5)


def test_where_float32_fails_float64_takes_over():
    """The eigenvalues of the Hessian span 1e12: in float32 it has no Cholesky factor, or a wrong one."""
    x, y = data("noisy", d=8)
    x = np.c_[1e3 * x[:, :1] + x[:, 1:2], 1e3 * x[:, :1], x[:, 2:]]
    (u,), solution = solve((x, y), C=1e3)
    assert solution.converged.tolist() == [True]
    assert np.linalg.norm(gradient(u, x, y, 1e3)) <= 1e-6 * np.linalg.norm(gradient(np.zeros(9), x, y, 1e3))


def test_a_limit_on_steps_is_kept_and_recorded():
    x, y = data("noisy")
    _, solution = solve((x, y), (x, y), max_steps=2)
    assert solution.steps.tolist() == [2, 2]
    assert solution.converged.tolist() == [False, False]


def test_nothing_to_learn_gives_no_direction():
    y = np.repeat([1.0, -1.0], 10)
    (u,), solution = solve((np.zeros((20, 4)), y))
    assert np.array_equal(u, np.zeros(5))
    assert bool(solution.converged[0])
    (u,), solution = solve((np.zeros((20, 4)), np.ones(20)))
    assert np.array_equal(u[:4], np.zeros(4))
    assert u[4] == pytest.approx(40.0 / 41.0)  # b + 2 n (b - 1) = 0
    assert bool(solution.converged[0])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_solution_is_the_same_on_cuda():
    problems = [data(kind, d=8) for kind in KINDS if kind != "few"]
    x, y = batch(*problems)
    cpu, cuda = solve_squared_hinge(x, y, 1.0), solve_squared_hinge(x.cuda(), y.cuda(), 1.0)
    assert cuda.converged.all()
    np.testing.assert_allclose(cuda.coefficients.cpu(), cpu.coefficients, rtol=1e-4, atol=1e-5)
