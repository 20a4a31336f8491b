"""Learners inside a run: a boundary per layer, one name with several settings, errors of the config."""

from __future__ import annotations

import ganstrata
import pytest
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import ConfigError
from ganstrata.core.runs.prepare import prepare


def with_learner(config, name, **options):
    """The fakes' config with another learner."""
    return {**config, "boundary": {"use": name, "with": {**config["boundary"].get("with", {}), **options}}}


@pytest.mark.parametrize("name", ["linear_svm", "mean_difference", "ridge"])
def test_per_layer_needs_style_mixed_codes(name, fakes, config):
    with pytest.raises(
        ConfigError,
        match=f"'{name}' learns a boundary per layer, which needs style-mixed codes: set it above 0",
    ):
        prepare(validate(with_learner(config, name, per_layer=True), "run.yaml"))
    assert not prepare(validate(with_learner(config, name), "run.yaml")).learner.layerwise


@pytest.mark.parametrize("name", ["linear_svm", "ridge"])
def test_a_run_with_a_boundary_per_layer_goes_to_its_end(name, fakes, config, tmp_path):
    chosen = with_learner(config, name, per_layer=True, positives=100, negatives=100)
    chosen["synthesis"] = {**config["synthesis"], "mixing": 0.9, "samples": 1024}
    run = ganstrata.run(chosen, tmp_path / "run")
    left = load_boundaries(run.path)[0].of("seen/left")
    assert (left.normal.shape, left.space) == ((8, 16), "w+")
    assert [sorted(facts) for facts in left.facts["layers"]] == [sorted(left.facts["layers"][0])] * 8
    assert left.normal[1, 0] > 0.9  # what the generator reads there
    assert left.normal[1, 0] > left.normal[7, 0]
    assert (run.path / "report.html").is_file()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "linear_svm",
            {"loss": "hinge", "solver": "batched"},
            "take `loss: squared_hinge`, or `solver: sklearn`",
        ),
        ("linear_svm", {"solver": "bached"}, "batched"),
        ("logistic", {"C": 0.0}, "C: "),
        ("lda", {"C": 1.0}, "is not an option of 'lda'"),
        ("mean_difference", {"positives": 0.6}, "positives"),
        ("sklearn", {}, "estimator: is missing"),
        ("sklearn", {"estimator": "sklearn.linear_model:Rigde"}, "Did you mean 'Ridge'?"),
    ],
)
def test_wrong_settings_are_config_errors(name, options, message, fakes, config):
    with pytest.raises(ConfigError, match=message):
        prepare(validate(with_learner(config, name, **options), "run.yaml"))
