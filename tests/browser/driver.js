// What the tests do inside the page. `window.uth` is made anew each time a page is opened.
(() => {
  const EXPLORER = ".uth, .uth-explorer, .uth-panel";
  const CONTROL =
    "input:not([type=hidden]), select, textarea, button, a[href], summary, [tabindex], [contenteditable=true]";
  // What the learner sees besides the controls' own state: that a slider's number changes proves nothing.
  const NOT_VIEW = "input, select, textarea, output";
  const SPOKEN = "[role=status], [role=alert], [aria-live]";
  const VALUE_ROLES = { slider: "range", checkbox: "check", switch: "check", radio: "radio", spinbutton: "number", textbox: "text", listbox: "select" };
  const BUTTON_ROLES = ["button", "tab", "option", "menuitem", "menuitemradio"];

  const app = window.jupyterapp;
  const panel = () => app.shell.currentWidget;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const root = (number) => document.querySelector(`[data-uth-explorer="${number}"]`);
  const visible = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const cells = () => panel().content.widgets;
  const cellOf = (element) => cells().findIndex((cell) => cell.node.contains(element));

  const uth = {};

  uth.open = async (path, kernelPreference) => {
    await app.restored;
    const opened = await app.commands.execute("docmanager:open", {
      path,
      factory: "Notebook",
      ...(kernelPreference ? { kernelPreference } : {}),
    });
    await opened.context.ready;
    await opened.revealed;
    if (!kernelPreference) {
      await opened.sessionContext.ready;
      await opened.sessionContext.session?.kernel?.info;
    }
    app.shell.collapseLeft?.();
    // JupyterLab lets the browser skip cells that are off-screen; then axe and the tests would skip them too.
    const all = document.createElement("style");
    // And its body has no height, so that axe takes all in it for invisible and checks no colours.
    all.textContent = ".jp-Cell { content-visibility: visible !important; } html, body { height: 100vh !important; }";
    document.head.append(all);
    await pause(300);
  };
  uth.runAll = () => app.commands.execute("notebook:run-all-cells");
  uth.errors = () =>
    cells().flatMap((cell, number) => {
      if (cell.model.type !== "code") return [];
      const found = [];
      for (let place = 0; place < cell.model.outputs.length; place++) {
        const output = cell.model.outputs.get(place).toJSON();
        if (output.output_type === "error") found.push(`cell ${number}: ${output.ename}: ${output.evalue}`);
        if (output.output_type === "stream" && output.name === "stderr")
          found.push(`cell ${number} wrote to stderr: ${[].concat(output.text).join("").slice(0, 300)}`);
      }
      return found;
    });
  uth.save = () => panel().context.save();
  uth.shutDown = async () => {
    await panel()?.sessionContext?.shutdown();
  };
  uth.restart = () => panel().sessionContext.session.kernel.restart();
  // Gives whether it was another one before.
  uth.theme = async (name) => {
    const light = String(name.endsWith("Light"));
    if (document.body.dataset.jpThemeLight === light) return false;
    await app.commands.execute("apputils:change-theme", { theme: name });
    while (document.body.dataset.jpThemeLight !== light) await pause(50);
    await pause(200);
    return true;
  };

  uth.explorers = () => {
    const all = [...panel().node.querySelectorAll(EXPLORER)].filter((one) => !one.parentElement.closest(EXPLORER));
    return all.map((one, number) => {
      one.dataset.uthExplorer = number;
      const cell = cellOf(one);
      const kind = [...one.classList].filter((name) => name.startsWith("uth-")).pop() ?? "explorer";
      return { cell, name: `cell ${cell}, ${one.getAttribute("aria-label") || kind}`, answers: one.dataset.answers || "kernel" };
    });
  };

  uth.widgets = () =>
    [...panel().node.querySelectorAll(".jp-Cell-outputArea")].flatMap((area) => {
      const cell = cellOf(area);
      const outputs = cells()[cell].model.outputs;
      const found = [];
      for (let place = 0; place < outputs.length; place++) {
        const json = outputs.get(place).toJSON();
        if (!json.data?.["application/vnd.jupyter.widget-view+json"]) continue;
        const node = area.querySelectorAll(".jp-OutputArea-child")[place] ?? area;
        const images = [...node.querySelectorAll("img")].filter((img) => img.complete && img.naturalWidth > 0);
        found.push({
          cell,
          text: node.innerText.trim(),
          images: images.map((img) => img.alt),
          alive: node.querySelector(EXPLORER) !== null,
        });
      }
      return found;
    });

  // ---- controls -----------------------------------------------------------------------------------------

  const kindOf = (element) => {
    const role = element.getAttribute("role");
    if (role && VALUE_ROLES[role]) return VALUE_ROLES[role];
    if (role && BUTTON_ROLES.includes(role)) return "button";
    if (element.matches("select")) return "select";
    if (element.matches("textarea, [contenteditable=true]")) return "text";
    if (element.matches("button, summary")) return "button";
    if (element.matches("a[href]")) return "link";
    if (element.matches("input"))
      return { range: "range", checkbox: "check", radio: "radio", number: "number", button: "button", submit: "button", reset: "button" }[element.type] ?? "text";
    return "place"; // can have the focus, to be read or scrolled, and moves nothing
  };
  const usable = (element) => !element.disabled && element.getAttribute("aria-disabled") !== "true";
  const elements = (number) => [...root(number).querySelectorAll(CONTROL)].filter(visible);
  const keysOf = (number) => {
    const seen = {};
    return elements(number).map((element) => {
      const label = element.getAttribute("aria-label") || element.labels?.[0]?.textContent || element.title || (element.matches("button, summary, a, [role]") ? element.textContent : "");
      const base = `${element.tagName.toLowerCase()} ${kindOf(element)} ${label.trim().slice(0, 60)}`;
      seen[base] = (seen[base] ?? 0) + 1;
      return [`${base} #${seen[base]}`, element];
    });
  };
  uth.controls = (number) =>
    keysOf(number).map(([key, element]) => ({
      key,
      kind: kindOf(element),
      disabled: !usable(element),
      text: element.innerText?.trim() ?? "",
      answers: element.closest("[data-answers]")?.dataset.answers ?? "kernel",
      group: (element.type === "radio" && element.closest("fieldset")?.querySelector("legend")?.innerText.trim()) || "",
      // -1: reached by arrow keys from the one of its group that Tab reaches
      tab: element.tabIndex >= 0 && !(element.type === "radio" && !tabbable(element)),
    }));
  const tabbable = (radio) => {
    const group = [...root(Number(radio.closest("[data-uth-explorer]").dataset.uthExplorer)).querySelectorAll("input[type=radio]")].filter((one) => one.name === radio.name && usable(one));
    const checked = group.find((one) => one.checked);
    return checked ? checked === radio : group[0] === radio;
  };
  uth.mark = (number, key) => {
    document.querySelectorAll("[data-uth-now]").forEach((element) => element.removeAttribute("data-uth-now"));
    const found = keysOf(number).find(([other]) => other === key)?.[1];
    if (!found) return false;
    found.dataset.uthNow = "";
    return true;
  };
  uth.usable = (number, key) => {
    const found = keysOf(number).find(([other]) => other === key)?.[1];
    return Boolean(found && usable(found));
  };
  uth.atEnd = () => {
    const now = document.activeElement;
    if (now.matches("select")) return now.selectedIndex === now.options.length - 1;
    if (now.max !== undefined && now.max !== "") return Number(now.value) >= Number(now.max);
    if (now.hasAttribute("aria-valuemax")) return Number(now.getAttribute("aria-valuenow")) >= Number(now.getAttribute("aria-valuemax"));
    return false;
  };
  uth.focusBefore = (number) => {
    document.getElementById("uth-before")?.remove();
    const before = document.createElement("span");
    before.id = "uth-before";
    before.tabIndex = 0;
    root(number).before(before);
    before.focus();
  };
  const look = (element) => {
    const style = getComputedStyle(element);
    return [style.outlineStyle, style.outlineWidth, style.outlineColor, style.boxShadow, style.borderColor, style.backgroundColor, style.textDecoration].join("|");
  };
  uth.focused = (number) => {
    const now = document.activeElement;
    const found = root(number).contains(now) && keysOf(number).find(([, element]) => element === now);
    if (!found) {
      document.getElementById("uth-before")?.remove();
      return root(number).contains(now) ? { key: now.outerHTML.slice(0, 80), seen: true } : null;
    }
    const withFocus = look(now);
    now.blur();
    const without = look(now);
    now.focus({ focusVisible: true, preventScroll: true });
    return { key: found[0], seen: withFocus !== without };
  };

  // ---- what is seen, and how soon -----------------------------------------------------------------------

  uth.view = (number, status) => {
    const own = root(number);
    const copy = own.cloneNode(true);
    copy.querySelectorAll(`${NOT_VIEW}${status ? "" : `, ${SPOKEN}`}`).forEach((element) => element.remove());
    for (const attribute of ["data-uth-now", "aria-valuenow", "aria-valuetext", "aria-activedescendant", "tabindex"])
      [copy, ...copy.querySelectorAll(`[${attribute}]`)].forEach((element) => element.removeAttribute(attribute));
    const drawn = [...own.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()).join();
    return copy.innerHTML + drawn;
  };
  const counts = (node, spoken) => {
    const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    return element && !element.closest(`${NOT_VIEW}, #uth-before${spoken ? "" : `, ${SPOKEN}`}`);
  };
  const changed = (records, spoken) =>
    records.some((record) => counts(record.target, spoken) && !["data-uth-now", "tabindex", "aria-busy"].includes(record.attributeName) && !["aria-valuenow", "aria-valuetext"].includes(record.attributeName));
  const watch = (number, spoken, told) => {
    const observer = new MutationObserver((records) => changed(records, spoken) && told(observer));
    observer.observe(root(number), { subtree: true, childList: true, characterData: true, attributes: true });
    return observer;
  };
  uth.settled = async (number, still) => {
    let last = performance.now();
    const since = last;
    const observer = new MutationObserver(() => (last = performance.now()));
    observer.observe(root(number), { subtree: true, childList: true, characterData: true, attributes: true });
    const busy = () => root(number).getAttribute("aria-busy") === "true" || root(number).querySelector("[aria-busy=true]");
    while (performance.now() - since < 10000 && (performance.now() - last < still || busy())) await pause(20);
    observer.disconnect();
  };
  // Told of every stroke on a canvas. To look at the pixels of a large one in every frame takes as long as what is timed.
  let told = null;
  for (const name of ["clearRect", "drawImage", "fill", "fillRect", "fillText", "putImageData", "stroke", "strokeRect"]) {
    const draw = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...how) {
      told?.(this.canvas);
      return draw.apply(this, how);
    };
  }
  // From the next key press to the frame after the one in which the view last changed, pictures decoded. It is over when
  // nothing has changed for `quiet` ms: a text that is first echoed and then answered counts until the answer.
  // A text may be answered with a sentence alone ("no such word"): then what is `spoken` counts too.
  uth.clock = (number, quiet, spoken) => {
    let start = null, over = null, mutated = false, drawing = false;
    const own = root(number);
    const pixels = () => [...own.querySelectorAll("canvas")].map((one) => one.toDataURL()).join();
    const before = pixels();
    window.uthMeasured = new Promise((done) => {
      const painted = async (observer) => {
        if (start === null) return;
        clearTimeout(over);
        await Promise.all([...own.querySelectorAll("img")].map((image) => image.decode().catch(() => {})));
        await frame();
        setTimeout(() => {
          const took = performance.now() - start;
          clearTimeout(over);
          over = setTimeout(() => {
            told = null;
            observer.disconnect();
            done(mutated || pixels() !== before ? took : null); // the same drawn again is no change
          }, quiet);
        }, 0);
      };
      document.addEventListener("keydown", (event) => { start = event.timeStamp; }, { capture: true, once: true });
      const observer = watch(number, spoken, () => { mutated = start !== null; painted(observer); });
      told = (canvas) => {
        if (drawing || start === null || !own.contains(canvas)) return;
        drawing = true; // many strokes, one change
        queueMicrotask(() => { drawing = false; painted(observer); });
      };
    });
  };
  // Milliseconds for a fixed amount of arithmetic.
  uth.arithmetic = () => {
    const start = performance.now();
    let x = 0;
    for (let i = 0; i < 4e6; i++) x = Math.sin(x + i) * 0.5;
    window.uthKept = x; // so that it can't be left out
    return performance.now() - start;
  };
  uth.measured = (timeout) => Promise.race([window.uthMeasured, pause(timeout).then(() => null)]);
  uth.says = (number) => root(number).innerText;

  // ---- axe and pictures ---------------------------------------------------------------------------------

  uth.axe = async (tags) => {
    const context = [...panel().node.querySelectorAll(".jp-OutputArea-output")];
    if (!context.length) return [];
    const result = await window.axe.run({ include: context }, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
    return result.violations.flatMap((rule) =>
      rule.nodes.map((node) => `cell ${cellOf(document.querySelector(node.target.at(-1)))}: ${rule.id}: ${rule.help}: ${node.html.slice(0, 160)}: ${node.failureSummary?.replace(/\s+/g, " ").slice(0, 200)}`),
    );
  };
  uth.pictures = () => {
    panel().node.querySelectorAll("[data-uth-picture]").forEach((element) => element.removeAttribute("data-uth-picture"));
    const seen = {};
    return [...panel().node.querySelectorAll(".jp-OutputArea-output")]
      .filter((output) => visible(output) && (output.querySelector(`${EXPLORER}, img, svg, canvas`) || output.matches(".jp-RenderedHTMLCommon, .jp-RenderedHTML")))
      .map((output, number) => {
        output.dataset.uthPicture = number;
        const kind = output.querySelector(EXPLORER) ? "explorer" : "picture";
        const name = `cell-${String(cellOf(output)).padStart(3, "0")}-${kind}`;
        seen[name] = (seen[name] ?? 0) + 1;
        return seen[name] > 1 ? `${name}-${seen[name]}` : name;
      });
  };
  // Explorers and pictures that are wider than the room they have, in pixels too many.
  uth.tooWide = () =>
    [...panel().node.querySelectorAll(".jp-OutputArea-output")].flatMap((output) => {
      const own = output.querySelector(EXPLORER);
      if (!own) return [];
      const over = [own, ...own.querySelectorAll("*")].filter((one) => one.getClientRects().length && one.getBoundingClientRect().right > output.getBoundingClientRect().right + 1 && !one.closest("svg *") && !scrolls(one, own));
      return over.length ? [`cell ${cellOf(output)}: ${over[0].outerHTML.slice(0, 100)}`] : [];
    });
  const scrolls = (one, own) => {
    for (let up = one.parentElement; up && own.contains(up); up = up.parentElement)
      if (["auto", "scroll", "hidden"].includes(getComputedStyle(up).overflowX)) return true;
    return getComputedStyle(one).clipPath !== "none" || getComputedStyle(one).clip !== "auto";
  };

  window.uth = uth;
})();
