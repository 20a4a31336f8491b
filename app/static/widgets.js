/**
 * Small parts of which all views are made. They are native elements with a little dress.
 *
 * Nothing here sets an attribute `style`: the page's content security policy forbids it. Lengths that depend
 * on numbers are custom properties, set from here and used in the style sheets.
 */

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  undo: "M6 3.5 2.5 7 6 10.5M2.5 7H10a3.5 3.5 0 0 1 0 7H7",
  redo: "M10 3.5 13.5 7 10 10.5M13.5 7H6a3.5 3.5 0 0 0 0 7h3",
  reset: "M3.2 9.5A5 5 0 1 0 4 4.8L2.5 6.5M2.5 2.8v3.7h3.7",
  close: "M4 4l8 8M12 4l-8 8",
  more: "M4 6l4 4 4-4",
  previous: "M10 3.5 5.5 8l4.5 4.5",
  next: "M6 3.5 10.5 8 6 12.5",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8ZM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  stop: "M4.5 4.5h7v7h-7Z",
};

/**
 * Make an element.
 *
 * @param {string} tag its name.
 * @param {object} [attributes] `class`, `id`, `aria-label`...; `onclick` and the like are listeners; true and
 *   false stand for an attribute that is there or not; null leaves one out.
 * @param {...(Node | string | null | false)} children what is in it.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/**
 * Give an element these children, in this order. Those that are in place already are not touched: the one
 * with the focus would lose it.
 */
export function place(parent, children) {
  for (const child of [...parent.children]) if (!children.includes(child)) child.remove();
  const focused = document.activeElement;
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  if (parent.contains(focused)) focused.focus({ preventScroll: true });
}

/** Make a line drawing of 16 px that takes the colour of the text around it; `name` is a key of PATHS. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("class", "drawing");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  drawing.append(path);
  return drawing;
}

/** Make a button that shows a drawing alone; `label` says what it does, also when the pointer rests on it. */
export function iconButton(name, label, onclick, attributes = {}) {
  return h(
    "button",
    { type: "button", class: "icon", "aria-label": label, title: label, onclick, ...attributes },
    icon(name),
  );
}

let ids = 0;
/** Return an id that no other element has. */
export function newId(stem = "id") {
  ids += 1;
  return `${stem}-${ids}`;
}

/**
 * Write a number with its sign, as people do: "+1.50", "−0.20", "0".
 *
 * @param {number} value
 * @param {number} [digits] after the point.
 */
export function signed(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return "0";
  return (value < 0 ? "\u2212" : "+") + text;
}

/**
 * Make a field with its label, side by side.
 *
 * @param {string} label
 * @param {HTMLElement} control such as an input.
 */
export function field(label, control, attributes = {}) {
  control.id ||= newId("field");
  return h("div", { class: "field", ...attributes }, h("label", { for: control.id }, label), control);
}

/** Make a select. Options are texts, or `[value, text]`; a Map of groups makes groups of options. */
export function select(options, attributes = {}) {
  const made = (list) =>
    list.map((one) => (Array.isArray(one) ? h("option", { value: one[0] }, one[1]) : h("option", {}, one)));
  const children =
    options instanceof Map
      ? [...options]
          .filter(([, list]) => list.length)
          .map(([label, list]) => h("optgroup", { label }, ...made(list)))
      : made(options);
  return h("select", attributes, ...children);
}

/**
 * Make a choice of one among few: radio buttons that look like one control.
 *
 * @param {string} label of all, for who cannot see them.
 * @param {string[][]} options `[[value, text], ...]`.
 * @param {string} chosen the value at first.
 * @param {(value: string) => void} onChange told what was chosen.
 * @returns {{element: HTMLElement, value: string}} `value` can be set, which tells nobody.
 */
export function radios(label, options, chosen, onChange) {
  const name = newId("choice");
  const inputs = options.map(([value]) =>
    h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => onChange(value) }),
  );
  return {
    element: h(
      "fieldset",
      { class: "modes" },
      h("legend", { class: "unseen" }, label),
      ...options.map(([, words], index) => h("label", {}, inputs[index], h("span", {}, words))),
    ),
    get value() {
      return inputs.find((input) => input.checked).value;
    },
    set value(value) {
      inputs.find((input) => input.value === value).checked = true;
    },
  };
}

/** Let files be dropped on an element; `onFile` is told the first one. */
export function takeDrops(area, onFile) {
  const over = (on) => (event) => {
    event.preventDefault();
    area.toggleAttribute("data-over", on);
  };
  area.addEventListener("dragenter", over(true));
  area.addEventListener("dragover", over(true));
  area.addEventListener("dragleave", over(false));
  area.addEventListener("drop", (event) => {
    over(false)(event);
    onFile(event.dataTransfer.files[0]);
  });
}

/**
 * Make a slider whose track is filled from where nothing happens to where it stands.
 *
 * @param {object} given
 * @param {string} given.label for who cannot see it.
 * @param {number} given.low lowest value.
 * @param {number} given.high highest value.
 * @param {number} given.step
 * @param {number} [given.origin] the value that changes nothing, 0 by default.
 * @param {(value: number) => string} given.inWords the value as it is read out.
 * @param {(value: number, event: Event) => void} given.onInput called while it is dragged.
 * @param {(value: number) => void} given.onChange called when it is let go.
 * @returns {{element: HTMLInputElement, show: (value: number) => void, mark: (value: number | null) => void,
 *   range: (ends: {low: number, high: number, step: number}) => void, measure: (value: number | null) =>
 *   void}} `show` takes values outside the ends too: the thumb then stands at the end. `mark` puts a notch at
 *   a value, or takes it away; `range` changes the ends; `measure` draws a line from 0 to what was measured.
 */
export function slider({ label, low, high, step, origin = 0, inWords, onInput, onChange }) {
  const element = h("input", { type: "range", min: low, max: high, step, "aria-label": label });
  let now = Number(element.value);
  const marks = { "--mark": null, "--measured": null };
  const share = (value) => Math.min(1, Math.max(0, (value - low) / (high - low)));
  const paint = () => {
    const [from, to] = [share(origin), share(now)].sort((a, b) => a - b);
    element.style.setProperty("--from", from);
    element.style.setProperty("--to", to);
    element.style.setProperty("--origin", share(origin));
    for (const [name, value] of Object.entries(marks))
      element.style.setProperty(name, value === null || value < low || value > high ? -9 : share(value));
    element.setAttribute("aria-valuetext", inWords(now));
  };
  const put = (name) => (value) => {
    marks[name] = value;
    paint();
  };
  element.addEventListener("input", (event) => {
    // The origin must be easy to hit: values within half a step of it are it.
    if (Math.abs(element.value - origin) < step / 2) element.value = origin;
    now = Number(element.value);
    paint();
    onInput(now, event);
  });
  element.addEventListener("change", () => onChange(Number(element.value)));
  return {
    element,
    show(value) {
      element.value = value;
      now = value;
      paint();
    },
    mark: put("--mark"),
    measure: put("--measured"),
    range(ends) {
      if (ends.low === low && ends.high === high && ends.step === step) return;
      ({ low, high, step } = ends);
      Object.assign(element, { min: low, max: high, step });
      element.value = now;
      paint();
    },
  };
}

/**
 * Make the strip of a job: how far it is, in a bar and in words, and a button that stops it.
 *
 * @param {string} label what is being done.
 * @param {() => void} [onStop] no button without it.
 * @returns {{element: HTMLElement, show: (progress: object) => void, end: (words: string) => void}} `show`
 *   takes {step, total}, and text and loss if there are.
 */
export function progressStrip(label, onStop) {
  const bar = h("progress", { max: 1, "aria-label": label });
  const words = h("p", { role: "status" }, `${label}…`);
  const stop =
    onStop &&
    h("button", { type: "button", onclick: () => ((stop.disabled = true), onStop()) }, icon("stop"), "Stop");
  let told = 0;
  return {
    element: h("div", { class: "strip" }, words, bar, stop ?? null),
    show({ step, total, text = "", loss }) {
      bar.value = total ? step / total : 0;
      const now = performance.now();
      if (now - told < 1000 && step < total) return; // a screen reader would never come to an end
      told = now;
      words.textContent = [
        `${label}: ${step} of ${total}`,
        text,
        loss === undefined ? "" : `loss ${loss.toPrecision(3)}`,
      ]
        .filter(Boolean)
        .join(" · ");
    },
    end(sentence) {
      bar.hidden = true;
      stop?.remove();
      words.textContent = sentence;
    },
  };
}

/**
 * Let arrow keys, Home and End move between the buttons of a group, which is one stop of the Tab key.
 *
 * @param {HTMLElement} group
 * @param {string} selector which of its elements take part.
 * @returns {() => void} to be called after they have changed.
 */
export function roving(group, selector) {
  const all = () => [...group.querySelectorAll(selector)];
  const only = (chosen) => all().forEach((one) => (one.tabIndex = one === chosen ? 0 : -1));
  // The buttons lie in rows as the style sheet has it: those as high up as the first are its columns.
  const columns = (list) => Math.max(1, list.filter((one) => one.offsetTop === list[0].offsetTop).length);
  group.addEventListener("focusin", ({ target }) => target.matches(selector) && only(target));
  group.addEventListener("keydown", (event) => {
    const list = all();
    const place = list.indexOf(event.target);
    if (place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(list), ArrowUp: -columns(list) };
    const aim =
      event.key === "Home" ? 0 : event.key === "End" ? list.length - 1 : place + (steps[event.key] ?? NaN);
    if (Number.isNaN(aim)) return;
    event.preventDefault();
    list[aim]?.focus();
  });
  return () => only(all().find((one) => one.getAttribute("aria-pressed") === "true") ?? all()[0]);
}

/**
 * Show a message at the edge of the window. It goes by itself, but not while somebody reads it.
 *
 * @param {string} sentence
 * @param {"error" | "note"} [kind]
 * @param {string} [about] what it is about: it takes the place of an earlier one about the same.
 */
export function toast(sentence, kind = "note", about = sentence) {
  const region = document.getElementById("toasts");
  [...region.children].find((one) => one.dataset.about === about)?.remove();
  const box = h(
    "div",
    { class: `toast ${kind}`, role: kind === "error" ? "alert" : "status" },
    h("p", {}, sentence),
  );
  box.dataset.about = about;
  let timer = 0;
  const later = () => (timer = setTimeout(() => box.remove(), 4000 + 60 * sentence.length));
  const stay = () => clearTimeout(timer);
  box.append(iconButton("close", "Dismiss", () => box.remove()));
  for (const event of ["pointerenter", "focusin"]) box.addEventListener(event, stay);
  for (const event of ["pointerleave", "focusout"]) box.addEventListener(event, later);
  region.append(box);
  while (region.children.length > 4) region.firstChild.remove();
  later();
}

/** Say something to who cannot see the page, once it is quiet. */
export function announce(sentence) {
  document.getElementById("announcer").textContent = sentence;
}

/**
 * Open a dialog; Escape, the button and a click beside it close it.
 *
 * @param {string} title
 * @param {...(Node | string)} children what is in it.
 * @returns {HTMLDialogElement} it; it is removed once it is closed.
 */
export function dialog(title, ...children) {
  const id = newId("dialog");
  const element = h("dialog", { "aria-labelledby": id });
  const close = iconButton("close", "Close", () => element.close());
  element.append(
    h("div", { class: "sheet" }, h("div", { class: "head" }, h("h2", { id }, title), close), children),
  );
  element.addEventListener("click", (event) => event.target === element && element.close());
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  return element;
}
