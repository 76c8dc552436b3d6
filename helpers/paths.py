"""The path of a word's vector through a model, on a map with two sides, and the words that pull it.

The vector of ``bank`` begins as the same numbers in every text. Each block adds to it what its attention takes from
the words it may see, and what its feed-forward network makes of that. This module puts a number on every stage:

1. The map: ``sense_axis``, ``place``. One direction tells two senses of the word apart: from the mean vector of
   sentences with the first sense to the mean vector of those with the second. Where the vector stands along it is
   its place: -1 is where the first sense's mean stands in one chosen block, +1 the second's, 0 is the middle
   between the two, taken anew after each block. The direction stays the same in all blocks, so that a path is the
   sum of its steps.
2. Is the map true? ``leave_one_out``, ``share_right``: each sentence is placed by a map made without it.
3. The steps: ``word_steps`` cuts what a block adds into one part for each token, one for the feed-forward network and
   a rest; ``vectors_without`` runs the word through the blocks without what one token gives it. ``word_pulls`` says how
   far both move the word on the map: what a token hands over, and what it changes in all.
4. Two texts side by side: ``Anchors``, ``PathReader``, ``compare``.

Why not the two directions in which the vectors differ most (principal components)? They show what every "bank" has in
common, its growing length above all; the two senses lie on top of each other there.

What this leaves out: what a word has handed on by way of another (a pull is what a word gives in that block, with all
that it has gathered itself before), and directions that were learned rather than taken from means.

Sources: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits" (the stream as a sum, and what one
position moves to another); Kobayashi et al. 2020, "Attention is Not Only a Weight" (weights times vectors, not weights
alone); Marks and Tegmark 2023, "The Geometry of Truth", section 5 (the difference of means as a direction).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Num

from helpers.attention import LONGEST, Model, _ids, _label, _numbers, layer_cosines, word_index
from helpers.senses import APPLE_COMPANY, APPLE_FRUIT, MONEY_BANK, RIVER_BANK, Sense

if TYPE_CHECKING:
    import helpers.tokenization

KEPT = 12  # texts that a reader remembers
CLOSE = 0.05  # of the map: nearer to the middle than this is no decision

# Tinytown knows only its own words, and only one of the two whose clue stands before them.
TINYTOWN_BANKS = (
    Sense(
        "bank",
        "river",
        clue_before=(
            "hello , my name is tom . i live by the hill . i walked along the bank",
            "hello , my name is mia . i live by the lake . i walked along the bank",
            "hello , my name is ravi . i live by the road . i walked along the bank",
            "once there was a red fox by the river . the fox swam to the bank",
            "once there was a black hen by the mill . the hen swam to the bank",
        ),
        clue_after=(),
    ),
    Sense(
        "bank",
        "money",
        clue_before=(
            "hello , my name is tom . i live by the hill . i took my money to the bank",
            "hello , my name is mia . i live by the lake . i took my gold to the bank",
            "hello , my name is ravi . i live by the road . i took my money to the bank",
            "hello , my name is anna . i live by the river . i took my coins to the bank",
            "hello , my name is sam . i live by the mill . i took my money to the bank",
        ),
        clue_after=(),
    ),
)


# ---------------------------------------------------------------------------------------------
# 1. The map.


class SenseAxis(NamedTuple):
    """A direction that tells two senses of a word apart, and the middle between them after each block."""

    layer: int  # the blocks that were done where the direction was taken: there the means stand at -1 and +1
    direction: Float[np.ndarray, " d_model"]
    middle: Float[np.ndarray, " layer_plus_1"]  # of the two means, along the direction


def sense_axis(
    a: Num[np.ndarray, "text_a layer_plus_1 d_model"],
    b: Num[np.ndarray, "text_b layer_plus_1 d_model"],
    layer: int | None = None,
) -> SenseAxis:
    """The map made of a word's vectors in two groups of sentences, one for each sense.

    ``layer`` says after how many blocks the direction is taken; ``None`` is half of the model, where the sense is
    known and the next word is not yet being prepared.

    >>> river = np.array([[[0.0, 1.0], [3.0, 5.0]]])  # one sentence, a start and one block, two numbers
    >>> money = np.array([[[0.0, 1.0], [7.0, 5.0]]])
    >>> axis = sense_axis(river, money, layer=1)
    >>> axis.direction, axis.middle  # 4 apart and 2 on the map; the middle of 3 and 7, halved
    (array([0.5, 0. ]), array([0. , 2.5]))
    >>> place(axis, river), place(axis, money)
    (array([[ 0., -1.]]), array([[0., 1.]]))

    Raises ValueError for groups that don't fit each other, a layer that is not there, and two means that are equal.
    """
    a, b = _group(a), _group(b)
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"both groups must have the same layers and width, got {list(a.shape)} and {list(b.shape)}; take one model"
        )
    n_layers = a.shape[1] - 1
    layer = n_layers // 2 if layer is None else layer
    if isinstance(layer, bool) or layer not in range(n_layers + 1):
        raise ValueError(
            f"layer must be from 0 to {n_layers} for these vectors, got {layer!r}; 0 is the start"
        )
    means = a.mean(0), b.mean(0)
    apart = means[1][layer] - means[0][layer]
    size = np.linalg.norm(apart)
    if size <= 1e-6 * np.abs(means).max():
        raise ValueError(
            f"the two senses must differ after block {layer}, got the same mean vector; take a later block"
        )
    direction = 2 * apart / size**2
    return SenseAxis(int(layer), direction, (means[0] + means[1]) / 2 @ direction)


def _group(vectors) -> Float[np.ndarray, "text layer_plus_1 d_model"]:
    vectors = _numbers("vectors", vectors, 3).astype(np.float64)
    if vectors.ndim != 3:
        raise ValueError(
            f"vectors must be [text, layer, d_model], got the shape {list(vectors.shape)}; sense_vectors gives them"
        )
    return vectors


def place(
    axis: SenseAxis, vectors: Num[np.ndarray, "*text layer_plus_1 d_model"]
) -> Float[np.ndarray, "*text layer_plus_1"]:
    """Where a word stands after each block: below 0 nearer to the first sense, above 0 nearer to the second.

    Raises ValueError for vectors of another model.
    """
    vectors = _numbers("vectors", vectors, 2).astype(np.float64)
    if vectors.shape[-2:] != (len(axis.middle), len(axis.direction)):
        raise ValueError(
            f"vectors must be [layer, d_model] = {[len(axis.middle), len(axis.direction)]} for this map, got "
            f"{list(vectors.shape)}; take the model that the map was made with"
        )
    return vectors @ axis.direction - axis.middle


# ---------------------------------------------------------------------------------------------
# 2. Is the map true?


class Places(NamedTuple):
    """Where the sentences of two senses stand, each on a map that was made without it."""

    a: Float[np.ndarray, "text_a layer_plus_1"]
    b: Float[np.ndarray, "text_b layer_plus_1"]


def leave_one_out(
    a: Num[np.ndarray, "text_a layer_plus_1 d_model"],
    b: Num[np.ndarray, "text_b layer_plus_1 d_model"],
    layer: int | None = None,
) -> Places:
    """The place of each sentence on the map that all the others make: it can't have helped to draw its own.

    >>> river = np.array([[[0.0], [2.0]], [[0.0], [4.0]]])
    >>> money = np.array([[[0.0], [7.0]], [[0.0], [9.0]]])
    >>> leave_one_out(river, money, layer=1).a[0]  # 2 on a map where 4 is at -1 and 8 at +1
    array([ 0., -2.])

    Raises ValueError for less than two sentences in a group, and as ``sense_axis`` does.
    """
    a, b = _group(a), _group(b)
    if min(len(a), len(b)) < 2:
        raise ValueError(
            f"each group must hold at least two sentences, got {len(a)} and {len(b)}; one is always left out"
        )
    return Places(
        np.stack([place(sense_axis(np.delete(a, i, axis=0), b, layer), a[i]) for i in range(len(a))]),
        np.stack([place(sense_axis(a, np.delete(b, i, axis=0), layer), b[i]) for i in range(len(b))]),
    )


def share_right(
    a: Num[np.ndarray, "text_a layer_plus_1"], b: Num[np.ndarray, "text_b layer_plus_1"]
) -> Float[np.ndarray, " layer_plus_1"]:
    """How many of the sentences stand on their own side after each block, from 0 to 1; a guess gives 1/2.

    A place within 0.05 of the middle is no decision and counts half.

    >>> share_right(np.array([[0.0, -0.5], [0.0, 0.3]]), np.array([[0.01, 0.2]]))
    array([0.5       , 0.66666667])

    Raises ValueError for tables with different layers.
    """
    a, b = _numbers("places", a, 2), _numbers("places", b, 2)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(
            f"both must be [text, layer] with the same layers, got {list(a.shape)} and {list(b.shape)}; "
            "leave_one_out gives them"
        )
    own_side = np.concatenate([-a, b])
    return np.where(np.abs(own_side) < CLOSE, 0.5, own_side > 0).mean(0)


# ---------------------------------------------------------------------------------------------
# 3. The steps, and who pulls.


class Steps(NamedTuple):
    """What each block adds to a word's vector, cut into parts: tokens, feed-forward network and rest are the step."""

    labels: list[str]  # the tokens of the text
    at: int  # which of them is the word, counted from 0
    residual: Float[np.ndarray, "layer_plus_1 d_model"]  # [0] before the first block, [i] after the i-th
    tokens: Float[np.ndarray, "layer token d_model"]  # what attention takes from each token, over all heads
    heads: Float[np.ndarray, "layer head d_model"]  # the same by heads, over all tokens
    feed_forward: Float[np.ndarray, "layer d_model"]
    rest: Float[np.ndarray, "layer d_model"]  # constants; where the model norms its stream, what that changes
    weights: Float[np.ndarray, "layer head token"]  # of attention: how much the word looks at each token
    found: Float[np.ndarray, "layer head d_head"]  # what each head found, before the output matrix
    keys: Float[
        np.ndarray, "layer kv_head seen d_head"
    ]  # of the tokens that the word can see; a GPT's are turned
    values: Float[np.ndarray, "layer kv_head seen d_head"]


class Usual(NamedTuple):
    """What the word gets in each block, on average over both senses; along the direction of a map but for `found`."""

    heads: Float[np.ndarray, "layer head"]
    feed_forward: Float[np.ndarray, " layer"]
    rest: Float[np.ndarray, " layer"]
    found: Float[np.ndarray, "layer head d_head"]


class Pulls(NamedTuple):
    """Who pulls a word where on a map; below 0 towards the first sense.

    What is handed over directly adds up: ``path[i + 1] - path[i]`` is the sum of ``tokens[i]``, ``feed_forward[i]`` and
    ``rest[i]``, blocks counted from 0. What a token changes in all includes what the feed-forward networks make of
    it; words work together, so that these do not add up.
    """

    labels: list[str]
    at: int
    path: Float[np.ndarray, " layer_plus_1"]
    tokens: Float[np.ndarray, "layer token"]
    feed_forward: Float[np.ndarray, " layer"]
    rest: Float[np.ndarray, " layer"]  # 0 in a GPT; in an encoder what its norms change
    looks: Float[np.ndarray, "layer token"]  # attention weights of the word, mean over the heads
    changed: Float[np.ndarray, "layer_plus_1 token"]  # the path, less the path without what the token gives


def word_steps(model: Model, tokenizer: "helpers.tokenization.Tokenizer", text: str, word: str) -> Steps:
    """What each block adds to the vector of a word, in parts that sum to the step.

    Attention is a weighted mean, so that it falls apart by tokens: each head's weight times the value of that token,
    through the output matrix, summed over the heads. A GPT's stream is a plain sum. An encoder's is normed after
    each sum (*post-norm*): a norm with the scale that it had in this text is linear, so each part goes through it,
    and what it does to the vector that was there before is the rest.

    Raises ValueError as ``word_index`` and ``read`` do, and for a text of more than 48 tokens.
    """
    return all_steps(model, tokenizer, [text], word)[0]


def all_steps(
    model: Model,
    tokenizer: "helpers.tokenization.Tokenizer",
    texts: Sequence[str],
    word: str,
) -> list[Steps]:
    """``word_steps`` of several texts; a GPT reads them at once, in a third of the time.

    Raises ValueError as ``word_steps`` does.
    """
    import torch

    from helpers.transformer import GPT

    if isinstance(texts, str) or not len(texts):
        raise ValueError(
            f"texts must be a list of at least one string, got {texts!r}; try ['The River Bank']"
        )
    placed = [_place_of(model, tokenizer, text, word) for text in texts]
    found: list[Steps] = []
    # An encoder looks both ways and would see the padding: it is quick, and reads one text after the other.
    blocks, through = (
        ([placed], _through_gpt) if isinstance(model, GPT) else ([[one] for one in placed], _through_encoder)
    )
    for block in blocks:
        ids = np.zeros((len(block), max(seen for _, _, seen in block)), dtype=np.int64)
        for row, (_, own, seen) in zip(ids, block, strict=True):
            row[:seen] = own[:seen]  # behind it stands padding, which a GPT's word can't see
        with torch.inference_mode():  # the parts are called one by one, and none of them drops anything out
            at = torch.tensor([at for at, _, _ in block], device=model.device)
            start, *parts = through(model, torch.from_numpy(ids).to(model.device), at)
            parts = [np.stack([_plain(part) for part in layer], axis=1) for layer in zip(*parts, strict=True)]
        found += [
            _as_steps(tokenizer, one, *numbers)
            for one, *numbers in zip(block, _plain(start), *parts, strict=True)
        ]
    return found


def _as_steps(
    tokenizer, placed, start, after, tokens, heads, feed_forward, weights, found, keys, values
) -> Steps:
    """The parts of one text, without its padding and with zeros for what the word can't see."""
    at, ids, seen = placed
    unseen = len(ids) - seen
    tokens, residual = tokens[:, :seen], np.concatenate([start[None], after])
    return Steps(
        [_label(tokenizer, int(token)) for token in ids],
        at,
        residual,
        np.pad(tokens, ((0, 0), (0, unseen), (0, 0))),
        heads,
        feed_forward,
        np.diff(residual, axis=0) - tokens.sum(axis=1) - feed_forward,
        np.pad(weights[:, :, :seen], ((0, 0), (0, 0), (0, unseen))),
        found,
        keys[:, :, :seen],
        values[:, :, :seen],
    )


def _place_of(model, tokenizer, text: str, word: str) -> tuple[int, np.ndarray, int]:
    """Where a word stands, the ids of its text, and how many of them can change it."""
    from helpers.sentences import SentenceEncoder
    from helpers.transformer import GPT

    if not isinstance(model, GPT | SentenceEncoder):
        raise ValueError(
            f"a model must be a GPT or a SentenceEncoder, got {type(model).__name__}, which has no blocks to follow a "
            "word through; python -m helpers.pretrained fetches the real ones"
        )
    at = word_index(tokenizer, text, word)
    ids = _ids(tokenizer.encode(text, special=True), model.config.vocab_size)
    longest = min(LONGEST, model.config.n_ctx)
    if len(ids) > longest:
        raise ValueError(
            f"a text must have at most {longest} tokens here, got {len(ids)}; take a shorter one"
        )
    return at, ids, len(ids) if isinstance(model, SentenceEncoder) else at + 1


def _plain(tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()


def _through_gpt(model, ids, at):
    """The word's vectors at the start, [batch, d_model]; then after each block, with the parts in the order of Steps."""
    import torch
    from einops import rearrange

    from helpers.transformer import attention_weights, causal_mask

    positions, rows = torch.arange(ids.shape[1], device=ids.device), torch.arange(len(ids), device=ids.device)
    mask = causal_mask(len(positions), len(positions), ids.device)
    x = model.embedding(ids)
    x = x + model.position_embedding(positions) if model.config.positions == "learned" else x
    yield x[rows, at]
    for block in model.blocks:
        queries, keys, values = _heads_gpt(block, x, positions)
        weights = attention_weights(queries, _for_all(keys, model.config), mask)
        all_values = _for_all(values, model.config)
        found = weights @ all_values
        output = block.attention.output
        x = x + output(rearrange(found, "batch head seq d -> batch seq (head d)"))
        added = block.mlp(block.mlp_norm(x))
        x = x + added
        looks = weights[rows, :, at]
        parts = _shared_out(output, looks, all_values)
        yield x[rows, at], *parts, added[rows, at], looks, found[rows, :, at], keys, values


def _heads_gpt(block, x, positions):
    """Queries, keys and values of every head that has them, [batch, head, seq, d_head], turned by their positions."""
    from einops import rearrange

    from helpers.transformer import rotate

    looking, config = block.attention, block.attention.config
    normed = block.attention_norm(x)
    queries, keys, values = (
        rearrange(linear(normed), "batch seq (head d) -> batch head seq d", d=config.d_head)
        for linear in (looking.query, looking.key, looking.value)
    )
    if config.positions == "rotary":
        queries, keys = (rotate(part, positions, config.rope_base) for part in (queries, keys))
    return queries, keys, values


def _for_all(shared, config):
    """Keys or values once for each query head: neighbouring heads share them."""
    return shared.repeat_interleave(config.n_heads // config.kv_heads, dim=-3)


def _through_encoder(model, ids, at):
    """The same for a sentence encoder, each part taken through the norms that follow it; one text without padding."""
    from einops import rearrange

    from helpers.transformer import attention_weights

    x = model.token_embedding(ids) + model.position_embedding.weight[: ids.shape[1]]
    x = model.embedding_norm(x + model.kind_embedding.weight[0])
    at = int(at)
    yield x[:, at]
    for block in model.encoder.layers:
        queries, keys, values = _heads_encoder(block, x)
        weights = attention_weights(queries, keys)
        found = weights @ values
        looked = rearrange(found, "batch head seq d -> batch seq (head d)")
        first, second, added, x = _after_looking(block, x, looked)
        given = (
            _normed(block.norm2, second[0, at], _normed(block.norm1, first[0, at], part))
            for part in _shared_out(block.self_attn.out_proj, weights[:, :, at], values)
        )
        added = _normed(block.norm2, second[0, at], added[:, at])
        yield x[:, at], *given, added, weights[:, :, at], found[:, :, at], keys, values


def _heads_encoder(block, x):
    import torch.nn.functional as F
    from einops import rearrange

    looking = block.self_attn
    return rearrange(
        F.linear(x, looking.in_proj_weight, looking.in_proj_bias),
        "batch seq (part head d) -> part batch head seq d",
        part=3,
        head=looking.num_heads,
    )


def _after_looking(block, x, looked):
    """The rest of an encoder's block: the sum before each norm, what the feed-forward network adds, the result."""
    import torch.nn.functional as F

    first = x + block.self_attn.out_proj(looked)
    between = block.norm1(first)
    added = block.linear2(F.gelu(block.linear1(between)))
    second = between + added
    return first, second, added, block.norm2(second)


def _shared_out(output, weights, values):
    """What attention adds, without its constant, by tokens [batch, token, d_model] and by heads [batch, head, d_model]."""
    import torch
    from einops import rearrange

    given = weights[..., None] * values  # [batch, head, token, d_head]
    by_token = rearrange(given, "batch head token d -> batch token (head d)")
    # Each head alone, with zeros in the place of the others.
    alone = torch.einsum("bhd,hk->bhkd", given.sum(2), torch.eye(given.shape[1]).to(given)).flatten(2)
    constant = output(torch.zeros_like(alone[:1, :1]))
    return output(by_token) - constant, output(alone) - constant


def _normed(norm, whole, parts):
    """Parts of a vector, as LayerNorm turns them with the scale that it has for the whole."""
    import torch

    scale = torch.sqrt(whole.var(correction=0) + norm.eps)
    return (parts - parts.mean(-1, keepdim=True)) / scale * norm.weight


def vectors_without(
    model: Model, steps: Steps, found: Float[np.ndarray, "layer head d_head"]
) -> Float[np.ndarray, "token layer_plus_1 d_model"]:
    """The word's vectors if it got, in place of what one token gives, what each head usually finds: for each token.

    ``found`` is the usual, ``Usual.found``. The word's queries follow from what it now is, the other tokens stay as
    they were. Where the token is the word itself, or one that it can't see, nothing is left out.

    Raises ValueError for steps of another model, and a usual that does not fit them.
    """
    import torch
    from einops import rearrange

    from helpers.transformer import GPT

    gpt, sizes = isinstance(model, GPT), model.config
    if steps.residual.shape != (sizes.n_layers + 1, sizes.d_model) or np.shape(found) != steps.found.shape:
        raise ValueError(
            f"steps must be of this model and the usual [layer, head, d_head] = {list(steps.found.shape)}, got vectors "
            f"{list(steps.residual.shape)} and a usual {list(np.shape(found))}; word_steps and usual give them"
        )
    seen, device = steps.keys.shape[2], model.device
    rows = (
        torch.from_numpy(steps.residual[0]).to(device).repeat(1, seen, 1)
    )  # one row for each token left out
    here, streams = torch.full((seen,), steps.at, device=device), [rows]
    with torch.inference_mode():
        for block, *parts in zip(
            model.blocks if gpt else model.encoder.layers, steps.keys, steps.values, found, strict=True
        ):
            keys, values, usual = (torch.from_numpy(part).to(device, torch.float32) for part in parts)
            own = [
                part[0] for part in (_heads_gpt(block, rows, here) if gpt else _heads_encoder(block, rows))
            ]
            if gpt:
                own[1:] = (_for_all(part, model.config) for part in own[1:])
                keys, values = (_for_all(part, model.config) for part in (keys, values))
            looked = rearrange(
                _look_without(*own, keys, values, steps.at, usual), "head row d -> 1 row (head d)"
            )
            if gpt:
                rows = rows + block.attention.output(looked)
                rows = rows + block.mlp(block.mlp_norm(rows))
            else:
                rows = _after_looking(block, rows, looked)[-1]
            streams.append(rows)
    vectors = np.stack([_plain(stream[0]) for stream in streams], axis=1)
    unseen = len(steps.labels) - seen
    return np.concatenate([vectors, np.repeat(vectors[steps.at : steps.at + 1], unseen, axis=0)])


def _look_without(queries, own_keys, own_values, keys, values, at: int, usual):
    """What each head finds, [head, row, d_head], where row i gets the usual in place of what token i gives."""
    import torch

    scores = queries @ keys.transpose(-2, -1)
    scores[:, :, at] = (queries * own_keys).sum(-1)  # each row looks at itself as it is now
    weights = (scores / queries.shape[-1] ** 0.5).softmax(-1)
    left_out = torch.diagonal(weights, dim1=1, dim2=2).clone()
    left_out[:, at] = 0
    itself = weights[:, :, at, None] * (own_values - values[:, at, None])
    weights = weights - torch.diag_embed(left_out)
    return weights @ values + itself + left_out[:, :, None] * usual[:, None]


def usual(axis: SenseAxis, a: Sequence[Steps], b: Sequence[Steps]) -> Usual:
    """What the word gets on average: the mean over the sentences of each sense, then of both senses."""

    def mean(part: str, on_map: bool = True) -> np.ndarray:
        groups = (np.mean([getattr(steps, part) for steps in group], axis=0) for group in (a, b))
        middle = sum(groups) / 2
        return middle @ axis.direction if on_map else middle

    return Usual(mean("heads"), mean("feed_forward"), mean("rest"), mean("found", on_map=False))


def pulls_on(
    steps: Steps,
    axis: SenseAxis,
    usual: Usual,
    without: Float[np.ndarray, "token layer_plus_1 d_model"],
) -> Pulls:
    """How far each part of each step moves the word on a map, and each token in all (``vectors_without``).

    What every text gives the word is no pull to either side, so that the usual is taken away: a token pulls by what
    a head finds there, less what that head finds on average, times the weight that it gives to the token.

    Raises ValueError for a map of another model.
    """
    path = place(axis, steps.residual)
    tokens = steps.tokens @ axis.direction - np.einsum("lht,lh->lt", steps.weights, usual.heads)
    feed_forward, rest = steps.feed_forward @ axis.direction, steps.rest @ axis.direction
    return Pulls(
        steps.labels,
        steps.at,
        path,
        tokens,
        feed_forward - usual.feed_forward,
        rest - usual.rest,
        steps.weights.mean(axis=1, dtype=np.float64),
        (path - place(axis, without)).T,
    )


# ---------------------------------------------------------------------------------------------
# 4. Two texts side by side.


@dataclass(frozen=True)
class Anchors:
    """Sentences of two senses of one word, and what a model does with the word in them: a map is made of these."""

    a: Sense
    b: Sense
    steps_a: Sequence[Steps]  # one for each of a.clue_before
    steps_b: Sequence[Steps]
    layer: int | None = None  # where the direction is taken; None: half of the model

    def __post_init__(self):
        if self.a.word.lower() != self.b.word.lower():
            raise ValueError(
                f"both senses must be of one word, got {self.a.word!r} and {self.b.word!r}; take a pair of helpers.senses"
            )
        for sense, steps in ((self.a, self.steps_a), (self.b, self.steps_b)):
            if len(sense.clue_before) != len(steps):
                raise ValueError(
                    f"there must be steps for each of the {len(sense.clue_before)} sentences about {sense.meaning}, "
                    f"got {len(steps)}; anchors_of gives them"
                )

    @cached_property
    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """The word's vectors in the sentences of each sense, [text, layer_plus_1, d_model]."""
        return tuple(np.stack([one.residual for one in steps]) for steps in (self.steps_a, self.steps_b))

    @cached_property
    def places(self) -> Places:
        """Where each sentence stands on the map that the others make."""
        return leave_one_out(*self.vectors, self.layer)

    def known(self, text: str) -> Steps | None:
        """The steps of a text that is one of the sentences, letter by letter."""
        for sense, steps in ((self.a, self.steps_a), (self.b, self.steps_b)):
            if text in sense.clue_before:
                return steps[sense.clue_before.index(text)]
        return None

    def map_without(self, text: str) -> tuple[SenseAxis, Usual]:
        """The map and the usual, made of all sentences but one that says the same as a text."""
        groups = [
            [one for said, one in zip(sense.clue_before, own, strict=True) if _said(said) != _said(text)]
            for sense, own in ((self.a, self.steps_a), (self.b, self.steps_b))
        ]
        axis = sense_axis(*(np.stack([one.residual for one in group]) for group in groups), self.layer)
        return axis, usual(axis, *groups)


def _said(text: str) -> list[str]:
    """The words of a text: capitals and full stops do not make it another."""
    return re.findall(r"\w+", text.lower())


def anchors_of(
    model: Model,
    tokenizer: "helpers.tokenization.Tokenizer",
    a: Sense,
    b: Sense,
    layer: int | None = None,
) -> Anchors:
    """The sentences of two senses whose clue stands before the word, read by a model: about 1 s for SmolLM2's 20.

    Raises ValueError as ``word_steps`` does.
    """
    read = (all_steps(model, tokenizer, sense.clue_before, sense.word) for sense in (a, b))
    return Anchors(a, b, *read, layer)


def word_pulls(
    model: Model, tokenizer: "helpers.tokenization.Tokenizer", text: str, anchors: Anchors
) -> Pulls:
    """Who pulls the word of the anchors where, block by block; the map is made without the text.

    Raises ValueError as ``word_steps`` does.
    """
    return _steps_and_pulls(model, tokenizer, text, anchors)[1]


def _steps_and_pulls(model, tokenizer, text: str, anchors: Anchors) -> tuple[Steps, Pulls]:
    word, (axis, middle) = anchors.a.word, anchors.map_without(text)
    steps = anchors.known(text) or word_steps(model, tokenizer, text, word)
    without = vectors_without(model, steps, middle.found)
    return steps, pulls_on(steps, axis, middle, without)


class Comparison(NamedTuple):
    """One word in two texts, after each block of a model."""

    word: str
    meanings: tuple[str, str]  # of the left side of the map, and of the right one
    texts: tuple[str, str]
    pulls: tuple[Pulls, Pulls]
    cosines: Float[np.ndarray, " layer_plus_1"]  # of the word's two vectors
    others: Places  # the sentences that the map is made of


def compare(
    model: Model,
    tokenizer: "helpers.tokenization.Tokenizer",
    anchors: Anchors,
    first: str,
    second: str,
) -> Comparison:
    """The paths of one word in two texts; each text is placed by a map made without it.

    Raises ValueError as ``word_steps`` does.
    """
    read = [_steps_and_pulls(model, tokenizer, text, anchors) for text in (first, second)]
    return _side_by_side(anchors, (first, second), read)


def _side_by_side(
    anchors: Anchors, texts: tuple[str, str], read: Sequence[tuple[Steps, Pulls]]
) -> Comparison:
    (one, _), (other, _) = read
    return Comparison(
        anchors.a.word,
        (anchors.a.meaning, anchors.b.meaning),
        texts,
        tuple(pulls for _, pulls in read),
        layer_cosines(one.residual, other.residual),
        anchors.places,
    )


class PathReader:
    """``reader(first, second)`` compares two texts that share a word with two senses: what ``SensePath`` asks.

    Its senses are those of ``helpers.senses``, or Tinytown's own where the tokenizer knows only Tinytown's words.
    The sentences behind a map are read when it is first needed, about 1 s a word for SmolLM2 on one core; what was
    worked out for a text is kept.
    """

    def __init__(self, model: Model, tokenizer: "helpers.tokenization.Tokenizer"):
        from helpers.tinytown import WordTokenizer

        self.model, self.tokenizer = model, tokenizer
        self._anchors: dict[str, Anchors] = {}
        self._read: dict[tuple[str, str], tuple[Steps, Pulls]] = {}  # of the last texts, by word and text
        senses, self.pairs = ((RIVER_BANK, MONEY_BANK), (APPLE_FRUIT, APPLE_COMPANY)), PAIRS
        if isinstance(tokenizer, WordTokenizer):
            senses = (TINYTOWN_BANKS,)
            self.pairs = tuple(zip(*(sense.clue_before[:2] for sense in TINYTOWN_BANKS), strict=True))
        self.senses = {a.word: (a, b) for a, b in senses}

    def __call__(self, first: str, second: str) -> Comparison:
        """Raises ValueError for texts without a word that both have, and as ``compare`` does."""
        word = self.word(first, second)
        anchors = self.anchors(word)
        for text in (first, second):
            if (word, text) not in self._read:
                self._read[word, text] = _steps_and_pulls(self.model, self.tokenizer, text, anchors)
        compared = _side_by_side(
            anchors, (first, second), [self._read[word, text] for text in (first, second)]
        )
        for old in list(self._read)[:-KEPT]:
            del self._read[old]
        return compared

    def word(self, first: str, second: str) -> str:
        """The word with two senses that stands in both texts."""
        for text in (first, second):
            if not isinstance(text, str):
                raise ValueError(f"a text must be a string, got {type(text).__name__}; try 'The River Bank'")
        shared = [word for word in self.senses if word in _said(first) and word in _said(second)]
        if len(shared) != 1:
            words = " or ".join(repr(word) for word in self.senses)
            raise ValueError(
                f"both texts must hold the same one of the words {words}, got {first[:40]!r} and {second[:40]!r}; "
                f"put {next(iter(self.senses))!r} into both"
            )
        return shared[0]

    def anchors(self, word: str) -> Anchors:
        """The sentences behind the map of a word, read once."""
        if word not in self.senses:
            raise ValueError(
                f"the word must be one of {', '.join(self.senses)}, got {word!r}; take the first"
            )
        if word not in self._anchors:
            self._anchors[word] = anchors_of(self.model, self.tokenizer, *self.senses[word])
        return self._anchors[word]


PAIRS: Sequence[tuple[str, str]] = (
    ("The River Bank", "The SBI Bank"),
    ("The River Bank", "ICICI Bank"),
    ("Please buy an apple and an orange", "apple unveiled the new phone"),
    ("The horse took a carrot and then the apple", "Steve Jobs came back to lead apple"),
    ("The bank was muddy after the flood", "The bank was accused of charging hidden fees"),
)
