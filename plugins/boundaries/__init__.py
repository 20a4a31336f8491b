"""Register the built-in boundary learners."""

from __future__ import annotations

from ...core.plugins.hookspecs import hookimpl
from ...core.plugins.registry import Register


@hookimpl
def ganstrata_register_boundaries(register: Register) -> None:
    """Register the names only; a class is imported when it is built."""
    here = "ganstrata.plugins.boundaries"
    register(
        "assessor",
        f"{here}.assessor:Assessor",
        "without labels: directions that raise concepts of any scorer with gradients",
    )
    register("joint", f"{here}.joint:Joint", "without labels: directions that a network can tell apart")
    register(
        "lda",
        f"{here}.lda:Lda",
        "linear discriminant with a shrunk covariance on the highest and lowest scores",
    )
    register(
        "linear_svm",
        f"{here}.linear_svm:LinearSVM",
        "linear support vector machine on the highest and lowest scores",
    )
    register("logistic", f"{here}.logistic:Logistic", "logistic regression on the highest and lowest scores")
    register(
        "mean_difference",
        f"{here}.mean_difference:MeanDifference",
        "from the mean of the lowest scores to that of the highest",
    )
    register("ica", f"{here}.ica:Ica", "without labels: independent components of codes")
    register("infogan", f"{here}.infogan:InfoGan", "without labels: the codes that a generator's prior names")
    register("pca", f"{here}.pca:Pca", "without labels: principal components of codes or of a feature map")
    register("random", f"{here}.random_directions:Random", "without labels: random ones, for comparison")
    register("ridge", f"{here}.ridge:Ridge", "ridge regression on all scores, all concepts at once")
    register("sae", f"{here}.sae:Sae", "without labels: atoms of a sparse dictionary of codes")
    register(
        "sefa",
        f"{here}.sefa:Sefa",
        "without labels: the directions that change the styles of layers most, in closed form",
    )
    register(
        "soft_conditional",
        f"{here}.soft_conditional:SoftConditional",
        "regression on all scores; each direction is held back where it would move the other concepts",
    )
    register(
        "style_channels",
        f"{here}.style_channels:StyleChannels",
        "without labels, in s: style channels of exemplars of a concept, or that act on one class of pixels",
    )
    register(
        "sklearn",
        f"{here}.estimator:Estimator",
        "any linear estimator of scikit-learn's kind, by its module or file",
    )
    register("steer", f"{here}.steer:Steer", "without labels: directions that imitate zoom, shift, colour")
    register(
        "text",
        f"{here}.text:Text",
        "without labels, in s: the style channels that change pictures as a sentence says",
    )
