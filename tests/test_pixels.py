"""Pictures as texts: read, counted, drawn and judged as they should be; and what the committed model can do."""

import importlib.util
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from helpers import pixels
from helpers.pixels import (
    BASELINES,
    CONFIG,
    MOST,
    SHEETS,
    START,
    TOKENS,
    TRAINING,
    WEIGHTS,
    Digits,
    Judge,
    attention_by_offset,
    baselines,
    bits_per_pixel,
    complete,
    completions,
    count_levels,
    default_judge,
    dice,
    digits,
    draw,
    judge_completions,
    load_pixels,
    main,
    quantise,
    samples,
    sequences,
    surprise,
    to_grey,
    training_rows,
)
from helpers.sampling import _fall, entropy, temperature_softmax, uniforms
from helpers.training import token_losses
from helpers.transformer import GPT, GPTConfig


def tiny_model(vocab_size=15, n_ctx=64, **parts):
    """Untrained, and with weights so large that its odds are far from even."""
    return GPT(GPTConfig(vocab_size, n_ctx, n_layers=2, n_heads=3, d_model=12, **parts), seed=4, std=0.7)


@pytest.fixture(scope="module")
def tiny():
    return tiny_model(dropout=0.5).eval()


@pytest.fixture(scope="module")
def model():
    return load_pixels()


@pytest.fixture(scope="module")
def plain():
    """The module as a learner has it: no type is checked before our own checks see it."""
    spec = importlib.util.spec_from_file_location("plain_pixels", pixels.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def some_images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (count, 8, 8))


# ---------------------------------------------------------------------------------------------
# The data.


def test_each_grey_goes_to_the_nearest_shade():
    assert quantise(range(17)).tolist() == [0] * 3 + [1] * 5 + [2] * 6 + [3] * 3
    distances = abs(np.arange(17)[:, None] - to_grey([0, 1, 2, 3]))
    np.testing.assert_allclose(
        distances[np.arange(17), quantise(range(17))], distances.min(axis=1), atol=1e-12
    )
    np.testing.assert_array_equal(quantise(np.round(to_grey([[0, 1], [2, 3]]))), [[0, 1], [2, 3]])
    np.testing.assert_allclose(to_grey([[3], [1]]), [[16], [16 / 3]])


def test_the_digits_are_those_of_scikit_learn():
    data, everything = load_digits(), digits("all")
    assert everything.levels.shape == (1797, 8, 8)
    np.testing.assert_array_equal(everything.labels, data.target)
    assert abs(to_grey(everything.levels) - data.images).max() <= 16 / 6 + 1e-9  # half a step between shades
    assert [len(digits(split).labels) for split in SHEETS] == [1285, 252, 260]


def test_no_sheet_is_in_two_splits_and_none_is_left_out():
    assert sorted(sum(SHEETS.values(), ())) == list(range(14))
    for split, sheets in SHEETS.items():
        assert set(digits(split).sheets) == set(sheets)
    everything = digits("all")
    rows = [tuple(row) for split in SHEETS for row in digits(split).levels.reshape(-1, 64)]
    assert Counter(rows) == Counter(tuple(row) for row in everything.levels.reshape(-1, 64))
    chosen = everything.sheets == 9
    np.testing.assert_array_equal(
        everything.levels[chosen], digits("test").levels[digits("test").sheets == 9]
    )


def test_a_sheet_begins_as_the_form_does():
    everything = digits("all")
    for sheet in range(14):
        labels = everything.labels[everything.sheets == sheet].tolist()
        assert 110 <= len(labels) <= 130
        if sheet == 7:  # which lacks its first 0
            labels = [0, *labels]
        if sheet == 12:  # which lacks its second 7 and 8
            labels = [*labels[:17], 7, 8, *labels[17:]]
        assert labels[:30] == [*range(10)] * 3


def test_the_digits_can_not_be_written_to():
    assert digits() is digits("train")
    for part in digits():
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 1


def test_a_picture_becomes_a_text():
    assert TOKENS[START] == "<start>"
    assert [TOKENS[START + 1 + digit] for digit in range(10)] == [f"<{digit}>" for digit in range(10)]
    images = some_images(3)
    inputs, targets = sequences(images)
    np.testing.assert_array_equal(targets.reshape(3, 8, 8), images)  # row by row
    np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])
    assert inputs[:, 0].tolist() == [4, 4, 4]
    named, same = sequences(images, np.array([0, 9, 3]))
    assert named[:, 0].tolist() == [5, 14, 8]
    assert torch.equal(named[:, 1:], inputs[:, 1:])
    assert torch.equal(same, targets)
    assert inputs.dtype == targets.dtype == torch.long


def test_every_picture_is_trained_on_with_and_without_its_name():
    data = Digits(some_images(3), np.array([7, 0, 2]), np.array([1, 1, 1]))
    inputs, targets = training_rows(data)
    assert inputs[:, 0].tolist() == [4, 4, 4, 12, 5, 7]
    np.testing.assert_array_equal(targets, np.tile(data.levels.reshape(3, 64), (2, 1)))
    np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])


# ---------------------------------------------------------------------------------------------
# Bits.


def test_counting_by_hand():
    """One picture: its left half is ink, its right half paper."""
    image = np.zeros((1, 8, 8), dtype=int)
    image[:, :, :4] = 3
    bits = {counts.name: bits_per_pixel(counts, image) for counts in baselines(image, smoothing=0)}
    # By place, and by place and neighbours, every pixel was seen: sure. Left and above: in the first row, ink after the
    # edge or after ink, paper after ink once: after ink and under the edge ink comes 3 times of 4, paper once. Below,
    # under ink and after the edge, and under ink and after ink, ink; under paper and after ink, paper. No doubt there.
    first_row = 3 * -math.log2(3 / 4) - math.log2(1 / 4)
    assert bits == pytest.approx(
        {
            "uniform": 2,
            "histogram": 1,
            "by place": 0,
            "neighbours": first_row / 64,
            "place and neighbours": 0,
        }
    )


def test_smoothing_by_hand():
    image = np.full((1, 8, 8), 2)
    counts = count_levels(image, "by place", smoothing=1.5)
    np.testing.assert_allclose(counts.odds, [[1.5 / 7, 1.5 / 7, 2.5 / 7, 1.5 / 7]] * 64)
    assert count_levels(image, "by place").odds[0, 2] == pytest.approx(1.5 / 3)  # 0.5 is the default
    assert bits_per_pixel(counts, image) == pytest.approx(math.log2(7 / 2.5))
    assert bits_per_pixel(counts, image - 1) == pytest.approx(math.log2(7 / 1.5))
    exact = count_levels(image, "histogram", smoothing=0)
    assert bits_per_pixel(exact, image - 1) == math.inf
    assert bits_per_pixel(exact, image) == 0
    # What never came is uniform, whatever the smoothing.
    for smoothing in (0, 0.5):
        unseen = count_levels(image, "neighbours", smoothing=smoothing).odds[0]
        np.testing.assert_allclose(unseen, [0.25] * 4)


def test_neighbours_are_left_and_above():
    images = some_images(2, seed=3)
    counts = count_levels(images, "neighbours", smoothing=0)
    seen = Counter()
    for image in images:
        for row in range(8):
            for column in range(8):
                left = image[row, column - 1] if column else 4
                above = image[row - 1, column] if row else 4
                seen[int(left), int(above), int(image[row, column])] += 1
    for left in range(5):
        for above in range(5):
            total = sum(seen[left, above, level] for level in range(4))
            if total:
                expected = [seen[left, above, level] / total for level in range(4)]
                np.testing.assert_allclose(counts.odds[left * 5 + above], expected)


def test_a_histogram_pays_its_entropy():
    images = digits().levels
    shares = np.bincount(images.ravel()) / images.size
    counts = count_levels(images, "histogram", smoothing=0)
    np.testing.assert_allclose(counts.odds, shares[None])
    assert bits_per_pixel(counts, images) == pytest.approx(entropy(shares) / math.log(2))
    by_place = count_levels(images, "by place", smoothing=0)
    entropies = [entropy(np.bincount(pixel, minlength=4) / len(images)) for pixel in images.reshape(-1, 64).T]
    assert bits_per_pixel(by_place, images) == pytest.approx(np.mean(entropies) / math.log(2))


def test_the_baselines_on_held_out_digits():
    bits = [bits_per_pixel(counts, digits("test").levels) for counts in baselines(digits().levels)]
    assert [counts.name for counts in baselines(digits().levels)] == list(BASELINES)
    assert bits == pytest.approx([2, 1.6921, 1.2241, 1.2382, 0.9980], abs=2e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(list(BASELINES)), st.floats(0, 10))
def test_counted_odds_are_odds(seed, name, smoothing):
    counts = count_levels(some_images(3, seed), name, smoothing)
    np.testing.assert_allclose(counts.odds.sum(axis=1), 1)
    odds = dice(counts, some_images(2, seed + 1))
    assert odds.shape == (2, 64, 4)
    np.testing.assert_allclose(odds.sum(axis=2), 1)


def test_the_bits_of_a_gpt_are_its_cross_entropy_over_the_shades(tiny):
    images = some_images(5)
    for labels in (None, np.array([0, 9, 4, 4, 1])):
        inputs, targets = sequences(images, labels)
        with torch.no_grad():
            logits = tiny(inputs)[:, :, :4].double()
        losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none") / math.log(2)
        np.testing.assert_allclose(surprise(tiny, images, labels).ravel(), losses, atol=1e-5)
        assert bits_per_pixel(tiny, images, labels) == pytest.approx(losses.mean().item(), abs=1e-5)
    assert abs(surprise(tiny, images) - surprise(tiny, images, [0, 9, 4, 4, 1])).max() > 0.1


def test_only_earlier_pixels_count(tiny):
    images = some_images(2)
    changed = images.copy()
    changed[:, 3, 5] = 3 - changed[:, 3, 5]
    before, after = dice(tiny, images), dice(tiny, changed)
    np.testing.assert_allclose(before[:, : 3 * 8 + 6], after[:, : 3 * 8 + 6], atol=1e-6)
    assert (abs(before - after).max(axis=2)[:, 3 * 8 + 6 :] > 1e-6).all()


def test_many_pictures_are_read_in_parts(tiny):
    images = some_images(259)
    np.testing.assert_allclose(
        dice(tiny, images)[[0, 255, 258]], dice(tiny, images[[0, 255, 258]]), atol=1e-5
    )


def test_reading_leaves_the_mode_alone():
    model = tiny_model(dropout=0.5)
    images = some_images(2)
    for training in (True, False):
        model.train(training)
        first = surprise(model, images)
        np.testing.assert_allclose(surprise(model, images), first)  # without dropout
        samples(model, 2)
        attention_by_offset(model, images)
        assert model.training is training
        assert all(weight.requires_grad for weight in model.parameters())


# ---------------------------------------------------------------------------------------------
# Drawing.


@pytest.mark.parametrize(("rows", "temperature"), [(0, 1.0), (3, 0.6), (7, 1.7), (4, 0), (2, math.inf)])
def test_drawing_is_reading_and_rolling(tiny, rows, temperature):
    """Again, pixel by pixel, without a cache and one picture at a time."""
    tops, labels = some_images(3, seed=7)[:, :rows], [3, 0, 9]
    drawn = draw(tiny, tops, temperature, seed=5, labels=labels)
    points = uniforms(3 * 64, seed=5).reshape(3, 64)
    np.testing.assert_array_equal(drawn.levels[:, :rows], tops)
    for picture, label in enumerate(labels):
        levels = drawn.levels[picture].ravel()
        with torch.no_grad():
            for pixel in range(64):
                ids = torch.tensor([[5 + label, *levels[:pixel]]])
                odds = temperature_softmax(tiny(ids)[0, -1, :4].numpy(), temperature)
                np.testing.assert_allclose(drawn.dice[picture, pixel], odds, atol=1e-5)
                assert drawn.probabilities[picture, pixel] == drawn.dice[picture, pixel, levels[pixel]]
                if pixel >= 8 * rows:
                    rolled = _fall(drawn.dice[picture, pixel], points[picture, pixel, None])
                    assert levels[pixel] == rolled[0]


def test_one_is_the_first_of_many(tiny):
    top = some_images(1)[0, :5]
    many = completions(tiny, top, 6, seed=2, digit=0)
    fewer = completions(tiny, top, 4, seed=2, digit=0)
    one = complete(tiny, top, seed=2, digit=0)
    np.testing.assert_array_equal(many.levels[:4], fewer.levels)
    np.testing.assert_array_equal(many.levels[0], one.levels)
    np.testing.assert_allclose(many.dice[0], one.dice, atol=1e-6)
    np.testing.assert_allclose(many.probabilities[0], one.probabilities, atol=1e-6)
    assert one.levels.shape == (8, 8)
    assert one.dice.shape == (64, 4)
    assert len({picture.tobytes() for picture in many.levels}) == 6
    named = draw(tiny, np.repeat(top[None], 6, axis=0), seed=2, labels=[0] * 6)
    np.testing.assert_array_equal(many.levels, named.levels)
    drawn, nothing = samples(tiny, 3, 0.7, 9, 1), np.zeros((3, 0, 8), dtype=int)
    np.testing.assert_array_equal(drawn.levels, draw(tiny, nothing, 0.7, 9, [1, 1, 1]).levels)
    assert (samples(tiny, 3, 0.7, 9).levels != drawn.levels).any()
    assert (samples(tiny, 3, 0.7, 10, 1).levels != drawn.levels).any()


def test_temperature_0_has_one_end(tiny):
    top = some_images(1)[0, :4]
    first, again = completions(tiny, top, 2, temperature=0).levels
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, complete(tiny, top, temperature=0, seed=7).levels)
    np.testing.assert_allclose(complete(tiny, top, temperature=0).probabilities[32:], 1)


def test_what_is_impossible_is_never_rolled(tiny, monkeypatch):
    """Not even by the lowest point, which lies on the edge of a stretch without length."""
    monkeypatch.setattr(pixels, "uniforms", lambda n, seed: np.zeros(n))
    for name in range(10):
        assert (complete(tiny, np.zeros((4, 8)), 0, digit=name).probabilities[32:] > 0.2).all()


# ---------------------------------------------------------------------------------------------
# The judge.


def test_the_judge_is_the_classifier_of_nearest_neighbours():
    data, asked = digits("validation"), digits("test").levels[:60]
    framed = np.pad(data.levels, ((0, 0), (1, 1), (1, 1)))
    moved = [framed[:, 1 + down : 9 + down, 1 + right : 9 + right]
             for down, right in ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0))]  # fmt: skip
    known = np.concatenate(moved).reshape(-1, 64)
    reference = KNeighborsClassifier(1, algorithm="brute").fit(known, np.tile(data.labels, 5))
    judge = Judge(data, neighbours=1)
    found = judge(asked)
    np.testing.assert_allclose(found.distance, reference.kneighbors(asked.reshape(-1, 64))[0][:, 0])
    assert (found.labels == reference.predict(asked.reshape(-1, 64))).mean() > 0.95  # ties may differ
    assert (found.sure == 1).all()


def test_the_judge_by_hand():
    """Known: one picture all ink, labelled 4, two with a single light pixel in the middle, labelled 7 and 2."""
    known = np.zeros((3, 8, 8), dtype=int)
    known[0], known[1, 4, 4], known[2, 4, 4] = 3, 1, 1
    judge = Judge(Digits(known, np.array([4, 7, 2]), np.array([0, 0, 0])), neighbours=3)
    asked = np.zeros((3, 8, 8), dtype=int)
    asked[0], asked[1, 4, 4], asked[2, 4, 5] = 3, 1, 2
    found = judge(asked)
    # Ink is exactly known; its two next neighbours are ink moved, also a 4. The dot has both dots at 0 and then a
    # moved 7 at the root of 2, as near as any moved 2, and first among them.
    assert found.labels.tolist() == [4, 7, 7]
    np.testing.assert_allclose(found.sure, [1, 2 / 3, 2 / 3])
    np.testing.assert_allclose(found.distance, [0, 0, 1])


def test_the_judge_is_good_on_digits_of_other_people():
    found = default_judge()(digits("test").levels)
    assert (found.labels == digits("test").labels).sum() == 254  # of 260: whole numbers, the same everywhere
    assert 0.9 < found.sure.mean() < 1
    assert default_judge() is default_judge()


# ---------------------------------------------------------------------------------------------
# Where a pixel looks.


def test_attention_by_offset_pair_by_pair(tiny):
    images, labels = some_images(70), np.arange(70) % 10  # more than one part
    found = attention_by_offset(tiny, images, labels)
    inputs, _ = sequences(images, labels)
    with torch.no_grad():
        attention = tiny(inputs, trace=True)[1].attention.mean(dim=1).numpy()
    weights = {}
    for pixel in range(64):
        for earlier in range(pixel):
            offset = (pixel // 8 - earlier // 8, earlier % 8 - pixel % 8)
            weights.setdefault(offset, []).append(attention[:, :, pixel, earlier + 1])
    for row, above in enumerate(found.rows_above):
        for column, right in enumerate(found.columns_right):
            at = found.weights[:, :, row, column]
            if (above, right) in weights:
                np.testing.assert_allclose(at, np.mean(weights[above, right], axis=0), atol=1e-6)
            else:
                assert np.isnan(at).all()
    np.testing.assert_allclose(found.first, attention[:, :, :, 0].mean(axis=2), atol=1e-6)
    assert found.weights.shape == (2, 3, 8, 15)
    assert (found.rows_above[1], found.columns_right[7]) == (1, 0)


# ---------------------------------------------------------------------------------------------
# The committed model, and how it is made.


def test_the_committed_model_beats_all_counting(model):
    assert model.config == CONFIG
    assert WEIGHTS.stat().st_size < 600_000
    test = digits("test")
    best = min(bits_per_pixel(counts, test.levels) for counts in baselines(digits().levels))
    plain, named = bits_per_pixel(model, test.levels), bits_per_pixel(model, test.levels, test.labels)
    assert 0.75 < plain < best - 0.15
    assert 0.65 < named < plain - 0.04
    # Other tokens than shades are as good as impossible, so that it hardly matters that they are left out.
    inputs, targets = sequences(test.levels)
    with torch.no_grad():
        whole = token_losses(model, inputs, targets).mean().item() / math.log(2)
    assert abs(whole - plain) < 1e-3


def test_the_committed_model_completes_halves(model):
    half = Digits(*(part[:130] for part in digits("test")))  # one sheet
    cold, plain, hot = (judge_completions(model, half, temperature) for temperature in (0, 1, 2))
    assert (cold.pictures, cold.temperature, cold.different) == (130, 0, 0)
    assert plain.different > 125
    assert min(cold.right, plain.right) > 80  # guessing is right 13 times
    assert cold.sure > plain.sure + 10 > hot.sure + 15
    assert cold.distance < plain.distance - 0.3 < hot.distance - 0.6
    told = judge_completions(model, half, told=True)
    assert told.right > plain.right + 15
    assert judge_completions(model, half, 0.5, rows=0, told=True).right > 115  # from the name alone


def test_completions_are_counted_one_by_one(model):
    data = Digits(*(part[:12] for part in digits("test")))
    counted = judge_completions(model, data, 0.9, rows=3, seed=5)
    first, second = (draw(model, data.levels[:, :3], 0.9, seed).levels for seed in (5, 6))
    found = default_judge()(first)
    assert counted.pictures == 12
    assert counted.right == sum(a == b for a, b in zip(found.labels, data.labels, strict=True))
    assert counted.sure == sum(share == 1 for share in found.sure)
    assert counted.distance == pytest.approx(found.distance.mean())
    assert counted.different == sum(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    other = Judge(Digits(*(part[:9] for part in digits())), neighbours=2)
    assert judge_completions(model, data, 0.9, 3, 5, judge=other).distance > counted.distance


@pytest.mark.parametrize("shade", [0, 3])
@pytest.mark.parametrize("temperature", [0, 1])
def test_an_empty_and_a_full_top_are_completed(model, shade, temperature):
    drawn = complete(model, np.full((4, 8), shade), temperature)
    assert (drawn.levels[:4] == shade).all()
    assert (drawn.levels[4:] > 0).any()  # something is drawn
    assert (drawn.levels[4:] < 3).any()  # and paper is left
    np.testing.assert_allclose(drawn.dice.sum(axis=1), 1)


def test_the_committed_model_has_learned_which_pixel_is_above(model):
    """It stands eight tokens back; nothing but the pictures says that it is near."""
    found = attention_by_offset(model, digits("test").levels[:100])
    above = found.weights[0, :, 1, 7]
    two_above_and_aside = found.weights[0, :, 2, 4]
    assert above.max() > 0.1
    assert above.max() > 4 * two_above_and_aside.max()


def test_the_model_can_be_trained_on(model):
    assert not any(weight.requires_grad for weight in model.parameters())
    assert all(weight.requires_grad for weight in load_pixels(trainable=True).parameters())


def test_a_missing_model_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(pixels, "WEIGHTS", tmp_path / "pixels.safetensors")
    with pytest.raises(FileNotFoundError, match=r"not there; run: git checkout helpers/weights$"):
        load_pixels()
    (tmp_path / "pixels.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"run: git checkout helpers/weights$"):
        load_pixels()


def test_the_command_keeps_the_best_weights(monkeypatch, tmp_path, capsys):
    few = {split: Digits(*(part[:40] for part in digits(split))) for split in SHEETS}
    monkeypatch.setattr(pixels, "digits", lambda split="train": few[split])
    monkeypatch.setattr(pixels, "TRAINING", replace(TRAINING, batch_size=8, learning_rate=0.01))
    monkeypatch.setattr(pixels, "LOOK_EVERY", 2)
    # The middle look finds the best.
    looks = iter([5.0, 5.0, 1.0, 2.0, 3.0, 3.0] + [0.5] * 7)
    kept = []

    def look(model, images, labels=None):
        if isinstance(model, GPT):
            kept.append(model.embedding.weight.detach().clone())
        return next(looks)

    monkeypatch.setattr(pixels, "bits_per_pixel", look)
    path = tmp_path / "pixels.safetensors"
    main(["--steps", "5", "--out", str(path)])
    shown = capsys.readouterr().out
    assert "step     2 " in shown
    assert "step     5 " in shown
    assert shown.endswith("wrote pixels.safetensors, 417 kB\n")
    monkeypatch.setattr(pixels, "WEIGHTS", path)
    written = load_pixels().embedding.weight
    torch.testing.assert_close(written, kept[2])
    assert not torch.equal(written, kept[0])
    assert not torch.equal(written, kept[4])


# ---------------------------------------------------------------------------------------------
# Bad input.

BLANK = np.zeros((1, 8, 8), dtype=int)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.quantise([17]), "grey must be whole numbers from 0 to 16"),
        (lambda p: p.quantise([-1]), "grey must be whole numbers from 0 to 16"),
        (lambda p: p.quantise([2.5]), "grey must be whole numbers from 0 to 16"),
        (lambda p: p.quantise([math.nan]), "grey must be whole numbers from 0 to 16"),
        (lambda p: p.quantise("ink"), "grey must be numbers in an array, got 'ink'"),
        (lambda p: p.to_grey([4]), r"levels must be whole numbers from 0 \(paper\) to 3 \(ink\), got 4; quantise"),
        (lambda p: p.digits("training"), "split must be one of train, validation, test or all, got 'training'"),
        (lambda p: p.digits([]), "split must be one of"),
        (lambda p: p.sequences(BLANK[0]), r"levels must be pictures \[image, 8, 8\], at least one, got the shape \[8, 8\]; wrap"),
        (lambda p: p.sequences(BLANK[:0]), r"got the shape \[0, 8, 8\]; digits"),
        (lambda p: p.sequences([[1, 2], [3]]), "levels must be numbers in an array"),
        (lambda p: p.sequences(None), "levels must be numbers in an array, got None"),
        (lambda p: p.sequences(BLANK.astype(bool)), "levels must be numbers in an array"),
        (lambda p: p.sequences(BLANK - 1), "got -1"),
        (lambda p: p.sequences(BLANK + 0.5), "got 0.5"),
        (lambda p: p.sequences(BLANK + math.nan), "got nan"),
        (lambda p: p.sequences(BLANK, [10]), "labels must be a digit from 0 to 9 for each of the 1 pictures"),
        (lambda p: p.sequences(BLANK, [1, 2]), "labels must be a digit"),
        (lambda p: p.sequences(BLANK, 3), "labels must be a digit"),
        (lambda p: p.sequences(BLANK, ["3"]), "labels must be a digit"),
        (lambda p: p.sequences(BLANK, [3.0]), "labels must be a digit"),
        (lambda p: p.count_levels(BLANK, "bigram"), "name must be one of uniform, histogram, .*got 'bigram'"),
        (lambda p: p.count_levels(BLANK, []), "name must be one of"),
        (lambda p: p.count_levels(BLANK, "histogram", -1), "smoothing must be 0 or more and finite, got -1"),
        (lambda p: p.count_levels(BLANK, "histogram", math.nan), "smoothing must be 0 or more and finite, got nan"),
        (lambda p: p.count_levels(BLANK, "histogram", math.inf), "smoothing must be 0 or more and finite, got inf"),
        (lambda p: p.count_levels(BLANK, "histogram", "none"), "smoothing must be 0 or more and finite, got 'none'"),
        (lambda p: p.bits_per_pixel(None, BLANK), "the model must be a GPT with the 15 tokens of pictures, got None"),
        (lambda p: p.bits_per_pixel(p.count_levels(BLANK, "histogram"), BLANK, [1]), "labels must be None for a baseline"),
        (lambda p: p.samples(tiny_model(vocab_size=7), 1), "15 tokens of pictures, got one with 7"),
        (lambda p: p.samples(tiny_model(n_ctx=63), 1), "the model must read 64 tokens, got one with n_ctx=63"),
        (lambda p: p.Judge(Digits(BLANK, [1], [0]), neighbours=0), "neighbours must be a whole number from 1 to 1, got 0"),
        (lambda p: p.Judge(Digits(BLANK, [1], [0]), neighbours=2), "neighbours must be a whole number from 1 to 1, got 2"),
        (lambda p: p.Judge(Digits(BLANK, [1, 2], [0]), 1), "labels must be a digit from 0 to 9 for each of the 1"),
        (lambda p: p.Judge(Digits(BLANK, None, [0]), 1), "labels must be a digit"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(plain, call, message):
    with pytest.raises(ValueError, match=message):
        call(plain)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, m: p.complete(m, BLANK[0]), "a row must be left to draw, got 8 of 8; give fewer"),
        (lambda p, m: p.complete(m, BLANK[0, :0]), r"got the shape \[0, 8\]; samples draws without any"),
        (lambda p, m: p.complete(m, BLANK[0, 0]), r"top must be rows of 8 shades, \[row, 8\], at least one, got the shape \[8\]"),
        (lambda p, m: p.complete(m, BLANK), r"got the shape \[1, 8, 8\]"),
        (lambda p, m: p.complete(m, BLANK[0, :4, :7]), r"got the shape \[4, 7\]"),
        (lambda p, m: p.complete(m, BLANK[0, :4] + 4), "got 4"),
        (lambda p, m: p.complete(m, BLANK[0, :4], -0.5), "temperature must be 0 or more, got -0.5; 0 is greedy"),
        (lambda p, m: p.complete(m, BLANK[0, :4], math.nan), "temperature must be 0 or more, got nan"),
        (lambda p, m: p.complete(m, BLANK[0, :4], "hot"), "temperature must be a number from 0, got 'hot'"),
        (lambda p, m: p.complete(m, BLANK[0, :4], None), "temperature must be a number from 0, got None"),
        (lambda p, m: p.complete(m, BLANK[0, :4], True), "temperature must be a number from 0, got True"),
        (lambda p, m: p.complete(m, BLANK[0, :4], digit=10), "digit must be a whole number from 0 to 9, got 10"),
        (lambda p, m: p.complete(m, BLANK[0, :4], digit="3"), "digit must be a whole number from 0 to 9, got '3'"),
        (lambda p, m: p.complete(m, BLANK[0, :4], digit=True), "digit must be a whole number from 0 to 9, got True"),
        (lambda p, m: p.completions(m, BLANK[0, :4], 0), "count must be a whole number from 1 to 1,000, got 0"),
        (lambda p, m: p.completions(m, BLANK[0, :4], 1001), "count must be a whole number from 1 to 1,000, got 1001"),
        (lambda p, m: p.samples(m, 2.0), "count must be a whole number from 1 to 1,000, got 2.0"),
        (lambda p, m: p.samples(m, 10**12), "count must be a whole number from 1 to 1,000"),
        (lambda p, m: p.draw(m, np.zeros((1001, 4, 8))), "the number of pictures must be .*got 1001"),
        (lambda p, m: p.draw(m, BLANK[0, :4]), r"tops must be rows of 8 shades, \[picture, row, 8\]"),
        (lambda p, m: p.draw(m, BLANK[:0, :4]), r"got the shape \[0, 4, 8\]"),
        (lambda p, m: p.draw(m, BLANK[:, :4], labels=[1, 2]), "labels must be a digit from 0 to 9 for each of the 1 pictures"),
        (lambda p, m: p.judge_completions(m, digits("test"), rows=8), "rows must be a whole number from 0 to 7, got 8"),
        (lambda p, m: p.judge_completions(m, digits("test"), rows=-1), "rows must be a whole number from 0 to 7, got -1"),
    ],
)  # fmt: skip
def test_what_can_not_be_drawn_is_refused(plain, tiny, call, message):
    with pytest.raises(ValueError, match=message):
        call(plain, tiny)


@pytest.mark.parametrize("steps", ["0", "-3"])
def test_the_command_refuses_to_take_no_steps(steps, tmp_path):
    with pytest.raises(ValueError, match="steps must be a whole number from 1"):
        main(["--steps", steps, "--out", str(tmp_path / "x")])
    assert not list(tmp_path.iterdir())


def test_most_is_drawn(tiny):
    assert draw(tiny, np.zeros((MOST, 7, 8), dtype=int)).levels.shape == (1000, 8, 8)
