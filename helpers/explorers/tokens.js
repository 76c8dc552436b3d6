// Any text through several tokenizers. The kernel encodes; the browser shows, compares, explains and copies.
import {
  asText, asker, bars, button, chipList, choices, copied, count, follow, frame, h, heatmap, hex, initialize, octets, plural, quoted, ringSame, row, textBox, visible, words,
} from "./shared.js";

const MOST = 200; // chips drawn of each tokenizer

/** One tokenizer's part of an answer: { ids, joined, token(i) }, a token as { id, bytes, start, end }; or { problem }. */
export function unpack(packed) {
  if (packed.problem !== undefined) return { problem: packed.problem, ids: [] };
  const ids = words(packed.ids), ends = words(packed.ends), joined = octets(packed.bytes);
  const token = (i) => ({ id: ids[i], start: i ? ends[i - 1] : 0, end: ends[i], bytes: joined.subarray(i ? ends[i - 1] : 0, ends[i]) });
  return { ids, joined, token };
}

/** How many tokens of a part say no more than that something was unknown. */
export function unknowns({ ids, token }, kind) {
  if (kind !== "wordpiece") return 0;
  let n = 0;
  for (let i = 0; i < ids.length; i++) if (asText(token(i).bytes) === "[UNK]") n++;
  return n;
}

const encoder = new TextEncoder();
function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The text that the pieces stand in, as characters with the byte where each starts: yours, in its composed form, or null. */
export function ground(text, joined) {
  for (const [form, as] of [["", text], [" of the text in its composed form (NFC)", text.normalize("NFC")]]) {
    if (!equal(encoder.encode(as), joined)) continue;
    const signs = Array.from(as), starts = [];
    let at = 0;
    for (const sign of signs) {
      const code = sign.codePointAt(0);
      starts.push(at);
      at += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; // bytes in UTF-8
    }
    return { signs, starts, form };
  }
  return null;
}

/** The number of the character that a byte belongs to. */
export function characterAt(starts, byte) {
  let low = 0, high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= byte) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** What there is to know about a token, in a few lines. */
export function explain(token, number, total, { title, kind }, where) {
  const piece = asText(token.bytes);
  const told = [`${title}: id ${count(token.id)}`, `${plural(token.bytes.length, "byte")}: ${token.bytes.length > 24 ? `${hex(token.bytes.slice(0, 24))} …` : hex(token.bytes)}`];
  let place = `token ${number} of ${total}, counted from 0`;
  if (kind === "wordpiece") {
    if (piece === "[UNK]") told.push("[UNK] stands for unknown: this vocabulary has no pieces for the word, so what it said is lost.");
    else if (piece.startsWith?.("##") && piece.length > 2) told.push("## means: this piece goes on inside a word.");
    told.push("WordPiece forgets spaces and capitals, so the bytes are those of its own spelling.");
  } else if (where) {
    const first = characterAt(where.starts, token.start), last = characterAt(where.starts, token.end - 1);
    place += first === last ? `; character ${first}${where.form}` : `; characters ${first} to ${last}${where.form}`;
    if (typeof piece !== "string") {
      const cut = where.signs.slice(first, last + 1).map(visible).join("");
      told.push(`A cut through ${cut}: this token has no letter of its own, so its bytes are shown.`);
    }
  }
  if (typeof piece === "string" && /^[<[][|A-Za-z_]+[|>\]]+$/.test(piece) && kind === "bytes") told.push("A special token: a sign to the model, not text.");
  return [...told, place].join("\n");
}

/** What is shown, in a sentence: `Tokens.describe`. */
export function describe(text, titles, lengths) {
  if (!text) return `There is no text yet, so it is 0 tokens in all of ${titles.join(", ")}.`;
  const known = titles.map((title, i) => [title, lengths[i]]).filter(([, n]) => n !== null);
  const told = known.map(([title, n], i) => `${i ? count(n) : plural(n, "token")} in ${title}`).join(", ");
  const left = titles.filter((_, i) => lengths[i] === null);
  return `${quoted(text)} (${plural(Array.from(text).length, "character")}) is ${told}${left.length ? `; ${left.join(" and ")} can't write it` : ""}.`;
}

function render({ model, el }) {
  const { root, say, complain } = frame(el, "tokens");
  const names = model.get("names"), examples = model.get("examples");
  let answer = model.get("answer"), view = "text", wanted = answer.text;

  const talk = asker(model, el, { needs: "New text", say, complain, answered: (now) => { answer = now; draw(); } });
  const box = textBox({ label: "your text", value: wanted, lines: 2, empty: "Type something: an empty text has no tokens.", onInput: want });
  const pressed = examples.map((example) => button({
    label: h("span", { lang: example.lang || null, dir: "auto" }, example.language), tip: example.text, onClick: () => { box.set(example.text); want(example.text, true); },
  }));
  const views = choices({ label: "show", options: [["text", "text"], ["ids", "ids"], ["bytes", "bytes"]], value: view, onChange: (now) => { view = now; draw(); } });
  views.node.dataset.answers = "browser";
  const compare = bars({ labels: [], series: [], unit: "tokens", names: true, rows: "tokenizer", caption: "How many tokens", none: "can't write it" });
  const cards = names.map((tokenizer) => {
    const size = h("span", { class: "uth-size" });
    const copy = button({
      label: "copy ids", name: `copy the ids of ${tokenizer.title}`, onClick: async () => {
        const ids = cards.find((card) => card.tokenizer === tokenizer).ids;
        const done = await copied(`[${ids.join(", ")}]`);
        copy.textContent = done ? "copied ✓" : "not copied";
        say(done ? `${plural(ids.length, "id")} of ${tokenizer.title} copied.` : "The browser does not let this page copy.");
        setTimeout(() => { copy.textContent = "copy ids"; }, 1600);
      },
    });
    const body = h("div", {}), list = chipList({ most: MOST });
    const node = h("section", { class: "uth-card", "aria-label": tokenizer.title }, h("div", { class: "uth-head" }, h("h4", {}, tokenizer.title), size, copy), body);
    return { tokenizer, node, body, list, size, copy, ids: [] };
  });
  const grid = h("div", { class: "uth-cards" }, cards.map((card) => card.node));
  ringSame(grid);
  const costs = h("details", { open: true }, h("summary", {}, "What the same question costs in other languages"));

  root.append(
    row(h("div", { class: "uth-examples", role: "group", "aria-label": "examples" }, h("span", {}, "“how are you” in"), pressed)),
    row(box.node), row(views.node), compare.node, grid, costs,
  );
  const shares = examples.map((example) => example.answer.tokenizers.map(unpack));
  const known = shares.map((parts) => parts.map((part) => part.ids.length));
  const lost = shares.map((parts) => parts.map((part, i) => unknowns(part, names[i].kind) > 0));
  costs.append(heatmap({
    values: known, rows: examples.map((example) => h("span", {}, `${example.language} `, h("bdi", { lang: example.lang || null, class: "uth-sample" }, example.text))),
    columns: names.map((one) => one.title), names: true, limits: [0, Math.max(...known.flat())], write: (n, r, c) => (lost[r][c] ? `${n}*` : String(n)), caption: "tokens of each text, in each vocabulary",
  }));
  if (lost.flat().some(Boolean)) costs.append(h("p", { class: "uth-note" }, "* has [UNK] in it: part of the text was unknown and is lost. The number is small because less is said."));

  function want(text, now = false) {
    wanted = text;
    // What travels with the explorer needs no kernel; a kernel that is there hears of it all the same.
    const at = examples.findIndex((example) => example.text === text);
    const local = at >= 0 ? examples[at].answer : text === "" ? { text, tokenizers: names.map(() => ({ ids: new Uint8Array(), ends: new Uint8Array(), bytes: new Uint8Array() })) } : null;
    if (local) {
      answer = local;
      draw();
      complain("");
      if (talk.gone) return;
    }
    talk.ask({ text }, { now });
  }

  function draw() {
    const { text } = answer;
    const parts = answer.tokenizers.map(unpack);
    // Most tokenizers keep the text as it is, so what is known of its places serves them all.
    let plain;
    const where = (joined) => (plain && equal(plain.joined, joined) ? plain : (plain = { joined, ...ground(text, joined) }).signs ? plain : (plain = null));
    const lengths = parts.map((part) => (part.problem === undefined ? part.ids.length : null));
    compare.update({ labels: names.map((one) => one.title), series: [{ name: "tokens", role: "tokens", values: lengths.map((n) => n ?? NaN) }] });
    cards.forEach((card, i) => {
      const { ids, problem, joined, token } = parts[i];
      card.ids = ids;
      card.size.textContent = problem === undefined ? plural(ids.length, "token") + (unknowns(parts[i], card.tokenizer.kind) ? `, ${unknowns(parts[i], card.tokenizer.kind)} unknown` : "") : "";
      card.copy.disabled = !ids.length;
      if (problem !== undefined) return card.body.replaceChildren(h("p", { class: "uth-problem" }, problem));
      const place = card.tokenizer.kind === "bytes" ? where(joined) : null;
      card.list.update(Array.from(ids.subarray(0, MOST), (id, at) => {
        const here = token(at);
        const one = view === "ids" ? { piece: String(id) } : view === "bytes" ? { piece: here.bytes } : { piece: asText(here.bytes), below: id };
        return { ...one, tip: () => explain(here, at, ids.length, card.tokenizer, place), span: place && !place.form ? [here.start, here.end] : undefined };
      }), { label: `${plural(ids.length, "token")} of ${card.tokenizer.title}`, all: ids.length });
      if (card.body.firstChild !== card.list.node) card.body.replaceChildren(card.list.node);
    });
    examples.forEach((example, i) => pressed[i].setAttribute("aria-pressed", String(example.text === text)));
    say(describe(text, names.map((one) => one.title), lengths));
  }

  const unfollow = follow(model, "text", (now) => {
    if (now !== wanted && !talk.waiting && document.activeElement !== box.input) { wanted = now; box.set(now); }
  });
  draw();
  complain(model.get("problem"));
  return () => { talk.stop(); unfollow(); };
}

export default { initialize, render };
