"""Any linear estimator with scikit-learn's interface as a boundary learner."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ...core.errors import ConfigError, DataError, Fault, UserError
from ...core.plugins.imports import PATTERN, check_arguments, find, reason
from .common import Facts, Hyperplane, LinearFit, Samples, Settings, convergence
from .extremes import ExtremesLearner
from .regression import on_scores

TRIAL = (40, 8)  # codes and their length, on which an estimator is tried before the run


class Estimator(ExtremesLearner):
    """Builds the class at `estimator` for each concept and layer, fits it, and reads coef_ and intercept_.

    With `target: labels` it is given the extremes, labelled 1 and -1, so that classifiers and
    regressors both do; with `target: scores` all samples and their scores, as `ridge` is. Codes are
    centred. Where the class takes a random_state, it is the run's seed unless `arguments` says
    otherwise. Importing the class runs its module's code.
    """

    class Config(Settings):
        """Which estimator, and what it is given."""

        estimator: str = Field(
            pattern=PATTERN, description="its class: `package.module:Name`, or `FILE.py:Name`"
        )
        arguments: dict[str, Any] = Field(default={}, description="for the class, by name")
        target: Literal["labels", "scores"] = Field(
            default="labels", description="the extremes, or the scores of all samples"
        )

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        try:
            self._made = find(config.estimator)
        except UserError as error:
            raise _mistake("estimator", str(error)) from None
        if not isinstance(self._made, type) or not callable(getattr(self._made, "fit", None)):
            raise _mistake("estimator", f"{config.estimator} is no class with a method fit(X, y)")
        try:
            check_arguments(self._made, config.estimator, config.arguments)
        except UserError as error:
            raise _mistake("arguments", str(error)) from None
        self._try()

    def find(self, samples: Samples) -> list[list[LinearFit]]:
        """One estimator for each concept and layer."""
        if self.config.target == "labels":
            return super().find(samples)

        def regress(x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[Hyperplane]:
            centre = x.mean(axis=0)
            centred = x - centre
            for column in y.T:
                coefficients, intercept, facts = self._fitted(centred, column, samples.seed)
                yield Hyperplane(coefficients, intercept - float(coefficients @ centre), facts)

        return on_scores(samples, regress)

    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Coefficients (D,), intercept and facts for centred codes (n, D) and labels (n,)."""
        return self._fitted(x, 2 * labels - 1, seed)

    def _fitted(
        self, x: NDArray[np.float64], y: NDArray[Any], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """What one estimator makes of targets (n,).

        Raises:
            DataError: it fails on these data, or does not end with one coefficient per code.
        """
        arguments = dict(self.config.arguments)
        if "random_state" in _parameters(self._made):
            arguments = {"random_state": seed % 2**32, **arguments}
        try:
            with convergence() as facts:
                machine = self._made(**arguments)
                machine.fit(x, y)
        except Exception as error:
            raise DataError(
                f"{self.config.estimator} failed on {len(x)} codes of length {x.shape[1]}: {reason(error)}"
            ) from error
        for name in ("coef_", "intercept_"):
            if not hasattr(machine, name):
                raise DataError(
                    f"{self.config.estimator} has no {name} after fit(): only linear estimators do, and no pipelines"
                )
        coefficients, intercept = (
            np.asarray(machine.coef_, dtype=np.float64),
            np.asarray(machine.intercept_, dtype=np.float64),
        )
        if coefficients.size != x.shape[1] or intercept.size != 1:
            shapes = f"coef_ of shape {coefficients.shape} and intercept_ of shape {intercept.shape}"
            raise DataError(
                f"{self.config.estimator} gives {shapes} for codes of length {x.shape[1]}; one direction is needed"
            )
        return coefficients.reshape(-1), float(intercept.reshape(())), facts

    def _try(self) -> None:
        """A fit on a few codes, so that what cannot do is told before the run.

        Raises:
            ConfigError: it fails there.
        """
        codes = np.random.default_rng(0).standard_normal(TRIAL)
        y = codes[:, 0] if self.config.target == "scores" else np.where(codes[:, 0] > 0.0, 1, -1)
        try:
            self._fitted(codes, y, 0)
        except DataError as error:
            raise _mistake("estimator", f"does not pass a trial: {error}") from None


def _parameters(made: type) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(made).parameters)
    except (TypeError, ValueError):
        return ()


def _mistake(key: str, message: str) -> ConfigError:
    return ConfigError("boundary learner 'sklearn'", [Fault(("with", key), message)])
