"""The logit lens: against the model's own logits, layer by layer, and against SciPy-free sums written out by hand."""

import numpy as np
import pytest
import torch

from helpers import lens as lens_module
from helpers.lens import Lens, LensReader, answers, first_layer, read_lens
from helpers.pretrained import is_available, load_smollm2, load_tinytown
from helpers.transformer import GPT, GPTConfig

SIZES = {"vocab_size": 23, "n_ctx": 11, "n_layers": 3, "n_heads": 2, "d_model": 8}


class Letters:
    """A tokenizer of 23 tokens, a letter each; `special` puts token 22 in front. 'z' is only part of a character."""

    name = "letters"

    vocab_size = 23

    def __init__(self, start=True):
        self.start = start

    def decode(self, ids):
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def tokens(self, text, special=False):
        return [self.token_bytes(token) for token in self.encode(text, special)]

    def encode(self, text, special=False):
        if "?" in text:
            raise ValueError("every letter must be from a to v or z, got '?'; take it out")
        own = [21 if letter == "z" else ord(letter) - ord("a") for letter in text]
        return [22, *own] if special and self.start else own

    def token_bytes(self, token):
        return {21: b"\xe0\xa4", 22: b"<start>"}.get(int(token), bytes([ord("a") + int(token)]))


def model_of(seed=0, scale=8.0, **settings):
    """A small GPT whose weights are large enough for odds that differ."""
    model = GPT(GPTConfig(**{**SIZES, **settings}), seed=seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name:
                weight.mul_(scale)
    return model.eval()


@pytest.fixture(scope="module")
def gpt():
    return model_of()


def by_hand(model, ids):
    """Odds at every layer and position, as the model's own pieces give them one after the other, in float64."""
    with torch.no_grad():
        _, trace = model(torch.tensor([ids]), trace=True)
        table = (model.embedding if model.config.tied else model.unembedding).weight
        rows = [(model.final_norm(stream)[0] @ table.T).double() for stream in trace.residual]
    return np.stack([torch.softmax(row, dim=-1).numpy() for row in rows])


@pytest.mark.parametrize("rows", [1, 9, 96])
@pytest.mark.parametrize(
    "settings",
    [{}, {"tied": False}, {"norm": "rmsnorm", "positions": "rotary", "mlp": "swiglu", "bias": False}],
)
def test_it_reads_every_layer_with_the_last_norm_and_the_table(settings, rows, monkeypatch):
    monkeypatch.setattr(lens_module, "ROWS", rows)
    model = model_of(**settings)
    lens = read_lens(model, Letters(), "abcaf", top=7)
    ids = [22, 0, 1, 2, 0, 5]
    odds = by_hand(model, ids)
    assert lens.ids.tolist() == ids
    assert odds.shape == (4, 6, 23)
    assert lens.top.shape == lens.top_ids.shape == (4, 6, 7)
    np.testing.assert_allclose(lens.top, -np.sort(-odds, axis=-1)[..., :7], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(odds, lens.top_ids, -1), lens.top, atol=1e-5)
    np.testing.assert_allclose(lens.entropy, -(odds * np.log(odds)).sum(-1), atol=1e-4)
    np.testing.assert_allclose(lens.kl, (odds[-1] * np.log(odds[-1] / odds)).sum(-1), atol=1e-4)
    last = odds[-1].argmax(-1)
    final = odds[:, np.arange(6), last]
    np.testing.assert_allclose(lens.final, final, atol=1e-5)
    np.testing.assert_array_equal(lens.final_rank, 1 + (odds > final[..., None]).sum(-1))
    assert lens.next_ids.tolist() == [*ids[1:], -1]
    following = odds[:, np.arange(5), ids[1:]]
    np.testing.assert_allclose(lens.next[:, :5], following, atol=1e-5)
    np.testing.assert_array_equal(lens.next_rank[:, :5], 1 + (odds[:, :5] > following[..., None]).sum(-1))
    assert np.isnan(lens.next[:, 5]).all()
    assert (lens.next_rank[:, 5] == 0).all()


def test_the_last_row_is_what_the_model_says(gpt):
    lens = read_lens(gpt, Letters(), "hello", top=23)
    with torch.no_grad():
        odds = gpt(torch.tensor([[22, *Letters().encode("hello")]]))[0].softmax(-1).numpy()
    np.testing.assert_allclose(np.take_along_axis(odds, lens.top_ids[-1], -1), lens.top[-1], atol=1e-6)
    np.testing.assert_allclose(lens.top.sum(-1), 1, atol=1e-5)
    assert (lens.top_ids[-1, :, 0] == odds.argmax(-1)).all()
    assert (lens.final_rank[-1] == 1).all()
    np.testing.assert_allclose(lens.kl[-1], 0, atol=1e-5)
    assert (lens.kl >= 0).all()
    np.testing.assert_allclose(lens.final[-1], lens.top[-1, :, 0], atol=1e-7)


def test_entropy_and_divergence_of_a_uniform_and_a_known_row():
    """All weights 0: every token has 1/23 everywhere."""
    model = model_of(scale=0.0)
    lens = read_lens(model, Letters(), "ab", top=2)
    np.testing.assert_allclose(lens.entropy, np.log(23), atol=1e-5)
    np.testing.assert_allclose(lens.kl, 0, atol=1e-5)
    np.testing.assert_allclose(lens.top, 1 / 23, atol=1e-6)
    assert (lens.final_rank == 1).all()


def test_what_comes_later_changes_nothing_before_it(gpt):
    short, long = read_lens(gpt, Letters(), "abc"), read_lens(gpt, Letters(), "abcdef")
    for name in ("top", "entropy", "kl", "final"):
        np.testing.assert_allclose(getattr(long, name)[:, :4], getattr(short, name), atol=1e-4)
    assert (long.top_ids[:, :4] == short.top_ids).all()
    assert (long.n_tokens, short.n_tokens) == (7, 4)


def test_only_the_beginning_of_a_long_text_is_read(gpt):
    lens = read_lens(gpt, Letters(), "abcdefghijklmno", longest=4)
    assert lens.tokens == ["<start>", "a", "b", "c"]
    assert (lens.n_tokens, lens.top.shape) == (16, (4, 4, 10))
    assert lens.next_ids.tolist() == [0, 1, 2, 3]  # what follows is known although it is not read
    assert not np.isnan(lens.next).any()
    assert lens_module.LONGEST == 24
    whole = read_lens(gpt, Letters(), "abc", longest=4)
    assert (whole.n_tokens, whole.next_ids.tolist()) == (4, [0, 1, 2, -1])


def test_tokens_are_texts_or_bytes_and_every_id_has_its_piece(gpt):
    lens = read_lens(gpt, Letters(start=False), "azb", top=23)
    assert lens.tokens == ["a", b"\xe0\xa4", "b"]
    assert lens.pieces == {
        **{i: chr(ord("a") + i) for i in range(21)},
        21: b"\xe0\xa4",
        22: "<start>",
    }
    few = read_lens(gpt, Letters(start=False), "a", top=1)
    assert set(few.pieces) == {0, *few.top_ids.ravel().tolist()}
    cut = read_lens(gpt, Letters(start=False), "az", top=1, longest=1)
    assert 21 in cut.pieces  # the next token, not read itself


def test_answers_of_a_cell(gpt):
    lens = read_lens(gpt, Letters(), "bad", top=5)
    for layer, position in ((0, 0), (2, 3), (-1, -1)):
        got = answers(lens, layer, position, 3)
        assert [piece for piece, _ in got] == [
            lens.pieces[int(one)] for one in lens.top_ids[layer, position, :3]
        ]
        np.testing.assert_allclose([share for _, share in got], lens.top[layer, position, :3])
    assert answers(lens, 1, 2) == answers(lens, 1, 2, 5)[:1]


def of_fronts(fronts):
    """A lens of which only the tokens in front are known: rows of layers."""
    top_ids = np.array(fronts)[..., None]
    empty = np.zeros(top_ids.shape[:2])
    return Lens(
        np.zeros(top_ids.shape[1], dtype=np.int64), [], 0, 9, {}, top_ids, empty[..., None], empty, empty, empty, empty,
        empty[0], empty, empty,
    )  # fmt: skip


def test_from_which_layer_on_the_last_word_stays_in_front():
    lens = of_fronts([[7, 1, 4, 5], [7, 4, 4, 5], [2, 1, 3, 5], [7, 4, 3, 5]])
    assert [first_layer(lens, position) for position in range(4)] == [3, 3, 2, 0]
    assert first_layer(lens) == 0
    assert isinstance(first_layer(lens, 1), int)


def test_a_reader_says_the_same_whatever_it_has_read_before(gpt):
    reader, one = LensReader(gpt, Letters(), top=6), Letters()
    for text in ("ab", "abc", "abcd", "abd", "abd", "b", "bbbbbbb", "bbbb", "bbab"):
        got, expected = reader(text), read_lens(gpt, one, text, top=6)
        for name in Lens._fields:
            own, other = getattr(got, name), getattr(expected, name)
            if isinstance(own, np.ndarray) and own.dtype.kind == "f":
                np.testing.assert_allclose(own, other, atol=1e-4, err_msg=f"{name} of {text}")
            elif isinstance(own, np.ndarray):
                np.testing.assert_array_equal(own, other, err_msg=f"{name} of {text}")
            else:
                assert own == other, f"{name} of {text}"


def test_a_reader_works_out_only_what_is_new(gpt, monkeypatch):
    seen = []
    unembed = GPT.unembed
    monkeypatch.setattr(
        GPT, "unembed", lambda self, stream: seen.append(stream.shape[1]) or unembed(self, stream)
    )
    reader = LensReader(gpt, Letters())
    # With <start> in front. The last shared position's next token is another one, so it is worked out again.
    for text, new in (("abcdef", 7), ("abcdefg", 2), ("abcdefg", 1), ("abcdeef", 3), ("abb", 2), ("bb", 3)):
        seen.clear()
        reader(text)
        assert set(seen) == {new}, text


def test_a_reader_notices_training():
    model = model_of(seed=3)
    reader = LensReader(model, Letters())
    before = reader("abc")
    with torch.no_grad():
        model.embedding.weight.mul_(0.1)
    after = reader("abc")
    assert np.abs(after.top - before.top).max() > 0.01
    np.testing.assert_allclose(after.top, read_lens(model, Letters(), "abc").top, atol=1e-6)


def test_the_model_is_left_as_it_was():
    model = model_of(dropout=0.5)
    model.train()
    first = read_lens(model, Letters(), "abc").top
    assert model.training
    np.testing.assert_allclose(read_lens(model, Letters(), "abc").top, first)  # dropout is off meanwhile
    assert all(weight.grad is None for weight in model.parameters())
    model.eval()
    np.testing.assert_allclose(read_lens(model, Letters(), "abc").top, first)
    assert not model.training


def test_a_model_of_fewer_bits_can_be_read():
    model = model_of()
    exact = read_lens(model, Letters(), "abc")
    got = read_lens(model.to(torch.bfloat16), Letters(), "abc")
    assert got.top.dtype == np.float32
    np.testing.assert_allclose(got.entropy, exact.entropy, atol=0.3)


def test_tinytown_copies_first_and_answers_last():
    """Before any block the table answers each word with itself; the grammar's `a` comes with the last block."""
    lens = read_lens(*load_tinytown(), "once there was")
    assert lens.tokens == ["<start>", "once", "there", "was"]
    assert [answers(lens, layer, -1)[0][0] for layer in range(3)] == ["was", "was", "a"]
    assert [first_layer(lens, position) for position in range(4)] == [1, 1, 1, 2]
    assert [round(answers(lens, -1, position)[0][1], 1) for position in (1, 2, 3)] == [1, 1, 1]
    assert lens.vocab_size == load_tinytown()[1].vocab_size


@pytest.mark.skipif(not is_available("smollm2"), reason="python -m helpers.pretrained fetches SmolLM2")
def test_paris_comes_with_the_last_block():
    lens = read_lens(*load_smollm2(), "The capital of France is")
    assert lens.tokens == ["The", " capital", " of", " France", " is"]
    assert lens.top_ids.shape == (31, 5, 10)
    assert answers(lens, -1, -1)[0] == (" Paris", pytest.approx(0.77, abs=0.01))
    assert first_layer(lens) == 30
    assert lens.final_rank[[24, 27, 28, 29, 30], -1].tolist() == [396, 34, 7, 3, 1]
    assert answers(lens, 0, 1)[0] == (" capital", pytest.approx(1, abs=1e-3))
    assert answers(lens, 20, -1)[0] == (" ", pytest.approx(0.98, abs=0.01))  # sure, and wrong


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"text": ""}, "a text must hold at least one token, got ''; try 'The capital of France is'"),
        ({"text": "a?"}, "every letter must be from a to v or z"),
        ({"text": "a", "top": 0}, "top must be a whole number from 1 to 23, got 0; the model knows 23 tokens"),
        ({"text": "a", "top": 24}, "top must be a whole number from 1 to 23, got 24"),
        ({"text": "a", "top": 2.5}, "top must be a whole number from 1 to 23, got 2.5"),
        ({"text": "a", "top": True}, "top must be a whole number from 1 to 23, got True"),
        ({"text": "a", "longest": 0}, "longest must be a whole number from 1 to 24, got 0; the model reads 11 tokens"),
        ({"text": "a", "longest": 25}, "longest must be a whole number from 1 to 24, got 25"),
        ({"text": [1, 2]}, "text must be a text, got list; decode ids first"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_a_sentence(gpt, arguments, why):
    with pytest.raises(ValueError, match=why):
        read_lens(gpt, Letters(), **{"top": 3, "longest": 11, **arguments})


def test_a_long_limit_is_cut_to_what_the_model_reads(gpt):
    assert read_lens(gpt, Letters(), "abcdefghijklmno").tokens[-1] == "j"


def test_what_is_no_gpt_or_has_no_numbers_is_refused(gpt):
    with pytest.raises(ValueError, match="the lens needs a GPT, got Linear; load_smollm2"):
        LensReader(torch.nn.Linear(2, 3), Letters())
    broken = model_of()
    with torch.no_grad():
        broken.final_norm.weight[3] = float("nan")
    with pytest.raises(
        ValueError, match="the model's numbers must be finite, got NaN or infinity; load its weights again"
    ):
        read_lens(broken, Letters(), "abc")


@pytest.mark.parametrize(
    ("layer", "position", "count", "why"),
    [
        (4, 0, 1, "layer must be a whole number from 0 to 3, or -1 for the last, got 4"),
        (-2, 0, 1, "layer must be a whole number from 0 to 3, or -1 for the last, got -2"),
        (0, 2, 1, "position must be a whole number from 0 to 1, or -1 for the last, got 2"),
        (True, 0, 1, "layer must be a whole number from 0 to 3, or -1 for the last, got True"),
        (0, 0, 6, "count must be a whole number from 1 to 5, got 6; the lens kept 5"),
        (0, 0, 0, "count must be a whole number from 1 to 5, got 0"),
    ],
)
def test_cells_that_are_not_there_are_refused(gpt, layer, position, count, why):
    lens = read_lens(gpt, Letters(), "a", top=5)
    with pytest.raises(ValueError, match=why):
        answers(lens, layer, position, count)
    with pytest.raises(ValueError, match="position must be a whole number from 0 to 1"):
        first_layer(lens, 2)
