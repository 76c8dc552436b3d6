"""The dice explorer: what follows a beginning by counting, by the true dice, and by the small GPT.

The browser has everything: Tinytown's dice, the counted stories and the GPT's weights travel to it once, and
``tinytown.js`` walks, counts and reads there, without a kernel.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import traitlets

from helpers import plots, sampling, tinytown
from helpers.explorers import base
from helpers.ngrams import NGram
from helpers.tinytown import END, WordTokenizer, World, parse
from helpers.transformer import GPT

MAX_ORDER = 5
SHOWN = 8  # words with bars
SERIES = {"counted": "counts", "true": "truth", "GPT": "probabilities"}  # name -> role, that is, colour


def script_with_tinytown(name: str) -> str:
    """The JavaScript of the explorer `name`, with ``tinytown.js`` and ``shared.js`` in front of it."""
    text = {
        file: (base.HERE / f"{file}.js").read_text(encoding="utf-8") for file in ("shared", "tinytown", name)
    }
    names = ", ".join(base._EXPORTED.findall(text["tinytown"]))
    module = (
        f"const tinytown = (() => {{\n{base._EXPORT.sub('', text['tinytown'])}return {{ {names} }};\n}})();\n"
    )
    own = re.sub(
        r'^(import) (\{[^}]*\}) from "\./tinytown\.js";$', r"const \2 = tinytown;", text[name], flags=re.M
    )
    return base.bundled(text["shared"], module + own)


class _Asked(dict):
    """A mapping that remembers which of its names were asked for."""

    def __init__(self, *given):
        super().__init__(*given)
        self.names: list[str] = []

    def __getitem__(self, name):
        if name not in self.names:
            self.names.append(name)
        return super().__getitem__(name)


def world_data(world: World) -> dict[str, Any]:
    """A world as plain data: its dice, and for every worked-out word a table of all its answers.

    >>> coin = World({"start": {"[side as up] is {next to up}": 1}, "side": {"heads": 3, "tails": 1}},
    ...              {"next to up": lambda seen: seen["up"] + "ish"}, start="start")
    >>> world_data(coin)["worked_out"]
    {'next to up': {'from': ['up'], 'words': {'heads': 'headsish', 'tails': 'tailsish'}}}
    """
    worked_out: dict[str, dict[str, Any]] = {}
    for text in (face for faces in world.dice.values() for face in faces):
        symbols = parse(text)
        remembered = {
            symbol.remember: list(world.dice[symbol.value]) for symbol in symbols if symbol.remember
        }
        for symbol in symbols:
            if symbol.kind == "recall" and symbol.value in world.worked_out:
                rule = world.worked_out[symbol.value]
                asked = _Asked({name: faces[0] for name, faces in remembered.items()})
                rule(asked)
                cases: list[tuple[str, ...]] = [()]
                for name in asked.names:
                    cases = [(*case, face) for case in cases for face in remembered[name]]
                table = worked_out.setdefault(symbol.value, {"from": asked.names, "words": {}})
                table["words"] |= {
                    " ".join(case): rule(dict(zip(asked.names, case, strict=True))) for case in cases
                }
    return {
        "dice": [[name, [list(side) for side in sides.items()]] for name, sides in world.dice.items()],
        "worked_out": worked_out,
        "start": world.start[0].value,
    }


def corpus_data(corpus: Sequence[Sequence[str]], ids: Mapping[str, int]) -> bytes:
    """The stories as one row of ids, two bytes each (little-endian), with ``<end>`` after every story.

    >>> list(corpus_data([["the", "fox"], ["the"]], {"<end>": 1, "the": 2, "fox": 3}))
    [2, 0, 3, 0, 1, 0, 2, 0, 1, 0]

    Raises ValueError for a word without an id.
    """
    try:
        row = [ids[word] for story in corpus for word in (*story, END)]
    except KeyError as error:
        raise ValueError(
            f"every word of the corpus must be one of the tokenizer's {len(ids)}, got {error.args[0]!r}; "
            "take tinytown.stories"
        ) from None
    return np.array(row, dtype="<u2").tobytes()


def weights_data(model: GPT) -> tuple[bytes, list[list[Any]]]:
    """The weights of a GPT as float32 (little-endian), one after the other, and [name, how many] of each.

    Raises ValueError for a model with parts that the browser has not: it knows GPT-2's.
    """
    config = model.config
    parts = (config.norm, config.positions, config.mlp, config.kv_heads, config.tied)
    if parts != ("layernorm", "learned", "gelu", config.n_heads, True):
        raise ValueError(
            f"the browser's GPT must have layernorm, learned positions, gelu, as many key as query heads and a "
            f"tied table, got {parts}; take the one of pretrained.load_tinytown"
        )
    weights = {name: weight.detach().cpu().numpy() for name, weight in model.state_dict().items()}
    # float32: as float16 the odds would be off by up to 0.004; as it is, by less than 0.00001.
    flat = np.concatenate([weight.ravel() for weight in weights.values()]).astype("<f4")
    return flat.tobytes(), [[name, weight.size] for name, weight in weights.items()]


def top_words(odds: Sequence[Mapping[str, float] | None], most: int = SHOWN) -> list[str]:
    """The words that any of the series thinks most likely, best first.

    >>> top_words([{"sky": 0.7, "sea": 0.3}, None, {"sea": 0.1, "hen": 0.5}], most=2)
    ['sky', 'hen']
    """
    best: dict[str, float] = {}
    for series in odds:
        for word, p in (series or {}).items():
            best[word] = max(p, best.get(word, 0.0))
    return sorted(best, key=lambda word: -best[word])[:most]


class Dice(base.Explorer):
    """What follows a beginning: counted, by the true dice, and by the GPT; and rolling words from each.

    `corpus` are the stories that are counted (``tinytown.stories``), `model` and `tokenizer` come from
    ``pretrained.load_tinytown``. `order` and `prefix` are where it starts; both move in the browser.
    Raises ValueError for an order that is not from 1 to 5, and for words that Tinytown lacks.
    """

    _esm = script_with_tinytown("dice")
    _css = base.style("dice")
    shown = ("order", "prefix", "rolled")

    world = traitlets.Dict().tag(sync=True)
    vocabulary = traitlets.List().tag(sync=True)
    corpus = traitlets.Bytes().tag(sync=True)  # uint16 ids, <end> after every story
    stories = traitlets.Int().tag(sync=True)  # how many
    config = traitlets.Dict().tag(sync=True)  # of the GPT
    sizes = traitlets.List().tag(sync=True)  # [name, size] of its weights, in their order
    weights = traitlets.Bytes().tag(sync=True)  # float32
    order = traitlets.Int(2).tag(sync=True, echo_update=False)
    prefix = traitlets.Unicode("").tag(sync=True, echo_update=False)  # what the learner typed
    rolled = traitlets.List().tag(
        sync=True, echo_update=False
    )  # [word, series, probability, order], what the dice gave after it
    roll_from = traitlets.Unicode("true").tag(sync=True, echo_update=False)  # one of SERIES
    seed = traitlets.Int(1).tag(sync=True, echo_update=False)

    def __init__(
        self,
        corpus: Sequence[Sequence[str]],
        model: GPT,
        tokenizer: WordTokenizer,
        order: int = 2,
        prefix: str = "once there was a",
    ):
        if order not in range(1, MAX_ORDER + 1):
            raise ValueError(
                f"order must be a whole number from 1 to {MAX_ORDER}, got {order}; 2 counts pairs"
            )
        self._tokenizer = WordTokenizer()  # a strict one: it names the words that Tinytown lacks
        self._counts = NGram(MAX_ORDER).count(corpus)
        self._read = model.reader()
        weights, sizes = weights_data(model)
        super().__init__(
            world=world_data(tinytown.TINYTOWN),
            vocabulary=list(tokenizer.vocabulary),
            corpus=corpus_data(corpus, tokenizer.ids),
            stories=len(corpus),
            config=asdict(model.config),
            sizes=sizes,
            weights=weights,
            order=order,
            prefix=prefix,
        )

    def words(self) -> list[str]:
        """The words so far, typed and rolled. Raises ValueError for one that Tinytown lacks."""
        return self._tokenizer.tokens(self.prefix) + [word for word, *_ in self.rolled]

    def odds(self) -> dict[str, dict[str, float] | None]:
        """The probability of each next word in each series; None where a series has nothing to say."""
        words = self.words()
        if END in words:
            return dict.fromkeys(SERIES)
        odds: dict[str, dict[str, float] | None] = dict.fromkeys(SERIES)
        odds["counted"] = self._counts.shorter(self.order).distribution(words) or None
        with contextlib.suppress(ValueError):  # no story begins so: the dice have no say
            odds["true"] = tinytown.next_word_distribution(words)
        with contextlib.suppress(ValueError):  # too long for it
            logits = self._read([self._tokenizer.start_id, *(self._tokenizer.ids[word] for word in words)])
            learned = sampling.temperature_softmax(logits)
            odds["GPT"] = dict(zip(self._tokenizer.vocabulary, learned.tolist(), strict=True))
        return odds

    def _bars(self, most: int) -> tuple[str, list[str], dict[str, list[float]]]:
        """A title, the words with bars, and the bars of every series that has something to say."""
        odds = self.odds()
        labels = top_words(list(odds.values()), most)
        series = {
            f"counted (order {self.order})" if name == "counted" else name: [
                np.nan if name == "counted" and table is None else (table or {}).get(label, 0.0)
                for label in labels
            ]
            for name, table in odds.items()
            if table is not None or name == "counted"
        }
        words = " ".join(self.words())
        return f"After {shortened(words)!r}" if words else "At the start of a story", labels, series

    def describe(self) -> str:
        title, labels, series = self._bars(4)
        if not labels:
            return f"{title} the story has ended: nothing follows."
        said = {name: values for name, values in series.items() if not np.isnan(values).any()}
        silent = (
            ""
            if len(said) == len(series)
            else f" Counting (order {self.order}) never saw that: it has nothing to say."
        )
        return plots.describe_bars(title, labels, said) + silent

    def picture(self) -> bytes:
        title, labels, series = self._bars(SHOWN)
        roles = {name: SERIES[name.split(" ")[0]] for name in series}
        if not labels:
            return plots.png(plots.plot_chips([*self.words()][-30:], title="A story that has ended").figure)
        return plots.png(plots.plot_bars(labels, series, roles=roles, title=title).figure, dpi=150)


def shortened(text: str, most: int = 60) -> str:
    """The end of a long text, with dots for what came before.

    >>> shortened("one two three", most=10)
    '… two three'
    """
    return text if len(text) <= most else "… " + text[-most:][text[-most:].find(" ") + 1 :]
