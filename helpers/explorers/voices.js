// The voice explorer: answers in one of several voices at a strength from 0 to 2. What was computed beforehand is looked
// up here; the rest the kernel answers, a few tokens at a time.
import { asker, button, choice, follow, frame, fresh, h, initialize, kernelState, onceAFrame, rounded, row, shortened, slider, svg, textBox, ticks } from "./shared.js";

// ---- Nothing here touches the page, and Node runs it ---------------------------------------------------------------

const SPOKEN = 160, STEP = 0.25, STRONGEST = 2; // as in voices.py

/** Which of the strengths is nearest; the lower one of two that are equally near. */
export const nearest = (strengths, strength) =>
  strengths.reduce((best, one, i) => (Math.abs(one - strength) < Math.abs(strengths[best] - strength) ? i : best), 0);

/** The value at a strength, on straight lines between those that are known; beyond the ends, that of the end. */
export function between(strengths, values, strength) {
  for (let i = 1; i < strengths.length; i++) {
    if (strength < strengths[i]) {
      const share = Math.max(0, (strength - strengths[i - 1]) / (strengths[i] - strengths[i - 1]));
      return values[i - 1] + share * (values[i] - values[i - 1]);
    }
  }
  return values.at(-1);
}

const found = (table, voice) => table.voices.find((one) => one.name === voice);

/** An answer on one line, cut where it is long. */
export function oneLine(text) {
  const lines = shortened(text, SPOKEN).split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  return (lines.at(-1) === "" ? lines.slice(0, -1) : lines).join(" ");
}

function moved(change) {
  const far = rounded(Math.abs(change), 2);
  return far === "0.00" ? "as without it" : `${far} ${change < 0 ? "less" : "more"} than without it`;
}

/** What a voice gains and pays at a strength, in a sentence; "" for one that was not measured. */
export function verdict(table, voice, strength) {
  const known = found(table, voice);
  if (!known) return "";
  const [own, neutral] = [known.voice_loss, known.neutral_loss].map((values) => between(table.strengths, values, strength));
  const head = `Surprise, in nats per token: on answers in this voice ${rounded(own, 2)}`;
  if (strength <= table.strengths[0]) return `${head}, on neutral text ${rounded(neutral, 2)}. This is the base model.`;
  return `${head}, ${moved(own - known.voice_loss[0])}; on neutral text ${rounded(neutral, 2)}, ${moved(neutral - known.neutral_loss[0])}.`;
}

/** What is shown, in a few sentences. */
export function says(table, voice, question, strength) {
  const head = `${voice} at strength ${strength}, asked “${question}”: `, known = found(table, voice);
  if (!known) return `${head}nothing was computed beforehand; the kernel answers.`;
  const answers = known.answers[question], [base, told] = [0, nearest(table.strengths, strength)].map((i) => oneLine(answers[i]));
  return `${head}the base model says “${base}”, with the voice it says ${told === base ? "the same" : `“${told}”`}. ${verdict(table, voice, strength)}`;
}

/** Both curves in a sentence; "" for a voice that was not measured. */
export function curvesTold(table, voice) {
  const known = found(table, voice), last = table.strengths.at(-1);
  if (!known) return "";
  const parts = [["voice_loss", "on answers in this voice"], ["neutral_loss", "on neutral text"]].map(([name, what]) => {
    const at = [0, 1, last].map((strength) => rounded(between(table.strengths, known[name], strength), 2));
    return `${what} ${at[0]} at 0, ${at[1]} at 1, ${at[2]} at ${last}`;
  });
  return `Surprise over the strength of ${voice}, in nats per token: ${parts.join("; ")}.`;
}

/** Two labels at their heights, moved apart where they are nearer than `gap`, inside of `low` to `high`. */
export function apart([one, two], gap, low, high) {
  const push = Math.max(0, (gap - Math.abs(one - two)) / 2), up = one <= two ? -push : push;
  const places = [one + up, two - up], out = Math.max(0, low - Math.min(...places)) - Math.max(0, Math.max(...places) - high);
  return places.map((place) => place + out);
}

// ---- The page --------------------------------------------------------------------------------------------------------

const CHUNK = 0.11; // seconds that the kernel writes for one answer: nine a second
const REST = 1000; // ms that a control must have rested before the kernel is asked: an answer takes it seconds
const SAVE = 250; // ms of quiet after which Python is told
const NO_MODEL = "This explorer was made without a model, so it can answer only the questions above. If SmolLM2 is not on this machine, run python -m helpers.pretrained; then run this cell with VoiceExplorer(*load_smollm2()).";

function render({ model, el }) {
  const { root, told, problem, say: sayBelow, complain: complainBelow } = frame(el, "voices");
  const get = (name) => model.get(name);
  let saving, resting, width = 0;
  const set = (now) => {
    for (const [name, value] of Object.entries(now)) model.set(name, value);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; what was computed beforehand is shown all the same.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };
  const names = () => [...get("table").voices.map((one) => one.name), ...get("added").map(([name]) => name)];
  const now = () => {
    const voice = names().includes(get("voice")) ? get("voice") : names()[0], { questions } = get("table");
    return { voice, text: questions.includes(get("asked")) ? get("asked") : questions[0], strength: Math.min(STRONGEST, Math.max(0, get("strength"))) };
  };

  // ---- Asking the kernel: one answer at a time, in two places: for the question of the table ("table") where a voice
  // was not computed beforehand, and for the learner's own ("own").
  let run = null; // what is being answered: { key, place, text, voice, strength, sides: { base, voice } }
  const waiting = {}; // what comes then, one for each place
  const answered = new Map(); // answers in voices that are not in the table
  const known = ({ voice, text, strength }) => answered.get(JSON.stringify([voice, get("added").find(([name]) => name === voice)?.[1], text, strength]));
  const remember = ({ voice, text, strength }, said) => answered.set(JSON.stringify([voice, get("added").find(([name]) => name === voice)?.[1], text, strength]), said);

  let place = "own"; // where the last question came from
  const upperProblem = h("p", { class: "uth-problem", role: "alert" }), upperTold = h("p", { class: "uth-note uth-working", role: "status" });
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const say = (text) => {
    if (text === get("alt")) return; // it would be said at each answer
    if (place === "own") sayBelow(text);
    else put(upperTold, text);
  };
  const complain = (text) => {
    const refused = text !== "" && text === get("problem");
    if (place === "own") { box.complain(refused ? text : ""); complainBelow(refused ? "" : text); }
    else put(upperProblem, text);
    if (text && run && asking.gone) { run = null; draw(); }
  };
  const asking = asker(model, el, { needs: "A live answer", say, complain, wait: 0, answered: (answer) => took(answer), failed: () => { run = null; go(); } });
  const ask = (seconds) => {
    const { key, text, voice, strength, sides } = run;
    const grown = Object.fromEntries(Object.entries(sides).map(([side, one]) => [side, one.ids]));
    asking.ask({ run: key, text, voice, strength, grown, seconds }, { now: true });
    if (asking.gone) run = null;
  };
  const took = (answer) => {
    if (!run || answer.run !== run.key) return; // another one was wanted in the meantime
    run.sides = answer.sides;
    if (Object.values(run.sides).every((side) => side.over)) return finish();
    say("Writing …");
    ask(CHUNK);
    draw();
  };
  function finish() {
    const { voice, text, strength, sides } = run;
    run = null;
    remember({ voice, text, strength }, sides.voice.said);
    say("");
    put(news, `${withVoice(voice, strength)}: “${sides.voice.said}”`); // for the ear: it stands in its card
    if (place === "own") set({ heard: { text, voice, strength, base: sides.base?.said ?? get("heard").base, said: sides.voice.said } });
    go();
  }
  /** Begins the next one that waits. */
  function go() {
    const next = ["own", "table"].find((name) => waiting[name]);
    if (!run && next) {
      run = waiting[next];
      delete waiting[next];
      place = next;
      complain("");
      ask(0); // the first token as soon as it is there
    }
    draw();
  }
  function wish(name, wanted, sides) {
    if (run?.place === name) run = null; // overtaken
    waiting[name] = { ...wanted, key: fresh(), place: name, sides: Object.fromEntries(sides.map((side) => [side, { ids: [], said: "" }])) };
    go();
  }

  // ---- The learner's own question
  const send = () => {
    const text = box.value;
    if (box.refused) return;
    place = "own";
    if (!get("live")) return box.complain(NO_MODEL);
    if (!text.trim()) return box.complain("Type a question first, a word or more; “Where do ships sleep?”, say.");
    const { voice, strength } = now(), heard = get("heard");
    if (run?.place === "own" && run.text === text && run.voice === voice && run.strength === strength) return sayBelow("That is being answered already.");
    // The base model's answer does not depend on the voice: it is asked once.
    wish("own", { text, voice, strength }, heard.text === text ? ["voice"] : ["base", "voice"]);
  };
  const box = textBox({ label: "Your own question", value: get("typed"), placeholder: "Where do ships sleep?", onInput: (typed) => set({ typed }), onEnter: send });

  // ---- The question of the table, in a voice that is not in it
  const look = () => {
    clearTimeout(resting);
    delete waiting.table;
    if (run?.place === "table") run = null;
    put(upperProblem, "");
    put(upperTold, "");
    const wanted = now();
    if (found(get("table"), wanted.voice) || known(wanted) !== undefined) return;
    put(upperTold, "Not computed beforehand: the kernel is asked when the controls rest.");
    resting = setTimeout(() => {
      if (!get("live")) { put(upperTold, ""); return put(upperProblem, NO_MODEL); }
      wish("table", wanted, ["voice"]);
    }, REST);
  };

  // ---- Controls
  const options = (all) => all.map((name) => h("option", { value: name }, name));
  const voices = choice({ label: "Voice", options: names(), value: now().voice, onChange: (voice) => set({ voice }) });
  const questions = choice({ label: "Question", options: get("table").questions, value: now().text, onChange: (asked) => set({ asked }) });
  const dial = slider({ label: "Strength", min: 0, max: STRONGEST, step: STEP, value: now().strength, format: (x) => `${x}${{ 0: ": the base model", 1: ": as trained", 2: ": twice" }[x] ?? ""}`, onInput: (strength) => set({ strength }) });

  // ---- Answers side by side
  const card = () => {
    const name = h("p", { class: "uth-caption" }), text = h("p", { class: "uth-said", dir: "auto" }), room = h("div", { class: "uth-room" }, text);
    return { node: h("section", { class: "uth-card" }, name, room), name, text, room };
  };
  const pair = () => {
    const base = card(), voice = card(), asked = h("bdi", {});
    return { base, voice, asked, node: h("div", { class: "uth-pair" }, h("h4", {}, asked), h("div", { class: "uth-cards" }, base.node, voice.node)) };
  };
  const upper = pair(), lower = pair();
  const fill = ({ name, text }, title, said) => { put(name, title); put(text, said === "" ? "(nothing)" : said); };
  const withVoice = (voice, strength) => `With “${voice}” at strength ${strength}`;

  const about = h("p", { class: "uth-note" }), gain = h("p", { class: "uth-verdict" }), spoken = h("p", { class: "uth-unseen", role: "status" }), news = h("p", { class: "uth-unseen", role: "status" });
  const chart = h("div", { class: "uth-lines uth-curves" }), uncharted = h("p", { class: "uth-note" }, "Its curves were not computed beforehand: that takes passes over many texts at each strength.");
  const coming = h("p", { class: "uth-note" });
  const top = h("div", {}, row(voices.node, questions.node), row(dial.node), about, upperProblem, upperTold, upper.node, gain, chart, uncharted, spoken, news);
  const bottom = h("div", { class: "uth-own", "data-answers": "model" },
    h("div", { class: "uth-asking" }, box.node, button({ label: "Ask", onClick: send })), coming, problem, told, lower.node);
  root.append(top, bottom);

  // ---- The curves
  const W = { left: 44, top: 22, foot: 40 };
  function drawChart({ voice, strength }) {
    const { strengths } = get("table"), own = found(get("table"), voice);
    chart.hidden = !own;
    uncharted.hidden = Boolean(own);
    if (!own || !width) return;
    const gutter = 104, height = 230, right = width - gutter, foot = height - W.foot;
    const curves = [{ name: "in this voice", values: own.voice_loss, kind: "uth-voice" }, { name: "neutral text", values: own.neutral_loss, kind: "uth-neutral" }];
    const all = curves.flatMap((one) => one.values), span = Math.max(0.1, Math.max(...all) - Math.min(...all));
    const low = Math.max(0, Math.min(...all) - 0.08 * span), high = Math.max(...all) + 0.08 * span;
    const x = (value) => W.left + (value / strengths.at(-1)) * (right - W.left), y = (value) => foot - ((value - low) / (high - low)) * (foot - W.top);
    const text = (props, content) => svg("text", props, content);
    const here = curves.map((one) => between(strengths, one.values, strength)), at = x(Math.min(strength, strengths.at(-1)));
    const places = apart(curves.map((one) => y(one.values.at(-1))), 34, W.top + 10, foot - 14);
    const mark = ({ kind }, cx, cy, size, more = "") => (kind === "uth-voice" ? svg("circle", { class: `uth-point ${kind} ${more}`, cx, cy, r: size }) : svg("rect", { class: `uth-point ${kind} ${more}`, x: cx - size, y: cy - size, width: 2 * size, height: 2 * size }));
    chart.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": curvesTold(get("table"), voice) },
      ticks(low, high, 4).map((value) => [svg("line", { class: "uth-grid", x1: W.left, x2: right, y1: y(value), y2: y(value) }), text({ x: W.left - 6, y: y(value) + 4, "text-anchor": "end" }, String(value))]),
      svg("line", { class: "uth-axis", x1: W.left, x2: right, y1: foot, y2: foot }),
      ticks(0, strengths.at(-1), 4).map((value) => text({ x: x(value), y: foot + 16, "text-anchor": "middle" }, String(value))),
      text({ x: (W.left + right) / 2, y: height - 6, "text-anchor": "middle" }, "strength (1: as trained)"),
      text({ x: 2, y: 12 }, "surprise, nats per token"),
      svg("line", { class: "uth-mark", x1: at, x2: at, y1: W.top - 4, y2: foot }),
      curves.map((one, i) => [
        svg("polyline", { class: `uth-curve ${one.kind}`, points: one.values.map((value, k) => `${x(strengths[k]).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }),
        one.values.map((value, k) => mark(one, x(strengths[k]), y(value), 2.5)),
        mark(one, at, y(here[i]), 5.5, "uth-here"),
        svg("line", { class: "uth-lead", x1: right + 3, x2: right + 12, y1: y(one.values.at(-1)), y2: places[i] }),
        text({ class: `uth-label ${one.kind}`, x: right + 15, y: places[i] }, one.name),
        text({ class: `uth-label uth-number ${one.kind}`, x: right + 15, y: places[i] + 15 }, `${rounded(here[i], 2)} now`),
      ])));
  }

  // ---- Drawing
  let shown = null, offered = "";
  const draw = onceAFrame(() => {
    const wanted = now(), { voice, text, strength } = wanted, table = get("table"), own = found(table, voice);
    if (offered !== JSON.stringify(names())) { voices.input.replaceChildren(...options(names())); offered = JSON.stringify(names()); }
    voices.set(voice);
    questions.set(text);
    if (dial.value !== strength) dial.set(strength);
    top.dataset.answers = own ? "browser" : "model";
    put(about, own ? `${voice}: ${own.about}.` : `${voice}: a voice of your own. The kernel answers for it.`);

    // The old answer stays, under its own name, until there is another.
    const at = nearest(table.strengths, strength), live = run?.place === "table" && run.sides.voice.ids.length ? run.sides.voice.said : undefined;
    const said = own ? own.answers[text][at] : known(wanted) ?? live;
    if (said !== undefined) shown = { text, title: `${withVoice(voice, own ? table.strengths[at] : strength)} it says`, said };
    put(upper.asked, shown?.text ?? text);
    fill(upper.base, "The base model says", (own ?? table.voices[0]).answers[shown?.text ?? text][0]);
    fill(upper.voice, shown?.title ?? `${withVoice(voice, strength)} it says`, shown?.said ?? "…");
    // As much room as the longest answer needs, so that nothing below jumps while the slider moves.
    upper.voice.room.dataset.room = own ? own.answers[text].reduce((one, other) => (other.length > one.length ? other : one)) : "";
    upper.node.setAttribute("aria-busy", String(run?.place === "table"));
    put(gain, verdict(table, voice, strength));
    drawChart(wanted);

    const heard = get("heard"), mine = run?.place === "own" && run.sides.voice.ids.length ? run : null;
    lower.node.hidden = !(heard.text || mine);
    if (!lower.node.hidden) {
      const from = mine ?? heard;
      put(lower.asked, from.text);
      fill(lower.base, "The base model says", mine ? mine.sides.base?.said ?? heard.base : heard.base);
      fill(lower.voice, `${withVoice(from.voice, from.strength)} it says`, mine ? mine.sides.voice.said : heard.said);
    }
    bottom.setAttribute("aria-busy", String(run?.place === "own"));
    const typed = shortened(box.value, 60);
    coming.replaceChildren(...(get("live") ? [typed ? "Ask sends “" : "Ask sends your question", h("bdi", {}, typed), `${typed ? "”" : ""} to the base model and to “${voice}” at strength ${strength}. The kernel answers, in seconds.`] : [NO_MODEL]));

    const sentence = says(table, voice, text, strength);
    put(spoken, sentence);
    if (get("alt") !== sentence) model.set("alt", sentence);
  });
  const watch = new ResizeObserver(() => {
    const room = Math.floor(Math.min(640, chart.parentNode.clientWidth));
    if (room && room !== width) { width = room; draw(); }
  });
  watch.observe(top);
  draw();
  look();
  if (get("problem")) complain(get("problem"));

  const ends = [
    ...["voice", "asked", "strength", "added"].map((name) => follow(model, name, () => { draw(); look(); })),
    ...["table", "heard", "live"].map((name) => follow(model, name, draw)),
    follow(model, "typed", (text) => { if (text !== box.value) box.set(text); draw(); }),
  ];
  return () => { run = null; asking.stop(); clearTimeout(saving); clearTimeout(resting); draw.stop(); watch.disconnect(); ends.forEach((end) => end()); };
}

export default { initialize, render };
