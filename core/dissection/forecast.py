"""Forecast the images and the time of a dissection."""

from __future__ import annotations

from ..messages import quantity
from ..runs.speed import at_this_speed, seconds_of
from ..semantics.samples import LabelledSamples
from .interventions import TESTING
from .request import DissectRequest

PASSES = 4  # over the samples of units: quantiles, levels, overlaps, chance
LESS = "for fewer classes, and because curves begin at their stratum"


def images_of(request: DissectRequest, classes: int) -> tuple[int, int]:
    """Return the number of images for units, and at most for curves.

    Args:
        request: how much is measured.
        classes: number of classes that units can detect.
    """
    orders = classes + request.random_sets
    sets = orders * len(request.counts)
    # Each set is switched off and painted in, and the largest of each order also switched off in the square.
    curves = request.curve_samples * (1 + 2 * sets + orders) if request.counts else 0
    return PASSES * request.samples, curves


def forecast(request: DissectRequest, samples: LabelledSamples) -> str:
    """Return a text with the number of images of a dissection, and their time at the present speed.

    Args:
        request: how much is measured.
        samples: samples with their generator and segmenter; two batches are made to measure their speed.
    """
    classes = len(samples.teacher.classes) - int(samples.teacher.background)
    units, curves = images_of(request, classes)
    per_image = seconds_of(lambda: samples.draw(0, TESTING)) / samples.batch
    of_curves = (
        f", at most {curves} for curves = {request.curve_samples} x (1 + "
        f"({quantity(classes, 'class', 'classes')} + {request.random_sets} random) x "
        f"(2 x {quantity(len(request.counts), 'size')} + 1))"
        if curves
        else ""
    )
    return (
        f"{'At most ' if curves else ''}{units + curves} images to synthesise and label: {units} for units = "
        f"{PASSES} x {request.samples}{of_curves}. Curves are measured for classes that units detect.\n"
        + at_this_speed(units + curves, per_image, less=LESS if curves else "")
    )
