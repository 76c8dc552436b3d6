"""The writing explorer: one text however it is asked for, what may come in, what stays behind, and what a reader can press."""

import itertools
import json
import os
import re
import shutil

import numpy as np
import pytest
from bundles import left_behind
from frames import drawn
from js.run import run

from helpers import plots, sampling
from helpers.explorers import writer as module
from helpers.explorers.base import HERE
from helpers.explorers.writer import (
    BINS,
    EDGES,
    FILLS,
    Writer,
    bin_of,
    checked,
    ending_ids,
    grow,
    measures,
    told_settings,
    window,
    write,
)
from helpers.pretrained import is_available, load_smollm2, load_tinytown
from helpers.sampling import generate
from helpers.tinytown import WordTokenizer
from helpers.tokenization import ByteLevelTokenizer
from helpers.transformer import GPT, GPTConfig

SETTINGS = [
    {},
    {"temperature": 0},
    {"temperature": 0.7, "top_k": 5, "seed": 3},
    {"temperature": 1.4, "top_p": 0.9, "seed": 4},
    {"min_p": 0.1, "repetition_penalty": 1.3, "seed": 5},
]
START = "once there was"
END_OF_BYTES = 256


class Bytes(ByteLevelTokenizer):
    """A token a byte, and one for <|endoftext|>; `start` stands in front of every text."""

    def __init__(self, start=()):
        super().__init__("bytes", 257, self._ids, lambda i: b"<|endoftext|>" if i == END_OF_BYTES else bytes([i]))  # fmt: skip
        self.start = list(start)

    def _ids(self, text, special):
        ids = [END_OF_BYTES] if text == "<|endoftext|>" else list(text.encode())
        return (self.start if special else []) + ids


class Likes(GPT):
    """A model with odds of its own for each last token: `follows` says which token it likes, and how much."""

    def __init__(self, follows=None, n_ctx=12, vocab_size=257):
        super().__init__(GPTConfig(vocab_size=vocab_size, n_ctx=n_ctx, n_layers=1, n_heads=2, d_model=8))
        self.follows, self.calls = follows or {}, []

    def reader(self):
        def read(ids):
            assert 0 < len(ids) <= self.config.n_ctx, ids
            self.calls.append(list(ids))
            # What is read decides, its length too: a wrong window gives another text.
            rng = np.random.default_rng([len(ids), *ids])
            logits = rng.normal(size=self.config.vocab_size) * 2
            logits[-1] = -40  # it ends a text only where it shall
            for token, weight in self.follows.get(ids[-1], {}).items():
                logits[token] = weight
            return logits.astype(np.float32)

        return read


def tiny(text=START, max_tokens=12, **settings):
    return Writer(*load_tinytown(), text, max_tokens, **settings)


def asked(explorer, count, grown=(), *, text=None, seconds=9.0, **settings):
    """What the kernel answers when the browser asks."""
    now = {**explorer.settings, **settings}
    text = explorer.prompt if text is None else text
    return explorer.ask(
        run="r", text=text, grown=list(grown), count=count, seconds=seconds, settings=json.loads(json.dumps(now))
    )  # fmt: skip


def same(steps, others):
    """Whether two texts are one, their probabilities too."""
    assert [step.token for step in steps] == [step.token for step in others]
    for one, other in zip(steps, others, strict=True):
        np.testing.assert_allclose(one[1:4], other[1:4], rtol=1e-5)
        assert [a.token for a in one.alternatives] == [a.token for a in other.alternatives]
        np.testing.assert_allclose(one.alternatives, other.alternatives, rtol=1e-5)


def alike(sent, others):
    """The same for steps as they are sent: six digits, of which the last may differ where more was read at once."""
    assert [step["token"] for step in sent] == [step["token"] for step in others]
    for one, other in zip(sent, others, strict=True):
        for name in ("probability", "entropy", "odds"):
            assert one[name] == pytest.approx(other[name], rel=2e-5, abs=1e-9)
        assert [a[0] for a in one["others"]] == [a[0] for a in other["others"]]


# ---- The same seed and settings give the same text ----------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_text_is_that_of_generate(settings):
    model, tokenizer = load_tinytown()
    expected = list(
        generate(model, tokenizer.encode(START, special=True), 20, alternatives=5, stop={tokenizer.end_id}, **settings)
    )  # fmt: skip
    same(write(model, tokenizer, START, 20, **settings), expected)
    same(Writer(model, tokenizer, START, 20, **settings).steps, expected)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("chunk", [1, 3, 12])
def test_the_text_is_the_same_in_one_piece_and_in_many(settings, chunk):
    expected = tiny(**settings)
    explorer = tiny(max_tokens=1, **settings)
    grown, steps = [], []
    while len(steps) < 12 and (not steps or steps[-1]["token"] != WordTokenizer().end_id):
        got = asked(explorer, min(chunk, 12 - len(steps)), grown)
        assert 1 <= len(got["steps"]) <= chunk
        steps += got["steps"]
        grown = [step["token"] for step in steps]
    alike(steps, expected.branches[0]["steps"])


def test_a_kernel_that_has_forgotten_everything_goes_on_alike():
    first = asked(tiny(max_tokens=1), 9)["steps"]
    grown = [step["token"] for step in first[:4]]
    alike(asked(tiny("the hen", max_tokens=1), 5, grown, text=START)["steps"], first[4:])


def test_another_seed_gives_another_text_unless_the_likeliest_always_comes():
    model, tokenizer = load_tinytown()
    texts = {tuple(step.token for step in write(model, tokenizer, START, 12, seed=seed)) for seed in range(5)}
    assert len(texts) > 1
    greedy = [write(model, tokenizer, START, 9, temperature=0, seed=seed) for seed in range(2)]
    same(*greedy)
    assert all(step.probability == pytest.approx(1) and step.entropy == 0 for step in greedy[0])


def test_time_cuts_an_answer_short_and_loses_nothing(monkeypatch):
    explorer = tiny(max_tokens=1)
    assert len(asked(explorer, 9, seconds=0.0)["steps"]) == 1
    clock = iter(np.arange(0, 100, 0.04))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    got = asked(explorer, 9, seconds=0.11)
    assert (len(got["steps"]), got["ended"]) == (3, "")
    grown = [step["token"] for step in got["steps"]]
    alike(got["steps"] + asked(explorer, 6, grown)["steps"], tiny(max_tokens=9).branches[0]["steps"])


@pytest.mark.parametrize("n_ctx", [1, 2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("prompt", [1, 2])
def test_a_beginning_slides_out_as_in_generate(n_ctx, prompt):
    ids = list(range(100, 100 + min(prompt, n_ctx)))
    model = Likes(n_ctx=n_ctx)
    expected = list(generate(model, ids, 30, when_full="slide", seed=2, repetition_penalty=1.2))
    seen, model.calls = model.calls, []
    grown = []
    for chunk in (1, 4, 25):
        grown += [step.token for step in grow(model.reader(), ids, grown, chunk, n_ctx=n_ctx, slide=True, seed=2, repetition_penalty=1.2)]  # fmt: skip
    assert grown == [step.token for step in expected]
    assert model.calls == seen


def test_a_full_context_is_the_end_where_nothing_may_slide():
    model = Likes(n_ctx=6)
    steps = list(grow(model.reader(), [1, 2], [], 30, n_ctx=6))
    expected = list(generate(model, [1, 2], 30, when_full="stop"))
    assert [step.token for step in steps] == [step.token for step in expected]
    assert len(steps) == 5  # six are read, and give one more


def test_what_is_read_never_is_more_than_there_is_room_for():
    for n_ctx in range(1, 12):
        for n in range(1, 60):
            read = window(range(n), n_ctx)
            assert 1 <= len(read) <= n_ctx
            assert read[-1] == n - 1
            assert read == list(range(n)) or (read[0] == 0) == (n_ctx > 1)
            assert len(set(read)) == len(read)
            # Only when the window begins anew is more than the last token new.
            if n > 1 and len(read) > len(window(range(n - 1), n_ctx)):
                assert read[:-1] == window(range(n - 1), n_ctx)


# ---- The end of a text --------------------------------------------------------------------------------------------


def test_a_text_ends_with_its_last_word_and_stays_ended():
    explorer = tiny("", max_tokens=60)
    end = WordTokenizer().end_id
    branch = explorer.branches[0]
    assert branch["ended"] == "end"
    assert branch["steps"][-1]["token"] == end
    assert end not in [step["token"] for step in branch["steps"][:-1]]
    more = asked(explorer, 5, [step["token"] for step in branch["steps"]])
    assert (more["steps"], more["ended"]) == ([], "end")


def test_ends_are_known_by_their_names():
    assert ending_ids(WordTokenizer()) == {WordTokenizer().end_id}
    assert ending_ids(WordTokenizer(lenient=True)) == {WordTokenizer().end_id}
    assert ending_ids(Bytes()) == {END_OF_BYTES}
    assert ending_ids(Bytes(start=[7])) == {END_OF_BYTES}


def test_an_end_is_heeded_by_any_model():
    model = Likes({ord("b"): {ord("c"): 90.0}, ord("c"): {END_OF_BYTES: 90.0}})
    explorer = Writer(model, Bytes(), "ab", 9)
    assert explorer.text == "abc<|endoftext|>"
    assert explorer.branches[0]["ended"] == "end"


def test_a_full_context_is_said_and_slides_on_when_asked():
    explorer = Writer(Likes(n_ctx=6), Bytes(), "abc", 20)
    assert explorer.branches[0]["ended"] == "full"
    grown = [step["token"] for step in explorer.branches[0]["steps"]]
    assert len(grown) == 4
    again = asked(explorer, 3, grown)
    assert (again["steps"], again["ended"]) == ([], "full")
    on = asked(explorer, 3, grown, slide=True)
    assert (len(on["steps"]), on["ended"]) == (3, "")
    assert explorer.n_ctx == 6
    whole = Writer(Likes(n_ctx=6), Bytes(), "abc", 7, slide=True)
    assert whole.branches[0]["steps"] == [*explorer.branches[0]["steps"], *on["steps"]]


def test_a_long_context_is_cut_to_what_this_explorer_reads():
    assert Writer(Likes(n_ctx=4000), Bytes(), "a", 1).n_ctx == 512
    with pytest.raises(ValueError, match="at most 512 tokens here, got 513; shorten it"):
        Writer(Likes(n_ctx=4000), Bytes(), "a" * 513)
    with pytest.raises(ValueError, match="at most 6 tokens here, got 7; shorten it"):
        Writer(Likes(n_ctx=6), Bytes(), "a" * 7)
    assert len(Writer(Likes(n_ctx=6), Bytes(), "a" * 6, 9).steps) == 1


# ---- What may come in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_tokens": 0}, "max_tokens must be a whole number from 1 to 200, got 0; 25 is"),
        ({"max_tokens": -3}, "from 1 to 200, got -3"),
        ({"max_tokens": 201}, "from 1 to 200, got 201"),
        ({"max_tokens": 2.5}, "from 1 to 200, got 2.5"),
        ({"max_tokens": float("nan")}, "from 1 to 200, got nan"),
        ({"max_tokens": True}, "from 1 to 200, got True"),
        ({"temperature": -1}, "temperature must be 0 or more, got -1"),
        ({"temperature": float("nan")}, "temperature must be 0 or more, got nan"),
        ({"temperature": float("inf")}, "temperature must be finite here, got inf"),
        ({"top_k": 0}, "top-k must be a whole number from 1, got 0"),
        ({"top_p": 1.5}, "top-p must be above 0 and at most 1, got 1.5"),
        ({"min_p": 2}, "min-p must be from 0 to 1, got 2"),
        ({"repetition_penalty": 0}, "repetition penalty must be above 0"),
        ({"seed": -1}, "a seed must be a whole number from 0, got -1"),
        ({"seed": True}, "a seed must be a whole number from 0, got True"),
        ({"seed": 1.5}, "a seed must be a whole number from 0, got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused_in_a_sentence(settings, said):
    count = settings.pop("max_tokens", 5)
    for refuse in (lambda: checked(count, **settings), lambda: write(*load_tinytown(), START, count, **settings), lambda: tiny(max_tokens=count, **settings)):  # fmt: skip
        with pytest.raises(ValueError, match=re.escape(said)) as raised:
            refuse()
        assert "\n" not in str(raised.value)


def test_a_prompt_that_the_model_can_not_take_is_said_and_the_text_stays():
    explorer = tiny()
    before = explorer.alt, explorer.branches
    for text, said in (
        ("once there was a blorf", "every word must be one of Tinytown's 162, got 'blorf'"),
        ("the fox " * 40, "at most 64 tokens here, got 81; shorten it"),
    ):
        answer = asked(explorer, 5, text=text)
        assert said in explorer.problem
        assert set(answer) == {"number"}
        assert (explorer.alt, explorer.branches) == before
    assert asked(explorer, 2)["steps"]
    assert explorer.problem == ""
    assert asked(explorer, 2, text="")["steps"]  # <start> is a token
    with pytest.raises(ValueError, match="a prompt must have at least one token, got none; type a word"):
        Writer(Likes(), Bytes(), "")
    assert Writer(Likes(), Bytes(start=[7]), "", 2).branches[0]["pieces"] == ["\x07"]


@pytest.mark.parametrize("count", [0, -1, 201, 1.5, "many", None])
def test_a_question_for_a_wrong_number_of_tokens_is_refused(count):
    explorer = tiny()
    asked(explorer, count)
    assert "max_tokens must be a whole number from 1 to 200" in explorer.problem


# ---- What is sent, and what Python sees ---------------------------------------------------------------------------


def test_a_step_is_sent_with_what_else_could_have_come():
    explorer = tiny(max_tokens=3, temperature=0.5, top_k=2, seed=1)
    (first, *_), (step, *_) = explorer.branches[0]["steps"], explorer.steps
    assert json.loads(json.dumps(explorer.branches)) == explorer.branches
    model, tokenizer = load_tinytown()
    logits = model.reader()(tokenizer.encode(START, special=True))
    odds = sampling.temperature_softmax(logits)
    dice = sampling.next_distribution(logits, 0.5, top_k=2)
    best = np.argsort(-odds)[:5].tolist()
    assert [other[0] for other in first["others"]] == best
    np.testing.assert_allclose([other[1] for other in first["others"]], odds[best], rtol=1e-4)
    np.testing.assert_allclose([other[2] for other in first["others"]], dice[best], rtol=1e-4)
    assert [other[3] for other in first["others"]] == [tokenizer.decode([token]) for token in best]
    assert first["piece"] == tokenizer.decode([first["token"]])
    np.testing.assert_allclose(
        [step.probability, step.entropy, step.odds],
        [dice[step.token], sampling.entropy(dice), odds[step.token]], rtol=1e-4,
    )  # fmt: skip


def test_numbers_are_sent_with_six_digits_and_none_of_them_becomes_0():
    assert module._short(1 / 3) == pytest.approx(1 / 3, abs=1e-6)
    assert len(str(module._short(1 / 3))) == 8
    assert module._short(1.23456789e-30) == 1.23457e-30


def test_half_characters_are_sent_as_bytes():
    smile = "🙂".encode()
    follows = {before: {after: 90.0} for before, after in itertools.pairwise(smile)}
    explorer = Writer(Likes(follows | {ord("a"): {smile[0]: 90.0}, smile[-1]: {ord("b"): 90.0}}), Bytes(), "🙂a", 5)  # fmt: skip
    branch = explorer.branches[0]
    assert [step["piece"] for step in branch["steps"]] == [[byte] for byte in smile] + ["b"]
    assert branch["pieces"] == [[byte] for byte in smile] + ["a"]
    assert explorer.text == "🙂a🙂b"
    assert "'🙂b' (5 tokens" in explorer.alt
    assert left_behind(explorer._repr_mimebundle_()[0]) == explorer.alt


def test_of_a_long_prompt_the_end_is_shown():
    explorer = Writer(Likes(n_ctx=200), Bytes(), "a" * 30 + "b" * 60, 1)
    assert explorer.branches[0]["pieces"] == ["b"] * 60


def test_python_follows_what_the_browser_shows():
    explorer = tiny()
    first = explorer.branches[0]
    picked = {**first["steps"][2], "picked": True}
    second = {**first, "id": 2, "steps": [*first["steps"][:2], picked], "from": {"id": 1, "at": 2, "instead": "a"}}  # fmt: skip
    explorer.set_state({"branches": [first, second], "current": 1})
    assert len(explorer.steps) == 3
    assert explorer.text == f"{START} {' '.join(step['piece'] for step in second['steps'])}"
    assert "(3 tokens, behind token 2 of branch 1, temperature 1, seed 0)" in explorer.alt
    explorer.set_state({"current": 7})
    assert len(explorer.steps) == 3
    explorer.set_state({"current": 0})
    assert len(explorer.steps) == 12
    assert "(12 tokens, temperature 1, seed 0)" in explorer.alt
    explorer.set_state({"branches": [], "prompt": "the hen"})
    assert explorer.alt == "After 'the hen', tinytown has written nothing yet."
    assert (explorer.steps, explorer.text, explorer.problem) == ([], "the hen", "")
    assert explorer.picture().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "explorer",
    [
        lambda: tiny(),
        lambda: tiny(max_tokens=1),
        lambda: tiny(max_tokens=200, slide=True, text="<start> the hen"),
        lambda: Writer(Likes(n_ctx=400), Bytes(), "\n\tआप $x$ _é", 60, temperature=3),
    ],
)
def test_it_leaves_a_picture_and_a_line_behind(explorer):
    explorer = explorer()
    data, metadata = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt == metadata["image/png"]["alt"]
    assert data["text/plain"] == repr(explorer)
    assert "\n" not in repr(explorer)
    assert repr(explorer).startswith("<Writer: After '")


def test_the_line_names_the_token_that_the_model_held_least_likely():
    def rarest(explorer, by):
        return min(explorer.branches[0]["steps"], key=lambda step: step[by])["token"]

    texts = (tiny(max_tokens=20, seed=seed, top_k=3, temperature=0.7) for seed in range(20))
    explorer = next(one for one in texts if rarest(one, "odds") != rarest(one, "probability"))
    step = min(explorer.branches[0]["steps"], key=lambda step: step["odds"])
    assert f"The least likely was {step['piece']!r}, with {plots.percent(step['odds'])} in" in explorer.alt
    assert "(1 token, temperature 1, seed 2)" in tiny(max_tokens=1, seed=2).alt


@pytest.mark.parametrize("n_tokens", [3, 40])
def test_the_picture_has_a_chip_for_each_token_in_the_colour_of_its_bin(monkeypatch, n_tokens):
    drawn = []
    monkeypatch.setattr(plots, "png", lambda figure, **_: drawn.append(figure) or b"")
    explorer = Writer(Likes(n_ctx=99), Bytes(), "abcd", n_tokens)
    explorer.picture()
    (ax,) = drawn[0].axes
    steps = explorer.branches[0]["steps"]
    assert len(ax.patches) == 4 + n_tokens
    from matplotlib.colors import to_rgb

    for patch in ax.patches[:4]:
        np.testing.assert_allclose(patch.get_facecolor()[:3], to_rgb(plots.CHIPS[-1]), atol=1e-6)
    for patch, step in zip(ax.patches[4:], steps, strict=True):
        role, share = FILLS[bin_of(step["probability"])]
        paper = np.array(to_rgb("#F5F5F5"))
        expected = paper * (1 - 0.55 * share) + 0.55 * share * np.array(to_rgb(plots.ROLES[role]))
        np.testing.assert_allclose(patch.get_facecolor()[:3], expected, atol=1e-6)
    words = [text.get_text() for text in ax.texts]
    assert [plots.percent(step["probability"]) in words for step in steps] == [True] * n_tokens
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == list(BINS)


@pytest.mark.skipif(not is_available("smollm2"), reason="run python -m helpers.pretrained")
def test_the_text_of_the_notebook_is_the_same_on_every_machine(monkeypatch):
    """No draw falls near an edge between two tokens, where the last bits of another processor could flip it."""
    nearest, roll = [], sampling.roll

    def watched(dice, rng):
        token = roll(dice, np.random.default_rng(rng) if isinstance(rng, int) else _same_again(rng))
        point, edges = rng.random(), np.cumsum(dice)
        last = np.flatnonzero(dice)[-1]
        above = edges[token] - point if token < last else 1
        nearest.append(min(above, point - edges[token - 1] if edges[token - 1] > 0 else 1))
        return token

    monkeypatch.setattr(module.sampling, "roll", watched)
    explorer = Writer(*load_smollm2(), temperature=0.8, top_p=0.9, seed=1)
    assert len(nearest) == 25
    assert min(nearest) > 1e-2
    assert explorer.alt == (
        "After 'Once upon a time', smollm2 wrote ', there was a small town nestled in the heart of a bustling "
        "metropolis. The town was called Ashwood, and everyone loved' (25 tokens, temperature 0.8, top-p 0.9, seed 1). "
        "The least likely was '␣small', with 6 % in the model's own odds."
    )
    odds = sorted(step.odds for step in explorer.steps)
    assert odds[1] / odds[0] > 1.05
    assert 0.058 < odds[0] < 0.0645


def _same_again(rng):
    """A generator that will give what this one will give next."""
    copy = np.random.default_rng()
    copy.bit_generator.state = rng.bit_generator.state
    return copy


# ---- The browser agrees with Python -------------------------------------------------------------------------------


def test_bins_and_measures_are_those_of_python():
    shares = [0, 1e-9, 0.00999, 0.01, 0.0499, 0.05, 0.2499, 0.25, 0.7499, 0.75, 1]
    got = run("writer", "return [given.map(m.binOf), m.EDGES, m.BINS, m.FILLS]", shares)
    assert got == [[bin_of(p) for p in shares], list(EDGES), list(BINS), [list(fill) for fill in FILLS]]  # fmt: skip
    rng = np.random.default_rng(0)
    for n in (1, 2, 17):
        odds = rng.random(n).tolist()
        got = run("writer", "return m.measures(given)", odds)
        np.testing.assert_allclose(
            [got["tokens"], got["surprise"], got["perplexity"]], measures(odds), rtol=1e-9
        )
        assert measures(odds).perplexity == pytest.approx(np.prod(odds) ** (-1 / n))
    assert measures([1.0]) == (1, 0.0, 1.0)
    assert str(measures([1.0]).surprise) == "0.0"
    assert np.isnan(measures([])[1:]).all()


def test_settings_are_told_as_in_python():
    told = [
        checked(5, **settings) for settings in [*SETTINGS, {"temperature": 2.50, "top_k": 1000, "top_p": 1 / 3, "min_p": 0.0}]
    ]  # fmt: skip
    got = run("writer", "return given.map((one) => m.toldSettings(one))", told)
    assert got == [told_settings(one) for one in told]
    assert got[-1] == "temperature 2.5, top-k 1000, top-p 0.333333, min-p 0, seed 0"


def test_every_value_of_every_slider_is_one_that_python_takes():
    dials = run("writer", "return Object.fromEntries(Object.entries(m.DIALS).map(([name, { list, format }]) => [name, list.map((x) => [x, format(x)])]))")  # fmt: skip
    assert list(dials) == ["temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed", "tokens"]
    for name, pairs in dials.items():
        known = [value for value, _ in pairs if value is not None]
        assert known == sorted(set(known)), name
        for value, told in pairs:
            assert checked(**{"max_tokens": 5, "max_tokens" if name == "tokens" else name: value})
            assert (told == "off") == (value is None)
            assert told
    assert [value for value, _ in dials["temperature"]][:3] == [0, 0.05, 0.1]
    assert dials["temperature"][-1][0] > 2


def test_what_the_next_text_will_be_is_said():
    told = checked(5, temperature=0.8, top_k=40, seed=3) | {"tokens": 25}
    asked = [
        ("My name is", {}),
        ("", {"tokens": 1}),
        ("a", {"temperature": 0}),
        ("a", {}),
        ("a", {"slide": True}),
    ]
    asked += [("a" * 50 + "b" * 38 + "\n", {}), ("b" * 40, {})]
    plain, one, greedy, short, slides, long, edge = run(
        "writer",
        "return given.map((one) => m.next(...one).join(''))",
        [(text, told | changed) for text, changed in asked],
    )
    assert plain == "Next: after “My name is”, up to 25 tokens, temperature 0.8, top-k 40, seed 3."
    assert one == "Next: up to 1 token, temperature 0.8, top-k 40, seed 3."
    assert "the seed changes nothing" in greedy
    assert short == plain.replace("My name is", "a")
    assert slides.endswith("The beginning slides out of a full context.")
    assert f"after “…{'b' * 38}⏎”" in long
    assert f"after “{'b' * 40}”" in edge


def test_pieces_are_read_as_python_reads_them():
    for text, gap in (("a 🙂 आप\n\ufeffé", ""), ("the fox", " ")):
        if gap:
            pieces, expected = text.split(), text
        else:
            pieces, expected = [byte if (byte := bytes([one])).isascii() else list(byte) for one in text.encode()], text  # fmt: skip
            pieces = [one.decode() if isinstance(one, bytes) else one for one in pieces]
        assert run("writer", "return m.textOf(...given)", [pieces, gap]) == expected
    assert run("writer", "return m.textOf(given)", [[226], "a"]) == "�a"
    assert run("writer", "return m.textOf([], ' ')") == ""


def test_a_slider_has_a_place_for_the_value_it_begins_with():
    got = run(
        "writer",
        "return given.map(([list, value]) => m.values(list, value))",
        [[[1, 2, None], 2], [[1, 5, None], 3], [[None, 1, 5], 9], [[0, 1], 0.73], [[1, None], None], [[2, 10], 3]],
    )  # fmt: skip
    assert got == [[1, 2, None], [1, 3, 5, None], [None, 1, 5, 9], [0, 0.73, 1], [1, None], [2, 3, 10]]


def test_a_branch_goes_on_from_the_token_that_was_picked():
    explorer = tiny(max_tokens=9, seed=1)
    steps = explorer.branches[0]["steps"]
    got = run("writer", "return m.branched(given, 4, 1)", steps)
    token, odds, probability, piece = steps[4]["others"][1]
    assert got[:4] == steps[:4]
    assert len(got) == 5
    assert (got[4]["token"], got[4]["odds"], got[4]["probability"], got[4]["piece"], got[4]["picked"]) == (token, odds, probability, piece, True)  # fmt: skip
    grown = [step["token"] for step in got]
    on = asked(explorer, 4, grown)["steps"]
    model, tokenizer = load_tinytown()
    rng = np.random.default_rng(1)
    rng.random(5)
    expected = []
    read = model.reader()
    for _ in on:
        expected.append(sampling.roll(sampling.temperature_softmax(read([*tokenizer.encode(START, special=True), *grown, *expected])), rng))  # fmt: skip
    assert [step["token"] for step in on] == expected


def test_the_token_that_came_is_always_among_the_others():
    step = {"token": 9, "odds": 0.1, "probability": 0.2, "piece": "x", "others": [[1, 0.5, 0.6, "a"], [2, 0.3, 0.2, "b"]]}  # fmt: skip
    added = [*step["others"], [9, 0.1, 0.2, "x"]]
    assert run("writer", "return m.othersAt(given)", step) == added
    assert run("writer", "return m.othersAt(given)", {**step, "token": 2}) == step["others"]
    (back,) = run("writer", "return m.branched(m.branched([given], 0, 0), 0, 2)", step)
    assert (back["token"], back["others"]) == (9, added)  # and one can go back to it
    assert run("writer", "return [m.rarest([]), m.rarest([{odds: 0.5}, {odds: 0.2}, {odds: 0.2}])]") == [
        -1,
        1,
    ]


def test_branches_that_begin_alike_are_known():
    steps = [{"token": token} for token in (5, 6, 7)]
    settings = {"temperature": 1, "seed": 1, "tokens": 9}
    one, off = {"id": 3, "text": "a", "settings": settings, "from": None, "steps": steps}, {"id": 1, "at": 1, "instead": "x"}  # fmt: skip
    alike = [{}, {"steps": []}, {"settings": {**settings, "tokens": 3, "slide": True, "top_k": None}}]
    alike_off = [{"from": off}, {"from": off, "steps": steps[:2]}]
    others = [
        {"text": "b"},
        {"settings": {**settings, "seed": 2}},
        {"settings": {**settings, "top_p": 0.5}},
        {"from": {**off, "id": 2}},
        {"from": {**off, "at": 2}},
    ]
    got = run(
        "writer", "return given.map(m.origin)", [{**one, **two} for two in (*alike, *alike_off, *others)]
    )
    assert got[0] == got[1] == got[2]
    assert got[3] == got[4]
    assert len(set(got)) == 2 + len(others)
    told = run("writer", "return given.map(m.toldFrom)", [{**one, "from": two} for two in (None, off, {**off, "instead": None})])  # fmt: skip
    settings = "temperature 1, seed 1."
    assert told == [
        f"Branch 3: {settings}",
        f"Branch 3 leaves branch 1 at token 2, in place of “x”: {settings}",
        f"Branch 3 goes on from branch 1 behind token 1: {settings}",
    ]


def test_colours_of_the_course():
    css = (HERE / "shared.css").read_text(encoding="utf-8")
    for role, _ in FILLS:
        assert f"--uth-{role}: {plots.ROLES[role].lower()}" in css
    assert "0.55" in re.search(r"\.uth-chip\.uth-shaded \{[^}]*\}", css)[0]  # as in `_fill`


# ---- What a reader can press, in a browser, with Python answering ---------------------------------------------------

PAGE = """<!doctype html><html><head><style>STYLE</style></head><body data-jp-theme-light="true"><main><div id="el"></div></main><script type="module">
SCRIPT
const state = STATE, heard = {}, tell = (name) => (heard[name] ?? []).forEach((hear) => hear.call({ model }));
const model = window.model = {
  get: (name) => state[name], comm_live: true, asked: [], saved: 0,
  set: (name, value) => { for (const [key, one] of Object.entries(typeof name === "string" ? { [name]: value } : name)) { state[key] = one; tell(`change:${key}`); } },
  on: (name, hear) => (heard[name] ??= []).push(hear), off: () => {},
  widget_manager: { kernel: { status: "idle" } },
  async save_changes() {
    model.saved++;
    if (state.question?.number > (model.asked.at(-1)?.number ?? 0)) {
      model.asked.push(state.question);
      const got = await window.python(state.question);
      if (model.silent) return;
      state.problem = got.problem;
      model.set("answer", got.answer);
    }
  },
  die() { model.comm_live = false; model.widget_manager.kernel = null; tell("comm_live_update"); },
};
widget.render({ model, el: document.getElementById("el") });
</script></body></html>"""


@pytest.fixture(scope="module")
def chromium():
    api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not path:
        pytest.skip("needs Chromium or Chrome: CHROMIUM=/path names one")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


class View:
    """An explorer in a page; each answer has as many tokens as `chunk` says, however fast this machine is."""

    def __init__(self, page, explorer, chunk=3, width=900):
        self.page, self.explorer, self.errors, self.chunk = page, explorer, [], chunk
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.expose_function("python", self.answer)
        names = [name for name in explorer.trait_names(sync=True) if not name.startswith("_")]
        kinds = (str, int, bool, list, dict)
        state = {name: getattr(explorer, name) for name in names if isinstance(getattr(explorer, name), kinds)}  # fmt: skip
        page.set_content(
            PAGE.replace("STYLE", str(Writer._css))
            .replace("STATE", json.dumps(state))
            .replace("SCRIPT", str(Writer._esm).replace("export default", "const widget ="))
        )
        page.wait_for_selector(".uth-place .uth-chip, .uth-plain:not([hidden])")

    def answer(self, question):
        count = question["count"] if question["count"] < 1 else min(question["count"], self.chunk)
        got = self.explorer.ask(**{**question, "count": count, "seconds": 99 if question["seconds"] else 0})
        return {"answer": {**got, "number": question["number"]}, "problem": self.explorer.problem}

    def press(self, *names):
        """Presses buttons, all in one turn of the page."""
        self.page.evaluate("(names) => names.forEach((name) => [...document.querySelectorAll('button')].find((one) => one.textContent === name).click())", list(names))  # fmt: skip
        return self

    def idle(self):
        drawn(self.page)
        self.page.wait_for_selector(".uth-place[aria-busy=false]")
        drawn(self.page)
        return self

    def tokens(self):
        drawn(self.page)
        return [one.split("\n")[0] for one in self.page.locator(".uth-place .uth-chip[data-bin]").all_inner_texts()]  # fmt: skip

    def text(self, where):
        drawn(self.page)
        return " ".join(self.page.locator(where).all_inner_texts())

    def told(self):
        return self.text(".uth-told")

    def asked(self):
        return self.page.evaluate("model.asked")

    def get(self, name):
        return self.page.evaluate("name => model.get(name)", name)


@pytest.fixture
def opened(chromium):
    views = []

    def view(explorer, width=900, **settings):
        page = chromium.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce")
        views.append(View(page, explorer, **settings))
        return views[-1]

    yield view
    for one in views:
        assert one.errors == []
        one.page.close()


def long_writer(n=10, **settings):
    return Writer(Likes(n_ctx=64), Bytes(), "ab", n, **settings)


def test_the_browser_asks_until_there_are_enough_tokens(opened):
    view = opened(long_writer())
    first = view.tokens()
    assert len(first) == 10
    view.press("Write").idle()
    assert view.tokens() == first
    asked = view.asked()
    assert [one["count"] for one in asked] == [10, 9, 6, 3]
    assert asked[0]["seconds"] == 0
    assert all(0.05 < one["seconds"] < 0.15 for one in asked[1:])
    assert "Wrote 10 tokens: “" in view.told()
    assert len(view.get("branches")) == 1


def test_a_burst_of_presses_costs_one_run(opened):
    view = opened(long_writer())
    view.press(*["Write"] * 6).idle()
    assert len(view.asked()) == 4
    assert len(view.get("branches")) == 1
    view.press("Write on", "Write on", "Write").idle()
    assert len(view.get("branches")) == 1


def test_stop_stops_and_says_so_twice(opened):
    view = opened(long_writer(200), chunk=2)
    before = len(view.tokens())
    view.press("Write")
    view.page.wait_for_function("model.asked.length > 3")
    view.press("Stop")
    assert view.told().startswith("Stopped after ")
    n = len(view.idle().tokens())
    view.page.wait_for_timeout(200)
    assert len(view.tokens()) == n < before
    view.press("Stop")
    assert view.told() == "Nothing is being written."
    view.press("Write", "Stop")
    assert view.told() == "Stopped before the first token."
    assert len(view.idle().tokens()) == n  # what was there stays


def test_writing_on_is_the_same_as_writing_more_at_once(opened):
    view = opened(long_writer())
    view.press("Write on").idle()
    longer = long_writer(20)
    assert [step["token"] for step in view.get("branches")[0]["steps"]] == [step.token for step in longer.steps]  # fmt: skip
    assert len(view.get("branches")) == 1


def test_writing_on_with_other_settings_is_another_branch(opened):
    view = opened(long_writer())
    view.page.locator("input[type=range]").nth(0).press("ArrowRight")
    view.press("Write on").idle()
    assert [len(branch["steps"]) for branch in view.get("branches")] == [10, 20]
    assert "Branch 2 goes on from branch 1 behind token 10: temperature 1.05" in view.text(".uth-from")


def test_a_click_on_an_alternative_branches_and_one_can_go_back(opened):
    view = opened(long_writer())
    first = view.tokens()
    chips = view.page.locator(".uth-place .uth-chip[data-bin]")
    chips.nth(4).click()
    assert view.text(".uth-others h4").startswith("Token 5: ")
    buttons = view.page.locator(".uth-others .uth-bars button")
    here = next(i for i, one in enumerate(buttons.all_inner_texts()) if one == first[4])
    buttons.nth(here).click()
    assert "stands here already" in view.told()
    other = (here + 1) % 5
    name = buttons.all_inner_texts()[other]
    buttons.nth(other).click()
    view.idle()
    assert view.tokens()[:4] == first[:4]
    assert view.tokens()[4] == name != first[4]
    assert len(view.tokens()) == 15
    assert chips.nth(4).get_attribute("class").split().count("uth-marked") == 1
    assert "Branch 2 leaves branch 1 at token 5" in view.text(".uth-from")
    view.page.locator(".uth-branches input").first.check(force=True)
    drawn(view.page)
    assert view.tokens() == first
    assert view.get("current") == 0
    # The same branch again takes its own place.
    chips.nth(4).click()
    buttons.nth(other).click()
    view.idle()
    assert len(view.get("branches")) == 2
    assert view.get("current") == 1


def test_at_most_eight_branches_are_kept(opened):
    view = opened(long_writer(2), chunk=9)
    for seed in range(1, 10):
        view.page.evaluate("seed => model.set('settings', { ...model.get('settings'), seed })", seed)
        view.press("Write").idle()
    ids = [branch["id"] for branch in view.get("branches")]
    assert ids == list(range(3, 11))
    assert view.get("current") == 7
    view.press("Start again")
    drawn(view.page)
    assert view.get("branches") == []
    assert "Nothing is written yet" in view.text(".uth-place")
    view.press("Write on").idle()
    assert len(view.tokens()) == 2


def test_settings_show_at_once_what_comes_next_and_change_nothing_else(opened):
    view = opened(long_writer())
    before = view.tokens()
    for i in range(7):
        said = view.text(".uth-next")
        slider = view.page.locator("input[type=range]").nth(i)
        slider.press("ArrowLeft" if slider.evaluate("x => x.value === x.max") else "ArrowRight")
        drawn(view.page)
        assert view.text(".uth-next") != said
    view.page.locator("input[type=checkbox]").check()
    view.page.locator("textarea").fill("xyz")
    drawn(view.page)
    assert "after “xyz”" in view.text(".uth-next")
    assert "slides out" in view.text(".uth-next")
    assert view.tokens() == before
    assert view.asked() == []
    view.press("Write").idle()
    (question, *_) = view.asked()
    assert question["text"] == "xyz"
    assert question["settings"]["slide"] is True
    assert question["settings"] == view.get("settings")
    assert question["settings"]["top_k"] == 1000
    assert question["settings"]["seed"] == 1


def test_half_a_character_is_refused_and_never_sent(opened):
    view = opened(long_writer())
    box = view.page.locator("textarea")
    box.evaluate(
        "box => { box.value = 'a\\ud800b'; box.dispatchEvent(new InputEvent('input', { bubbles: true })); }"
    )
    assert "half of one" in view.text(".uth-textbox .uth-problem")
    view.press("Write")
    assert view.told() == "Mend the prompt first."
    assert view.asked() == []
    box.fill("ab")
    view.press("Write").idle()
    assert len(view.tokens()) == 10


def test_a_prompt_that_is_refused_is_kept_and_the_sentence_stands_beside_it(opened):
    view = opened(tiny())
    before = view.tokens()
    box = view.page.locator("textarea")
    box.fill("once there was a blorf")
    view.press("Write").idle()
    assert "got 'blorf'" in view.text(".uth-textbox .uth-problem")
    assert view.text(".uth-press .uth-problem") == ""
    assert box.input_value() == "once there was a blorf"
    assert view.tokens() == before
    box.fill("once there was a fox")
    view.press("Write").idle()
    assert view.text(".uth-problem").strip() == ""
    assert view.tokens() != before


def test_a_kernel_that_goes_in_the_middle_is_said_and_the_text_stays(opened):
    view = opened(long_writer(200), chunk=2)
    view.press("Write")
    view.page.wait_for_function("model.asked.length > 3")
    view.page.evaluate("model.silent = true; model.die()")
    drawn(view.page)
    kept = view.tokens()
    assert "Writing needs a kernel" in view.text(".uth-press .uth-problem")
    assert 2 < len(kept) < 200
    saved = view.page.evaluate("model.saved")
    view.press("Write").idle()
    assert "Writing needs a kernel" in view.text(".uth-press .uth-problem")
    assert view.tokens() == kept
    # What needs no kernel goes on: looking, and putting another token there.
    view.page.locator(".uth-place .uth-chip[data-bin]").nth(1).click()
    assert view.text(".uth-others h4").startswith("Token 2: ")
    view.page.locator("input[value=none]").check(force=True)
    view.page.wait_for_timeout(400)
    assert view.text(".uth-plain").startswith("ab")
    assert view.page.evaluate("model.saved") == saved


def test_the_end_and_a_full_context_are_said(opened):
    ended = opened(tiny("", max_tokens=60))
    ended.press("Write on")
    assert "With “<end>” the model says that the text is over." in ended.told()
    assert ended.asked() == []
    ended.press("Write").idle()
    assert "the text is over" in ended.told()
    full = opened(Writer(Likes(n_ctx=8), Bytes(), "abc", 20))
    full.press("Write on").idle()
    assert "The context is full: bytes reads at most 8 tokens here." in full.told()
    n = len(full.tokens())
    full.page.locator("input[type=checkbox]").check()
    full.press("Write on").idle()
    assert len(full.tokens()) == n + 20


def test_keys_and_pointer_show_what_else_could_have_come(opened):
    view = opened(long_writer())
    chips = view.page.locator(".uth-place .uth-chip[data-bin]")
    step = view.get("branches")[0]["steps"]
    rare = min(range(10), key=lambda i: step[i]["odds"])
    title = lambda: view.text(".uth-others h4")  # noqa: E731
    assert title().startswith(f"Token {rare + 1}: ")
    assert [one for one in range(10) if chips.nth(one).get_attribute("tabindex") == "0"] == [rare]
    chips.nth(3).hover()
    drawn(view.page)
    assert title().startswith("Token 4: ")
    view.page.mouse.move(5, 5)
    drawn(view.page)
    assert title().startswith(f"Token {rare + 1}: ")
    chips.nth(3).focus()
    view.page.keyboard.press("ArrowRight")
    drawn(view.page)
    assert title().startswith("Token 5: ")
    shown = [[float(x.rstrip("%")) for x in re.findall(r"(?<!\d)([\d.]+) %", row)] for row in view.page.locator(".uth-others tbody tr").all_inner_texts()]  # fmt: skip
    expected = run("writer", "return m.othersAt(given)", step[4])
    for row, (_, odds, probability, _) in zip(shown, expected, strict=True):
        assert row == [float(plots.percent(p).split()[-2]) for p in (probability, odds)]


def test_colours_follow_the_choice(opened):
    view = opened(long_writer(top_k=3, seed=2))
    steps = view.get("branches")[0]["steps"]
    bins = lambda: [int(one.get_attribute("data-bin")) for one in view.page.locator(".uth-place .uth-chip[data-bin]").all()]  # noqa: E731  # fmt: skip
    assert bins() == [bin_of(step["probability"]) for step in steps]
    view.page.locator("input[value=model]").check(force=True)
    drawn(view.page)
    assert bins() == [bin_of(step["odds"]) for step in steps] != [bin_of(s["probability"]) for s in steps]
    tiles = view.page.locator(".uth-tiles dd").all_inner_texts()
    known = measures([step["odds"] for step in steps])
    assert tiles[0] == "10"
    assert tiles[1] == f"{known.surprise:.2f} nats"
    assert tiles[3] == "–"
    assert float(tiles[2].replace(",", "")) == pytest.approx(known.perplexity, rel=0.01)


@pytest.mark.parametrize("width", [360, 1600])
def test_nothing_is_wider_than_its_room(opened, width):
    view = opened(Writer(Likes(n_ctx=64), Bytes(), "a" * 40, 10), width=width)
    for kind in ("model", "none"):
        view.page.locator(f"input[value={kind}]").check(force=True)
        drawn(view.page)
        over = view.page.evaluate("[...document.querySelectorAll('#el *')].filter((one) => getComputedStyle(one).clipPath === 'none' && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 99))")  # fmt: skip
        assert over == []
