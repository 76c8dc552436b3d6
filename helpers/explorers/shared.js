// What the explorers share. Plain functions first (numbers, letters), then controls and pictures, then the kernel.
// Text of a learner's goes into the page as text only (textContent), never as HTML.

// ---- Numbers and letters: nothing here touches the page, and Node runs it --------------------------------------

const view = (data) => (data instanceof DataView ? data : new DataView(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength));

function numbers(Kind, data, read) {
  const from = view(data), size = read.endsWith("32") ? 4 : 2, to = new Kind(Math.floor(from.byteLength / size));
  for (let i = 0; i < to.length; i++) to[i] = from[read](i * size, true);
  return to;
}

/** float32, little end first, as numpy's `astype("<f4").tobytes()` writes them. */
export const floats = (data) => numbers(Float32Array, data, "getFloat32");

/** uint32, little end first. */
export const words = (data) => numbers(Uint32Array, data, "getUint32");

/** uint16, little end first. */
export const shorts = (data) => numbers(Uint16Array, data, "getUint16");

/** float16, little end first, as float32 (no browser is asked for a Float16Array). */
export const halves = (data) => Float32Array.from(shorts(data), half);

/** The number that 16 bits stand for in IEEE 754's half precision. */
export function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bytes of a bytes trait, or of a part of one. */
export const octets = (data) => { const from = view(data); return new Uint8Array(from.buffer, from.byteOffset, from.byteLength); };

/** Shares that sum to 1; at temperature 0 all of it goes to the largest, equal ones share it. */
export function softmax(logits, temperature = 1) {
  let max = -Infinity, sum = 0;
  for (const x of logits) if (x > max) max = x;
  const p = new Float64Array(logits.length);
  for (let i = 0; i < p.length; i++) sum += p[i] = temperature > 0 ? Math.exp((logits[i] - max) / temperature) : Number(logits[i] === max);
  for (let i = 0; i < p.length; i++) p[i] /= sum;
  return p;
}

/** A whole number with commas: 12,345. */
export const count = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");

/** "1 token", "2 tokens". */
export const plural = (n, thing) => `${count(n)} ${thing}${n === 1 ? "" : "s"}`;

/** A count or a measure as `helpers.plots.number` writes it: 12,345, 0.0123. */
export function number(value) {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return count(Number(rounded(value, 0)));
  return String(Number(value.toPrecision(3)));
}

/** A number with a real minus sign, and with none where it rounds to 0. */
export function written(x, digits = 2) {
  const [front, rest] = rounded(Math.abs(x), digits).split(".");
  const text = count(Number(front)) + (rest ? `.${rest}` : "");
  return x < 0 && /[1-9]/.test(text) ? `−${text}` : text;
}

/** The base that a step of a slider of bases stands for: two digits that count, 10 at 0, 100 at 20. */
export const baseAt = (step) => Number((10 ** (1 + step / 20)).toPrecision(2));
/** The step nearest to a base. */
export const stepOf = (base) => Math.round(20 * (Math.log10(base) - 1));

/** A share as `helpers.plots.percent` writes it. */
export function percent(share) {
  if (share === 0) return "0 %";
  if (share < 0.001) return "under 0.1 %";
  if (share < 0.0095) return `${rounded(100 * share, 1)} %`;
  if (share >= 0.995 && share < 1) return "over 99 %";
  return `${rounded(100 * share, 0)} %`;
}

/** Rounds as Python's formats do: what lies exactly in the middle goes to the even neighbour. */
export function rounded(x, digits) {
  const scaled = x * 10 ** digits;
  const exact = Number.isInteger(x * 2 ** 20); // only such a number can lie exactly in the middle
  if (exact && Math.abs(scaled % 1) === 0.5) return ((2 * Math.round(scaled / 2)) / 10 ** digits).toFixed(digits);
  return x.toFixed(digits);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text, or the bytes themselves where they are only part of a character. */
export function asText(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    return bytes;
  }
}

/** "E0 A4": bytes as their numbers. */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");

/** A token as a reader can see it, as `helpers.plots.visible` writes it: "␣sky", "⟨E0 A4⟩". */
export function visible(piece) {
  if (typeof piece !== "string") return `⟨${hex(piece)}⟩`;
  return piece
    .replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥")
    .replace(/[\p{C}\p{Z}]/gu, (sign) => `⟨${sign.codePointAt(0).toString(16).toUpperCase().padStart(2, "0")}⟩`);
}

/** What is wrong with a text that UTF-8 can't write, in a sentence, or "": half a character (a lone surrogate). */
export function halved(text) {
  const found = /\p{Cs}/u.exec(text);
  if (!found) return "";
  const place = Array.from(text.slice(0, found.index)).length;
  const sign = found[0].charCodeAt(0).toString(16).toUpperCase();
  return `The text must be whole characters, got half of one, U+${sign}, at position ${place}; take it out.`;
}

/** A row's name as `helpers.plots` writes it: a token as `visible` shows it, a name of two words as it is. */
export const named = (label) => (typeof label === "string" && label.trim() === label && !/[\p{C}\p{Z}]/u.test(label.replaceAll(" ", "")) ? label : visible(label));

/** A text cut to `most` characters, with "…" where something is left out. */
export function shortened(text, most = 40) {
  const signs = Array.from(text);
  return signs.length > most ? `${signs.slice(0, most - 1).join("")}…` : text;
}

/** Python's `repr` of a text that is shortened to one line. */
export function quoted(text) {
  const short = shortened(text).split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  if (short.length > 1 && short.at(-1) === "") short.pop();
  const line = short.join(" ");
  const quote = line.includes("'") && !line.includes('"') ? '"' : "'";
  let told = "";
  for (const sign of line) {
    const code = sign.codePointAt(0);
    if (sign === quote || sign === "\\") told += `\\${sign}`;
    else if (sign === "\t") told += "\\t";
    else if (sign === " " || !/[\p{C}\p{Z}]/u.test(sign)) told += sign;
    else if (code < 256) told += `\\x${code.toString(16).padStart(2, "0")}`;
    else told += code < 65536 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
  }
  return quote + told + quote;
}

/** A number at an axis, with a real minus sign. */
const axisNumber = (value) => String(value).replace("-", "−");

/** Round numbers between two ends, some `about` of them, for an axis. */
export function ticks(low, high, about = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / about, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
  const first = Math.ceil(low / step), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

// ---- The page ---------------------------------------------------------------------------------------------------

let serial = 0;
/** An id that no other element has. */
export const fresh = () => `uth${Math.random().toString(36).slice(2, 8)}${++serial}`;

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: `h("p", { class: "x", on: { click } }, "text", child)`. Text stays text. In `props`, `on` has
 * listeners, `style` has CSS properties, what is null, undefined or false is left out, true is an empty attribute.
 */
export const h = (tag, props, ...children) => dress(document.createElement(tag), props, children);
/** The same for SVG. */
export const svg = (tag, props, ...children) => dress(document.createElementNS(SVG, tag), props, children);

function dress(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "style") for (const [key, what] of Object.entries(value)) node.style.setProperty(key, what);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Whether the reader asked for less motion. */
export const still = () => Boolean(globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches);

/** Runs a function once before the next picture is painted, however often it is asked for until then. */
export function onceAFrame(draw) {
  let asked = 0;
  const soon = () => { asked ||= requestAnimationFrame(() => { asked = 0; draw(); }); };
  soon.stop = () => { cancelAnimationFrame(asked); asked = 0; };
  return soon;
}

// Without this, JupyterLab's command mode takes the arrow keys (and letters) away from a control.
const KEYS = { "data-lm-suppress-shortcuts": "true" };

/**
 * What every explorer starts with. Gives { root, told, say(text), complain(text) }: put the controls and pictures
 * into `root`; `say` fills the status line, `complain` the line for problems ("" empties it).
 */
export function frame(el, name) {
  const root = h("div", { class: "uth-body" });
  const problem = h("p", { class: "uth-problem", role: "alert" });
  const told = h("p", { class: "uth-told", role: "status" });
  el.classList.add("uth", `uth-${name}`);
  el.replaceChildren(root, problem, told);
  const put = (line) => (text) => { if (line.textContent !== text) line.textContent = text; };
  tooltips(el);
  return { root, told, problem, say: put(told), complain: put(problem) };
}

function labelled(label, input, wide, ...rest) {
  input.id ||= fresh();
  return h("div", { class: `uth-control${wide ? " uth-wide" : ""}` }, h("label", { for: input.id }, label), input, rest);
}

/**
 * A slider. `format(value)` is written beside it and spoken. Gives { node, input, value, set(value) }; `set` does
 * not call `onInput`.
 */
export function slider({ label, min, max, step = 1, value, format = String, onInput }) {
  const input = h("input", { type: "range", min, max, step, ...KEYS });
  const output = h("output", {});
  const node = labelled(label, input, true, output);
  output.setAttribute("for", input.id);
  const show = () => {
    output.textContent = format(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const set = (now) => { input.value = now; show(); };
  input.addEventListener("input", () => { show(); onInput?.(Number(input.value)); });
  set(value);
  return { node, input, set, get value() { return Number(input.value); } };
}

/**
 * A box for text; more than one line with `lines`. Its problems stand beside it: `complain(text)`, and half a
 * character (which no message can carry) or too long a text is refused here: `onInput` is then not called, the text is
 * kept, and `refused` is true. `empty` is what to say where there is no text (`onInput` is called all the same).
 */
export function textBox({ label, value = "", lines = 1, placeholder, empty = "", onInput, onEnter, most = 10000 }) {
  const input = h(lines > 1 ? "textarea" : "input", {
    ...(lines > 1 ? { rows: lines } : { type: "text" }), dir: "auto", spellcheck: "false", autocomplete: "off", autocapitalize: "off",
    placeholder, ...KEYS,
  });
  const problem = h("p", { class: "uth-problem", role: "alert", id: fresh() });
  const node = h("div", { class: "uth-textbox" }, labelled(label, input, true), problem);
  const wrong = () => {
    const long = Array.from(input.value).length;
    return halved(input.value) || (long > most ? `The text can be up to ${count(most)} characters long, got ${count(long)}; make it shorter.` : "");
  };
  // A text that is refused here stays refused, whatever an answer to an earlier one says.
  const complain = (said) => {
    const text = wrong() || said;
    if (problem.textContent !== text) problem.textContent = text;
    if (text) { input.setAttribute("aria-invalid", "true"); input.setAttribute("aria-describedby", problem.id); }
    else { input.removeAttribute("aria-invalid"); input.removeAttribute("aria-describedby"); }
  };
  input.addEventListener("input", () => {
    complain(input.value ? "" : empty);
    if (!wrong()) onInput?.(input.value);
  });
  if (onEnter) input.addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.isComposing && !wrong()) { event.preventDefault(); onEnter(input.value); } });
  const set = (text) => { if (input.value !== text) input.value = text; complain(text ? "" : empty); };
  set(value);
  return { node, input, set, complain, get value() { return input.value; }, get refused() { return wrong() !== ""; } };
}

/** One of several, in a list that drops down. `options` are texts or [value, text] pairs. */
export function choice({ label, options, value, onChange }) {
  const input = h("select", KEYS, options.map((option) => {
    const [key, text] = Array.isArray(option) ? option : [option, option];
    return h("option", { value: key }, text);
  }));
  input.value = value;
  input.addEventListener("change", () => onChange?.(input.value));
  return { node: labelled(label, input), input, set: (now) => { input.value = now; }, get value() { return input.value; } };
}

/** One of a few, all in sight. `options` are texts or [value, text] pairs. */
export function choices({ label, options, value, onChange }) {
  const name = fresh();
  const inputs = options.map((option) => {
    const [key, text] = Array.isArray(option) ? option : [option, option];
    const input = h("input", { type: "radio", name, value: key, id: fresh(), ...KEYS, on: { change: () => onChange?.(key) } });
    return [input, h("label", { for: input.id }, text)];
  });
  const set = (now) => inputs.forEach(([input]) => { input.checked = input.value === String(now); });
  set(value);
  const node = h("fieldset", { class: "uth-choices" }, h("legend", {}, label), h("div", {}, inputs.map((pair) => h("span", {}, pair))));
  return { node, set, inputs: inputs.map(([input]) => input), get value() { return inputs.find(([input]) => input.checked)?.[0].value; } };
}

/** On or off. */
export function toggle({ label, value = false, onChange }) {
  const input = h("input", { type: "checkbox", ...KEYS, on: { change: () => onChange?.(input.checked) } });
  input.checked = value;
  return { node: labelled(label, input), input, set: (now) => { input.checked = now; }, get value() { return input.checked; } };
}

/** A button. `label` is what it says; `name` what a screen reader hears where the two differ. */
export function button({ label, name, tip, onClick, quiet = false, lang }) {
  return h("button", { type: "button", class: quiet ? "uth-button uth-quiet" : "uth-button", "aria-label": name, "data-tip": tip, lang, ...KEYS, on: { click: onClick } }, label);
}

/** A row in which controls stand side by side and wrap. */
export const row = (...children) => h("div", { class: "uth-controls" }, children);

/** Numbers in boxes: [["tokens", "12"], ...]. Gives { node, set(values) }. */
export function tiles(names) {
  const values = names.map(() => h("dd", {}));
  const node = h("dl", { class: "uth-tiles" }, names.map((name, i) => h("div", {}, h("dt", {}, name), values[i])));
  return { node, set: (now) => now.forEach((text, i) => { if (values[i].textContent !== text) values[i].textContent = text; }) };
}

/**
 * Tokens as chips that wrap like words. Each item: { piece (text or bytes), below, tip, role, share, fill, mark, span, onClick }.
 * `role` is one of the course's roles, `share` (0 to 1) how strong its colour is; without a role the fills take turns
 * (`fill` says which one). `tip` (a text, or a function that gives one) is shown on hover and on focus. Where there is
 * something to hover or click, the list is one stop of the Tab key, and the arrow keys move inside it. Only the first
 * `most` are drawn, and a line says how many more there are (of `all`, where `items` was cut before).
 */
export function chips(items, settings = {}) {
  const list = chipList(settings);
  list.update(items, settings);
  return list.node;
}

/** Chips that change: { node, update(items, { label, all }) }. Those that stay are not drawn again, so typing stays quick. */
export function chipList({ most = 600 } = {}) {
  const node = h("div", { class: "uth-chips", role: "list", dir: "ltr" });
  const more = h("span", { class: "uth-more", role: "listitem" });
  let shown = []; // { key, node, chip }
  const update = (items, { label, all = items.length } = {}) => {
    if (label !== undefined) node.setAttribute("aria-label", label);
    const wanted = items.slice(0, most).map((item, i) => ({ key: keyOf(item, i), item, i }));
    const least = Math.min(wanted.length, shown.length);
    let head = 0, tail = 0;
    while (head < least && wanted[head].key === shown[head].key) head++;
    while (tail < least - head && wanted.at(-1 - tail).key === shown.at(-1 - tail).key) tail++;
    const pool = new Map();
    for (const old of shown.slice(head, shown.length - tail)) pool.has(old.key) ? pool.get(old.key).push(old) : pool.set(old.key, [old]);
    const middle = wanted.slice(head, wanted.length - tail).map(({ key, item, i }) => pool.get(key)?.pop() ?? { key, ...chip(item, i) });
    const had = document.activeElement;
    for (const left of pool.values()) for (const old of left) old.node.remove();
    const before = tail ? shown[shown.length - tail].node : null;
    const kept = [...shown.slice(0, head), ...middle, ...shown.slice(shown.length - tail)];
    // Nodes that already stand in their place are left alone.
    let at = head ? shown[head - 1].node.nextSibling : node.firstChild;
    for (const one of middle) {
      if (one.node === at) at = at.nextSibling;
      else node.insertBefore(one.node, at ?? before);
    }
    shown = kept;
    wanted.forEach(({ item }, i) => {
      const here = shown[i].chip;
      if (typeof item.tip === "function") tipsOf.set(here, item.tip);
      if (item.span && here.dataset.end !== String(item.span[1])) [here.dataset.start, here.dataset.end] = item.span;
    });
    if (all > most) { more.textContent = `… and ${count(all - most)} more`; node.append(more); }
    else more.remove();
    // One stop of the Tab key: the chip that has it, or the first.
    if (had && node.contains(had)) had.focus();
    const stops = shown.filter((one) => one.chip.hasAttribute("tabindex"));
    if (stops.length && !stops.some((one) => one.chip.tabIndex === 0)) stops[0].chip.tabIndex = 0;
  };
  node.addEventListener("keydown", (event) => {
    const all = shown.map((one) => one.chip).filter((one) => one.hasAttribute("tabindex")), at = all.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = all[Math.min(all.length - 1, Math.max(0, to))];
    for (const one of all) if (one.tabIndex === 0) one.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  return { node, update };
}

function keyOf({ piece, below, tip, role, share, fill, mark, onClick, name }, i) {
  const colour = role ? `${role} ${Math.round(100 * (share ?? 1))}` : (fill ?? i) % 5;
  // A chip that does something when it is clicked, or whose tip is a fixed text, is that one and no other.
  const own = onClick || typeof tip === "string" ? ++serial : tip ? "t" : "";
  return `${typeof piece === "string" ? `s${piece}` : `b${hex(piece)}`}\0${below}\0${colour}\0${mark ? 1 : 0}\0${name}\0${own}`;
}

function chip({ piece, below, tip, role, share, fill, mark, span, onClick, name }, i) {
  const inside = document.createElement(onClick ? "button" : "span");
  inside.className = `uth-chip${mark ? " uth-marked" : ""}${typeof piece === "string" ? "" : " uth-bytes"}${role ? " uth-shaded" : ""}`;
  if (onClick) { inside.type = "button"; inside.addEventListener("click", onClick); }
  if (tip || onClick) { inside.tabIndex = -1; inside.setAttribute("data-lm-suppress-shortcuts", "true"); }
  if (name) inside.setAttribute("aria-label", name);
  if (span) [inside.dataset.start, inside.dataset.end] = span;
  if (role) { inside.style.setProperty("--role", `var(--uth-${role})`); inside.style.setProperty("--share", `${Math.round(100 * (share ?? 1))}%`); }
  else inside.style.setProperty("--fill", `var(--uth-chip-${(fill ?? i) % 5})`);
  const letters = document.createElement("bdi");
  letters.className = "uth-piece";
  letters.textContent = visible(piece);
  inside.append(letters);
  if (below !== undefined) {
    const note = document.createElement("span");
    note.className = "uth-below";
    note.textContent = String(below);
    inside.append(note);
  }
  if (typeof tip === "string") inside.dataset.tip = tip;
  else if (tip) tipsOf.set(inside, tip);
  const node = document.createElement("span");
  node.setAttribute("role", "listitem");
  node.className = "uth-item";
  node.append(inside);
  return { node, chip: inside };
}

const tipsOf = new WeakMap();
/** Text that is shown beside an element on hover and focus; `tip` is a text, or a function that gives one. */
export function tip(node, text) {
  tipsOf.set(node, typeof text === "string" ? () => text : text);
  return node;
}

// One tooltip an explorer: on hover and on focus, stays while the pointer is on it, Escape takes it away (WCAG 1.4.13).
function tooltips(el) {
  const box = h("div", { class: "uth-tip", role: "tooltip", id: fresh(), hidden: true });
  el.append(box);
  let owner = null, leaving;
  const find = (node) => {
    for (; node && node !== el; node = node.parentNode) if (node.dataset?.tip || tipsOf.has(node)) return node;
    return null;
  };
  const hide = () => {
    owner?.removeAttribute("aria-describedby");
    owner = null;
    box.hidden = true;
  };
  const show = (node) => {
    clearTimeout(leaving);
    if (node === owner) return;
    hide();
    owner = node;
    box.textContent = node.dataset.tip ?? tipsOf.get(node)();
    box.hidden = false;
    node.setAttribute("aria-describedby", box.id);
    const around = el.getBoundingClientRect(), at = node.getBoundingClientRect();
    const left = Math.max(0, Math.min(at.left - around.left, around.width - box.offsetWidth));
    box.style.left = `${left}px`;
    box.style.top = `${at.bottom - around.top + 4}px`;
  };
  el.addEventListener("pointerover", (event) => {
    if (box.contains(event.target)) return clearTimeout(leaving);
    const node = find(event.target);
    if (node) show(node);
  });
  el.addEventListener("pointerout", (event) => {
    if (!owner || owner.contains(event.relatedTarget) || box.contains(event.relatedTarget)) return;
    clearTimeout(leaving);
    leaving = setTimeout(hide, 120);
  });
  el.addEventListener("focusin", (event) => {
    const node = find(event.target);
    if (node && event.target.matches(":focus-visible")) show(node);
  });
  el.addEventListener("focusout", hide);
  el.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && owner) { event.stopPropagation(); hide(); }
  });
}

/** The chips (with a `span`: where they start and end) that stand on the same place as the one under pointer or focus are ringed. */
export function ringSame(el) {
  let ringed = [];
  const clear = () => { ringed.forEach((node) => node.classList.remove("uth-same")); ringed = []; };
  const ring = (event) => {
    const find = (node) => node?.closest?.(".uth-chip[data-start]");
    const here = find(event.target) ?? (el.contains(document.activeElement) ? find(document.activeElement) : null);
    clear();
    if (!here) return;
    const start = Number(here.dataset.start), end = Number(here.dataset.end);
    ringed = Array.from(el.querySelectorAll(".uth-chip[data-start]")).filter((node) => Number(node.dataset.start) < end && Number(node.dataset.end) > start);
    ringed.forEach((node) => node.classList.add("uth-same"));
  };
  for (const event of ["pointerover", "focusin"]) el.addEventListener(event, ring);
  for (const event of ["pointerleave", "focusout"]) el.addEventListener(event, clear);
}

/**
 * Bars from left to right, a table for those who can't see them. `labels` name the rows (texts or bytes); `series` is
 * [{ name, values, role, values_text }, ...]: a value of NaN draws no bar and says `none`; series after the first are
 * hatched, so that they differ without colour. With `names`, labels are written as they are, not as tokens. `unit` "probability" writes percent, else numbers. `onClick(i)` turns the
 * labels into buttons. Gives { node, update({ labels, series, ... }) }, which keeps the rows that are there.
 */
export function bars(settings) {
  const node = h("div", { class: "uth-bars" });
  const update = (now) => {
    Object.assign(settings, now);
    const { labels, series, caption = "", unit = "probability", none = "never counted", onClick, longest, current } = settings;
    const known = series.flatMap((one) => Array.from(one.values)).filter(Number.isFinite);
    const whole = longest ?? Math.max(1e-12, ...known);
    const told = (value) => (Number.isNaN(value) ? none : unit === "probability" ? percent(value) : number(value));
    const written = (label) => (settings.names ? label : named(label));
    const room = Math.max(4, ...series.flatMap((one) => Array.from(one.values, (value) => told(value).length))) + 2;
    const focused = node.contains(document.activeElement) ? document.activeElement.dataset.row : undefined;
    const head = h("tr", { class: "uth-unseen" }, h("th", { scope: "col" }, settings.rows ?? "token"), series.map((one) => h("th", { scope: "col" }, one.name)));
    const body = labels.map((label, i) => h("tr", { class: i === current ? "uth-current" : null },
      h("th", { scope: "row" }, onClick
        ? h("button", { type: "button", class: "uth-button uth-quiet", "data-row": String(i), ...KEYS, on: { click: () => onClick(i) } }, h("bdi", {}, written(label)))
        : h("bdi", {}, written(label))),
      series.map((one, j) => h("td", {},
        h("span", { class: `uth-bar uth-hatch-${j % 3}`, style: { "--role": `var(--uth-${one.role ?? "probabilities"})`, width: `calc((100% - ${room}ch) * ${Number.isNaN(one.values[i]) ? 0 : Math.max(0, one.values[i] / whole)})` } }),
        h("span", { class: "uth-value" }, told(one.values[i]))))));
    const legend = series.length > 1 && h("div", { class: "uth-legend", "aria-hidden": "true" }, series.map((one, j) =>
      h("span", {}, h("span", { class: `uth-bar uth-hatch-${j % 3}`, style: { "--role": `var(--uth-${one.role ?? "probabilities"})` } }), one.name)));
    node.replaceChildren(...[h("table", {}, caption ? h("caption", {}, caption) : null, h("thead", {}, head), h("tbody", {}, body)), legend].filter(Boolean));
    if (focused !== undefined) node.querySelector(`[data-row="${focused}"]`)?.focus();
  };
  update({});
  return { node, update };
}

/**
 * A table as colours: `values[row][column]`, rows down and columns across, from `limits[0]` to `limits[1]`. `write(value, r, c)`
 * gives the text in a cell. Labels are tokens, elements, or with `names` texts that are written as they are. A real table, so a screen reader can walk through it; where it has more than `most` cells the
 * colours are painted on a canvas, with `describe` (a sentence) in place of the table.
 */
export function heatmap({ values, rows, columns, caption, names = false, limits = [0, 1], write = (value) => value.toFixed(2), corner = "", role = "tokens", onHover, most = 1600, describe = caption }) {
  const shareOf = (value) => Math.min(1, Math.max(0, (value - limits[0]) / (limits[1] - limits[0])));
  if (rows.length * columns.length > most) return paintedHeatmap({ values, shareOf, describe, role });
  const named = (label) => (label instanceof Node ? label : h("bdi", {}, names ? label : visible(label)));
  const table = h("table", { class: "uth-heat" },
    caption ? h("caption", {}, caption) : null,
    h("thead", {}, h("tr", {}, corner ? h("th", { scope: "col" }, corner) : h("td", {}), columns.map((label) => h("th", { scope: "col" }, named(label))))),
    h("tbody", {}, rows.map((label, r) => h("tr", {}, h("th", { scope: "row" }, named(label)), columns.map((_, c) => {
      const share = shareOf(values[r][c]);
      // Where the letters turn from dark to light, in the light theme and in the dark one.
      const flips = `${share > 0.9 ? " uth-deep" : ""}${share > 0.55 ? " uth-bright" : ""}`;
      return h("td", { class: `uth-cell${flips}`, style: { "--role": `var(--uth-${role})`, "--share": `${Math.round(100 * share)}%` }, on: onHover ? { pointerenter: () => onHover(r, c) } : {} }, write(values[r][c], r, c));
    })))));
  return scrollable(table, caption ?? "table");
}

function paintedHeatmap({ values, shareOf, describe, role }) {
  const canvas = h("canvas", { class: "uth-painted", role: "img", "aria-label": describe, width: values[0].length, height: values.length });
  requestAnimationFrame(() => {
    const css = getComputedStyle(canvas), pen = canvas.getContext("2d");
    pen.fillStyle = css.getPropertyValue("--jp-layout-color1") || "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = css.getPropertyValue(`--uth-${role}`);
    values.forEach((line, r) => line.forEach((value, c) => { pen.globalAlpha = shareOf(value); pen.fillRect(c, r, 1, 1); }));
  });
  return canvas;
}

/** Something wide that scrolls sideways by itself, by keyboard too, instead of widening the page. */
export const scrollable = (node, name) => h("div", { class: "uth-scroll", role: "region", "aria-label": name, tabindex: "0", ...KEYS }, node);

/**
 * Lines over an axis, as SVG. `series` is [{ name, points: [[x, y], ...], role, dashed }]; `at` draws an upright line at
 * that x. Gives { node, update(settings), move(x) }. `describe` is its alternative text.
 */
export function lines(settings) {
  const node = h("div", { class: "uth-lines" });
  let mark, dot, scale, seen = 0;
  // Drawn as wide as there is room, so that letters keep their size on a small screen.
  new ResizeObserver(([entry]) => {
    const now = Math.round(Math.min(640, Math.max(240, entry.contentRect.width)));
    if (entry.contentRect.width && now !== seen) { seen = now; update({ width: now }); }
  }).observe(node);
  const update = (now) => {
    Object.assign(settings, now);
    const { series, x_label = "", y_label = "", describe = "", at, width = 560, height = 190, from_zero = true } = settings;
    const xs = series.flatMap((one) => one.points.map((p) => p[0])), ys = series.flatMap((one) => one.points.map((p) => p[1]));
    const low = [Math.min(...xs), from_zero ? 0 : Math.min(...ys)], high = [Math.max(...xs), Math.max(...ys)];
    if (!(high[0] > low[0])) high[0] = low[0] + 1;
    if (!(high[1] > low[1])) high[1] = low[1] + 1;
    const left = 48, right = 12, top = 10, bottom = 38;
    const x = (value) => left + ((value - low[0]) / (high[0] - low[0])) * (width - left - right);
    const y = (value) => height - bottom - ((value - low[1]) / (high[1] - low[1])) * (height - top - bottom);
    scale = { x, y, top, foot: height - bottom };
    const text = (props, content) => svg("text", props, content);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": describe });
    for (const value of ticks(low[1], high[1], 4)) {
      picture.append(svg("line", { class: "uth-grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }), text({ x: left - 6, y: y(value) + 4, "text-anchor": "end" }, axisNumber(value)));
    }
    for (const value of ticks(low[0], high[0], 6)) picture.append(text({ x: x(value), y: height - bottom + 16, "text-anchor": "middle" }, axisNumber(value)));
    picture.append(svg("line", { class: "uth-axis", x1: left, x2: width - right, y1: y(low[1]), y2: y(low[1]) }));
    picture.append(text({ x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle", class: "uth-axis-name" }, x_label));
    picture.append(svg("text", { transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "uth-axis-name" }, y_label));
    for (const one of series) {
      picture.append(svg("polyline", { class: "uth-line", points: one.points.map((p) => `${x(p[0])},${y(p[1])}`).join(" "), style: { "--role": `var(--uth-${one.role})` }, "stroke-dasharray": one.dashed ? "5 4" : null }));
    }
    mark = svg("line", { class: "uth-mark", y1: top, y2: height - bottom });
    dot = svg("circle", { class: "uth-dot", r: 5, style: { "--role": `var(--uth-${series[0].role})` } });
    picture.append(mark, dot);
    node.replaceChildren(picture);
    move(at);
  };
  const move = (at) => {
    settings.at = at;
    const here = at !== undefined;
    mark.style.display = dot.style.display = here ? "" : "none";
    if (!here) return;
    const points = settings.series[0].points, near = points.reduce((best, p) => (Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best));
    mark.setAttribute("x1", scale.x(at));
    mark.setAttribute("x2", scale.x(at));
    dot.setAttribute("cx", scale.x(near[0]));
    dot.setAttribute("cy", scale.y(near[1]));
  };
  update({});
  return { node, update, move };
}

/** Puts a text on the clipboard; gives whether it worked. Where the clipboard is closed, the old way is tried. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = h("textarea", { class: "uth-unseen", "aria-hidden": "true", tabindex: "-1" });
    box.value = text;
    const before = document.activeElement;
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    before?.focus?.();
    return done;
  }
}

/** Keeps a control in step with a trait that something else may change: another view of it, or Python. */
export function follow(model, name, changed) {
  const tell = () => changed(model.get(name));
  model.on(`change:${name}`, tell);
  return () => model.off(`change:${name}`, tell);
}

// ---- A saved notebook that is opened again ------------------------------------------------------------------------

// What JupyterLab's part of ipywidgets writes where a widget belongs, and never takes back (jupyterlab-widgets 3.0.17).
const GIVEN_UP = "Error displaying widget: model not found";

/**
 * What anywidget calls as soon as a widget is known, shown or not. When a saved notebook is opened, its views wait for their
 * widgets two seconds, looking ten times a second. If the file has been read between the last look and the end (on a busy
 * machine looks come late), a view gives up although its widget is there. This shows those after all.
 */
export function initialize({ model }) {
  let manager, cells;
  try {
    manager = model.widget_manager;
    cells = manager.context.model.cells;
  } catch {
    return; // another front end, or a console
  }
  if (!cells || manager.mendsViews) return; // another explorer of this notebook sees to it
  manager.mendsViews = true;
  const mended = new Set();
  const mend = async () => {
    if (![...document.querySelectorAll(".jp-OutputArea-output.jupyter-widgets")].some((node) => node.textContent === GIVEN_UP)) return;
    for (const { type, outputs } of cells) {
      if (type !== "code") continue;
      for (let i = 0; i < outputs.length; i++) {
        const output = outputs.get(i).toJSON(), name = output.data?.["application/vnd.jupyter.widget-view+json"]?.model_id;
        if (!name || mended.has(name) || !manager.has_model(name)) continue;
        const { views } = await manager.get_model(name);
        if (Object.keys(views ?? {}).length) continue;
        mended.add(name);
        outputs.set(i, output);
      }
    }
  };
  for (const wait of [0, 1000, 3000, 6000]) setTimeout(mend, wait); // the views may give up a little later
}

// ---- The kernel -------------------------------------------------------------------------------------------------

/** Whether a kernel can answer: "ready", "busy", or "gone" (none, restarted, or a notebook that was only reopened). */
export function kernelState(model, el) {
  if (el.classList?.contains("jupyter-widgets-disconnected") || el.dataset?.gone) return "gone";
  let kernel;
  try {
    kernel = model.widget_manager?.kernel;
  } catch {
    return "ready"; // a front end that does not say
  }
  if (kernel === undefined) return "ready";
  if (kernel === null || ["dead", "terminating", "restarting", "autorestarting"].includes(kernel.status)) return "gone";
  return kernel.status === "busy" ? "busy" : "ready";
}

/**
 * Questions that only the kernel can answer. `answered(answer)` gets each answer that is still wanted; `say` and
 * `complain` are the frame's; `needs` ends the sentence "… needs a kernel" (say "New text"). Gives { ask(question), stop() }.
 *
 * A burst of questions costs one computation: the newest is sent when nothing was asked for `wait` ms, and never while
 * an earlier one is being worked on; `waiting` is true until its answer is there. What the kernel says in `problem` is
 * shown, and `answered` is then not called (`failed` is, where given), so that the old picture stays. After `slow` ms
 * it says that it works, after `busy` that the kernel is busy, after `lost` what to do.
 */
export function asker(model, el, { needs, say, complain, answered, failed, wait = 40, slow = 300, busy = 2000, lost = 15000 }) {
  let asked = Math.max(model.get("question")?.number ?? 0, model.get("answer")?.number ?? 0);
  let sent = 0, next = null, soon, slowly, busily, lastly;
  const gone = `${needs} needs a kernel, and none is connected to this view. Run this cell again (Shift+Enter) to get one. Everything else here still works.`;
  const quiet = () => { [slowly, busily, lastly].forEach(clearTimeout); };
  const waiting = () => {
    const state = kernelState(model, el);
    if (state === "gone") { sent = 0; quiet(); say(""); complain(gone); }
    return state;
  };
  const send = () => {
    if (next === null || sent) return;
    const question = { ...next, number: ++asked };
    next = null;
    if (waiting() === "gone") return;
    sent = asked;
    model.set("question", question);
    model.save_changes();
    quiet();
    slowly = setTimeout(() => {
      if (waiting() !== "gone") say("working …");
    }, slow);
    // A kernel is busy with this question too, so it can't be said what with.
    busily = setTimeout(() => {
      if (waiting() === "busy") say("still working … The kernel is busy, with this or with another cell; the answer comes when it is done.");
    }, busy);
    lastly = setTimeout(() => {
      const state = waiting();
      sent = 0; // a later question may try again
      if (state === "busy") { complain("The kernel is busy with another cell. The answer comes when that is done."); say(""); }
      else if (state === "ready") { complain(`The kernel has not answered for ${Math.round(lost / 1000)} seconds. Run this cell again (Shift+Enter); if that does not help, restart the kernel.`); say(""); }
    }, lost);
  };
  const ask = (question, { now = false } = {}) => {
    next = question;
    clearTimeout(soon);
    if (now || !wait) send();
    else soon = setTimeout(send, wait);
  };
  const answer = () => {
    const got = model.get("answer");
    const number = got?.number ?? 0;
    if (number < Math.max(sent, asked)) return; // overtaken
    asked = number;
    sent = 0;
    quiet();
    if (next !== null) { clearTimeout(soon); return send(); } // something newer is wanted by now
    complain(model.get("problem"));
    say(model.get("problem") ? "" : model.get("alt"));
    if (model.get("problem")) failed?.(got);
    else answered(got);
  };
  // The kernel was restarted under an open view: what it knew is lost, and only a new run of the cell brings it back.
  const alive = function () {
    if (this?.model?.comm_live === false) el.dataset.gone = "true";
    if (sent) waiting();
  };
  model.on("change:answer", answer);
  model.on("comm_live_update", alive);
  return {
    ask,
    get waiting() { return sent !== 0 || next !== null; },
    get gone() { return kernelState(model, el) === "gone"; },
    stop() { quiet(); clearTimeout(soon); model.off("change:answer", answer); model.off("comm_live_update", alive); },
  };
}
