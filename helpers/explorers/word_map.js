// The map explorer: thousands of words as points on a canvas. What word_map.py computes is here under the same names.
import {
  button, choices, count, floats, follow, frame as page, fresh, h, initialize, kernelState, octets, onceAFrame, plural, quoted, rounded, row, shorts, slider, still, svg, textBox, visible,
} from "./shared.js";

// ---- Nothing here touches the page, and Node runs it -------------------------------------------------------------

const SUGGESTED = 6, TOLD = 5, NONE = 255;
const ALL_NAMED = 150; // up to so many words, every one has its name beside it
const SPACING = 4200; // square pixels of the map for each name, where there are more words
const TRIES = 1500; // words that a place is looked for, the first in the list first

/** A word as a reader can see it: as it is, or with its white space and control characters made visible. */
export const written = (word) => (/^ | $/.test(word) || /[\p{C}\p{Z}]/u.test(word.replaceAll(" ", "")) ? visible(word) : word);

const keyOf = (word) => word.replace(/^ +| +$/g, "").toLowerCase();
const keysOf = new WeakMap(); // of each list of words: worked out once, not at every letter typed

/** The word that a query means, or null, and the first 6 others that begin with it. */
export function find(words, query) {
  const wanted = keyOf(query);
  if (!wanted) return { word: null, begins: [] };
  if (!keysOf.has(words)) keysOf.set(words, words.map(keyOf));
  const keys = keysOf.get(words);
  let word = words.indexOf(query);
  if (word < 0) word = keys.indexOf(wanted);
  const begins = [];
  for (let i = 0; i < keys.length && begins.length < SUGGESTED; i++) if (i !== word && keys[i].startsWith(wanted)) begins.push(i);
  return { word: word < 0 ? null : word, begins };
}

/** Places [word, 2] in the order of their x, so that the nearest of a place are found without looking at all. */
export function sorted(xy) {
  const order = Uint32Array.from({ length: xy.length / 2 }, (_, i) => i).sort((a, b) => xy[2 * a] - xy[2 * b]);
  return { xy, order, xs: Float64Array.from(order, (i) => xy[2 * i]) };
}

/** The k places nearest to (x, y), nearest first, as [number, squared distance]; `skip` is left out. */
export function nearest({ xy, order, xs }, x, y, k, skip = -1) {
  const found = [];
  const look = (at) => {
    const i = order[at], dx = xs[at] - x, dy = xy[2 * i + 1] - y, square = dx * dx + dy * dy;
    if (i === skip || (found.length === k && square >= found[k - 1][1])) return;
    let place = found.length === k ? k - 1 : found.length;
    while (place > 0 && found[place - 1][1] > square) { found[place] = found[place - 1]; place--; }
    found[place] = [i, square];
  };
  let right = 0, end = xs.length;
  while (right < end) { const middle = (right + end) >> 1; if (xs[middle] < x) right = middle + 1; else end = middle; }
  let left = right - 1;
  // Outwards to both sides, until even the difference in x is too much.
  for (;;) {
    const worst = found.length === k ? found[k - 1][1] : Infinity;
    const goLeft = left >= 0 && (xs[left] - x) ** 2 <= worst, goRight = right < xs.length && (xs[right] - x) ** 2 <= worst;
    if (!goLeft && !goRight) return found;
    if (goLeft) look(left--);
    if (goRight) look(right++);
  }
}

/** Which of a word's neighbours are also among its nearest on the map: fewer than k others are nearer. */
export function kept(map, ids, word) {
  const { xy } = map, k = ids.length, x = xy[2 * word], y = xy[2 * word + 1];
  const reach = nearest(map, x, y, k, word)[k - 1][1];
  return Array.from(ids, (i) => (xy[2 * i] - x) * (xy[2 * i] - x) + (xy[2 * i + 1] - y) * (xy[2 * i + 1] - y) <= reach);
}

/** How many of each word's neighbours are: `ids` of all words, one after the other. */
export function overlap(map, ids, k) {
  return Uint32Array.from({ length: map.xs.length }, (_, word) => kept(map, ids.subarray(k * word, k * word + k), word).filter(Boolean).length);
}

/** Where the neighbours were found, in words. */
export const space = (dimensions) => (dimensions === null ? "the full space" : `${count(dimensions)} dimensions`);

/** What a map keeps of a word's neighbours, in a sentence; with `word`, its own number too. */
export function measured(k, dimensions, mean, word = "", own = 0) {
  const told = `Of a word's ${k} nearest in ${space(dimensions)}, ${rounded(mean, 1)} are also among its ${k} nearest on this map, on average`;
  return word ? `${told}; of those of ${quoted(written(word))}, ${own}.` : `${told}.`;
}

/** What is shown, in a sentence: `WordMap.describe`. `near` are the chosen word's neighbours. */
export function describe({ words, names, frame, slides, chosen, near }) {
  const which = slides ? `${names[frame]}, one of ${names.length} from ${names[0]} to ${names.at(-1)}` : names[frame];
  const told = `Map of ${plural(words.length, "word")} (${which})`;
  if (!chosen) return `${told}. No word is chosen.`;
  const list = near.slice(0, TOLD).map((word) => quoted(written(word)));
  return list.length ? `${told}: ${quoted(written(chosen))} and its nearest ${list.join(", ")}.` : `${told}: ${quoted(written(chosen))} is ringed.`;
}

/** The middle and the size of places [word, 2]: { x, y, wide, high }. */
export function bounds(xy) {
  let left = Infinity, right = -Infinity, low = Infinity, top = -Infinity;
  for (let i = 0; i < xy.length; i += 2) {
    if (xy[i] < left) left = xy[i];
    if (xy[i] > right) right = xy[i];
    if (xy[i + 1] < low) low = xy[i + 1];
    if (xy[i + 1] > top) top = xy[i + 1];
  }
  return { x: (left + right) / 2, y: (low + top) / 2, wide: right - left, high: top - low };
}

/** Places as pixels around (0, 0) on a picture of `width` by `height`: both axes have one scale, and up is up. */
export function spread(xy, { x, y, wide, high }, width, height) {
  const scale = Math.min(Math.max(40, width - 110) / (wide || 1e-30), Math.max(40, height - 60) / (high || 1e-30));
  const by = Number.isFinite(scale) && (wide || high) ? scale : 1, at = new Float32Array(xy.length);
  for (let i = 0; i < xy.length; i += 2) {
    at[i] = (xy[i] - x) * by;
    at[i + 1] = (y - xy[i + 1]) * by;
  }
  return at;
}

// Where a name may stand: right, left, above, below its point, then between them; further away with a line to its point.
const WAYS = [[1, 0], [-1, 0], [0, -1], [0, 1], [0.8, -0.7], [0.8, 0.7], [-0.8, -0.7], [-0.8, 0.7]];
const FURTHER = [16, 30, 46, 64, 84]; // pixels

/**
 * Places for names beside their points, where no other name stands. `order` are numbers of points, the most wanted first;
 * `at(i)` gives [x, y, width, distance] in pixels. A point inside the picture (`size`) has its name inside. The first `must` may stand further away, with a line, and at the worst
 * over others; the rest finds room or is left out. Gives [[i, left, middle, whether a line leads to it], ...].
 */
export function place(order, at, { height, most, must = 0, tries = Infinity, size = [Infinity, Infinity] }) {
  const placed = [], taken = new Map(), CELL = 64, cell = (x) => Math.floor(x / CELL);
  let left, top, right, foot; // the box that is tried
  const put = ([x, y, width], [dx, dy], away) => {
    left = x + dx * away - (dx > 0 ? 0 : dx < 0 ? width : width / 2);
    top = y + dy * (away + height / 2) - height / 2;
    right = left + width;
    foot = top + height;
  };
  const free = ([x, y]) => {
    if (x >= 0 && y >= 0 && x <= size[0] && y <= size[1] && (left < 0 || top < 0 || right > size[0] || foot > size[1])) return false;
    for (let c = cell(left); c <= cell(right); c++) {
      for (let r = cell(top); r <= cell(foot); r++) {
        for (const box of taken.get(c * 65536 + r) ?? []) if (left < box[2] && box[0] < right && top < box[3] && box[1] < foot) return false;
      }
    }
    return true;
  };
  /** Whether there is room: 1 beside the point, 2 further away, 0 nowhere. */
  const room = (one, hard) => {
    for (let way = 0; way < (hard ? 8 : 4); way++) { put(one, WAYS[way], one[3]); if (free(one)) return 1; }
    if (hard) for (const more of FURTHER) for (const way of WAYS) { put(one, way, one[3] + more); if (free(one)) return 2; }
    return 0;
  };
  for (let n = 0; n < order.length && n < tries && placed.length < most; n++) {
    const one = at(order[n]), found = room(one, n < must);
    if (!found && n >= must) continue;
    if (!found) put(one, WAYS[0], one[3]);
    const box = [left, top, right, foot];
    for (let c = cell(left); c <= cell(right); c++)
      for (let r = cell(top); r <= cell(foot); r++) { const key = c * 65536 + r; taken.get(key)?.push(box) ?? taken.set(key, [box]); }
    placed.push([order[n], left, (top + foot) / 2, found === 2]);
  }
  return placed;
}

// Of each group: colour and shape, so that nothing is told by colour alone. GROUP_MARKS in word_map.py; a circle for the rest.
export const GROUP_ROLES = ["counts", "keys", "positions", "loss", "values", "truth", "tokens", "queries"];
const CIRCLE = "M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0Z";
export const SHAPES = [
  "M-.9-.9H.9V.9H-.9Z", "M0-1.2L1.15.9H-1.15Z", "M0-1.3L1.2 0 0 1.3-1.2 0Z", "M0 1.2L1.15-.9H-1.15Z", "M-.4-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4Z",
  "M-1.1-.6L-.6-1.1 0-.5.6-1.1 1.1-.6.5 0 1.1.6.6 1.1 0 .5-.6 1.1-1.1.6-.5 0Z", CIRCLE, "M0-1.5L.4-.4 1.5 0 .4.4 0 1.5-.4.4-1.5 0-.4-.4Z",
];

// ---- The page ----------------------------------------------------------------------------------------------------

const SAVE = 250; // ms of quiet after which Python is told
const MOST_ZOOM = 60, STEP = 1.5, PAN = 60; // times; times a key press; pixels a key press
const FONT = 12, LINE = 15; // pixels
const KEYS = { "data-lm-suppress-shortcuts": "true" }; // JupyterLab's command mode would take the keys away
const ease = (t) => 1 - (1 - t) ** 3;
const between = (low, x, high) => Math.min(high, Math.max(low, x));

/** Everything of the model that does not change, read once. */
function read(model) {
  const words = model.get("words"), n = words.length, names = model.get("names"), k = model.get("k");
  const all = floats(model.get("xy")), ids = shorts(model.get("neighbours")), cosines = floats(model.get("cosines")), slides = model.get("slider");
  const part = (list, f) => (list.length > n * k ? list.subarray(f * n * k, (f + 1) * n * k) : list);
  const whole = bounds(all);
  const frames = names.map((name, f) => {
    const xy = all.subarray(2 * n * f, 2 * n * (f + 1));
    let map, mean;
    return {
      name, xy, bounds: slides ? whole : bounds(xy), ids: part(ids, f), cosines: part(cosines, f),
      get map() { return (map ??= sorted(xy)); },
      get mean() { return (mean ??= overlap(this.map, this.ids, k).reduce((a, b) => a + b, 0) / n); },
    };
  });
  const number = new Map(words.map((word, i) => [word, i]));
  return { words, n, names, k, slides, frames, number, labels: words.map((word) => { const signs = Array.from(written(word)); return signs.length > 24 ? `${signs.slice(0, 23).join("")}…` : signs.join(""); }), groups: model.get("groups"), groupOf: octets(model.get("group_of")), dimensions: model.get("dimensions") };
}

/** The colours of the theme, and small pictures of the points in them. */
function palette(el) {
  const css = getComputedStyle(el), colour = (name) => css.getPropertyValue(`--uth-${name}`).trim();
  const [ink, faint, focus, tokens, edge] = ["ink", "faint", "focus", "tokens", "edge"].map(colour);
  // The paper may be given as the colour of JupyterLab's page: what it comes to is read from an element.
  const probe = h("span", { style: { background: "var(--uth-paper)" } });
  el.append(probe);
  const paper = getComputedStyle(probe).backgroundColor;
  probe.remove();
  const dot = h("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  dot.fillStyle = paper;
  dot.fillRect(0, 0, 1, 1);
  const blank = new Uint32Array(dot.getImageData(0, 0, 1, 1).data.buffer)[0]; // a pixel of paper
  const roles = GROUP_ROLES.map(colour), drawn = new Map();
  /** A point as a small picture, moved by `phase` 16ths (4 to the right, 4 down) of a pixel: { canvas, size, pixels }. */
  const sprite = (group, radius, dpr, grouped, phase = 0) => {
    const key = phase + 16 * (group + 256 * Math.round(4 * radius * dpr));
    if (drawn.has(key)) return drawn.get(key);
    const size = 2 * Math.ceil(1.6 * radius * dpr + 1.5), canvas = h("canvas", { width: size, height: size }), pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.setTransform(radius * dpr, 0, 0, radius * dpr, size / 2 + (phase & 3) / 4, size / 2 + (phase >> 2) / 4);
    const shape = new Path2D(group === NONE ? CIRCLE : SHAPES[group]);
    pen.fillStyle = group === NONE ? (grouped ? edge : tokens) : roles[group];
    pen.fill(shape);
    if (group !== NONE) { pen.lineWidth = 1 / radius; pen.strokeStyle = ink; pen.stroke(shape); }
    const one = { canvas, size, pixels: pen.getImageData(0, 0, size, size).data };
    drawn.set(key, one);
    return one;
  };
  return { ink, faint, focus, paper, blank, sprite, family: css.fontFamily };
}

function render({ model, el }) {
  const { root, say } = page(el, "word-map");
  el.dataset.answers = "browser";
  const data = read(model), { words, n, k, slides, frames, labels } = data;
  const small = n <= ALL_NAMED, base = small ? 5 : n <= 1500 ? 3.2 : 2.2;
  let frame = between(0, model.get("frame"), frames.length - 1), chosen = data.number.get(model.get("chosen")) ?? -1;
  let pointed = -1, byKeys = false, outward = 0; // the word under the pointer, or nearest to the middle and how many nearer ones were passed
  let width = 0, height = 0, dpr = 1, theme = null;
  let at = new Float32Array(2 * n); // where the points are now, in pixels around (0, 0) at zoom 1
  let view = { x: 0, y: 0, zoom: 1 };
  let glide = null, flight = null; // points on their way to another map, the view on its way to another place
  let playing = null, saving = null, stale = true;

  // ---- Controls
  const box = textBox({ label: "find a word", placeholder: labels[Math.min(n - 1, chosen >= 0 ? chosen : 0)], value: chosen >= 0 ? words[chosen] : "", most: 200, onInput: search, onEnter: search });
  box.input.addEventListener("focus", () => box.input.select());
  const hints = h("div", { class: "uth-hints" }), hintless = () => hints.replaceChildren(h("span", {}, `${plural(n, "word")} ${n === 1 ? "is" : "are"} on this map.`));
  hintless();
  const knob = slides
    ? slider({ label: model.get("frame_label"), min: 0, max: frames.length - 1, value: frame, format: (f) => frames[f].name, onInput: (f) => { stop(); show(f); } })
    : frames.length > 1 ? choices({ label: model.get("frame_label"), options: frames.map((one, f) => [String(f), one.name]), value: String(frame), onChange: (f) => show(Number(f)) }) : null;
  // Nothing moves by itself for readers who asked for less motion: the slider does the same.
  const play = slides && !still() ? button({ label: "play", onClick: () => (playing ? stop() : start()) }) : null;

  const help = h("p", { class: "uth-keys", id: fresh() }, "Drag or use the arrow keys to move; + and − zoom, and so does the wheel with Ctrl or after a click on the map; 0 shows all. A click chooses a word; by keyboard, n goes to the next word around the middle, Enter chooses it, Escape lets go.");
  const canvas = h("canvas", { class: "uth-map", role: "application", tabindex: "0", "aria-describedby": help.id, "aria-roledescription": "map", ...KEYS });
  const zoomed = h("span", { class: "uth-zoomed" });
  const tools = h("div", { class: "uth-tools" }, zoomed,
    button({ label: "+", name: "zoom in", onClick: () => zoom(STEP) }), button({ label: "−", name: "zoom out", onClick: () => zoom(1 / STEP) }),
    button({ label: "show all", onClick: home }));
  const stage = h("div", { class: "uth-stage" }, canvas);
  const legend = data.groups.length ? h("div", { class: "uth-legend", role: "list", "aria-label": "groups" }, data.groups.map((name, g) => h("span", { role: "listitem" }, mark(g), ` ${name}`)), data.groupOf.includes(NONE) && h("span", { role: "listitem" }, mark(NONE), " all others")) : null;
  const near = neighbourTable();
  const note = k ? h("p", { class: "uth-measured" }) : null;
  root.append(row(box.node, hints), row(knob?.node, play, tools), h("div", { class: "uth-beside" }, h("div", { class: "uth-left" }, stage, legend), near?.node), ...(note ? [note] : []), help);

  function mark(g) {
    return svg("svg", { class: "uth-mark", viewBox: "-1.7 -1.7 3.4 3.4", "aria-hidden": "true" }, svg("path", { d: g === NONE ? CIRCLE : SHAPES[g], style: { fill: `var(--uth-${g === NONE ? "edge" : GROUP_ROLES[g]})`, stroke: g === NONE ? "none" : "var(--uth-ink)", "stroke-width": "0.2" } }));
  }

  /** The neighbours as a table with a button each; its rows stay, so that the focus stays too. */
  function neighbourTable() {
    if (!k) return null;
    const has = frames[0].cosines.length > 0, caption = h("caption", {});
    const rows = Array.from({ length: k }, () => {
      const name = h("bdi", {}), press = h("button", { type: "button", class: "uth-button uth-quiet", ...KEYS }, name);
      const cosine = h("td", { class: "uth-number" }), here = h("td", {});
      const line = h("tr", {}, h("th", { scope: "row" }, press), has ? cosine : null, here);
      press.addEventListener("click", () => choose(Number(press.dataset.word)));
      return { line, name, press, cosine, here };
    });
    const table = h("table", { class: "uth-near" }, caption, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "word"), has ? h("th", { scope: "col", class: "uth-number" }, "cosine") : null, h("th", { scope: "col" }, "near here too"))), h("tbody", {}, rows.map((one) => one.line)));
    const none = h("p", { class: "uth-none" }, "Choose a word: type one above, or click one on the map. Its nearest stand here.");
    const node = h("div", { class: "uth-list" }, none, table);
    const update = (word) => {
      none.hidden = word >= 0;
      table.hidden = word < 0;
      if (word < 0) return;
      const ids = idsOf(word), { cosines, map } = frames[frame], also = kept(map, ids, word);
      caption.replaceChildren("Nearest to ", h("b", {}, h("bdi", {}, labels[word])), ` in ${space(data.dimensions)}`);
      rows.forEach(({ name, press, cosine, here }, i) => {
        name.textContent = labels[ids[i]];
        press.dataset.word = ids[i];
        if (has) cosine.textContent = rounded(cosines[word * k + i], 2);
        here.textContent = also[i] ? "✓ yes" : "no";
      });
    };
    return { node, update };
  }

  const idsOf = (word) => frames[frame].ids.subarray(word * k, word * k + k);
  const nearWords = (word) => (k && word >= 0 ? Array.from(idsOf(word), (i) => words[i]) : []);
  const sentence = () => describe({ words, names: data.names, frame, slides, chosen: chosen >= 0 ? words[chosen] : "", near: nearWords(chosen) });

  // ---- What the learner does
  function search(text) {
    if (!text.trim()) { hintless(); return choose(-1, { typed: true }); }
    const found = find(words, text);
    const lead = found.word !== null && found.begins.length ? "Also:" : found.begins.length ? "Words that begin so:" : "";
    hints.replaceChildren(...(lead ? [h("span", {}, lead), ...found.begins.map((i) => button({ label: h("bdi", {}, labels[i]), onClick: () => { choose(i); box.input.focus(); } }))] : []));
    if (found.word !== null) choose(found.word, { typed: true });
    else if (!found.begins.length) box.complain(`No word on this map is ${quoted(text)} or begins with it; try fewer letters.`);
  }
  function choose(word, { typed = false, travels = true } = {}) {
    if (!typed) { box.set(word < 0 ? "" : words[word]); hintless(); }
    if (word !== chosen) { chosen = word; stale = true; }
    if (word >= 0 && travels && !(small && view.zoom === 1)) {
      const to = glide ? glide.to : at, x = to[2 * word], y = to[2 * word + 1];
      // Near enough to tell its neighbours apart: half of them at least some 90 pixels away.
      const away = k ? Array.from(idsOf(word), (i) => Math.hypot(to[2 * i] - x, to[2 * i + 1] - y)).sort((a, b) => a - b)[k >> 1] : 0;
      fly({ x, y, zoom: n > 500 ? Math.max(view.zoom, between(3, away ? 90 / away : 3, 12)) : view.zoom });
    }
    draw();
  }
  function show(to) {
    to = between(0, to, frames.length - 1);
    if (to === frame) return;
    frame = to;
    stale = true;
    outward = 0;
    pointed = -1;
    knob?.set(slides ? to : String(to));
    const target = spread(frames[to].xy, frames[to].bounds, width, height);
    if (still()) { at = target; glide = null; }
    else glide = { from: at.slice(), to: target, start: performance.now(), ms: playing ? pace() : slides ? 200 : 700, ease: playing ? (t) => t : ease };
    if (view.zoom > 1 && !slides) fly(chosen >= 0 ? { x: target[2 * chosen], y: target[2 * chosen + 1], zoom: view.zoom } : { x: 0, y: 0, zoom: 1 }, 700);
    draw();
  }
  const pace = () => between(150, 12000 / frames.length, 900);
  const stopByKey = (event) => { if (!(play.contains(event.target) && ["Enter", " "].includes(event.key))) stop(); }; // the button stops by itself
  function stop() {
    clearInterval(playing);
    playing = null;
    document.removeEventListener("keydown", stopByKey, true);
    if (play) play.textContent = "play";
  }
  function start() {
    if (frame === frames.length - 1) show(0);
    const next = () => (frame < frames.length - 1 ? show(frame + 1) : stop());
    playing = setInterval(next, pace());
    document.addEventListener("keydown", stopByKey, true);
    play.textContent = "stop";
    next();
  }

  // ---- The view: what is at (x, y) of the map stands in the middle of the picture
  const settle = (to) => {
    const zoom = between(1, to.zoom, MOST_ZOOM), room = [width / 2, height / 2];
    return { x: between(-room[0], to.x, room[0]), y: between(-room[1], to.y, room[1]), zoom };
  };
  function fly(to, ms = 350) {
    to = settle(to);
    if (still() || !width) { view = to; flight = null; }
    else flight = { from: view, to, start: performance.now(), ms };
    draw();
  }
  function move(dx, dy) {
    flight = null;
    view = settle({ ...view, x: view.x + dx / view.zoom, y: view.y + dy / view.zoom });
    draw();
  }
  /** Zooms around a point of the picture, in pixels from its middle, which stays where it is. */
  function zoom(by, x = 0, y = 0) {
    const from = flight?.to ?? view, to = between(1, from.zoom * by, MOST_ZOOM);
    const next = to === 1 ? { x: 0, y: 0, zoom: 1 } : { x: from.x + x / from.zoom - x / to, y: from.y + y / from.zoom - y / to, zoom: to };
    if (to === from.zoom) say(to === 1 ? "The whole map is shown." : `It can't be drawn larger than ${MOST_ZOOM} times.`);
    flight = null;
    view = settle(next);
    draw();
  }
  function home() { fly({ x: 0, y: 0, zoom: 1 }); say("The whole map is shown."); }

  /** The numbers of the `most` words nearest to a point of the picture (pixels from its middle), with their distance in pixels. */
  function around(x, y, most) {
    if (glide) return [];
    const { map, bounds: middle, xy } = frames[frame];
    // From pixels back to the map's own numbers: by how much, any two places tell.
    const by = scaleOf(frames[frame]);
    const found = nearest(map, middle.x + (view.x + x / view.zoom) / by, middle.y - (view.y + y / view.zoom) / by, Math.min(most, xy.length / 2));
    return found.map(([i, square]) => [i, Math.sqrt(square) * by * view.zoom]);
  }
  const scaleOf = ({ bounds: { x, y } }) => spread(Float64Array.of(x + 1, y), frames[frame].bounds, width, height)[0];

  function point(word, keys) {
    byKeys = keys;
    if (word === pointed) return draw();
    pointed = word;
    canvas.style.cursor = word >= 0 && !keys ? "pointer" : "";
    if (keys && word >= 0) {
      const close = nearWords(word).slice(0, TOLD).map((one) => quoted(written(one)));
      say(`In the middle: ${quoted(written(words[word]))}${close.length ? `, nearest ${close.join(", ")}` : ""}. Enter chooses it.`);
    }
    if (chosen < 0) stale = true;
    draw();
  }
  function pointMiddle(step = 0) {
    outward = step ? between(0, outward + step, n - 1) : 0;
    const found = around(0, 0, outward + 1);
    point(found.length ? found.at(-1)[0] : -1, true);
  }

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const ways = { ArrowLeft: [-PAN, 0], ArrowRight: [PAN, 0], ArrowUp: [0, -PAN], ArrowDown: [0, PAN] };
    const key = event.key;
    if (ways[key]) { move(...ways[key]); pointMiddle(); }
    else if (key === "+" || key === "=") { zoom(STEP); pointMiddle(); }
    else if (key === "-" || key === "_" || key === "−") { zoom(1 / STEP); pointMiddle(); }
    else if (key === "0" || key === "Home") { home(); pointMiddle(); }
    else if (key === "n") pointMiddle(1);
    else if (key === "p" || key === "N") pointMiddle(-1);
    else if (key === "Enter" || key === " ") { if (pointed >= 0) choose(pointed, { travels: false }); }
    else if (key === "Escape") { if (pointed >= 0) point(-1, false); else choose(-1); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) pointMiddle(); });
  canvas.addEventListener("blur", () => point(-1, false));

  const fingers = new Map(); // pointers that are down: where each was last
  let dragged = 0;
  const spot = (event) => { const there = canvas.getBoundingClientRect(); return [event.clientX - there.left - width / 2, event.clientY - there.top - height / 2]; };
  const under = (event) => {
    const [hit] = around(...spot(event), 1);
    return hit && hit[1] <= (event.pointerType === "touch" ? 24 : 12) ? hit[0] : -1;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, spot(event));
    dragged = fingers.size > 1 ? Infinity : 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const here = spot(event), before = fingers.get(event.pointerId);
    if (!before) return point(under(event), false);
    dragged += Math.hypot(here[0] - before[0], here[1] - before[1]);
    if (dragged < 4) return;
    canvas.classList.add("uth-held");
    if (fingers.size === 2) {
      const [other] = [...fingers].find(([id]) => id !== event.pointerId).slice(1);
      const from = Math.hypot(before[0] - other[0], before[1] - other[1]), to = Math.hypot(here[0] - other[0], here[1] - other[1]);
      if (from && to) zoom(to / from, (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
    }
    move((before[0] - here[0]) / fingers.size, (before[1] - here[1]) / fingers.size);
    fingers.set(event.pointerId, here);
  });
  const lift = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    canvas.classList.remove("uth-held");
    if (event.type === "pointerup" && dragged < 4) {
      const word = under(event);
      if (word >= 0) choose(word, { travels: false });
    }
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", () => { if (!byKeys) point(-1, false); });
  canvas.addEventListener("wheel", (event) => {
    // The page's own scrolling is left alone, unless the learner has turned to the map.
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoom(Math.exp(between(-0.5, -event.deltaY * (event.deltaMode === 1 ? 0.05 : event.ctrlKey ? 0.008 : 0.002), 0.5)), ...spot(event));
  }, { passive: false });

  // ---- The picture
  const widths = new Map();
  let image = null; // the pixels of the points
  const widthOf = (pen, i) => {
    let w = widths.get(i);
    if (w === undefined) widths.set(i, (w = pen.measureText(labels[i]).width));
    return w;
  };
  const xs = new Float32Array(n), ys = new Float32Array(n), EDGE = 120; // pixels outside: names don't come and go at the border
  const grouped = data.groups.length > 0;
  const isSeen = (i) => xs[i] > -EDGE && xs[i] < width + EDGE && ys[i] > -EDGE && ys[i] < height + EDGE;

  function advance(now) {
    if (glide) {
      const t = between(0, (now - glide.start) / glide.ms, 1), f = glide.ease(t), { from, to } = glide;
      if (t === 1) { at = to; glide = null; }
      else for (let i = 0; i < at.length; i++) at[i] = from[i] + (to[i] - from[i]) * f;
    }
    if (flight) {
      const t = between(0, (now - flight.start) / flight.ms, 1), f = ease(t), { from, to } = flight;
      // Zoom by equal factors in equal times; the place so that what is flown to comes in a straight line.
      const z = from.zoom * (to.zoom / from.zoom) ** f, share = to.zoom === from.zoom ? f : (1 / from.zoom - 1 / z) / (1 / from.zoom - 1 / to.zoom);
      view = t === 1 ? to : { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share, zoom: z };
      if (t === 1) flight = null;
    }
  }

  function paint() {
    const pen = canvas.getContext("2d", { alpha: false, willReadFrequently: true }); // a processor's canvas: pixels are put into it
    const lit = pointed >= 0 ? pointed : chosen, radius = Math.round(2 * Math.min(2.6 * base, base * view.zoom ** 0.3)) / 2;
    const left = width / 2 - view.x * view.zoom, top = height / 2 - view.y * view.zoom;
    const seen = [];
    for (let i = 0; i < n; i++) {
      xs[i] = left + at[2 * i] * view.zoom;
      ys[i] = top + at[2 * i + 1] * view.zoom;
      if (isSeen(i)) seen.push(i);
    }
    dust(pen, seen, radius);
    const dot = (i, r) => {
      const { canvas: drawn, size } = theme.sprite(data.groupOf[i], r, dpr, grouped), s = size / dpr;
      pen.drawImage(drawn, xs[i] - s / 2, ys[i] - s / 2, s, s);
    };
    if (slides && chosen >= 0) trail(pen, left, top);
    const near = lit >= 0 && k ? Array.from(idsOf(lit)) : [];
    const line = (to, dashed) => { pen.setLineDash(dashed ? [4, 3] : []); pen.beginPath(); pen.moveTo(xs[lit], ys[lit]); pen.lineTo(xs[to], ys[to]); pen.stroke(); };
    pen.strokeStyle = theme.ink;
    pen.lineWidth = 1;
    near.forEach((i) => line(i, lit !== chosen));
    pen.setLineDash([]);
    near.forEach((i) => { dot(i, Math.max(radius, 3)); ring(pen, i, Math.max(radius, 3) + 1.5, 1.2, theme.ink); });
    for (const i of new Set([chosen, lit])) if (i >= 0) { dot(i, Math.max(radius, 5)); ring(pen, i, 9, i === chosen ? 3 : 1.8, theme.focus); }
    names(pen, seen, lit, near, radius);
    if (byKeys && document.activeElement === canvas) {
      pen.strokeStyle = theme.ink;
      pen.lineWidth = 1;
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { pen.moveTo(width / 2 + 5 * dx, height / 2 + 5 * dy); pen.lineTo(width / 2 + 12 * dx, height / 2 + 12 * dy); }
      pen.stroke();
    }
  }
  /** All points on fresh paper, those of groups on top: mixed pixel by pixel, ten times as fast as a picture for each. */
  function dust(pen, seen, radius) {
    const across = canvas.width, down = canvas.height;
    if (image?.width !== across || image.height !== down) image = pen.createImageData(across, down);
    const to = image.data;
    new Uint32Array(to.buffer).fill(theme.blank);
    const faded = small ? 1 : chosen >= 0 ? 0.45 : 0.7;
    const mix = (i, r, share) => {
      const x = xs[i] * dpr, y = ys[i] * dpr, x0 = Math.floor(x), y0 = Math.floor(y), phase = Math.floor(4 * (x - x0)) + 4 * Math.floor(4 * (y - y0));
      const { size, pixels } = theme.sprite(data.groupOf[i], r, dpr, grouped, phase), left = x0 - size / 2, top = y0 - size / 2;
      if (left < 0 || top < 0 || left + size > across || top + size > down) return cut.push([i, r, share]);
      for (let row = 0, from = 0; row < size; row++) {
        for (let column = 0, p = 4 * ((top + row) * across + left); column < size; column++, p += 4, from += 4) {
          if (!pixels[from + 3]) continue;
          const much = (pixels[from + 3] / 255) * share;
          to[p] += (pixels[from] - to[p]) * much;
          to[p + 1] += (pixels[from + 1] - to[p + 1]) * much;
          to[p + 2] += (pixels[from + 2] - to[p + 2]) * much;
        }
      }
    };
    const cut = []; // those that the border cuts
    for (const i of seen) if (data.groupOf[i] === NONE) mix(i, radius, faded);
    if (grouped) for (const i of seen) if (data.groupOf[i] !== NONE) mix(i, Math.max(radius, 4), Math.min(1, faded + 0.3));
    pen.putImageData(image, 0, 0);
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    for (const [i, r, share] of cut) {
      const { canvas: drawn, size } = theme.sprite(data.groupOf[i], r, dpr, grouped), s = size / dpr;
      pen.globalAlpha = share;
      pen.drawImage(drawn, xs[i] - s / 2, ys[i] - s / 2, s, s);
    }
    pen.globalAlpha = 1;
  }
  function ring(pen, i, r, thick, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.beginPath();
    pen.arc(xs[i], ys[i], r, 0, 2 * Math.PI);
    pen.stroke();
  }
  /** The way that the chosen word has come along the maps before this one. */
  function trail(pen, left, top) {
    pen.strokeStyle = theme.focus;
    pen.lineWidth = 1.5;
    pen.setLineDash([2, 3]);
    pen.beginPath();
    for (let f = 0; f < frame; f++) { const [x, y] = spreadOf(f, chosen); pen.lineTo(left + x * view.zoom, top + y * view.zoom); }
    pen.lineTo(xs[chosen], ys[chosen]);
    pen.stroke();
    pen.setLineDash([]);
  }
  const spreadOf = (f, word) => spread(frames[f].xy.subarray(2 * word, 2 * word + 2), frames[f].bounds, width, height);
  /** A thin line from a point to its name, where that had to stand further away. */
  function leader(pen, i, x, y) {
    pen.save();
    pen.strokeStyle = theme.faint;
    pen.lineWidth = 0.8;
    pen.beginPath();
    pen.moveTo(xs[i], ys[i]);
    pen.lineTo(between(x, xs[i], x + widthOf(pen, i)), between(y - LINE / 2, ys[i], y + LINE / 2));
    pen.stroke();
    pen.restore();
  }
  function names(pen, seen, lit, near, radius) {
    pen.font = `${FONT}px ${theme.family}`;
    pen.textBaseline = "middle";
    const known = new Set([lit, chosen, ...near]), first = [...known].filter((i) => i >= 0 && isSeen(i));
    const order = first.concat(seen.filter((i) => !known.has(i)));
    const bold = (i) => i === lit || i === chosen;
    const away = (i) => (bold(i) ? 12 : known.has(i) ? Math.max(radius, 4) + 5 : radius + 3);
    const placed = place(order, (i) => [xs[i], ys[i], widthOf(pen, i) * (bold(i) ? 1.1 : 1) + 2, away(i)], {
      height: LINE, most: small ? n : Math.round((width * height) / SPACING) + first.length, must: small ? n : first.length, tries: small ? n : TRIES, size: [width, height],
    });
    pen.lineJoin = "round";
    pen.strokeStyle = theme.paper;
    pen.lineWidth = 3;
    for (let p = placed.length - 1; p >= 0; p--) { // the most wanted last, on top of all others
      const [i, x, y, far] = placed[p];
      if (x > width || y < -LINE || y > height + LINE) continue;
      if (far) leader(pen, i, x, y);
      pen.font = `${bold(i) ? "bold " : ""}${FONT}px ${theme.family}`;
      pen.fillStyle = first.length && !known.has(i) && !small ? theme.faint : theme.ink;
      pen.strokeText(labels[i], x + 1, y);
      pen.fillText(labels[i], x + 1, y);
    }
  }
  const draw = onceAFrame(() => {
    if (!width) return;
    advance(performance.now());
    paint();
    const moving = Boolean(glide || flight);
    if (stale) refresh();
    const times = `${rounded((flight?.to ?? view).zoom, 1)}×`; // where it flies to: written at once
    if (zoomed.textContent !== times) zoomed.textContent = times;
    if (moving) { root.setAttribute("aria-busy", "true"); draw(); }
    else root.removeAttribute("aria-busy");
  });

  /** All that is written around the picture, when another word or map is shown. */
  function refresh() {
    stale = false;
    near?.update(chosen >= 0 ? chosen : pointed);
    if (note) note.textContent = `Near on a map is not always near. ${measured(k, data.dimensions, frames[frame].mean, chosen >= 0 ? words[chosen] : "", chosen >= 0 ? kept(frames[frame].map, idsOf(chosen), chosen).filter(Boolean).length : 0)}`;
    canvas.setAttribute("aria-label", `Map of ${plural(n, "word")} (${frames[frame].name})`);
    const told = sentence(), now = chosen >= 0 ? words[chosen] : "";
    if (pointed < 0) say(told);
    if (model.get("chosen") === now && model.get("frame") === frame) return;
    model.set("chosen", now);
    model.set("frame", frame);
    model.set("alt", told);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; everything works on.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
  }

  // ---- The room that there is, and the theme
  const room = new ResizeObserver(() => {
    const w = Math.floor(stage.clientWidth), tall = Math.round(between(280, w * 0.72, 560)), sharp = Math.min(2, devicePixelRatio || 1);
    if (!w || (w === width && tall === height && sharp === dpr)) return;
    [width, height, dpr] = [w, tall, sharp];
    canvas.width = w * dpr;
    canvas.height = tall * dpr;
    canvas.style.height = `${tall}px`;
    at = spread(frames[frame].xy, frames[frame].bounds, width, height);
    [glide, flight, view] = [null, null, settle(view)];
    theme ??= palette(el);
    draw();
  });
  room.observe(stage);
  const retheme = () => { theme = palette(el); widths.clear(); draw(); };
  const themes = new MutationObserver(retheme);
  for (const node of [document.body, document.documentElement]) themes.observe(node, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  const ends = [
    follow(model, "chosen", (word) => { const i = data.number.get(word) ?? -1; if (i !== chosen) choose(i); }),
    follow(model, "frame", (f) => { if (f !== frame) { stop(); show(f); } }),
  ];
  return () => { stop(); clearTimeout(saving); draw.stop(); room.disconnect(); themes.disconnect(); ends.forEach((end) => end()); };
}

export default { initialize, render };
