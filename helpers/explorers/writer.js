// The writing explorer: the kernel writes a few tokens at a question, this file asks for more until there are enough,
// colours them, and branches off.
import { asker, bars, button, chipList, choices, count, follow, frame, fresh, h, initialize, kernelState, onceAFrame, percent, plural, row, slider, textBox, tiles, toggle, visible, written } from "./shared.js";

// ---- Nothing here touches the page, and Node runs it ---------------------------------------------------------------

export const EDGES = [0.01, 0.05, 0.25, 0.75];
export const BINS = ["under 1 %", "1 to 5 %", "5 to 25 %", "25 to 75 %", "75 % and more"];
// Role and strength of each bin's colour: surprise has that of the loss, as everywhere.
export const FILLS = [["loss", 1], ["loss", 0.4], ["probabilities", 0], ["probabilities", 0.4], ["probabilities", 1]];
const LONGEST = 1000; // tokens of a text
const KEPT = 8; // branches
const DICE = ["temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed"];

/** The bin of a probability: 0 for under 1 %, up to 4 for 75 % and more. */
export const binOf = (probability) => EDGES.filter((edge) => probability >= edge).length;

/** How a written text looks to the model itself; `odds` are those that it gave its tokens. */
export function measures(odds) {
  const surprise = odds.reduce((sum, p) => sum - Math.log(p), 0) / odds.length;
  return { tokens: odds.length, surprise, perplexity: Math.exp(surprise) };
}

/** The settings that are in use, in words. */
export function toldSettings(settings) {
  const short = (x) => String(Number(x.toPrecision(6)));
  const names = { top_k: "top-k", top_p: "top-p", min_p: "min-p", repetition_penalty: "repetition penalty" };
  const used = Object.entries(names).filter(([name]) => (settings[name] ?? null) !== null).map(([name, told]) => `${told} ${short(settings[name])}`);
  return [`temperature ${short(settings.temperature)}`, ...used, `seed ${settings.seed}`].join(", ");
}

/** What "Write" will do: what stands before the end of the prompt, that end, and what stands behind it. */
export function next(prompt, settings) {
  const signs = Array.from(prompt.replaceAll("\n", "⏎")), end = signs.length > 40 ? `…${signs.slice(-39).join("")}` : signs.join("");
  const rest = `up to ${plural(settings.tokens, "token")}, ${toldSettings(settings)}.`
    + (settings.temperature === 0 ? " At temperature 0 the likeliest token always comes, and the seed changes nothing." : "")
    + (settings.slide ? " The beginning slides out of a full context." : "");
  return end ? ["Next: after “", end, `”, ${rest}`] : ["Next: ", "", rest];
}

/** Pieces as a text to read; half a character as "�". */
export function textOf(pieces, gap = "") {
  const bytes = pieces.flatMap((piece, i) => [...new TextEncoder().encode(i ? gap : ""), ...(typeof piece === "string" ? new TextEncoder().encode(piece) : piece)]);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

/** What could have come at a step: [[token, odds, probability, piece], ...], the token that came always among them. */
export function othersAt(step) {
  const there = step.others.some(([token]) => token === step.token);
  return there ? step.others : [...step.others, [step.token, step.odds, step.probability, step.piece]];
}

/** The steps of a branch that puts alternative number `which` at step `at`. */
export function branched(steps, at, which) {
  const others = othersAt(steps[at]), [token, odds, probability, piece] = others[which];
  return [...steps.slice(0, at), { ...steps[at], token, odds, probability, piece, others, picked: true }];
}

/** The place of the token that the model itself held least likely, or -1. */
export const rarest = (steps) => steps.reduce((best, step, i) => (best < 0 || step.odds < steps[best].odds ? i : best), -1);

/** What a branch begins with: one that begins alike is the same one, written again. */
export const origin = ({ text, settings, steps, from }) =>
  JSON.stringify([text, DICE.map((name) => settings[name] ?? null), from ? [from.id, steps.slice(0, from.at + 1).map((step) => step.token)] : []]);

/** Where a branch comes from, in words. */
export function toldFrom({ id, from, settings }) {
  if (!from) return `Branch ${id}: ${toldSettings(settings)}.`;
  if (from.instead === null) return `Branch ${id} goes on from branch ${from.id} behind token ${from.at}: ${toldSettings(settings)}.`;
  return `Branch ${id} leaves branch ${from.id} at token ${from.at + 1}, in place of “${visible(from.instead)}”: ${toldSettings(settings)}.`;
}

/** The values of a slider, from left to right, with the one that it shall begin with; null is "off". */
export function values(list, value) {
  if (list.includes(value)) return list;
  const known = list.filter((one) => one !== null), all = [...known, value].sort((a, b) => a - b);
  return list[0] === null ? [null, ...all] : list.at(-1) === null ? [...all, null] : all;
}

const upTo = (end, step) => Array.from({ length: Math.round(end / step) + 1 }, (_, i) => Number((i * step).toFixed(4)));
export const DIALS = {
  temperature: { label: "Temperature", list: [...upTo(2, 0.05), 2.5, 3, 4, 5, 10], format: (x) => (x === 0 ? "0: the best" : String(x)) },
  top_k: { label: "Top-k", list: [1, 2, 3, 5, 10, 20, 40, 100, 200, 500, 1000, null], format: (x) => (x === null ? "off" : count(x)) },
  top_p: { label: "Top-p", list: [...upTo(0.95, 0.05).slice(1), 0.98, null], format: (x) => (x === null ? "off" : String(x)) },
  min_p: { label: "Min-p", list: [null, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5], format: (x) => (x === null ? "off" : String(x)) },
  repetition_penalty: { label: "Repetition penalty", list: [null, ...upTo(2, 0.05).slice(21)], format: (x) => (x === null ? "off" : String(x)) },
  seed: { label: "Seed", list: upTo(20, 1), format: String },
  tokens: { label: "Tokens to write", list: [1, 2, 3, 5, 10, 15, 25, 40, 60, 100, 200], format: String },
};

// ---- The page --------------------------------------------------------------------------------------------------------

const CHUNK = 0.11; // seconds that the kernel writes for one answer: nine a second
const SAVE = 250; // ms of quiet after which Python is told

function render({ model, el }) {
  const { root, told, problem, say: sayIt, complain: complainBelow } = frame(el, "writer");
  const get = (name) => model.get(name);
  let run = null; // what is being written: { key, branch, settings, left, count, since }
  let at = null; // the token whose alternatives are shown; null: the last one, or when all is written the rarest
  let under = null; // the token under the pointer
  let speed = null, saving;

  const set = (now) => {
    for (const [name, value] of Object.entries(now)) model.set(name, value);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; what is there can be read on.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
    draw();
  };
  const shownBranch = () => (run?.branch.steps.length ? run.branch : get("branches")[Math.min(get("current"), get("branches").length - 1)] ?? null);

  // ---- Writing: question and answer, until there are enough tokens or somebody presses Stop
  const say = (text) => { if (text !== get("alt")) sayIt(text); }; // the alternative text would be said at each answer
  const complain = (text) => {
    const refused = text !== "" && text === get("problem");
    box.complain(refused ? text : "");
    complainBelow(refused ? "" : text);
    if (text && run && asking.gone) finish("");
  };
  const asking = asker(model, el, { needs: "Writing", say, complain, wait: 0, answered: (answer) => took(answer), failed: () => finish("") });
  const ask = (seconds) => {
    const { key, branch, settings, left } = run;
    asking.ask({ run: key, text: branch.text, grown: branch.steps.map((step) => step.token), count: left, seconds, settings }, { now: true });
    if (asking.gone) finish("");
  };
  const took = (answer) => {
    if (!run || answer.run !== run.key) return; // stopped, or begun anew, in the meantime
    const { branch } = run, got = answer.steps;
    run.branch = { ...branch, pieces: answer.pieces, steps: [...branch.steps, ...got], ended: answer.ended };
    run.left -= got.length;
    run.count += got.length;
    speed = run.count / ((performance.now() - run.since) / 1000);
    sayIt("Writing …");
    if (answer.ended || run.left < 1) finish();
    else ask(CHUNK);
    draw();
  };
  const begin = (branch) => {
    run = { key: fresh(), branch, settings: get("settings"), left: get("settings").tokens, count: 0, since: performance.now() };
    speed = at = under = null;
    place.style.minHeight = `${place.offsetHeight}px`; // nothing below jumps while the text begins again
    complain("");
    ask(0); // the first token as soon as it is there
    draw();
  };
  function finish(sentence) {
    if (!run) return;
    const { branch, count: n } = run;
    run = null;
    place.style.minHeight = "";
    if (branch.steps.length) {
      const list = get("branches"), old = list.findIndex((one) => one.id === branch.id);
      const now = (old < 0 ? [...list, branch] : list.map((one, i) => (i === old ? branch : one))).slice(-KEPT);
      set({ branches: now, current: now.indexOf(branch) });
    }
    sayIt(sentence ?? `${n ? `Wrote ${plural(n, "token")}: “${textOf(branch.steps.slice(-n).map((step) => step.piece), get("gap")).replaceAll("\n", "⏎")}”. ` : ""}${why(branch)}`);
    draw();
  }
  const why = ({ ended, steps }) => {
    if (ended === "end") return `With “${visible(steps.at(-1).piece)}” the model says that the text is over.`;
    if (ended === "full") return `The context is full: ${get("name")} reads at most ${count(get("n_ctx"))} tokens here. Let the beginning slide out and write on, or start again.`;
    return "";
  };
  /** Writes a branch; one that begins like another takes its place. */
  const start = (branch) => {
    if (box.refused) return sayIt("Mend the prompt first.");
    if (run && asking.waiting && origin(run.branch) === origin(branch)) return sayIt("That is being written already.");
    finish("");
    const list = get("branches"), same = list.find((one) => origin(one) === origin(branch));
    begin({ ...branch, id: same?.id ?? 1 + Math.max(0, ...list.map((one) => one.id)) });
  };
  const write = () => start({ text: box.value, settings: get("settings"), from: null, pieces: [], steps: [], ended: "" });
  const writeOn = () => {
    const branch = shownBranch(), settings = get("settings");
    if (run) return sayIt("It is being written already.");
    if (!branch) return write();
    if (branch.ended === "end") return sayIt(`${why(branch)} Branch off before its end, or write another.`);
    if (branch.steps.length + settings.tokens > LONGEST) return sayIt(`A text can have up to ${count(LONGEST)} tokens here, and this one has ${count(branch.steps.length)}; write another.`);
    if (toldSettings(settings) === toldSettings(branch.settings)) begin(branch);
    else start({ ...branch, settings, from: { id: branch.id, at: branch.steps.length, instead: null } });
  };
  const stop = () => (run ? finish(run.count ? `Stopped after ${plural(run.count, "token")}.` : "Stopped before the first token.") : sayIt("Nothing is being written."));
  const clear = () => {
    finish("");
    at = under = speed = null;
    complain("");
    set({ branches: [], current: 0 });
    sayIt("All branches are gone; the prompt and the settings stay.");
  };
  const branchOff = (which) => {
    const branch = shownBranch(), here = chosen(branch), step = branch.steps[here], [token] = othersAt(step)[which];
    if (token === step.token) return sayIt(`“${visible(step.piece)}” is the one that stands here already.`);
    start({ ...branch, settings: get("settings"), steps: branched(branch.steps, here, which), ended: "", from: { id: branch.id, at: here, instead: step.piece } });
  };

  // ---- Controls
  const change = (now) => { set({ settings: { ...get("settings"), ...now } }); };
  const box = textBox({ label: "Prompt", value: get("prompt"), lines: 2, onInput: (text) => set({ prompt: text }) });
  const dials = Object.entries(DIALS).map(([name, { label, list, format }]) => {
    const all = values(list, get("settings")[name] ?? null);
    const dial = slider({ label, min: 0, max: all.length - 1, value: all.indexOf(get("settings")[name] ?? null), format: (i) => format(all[i]), onInput: (i) => change({ [name]: all[i] }) });
    return { node: dial.node, follow: (settings) => { const i = all.indexOf(settings[name] ?? null); if (i >= 0 && i !== dial.value) dial.set(i); } };
  });
  const slide = toggle({ label: "Let the beginning slide out", value: get("settings").slide, onChange: (value) => change({ slide: value }) });
  const colours = choices({ label: "Colours", options: [["dice", "the dice rolled"], ["model", "the model’s own odds"], ["none", "none: plain text"]], value: get("colours"), onChange: (kind) => set({ colours: kind }) });

  // ---- The text
  const coming = h("p", { class: "uth-next" });
  const list = chipList({ most: LONGEST + 100 });
  const plain = h("p", { class: "uth-plain", dir: "auto" }), empty = h("p", { class: "uth-plain" }, "Nothing is written yet. Press Write.");
  const legend = h("div", { class: "uth-bins" }, h("span", {}, ""), BINS.map((name, i) => h("span", { class: "uth-bin" },
    h("span", { class: "uth-chip uth-shaded", "data-bin": i, "aria-hidden": "true", style: { "--role": `var(--uth-${FILLS[i][0]})`, "--share": `${100 * FILLS[i][1]}%` } }, h("span", { class: "uth-piece" }, "a")), name)));
  const place = h("div", { class: "uth-place" }, list.node, plain, empty);
  const facts = tiles(["tokens written", "mean surprise", "perplexity", "tokens a second"]);
  const branchLine = h("div", { class: "uth-branches" });
  let branchList = { key: "" };

  const title = h("h4", {}), about = h("p", { class: "uth-about" });
  const others = bars({ labels: [], series: [], onClick: branchOff });
  const panel = h("section", { class: "uth-others", "data-answers": "model" }, title, about, others.node, h("p", { class: "uth-keys" }, "Click another one, and the text goes on from it."));
  const hint = h("p", { class: "uth-keys" }, "Point at a token, or go there with the arrow keys, to see what else could have come; a click keeps it in view.");
  const chosen = ({ steps }) => {
    const wanted = under ?? at;
    if (wanted === null) return run ? steps.length - 1 : rarest(steps);
    return Math.min(wanted, steps.length - 1);
  };
  const stepOf = (event) => {
    const item = event.target.closest?.(".uth-item"), branch = shownBranch();
    const i = item && branch ? [...list.node.children].indexOf(item) - branch.pieces.length : -1;
    return i >= 0 && i < branch.steps.length ? i : null;
  };
  list.node.addEventListener("pointerover", (event) => { under = stepOf(event); draw(); });
  list.node.addEventListener("pointerleave", () => { under = null; draw(); });
  for (const event of ["focusin", "click"]) list.node.addEventListener(event, (event) => { at = stepOf(event) ?? at; draw(); });

  const buttons = h("div", { class: "uth-press", "data-answers": "model" }, row(
    button({ label: "Write", onClick: write }), button({ label: "Stop", onClick: stop }),
    button({ label: "Write on", onClick: writeOn }), button({ label: "Start again", onClick: clear })), problem, told);
  root.append(
    h("div", { "data-answers": "browser" }, row(box.node), h("div", { class: "uth-dials" }, dials.map((dial) => dial.node), slide.node), coming),
    buttons,
    h("div", { "data-answers": "browser" }, row(colours.node), branchLine,
      h("div", { class: "uth-two" }, h("section", { class: "uth-text" }, legend, place, hint), panel),
      facts.node, h("p", { class: "uth-keys" }, "Surprise and perplexity are those of the model’s own odds: temperature 1, nothing cut. A perplexity of 10 means: as if each token was one of ten equally likely ones.")));

  // ---- Drawing
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const sentence = (step) => `${step.picked ? "You put it here. " : ""}${upper(percent(step.probability))} on the dice that were rolled, ${percent(step.odds)} in the model’s own odds: ${written(-Math.log(step.odds), 2)} nats of surprise.`;
  function drawBranches() {
    const all = get("branches"), key = all.map(({ id }) => id).join(), now = run ? null : shownBranch();
    if (key !== branchList.key) {
      const control = choices({ label: "Branch", options: all.map(({ id }) => [String(id), String(id)]), value: "", onChange: (id) => {
        finish("");
        at = under = null;
        set({ current: get("branches").findIndex((one) => String(one.id) === id) });
      } });
      branchList = { key, control, about: h("span", { class: "uth-from" }) };
      branchLine.replaceChildren(control.node, branchList.about);
    }
    branchLine.hidden = all.length < 2;
    branchList.control?.set(now?.id ?? "");
    if (branchList.about) put(branchList.about, now ? toldFrom(now) : run ? toldFrom(run.branch) : "");
  }
  const draw = onceAFrame(() => {
    const branch = shownBranch(), kind = get("colours"), steps = branch?.steps ?? [], settings = get("settings");
    const [before, end, behind] = next(box.value, settings);
    coming.replaceChildren(before, h("bdi", {}, end), behind);
    place.setAttribute("aria-busy", String(run !== null));
    list.node.hidden = !branch || kind === "none";
    plain.hidden = !branch || kind !== "none";
    empty.hidden = branch !== null;
    legend.hidden = hint.hidden = list.node.hidden;
    panel.hidden = !steps.length;
    drawBranches();
    const known = measures(steps.map((step) => step.odds));
    facts.set([count(known.tokens), steps.length ? `${written(known.surprise, 2)} nats` : "–", steps.length ? written(known.perplexity, known.perplexity < 99.95 ? 1 : 0) : "–", speed === null ? "–" : written(speed, speed < 9.95 ? 1 : 0)]);
    if (!branch) return;
    put(legend.firstChild, kind === "model" ? "Probability in the model’s own odds:" : "Probability when it was rolled:");
    if (kind === "none") {
      const grown = h("b", {}, steps.length ? get("gap") + textOf(steps.map((step) => step.piece), get("gap")) : "");
      plain.replaceChildren(h("bdi", {}, branch.text, grown));
    } else {
      const shares = steps.map((step) => (kind === "model" ? step.odds : step.probability));
      const grown = steps.map((step, i) => {
        const [role, share] = FILLS[binOf(shares[i])];
        return { piece: step.piece, role, share, below: percent(shares[i]), mark: step.picked, tip: () => sentence(step) };
      });
      list.update([...branch.pieces.map((piece) => ({ piece, fill: 4 })), ...grown], { label: "The text, token by token" });
    }
    if (!steps.length) return;
    const here = chosen(branch), step = steps[here], all = othersAt(step);
    [...list.node.children].forEach((item, i) => {
      const j = i - branch.pieces.length, chip = item.firstElementChild;
      if (j < 0 || j >= steps.length || !chip) return;
      chip.dataset.bin = binOf(kind === "model" ? steps[j].odds : steps[j].probability);
      chip.classList.toggle("uth-here", j === here);
      chip.tabIndex = j === here ? 0 : -1; // Tab goes to the one that is shown
    });
    title.replaceChildren(`Token ${here + 1}: `, h("bdi", {}, visible(step.piece)));
    put(about, sentence(step));
    others.update({
      labels: all.map(([, , , piece]) => piece), current: all.findIndex(([token]) => token === step.token),
      series: [{ name: "dice rolled", values: all.map(([, , p]) => p), role: "probabilities" }, { name: "model’s own odds", values: all.map(([, odds]) => odds), role: "probabilities" }],
    });
  });
  draw();
  if (get("problem")) complain(get("problem"));

  const ends = [
    ...["branches", "current", "colours"].map((name) => follow(model, name, () => { colours.set(get("colours")); draw(); })),
    follow(model, "prompt", (text) => { if (text !== box.value) box.set(text); draw(); }),
    follow(model, "settings", (settings) => {
      dials.forEach((dial) => dial.follow(settings));
      slide.set(settings.slide);
      draw();
    }),
  ];
  return () => { run = null; asking.stop(); clearTimeout(saving); draw.stop(); ends.forEach((end) => end()); };
}

export default { initialize, render };
