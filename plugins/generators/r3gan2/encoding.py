"""Tell what the network's output is: a picture, or latents of a variational autoencoder (VAE).

The encoders are those of the repository IFeelBloated/R3GAN2, training/encoders.py. A checkpoint names one in
`encoder_kwargs.class_name`, and may hold its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from ....core.errors import CheckpointError
from ....core.messages import shown

Kind = Literal["rgb", "stability", "flux2"]
FACTOR = 8  # pixels of a picture per pixel of latents
FINAL_STD = 0.5  # standard deviation that the authors give to latents


class Known(NamedTuple):
    """Describe an encoder: its class, the channels of its output, and for a VAE its name on the hub."""

    class_name: str
    channels: int
    vae: str = ""
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()


# Means and deviations of the latents: arguments of the class, and the authors' latent_stats.npz.
KNOWN: Mapping[Kind, Known] = {
    "rgb": Known("StandardRGBEncoder", 3),
    "stability": Known(
        "StabilityVAEEncoder",
        4,
        "stabilityai/sd-vae-ft-mse",
        (5.81, 3.25, 0.12, -2.15),
        (4.17, 4.62, 3.71, 3.28),
    ),
    "flux2": Known(
        "Flux2VAEEncoder",
        32,
        "black-forest-labs/FLUX.2-dev",
        (
            -0.06741284, 0.03083213, -0.03037987, -0.00680147, -0.05972434, 0.03645208, -0.03403904,
            -0.02530552, -0.01068267, -0.03993272, -0.01966618, -0.00108946, 0.01963034, 0.04361621,
            0.06752299, -0.02804632, 0.00226224, -0.00509943, 0.03157179, -0.04103471, -0.00241113,
            -0.065249, 0.00540083, -0.02334986, 0.00910093, -0.03186022, 0.01318874, 0.10630818,
            -0.07823633, 0.02196229, -0.12592049, 0.0064057,
        ),
        (
            1.80203009, 1.73627222, 1.73253453, 1.84652519, 1.77430844, 1.72932911, 1.75709891,
            1.75812066, 1.824989, 1.79854751, 1.79643273, 1.76460349, 1.73976612, 1.79969061, 1.77389324,
            1.7504003, 1.78894103, 1.79681194, 1.77344406, 1.75748932, 1.77437484, 1.78210413, 1.7367655,
            1.78294241, 1.7139188, 1.7602396, 1.74267006, 1.74867213, 1.76196027, 1.72074485, 1.76316237,
            1.72499955,
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Encoding:
    """Hold what the output of a network is.

    The network gives latents x of mean 0 and deviation `final`. Those of the VAE are
    mean + x deviation / final.

    Attributes:
        kind: rgb, a picture in [-1, 1]; or latents of the VAE of Stable Diffusion or of FLUX.2.
        vae: name of the VAE on the Hugging Face hub; None for rgb.
        means, deviations: of the VAE's latents, for each channel.
        final: deviation of the network's latents.
    """

    kind: Kind = "rgb"
    vae: str | None = None
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    final: float = FINAL_STD

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            CheckpointError: they are not finite, of another number, or deviations are not above 0.
        """
        known = KNOWN[self.kind]
        lengths = {len(known.means), len(self.means), len(self.deviations)}
        numbers = np.array([*self.means, *self.deviations, self.final], dtype=np.float32)
        if len(lengths) > 1 or not np.isfinite(numbers).all() or min(*self.deviations, self.final, 1) <= 0.0:
            raise CheckpointError(
                f"{known.class_name} needs a mean and a standard deviation above 0 for each of "
                f"{known.channels} channels of latents; it has {shown(self.means)} and "
                f"{shown(self.deviations)}, scaled to {shown(self.final)}"
            )

    @property
    def factor(self) -> int:
        """Pixels of the picture per pixel of the output."""
        return 1 if self.kind == "rgb" else FACTOR


def encoding_of(settings: Mapping[str, Any], channels: int) -> tuple[Encoding, tuple[str, ...]]:
    """Return what the output of a network is, and sentences on what was assumed.

    Args:
        settings: of the part and of the file; the encoder is under `encoder_kwargs`.
        channels: of the output.

    Raises:
        CheckpointError: the encoder is not known, or makes another number of channels.
    """
    stated = settings.get("encoder_kwargs")
    stated = stated if isinstance(stated, Mapping) else {}
    name = str(stated.get("class_name", "")).rpartition(".")[2]
    kinds: dict[str, Kind] = {KNOWN[kind].class_name: kind for kind in get_args(Kind)}
    assumed = []
    if not name:
        name = next((known.class_name for known in KNOWN.values() if known.channels == channels), "")
        assumed.append(
            f"the file does not state its encoder: by its {channels} channels it is taken for {name}"
        )
    if name not in kinds or KNOWN[kinds[name]].channels != channels:
        raise unsupported(name, channels)
    kind = kinds[name]
    if kind == "rgb":
        return Encoding(), tuple(assumed)
    encoding = Encoding(kind, *_arguments(KNOWN[kind], stated))
    assumed.append(
        f"the network gives latents of the VAE {encoding.vae}, whose weights are not in the file "
        "(config: decoder)"
    )
    if kind == "flux2":
        assumed.append(
            "the file does not hold mean and deviation of its latents: those of the authors' "
            "latent_stats.npz are used (config: latent_stats)"
        )
    return encoding, tuple(assumed)


def unsupported(name: str, channels: int) -> CheckpointError:
    """Return the error for an encoder that is not known, or makes another number of channels."""
    words = ", ".join(f"{known.class_name} ({known.channels} channels)" for known in KNOWN.values())
    return CheckpointError(
        f"the output of this R3GAN2 has {channels} channels, and its encoder is {shown(name or None)}; "
        f"supported are {words}. If you have the code that trained it, `use: module` loads it "
        "(docs/own-model.md)"
    )


def _arguments(known: Known, stated: Mapping[str, Any]) -> tuple[str, Any, Any, float]:
    """Return name, means, deviations and final deviation: as stated, or else as the authors' code has them.

    Raises:
        CheckpointError: a stated argument has another type, or latents are moved, which is not supported.
    """
    vae = stated.get("vae_name", known.vae)
    means, deviations = (
        _numbers(key, stated.get(key, default))
        for key, default in (("raw_mean", known.means), ("raw_std", known.deviations))
    )
    (final,) = _numbers("final_std", [stated.get("final_std", FINAL_STD)])
    if not isinstance(vae, str) or stated.get("final_mean", 0) != 0:
        raise CheckpointError(
            f"encoder_kwargs of the file: vae_name {shown(vae)} and final_mean "
            f"{shown(stated.get('final_mean', 0))} are not supported; a name and 0 are"
        )
    return vae, means, deviations, final


def _numbers(key: str, values: object) -> tuple[float, ...]:
    """Return numbers of the file.

    Raises:
        CheckpointError: they are none.
    """
    if not isinstance(values, Sequence) or not all(type(value) in (int, float) for value in values):
        raise CheckpointError(f"encoder_kwargs of the file: {key} is {shown(values)}, expected numbers")
    return tuple(float(value) for value in values)
