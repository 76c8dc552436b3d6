// The controls of a Panel and its picture. The kernel draws; here the old picture stays until the new one is decoded.
const SLOW = 300; // ms without an answer after which the panel says that it is working
const LOST = 15000; // ms after which it says that no kernel answers

const same = (a, b) => Object.keys(a).every((name) => a[name] === b[name]);

function field(control, id) {
  if (control.kind === "choice") {
    const select = document.createElement("select");
    for (const choice of control.choices) select.append(new Option(choice, choice));
    return select;
  }
  const input = document.createElement("input");
  input.type = { slider: "range", text: "text", switch: "checkbox" }[control.kind];
  if (control.kind === "slider") Object.assign(input, { min: control.min, max: control.max, step: control.step });
  return input;
}

function render({ model, el }) {
  const prefix = "uth" + Math.random().toString(36).slice(2);
  el.classList.add("uth-panel");
  const controls = document.createElement("div");
  controls.className = "uth-controls";
  const image = document.createElement("img");
  const told = document.createElement("p");
  told.setAttribute("role", "status");
  const problem = document.createElement("p");
  problem.className = "uth-problem";
  problem.setAttribute("role", "alert");
  el.append(controls, problem, image, told);

  let slow, lost;
  const asked = () => {
    clearTimeout(slow);
    clearTimeout(lost);
    slow = setTimeout(() => (told.textContent = "working …"), SLOW);
    lost = setTimeout(() => {
      told.textContent = "";
      problem.textContent = "No kernel answers, so the picture can't follow. Run this cell again to wake it up.";
    }, LOST);
  };

  const set = (name, value) => {
    model.set("values", { ...model.get("values"), [name]: value });
    model.save_changes();
    asked();
  };

  const fields = [];
  for (const control of model.get("controls")) {
    const row = document.createElement("div");
    row.className = "uth-control" + (control.kind === "slider" || control.kind === "text" ? " uth-wide" : "");
    const label = document.createElement("label");
    label.textContent = control.label;
    const input = field(control);
    input.id = label.htmlFor = prefix + control.name;
    // Without this, JupyterLab's command mode takes the arrow keys away from the control.
    input.setAttribute("data-lm-suppress-shortcuts", "true");
    row.append(label, input);
    const value = document.createElement("output");
    value.htmlFor = input.id;
    if (control.kind === "slider") row.append(value);
    const show = () => {
      const now = model.get("values")[control.name];
      if (control.kind === "switch") input.checked = now;
      else if (String(input.value) !== String(now)) input.value = now;
      value.textContent = now;
    };
    input.addEventListener(control.kind === "choice" || control.kind === "switch" ? "change" : "input", () => {
      const now = control.kind === "slider" ? Number(input.value) : control.kind === "switch" ? input.checked : input.value;
      value.textContent = now;
      set(control.name, now);
    });
    fields.push(show);
    show();
    controls.append(row);
  }

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
  const answer = () => {
    if (!same(model.get("values"), model.get("answered"))) return; // a later move is still on its way
    clearTimeout(slow);
    clearTimeout(lost);
    problem.textContent = model.get("problem");
    told.textContent = problem.textContent ? "" : model.get("alt");
  };

  const moved = () => fields.forEach((show) => show());
  model.on("change:values", moved);
  model.on("change:png", draw);
  model.on("change:answered", answer);
  draw();
  answer();
  return () => {
    clearTimeout(slow);
    clearTimeout(lost);
    model.off("change:values", moved);
    model.off("change:png", draw);
    model.off("change:answered", answer);
    if (url) URL.revokeObjectURL(url);
  };
}

export default { render };
