"""Hold what the config says of a network and its file does not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from pydantic import BaseModel
from torch import Tensor

from ....core.checkpoints.assumptions import stored_fields
from ....core.errors import CheckpointError
from ....core.messages import quantity, shown

# Sentences on what is assumed where neither config nor file states a field.
ASSUMED = {
    "lr_mlp": "the mapping's learning rate multiplier is 0.01",
    "final_tanh": "tanh is not applied to the picture",
    "output_scale": "the output is multiplied by 0.25",
    "conv_clamp": "outputs of layers are limited to 256",
    "use_wscale": "weights are scaled by their fan-in",
}
# Whether PyTorch GAN Zoo applies tanh to the picture, by the loss that its configuration names.
ZOO_TANH = {"MSE": True, "DCGAN": True, "WGANGP": False, "Logistic": False}


@dataclass(frozen=True)
class Unstored:
    """Hold the config fields on what no file states. None leaves it to the file, or to the published code.

    Attributes:
        final_tanh: whether tanh is applied to the picture.
        use_wscale: whether weights are scaled at run time (equalised learning rate).
        lr_mlp: factor of the mapping network's stored weights and biases.
        depth: binary logarithm of the size of the pictures.
        fused_scale: whether upsampling is fused with the convolution after it.
        output_scale: factor of the output of a StyleGAN3's last layer.
        conv_clamp: limit of the absolute output of a StyleGAN3's layers, or "none".
        earlier: fields that were assumed when the file was converted, with the sentence on each. What the
            file says of them is not a statement.
    """

    final_tanh: bool | None = None
    use_wscale: bool | None = None
    lr_mlp: float | None = None
    depth: int | None = None
    fused_scale: bool | None = None
    output_scale: float | None = None
    conv_clamp: float | str | None = None
    earlier: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, config: BaseModel) -> Self:
        """Return the fields that a plugin's config has."""
        fields: dict[str, Any] = {name: getattr(config, name, None) for name in FIELDS}
        return cls(**fields)

    def beside(self, settings: Mapping[str, Any]) -> Self:
        """Return the same beside the settings of a file, which may say what was assumed to convert it."""
        stored = stored_fields(settings)
        return replace(self, earlier={name: stored[name] for name in FIELDS if name in stored})

    def settle(self, field: str, stored: Any, published: Any) -> Any:
        """Return the value of a field: that of the config, of the file, or of the published code.

        Args:
            field: name of the field.
            stored: what the file states; None if it states nothing.
            published: value in the published code.

        Raises:
            CheckpointError: config and file contradict each other.
        """
        given = getattr(self, field)
        if given is None:
            return published if stored is None else stored
        if stored is not None and stored != given and field not in self.earlier:
            raise CheckpointError(
                f"{field}: {_words(given)} is configured, but the file states {_words(stored)}; leave it "
                "out. If the file was converted, give the one that it was made from"
            )
        return given

    def assumed(self, stated: Mapping[str, Any], told: Collection[str] = ()) -> dict[str, str]:
        """Return the fields that neither config nor file states, with what to tell of each.

        Args:
            stated: what the file states of each field that its layout may leave open; None for nothing.
            told: fields of which it is told; of others the published code leaves no doubt.

        >>> Unstored(lr_mlp=0.1).assumed({"lr_mlp": None, "final_tanh": None}, ["final_tanh"])
        {'final_tanh': 'tanh is not applied to the picture (config: final_tanh)'}
        >>> Unstored(earlier={"lr_mlp": "it is 1"}).assumed({"lr_mlp": 1.0, "final_tanh": True})
        {'lr_mlp': 'it is 1'}
        """
        return {
            name: self.earlier.get(name, f"{ASSUMED[name]} (config: {name})" if name in told else "")
            for name, value in stated.items()
            if getattr(self, name) is None and (value is None or name in self.earlier)
        }


FIELDS = tuple(name for name in Unstored.__dataclass_fields__ if name != "earlier")
NOTHING = Unstored()  # what a config says that says nothing


def _words(value: object) -> str:
    """Return a value as in a config."""
    return str(value).lower() if isinstance(value, bool) else shown(value)


def is_real(value: object) -> bool:
    """Return whether a stored setting is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def positive(setting: str, value: Any) -> float:
    """Return a stored setting, which must be a finite number above 0, as a float.

    Raises:
        CheckpointError: it is not.
    """
    if not is_real(value) or value <= 0.0:
        raise CheckpointError(f"{setting} stored in the file is {shown(value)}, expected a number above 0")
    return float(value)


def last_trained(biases: Mapping[int, Tensor], top: int) -> int:
    """Return the highest level whose output was trained, as its bias shows; `top` if none was.

    Networks that grow store all levels from the beginning. The bias of an output is 0 until its level is
    reached.

    Args:
        biases: bias of the output of each level.
        top: the highest level.
    """
    trained = [level for level, bias in biases.items() if level <= top and bool((bias != 0).any())]
    return max(trained, default=top)


def level_of(depth: int, levels: Iterable[int], family: str) -> int:
    """Return the level, 0 for 4 pixels, of a depth, the binary logarithm of the size.

    Raises:
        CheckpointError: there is no output at that level; the message lists those that there are.
    """
    allowed = sorted(level for level in levels if level >= 0)
    if depth - 2 not in allowed:
        words = ", ".join(f"{level + 2} ({4 * 2**level} pixels)" for level in allowed[:16])
        raise CheckpointError(
            f"depth: {depth} is configured, but this {family} has outputs at the depths {words or 'none'}"
        )
    return depth - 2


def depth_assumption(family: str, level: int, top: int) -> str:
    """Return the sentence on a depth that neither config nor file states."""
    size = 4 * 2**level
    if level < top:
        reason = f"the outputs above {size} pixels were never trained (their biases are 0), and are left out"
    else:
        reason = f"the last output, of {size} pixels, is taken for the one that was trained"
    return f"the file does not state how far this {family} has grown: {reason} (config: depth)"


def noise_and_mean(stored: Mapping[str, Tensor], added: Mapping[str, Tensor], means: int) -> tuple[str, ...]:
    """Return sentences on the fixed noise and the mean w of a style-based generator, if a file lacks them.

    Args:
        stored: tensors of the file, by the names used here.
        added: those that complete them.
        means: number of mean w that the network has.
    """
    sentences = []
    noises = sum(name.endswith(".noise_const") for name in added)
    if noises and any(name.endswith(".noise_strength") for name in stored):
        sentences.append(
            f"the file stores no fixed noise: that of {quantity(noises, 'layer')} is drawn from a fixed seed"
        )
    elif noises:
        sentences.append("the file stores neither noise nor its strength: no noise is added")
    if not means:
        sentences.append("the file stores no mean w: truncation uses the mean w of fixed z")
    return tuple(sentences)
