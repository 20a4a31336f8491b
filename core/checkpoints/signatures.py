"""Describe what a checkpoint seems to be when no generator plugin recognises it.

The tables list patterns of tensor names of common networks. Only messages depend on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from ..messages import listed, quantity, visible
from ..plugins.registry import registry
from . import Checkpoint, Part
from .refused_contents import GIVE
from .refused_kinds import ARRAYS

COMPARED = 3_000  # names of a part that are compared with the tables; a whole GAN has some 500
DESCRIBED = 8  # parts that are described
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Signature:
    """Represent the tensor names by which a kind of network is recognised.

    Attributes:
        words: description of the network; `{n}` is replaced by the number of its classes.
        every: regular expressions, each of which must match in some name; `<` stands for the beginning of a
            name or the dot before a component of it.
        absent: regular expressions that must match in no name.
        counted: regular expression for the tensor whose first dimension is the number of classes.
        familiar: whether a piece of the network, under a prefix, looks like a generator that is supported.
    """

    words: str
    every: tuple[str, ...]
    absent: tuple[str, ...] = ()
    counted: str = ""
    familiar: bool = False

    def fits(self, names: str) -> bool:
        """Return whether tensor names, one per line, match the signature."""
        return all(_search(pattern, names) for pattern in self.every) and not any(
            _search(pattern, names) for pattern in self.absent
        )

    def describe(self, shapes: Shapes) -> str:
        """Return the description with `{n}` filled in."""
        sizes = [
            shape[0]
            for name, shape in shapes.items()
            if shape and self.counted and _search(self.counted, name)
        ]
        return self.words.replace(
            "{n}", quantity(sizes[-1], "class", "classes") if sizes else "an unknown number of classes"
        )


# Relatives of supported generators that are not supported. They come first, since they share tensor names.
RELATIVES = (
    Signature(
        "an encoder of images together with its generator (e4e or pSp)",
        (r"^encoder\.", r"^decoder\.(convs|conv1)\."),
    ),
    Signature(
        "a StyleGAN-V generator of videos; StyleGAN-V is not supported",
        (r"<synthesis\.motion_encoder\.",),
        familiar=True,
    ),
    Signature(
        "an EG3D generator of scenes in three dimensions (or a relative: PanoHead, Next3D); "
        "EG3D is not supported",
        (r"<backbone\.(synthesis|mapping)\.", r"<(superresolution|decoder\.net)\."),
        familiar=True,
    ),
    Signature(
        "a StyleNeRF or StyleSDF generator of scenes in three dimensions; neither is supported",
        (r"<(synthesis\.fg_nerf|renderer\.network|synthesis\.nerf)\.",),
        familiar=True,
    ),
    Signature(
        "a SemanticStyleGAN generator, which makes pictures of parts; SemanticStyleGAN is not supported",
        (r"<local_nets\.\d+\.", r"<render_net\."),
        familiar=True,
    ),
    Signature(
        "a StyleSwin generator of transformer blocks; StyleSwin is not supported",
        (r"<layers\.\d+\.blocks\.\d+\.(qkv|attn\.\d+\.relative_position_bias_table)",),
        familiar=True,
    ),
    Signature(
        "a GANformer generator, with attention between several latents; GANformer is not supported",
        (r"<synthesis\.b\d+\.conv[01_\w]*\.transformer\.",),
        familiar=True,
    ),
    Signature(
        "an R3GAN2 generator of a development version before 19 February 2026 (commit 0ba9ab8), which "
        "computes in another way; R3GAN2 since then is supported",
        (r"<Model\.MainLayers\.\d+\.", r"<Model\.AggregationLayer\.Weight(\.Weight)?$"),
        (r"<Model\.Head\.LinearLayer2\.Basis\.", r"<Model\.ExtractionLayer\."),
    ),
    Signature(
        "a generator that completes pictures (Co-Mod-GAN or a relative); it is not supported",
        (r"<encoder\.b\d+\.fromrgb\.", r"<synthesis\."),
    ),
    Signature(
        "an IC-GAN generator; IC-GAN is not supported", (r"<shared_feat\.", r"<blocks\.\d+\.\d+\.bn1\.")
    ),
    Signature(
        "a SWAGAN generator of wavelets; SWAGAN is not supported",
        (r"<(to_rgb1|to_rgbs\.\d+)\.(dwt|iwt)\.",),
        familiar=True,
    ),
    Signature("a GigaGAN network; GigaGAN is not supported", (r"<style_to_conv_modulations\.",)),
    Signature(
        "a StyleGAN of the first versions of rosinality's style-based-gan-pytorch, before July 2019, whose "
        "files do not show in which order their layers compute; those of later versions are supported",
        (r"<progression\.\d+\.conv1\.conv\.weight_orig$", r"<progression\.\d+\.adain1\."),
    ),
    Signature(
        "the student of MobileStyleGAN without its mapping network; give the file of the training "
        "(`state_dict`), which has `mapping_net` and `student`",
        (r"<layers\.\d+\.conv1\.conv\.weight_dw$",),
        (r"<mapping_net\.",),
    ),
    Signature(
        "the teacher of MobileStyleGAN, a StyleGAN2, without its mapping network; give the file of the "
        "training (`state_dict`), which has `mapping_net` and `synthesis_net`",
        (r"<layers\.\d+\.to_rgb\.conv\.weight$",),
        (r"<mapping_net\.",),
    ),
    Signature(
        "a BigBiGAN, or a BigGAN without class embedding; neither is supported", (r"<big_gan\.blocks\.\d+\.",)
    ),
)

# Names that only generators of one family have, for every published naming scheme.
GENERATORS = (
    Signature("StyleGAN3 or StyleGAN-XL", (r"<synthesis\.L\d+_\d+_\d+\.",)),
    Signature("StyleGAN-T", (r"<synthesis\.b\d+\.convs1\.\d+\.affine\.",)),
    Signature("StyleGAN2 (NVIDIA's names)", (r"<synthesis\.b\d+\.(conv[01]|torgb)\.affine\.(weight|bias)$",)),
    Signature(
        "StyleGAN2 (rosinality's names)",
        (r"<(convs\.\d+|conv1)\.conv\.modulation\.",),
        (r"<layers\.\d+\.(conv[12]|to_rgb|to_img)\.",),
    ),
    Signature("MobileStyleGAN", (r"<layers\.\d+\.conv[12]\.conv\.weight_(dw|permute)$",)),
    Signature(
        "StyleGAN2 (genforce's names)", (r"<synthesis\.(early_layer\.const|layer\d+\.noise_strength)$",)
    ),
    Signature("StyleGAN2 (mmgeneration's names)", (r"\.conv\.style_modulation\.",)),
    Signature("StyleGAN (HiGAN's names)", (r"<synthesis\.layer\d+\.epilogue\.",)),
    Signature("StyleGAN (genforce's names)", (r"<synthesis\.layer\d+\.apply_noise\.",)),
    Signature("StyleGAN (lernapparat's names)", (r"<g_synthesis\.blocks\.",)),
    Signature("StyleGAN (rosinality's names)", (r"<progression\.\d+\.adain1\.",)),
    Signature("StyleGAN (PyTorch GAN Zoo's names)", (r"<adain00\.styleModulator\.",)),
    Signature(
        "ProgressiveGAN (HiGAN's or genforce's names)",
        (r"^(generator\.|module\.)?output\d+\.(conv\.)?weight$",),
    ),
    Signature("ProgressiveGAN (PyTorch GAN Zoo's names)", (r"<formatLayer\.", r"<toRGBLayers\.")),
    Signature("ProgressiveGAN (pro_gan_pytorch's names)", (r"<rgb_converters\.\d+\.weight$",)),
    Signature("BigGAN", (r"<blocks\.\d+\.\d+\.bn\d\.(gain|bias)\.weight$",)),
    Signature("BigGAN-deep", (r"<layers\.\d+\.bn_\d\.(scale|offset)\.weight",)),
    Signature("StyleGAN2 (lucidrains' names)", (r"<blocks\.\d+\.to_(style|noise)1\.",)),
    Signature("FastGAN", (r"<feat_\d+\.([1-8]|conv[12]?|bn[12]?)\.", r"<(se_\d+\.main|init\.init)\.\d\.")),
    Signature("lightweight-gan", (r"<layers\.\d+\.0\.(0\.net|2(\.1)?)\.", r"<(initial|out)_conv\.")),
    Signature("R3GAN", (r"<Model\.MainLayers\.", r"<Model\.AggregationLayer\.Layer\.")),
    Signature("R3GAN2", (r"<Model\.Head\.LinearLayer2\.Basis\.", r"<Model\.AggregationLayer\.Weight\.")),
    Signature(
        "generator of TensorFlow variables",
        (r"(^|/)\d+x\d+/(Conv0_up|Conv1|ToRGB)/weight$|(^|/)ToRGB_lod\d+/weight$",),
        (r"FromRGB",),
    ),
)

OTHERS = (
    Signature(
        "a discriminator of StyleGAN2 or StyleGAN3 (NVIDIA's names), which makes no images",
        (r"<b\d+\.fromrgb\.weight$",),
    ),
    Signature(
        "a discriminator of StyleGAN2 (rosinality's or mmgeneration's names), which makes no images",
        (r"<final_linear\.\d", r"<convs\.0\.0\."),
    ),
    Signature(
        "a discriminator of ProgressiveGAN, StyleGAN or StyleGAN2 (genforce's names), which makes no images",
        (r"<input\d+\.(conv\.)?weight$",),
    ),
    Signature("a discriminator of R3GAN or R3GAN2, which makes no images", (r"<Model\.ExtractionLayer\.",)),
    Signature(
        "a discriminator in TensorFlow variables, which makes no images", (r"FromRGB(_lod\d+)?/weight$",)
    ),
    Signature(
        "a discriminator on top of pretrained features (Projected GAN), which makes no images",
        (r"<feature_networks?\.", r"<discriminators?\."),
    ),
    Signature(
        "a discriminator of BigGAN, which makes no images",
        (r"<blocks\.\d+\.\d+\.conv1\.(u0|weight)$", r"<embed\.weight$"),
        (r"<shared\.", r"\.bn\d\."),
    ),
    Signature(
        "an encoder of images into StyleGAN2's codes (e4e or pSp), without the generator",
        (r"<styles\.\d+\.(convs|linear)", r"<input_layer\.0\."),
    ),
    Signature(
        "an encoder of images into StyleGAN's codes (idinvert)",
        (r"^block\d+\.conv1?\.weight$", r"^block\d+\.fc\.weight$"),
    ),
    Signature(
        "a face recogniser (ArcFace)",
        (r"<input_layer\.0\.weight$", r"<output_layer\.\d+\.", r"<body\.\d+\.res_layer\."),
    ),
    Signature("LoRA weights, which change a diffusion or language model", (r"lora_(A|B|up|down|unet|te)",)),
    Signature("a diffusion model (Stable Diffusion or a relative)", (r"<model\.diffusion_model\.",)),
    Signature(
        "the UNet of a diffusion model (diffusers' names)",
        (r"<down_blocks\.\d+\.", r"<time_embedding\.linear_1\."),
    ),
    Signature("the UNet of a diffusion model", (r"<input_blocks\.\d+\.\d+\.", r"<time_embed\.0\.")),
    Signature("the UNet of a diffusion model (DDPM)", (r"<temb\.dense\.\d\.", r"<down\.\d+\.")),
    Signature("the UNet of a diffusion model (EDM2)", (r"<emb_(fourier|noise)\.", r"<enc\.\d+x\d+_")),
    Signature("the network of a score-based diffusion model", (r"<all_modules\.\d+\.",)),
    Signature("the UNet of a diffusion model (EDM)", (r"<map_layer0\.weight$", r"<enc\.\d+x\d+_")),
    Signature(
        "a diffusion transformer",
        (r"<(double_blocks|joint_blocks|transformer_blocks)\.\d+\.|<(x|t)_embedder\.|<adaLN_modulation\.",),
    ),
    Signature(
        "an autoencoder of a diffusion model (VAE)",
        (r"<encoder\.(down_blocks|down)\.\d+\.", r"<decoder\.(up_blocks|up)\.\d+\."),
    ),
    Signature(
        "the decoder of a diffusion model's autoencoder (VAE)",
        (r"<(decoder\.)?(up_blocks\.\d+\.resnets|up\.\d+\.block)\.", r"<(decoder\.)?conv_out\."),
    ),
    Signature(
        "CLIP or a relative, which compares images with texts",
        (
            r"<visual\.(conv1|transformer|layer\d)|<vision_model\.",
            r"<(text_model|token_embedding|logit_scale)",
        ),
    ),
    Signature("the image half of CLIP or a relative", (r"<visual\.(transformer|attnpool)|<vision_model\.",)),
    Signature("a segmentation network (SegFormer)", (r"<segformer\.|<decode_head\.linear_(c|fuse)",)),
    Signature("a segmentation network (DeepLab)", (r"<aspp\.|<classifier\.0\.convs\.\d|<ASPP\.",)),
    Signature(
        "a segmentation network (UPerNet or PSPNet)", (r"<ppm(_conv)?\.\d|<psp_modules?\.|<decode_head\.psp",)
    ),
    Signature(
        "a segmentation network (Mask2Former or MaskFormer)",
        (r"mask_embed|transformer_module\.decoder|<sem_seg_head\.",),
    ),
    Signature("a segmentation network of faces (BiSeNet)", (r"<cp\.(resnet|arm16)", r"<ffm\.")),
    Signature("a segmentation or detection network on a ResNet", (r"<backbone\.(body\.)?layer4\.",)),
    Signature("a perceptual distance (LPIPS)", (r"<lin0\.model\.\d\.weight$",)),
    Signature(
        "a classifier: an Inception network of {n}",
        (r"<Mixed_7c\.", r"<Conv2d_1a_3x3\."),
        (),
        r"<fc\.weight$",
    ),
    Signature(
        "a classifier: a ResNet of {n}",
        (r"<layer4\.\d+\.conv\d\.weight$", r"<fc\.weight$"),
        (),
        r"<fc\.weight$",
    ),
    Signature("a ResNet without its classifier", (r"<layer4\.\d+\.conv\d\.weight$",)),
    Signature("a classifier: a DenseNet of {n}", (r"<features\.denseblock\d",), (), r"<classifier\.weight$"),
    Signature(
        "a classifier: a VGG or AlexNet of {n}",
        (r"<features\.0\.weight$", r"<classifier\.\d\.weight$"),
        (),
        r"<classifier\.\d\.weight$",
    ),
    Signature("the features of a VGG", (r"<features\.0\.weight$", r"<features\.2\d\.weight$")),
    Signature("a vision transformer", (r"<patch_embed(dings)?\.", r"<(blocks|layers?|encoder)\.")),
    Signature(
        "a classifier (ConvNeXt or EfficientNet)",
        (r"<stages\.\d+\.(blocks\.)?\d+\.|<conv_stem\.|<features\.\d+\.\d+\.block\.",),
    ),
    Signature(
        "a language model",
        (r"<(lm_head|wte|embed_tokens|word_embeddings)\.weight$|<self_attn\.q_proj\.weight$",),
    ),
    Signature(f"directions of closed-form factorisation (SeFa), not a generator. {ARRAYS}", (r"^eigvec$",)),
    Signature(
        f"codes of pictures, as projectors and encoders write, not a generator. {ARRAYS}",
        (r"^(latent|latents|w|w_plus|projected_w|dlatents?)$",),
        (r"\.(weight|bias)$",),
    ),
    Signature("the state of an optimiser, not a network", (r"exp_avg|momentum_buffer",)),
    Signature(
        "boundaries that ganstrata has learnt, not a generator", (r"^\d{4}\.normal$", r"^\d{4}\.offset$")
    ),
)

PLAIN = Signature(
    "a plain stack of numbered layers", (r"^(module\.)?(main|model|net|layers|gen|network)\.\d+\.",)
)
MODULE = "module"  # the plugin that loads a generator from the user's own class

BUNDLED = {
    "rooms-scenes-1": (
        "the bundled scorer of scenes (rooms.scenes): the scorers `category` and `attribute` read it"
    ),
    "rooms-surfaces-1": (
        "the bundled scorer of surfaces (rooms.surfaces): the scorers `layout` and `segmentation` read it"
    ),
}


def describe(checkpoint: Checkpoint) -> str:
    """Return a description of what a file seems to be, part by part, for messages."""
    parts_of: dict[str, list[str]] = {}
    for part in checkpoint.parts[:DESCRIBED]:
        parts_of.setdefault(describe_part(part), []).append(part.name)
    notes = "".join(f"; {note}" for note in checkpoint.notes)
    if len(parts_of) == 1:
        return next(iter(parts_of)) + notes
    kinds = islice(parts_of.items(), 5)
    return (
        "; ".join(
            f"its part{'s' * (len(names) > 1)} {listed(name or 'without a name' for name in names)}: {words}"
            for words, names in kinds
        )
        + notes
    )


def out_of_reach(part: Part) -> Signature | None:
    """Return the family of a part that is not supported although a piece of it looks like one that is."""
    names = _names(part)
    return next((known for known in RELATIVES if known.familiar and known.fits(names)), None)


def describe_part(part: Part) -> str:
    """Return a description of what one part seems to be, judged by its settings and tensor names."""
    architecture = part.settings.get("architecture")
    if isinstance(architecture, str) and architecture in BUNDLED:
        return f"it is {BUNDLED[architecture]}"
    if isinstance(part.settings.get("plugin"), str):
        return (
            f"it was converted for the generator plugin '{visible(part.settings['plugin'])}', "
            "which is not installed or no longer knows it"
        )
    names = _names(part)
    for signature in RELATIVES:
        if signature.fits(names):
            own = _own_class() if "supported" in signature.words else ""
            return f"it seems to be {signature.words}{own}"
    families = mixture(part)
    if len(families) > 1:
        return f"it mixes tensors of several generators: {', '.join(families[:-1])} and {families[-1]}"
    if families:
        return f"it has tensors of a {families[0]} generator, but not all of them: {_examples(part)}"
    for signature in OTHERS:
        if signature.fits(names):
            words = signature.describe(part.shapes)
            return f"it seems to be {words}{_places(signature, part.shapes)}{_way_out(words)}"
    kind = f"it seems to be {PLAIN.words}: " if PLAIN.fits(names) else ""
    name = part.settings.get("class_name")
    class_name = f"; its class is {visible(name)}" if isinstance(name, str) and name else ""
    return kind + _examples(part) + class_name + (_own_class() if names else "")


def _way_out(words: str) -> str:
    """Return what to do with a network that is no generator of this kind, by the words for it."""
    if "diffusion" in words:
        return f"; it makes a picture in many steps, which is not supported{_own_class()}"
    if "makes no images" in words or "not a network" in words or "without the generator" in words:
        return f": {GIVE}"
    return ""


def _own_class() -> str:
    """Return the way out for a network whose class the user has; empty without the plugin for it."""
    if not any(info.name == MODULE for info in registry().infos("generator")):
        return ""
    return (
        "; a generator whose class you have is loaded by "
        f"`{{use: {MODULE}, with: {{target: FILE.py:CLASS, checkpoint: FILE, latent: {{size: N}}}}}}` "
        "(docs/own-model.md)"
    )


def mixture(part: Part) -> list[str]:
    """Return the generator families whose tensor names occur in a part; more than one is a fault."""
    names = _names(part)
    return [signature.words for signature in GENERATORS if signature.fits(names)]


def _names(part: Part) -> str:
    """Return the first `COMPARED` tensor names of a part, one per line."""
    return "\n".join(islice(part.tensors, COMPARED))


def _examples(part: Part) -> str:
    count = len(part.tensors)
    if not count:
        return "it holds no tensors"
    first = ", ".join(visible(name) for name in islice(part.tensors, 4))
    return f"its {count} tensor{'s are' if count > 1 else ' is'} called {first}{' ...' if count > 4 else ''}"


def _places(signature: Signature, shapes: Shapes) -> str:
    """Return the remark on Places365, which is recognised by its 365 classes."""
    return " (Places365)" if signature.counted and signature.describe(shapes).endswith(" 365 classes") else ""


def _search(pattern: str, names: str) -> re.Match[str] | None:
    return re.search(pattern.replace("<", r"(?:^|\.)"), names, re.MULTILINE)
