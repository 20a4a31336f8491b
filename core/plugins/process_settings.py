"""Save and restore settings of the whole process that a plugin may change and that affect other results."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import torch

_SWITCHES: tuple[tuple[Any, str], ...] = (
    (torch.backends.cudnn, "enabled"),
    (torch.backends.cudnn, "benchmark"),
    (torch.backends.cudnn, "deterministic"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.mkldnn, "enabled"),
)


class ProcessSettings(NamedTuple):
    """Settings of the process.

    Attributes:
        dtype: default dtype of torch.
        device: default device of torch.
        threads: number of threads of torch.
        grad: whether torch records gradients.
        matmul: precision of float32 matrix products in torch.
        deterministic: whether torch uses deterministic algorithms only, and whether it only warns of others.
        libraries: switches of the libraries that convolve for torch; `benchmark`, which many set, lets cuDNN
            choose by speed, and so other numbers each time.
        anomaly: whether torch looks for the place of gradients that are not finite, which takes long.
        errors: numpy's handling of floating-point errors.
        folder: working directory; empty if it was removed.
    """

    dtype: torch.dtype
    device: torch.device
    threads: int
    grad: bool
    matmul: str
    deterministic: tuple[bool, bool]
    libraries: tuple[bool, ...]
    anomaly: bool
    errors: dict[str, Any]
    folder: str

    @classmethod
    def current(cls) -> ProcessSettings:
        """Return the settings now in force in this process and thread."""
        return cls(
            torch.get_default_dtype(),
            _default_device(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.get_float32_matmul_precision(),
            (
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            ),
            tuple(getattr(library, name) for library, name in _SWITCHES),
            torch.is_anomaly_enabled(),
            dict(np.geterr()),
            _folder(),
        )

    def restore(self) -> None:
        """Put the settings back into force."""
        now = ProcessSettings.current()
        if now == self:
            return
        if now.dtype != self.dtype:
            torch.set_default_dtype(self.dtype)
        if now.device != self.device:
            torch.set_default_device(None if self.device.type == "cpu" else self.device)
        if now.threads != self.threads:
            torch.set_num_threads(self.threads)
        if now.grad != self.grad:
            torch.set_grad_enabled(self.grad)
        if now.matmul != self.matmul:
            torch.set_float32_matmul_precision(self.matmul)
        if now.deterministic != self.deterministic:
            enabled, warn_only = self.deterministic
            torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        for (library, name), value, changed in zip(_SWITCHES, self.libraries, now.libraries, strict=True):
            if value != changed:
                setattr(library, name, value)
        if now.anomaly != self.anomaly:
            torch.autograd.set_detect_anomaly(self.anomaly)
        np.seterr(**self.errors)
        if now.folder != self.folder:
            with suppress(OSError):
                os.chdir(self.folder)


def _default_device() -> torch.device:
    try:
        return torch.get_default_device()
    except AttributeError:  # torch 2.6, once set_default_device(None) was called
        return torch.device("cpu")


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""
