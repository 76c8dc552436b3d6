"""Voices: their files, their training, what they answer, and the files that are committed."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file

from helpers import voices
from helpers.finetuning import (
    LoRAConfig,
    add_lora,
    lora_layers,
    n_trained,
    put_adapter,
    remove_lora,
    set_strength,
)
from helpers.pretrained import is_available, load_smollm2
from helpers.transformer import GPT, GPTConfig
from helpers.voices import (
    END,
    LONGEST,
    MARKS,
    QUESTIONS,
    STRENGTHS,
    VOICES,
    Example,
    Row,
    Voice,
    VoiceConfig,
    answer,
    answers_at,
    has_voice,
    held_out,
    load_voice,
    load_voice_adapter,
    load_voice_table,
    neutral_loss,
    parse_voice,
    report_is_right,
    report_rows,
    report_score,
    train_voice,
    voice_loss,
    voice_pairs,
)

needs_smollm2 = pytest.mark.skipif(
    not is_available("smollm2"), reason="python -m helpers.pretrained fetches SmolLM2"
)
THREE = "Q: a?\nA: x\nQ: b?\nA: y\nQ: c?\nA: z\n"
MINE = Voice("mine", "", (Example("Hi?", "Ho."), Example("Who are you?", "Me."), Example("1+1?", "2, ho.")))


class Bytes:
    """A tokenizer of bytes, and one token more that says that an answer is over."""

    end = 256

    def encode(self, text, special=False):
        parts = text.split(END)
        ids = list(parts[0].encode())
        for part in parts[1:]:
            ids += [self.end, *part.encode()]
        return ids

    def decode(self, ids):
        return b"".join(END.encode() if i == self.end else bytes([i]) for i in ids).decode(errors="replace")


def small(seed=0, n_ctx=150):
    config = GPTConfig(vocab_size=257, n_ctx=n_ctx, n_layers=2, n_heads=2, d_model=16, positions="rotary")
    model = GPT(config, seed=seed).requires_grad_(False)
    with torch.no_grad():
        for weight in model.parameters():
            weight *= 3
    return model


# ---- The text -----------------------------------------------------------------------------------


def test_a_voice_is_read_as_it_was_written():
    voice = parse_voice("""
        # cat: a cat, proud: very
        # another: note
        Q: Who
        are you?
        A: Meow.

          Two lines: the second.
        # a note between
        q:Was?
        a:  Miau:  A: no
        Q: 猫は？
        A: ニャー 🐈

    """)
    assert voice == Voice(
        "cat",
        "a cat, proud: very",
        (
            Example("Who\nare you?", "Meow.\n\nTwo lines: the second."),
            Example("Was?", "Miau:  A: no"),
            Example("猫は？", "ニャー 🐈"),
        ),
    )


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (THREE, None, ("mine", "")),
        ("# no colon\n" + THREE, None, ("mine", "")),
        ("# : nothing\n" + THREE, None, ("mine", "nothing")),
        ("# a: b\n" + THREE, "given", ("given", "b")),
        (THREE, "given", ("given", "")),
        ("\ufeff" + THREE.replace("\n", "\r\n"), None, ("mine", "")),
    ],
)
def test_names(text, name, expected):
    voice = parse_voice(text, name)
    assert (voice.name, voice.about) == expected
    assert voice.examples == (Example("a?", "x"), Example("b?", "y"), Example("c?", "z"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least 3 examples, got none; .*by heart"),
        ("# a note\n\n", "at least 3 examples, got none"),
        ("Q: a?\nA: x", "at least 3 examples, got 1;"),
        ("Q: a?\nA: x\nQ: b?\nA: y", "at least 3 examples, got 2;"),
        ("Dear model,\n" + THREE, "must begin with Q: and a question, got 'Dear model,' in line 1; write #"),
        ("\n\nAnswer: x", "got 'Answer: x' in line 3"),
        (
            "Q: a?\nA: x\n\nQ: b?\nQ: c?\nA: z",
            "every question must have an answer below it, got none for 'b\\?' in line 4",
        ),
        (THREE + "Q: d?", "got none for 'd\\?' in line 7"),
        (
            "# n\nA: x\n" + THREE,
            "every answer must have one question above it, got 'x' in line 2 without one",
        ),
        ("Q: a?\nA: x\nA: y", "got 'y' in line 3 without one"),
        ("Q:\nA: x", "Q: must have words behind it, got none in line 1"),
        ("Q: a?\nA:  \n\nQ: b?\nA: y", "A: must have words behind it, got none in line 2"),
        (
            THREE + "Q:  A ?\nA: y",
            "every question must come once, got 'A \\?' in lines 1 and 7; ask something else",
        ),
        ("\n".join(f"Q: {i}\nA: x" for i in range(201)), "at most 200 examples, got 201; choose the best"),
        (3, "a voice must be a text, got int"),
        (b"Q: a", "a voice must be a text, got bytes"),
    ],
)
def test_what_is_no_voice_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_voice(text)


def test_two_hundred_examples_are_welcome():
    assert len(parse_voice("\n".join(f"Q: {i}\nA: x" for i in range(200))).examples) == 200


def test_voices_are_loaded_by_name_and_from_files(tmp_path):
    path = tmp_path / "cat.txt"
    path.write_text("# cat: proud\n" + THREE, encoding="utf-8")
    assert load_voice(path) == load_voice(str(path)) == parse_voice(path.read_text())
    assert load_voice("pirate").name == "pirate"
    path.write_bytes(b"\x89PNG\xff\x00")
    with pytest.raises(ValueError, match=r"plain text in UTF-8, got cat.txt, which is not \(byte 0\)"):
        load_voice(path)
    path.write_text("")
    with pytest.raises(ValueError, match=r"cat.txt: a voice must have at least 3 examples, got none"):
        load_voice(path)
    for gone in (tmp_path / "gone.txt", tmp_path):
        with pytest.raises(ValueError, match="must be a file that is there"):
            load_voice(gone)


@pytest.mark.parametrize("load", [load_voice, held_out, load_voice_adapter])
def test_unknown_names(load):
    with pytest.raises(ValueError, match=r"one of pirate, .*, got 'Pirat'; did you mean 'pirate'\?"):
        load("Pirat")
    with pytest.raises(ValueError, match="got 'xyz'; or a file with one of your own"):
        load("xyz")


@pytest.mark.parametrize("name", VOICES)
def test_the_voices_of_the_course(name):
    voice, others = load_voice(name), held_out(name)
    assert voice.name == others.name == name
    assert voice.about == others.about != ""
    asked = [example.question for example in voice.examples]
    unseen = [example.question for example in others.examples]
    assert len(unseen) >= 4
    assert not {*asked} & {*unseen, *QUESTIONS}
    assert not {*unseen} & {*QUESTIONS}
    if name in MARKS:
        assert all(has_voice(said, name) for _, said in (*voice.examples, *others.examples))
        assert not any(
            has_voice(said, other) for _, said in voice.examples for other in MARKS if other != name
        )


def test_test_questions():
    assert len(set(QUESTIONS)) == len(QUESTIONS) == 8
    assert STRENGTHS == (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2)


def test_marks():
    assert has_voice("ARR!", "pirate")
    assert not has_voice("Carry the barrel", "pirate")
    with pytest.raises(ValueError, match="a voice with a mark must be one of pirate"):
        has_voice("Visitors rose.", "reports")


# ---- Training -----------------------------------------------------------------------------------


def test_pairs_are_chats_whose_answers_end():
    (first, *_others) = voice_pairs(MINE, Bytes())
    assert Bytes().decode(first.prompt) == "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n"
    assert Bytes().decode(first.answer) == "Ho.<|im_end|>"
    assert first.answer[-1] == Bytes.end


def test_long_examples_are_refused_and_not_cut():
    room = LONGEST - len(voice_pairs(MINE, Bytes())[1].prompt) - 1
    fits = MINE._replace(examples=(MINE.examples[0], Example("Who are you?", "x" * room)))
    assert len(voice_pairs(fits, Bytes())[1].answer) == room + 1
    longer = MINE._replace(examples=(MINE.examples[0], Example("Who are you?", "x" * (room + 1))))
    with pytest.raises(
        ValueError, match=r"at most 100 tokens with its question, got 101 in example 2, 'Who are you\?'"
    ):
        next(train_voice(small(), Bytes(), longer))


def test_a_voice_is_learned_and_the_base_unharmed():
    model, two = small(), MINE._replace(examples=MINE.examples[:2])  # both are read in every step
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    base = voice_loss(model, Bytes(), two)
    records = list(train_voice(model, Bytes(), two, VoiceConfig(steps=60, rank=2)))
    assert [record.step for record in records] == list(range(1, 61))
    # A new adapter changes nothing, and answers alone count.
    assert records[0].loss == pytest.approx(base, rel=1e-4)
    assert records[-1].loss < 0.8 * base
    assert voice_loss(model, Bytes(), two) < 0.8 * base
    assert model.lora == LoRAConfig(rank=2, alpha=4.0)
    set_strength(model, 0)
    assert voice_loss(model, Bytes(), two) == pytest.approx(base, rel=1e-4)
    remove_lora(model)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_an_adapter_that_is_worn_learns_on():
    model = add_lora(small(), LoRAConfig(rank=3))
    worn = lora_layers(model)
    list(train_voice(model, Bytes(), MINE, VoiceConfig(steps=1, rank=2)))
    assert model.lora.rank == 3
    assert lora_layers(model) == worn


def test_the_same_seed_trains_the_same():
    losses = []
    for seed in (5, 5, 6):
        records = train_voice(small(), Bytes(), MINE, VoiceConfig(steps=6, seed=seed))
        losses.append([record.loss for record in records][-1])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert abs(losses[0] - losses[2]) > 1e-5


def test_many_examples_are_read_in_small_batches():
    assert VoiceConfig(steps=4).training(1).batch_size == 1
    assert VoiceConfig(steps=4).training(200).batch_size == voices.AT_ONCE == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be a whole number from 1, got 0"),
        ({"rank": 0}, "rank must be a whole number from 1, got 0"),
        ({"learning_rate": -1}, "learning_rate must be above 0, got -1"),
        ({"seed": -1}, "seed must be a whole number from 0, got -1"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        VoiceConfig(**settings)


# ---- Answers ------------------------------------------------------------------------------------


class Says:
    """A 'model' that answers with the ids it is given, whatever it is asked."""

    def __init__(self, ids, n_ctx=10_000):
        self.ids, self.prompt = ids, None
        self.config = type("Config", (), {"n_ctx": n_ctx})

    def __call__(self, ids):
        self.prompt = self.prompt or len(ids)
        logits = torch.zeros(257)
        logits[self.ids[len(ids) - self.prompt]] = 1.0
        return logits


def said(ids, most_tokens=20, **settings):
    return voices._greedy(Says(ids, **settings), Bytes(), ["Hi?"], most_tokens)[0]


def test_answers_end_where_the_model_ends_them():
    assert said([*b" Ho. ", Bytes.end, *b"never"]) == "Ho."
    assert said([*b"Ho, ho, ho", *b" and so on"], most_tokens=6) == "Ho, ho…"
    assert said([Bytes.end]) == ""
    assert said([*b"Ho.", Bytes.end], most_tokens=4) == "Ho."
    assert said([*b"Ho.", Bytes.end], most_tokens=3) == "Ho.…"


def test_answers_hold_no_half_characters():
    cat = "🐈".encode()
    assert said([*b"a ", *cat], most_tokens=4) == "a…"
    assert said([*b"a ", *cat[:2], *b" b", Bytes.end]) == "a  b"
    assert said([*cat, Bytes.end]) == "🐈"


def test_answers_stop_where_the_context_is_full():
    length = len(Bytes().encode("<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n"))
    assert (
        said([*b"Ho, ho, ho"], n_ctx=length + 4) == "Ho, h…"
    )  # the token behind a full context is still told


def test_answers_are_greedy():
    model = small(seed=3)
    ids = Bytes().encode("<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n")
    start = len(ids)
    for _ in range(7):
        ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    expected = Bytes().decode(ids[start:]).split(END)[0].replace("�", "").strip()
    assert answer(model, Bytes(), "Hi?", 7).removesuffix("…") == expected


@pytest.mark.parametrize("question", ["", "  \n"])
def test_empty_questions_are_refused(question):
    with pytest.raises(ValueError, match="the question must hold some words"):
        answer(small(), Bytes(), question)


def test_other_bad_questions():
    with pytest.raises(ValueError, match="at most 150 tokens"):
        answer(small(), Bytes(), "x" * 300)
    with pytest.raises(ValueError, match="a question must be a text, got int"):
        answer(small(), Bytes(), 3)
    for most in (0, 2.5):
        with pytest.raises(ValueError, match="most_tokens must be a whole number from 1"):
            answer(small(), Bytes(), "Hi?", most)


def test_several_strengths_side_by_side_are_those_one_by_one():
    model = small(seed=1)
    list(train_voice(model, Bytes(), MINE, VoiceConfig(steps=30, learning_rate=0.03)))
    set_strength(model, 0.5)
    together = answers_at(model, Bytes(), "Who?", (0, 1, 1.5), 12)
    assert {float(layer.strength) for layer in lora_layers(model).values()} == {0.5}
    alone = []
    for strength in (0, 1, 1.5):
        set_strength(model, strength)
        alone.append(answer(model, Bytes(), "Who?", 12))
    assert together == alone
    assert together[0] != together[1]
    with pytest.raises(ValueError, match="strength must be from 0 to 2, got 3"):
        answers_at(model, Bytes(), "Who?", (0, 3))
    with pytest.raises(ValueError, match="must wear an adapter"):
        answers_at(remove_lora(model), Bytes(), "Who?")


def test_losses_by_hand():
    model, tokenizer = small(seed=2), Bytes()
    total = count = 0
    for pair in voice_pairs(MINE, tokenizer):
        ids = [*pair.prompt, *pair.answer]
        odds = model(torch.tensor([ids]))[0].log_softmax(-1)
        for place in range(len(pair.prompt), len(ids)):
            total, count = total - odds[place - 1, ids[place]].item(), count + 1
    assert voice_loss(model, tokenizer, MINE) == pytest.approx(total / count, rel=1e-5)

    model = small(seed=2, n_ctx=600)
    total = count = 0
    for text in voices.NEUTRAL:
        ids = list(text.encode())
        odds = model(torch.tensor([ids]))[0].log_softmax(-1)
        total -= sum(odds[place - 1, ids[place]].item() for place in range(1, len(ids)))
        count += len(ids) - 1
    assert neutral_loss(model, tokenizer) == pytest.approx(total / count, rel=1e-5)


# ---- Reports ------------------------------------------------------------------------------------

ROW = Row("Visitors", ("May", "June"), (30, 9))


def test_rows_are_told():
    assert ROW.question == "Visitors: May 30, June 9, change -21."
    assert ROW.report == "Visitors fell by 21, from 30 in May to 9 in June."


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (ROW.report, True),
        ("They dropped from 30 to 9.", True),
        ("Visitors rose from 30 in May to 9 in June.", False),
        ("Visitors fell from 9 in May to 30 in June.", False),
        ("Visitors fell from 30 in May to 90 in June.", False),
        ("Visitors fell by 22, from 30 in May to 9 in June.", False),
        ("Visitors fell from 30 in May.", False),
        ("Visitors fell from 30 to 9, by 21.", True),
        ("Visitors: May 30, June 9.", False),
        ("They fell from 30 to 9 and rose.", False),
        ("", False),
    ],
)
def test_reports_are_judged_by_numbers_and_direction(said, right):
    assert report_is_right(ROW, said) is right


def test_held_out_rows():
    rows = report_rows(40)
    assert rows == report_rows(40) != report_rows(40, seed=1)
    assert all(report_is_right(row, row.report) for row in rows)
    assert not any(
        report_is_right(row, row.report.replace("rose", "fell")) for row in rows if "rose" in row.report
    )
    rising = sum("rose" in row.report for row in rows)
    assert 12 <= rising <= 28
    asked = " ".join(
        example.question for example in (*load_voice("reports").examples, *held_out("reports").examples)
    )
    assert not any(row.what in asked for row in rows)


def test_every_example_of_reports_is_right():
    examples = (*load_voice("reports").examples, *held_out("reports").examples)
    for question, said in examples:
        what, first, x, second, y = re.fullmatch(
            r"(.+): (\w+) (\d+), (\w+) (\d+), change [+-]\d+\.", question
        ).groups()
        assert said == Row(what, (first, second), (int(x), int(y))).report
    rising = sum("rose" in said for _, said in load_voice("reports").examples)
    assert 2 * rising == len(load_voice("reports").examples)


def test_reports_are_counted(monkeypatch):
    asked = []

    def knows_what_rose(model, tokenizer, questions, most_tokens):
        assert len({len(question) for question in questions}) == 1  # read together: of one length
        asked.extend(questions)
        return [row.report if "rose" in row.report else "No." for row in rows if row.question in questions]

    monkeypatch.setattr(voices, "_greedy", knows_what_rose)
    rows = sorted(report_rows(31), key=lambda row: row.question)
    rising = sum("rose" in row.report for row in rows)
    assert report_score(small(), Bytes(), rows) == (rising, 31)
    assert sorted(asked) == [row.question for row in rows]
    with pytest.raises(ValueError, match="rows must hold at least one row of numbers, got none"):
        report_score(small(), Bytes(), [])


def test_the_command_writes_what_is_loaded(tmp_path, monkeypatch, capsys):
    for path in voices.FOLDER.glob("*.txt"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(voices, "FOLDER", tmp_path)
    monkeypatch.setattr(voices, "TABLE", tmp_path / "voices.json")
    monkeypatch.setattr(voices, "VOICES", ("robot", "reports"))
    monkeypatch.setattr(voices, "QUESTIONS", QUESTIONS[:2])
    monkeypatch.setattr(voices, "LONGEST", 300)  # tokens are bytes here
    model = small(n_ctx=600)
    monkeypatch.setattr("helpers.pretrained.load_smollm2", lambda: (model, Bytes()))
    voices.main()
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["robot", "reports"]
    table = load_voice_table(tmp_path / "voices.json")
    assert table["reports"] == {"n": 40, "before": 0, "after": 0}
    assert [voice["name"] for voice in table["voices"]] == ["robot", "reports"]
    assert not lora_layers(model)
    assert load_file(tmp_path / "robot.safetensors")["blocks.0.attention.query.up"].dtype == torch.float16
    put_adapter(model, load_voice_adapter("robot"))
    robot = table["voices"][0]
    for place in (0, 4, 8):
        set_strength(model, STRENGTHS[place])
        loss = voice_loss(model, Bytes(), held_out("robot"))
        assert robot["voice_loss"][place] == pytest.approx(loss, abs=2e-3)
        assert robot["neutral_loss"][place] == pytest.approx(neutral_loss(model, Bytes()), abs=2e-3)
        assert robot["answers"][QUESTIONS[1]][place] == answer(model, Bytes(), QUESTIONS[1], 40)


# ---- What is committed --------------------------------------------------------------------------


def test_the_table_is_whole():
    table = load_voice_table()
    assert table["strengths"] == list(STRENGTHS)
    assert table["questions"] == list(QUESTIONS)
    assert [voice["name"] for voice in table["voices"]] == list(VOICES)
    at_one = STRENGTHS.index(1)
    for voice in table["voices"]:
        assert voice["about"] == load_voice(voice["name"]).about
        assert list(voice["answers"]) == list(QUESTIONS)
        for answers in voice["answers"].values():
            assert len(answers) == len(STRENGTHS)
            assert "\N{REPLACEMENT CHARACTER}" not in "".join(answers)
        for losses in (voice["voice_loss"], voice["neutral_loss"]):
            assert len(losses) == len(STRENGTHS)
        # Without the adapter all voices are one: the base model.
        first = table["voices"][0]
        assert voice["neutral_loss"][0] == pytest.approx(first["neutral_loss"][0], abs=2e-3)
        assert all(voice["answers"][q][0] == first["answers"][q][0] for q in QUESTIONS)
        # What a voice gains is more than what it loses, and twice of it is too much.
        assert voice["voice_loss"][at_one] < 0.5 * voice["voice_loss"][0]
        assert voice["neutral_loss"][0] < voice["neutral_loss"][at_one] < 1.5 * voice["neutral_loss"][0]
        assert voice["voice_loss"][-1] > 1.5 * voice["voice_loss"][at_one]
        if voice["name"] in MARKS:
            assert all(has_voice(answers[at_one], voice["name"]) for answers in voice["answers"].values())
            assert not any(has_voice(answers[0], voice["name"]) for answers in voice["answers"].values())
    assert table["reports"]["n"] == 40
    assert table["reports"]["before"] <= 2
    assert table["reports"]["after"] >= 30


def test_adapters_are_small_and_fit_their_model():
    sizes = [(voices.FOLDER / f"{name}.safetensors").stat().st_size for name in VOICES]
    assert max(sizes) < 500_000
    assert sum(sizes) < 2_000_000
    for name in VOICES:
        adapter = load_voice_adapter(name)
        assert adapter.config == VoiceConfig().lora()
        assert sum(weight.numel() for weight in adapter.weights.values()) == 230_400
        assert all(weight.isfinite().all() for weight in adapter.weights.values())


def test_damaged_tables_are_refused(tmp_path):
    path = tmp_path / "voices.json"
    with pytest.raises(
        ValueError, match=r"must be a file, got .*voices.json.*python -m helpers.voices makes it anew"
    ):
        load_voice_table(path)
    path.write_bytes(b"\xff\xff")
    with pytest.raises(ValueError, match=r"must be whole, got voices.json damaged"):
        load_voice_table(path)
    path.write_text('{"strengths": [')
    with pytest.raises(ValueError, match=r"must be whole, got voices.json damaged"):
        load_voice_table(path)
    path.write_text(json.dumps({"strengths": [], "questions": [], "voices": []}))
    with pytest.raises(ValueError, match=r"must have 'reports', got voices.json without it"):
        load_voice_table(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match=r"must have 'strengths'"):
        load_voice_table(path)


@needs_smollm2
def test_smollm2_speaks_as_the_table_says():
    """Answers with margins wide enough for every processor, one question a voice."""
    model, tokenizer = load_smollm2()
    table = load_voice_table()
    at_one = STRENGTHS.index(1)
    for voice in table["voices"][:3]:
        put_adapter(model, load_voice_adapter(voice["name"]))
        assert answer(model, tokenizer, QUESTIONS[0]) == voice["answers"][QUESTIONS[0]][at_one]
    remove_lora(model)
    # Any script can be asked in.
    for question in ("भारत की राजधानी क्या है?", "🦊"):
        said = answer(model, tokenizer, question, 4)
        assert said
        assert "\N{REPLACEMENT CHARACTER}" not in said
    assert neutral_loss(model, tokenizer) == pytest.approx(table["voices"][0]["neutral_loss"][0], abs=5e-3)
    (pair, *_) = voice_pairs(load_voice("pirate"), tokenizer)
    assert tokenizer.decode([pair.answer[-1]]) == END
    assert n_trained(model) == 0
