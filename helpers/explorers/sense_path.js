// One word in two texts on its way through a model. The kernel works out each pair of texts once; every step is drawn here.
// What sense_path.py computes is here under the same names.
import {
  asker, button, choice, choices, floats, follow, frame as page, fresh, h, initialize, kernelState, lines, onceAFrame, percent, quoted as inQuotes, row, rounded, shortened, slider, svg, textBox, ticks, visible, written,
} from "./shared.js";

// ---- Numbers: the same as in Python. Nothing here touches the page, and Node runs it --------------------------------

const CLOSE = 0.05, EDGE = 2, LONGEST = 200;
const SHOWS = { changed: "So far", direct: "Directly, so far", last: "Directly, in this step" };

/** A comparison as Python packed it: { model, word, meanings, texts, n (blocks), cosines, pulls: [2], others: [2] of paths }. */
export function unpack({ model, word, meanings, texts, labels, at, cosines, numbers, others }) {
  const cosine = floats(cosines), n = cosine.length - 1;
  const pulls = numbers.map((bytes, i) => {
    const all = floats(bytes), many = labels[i].length;
    let from = 0;
    const take = (size) => all.subarray(from, (from += size));
    const [path, feed_forward, rest] = [take(n + 1), take(n), take(n)], tokens = take(n * many), looks = take(n * many), changed = take((n + 1) * many);
    return { labels: labels[i], at: at[i], path, feed_forward, rest, tokens, looks, changed };
  });
  const groups = others.map((bytes) => { const all = floats(bytes); return Array.from({ length: all.length / (n + 1) }, (_, i) => all.subarray(i * (n + 1), (i + 1) * (n + 1))); });
  return { model, word, meanings, texts, n, cosines: cosine, pulls, others: groups };
}

/** What each token changed in `block` blocks; or what the parts handed over ("direct"), or in the "last" of them. */
export function partsAt({ labels, feed_forward, rest, tokens, looks, changed }, block, show = "changed") {
  const many = labels.length, from = show === "last" ? Math.max(0, block - 1) : 0, blocks = Math.max(1, block - from);
  const parts = { tokens: new Float64Array(many), feed_forward: 0, rest: 0, together: 0, looks: new Float64Array(many) };
  for (let l = from; l < block; l++) for (let t = 0; t < many; t++) parts.looks[t] += looks[l * many + t] / blocks;
  if (show === "changed") {
    for (let t = 0; t < many; t++) parts.tokens[t] = changed[block * many + t];
    return parts;
  }
  for (let l = from; l < block; l++) {
    for (let t = 0; t < many; t++) parts.tokens[t] += tokens[l * many + t];
    parts.feed_forward += feed_forward[l];
    parts.rest += rest[l];
  }
  parts.together = parts.tokens.reduce((sum, x) => sum + x, 0) + parts.feed_forward + parts.rest;
  return parts;
}

/** A place or a pull in words. */
export function side(x, meanings, digits = 1) {
  if (Math.abs(x) < (digits === 1 ? CLOSE : 0.005)) return digits === 1 ? "in the middle" : "0.00";
  return `${written(Math.abs(x), digits)} towards ${meanings[x < 0 ? 0 : 1]}`;
}

/** The token that pulls most, to either side; the first of those that agree to 3 digits; null where none pulls. */
export function strongest(tokens) {
  const sizes = Array.from(tokens, (x) => Number(rounded(Math.abs(x), 3))), most = Math.max(...sizes);
  return most >= 0.005 ? sizes.indexOf(most) : null;
}

const bare = (label) => label.replace(/^ +| +$/g, "") || label;
/** A token in quotes, without the space that begins it. */
export const quoted = (label) => inQuotes(shortened(visible(bare(label)), 24));

/** Which of the words pulls most; and what the feed-forward network does, where the parts add up. */
export function most(pulls, block, show, meanings) {
  const parts = partsAt(pulls, block, show), which = strongest(parts.tokens);
  const told = which === null ? "no word pulls" : `${quoted(pulls.labels[which])} pulls most (${side(parts.tokens[which], meanings, 2)})`;
  return show === "changed" ? told : `${told}, feed-forward ${side(parts.feed_forward, meanings, 2)}`;
}

const signed = (x) => written(x, 2);
const stands = (x, meanings) => (Math.abs(x) <= EDGE ? side(x, meanings) : `off the map, beyond ${meanings[x < 0 ? 0 : 1]}`);

/** What is shown, in two sentences. */
export function describe({ word, meanings, texts, n, cosines, pulls }, model, block, show = "changed") {
  const places = texts.map((text, i) => `in ${inQuotes(text)} it stands ${stands(pulls[i].path[block], meanings)}`);
  let told = `${inQuotes(word)} in ${model} after ${block} of ${n} blocks: ${places.join(", ")}; cosine ${signed(cosines[block])}.`;
  if (block) {
    const [first, second] = pulls.map((one) => most(one, block, show, meanings));
    told += ` ${SHOWS[show]}, in the first text ${first}; in the second ${second}.`;
  }
  return told;
}

/** Where a number stands between two ends, from 0 to 1; beyond them at the end. */
export const between = (low, x, high) => Math.min(high, Math.max(low, x));

/** The longest bar stands for this much: the largest pull there is, where it is not the work of a sink. */
export function longestPull({ pulls, n }, show) {
  let longest = 0.02;
  for (const one of pulls) {
    for (let block = 1; block <= n; block++) {
      const { tokens, feed_forward, rest, together } = partsAt(one, block, show);
      for (const x of [...tokens, feed_forward, rest, together]) if (Math.abs(x) <= EDGE) longest = Math.max(longest, Math.abs(x));
    }
  }
  return longest;
}

/** The same block in another model: as far from the bottom to the top. */
export const sameShare = (block, n, other) => Math.round((block / n) * other);

/** Whether a word can see nothing behind it. */
export const causal = ({ labels, at, looks }) => !labels.some((_, t) => t > at && looks.some((x, i) => i % labels.length === t && x !== 0));

// ---- The page --------------------------------------------------------------------------------------------------------

const SAVE = 250; // ms of quiet after which Python is told
const OWN = "own", ROLES = ["tokens", "loss"], MARKS = ["●", "■"];
const WIDE = 640; // pixels of room from which the pulls stand beside the map
const HANDED = "Handed over: what attention takes from this token itself, compared with what the same heads usually find. All rows add up to the way on the map.";
const HOWTO = {
  changed: "Changed so far: where the word stands, less where it would stand if its heads had found the usual in place of what this token gives. That includes what the feed-forward networks make of it. Words work together, so these do not add up.",
  direct: HANDED, last: HANDED.replace("Handed over:", "Handed over in the last of these blocks:"),
};
const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const keyOf = (model, texts) => [model, ...texts].join("\0");

function render({ model, el }) {
  const { root, say, complain: complainBelow } = page(el, "sense-path");
  const get = (name) => model.get(name);
  const readings = new Map();
  const keep = (packed) => { const one = unpack(packed); readings.set(keyOf(one.model, one.texts), one); return one; };
  get("known").forEach(keep);
  if (get("got").word) keep(get("got"));
  const current = () => readings.get(keyOf(get("model"), [get("first"), get("second")]));
  let got = current() ?? readings.values().next().value, saving, room = 0, longest = {}, drawn = null;
  const pairs = [...new Map([...readings.values()].map(({ texts }) => [texts.join("\0"), texts])).values()];

  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };
  const now = () => between(0, get("block"), got.n);
  const go = (block) => { slide.set(between(0, block, got.n)); set({ block: between(0, block, got.n) }); };

  // ---- Other texts: only the kernel can read them
  const complain = (text) => {
    const refused = text !== "" && text === get("problem");
    boxes[1].complain(refused ? text : "");
    complainBelow(refused ? "" : text);
  };
  const asking = asker(model, el, { needs: "A new text", say, complain, wait: 150, answered: () => { keep(get("got")); take(); }, failed: () => {
    put(stillShown, `Still shown: ${inQuotes(got.texts[0])} and ${inQuotes(got.texts[1])} in ${got.model}.`);
    stillShown.hidden = false;
  } });
  const wanted = () => ({ model: models.value, first: boxes[0].value, second: boxes[1].value });
  /** Shows what is wanted where it is known, and else asks for it. */
  const want = () => {
    if (boxes.some((box) => box.refused || !box.value.trim())) return;
    const next = wanted(), known = readings.get(keyOf(next.model, [next.first, next.second]));
    if (!known) return asking.ask(next);
    complain("");
    if (asking.waiting) asking.ask(next); // so that no older answer takes its place
    const block = known.n === got.n ? now() : sameShare(now(), got.n, known.n);
    set({ ...next, block });
    take();
  };
  function take() {
    const one = current();
    if (!one) return;
    got = one;
    stillShown.hidden = true;
    slide.input.max = got.n;
    slide.set(now());
    models.set(get("model"));
    pair.set(String(pairs.findIndex((texts) => texts.join("\0") === got.texts.join("\0"))));
    if (pair.input.selectedIndex < 0) pair.set(OWN);
    longest = {};
    draw();
  }

  // ---- Controls
  const names = get("names");
  const models = choices({ label: "model", options: names, value: get("model"), onChange: () => want() });
  const pair = choice({ label: "texts", options: [...pairs.map((texts, i) => [String(i), texts.map((text) => shortened(text, 44)).join("  |  ")]), [OWN, "your own, below"]], value: "0", onChange: (which) => {
    if (which === OWN) return boxes[0].input.focus();
    pairs[which].forEach((text, i) => boxes[i].set(text));
    want();
  } });
  pair.node.classList.add("uth-pair");
  const boxes = ["first", "second"].map((name) => textBox({ label: `${name} text`, value: get(name), most: LONGEST, empty: "Type a text with the word in it.", onInput: () => { pair.set(OWN); want(); } }));
  const stillShown = h("p", { class: "uth-still", hidden: true });
  const slide = slider({ label: "blocks done", min: 0, max: got.n, value: now(), format: (block) => `${block} of ${got.n}`, onInput: go });
  const step = (by, label, name) => button({ label, name, onClick: () => go(now() + by) });
  const [back, on] = [step(-1, "◀", "one block back"), step(1, "▶", "one block on")];
  const modes = choices({ label: "pulls", options: [["changed", "changed so far"], ["direct", "handed over so far"], ["last", "handed over in this step"]], value: get("show"), onChange: (show) => set({ show }) });

  // ---- The map
  const title = h("h4", {}), stage = h("div", { class: "uth-stage" }), legend = h("p", { class: "uth-hint" });
  let moving = null;
  function paintMap() {
    const width = Math.round(between(280, room >= WIDE ? 0.46 * room : room, 560)), height = got.n > 12 ? 440 : 330;
    const left = 34, right = 10, top = 40, bottom = 40;
    const x = (place) => left + ((between(-EDGE, place, EDGE) + EDGE) / (2 * EDGE)) * (width - left - right);
    const y = (block) => height - bottom - (block / got.n) * (height - top - bottom);
    const points = (path, from = 0, to = got.n) => Array.from(path.subarray(from, to + 1), (place, i) => `${x(place).toFixed(1)},${y(from + i).toFixed(1)}`).join(" ");
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
    const text = (props, words) => svg("text", props, words);
    for (const block of ticks(0, got.n, 6)) picture.append(svg("line", { class: "uth-grid", x1: left, x2: width - right, y1: y(block), y2: y(block) }), text({ x: left - 6, y: y(block) + 4, "text-anchor": "end" }, String(block)));
    picture.append(text({ x: left - 26, y: 12 }, "blocks done"));
    picture.append(svg("line", { class: "uth-middle", x1: x(0), x2: x(0), y1: top - 8, y2: height - bottom }));
    for (const place of [-2, -1, 0, 1, 2]) picture.append(text({ x: x(place), y: height - bottom + 16, "text-anchor": place === -2 ? "start" : place === 2 ? "end" : "middle" }, written(place, 0)));
    picture.append(text({ x: left, y: height - 6, class: "uth-sense" }, `← ${got.meanings[0]}`), text({ x: width - right, y: height - 6, "text-anchor": "end", class: "uth-sense" }, `${got.meanings[1]} →`));
    got.others.forEach((group, g) => group.forEach((path) => picture.append(svg("polyline", { class: "uth-other", points: points(path), "stroke-dasharray": g ? null : "2 3" }))));
    const level = svg("line", { class: "uth-level", x1: left, x2: width - right });
    const marks = got.others.map((group, g) => group.map(() => (g ? svg("path", { class: "uth-mark-b", d: "M-3 -3L3 3M-3 3L3 -3" }) : svg("circle", { class: "uth-mark-a", r: 3.2 }))));
    const whole = got.pulls.map(({ path }, i) => svg("polyline", { class: "uth-whole", points: points(path), style: { "--role": `var(--uth-${ROLES[i]})` } }));
    const done = got.pulls.map((_, i) => svg("polyline", { class: "uth-done", style: { "--role": `var(--uth-${ROLES[i]})` } }));
    const dots = got.pulls.map((_, i) => (i ? svg("rect", { class: "uth-here", x: -6.5, y: -6.5, width: 13, height: 13, style: { "--role": `var(--uth-${ROLES[i]})` } }) : svg("circle", { class: "uth-here", r: 7.5, style: { "--role": `var(--uth-${ROLES[i]})` } })));
    const names = got.texts.map((words) => text({ class: "uth-name", "text-anchor": "middle" }, ""));
    picture.append(level, ...marks.flat(), ...whole, ...done, ...dots, ...names);
    stage.replaceChildren(picture);
    moving = (block) => {
      level.setAttribute("y1", y(block));
      level.setAttribute("y2", y(block));
      marks.forEach((group, g) => group.forEach((mark, i) => mark.setAttribute("transform", `translate(${x(got.others[g][i][block]).toFixed(1)} ${y(block).toFixed(1)})`)));
      got.pulls.forEach(({ path }, i) => {
        const place = path[block], off = Math.abs(place) > EDGE, words = `${shortened(got.texts[i], 26)}${off ? (place < 0 ? " ← off the map" : " off the map →") : ""}`;
        done[i].setAttribute("points", points(path, 0, block));
        dots[i].setAttribute("transform", `translate(${x(place).toFixed(1)} ${y(block).toFixed(1)})`);
        put(names[i], words);
        const half = 3.5 * words.length + 4;
        names[i].setAttribute("x", between(Math.min(left + half, width / 2), x(place), Math.max(width - half, width / 2)).toFixed(1));
        names[i].setAttribute("y", (y(block) + (i ? 25 : -15)).toFixed(1));
      });
      picture.setAttribute("aria-label", `Map of ${inQuotes(got.word)}: ${got.texts.map((words, i) => `${inQuotes(words)} stands ${stands(got.pulls[i].path[block], got.meanings)}`).join(", ")}.`);
    };
  }

  // ---- The words that pull
  const cards = [0, 1].map(() => h("section", { class: "uth-card" }));
  let tables = [];
  function fillCards() {
    tables = got.pulls.map((pulls, i) => {
      const blind = causal(pulls);
      const rows = [...pulls.labels.map((label, t) => ({ label: visible(bare(label)), t, own: t === pulls.at, unseen: blind && t > pulls.at })), { label: "feed-forward", part: "feed_forward" }];
      if (pulls.rest.some((value) => Math.abs(value) > 1e-3)) rows.push({ label: "norm", part: "rest" });
      rows.push({ label: "all together", part: "together" });
      const body = rows.map((one) => {
        const look = h("td", { class: "uth-look" }), bar = h("span", { class: "uth-pull", style: { "--role": `var(--uth-${ROLES[i]})` } }), value = h("td", { class: "uth-number" });
        const line = h("tr", { class: `${one.own ? "uth-own" : ""}${one.part ? ` uth-part uth-${one.part}` : ""}${one.unseen ? " uth-after" : ""}` }, h("th", { scope: "row" }, h("bdi", {}, one.label)), look, h("td", { class: "uth-track", "aria-hidden": "true" }, bar), value);
        if (one.unseen) { put(look, "–"); put(value, "not seen"); }
        return { ...one, look, bar, value, line };
      });
      const place = h("span", { class: "uth-where" }), note = h("p", { class: "uth-hint" });
      const caption = h("caption", {}, h("span", { class: "uth-sign", style: { "--role": `var(--uth-${ROLES[i]})` }, "aria-hidden": "true" }, MARKS[i]), " ", h("bdi", {}, shortened(got.texts[i], 60)), h("br", {}), place);
      const head = ["token", "looked at", `← ${got.meanings[0]} | ${got.meanings[1]} →`, "pull"].map((words, c) => h("th", { scope: "col", class: c === 2 ? "uth-middle-head" : null, "aria-hidden": c === 2 ? "true" : null }, words));
      const table = h("table", { class: "uth-pulls" }, caption, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body.map((one) => one.line)));
      if (blind && pulls.at === 0) put(note, `${quoted(pulls.labels[0])} comes first: ${got.model} has read nothing before it. A first token is also where heads rest when they find nothing, with a vector unlike all others (the sink), so its place means nothing.`);
      else if (blind && pulls.at < pulls.labels.length - 1) put(note, `${got.model} reads from left to right: what comes after the word can't pull it.`);
      cards[i].replaceChildren(table, note);
      return { body, place, pulls };
    });
  }
  function movePulls(block, show) {
    const most = (longest[show] ??= longestPull(got, show));
    for (const { body, place, pulls } of tables) {
      const parts = partsAt(pulls, block, show);
      put(place, `${stands(pulls.path[block], got.meanings)}${Math.abs(pulls.path[block]) > EDGE ? ` (${written(pulls.path[block], 1)})` : ""}`);
      for (const { part, t, own, unseen, look, bar, value, line } of body) {
        if (part) line.hidden = show === "changed";
        if (unseen || line.hidden) continue;
        const pull = part ? parts[part] : parts.tokens[t], share = between(-1, pull / most, 1);
        bar.style.left = `${50 + 50 * Math.min(0, share)}%`;
        bar.style.width = `${50 * Math.abs(share)}%`;
        bar.classList.toggle("uth-beyond", Math.abs(pull) > most * 1.0001);
        put(value, block === 0 || (own && show === "changed") ? "–" : Math.abs(pull) < 0.005 ? "0.00" : pull < 0 ? `← ${written(-pull, 2)}` : `${written(pull, 2)} →`);
        value.setAttribute("aria-label", block === 0 ? "nothing yet" : own && show === "changed" ? "the word itself" : side(pull, got.meanings, 2));
        if (!part) put(look, block === 0 ? "–" : percent(parts.looks[t]).replace("under", "<").replace("over", ">"));
      }
    }
  }

  // ---- The cosine, and a table of all blocks
  const cosine = lines({ series: [{ name: "cosine", points: [[0, 1], [1, 1]], role: "truth" }], x_label: "blocks done", y_label: "cosine", height: 150 });
  const cosineName = h("h4", {});
  const body = h("tbody", {}), caption = h("caption", {}), headings = h("tr", {});
  const details = h("details", {}, h("summary", { "data-lm-suppress-shortcuts": "true" }, "Table of all blocks"), h("table", { class: "uth-all-blocks" }, caption, h("thead", {}, headings), body));
  function fillRest() {
    cosine.update({ series: [{ name: "cosine", points: Array.from(got.cosines, (value, block) => [block, value]), role: "truth" }], from_zero: got.cosines.every((value) => value >= 0), at: now(), describe: `Cosine of the two vectors of ${inQuotes(got.word)}: ${signed(got.cosines[0])} at the start, ${signed(Math.min(...got.cosines))} at the lowest, ${signed(got.cosines[got.n])} after ${got.n} blocks.` });
    put(caption, `Where ${inQuotes(got.word)} stands: below 0 towards ${got.meanings[0]}, above 0 towards ${got.meanings[1]}`);
    headings.replaceChildren(...["blocks done", ...got.texts.map((text) => shortened(text, 30)), "cosine"].map((words) => h("th", { scope: "col" }, h("bdi", {}, words))));
    body.replaceChildren(...Array.from(got.cosines, (value, block) => h("tr", {}, h("th", { scope: "row" }, String(block)), got.pulls.map(({ path }) => h("td", {}, written(path[block], 2))), h("td", {}, signed(value)))));
    const many = got.others.reduce((sum, group) => sum + group.length, 0);
    put(legend, `Thin lines: the ${many} sentences that the map is made of, each placed by the others (dotted and ○: ${got.meanings[0]}; solid and ×: ${got.meanings[1]}). −1 and 1 are where their means stand half way up.`);
  }
  const howto = h("p", { class: "uth-hint" });
  const note = h("p", { class: "uth-hint" }, get("note"));
  note.hidden = !get("note");

  root.append(
    h("div", { "data-answers": "browser" }, row(names.length > 1 ? models.node : null, pair.node)),
    h("div", { "data-answers": "model", class: "uth-boxes" }, row(boxes.map((box) => box.node)), stillShown),
    h("div", { "data-answers": "browser" }, row(slide.node, h("div", { class: "uth-steps" }, back, on), modes.node)),
    note,
    h("div", { class: "uth-views" },
      h("div", { class: "uth-left" }, h("section", {}, title, stage, legend), h("section", {}, cosineName, cosine.node)),
      h("div", { class: "uth-side" }, cards, howto)),
    details,
  );

  const draw = onceAFrame(() => {
    if (!room) return;
    const block = now(), show = get("show") in SHOWS ? get("show") : "changed";
    if (drawn !== got) { fillCards(); fillRest(); }
    if (drawn !== got || !moving) { paintMap(); drawn = got; }
    moving(block);
    movePulls(block, show);
    put(howto, HOWTO[show]);
    cosine.move(block);
    put(title, `${inQuotes(got.word)} in ${got.model} after ${block} of ${got.n} blocks`);
    put(cosineName, `Cosine of the two: ${signed(got.cosines[block])}`);
    if (slide.value !== block) slide.set(block);
    [back.disabled, on.disabled] = [false, false];
    back.setAttribute("aria-disabled", String(block === 0));
    on.setAttribute("aria-disabled", String(block === got.n));
    modes.set(show);
    const all = describe(got, got.model, block, show);
    if (!asking.waiting) say(all);
    if (get("alt") !== all) model.set("alt", all);
  });
  const watch = new ResizeObserver(() => {
    const wide = Math.floor(root.clientWidth);
    if (!wide || wide === room) return;
    room = wide;
    moving = null;
    draw();
  });
  watch.observe(root);
  take();
  if (get("problem")) complain(get("problem"));
  const ends = [
    ...["block", "show"].map((name) => follow(model, name, draw)),
    ...["model", "first", "second"].map((name) => follow(model, name, () => {
      if (asking.waiting || !current() || current() === got) return;
      ["first", "second"].forEach((which, i) => boxes[i].set(get(which)));
      take();
    })),
    follow(model, "got", (packed) => {
      if (asking.waiting || !packed.word) return; // taken when its answer is known to be the one
      keep(packed);
      ["first", "second"].forEach((which, i) => boxes[i].set(get(which)));
      take();
    }),
  ];
  return () => { asking.stop(); clearTimeout(saving); draw.stop(); watch.disconnect(); ends.forEach((end) => end()); };
}

export default { initialize, render };
