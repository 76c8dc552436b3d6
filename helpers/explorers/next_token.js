// The next-token explorer: the kernel reads the text and sends the logits of the whole vocabulary; temperature, bars
// and rolls are worked out here.
import { asker, bars, button, chips, count, floats, follow, frame, h, initialize, kernelState, octets, onceAFrame, percent, row, slider, textBox, visible } from "./shared.js";
import { entropy, random, roll, temperature_softmax } from "./tinytown.js";

const CHIPS = 60; // tokens of the text that are shown
const MANY = 10; // tokens that the second roll button appends
const SAVE = 250; // ms of quiet after which Python is told of a moved slider

const asPiece = (piece) => (typeof piece === "string" ? piece : octets(piece));
const equal = (a, b) => a.length === b.length && a.every((token, i) => token === b[i]);
// "86", "1,200": two digits are enough, and survive another processor.
const about = (x) => (x < 9.95 ? x.toFixed(1) : count(Number(x.toPrecision(2))));

function render({ model, el }) {
  const { root, say, complain: complainBelow } = frame(el, "next-token");
  const pieces = new Map(); // how the tokens read that an answer has named
  let wished = 0; // tokens that are still to be rolled
  let failedText = null; // a prompt that the kernel refused
  let mine = false; // while this view changes the model itself
  let saving;
  let got = null; // the last answer that has logits: one to a refused prompt has none
  let logits, odds;

  // What the kernel refuses stands beside the prompt; that there is no kernel stands below.
  const complain = (text) => {
    const refused = text !== "" && text === model.get("problem");
    box.complain(refused ? text : "");
    complainBelow(refused ? "" : text);
  };

  const ids = () => model.get("chosen").map(([token]) => token);
  // Whether the bars belong to the text: not while an answer is on its way, or when there can be none.
  const fresh = () => got !== null && got.text === box.value && equal(got.chosen, ids());
  const heat = () => { if (got) odds = temperature_softmax(logits, model.get("temperature")); };
  const arrived = (answer) => {
    got = answer;
    logits = floats(answer.logits);
    answer.best.forEach((token, i) => pieces.set(token, asPiece(answer.pieces[i])));
    answer.chosen.forEach((token, i) => pieces.set(token, asPiece(answer.grown[i])));
    failedText = null;
    heat();
  };

  const asking = asker(model, el, {
    needs: "A new text",
    say, complain, wait: 0,
    answered: (answer) => {
      if (!answer.logits) return; // none came with it: it only says that the question was overtaken
      arrived(answer);
      draw();
      if (wished && fresh()) { wished--; rollOne(); }
    },
    failed: () => { wished = 0; failedText = box.value; draw(); },
  });
  // Both travel with the question, in one message.
  const ask = (chosen, now) => {
    mine = true;
    model.set({ text: box.value, chosen });
    mine = false;
    asking.ask({ text: box.value, chosen: ids() }, { now });
    draw();
  };
  const append = (token) => {
    if (!fresh()) return say("These bars belong to an earlier text. Wait for the new ones, or mend the prompt.");
    ask([...model.get("chosen"), [token, odds[token]]], true);
  };
  const rollOne = () => append(roll(odds, random(model.get("seed"), model.get("chosen").length)));
  const back = (chosen) => {
    wished = 0;
    if (box.refused) return say("Mend the prompt first.");
    ask(chosen, true);
  };

  const box = textBox({
    label: "Prompt",
    value: model.get("text"),
    onInput: () => {
      wished = 0;
      ask([], false);
    },
  });
  const save = () => {
    clearTimeout(saving);
    saving = setTimeout(() => { if (kernelState(model, el) !== "gone") model.save_changes(); }, SAVE);
  };
  const temperature = slider({
    label: "Temperature", min: 0, max: 2, step: 0.05, value: model.get("temperature"),
    format: (t) => (t === 0 ? "0: the best" : t.toFixed(2)),
    onInput: (t) => {
      model.set("temperature", t);
      heat();
      draw();
      save();
    },
  });
  const seed = slider({ label: "Seed", min: 0, max: 20, value: model.get("seed"), onInput: (n) => { model.set("seed", n); save(); say(`Seed ${n}: the next rolls will be others.`); } });

  for (const field of [temperature, seed]) field.node.dataset.answers = "browser";

  const picture = bars({ labels: [], series: [], rows: "token", onClick: (i) => append(got.best[i]) });
  const open = h("p", { class: "uth-open" });
  const text = h("div", { class: "uth-text" });
  // Anywhere on a bar's row, and by keyboard: 1 to 9, arrows from bar to bar.
  picture.node.addEventListener("click", (event) => {
    const line = event.target.closest("tbody tr");
    if (line && !event.target.closest("button")) append(got.best[line.rowIndex - 1]);
  });
  picture.node.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...picture.node.querySelectorAll("button")], at = all.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (/^[1-9]$/.test(event.key) && event.key <= all.length) append(got.best[event.key - 1]);
    else if (at >= 0 && to !== undefined) all[Math.min(all.length - 1, Math.max(0, to))].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  root.append(
    row(box.node),
    row(
      button({ label: "Roll a token", onClick: () => { wished = 0; rollOne(); } }),
      button({ label: `Roll ${MANY}`, name: `Roll ${MANY} tokens`, onClick: () => { wished = fresh() ? MANY - 1 : 0; rollOne(); } }),
      button({ label: "Undo", onClick: () => (model.get("chosen").length ? back(model.get("chosen").slice(0, -1)) : say("No appended token is left to take back.")) }),
      button({ label: "Start again", onClick: () => back([]) }),
    ),
    text,
    row(temperature.node, seed.node),
    open,
    picture.node,
    h("p", { class: "uth-hint" }, "Click a token to append it; in the list, Enter appends the one in focus, 1 to 9 the one in that place."),
  );

  const draw = onceAFrame(() => {
    if (!got) return;
    const chosen = model.get("chosen");
    const nats = entropy(odds);
    picture.update({
      labels: got.pieces.map(asPiece),
      series: [{ name: "probability", role: "probabilities", values: got.best.map((token) => odds[token]) }],
      caption: got.after ? h("span", {}, "What comes after “", h("bdi", {}, got.after.replaceAll("\n", "⏎")), "”?") : "How does a text begin?",
    });
    open.textContent = `Entropy ${nats.toFixed(2)} nats: as open as a choice among ${about(Math.exp(nats))} equally likely tokens.`;
    // Until an answer comes, the tokens of the text before it stay; a refused text was never cut into tokens.
    const typed = failedText === null ? got.prompt.map((piece) => ({ piece: asPiece(piece), fill: 4 })) : [];
    const grown = chosen.map(([token, p]) => {
      const piece = pieces.get(token) ?? "…";
      return { piece, role: "probabilities", share: p, below: percent(p), tip: `${visible(piece)} was appended; it had ${percent(p)}` };
    });
    const all = [...typed, ...grown], left = Math.max(0, all.length - CHIPS);
    text.replaceChildren(
      h("p", { class: "uth-legend" }, `The text, token by token${left ? ` (its last ${CHIPS})` : ""}. `,
        grown.length ? "An appended token carries its probability; the likelier, the stronger its colour." : "An appended token will carry its probability."),
      chips(all.slice(left), { label: "The text so far" }),
    );
  });
  if (model.get("answer").logits) arrived(model.get("answer"));
  draw();
  if (!fresh()) ask(model.get("chosen"), true); // a view that is opened after a refused prompt, or from a saved notebook

  const stops = [
    follow(model, "text", (now) => { if (!mine && now !== box.value) { box.set(now); ask(model.get("chosen"), true); } }),
    follow(model, "chosen", (chosen) => { if (!mine) ask(chosen, true); }),
    follow(model, "temperature", (t) => { temperature.set(t); heat(); draw(); }),
    follow(model, "seed", (n) => seed.set(n)),
  ];
  return () => {
    clearTimeout(saving);
    asking.stop();
    draw.stop();
    stops.forEach((stop) => stop());
  };
}

export default { initialize, render };
