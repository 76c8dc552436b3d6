"""The map explorer: what the browser computes is what Python computes, what may come in, and the picture that stays."""

import base64
import json
import os
import re
import shutil
import warnings

import numpy as np
import pytest
import torch
from bundles import left_behind
from frames import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from js.run import run
from matplotlib.colors import to_hex

from helpers import plots
from helpers.explorers import word_map
from helpers.explorers.base import HERE
from helpers.explorers.word_map import Found, WordMap, find, measured, overlap, plot_map, written

WORDS = ["cat", "Cat", " cats", "dog", "new york", "catalogue", "catch", "cathedral", "catalyst", "category", "cater",
         "a\tb", "\u200b", "naïve", "你好", "שלום", "🦊", "$x$ it's \"so\"", "İstanbul", "x" * 60, "y" * 41, "z" * 40]  # fmt: skip


def synthetic(n=53, frames=2, k=7, seed=0):
    """Places on some maps, and the nearest in eleven dimensions."""
    rng = np.random.default_rng(seed)
    full = rng.normal(size=(n, 11))
    distances = torch.cdist(torch.tensor(full), torch.tensor(full)).fill_diagonal_(torch.inf)
    ids = distances.topk(k, largest=False).indices.numpy()
    maps = np.stack([full[:, :2] * 10**frame + 5 for frame in range(frames)])
    maps += rng.normal(size=maps.shape) * 0.1
    return [f"word{i}" for i in range(n)], maps, ids


def truth(xy, ids):
    """How many of `ids` torch finds too."""
    at = torch.tensor(np.asarray(xy, np.float32).astype(float))
    distances = torch.cdist(at, at, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    near = distances.topk(ids.shape[1], largest=False).indices.numpy()
    return [len(set(a) & set(b)) for a, b in zip(near.tolist(), ids.tolist(), strict=True)]


def floats(xy):
    return np.asarray(xy, "<f4").ravel().tolist()


# ---- What the browser computes -----------------------------------------------------------------------------------


def test_words_are_written_as_in_python():
    words = [*WORDS, "cat ", " ", "a  b"]
    assert run("word_map", "return given.map(m.written)", words) == [written(word) for word in words]
    assert [written(word) for word in ("new york", " cat", "cat ", "a\tb")] == [
        "new york",
        "␣cat",
        "cat␣",
        "a⇥b",
    ]


QUERIES = [
    "cat",
    "CAT",
    " Cat ",
    "cats",
    "ca",
    "c",
    "",
    "  ",
    "zebra",
    "New",
    "你",
    "İ",
    "i̇stanbul",
    "$",
    "🦊",
    "x" * 60,
    "at",
]


def test_the_browser_finds_what_python_finds():
    got = run(
        "word_map",
        "return given.queries.map((q) => m.find(given.words, q))",
        {"words": WORDS, "queries": QUERIES},
    )
    assert [(one["word"], one["begins"]) for one in got] == [tuple(find(WORDS, query)) for query in QUERIES]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.text("aAbB ", max_size=3), min_size=1, max_size=30),
    st.lists(st.text("aAb ", max_size=3), max_size=20),
)
def test_the_browser_finds_the_same_among_any_words(words, queries):
    got = run(
        "word_map",
        "return given.queries.map((q) => m.find(given.words, q))",
        {"words": words, "queries": queries},
    )
    assert [(one["word"], one["begins"]) for one in got] == [tuple(find(words, query)) for query in queries]


def test_a_search_takes_the_word_as_typed_then_the_first_alike_and_suggests_six():
    assert find(WORDS, "Cat").word == 1
    assert find(WORDS, "CAT") == Found(0, [1, 2, 5, 6, 7, 8])
    assert find(WORDS, "cat").begins == [1, 2, 5, 6, 7, 8]
    assert find(WORDS, "cats") == Found(2, [])
    assert find(WORDS, "zebra") == find(WORDS, " ") == Found(None, [])
    assert find(WORDS, "at") == Found(None, [])  # words that begin so, not all that hold it


@pytest.mark.parametrize("k", [1, 7])
def test_overlap_is_what_torch_counts(k):
    _, maps, ids = synthetic(k=k)
    for xy in maps:
        assert overlap(xy, ids).tolist() == truth(xy, ids)
    assert overlap(maps[0], ids, [5, 2]).tolist() == [truth(maps[0], ids)[i] for i in (5, 2)]
    assert 0 < overlap(maps[0], ids).mean() < k


def test_overlap_counts_with_the_numbers_that_the_browser_has():
    almost = np.array([[0.0, 0], [1, 0], [1 + 1e-9, 0]])  # the last two are one place in float32
    assert overlap(almost, np.array([[2], [2], [1]])).tolist() == [1, 1, 1]


def test_overlap_of_more_words_than_fit_in_one_piece():
    _, maps, ids = synthetic(n=601, frames=1)
    assert overlap(maps[0], ids).tolist() == truth(maps[0], ids)


def test_every_word_keeps_all_where_the_map_is_the_full_space():
    words, maps, _ = synthetic()
    distances = torch.cdist(torch.tensor(maps[1]), torch.tensor(maps[1])).fill_diagonal_(torch.inf)
    ids = distances.topk(5, largest=False).indices.numpy()
    assert overlap(maps[1], ids).tolist() == [5] * len(words)


READ = "const map = m.sorted(Float32Array.from(given.xy)), ids = Uint16Array.from(given.ids); "


@pytest.mark.parametrize("kind", ["apart", "grid", "one place", "one line"])
def test_the_browser_counts_the_overlap_that_python_counts(kind):
    _, maps, ids = synthetic(n=61)
    xy = {
        "apart": maps[0],
        "grid": np.round(maps[0] * 1.5),
        "one place": maps[0] * 0,
        "one line": maps[0] * [0, 1],
    }[kind]
    given = {"xy": floats(xy), "ids": ids.ravel().tolist(), "k": ids.shape[1]}
    counts, also = run(
        "word_map",
        READ + "return [m.overlap(map, ids, given.k), m.kept(map, ids.subarray(14, 21), 2)]",
        given,
    )
    assert counts == overlap(xy, ids).tolist()
    assert sum(also) == counts[2]
    if kind == "grid":
        assert 0 < np.mean(counts) < ids.shape[1]
    if kind == "one place":
        assert counts == [ids.shape[1]] * 61  # nothing is nearer than they are


def test_the_nearest_of_a_place_are_found_in_order():
    rng = np.random.default_rng(3)
    xy = np.round(rng.normal(size=(97, 2)) * 4, 1).astype(np.float32)  # some places have two words
    places = rng.normal(size=(40, 2)) * 5
    got = run("word_map", READ + "return given.places.map(([x, y]) => m.nearest(map, x, y, 6))",
              {"xy": floats(xy), "ids": [], "places": places.tolist()})  # fmt: skip
    for place, found in zip(places, got, strict=True):
        squares = ((xy.astype(float) - place) ** 2).sum(axis=1)
        np.testing.assert_allclose([square for _, square in found], np.sort(squares)[:6], rtol=1e-12)
        np.testing.assert_allclose(squares[[i for i, _ in found]], np.sort(squares)[:6], rtol=1e-12)
        assert len({i for i, _ in found}) == 6


def test_fewer_than_asked_are_found_where_there_are_no_more():
    body = "const map = m.sorted(Float32Array.of(0, 0, 3, 4)); return [m.nearest(map, 0, 0, 9), m.nearest(map, 0, 0, 9, 0)]"
    assert run("word_map", body) == [[[0, 0], [1, 25]], [[1, 25]]]


@pytest.mark.parametrize(("word", "own"), [("", 0), ("cat", 5), (" it's", 10)])
@pytest.mark.parametrize("dimensions", [None, 576, 1536])
def test_the_measure_is_said_as_in_python(word, own, dimensions):
    for mean in (0, 0.25, 3.15, 3.25, 9.96, 10):
        got = run("word_map", "return m.measured(...given)", [10, dimensions, mean, word, own])
        assert got == measured(10, dimensions, mean, word, own)
    assert measured(7, None, 1.26) == (
        "Of a word's 7 nearest in the full space, 1.3 are also among its 7 nearest on this map, on average."
    )


@pytest.mark.parametrize("slider", [False, True])
@pytest.mark.parametrize("neighbours", ["none", "once", "each"])
def test_the_sentence_is_that_of_python(slider, neighbours):
    n = len(WORDS)
    ids = np.array([[(i + step) % n for step in (1, 2, 3, 5, 7, 9)] for i in range(n)])
    given = {
        "none": None,
        "once": ids,
        "each": np.stack([ids, (ids + n // 2) % n if n % 2 else ids[:, ::-1]]),
    }[neighbours]
    explorer = WordMap(
        WORDS, {"PCA": np.eye(n, 2), "a 'map'": np.ones((n, 2))}, neighbours=given, slider=slider
    )
    body = "return given.map((one) => m.describe(one))"
    told, wanted = [], []
    for frame in (0, 1):
        explorer.frame = frame
        for word in ["", *WORDS]:
            explorer.chosen = word
            near = explorer.nearest(word) if word else []
            told.append(
                {
                    "words": WORDS,
                    "names": explorer.names,
                    "frame": frame,
                    "slides": slider,
                    "chosen": word,
                    "near": near,
                }
            )
            wanted.append(explorer.alt)
    assert explorer.problem == ""
    assert run("word_map", body, told) == wanted
    assert len(set(wanted)) == len(wanted)


# ---- Where things stand on the picture ---------------------------------------------------------------------------


def test_a_map_fills_the_picture_with_one_scale_and_up_is_up():
    _, maps, _ = synthetic()
    xy = maps[0] * [1, 3]
    at, box = run(
        "word_map",
        "const xy = Float32Array.from(given); const b = m.bounds(xy); return [m.spread(xy, b, 700, 400), b]",
        floats(xy),
    )
    at = np.reshape(at, (-1, 2))
    np.testing.assert_allclose([box["x"], box["y"]], (xy.min(axis=0) + xy.max(axis=0)) / 2, rtol=1e-5)
    np.testing.assert_allclose([box["wide"], box["high"]], np.ptp(xy, axis=0), rtol=1e-5)
    scale = np.ptp(at, axis=0) / np.ptp(xy, axis=0)
    assert scale[0] == pytest.approx(scale[1], rel=1e-4)
    assert np.ptp(at[:, 1]) == pytest.approx(340, rel=1e-4)  # as high as there is room
    np.testing.assert_allclose((at.max(axis=0) + at.min(axis=0)) / 2, 0, atol=1e-3)
    assert np.argmin(at[:, 1]) == np.argmax(xy[:, 1])  # pixels count downwards
    wide = run(
        "word_map",
        "const xy = Float32Array.from(given); return m.spread(xy, m.bounds(xy), 700, 400)",
        floats(xy * [9, 1]),
    )
    assert np.ptp(np.reshape(wide, (-1, 2))[:, 0]) == pytest.approx(590, rel=1e-4)


@pytest.mark.parametrize("xy", [[3, 4], [3, 4, 3, 4], [1e-38, 0, 2e-38, 0], [-3e38, 0, 3e38, 0]])
def test_words_in_one_place_and_far_apart_have_places_too(xy):
    at = run(
        "word_map", "const xy = Float32Array.from(given); return m.spread(xy, m.bounds(xy), 700, 400)", xy
    )
    assert all(isinstance(number, int | float) and abs(number) <= 350 for number in at)


BOXES = """
const { points, ...settings } = given;
return m.place(points.map((_, i) => i), (i) => points[i], settings);
"""


def names(n, **settings):
    rng = np.random.default_rng(5)
    points = np.column_stack(
        [rng.uniform(0, 500, n), rng.uniform(0, 300, n), rng.uniform(12, 90, n), np.full(n, 6)]
    )
    settings = {"height": 15, "most": n, "size": [500, 300], **settings}
    placed = run("word_map", BOXES, {"points": points.tolist(), **settings})
    boxes = np.array(
        [[left, middle - 7.5, left + points[i, 2], middle + 7.5] for i, left, middle, _ in placed]
    )
    return points, placed, boxes


def overlaps(boxes):
    a, b = boxes[:, None], boxes[None]
    hit = (
        (a[..., 0] < b[..., 2]) & (b[..., 0] < a[..., 2]) & (a[..., 1] < b[..., 3]) & (b[..., 1] < a[..., 3])
    )
    return (hit.sum() - len(boxes)) // 2


def test_names_do_not_overlap_and_stay_inside():
    points, placed, boxes = names(400)
    assert 40 < len(placed) < 400
    assert overlaps(boxes) == 0
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2] <= 500).all()
    assert (boxes[:, 3] <= 300).all()
    assert [i for i, *_ in placed] == sorted(i for i, *_ in placed)  # the most wanted first
    for i, left, middle, far in placed:
        x, y, width, away = points[i]
        beside = [
            (x + away, y),
            (x - away - width, y),
            (x - width / 2, y - away - 7.5),
            (x - width / 2, y + away + 7.5),
        ]
        assert (left, middle) in [pytest.approx(place) for place in beside]
        assert not far


def test_names_that_must_stand_find_room_further_away():
    _, placed, boxes = names(45, must=45)
    assert len(placed) == 45
    assert overlaps(boxes) == 0
    assert any(far for *_, far in placed)
    crowd = run(
        "word_map",
        BOXES,
        {"points": [[50, 50, 80, 5]] * 200, "height": 15, "most": 200, "must": 200, "size": [100, 100]},
    )
    assert len(crowd) == 200  # at the worst over others


def test_only_so_many_names_are_placed_and_tried():
    assert len(names(400, most=9)[1]) == 9
    assert max(i for i, *_ in names(400, tries=30)[1]) < 30
    outside = run(
        "word_map",
        BOXES,
        {"points": [[-40, 50, 80, 5], [990, 50, 80, 5]], "height": 15, "most": 9, "size": [900, 100]},
    )
    assert [round(left) for _, left, *_ in outside] == [-35, 995]  # a point outside has its name outside


def test_groups_have_the_same_colours_and_as_many_shapes_in_both():
    roles, shapes = run("word_map", "return [m.GROUP_ROLES, m.SHAPES]")
    assert tuple(roles) == word_map.GROUP_ROLES
    assert set(roles) <= set(plots.ROLES)
    assert len(set(shapes)) == len(set(word_map.GROUP_MARKS)) == len(roles)


def test_five_thousand_words_are_measured_soon():
    rng = np.random.default_rng(0)
    given = {"xy": floats(rng.normal(size=(5000, 2))), "ids": rng.integers(0, 5000, 50_000).tolist()}
    body = READ + "const start = performance.now(); m.overlap(map, ids, 10); return performance.now() - start"
    assert run("word_map", body, given) < 2000  # generous: the machine may be busy


# ---- What may come in --------------------------------------------------------------------------------------------


def small(**settings):
    words, maps, ids = synthetic()
    return WordMap(
        words, {"PCA": maps[0], "t-SNE": maps[1]}, **({"neighbours": ids, "start": "word3"} | settings)
    )


def test_it_sends_its_numbers_as_bytes():
    words, maps, ids = synthetic()
    cosines = np.linspace(-1, 1, ids.size).reshape(ids.shape)
    explorer = small(
        cosines=cosines, groups={"even": words[:50:2], "odd": ["word1"]}, frame="t-SNE", dimensions=11
    )
    np.testing.assert_allclose(np.frombuffer(explorer.xy, "<f4").reshape(maps.shape), maps, rtol=1e-6)
    assert np.frombuffer(explorer.neighbours, "<u2").reshape(ids.shape).tolist() == ids.tolist()
    np.testing.assert_allclose(np.frombuffer(explorer.cosines, "<f4").reshape(ids.shape), cosines, atol=1e-6)
    assert explorer.k == 7
    assert explorer.frame == 1
    assert explorer.dimensions == 11
    assert explorer.groups == ["even", "odd"]
    assert list(explorer.group_of[:4]) == [0, 1, 0, 255]
    assert explorer.words == words
    assert (small().groups, set(small().group_of)) == ([], {255})
    assert small(neighbours=None).neighbours == small().cosines == b""
    assert not explorer.slider
    assert explorer.frame_label == "map"


def test_neighbours_may_change_from_map_to_map():
    words, _, ids = synthetic()
    explorer = small(neighbours=np.stack([ids, ids[:, ::-1]]))
    assert explorer.nearest("word3") == [words[i] for i in ids[3]]
    explorer.frame = 1
    assert explorer.nearest("word3") == [words[i] for i in ids[3, ::-1]]
    assert len(explorer.neighbours) == 2 * 2 * ids.size
    assert small(neighbours=None).nearest("word3") == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"words": "cat"}, "words must be a list of strings, got one string 'cat'; wrap it"),
        ({"words": []}, "a map must have 1 to 20,000 words, got 0"),
        ({"words": [str(i) for i in range(20_001)]}, "got 20,001; with more, a laptop can't redraw it 60 times a second"),
        ({"words": ["cat", "", "dog"]}, "every word must be a string with a letter or more, got ''"),
        ({"words": ["cat", "a\ud83e", "dog"]}, "every word must be whole characters, got half of one"),
        ({"words": ["cat", "a\udfff", "dog"]}, r"got half of one in 'a\\udfff'"),
        ({"words": ["cat", "dog", "cat"]}, "words must differ, got 'cat' 2 times; keep one of them"),
        ({"frames": {}}, "frames must give each map a name, got none"),
        ({"frames": {" ": np.ones((3, 2))}}, "every map must have a name, got ' '"),
        ({"frames": {"PCA": np.ones((2, 2))}}, r"the map 'PCA' must have two numbers for each of the 3 words, got shape \(2, 2\)"),
        ({"frames": {"a": np.ones((3, 2)), "b": np.ones((3, 3))}}, r"the map 'b' must .* got shape \(3, 3\)"),
        ({"frames": {"a": np.array([[0, 0], [1, np.nan], [2, 2]])}}, "every place on the map 'a' must be finite, got NaN"),
        ({"frames": {"a": np.array([[0, 0], [1, 1e300], [2, 2]])}}, "every place on the map 'a' must be finite"),
        ({"frames": {str(i): np.ones((3, 2)) for i in range(9)}}, "choose from 8 maps at most, got 9; pass slider=True"),
        ({"slider": True}, "a slider must have 2 maps or more to move along, got 1"),
        ({"frame": "UMAP"}, "frame must be one of 'PCA', got 'UMAP'"),
        ({"start": "cut"}, "the word must be one of the 3 on the map, got 'cut'; 'cat' are on it"),
        ({"start": "zebra"}, "got 'zebra'; choose one that is"),
        ({"start": ""}, "got ''"),
        ({"dimensions": 0}, "dimensions must be 1 or more, got 0"),
        ({"cosines": np.ones((3, 1))}, "cosines must come with neighbours, got none"),
        ({"neighbours": np.ones((2, 1), int)}, r"neighbours must be 1 to 30 for each of the 3 words .* got shape \(2, 1\)"),
        ({"neighbours": np.ones((3, 0), int)}, r"got shape \(3, 0\)"),
        ({"neighbours": np.ones(3, int)}, r"got shape \(3,\)"),
        ({"neighbours": np.ones((2, 3, 1), int)}, r"got shape \(2, 3, 1\)"),
        ({"neighbours": np.ones((3, 31), int)}, r"got shape \(3, 31\)"),
        ({"neighbours": np.array([[1.0], [2.0], [0.0]])}, r"whole and from 0 to 2, got 0.0 to 2.0 \(float64\)"),
        ({"neighbours": np.array([[1], [2], [3]])}, "from 0 to 2, got 1 to 3"),
        ({"neighbours": np.array([[1], [2], [-1]])}, "from 0 to 2, got -1 to 2"),
        ({"neighbours": np.array([[0, 1], [1, 2], [2, 0]])}, "no word must be its own neighbour"),
        ({"neighbours": np.array([[1, 1], [2, 0], [1, 0]])}, "the neighbours of a word must differ"),
        ({"neighbours": np.array([[1], [2], [0]]), "cosines": np.ones((3, 2))}, r"the shape of the neighbours, \(3, 1\), got \(3, 2\)"),
        ({"neighbours": np.array([[1], [2], [0]]), "cosines": np.array([[1], [0], [1.1]])}, "every cosine must be from -1 to 1"),
        ({"neighbours": np.array([[1], [2], [0]]), "cosines": np.array([[1], [0], [-7]])}, "every cosine must be from -1 to 1"),
        ({"neighbours": np.array([[1], [2], [0]]), "cosines": np.array([[1], [0], [np.nan]])}, "every cosine must be"),
        ({"groups": {str(i): ["cat"] for i in range(9)}}, "groups can be 8 at most, got 9"),
        ({"groups": {"pets": "cat"}}, "the group 'pets' must be a list of words, got 'cat'"),
        ({"groups": {"pets": []}}, "the group 'pets' must be a list of words"),
        ({"groups": {"pets": ["zebra"]}}, "every word of a group must be on the map, got 'zebra' in 'pets'"),
        ({"groups": {"pets": ["cat"], "fur": ["cat"]}}, "a word can be in one group, got 'cat' in 'pets' and 'fur'"),
    ],
)  # fmt: skip
def test_what_can_not_be_a_map_is_refused(wrong, said):
    given = {"words": ["cat", "dog", "cow"], "frames": {"PCA": np.array([[0, 0], [1, 0], [2, 2]])}} | wrong
    with pytest.raises(ValueError, match=said):
        WordMap(given.pop("words"), given.pop("frames"), **given)


def test_what_stands_at_the_edge_of_the_rules_is_taken():
    n = 20_000
    big = WordMap(
        [str(i) for i in range(n)], {"random": np.random.default_rng(0).normal(size=(n, 2))}, start="19999"
    )
    assert big.alt == "Map of 20,000 words (random): '19999' is ringed."
    one = WordMap(["cat"], {"PCA": np.array([[7, 7]])}, start="cat", groups={"pets": ["cat", "cat"]})
    assert one.alt == "Map of 1 word (PCA): 'cat' is ringed."
    assert one.picture().startswith(b"\x89PNG")
    words, maps, _ = synthetic(n=53)
    all_others = (np.arange(53)[:, None] + np.arange(1, 31)) % 53
    eight = {str(i): [f"word{i}"] for i in range(8)}
    frames = {str(i): maps[0] for i in range(8)}
    assert (
        WordMap(words, frames, neighbours=all_others, cosines=np.full((53, 30), 1.0005), groups=eight).k == 30
    )
    assert WordMap(words, {"a": maps[0], "b": maps[1]}, slider=True, dimensions=1).slider


# ---- Python's side -----------------------------------------------------------------------------------------------


def test_it_leaves_a_picture_and_a_line():
    explorer = small(start="word3")
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == repr(explorer) == f"<WordMap: {explorer.alt}>"
    assert left_behind(data) == explorer.alt


def test_the_sentence_names_the_map_the_word_and_its_five_nearest():
    words, _, ids = synthetic()
    five = ", ".join(f"'{words[i]}'" for i in ids[3, :5])
    assert small().alt == f"Map of 53 words (PCA): 'word3' and its nearest {five}."
    assert small(start=None).alt == "Map of 53 words (PCA). No word is chosen."
    assert small(slider=True, frame="t-SNE", neighbours=None).alt == (
        "Map of 53 words (t-SNE, one of 2 from PCA to t-SNE): 'word3' is ringed."
    )


def test_moves_in_the_browser_change_the_sentence_and_the_picture():
    explorer = small()
    before = explorer.picture()
    explorer.set_state({"chosen": "word7"})
    assert "'word7' and its nearest" in explorer.alt
    assert explorer.picture() != before
    explorer.set_state({"frame": 1})
    assert "(t-SNE)" in explorer.alt


def test_what_is_not_there_is_said_and_the_sentence_stays():
    explorer = small()
    before = explorer.alt
    explorer.chosen = "word33x"
    assert explorer.problem.startswith(
        "the word must be one of the 53 on the map, got 'word33x'; 'word33' and "
    )
    assert explorer.alt == before
    explorer.chosen = "word33"
    assert explorer.problem == ""
    for frame in (2, -1):
        explorer.frame = frame
        assert explorer.problem == f"frame must be 0 to 1, the number of a map, got {frame}"


def axes_of(picture_of, monkeypatch):
    """The axes that a picture was drawn on."""
    seen = []
    monkeypatch.setattr(
        word_map, "plot_map", lambda *args, **settings: seen.append(plot_map(*args, **settings))
    )
    picture_of.picture()
    return seen


def test_the_picture_shows_the_map_and_measures_the_word(monkeypatch):
    words, maps, ids = synthetic()
    [ax] = axes_of(small(frame="t-SNE", dimensions=11), monkeypatch)
    own = overlap(maps[1], ids)[3]
    assert ax.get_xlabel() == f"Of its 7 nearest in 11 dimensions,\n{own} are among its 7 nearest here."
    assert ax.get_title(loc="left") == "t-SNE"
    assert {text.get_text() for text in ax.texts} <= set(words)
    assert "word3" in {text.get_text() for text in ax.texts}


def test_a_course_of_events_shows_its_first_and_last_map_with_the_same_limits(monkeypatch):
    words, maps, ids = synthetic(frames=4)
    frames = {f"step {i}": xy for i, xy in enumerate(maps)}
    first, now, last = axes_of(
        WordMap(words, frames, slider=True, frame="step 2", groups={"one": ["word1"]}), monkeypatch
    )
    assert [ax.get_title(loc="left") for ax in (first, now, last)] == ["step 0", "step 2", "step 3"]
    assert first.get_xlim() == now.get_xlim() == last.get_xlim()
    assert first.get_ylim() == last.get_ylim()
    assert [text.get_text() for text in first.figure.legends[0].get_texts()] == ["one"]
    each = np.stack([ids, ids, ids, ids[:, ::-1]])
    ends = axes_of(
        WordMap(words, frames, slider=True, neighbours=each, start="word3", dimensions=11), monkeypatch
    )
    assert [ax.get_title(loc="left") for ax in ends] == ["step 0", "step 3"]
    np.testing.assert_allclose(ends[1].lines[0].get_xydata()[1], maps[3][ids[3, -1]], rtol=1e-5)


# ---- The picture -------------------------------------------------------------------------------------------------


def test_a_map_is_drawn_with_every_point_ring_line_and_name():
    _, maps, _ = synthetic(n=29)
    labels = [f"w{i}" for i in range(29)]
    ax = plot_map(maps[0], labels, chosen=4, near=[7, 2], groups={"$a$": [4, 9], "b": [11]}, title="A $map$")
    points = [collection.get_offsets() for collection in ax.collections]
    assert [len(some) for some in points] == [26, 2, 1, 2, 1]  # the rest, two groups, rings
    np.testing.assert_allclose(points[1], maps[0][[4, 9]])
    np.testing.assert_allclose(points[3], maps[0][[7, 2]])
    np.testing.assert_allclose(points[4], maps[0][[4]])
    assert to_hex(ax.collections[1].get_facecolor()[0]) == plots.ROLES["counts"].lower()
    assert to_hex(ax.collections[0].get_facecolor()[0]) == plots.FAINT.lower()
    assert [line.get_xydata().tolist() for line in ax.lines] == [maps[0][[4, i]].tolist() for i in (7, 2)]
    assert [text.get_text() for text in ax.texts][:3] == ["w4", "w7", "w2"]
    assert ax.texts[0].get_fontweight() == "bold"
    assert ax.texts[1].get_fontweight() == "normal"
    assert ax.get_aspect() == 1
    assert ax.get_title(loc="left") == "A $map$"
    assert [text.get_text() for text in ax.figure.legends[0].get_texts()] == ["$a$", "b"]
    assert not any(text.get_parse_math() for text in [*ax.texts, *ax.figure.legends[0].get_texts()])
    assert plots.png(ax.figure).startswith(b"\x89PNG")


def test_all_points_lie_within_the_limits_and_names_do_not_overlap():
    rng = np.random.default_rng(8)
    for n in (40, 400):
        xy = rng.normal(size=(n, 2)) * [1, 3]
        ax = plot_map(xy, [f"word{i}" for i in range(n)], near=[5])
        (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
        assert left < xy[:, 0].min() < xy[:, 0].max() < right
        assert low < xy[:, 1].min() < xy[:, 1].max() < high
        assert right - left == pytest.approx(high - low)
        boxes = [text.get_window_extent() for text in ax.texts]
        assert len(boxes) == 60 if n == 400 else 10 < len(boxes) <= 40
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert to_hex(ax.collections[0].get_facecolor()[0]) == plots.ROLES["tokens"].lower()
        assert ax.collections[0].get_alpha() == (0.35 if n == 400 else 0.9)
    assert not ax.figure.legends
    assert not ax.lines


def test_a_map_on_given_axes_and_limits():
    axes = plots.new_axes(6, 3, columns=2)
    limits = np.array([[0.0, 0], [10, 4]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ax in axes:
            assert (
                plot_map(
                    np.array([[1.0, 1], [1, 1]]), ["a" * 40, "b\x07"], groups={"g": [0]}, limits=limits, ax=ax
                )
                is ax
            )
        one = plot_map(np.array([[1.0, 1]]), ["one place"])
        plots.png(axes[0].figure)
    assert axes[0].get_xlim() == pytest.approx((-0.5, 10.5))
    assert axes[0].get_ylim() == pytest.approx((-3.5, 7.5))
    assert not axes[0].figure.legends  # the whole figure may have one, drawn by whoever made it
    assert [text.get_text() for text in axes[0].texts] == ["a" * 23 + "…", "b⟨07⟩"]
    assert one.get_xlim()[0] < 1 < one.get_xlim()[1]
    with pytest.raises(ValueError, match="labels must have one entry for each of the 1, got 2"):
        plot_map(np.ones((1, 2)), ["a", "b"])


def test_it_is_one_script_that_asks_for_nothing_from_outside():
    code = str(WordMap._esm)
    assert not re.search(r"^import ", code, re.MULTILINE)
    assert "innerHTML" not in code
    assert "OffscreenCanvas" not in code
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", code)
    assert (HERE / "word_map.css").read_text() in str(WordMap._css)


# ---- In a browser, without JupyterLab: only the view, with its state and no kernel --------------------------------

PAGE = """<!doctype html><html lang="en"><body data-jp-theme-light="true"><style>STYLE</style><main style="width: 900px"><div id="el"></div></main>
<script type="module">
const state = STATE, heard = {};
for (const [name, value] of Object.entries(state)) if (value?.bytes !== undefined) state[name] = new DataView(Uint8Array.from(atob(value.bytes), (c) => c.charCodeAt(0)).buffer);
window.state = state;
window.model = {
  get: (name) => state[name], save_changes() {}, on: (event, f) => (heard[event] ??= []).push(f), off() {},
  set(name, value) { state[name] = value; for (const f of heard[`change:${name}`] ?? []) f(); },
};
SCRIPT
widget.render({ model: window.model, el: document.getElementById("el") });
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


@pytest.fixture
def opened(chromium):
    pages = []

    def view(explorer, **settings):
        page = chromium.new_page(
            viewport={"width": 940, "height": 900}, **{"reduced_motion": "reduce"} | settings
        )
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        state = {}
        for name in explorer.trait_names(sync=True):
            value = getattr(explorer, name)
            if isinstance(value, bytes):
                state[name] = {"bytes": base64.b64encode(value).decode()}
            elif isinstance(value, str | int | bool | list) and not name.startswith("_"):
                state[name] = value
        state["dimensions"] = explorer.dimensions
        script = str(WordMap._esm).replace("export default", "const widget =")
        page.set_content(
            PAGE.replace("STYLE", str(WordMap._css))
            .replace("STATE", json.dumps(state))
            .replace("SCRIPT", script)
        )
        page.wait_for_function("document.querySelector('.uth-zoomed')?.textContent")
        pages.append(page)
        return page

    yield view
    for page in pages:
        assert page.errors == []
        page.close()


def rest(page):
    drawn(page)
    page.wait_for_function("!document.querySelector('[aria-busy]')")
    return page.evaluate("document.querySelector('canvas').toDataURL()")


def table(page):
    return [row.split("\t") for row in page.locator("tbody").inner_text().splitlines()]


def test_in_a_browser_a_search_finds_a_word_and_its_neighbours(opened):
    _, maps, ids = synthetic()
    cosines = np.linspace(1, -1, ids.size).reshape(ids.shape)
    explorer = small(cosines=cosines, dimensions=11, start=None)
    page = opened(explorer)
    box, before = page.get_by_label("find a word"), rest(page)
    assert page.get_by_role("status").inner_text() == explorer.alt
    assert page.locator("table").is_hidden()
    mean = overlap(maps[0], ids).mean()
    assert page.locator(".uth-measured").inner_text().endswith(measured(7, 11, mean))

    box.fill("Word12")
    assert rest(page) != before
    assert page.evaluate("state.chosen") == "word12"
    explorer.chosen = "word12"
    assert page.get_by_role("status").inner_text() == page.evaluate("state.alt") == explorer.alt
    rows = page.evaluate(
        "[...document.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    )
    assert [row[0] for row in rows] == explorer.nearest("word12")
    assert [row[1] for row in rows] == [f"{cosine:.2f}" for cosine in cosines[12].astype(np.float32)]
    own = overlap(maps[0], ids, [12])[0]
    assert sum("yes" in row[2] for row in rows) == own
    assert page.locator(".uth-measured").inner_text().endswith(measured(7, 11, mean, "word12", int(own)))

    box.fill("zebra")
    assert page.locator(".uth-textbox [role=alert]").inner_text() == (
        "No word on this map is 'zebra' or begins with it; try fewer letters."
    )
    assert box.input_value() == "zebra"
    box.fill("word4")
    assert page.locator(".uth-hints button").all_inner_texts() == [f"word{i}" for i in range(40, 46)]
    page.locator(".uth-hints button").nth(2).click()
    rest(page)
    assert page.evaluate("state.chosen") == box.input_value() == "word42"
    box.fill("")
    rest(page)
    assert page.evaluate("state.chosen") == ""
    assert page.locator("table").is_hidden()


def test_in_a_browser_a_neighbour_is_travelled_to_by_keyboard(opened):
    words, _, ids = synthetic()
    page = opened(small())
    before = rest(page)
    page.locator("tbody button").nth(1).focus()
    page.keyboard.press("Enter")
    assert rest(page) != before
    assert page.evaluate("state.chosen") == words[ids[3, 1]]
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 2  # the focus stays


def test_in_a_browser_keys_move_zoom_and_choose(opened):
    page = opened(small(start=None))
    before = rest(page)
    home = page.locator(".uth-zoomed").inner_text()
    page.locator("canvas").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "+", "ArrowUp", "+", "-", "n"):
        page.keyboard.press(key)
        now = rest(page)
        assert now != before, key
        before = now
    assert page.locator(".uth-zoomed").inner_text() == "1.5×"
    middle = re.match(
        r"In the middle: '(\w+)', nearest .* Enter chooses it\.", page.get_by_role("status").inner_text()
    )
    page.keyboard.press("Enter")
    rest(page)
    assert page.evaluate("state.chosen") == middle[1]
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("0")
    rest(page)
    assert page.evaluate("state.chosen") == ""
    assert page.locator(".uth-zoomed").inner_text() == home == "1.0×"


def test_in_a_browser_a_click_chooses_and_a_drag_moves(opened):
    page = opened(small(start=None))
    before = rest(page)
    place = page.locator("canvas").bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y + 30, steps=4)
    page.mouse.up()
    moved = rest(page)
    assert moved != before
    assert page.evaluate("state.chosen") == ""
    hit = page.evaluate("""([x, y]) => {  // some word: pixels that are not paper say where
      const canvas = document.querySelector("canvas"), there = canvas.getBoundingClientRect();
      for (let dy = -150; dy < 150; dy += 4) for (let dx = -200; dx < 200; dx += 4) {
        canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x + dx, clientY: y + dy, pointerId: 9 }));
        if (canvas.style.cursor === "pointer") return [x + dx, y + dy];
      }
    }""", [x, y])  # fmt: skip
    page.mouse.move(*hit)
    page.mouse.down()
    page.mouse.move(hit[0] - 60, hit[1] + 40, steps=4)
    page.mouse.up()  # the word has come along, and is not chosen
    rest(page)
    assert page.evaluate("state.chosen") == ""
    page.mouse.click(hit[0] - 60, hit[1] + 40)
    rest(page)
    assert page.evaluate("state.chosen").startswith("word")


def test_in_a_browser_the_wheel_zooms_only_when_it_is_meant(opened):
    page = opened(small())
    zoomed = page.locator(".uth-zoomed")
    place = page.locator("canvas").bounding_box()
    page.mouse.move(place["x"] + 200, place["y"] + 200)
    page.mouse.wheel(0, -200)
    rest(page)
    assert zoomed.inner_text() == "1.0×"  # the page scrolls
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    rest(page)
    once = float(zoomed.inner_text()[:-1])
    assert once > 1
    page.locator("canvas").focus()
    page.mouse.wheel(0, -200)
    rest(page)
    assert float(zoomed.inner_text()[:-1]) > once


def test_in_a_browser_maps_change_at_once_or_glide(opened):
    for motion in ("reduce", "no-preference"):
        page = opened(small(), reduced_motion=motion)
        before = rest(page)
        page.get_by_role("radio", name="t-SNE").focus()
        page.get_by_role("radio", name="t-SNE").check(force=True)
        assert page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(document.querySelector('[aria-busy]') !== null))))") == (motion != "reduce")  # fmt: skip
        assert rest(page) != before
        assert page.evaluate("state.frame") == 1
        assert "(t-SNE)" in page.locator("canvas").get_attribute("aria-label")


def test_in_a_browser_neighbours_and_measure_are_those_of_the_map_shown(opened):
    words, maps, ids = synthetic()
    other = (np.arange(53)[:, None] + np.arange(1, 8)) % 53
    page = opened(small(neighbours=np.stack([ids, other]), frame="t-SNE"))
    rest(page)
    assert page.locator("tbody button").all_inner_texts() == [words[i] for i in other[3]]
    mean, own = overlap(maps[1], other).mean(), int(overlap(maps[1], other, [3])[0])
    assert page.locator(".uth-measured").inner_text().endswith(measured(7, None, mean, "word3", own))
    assert measured(7, None, mean) != measured(7, None, overlap(maps[0], ids).mean())


def test_in_a_browser_a_slider_moves_along_and_play_stops_at_any_key(opened):
    words, maps, _ = synthetic(frames=5)
    frames = {f"step {i}": maps[0] * (1 + i) for i in range(5)}
    explorer = WordMap(words, frames, slider=True, frame_label="training", start="word3")
    page = opened(explorer)
    assert page.get_by_role("button", name="play").count() == 0  # nothing moves by itself here
    seen = {rest(page)}
    page.get_by_label("training").focus()
    for step in range(1, 5):
        page.keyboard.press("ArrowRight")
        now = rest(page)
        assert now not in seen
        seen.add(now)
        assert page.locator("output").inner_text() == f"step {step}"
    frames = {f"step {i}": maps[0] + i for i in range(14)}  # nine tenths of a second each
    page = opened(WordMap(words, frames, slider=True), reduced_motion="no-preference")
    page.get_by_role("button", name="play").click()
    page.wait_for_function("state.frame >= 1")
    page.keyboard.press("Shift")
    assert page.get_by_role("button", name="play").inner_text() == "play"
    stopped = page.evaluate("state.frame")
    page.wait_for_timeout(1000)
    assert page.evaluate("state.frame") == stopped < 13
    button = page.get_by_role("button", name="play")
    for told in ("stop", "play"):
        button.focus()
        page.keyboard.press("Enter")
        button = page.get_by_role("button", name=told)
        assert button.inner_text() == told


def test_in_a_browser_python_moves_it_too(opened):
    page = opened(small())
    before = rest(page)
    page.evaluate("model.set('chosen', 'word9')")
    assert rest(page) != before
    assert page.get_by_label("find a word").input_value() == "word9"
    page.evaluate("model.set('frame', 1)")
    rest(page)
    assert page.get_by_role("radio", name="t-SNE").is_checked()
