"""Write the card of an encoder: what it is, how it was trained, and how good it is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from ...runs.progress import duration
from .encoder import Encoder
from .learn import COLUMNS
from .quality import in_words

SHOWN = ("pictures", "loss", "held-out latent error", "held-out PSNR", "held-out PSNR of real pictures")


def card_of(encoder: Encoder, rows: Sequence[Sequence[float]], name: str, data: bytes) -> str:
    """Return the card as Markdown.

    Args:
        encoder: the encoder.
        rows: rows of the log of its training.
        name: name of its file.
        data: content of its file.
    """
    a, made, facts = encoder.architecture, encoder.made_for, encoder.facts
    request, real = facts["request"], facts["real pictures"]
    weights = ", ".join(f"{key} {value:g}" for key, value in request["weights"].items() if value)
    if not facts["perceptual"]:
        weights = weights.replace(f"perceptual {request['weights']['perceptual']:g}, ", "")
    table = [
        ("file", f"`{name}`, {len(data) / 2**20:.2f} MiB, float16 safetensors"),
        ("sha256", f"`{hashlib.sha256(data).hexdigest()}`"),
        ("parameters", f"{facts['parameters']:,}"),
        ("generator", f"{made.family}, {made.resolution}, fingerprint `{made.fingerprint}`"),
        ("codes", f"space {a.space}, {a.rows} of {a.values} numbers"),
        ("network", f"residual pyramid `{a.size}`, a base and a change per layer"),
        ("learnt from", f"{facts['pictures']:,} pictures in steps of {request['batch']}"),
        ("real pictures", f"{real['count']:,} of {real['from']}" if real["count"] else "none"),
        ("weights of the loss", weights),
        ("perceptual distance", facts["perceptual"] or "none"),
        ("learning rate", f"{request['learning_rate']:g}, Adam, one cosine"),
        ("seed", f"{request['seed']}"),
        ("training time", duration(facts["seconds"])),
    ]
    lines = [f"# {name.removesuffix('.safetensors')}", ""]
    lines += ["Answers a picture with codes of its generator at once.", ""]
    lines += ["|  |  |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in table), ""]
    lines += ["## Quality", ""]
    lines += [f"- {sentence[0].upper()}{sentence[1:]}." for sentence in in_words(facts["quality"])]
    lines += ["", "## Training", "", f"| {' | '.join(SHOWN)} |", f"|{' --- |' * len(SHOWN)}"]
    places = [COLUMNS.index(column) for column in SHOWN]
    for row in rows:
        cells = ["" if math.isnan(row[i]) else f"{row[i]:,.0f}" if not i else f"{row[i]:.3f}" for i in places]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "## Limits",
        "",
        "It is for pictures like those of its generator, and of the folder if there was one. Of any other "
        "picture it makes the codes of the nearest such picture, or worse; a search that starts there helps.",
    ]
    return "\n".join(lines) + "\n"
