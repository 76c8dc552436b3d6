"""One text on its way through a model: the six stages that the whole course is about.

``tokens -> ids -> vectors -> positions -> attention -> probabilities``. Every notebook opens with the
same picture (``helpers.plots.plot_pipeline``) of the same text, and lights the part that it explains.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

SENTENCE = "look , the dog chases the"  # what the picture follows in every notebook


class Pipeline(NamedTuple):
    """What a model makes of one text, stage by stage."""

    tokens: Sequence[str]  # the text, cut into pieces
    ids: Sequence[int]  # one number a piece
    vectors: Float[np.ndarray, "seq d_model"]  # the embedding table's row of each id
    positions: Float[np.ndarray, "seq d_model"]  # what is added for the place in the text
    attention: Float[np.ndarray, "query key"]  # how much each piece takes from each; mean of a layer's heads
    next_words: Sequence[str]  # the most probable next pieces, best first
    next_probabilities: Sequence[float]


def follow(model, tokenizer, text: str = SENTENCE, n_next: int = 5, layer: int = -1) -> Pipeline:
    """The stages of `text` in a GPT with learned positions, as ``load_tinytown()`` gives it.

    `n_next` says how many next words are kept, `layer` whose attention is shown. The start token is read by
    the model and left out of the result. Raises ValueError for a text without a word, a model without learned
    positions, a layer that it lacks, and where tokenizer or model do.
    """
    import torch  # here, so that pictures of a pipeline can be drawn without torch

    if model.config.positions != "learned":
        raise ValueError(
            f"the picture needs a GPT with learned positions, got {model.config.positions!r}; take load_tinytown()"
        )
    layers = model.config.n_layers
    if not -layers <= layer < layers:
        raise ValueError(f"layer must be from 0 to {layers - 1}, or -1 for the last, got {layer}")
    if n_next < 1:
        raise ValueError(f"n_next must be 1 or more, got {n_next}; 5 fit the picture")
    ids = tokenizer.encode(text, special=True)
    if len(ids) < 2:
        raise ValueError(f"text must hold at least one token, got {text!r}; try {SENTENCE!r}")
    with torch.inference_mode():
        logits, trace = model(torch.tensor([ids]), trace=True)
        odds = logits[0, -1].softmax(-1).numpy()
        vectors = model.embedding.weight[ids[1:]].numpy()
        positions = model.position_embedding.weight[1 : len(ids)].numpy()
    best = np.argsort(-odds, kind="stable")[:n_next]
    return Pipeline(
        tokens=tokenizer.tokens(text),
        ids=ids[1:],
        vectors=vectors,
        positions=positions,
        attention=trace.attention[layer, 0].mean(0)[1:, 1:].numpy(),
        next_words=[tokenizer.decode([int(token)]) for token in best],
        next_probabilities=[float(odds[token]) for token in best],
    )
