"""Use any linear estimator with scikit-learn's interface as a boundary learner."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ...core.errors import ConfigError, DataError, Fault, UserError
from ...core.messages import quantity
from ...core.plugins.imports import PATTERN, check_arguments, find, reason
from .common import Facts, Hyperplane, LinearFit, Samples, Settings, record_convergence
from .extremes import ExtremesLearner
from .regression import fit_scores

TRIAL_SHAPE = (40, 8)  # (n, D) of the codes on which an estimator is tried before the run


class Estimator(ExtremesLearner):
    """Build the class `estimator` for each concept and layer, fit it, and read coef_ and intercept_.

    With `target: labels` it fits the extremes, labelled 1 and -1, so that classifiers and regressors both
    work. With `target: scores` it fits the scores of all samples, like `ridge`. Codes are centred. A class
    with the argument random_state gets the seed of the run, unless `arguments` sets it. Importing the class
    runs the code of its module.
    """

    class Config(Settings):
        """Set the estimator, its arguments and its target."""

        estimator: str = Field(
            pattern=PATTERN,
            examples=["sklearn.svm:LinearSVC"],
            description="its class: `package.module:Name`, or `FILE.py:Name`",
        )
        arguments: dict[str, Any] = Field(default={}, description="for the class, by name")
        target: Literal["labels", "scores"] = Field(
            default="labels", description="the extremes, or the scores of all samples"
        )

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        try:
            self._class = find(config.estimator)
        except UserError as error:
            raise _config_error("estimator", str(error)) from None
        if not isinstance(self._class, type) or not callable(getattr(self._class, "fit", None)):
            raise _config_error("estimator", f"{config.estimator} is not a class with a method fit(X, y)")
        try:
            check_arguments(self._class, config.estimator, config.arguments)
        except UserError as error:
            raise _config_error("arguments", str(error)) from None
        self._check_on_trial()

    def fit_concepts(self, samples: Samples) -> list[list[LinearFit]]:
        """Fit one estimator for each concept and layer."""
        if self.config.target == "labels":
            return super().fit_concepts(samples)

        def regress(x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[Hyperplane]:
            centre = x.mean(axis=0)  # (D,)
            centred = x - centre
            for column in y.T:
                coefficients, intercept, facts = self._fit_estimator(centred, column, samples.seed)
                yield Hyperplane(coefficients, intercept - float(coefficients @ centre), facts)

        return fit_scores(samples, of_arrays=regress)

    def fit(
        self, x: NDArray[np.float64], labels: NDArray[np.int64], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Return coefficients (D,), intercept and facts for centred codes (n, D) and labels (n,), 1 or 0."""
        return self._fit_estimator(x, 2 * labels - 1, seed)

    def _fit_estimator(
        self, x: NDArray[np.float64], y: NDArray[Any], seed: int
    ) -> tuple[NDArray[np.float64], float, Facts]:
        """Fit one estimator on codes x (n, D) and targets y (n,).

        Returns:
            Coefficients (D,), intercept and facts.

        Raises:
            DataError: the estimator fails, or does not have D coefficients and one intercept.
        """
        arguments = dict(self.config.arguments)
        if "random_state" in _parameters(self._class):
            arguments = {"random_state": seed % 2**32, **arguments}
        try:
            with record_convergence() as facts:
                estimator = self._class(**arguments)
                estimator.fit(x, y)
        except Exception as error:
            raise DataError(
                f"{self.config.estimator} failed on {quantity(len(x), 'code')} of length "
                f"{x.shape[1]}: {reason(error)}"
            ) from error
        for name in ("coef_", "intercept_"):
            if not hasattr(estimator, name):
                raise DataError(
                    f"{self.config.estimator} has no {name} after fit(): "
                    "only linear estimators do, and no pipelines"
                )
        coefficients = np.asarray(estimator.coef_, dtype=np.float64)
        intercept = np.asarray(estimator.intercept_, dtype=np.float64)
        if coefficients.size != x.shape[1] or intercept.size != 1:
            shapes = f"coef_ of shape {coefficients.shape} and intercept_ of shape {intercept.shape}"
            raise DataError(
                f"{self.config.estimator} has {shapes} for codes of length {x.shape[1]}; "
                "one direction is needed"
            )
        return coefficients.reshape(-1), float(intercept.reshape(())), facts

    def _check_on_trial(self) -> None:
        """Fit an estimator on a few random codes, so that an unsuitable class is refused before the run.

        Raises:
            ConfigError: the fit fails.
        """
        codes = np.random.default_rng(0).standard_normal(TRIAL_SHAPE)
        y = codes[:, 0] if self.config.target == "scores" else np.where(codes[:, 0] > 0.0, 1, -1)
        try:
            self._fit_estimator(codes, y, 0)
        except DataError as error:
            raise _config_error("estimator", f"does not pass a trial: {error}") from None


def _parameters(estimator: type) -> tuple[str, ...]:
    """Return the names of a class's arguments; none if it has no signature."""
    try:
        return tuple(inspect.signature(estimator).parameters)
    except (TypeError, ValueError):
        return ()


def _config_error(key: str, message: str) -> ConfigError:
    """Return the error for one field of the learner's config."""
    return ConfigError("boundary learner 'sklearn'", [Fault(("with", key), message)])
