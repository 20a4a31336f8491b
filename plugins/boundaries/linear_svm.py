"""The paper's learner: a linear support vector machine on the highest and the lowest scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from sklearn.svm import SVC, LinearSVC
from torch.nn.utils.rnn import pad_sequence

from .common import Facts, Hyperplane, Settings, convergence
from .extremes import ExtremesLearner, Problem
from .newton import squared_hinge

# Of gradients, as each library reckons it, unless the config says. The hinge comes down so slowly that scikit-learn's own must do.
TOLERANCE = {
    ("batched", "squared_hinge"): 1e-6,
    ("sklearn", "squared_hinge"): 1e-6,
    ("sklearn", "hinge"): 1e-4,
    ("exact", "hinge"): 1e-3,
}
MOST = {"batched": 200, "sklearn": 10_000, "exact": -1}  # iterations, unless the config says
MEMORY = {
    "cpu": 64 * 2**20,
    "cuda": 4 * 2**30,
}  # bytes that problems fitted together may take; few stay near the cache


class LinearSVM(ExtremesLearner):
    """A machine per concept, and per layer where latents are (N, L, D).

    The paper uses hinge loss and C = 1 on raw codes (section 2.2, appendix A.3). `squared_hinge`,
    the default, is the smooth variant, whose optimum is found to any precision in the primal.
    scikit-learn's hinge may stop early on data that are not separable. Whether a machine converged is
    recorded with its boundary. Codes are centred first, because these solvers shrink the intercept
    along with the coefficients. `exact` is the authors' own call, SVC(kernel="linear") on codes as
    they are; its time grows beyond measure where classes overlap.
    """

    class Config(Settings):
        """Which samples, and how strictly they are separated."""

        C: float = Field(
            default=1.0, gt=0.0, le=1e12, description="weight of errors against the width of the margin"
        )
        loss: Literal["squared_hinge", "hinge"] = Field(
            default="squared_hinge", description="hinge is the paper's, and the default with `exact`"
        )
        solver: Literal["batched", "sklearn", "exact"] = Field(
            default="batched",
            description="all machines together, squared hinge; LinearSVC, the default with hinge; or the authors' SVC, hinge",
        )
        max_iterations: int | None = Field(
            default=None,
            ge=1,
            le=10_000_000,
            description="of the solver; null is 200 for `batched`, 10,000 for `sklearn`, no limit for `exact`",
        )

        tolerance: float | None = Field(
            default=None,
            gt=0.0,
            description="at which the solver stops; null is 1e-6 for squared hinge, and for hinge 1e-4 with `sklearn`, 1e-3 with `exact`",
        )

        @model_validator(mode="before")
        @classmethod
        def _completed(cls, data: Any) -> Any:
            """One of loss and solver follows from the other where it is not given."""
            if isinstance(data, dict) and data.get("loss") == "hinge" and "solver" not in data:
                return {**data, "solver": "sklearn"}
            if isinstance(data, dict) and data.get("solver") == "exact" and "loss" not in data:
                return {**data, "loss": "hinge"}
            return data

        @model_validator(mode="after")
        def _consistent(self) -> LinearSVM.Config:
            if self.loss == "hinge" and self.solver == "batched":
                raise ValueError(
                    "solver 'batched' has no hinge loss; take `loss: squared_hinge`, or `solver: sklearn` (or `exact`, which is slow)"
                )
            if self.loss == "squared_hinge" and self.solver == "exact":
                raise ValueError(
                    "solver 'exact' has hinge loss only; take `loss: hinge`, or `solver: batched` (or `sklearn`)"
                )
            return self

        @property
        def most(self) -> int:
            """The limit on iterations, in the solver's own words."""
            return MOST[self.solver] if self.max_iterations is None else self.max_iterations

        @property
        def fineness(self) -> float:
            """The tolerance, in the solver's own words."""
            return TOLERANCE[self.solver, self.loss] if self.tolerance is None else self.tolerance

    config: Config

    def solve(self, problems: Sequence[Problem], seed: int) -> Iterator[Hyperplane]:
        """A plane for each problem, by the solver of the config."""
        if self.config.solver == "batched":
            for chunk in _chunks(problems, MEMORY.get(self.device.type, MEMORY["cpu"])):
                yield from self._together(chunk)
        elif self.config.solver == "exact":
            for problem in problems:
                yield Hyperplane(*self.fit(problem.codes(), problem.labels, seed))
        else:
            yield from super().solve(problems, seed)

    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """One machine by scikit-learn: coefficients (D,), intercept and facts."""
        settings = {"C": self.config.C, "tol": self.config.fineness, "max_iter": self.config.most}
        if self.config.solver == "exact":
            machine = SVC(kernel="linear", **settings)
        else:
            machine = LinearSVC(
                loss=self.config.loss, dual=self.config.loss == "hinge", random_state=seed % 2**32, **settings
            )
        with convergence() as facts:
            machine.fit(x, labels)
        return (
            machine.coef_[0],
            float(machine.intercept_[0]),
            facts | {"iterations": int(np.max(machine.n_iter_))},
        )

    def _together(self, problems: Sequence[Problem]) -> Iterator[Hyperplane]:
        """The machines of a chunk; shorter problems are filled up with rows that count for nothing."""
        centred = [problem.centred() for problem in problems]
        codes = [torch.from_numpy(codes) for codes, _ in centred]
        x = codes[0][None] if len(codes) == 1 else pad_sequence(codes, batch_first=True)  # (B, n, D)
        y = pad_sequence(
            [torch.from_numpy(2.0 * problem.labels - 1.0) for problem in problems], batch_first=True
        )
        solved = squared_hinge(
            x.to(self.device),
            y.to(self.device),
            self.config.C,
            tolerance=self.config.fineness,
            steps=self.config.most,
        )
        coefficients, intercepts = solved.coefficients.cpu().numpy(), solved.intercepts.cpu().numpy()
        for i, (_, centre) in enumerate(centred):
            facts = {"converged": bool(solved.converged[i]), "iterations": int(solved.steps[i])}
            yield Hyperplane(coefficients[i], float(intercepts[i] - coefficients[i] @ centre), facts)


def _chunks(problems: Sequence[Problem], memory: int) -> Iterator[list[Problem]]:
    """Problems in their order, as many together as fit into so many bytes, and at least one."""
    chunk: list[Problem] = []
    for problem in problems:
        longest = max(len(p.rows) for p in [*chunk, problem])
        size = problem.latents.shape[1] + 1
        # Codes in float64, three times on their way, and twice in float32; Hessian and factor.
        each = longest * size * (3 * 8 + 2 * 4) + 2 * size**2 * 8
        if chunk and (len(chunk) + 1) * each > memory:
            yield chunk
            chunk = []
        chunk.append(problem)
    if chunk:
        yield chunk
