// The quiz: questions, choices, and a sentence for every choice. All in the browser.
import { button, choice, fresh, frame, h, initialize } from "./shared.js";

// ---- Nothing here touches the page; quiz.py has the same functions under the same names ----------------------

/** What is said about an answer, a line each: [whether it is right (null: open), what was chosen, why]. */
export function mark(question, given) {
  if (question.kind === "choose") {
    const chosen = question.choices[given ?? -1];
    return chosen ? [[chosen.right, chosen.text, chosen.why]] : [[null, "", "Choose an answer first."]];
  }
  const about = new Map(question.pairs.map((pair) => [pair.right, pair.why]));
  return question.pairs.map((pair, place) => {
    const text = given?.[place] ?? "";
    if (!about.has(text)) return [null, pair.left, "nothing chosen yet."];
    if (text === pair.right) return [true, pair.left, `${text}. ${about.get(text)}`];
    return [false, pair.left, `not “${text}”. ${about.get(text)}`];
  });
}

/** How many questions were answered right. */
export function nRight(questions, given) {
  return questions.filter((question, place) => mark(question, given[String(place)]).every(([right]) => right === true)).length;
}

// ---- The page ----------------------------------------------------------------------------------------------------

const WORDS = new Map([[true, ["✓", "Right", "right"]], [false, ["✗", "Not this one", "wrong"]], [null, ["○", "Open", "open"]]]);

/** The lines of an answer as elements. */
function told(question, lines) {
  const single = question.kind === "choose";
  return lines.map(([right, what, why]) => {
    const [sign, word, name] = WORDS.get(right);
    const head = single ? (right === null ? "" : `${word}: ${what}. `) : `${what}: `;
    return h("p", { class: `uth-answer uth-answer-${name}` }, h("span", { "aria-hidden": "true" }, sign), " ", single ? null : h("span", { class: "uth-unseen" }, `${word}. `), h("b", {}, head), why);
  });
}

/** A radio button for each choice: { nodes, read(), write(given) }. */
function choosing(question) {
  const name = fresh();
  const inputs = question.choices.map((_, i) => h("input", { type: "radio", name, value: i, id: fresh(), "data-lm-suppress-shortcuts": "true" }));
  return {
    nodes: inputs.map((input, i) => h("div", { class: "uth-option" }, input, h("label", { for: input.id }, question.choices[i].text))),
    read: () => { const at = inputs.findIndex((input) => input.checked); return at < 0 ? null : at; },
    write: (given) => inputs.forEach((input, i) => { input.checked = i === given; }),
  };
}

/** A list to choose from for each pair: { nodes, after, tell(), read(), write(given) }; `tell` fills `after` with what was chosen. */
function matching(question) {
  const lists = question.pairs.map((pair) => choice({ label: pair.left, options: [["", "choose …"], ...question.options], value: "" }));
  // The whole of what was chosen: a narrow list cuts its text off.
  const chosen = h("p", { class: "uth-so-far" });
  const tell = () => {
    chosen.textContent = lists.map((list, i) => list.value && `${question.pairs[i].left}: ${list.value}`).filter(Boolean).join(" · ");
  };
  return {
    nodes: lists.map((list) => list.node),
    after: chosen,
    tell,
    read: () => lists.map((list) => list.value),
    write: (given) => lists.forEach((list, i) => list.set(given[i] ?? "")),
  };
}

/** One question: { node, show(given) }, where `show` writes what is said about the answer that was checked last. */
function asked(question, place, checked) {
  const { nodes, after, tell, read, write } = question.kind === "choose" ? choosing(question) : matching(question);
  const say = h("div", { class: "uth-answers", role: "status" });
  const node = h("fieldset", { class: `uth-question uth-${question.kind}` }, h("legend", {}, `${place + 1}. ${question.ask}`), nodes, after);
  const look = () => {
    for (const one of nodes) {
      const control = one.querySelector("input, select");
      one.classList.toggle("uth-chosen", control.matches("input") ? control.checked : control.value !== "");
    }
    tell?.();
  };
  // What was said belongs to the answer before: away with it as soon as another is chosen.
  node.addEventListener("change", () => { look(); say.replaceChildren(); });
  const check = () => {
    const given = read(), lines = mark(question, given);
    say.replaceChildren(...told(question, lines));
    if (lines.some(([right]) => right !== null)) checked(place, given);
  };
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input, select")) { event.preventDefault(); check(); }
  });
  const press = button({ label: "Check", name: `Check answer ${place + 1}`, onClick: check });
  node.append(h("div", { class: "uth-check" }, press), say);
  const show = (given) => {
    if (given === undefined) return;
    write(given);
    look();
    say.replaceChildren(...told(question, mark(question, given)));
  };
  return { node, show };
}

function render({ model, el }) {
  const { root, say } = frame(el, "quiz");
  el.dataset.answers = "browser";
  const questions = model.get("questions");
  const progress = () => {
    const right = nRight(questions, model.get("given"));
    say(`${right} of ${questions.length} right${right === questions.length ? ". That was all." : ""}`);
  };
  const checked = (place, given) => {
    model.set("given", { ...model.get("given"), [place]: given });
    model.save_changes();
    progress();
  };
  const all = questions.map((question, place) => asked(question, place, checked));
  root.append(...all.map((one) => one.node));
  all.forEach((one, place) => one.show(model.get("given")[String(place)]));
  progress();
}

export default { initialize, render };
