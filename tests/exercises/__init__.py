"""Answers to the exercises, one module for each notebook: data for ``test_exercises.py``."""

from exercises import (
    attention,
    embeddings,
    finetuning,
    pixels,
    positions,
    sampling,
    start_here,
    tokenization,
    training,
    transformer,
    translation,
)

_MODULES = (
    start_here,
    tokenization,
    embeddings,
    positions,
    attention,
    transformer,
    training,
    sampling,
    finetuning,
    translation,
    pixels,
)


def _all(name):
    return {exercise: data for module in _MODULES for exercise, data in getattr(module, name).items()}


UNUSUAL, WRONG, INPUTS = _all("UNUSUAL"), _all("WRONG"), _all("INPUTS")
