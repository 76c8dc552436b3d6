// The controls of a Panel and its view. The kernel says what to show, or draws; the old view stays until the new one is there.
import { asker, bars, chipList, choice, follow, frame, h, initialize, row, slider, textBox, toggle } from "./shared.js";

const MAKE = { slider, text: textBox, choice, switch: toggle };

/** Bars that keep their rows: { node, show(view) }. */
function barsView() {
  const { node, update } = bars({ labels: [], series: [] });
  const numbers = (values) => values.map((value) => (value === null ? NaN : value));
  return { node, show: ({ series, ...rest }) => update({ ...rest, series: series.map((one) => ({ ...one, values: numbers(one.values) })) }) };
}

function piecesView() {
  const caption = h("p", { class: "uth-caption" }), { node, update } = chipList();
  const show = (view) => {
    caption.textContent = view.caption;
    update(view.pieces.map((piece, i) => ({ piece: typeof piece === "string" ? piece : Uint8Array.from(piece), below: view.below[i] ?? undefined })), { label: view.caption || "tokens" });
  };
  return { node: h("div", {}, caption, node), show };
}

/** A picture of the kernel's. */
function pictureView(model) {
  const node = h("img", { alt: model.get("alt"), width: model.get("width") });
  let url = null;
  const show = () => {
    const next = URL.createObjectURL(new Blob([model.get("png")], { type: "image/png" }));
    const decoded = new Image();
    decoded.src = next;
    decoded.decode().then(
      () => {
        node.src = next;
        node.alt = model.get("alt");
        node.width = model.get("width");
        if (url) URL.revokeObjectURL(url);
        url = next;
      },
      () => URL.revokeObjectURL(next),
    );
  };
  return { node, show, stop: () => { if (url) URL.revokeObjectURL(url); } };
}

const VIEWS = { bars: barsView, pieces: piecesView };

function render({ model, el }) {
  const { root, say, complain } = frame(el, "panel");
  let values = model.get("values");
  let kind = null, view = null;
  const place = h("div", {});
  const draw = () => {
    const now = model.get("view");
    if (kind !== (now.kind ?? "picture")) {
      view?.stop?.();
      kind = now.kind ?? "picture";
      view = (VIEWS[kind] ?? pictureView)(model);
      place.replaceChildren(view.node);
    }
    view.show(now);
  };
  const talk = asker(model, el, { needs: "A new view", say, complain, answered: draw, wait: 15 });

  const fields = model.get("controls").map((control) => {
    const set = (value) => {
      values = { ...values, [control.name]: value };
      talk.ask({ values });
    };
    const { label, min, max, step, choices: options } = control;
    const field = MAKE[control.kind]({ label, min, max, step, options, value: values[control.name], onInput: set, onChange: set });
    return [control.name, field];
  });
  root.append(row(fields.map(([, field]) => field.node)), place);

  const unfollow = [
    follow(model, "values", (now) => {
      // A learner who is typing is never overwritten.
      for (const [name, field] of fields) if (now[name] !== values[name] && !talk.waiting && document.activeElement !== field.input) field.set(now[name]);
    }),
    follow(model, "png", draw),
    follow(model, "view", draw),
  ];
  draw();
  complain(model.get("problem"));
  say(model.get("problem") ? "" : model.get("alt"));
  return () => {
    talk.stop();
    unfollow.forEach((stop) => stop());
    view.stop?.();
  };
}

export default { initialize, render };
