/**
 * The tools of a canvas of classes: which one, which class, how wide, how near; undo; what was done, in
 * words.
 */

import { field, h, iconButton, newId, radios, slider } from "./widgets.js";

const MOST_WIDTH = 40; // px of a mask
const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];
const TOOLS = [
  ["brush", "Brush", "d"],
  ["erase", "Eraser", "e"],
  ["fill", "Fill", "f"],
  ["pick", "Pick", "p"],
];

/** Return the name of a class as people write it. */
export const plain = (name) => name.replaceAll("_", " ");

/** Return the tool that a key chooses, or null. */
export const toolOf = (key) => TOOLS.find(([, , letter]) => letter === key.toLowerCase())?.[0] ?? null;

/**
 * Make the tools.
 *
 * @param {object} given
 * @param {{name: string, colour: string}[]} given.classes
 * @param {number} given.chosen number of the class that is chosen at first.
 * @param {number} given.faint opacity of the labels at first, in percent.
 * @param {() => void} given.onChange called when another tool or width was chosen.
 * @param {(percent: number) => void} given.onFaint told another opacity of the labels.
 * @param {(factor: number) => void} given.onZoom told how near the picture is.
 * @param {{undo: () => void, redo: () => void, clear: () => void}} given.strokes what the buttons do.
 * @returns {object} `element`; `tool`, `chosen` and `diameter`, which can be set; `zoom(by)` goes so many
 *   steps nearer; `setShares(numbers)`, which part of the picture each class has; `read(words)` says what is
 *   at the brush; `tell({undo, redo, clear, words})` which buttons there is something for, and what is
 *   painted; `told`, the id of the element that says the latter.
 */
export function createTools({ classes, chosen, faint, onChange, onFaint, onZoom, strokes }) {
  let tool = "brush";
  let diameter = 5;
  let step = 0; // of the zoom
  const reading = h("p", { class: "hint", role: "status" });
  const painted = h("p", { class: "hint", id: newId("painted") });
  const modes = radios("Tool", TOOLS, tool, setTool);
  const classGroup = newId("class");
  const inputs = classes.map((_, index) =>
    h("input", {
      type: "radio",
      name: classGroup,
      value: index,
      checked: index === chosen,
      onchange: () => choose(index),
    }),
  );
  const shares = classes.map(() => h("small", { class: "n" }));
  const palette = h(
    "fieldset",
    { class: "palette" },
    h("legend", {}, "Class to paint"),
    ...classes.map(({ name, colour }, index) => {
      const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("--colour", colour);
      return h("label", {}, inputs[index], swatch, h("span", {}, plain(name)), shares[index]);
    }),
  );
  const width = slider({
    label: "Width of the brush",
    low: 1,
    high: MOST_WIDTH,
    step: 1,
    origin: 1,
    inWords: (number) => `${number} pixels`,
    onInput: setDiameter,
    onChange: () => {},
  });
  const labels = slider({
    label: "Opacity of the labels",
    low: 0,
    high: 100,
    step: 5,
    origin: 0,
    inWords: (number) => `${number} percent`,
    onInput: onFaint,
    onChange: () => {},
  });
  labels.show(faint);
  const nearer = zoomButton("Zoom in", "+", 1);
  const farther = zoomButton("Zoom out", "−", -1);
  farther.disabled = true;
  const scale = h("output", {}, "1 ×");
  const undo = iconButton("undo", "Take a stroke back", strokes.undo, { disabled: true });
  const redo = iconButton("redo", "Paint it again", strokes.redo, { disabled: true });
  const clear = h(
    "button",
    { type: "button", class: "quiet", disabled: true, onclick: strokes.clear },
    "Clear",
  );

  function zoomButton(label, sign, by) {
    const attributes = { "aria-label": label, title: `${label} (${sign})`, onclick: () => zoom(by) };
    return h("button", { type: "button", class: "icon", ...attributes }, sign);
  }

  function setTool(name) {
    tool = name;
    modes.value = name;
    onChange();
  }

  function setDiameter(number) {
    diameter = Math.min(MOST_WIDTH, Math.max(1, number));
    width.show(diameter);
    onChange();
  }

  function zoom(by) {
    step = Math.min(ZOOMS.length - 1, Math.max(0, step + by));
    scale.textContent = `${ZOOMS[step]} ×`;
    farther.disabled = step === 0;
    nearer.disabled = step === ZOOMS.length - 1;
    onZoom(ZOOMS[step]);
  }

  function choose(index) {
    chosen = index;
    inputs[index].checked = true;
    if (tool === "erase") setTool("brush"); // who picks a colour wants to paint
  }

  choose(chosen);
  return {
    element: h(
      "div",
      { class: "painting" },
      h("div", { class: "row" }, modes.element, undo, redo, clear),
      field("Width", width.element),
      field("Labels", labels.element),
      h("div", { class: "row" }, h("span", { class: "hint" }, "Zoom"), farther, scale, nearer),
      palette,
      reading,
      painted,
    ),
    told: painted.id,
    get tool() {
      return tool;
    },
    set tool(name) {
      setTool(name);
    },
    get chosen() {
      return chosen;
    },
    set chosen(index) {
      choose(index);
    },
    get diameter() {
      return diameter;
    },
    set diameter(number) {
      setDiameter(number);
    },
    zoom,
    read(words) {
      reading.textContent = words;
    },
    tell({ words, ...there }) {
      undo.disabled = !there.undo;
      redo.disabled = !there.redo;
      clear.disabled = !there.clear;
      painted.textContent = words;
    },
    setShares(numbers) {
      numbers.forEach((number, index) => {
        const words = number >= 0.005 ? `${Math.round(100 * number)} %` : "<1 %";
        shares[index].textContent = number > 0 ? words : "";
      });
    },
  };
}
