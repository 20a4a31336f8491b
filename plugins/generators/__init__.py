"""Register the built-in generators."""

from __future__ import annotations

from ...core.plugins.hookspecs import hookimpl
from ...core.plugins.registry import Register


@hookimpl
def ganstrata_register_generators(register: Register) -> None:
    """Register the names only; a class is imported when it is built."""
    register(
        "biggan",
        "ganstrata.plugins.generators.biggan.generator:BigGAN",
        "BigGAN and BigGAN-deep, class-conditional, w = z (Brock et al. 2019)",
    )
    register(
        "stylegan",
        "ganstrata.plugins.generators.stylegan.generator:StyleGAN",
        "StyleGAN, layer-wise codes (Karras et al. 2019)",
    )
    register(
        "stylegan2",
        "ganstrata.plugins.generators.stylegan2.generator:StyleGAN2",
        "StyleGAN2 with skip RGB, layer-wise codes (Karras et al. 2020)",
    )
    register(
        "fastgan",
        "ganstrata.plugins.generators.fastgan.generator:FastGAN",
        "FastGAN, and that of Projected GAN; a layer per excitation (Liu et al. 2021)",
    )
    register(
        "lightweight_gan",
        "ganstrata.plugins.generators.lightweight_gan.generator:LightweightGAN",
        "lucidrains' lightweight-gan, a layer per excitation (Wang 2020)",
    )
    register(
        "lucidrains_stylegan2",
        "ganstrata.plugins.generators.lucidrains_stylegan2.generator:LucidrainsStyleGAN2",
        "StyleGAN2 of lucidrains' stylegan2-pytorch, a layer per resolution (Wang 2020)",
    )
    register(
        "mobile_stylegan",
        "ganstrata.plugins.generators.mobile_stylegan.generator:MobileStyleGAN",
        "MobileStyleGAN, the student of a StyleGAN2, layer-wise codes (Belousov 2021)",
    )
    register(
        "pggan",
        "ganstrata.plugins.generators.pggan.generator:ProgressiveGAN",
        "ProgressiveGAN, one layer (Karras et al. 2018)",
    )
    register(
        "r3gan", "ganstrata.plugins.generators.r3gan.generator:R3GAN", "R3GAN, one layer (Huang et al. 2024)"
    )
    register(
        "r3gan2",
        "ganstrata.plugins.generators.r3gan2.generator:R3GAN2",
        "R3GAN2, one layer; its output may be latents (IFeelBloated 2026)",
    )
    register(
        "module",
        "ganstrata.plugins.generators.module.generator:OwnModule",
        "any torch.nn.Module, by its module or file",
    )
    register(
        "stylegan3",
        "ganstrata.plugins.generators.stylegan3.generator:StyleGAN3",
        "StyleGAN3, -t and -r, alias-free (Karras et al. 2021), and StyleGAN-XL (Sauer et al. 2022)",
    )
    register(
        "stylegan_t",
        "ganstrata.plugins.generators.stylegan_t.generator:StyleGANT",
        "StyleGAN-T without its text encoder, for given text embeddings (Sauer et al. 2023)",
    )
