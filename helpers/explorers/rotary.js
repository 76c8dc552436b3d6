// The rotary dials: turning, shares and the curve are all worked out here, without a kernel.
import { baseAt, count, follow, frame, h, initialize, kernelState, lines, number, onceAFrame, row, slider, stepOf, svg, tiles, toggle, written } from "./shared.js";

const POSITIONS = 64, FINEST = 80; // steps of the base's slider, 20 for every power of ten
const SAVE = 250; // ms of quiet after which Python is told
const DEGREES = 180 / Math.PI;

// ---- Numbers: the same as in Python ----------------------------------------------------------------------------

/** By how many radians each pair turns a position: `helpers.positions.rotary_angles` at position 1. */
export const speeds = (d_head, base) => Array.from({ length: d_head / 2 }, (_, pair) => base ** ((-2 * pair) / d_head));

/** A vector with every pair of neighbours turned: `helpers.positions.rotate_pairs`. */
export function turned(vector, position, base) {
  return speeds(vector.length, base).flatMap((speed, pair) => {
    const [x, y] = [vector[2 * pair], vector[2 * pair + 1]], [cos, sin] = [Math.cos(position * speed), Math.sin(position * speed)];
    return [x * cos - y * sin, y * cos + x * sin];
  });
}

/** Each pair's part of the score: the dot product of the turned query and the turned key. */
export function shares(query, key, [queryAt, keyAt], base) {
  const [q, k] = [turned(query, queryAt, base), turned(key, keyAt, base)];
  return Array.from({ length: q.length / 2 }, (_, pair) => q[2 * pair] * k[2 * pair] + q[2 * pair + 1] * k[2 * pair + 1]);
}

export const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

/** [distance, score] for all distances; the token that stands first is at position 0. */
export const scores = (query, key, base) => Array.from({ length: 2 * POSITIONS - 1 }, (_, i) => {
  const distance = i + 1 - POSITIONS;
  return [distance, sum(shares(query, key, [Math.max(distance, 0), Math.max(-distance, 0)], base))];
});

/** Other positions at the same distance, 20 away where there is room, or null. */
export function elsewhere(queryAt, keyAt) {
  const first = Math.min(queryAt, keyAt);
  let move = Math.min(20, POSITIONS - 1 - Math.max(queryAt, keyAt));
  if (move < 20 && Math.min(20, first) > move) move = -Math.min(20, first);
  return move ? [queryAt + move, keyAt + move] : null;
}

/** What is shown, in a sentence: `RotaryDial.describe`. */
export function describe({ query, key, names, at, base }) {
  const score = sum(shares(query, key, at, base)), other = elsewhere(...at);
  let told = `Query “${names[0]}” at position ${at[0]}, key “${names[1]}” at ${at[1]}: distance ${written(at[0] - at[1], 0)}, score ${written(score, 4)}.`;
  if (other) {
    const there = sum(shares(query, key, other, base));
    told += ` At ${other[0]} and ${other[1]} the score is ${Math.abs(there - score) < 1e-6 ? "the same" : written(there, 4)}.`;
  }
  const fast = speeds(query.length, base).map((speed) => speed * DEGREES);
  told += ` d_head ${query.length}, base ${count(base)}: a position turns pair 0 by ${number(fast[0])}°`;
  if (fast.length > 1) told += ` and pair ${fast.length - 1} by ${number(fast.at(-1))}°`;
  return `${told}.`;
}

/** What the distance means, in a sentence. */
export function direction([queryAt, keyAt]) {
  const distance = queryAt - keyAt, sides = `Distance is query position − key position: ${queryAt} − ${keyAt} = ${written(distance, 0)}`;
  if (distance > 0) return `${sides}, so the key stands before the query.`;
  if (distance < 0) return `${sides}, so the key stands after the query. A GPT hides such keys; the score is there all the same.`;
  return `${sides}, so both stand at the same position.`;
}

/** From where to where a position can move while the other keeps its distance from it. */
export const reach = (own, other) => [Math.max(0, own - other), Math.min(POSITIONS - 1, POSITIONS - 1 + own - other)];

// ---- The page --------------------------------------------------------------------------------------------------

const R = 54, MIDDLE = 60; // of a dial, in its own units

function dial(pair) {
  const hand = (who, tip) => svg("g", { class: `uth-hand uth-${who}` }, svg("line", { x1: 0, y1: 0, y2: 0 }), tip);
  const tips = [svg("circle", { r: 5 }), svg("rect", { x: -4.5, y: -4.5, width: 9, height: 9 })];
  const hands = [hand("query", tips[0]), hand("key", tips[1])];
  const between = svg("path", { class: "uth-between" });
  const picture = svg("svg", { viewBox: "0 0 120 120", role: "img" },
    svg("circle", { class: "uth-rim", cx: MIDDLE, cy: MIDDLE, r: R }),
    [0, 90, 180, 270].map((angle) => svg("line", { class: "uth-tick", x1: R - 5, x2: R, y1: 0, y2: 0, transform: `translate(${MIDDLE} ${MIDDLE}) rotate(${angle})` })),
    svg("g", { transform: `translate(${MIDDLE} ${MIDDLE})` }, between, hands[1], hands[0]));
  const speed = h("p", { class: "uth-speed" }), far = [h("p", {}), h("p", {})], apart = h("p", {});
  const fill = h("span", { class: "uth-fill" }), value = h("span", { class: "uth-value" });
  const node = h("div", { class: "uth-dial" },
    h("p", {}, h("b", {}, `pair ${pair}`), ` (${2 * pair}, ${2 * pair + 1})`), picture, speed, far, apart,
    h("div", { class: "uth-share" }, h("span", { class: "uth-track", "aria-hidden": "true" }, fill), h("span", { class: "uth-unseen" }, "share of the score: "), value));
  const update = ({ vectors, at, turn, share, longest, largest }) => {
    const angles = vectors.map(([x, y], i) => Math.atan2(y, x) * DEGREES + at[i] * turn);
    const sizes = vectors.map(([x, y]) => ((R - 4) * Math.hypot(x, y)) / longest);
    hands.forEach((one, i) => {
      one.setAttribute("transform", `rotate(${(-angles[i] % 360).toFixed(3)})`); // counterclockwise, as in mathematics
      one.firstChild.setAttribute("x2", sizes[i]);
      tips[i].setAttribute("transform", `translate(${sizes[i]} 0)`);
      one.style.display = sizes[i] ? "" : "none";
    });
    const gap = (((angles[0] - angles[1] + 180) % 360) + 360) % 360 - 180, both = sizes[0] && sizes[1];
    const rim = (angle) => `${(18 * Math.cos(angle / DEGREES)).toFixed(3)} ${(-18 * Math.sin(angle / DEGREES)).toFixed(3)}`;
    between.setAttribute("d", both ? `M${rim(angles[1])}A18 18 0 0 ${gap > 0 ? 0 : 1} ${rim(angles[1] + gap)}` : "");
    const told = {
      turn: `${number(turn)}° a position`,
      // More than 360° is more than one round.
      far: ["query", "key"].map((who, i) => `${who} by ${number(at[i] * turn)}°`),
      apart: both ? `apart ${written(Math.abs(gap), 1)}°` : "a hand of length 0",
    };
    speed.textContent = told.turn;
    far.forEach((line, i) => { line.textContent = told.far[i]; });
    apart.textContent = told.apart;
    picture.setAttribute("aria-label", `Pair ${pair}: ${told.turn}; turned ${told.far.join(", ")}; ${told.apart}.`);
    value.textContent = written(share, 4);
    const part = Math.min(1, Math.abs(share) / largest) / 2;
    fill.className = `uth-fill${share < 0 ? " uth-minus" : ""}`;
    fill.style.width = `${(100 * part).toFixed(2)}%`;
    fill.style.left = `${(100 * (share < 0 ? 0.5 - part : 0.5)).toFixed(2)}%`;
  };
  return { node, update };
}

function render({ model, el }) {
  const { root, say } = frame(el, "rotary");
  el.dataset.answers = "browser";
  const [query, key, names] = ["query", "key", "names"].map((name) => model.get(name));
  const pairs = query.length / 2;
  const lengths = [query, key].flatMap((vector) => Array.from({ length: pairs }, (_, pair) => Math.hypot(vector[2 * pair], vector[2 * pair + 1])));
  const longest = Math.max(...lengths) || 1;
  const largest = Math.max(...lengths.slice(0, pairs).map((length, pair) => length * lengths[pairs + pair])) || 1;
  let saving, curveOf = null;
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; everything works on.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };
  const places = () => [model.get("query_position"), model.get("key_position")];

  // ---- Controls -------------------------------------------------------------------------------------------------
  const move = (own) => (to) => {
    const at = places(), distance = at[own] - at[1 - own];
    at[own] = to;
    if (model.get("together")) at[1 - own] = to - distance;
    set({ query_position: at[0], key_position: at[1] });
  };
  const knobs = ["query", "key"].map((who, i) => slider({ label: `${who} “${names[i]}” at position`, min: 0, max: POSITIONS - 1, value: places()[i], onInput: move(i) }));
  const lock = toggle({ label: "move both together", value: model.get("together"), onChange: (together) => set({ together }) });
  const base = slider({
    label: "base", min: 0, max: FINEST, value: stepOf(model.get("base")),
    // A base that Python gave may lie between two steps.
    format: (step) => count(stepOf(model.get("base")) === step ? model.get("base") : baseAt(step)),
    onInput: (step) => { set({ base: baseAt(step) }); base.set(step); },
  });

  // ---- Pictures -------------------------------------------------------------------------------------------------
  const dials = Array.from({ length: pairs }, (_, pair) => dial(pair));
  const numbers = tiles(["distance", "score"]);
  const total = h("p", { class: "uth-total" }), meaning = h("p", {});
  const curve = lines({ series: [{ name: "score", role: "positions", points: [[0, 0], [1, 1]] }], x_label: "distance: query − key position", y_label: "score", from_zero: false });
  const sample = (who) => svg("svg", { viewBox: "-2 -7 40 14", "aria-hidden": "true" }, svg("g", { class: `uth-hand uth-${who}` }, svg("line", { x1: 0, x2: 30, y1: 0, y2: 0 }), who === "query" ? svg("circle", { r: 5, cx: 30 }) : svg("rect", { x: 25.5, y: -4.5, width: 9, height: 9 })));
  root.append(
    row(knobs.map((knob) => knob.node), lock.node, base.node),
    h("div", { class: "uth-views" },
      h("section", {},
        h("p", { class: "uth-hands" }, h("span", {}, sample("query"), `query “${names[0]}”`), h("span", {}, sample("key"), `key “${names[1]}”`)),
        h("div", { class: "uth-dials" }, dials.map((one) => one.node)), total),
      h("section", {}, numbers.node, curve.node, meaning,
        h("p", { class: "uth-note" }, "A pair is two neighbouring numbers of a vector, drawn as a hand: so far to the right, so far up. 360° is a full turn, counterclockwise. Pair 0 turns by 1 radian, 57.3°, a position, whatever the base is; a larger base slows all others down."))),
  );

  const draw = onceAFrame(() => {
    const at = places(), b = model.get("base"), together = model.get("together");
    const parts = shares(query, key, at, b), score = sum(parts), distance = at[0] - at[1];
    knobs.forEach((knob, i) => {
      [knob.input.min, knob.input.max] = together ? reach(at[i], at[1 - i]) : [0, POSITIONS - 1];
      knob.set(at[i]);
    });
    const turns = speeds(query.length, b);
    dials.forEach((one, pair) => one.update({
      vectors: [query, key].map((vector) => vector.slice(2 * pair, 2 * pair + 2)), at, turn: turns[pair] * DEGREES, share: parts[pair], longest, largest,
    }));
    numbers.set([`${written(distance, 0)}${together ? ", locked" : ""}`, written(score, 4)]);
    total.replaceChildren("score = ", parts.map((part, i) => `${i ? (part < 0 ? " − " : " + ") : part < 0 ? "−" : ""}${written(Math.abs(part), 4)}`).join(""), " = ", h("b", {}, written(score, 4)));
    meaning.textContent = direction(at);
    if (curveOf !== b) {
      curveOf = b;
      const points = scores(query, key, b), best = points.reduce((high, point) => (point[1] > high[1] ? point : high));
      curve.update({ series: [{ name: "score", role: "positions", points }], at: distance, describe: `The score at distances from −63 to 63; the highest, ${written(best[1], 4)}, at distance ${written(best[0], 0)}.` });
    } else curve.move(distance);
    say(describe({ query, key, names, at, base: b }));
  });
  draw();

  const stops = [
    follow(model, "query_position", () => draw()),
    follow(model, "key_position", () => draw()),
    follow(model, "together", (together) => { lock.set(together); draw(); }),
    follow(model, "base", (b) => { base.set(stepOf(b)); draw(); }),
  ];
  return () => {
    clearTimeout(saving);
    draw.stop();
    stops.forEach((stop) => stop());
  };
}

export default { initialize, render };
