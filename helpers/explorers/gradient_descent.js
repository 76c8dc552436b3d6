// Gradient descent on a landscape: paths, contour lines and sentences are all worked out here, without a kernel.
import { button, choice, follow, frame, h, initialize, kernelState, lines, onceAFrame, row, scrollable, slider, still, svg, ticks, tiles } from "./shared.js";

const FAR = 1e4, FLAT = 1e-3, MOST = 200; // as in helpers/descent.py
const SAVE = 250; // ms of quiet after which Python is told
const FRAME = 60; // ms between two steps of a run

// ---- Numbers: the same as in Python ----------------------------------------------------------------------------

/** The odds of "three", "four", "five" in the network of notebook 06. */
function sumOdds(a, w) {
  const logits = [0.2, w, 0.4].map((weight) => weight * 2 * a), best = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - best)), total = weights[0] + weights[1] + weights[2];
  return weights.map((weight) => weight / total);
}

export const LANDSCAPES = {
  "bowl": {
    names: ["x", "y"], loss: (x, y) => (x * x + y * y) / 2, gradient: (x, y) => [x, y], start: [-1.7, 1.1], x: [-3, 3], y: [-2, 2],
    lowest: [[0, 0]], about: "Equally curved in every direction: curvature 1, so steps longer than 2 climb.",
  },
  "narrow valley": {
    names: ["x", "y"], loss: (x, y) => (x * x + 16 * y * y) / 2, gradient: (x, y) => [x, 16 * y], start: [-2.4, 0.8], x: [-3, 3], y: [-2, 2],
    lowest: [[0, 0]], about: "Curvature 1 along the valley, 16 across it: across, steps longer than 2 / 16 = 0.125 climb.",
  },
  "two dents": {
    names: ["x", "y"], loss: (x, y) => (x * x - 1) ** 2 / 4 + 0.15 * x + 0.16 + (y * y) / 2, gradient: (x, y) => [x ** 3 - x + 0.15, y],
    start: [1.9, 1.1], x: [-3, 3], y: [-2, 2], lowest: [[-1.0679, 0], [0.9142, 0]],
    about: "Two places where the ground is flat; the left one is deeper.",
  },
  "two and two": {
    names: ["a", "weight of four"], loss: (a, w) => -Math.log(Math.max(sumOdds(a, w)[1], 1e-300)),
    gradient: (a, w) => {
      const [three, four, five] = sumOdds(a, w);
      return [2 * (three * 0.2 + (four - 1) * w + five * 0.4), (four - 1) * 2 * a];
    },
    start: [0.5, 0.3], x: [-2, 4], y: [-1.5, 2.5], lowest: [],
    about: "Two of the four numbers of the network in part 3. It falls and falls, and nowhere is a bottom.",
  },
};

/** The places of so many steps: `helpers.descent.descend`. */
export function descend(landscape, rate, momentum, steps) {
  let place = landscape.start, velocity = [0, 0];
  const path = [], losses = [], slopes = [];
  let arrived = null, diverged = false;
  for (let step = 0; step <= steps; step++) {
    const gradient = landscape.gradient(...place);
    path.push(place);
    losses.push(landscape.loss(...place));
    slopes.push(Math.hypot(...gradient));
    if (arrived === null && slopes.at(-1) < FLAT) arrived = step;
    if (Math.max(Math.abs(place[0]), Math.abs(place[1])) > FAR) { diverged = true; break; }
    velocity = velocity.map((v, i) => momentum * v + gradient[i]);
    place = place.map((p, i) => p - rate * velocity[i]);
  }
  return { path, losses, slopes, arrived, diverged };
}

/** A height in a sentence: three digits, or "over 10,000". */
export function told(value) {
  if (value > 10000) return "over 10,000";
  if (value < 1e-9) return "0";
  const digits = Math.min(100, Math.max(0, 2 - Math.floor(Math.log10(value))));
  const text = Number(value.toPrecision(3)).toFixed(digits);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** What is shown, in a sentence or two. */
export function describe(name, rate, momentum, way) {
  const n = way.path.length - 1;
  const sentence = `${name}, learning rate ${told(rate)}, momentum ${momentum}: after ${n} step${n === 1 ? "" : "s"} the loss went from ${told(way.losses[0])} to ${told(way.losses[n])}.`;
  if (way.diverged) return `${sentence} It diverged: every step goes farther away.`;
  if (way.arrived !== null) return `${sentence} It reached flat ground at step ${way.arrived}.`;
  if (n && way.losses[n] > way.losses[0]) return `${sentence} That is higher than at the start.`;
  return sentence;
}

/** Learning rates on the slider: 20 for every power of ten, from 0.001 to 5. */
export const rateAt = (step) => Math.min(5, Number((10 ** (step / 20)).toPrecision(2)));
export const stepOfRate = (rate) => Math.round(20 * Math.log10(rate));

/** Contour lines of a table of heights, as the d of an SVG path: a line through each cell that it crosses. */
export function contour(heights, columns, rows, level, x, y) {
  const parts = [];
  for (let r = 0; r + 1 < rows; r++) {
    for (let c = 0; c + 1 < columns; c++) {
      const corners = [[c, r], [c + 1, r], [c + 1, r + 1], [c, r + 1]];
      const above = corners.map(([i, j]) => heights[j * columns + i] - level);
      const crossings = [];
      for (let k = 0; k < 4; k++) {
        const [one, two] = [above[k], above[(k + 1) % 4]];
        if (one < 0 === two < 0) continue;
        const share = one / (one - two), [from, to] = [corners[k], corners[(k + 1) % 4]];
        crossings.push(`${x(from[0] + share * (to[0] - from[0])).toFixed(1)} ${y(from[1] + share * (to[1] - from[1])).toFixed(1)}`);
      }
      for (let k = 0; k + 1 < crossings.length; k += 2) parts.push(`M${crossings[k]}L${crossings[k + 1]}`);
    }
  }
  return parts.join("");
}

// ---- The page --------------------------------------------------------------------------------------------------

const W = 480, H = 330, LEFT = 46, FOOT = 40, TOP = 8, RIGHT = 8, COLUMNS = 73, ROWS = 49, LEVELS = 14;

function render({ model, el }) {
  const { root, say } = frame(el, "descent");
  el.dataset.answers = "browser";
  let saving, running = 0, drawn = null, before = null;
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; everything works on.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };
  const settings = () => [model.get("learning_rate"), model.get("momentum")];
  const here = () => LANDSCAPES[model.get("landscape")];

  // ---- Controls -------------------------------------------------------------------------------------------------
  const pause = () => { clearInterval(running); running = 0; run.textContent = "Run"; };
  const over = () => {
    const way = descend(here(), ...settings(), model.get("steps"));
    return way.diverged || way.arrived !== null || model.get("steps") >= MOST;
  };
  const forward = () => {
    if (over()) { pause(); return; }
    set({ steps: model.get("steps") + 1 });
  };
  const ground = choice({ label: "Landscape", options: Object.keys(LANDSCAPES), value: model.get("landscape"), onChange: (landscape) => { pause(); set({ landscape, steps: Math.min(model.get("steps"), 10) }); } });
  const rate = slider({
    label: "learning rate", min: -60, max: 14, value: stepOfRate(model.get("learning_rate")),
    // A rate that Python gave may lie between two steps.
    format: (step) => told(stepOfRate(model.get("learning_rate")) === step ? model.get("learning_rate") : rateAt(step)),
    onInput: (step) => { set({ learning_rate: rateAt(step) }); rate.set(step); },
  });
  const inertia = slider({ label: "momentum", min: 0, max: 0.98, step: 0.02, value: model.get("momentum"), format: (value) => String(Number(value.toFixed(2))), onInput: (value) => set({ momentum: Number(value.toFixed(2)) }) });
  const step = button({ label: "Step", onClick: () => { pause(); forward(); } });
  const run = button({ label: "Run", onClick: () => {
    if (running) { pause(); return; }
    if (over()) set({ steps: 0 });
    if (still()) { while (!over()) model.set("steps", model.get("steps") + 1); set({}); return; }
    run.textContent = "Pause";
    running = setInterval(forward, FRAME);
    forward();
  } });
  const reset = button({ label: "Reset", onClick: () => { pause(); set({ steps: 0 }); } });

  // ---- Pictures -------------------------------------------------------------------------------------------------
  const map = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", class: "uth-map" });
  const land = svg("g", {}), earlier = svg("polyline", { class: "uth-earlier" }), trail = svg("polyline", { class: "uth-trail" });
  const dots = svg("g", {}), first = svg("rect", { class: "uth-first", width: 10, height: 10 }), last = svg("circle", { class: "uth-last", r: 6 });
  const clip = `uth-clip-${Math.random().toString(36).slice(2)}`;
  map.append(svg("clipPath", { id: clip }, svg("rect", { x: LEFT, y: TOP, width: W - LEFT - RIGHT, height: H - TOP - FOOT })), land, svg("g", { "clip-path": `url(#${clip})` }, earlier, trail, dots, first, last));
  const numbers = tiles(["step", "loss", "slope", "place"]);
  const curve = lines({ series: [{ name: "loss", role: "loss", points: [[0, 0], [1, 1]] }], x_label: "step", y_label: "loss" });
  const about = h("p", { class: "uth-note" });
  const body = h("tbody", {}), head = h("tr", {});
  root.append(
    row(ground.node, step, run, reset),
    row(rate.node, inertia.node),
    h("div", { class: "uth-views" }, h("section", {}, map, about), h("section", {}, numbers.node, curve.node,
      h("p", { class: "uth-note" }, "■ start, ● now, × flat ground. The thin dashed way is that of the settings before."))),
    h("details", {}, h("summary", {}, "The last steps in numbers"), scrollable(h("table", {}, h("thead", {}, head), body), "The last steps in numbers")),
  );

  const scales = (landscape) => [
    (x) => LEFT + ((x - landscape.x[0]) / (landscape.x[1] - landscape.x[0])) * (W - LEFT - RIGHT),
    (y) => H - FOOT - ((y - landscape.y[0]) / (landscape.y[1] - landscape.y[0])) * (H - TOP - FOOT),
  ];
  const drawLand = (landscape) => {
    const [x, y] = scales(landscape);
    const at = (i, count, [low, high]) => low + (i / (count - 1)) * (high - low);
    const heights = new Float64Array(COLUMNS * ROWS);
    let [low, high] = [Infinity, -Infinity];
    for (let r = 0; r < ROWS; r++) {
      for (let c = 0; c < COLUMNS; c++) {
        const height = landscape.loss(at(c, COLUMNS, landscape.x), at(r, ROWS, landscape.y));
        heights[r * COLUMNS + c] = height;
        [low, high] = [Math.min(low, height), Math.max(high, height)];
      }
    }
    const rings = Array.from({ length: LEVELS - 1 }, (_, k) => low + (high - low) * ((k + 1) / LEVELS) ** 2);
    const px = (c) => x(at(c, COLUMNS, landscape.x)), py = (r) => y(at(r, ROWS, landscape.y));
    const text = (props, content) => svg("text", props, content);
    land.replaceChildren(
      svg("rect", { class: "uth-ground", x: LEFT, y: TOP, width: W - LEFT - RIGHT, height: H - TOP - FOOT }),
      ...rings.map((level, k) => svg("path", { class: "uth-ring", d: contour(heights, COLUMNS, ROWS, level, px, py), style: { opacity: 1 - 0.05 * k } })),
      ...landscape.lowest.map(([lx, ly]) => svg("path", { class: "uth-lowest", d: `M${x(lx) - 6} ${y(ly) - 6}l12 12m0 -12l-12 12` })),
      ...ticks(...landscape.x, 6).map((value) => text({ x: x(value), y: H - FOOT + 16, "text-anchor": "middle" }, String(value).replace("-", "−"))),
      ...ticks(...landscape.y, 4).map((value) => text({ x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, String(value).replace("-", "−"))),
      text({ x: (LEFT + W - RIGHT) / 2, y: H - 4, "text-anchor": "middle", class: "uth-axis-name" }, landscape.names[0]),
      svg("text", { transform: `translate(12 ${(TOP + H - FOOT) / 2}) rotate(-90)`, "text-anchor": "middle", class: "uth-axis-name" }, landscape.names[1]),
    );
    about.textContent = landscape.about;
    head.replaceChildren(...["step", ...landscape.names, "slope", "loss"].map((name) => h("th", { scope: "col" }, name)));
  };

  const draw = onceAFrame(() => {
    const name = model.get("landscape"), landscape = here(), [x, y] = scales(landscape);
    if (drawn !== name) { drawLand(landscape); drawn = name; before = null; earlier.setAttribute("points", ""); }
    const way = descend(landscape, ...settings(), model.get("steps")), n = way.path.length - 1;
    // What lies far outside is drawn at a distance that no browser stumbles over.
    const near = (value) => Math.max(-1e5, Math.min(1e5, value));
    const points = way.path.map(([px, py]) => [near(x(px)), near(y(py))]);
    const joined = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
    const key = settings().join();
    if (before && before.key !== key) earlier.setAttribute("points", before.joined);
    before = { key, joined };
    trail.setAttribute("points", joined);
    dots.replaceChildren(...points.slice(1, -1).map(([cx, cy]) => svg("circle", { cx, cy, r: 2.5 })));
    first.setAttribute("x", points[0][0] - 5);
    first.setAttribute("y", points[0][1] - 5);
    last.setAttribute("cx", points[n][0]);
    last.setAttribute("cy", points[n][1]);
    const sentence = describe(name, ...settings(), way);
    map.setAttribute("aria-label", `Map with contour lines. ${sentence}`);
    const place = way.path[n].map((value) => (Math.abs(value) > FAR ? "far away" : value.toFixed(2).replace("-", "−")));
    numbers.set([`${n}`, told(way.losses[n]), told(way.slopes[n]), place.includes("far away") ? "far away" : place.join(", ")]);
    curve.update({ series: [{ name: "loss", role: "loss", points: way.losses.map((loss, i) => [i, Math.min(loss, FAR)]) }], at: n, describe: `The loss at each step: ${sentence}` });
    const from = Math.max(0, n - 9);
    body.replaceChildren(...way.path.slice(from).map(([px, py], i) => h("tr", {}, [String(from + i), px.toPrecision(4), py.toPrecision(4), told(way.slopes[from + i]), told(way.losses[from + i])].map((text) => h("td", {}, text.replace("-", "−"))))));
    step.disabled = over();
    say(sentence);
  });
  draw();

  const stops = [
    follow(model, "landscape", (name) => { ground.set(name); draw(); }),
    follow(model, "learning_rate", (value) => { rate.set(stepOfRate(value)); draw(); }),
    follow(model, "momentum", (value) => { inertia.set(value); draw(); }),
    follow(model, "steps", () => draw()),
  ];
  return () => {
    clearTimeout(saving);
    clearInterval(running);
    draw.stop();
    stops.forEach((stop) => stop());
  };
}

export default { initialize, render };
