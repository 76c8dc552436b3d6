// The logit-lens explorer: the kernel reads a text once; all that is shown of its lens is worked out here.
// What lens.py computes is here under the same names.
import {
  asker, bars, choice, choices, count, floats, follow, frame as page, fresh, h, initialize, kernelState, lines, onceAFrame, percent, plural, quoted as inQuotes, row, rounded, shorts, slider, textBox, tiles, toggle, visible, words, written,
} from "./shared.js";

// ---- Numbers: the same as in Python. Nothing here touches the page, and Node runs it --------------------------------

const LONGEST = 400;

/**
 * A lens as Python packed it: { text, model, note, tokens, pieces, vocab, layers, seq, best, ... }. Numbers of a cell
 * stand at `layer * seq + token`; `best` and `top` hold `most` numbers for each cell.
 */
export function unpack({ text, model, note, tokens, pieces, shape: [layers, seq, most], vocab_size: vocab, top_ids, top, entropy, kl, final_rank, final, next_ids, next_rank, next }) {
  const piece = (token) => (typeof token === "string" ? token : new Uint8Array(token.buffer ?? token, token.byteOffset ?? 0, token.byteLength));
  return {
    text, model, note, layers, seq, most, vocab, tokens: tokens.map(piece), pieces: pieces.map(piece), best: shorts(top_ids), top: floats(top), entropy: floats(entropy),
    kl: floats(kl), finalRank: words(final_rank), final: floats(final), nextIds: next_ids, nextRank: words(next_rank), next: floats(next),
  };
}

/** The numbers of the pieces in a cell, most likely first. */
export const bestOf = ({ best, seq, most }, layer, token) => best.slice((layer * seq + token) * most, (layer * seq + token + 1) * most);

/** Where the stream is read, in words. */
export function stage(layer, blocks) {
  if (layer === 0) return "before the first block";
  return `after ${layer === blocks ? "the last block," : "block"} ${layer} of ${blocks}`;
}

/** What stands in a cell, and how dark it is: { text, share }. */
export function cell(lens, view, layer, token) {
  const at = layer * lens.seq + token, whole = Math.log(Math.max(2, lens.vocab));
  if (view === "rank") return { text: count(lens.finalRank[at]), share: 1 - Math.log(lens.finalRank[at]) / whole };
  if (view === "entropy") return { text: rounded(lens.entropy[at], 2), share: Math.min(1, lens.entropy[at] / whole) };
  return { text: visible(lens.pieces[lens.best[at * lens.most]]), share: lens.top[at * lens.most] };
}

/** The layer from which on the token that the model ends with stays in front. */
export function firstLayer(lens, token) {
  const front = (layer) => lens.best[(layer * lens.seq + token) * lens.most];
  let first = lens.layers - 1;
  while (first > 0 && front(first - 1) === front(lens.layers - 1)) first--;
  return first;
}

const equal = (a, b) => a === b || (typeof a !== "string" && typeof b !== "string" && a.length === b.length && a.every((byte, i) => byte === b[i]));

/** A token in quotes, with its position where the same token stands elsewhere too. */
export function quoted(tokens, number) {
  const told = inQuotes(visible(tokens[number]));
  return tokens.filter((token) => equal(token, tokens[number])).length > 1 ? `${told} (${number})` : told;
}

const upper = (text) => text[0].toUpperCase() + text.slice(1);

/** A place as it is told: beyond 100 two digits, because the last ones differ from one processor to the next. */
export function placed(rank) {
  if (rank <= 100) return String(rank);
  const step = 10 ** (String(rank).length - 2);
  return `about ${count(Math.floor((rank + step / 2) / step) * step)}`;
}

/** What the model would say there, in two or three sentences. */
export function says(lens, layer, token) {
  const blocks = lens.layers - 1, at = layer * lens.seq + token, told = (piece) => inQuotes(visible(lens.pieces[piece]));
  const two = Array.from(bestOf(lens, layer, token).slice(0, 2), (piece, i) => `${told(piece)} with ${percent(lens.top[at * lens.most + i])}`);
  const final = bestOf(lens, blocks, token)[0];
  let all = `${upper(stage(layer, blocks))}, at ${quoted(lens.tokens, token)}, the model ${layer === blocks ? "says" : "would say"} ${two.join(", then ")}.`;
  if (layer === blocks) {
    const first = firstLayer(lens, token);
    all += ` ${told(final)} is in front from ${first ? `block ${first}` : "before the first block"} on.`;
  } else {
    all += ` In the end it says ${told(final)} with ${percent(lens.final[blocks * lens.seq + token])}`;
    all += lens.finalRank[at] === 1 ? "." : `: here in place ${placed(lens.finalRank[at])}, with ${percent(lens.final[at])}.`;
  }
  if (lens.nextIds[token] >= 0) all += ` The text goes on with ${told(lens.nextIds[token])}: here in place ${placed(lens.nextRank[at])}, with ${percent(lens.next[at])}.`;
  return all;
}

/** What is shown, in a sentence: `LogitLens.describe`. */
export const describe = (lens, layer, token) => `Logit lens of ${inQuotes(lens.text)} in ${lens.model}: ${says(lens, layer, token)}`;

/** 256 colours from 0 to 1 as [red, green, blue], mixed from stops like "#0072B2". */
export function palette(stops) {
  const parts = stops.map((stop) => [1, 3, 5].map((i) => parseInt(stop.slice(i, i + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(at));
    return parts[low].map((part, c) => Math.round(part + (at - low) * (parts[low + 1][c] - part)));
  });
}

// ---- The page --------------------------------------------------------------------------------------------------------

const SAVE = 250; // ms of quiet after which Python is told
const KEPT = 12; // readings that are remembered
const KEYS = { "data-lm-suppress-shortcuts": "true" }; // JupyterLab's command mode would take the keys away
const BESIDE = 760, FEW = 8; // pixels of room, and layers, from which what is chosen stands beside the table
const HEAD = 60, NARROW = 62, WIDE = 128, NUMBERS = 92; // pixels: names of rows, columns at least and at most, room for a number
const between = (low, x, high) => Math.min(high, Math.max(low, x));
const VIEWS = [["tokens", "token and probability"], ["rank", "rank of the final answer"], ["entropy", "entropy"]];
const SCALES = {
  tokens: (_, numbered) => ["probability 0", numbered ? "1 (numbers: percent)" : "1"],
  rank: (lens) => [`place ${count(lens.vocab)}`, "place 1"],
  entropy: (lens) => ["0 nats: sure", `${rounded(Math.log(Math.max(2, lens.vocab)), 2)} nats: all tokens alike`],
};

/** The colours of the theme, and black or white for what is written on each. */
function themeOf(el) {
  const style = getComputedStyle(el), mixed = palette([0, 1, 2, 3].map((i) => style.getPropertyValue(`--uth-weights-${i}`).trim()));
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const bright = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255) > 0.179;
  return { css: mixed.map((rgb) => `rgb(${rgb.join(" ")})`), on: mixed.map((rgb) => (bright(rgb) ? "#000" : "#fff")) };
}

function render({ model, el }) {
  const { root, told, say: sayIt, complain: complainBelow } = page(el, "lens");
  /** What the kernel does stands below; the sentence that stands beside the table too is there for the ear alone. */
  const say = (text, unseen = false) => { told.classList.toggle("uth-unseen", unseen); sayIt(text); };
  let got = null; // the lens that is shown
  let cells = [], rows = [], columns = [], theme = null, room = 0, saving, painted = "", ringed = null, shown = {};
  const readings = new Map(); // seen before: shown again without the kernel
  const get = (name) => model.get(name);
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; everything works on.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };
  const last = (at, n) => (at === null ? n - 1 : between(0, at, n - 1));
  const now = () => ({ layer: last(get("layer"), got.layers), token: last(get("token"), got.seq) });
  /** A cell; the last layer and the last token stay the last ones of other texts and models. */
  const pick = (layer, token) => {
    [layer, token] = [between(0, layer, got.layers - 1), between(0, token, got.seq - 1)];
    set({ layer: layer === got.layers - 1 ? null : layer, token: token === got.seq - 1 ? null : token });
  };

  // ---- A new text, or another model: only the kernel can read it
  const complain = (text) => {
    const refused = text !== "" && text === get("problem");
    box.complain(refused ? text : "");
    complainBelow(refused ? "" : text);
  };
  const asking = asker(model, el, { needs: "A new text or another model", say, complain, wait: 20, answered: () => take(get("reading")), failed: () => {
      still.replaceChildren("Still shown: ", h("bdi", {}, inQuotes(got.text)), ` in ${got.model}.`);
      still.hidden = false;
    },
  });
  const ask = () => {
    const known = readings.get(`${chooser.value}\0${box.value}`);
    if (known) { complain(""); take(known); if (asking.gone) return; }
    asking.ask({ text: box.value, model: chooser.value });
  };
  const take = (reading) => {
    const key = `${reading.model}\0${reading.text}`;
    readings.delete(key);
    readings.set(key, reading);
    if (readings.size > KEPT) readings.delete(readings.keys().next().value);
    got = unpack(reading);
    layers.input.max = got.layers - 1;
    tokens.input.max = got.seq - 1;
    tokens.node.hidden = got.seq === 1;
    still.hidden = true;
    if (box.value === got.text) box.complain(got.note);
    build();
    draw();
  };

  // ---- Controls
  const box = textBox({ label: "text", value: get("text"), most: LONGEST, onInput: ask, onEnter: ask });
  const names = get("names"), still = h("p", { class: "uth-still", hidden: true });
  const chooser = choice({ label: "model", options: names, value: get("model"), onChange: () => { if (!box.refused) ask(); } });
  const views = choices({ label: "view", options: VIEWS, value: get("view"), onChange: (view) => set({ view }) });
  const layers = slider({ label: "blocks read", min: 0, max: 1, value: 0, format: (layer) => `${layer} of ${got ? got.layers - 1 : 1}`, onInput: (layer) => pick(layer, now().token) });
  const tokens = slider({ label: "token", min: 0, max: 1, value: 0, format: (token) => (got ? `${token}: ${visible(got.tokens[token])}` : ""), onInput: (token) => pick(now().layer, token) });
  const powers = toggle({ label: "powers of ten", value: get("powers"), onChange: (value) => set({ powers: value }) });

  // ---- The table: layers upwards, tokens across, a stop of the Tab key of its own
  const help = h("p", { class: "uth-keys", id: fresh() }, "By keyboard: the arrow keys go from block to block and from token to token. Underlined: already the answer of the end.");
  // Not a <table>: that would be laid out as a whole for each letter that changes.
  const grid = h("div", { role: "grid", tabindex: "0", "aria-describedby": help.id, ...KEYS });
  let foot;
  const scroll = h("div", { class: "uth-scroll uth-sheet" }, grid);
  const sideways = h("p", { class: "uth-keys", hidden: true }, "Scroll sideways to see all tokens →");
  const scale = h("div", { class: "uth-scale", "aria-hidden": "true" }, h("b", {}), h("span", {}), h("b", {}));
  function build() {
    const { layers: n, seq } = got, id = fresh();
    const part = (role, props, ...inside) => h("div", { role, ...props }, inside);
    rows = []; cells = [];
    const body = Array.from({ length: n }, (_, i) => {
      const layer = n - 1 - i;
      rows[layer] = part("rowheader", {}, String(layer));
      const line = Array.from({ length: seq }, (_, token) => {
        const node = part("gridcell", { id: `${id}-${layer}-${token}` }, " ");
        return (cells[layer * seq + token] = { node, word: node.firstChild, layer, token });
      });
      return part("row", {}, rows[layer], line.map((one) => one.node));
    });
    columns = got.tokens.map((token) => part("columnheader", {}, visible(token)));
    foot = part("row", { class: "uth-foot" }, part("rowheader", {}, "blocks ↑"), columns);
    grid.replaceChildren(...body, foot);
    grid.setAttribute("aria-label", `What ${got.model} would say after each block (upwards) at each token (across)`);
    [painted, ringed] = ["", null];
  }
  const hint = (layer, token) => {
    const from = (layer * got.seq + token) * got.most;
    const best = Array.from(bestOf(got, layer, token).slice(0, 3), (piece, i) => `${visible(got.pieces[piece])} ${percent(got.top[from + i])}`);
    return `${upper(stage(layer, got.layers - 1))}, at ${visible(got.tokens[token])}: ${best.join(" · ")}`;
  };
  const peek = h("p", { class: "uth-peek" });
  const point = (one) => { peek.textContent = one ? hint(one.layer, one.token) : "Point at a cell to read it, click to choose it."; };
  const under = (event) => { const node = event.target.closest("[role=gridcell]"); return node && cells.find((one) => one.node === node); };
  grid.addEventListener("pointerover", (event) => point(under(event)));
  grid.addEventListener("pointerleave", () => point(null));
  point(null);
  grid.addEventListener("click", (event) => {
    const one = under(event);
    if (one) pick(one.layer, one.token);
  });
  grid.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const { layer, token } = now();
    const to = { ArrowUp: [layer + 1, token], ArrowDown: [layer - 1, token], ArrowLeft: [layer, token - 1], ArrowRight: [layer, token + 1], Home: [layer, 0], End: [layer, got.seq - 1], PageUp: [got.layers - 1, token], PageDown: [0, token] }[event.key];
    if (!to) return;
    event.preventDefault();
    event.stopPropagation();
    pick(...to);
  });

  // ---- The cell that is chosen
  const title = h("h4", {}), reading = h("p", { class: "uth-reading" });
  const facts = tiles(["entropy", "place of the final answer", "its probability", "distance from the end"]);
  const ten = bars({ labels: [], series: [], longest: 1 });
  const chart = lines({ series: [{ name: "probability", points: [[0, 0], [1, 1]], role: "probabilities" }], x_label: "blocks read", y_label: "probability" });
  const lineName = h("p", { class: "uth-caption" });
  const about = h("p", { class: "uth-keys" }, "The lens reads every layer with the last norm and the embedding table, which were made for the last layer only. Early layers need not speak that language: what they seem to say can look sure and mean nothing. The distance is the Kullback-Leibler divergence, in nats.");

  const reader = h("div", { "data-answers": "model" }, row(box.node, names.length > 1 ? chooser.node : null), still);
  root.append(reader, h("div", { "data-answers": "browser" },
    row(views.node), row(layers.node, tokens.node),
    h("div", { class: "uth-views" },
      h("section", { class: "uth-table" }, peek, scroll, sideways, scale, help),
      h("section", { class: "uth-one" }, h("div", {}, title, reading, ten.node), h("div", {}, facts.node, lineName, chart.node, row(powers.node)))),
    about));

  // ---- Drawing
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  function paint(view) {
    const across = between(NARROW, (wideRoom() - HEAD - 2) / got.seq, WIDE), numbered = view === "tokens" && across >= NUMBERS;
    const key = `${view} ${Math.floor(across)} ${numbered}`;
    if (key === painted) return;
    painted = key;
    grid.style.setProperty("--across", `${Math.floor(across)}px`);
    sideways.hidden = HEAD + Math.floor(across) * got.seq <= wideRoom();
    const ends = Array.from(got.tokens, (_, token) => bestOf(got, got.layers - 1, token)[0]);
    grid.className = `uth-lens-grid uth-${view}${numbered ? " uth-numbered" : ""}`;
    for (const { node, word, layer, token } of cells) {
      const { text, share } = cell(got, view, layer, token), dark = Math.round(255 * between(0, share, 1));
      if (word.data !== text) word.data = text;
      if (numbered) node.dataset.share = rounded(100 * share, 0);
      const same = got.best[(layer * got.seq + token) * got.most] === ends[token];
      node.className = same ? "uth-same-end" : "";
      node.style.cssText = `background:${theme.css[dark]};color:${theme.on[dark]}`;
    }
    ringed = null;
    const [low, high] = SCALES[view](got, numbered);
    put(scale.firstChild, low);
    put(scale.lastChild, high);
  }
  const beside = () => room >= BESIDE && got.layers > FEW;
  const wideRoom = () => (beside() ? room - Math.max(300, Math.min(420, 0.36 * room)) - 26 : room);
  const draw = onceAFrame(() => {
    if (!got || !room) return;
    theme ??= themeOf(el);
    const { layer, token } = now(), view = get("view"), at = layer * got.seq + token, blocks = got.layers - 1;
    root.classList.toggle("uth-beside", beside());
    paint(view);
    const here = cells[at];
    if (ringed !== here) {
      if (ringed) { ringed.node.classList.remove("uth-here"); ringed.node.removeAttribute("aria-selected"); rows[ringed.layer].classList.remove("uth-lit"); columns[ringed.token].classList.remove("uth-lit"); }
      ringed = here;
      here.node.classList.add("uth-here");
      here.node.setAttribute("aria-selected", "true");
      rows[layer].classList.add("uth-lit");
      columns[token].classList.add("uth-lit");
      grid.setAttribute("aria-activedescendant", here.node.id);
      bring(here.node);
    }
    layers.set(layer);
    tokens.set(token);
    views.set(view);
    powers.set(get("powers"));
    put(title, `${upper(stage(layer, blocks))}, at ${inQuotes(visible(got.tokens[token]))}`);
    put(reading, says(got, layer, token));
    const ids = Array.from(bestOf(got, layer, token));
    const key = `${layer} ${token}`;
    if (shown.got !== got || shown.key !== key) {
      ten.update({ labels: ids.map((piece) => got.pieces[piece]), series: [{ name: "probability", values: Array.from(got.top.slice(at * got.most, (at + 1) * got.most)), role: "probabilities" }], caption: `The ${ids.length} most likely next tokens` });
    }
    facts.set([`${written(got.entropy[at], 2)} nats`, count(got.finalRank[at]), percent(got.final[at]), `${written(got.kl[at], 2)} nats`]);
    const final = inQuotes(visible(got.pieces[bestOf(got, blocks, token)[0]])), log = get("powers");
    if (shown.got !== got || shown.token !== token || shown.log !== log) {
      const line = Array.from({ length: got.layers }, (_, l) => got.final[l * got.seq + token]);
      put(lineName, `Probability of ${final}, the answer of the end`);
      chart.update({
        series: [{ name: final, points: line.map((p, l) => [l, log ? Math.log10(p) : p]), role: "probabilities" }], at: layer, from_zero: !log,
        y_label: log ? "probability: power of ten" : "probability",
        describe: `Probability of ${final} after each block: ${percent(line[0])} before the first one, ${percent(line[Math.floor(blocks / 2)])} half way, ${percent(line[blocks])} after the last.`,
      });
    } else chart.move(layer);
    shown = { got, key, token, log };
    const all = describe(got, layer, token);
    if (!asking.waiting) say(all, true);
    if (get("alt") !== all) model.set("alt", all);
  });
  /** Scrolls the table, not the page, until the cell can be seen beside the names of rows and columns. */
  function bring(node) {
    const { offsetLeft: x, offsetTop: y, offsetWidth: w, offsetHeight: t } = node, under = foot.offsetHeight;
    if (x - scroll.scrollLeft < HEAD) scroll.scrollLeft = x - HEAD;
    else if (x + w - scroll.scrollLeft > scroll.clientWidth) scroll.scrollLeft = x + w - scroll.clientWidth;
    if (y < scroll.scrollTop) scroll.scrollTop = y;
    else if (y + t - scroll.scrollTop > scroll.clientHeight - under) scroll.scrollTop = y + t - scroll.clientHeight + under;
  }

  // ---- The room that there is, and the theme
  const watch = new ResizeObserver(() => {
    const w = Math.floor(root.clientWidth);
    if (!w || w === room) return;
    room = w;
    draw();
  });
  watch.observe(root);
  const themes = new MutationObserver(() => { theme = null; painted = ""; draw(); });
  for (const node of [document.body, document.documentElement]) themes.observe(node, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  take(get("reading"));
  if (get("problem")) complain(get("problem"));
  const ends = [
    ...["layer", "token", "view", "powers"].map((name) => follow(model, name, draw)),
    follow(model, "reading", (other) => {
      if (asking.waiting) return; // taken when its answer is known to be the one
      if (other.text !== box.value) box.set(other.text);
      chooser.set(other.model);
      take(other);
    }),
  ];
  return () => { asking.stop(); clearTimeout(saving); draw.stop(); watch.disconnect(); themes.disconnect(); ends.forEach((end) => end()); };
}

export default { initialize, render };
