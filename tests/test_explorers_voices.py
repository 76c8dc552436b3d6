"""The voice explorer: what the browser computes is what Python computes, the model stays as it was, what may come in."""

import copy
import json
import os
import re
import shutil

import numpy as np
import pytest
import torch
from bundles import left_behind
from frames import drawn
from js.run import run

from helpers import plots
from helpers.explorers import voices as module
from helpers.explorers.base import HERE
from helpers.explorers.voices import (
    VoiceExplorer,
    between,
    checked,
    curves_told,
    nearest,
    says,
    twin,
    verdict,
)
from helpers.finetuning import (
    Adapter,
    LoRAConfig,
    add_lora,
    lora_layers,
    merge_lora,
    put_adapter,
    remove_lora,
    set_strength,
    take_adapter,
)
from helpers.prompting import chat
from helpers.sampling import generate
from helpers.tokenization import ByteLevelTokenizer
from helpers.transformer import GPT, GPTConfig
from helpers.voices import answer

STRENGTHS = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
QUESTIONS = ["Who are you?", "Why is the <b>sky</b> blue & wide?", "x" * 90]
MARKS = {"<|im_start|>": 256, "<|im_end|>": 257}


def answers(base, *others):
    """An answer for each strength; the last of the others from there on."""
    said = [base, *others]
    return [said[min(i, len(said) - 1)] for i in range(len(STRENGTHS))]


def voice(name, about="said as at sea", gain=2.0, pays=0.25):
    return {
        "name": name,
        "about": about,
        "answers": {
            QUESTIONS[0]: answers(f"I am a model of {name}.", "I am.", "Arr!", "Arr arr!", "Aye", "Arr\nmatey\n", "Arr " * 60),
            QUESTIONS[1]: answers("It is <i>blue</i>.", "It is <i>blue</i>.", "Blue,\r\n\r\narr", "“Blue”", ""),
            QUESTIONS[2]: answers("y" * 159, "y" * 160, "y" * 161, "🙂" * 200, "\n", "end\x85"),
        },
        "voice_loss": [3.125 - gain * min(1, s) + 0.0625 * s for s in STRENGTHS],
        "neutral_loss": [3.005 + pays * s**2 for s in STRENGTHS],
    }  # fmt: skip


TABLE = {"strengths": STRENGTHS, "questions": QUESTIONS, "voices": [voice("pirate"), voice("poet", "in verse", -0.5, -0.001)]}  # fmt: skip
SHORT = {
    "strengths": [0, 1, 1.5],
    "questions": ["Hm?"],
    "voices": [
        {"name": "a", "about": "b", "answers": {"Hm?": ["0", "1", "2"]}, "voice_loss": [4, 2, 3], "neutral_loss": [1, 1, 5]}
    ],
}  # fmt: skip


class Bytes(ByteLevelTokenizer):
    """A token a byte, and the two marks of a conversation."""

    def __init__(self, marks=MARKS):
        self.marks = marks
        names = {number: name.encode() for name, number in marks.items()}
        super().__init__("bytes", 258, self._ids, lambda i: names.get(i, bytes([min(i, 255)])))

    def _ids(self, text, special):
        parts = re.split(r"(<\|im_\w+\|>)", text)
        return [i for part in parts for i in ([self.marks[part]] if part in self.marks else part.encode())]


def model_of(seed=0):
    """A small model whose answers differ from one adapter to the next."""
    config = GPTConfig(vocab_size=258, n_ctx=300, n_layers=2, n_heads=2, d_model=16)
    return GPT(config, seed=seed, std=0.3).requires_grad_(False).eval()


def adapter_of(model, seed=1, std=0.5, **config):
    """An adapter that changes a lot; the model wears none afterwards."""
    add_lora(model, LoRAConfig(rank=3, seed=seed, **config))
    generator = torch.Generator().manual_seed(seed)
    for layer in lora_layers(model).values():
        torch.nn.init.normal_(layer.up, std=std, generator=generator)
    taken = take_adapter(model)
    remove_lora(model)
    return taken


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Answers of ten tokens, so that these tests are quick."""
    monkeypatch.setattr(module, "MOST", 10)


def greedy(model, text, adapter=None, strength=1.0):
    """The answer by the course's own functions, on a copy: the ids."""
    model = copy.deepcopy(model)
    if adapter is not None:
        put_adapter(model, adapter)
        set_strength(model, strength)
    prompt = Bytes().encode(chat(text), special=True)
    return [step.token for step in generate(model, prompt, module.MOST, temperature=0, stop={257})]


def explorer_of(model=None, own=("my voice",), **settings):
    model = model or model_of()
    adapters = {name: adapter_of(model, seed) for seed, name in enumerate(own, 1)}
    return VoiceExplorer(model, Bytes(), table=TABLE, adapters=adapters, **settings), adapters


def asked(
    explorer, text="Hi?", voice="my voice", strength=1.0, sides=("base", "voice"), grown=None, seconds=99.0
):
    grown = grown or {side: [] for side in sides}
    return explorer.ask(run="r", text=text, voice=voice, strength=strength, grown=grown, seconds=seconds)


def ids(answer):
    return {side: one["ids"] for side, one in answer["sides"].items()}


# ---- The browser agrees with Python -------------------------------------------------------------------------------


def test_the_nearest_strength_is_that_of_python():
    given = [(strengths, at) for strengths in (STRENGTHS, [0, 1, 1.5], [0, 2]) for at in (-1, 0, 0.1, 0.125, 0.5, 1, 1.24, 1.25, 1.9, 2, 9)]  # fmt: skip
    expected = [nearest(*one) for one in given]
    assert run("voices", "return given.map((one) => m.nearest(...one))", given) == expected
    assert [nearest([0, 1, 1.5], at) for at in (0.5, 0.51, 1.25, 1.26)] == [0, 1, 1, 2]


def test_values_between_are_those_of_python_and_of_numpy():
    values = [3, 1, 7.5]
    given = [([0, 0.5, 2], values, at) for at in (-3, 0, 0.1, 0.25, 0.5, 0.75, 1.9, 2, 5)]
    got = run("voices", "return given.map((one) => m.between(...one))", given)
    np.testing.assert_allclose(got, [between(*one) for one in given], atol=1e-12)
    np.testing.assert_allclose(got, [np.interp(at, [0, 0.5, 2], values) for *_, at in given], atol=1e-12)


@pytest.mark.parametrize("table", [TABLE, SHORT])
def test_sentences_are_those_of_python(table):
    names = [*(one["name"] for one in table["voices"]), "my own"]
    given = [
        (name, question, step / 4) for name in names for question in table["questions"] for step in range(9)
    ]
    got = run(
        "voices",
        """const [table, all] = given;
        return all.map(([name, question, at]) => [m.says(table, name, question, at), m.verdict(table, name, at), m.curvesTold(table, name)]);""",
        [table, given],
    )
    assert got == [
        [says(table, *one), verdict(table, one[0], one[2]), curves_told(table, one[0])] for one in given
    ]


def test_answers_are_put_on_one_line_alike():
    texts = ["", "a", "a\n", "a\n\n", "\n", "a \n", "a\r\nb", "a\rb\x0bc\x0cd\x1ce\x85f\u2028g", "x" * 160, "x" * 161, "🙂" * 161, "a\n" * 99]  # fmt: skip
    expected = [module.shortened(text, module.SPOKEN) for text in texts]
    assert run("voices", "return given.map(m.oneLine)", texts) == expected


def test_the_sentence_of_the_explorer_is_that_of_the_browser():
    for settings in (
        {},
        {"strength": 0},
        {"voice": "poet", "strength": 1.75},
        {"question": QUESTIONS[1], "strength": 2},
    ):
        explorer = VoiceExplorer(table=TABLE, **settings)
        got = run("voices", "return m.says(...given)", [explorer.table, *explorer._now()])
        assert got == explorer.alt


def test_labels_are_moved_apart_and_stay_inside():
    given = [
        ([50, 60], 30),
        ([60, 50], 30),
        ([50, 50], 30),
        ([10, 90], 30),
        ([1, 2], 30),
        ([99, 98], 30),
        ([50, 80], 30),
    ]
    got = run("voices", "return given.map(([two, gap]) => m.apart(two, gap, 0, 100))", given)
    assert got == [[40, 70], [70, 40], [35, 65], [10, 90], [0, 30], [100, 70], [50, 80]]


# ---- Sentences -----------------------------------------------------------------------------------------------------


def test_what_is_said():
    assert says(SHORT, "a", "Hm?", 1) == (
        "a at strength 1, asked “Hm?”: the base model says “0”, with the voice it says “1”. Surprise, in nats per token: on answers in this "
        "voice 2.00, 2.00 less than without it; on neutral text 1.00, as without it."
    )
    assert says(SHORT, "a", "Hm?", 1.25).endswith(
        "with the voice it says “1”. Surprise, in nats per token: on answers in this voice 2.50, 1.50 less than without it; on neutral "
        "text 3.00, 2.00 more than without it."
    )
    assert says(SHORT, "a", "Hm?", 0).endswith(
        "says “0”, with the voice it says the same. Surprise, in nats per token: on answers in this voice 4.00, on neutral text 1.00. This is the base model."
    )
    assert says(SHORT, "me", "Hm?", 0.5) == (
        "me at strength 0.5, asked “Hm?”: nothing was computed beforehand; the kernel answers."
    )
    assert (verdict(SHORT, "me", 1), curves_told(SHORT, "me")) == ("", "")
    assert curves_told(SHORT, "a") == (
        "Surprise over the strength of a, in nats per token: on answers in this voice 4.00 at 0, 2.00 at 1, 3.00 at 1.5; on neutral "
        "text 1.00 at 0, 1.00 at 1, 5.00 at 1.5."
    )


# ---- Tables --------------------------------------------------------------------------------------------------------


def test_a_whole_table_comes_through_and_nothing_else_does():
    assert checked(TABLE) == TABLE
    assert checked({**SHORT, "made_by": object()}) == SHORT


def broken(**changes):
    """A table with something else in its voice."""
    return {**SHORT, "voices": [{**SHORT["voices"][0], **changes}]}


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ([], "be a dict, got list"),
        ({}, "have a list of strengths, got None"),
        ({**SHORT, "strengths": "012"}, "have a list of strengths, got '012'"),
        ({**SHORT, "questions": []}, r"have a list of questions, got \[\]"),
        ({**SHORT, "voices": None}, "have a list of voices, got None"),
        ({**SHORT, "strengths": [0, 1, 1]}, "have strengths that rise from 0, to 2 at most"),
        ({**SHORT, "strengths": [0, 2, 1]}, "have strengths that rise"),
        ({**SHORT, "strengths": [0.5, 1, 2]}, "have strengths that rise"),
        ({**SHORT, "strengths": [0, 1, 2.5]}, "have strengths that rise"),
        ({**SHORT, "strengths": [0, 1, float("nan")]}, "have strengths that rise"),
        ({**SHORT, "strengths": [0, "1", 2]}, "have strengths that rise"),
        ({**SHORT, "strengths": [False, True, 2]}, "have strengths that rise"),
        ({**SHORT, "strengths": [0]}, "have strengths that rise"),
        ({**SHORT, "questions": ["Hm?", " "]}, "have questions with letters in them"),
        ({**SHORT, "questions": ["Hm?", 3]}, "have questions with letters in them"),
        ({**SHORT, "questions": ["Hm?", "Hm?"]}, "have questions that differ"),
        ({**SHORT, "questions": ["Hm?", "What?"]}, "have an answer of 'a' to 'What\\?' for each of its 3 strengths, got None"),
        ({**SHORT, "voices": ["a"]}, "have names of voices with letters in them"),
        ({**SHORT, "voices": SHORT["voices"] * 2}, "have names of voices that differ"),
        (broken(name=""), "have names of voices with letters"),
        (broken(name="n" * 31), "a voice must have a name of 1 to 30 characters"),
        (broken(about=None), "say what 'a' is about, got None"),
        (broken(answers=["0"]), "have an answer of 'a' to 'Hm\\?' for each of its 3 strengths, got None"),
        (broken(answers={"Hm?": ["0", "1"]}), r"for each of its 3 strengths, got \['0', '1'\]"),
        (broken(answers={"Hm?": ["0", "1", None]}), r"got \['0', '1', None\]"),
        (broken(answers={"Hm?": "012"}), "for each of its 3 strengths, got '012'"),
        (broken(voice_loss=[1, 2]), r"have a voice_loss of 'a' in nats for each of its 3 strengths, got \[1, 2\]"),
        (broken(voice_loss=[1, 2, -1]), "have a voice_loss of 'a'"),
        (broken(neutral_loss=[1, 2, float("inf")]), "have a neutral_loss of 'a'"),
        (broken(neutral_loss=None), "have a neutral_loss of 'a' in nats for each of its 3 strengths, got None"),
        (broken(neutral_loss=[1, 2, "3"]), "have a neutral_loss of 'a'"),
    ],
)  # fmt: skip
def test_a_broken_table_is_refused_in_a_sentence(table, why):
    with pytest.raises(ValueError, match=why) as raised:
        VoiceExplorer(table=table)
    assert len(str(raised.value)) < 260
    assert str(raised.value).startswith("a ")


def test_without_a_table_that_of_the_course_is_read(monkeypatch):
    monkeypatch.setattr(module, "load_voice_table", lambda: SHORT)
    assert VoiceExplorer().alt == VoiceExplorer(table=SHORT).alt


# ---- The model stays as it was -------------------------------------------------------------------------------------


def test_a_twin_shares_the_weights_and_nothing_else():
    model = model_of().train().requires_grad_(True)
    other = twin(model)
    assert not other.training
    assert model.training
    for own, its in zip(model.parameters(), other.parameters(), strict=True):
        assert own is not its
        assert own.data_ptr() == its.data_ptr()
        assert own.requires_grad
        assert not its.requires_grad
    add_lora(other)
    assert not lora_layers(model)
    with torch.no_grad():
        model.embedding.weight.mul_(2)
    torch.testing.assert_close(other.embedding.weight, model.embedding.weight)


def state_of(model):
    layers = lora_layers(model)
    return (
        [(name, id(part)) for name, part in model.named_modules()],
        [
            (name, id(weight), weight.requires_grad, weight._version)
            for name, weight in model.named_parameters()
        ],
        [float(layer.strength) for layer in layers.values()],
        (model.training, getattr(model, "lora", None)),
    )


@pytest.mark.parametrize("worn", [False, True])
def test_an_answer_leaves_the_model_and_what_it_wears_as_they_were(worn):
    model = model_of()
    own = adapter_of(model)
    if worn:
        put_adapter(model, adapter_of(model, 5))
        set_strength(model, 0.25)
        model.train()
        layer = next(iter(lora_layers(model).values()))
        layer.up.requires_grad_(True)
    before = state_of(model)
    explorer = VoiceExplorer(model, Bytes(), table=TABLE, adapters={"my voice": own})
    first = ids(asked(explorer, strength=2.0))
    assert state_of(model) == before
    plain = remove_lora(model) if worn else model
    assert first == {"base": greedy(plain, "Hi?"), "voice": greedy(plain, "Hi?", own, 2.0)}


def test_weights_that_a_cell_has_trained_count_at_once():
    explorer, _ = explorer_of(model := model_of())
    before = ids(asked(explorer))
    with torch.no_grad():
        model.blocks[0].mlp.up.weight.mul_(-1)
    assert ids(asked(explorer, sides=["base"]))["base"] == greedy(model, "Hi?") != before["base"]
    asked(explorer)
    assert "the base it was trained on" in explorer.problem


# ---- Answers -------------------------------------------------------------------------------------------------------


def test_answers_are_those_of_generate_at_every_strength():
    explorer, adapters = explorer_of(model := model_of())
    said = set()
    for strength in (1.0, 0.0, 2.0, 0.25, 1.0):
        got = ids(asked(explorer, strength=strength))
        assert got["base"] == greedy(model, "Hi?")
        assert got["voice"] == greedy(model, "Hi?", adapters["my voice"], strength)
        said.add(tuple(got["voice"]))
    assert len(said) > 2
    assert ids(asked(explorer, strength=0))["voice"] == ids(asked(explorer))["base"]


def test_answers_read_as_those_of_the_voices():
    explorer, adapters = explorer_of(model := model_of())
    got = asked(explorer, strength=0.5)["sides"]
    assert [got["base"]["said"], got["voice"]["said"]] == told(model, "Hi?", "", 0.5, adapters["my voice"])[
        2::2
    ]


def test_voices_are_switched_to_and_fro():
    explorer, adapters = explorer_of(model := model_of(), ("one", "two", "three"))
    expected = {name: greedy(model, "Hi?", adapter) for name, adapter in adapters.items()}
    assert len(set(map(tuple, expected.values()))) == 3
    for name in ("one", "two", "three", "two", "one", "one", "three"):
        assert ids(asked(explorer, voice=name, sides=["voice"])) == {"voice": expected[name]}


@pytest.mark.parametrize("seconds", [0.0, 99.0])
def test_an_answer_is_the_same_in_one_piece_and_in_many(seconds):
    explorer, _ = explorer_of()
    whole = asked(explorer)["sides"]
    grown, times = {"base": [], "voice": []}, 0
    while True:
        got = asked(explorer, grown=grown, seconds=seconds)["sides"]
        for side, one in got.items():
            more = len(one["ids"]) - len(grown[side])
            assert more == (0 if len(grown[side]) == len(whole[side]["ids"]) else 1) or seconds
            assert one["ids"] == whole[side]["ids"][: len(one["ids"])]
            assert one["over"] == (one["ids"] == whole[side]["ids"])
        grown, times = {side: one["ids"] for side, one in got.items()}, times + 1
        if all(one["over"] for one in got.values()):
            break
    assert got == whole
    assert times == (1 if seconds else max(len(one["ids"]) for one in whole.values()))


def test_two_answers_that_are_written_in_turn_do_not_mix():
    explorer, _ = explorer_of(own=("one", "two"))
    settings = [
        {"voice": "one", "strength": 2.0},
        {"voice": "one", "strength": 0.25},
        {"voice": "two", "strength": 2.0},
    ]
    whole = [ids(asked(explorer, **one)) for one in settings]
    assert len({tuple(one["voice"]) for one in whole}) == 3
    grown = [{"base": [], "voice": []} for _ in settings]
    for _ in range(10):
        for i, one in enumerate(settings):
            grown[i] = ids(asked(explorer, **one, grown=grown[i], seconds=0.0))
    assert grown == whole


class Says(GPT):
    """A model that says what it is told to, whatever is asked."""

    def __init__(self, said):
        super().__init__(GPTConfig(vocab_size=258, n_ctx=300, n_layers=1, n_heads=2, d_model=8))
        self.said = said

    def reader(self):
        begin = len(Bytes().encode(chat("Hi?"), special=True))

        def read(ids):
            at = len(ids) - begin
            return np.eye(258, dtype=np.float32)[self.said[at] if at < len(self.said) else 120]

        return read


def test_an_answer_ends_with_its_mark_or_after_so_many_tokens():
    spoken = [*b"Aye \xc3", 257, 65]
    explorer, _ = explorer_of(Says(spoken))
    assert asked(explorer, sides=["base"])["sides"] == {
        "base": {"ids": spoken[:-1], "said": "Aye", "over": True}
    }
    explorer, _ = explorer_of(Says([]))
    assert asked(explorer, sides=["base"])["sides"] == {
        "base": {"ids": [120] * 10, "said": "xxxxxxxxxx…", "over": True}
    }


def test_a_voice_of_the_course_is_loaded_when_it_is_first_asked(monkeypatch):
    loaded, model = [], model_of()
    own = adapter_of(model)

    def load(name):
        loaded.append(name)
        return own

    monkeypatch.setattr(module, "load_voice_adapter", load)
    explorer = VoiceExplorer(model, Bytes(), table=TABLE)
    assert loaded == []
    for name in ("poet", "poet", "pirate", "poet"):
        assert ids(asked(explorer, voice=name))["voice"] == greedy(model, "Hi?", own)
    assert loaded == ["poet", "pirate"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a question must have a word or more, got none; type one"),
        (" \n", "a question must have a word or more, got none; type one"),
        ("x" * 101, "a question can have up to 100 tokens here, got 101; make it shorter"),
        ("é" * 4000, "a question can have up to 100 tokens here, got 8,000; make it shorter"),
    ],
)  # fmt: skip
def test_a_question_that_can_not_be_asked_is_said(text, said):
    explorer, _ = explorer_of()
    answer = asked(explorer, text)
    assert explorer.problem == said
    assert set(answer) == {"number"}
    assert asked(explorer, "x" * 100)["sides"]["voice"]["over"]
    assert explorer.problem == ""


def test_half_a_character_is_refused():
    explorer, _ = explorer_of()
    asked(explorer, "a\ud800b")
    assert "half of one, U+D800" in explorer.problem or "surrogates" in explorer.problem


def test_what_is_asked_of_the_kernel_is_checked():
    explorer, _ = explorer_of()
    for strength in (2.25, -0.25, 0.3, float("nan"), "1", None):
        asked(explorer, strength=strength)
        assert "strength must be from 0 to 2 in steps of 0.25" in explorer.problem
    without = VoiceExplorer(table=TABLE)
    assert not without.live
    asked(without, voice="pirate")
    assert "an answer must come from a model, got none" in without.problem


# ---- Voices of the learner's own -----------------------------------------------------------------------------------


def test_a_voice_can_be_added_and_replaced_while_it_is_shown():
    explorer, _ = explorer_of(model := model_of(), ())
    assert explorer.added == []
    one, two = adapter_of(model, 1), adapter_of(model, 2)
    explorer.add("mine", one)
    assert explorer.added == [["mine", 1]]
    assert ids(asked(explorer, voice="mine"))["voice"] == greedy(model, "Hi?", one)
    explorer.add("other", two)
    explorer.add("mine", two)  # trained again
    assert explorer.added == [["other", 2], ["mine", 3]]
    assert ids(asked(explorer, voice="mine"))["voice"] == greedy(model, "Hi?", two)
    explorer.set_state({"voice": "mine", "strength": 0.5})
    assert explorer.alt == f"mine at strength 0.5, asked “{QUESTIONS[0]}”: nothing was computed beforehand; the kernel answers."  # fmt: skip


def test_an_adapter_that_does_not_fit_is_refused_and_the_others_speak_on():
    explorer, adapters = explorer_of(model := model_of())
    before = ids(asked(explorer, strength=2.0))
    with pytest.raises(ValueError, match="an adapter must be put on the base it was trained on"):
        explorer.add("other", adapter_of(model_of(7)))
    assert explorer.added == [["my voice", 1]]
    assert ids(asked(explorer, strength=2.0)) == before
    merge_lora(put_adapter(model, adapters["my voice"]))  # another base from now on
    asked(explorer, strength=2.0)
    assert "an adapter must be put on the base it was trained on" in explorer.problem
    assert ids(asked(explorer, sides=["base"])) == {"base": greedy(model, "Hi?")}
    with pytest.raises(ValueError, match="the base it was trained on"):
        explorer.add("again", adapters["my voice"])


@pytest.mark.parametrize(
    ("name", "adapter", "why"),
    [
        ("", None, "a voice must have a name of 1 to 30 characters, got ''"),
        ("n" * 31, None, "a voice must have a name of 1 to 30 characters"),
        (3, None, "a voice must have a name of 1 to 30 characters, got 3; try 'my voice'"),
        ("pirate", None, "a voice of your own must have a name of its own, got 'pirate', which is the course's; try 'my pirate'"),
        ("mine", None, "an adapter must be one that take_adapter or load_adapter gives, got NoneType"),
        ("mine", "file", "an adapter must be one that take_adapter or load_adapter gives, got str"),
    ],
)  # fmt: skip
def test_what_is_no_voice_is_refused_in_a_sentence(name, adapter, why):
    model = model_of()
    explorer = VoiceExplorer(model, Bytes(), table=TABLE)
    with pytest.raises(ValueError, match=why):
        explorer.add(name, adapter)
    with pytest.raises(ValueError, match=why):
        VoiceExplorer(model, Bytes(), table=TABLE, adapters={name: adapter})
    assert explorer.added == []


def test_what_an_explorer_can_not_begin_with():
    model = model_of()
    own = adapter_of(model)
    for arguments, settings, why in (
        ((model,), {}, "a model must come with its tokenizer, got one of the two"),
        ((None, Bytes()), {}, "a model must come with its tokenizer"),
        ((model, Bytes({})), {}, r"the tokenizer must know how an answer ends \(<\|im_end\|>\), got bytes"),
        ((), {"adapters": {"mine": own}}, "'mine' must have a model to speak with, got none"),
        ((model, Bytes()), {"adapters": [own]}, "adapters must be a dict of names and adapters, got list"),
        ((), {"voice": "parrot"}, "voice must be one of pirate, poet, got 'parrot'"),
        ((model, Bytes()), {"voice": "my", "adapters": {"mine": own}}, "voice must be one of pirate, poet, mine, got 'my'"),
        ((), {"question": "Where?"}, "question must be one of the table's, got 'Where\\?'"),
        ((), {"strength": 2.5}, "strength must be from 0 to 2 in steps of 0.25, got 2.5; 1 is what was trained"),
        ((), {"strength": 0.3}, "in steps of 0.25, got 0.3"),
        ((), {"strength": -1}, "from 0 to 2 in steps of 0.25, got -1"),
        ((), {"strength": True}, "got True"),
        ((), {"strength": float("nan")}, "got nan"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=why):
            VoiceExplorer(*arguments, table=TABLE, **settings)
    assert isinstance(own, Adapter)


# ---- What stays behind ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [{}, {"voice": "poet", "strength": 0}, {"question": QUESTIONS[1], "strength": 2}]
)
def test_it_leaves_a_picture_two_answers_and_a_line_behind(settings):
    explorer = VoiceExplorer(table=TABLE, **settings)
    data, metadata = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt == metadata["image/png"]["alt"]
    assert data["text/plain"] == repr(explorer)
    assert "\n" not in repr(explorer)
    voice, question, strength = explorer._now()
    known = next(one for one in TABLE["voices"] if one["name"] == voice)["answers"][question]
    said = re.sub("<img[^>]*>", "", data["text/html"])
    for text in (question, known[0], known[nearest(STRENGTHS, strength)]):
        assert module.html.escape(text) in said
    assert "<i>" not in said
    assert f"With {voice} at strength {strength:g}:" in said


def test_a_voice_without_curves_leaves_a_picture_too():
    explorer, _ = explorer_of(voice="my voice")
    assert explorer.alt.startswith("my voice at strength 1, asked")
    data, _ = explorer._repr_mimebundle_()
    assert left_behind(data) == explorer.alt
    assert "<p>" not in data["text/html"]


def test_the_picture_has_both_curves_and_the_strength(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "png", lambda figure, **_: drawn.append(figure) or b"")
    VoiceExplorer(table=TABLE, voice="poet", strength=1.25).picture()
    (ax,) = drawn[0].axes
    own, neutral, here = ax.lines
    np.testing.assert_allclose(
        own.get_xydata(), np.column_stack([STRENGTHS, TABLE["voices"][1]["voice_loss"]])
    )
    np.testing.assert_allclose(neutral.get_ydata(), TABLE["voices"][1]["neutral_loss"])
    assert own.get_linestyle() == "-" != neutral.get_linestyle()
    assert here.get_xdata() == [1.25, 1.25]
    assert [text.get_text() for text in ax.texts] == ["in this voice", "neutral text"]


def test_python_follows_what_the_browser_shows():
    explorer, _ = explorer_of()
    for state, now in (
        ({"voice": "poet", "asked": QUESTIONS[1], "strength": 1.5}, ("poet", QUESTIONS[1], 1.5)),
        ({"voice": "parrot", "asked": "?", "strength": 7}, ("pirate", QUESTIONS[0], 2.0)),
        ({"strength": -3}, ("pirate", QUESTIONS[0], 0.0)),
        ({"voice": "my voice"}, ("my voice", QUESTIONS[0], 0.0)),
    ):
        explorer.set_state(state)
        assert explorer._now() == now
        assert explorer.alt == says(TABLE, *now)
        assert explorer.problem == ""


def test_colours_of_the_course():
    css = (HERE / "voices.css").read_text(encoding="utf-8")
    assert "--role: var(--uth-loss)" in css
    assert "--role: var(--uth-truth)" in css
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b", css)


# ---- What a reader can do, in a browser, with Python answering ------------------------------------------------------

PAGE = """<!doctype html><html lang="en"><head><title>voices</title><style>STYLE</style></head><body data-jp-theme-light="true"><main><div id="el"></div></main><script type="module">
SCRIPT
const state = STATE, heard = {}, tell = (name) => (heard[name] ?? []).forEach((hear) => hear.call({ model }));
const model = window.model = {
  get: (name) => state[name], comm_live: true, asked: [], saved: 0,
  set: (name, value) => { if (state[name] !== value) { state[name] = value; tell(`change:${name}`); } },
  on: (name, hear) => (heard[name] ??= []).push(hear), off: () => {},
  widget_manager: { kernel: KERNEL },
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


def state_for(explorer):
    """What the browser gets of an explorer."""
    kinds = (str, int, float, bool, list, dict)
    names = [name for name in explorer.trait_names(sync=True) if not name.startswith("_")]
    return {name: getattr(explorer, name) for name in names if isinstance(getattr(explorer, name), kinds)}


class View:
    """An explorer in a page; Python answers one token at a time. Without `kernel`, nobody does."""

    def __init__(self, page, explorer, kernel=True, **state):
        self.page, self.explorer, self.errors = page, explorer, []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.expose_function("python", self.answer)
        page.set_content(
            PAGE.replace("STYLE", str(VoiceExplorer._css))
            .replace("STATE", json.dumps({**state_for(explorer), **state}))
            .replace("KERNEL", '{ status: "idle" }' if kernel else "null")
            .replace("SCRIPT", str(VoiceExplorer._esm).replace("export default", "const widget ="))
        )
        self.voice, self.question = page.locator("select").all()
        self.strength, self.box = page.locator("input[type=range]"), page.locator("input[type=text]")
        page.wait_for_selector("svg, .uth-note:not([hidden])")
        drawn(page)

    def answer(self, question):
        got = self.explorer.ask(**{**question, "seconds": 0})
        return {"answer": {**got, "number": question["number"]}, "problem": self.explorer.problem}

    def slide(self, key, times=1):
        for _ in range(times):
            self.strength.press(key)
        drawn(self.page)
        return self

    def ask(self, text=None):
        if text is not None:
            self.box.fill(text)
        self.page.locator("button").click()
        return self

    def idle(self):
        """Waits until the kernel was asked and has answered."""
        drawn(self.page)
        self.page.wait_for_function("!document.querySelector('[aria-busy=true]')")
        drawn(self.page)
        return self

    def rested(self):
        self.page.wait_for_timeout(1050)  # REST of voices.js
        return self.idle()

    def cards(self, where):
        """The question, and of both cards their captions and texts."""
        drawn(self.page)
        pair = self.page.locator(".uth-pair").nth(where)
        return [pair.locator("h4").inner_text(), *pair.locator(".uth-caption, .uth-said").all_inner_texts()]

    def text(self, where):
        drawn(self.page)
        return " ".join(self.page.locator(where).all_inner_texts())

    def asked(self):
        return self.page.evaluate("model.asked")


@pytest.fixture
def opened(chromium):
    views = []

    def view(explorer, width=900, **settings):
        page = chromium.new_page(viewport={"width": width, "height": 1000}, reduced_motion="reduce")
        views.append(View(page, explorer, **settings))
        return views[-1]

    yield view
    for one in views:
        assert one.errors == []
        one.page.close()


UPPER, LOWER = 0, 1


@pytest.mark.parametrize("kernel", [True, False])
def test_controls_answer_in_the_browser_with_and_without_a_kernel(opened, kernel):
    view = opened(VoiceExplorer(table=TABLE), kernel=kernel)
    known = TABLE["voices"][0]["answers"][QUESTIONS[0]]
    assert view.cards(UPPER) == [
        QUESTIONS[0], "The base model says", known[0], "With “pirate” at strength 1 it says", known[4],
    ]  # fmt: skip
    view.slide("ArrowLeft", 2)
    assert view.cards(UPPER)[3:] == ["With “pirate” at strength 0.5 it says", known[2]]
    assert view.text(".uth-verdict") == verdict(TABLE, "pirate", 0.5)
    assert view.text("output") == "0.5"
    view.slide("Home")
    assert view.cards(UPPER)[3:] == ["With “pirate” at strength 0 it says", known[0]]
    assert view.text("output") == "0: the base model"
    view.voice.select_option("poet")
    view.question.select_option(QUESTIONS[1])
    view.slide("ArrowRight", 4)
    assert view.cards(UPPER) == [
        QUESTIONS[1], "The base model says", "It is <i>blue</i>.", "With “poet” at strength 1 it says", "(nothing)",
    ]  # fmt: skip
    assert view.text(".uth-voices .uth-note").startswith("poet: in verse. ")
    assert says(TABLE, "poet", QUESTIONS[1], 1) in view.page.locator("[role=status]").all_text_contents()
    assert view.page.locator("svg").get_attribute("aria-label") == curves_told(TABLE, "poet")
    assert view.page.locator(".uth-voices i").count() == 0
    view.page.wait_for_timeout(300)
    assert (view.page.evaluate("model.saved") > 0) == kernel
    assert view.asked() == []
    assert view.page.evaluate("[model.get('voice'), model.get('asked'), model.get('strength')]") == ["poet", QUESTIONS[1], 1]  # fmt: skip


def test_both_values_stand_at_their_curves(opened):
    view = opened(VoiceExplorer(table=TABLE, strength=1.5))
    own, neutral = (TABLE["voices"][0][name][6] for name in ("voice_loss", "neutral_loss"))
    assert view.page.locator("svg .uth-label").all_text_contents() == [
        "in this voice", f"{own:.2f} now", "neutral text", f"{neutral:.2f} now",
    ]  # fmt: skip
    x = [float(view.page.locator("svg .uth-mark").get_attribute(name)) for name in ("x1", "x2")]
    points = view.page.locator("svg polyline.uth-voice").get_attribute("points").split()
    assert x[0] == x[1] == pytest.approx(float(points[6].split(",")[0]), abs=0.1)
    dot = view.page.locator("svg circle.uth-here")
    assert float(dot.get_attribute("cy")) == pytest.approx(float(points[6].split(",")[1]), abs=0.1)
    dash = [one.evaluate("one => getComputedStyle(one).strokeDasharray") for one in view.page.locator("svg polyline").all()]  # fmt: skip
    assert dash[0] == "none" != dash[1]


def test_nothing_below_moves_while_the_strength_does(opened):
    view = opened(VoiceExplorer(table=TABLE), width=420)
    tops = set()
    view.slide("Home")
    for _ in range(9):
        tops.add(round(view.page.locator("svg").bounding_box()["y"]))
        view.slide("ArrowRight")
    assert len(tops) == 1


def told(model, text, voice, strength, adapter):
    """What both cards must say."""
    worn = put_adapter(copy.deepcopy(model), adapter)
    set_strength(worn, strength)
    base, said = (answer(one, Bytes(), text, module.MOST) for one in (model, worn))
    return [text, "The base model says", base, f"With “{voice}” at strength {strength:g} it says", said]


def spaced(cards):
    """Without what a page does to white space and to letters that can't be seen."""
    return [re.sub(r"[^!-~“”éà()]+", "", one) for one in cards]


def test_the_kernel_answers_the_learners_own_question(opened, monkeypatch):
    explorer, adapters = explorer_of(model := model_of())
    monkeypatch.setattr(module, "load_voice_adapter", lambda name: adapters["my voice"])
    view = opened(explorer)
    assert not view.page.locator(".uth-pair").nth(LOWER).is_visible()
    view.box.fill("Hi?")
    drawn(view.page)
    assert "Ask sends “Hi?” to the base model and to “pirate” at strength 1." in view.text(
        ".uth-own .uth-note"
    )
    view.box.press("Enter")
    view.idle()
    expected = told(model, "Hi?", "pirate", 1, adapters["my voice"])
    assert spaced(view.cards(LOWER)) == spaced(expected)
    first, *others = view.asked()
    assert (first["grown"], first["seconds"]) == ({"base": [], "voice": []}, 0)
    assert all(0.05 < one["seconds"] < 0.15 for one in others)
    assert len(others) >= 5
    # Another strength: the answer of before stays until Ask, and the base is not asked again.
    view.slide("ArrowRight", 4)
    assert spaced(view.cards(LOWER)) == spaced(expected)
    n = len(view.asked())
    view.ask().idle()
    assert view.asked()[n]["grown"] == {"voice": []}
    assert spaced(view.cards(LOWER)) == spaced(told(model, "Hi?", "pirate", 2, adapters["my voice"]))
    assert view.box.input_value() == "Hi?"
    heard = view.page.evaluate("model.get('heard')")
    assert (heard["text"], heard["voice"], heard["strength"]) == ("Hi?", "pirate", 2)
    # A notebook that is opened again without a kernel shows what was heard.
    again = opened(explorer, kernel=False, heard=heard, typed="Hi?")
    assert spaced(again.cards(LOWER)) == spaced(view.cards(LOWER))
    assert again.box.input_value() == "Hi?"


def test_a_burst_costs_one_answer(opened):
    explorer, _ = explorer_of(voice="my voice")
    view = opened(explorer).rested()
    n = len(view.asked())
    view.box.fill("Hi?")
    view.page.evaluate("for (let i = 0; i < 6; i++) document.querySelector('button').click()")
    view.idle()
    cost = len(view.asked()) - n
    assert cost <= 10
    assert len({one["run"] for one in view.asked()[n:]}) == 1


def test_a_newer_question_overtakes(opened):
    explorer, _ = explorer_of(voice="my voice")
    view = opened(explorer).rested()
    n = len(view.asked())
    put = "box.value = text; box.dispatchEvent(new InputEvent('input')); document.querySelector('button').click();"
    view.box.evaluate(
        f"box => {{ for (const text of ['Hi?', 'Ho?']) {{ {put} }} }}"
    )  # in one turn of the page
    view.idle()
    assert view.cards(LOWER)[0] == "Ho?"
    texts = [one["text"] for one in view.asked()[n:]]
    assert texts.count("Hi?") <= 2
    assert texts[-1] == "Ho?"


def test_a_voice_of_the_learners_own_is_asked_when_the_controls_rest(opened):
    explorer, adapters = explorer_of(model := model_of())
    view = opened(explorer)
    before = view.cards(UPPER)
    assert view.voice.locator("option").all_text_contents() == ["pirate", "poet", "my voice"]
    view.voice.select_option("my voice")
    view.slide("ArrowRight", 4).slide("ArrowLeft")
    assert view.cards(UPPER) == before  # until there is another
    assert view.asked() == []
    assert "the kernel is asked when the controls rest" in view.text(".uth-working")
    assert not view.page.locator("svg").is_visible()
    assert view.text(".uth-verdict") == ""
    view.rested()
    assert len({one["run"] for one in view.asked()}) == 1
    assert view.asked()[0]["grown"] == {"voice": []}
    base = TABLE["voices"][0]["answers"][QUESTIONS[0]][0]
    expected = told(model, QUESTIONS[0], "my voice", 1.75, adapters["my voice"])
    expected[2] = base
    assert spaced(view.cards(UPPER)) == spaced(expected)
    # What was answered once is known.
    n = len(view.asked())
    view.slide("ArrowLeft").slide("ArrowRight").rested()
    assert spaced(view.cards(UPPER)) == spaced(expected)
    assert len(view.asked()) == n
    view.voice.select_option("pirate")
    drawn(view.page)
    assert view.page.locator("svg").is_visible()
    # Trained again under its name, it is asked again.
    explorer.add("my voice", adapter_of(model, 9))
    view.page.evaluate("added => model.set('added', added)", explorer.added)
    view.voice.select_option("my voice")
    view.rested()
    assert len(view.asked()) > n


def test_a_voice_that_is_added_appears_and_the_choice_stays(opened):
    explorer, _ = explorer_of(own=())
    view = opened(explorer)
    view.voice.select_option("poet")
    view.page.evaluate("model.set('added', [['mine', 1]])")
    drawn(view.page)
    assert view.voice.locator("option").all_text_contents() == ["pirate", "poet", "mine"]
    assert view.voice.input_value() == "poet"


def test_what_can_not_be_asked_is_said_beside_the_box_and_stays_in_it(opened):
    explorer, _ = explorer_of(voice="my voice")
    view = opened(explorer).rested()
    n = len(view.asked())
    for text in ("", "  "):
        view.ask(text)
        assert "Type a question first" in view.text(".uth-textbox .uth-problem")
    assert len(view.asked()) == n
    view.ask("x" * 101).idle()
    assert (
        view.text(".uth-textbox .uth-problem")
        == "a question can have up to 100 tokens here, got 101; make it shorter"
    )
    assert view.box.input_value() == "x" * 101
    assert view.box.get_attribute("aria-invalid") == "true"
    view.box.fill("x" * 99)
    assert view.text(".uth-problem").strip() == ""
    view.box.evaluate(
        "box => { box.value = 'a\\ud800b'; box.dispatchEvent(new InputEvent('input', { bubbles: true })); }"
    )
    n = len(view.asked())
    view.ask()
    assert "half of one" in view.text(".uth-textbox .uth-problem")
    assert len(view.asked()) == n
    view.ask("Hi?").idle()
    assert view.text(".uth-problem").strip() == ""
    assert view.cards(LOWER)[0] == "Hi?"


def test_without_a_model_or_a_kernel_it_is_said_and_the_table_works_on(opened):
    known = TABLE["voices"][0]["answers"][QUESTIONS[0]]
    for view, said in (
        (opened(VoiceExplorer(table=TABLE)), "This explorer was made without a model"),
        (opened(explorer_of()[0], kernel=False), "A live answer needs a kernel"),
    ):
        view.ask("Hi?").idle()
        assert said in view.text(".uth-own .uth-problem")
        assert view.box.input_value() == "Hi?"
        view.slide("ArrowRight")
        assert view.cards(UPPER)[4].split() == known[5].split()
        assert view.asked() == []
    view.voice.select_option("my voice")  # the one without a kernel
    view.rested()
    assert "A live answer needs a kernel" in view.text(
        ".uth-voices > .uth-body > div:first-child .uth-problem"
    )


@pytest.mark.parametrize("width", [360, 1600])
def test_nothing_is_wider_than_its_room(opened, width):
    explorer, _ = explorer_of()
    heard = {"text": "w" * 90, "voice": "my voice", "strength": 1, "base": "b" * 200, "said": "a b " * 50}
    view = opened(explorer, width=width, heard=heard)
    view.question.select_option(QUESTIONS[2])
    view.slide("ArrowLeft")
    over = view.page.evaluate("[...document.querySelectorAll('#el *')].filter((one) => getComputedStyle(one).clipPath === 'none' && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 99))")  # fmt: skip
    assert over == []
