"""Quality counted: against numbers worked by hand, transformers' loss, `generate`, and Tinytown's grammar."""

import math

import numpy as np
import pytest
import torch

from helpers import pretrained, quality, sampling, tinytown
from helpers.quality import distinct, misspelt
from helpers.tinytown import WordTokenizer
from helpers.transformer import GPT, GPTConfig

needs_minilm = pytest.mark.skipif(not pretrained.is_available("minilm"), reason="MiniLM was not fetched")
needs_smollm2 = pytest.mark.skipif(not pretrained.is_available("smollm2"), reason="SmolLM2 was not fetched")


def small_gpt(seed=1, **changes):
    """With large weights: freshly drawn ones expect every token alike."""
    sizes = {"vocab_size": 13, "n_ctx": 90, "n_layers": 2, "n_heads": 2, "d_model": 8} | changes
    model = GPT(GPTConfig(**sizes), seed=seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(6)
    return model


# --- counted in the text ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "n", "share"),
    [
        ("a a a a", 1, 1 / 4),
        ("a a a a", 2, 1 / 3),
        ("a b a b a", 2, 2 / 4),
        ("a b a b a", 3, 2 / 3),
        ("a b c d", 2, 1),
        ("a b", 2, 1),
    ],
)
def test_distinct_by_hand(text, n, share):
    assert distinct(text.split(), n) == pytest.approx(share)
    assert distinct([ord(word) for word in text.split()], n) == pytest.approx(share)


@pytest.mark.parametrize(
    ("tokens", "n", "message"),
    [
        ([1, 2], 0, r"n must be a whole number from 1, got 0; 2 counts pairs"),
        ([1, 2], 1.5, r"got 1.5"),
        ([1, 2], 3, r"a text needs at least 3 tokens for runs of 3, got 2; take a lower n"),
        ([], 1, r"got 0"),
    ],
)
def test_bad_runs(tokens, n, message):
    with pytest.raises(ValueError, match=message):
        distinct(tokens, n)


def test_words_are_judged_by_hand():
    words = {"the", "cat", "don", "t"}
    assert misspelt("the cat", words) == 0
    assert misspelt("the catt, teh cat: the the", words) == pytest.approx(2 / 6)
    assert misspelt("Zxq don't THE 12 café2 theCat", words) == pytest.approx(
        2 / 4
    )  # don, t; café and theCat not
    assert misspelt("das the größte", words) == pytest.approx(2 / 3)
    assert misspelt("the2cat, the_cat", words) == 0  # digits and underscores part words
    assert math.isnan(misspelt("Zxq 12 !", words))
    assert math.isnan(misspelt("", words))


@needs_minilm
def test_the_word_list_knows_this_courses_prose_and_finds_changed_letters():
    words = quality.known_words()
    assert len(words) == 21_745
    assert all(word.isascii() and word.islower() and word.isalpha() for word in words)
    text = " ".join(module.__doc__ for module in (quality, sampling, tinytown) if module.__doc__)
    assert misspelt(text, words) < 0.06
    rng, changed = np.random.default_rng(0), []
    longer = sorted(word for word in words if 5 <= len(word) <= 9)
    for word in rng.choice(longer, 500):
        at, letter = rng.integers(len(word)), rng.choice(list("abcdefghijklmnopqrstuvwxyz"))
        changed.append(word[:at] + letter + word[at + 1 :])
    assert misspelt(" ".join(changed), words) > 0.8  # one in 26 was not changed at all


# --- counted by the model ---------------------------------------------------------------------


def test_perplexity_by_hand():
    """A model without an opinion is as surprised as by a fair die with a side for each token."""
    model = small_gpt(vocab_size=7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    assert quality.perplexity_of(model, [1, 2, 3, 4]) == pytest.approx(7)


@pytest.mark.parametrize("prompt_length", [1, 5, 69])
def test_perplexity_against_torch_in_one_pass(prompt_length):
    model = small_gpt(dropout=0.3)
    ids = np.random.default_rng(3).integers(0, 13, size=70).tolist()
    with torch.no_grad():
        logits = model.eval()(torch.tensor([ids]))[0]
    log_odds = torch.log_softmax(logits.double(), dim=-1)
    model.train()  # with dropout, if the function forgot to switch it off
    costs = [-float(log_odds[at - 1, ids[at]]) for at in range(prompt_length, 70)]
    got = quality.perplexity_of(model, ids, prompt_length)
    assert got == pytest.approx(math.exp(sum(costs) / len(costs)), rel=1e-4)
    assert model.training


@pytest.mark.parametrize(
    ("ids", "prompt_length"), [([1, 2], 0), ([1, 2], 2), ([1], 1), ([], 1), ([1, 2, 3], -1)]
)
def test_bad_perplexity(ids, prompt_length):
    with pytest.raises(ValueError, match="prompt_length must be from 1 to"):
        quality.perplexity_of(small_gpt(), ids, prompt_length)


# --- many texts at once -----------------------------------------------------------------------


@pytest.mark.parametrize("stop", [[], [7, 2]])
def test_texts_written_side_by_side_are_those_written_in_turn(stop):
    model = small_gpt()
    prompts = [[1, 2, 3], [4, 5, 6], [1, 2, 3], [6, 6, 6], [0, 9, 9]]
    temperatures, seeds = [0.7, 1, 1.5, 0, 1], [3, 4, 3, 5, 9]
    found = quality.write(model, prompts, temperatures, 11, seeds, stop=stop)
    lengths = set()
    for text, prompt, temperature, seed in zip(found, prompts, temperatures, seeds, strict=True):
        steps = list(sampling.generate(model, prompt, 11, temperature=temperature, seed=seed, stop=stop))
        assert text.tokens == tuple(step.token for step in steps)
        np.testing.assert_allclose(text.surprises, [-np.log(step.odds) for step in steps], atol=1e-4)
        lengths.add(len(steps))
    assert (len(lengths) > 1) == bool(stop)  # some stopped sooner than others


def test_the_surprises_are_those_of_the_perplexity():
    model = small_gpt()
    (text,) = quality.write(model, [[1, 2, 3]], [1.4], 9, [0])
    again = quality.perplexity_of(model, [1, 2, 3, *text.tokens], 3)
    assert math.exp(np.mean(text.surprises)) == pytest.approx(again, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"prompts": [[1, 2], [3]]},
            r"prompts must have one length, and a temperature and a seed each, got lengths",
        ),
        ({"prompts": []}, r"0 prompts, 2 temperatures and 2 seeds; write the others apart"),
        ({"temperatures": [1]}, r"2 prompts, 1 temperatures and 2 seeds"),
        ({"seeds": [1, 2, 3]}, r"3 seeds"),
        ({"temperatures": [1, -1]}, r"temperature must be 0 or more, got -1"),
        ({"max_tokens": 0}, r"max_tokens must be a whole number from 1, got 0"),
    ],
)
def test_bad_writing(changes, message):
    arguments = {"prompts": [[1, 2], [3, 4]], "temperatures": [1, 2], "max_tokens": 3, "seeds": [0, 1]}
    with pytest.raises(ValueError, match=message):
        quality.write(small_gpt(), **(arguments | changes))


# --- over a range of temperatures -------------------------------------------------------------


@pytest.fixture(scope="module")
def toy():
    return pretrained.load_tinytown()


def test_every_row_is_what_its_own_texts_say(toy):
    model, tokenizer = toy
    # Of two lengths, so that there are two batches, and the first prompt is not in the first of them.
    prompts = ["once there was a red fox by the", "look , the fox", "today the clown", "look , the hen"]
    words = set(tokenizer.vocabulary) - {"fox"}
    rows = quality.measure_temperatures(model, tokenizer, prompts, [0, 1, 3], 12, words=words, seed=6)
    assert [row.temperature for row in rows] == [0, 1, 3]
    for row in rows:
        costs, first, second, texts = [], [], [], []
        for number, prompt in enumerate(prompts):
            ids = tokenizer.encode(prompt, special=True)
            steps = list(sampling.generate(model, ids, 12, temperature=row.temperature, seed=6 + number))
            tokens = [step.token for step in steps]
            costs += [-math.log(step.odds) for step in steps]
            first.append(distinct(tokens, 1))
            second.append(distinct(tokens, 2))
            texts.append(tokenizer.decode(tokens))
        assert row.texts == tuple(texts)
        assert row.perplexity == pytest.approx(math.exp(np.mean(costs)), rel=1e-3)
        assert row.distinct_1 == pytest.approx(np.mean(first))
        assert row.distinct_2 == pytest.approx(np.mean(second))
        assert row.misspelt == pytest.approx(misspelt(" ".join(texts), words))
    assert rows[0].perplexity < rows[1].perplexity < rows[2].perplexity
    assert rows[0].misspelt > 0


def test_tinytowns_grammar_judges_whole_stories():
    for story in tinytown.stories("train", 30):
        assert quality.is_allowed(story)
        assert quality.is_allowed(" ".join(story))
        assert not quality.is_allowed(story[:-1])
        assert not quality.is_allowed([*story, "."])
    assert not quality.is_allowed("the the")
    assert not quality.is_allowed("")


def test_stories_by_temperature(toy):
    model, tokenizer = toy
    cold, warm, hot = quality.measure_stories(model, tokenizer, [0, 1, 2.5], stories=30, seed=2)
    assert cold.allowed == 1
    assert cold.different == pytest.approx(1 / 30)
    assert warm.allowed > 0.8
    assert warm.different > 0.9
    assert hot.allowed < 0.3
    assert [row.temperature for row in (cold, warm, hot)] == [0, 1, 2.5]
    steps = sampling.generate(model, [tokenizer.start_id], 64, seed=2 + 4, stop=[tokenizer.end_id])
    assert warm.stories[4] == tokenizer.decode([step.token for step in steps][:-1])
    assert warm.allowed == pytest.approx(np.mean([quality.is_allowed(story) for story in warm.stories]))


def test_a_story_without_an_end_is_not_allowed():
    """A model that tells the story word for word and then, in place of the end, goes on."""
    tokenizer = WordTokenizer()
    story = list(tinytown.stories("train", 1)[0])
    path = tokenizer.encode_story(story)

    class Teller:
        def __init__(self, path):
            from types import SimpleNamespace

            self.path, self.config = path, SimpleNamespace(n_ctx=len(story))

        def __call__(self, ids):
            logits = np.full(tokenizer.vocab_size, -50.0)
            logits[self.path[len(ids)]] = 50
            return logits

    (cut,) = quality.measure_stories(Teller(path), tokenizer, [1], stories=1)
    assert cut.stories == (" ".join(story),)
    assert cut.allowed == 0
    whole = Teller(path)
    whole.config.n_ctx = len(story) + 1
    assert quality.measure_stories(whole, tokenizer, [1], stories=1)[0].allowed == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": []}, r"there must be a prompt and a temperature, got 0 and 1; 8 and 5 show it"),
        ({"temperatures": []}, r"there must be a prompt and a temperature, got 1 and 0"),
        ({"max_tokens": 1}, r"max_tokens must be a whole number from 2, got 1; 32 are two sentences"),
        ({"temperatures": [float("nan")]}, r"temperature must be 0 or more, got nan"),
        ({"max_tokens": 70}, r"at most 64 tokens"),
    ],
)
def test_bad_measuring(toy, changes, message):
    model, tokenizer = toy
    arguments = {"prompts": ["the fox"], "temperatures": [1], "max_tokens": 4, "words": {"the"}}
    with pytest.raises(ValueError, match=message):
        quality.measure_temperatures(model, tokenizer, **(arguments | changes))


@pytest.mark.parametrize(
    ("temperatures", "stories", "message"),
    [
        ([], 3, r"there must be a temperature, got none"),
        ([1], 0, r"stories must be a whole number from 1, got 0"),
    ],
)
def test_bad_stories(toy, temperatures, stories, message):
    with pytest.raises(ValueError, match=message):
        quality.measure_stories(*toy, temperatures, stories)


@needs_smollm2
@needs_minilm
def test_smollm2_gets_surprising_and_its_words_strange_when_it_is_hot():
    model, tokenizer = pretrained.load_smollm2()
    prompts = ["My grandmother used to say", "The history of the city"]
    cold, hot = quality.measure_temperatures(
        model, tokenizer, prompts, [0.3, 1.8], 12, words=quality.known_words()
    )
    assert cold.perplexity < 20 < 1000 < hot.perplexity
    assert cold.misspelt < 0.1 < hot.misspelt
    assert len(cold.texts) == 2


def test_the_module_needs_numpy_only():
    import subprocess
    import sys

    code = (
        "import sys, helpers.quality; assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_beginnings_have_the_same_number_of_tokens():
    if not pretrained.is_available("smollm2"):
        pytest.skip("needs SmolLM2: python -m helpers.pretrained")
    _, tokenizer = pretrained.load_smollm2()
    assert {len(tokenizer.encode(start)) for start in quality.STARTS} == {5}
