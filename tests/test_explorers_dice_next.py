"""The dice explorer and the next-token explorer: what the browser computes, and what the kernel answers."""

import functools
import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pytest
import torch
from bundles import left_behind

from helpers import ngrams, pretrained, sampling, tinytown
from helpers.explorers.dice import Dice, corpus_data, shortened, top_words, weights_data, world_data
from helpers.explorers.next_token import NextToken
from helpers.tinytown import WordTokenizer
from helpers.transformer import GPT, GPTConfig

HERE = Path(__file__).parent.parent / "helpers" / "explorers"
CORPUS = tinytown.stories("train", 300)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Runs lines of JavaScript, with `given` and all of tinytown.js at hand, and gives back what they return."""
    if not shutil.which("node"):
        assert not os.environ.get("CI"), "the test machine must have Node: it runs what the browser runs"
        pytest.skip("needs Node (https://nodejs.org) to run what the browser runs")
    folder = tmp_path_factory.mktemp("js")
    (folder / "package.json").write_text('{"type": "module"}')
    for file in HERE.glob("*.js"):
        shutil.copy(file, folder)

    def run(lines, **given):
        files = {}
        for name, value in given.items():
            if isinstance(value, bytes):
                (folder / name).write_bytes(value)
                files[name] = f"new Uint8Array(fs.readFileSync({name!r}))"
            else:
                (folder / f"{name}.json").write_text(json.dumps(value))
                files[name] = f'JSON.parse(fs.readFileSync("{name}.json"))'
        script = 'import fs from "fs"; import * as js from "./tinytown.js";'
        script += 'import * as shared from "./shared.js";\nconst given = {'
        script += ", ".join(f"{name}: {reads}" for name, reads in files.items()) + "};\n"
        script += (
            "const answer = (() => {"
            + lines
            + "})();\nfs.writeFileSync('answer.json', JSON.stringify(answer));"
        )
        (folder / "run.js").write_text(script)
        done = subprocess.run(
            ["node", "run.js"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads((folder / "answer.json").read_text())

    return run


def beginnings(count, seed=0):
    """Beginnings of stories that nothing was counted in, some with one word changed to any other."""
    rng = np.random.default_rng(seed)
    words = WordTokenizer().vocabulary[3:]
    found = []
    for tale in tinytown.stories("test", count, seed):
        prefix = list(tale)[: rng.integers(0, len(tale) + 1)]
        if prefix and rng.random() < 0.3:
            prefix[rng.integers(len(prefix))] = str(rng.choice(words))
        found.append(prefix)
    return found


# --------------------------------------------------------------------------------------------- the world


def test_the_browser_knows_the_true_dice(node):
    prefixes = beginnings(300)
    answers = node(
        """const world = new js.World(given.world);
        return given.prefixes.map(prefix => {
          try { return [...world.next_word_distribution(prefix)]; } catch (error) { return error.message; }
        });""",
        world=world_data(tinytown.TINYTOWN),
        prefixes=prefixes,
    )
    refused = 0
    for prefix, answer in zip(prefixes, answers, strict=True):
        if isinstance(answer, str):
            with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole sentence is compared
                tinytown.next_word_distribution(prefix)
            assert answer == str(refusal.value)
            refused += 1
        else:
            odds = tinytown.next_word_distribution(prefix)
            assert [word for word, _ in answer] == list(odds)  # the order of ties too
            assert [p for _, p in answer] == pytest.approx(list(odds.values()), abs=1e-12)
    assert 20 < refused < 200  # both sides were tried


def test_the_browser_knows_every_sum(node):
    prefixes = [
        f"today the {who} says {a} and {b} is".split()
        for who in tinytown.DICE["speaker"]
        for a in tinytown.DICE["number"]
        for b in tinytown.DICE["number"]
    ]
    answers = node(
        "const world = new js.World(given.world);"
        "return given.prefixes.map(prefix => [...world.next_word_distribution(prefix)]);",
        world=world_data(tinytown.TINYTOWN),
        prefixes=prefixes,
    )
    for prefix, answer in zip(prefixes, answers, strict=True):
        assert answer == [[tinytown.add_numbers(prefix[2], prefix[4], prefix[6]), 1]]


# --------------------------------------------------------------------------------------------- counting


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_the_browser_counts_as_ngrams_does(node, order):
    tokenizer = WordTokenizer()
    model = ngrams.NGram(order).count(CORPUS)
    prefixes = beginnings(120, seed=order)
    answers = node(
        """const ids = new Map(given.vocabulary.map((word, id) => [word, id]));
        const model = new js.NGram(shared.shorts(given.corpus), given.vocabulary, ids);
        return given.prefixes.map(p => [[...model.counts(p, given.order)], [...model.distribution(p, given.order)]]);""",
        vocabulary=list(tokenizer.vocabulary),
        corpus=corpus_data(CORPUS, tokenizer.ids),
        prefixes=prefixes,
        order=order,
    )
    empty = 0
    for prefix, (counts, odds) in zip(prefixes, answers, strict=True):
        assert counts == [list(pair) for pair in model.counts(prefix).items()]  # the order of ties too
        assert dict(odds) == pytest.approx(model.distribution(prefix), abs=1e-12)
        empty += not counts
    assert (empty > 5) == (order > 2)  # there are contexts that were never seen


def test_a_corpus_of_unknown_words_is_refused():
    with pytest.raises(
        ValueError, match="every word of the corpus must be one of the tokenizer's 162, got 'zebra'"
    ):
        corpus_data([["the", "zebra"]], WordTokenizer().ids)


# --------------------------------------------------------------------------------------------- the GPT


@functools.cache
def small_gpt():
    return pretrained.load_tinytown()


def test_the_browsers_gpt_gives_the_models_odds(node):
    model, tokenizer = small_gpt()
    rng = np.random.default_rng(1)
    texts = [tokenizer.encode_story(prefix)[:-1] for prefix in beginnings(60, seed=9)]
    texts += [[0, *map(int, rng.integers(0, 162, rng.integers(0, 64)))] for _ in range(20)]  # up to 64 tokens
    weights, sizes = weights_data(model)
    answers = node(
        """const model = new js.GPT(given.config, given.sizes, shared.floats(given.weights));
        return given.texts.map(ids => { const logits = model.read(ids); return [[...logits], [...js.temperature_softmax(logits)]]; });""",
        config=asdict(model.config),
        sizes=sizes,
        weights=weights,
        texts=texts,
    )
    for ids, (logits, odds) in zip(texts, answers, strict=True):
        expected = model(torch.tensor([ids]))[0, -1].numpy()
        np.testing.assert_allclose(logits, expected, atol=1e-4)
        np.testing.assert_allclose(odds, sampling.temperature_softmax(expected), atol=1e-5)


def test_reading_on_from_what_is_remembered_changes_nothing(node):
    model, tokenizer = small_gpt()
    weights, sizes = weights_data(model)
    ids = tokenizer.encode("once there was a red fox by the river . the fox chased a", special=True)
    texts = [ids[:5], ids, ids[:7], [*ids[:6], 30, *ids[7:]], ids]
    fresh, kept = node(
        """const model = () => new js.GPT(given.config, given.sizes, shared.floats(given.weights));
        const one = model();
        return [given.texts.map(ids => [...model().read(ids)]), given.texts.map(ids => [...one.read(ids)])];""",
        config=asdict(model.config), sizes=sizes, weights=weights, texts=texts,
    )  # fmt: skip
    assert fresh == kept


def test_too_long_a_text_gets_the_models_sentence(node):
    model, _ = small_gpt()
    weights, sizes = weights_data(model)
    said = node(
        """const model = new js.GPT(given.config, given.sizes, shared.floats(given.weights));
        try { model.read(Array(65).fill(5)); } catch (error) { return error.message; }""",
        config=asdict(model.config), sizes=sizes, weights=weights,
    )  # fmt: skip
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the sentence is compared below
        model(torch.full((1, 65), 5))
    assert said == str(refusal.value)


# --------------------------------------------------------------------------------------------- words


def test_the_browser_cuts_words_as_the_tokenizer_does(node):
    texts = [
        "", "The fox.", "  once\tthere\nwas ", "a-b_c", "<end> <|x|> <start", "two+2=4!", "fox🦊hen", "naïve ÉCOLE",
        "आप कैसे हैं", "\x1c\x85a\u2028b\ufeffc", "<script>alert(1)</script>", "שלום fox", "don't", "x²½ ١٢",
    ]  # fmt: skip
    answers = node("return given.texts.map(text => js.tokens(text, new Map()).words);", texts=texts)
    for text, words in zip(texts, answers, strict=True):
        assert words == re.findall(r"<\|?\w+\|?>|\w+|[^\w\s]", text.lower()), text


def test_the_browser_finds_the_same_near_words(node):
    rng = np.random.default_rng(3)
    vocabulary = list(WordTokenizer().vocabulary)
    words = ["foks", "Fox", "hen", "blu", "riverr", "", "x" * 10000, "🦊", "applle", "teacherr", "wsa"]
    for _ in range(150):
        letters = list(str(rng.choice(vocabulary)))
        letters[rng.integers(len(letters))] = str(rng.choice(list("abcdefghij")))
        words.append("".join(letters))
    answers = node(
        "return given.words.map(word => js.get_close_matches(word, given.vocabulary));",
        words=words, vocabulary=vocabulary,
    )  # fmt: skip
    assert answers == [get_close_matches(word, vocabulary, n=3) for word in words]


# --------------------------------------------------------------------------------------------- dice in the browser


@pytest.mark.parametrize("temperature", [0, 0.05, 0.3, 1, 1.7, 5])
def test_temperature_and_entropy_are_exact_over_a_whole_vocabulary(node, temperature):
    logits = (np.random.default_rng(0).normal(size=49_152) * 6).astype(np.float32)
    odds, nats, best = node(
        """const p = js.temperature_softmax(shared.floats(given.logits), given.temperature);
        return [[...p], js.entropy(p), js.largest(p, 12)];""",
        logits=logits.tobytes(), temperature=temperature,
    )  # fmt: skip
    expected = sampling.temperature_softmax(logits, temperature)
    np.testing.assert_allclose(odds, expected, rtol=1e-9, atol=1e-300)
    assert nats == pytest.approx(sampling.entropy(expected), abs=1e-9)
    assert best == np.argsort(-expected, kind="stable")[:12].tolist()


def test_rolls_follow_the_odds_and_the_seed(node):
    first, again, other, counts = node(
        """const draw = (seed, n) => Array.from({length: n}, (_, i) => js.random(seed, i));
        const counts = [0, 0, 0, 0];
        for (const point of draw(7, 20000)) counts[js.roll([0.6, 0, 0.3, 0.1], point)]++;
        return [draw(1, 50), draw(1, 50), draw(2, 50), counts];"""
    )
    assert first == again != other
    assert all(0 <= point < 1 for point in first + other)
    assert len(set(first + other)) == 100
    shares = np.array(counts) / 20000
    np.testing.assert_allclose(shares, [0.6, 0, 0.3, 0.1], atol=4 * np.sqrt(0.24 / 20000))
    assert counts[1] == 0


def test_a_point_falls_on_the_face_that_sampling_says(node):
    odds = sampling.temperature_softmax(np.random.default_rng(5).normal(size=40) * 3)
    points = np.linspace(0, 1, 300, endpoint=False)
    edges = np.cumsum(odds)
    expected = np.searchsorted(edges, points * edges[-1], side="right").tolist()
    assert node("return given.points.map(point => js.roll(given.odds, point));",
                odds=odds.tolist(), points=points.tolist()) == expected  # fmt: skip


# --------------------------------------------------------------------------------------------- the dice explorer


@functools.cache
def dice():
    return Dice(CORPUS, *small_gpt())


@pytest.mark.parametrize("order", [1, 3, 5])
def test_all_three_series_and_the_words_shown_are_the_same_in_python(node, order):
    explorer = dice()
    prefixes = [*beginnings(25, seed=20), ["once", "<end>"], ["a"] * 70, []]
    answers = node(
        """const town = new js.Tinytown({...given.data, corpus: shared.shorts(given.corpus), weights: shared.floats(given.weights)});
        return given.prefixes.map(words => {
          const { odds, seen } = town.odds(words, given.order);
          return [Object.entries(odds).map(([name, table]) => [name, table && [...table]]), seen, js.top_words(Object.values(odds), 8)];
        });""",
        data={name: getattr(explorer, name) for name in ("world", "vocabulary", "config", "sizes")},
        corpus=explorer.corpus, weights=explorer.weights, prefixes=prefixes, order=order,
    )  # fmt: skip
    explorer.order = order
    try:
        for prefix, (series, seen, shown) in zip(prefixes, answers, strict=True):
            explorer.prefix = " ".join(prefix)
            odds = explorer.odds()
            assert [name for name, _ in series] == list(odds)
            for name, table in series:
                assert (table is None) == (odds[name] is None)
                assert dict(table or []) == pytest.approx(odds[name] or {}, abs=1e-5)
            assert shown == top_words(list(odds.values()))
            counts = explorer._counts.shorter(order).counts(prefix)
            assert seen == ("<end>" not in prefix) * sum(counts.values())
    finally:
        explorer.order, explorer.prefix = 2, "once there was a"


def test_the_dice_say_what_they_show():
    explorer = dice()
    assert repr(explorer).startswith("<Dice: After 'once there was a': counted (order 2) ")
    assert "true red 25 %" in repr(explorer)
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt
    assert "application/vnd.jupyter.widget-view+json" in data


def test_the_description_follows_and_an_unknown_word_is_said():
    explorer = Dice(CORPUS[:50], *small_gpt(), order=5, prefix="today the clown says two and two is")
    assert "true five 100 %" in explorer.alt
    explorer.prefix = "once there was a foxx"
    assert explorer.problem.startswith("every word must be one of Tinytown's 162, got 'foxx'; near it: fox")
    explorer.prefix = "fox"
    assert explorer.problem == ""
    assert explorer.alt.startswith("After 'fox': GPT ")  # no story begins so
    assert explorer.alt.endswith("Counting (order 5) never saw that: it has nothing to say.")
    explorer.prefix = "once <end>"
    assert "the story has ended" in explorer.alt
    assert explorer.picture().startswith(b"\x89PNG")
    explorer.prefix, explorer.rolled = "look , the", [["fox", "true", 0.16, 2]]
    assert explorer.alt.startswith("After 'look , the fox'")


def test_the_dice_explorer_refuses_what_it_can_not_show():
    with pytest.raises(ValueError, match="order must be a whole number from 1 to 5, got 6"):
        Dice(CORPUS[:5], *small_gpt(), order=6)
    with pytest.raises(ValueError, match="got 'zebra'"):
        Dice(CORPUS[:5], *small_gpt(), prefix="once there was a zebra")
    rotary = GPT(GPTConfig(vocab_size=162, n_ctx=8, n_layers=1, n_heads=2, d_model=8, positions="rotary"))
    with pytest.raises(ValueError, match="the browser's GPT must have layernorm, learned positions, gelu"):
        weights_data(rotary)


def test_the_end_of_a_long_text_is_cut_alike(node):
    texts = ["", "a b", "word " * 30, "x" * 200, "once there was " * 4 + "a", "a" * 60 + " b"]
    assert node("return given.texts.map(text => js.ending(text));", texts=texts) == [
        shortened(t) for t in texts
    ]


# --------------------------------------------------------------------------------------------- the next-token explorer


@pytest.fixture
def explorer():
    return NextToken(*pretrained.load_tinytown(lenient=True), text="once there was a red")


def test_an_answer_has_the_logits_of_the_whole_vocabulary(explorer):
    answer = explorer.ask(text="Once there was", chosen=[])
    model, tokenizer = small_gpt()
    expected = model(torch.tensor([tokenizer.encode("once there was", special=True)]))[0, -1].numpy()
    logits = np.frombuffer(answer["logits"], dtype="<f4")
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert answer["best"] == np.argsort(-logits, kind="stable")[:12].tolist()
    assert answer["pieces"] == [tokenizer.vocabulary[token] for token in answer["best"]]
    assert answer["prompt"] == ["<start>", "once", "there", "was"]
    assert answer["after"] == "Once there was"


def test_an_appended_token_is_read(explorer):
    fox = explorer._tokenizer.ids["fox"]
    answer = explorer.ask(text="once there was a red", chosen=[fox])
    assert answer["grown"] == ["fox"]
    assert answer["after"] == "once there was a red fox"
    assert answer["pieces"][0] == "by"
    whole = explorer.ask(text="once there was a red fox", chosen=[])
    logits = [np.frombuffer(one["logits"], dtype="<f4") for one in (answer, whole)]
    np.testing.assert_allclose(*logits, atol=1e-4)


def test_the_browser_makes_the_odds_of_python_from_an_answer(node, explorer):
    explorer.temperature = 0.6
    odds, nats = node(
        """const p = js.temperature_softmax(shared.floats(given.logits), 0.6);
        return [[...p], js.entropy(p)];""",
        logits=explorer.answer["logits"],
    )
    np.testing.assert_allclose(odds, explorer.odds(), atol=1e-9)
    assert nats == pytest.approx(sampling.entropy(explorer.odds()), abs=1e-9)


def test_bad_prompts_are_said_and_the_next_good_one_clears_it(explorer):
    long = explorer.ask(text="a " * 100, chosen=[])
    assert "logits" not in long
    assert explorer.problem == (
        "the text must have at most 64 tokens here, got 101; shorten it, or take tokens back"
    )
    for text in ("", "\x00\x1b", "שלום", "🦊", "<script>alert(1)</script>", "\ud800"):
        explorer.ask(text=text, chosen=[])
        assert explorer.problem == "", text
    explorer._tokenizer.encode = lambda text, special=False: []
    explorer.ask(text="", chosen=[])
    assert explorer.problem == "a prompt must have at least one token, got none; type a word"


def test_the_description_follows_text_tokens_and_temperature(explorer):
    assert explorer.alt.startswith("After 'once there was a red': tinytown fox ")
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == f"<NextToken: {explorer.alt}>"
    assert left_behind(data) == explorer.alt
    explorer.temperature = 0.0
    explorer.chosen = [[explorer._tokenizer.ids["hen"], 0.1]]
    assert explorer.alt.startswith("After 'once there was a red hen' at temperature 0: tinytown by 100 %, ")


def test_a_question_with_its_own_traits_is_read_once(explorer, monkeypatch):
    calls = []
    read = explorer._read
    monkeypatch.setattr(explorer, "_read", lambda ids: (calls.append(ids), read(ids))[1])
    with explorer.hold_trait_notifications():  # as the browser sends them: in one message
        explorer.text, explorer.chosen = "look , the fox", []
        explorer.question = {"number": 7, "text": "look , the fox", "chosen": []}
    assert len(calls) == 1
    assert explorer.answer["number"] == 7


def test_a_real_model_has_pieces_of_characters_as_bytes():
    if not pretrained.is_available("smollm2"):
        pytest.skip("needs SmolLM2: python -m helpers.pretrained")
    explorer = NextToken(*pretrained.load_smollm2())
    assert explorer.alt.startswith("After 'My name is': smollm2 ␣")
    assert len(explorer.answer["logits"]) == 4 * 49_152
    tokenizer = explorer._tokenizer
    fox = tokenizer.encode("🦊")
    answer = explorer.ask(text="My name is", chosen=fox[:-1])
    assert any(isinstance(piece, bytes) for piece in answer["grown"])
    assert "\ufffd" not in answer["after"]
    assert explorer.ask(text="My name is", chosen=fox)["after"] == "My name is🦊"
    explorer.ask(text="", chosen=[])
    assert explorer.problem == "a prompt must have at least one token, got none; type a word"
    explorer.ask(text="\ud800", chosen=[])
    assert "half of one, U+D800" in explorer.problem


def test_it_is_one_script_that_asks_for_nothing_from_outside():
    for script in (str(Dice._esm), str(NextToken._esm)):
        assert not re.search(r"^import ", script, re.MULTILINE)
        assert "innerHTML" not in script
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", script)
