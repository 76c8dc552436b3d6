// The dice explorer: everything happens here, without a kernel. tinytown.js computes, this file shows.
import { bars, button, chips, choices, count, floats, follow, frame, h, initialize, kernelState, onceAFrame, percent, plural, row, shorts, slider, textBox } from "./shared.js";
import { END, Tinytown, about_unknown, ending, random, roll, tokens, top_words } from "./tinytown.js";

const SHOWN = 8; // words with bars
const CHIPS = 60; // words of the text that are shown
const LONGEST = 60; // words that "roll to the end" makes the text at most
const ROLES = { counted: "counts", true: "truth", GPT: "probabilities" };
const WHOSE = { counted: "the counts", true: "the true dice", GPT: "the GPT" };
const SAVE = 250, COMPLAIN = 600; // ms of quiet after which Python is told, and half a word is called unknown

function render({ model, el }) {
  const { root, say, complain } = frame(el, "dice");
  el.dataset.answers = "browser";
  const town = new Tinytown({
    world: model.get("world"),
    vocabulary: model.get("vocabulary"),
    corpus: shorts(model.get("corpus")),
    config: model.get("config"),
    sizes: model.get("sizes"),
    weights: floats(model.get("weights")),
  });
  const stories = plural(model.get("stories"), "story").replace("storys", "stories");
  let typed = []; // the words in the text box, the last time that all of them were known
  let unknown = []; // those that Tinytown lacks
  let saving, complaining;

  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    clearTimeout(saving);
    // Without a kernel nobody is to be told; everything works on.
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
  };
  const now = () => {
    const rolled = model.get("rolled"), order = model.get("order");
    const words = [...typed, ...rolled.map(([word]) => word)];
    return { rolled, order, words, ...town.odds(words, order) };
  };

  // ---- The text -------------------------------------------------------------------------------------------------
  const read = (text) => {
    const found = tokens(text, town.ids);
    unknown = found.unknown;
    clearTimeout(complaining);
    if (unknown.length) complaining = setTimeout(() => box.complain(about_unknown(unknown[0], town.vocabulary)), COMPLAIN);
    else typed = found.words;
    return !unknown.length;
  };
  const box = textBox({
    label: "Beginning",
    value: model.get("prefix"),
    onInput: (text) => {
      if (!read(text)) return;
      complain("");
      say("");
      set({ prefix: text, rolled: [] });
      draw();
    },
  });
  const order = slider({
    label: "Order of the n-gram",
    min: 1,
    max: 5,
    value: model.get("order"),
    format: (n) => (n === 1 ? "1: looks at no word" : `${n}: looks at ${plural(n - 1, "word")}`),
    onInput: (n) => {
      complain("");
      set({ order: n });
      draw();
    },
  });

  // ---- Rolling --------------------------------------------------------------------------------------------------
  // Appends one word; gives a sentence when there is none to append.
  const rollOne = () => {
    const { rolled, order: n, odds, why, ended, words } = now();
    const from = model.get("roll_from");
    if (ended) return "The story has ended. Take a word back, or start again.";
    if (!odds[from]) {
      if (from === "counted") return "Counting has nothing to roll here. Choose a lower order, or roll the true dice or the GPT.";
      return `${from === "true" ? "The true dice have" : "The GPT has"} nothing to roll here: ${why[from]}.`;
    }
    const faces = [...odds[from]];
    const [word, p] = faces[roll(faces.map(([, share]) => share), random(model.get("seed"), rolled.length))];
    set({ rolled: [...rolled, [word, from, p, n]] });
    return words.length + 1 >= LONGEST && word !== END ? "long" : "";
  };
  const rolling = (most) => {
    let done = 0, stopped = "";
    const ended = () => model.get("rolled").at(-1)?.[0] === END;
    if (unknown.length) stopped = "Every word of the beginning must be known before a word can be rolled.";
    while (!stopped && done < most && !(done && ended())) {
      stopped = rollOne();
      if (!stopped || stopped === "long") done++;
      if (stopped === "long" && most === 1) stopped = "";
    }
    complain(stopped && stopped !== "long" ? stopped : "");
    const [word, from, p] = model.get("rolled").at(-1) ?? [];
    if (done === 1) say(`Rolled '${word}' from ${WHOSE[from]}: ${percent(p)}.`);
    else if (done) say(`Rolled ${count(done)} words from ${WHOSE[from]}${ended() ? ", to the story's end" : ""}.`);
    draw();
  };
  const source = choices({
    label: "Roll from",
    options: [["counted", "counted"], ["true", "true"], ["GPT", "GPT"]],
    value: model.get("roll_from"),
    onChange: (from) => {
      complain("");
      set({ roll_from: from });
      say(`The next word will be rolled from ${WHOSE[from]}.`);
    },
  });
  const seed = slider({ label: "Seed", min: 0, max: 20, value: model.get("seed"), onInput: (n) => { set({ seed: n }); say(`Seed ${n}: the next rolls will be others.`); } });
  const newSeed = button({
    label: "New seed",
    tip: "Other rolls. The same seed rolls the same words again.",
    onClick: () => {
      const n = (model.get("seed") + 1) % 21;
      seed.set(n);
      set({ seed: n });
      say(`Seed ${n}: the next rolls will be others.`);
    },
  });
  const back = (rolled, sentence) => {
    complain("");
    set({ rolled });
    say(sentence);
    draw();
  };
  const undo = () => {
    const rolled = model.get("rolled");
    if (!rolled.length) say("No rolled word is left to take back.");
    else back(rolled.slice(0, -1), `Took '${rolled.at(-1)[0]}' back.`);
  };

  // ---- What is seen ---------------------------------------------------------------------------------------------
  const picture = bars({ labels: [], series: [], rows: "word", none: "—" });
  const notes = h("div", { class: "uth-notes" });
  const text = h("div", { class: "uth-text" });
  root.append(
    row(box.node),
    row(source.node, button({ label: "Roll a word", onClick: () => rolling(1) }), button({ label: "Roll to the end", onClick: () => rolling(LONGEST) }),
      button({ label: "Undo", onClick: undo }), button({ label: "Start again", onClick: () => back([], "Back to your beginning.") })),
    text,
    row(order.node, seed.node, newSeed),
    picture.node,
    notes,
  );

  const draw = onceAFrame(() => {
    const { rolled, order: n, words, odds, why, seen, ended } = now();
    const labels = top_words(Object.values(odds), SHOWN);
    // A series without a say keeps its place, empty: that it gives up is to be seen. Below it says why.
    const series = Object.entries(odds).map(([name, table]) => ({
      name: name === "counted" ? `counted (order ${n})` : name,
      role: ROLES[name],
      values: labels.map((label) => (table ? table.get(label) ?? 0 : NaN)),
    }));
    const before = ending(words.join(" "));
    picture.update({ labels, series, caption: ended ? "The story has ended: nothing follows." : before ? `What follows “${before}”` : "How a story begins" });

    const context = [...Array(n - 1).fill("<start>"), ...words].slice(words.length).join(" ");
    const told = n === 1 ? `Order 1 looks at no word: it counts all ${count(seen)} words and ends of ${stories}.`
      : seen ? `“${context}” was seen ${plural(seen, "time")} in ${stories}.`
      : `“${context}” was never seen in ${stories}: counting has nothing to say.`;
    notes.replaceChildren(...(ended ? [] : [
      h("p", { class: seen ? "" : "uth-gives-up" }, h("b", {}, "counted: "), told),
      why.true ? h("p", {}, h("b", {}, "true: "), `${why.true}.`) : "",
      why.GPT ? h("p", {}, h("b", {}, "GPT: "), `${why.GPT}.`) : "",
    ]));

    const all = [
      ...typed.map((piece) => ({ piece, fill: 4 })),
      ...rolled.map(([piece, from, p, at]) => ({
        piece, role: ROLES[from], share: p, below: percent(p),
        tip: `rolled from ${WHOSE[from]}${from === "counted" ? ` of order ${at}` : ""}: ${percent(p)}`,
      })),
    ];
    const left = Math.max(0, all.length - CHIPS);
    text.replaceChildren(
      h("p", { class: "uth-legend" }, "The text so far", left ? ` (its last ${CHIPS} words)` : "", rolled.length ? ": a rolled word carries its probability; the likelier, the stronger its colour." : ". A rolled word will carry its probability."),
      chips(all.slice(left), { label: "The text so far" }),
    );
  });
  read(model.get("prefix"));
  draw();

  const stops = [
    follow(model, "order", (n) => { order.set(n); draw(); }),
    follow(model, "prefix", (prefix) => { if (prefix !== box.value && read(prefix)) box.set(prefix); draw(); }),
    follow(model, "rolled", () => draw()),
    follow(model, "seed", (n) => seed.set(n)),
    follow(model, "roll_from", (from) => source.set(from)),
  ];
  return () => {
    clearTimeout(saving);
    clearTimeout(complaining);
    draw.stop();
    stops.forEach((stop) => stop());
  };
}

export default { initialize, render };
