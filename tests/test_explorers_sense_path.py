"""The path of a word: what the browser computes is what Python computes, what may come in, and what stays behind."""

import inspect
import re

import matplotlib
import numpy as np
import pytest
from bundles import left_behind
from js.run import run

from helpers import plots
from helpers.explorers import sense_path
from helpers.explorers.base import HERE
from helpers.explorers.sense_path import SensePath, describe, most, parts_at, quoted, side, strongest
from helpers.paths import Comparison, PathReader, Places, Pulls
from helpers.pretrained import load_tinytown
from helpers.sentences import SharedWords
from helpers.tinytown import WordTokenizer

MEANINGS = ("river", "money")
TEXTS = ("The River Bank", "The SBI Bank")
LABELS = (["The", " River", " Bank"], ["<start>", "S", "BI", " Bank", " ", " है"])


def pulls_of(labels, at, n, rng, causal=True, rest=True):
    tokens, looks = rng.normal(size=(n, len(labels))) / 8, rng.random((n, len(labels)))
    changed = rng.normal(size=(n + 1, len(labels))) / 3
    if causal:
        tokens[:, at + 1 :] = looks[:, at + 1 :] = changed[:, at + 1 :] = 0
    changed[0] = changed[:, at] = 0
    feed_forward, last = rng.normal(size=n) / 8, rng.normal(size=n) / 8 * rest
    path = np.concatenate([[0.01], 0.01 + np.cumsum(tokens.sum(1) + feed_forward + last)])
    return Pulls(labels, at, path, tokens, feed_forward, last, looks / looks.sum(1, keepdims=True), changed)


def comparison(n=5, seed=0, texts=TEXTS, meanings=MEANINGS, **settings):
    rng = np.random.default_rng(seed)
    pulls = (pulls_of(LABELS[0], 2, n, rng, **settings), pulls_of(LABELS[1], 3, n, rng, **settings))
    others = Places(rng.normal(size=(4, n + 1)) - 0.5, rng.normal(size=(3, n + 1)) + 0.5)
    got = Comparison("bank", meanings, texts, pulls, rng.uniform(-0.2, 1, size=n + 1), others)
    return sense_path._as_sent(got)


def reader_of(n=5, seed=0, calls=None, **settings):
    def reader(first, second):
        if calls is not None:
            calls.append((first, second))
        if "blorf" in first + second:
            raise ValueError("every word must be one of Tinytown's 162, got 'blorf'; see the list")
        return comparison(n, seed, (first, second), **settings)

    return reader


PAIRS = [TEXTS, ("The River Bank", "ICICI Bank")]


def explorer_of(**settings):
    return SensePath({"GPT": reader_of(), "BERT": reader_of(3, 1, causal=False)}, PAIRS, **settings)


def packed(got, model="m"):
    """What the browser gets, as JSON: bytes as lists."""

    def plain(value):
        if isinstance(value, bytes):
            return {"bytes": list(value)}
        return [plain(one) for one in value] if isinstance(value, list) else value

    return {name: plain(value) for name, value in sense_path._packed(model, got).items()}


# Bytes reach the browser as DataViews.
UNPACK = """
const view = (one) => (one?.bytes ? new DataView(Uint8Array.from(one.bytes).buffer) : Array.isArray(one) ? one.map(view) : one);
const unpack = (got) => m.unpack(Object.fromEntries(Object.entries(got).map(([name, one]) => [name, view(one)])));
"""


# ---- The browser agrees with Python -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 5, 30])
def test_a_comparison_arrives_as_it_was_sent(n):
    got = comparison(n, seed=n)
    arrived = run("sense_path", UNPACK + "return unpack(given)", packed(got))
    assert (arrived["n"], arrived["model"], arrived["word"]) == (n, "m", "bank")
    assert (arrived["meanings"], arrived["texts"]) == (list(MEANINGS), list(TEXTS))
    np.testing.assert_allclose(arrived["cosines"], got.cosines, rtol=1e-7)
    for one, pulls in zip(arrived["pulls"], got.pulls, strict=True):
        assert (one["labels"], one["at"]) == (pulls.labels, pulls.at)
        for name in ("path", "feed_forward", "rest", "tokens", "looks", "changed"):
            np.testing.assert_allclose(one[name], getattr(pulls, name).ravel(), rtol=1e-7)
    for one, group in zip(arrived["others"], got.others, strict=True):
        np.testing.assert_allclose(one, group, rtol=1e-7)


@pytest.mark.parametrize("show", sense_path.SHOWS)
def test_parts_and_sentences_are_those_of_python(show):
    for n, seed in ((1, 3), (6, 4), (30, 5)):
        got = comparison(n, seed)
        blocks = sorted({0, 1, n // 2, n})
        theirs = run(
            "sense_path",
            UNPACK
            + """const [packed, blocks, show] = given, got = unpack(packed);
            return blocks.map((block) => ({ parts: got.pulls.map((one) => m.partsAt(one, block, show)), told: m.describe(got, "Some GPT", block, show),
              most: got.pulls.map((one) => m.most(one, block, show, got.meanings)), strongest: got.pulls.map((one) => m.strongest(m.partsAt(one, block, show).tokens)) }));""",
            [packed(got), blocks, show],
        )
        for block, one in zip(blocks, theirs, strict=True):
            assert one["told"] == describe(got, "Some GPT", block, show)
            for i, pulls in enumerate(got.pulls):
                ours = parts_at(pulls, block, show)
                for name, value in ours._asdict().items():
                    np.testing.assert_allclose(one["parts"][i][name], value, atol=1e-12)
                assert one["most"][i] == most(pulls, block, show, MEANINGS)
                assert one["strongest"][i] == strongest(ours.tokens)


def test_words_for_a_place_are_those_of_python():
    values = [
        0,
        0.004,
        0.0051,
        -0.049,
        0.051,
        -0.05,
        0.125,
        -0.375,
        0.25,
        1.96,
        -2.2,
        76.69,
        -1234.5,
        0.15,
        -0.85,
    ]
    cases = [[x, digits] for x in values for digits in (1, 2)]
    theirs = run(
        "sense_path", "return given.map(([x, digits]) => m.side(x, ['river', 'money'], digits))", cases
    )
    assert theirs == [side(x, MEANINGS, digits) for x, digits in cases]
    assert side(-0.05, MEANINGS) == "0.1 towards river"
    assert side(0.049, MEANINGS) == "in the middle"
    assert side(-0.0049, MEANINGS, 2) == "0.00"
    assert side(0.006, MEANINGS, 2) == "0.01 towards money"


def test_quoted_tokens_are_those_of_python():
    labels = [
        " River",
        "Bank",
        " ",
        "  two ",
        "it's",
        'say "it\'s"',
        "\n",
        "[CLS]",
        " <F0 9F>",
        "आप",
        "x" * 40,
        "a\\b",
        "a b",
    ]
    assert run("sense_path", "return given.map(m.quoted)", labels) == [quoted(label) for label in labels]


def test_the_strongest_is_the_first_of_those_that_agree():
    cases = [
        [0.1, -0.3, 0.3001],
        [0.0004, 0.0],
        [-0.0051],
        [0.0, -0.2, 0.2],
        [0.2004, 0.2006],
        [0.2001, -0.2004],
    ]
    assert run("sense_path", "return given.map(m.strongest)", cases) == [
        strongest(np.array(c)) for c in cases
    ]
    assert [strongest(np.array(c)) for c in cases] == [1, None, 0, 1, 1, 0]


def test_texts_that_need_care_are_told_alike():
    texts = ("it's the\nriver bank", 'the "money" bank ' + "x" * 60)
    got = comparison(3, 8, texts)
    assert run("sense_path", UNPACK + "return m.describe(unpack(given), 'm', 2)", packed(got)) == describe(
        got, "m", 2
    )


def test_what_is_off_the_map_is_said_so():
    got = comparison()
    first = got.pulls[0]._replace(path=np.array([0, -2.01, 2.0, 76.7, -1.0, -2.0]))
    got = sense_path._as_sent(got._replace(pulls=(first, got.pulls[1])))
    told = run(
        "sense_path",
        UNPACK + "return [1, 2, 3].map((block) => m.describe(unpack(given), 'm', block))",
        packed(got),
    )
    assert told == [describe(got, "m", block) for block in (1, 2, 3)]
    assert "it stands off the map, beyond river, in" in told[0]
    assert "it stands 2.0 towards money, in" in told[1]
    assert "beyond money, in" in told[2]


def test_the_longest_bar_leaves_out_what_is_off_the_map():
    got = comparison(4, 2)
    found = run("sense_path", UNPACK + "const got = unpack(given); return ['changed', 'direct', 'last'].map((show) => m.longestPull(got, show))", packed(got))  # fmt: skip
    for show, longest in zip(("changed", "direct", "last"), found, strict=True):
        parts = [parts_at(pulls, block, show) for pulls in got.pulls for block in range(1, 5)]
        sizes = [abs(x) for one in parts for x in (*one.tokens, one.feed_forward, one.rest, one.together)]
        assert longest == pytest.approx(max(x for x in sizes if x <= sense_path.EDGE))
    tokens = got.pulls[0].tokens.copy()
    tokens[1, 0] = 77
    got = got._replace(pulls=(got.pulls[0]._replace(tokens=tokens), got.pulls[1]))
    after = run("sense_path", UNPACK + "return m.longestPull(unpack(given), 'last')", packed(got))
    assert after == pytest.approx(found[2], rel=0.5)
    assert after < 2


def test_the_same_share_of_another_model():
    cases = [[15, 30, 6], [0, 30, 6], [30, 30, 6], [3, 6, 30], [20, 30, 6], [1, 6, 30]]
    assert run("sense_path", "return given.map(([a, b, c]) => m.sameShare(a, b, c))", cases) == [
        3,
        0,
        6,
        15,
        4,
        5,
    ]


def test_whether_a_word_sees_what_comes_after_it():
    for causal in (True, False):
        got = comparison(3, 1, causal=causal)
        seen = run("sense_path", UNPACK + "return unpack(given).pulls.map(m.causal)", packed(got))
        assert seen == [True, causal]  # nothing comes after the first text's word


# ---- What is said -------------------------------------------------------------------------------------------------


def test_the_sentence():
    pulls = Pulls(LABELS[0], 2, np.array([0.0, -0.5, -1.25]), np.array([[0.0, -0.4, 0.0], [0.1, -0.25, 0.0]]), np.array([-0.1, -0.6]),
                  np.zeros(2), np.full((2, 3), 1 / 3), np.array([[0, 0, 0], [0.0, -0.4, 0], [0.2, -1.5, 0]]))  # fmt: skip
    other = pulls._replace(path=np.array([0.0, 0.04, 0.875]), changed=np.zeros((3, 3)))
    got = Comparison("bank", MEANINGS, TEXTS, (pulls, other), np.array([1.0, 0.9, -0.254]), Places(*np.zeros((2, 3, 3))))  # fmt: skip
    assert describe(got, "GPT", 0) == (
        "'bank' in GPT after 0 of 2 blocks: in 'The River Bank' it stands in the middle, in 'The SBI Bank' it stands in the "
        "middle; cosine 1.00."
    )
    assert describe(got, "GPT", 2) == (
        "'bank' in GPT after 2 of 2 blocks: in 'The River Bank' it stands 1.2 towards river, in 'The SBI Bank' it stands 0.9 "
        "towards money; cosine −0.25. So far, in the first text 'River' pulls most (1.50 towards river); in the second no word pulls."
    )
    assert describe(got, "GPT", 2, "direct").endswith(
        "Directly, so far, in the first text 'River' pulls most (0.65 towards river), feed-forward 0.70 towards river; in the "
        "second 'River' pulls most (0.65 towards river), feed-forward 0.70 towards river."
    )
    assert "Directly, in this step, in the first text 'River' pulls most (0.25 towards river), feed-forward 0.60" in describe(got, "GPT", 2, "last")  # fmt: skip


def test_parts_of_the_last_block_and_of_all():
    pulls = comparison(4, 9).pulls[1]
    last, whole = parts_at(pulls, 3, "last"), parts_at(pulls, 3, "direct")
    np.testing.assert_allclose(last.tokens, pulls.tokens[2])
    np.testing.assert_allclose(whole.tokens, pulls.tokens[:3].sum(0))
    np.testing.assert_allclose([last.feed_forward, last.rest], [pulls.feed_forward[2], pulls.rest[2]])
    np.testing.assert_allclose([last.together, whole.together], [pulls.path[3] - pulls.path[2], pulls.path[3] - pulls.path[0]], atol=1e-6)  # fmt: skip
    np.testing.assert_allclose(last.looks, pulls.looks[2])
    for show in ("direct", "changed"):
        np.testing.assert_allclose(parts_at(pulls, 3, show).looks, pulls.looks[:3].mean(0))
    np.testing.assert_allclose(parts_at(pulls, 3).tokens, pulls.changed[3])
    for show in sense_path.SHOWS:
        empty = parts_at(pulls, 0, show)
        assert not empty.tokens.any()
        assert not empty.looks.any()
        assert empty.together == 0


# ---- The explorer -------------------------------------------------------------------------------------------------


def test_it_begins_half_way_up_with_the_first_pair_of_the_first_model():
    explorer = explorer_of()
    assert (explorer.names, explorer.model) == (["GPT", "BERT"], "GPT")
    assert (explorer.first, explorer.second, explorer.block) == (*TEXTS, 2)
    assert explorer.alt == describe(comparison(), "GPT", 2)
    assert [one["model"] for one in explorer.known] == ["GPT", "GPT", "BERT", "BERT"]
    assert (explorer.note, explorer.problem, explorer.got) == ("", "", {})
    assert explorer_of(model="BERT", pair=1).block == 1
    assert explorer_of(model="BERT", pair=1).second == "ICICI Bank"
    assert explorer_of(pair=1, block=5).block == 5


def test_it_leaves_a_picture_and_its_sentence():
    explorer = explorer_of(block=3, show="direct")
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt == describe(comparison(), "GPT", 3, "direct")
    assert data["text/plain"] == repr(explorer) == f"<SensePath: {explorer.alt}>"
    assert "width:900px" in data["text/html"]


def test_the_picture_has_both_paths_over_those_of_the_others():
    got = comparison()
    got = got._replace(pulls=(got.pulls[0]._replace(path=np.array([0, 1, 9, -9, 0.5, 0])), got.pulls[1]))
    ax = plots.new_axes()
    sense_path._draw_map(ax, got, "GPT", 3)
    drawn = [line for line in ax.lines if len(line.get_xdata()) == 6]
    assert len(drawn) == 4 + 3 + 2
    np.testing.assert_allclose(drawn[0].get_xdata(), got.others.a[0].clip(-2, 2))
    np.testing.assert_allclose(drawn[4].get_xdata(), got.others.b[0].clip(-2, 2))
    assert [drawn[0].get_linestyle(), drawn[4].get_linestyle()] == [":", "-"]
    np.testing.assert_allclose(drawn[-2].get_xdata(), [0, 1, 2, -2, 0.5, 0])
    np.testing.assert_allclose(drawn[-1].get_ydata(), range(6))
    assert [line.get_marker() for line in drawn[-2:]] == ["o", "s"]
    assert [list(line.get_markevery()) for line in drawn[-2:]] == [[3], [3]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(TEXTS)
    assert ax.get_title(loc="left") + ax.get_title() == "'bank' in GPT after 3 of 5 blocks"
    assert "← river" in ax.get_xlabel()
    assert "money →" in ax.get_xlabel()


@pytest.mark.parametrize(
    "settings", [{"block": 0}, {"block": 5, "model": "GPT"}, {"model": "BERT", "show": "last"}]
)
def test_every_state_leaves_a_picture(settings):
    assert explorer_of(**settings).picture().startswith(b"\x89PNG")


def test_letters_that_matplotlib_lacks_leave_a_picture(recwarn):
    SensePath({"$x_2": reader_of()}, [("你好 bank $x_2 <b>&$", "🙂 bank " + "x" * 60)]).picture()
    assert [str(one.message) for one in recwarn if "Glyph" in str(one.message)] == []
    assert matplotlib.rcParams["font.size"] != 0


def test_the_sentence_follows_what_the_browser_moves():
    explorer = explorer_of()
    explorer.set_state({"block": 4, "show": "last"})
    assert explorer.alt == describe(comparison(), "GPT", 4, "last")
    explorer.set_state({"model": "BERT", "second": "ICICI Bank", "block": 99, "show": "changed"})
    assert explorer.alt == describe(comparison(3, 1, PAIRS[1], causal=False), "BERT", 3)
    assert explorer.got == {}  # the browser has it
    explorer.block = -7
    assert "after 0 of 3" in explorer.alt


def test_other_texts_are_asked_for_once():
    calls = []
    explorer = SensePath({"GPT": reader_of(calls=calls)}, PAIRS)
    assert calls == PAIRS
    assert explorer.ask(model="GPT", first="my bank", second="your bank") == {"number": 1}
    assert explorer.got["texts"] == ["my bank", "your bank"]
    assert (explorer.first, explorer.second, explorer.problem) == ("my bank", "your bank", "")
    assert "'my bank'" in explorer.alt
    explorer.ask(model="GPT", first="my bank", second="your bank")
    assert calls == [*PAIRS, ("my bank", "your bank")]
    for i in range(sense_path.KEPT + 5):
        explorer.ask(model="GPT", first="my bank", second=f"bank {i}")
    assert len(explorer._known) == sense_path.KEPT


def test_texts_set_from_python_reach_the_browser():
    explorer = explorer_of()
    explorer.second = "bank of mine"
    assert explorer.got["texts"] == ["The River Bank", "bank of mine"]
    assert "'bank of mine'" in explorer.alt
    explorer.second = "blorf"
    assert "got 'blorf'" in explorer.problem


def test_what_a_reader_refuses_is_said_and_the_old_texts_stay():
    explorer = explorer_of()
    before = explorer.alt
    explorer.ask(model="GPT", first="a blorf bank", second="the bank")
    assert explorer.problem == "every word must be one of Tinytown's 162, got 'blorf'; see the list"
    assert (explorer.first, explorer.alt, explorer.got) == ("The River Bank", before, {})
    explorer.ask(model="nobody", first="bank", second="bank")
    assert "model must be one of GPT, BERT, got 'nobody'" in explorer.problem
    explorer.ask(model="GPT", first="my bank", second="your bank")
    assert explorer.problem == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a word or more"),
        (" \n", "a word or more"),
        ("x" * 201, "up to 200 characters long, got 201"),
        ("bank \ud83d", "U\\+D83D"),
    ],
)
def test_texts_that_no_reader_gets(text, said):
    explorer = explorer_of()
    explorer.ask(model="GPT", first="the bank", second=text)
    assert re.search(said, explorer.problem)
    with pytest.raises(ValueError, match=said):
        SensePath({"GPT": reader_of()}, [("the bank", text)])


def test_a_reader_that_gives_something_else_is_refused():
    with pytest.raises(ValueError, match="must return a Comparison, got list"):
        SensePath({"GPT": lambda first, second: []}, PAIRS)


@pytest.mark.parametrize("readers", [{}, None, [], {"": reader_of()}, {"GPT": 7}, {3: reader_of()}])
def test_readers_that_are_none_are_refused(readers):
    with pytest.raises(ValueError, match=r"give each model a name|a function with a name"):
        inspect.unwrap(sense_path._named)(readers)


@pytest.mark.parametrize(
    "pairs", [[], [("one",)], "The bank", 7, ["The bank"], [("a", "b", "c")], [("a", 3)]]
)
def test_pairs_that_are_none_are_refused(pairs):
    with pytest.raises(ValueError, match=r"list of pairs|a word or more"):
        inspect.unwrap(sense_path._pairs)(pairs)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"model": "LSTM"}, "model must be one of GPT, BERT, got 'LSTM'"), ({"pair": 2}, "pair must be from 0 to 1, got 2"), ({"pair": -1}, "got -1"),
     ({"pair": True}, "got True"), ({"block": 6}, "block must be from 0 to 5 for GPT, got 6"), ({"block": -1}, "got -1"),
     ({"block": 1.5}, "got 1.5"), ({"model": "BERT", "block": 4}, "from 0 to 3 for BERT"), ({"show": "all"}, "show must be one of changed, direct, last")],
)  # fmt: skip
def test_what_is_not_there_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        explorer_of(**settings)


def test_a_model_that_can_read_nothing_is_left_out_with_a_line():
    model, tokenizer = load_tinytown(lenient=True)
    readers = {
        "SmolLM2": PathReader(model, tokenizer),
        "MiniLM": PathReader(SharedWords(), WordTokenizer(lenient=True)),
    }
    explorer = SensePath(readers)
    assert explorer.names == ["SmolLM2"]
    assert explorer.note.startswith(
        "MiniLM is not shown here: a model must be a GPT or a SentenceEncoder, got SharedWords"
    )
    assert explorer.first == readers["SmolLM2"].pairs[0][0]
    explorer.ask(model="SmolLM2", first="The River Bank", second="the money bank")
    assert explorer.problem == ""
    with pytest.raises(ValueError, match="able to read a pair, got none that can"):
        SensePath({"MiniLM": readers["MiniLM"]})


def test_a_pair_that_one_model_can_not_read_is_left_out_there():
    explorer = SensePath({"GPT": reader_of()}, [TEXTS, ("blorf bank", "bank")])
    assert [one["texts"] for one in explorer.known] == [list(TEXTS)]
    assert explorer.note == ""


def test_the_browsers_numbers_are_pythons():
    """Python tells what float32 says, since that is what the browser has."""
    explorer = SensePath({"GPT": reader_of(7, 11)}, PAIRS)
    got, _ = explorer._now()
    for array in (got.cosines, got.others.a, *got.pulls[0][2:]):
        np.testing.assert_allclose(array, array.astype(np.float32), rtol=0, atol=0)


def test_limits_and_colours_are_the_same_in_both_files():
    js = (HERE / "sense_path.js").read_text(encoding="utf-8")
    assert f"CLOSE = {sense_path.CLOSE}, EDGE = {sense_path.EDGE:.0f}, LONGEST = {sense_path.LONGEST};" in js
    assert 'ROLES = ["tokens", "loss"]' in js
    assert (plots.ROLES["tokens"], plots.ROLES["loss"]) == sense_path.COLOURS
    assert not re.search(r"innerHTML|insertAdjacentHTML|https?://", js)
