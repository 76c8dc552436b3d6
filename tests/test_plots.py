"""Pictures read back: bars, colours, labels and limits are what the data says."""

import itertools
import struct

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from helpers import pipeline as pipelines
from helpers import plots
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
    # Series differ without colour: the second is hatched.
    assert counted[0].get_hatch() != true[0].get_hatch()


def test_bars_do_not_cross_each_other_or_the_frame():
    ax = plots.plot_bars(
        ["a", "b"], {name: [0.2, 0.9] for name in "xyz"}, roles=dict.fromkeys("xyz", "counts")
    )
    spans = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for group in ax.containers for bar in group)
    assert all(end <= start + 1e-9 for (_, end), (start, _) in itertools.pairwise(spans))
    assert ax.get_xlim()[1] > 0.9


def test_lines_and_levels():
    ax = plots.plot_lines(
        [1, 2, 4], {"loss": [3, 2, 1]}, roles={"loss": "loss"}, levels={"floor": (0.5, "truth")}, log_x=True
    )
    line, level = ax.lines
    np.testing.assert_array_equal(line.get_xydata(), [[1, 3], [2, 2], [4, 1]])
    assert set(level.get_ydata()) == {0.5}
    assert {text.get_text() for text in ax.texts} == {"loss", "floor"}
    assert ax.get_xscale() == "log"


def test_heatmap_has_rows_down_columns_across_and_its_limits():
    values = np.arange(6).reshape(2, 3) / 6
    ax = plots.plot_heatmap(values, ["a", "b"], ["x", "y", "z"], write=".2f")
    image = ax.images[0]
    np.testing.assert_array_equal(image.get_array(), values)
    assert image.get_clim() == (0, 1)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["x", "y", "z"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in ax.texts] == ["0.00", "0.17", "0.33", "0.50", "0.67", "0.83"]


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
    words = [
        "once",
        "there",
        "was",
        "a",
        "very",
        "long",
        "line",
        "of",
        "words",
        "that",
        "does",
        "not",
        "fit",
        "into",
        "one",
        "row",
        "of",
        "chips",
    ]
    ax = plots.plot_chips(words, below=range(len(words)))
    inches = ax.figure.get_size_inches()
    boxes = [patch.get_bbox() for patch in ax.patches]
    assert len(boxes) == len(words)
    assert all(box.x0 >= 0 and box.x1 <= inches[0] + 1e-6 for box in boxes)
    assert len({round(box.y0, 6) for box in boxes}) > 1
    # A chip holds its text.
    renderer = ax.figure.canvas.get_renderer()
    for text, box in zip(ax.texts[::2], boxes, strict=True):
        extent = text.get_window_extent(renderer)
        assert box.x0 * ax.figure.dpi <= extent.x0
        assert extent.x1 <= box.x1 * ax.figure.dpi


def test_matplotlibs_settings_stay_as_they_are():
    before = dict(matplotlib.rcParams)
    plots.show(plots.plot_bars(["a"], {"b": [1.0]}), "one bar")
    assert dict(matplotlib.rcParams) == before


def test_a_picture_has_its_alternative_text_and_is_not_shown_by_itself():
    picture = plots.show(plots.plot_bars(["a"], {"b": [1.0]}), 'one "bar" <b>')
    assert picture.png.startswith(b"\x89PNG")
    assert repr(picture) == '<Picture: one "bar" <b>>'
    assert 'alt="one &quot;bar&quot; &lt;b&gt;"' in picture._repr_html_()
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


def test_lit_stages_stand_out(followed):
    ax = plots.plot_pipeline(followed, lit=["ids"])
    widths = [artist.get_linewidth() for artist in ax.patches]
    assert [width > 2 for width in widths] == [stage == "ids" for stage in plots.STAGES]
    assert "Lit here: ids." in plots.describe_pipeline(followed, ["ids"])
    assert "Lit" not in plots.describe_pipeline(followed)
    with pytest.raises(ValueError, match=r"lit must name stages out of tokens, .*got 'colours'"):
        plots.plot_pipeline(followed, lit=["colours"])
