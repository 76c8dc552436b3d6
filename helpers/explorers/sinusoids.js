// The sinusoid explorer: the table, its curves and its dot products, all worked out here, without a kernel.
import { baseAt, choice, count, follow, frame, h, initialize, kernelState, number, onceAFrame, row, slider, stepOf, svg, ticks, written } from "./shared.js";

const WIDEST = 128, FINEST = 80; // dimensions; steps of the base's slider, 20 for every power of ten
const SAVE = 250; // ms of quiet after which Python is told

// ---- Numbers: the same as in Python ----------------------------------------------------------------------------

/** `helpers.positions.sinusoid_table`, its rows (positions) one after the other. */
export function sinusoidTable(n, d, base) {
  const table = new Float64Array(n * d);
  for (let i = 0; i < d; i += 2) {
    const speed = base ** (-i / d);
    for (let p = 0; p < n; p++) {
      table[p * d + i] = Math.sin(p * speed);
      table[p * d + i + 1] = Math.cos(p * speed);
    }
  }
  return table;
}

/** After how many positions a dimension comes round again. */
export const wavelength = (dimension, d, base) => 2 * Math.PI * base ** ((dimension - (dimension % 2)) / d);

/** The dot product of one position's vector with the vector of every position. */
export function dotProducts(table, d, position) {
  const own = table.subarray(position * d, (position + 1) * d);
  return Float64Array.from({ length: table.length / d }, (_, p) => {
    let sum = 0;
    for (let i = 0; i < d; i++) sum += own[i] * table[p * d + i];
    return sum;
  });
}

/** The same from the distance alone: every pair of dimensions gives the cosine of its angle. */
export function dotAt(distance, d, base) {
  let sum = 0;
  for (let i = 0; i < d; i += 2) sum += Math.cos(distance * base ** (-i / d));
  return sum;
}

/** What is shown, in a sentence: `Sinusoids.describe`. */
export function describe({ n, d, base, position }, table) {
  let told = `${n} positions, d_model ${d}, base ${count(base)}: dimensions 0 and 1 turn once in ${number(wavelength(0, d, base))} positions`;
  if (d > 2) told += `, dimensions ${d - 2} and ${d - 1} once in ${number(wavelength(d - 1, d, base))}`;
  const own = dotProducts(table, d, position), near = position ? position - 1 : 1;
  told += `. The dot product of position ${position} with itself is ${written(own[position])}, with a neighbour ${written(own[near] / own[position])} of that.`;
  const apart = Math.min(8, n - 2);
  if (apart) {
    const [first, last] = [0, n - 1 - apart].map((p) => written(dotProducts(table, d, p)[p + apart] / own[position]));
    told += ` Positions 0 and ${apart} give ${first} of it, ${n - 1 - apart} and ${n - 1} give ${last}: distance alone decides.`;
  }
  return told;
}

/** One cell of the table, worked out before the reader's eyes. */
export function cell({ d, base }, table, position, dimension) {
  const wave = dimension % 2 ? "cos" : "sin", slow = base ** ((dimension - (dimension % 2)) / d);
  return `position ${position}, dimension ${dimension}: ${wave}(${position} / ${number(slow)}) = ${written(table[position * d + dimension])}`;
}

/** 256 colours from −1 to 1 as [red, green, blue], mixed from stops like "#B24700". */
export function palette(stops) {
  const parts = stops.map((stop) => [1, 3, 5].map((i) => parseInt(stop.slice(i, i + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(at));
    return parts[low].map((part, c) => Math.round(part + (at - low) * (parts[low + 1][c] - part)));
  });
}

// ---- The page --------------------------------------------------------------------------------------------------

const told = (value) => written(value, 0);

/** Lines over an axis whose ends are given. Gives { node, resized, draw({ x, y, series, dots, at, describe }) }. */
function chart(x_label, y_label, resized) {
  const node = h("div", { class: "uth-lines" });
  let width = 420;
  const watch = new ResizeObserver(([{ contentRect }]) => {
    const now = Math.round(Math.max(240, contentRect.width));
    if (contentRect.width && now !== width) { width = now; resized(); }
  });
  watch.observe(node);
  const draw = ({ x: [x0, x1], y: [y0, y1], series, dots = [], at, describe: about }) => {
    const height = 182, left = 46, right = 10, top = 8, bottom = 38;
    const x = (value) => left + ((value - x0) / (x1 - x0)) * (width - left - right);
    const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": about });
    for (const value of ticks(y0, y1, 4)) {
      picture.append(svg("line", { class: "uth-grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, String(value).replace("-", "−")));
    }
    for (const value of ticks(x0, x1, width < 340 ? 4 : 8).filter(Number.isInteger)) picture.append(svg("text", { x: x(value), y: height - bottom + 16, "text-anchor": "middle" }, told(value)));
    picture.append(svg("line", { class: "uth-axis", x1: left, x2: width - right, y1: y(Math.max(y0, 0)), y2: y(Math.max(y0, 0)) }),
      svg("line", { class: "uth-mark", x1: x(at), x2: x(at), y1: top, y2: height - bottom }),
      svg("text", { class: "uth-axis-name", x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, x_label),
      svg("text", { class: "uth-axis-name", transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, y_label));
    for (const { name, points } of series) picture.append(svg("polyline", { class: `uth-line ${name}`, points: points.map((p) => `${x(p[0]).toFixed(2)},${y(p[1]).toFixed(2)}`).join(" ") }));
    for (const { name, points, r } of dots) for (const p of points) picture.append(svg("circle", { class: `uth-dot ${name}`, r, cx: x(p[0]), cy: y(p[1]) }));
    node.replaceChildren(picture);
  };
  return { node, draw, stop: () => watch.disconnect() };
}

/** The table as colours. `picked(position)` hears of a click or Enter, `read(position, dimension)` of the cell under the pointer. */
function heatmap({ resized, read, picked, about }) {
  const left = 46, top = 38;
  const canvas = h("canvas", { "aria-hidden": "true" });
  const over = svg("svg", { "aria-hidden": "true" });
  const node = h("div", { class: "uth-map", role: "application", tabindex: "0", "aria-label": about, "data-lm-suppress-shortcuts": "true" }, canvas, over);
  let width = 420, size = { n: 1, d: 1 }, at = null;
  const watch = new ResizeObserver(([{ contentRect }]) => {
    const now = Math.round(Math.max(200, contentRect.width));
    if (contentRect.width && now !== width) { width = now; resized(); }
  });
  watch.observe(node);
  const go = (position, dimension) => {
    at = [position, dimension].map((value, i) => Math.min([size.n, size.d][i] - 1, Math.max(0, value)));
    read(...at);
  };
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    const [across, down] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (across < 0 || across >= 1 || down < 0 || down >= 1) return false;
    go(Math.floor(down * size.n), Math.floor(across * size.d));
    return true;
  };
  node.addEventListener("pointermove", under);
  node.addEventListener("click", (event) => { if (under(event)) picked(at[0]); });
  node.addEventListener("keydown", (event) => {
    const [p, i] = at ?? [size.position, 0];
    const to = { ArrowUp: [p - 1, i], ArrowDown: [p + 1, i], ArrowLeft: [p, i - 1], ArrowRight: [p, i + 1], Home: [p, 0], End: [p, size.d - 1], PageUp: [p - 8, i], PageDown: [p + 8, i] }[event.key];
    if (!to && event.key !== "Enter" && event.key !== " ") return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (!to) picked(p);
    else go(...(at ? to : [p, i])); // the first key shows where the reading begins
  });
  const draw = ({ n, d, position, chosen, table, colours }) => {
    size = { n, d, position };
    if (at) at = [Math.min(n - 1, at[0]), Math.min(d - 1, at[1])];
    if (canvas.width !== d || canvas.height !== n) { canvas.width = d; canvas.height = n; }
    const pen = canvas.getContext("2d"), pixels = pen.createImageData(d, n), whole = new Uint32Array(pixels.data.buffer);
    for (let i = 0; i < table.length; i++) whole[i] = colours[Math.round(127.5 * (table[i] + 1))];
    pen.putImageData(pixels, 0, 0);
    const wide = width - left - 6, tall = width < 440 ? 320 : 400, x = (i) => left + (i / d) * wide, y = (p) => top + (p / n) * tall;
    for (const [name, value] of Object.entries({ left, top, width: wide, height: tall })) canvas.style.setProperty(name, `${value}px`);
    const mark = (name, [px, py, w, t]) => [`${name} uth-halo`, name].map((style) => svg("rect", { class: style, x: px, y: py, width: w, height: t }));
    const middle = (share, value) => share(value + 0.5);
    const places = (most) => ticks(0, most - 1, 8).filter(Number.isInteger);
    over.setAttribute("viewBox", `0 0 ${width} ${top + tall + 12}`);
    over.replaceChildren(
      svg("text", { class: "uth-axis-name", x: left + wide / 2, y: 12, "text-anchor": "middle" }, "dimension"),
      svg("text", { class: "uth-axis-name", transform: `translate(12 ${top + tall / 2}) rotate(-90)`, "text-anchor": "middle" }, "position"),
      ...places(d).map((i) => svg("text", { x: middle(x, i), y: top - 8, "text-anchor": "middle" }, String(i))),
      ...places(n).map((p) => svg("text", { x: left - 10, y: middle(y, p) + 4, "text-anchor": "end" }, String(p))),
      ...chosen.flatMap(([i, slot]) => mark(`uth-column uth-curve-${slot}`, [x(i) - 1, top - 1, wide / d + 2, tall + 2])),
      ...chosen.map(([i]) => svg("path", { class: "uth-arrow", d: `M${middle(x, i)} ${top + tall + 2}l4 8h-8z` })),
      ...mark("uth-row", [left - 1, y(position) - 1, wide + 2, tall / n + 2]),
      svg("path", { class: "uth-arrow", d: `M${left - 1} ${middle(y, position)}l-6 -4v8z` }),
      ...(at ? mark("uth-at", [x(at[1]) - 1, y(at[0]) - 1, wide / d + 2, tall / n + 2]) : []),
    );
  };
  return { node, draw, stop: () => watch.disconnect(), get at() { return at; } };
}

function render({ model, el }) {
  const { root, say } = frame(el, "sinusoids");
  el.dataset.answers = "browser";
  const n = model.get("n_positions");
  let saving, colours = null;
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; everything works on.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };
  const slots = () => Array.from({ length: 4 }, (_, slot) => model.get("dimensions")[slot] ?? null);

  // ---- Controls -------------------------------------------------------------------------------------------------
  const width = slider({ label: "d_model", min: 2, max: WIDEST, step: 2, value: model.get("d_model"), onInput: (d) => set({ d_model: d }) });
  const base = slider({
    label: "base", min: 0, max: FINEST, value: stepOf(model.get("base")),
    // A base that Python gave may lie between two steps.
    format: (step) => count(stepOf(model.get("base")) === step ? model.get("base") : baseAt(step)),
    onInput: (step) => { set({ base: baseAt(step) }); base.set(step); },
  });
  const place = slider({ label: "position", min: 0, max: n - 1, value: model.get("position"), onInput: (position) => set({ position }) });
  const pickers = slots().map((dimension, slot) => {
    const picker = choice({
      label: `curve ${slot + 1}`, options: [["", "none"]], value: "",
      onChange: (value) => { const now = slots(); now[slot] = value === "" ? null : Number(value); set({ dimensions: now }); },
    });
    const wave = h("span", { class: "uth-value" });
    const sample = svg("svg", { viewBox: "0 0 44 10", "aria-hidden": "true" }, svg("line", { class: `uth-line uth-curve-${slot}`, x1: 1, x2: 43, y1: 5, y2: 5 }));
    return { picker, wave, node: h("div", { class: "uth-picker" }, sample, picker.node, wave) };
  });
  // The lists hold every dimension of the table, and one beyond it that was chosen when the table was wider.
  const fill = (d) => {
    const chosen = slots();
    pickers.forEach(({ picker: { input } }, slot) => {
      input.querySelector("[data-beyond]")?.remove();
      while (input.options.length > d + 1) input.lastChild.remove();
      for (let i = input.options.length - 1; i < d; i++) input.append(h("option", { value: i }, `${i} (${i % 2 ? "cos" : "sin"})`));
      if (chosen[slot] >= d) input.append(h("option", { value: chosen[slot], "data-beyond": true }, `${chosen[slot]} (none)`));
      for (const option of input.options) option.disabled = option.value !== "" && chosen.some((one, other) => other !== slot && one === Number(option.value));
      input.value = chosen[slot] ?? "";
    });
  };

  // ---- Pictures -------------------------------------------------------------------------------------------------
  const reading = h("p", { class: "uth-reading", role: "status" });
  const draw = onceAFrame(() => drawn());
  const map = heatmap({
    resized: draw, read: draw, picked: (position) => { place.set(position); set({ position }); },
    about: "The table as colours. Arrow keys read one cell after the other; Enter takes its position.",
  });
  const curves = chart("position", "value", draw);
  const dots = chart("distance from the position chosen", "dot product", draw);
  const title = h("h4", {}), seen = h("h4", {});
  root.append(
    row(width.node, base.node, place.node),
    h("div", { class: "uth-views" },
      h("section", {}, title,
        h("div", { class: "uth-scale", "aria-hidden": "true" }, "−1", h("span", {}), "1", h("span", { class: "uth-key" }, "▶ position chosen, ▲ dimensions with curves")),
        map.node, reading),
      h("section", {}, h("h4", {}, "Single dimensions: low ones turn fast, high ones slowly"), curves.node, h("div", { class: "uth-pickers" }, pickers.map((one) => one.node)),
        seen, dots.node, h("p", { class: "uth-key" }, "The line is the same for every position: move it, and only the dots, the other positions, slide along."))),
  );

  const drawn = () => {
    const [d, b, position] = ["d_model", "base", "position"].map((name) => model.get(name));
    const table = sinusoidTable(n, d, b), state = { n, d, base: b, position };
    const chosen = slots().flatMap((dimension, slot) => (dimension !== null && dimension < d ? [[dimension, slot]] : []));
    if (!colours) {
      const css = getComputedStyle(el);
      const mixed = palette([0, 1, 2, 3, 4].map((i) => css.getPropertyValue(`--uth-signed-${i}`).trim()));
      colours = new Uint32Array(new Uint8ClampedArray(mixed.flatMap((colour) => [...colour, 255])).buffer); // one number a pixel
    }
    fill(d);
    title.textContent = `The table: ${n} positions, ${d} dimensions`;
    map.draw({ ...state, chosen, table, colours });
    reading.textContent = map.at ? cell(state, table, ...map.at) : "Point at a cell to read it, or use the arrow keys there. Click or Enter takes its position.";

    const parts = n > 128 ? 1 : 4; // of a step: a fast curve is round where there is room to see it
    const fine = Array.from({ length: parts * (n - 1) + 1 }, (_, i) => i / parts);
    const wave = (i) => (p) => Math[i % 2 ? "cos" : "sin"]((2 * Math.PI * p) / wavelength(i, d, b));
    curves.draw({
      x: [0, n - 1], y: [-1, 1], at: position,
      series: chosen.map(([i, slot]) => ({ name: `uth-curve-${slot}`, points: fine.map((p) => [p, wave(i)(p)]) })),
      dots: chosen.map(([i, slot]) => ({ name: `uth-curve-${slot}`, r: 4, points: [[position, table[position * d + i]]] })),
      describe: `Values over positions: ${chosen.map(([i]) => `dimension ${i} turns once in ${number(wavelength(i, d, b))} positions`).join(", ") || "no dimension is chosen"}.`,
    });
    slots().forEach((dimension, slot) => {
      pickers[slot].wave.textContent = dimension === null ? "" : dimension >= d ? `only from d_model ${dimension + 1 + ((dimension + 1) % 2)} on` : `wavelength ${number(wavelength(dimension, d, b))} positions`;
    });

    const products = dotProducts(table, d, position);
    const all = Array.from({ length: 2 * parts * (n - 1) + 1 }, (_, i) => i / parts - (n - 1)).map((distance) => [distance, dotAt(distance, d, b)]);
    seen.textContent = `Position ${position} with all others: nearest is largest`;
    dots.draw({
      x: [1 - n, n - 1], y: [Math.min(0, ...all.map(([, product]) => product)), d / 2], at: 0,
      series: [{ name: "uth-any", points: all }],
      dots: [{ name: "uth-there", r: n > 130 ? 1.2 : 2.4, points: Array.from(products, (product, p) => [p - position, product]) }],
      describe: `Dot products of position ${position} with the positions from distance ${told(-position)} to ${told(n - 1 - position)}: ${written(products[position])} at distance 0, falling the same way to both sides.`,
    });
    say(describe(state, table));
  };
  draw();

  // The canvas knows nothing of the theme: it is painted anew when that changes.
  const theme = new MutationObserver(() => { colours = null; draw(); });
  theme.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  const stops = [
    follow(model, "d_model", (d) => { width.set(d); draw(); }),
    follow(model, "base", (b) => { base.set(stepOf(b)); draw(); }),
    follow(model, "position", (position) => { place.set(position); draw(); }),
    follow(model, "dimensions", () => draw()),
  ];
  return () => {
    clearTimeout(saving);
    draw.stop();
    [theme.disconnect.bind(theme), map.stop, curves.stop, dots.stop, ...stops].forEach((stop) => stop());
  };
}

export default { initialize, render };
