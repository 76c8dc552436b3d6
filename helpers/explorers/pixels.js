// The pixel explorer: the learner draws the upper rows of a digit, the GPT of helpers/pixels.py goes on, in the browser.
// `Reader` is that GPT for many columns at a time, `complete` the twin of pixels.complete, `bits` of pixels.surprise.
import { bars, button, choice, choices, floats, follow, frame, h, initialize, kernelState, onceAFrame, percent, row, slider, still, tiles, toggle, written } from "./shared.js";
import { layer_norm, random, roll, temperature_softmax } from "./tinytown.js";

export const SIDE = 8, PIXELS = 64, LEVELS = 4, START = 4;
export const SHADES = ["paper", "light", "dark", "ink"];
const SAME = 1e-4; // bits a pixel by which two costs may differ and be the same: processors round differently
const KEPT = 16; // settings whose pictures are remembered
export const SEEDS = 4; // continuations that are seen at once
export const HIGHEST_SEED = 99;
const SAVE = 250; // ms of quiet after which Python is told
const PACE = 110; // ms a pixel while it plays
const NOBODY = -1; // told no digit

// ---- What is worked out: nothing here touches the page, and Node runs it ----------------------------------------

// Y = W x for each of `count` columns that follow each other in X. Two rows by four columns at a time, eight sums side by
// side: one after the other takes three times as long. So `count` must be a multiple of four; W has an even number of rows.
function linear(W, X, inside, outside, count, bias) {
  const Y = new Float64Array(count * outside);
  for (let column = 0; column < count; column += 4) {
    const a = column * inside, b = a + inside, c = b + inside, d = c + inside;
    for (let r = 0; r < outside; r += 2) {
      const top = r * inside, low = top + inside, e = bias ? bias[r] : 0, f = bias ? bias[r + 1] : 0;
      let p0 = e, p1 = e, p2 = e, p3 = e, q0 = f, q1 = f, q2 = f, q3 = f;
      for (let i = 0; i < inside; i++) {
        const v = W[top + i], w = W[low + i], x0 = X[a + i], x1 = X[b + i], x2 = X[c + i], x3 = X[d + i];
        p0 += v * x0; p1 += v * x1; p2 += v * x2; p3 += v * x3;
        q0 += w * x0; q1 += w * x1; q2 += w * x2; q3 += w * x3;
      }
      const at = column * outside + r;
      Y[at] = p0; Y[at + outside] = p1; Y[at + 2 * outside] = p2; Y[at + 3 * outside] = p3;
      Y[at + 1] = q0; Y[at + outside + 1] = q1; Y[at + 2 * outside + 1] = q2; Y[at + 3 * outside + 1] = q3;
    }
  }
  return Y;
}

const gelu = (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

export class Reader {
  // `sizes` names the weights in the order in which they follow each other: [name, how many numbers].
  constructor(config, sizes, weights) {
    this.config = config;
    this.weights = {};
    let at = 0;
    // 64 bits: sums of them are, and no number has to be turned into one again and again.
    for (const [name, size] of sizes) this.weights[name] = Float64Array.from(weights.subarray(at, (at += size)));
  }

  // What is remembered of one picture: the keys and values of each layer. Give an old one for a copy.
  memory(old = null) {
    const room = () => new Float64Array(PIXELS * this.config.d_model);
    return Array.from({ length: this.config.n_layers }, (_, layer) =>
      old ? { keys: old[layer].keys.slice(), values: old[layer].values.slice() } : { keys: room(), values: room() });
  }

  // The logits of the shades behind each column: a token at a position of a picture whose earlier positions are in
  // `memory`, or in the same call. [column][shade], as one row of numbers. `columns` are a multiple of four.
  read(columns) {
    const { n_layers, n_heads, d_model, norm_eps } = this.config, W = this.weights, count = columns.length;
    const d_head = d_model / n_heads, root = Math.sqrt(d_head);
    const norm = (X, name) => {
      const Y = new Float64Array(X.length);
      for (let at = 0; at < X.length; at += d_model) Y.set(layer_norm(X.subarray(at, at + d_model), W[`${name}.weight`], W[`${name}.bias`], norm_eps), at);
      return Y;
    };
    const apply = (X, name) => {
      const inside = X.length / count, weight = W[`${name}.weight`];
      return linear(weight, X, inside, weight.length / inside, count, W[`${name}.bias`]);
    };
    const add = (X, more) => { for (let i = 0; i < X.length; i++) X[i] += more[i]; };
    const X = new Float64Array(count * d_model);
    columns.forEach(({ token, position }, column) => {
      for (let i = 0; i < d_model; i++) X[column * d_model + i] = W["embedding.weight"][token * d_model + i] + W["position_embedding.weight"][position * d_model + i];
    });
    for (let layer = 0; layer < n_layers; layer++) {
      const block = `blocks.${layer}`, seen = norm(X, `${block}.attention_norm`);
      const [query, key, value] = ["query", "key", "value"].map((part) => apply(seen, `${block}.attention.${part}`));
      columns.forEach(({ memory, position }, column) => {
        const from = column * d_model, to = position * d_model;
        memory[layer].keys.set(key.subarray(from, from + d_model), to);
        memory[layer].values.set(value.subarray(from, from + d_model), to);
      });
      const mixed = new Float64Array(count * d_model);
      columns.forEach(({ memory, position }, column) => {
        const { keys, values } = memory[layer], scores = new Float64Array(position + 1);
        for (let head = 0; head < n_heads; head++) {
          const from = head * d_head, own = column * d_model + from;
          for (let place = 0; place <= position; place++) {
            let dot = 0;
            for (let i = 0, k = place * d_model + from; i < d_head; i++) dot += query[own + i] * keys[k + i];
            scores[place] = dot / root;
          }
          const looks = temperature_softmax(scores);
          for (let place = 0; place <= position; place++)
            for (let i = 0, v = place * d_model + from; i < d_head; i++) mixed[own + i] += looks[place] * values[v + i];
        }
      });
      add(X, apply(mixed, `${block}.attention.output`));
      add(X, apply(apply(norm(X, `${block}.mlp_norm`), `${block}.mlp.up`).map(gelu), `${block}.mlp.down`));
    }
    // The rows of the shades are the first of the table; other tokens never come behind the first.
    return linear(W["embedding.weight"].subarray(0, LEVELS * d_model), norm(X, "final_norm"), d_model, LEVELS, count);
  }
}

// The picture that `reader` makes of the upper `rows` of `drawing` (64 shades), with each of four seeds from `seed` on.
// `pictures` are the four; of the first also `logits` and, at this temperature, `dice`: four a pixel, given ones too.
export function complete(reader, drawing, { rows, temperature, seed, told }) {
  const given = rows * SIDE, first = told === NOBODY ? START : START + 1 + told;
  const tokenAt = (picture, position) => (position ? picture[position - 1] : first);
  const pictures = Array.from({ length: SEEDS }, () => Uint8Array.from(drawing, (level, i) => (i < given ? level : 0)));
  const logits = new Float64Array(PIXELS * LEVELS);
  const shared = reader.memory();
  // All that is given at once; its last token begins what is drawn, where each picture goes its own way.
  if (given) logits.set(reader.read(Array.from({ length: given }, (_, position) => ({ memory: shared, position, token: tokenAt(drawing, position) }))));
  const memories = pictures.map(() => reader.memory(shared));
  for (let pixel = given; pixel < PIXELS; pixel++) {
    const found = reader.read(pictures.map((picture, n) => ({ memory: memories[n], position: pixel, token: tokenAt(picture, pixel) })));
    logits.set(found.subarray(0, LEVELS), pixel * LEVELS);
    pictures.forEach((picture, n) => {
      picture[pixel] = roll(temperature_softmax(found.subarray(n * LEVELS, (n + 1) * LEVELS), temperature), random(seed + n, pixel));
    });
  }
  return { pictures, logits, dice: shares(logits, temperature) };
}

// Four shares a pixel.
export function shares(logits, temperature) {
  const dice = new Float64Array(logits.length);
  for (let at = 0; at < logits.length; at += LEVELS) dice.set(temperature_softmax(logits.subarray(at, at + LEVELS), temperature), at);
  return dice;
}

// How many bits each pixel came as a surprise, at temperature 1.
export function bits(logits, picture) {
  const odds = shares(logits, 1);
  return Float64Array.from(picture, (level, pixel) => Math.max(0, -Math.log2(odds[pixel * LEVELS + level])));
}

// The mean of a few of them; NaN for none.
export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// The sentence about what the given rows cost, beside the costs of the same rows of the test digits.
export function toldCost(cost, rows, costs) {
  if (!rows) return "No row is given: all that the model has is the token in front of the picture.";
  const cheaper = costs.reduce((sum, other) => sum + (other < cost - SAME), 0), all = costs.length;
  const than = cheaper === all ? `more than those of any of the ${all} test digits` : cheaper === 0 ? `less than those of any of the ${all} test digits` : `more than those of ${cheaper} of the ${all} test digits`;
  return `Your ${rows === 1 ? "row costs" : `${rows} rows cost`} ${written(cost, 2)} bits a pixel, ${than}.`;
}

// The sentences about what was drawn, and what is odd about it.
export function toldPictures(drawing, { rows, temperature, seed, told }, pictures) {
  const top = drawing.slice(0, rows * SIDE), all = (level) => top.length > 0 && top.every((one) => one === level);
  const lower = pictures.map((picture) => picture.join("")), different = new Set(lower).size;
  const odd = all(0) ? "An empty page: no picture that the model learned from begins with even one row of paper, so it has to guess from what it never saw."
    : all(LEVELS - 1) ? "All ink: no picture that the model learned from begins with even one row of ink, so it has to guess from what it never saw." : "";
  const rolled = temperature === 0 ? "Temperature 0: no dice. The likeliest shade is taken each time, and every seed draws this same picture."
    : `Seeds ${seed} to ${seed + SEEDS - 1} drew ${different === 1 ? "the same picture four times" : different === SEEDS ? "four different pictures" : `${different} different pictures`}.`;
  return [odd, told === NOBODY ? "" : `The model was told: a ${told}.`, rolled].filter(Boolean).join(" ");
}

// The sentence about one pixel: its dice, and how they fell.
export function toldPixel(pixel, { rows, temperature, seed }, picture, dice) {
  const level = picture[pixel], own = dice.subarray(pixel * LEVELS, (pixel + 1) * LEVELS);
  if (pixel < rows * SIDE)
    return `You gave ${SHADES[level]}. ${temperature === 0 ? `The likeliest was ${SHADES[own.indexOf(Math.max(...own))]}` : `The dice would have given it ${percent(own[level])}`}.`;
  if (temperature === 0) return `No dice at temperature 0: ${SHADES[level]} is the likeliest.`;
  let from = 0;
  for (let i = 0; i < level; i++) from += own[i];
  return `The roll is ${written(random(seed, pixel), 3)}: ${SHADES[level]} has the stretch from ${written(from, 3)} to ${written(from + own[level], 3)}.`;
}

// A picture for those who hear it: its rows from the top, a number from 0 (paper) to 3 (ink) for each pixel.
export const spelled = (picture, first = 0) =>
  Array.from({ length: SIDE - first }, (_, r) => `row ${first + r + 1}: ${picture.slice((first + r) * SIDE, (first + r + 1) * SIDE).join("")}`).join(", ");

// ---- The page ---------------------------------------------------------------------------------------------------

const place = (pixel) => `row ${Math.floor(pixel / SIDE) + 1}, column ${(pixel % SIDE) + 1}`;

function render({ model, el }) {
  const { root, told, say } = frame(el, "pixels");
  el.dataset.answers = "browser";
  const get = (name) => model.get(name);
  const reader = new Reader(get("config"), get("sizes"), floats(get("weights")));
  // [told no digit, told the digit][rows - 1], each as many as there are test digits
  const costs = floats(get("costs")), tested = costs.length / (2 * SIDE);
  const costsOf = ({ rows, told }) => costs.subarray(((told === NOBODY ? 0 : SIDE) + rows - 1) * tested).subarray(0, tested);
  const settings = () => ({ rows: get("rows"), temperature: get("temperature"), seed: get("seed"), told: get("told") });
  let drawing = Array.from(get("drawing"), Number), found = null, saving, playing;

  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };
  // Anything that makes another picture.
  const change = (values) => { found = null; stop(); set(values); };

  // ---- The drawing
  let cursor = 0, brush = LEVELS - 1;
  const cells = drawing.map((_, pixel) => h("span", { role: "gridcell", class: "uth-pixel", tabindex: pixel === cursor ? 0 : -1, "data-lm-suppress-shortcuts": "true" }));
  const rowOf = (r) => cells.slice(r * SIDE, (r + 1) * SIDE);
  const grid = h("div", { class: "uth-sheet uth-own", role: "grid", "aria-label": "Your drawing" }, Array.from({ length: SIDE }, (_, r) => h("div", { role: "row" }, rowOf(r))));
  const redrawn = (levels) => {
    drawing = levels;
    change({ drawing: levels.join("") });
    examples.set(String(get("examples").indexOf(levels.join(""))));
  };
  const paint = (pixel, level) => { if (drawing[pixel] !== level) redrawn(drawing.map((old, i) => (i === pixel ? level : old))); };
  const moveTo = (pixel) => {
    cells[cursor].tabIndex = -1;
    cursor = pixel;
    cells[cursor].tabIndex = 0;
    cells[cursor].focus({ preventScroll: true });
  };
  grid.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const r = Math.floor(cursor / SIDE), c = cursor % SIDE;
    const to = { ArrowRight: [r, c + 1], ArrowLeft: [r, c - 1], ArrowDown: [r + 1, c], ArrowUp: [r - 1, c], Home: [r, 0], End: [r, SIDE - 1] }[event.key];
    const level = event.key === " " || event.key === "Enter" ? brush : ["0", "1", "2", "3"].indexOf(event.key);
    if (!to && level < 0) return;
    event.preventDefault();
    event.stopPropagation();
    if (level >= 0) paint(cursor, level);
    else if (to.every((one) => one >= 0 && one < SIDE)) moveTo(to[0] * SIDE + to[1]);
  });
  const touched = (event) => cells.indexOf(document.elementFromPoint(event.clientX, event.clientY));
  grid.addEventListener("pointerdown", (event) => {
    const pixel = touched(event);
    if (pixel < 0 || event.button) return;
    event.preventDefault();
    moveTo(pixel);
    paint(pixel, brush);
    grid.setPointerCapture(event.pointerId);
  });
  grid.addEventListener("pointermove", (event) => {
    const pixel = grid.hasPointerCapture(event.pointerId) ? touched(event) : -1;
    if (pixel >= 0) paint(pixel, brush);
  });

  const inks = choices({ label: "Brush", options: SHADES.map((name, level) => [String(level), name]), value: String(brush), onChange: (level) => { brush = Number(level); showBrush(); } });
  const showBrush = () => { grid.dataset.brush = String(brush); };
  showBrush();
  const examples = choice({
    label: "Take a digit", value: "-1", options: [["-1", "your own"], ...get("examples").map((_, digit) => [String(digit), `a ${digit}`])],
    onChange: (digit) => { if (digit !== "-1") redrawn(Array.from(get("examples")[Number(digit)], Number)); else redrawn(drawing.map(() => 0)); },
  });

  // ---- Settings
  const rows = slider({ label: "Rows given", min: 0, max: SIDE - 1, value: get("rows"), onInput: (value) => change({ rows: value }) });
  const temperature = slider({ label: "Temperature", min: 0, max: 2, step: 0.1, value: get("temperature"), format: (value) => (value ? value.toFixed(1) : "0: greedy"), onInput: (value) => change({ temperature: value }) });
  const seed = slider({ label: "Seed", min: 0, max: HIGHEST_SEED, value: get("seed"), onInput: (value) => change({ seed: value }) });
  const digit = choice({ label: "Tell it the digit", value: String(get("told")), options: [[String(NOBODY), "no"], ...Array.from({ length: 10 }, (_, i) => [String(i), `a ${i}`])], onChange: (value) => change({ told: Number(value) }) });

  // ---- Watching
  const pixel = slider({ label: "Pixel", min: 1, max: PIXELS, value: get("pixel"), format: (n) => `${n} of ${PIXELS}`, onInput: (value) => { stop(); set({ pixel: value }); } });
  const hide = toggle({ label: "Hide what comes after it", value: get("hide"), onChange: (value) => { stop(); set({ hide: value }); } });
  const stop = () => { clearInterval(playing); playing = undefined; play.textContent = "Play"; };
  const play = button({ label: "Play", tip: "From the first pixel that is rolled to the last.", onClick: () => {
    if (playing) return stop();
    if (still()) {
      set({ pixel: PIXELS, hide: false });
      say("You asked for less motion: here is the whole picture. The pixel slider shows it step by step.");
      return;
    }
    set({ pixel: SIDE * get("rows") + 1, hide: true });
    play.textContent = "Stop";
    playing = setInterval(() => {
      if (get("pixel") < PIXELS) set({ pixel: get("pixel") + 1 });
      else { stop(); set({ hide: false }); }
    }, PACE);
  } });

  // ---- What is seen
  const sheet = (name) => {
    const all = Array.from({ length: PIXELS }, () => h("span", { class: "uth-pixel" }));
    const node = h("div", { class: `uth-sheet ${name}`, role: "img" }, Array.from({ length: SIDE }, (_, r) => h("div", {}, all.slice(r * SIDE, (r + 1) * SIDE))));
    return { node, all };
  };
  const made = sheet("uth-made"), costly = sheet("uth-costly");
  for (const one of [made, costly]) one.node.addEventListener("pointerdown", (event) => {
    const at = one.all.indexOf(event.target);
    if (at >= 0) { stop(); set({ pixel: at + 1 }); }
  });
  const title = h("h4", {}), about = h("p", {}), surprising = h("p", {});
  const stretch = SHADES.map((_, level) => h("span", { class: "uth-pixel", "data-level": level }));
  const pin = h("span", { class: "uth-pin" });
  const strip = h("div", { class: "uth-strip", "aria-hidden": "true" }, h("div", {}, stretch), pin);
  const odds = bars({ labels: SHADES, names: true, rows: "shade", longest: 1, series: [{ name: "probability", values: [0, 0, 0, 0], role: "probabilities" }] });
  const several = Array.from({ length: SEEDS }, (_, n) => {
    const canvas = h("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" }), name = h("span", {});
    // The first is the picture above: nothing to choose.
    const node = n === 0 ? h("span", { role: "img", class: "uth-button uth-above" }) : button({ label: "", onClick: () => change({ seed: get("seed") + n }) });
    node.append(canvas, name);
    return { node, canvas, name };
  });
  const facts = tiles(["bits a pixel, your rows", "the same rows of test digits", "bits a pixel, the model’s rows"]);
  const cost = h("p", {});
  root.append(
    row(examples.node, button({ label: "Clear", onClick: () => redrawn(drawing.map(() => 0)) }), button({ label: "Fill with ink", onClick: () => redrawn(drawing.map(() => LEVELS - 1)) }), inks.node),
    row(rows.node, temperature.node, seed.node, digit.node),
    h("div", { class: "uth-three" },
      h("section", { class: "uth-first" }, h("h4", {}, "Your drawing"), grid, h("p", { class: "uth-hint" }, "Draw with the mouse or a finger. Or go there with the arrow keys, and press Space, or 0 to 3. The line shows where your rows end.")),
      h("section", {}, h("h4", {}, "The picture"), made.node, h("p", { class: "uth-hint" }, "With a rim: drawn by the model.")),
      h("section", {}, h("h4", {}, "Surprise in bits"), costly.node, h("p", { class: "uth-hint" }, "Whole bits, from 1 on: what each pixel cost at temperature 1. Click a pixel to see its dice."))),
    told,
    row(pixel.node, play, hide.node),
    h("section", { class: "uth-die" }, title, odds.node, strip, about, surprising),
    facts.node, cost,
    h("section", { class: "uth-several" }, h("h4", {}, "The same rows, four seeds"), h("div", {}, several.map((one) => one.node))),
  );

  // ---- Drawing
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const mark = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };
  const inkOf = (level) => [250, 184, 104, 20][level];
  const small = (canvas, picture) => {
    const pen = canvas.getContext("2d"), image = pen.createImageData(SIDE, SIDE);
    picture.forEach((level, i) => image.data.set([inkOf(level), inkOf(level), inkOf(level), 255], 4 * i));
    pen.putImageData(image, 0, 0);
  };
  // Who goes to and fro between two settings waits once for each.
  const before = new Map();
  const pictured = (now) => {
    const key = JSON.stringify([drawing, now]);
    if (!before.has(key)) {
      const made = complete(reader, drawing, now);
      if (before.size === KEPT) before.delete(before.keys().next().value);
      before.set(key, { ...made, bits: bits(made.logits, made.pictures[0]) });
    }
    return before.get(key);
  };
  const drawPictures = (now) => {
    found = pictured(now);
    cells.forEach((cell, i) => {
      const given = i < now.rows * SIDE;
      mark(cell, "data-level", String(drawing[i]));
      mark(cell, "aria-label", `${place(i)}: ${SHADES[drawing[i]]}, ${drawing[i]} of 3${given ? "" : ", not given"}`);
      cell.classList.toggle("uth-left", !given);
    });
    [...grid.children].forEach((line, r) => line.classList.toggle("uth-last", r === now.rows - 1));
    several.forEach(({ node, canvas, name }, n) => {
      small(canvas, found.pictures[n]);
      put(name, `seed ${now.seed + n}`);
      mark(node, "aria-label", `seed ${now.seed + n}: ${spelled(found.pictures[n], now.rows)}`);
      node.disabled = now.seed + n > HIGHEST_SEED;
    });
    const given = found.bits.subarray(0, now.rows * SIDE), drawn = found.bits.subarray(now.rows * SIDE), own = mean(given);
    facts.set([now.rows ? written(own, 2) : "–", now.rows ? written(mean(costsOf(now)), 2) : "–", written(mean(drawn), 2)]);
    put(cost, toldCost(own, now.rows, costsOf(now)));
    say(toldPictures(drawing, now, found.pictures));
  };
  const draw = onceAFrame(() => {
    const now = settings();
    if (!found) drawPictures(now);
    const { pictures: [picture], dice, bits: each } = found, at = get("pixel") - 1, hidden = get("hide");
    made.all.forEach((cell, i) => {
      const unseen = hidden && i > at;
      mark(cell, "data-level", unseen ? "none" : String(picture[i]));
      cell.classList.toggle("uth-rolled", i >= now.rows * SIDE && !unseen);
      cell.classList.toggle("uth-here", i === at);
      const here = costly.all[i], whole = Math.round(each[i]);
      here.style.setProperty("--share", `${unseen ? 0 : Math.round(Math.min(100, 20 * each[i]))}%`);
      put(here, unseen || whole < 1 ? "" : String(whole));
      here.classList.toggle("uth-here", i === at);
    });
    mark(made.node, "aria-label", hidden ? `The picture up to pixel ${at + 1}` : `The picture. ${spelled(picture)}`);
    const most = each.indexOf(Math.max(...each));
    mark(costly.node, "aria-label", `Surprise of each pixel in bits; the largest is ${written(each[most], 1)}, at ${place(most)}`);
    put(title, `Pixel ${at + 1}: ${place(at)}`);
    const own = Array.from(dice.subarray(at * LEVELS, (at + 1) * LEVELS));
    odds.update({ series: [{ name: "probability", values: own, role: "probabilities" }], current: picture[at] });
    stretch.forEach((one, level) => { one.style.width = `${100 * own[level]}%`; });
    const rolled = at >= now.rows * SIDE && now.temperature > 0;
    pin.hidden = !rolled;
    if (rolled) pin.style.left = `${100 * random(now.seed, at)}%`;
    put(about, toldPixel(at, now, picture, dice));
    put(surprising, `Surprise at temperature 1: ${written(each[at], 2)} bits.`);
    if (pixel.value !== at + 1) pixel.set(at + 1);
    if (hide.value !== hidden) hide.set(hidden);
  });
  examples.set(String(get("examples").indexOf(get("drawing"))));
  draw();

  const again = () => { found = null; draw(); };
  const stops = [
    follow(model, "drawing", (levels) => { if (levels !== drawing.join("")) { drawing = Array.from(levels, Number); examples.set(String(get("examples").indexOf(levels))); again(); } }),
    follow(model, "rows", (value) => { rows.set(value); again(); }),
    follow(model, "temperature", (value) => { temperature.set(value); again(); }),
    follow(model, "seed", (value) => { seed.set(value); again(); }),
    follow(model, "told", (value) => { digit.set(String(value)); again(); }),
    follow(model, "pixel", () => draw()),
    follow(model, "hide", () => draw()),
  ];
  return () => { stop(); clearTimeout(saving); draw.stop(); stops.forEach((one) => one()); };
}

export default { initialize, render };
