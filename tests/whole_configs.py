"""Configs that name nearly every field, for tests that change them at random."""

from __future__ import annotations

from typing import Any

BASES: list[dict[str, Any]] = [
    {
        "generator": {"use": "fake_layers", "with": {"gain": 0.1}},
        "scorers": [
            {"use": "fake_readings", "as": "seen"},
            {"use": "hue", "with": {"soft": True}},
            {
                "use": "callable",
                "as": "mine",
                "with": {
                    "target": "torch:mean",
                    "concepts": [{"name": "bright", "least": 0.1}],
                    "arguments": {"dim": [1]},
                },
            },
        ],
        "concepts": {
            "include": ["seen/*"],
            "exclude": ["seen/left"],
            "levels": ["layout", "attribute", "colour"],
        },
        "boundary": {"use": "ridge", "with": {"positives": 100, "negatives": 0.1, "alpha": 1.0}},
        "conditions": [{"edit": "seen/red", "keep": ["seen/stripes"]}],
        "synthesis": {"samples": 640, "seed": 3, "batch_size": 32, "mixing": 0.1},
        "rescoring": {
            "samples": 64,
            "groups": {"bottom": "0-1", "top": "6-7"},
            "layers": ["all", "each", "0-1", 3],
            "looks": [0.5, 1.0],
        },
        "editing": {"samples": 2, "steps": 3, "start": -1, "end": 1.5},
        "report": {"samples": 4},
        "device": "cpu",
        "precision": "auto",
        "engine": {"workers": 1, "threads": 1},
    },
    {
        "generator": {
            "use": "module",
            "with": {
                "target": "torch.nn:Identity",
                "latent": {"size": 4, "shape": [2, 2]},
                "output": {"range": [-1, 1]},
                "classes": {"count": 2},
            },
        },
        "scorers": [
            {"use": "table", "with": {"file": "none.csv", "columns": ["a"]}},
            {"use": "layout", "with": {"checkpoint": "bundled:rooms"}},
        ],
        "boundary": {"use": "linear_svm", "with": {"C": 1.0, "max_iterations": 10, "tolerance": 0.1}},
    },
    {
        "generator": {
            "use": "auto",
            "with": {"checkpoint": "bundled:rooms", "truncation_psi": 0.5, "classes": "sampled"},
        },
        "scorers": [
            {
                "use": "category",
                "with": {"checkpoint": "bundled:rooms", "against": [["bedroom", "living_room"]]},
            }
        ],
        "boundary": {
            "use": "sklearn",
            "with": {
                "target": "scores",
                "estimator": "sklearn.linear_model:Ridge",
                "arguments": {"alpha": 1.0},
            },
        },
    },
]
