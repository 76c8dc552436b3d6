// The parameter counters: a network of full layers, and a GPT. Everything is counted here, without a kernel.
import { button, choice, count, follow, frame, fresh, h, initialize, kernelState, onceAFrame, percent, quoted, rounded, row, svg, tiles, toggle } from "./shared.js";

const SAVE = 250; // ms of quiet after which Python is told
export const MOST_LAYERS = 8, MOST_DRAWN = 12; // layers side by side; neurons of a layer, a larger one is a box
export const WIDEST = 1e6; // neurons in a layer
export const LIMITS = { vocab_size: 1e7, n_ctx: 1e7, n_layers: 1e3, n_heads: 1e4, n_kv_heads: 1e4, d_model: 2e5, d_mlp: 1e6 };
export const GPT2 = { vocab_size: 50257, n_ctx: 1024, n_layers: 12, n_heads: 12, n_kv_heads: 12, d_model: 768, d_mlp: 3072 };
const BYTES = [["float32", 4], ["float16", 2], ["8-bit", 1], ["4-bit", 0.5]];
const OWN = "Your own sizes";

// ---- Numbers: the same as in Python ----------------------------------------------------------------------------

/** The whole number that was typed, with or without marks between the thousands, or null. */
export function parsed(text) {
  const plain = text.trim();
  return /^\d+$/.test(plain) || /^\d{1,3}([, _\u00a0\u202f'’]\d{3})+$/.test(plain) ? Number(plain.replace(/\D/g, "")) : null;
}

/** What is wrong with a typed size, in a sentence, or "". */
export function refusal(name, text, most, hint) {
  const value = parsed(text);
  if (value !== null && value >= 1 && value <= most) return "";
  const got = value === null ? (text.trim() ? quoted(text) : "nothing") : value < 1e18 ? count(value) : "one of 19 digits or more";
  return `${name} must be a whole number from 1 to ${count(most)}, got ${got}; ${hint}`;
}

/** `helpers.parameters.layer_names`. */
export const layerNames = (n) => ["inputs", ...Array.from({ length: n - 2 }, (_, i) => `layer ${i + 1}`), "outputs"];

/** `helpers.parameters.dense_parameters`: { terms, total, products, formula }. */
export function dense(sizes) {
  const pairs = sizes.slice(1).map((after, i) => [sizes[i], after]);
  const terms = pairs.map(([before, after]) => (before + 1) * after), total = terms.reduce((sum, term) => sum + term, 0);
  const products = pairs.map(([before, after]) => `(${count(before)} + 1) × ${count(after)}`);
  const sums = terms.length > 1 ? `${terms.map(count).join(" + ")} = ` : "";
  return { terms, total, products, formula: `${products.join(" + ")} = ${sums}${count(total)}` };
}

/** `DenseCounter.describe`. */
export function describeDense(sizes) {
  const { formula, total } = dense(sizes), told = sizes.map(count);
  return `Layers of ${told.slice(0, -1).join(", ")} and ${told.at(-1)} neurons: ${formula} parameter${total === 1 ? "" : "s"}.`;
}

/** What one layer's parameters are, in a sentence. */
export function explained(sizes, at) {
  const name = layerNames(sizes.length)[at], size = sizes[at];
  if (!at) return `${name}: ${count(size)} ${size === 1 ? "number that is" : "numbers that are"} given. They have no parameters of their own.`;
  const before = sizes[at - 1], { products, terms } = dense(sizes);
  const weights = before === 1 ? "1 weight, for the neuron before it," : `${count(before)} weights, one for each neuron before it,`;
  return `${name}: ${products[at - 1]} = ${count(terms[at - 1])}: ${size === 1 ? "its neuron has" : `each of its ${count(size)} neurons has`} ${weights} and 1 bias.`;
}

/** The rule that sizes break together, as { names, text }, or null; each alone is a whole number in its limits. */
export function broken({ n_heads, n_kv_heads, d_model, positions }) {
  if (d_model % n_heads) {
    const step = positions === "rotary" ? 2 * n_heads : n_heads; // pairs need room too
    const text = `n_heads must divide d_model, got ${count(n_heads)} heads for ${count(d_model)} numbers; try d_model=${Math.ceil(d_model / step) * step}`;
    return { names: ["n_heads", "d_model"], text };
  }
  if (n_heads % n_kv_heads) {
    const text = `n_kv_heads must divide n_heads, got ${count(n_kv_heads)} for ${count(n_heads)} heads; try n_kv_heads=${divisor(n_heads, n_kv_heads)}`;
    return { names: ["n_kv_heads", "n_heads"], text };
  }
  if (positions === "rotary" && (d_model / n_heads) % 2) {
    const text = `rotary positions turn pairs of numbers, so d_model / n_heads must be even, got ${count(d_model)} / ${count(n_heads)} = ${count(d_model / n_heads)}; try positions='learned'`;
    return { names: ["n_heads", "d_model"], text };
  }
  return null;
}

/** The sizes after `name` was changed: those that follow from it go along. `follows` says which do so now. */
export function carried(name, values, follows) {
  if (name === "n_heads" && follows.n_kv_heads) return { ...values, n_kv_heads: values.n_heads };
  if (name === "d_model" && follows.d_mlp) return { ...values, d_mlp: 4 * values.d_model };
  return values;
}

/** The nearest size above (`way` 1) or below (−1) that fits the others, or null. */
export function nextSize(name, way, values, follows) {
  const must = ["n_heads", "n_kv_heads", "d_model"].includes(name);
  for (let to = values[name] + way; to >= 1 && to <= LIMITS[name]; to += way) {
    if (!must || !broken(carried(name, { ...values, [name]: to }, follows))) return to;
  }
  return null;
}

/** What is counted: { sizes, conflict }. Sizes in a quarrel stay as they were `before`; what has no part in it goes on. */
export function accepted(values, before, follows) {
  const conflict = broken(values), sizes = { ...values };
  const held = ["n_heads", "n_kv_heads", "d_model", "positions", ...(follows.d_mlp ? ["d_mlp"] : [])];
  if (conflict) for (const name of held) sizes[name] = before[name];
  return { sizes, conflict };
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

/** `helpers.parameters.formulas`. */
export function formulas({ norm, positions, mlp, tied, bias }) {
  const matrix = (inputs, outputs) => (bias ? `(${inputs} + 1) × ${outputs}` : `${inputs} × ${outputs}`);
  const square = `n_layers × ${matrix("d_model", "d_model")}`, keys = `n_layers × ${matrix("d_model", "n_kv_heads × d_head")}`;
  const table = "vocab_size × d_model";
  return {
    embedding: table,
    positions: { learned: "n_ctx × d_model", rotary: "none: rotary positions are worked out", none: "none: no positions" }[positions],
    queries: square,
    keys,
    values: keys,
    "attention output": square,
    "feed-forward": `n_layers × (${mlp === "swiglu" ? "2 × " : ""}${matrix("d_model", "d_mlp")} + ${matrix("d_mlp", "d_model")})`,
    norms: `(2 × n_layers + 1) × ${norm === "layernorm" && bias ? "2 × " : ""}d_model`,
    unembedding: tied ? "none: the embedding table once more" : table,
  };
}

/** `helpers.parameters.gpt_parameters`: { parts: [{ name, formula, numbers, count }], total }. */
export function gpt(sizes) {
  const { vocab_size, n_ctx, n_layers, n_heads, n_kv_heads, d_model, d_mlp, norm, positions, mlp, tied, bias } = sizes;
  const d_head = d_model / n_heads, table = vocab_size * d_model;
  const matrix = (inputs, outputs) => (inputs + (bias ? 1 : 0)) * outputs;
  const square = n_layers * matrix(d_model, d_model), keys = n_layers * matrix(d_model, n_kv_heads * d_head);
  const counts = {
    embedding: table,
    positions: positions === "learned" ? n_ctx * d_model : 0,
    queries: square,
    keys,
    values: keys,
    "attention output": square,
    "feed-forward": n_layers * ((mlp === "swiglu" ? 2 : 1) * matrix(d_model, d_mlp) + matrix(d_mlp, d_model)),
    norms: (2 * n_layers + 1) * (norm === "layernorm" && bias ? 2 : 1) * d_model,
    unembedding: tied ? 0 : table,
  };
  const written = formulas(sizes), values = { ...sizes, d_head };
  const parts = Object.entries(counts).map(([name, n]) => ({
    name, formula: written[name], count: n, numbers: n ? written[name].replace(/[a-z]\w+/g, (size) => count(values[size])) : "",
  }));
  return { parts, total: parts.reduce((sum, part) => sum + part.count, 0) };
}

/** `helpers.parameters.bytes_told`. */
export function bytesTold(n) {
  if (n < 1000) return `${n} byte${n === 1 ? "" : "s"}`;
  let power = 1;
  while (power < 6 && n >= 999.5 * 1000 ** power) power++;
  const value = n / 1000 ** power;
  return `${Number(rounded(value, 2 - Math.floor(Math.log10(value))))} ${["kB", "MB", "GB", "TB", "PB", "EB"][power - 1]}`;
}

/** `helpers.parameters.weight_bytes` as [format, bytes]. */
export const weightBytes = (total) => BYTES.map(([name, size]) => [name, Math.ceil(total * size)]);

const FIELDS = ["vocab_size", "n_ctx", "n_layers", "n_heads", "d_model", "n_kv_heads", "d_mlp", "norm", "positions", "mlp", "tied", "bias"];
/** The published model that has these sizes, or undefined. */
export const presetOf = (sizes, presets) => presets.find((one) => FIELDS.every((name) => one.sizes[name] === sizes[name]));

/** How the published number differs from the count, in a sentence, or "". */
export function gap(preset, total) {
  if (!preset || preset.published === total) return "";
  const share = percent(Math.abs(preset.published - total) / preset.published);
  return `Published are ${count(preset.published)}, rounded: ${share} ${preset.published > total ? "more" : "less"}.`;
}

/** `describe` of helpers/explorers/parameters.py. */
export function describeGPT(sizes, presets) {
  const { parts, total } = gpt(sizes), preset = presetOf(sizes, presets);
  const largest = parts.filter((part) => part.count).sort((a, b) => b.count - a.count);
  const told = largest.map((part) => `${part.name} ${count(part.count)} (${percent(part.count / total)})`);
  const memory = weightBytes(total).map(([name, size]) => `${bytesTold(size)} as ${name}`), more = gap(preset, total);
  return `${preset ? `${preset.name} has` : `${OWN} have`} ${count(total)} parameters: ${told.join(", ")}. ${more}${more && " "}The weights take ${memory.join(", ")}.`;
}

/** What a screen reader hears after each change, in a short sentence. */
export function spoken(name, { parts, total }) {
  const most = parts.reduce((best, part) => (part.count > best.count ? part : best));
  return `${name}: ${count(total)} parameters, ${percent(most.count / total)} of them in ${most.name}; ${bytesTold(4 * total)} as float32.`;
}

/** Labels in rows above a line, so that none covers another: for each [middle, width] the row, 0 the lowest. */
export function stacked(labels, room, space = 8) {
  const rows = [];
  return labels.map(([middle, width]) => {
    const left = Math.max(0, Math.min(room - width, middle - width / 2));
    let at = rows.findIndex((taken) => taken.every(([from, to]) => left > to + space || left + width + space < from));
    if (at < 0) at = rows.push([]) - 1;
    rows[at].push([left, left + width]);
    return { row: at, left };
  });
}

// ---- Fields ----------------------------------------------------------------------------------------------------

/**
 * A box for a whole number. Gives { nodes, input, text, set(value), complain(sentence) }; what is typed stays as it is. `changed()`
 * hears of letters, `stepped(way)` of the arrow keys.
 */
function numberField({ label, note, most, changed, stepped, about }) {
  const input = h("input", {
    type: "text", role: "spinbutton", inputmode: "numeric", autocomplete: "off", spellcheck: "false", id: fresh(),
    "aria-valuemin": 1, "aria-valuemax": most, "data-lm-suppress-shortcuts": "true",
  });
  const problem = h("p", { class: "uth-problem", role: "alert", id: fresh() });
  const name = h("span", { class: "uth-name" }, label);
  const node = h("div", { class: "uth-field" }, h("label", { for: input.id }, name, note && h("span", { class: "uth-note" }, ` ${note}`)), input);
  const told = () => {
    const value = parsed(input.value);
    if (value === null) input.removeAttribute("aria-valuenow");
    else input.setAttribute("aria-valuenow", value);
  };
  const complain = (text) => {
    if (problem.textContent !== text) problem.textContent = text;
    node.classList.toggle("uth-refused", Boolean(text));
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    input.setAttribute("aria-describedby", [text && problem.id, about].filter(Boolean).join(" "));
    if (!text && !about) input.removeAttribute("aria-describedby");
  };
  const set = (value) => {
    // "1536" is not made "1,536" under the learner's fingers.
    if (parsed(input.value) !== value) input.value = count(value);
    told();
  };
  input.addEventListener("input", () => { told(); changed(); });
  input.addEventListener("blur", () => { const value = parsed(input.value); if (value !== null && !problem.textContent) input.value = count(value); });
  input.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    stepped(event.key === "ArrowUp" ? 1 : -1);
  });
  complain("");
  return { node, nodes: [node, problem], input, set, complain, name: (text) => { name.textContent = text; }, get text() { return input.value; }, get refused() { return problem.textContent !== ""; } };
}

/** Hears how wide a node is, now and later. */
function watchWidth(node, least, most, changed) {
  let width = Math.min(most, 640);
  const watch = new ResizeObserver(([{ contentRect }]) => {
    const now = Math.round(Math.min(most, Math.max(least, contentRect.width)));
    if (contentRect.width && now !== width) { width = now; changed(); }
  });
  watch.observe(node);
  return { get width() { return width; }, stop: () => watch.disconnect() };
}

/** Tells Python, once nothing has moved for a while and where there is a kernel. */
function saver(model, el) {
  let saving;
  const save = (name, value) => {
    model.set(name, value);
    clearTimeout(saving);
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
  };
  save.stop = () => clearTimeout(saving);
  return save;
}

// ---- Full layers -----------------------------------------------------------------------------------------------

const R = 7, GAP = 21, EDGE = 36; // a neuron's radius, from one to the next, room beside the first and the last layer

/** The network as SVG: circles (or a box), a square for each bias, lines. */
function network(sizes, at, width) {
  const n = sizes.length, tall = Math.max(...sizes.map((size) => Math.min(size, MOST_DRAWN))) + 1;
  const edge = EDGE, top = 30, foot = top + tall * GAP, x = (i) => edge + (i / (n - 1)) * (width - 2 * edge), middle = (top + foot) / 2;
  const { terms } = dense(sizes), apart = (width - 2 * edge) / (n - 1);
  const layers = sizes.map((size, i) => {
    const small = size <= MOST_DRAWN, last = i === n - 1, marks = (small ? size : 0) + (last ? 0 : 1);
    const half = small ? 0 : Math.max(34, ((tall - 2) * GAP) / 2 - 6), from = small ? middle - ((marks - 1) / 2) * GAP : middle - half - (last ? 0 : GAP / 2);
    const ys = small ? Array.from({ length: size }, (_, k) => from + k * GAP) : [];
    const box = small ? null : [from, from + 2 * half];
    return { small, ys, box, bias: last ? null : small ? from + size * GAP : from + 2 * half + GAP * 0.9 };
  });
  const line = (i, from, to) => `M${(x(i - 1)).toFixed(1)} ${from.toFixed(1)}L${x(i).toFixed(1)} ${to.toFixed(1)}`;
  const ends = ({ ys, box }) => box ?? [ys[0], ys.at(-1)];
  const picture = svg("svg", { viewBox: `0 0 ${width} ${foot + 40}`, role: "img", "aria-label": describeDense(sizes), class: at ? "uth-some" : null });
  for (let i = 1; i < n; i++) {
    const before = layers[i - 1], after = layers[i], group = svg("g", { class: `uth-gap${i === at ? " uth-chosen" : ""}` });
    const targets = after.small ? after.ys : [after.box[0] + 8, after.box[1] - 8];
    if (before.small && after.small) group.append(svg("path", { class: "uth-weights", d: before.ys.flatMap((from) => after.ys.map((to) => line(i, from, to))).join("") }));
    else {
      const [a, b] = ends(before), [c, d] = ends(after);
      group.append(svg("polygon", { class: "uth-band", points: `${x(i - 1)},${a - (before.small ? 3 : 0)} ${x(i)},${c - (after.small ? 3 : 0)} ${x(i)},${d + (after.small ? 3 : 0)} ${x(i - 1)},${b + (before.small ? 3 : 0)}` }));
    }
    group.append(svg("path", { class: "uth-biases", d: targets.map((to) => line(i, before.bias, to)).join("") }));
    const told = count(terms[i - 1]);
    if (told.length * 8 < apart - 4) group.append(svg("text", { class: "uth-term-number", x: x(i) - apart / 2, y: 16, "text-anchor": "middle" }, told));
    picture.append(group);
  }
  const names = layerNames(n), short = apart < 52;
  sizes.forEach((size, i) => {
    const { ys, box, bias } = layers[i], group = svg("g", { class: `uth-layer${i === at ? " uth-chosen" : ""}` });
    for (const y of ys) group.append(svg("circle", { cx: x(i), cy: y, r: R }));
    if (box) group.append(svg("rect", { class: "uth-box", x: x(i) - 13, y: box[0], width: 26, height: box[1] - box[0], rx: 5 }), svg("text", { class: "uth-inside", transform: `translate(${x(i) + 4} ${(box[0] + box[1]) / 2}) rotate(-90)`, "text-anchor": "middle" }, count(size)));
    if (bias !== null) group.append(svg("rect", { class: "uth-bias", x: x(i) - 6.5, y: bias - 6.5, width: 13, height: 13 }), svg("text", { class: "uth-inside", x: x(i), y: bias + 4, "text-anchor": "middle" }, "1"));
    const name = !short ? names[i] : i === 0 ? "in" : i === n - 1 ? "out" : String(i);
    group.append(svg("text", { x: x(i), y: foot + 18, "text-anchor": "middle" }, name));
    if (!box) group.append(svg("text", { class: "uth-size", x: x(i), y: foot + 34, "text-anchor": "middle" }, count(size)));
    picture.append(group);
  });
  return picture;
}

function renderDense({ model, el }) {
  const { root, told, say, complain } = frame(el, "dense");
  told.classList.add("uth-unseen"); // the same is in sight
  el.dataset.answers = "browser";
  const save = saver(model, el), about = h("p", { class: "uth-about", id: fresh() });
  let sizes = [...model.get("sizes")], at = null, pointed = null, fields = [];
  const set = (now) => { sizes = now; save("sizes", sizes); complain(""); };

  const row_ = h("div", { class: "uth-fields" });
  const hint = "1 is one neuron";
  const field = (i) => {
    const one = numberField({
      label: "", most: WIDEST, about: about.id,
      changed: () => {
        const where = fields.indexOf(one), wrong = refusal(layerNames(fields.length)[where], one.text, WIDEST, hint);
        one.complain(wrong);
        if (!wrong) set(sizes.map((size, k) => (k === where ? parsed(one.text) : size)));
        draw();
      },
      stepped: (way) => {
        const where = fields.indexOf(one), to = Math.min(WIDEST, Math.max(1, sizes[where] + way));
        one.complain("");
        one.set(to);
        set(sizes.map((size, k) => (k === where ? to : size)));
        draw();
      },
    });
    one.input.addEventListener("focus", () => { at = fields.indexOf(one); draw(); });
    one.input.addEventListener("blur", () => { at = null; draw(); });
    one.set(sizes[i]);
    return one;
  };
  const place = () => {
    layerNames(fields.length).forEach((name, i) => fields[i].name(name));
    row_.replaceChildren(...fields.flatMap((one) => one.nodes));
  };
  const fill = () => { fields = sizes.map((_, i) => field(i)); place(); };
  // A layer comes before the outputs and goes from there: the first ones stay as they are.
  const buttons = [
    button({ label: "add a layer", onClick: () => change(1) }),
    button({ label: "remove a layer", onClick: () => change(-1) }),
  ];
  const change = (way) => {
    const to = sizes.length + way;
    complain(to < 2 ? "A network must have at least two layers, inputs and outputs; these two stay." : to > MOST_LAYERS ? `A network must have at most ${MOST_LAYERS} layers to fit the drawing; remove one first.` : "");
    if (to < 2 || to > MOST_LAYERS) return;
    const here = sizes.length - 1;
    if (way > 0) {
      set([...sizes.slice(0, here), 4, sizes[here]]);
      fields.splice(here, 0, field(here));
    } else {
      set([...sizes.slice(0, here - 1), sizes[here]]);
      fields.splice(here - 1, 1);
    }
    place();
    draw();
  };

  const net = h("div", { class: "uth-net" }), terms = h("div", { class: "uth-terms" });
  const room = watchWidth(net, 240, 760, () => draw());
  const hover = (i) => { if (pointed !== i) { pointed = i; draw(); } };
  root.append(row_, row(buttons), net, about, terms);

  const draw = onceAFrame(() => {
    const { terms: counts, products, total } = dense(sizes), names = layerNames(sizes.length), shown = pointed ?? at;
    [sizes.length === MOST_LAYERS, sizes.length === 2].forEach((off, i) => buttons[i].setAttribute("aria-disabled", off));
    net.replaceChildren(network(sizes, shown, room.width));
    const bands = sizes.some((size) => size > MOST_DRAWN) ? ` A layer of more than ${MOST_DRAWN} neurons is a box, and a grey band stands for the lines.` : "";
    about.textContent = shown === null ? `Every line is one parameter: a weight, or (dashed, from a square that is always 1) a bias.${bands} Focus a layer's size, or point at lines, to see which belong to it.` : explained(sizes, shown);
    const sign = (text) => h("span", { class: "uth-sign" }, text);
    terms.replaceChildren(...counts.flatMap((term, i) => [
      i ? sign("+") : null,
      h("span", { class: `uth-term${i + 1 === shown ? " uth-chosen" : ""}`, "data-layer": i + 1 },
        h("span", { class: "uth-below" }, names[i + 1]), h("span", {}, products[i]), counts.length > 1 && h("span", { class: "uth-below" }, `= ${count(term)}`)),
    ]).filter(Boolean), sign("="), h("b", { class: "uth-total" }, count(total)), h("span", { class: "uth-sign" }, total === 1 ? "parameter" : "parameters"));
    say(describeDense(sizes));
  });
  // What is under the pointer is drawn anew while it is there: so the nodes around it listen.
  const under = (event) => {
    const term = event.target.closest?.("[data-layer]");
    hover(term ? Number(term.dataset.layer) : null);
  };
  terms.addEventListener("pointerover", under);
  terms.addEventListener("pointerleave", () => hover(null));
  net.addEventListener("pointermove", (event) => {
    const box = net.firstChild.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * room.width, share = (x - EDGE) / (room.width - 2 * EDGE);
    hover(share > 0 && share < 1 ? 1 + Math.floor(share * (sizes.length - 1)) : null);
  });
  net.addEventListener("pointerleave", () => hover(null));
  fill();
  draw();

  const stop = follow(model, "sizes", (now) => {
    if (now.length === sizes.length && now.every((size, i) => size === sizes[i])) return;
    sizes = [...now];
    fill();
    draw();
  });
  return () => { save.stop(); draw.stop(); room.stop(); stop(); };
}

// ---- A GPT -----------------------------------------------------------------------------------------------------

const NOTES = { vocab_size: "tokens known", n_ctx: "longest text", n_layers: "blocks", n_heads: "query heads", n_kv_heads: "key/value heads", d_model: "width of the stream", d_mlp: "feed-forward width" };
const KINDS = { norm: [["layernorm", "LayerNorm"], ["rmsnorm", "RMSNorm"]], positions: ["learned", "rotary", "none"], mlp: [["gelu", "GELU"], ["swiglu", "SwiGLU"]] };
const ORDER = ["vocab_size", "n_ctx", "n_layers", "d_model", "n_heads", "n_kv_heads", "d_mlp"];

/** A power of ten in words: "100 thousand", "1 billion". */
export const powerTold = (power) => `${10 ** (power % 3)}${["", " thousand", " million", " billion", " trillion", " quadrillion"][Math.floor(power / 3)]}`;

const slug = (name) => name.replace(/\W/g, "-");

/** The patterns that tell parts apart without colour; one set for each view. */
function patterns(id) {
  const pattern = (name, size, ...lines) => svg("pattern", { id: `${id}-${name}`, width: size, height: size, patternUnits: "userSpaceOnUse" }, lines.map((d) => svg("path", { d })));
  return svg("defs", {}, pattern("rising", 7, "M0 7L7 0"), pattern("falling", 7, "M0 0L7 7"), pattern("crossed", 6, "M0 0L6 6M0 6L6 0"));
}
const PATTERN = { "attention output": "rising", unembedding: "falling", norms: "crossed" };

/** The shares as one bar: true to scale, so a small part is a thin line. */
function shareBar({ parts, total }, width, id, about) {
  const tall = 48, picture = svg("svg", { viewBox: `0 0 ${width} ${tall}`, role: "img", "aria-label": about }, patterns(id));
  let left = 0;
  parts.forEach((part, i) => {
    const wide = (part.count / total) * width;
    if (!wide) return;
    const at = { x: left, y: 0, width: wide, height: tall }, share = percent(part.count / total);
    picture.append(svg("rect", { class: `uth-part uth-part-${slug(part.name)}`, ...at }));
    if (PATTERN[part.name]) picture.append(svg("rect", { class: "uth-pattern", fill: `url(#${id}-${PATTERN[part.name]})`, ...at }));
    picture.append(svg("line", { class: "uth-cut", x1: left, x2: left, y1: 0, y2: tall }));
    const text = (line, y, kind) => svg("text", { class: PATTERN[part.name] ? `${kind} uth-haloed` : kind, x: left + wide / 2, y, "text-anchor": "middle" }, line);
    const name = `${i + 1} ${part.name}`;
    if (wide > 7 * name.length + 8) picture.append(text(name, 20, "uth-what"), text(share, 37, "uth-much"));
    else if (wide > 16) picture.append(text(String(i + 1), wide > 8 * share.length ? 20 : 29, "uth-what"), wide > 8 * share.length ? text(share, 37, "uth-much") : "");
    left += wide;
  });
  picture.append(svg("rect", { class: "uth-rim", x: 0.5, y: 0.5, width: width - 1, height: tall - 1 }));
  return picture;
}

/** All models on a line on which each step is ten times as many; the current one below it. */
function scaleLine(models, here, name, width) {
  const totals = [...models.map((one) => one.total), here], edge = 14;
  const low = Math.min(4, Math.floor(Math.log10(Math.min(...totals)))), high = Math.max(12, Math.ceil(Math.log10(Math.max(...totals))));
  const x = (n) => edge + ((Math.log10(n) - low) / (high - low)) * (width - 2 * edge);
  const places = stacked(models.map((one) => [x(one.total), 7.2 * one.name.length]), width);
  const rows = 1 + Math.max(...places.map((place) => place.row)), axis = 22 * rows + 14;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${axis + 66}`, role: "img", "aria-label": `From small to large: ${[...models].sort((a, b) => a.total - b.total).map((one) => `${one.name} ${count(one.total)}`).join(", ")}. Marked: ${name} with ${count(here)}.` });
  picture.append(svg("line", { class: "uth-axis", x1: edge, x2: width - edge, y1: axis, y2: axis }));
  for (let power = low; power <= high; power++) {
    const at = x(10 ** power);
    picture.append(svg("line", { class: "uth-axis", x1: at, x2: at, y1: axis, y2: axis + (power % 3 ? 4 : 8) }));
    const anchor = power === low ? "start" : power === high ? "end" : "middle";
    if (power % 3 === 0 || (power === low && width > 480)) picture.append(svg("text", { x: anchor === "start" ? at - 8 : anchor === "end" ? at + 8 : at, y: axis + 34, "text-anchor": anchor }, powerTold(power)));
  }
  models.forEach((one, i) => {
    const at = x(one.total), { row: level, left } = places[i], y = axis - 14 - 22 * level, own = one.name === name;
    picture.append(svg("line", { class: "uth-leader", x1: at, x2: at, y1: axis, y2: y + 4 }), svg("circle", { class: "uth-model", cx: at, cy: axis, r: 5 }),
      svg("text", { class: own ? "uth-own" : null, x: left + 3.6 * one.name.length, y, "text-anchor": "middle" }, one.name));
  });
  const at = x(here), told = `${name}: ${count(here)}`, half = 3.7 * told.length;
  picture.append(svg("path", { class: "uth-here", d: `M${at} ${axis + 2}l9 16h-18z` }),
    svg("text", { class: "uth-own", x: Math.max(half, Math.min(width - half, at)), y: axis + 56, "text-anchor": "middle" }, told));
  return picture;
}

function renderGPT({ model, el }) {
  const { root, told, say } = frame(el, "parameters");
  told.classList.add("uth-unseen"); // the same is in sight, as a title and a table
  el.dataset.answers = "browser";
  const save = saver(model, el), id = fresh();
  const presets = model.get("presets").map((one) => ({ ...one, total: gpt(one.sizes).total }));
  let sizes = { ...model.get("sizes") };
  // Sizes that follow from another one until they are given by themselves.
  const follows = {};
  const settle = () => { follows.n_kv_heads = sizes.n_kv_heads === sizes.n_heads; follows.d_mlp = sizes.d_mlp === 4 * sizes.d_model; };

  // ---- Controls -------------------------------------------------------------------------------------------------
  const own = h("option", { value: "" }, OWN);
  const which = choice({
    label: "model", options: presets.map((one) => one.name), value: "",
    onChange: (name) => {
      const preset = presets.find((one) => one.name === name);
      if (preset) show({ ...preset.sizes });
    },
  });
  const wrong = (name) => refusal(name, fields[name].text, LIMITS[name], `GPT-2 has ${count(GPT2[name])}`);
  // What is typed, chosen and switched; where a box holds no size, the last one that it held.
  const given = () => {
    const values = { ...sizes };
    for (const name of ORDER) if (!wrong(name)) values[name] = parsed(fields[name].text);
    for (const name of Object.keys(KINDS)) values[name] = kinds[name].value;
    for (const name of ["tied", "bias"]) values[name] = switches[name].value;
    return values;
  };
  const accept = (active) => {
    const now = accepted(given(), sizes, follows), { conflict } = now, before = ORDER.filter((name) => fields[name].refused);
    // Who holds the complaint already keeps it; else the box that was touched, if it has a part in the quarrel.
    const owner = conflict && (before.find((name) => conflict.names.includes(name) && !wrong(name)) ?? (conflict.names.includes(active) ? active : conflict.names[0]));
    for (const name of ORDER) fields[name].complain(wrong(name) || (name === owner ? conflict.text : ""));
    sizes = now.sizes;
    save("sizes", sizes);
    draw();
  };
  const changed = (name) => () => {
    if (!wrong(name)) {
      const values = carried(name, given(), follows);
      if (name === "n_kv_heads") follows.n_kv_heads = values.n_kv_heads === values.n_heads;
      if (name === "d_mlp") follows.d_mlp = values.d_mlp === 4 * values.d_model;
      for (const other of ["n_kv_heads", "d_mlp"]) if (other !== name && !wrong(other)) fields[other].set(values[other]);
    }
    accept(name);
  };
  // The arrow keys go to the next size that fits the others.
  const stepped = (name) => (way) => {
    const to = nextSize(name, way, given(), follows);
    if (to === null) return;
    fields[name].set(to);
    changed(name)();
  };
  const fields = Object.fromEntries(ORDER.map((name) => [name, numberField({ label: name, note: NOTES[name], most: LIMITS[name], changed: changed(name), stepped: stepped(name) })]));
  const kinds = Object.fromEntries(Object.entries({ norm: "norm", positions: "positions", mlp: "feed-forward" }).map(([name, label]) => [name, choice({ label, options: KINDS[name], value: sizes[name], onChange: () => accept() })]));
  const switches = Object.fromEntries(Object.entries({ tied: "tied: one table reads in and out", bias: "biases" }).map(([name, label]) => [name, toggle({ label, value: sizes[name], onChange: () => accept() })]));
  const show = (now) => {
    sizes = now;
    for (const name of ORDER) { fields[name].set(sizes[name]); fields[name].complain(""); }
    for (const name of Object.keys(KINDS)) kinds[name].set(sizes[name]);
    for (const name of ["tied", "bias"]) switches[name].set(sizes[name]);
    settle();
    save("sizes", sizes);
    draw();
  };

  // ---- Pictures -------------------------------------------------------------------------------------------------
  const title = h("h4", {}), source = h("p", { class: "uth-source" });
  const bar = h("div", { class: "uth-share-bar" }), line = h("div", { class: "uth-scale-line" });
  const body = h("tbody", {}), sum = h("td", {}), memory = tiles(["float32: 4 bytes each", "float16: 2 bytes", "8-bit: 1 byte", "4-bit: half a byte"]);
  const head = (...names) => h("thead", {}, h("tr", {}, names.map(([name, kind]) => h("th", { scope: "col", class: kind }, name))));
  const table = h("table", {}, head(["part"], ["formula", "uth-wide-only"], ["parameters", "uth-right"], ["share", "uth-right"]), body,
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "all"), h("td", { class: "uth-wide-only" }), sum, h("td", {}, "100 %"))));
  const rooms = [watchWidth(bar, 240, 900, () => draw()), watchWidth(line, 240, 900, () => draw())];
  root.append(
    row(which.node),
    h("div", { class: "uth-fields" }, ORDER.flatMap((name) => fields[name].nodes)),
    row(Object.values(kinds).map((one) => one.node), Object.values(switches).map((one) => one.node)),
    h("div", { class: "uth-views" },
      h("section", {}, title, source, bar, h("div", { class: "uth-parts" }, table)),
      h("section", {}, h("h4", {}, "From a toy to GPT-3: each mark is ten times as many"), line, h("h4", {}, "Memory for the weights"), memory.node)),
  );

  const draw = onceAFrame(() => {
    const counted = gpt(sizes), { parts, total } = counted, preset = presetOf(sizes, presets), name = preset?.name ?? OWN;
    if (preset) own.remove();
    else if (!own.isConnected) which.input.append(own);
    fields.n_heads.input.setAttribute("aria-valuemax", Math.min(LIMITS.n_heads, sizes.d_model));
    fields.n_kv_heads.input.setAttribute("aria-valuemax", sizes.n_heads);
    which.set(preset?.name ?? "");
    title.textContent = `${name}: ${count(total)} parameters`;
    source.textContent = preset ? `${preset.year}. ${gap(preset, total)} Source: ${preset.source}.`.replace(/ {2,}/g, " ") : "Counted from the sizes above; no model that is known here has them.";
    bar.replaceChildren(shareBar(counted, rooms[0].width, id, describeGPT(sizes, presets)));
    body.replaceChildren(...parts.map((part, i) => h("tr", {},
      h("th", { scope: "row" }, svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" },
        svg("rect", { class: `uth-part uth-part-${slug(part.name)}`, x: 0.5, y: 0.5, width: 19, height: 19 }),
        PATTERN[part.name] && svg("rect", { class: "uth-pattern", fill: `url(#${id}-${PATTERN[part.name]})`, x: 0.5, y: 0.5, width: 19, height: 19 }),
        svg("text", { class: PATTERN[part.name] ? "uth-what uth-haloed" : "uth-what", x: 10, y: 14, "text-anchor": "middle" }, String(i + 1))),
      part.name, h("span", { class: "uth-narrow-only" }, formulaOf(part))),
      h("td", { class: "uth-wide-only" }, formulaOf(part)),
      h("td", {}, count(part.count)), h("td", {}, percent(part.count / total)))));
    sum.textContent = count(total);
    line.replaceChildren(scaleLine(presets, total, name, rooms[1].width));
    memory.set(weightBytes(total).map(([, size]) => bytesTold(size)));
    say(spoken(name, counted));
  });
  const formulaOf = ({ formula, numbers }) => [h("span", { class: "uth-formula" }, formula), numbers && h("span", { class: "uth-numbers" }, `= ${numbers}`)];

  for (const name of ORDER) fields[name].set(sizes[name]);
  settle();
  draw();
  const stop = follow(model, "sizes", (now) => { if (FIELDS.some((name) => now[name] !== sizes[name])) show({ ...now }); });
  return () => { save.stop(); draw.stop(); rooms.forEach((room) => room.stop()); stop(); };
}

const render = (view) => (view.model.get("kind") === "dense" ? renderDense : renderGPT)(view);

export default { initialize, render };
