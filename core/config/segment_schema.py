"""Define the config of `ganstrata segment`: generator, teacher, extractor and training."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, model_validator

from ..randomness import LARGEST_SEED
from .schema import MOST, UNSTATED, Batch, Device, Precision, Use, Version
from .section import Section

RATE = 1e-3  # learning rate of the paper


class ExtractorSection(Section):
    """The network that reads feature maps."""

    head: Literal["LSE", "NSE-1", "NSE-2"] = Field(
        default="LSE",
        description="LSE: linear; NSE-1: three convolutions per feature map; NSE-2: a decoder",
    )
    strata: Literal["all", "last_of_resolution"] | list[NonNegativeInt] = Field(
        default="all",
        description="feature maps to read: all, last_of_resolution (the last of each size), or numbers of "
        "strata, which `ganstrata model inspect` lists",
    )
    classes: list[str] | None = Field(
        default=None,
        min_length=1,
        description="classes of the teacher to learn; the others become one class, background; default: all",
    )
    layer_weights: Literal["equal", "softplus"] = Field(
        default="equal",
        description="LSE and NSE-1: equal adds up the strata as they are, as in the paper; softplus learns a "
        "positive weight for each, as in its code",
    )
    kernel: Literal[1, 3] = Field(
        default=1,
        description="NSE-1: width of its kernels; 1 in the paper's code, 3 in its figure 7",
    )


class TrainingSection(Section):
    """The training of the extractor."""

    method: Literal["gradient", "whitened", "ridge", "lda"] = Field(
        default="gradient",
        description="gradient: the paper's schedule; for LSE, far faster: whitened: lda, then one pass of "
        "logistic regression in whitened features; ridge and lda: closed forms",
    )
    images: int | None = Field(
        default=None,
        ge=50,
        le=MOST,
        description="number of fresh pictures, with which the schedule scales; default: 51,200 for gradient, "
        "as in the paper, 2,048 for whitened, 768 for ridge and lda",
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="seed of samples and first parameters")
    learning_rate: float = Field(default=RATE, gt=0.0, le=1.0, description="gradient: learning rate of Adam")
    layerwise_loss: float = Field(
        default=0.0,
        ge=0.0,
        le=1e6,
        description="gradient: weight of the losses of single strata, for maps of what each says by itself; "
        "0.1 in the paper's appendix I",
    )
    batch_size: Batch | Literal["auto"] = Field(default="auto", description="number of pictures in one pass")

    @property
    def pictures(self) -> int:
        """Number of fresh pictures."""
        return self.images or {"gradient": 51_200, "whitened": 2048}.get(self.method, 768)


class AnnotateConfig(Section):
    """The config of pictures that a person annotates, and of what learns from them; a teacher is optional."""

    version: Version = UNSTATED
    generator: Use = Field(
        description="the generator and its config, such as {use: auto, with: {checkpoint: FILE}}"
    )
    teacher: Use | None = Field(default=None, description="the segmentation scorer to compare with, if any")
    extractor: ExtractorSection = ExtractorSection()
    training: TrainingSection = TrainingSection()
    device: Device = "auto"
    precision: Precision = "auto"
    checks: bool = Field(default=True, description="check the plugins on a few pictures first")

    def as_data(self) -> dict[str, Any]:
        """Return plain data, as in a config file."""
        return self.model_dump(mode="json", by_alias=True)


class SegmentConfig(AnnotateConfig):
    """The config of a segmentation folder."""

    teacher: Use = Field(
        description="the segmentation scorer whose labels are learnt, and its config, "
        'such as {use: segmentation, with: {checkpoint: "bundled:rooms"}}'
    )

    @model_validator(mode="after")
    def _fits(self) -> SegmentConfig:
        if self.training.layerwise_loss and self.extractor.head == "NSE-2":
            raise ValueError("training.layerwise_loss needs LSE or NSE-1: strata of NSE-2 say nothing alone")
        if self.training.method != "gradient" and self.training.layerwise_loss:
            raise ValueError(
                f"training.layerwise_loss is for training.method gradient, not {self.training.method}"
            )
        if self.training.method != "gradient" and self.training.learning_rate != RATE:
            raise ValueError(
                f"training.learning_rate is for training.method gradient, not {self.training.method}"
            )
        if self.extractor.kernel != 1 and self.extractor.head != "NSE-1":
            raise ValueError(f"extractor.kernel is for NSE-1, not {self.extractor.head}")
        if self.extractor.layer_weights == "softplus" and self.extractor.head == "NSE-2":
            raise ValueError("extractor.layer_weights softplus is for LSE and NSE-1, not NSE-2")
        if self.training.method != "gradient" and self.extractor.head != "LSE":
            raise ValueError(f"training.method {self.training.method} is for LSE, not {self.extractor.head}")
        if self.training.method != "gradient" and self.extractor.layer_weights == "softplus":
            raise ValueError(
                f"extractor.layer_weights softplus is learnt by gradient; with training.method "
                f"{self.training.method}, which weighs each channel itself, set it to equal"
            )
        return self
