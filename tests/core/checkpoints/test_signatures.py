"""Files that no plugin recognises are described by their tensor names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ganstrata
import pytest
import torch
from ganstrata.core.checkpoints import WEIGHTS, Checkpoint, Part, read_checkpoint
from ganstrata.core.checkpoints.signatures import describe, describe_part, mixture, signature_of

DATA = Path(__file__).parents[2] / "data"
SCORER = "; a classifier can be a scorer: `use: callable`, or a plugin (docs/scorers.md)"


def part(*names: str, rows: int = 1, name: str = "", **settings: object) -> Part:
    return Part(name, {key: torch.zeros(rows, 2) for key in names}, settings)


def file(*parts: Part) -> Checkpoint:
    return Checkpoint(Path("some.pt"), "0" * 64, "torch", parts)


RESNET = (
    "conv1.weight",
    "bn1.weight",
    "layer1.0.conv1.weight",
    "layer4.1.conv2.weight",
    "fc.weight",
    "fc.bias",
)

KNOWN = {
    "a generator that completes pictures (Co-Mod-GAN": (
        "encoder.b64.fromrgb.weight",
        "synthesis.b4.fc.weight",
    ),
    "an IC-GAN generator": ("shared_feat.weight", "blocks.0.0.bn1.gain.weight", "linear.weight"),
    "a SWAGAN generator": (
        "style.1.weight",
        "input.input",
        "conv1.conv.modulation.weight",
        "to_rgb1.conv.weight",
        "to_rgb1.iwt.ll",
    ),
    "a StyleGAN-V generator": ("synthesis.motion_encoder.conv.weight", "synthesis.b4.conv1.affine.weight"),
    "an EG3D generator": (
        "backbone.synthesis.b4.conv1.affine.weight",
        "superresolution.block0.conv0.weight",
        "decoder.net.0.weight",
    ),
    "a SemanticStyleGAN generator": (
        "local_nets.0.0.weight",
        "render_net.convs.0.conv.weight",
        "style.1.weight",
    ),
    "a StyleSwin generator": ("layers.0.blocks.0.qkv.weight", "style.1.weight", "input.input"),
    "a GANformer generator": ("synthesis.b4.const", "synthesis.b4.conv1.transformer.to_queries.weight"),
    "a StyleNeRF or StyleSDF generator": ("synthesis.fg_nerf.fc.weight", "synthesis.b32.conv0.weight"),
    "the UNet of a diffusion model (DDPM)": ("temb.dense.0.weight", "down.0.block.0.conv1.weight"),
    "the UNet of a diffusion model (EDM2)": ("emb_fourier.freqs", "enc.64x64_conv.weight"),
    "the network of a score-based diffusion model": ("all_modules.0.weight", "all_modules.1.bias"),
    "the decoder of a diffusion model's autoencoder": (
        "decoder.up.0.block.0.conv1.weight",
        "decoder.conv_out.bias",
    ),
    "the student of MobileStyleGAN without its mapping network": (
        "conv1.conv.modulation.weight",
        "layers.0.conv1.conv.weight_dw",
        "layers.0.to_img.conv.weight",
    ),
    "the teacher of MobileStyleGAN, a StyleGAN2, without": (
        "conv1.conv.modulation.weight",
        "layers.0.to_rgb.conv.weight",
    ),
    "a GigaGAN network": ("style_to_conv_modulations.weight", "init_conv.weights"),
    "a discriminator of StyleGAN2 or StyleGAN3": ("b64.fromrgb.weight", "b64.conv0.weight", "b4.out.weight"),
    "a discriminator of StyleGAN2 (rosinality's": (
        "convs.0.0.weight",
        "final_conv.0.weight",
        "final_linear.0.weight",
    ),
    "a discriminator of ProgressiveGAN, StyleGAN": ("input0.weight", "layer0.weight", "layer9.bias"),
    "a discriminator in TensorFlow": ("FromRGB_lod0/weight", "64x64/Conv0/weight", "4x4/Dense1/weight"),
    "a discriminator of BigGAN": (
        "blocks.0.0.conv1.weight",
        "blocks.0.0.conv1.u0",
        "linear.weight",
        "embed.weight",
    ),
    "an R3GAN2 generator of a development version": (
        "Model.MainLayers.0.ParametrizedAlphas.0.Value",
        "Model.Head.LinearLayer.Weight.Weight",
        "Model.AggregationLayer.Weight.Weight",
    ),
    "a discriminator of R3GAN or R3GAN2": (
        "Model.MainLayers.0.Layers.0.LinearLayer1.Layer.weight",
        "Model.ExtractionLayer.Layer.weight",
    ),
    "an encoder of images into StyleGAN2's codes": (
        "input_layer.0.weight",
        "body.0.res_layer.1.weight",
        "styles.0.convs.0.weight",
    ),
    "an encoder of images into StyleGAN's codes": (
        "block0.conv.weight",
        "block1.conv1.weight",
        "block7.fc.weight",
    ),
    "a face recogniser": ("input_layer.0.weight", "body.0.res_layer.1.weight", "output_layer.0.weight"),
    "a classifier: an Inception": (
        "Conv2d_1a_3x3.conv.weight",
        "Mixed_7c.branch1x1.conv.weight",
        "fc.weight",
    ),
    "a classifier: a VGG": ("features.0.weight", "features.28.weight", "classifier.6.weight"),
    "the features of a VGG": ("features.0.weight", "features.28.weight"),
    "CLIP or a relative": ("visual.conv1.weight", "token_embedding.weight", "logit_scale"),
    "a vision transformer": ("patch_embed.proj.weight", "blocks.0.attn.qkv.weight"),
    "a segmentation network (SegFormer)": (
        "segformer.encoder.patch_embeddings.0.proj.weight",
        "decode_head.linear_c.0.proj.weight",
    ),
    "a segmentation network (DeepLab)": ("backbone.layer4.0.conv1.weight", "classifier.0.convs.1.0.weight"),
    "a segmentation network (UPerNet": ("ppm_conv.0.0.weight", "fpn_in.0.0.weight"),
    "a diffusion model (Stable": (
        "model.diffusion_model.input_blocks.0.0.weight",
        "first_stage_model.encoder.conv_in.weight",
    ),
    "the UNet of a diffusion model (diffusers": (
        "down_blocks.0.resnets.0.conv1.weight",
        "time_embedding.linear_1.weight",
    ),
    "an autoencoder of a diffusion model": (
        "encoder.down_blocks.0.resnets.0.conv1.weight",
        "decoder.up_blocks.0.resnets.0.conv1.weight",
    ),
    "LoRA weights": ("lora_unet_down_blocks_0.lora_down.weight", "lora_unet_down_blocks_0.alpha"),
    "a language model": ("model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight"),
    "the state of an optimiser": ("state.0.exp_avg", "state.0.exp_avg_sq"),
    "boundaries that ganstrata has learnt": ("0000.normal", "0000.offset"),
    "a discriminator, which makes no images": ("discriminator.0.weight", "discriminator.2.bias"),
    "an encoder, which makes no images": ("encoder.0.weight", "fc_mu.weight", "fc_var.weight"),
    "a plain stack of numbered layers": ("main.0.weight", "main.1.running_mean"),
}


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("model.diffusion_model.out.0.weight", "; it makes a picture in many steps, which is not supported"),
        (
            "lora_unet_mid.weight",
            "; it is a part of a larger model and makes no pictures from codes by itself",
        ),
        (
            "decoder.up_blocks.0.resnets.0.conv1.weight decoder.conv_out.weight",
            "; it is a part of a larger model and makes no pictures from codes by itself",
        ),
        ("b64.fromrgb.weight", "makes no images: give the file of the generator"),
        ("state.0.exp_avg", "not a network: give the file of the generator"),
        ("style_to_conv_modulations.weight", "GigaGAN is not supported; a generator whose class you have is"),
        ("encoder.input.weight decoder.convs.0.weight", "together with its generator (e4e or pSp)"),
    ],
)
def test_what_to_do_with_a_network_of_another_kind(name: str, way_out: str) -> None:
    words = describe_part(part(*name.split()))
    assert way_out in words
    assert ("use: module" in words) == ("whose class you have" in way_out)


@pytest.mark.parametrize("words", sorted(KNOWN))
def test_networks_are_named(words: str) -> None:
    assert describe(file(part(*KNOWN[words]))).startswith(f"it seems to be {words}")


WHOLE = (
    "boundaries that ganstrata has learnt",
    "an encoder of images into StyleGAN's codes",
    "a discriminator in TensorFlow",
)


@pytest.mark.parametrize("words", sorted(KNOWN.keys() - set(WHOLE)))
def test_networks_inside_a_wrapper_are_named_too(words: str) -> None:
    assert describe(file(part(*(f"module.{name}" for name in KNOWN[words])))).startswith(
        f"it seems to be {words}"
    )


@pytest.mark.parametrize("rows", [2, 1000])
def test_classifiers_come_with_their_number_of_classes(rows: int) -> None:
    assert (
        describe(file(part(*RESNET, rows=rows)))
        == f"it seems to be a classifier: a ResNet of {rows} classes{SCORER}"
    )


def test_places365_is_named() -> None:
    assert (
        describe(file(part(*RESNET, rows=365)))
        == f"it seems to be a classifier: a ResNet of 365 classes (Places365){SCORER}"
    )


def test_advice_that_does_not_exist_is_refused_when_it_is_read() -> None:
    with pytest.raises(
        ValueError, match="advice 'own clas' of 'a network' is not in the table; use own class, "
    ):
        signature_of("a network", ["weight"], advice="own clas")


def test_a_resnet_without_its_last_layer_is_not_called_a_classifier() -> None:
    assert describe(file(part(*RESNET[:-2]))) == "it seems to be a ResNet without its classifier"


@pytest.mark.parametrize(
    ("bundle", "scorers"),
    [("rooms.scenes", "`category` and `attribute`"), ("rooms.surfaces", "`layout` and `segmentation`")],
)
def test_the_bundled_scorers_are_known(bundle: str, scorers: str) -> None:
    words = describe(read_checkpoint(WEIGHTS / f"{bundle}.safetensors"))
    assert bundle in words
    assert scorers in words


def test_an_encoder_is_known() -> None:
    assert "the step `encoder` of `ganstrata invert` reads it" in describe(
        file(part("network.base.weight", architecture="encoder-2"))
    )


def test_a_file_converted_for_an_absent_plugin_says_for_which() -> None:
    assert "'axis'" in describe(file(part("a", plugin="axis")))


def test_what_looks_like_nothing_is_shown() -> None:
    assert describe(file(part("alpha", "beta"))).startswith("its 2 tensors are called alpha, beta")
    assert describe(file(part("one"))).startswith("its 1 tensor is called one")
    assert describe(file(part("a", "b", "c", "d", "e"))).startswith("its 5 tensors are called a, b, c, d ...")
    assert describe(file(part())) == "it holds no tensors"


def test_the_plugin_for_other_classes_is_offered_where_it_is_installed(
    register: Callable[[str, str, type], None],
) -> None:
    register("generator", "module", ganstrata.Generator)
    hint = (
        "; a generator whose class you have is loaded by "
        "`{use: module, with: {target: FILE.py:CLASS, checkpoint: FILE, latent: {size: N}}}` "
        "(docs/own-model.md)"
    )
    for names in (["alpha"], ["main.0.weight"]):
        assert describe(file(part(*names))).endswith(hint)
    assert hint not in describe(file(part(*RESNET)))


def test_an_encoder_with_its_generator_is_both() -> None:
    words = describe_part(part("encoder.input_layer.0.weight", "decoder.convs.0.conv.modulation.weight"))
    assert words == "it seems to be an encoder of images together with its generator (e4e or pSp)"


def test_different_parts_are_described_separately_and_equal_parts_together() -> None:
    words = describe(
        file(
            part(*RESNET, name="model"), part(*RESNET, name="model_ema"), part("0.exp_avg", name="optimizer")
        )
    )
    assert words.startswith("its parts model, model_ema: it seems to be a classifier")
    assert "its part optimizer: it seems to be the state of an optimiser" in words


GENERATORS = [
    p
    for p in sorted(DATA.glob("*.safetensors"))
    if p.name.startswith(("stylegan", "pggan", "biggan", "r3gan2"))
]


@pytest.mark.parametrize("path", GENERATORS, ids=lambda path: path.stem)
def test_every_generator_is_of_one_family(path: Path) -> None:
    families = mixture(read_checkpoint(path).parts[0])
    assert len(families) == 1
    assert (
        families[0]
        .replace("-", "")
        .lower()
        .startswith({"s": "stylegan", "p": "progressivegan", "b": "biggan", "r": "r3gan2"}[path.name[0]])
    )


def test_mixtures_name_all_their_families() -> None:
    names = [
        name
        for stem in ("stylegan2_uncond_32", "pggan_higan_32")
        for name in read_checkpoint(DATA / f"{stem}.safetensors").parts[0].tensors
    ]
    words = describe_part(part(*names))
    assert (
        words == "it mixes tensors of several generators: StyleGAN2 (NVIDIA's names) "
        "and ProgressiveGAN (HiGAN's or genforce's names)"
    )


def test_a_piece_of_a_generator_is_called_one() -> None:
    words = describe_part(part("synthesis.b8.conv0.affine.weight", "synthesis.b8.conv0.affine.bias"))
    assert words.startswith("it has tensors of a StyleGAN2 (NVIDIA's names) generator, but not all of them")


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([(32, 3, 4, 4), (64, 32, 4, 4), (1, 64, 4, 4)], "a discriminator: it makes one number of a picture"),
        ([(16, 3, 3, 3), (10, 64)], "a classifier of 10 classes, or an encoder"),
        ([(16, 1, 5, 5), (1, 256)], "a discriminator: it makes one number of a picture"),
    ],
)
def test_networks_that_take_pictures_are_told_by_their_shapes(
    shapes: list[tuple[int, ...]], words: str
) -> None:
    tensors = {f"{i}.weight": torch.zeros(shape) for i, shape in enumerate(shapes)}
    assert describe_part(Part("", tensors, {})).startswith(f"it seems to be {words}")


@pytest.mark.parametrize(
    "shapes",
    [
        [(100, 256, 4, 4), (64, 3, 4, 4)],  # a DCGAN: transposed convolutions
        [(1024, 32), (64, 32, 4, 4)],
        [(64, 4, 3, 3), (3, 64, 3, 3)],  # a decoder of small pictures
    ],
)
def test_networks_that_give_pictures_are_not(shapes: list[tuple[int, ...]]) -> None:
    tensors = {f"{i}.weight": torch.zeros(shape) for i, shape in enumerate(shapes)}
    words = describe_part(Part("", tensors, {}))
    assert "classifier" not in words
    assert "discriminator" not in words


def test_boundaries_are_not_taken_for_a_network() -> None:
    words = describe_part(Part("", {"boundary": torch.zeros(1, 128)}, {}))
    assert "boundaries of a latent space" in words
    assert "`ganstrata boundaries import`" in words
