"""Skills: questions read off the program, scores by hand, heads switched off, and divergences against losses."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import skills, tinytown
from helpers.attention import best_heads, loss_with, read
from helpers.ngrams import NGram
from helpers.pretrained import load_tinytown
from helpers.skills import (
    REMEMBERED,
    SKILLS,
    SkillQuestion,
    divergence_by_kind,
    divergence_by_position,
    divergences,
    forgetful_loss,
    landmarks,
    lookback_attention,
    measure,
    skill_questions,
    without_heads,
    word_kinds,
    worst_places,
)
from helpers.training import TINYTOWN_CONFIG, TrainingConfig, evaluate, story_rows, train
from helpers.transformer import GPT, GPTConfig

WORDS = tinytown.VOCABULARY


@pytest.fixture(scope="module")
def model():
    return load_tinytown()[0]


@pytest.fixture(scope="module")
def questions():
    return skill_questions(7)


@pytest.fixture(scope="module")
def tales():
    return tinytown.told("test", 200, seed=4)


@pytest.fixture(scope="module")
def found(model, tales):
    return divergences(model, [tale.words for tale in tales])


def small(seed=0, **settings):
    """Three layers of two heads, with weights large enough that every head matters."""
    sizes = {"vocab_size": len(WORDS), "n_ctx": 60, "n_layers": 3, "n_heads": 2, "d_model": 10}
    model = GPT(GPTConfig(**(sizes | settings)), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.parameters():
            weights += 0.3 * torch.randn(weights.shape, generator=generator)
    return model


def indifferent():
    """A model to which all words are alike."""
    model = small()
    with torch.no_grad():
        model.embedding.weight.zero_()
    return model


def only(questions, skill):
    return [question for question in questions if question.skill == skill]


# ---------------------------------------------------------------------------------------------
# Landmarks.


def test_landmarks_stand_in_the_order_of_a_curve():
    train_on, fresh = tinytown.stories("train", 3000), tinytown.stories("test", 100)
    marks = landmarks(train_on, fresh)
    assert list(marks) == ["uniform", "unigram", "bigram", "trigram", "dice", "floor"]
    nats = [mark.nats for mark in marks.values()]
    assert nats[:5] == sorted(nats[:5], reverse=True)
    assert nats[0] == pytest.approx(math.log(len(WORDS)))
    assert nats[5] == pytest.approx(tinytown.entropy_per_token())
    assert nats[4] == pytest.approx(nats[5], rel=0.1)
    assert all(mark.meaning for mark in marks.values())
    assert len({mark.meaning for mark in marks.values()}) == len(marks)


def test_landmarks_are_paid_on_the_fresh_stories_by_what_was_counted_on_the_others():
    train_on, fresh = tinytown.stories("train", 50), tinytown.stories("test", 9)
    marks = landmarks(train_on, fresh)
    for order, name in enumerate(("unigram", "bigram", "trigram"), start=1):
        assert marks[name].nats == pytest.approx(NGram(order).count(train_on).loss(fresh))
    tokens = sum(len(words) + 1 for words in fresh)
    assert marks["dice"].nats == pytest.approx(sum(sum(tinytown.surprise(words)) for words in fresh) / tokens)


def test_landmarks_and_evaluate_count_alike():
    """A model to which all words are alike pays the landmark "uniform"."""
    fresh = tinytown.stories("test", 5)
    marks = landmarks(tinytown.stories("train", 20), fresh)
    assert evaluate(indifferent(), fresh) == pytest.approx(marks["uniform"].nats, rel=1e-5)


def test_landmarks_refuse_what_they_cannot_count():
    fresh = tinytown.stories("test", 3)
    with pytest.raises(ValueError, match="needs counts, got none"):
        landmarks([], fresh)
    with pytest.raises(ValueError, match="needs at least one text, got none"):
        landmarks(fresh, [])
    with pytest.raises(ValueError, match="no story goes on with 'sky'"):
        landmarks(fresh, [["sky"]])


# ---------------------------------------------------------------------------------------------
# Which die decided a word.


def kinds_of(text):
    """The words of the first story that begins so, each with its kind."""
    tale = next(tale for tale in map(tinytown.story, range(500)) if tale.text.startswith(text))
    return list(zip([*tale.words, "<end>"], word_kinds(tale), strict=True))


def test_kinds_of_words_by_hand():
    assert kinds_of("today the teacher")[:12] == [
        ("today", "[story]"), ("the", "fixed word"), ("teacher", "[speaker]"), ("says", "fixed word"),
        *kinds_of("today the teacher")[4:5], ("and", "fixed word"), *kinds_of("today the teacher")[6:7],
        ("is", "fixed word"), *kinds_of("today the teacher")[8:9], (".", "fixed word"), ("then", "fixed word"),
        ("the", "fixed word"),
    ]  # fmt: skip
    assert [kind for _, kind in kinds_of("today the teacher")][4:9:2] == [
        "[number]",
        "[number]",
        "{sum of a and b}",
    ]
    assert [kind for _, kind in kinds_of("look ,")] == [
        "[story]", "fixed word", "fixed word", "[animal]", "[does]", "fixed word", "[animal not hero]", "fixed word",
        "fixed word", "{rival}", *["fixed word"] * 3, "[place]", "fixed word", "fixed word", "{hero}",
        *["fixed word"] * 3, "{home}", "fixed word", "fixed word", "end",
    ]  # fmt: skip
    once = kinds_of("once there was")
    assert [kind for _, kind in once][:10] == [
        "[story]", *["fixed word"] * 3, "[colour]", "[animal]", "fixed word", "fixed word", "[place]", "fixed word",
    ]  # fmt: skip
    assert once[10] == ("the", "[scene]") or once[10] == ("a", "[scene]")


def test_kinds_agree_with_the_rolls_and_with_the_odds(tales):
    """A word has a die where one was rolled; where the dice leave a choice, one was; else its odds are 1."""
    for tale in tales[:60]:
        kinds = word_kinds(tale)
        assert len(kinds) == len(tale.words) + 1
        first = {roll.position: roll.die for roll in reversed(tale.rolls)}
        dice = {at: kind[1:-1].removesuffix(" not hero") for at, kind in enumerate(kinds) if kind[0] == "["}
        assert dice == first
        rivals = {roll.position for roll in tale.rolls if roll.remembered_as == "rival"}
        assert {at for at, kind in enumerate(kinds) if kind.endswith(" not hero]")} == rivals
        for odds, kind in zip(tinytown.TINYTOWN.next_word_distributions(tale.words), kinds, strict=True):
            assert (len(odds) > 1) == (kind[0] == "[")


def test_remembered_words_are_those_that_were_rolled(tales):
    assert {"{hue}", "{hero}", "{rival}", "{home}", "{who}"} == REMEMBERED
    for tale in tales[:60]:
        seen = {roll.remembered_as: roll.face for roll in tale.rolls}
        for word, kind in zip(tale.words, word_kinds(tale), strict=False):
            assert kind not in REMEMBERED or word == seen[kind[1:-1]]


# ---------------------------------------------------------------------------------------------
# Questions.


def test_as_many_questions_for_every_skill_as_asked_for(questions):
    assert [question.skill for question in questions] == [skill for skill in SKILLS for _ in range(7)]
    assert skill_questions(7, seed=1) != questions
    fewer = skill_questions(3)
    for skill in SKILLS:
        assert only(fewer, skill) == only(questions, skill)[:3]


def test_the_dice_allow_the_answer_and_no_other_word(questions):
    for question in questions:
        assert tinytown.next_word_distribution(question.words) == pytest.approx({question.answer: 1.0})


def test_where_the_answers_stand(questions):
    for question in questions:
        told = [question.words[place] for place in question.sources]
        if question.skill.endswith("sum"):
            speaker, first, second = told
            assert question.skill == f"{speaker}'s sum"
            assert question.answer == tinytown.add_numbers(*told)
            assert question.words[-4:] == (first, "and", second, "is")
        else:
            assert told == [question.answer]
        assert max(question.sources) < len(question.words) - 1


def test_what_each_skill_asks(questions):
    begins = {"animal": "once", "place": "once", "colour": "once", "swapped subject": "look"}
    for question in questions:
        first, before = question.words[0], question.words[-2:]
        assert first == begins.get(question.skill, "today")
        match question.skill:
            case "colour":
                assert question.sources == (4,)
                assert before == ("then", "the")
            case "animal":
                assert question.sources == (5,)
                assert before[0] == "the" or before == ("night", "the")
                assert {"then", "night"} & set(question.words[-3:])
            case "place":
                assert question.sources == (8,)
                assert before in (("to", "the"), ("by", "the"))
            case "swapped subject":
                assert question.sources == (6,)
                assert question.words[3] != question.answer
                assert before == ("!", "the")
    assert {len(question.words) for question in only(questions, "clown's sum")} > {8}  # also second sums


def test_questions_come_from_the_test_split(monkeypatch):
    splits = []

    def spy(split, count, seed):
        splits.append(split)
        return tinytown.draw_from_split(tinytown.TINYTOWN, lambda words: "all", ["all"], "all", count, seed)

    monkeypatch.setattr(tinytown, "told", spy)
    assert len(skill_questions(1)) == len(SKILLS)
    assert set(splits) == {"test"}


def test_animals_of_both_endings_are_asked_for(questions):
    asked = only(questions, "animal")
    assert {question.words[-3:-1] for question in asked} >= {("at", "night")}
    assert any("then" in question.words[-3:] for question in asked)


@pytest.mark.parametrize("count", [0, -1, 2.5, 301, math.nan, math.inf, True])
def test_bad_counts(count):
    with pytest.raises(ValueError, match=r"count must be a whole number from 1 to 300, got .*; try 10"):
        skill_questions(count)


# ---------------------------------------------------------------------------------------------
# Scores.


def test_scores_by_hand():
    """One question after another through the model alone, without padding."""
    model, questions = small(), skill_questions(3, seed=2)
    scores = measure(model, questions)
    assert list(scores) == list(SKILLS)
    tokenizer = tinytown.WordTokenizer()
    for skill, score in scores.items():
        odds = []
        for question in only(questions, skill):
            ids = [tokenizer.start_id, *(tokenizer.ids[word] for word in question.words)]
            row = model(torch.tensor([ids]))[0, -1].softmax(-1).detach()
            odds.append((row.argmax() == tokenizer.ids[question.answer], row[tokenizer.ids[question.answer]]))
        right, probability = np.array([[float(a), float(b)] for a, b in odds]).mean(0)
        assert score.accuracy == pytest.approx(right)
        assert score.probability == pytest.approx(probability, rel=1e-4)


def test_an_indifferent_model_gives_every_word_the_same(questions):
    for score in measure(indifferent(), questions).values():
        assert score.probability == pytest.approx(1 / len(WORDS), rel=1e-4)


def test_the_committed_model_has_every_skill_and_counting_has_none(model, questions):
    counts = NGram(2).count(tinytown.stories("train", 2000))
    for score in measure(model, questions).values():
        assert score.accuracy == pytest.approx(1)
        assert score.probability > 0.9
    for score in measure(counts, questions).values():
        assert score.accuracy < 0.7
        assert score.probability < 0.3


def test_counting_by_hand():
    """After "is": counted 4 times with 2 followers; the rest by Witten and Bell is in test_ngrams."""
    counts = NGram(2).count([["two", "is", "four"]] * 3 + [["two", "is", "five"]])
    ask = [SkillQuestion("teacher's sum", ("is",), "four", (0,)), SkillQuestion("clown's sum", ("is",), "five", (0,))]  # fmt: skip
    scores = measure(counts, ask)
    assert scores["teacher's sum"] == (1.0, pytest.approx(counts.probability("four", ["is"])))
    assert scores["clown's sum"] == (0.0, pytest.approx(counts.probability("five", ["is"])))
    assert list(measure(counts, ask[::-1])) == ["clown's sum", "teacher's sum"]


def test_measuring_does_not_disturb_training():
    inputs, targets = story_rows(tinytown.stories("train", 60))
    questions, tales = skill_questions(2), tinytown.told("test", 3)
    config = TrainingConfig(steps=4, batch_size=5, learning_rate=0.01)
    losses = []
    for measuring in (True, False):
        model = small(dropout=0.2)
        torch.manual_seed(5)  # dropout draws from torch's global state
        run = []
        for record in train(model, inputs, targets, config):
            run.append(record.loss)
            if measuring:
                measure(model, questions)
                lookback_attention(model, questions)
                measure(without_heads(model, [(1, 0)]), questions)
                divergence_by_kind(model, tales)
                worst_places(model, [tale.words for tale in tales], 2)
        losses.append(run)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_dropout_is_off_while_measuring(questions):
    model = small(dropout=0.5)
    once, twice = (measure(model.train(mode), questions) for mode in (True, False))
    for skill, score in once.items():
        assert score.probability == pytest.approx(twice[skill].probability, rel=1e-6)


@pytest.mark.parametrize("mode", [True, False])
def test_a_model_keeps_its_mode(mode):
    model, questions, words = small().train(mode), skill_questions(1), tinytown.stories("test", 1)
    for use in (
        lambda: measure(model, questions),
        lambda: lookback_attention(model, questions),
        lambda: divergences(model, words),
        lambda: worst_places(model, words, 1),
    ):
        use()
        assert model.training == mode


# ---------------------------------------------------------------------------------------------
# What forgetting costs.


def test_forgetting_the_colour_costs_the_entropy_of_its_die(tales):
    sides = np.array(list(tinytown.DICE["colour"].values()))
    entropy = -sum(p * math.log(p) for p in sides / sides.sum())
    tokens = sum(len(tale.words) + 1 for tale in tales)
    returns = sum(word_kinds(tale).count("{hue}") for tale in tales)
    more = forgetful_loss(tales, ["hue"]) - forgetful_loss(tales, [])
    # The mean surprise of about 60 rolls of the die.
    assert more * tokens / returns == pytest.approx(entropy, abs=0.25)
    assert returns > 40


def test_forgetting_by_hand():
    tale = next(tale for tale in map(tinytown.story, range(99)) if tale.text.startswith("today the clown"))
    # Only "then the {who}" is written from memory there; two of the five sides of the speaker's die show the clown.
    for forgotten in (["who"], ["who", "who", "hue"]):
        more = forgetful_loss([tale], forgotten) - forgetful_loss([tale], [])
        assert more * (len(tale.words) + 1) == pytest.approx(math.log(5 / 2))
    assert forgetful_loss([tale], []) == pytest.approx(np.mean(tinytown.surprise(tale.words)))


def test_forgetting_in_stories_of_different_length(tales):
    tokens = [len(tale.words) + 1 for tale in tales[:9]]
    each = [forgetful_loss([tale], ["home", "hue"]) for tale in tales[:9]]
    assert forgetful_loss(tales[:9], ["home", "hue"]) == pytest.approx(np.average(each, weights=tokens))


def test_nothing_that_was_forgotten_is_known():
    tales = tinytown.told("test", 2)
    with pytest.raises(
        ValueError, match=r"forgotten must name remembered words, got \{colour\}; stories remember"
    ):
        forgetful_loss(tales, ["colour"])
    with pytest.raises(ValueError, match="tales must be stories with their rolls, got none"):
        forgetful_loss([], ["hue"])
    with pytest.raises(ValueError, match="tales must be stories with their rolls, got tuple"):
        forgetful_loss([tales[0], tales[1].words], ["hue"])


# ---------------------------------------------------------------------------------------------
# Heads.


def test_lookback_by_hand(questions):
    model, ask = small(), skill_questions(2, seed=3)
    tokenizer = tinytown.WordTokenizer()
    expected = []
    for question in ask:
        ids = [tokenizer.start_id, *(tokenizer.ids[word] for word in question.words)]
        weights = read(model, ids).attention  # [layer, head, query, key]
        expected.append(sum(weights[:, :, -1, place + 1] for place in question.sources))
    spent = lookback_attention(model, ask)
    assert spent.shape == (3, 2)
    np.testing.assert_allclose(spent, np.mean(expected, axis=0), rtol=1e-4, atol=1e-6)


def test_a_head_of_the_committed_model_fetches_the_colour(model, questions):
    colour = only(questions, "colour")
    spent = lookback_attention(model, colour)
    ((layer, head, most),) = best_heads(spent, 1)
    assert most > 0.5
    off = measure(without_heads(model, [(layer, head)]), colour)["colour"]
    assert off.accuracy < 0.75 < measure(model, colour)["colour"].accuracy
    assert lookback_attention(GPT(TINYTOWN_CONFIG), colour).max() < 0.1  # before training


@pytest.mark.parametrize("skill", ["animal", "place", "colour", "swapped subject"])
def test_without_the_heads_that_look_back_a_skill_is_gone(model, questions, skill):
    asked = only(questions, skill)
    heads = [tuple(head) for head in np.argwhere(lookback_attention(model, asked) > 0.25).tolist()]
    assert 1 <= len(heads) <= 3
    assert measure(without_heads(model, heads), asked)[skill].accuracy < 0.6


@pytest.mark.parametrize("heads", [[], [(0, 1)], [(2, 0), (1, 1)], [(0, 0), (0, 1)]])
def test_without_heads_is_switching_them_off(heads):
    """Against ``helpers.attention.loss_with``, which writes zeros in place of what a head found."""
    model, fresh = small(bias=True), tinytown.stories("test", 7)
    before = copy.deepcopy(model.state_dict())
    expected = loss_with(model, fresh, heads_off=heads)
    assert evaluate(without_heads(model, heads), fresh) == pytest.approx(expected, rel=1e-5)
    assert (abs(expected - evaluate(model, fresh)) > 1e-3) == bool(heads)
    for name, weights in model.state_dict().items():  # the model itself stays whole
        torch.testing.assert_close(weights, before[name])


def test_heads_that_are_not_there(model, questions):
    with pytest.raises(ValueError, match=r"a head must be \(layer, head\) .* got \(2, 0\)"):
        without_heads(model, [(2, 0)])


# ---------------------------------------------------------------------------------------------
# Divergences.


def test_divergence_of_an_indifferent_model_by_hand():
    """ln V - H(p): equal odds for all words against the true dice, of which the first is the story's."""
    fresh = tinytown.stories("test", 3)
    found = divergences(indifferent(), fresh)
    p = np.array([10, 5, 3, 2]) / 20
    assert found[:, 0] == pytest.approx(math.log(len(WORDS)) + sum(p * np.log(p)), rel=1e-5)
    for row, words in zip(found, fresh, strict=True):
        assert np.isfinite(row).sum() == len(words) + 1
        assert np.isfinite(row[: len(words) + 1]).all()
        # The end is certain; "there" after "once" too.
        assert row[len(words)] == pytest.approx(math.log(len(WORDS)), rel=1e-5)


def test_divergence_against_torch():
    model, words = small(), tinytown.stories("test", 1)[0]
    odds = list(tinytown.TINYTOWN.next_word_distributions(words))
    inputs, _ = story_rows([words])
    with torch.no_grad():
        log_q = model(inputs)[0].double().log_softmax(-1)
    p = torch.tensor([[row.get(word, 0.0) for word in WORDS] for row in odds], dtype=torch.double)
    expected = torch.nn.functional.kl_div(log_q, p, reduction="none").sum(-1)
    np.testing.assert_allclose(divergences(model, [words])[0], expected.numpy(), rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_divergence_is_never_below_nothing(model, seed):
    row = divergences(model, [tinytown.story(seed).words])
    assert row.shape[0] == 1
    assert np.nanmin(row) > -1e-6


def test_a_model_pays_the_dice_and_the_divergence(model, tales, found):
    """Cross-entropy = entropy + divergence: at every place of a story the mean over the words that could come.

    The words that came are a draw: what they cost above the dice is the divergence and noise of mean 0, place by place.
    """
    for predictor in (model, small()):
        rows = found if predictor is model else divergences(predictor, [tale.words for tale in tales])
        excess, noise = 0.0, 0.0
        for row, tale in zip(rows, tales, strict=True):
            inputs, targets = story_rows([tale.words])
            with torch.no_grad():
                log_q = predictor(inputs)[0].double().log_softmax(-1)
            paid = -log_q[torch.arange(len(targets[0])), targets[0]].numpy()
            extra = paid - tinytown.surprise(tale.words) - row[: len(paid)]
            excess += extra.sum()
            noise += (extra**2).sum()
        assert abs(excess) < 4 * math.sqrt(noise)
    fresh = [tale.words for tale in tales]
    by_position = divergence_by_position(model, fresh)
    tokens = by_position.count.sum()
    gap = np.average(by_position.mean, weights=by_position.count)
    assert evaluate(model, fresh) - forgetful_loss(tales, []) == pytest.approx(gap, abs=0.003)
    assert tokens == sum(len(words) + 1 for words in fresh)


def test_divergence_by_position_is_the_mean_over_the_stories_that_get_there(model, tales, found):
    by_position = divergence_by_position(model, [tale.words for tale in tales])
    assert by_position.count[0] == len(tales)
    assert by_position.count[-1] >= 1
    assert len(by_position.mean) == max(len(tale.words) for tale in tales) + 1
    assert (np.diff(by_position.count) <= 0).all()
    long = [row[20] for row, tale in zip(found, tales, strict=True) if len(tale.words) >= 20]
    assert by_position.count[20] == len(long)
    assert by_position.mean[20] == pytest.approx(np.mean(long), rel=1e-6)


def test_a_story_may_be_given_as_text(model):
    words = tinytown.stories("test", 2)
    texts = [" ".join(story) for story in words]
    np.testing.assert_allclose(divergences(model, texts), divergences(model, words), atol=1e-6)
    assert worst_places(model, texts, 3)[0].words == worst_places(model, words, 3)[0].words


def test_batches_do_not_matter(model, tales, found, monkeypatch):
    monkeypatch.setattr(skills, "_AT_ONCE", 7)
    some = divergences(model, [tale.words for tale in tales[:16]])
    np.testing.assert_allclose(some, found[:16, : some.shape[1]], atol=1e-5)


def test_divergence_by_kind_by_hand(model, tales, found):
    kinds = divergence_by_kind(model, tales)
    rows = [row[: len(tale.words) + 1] for row, tale in zip(found, tales, strict=True)]
    by_hand = {}
    for row, tale in zip(rows, tales, strict=True):
        for nats, kind in zip(row, word_kinds(tale), strict=True):
            by_hand.setdefault(kind, []).append(nats)
    total = sum(row.sum() for row in rows)
    assert set(kinds) == set(by_hand)
    for kind, (mean, share, count) in kinds.items():
        assert mean == pytest.approx(np.mean(by_hand[kind]), rel=1e-6)
        assert share == pytest.approx(sum(by_hand[kind]) / total, rel=1e-6)
        assert count == len(by_hand[kind])
    assert sum(kind.share for kind in kinds.values()) == pytest.approx(1)
    shares = [kind.share for kind in kinds.values()]
    assert shares == sorted(shares, reverse=True)


def test_the_worst_places(model, tales, found):
    fresh = [tale.words for tale in tales]
    worst = worst_places(model, fresh, 6)
    assert len(worst) == len({place.words for place in worst}) == 6
    nats = [place.nats for place in worst]
    assert nats == sorted(nats, reverse=True)
    assert nats[0] == pytest.approx(np.nanmax(found), rel=1e-5)
    tokenizer = tinytown.WordTokenizer()
    for place in worst:
        assert place.true == tinytown.next_word_distribution(place.words)
        logits = model.reader()([tokenizer.start_id, *(tokenizer.ids[word] for word in place.words)])
        odds = torch.tensor(logits).double().softmax(-1)
        top = odds.topk(5)
        assert list(place.model) == [WORDS[word] for word in top.indices]
        assert list(place.model.values()) == pytest.approx(top.values.tolist(), rel=1e-3)


def test_a_beginning_that_stories_share_comes_once(model):
    same = tinytown.stories("test", 1) * 3
    assert len(worst_places(model, same, 1000)) == len(same[0]) + 1
    assert worst_places(model, same)[0].nats == pytest.approx(np.nanmax(divergences(model, same)), rel=1e-5)
    assert len(worst_places(model, same)) == 5


# ---------------------------------------------------------------------------------------------
# Bad input.


def test_models_that_do_not_speak_tinytown(questions, tales):
    foreign = GPT(GPTConfig(vocab_size=7, n_ctx=60, n_layers=1, n_heads=1, d_model=4))
    broken = small()
    with torch.no_grad():
        broken.blocks[1].mlp.up.weight[0, 0] = math.nan
    short = small(n_ctx=5)
    words = [tale.words for tale in tales[:2]]
    uses = (
        lambda model: measure(model, questions),
        lambda model: lookback_attention(model, questions),
        lambda model: divergences(model, words),
        lambda model: divergence_by_position(model, words),
        lambda model: divergence_by_kind(model, tales[:2]),
        lambda model: worst_places(model, words),
    )
    for use in (*uses, lambda model: without_heads(model, [])):
        with pytest.raises(
            ValueError, match=r"a GPT with Tinytown's \d+ words, got 7 words; try load_tinytown"
        ):
            use(foreign)
        with pytest.raises(ValueError, match="weights must be finite, got NaN or infinity"):
            use(broken)
    for use in uses:
        with pytest.raises(ValueError, match="a text must have at most 5 tokens for this model"):
            use(short)
        assert short.training  # as it was


def test_questions_and_stories_that_are_none(model):
    for use in (measure, lookback_attention):
        with pytest.raises(
            ValueError, match=r"questions must be a list of SkillQuestion, got none; skill_questions"
        ):
            use(model, [])
        with pytest.raises(ValueError, match="questions must be a list of SkillQuestion, got str"):
            use(model, ["what colour ?"])
    with pytest.raises(ValueError, match="stories must hold at least one story, got none"):
        divergences(model, [])
    with pytest.raises(ValueError, match="no story goes on with 'fox' after 'look ,'"):
        divergences(model, ["look , fox"])
    with pytest.raises(ValueError, match="tales must be stories with their rolls, got none"):
        divergence_by_kind(model, [])
    with pytest.raises(ValueError, match="tales must be stories with their rolls, got tuple"):
        divergence_by_kind(model, tinytown.stories("test", 2))
    with pytest.raises(ValueError, match="n must be a whole number from 1 to 1000, got 0"):
        worst_places(model, tinytown.stories("test", 2), 0)
    with pytest.raises(ValueError, match="counts, got none"):
        measure(NGram(2), skill_questions(1))
