"""Bad input to the real explorers, and kernels that are busy, slow, broken, restarted or gone under them.

The explorers stand in two small notebooks that are written here. Their text boxes are found, not named: what
holds for one holds for all of them.
"""

import json
import time

import nbformat
import pytest

SET_UP = """
from helpers import pretrained, tinytown, tokenization
from helpers.explorers import Dice, Merges, NextToken, Sampling, Tokens, VoiceExplorer, Writer, explore

gpt, words = pretrained.load_tinytown()
corpus = tinytown.stories("train", 60)
bpe = tokenization.BPETokenizer().train(" ".join(map(" ".join, corpus)), 300)
"""
DICE = "Dice(corpus, gpt, words, prefix='once there was a blue')"
MERGES = "Merges(bpe, 'the red fox')"
REAL = {  # each explorer, and a text that it can answer
    DICE: "once there was a red",
    "NextToken(*pretrained.load_smollm2(), text='My name is')": "Once upon a time",
    MERGES: "the blue hen",
    "Tokens(tokenization.load_tokenizers(), 'Hello, World!')": "how do you do",
    "Sampling(gpt, words, text='once there was')": "once there was a red",
    "Writer(gpt, words, 'once there was')": "once there was a red",
    "VoiceExplorer(*pretrained.load_smollm2())": "Where do ships sleep?",
    "explore(lambda ax, word: ax.set_title(len(word)), lambda word: f'It is {word[:20]!r}.', word='fox')": "hen",
}

# For the tests below, a kernel that can be made slow (`slowly`, in seconds) and that can be made to fail (`broken`).
PLANTED = """
import time

slowly, broken, computed, answered = 0, None, 0, 0


def planted(kind):
    right = kind.compute

    def compute(self, question):
        global computed, answered
        computed += 1
        time.sleep(slowly)
        try:
            if broken is not None:
                raise broken
            return right(self, question)
        finally:
            answered += 1

    kind.compute = compute


planted(NextToken)
planted(Tokens)
real = {name: tokenization.load_tokenizer(name) for name in ("smollm2", "minilm")}
"""
ASKERS = {
    "NextToken(gpt, words, text='once there was')": "once there was a red fox by the river",
    "Tokens(real, 'Hello, World!')": "how do you do, and how is the fox today",
}
ANSWERERS = {DICE: "once there was a red fox by the river", MERGES: "the blue hen and the red fox"}

TEXTS = {
    "empty": "",
    "10,000 characters": ("the fox saw a red hen . " * 417)[:10_000],
    "10,000 characters in one word": "x" * 10_000,
    "10,000 emoji": "🙂" * 10_000,
    "too many characters": "once " * 4000,
    "control characters": "a\u0001b\u007fc\u200bd\u2028e\u0000f\u0085g\ufeff",
    "half a character": "a\ud800b",
    "the other half": "a\udc00",
    "right to left": "שלום \u202eעולם\u202c مرحبا بالعالم",
    "emoji": "👩‍👩‍👧‍👦 👋🏽 🏳️‍🌈 🇮🇳",
    "HTML": '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>',
    "more HTML": "\"'></textarea><svg onload='window.hacked=1'><b>&lt;b&gt;",
}
REFUSED = ("half a character", "the other half", "too many characters")  # by every box, in the browser

NEVER = ("undefined", "NaN", "null", "Traceback", "[object Object]")
SOON = 5  # seconds in which an explorer says that there is no kernel, or that it is busy
BUSY = 8  # seconds that another cell takes
TALLEST = 8000  # CSS pixels

KERNEL = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
SCRIPT = """
(() => {
  const root = (number) => document.querySelector(`[data-uth-explorer="${number}"]`);
  const now = () => document.querySelector("[data-uth-now]");
  const seen = (element) => element.checkVisibility() && element.textContent.trim() !== "";
  const bad = { cut: {} };

  // JSON carries half a character, which the way from Python to the page does not.
  bad.put = (json) => {
    const box = now();
    box.focus();
    box.value = JSON.parse(json);
    box.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }));
  };
  bad.kept = () => JSON.stringify(now().value);

  // What it says: `beside` the box and tied to it, in `all` lines for problems, in the line for news (`told`).
  bad.says = (number) => {
    const box = now(), own = root(number);
    const ids = (box.getAttribute("aria-describedby") ?? "").split(" ");
    const beside = ids.map((id) => document.getElementById(id)).filter((one) => one && own.contains(one) && seen(one));
    const gap = (one) => Math.abs(one.getBoundingClientRect().top - box.getBoundingClientRect().bottom);
    const text = (role) => [...own.querySelectorAll(`[role=${role}]`)].filter(seen).map((one) => one.textContent).join(" ");
    return {
      invalid: box.getAttribute("aria-invalid") === "true",
      beside: beside.filter((one) => gap(one) < 40).map((one) => one.textContent).join(" "),
      all: text("alert"),
      told: text("status"),
    };
  };
  // What is seen outside the controls, as a text; with `bars`, of the bars alone.
  bad.view = (number, bars) => {
    const copy = root(number).cloneNode(true);
    const other = "input, select, textarea, button:not(.uth-bars *), output, [role=status], [role=alert], [role=tooltip]";
    copy.querySelectorAll(other).forEach((one) => one.remove());
    const parts = [...copy.querySelectorAll(bars ? ".uth-bars" : "*")].filter((one) => bars || !one.children.length);
    const share = (one) => one.style.width.replace(/[0-9.]+(e-[0-9]+)?/g, (digits) => Number(digits).toFixed(3));
    return parts.map((one) => [one.textContent, one.alt, one.getAttribute("points"), share(one)].join("|")).join("\\n");
  };
  // What it says in its own words: not the learner's letters, nor tokens.
  bad.words = (number) => {
    const copy = root(number).cloneNode(true);
    copy.querySelectorAll("bdi, textarea").forEach((one) => one.remove());
    const named = [...copy.querySelectorAll("[aria-label], [alt]")].map((one) => one.ariaLabel ?? one.alt);
    return [copy.textContent, ...named].join(" ");
  };
  bad.planted = (number) =>
    root(number).querySelectorAll("script, iframe, [onerror], [onload], img:not([alt]), p b svg").length;

  // Every button that does not put a text of its own into the box, from the last to the first.
  bad.pressAll = async (number) => {
    const all = [...root(number).querySelectorAll("button:not([aria-pressed])")].reverse();
    for (const one of all.filter((one) => one.checkVisibility())) {
      one.click();
      await new Promise((done) => setTimeout(done, 20));
    }
  };

  // The kernel runs this as if it stood in another cell; gives what it printed.
  bad.execute = (code, wait) => {
    const future = jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code, store_history: false });
    let printed = "";
    future.onIOPub = ({ content }) => { printed += content.text ?? (content.ename ? `${content.ename}: ${content.evalue}` : ""); };
    return wait ? future.done.then(() => printed) : null;
  };

  // Looks at every frame from now on: how many had an empty picture in them, and what stood in the box.
  bad.film = (number) => {
    const own = root(number), box = now(), film = { frames: 0, empty: 0, texts: [box.value] };
    const empty = () =>
      [...own.querySelectorAll(".uth-bars tbody")].some((one) => one.getBoundingClientRect().height < 10) ||
      [...own.querySelectorAll(".uth-card")].some((one) => !one.querySelector(".uth-chip"));
    let next;
    const look = () => {
      film.frames++;
      if (empty()) film.empty++;
      if (film.texts.at(-1) !== box.value) film.texts.push(box.value);
      next = requestAnimationFrame(look);
    };
    look();
    bad.cut[number] = () => { cancelAnimationFrame(next); return film; };
  };
  window.bad = bad;
})()
"""


def write(lab, name, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, lab.root / name)
    return name


class Box:
    """A text box and the explorer that it belongs to; `good` is a text that this can answer."""

    def __init__(self, explorer, control, good):
        self.explorer, self.key, self.good = explorer, control["key"], good
        self.page, self.number, self.name = explorer.page, explorer.number, explorer.name

    def _ask(self, expression, argument=None):
        """Evaluate in the page, with this box as the one that is meant."""
        assert self.explorer.control(self.key), f"{self.name}: the text box is gone"
        return self.page.evaluate(expression, argument)

    def put(self, text):
        """Let this text stand in the box, as if it was pasted over the one before."""
        self._ask("json => bad.put(json)", json.dumps(text))

    def kept(self):
        return json.loads(self._ask("() => bad.kept()"))

    def says(self):
        return self._ask("number => bad.says(number)", self.number)

    def words(self):
        return self._ask("number => bad.words(number)", self.number)

    def view(self, bars=False):
        return self._ask("([number, bars]) => bad.view(number, bars)", [self.number, bars])

    def planted(self):
        return self._ask("number => bad.planted(number)", self.number)

    def press_all(self):
        self._ask("number => bad.pressAll(number)", self.number)

    def film(self):
        self._ask("number => bad.film(number)", self.number)

    def cut(self):
        return self._ask("number => bad.cut[number]()", self.number)

    def becomes(self, condition, seconds=15):
        """Whether this comes true in time."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                return False
            self.page.wait_for_timeout(30)
        return True

    def quiet(self):
        """No message, and nothing under way."""
        says = self.says()
        return not (says["all"] or says["invalid"] or "working" in says["told"])

    def answers(self, text):
        """Put a text that can be answered, and wait for the answer; the view."""
        before = self.view() if self.kept() != text else None
        self.put(text)
        assert self.becomes(lambda: self.quiet() and self.view() != before), f"{self.name}: {self.says()}"
        self.explorer.settle()
        return self.view()


def boxes(notebook, goods):
    """All text boxes; `goods` are in the order of the explorers."""
    notebook.page.evaluate(SCRIPT)
    explorers = notebook.wait_for_explorers(len(goods))
    found = [
        Box(explorer, control, good)
        for explorer, good in zip(explorers, goods, strict=True)
        for control in explorer.controls()
        if control["kind"] == "text"
    ]
    assert {box.number for box in found} == set(range(len(goods))), "an explorer without a text box"
    return found


def execute(notebook, code, wait=True):
    return notebook.page.evaluate("([code, wait]) => bad.execute(code, wait)", [code, wait])


# ---- Texts --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(lab, open_notebook):
    notebook = open_notebook(write(lab, "bad_texts.ipynb", SET_UP, *REAL))
    assert notebook.run() == []
    notebook.boxes = boxes(notebook, list(REAL.values()))
    for box in notebook.boxes:
        box.answered = box.answers(box.good)
    yield notebook
    notebook.close()


def all_answer_again(notebook):
    """What is wrong after all boxes got their good texts back."""
    for box in notebook.boxes:
        box.put(box.good)
    return [
        f"{box.name}: a good text is not answered again: {box.says()}"
        for box in notebook.boxes
        if not box.becomes(lambda box=box: box.quiet() and box.view() == box.answered)
    ]


@pytest.mark.parametrize("what", TEXTS)
def test_a_text_is_kept_and_answered_or_refused_in_a_sentence(real, what):
    for box in real.boxes:
        box.put(TEXTS[what])
    wrong = [f"{box.name}: {fault}" for box in real.boxes for fault in faults(box, what)]
    wrong += real.too_wide() + all_answer_again(real) + real.watch.errors
    assert not wrong, "\n".join(wrong)


def faults(box, what):
    """What is wrong with how an explorer takes a text."""
    if not box.becomes(lambda: box.says()["beside"] or box.view() != box.answered):
        yield f"neither another picture nor a sentence beside the box: {box.says()}"
    box.becomes(lambda: "working" not in box.says()["told"])
    says, words = box.says(), box.words()
    if box.kept() != TEXTS[what]:
        yield f"the text was not kept, but became {box.kept()[:80]!a}"
    if says["all"] and not (says["invalid"] and says["beside"]):
        yield f"what is wrong is not said beside the box: {says}"
    if what in REFUSED and not says["invalid"]:
        yield "the text was not refused"
    if len(says["all"]) > 300:
        yield f"this is no sentence: {says['all'][:400]}"
    yield from (f"it says {word!r}" for word in NEVER if word in words)
    if box.page.evaluate("window.hacked") is not None or box.planted():
        yield "the text became part of the page"
    if (height := box.explorer.element.bounding_box()["height"]) > TALLEST:
        yield f"it grew to {height:.0f} pixels"


# ---- The kernel ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asking(lab, open_notebook):
    notebook = open_notebook(write(lab, "bad_kernels.ipynb", SET_UP, PLANTED, *ASKERS, *ANSWERERS))
    assert notebook.run() == []
    find_again(notebook)
    yield notebook
    notebook.close()


def find_again(notebook):
    notebook.boxes = boxes(notebook, [*ASKERS.values(), *ANSWERERS.values()])
    notebook.askers, notebook.answerers = notebook.boxes[: len(ASKERS)], notebook.boxes[len(ASKERS) :]
    for box in notebook.boxes:
        box.first, box.second = box.good[:-6], box.good  # both can be answered
        box.views = {text: box.answers(text) for text in (box.second, box.first)}


@pytest.fixture
def mended(asking):
    """The kernel is quick and whole again after the test, and every box shows its first text."""
    yield asking
    mend(asking)


def mend(notebook):
    execute(notebook, "slowly, broken, computed, answered = 0, None, 0, 0")
    for box in notebook.boxes:
        box.put(box.first)
        mended = box.becomes(lambda box=box: box.quiet() and box.view() == box.views[box.first])
        assert mended, f"{box.name}: {box.says()}"


def test_a_burst_of_keys_costs_few_computations_and_the_old_picture_stays(mended):
    typed, wrong = " . the fox chased the red hen by the lake", []
    for box in mended.askers:
        last = box.second + typed
        expected = box.answers(last)
        box.answers(box.second)
        execute(mended, "slowly, computed = 0.4, 0")
        box.put(box.second)
        box.film()
        start = time.monotonic()
        for key in typed:
            mended.page.keyboard.press("Space" if key == " " else key)
        seconds = time.monotonic() - start
        if not box.becomes(lambda box=box, expected=expected: box.quiet() and box.view() == expected):
            wrong.append(f"{box.name}: the last answer is not for the last text: {box.says()}")
        film, cost = box.cut(), int(execute(mended, "print(computed)"))
        execute(mended, "slowly = 0")
        told = f"{box.name}: {len(typed)} keys in {seconds:.1f} s cost {cost} computations"
        print(told)
        if not 1 <= cost <= min(2 + seconds / 0.4, len(typed) / 2):
            wrong.append(told)
        if film["empty"]:
            wrong.append(f"{box.name}: no picture in {film['empty']} of {film['frames']} frames")
        if film["texts"][-1] != last or not grew(film):
            wrong.append(f"{box.name}: letters were taken away: {film['texts']}")
    wrong += mended.watch.errors
    assert not wrong, "\n".join(wrong)


def grew(film):
    """Whether the text in the box never became shorter."""
    lengths = [len(text) for text in film["texts"]]
    return lengths == sorted(lengths)


def test_an_answer_under_way_takes_no_message_away(mended, alone):
    """A good text is asked for; before the answer comes, one stands there that the browser refuses."""
    execute(mended, "slowly = 0.6")
    wrong = []
    for box in mended.askers:
        before = int(execute(mended, "print(answered)"))
        box.put(box.second)
        box.page.wait_for_timeout(250)
        box.put(TEXTS["half a character"])
        message = box.says()["beside"]
        assert int(execute(mended, "print(answered)")) == before, "the answer came too soon for this test"
        assert box.becomes(lambda before=before: int(execute(mended, "print(answered)")) > before)
        box.explorer.settle()
        if not message or box.says()["beside"] != message or box.kept() != TEXTS["half a character"]:
            wrong.append(f"{box.name}: {message!r} became {box.says()}")
    assert not wrong, "\n".join(wrong)


def test_no_button_sends_a_refused_text_or_takes_its_message_away(mended):
    wrong = []
    for box in mended.boxes:
        box.put(TEXTS["half a character"])
        message, before = box.says()["beside"], execute(mended, "print(computed)")
        box.press_all()
        box.page.wait_for_timeout(500)  # time enough to say that it works, if it was sent
        if "working" in box.says()["told"]:
            wrong.append(f"{box.name} waits for an answer to it")
        if box.kept() != TEXTS["half a character"] or not message or message not in box.says()["beside"]:
            wrong.append(f"{box.name}: {message!r} became {box.says()}")
        if execute(mended, "print(computed)") != before:
            wrong.append(f"{box.name} sent it to the kernel")
    wrong += mended.watch.errors
    assert not wrong, "\n".join(wrong)


def test_another_cell_that_runs_does_not_hold_an_answer_up(mended, alone):
    if not mended.page.evaluate(f"{KERNEL}.supportsSubshells"):
        pytest.skip("this kernel does one thing at a time")
    execute(mended, "answered = 0")
    execute(mended, "time.sleep(2); answered += 100", wait=False)
    wrong = []
    for box in mended.askers:
        box.put(box.second)
    for box in mended.askers:
        if not box.becomes(lambda box=box: box.quiet() and box.view() == box.views[box.second], 1.8):
            wrong.append(f"{box.name} waits for another cell: {box.says()}")
    assert int(execute(mended, "print(answered)")) == 100 + len(mended.askers)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("KeyError('no such fox')", "KeyError: 'no such fox'"),
        ("ValueError('count must be 1 or more, got 0; take 1')", "count must be 1 or more, got 0; take 1"),
        ("ValueError()", "ValueError"),
        (
            "RuntimeError('<b>bold</b><img src=x onerror=window.hacked=1>')",
            "RuntimeError: <b>bold</b><img src=x",
        ),
    ],
)
def test_an_exception_in_the_kernel_is_said_and_the_bars_stay(mended, raised, said):
    execute(mended, f"broken = {raised}")
    wrong = []
    for box in mended.askers:
        bars = box.view(bars=True)
        box.put(box.second)
        if not box.becomes(lambda box=box: said in box.says()["all"], SOON):
            wrong.append(f"{box.name} does not say {said!r}: {box.says()}")
        if box.view(bars=True) != bars or box.kept() != box.second or box.planted():
            wrong.append(f"{box.name}: more than the message changed")
    wrong += mended.watch.errors
    assert not wrong, "\n".join(wrong)


def moves_something(box):
    """Whether a slider or a choice still moves the picture."""
    controls = box.page.evaluate("number => uth.controls(number)", box.number)
    controls.sort(key=lambda control: control["kind"] != "range")
    return any(box.explorer.moves(control) for control in controls if control["kind"] in ("range", "radio"))


def gone(notebook):
    """What is wrong under a kernel that was just ended."""
    for box in notebook.boxes:
        box.put(box.second)
    for box in notebook.askers:
        before = box.view()
        if not box.becomes(lambda box=box: "needs a kernel" in box.says()["all"], SOON):
            yield f"{box.name} does not say that the kernel is gone: {box.says()}"
        if box.view() != before:
            yield f"{box.name}: the old picture does not stay"
        if "working" in box.says()["told"]:
            yield f"{box.name} works on, it says"
    for box in notebook.answerers:
        if not box.becomes(lambda box=box: box.quiet() and box.view() == box.views[box.second], SOON):
            yield f"{box.name} does not answer any more: {box.says()}"
    for box in notebook.boxes:
        if not moves_something(box):
            yield f"{box.name}: nothing moves any more"
        if box.kept() != box.second:
            yield f"{box.name}: {box.second!r} became {box.kept()!r}"
    yield from notebook.watch.errors


def test_a_kernel_that_was_restarted_is_said_and_the_rest_works_on(asking):
    asking.restart()
    wrong = list(gone(asking))
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def single(asking):
    """A kernel, started anew, that does one thing at a time. Since JupyterLab 4.4 and ipykernel 7, widgets have a thread of their own."""
    execute(asking, "pass")  # it was just restarted: what it was asked then is answered
    asking.page.evaluate(f"() => {{ {KERNEL}.commsOverSubshells = 'disabled'; }}")
    asking.restart()
    assert asking.run() == []
    find_again(asking)
    return asking


def test_a_kernel_that_is_busy_with_another_cell_is_said(single, alone):
    wrong = []
    execute(single, "slowly = 0.3")
    before = {box: box.view() for box in single.boxes}
    execute(single, f"time.sleep({BUSY})", wait=False)
    start = time.monotonic()
    for box in single.boxes:
        box.put(box.good[:-3])
    single.page.wait_for_timeout(400)  # time enough for the first text to be sent
    for box in single.boxes:
        box.put(box.second)
        box.film()
    for box in single.answerers:
        if not box.becomes(lambda box=box: box.view() == box.views[box.second], 1):
            wrong.append(f"{box.name} waits for the kernel")
    for what in ("working", "busy"):
        for box in single.askers:
            if not box.becomes(lambda box=box, what=what: what in box.says()["told"], 3):
                wrong.append(f"{box.name} does not say {what!r}: {box.says()}")
    wrong += [
        f"{box.name}: the old picture does not stay" for box in single.askers if box.view() != before[box]
    ]
    assert time.monotonic() - start < BUSY, "\n".join([*wrong, "this machine is too slow for this test"])
    for box in single.boxes:
        if not box.becomes(lambda box=box: box.quiet() and box.view() == box.views[box.second], BUSY + 5):
            wrong.append(f"{box.name}: no answer when the kernel is free again: {box.says()}")
        if (texts := box.cut()["texts"]) != [box.second]:
            wrong.append(f"{box.name}: the text was changed: {texts}")
    wrong += single.watch.errors
    mend(single)
    assert not wrong, "\n".join(wrong)


def test_what_is_typed_while_a_kernel_becomes_free_stays(single):
    """What the kernel has to say about an earlier text is no reason to put that into the box again."""
    wrong = []
    execute(single, "time.sleep(1.5)", wait=False)
    start, n = time.monotonic(), 0
    for box in single.boxes:
        box.put(box.first)
        box.film()
    single.page.wait_for_timeout(400)  # time enough for it to be sent
    while time.monotonic() - start < 3:
        n += 1
        for box in single.boxes:
            box.put(box.first + " " * n)
        single.page.wait_for_timeout(60)
    for box in single.boxes:
        box.becomes(box.quiet)
        film = box.cut()
        if box.kept() != box.first + " " * n or not grew(film):
            wrong.append(f"{box.name}: letters were taken away: {[len(text) for text in film['texts']]}")
    assert not wrong, "\n".join(wrong)


def test_a_kernel_that_was_shut_down_is_said_and_the_rest_works_on(single):
    single.page.evaluate("() => uth.shutDown()")
    wrong = list(gone(single))
    assert not wrong, "\n".join(wrong)
