/**
 * A canvas on which classes are painted over a picture: brush, eraser, fill, undo; by pointer, finger or keyboard.
 *
 * Two layers lie over the picture: `labels`, what a segmentation found, faintly, and the strokes. A view places
 * `area` and `tools` where it likes.
 */

import { UNPAINTED, blank, encode, fill, labelsOf, line, same } from "./masks.js";
import { field, h, iconButton, newId, slider } from "./widgets.js";

const MOST_STEPS = 30; // of undo; a step holds a mask
const STROKE_ALPHA = 200; // of 255
const LABEL_ALPHA = 90;
const TOOLS = [["brush", "Brush", "D"], ["erase", "Eraser", "E"], ["fill", "Fill", "F"]];

/** The keys of the canvas, for the help of a view. */
export const BRUSH_KEYS = [
  ["Arrow keys", "On the canvas: move the brush by a pixel; with Shift by eight"],
  ["Space", "Put the brush down, or lift it; with Fill: fill"],
  ["D, E, F", "Brush, eraser, fill"],
  ["[ and ]", "Smaller or larger brush"],
  ["1 to 9", "Choose one of the first classes"],
  ["Ctrl+Z", "On the canvas: take a stroke back"],
];

/**
 * Make the canvas and its tools.
 *
 * @param {object} given
 * @param {{name: string, colour: string}[]} given.classes colours as "#rrggbb".
 * @param {() => void} [given.onChange] called after each stroke, undo, redo and clear.
 * @returns {object} `area` and `tools` for the page; `show(picture, labels)` begins with a picture (an ImageBitmap or
 *   canvas; the strokes are kept if it has the same size) and the labels found in it (or null); `mask`, the strokes;
 *   `setMask(mask)`; `isEmpty`; `encoded()`, the strokes for the server; `clear()`; `undo()`; `redo()`; `shares`,
 *   which part of the pictures each class has, set with `setShares(numbers)`.
 */
export function createBrush({ classes, onChange = () => {} }) {
  const under = h("canvas", { width: 1, height: 1 });
  const over = h("canvas", { width: 1, height: 1 });
  const ring = h("div", { class: "ring", hidden: true, "aria-hidden": "true" });
  const reading = h("p", { class: "hint", role: "status" });
  const hint = h("p", { class: "unseen", id: newId("hint") }, "Arrow keys move the brush, Space puts it down or lifts it.");
  const area = h(
    "div",
    { class: "frame brush", tabindex: 0, role: "application", "aria-label": "Canvas to paint on", "aria-describedby": hint.id },
    under, over, ring, hint,
  );
  const colours = classes.map(({ colour }) => [1, 3, 5].map((from) => parseInt(colour.slice(from, from + 2), 16)));
  let size = { width: 1, height: 1 };
  let labels = null;
  let mask = blank(1, 1);
  let past = [];
  let future = [];
  let tool = "brush";
  let chosen = 0;
  let diameter = 5;
  let at = { x: 0, y: 0 };
  let held = null; // the mask before the stroke under way
  let penDown = false; // of the keyboard

  function redraw() {
    const image = new ImageData(size.width, size.height);
    for (let place = 0; place < mask.length; place += 1) {
      const painted = mask[place] !== UNPAINTED;
      const colour = colours[painted ? mask[place] : labels?.[place]];
      if (colour) image.data.set([...colour, painted ? STROKE_ALPHA : LABEL_ALPHA], 4 * place);
    }
    over.getContext("2d").putImageData(image, 0, 0);
  }

  function showRing() {
    ring.hidden = false;
    area.style.setProperty("--x", (at.x + 0.5) / size.width);
    area.style.setProperty("--y", (at.y + 0.5) / size.height);
    area.style.setProperty("--size", (tool === "fill" ? 1 : diameter) / size.width);
    const place = at.y * size.width + at.x;
    const found = mask[place] !== UNPAINTED ? mask[place] : labels?.[place];
    reading.textContent = `At ${at.x}, ${at.y}: ${classes[found]?.name ?? "nothing"}${mask[place] !== UNPAINTED ? " (painted)" : ""}`;
  }

  const value = () => (tool === "erase" ? UNPAINTED : chosen);

  function begin() {
    held = mask.slice();
    if (tool === "fill") fill(mask, labels, size, at, value());
    else line(mask, size, at, at, diameter, value());
    redraw();
  }

  function moveTo(next) {
    if (held && tool !== "fill") line(mask, size, at, next, diameter, value());
    at = next;
    showRing();
  }

  function end() {
    const before = held;
    held = null;
    penDown = false;
    if (before && !same(before, mask)) remember(before);
  }

  function remember(before) {
    past = [...past, before].slice(-MOST_STEPS);
    future = [];
    changed();
  }

  function changed() {
    redraw();
    undoButton.disabled = past.length === 0;
    redoButton.disabled = future.length === 0;
    clearButton.disabled = api.isEmpty;
    onChange();
  }

  function step(from, to) {
    if (held) end();
    if (from.length === 0) return;
    to.push(mask);
    mask = from.pop();
    changed();
  }

  /** Return the pixel under a pointer; beyond the edge, the nearest. */
  function pixel({ clientX, clientY }) {
    const box = area.getBoundingClientRect();
    const clamp = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    return { x: clamp((clientX - box.left) / box.width, size.width), y: clamp((clientY - box.top) / box.height, size.height) };
  }

  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (held) end();
    area.setPointerCapture(event.pointerId);
    moveTo(pixel(event));
    begin();
  });
  area.addEventListener("pointermove", (event) => {
    // Between two frames a pen moves several times; each place counts.
    for (const one of event.getCoalescedEvents?.() ?? [event]) moveTo(pixel(one));
    if (held) redraw();
  });
  area.addEventListener("pointerup", () => end());
  area.addEventListener("pointercancel", () => end());
  area.addEventListener("pointerleave", () => !held && (ring.hidden = true));
  area.addEventListener("focus", showRing);
  area.addEventListener("blur", () => {
    end();
    ring.hidden = true;
  });
  area.addEventListener("keydown", (event) => {
    if (event.altKey || !key(event)) return;
    event.preventDefault(); // the shell leaves alone what was taken here
  });

  function key({ key: name, shiftKey, ctrlKey, metaKey }) {
    if (ctrlKey || metaKey) {
      if (name.toLowerCase() === "z") (shiftKey ? api.redo : api.undo)();
      else if (name.toLowerCase() === "y") api.redo();
      else return false;
      return true;
    }
    const by = shiftKey ? 8 : 1;
    const steps = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] }[name];
    if (steps) {
      const clamp = (place, count) => Math.min(count - 1, Math.max(0, place));
      moveTo({ x: clamp(at.x + steps[0], size.width), y: clamp(at.y + steps[1], size.height) });
      if (held) redraw();
      return true;
    }
    if (name === " " || name === "Enter") {
      if (penDown) return end(), true;
      begin();
      if (tool === "fill") end();
      else penDown = true;
      reading.textContent = penDown ? "The brush is down." : "Filled.";
      return true;
    }
    const known = TOOLS.find(([, , letter]) => letter.toLowerCase() === name.toLowerCase());
    if (known) return setTool(known[0]), true;
    if (name === "[" || name === "]") return setDiameter(diameter + (name === "]" ? 1 : -1)), true;
    if (/^[1-9]$/.test(name) && Number(name) <= classes.length) return choose(Number(name) - 1), true;
    return false;
  }

  /* ---- tools ---- */

  const toolGroup = newId("tool");
  const toolInputs = TOOLS.map(([name]) => h("input", { type: "radio", name: toolGroup, value: name, checked: name === tool, onchange: () => setTool(name) }));
  const classGroup = newId("class");
  const classInputs = classes.map((_, index) => h("input", { type: "radio", name: classGroup, value: index, checked: index === chosen, onchange: () => choose(index) }));
  const shares = classes.map(() => h("small", { class: "n" }));
  const palette = h(
    "fieldset",
    { class: "palette" },
    h("legend", {}, "Class to paint"),
    ...classes.map(({ name }, index) => {
      const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("--colour", classes[index].colour);
      return h("label", {}, classInputs[index], swatch, h("span", {}, name), shares[index]);
    }),
  );
  const width = slider({
    label: "Width of the brush", low: 1, high: 40, step: 1, origin: 1,
    inWords: (number) => `${number} pixels`,
    onInput: (number) => setDiameter(number),
    onChange: () => {},
  });
  const undoButton = iconButton("undo", "Take a stroke back", () => api.undo(), { disabled: true });
  const redoButton = iconButton("redo", "Paint it again", () => api.redo(), { disabled: true });
  const clearButton = h("button", { type: "button", class: "quiet", disabled: true, onclick: () => api.clear() }, "Clear");
  const tools = h(
    "div",
    { class: "painting" },
    h("div", { class: "row" },
      h("fieldset", { class: "modes" }, h("legend", { class: "unseen" }, "Tool"), ...TOOLS.map(([, words], index) => h("label", {}, toolInputs[index], h("span", {}, words)))),
      undoButton, redoButton, clearButton),
    field("Width", width.element),
    palette,
    reading,
  );

  function setTool(name) {
    tool = name;
    toolInputs[TOOLS.findIndex(([one]) => one === name)].checked = true;
    showRing();
  }

  function setDiameter(number) {
    diameter = Math.min(40, Math.max(1, number));
    width.show(diameter);
    showRing();
  }

  function choose(index) {
    chosen = index;
    classInputs[index].checked = true;
    if (tool === "erase") setTool("brush"); // who picks a colour wants to paint
  }

  const api = {
    area,
    tools,
    get mask() {
      return mask;
    },
    get isEmpty() {
      return mask.every((one) => one === UNPAINTED);
    },
    get size() {
      return size;
    },
    show(picture, found = null) {
      const { width: wide, height: high } = picture;
      if (wide !== size.width || high !== size.height) {
        size = { width: wide, height: high };
        mask = blank(wide, high);
        past = [];
        future = [];
        at = { x: wide >> 1, y: high >> 1 };
        setDiameter(Math.max(2, Math.round(wide / 14)));
        for (const canvas of [under, over]) Object.assign(canvas, size);
      }
      area.style.setProperty("--ratio", wide / high);
      under.getContext("2d").drawImage(picture, 0, 0);
      labels = found;
      ring.hidden = document.activeElement !== area;
      changed();
    },
    setMask(next) {
      remember(mask);
      mask = next.slice();
      changed();
    },
    setShares(numbers) {
      numbers.forEach((number, index) => (shares[index].textContent = number >= 0.0005 ? `${(100 * number).toFixed(1)} %` : ""));
    },
    encoded: () => encode(mask, size),
    clear() {
      if (api.isEmpty) return;
      const before = mask;
      mask = blank(size.width, size.height);
      remember(before);
    },
    undo: () => step(past, future),
    redo: () => step(future, past),
  };
  return api;
}

export { labelsOf };
