"""Make networks of published sizes with random weights, in the files in which they are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ganstrata.plugins.scorers.networks.resnet import ResNet, ResNetShape

PREPARED = {
    "do_resize": True,
    "do_normalize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "image_mean": [0.5] * 3,
    "image_std": [0.25] * 3,
}
WIDTHS = (64, 128, 256, 512)
PLACES = {
    "wideresnet18": (ResNetShape(64, WIDTHS, (2, 2, 2, 2), False, 365), False),
    "resnet50": (ResNetShape(64, WIDTHS, (3, 4, 6, 3), True, 365), True),
}
WORDS = ("a", "photo", "of", "cluttered", "tidy", "room")


def places(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a Places365 checkpoint, `module.` before each key as published, and weights of 102 attributes."""
    torch.manual_seed(0)
    shape, pooling = PLACES[name]
    state = {f"module.{key}": value for key, value in ResNet(shape, max_pool=pooling).state_dict().items()}
    path, weights = folder / f"{name}_places365.pth.tar", folder / f"W_sceneattribute_{name}.npy"
    torch.save({"epoch": 90, "arch": name, "state_dict": state}, path)
    np.save(
        weights,
        np.random.default_rng(0).normal(size=(102, state["module.fc.weight"].shape[1])).astype(np.float32),
    )
    return path, weights


def segformer(folder: Path) -> Path:
    """Write SegFormer-B0 with ADE20K's 150 classes, for 512 px."""
    import transformers

    config = transformers.SegformerConfig(num_labels=150)
    return _save(
        transformers.SegformerForSemanticSegmentation,
        config,
        folder / "segformer",
        size={"height": 512, "width": 512},
        resample=2,
    )


def clip(folder: Path) -> Path:
    """Write CLIP ViT-B/32, for 224 px, with a tokenizer of few words."""
    import transformers
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    into = folder / "clip"
    config = transformers.CLIPConfig()
    first, last, pad = (
        config.text_config.bos_token_id,
        config.text_config.eos_token_id,
        config.text_config.pad_token_id,
    )
    known = {word: 10 + i for i, word in enumerate(("<unk>", *WORDS))} | {"<s>": first, "</s>": last}
    known |= {"<pad>": pad} if pad not in (first, last) else {}
    split = Tokenizer(WordLevel(known, unk_token="<unk>"))
    split.pre_tokenizer = Whitespace()
    split.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", first), ("</s>", last)]
    )
    filler = next(word for word, place in known.items() if place == pad)
    quick = transformers.PreTrainedTokenizerFast(
        tokenizer_object=split, bos_token="<s>", eos_token="</s>", pad_token=filler, unk_token="<unk>"
    )
    quick.save_pretrained(into)
    crop = {"do_center_crop": True, "crop_size": {"height": 224, "width": 224}}
    return _save(transformers.CLIPModel, config, into, size={"shortest_edge": 224}, resample=3, **crop)


def _save(kind: Any, config: Any, folder: Path, **preparation: object) -> Path:
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    kind(config).eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**PREPARED, **preparation}), encoding="utf-8"
    )
    return folder
