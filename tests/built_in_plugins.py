"""Configs of the built-in plugins with small networks of random weights, for tests that try them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import generators_biggan
import generators_fastgan
import generators_lightweight
import generators_lucidrains
import generators_mobile
import generators_pggan
import generators_r3gan
import generators_stylegan
import generators_stylegan2
import generators_stylegan3
import generators_stylegan_t
import numpy as np
from generator_files import write
from generators_r3gan2 import small_state as r3gan2
from hostile_states import settings_of
from own_models import Z
from reference_numbers import DATA
from torch import Tensor

Config = dict[str, Any]


def _file(state: Callable[[], dict[str, Tensor]], **settings: Any) -> Callable[[Path], Config]:
    """A config that names a checkpoint with these tensors and settings, made when it is asked for."""
    return lambda folder: {
        "checkpoint": str(
            write(folder / "network.safetensors", {k: x.contiguous() for k, x in state().items()}, **settings)
        )
    }


def _texts(folder: Path) -> Config:
    np.save(folder / "texts.npy", generators_stylegan_t.inputs("text")[1].numpy())
    return {**_file(generators_stylegan_t.small_state)(folder), "text": str(folder / "texts.npy")}


def _own(target: str, **config: Any) -> Callable[[Path], Config]:
    return lambda folder: {"target": f"own_models:{target}", **config}


GENERATORS: Mapping[str, tuple[str, Callable[[Path], Config]]] = {
    "BigGAN": ("biggan", _file(generators_biggan.small_state)),
    "BigGAN of one layer": ("biggan", _file(lambda: generators_biggan.pytorch(hierarchical=False))),
    "FastGAN": ("fastgan", _file(lambda: generators_fastgan.small_state(size=64))),
    "lightweight-gan": ("lightweight_gan", _file(lambda: generators_lightweight.small_state(size=32))),
    "lucidrains' StyleGAN2": ("lucidrains_stylegan2", _file(generators_lucidrains.small_state)),
    "MobileStyleGAN": ("mobile_stylegan", _file(lambda: generators_mobile.small_state(training=False))),
    "a module": ("module", _own("Chain", latent={"size": Z, "shape": [Z, 1, 1]})),
    "a module with styles": ("module", _own("Styled", latent={"size": Z}, output={"item": "picture"})),
    "ProgressiveGAN": ("pggan", _file(generators_pggan.small_state)),
    "R3GAN": ("r3gan", _file(generators_r3gan.small_state)),
    "R3GAN2": ("r3gan2", _file(lambda: r3gan2(classes=0), **settings_of("R3GAN2"))),
    "StyleGAN": ("stylegan", _file(lambda: generators_stylegan.small_state("higan"))),
    "StyleGAN2": ("stylegan2", _file(generators_stylegan2.small_state)),
    "StyleGAN3": ("stylegan3", _file(generators_stylegan3.small_state)),
    "StyleGAN-XL": ("stylegan3", lambda folder: {"checkpoint": str(DATA / "stylegan3_xl_16.safetensors")}),
    "StyleGAN-T": ("stylegan_t", _texts),
    "StyleGAN-T without texts": (
        "stylegan_t",
        _file(lambda: generators_stylegan_t.small_state("unconditional")),
    ),
}


def _bundled(**config: Any) -> Callable[[Path], Config]:
    return lambda folder: {"checkpoint": "bundled:rooms", **config}


def _labels(folder: Path) -> Config:
    (folder / "labels.csv").write_text("index,tidy\n0,1\n1,0\n", encoding="utf-8")
    return {"file": str(folder / "labels.csv")}


def _function(folder: Path) -> Config:
    (folder / "measures.py").write_text(
        "def contrast(images):\n    return images.std(dim=(1, 2, 3))\n", encoding="utf-8"
    )
    return {"target": f"{folder / 'measures.py'}:contrast", "concepts": [{"name": "contrast"}]}


def _hub(model: str, **config: Any) -> Callable[[Path], Config]:
    """A config that names a small model of the transformers library, saved in a folder."""

    def make(folder: Path) -> Config:
        import hub_models  # needs transformers

        return {"model": str(getattr(hub_models, model)(folder)), **config}

    return make


SCORERS: Mapping[str, tuple[str, Callable[[Path], Config]]] = {
    "hue": ("hue", lambda folder: {}),
    "hue, soft": ("hue", lambda folder: {"soft": True}),
    "layout": ("layout", _bundled()),
    "segmentation": ("segmentation", _bundled()),
    "category": ("category", _bundled()),
    "attribute": ("attribute", _bundled()),
    "a function": ("callable", _function),
    "a table": ("table", _labels),
    "a classifier": ("image_classifier", _hub("classifier")),
    "CLIP": (
        "text",
        _hub("clip", concepts=[{"name": "clutter", "present": "a cluttered room", "absent": "a tidy room"}]),
    ),
}
LEARNERS: Mapping[str, tuple[str, Config]] = {
    "linear_svm": ("linear_svm", {}),
    "linear_svm by layer": ("linear_svm", {"per_layer": True}),
    "logistic": ("logistic", {}),
    "ridge": ("ridge", {}),
    "ridge by layer": ("ridge", {"per_layer": True}),
    "lda": ("lda", {}),
    "mean_difference": ("mean_difference", {}),
    "sefa": ("sefa", {}),
    "sefa as rosinality's": ("sefa", {"normalisation": "rosinality", "layers": "0-1", "to_rgb": "all"}),
    "pca": ("pca", {}),
    "pca of many samples": ("pca", {"samples": 5000, "layers": "0-1"}),
    "pca of a stratum": ("pca", {"samples": 400, "stratum": "layer1", "directions": 5}),
    "ica": ("ica", {"directions": 4}),
    "random": ("random", {}),
    "infogan": ("infogan", {}),
    "joint": ("joint", {"directions": 3, "steps": 3, "batch": 4}),
    "steer": ("steer", {"edits": ["zoom", "red"], "steps": 3, "batch": 4}),
    "assessor": (
        "assessor",
        {
            "scorer": {"use": "hue", "with": {"soft": True}},
            "concepts": ["red"],
            "steps": 3,
            "batch": 4,
        },
    ),
    "sae": ("sae", {"directions": 3, "dictionary": 20, "active": 3, "steps": 5, "batch": 32}),
    "soft_conditional": ("soft_conditional", {}),
    "style_channels": ("style_channels", {}),
    "an estimator": ("sklearn", {"estimator": "sklearn.linear_model:LogisticRegression"}),
}
