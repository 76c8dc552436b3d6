// The controls of a Panel and its picture. The kernel draws; here the old picture stays until the new one is decoded.
import { asker, choice, follow, frame, h, row, slider, textBox, toggle } from "./shared.js";

const MAKE = { slider, text: textBox, choice, switch: toggle };

function render({ model, el }) {
  const { root, say, complain } = frame(el, "panel");
  const image = h("img", { alt: model.get("alt"), width: model.get("width") });
  let values = model.get("values");

  let url = null;
  const draw = () => {
    const next = URL.createObjectURL(new Blob([model.get("png")], { type: "image/png" }));
    const decoded = new Image();
    decoded.src = next;
    decoded.decode().then(
      () => {
        image.src = next;
        image.alt = model.get("alt");
        image.width = model.get("width");
        if (url) URL.revokeObjectURL(url);
        url = next;
      },
      () => URL.revokeObjectURL(next),
    );
  };
  const talk = asker(model, el, { needs: "A new picture", say, complain, answered: draw, wait: 15 });

  const fields = model.get("controls").map((control) => {
    const set = (value) => {
      values = { ...values, [control.name]: value };
      talk.ask({ values });
    };
    const { label, min, max, step, choices: options } = control;
    const field = MAKE[control.kind]({ label, min, max, step, options, value: values[control.name], onInput: set, onChange: set });
    return [control.name, field];
  });
  root.append(row(fields.map(([, field]) => field.node)), image);

  const unfollow = [
    follow(model, "values", (now) => {
      // A learner who is typing is never overwritten.
      for (const [name, field] of fields) if (now[name] !== values[name] && document.activeElement !== field.input) field.set(now[name]);
    }),
    follow(model, "png", draw),
  ];
  draw();
  complain(model.get("problem"));
  say(model.get("problem") ? "" : model.get("alt"));
  return () => {
    talk.stop();
    unfollow.forEach((stop) => stop());
    if (url) URL.revokeObjectURL(url);
  };
}

export default { render };
