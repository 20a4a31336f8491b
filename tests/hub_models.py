"""Small models of the transformers library with random weights, saved as the library saves them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers

PREPARED = {
    "do_resize": True,
    "do_normalize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "image_mean": [0.5] * 3,
    "image_std": [0.25] * 3,
}

_LAYERS = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
TEXT = {
    **_LAYERS,
    "vocab_size": 40,
    "max_position_embeddings": 12,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
VISION = {**_LAYERS, "image_size": 32, "patch_size": 16}


def save(model: transformers.PreTrainedModel, folder: Path, **preparation: object) -> Path:
    """A folder with config, weights and preprocessor_config.json."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model.eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**PREPARED, **preparation}), encoding="utf-8"
    )
    return folder


def segformer(folder: Path, labels: int = 5) -> Path:
    torch.manual_seed(0)
    sizes = {
        "depths": [1] * 4,
        "hidden_sizes": [8] * 4,
        "num_attention_heads": [1, 2, 4, 8],
        "decoder_hidden_size": 16,
    }
    config = transformers.SegformerConfig(num_labels=labels, **sizes)
    config.id2label = dict(enumerate(["wall", "floor, flooring", "bed", "wall", "light/lamp"][:labels]))
    config.label2id = {name: i for i, name in config.id2label.items()}
    return save(
        transformers.SegformerForSemanticSegmentation(config),
        folder,
        size={"height": 64, "width": 64},
        resample=2,
    )


def upernet(folder: Path) -> Path:
    torch.manual_seed(0)
    backbone = transformers.ConvNextConfig(
        depths=[1] * 4, hidden_sizes=[8] * 4, out_features=["stage1", "stage2", "stage3", "stage4"]
    )
    config = transformers.UperNetConfig(
        backbone_config=backbone, hidden_size=8, num_labels=4, use_auxiliary_head=False, pool_scales=[1, 2]
    )
    return save(
        transformers.UperNetForSemanticSegmentation(config), folder, size={"shortest_edge": 64}, resample=2
    )


def mask2former(folder: Path) -> Path:
    torch.manual_seed(0)
    backbone = transformers.SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=8,
        depths=[1] * 4,
        num_heads=[1, 1, 2, 2],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32,
        encoder_feedforward_dim=16, dim_feedforward=16, encoder_layers=1, decoder_layers=2,
        num_attention_heads=2, num_queries=6, num_labels=3,
    )  # fmt: skip
    return save(
        transformers.Mask2FormerForUniversalSegmentation(config),
        folder,
        size={"height": 64, "width": 64},
        resample=2,
    )


def classifier(folder: Path, *, several: bool = False) -> Path:
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=16,
        num_labels=3,
    )
    config.problem_type = "multi_label_classification" if several else "single_label_classification"
    config.id2label = {0: "cat", 1: "dog", 2: "old house"}
    return save(
        transformers.ViTForImageClassification(config), folder, size={"height": 32, "width": 32}, resample=3
    )


def _tokenizer(folder: Path, pad: str) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    words = [
        "<pad>",
        "<s>",
        "</s>",
        "<unk>",
        *[
            "a",
            "an",
            "photo",
            "of",
            "cluttered",
            "tidy",
            "room",
            "dark",
            "bright",
            "at",
            "night",
            "by",
            "day",
            "the",
        ],
    ]
    split = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    split.pre_tokenizer = Whitespace()
    split.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=split, bos_token="<s>", eos_token="</s>", pad_token=pad, unk_token="<unk>"
    )
    fast.save_pretrained(folder)


def clip(folder: Path) -> Path:
    torch.manual_seed(0)
    model = transformers.CLIPModel(
        transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=8)
    )
    _tokenizer(folder, "<pad>")
    return save(
        model,
        folder,
        size={"shortest_edge": 32},
        do_center_crop=True,
        crop_size={"height": 32, "width": 32},
        resample=3,
    )


def siglip(folder: Path) -> Path:
    torch.manual_seed(0)
    model = transformers.SiglipModel(transformers.SiglipConfig(text_config=TEXT, vision_config=VISION))
    _tokenizer(folder, "<pad>")
    return save(model, folder, size={"height": 32, "width": 32}, resample=3)
