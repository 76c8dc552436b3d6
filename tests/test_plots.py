"""Pictures read back: bars, colours, labels and limits are what the data says."""

import itertools
import re
import struct
import time
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.font_manager import FontProperties, fontManager
from PIL import Image, ImageDraw, ImageFont, features

from helpers import pipeline as pipelines
from helpers import plots, translation
from helpers.explorers.merges import drawable
from helpers.pretrained import load_tinytown


def size_of(png):
    return struct.unpack(">II", png[16:24])


def test_bars_are_as_long_as_their_values():
    ax = plots.plot_bars(
        ["sky", " sea", "hay"],
        {"counted": [0.5, 0.25, np.nan], "true": [0.6, 0.3, 0.1]},
        roles={"counted": "counts", "true": "truth"},
        title="After blue",
    )
    counted, true = ax.containers
    assert [bar.get_width() for bar in counted] == [0.5, 0.25, 0]
    assert [bar.get_width() for bar in true] == [0.6, 0.3, 0.1]
    assert to_hex(true[0].get_facecolor()) == plots.ROLES["truth"].lower()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sky", "␣sea", "hay"]
    told = [text.get_text() for text in ax.texts]
    assert told == ["50 %", "25 %", "never counted", "60 %", "30 %", "10 %"]
    assert ax.yaxis_inverted()  # the first label on top
    assert ax.get_title(loc="left") == "After blue"
    assert to_hex(counted[0].get_facecolor()) == plots.ROLES["counts"].lower()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["counted", "true"]
    # Series differ without colour: the second is hatched.
    assert counted[0].get_hatch() != true[0].get_hatch()


def test_bars_do_not_cross_each_other_or_the_frame():
    ax = plots.plot_bars(
        ["a", "b"], {name: [0.2, 0.9] for name in "xyz"}, roles=dict.fromkeys("xyz", "counts")
    )
    spans = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for group in ax.containers for bar in group)
    assert all(end <= start + 1e-9 for (_, end), (start, _) in itertools.pairwise(spans))
    assert ax.get_xlim()[1] > 0.9


def test_one_series_needs_no_legend_and_no_role():
    ax = plots.plot_bars(["a", "b"], {"share": [0.5, 0.25]})
    assert ax.get_legend() is None
    assert to_hex(ax.patches[0].get_facecolor()) == plots.ROLES["probabilities"].lower()


def test_bars_of_numbers_and_of_nothing():
    ax = plots.plot_bars(["a", "b"], {"tokens": [1234567, 0.125]}, unit="tokens")
    assert [text.get_text() for text in ax.texts] == ["1,234,567", "0.125"]
    assert ax.get_xlim() == (0, pytest.approx(1.16 * 1234567))
    assert plots.plot_bars(["a"], {"b": [0.0]}).get_xlim()[1] > 0
    assert plots.plot_bars(["a"], {"b": [np.nan]}).get_xlim()[1] > 0


def test_what_bars_say_to_those_who_listen():
    told = plots.describe_bars("After blue", ["sky", " sea"], {"counted": [0.5, np.nan], "true": [0.6, 0.4]})
    assert told == "After blue: counted sky 50 %, ␣sea never counted; true sky 60 %, ␣sea 40 %."
    long = plots.describe_bars("All", [str(n) for n in range(50_000)], {"share": [0.01] * 50_000})
    assert long.endswith("18 1 %, 19 1 %, … 49,980 more.")


def test_lines_and_levels():
    ax = plots.plot_lines(
        [1, 2, 4],
        {"loss": [3, 2, 1], "counted": [4, 3, np.nan]},
        roles={"loss": "loss", "counted": "counts"},
        levels={"floor": (0.5, "truth")},
        log_x=True,
        x_label="steps",
        y_label="nats",
        title="A run",
    )
    line, other, level = ax.lines
    assert [to_hex(drawn.get_color()) for drawn in ax.lines] == [
        plots.ROLES[role].lower() for role in ("loss", "counts", "truth")
    ]
    assert line.get_marker() != other.get_marker()  # they differ without colour
    assert {text.get_text(): text.xy for text in ax.texts} == {
        "loss": (4, 1), "counted": (2, 3), "floor": (1, 0.5)  # where each line ends
    }  # fmt: skip
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title(loc="left")) == ("steps", "nats", "A run")
    np.testing.assert_array_equal(line.get_xydata(), [[1, 3], [2, 2], [4, 1]])
    assert set(level.get_ydata()) == {0.5}
    assert ax.get_xscale() == "log"


def test_heatmap_has_rows_down_columns_across_and_its_limits():
    values = np.arange(6).reshape(2, 3) / 6
    ax = plots.plot_heatmap(
        values,
        ["a", "b"],
        ["x", "y", "z"],
        write=".2f",
        row_label="queries",
        column_label="keys",
        title="Head",
    )
    assert (ax.get_ylabel(), ax.get_xlabel(), ax.get_title(loc="left")) == ("queries", "keys", "Head")
    image = ax.images[0]
    np.testing.assert_array_equal(image.get_array(), values)
    assert image.get_clim() == (0, 1)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["x", "y", "z"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in ax.texts] == ["0.00", "0.17", "0.33", "0.50", "0.67", "0.83"]


def test_a_heatmap_has_the_limits_and_colours_that_it_is_given():
    values = np.array([[-2.0, 2.0]])
    ax = plots.plot_heatmap(values, ["a"], ["x", "y"], limits=(-2, 2), colours=plots.SIGNED, write=".0f")
    image = ax.images[0]
    assert image.get_clim() == (-2, 2)
    assert image.get_cmap() == plots.SIGNED
    for text, share in zip(ax.texts, (0.0, 1.0), strict=True):  # written for the colour that is behind it
        assert text.get_color() == plots.readable_on(plots.SIGNED(share))
    light = plots.plot_heatmap(np.array([[3.0]]), ["a"], ["x"], limits=(3, 9), write=".0f")
    assert light.texts[0].get_color() == "#000000"


def test_a_colour_stands_for_one_role():
    """But for pairs that mean the same in two places: tokens and their odds; queries never meet counts."""
    shared = {"probabilities": "tokens", "counts": "queries"}
    assert all(plots.ROLES[one] == plots.ROLES[other] for one, other in shared.items())
    others = [colour for role, colour in plots.ROLES.items() if role not in shared]
    assert len(set(others)) == len(others)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.plot_bars(["a"], {}), "series must hold at least one, got none"),
        (lambda: plots.plot_bars(["a", "b"], {"s": [1.0]}), "one entry for each of the 2, got 1"),
        (lambda: plots.plot_bars(["a"], {"s": [-0.5]}), "values of 's' must be 0 or more and finite"),
        (lambda: plots.plot_bars(["a"], {"s": [np.inf]}), "values of 's' must be 0 or more and finite"),
        (
            lambda: plots.plot_bars(["a"], {"s": [1.0]}, roles={"s": "los"}),
            "'s' must have one of the roles .*'los'",
        ),
        (
            lambda: plots.plot_bars(["a"], {"s": [1.0]}, roles={"t": "loss"}),
            "'s' must have one of the roles .*None",
        ),
        (lambda: plots.describe_bars("x", ["a"], {"s": []}), "one entry for each of the 1, got 0"),
        (
            lambda: plots.plot_lines([1, 2], {"s": [1]}, roles={"s": "loss"}),
            "one entry for each of the 2, got 1",
        ),
        (lambda: plots.plot_lines([1], {"s": [1]}, roles={}), "'s' must have one of the roles"),
        (
            lambda: plots.plot_lines([1], {}, roles={}, levels={"floor": (1, "thruth")}),
            "'floor' must have one of the roles .*'thruth'",
        ),
        (
            lambda: plots.plot_lines([0], {}, roles={}, log_x=True),
            "a logarithmic axis needs x above 0, got 0",
        ),
        (lambda: plots.plot_heatmap(np.zeros((2, 3)), ["a"], ["b"]), r"1 rows and 1 columns .*got \(2, 3\)"),
        (lambda: plots.plot_heatmap(np.zeros((0, 0)), [], []), "at least one each"),
        (
            lambda: plots.plot_heatmap(np.ones((1, 1)), ["a"], ["b"], limits=(1, 1)),
            r"a lower and a higher .*\(1, 1\)",
        ),
        (
            lambda: plots.plot_chips(["a", "b"], below=[1]),
            "below must have one entry for each of the 2, got 1",
        ),
        (lambda: plots.chips(["a", "b"], below=[1]), "below must have one entry for each of the 2, got 1"),
        (
            lambda: plots.plot_alignment(np.ones((2, 3)), ["a", "b"], ["x", "y"], [0, 1]),
            r"row for each of the 2 queries and a column for each of the 2 keys, at least one, got \(2, 3\)",
        ),
        (lambda: plots.plot_alignment(np.ones((0, 0)), [], [], []), "at least one, got"),
        (
            lambda: plots.plot_alignment(np.ones((1, 2)), ["a"], ["x", "y"], []),
            "1 queries, got 0; None is for",
        ),
        (
            lambda: plots.plot_alignment(np.ones((1, 2)), ["a"], ["x", "y"], [2]),
            "positions of keys, from 0 to 1, or None, got 2",
        ),
        (lambda: plots.describe_alignment("w", np.ones((1, 2)), ["a"], ["x", "y"], [-1]), "None, got -1"),
        (lambda: plots.plot_alignment(np.ones((1, 2)), ["a"], ["x", "y"], [True]), "or None, got True"),
        (lambda: plots.plot_alignment(np.ones((1, 2)), ["a"], ["x", "y"], [0.0]), "or None, got 0.0"),
        (
            lambda: plots.plot_alignment(np.array([[np.nan, 1]]), ["a"], ["x", "y"], [0]),
            "weights must be finite, got NaN or infinity; take those after the softmax",
        ),
        (lambda: plots.percent(float("nan")), "a share must be 0 or more, got nan"),
        (lambda: plots.percent(-0.1), "a share must be 0 or more, got -0.1"),
    ],
)
def test_what_can_not_be_drawn_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_a_learners_text_is_text_and_never_a_formula():
    """Dollar signs would make one, and "\\foo" in it an error; half a surrogate pair can't be drawn at all."""
    odd = ["$\\foo$", "a$b$", "\ud800", "\u202e", "مرحبا", "\x00"]
    for ax in (
        plots.plot_bars(odd, {"$\\foo$": [0.1] * 6, "\\y": [0.2] * 6}, title="$\\foo$ \ud800"),
        plots.plot_lines([1], {"$\\foo$": [1]}, roles={"$\\foo$": "loss"}, levels={"$\\bar$": (2, "truth")}),
        plots.plot_heatmap(np.eye(6), odd, odd, title="$\\foo$"),
        plots.plot_chips(odd, below=odd[:2] * 3, title="$\\foo$"),
    ):
        picture = plots.show(ax, "half a pair: \ud800")
        assert picture.alt == "half a pair: ⟨D800⟩"
        picture._repr_html_().encode()
    plots.chips(odd, name="\ud800")._repr_html_().encode()


def contrast(one, other):
    high, low = sorted((plots.luminance(one), plots.luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read_on_what_is_behind_it():
    """WCAG 2.2, 1.4.3: at least 4.5 to 1 for text, on chips and in the cells of a heatmap."""
    assert all(contrast(plots.INK, chip) > 4.5 for chip in plots.CHIPS)
    assert contrast(plots.FAINT, plots.PAPER) > 4.5
    for value in np.linspace(0, 1, 21):
        ax = plots.plot_heatmap(np.array([[value]]), ["a"], ["b"], write=".2f")
        assert contrast(ax.texts[0].get_color(), plots.WEIGHTS(value)) > 4.5, value
    # 1.4.11: bars and lines 3 to 1; orange and the light ones always come with a written value or a name.
    assert all(contrast(plots.ROLES[role], plots.PAPER) > 3 for role in ("tokens", "keys", "loss", "truth"))


def test_chips_stay_on_the_picture_and_wrap():
    text = "once there was a very long line of words that does not fit into one row of chips"
    words = text.split()
    ax = plots.plot_chips(words, below=range(100, 100 + len(words)), ax=plots.new_axes(4, 2.2))
    inches = ax.figure.get_size_inches()
    boxes = [patch.get_bbox() for patch in ax.patches]
    assert len(boxes) == len(words)
    assert all(box.x0 >= 0 and box.x1 <= inches[0] + 1e-6 for box in boxes)
    assert len({round(box.y0, 6) for box in boxes}) > 1
    assert [text.get_text() for text in ax.texts[1::2]] == [str(100 + n) for n in range(len(words))]
    # A chip holds its text.
    renderer = ax.figure.canvas.get_renderer()
    for text, box in zip(ax.texts[::2], boxes, strict=True):
        extent = text.get_window_extent(renderer)
        assert box.x0 * ax.figure.dpi <= extent.x0
        assert extent.x1 <= box.x1 * ax.figure.dpi


@pytest.mark.parametrize("below", [None, range(10_000)])
def test_ten_thousand_chips_stay_on_the_axis_and_say_how_many_more_there_are(below):
    ax = plots.new_axes(5, 1.5)
    began = time.perf_counter()
    plots.plot_chips([f"piece {n}" for n in range(10_000)], below=below, title="Long", ax=ax)
    assert time.perf_counter() - began < 5  # measured one by one, they took 30 s
    shown = len(ax.patches) - 1
    assert ax.texts[-1].get_text() == f"… {10_000 - shown:,} more"
    assert shown > 5
    assert (
        len(ax.texts) == (shown if below is None else 2 * shown) + 1
    )  # nothing is left of those that made room
    box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    for patch in ax.patches:
        chip = patch.get_bbox()
        assert box.x0 - 1e-6 <= chip.x0 < chip.x1 <= box.x1 + 1e-6
        assert box.y0 <= chip.y0 < chip.y1 <= box.y1 + 1e-6


def test_chips_that_just_fit_need_no_more():
    told = []
    for n in range(1, 19):
        ax = plots.plot_chips(["abc"] * n, ax=plots.new_axes(2.2, 0.8))
        told.append((len(ax.patches), ax.texts[-1].get_text()))
    full = sum(last == "abc" for _, last in told)
    assert 3 < full < 18
    for n, (shown, last) in enumerate(told, start=1):
        assert (shown, last) == (n, "abc") if n <= full else last == f"… {n - shown + 1} more"


def test_a_chip_wider_than_the_axis_is_cut_short():
    ax = plots.plot_chips(["a", "x" * 100_000, "b"])
    first, long, last = (patch.get_bbox() for patch in ax.patches)
    assert long.x1 <= ax.figure.get_size_inches()[0]
    assert ax.texts[1].get_text().endswith("x…")
    assert first.y0 > long.y0 > last.y0


def test_matplotlibs_settings_stay_as_they_are():
    before = dict(matplotlib.rcParams)
    plots.show(plots.plot_bars(["a"], {"b": [1.0]}), "one bar")
    assert dict(matplotlib.rcParams) == before


def test_a_picture_has_its_alternative_text_and_is_not_shown_by_itself():
    picture = plots.show(plots.plot_bars(["a"], {"b": [1.0]}), 'one "bar" <b>')
    assert picture.png.startswith(b"\x89PNG")
    assert repr(picture) == '<Picture: one "bar" <b>>'
    assert 'alt="one &quot;bar&quot; &lt;b&gt;"' in picture._repr_html_()
    assert 'data-jp-theme-light="false"' in picture._repr_html_()  # readable on a dark page too
    assert b"Software" not in picture.png  # nothing in it that changes with the version of matplotlib
    with pytest.raises(ValueError, match="alt must say in a sentence"):
        plots.show(plots.new_axes(), "  ")


def test_the_same_drawing_gives_the_same_bytes():
    def draw():
        return plots.show(plots.plot_bars(["a", "b"], {"c": [0.3, 0.7]}), "bars").png

    assert draw() == draw()
    assert size_of(draw())[0] == round(6.8 * 180)


def test_chips_in_html_are_text_and_never_code():
    shown = plots.chips(
        ["<script>alert(1)</script>", b"\xe0\xa4", " a"], below=[1, 2, 3], name="<b>"
    )._repr_html_()
    assert "<script" not in shown
    assert "<b>" not in shown
    assert "⟨E0 A4⟩" in shown
    assert "␣a" in shown
    assert [part.split("<")[0] for part in shown.split('color:#4A4A4A">')[1:]] == ["1", "2", "3"]
    assert "<i>" not in plots.chips(["a"], below=["<i>"])._repr_html_()
    assert repr(plots.chips(["a", "\n"])) == ": a | ⏎"


@pytest.mark.parametrize(
    ("piece", "seen"),
    [("\x07", "⟨07⟩"), ("\u202e", "⟨202E⟩"), ("\ud800", "⟨D800⟩"), ("आप", "आप"), ("", ""), ("\t", "⇥")],
)
def test_what_can_not_be_seen_is_named(piece, seen):
    assert plots.visible(piece) == seen


# --- the pipeline -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def followed():
    return pipelines.follow(*load_tinytown())


def test_the_pipeline_is_what_the_model_does(followed):
    import torch

    model, tokenizer = load_tinytown()
    assert followed.tokens == pipelines.SENTENCE.split()
    assert list(followed.ids) == tokenizer.encode(pipelines.SENTENCE)
    np.testing.assert_array_equal(followed.vectors[2], followed.vectors[5])  # "the", twice
    assert not np.allclose(
        (followed.vectors + followed.positions)[2], (followed.vectors + followed.positions)[5]
    )
    # Rows sum to at most 1: what the start token gets is left out of the picture. The future is 0.
    assert (followed.attention.sum(-1) <= 1 + 1e-6).all()
    assert np.triu(followed.attention, 1).max() == 0
    logits = model.reader()(tokenizer.encode(pipelines.SENTENCE, special=True))
    odds = torch.tensor(logits).softmax(0)
    assert followed.next_probabilities[0] == pytest.approx(float(odds.max()), abs=1e-5)
    assert followed.next_words[0] == tokenizer.decode([int(odds.argmax())])


def test_the_pipeline_picks_the_right_rows_layer_and_count():
    """Everything without its start token: token t stands at position t + 1 of what the model read."""
    import torch

    model, tokenizer = load_tinytown()
    ids = tokenizer.encode(pipelines.SENTENCE, special=True)
    with torch.inference_mode():
        _, trace = model(torch.tensor([ids]), trace=True)
    for layer in (0, 1, -1):
        followed = pipelines.follow(model, tokenizer, n_next=3, layer=layer)
        np.testing.assert_allclose(followed.attention, trace.attention[layer, 0].mean(0)[1:, 1:], atol=1e-6)
        assert len(followed.next_words) == len(followed.next_probabilities) == 3
    np.testing.assert_array_equal(followed.vectors, model.embedding.weight.detach()[ids[1:]])
    np.testing.assert_array_equal(followed.positions, model.position_embedding.weight.detach()[1 : len(ids)])
    assert followed.next_probabilities == sorted(followed.next_probabilities, reverse=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text": ""}, "text must hold at least one token, got ''"),
        ({"layer": 2}, "layer must be from 0 to 1, or -1 for the last, got 2"),
        ({"n_next": 0}, "n_next must be 1 or more, got 0"),
        ({"text": "the fox " * 40}, "at most 64 tokens"),
    ],
)
def test_what_the_pipeline_can_not_follow(settings, message):
    with pytest.raises(ValueError, match=message):
        pipelines.follow(*load_tinytown(), **settings)


def test_the_pipeline_needs_learned_positions():
    from helpers.transformer import GPT, GPTConfig

    config = GPTConfig(vocab_size=162, n_ctx=8, n_layers=1, n_heads=1, d_model=4, positions="rotary")
    with pytest.raises(ValueError, match="a GPT with learned positions, got 'rotary'"):
        pipelines.follow(GPT(config), load_tinytown()[1])


def test_the_picture_of_the_pipeline_shows_its_numbers(followed):
    ax = plots.plot_pipeline(followed)
    cells = dict(zip(plots.STAGES, ax.figure.axes[1:], strict=True))
    vectors, positions, attention = (cells[name].images[0] for name in ("vectors", "positions", "attention"))
    np.testing.assert_array_equal(vectors.get_array(), followed.vectors[:, :12])
    np.testing.assert_array_equal(positions.get_array(), (followed.vectors + followed.positions)[:, :12])
    low, high = vectors.get_clim()
    assert low == -high  # white is 0
    assert positions.get_clim() == (low, high)  # one scale for both, so that they can be compared
    np.testing.assert_array_equal(attention.get_array(), followed.attention)
    assert attention.get_clim() == (0, 1)
    told = {name: [text.get_text() for text in cell.texts] for name, cell in cells.items()}
    assert told["tokens"] == list(followed.tokens)
    assert [text for text in told["ids"] if text.isdigit()] == [str(number) for number in followed.ids]
    odds = cells["probabilities"]
    assert [bar.get_width() for bar in odds.patches] == list(followed.next_probabilities)
    assert [label.get_text() for label in odds.get_yticklabels()] == list(followed.next_words)
    assert odds.yaxis_inverted()  # the best on top
    best = f"{followed.next_words[0]!r} with {plots.percent(followed.next_probabilities[0])} in front."
    assert plots.describe_pipeline(followed).endswith(best)


def test_a_long_pipeline_is_told_in_short(followed):
    long = followed._replace(tokens=["fox"] * 500, ids=list(range(500)))
    told = plots.describe_pipeline(long)
    assert "18, 19, … 480 more)" in told
    assert len(told) < 500


def test_lit_stages_stand_out(followed):
    ax = plots.plot_pipeline(followed, lit=["ids"])
    widths = [artist.get_linewidth() for artist in ax.patches]
    assert [width > 2 for width in widths] == [stage == "ids" for stage in plots.STAGES]
    shades = [cell.texts[0].get_alpha() for cell in ax.figure.axes[1:3]]
    assert shades[0] < 1 == shades[1]
    assert plots.describe_pipeline(followed, "ids") == plots.describe_pipeline(followed, ["ids"])
    assert "Lit here: ids." in plots.describe_pipeline(followed, ["ids"])
    assert "Lit" not in plots.describe_pipeline(followed)
    for picture in (plots.plot_pipeline, plots.describe_pipeline):
        with pytest.raises(ValueError, match=r"lit must name stages out of tokens, .*got 'colours'"):
            picture(followed, lit=["colours"])


def test_names_of_two_words_stay_and_spaces_of_tokens_are_seen():
    ax = plots.plot_heatmap(np.zeros((2, 2)), ["Llama 3", " sky"], ["a", "\n"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Llama 3", "␣sky"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "⏎"]


# ---- Loss curves ------------------------------------------------------------------------------------------------------

LOSS_LANDMARKS = {"uniform": 5.0, "bigram": 1.2, "the floor": 0.5}


def falling(n, end, start=5.0):
    steps = np.arange(1, n + 1)
    return steps, end + (start - end) * np.exp(-steps / 30)


def test_a_running_mean_is_the_mean_of_the_last_steps():
    steps = np.array([4, 5, 9, 40, 41, 60, 100])
    values = np.array([3.0, np.nan, 5.0, 2.0, np.inf, 4.0, 8.0])
    for window in (1, 5, 21, 1000):
        means = plots.running_mean(steps, values, window)
        for i, step in enumerate(steps):
            inside = (steps <= step) & (steps > step - min(window, step / 4)) & np.isfinite(values)
            expected = values[inside].mean() if np.isfinite(values[i]) else np.nan
            np.testing.assert_allclose(means[i], expected)
    np.testing.assert_array_equal(
        plots.running_mean(steps, values, 0), np.where(np.isfinite(values), values, np.nan)
    )
    assert plots.running_mean([0, 1], [2.0, 1.0], 20).tolist() == [2.0, 1.0]  # a step counts in its own mean
    assert plots.running_mean([], [], 20).tolist() == []


def test_losses_are_told_by_the_landmarks_that_they_pass():
    told = plots.describe_losses(
        {"a": falling(300, 0.52), "b": ([7], [0.8])}, LOSS_LANDMARKS, outcomes={"a": "stopped"}
    )
    assert told == (
        "Loss in nats per token, with uniform at 5.00, bigram at 1.20 and the floor at 0.50. a, stopped: begins near "
        "uniform, passes bigram, and ends near the floor. b, 1 point: begins and ends between bigram and the floor."
    )
    up = plots.describe_losses({"up": (range(1, 101), np.linspace(0.9, 9, 100))}, LOSS_LANDMARKS)
    assert up.endswith(
        "begins between bigram and the floor, passes bigram and uniform, and ends above uniform."
    )
    down = plots.describe_losses({"down": (range(1, 101), np.linspace(2, 0.1, 100))}, LOSS_LANDMARKS)
    assert down.endswith(
        "begins between uniform and bigram, passes bigram and the floor, and ends below the floor."
    )


@pytest.mark.parametrize(
    ("losses", "way"),
    [([4.0, 3.5], "falls"), ([4.0, 3.7], "stays where it began"), ([4.0, 4.3], "stays where it began"),
     ([4.0, 4.5], "rises"), ([-1.0, -3.0], "stays where it began")],
)  # fmt: skip
def test_losses_without_landmarks_fall_or_rise(losses, way):
    assert (
        plots.describe_losses({"a": ([1, 100], losses)}, {}) == f"Loss in nats per token. a, 2 points: {way}."
    )


def test_stored_losses_are_told_with_their_digits():
    told = plots.describe_losses({"a": ([1, 100, 2000], [4.0, 1.25, 2.0])}, {"floor": 0.5}, exact=True)
    assert told.endswith("begins and ends above floor, from 4.00 to 2.00, lowest 1.25 at step 100.")


def test_runs_of_which_nothing_is_known_yet():
    assert plots.describe_losses({}, {}) == "Loss in nats per token. No run yet."
    told = plots.describe_losses({"a": ([], []), "b": ([1], [np.nan])}, {})
    assert told == "Loss in nats per token. a, 0 points: no step yet. b, 1 point: no loss that is a number."


def test_the_picture_of_losses_shows_every_step_and_the_mean():
    steps, losses = falling(120, 0.6)
    ax = plots.plot_losses({"a": (steps, losses), "b": ([10, 30], [3.0, 2.0])}, LOSS_LANDMARKS, window=20)
    lines = {(tuple(line.get_xdata()), tuple(np.round(line.get_ydata(), 9))): line for line in ax.lines}
    raw = lines[tuple(steps), tuple(losses.round(9))]
    mean = lines[tuple(steps), tuple(plots.running_mean(steps, losses, 20).round(9))]
    assert raw.get_alpha() < 0.5 < mean.get_linewidth()
    assert mean.get_alpha() is None
    assert mean.get_color() == raw.get_color() == plots.run_colour(0)
    assert mean.get_marker() == "None"
    sparse = next(
        line for line in ax.lines if tuple(line.get_xdata()) == (10, 30) and line.get_alpha() is None
    )
    assert sparse.get_marker() == "o"
    assert sparse.get_color() == plots.run_colour(1) != plots.run_colour(0)
    assert sparse.get_linestyle() == "--" != mean.get_linestyle()
    levels = {
        line.get_ydata()[0]: line
        for line in ax.lines
        if list(line.get_xdata()) == [0, 1] and line.get_ydata()[0] in LOSS_LANDMARKS.values()
    }
    assert sorted(levels) == sorted(LOSS_LANDMARKS.values())
    assert levels[0.5].get_linestyle() == "-" != levels[1.2].get_linestyle()  # the floor is another one
    assert levels[0.5].get_linewidth() > levels[1.2].get_linewidth()
    assert ax.get_xlim() == (0, 120)
    assert ax.get_ylim()[0] == 0
    # b ends early: a line leads from there to its name
    assert any(
        list(line.get_xdata()) == [30, 120] and list(line.get_ydata()) == [2.0, 2.0] for line in ax.lines
    )
    without = plots.plot_losses({"a": (steps, losses)}, {}, window=0)
    assert sum(len(line.get_xdata()) == 120 for line in without.lines) == 1


def test_names_at_the_edge_stand_apart_in_the_order_of_their_heights():
    runs = {f"run {i}": falling(60, 0.5 + 0.01 * i) for i in range(4)}
    for log in (False, True):
        ax = plots.plot_losses(runs, LOSS_LANDMARKS, log_loss=log)
        names = {text.get_text(): text for text in ax.texts}
        assert set(names) == {"uniform 5.00", "bigram 1.20", "the floor 0.50", *runs}
        heights = sorted(text.get_position()[1] for text in names.values())
        gap = 13 / 72 / (ax.get_window_extent().height / ax.figure.dpi)
        assert np.diff(heights).min() >= 0.999 * gap
        assert heights[0] >= 0
        assert heights[-1] <= 1
        order = sorted(names, key=lambda name: -names[name].get_position()[1])
        assert order == ["uniform 5.00", "run 3", "run 2", "run 1", "run 0", "bigram 1.20", "the floor 0.50"]


def test_a_run_that_blows_up_does_not_flatten_the_others():
    calm, wild = falling(50, 0.6), (np.arange(1, 51), np.linspace(5, 400, 50))
    assert plots.plot_losses({"calm": calm, "wild": wild}, LOSS_LANDMARKS).get_ylim()[1] == pytest.approx(
        10.6
    )
    assert plots.plot_losses({"wild": wild}, {"floor": 0.5}).get_ylim()[1] == pytest.approx(
        1.06 * 5
    )  # its start is seen
    assert plots.plot_losses({"wild": wild}, {}, window=0).get_ylim()[1] == pytest.approx(424)
    assert plots.plot_losses({"calm": calm}, LOSS_LANDMARKS).get_ylim()[1] == pytest.approx(1.06 * 5)


def test_logarithmic_axes_of_losses():
    ax = plots.plot_losses(
        {"a": ([0, 10, 2000], [5.0, 0.0, 0.4])}, {"floor": 0.25}, log_loss=True, log_steps=True, window=0
    )
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlim() == pytest.approx((1, 2000))
    assert ax.get_ylim() == pytest.approx((0.22, 5.6))
    assert plots.png(ax.figure).startswith(b"\x89PNG")


def test_no_run_yet():
    ax = plots.plot_losses({}, {"floor": 0.25}, n_steps=900)
    assert ax.get_xlim() == (0, 900)
    assert "no run yet" in [text.get_text() for text in ax.texts]
    assert plots.plot_losses({}, {}, log_loss=True).get_ylim()[0] > 0
    assert plots.plot_losses({"a": ([1, 2], [np.nan, np.nan])}, {}).get_ylim() == (0, 1.06)


def test_losses_without_a_step_each_are_refused():
    with pytest.raises(ValueError, match="losses of 'a' must have one entry for each of the 2, got 1"):
        plots.plot_losses({"a": ([1, 2], [5.0])}, {})


def test_places_that_are_spread_keep_their_order_and_their_distance():
    rng = np.random.default_rng(0)
    for n in range(1, 13):
        wanted = rng.uniform(0, 100, n)
        places = np.array(plots.spread(wanted.tolist(), 8, 0, 100))
        np.testing.assert_array_equal(np.argsort(places), np.argsort(wanted))
        assert places.min() >= -1e-9
        assert places.max() <= 100 + 1e-9
        if n > 1:
            assert np.diff(np.sort(places)).min() >= min(8, 100 / (n - 1)) - 1e-9
    assert plots.spread([10, 50, 90], 8, 0, 100) == [10, 50, 90]  # what has room stays
    assert plots.spread([], 8, 0, 100) == []


# ---- Alignments ----------------------------------------------------------------------------------------------------

HINDI, ENGLISH = ["आप", "कैसे", "हैं", "<end>"], ["how", "are", "you"]
LOOKS = np.array([[0.1, 0.2, 0.7], [0.9, 0.1, 0.0], [0.3, 0.2, 0.5], [0.5, 0.3, 0.2]])


def test_an_alignment_is_a_heatmap_with_frames_where_the_grammar_says():
    ax = plots.plot_alignment(LOOKS, HINDI, ENGLISH, [2, 0, 1, None], title="Head")
    np.testing.assert_array_equal(ax.images[0].get_array(), LOOKS)
    assert ax.images[0].get_clim() == (0, 1)
    assert [label.get_text() for label in ax.get_yticklabels()] == HINDI
    assert [label.get_text() for label in ax.get_xticklabels()] == ENGLISH
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("Hindi word written", "English word read")
    assert ax.get_title(loc="left") == "Head"
    assert [text.get_text() for text in ax.texts[:3]] == ["0.10", "0.20", "0.70"]
    assert "grammar" in ax.texts[-1].get_text()
    colours = {}
    for frame in ax.patches:
        middle = frame.get_x() + frame.get_width() / 2, frame.get_y() + frame.get_height() / 2
        assert 0.9 <= frame.get_height() <= frame.get_width() <= 1
        assert not frame.get_fill()
        colours.setdefault(tuple(np.round(middle, 6)), []).append(
            (to_hex(frame.get_edgecolor()), frame.get_linewidth())
        )
    assert sorted(colours) == [(0, 1), (1, 2), (2, 0)]
    for (rim, wide), (frame, thick) in colours.values():
        assert (rim, frame) == (plots.PAPER.lower(), plots.ROLES["truth"].lower())
        assert wide > thick + 2
    assert size_of(plots.png(ax.figure))[0] > 900


def test_the_words_of_an_alignments_sides_can_be_others():
    ax = plots.plot_alignment(np.eye(2), ["a", "b"], ["x", "y"], (0, 1), row_label="r", column_label="c")
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("r", "c")
    again = plots.new_axes()
    assert plots.plot_alignment(np.eye(2), ["a", "b"], ["x", "y"], np.array([0, 1]), ax=again) is again


def test_an_alignment_is_told_with_what_the_grammar_has_and_no_digits_of_weights():
    assert plots.describe_alignment("Layer 1", LOOKS, HINDI, ENGLISH, [2, 0, 1, None]) == (
        "Layer 1: आप looks most at you, कैसे at how, हैं at you, where the grammar has are, <end> at how. 2 of 3 words "
        "look most at the one that the grammar names."
    )
    twice = plots.describe_alignment("w", np.eye(3), ["a", "b", "c"], ["the", "cat", "the"], [0, 1, 0])
    assert twice.startswith(
        "w: a looks most at the (0), b at cat, c at the (2), where the grammar has the (0). 2 of 3"
    )
    many = plots.describe_alignment("w", np.eye(30), list("q" * 30), [f"k{i}" for i in range(30)], range(30))
    assert "q at k19, … 10 more. 30 of 30 words" in many
    picture = plots.show_alignment(LOOKS, HINDI, ENGLISH, [2, 0, 1, None], title="Layer 1")
    assert (
        repr(picture)
        == f"<Picture: {plots.describe_alignment('Layer 1', LOOKS, HINDI, ENGLISH, [2, 0, 1, None])}>"
    )


# ---- Hindi -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_hindi_font(monkeypatch):
    """A machine that has matplotlib's own fonts and the course's, and no other."""
    own = (matplotlib.get_data_path(), str(plots.DEVANAGARI))
    monkeypatch.setattr(
        fontManager, "ttflist", [font for font in fontManager.ttflist if font.fname.startswith(own)]
    )
    fontManager._findfont_cached.cache_clear()
    yield
    fontManager._findfont_cached.cache_clear()


def hindi_words():
    """Every run of Devanagari in the grammar, and what it makes of them."""
    written = re.findall(r"[\u0900-\u097f]+", Path(translation.__file__).read_text(encoding="utf-8"))
    return sorted(
        {*written, *(word for pair in translation.translations("train", 300) for word in pair.hindi)}
    )


def test_the_courses_own_hindi_font_comes_first():
    for weight in ("normal", "bold"):
        wanted = FontProperties(family="Noto Sans Devanagari", weight=weight)
        assert Path(fontManager.findfont(wanted, fallback_to_default=False)) == plots.DEVANAGARI
    assert (plots.SANS[0], plots.MONO[0]) == ("DejaVu Sans", "DejaVu Sans Mono")


@pytest.mark.usefixtures("no_hindi_font")
def test_all_hindi_words_of_the_course_have_letters_in_every_kind_of_text(caplog):
    words = hindi_words()
    assert len(words) > 80
    assert all(map(drawable, words))
    text = " ".join(words)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ax in (
            plots.plot_bars(words, {"कौन": [0.5] * len(words), "b": [1.0] * len(words)}, title=text[:40],
                            roles={"कौन": "tokens", "b": "loss"}),
            plots.plot_heatmap(np.ones((1, 2)), ["कुत्ता"], ["बड़ी", "x"], row_label="पीछा", title="नमस्ते"),
            plots.plot_chips(words[:40], below=words[:40], ax=plots.new_axes(9, 4)),
        ):  # fmt: skip
            plots.png(ax.figure, dpi=50)
        assert [record.message for record in caplog.records] == []
        with pytest.raises(
            UserWarning, match=r"Glyph 20320 .* missing from font"
        ):  # so a warning would be seen
            plots.png(plots.plot_heatmap(np.ones((1, 1)), ["你"], ["a"]).figure, dpi=50)


def inked(pixels):
    """The rows and columns of a picture that hold ink."""
    rows, columns = np.nonzero(pixels > 60)
    return pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


@plots.styled
def drawn(text, size=96):
    figure = plots.new_axes(8, 2).figure
    figure.clear()
    figure.set_dpi(72)
    figure.text(0.1, 0.4, text, fontsize=size)
    with matplotlib.rc_context({"text.hinting": "no_hinting"}):
        figure.canvas.draw()
    return inked(255.0 - np.asarray(figure.canvas.buffer_rgba())[..., 0])


def shaped(text, layout, size=96):
    """The same by Pillow, which asks HarfBuzz."""
    picture = Image.new("L", (600, 200))
    font = ImageFont.truetype(str(plots.DEVANAGARI), size, layout_engine=layout)
    ImageDraw.Draw(picture).text((40, 20), text, fill=255, font=font)
    return inked(np.asarray(picture, dtype=float))


def likeness(one, other):
    """How much two pictures are alike, from 0 to 1, laid over each other at their upper left corners."""
    both = np.zeros((2, *np.maximum(one.shape, other.shape)))
    for sheet, picture in zip(both, (one, other), strict=True):
        sheet[: picture.shape[0], : picture.shape[1]] = picture
    return float((both[0] * both[1]).sum() / np.sqrt((both[0] ** 2).sum() * (both[1] ** 2).sum()))


def test_letters_of_a_conjunct_are_joined():
    for joined, letters in (("स्त", "सत"), ("ल्ल", "लल"), ("ट्ठ", "टठ"), ("न्य", "नय")):
        assert drawn(joined).shape[1] < 0.93 * drawn(letters).shape[1]


@pytest.mark.skipif(not features.check("raqm"), reason="Pillow has no HarfBuzz here")
@pytest.mark.parametrize("word", ["हिंदी", "नमस्ते", "कुत्ते", "बिल्ली", "चिट्ठी", "सफ़ेद", "बड़ी", "धन्यवाद", "किताब"])
def test_words_are_drawn_as_harfbuzz_shapes_them(word):
    picture = drawn(word)
    right = likeness(picture, shaped(word, ImageFont.Layout.RAQM))
    assert right > 0.9
    if word not in ("सफ़ेद", "बड़ी"):  # letters that neither move nor join
        assert right > likeness(picture, shaped(word, ImageFont.Layout.BASIC)) + 0.1


# ---------------------------------------------------------------------------------------------
# Small pictures, and numbers with their intervals.


def test_small_pictures_stand_in_rows_with_their_names():
    rows = {"zeros": np.zeros((2, 8, 8)), "ones": np.ones((3, 8, 8))}
    ax = plots.plot_pictures(rows, given=3)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["zeros", "ones"]
    images = ax.get_images()
    assert [float(image.get_array().mean()) for image in images] == [0, 0, 1, 1, 1]
    lefts, bottoms = (
        {round(i.get_extent()[0], 2) for i in images},
        {round(i.get_extent()[2], 2) for i in images},
    )
    assert (len(lefts), len(bottoms)) == (3, 2)
    assert ax.get_yticks()[0] > ax.get_yticks()[1]  # the first row on top
    heights = [
        line.get_ydata()[0] - image.get_extent()[2]
        for line, image in zip(ax.get_lines(), images, strict=True)
    ]
    np.testing.assert_allclose(heights, 5 / 8)  # below three of eight rows of pixels
    assert not plots.plot_pictures(rows).get_lines()


def test_small_pictures_go_from_paper_to_ink():
    image = plots.plot_pictures({"one": np.array([[[0.0, 3.0]]])}).get_images()[0]
    assert (image.norm.vmin, image.norm.vmax) == (0, 3)
    low, high = image.cmap(0.0), image.cmap(1.0)
    assert sum(low[:3]) > 2.9
    assert sum(high[:3]) < 0.5


def test_intervals_are_drawn_where_they_lie():
    ax = plots.plot_intervals(["a", "b"], [0.5, 2.0], [0.25, 1.0], [0.75, 4.0], middle=1.5, label="share")
    (lines,) = ax.collections
    np.testing.assert_allclose([part[:, 0] for part in lines.get_segments()], [[0.25, 0.75], [1.0, 4.0]])
    dots = next(line for line in ax.get_lines() if line.get_marker() == "o")
    np.testing.assert_allclose(dots.get_xdata(), [0.5, 2.0])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert dots.get_ydata()[0] > dots.get_ydata()[1]
    assert ax.get_xlabel() == "share"
    assert any(list(line.get_xdata()) == [1.5, 1.5] for line in ax.get_lines())


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.plot_pictures({}), "rows must hold pictures of one size"),
        (lambda: plots.plot_pictures({"one": np.zeros((8, 8))}), "a single one is"),
        (lambda: plots.plot_pictures({"none": np.zeros((0, 8, 8))}), "rows must hold pictures"),
        (lambda: plots.plot_pictures({"a": np.zeros((1, 8, 8)), "b": np.zeros((1, 7, 8))}), "of one size"),
        (lambda: plots.plot_pictures({"a": np.full((1, 2, 2), np.nan)}), "pictures must hold numbers"),
        (
            lambda: plots.plot_intervals(["a", "b"], [1], [0, 0], [2, 2]),
            "values must have one entry for each of the 2",
        ),
        (lambda: plots.plot_intervals(["a"], [1], [], [2]), "lows must have one entry"),
        (
            lambda: plots.plot_intervals(["a"], [3], [0], [2]),
            "each value must lie in its interval, got 3 for 'a'",
        ),
        (lambda: plots.plot_intervals(["a"], [np.nan], [0], [2]), "each value must lie in its interval"),
    ],
)
def test_small_pictures_and_intervals_that_can_not_be(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
