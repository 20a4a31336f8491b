"""List what was stripped, ignored, converted, made up or assumed between a file and its network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from torch import Tensor

from ..messages import listed, shown, visible
from .content import Checkpoint, Part

if TYPE_CHECKING:
    from .detect import Examined

    E = TypeVar("E", bound=Examined)

SETTING = "assumptions"  # key of the settings under which `model convert` keeps them
FIELDS = "assumed"  # the same of those that a field of the config may correct
NUMBER = 40  # assumptions that a file may state, at most
SENTENCE = 500  # characters of one
NAMED = 6  # parts or arguments that are named in a sentence
PLACES = 100  # settings that are searched for a truncation
PSI = ("truncation_psi", "trunc_psi", "psi", "truncation")
VERSIONS = (1, 2, 3, 4, 5)  # of NVIDIA's networks in TensorFlow
# Arguments of NVIDIA's networks in TensorFlow, from ProgressiveGAN to ADA, and what the reader adds.
NVIDIAS = """
build_func_name version name func_name is_training is_validation is_template_graph return_dlatents
num_channels resolution label_size normalize_latents use_wscale use_pixelnorm pixelnorm_epsilon
use_leakyrelu dtype fused_scale structure fmap_base fmap_decay fmap_min fmap_max latent_size dlatent_size
mapping_layers mapping_fmaps mapping_lrmul mapping_nonlinearity mapping_use_wscale lrmul nonlinearity
dlatent_broadcast truncation_psi truncation_cutoff dlatent_avg_beta style_mixing_prob use_styles
const_input_layer use_noise use_pixel_norm use_instance_norm blur_filter tanh_at_end force_clean_graph
architecture resample_kernel num_fp16_res conv_clamp tiled_lods epsilon
"""
ARGUMENTS = frozenset(NVIDIAS.split())
# Arguments of NVIDIA's networks that the tensors state too: names of each, and what it is called here.
STATED = (
    (("img_resolution", "resolution"), "resolution"),
    (("img_channels", "num_channels"), "channels"),
    (("z_dim", "latent_size"), "latent_size"),
    (("w_dim", "dlatent_size"), "code_size"),
    (("c_dim", "label_size"), "classes"),
)


def with_assumptions(examined: E, part: Part, checkpoint: Checkpoint | None = None) -> E:
    """Return what a plugin has examined, with everything that was assumed on the way from the file to it.

    The order is that of the way: the file, the part of it, its tensors, the network.
    """
    others = (
        [] if checkpoint is None else [other.name for other in checkpoint.parts if not _holds(other, part)]
    )
    sentences = (
        *stored_assumptions(part.settings),
        *(() if checkpoint is None else checkpoint.notes),
        *_left_aside(part.name, others),
        *part.notes,
        *precision(part.tensors),
        *_tensorflow(part.settings),
        *_truncation(part.settings),
        *_contradicted(part.settings, examined),
        *(told for told in examined.assumed.values() if told),
        *examined.assumptions,
    )
    return replace(examined, assumptions=tuple(dict.fromkeys(sentences)))


def _holds(whole: Part, part: Part) -> bool:
    """Return whether a part is the same as another or holds it, as the whole of a file does."""
    inside = {id(tensor) for tensor in part.tensors.values()}
    return whole is part or (bool(inside) and inside <= {id(tensor) for tensor in whole.tensors.values()})


def _left_aside(used: str, others: Sequence[str]) -> tuple[str, ...]:
    """Return the sentence on the parts of a file that are not used."""
    if not others:
        return ()
    which = f"the part {visible(used)}" if used else "the part without a name"
    names = listed((name or "one without a name" for name in others), NAMED)
    return (f"of the file, {which} is used; not used: {names}",)


def precision(tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return a sentence for each type that is not float32, in which networks are loaded.

    Counters, which have no dimensions, are whole numbers in every network and not told.

    >>> import torch
    >>> precision({"a": torch.ones(2, dtype=torch.float16), "b": torch.ones(2)})
    ('1 of 2 tensors is stored in float16 and is converted to float32',)
    """
    types = Counter(
        str(tensor.dtype).removeprefix("torch.")
        for tensor in tensors.values()
        if (tensor.is_floating_point() or tensor.ndim) and str(tensor.dtype) != "torch.float32"
    )
    return tuple(
        f"{count} of {len(tensors)} tensors {'is' if count == 1 else 'are'} stored in {name} "
        f"and {'is' if count == 1 else 'are'} converted to float32"
        for name, count in sorted(types.items())
    )


def _tensorflow(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return sentences on a TensorFlow network's version and arguments that NVIDIA's releases do not have."""
    if "build_func_name" not in settings:
        return ()
    sentences = []
    version = settings.get("version")
    if version not in VERSIONS:
        sentences.append(
            f"its TensorFlow version is {shown(version)}, which is not known: it is read by its tensors"
        )
    ignored = sorted(key for key in settings if key not in ARGUMENTS)
    if ignored:
        sentences.append(
            f"arguments that NVIDIA's releases do not have are ignored: {listed(ignored, NAMED)}"
        )
    return tuple(sentences)


def _contradicted(settings: Mapping[str, object], examined: Examined) -> tuple[str, ...]:
    """Return a sentence for each size that a file states and its tensors contradict, which count."""
    sentences = []
    for keys, name in STATED:
        true = getattr(examined, name)
        sides = {true, examined.height, examined.width} if name == "resolution" else {true}
        for key in keys:
            stated = settings.get(key)
            if (
                type(stated) is not int
                or stated in sides
                or (name == "code_size" and stated and not true % stated)
            ):
                continue  # a code may hold that of every layer
            sentences.append(
                f"the file states {key} {stated}, but the network in it has {true}, which is used"
            )
    return tuple(sentences)


def _truncation(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return a sentence on a truncation that a file states, since only that of the config is applied."""
    places = [settings, *(value for value in islice(settings.values(), PLACES) if isinstance(value, Mapping))]
    for place in places:
        for key in PSI:
            psi = place.get(key)
            if isinstance(psi, int | float) and not isinstance(psi, bool) and psi != 1:
                words = f"the file states {key} {shown(psi)}, which is not applied"
                return (f"{words}: truncation_psi of the config is",)
    return ()


def stored_assumptions(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return the assumptions that `model convert` wrote into a file, as short, printable text."""
    sentences = settings.get(SETTING)
    if not isinstance(sentences, list | tuple):
        return ()
    return tuple(
        visible(sentence, SENTENCE) for sentence in list(sentences)[:NUMBER] if isinstance(sentence, str)
    )


def stored_fields(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the fields of the config that `model convert` had to assume, with the sentence on each.

    The sentences are short and printable, or empty if there is nothing to tell.
    """
    fields = settings.get(FIELDS)
    if not isinstance(fields, Mapping):
        return {}
    return {
        name: visible(told, SENTENCE)
        for name, told in islice(fields.items(), NUMBER)
        if isinstance(name, str) and isinstance(told, str)
    }
