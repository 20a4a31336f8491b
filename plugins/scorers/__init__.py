"""Register the built-in scorers."""

from __future__ import annotations

from ...core.plugins.hookspecs import hookimpl
from ...core.plugins.registry import Register


@hookimpl
def ganstrata_register_scorers(register: Register) -> None:
    """Register the names only; a class is imported when it is built."""
    here = "ganstrata.plugins.scorers"
    register("attribute", f"{here}.attribute:Attribute", "scene attributes as raw margins")
    register("callable", f"{here}.callable:Callable", "any Python function, by its module or file")
    register(
        "category",
        f"{here}.category:Category",
        "scene categories as probabilities, and pairs of them as log ratios",
    )
    register(
        "extractor",
        f"{here}.extractor:ExtractorScorer",
        "share of the image of each class, read off the generator's feature maps",
    )
    register("hue", f"{here}.hue:Hue", "share of twelve hues, mean saturation and mean value (HSV)")
    register(
        "image_classifier",
        f"{here}.image_classifier:ImageClassifier",
        "any image classifier of the transformers library",
    )
    register("layout", f"{here}.layout:Layout", "position of the line between two walls")
    register(
        "segmentation",
        f"{here}.segmentation:Segmentation",
        "share of the image that each class covers",
    )
    register("table", f"{here}.table:Table", "labels or scores of the samples by people, from a CSV file")
    register("text", f"{here}.text:Text", "concepts described by two sentences each, by CLIP or SigLIP")
