"""Use any linear estimator with scikit-learn's interface as a boundary learner."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ...core.errors import ConfigError, DataError, Fault, UserError
from ...core.messages import quantity
from ...core.plugins.imports import PATTERN, check_arguments, find, reason
from .common import Facts, Hyperplane, LinearFit, Samples, Settings, record_convergence
from .extremes import ExtremesLearner
from .regression import FittedRows, fit_scores

Floats = NDArray[np.float64]
Plane = tuple[Floats, float, Facts]
TRIAL_SHAPE = (40, 8)  # (n, D) of the codes on which an estimator is tried before the run


class Estimator(ExtremesLearner):
    """Build the class `estimator` for each concept and layer, fit it, and read coef_ and intercept_.

    With `target: labels` it fits the extremes, labelled 1 and -1, so that classifiers and regressors both
    work. With `target: scores` it fits the scores themselves, like `ridge`: those of at most `samples`
    samples, which are held in memory, or with `passes` of all, which are read block by block. Codes are
    centred. A class with the argument random_state gets the seed of the run, unless `arguments` sets it.
    Importing the class runs the code of its module.
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
            default="labels", description="the extremes, or the scores of samples of all kinds"
        )
        samples: int = Field(
            default=100_000,
            ge=0,
            le=1_000_000_000,
            description="with scores, most samples to fit, which are held in memory and drawn by the run's "
            "seed; 0 for no limit",
        )
        passes: int = Field(
            default=0,
            ge=0,
            le=10_000,
            description="with scores, how often `partial_fit` goes over all samples, block by block; 0 for "
            "`fit`, once, of at most `samples`",
        )

        @model_validator(mode="after")
        def _of_scores(self) -> Estimator.Config:
            if self.passes and self.target == "labels":
                raise ValueError("the extremes fit into memory: leave out `passes`, or set `target: scores`")
            return self

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        try:
            self._class = find(config.estimator)
        except UserError as error:
            raise _config_error("estimator", str(error)) from None
        if not isinstance(self._class, type) or not callable(getattr(self._class, "fit", None)):
            raise _config_error("estimator", f"{config.estimator} is not a class with a method fit(X, y)")
        if config.passes and not callable(getattr(self._class, "partial_fit", None)):
            raise _config_error(
                "passes",
                f"{config.estimator} has no partial_fit(X, y); leave `passes` out, and set `samples`",
            )
        try:
            check_arguments(self._class, config.estimator, config.arguments)
        except UserError as error:
            raise _config_error("arguments", str(error)) from None
        self._check_on_trial()

    def fit_concepts(self, samples: Samples) -> list[list[LinearFit]]:
        """Fit one estimator for each concept and layer."""
        if self.config.target == "labels":
            return super().fit_concepts(samples)

        def regress(rows: FittedRows) -> Iterator[Hyperplane]:
            centre, fit = rows.moments.mean, self._in_passes if self.config.passes else self._at_once
            for coefficients, intercept, facts in fit(rows, samples.seed):
                yield Hyperplane(coefficients, intercept - float(coefficients @ centre), facts)

        return fit_scores(samples, of_rows=regress, most=0 if self.config.passes else self.config.samples)

    def fit(self, x: Floats, labels: NDArray[np.int64], seed: int) -> Plane:
        """Return coefficients (D,), intercept and facts for centred codes (n, D) and labels (n,), 1 or 0."""
        return self._fit_estimator(x, 2 * labels - 1, seed)

    def _at_once(self, rows: FittedRows, seed: int) -> Iterator[Plane]:
        """Yield coefficients (D,), intercept and facts of each score, from all codes in memory."""
        x, y = rows.arrays()
        x -= rows.moments.mean
        for column in y.T:
            yield self._fit_estimator(x, column, seed)

    def _in_passes(self, rows: FittedRows, seed: int) -> Iterator[Plane]:
        """Yield the same from codes that are read block by block, for all scores together."""
        estimators = [self._new(seed) for _ in rows.moments.score_mean]
        for _ in range(self.config.passes):
            for x, y in rows.blocks():
                x -= rows.moments.mean
                for estimator, column in zip(estimators, y.T, strict=True):
                    self._give(estimator, "partial_fit", x, column)
        for estimator in estimators:
            yield (*self._plane(estimator, len(rows.moments.mean)), {"iterations": self.config.passes})

    def _fit_estimator(self, x: Floats, y: NDArray[Any], seed: int) -> Plane:
        """Fit one estimator on codes x (n, D) and targets y (n,).

        Returns:
            Coefficients (D,), intercept and facts.

        Raises:
            DataError: the estimator fails, or does not have D coefficients and one intercept.
        """
        estimator = self._new(seed)
        with record_convergence() as facts:
            self._give(estimator, "fit", x, y)
        return (*self._plane(estimator, x.shape[1]), facts)

    def _new(self, seed: int) -> Any:
        """Return an estimator that has fitted nothing yet.

        Raises:
            DataError: it cannot be made.
        """
        arguments = dict(self.config.arguments)
        if "random_state" in _parameters(self._class):
            arguments = {"random_state": seed % 2**32, **arguments}
        try:
            return self._class(**arguments)
        except Exception as error:
            raise DataError(f"{self.config.estimator} failed: {reason(error)}") from error

    def _give(self, estimator: Any, method: str, x: Floats, y: NDArray[Any]) -> None:
        """Let an estimator fit codes x (n, D) and targets y (n,).

        Raises:
            DataError: it fails.
        """
        try:
            getattr(estimator, method)(x, y)
        except Exception as error:
            raise DataError(
                f"{self.config.estimator} failed on {quantity(len(x), 'code')} of length "
                f"{x.shape[1]}: {reason(error)}"
            ) from error

    def _plane(self, estimator: Any, size: int) -> tuple[Floats, float]:
        """Return the coefficients (D,) and the intercept of a fitted estimator.

        Raises:
            DataError: it does not have D = `size` coefficients and one intercept.
        """
        for name in ("coef_", "intercept_"):
            if not hasattr(estimator, name):
                raise DataError(
                    f"{self.config.estimator} has no {name} after fit(): "
                    "only linear estimators do, and no pipelines"
                )
        coefficients = np.asarray(estimator.coef_, dtype=np.float64)
        intercept = np.asarray(estimator.intercept_, dtype=np.float64)
        if coefficients.size != size or intercept.size != 1:
            shapes = f"coef_ of shape {coefficients.shape} and intercept_ of shape {intercept.shape}"
            raise DataError(
                f"{self.config.estimator} has {shapes} for codes of length {size}; one direction is needed"
            )
        return coefficients.reshape(-1), float(intercept.reshape(()))

    def _check_on_trial(self) -> None:
        """Fit an estimator on a few random codes, so that an unsuitable class is refused before the run.

        Raises:
            ConfigError: the fit fails.
        """
        codes = np.random.default_rng(0).standard_normal(TRIAL_SHAPE)
        y = codes[:, 0] if self.config.target == "scores" else np.where(codes[:, 0] > 0.0, 1, -1)
        try:
            self._fit_estimator(codes, y, 0)
            if self.config.passes:
                self._give(self._new(0), "partial_fit", codes, y)
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
