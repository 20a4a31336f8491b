"""Separate the highest and lowest scores by a linear support vector machine, as the paper does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch.nn.utils.rnn import pad_sequence

from .common import Facts, Hyperplane, Settings, record_convergence
from .extremes import ExtremesLearner, Problem
from .newton import solve_squared_hinge

# Default tolerance on the gradient, as each library defines it. The hinge loss decreases so slowly that it
# keeps the default of scikit-learn.
TOLERANCE = {
    ("batched", "squared_hinge"): 1e-6,
    ("sklearn", "squared_hinge"): 1e-6,
    ("sklearn", "hinge"): 1e-4,
    ("exact", "hinge"): 1e-3,
}
MAX_ITERATIONS = {"batched": 200, "sklearn": 10_000, "exact": -1}  # defaults; -1 is no limit
# Bytes that the problems of a chunk may take. On a CPU small chunks are faster, because they fit the cache.
MEMORY = {"cpu": 64 * 2**20, "cuda": 4 * 2**30}


class LinearSVM(ExtremesLearner):
    """Minimise R(v, b) + C sum_k L(y_k (v.x_k + b)) over v and b, for each concept and layer.

    The labels y_k are 1 for the highest scores and -1 for the lowest. The loss L(m) is max(0, 1 - m) for
    `hinge` and max(0, 1 - m)^2 for `squared_hinge`. The penalty R is 1/2 |v|^2 + 1/2 b^2 for the solvers
    `batched` and `sklearn`; codes are centred first, because these solvers shrink the intercept b too. It is
    1/2 |v|^2 for `exact`, which fits the codes as they are.

    The paper uses hinge loss and C = 1 on raw codes (section 2.2, appendix A.3); `exact` is the call in the
    authors' code, SVC(kernel="linear"), and becomes very slow where classes overlap. The default,
    `squared_hinge`, is smooth, so its optimum is found to any precision in the primal. The hinge loss of
    scikit-learn may stop early on data that are not separable. Each boundary records whether it converged.

    Source: Cortes and Vapnik, "Support-vector networks", 1995.
    """

    class Config(Settings):
        """Set the selection of samples, the loss and the options of the solver."""

        C: float = Field(
            default=1.0, gt=0.0, le=1e12, description="weight of errors against the width of the margin"
        )
        loss: Literal["squared_hinge", "hinge"] = Field(
            default="squared_hinge", description="hinge is the paper's, and the default with `exact`"
        )
        solver: Literal["batched", "sklearn", "exact"] = Field(
            default="batched",
            description="batched solves all problems together, with squared hinge loss; "
            "sklearn is LinearSVC, the default with hinge loss; exact is the authors' SVC, with hinge loss",
        )
        max_iterations: int | None = Field(
            default=None,
            ge=1,
            le=10_000_000,
            description="of the solver; null is 200 for `batched`, 10,000 for `sklearn`, "
            "no limit for `exact`",
        )
        tolerance: float | None = Field(
            default=None,
            gt=0.0,
            description="on the gradient, at which the solver stops; null is 1e-6 for squared hinge, "
            "and for hinge 1e-4 with `sklearn`, 1e-3 with `exact`",
        )

        @model_validator(mode="before")
        @classmethod
        def _complete(cls, data: Any) -> Any:
            """Derive the loss from the solver, or the solver from the loss, if only one is given."""
            if isinstance(data, dict) and data.get("loss") == "hinge" and "solver" not in data:
                return {**data, "solver": "sklearn"}
            if isinstance(data, dict) and data.get("solver") == "exact" and "loss" not in data:
                return {**data, "loss": "hinge"}
            return data

        @model_validator(mode="after")
        def _check_loss(self) -> LinearSVM.Config:
            if self.loss == "hinge" and self.solver == "batched":
                raise ValueError(
                    "solver 'batched' has no hinge loss; take `loss: squared_hinge`, or `solver: sklearn` "
                    "(or `exact`, which is slow)"
                )
            if self.loss == "squared_hinge" and self.solver == "exact":
                raise ValueError(
                    "solver 'exact' has hinge loss only; take `loss: hinge`, or `solver: batched` "
                    "(or `sklearn`)"
                )
            return self

        @property
        def iteration_limit(self) -> int:
            """Limit on iterations that the solver is called with; -1 is not one."""
            return MAX_ITERATIONS[self.solver] if self.max_iterations is None else self.max_iterations

        @property
        def stopping_tolerance(self) -> float:
            """Tolerance that the solver is called with."""
            return TOLERANCE[self.solver, self.loss] if self.tolerance is None else self.tolerance

    config: Config

    def solve(self, problems: Iterable[Problem], seed: int) -> Iterator[Hyperplane]:
        """Yield a plane for each problem, found by the solver of the config."""
        if self.config.solver == "batched":
            for chunk in _chunks(problems, MEMORY.get(self.device.type, MEMORY["cpu"])):
                yield from self._solve_batch(chunk)
        elif self.config.solver == "exact":
            for problem in problems:
                yield Hyperplane(*self.fit(problem.codes(), problem.labels, seed))
        else:
            yield from super().solve(problems, seed)

    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Return coefficients (D,), intercept and facts for codes (n, D) and labels (n,), by scikit-learn."""
        from sklearn.svm import SVC, LinearSVC  # takes long to import, and `batched` needs none of it

        options = {
            "C": self.config.C,
            "tol": self.config.stopping_tolerance,
            "max_iter": self.config.iteration_limit,
        }
        if self.config.solver == "exact":
            machine = SVC(kernel="linear", **options)
        else:
            machine = LinearSVC(
                loss=self.config.loss, dual=self.config.loss == "hinge", random_state=seed % 2**32, **options
            )
        with record_convergence() as facts:
            machine.fit(x, labels)
        iterations = int(np.max(machine.n_iter_))
        return machine.coef_[0], float(machine.intercept_[0]), facts | {"iterations": iterations}

    def _solve_batch(self, problems: Sequence[Problem]) -> Iterator[Hyperplane]:
        """Yield the planes of problems that are solved together.

        Shorter problems are padded with rows of label 0, which do not contribute to the loss.
        """
        centred = [problem.centred() for problem in problems]
        codes = [torch.from_numpy(codes) for codes, _ in centred]
        x = codes[0][None] if len(codes) == 1 else pad_sequence(codes, batch_first=True)  # (B, n, D)
        labels = [torch.from_numpy(2.0 * problem.labels - 1.0) for problem in problems]
        y = pad_sequence(labels, batch_first=True)  # (B, n)
        solution = solve_squared_hinge(
            x.to(self.device),
            y.to(self.device),
            self.config.C,
            tolerance=self.config.stopping_tolerance,
            max_steps=self.config.iteration_limit,
        )
        coefficients = solution.coefficients.cpu().numpy()  # (B, D)
        intercepts = solution.intercepts.cpu().numpy()  # (B,)
        for i, (_, centre) in enumerate(centred):
            facts: Facts = {"converged": bool(solution.converged[i]), "iterations": int(solution.steps[i])}
            yield Hyperplane(coefficients[i], float(intercepts[i] - coefficients[i] @ centre), facts)


def _chunks(problems: Iterable[Problem], memory: int) -> Iterator[list[Problem]]:
    """Split problems, in order, into chunks that fit into so many bytes; a chunk holds at least one."""
    chunk: list[Problem] = []
    for problem in problems:
        longest = max(len(p.rows) for p in [*chunk, problem])
        size = problem.latents.shape[1] + 1
        # Three copies of the codes in float64 and two in float32; the Hessian and its factor in float64.
        bytes_each = longest * size * (3 * 8 + 2 * 4) + 2 * size**2 * 8
        if chunk and (len(chunk) + 1) * bytes_each > memory:
            yield chunk
            chunk = []
        chunk.append(problem)
    if chunk:
        yield chunk
