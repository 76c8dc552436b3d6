// The sampling explorer: the kernel sends the logits of a whole vocabulary; all that becomes of them is worked out here.
// What sampling.py computes is here under the same names.
import {
  asker, button, chips, count, floats, follow, frame, fresh, h, initialize, kernelState, named, number, onceAFrame, percent, plural, quoted, row, rounded, slider, svg, textBox, written,
} from "./shared.js";
import { random } from "./tinytown.js";

// ---- Numbers: the same as in Python. Nothing here touches the page, and Node runs it --------------------------------

export const SHOWN = 12, TOLD = 5, VIEW = 50, DRAWS = 1000, ENOUGH = 5, OUTSIDE = 0.04550026389635842, NOTHING = 1e-9;
export const STEPS = ["softmax", "repetition penalty", "temperature", "top-k", "top-p", "min-p"];
/** Settings that change nothing. */
export const OFF = { temperature: 1, top_k: Infinity, top_p: 1, min_p: 0, repetition_penalty: 1 };

/** The ids of the tokens, the highest logit first; of those that tie, the lower id first. */
export function byLogit(logits) {
  // Numbers sort far quicker than pairs: the bits of a float, turned so that they count downwards, in front of the id.
  const n = logits.length, bits = new Uint32Array(Float32Array.from(logits, (logit) => logit + 0).buffer); // -0 becomes 0
  const keys = Float64Array.from(bits, (b, id) => ((b & 0x80000000 ? b : ~(b | 0x80000000)) >>> 0) * n + id).sort();
  return Uint32Array.from(keys, (key) => key % n);
}

/** Tokens in an order, with what is worked out of their scores; room that is used again and again. */
class Table {
  constructor(n) {
    this.order = new Uint32Array(n); // ids, best first
    this.scores = new Float64Array(n); // in that order, as all that follows
    this.weights = new Float64Array(n); // exp((score - best) / temperature)
    this.sums = new Float64Array(n); // of the weights so far
    this.spread = new Float64Array(n); // of weight * log(weight) so far, for the entropy
  }

  heat(temperature, scores = this.scores) {
    const { weights, sums, spread } = this, best = scores[0];
    let sum = 0, all = 0;
    for (let r = 0; r < scores.length; r++) {
      const below = scores[r] - best, log = below === 0 ? 0 : below === -Infinity ? below : below / temperature;
      const weight = Math.exp(log);
      weights[r] = weight;
      sums[r] = sum += weight;
      spread[r] = all += weight > 0 ? weight * log : 0;
    }
    return this;
  }

  get total() { return this.sums[this.sums.length - 1]; }

  /** In nats, of the first `left` tokens. */
  entropy(left = this.sums.length) { return Math.abs(Math.log(this.sums[left - 1]) - this.spread[left - 1] / this.sums[left - 1]); }
}

/** How many come before the first for which `good` is false: all good ones stand in front. */
function reach(most, good) {
  let low = 0, high = most;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (good(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * From logits to dice. `set(settings)` works out what changed and no more: a cut needs the sums that are there, heat
 * needs an exp for each token, and only the penalty moves tokens to other places, the few that were seen.
 */
export class Sampler {
  constructor(logits, seen) {
    const n = this.n = logits.length;
    this.logits = logits;
    this.seen = [...new Set(seen)];
    this.own = new Table(n);
    this.own.order.set(byLogit(logits));
    for (let r = 0; r < n; r++) this.own.scores[r] = logits[this.own.order[r]];
    this.own.heat(1);
    this.finite = reach(n, (r) => this.own.scores[r] > -Infinity);
    const was = new Set(this.seen);
    this.unseen = this.own.order.filter((id) => !was.has(id));
    this.lowered = new Table(n);
    this.heated = new Table(n);
    this.again = new Uint32Array(n); // the order where heat makes tokens tie
    this.dice = new Float64Array(n); // by id
    this.edges = new Float64Array(n); // sums of the dice so far
    this.drawn = new Uint32Array(DRAWS);
    this.points = new Float64Array(DRAWS);
    this.settings = {};
  }

  set({ temperature = 1, top_k = null, top_p = null, min_p = null, repetition_penalty = null, seed = 1 }) {
    const now = { temperature, top_k: top_k ?? OFF.top_k, top_p: top_p ?? OFF.top_p, min_p: min_p ?? OFF.min_p, repetition_penalty: repetition_penalty ?? OFF.repetition_penalty, seed };
    const before = this.settings, other = (name) => before[name] !== now[name];
    this.settings = now;
    if (other("repetition_penalty")) this.lower();
    if (other("repetition_penalty") || other("temperature")) this.heat();
    if (other("seed")) for (let i = 0; i < DRAWS; i++) this.points[i] = random(seed, i);
    this.cut();
    this.roll();
    return this;
  }

  /** The probability at temperature 1 that the model itself gives a token. */
  ownOf(id) { return Math.exp(this.logits[id] - this.own.scores[0]) / this.own.total; }

  lower() {
    const penalty = this.settings.repetition_penalty, { logits, unseen } = this;
    this.moved = [0, 0, 0, 0, 0, 0];
    this.penalised = penalty === 1 ? this.own : this.lowered;
    if (penalty === 1) return;
    const { order, scores } = this.lowered;
    const lowered = this.seen.map((id) => [logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty, id]).sort((a, b) => (a[0] === b[0] ? a[1] - b[1] : b[0] > a[0] ? 1 : -1));
    for (let r = 0, u = 0, s = 0; r < this.n; r++) {
      const id = unseen[u], first = lowered[s];
      const takes = s < lowered.length && (u === unseen.length || first[0] > logits[id] || (first[0] === logits[id] && first[1] < id));
      order[r] = takes ? first[1] : id;
      scores[r] = takes ? first[0] : logits[id];
      takes ? s++ : u++;
    }
    this.lowered.heat(1);
    // Half the sum of all differences; the unseen ones all grow by the same factor.
    const { own } = this, best = scores[0], total = this.lowered.total, grow = (Math.exp(own.scores[0] - best) * own.total) / total;
    let mine = 0, differences = 0;
    for (const [score, id] of lowered) {
      const p = this.ownOf(id);
      mine += p;
      differences += Math.abs(Math.exp(score - best) / total - p);
    }
    this.moved[1] = (differences + Math.abs(grow - 1) * (1 - mine)) / 2;
  }

  heat() {
    const { temperature } = this.settings, from = this.penalised;
    this.moved[2] = 0;
    this.hot = temperature === 1 ? from : this.heated;
    this.ranked = from.order;
    if (temperature === 1) return;
    const { weights, sums } = this.hot.heat(temperature, from.scores), total = this.hot.total, cold = from.total;
    let differences = 0;
    for (let r = 0; r < this.n; r++) differences += Math.abs(weights[r] / total - from.weights[r] / cold);
    this.moved[2] = differences / 2;
    // Tokens of different logits can tie, all of them in endless heat: then, too, the lower id comes first.
    for (let start = 0, r = 1, wrong = false; r <= this.n && weights[start] > 0; r++) {
      if (r < this.n && weights[r] === weights[start]) { wrong ||= from.order[r] < from.order[r - 1]; continue; }
      if (wrong) {
        if (this.ranked === from.order) (this.ranked = this.again).set(from.order);
        this.again.subarray(start, r).sort();
      }
      start = r;
      wrong = false;
    }
  }

  /** How many tokens each cut leaves: the first ones, always. */
  cut() {
    const { temperature, top_k, top_p, min_p } = this.settings, { weights, sums } = this.hot;
    const k = Math.min(top_k, this.n), whole = sums[k - 1];
    const p = top_p === 1 ? k : reach(k, (r) => r === 0 || sums[r - 1] / whole < top_p - 1e-12); // the slack is that of Python
    const m = reach(p, (r) => weights[r] / sums[p - 1] >= min_p * (weights[0] / sums[p - 1]));
    const ties = temperature === 0 ? Math.round(this.hot.total) : this.finite;
    this.kept = [this.n, this.n, this.n, k, p, m]; // places after each step
    this.left = [this.finite, this.finite, ties, Math.min(k, ties), Math.min(p, ties), Math.min(m, ties)];
    for (let i = 3; i < 6; i++) this.moved[i] = this.kept[i] === this.kept[i - 1] ? 0 : 1 - sums[this.kept[i] - 1] / sums[this.kept[i - 1] - 1];
  }

  roll() {
    const { dice, edges, ranked, n } = this, { weights, sums } = this.hot, kept = this.kept[5], mass = sums[kept - 1];
    dice.fill(0);
    for (let r = 0; r < kept; r++) dice[ranked[r]] = weights[r] / mass;
    let edge = 0, last = 0;
    for (let id = 0; id < n; id++) {
      if (dice[id] > 0) last = id;
      edges[id] = edge += dice[id];
    }
    for (let i = 0; i < DRAWS; i++) {
      const point = this.points[i] * edge;
      this.drawn[i] = Math.min(last, reach(n, (id) => edges[id] <= point));
    }
  }

  /** The model's own odds and those after each step, in numbers: `way` of Python. */
  way() {
    const { settings: s, own, penalised, hot, kept, left } = this;
    const uses = [false, s.repetition_penalty !== 1, s.temperature !== 1, s.top_k !== Infinity, s.top_p !== 1, s.min_p !== 0];
    return STEPS.map((name, i) => {
      const table = [own, penalised, hot, hot, hot, hot][i];
      return { name, used: uses[i], left: left[i], entropy: table.entropy(kept[i]), best: table.weights[0] / table.sums[kept[i] - 1], moved: this.moved[i] };
    });
  }

  /** The share of the probability that all steps together moved. */
  get movedInAll() {
    const { own, dice } = this;
    let differences = 0;
    for (let r = 0; r < this.n; r++) differences += Math.abs(own.weights[r] / own.total - dice[own.order[r]]);
    return differences / 2;
  }

  /** The tokens with the highest logits, and all others together. */
  rows() {
    const { order } = this.penalised, { dice, ranked, kept, hot } = this, most = Math.min(SHOWN, this.n);
    const cut = (r, id) => {
      if (this.logits[id] === -Infinity) return "";
      if (hot.weights[r] / hot.total === 0) return "temperature";
      const place = ranked === order ? r : ranked.indexOf(id);
      return STEPS[kept.findIndex((places) => place >= places)] ?? "";
    };
    const found = Array.from(order.subarray(0, most), (id, r) => ({ token: id, probability: dice[id], own: this.ownOf(id), count: 0, cut: cut(r, id) }));
    for (const id of this.drawn) for (const one of found) if (one.token === id) one.count++;
    if (most < this.n) {
      const rest = (name) => found.reduce((left, one) => left - one[name], name === "count" ? DRAWS : 1);
      found.push({ token: -1, probability: rest("probability"), own: rest("own"), count: rest("count"), cut: "" });
    }
    return found;
  }

  /** The probability, after the penalty and the heat and before any cut, of all tokens but the likeliest. */
  hidden(shown = VIEW) { return shown < this.n ? 1 - this.hot.sums[shown - 1] / this.hot.total : 0; }
}

const errorOf = (p) => Math.sqrt((p * (1 - p)) / DRAWS);
/** Whether a row expects enough draws, for itself and for all others, for its error bar to mean what it says. */
const enough = ({ probability: p }) => DRAWS * Math.min(p, 1 - p) >= ENOUGH;
/** Whether such a row's share of the draws is more than two standard errors off. */
export const outside = (one) => enough(one) && Math.abs(one.count / DRAWS - one.probability) > 2 * errorOf(one.probability);
/** How many rows can be judged, and how many of these are outside. */
export const judged = (found) => [found.filter(enough).length, found.filter(outside).length];

/** Two digits that count. */
export function about(value) {
  if (value < 9.95) return rounded(value, 1);
  const step = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return count(Math.floor(value / step + 0.5) * step);
}

/** A share in percent with one digit behind the point. */
export function tenths(share) {
  if (share < NOTHING) return "0 %";
  return share < 0.001 ? "under 0.1 %" : `${rounded(100 * share, 1)} %`;
}

/** A share as it is said, with what rounding leaves of nothing taken for nothing. */
const share = (p) => percent(p < NOTHING ? 0 : p);

/** The same in a narrow column. */
const brief = (p) => share(p).replace("under ", "<").replace("over ", ">");

/** A number with up to 6 digits that count, as Python's ":g" writes it. */
function general(value) {
  const [digits, power] = value.toExponential(5).split("e").map(Number);
  if (power >= -4 && power < 6) return String(Number(value.toPrecision(6)));
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

const writtenSetting = (name, value) => (value === Infinity ? "∞" : name === "top_k" ? count(value) : general(value));

/** The settings that are in use, in words. */
export function told(settings) {
  const words = Object.entries(settings).filter(([name, value]) => name in OFF && (value ?? OFF[name]) !== OFF[name])
    .map(([name, value]) => `${name.replaceAll("_", name === "repetition_penalty" ? " " : "-")} ${writtenSetting(name, value)}`);
  return words.join(", ") || "the model's own odds";
}

/** What is shown, in two sentences: `Sampling.describe`. `title` is that of `titleOf`, `piece(id)` a token. */
export function describe(sampler, found, title, piece, settings) {
  const some = found.slice(0, TOLD).filter((one) => one.token >= 0 && one.probability > 0);
  const parts = some.map((one) => `${named(piece(one.token))} ${percent(one.probability)}`);
  const rest = 1 - some.reduce((sum, one) => sum + one.probability, 0);
  if (rest > NOTHING) parts.push(`all others ${percent(rest)}`);
  const nats = sampler.hot.entropy(sampler.kept[5]), choices = about(Math.exp(nats));
  return `${title} (${told(settings)}): ${parts.join(", ")}. Entropy ${rounded(nats, 1)} nats: as open as a choice among ${choices} equally likely token${choices === "1.0" ? "" : "s"}.`;
}

export function titleOf(reading, isText, n) {
  if (!isText) return `Dice of ${number(n)} tokens`;
  return reading.text ? `Dice after ${quoted(reading.text)}` : "Dice for a first token";
}

/** What the draws show, in a sentence. */
export function says(found, seed) {
  const begins = `${count(DRAWS)} draws with seed ${seed}`;
  if (Math.max(...found.map((one) => (one.token < 0 ? 0 : one.probability))) > 1 - NOTHING) return `${begins} all give the same token.`;
  const [some, out] = judged(found);
  if (!some) return `${begins} are too few to judge: no row expects ${ENOUGH} or more, and leaves as many to the others.`;
  return `${begins}. More than two standard errors off: ${out} of ${plural(some, "row")}; chance alone makes it about ${rounded(OUTSIDE * some, 1)}. A row that expects fewer than ${ENOUGH} draws, or leaves fewer to the others, is not judged.`;
}

/** Some 160 ranks from 1 to `last`, evenly spaced on a logarithmic axis, each once. */
export function ranks(last, most = 160) {
  const found = [];
  for (let i = 0; i <= most; i++) {
    const rank = Math.round(last ** (i / most));
    if (rank !== found.at(-1)) found.push(rank);
  }
  return found;
}

/** Where the sliders stop, from one end to the other. */
export function stops(n) {
  const steps = (from, to, by) => Array.from({ length: Math.round((to - from) / by) + 1 }, (_, i) => Number((from + i * by).toPrecision(6)));
  const ks = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  for (let power = 10; power < n; power *= 10) ks.push(...[1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8].map((m) => Math.round(m * power)));
  return {
    temperature: [...steps(0, 2, 0.05), 2.5, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, Infinity],
    top_k: [...ks.filter((k) => k < n), Infinity],
    top_p: [...steps(0.01, 0.99, 0.01), 0.995, 0.999, 1],
    min_p: [0, 0.001, 0.002, 0.005, ...steps(0.01, 0.1, 0.01), ...steps(0.15, 1, 0.05)],
    repetition_penalty: steps(1, 2, 0.05),
  };
}

/** The scale of the bars: the first of 1, 2, 5, 10 ... percent that holds all. */
export function scaleFor(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return Math.min(1, [1, 2, 5, 10].map((m) => m * power).find((one) => one >= most * (1 - 1e-9)));
}

// ---- The page --------------------------------------------------------------------------------------------------------

const SAVE = 250; // ms of quiet after which Python is told
const CHIPS = 40; // tokens of the text that are shown
const KEYS = { "data-lm-suppress-shortcuts": "true" }; // JupyterLab's command mode would take the keys away
const asPiece = (piece) => (typeof piece === "string" ? piece : new Uint8Array(piece.buffer ?? piece, piece.byteOffset ?? 0, piece.byteLength));
const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const NAMES = { temperature: "temperature", top_k: "top-k", top_p: "top-p", min_p: "min-p", repetition_penalty: "repetition penalty" };
const SETTING = ["", "repetition_penalty", "temperature", "top_k", "top_p", "min_p"];
const WORDS = { temperature: { 0: "0: the best", 1: "1: off", Infinity: "∞: all alike" }, top_k: { Infinity: "off" }, top_p: { 1: "off" }, min_p: { 0: "off" }, repetition_penalty: { 1: "off" } };
const shown = (name, value) => WORDS[name][value] ?? writtenSetting(name, value);

/** Twelve rows that stay; only what they say changes. */
function diceTable(n) {
  const lines = Array.from({ length: Math.min(SHOWN, n) }, () => {
    const name = h("bdi", {}), seen = h("span", { class: "uth-tag" }), note = h("span", { class: "uth-cut" });
    const rail = h("div", { class: "uth-rail" }, h("span", { class: "uth-bar" }), h("span", { class: "uth-whisker" }), h("span", { class: "uth-own" }), h("span", { class: "uth-drawn" }), note);
    const cells = [h("td", {}), h("td", { class: "uth-model" }), h("td", {})];
    return { name, seen, note, rail, cells, node: h("tr", {}, h("th", { scope: "row" }, name, seen), h("td", { class: "uth-track" }, rail), cells) };
  });
  const others = n > lines.length ? [h("td", {}), h("td", { class: "uth-model" }), h("td", {})] : null;
  const room = h("td", { class: "uth-track" });
  const ticks = [0, 1, 2].map(() => h("span", {}));
  const legend = [["uth-bar", "the final dice"], ["uth-own", "the model's own odds"], ["uth-whisker", "where 95 % of all runs would be (± 2 standard errors)"], ["uth-drawn", ""], ["uth-drawn uth-off", "outside of that: ▲ above, ▼ below"]].map(([kind, text]) => {
    const words = h("span", {}, text);
    return { words, node: h("span", {}, h("span", { class: `uth-key ${kind}` }), words) };
  });
  const table = h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "token"), h("td", { class: "uth-track" }, h("div", { class: "uth-ticks", "aria-hidden": "true" }, ticks)), ["dice", "model", "draws"].map((name, i) => h("th", { scope: "col", class: i === 1 ? "uth-model" : null }, name)))),
    h("tbody", {}, lines.map((line) => line.node), others && h("tr", { class: "uth-others" }, h("th", { scope: "row" }, "all others"), room, others)));
  const node = h("div", { class: "uth-odds" }, table, h("div", { class: "uth-legend", "aria-hidden": "true" }, legend.map((one) => one.node)));

  const update = (found, piece, seen, left, seed) => {
    const tokens = found.filter((one) => one.token >= 0);
    const whole = scaleFor(Math.max(...tokens.map(({ probability: p, own }) => Math.max(own, Math.min(1, p + 2 * errorOf(p))))));
    const part = (p) => `${rounded(100 * Math.min(1, Math.max(0, p / whole)), 3)}%`;
    ticks.forEach((tick, i) => put(tick, `${Number((50 * i * whole).toPrecision(2))} %`));
    lines.forEach((line, i) => {
      const one = tokens[i], { probability: p, own, count: drawn, cut } = one, error = 2 * errorOf(p), off = outside(one);
      put(line.name, named(piece(one.token)));
      put(line.seen, seen.has(one.token) ? "seen" : "");
      put(line.note, cut ? `cut by ${cut}` : "");
      const state = `${cut ? "uth-gone" : ""}${off ? " uth-away" : ""}${p > 0 ? "" : " uth-never"}`;
      if (line.node.className !== state) line.node.className = state;
      for (const [name, value] of Object.entries({ "--p": part(p), "--own": part(own), "--low": part(p - error), "--high": part(p + error), "--drawn": part(drawn / DRAWS), "--note": own < 0.6 * whole ? `calc(${part(own)} + 8px)` : "10px" })) {
        if (line.rail.style.getPropertyValue(name) !== value) line.rail.style.setProperty(name, value);
      }
      [brief(p), brief(own), off ? `${count(drawn)} ${drawn / DRAWS > p ? "▲" : "▼"}` : count(drawn)].forEach((text, c) => put(line.cells[c], text));
    });
    if (others) {
      const { probability, own, count: drawn } = found.at(-1), rest = n - tokens.length;
      put(room, left === rest ? `${count(rest)}, none cut` : `${count(rest - left)} of ${count(rest)} cut`);
      [brief(probability), brief(own), count(drawn)].forEach((text, c) => put(others[c], text));
    }
    put(legend[3].words, `${count(DRAWS)} draws, seed ${seed}`);
  };
  return { node, update };
}

/** The way as a table: a line a step, and the final dice. */
function stepTable() {
  const head = ["step", "tokens left", "entropy, nats", "choices", "best token", "moved"];
  const lines = [...STEPS, "the final dice"].map((name, i) => {
    const setting = h("span", { class: "uth-setting" }), cells = head.slice(1).map(() => h("td", {}));
    const title = i === 0 ? "model's own odds" : name;
    return { setting, cells, node: h("tr", { class: i === STEPS.length ? "uth-final" : null }, h("th", { scope: "row" }, h("span", {}, title), " ", setting), cells) };
  });
  const table = h("table", { class: "uth-steps" }, h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, lines.map((line) => line.node)));
  const update = (sampler) => {
    const way = sampler.way();
    lines.forEach((line, i) => {
      const last = i === STEPS.length, step = last ? { ...way.at(-1), moved: sampler.movedInAll } : way[i];
      const off = i > 0 && !last && !step.used;
      line.node.classList.toggle("uth-unused", off);
      put(line.setting, i === 0 ? "softmax" : last ? "" : off ? "off" : writtenSetting(SETTING[i], sampler.settings[SETTING[i]]));
      const texts = off ? ["", "", "", "", ""] : [count(step.left), written(step.entropy, 2), about(Math.exp(step.entropy)), brief(Math.min(1, step.best)), i === 0 ? "" : brief(step.moved)];
      texts.forEach((text, c) => put(line.cells[c], text));
    });
  };
  return { node: h("div", { class: "uth-way" }, table), update };
}

/** Probability against rank, both axes in powers of ten. */
function rankPlot(redraw) {
  const node = h("div", { class: "uth-ranks" });
  const left = 44, right = 14, top = 22, foot = 42;
  let width = 0, built = null, parts = null, x, y;
  const watch = new ResizeObserver(([{ contentRect }]) => {
    const now = Math.round(Math.min(680, Math.max(240, contentRect.width)));
    if (contentRect.width && now !== width) { width = now; built = null; redraw(); }
  });
  watch.observe(node);
  const power = (e) => (e === 0 ? "1" : `10${String(e).replace("-", "⁻").replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d])}`);

  const build = (sampler) => {
    built = sampler;
    const { own, n, finite } = sampler, height = width < 420 ? 230 : 260, floor = height - foot;
    const least = own.weights[finite - 1] / own.total;
    const low = Math.max(-14, Math.min(-1, Math.floor(Math.log10(least > 0 ? least : 1e-14) - 0.3))), wide = Math.max(0.3, Math.log10(n));
    x = (rank) => left + (Math.log10(rank) / wide) * (width - left - right);
    y = (p) => Math.min(floor + 4, top + (Math.log10(p) / low) * (floor - top));
    const line = (kind, extra) => svg("path", { class: kind, ...extra }), text = (at, content) => svg("text", at, content);
    const clip = fresh();
    parts = { final: line("uth-line uth-final"), cut: line("uth-mark uth-cutline"), word: svg("text", { class: "uth-word", y: floor - 8 }), picture: svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" }) };
    const grid = [], every = -low > 8 ? 4 : -low > 3 ? 2 : 1;
    for (let e = 0; e >= low; e -= every) grid.push(svg("line", { class: "uth-grid", x1: left, x2: width - right, y1: y(10 ** e), y2: y(10 ** e) }), text({ x: left - 6, y: y(10 ** e) + 4, "text-anchor": "end" }, power(e)));
    for (const rank of [1, 2, 5, 10, 20, 50, 100, 1e3, 1e4, 1e5, 1e6].filter((one) => one <= n && (n < 100 || Number.isInteger(Math.log10(one))))) grid.push(svg("line", { class: "uth-grid", x1: x(rank), x2: x(rank), y1: top, y2: floor }), text({ x: x(rank), y: floor + 16, "text-anchor": "middle" }, count(rank)));
    const view = VIEW < n ? [svg("rect", { class: "uth-beyond", x: x(VIEW), y: top, width: x(n) - x(VIEW), height: floor - top }), svg("line", { class: "uth-mark", x1: x(VIEW), x2: x(VIEW), y1: top - 4, y2: floor }), text({ x: x(VIEW), y: top - 8, "text-anchor": "middle" }, `rank ${VIEW}`)] : [];
    parts.picture.append(
      svg("clipPath", { id: clip }, svg("rect", { x: left, y: top - 4, width: width - left - right + 4, height: floor - top + 4 })),
      ...view, ...grid,
      svg("line", { class: "uth-axis", x1: left, x2: width - right, y1: floor, y2: floor }),
      text({ x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, "rank, likeliest token first"),
      svg("g", { "clip-path": `url(#${clip})` }, parts.cut, parts.final, line("uth-line uth-model", { d: path(ranks(finite), (rank) => own.weights[rank - 1] / own.total) })),
      parts.word,
    );
    node.replaceChildren(parts.picture);
  };
  const path = (places, height) => places.map((rank, i) => { const p = height(rank); return `${i ? "L" : "M"}${x(rank).toFixed(1)} ${y(p > 0 ? p : 1e-300).toFixed(1)}`; }).join("");
  const update = (sampler) => {
    if (!width) return;
    if (built !== sampler) build(sampler);
    const { hot, left: [, , , , , kept], n, finite } = sampler, mass = hot.sums[sampler.kept[5] - 1], at = (rank) => hot.weights[rank - 1] / mass;
    const places = ranks(kept), fewer = kept < finite, edge = x(kept);
    // One token alone is a dot: a line of no length, with round ends.
    parts.final.setAttribute("d", path(places.length > 1 ? places : [1, 1], at));
    parts.cut.setAttribute("d", fewer ? `M${edge.toFixed(1)} ${y(Math.max(at(kept), 1e-300)).toFixed(1)}V999` : "");
    put(parts.word, fewer ? `${plural(kept, "token")} left` : "");
    const flip = edge > width * 0.6;
    parts.word.setAttribute("x", (edge + (flip ? -6 : 6)).toFixed(1));
    parts.word.setAttribute("text-anchor", flip ? "end" : "start");
    parts.picture.setAttribute("aria-label", `Probability against rank, both axes logarithmic. The final dice: ${share(at(1))} at rank 1${kept > 1 ? `, ${share(at(Math.min(10, kept)))} at rank ${Math.min(10, kept)}` : ""}, ${kept === finite ? `no token cut of ${count(n)}` : `nothing beyond rank ${count(kept)}`}.`);
  };
  return { node, update, stop: () => watch.disconnect() };
}

function render({ model, el }) {
  const { root, told: status, say: sayIt, complain: complainBelow } = frame(el, "sampling");
  /** What the kernel does is for all; what the tables show is said to the ear alone. */
  const say = (text, unseen = false) => { status.classList.toggle("uth-unseen", unseen); sayIt(text); };
  const get = (name) => model.get(name);
  const isText = get("written");
  let reading, sampler, pieces, saving, kept = null;
  const settings = () => Object.fromEntries(Object.keys(OFF).map((name) => [name, name === "temperature" ? Number(get(name)) : get(name)]));
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; everything works on.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };

  // ---- A new text: only the kernel can read it
  const complain = (text) => {
    const refused = text !== "" && text === get("problem");
    box.complain(refused ? text : "");
    complainBelow(refused ? "" : text);
  };
  const still = h("p", { class: "uth-still", hidden: true });
  const asking = asker(model, el, {
    needs: "A new text", say, complain, wait: 20,
    answered: () => take(get("reading")),
    failed: () => { still.replaceChildren("Still shown: the dice after ", h("bdi", {}, quoted(reading.text)), "."); still.hidden = false; },
  });
  const box = textBox({ label: "text", value: get("text"), onInput: (text) => asking.ask({ text }) });
  const tokens = h("div", { class: "uth-seen" });
  const take = (now) => {
    still.hidden = true;
    still.replaceChildren();
    if (now === reading) return draw();
    reading = now;
    pieces = new Map(now.named.map((id, i) => [id, asPiece(now.pieces[i])]));
    sampler = new Sampler(floats(now.logits), now.seen);
    kept = new Set(now.seen);
    const left = Math.max(0, now.tokens.length - CHIPS), all = now.tokens.map((piece) => ({ piece: asPiece(piece), fill: 4 }));
    const which = isText ? `The ${plural(now.tokens.length, "token")} of the text${left ? ` (the last ${CHIPS})` : ""}, seen by the repetition penalty:` : all.length ? "Tokens seen by the repetition penalty:" : "No token counts as seen: the repetition penalty has nothing to lower.";
    tokens.replaceChildren(h("span", {}, which), all.length ? chips(all.slice(left), { label: which }) : "");
    draw();
  };

  // ---- Controls: in the order in which they work
  const places = stops(floats(get("reading").logits).length);
  const current = (name) => settings()[name] ?? OFF[name];
  // A value that Python gave may lie between two stops.
  const placeOf = (name, value) => Math.min(places[name].length - 1, places[name].findIndex((stop) => stop >= value - 1e-9) >>> 0);
  const dials = ["repetition_penalty", "temperature", "top_k", "top_p", "min_p"].map((name) => {
    const dial = slider({
      label: NAMES[name], min: 0, max: places[name].length - 1, value: placeOf(name, current(name)),
      format: (place) => shown(name, placeOf(name, current(name)) === place ? current(name) : places[name][place]),
      onInput: (place) => {
        const value = places[name][place];
        set({ [name]: name === "temperature" ? (value === Infinity ? "Infinity" : value) : value === OFF[name] ? null : value });
        dial.set(place);
      },
    });
    return { name, dial, node: dial.node, follow: () => dial.set(placeOf(name, current(name))) };
  });
  const seed = h("input", { type: "number", id: fresh(), min: 0, max: 4294967295, step: 1, value: get("seed"), ...KEYS });
  const wrongSeed = h("p", { class: "uth-problem", role: "alert", id: fresh() });
  const showSeed = (problem = "") => {
    put(wrongSeed, problem);
    if (problem) { seed.setAttribute("aria-invalid", "true"); seed.setAttribute("aria-describedby", wrongSeed.id); }
    else { seed.removeAttribute("aria-invalid"); seed.removeAttribute("aria-describedby"); }
  };
  seed.addEventListener("input", () => {
    const now = Number(seed.value);
    if (seed.value.trim() === "" || !Number.isInteger(now) || now < 0 || now > 4294967295) return showSeed(`A seed must be a whole number from 0 to ${count(4294967295)}; try 1.`);
    showSeed();
    set({ seed: now });
  });
  const putSeed = (now) => { if (Number(seed.value) !== now || seed.value === "") seed.value = now; showSeed(); };
  const next = button({ label: "Next seed", tip: "1,000 other draws from the same dice", onClick: () => { const now = (get("seed") + 1) % 2 ** 32; putSeed(now); set({ seed: now }); } });
  const reset = button({ label: "Reset", tip: "All steps off: the model's own odds", onClick: () => { set({ temperature: 1, top_k: null, top_p: null, min_p: null, repetition_penalty: null }); dials.forEach((one) => one.follow()); } });

  // ---- What is seen
  const bars = h("div", {}), steps = stepTable(), plot = rankPlot(() => draw());
  const open = h("p", { class: "uth-open" }), judge = h("p", {}), mass = h("p", {}), alike = h("p", { class: "uth-faint", hidden: true });
  const reader = h("div", { "data-answers": "model" }, row(box.node), still);
  const caption = h("h4", {});
  root.append(
    isText ? reader : "", tokens,
    h("div", { "data-answers": "browser" },
      h("div", { class: "uth-dials" }, dials.map((one) => one.node), h("div", { class: "uth-control uth-seedbox" }, h("label", { for: seed.id }, "seed of the draws"), seed, next, reset)),
      wrongSeed,
      h("div", { class: "uth-views" },
        h("section", {}, caption, open, bars, judge, alike),
        h("section", {}, h("h4", {}, "From logits to dice, step by step"), steps.node,
          h("p", { class: "uth-faint" }, "Choices: how many equally likely tokens would be as open, e to the entropy. Moved: the share of the probability that a step takes from some tokens and gives to others; for a cut, all that it cuts. A seen token's logit is divided by the penalty, or multiplied where it is negative."),
          h("h4", {}, "Probability by rank"), plot.node,
          h("div", { class: "uth-legend", "aria-hidden": "true" }, ["final", "model"].map((kind) => h("span", {}, svg("svg", { viewBox: "0 0 30 10" }, svg("line", { class: `uth-line uth-${kind}`, x1: 2, x2: 28, y1: 5, y2: 5 })), kind === "final" ? "the final dice" : "the model's own odds"))),
          mass)),
    ),
  );
  let table = null;

  const draw = onceAFrame(() => {
    const now = settings(), n = sampler.n;
    sampler.set({ ...now, seed: get("seed") });
    if (!table) bars.replaceChildren((table = diceTable(n)).node);
    const found = sampler.rows(), piece = (id) => pieces.get(id) ?? `#${id}`;
    const title = titleOf(reading, isText, n);
    put(caption, title.replace(/^Dice/, "The dice"));
    const left = sampler.left[5] - found.filter((one) => one.token >= 0 && !one.cut && one.own > 0).length;
    table.update(found, piece, kept, left, get("seed"));
    steps.update(sampler);
    plot.update(sampler);
    const nats = sampler.hot.entropy(sampler.kept[5]), choices = about(Math.exp(nats));
    put(open, `Entropy ${written(nats, 2)} nats: as open as a choice among ${choices} equally likely token${choices === "1.0" ? "" : "s"}.`);
    put(judge, says(found, get("seed")));
    put(mass, n > VIEW ? `A list of the ${VIEW} likeliest tokens would hide ${tenths(sampler.hidden())} of the probability (after penalty and temperature, before any cut).` : `A list of ${VIEW} tokens would hide none of these ${count(n)}.`);
    alike.hidden = !(now.temperature === Infinity && sampler.kept[5] < n);
    put(alike, alike.hidden ? "" : "In endless heat all tokens are alike, and a cut keeps those with the lowest ids.");
    const all = describe(sampler, found, title, piece, now);
    if (!asking.waiting) say(all, true);
    if (get("alt") !== all) model.set("alt", all);
  });
  take(get("reading"));
  if (get("problem")) complain(get("problem"));

  const ends = [
    ...dials.map((one) => follow(model, one.name, () => { one.follow(); draw(); })),
    follow(model, "seed", (now) => { putSeed(now); draw(); }),
    follow(model, "reading", (other) => {
      if (asking.waiting) return; // taken when its answer is known to be the one
      if (other.text !== box.value) box.set(other.text);
      take(other);
    }),
  ];
  return () => { asking.stop(); clearTimeout(saving); draw.stop(); plot.stop(); ends.forEach((end) => end()); };
}

export default { initialize, render };
