"""Record what measured numbers of extractors stand on, the same way in every index of results."""

from __future__ import annotations

from collections.abc import Mapping

from ..storage.json_values import JsonObject
from .extractor import Extractor
from .subject import Subject


def record_of(subject: Subject, extractors: Mapping[str, Extractor]) -> JsonObject:
    """Return the entries of an index: generator, teacher, seed, extractors, and the provenance of all.

    Args:
        subject: generator and teacher, as they are now.
        extractors: extractors by the names that the results give them.

    Returns:
        Plain data. `extractors_sha256` has the SHA-256 of every extractor's file, None for one that is in no
        file. `changed_since_training` says what generator and teacher were when an extractor was trained,
        where that was something else.
    """
    card, teacher = subject.generator.card, subject.config.teacher
    return {
        "generator": subject.generator.fingerprint,
        "model": card.source,
        "family": card.family,
        "truncation": card.truncation,
        "teacher": None if teacher is None else teacher.use,
        "seed": subject.samples.seed,
        "extractors_sha256": {name: extractor.sha256 or None for name, extractor in extractors.items()},
        "changed_since_training": list(subject.differences),
        "provenance": subject.provenance.model_dump(mode="json"),
    }
