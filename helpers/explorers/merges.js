// Byte-pair encoding replayed in the browser: pretokenize, utf8, encode_word and replay of helpers/tokenization.py.
import {
  asText, button, chipList, count, follow, frame, h, initialize, lines, onceAFrame, plural, quoted, rounded, row, slider, still, textBox, tiles, visible, words,
} from "./shared.js";

export const N_BYTES = 256;

// Python's white space: JavaScript's \s lacks U+001C to U+001F and U+0085, and has U+FEFF. Python's \d is \p{Nd}.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SIGNS = "!-\\/:-@\\[-`{-~"; // the 32 of ASCII
const WORD = new RegExp(` ?[^${SPACE}\\p{Nd}${SIGNS}]+| ?\\p{Nd}+| ?[${SIGNS}]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`, "gu");
const GAP = new RegExp(`[${SPACE}]+`, "u");

/** The text cut into words, numbers, signs and white space, with nothing lost. */
export const pretokenize = (text) => text.match(WORD) ?? [];

/** How many words stand between white space: Python's `len(text.split())`. */
export const countWords = (text) => text.split(GAP).filter(Boolean).length;

const encoder = new TextEncoder();
/** The bytes of a text in UTF-8. */
export const utf8 = (text) => encoder.encode(text);

/** The merges of a bytes trait: pairs to ranks, the bytes of every id, how often each pair stood in the corpus. */
export function readMerges(data) {
  const table = words(data), n = table.length / 3;
  const merges = [], ranks = new Map(), vocab = Array.from({ length: N_BYTES }, (_, byte) => Uint8Array.of(byte));
  for (let i = 0; i < n; i++) {
    const [left, right, times] = table.subarray(3 * i, 3 * i + 3);
    merges.push({ left, right, times });
    ranks.set(key(left, right), i);
    const whole = new Uint8Array(vocab[left].length + vocab[right].length);
    whole.set(vocab[left]);
    whole.set(vocab[right], vocab[left].length);
    vocab.push(whole);
  }
  return { merges, ranks, vocab };
}

const key = (left, right) => left * 2 ** 24 + right;

/** The ids of one word after the first `upto` merges; `merged(rank, times)` hears of every merge that was made. */
export function encodeWord(bytes, ranks, upto, merged) {
  let ids = Array.from(bytes);
  for (;;) {
    let best = upto;
    for (let i = 0; i + 1 < ids.length; i++) {
      const rank = ranks.get(key(ids[i], ids[i + 1]));
      if (rank !== undefined && rank < best) best = rank;
    }
    if (best === upto) return ids;
    const after = [];
    for (let i = 0; i < ids.length; i++) {
      if (i + 1 < ids.length && ranks.get(key(ids[i], ids[i + 1])) === best) { after.push(N_BYTES + best); i++; }
      else after.push(ids[i]);
    }
    merged?.(best, ids.length - after.length);
    ids = after;
  }
}

/** The ids of a text after the first `upto` merges; a word that comes again is not worked out again. */
export function encode(text, { ranks }, upto) {
  const known = new Map(), ids = [];
  for (const word of pretokenize(text)) {
    if (!known.has(word)) known.set(word, encodeWord(utf8(word), ranks, upto));
    for (const id of known.get(word)) ids.push(id);
  }
  return ids;
}

/** The pieces of a text after the first `upto` merges, a part of a character as its bytes. */
export const replay = (text, history, upto) => encode(text, history, upto).map((id) => asText(history.vocab[id]));

/** How many tokens a text has after 0, 1, 2 ... merges. */
export function lengths(text, { ranks, merges }) {
  const times = new Map();
  for (const word of pretokenize(text)) times.set(word, (times.get(word) ?? 0) + 1);
  const after = new Array(merges.length + 1).fill(0);
  for (const [word, often] of times) {
    const bytes = utf8(word);
    after[0] += often * bytes.length;
    encodeWord(bytes, ranks, merges.length, (rank, saved) => { after[rank + 1] -= often * saved; });
  }
  for (let i = 1; i < after.length; i++) after[i] += after[i - 1];
  return after;
}

/** The two parts and the whole of merge number `step`, as they are written, and how often they stood together. */
export function lastMerge({ merges, vocab }, step) {
  if (step === 0) return null;
  const { left, right, times } = merges[step - 1];
  const [a, b, whole] = [left, right, N_BYTES + step - 1].map((id) => asText(vocab[id]));
  return { left: a, right: b, whole, times, ids: [left, right, N_BYTES + step - 1] };
}

/** What is shown, in a sentence: `Merges.describe`. */
export function describe(text, history, step, tokens) {
  const done = `After ${step} of ${history.merges.length} merges (vocabulary ${count(N_BYTES + step)}), `;
  if (!tokens) return `${done}there is no text yet.`;
  const n = countWords(text), each = n ? `, ${rounded(tokens / n, 2)} a word` : "";
  const made = lastMerge(history, step);
  const told = `${done}${quoted(text)} is ${plural(tokens, "token")}${each}.`;
  if (!made) return told;
  return `${told} Merge ${step} made ${visible(made.whole)} of ${visible(made.left)} and ${visible(made.right)}, which stood together ${plural(made.times, "time")}.`;
}

const MOST = { most: 600 }; // chips drawn

function render({ model, el }) {
  const { root, say } = frame(el, "merges");
  el.dataset.answers = "browser";
  const history = readMerges(model.get("merges")), last = history.merges.length;
  let text = model.get("text"), step = model.get("step"), counts = lengths(text, history), playing = null, behind = true;

  const box = textBox({ label: "your text", value: text, lines: 2, empty: "Type something: a text without letters has no tokens.", onInput: (now) => { text = now; changed(true); } });
  const knob = slider({ label: "merges", min: 0, max: last, value: step, format: (n) => `${n} of ${last}`, onInput: (n) => { stop(); go(n); } });
  const back = button({ label: "◀ back", name: "one merge back", onClick: () => { stop(); go(step - 1); } });
  const forth = button({ label: "next ▶", name: "one merge forward", onClick: () => { stop(); go(step + 1); } });
  // Nothing moves by itself for readers who asked for less motion: the two buttons above do the same.
  const play = still() ? null : button({ label: "play", onClick: () => (playing ? stop() : start()) });
  const numbers = tiles(["merges", "vocabulary", "tokens", "tokens a word"]);
  const made = h("div", { class: "uth-made" });
  const curve = h("div", {});
  const picture = lines({ series: [{ name: "tokens", role: "tokens", points: counts.map((n, i) => [i, n]) }], x_label: "merges", y_label: "tokens", at: step });
  const pieces = chipList(MOST), area = h("div", { class: "uth-text" }, pieces.node);
  // Earlier steps need more lines: their room is kept, so that nothing below jumps.
  const room = new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.height > (parseFloat(area.style.minHeight) || 0)) area.style.minHeight = `${contentRect.height}px`;
  });
  room.observe(pieces.node);
  curve.append(picture.node);
  root.append(row(box.node), row(knob.node, h("div", { class: "uth-buttons" }, back, forth, play)), numbers.node, made, area, curve);

  function stop() {
    clearInterval(playing);
    playing = null;
    if (play) play.textContent = "play";
  }
  function start() {
    if (step === last) go(0);
    playing = setInterval(() => (step < last ? go(step + 1) : stop()), 400);
    play.textContent = "stop";
  }
  function go(to) {
    step = Math.min(last, Math.max(0, to));
    if (step === last) stop();
    changed(false);
  }
  function changed(newText) {
    if (newText) behind = true;
    draw();
  }

  const draw = onceAFrame(() => {
    if (behind) counts = lengths(text, history);
    const tokens = counts[step], n = countWords(text);
    knob.set(step);
    back.disabled = step === 0;
    forth.disabled = step === last;
    numbers.set([`${step} of ${last}`, count(N_BYTES + step), count(tokens), n ? rounded(tokens / n, 2) : "–"]);
    const merge = lastMerge(history, step);
    made.replaceChildren(...(merge
      ? [
        h("span", {}, `Merge ${step}: `), one(merge.left, merge.ids[0]), h("span", {}, " + "), one(merge.right, merge.ids[1]), h("span", {}, " → "),
        one(merge.whole, merge.ids[2], true), h("span", {}, ` They stood together ${plural(merge.times, "time")} in the corpus.`),
      ]
      : [h("span", {}, "No merge yet: every token is one byte. Move the slider.")]));
    const ids = encode(text, history, step);
    let fill = 0;
    pieces.update(ids.slice(0, MOST.most).map((id) => {
      const bytes = history.vocab[id];
      fill = id % 5 === fill ? (id + 1) % 5 : id % 5; // the same token keeps its colour, neighbours differ
      return {
        piece: asText(bytes), below: id, fill, mark: step > 0 && id === N_BYTES + step - 1,
        tip: () => `id ${count(id)}: ${plural(bytes.length, "byte")}${id >= N_BYTES ? `, made by merge ${id - N_BYTES + 1}` : ", there from the start"}${typeof asText(bytes) === "string" ? "" : "\nPart of a character: it has no letter of its own, so its bytes are shown."}`,
      };
    }), { label: `the text in ${plural(tokens, "token")}`, all: ids.length });
    if (behind) area.style.minHeight = "";
    const told = describe(text, history, step, tokens);
    if (behind) picture.update({ series: [{ name: "tokens", role: "tokens", points: counts.map((k, i) => [i, k]) }], describe: `Tokens of the text against merges: from ${count(counts[0])} down to ${count(counts[last])} after ${last}.`, at: step });
    else picture.move(step);
    behind = false;
    say(told);
    if (model.get("text") !== text || model.get("step") !== step) {
      model.set("text", text);
      model.set("step", step);
      model.set("alt", told);
      model.save_changes();
    }
  });
  const one = (piece, id, mark) => h("span", { class: `uth-chip${mark ? " uth-marked" : ""}${typeof piece === "string" ? "" : " uth-bytes"}`, style: { "--fill": `var(--uth-chip-${id % 5})` } }, h("bdi", { class: "uth-piece" }, visible(piece)), h("span", { class: "uth-below" }, String(id)));

  const unfollow = [
    follow(model, "text", (now) => { if (now !== text) { text = now; box.set(now); changed(true); } }),
    follow(model, "step", (now) => { if (now !== step) { stop(); go(now); } }),
  ];
  draw();
  return () => { stop(); draw.stop(); room.disconnect(); unfollow.forEach((end) => end()); };
}

export default { initialize, render };
