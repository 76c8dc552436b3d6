// The attention explorer: the kernel reads a sentence once; all that is drawn from its weights is worked out here.
// What attention.py computes is here under the same names.
import {
  asker, button, choice, choices, count, follow, frame as page, fresh, h, initialize, kernelState, onceAFrame, percent, plural, quoted as inQuotes, row, rounded, shortened, shorts, slider, textBox, tiles, toggle, visible,
} from "./shared.js";

// ---- Numbers: the same as in Python. Nothing here touches the page, and Node runs it --------------------------------

const LEFT = 1e-4, TOLD = 3, LONGEST = 400;

let table; // of the numbers from 0 to 1 in half precision: quicker than working each one out
function shares(bits) {
  table ??= Float32Array.from({ length: 0x3c01 }, (_, b) => (b >> 10 ? (1 + (b & 1023) / 1024) * 2 ** ((b >> 10) - 15) : b * 2 ** -24));
  const to = new Float32Array(bits.length);
  for (let i = 0; i < to.length; i++) to[i] = table[bits[i]];
  return to;
}

const SIDES = ["query", "key"];

/** A reading as Python packed it: { text, model, queries, keys, layers, heads, weights, own, causal, note, sides }. */
export function unpack({ text, model, queries, keys, shape: [layers, heads], weights, own, causal, note, sides = SIDES }) {
  const piece = (token) => (typeof token === "string" ? token : new Uint8Array(token.buffer ?? token, token.byteOffset ?? 0, token.byteLength));
  return { text, model, queries: queries.map(piece), keys: keys.map(piece), layers, heads, weights: shares(shorts(weights)), own, causal, note, sides };
}

/** The weights [query, key] of one head of one layer; null means the mean over all layers, or over all heads. */
export function chosen({ weights, layers, heads, queries, keys }, layer, head) {
  const size = queries.length * keys.length, sum = new Float64Array(size);
  let n = 0;
  for (let l = layer ?? 0; l <= (layer ?? layers - 1); l++) {
    for (let k = head ?? 0; k <= (head ?? heads - 1); k++, n++) {
      for (let i = 0, from = (l * heads + k) * size; i < size; i++) sum[i] += weights[from + i];
    }
  }
  for (let i = 0; i < size; i++) sum[i] /= n;
  return sum;
}

/** The weights with the first key taken out, each row divided by what is left of it. Rows of `across` keys. */
export function withoutFirst(pattern, across) {
  const to = new Float64Array(pattern.length);
  for (let from = 0; from < pattern.length; from += across) {
    let left = 0;
    for (let i = 1; i < across; i++) left += pattern[from + i];
    if (left >= LEFT) for (let i = 1; i < across; i++) to[from + i] = pattern[from + i] / left;
  }
  return to;
}

/** How much a token looks at each key; with `back`, how much each query looks at the token. */
export function followed(pattern, across, token, back = false) {
  if (!back) return pattern.slice(token * across, (token + 1) * across);
  return Float64Array.from({ length: pattern.length / across }, (_, q) => pattern[q * across + token]);
}

/** The numbers of the n largest above 0, largest first; of those that tie, the lower number first. */
export const ranked = (line, n = TOLD) => Array.from(line.keys()).sort((a, b) => line[b] - line[a] || a - b).slice(0, n).filter((i) => line[i] > 0);

/** How spread out a row is, in nats. */
export function entropy(line) {
  let sum = 0;
  for (const p of line) if (p > 0) sum -= p * Math.log(p);
  return sum + 0;
}

/** Where a head looks, as means over the queries that count: { first, previous, itself, entropy }. */
export function habits(pattern, across, own) {
  const down = pattern.length / across, from = own ? 1 : 0, n = down - from;
  if (n < 1) return { first: NaN, previous: NaN, itself: NaN, entropy: NaN };
  let first = 0, previous = 0, itself = 0, spread = 0, rows = 0;
  for (let q = from; q < down; q++) {
    const line = pattern.subarray(q * across, (q + 1) * across);
    first += line[0];
    previous += own ? line[q - 1] : NaN;
    itself += own ? line[q] : NaN;
    if (line.some((p) => p > 0)) { spread += entropy(line); rows++; }
  }
  return { first: first / n, previous: previous / n, itself: itself / n, entropy: spread / rows };
}

const equal = (a, b) => a === b || (typeof a !== "string" && typeof b !== "string" && a.length === b.length && a.every((byte, i) => byte === b[i]));

/** A token in quotes, with its position where the same token stands elsewhere too. */
export function quoted(tokens, number) {
  const told = inQuotes(visible(tokens[number]));
  return tokens.filter((token) => equal(token, tokens[number])).length > 1 ? `${told} (${number})` : told;
}

/** Which head, or which mean, in words. */
export function place({ layers, heads }, layer, head) {
  if (layer === null && head === null) return `mean of all ${layers} x ${heads} heads`;
  if (head === null) return `layer ${layer} (counted from 0), mean of its ${heads} heads`;
  if (layer === null) return `head ${head} (counted from 0), mean over ${layers} layers`;
  return `layer ${layer}, head ${head} of ${layers} x ${heads} (both counted from 0)`;
}

/** The same for a title, where it is clear how they count. */
const titled = (reading, which) => place(reading, ...which).replace(/ \((both )?counted from 0\)/, "");

const firstOf = ({ own }) => `first ${own ? "token" : "key"}`;
/** Whether queries and keys have names of their own, as Hindi and English words do. */
const hasSides = ({ sides }) => sides.join() !== SIDES.join();

/** Who looks at whom, in a sentence or two. */
export function looks(reading, layer, head, token, { back = false, firstOut = false } = {}) {
  const { queries, keys } = reading, whole = chosen(reading, layer, head);
  const line = followed(firstOut ? withoutFirst(whole, keys.length) : whole, keys.length, token, back);
  const [own, others] = back ? [keys, queries] : [queries, keys], name = quoted(own, token), to = back ? "by" : "at";
  const told = ranked(line).map((i) => `${quoted(others, i)} with ${percent(line[i])}`);
  let all = back ? `No token looks at ${name}.` : `${name} looks at no other token.`;
  if (told.length) all = `${name} ${back ? "is looked at most by" : "looks most at"} ${told[0]}${told.length > 1 ? `, then ${to} ${told.slice(1).join(" and ")}` : ""}.`;
  if (firstOut) all += ` The ${firstOf(reading)}, ${quoted(keys, 0)}, is taken out${back ? "." : `; ${name} gave it ${percent(whole[token * keys.length])}.`}`;
  return all;
}

/** What is shown, in a sentence: `Attention.describe`. */
export const describe = (reading, layer, head, token, settings) =>
  `Attention of ${inQuotes(reading.text)} in ${reading.model}, ${place(reading, layer, head)}${hasSides(reading) ? `, from ${reading.sides.join(" to ")}` : ""}: ${looks(reading, layer, head, token, settings)}`;

// ---- Pictures: drawn with a pen that is a canvas or writes SVG -------------------------------------------------------

/** 256 colours from 0 to 1 as [red, green, blue], mixed from stops like "#0072B2". */
export function palette(stops) {
  const parts = stops.map((stop) => [1, 3, 5].map((i) => parseInt(stop.slice(i, i + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(at));
    return parts[low].map((part, c) => Math.round(part + (at - low) * (parts[low + 1][c] - part)));
  });
}
const shade = (share) => Math.round(255 * Math.min(1, share));

/**
 * All heads as pixels, layers down and heads across, each `size` wide and high with `gap` between. Where a head has more
 * tokens than pixels, a pixel shows the largest weight under it, so that thin lines stay. `colours` are 256 pixels.
 */
export function overview({ weights, layers, heads, queries, keys, causal }, { size, gap, colours, hidden, blank }) {
  const step = size + gap, width = heads * step, height = layers * step, down = queries.length, across = keys.length;
  const pixels = new Uint32Array(width * height).fill(blank);
  const spans = (n) => Array.from({ length: size }, (_, p) => {
    const from = Math.floor((p * n) / size);
    return [from, n > size ? Math.max(from + 1, Math.ceil(((p + 1) * n) / size)) : from + 1];
  });
  const rows = spans(down), columns = spans(across);
  for (let l = 0; l < layers; l++) {
    for (let k = 0; k < heads; k++) {
      const from = (l * heads + k) * down * across, corner = l * step * width + k * step;
      for (let y = 0; y < size; y++) {
        const [q0, q1] = rows[y];
        for (let x = 0; x < size; x++) {
          const [k0, k1] = columns[x];
          let most = 0;
          for (let q = q0; q < q1; q++) for (let i = from + q * across + k0, end = from + q * across + k1; i < end; i++) if (weights[i] > most) most = weights[i];
          pixels[corner + y * width + x] = causal && k0 > q1 - 1 ? hidden : colours[shade(most)];
        }
      }
    }
  }
  return { width, height, pixels };
}

const MOST_SIGNS = 14, EDGE = 8;
export const label = (token) => shortened(visible(token), MOST_SIGNS);
/** About how wide a text is in a monospaced font, in pixels: letters of Chinese and the like are twice as wide. */
export const wide = (text, size) => Array.from(text).reduce((sum, sign) => sum + (sign.codePointAt(0) > 0x2e7f ? 1.1 : 0.62), 0) * size;
const longest = (labels, size) => Math.max(...labels.map((text) => wide(text, size)));
const between = (low, x, high) => Math.min(high, Math.max(low, x));

/** Where everything stands in the heatmap: cells are as large as the room allows, and never too small to be read. */
export function heatmapSize({ queries, keys, sides = SIDES }, { room, numbers, above = 0 }) {
  const font = 12, left = Math.ceil(Math.max(62, longest(queries, font), longest(sides, 11) + 16)) + 2 * EDGE, top = above + Math.ceil(Math.max(40, longest(keys, font))) + 2 * EDGE;
  const cell = Math.floor(between(numbers ? 28 : 15, (room - left - 3) / keys.length, 60));
  return { font, left, top, cell, width: left + cell * keys.length + 3, height: top + cell * queries.length + 3 };
}

/** Draws queries down and keys across. `lit` is { token, back }, `at` a key or null. */
export function drawHeatmap(pen, { queries, keys, sides = SIDES, pattern, causal, firstOut, numbers, lit, at, theme }, { font, left, top, cell }) {
  const { ink, faint, focus, css, on } = theme, down = queries.length, across = keys.length;
  pen.text(left - EDGE, top - 26, `${sides[1]} →`, { size: 11, fill: faint, anchor: "end" });
  pen.text(left - EDGE, top - 8, `${sides[0]} ↓`, { size: 11, fill: faint, anchor: "end" });
  queries.forEach((text, q) => pen.text(left - EDGE, top + (q + 0.5) * cell, text, { size: font, fill: ink, anchor: "end", bold: !lit.back && q === lit.token }));
  keys.forEach((text, k) => pen.text(left + (k + 0.5) * cell, top - EDGE, text, { size: font, fill: ink, turn: true, bold: lit.back ? k === lit.token : k === at }));
  const gap = cell > 20 ? 1 : 0;
  for (let q = 0; q < down; q++) {
    for (let k = 0; k < across; k++) {
      const p = pattern[q * across + k], x = left + k * cell, y = top + q * cell, hidden = (causal && k > q) || (firstOut && k === 0);
      pen.rect(x, y, cell - gap, cell - gap, { fill: hidden ? theme.hidden : css[shade(p)] });
      if (numbers && !hidden) pen.text(x + (cell - gap) / 2, y + (cell - gap) / 2, rounded(100 * p, 0), { size: 11, fill: on[shade(p)], anchor: "middle" });
    }
  }
  pen.rect(left - 0.5, top - 0.5, across * cell + 1, down * cell + 1, { stroke: theme.line, thick: 1 });
  if (lit.back) pen.rect(left + lit.token * cell - 1, top - 1, cell + 2 - gap, down * cell + 2, { stroke: focus, thick: 2.5 });
  else pen.rect(left - 1, top + lit.token * cell - 1, across * cell + 2, cell + 2 - gap, { stroke: focus, thick: 2.5 });
  if (at !== null) {
    const [q, k] = lit.back ? [at, lit.token] : [lit.token, at];
    pen.rect(left + k * cell, top + q * cell, cell - gap, cell - gap, { stroke: ink, thick: 2.5 });
  }
}

const SHARE = 44; // pixels for a token's share, at the outer edge
/** Where everything stands in the picture of arcs: queries at the left, keys at the right. */
export function arcsSize({ queries, keys, sides = SIDES }, { room, above = 0 }) {
  const font = 13, step = 22, left = Math.ceil(Math.max(40, longest(queries, font))) + 2 * EDGE + SHARE, right = Math.ceil(Math.max(40, longest(keys, font))) + 2 * EDGE + SHARE;
  const width = Math.max(left + right + 90, wide(sides.join("   "), 12), Math.min(room, left + right + 380)), top = above + 26;
  return { font, step, left, right, top, width, height: top + step * Math.max(queries.length, keys.length) + 4 };
}

/** Draws a curve from each query to each key, the thicker and darker, the more weight. */
export function drawArcs(pen, { queries, keys, sides = SIDES, pattern, numbers, lit, at, theme }, { font, step, left, right, top, width }) {
  const across = keys.length, x1 = left, x2 = width - right, { ink, faint, css } = theme, y = (i) => top + (i + 0.5) * step;
  const [who, whom] = sides.map((name) => wide(name, 12)); // long names reach into the middle
  pen.text(Math.max(who, left - EDGE), top - 12, sides[0], { size: 11, fill: faint, anchor: "end" });
  pen.text(Math.min(width - whom, x2 + EDGE), top - 12, sides[1], { size: 11, fill: faint });
  const isLit = (q, k) => (lit.back ? k : q) === lit.token;
  for (const own of [false, true]) {
    for (let i = 0; i < pattern.length; i++) {
      const q = Math.floor(i / across), k = i % across, p = pattern[i];
      if (p < 0.004 || isLit(q, k) !== own) continue;
      pen.curve(x1, y(q), x2, y(k), own ? { stroke: theme.focus, thick: 1 + 6 * p, alpha: 0.3 + 0.7 * p } : { stroke: css[150], thick: 0.5 + 2 * p, alpha: 0.45 * p });
    }
  }
  const told = (i) => pattern[lit.back ? i * across + lit.token : lit.token * across + i];
  const most = ranked(Float64Array.from(lit.back ? queries : keys, (_, i) => told(i)));
  const side = (labels, own, x, anchor) => labels.forEach((text, i) => {
    const bold = own ? i === lit.token : i === at;
    if (own && i === lit.token) pen.rect(anchor === "end" ? SHARE : x - EDGE / 2, y(i) - step / 2 + 1, (anchor === "end" ? left : right) - SHARE - EDGE / 2, step - 2, { fill: theme.chip });
    pen.text(x, y(i), text, { size: font, fill: ink, anchor, bold });
    if (!own && (numbers || most.includes(i) || i === at)) pen.text(anchor === "end" ? SHARE - 4 : width - 4, y(i), percent(told(i)).replace("under", "<").replace("over", ">"), { size: 11, fill: faint, anchor: "end" });
  });
  side(queries, !lit.back, left - EDGE, "end");
  side(keys, lit.back, x2 + EDGE, "start");
}

const short = (x) => String(Math.round(100 * x) / 100);
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** A pen that writes SVG; `done()` gives the text of the file. `name` is what it shows, in a sentence; `font` a rule of CSS. */
export function svgPen(width, height, { paper, family, mono }, name, font = "") {
  const parts = [];
  return {
    rect: (x, y, w, t, { fill = "none", stroke, thick }) => parts.push(`<rect x="${short(x)}" y="${short(y)}" width="${short(w)}" height="${short(t)}" fill="${fill}"${stroke ? ` stroke="${stroke}" stroke-width="${thick}"` : ""}/>`),
    curve: (x1, y1, x2, y2, { stroke, thick, alpha }) => parts.push(`<path d="M${short(x1)} ${short(y1)}C${short((x1 + x2) / 2)} ${short(y1)} ${short((x1 + x2) / 2)} ${short(y2)} ${short(x2)} ${short(y2)}" fill="none" stroke="${stroke}" stroke-width="${short(thick)}" stroke-opacity="${short(alpha)}"/>`),
    text: (x, y, words, { size, fill, anchor = "start", turn, bold, plain }) => parts.push(`<text x="${short(x)}" y="${short(y)}"${turn ? ` transform="rotate(-90 ${short(x)} ${short(y)})"` : ""} font-size="${size}" fill="${fill}" text-anchor="${anchor}"${bold ? ' font-weight="bold"' : ""}${plain ? ` font-family="${escaped(family)}"` : ""} dy="0.35em" xml:space="preserve">${escaped(words)}</text>`),
    done: () => `<svg xmlns="http://www.w3.org/2000/svg" width="${short(width)}" height="${short(height)}" viewBox="0 0 ${short(width)} ${short(height)}" font-family="${escaped(mono)}" role="img"><title>${escaped(name)}</title>${font && `<style>${escaped(font)}</style>`}<rect width="100%" height="100%" fill="${escaped(paper)}"/>${parts.join("")}</svg>\n`,
  };
}

/** A pen that draws on a canvas. */
function canvasPen(pen, { family, mono }) {
  pen.textBaseline = "middle";
  pen.direction = "ltr";
  let font = "";
  return {
    rect(x, y, w, t, { fill, stroke, thick }) {
      if (fill) { pen.fillStyle = fill; pen.fillRect(x, y, w, t); }
      if (stroke) { pen.strokeStyle = stroke; pen.lineWidth = thick; pen.strokeRect(x, y, w, t); }
    },
    curve(x1, y1, x2, y2, { stroke, thick, alpha }) {
      pen.globalAlpha = alpha;
      pen.strokeStyle = stroke;
      pen.lineWidth = thick;
      pen.beginPath();
      pen.moveTo(x1, y1);
      pen.bezierCurveTo((x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2, y2);
      pen.stroke();
      pen.globalAlpha = 1;
    },
    text(x, y, words, { size, fill, anchor = "start", turn, bold, plain }) {
      const wanted = `${bold ? "bold " : ""}${size}px ${plain ? family : mono}`;
      if (wanted !== font) pen.font = font = wanted;
      pen.fillStyle = fill;
      pen.textAlign = anchor === "middle" ? "center" : anchor;
      if (!turn) return pen.fillText(words, x, y);
      pen.save();
      pen.translate(x, y);
      pen.rotate(-Math.PI / 2);
      pen.fillText(words, 0, 0);
      pen.restore();
    },
  };
}

// ---- The page --------------------------------------------------------------------------------------------------------

const SAVE = 250; // ms of quiet after which Python is told
const GAP = 2, RIM = 26; // pixels between small heads, and beside them for their numbers
const KEPT = 12; // readings that are remembered
const BESIDE = 700; // pixels of room from which the large picture stands beside the small ones
const KEYS = { "data-lm-suppress-shortcuts": "true" }; // JupyterLab's command mode would take the keys away
const SINK = {
  causal: "The first token often gets it, whatever word it is, because every later token can see it: an attention sink.",
  other: "Some heads give it to one and the same token, whatever word it is: an attention sink.",
};
const sinkOf = ({ causal }) => `Why take it out? The softmax makes every row sum to 1, so a head that finds nothing to do must still put its weight somewhere. ${SINK[causal ? "causal" : "other"]} With it taken out, each row is divided by what is left, so that it sums to 1 again. Means are taken first.`;

const HINDI = '"uth-devanagari"'; // the font that devanagari.css brings
const hindiIn = (texts) => texts.join(" ").match(/[\u0900-\u097f]/g)?.join("") ?? "";
/** The rule that brings the font, for a picture that leaves the page. */
function hindiRule() {
  for (const sheet of document.styleSheets) {
    try {
      for (const rule of sheet.cssRules) if (rule instanceof CSSFontFaceRule && rule.style.fontFamily.includes("uth-devanagari")) return rule.cssText;
    } catch { /* a sheet from elsewhere, which may not be read */ }
  }
  return "";
}

/** The colours of the theme. */
function themeOf(el) {
  const style = getComputedStyle(el), colour = (name) => style.getPropertyValue(`--uth-${name}`).trim();
  const [ink, faint, focus, paper, line, hidden, chip] = ["ink", "faint", "focus", "paper", "line", "hidden", "chip-0"].map(colour);
  const mixed = palette([0, 1, 2, 3].map((i) => colour(`weights-${i}`)));
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const bright = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255) > 0.179;
  const dot = h("canvas", { width: 2, height: 1 }).getContext("2d", { willReadFrequently: true });
  [hidden, line].forEach((fill, i) => { dot.fillStyle = fill; dot.fillRect(i, 0, 1, 1); });
  const [hiddenPixel, blank] = new Uint32Array(dot.getImageData(0, 0, 2, 1).data.buffer);
  return {
    ink, faint, focus, paper, line, hidden, chip, hiddenPixel, blank,
    css: mixed.map((rgb) => `rgb(${rgb.join(" ")})`), on: mixed.map((rgb) => (bright(rgb) ? "#000" : "#fff")),
    colours: new Uint32Array(new Uint8ClampedArray(mixed.flatMap((rgb) => [...rgb, 255])).buffer), // one number a pixel
    family: style.fontFamily, mono: `${HINDI}, ${style.getPropertyValue("--jp-code-font-family").trim() || "monospace"}`,
  };
}

/** Tokens as buttons that stay, so that the focus stays: { node, fill(tokens), update(shares, chosen) }. */
function tokenList(name, onPick, onPoint) {
  const node = h("div", { class: "uth-chips", role: "group", "aria-label": name, dir: "ltr" });
  let all = [];
  const fill = (tokens) => {
    const had = all.findIndex((one) => one.node === document.activeElement);
    all = tokens.map((token, i) => {
      const below = h("span", { class: "uth-below" });
      const chip = h("button", {
        type: "button", class: "uth-chip uth-shaded", tabindex: "-1", style: { "--role": "var(--uth-weights-2)" }, ...KEYS,
        on: { click: () => onPick(i), pointerenter: () => onPoint(i), pointerleave: () => onPoint(null) },
      }, h("bdi", { class: "uth-piece" }, visible(token)), below);
      return { node: chip, below };
    });
    node.replaceChildren(...all.map((one) => one.node));
    if (had >= 0) all[Math.min(had, all.length - 1)].node.focus();
  };
  node.addEventListener("keydown", (event) => {
    const at = all.findIndex((one) => one.node === event.target);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const next = between(0, to, all.length - 1);
    onPick(next);
    all[next].node.focus();
  });
  /** `line`: what each token has of the one followed, or null; `token` is the one that is, or null. */
  const update = (line, token) => all.forEach(({ node: chip, below }, i) => {
    const share = line ? Math.round(100 * line[i]) : 0, told = line ? (line[i] === 0 ? "–" : line[i] < 0.005 ? "< 1 %" : `${share} %`) : "";
    const now = `${share} ${told} ${i === token}`;
    if (chip.dataset.now === now) return;
    chip.dataset.now = now;
    chip.style.setProperty("--share", `${share}%`);
    below.textContent = told;
    chip.classList.toggle("uth-marked", i === token);
    chip.setAttribute("aria-pressed", String(i === token));
    chip.tabIndex = i === (token ?? 0) ? 0 : -1;
  });
  return { node, fill, update };
}

function render({ model, el }) {
  const { root, say, complain: complainBelow } = page(el, "attention");
  let got = null; // the reading that is shown
  let labels, pattern, worked = {}, theme = null, size = {};
  let pointed = null; // what the pointer is on: { token, back, at }
  let at = null; // the other token whose cell the keyboard reads
  let room = 0, saving, stale = true; // whether the small heads must be painted anew
  const readings = new Map(); // seen before: shown again without the kernel
  const get = (name) => model.get(name);
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; everything works on.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };

  // ---- What is shown now
  const now = () => {
    const back = get("back"), last = (back ? got.keys : got.queries).length - 1, token = get("token");
    const layer = between(0, get("layer"), got.layers - 1), head = between(0, get("head"), got.heads - 1);
    return { layer, head, back, token: token === null ? last : between(0, token, last), which: [get("average_layers") ? null : layer, get("average_heads") ? null : head] };
  };
  const sizes = () => [got.queries.length, got.keys.length];
  const pick = (token, back = get("back")) => { at = null; pointed = null; set({ token, back }); };
  const point = (to) => {
    if (JSON.stringify(to) === JSON.stringify(pointed)) return;
    pointed = to;
    draw();
  };
  /** A head, or a step from one to the next, which ends the mean along its way. */
  const go = (layer, head, ends) => set({ layer: between(0, layer, got.layers - 1), head: between(0, head, got.heads - 1), ...ends });
  const HEAD = { average_heads: false }, LAYER = { average_layers: false };

  // ---- A new sentence, or another model: only the kernel can read it
  const complain = (text) => {
    const refused = text !== "" && text === get("problem");
    box.complain(refused ? text : "");
    complainBelow(refused ? "" : text);
  };
  const asking = asker(model, el, { needs: "A new sentence or another model", say, complain, wait: 20, answered: () => take(get("reading")), failed: () => {
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
    labels = { queries: got.queries.map(label), keys: got.keys.map(label), sides: got.sides };
    const letters = hindiIn([...labels.queries, ...labels.keys]);
    if (letters) document.fonts.load(`13px ${HINDI}`, letters).then(draw, draw); // a canvas does not wait for a font
    [at, pointed, stale] = [null, null, true];
    layers.input.max = got.layers - 1;
    heads.input.max = got.heads - 1;
    queryList.fill(got.queries);
    keyList.fill(got.own ? [] : got.keys);
    keyName.hidden = keyList.node.hidden = got.own;
    const [who, whom] = hasSides(got) ? got.sides : ["query token", "key token"];
    queryName.textContent = got.own ? "Follow a token" : `Who looks: ${who}`;
    keyName.textContent = `At whom: ${whom}`;
    put(switches[2][1].node.querySelector("label"), `take out the ${firstOf(got)}`);
    facts.node.firstChild.firstChild.textContent = `to the ${firstOf(got)}`;
    [1, 2].forEach((i) => { facts.node.children[i].hidden = !got.own; }); // no token stands before a token of another text
    fillTable();
    layers.node.hidden = got.layers === 1;
    heads.node.hidden = got.heads === 1;
    still.hidden = true;
    if (box.value === got.text) box.complain(got.note);
    draw();
  };

  // ---- Controls
  const box = textBox({ label: "sentence", value: get("text"), most: LONGEST, onInput: ask });
  const names = get("names"), still = h("p", { class: "uth-still", hidden: true });
  const chooser = choice({ label: "model", options: names, value: get("model"), onChange: () => { if (!box.refused) ask(); } });
  const views = choices({ label: "view", options: ["heatmap", "arcs"], value: get("view"), onChange: (view) => { at = null; set({ view }); } });
  const ways = choices({ label: "follow", options: [["", "what it looks at"], ["back", "who looks at it"]], value: "", onChange: (way) => { at = null; set({ back: way !== "" }); } });
  const layers = slider({ label: "layer", min: 0, max: 1, value: 0, format: (l) => (get("average_layers") ? "mean" : String(l)), onInput: (l) => go(l, now().head, LAYER) });
  const heads = slider({ label: "head", min: 0, max: 1, value: 0, format: (k) => (get("average_heads") ? "mean" : String(k)), onInput: (k) => go(now().layer, k, HEAD) });
  const switches = [["average_layers", "mean of all layers"], ["average_heads", "mean of all heads"], ["without_first", "take out the first token"], ["numbers", "values"]].map(([name, text]) => {
    const one = toggle({ label: text, value: get(name), onChange: (value) => set({ [name]: value }) });
    return [name, one];
  });

  // ---- The small heads
  const help = h("p", { class: "uth-keys", id: fresh() }, "Click a head, or use the arrow keys here: up and down go from layer to layer, left and right from head to head.");
  const small = h("canvas", { class: "uth-small", role: "application", "aria-roledescription": "table of heads", tabindex: "0", "aria-describedby": help.id, ...KEYS });
  const ring = h("div", { class: "uth-ring" }), peek = h("p", { class: "uth-peek" });
  const under = (event) => {
    const there = small.getBoundingClientRect(), step = size.small + GAP;
    const head = Math.floor((event.clientX - there.left - RIM) / step), layer = Math.floor((event.clientY - there.top - RIM) / step);
    return head >= 0 && head < got.heads && layer >= 0 && layer < got.layers ? [layer, head] : null;
  };
  small.addEventListener("click", (event) => { const here = under(event); if (here) go(...here, { ...HEAD, ...LAYER }); });
  small.addEventListener("pointermove", (event) => { const here = under(event); small.style.cursor = here ? "pointer" : ""; read(here); });
  small.addEventListener("pointerleave", () => read(null));
  small.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const { layer, head } = now();
    const to = { ArrowUp: [layer - 1, head, LAYER], ArrowDown: [layer + 1, head, LAYER], ArrowLeft: [layer, head - 1, HEAD], ArrowRight: [layer, head + 1, HEAD], Home: [layer, 0, HEAD], End: [layer, got.heads - 1, HEAD] }[event.key];
    if (!to) return;
    event.preventDefault();
    event.stopPropagation();
    go(...to);
  });
  function read(here) {
    if (!here) { peek.textContent = "Point at a head to read where it looks."; return; }
    const one = chosen(got, ...here), { first, previous, itself } = habits(get("without_first") ? withoutFirst(one, got.keys.length) : one, got.keys.length, got.own);
    const told = [[first, `to the ${firstOf(got)}`], [previous, "to the one before"], [itself, "to itself"]].filter(([share]) => !Number.isNaN(share)).map(([share, where]) => `${percent(share)} ${where}`);
    peek.textContent = `Layer ${here[0]}, head ${here[1]}${told.length ? `: on average ${told.join(", ")}` : ""}.`;
  }
  read(null);

  // ---- The large one
  const title = h("h4", {}), reading = h("p", { class: "uth-reading" });
  const howto = h("p", { class: "uth-keys", id: fresh() }, "Point at a token or a cell to follow it, click to keep it. By keyboard: up and down follow another token, left and right read its weights one by one.");
  const large = h("canvas", { class: "uth-large", role: "application", "aria-roledescription": "attention", tabindex: "0", "aria-describedby": howto.id, ...KEYS });
  const fixed = h("canvas", { class: "uth-fixed", "aria-hidden": "true" }); // the names of the rows stay in sight when cells are scrolled
  const scroll = h("div", { class: "uth-scroll" }, h("div", { class: "uth-sheet" }, large, fixed));
  const hint = h("p", { class: "uth-keys", hidden: true }, "Scroll sideways to see all keys →");
  const scale = h("div", { class: "uth-scale", "aria-hidden": "true" }, "0", h("span", {}), "1", h("i", {}), h("b", {}));
  const hit = (event) => {
    const there = large.getBoundingClientRect(), x = event.clientX - there.left, y = event.clientY - there.top, [down, across] = sizes(), { left, top, cell, step, right, width } = size;
    if (get("view") === "arcs") {
      const i = Math.floor((y - top) / step);
      if (i < 0) return null;
      if (x < left) return i < down ? { token: i, back: false, at: null } : null;
      return x > width - right && i < across ? { token: i, back: true, at: null } : null;
    }
    const q = Math.floor((y - top) / cell), k = Math.floor((x - left) / cell);
    if (x - scroll.scrollLeft < left) return q >= 0 && q < down ? { token: q, back: false, at: null } : null;
    if (k >= across || q >= down) return null;
    if (q < 0) return { token: k, back: true, at: null };
    return get("back") ? { token: k, back: true, at: q } : { token: q, back: false, at: k };
  };
  large.addEventListener("pointermove", (event) => point(hit(event)));
  large.addEventListener("pointerleave", () => point(null));
  large.addEventListener("click", (event) => { const here = hit(event); if (here) { pick(here.token, here.back); at = here.at; } });
  large.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const { token, back } = now(), [own, other] = back ? sizes().reverse() : sizes();
    const key = back && get("view") === "heatmap" ? { ArrowUp: "ArrowLeft", ArrowDown: "ArrowRight", ArrowLeft: "ArrowUp", ArrowRight: "ArrowDown" }[event.key] ?? event.key : event.key;
    if (key === "ArrowUp" || key === "ArrowDown") { const kept = at; pick(between(0, token + (key === "ArrowUp" ? -1 : 1), own - 1), back); at = kept; }
    else if (key === "ArrowLeft" || key === "ArrowRight") { pointed = null; at = at === null ? (key === "ArrowLeft" ? other - 1 : 0) : between(0, at + (key === "ArrowLeft" ? -1 : 1), other - 1); draw(); }
    else if (key === "Home" || key === "End") { const kept = at; pick(key === "Home" ? 0 : own - 1, back); at = kept; }
    else if (key === "Escape" && at !== null) { at = null; draw(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
    bring();
  });
  /** Scrolls the cell that is read into sight. */
  function bring() {
    if (get("view") !== "heatmap") return;
    const k = get("back") ? now().token : at;
    if (k === null) return;
    const x = size.left + k * size.cell;
    if (x - scroll.scrollLeft < size.left) scroll.scrollLeft = x - size.left;
    else if (x + size.cell - scroll.scrollLeft > scroll.clientWidth) scroll.scrollLeft = x + size.cell - scroll.clientWidth;
  }

  // ---- Tokens, numbers, a table
  const pointAt = (back) => (i) => point(i === null ? null : { token: i, back: got.own ? get("back") : back, at: null });
  const queryName = h("p", { class: "uth-caption" }), keyName = h("p", { class: "uth-caption" });
  const queryList = tokenList("tokens to follow", (i) => pick(i, got.own ? get("back") : false), pointAt(false));
  const keyList = tokenList("key tokens", (i) => pick(i, true), pointAt(true));
  const facts = tiles(["to the first token", "to the one before", "to itself", "entropy of a row"]);
  const factsName = h("p", { class: "uth-keys" });
  const caption = h("caption", {}), body = h("tbody", {}), head = ["position", "token", "weight"].map((text) => h("th", { scope: "col" }, text));
  let cells = [];
  const details = h("details", { on: { toggle: () => draw() } }, h("summary", { ...KEYS }, "Table of the token that is followed"), h("table", { class: "uth-weights" }, caption, h("thead", {}, h("tr", {}, head)), body));
  function fillTable() {
    const n = Math.max(...sizes());
    cells = Array.from({ length: n }, (_, i) => { const parts = [h("td", {}, String(i)), h("th", { scope: "row" }, h("bdi", {})), h("td", { class: "uth-number" })]; return { line: h("tr", {}, parts), name: parts[1].firstChild, weight: parts[2] }; });
    body.replaceChildren(...cells.map((one) => one.line));
  }
  const sink = h("p", { class: "uth-sink" });

  // ---- Saving what is seen as a file, made here
  const sheet = (width, above) => {
    const arcs = get("view") === "arcs", { back, token } = now();
    const measure = arcs ? arcsSize : heatmapSize, paint = arcs ? drawArcs : drawHeatmap;
    const where = measure(labels, { room: width, numbers: get("numbers"), above });
    return { where, draw: (pen, lit = { token, back }, cell = null) => paint(pen, { ...labels, pattern, causal: got.causal, firstOut: get("without_first"), numbers: get("numbers"), lit, at: cell, theme }, where) };
  };
  const save = (kind) => {
    const { which } = now(), { where, draw: paint } = sheet(900, 52);
    const firstOut = get("without_first") ? `, ${firstOf(got)} taken out` : "", heading = `${got.model}, ${titled(got, which)}${firstOut}`;
    const [width, height] = [Math.max(where.width, wide(heading, 12) + 16), where.height + 8];
    const parts = [got.model, ...which.map((number, i) => `${["layer", "head"][i]}-${number ?? "mean"}`)];
    const name = `attention-${parts.join("-").replace(/[^\p{L}\p{N}.-]+/gu, "-")}.${kind}`;
    const all = (pen) => {
      pen.text(8, 16, heading, { size: 14, fill: theme.ink, bold: true, plain: true });
      pen.text(8, 38, shortened(got.text.replace(/\s+/g, " "), Math.floor((width - 16) / 7.5)), { size: 13, fill: theme.faint, plain: true });
      paint(pen);
    };
    const give = (blob) => {
      if (!blob) return say("The browser could not make the picture. Try the other kind.");
      const url = URL.createObjectURL(blob);
      h("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
      say(`Saved as ${name}.`);
    };
    if (kind === "svg") {
      const pen = svgPen(width, height, theme, sentence(), hindiIn([...labels.queries, ...labels.keys, got.text]) && hindiRule());
      all(pen);
      return give(new Blob([pen.done()], { type: "image/svg+xml" }));
    }
    const canvas = h("canvas", { width: 2 * width, height: 2 * height }), pen = canvas.getContext("2d");
    pen.scale(2, 2);
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, width, height);
    all(canvasPen(pen, theme));
    canvas.toBlob(give, "image/png");
  };

  const reader = h("div", { "data-answers": "model" }, row(box.node, names.length > 1 ? chooser.node : null), still);
  root.append(reader, h("div", { "data-answers": "browser" },
    row(layers.node, heads.node), row(views.node, ways.node, switches.map(([, one]) => one.node)),
    queryName, queryList.node, keyName, keyList.node, sink,
    h("div", { class: "uth-views" },
      h("section", { class: "uth-all" }, h("h4", {}, "All heads: layers down, heads across, counted from 0"), h("div", { class: "uth-stage" }, small, ring), h("div", { class: "uth-narrow" }, peek, help)),
      h("section", { class: "uth-one" }, title, scroll, hint, scale, reading, howto, factsName, facts.node)),
    details, row(button({ label: "save as PNG", onClick: () => save("png") }), button({ label: "save as SVG", onClick: () => save("svg") }))));

  // ---- Drawing
  const sentence = () => {
    const { which, token, back } = now();
    return describe(got, ...which, token, { back, firstOut: get("without_first") });
  };
  function sharp(canvas, width, height) {
    const dpr = Math.min(3, devicePixelRatio || 1), [w, t] = [Math.round(width * dpr), Math.round(height * dpr)];
    if (canvas.width !== w || canvas.height !== t) { canvas.width = w; canvas.height = t; canvas.style.width = `${width}px`; canvas.style.height = `${height}px`; }
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, w, t);
    pen.setTransform(w / width, 0, 0, t / height, 0, 0);
    return pen;
  }
  function paintSmall() {
    const beside = room >= BESIDE, across = beside ? Math.min(0.42 * room, 560) : room, dpr = Math.min(3, devicePixelRatio || 1);
    const most = Math.min((across - RIM - 2) / got.heads, (beside ? 840 : 500) / got.layers) - GAP;
    size.small = Math.floor(between(12, most, 92));
    const step = size.small + GAP, width = RIM + got.heads * step, height = RIM + got.layers * step;
    const pen = sharp(small, width, height), by = small.width / width;
    const firstOut = get("without_first");
    const weights = firstOut ? withoutFirst(got.weights, got.keys.length) : got.weights;
    const made = overview({ ...got, weights }, { size: Math.round(size.small * dpr), gap: Math.round(GAP * dpr), colours: theme.colours, hidden: theme.hiddenPixel, blank: theme.blank });
    const image = new ImageData(new Uint8ClampedArray(made.pixels.buffer), made.width, made.height);
    pen.putImageData(image, Math.round(RIM * by), Math.round(RIM * by));
    const write = canvasPen(pen, theme), each = Math.ceil(16 / step);
    for (let l = 0; l < got.layers; l += each) write.text(RIM - 6, RIM + l * step + size.small / 2, String(l), { size: 11, fill: theme.faint, anchor: "end", plain: true });
    for (let k = 0; k < got.heads; k += Math.ceil(18 / step)) write.text(RIM + k * step + size.small / 2, RIM - 10, String(k), { size: 11, fill: theme.faint, anchor: "middle", plain: true });
    small.setAttribute("aria-label", `All ${got.layers} x ${got.heads} heads of ${got.model}: layers down, heads across`);
    size.all = width;
  }
  const draw = onceAFrame(() => {
    if (!got || !room) return;
    theme ??= themeOf(el);
    if (stale) { paintSmall(); stale = false; }
    const { which, token, back } = now(), [l, k] = which, lit = pointed ?? { token, back, at }, step = size.small + GAP, firstOut = get("without_first");
    const key = `${l} ${k} ${firstOut}`;
    if (worked.got !== got || worked.key !== key) {
      const whole = chosen(got, l, k);
      pattern = firstOut ? withoutFirst(whole, got.keys.length) : whole;
      worked = { got, key };
    }
    for (const [name, value] of Object.entries({ left: RIM + (k ?? 0) * step, top: RIM + (l ?? 0) * step, width: k === null ? got.heads * step : step, height: l === null ? got.layers * step : step })) {
      ring.style.setProperty(name, `${value - (name === "left" || name === "top" ? GAP / 2 + 1 : -2)}px`);
    }
    const wideEnough = room >= BESIDE, there = Math.max(220, wideEnough ? room - Math.max(230, size.all) - 30 : room);
    const made = sheet(there, 0);
    Object.assign(size, { cell: 0, step: 0 }, made.where);
    const pen = sharp(large, size.width, size.height);
    made.draw(canvasPen(pen, theme), { token: lit.token, back: lit.back }, lit.at);
    const over = size.width > there + 1 && get("view") === "heatmap";
    hint.hidden = !over;
    fixed.hidden = !over;
    if (over) {
      const copy = sharp(fixed, size.left, size.height), by = large.width / size.width;
      copy.fillStyle = theme.paper;
      copy.fillRect(0, 0, size.left, size.height);
      copy.drawImage(large, 0, 0, size.left * by, large.height, 0, 0, size.left, size.height);
    }
    refresh(which, lit, firstOut);
  });
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  function refresh(which, lit, firstOut) {
    const across = got.keys.length, line = followed(pattern, across, lit.token, lit.back), [own, others] = lit.back ? [got.keys, got.queries] : [got.queries, got.keys];
    layers.set(now().layer);
    heads.set(now().head);
    ways.set(get("back") ? "back" : "");
    views.set(get("view"));
    switches.forEach(([name, one]) => one.set(get(name)));
    put(title, `${got.model}, ${titled(got, which)}${firstOut ? `, ${firstOf(got)} taken out` : ""}`);
    const told = looks(got, ...which, lit.token, { back: lit.back, firstOut });
    const named = (i) => (hasSides(got) ? `(${got.sides[i]}) ` : "");
    large.setAttribute("aria-label", `${get("view") === "arcs" ? "Arcs" : "Heatmap"}: queries ${named(0)}${plural(got.queries.length, "token")}, keys ${named(1)}${plural(across, "token")}`);
    if (lit.at !== null && lit.at !== undefined) {
      const [q, key] = lit.back ? [lit.at, lit.token] : [lit.token, lit.at], hidden = got.causal && key > q;
      put(reading, hidden ? `${quoted(got.queries, q)} can't see ${quoted(got.keys, key)}: it comes later.` : `${quoted(got.queries, q)} looks at ${quoted(got.keys, key)} with ${percent(pattern[q * across + key])} (${pattern[q * across + key].toFixed(4)}).`);
    } else put(reading, told + (lit.back ? "" : ` Entropy ${entropy(line).toFixed(2)} nats: as open as a choice among ${about(Math.exp(entropy(line)))} equal ones.`));
    queryList.update(got.own || lit.back ? line : null, lit.back && !got.own ? null : lit.token);
    if (!got.own) keyList.update(lit.back ? null : line, lit.back ? lit.token : null);
    const { first, previous, itself, entropy: spread } = habits(pattern, across, got.own), share = (x) => (Number.isNaN(x) ? "–" : percent(x));
    put(factsName, `On average over the queries${got.own ? ", the first one left out" : ""}:`);
    facts.set([share(first), share(previous), share(itself), Number.isNaN(spread) ? "–" : `${spread.toFixed(2)} nats`]);
    sink.hidden = !firstOut;
    put(sink, sinkOf(got));
    const grey = [got.causal && "hidden: no token looks ahead", firstOut && "taken out: the first column"].filter(Boolean).join("; ");
    put(scale.lastChild, grey);
    scale.lastChild.hidden = scale.children[1].hidden = !grey || get("view") === "arcs";
    if (details.open) {
      put(caption, lit.back ? `How much each query looks at ${quoted(own, lit.token)}` : `How much ${quoted(own, lit.token)} looks at each key`);
      cells.forEach(({ line: tr, name, weight }, i) => {
        tr.hidden = i >= others.length;
        if (!tr.hidden) { put(name, visible(others[i])); put(weight, percent(line[i])); }
      });
    }
    if (!pointed) {
      const all = sentence();
      if (!asking.waiting) say(lit.at === null ? all : reading.textContent);
      if (get("alt") !== all) model.set("alt", all);
    }
  }

  // ---- The room that there is, and the theme
  const watch = new ResizeObserver(() => {
    const w = Math.floor(root.clientWidth);
    if (!w || w === room) return;
    room = w;
    stale = true;
    draw();
  });
  watch.observe(root);
  const themes = new MutationObserver(() => { theme = null; stale = true; draw(); });
  for (const node of [document.body, document.documentElement]) themes.observe(node, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  take(get("reading"));
  if (get("problem")) complain(get("problem"));
  const ends = [
    ...["layer", "head", "average_layers", "average_heads", "token", "back", "view", "numbers"].map((name) => follow(model, name, draw)),
    follow(model, "without_first", () => { stale = true; draw(); }),
    follow(model, "reading", (other) => {
      if (asking.waiting) return; // taken when its answer is known to be the one
      if (other.text !== box.value) box.set(other.text);
      chooser.set(other.model);
      take(other);
    }),
  ];
  return () => { asking.stop(); clearTimeout(saving); draw.stop(); watch.disconnect(); themes.disconnect(); ends.forEach((end) => end()); };
}

/** "3.7", "12": how many, roughly. */
const about = (x) => (x < 9.95 ? x.toFixed(1) : count(Math.round(x)));

export default { initialize, render };
