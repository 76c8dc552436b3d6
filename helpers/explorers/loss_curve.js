// The loss curve: records come from the kernel while it trains, everything else is worked out here.
import { button, choices, count, floats, follow, frame, fresh, h, initialize, kernelState, number, onceAFrame, plural, rounded, row, scrollable, slider, svg, ticks, toggle, written } from "./shared.js";

const FIELDS = 5, LAST = 20, NEAR = 0.1; // numbers of a record; plots.LAST, plots.NEAR
const SMOOTHING = [0, 5, 10, 20, 50, 100, 200, 500]; // steps
const STYLES = 6, FEW = 40; // looks that runs take turns in; points that are dotted
const QUIET = 5000, PATIENCE = 3000; // ms between two spoken lines; until a stop should have worked
const WHAT = [["loss", "loss"], ["learning_rate", "learning rate"], ["gradient_norm", "gradient norm"], ["tokens_per_second", "tokens/s"]];
const UNITS = { loss: "loss, nats per token", learning_rate: "learning rate", gradient_norm: "gradient norm", tokens_per_second: "tokens per second" };

// ---- Numbers: the same as in Python ----------------------------------------------------------------------------

/** Records as columns, from the bytes that the kernel sent (several parts, one behind the other). */
export function columns(...parts) {
  const all = parts.map(floats), n = all.reduce((sum, part) => sum + Math.floor(part.length / FIELDS), 0);
  const made = Array.from({ length: FIELDS }, () => new Float32Array(n));
  let at = 0;
  for (const part of all) for (let i = 0; i + FIELDS <= part.length; i += FIELDS, at++) for (let f = 0; f < FIELDS; f++) made[f][at] = part[i + f];
  const [step, loss, learning_rate, gradient_norm, tokens_per_second] = made;
  return { n, step, loss, learning_rate, gradient_norm, tokens_per_second };
}

/** `plots.running_mean`. */
export function runningMean(steps, values, window) {
  const n = steps.length, means = new Float64Array(n), total = new Float64Array(n + 1), known = new Float64Array(n + 1);
  for (let i = 0, first = 0; i < n; i++) {
    const fine = Number.isFinite(values[i]);
    total[i + 1] = total[i] + (fine ? values[i] : 0);
    known[i + 1] = known[i] + (fine ? 1 : 0);
    const after = steps[i] - Math.min(window, steps[i] / 4);
    while (first < i && steps[first] <= after) first++;
    means[i] = !fine ? NaN : window ? (total[i + 1] - total[first]) / Math.max(1, known[i + 1] - known[first]) : values[i];
  }
  return means;
}

const falling = (landmarks) => [...landmarks].sort((a, b) => b[1] - a[1]);
const listed = (names) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names.join(""));

/** `plots.among`; `landmarks` are [name, nats per token]. */
export function among(loss, landmarks) {
  const ladder = falling(landmarks), far = ([, height]) => Math.abs(Math.log(loss / height));
  const [nearest, height] = ladder.reduce((best, one) => (far(one) < far(best) ? one : best));
  if (Math.abs(loss / height - 1) < NEAR) return `near ${nearest}`;
  const above = ladder.filter((one) => one[1] > loss), below = ladder.filter((one) => one[1] <= loss);
  if (above.length && below.length) return `between ${above.at(-1)[0]} and ${below[0][0]}`;
  return below.length ? `above ${below[0][0]}` : `below ${above.at(-1)[0]}`;
}

function way(first, last, landmarks) {
  if (!(landmarks.length && first > 0 && last > 0)) {
    const change = first > 0 ? last / first : 1;
    return change < 1 - NEAR ? "falls" : change > 1 + NEAR ? "rises" : "stays where it began";
  }
  const ends = [first, last].map((loss) => among(loss, landmarks));
  if (ends[0] === ends[1]) return `begins and ends ${ends[0]}`;
  const passed = landmarks.filter(([, height]) => height > Math.min(first, last) && height < Math.max(first, last));
  passed.sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
  if (last <= first) passed.reverse();
  const names = passed.map(([name]) => name).filter((name) => !ends.includes(`near ${name}`));
  return `begins ${ends[0]}${names.length ? `, passes ${listed(names)},` : ""} and ends ${ends[1]}`;
}

/** The steps and means of a run where they are numbers: what its row and its sentence are made of. */
function known(run) {
  const means = runningMean(run.step, run.loss, LAST), at = [];
  for (let i = 0; i < run.n; i++) if (Number.isFinite(means[i])) at.push(i);
  let best = at[0];
  for (const i of at) if (means[i] < means[best]) best = i;
  return { first: means[at[0]], last: means[at.at(-1)], best: means[best], bestStep: run.step[best], raw: run.loss[at[0]], none: at.length === 0 };
}

/** `loss_curve.outcome`. */
export function outcome(state, n, lastStep, planned) {
  if (state === "given" || state === "added") return plural(n, "point");
  if (state === "finished") return `finished after ${plural(n, "step")}`;
  const verb = { running: "running,", failed: "failed after" }[state] ?? `${state} at`;
  return `${verb} step ${count(lastStep)}${planned ? ` of ${count(planned)}` : ""}`;
}
const lastStep = (run) => (run.n ? run.step[run.n - 1] : 0);
const outcomeOf = (run) => outcome(run.state, run.n, lastStep(run), run.planned);

/** `plots.describe_losses` with the outcomes: runs are columns with a name, a state and the steps planned. */
export function describeLosses(runs, landmarks, exact) {
  const ladder = falling(landmarks).map(([name, height]) => `${name} at ${rounded(height, 2)}`);
  const told = [`Loss in nats per token${ladder.length ? `, with ${listed(ladder)}` : ""}.`];
  if (!runs.length) told.push("No run yet.");
  for (const run of runs) {
    const { first, last, best, bestStep, none } = known(run);
    const head = `${run.name}, ${outcomeOf(run)}:`;
    if (none) told.push(`${head} ${run.n ? "no loss that is a number" : "no step yet"}.`);
    else told.push(`${head} ${way(first, last, landmarks)}${exact ? `, from ${rounded(first, 2)} to ${rounded(last, 2)}, lowest ${rounded(best, 2)} at step ${count(bestStep)}` : ""}.`);
  }
  return told.join(" ");
}

/** `loss_curve.summary`. */
export function summary(run, floor) {
  const { raw, last, best, bestStep, none } = known(run);
  const speeds = Array.from(run.tokens_per_second).filter(Number.isFinite).sort((a, b) => a - b), half = speeds.length >> 1;
  return {
    name: run.name, outcome: outcomeOf(run), n_steps: run.n, first: none ? NaN : raw, last: none ? NaN : last, best: none ? NaN : best,
    best_step: none ? 0 : bestStep, ratio: none || !floor ? NaN : last / floor,
    tokens_per_second: !speeds.length ? NaN : speeds.length % 2 ? speeds[half] : (speeds[half - 1] + speeds[half]) / 2,
  };
}

/** `plots.spread`. */
export function spread(wanted, gap, low, high) {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const apart = Math.min(gap, (high - low) / Math.max(1, order.length - 1)), places = [...wanted];
  let least = low, most = high;
  for (const i of order) { places[i] = Math.max(wanted[i], least); least = places[i] + apart; }
  for (const i of order.reverse()) { places[i] = Math.min(places[i], most); most = places[i] - apart; }
  return places;
}

// ---- Drawing numbers: nothing here touches the page --------------------------------------------------------------

/**
 * An SVG path through points, of which each column of pixels keeps the first, the lowest, the highest and the last:
 * it looks the same, however many points there are. A point that is no number leaves a gap.
 */
export function path(xs, ys) {
  const drawn = [];
  let column = NaN, kept = [], broken = true;
  const flush = () => {
    if (!kept.length) return;
    let low = kept[0], high = kept[0];
    for (const i of kept) { if (ys[i] < ys[low]) low = i; if (ys[i] > ys[high]) high = i; }
    for (const i of new Set([kept[0], Math.min(low, high), Math.max(low, high), kept.at(-1)])) {
      drawn.push(`${broken ? "M" : "L"}${xs[i].toFixed(1)} ${ys[i].toFixed(1)}`);
      broken = false;
    }
    kept = [];
  };
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) { flush(); broken = true; column = NaN; continue; }
    const here = Math.floor(xs[i]);
    if (here !== column) { flush(); column = here; }
    kept.push(i);
  }
  flush();
  return drawn.join("");
}

/** Where a value stands on an axis from `low` to `high`; NaN for what a logarithmic axis can't show. */
export function scale(low, high, from, to, log) {
  if (!log) return (value) => from + ((value - low) / (high - low)) * (to - from);
  const start = Math.log(low), whole = Math.log(high) - start;
  return (value) => (value > 0 ? from + ((Math.log(value) - start) / whole) * (to - from) : NaN);
}

/** Round numbers for an axis: on a logarithmic one 1, 2, 5, 10, or where those are few, more of them. */
export function axisTicks(low, high, about, log) {
  if (!log) return ticks(low, high, about);
  for (const digits of [[1], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) for (const digit of digits) {
      const value = Number((digit * 10 ** power).toPrecision(3));
      if (value >= low && value <= high) found.push(value);
    }
    if (found.length >= Math.min(4, about)) return found;
    if (digits.length === 9) return found.length > 1 ? found : ticks(low, high, about);
  }
  return [];
}

/** The ends of the upright axis. A run that blows up leaves through the top, and the others stay readable; where runs begin (`firsts`) is seen. */
export function heights(values, landmarks, log, firsts = []) {
  const all = [...values, ...landmarks].filter((value) => Number.isFinite(value) && (!log || value > 0));
  const low = Math.min(...all), tallest = Math.max(...all);
  const high = landmarks.length ? Math.min(tallest, Math.max(2 * Math.max(...landmarks), ...firsts.filter(Number.isFinite))) : tallest;
  if (!all.length || !(high > 0)) return log ? [0.1, 10] : [0, 1];
  return log ? [0.88 * low, 1.12 * high] : [0, 1.06 * high];
}

/** The last record at or before a step; −1 where there is none. */
export function before(steps, step) {
  let low = 0, high = steps.length;
  while (low < high) { const middle = (low + high) >> 1; if (steps[middle] <= step) low = middle + 1; else high = middle; }
  return low - 1;
}

// ---- The page ----------------------------------------------------------------------------------------------------

const nats = (value) => (Number.isFinite(value) ? written(value, value < 0.1 ? 4 : 3) : "–");
const short = (value) => (Number.isFinite(value) ? number(value) : "–");
const axisText = (value) => (value >= 1000 ? count(value) : String(value));
const sample = (i) => svg("svg", { viewBox: "0 0 40 10", class: "uth-sample", "aria-hidden": "true" }, svg("line", { class: `uth-run uth-run-${i % STYLES}`, x1: 1, x2: 39, y1: 5, y2: 5 }));

function render({ model, el }) {
  const { root, say, complain } = frame(el, "loss-curve");
  el.dataset.answers = "browser";
  const get = (name) => model.get(name);
  // The view is the browser's own: nothing is sent, because the kernel is busy with training, and two threads there
  // would set traits at once. A saved notebook keeps it all the same.
  const set = (values) => { for (const [name, value] of Object.entries(values)) model.set(name, value); draw(); };

  // ---- The runs, as columns
  let runs = [], wholes = [];
  function take() {
    const data = get("data"), news = get("news");
    runs = get("runs").map((about, i) => {
      const key = [data[i], news[i]], old = runs[i];
      const same = old && old.key[0] === key[0] && old.key[1] === key[1];
      const parts = key.filter(Boolean);
      return { ...(same ? old : { ...columns(...parts), key, means: {} }), ...about, number: i };
    });
  }
  const mean = (run, what, window) => (run.means[`${what} ${window}`] ??= runningMean(run.step, run[what], window));
  const visible = () => runs.filter((run) => !get("hidden").includes(run.name));
  const floor = () => get("landmarks").find(([name]) => name.toLowerCase().includes("floor"))?.[1];

  // ---- The run that goes on
  let pressed = 0, pressedAt = 0, spoken = 0, told = "", line = null;
  // On a line of its own, which the kernel answers in a thread of its own; loss_curve.py says why. A front end that
  // has no such lines sends the plain message, and a kernel that is busy hears it later.
  async function call(content) {
    model.send(content);
    try {
      if (line && !line.isDisposed) return line.send(content);
      line = model.widget_manager?.kernel?.createComm?.("under-the-hood.stop");
      if (!line) return;
      await Promise.race([line.subshellStarted, new Promise((done) => setTimeout(done, 1000))]);
      line.open(content); // and left open: its thread may not end while a message is on its way
    } catch {
      line = null; // the plain message is on its way, and progress() says what else to do
    }
  }
  const running = () => runs.findLast((run) => run.state === "running");
  const stop = button({
    label: "Stop", onClick: () => {
      const run = running();
      if (!run || kernelState(model, el) === "gone") return;
      if (pressed !== run.number + 1) {
        pressed = run.number + 1;
        pressedAt = performance.now();
        call({ stop: pressed, curve: get("key") });
      }
      say(`Stopping ${run.name} after the step it is at …`);
      progress();
    },
  });
  const bar = h("progress", { "aria-label": "steps done" }), live = h("span", { class: "uth-live" });
  const going = h("div", { class: "uth-going" }, stop, bar, live);
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  function progress() {
    const run = running(), gone = run && kernelState(model, el) === "gone", had = document.activeElement === stop;
    going.hidden = !run;
    if (!run) {
      if (had) reader.input.focus(); // the button is gone: the keyboard goes on below
      pressed = 0;
      complain("");
      return;
    }
    const i = run.n - 1, stopping = pressed === run.number + 1;
    put(live, [
      `${run.name}: step ${count(lastStep(run))}${run.planned ? ` of ${count(run.planned)}` : ""}`,
      ...(run.n ? [`${nats(run.loss[i])} nats`] : []),
      ...(run.n && Number.isFinite(run.tokens_per_second[i]) ? [`${count(Number(run.tokens_per_second[i].toPrecision(3)))} tokens/s`] : []),
    ].join(" · "));
    bar.hidden = !run.planned;
    bar.max = run.planned || 1;
    bar.value = Math.min(bar.max, lastStep(run));
    put(stop, stopping && !gone ? "Stopping …" : "Stop");
    if (gone || stopping) stop.setAttribute("aria-disabled", "true");
    else stop.removeAttribute("aria-disabled");
    if (gone) {
      say("");
      complain("The kernel has gone, and the run with it. What was drawn stays. To train again, run the cell again (Shift+Enter).");
    } else if (stopping && performance.now() - pressedAt > PATIENCE) {
      complain("The run has not stopped yet: a step may take long, or this front end says nothing to a busy kernel. The square ■ in the toolbar (interrupt the kernel) ends it too, and what is drawn stays.");
    } else complain("");
    const now = performance.now();
    if (run.n && !gone && !stopping && now - spoken > QUIET) {
      spoken = now;
      const place = get("landmarks").length && run.loss[i] > 0 ? `, ${among(run.loss[i], get("landmarks"))}` : "";
      say(`${run.name}: step ${count(lastStep(run))}${run.planned ? ` of ${count(run.planned)}` : ""}, loss ${nats(run.loss[i])} nats per token${place}.`);
    }
  }
  function verdict() {
    const run = runs.at(-1);
    if (running()) return;
    if (!run) return say("No run yet: it is drawn here while curve.watch(…) goes on.");
    const best = runs.filter((one) => one.state === "given").map((one) => summary(one, floor())).reduce((low, one) => (one.last < low.last ? one : low), { last: Infinity });
    if (runs.length > 1 && runs.every((one) => one.state === "given")) {
      return say(`${runs.length} runs${Number.isFinite(best.last) ? `. Lowest at the end: ${best.name}, ${nats(best.last)} nats per token${best.ratio ? `, ${written(best.ratio, 2)} × the floor` : ""}` : ""}.`);
    }
    const { last, ratio } = summary(run, floor()), place = get("landmarks").length && last > 0 ? `, ${among(last, get("landmarks"))}` : "";
    say(`${run.name}, ${outcomeOf(run)}${Number.isFinite(last) ? `: loss ${nats(last)} nats per token${place}${Number.isFinite(ratio) ? `, ${written(ratio, 2)} × the floor` : ""}` : ""}.${run.said ? ` It said: ${run.said}.` : ""}`);
  }

  // ---- Controls
  const what = choices({ label: "Show", options: WHAT, value: get("what"), onChange: (key) => set({ what: key }) });
  const smooth = slider({
    label: "Mean of the last", min: 0, max: SMOOTHING.length - 1, value: SMOOTHING.indexOf(get("smoothing")),
    format: (i) => (SMOOTHING[i] ? `${SMOOTHING[i]} steps` : "off"), onInput: (i) => set({ smoothing: SMOOTHING[i] }),
  });
  const upright = toggle({ label: "log axis upwards", value: get("log_loss"), onChange: (on) => set({ log_loss: on }) });
  const across = toggle({ label: "log axis for steps", value: get("log_steps"), onChange: (on) => set({ log_steps: on }) });
  const picks = h("fieldset", { class: "uth-picks" }, h("legend", {}, "Runs"));
  let picked = "";
  function pickers() {
    const names = runs.map((run) => run.name), key = JSON.stringify([names, get("hidden")]);
    picks.hidden = names.length < 2;
    if (key === picked) return;
    picked = key;
    const focused = picks.contains(document.activeElement) ? document.activeElement.dataset.run : undefined;
    picks.replaceChildren(picks.firstChild, ...names.map((name, i) => {
      const one = toggle({ label: name, value: !get("hidden").includes(name), onChange: (on) => set({ hidden: on ? get("hidden").filter((other) => other !== name) : [...get("hidden"), name] }) });
      one.input.dataset.run = name;
      one.node.append(sample(i));
      return one.node;
    }));
    if (focused !== undefined) [...picks.querySelectorAll("input")].find((input) => input.dataset.run === focused)?.focus();
  }

  // ---- The chart
  const chart = h("div", { class: "uth-lines uth-chart" }), legend = h("p", { class: "uth-key" });
  let width = 0, axes = null, clip = fresh(), cursor = null, hover = null;
  const letters = 6.5; // px, about, of a letter at 12 px
  function drawChart() {
    if (!width) return;
    const shown = visible(), key = get("what"), window = get("smoothing"), [logY, logX] = [get("log_loss"), get("log_steps")];
    const landmarks = key === "loss" ? get("landmarks") : [];
    const lines = shown.map((run) => ({ run, raw: run[key], means: mean(run, key, window) }));
    const labels = [
      ...landmarks.map(([name, value]) => ({ value, text: `${name} ${rounded(value, 2)}`, kind: name.toLowerCase().includes("floor") ? "uth-floor" : "uth-landmark" })),
      ...lines.flatMap(({ run, means }) => { const i = means.findLastIndex(Number.isFinite); return i < 0 ? [] : [{ value: means[i], step: run.step[i], text: run.name, kind: `uth-name uth-run-${run.number % STYLES}` }]; }),
    ];
    const gutter = labels.length ? Math.min(0.36 * width, 26 + letters * Math.max(...labels.map((one) => one.text.length))) : 14;
    const height = Math.round(Math.min(430, Math.max(270, 0.46 * width))), left = 54, top = 12, foot = height - 40, right = width - gutter;
    const first = Math.min(...shown.filter((run) => run.n).map((run) => run.step[0])), planned = Math.max(0, ...shown.filter((run) => run.state === "running").map((run) => run.planned));
    const x0 = logX ? Math.max(1, Number.isFinite(first) ? first : 1) : 0;
    const x1 = Math.max(x0 + 1, planned, runs.length ? 0 : get("steps"), ...shown.map(lastStep));
    let low = Infinity, high = -Infinity; // thousands of arguments are too many for Math.max
    for (const { means } of lines) for (const value of means) if (Number.isFinite(value) && (!logY || value > 0)) { if (value < low) low = value; if (value > high) high = value; }
    const [y0, y1] = heights([low, high], landmarks.map((one) => one[1]), logY, lines.map(({ means }) => means.find(Number.isFinite)));
    const x = scale(x0, x1, left, right, logX), y = scale(y0, y1, foot, top, logY);
    const keep = (value) => Math.max(-2000, Math.min(4000, value)); // a path that leaves far through the top
    const curve = (run, values) => path(Float64Array.from(run.step, x), Float64Array.from(values, (value) => (Number.isFinite(value) ? keep(y(value)) : NaN)));
    const fit = (text) => { const most = Math.floor((gutter - 22) / letters); return text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text; };
    const places = spread(labels.map((one) => Math.max(top, Math.min(foot, y(one.value)))), 15, top, foot);
    const tick = (value, props) => svg("text", props, axisText(value));
    const describe = key === "loss" ? describeLosses(shown, landmarks, get("exact")) : `${WHAT.find(([one]) => one === key)[1]} over steps: ${shown.map((run) => `${run.name} ${short(run[key][run.n - 1])} at the end`).join(", ") || "no run"}.`;
    const xTicks = axisTicks(x0, x1, width < 500 ? 4 : 8, logX).filter(Number.isInteger);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": describe },
      svg("clipPath", { id: clip }, svg("rect", { x: left, y: top - 4, width: Math.max(0, right - left), height: foot - top + 6 })),
      axisTicks(y0, y1, 6, logY).map((value) => [svg("line", { class: "uth-grid", x1: left, x2: right, y1: y(value), y2: y(value) }), tick(value, { x: left - 6, y: y(value) + 4, "text-anchor": "end" })]),
      xTicks.map((value) => [svg("line", { class: "uth-axis", x1: x(value), x2: x(value), y1: foot, y2: foot + 4 }), tick(value, { x: x(value), y: foot + 17, "text-anchor": "middle" })]),
      svg("line", { class: "uth-axis", x1: left, x2: right, y1: foot, y2: foot }),
      svg("text", { class: "uth-axis-name", x: (left + right) / 2, y: height - 5, "text-anchor": "middle" }, "step"),
      svg("text", { class: "uth-axis-name", transform: `translate(12 ${(top + foot) / 2}) rotate(-90)`, "text-anchor": "middle" }, UNITS[key]),
      labels.map((one, i) => {
        const at = Math.max(top, Math.min(foot, y(one.value))), from = one.step === undefined ? left : x(one.step);
        return svg("g", { class: one.kind },
          svg("line", { class: one.step === undefined ? "uth-level" : "uth-lead", x1: Number.isFinite(from) ? from : left, x2: right, y1: at, y2: at }),
          svg("line", { class: "uth-lead", x1: right, x2: right + 12, y1: at, y2: places[i] }),
          svg("text", { x: right + 15, y: places[i] + 4 }, fit(one.text)));
      }),
      svg("g", { "clip-path": `url(#${clip})` },
        window ? lines.map(({ run, raw }) => svg("path", { class: `uth-raw uth-run-${run.number % STYLES}`, d: curve(run, raw) })) : null,
        lines.map(({ run, means }) => svg("path", { class: `uth-run uth-run-${run.number % STYLES}`, d: curve(run, means) })),
        lines.filter(({ run }) => run.n <= FEW && (run.state === "given" || run.state === "added")).map(({ run, means }) => Array.from(means, (value, i) => Number.isFinite(y(value)) && svg("circle", { class: `uth-dot uth-run-${run.number % STYLES}`, r: 3.5, cx: x(run.step[i]), cy: keep(y(value)) })))),
      !runs.length || !shown.length ? svg("text", { class: "uth-none", x: (left + right) / 2, y: (top + foot) / 2, "text-anchor": "middle" }, runs.length ? "no run is chosen" : "no run yet") : null,
    );
    axes = { x, y, x0, x1, left, right, top, foot, logX, lines, picture, mark: svg("g", { class: "uth-cursor" }) };
    picture.append(axes.mark);
    chart.replaceChildren(picture);
    put(legend, window ? `Strong lines: the mean of the last ${window} steps (at first, of the last quarter). Faint lines: every step.` : "Every step is drawn, no mean is taken.");
  }

  // ---- Reading one step
  const reader = slider({ label: "Read at step", min: 0, max: 1, value: 1, format: count, onInput: (step) => { cursor = step < Number(reader.input.max) ? step : null; hover = null; drawCursor(); } });
  const reading = h("div", { class: "uth-reading" }), readBox = h("div", { class: "uth-reader" }, row(reader.node), reading);
  const ends = () => { const used = visible().filter((run) => run.n); return used.length ? [Math.min(...used.map((run) => run.step[0])), Math.max(...used.map(lastStep))] : null; };
  const has = (used, key) => used.some((run) => run[key].some(Number.isFinite));
  function drawCursor() {
    const range = ends();
    readBox.hidden = !range;
    if (!range || !axes) { axes?.mark.replaceChildren(); return; }
    [reader.input.min, reader.input.max] = range.map(String);
    const chosen = Math.min(range[1], Math.max(range[0], cursor ?? range[1])), step = Math.min(range[1], Math.max(range[0], hover ?? chosen));
    if (Number(reader.input.value) !== chosen || reader.node.lastChild.textContent !== count(chosen)) reader.set(chosen);
    const at = axes.x(step), { top, foot, y, lines } = axes;
    axes.mark.replaceChildren(...(Number.isFinite(at) ? [svg("line", { class: "uth-mark", x1: at, x2: at, y1: top, y2: foot }),
      ...lines.flatMap(({ run, means }) => {
        const i = before(run.step, step), high = i < 0 ? NaN : y(means[i]);
        return Number.isFinite(high) && high >= top - 4 && Number.isFinite(axes.x(run.step[i])) ? [svg("circle", { class: `uth-dot uth-run-${run.number % STYLES}`, r: 4.5, cx: axes.x(run.step[i]), cy: high })] : [];
      })] : []));
    const used = visible().filter((run) => run.n), window = get("smoothing");
    const fields = [
      ["loss, nats", (run, i) => nats(run.loss[i])], ["in bits", (run, i) => nats(run.loss[i] / Math.LN2)],
      ...(window ? [[`mean of ${window}`, (run, i) => nats(mean(run, "loss", window)[i])]] : []),
      ...WHAT.slice(1).filter(([key]) => has(used, key)).map(([key, name]) => [name, (run, i) => short(key === "tokens_per_second" ? Number(run[key][i].toPrecision(3)) : run[key][i])]),
    ];
    const head = [`step ${count(step)}`, ...fields.map(([name]) => name)];
    const cells = used.map((run) => {
      const i = before(run.step, step), over = step > lastStep(run) && run.state !== "running";
      const late = i >= 0 && run.step[i] !== step ? ` at ${count(run.step[i])}` : "";
      return [`${run.name}${late}${over ? ", its last" : ""}`, ...fields.map(([, tell]) => (i < 0 ? "–" : tell(run, i)))];
    });
    fill(reading, "What the curves read at one step", head, cells, used.map((run) => run.number));
  }
  // A table that is there already keeps its nodes: ten updates a second cost little, and a reader is not thrown out of it.
  function fill(box, name, head, rows, numbers) {
    const shape = JSON.stringify([head.length, numbers]);
    if (box.dataset.shape !== shape) {
      box.dataset.shape = shape;
      const table = h("table", { class: "uth-numbers" }, h("thead", {}, h("tr", {}, head.map(() => h("th", { scope: "col" })))),
        h("tbody", {}, rows.map((cells, r) => h("tr", {}, cells.map((_, c) => (c ? h("td", {}) : h("th", { scope: "row" }, sample(numbers[r]), h("span", {}))))))));
      box.replaceChildren(scrollable(table, name));
    }
    const [first, ...others] = box.querySelectorAll("tr");
    head.forEach((text, c) => put(first.children[c], text));
    rows.forEach((cells, r) => cells.forEach((text, c) => put(c ? others[r].children[c] : others[r].firstChild.lastChild, text)));
  }
  const under = (event) => {
    if (!axes) return null;
    const box = axes.picture.getBoundingClientRect(), share = (((event.clientX - box.left) / box.width) * width - axes.left) / (axes.right - axes.left);
    if (share < -0.02 || share > 1.02) return null;
    return Math.round(axes.logX ? axes.x0 * (axes.x1 / axes.x0) ** share : axes.x0 + share * (axes.x1 - axes.x0));
  };
  chart.addEventListener("pointermove", (event) => { hover = under(event); soon(); });
  chart.addEventListener("pointerleave", () => { hover = null; soon(); });
  chart.addEventListener("click", (event) => { const step = under(event), range = ends(); if (step !== null && range) { cursor = step < range[1] ? step : null; hover = null; soon(); } });
  const soon = onceAFrame(drawCursor);

  // ---- The table
  const table = h("div", {}), titled = h("summary", {});
  const details = h("details", { class: "uth-runs" }, titled, table);
  function drawTable() {
    details.hidden = !runs.length;
    put(titled, runs.length === 1 ? "The run in numbers" : "The runs in numbers");
    if (!runs.length || !details.open) return;
    const all = runs.map((run) => summary(run, floor())), fields = [
      ["steps", (one) => count(one.n_steps)], ["first loss", (one) => nats(one.first)], [`last, mean of ${LAST}`, (one) => nats(one.last)],
      ["in bits", (one) => nats(one.last / Math.LN2)], ["lowest mean", (one) => (one.best_step ? `${nats(one.best)} at ${count(one.best_step)}` : "–")],
      ...(floor() ? [["× the floor", (one) => (Number.isFinite(one.ratio) ? written(one.ratio, 2) : "–")]] : []),
      ...(has(runs, "tokens_per_second") ? [["tokens/s", (one) => (Number.isFinite(one.tokens_per_second) ? count(Number(one.tokens_per_second.toPrecision(3))) : "–")]] : []),
      ["how it went", (one, i) => `${one.outcome}${runs[i].said ? `: ${runs[i].said}` : ""}`],
    ];
    fill(table, "The runs in numbers", ["run", ...fields.map(([name]) => name)], all.map((one, i) => [one.name, ...fields.map(([, tell]) => tell(one, i))]), runs.map((run) => run.number));
  }
  details.addEventListener("toggle", drawTable);

  root.append(going, row(what.node, smooth.node), row(upright.node, across.node, picks), chart, legend, readBox, details);

  // ---- Drawing
  const draw = onceAFrame(() => {
    what.set(get("what"));
    what.node.hidden = runs.length > 0 && !running() && !WHAT.slice(1).some(([key]) => has(runs, key));
    smooth.set(Math.max(0, SMOOTHING.indexOf(get("smoothing"))));
    upright.set(get("log_loss"));
    across.set(get("log_steps"));
    pickers();
    drawChart();
    drawCursor();
    drawTable();
    progress();
    const states = JSON.stringify([get("runs"), get("landmarks")]);
    if (states !== told) { told = states; spoken = 0; verdict(); }
  });
  const taken = () => { take(); draw(); };
  const watch = new ResizeObserver(() => {
    const now = Math.floor(chart.clientWidth);
    if (now && now !== width) { width = now; draw(); }
  });
  watch.observe(chart);
  const alive = function () {
    if (this?.model?.comm_live === false) el.dataset.gone = "true";
    progress();
  };
  model.on("comm_live_update", alive);
  const clock = setInterval(() => { if (running()) progress(); }, 1000);
  taken();
  const stops = [
    ...["runs", "data", "news", "landmarks", "steps", "exact"].map((name) => follow(model, name, taken)),
    ...["what", "smoothing", "log_loss", "log_steps", "hidden"].map((name) => follow(model, name, draw)),
  ];
  return () => { clearInterval(clock); draw.stop(); soon.stop(); watch.disconnect(); model.off("comm_live_update", alive); stops.forEach((end) => end()); };
}

export default { initialize, render };
